/* The trust store: what a key is, what people decide about it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "storerig.h"
#include "trust/store.h"

#define DAY 86400

/* ---- the pure part ---- */

static enum rk_store_status
status(struct rk_store_facts f)
{
	return rk_store_status(&f);
}

#define FACTS(...) ((struct rk_store_facts){ __VA_ARGS__ })

static void
test_status(void **state)
{
	(void)state;
	assert_int_equal(status(FACTS(0)), RK_STATUS_NEW);
	assert_int_equal(status(FACTS(.in_file = true)), RK_STATUS_KNOWN);
	assert_int_equal(
	    status(FACTS(.in_file = true, .locked = true)), RK_STATUS_KNOWN);
	/* The stricter of file and store wins. */
	assert_int_equal(
	    status(FACTS(.in_file = true, .state = RK_STORE_REJECTED)),
	    RK_STATUS_REJECTED);
	assert_int_equal(
	    status(FACTS(.in_file = true, .state = RK_STORE_REVOKED)),
	    RK_STATUS_REVOKED);
	assert_int_equal(status(FACTS(.state = RK_STORE_KNOWN)), RK_STATUS_NEW);
	assert_int_equal(
	    status(FACTS(.state = RK_STORE_KNOWN, .email_taken = true)),
	    RK_STATUS_CHANGED);
	assert_int_equal(
	    status(FACTS(.state = RK_STORE_WAIT)), RK_STATUS_WAITING);
	assert_int_equal(
	    status(FACTS(.state = RK_STORE_WAIT, .email_taken = true)),
	    RK_STATUS_CHANGED);
	assert_int_equal(status(FACTS(.state = RK_STORE_WAIT, .in_file = true)),
	    RK_STATUS_KNOWN);
	assert_int_equal(
	    status(FACTS(.state = RK_STORE_ONCE)), RK_STATUS_KNOWN);
	assert_int_equal(status(FACTS(.state = RK_STORE_ONCE, .locked = true)),
	    RK_STATUS_NEW);
}

static void
test_until(void **state)
{
	struct rk_store_facts f = {
		.state = RK_STORE_UNTIL,
		.decided = 1000,
		.until = 2000,
		.now = 1000,
	};

	(void)state;
	assert_int_equal(rk_store_status(&f), RK_STATUS_KNOWN);
	f.now = 1999;
	assert_int_equal(rk_store_status(&f), RK_STATUS_KNOWN);
	f.now = 2000;
	assert_int_equal(rk_store_status(&f), RK_STATUS_EXPIRED);
	f.now = 990; /* corrected a little */
	assert_int_equal(rk_store_status(&f), RK_STATUS_KNOWN);
	f.now = 900; /* set back */
	assert_int_equal(rk_store_status(&f), RK_STATUS_EXPIRED);
	f.now = 1500;
	f.locked = true;
	assert_int_equal(rk_store_status(&f), RK_STATUS_NEW);
}

static void
test_verdict(void **state)
{
	/* By status; a letter a mode: off, open, ask, lock. */
	static const char *const want[] = { "ARWX", "AAAA", "AWWX", "XXXX",
		"XXXX", "AWWX", "ARWX" };
	static const char letters[] = "ARWX";
	unsigned status;
	unsigned mode;

	(void)state;
	for (status = 0; status <= RK_STATUS_WAITING; status++) {
		for (mode = 0; mode <= RK_MODE_LOCK; mode++) {
			char open = letters[rk_store_verdict(
			    (enum rk_store_status)status,
			    (enum rk_store_mode)mode, false)];
			char locked = letters[rk_store_verdict(
			    (enum rk_store_status)status,
			    (enum rk_store_mode)mode, true)];

			assert_int_equal(open, want[status][mode]);
			assert_int_equal(
			    locked, want[status][mode == 0 ? 0 : 3]);
		}
	}
	assert_int_equal(
	    rk_store_verdict((enum rk_store_status)99, RK_MODE_OFF, false),
	    RK_VERDICT_REFUSE);
	assert_int_equal(
	    rk_store_verdict(RK_STATUS_KNOWN, (enum rk_store_mode)4, false),
	    RK_VERDICT_REFUSE);
}

