/* Files written whole or not at all, and directories to put them in. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#define TMP_TRIES 10
#define MODE_BITS 0777

struct job {
	const char *path;
	char tmp[PATH_MAX]; /* the new content until it is whole */
	int fd;             /* of tmp; -1 when closed */
	int dir;            /* of its directory; -1: may not be read */
	bool made;          /* tmp exists and is ours to remove */
};

enum rk_err
fs_write_all(int fd, const void *data, size_t len)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	const uint8_t *src = data;

	while (len > 0) {
		ssize_t n = write(fd, src, len);

		if (n > 0) {
			src += n;
			len -= (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			(void)poll(&p, 1, -1);
		} else if (n == 0 || errno != EINTR) {
			return RK_EIO;
		}
	}
	return RK_OK;
}

/* The directory for the last fsync.  One that may be searched and written but
 * not read cannot be synced; the file is then as safe as it can be. */
static enum rk_err
open_dir(struct job *j, struct rk_error *err)
{
	const char *slash = strrchr(j->path, '/');
	size_t len = slash == NULL ? 0 : (size_t)(slash - j->path) + 1;
	char dir[PATH_MAX];

	if (len >= sizeof(dir))
		return fs_fail(err, ENAMETOOLONG, j->path);
	memcpy(dir, j->path, len);
	dir[len] = '\0';
	j->dir = open(len == 0 ? "." : dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dir < 0 && errno != EACCES)
		return fs_fail(err, errno, j->path);
	return RK_OK;
}

/*
 * PATH.tmp.PID, the number being the thread's, which in one-threaded programs
 * is the same.  A name that is taken is nobody's but another writer's or a
 * crashed one's: never remove it, take the next.
 */
static enum rk_err
make_tmp(struct job *j, mode_t mode, struct rk_error *err)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	long id = (long)gettid();
	int n;

	for (int i = 0; i < TMP_TRIES && j->fd < 0; i++) {
		if (i == 0)
			n = snprintf(
			    j->tmp, sizeof(j->tmp), "%s.tmp.%ld", j->path, id);
		else
			n = snprintf(j->tmp, sizeof(j->tmp), "%s.tmp.%ld.%d",
			    j->path, id, i);
		if (n < 0 || (size_t)n >= sizeof(j->tmp))
			return fs_fail(err, ENAMETOOLONG, j->path);
		j->fd = open(j->tmp, flags, mode);
		if (j->fd < 0 && errno != EEXIST)
			return fs_fail(err, errno, j->path);
	}
	if (j->fd < 0)
		return fs_fail(err, EBUSY, j->path);
	j->made = true;
	return RK_OK;
}

static enum rk_err
fill_tmp(struct job *j, const void *data, size_t len, mode_t mode,
    struct rk_error *err)
{
	struct stat st;
	int fd = j->fd;

	/* The umask may have taken bits; it never adds any. */
	if (fstat(fd, &st) != 0 ||
	    ((st.st_mode & MODE_BITS) != (mode & MODE_BITS) &&
	        fchmod(fd, mode & MODE_BITS) != 0))
		return fs_fail(err, errno, j->path);
	if (fs_write_all(fd, data, len) != RK_OK || fsync(fd) != 0)
		return fs_fail(err, errno, j->path);
	j->fd = -1;
	if (close(fd) != 0 && errno != EINTR)
		return fs_fail(err, errno, j->path);
	return RK_OK;
}

/*
 * Give tmp its name where there was none.  A plain link would do, but for a
 * moment the file would have two names, which a careful reader refuses.
 */
static int
name_new(struct job *j)
{
	if (renameat2(AT_FDCWD, j->tmp, AT_FDCWD, j->path, RENAME_NOREPLACE) ==
	    0) {
		j->made = false;
		return 0;
	}
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return link(j->tmp, j->path); /* tmp is removed with the job */
}

static int
name_over(struct job *j)
{
	if (rename(j->tmp, j->path) != 0)
		return -1;
	j->made = false;
	return 0;
}

static void
end_job(struct job *j)
{
	if (j->fd >= 0)
		(void)close(j->fd); /* it is going to be removed */
	if (j->made)
		(void)unlink(j->tmp); /* nothing else can be done */
}

static enum rk_err
exists(const char *path, struct rk_error *err)
{
	struct stat st;

	if (lstat(path, &st) == 0)
		return fs_fail(err, EEXIST, path);
	return RK_OK;
}

enum rk_err
fs_write_file(const char *path, const void *data, size_t len, mode_t mode,
    bool replace, struct rk_error *err)
{
	struct job j = { .path = path, .fd = -1, .dir = -1 };
	enum rk_err r;

	/* Only the naming decides; this saves the work and tells it better. */
	if (!replace && (r = exists(path, err)) != RK_OK)
		return r;
	if ((r = open_dir(&j, err)) != RK_OK)
		return r;
	if ((r = make_tmp(&j, mode, err)) != RK_OK)
		goto out;
	if ((r = fill_tmp(&j, data, len, mode, err)) != RK_OK)
		goto out;
	if ((replace ? name_over(&j) : name_new(&j)) != 0) {
		r = fs_fail(err, errno, path);
		goto out;
	}
	/* Some file systems cannot sync a directory, and say EINVAL. */
	if (j.dir >= 0 && fsync(j.dir) != 0 && errno != EINVAL)
		r = fs_fail(err, errno, path);
out:
	end_job(&j);
	if (j.dir >= 0)
		(void)close(j.dir); /* opened for reading */
	return r;
}

/* One directory: what is there already is looked at by the caller. */
static enum rk_err
make_one(const char *path, mode_t mode, struct rk_error *err)
{
	struct stat st;
	int fd;
	enum rk_err r = RK_OK;

	if (mkdir(path, mode) != 0)
		return errno == EEXIST ? RK_OK : fs_fail(err, errno, path);
	if (lstat(path, &st) != 0)
		return fs_fail(err, errno, path);
	if ((st.st_mode & MODE_BITS) == (mode & MODE_BITS))
		return RK_OK;
	/* The umask took bits.  Not by name: that may be a link by now. */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fs_fail(err, errno, path);
	mode = (mode & MODE_BITS) | (st.st_mode & S_ISGID);
	if (fchmod(fd, mode) != 0)
		r = fs_fail(err, errno, path);
	(void)close(fd); /* nothing was written */
	return r;
}

enum rk_err
fs_make_dir(const char *path, mode_t mode, struct rk_error *err)
{
	char part[PATH_MAX];
	struct stat st;
	size_t i = 0;
	enum rk_err r;

	if (str_copy(part, sizeof(part), path) >= sizeof(part))
		return fs_fail(err, ENAMETOOLONG, path);
	do {
		i += strspn(path + i, "/");
		i += strcspn(path + i, "/");
		part[i] = '\0';
		if ((r = make_one(part, mode, err)) != RK_OK)
			return r;
		part[i] = path[i];
	} while (path[i] != '\0');
	if (stat(path, &st) != 0)
		return fs_fail(err, errno, path);
	if (!S_ISDIR(st.st_mode))
		return fs_fail(err, EEXIST, path);
	return RK_OK;
}

enum rk_err
fs_join(char *out, size_t out_len, const char *dir, const char *name)
{
	size_t len = strlen(dir);
	const char *slash = len == 0 || dir[len - 1] == '/' ? "" : "/";
	int n;

	if (out_len == 0)
		return RK_ETOOBIG;
	n = snprintf(out, out_len, "%s%s%s", dir, slash, name);
	if (n < 0 || (size_t)n >= out_len) {
		out[0] = '\0';
		return RK_ETOOBIG;
	}
	return RK_OK;
}
