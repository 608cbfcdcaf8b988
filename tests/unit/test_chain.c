/* The rule about certificates: each reason to refuse, and hostile text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "certs.h"
#include "scratch.h"
#include "trust/chain.h"
#include "trust/ident.h"

#define DAY 86400
#define USAGE "critical,digitalSignature"
#define STR(s)                   \
	{                        \
		s, sizeof(s) - 1 \
	}

struct world {
	struct certs_cert *ca;
	struct certs_cert *twin; /* another key under the same name */
	struct rk_ident *id;
};

static struct world w;

static int
set_up(void **state)
{
	struct rk_error err;

	if (scratch_enter(state) != 0)
		return -1;
	w.ca = certs_new_ca("test CA");
	w.twin = certs_new_ca("test CA");
	certs_write(".", "ca.crt", w.ca->pem, 0600);
	return rk_ident_load_dir(".", NULL, NULL, NULL, &w.id, &err) == RK_OK
	           ? 0
	           : -1;
}

static int
tear_down(void **state)
{
	rk_ident_free(w.id);
	certs_free(w.twin);
	certs_free(w.ca);
	return scratch_leave(state);
}

/* The rules asked one by one say the same; the first that fails is the reason.
 * Lists of the revoked are another test's. */
static void
assert_same_answer(const struct certs_cert *c, enum chain_usage usage,
    int64_t now, const struct rk_error *err)
{
	struct rk_cert_question q = {
		.size = sizeof(q), .cert = c->der, .ca = w.ca->der, .now = now
	};
	struct rk_cert_report report;
	struct rk_error why;
	int skip = usage == CHAIN_SERVER ? RK_CERT_CLIENT : RK_CERT_SERVER;
	int bad = RK_CERT_RULES;

	if (err->code == RK_EREVOKED)
		return;
	assert_int_equal(rk_cert_check(&q, &report, &why), RK_OK);
	for (int i = RK_CERT_RULES - 1; i >= 0; i--) {
		if (i != skip && report.rules[i].code != RK_OK)
			bad = i;
	}
	if (bad == RK_CERT_RULES) {
		assert_int_equal(err->code, RK_OK);
		return;
	}
	assert_int_equal(report.rules[bad].code, err->code);
	if (bad != RK_CERT_READABLE)
		assert_non_null(strstr(err->text, report.rules[bad].text));
}

static enum rk_err
check(const struct certs_cert *c, enum chain_usage usage, int64_t now,
    struct rk_cert_info *info, struct rk_error *err)
{
	enum rk_err r = chain_check(w.id, &c->der, 1, usage, now, info, err);
	struct rk_cert_info again;
	struct rk_error err2;

	assert_int_equal(r, err->code);
	/* Whatever was remembered, the second answer is the first. */
	assert_int_equal(
	    chain_check(w.id, &c->der, 1, usage, now, &again, &err2), r);
	assert_int_equal(err2.code, r);
	assert_string_equal(err2.text, err->text);
	assert_memory_equal(&again, info, sizeof(again));
	if (r == RK_OK)
		assert_true(chain_recall(w.id, c->der, usage, &again));
	assert_memory_equal(&again, info, sizeof(again));
	assert_same_answer(c, usage, now, err);
	return r;
}

/* Makes a leaf of the CA and says what becomes of it as a client. */
static void
assert_leaf(const struct certs_cert *issuer, const struct certs_opts *opts,
    enum rk_err want, const char *words)
{
	struct certs_cert *c = certs_new(issuer, opts);
	struct rk_cert_info info;
	struct rk_error err;

	assert_int_equal(
	    check(c, CHAIN_CLIENT, (int64_t)time(NULL), &info, &err), want);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
	certs_free(c);
}

static void
test_good(void **state)
{
	struct certs_cert *c = certs_new_leaf(w.ca, "bob", "bob@example.org");
	int64_t now = (int64_t)time(NULL);
	struct rk_cert_info info;
	struct rk_cert_info described;
	struct rk_error err;
	char fp[RK_FP_LEN];

	(void)state;
	assert_int_equal(check(c, CHAIN_CLIENT, now, &info, &err), RK_OK);
	assert_int_equal(check(c, CHAIN_SERVER, now, &info, &err), RK_OK);
	assert_string_equal(info.cn, "bob");
	assert_string_equal(info.email, "bob@example.org");
	assert_string_equal(info.issuer_cn, "test CA");
	assert_string_equal(info.serial, "02");
	assert_memory_equal(info.pub, c->pub, sizeof(info.pub));
	rk_fp_of_key(c->pub, fp);
	assert_string_equal(info.fp, fp);
	assert_int_equal(info.not_after - info.not_before, DAY + 3600);
	assert_int_equal(chain_describe(c->der, &described, &err), RK_OK);
	assert_memory_equal(&described, &info, sizeof(info));
	certs_free(c);
}

