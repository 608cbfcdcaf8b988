/* A known-keys file changed in place: lines made comments, remarks added. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "trust/known.h"

#define NAME_TEXT 160 /* a path in a message */
#define RETRIES 16    /* when somebody replaces the file meanwhile */
#define REMARK_MAX 512
#define PIECE ((size_t)4096)

/* The file, locked exclusively and read. */
struct edit {
	const char *path;
	struct known_hold *hold; /* may be NULL */
	char name[NAME_TEXT];
	struct stat st;
	struct buf text;
	int locked; /* descriptors */
	int out;
	bool anyway; /* whatever the file's mode is */
};

static bool
is_locked(const struct edit *e, const struct stat *st)
{
	return (st->st_mode & KNOWN_WRITE_BITS) == 0 && !e->anyway;
}

static enum rk_err
begin(struct edit *e, const char *path, struct known_hold *hold,
    unsigned wait_ms, struct rk_error *err)
{
	enum rk_err r;

	e->path = path;
	e->hold = hold;
	e->locked = e->out = -1;
	str_escape(e->name, sizeof(e->name), path);
	buf_init(&e->text, KNOWN_FILE_MAX);
	r = known_enter(path, hold, wait_ms, &e->locked, &e->st, err);
	if (r == RK_ENOENT)
		r = err_set(err, RK_EIO, "%s: is gone", e->name);
	if (r != RK_OK)
		return r;
	r = fs_read_fd(e->locked, KNOWN_FILE_MAX, &e->text, err);
	if (r == RK_ETOOBIG)
		r = err_set(err, RK_EFORMAT, "%s: too large", e->name);
	return r;
}

static void
end(struct edit *e)
{
	if (e->out >= 0)
		(void)close(e->out); /* synced */
	known_leave(e->hold, e->locked);
	buf_fini(&e->text);
}

