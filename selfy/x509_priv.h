/* What the x509*.c files share; nobody else includes OpenSSL. */
#ifndef SELFY_X509_PRIV_H
#define SELFY_X509_PRIV_H

#include "x509.h"

#include <rpckit/signer.h>

#include <openssl/x509v3.h>

/* With the bytes as they were read, which are what peers judge. */
struct cert {
	X509 *x509;
	struct rk_bytes der; /* owned; empty while it is being made */
};

struct csr {
	X509_REQ *req;
};

struct crl {
	X509_CRL *crl;
	struct rk_bytes der; /* the same */
};

/* OpenSSL failed at something that only fails for lack of memory or a broken
 * installation: its queue is emptied. */
enum rk_err x509_fail(struct rk_error *err, const char *what);
/* The private key for OpenSSL, or one that nobody knows for a key that is
 * elsewhere: x509_sign_item() is due then.  NULL on failure. */
EVP_PKEY *x509_pkey(const struct rk_key *key);
/* In a certificate, request or list that such a key was to sign, *value of the
 * type `it`: put the signature in.  It is decoded anew with it, and NULL after
 * some failures.  Of a key that is here, nothing is done.  what: for messages.
 */
RK_MUST enum rk_err x509_sign_item(const struct rk_key *key,
    enum rk_sign_use use, const ASN1_ITEM *it, void **value, const char *what,
    struct rk_error *err);
/* What was written to the memory behind bio, appended to b; frees bio, which
 * may be NULL. */
enum rk_err x509_take_bio(BIO *bio, bool written, struct buf *b);
bool x509_set_cn(X509_NAME *name, const char *cn);
GENERAL_NAMES *x509_names(const struct sans *sans);
AUTHORITY_KEYID *x509_authority(const X509 *ca);

/* A copy; empty when there is no memory. */
struct rk_bytes x509_keep(const uint8_t *der, size_t len);
void x509_drop(struct rk_bytes *der);
int64_t x509_time(const ASN1_TIME *t);
void x509_serial_text(const ASN1_INTEGER *n, char *dst, size_t dst_len);
void x509_name_text(const X509_NAME *name, char *dst, size_t dst_len);
/* The last common name, escaped; "" when none. */
void x509_cn_text(const X509_NAME *name, char *dst, size_t dst_len);
void x509_names_text(const GENERAL_NAMES *names, char *dst, size_t dst_len);
/* Its name, and the bytes when it is Ed25519. */
bool x509_key_text(
    EVP_PKEY *key, char kind[64], uint8_t pub[RK_KEY_PUBLIC_LEN]);
void x509_key_fp(X509_PUBKEY *key, char fp[RK_FP_LEN]);
void x509_put_text(char *dst, size_t dst_len, const char *sep,
    const char *prefix, const char *text, size_t len);

#endif
