/* What an end of TLS shows and wants to see, whichever library does TLS. */
#ifndef RPCKIT_NET_TLS_CERT_H
#define RPCKIT_NET_TLS_CERT_H

#include "net/tls.h"

struct stack_st_X509;

/* Does this end want to see the other's certificate?  Show one? */
bool tls_asks_peer(const struct tls_conf *conf);
bool tls_shows_cert(const struct tls_conf *conf);
/* Who judges sessions that are to be resumed; NULL: nobody is asked. */
tls_verify_fn *tls_resume_fn(const struct tls_conf *conf);

/* The certificate and its key, in the forms every library takes. */
struct tls_cert {
	uint8_t *der;
	size_t len;
	struct rk_key *remote;         /* it is elsewhere (tls_signer.h) */
	uint8_t seed[RK_KEY_SEED_LEN]; /* or the RFC 8032 private key */
};

/* Will that be a key that is elsewhere?  Borrowed; NULL: no. */
struct rk_key *tls_cert_remote(const struct tls_conf *conf);

/*
 * What conf says; a server of RK_TLS_SKIP_VERIFY that has none gets one for a
 * while.  Empty when this end shows none.  RK_EINVAL, RK_ENOMEM, RK_ETLS.
 */
RK_MUST enum rk_err tls_cert_init(
    struct tls_cert *c, const struct tls_conf *conf, struct rk_error *err);
void tls_cert_fini(struct tls_cert *c); /* wipes */

/* Ask for a verdict about a chain of any length; refused gets a text, whatever
 * the function gave.  The code is the verdict's. */
RK_MUST enum rk_err tls_judge(tls_verify_fn *verify, void *arg,
    const struct rk_bytes *certs, size_t n, struct rk_error *refused);
RK_MUST enum rk_err tls_judge_x509(tls_verify_fn *verify, void *arg,
    struct stack_st_X509 *chain, struct rk_error *refused);

#endif
