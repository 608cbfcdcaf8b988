/* A certificate shown in the PSK handshake, and the proof that it is one's own.
 */
#ifndef RPCKIT_NET_PSK_PROOF_H
#define RPCKIT_NET_PSK_PROOF_H

#include "net/noise.h"
#include "net/tls.h"

#include <rpckit/signer.h>

/* What one end tells the other about its certificate (rpckit-psk(7)). */
enum psk_verdict {
	PSK_VERDICT_OK,
	PSK_VERDICT_NO_CERT,  /* one is wanted, and none was shown */
	PSK_VERDICT_BAD_CERT, /* not acceptable, or not proven */
	PSK_VERDICT_REVOKED
};

/* In words: RK_OK, RK_ECERT, RK_EREVOKED. */
RK_MUST enum rk_err psk_verdict_explain(uint8_t verdict, struct rk_error *err);

struct psk_proof {
	bool server;          /* whose it is: neither can pass for the other */
	struct rk_bytes cert; /* empty: nothing is shown */
	const struct rk_key *key;
};

size_t psk_proof_len(const struct psk_proof *p);
/* out has psk_proof_len().  The errors of rk_key_sign_for(). */
RK_MUST enum rk_err psk_proof_make(const struct psk_proof *p,
    const uint8_t hash[NOISE_HASH_LEN], uint8_t *out, struct rk_error *err);

struct psk_judge {
	bool server; /* the peer is */
	bool asks;
	struct rk_bytes same_as; /* what TLS has proven; empty: nothing */
	tls_verify_fn *verify;
	void *arg;
};

/*
 * Is it well formed, and where a certificate is asked for, is there one that is
 * proven and acceptable?  Then *cert (malloc'ed) is it; what nobody asked for
 * is not kept.  *verdict is what the peer is to be told.  RK_ECERT, RK_EREVOKED
 * and others of verify, RK_EPROTO, RK_ENOMEM.
 */
RK_MUST enum rk_err psk_proof_judge(const struct psk_judge *j,
    const uint8_t *proof, size_t len, const uint8_t hash[NOISE_HASH_LEN],
    uint8_t *verdict, uint8_t **cert, size_t *cert_len, struct rk_error *err);

#endif
