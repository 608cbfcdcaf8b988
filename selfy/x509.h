/* Certificates, requests and revocation lists; OpenSSL stays behind this. */
#ifndef SELFY_X509_H
#define SELFY_X509_H

#include "base/buf.h"
#include "names.h"

#include <rpckit/key.h>

/* Of any file that is read or written: a revocation list of nearly 4 MiB, which
 * is what peers take. */
#define PEM_MAX_BYTES (5 * 1024 * 1024)
#define PEM_MAX_ITEMS 256

struct cert;
struct csr;
struct crl;

enum pem_kind {
	PEM_CERT,
	PEM_CSR,
	PEM_CRL,
	PEM_KEY, /* a private key of any kind; its bytes are not kept */
	PEM_OTHER
};

struct pem_item {
	enum pem_kind kind;
	uint8_t *der;
	size_t len;
};

struct pem_list {
	struct pem_item *items;
	size_t n;
	bool more; /* there were more than PEM_MAX_ITEMS */
};

/* Every PEM block of a text; one DER certificate when there is no PEM in it.
 * RK_EFORMAT when nothing is found or a block is broken, RK_ENOMEM. */
RK_MUST enum rk_err pem_read(const char *name, const void *data, size_t len,
    struct pem_list *out, struct rk_error *err);
void pem_list_fini(struct pem_list *list);
/* Copy a block to the end of the list. */
RK_MUST enum rk_err pem_list_add(
    struct pem_list *list, enum pem_kind kind, const uint8_t *der, size_t len);

/* What a certificate says; all text escaped and cut to fit. */
struct cert_view {
	char cn[128];
	char subject[512];
	char issuer[512];
	char issuer_cn[128];
	char mail[512];      /* comma-joined */
	char names[2048];    /* "DNS:localhost, email:a@b, IP:127.0.0.1" */
	char usage[256];     /* "digital signature" ... */
	char ext_usage[256]; /* "client, server" ... */
	char serial[132];    /* lower-case hex */
	char key_kind[64];   /* "Ed25519" */
	char signature[64];
	int64_t not_before;
	int64_t not_after;
	bool is_ca;
	bool is_ed25519;
	uint8_t pub[RK_KEY_PUBLIC_LEN]; /* when is_ed25519 */
	char fp[RK_FP_LEN];             /* for every kind of key */
};

/* RK_EFORMAT, RK_ENOMEM; name stands for the source in messages. */
RK_MUST enum rk_err cert_decode(const char *name, const uint8_t *der,
    size_t len, struct cert **out, struct rk_error *err);
void cert_free(struct cert *c);
void cert_describe(const struct cert *c, struct cert_view *v);
RK_MUST enum rk_err cert_put_pem(const struct cert *c, struct buf *b);
/* Is the signature on c the CA's, and does c name it as its issuer? */
bool cert_is_signed_by(const struct cert *c, const struct cert *ca);
bool cert_is_same(const struct cert *a, const struct cert *b);

/* Who signs: the certificate and the key of the CA. */
struct signer {
	const struct cert *cert;
	const struct rk_key *key;
};

struct validity {
	int64_t from;
	int64_t to;
};

RK_MUST enum rk_err cert_new_ca(const struct rk_key *key, const char *cn,
    const struct validity *when, struct cert **out, struct rk_error *err);

struct leaf {
	const uint8_t *pub; /* RK_KEY_PUBLIC_LEN bytes */
	const char *cn;
	const struct sans *sans;
	const struct cert *like; /* or: subject and names of this one */
	struct validity when;
};

/* A certificate for a client and a server, signed, with a new serial. */
RK_MUST enum rk_err cert_new_leaf(const struct signer *ca,
    const struct leaf *leaf, struct cert **out, struct rk_error *err);

RK_MUST enum rk_err csr_new(const struct rk_key *key, const char *cn,
    const struct sans *sans, struct csr **out, struct rk_error *err);
