/* The inside of an identity, for the layers that present and check it. */
#ifndef RPCKIT_TRUST_IDENT_H
#define RPCKIT_TRUST_IDENT_H

#include <rpckit/key.h>

/* DER of my certificate, empty when I carry none; of the CA.  Borrowed for as
 * long as the identity lives. */
struct rk_bytes ident_cert_der(const struct rk_ident *id);
struct rk_bytes ident_ca_der(const struct rk_ident *id);
/* My key; NULL exactly when I carry no certificate. */
struct rk_key *ident_key(const struct rk_ident *id);

/* Keys that will follow mine; *n may be 0. */
const struct rk_next_key *ident_next(const struct rk_ident *id, size_t *n);

/* Whom I believe (trust/chain.h). */
struct chain_anchor;
const struct chain_anchor *ident_anchor(const struct rk_ident *id);
/* Read the revocation list again if its file changed, or came to be.  RK_EIO
 * when it was there and is gone, and the errors of loading it: then nobody can
 * be told from the revoked.  Any thread. */
RK_MUST enum rk_err ident_refresh(
    const struct rk_ident *id, int64_t now, struct rk_error *err);
/* Was a file named for one?  A number that grows each time it was read anew.
 * Any thread. */
bool ident_has_list(const struct rk_ident *id);
uint64_t ident_list_version(const struct rk_ident *id);

#endif
