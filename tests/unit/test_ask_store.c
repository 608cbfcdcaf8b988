/* A store behind the keys that wait: asked, told, and obeyed when it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "asklist.h"
#include "base/error.h"
#include "scratch.h"
#include "trust/policy.h"

struct shelf {
	struct rk_ask_entry kept; /* of one key */
	bool has;
	enum rk_err fails;
	unsigned seen;
	unsigned decided;
};

static enum rk_err
shelf_fails(const struct shelf *s, struct rk_error *err)
{
	return err_set(err, s->fails, "the shelf");
}

static enum rk_err
shelf_load(
    void *arg, const char *fp, struct rk_ask_entry *out, struct rk_error *err)
{
	struct shelf *s = arg;

	if (s->fails != RK_OK)
		return shelf_fails(s, err);
	if (!s->has || strcmp(fp, s->kept.fp) != 0)
		return RK_ENOENT;
	*out = s->kept;
	return RK_OK;
}

static enum rk_err
shelf_seen(void *arg, const struct rk_ask_entry *e, struct rk_error *err)
{
	struct shelf *s = arg;

	s->seen++;
	s->kept = *e;
	s->has = true;
	return s->fails != RK_OK ? shelf_fails(s, err) : RK_OK;
}

static enum rk_err
shelf_decide(void *arg, const struct rk_ask_order *o,
    const struct rk_ask_entry *e, const struct rk_ask_entry *by,
    struct rk_error *err)
{
	const enum rk_ask_verb verb = o->verb;
	struct shelf *s = arg;

	(void)by;
	if (s->fails != RK_OK)
		return shelf_fails(s, err);
	s->decided++;
	s->kept = *e;
	s->kept.status =
	    verb == RK_ASK_REVOKE ? RK_ASK_REVOKED : RK_ASK_REJECTED;
	s->has = verb == RK_ASK_REVOKE || verb == RK_ASK_REJECT;
	return RK_OK;
}

static void
test_store(void **state)
{
	struct shelf shelf = { .fails = RK_OK };
	const struct ask_store store = { .load = shelf_load,
		.seen = shelf_seen,
		.decide = shelf_decide,
		.arg = &shelf };
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);

	(void)state;
	policy_set_store(t, &store);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(shelf.seen, 1);
	assert_int_equal(ask_order(t, RK_ASK_REVOKE, 1), RK_OK);
	assert_int_equal(shelf.decided, 1);
	/* What it cannot write is not decided. */
	shelf.fails = RK_EIO;
	assert_int_equal(ask_order(t, RK_ASK_FORGET, 1), RK_EIO);
	assert_int_equal(ask_come_as(t, 1), RK_EREVOKED);
	assert_int_equal(ask_come_as(t, 2), RK_EIO);
	assert_int_equal(ask_count(t), 1);
	rk_trust_free(t);
	/* After a restart. */
	shelf.fails = RK_OK;
	t = ask_list("", RK_TRUST_FILE);
	policy_set_store(t, &store);
	assert_int_equal(ask_come_as(t, 1), RK_EREVOKED);
	assert_int_equal(ask_come_as(t, 2), RK_OK);
	rk_trust_free(t);
}

/* Between the look and the use another process was faster. */
static enum rk_err
shelf_use(void *arg, const struct rk_ask_entry *e, struct rk_error *err)
{
	(void)arg;
	(void)e;
	(void)err;
	return RK_EAGAIN;
}

/* What is used up makes it wait, and no known key. */
static void
test_used_up(void **state)
{
	static const enum rk_trust_mode modes[] = { RK_TRUST_ASK,
		RK_TRUST_ACCEPT_NEW };
	struct shelf shelf = { .has = true };
	const struct ask_store store = {
		.load = shelf_load, .use = shelf_use, .arg = &shelf
	};
	struct rk_peer peer = ask_peer(1);
	struct rk_trust *t;

	(void)state;
	memcpy(shelf.kept.fp, peer.cert.fp, sizeof(shelf.kept.fp));
	shelf.kept.status = RK_ASK_ONCE;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		t = ask_list("", modes[i]);
		policy_set_store(t, &store);
		assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
		assert_int_equal(ask_known(t), 0);
		rk_trust_free(t);
	}
}

static enum rk_err
come_bare(struct rk_trust *t, unsigned number, unsigned host)
{
	struct rk_peer peer;
	char remote[64];

	(void)snprintf(remote, sizeof(remote), "ssh+tcp://10.0.0.%u:1", host);
	peer = ask_peer_at(number, "", remote);
	peer.cert.issuer_cn[0] = '\0';
	return ask_come(t, &peer);
}

/* Whose place was needed is gone from the disk, too. */
static void
test_displaced(void **state)
{
	const unsigned part = RK_ASK_ENTRIES / RK_ASK_BARE_PART;
	const struct rk_peer lone = ask_peer(500);
	struct rk_ask_entry *list;
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	unsigned found = 0;
	size_t n;

	(void)state;
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	for (unsigned i = 0; i < part; i++)
		assert_int_equal(
		    come_bare(t, i, i / RK_ASK_ENTRIES_SOURCE), RK_EAGAIN);
	assert_int_equal(come_bare(t, 500, 100), RK_EAGAIN);
	assert_int_equal(ask_count(t), part);
	rk_trust_free(t);
	assert_int_equal(rk_trust_new("k", RK_TRUST_ASK, &t, NULL), RK_OK);
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(rk_trust_entries(t, &list, &n), RK_OK);
	assert_int_equal(n, part);
	for (size_t i = 0; i < n; i++)
		found += strcmp(list[i].fp, lone.cert.fp) == 0;
	assert_int_equal(found, 1);
	free(list);
	rk_trust_free(t);
}

