/* Orders while another program holds list or store: nobody waits for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "asklist.h"
#include "base/clock.h"
#include "base/str.h"
#include "failvfs.h"
#include "scratch.h"
#include "trust/policy.h"
#include "trust/store.h"

#define SOON_MS 500 /* half of what the shortest wait was */

static char line[256];
static int grants = -1; /* exclusive locks until others hold; -1: nobody does */

/* In place of the system's. */
int
flock(int fd, int how)
{
	if ((how & LOCK_EX) != 0 && grants == 0) {
		errno = EWOULDBLOCK;
		return -1;
	}
	if (syscall(SYS_flock, fd, how) != 0)
		return -1;
	if ((how & LOCK_EX) != 0 && grants > 0)
		grants--;
	return 0;
}

/* Another descriptor's lock is another program's. */
static int
hold_list(void)
{
	int fd = open("k", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	return fd;
}

/* The list with a key that is known, which waits not, and two that do. */
static struct rk_trust *
begin(bool kept)
{
	const struct rk_peer four = ask_peer(4);
	struct rk_trust *t = ask_list("", RK_TRUST_ASK);
	char id[RK_KEY_ID_LEN];

	if (kept)
		assert_int_equal(rk_trust_keep(t, true, NULL), RK_OK);
	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(ask_come_as(t, i), RK_EAGAIN);
	assert_int_equal(ask_order(t, RK_ASK_APPROVE, 1), RK_OK);
	rk_key_id(four.cert.pub, id);
	(void)snprintf(line, sizeof(line), "127.0.0.1 %s:four@x\n", id);
	return t;
}

static enum rk_err
decide(struct rk_trust *t, enum rk_ask_verb verb, struct rk_error *err)
{
	const struct rk_peer two = ask_peer(2);
	const struct rk_ask_order o = { .size = sizeof(o),
		.verb = verb,
		.key = two.cert.fp,
		.who = "ann" };

	return policy_order(t, &o, NULL, NULL, err);
}

static enum rk_err
import(struct rk_trust *t, struct rk_error *err)
{
	const struct policy_text from = { line, strlen(line), "ann", false,
		NULL };
	struct policy_import in;

	return policy_import(t, &from, &in, err);
}

/* All of them, each of which is busy at once and says so. */
static void
are_busy(struct rk_trust *t)
{
	struct rk_error err[4] = { { 0 } };
	const uint64_t begun = mono_ms();

	assert_int_equal(decide(t, RK_ASK_APPROVE, &err[0]), RK_EBUSY);
	assert_int_equal(import(t, &err[1]), RK_EBUSY);
	assert_int_equal(policy_lock(t, false, "ann", &err[2]), RK_EBUSY);
	assert_int_equal(decide(t, RK_ASK_FORGET, &err[3]), RK_EBUSY);
	assert_true(mono_ms() - begun < 4 * SOON_MS);
	for (size_t i = 0; i < 4; i++)
		assert_non_null(strstr(err[i].text, "locked by another"));
	assert_int_equal(ask_known(t), 1);
	assert_int_equal(ask_count(t), 2);
}

static void
work_now(struct rk_trust *t)
{
	struct rk_error err;

	assert_int_equal(decide(t, RK_ASK_APPROVE, &err), RK_OK);
	assert_int_equal(import(t, &err), RK_OK);
	assert_int_equal(policy_lock(t, true, "ann", &err), RK_OK);
	assert_int_equal(policy_lock(t, false, "ann", &err), RK_OK);
	assert_int_equal(ask_known(t), 3);
	assert_int_equal(ask_count(t), 1);
	rk_trust_free(t);
}

static void
list_is_held(void **state)
{
	struct rk_trust *t;
	int fd;

	(void)state;
	for (int kept = 0; kept <= 1; kept++) {
		t = begin(kept != 0);
		fd = hold_list();
		/* Without a store forgetting needs no file. */
		if (kept != 0) {
			are_busy(t);
		} else {
			struct rk_error err;

			assert_int_equal(
			    decide(t, RK_ASK_APPROVE, &err), RK_EBUSY);
			assert_int_equal(import(t, &err), RK_EBUSY);
			assert_int_equal(
			    policy_lock(t, false, "ann", &err), RK_EBUSY);
			assert_int_equal(ask_known(t), 1);
		}
		(void)close(fd);
		work_now(t);
		(void)unlink("k.db");
	}
}

static void
append_line(void)
{
	int fd = open("k", O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	(void)close(fd);
}

/* What the list is worth now nobody can say: it was changed just before another
 * program took it.  Who waits, who is known and who is connected is put out. */
static void
list_is_held_and_new(void **state)
{
	const struct rk_peer one = ask_peer(1), nine = ask_peer(9);
	struct rk_ask_order o = {
		.size = sizeof(o), .verb = RK_ASK_REVOKE, .key = nine.cert.fp
	};
	struct rk_trust *t;
	struct rk_error err;
	uint64_t begun;
	int fd;

	(void)state;
	for (int kept = 0; kept <= 1; kept++) {
		t = begin(kept != 0);
		fd = hold_list();
		append_line();
		begun = mono_ms();
		assert_int_equal(decide(t, RK_ASK_APPROVE, &err), RK_EBUSY);
		assert_int_equal(decide(t, RK_ASK_REJECT, &err), RK_OK);
		assert_int_equal(policy_order(t, &o, &nine, NULL, &err), RK_OK);
		o.key = one.cert.fp;
		assert_int_equal(policy_order(t, &o, NULL, NULL, &err), RK_OK);
		o.key = nine.cert.fp;
		assert_true(mono_ms() - begun < 5 * SOON_MS);
		(void)close(fd);
		assert_int_equal(ask_come_as(t, 1), RK_EREVOKED);
		assert_int_equal(ask_come_as(t, 2), RK_EDENIED);
		assert_int_equal(ask_come_as(t, 9), RK_EREVOKED);
		assert_int_equal(ask_come_as(t, 4), RK_OK);
		rk_trust_free(t);
		(void)unlink("k.db");
	}
}

static void
store_is_held(void **state)
{
	struct rk_trust *t = begin(true);
	struct rk_error err;
	sqlite3 *db = ask_hold_store();

	(void)state;
	are_busy(t);
	assert_int_equal(
	    policy_set_mode(t, RK_TRUST_FILE, "ann", &err), RK_EBUSY);
	assert_int_equal(rk_trust_mode(t), RK_TRUST_ASK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	work_now(t);
}

static unsigned
mode_of_list(void)
{
	struct stat st;

	assert_int_equal(stat("k", &st), 0);
	return st.st_mode & 07777;
}

/* Times of the list's file are old enough to tell a change by. */
static void
settle(struct rk_trust *t)
{
	const struct timespec nap = { .tv_nsec = 250000000 };

	(void)nanosleep(&nap, NULL);
	assert_int_equal(ask_come_as(t, 1), RK_OK);
	assert_int_equal(policy_catch_up(t, NULL), RK_OK);
}

/* To lock waits for nobody: who is known is served all along, and nobody is
 * known who was not. */
static void
lock_waits_for_no_list(void **state)
{
	struct rk_trust *t;
	struct rk_error err;
	int fd;

	(void)state;
	for (int kept = 0; kept <= 1; kept++) {
		t = begin(kept != 0);
		settle(t);
		fd = hold_list();
		assert_int_equal(policy_lock(t, true, "ann", &err), RK_OK);
		assert_int_equal(mode_of_list(), 0400);
		assert_int_equal(ask_come_as(t, 1), RK_OK);
		assert_int_equal(ask_come_as(t, 9), RK_EUNKNOWNKEY);
		assert_int_equal(decide(t, RK_ASK_APPROVE, &err), RK_ESTATE);
		(void)close(fd);
		assert_int_equal(ask_come_as(t, 1), RK_OK);
		assert_int_equal(ask_come_as(t, 9), RK_EUNKNOWNKEY);
		assert_int_equal(policy_lock(t, false, "ann", &err), RK_OK);
		work_now(t);
		(void)unlink("k.db");
	}
}

/* What was read is not what is there: nobody can be judged until it is read,
 * and it is locked all the same. */
static void
lock_of_what_is_new(void **state)
{
	struct rk_trust *t;
	struct rk_error err;
	int fd;

	(void)state;
	for (int kept = 0; kept <= 1; kept++) {
		t = begin(kept != 0);
		settle(t);
		fd = hold_list();
		append_line();
		assert_int_equal(policy_lock(t, true, "ann", &err), RK_OK);
		assert_int_equal(mode_of_list(), 0400);
		assert_int_equal(ask_come_as(t, 9), RK_EBUSY);
		(void)close(fd);
		assert_int_equal(ask_come_as(t, 9), RK_EUNKNOWNKEY);
		assert_int_equal(ask_come_as(t, 4), RK_OK);
		rk_trust_free(t);
		(void)unlink("k.db");
	}
}

static enum rk_err
replace(struct rk_trust *t, const char *old, const char *by)
{
	const struct rk_ask_order o = { .size = sizeof(o),
		.verb = RK_ASK_REPLACE,
		.key = old,
		.by = by,
		.who = "ann" };

	return policy_order(t, &o, NULL, NULL, NULL);
}

/* A reader gets hold of the list as soon as the line is in it: what is done is
 * done, once, and can be undone. */
static void
list_is_taken_behind_it(void **state)
{
	const struct rk_peer two = ask_peer(2), three = ask_peer(3);
	struct rk_trust *t = begin(true);
	struct rk_error err;

	(void)state;
	grants = 1;
	assert_int_equal(decide(t, RK_ASK_APPROVE, &err), RK_OK);
	assert_int_equal(ask_known(t), 2);
	assert_int_equal(ask_count(t), 1);
	grants = 2; /* the old key's line goes, too */
	assert_int_equal(replace(t, two.cert.fp, three.cert.fp), RK_OK);
	grants = -1;
	assert_int_equal(ask_come_as(t, 2), RK_EREVOKED);
	assert_int_equal(ask_come_as(t, 3), RK_OK);
	/* Two lines change here, both or neither. */
	grants = 0;
	assert_int_equal(decide(t, RK_ASK_UNDO, &err), RK_EBUSY);
	grants = 1;
	assert_int_equal(decide(t, RK_ASK_UNDO, &err), RK_OK);
	grants = -1;
	assert_int_equal(ask_come_as(t, 2), RK_OK);
	assert_int_equal(ask_come_as(t, 3), RK_EAGAIN);
	rk_trust_free(t);
}

/* What is taken in and not committed is taken back under the lock under which
 * it was written: who waits for that lock gets a list without it. */
static void
import_is_taken_back(void **state)
{
	struct rk_trust *t;
	struct rk_error err;

	(void)state;
	failvfs_register();
	t = begin(true);
	grants = 1;
	failvfs_set(0, SQLITE_FULL);
	assert_int_equal(import(t, &err), RK_EIO);
	failvfs_set(-1, 0);
	grants = -1;
	assert_int_equal(ask_known(t), 1);
	assert_int_equal(ask_come_as(t, 4), RK_EAGAIN);
	assert_int_equal(import(t, &err), RK_OK);
	assert_int_equal(ask_come_as(t, 4), RK_OK);
	rk_trust_free(t);
}

static void
append(const char *text)
{
	int fd = open("k", O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static enum rk_err
come_now(struct rk_trust *t, unsigned number)
{
	const struct rk_peer peer = ask_peer(number);
	bool added;
	enum rk_err r = policy_decide(t, &peer, &added, NULL);

	/* Nor is a session resumed otherwise. */
	assert_int_equal(policy_recall(t, &peer.cert, NULL),
	    r != RK_EAGAIN ? r : RK_EUNKNOWNKEY);
	return r;
}

/* Who can only read the list can hold it: who had a line, and has it still, is
 * served none the less; all others are asked about again. */
static void
known_is_served(void **state)
{
	struct rk_trust *t = begin(true);
	int fd;

	(void)state;
	assert_int_equal(come_now(t, 1), RK_OK);
	fd = hold_list();
	append("# changed\n");
	assert_int_equal(come_now(t, 1), RK_OK);
	assert_int_equal(come_now(t, 9), RK_EBUSY);
	/* Who has a line only now is not served yet, by half a line nobody. */
	append(line);
	assert_int_equal(come_now(t, 4), RK_EBUSY);
	assert_int_equal(come_now(t, 1), RK_OK);
	append("127.0.0.1 pubkey@edw");
	assert_int_equal(come_now(t, 1), RK_EBUSY);
	/* Who had one and has none is not served any more. */
	scratch_make("k", "# nobody\n", 0600);
	assert_int_equal(come_now(t, 1), RK_EBUSY);
	(void)close(fd);
	assert_int_equal(come_now(t, 1), RK_EAGAIN);
	rk_trust_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    list_is_held, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    list_is_held_and_new, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    store_is_held, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    lock_waits_for_no_list, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    lock_of_what_is_new, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    known_is_served, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    list_is_taken_behind_it, scratch_enter, scratch_leave),
		cmocka_unit_test_setup_teardown(
		    import_is_taken_back, scratch_enter, scratch_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
