/* What librpckit asks a key for, by the form of what is to be signed: each for
 * itself, of real bytes, and of nothing that is cut or has more behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certs.h"
#include "keyvault/purpose.h"

#define FORM_MAX 4096

static const uint8_t own[RK_KEY_PUBLIC_LEN] = { 0xed, 7 };

/* ---- proofs ---- */

static size_t
make_form(uint8_t out[FORM_MAX], const char *text, const uint8_t *last)
{
	size_t n = strlen(text) + 1;

	memset(out, ' ', 64);
	memcpy(out + 64, text, n);
	memset(out + 64 + n, 0xab, 32);
	memcpy(out + 64 + n + 32, last, 32);
	return 64 + n + 64;
}

/* It is this one, whole only, and of this key where it names one. */
static void
is_only(const uint8_t *data, size_t len, enum purpose is, const char *text)
{
	const uint8_t *pub = own;
	uint8_t more[FORM_MAX + 1];
	struct purpose_view view;

	assert_int_equal(purpose_of_proof(data, len, pub, &view), RK_OK);
	assert_int_equal(view.is, is);
	assert_string_equal(view.text, text);
	assert_true(purpose_use(view.is) != 0);
	/* Of these only a session may be asked for as an ssh-agent is. */
	assert_int_equal(purpose_of_ssh(data, len, pub, &view),
	    is == PURPOSE_SESSION ? RK_OK : RK_EDENIED);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(
		    purpose_of_proof(data, i, pub, &view), RK_EDENIED);
	memcpy(more, data, len);
	more[len] = 0;
	assert_int_equal(
	    purpose_of_proof(more, len + 1, pub, &view), RK_EDENIED);
}

static void
test_handshakes(void **state)
{
	uint8_t form[FORM_MAX];
	struct purpose_view view;
	uint8_t other[RK_KEY_PUBLIC_LEN] = { 3 };
	size_t n;

	(void)state;
	n = make_form(form, "rpckit psk 1, server certificate", other);
	is_only(form, n, PURPOSE_PSK,
	    "a handshake with a pre-shared key, as server");
	n = make_form(form, "rpckit psk 1, client certificate", other);
	is_only(form, n, PURPOSE_PSK,
	    "a handshake with a pre-shared key, as client");
	n = make_form(form, "rpckit session 1, initiator", own);
	is_only(form, n, PURPOSE_SESSION, "a session, as initiator");
	n = make_form(form, "rpckit session 1, responder", own);
	is_only(form, n, PURPOSE_SESSION, "a session, as responder");
	assert_int_equal(purpose_of_proof(form, n, other, &view), RK_EDENIED);
	form[3] = 'x';
	assert_int_equal(purpose_of_proof(form, n, own, &view), RK_EDENIED);
	n = make_form(form, "rpckit session 2, responder", own);
	assert_int_equal(purpose_of_proof(form, n, own, &view), RK_EDENIED);
}

static void
test_next_key(void **state)
{
	const size_t tag = sizeof(RK_NEXT_KEY_TAG);
	uint8_t form[FORM_MAX] = RK_NEXT_KEY_TAG;
	uint8_t present[RK_KEY_PUBLIC_LEN] = { 3 };
	struct purpose_view view;
	char text[128] = "to follow the key ";

	(void)state;
	memcpy(form + tag, present, 32);
	memcpy(form + tag + 32, own, 32);
	rk_fp_of_key(present, text + strlen(text));
	is_only(form, tag + 64, PURPOSE_NEXT_KEY, text);
	assert_int_equal(
	    purpose_of_proof(form, tag + 64, present, &view), RK_EDENIED);
}

/* ---- X.509 ---- */

/* The first element within the outermost: what is signed. */
static struct rk_bytes
signed_part(struct rk_bytes der)
{
	const uint8_t *tbs = der.ptr;
	const uint8_t *p;
	long n;
	int tag;
	int class;

	(void)ASN1_get_object(&tbs, &n, &tag, &class, (long)der.len);
	p = tbs;
	(void)ASN1_get_object(&p, &n, &tag, &class, n);
	return (struct rk_bytes){ tbs, (size_t)(p - tbs) + (size_t)n };
}

