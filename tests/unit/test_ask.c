/* Keys that wait: who does, what is decided, how many, who is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/log.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "asklist.h"
#include "failsync.h"
#include "scratch.h"
#include "trust/policy.h"

static unsigned
mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* ---- the cases ---- */

/* rk_log_fn */
static void
keep_line(
    enum rk_log_level level, const char *subsystem, const char *said, void *arg)
{
	char *line = arg;

	(void)level;
	(void)subsystem;
	(void)snprintf(line, 512, "%s", said);
}

/* Who has no e-mail is the name in the certificate, and marked as that. */
static void
test_nameless(void **state)
{
	struct rk_peer peer = ask_peer_at(1, "", "tls://127.0.0.1:8443");
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	char line[512] = "";

	(void)state;
	(void)snprintf(peer.cert.cn, sizeof(peer.cert.cn), "bob");
	rk_log_set(keep_line, RK_LOG_INFO, line);
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	rk_log_set(NULL, RK_LOG_INFO, NULL);
	assert_string_equal(ask_only_entry(t).cn, "bob");
	assert_non_null(strstr(line, " (CN=bob) waits for a decision: new"));
	rk_trust_free(t);
}

static void
test_approved(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct rk_peer peer = ask_peer(1);
	struct rk_ask_entry e;
	char start[16];

	(void)state;
	assert_int_equal(policy_foresee(t, &peer.cert, NULL), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	assert_int_equal(policy_ask_again(t, &peer, NULL, NULL), RK_EAGAIN);
	e = ask_only_entry(t);
	assert_int_equal(e.status, RK_ASK_NEW);
	assert_string_equal(e.fp, peer.cert.fp);
	assert_string_equal(e.email, "p1@x");
	assert_string_equal(e.ca, "CA");
	assert_string_equal(e.remote, peer.remote);
	assert_int_equal(e.tries, 2);
	assert_true(e.first_seen > 0 && e.last_seen >= e.first_seen);
	assert_int_equal(ask_known(t), 0);
	(void)snprintf(start, sizeof(start), "%.4s %.4s", e.fp + 7, e.fp + 11);
	assert_int_equal(ask_order_key(t, RK_ASK_APPROVE, start), RK_OK);
	assert_int_equal(policy_ask_again(t, &peer, NULL, NULL), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_OK);
	assert_int_equal(ask_count(t), 0);
	assert_int_equal(ask_known(t), 1);
	/* An editor's line does it, too. */
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_FILE, NULL), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_OK);
	assert_int_equal(ask_count(t), 1); /* until it comes as a known one */
	assert_int_equal(ask_come_as(t, 2), RK_OK);
	assert_int_equal(ask_count(t), 0);
	rk_trust_free(t);
}

static void
test_once(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct rk_peer peer = ask_peer(1);

	(void)state;
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE_ONCE, 1), RK_OK);
	assert_int_equal(policy_recall(t, &peer.cert, NULL), RK_EUNKNOWNKEY);
	assert_int_equal(policy_foresee(t, &peer.cert, NULL), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_EXPIRED);
	assert_int_equal(ask_known(t), 0);
	/* Not above a lock. */
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE_ONCE, 2), RK_OK);
	assert_int_equal(chmod("k", 0400), 0);
	assert_int_equal(ask_come_as(t, 2), RK_EUNKNOWNKEY);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 2), RK_ESTATE);
	rk_trust_free(t);
}

static enum rk_err
come_with(struct rk_trust *t, unsigned number, const char *email)
{
	struct rk_peer peer = ask_peer_at(number, email, "tls://127.0.0.1:1");

	return ask_come(t, &peer);
}

