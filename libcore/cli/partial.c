/* A file being received: under a temporary name until it is whole. */
#include "cli/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"

#define OPEN_TRIES 10
#define PRIVATE 0600

/* Is the name still that of the file that is open?  Between opening and
 * locking, its writer may have finished or dropped it. */
static bool
is_named(const struct partial *p, const struct stat *st)
{
	struct stat now;

	return fstatat(p->dir, p->temp, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

static int
open_locked(struct partial *p, struct stat *st)
{
	const int flags =
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

	p->fd = openat(p->dir, p->temp, flags, PRIVATE);
	if (p->fd < 0)
		return errno;
	if (fstat(p->fd, st) != 0)
		return errno;
	if (!S_ISREG(st->st_mode) || st->st_uid != geteuid() ||
	    st->st_nlink > 1)
		return EMLINK;
	if (flock(p->fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK ? EBUSY : errno;
	return is_named(p, st) ? 0 : EAGAIN;
}

static void
close_fd(struct partial *p)
{
	if (p->fd >= 0)
		(void)close(p->fd); /* who has to know has synced it */
	p->fd = -1;
}

int
partial_open(struct partial *p, int dir, const char *temp)
{
	struct stat st;
	int e = EAGAIN;

	*p = (struct partial){ .dir = dir, .fd = -1 };
	crypt_sum_init(&p->sum);
	if (str_copy(p->temp, sizeof(p->temp), temp) >= sizeof(p->temp))
		return ENAMETOOLONG;
	for (int i = 0; i < OPEN_TRIES && e == EAGAIN; i++) {
		close_fd(p);
		e = open_locked(p, &st);
	}
	if (e != 0) {
		close_fd(p);
		return e == EAGAIN ? EBUSY : e;
	}
	p->found = (uint64_t)st.st_size;
	return 0;
}

int
partial_take(struct partial *p, uint8_t piece[PARTIAL_PIECE])
{
	uint64_t left = p->found - p->at;
	size_t want = left < PARTIAL_PIECE ? (size_t)left : PARTIAL_PIECE;
	ssize_t n;

	do {
		n = pread(p->fd, piece, want, (off_t)p->at);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno;
	if (n == 0)
		p->found = p->at;
	p->at += (uint64_t)n;
	crypt_sum_update(&p->sum, piece, (size_t)n);
	return 0;
}

int
partial_restart(struct partial *p)
{
	p->found = 0;
	p->at = 0;
	crypt_sum_init(&p->sum);
	return ftruncate(p->fd, 0) == 0 ? 0 : errno;
}

static bool
is_zero(const uint8_t *p, size_t len)
{
	return len > 0 && p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

int
partial_write(struct partial *p, const void *data, size_t len)
{
	const uint8_t *src = data;
	size_t done = is_zero(src, len) ? len : 0;
	ssize_t n;

	while (done < len) {
		n = pwrite(
		    p->fd, src + done, len - done, (off_t)(p->at + done));
		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return n == 0 ? ENOSPC : errno;
	}
	crypt_sum_update(&p->sum, data, len);
	p->at += len;
	return 0;
}

void
partial_sum(const struct partial *p, char hex[PARTIAL_SUM_LEN])
{
	uint8_t sum[CRYPT_SUM_LEN];

	crypt_sum_final(&p->sum, sum);
	str_hex(hex, sum, sizeof(sum));
}

/* A plain link would do, but for a moment there would be two names. */
static int
name_it(struct partial *p, const char *name, bool replace)
{
	if (replace)
		return renameat(p->dir, p->temp, p->dir, name) == 0 ? 0 : errno;
	if (renameat2(p->dir, p->temp, p->dir, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return errno;
	if (linkat(p->dir, p->temp, p->dir, name, 0) != 0)
		return errno;
	return unlinkat(p->dir, p->temp, 0) == 0 ? 0 : errno;
}

int
partial_finish(struct partial *p, const char *name, bool replace, mode_t mode)
{
	int e;

	/* The last bytes may have been zeros. */
	if (ftruncate(p->fd, (off_t)p->at) != 0 || fsync(p->fd) != 0 ||
	    fchmod(p->fd, mode) != 0)
		return errno;
	if ((e = name_it(p, name, replace)) != 0) {
		(void)fchmod(p->fd, PRIVATE); /* as it was made */
		return e;
	}
	(void)fsync(p->fd); /* the mode; what matters is on the disk */
	close_fd(p);
	/* Some file systems cannot sync a folder, and say EINVAL. */
	if (fsync(p->dir) != 0 && errno != EINVAL && errno != EBADF)
		return errno;
	return 0;
}

void
partial_keep(struct partial *p)
{
	if (p->fd < 0)
		return;
	if (p->at == 0 && p->found == 0) {
		partial_drop(p);
		return;
	}
	/* What was found and not taken yet stays. */
	if (p->at >= p->found && ftruncate(p->fd, (off_t)p->at) != 0)
		p->found = p->at; /* the zeros at the end are sent again */
	close_fd(p);
}

void
partial_drop(struct partial *p)
{
	if (p->fd < 0)
		return;
	(void)unlinkat(p->dir, p->temp, 0); /* nothing else can be done */
	close_fd(p);
}
