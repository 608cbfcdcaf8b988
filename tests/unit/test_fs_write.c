/* Files: whole writes and what failures leave behind, directories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fs.h"

#include "scratch.h"

#define NOBODY 65534
#define THREADS 8

static void
test_write_errors(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(close(fds[0]), 0);
	assert_int_equal(fs_write_all(fds[1], "x", 1), RK_EIO);
	assert_int_equal(errno, EPIPE);
	assert_int_equal(fs_write_all(fds[1], NULL, 0), RK_OK);
	assert_int_equal(close(fds[1]), 0);
}

static void
test_write_and_replace(void **state)
{
	struct rk_error err;
	struct stat st;

	(void)state;
	assert_int_equal(
	    fs_write_file("file", "one", 3, 0600, false, &err), RK_OK);
	scratch_holds("file", "one");
	assert_int_equal(
	    fs_write_file("file", "two", 3, 0600, false, &err), RK_EEXIST);
	assert_non_null(strstr(err.text, "file"));
	scratch_holds("file", "one");
	assert_int_equal(
	    fs_write_file("file", "three", 5, 0440, true, &err), RK_OK);
	scratch_holds("file", "three");
	assert_int_equal(stat("file", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0440);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(
	    fs_write_file("./none", NULL, 0, 0600, true, &err), RK_OK);
	scratch_holds("none", "");
	scratch_counts(2);
}

/* The mode is what was asked for, whatever the umask. */
static void
test_write_mode(void **state)
{
	static const mode_t masks[] = { 0, 022, 077, 0777 };
	static const mode_t modes[] = { 0600, 0644, 0444 };
	struct stat st;
	mode_t old = umask(0);

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		umask(masks[i / 3]);
		assert_int_equal(
		    fs_write_file("f", "x", 1, modes[i % 3], true, NULL),
		    RK_OK);
		assert_int_equal(stat("f", &st), 0);
		assert_int_equal(st.st_mode & 07777, modes[i % 3]);
	}
	umask(old);
}

