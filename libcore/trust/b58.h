/* base58check of Ed25519 public keys, as known-keys files hold them. */
#ifndef RPCKIT_TRUST_B58_H
#define RPCKIT_TRUST_B58_H

#include <rpckit/key.h>

/* What stands before the base58check text in a known-keys file. */
#define B58_KEY_PREFIX "pubkey@edwardsRPC-ed25519-b58c-"
/* 37 bytes in base 58 at most, and NUL. */
#define B58_KEY_LEN 52

void b58_key_encode(
    const uint8_t pub[RK_KEY_PUBLIC_LEN], char out[B58_KEY_LEN]);
/* RK_EFORMAT: not the one encoding of any key (alphabet, length, version byte,
 * checksum). */
RK_MUST enum rk_err b58_key_decode(
    const char *s, size_t len, uint8_t pub[RK_KEY_PUBLIC_LEN]);

#endif
