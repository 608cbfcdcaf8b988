/* The rule asked rule by rule, as tools do: every answer, and no verdict but
 * the one of connections (which test_chain.c compares, case by case). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rpckit/cert.h>

#include "certs.h"

#define BIT(rule) (1u << (rule))
#define DAY 86400

static struct certs_cert *ca;

static int
set_up(void **state)
{
	(void)state;
	ca = certs_new_ca("test CA");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	certs_free(ca);
	return 0;
}

static void
ask(struct rk_bytes cert, struct rk_bytes crl, int64_t now,
    struct rk_cert_report *out)
{
	struct rk_cert_question q = { .size = sizeof(q),
		.cert = cert,
		.ca = ca->der,
		.crl = crl,
		.now = now };
	struct rk_error err;

	if (rk_cert_check(&q, out, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_int_equal(err.code, RK_OK);
}

/* Exactly these fail, each with a reason of its own. */
static void
assert_bad(const struct certs_opts *opts, const struct certs_cert *issuer,
    unsigned bad)
{
	struct certs_cert *c = certs_new(issuer, opts);
	struct rk_cert_report report;

	ask(c->der, (struct rk_bytes){ 0 }, time(NULL), &report);
	for (unsigned i = 0; i < RK_CERT_RULES; i++) {
		bool is_bad = report.rules[i].code != RK_OK;

		if (is_bad != ((bad & BIT(i)) != 0))
			fail_msg("rule %u: %d: \"%s\"", i, report.rules[i].code,
			    report.rules[i].text);
		assert_int_equal(is_bad, report.rules[i].text[0] != '\0');
	}
	assert_string_equal(report.info.issuer_cn, "test CA");
	certs_free(c);
}

static void
test_each_rule(void **state)
{
	static const struct rk_str comma = { "a,c@b", 5 };
	struct certs_cert *twin = certs_new_ca("test CA");
	int64_t now = (int64_t)time(NULL);

	(void)state;
	assert_bad(&(struct certs_opts){ 0 }, ca, 0);
	assert_bad(&(struct certs_opts){ .strange_critical = true }, ca,
	    BIT(RK_CERT_EXTENSIONS));
	assert_bad(
	    &(struct certs_opts){ .key = CERTS_P256 }, ca, BIT(RK_CERT_KEY));
	assert_bad(&(struct certs_opts){ .key = CERTS_SMALL_ORDER }, ca,
	    BIT(RK_CERT_KEY));
	assert_bad(&(struct certs_opts){ .ca = true }, ca, BIT(RK_CERT_KIND));
	assert_bad(&(struct certs_opts){ .emails = &comma, .n_emails = 1 }, ca,
	    BIT(RK_CERT_TEXT));
	assert_bad(&(struct certs_opts){ .usage = "critical,keyAgreement" }, ca,
	    BIT(RK_CERT_SIGNS));
	assert_bad(&(struct certs_opts){ 0 }, twin, BIT(RK_CERT_ISSUER));
	assert_bad(
	    &(struct certs_opts){ .garbled = true }, ca, BIT(RK_CERT_ISSUER));
	assert_bad(&(struct certs_opts){ .not_before = now + 1000,
	               .not_after = now + 2000 },
	    ca, BIT(RK_CERT_BEGUN));
	assert_bad(&(struct certs_opts){ .not_before = now - 2000,
	               .not_after = now - 1000 },
	    ca, BIT(RK_CERT_NOT_ENDED));
	assert_bad(&(struct certs_opts){ .ext_usage = "serverAuth" }, ca,
	    BIT(RK_CERT_CLIENT));
	assert_bad(&(struct certs_opts){ .ext_usage = "clientAuth" }, ca,
	    BIT(RK_CERT_SERVER));
	/* One fault hides no other. */
	assert_bad(&(struct certs_opts){ .ext_usage = "codeSigning",
	               .key = CERTS_P256,
	               .garbled = true,
	               .not_before = now - 2000,
	               .not_after = now - 1000 },
	    ca,
	    BIT(RK_CERT_CLIENT) | BIT(RK_CERT_SERVER) | BIT(RK_CERT_KEY) |
	        BIT(RK_CERT_ISSUER) | BIT(RK_CERT_NOT_ENDED));
	certs_free(twin);
}