static void
test_write_to_links(void **state)
{
	struct rk_error err;
	struct stat st;

	(void)state;
	scratch_make("target", "precious", 0600);
	assert_int_equal(symlink("target", "link"), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(
	    fs_write_file("link", "x", 1, 0600, false, &err), RK_EEXIST);
	assert_int_equal(
	    fs_write_file("dangling", "x", 1, 0600, false, &err), RK_EEXIST);
	assert_int_equal(
	    fs_write_file("link", "x", 1, 0600, true, &err), RK_OK);
	scratch_holds("target", "precious");
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(access("nowhere", F_OK), -1);
	scratch_counts(3);
}

/* Names of temporary files that are taken, by a file or a trap. */
static void
test_write_with_tmp_taken(void **state)
{
	struct rk_error err;
	char tmp[64];

	(void)state;
	scratch_make("target", "precious", 0600);
	scratch_make("file", "old", 0600);
	(void)snprintf(tmp, sizeof(tmp), "file.tmp.%ld", (long)getpid());
	assert_int_equal(symlink("target", tmp), 0);
	assert_int_equal(
	    fs_write_file("file", "new", 3, 0600, true, &err), RK_OK);
	scratch_holds("file", "new");
	scratch_holds("target", "precious");
	scratch_counts(3);
	for (int i = 1; i < 10; i++) {
		(void)snprintf(
		    tmp, sizeof(tmp), "file.tmp.%ld.%d", (long)getpid(), i);
		scratch_make(tmp, "theirs", 0600);
	}
	assert_int_equal(
	    fs_write_file("file", "newer", 5, 0600, true, &err), RK_EIO);
	scratch_holds("file", "new");
	scratch_holds(tmp, "theirs");
	scratch_counts(12);
}

static void
test_write_failures(void **state)
{
	static char big[5000];
	struct rlimit old;
	struct rlimit low;
	struct rk_error err;

	(void)state;
	scratch_make("file", "old", 0600);
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_int_equal(
	    fs_write_file("dir", "x", 1, 0600, true, &err), RK_EIO);
	assert_int_equal(
	    fs_write_file("dir", "x", 1, 0600, false, &err), RK_EEXIST);
	assert_int_equal(
	    fs_write_file("no/file", "x", 1, 0600, false, &err), RK_ENOENT);
	assert_int_equal(
	    fs_write_file("file/f", "x", 1, 0600, true, &err), RK_ENOENT);
	assert_int_equal(
	    fs_write_file("", "x", 1, 0600, true, &err), RK_ENOENT);
	/* The disk is full in the middle. */
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = old;
	low.rlim_cur = 4096;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(
	    fs_write_file("file", big, sizeof(big), 0600, true, &err), RK_EIO);
	assert_int_equal(err.sys, EFBIG);
	assert_int_equal(
	    fs_write_file("new", big, sizeof(big), 0600, false, &err), RK_EIO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	scratch_holds("file", "old");
	scratch_counts(2);
}

static void
test_write_to_read_only_dir(void **state)
{
	struct rk_error err;
	enum rk_err r[4];
	uid_t me = geteuid();
	int fd;

	(void)state;
	assert_int_equal(mkdir("ro", 0700), 0);
	scratch_make("ro/file", "old", 0644);
	assert_int_equal(chmod("ro", 0555), 0);
	if (me == 0)
		assert_int_equal(seteuid(NOBODY), 0);
	r[0] = fs_write_file("ro/new", "x", 1, 0600, false, &err);
	r[1] = fs_write_file("ro/file", "x", 1, 0600, true, &err);
	r[2] = fs_make_dir("ro/sub", 0700, &err);
	r[3] = fs_lock("ro/lock", 0, &fd, &err);
	if (me == 0)
		assert_int_equal(seteuid(me), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(r[i], RK_EIO);
	assert_int_equal(err.sys, EACCES);
	scratch_holds("ro/file", "old");
	assert_int_equal(chdir("ro"), 0);
	scratch_counts(1);
	assert_int_equal(chdir(".."), 0);
}

static void *
write_once(void *arg)
{
	enum rk_err *r = arg;

	*r = fs_write_file("file", "whole", 5, 0600, false, NULL);
	return NULL;
}

/* Of many writers of a new file one wins, and the others leave nothing. */
static void
test_write_race(void **state)
{
	pthread_t t[THREADS];
	enum rk_err r[THREADS];
	int won = 0;

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, write_once, &r[i]), 0);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(t[i], NULL), 0);
		assert_true(r[i] == RK_OK || r[i] == RK_EEXIST);
		won += r[i] == RK_OK;
	}
	assert_int_equal(won, 1);
	scratch_holds("file", "whole");
	scratch_counts(1);
}

static void
test_make_dir(void **state)
{
	char path[PATH_MAX + 10];
	struct rk_error err;
	struct stat st;
	mode_t old = umask(0277);

	(void)state;
	assert_int_equal(fs_make_dir("d/e//f/", 0700, &err), RK_OK);
	umask(old);
	assert_int_equal(stat("d/e/f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat("d", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* What is there keeps its mode. */
	assert_int_equal(chmod("d/e/f", 0755), 0);
	assert_int_equal(fs_make_dir("d/e/f", 0700, &err), RK_OK);
	assert_int_equal(stat("d/e/f", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(symlink("d/e", "link"), 0);
	assert_int_equal(fs_make_dir("link", 0700, &err), RK_OK);
	assert_int_equal(fs_make_dir("/", 0700, &err), RK_OK);
	scratch_make("file", "x", 0600);
	assert_int_equal(fs_make_dir("file", 0700, &err), RK_EEXIST);
	assert_int_equal(fs_make_dir("file/sub", 0700, &err), RK_ENOENT);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(fs_make_dir("dangling", 0700, &err), RK_ENOENT);
	assert_int_equal(fs_make_dir("", 0700, &err), RK_ENOENT);
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(fs_make_dir(path, 0700, &err), RK_EIO);
	assert_int_equal(rmdir("d/e/f"), 0);
	assert_int_equal(rmdir("d/e"), 0);
}

#define IN_DIR(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(test_write_errors),
		IN_DIR(test_write_and_replace),
		IN_DIR(test_write_mode),
		IN_DIR(test_write_to_links),
		IN_DIR(test_write_with_tmp_taken),
		IN_DIR(test_write_failures),
		IN_DIR(test_write_to_read_only_dir),
		IN_DIR(test_write_race),
		IN_DIR(test_make_dir),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
