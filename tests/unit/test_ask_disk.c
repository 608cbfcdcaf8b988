/* Keys that wait, and decisions, over the end of a process: in a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/store.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "asklist.h"
#include "failvfs.h"
#include "scratch.h"
#include "trust/ask_disk.h"
#include "trust/policy_int.h"
#include "trust/store.h"

static struct rk_trust *
again(struct rk_trust *t, enum rk_trust_mode mode)
{
	rk_trust_free(t);
	return ask_kept(mode);
}

static int
enter(void **state)
{
	int r = scratch_enter(state);

	failvfs_register();
	failvfs_set(-1, 0);
	scratch_make("k", "", 0600);
	return r;
}

static void
test_waits_again(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct rk_ask_entry before, after;

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	before = ask_only_entry(t);
	t = again(t, RK_TRUST_ASK);
	after = ask_only_entry(t);
	assert_string_equal(after.fp, before.fp);
	assert_string_equal(after.email, before.email);
	assert_string_equal(after.remote, "127.0.0.1");
	assert_int_equal(after.status, RK_ASK_NEW);
	assert_int_equal(after.first_seen, before.first_seen);
	assert_int_equal(after.tries, 2);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_known(t), 1);
	t = again(t, RK_TRUST_ASK);
	assert_int_equal(ask_count(t), 0);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	rk_trust_free(t);
}

/* When its certificate ends is shown while it waits, after a restart, and of
 * who is known by now; so is when that one came last. */
static void
test_cert_dates(void **state)
{
	struct rk_peer peer = ask_peer(1);
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct policy_memos *memos = NULL;
	const struct rk_ask_entry *memo;
	struct rk_ask_entry e;

	(void)state;
	peer.cert.not_before = 1000;
	peer.cert.not_after = 4102444800;
	(void)snprintf(peer.cert.serial, sizeof(peer.cert.serial), "0a");
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	for (int i = 0; i < 2; i++) {
		e = ask_only_entry(t);
		assert_int_equal(e.cert_from, 1000);
		assert_int_equal(e.cert_until, 4102444800);
		t = again(t, RK_TRUST_ASK);
	}
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	peer.cert.not_after++;
	(void)snprintf(peer.remote, sizeof(peer.remote), "tls://127.0.0.9:1");
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask_come(t, &peer), RK_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(policy_memos_new(t, &memos, NULL), RK_OK);
		memo = policy_memo(memos, peer.cert.fp);
		assert_non_null(memo);
		assert_int_equal(memo->cert_until, 4102444801);
		assert_int_equal(memo->tries, 4);
		assert_string_equal(memo->addresses[0], "127.0.0.9");
		assert_true(memo->last_seen >= e.last_seen);
		policy_memos_free(memos);
		t = again(t, RK_TRUST_ASK);
	}
	rk_trust_free(t);
}

static int64_t
count_writes(struct rk_trust *t)
{
	return (int64_t)ask_disk_store(t->room)->writes;
}

/* Who is known costs no write, whatever is counted of it. */
static void
test_known_is_cheap(void **state)
{
	struct rk_peer peer = ask_peer(1);
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	int64_t before;

	(void)state;
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_OK);
	before = count_writes(t);
	for (int i = 0; i < 500; i++)
		assert_int_equal(ask_come(t, &peer), RK_OK);
	/* A slow machine may see half a minute pass. */
	assert_in_range(count_writes(t) - before, 0, 6);
	rk_trust_free(t);
}

static void
test_stays_out(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_OK);
	/* A known one, too: its line goes. */
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 2), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_REVOKE, 2), RK_OK);
	assert_int_equal(ask_known(t), 0);
	/* Nothing is known of the third that could be kept. */
	assert_int_equal(ask_order(t, RK_ASK_REVOKE, 3), RK_ESTATE);
	assert_int_equal(ask_count(t), 2);
	/* In a mode that makes none wait, too. */
	t = again(t, RK_TRUST_FILE);
	assert_int_equal(ask_count(t), 2);
	assert_int_equal(ask_come_as(t, 1), RK_EDENIED);
	assert_int_equal(ask_come_as(t, 2), RK_EREVOKED);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 2), RK_ESTATE);
	assert_int_equal(ask_order(t, RK_ASK_FORGET, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	rk_trust_free(t);
}

static void
test_once(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE_ONCE, 1), RK_OK);
	t = again(t, RK_TRUST_ASK);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_ONCE);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	t = again(t, RK_TRUST_ASK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	rk_trust_free(t);
}