static void
test_names(void **state)
{
	enum rk_store_mode mode;
	unsigned i;

	(void)state;
	for (i = 0; i <= RK_MODE_LOCK; i++) {
		assert_int_equal(
		    rk_store_mode_parse(
		        rk_store_mode_name((enum rk_store_mode)i), &mode),
		    RK_OK);
		assert_int_equal(mode, i);
	}
	assert_int_equal(rk_store_mode_parse("Ask", &mode), RK_EINVAL);
	assert_string_equal(rk_store_state_name(RK_STORE_REVOKED), "revoked");
	assert_string_equal(
	    rk_store_state_name((enum rk_store_state)7), "unknown");
	assert_string_equal(rk_store_status_name(RK_STATUS_WAITING), "waiting");
}

/* ---- from a stranger to a known key ---- */

static void
test_ask(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store_seen seen;
	struct rk_store_entry e;
	struct rk_peer peer;

	(void)state;
	storerig_peer(&peer, 1, "a@x.example", "192.0.2.7");
	seen = storerig_see(s, RK_MODE_ASK, &peer);
	assert_int_equal(seen.status, RK_STATUS_NEW);
	assert_int_equal(seen.verdict, RK_VERDICT_WAIT);
	assert_true(seen.recorded);
	seen = storerig_see(s, RK_MODE_ASK, &peer);
	assert_int_equal(seen.status, RK_STATUS_WAITING);
	assert_false(seen.recorded);
	/* It survives a restart, with its tries. */
	rk_store_close(s);
	s = storerig_open();
	e = storerig_find(s, 1);
	assert_int_equal(e.state, RK_STORE_WAIT);
	assert_int_equal(e.tries, 2);
	assert_string_equal(e.email, "a@x.example");
	assert_string_equal(e.ca, "test CA");
	assert_string_equal(e.addresses[0], "192.0.2.7");
	assert_string_equal(e.addresses[1], "");
	assert_true(e.first_seen > 0 && e.last_seen >= e.first_seen);
	(void)storerig_decide(s, RK_STORE_APPROVE, 1);
	seen = storerig_see(s, RK_MODE_LOCK, &peer);
	assert_int_equal(seen.status, RK_STATUS_KNOWN);
	assert_int_equal(seen.verdict, RK_VERDICT_ACCEPT);
	e = storerig_find(s, 1);
	assert_int_equal(e.status, RK_STATUS_KNOWN);
	assert_string_equal(e.who, "ann");
	assert_int_equal(storerig_audit(s), 1);
	rk_store_close(s);
}

static void
test_open_mode(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store_seen seen;
	struct rk_peer peer;

	(void)state;
	storerig_peer(&peer, 1, "a@x.example", "192.0.2.7");
	seen = storerig_see(s, RK_MODE_OPEN, &peer);
	assert_int_equal(seen.verdict, RK_VERDICT_RECORD);
	assert_true(seen.recorded);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	/* A known name with another key waits even here. */
	storerig_peer(&peer, 2, "b@x.example,A@X.example", "192.0.2.8");
	seen = storerig_see(s, RK_MODE_OPEN, &peer);
	assert_int_equal(seen.status, RK_STATUS_CHANGED);
	assert_int_equal(seen.verdict, RK_VERDICT_WAIT);
	seen = storerig_see(s, RK_MODE_OPEN, &peer);
	assert_int_equal(seen.status, RK_STATUS_CHANGED);
	peer.proven = false;
	assert_int_equal(
	    rk_store_see(s, RK_MODE_OFF, &peer, &seen, NULL), RK_ECERT);
	assert_int_equal(seen.verdict, RK_VERDICT_REFUSE);
	rk_store_close(s);
}

static void
test_changed(void **state)
{
	struct rk_store *s = storerig_open();
	char old[RK_FP_LEN];
	char new[RK_FP_LEN];
	struct rk_store_decision d = { .size = sizeof(d),
		.key = new,
		.who = "ann",
		.version = RK_STORE_ANY_VERSION };
	struct rk_peer peer;
	struct rk_error err;
	int64_t act;

	(void)state;
	storerig_admit(s, 1, "n@x.example");
	storerig_fp(1, old);
	storerig_fp(2, new);
	storerig_peer(&peer, 2, "n@x.example", "203.0.113.9");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	assert_int_equal(storerig_find(s, 2).status, RK_STATUS_CHANGED);
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_EDENIED);
	d.verb = RK_STORE_REPLACE;
	d.key = old;
	d.by_key = new;
	assert_int_equal(rk_store_decide(s, &d, &act, &err), RK_OK);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_REVOKED);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_KNOWN);
	assert_int_equal(rk_store_undo(s, act, "bob", &err), RK_OK);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(storerig_find(s, 2).status, RK_STATUS_CHANGED);
	assert_int_equal(rk_store_undo(s, act, "bob", &err), RK_ESTATE);
	d.by_key = old;
	assert_int_equal(rk_store_decide(s, &d, &act, &err), RK_EINVAL);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	rk_store_close(s);
}

