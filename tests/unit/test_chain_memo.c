/* Leaves let through before: what is remembered, what is judged each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/x509.h>

#include "certs.h"
#include "scratch.h"
#include "trust/chain.h"
#include "trust/chain_memo.h"
#include "trust/ident.h"

#define DAY 86400

struct world {
	struct certs_cert *ca;
	struct rk_ident *id;
	int64_t now;
};

static struct world w;

static int
set_up(void **state)
{
	struct rk_error err;

	if (scratch_enter(state) != 0)
		return -1;
	w.now = (int64_t)time(NULL);
	w.ca = certs_new_ca("test CA");
	certs_write(".", "ca.crt", w.ca->pem, 0600);
	return rk_ident_load_dir(".", NULL, NULL, NULL, &w.id, &err) == RK_OK
	           ? 0
	           : -1;
}

static int
tear_down(void **state)
{
	rk_ident_free(w.id);
	certs_free(w.ca);
	return scratch_leave(state);
}

static bool
is_known(struct rk_bytes leaf, enum chain_usage usage)
{
	struct rk_cert_info info;

	return chain_recall(w.id, leaf, usage, &info);
}

/* An identity that has seen nothing yet and the one that may remember say the
 * same to the letter. */
static void
assert_judged(const struct certs_cert *c, enum chain_usage usage, int64_t now,
    enum rk_err want, const char *words)
{
	struct rk_ident_files files = {
		.size = sizeof(files), .ca = "ca.crt", .crl = "ca.crl"
	};
	struct rk_ident *fresh = NULL;
	struct rk_cert_info info[2];
	struct rk_error err[2];

