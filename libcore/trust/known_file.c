/* The known-keys file on the disk: opened safely, locked, read, appended to. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crypt.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "trust/b58.h"
#include "trust/known.h"

#define TRIES_AT_ONCE 8 /* of a file that is being replaced */
#define NAME_TEXT 160   /* a path in a message */
#define NAP_NS 500000L
#define RETRIES 16    /* when somebody replaces the file meanwhile */
#define SETTLE_MS 100 /* coarser than the time stamps of any file system */
#define LINE_MAX_BYTES 4096

static int64_t
to_ms(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * 1000 + ts->tv_nsec / 1000000;
}

static enum rk_err
lock_file(int fd, int how, uint64_t end, const char *name, struct rk_error *err)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	while (flock(fd, how | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(
			    err, RK_EIO, errno, "%s: cannot lock", name);
		if (mono_ms() >= end)
			return err_set(err, RK_EBUSY,
			    "%s: locked by another process", name);
		(void)nanosleep(&nap, NULL); /* a shorter nap does no harm */
	}
	return RK_OK;
}

void
known_close(int fd)
{
	if (fd < 0)
		return;
	/* A child forked meanwhile must not keep the lock. */
	(void)flock(fd, LOCK_UN);
	(void)close(fd);
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/*
 * Open, check and lock what the path names.  RK_EAGAIN: it was replaced
 * meanwhile, so the lock is on a file nobody looks at any more.
 */
static enum rk_err
open_once(const char *path, const char *name, int how, uint64_t end, int *fd,
    struct stat *st, struct rk_error *err)
{
	struct stat now;
	enum rk_err r;

	r = fs_open(path, FS_NO_FOLLOW | FS_NOT_SHARED, fd, st, err);
	if (r != RK_OK)
		return r;
	if (how != KNOWN_NO_FLOCK &&
	    (r = lock_file(*fd, how, end, name, err)) != RK_OK)
		goto out;
	r = RK_EAGAIN;
	if (lstat(path, &now) != 0 || !same_file(st, &now))
		goto out;
	/* The mode that counts is the one under the lock. */
	if (fstat(*fd, st) != 0)
		r = fs_fail(err, errno, path);
	else if ((st->st_mode & (S_IWGRP | S_IWOTH)) == 0 && st->st_nlink == 1)
		r = RK_OK;
out:
	if (r != RK_OK) {
		known_close(*fd);
		*fd = -1;
	}
	return r;
}

static enum rk_err
open_file(const char *path, const char *name, int how, unsigned wait_ms,
    int *fd, struct stat *st, struct rk_error *err)
{
	const uint64_t end = mono_ms() + wait_ms;
	unsigned tries = 0;
	enum rk_err r;

	*fd = -1;
	/* Each of many writers replaces it once, and all wait for the lock. */
	do {
		r = open_once(path, name, how, end, fd, st, err);
	} while (
	    r == RK_EAGAIN && (++tries < TRIES_AT_ONCE || mono_ms() < end));
	if (r == RK_EAGAIN)
		r = err_set(
		    err, RK_EIO, "%s: is being replaced all the time", name);
	return r;
}

static void
take_stamp(struct known *k, const struct stat *st)
{
	struct timespec ts = { 0 };
	int64_t now;

	(void)clock_gettime(CLOCK_REALTIME, &ts); /* always there */
	now = to_ms(&ts);
	k->stamp.st = *st;
	k->stamp.settled = now - to_ms(&st->st_mtim) > SETTLE_MS &&
	                   now - to_ms(&st->st_ctim) > SETTLE_MS;
	k->state = (st->st_mode & KNOWN_WRITE_BITS) != 0 ? RK_TRUST_OPEN
	                                                 : RK_TRUST_LOCKED;
}

/* Read and parse the locked file. */
static enum rk_err
read_locked(int fd, const struct stat *st, const char *name, struct known *out,
    struct buf *text, struct rk_error *err)
{
	enum rk_err r;

	r = fs_read_fd(fd, KNOWN_FILE_MAX, text, err);
	if (r == RK_ETOOBIG)
		r = err_set(err, RK_EFORMAT, "%s: too large", name);
	if (r != RK_OK)
		return r;
	r = known_parse(name,
	    buf_len(text) > 0 ? (const char *)buf_peek(text) : "",
	    buf_len(text), out, err);
	if (r == RK_OK)
		take_stamp(out, st);
	if (r == RK_OK && !fs_birth(fd, &out->stamp.born))
		out->stamp.born = (struct timespec){ 0 };
	return r;
}

enum rk_err
known_open(const char *path, int how, unsigned wait_ms, int *fd,
    struct stat *st, struct rk_error *err)
{
	char name[NAME_TEXT];
	enum rk_err r;

	str_escape(name, sizeof(name), path);
	if ((r = open_file(path, name, how, wait_ms, fd, st, err)) != RK_OK)
		return r;
	if ((r = fs_check_parent(path, "known-keys file", err)) != RK_OK) {
		known_close(*fd);
		*fd = -1;
	}
	return r;
}

void
known_let_go(struct known_hold *hold)
{
	known_close(hold->fd);
	if (hold->out >= 0)
		(void)close(hold->out); /* synced by who wrote */
	hold->fd = hold->out = -1;
}

void
known_hold_out(struct known_hold *hold, const char *path)
{
	struct stat st, held;

	if (hold == NULL || hold->fd < 0 || hold->out >= 0)
		return;
	hold->out = open(
	    path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (hold->out < 0 ||
	    (fstat(hold->out, &st) == 0 && fstat(hold->fd, &held) == 0 &&
	        same_file(&st, &held)))
		return;
	(void)close(hold->out); /* nothing was written */
	hold->out = -1;
}

/* What is held, from its beginning; RK_EAGAIN: another has its name by now. */
static enum rk_err
enter_held(const char *path, struct known_hold *hold, int *fd, struct stat *st)
{
	struct stat now;

	if (hold->fd < 0)
		return RK_EAGAIN;
	if (lstat(path, &now) == 0 && fstat(hold->fd, st) == 0 &&
	    same_file(st, &now) && lseek(hold->fd, 0, SEEK_SET) == 0) {
		*fd = hold->fd;
		return RK_OK;
	}
	known_let_go(hold);
	return RK_EAGAIN;
}

enum rk_err
known_enter(const char *path, struct known_hold *hold, unsigned wait_ms,
    int *fd, struct stat *st, struct rk_error *err)
{
	enum rk_err r;

	if (hold != NULL && enter_held(path, hold, fd, st) == RK_OK)
		return RK_OK;
	r = known_open(path, LOCK_EX, wait_ms, fd, st, err);
	if (r == RK_OK && hold != NULL)
		hold->fd = *fd;
	return r;
}

void
known_leave(const struct known_hold *hold, int fd)
{
	if (hold == NULL || hold->fd != fd)
		known_close(fd);
}

enum rk_err
known_read_text(const char *path, unsigned wait_ms, struct known *out,
    struct buf *text, struct rk_error *err)
{
	char name[NAME_TEXT];
	struct stat st;
	int fd = -1;
	enum rk_err r;

	*out = (struct known){ 0 };
	str_escape(name, sizeof(name), path);
	r = known_open(path, LOCK_SH, wait_ms, &fd, &st, err);
	if (r == RK_ENOENT) {
		err_clear(err);
		return RK_OK;
	}
	if (r == RK_OK)
		r = read_locked(fd, &st, name, out, text, err);
	known_close(fd);
	return r;
}

enum rk_err
known_peek(const char *path, struct known *out, struct rk_error *err)
{
	char name[NAME_TEXT];
	struct stat st, now;
	struct buf text;
	int fd = -1;
	enum rk_err r;

	*out = (struct known){ 0 };
	buf_init(&text, KNOWN_FILE_MAX);
	str_escape(name, sizeof(name), path);
	r = known_open(path, KNOWN_NO_FLOCK, 0, &fd, &st, err);
	if (r == RK_OK)
		r = read_locked(fd, &st, name, out, &text, err);
	if (r == RK_OK && (fstat(fd, &now) != 0 || now.st_size != st.st_size ||
	                      !fs_same_time(&now.st_mtim, &st.st_mtim) ||
	                      (off_t)buf_len(&text) != st.st_size))
		r = err_set(err, RK_EBUSY, "%s: is being written", name);
	known_close(fd);
	buf_fini(&text);
	if (r != RK_OK)
		known_fini(out);
	return r;
}

enum rk_err
known_read(
    const char *path, unsigned wait_ms, struct known *out, struct rk_error *err)
{
	struct buf text;
	enum rk_err r;

	buf_init(&text, KNOWN_FILE_MAX);
	r = known_read_text(path, wait_ms, out, &text, err);
	buf_fini(&text);
	return r;
}

enum rk_err
known_put_column(struct buf *b, const char *s)
{
	enum rk_err r = RK_OK;

	for (; *s != '\0' && r == RK_OK; s++) {
		uint8_t c = (uint8_t)*s;

		if (c <= 0x20 || c >= 0x7f || c == '%' || c == '#')
			r = buf_printf(b, "%%%02x", c);
		else
			r = buf_put(b, s, 1);
	}
	return r;
}

static enum rk_err
format_entry(const struct known_entry *e, const struct known *k, struct buf *b)
{
	char id[RK_KEY_ID_LEN];
	enum rk_err r = RK_OK;

	rk_key_id(e->pub, id);
	if (k->stamp.st.st_size == 0)
		r = buf_put_str(b, KNOWN_FIRST_LINE);
	else if (!k->ended)
		r = buf_put_str(b, "\n");
	if (r != RK_OK)
		return r;
	if ((r = known_put_column(b, e->host[0] != '\0' ? e->host : "-")) !=
	    RK_OK)
		return r;
	if ((r = buf_printf(b, " %s:", id)) != RK_OK)
		return r;
	if ((r = known_put_column(b, e->emails)) != RK_OK)
		return r;
	return buf_put_str(b, "\n");
}

/*
 * Append the text, and look at the mode once more: chmod(2) waits for no lock,
 * so the file may have been locked between our look and our write.  What was
 * written then is taken back.  Appending rather than replacing the file keeps
 * its inode, which a chmod(1) under way may already have found; comments and
 * other people's lines stay as they are.
 */
static enum rk_err
append(int fd, int locked, const struct buf *text, const char *name,
    struct stat *st, struct rk_error *err)
{
	enum rk_err r;

	r = fs_write_all(fd, buf_peek(text), buf_len(text));
	if (r != RK_OK) {
		r = err_sys(err, RK_EIO, errno, "%s: cannot add a key", name);
		goto out;
	}
	if (fstat(fd, st) != 0) {
		r = err_sys(err, RK_EIO, errno, "%s", name);
		goto out;
	}
	if ((st->st_mode & KNOWN_WRITE_BITS) == 0) {
		r = err_set(
		    err, RK_EUNKNOWNKEY, "%s: was locked just now", name);
		goto out;
	}
	if (fsync(fd) != 0)
		r = err_sys(err, RK_EIO, errno, "%s: cannot add a key", name);
out:
	if (r != RK_OK)
		known_cut(fd, locked, text, name);
	return r;
}

static enum rk_err
open_append(
    const char *path, const struct stat *st, int *fd, struct rk_error *err)
{
	struct stat now;

	*fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC |
	                     O_NONBLOCK | O_NOCTTY);
	if (*fd < 0) {
		(void)fs_fail(err, errno, path);
		return RK_EIO;
	}
	if (fstat(*fd, &now) == 0 && same_file(&now, st))
		return RK_OK;
	(void)close(*fd); /* nothing was written */
	*fd = -1;
	return RK_EAGAIN;
}

static void
insert_key(struct known *k, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	size_t i = k->n;

	/* known_parse() left room for one. */
	while (i > 0 && memcmp(k->keys[i - 1], pub, RK_KEY_PUBLIC_LEN) > 0)
		i--;
	memmove(&k->keys[i + 1], &k->keys[i], (k->n - i) * sizeof(k->keys[0]));
	memcpy(k->keys[i], pub, RK_KEY_PUBLIC_LEN);
	k->n++;
	k->lines++;
}

/* The file is locked by us, with this descriptor, and holds what k says. */
static enum rk_err
add_locked(const char *path, const char *name, const struct known_entry *e,
    int locked, struct known *k, bool *added, struct rk_error *err)
{
	struct stat st = k->stamp.st;
	struct buf text;
	int fd = -1;
	enum rk_err r;

	if (k->state != RK_TRUST_OPEN)
		return err_set(err, RK_EUNKNOWNKEY, "%s: is locked", name);
	if (k->lines >= KNOWN_KEYS_MAX)
		return err_set(err, RK_EUNKNOWNKEY,
		    "%s: is full: it holds %zu keys", name, k->lines);
	buf_init(&text, LINE_MAX_BYTES);
	if ((r = format_entry(e, k, &text)) != RK_OK) {
		r = err_set(
		    err, r, "%s: cannot add a key: %s", name, rk_err_text(r));
		goto out;
	}
	known_hold_out(e->hold, path);
	if ((r = open_append(path, &st, &fd, err)) != RK_OK)
		goto out;
	if ((r = append(fd, locked, &text, name, &st, err)) != RK_OK)
		goto out;
	*added = true;
	insert_key(k, e->pub);
	k->ended = true;
	take_stamp(k, &st);
	/* Its addresses are not in the table: it is read once more. */
	k->stamp.settled = false;
	/* Replaced while we wrote: it stands in a file that is gone. */
	if (lstat(path, &st) != 0 || !same_file(&st, &k->stamp.st))
		r = RK_EAGAIN;
out:
	if (fd >= 0)
		(void)close(fd); /* synced, or taken back */
	buf_fini(&text);
	return r;
}

/* Whoever had the lock before may have added another key of that name. */
static enum rk_err
check_mails(const struct known *k, const char *name,
    const struct known_entry *e, struct rk_error *err)
{
	if (e->whom == NULL || known_find_mail(k, e->whom, mails_of(e->emails),
	                           e->counts, e->arg) == NULL)
		return RK_OK;
	return err_set(err, RK_EDENIED,
	    "%s: another key was added for %s just now", name, e->emails);
}

static enum rk_err
add_once(const char *path, const char *name, const struct known_entry *e,
    struct known *out, bool *added, struct rk_error *err)
{
	struct stat st;
	struct buf text;
	int fd = -1;
	enum rk_err r;

	r = known_enter(path, e->hold, e->wait_ms, &fd, &st, err);
	if (r == RK_ENOENT)
		return err_set(err, RK_EIO, "%s: is gone", name);
	if (r != RK_OK)
		return r;
	buf_init(&text, KNOWN_FILE_MAX);
	if ((r = read_locked(fd, &st, name, out, &text, err)) != RK_OK)
		goto out;
	if (known_has(out, e->pub))
		goto out;
	if ((r = check_mails(out, name, e, err)) == RK_OK)
		r = add_locked(path, name, e, fd, out, added, err);
	if (r != RK_OK)
		known_fini(out);
out:
	buf_fini(&text);
	known_leave(e->hold, fd);
	return r;
}

enum rk_err
known_add(const char *path, const struct known_entry *entry, struct known *out,
    bool *added, struct rk_error *err)
{
	uint8_t key[1][RK_KEY_PUBLIC_LEN];
	char name[NAME_TEXT];
	unsigned i;
	enum rk_err r = RK_EAGAIN;

	*out = (struct known){ 0 };
	*added = false;
	str_escape(name, sizeof(name), path);
	if (!crypt_ed25519_key_ok(entry->pub))
		return err_set(err, RK_EUNKNOWNKEY,
		    "%s: a weak key is not recorded", name);
	for (i = 0; i < RETRIES && r == RK_EAGAIN; i++)
		r = add_once(path, name, entry, out, added, err);
	if (r == RK_EAGAIN)
		r = err_set(
		    err, RK_EIO, "%s: is being replaced all the time", name);
	/* Who replaced the file meanwhile may have copied it with the line. */
	if (*added && r != RK_OK) {
		memcpy(key[0], entry->pub, sizeof(key[0]));
		known_drop(path, entry->hold, entry->wait_ms,
		    (const uint8_t(*)[RK_KEY_PUBLIC_LEN])key, 1);
		*added = false;
	}
	return r;
}
