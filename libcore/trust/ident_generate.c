/* A new CA and certificates of it, for trying things out and for tests. */
#include <rpckit/key.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "trust/pem.h"

#define LIFE (30 * 86400) /* seconds */
#define SLACK 3600        /* of clocks */
#define SERIAL_LEN 16
#define NAME_LEN_MAX 48
#define CA_NAME "rpckit trial CA"

static bool
is_good_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
	                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                              "0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len <= NAME_LEN_MAX && name[0] != '.' &&
	       strspn(name, allowed) == len && strcmp(name, "ca") != 0;
}

/* What a certificate says and who signs it. */
struct recipe {
	const struct rk_key *key;
	const char *cn;
	const char *const (*exts)[2]; /* names and values; NULL ends */
	const char *sans;             /* NULL: none */
	X509 *issuer;                 /* NULL: itself */
	const struct rk_key *by;
};

static const char *const ca_exts[][2] = {
	{ "basicConstraints", "critical,CA:TRUE" },
	{ "keyUsage", "critical,keyCertSign,cRLSign" },
	{ "subjectKeyIdentifier", "hash" },
	{ NULL, NULL },
};

static const char *const leaf_exts[][2] = {
	{ "basicConstraints", "critical,CA:FALSE" },
	{ "keyUsage", "critical,digitalSignature" },
	{ "extendedKeyUsage", "clientAuth,serverAuth" },
	{ "subjectKeyIdentifier", "hash" },
	{ "authorityKeyIdentifier", "keyid" },
	{ NULL, NULL },
};

static bool
add_ext(X509 *x, X509 *issuer, const char *name, const char *value)
{
	X509_EXTENSION *ext = NULL;
	X509V3_CTX ctx;
	bool ok;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf(NULL, &ctx, name, value);
	ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool
add_exts(X509 *x, X509 *issuer, const struct recipe *how)
{
	for (size_t i = 0; how->exts[i][0] != NULL; i++) {
		if (!add_ext(x, issuer, how->exts[i][0], how->exts[i][1]))
			return false;
	}
	return how->sans == NULL ||
	       add_ext(x, issuer, "subjectAltName", how->sans);
}

static bool
set_fields(X509 *x, const struct recipe *how)
{
	X509_NAME *name = X509_get_subject_name(x);
	uint8_t serial[SERIAL_LEN];
	time_t now = time(NULL);

	/* Positive, and always of the same length. */
	rk_random(serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
	return X509_set_version(x, X509_VERSION_3) == 1 &&
	       ASN1_STRING_set(X509_get_serialNumber(x), serial, SERIAL_LEN) ==
	           1 &&
	       X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
	           (const uint8_t *)how->cn, -1, -1, 0) == 1 &&
	       ASN1_TIME_set(X509_getm_notBefore(x), now - SLACK) != NULL &&
	       ASN1_TIME_set(X509_getm_notAfter(x), now + LIFE) != NULL;
}

static bool
set_key(X509 *x, const struct rk_key *key)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	EVP_PKEY *pkey = NULL;
	bool ok;

	rk_key_public(key, pub);
	pkey = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, pub, sizeof(pub));
	ok = pkey != NULL && X509_set_pubkey(x, pkey) == 1;
	EVP_PKEY_free(pkey);
	return ok;
}

static bool
sign(X509 *x, const struct rk_key *key)
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, rk_key_seed(key), RK_KEY_SEED_LEN);
	bool ok = pkey != NULL && X509_sign(x, pkey, NULL) > 0;

	EVP_PKEY_free(pkey);
	return ok;
}

/* NULL: out of memory, which is all that can fail here. */
static X509 *
new_cert(const struct recipe *how)
{
	X509 *x = X509_new();
	X509 *issuer = how->issuer != NULL ? how->issuer : x;

	if (x != NULL && set_fields(x, how) && set_key(x, how->key) &&
	    X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1 &&
	    add_exts(x, issuer, how) && sign(x, how->by))
		return x;
	ERR_clear_error();
	X509_free(x);
	return NULL;
}