static void
test_changed(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ACCEPT_NEW);
	struct rk_peer peer = ask_peer(2);
	struct rk_ask_order o = {
		.size = sizeof(o), .verb = RK_ASK_APPROVE, .key = peer.cert.fp
	};

	(void)state;
	assert_int_equal(come_with(t, 1, "bob@x,%61@x"), RK_OK);
	assert_int_equal(come_with(t, 2, "eve@x,Bob@X"), RK_EAGAIN);
	assert_int_equal(ask_only_entry(t).status, RK_ASK_CHANGED);
	assert_int_equal(ask_known(t), 1);
	assert_int_equal(come_with(t, 3, "%61@x"), RK_EAGAIN);
	assert_int_equal(come_with(t, 4, "a@x"), RK_OK);
	assert_int_equal(come_with(t, 5, ""), RK_OK);
	assert_int_equal(come_with(t, 6, ""), RK_OK);
	/* Never by one key press. */
	assert_int_equal(rk_trust_order(t, &o, NULL, NULL), RK_EDENIED);
	o.verb = RK_ASK_APPROVE_ONCE;
	assert_int_equal(rk_trust_order(t, &o, NULL, NULL), RK_EDENIED);
	o.changed = true;
	assert_int_equal(rk_trust_order(t, &o, NULL, NULL), RK_OK);
	assert_int_equal(come_with(t, 2, "bob@x"), RK_OK);
	assert_int_equal(come_with(t, 2, "bob@x"), RK_EAGAIN);
	o.verb = RK_ASK_APPROVE;
	assert_int_equal(rk_trust_order(t, &o, NULL, NULL), RK_OK);
	assert_int_equal(come_with(t, 2, "bob@x"), RK_OK);
	/* The file's own rule does not know of it. */
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_FILE, NULL), RK_OK);
	assert_int_equal(come_with(t, 7, "bob@x"), RK_OK);
	rk_trust_free(t);
}

/* However long the disk takes to record the first. */
static void
test_changed_slow(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ACCEPT_NEW);

	(void)state;
	failsync_slow(true);
	assert_int_equal(come_with(t, 1, "bob@x"), RK_OK);
	failsync_slow(false);
	assert_int_equal(come_with(t, 2, "bob@x"), RK_EAGAIN);
	assert_int_equal(ask_known(t), 1);
	rk_trust_free(t);
}

static void
test_out(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_FILE);
	struct rk_peer peer = ask_peer(1);

	(void)state;
	assert_int_equal(ask_come(t, &peer), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_EDENIED);
	assert_int_equal(policy_foresee(t, &peer.cert, NULL), RK_EDENIED);
	assert_int_equal(policy_recall(t, &peer.cert, NULL), RK_EDENIED);
	assert_int_equal(
	    policy_may_stay(t, &peer.cert, false, NULL), RK_EDENIED);
	assert_true(ask_only_entry(t).tries > 0);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_OK);
	assert_int_equal(ask_known(t), 1);
	assert_int_equal(ask_order(t, RK_ASK_REVOKE, 1), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_ESTATE);
	/* Rejecting would let it be approved. */
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 1), RK_ESTATE);
	assert_int_equal(ask_come(t, &peer), RK_EREVOKED);
	/* Whatever the mode. */
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_OFF, NULL), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_EREVOKED);
	assert_int_equal(policy_recall(t, &peer.cert, NULL), RK_EREVOKED);
	/* One that was never met, and one that is not there. */
	assert_int_equal(ask_order(t, RK_ASK_REJECT, 9), RK_OK);
	assert_int_equal(ask_come_as(t, 9), RK_EDENIED);
	assert_int_equal(ask_order(t, RK_ASK_FORGET, 9), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_FORGET, 9), RK_ENOENT);
	assert_int_equal(ask_come_as(t, 9), RK_OK);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 8), RK_ENOENT);
	assert_int_equal(
	    ask_order_key(t, RK_ASK_REJECT, "SHA256:abc"), RK_ENOENT);
	assert_int_equal(ask_order_key(t, RK_ASK_REJECT, "!"), RK_ENOENT);
	assert_int_equal(ask_order_key(t, RK_ASK_REJECT, NULL), RK_EINVAL);
	rk_trust_free(t);
	/* Who was turned away while waiting does not wait again. */
	t = ask_list("", RK_TRUST_ASK);
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_FORGET, 1), RK_OK);
	assert_int_equal(policy_ask_again(t, &peer, NULL, NULL), RK_EDENIED);
	rk_trust_free(t);
}

