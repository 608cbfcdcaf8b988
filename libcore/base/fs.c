/* Files read safely: opens that check and never wait, bounded reads. */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"

#define PATH_TEXT 220       /* a path in a message */
#define PATH_TEXT_SHORT 110 /* a path in a message that names it twice */
#define CHUNK 16384

static enum rk_err
sys_code(int errnum)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		return RK_ENOENT;
	case EEXIST:
		return RK_EEXIST;
	case ELOOP:
		return RK_EMODE;
	case ENOMEM:
		return RK_ENOMEM;
	default:
		return RK_EIO;
	}
}

enum rk_err
fs_fail(struct rk_error *err, int errnum, const char *path)
{
	char text[PATH_TEXT];

	str_escape(text, sizeof(text), path);
	return err_sys(err, sys_code(errnum), errnum, "%s", text);
}

static const char *
kind_text(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "is a directory";
	case S_IFLNK:
		return "is a symbolic link";
	case S_IFIFO:
		return "is a pipe";
	case S_IFSOCK:
		return "is a socket";
	default:
		return "is a device";
	}
}

static enum rk_err
check_kind(const char *path, const struct stat *st, struct rk_error *err)
{
	char text[PATH_TEXT];

	if (S_ISREG(st->st_mode))
		return RK_OK;
	str_escape(text, sizeof(text), path);
	return err_set(err, RK_EMODE, "%s: %s, not a regular file", text,
	    kind_text(st->st_mode));
}

static enum rk_err
check_mode(const char *path, unsigned checks, mode_t mode, struct rk_error *err)
{
	char text[PATH_TEXT_SHORT];
	unsigned bits = (unsigned)mode & 07777;

	str_escape(text, sizeof(text), path);
	if ((checks & FS_PRIVATE) != 0 && (bits & 077) != 0)
		return err_set(err, RK_EMODE,
		    "%s: mode %04o lets others in, chmod go-rwx %s", text, bits,
		    text);
	if ((checks & FS_NOT_SHARED) != 0 && (bits & 022) != 0)
		return err_set(err, RK_EMODE,
		    "%s: mode %04o lets others write, chmod go-w %s", text,
		    bits, text);
	return RK_OK;
}

static enum rk_err
check_owner(const char *path, const struct stat *st, struct rk_error *err)
{
	char text[PATH_TEXT];

	str_escape(text, sizeof(text), path);
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(err, RK_EMODE,
		    "%s: belongs to user %u, neither to us nor to root", text,
		    (unsigned)st->st_uid);
	/* None: another file took its name since it was opened. */
	if (st->st_nlink > 1)
		return err_set(err, RK_EMODE, "%s: has %ju hard links, not one",
		    text, (uintmax_t)st->st_nlink);
	return RK_OK;
}

static enum rk_err
check(const char *path, unsigned checks, const struct stat *st,
    struct rk_error *err)
{
	enum rk_err r;

	if ((r = check_kind(path, st, err)) != RK_OK)
		return r;
	if ((r = check_mode(path, checks, st->st_mode, err)) != RK_OK)
		return r;
	if ((checks & FS_NOT_SHARED) != 0)
		r = check_owner(path, st, err);
	return r;
}

enum rk_err
fs_open(const char *path, unsigned checks, int *fd, struct stat *st,
    struct rk_error *err)
{
	bool stay = (checks & FS_NO_FOLLOW) != 0;
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	struct stat own;
	int f = -1;
	enum rk_err r;

	*fd = -1;
	if (st == NULL)
		st = &own;
	*st = (struct stat){ 0 };
	/* Looked at first, because opening a device can already do things. */
	if (fstatat(AT_FDCWD, path, st, stay ? AT_SYMLINK_NOFOLLOW : 0) != 0) {
		r = fs_fail(err, errno, path);
		goto out;
	}
	if ((r = check_kind(path, st, err)) != RK_OK)
		goto out;
	f = open(path, flags | (stay ? O_NOFOLLOW : 0));
	if (f < 0 || fstat(f, st) != 0) {
		r = fs_fail(err, errno, path);
		goto out;
	}
	if ((r = check(path, checks, st, err)) != RK_OK)
		goto out;
	*fd = f;
	f = -1;
out:
	if (f >= 0)
		(void)close(f); /* nothing was written */
	return r;
}

/* One read(2); waits when the descriptor is one that would not. */
static ssize_t
read_some(int fd, void *dst, size_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t got;

	while ((got = read(fd, dst, n)) < 0) {
		if (errno == EAGAIN)
			(void)poll(&p, 1, -1);
		else if (errno != EINTR)
			break;
	}
	return got;
}

static enum rk_err
too_big(const char *name, size_t max, struct rk_error *err)
{
	char text[PATH_TEXT];

	str_escape(text, sizeof(text), name);
	return err_set(err, RK_ETOOBIG, "%s: larger than %zu bytes", text, max);
}