	assert_int_equal(
	    chain_check(w.id, &c->der, 1, usage, now, &info[0], &err[0]), want);
	if (strstr(err[0].text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err[0].text, words);
	if (want == RK_EIO) /* a new identity has not seen the list */
		return;
	assert_int_equal(rk_ident_load(&files, &fresh, &err[1]), RK_OK);
	assert_int_equal(
	    chain_check(fresh, &c->der, 1, usage, now, &info[1], &err[1]),
	    want);
	assert_string_equal(err[0].text, err[1].text);
	assert_memory_equal(&info[0], &info[1], sizeof(info[0]));
	rk_ident_free(fresh);
}

/* ---- the store ---- */

static struct chain_memo_key
key_of(uint8_t n)
{
	struct rk_bytes leaf = { &n, 1 };
	struct chain_memo_key key;

	chain_memo_key(leaf, CHAIN_CLIENT, &key);
	return key;
}

static void
put(struct chain_memo *memo, uint8_t n)
{
	struct chain_memo_key key = key_of(n);
	struct chain_memory m = { .serial = { n }, .serial_len = 1 };

	chain_memo_put(memo, &key, &m);
}

static bool
has(struct chain_memo *memo, uint8_t n)
{
	struct chain_memo_key key = key_of(n);
	struct chain_memory m = { 0 };

	if (!chain_memo_find(memo, &key, &m))
		return false;
	assert_int_equal(m.serial[0], n);
	return true;
}

static void
test_bound(void **state)
{
	struct chain_memo *memo = chain_memo_new();

	(void)state;
	assert_non_null(memo);
	assert_false(has(memo, 0));
	for (int i = 0; i < CHAIN_MEMO_MAX; i++)
		put(memo, (uint8_t)i);
	for (int i = 0; i < CHAIN_MEMO_MAX; i++) /* often is once */
		put(memo, 5);
	for (int i = CHAIN_MEMO_MAX - 1; i >= 0; i--)
		assert_true(has(memo, (uint8_t)i));
	/* Asked for, and put again: both count.  63 is now the oldest. */
	assert_true(has(memo, 62));
	put(memo, 61);
	put(memo, 200);
	assert_false(has(memo, 63));
	put(memo, 201);
	assert_false(has(memo, 60));
	for (int i = 0; i < 60; i++)
		assert_true(has(memo, (uint8_t)i));
	assert_true(has(memo, 61) && has(memo, 62));
	assert_true(has(memo, 200) && has(memo, 201));
	chain_memo_free(memo);
}

static void
test_usage_is_key(void **state)
{
	struct chain_memo *memo = chain_memo_new();
	struct chain_memo_key key = key_of(1);
	struct chain_memory m;

	(void)state;
	assert_non_null(memo);
	put(memo, 1);
	key.usage = CHAIN_SERVER;
	assert_false(chain_memo_find(memo, &key, &m));
	chain_memo_free(memo);
}

/* Numbers as lists hold them; unusual ones are not remembered. */
static void
test_serial(void **state)
{
	struct rk_cert_info info = { .cn = "x" };
	uint8_t bytes[CHAIN_SERIAL_MAX + 1];
	struct chain_memory m;
	X509 *x = X509_new();

	(void)state;
	assert_non_null(x);
	memset(bytes, 0x7f, sizeof(bytes));
	for (int len = 1; len <= CHAIN_SERIAL_MAX + 1; len++) {
		ASN1_INTEGER *was = X509_get_serialNumber(x);
		ASN1_INTEGER *is = NULL;

		assert_int_equal(ASN1_STRING_set(was, bytes, len), 1);
		assert_int_equal(
		    chain_memory_make(x, &info, &m), len <= CHAIN_SERIAL_MAX);
		if (len > CHAIN_SERIAL_MAX)
			break;
		is = chain_memory_serial(&m);
		assert_non_null(is);
		assert_int_equal(ASN1_INTEGER_cmp(was, is), 0);
		assert_string_equal(m.info.cn, "x");
		ASN1_INTEGER_free(is);
	}
	assert_int_equal(
	    ASN1_INTEGER_set_int64(X509_get_serialNumber(x), -5), 1);
	assert_false(chain_memory_make(x, &info, &m));
	X509_free(x);
}

/* ---- the rule, with and without ---- */

static void
test_only_good(void **state)
{
	static const struct certs_opts bad[] = { { .garbled = true },
		{ .ca = true }, { .key = CERTS_P256 },
		{ .key = CERTS_SMALL_ORDER }, { .strange_critical = true },
		{ .usage = "critical,keyEncipherment" },
		{ .ext_usage = "serverAuth" }, { .not_after = 1000000000 },
		{ .not_before = 4000000000 }, { .cn = "a\nb" } };
	struct certs_cert *c = certs_new_leaf(w.ca, "bob", NULL);

	(void)state;
	assert_false(is_known(c->der, CHAIN_CLIENT));
	for (int i = 0; i < 2; i++) {
		assert_judged(c, CHAIN_CLIENT, w.now, RK_OK, "");
		assert_true(is_known(c->der, CHAIN_CLIENT));
		assert_false(is_known(c->der, CHAIN_SERVER));
	}
	certs_free(c);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		c = certs_new(w.ca, &bad[i]);
		for (int n = 0; n < 2; n++) {
			assert_judged(c, CHAIN_CLIENT, w.now, RK_ECERT, "");
			assert_false(is_known(c->der, CHAIN_CLIENT));
		}
		certs_free(c);
	}
}

/* What was good for one use is asked anew for the other. */
static void
test_usage(void **state)
{
	struct certs_cert *c =
	    certs_new(w.ca, &(struct certs_opts){ .ext_usage = "clientAuth" });

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_judged(c, CHAIN_CLIENT, w.now, RK_OK, "");
		assert_judged(
		    c, CHAIN_SERVER, w.now, RK_ECERT, "not made for a server");
	}
	certs_free(c);
}

