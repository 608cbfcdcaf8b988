/* The rule about certificates: one function for each thing that is asked. */
#ifndef RPCKIT_TRUST_CHAIN_RULE_H
#define RPCKIT_TRUST_CHAIN_RULE_H

#include "trust/chain_info.h"

#include <rpckit/cert.h>

struct x509_st;

/* A certificate that could be read, and what it is judged by. */
struct chain_case {
	struct x509_st *x;
	struct rk_bytes der;
	struct chain_reading read;
	struct x509_st *ca;
	const struct rk_cert_info *of_ca;
	bool revoked; /* it is on the CA's list */
	/* It was let through before: only what may change can be asked, from
	 * revoked, now, of_ca and read.info; the rest is empty. */
	bool known;
	int64_t now;
};

/* RK_OK, RK_ECERT or RK_EREVOKED; the reason goes behind a name.  `rule` is not
 * RK_CERT_READABLE. */
RK_MUST enum rk_err chain_rule_ask(
    const struct chain_case *c, enum rk_cert_rule rule, struct rk_error *err);
/* Can the answer about the same certificate and CA be another one later? */
RK_MUST bool chain_rule_may_change(enum rk_cert_rule rule);
/* Is it the certificate of a CA?  Its dates are not asked about. */
RK_MUST enum rk_err chain_rule_ask_ca(
    const struct chain_case *c, struct rk_error *err);
/* Its dates alone. */
RK_MUST enum rk_err chain_rule_ask_begun(
    int64_t not_before, int64_t now, struct rk_error *err);
RK_MUST enum rk_err chain_rule_ask_ended(
    int64_t not_after, int64_t now, struct rk_error *err);

#endif
