/* A list that is locked by order: what undoes that, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "asklist.h"
#include "base/str.h"
#include "scratch.h"
#include "trust/policy.h"
#include "trust/store.h"

/* The list with a key that is known, and one that waits. */
static struct rk_trust *
begin(bool kept)
{
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);

	if (kept)
		assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	for (unsigned i = 1; i <= 2; i++)
		assert_int_equal(ask_come_as(t, i), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	return t;
}

static unsigned
mode_of_list(void)
{
	struct stat st;

	assert_int_equal(stat("k", &st), 0);
	return st.st_mode & 07777;
}

/* store_audit's: the last line about the lock. */
static void
take_lock_line(const struct rk_store_line *l, void *arg)
{
	char *who = arg;

	if (who[0] == '\0' && strcmp(l->what, "lock") == 0)
		(void)str_copy(who, RK_STORE_TEXT_LEN, l->who);
}

/* It waits for no store: who did it is written down when that is possible. */
static void
lock_waits_for_no_store(void **state)
{
	struct rk_trust *t = begin(true);
	struct rk_error err;
	char who[RK_STORE_TEXT_LEN] = "";
	sqlite3 *db = ask_hold_store();

	(void)state;
	assert_int_equal(policy_lock(t, true, "ann", &err), RK_OK);
	assert_int_equal(mode_of_list(), 0400);
	assert_int_equal(ask_come_as(t, 9), RK_EUNKNOWNKEY);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(policy_catch_up(t, NULL), RK_OK);
	assert_int_equal(ask_audit(t, 9, take_lock_line, who), RK_OK);
	assert_string_equal(who, "ann");
	rk_trust_free(t);
}

static sqlite3 *
order_of_locked(struct rk_trust *t)
{
	struct rk_error err;
	sqlite3 *db;

	assert_int_equal(chmod("k", 0400), 0);
	assert_int_equal(policy_catch_up(t, NULL), RK_OK);
	db = ask_hold_store();
	assert_int_equal(policy_lock(t, true, "ann", &err), RK_OK);
	return db;
}

/* Also of a list that is locked by hand: it is an order from then on. */
static void
lock_by_hand_waits_for_no_store(void **state)
{
	struct rk_trust *t = begin(true);
	char who[RK_STORE_TEXT_LEN] = "";
	sqlite3 *db = order_of_locked(t);

	(void)state;
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(policy_catch_up(t, NULL), RK_OK);
	assert_int_equal(ask_audit(t, 9, take_lock_line, who), RK_OK);
	assert_string_equal(who, "ann");
	rk_trust_free(t);
}