static void
test_dates(void **state)
{
	struct certs_cert *c = certs_new(w.ca, &(struct certs_opts){
	                                           .not_before = w.now,
	                                           .not_after = w.now + 9,
	                                       });
	struct certs_cert *longer =
	    certs_new(w.ca, &(struct certs_opts){ .not_before = 1000000000,
	                        .not_after = w.now + 9 * DAY });

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_judged(c, CHAIN_CLIENT, w.now, RK_OK, "");
		assert_true(is_known(c->der, CHAIN_CLIENT));
		assert_judged(c, CHAIN_CLIENT, w.now + 9, RK_OK, "");
		assert_judged(
		    c, CHAIN_CLIENT, w.now + 10, RK_ECERT, "ended at");
		assert_judged(
		    c, CHAIN_CLIENT, w.now - 1, RK_ECERT, "the clock says");
	}
	certs_free(c);
	/* The CA has its own; a clock that goes back is no way round. */
	for (int i = 0; i < 2; i++) {
		assert_judged(longer, CHAIN_CLIENT, w.now, RK_OK, "");
		assert_judged(longer, CHAIN_CLIENT, w.now + 2 * DAY, RK_ECERT,
		    "our CA: ended at");
		assert_judged(longer, CHAIN_CLIENT, w.now - 2 * DAY, RK_ECERT,
		    "our CA: is valid from");
	}
	certs_free(longer);
}

static void
write_list(const uint64_t *serials, size_t n)
{
	char *crl = certs_new_crl(
	    w.ca, &(struct certs_crl){ .serials = serials, .n = n });

	certs_write(".", "next", crl, 0600);
	assert_int_equal(rename("next", "ca.crl"), 0);
	free(crl);
}

static void
test_revoked_later(void **state)
{
	const uint64_t serials[] = { UINT64_MAX, 5, 128 };
	struct certs_cert *c[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		c[i] =
		    certs_new(w.ca, &(struct certs_opts){ .serial = serials[i],
		                        .not_after = w.now + 9 });
		assert_judged(c[i], CHAIN_CLIENT, w.now, RK_OK, "");
	}
	write_list(serials, 3);
	for (int i = 0; i < 3; i++) {
		assert_true(is_known(c[i]->der, CHAIN_CLIENT));
		assert_judged(
		    c[i], CHAIN_CLIENT, w.now, RK_EREVOKED, "revoked (serial");
		/* In the documented order: the list before the dates. */
		assert_judged(
		    c[i], CHAIN_CLIENT, w.now + 10, RK_EREVOKED, "revoked");
	}
	write_list(serials, 1);
	assert_judged(c[0], CHAIN_CLIENT, w.now, RK_EREVOKED, "revoked");
	assert_judged(c[1], CHAIN_CLIENT, w.now, RK_OK, "");
	for (int i = 0; i < 3; i++)
		certs_free(c[i]);
}

/* A list that cannot be relied on lets nobody in, known or not. */
static void
test_list_lost(void **state)
{
	const uint64_t serial = 5;
	struct certs_cert *c =
	    certs_new(w.ca, &(struct certs_opts){ .serial = 6 });
	struct rk_cert_info info;
	struct rk_error err;

	(void)state;
	write_list(&serial, 1);
	assert_judged(c, CHAIN_CLIENT, w.now, RK_OK, "");
	assert_int_equal(unlink("ca.crl"), 0);
	assert_true(is_known(c->der, CHAIN_CLIENT));
	for (int i = 0; i < 2; i++)
		assert_judged(c, CHAIN_CLIENT, w.now, RK_EIO, "gone");
	certs_write(".", "ca.crl", w.ca->pem, 0600);
	assert_int_equal(
	    chain_check(w.id, &c->der, 1, CHAIN_CLIENT, w.now, &info, &err),
	    RK_EFORMAT);
	assert_non_null(strstr(err.text, "holds no revocation"));
	assert_string_equal(info.cn, ""); /* nobody has looked at it */
	write_list(&serial, 1);
	assert_judged(c, CHAIN_CLIENT, w.now, RK_OK, "");
	certs_free(c);
}