/* Append what fd has to b; beyond `room` bytes there must be its end. */
static enum rk_err
read_to_buf(
    int fd, const char *name, size_t max, struct buf *b, struct rk_error *err)
{
	size_t old = buf_len(b);
	uint8_t probe[1];
	uint8_t *p;
	ssize_t n;
	enum rk_err r;

	if (max > b->max - old)
		max = b->max - old;
	do {
		size_t room = max - (buf_len(b) - old);

		p = probe;
		if (room > CHUNK)
			room = CHUNK;
		if (room > 0 && (r = buf_reserve(b, room, &p)) != RK_OK) {
			err_set(err, r, "%s", rk_err_text(r));
			goto out;
		}
		n = read_some(fd, p, room > 0 ? room : sizeof(probe));
		if (n > 0 && room == 0) {
			r = too_big(name, max, err);
			goto out;
		}
		if (n > 0)
			buf_commit(b, (size_t)n);
	} while (n > 0);
	r = n < 0 ? fs_fail(err, errno, name) : RK_OK;
out:
	if (r != RK_OK)
		buf_uncommit(b, buf_len(b) - old);
	return r;
}

enum rk_err
fs_read_fd(int fd, size_t max, struct buf *b, struct rk_error *err)
{
	return read_to_buf(fd, "input", max, b, err);
}

/* The folder that a path's last part is in. */
static enum rk_err
parent_of(const char *path, char dir[PATH_MAX], struct rk_error *err)
{
	const char *slash = strrchr(path, '/');
	size_t len;

	(void)str_copy(dir, PATH_MAX, ".");
	if (slash == NULL)
		return RK_OK;
	len = slash == path ? 1 : (size_t)(slash - path);
	if (len >= PATH_MAX)
		return err_set(err, RK_EIO, "path is too long");
	memcpy(dir, path, len);
	dir[len] = '\0';
	return RK_OK;
}

enum rk_err
fs_check_parent(const char *path, const char *what, struct rk_error *err)
{
	char name[80];
	char dir[PATH_MAX];
	struct stat st;
	enum rk_err r;

	if ((r = parent_of(path, dir, err)) != RK_OK)
		return r;
	if (stat(dir, &st) != 0)
		return fs_fail(err, errno, dir);
	str_escape(name, sizeof(name), dir);
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(err, RK_EMODE,
		    "%s: this directory of a %s belongs to another user", name,
		    what);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
	    (st.st_mode & S_ISVTX) == 0)
		return err_set(err, RK_EMODE,
		    "%s: others can replace the %s in here, chmod go-w %s",
		    name, what, name);
	return RK_OK;
}

enum rk_err
fs_read(const char *path, unsigned checks, size_t max, struct buf *b,
    struct rk_error *err)
{
	struct stat st;
	int fd;
	enum rk_err r;

	if ((r = fs_open(path, checks, &fd, &st, err)) != RK_OK)
		return r;
	if (st.st_size > 0 && (uintmax_t)st.st_size > max)
		r = too_big(path, max, err);
	else
		r = read_to_buf(fd, path, max, b, err);
	(void)close(fd); /* nothing was written */
	return r;
}

/* Fill s from fd, at most its length; *used says how far. */
static enum rk_err
read_to_secret(int fd, const char *path, struct rk_secret *s, size_t *used,
    struct rk_error *err)
{
	ssize_t n = 1;

	*used = 0;
	while (n > 0 && *used < rk_secret_len(s)) {
		n = read_some(
		    fd, rk_secret_data(s) + *used, rk_secret_len(s) - *used);
		if (n > 0)
			*used += (size_t)n;
	}
	return n < 0 ? fs_fail(err, errno, path) : RK_OK;
}

enum rk_err
fs_read_secret(const char *path, unsigned checks, size_t max,
    struct rk_secret **out, struct rk_error *err)
{
	struct rk_secret *s = NULL;
	struct stat st;
	size_t size;
	size_t used;
	int fd;
	enum rk_err r;

	*out = NULL;
	if ((r = fs_open(path, checks, &fd, &st, err)) != RK_OK)
		return r;
	size = st.st_size > 0 ? (size_t)st.st_size : 0;
	if (size > max || size == SIZE_MAX) {
		r = too_big(path, max, err);
		goto out;
	}
	/* One byte more shows whether it grew meanwhile. */
	if ((r = rk_secret_new(size + 1, &s)) != RK_OK) {
		err_set(err, r, "%s", rk_err_text(r));
		goto out;
	}
	if ((r = read_to_secret(fd, path, s, &used, err)) != RK_OK)
		goto out;
	if (used > size) {
		r = too_big(path, size, err);
		goto out;
	}
	rk_secret_trim(s, used);
	*out = s;
	s = NULL;
out:
	rk_secret_free(s);
	(void)close(fd); /* nothing was written */
	return r;
}

const char *
fs_env_dir(const char *name)
{
	const char *v = getenv(name);

	return v != NULL && v[0] == '/' ? v : NULL;
}

bool
fs_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

bool
fs_earlier(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

bool
fs_birth(int fd, struct timespec *born)
{
#if defined(STATX_BTIME)
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) != 0 ||
	    (st.stx_mask & STATX_BTIME) == 0)
		return false;
	born->tv_sec = (time_t)st.stx_btime.tv_sec;
	born->tv_nsec = (long)st.stx_btime.tv_nsec;
	return true;
#elif defined(st_birthtime)
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	*born = st.st_birthtimespec;
	return born->tv_sec > 0;
#else
	(void)fd;
	(void)born;
	return false;
#endif
}
