/* Files: what opens refuse, bounds of reads, locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fs.h"

#include "scratch.h"

#define NOBODY 65534

/* fs_open() refuses with r and a text that names the path and has `why`. */
static void
refused(const char *path, unsigned checks, enum rk_err r, const char *why)
{
	struct rk_error err;
	struct rk_secret *s;
	struct stat st;
	struct buf b;
	int fd = 5;

	assert_int_equal(fs_open(path, checks, &fd, &st, &err), r);
	assert_int_equal(fd, -1);
	assert_int_equal(err.code, r);
	assert_non_null(strstr(err.text, path));
	if (strstr(err.text, why) == NULL)
		fail_msg("%s: wanted %s", err.text, why);
	buf_init(&b, 100);
	assert_int_equal(fs_read(path, checks, 100, &b, &err), r);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(fs_read_secret(path, checks, 100, &s, &err), r);
	assert_null(s);
	assert_int_equal(fs_open(path, checks, &fd, NULL, NULL), r);
}

static void
accepted(const char *path, unsigned checks)
{
	struct rk_error err = { .text = "" };
	struct stat st;
	int fd;

	if (fs_open(path, checks, &fd, &st, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_true(S_ISREG(st.st_mode));
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(close(fd), 0);
}

static void
test_kinds(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(
	    bind(fd, (const struct sockaddr *)&sun, sizeof(sun)), 0);
	assert_int_equal(mkdir("dir", 0700), 0);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(symlink("fifo", "to-fifo"), 0);
	assert_int_equal(symlink("loop", "loop"), 0);
	refused("dir", FS_ANY, RK_EMODE, "is a directory");
	refused("fifo", FS_ANY, RK_EMODE, "is a pipe");
	refused("to-fifo", FS_ANY, RK_EMODE, "is a pipe");
	refused("sock", FS_ANY, RK_EMODE, "is a socket");
	refused("/dev/null", FS_ANY, RK_EMODE, "is a device");
	refused("/dev/tty", FS_ANY, RK_EMODE, "is a device");
	refused("missing", FS_ANY, RK_ENOENT, "No such file");
	refused("fifo/below", FS_ANY, RK_ENOENT, "Not a directory");
	refused("loop", FS_ANY, RK_EMODE, "symbolic links");
	refused("", FS_ANY, RK_ENOENT, "No such file");
	assert_int_equal(close(fd), 0);
}

static void
test_links(void **state)
{
	(void)state;
	scratch_make("file", "x", 0600);
	assert_int_equal(symlink("file", "link"), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	accepted("link", FS_ANY);
	accepted("link", FS_PRIVATE | FS_NOT_SHARED);
	refused("link", FS_NO_FOLLOW, RK_EMODE, "symbolic link");
	refused("dangling", FS_NO_FOLLOW, RK_EMODE, "symbolic link");
	refused("dangling", FS_ANY, RK_ENOENT, "No such file");
	accepted("file", FS_NO_FOLLOW | FS_PRIVATE | FS_NOT_SHARED);
	assert_int_equal(link("file", "second"), 0);
	refused("file", FS_NOT_SHARED, RK_EMODE, "has 2 hard links");
	accepted("file", FS_PRIVATE);
}

#ifdef __linux__
/* A file that another one replaced after it was opened is still whole. */
static void
test_replaced(void **state)
{
	char path[64];
	int fd;

	(void)state;
	scratch_make("file", "x", 0600);
	fd = open("file", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	scratch_make("next", "y", 0600);
	assert_int_equal(rename("next", "file"), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	accepted(path, FS_PRIVATE | FS_NOT_SHARED);
	assert_int_equal(close(fd), 0);
}
#endif

static void
test_modes(void **state)
{
	(void)state;
	for (unsigned mode = 0400; mode < 01000; mode++) {
		scratch_make("file", "x", (mode_t)mode);
		if ((mode & 077) == 0)
			accepted("file", FS_PRIVATE | FS_NOT_SHARED);
		else
			refused(
			    "file", FS_PRIVATE, RK_EMODE, "chmod go-rwx file");
		if ((mode & 022) == 0)
			accepted("file", FS_NOT_SHARED);
		else
			refused(
			    "file", FS_NOT_SHARED, RK_EMODE, "chmod go-w file");
		accepted("file", FS_ANY);
		assert_int_equal(unlink("file"), 0);
	}
}

static void
test_owner(void **state)
{
	(void)state;
	accepted("/etc/passwd", FS_NOT_SHARED);
	scratch_make("file", "x", 0644);
	accepted("file", FS_NOT_SHARED);
	if (geteuid() != 0)
		return;
	assert_int_equal(chown("file", NOBODY, NOBODY), 0);
	refused("file", FS_NOT_SHARED, RK_EMODE, "belongs to user 65534");
	assert_int_equal(seteuid(NOBODY), 0);
	accepted("file", FS_NOT_SHARED);
	accepted("/etc/passwd", FS_NOT_SHARED);
	assert_int_equal(seteuid(0), 0);
}

static void
test_path_in_text_is_escaped(void **state)
{
	struct rk_error err;
	struct buf b;
	char path[600];

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(
	    fs_read("no\n\x1b[31m", FS_ANY, 10, &b, &err), RK_ENOENT);
	assert_string_equal(
	    err.text, "no\\x0a\\x1b[31m: No such file or directory");
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(fs_read(path, FS_ANY, 10, &b, &err), RK_EIO);
	assert_non_null(strstr(err.text, "~: File name too long"));
}

static void
test_read_bounds(void **state)
{
	struct rk_error err;
	struct rk_secret *s;
	struct buf b;

	(void)state;
	scratch_make("file", "0123456789", 0600);
	buf_init(&b, 100);
	assert_int_equal(buf_put_str(&b, "old:"), RK_OK);
	assert_int_equal(fs_read("file", FS_ANY, 9, &b, &err), RK_ETOOBIG);
	assert_string_equal(err.text, "file: larger than 9 bytes");
	assert_int_equal(buf_len(&b), 4);
	assert_int_equal(fs_read("file", FS_ANY, 10, &b, &err), RK_OK);
	assert_int_equal(buf_len(&b), 14);
	assert_memory_equal(buf_peek(&b), "old:0123456789", 14);
	buf_fini(&b);
	/* The buffer's own maximum counts as well. */
	buf_init(&b, 9);
	assert_int_equal(fs_read("file", FS_ANY, 100, &b, &err), RK_ETOOBIG);
	assert_int_equal(buf_len(&b), 0);
	buf_fini(&b);
	buf_init(&b, 10);
	assert_int_equal(fs_read("file", FS_ANY, 100, &b, &err), RK_OK);
	assert_int_equal(buf_len(&b), 10);
	buf_fini(&b);
	assert_int_equal(
	    fs_read_secret("file", FS_ANY, 9, &s, &err), RK_ETOOBIG);
	assert_null(s);
	assert_int_equal(fs_read_secret("file", FS_ANY, 10, &s, &err), RK_OK);
	assert_int_equal(rk_secret_len(s), 10);
	assert_memory_equal(rk_secret_peek(s), "0123456789", 10);
	rk_secret_free(s);
	scratch_make("file", "", 0600);
	assert_int_equal(fs_read_secret("file", FS_ANY, 0, &s, &err), RK_OK);
	assert_int_equal(rk_secret_len(s), 0);
	rk_secret_free(s);
}

/* A file whose size is told as 0 is still bounded. */
static void
test_read_without_size(void **state)
{
	struct rk_error err;
	struct buf b;

	(void)state;
	buf_init(&b, 100000);
	assert_int_equal(
	    fs_read("/proc/self/status", FS_ANY, 100000, &b, &err), RK_OK);
	assert_true(buf_len(&b) > 100);
	buf_consume(&b, SIZE_MAX);
	assert_int_equal(
	    fs_read("/proc/self/status", FS_ANY, 50, &b, &err), RK_ETOOBIG);
	assert_int_equal(buf_len(&b), 0);
	buf_fini(&b);
}

static void *
feed(void *arg)
{
	const int *fd = arg;
	char block[1000];
	enum rk_err r = RK_OK;

	memset(block, 'b', sizeof(block));
	for (int i = 0; i < 200 && r == RK_OK; i++)
		r = fs_write_all(*fd, block, sizeof(block));
	(void)close(*fd);
	return NULL;
}

/* More than a pipe holds, both ends not waiting by themselves. */
static void
test_read_pipe(void **state)
{
	struct rk_error err;
	struct buf b;
	pthread_t t;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&t, NULL, feed, &fds[1]), 0);
	buf_init(&b, 200000);
	assert_int_equal(fs_read_fd(fds[0], 200000, &b, &err), RK_OK);
	assert_int_equal(buf_len(&b), 200000);
	assert_int_equal(pthread_join(t, NULL), 0);
	assert_int_equal(close(fds[0]), 0);
	assert_int_equal(fs_read_fd(fds[0], 10, &b, &err), RK_EIO);
	assert_int_equal(err.sys, EBADF);
	buf_fini(&b);
}

static void *
let_go(void *arg)
{
	const int *fd = arg;

	(void)close(*fd);
	return NULL;
}

static void
test_lock(void **state)
{
	struct rk_error err;
	struct stat st;
	pthread_t t;
	int a;
	int b;

	(void)state;
	assert_int_equal(fs_lock("lock", 0, &a, &err), RK_OK);
	assert_true((fcntl(a, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(fstat(a, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(fs_lock("lock", 0, &b, &err), RK_EBUSY);
	assert_int_equal(b, -1);
	assert_string_equal(err.text, "lock: locked by another process");
	assert_int_equal(fs_lock("lock", 1, &b, &err), RK_EBUSY);
	assert_int_equal(pthread_create(&t, NULL, let_go, &a), 0);
	assert_int_equal(fs_lock("lock", 60000, &b, &err), RK_OK);
	assert_int_equal(pthread_join(t, NULL), 0);
	/* The file was replaced: the old lock says nothing about the new. */
	assert_int_equal(unlink("lock"), 0);
	assert_int_equal(fs_lock("lock", 0, &a, &err), RK_OK);
	assert_int_equal(close(a), 0);
	assert_int_equal(close(b), 0);
}

static void
test_lock_refuses(void **state)
{
	static const char *const bad[] = { "fifo", "link", "dangling" };
	struct rk_error err;
	int fd;

	(void)state;
	scratch_make("file", "x", 0600);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(symlink("file", "link"), 0);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fs_lock(bad[i], 0, &fd, &err), RK_EMODE);
		assert_int_equal(fd, -1);
		assert_non_null(strstr(err.text, "not a regular file"));
	}
	assert_int_equal(access("nowhere", F_OK), -1);
	assert_int_equal(fs_lock("no/lock", 0, &fd, &err), RK_ENOENT);
	assert_int_equal(fs_lock(".", 0, &fd, &err), RK_EIO);
	scratch_holds("file", "x");
}

static void
test_join(void **state)
{
	char out[8] = "old";

	(void)state;
	assert_int_equal(fs_join(out, sizeof(out), "dir", "nam"), RK_OK);
	assert_string_equal(out, "dir/nam");
	assert_int_equal(fs_join(out, sizeof(out), "dir", "name"), RK_ETOOBIG);
	assert_string_equal(out, "");
	assert_int_equal(fs_join(out, sizeof(out), "/", "name"), RK_OK);
	assert_string_equal(out, "/name");
	assert_int_equal(fs_join(out, sizeof(out), "", "name"), RK_OK);
	assert_string_equal(out, "name");
	assert_int_equal(fs_join(out, 0, "", ""), RK_ETOOBIG);
}

static void
make_old(const char *name, int64_t hours)
{
	const struct timespec then = { .tv_sec = time(NULL) - hours * 3600 };
	const struct timespec times[] = { then, then };

	scratch_make(name, "x", 0600);
	assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
}

static bool
is_there(const char *name)
{
	struct stat st;

	return lstat(name, &st) == 0;
}

/* No process has the number 999999999. */
static void
test_clean(void **state)
{
	static const char *const left[] = { "l.tmp.999999999",
		"l.tmp.999999998.3", "d/l.tmp.999999999" };
	static const char *const others[] = { "l", "l.old.tmp.999999999",
		"l.tmp.0999999999", "l.tmp.999999999x", "l.tmp.999999999.",
		"l.tmp.9999999999", "l.tmp.", "ll.tmp.999999999", "l.tmp.x" };
	char own[64];

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		make_old(left[i], 2);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		make_old(others[i], 2);
	(void)snprintf(own, sizeof(own), "l.tmp.%ld", (long)getpid());
	make_old(own, 2);
	make_old("l.tmp.999999997", 0);
	assert_int_equal(symlink("l", "l.tmp.999999996"), 0);
	assert_int_equal(mkdir("l.tmp.999999995", 0700), 0);
	fs_clean_tmp("l");
	fs_clean_tmp("d/l");
	fs_clean_tmp("missing/l");
	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		assert_false(is_there(left[i]));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(is_there(others[i]));
	assert_true(is_there(own));
	assert_true(is_there("l.tmp.999999997"));
	assert_true(is_there("l.tmp.999999996"));
	assert_true(is_there("l.tmp.999999995"));
}

#define IN_DIR(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(test_kinds),
		IN_DIR(test_links),
#ifdef __linux__
		IN_DIR(test_replaced),
#endif
		IN_DIR(test_modes),
		IN_DIR(test_owner),
		IN_DIR(test_path_in_text_is_escaped),
		IN_DIR(test_read_bounds),
		IN_DIR(test_read_without_size),
		IN_DIR(test_read_pipe),
		IN_DIR(test_lock),
		IN_DIR(test_lock_refuses),
		IN_DIR(test_join),
		IN_DIR(test_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