static void
test_dates_of_the_ca(void **state)
{
	struct certs_cert *c = certs_new_leaf(ca, "x", NULL);
	struct rk_cert_report report;
	struct rk_error err;
	int64_t late = (int64_t)time(NULL) + 400 * DAY * 10;

	(void)state;
	ask(c->der, (struct rk_bytes){ 0 }, late, &report);
	assert_int_equal(report.rules[RK_CERT_CA_DATES].code, RK_ECERT);
	ask(c->der, (struct rk_bytes){ 0 }, 1000, &report);
	assert_int_equal(report.rules[RK_CERT_CA_DATES].code, RK_ECERT);
	assert_int_equal(
	    rk_cert_check_ca(ca->der, "f\n", (int64_t)time(NULL), &err), RK_OK);
	assert_int_equal(
	    rk_cert_check_ca(ca->der, "f\n", late, &err), RK_ECERT);
	assert_int_equal(memcmp(err.text, "f\\x0a: ended at", 14), 0);
	assert_int_equal(rk_cert_check_ca(ca->der, "f", 1000, &err), RK_ECERT);
	assert_non_null(strstr(err.text, "is valid from"));
	certs_free(c);
}

/* The list as DER; free() it. */
static struct rk_bytes
new_crl(
    const struct certs_cert *of, const struct certs_crl *opts, uint8_t **mem)
{
	char *pem = certs_new_crl(of, opts);
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509_CRL *crl = PEM_read_bio_X509_CRL(bio, NULL, NULL, NULL);
	int len;

	*mem = NULL;
	assert_non_null(crl);
	len = i2d_X509_CRL(crl, mem);
	assert_true(len > 0);
	X509_CRL_free(crl);
	BIO_free(bio);
	free(pem);
	return (struct rk_bytes){ *mem, (size_t)len };
}

static enum rk_err
with_crl(const struct certs_cert *of, const struct certs_crl *opts)
{
	struct certs_cert *c =
	    certs_new(ca, &(struct certs_opts){ .serial = 7 });
	struct rk_cert_report report;
	struct rk_error err;
	uint8_t *mem;
	struct rk_bytes crl = new_crl(of, opts, &mem);
	enum rk_err r;

	ask(c->der, crl, time(NULL), &report);
	r = rk_cert_check_crl(ca->der, crl, "list", &err);
	assert_int_equal(
	    r == RK_OK, report.rules[RK_CERT_REVOKED].code != RK_ECERT);
	if (r != RK_OK)
		assert_int_equal(memcmp(err.text, "list: ", 6), 0);
	free(mem);
	certs_free(c);
	return report.rules[RK_CERT_REVOKED].code;
}

static void
test_lists(void **state)
{
	static const uint64_t it[] = { 3, 7 };
	static const uint64_t others[] = { 3, 8 };
	struct certs_cert *twin = certs_new_ca("test CA");

	(void)state;
	assert_int_equal(
	    with_crl(ca, &(struct certs_crl){ .serials = others, .n = 2 }),
	    RK_OK);
	assert_int_equal(
	    with_crl(ca, &(struct certs_crl){ .serials = it, .n = 2 }),
	    RK_EREVOKED);
	/* Overdue, it counts all the same. */
	assert_int_equal(with_crl(ca, &(struct certs_crl){ .serials = it,
	                                  .n = 2,
	                                  .last_update = 1000000,
	                                  .next_update = 2000000 }),
	    RK_EREVOKED);
	/* One that cannot be relied on is not "nobody". */
	assert_int_equal(
	    with_crl(twin, &(struct certs_crl){ .n = 0 }), RK_ECERT);
	assert_int_equal(
	    with_crl(ca, &(struct certs_crl){ .strange_critical = true }),
	    RK_ECERT);
	certs_free(twin);
}

static void
test_unfit_questions(void **state)
{
	struct certs_cert *leaf = certs_new_leaf(ca, "x", NULL);
	struct rk_cert_question q = {
		.size = sizeof(q), .cert = leaf->der, .ca = leaf->der
	};
	struct rk_cert_report report;
	struct rk_error err;
	static const uint8_t zeros[20000];
	size_t len;

	(void)state;
	assert_int_equal(rk_cert_check(&q, &report, &err), RK_ECERT);
	assert_non_null(strstr(err.text, "not the certificate of a CA"));
	q.ca = ca->der;
	q.size--;
	assert_int_equal(rk_cert_check(&q, &report, &err), RK_EINVAL);
	/* What cannot be read fails by that rule alone. */
	for (len = 0; len < leaf->der.len; len++) {
		ask((struct rk_bytes){ leaf->der.ptr, len },
		    (struct rk_bytes){ 0 }, time(NULL), &report);
		assert_int_equal(report.rules[RK_CERT_READABLE].code, RK_ECERT);
		for (int i = 1; i < RK_CERT_RULES; i++)
			assert_int_equal(report.rules[i].code, RK_ESTATE);
	}
	ask((struct rk_bytes){ zeros, sizeof(zeros) }, (struct rk_bytes){ 0 },
	    time(NULL), &report);
	assert_int_equal(report.rules[RK_CERT_READABLE].code, RK_ECERT);
	certs_free(leaf);
}

#define WITH_CA(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CA(test_each_rule),
		WITH_CA(test_dates_of_the_ca),
		WITH_CA(test_lists),
		WITH_CA(test_unfit_questions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
