/* What the trust store puts in order when it can: lines of keys that are out,
 * and what is kept of lines that never come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/log.h>

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "scratch.h"
#include "storerig.h"
#include "trust/store.h"

#define DAY 86400

/* Is this address in a line that is no comment? */
static bool
has_line(const char *email)
{
	struct buf b;
	const char *line, *at;
	bool has;

	buf_init(&b, 1 << 20);
	assert_int_equal(
	    fs_read(STORERIG_FILE, FS_ANY, 1 << 20, &b, NULL), RK_OK);
	assert_int_equal(buf_put(&b, "", 1), RK_OK);
	at = strstr((const char *)buf_peek(&b), email);
	assert_non_null(at);
	for (has = false; at != NULL && !has; at = strstr(at + 1, email)) {
		for (line = at;
		     line > (const char *)buf_peek(&b) && line[-1] != '\n';)
			line--;
		has = line[0] != '#';
	}
	buf_fini(&b);
	return has;
}

/* What somebody has added while no program ran is his, too. */
static void
test_opened_later(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_admit(s, 1, "a@x");
	(void)storerig_decide(s, RK_STORE_REVOKE, 1);
	rk_store_close(s);
	storerig_append(1, "c@x");
	s = storerig_open();
	store_tidy(s);
	assert_true(has_line("c@x"));
	assert_int_equal(storerig_status(s, 1), RK_STATUS_REVOKED);
	rk_store_close(s);
}

/* One of a key's two lines is a comment already, as who was killed at it leaves
 * them: the next program does the other. */
static void
test_cut(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_admit(s, 1, "a@x");
	storerig_append(1, "b@x");
	(void)storerig_decide(s, RK_STORE_REVOKE, 1);
	assert_false(has_line("b@x"));
	rk_store_close(s);
	storerig_append(1, "b@x");
	s = storerig_open();
	store_tidy(s);
	assert_false(has_line("a@x"));
	assert_false(has_line("b@x"));
	rk_store_close(s);
}

/* Stores of before lines were kept do not know what was there. */
static void
test_nothing_kept(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_admit(s, 1, "a@x");
	(void)storerig_decide(s, RK_STORE_REVOKE, 1);
	assert_int_equal(
	    sqlite3_exec(s->db, "DELETE FROM lines", NULL, NULL, NULL),
	    SQLITE_OK);
	rk_store_close(s);
	storerig_append(1, "a@x");
	s = storerig_open();
	store_tidy(s);
	assert_false(has_line("a@x"));
	rk_store_close(s);
}

/* The authorizer of sqlite3. */
static int
no_lines(void *arg, int what, const char *table, const char *column,
    const char *db, const char *by)
{
	(void)arg;
	(void)column;
	(void)db;
	(void)by;
	return what == SQLITE_READ && strcmp(table, "lines") == 0 ? SQLITE_DENY
	                                                          : SQLITE_OK;
}

/* What is kept cannot be read for once: that is no line of somebody else. */
static void
test_unread(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_admit(s, 1, "a@x");
	storerig_append(1, "b@x");
	(void)storerig_decide(s, RK_STORE_REVOKE, 1);
	rk_store_close(s);
	storerig_append(1, "b@x");
	s = storerig_open();
	assert_int_equal(
	    sqlite3_set_authorizer(s->db, no_lines, NULL), SQLITE_OK);
	store_tidy(s);
	assert_true(has_line("b@x"));
	assert_int_not_equal(s->hide_fault, RK_OK);
	assert_int_equal(sqlite3_set_authorizer(s->db, NULL, NULL), SQLITE_OK);
	s->hide_again = 0;
	store_tidy(s);
	assert_false(has_line("b@x"));
	rk_store_close(s);
}

static char said[512]; /* by the log, last */
static unsigned n_said;

/* rk_log_fn */
static void
hear(
    enum rk_log_level level, const char *subsystem, const char *text, void *arg)
{
	(void)level;
	(void)subsystem;
	(void)arg;
	(void)snprintf(said, sizeof(said), "%s", text);
	n_said++;
}

