/* The exclusive lock on a file that is there for being locked. */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#define NAP_MS 20
#define PATH_TEXT 220 /* a path in a message */

/* Is fd still what the path names?  A holder may have replaced the file. */
static bool
is_current(const struct stat *st, const char *path)
{
	struct stat now;

	return lstat(path, &now) == 0 && st->st_dev == now.st_dev &&
	       st->st_ino == now.st_ino;
}

static enum rk_err
not_a_file(const char *path, struct rk_error *err)
{
	char text[PATH_TEXT];

	str_escape(text, sizeof(text), path);
	return err_set(err, RK_EMODE, "%s: not a regular file", text);
}

/* RK_EBUSY without a text: another has it, or replaced it while we asked. */
static enum rk_err
try_flock(int fd, const char *path, struct rk_error *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return fs_fail(err, errno, path);
	if (!S_ISREG(st.st_mode))
		return not_a_file(path, err);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return is_current(&st, path) ? RK_OK : RK_EBUSY;
	if (errno == EWOULDBLOCK || errno == EINTR)
		return RK_EBUSY;
	return fs_fail(err, errno, path);
}

static enum rk_err
try_lock(const char *path, int *fd, struct rk_error *err)
{
	int flags =
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int f;
	enum rk_err r;

	f = open(path, flags, 0600);
	if (f < 0 && errno == ELOOP)
		return not_a_file(path, err);
	if (f < 0)
		return fs_fail(err, errno, path);
	if ((r = try_flock(f, path, err)) != RK_OK)
		(void)close(f); /* nothing was written */
	else
		*fd = f;
	return r;
}

enum rk_err
fs_lock(const char *path, uint64_t wait_ms, int *fd, struct rk_error *err)
{
	const struct timespec nap = { .tv_nsec = NAP_MS * 1000000L };
	uint64_t start = mono_ms();
	char text[PATH_TEXT];
	enum rk_err r;

	*fd = -1;
	while ((r = try_lock(path, fd, err)) == RK_EBUSY) {
		if (mono_ms() - start >= wait_ms)
			break;
		(void)nanosleep(&nap, NULL); /* a shorter nap does no harm */
	}
	if (r != RK_EBUSY)
		return r;
	str_escape(text, sizeof(text), path);
	return err_set(err, RK_EBUSY, "%s: locked by another process", text);
}
