/* Encrypted PKCS#8 as OpenSSL writes it: PBES2 (RFC 8018, RFC 7914). */
#include "trust/keyfile.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/error.h"
#include "trust/der.h"

#define KEY_MAX 32
#define IV_MAX 16
#define SCRYPT_BYTES_MAX ((uint64_t)KEYFILE_KIB_MAX * 1024)
#define OUT_LEN_MAX 65536
/* What we write. */
#define NEW_ITERATIONS 600000
#define NEW_SALT_LEN 16
#define NEW_SEALED_MAX 128
#define NEW_DER_MAX 512

struct oid {
	size_t len;
	uint8_t bytes[10];
};

static const struct oid oid_pbes2 = { 9,
	{ 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d } };
static const struct oid oid_pbkdf2 = { 9,
	{ 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c } };
static const struct oid oid_scrypt = { 9,
	{ 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b } };

static const struct oid oid_sha256 = { 8,
	{ 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09 } };
static const struct oid oid_aes256 = { 9,
	{ 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a } };

static const struct hash {
	struct oid oid;
	const char *name;
} hashes[] = {
	{ { 8, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x07 } }, "SHA1" },
	{ { 8, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x08 } }, "SHA224" },
	{ { 8, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09 } }, "SHA256" },
	{ { 8, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x0a } }, "SHA384" },
	{ { 8, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x0b } }, "SHA512" },
};

static const struct cipher {
	struct oid oid;
	const char *name;
	size_t key_len;
	size_t block_len;
} ciphers[] = {
	{ { 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02 } },
	    "AES-128-CBC", 16, 16 },
	{ { 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x16 } },
	    "AES-192-CBC", 24, 16 },
	{ { 9, { 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a } },
	    "AES-256-CBC", 32, 16 },
	{ { 8, { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07 } },
	    "DES-EDE3-CBC", 24, 8 },
};

static bool
oid_is(struct rk_bytes b, const struct oid *oid)
{
	return b.len == oid->len && memcmp(b.ptr, oid->bytes, b.len) == 0;
}

/* SEQUENCE { OID, parameters }, parameters being the rest of it. */
static enum rk_err
take_algorithm(
    struct rk_bytes *in, struct rk_bytes *oid, struct rk_bytes *params)
{
	if (der_take(in, DER_SEQUENCE, params) != RK_OK)
		return RK_EFORMAT;
	return der_take(params, DER_OID, oid);
}

/* The end of a KDF's parameters: a key length that must be the cipher's. */
static enum rk_err
take_key_len(struct rk_bytes *in, size_t key_len)
{
	uint64_t len;

	if (!der_is(in, DER_INTEGER))
		return RK_OK;
	if (der_take_uint(in, &len) != RK_OK || len != key_len)
		return RK_EFORMAT;
	return RK_OK;
}

static enum rk_err
read_cipher(struct rk_bytes *in, struct keyfile_pbes2 *out)
{
	struct rk_bytes oid;
	struct rk_bytes params;
	size_t i;

	if (take_algorithm(in, &oid, &params) != RK_OK)
		return RK_EFORMAT;
	for (i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		const struct cipher *c = &ciphers[i];

		if (!oid_is(oid, &c->oid))
			continue;
		out->cipher = c->name;
		out->key_len = c->key_len;
		if (der_take(&params, DER_OCTET_STRING, &out->iv) != RK_OK ||
		    params.len != 0 || out->iv.len != c->block_len ||
		    out->sealed.len % c->block_len != 0)
			return RK_EFORMAT;
		return RK_OK;
	}
	return RK_EUNSUPPORTED;
}

static enum rk_err
read_hash(struct rk_bytes *in, struct keyfile_pbes2 *out)
{
	struct rk_bytes oid;
	struct rk_bytes params;
	size_t i;

	out->hash = "SHA1"; /* the default of RFC 8018 */
	if (in->len == 0)
		return RK_OK;
	if (take_algorithm(in, &oid, &params) != RK_OK || in->len != 0)
		return RK_EFORMAT;
	for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (oid_is(oid, &hashes[i].oid)) {
			out->hash = hashes[i].name;
			return RK_OK;
		}
	}
	return RK_EUNSUPPORTED;
}

static enum rk_err
read_pbkdf2(struct rk_bytes params, struct keyfile_pbes2 *out)
{
	struct rk_bytes in;
	enum rk_err r;

	out->kdf = KEYFILE_PBKDF2;
	if (der_take(&params, DER_SEQUENCE, &in) != RK_OK || params.len != 0 ||
	    der_take(&in, DER_OCTET_STRING, &out->salt) != RK_OK ||
	    der_take_uint(&in, &out->iterations) != RK_OK)
		return RK_EFORMAT;
	if ((r = take_key_len(&in, out->key_len)) != RK_OK)
		return r;
	if ((r = read_hash(&in, out)) != RK_OK)
		return r;
	if (out->iterations == 0)
		return RK_EFORMAT;
	return out->iterations > KEYFILE_ITERATIONS_MAX ? RK_ELIMIT : RK_OK;
}