/* ---- files ---- */

static enum rk_err
write_file(const char *dir, const char *name, const char *suffix,
    const struct rk_secret *text, struct rk_error *err)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix);

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(err, RK_EINVAL, "path is too long");
	return fs_write_file(
	    path, rk_secret_peek(text), rk_secret_len(text), 0600, false, err);
}

static enum rk_err
write_cert(const char *dir, const char *name, X509 *x, struct rk_error *err)
{
	struct rk_secret *pem = NULL;
	uint8_t *der = NULL;
	int len = i2d_X509(x, &der);
	enum rk_err r = RK_ENOMEM;

	if (len > 0)
		r = pem_encode("CERTIFICATE", "", der, (size_t)len, &pem);
	if (r == RK_OK)
		r = write_file(dir, name, ".crt", pem, err);
	else
		(void)err_set(err, r, "%s", rk_err_text(r));
	rk_secret_free(pem);
	OPENSSL_free(der);
	return r;
}

static enum rk_err
write_key(const char *dir, const char *name, const struct rk_key *key,
    struct rk_error *err)
{
	struct rk_secret *pem = NULL;
	enum rk_err r = rk_key_format(key, RK_KEY_PKCS8, NULL, &pem);

	if (r == RK_OK)
		r = write_file(dir, name, ".key", pem, err);
	else
		(void)err_set(err, r, "%s", rk_err_text(r));
	rk_secret_free(pem);
	return r;
}

static enum rk_err
generate_ca(
    const char *dir, struct rk_key **key, X509 **ca, struct rk_error *err)
{
	struct recipe how = { .cn = CA_NAME, .exts = ca_exts };
	enum rk_err r;

	if ((r = rk_key_generate(key)) != RK_OK)
		return err_set(err, r, "%s", rk_err_text(r));
	how.key = how.by = *key;
	if ((*ca = new_cert(&how)) == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	return write_cert(dir, "ca", *ca, err);
}

static enum rk_err
generate_leaf(
    const char *dir, const char *name, struct recipe *how, struct rk_error *err)
{
	struct rk_key *key = NULL;
	X509 *x = NULL;
	char sans[160];
	enum rk_err r;

	if ((r = rk_key_generate(&key)) != RK_OK) {
		(void)err_set(err, r, "%s", rk_err_text(r));
		goto out;
	}
	(void)snprintf(sans, sizeof(sans),
	    "DNS:localhost,IP:127.0.0.1,email:%s@localhost", name);
	how->key = key;
	how->cn = name;
	how->sans = sans;
	if ((x = new_cert(how)) == NULL) {
		r = err_set(err, RK_ENOMEM, "out of memory");
		goto out;
	}
	if ((r = write_key(dir, name, key, err)) == RK_OK)
		r = write_cert(dir, name, x, err);
out:
	X509_free(x);
	rk_key_free(key);
	return r;
}

enum rk_err
rk_ident_generate(
    const char *dir, const char *const *names, size_t n, struct rk_error *err)
{
	struct recipe how = { .exts = leaf_exts };
	struct rk_key *key = NULL;
	X509 *ca = NULL;
	char shown[64];
	enum rk_err r;

	err_clear(err);
	for (size_t i = 0; i < n; i++) {
		if (!is_good_name(names[i]))
			return err_set(err, RK_EINVAL,
			    "\"%s\" cannot name a certificate here",
			    str_escape(shown, sizeof(shown), names[i]));
	}
	if ((r = generate_ca(dir, &key, &ca, err)) != RK_OK)
		goto out;
	how.issuer = ca;
	how.by = key;
	for (size_t i = 0; i < n && r == RK_OK; i++)
		r = generate_leaf(dir, names[i], &how, err);
out:
	X509_free(ca);
	rk_key_free(key);
	return r;
}