/* One byte, or a second certificate: not what was seen. */
static void
test_other(void **state)
{
	struct certs_cert *c = certs_new_leaf(w.ca, "bob", NULL);
	struct certs_cert *d = certs_new_leaf(w.ca, "eve", NULL);
	struct rk_bytes two[] = { d->der, c->der };
	struct rk_bytes der = { NULL, c->der.len };
	uint8_t *copy = malloc(c->der.len);
	struct rk_cert_info info;
	struct rk_error err;

	(void)state;
	assert_non_null(copy);
	memcpy(copy, c->der.ptr, c->der.len);
	der.ptr = copy;
	assert_judged(c, CHAIN_CLIENT, w.now, RK_OK, "");
	assert_true(is_known(der, CHAIN_CLIENT));
	for (size_t i = 0; i < der.len; i++) {
		copy[i] ^= 1;
		assert_false(is_known(der, CHAIN_CLIENT));
		assert_int_not_equal(chain_check(w.id, &der, 1, CHAIN_CLIENT,
		                         w.now, &info, &err),
		    RK_OK);
		assert_false(is_known(der, CHAIN_CLIENT));
		copy[i] ^= 1;
	}
	der.len--;
	assert_false(is_known(der, CHAIN_CLIENT));
	assert_int_equal(
	    chain_check(w.id, two, 2, CHAIN_CLIENT, w.now, &info, &err), RK_OK);
	assert_string_equal(info.cn, "eve");
	assert_false(is_known(d->der, CHAIN_CLIENT));
	free(copy);
	certs_free(d);
	certs_free(c);
}

/* ---- threads ---- */

#define THREADS 4
#define LEAVES (CHAIN_MEMO_MAX + 6)
#define REVOKED 3

struct worker {
	pthread_t thread;
	struct certs_cert **leaves;
	int first;
	bool ok;
};

static void *
judge_all(void *arg)
{
	struct worker *me = arg;
	struct rk_cert_info info;
	struct rk_error err;

	me->ok = true;
	for (int i = 0; i < 4 * LEAVES && me->ok; i++) {
		/* Some often, so that there is much to find. */
		int n = (me->first + (i % 2 == 0 ? i : i % 8)) % LEAVES;
		enum rk_err want = n == REVOKED ? RK_EREVOKED : RK_OK;
		enum chain_usage usage =
		    i % 3 == 0 ? CHAIN_SERVER : CHAIN_CLIENT;

		me->ok =
		    chain_check(w.id, &me->leaves[n]->der, 1, usage, w.now,
		        &info, &err) == want &&
		    memcmp(info.pub, me->leaves[n]->pub, sizeof(info.pub)) == 0;
	}
	return NULL;
}

/* More leaves than are remembered, while the list is replaced. */
static void
test_threads(void **state)
{
	const uint64_t serial = 100 + REVOKED;
	struct certs_cert *leaves[LEAVES];
	struct worker workers[THREADS];

	(void)state;
	write_list(&serial, 1);
	for (unsigned i = 0; i < LEAVES; i++)
		leaves[i] =
		    certs_new(w.ca, &(struct certs_opts){ .serial = 100 + i });
	for (int i = 0; i < THREADS; i++) {
		workers[i] =
		    (struct worker){ .leaves = leaves, .first = 7 * i };
		assert_int_equal(pthread_create(&workers[i].thread, NULL,
		                     judge_all, &workers[i]),
		    0);
	}
	for (int i = 0; i < 5; i++)
		write_list(&serial, 1);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
		assert_true(workers[i].ok);
	}
	for (int i = 0; i < LEAVES; i++)
		certs_free(leaves[i]);
}

#define IN_WORLD(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_usage_is_key),
		cmocka_unit_test(test_serial),
		IN_WORLD(test_only_good),
		IN_WORLD(test_usage),
		IN_WORLD(test_dates),
		IN_WORLD(test_revoked_later),
		IN_WORLD(test_list_lost),
		IN_WORLD(test_other),
		IN_WORLD(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
