/* The trust store and its known-keys file; floods of strangers. */
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

#include "base/fs.h"
#include "failsync.h"
#include "failvfs.h"
#include "scratch.h"
#include "storerig.h"
#include "trust/store.h"

#define DAY 86400

/* ---- the file ---- */

static void
test_line_appears(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store_entry e;
	struct rk_peer peer;

	(void)state;
	storerig_peer(&peer, 1, "go@x.example", "192.0.2.7");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	storerig_append(1, "go@x.example");
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	storerig_append(2, "new%40x.example");
	assert_int_equal(storerig_status(s, 2), RK_STATUS_KNOWN);
	assert_int_equal(storerig_count(s, 1U << RK_STORE_KNOWN), 2);
	e = storerig_find(s, 2);
	assert_string_equal(e.who, "file");
	assert_string_equal(e.email, "new@x.example");
	/* Its email counts as any other's. */
	storerig_peer(&peer, 3, "new@x.example", "192.0.2.7");
	assert_int_equal(
	    storerig_see(s, RK_MODE_ASK, &peer).status, RK_STATUS_CHANGED);
	rk_store_close(s);
}

/* 12 addresses and one more, which is behind what a row has room for. */
static const char *
long_emails(const char *last)
{
	static char text[512];
	size_t n = 0;

	for (unsigned i = 0; i < 12; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "person%02u.longname@example.org,", i);
	(void)snprintf(text + n, sizeof(text) - n, "%s", last);
	return text;
}

/* What is cut says so, and nobody takes it for all that there is. */
static void
test_long_line(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store_entry e;
	struct mails mails;

	(void)state;
	storerig_append(1, long_emails("carl@example.org"));
	e = storerig_find(s, 1);
	assert_int_equal(strlen(e.email), sizeof(e.email) - 1);
	mails = mails_of(e.email);
	assert_false(mails_are_all(&mails));
	rk_store_close(s);
}

/* Where somebody's line was cut off in front of his addresses, what his
 * certificate said counts: at once, and when that is written. */
static void
test_cut_line(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_peer peer;
	struct stat st;

	(void)state;
	storerig_peer(&peer, 1, "dan@x", "192.0.2.1");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	storerig_append(1, "");
	assert_int_equal(stat(STORERIG_FILE, &st), 0);
	assert_int_equal(truncate(STORERIG_FILE, st.st_size - 1), 0);
	storerig_peer(&peer, 2, "dan@x", "192.0.2.2");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(storerig_see(s, RK_MODE_ASK, &peer).status,
		    RK_STATUS_CHANGED);
		assert_int_equal(storerig_find(s, 1).state, RK_STORE_KNOWN);
	}
	rk_store_close(s);
}

static void
read_list(struct buf *b)
{
	buf_init(b, 1 << 16);
	assert_int_equal(fs_read(STORERIG_FILE, 0, 1 << 16, b, NULL), RK_OK);
}

static void
undo_of(struct rk_store *s, enum rk_store_verb verb)
{
	int64_t act = storerig_decide(s, verb, 1);

	assert_int_not_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(rk_store_undo(s, act, "ann", NULL), RK_OK);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
}

static void
take_comments_out(struct rk_store *s, int64_t act)
{
	scratch_make(STORERIG_FILE, "# decisions: known.db\n", 0600);
	assert_int_equal(rk_store_undo(s, act, "ann", NULL), RK_OK);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
}

/* Undone, a line is what it was, byte by byte: who is known by an address
 * behind what a row has room for is so again. */