static void
test_once(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store_seen seen;
	struct rk_peer peer;

	(void)state;
	storerig_peer(&peer, 1, "", "192.0.2.7");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	(void)storerig_decide(s, RK_STORE_APPROVE_ONCE, 1);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	/* Not while the file is locked. */
	assert_int_equal(chmod(STORERIG_FILE, 0400), 0);
	seen = storerig_see(s, RK_MODE_ASK, &peer);
	assert_int_equal(seen.verdict, RK_VERDICT_REFUSE);
	assert_int_equal(chmod(STORERIG_FILE, 0600), 0);
	seen = storerig_see(s, RK_MODE_ASK, &peer);
	assert_int_equal(seen.verdict, RK_VERDICT_ACCEPT);
	seen = storerig_see(s, RK_MODE_ASK, &peer);
	assert_int_equal(seen.status, RK_STATUS_EXPIRED);
	assert_int_equal(seen.verdict, RK_VERDICT_WAIT);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_WAITING);
	rk_store_close(s);
}

static void
test_for_a_time(void **state)
{
	struct rk_store *s = storerig_open();
	char fp[RK_FP_LEN];
	struct rk_store_decision d = { .size = sizeof(d),
		.key = fp,
		.verb = RK_STORE_APPROVE_UNTIL,
		.who = "ann" };
	struct rk_peer peer;
	struct rk_error err;

	(void)state;
	storerig_now = 1000000;
	store_set_clock(s, storerig_clock);
	storerig_fp(1, fp);
	storerig_peer(&peer, 1, "", "2001:db8::1");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	d.until = storerig_now;
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_EINVAL);
	d.until = storerig_now + DAY;
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_OK);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	storerig_now += DAY;
	assert_int_equal(storerig_status(s, 1), RK_STATUS_EXPIRED);
	/* Setting the clock back does not help, now or after a restart. */
	storerig_now -= DAY / 2;
	assert_int_equal(storerig_status(s, 1), RK_STATUS_EXPIRED);
	d.until = storerig_now + DAY / 4;
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_EINVAL);
	assert_string_equal(err.text,
	    "that time is over: it has been 1970-01-13T13:46:40Z here already, "
	    "and the clock was set back; if it is right now, restart");
	rk_store_close(s);
	s = storerig_open();
	storerig_now = 1000000 - DAY;
	store_set_clock(s, storerig_clock);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_EXPIRED);
	rk_store_close(s);
}

static struct rk_store *
open_at(int64_t now)
{
	struct rk_store *s = storerig_open();

	storerig_now = now;
	store_set_clock(s, storerig_clock);
	return s;
}

/* A clock that was wrong, and then set right: nobody gets in by it, and what
 * was decided stays. */
