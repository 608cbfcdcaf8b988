/* rpc25519's key files: Argon2id, then AES-256-GCM, numbers in PEM headers. */
#include "trust/keyfile.h"

#include <stdio.h>
#include <string.h>

#include <argon2.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/error.h"
#include "base/str.h"

#define KEY_LEN 32
#define NONCE_LEN 12
#define TAG_LEN 16
#define SALT_MIN 8
#define SUITE "\"AES-GCM\""
#define HEADERS_MAX 512
/* Below these a stolen file is cheap to try passphrases on. */
#define KIB_WEAK (UINT32_C(64) * 1024)
#define PASSES_WEAK 3

bool
keyfile_go_is(const struct pem_block *block)
{
	struct rk_str value;

	return pem_is(block, KEYFILE_LABEL_ENCRYPTED) &&
	       (pem_header(block, "Argon2id.Salt", &value) ||
	           pem_header(block, "CipherSuite", &value));
}

static enum rk_err
header_number(const struct pem_block *block, const char *header, uint32_t *out)
{
	struct rk_str value;
	char text[16];
	uint64_t n = 0;
	enum rk_err r;

	*out = 0;
	if (!pem_header(block, header, &value) || value.len >= sizeof(text))
		return RK_EFORMAT;
	memcpy(text, value.ptr, value.len);
	text[value.len] = '\0';
	if ((r = str_parse_u64(text, 0, UINT32_MAX, &n)) != RK_OK)
		return r == RK_ETOOBIG ? RK_ELIMIT : RK_EFORMAT;
	*out = (uint32_t)n;
	return RK_OK;
}

static enum rk_err
header_hex(const struct pem_block *block, const char *header, uint8_t *dst,
    size_t cap, size_t *len)
{
	struct rk_str value;

	*len = 0;
	if (!pem_header(block, header, &value) ||
	    str_unhex(value.ptr, value.len, dst, cap, len) != RK_OK)
		return RK_EFORMAT;
	return RK_OK;
}

static enum rk_err
check_numbers(
    const struct keyfile_argon *p, const char *name, struct rk_error *err)
{
	if (p->kib > KEYFILE_KIB_MAX || p->passes > KEYFILE_PASSES_MAX ||
	    p->lanes > KEYFILE_LANES_MAX)
		return err_set(err, RK_ELIMIT,
		    "%s: asks for %u KiB, %u passes, %u lanes; at most %u, %u, "
		    "%u are done",
		    name, p->kib, p->passes, p->lanes, KEYFILE_KIB_MAX,
		    KEYFILE_PASSES_MAX, KEYFILE_LANES_MAX);
	if (p->passes == 0 || p->lanes == 0 || p->kib < 8 * p->lanes ||
	    p->salt_len < SALT_MIN)
		return err_set(
		    err, RK_EFORMAT, "%s: impossible Argon2id numbers", name);
	if (p->kib < KIB_WEAK || p->passes < PASSES_WEAK)
		log_event(RK_LOG_WARN, "trust",
		    "%s: weak key derivation (%u KiB, %u passes): write it "
		    "anew",
		    name, p->kib, p->passes);
	return RK_OK;
}

enum rk_err
keyfile_go_params(const struct pem_block *block, struct keyfile_argon *out,
    const char *name, struct rk_error *err)
{
	static const char *const numbers[] = { "Argon2id.Iterations",
		"Argon2id.Memory", "Argon2id.Threads", "Argon2id.KeyLength" };
	uint32_t values[4] = { 0 };
	uint8_t nonce[NONCE_LEN];
	size_t nonce_len;
	struct rk_str suite;
	size_t i;
	enum rk_err r;

	*out = (struct keyfile_argon){ 0 };
	for (i = 0; i < 4; i++) {
		if ((r = header_number(block, numbers[i], &values[i])) != RK_OK)
			return err_set(err, r, "%s: header %s is missing or %s",
			    name, numbers[i],
			    r == RK_ELIMIT ? "too large" : "malformed");
	}
	if (header_hex(block, "Argon2id.Salt", out->salt, sizeof(out->salt),
	        &out->salt_len) != RK_OK)
		return err_set(err, RK_EFORMAT,
		    "%s: header Argon2id.Salt is missing or malformed", name);
	/* The nonce is read from the body; this one must only be there. */
	if (header_hex(block, "AESGCM.Nonce", nonce, sizeof(nonce),
	        &nonce_len) != RK_OK ||
	    nonce_len != NONCE_LEN)
		return err_set(err, RK_EFORMAT,
		    "%s: header AESGCM.Nonce is missing or malformed", name);
	if (!pem_header(block, "CipherSuite", &suite))
		return err_set(
		    err, RK_EFORMAT, "%s: header CipherSuite is missing", name);
	if (suite.len != sizeof(SUITE) - 1 ||
	    memcmp(suite.ptr, SUITE, suite.len) != 0 || values[3] != KEY_LEN)
		return err_set(err, RK_EUNSUPPORTED,
		    "%s: another cipher than AES-GCM with a key of 32 bytes",
		    name);
	out->passes = values[0];
	out->kib = values[1];
	out->lanes = values[2];
	return check_numbers(out, name, err);
}

/*
 * Lanes are worked through one after the other: the result is the same, and
 * the library starts no threads.  pass is not written to.
 */