/* Two decide about the same entry: the second is told. */
static void
test_version(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct rk_peer peer = ask_peer(1);
	struct rk_ask_order o = {
		.size = sizeof(o), .verb = RK_ASK_REJECT, .key = peer.cert.fp
	};
	struct rk_ask_entry after;

	(void)state;
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	o.version = ask_only_entry(t).version;
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN); /* decides nothing */
	assert_int_equal(rk_trust_order(t, &o, &after, NULL), RK_OK);
	assert_int_equal(after.status, RK_ASK_REJECTED);
	o.verb = RK_ASK_APPROVE;
	assert_int_equal(rk_trust_order(t, &o, NULL, NULL), RK_ESTATE);
	o.version = after.version;
	assert_int_equal(rk_trust_order(t, &o, NULL, NULL), RK_OK);
	rk_trust_free(t);
}

/* A lock that did not reach the disk is not taken, or given back. */
static void
test_lock_unsynced(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct rk_error err;

	(void)state;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	failsync_set(true);
	assert_int_equal(policy_lock(t, true, "ann", &err), RK_EIO);
	assert_int_equal(mode_of("k"), 0600);
	failsync_set(false);
	assert_int_equal(policy_lock(t, true, "ann", &err), RK_OK);
	assert_int_equal(mode_of("k"), 0400);
	failsync_set(true);
	assert_int_equal(policy_lock(t, false, "ann", &err), RK_EIO);
	assert_int_equal(mode_of("k"), 0400);
	assert_int_equal(ask_come_as(t, 2), RK_EUNKNOWNKEY);
	failsync_set(false);
	rk_trust_free(t);
}

static void
test_modes(void **state)
{
	struct rk_trust *t = NULL;
	struct rk_error err;

	(void)state;
	assert_int_equal(
	    rk_trust_new("absent", RK_TRUST_ASK, &t, &err), RK_ESTATE);
	t = ask_list("", RK_TRUST_OFF);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_LOCK, &err), RK_ESTATE);
	assert_int_equal(rk_trust_mode(t), RK_TRUST_OFF);
	assert_int_equal(
	    rk_trust_set_mode(t, (enum rk_trust_mode)99, &err), RK_EINVAL);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_ASK, &err), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_LOCK, &err), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EUNKNOWNKEY);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_ASK, &err), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(chmod("k", 0400), 0); /* stricter */
	assert_int_equal(ask_come_as(t, 2), RK_EUNKNOWNKEY);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	rk_trust_free(t);
	assert_int_equal(rk_trust_new(NULL, RK_TRUST_ASK, &t, &err), RK_OK);
	assert_int_equal(rk_trust_mode(t), RK_TRUST_OFF);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_ASK, &err), RK_ESTATE);
	rk_trust_free(t);
}

#ifndef __SANITIZE_THREAD__ /* it has no threads, and would take long */
static uint64_t clock_ms;

static uint64_t
read_clock(void)
{
	return clock_ms;
}

static enum rk_err
come_from(struct rk_trust *t, unsigned number, bool v6, unsigned host)
{
	struct rk_peer peer;
	char remote[64];

	if (v6)
		(void)snprintf(
		    remote, sizeof(remote), "quic://[fe80::%x]:1", host);
	else
		(void)snprintf(
		    remote, sizeof(remote), "tls://10.1.1.%u:1", host);
	peer = ask_peer_at(number, "", remote);
	return ask_come(t, &peer);
}

static void
count_gone(enum rk_ask_event event, const struct rk_ask_entry *e, void *arg)
{
	unsigned *gone = arg;

	(void)e;
	*gone += event == RK_ASK_GONE;
}