/* As an editor writes who began before. */
static void
replace_list(void)
{
	char text[4096];
	int from = open("k", O_RDONLY | O_CLOEXEC);
	int to = open("k.new", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n = read(from, text, sizeof(text));

	assert_true(n > 0 && to >= 0);
	assert_int_equal(write(to, text, (size_t)n), n);
	(void)close(from);
	(void)close(to);
	assert_int_equal(rename("k.new", "k"), 0);
}

/* An order to lock is about the list, whatever file has its name: it is not
 * undone by who knew nothing of it, but by who changes the mode. */
static void
lock_outlives_the_file(void **state)
{
	struct rk_trust *t, *other;
	struct rk_error err;

	(void)state;
	for (int kept = 0; kept <= 1; kept++) {
		t = begin(kept != 0);
		assert_int_equal(policy_lock(t, true, "ann", &err), RK_OK);
		assert_int_equal(
		    rk_trust_new("k", RK_TRUST_ASK, &other, NULL), RK_OK);
		assert_int_equal(rk_trust_keep(other, kept != 0, NULL), RK_OK);
		replace_list();
		if (kept != 0)
			assert_int_equal(ask_come_as(other, 8), RK_EUNKNOWNKEY);
		assert_int_equal(ask_come_as(t, 9), RK_EUNKNOWNKEY);
		assert_int_equal(ask_come_as(t, 1), RK_OK);
		assert_int_equal(mode_of_list(), 0400);
		assert_int_equal(ask_order(t, RK_ASK_APPROVE, 2), RK_ESTATE);
		replace_list();
		assert_int_equal(policy_catch_up(t, NULL), RK_OK);
		assert_int_equal(ask_come_as(t, 9), RK_EUNKNOWNKEY);
		assert_int_equal(mode_of_list(), 0400);
		rk_trust_free(other);
		assert_int_equal(chmod("k", 0600), 0);
		assert_int_equal(ask_come_as(t, 9), RK_EAGAIN);
		replace_list();
		assert_int_equal(ask_come_as(t, 8), RK_EAGAIN);
		assert_int_equal(mode_of_list(), 0600);
		rk_trust_free(t);
		(void)unlink("k.db");
	}
}

/* Its number may be the old one's, which is free as soon as that is gone. */
static void
lock_outlives_the_number(void **state)
{
	struct rk_trust *t;
	struct rk_error err;
	char text[4096];
	ssize_t n;
	int fd;

	(void)state;
	for (int kept = 0; kept <= 1; kept++) {
		t = begin(kept != 0);
		fd = open("k", O_RDONLY | O_CLOEXEC);
		n = read(fd, text, sizeof(text) - 1);
		assert_true(n > 0);
		text[n] = '\0';
		(void)close(fd);
		assert_int_equal(policy_lock(t, true, "ann", &err), RK_OK);
		assert_int_equal(unlink("k"), 0);
		scratch_make("k", text, 0600);
		assert_int_equal(ask_come_as(t, 9), RK_EUNKNOWNKEY);
		assert_int_equal(mode_of_list(), 0400);
		rk_trust_free(t);
		(void)unlink("k.db");
	}
}

/* Between two looks at it. */
static void
lock_outlives_two_files(void **state)
{
	struct rk_trust *t;
	struct rk_error err;

	(void)state;
	for (int kept = 0; kept <= 1; kept++) {
		t = begin(kept != 0);
		assert_int_equal(policy_lock(t, true, "ann", &err), RK_OK);
		replace_list();
		replace_list();
		assert_int_equal(ask_come_as(t, 9), RK_EUNKNOWNKEY);
		assert_int_equal(mode_of_list(), 0400);
		rk_trust_free(t);
		(void)unlink("k.db");
	}
}

/* Unless somebody opened it since: what he locks then he did not order. */
static void
lock_by_hand_is_no_order(void **state)
{
	struct rk_trust *t = begin(true);
	char who[RK_STORE_TEXT_LEN] = "";
	sqlite3 *db = order_of_locked(t);

	(void)state;
	assert_int_equal(chmod("k", 0600), 0);
	assert_int_equal(ask_come_as(t, 9), RK_EBUSY); /* reads the list */
	assert_int_equal(chmod("k", 0400), 0);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(policy_catch_up(t, NULL), RK_OK);
	assert_int_equal(ask_audit(t, 9, take_lock_line, who), RK_OK);
	assert_string_equal(who, "file");
	replace_list();
	assert_int_equal(ask_come_as(t, 9), RK_EAGAIN);
	rk_trust_free(t);
}

/* Whoever cannot tell does not open it. */
static void
lock_outlives_the_audit(void **state)
{
	struct rk_trust *t = begin(true);
	struct rk_store *store;
	struct rk_error err;
	sqlite3 *db = NULL;

	(void)state;
	rk_trust_free(t);
	assert_int_equal(rk_store_open("k", false, &store, &err), RK_OK);
	assert_false(store_lock_is_ordered(store));
	assert_int_equal(sqlite3_open("k.db", &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(db, "DROP TABLE audit", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_true(store_lock_is_ordered(store));
	rk_store_close(store);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    lock_waits_for_no_store, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(lock_by_hand_waits_for_no_store,
		    scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    lock_outlives_the_file, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    lock_outlives_the_number, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    lock_outlives_two_files, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    lock_outlives_the_audit, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    lock_by_hand_is_no_order, scratch_enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
