/* Taking a file: NAME.put, a stream both ways (rpckit-protocol(7)). */
#include "files_int.h"
#include "files_total.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define ASK_ROOM_EVERY ((uint64_t)1 << 20)
#define FLUSH_EVERY ((uint64_t)8 << 20)
#define SHOWN 200

/* Who sends what to whom decides what may be continued: nobody goes on with,
 * or learns anything about, what another has sent. */
static void
name_temp(const struct transfer *t, char temp[NAME_MAX + 1])
{
	const struct rk_peer *peer = rk_stream_peer(t->stream);
	const char *who = peer->proven ? peer->cert.fp : "";
	uint8_t sum[CRYPT_SUM_LEN];
	char hex[PARTIAL_SUM_LEN];
	struct crypt_sum s;

	crypt_sum_init(&s);
	crypt_sum_update(&s, who, strlen(who) + 1);
	crypt_sum_update(&s, t->base, strlen(t->base));
	crypt_sum_final(&s, sum);
	str_hex(hex, sum, sizeof(sum));
	(void)snprintf(temp, NAME_MAX + 1, ".rpckit-%.32s", hex);
}

/* ---- the end ---- */

static void
fail(struct transfer *t, const char *text, int errnum, bool kept)
{
	if (t->open && !kept) {
		files_total_give(t->folder, t->file.in.at);
		partial_drop(&t->file.in);
		t->open = false;
	}
	files_fail(t, text, errnum);
}

/* A full disk is not left full; what else goes wrong may go better later. */
static void
fail_disk(struct transfer *t, const char *text, int errnum)
{
	fail(t, text, errnum,
	    errnum != ENOSPC && errnum != EDQUOT && errnum != EFBIG);
}

/* Whatever came between: who sent it may come back. */
static void
keep(struct transfer *t)
{
	partial_keep(&t->file.in);
	t->open = false;
}

static void
finish(struct transfer *t)
{
	char shown[SHOWN], name[SHOWN];
	uint64_t size = t->file.in.at;
	int e = partial_finish(
	    &t->file.in, t->base, t->replace, settings_mode(t->folder->conf));

	if (e != 0) {
		/* Sent whole: it can wait for the name to become free. */
		fail_disk(t, "cannot store it", e);
		return;
	}
	t->open = false;
	log_event(RK_LOG_INFO, "files",
	    "%s.put %s: %" PRIu64 " bytes (called by %s)",
	    str_escape(name, sizeof(name), t->folder->conf->name),
	    str_escape(shown, sizeof(shown), t->path), size, t->caller);
	(void)rk_stream_reply(t->stream, NULL, 0); /* it is stored anyway */
	files_end(t);
}

/* ---- what comes ---- */

/* Bytes that may still come; zero: it has grown too large. */
static bool
has_room(const struct transfer *t, uint64_t more)
{
	struct statvfs fs;
	uint64_t free_bytes;

	if (fstatvfs(t->dir, &fs) != 0)
		return true; /* writing will tell */
	free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return free_bytes >= more &&
	       free_bytes - more >= t->folder->conf->min_free;
}

/* Written out bit by bit: at the end nothing waits for a whole disk cache. */
static void
flush_some(const struct partial *in, uint64_t before)
{
	uint64_t from = before / FLUSH_EVERY, to = in->at / FLUSH_EVERY;

	if (from != to)
		(void)sync_file_range(in->fd, (off_t)(from * FLUSH_EVERY),
		    (off_t)((to - from) * FLUSH_EVERY), SYNC_FILE_RANGE_WRITE);
}

/* False: it failed, and t is gone. */
static bool
write_payload(struct transfer *t, struct rk_bytes p)
{
	struct partial *in = &t->file.in;
	uint64_t before = in->at;
	size_t n;
	int e;

	if (p.len > t->size - in->at) {
		fail(t, "it is longer than was said", 0, false);
		return false;
	}
	if (in->at + p.len > t->folder->conf->max_size) {
		fail(t, "the file is too large", 0, false);
		return false;
	}
	if (in->at / ASK_ROOM_EVERY != (in->at + p.len) / ASK_ROOM_EVERY &&
	    !has_room(t, p.len)) {
		fail(t, "no space is left for it", 0, false);
		return false;
	}
	if (!files_total_take(t->folder, p.len)) {
		fail(t, "the folder is full", 0, false);
		return false;
	}
	for (; p.len > 0; p.ptr += n, p.len -= n) {
		n = p.len < FILES_PIECE ? p.len : FILES_PIECE;
		if ((e = partial_write(in, p.ptr, n)) != 0) {
			fail_disk(t, "cannot write it", e);
			return false;
		}
	}
	flush_some(in, before);
	return true;
}

/* What was there is no beginning of it. */
static int
restart(struct transfer *t)
{
	struct partial *in = &t->file.in;

	files_total_give(t->folder, in->at > in->found ? in->at : in->found);
	return partial_restart(in);
}