static void
test_reasons(void **state)
{
	struct certs_cert *leaf = certs_new_leaf(w.ca, "leaf", NULL);

	(void)state;
	assert_leaf(w.ca, &(struct certs_opts){ 0 }, RK_OK, "");
	assert_leaf(w.ca, &(struct certs_opts){ .garbled = true }, RK_ECERT,
	    "not signed by our CA \"test CA\"");
	assert_leaf(
	    w.twin, &(struct certs_opts){ 0 }, RK_ECERT, "not signed by");
	assert_leaf(NULL, &(struct certs_opts){ 0 }, RK_ECERT, "not signed by");
	/* A leaf is no CA, whatever it signs. */
	assert_leaf(leaf, &(struct certs_opts){ 0 }, RK_ECERT, "not signed by");
	assert_leaf(w.ca, &(struct certs_opts){ .ca = true }, RK_ECERT,
	    "certificate of a CA");
	assert_leaf(w.ca, &(struct certs_opts){ .key = CERTS_P256 }, RK_ECERT,
	    "not Ed25519");
	assert_leaf(w.ca, &(struct certs_opts){ .key = CERTS_RSA }, RK_ECERT,
	    "not Ed25519");
	assert_leaf(w.ca, &(struct certs_opts){ .key = CERTS_SMALL_ORDER },
	    RK_ECERT, "weak point");
	assert_leaf(w.ca, &(struct certs_opts){ .strange_critical = true },
	    RK_ECERT, "critical extension");
	assert_leaf(w.ca,
	    &(struct certs_opts){ .usage = "critical,keyEncipherment" },
	    RK_ECERT, "key usage");
	assert_leaf(w.ca, &(struct certs_opts){ .usage = USAGE }, RK_OK, "");
	certs_free(leaf);
}

/* The CA's own certificate is not a peer's. */
static void
test_ca_as_peer(void **state)
{
	struct rk_cert_info info;
	struct rk_error err;

	(void)state;
	assert_int_equal(
	    check(w.ca, CHAIN_SERVER, (int64_t)time(NULL), &info, &err),
	    RK_ECERT);
	assert_string_equal(info.cn, "test CA");
}

static void
test_usage(void **state)
{
	static const struct {
		const char *ext_usage;
		enum rk_err client;
		enum rk_err server;
	} cases[] = {
		{ NULL, RK_OK, RK_OK },
		{ "clientAuth", RK_OK, RK_ECERT },
		{ "serverAuth", RK_ECERT, RK_OK },
		{ "critical,serverAuth,clientAuth", RK_OK, RK_OK },
		{ "anyExtendedKeyUsage", RK_OK, RK_OK },
		{ "codeSigning,emailProtection", RK_ECERT, RK_ECERT },
		{ "1.2.3.4.5", RK_ECERT, RK_ECERT },
	};
	int64_t now = (int64_t)time(NULL);
	struct rk_cert_info info;
	struct rk_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct certs_cert *c = certs_new(w.ca,
		    &(struct certs_opts){ .ext_usage = cases[i].ext_usage });

		assert_int_equal(
		    check(c, CHAIN_CLIENT, now, &info, &err), cases[i].client);
		assert_int_equal(
		    check(c, CHAIN_SERVER, now, &info, &err), cases[i].server);
		certs_free(c);
	}
}

