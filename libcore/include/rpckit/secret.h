/* Secrets in guarded memory, randomness, constant-time comparison. */
#ifndef RPCKIT_SECRET_H
#define RPCKIT_SECRET_H

#include <rpckit/err.h>

RK_BEGIN

/*
 * Bytes in sodium guarded memory: between guard pages, locked where the limits
 * allow, excluded from core dumps, wiped when freed.
 */
struct rk_secret;

/* len zeroed bytes.  RK_ENOMEM.  Any thread. */
RK_API RK_MUST enum rk_err rk_secret_new(size_t len, struct rk_secret **out);
/* A copy of len bytes; the source is the caller's to wipe.  RK_ENOMEM. */
RK_API RK_MUST enum rk_err rk_secret_copy(
    const void *src, size_t len, struct rk_secret **out);
RK_API uint8_t *rk_secret_data(struct rk_secret *s);
RK_API const uint8_t *rk_secret_peek(const struct rk_secret *s);
RK_API size_t rk_secret_len(const struct rk_secret *s);
/* Shorten to len (no-op when len is not shorter); the rest is wiped. */
RK_API void rk_secret_trim(struct rk_secret *s, size_t len);
/* Wipes.  NULL is allowed. */
RK_API void rk_secret_free(struct rk_secret *s);
/* Whether this process was ever refused to lock such bytes (RLIMIT_MEMLOCK), so
 * that some of them may have been swapped out.  Any thread. */
RK_API RK_MUST bool rk_secret_is_swappable(void);

/* Equal, in time that depends on len only. */
RK_API RK_MUST bool rk_secret_eq(const void *a, const void *b, size_t len);
/* Overwrite in a way the compiler keeps. */
RK_API void rk_wipe(void *p, size_t len);
/* Fill with random bytes from the operating system. */
RK_API void rk_random(void *dst, size_t len);

RK_END

#endif