static void
test_comes_back(void **state)
{
	static const enum rk_store_verb verbs[] = { RK_STORE_REJECT,
		RK_STORE_REVOKE, RK_STORE_FORGET };
	struct rk_store *s;
	struct rk_peer carl;
	struct buf before, now;

	(void)state;
	scratch_make(STORERIG_FILE, "# mine\n", 0600);
	s = storerig_open();
	storerig_append(1, long_emails("carl@example.org note=build-box"));
	storerig_append(2, "b@x.example");
	storerig_peer(&carl, 3, "carl@example.org", "192.0.2.7");
	read_list(&before);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		undo_of(s, verbs[i]);
		read_list(&now);
		assert_int_equal(buf_len(&now), buf_len(&before));
		assert_memory_equal(
		    buf_peek(&now), buf_peek(&before), buf_len(&now));
		buf_fini(&now);
	}
	assert_int_equal(
	    storerig_see(s, RK_MODE_OPEN, &carl).status, RK_STATUS_CHANGED);
	/* Whoever took the comment away meanwhile: it is the whole line. */
	take_comments_out(s, storerig_decide(s, RK_STORE_REJECT, 1));
	read_list(&now);
	assert_non_null(memmem(buf_peek(&now), buf_len(&now),
	    ",carl@example.org note=build-box\n", 33));
	buf_fini(&now);
	buf_fini(&before);
	rk_store_close(s);
}

static int64_t
count_kept(struct rk_store *s)
{
	int64_t n = -1;

	assert_int_equal(
	    store_db_number(s, "SELECT count(*) FROM lines", &n, NULL), RK_OK);
	return n;
}

/* What could not be decided leaves the line it was about, not an older one of
 * that key; and what is back is kept no longer. */
static void
test_taken_back(void **state)
{
	struct rk_store *s = storerig_open();
	struct buf before, now;
	int64_t act;

	(void)state;
	storerig_append(1, "a@x.example note=one");
	(void)storerig_decide(s, RK_STORE_FORGET, 1);
	storerig_append(1, "a@x.example note=two");
	read_list(&before);
	failvfs_set(0, SQLITE_FULL);
	assert_int_not_equal(storerig_try(s, RK_STORE_FORGET, 1), RK_OK);
	failvfs_set(-1, 0);
	read_list(&now);
	assert_int_equal(buf_len(&now), buf_len(&before));
	assert_memory_equal(buf_peek(&now), buf_peek(&before), buf_len(&now));
	act = storerig_decide(s, RK_STORE_FORGET, 1);
	assert_int_equal(count_kept(s), 1);
	assert_int_equal(rk_store_undo(s, act, "ann", NULL), RK_OK);
	assert_int_equal(count_kept(s), 0);
	buf_fini(&now);
	read_list(&now);
	assert_memory_equal(buf_peek(&now), buf_peek(&before), buf_len(&now));
	buf_fini(&now);
	buf_fini(&before);
	rk_store_close(s);
}

/* Lines of key 2, behind what is there or in its place. */
static void
fill_list(const char *how, size_t n)
{
	FILE *f = fopen(STORERIG_FILE, how);
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char id[RK_KEY_ID_LEN];

	assert_non_null(f);
	storerig_key(2, pub);
	rk_key_id(pub, id);
	for (size_t i = 0; i < n; i++)
		(void)fprintf(f, "192.0.2.1 %s:b@x.example\n", id);
	assert_int_equal(fclose(f), 0);
}

/* No line is added to a full list; one that is there still comes back. */
static void
test_full(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_error err;
	int64_t act;

	(void)state;
	storerig_admit(s, 1, "a@x.example");
	act = storerig_decide(s, RK_STORE_FORGET, 1);
	fill_list("w", KNOWN_KEYS_MAX);
	assert_int_equal(rk_store_undo(s, act, "ann", &err), RK_ELIMIT);
	storerig_says(&err, "is full");
	assert_int_equal(storerig_status(s, 1), RK_STATUS_NEW);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_KNOWN);
	fill_list("w", KNOWN_KEYS_MAX - 1);
	assert_int_equal(rk_store_undo(s, act, "ann", &err), RK_OK);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	/* Another program may have put in more. */
	fill_list("a", 2);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	act = storerig_decide(s, RK_STORE_REJECT, 1);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_REJECTED);
	assert_int_equal(rk_store_undo(s, act, "ann", &err), RK_OK);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	(void)storerig_decide(s, RK_STORE_FORGET, 1);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_NEW);
	rk_store_close(s);
}