/* Two processes and one store. */
static void
test_shared(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct rk_trust *other = ask_kept(RK_TRUST_ASK);

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_come_as(other, 1), RK_EAGAIN);
	assert_int_equal(ask_order(other, RK_ASK_APPROVE_ONCE, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(ask_come_as(other, 1), RK_EAGAIN);
	assert_int_equal(ask_order(other, RK_ASK_REJECT, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EDENIED);
	rk_trust_free(other);
	rk_trust_free(t);
}

/* What another process has rejected it can let in again, or forget. */
static void
test_shared_out(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct rk_trust *other = ask_kept(RK_TRUST_ASK);

	(void)state;
	for (unsigned i = 1; i <= 2; i++) {
		assert_int_equal(ask_come_as(t, i), RK_EAGAIN);
		assert_int_equal(ask_order(t, RK_ASK_REJECT, i), RK_OK);
		assert_int_equal(ask_come_as(other, i), RK_EDENIED);
	}
	assert_int_equal(ask_order(other, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(ask_order(other, RK_ASK_FORGET, 2), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_NEW);
	rk_trust_free(other);
	rk_trust_free(t);
}

static bool
may_stay(struct rk_trust *t, unsigned number)
{
	struct rk_peer peer = ask_peer(number);

	return policy_may_stay(t, &peer.cert, false, NULL) == RK_OK;
}

/* rk_ask_fn */
static void
count_decided(enum rk_ask_event event, const struct rk_ask_entry *e, void *arg)
{
	(void)e;
	*(unsigned *)arg += event == RK_ASK_DECIDED;
}

static unsigned
news_of(struct rk_trust *t)
{
	struct rk_ask_watch *watch = NULL;
	unsigned n = 0;

	assert_int_equal(rk_ask_watch_new(t, count_decided, &n, &watch), RK_OK);
	assert_int_equal(policy_catch_up(t, NULL), RK_OK);
	rk_ask_watch_free(watch);
	return n;
}

/* Who is there and comes no more hears of it, too. */
static void
test_shared_news(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct rk_trust *other = ask_kept(RK_TRUST_ASK);

	(void)state;
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(ask_come_as(other, i), RK_EAGAIN);
		assert_int_equal(ask_order(other, RK_ASK_APPROVE, i), RK_OK);
		assert_int_equal(ask_come_as(t, i), RK_OK);
	}
	assert_int_equal(news_of(t), 0);     /* of nobody who waits here */
	assert_int_equal(news_of(other), 0); /* its own */
	assert_int_equal(ask_order(other, RK_ASK_UNDO, 1), RK_OK);
	assert_int_equal(ask_order(other, RK_ASK_REJECT, 2), RK_OK);
	assert_int_equal(news_of(t), 2);
	assert_int_equal(news_of(t), 0);
	assert_int_equal(news_of(other), 0);
	assert_false(may_stay(t, 1));
	assert_false(may_stay(t, 2));
	assert_true(may_stay(t, 3));
	/* And may come back. */
	assert_int_equal(ask_order(other, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(news_of(t), 1);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_true(may_stay(t, 1));
	/* Ours between others' is heard again, and means the same. */
	assert_int_equal(ask_order(other, RK_ASK_REJECT, 3), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_REVOKE, 1), RK_OK);
	assert_true(news_of(t) > 0);
	assert_false(may_stay(t, 3));
	assert_int_equal(ask_come_as(t, 1), RK_EREVOKED);
	rk_trust_free(other);
	rk_trust_free(t);
}

/* However many at once. */
static void
test_shared_many(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct rk_trust *other = ask_kept(RK_TRUST_ASK);
	const unsigned n = 40;

	(void)state;
	for (unsigned i = 1; i <= n; i++) {
		struct rk_peer p = ask_peer(i);

		(void)snprintf(
		    p.remote, sizeof(p.remote), "tls://192.0.2.%u:1", i);
		assert_int_equal(ask_come(other, &p), RK_EAGAIN);
		assert_int_equal(ask_order(other, RK_ASK_APPROVE, i), RK_OK);
	}
	assert_int_equal(news_of(t), 0);
	for (unsigned i = 1; i <= n; i++)
		assert_int_equal(ask_order(other, RK_ASK_UNDO, i), RK_OK);
	/* After each time the open connections are gone through. */
	for (unsigned i = 1; i <= n; i += 32) {
		assert_true(news_of(t) > 0);
		for (unsigned k = i; k < i + 32 && k <= n; k++)
			assert_false(may_stay(t, k));
	}
	assert_int_equal(news_of(t), 0);
	rk_trust_free(other);
	rk_trust_free(t);
}

static void
test_fails(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	failvfs_set(0, SQLITE_FULL);
	assert_int_equal(ask_come_as(t, 3), RK_EIO);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 2), RK_EIO);
	assert_int_equal(ask_order(t, RK_ASK_REVOKE, 2), RK_EIO);
	assert_int_equal(ask_count(t), 2);
	assert_int_equal(ask_known(t), 0);
	failvfs_set(-1, 0);
	assert_int_equal(ask_come_as(t, 3), RK_EAGAIN);
	/* Gone: nobody is let in, and who is out stays out. */
	assert_int_equal(rename("k.db", "away"), 0);
	assert_int_equal(ask_come_as(t, 1), RK_EDENIED);
	assert_int_equal(ask_come_as(t, 2), RK_EIO);
	assert_int_equal(ask_come_as(t, 4), RK_EIO);
	rk_trust_free(t);
}

static void
test_made(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_FILE);
	struct rk_trust *next;
	struct rk_error err;

	(void)state;
	assert_int_not_equal(access("k.db", F_OK), 0);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_ASK, &err), RK_OK);
	assert_int_equal(access("k.db", F_OK), 0);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	/* A reload. */
	assert_int_equal(rk_trust_new("k", RK_TRUST_ASK, &next, &err), RK_OK);
	rk_trust_follow(next, t);
	assert_int_equal(rk_trust_keep(next, true, &err), RK_OK);
	rk_trust_free(t);
	assert_int_equal(ask_count(next), 1);
	/* With another list. */
	scratch_make("l", "", 0600);
	assert_int_equal(rk_trust_new("l", RK_TRUST_ASK, &t, &err), RK_OK);
	rk_trust_follow(t, next);
	assert_int_equal(rk_trust_keep(t, true, &err), RK_ESTATE);
	assert_non_null(strstr(err.text, "k.db"));
	rk_trust_free(t);
	rk_trust_free(next);
	/* A damaged one is not made anew. */
	scratch_make("k.db", "not a database, but a text of some length", 0600);
	assert_int_equal(rk_trust_new("k", RK_TRUST_FILE, &t, &err), RK_OK);
	assert_int_equal(rk_trust_keep(t, false, &err), RK_EDAMAGED);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_ASK, &err), RK_EDAMAGED);
	assert_int_equal(rk_trust_mode(t), RK_TRUST_FILE);
	rk_trust_free(t);
}