/* However many come, who came alone stays, and who is known comes in. */
static void
test_flood(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct rk_ask_watch *w;
	unsigned gone = 0;
	unsigned n = 0;

	(void)state;
	policy_set_clock(t, read_clock);
	clock_ms = 1000;
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	for (unsigned i = 0; i < RK_ASK_ENTRIES_SOURCE + 5; i++)
		n += come_from(t, 100 + i, true, i) == RK_EAGAIN;
	assert_int_equal(n, RK_ASK_ENTRIES_SOURCE);
	assert_int_equal(rk_ask_watch_new(t, count_gone, &gone, &w), RK_OK);
	for (unsigned i = 0; i < 2 * RK_ASK_ENTRIES; i++)
		n += come_from(t, 1000 + i, false, i / 32) == RK_EAGAIN;
	assert_int_equal(ask_count(t), RK_ASK_ENTRIES);
	assert_int_equal(n + 1 - gone, RK_ASK_ENTRIES);
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	/* Who comes from elsewhere is listed, and told who is not any more. */
	n = gone;
	assert_int_equal(come_from(t, 5000, false, 200), RK_EAGAIN);
	assert_int_equal(ask_come_as(t, 3), RK_EAGAIN);
	assert_int_equal(gone, n + 2);
	assert_int_equal(ask_count(t), RK_ASK_ENTRIES);
	rk_ask_watch_free(w);
	/* The others are old then. */
	clock_ms += (uint64_t)RK_ASK_DAYS * 24 * 3600 * 1000 - 1;
	assert_int_equal(ask_come_as(t, 2), RK_EAGAIN);
	assert_int_equal(ask_count(t), RK_ASK_ENTRIES);
	clock_ms += 1;
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 3), RK_ENOENT);
	assert_int_equal(ask_count(t), 1);
	rk_trust_free(t);
}
#endif

static void
test_seats(void **state)
{
	static struct room_seat seats[RK_ASK_CONNS];
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct room_seat one_more = { 0 };
	struct rk_peer peer;
	unsigned n = 0;
	char remote[64];

	(void)state;
	for (unsigned i = 0; n < RK_ASK_CONNS; i++) {
		(void)snprintf(remote, sizeof(remote), "tls://10.0.0.%u:1",
		    n / RK_ASK_CONNS_SOURCE);
		peer = ask_peer_at(i, "", remote);
		assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
		for (int k = 0; k < RK_ASK_CONNS_KEY; k++)
			assert_int_equal(
			    policy_sit(t, &seats[n++], &peer, NULL), RK_OK);
		if (i == 0) {
			assert_int_equal(
			    ask_only_entry(t).conns, RK_ASK_CONNS_KEY);
			assert_int_equal(
			    policy_sit(t, &one_more, &peer, NULL), RK_ELIMIT);
		}
		if (n == RK_ASK_CONNS_SOURCE) {
			peer = ask_peer_at(99, "", remote);
			assert_int_equal(
			    policy_sit(t, &one_more, &peer, NULL), RK_ELIMIT);
		}
	}
	/* Whoever sits there, a new one is listed. */
	peer = ask_peer_at(200, "", "tls://10.0.0.9:1");
	n = (unsigned)ask_count(t);
	assert_int_equal(policy_foresee(t, &peer.cert, NULL), RK_OK);
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	assert_int_equal(policy_sit(t, &one_more, &peer, NULL), RK_ELIMIT);
	assert_int_equal(ask_count(t), n + 1);
	for (unsigned i = 0; i < RK_ASK_CONNS; i++)
		policy_stand(&seats[i]);
	policy_stand(&one_more); /* it never sat */
	rk_trust_free(t);
}

/* Keys that everybody can make are in the way of nobody who has a certificate.
 */
static void
test_bare_seats(void **state)
{
	static struct room_seat seats[RK_ASK_CONNS];
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct room_seat one_more = { 0 };
	struct rk_peer peer;
	unsigned n = 0;
	char remote[64];

	(void)state;
	for (unsigned i = 0; i < RK_ASK_CONNS; i++) {
		(void)snprintf(
		    remote, sizeof(remote), "ssh+tcp://10.0.0.%u:1", i / 8);
		peer = ask_peer_at(i, "", remote);
		peer.cert.issuer_cn[0] = '\0';
		assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
		n += policy_sit(t, &seats[n], &peer, NULL) == RK_OK;
	}
	assert_int_equal(n, RK_ASK_CONNS / RK_ASK_BARE_PART);
	peer = ask_peer(200);
	assert_int_equal(ask_come(t, &peer), RK_EAGAIN);
	assert_int_equal(policy_sit(t, &one_more, &peer, NULL), RK_OK);
	policy_stand(&one_more);
	for (unsigned i = 0; i < n; i++)
		policy_stand(&seats[i]);
	rk_trust_free(t);
}