static void
test_clock_jumps(void **state)
{
	const int64_t begun = 1000 * DAY;
	struct rk_store *s = open_at(begun);
	char fp[RK_FP_LEN];
	struct rk_store_decision d = { .size = sizeof(d),
		.key = fp,
		.verb = RK_STORE_APPROVE_UNTIL,
		.who = "ann",
		.until = begun + DAY };
	struct rk_peer peer;

	(void)state;
	storerig_admit(s, 1, "a@x.example");
	storerig_admit(s, 2, "b@x.example");
	(void)storerig_decide(s, RK_STORE_REJECT, 2);
	storerig_peer(&peer, 3, "c@x.example", "192.0.2.9");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	storerig_fp(3, fp);
	assert_int_equal(rk_store_decide(s, &d, NULL, NULL), RK_OK);
	storerig_peer(&peer, 4, "d@x.example", "192.0.2.9");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	rk_store_close(s);
	/* Years back: who waits goes on waiting, also when it comes again. */
	s = open_at(begun - 900 * DAY);
	assert_int_equal(storerig_status(s, 3), RK_STATUS_EXPIRED);
	assert_int_equal(storerig_status(s, 4), RK_STATUS_WAITING);
	assert_int_equal(
	    storerig_see(s, RK_MODE_ASK, &peer).verdict, RK_VERDICT_WAIT);
	assert_int_equal(rk_store_flush(s, NULL), RK_OK);
	rk_store_close(s);
	s = open_at(begun + 1);
	assert_int_equal(storerig_status(s, 4), RK_STATUS_WAITING);
	assert_int_equal(storerig_status(s, 3), RK_STATUS_KNOWN);
	/* And ahead, where the time of an approval is over for now. */
	storerig_now += 900 * DAY;
	assert_int_equal(storerig_status(s, 3), RK_STATUS_EXPIRED);
	storerig_now = begun + 2;
	assert_int_equal(storerig_status(s, 3), RK_STATUS_EXPIRED);
	rk_store_close(s);
	s = open_at(begun + 3);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_REJECTED);
	assert_int_equal(storerig_status(s, 3), RK_STATUS_KNOWN);
	rk_store_close(s);
}

static void
test_rejected(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store_seen seen;
	struct rk_peer peer;
	struct stat before;
	struct stat after;
	unsigned i;

	(void)state;
	storerig_admit(s, 1, "a@x.example");
	(void)storerig_decide(s, RK_STORE_REJECT, 1);
	storerig_append(1, "a@x.example"); /* a line does not help */
	storerig_peer(&peer, 1, "a@x.example", "192.0.2.9");
	assert_int_equal(stat(STORERIG_DB "-wal", &before), 0);
	for (i = 0; i < 1000; i++) {
		seen = storerig_see(s, (enum rk_store_mode)(i % 4), &peer);
		assert_int_equal(seen.status, RK_STATUS_REJECTED);
		assert_int_equal(seen.verdict, RK_VERDICT_REFUSE);
	}
	assert_int_equal(stat(STORERIG_DB "-wal", &after), 0);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	assert_int_equal(storerig_find(s, 1).tries, 1001);
	/* It may be approved again; a revoked one only after it was forgotten.
	 */
	(void)storerig_decide(s, RK_STORE_APPROVE, 1);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	rk_store_close(s);
}

static void
test_revoked(void **state)
{
	struct rk_store *s = storerig_open();
	char fp[RK_FP_LEN];
	struct rk_store_decision d = { .size = sizeof(d),
		.key = fp,
		.who = "ann",
		.version = RK_STORE_ANY_VERSION };
	struct rk_error err;

	(void)state;
	storerig_admit(s, 1, "a@x.example");
	storerig_fp(1, fp);
	(void)storerig_decide(s, RK_STORE_REVOKE, 1);
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_ESTATE);
	storerig_says(&err, "revoked by ann");
	/* What is rejected may be approved. */
	d.verb = RK_STORE_REJECT;
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_ESTATE);
	storerig_says(&err, "revoked by ann");
	assert_int_equal(storerig_status(s, 1), RK_STATUS_REVOKED);
	(void)storerig_decide(s, RK_STORE_FORGET, 1);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_NEW);
	assert_int_equal(storerig_count(s, 0), 0);
	rk_store_close(s);
}

/* ---- deciding ---- */

/* Beside the first key; the audit's line. */
static int64_t
write_note(struct rk_store *s)
{
	char fp[RK_FP_LEN];
	const struct rk_store_decision d = { .size = sizeof(d),
		.key = fp,
		.verb = RK_STORE_NOTE,
		.who = "ann",
		.note = "build box",
		.version = RK_STORE_ANY_VERSION };
	int64_t line;

	storerig_fp(1, fp);
	assert_int_equal(rk_store_decide(s, &d, &line, NULL), RK_OK);
	return line;
}

