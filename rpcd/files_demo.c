/* The streams of rpc25519's demo server: uploads counted, an echo both ways. */
#include "files.h"

#include "base/blake3.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- __fileUploader ---- */

/* What came is hashed and counted, and kept nowhere. */
struct upload {
	struct blake3 all;
	uint64_t bytes;
};

static void
on_upload_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	(void)s;
	(void)reply;
	free(arg);
}

static void
answer_upload(struct rk_stream *s, const struct upload *u)
{
	char sum[BLAKE3_TEXT_LEN], text[64];
	struct rk_arg arg = { .key = { "serverTotalBlake3sum", 20 } };
	int n;

	blake3_text(&u->all, sum);
	arg.value = str_view(sum);
	n = snprintf(text, sizeof(text), "bytesWrit=%" PRIu64 ";", u->bytes);
	/* The library told the peer, or nobody is there. */
	(void)rk_stream_reply_args(s, &arg, 1, text, (size_t)n);
}

static bool
is_whole(const struct rk_part *part)
{
	char sum[BLAKE3_TEXT_LEN];
	struct rk_str said;

	if (!rk_args_get(&part->hdr->args, "blake3", &said))
		return true;
	blake3_text_of(part->payload.ptr, part->payload.len, sum);
	return str_is(said, sum);
}

static void
on_upload_part(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct upload *u = arg;

	if (!is_whole(part)) {
		(void)rk_stream_fail(
		    s, "a part's blake3 is not that of its payload", NULL, 0);
		free(u);
		return;
	}
	blake3_update(&u->all, part->payload.ptr, part->payload.len);
	u->bytes += part->payload.len;
	if (!part->last)
		return;
	answer_upload(s, u);
	free(u);
}

void
files_demo_put(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .part = on_upload_part,
		.ended = on_upload_ended };
	struct upload *u = calloc(1, sizeof(*u));

	(void)arg;
	if (u == NULL) {
		(void)rk_stream_fail(s, "out of memory", NULL, 0);
		return;
	}
	blake3_init(&u->all);
	rk_stream_listen(s, &events, u);
}

/* ---- echoBistreamFunc ---- */

#define ECHO_ARGS 16

/* A part that could not be sent back yet; no other comes meanwhile. */
struct echo {
	bool waits;
	bool last;
	size_t len;
	size_t args_len;
	uint8_t *payload;
	uint8_t *raw_args;
	uint32_t n_args;
};

static void
free_echo(struct echo *e)
{
	free(e->payload);
	free(e->raw_args);
	free(e);
}

static void
on_echo_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	(void)s;
	(void)reply;
	free_echo(arg);
}

static void *
copy(const void *src, size_t len)
{
	void *dst = malloc(len > 0 ? len : 1);

	if (dst != NULL && len > 0)
		memcpy(dst, src, len);
	return dst;
}

static bool
keep(struct echo *e, const struct rk_part *part)
{
	const struct rk_args *args = &part->hdr->args;

	free(e->payload);
	free(e->raw_args);
	e->payload = copy(part->payload.ptr, part->payload.len);
	e->raw_args = copy(args->raw.ptr, args->raw.len);
	e->len = part->payload.len;
	e->args_len = args->raw.len;
	e->n_args = args->count;
	e->last = part->last;
	e->waits = true;
	return e->payload != NULL && e->raw_args != NULL;
}

/* With the arguments it came with, as the original does. */
static enum rk_err
send_back(struct rk_stream *s, struct rk_bytes payload,
    const struct rk_args *args, bool last)
{
	struct rk_arg list[ECHO_ARGS];
	struct rk_part part = {
		.payload = payload, .args = list, .last = last
	};
	size_t at = 0;

	while (part.n_args < ECHO_ARGS &&
	       rk_args_next(args, &at, &list[part.n_args]))
		part.n_args++;
	return rk_stream_send(s, &part);
}

/* What became of sending; the last one back is followed by the answer. */
static void
go_on(struct rk_stream *s, struct echo *e, enum rk_err r, bool last)
{
	if (r == RK_OK && !last)
		return;
	if (r == RK_OK)
		(void)rk_stream_reply(s, NULL, 0);
	else
		(void)rk_stream_fail(s, "cannot send it back", NULL, 0);
	free_echo(e);
}

static void
on_echo_part(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct echo *e = arg;
	enum rk_err r =
	    send_back(s, part->payload, &part->hdr->args, part->last);

	if (r == RK_EAGAIN && keep(e, part)) {
		rk_stream_pause(s, true);
		return;
	}
	go_on(s, e, r, part->last);
}

static void
on_echo_writable(struct rk_stream *s, void *arg)
{
	struct echo *e = arg;
	struct rk_args args = { .raw = { e->raw_args, e->args_len },
		.count = e->n_args };
	enum rk_err r;

	if (!e->waits)
		return;
	r = send_back(
	    s, (struct rk_bytes){ e->payload, e->len }, &args, e->last);
	if (r == RK_EAGAIN)
		return;
	e->waits = false;
	if (r == RK_OK && !e->last)
		rk_stream_pause(s, false);
	go_on(s, e, r, e->last);
}

void
files_demo_echo(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .part = on_echo_part,
		.writable = on_echo_writable,
		.ended = on_echo_ended };
	struct echo *e = calloc(1, sizeof(*e));

	(void)arg;
	if (e == NULL) {
		(void)rk_stream_fail(s, "out of memory", NULL, 0);
		return;
	}
	rk_stream_listen(s, &events, e);
}
