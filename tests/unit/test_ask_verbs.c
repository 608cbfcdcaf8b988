/* Decisions about keys that wait: for a time, replacing, notes, taking back;
 * with a store and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/store.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "asklist.h"
#include "scratch.h"
#include "trust/policy.h"

static struct rk_trust *
begin(bool kept)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct rk_error err;

	if (kept && rk_trust_keep(t, true, &err) != RK_OK)
		fail_msg("%s", err.text);
	return t;
}

/* Its decider is "ann", unless o says who. */
static enum rk_err
order(struct rk_trust *t, unsigned number, struct rk_ask_order o,
    struct rk_ask_entry *after)
{
	const struct rk_peer peer = ask_peer(number);

	o.size = sizeof(o);
	o.key = peer.cert.fp;
	if (o.who == NULL)
		o.who = "ann";
	return rk_trust_order(t, &o, after, NULL);
}

static enum rk_err
approve_for(struct rk_trust *t, unsigned number, int seconds)
{
	return order(t, number,
	    (struct rk_ask_order){
	        .verb = RK_ASK_APPROVE_UNTIL, .until = time(NULL) + seconds },
	    NULL);
}

static enum rk_err
replace(struct rk_trust *t, unsigned old, unsigned by)
{
	const struct rk_peer peer = ask_peer(by);

	return order(t, old,
	    (struct rk_ask_order){ .verb = RK_ASK_REPLACE, .by = peer.cert.fp },
	    NULL);
}

static enum rk_err
may_stay(struct rk_trust *t, unsigned number, bool timed)
{
	const struct rk_peer peer = ask_peer(number);

	return policy_may_stay(t, &peer.cert, timed, NULL);
}

static void
until_over(struct rk_trust *t, unsigned number)
{
	const struct timespec nap = { .tv_nsec = 20000000 };
	int turns = 500;

	while (ask_come_as(t, number) == RK_OK && turns-- > 0)
		(void)nanosleep(&nap, NULL);
	assert_int_equal(ask_come_as(t, number), RK_EAGAIN);
}

static void
check_time(bool kept)
{
	struct rk_trust *t = begin(kept);
	const struct rk_peer peer = ask_peer(1);

	assert_int_equal(ask_come_as(t, 9), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 9), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(approve_for(t, 1, 0), RK_EINVAL);
	assert_int_equal(approve_for(t, 1, 3600), RK_OK);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_UNTIL);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(policy_recall(t, &peer.cert, NULL), RK_OK);
	assert_true(policy_is_timed(t, &peer.cert));
	/* Not above a lock, which ends no connection. */
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_LOCK, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EUNKNOWNKEY);
	assert_int_equal(may_stay(t, 1, true), RK_OK);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_ASK, NULL), RK_OK);
	assert_int_equal(approve_for(t, 1, 2), RK_OK);
	until_over(t, 1);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_EXPIRED);
	assert_int_equal(may_stay(t, 1, true), RK_EDENIED);
	/* One that is known, or was let in without an end. */
	assert_int_equal(may_stay(t, 1, false), RK_OK);
	assert_int_equal(ask_known(t), 1);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(may_stay(t, 1, true), RK_OK);
	rk_trust_free(t);
}

static void
test_time(void **state)
{
	(void)state;
	check_time(false);
}

static void
test_time_kept(void **state)
{
	(void)state;
	check_time(true);
}

/* An end is none of the list's: an open one that looks for changed keys lets
 * who is over wait, instead of recording it. */
static void
test_time_open(void **state)
{
	struct rk_trust *t = begin(false);

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(approve_for(t, 1, 2), RK_OK);
	assert_int_equal(
	    rk_trust_set_mode(t, RK_TRUST_ACCEPT_NEW, NULL), RK_OK);
	until_over(t, 1);
	assert_int_equal(ask_known(t), 0);
	assert_int_equal(ask_come_as(t, 2), RK_OK);
	assert_int_equal(ask_known(t), 1);
	rk_trust_free(t);
}

/* It outlives the process, and so does its end. */
static void
test_time_restart(void **state)
{
	struct rk_trust *t = begin(true);
	struct rk_ask_entry e;

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(approve_for(t, 1, 3600), RK_OK);
	rk_trust_free(t);
	assert_int_equal(rk_trust_new("k", RK_TRUST_ASK, &t, NULL), RK_OK);
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	e = ask_only_entry(t);
	assert_int_equal(e.status, RK_ASK_UNTIL);
	assert_true(e.until > time(NULL) + 3000);
	assert_string_equal(e.who, "ann");
	assert_string_equal(e.addresses[0], "127.0.0.1");
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_FORGET, 1), RK_OK);
	assert_int_equal(may_stay(t, 1, true), RK_EDENIED);
	rk_trust_free(t);
}