/* The same file once more, for writing.  RK_EAGAIN: another by now. */
static enum rk_err
open_out(struct edit *e, int flags, struct rk_error *err)
{
	struct stat now;

	if (e->out >= 0)
		return RK_OK;
	known_hold_out(e->hold, e->path);
	e->out = open(e->path,
	    O_WRONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	if (e->out < 0 && flags == 0 && e->hold != NULL && e->hold->out >= 0)
		e->out = fcntl(e->hold->out, F_DUPFD_CLOEXEC, 0);
	if (e->out < 0) {
		(void)fs_fail(err, errno, e->path);
		return RK_EIO;
	}
	if (fstat(e->out, &now) == 0 && now.st_dev == e->st.st_dev &&
	    now.st_ino == e->st.st_ino)
		return RK_OK;
	return RK_EAGAIN;
}

static enum rk_err
sync_out(struct edit *e, struct rk_error *err)
{
	struct stat now;

	if (e->out < 0)
		return RK_OK;
	if (fsync(e->out) != 0)
		return err_sys(err, RK_EIO, errno, "%s", e->name);
	/* Replaced while we wrote: what we changed is gone. */
	if (lstat(e->path, &now) != 0 || now.st_dev != e->st.st_dev ||
	    now.st_ino != e->st.st_ino)
		return RK_EAGAIN;
	return RK_OK;
}

/* An editor takes no lock, and may have written the file anew in its place: is
 * the line that was read at this place there still? */
static bool
is_there(const struct edit *e, size_t at)
{
	const char *all = (const char *)buf_peek(&e->text);
	const size_t len = buf_len(&e->text);
	size_t end = at, from = at > 0 ? at - 1 : 0;
	char now[PIECE];
	ssize_t n;
	bool ended;

	(void)known_next_line(all, len, &end, &ended);
	for (; from < end; from += (size_t)n) {
		const size_t left = end - from;

		n = pread(
		    e->locked, now, left < PIECE ? left : PIECE, (off_t)from);
		if (n <= 0 || memcmp(now, all + from, (size_t)n) != 0)
			return false;
	}
	return true;
}

/* Until nobody replaces the file meanwhile. */
typedef enum rk_err once_fn(const char *path, void *arg, struct rk_error *err);
static enum rk_err
try_often(const char *path, once_fn *once, void *arg, struct rk_error *err)
{
	enum rk_err r = RK_EAGAIN;

	for (unsigned i = 0; i < RETRIES && r == RK_EAGAIN; i++)
		r = once(path, arg, err);
	return r != RK_EAGAIN ? r
	                      : err_set(err, RK_EIO,
	                            "a known-keys file is being replaced all "
	                            "the time");
}

/* ---- lines to comments ---- */

struct hiding {
	struct edit *edit;
	struct known_hold *hold;
	unsigned wait_ms;
	const uint8_t (*keys)[RK_KEY_PUBLIC_LEN];
	size_t n;
	size_t hidden;
	bool anyway;
	struct rk_error *err;
};

static enum rk_err
hide_line(const struct known_line *line, void *arg)
{
	struct hiding *h = arg;
	struct edit *e = h->edit;
	enum rk_err r;

	if (bsearch(line->pub, h->keys, h->n, RK_KEY_PUBLIC_LEN,
	        known_compare) == NULL)
		return RK_OK;
	if (is_locked(e, &e->st))
		return err_set(h->err, RK_ESTATE, "%s: is locked", e->name);
	if ((r = open_out(e, 0, h->err)) != RK_OK)
		return r;
	if (!is_there(e, line->at))
		return RK_EAGAIN;
	if (pwrite(e->out, "#", 1, (off_t)line->at) != 1)
		return err_sys(h->err, RK_EIO, errno,
		    "%s: cannot take a key out", e->name);
	h->hidden++;
	return RK_OK;
}

static enum rk_err
hide_once(const char *path, void *arg, struct rk_error *err)
{
	struct hiding *h = arg;
	struct edit e = { .anyway = h->anyway };
	bool ended;
	enum rk_err r;

	h->edit = &e;
	if ((r = begin(&e, path, h->hold, h->wait_ms, err)) != RK_OK)
		goto out;
	if (buf_len(&e.text) > 0)
		r = known_walk(e.name, (const char *)buf_peek(&e.text),
		    buf_len(&e.text), hide_line, h, &ended, err);
	if (r == RK_OK)
		r = sync_out(&e, err);
out:
	end(&e);
	return r;
}

enum rk_err
known_hide(const char *path, struct known_hold *hold, unsigned wait_ms,
    const uint8_t (*keys)[RK_KEY_PUBLIC_LEN], size_t n, size_t *hidden,
    struct rk_error *err)
{
	struct hiding h = { .hold = hold,
		.wait_ms = wait_ms,
		.keys = keys,
		.n = n,
		.err = err };
	enum rk_err r = try_often(path, hide_once, &h, err);

	if (hidden != NULL)
		*hidden = h.hidden;
	return r;
}

enum rk_err
known_take_back(const char *path, struct known_hold *hold, unsigned wait_ms,
    const uint8_t (*keys)[RK_KEY_PUBLIC_LEN], size_t n, struct rk_error *err)
{
	struct hiding h = { .hold = hold,
		.wait_ms = wait_ms,
		.keys = keys,
		.n = n,
		.anyway = true,
		.err = err };

	return try_often(path, hide_once, &h, err);
}

void
known_drop(const char *path, struct known_hold *hold, unsigned wait_ms,
    const uint8_t (*keys)[RK_KEY_PUBLIC_LEN], size_t n)
{
	struct rk_error err;

	if (known_take_back(path, hold, wait_ms, keys, n, &err) != RK_OK)
		log_event(RK_LOG_ERROR, "trust",
		    "refused lines, which may have been copied, are not taken "
		    "out: %s",
		    err.text);
}

/* ---- remarks ---- */

unsigned
known_find_remark(const struct buf *content, const char *text)
{
	const char *at = (const char *)buf_peek(content);
	const char *end = at + buf_len(content);
	const size_t len = strlen(text);
	unsigned number = 1;
	size_t n;

	if (at == NULL)
		return 0;
	for (; at < end; number++) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));

		n = (size_t)((nl != NULL ? nl : end) - at);
		if (n == len + 2 && memcmp(at, "# ", 2) == 0 &&
		    memcmp(at + 2, text, len) == 0)
			return number;
		at += n + 1;
		if (nl == NULL)
			break;
	}
	return 0;
}

/* A chmod(2) waits for no lock, so the mode is looked at once more. */
static enum rk_err
put_text(struct edit *e, const struct buf *text, struct rk_error *err)
{
	struct stat now;
	enum rk_err r;

	if ((r = open_out(e, O_APPEND, err)) != RK_OK)
		return r;
	if (fs_write_all(e->out, buf_peek(text), buf_len(text)) != RK_OK ||
	    fstat(e->out, &now) != 0)
		r = err_sys(err, RK_EIO, errno, "%s", e->name);
	else if (is_locked(e, &now))
		r = err_set(err, RK_ESTATE, "%s: was locked just now", e->name);
	else
		r = sync_out(e, err);
	/* RK_EAGAIN: they stand in a file that is gone. */
	if (r != RK_OK && r != RK_EAGAIN)
		known_cut(e->out, e->locked, text, e->name);
	return r;
}

