/* What putting and getting files share: names, folders, turns, the end. */
#include "files_int.h"

#include "base/error.h"
#include "base/str.h"

#include <rpckit/log.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SHOWN 200

/* ---- arguments ---- */

enum rk_err
files_number(const struct rk_args *args, const char *key, uint64_t *out)
{
	char text[FILES_NUMBER_LEN];
	struct rk_str v;

	*out = 0;
	if (!rk_args_get(args, key, &v))
		return RK_ENOENT;
	if (v.len == 0 || v.len >= sizeof(text))
		return RK_EFORMAT;
	memcpy(text, v.ptr, v.len);
	text[v.len] = '\0';
	if (strlen(text) != v.len ||
	    str_parse_u64(text, 0, INT64_MAX, out) != RK_OK)
		return RK_EFORMAT;
	return RK_OK;
}

bool
files_arg_is(const struct rk_args *args, const char *key, const char *value)
{
	struct rk_str v;

	return rk_args_get(args, key, &v) && str_is(v, value);
}

/* ---- the folder ---- */

static int
open_folder(struct transfer *t)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	char parent[FILES_NAME_MAX + 1];
	char *slash;
	int root, e;

	root = open(t->folder->conf->root, flags);
	if (root < 0)
		return errno;
	str_copy(parent, sizeof(parent), t->path);
	slash = strrchr(parent, '/');
	str_copy(t->base, sizeof(t->base), slash == NULL ? parent : slash + 1);
	if (slash == NULL) {
		t->dir = root;
		return 0;
	}
	*slash = '\0';
	e = fs_open_beneath(root, parent, flags, 0, &t->dir);
	(void)close(root); /* it was only looked below */
	return e;
}

/* The demo client names files as its server's host does. */
static struct rk_str
strip_root(const struct folder *f, struct rk_str name)
{
	const char *root = f->conf->root;
	size_t len = strlen(root);

	while (len > 1 && root[len - 1] == '/')
		len--;
	if (name.len <= len + 1 || memcmp(name.ptr, root, len) != 0 ||
	    name.ptr[len] != '/')
		return name;
	return (struct rk_str){ name.ptr + len + 1, name.len - len - 1 };
}

static const char *
take_name(struct transfer *t, const struct rk_header *hdr, const char *key)
{
	struct rk_str name;
	const char *why;

	if (!rk_args_get(&hdr->args, key, &name))
		return "no file is named";
	if (t->demo)
		name = strip_root(t->folder, name);
	if (name.len > FILES_NAME_MAX)
		return "the name is too long";
	if ((why = fs_name_fault(name.ptr, name.len)) != NULL)
		return why;
	memcpy(t->path, name.ptr, name.len);
	t->path[name.len] = '\0';
	return NULL;
}

/* ---- beginning and end ---- */

static struct transfer *
make_transfer(struct rk_stream *s, struct folder *f, const char *what)
{
	struct transfer *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		atomic_fetch_sub(&f->slot->running, 1);
		(void)rk_stream_fail(s, "out of memory", NULL, 0);
		return NULL;
	}
	t->folder = f;
	commands_hold(f->set);
	t->stream = s;
	t->loop = rk_stream_loop(s);
	t->what = what;
	t->dir = -1;
	t->size = RK_NEVER;
	name_caller(rk_stream_peer(s), t->caller);
	return t;
}

struct transfer *
files_begin(
    struct rk_stream *s, struct folder *f, const char *what, const char *key)
{
	struct transfer *t;
	const char *why;
	int e;

	if (atomic_fetch_add(&f->slot->running, 1) >= f->conf->concurrency) {
		atomic_fetch_sub(&f->slot->running, 1);
		(void)rk_stream_fail(
		    s, "busy: too many files on their way", NULL, 0);
		return NULL;
	}
	if ((t = make_transfer(s, f, what)) == NULL)
		return NULL;
	t->demo = strcmp(key, "file") != 0;
	if ((why = take_name(t, rk_stream_header(s), key)) != NULL) {
		files_fail(t, why, 0);
		return NULL;
	}
	if ((e = open_folder(t)) == 0)
		return t;
	files_fail(t, "cannot open the folder", e);
	return NULL;
}

