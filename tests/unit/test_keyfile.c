/* Key files: every form read and written, every damage told apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <sodium.h>

#include <rpckit/key.h>

#include "base/str.h"
#include "certs.h"
#include "trust/keyfile.h"
#include "trust/pkcs8.h"

#define PASS "correct horse"

static struct rk_secret *
secret(const char *text)
{
	struct rk_secret *s = NULL;

	assert_int_equal(rk_secret_copy(text, strlen(text), &s), RK_OK);
	return s;
}

/* Gives the passphrases of a list, one after the other, then refuses. */
struct giver {
	const char *const *list;
	unsigned asked;
	enum rk_err end; /* RK_OK: RK_ENOPASS */
};

static enum rk_err
give(const char *path, unsigned attempt, struct rk_secret **out, void *arg)
{
	struct giver *g = arg;

	assert_string_equal(path, "some.key");
	assert_int_equal(attempt, g->asked);
	g->asked++;
	if (g->list[attempt] == NULL)
		return g->end != RK_OK ? g->end : RK_ENOPASS;
	*out = secret(g->list[attempt]);
	return RK_OK;
}

static enum rk_err
parse(const char *pem, size_t len, struct giver *g, struct rk_key **out,
    struct rk_error *err)
{
	enum rk_err r = rk_key_parse(
	    "some.key", pem, len, g != NULL ? give : NULL, g, out, err);

	if (r != RK_OK) {
		assert_null(*out);
		assert_int_equal(err->code, r);
		assert_non_null(strstr(err->text, "some.key"));
	}
	return r;
}