/* What is said of one: dates and names come behind whom it is for. */
static const char *
dated(const char *what, const X509 *x, const char *names)
{
	static char text[PURPOSE_TEXT_MAX];
	struct tm from;
	struct tm to;

	assert_int_equal(ASN1_TIME_to_tm(X509_get0_notBefore(x), &from), 1);
	assert_int_equal(ASN1_TIME_to_tm(X509_get0_notAfter(x), &to), 1);
	(void)snprintf(text, sizeof(text),
	    "%s, %04d-%02d-%02d to %04d-%02d-%02d%s", what, from.tm_year + 1900,
	    from.tm_mon + 1, from.tm_mday, to.tm_year + 1900, to.tm_mon + 1,
	    to.tm_mday, names);
	return text;
}

/* Says that it is a CA, and behind that that it is none: who verifies it may
 * believe the one or the other. */
static void
test_two_minds(void **state)
{
	struct certs_cert *ca = certs_new_ca("CA");
	const uint8_t *at = ca->der.ptr;
	X509 *x = d2i_X509(NULL, &at, (long)ca->der.len);
	X509_EXTENSION *ext =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "CA:FALSE");
	unsigned char *tbs = NULL;
	int len;

	(void)state;
	assert_int_equal(X509_add_ext(x, ext, -1), 1);
	len = i2d_re_X509_tbs(x, &tbs);
	assert_true(len > 0);
	is_only(tbs, (size_t)len, PURPOSE_CERT,
	    dated("a certificate of a CA for \"CA\"", x, ""));
	OPENSSL_free(tbs);
	X509_EXTENSION_free(ext);
	X509_free(x);
	certs_free(ca);
}

static void
test_certificates(void **state)
{
	struct certs_cert *ca = certs_new_ca("the\nCA");
	struct certs_cert *leaf =
	    certs_new_leaf(ca, "node", "node@example.org");
	const struct certs_opts weak = { .cn = "p", .key = CERTS_P256 };
	struct certs_cert *other = certs_new(NULL, &weak);
	struct purpose_view view;
	struct rk_bytes part;

	(void)state;
	part = signed_part(leaf->der);
	is_only(part.ptr, part.len, PURPOSE_CERT,
	    dated("a certificate for \"node\"", leaf->x509,
	        ", dns \"localhost\", email \"node@example.org\", "
	        "ip 127.0.0.1"));
	assert_int_equal(purpose_use(PURPOSE_CERT), USE_CA);
	part = signed_part(ca->der);
	is_only(part.ptr, part.len, PURPOSE_CERT,
	    dated("a certificate of a CA for \"the\\x0aCA\"", ca->x509, ""));
	/* To be signed by a key of another kind. */
	part = signed_part(other->der);
	assert_int_equal(
	    purpose_of_proof(part.ptr, part.len, own, &view), RK_EDENIED);
	/* Not the part, but all. */
	assert_int_equal(
	    purpose_of_proof(leaf->der.ptr, leaf->der.len, own, &view),
	    RK_EDENIED);
	certs_free(other);
	certs_free(leaf);
	certs_free(ca);
}

/* Names that look like what stands behind them. */
static void
test_forged(void **state)
{
	char text[PURPOSE_QUOTED];
	char quotes[PURPOSE_QUOTED];
	struct certs_cert *c =
	    certs_new_ca("n\", 2026-01-01 to 2026-12-31, dns \"safe");
	struct rk_bytes part = signed_part(c->der);

	(void)state;
	is_only(part.ptr, part.len, PURPOSE_CERT,
	    dated("a certificate of a CA for \"n\\\", 2026-01-01 to "
	          "2026-12-31, dns \\\"safe\"",
	        c->x509, ""));
	certs_free(c);
	memset(quotes, '"', sizeof(quotes));
	for (size_t i = 0; i < sizeof(quotes); i++) {
		purpose_quote(text, quotes, i);
		assert_int_equal(strlen(text) > 126, i > 62);
		if (i <= 62)
			assert_int_equal(strlen(text), 2 * i + 2);
		assert_int_equal(text[strlen(text) - 1], '"');
	}
	purpose_quote(text, "a\\\"b", 4);
	assert_string_equal(text, "\"a\\\\\\\"b\"");
}

