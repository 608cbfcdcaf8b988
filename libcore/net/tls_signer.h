/* Keys that are elsewhere, for OpenSSL: a provider that only signs. */
#ifndef RPCKIT_NET_TLS_SIGNER_H
#define RPCKIT_NET_TLS_SIGNER_H

#include <rpckit/signer.h>

struct evp_pkey_st;
struct ssl_ctx_st;

/* A context whose certificate may have such a key: it is of a library of its
 * own, so that nothing else in the process ever meets that provider.  NULL: the
 * reason is in the queue. */
struct ssl_ctx_st *tls_signer_ctx(void);
/* The key, for SSL_CTX_use_PrivateKey() of such a context.  Holds it.  NULL:
 * the reason is in the queue. */
struct evp_pkey_st *tls_signer_key(struct rk_key *key);
/* Is this entry of OpenSSL's queue a signature that could not be made?  Then
 * the code of rk_key_sign_for(), whose text is the entry's; else RK_OK. */
enum rk_err tls_signer_error(unsigned long entry);

#endif