/* Behind the last line, ended if it was not. */
static enum rk_err
put_lines(struct edit *e, const struct buf *lines, struct rk_error *err)
{
	const size_t len = buf_len(&e->text);
	struct buf text;
	enum rk_err r = RK_OK;

	buf_init(&text, KNOWN_FILE_MAX + 1);
	if (len > 0 && buf_peek(&e->text)[len - 1] != '\n')
		r = buf_put_str(&text, "\n");
	if (r == RK_OK)
		r = buf_put(&text, buf_peek(lines), buf_len(lines));
	r = r == RK_OK ? put_text(e, &text, err)
	               : err_set(err, r, "%s: %s", e->name, rk_err_text(r));
	buf_fini(&text);
	return r;
}

/* What is to be put behind the last line. */
struct adding {
	struct known_hold *hold;
	const struct buf *lines;
	const char *text; /* of a remark */
	unsigned wait_ms;
	bool stands; /* in a file that was replaced */
};

static enum rk_err
append_once(const char *path, void *arg, struct rk_error *err)
{
	struct adding *a = arg;
	struct edit e = { .anyway = false };
	enum rk_err r;

	if ((r = begin(&e, path, a->hold, a->wait_ms, err)) != RK_OK)
		goto out;
	if ((e.st.st_mode & KNOWN_WRITE_BITS) == 0)
		r = err_set(err, RK_ESTATE, "%s: is locked", e.name);
	else
		r = put_lines(&e, a->lines, err);
	a->stands = a->stands || r == RK_EAGAIN;
out:
	end(&e);
	return r;
}

static enum rk_err
remark_once(const char *path, void *arg, struct rk_error *err)
{
	const struct adding *a = arg;
	struct edit e = { .anyway = false };
	struct buf line;
	enum rk_err r;

	buf_init(&line, REMARK_MAX);
	if ((r = begin(&e, path, NULL, a->wait_ms, err)) != RK_OK)
		goto out;
	if ((e.st.st_mode & KNOWN_WRITE_BITS) == 0 ||
	    known_find_remark(&e.text, a->text) != 0)
		goto out;
	if ((r = buf_printf(&line, "# %s\n", a->text)) == RK_OK)
		r = put_lines(&e, &line, err);
	if (r == RK_ESTATE) {
		err_clear(err);
		r = RK_OK; /* locked meanwhile */
	}
out:
	end(&e);
	buf_fini(&line);
	return r;
}

/* ---- comments to lines ---- */

struct restoring {
	const struct buf *lines;
	struct known_hold *hold;
	unsigned wait_ms;
	bool anyway;
	bool done;
};

/* Where this line is in the text, but for its first byte; false: nowhere. */
static bool
find_line(const struct buf *text, char first, struct rk_str line, size_t *at)
{
	const char *all = (const char *)buf_peek(text);
	size_t next = 0;
	struct rk_str found;
	bool ended;

	while (next < buf_len(text)) {
		*at = next;
		found = known_next_line(all, buf_len(text), &next, &ended);
		if (found.len == line.len && found.len > 0 &&
		    found.ptr[0] == first &&
		    memcmp(found.ptr + 1, line.ptr + 1, line.len - 1) == 0)
			return true;
	}
	return false;
}

/* known_line_fn */
static enum rk_err
count_line(const struct known_line *line, void *arg)
{
	size_t *n = arg;

	(void)line;
	(*n)++;
	return RK_OK;
}

/* Nothing is added to a full one. */
static enum rk_err
check_room(const struct edit *e, const struct buf *lines, struct rk_error *err)
{
	const char *all = (const char *)buf_peek(lines);
	size_t bytes = buf_len(&e->text) + 1;
	size_t next = 0, keys = 0, at, before;
	struct rk_str line;
	bool ended;
	enum rk_err r = RK_OK;

	if (buf_len(&e->text) > 0)
		r = known_walk(e->name, (const char *)buf_peek(&e->text),
		    buf_len(&e->text), count_line, &keys, &ended, err);
	before = keys;
	while (next < buf_len(lines) && r == RK_OK) {
		line = known_next_line(all, buf_len(lines), &next, &ended);
		if (line.len == 0 ||
		    find_line(&e->text, line.ptr[0], line, &at))
			continue;
		if (find_line(&e->text, '#', line, &at))
			continue; /* in its place */
		keys++;
		bytes += line.len + 1;
	}
	if (r == RK_OK && keys > before &&
	    (keys > KNOWN_KEYS_MAX || bytes > KNOWN_FILE_MAX))
		r = err_set(err, RK_ELIMIT, "%s: is full: it holds %zu keys",
		    e->name, before);
	return r;
}