/* What is asked for, and how it is shown. */
static const struct {
	const char *text;
	const char *shown;
} units[] = {
	{ "\"", "\\\"" },
	{ "a", "a" },
	{ "\\", "\\\\" },
	{ "\n", "\\x0a" },
	{ "\xc3\xa9", "\xc3\xa9" },
	{ "\xe2\x80\x8b", "\\u200b" },
	{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
};
#define UNITS (sizeof(units) / sizeof(units[0]))

/* The units whose numbers these are: whole ones, and a ~ if not all. */
static void
quotes_whole(const uint8_t *list, size_t n)
{
	struct {
		char text[PURPOSE_QUOTED];
		char guard[8];
	} got;
	char text[4 * 304];
	size_t len = 0;
	size_t more;
	size_t at = 1;
	size_t i;

	for (i = 0; i < n; i++) {
		more = strlen(units[list[i]].text);
		memcpy(text + len, units[list[i]].text, more);
		len += more;
	}
	memset(&got, 0x5a, sizeof(got));
	purpose_quote(got.text, text, len);
	for (i = 0; i < sizeof(got.guard); i++)
		assert_int_equal(got.guard[i], 0x5a);
	len = strnlen(got.text, sizeof(got.text));
	assert_in_range(len, 2, PURPOSE_QUOTED - 1);
	assert_int_equal(got.text[0], '"');
	for (i = 0; i < n; i++) {
		more = strlen(units[list[i]].shown);
		if (strncmp(got.text + at, units[list[i]].shown, more) != 0)
			break;
		at += more;
	}
	assert_string_equal(got.text + at, i < n ? "~\"" : "\"");
	/* Not for nothing. */
	assert_true(i == n || len + 7 > PURPOSE_QUOTED - 1);
}

static void
test_cut(void **state)
{
	uint8_t list[304];

	(void)state;
	for (size_t kinds = 0; kinds < UNITS * UNITS * UNITS; kinds++) {
		memset(list, (int)(kinds / UNITS % UNITS), sizeof(list));
		list[0] = (uint8_t)(kinds / UNITS / UNITS);
		/* Far more than fits is as a little more. */
		for (size_t n = 0; n <= 300; n += n < 130 ? 1 : 85) {
			list[n] = (uint8_t)(kinds % UNITS);
			quotes_whole(list, n + 1);
			list[n] = n == 0 ? (uint8_t)(kinds / UNITS / UNITS)
			                 : (uint8_t)(kinds / UNITS % UNITS);
		}
	}
	quotes_whole(list, 0);
	for (size_t n = 0; n < 2000; n++) {
		for (size_t i = 0; i < 150; i++)
			list[i] = (uint8_t)((i * i * (n + 1) + n * i) % UNITS);
		quotes_whole(list, n % 150);
	}
}

/* All that it may be used as is shown: names of each kind, more of them than
 * there is room for, and none that does what it likes with the screen. */
static void
test_names(void **state)
{
	static const char names[] = "email:ann@example.org,DNS:*.example.org,"
	                            "IP:10.1.2.3,IP:2001:db8::1,"
	                            "URI:https://a/,RID:1.2.3";
	const struct certs_opts opts = { .cn = "n",
		.not_before = 2524607999, /* 2049, as a UTCTime */
		.not_after = 4102444800 };
	struct certs_cert *c = certs_new(NULL, &opts);
	X509_EXTENSION *ext =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	unsigned char *tbs = NULL;
	int len;

	(void)state;
	assert_int_equal(X509_add_ext(c->x509, ext, -1), 1);
	len = i2d_re_X509_tbs(c->x509, &tbs);
	assert_true(len > 0);
	is_only(tbs, (size_t)len, PURPOSE_CERT,
	    "a certificate for \"n\", 2049-12-31 to 2100-01-01, dns "
	    "\"localhost\", ip 127.0.0.1, email \"ann@example.org\", dns "
	    "\"*.example.org\", ip 10.1.2.3, ip 2001:db8::1, uri "
	    "\"https://a/\", name of another kind");
	OPENSSL_free(tbs);
	X509_EXTENSION_free(ext);
	certs_free(c);
}

static void
test_many_names(void **state)
{
	static char long_one[300];
	struct rk_str emails[40];
	const struct certs_opts opts = {
		.cn = "n", .emails = emails, .n_emails = 40
	};
	struct purpose_view view;
	struct certs_cert *c;
	struct rk_bytes part;

	(void)state;
	memset(long_one, 'x', sizeof(long_one));
	for (size_t i = 0; i < 40; i++)
		emails[i] = (struct rk_str){ "\033@b", 3 };
	emails[1] = (struct rk_str){ long_one, sizeof(long_one) };
	c = certs_new(NULL, &opts);
	part = signed_part(c->der);
	assert_int_equal(
	    purpose_of_proof(part.ptr, part.len, own, &view), RK_OK);
	assert_non_null(strstr(view.text, ", email \"\\x1b@b\", email \"xxx"));
	assert_non_null(strstr(view.text, "xx~\", email \"\\x1b@b\""));
	assert_non_null(strstr(view.text, " more names"));
	assert_true(strlen(view.text) < sizeof(view.text) - 1);
	certs_free(c);
}

/* A request for this key. */
static struct rk_bytes
make_request(const struct certs_cert *key, uint8_t *out)
{
	const unsigned char cn[] = "node";
	X509_REQ *req = X509_REQ_new();
	uint8_t *der = NULL;
	int len;

	assert_non_null(req);
	assert_true(X509_REQ_set_version(req, 0) == 1);
	assert_true(X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(req),
	                "CN", MBSTRING_ASC, cn, -1, -1, 0) == 1);
	assert_true(X509_REQ_set_pubkey(req, key->pkey) == 1);
	assert_true(X509_REQ_sign(req, key->pkey, NULL) > 0);
	len = i2d_X509_REQ(req, &der);
	assert_true(len > 0 && len < FORM_MAX);
	memcpy(out, der, (size_t)len);
	OPENSSL_free(der);
	X509_REQ_free(req);
	return signed_part((struct rk_bytes){ out, (size_t)len });
}