static enum rk_err
derive(const struct keyfile_argon *p, const struct rk_secret *pass,
    uint8_t key[KEY_LEN])
{
	uint8_t salt[KEYFILE_SALT_MAX];
	argon2_context ctx = {
		.out = key,
		.outlen = KEY_LEN,
		.pwd = (uint8_t *)(uintptr_t)rk_secret_peek(pass),
		.pwdlen = (uint32_t)rk_secret_len(pass),
		.salt = salt,
		.saltlen = (uint32_t)p->salt_len,
		.t_cost = p->passes,
		.m_cost = p->kib,
		.lanes = p->lanes,
		.threads = 1,
		.version = ARGON2_VERSION_13,
		.flags = ARGON2_DEFAULT_FLAGS,
	};

	memcpy(salt, p->salt, sizeof(salt));
	switch (argon2id_ctx(&ctx)) {
	case ARGON2_OK:
		return RK_OK;
	case ARGON2_MEMORY_ALLOCATION_ERROR:
		return RK_ENOMEM;
	default:
		return RK_EINVAL;
	}
}

/* sealed is ciphertext and tag; out has sealed_len - TAG_LEN bytes. */
static enum rk_err
gcm_open(const uint8_t key[KEY_LEN], const uint8_t *nonce,
    const uint8_t *sealed, size_t sealed_len, uint8_t *out)
{
	size_t len = sealed_len - TAG_LEN;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t tag[TAG_LEN];
	enum rk_err r = RK_ENOMEM;
	int n = 0;

	memcpy(tag, sealed + len, TAG_LEN);
	if (ctx == NULL ||
	    EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) != 1)
		goto out;
	if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) !=
	        1 ||
	    EVP_DecryptUpdate(ctx, out, &n, sealed, (int)len) != 1)
		goto out;
	r = EVP_DecryptFinal_ex(ctx, out + n, &n) == 1 ? RK_OK : RK_EPASS;
out:
	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

/* out has len + TAG_LEN bytes. */
static enum rk_err
gcm_seal(const uint8_t key[KEY_LEN], const uint8_t *nonce, const uint8_t *plain,
    size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	enum rk_err r = RK_ENOMEM;
	int n = 0;

	if (ctx == NULL ||
	    EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) != 1 ||
	    EVP_EncryptUpdate(ctx, out, &n, plain, (int)len) != 1 ||
	    EVP_EncryptFinal_ex(ctx, out + n, &n) != 1)
		goto out;
	if (EVP_CIPHER_CTX_ctrl(
	        ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, out + len) == 1)
		r = RK_OK;
out:
	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	return r;
}

enum rk_err
keyfile_go_open(const struct keyfile_argon *params,
    const struct rk_secret *data, const struct rk_secret *pass,
    struct rk_secret **plain)
{
	const uint8_t *body = rk_secret_peek(data);
	size_t len = rk_secret_len(data);
	uint8_t key[KEY_LEN] = { 0 };
	struct rk_secret *s = NULL;
	enum rk_err r;

	*plain = NULL;
	if (len <= NONCE_LEN + TAG_LEN)
		return RK_EFORMAT;
	if (rk_secret_len(pass) > KEYFILE_PASS_MAX)
		return RK_EPASS;
	if ((r = rk_secret_new(len - NONCE_LEN - TAG_LEN, &s)) != RK_OK)
		goto out;
	if ((r = derive(params, pass, key)) != RK_OK)
		goto out;
	r = gcm_open(
	    key, body, body + NONCE_LEN, len - NONCE_LEN, rk_secret_data(s));
	if (r != RK_OK)
		goto out;
	*plain = s;
	s = NULL;
out:
	rk_secret_free(s);
	rk_wipe(key, sizeof(key));
	return r;
}

static enum rk_err
make_headers(const struct keyfile_argon *p, const uint8_t nonce[NONCE_LEN],
    char out[HEADERS_MAX])
{
	char nonce_hex[2 * NONCE_LEN + 1];
	char salt_hex[2 * KEYFILE_SALT_MAX + 1];
	int n;

	str_hex(nonce_hex, nonce, NONCE_LEN);
	str_hex(salt_hex, p->salt, p->salt_len);
	n = snprintf(out, HEADERS_MAX,
	    "AESGCM.Nonce: %s\n"
	    "Argon2id.Iterations: %u\n"
	    "Argon2id.KeyLength: %u\n"
	    "Argon2id.Memory: %u\n"
	    "Argon2id.Salt: %s\n"
	    "Argon2id.Threads: %u\n"
	    "CipherSuite: " SUITE "\n",
	    nonce_hex, p->passes, KEY_LEN, p->kib, salt_hex, p->lanes);
	return n > 0 && n < HEADERS_MAX ? RK_OK : RK_ETOOBIG;
}

enum rk_err
keyfile_go_seal(const struct keyfile_argon *params,
    const struct rk_secret *plain, const struct rk_secret *pass,
    struct rk_secret **pem)
{
	size_t len = rk_secret_len(plain);
	char headers[HEADERS_MAX];
	uint8_t key[KEY_LEN] = { 0 };
	struct rk_secret *data = NULL;
	uint8_t *body = NULL;
	enum rk_err r;

	*pem = NULL;
	if (rk_secret_len(pass) > KEYFILE_PASS_MAX)
		return RK_EINVAL;
	if ((r = rk_secret_new(NONCE_LEN + len + TAG_LEN, &data)) != RK_OK)
		goto out;
	body = rk_secret_data(data);
	rk_random(body, NONCE_LEN);
	if ((r = derive(params, pass, key)) != RK_OK)
		goto out;
	r = gcm_seal(key, body, rk_secret_peek(plain), len, body + NONCE_LEN);
	if (r != RK_OK)
		goto out;
	if ((r = make_headers(params, body, headers)) != RK_OK)
		goto out;
	r = pem_encode(
	    KEYFILE_LABEL_ENCRYPTED, headers, body, rk_secret_len(data), pem);
out:
	rk_secret_free(data);
	rk_wipe(key, sizeof(key));
	return r;
}