/* A chmod(2) waits for no lock: the mode is looked at once more. */
static enum rk_err
uncover(struct edit *e, char first, size_t at, struct rk_error *err)
{
	struct stat now;
	enum rk_err r;

	if ((r = open_out(e, 0, err)) != RK_OK)
		return r;
	if (!is_there(e, at))
		return RK_EAGAIN;
	if (pwrite(e->out, &first, 1, (off_t)at) != 1 ||
	    fstat(e->out, &now) != 0)
		return err_sys(
		    err, RK_EIO, errno, "%s: cannot put a key back", e->name);
	if (!is_locked(e, &now))
		return RK_OK;
	if (pwrite(e->out, "#", 1, (off_t)at) != 1)
		log_event(RK_LOG_ERROR, "trust",
		    "%s: a line could not be taken out again", e->name);
	return err_set(err, RK_ESTATE, "%s: was locked just now", e->name);
}

/* missing: what is to be appended. */
static enum rk_err
uncover_all(struct edit *e, struct restoring *how, struct buf *missing,
    struct rk_error *err)
{
	const char *lines = (const char *)buf_peek(how->lines);
	const size_t len = buf_len(how->lines);
	size_t next = 0, at;
	struct rk_str line;
	enum rk_err r = RK_OK;
	bool ended;

	while (next < len && r == RK_OK) {
		line = known_next_line(lines, len, &next, &ended);
		if (line.len == 0 ||
		    find_line(&e->text, line.ptr[0], line, &at))
			continue; /* somebody did */
		how->done = true;
		if (find_line(&e->text, '#', line, &at))
			r = uncover(e, line.ptr[0], at, err);
		else if ((r = buf_put(missing, line.ptr, line.len)) == RK_OK)
			r = buf_put_str(missing, "\n");
	}
	return r;
}

static enum rk_err
restore_once(const char *path, void *arg, struct rk_error *err)
{
	struct restoring *how = arg;
	struct edit e = { .anyway = how->anyway };
	struct buf missing;
	enum rk_err r;

	buf_init(&missing, KNOWN_FILE_MAX);
	if ((r = begin(&e, path, how->hold, how->wait_ms, err)) != RK_OK)
		goto out;
	if (is_locked(&e, &e.st)) {
		r = err_set(err, RK_ESTATE, "%s: is locked", e.name);
		goto out;
	}
	if ((!how->anyway && (r = check_room(&e, how->lines, err)) != RK_OK) ||
	    (r = uncover_all(&e, how, &missing, err)) != RK_OK ||
	    (r = sync_out(&e, err)) != RK_OK || buf_len(&missing) == 0)
		goto out;
	if (e.out >= 0)
		(void)close(e.out); /* synced */
	e.out = -1;
	/* Whoever has locked it since has no such comment, either. */
	e.anyway = false;
	r = is_locked(&e, &e.st)
	        ? err_set(err, RK_ESTATE, "%s: is locked", e.name)
	        : put_lines(&e, &missing, err);
out:
	end(&e);
	buf_fini(&missing);
	return r;
}

enum rk_err
known_restore(const char *path, struct known_hold *hold, unsigned wait_ms,
    const struct buf *lines, bool *restored, struct rk_error *err)
{
	struct restoring how = {
		.lines = lines, .hold = hold, .wait_ms = wait_ms
	};
	enum rk_err r = try_often(path, restore_once, &how, err);

	*restored = how.done;
	return r;
}

enum rk_err
known_put_back(const char *path, struct known_hold *hold, unsigned wait_ms,
    const struct buf *lines, struct rk_error *err)
{
	struct restoring how = {
		.lines = lines, .hold = hold, .wait_ms = wait_ms, .anyway = true
	};

	return try_often(path, restore_once, &how, err);
}

enum rk_err
known_append(const char *path, struct known_hold *hold, const struct buf *lines,
    unsigned wait_ms, struct rk_error *err)
{
	struct adding a = { .hold = hold, .lines = lines, .wait_ms = wait_ms };
	char name[NAME_TEXT];
	struct known known;
	enum rk_err r = try_often(path, append_once, &a, err);

	if (r == RK_OK || !a.stands)
		return r;
	str_escape(name, sizeof(name), path);
	if (known_parse(name, (const char *)buf_peek(lines), buf_len(lines),
	        &known, NULL) == RK_OK)
		known_drop(path, hold, wait_ms,
		    (const uint8_t(*)[RK_KEY_PUBLIC_LEN])known.keys, known.n);
	known_fini(&known);
	return r;
}

enum rk_err
known_remark(
    const char *path, const char *text, unsigned wait_ms, struct rk_error *err)
{
	struct adding a = { .text = text, .wait_ms = wait_ms };

	return try_often(path, remark_once, &a, err);
}
