/* Certificates for tests, made on the spot: a CA, leaves, CRLs, folders. */
#include "certs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define HOUR 3600
#define DAY 86400

static void
must(bool ok, const char *what)
{
	if (!ok) {
		(void)fprintf(stderr, "tests/lib/certs: %s failed\n", what);
		abort();
	}
}

static EVP_PKEY *
new_pkey(enum certs_key key)
{
	static const uint8_t weak[32] = { 1 }; /* the neutral element */
	EVP_PKEY *pkey = NULL;

	switch (key) {
	case CERTS_ED25519:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		break;
	case CERTS_P256:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
		break;
	case CERTS_RSA:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
		break;
	case CERTS_SMALL_ORDER:
		pkey = EVP_PKEY_new_raw_public_key(
		    EVP_PKEY_ED25519, NULL, weak, sizeof(weak));
		break;
	}
	must(pkey != NULL, "key generation");
	return pkey;
}

static void
add_ext(X509 *x, const X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext = NULL;

	X509V3_set_ctx(&ctx, (X509 *)(uintptr_t)issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(ext != NULL && X509_add_ext(x, ext, -1) == 1, value);
	X509_EXTENSION_free(ext);
}

static X509_EXTENSION *
strange_ext(void)
{
	static const uint8_t nul[2] = { 5, 0 };
	ASN1_OBJECT *obj = OBJ_txt2obj("1.3.6.1.4.1.55555.1", 1);
	ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
	X509_EXTENSION *ext = NULL;

	must(obj != NULL && data != NULL, "extension");
	must(ASN1_OCTET_STRING_set(data, nul, sizeof(nul)) == 1, "extension");
	ext = X509_EXTENSION_create_by_OBJ(NULL, obj, 1, data);
	must(ext != NULL, "extension");
	ASN1_OBJECT_free(obj);
	ASN1_OCTET_STRING_free(data);
	return ext;
}

static void
add_name(GENERAL_NAMES *names, int type, const void *data, size_t len)
{
	GENERAL_NAME *gn = GENERAL_NAME_new();
	ASN1_STRING *s =
	    type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

	must(gn != NULL && s != NULL, "general name");
	must(ASN1_STRING_set(s, data, (int)len) == 1, "general name");
	GENERAL_NAME_set0_value(gn, type, s);
	must(sk_GENERAL_NAME_push(names, gn) > 0, "general name");
}

static void
add_san(X509 *x, const struct certs_opts *opts)
{
	static const uint8_t ip[4] = { 127, 0, 0, 1 };
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	size_t i;

	must(names != NULL, "general names");
	add_name(names, GEN_DNS, "localhost", 9);
	for (i = 0; i < opts->n_emails; i++)
		add_name(
		    names, GEN_EMAIL, opts->emails[i].ptr, opts->emails[i].len);
	add_name(names, GEN_IPADD, ip, sizeof(ip));
	must(X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1,
	    "subjectAltName");
	GENERAL_NAMES_free(names);
}

static void
set_fields(X509 *x, const struct certs_opts *opts)
{
	int64_t now = (int64_t)time(NULL);
	X509_NAME *name = X509_get_subject_name(x);
	const char *cn = opts->cn != NULL ? opts->cn : "test";
	int64_t from = opts->not_before != 0 ? opts->not_before : now - HOUR;
	int64_t to = opts->not_after != 0 ? opts->not_after : now + DAY;

	must(X509_set_version(x, X509_VERSION_3) == 1, "version");
	must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x),
	         opts->serial != 0 ? opts->serial : 2) == 1,
	    "serial");
	must(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
	         (const uint8_t *)"MyOrg", -1, -1, 0) == 1,
	    "name");
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
	         (const uint8_t *)cn, -1, -1, 0) == 1,
	    "name");
	must(ASN1_TIME_set(X509_getm_notBefore(x), from) != NULL, "date");
	must(ASN1_TIME_set(X509_getm_notAfter(x), to) != NULL, "date");
}

static void
add_exts(X509 *x, const X509 *issuer, const struct certs_opts *opts)
{
	X509_EXTENSION *ext = NULL;

	if (opts->ca) {
		add_ext(x, issuer, NID_basic_constraints, "critical,CA:TRUE");
		add_ext(x, issuer, NID_subject_key_identifier, "hash");
	} else {
		add_san(x, opts);
	}
	if (opts->usage != NULL)
		add_ext(x, issuer, NID_key_usage, opts->usage);
	if (opts->ext_usage != NULL)
		add_ext(x, issuer, NID_ext_key_usage, opts->ext_usage);
	if (opts->strange_critical) {
		ext = strange_ext();
		must(X509_add_ext(x, ext, -1) == 1, "extension");
		X509_EXTENSION_free(ext);
	}
}