/* The new key is another person's to reject meanwhile. */
static void
test_replace_race(void **state)
{
	const struct rk_peer peer = ask_peer(2);
	struct rk_ask_order o = { .verb = RK_ASK_REPLACE, .by = peer.cert.fp };
	struct rk_trust *t = begin(false);
	struct rk_ask_entry e;

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	o.by_version = ask_only_entry(t).version;
	assert_int_equal(
	    order(t, 2, (struct rk_ask_order){ .verb = RK_ASK_REJECT }, &e),
	    RK_OK);
	assert_int_equal(order(t, 1, o, NULL), RK_ESTATE);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EDENIED);
	o.by_version = e.version;
	assert_int_equal(order(t, 1, o, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_OK);
	rk_trust_free(t);
}

static void
check_replace(bool kept)
{
	struct rk_trust *t = begin(kept);

	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(replace(t, 1, 2), RK_ENOENT);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(replace(t, 1, 1), RK_EINVAL);
	assert_int_equal(replace(t, 3, 2), RK_ENOENT);
	assert_int_equal(policy_lock(t, true, "ann", NULL), RK_OK);
	assert_int_equal(replace(t, 1, 2), RK_ESTATE);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(policy_lock(t, false, "ann", NULL), RK_OK);
	assert_int_equal(replace(t, 1, 2), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EREVOKED);
	assert_int_equal(ask_come_as(t, 2), RK_OK);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_REVOKED);
	/* What is known, or was revoked, is no new key. */
	assert_int_equal(ask_come_as(t, 3), RK_EAGAIN);
	assert_int_equal(replace(t, 3, 2), RK_ESTATE);
	assert_int_equal(replace(t, 3, 1), RK_ESTATE);
	rk_trust_free(t);
}

static void
test_replace(void **state)
{
	(void)state;
	check_replace(false);
}

static void
test_replace_kept(void **state)
{
	(void)state;
	check_replace(true);
}

static void
test_note(void **state)
{
	const struct rk_ask_order note = { .verb = RK_ASK_NOTE,
		.note = "the \033[31m box" };
	char text[400];
	struct rk_trust *t = begin(false);
	struct rk_ask_entry e;

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(order(t, 1, note, &e), RK_OK);
	assert_string_equal(e.note, "the \\x1b[31m box");
	assert_string_equal(e.who, "");
	assert_int_equal(e.status, RK_ASK_NEW);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_string_equal(ask_only_entry(t).note, e.note);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	/* It has a line and no entry. */
	assert_int_equal(order(t, 1, note, NULL), RK_ESTATE);
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(order(t, 1, note, &e), RK_OK);
	assert_int_equal(e.status, RK_ASK_KNOWN);
	assert_int_equal(ask_known(t), 1);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(
	    order(t, 1,
	        (struct rk_ask_order){ .verb = RK_ASK_NOTE, .note = text },
	        NULL),
	    RK_EINVAL);
	assert_int_equal(
	    order(t, 1, (struct rk_ask_order){ .verb = RK_ASK_NOTE }, NULL),
	    RK_EINVAL);
	rk_trust_free(t);
}

static enum rk_err
undo(struct rk_trust *t, unsigned number, struct rk_ask_entry *after)
{
	return order(
	    t, number, (struct rk_ask_order){ .verb = RK_ASK_UNDO }, after);
}