static enum rk_err
read_scrypt(struct rk_bytes params, struct keyfile_pbes2 *out)
{
	struct rk_bytes in;

	out->kdf = KEYFILE_SCRYPT;
	if (der_take(&params, DER_SEQUENCE, &in) != RK_OK || params.len != 0 ||
	    der_take(&in, DER_OCTET_STRING, &out->salt) != RK_OK ||
	    der_take_uint(&in, &out->n) != RK_OK ||
	    der_take_uint(&in, &out->r) != RK_OK ||
	    der_take_uint(&in, &out->p) != RK_OK ||
	    take_key_len(&in, out->key_len) != RK_OK || in.len != 0)
		return RK_EFORMAT;
	if (out->n < 2 || (out->n & (out->n - 1)) != 0 || out->r == 0 ||
	    out->p == 0)
		return RK_EFORMAT;
	if (out->p > KEYFILE_PASSES_MAX || out->n > SCRYPT_BYTES_MAX / 128 ||
	    out->r > SCRYPT_BYTES_MAX / 128 / out->n)
		return RK_ELIMIT;
	return RK_OK;
}

static enum rk_err
read_params(struct rk_bytes der, struct keyfile_pbes2 *out)
{
	struct rk_bytes info;
	struct rk_bytes oid;
	struct rk_bytes params;
	struct rk_bytes both;
	struct rk_bytes kdf;
	enum rk_err r;

	if (der_take(&der, DER_SEQUENCE, &info) != RK_OK || der.len != 0 ||
	    take_algorithm(&info, &oid, &params) != RK_OK ||
	    der_take(&info, DER_OCTET_STRING, &out->sealed) != RK_OK ||
	    info.len != 0 || out->sealed.len == 0 ||
	    out->sealed.len > OUT_LEN_MAX)
		return RK_EFORMAT;
	if (!oid_is(oid, &oid_pbes2))
		return RK_EUNSUPPORTED;
	if (der_take(&params, DER_SEQUENCE, &both) != RK_OK ||
	    params.len != 0 || take_algorithm(&both, &oid, &kdf) != RK_OK)
		return RK_EFORMAT;
	/* The cipher comes second, but says how long the key is. */
	if ((r = read_cipher(&both, out)) != RK_OK)
		return r;
	if (both.len != 0)
		return RK_EFORMAT;
	r = RK_EUNSUPPORTED;
	if (oid_is(oid, &oid_pbkdf2))
		r = read_pbkdf2(kdf, out);
	else if (oid_is(oid, &oid_scrypt))
		r = read_scrypt(kdf, out);
	if (r == RK_OK && out->salt.len > KEYFILE_SALT_MAX)
		r = RK_ELIMIT;
	return r;
}

enum rk_err
keyfile_pbes2_params(struct rk_bytes der, struct keyfile_pbes2 *out,
    const char *name, struct rk_error *err)
{
	enum rk_err r;

	*out = (struct keyfile_pbes2){ 0 };
	r = read_params(der, out);
	if (r == RK_ELIMIT)
		return err_set(err, r,
		    "%s: its key derivation asks for more than is done "
		    "(1 GiB, 16 passes, %u iterations)",
		    name, KEYFILE_ITERATIONS_MAX);
	if (r == RK_EUNSUPPORTED)
		return err_set(err, r,
		    "%s: encrypted in a way that is not supported", name);
	if (r != RK_OK)
		return err_set(err, r, "%s: damaged encrypted key", name);
	return RK_OK;
}

static enum rk_err
derive(const struct keyfile_pbes2 *p, const struct rk_secret *pass,
    uint8_t key[KEY_MAX])
{
	const char *text = (const char *)rk_secret_peek(pass);
	size_t len = rk_secret_len(pass);
	const EVP_MD *md = NULL;

	if (len > KEYFILE_PASS_MAX)
		return RK_EPASS;
	if (p->kdf == KEYFILE_SCRYPT)
		return EVP_PBE_scrypt(text, len, p->salt.ptr, p->salt.len, p->n,
		           p->r, p->p, 2 * SCRYPT_BYTES_MAX, key,
		           p->key_len) == 1
		           ? RK_OK
		           : RK_ENOMEM;
	md = EVP_get_digestbyname(p->hash);
	if (md == NULL)
		return RK_EUNSUPPORTED;
	return PKCS5_PBKDF2_HMAC(text, (int)len, p->salt.ptr, (int)p->salt.len,
	           (int)p->iterations, md, (int)p->key_len, key) == 1
	           ? RK_OK
	           : RK_ENOMEM;
}

