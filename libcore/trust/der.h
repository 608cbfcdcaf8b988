/* Strict DER: read piece by piece, written from the end to the start. */
#ifndef RPCKIT_TRUST_DER_H
#define RPCKIT_TRUST_DER_H

#include <rpckit/err.h>

#define DER_INTEGER 0x02
#define DER_BIT_STRING 0x03
#define DER_OCTET_STRING 0x04
#define DER_NULL 0x05
#define DER_OID 0x06
#define DER_SEQUENCE 0x30

/* Take the element with this tag off the head of *in.  RK_EFORMAT: *in is as it
 * was.  Only definite, shortest lengths below 16 MiB. */
RK_MUST enum rk_err der_take(
    struct rk_bytes *in, uint8_t tag, struct rk_bytes *content);
/* The same with tag and length bytes. */
RK_MUST enum rk_err der_take_whole(
    struct rk_bytes *in, uint8_t tag, struct rk_bytes *whole);
/* A non-negative INTEGER that fits. */
RK_MUST enum rk_err der_take_uint(struct rk_bytes *in, uint64_t *value);
/* Does *in begin with this tag? */
bool der_is(const struct rk_bytes *in, uint8_t tag);

/* Elements are put in front of one another: data[at, cap) is what is there.
 * The owner sees to it that the space suffices. */
struct der_out {
	uint8_t *data;
	size_t at;
};

void der_put(struct der_out *o, uint8_t tag, const void *content, size_t len);
/* Make what was put since o->at was `end` the content of one element. */
void der_wrap(struct der_out *o, uint8_t tag, size_t end);

#endif
