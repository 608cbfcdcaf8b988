/* Handing out a file: NAME.get and rpc25519's __downloaderName, downloads. */
#include "files_int.h"

#include "base/blake3.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHOWN 200

static void
close_file(struct transfer *t)
{
	source_close(&t->file.out);
	t->open = false;
}

/* ---- sending ---- */

static void
add(struct rk_part *part, struct rk_arg *args, const char *key,
    const char *value)
{
	args[part->n_args++] =
	    (struct rk_arg){ str_view(key), str_view(value) };
	part->args = args;
}

/* Our own: the first part says where it belongs, the last what all is. */
static enum rk_err
send_own(struct transfer *t, struct rk_part *part)
{
	char offset[FILES_NUMBER_LEN], size[FILES_NUMBER_LEN];
	char sum[SOURCE_SUM_LEN];
	struct rk_arg args[3];

	if (!t->began) {
		(void)snprintf(offset, sizeof(offset), "%" PRIu64, t->from);
		(void)snprintf(size, sizeof(size), "%" PRIu64, t->size);
		add(part, args, "offset", offset);
		add(part, args, "size", size);
	}
	if (t->all) {
		source_sum(&t->file.out, sum);
		add(part, args, "blake2b", sum);
	}
	return rk_stream_send(t->stream, part);
}

/* rpc25519's: every part says all but its place. */
static enum rk_err
send_demo(struct transfer *t, struct rk_part *part)
{
	char path[FILES_NAME_MAX + SHOWN + 2], size[FILES_NUMBER_LEN];
	char sum[BLAKE3_TEXT_LEN];
	struct rk_arg args[4];

	if (fs_join(path, sizeof(path), t->folder->conf->root, t->path) !=
	    RK_OK)
		str_copy(path, sizeof(path), t->path);
	(void)snprintf(size, sizeof(size), "%" PRIu64, t->size);
	blake3_text_of(part->payload.ptr, part->payload.len, sum);
	add(part, args, "blake3", sum);
	add(part, args, "filename", t->base);
	add(part, args, "path", path);
	add(part, args, "pathsize", size);
	return rk_stream_send(t->stream, part);
}

static void
finish(struct transfer *t)
{
	char shown[SHOWN], name[SHOWN];

	log_event(RK_LOG_INFO, "files",
	    "%s.get %s: %" PRIu64 " bytes from %" PRIu64 " on (called by %s)",
	    str_escape(name, sizeof(name), t->folder->conf->name),
	    str_escape(shown, sizeof(shown), t->path), t->size, t->from,
	    t->caller);
	(void)rk_stream_reply(t->stream, NULL, 0); /* or nobody is there */
	files_end(t);
}

/* Read the next piece; false: it failed, and t is gone. */
static bool
fill(struct transfer *t)
{
	int e = source_read(&t->file.out, t->piece, RK_NEVER, &t->waiting);

	if (e != 0) {
		files_fail(t, "cannot read it", e);
		return false;
	}
	t->all = t->waiting == 0;
	t->has_piece = true;
	if (!t->all || !source_changed(&t->file.out))
		return true;
	files_fail(t, "the file has changed while it was read", 0);
	return false;
}

/* files_step_fn: one piece a turn, as long as they are taken. */
static void
send_piece(struct transfer *t)
{
	struct rk_part part = { .last = false };
	enum rk_err r;

	if (!t->has_piece && !fill(t))
		return;
	part.payload = (struct rk_bytes){ t->piece, t->waiting };
	part.last = t->all;
	r = t->demo ? send_demo(t, &part) : send_own(t, &part);
	if (r == RK_EAGAIN)
		return; /* on_writable */
	if (r != RK_OK) {
		files_fail(t, "cannot send it", 0);
		return;
	}
	files_moved(t);
	t->began = true;
	t->has_piece = false;
	if (t->all)
		finish(t);
	else
		files_again(t);
}

static void
on_writable(struct rk_stream *s, void *arg)
{
	struct transfer *t = arg;

	(void)s;
	if (t->step == send_piece)
		files_again(t);
}

/* ---- where to begin ---- */

static void
on_stall(struct transfer *t)
{
	files_fail(t, "nothing was taken for too long", 0);
}

/* files_step_fn: is what the client has the start of this file? */
static void
compare(struct transfer *t)
{
	char sum[SOURCE_SUM_LEN];
	size_t n;
	int e = source_read(&t->file.out, t->piece, t->from, &n);

	files_moved(t);
	if (e == 0 && n > 0 && t->file.out.at < t->from) {
		files_again(t);
		return;
	}
	source_sum(&t->file.out, sum);
	if (e == 0 && (t->file.out.at != t->from || strcmp(sum, t->sum) != 0)) {
		t->from = 0;
		e = source_rewind(&t->file.out);
	}
	if (e != 0) {
		files_fail(t, "cannot read it", e);
		return;
	}
	t->step = send_piece;
	files_again(t);
}

static void
take_offset(struct transfer *t, const struct rk_args *args)
{
	struct rk_str sum;

	if (t->demo || files_number(args, "offset", &t->from) != RK_OK ||
	    t->from > t->size || !rk_args_get(args, "blake2b", &sum) ||
	    sum.len != SOURCE_SUM_LEN - 1) {
		t->from = 0;
		return;
	}
	memcpy(t->sum, sum.ptr, sum.len);
}

/* Never opens what is no plain file: opening alone may do something. */
static int
open_file(struct transfer *t)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
	struct stat st;
	int fd = -1, e;

	if (fstatat(t->dir, t->base, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EMLINK;
	if ((e = fs_open_beneath(t->dir, t->base, flags, 0, &fd)) != 0)
		return e;
	e = source_init(&t->file.out, fd);
	t->open = true;
	t->close = close_file;
	if (e == 0 && !source_is_file(&t->file.out))
		e = EMLINK;
	return e;
}

static void
get(struct rk_stream *s, struct folder *f, const char *key)
{
	static const struct rk_stream_events events = { .writable = on_writable,
		.ended = files_ended };
	struct transfer *t = files_begin(s, f, "get", key);
	int e;

	if (t == NULL)
		return;
	if ((e = open_file(t)) != 0) {
		files_fail(t, "cannot open it", e);
		return;
	}
	if (files_watch(t, on_stall) != RK_OK) {
		files_fail(t, "out of memory", 0);
		return;
	}
	t->size = source_size(&t->file.out);
	take_offset(t, &rk_stream_header(s)->args);
	t->step = t->from > 0 ? compare : send_piece;
	rk_stream_listen(s, &events, t);
	files_again(t);
}

void
files_get(struct rk_stream *s, void *arg)
{
	get(s, arg, "file");
}

void
files_demo_get(struct rk_stream *s, void *arg)
{
	if (arg == NULL)
		(void)rk_stream_fail(s,
		    "this server has no folder to hand files out from", NULL,
		    0);
	else
		get(s, arg, "downloadRequestedPath");
}