static void
test_line_goes(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store_seen seen;
	struct rk_peer peer;
	struct rk_error err;

	(void)state;
	storerig_admit(s, 1, "a@x.example");
	storerig_admit(s, 2, "b@x.example");
	assert_int_equal(unlink(STORERIG_FILE), 0);
	/* Gone is not empty. */
	storerig_peer(&peer, 1, "a@x.example", "192.0.2.7");
	assert_int_equal(
	    rk_store_look(s, RK_MODE_OFF, &peer.cert, &seen, &err), RK_EIO);
	storerig_says(&err, "was there and is gone");
	scratch_make(STORERIG_FILE, "# nobody\n", 0600);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_NEW);
	storerig_peer(&peer, 1, "a@x.example", "192.0.2.7");
	assert_int_equal(
	    storerig_see(s, RK_MODE_ASK, &peer).verdict, RK_VERDICT_WAIT);
	assert_int_equal(storerig_find(s, 1).state, RK_STORE_WAIT);
	(void)storerig_decide(s, RK_STORE_APPROVE, 1);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	/* Undoing a rejection does not bring back what the file has lost. */
	assert_int_equal(
	    rk_store_undo(
	        s, storerig_decide(s, RK_STORE_REJECT, 2), "ann", &err),
	    RK_OK);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_WAITING);
	rk_store_close(s);
}

static void
test_locked(void **state)
{
	struct rk_store *s = storerig_open();
	char fp[RK_FP_LEN];
	struct rk_store_decision d = { .size = sizeof(d),
		.key = fp,
		.who = "ann",
		.version = RK_STORE_ANY_VERSION };
	struct rk_peer peer;
	struct rk_error err;

	(void)state;
	storerig_admit(s, 1, "a@x.example");
	storerig_peer(&peer, 2, "b@x.example", "192.0.2.7");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	assert_int_equal(chmod(STORERIG_FILE, 0400), 0);
	assert_int_equal(
	    storerig_see(s, RK_MODE_ASK, &peer).verdict, RK_VERDICT_REFUSE);
	storerig_fp(2, fp);
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_ESTATE);
	storerig_says(&err, "known: is locked");
	d.verb = RK_STORE_APPROVE_ONCE;
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_ESTATE);
	d.verb = RK_STORE_FORGET;
	storerig_fp(1, fp);
	assert_int_equal(rk_store_decide(s, &d, NULL, &err), RK_ESTATE);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	/* Refusing works at any time. */
	(void)storerig_decide(s, RK_STORE_REVOKE, 1);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_REVOKED);
	assert_int_equal(storerig_audit(s), 3); /* and the lock */
	rk_store_close(s);
}

/* Rejecting and forgetting leave the other lines as they are, byte by byte. */
static void
test_other_lines(void **state)
{
	struct rk_store *s;
	struct stat before;
	struct stat after;
	char id[RK_KEY_ID_LEN];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char text[512];

	(void)state;
	scratch_make(STORERIG_FILE, "", 0600);
	s = storerig_open();
	storerig_append(1, "a@x.example");
	storerig_append(1, "a@x.example");
	storerig_append(2, "b@x.example:more of others");
	assert_int_equal(stat(STORERIG_FILE, &before), 0);
	(void)storerig_decide(s, RK_STORE_FORGET, 1);
	assert_int_equal(stat(STORERIG_FILE, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	storerig_key(1, pub);
	rk_key_id(pub, id);
	(void)snprintf(text, sizeof(text),
	    "# decisions: known.db\n#0.0.0.1 %s:a@x.example\n"
	    "#0.0.0.1 %s:a@x.example\n10.0.0.1 ",
	    id, id);
	storerig_key(2, pub);
	rk_key_id(pub, id);
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
	    "%s:b@x.example:more of others\n", id);
	scratch_holds(STORERIG_FILE, text);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_NEW);
	rk_store_close(s);
}