/* What is said of this text without a passphrase. */
static void
assert_refused(const char *pem, enum rk_err want, const char *words)
{
	struct rk_key *key = NULL;
	struct rk_error err;

	assert_int_equal(parse(pem, strlen(pem), NULL, &key, &err), want);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static struct rk_key *
new_key(void)
{
	struct rk_key *key = NULL;

	assert_int_equal(rk_key_generate(&key), RK_OK);
	return key;
}

static void
assert_same_key(const struct rk_key *a, const struct rk_key *b)
{
	assert_memory_equal(rk_key_seed(a), rk_key_seed(b), RK_KEY_SEED_LEN);
}

/* A key file of the rpc25519 form that takes no time. */
static struct rk_secret *
quick_file(const struct rk_key *key, uint32_t lanes)
{
	struct keyfile_argon params = {
		.passes = 1, .kib = 64, .lanes = lanes, .salt_len = 16
	};
	struct rk_secret *plain = NULL;
	struct rk_secret *pass = secret(PASS);
	struct rk_secret *pem = NULL;

	rk_random(params.salt, sizeof(params.salt));
	assert_int_equal(pkcs8_encode(key, &plain), RK_OK);
	assert_int_equal(keyfile_go_seal(&params, plain, pass, &pem), RK_OK);
	rk_secret_free(plain);
	rk_secret_free(pass);
	return pem;
}

static const char *
text_of(const struct rk_secret *s, char *out, size_t out_len)
{
	assert_true(rk_secret_len(s) < out_len);
	memcpy(out, rk_secret_peek(s), rk_secret_len(s));
	out[rk_secret_len(s)] = '\0';
	return out;
}

/* ---- plain PKCS#8 ---- */

/* RFC 8410 section 10.3: one without and one with the public key. */
static const char rfc_v1[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "-----END PRIVATE KEY-----\n";
static const char rfc_v2[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
    "oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB\n"
    "Z9w7lshQhqowtrbLDFw4rXAxZuE=\n"
    "-----END PRIVATE KEY-----\n";

static void
test_rfc8410(void **state)
{
	struct rk_key *a = NULL;
	struct rk_key *b = NULL;
	struct rk_error err;

	(void)state;
	assert_int_equal(
	    parse(rfc_v1, sizeof(rfc_v1) - 1, NULL, &a, &err), RK_OK);
	assert_int_equal(
	    parse(rfc_v2, sizeof(rfc_v2) - 1, NULL, &b, &err), RK_OK);
	assert_int_equal(rk_key_seed(a)[0], 0xd4);
	assert_int_equal(rk_key_seed(a)[31], 0x42);
	assert_same_key(a, b);
	assert_false(rk_key_is_encrypted(rfc_v1, sizeof(rfc_v1) - 1));
	rk_key_free(a);
	rk_key_free(b);
}

static void
test_plain_round(void **state)
{
	struct rk_key *key = new_key();
	struct rk_key *back = NULL;
	struct rk_secret *pem = NULL;
	struct rk_error err;

	(void)state;
	assert_int_equal(rk_key_format(key, RK_KEY_PKCS8, NULL, &pem), RK_OK);
	assert_int_equal(parse((const char *)rk_secret_peek(pem),
	                     rk_secret_len(pem), NULL, &back, &err),
	    RK_OK);
	assert_same_key(key, back);
	rk_key_free(back);
	rk_key_free(key);
	rk_secret_free(pem);
}

/* The file cut at every byte, and every bit of it flipped: an error or the
 * same key (a bit in the base64 of the seed makes another key). */
static void
test_plain_damage(void **state)
{
	const size_t len = sizeof(rfc_v2) - 1;
	char text[sizeof(rfc_v2)];
	struct rk_key *key = NULL;
	struct rk_error err;
	size_t i;

	(void)state;
	for (i = 0; i < len - 2; i++) {
		/* Guarded exactly, so that reading on is seen. */
		char *cut = malloc(i > 0 ? i : 1);

		assert_non_null(cut);
		memcpy(cut, rfc_v2, i);
		assert_int_equal(parse(cut, i, NULL, &key, &err), RK_EFORMAT);
		free(cut);
	}
	for (i = 0; i < 8 * len; i++) {
		memcpy(text, rfc_v2, sizeof(text));
		text[i / 8] ^= (char)(1U << i % 8);
		if (parse(text, len, NULL, &key, &err) == RK_OK)
			rk_key_free(key);
	}
}

static void
test_told_apart(void **state)
{
	struct certs_cert *ca = certs_new_ca("ca");
	struct certs_cert *rsa =
	    certs_new(ca, &(struct certs_opts){ .key = CERTS_RSA });
	struct certs_cert *ec =
	    certs_new(ca, &(struct certs_opts){ .key = CERTS_P256 });

	(void)state;
	assert_refused("", RK_EFORMAT, "no private key");
	assert_refused("hello\n", RK_EFORMAT, "no private key");
	assert_refused(ca->pem, RK_EFORMAT, "certificate");
	assert_refused(rsa->key_pem, RK_EUNSUPPORTED, "RSA");
	assert_refused(ec->key_pem, RK_EUNSUPPORTED, "EC");
	assert_refused("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n"
	               "-----END RSA PRIVATE KEY-----\n",
	    RK_EUNSUPPORTED, "RSA");
	assert_refused("-----BEGIN PRIVATE KEY-----\n"
	               "MC4CAQAwBQYDK2VuBCIEINTuctv5E1hK1bbY8fdp+K06/"
	               "nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n",
	    RK_EUNSUPPORTED, "X25519");
	assert_refused("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2\n"
	               "-----END PRIVATE KEY-----\n",
	    RK_EFORMAT, "base64");
	assert_refused("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n"
	               "-----END PRIVATE KEY-----\n",
	    RK_EFORMAT, "damaged private key");
	assert_refused(
	    "-----BEGIN PRIVATE KEY-----\nMC4C\n", RK_EFORMAT, "not closed");
	assert_refused("-----BEGIN PRIVATE KEY-----\nMC4C\n"
	               "-----END PUBLIC KEY-----\n",
	    RK_EFORMAT, "not closed");
	certs_free(ec);
	certs_free(rsa);
	certs_free(ca);
}

/* The public half of another key: a file put together from two. */
static void
test_public_half(void **state)
{
	char text[sizeof(rfc_v2)];

	(void)state;
	memcpy(text, rfc_v2, sizeof(text));
	*strstr(text, "Z9w7") = 'Y';
	assert_refused(text, RK_EFORMAT, "damaged private key");
}

/* ---- the rpc25519 form ---- */

/* The value of a header; the headers must come in this order. */
static const char *
take_header(const char *text, const char *name, char value[80])
{
	size_t n = strlen(name);
	const char *end = strchr(text, '\n');

	assert_non_null(end);
	assert_memory_equal(text, name, n);
	assert_memory_equal(text + n, ": ", 2);
	n += 2;
	assert_true((size_t)(end - text) - n < 80);
	memcpy(value, text + n, (size_t)(end - text) - n);
	value[(size_t)(end - text) - n] = '\0';
	return end + 1;
}

static void
gcm_open(const uint8_t key[32], uint8_t body[76], uint8_t plain[48])
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;

	assert_int_equal(
	    EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, body), 1);
	assert_int_equal(EVP_DecryptUpdate(ctx, plain, &n, body + 12, 48), 1);
	assert_int_equal(
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, body + 60), 1);
	assert_int_equal(EVP_DecryptFinal_ex(ctx, plain + n, &n), 1);
	EVP_CIPHER_CTX_free(ctx);
}

