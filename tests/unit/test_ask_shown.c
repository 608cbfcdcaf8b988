/* What is shown of keys, and said of orders about them, with a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "asklist.h"
#include "failvfs.h"
#include "scratch.h"
#include "trust/policy.h"

static int
enter(void **state)
{
	int r = scratch_enter(state);

	failvfs_register();
	failvfs_set(-1, 0);
	scratch_make("k", "", 0600);
	return r;
}

/* What was seen of a known key is not forgotten when it is put out. */
static void
test_put_out(void **state)
{
	static const enum rk_ask_verb verbs[] = { RK_ASK_REJECT,
		RK_ASK_REVOKE };
	struct rk_peer peer = ask_peer(1);
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct rk_ask_entry before, e;

	(void)state;
	peer.cert.not_after = 4102444800;
	(void)snprintf(peer.cert.serial, sizeof(peer.cert.serial), "0a");
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	before = ask_only_entry(t);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		assert_int_equal(ask_order(t, verbs[i], 1), RK_OK);
		e = ask_only_entry(t);
		assert_int_equal(e.tries, 1);
		assert_int_equal(e.first_seen, before.first_seen);
		assert_true(e.last_seen >= before.last_seen);
		assert_string_equal(e.ca, before.ca);
		assert_string_equal(e.email, before.email);
		assert_int_equal(e.cert_until, 4102444800);
		assert_string_equal(e.addresses[0], "127.0.0.1");
		assert_int_not_equal(e.decided, 0);
		assert_true(e.version > before.version);
	}
	rk_trust_free(t);
}

struct findings {
	unsigned wrong;
	char text[RK_ERROR_TEXT_LEN]; /* of the last of these */
};

/* policy_finding_fn */
static void
keep_finding(bool wrong, const char *text, void *arg)
{
	struct findings *f = arg;

	if (!wrong)
		return;
	f->wrong++;
	(void)snprintf(f->text, sizeof(f->text), "%s", text);
}

/* Where no decision can be written a look at list and store says so. */
static void
test_check_full(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct findings f = { 0 };

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(policy_check(t, keep_finding, &f), RK_OK);
	assert_int_equal(f.wrong, 0);
	failvfs_set(0, SQLITE_FULL);
	assert_int_equal(policy_check(t, keep_finding, &f), RK_OK);
	failvfs_set(-1, 0);
	assert_int_equal(f.wrong, 1);
	assert_non_null(strstr(f.text, "k.db: no space left"));
	/* It was no more than a try. */
	f.wrong = 0;
	assert_int_equal(policy_check(t, keep_finding, &f), RK_OK);
	assert_int_equal(f.wrong, 0);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	rk_trust_free(t);
}

/* What is wrong with the list is so of both, and said once. */
static void
test_check_once(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct findings f = { 0 };

	(void)state;
	scratch_make("k", "damaged\n", 0600);
	assert_int_equal(policy_check(t, keep_finding, &f), RK_OK);
	assert_int_equal(f.wrong, 1);
	rk_trust_free(t);
}

static void
keep_note(bool wrong, const char *text, void *arg)
{
	struct findings *f = arg;
	const size_t n = strlen(f->text);

	f->wrong += wrong;
	(void)snprintf(f->text + n, sizeof(f->text) - n, "%s;", text);
}

static void
count_line(const char *fp, const char *emails, const char *host, void *arg)
{
	(void)fp;
	(void)emails;
	(void)host;
	++*(unsigned *)arg;
}

/* A key that has two lines is one; and a last line without its newline. */
static void
test_check_lines(void **state)
{
	const struct rk_peer peer = ask_peer(1);
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct findings f = { 0 };
	char id[RK_KEY_ID_LEN], text[512];
	enum rk_trust_state list;
	unsigned n = 0;
	size_t keys;

	(void)state;
	rk_key_id(peer.cert.pub, id);
	(void)snprintf(text, sizeof(text), "- %s:a@x\nh %s:a@x", id, id);
	scratch_make("k", text, 0600);
	assert_int_equal(policy_check(t, keep_note, &f), RK_OK);
	assert_int_equal(f.wrong, 0);
	assert_non_null(strstr(f.text, "k: lines whose key has another one"));
	assert_non_null(strstr(f.text, "k: its last line has no newline"));
	assert_int_equal(rk_trust_inspect(t, &list, &keys, NULL), RK_OK);
	assert_int_equal(keys, 1);
	assert_int_equal(policy_each_known(t, count_line, &n, NULL), RK_OK);
	assert_int_equal(n, 1);
	rk_trust_free(t);
}