static void
test_undo(void **state)
{
	struct rk_trust *t = begin(false);
	struct rk_ask_entry e;

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(undo(t, 1, NULL), RK_ESTATE);
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(undo(t, 1, NULL), RK_ENOENT);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(may_stay(t, 1, false), RK_OK);
	assert_int_equal(undo(t, 1, &e), RK_OK);
	assert_int_equal(e.status, RK_ASK_NEW);
	assert_int_equal(ask_known(t), 0);
	/* Who came in by it does not stay. */
	assert_int_equal(may_stay(t, 1, false), RK_EDENIED);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(undo(t, 1, NULL), RK_ESTATE);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EDENIED);
	assert_int_equal(undo(t, 1, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	/* What is gone comes back. */
	assert_int_equal(ask_order(t, RK_ASK_REVOKE, 1), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_FORGET, 1), RK_OK);
	assert_int_equal(undo(t, 1, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EREVOKED);
	rk_trust_free(t);
}

static _Atomic uint64_t days;

static uint64_t
read_days(void)
{
	return days * 24 * 3600 * 1000;
}

/* Who is undecided again after longer than anybody is kept who only waits:
 * nobody had to come meanwhile. */
static void
test_again_late(void **state)
{
	const struct timespec nap = { .tv_nsec = 20000000 };
	struct rk_trust *t = begin(true);
	int turns = 500;

	(void)state;
	days = 100;
	policy_set_clock(t, read_days);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(approve_for(t, 1, 2), RK_OK);
	days += RK_ASK_DAYS + 1;
	while (ask_only_entry(t).status == RK_ASK_UNTIL && turns-- > 0)
		(void)nanosleep(&nap, NULL);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_EXPIRED);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_OK);
	days += RK_ASK_DAYS + 1;
	assert_int_equal(undo(t, 1, NULL), RK_OK);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_EXPIRED);
	days += RK_ASK_DAYS + 1;
	assert_int_equal(ask_count(t), 0);
	rk_trust_free(t);
}

/* The note of a key that had a line and no entry. */
static void
test_note_stays(void **state)
{
	const struct rk_ask_order note = { .verb = RK_ASK_NOTE, .note = "n" };
	const struct rk_peer by = ask_peer(2);
	const struct rk_ask_order replace = { .verb = RK_ASK_REPLACE,
		.by = by.cert.fp };
	struct rk_trust *t = begin(true);
	struct rk_ask_entry e;

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(order(t, 1, note, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(order(t, 1, replace, &e), RK_OK);
	assert_string_equal(e.note, "n");
	assert_string_equal(ask_only_entry(t).note, "n");
	rk_trust_free(t);
}

/* A note is no approval, nor is a longer time the first. */
static void
test_undo_little(void **state)
{
	const struct rk_ask_order note = { .verb = RK_ASK_NOTE, .note = "n" };
	struct rk_trust *t = begin(true);
	struct rk_ask_entry e;

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(approve_for(t, 1, 3600), RK_OK);
	assert_int_equal(approve_for(t, 1, 7200), RK_OK);
	assert_int_equal(order(t, 1, note, NULL), RK_OK);
	assert_int_equal(undo(t, 1, &e), RK_OK);
	assert_string_equal(e.note, "");
	assert_int_equal(e.status, RK_ASK_UNTIL);
	assert_int_equal(may_stay(t, 1, true), RK_OK);
	assert_int_equal(approve_for(t, 1, 7200), RK_OK);
	assert_int_equal(undo(t, 1, &e), RK_OK);
	assert_int_equal(may_stay(t, 1, true), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	rk_trust_free(t);
}

static void
check_undone(struct rk_trust *t, uint64_t version, enum rk_err expected)
{
	const struct rk_ask_order o = { .verb = RK_ASK_UNDO,
		.version = version };

	assert_int_equal(order(t, 1, o, NULL), expected);
}

/* Who takes back his own decision does not take back another one's. */
static void
test_undo_own(void **state)
{
	const struct rk_ask_order approve = { .verb = RK_ASK_APPROVE };
	const struct rk_ask_order reject = { .verb = RK_ASK_REJECT };
	struct rk_trust *t = begin(true);
	struct rk_ask_entry mine, other;

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(order(t, 1, approve, &mine), RK_OK);
	assert_int_equal(order(t, 1, reject, &other), RK_OK);
	check_undone(t, mine.version, RK_ESTATE);
	assert_int_equal(ask_come_as(t, 1), RK_EDENIED);
	/* A key that is known has no entry. */
	assert_int_equal(order(t, 1, approve, &mine), RK_OK);
	check_undone(t, other.version, RK_ESTATE);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(
	    order(t, 1,
	        (struct rk_ask_order){ .verb = RK_ASK_NOTE, .note = "n" },
	        NULL),
	    RK_OK);
	check_undone(t, mine.version, RK_ESTATE);
	check_undone(t, 0, RK_OK);
	assert_int_equal(order(t, 1, reject, &mine), RK_OK);
	check_undone(t, mine.version, RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	rk_trust_free(t);
}

/* Both halves of it. */
static void
test_undo_replace(void **state)
{
	struct rk_trust *t = begin(true);

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(replace(t, 1, 2), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_OK);
	assert_int_equal(undo(t, 1, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(may_stay(t, 2, false), RK_EDENIED);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 2), RK_OK);
	assert_int_equal(may_stay(t, 2, false), RK_OK);
	rk_trust_free(t);
}

/* A key with the name of another one is a changed one again, not a new one that
 * could be approved as any other. */
static void
test_undo_changed(void **state)
{
	struct rk_trust *t = begin(true);
	struct rk_peer other = ask_peer_at(2, "p1@x", "tls://127.0.0.1:1");

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_come(t, &other), RK_EAGAIN);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_CHANGED);
	assert_int_equal(replace(t, 1, 2), RK_OK);
	assert_int_equal(undo(t, 2, NULL), RK_OK);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_CHANGED);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 2), RK_EDENIED);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	rk_trust_free(t);
}