struct told {
	unsigned n[RK_ASK_MODE + 1];
	struct rk_ask_entry last;
};

static void
on_event(enum rk_ask_event event, const struct rk_ask_entry *e, void *arg)
{
	struct told *told = arg;

	told->n[event]++;
	assert_int_equal(e == NULL, event == RK_ASK_MODE);
	if (e != NULL)
		told->last = *e;
}

static void
test_told(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct rk_trust *next = ask_list("", RK_TRUST_ASK);
	struct told told = { 0 };
	struct rk_ask_watch *w;

	(void)state;
	assert_int_equal(rk_ask_watch_new(t, on_event, &told, &w), RK_OK);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(ask_come_as(t, 1), RK_EAGAIN);
	assert_int_equal(told.n[RK_ASK_ARRIVED], 1);
	assert_int_equal(told.n[RK_ASK_AGAIN], 1);
	assert_int_equal(told.last.tries, 2);
	/* What follows goes on with the same entries. */
	rk_trust_follow(next, t);
	assert_int_equal(ask_order(next, RK_ASK_REJECT, 1), RK_OK);
	assert_int_equal(told.n[RK_ASK_DECIDED], 1);
	assert_int_equal(told.last.status, RK_ASK_REJECTED);
	assert_int_equal(ask_come_as(t, 1), RK_EDENIED);
	assert_int_equal(rk_trust_set_mode(t, RK_TRUST_FILE, NULL), RK_OK);
	assert_int_equal(told.n[RK_ASK_MODE], 1);
	rk_trust_free(t);
	assert_int_equal(ask_come_as(next, 1), RK_EDENIED);
	assert_int_equal(ask_come_as(next, 2), RK_EAGAIN);
	assert_int_equal(told.n[RK_ASK_ARRIVED], 2);
	rk_ask_watch_free(w);
	rk_ask_watch_free(NULL);
	assert_int_equal(ask_come_as(next, 3), RK_EAGAIN);
	assert_int_equal(told.n[RK_ASK_ARRIVED], 2);
	rk_trust_free(next);
}

/* ---- threads ---- */

#define ROUNDS 200

static void *
decide_all(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		enum rk_ask_verb verb =
		    i % 3 == 0 ? RK_ASK_REJECT : RK_ASK_FORGET;

		if (ask_order(arg, verb, i % 4) == RK_EINVAL ||
		    rk_trust_set_mode(arg,
		        i % 2 == 0 ? RK_TRUST_FILE : RK_TRUST_ASK,
		        NULL) != RK_OK)
			abort();
	}
	return NULL;
}

static void
test_threads(void **state)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	struct rk_peer peer;
	struct room_seat seat = { 0 };
	pthread_t thread;
	enum rk_err r;

	(void)state;
	assert_int_equal(rk_trust_limit(t, 0, NULL), RK_OK);
	assert_int_equal(pthread_create(&thread, NULL, decide_all, t), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		peer = ask_peer(i % 4);
		r = ask_come(t, &peer);
		assert_true(r == RK_OK || r == RK_EAGAIN || r == RK_EDENIED);
		if (r == RK_EAGAIN &&
		    policy_sit(t, &seat, &peer, NULL) == RK_OK)
			policy_stand(&seat);
		(void)ask_count(t);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	rk_trust_free(t);
}

#define IN_SCRATCH(t) \
	cmocka_unit_test_setup_teardown(t, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_nameless),
		IN_SCRATCH(test_approved),
		IN_SCRATCH(test_once),
		IN_SCRATCH(test_changed),
		IN_SCRATCH(test_changed_slow),
		IN_SCRATCH(test_out),
		IN_SCRATCH(test_version),
		IN_SCRATCH(test_modes),
		IN_SCRATCH(test_lock_unsynced),
#ifndef __SANITIZE_THREAD__
		IN_SCRATCH(test_flood),
#endif
		IN_SCRATCH(test_seats),
		IN_SCRATCH(test_bare_seats),
		IN_SCRATCH(test_told),
		IN_SCRATCH(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
