/* Certificates for tests, made on the spot: a CA, leaves, CRLs, folders. */
#ifndef TESTS_LIB_CERTS_H
#define TESTS_LIB_CERTS_H

#include <rpckit/key.h>

#include <sys/types.h>

/* Everything here ends the program when it fails: it is for tests. */

enum certs_key {
	CERTS_ED25519,
	CERTS_P256,
	CERTS_RSA,
	CERTS_SMALL_ORDER /* an Ed25519 public key that is a weak point */
};

/* How a certificate is to be; {0} is a good Ed25519 certificate for one day
 * without email, extended key usage or key usage. */
struct certs_opts {
	const char *cn;              /* NULL: "test" */
	const struct rk_str *emails; /* rfc822Names, any bytes */
	size_t n_emails;
	enum certs_key key;
	bool ca;
	const char *usage;     /* "critical,digitalSignature" */
	const char *ext_usage; /* "serverAuth,clientAuth" */
	int64_t not_before;    /* 0: an hour ago */
	int64_t not_after;     /* 0: in a day */
	uint64_t serial;       /* 0: 2 */
	bool strange_critical; /* add a critical extension nobody knows */
	bool garbled;          /* flip a bit of the signature */
};

struct certs_cert {
	struct x509_st *x509;
	struct evp_pkey_st *pkey;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_bytes der;
	char *pem;
	char *key_pem; /* PKCS#8, not encrypted */
};

/* issuer NULL: self-signed. */
struct certs_cert *certs_new(
    const struct certs_cert *issuer, const struct certs_opts *opts);
/* A CA with everything right, and a leaf like those of selfy. */
struct certs_cert *certs_new_ca(const char *cn);
struct certs_cert *certs_new_leaf(
    const struct certs_cert *ca, const char *cn, const char *email);
void certs_free(struct certs_cert *c);

struct certs_crl {
	const uint64_t *serials;
	size_t n;
	int64_t last_update;             /* 0: an hour ago */
	int64_t next_update;             /* 0: in a day */
	const struct certs_cert *signer; /* NULL: the CA */
	bool strange_critical;
};

/* The CA's revocation list as PEM; free() it. */
char *certs_new_crl(const struct certs_cert *ca, const struct certs_crl *opts);

/* A new folder under $TEST_TMP or /tmp, and its removal with all in it. */
void certs_make_tmp(char dir[256]);
void certs_remove_tmp(const char *dir);
/* dir/name with this text and mode; an old file is replaced. */
void certs_write(
    const char *dir, const char *name, const char *text, mode_t mode);
/*
 * ca.crt ca.key node.crt node.key client.crt client.key in dir, of a new CA;
 * emails are node@example.org and client@example.org.
 */
void certs_fill(const char *dir);
/* The same of this CA, without ca.key. */
void certs_fill_from(const struct certs_cert *ca, const char *dir);

#endif