/* Another descriptor's lock is another program's. */
static int
hold_list(void)
{
	int fd = open(STORERIG_FILE, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	return fd;
}

/* A line that could not be taken out is, when that is possible. */
static void
test_held(void **state)
{
	struct rk_store *s = storerig_open();
	int fd;

	(void)state;
	storerig_admit(s, 1, "a@x");
	storerig_admit(s, 2, "b@x");
	store_on_loop(s, true);
	fd = hold_list();
	(void)storerig_decide(s, RK_STORE_REVOKE, 1);
	store_tidy(s);
	assert_int_equal(close(fd), 0);
	assert_true(has_line("a@x"));
	s->hide_again = 0;
	store_tidy(s);
	assert_false(has_line("a@x"));
	assert_true(has_line("b@x"));
	assert_int_equal(storerig_status(s, 1), RK_STATUS_REVOKED);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_KNOWN);
	rk_store_close(s);
}

static void
test_locked(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_admit(s, 1, "a@x");
	storerig_admit(s, 2, "b@x");
	assert_int_equal(chmod(STORERIG_FILE, 0400), 0);
	(void)storerig_decide(s, RK_STORE_REJECT, 1);
	(void)storerig_decide(s, RK_STORE_REJECT, 2);
	store_tidy(s);
	assert_true(has_line("a@x"));
	assert_int_equal(chmod(STORERIG_FILE, 0600), 0);
	/* Who was approved again meanwhile keeps it. */
	(void)storerig_decide(s, RK_STORE_APPROVE, 2);
	store_tidy(s);
	assert_false(has_line("a@x"));
	assert_true(has_line("b@x"));
	/* What somebody adds afterwards is his. */
	storerig_append(1, "c@x");
	store_tidy(s);
	assert_true(has_line("c@x"));
	assert_int_equal(storerig_status(s, 1), RK_STATUS_REJECTED);
	rk_store_close(s);
}

/* The next program does it where this one could not. */
static void
test_opened(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_admit(s, 1, "a@x");
	assert_int_equal(chmod(STORERIG_FILE, 0400), 0);
	(void)storerig_decide(s, RK_STORE_REVOKE, 1);
	rk_store_close(s);
	assert_int_equal(chmod(STORERIG_FILE, 0600), 0);
	s = storerig_open();
	store_tidy(s);
	assert_false(has_line("a@x"));
	rk_store_close(s);
}

/* Each fault is told once, with what it is, and when it is over. */
static void
test_told_once(void **state)
{
	struct rk_store *s = storerig_open();
	int fd;

	(void)state;
	storerig_admit(s, 1, "a@x");
	store_on_loop(s, true);
	assert_int_equal(chmod(STORERIG_FILE, 0400), 0);
	(void)storerig_decide(s, RK_STORE_REVOKE, 1);
	assert_int_equal(chmod(STORERIG_FILE, 0600), 0);
	assert_int_equal(storerig_status(s, 1), RK_STATUS_REVOKED);
	fd = hold_list();
	n_said = 0;
	rk_log_set(hear, RK_LOG_INFO, NULL);
	for (int i = 0; i < 3; i++) {
		s->hide_again = 0;
		store_tidy(s);
	}
	assert_int_equal(n_said, 1);
	assert_non_null(strstr(said, "locked by another process"));
	assert_int_equal(close(fd), 0);
	s->hide_again = 0;
	store_tidy(s);
	assert_int_equal(n_said, 2);
	assert_non_null(strstr(said, "out of the list now"));
	store_tidy(s);
	assert_int_equal(n_said, 2);
	rk_log_set(NULL, RK_LOG_INFO, NULL);
	assert_false(has_line("a@x"));
	rk_store_close(s);
}

/* Where the list cannot be read nobody knows of a change of its lock. */
static void
test_no_notice(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_admit(s, 1, "a@x");
	assert_int_equal(rename(STORERIG_FILE, "elsewhere"), 0);
	n_said = 0;
	rk_log_set(hear, RK_LOG_INFO, NULL);
	store_lock_notice(s);
	assert_int_equal(n_said, 0);
	/* Of one that was ordered somebody does. */
	store_mode_is(s, "ask", "ann");
	s->lock.again = 0;
	store_lock_notice(s);
	assert_true(n_said > 0);
	assert_non_null(strstr(said, "not in the audit yet"));
	rk_log_set(NULL, RK_LOG_INFO, NULL);
	rk_store_close(s);
}