/* Whom another process has let wait in the store has a place in a full table by
 * the same rule as one that comes first. */
static void
test_full(void **state)
{
	struct shelf shelf = { .has = true };
	const struct ask_store store = { .load = shelf_load, .arg = &shelf };
	struct rk_peer peer = ask_peer_at(500, "", "tls://192.0.2.9:1");
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	char remote[64];

	(void)state;
	memcpy(shelf.kept.fp, peer.cert.fp, sizeof(shelf.kept.fp));
	(void)snprintf(
	    shelf.kept.remote, sizeof(shelf.kept.remote), "192.0.2.9");
	(void)snprintf(shelf.kept.ca, sizeof(shelf.kept.ca), "a CA");
	policy_set_store(t, &store);
	for (unsigned i = 0; i < RK_ASK_ENTRIES; i++) {
		(void)snprintf(
		    remote, sizeof(remote), "tls://10.0.0.%u:1", i / 4);
		peer = ask_peer_at(i, "", remote);
		assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	}
	peer = ask_peer_at(500, "", "tls://192.0.2.9:1");
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	assert_int_equal(ask_count(t), RK_ASK_ENTRIES);
	rk_trust_free(t);
}

static uint64_t clock_ms;

static uint64_t
read_clock(void)
{
	return clock_ms;
}

static enum rk_err
come_from(struct rk_trust *t, unsigned number, unsigned net)
{
	struct rk_peer peer;
	char remote[64];

	(void)snprintf(
	    remote, sizeof(remote), "tls://10.%u.%u.1:1", net / 256, net % 256);
	peer = ask_peer_at(number, "", remote);
	return ask_come(t, &peer);
}

struct found {
	unsigned turned;
	unsigned full;
};

static void
read_finding(bool wrong, const char *text, void *arg)
{
	struct found *f = arg;

	f->turned +=
	    wrong && strstr(text, "turned away for want of room: 1,") != NULL;
	f->full += !wrong && strstr(text, "newcomers may be turned") != NULL;
}

static struct found
check(struct rk_trust *t)
{
	struct found f = { 0 };

	assert_int_equal(policy_check(t, read_finding, &f), RK_OK);
	return f;
}

/* A flood from everywhere: it is told that nobody else gets in, who comes does
 * within the hour, and who has come again stays. */
static void
test_room_again(void **state)
{
	const unsigned n = RK_ASK_ENTRIES, hour = 3600000;
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);

	(void)state;
	policy_set_clock(t, read_clock);
	clock_ms = 1000;
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(come_from(t, i, i), RK_EAGAIN);
	assert_int_equal(come_from(t, 0, 0), RK_EAGAIN);
	assert_int_equal(check(t).full, 1);
	assert_int_equal(come_from(t, n, n), RK_ELIMIT);
	assert_int_equal(policy_turned(t), 1);
	assert_int_equal(check(t).turned, 1);
	clock_ms += hour + 1;
	assert_int_equal(come_from(t, n, n), RK_EAGAIN);
	assert_int_equal(ask_count(t), n);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 0), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, n), RK_OK);
	assert_int_equal(policy_turned(t), 1);
	assert_int_equal(check(t).turned, 0);
	rk_trust_free(t);
}

/* What a rejected key does is there after the end of the process, where it was
 * proven: a certificate alone, which anybody has, is counted in memory. */
static void
test_tries(void **state)
{
	struct rk_peer peer = ask_peer(1);
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct rk_ask_entry before, after;

	(void)state;
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_OK);
	assert_int_equal(policy_foresee(t, &peer.cert, NULL), RK_EDENIED);
	(void)snprintf(peer.remote, sizeof(peer.remote), "tls://192.0.2.9:1");
	assert_int_equal(ask_come(t, &peer), RK_EDENIED);
	assert_int_equal(policy_foresee(t, &peer.cert, NULL), RK_EDENIED);
	before = ask_only_entry(t);
	assert_int_equal(before.tries, 4);
	assert_string_equal(before.remote, "tls://192.0.2.9:1");
	assert_string_equal(before.addresses[0], "192.0.2.9");
	assert_string_equal(before.addresses[1], "127.0.0.1");
	rk_trust_free(t);
	assert_int_equal(rk_trust_new("k", RK_TRUST_ASK, &t, NULL), RK_OK);
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	after = ask_only_entry(t);
	assert_int_equal(after.status, RK_ASK_REJECTED);
	assert_int_equal(after.tries, 2);
	assert_true(after.last_seen >= before.last_seen);
	assert_string_equal(after.remote, "192.0.2.9");
	assert_string_equal(after.addresses[1], "127.0.0.1");
	rk_trust_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_store, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_used_up, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_displaced, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_full, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_room_again, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_tries, scratch_enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
