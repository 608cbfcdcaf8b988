/* The inside of a private key file: PKCS#8 (RFC 5958, RFC 8410). */
#ifndef RPCKIT_TRUST_PKCS8_H
#define RPCKIT_TRUST_PKCS8_H

#include <rpckit/key.h>

/* Version 0, Ed25519, the seed: what every tool writes. */
#define PKCS8_LEN 48

/*
 * The key in a PrivateKeyInfo.  RK_EFORMAT; RK_EUNSUPPORTED with the name of
 * the other algorithm in *other ("an RSA"); RK_ENOMEM.
 */
RK_MUST enum rk_err pkcs8_decode(
    struct rk_bytes der, struct rk_key **out, const char **other);
/* The PrivateKeyInfo of a key.  RK_EUNSUPPORTED: it is not here; RK_ENOMEM. */
RK_MUST enum rk_err pkcs8_encode(
    const struct rk_key *key, struct rk_secret **out);

#endif
