/* Opening below a folder: both ways of doing it refuse the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "scratch.h"

typedef int open_fn(int dir, const char *path, int flags, mode_t mode, int *fd);

static int dir;

static void
touch(const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
}

static int
setup(void **state)
{
	if (scratch_enter(state) != 0)
		return -1;
	assert_int_equal(mkdir("below", 0700), 0);
	scratch_make("outside", "", 0600);
	dir = open("below", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	assert_int_equal(mkdirat(dir, "a", 0700), 0);
	assert_int_equal(mkdirat(dir, "a/b", 0700), 0);
	touch("a/b/file");
	touch("file");
	assert_int_equal(symlinkat("file", dir, "link"), 0);
	assert_int_equal(symlinkat("..", dir, "up"), 0);
	assert_int_equal(symlinkat("a", dir, "aa"), 0);
	assert_int_equal(symlinkat("/", dir, "slash"), 0);
	return 0;
}

static int
teardown(void **state)
{
	assert_int_equal(close(dir), 0);
	return scratch_leave(state);
}

static void
check(open_fn *open_it)
{
	static const char *const good[] = { "file", "a/b/file", "a", "a/b" };
	static const char *const bad[] = { "", "/", "/etc/passwd", "..",
		"../outside", "a/../../outside", "a/..", "link", "up/outside",
		"aa/b/file", "slash/etc/passwd", "nothing", "a/nothing",
		"file/x", "a//", "up" };
	int fd;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(open_it(dir, good[i], O_RDONLY, 0, &fd), 0);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(close(fd), 0);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (open_it == fs_open_beneath &&
		    (strcmp(bad[i], "a/..") == 0 || strcmp(bad[i], "a//") == 0))
			continue; /* stays below, and the kernel says so */
		assert_int_not_equal(open_it(dir, bad[i], O_RDONLY, 0, &fd), 0);
		assert_int_equal(fd, -1);
	}
	assert_int_equal(
	    open_it(dir, "a/new", O_WRONLY | O_CREAT | O_EXCL, 0640, &fd), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlinkat(dir, "a/new", 0), 0);
}

static void
test_kernel(void **state)
{
	(void)state;
	check(fs_open_beneath);
}

static void
test_walk(void **state)
{
	(void)state;
	check(fs_walk_beneath);
}

static void
test_names(void **state)
{
	static const char *const good[] = { "a", "a/b", "A b.c", "a.", "a..b/c",
		"gr\303\274n" };
	static const char *const bad[] = { "", "/", "/a", "a/", "a//b", ".",
		"..", ".a", "a/../b", "a/.b", "a\nb", "a\177", "\033[2J",
		"a\377", "\302\23331m", "a/b\302\205" };
	char name[NAME_MAX + 3];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(fs_name_fault(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(fs_name_fault(bad[i], strlen(bad[i])));
	assert_non_null(fs_name_fault("a\0b", 3));
	memset(name, 'x', sizeof(name));
	assert_null(fs_name_fault(name, NAME_MAX));
	assert_non_null(fs_name_fault(name, NAME_MAX + 1));
	name[1] = '/';
	assert_null(fs_name_fault(name, NAME_MAX + 2));
	assert_non_null(fs_name_fault(name, NAME_MAX + 3));
}

/* Asked not to wait, it does not try for as long as the holder of a lease may
 * take to let go of it. */
static void
test_lease(void **state)
{
	int held = openat(dir, "file", O_RDWR | O_CLOEXEC);
	int fd;

	(void)state;
	assert_true(held >= 0);
	assert_int_not_equal(signal(SIGIO, SIG_IGN), SIG_ERR);
	if (fcntl(held, F_SETLEASE, F_WRLCK) != 0) {
		assert_int_equal(close(held), 0);
		skip();
	}
	(void)alarm(20); /* it would try for 45 seconds */
	assert_int_equal(
	    fs_open_beneath(dir, "file", O_RDONLY | O_NONBLOCK, 0, &fd),
	    EAGAIN);
	assert_int_equal(fd, -1);
	(void)alarm(0);
	assert_int_equal(fcntl(held, F_SETLEASE, F_UNLCK), 0);
	assert_int_equal(close(held), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_lease),
	};

	return cmocka_run_group_tests_name("beneath", tests, setup, teardown);
}