static bool
has_comment_of(const struct rk_peer *peer)
{
	char id[RK_KEY_ID_LEN], line[512];
	bool found = false;
	FILE *f = fopen("k", "r");

	rk_key_id(peer->cert.pub, id);
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		found = found || (line[0] == '#' && strstr(line, id) != NULL);
	assert_int_equal(fclose(f), 0);
	return found;
}

/* A known key, too, where a store is: its line goes, and who came in by it does
 * not stay. */
static void
test_forget_known(void **state)
{
	const struct rk_peer peer = ask_peer(1);
	char start[16];
	struct rk_trust *t = begin(false);

	(void)state;
	(void)snprintf(start, sizeof(start), "%.8s", peer.cert.fp + 7);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	/* Nobody takes the line out. */
	assert_int_equal(ask_order(t, RK_ASK_FORGET, 1), RK_ENOENT);
	assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(may_stay(t, 1, false), RK_OK);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_FILE, NULL), RK_OK);
	assert_int_equal(ask_order_key(t, RK_ASK_FORGET, start), RK_OK);
	assert_int_equal(ask_known(t), 0);
	assert_true(has_comment_of(&peer));
	assert_int_equal(may_stay(t, 1, false), RK_EDENIED);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_ASK, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_NEW);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(may_stay(t, 1, false), RK_OK);
	assert_int_equal(chmod("k", 0400), 0);
	assert_int_equal(ask_order(t, RK_ASK_FORGET, 1), RK_ESTATE);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(may_stay(t, 1, false), RK_OK);
	rk_trust_free(t);
}

/* One that takes another's place: the same file, another, none. */
static void
test_succeed(void **state)
{
	struct rk_trust *t = begin(false);
	struct rk_trust *next, *none;
	const struct rk_peer peer = ask_peer(1);

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(rk_trust_new("k", RK_TRUST_FILE, &next, NULL), RK_OK);
	policy_succeed(t, next);
	assert_int_equal(policy_ask_again(t, &peer, NULL, NULL), RK_OK);
	assert_int_equal(ask_known(t), 1);
	rk_trust_free(next);
	scratch_make("l", "", 0600);
	assert_int_equal(rk_trust_new("l", RK_TRUST_ASK, &next, NULL), RK_OK);
	policy_succeed(t, next);
	assert_int_equal(
	    policy_ask_again(t, &peer, NULL, NULL), RK_EUNKNOWNKEY);
	assert_int_equal(rk_trust_new(NULL, RK_TRUST_OFF, &none, NULL), RK_OK);
	policy_succeed(t, none);
	assert_int_equal(ask_come_as(t, 2), RK_OK);
	assert_int_equal(ask_known(t), 0);
	policy_succeed(next, NULL);
	assert_int_equal(ask_come_as(next, 2), RK_OK);
	rk_trust_free(none);
	rk_trust_free(next);
	rk_trust_free(t);
}

#define UNIT(name) \
	cmocka_unit_test_setup_teardown(name, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(test_time),
		UNIT(test_time_kept),
		UNIT(test_time_open),
		UNIT(test_time_restart),
		UNIT(test_again_late),
		UNIT(test_replace),
		UNIT(test_replace_kept),
		UNIT(test_replace_race),
		UNIT(test_note),
		UNIT(test_note_stays),
		UNIT(test_undo),
		UNIT(test_undo_little),
		UNIT(test_undo_own),
		UNIT(test_undo_replace),
		UNIT(test_undo_changed),
		UNIT(test_forget_known),
		UNIT(test_succeed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