static void
flip_signature_bit(X509 *x)
{
	const ASN1_BIT_STRING *sig = NULL;

	X509_get0_signature(&sig, NULL, x);
	((uint8_t *)(uintptr_t)ASN1_STRING_get0_data(sig))[7] ^= 1;
}

static char *
bio_text(BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);
	char *text = malloc((size_t)len + 1);

	must(text != NULL && len > 0, "PEM");
	memcpy(text, data, (size_t)len);
	text[len] = '\0';
	BIO_free(bio);
	return text;
}

static void export(struct certs_cert *c, enum certs_key key)
{
	size_t len = sizeof(c->pub);
	uint8_t *der = NULL;
	int n = i2d_X509(c->x509, &der);
	BIO *bio = BIO_new(BIO_s_mem());

	must(n > 0 && bio != NULL, "encoding");
	c->der = (struct rk_bytes){ der, (size_t)n };
	must(PEM_write_bio_X509(bio, c->x509) == 1, "PEM");
	c->pem = bio_text(bio);
	if (key == CERTS_ED25519 || key == CERTS_SMALL_ORDER)
		must(EVP_PKEY_get_raw_public_key(c->pkey, c->pub, &len) == 1,
		    "public key");
	if (key == CERTS_SMALL_ORDER)
		return;
	bio = BIO_new(BIO_s_mem());
	must(bio != NULL && PEM_write_bio_PKCS8PrivateKey(
	                        bio, c->pkey, NULL, NULL, 0, NULL, NULL) == 1,
	    "PEM");
	c->key_pem = bio_text(bio);
}

struct certs_cert *
certs_new(const struct certs_cert *issuer, const struct certs_opts *opts)
{
	struct certs_cert *c = calloc(1, sizeof(*c));
	const struct certs_cert *by = issuer != NULL ? issuer : c;
	const EVP_MD *md = NULL;

	must(c != NULL, "memory");
	c->pkey = new_pkey(opts->key);
	c->x509 = X509_new();
	must(c->x509 != NULL, "memory");
	set_fields(c->x509, opts);
	must(
	    X509_set_issuer_name(c->x509, X509_get_subject_name(by->x509)) == 1,
	    "issuer");
	must(X509_set_pubkey(c->x509, c->pkey) == 1, "key");
	add_exts(c->x509, by->x509, opts);
	if (EVP_PKEY_get_id(by->pkey) != EVP_PKEY_ED25519)
		md = EVP_sha256();
	must(X509_sign(c->x509, by->pkey, md) > 0, "signing");
	if (opts->garbled)
		flip_signature_bit(c->x509);
	export(c, opts->key);
	return c;
}

struct certs_cert *
certs_new_ca(const char *cn)
{
	return certs_new(NULL, &(struct certs_opts){
	                           .cn = cn,
	                           .ca = true,
	                           .serial = 1,
	                           .usage = "critical,keyCertSign,cRLSign",
	                           .ext_usage = "anyExtendedKeyUsage",
	                       });
}

struct certs_cert *
certs_new_leaf(const struct certs_cert *ca, const char *cn, const char *email)
{
	static uint64_t serial = 1;
	struct rk_str one = { email, email != NULL ? strlen(email) : 0 };

	serial++;
	return certs_new(
	    ca, &(struct certs_opts){
	            .cn = cn,
	            .emails = &one,
	            .n_emails = email != NULL ? 1 : 0,
	            .serial = serial,
	            .usage = "critical,digitalSignature,keyEncipherment",
	            .ext_usage = "clientAuth,serverAuth",
	        });
}

void
certs_free(struct certs_cert *c)
{
	if (c == NULL)
		return;
	X509_free(c->x509);
	EVP_PKEY_free(c->pkey);
	OPENSSL_free((void *)(uintptr_t)c->der.ptr);
	free(c->pem);
	free(c->key_pem);
	free(c);
}

