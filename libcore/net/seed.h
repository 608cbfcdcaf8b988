/* A server's seed: the secret that its ticket, token and reset keys grow from.
 */
#ifndef RPCKIT_NET_SEED_H
#define RPCKIT_NET_SEED_H

#include <rpckit/err.h>

/*
 * Servers with the same seed and certificate accept one another's session
 * tickets, and a restarted server can reset the connections it has forgotten.
 */
#define SEED_LEN 32
struct seed;

/*
 * path NULL: random, gone with the process.  Otherwise a file of exactly
 * SEED_LEN bytes that nobody else can read; where there is none it is made
 * (mode 0600, whole or not at all).  RK_EIO, RK_EMODE, RK_EFORMAT (size),
 * RK_ENOMEM.
 */
RK_MUST enum rk_err seed_new(
    const char *path, struct seed **out, struct rk_error *err);
struct seed *seed_ref(struct seed *s); /* any thread */
void seed_free(struct seed *s);        /* NULL is allowed; any thread */

/* HKDF-SHA256 of the seed, for this use and this epoch (0 where keys do not
 * rotate); len <= 64.  Any thread. */
void seed_derive(const struct seed *s, const char *use, uint64_t epoch,
    uint8_t *out, size_t len);

/* Keys of tickets live this long; tickets made with the last one are taken for
 * as long again. */
#define SEED_EPOCH_S 21600
uint64_t seed_epoch(int64_t now); /* now: seconds since 1970 */

#endif
