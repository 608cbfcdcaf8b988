/* Numbers and strings in byte strings, most significant byte first. */
#ifndef RPCKIT_BASE_BYTES_H
#define RPCKIT_BASE_BYTES_H

#include "base/buf.h"

/* What is still to be read; borrowed. */
struct bytes {
	const uint8_t *at;
	size_t left;
};

/* Taken from the front; false, and nothing taken, when there is too little. */
RK_MUST bool bytes_get(struct bytes *b, size_t len, const uint8_t **out);
RK_MUST bool bytes_get_u8(struct bytes *b, uint8_t *out);
RK_MUST bool bytes_get_u16(struct bytes *b, uint16_t *out);
RK_MUST bool bytes_get_u32(struct bytes *b, uint32_t *out);
RK_MUST bool bytes_get_u64(struct bytes *b, uint64_t *out);
/* A string behind its length of four bytes, as SSH has them. */
RK_MUST bool bytes_get_string(struct bytes *b, struct bytes *out);
/* Are these the bytes of a text? */
bool bytes_are(const struct bytes *b, const char *text);

RK_MUST enum rk_err bytes_put_u8(struct buf *b, uint8_t value);
RK_MUST enum rk_err bytes_put_u16(struct buf *b, uint16_t value);
RK_MUST enum rk_err bytes_put_u32(struct buf *b, uint32_t value);
RK_MUST enum rk_err bytes_put_u64(struct buf *b, uint64_t value);
RK_MUST enum rk_err bytes_put_string(
    struct buf *b, const void *data, size_t len);

#endif
