/* The one rule about certificates (rpckit-trust(7)), for TLS of every kind. */
#ifndef RPCKIT_TRUST_CHAIN_H
#define RPCKIT_TRUST_CHAIN_H

#include <rpckit/cert.h>

enum chain_usage {
	CHAIN_SERVER, /* the peer is a server: serverAuth */
	CHAIN_CLIENT
};

#define CHAIN_CERTS_MAX 4
#define CHAIN_CERT_LEN_MAX 16384
#define CHAIN_CRL_LEN_MAX (4 * 1024 * 1024)

/*
 * Is the peer's chain (DER, leaf first) one that id's CA stands behind at
 * `now` (seconds since 1970) for this use?  Signed by the CA itself, dates,
 * key usage, extended key usage, an Ed25519 key that is no weak point, not on
 * the CRL, whose file is read again when it changed.  On RK_OK *info tells who;
 * otherwise RK_ECERT or RK_EREVOKED with the reason, and *info holds what could
 * be read; or ident_refresh()'s code when the CRL cannot be relied on.  Proves
 * nothing about possession of the key: that is the handshake's.  Any thread.
 *
 * Of a leaf that came alone and was let through the anchor remembers what
 * cannot change; dates and CRL are judged each time.
 */
RK_MUST enum rk_err chain_check(const struct rk_ident *id,
    const struct rk_bytes *certs, size_t n, enum chain_usage usage, int64_t now,
    struct rk_cert_info *info, struct rk_error *err);
/* What chain_check() said of a leaf that it has let through for this use some
 * time ago, perhaps not now.  False: it is not remembered.  Any thread. */
RK_MUST bool chain_recall(const struct rk_ident *id, struct rk_bytes leaf,
    enum chain_usage usage, struct rk_cert_info *info);
/* Is a leaf that was let through on the revocation list, as that was read last?
 * True also where that cannot be told.  Any thread. */
RK_MUST bool chain_is_listed(
    const struct rk_ident *id, struct rk_bytes leaf, enum chain_usage usage);
/* Certificates that were let through for this use lately and are on the list
 * now, unless another of the same key is not.  What is not remembered is not
 * told.  Any thread. */
typedef void chain_listed_fn(const struct rk_cert_info *info, void *arg);
void chain_each_listed(const struct rk_ident *id, enum chain_usage usage,
    chain_listed_fn *fn, void *arg);
/* Is the certificate of this CA (its common name) with this number (hex) on the
 * list?  Any thread. */
RK_MUST bool chain_lists_serial(
    const struct rk_ident *id, const char *issuer_cn, const char *serial);
/* What a certificate says, unchecked.  RK_EFORMAT, RK_EUNSUPPORTED. */
RK_MUST enum rk_err chain_describe(
    struct rk_bytes cert, struct rk_cert_info *info, struct rk_error *err);

/*
 * The CA and its CRL, checked once and asked often.  Only the CRL can change,
 * while others ask.  name is the escaped file name for messages.
 */
struct chain_anchor;

/* The certificate of a CA (DER), whatever its dates.  RK_ECERT, RK_ENOMEM. */
RK_MUST enum rk_err chain_anchor_new(struct rk_bytes ca, const char *name,
    struct chain_anchor **out, struct rk_error *err);
/* Its dates.  RK_ECERT. */
RK_MUST enum rk_err chain_anchor_check_begin(const struct chain_anchor *a,
    const char *name, int64_t now, struct rk_error *err);
RK_MUST enum rk_err chain_anchor_check_end(const struct chain_anchor *a,
    const char *name, int64_t now, struct rk_error *err);
/* Its CRL (DER), instead of the one before; an error leaves that.  What an
 * outdated one lists still counts; a warning is logged.  RK_ECERT, RK_ENOMEM.
 * Any thread. */
RK_MUST enum rk_err chain_anchor_set_crl(struct chain_anchor *a,
    struct rk_bytes crl, const char *name, int64_t now, struct rk_error *err);
/* The same without the warning. */
RK_MUST enum rk_err chain_anchor_use_crl(struct chain_anchor *a,
    struct rk_bytes crl, const char *name, struct rk_error *err);
/* My own certificate: as chain_check(), but for any use, and one that is
 * revoked or begins later is a warning in the log. */
RK_MUST enum rk_err chain_anchor_check_own(const struct chain_anchor *a,
    struct rk_bytes cert, const char *name, int64_t now,
    struct rk_cert_info *info, struct rk_error *err);
/* Every rule that chain_check() asks, for both uses, with its answer. */
void chain_anchor_report(const struct chain_anchor *a, struct rk_bytes cert,
    int64_t now, struct rk_cert_report *out);
void chain_anchor_free(struct chain_anchor *a);

#endif
