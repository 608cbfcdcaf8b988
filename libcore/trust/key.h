/* The inside of a private key: shared among those who use it. */
#ifndef RPCKIT_TRUST_KEY_H
#define RPCKIT_TRUST_KEY_H

#include <rpckit/signer.h>

/* One more that calls rk_key_free().  NULL is allowed.  Any thread. */
struct rk_key *key_ref(struct rk_key *key);
/* Why the last signature with it failed; false if it did not.  Any thread. */
bool key_failure(const struct rk_key *key, struct rk_error *err);

/* As rk_next_key_make(), with the errors of rk_key_sign_for(). */
RK_MUST enum rk_err next_key_make(const uint8_t present[RK_KEY_PUBLIC_LEN],
    const struct rk_key *next, struct rk_next_key *out, struct rk_error *err);

#endif
