/* The inside of a private key: shared among those who use it. */
#ifndef RPCKIT_TRUST_KEY_H
#define RPCKIT_TRUST_KEY_H

#include <rpckit/signer.h>

/* One more that calls rk_key_free().  NULL is allowed.  Any thread. */
struct rk_key *key_ref(struct rk_key *key);
/* Why the last signature with it failed; false if it did not.  Any thread. */
bool key_failure(const struct rk_key *key, struct rk_error *err);

#endif