/*
 * Field by field, with another Argon2 than the one that wrote it: what is
 * written is what Go's reader reads.
 */
static void
test_go_written(void **state)
{
	struct rk_key *key = new_key();
	struct rk_key *back = NULL;
	struct rk_secret *pass = secret(PASS);
	struct rk_secret *pem = NULL;
	const char *const right[] = { PASS, NULL };
	struct giver g = { .list = right };
	struct rk_error err;
	char text[2048];
	char value[80];
	char nonce[80];
	char digits[128];
	const char *at = text;
	uint8_t salt[16];
	uint8_t body[76];
	uint8_t plain[48];
	uint8_t derived[32];
	size_t n;

	(void)state;
	assert_int_equal(
	    rk_key_format(key, RK_KEY_RPC25519, pass, &pem), RK_OK);
	text_of(pem, text, sizeof(text));
	assert_true(rk_key_is_encrypted(text, strlen(text)));
	assert_memory_equal(at, "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", 38);
	at = take_header(at + 38, "AESGCM.Nonce", nonce);
	at = take_header(at, "Argon2id.Iterations", value);
	assert_string_equal(value, "12");
	at = take_header(at, "Argon2id.KeyLength", value);
	assert_string_equal(value, "32");
	at = take_header(at, "Argon2id.Memory", value);
	assert_string_equal(value, "262144");
	at = take_header(at, "Argon2id.Salt", value);
	assert_int_equal(str_unhex(value, 32, salt, sizeof(salt), &n), RK_OK);
	assert_int_equal(strlen(value), 32);
	at = take_header(at, "Argon2id.Threads", value);
	assert_string_equal(value, "1");
	at = take_header(at, "CipherSuite", value);
	assert_string_equal(value, "\"AES-GCM\"");
	assert_int_equal(*at++, '\n');
	/* 76 bytes: 104 digits, 64 on the first line. */
	assert_int_equal(at[64], '\n');
	assert_string_equal(at + 106, "-----END ENCRYPTED PRIVATE KEY-----\n");
	(void)snprintf(digits, sizeof(digits), "%.64s%.40s", at, at + 65);
	assert_int_equal(
	    str_unbase64(digits, 104, body, sizeof(body), &n), RK_OK);
	assert_int_equal(n, 76);
	str_hex(value, body, 12);
	assert_string_equal(value, nonce);
	assert_int_equal(crypto_pwhash(derived, 32, PASS, strlen(PASS), salt,
	                     12, 268435456, crypto_pwhash_ALG_ARGON2ID13),
	    0);
	gcm_open(derived, body, plain);
	assert_memory_equal(plain,
	    "\x30\x2e\x02\x01\x00\x30\x05\x06"
	    "\x03\x2b\x65\x70\x04\x22\x04\x20",
	    16);
	assert_memory_equal(plain + 16, rk_key_seed(key), 32);
	assert_int_equal(parse(text, strlen(text), &g, &back, &err), RK_OK);
	assert_same_key(key, back);
	rk_key_free(back);
	rk_key_free(key);
	rk_secret_free(pem);
	rk_secret_free(pass);
}

