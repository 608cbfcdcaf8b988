/* A growable byte queue with a hard maximum: put at the tail, take at the head.
 */
#ifndef RPCKIT_BASE_BUF_H
#define RPCKIT_BASE_BUF_H

#include <rpckit/err.h>
#include <rpckit/secret.h>

#include <string.h>

/*
 * Embedded in its owner.  Bytes are data[head, tail).  Never grows beyond max
 * bytes of content.  Pointers into it are valid until the next call that may
 * grow or shift it (reserve, put, release).
 */
struct buf {
	uint8_t *data;
	size_t head;
	size_t tail;
	size_t cap;
	size_t max;
	struct rk_secret *guard; /* data is its, NULL: malloc'ed */
};

void buf_init(struct buf *b, size_t max);
/* Frees the memory; the buffer may be used again. */
void buf_fini(struct buf *b);
/* As buf_fini(), after overwriting what was ever stored. */
void buf_wipe(struct buf *b);
/* What is in it, and all that comes until it is wiped or freed, is secret: it
 * lies in guarded memory, to begin with of room bytes.  RK_ENOMEM, RK_ETOOBIG.
 */
RK_MUST enum rk_err buf_guard(struct buf *b, size_t room);

/* Make room for n more bytes in one piece; *p points to it (not yet counted).
 * RK_ETOOBIG beyond max, RK_ENOMEM: nothing changed. */
RK_MUST enum rk_err buf_reserve(struct buf *b, size_t n, uint8_t **p);
/* Count n bytes written to what buf_reserve() gave. */
void buf_commit(struct buf *b, size_t n);
/* Drop n bytes at the tail, as if never put. */
void buf_uncommit(struct buf *b, size_t n);
RK_MUST enum rk_err buf_put(struct buf *b, const void *src, size_t n);
RK_MUST enum rk_err buf_put_str(struct buf *b, const char *s);
RK_MUST enum rk_err buf_printf(struct buf *b, const char *fmt, ...)
    RK_PRINTF(2, 3);
/* Drop n bytes at the head (all of it when n is not less). */
void buf_consume(struct buf *b, size_t n);
/* Hand the memory over: *out is malloc'ed and NUL-terminated.  RK_EINVAL: it is
 * guarded. */
RK_MUST enum rk_err buf_take(struct buf *b, uint8_t **out, size_t *len);

static inline size_t
buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

/* Borrowed; NULL is possible when empty. */
static inline const uint8_t *
buf_peek(const struct buf *b)
{
	return b->data == NULL ? NULL : b->data + b->head;
}

/* Sizes from outside are added and multiplied only here. RK_ETOOBIG. */
RK_MUST enum rk_err size_add(size_t a, size_t b, size_t *out);
RK_MUST enum rk_err size_mul(size_t a, size_t b, size_t *out);

#endif