/* Where the client goes on: where it was offered, or at the beginning. */
static bool
take_offset(struct transfer *t, const struct rk_args *args)
{
	uint64_t offset;
	int e = 0;

	t->began = true;
	if (files_number(args, "offset", &offset) != RK_OK ||
	    (offset != 0 && offset != t->file.in.at)) {
		fail(
		    t, "the first part does not say where it belongs", 0, true);
		return false;
	}
	if (offset == 0)
		e = restart(t);
	if (e == 0)
		return true;
	fail_disk(t, "cannot write it", e);
	return false;
}

static void
check_whole(struct transfer *t, const struct rk_args *args)
{
	char sum[PARTIAL_SUM_LEN];

	partial_sum(&t->file.in, sum);
	if (t->size != RK_NEVER && t->file.in.at != t->size)
		fail(t, "it is shorter than was said", 0, false);
	else if (!files_arg_is(args, "blake2b", sum))
		fail(t, "the checksum is not that of what came", 0, false);
	else
		finish(t);
}

static void
on_part(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct transfer *t = arg;
	const struct rk_args *args = &part->hdr->args;

	(void)s;
	if (!t->began) {
		files_moved(t);
		if (!take_offset(t, args))
			return;
	}
	/* Who sends byte by byte would keep a place for ever. */
	t->counted += part->payload.len;
	if (t->counted >= FILES_PIECE) {
		t->counted = 0;
		files_moved(t);
	}
	if (write_payload(t, part->payload) && part->last)
		check_whole(t, args);
}

/* ---- the beginning ---- */

static void
offer(struct transfer *t)
{
	char offset[FILES_NUMBER_LEN], sum[PARTIAL_SUM_LEN];
	struct rk_arg args[] = {
		{ { "offset", 6 }, { offset, 0 } },
		{ { "blake2b", 7 }, { sum, PARTIAL_SUM_LEN - 1 } },
	};
	struct rk_part part = { .args = args, .n_args = 2, .last = true };

	args[0].value.len =
	    (size_t)snprintf(offset, sizeof(offset), "%" PRIu64, t->file.in.at);
	partial_sum(&t->file.in, sum);
	if (rk_stream_send(t->stream, &part) != RK_OK) {
		fail(t, "out of memory", 0, true);
		return;
	}
	files_moved(t);
	rk_stream_pause(t->stream, false);
}

/* files_step_fn: what an earlier transfer has left is read and hashed. */
static void
look_at_found(struct transfer *t)
{
	int e;

	if (t->file.in.at < t->file.in.found &&
	    (e = partial_take(&t->file.in, t->piece)) != 0) {
		fail_disk(t, "cannot read what came before", e);
		return;
	}
	files_moved(t);
	if (t->file.in.at < t->file.in.found)
		files_again(t);
	else
		offer(t);
}

static void
on_stall(struct transfer *t)
{
	fail(t, "too little has come for too long", 0, true);
}

static const char *
check_request(struct transfer *t, const struct rk_args *args)
{
	const struct folder_conf *c = t->folder->conf;
	enum rk_err r = files_number(args, "size", &t->size);
	struct stat st;

	if (r == RK_ENOENT)
		t->size = RK_NEVER;
	else if (r != RK_OK)
		return "its size is no number";
	else if (t->size > c->max_size)
		return "the file is too large";
	t->replace = files_arg_is(args, "replace", "yes");
	if (t->replace && !c->replace)
		return "files are not replaced here";
	/* Only the naming decides; this saves the work. */
	if (!t->replace &&
	    fstatat(t->dir, t->base, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return "there is such a file already";
	if (t->replace &&
	    fstatat(t->dir, t->base, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !S_ISREG(st.st_mode))
		return "it is not a plain file";
	return NULL;
}

/* Open what will be the file, and look how much of it is there.  False: it
 * failed, and t is gone. */
static bool
open_temp(struct transfer *t, const struct rk_args *args)
{
	struct partial *in = &t->file.in;
	char temp[NAME_MAX + 1];
	uint64_t more;
	int e;

	name_temp(t, temp);
	e = partial_open(in, t->dir, temp);
	t->open = e == 0;
	t->close = keep;
	/* What is longer than the file is not its beginning. */
	if (e == 0 &&
	    (in->found > t->size || files_arg_is(args, "resume", "no")))
		e = restart(t);
	if (e != 0) {
		fail(t, "cannot write it", e, false);
		return false;
	}
	more = t->size == RK_NEVER ? 0 : t->size - in->found;
	if (!has_room(t, more))
		fail(t, "no space is left for it", 0, true);
	else if (!files_total_has(t->folder, more))
		fail(t, "the folder is full", 0, true);
	else
		return true;
	return false;
}

void
files_put(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .part = on_part,
		.ended = files_ended };
	struct transfer *t = files_begin(s, arg, "put", "file");
	const struct rk_args *args;
	const char *why;

	if (t == NULL)
		return;
	args = &rk_stream_header(s)->args;
	if ((why = check_request(t, args)) != NULL) {
		files_fail(t, why, 0);
		return;
	}
	if (!open_temp(t, args))
		return;
	if (files_watch(t, on_stall) != RK_OK) {
		fail(t, "out of memory", 0, true);
		return;
	}
	t->step = look_at_found;
	rk_stream_listen(s, &events, t);
	rk_stream_pause(s, true);
	files_again(t);
}
