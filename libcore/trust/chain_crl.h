/* The CA's revocation list: checked once, asked often, never changed. */
#ifndef RPCKIT_TRUST_CHAIN_CRL_H
#define RPCKIT_TRUST_CHAIN_CRL_H

#include <rpckit/key.h>

struct x509_st;
struct asn1_string_st;
struct chain_crl;

/* The list (DER) of this CA, whose certificate says of_ca; name is the escaped
 * file name for messages.  RK_ECERT, RK_ENOMEM. */
RK_MUST enum rk_err chain_crl_new(struct x509_st *ca,
    const struct rk_cert_info *of_ca, struct rk_bytes der, const char *name,
    struct chain_crl **out, struct rk_error *err);
void chain_crl_free(struct chain_crl *list);
/* Log a warning when a newer list was due before `now`. */
void chain_crl_warn_if_old(
    const struct chain_crl *list, const char *name, int64_t now);
/* Is the serial number on it? */
RK_MUST bool chain_crl_has(
    const struct chain_crl *list, const struct asn1_string_st *serial);

#endif