/* After a wrong one it is asked again; refusing leaves "wrong". */
static void
test_go_asking(void **state)
{
	struct rk_key *key = new_key();
	struct rk_secret *pem = quick_file(key, 4);
	const char *text = (const char *)rk_secret_peek(pem);
	size_t len = rk_secret_len(pem);
	const char *const third[] = { "", "wrong", PASS, NULL };
	const char *const wrong[] = { "wrong", NULL };
	const char *const none[] = { NULL };
	struct giver g = { .list = third };
	struct rk_key *back = NULL;
	struct rk_error err;

	(void)state;
	assert_int_equal(parse(text, len, &g, &back, &err), RK_OK);
	assert_int_equal(g.asked, 3);
	assert_int_equal(err.code, RK_OK);
	assert_same_key(key, back);
	rk_key_free(back);
	g = (struct giver){ .list = wrong };
	assert_int_equal(parse(text, len, &g, &back, &err), RK_EPASS);
	assert_int_equal(g.asked, 2);
	g = (struct giver){ .list = none };
	assert_int_equal(parse(text, len, &g, &back, &err), RK_ENOPASS);
	g = (struct giver){ .list = wrong, .end = RK_ECANCELED };
	assert_int_equal(parse(text, len, &g, &back, &err), RK_ECANCELED);
	assert_int_equal(parse(text, len, NULL, &back, &err), RK_ENOPASS);
	rk_key_free(key);
	rk_secret_free(pem);
}

/* A file with one header's line replaced ("" removes it). */
static void
with_header(const char *text, const char *name, const char *line, char *out,
    size_t out_len)
{
	const char *start = strstr(text, name);
	const char *end = NULL;
	int n;

	assert_non_null(start);
	end = strchr(start, '\n');
	assert_non_null(end);
	n = snprintf(
	    out, out_len, "%.*s%s%s", (int)(start - text), text, line, end + 1);
	assert_true(n > 0 && (size_t)n < out_len);
}

static void
test_go_headers(void **state)
{
	static const struct {
		const char *name;
		const char *line;
		enum rk_err want;
	} cases[] = {
		{ "AESGCM.Nonce", "", RK_EFORMAT },
		{ "AESGCM.Nonce", "AESGCM.Nonce: 00\n", RK_EFORMAT },
		{ "AESGCM.Nonce", "AESGCM.Nonce: zz\n", RK_EFORMAT },
		{ "Argon2id.Iterations", "", RK_EFORMAT },
		{ "Argon2id.Iterations", "Argon2id.Iterations: 0\n",
		    RK_EFORMAT },
		{ "Argon2id.Iterations", "Argon2id.Iterations: -1\n",
		    RK_EFORMAT },
		{ "Argon2id.Iterations", "Argon2id.Iterations: 17\n",
		    RK_ELIMIT },
		{ "Argon2id.Iterations",
		    "Argon2id.Iterations: 99999999999999\n", RK_ELIMIT },
		{ "Argon2id.Iterations",
		    "Argon2id.Iterations: 1\nArgon2id.Iterations: 1\n",
		    RK_EFORMAT },
		{ "Argon2id.KeyLength", "", RK_EFORMAT },
		{ "Argon2id.KeyLength", "Argon2id.KeyLength: 16\n",
		    RK_EUNSUPPORTED },
		{ "Argon2id.Memory", "", RK_EFORMAT },
		{ "Argon2id.Memory", "Argon2id.Memory: 1048577\n", RK_ELIMIT },
		{ "Argon2id.Memory", "Argon2id.Memory: 4294967296\n",
		    RK_ELIMIT },
		{ "Argon2id.Memory", "Argon2id.Memory: 7\n", RK_EFORMAT },
		{ "Argon2id.Salt", "", RK_EFORMAT },
		{ "Argon2id.Salt", "Argon2id.Salt: 00112233445566\n",
		    RK_EFORMAT },
		{ "Argon2id.Salt", "Argon2id.Salt: 0\n", RK_EFORMAT },
		{ "Argon2id.Threads", "", RK_EFORMAT },
		{ "Argon2id.Threads", "Argon2id.Threads: 5\n", RK_ELIMIT },
		{ "Argon2id.Threads", "Argon2id.Threads: 0\n", RK_EFORMAT },
		{ "CipherSuite", "", RK_EFORMAT },
		{ "CipherSuite", "CipherSuite: AES-GCM\n", RK_EUNSUPPORTED },
		{ "CipherSuite", "CipherSuite: \"AES-CBC\"\n",
		    RK_EUNSUPPORTED },
	};
	const char *const list[] = { PASS, NULL };
	struct rk_key *key = new_key();
	struct rk_secret *pem = quick_file(key, 1);
	struct rk_key *back = NULL;
	struct rk_error err;
	struct giver g;
	char text[2048];
	char bad[2048];
	size_t i;

	(void)state;
	text_of(pem, text, sizeof(text));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		g = (struct giver){ .list = list };
		with_header(
		    text, cases[i].name, cases[i].line, bad, sizeof(bad));
		if (parse(bad, strlen(bad), &g, &back, &err) != cases[i].want)
			fail_msg("%s: %s", cases[i].line, err.text);
		/* Refused before anybody was asked and any work was done. */
		assert_int_equal(g.asked, 0);
	}
	rk_key_free(key);
	rk_secret_free(pem);
}