static void
test_import(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_error err;
	char *text = NULL;
	size_t len;
	size_t n;

	(void)state;
	storerig_admit(s, 1, "a@x.example");
	storerig_admit(s, 2, "b@x.example");
	storerig_admit(s, 3, "c@x.example");
	assert_int_equal(rk_store_export(s, &text, &len, &err), RK_OK);
	(void)storerig_decide(s, RK_STORE_FORGET, 1);
	(void)storerig_decide(s, RK_STORE_REJECT, 2);
	assert_int_equal(
	    rk_store_import(s, "backup", text, len, "ann", &n, &err), RK_OK);
	assert_int_equal(n, 1);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_REJECTED);
	assert_string_equal(storerig_find(s, 1).email, "a@x.example");
	assert_int_equal(
	    rk_store_import(s, "backup", text, len, "ann", &n, &err), RK_OK);
	assert_int_equal(n, 0);
	assert_int_equal(
	    rk_store_import(s, "backup", text, len - 5, "", &n, &err),
	    RK_EINVAL);
	text[len - 60] = '!';
	assert_int_equal(
	    rk_store_import(s, "backup", text, len, "ann", &n, &err),
	    RK_EFORMAT);
	storerig_says(&err, "backup:");
	free(text);
	rk_store_close(s);
}

/* What did not reach the disk is not there, and was not let in. */
static void
test_import_unsynced(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_error err;
	char *text = NULL;
	size_t n = 9, len = 0;

	(void)state;
	storerig_admit(s, 1, "a@x.example");
	assert_int_equal(rk_store_export(s, &text, &len, &err), RK_OK);
	(void)storerig_decide(s, RK_STORE_FORGET, 1);
	failsync_set(true);
	assert_int_equal(
	    rk_store_import(s, "backup", text, len, "ann", &n, &err), RK_EIO);
	failsync_set(false);
	assert_int_equal(n, 0);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_NEW);
	assert_int_equal(
	    rk_store_import(s, "backup", text, len, "ann", &n, &err), RK_OK);
	assert_int_equal(n, 1);
	free(text);
	rk_store_close(s);
}

/* ---- floods ---- */

/* Waiting keys, each from a source of its own, all at once. */
static void
fill(struct rk_store *s, unsigned first, unsigned n)
{
	struct store_row row;
	struct rk_error err;
	unsigned i;

	assert_int_equal(store_begin(s, &err), RK_OK);
	for (i = first; i < first + n; i++) {
		row = (struct store_row){
			.e = { .state = RK_STORE_WAIT,
			    .last_seen = storerig_now },
			.source = { 10, (uint8_t)i, (uint8_t)(i >> 8) },
		};
		storerig_key(i, row.e.pub);
		storerig_fp(i, row.e.fp);
		assert_int_equal(store_row_put(s, &row, &err), RK_OK);
	}
	assert_int_equal(store_end(s, RK_OK, &err), RK_OK);
}

static void
test_flood(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store_seen seen;
	struct rk_error err;
	struct rk_peer peer;
	char host[64];
	unsigned refused = 0;
	unsigned i;

	(void)state;
	storerig_now = 1000000;
	store_set_clock(s, storerig_clock);
	storerig_admit(s, 1, "a@x.example");
	storerig_peer(&peer, 2, "lonely@x.example", "198.51.100.1");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	/* One source: only its share, and what is refused writes nothing. */
	for (i = 0; i < 500; i++) {
		(void)snprintf(host, sizeof(host), "2001:db8::%x", i);
		storerig_peer(&peer, 10 + i, "", host);
		refused += rk_store_see(s, RK_MODE_ASK, &peer, &seen, &err) ==
		           RK_ELIMIT;
		assert_true(seen.verdict != RK_VERDICT_ACCEPT);
	}
	assert_int_equal(refused, 500 - RK_STORE_WAITING_SOURCE);
	assert_int_equal(storerig_count(s, 1U << RK_STORE_WAIT),
	    RK_STORE_WAITING_SOURCE + 1);
	/* Many sources: the whole is bounded, those who came alone stay. */
	fill(s, 2000, RK_STORE_WAITING - RK_STORE_WAITING_SOURCE - 1);
	assert_int_equal(
	    storerig_count(s, 1U << RK_STORE_WAIT), RK_STORE_WAITING);
	for (i = 0; i < 40; i++) {
		(void)snprintf(host, sizeof(host), "10.9.0.%u", i);
		storerig_peer(&peer, 3000 + i, "", host);
		/* Room is made by the one source that has several. */
		assert_int_equal(
		    rk_store_see(s, RK_MODE_ASK, &peer, &seen, &err),
		    i < RK_STORE_WAITING_SOURCE - 1 ? RK_OK : RK_ELIMIT);
	}
	assert_int_equal(
	    storerig_count(s, 1U << RK_STORE_WAIT), RK_STORE_WAITING);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_WAITING);
	assert_int_equal(storerig_status(s, 2001), RK_STATUS_WAITING);
	/* Unseen for a week. */
	storerig_now += RK_STORE_WAITING_DAYS * DAY + 1;
	assert_int_equal(storerig_count(s, 0), 1);
	rk_store_close(s);
}