static void
close_file(struct transfer *t)
{
	if (t->open)
		t->close(t);
}

/* rk_post_fn */
static void
on_turn(void *arg)
{
	struct transfer *t = arg;

	t->posted = false;
	if (t->stream != NULL)
		t->step(t);
	else
		files_end(t);
}

void
files_again(struct transfer *t)
{
	if (t->posted)
		return;
	if (rk_loop_post(t->loop, on_turn, t) == RK_OK)
		t->posted = true;
	else
		files_fail(t, "out of memory", 0);
}

void
files_end(struct transfer *t)
{
	t->stream = NULL;
	close_file(t);
	rk_timer_free(t->timer);
	t->timer = NULL;
	if (t->posted)
		return;
	if (t->dir >= 0)
		(void)close(t->dir); /* nothing of it waits to be written */
	atomic_fetch_sub(&t->folder->slot->running, 1);
	commands_release(t->folder->set);
	free(t);
}

void
files_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	(void)s;
	(void)reply;
	files_end(arg);
}

/* rk_timer_fn: looks seldom, so that moving costs nothing. */
static void
on_timer(struct rk_timer *timer, void *arg)
{
	struct transfer *t = arg;
	uint64_t due = t->moved + t->folder->conf->timeout;

	if (rk_loop_now(t->loop) >= due || rk_timer_set(timer, due) != RK_OK)
		t->stalled(t);
}

enum rk_err
files_watch(struct transfer *t, void (*stalled)(struct transfer *t))
{
	enum rk_err r;

	files_moved(t);
	if (t->folder->conf->timeout == RK_NEVER)
		return RK_OK;
	t->stalled = stalled;
	r = rk_timer_new(t->loop, on_timer, t, &t->timer);
	if (r == RK_OK)
		r = rk_timer_set(t->timer, t->moved + t->folder->conf->timeout);
	return r;
}

void
files_moved(struct transfer *t)
{
	t->moved = rk_loop_now(t->loop);
}

static const char *
reason(int errnum)
{
	switch (errnum) {
	case ENOENT:
		return "no such file or folder";
	case EXDEV:
	case ELOOP:
	case EMLINK:
	case ENOTDIR:
	case ENXIO:
		return "it is not a plain file in a plain folder";
	case EACCES:
	case EPERM:
	case EROFS:
		return "not permitted";
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return "no space is left for it";
	case EAGAIN:
		return "another program has it";
	case EBUSY:
		return "another transfer of this file is under way";
	case EEXIST:
		return "there is such a file already";
	default:
		return "the disk or the system failed";
	}
}

/* Strangers learn the kind of the failure, the log its number. */
void
files_fail(struct transfer *t, const char *text, int errnum)
{
	char shown[SHOWN], name[SHOWN], told[2 * SHOWN];
	struct rk_error err;

	str_escape(shown, sizeof(shown), t->path);
	str_escape(name, sizeof(name), t->folder->conf->name);
	if (errnum == 0)
		(void)snprintf(told, sizeof(told), "%s", text);
	else
		(void)snprintf(
		    told, sizeof(told), "%s: %s", text, reason(errnum));
	(void)err_set(&err, RK_EFAIL, "%s", text);
	if (errnum != 0)
		(void)err_sys(&err, RK_EIO, errnum, "%s", text);
	log_event(RK_LOG_INFO, "files", "%s.%s %s: %s (called by %s)", name,
	    t->what, shown, err.text, t->caller);
	close_file(t); /* who is told may come back at once */
	(void)rk_stream_fail(t->stream, told, NULL, 0);
	files_end(t);
}