static void
test_undo(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_error err;
	int64_t note;
	int64_t act;

	(void)state;
	storerig_admit(s, 1, "a@x.example");
	note = write_note(s);
	act = storerig_decide(s, RK_STORE_FORGET, 1);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_NEW);
	assert_int_equal(rk_store_undo(s, act, "ann", &err), RK_OK);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_string_equal(storerig_find(s, 1).note, "build box");
	assert_string_equal(storerig_find(s, 1).email, "a@x.example");
	assert_int_equal(rk_store_undo(s, note, "ann", &err), RK_ESTATE);
	assert_int_equal(rk_store_undo(s, 99, "ann", &err), RK_ENOENT);
	assert_int_equal(rk_store_undo(s, 0, "ann", &err), RK_ENOENT);
	assert_int_equal(rk_store_undo(s, act, "", &err), RK_EINVAL);
	assert_int_equal(storerig_audit(s), 4);
	rk_store_close(s);
}

/* A note about it is no decision that stands in the way, and stays. */
static void
test_undo_noted(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_error err;
	int64_t act;

	(void)state;
	storerig_admit(s, 1, "a@x.example");
	act = storerig_decide(s, RK_STORE_REJECT, 1);
	for (unsigned i = 0; i < 2; i++)
		(void)write_note(s);
	assert_int_equal(rk_store_undo(s, act, "ann", &err), RK_OK);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_string_equal(storerig_find(s, 1).note, "build box");
	assert_int_equal(rk_store_undo(s, act, "ann", &err), RK_ESTATE);
	rk_store_close(s);
}

static void
test_two_people(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store *t = storerig_open();
	char fp[RK_FP_LEN];
	struct rk_store_decision d = { .size = sizeof(d), .key = fp };
	struct rk_peer peer;
	struct rk_error err;

	(void)state;
	storerig_fp(1, fp);
	storerig_peer(&peer, 1, "a@x.example", "192.0.2.7");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	d.version = storerig_find(t, 1).version;
	d.verb = RK_STORE_REJECT;
	d.who = "bob\x1b[2J";
	assert_int_equal(rk_store_decide(t, &d, NULL, &err), RK_OK);
	d.verb = RK_STORE_APPROVE;
	d.who = "ann";
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_ESTATE);
	storerig_says(&err, "rejected by bob\\x1b");
	assert_int_equal(storerig_status(s, 1), RK_STATUS_REJECTED);
	rk_store_close(t);
	rk_store_close(s);
}

static void
test_arguments(void **state)
{
	struct rk_store *s = storerig_open();
	char fp[RK_FP_LEN];
	char longer[RK_STORE_TEXT_LEN + 1];
	struct rk_store_decision d = { .size = sizeof(d),
		.who = "ann",
		.key = "SHA256:abc",
		.version = RK_STORE_ANY_VERSION };
	struct rk_store_entry e;
	struct rk_error err;

	(void)state;
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	storerig_admit(s, 1, "");
	storerig_fp(1, fp);
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_EINVAL);
	storerig_says(&err, "8 characters");
	d.key = "SHA256:01234567";
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_ENOENT);
	d.key = fp;
	d.note = longer;
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_EINVAL);
	d.note = NULL;
	d.who = "";
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_EINVAL);
	d.who = "ann";
	d.verb = RK_STORE_REPLACE;
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_EINVAL);
	d.size--;
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_EINVAL);
	fp[7 + RK_STORE_FP_MIN] = '\0';
	assert_int_equal(rk_store_find(s, fp, &e, &err), RK_OK);
	assert_int_equal(rk_store_find(s, fp + 7, &e, &err), RK_OK);
	fp[6 + RK_STORE_FP_MIN] = '\0';
	assert_int_equal(rk_store_find(s, fp, &e, &err), RK_EINVAL);
	assert_int_equal(
	    rk_store_find(s, "\x1b[2Jxxxxxxxx", &e, &err), RK_ENOENT);
	storerig_says(&err, "\\x1b");
	rk_store_close(s);
}

int
main(void)
{
#define IN_SCRATCH(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_until),
		cmocka_unit_test(test_verdict),
		cmocka_unit_test(test_names),
		IN_SCRATCH(test_ask),
		IN_SCRATCH(test_open_mode),
		IN_SCRATCH(test_changed),
		IN_SCRATCH(test_once),
		IN_SCRATCH(test_for_a_time),
		IN_SCRATCH(test_clock_jumps),
		IN_SCRATCH(test_rejected),
		IN_SCRATCH(test_revoked),
		IN_SCRATCH(test_undo),
		IN_SCRATCH(test_undo_noted),
		IN_SCRATCH(test_two_people),
		IN_SCRATCH(test_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
