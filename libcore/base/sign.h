/* The door to libsodium's Ed25519: one signer and one verifier for all. */
#ifndef RPCKIT_BASE_SIGN_H
#define RPCKIT_BASE_SIGN_H

#include <rpckit/err.h>

#define SIGN_SEED_LEN 32
#define SIGN_PUBLIC_LEN 32
#define SIGN_SECRET_LEN 64 /* the seed, then the public key */
#define SIGN_SIG_LEN 64

/* The key pair of a seed (RFC 8032).  Any thread. */
void sign_keypair(uint8_t pub[SIGN_PUBLIC_LEN], uint8_t secret[SIGN_SECRET_LEN],
    const uint8_t seed[SIGN_SEED_LEN]);
void sign_make(uint8_t sig[SIGN_SIG_LEN], const void *msg, size_t len,
    const uint8_t secret[SIGN_SECRET_LEN]);
/* False also for weak keys and for signatures that are not canonical. */
RK_MUST bool sign_check(const uint8_t sig[SIGN_SIG_LEN], const void *msg,
    size_t len, const uint8_t pub[SIGN_PUBLIC_LEN]);

#endif