static void
test_requests(void **state)
{
	const struct certs_opts opts = { .cn = "x" };
	struct certs_cert *key = certs_new(NULL, &opts);
	struct purpose_view view;
	uint8_t der[FORM_MAX];
	struct rk_bytes part = make_request(key, der);

	(void)state;
	assert_int_equal(
	    purpose_of_proof(part.ptr, part.len, key->pub, &view), RK_OK);
	assert_int_equal(view.is, PURPOSE_REQUEST);
	assert_string_equal(
	    view.text, "a request for a certificate for \"node\"");
	/* For one's own key only. */
	assert_int_equal(
	    purpose_of_proof(part.ptr, part.len, own, &view), RK_EDENIED);
	for (size_t i = 0; i < part.len; i++)
		assert_int_equal(
		    purpose_of_proof(part.ptr, i, key->pub, &view), RK_EDENIED);
	certs_free(key);
}

static size_t
make_list(
    const struct certs_cert *ca, const struct certs_crl *opts, uint8_t **der)
{
	char *pem = certs_new_crl(ca, opts);
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	int len;

	*der = NULL;
	len = i2d_X509_CRL(crl, der);
	assert_true(len > 0);
	X509_CRL_free(crl);
	BIO_free(bio);
	free(pem);
	return (size_t)len;
}

static const char *
listed(unsigned n)
{
	static char text[PURPOSE_TEXT_MAX];

	(void)snprintf(text, sizeof(text),
	    "a revocation list of %u by \"CA\", 2023-11-14 to 2027-01-15", n);
	return text;
}

static void
test_lists(void **state)
{
	static const uint64_t serials[] = { 5, 6, 700 };
	const struct certs_crl some = { .serials = serials,
		.n = 3,
		.last_update = 1700000000,
		.next_update = 1800000000 };
	const struct certs_crl none = { .last_update = 1700000000,
		.next_update = 1800000000 };
	struct certs_cert *ca = certs_new_ca("CA");
	struct rk_bytes part;
	uint8_t *der;
	size_t len;

	(void)state;
	len = make_list(ca, &some, &der);
	part = signed_part((struct rk_bytes){ der, len });
	is_only(part.ptr, part.len, PURPOSE_CRL, listed(3));
	assert_int_equal(purpose_use(PURPOSE_CRL), USE_CA);
	OPENSSL_free(der);
	len = make_list(ca, &none, &der);
	part = signed_part((struct rk_bytes){ der, len });
	is_only(part.ptr, part.len, PURPOSE_CRL, listed(0));
	OPENSSL_free(der);
	certs_free(ca);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshakes),
		cmocka_unit_test(test_next_key),
		cmocka_unit_test(test_two_minds),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