/* policy_known_fn */
static void
keep_email(const char *fp, const char *emails, const char *host, void *arg)
{
	(void)fp;
	(void)host;
	(void)snprintf(arg, 256, "%s", emails);
}

/* An address looks the same before and after it is let in. */
static void
test_same_email(void **state)
{
	static const char *const emails[] = { "a%20b@x.example",
		"plain@x.example", "\303\244@x.example", "a\\x01@x.example" };
	struct rk_trust *t = NULL;
	struct rk_peer peer;
	char before[256], known[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(emails) / sizeof(emails[0]); i++) {
		scratch_make("k", "", 0600);
		t = ask_list("", RK_TRUST_ASK);
		peer = ask_peer_at(1, emails[i], "tls://127.0.0.1:1");
		assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
		(void)snprintf(
		    before, sizeof(before), "%s", ask_only_entry(t).email);
		assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
		assert_int_equal(
		    policy_each_known(t, keep_email, known, NULL), RK_OK);
		assert_string_equal(known, before);
		rk_trust_free(t);
	}
}

/* Of two who let the same key in the second is told what became of it. */
static void
test_two_approve(void **state)
{
	static const enum rk_ask_verb verbs[] = { RK_ASK_APPROVE,
		RK_ASK_APPROVE_ONCE };
	struct rk_peer peer = ask_peer(1);
	struct rk_ask_order o = { .size = sizeof(o), .key = peer.cert.fp };
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct rk_error err;

	(void)state;
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	o.version = ask_only_entry(t).version;
	assert_int_not_equal(o.version, 0);
	assert_int_equal(rk_trust_order(t, &o, NULL, NULL), RK_OK);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		o.verb = verbs[i];
		assert_int_equal(rk_trust_order(t, &o, NULL, &err), RK_ESTATE);
		assert_non_null(
		    strstr(err.text, "something else was decided meanwhile"));
	}
	/* Who has not looked is told what it is. */
	o.version = 0;
	assert_int_equal(rk_trust_order(t, &o, NULL, &err), RK_ESTATE);
	assert_non_null(strstr(err.text, "is known already"));
	/* Nobody's key is still no key. */
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 2), RK_ENOENT);
	rk_trust_free(t);
}

/* Who began before another decided about the key is refused, and told by whom,
 * unless that is the same.  One approval for a time is not like another. */
static void
test_began_before(void **state)
{
	static const struct {
		enum rk_ask_verb verb;
		const char *who;
		uint64_t begun;
		enum rk_err r;
		const char *said;
	} steps[] = {
		{ RK_ASK_APPROVE_UNTIL, "ann", 1, RK_OK, "" },
		{ RK_ASK_APPROVE_UNTIL, "bob", 1, RK_ESTATE,
		    "approved for a time by ann" },
		{ RK_ASK_REJECT, "bob", 1, RK_ESTATE,
		    "approved for a time by ann" },
		{ RK_ASK_APPROVE_UNTIL, "bob", UINT64_MAX, RK_OK, "" },
		{ RK_ASK_REJECT, "bob", UINT64_MAX, RK_OK, "" },
		{ RK_ASK_REJECT, "ann", 1, RK_OK, "" },
		{ RK_ASK_FORGET, "bob", 1, RK_ESTATE, "rejected by ann" },
	};
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	const struct rk_peer peer = ask_peer(1);

	(void)state;
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const bool until = steps[i].verb == RK_ASK_APPROVE_UNTIL;
		const struct rk_ask_order o = { .size = sizeof(o),
			.verb = steps[i].verb,
			.key = peer.cert.fp,
			.who = steps[i].who,
			.until = until ? time(NULL) + 3600 : 0,
			.begun = steps[i].begun };
		struct rk_error err = { 0 };

		assert_int_equal(rk_trust_order(t, &o, NULL, &err), steps[i].r);
		assert_non_null(strstr(err.text, steps[i].said));
	}
	rk_trust_free(t);
}

int
main(void)
{
#define UNIT(f) cmocka_unit_test_setup_teardown(f, enter, scratch_leave)
	const struct CMUnitTest tests[] = {
		UNIT(test_put_out),
		UNIT(test_two_approve),
		UNIT(test_began_before),
		UNIT(test_same_email),
		UNIT(test_check_full),
		UNIT(test_check_once),
		UNIT(test_check_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