/* Only the body's nonce counts; the header's need not be the same. */
static void
test_go_nonce(void **state)
{
	const char *const list[] = { PASS, NULL };
	struct giver g = { .list = list };
	struct rk_key *key = new_key();
	struct rk_secret *pem = quick_file(key, 1);
	struct rk_key *back = NULL;
	struct rk_error err;
	char text[2048];
	char other[2048];

	(void)state;
	with_header(text_of(pem, text, sizeof(text)), "AESGCM.Nonce",
	    "AESGCM.Nonce: 000000000000000000000000\r\n", other, sizeof(other));
	assert_int_equal(parse(other, strlen(other), &g, &back, &err), RK_OK);
	assert_same_key(key, back);
	rk_key_free(back);
	rk_key_free(key);
	rk_secret_free(pem);
}

/* Cut at every byte, and every byte of the body changed. */
static void
test_go_damage(void **state)
{
	const char *const list[] = { PASS, NULL };
	struct rk_key *key = new_key();
	struct rk_secret *pem = quick_file(key, 1);
	struct rk_key *back = NULL;
	struct rk_error err;
	struct giver g;
	char text[2048];
	char *body = NULL;
	size_t i;

	(void)state;
	text_of(pem, text, sizeof(text));
	for (i = 0; i < strlen(text) - 1; i++) {
		g = (struct giver){ .list = list };
		assert_int_equal(parse(text, i, &g, &back, &err), RK_EFORMAT);
	}
	body = strstr(text, "\n\n") + 2;
	for (i = 0; i < 104; i++) {
		char *c = body + i + (i >= 64 ? 1 : 0);
		char old = *c;

		if (old == '=')
			continue;
		*c = old == 'A' ? 'Q' : 'A';
		g = (struct giver){ .list = list };
		assert_int_not_equal(
		    parse(text, strlen(text), &g, &back, &err), RK_OK);
		*c = old;
	}
	rk_key_free(key);
	rk_secret_free(pem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc8410),
		cmocka_unit_test(test_plain_round),
		cmocka_unit_test(test_plain_damage),
		cmocka_unit_test(test_told_apart),
		cmocka_unit_test(test_public_half),
		cmocka_unit_test(test_go_written),
		cmocka_unit_test(test_go_asking),
		cmocka_unit_test(test_go_headers),
		cmocka_unit_test(test_go_nonce),
		cmocka_unit_test(test_go_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