/* ---- lines that were taken out ---- */

static int64_t
count_lines(void)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;
	int64_t n;

	assert_int_equal(sqlite3_open(STORERIG_DB, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(
	                     db, "SELECT count(*) FROM lines", -1, &stmt, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	n = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return n;
}

/* As long as others wait, and no longer. */
static void
test_lines(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_now = 1000000;
	store_set_clock(s, storerig_clock);
	storerig_admit(s, 1, "a@x");
	storerig_admit(s, 2, "b@x");
	(void)storerig_decide(s, RK_STORE_FORGET, 1);
	(void)storerig_decide(s, RK_STORE_REJECT, 2);
	assert_int_equal(count_lines(), 2);
	storerig_now += 6 * DAY;
	store_tidy(s);
	assert_int_equal(count_lines(), 2);
	/* Of a key that is not forgotten it stays. */
	storerig_now += 2 * DAY;
	s->lines_again = 0;
	store_tidy(s);
	assert_int_equal(count_lines(), 1);
	assert_int_equal(storerig_status(s, 2), RK_STATUS_REJECTED);
	rk_store_close(s);
}

#define MANY 130

/* SQLite's steps so far, in thousands. */
static unsigned steps;

static int
count_steps(void *arg)
{
	(void)arg;
	steps++;
	return 0;
}

/* As many lines more of what was done last. */
static void
grow_audit(unsigned n)
{
	char sql[512];
	sqlite3 *db = NULL;

	(void)snprintf(sql, sizeof(sql),
	    "CREATE TEMP TABLE more AS SELECT * FROM audit ORDER BY id DESC "
	    "LIMIT 1; WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 "
	    "FROM c WHERE x < %u) INSERT INTO audit SELECT more.id + x, act, "
	    "time, who, what, pub, email, ca, before, before_until, "
	    "before_who, before_decided, before_note, first_seen, after, note "
	    "FROM c, more",
	    n);
	assert_int_equal(sqlite3_open(STORERIG_DB, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void
forget(struct rk_store *s, unsigned from, unsigned to)
{
	for (unsigned i = from; i <= to; i++) {
		storerig_admit(s, i, "");
		(void)storerig_decide(s, RK_STORE_FORGET, i);
	}
}

/* However long the audit is: little work each time, until it is done. */
static void
test_lines_of_long_audit(void **state)
{
	struct rk_store *s = storerig_open();
	unsigned looks = 0;

	(void)state;
	storerig_now = 1000000;
	store_set_clock(s, storerig_clock);
	forget(s, 1, MANY);
	storerig_now += 10 * DAY;
	storerig_admit(s, 999, "z@x");
	grow_audit(20000);
	s->lines_again = 0;
	/* The table of keys is up to date: that is no part of it. */
	assert_int_equal(storerig_status(s, 999), RK_STATUS_KNOWN);
	sqlite3_progress_handler(s->db, 1000, count_steps, NULL);
	while (count_lines() > 0) {
		steps = 0;
		store_tidy(s);
		assert_true(steps < 20);
		assert_true(++looks < 10);
	}
	sqlite3_progress_handler(s->db, 0, NULL, NULL);
	rk_store_close(s);
}

/* None waits for ever because others come first, which have to stay. */
static void
test_lines_in_turn(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_now = 1000000;
	store_set_clock(s, storerig_clock);
	forget(s, 1, 4);
	storerig_now += 10 * DAY;
	forget(s, 5, MANY);
	s->lines_again = 0;
	for (unsigned i = 0; i < 5; i++)
		store_tidy(s);
	assert_int_equal(count_lines(), MANY - 4);
	/* Then it is over, for an hour. */
	assert_true(s->lines_again > mono_ms() + 1000000);
	rk_store_close(s);
}

/* sqlite3_trace_v2(): somebody locks the list when a transaction begins. */
static int
lock_at_begin(unsigned what, void *arg, void *stmt, void *text)
{
	(void)what;
	(void)arg;
	(void)stmt;
	if (strcmp(text, "BEGIN IMMEDIATE") == 0)
		assert_int_equal(chmod(STORERIG_FILE, 0400), 0);
	return 0;
}

/* What was to be taken out is remembered until it is. */
static void
test_locked_meanwhile(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_admit(s, 1, "a@x");
	assert_int_equal(chmod(STORERIG_FILE, 0400), 0);
	(void)storerig_decide(s, RK_STORE_REJECT, 1);
	assert_true(has_line("a@x"));
	assert_int_equal(chmod(STORERIG_FILE, 0600), 0);
	(void)sqlite3_trace_v2(s->db, SQLITE_TRACE_STMT, lock_at_begin, NULL);
	store_tidy(s);
	(void)sqlite3_trace_v2(s->db, 0, NULL, NULL);
	assert_true(has_line("a@x"));
	assert_int_equal(chmod(STORERIG_FILE, 0600), 0);
	store_tidy(s);
	assert_false(has_line("a@x"));
	rk_store_close(s);
}

/* ---- lines that are taken back ---- */

/* In the last moment somebody locks the list, and nothing is committed. */
static int
lock_and_fail(void *arg)
{
	(void)arg;
	assert_int_equal(chmod(STORERIG_FILE, 0400), 0);
	return 1;
}

/* What is not decided must not stay in the list because of that. */
static void
test_taken_back_from_locked(void **state)
{
	struct rk_store *s = storerig_open();
	struct rk_error err;
	struct rk_peer peer;
	char *text = NULL;
	size_t len, n;

	(void)state;
	storerig_admit(s, 1, "a@x");
	assert_int_equal(rk_store_export(s, &text, &len, &err), RK_OK);
	(void)storerig_decide(s, RK_STORE_FORGET, 1);
	(void)sqlite3_commit_hook(s->db, lock_and_fail, NULL);
	assert_int_not_equal(
	    rk_store_import(s, "backup", text, len, "ann", &n, &err), RK_OK);
	assert_false(has_line("a@x"));
	assert_int_equal(chmod(STORERIG_FILE, 0600), 0);
	(void)sqlite3_commit_hook(s->db, NULL, NULL);
	storerig_peer(&peer, 1, "a@x", "192.0.2.1");
	(void)storerig_see(s, RK_MODE_ASK, &peer);
	(void)sqlite3_commit_hook(s->db, lock_and_fail, NULL);
	assert_int_not_equal(storerig_try(s, RK_STORE_APPROVE, 1), RK_OK);
	assert_false(has_line("a@x"));
	(void)sqlite3_commit_hook(s->db, NULL, NULL);
	free(text);
	rk_store_close(s);
}

/* Who is not forgotten, nor approved for a connection instead, keeps all of his
 * lines. */
static void
test_brought_back_to_locked(void **state)
{
	struct rk_store *s = storerig_open();

	(void)state;
	storerig_admit(s, 1, "a@x");
	storerig_append(1, "b@x");
	storerig_admit(s, 2, "c@x");
	(void)sqlite3_commit_hook(s->db, lock_and_fail, NULL);
	assert_int_not_equal(storerig_try(s, RK_STORE_FORGET, 1), RK_OK);
	assert_true(has_line("a@x"));
	assert_true(has_line("b@x"));
	assert_int_equal(storerig_status(s, 1), RK_STATUS_KNOWN);
	assert_int_equal(chmod(STORERIG_FILE, 0600), 0);
	assert_int_not_equal(storerig_try(s, RK_STORE_APPROVE_ONCE, 2), RK_OK);
	assert_true(has_line("c@x"));
	assert_int_equal(storerig_status(s, 2), RK_STATUS_KNOWN);
	(void)sqlite3_commit_hook(s->db, NULL, NULL);
	rk_store_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_held, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_locked, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_opened, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_lines, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_opened_later, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_cut, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_nothing_kept, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_unread, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_told_once, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_no_notice, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_lines_of_long_audit, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_lines_in_turn, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_locked_meanwhile, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_taken_back_from_locked, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    test_brought_back_to_locked, scratch_enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