static void
add_revoked(X509_CRL *crl, uint64_t serial, int64_t when)
{
	X509_REVOKED *rev = X509_REVOKED_new();
	ASN1_INTEGER *num = ASN1_INTEGER_new();
	ASN1_TIME *date = ASN1_TIME_set(NULL, when);

	must(rev != NULL && num != NULL && date != NULL, "revocation");
	must(ASN1_INTEGER_set_uint64(num, serial) == 1, "revocation");
	must(X509_REVOKED_set_serialNumber(rev, num) == 1, "revocation");
	must(X509_REVOKED_set_revocationDate(rev, date) == 1, "revocation");
	must(X509_CRL_add0_revoked(crl, rev) == 1, "revocation");
	ASN1_INTEGER_free(num);
	ASN1_TIME_free(date);
}

char *
certs_new_crl(const struct certs_cert *ca, const struct certs_crl *opts)
{
	int64_t now = (int64_t)time(NULL);
	int64_t from = opts->last_update != 0 ? opts->last_update : now - HOUR;
	int64_t to = opts->next_update != 0 ? opts->next_update : now + DAY;
	const struct certs_cert *signer =
	    opts->signer != NULL ? opts->signer : ca;
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *last = ASN1_TIME_set(NULL, from);
	ASN1_TIME *next = ASN1_TIME_set(NULL, to);
	X509_EXTENSION *ext = NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	size_t i;

	must(crl != NULL && last != NULL && next != NULL && bio != NULL, "CRL");
	must(X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1, "CRL");
	must(
	    X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->x509)) == 1,
	    "CRL");
	must(X509_CRL_set1_lastUpdate(crl, last) == 1, "CRL");
	must(X509_CRL_set1_nextUpdate(crl, next) == 1, "CRL");
	for (i = 0; i < opts->n; i++)
		add_revoked(crl, opts->serials[i], from);
	if (opts->strange_critical) {
		ext = strange_ext();
		must(X509_CRL_add_ext(crl, ext, -1) == 1, "CRL");
		X509_EXTENSION_free(ext);
	}
	must(X509_CRL_sign(crl, signer->pkey, NULL) > 0, "CRL");
	must(PEM_write_bio_X509_CRL(bio, crl) == 1, "CRL");
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
	X509_CRL_free(crl);
	return bio_text(bio);
}

static void
join(char out[512], const char *dir, const char *name)
{
	int n = snprintf(out, 512, "%s/%s", dir, name);

	must(n > 0 && n < 512, "path");
}

void
certs_make_tmp(char dir[256])
{
	const char *base = getenv("TEST_TMP");
	int n;

	n = snprintf(dir, 256, "%s/rpckit-XXXXXX",
	    base != NULL && base[0] != '\0' ? base : "/tmp");
	must(n > 0 && n < 256 && mkdtemp(dir) != NULL, "mkdtemp");
}

void
certs_remove_tmp(const char *dir)
{
	char path[512];
	DIR *d = opendir(dir);
	const struct dirent *e = NULL;
	struct stat st;

	must(d != NULL, "opendir");
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		join(path, dir, e->d_name);
		must(lstat(path, &st) == 0, "lstat");
		if (S_ISDIR(st.st_mode))
			certs_remove_tmp(path);
		else
			must(unlink(path) == 0, "unlink");
	}
	(void)closedir(d);
	must(rmdir(dir) == 0, "rmdir");
}

void
certs_write(const char *dir, const char *name, const char *text, mode_t mode)
{
	char path[512];
	size_t len = strlen(text);
	int fd;

	join(path, dir, name);
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(fd >= 0, path);
	must(write(fd, text, len) == (ssize_t)len, path);
	must(fchmod(fd, mode) == 0, path);
	must(close(fd) == 0, path);
}

void
certs_fill_from(const struct certs_cert *ca, const char *dir)
{
	struct certs_cert *node =
	    certs_new_leaf(ca, "node", "node@example.org");
	struct certs_cert *client =
	    certs_new_leaf(ca, "client", "client@example.org");

	certs_write(dir, "ca.crt", ca->pem, 0600);
	certs_write(dir, "node.crt", node->pem, 0600);
	certs_write(dir, "node.key", node->key_pem, 0600);
	certs_write(dir, "client.crt", client->pem, 0600);
	certs_write(dir, "client.key", client->key_pem, 0600);
	certs_free(client);
	certs_free(node);
}

void
certs_fill(const char *dir)
{
	struct certs_cert *ca = certs_new_ca("test CA");

	certs_fill_from(ca, dir);
	certs_write(dir, "ca.key", ca->key_pem, 0600);
	certs_free(ca);
}