/* Another program to the database. */
static void
say(const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open("k.db", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
age(int hours)
{
	char sql[80];

	(void)snprintf(sql, sizeof(sql),
	    "UPDATE keys SET last_seen = last_seen - 3600 * %d", hours);
	say(sql);
}

/* Not seen for a week. */
static void
test_old(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 2), RK_OK);
	rk_trust_free(t);
	age(7 * 24 - 2);
	t = ask_kept(RK_TRUST_ASK);
	assert_int_equal(ask_count(t), 2);
	rk_trust_free(t);
	age(3);
	t = ask_kept(RK_TRUST_ASK);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_REJECTED);
	assert_int_equal(ask_come_as(t, 2), RK_EDENIED);
	rk_trust_free(t);
}

/* Who is known is not looked up each time, and out as soon as anybody says so:
 * this process, another one, or a person with another program. */
static void
test_out_at_once(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct rk_trust *other = ask_kept(RK_TRUST_ASK);

	(void)state;
	for (unsigned i = 1; i <= 4; i++) {
		assert_int_equal(ask_come_as(t, i), RK_EAGAIN);
		assert_int_equal(ask_order(t, RK_ASK_APPROVE, i), RK_OK);
		assert_int_equal(ask_come_as(t, i), RK_OK);
		assert_int_equal(ask_come_as(t, i), RK_OK);
	}
	assert_int_equal(ask_come_as(other, 2), RK_OK);
	assert_int_equal(ask_order(other, RK_ASK_REVOKE, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EREVOKED);
	assert_int_equal(ask_come_as(t, 2), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_REVOKE, 2), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EREVOKED);
	assert_int_equal(ask_come_as(other, 2), RK_EREVOKED);
	assert_int_equal(ask_come_as(t, 3), RK_OK);
	say("UPDATE keys SET state = 5"); /* rejected */
	assert_int_equal(ask_come_as(t, 3), RK_EDENIED);
	assert_int_equal(ask_come_as(t, 4), RK_EDENIED);
	rk_trust_free(other);
	rk_trust_free(t);
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, enter, scratch_leave)