static void
test_dates(void **state)
{
	int64_t now = (int64_t)time(NULL);
	struct certs_cert *c = certs_new(w.ca,
	    &(struct certs_opts){ .not_before = now, .not_after = now + 100 });
	struct rk_cert_info info;
	struct rk_error err;

	(void)state;
	assert_int_equal(check(c, CHAIN_CLIENT, now, &info, &err), RK_OK);
	assert_int_equal(check(c, CHAIN_CLIENT, now + 100, &info, &err), RK_OK);
	assert_int_equal(
	    check(c, CHAIN_CLIENT, now - 1, &info, &err), RK_ECERT);
	assert_non_null(strstr(err.text, "the clock says"));
	assert_int_equal(
	    check(c, CHAIN_CLIENT, now + 101, &info, &err), RK_ECERT);
	assert_non_null(strstr(err.text, "ended at"));
	assert_int_equal(check(c, CHAIN_CLIENT, 0, &info, &err), RK_ECERT);
	assert_int_equal(
	    check(c, CHAIN_CLIENT, INT64_MAX, &info, &err), RK_ECERT);
	assert_int_equal(
	    check(c, CHAIN_CLIENT, INT64_MIN, &info, &err), RK_ECERT);
	certs_free(c);
	/* 9999-12-31 23:59:59, as selfy writes it; the CA ends in a day. */
	c = certs_new(w.ca, &(struct certs_opts){ .not_after = 253402300799 });
	assert_int_equal(check(c, CHAIN_CLIENT, now, &info, &err), RK_OK);
	assert_true(info.not_after == 253402300799);
	assert_int_equal(
	    check(c, CHAIN_CLIENT, now + 2 * DAY, &info, &err), RK_ECERT);
	assert_non_null(strstr(err.text, "our CA: ended at"));
	certs_free(c);
}

static void
test_revoked(void **state)
{
	const uint64_t serials[] = { 900, 5, UINT64_MAX, 7 };
	char *crl = certs_new_crl(w.ca, &(struct certs_crl){ .serials = serials,
	                                    .n = 4,
	                                    .next_update = 1000000000,
	                                    .last_update = 900000000 });
	struct rk_ident_files files = { .size = sizeof(files), .ca = "ca.crt" };
	struct rk_error err;
	size_t i;

	(void)state;
	assert_leaf(w.ca, &(struct certs_opts){ .serial = 5 }, RK_OK, "");
	/* Outdated, but what it lists counts, as soon as it is there. */
	certs_write(".", "ca.crl", crl, 0600);
	for (i = 0; i < 4; i++)
		assert_leaf(w.ca, &(struct certs_opts){ .serial = serials[i] },
		    RK_EREVOKED, "revoked");
	assert_leaf(w.ca, &(struct certs_opts){ .serial = 6 }, RK_OK, "");
	assert_leaf(w.ca, &(struct certs_opts){ .serial = 901 }, RK_OK, "");
	/* Revoked counts only for what the CA signed. */
	assert_leaf(w.twin, &(struct certs_opts){ .serial = 5 }, RK_ECERT,
	    "not signed by");
	rk_ident_free(w.id);
	assert_int_equal(rk_ident_load(&files, &w.id, &err), RK_OK);
	/* No list was named. */
	assert_leaf(w.ca, &(struct certs_opts){ .serial = 5 }, RK_OK, "");
	free(crl);
}

/* A chain is the leaf; what follows is bounded and not believed. */
static void
test_chain_bounds(void **state)
{
	struct certs_cert *c = certs_new_leaf(w.ca, "bob", NULL);
	struct rk_bytes certs[CHAIN_CERTS_MAX + 1];
	uint8_t *huge = calloc(1, CHAIN_CERT_LEN_MAX + 1);
	int64_t now = (int64_t)time(NULL);
	struct rk_cert_info info;
	struct rk_error err;
	size_t i;

	(void)state;
	assert_non_null(huge);
	for (i = 0; i <= CHAIN_CERTS_MAX; i++)
		certs[i] = i == 0 ? c->der : w.twin->der;
	assert_int_equal(chain_check(w.id, certs, CHAIN_CERTS_MAX, CHAIN_CLIENT,
	                     now, &info, &err),
	    RK_OK);
	assert_int_equal(chain_check(w.id, certs, CHAIN_CERTS_MAX + 1,
	                     CHAIN_CLIENT, now, &info, &err),
	    RK_ECERT);
	assert_int_equal(
	    chain_check(w.id, certs, 0, CHAIN_CLIENT, now, &info, &err),
	    RK_ECERT);
	certs[1] = (struct rk_bytes){ huge, CHAIN_CERT_LEN_MAX };
	assert_int_equal(
	    chain_check(w.id, certs, 2, CHAIN_CLIENT, now, &info, &err), RK_OK);
	certs[1] = (struct rk_bytes){ huge, CHAIN_CERT_LEN_MAX + 1 };
	assert_int_equal(
	    chain_check(w.id, certs, 2, CHAIN_CLIENT, now, &info, &err),
	    RK_ECERT);
	certs[1] = c->der;
	certs[0] = w.twin->der;
	assert_int_equal(
	    chain_check(w.id, certs, 2, CHAIN_CLIENT, now, &info, &err),
	    RK_ECERT);
	free(huge);
	certs_free(c);
}