enum rk_err
keyfile_pbes2_open(const struct keyfile_pbes2 *params,
    const struct rk_secret *pass, struct rk_secret **plain)
{
	const EVP_CIPHER *cipher = EVP_get_cipherbyname(params->cipher);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t key[KEY_MAX] = { 0 };
	struct rk_secret *s = NULL;
	uint8_t *out = NULL;
	int n = 0;
	int end = 0;
	enum rk_err r = RK_ENOMEM;

	*plain = NULL;
	if (ctx == NULL || cipher == NULL)
		goto out;
	r = rk_secret_new(params->sealed.len + EVP_MAX_BLOCK_LENGTH, &s);
	if (r != RK_OK)
		goto out;
	if ((r = derive(params, pass, key)) != RK_OK)
		goto out;
	out = rk_secret_data(s);
	r = RK_ENOMEM;
	if (EVP_DecryptInit_ex(ctx, cipher, NULL, key, params->iv.ptr) != 1 ||
	    EVP_DecryptUpdate(
	        ctx, out, &n, params->sealed.ptr, (int)params->sealed.len) != 1)
		goto out;
	r = RK_EPASS; /* there is no tag: the padding is the first hint */
	if (EVP_DecryptFinal_ex(ctx, out + n, &end) != 1)
		goto out;
	rk_secret_trim(s, (size_t)n + (size_t)end);
	*plain = s;
	s = NULL;
	r = RK_OK;
out:
	rk_secret_free(s);
	rk_wipe(key, sizeof(key));
	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

static enum rk_err
encrypt(const uint8_t key[KEY_MAX], const uint8_t *iv,
    const struct rk_secret *plain, uint8_t out[NEW_SEALED_MAX], size_t *out_len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	enum rk_err r = RK_ENOMEM;
	int n = 0;
	int end = 0;

	if (ctx == NULL ||
	    EVP_EncryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv) != 1 ||
	    EVP_EncryptUpdate(ctx, out, &n, rk_secret_peek(plain),
	        (int)rk_secret_len(plain)) != 1 ||
	    EVP_EncryptFinal_ex(ctx, out + n, &end) != 1)
		goto out;
	*out_len = (size_t)n + (size_t)end;
	r = RK_OK;
out:
	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

static void
put_oid(struct der_out *o, const struct oid *oid)
{
	der_put(o, DER_OID, oid->bytes, oid->len);
}

/* The EncryptedPrivateKeyInfo, from its end to its start. */
static void
put_info(struct der_out *o, const struct keyfile_pbes2 *p)
{
	static const uint8_t iterations[] = { NEW_ITERATIONS >> 16,
		NEW_ITERATIONS >> 8 & 0xff, NEW_ITERATIONS & 0xff };
	size_t all = o->at;
	size_t algorithm;
	size_t kdf;

	der_put(o, DER_OCTET_STRING, p->sealed.ptr, p->sealed.len);
	algorithm = o->at;
	der_put(o, DER_OCTET_STRING, p->iv.ptr, p->iv.len);
	put_oid(o, &oid_aes256);
	der_wrap(o, DER_SEQUENCE, algorithm);
	kdf = o->at;
	der_put(o, DER_NULL, NULL, 0);
	put_oid(o, &oid_sha256);
	der_wrap(o, DER_SEQUENCE, kdf);
	der_put(o, DER_INTEGER, iterations, sizeof(iterations));
	der_put(o, DER_OCTET_STRING, p->salt.ptr, p->salt.len);
	der_wrap(o, DER_SEQUENCE, kdf);
	put_oid(o, &oid_pbkdf2);
	der_wrap(o, DER_SEQUENCE, kdf);
	der_wrap(o, DER_SEQUENCE, algorithm);
	put_oid(o, &oid_pbes2);
	der_wrap(o, DER_SEQUENCE, algorithm);
	der_wrap(o, DER_SEQUENCE, all);
}

enum rk_err
keyfile_pbes2_seal(const struct rk_secret *plain, const struct rk_secret *pass,
    struct rk_secret **pem)
{
	uint8_t random[NEW_SALT_LEN + IV_MAX];
	uint8_t sealed[NEW_SEALED_MAX];
	uint8_t der[NEW_DER_MAX];
	struct der_out o = { der, sizeof(der) };
	uint8_t key[KEY_MAX] = { 0 };
	struct keyfile_pbes2 p = {
		.kdf = KEYFILE_PBKDF2,
		.salt = { random, NEW_SALT_LEN },
		.iterations = NEW_ITERATIONS,
		.hash = "SHA256",
		.key_len = KEY_MAX,
		.iv = { random + NEW_SALT_LEN, IV_MAX },
		.sealed = { sealed, 0 },
	};
	enum rk_err r;

	*pem = NULL;
	if (rk_secret_len(pass) > KEYFILE_PASS_MAX ||
	    rk_secret_len(plain) > sizeof(sealed) - IV_MAX)
		return RK_EINVAL;
	rk_random(random, sizeof(random));
	if ((r = derive(&p, pass, key)) != RK_OK)
		goto out;
	r = encrypt(key, p.iv.ptr, plain, sealed, &p.sealed.len);
	if (r != RK_OK)
		goto out;
	put_info(&o, &p);
	r = pem_encode(
	    KEYFILE_LABEL_ENCRYPTED, "", der + o.at, sizeof(der) - o.at, pem);
out:
	rk_wipe(key, sizeof(key));
	return r;
}