/* A line that is taken out leaves its words behind, and they count. */
static void
test_line_out(void **state)
{
	const char *mail = "an@x,b%c@x";
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct rk_peer old = ask_peer_at(1, mail, "tls://192.0.2.1:1");
	struct rk_peer new = ask_peer_at(2, "b%c@x", "tls://192.0.2.1:2");

	(void)state;
	assert_int_equal(ask_come(t, &old), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_OK);
	assert_string_equal(ask_only_entry(t).email, mail);
	assert_string_equal(ask_only_entry(t).remote, "192.0.2.1");
	assert_int_equal(ask_come(t, &new), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 2), RK_OK);
	/* Another has its e-mail by now. */
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_EDENIED);
	assert_int_equal(ask_come(t, &old), RK_EDENIED);
	rk_trust_free(t);
}

/* More addresses than are compared: one of the rest may be somebody's. */
static void
test_many_mails(void **state)
{
	static const char *const emails[] = { "a@x,a@x,a@x,a@x,a@x,a@x,a@x,~",
		"~" };
	struct rk_trust *t = ask_kept(RK_TRUST_ACCEPT_NEW);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct rk_peer p =
		    ask_peer_at(i + 1, emails[i], "tls://192.0.2.1:1");

		assert_int_equal(ask_come(t, &p), RK_EAGAIN);
		assert_int_equal(ask_only_entry(t).status, RK_ASK_CHANGED);
		assert_int_equal(
		    ask_order(t, RK_ASK_APPROVE, i + 1), RK_EDENIED);
		assert_int_equal(ask_order(t, RK_ASK_REJECT, i + 1), RK_OK);
		assert_int_equal(ask_order(t, RK_ASK_FORGET, i + 1), RK_OK);
	}
	assert_int_equal(ask_known(t), 0);
	rk_trust_free(t);
}

/* rk_ask_fn */
static void
count_gone(enum rk_ask_event event, const struct rk_ask_entry *e, void *arg)
{
	(void)e;
	*(unsigned *)arg += event == RK_ASK_GONE;
}

/* Somebody adds the line of a key that waits: it leaves the list once. */
static void
test_line_in(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	struct rk_peer peer = ask_peer(1);
	struct rk_ask_watch *watch = NULL;
	char id[RK_KEY_ID_LEN];
	unsigned gone = 0;
	FILE *f;

	(void)state;
	assert_int_equal(rk_ask_watch_new(t, count_gone, &gone, &watch), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	rk_key_id(peer.cert.pub, id);
	f = fopen("k", "a");
	assert_non_null(f);
	assert_true(fprintf(f, "- %s:\n", id) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(ask_come(t, &peer), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_OK);
	assert_int_equal(gone, 1);
	rk_ask_watch_free(watch);
	rk_trust_free(t);
}

/* An editor takes the line of a key that has been here: its row is found. */
static void
test_line_lost(void **state)
{
	struct rk_trust *t = ask_kept(RK_TRUST_ASK);
	const struct rk_peer peer = ask_peer(1);
	char start[16];

	(void)state;
	(void)snprintf(start, sizeof(start), "%.8s", peer.cert.fp + 7);
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_OK);
	scratch_make("k", "# decisions: k.db\n", 0600);
	assert_int_equal(ask_order_key(t, RK_ASK_REJECT, start), RK_OK);
	assert_string_equal(ask_only_entry(t).email, "p1@x");
	assert_int_equal(ask_come(t, &peer), RK_EDENIED);
	assert_int_equal(ask_order_key(t, RK_ASK_REJECT, "abc"), RK_ENOENT);
	rk_trust_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(test_waits_again),
		UNIT(test_cert_dates),
		UNIT(test_known_is_cheap),
		UNIT(test_stays_out),
		UNIT(test_once),
		UNIT(test_shared),
		UNIT(test_shared_out),
		UNIT(test_shared_news),
		UNIT(test_shared_many),
		UNIT(test_fails),
		UNIT(test_made),
		UNIT(test_old),
		UNIT(test_line_out),
		UNIT(test_line_in),
		UNIT(test_line_lost),
		UNIT(test_many_mails),
		UNIT(test_out_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