/* Cut at every byte, one byte longer, and every bit flipped: never good. */
static void
test_damage(void **state)
{
	struct certs_cert *c = certs_new_leaf(w.ca, "bob", "b@x");
	int64_t now = (int64_t)time(NULL);
	struct rk_cert_info info;
	struct rk_error err;
	struct rk_bytes der;
	uint8_t *copy = NULL;
	size_t i;

	(void)state;
	for (i = 0; i <= c->der.len; i++) {
		/* In a block of its own, so that reading on is seen. */
		copy = calloc(1, i > 0 ? i : 1);
		assert_non_null(copy);
		memcpy(copy, c->der.ptr, i);
		der = (struct rk_bytes){ copy, i };
		assert_int_equal(chain_check(w.id, &der, 1, CHAIN_CLIENT, now,
		                     &info, &err) == RK_OK,
		    i == c->der.len);
		free(copy);
	}
	copy = calloc(1, c->der.len + 1);
	assert_non_null(copy);
	memcpy(copy, c->der.ptr, c->der.len);
	der = (struct rk_bytes){ copy, c->der.len + 1 };
	assert_int_equal(
	    chain_check(w.id, &der, 1, CHAIN_CLIENT, now, &info, &err),
	    RK_ECERT);
	assert_int_equal(chain_describe(der, &info, &err), RK_EFORMAT);
	der.len--;
	for (i = 0; i < 8 * der.len; i++) {
		copy[i / 8] ^= (uint8_t)(1U << i % 8);
		if (chain_check(
		        w.id, &der, 1, CHAIN_CLIENT, now, &info, &err) == RK_OK)
			fail_msg("bit %zu changed nothing", i);
		copy[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	free(copy);
	certs_free(c);
}

/* What the emails of a certificate become, and whether they are accepted. */
static void
assert_emails(
    const struct rk_str *emails, size_t n, const char *want, enum rk_err r)
{
	struct certs_cert *c = certs_new(
	    w.ca, &(struct certs_opts){ .emails = emails, .n_emails = n });
	struct rk_cert_info info;
	struct rk_error err;

	assert_int_equal(
	    check(c, CHAIN_CLIENT, (int64_t)time(NULL), &info, &err), r);
	assert_string_equal(info.email, want);
	assert_int_equal(chain_describe(c->der, &info, &err), RK_OK);
	assert_string_equal(info.email, want);
	certs_free(c);
}

static void
test_emails(void **state)
{
	const struct rk_str two[] = { STR("a@x"), STR("b@y") };
	const struct rk_str empty[] = { STR(""), STR("b@y"), STR("") };
	const struct rk_str nul[] = { STR("a@x\0.evil") };
	const struct rk_str line[] = { STR("a@x\nh pubkey@x:y") };
	const struct rk_str comma[] = { STR("a@x,b@y") };
	const struct rk_str high[] = { STR("a\xc3\xa4@x") };
	const struct rk_str space[] = { STR("a b@x") };
	const struct rk_str behind[] = { STR("a@x ") };
	const struct rk_str before[] = { STR("b@y"), STR(" a@x") };
	const struct rk_str del[] = { STR("a\x7f@x") };

	(void)state;
	assert_emails(NULL, 0, "", RK_OK);
	assert_emails(two, 2, "a@x,b@y", RK_OK);
	assert_emails(empty, 3, "b@y", RK_OK);
	assert_emails(nul, 1, "a@x\\x00.evil", RK_ECERT);
	assert_emails(line, 1, "a@x\\x0ah pubkey@x:y", RK_ECERT);
	assert_emails(comma, 1, "a@x,b@y", RK_ECERT);
	assert_emails(high, 1, "a\xc3\xa4@x", RK_ECERT);
	assert_emails(space, 1, "a b@x", RK_ECERT);
	assert_emails(behind, 1, "a@x ", RK_ECERT);
	assert_emails(before, 2, "b@y, a@x", RK_ECERT);
	assert_emails(del, 1, "a\\x7f@x", RK_ECERT);
}

static void
test_long_text(void **state)
{
	struct rk_str emails[300];
	char *big = malloc(10001);
	struct certs_cert *c = NULL;
	struct rk_cert_info info;
	struct rk_error err;
	size_t i;

	(void)state;
	assert_non_null(big);
	memset(big, 'm', 10000);
	big[10000] = '\0';
	emails[0] = (struct rk_str){ big, 10000 };
	c = certs_new(
	    w.ca, &(struct certs_opts){ .emails = emails, .n_emails = 1 });
	assert_int_equal(
	    check(c, CHAIN_CLIENT, (int64_t)time(NULL), &info, &err), RK_OK);
	assert_int_equal(strlen(info.email), sizeof(info.email) - 1);
	assert_int_equal(info.email[sizeof(info.email) - 2], '~');
	certs_free(c);
	for (i = 0; i < 300; i++)
		emails[i] = (struct rk_str){ "12@34", 5 };
	c = certs_new(
	    w.ca, &(struct certs_opts){ .emails = emails, .n_emails = 300 });
	assert_int_equal(
	    check(c, CHAIN_CLIENT, (int64_t)time(NULL), &info, &err), RK_OK);
	assert_true(strlen(info.email) < sizeof(info.email));
	assert_memory_equal(info.email, "12@34,12@34,", 12);
	assert_int_equal(info.email[strlen(info.email) - 1], '~');
	certs_free(c);
	free(big);
}

static void
test_hostile_cn(void **state)
{
	struct certs_cert *c =
	    certs_new(w.ca, &(struct certs_opts){ .cn = "a\x1b[2Jb\nc" });
	struct rk_cert_info info;
	struct rk_error err;

	(void)state;
	assert_int_equal(
	    check(c, CHAIN_CLIENT, (int64_t)time(NULL), &info, &err), RK_ECERT);
	assert_string_equal(info.cn, "a\\x1b[2Jb\\x0ac");
	assert_null(strchr(err.text, '\x1b'));
	assert_null(strchr(err.text, '\n'));
	certs_free(c);
	/* 60 characters of two bytes: the message must not cut one in two. */
	c = certs_new(NULL,
	    &(struct certs_opts){
	        .cn = "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	              "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	              "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	              "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	              "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	              "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	              "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	              "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
	              "x" });
	assert_int_equal(
	    check(c, CHAIN_CLIENT, (int64_t)time(NULL), &info, &err), RK_ECERT);
	assert_non_null(strstr(err.text, "\xc3\xa4~\": not signed by"));
	certs_free(c);
}

/* Described without being believed; another kind of key is said to be one. */
static void
test_describe(void **state)
{
	struct certs_cert *c = certs_new(
	    NULL, &(struct certs_opts){
	              .cn = "ec", .key = CERTS_P256, .serial = 0xabcdef });
	static const char zeros[RK_KEY_PUBLIC_LEN];
	struct rk_cert_info info;
	struct rk_error err;

	(void)state;
	assert_int_equal(chain_describe(c->der, &info, &err), RK_EUNSUPPORTED);
	assert_string_equal(info.cn, "ec");
	assert_string_equal(info.serial, "abcdef");
	assert_string_equal(info.fp, "");
	assert_memory_equal(info.pub, zeros, sizeof(zeros));
	assert_int_equal(
	    chain_describe((struct rk_bytes){ NULL, 0 }, &info, &err),
	    RK_EFORMAT);
	certs_free(c);
}

#define IN_WORLD(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(test_good),
		IN_WORLD(test_reasons),
		IN_WORLD(test_ca_as_peer),
		IN_WORLD(test_usage),
		IN_WORLD(test_dates),
		IN_WORLD(test_revoked),
		IN_WORLD(test_chain_bounds),
		IN_WORLD(test_damage),
		IN_WORLD(test_emails),
		IN_WORLD(test_long_text),
		IN_WORLD(test_hostile_cn),
		IN_WORLD(test_describe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