/* Decoded, of an Ed25519 key that signed it.  RK_EFORMAT, RK_EUNSUPPORTED,
 * RK_ECERT (bad signature). */
RK_MUST enum rk_err csr_decode(const char *name, const uint8_t *der, size_t len,
    struct csr **out, struct rk_error *err);
void csr_free(struct csr *c);
RK_MUST enum rk_err csr_put_pem(const struct csr *c, struct buf *b);

/* What a request asks for, checked like what people type. */
struct csr_wish {
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char cn[CN_MAX * 4 + 1]; /* "" when none */
	struct sans sans;
	unsigned ignored; /* names and extensions that are not granted */
};

RK_MUST enum rk_err csr_read(
    const struct csr *c, struct csr_wish *w, struct rk_error *err);
/* Text of a request that need not be good. */
struct csr_view {
	char subject[512];
	char names[2048];
	char key_kind[64];
	char fp[RK_FP_LEN];
	bool is_signed;
};
/* RK_EFORMAT. */
RK_MUST enum rk_err csr_describe(const char *name, const uint8_t *der,
    size_t len, struct csr_view *v, struct rk_error *err);

#define SERIAL_MAX 20 /* bytes, RFC 5280 */

struct serial {
	uint8_t bytes[SERIAL_MAX];
	size_t len;
};

/* RK_EFORMAT: negative, zero or longer than RFC 5280 allows. */
RK_MUST enum rk_err cert_serial(const struct cert *c, struct serial *out);

struct crl_change {
	const struct crl *old;    /* entries and number go on from here */
	const struct serial *add; /* NULL: only a fresh date */
	struct validity when;
};

RK_MUST enum rk_err crl_new(const struct signer *ca,
    const struct crl_change *change, struct crl **out, struct rk_error *err);
RK_MUST enum rk_err crl_decode(const char *name, const uint8_t *der, size_t len,
    struct crl **out, struct rk_error *err);
void crl_free(struct crl *c);
RK_MUST enum rk_err crl_put_pem(const struct crl *c, struct buf *b);
/* Do peers take this as the CA's list, as it was read?  RK_ECERT. */
RK_MUST enum rk_err crl_check(const char *name, const struct crl *crl,
    const struct cert *ca, struct rk_error *err);
bool crl_has(const struct crl *c, const struct serial *serial);
/* The i-th entry's serial as hex; false beyond the last. */
bool crl_entry(const struct crl *c, size_t i, char serial[132], int64_t *when);

struct crl_view {
	char issuer[512];
	char number[132]; /* decimal or hex text; "" when none */
	int64_t this_update;
	int64_t next_update; /* 0: none */
	size_t entries;
};

void crl_describe(const struct crl *c, struct crl_view *v);

enum finding_state {
	FINDING_OK,
	FINDING_BAD,
	FINDING_SKIPPED
};

struct finding {
	const char *check;
	enum finding_state state;
	char text[160];
};

#define FINDINGS_MAX 12

/* What a certificate may be used for. */
enum cert_use {
	USE_NONE,
	USE_CLIENT,
	USE_SERVER,
	USE_BOTH
};

struct findings {
	enum cert_use use;
	size_t n;
	struct finding items[FINDINGS_MAX];
};

/* Every rule a peer is held to, one finding each; crl may be NULL. */
void cert_check(const struct cert *c, const struct cert *ca,
    const struct crl *crl, int64_t now, struct findings *out);
/* Do peers take ca as one, now: Ed25519, CA:TRUE, may sign, its dates?
 * RK_ECERT. */
RK_MUST enum rk_err cert_check_ca(
    const char *name, const struct cert *ca, int64_t now, struct rk_error *err);

/* The certificates a TLS 1.3 server shows, unverified; no longer than
 * timeout_ms.  RK_ERESOLVE, RK_ECONNECT, RK_ETIMEOUT, RK_ETLS. */
RK_MUST enum rk_err tls_fetch(const char *host, const char *port,
    unsigned timeout_ms, struct pem_list *out, struct rk_error *err);

#endif
