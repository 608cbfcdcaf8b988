/* What an X.509 certificate says, as text that is safe to show. */
#ifndef RPCKIT_TRUST_CHAIN_INFO_H
#define RPCKIT_TRUST_CHAIN_INFO_H

#include <rpckit/key.h>

struct x509_st;
struct asn1_string_st;

struct chain_reading {
	struct rk_cert_info info;
	bool ed25519; /* the key is one; else info.pub and info.fp are empty */
	bool hostile; /* control bytes in a name or email, or a comma or a
	                 blank in an email */
};

/* RK_EFORMAT: a date or name that cannot be read; RK_ENOMEM. */
RK_MUST enum rk_err chain_info_read(
    const struct x509_st *x, struct chain_reading *out);
/* Seconds since 1970 of an ASN.1 time.  RK_EFORMAT. */
RK_MUST enum rk_err chain_info_time(
    const struct asn1_string_st *t, int64_t *sec);
/* Is this certificate or CRL (DER) signed with Ed25519 by the key? */
RK_MUST bool chain_info_signed(
    struct rk_bytes der, const uint8_t pub[RK_KEY_PUBLIC_LEN]);

#endif