/* The list of an open mode grows at a pace. */
static void
test_pace(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_store_seen seen;
	struct rk_error err;
	struct rk_peer peer;
	unsigned i;

	(void)state;
	assert_int_equal(rk_store_limit(s, 2), RK_OK);
	for (i = 0; i < 4; i++) {
		storerig_peer(&peer, i, "", "192.0.2.7");
		assert_int_equal(
		    rk_store_see(s, RK_MODE_OPEN, &peer, &seen, &err),
		    i < 2 ? RK_OK : RK_ELIMIT);
	}
	storerig_says(&err, "no more than 2 new keys a minute");
	assert_int_equal(seen.verdict, RK_VERDICT_REFUSE);
	assert_int_equal(storerig_count(s, 0), 2);
	rk_store_close(s);
}

static void
test_displaced(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_peer peer;
	unsigned i;

	(void)state;
	storerig_now = 1000000;
	store_set_clock(s, storerig_clock);
	for (i = 0; i < RK_STORE_WAITING_SOURCE; i++) {
		storerig_peer(&peer, i, "", "192.0.2.7");
		(void)storerig_see(s, RK_MODE_ASK, &peer);
		storerig_now++;
	}
	storerig_now += 3600;
	storerig_peer(&peer, 99, "", "192.0.2.7");
	assert_true(storerig_see(s, RK_MODE_ASK, &peer).recorded);
	assert_int_equal(storerig_status(s, 0), RK_STATUS_NEW);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_WAITING);
	assert_int_equal(storerig_status(s, 99), RK_STATUS_WAITING);
	rk_store_close(s);
}

static void
test_addresses(void **state)
{
	static const char *const hosts[] = { "10.0.0.1", "10.0.0.2", "10.0.0.3",
		"10.0.0.4", "10.0.0.5", "", "10.0.0.4" };
	struct rk_store *s = storerig_open();
	struct rk_store_entry e;
	struct rk_peer peer;
	struct rk_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		storerig_peer(&peer, 1, "", hosts[i]);
		(void)storerig_see(s, RK_MODE_ASK, &peer);
		assert_int_equal(rk_store_flush(s, &err), RK_OK);
	}
	e = storerig_find(s, 1);
	assert_string_equal(e.addresses[0], "10.0.0.4");
	assert_string_equal(e.addresses[1], "unix");
	assert_string_equal(e.addresses[2], "10.0.0.5");
	assert_string_equal(e.addresses[3], "10.0.0.3");
	rk_store_close(s);
}

int
main(void)
{
#define IN_SCRATCH(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(test_line_appears),
		IN_SCRATCH(test_long_line),
		IN_SCRATCH(test_cut_line),
		IN_SCRATCH(test_comes_back),
		IN_SCRATCH(test_taken_back),
		IN_SCRATCH(test_full),
		IN_SCRATCH(test_line_goes),
		IN_SCRATCH(test_locked),
		IN_SCRATCH(test_other_lines),
		IN_SCRATCH(test_import),
		IN_SCRATCH(test_import_unsynced),
		IN_SCRATCH(test_flood),
		IN_SCRATCH(test_pace),
		IN_SCRATCH(test_displaced),
		IN_SCRATCH(test_addresses),
	};

	failvfs_register();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
