/* A method that streams: input part by part, and what comes line by line. */
#include "talk.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "ending.h"
#include "held.h"
#include "patience.h"
#include "stream_end.h"
#include "typed.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* ---- what comes ---- */

static enum rk_err
put_value(const struct talk *k, struct rk_bytes p, struct buf *b)
{
	struct show show = *k->show;

	show.form = SHOW_NDJSON;
	return show_put_json(&show, p, b);
}

static enum rk_err
put_hex(struct rk_bytes p, struct buf *b)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; r == RK_OK && i < p.len; i++)
		r = buf_printf(b, "%02x", p.ptr[i]);
	return r;
}

/* A line; with --json an object with a name. */
static enum rk_err
put_line(const struct talk *k, const char *name, struct rk_bytes p,
    struct rk_str subject, struct buf *b)
{
	bool json = k->out->form == OUT_JSON;
	enum rk_err r = RK_OK;

	if (k->show->form == SHOW_RAW)
		return buf_put(b, p.ptr, p.len);
	if (json)
		r = buf_printf(b, "{\"schema\":1,\"%s\":", name);
	if (r == RK_OK)
		r = k->show->form == SHOW_HEX ? put_hex(p, b)
		                              : put_value(k, p, b);
	if (r == RK_OK && json && subject.len > 0) {
		r = buf_put_str(b, ",\"subject\":");
		if (r == RK_OK)
			r = out_json_string(b, subject.ptr, subject.len);
	}
	return r == RK_OK ? buf_put_str(b, json ? "}\n" : "\n") : r;
}

static void
show_part(
    struct talk *k, const char *name, struct rk_bytes p, struct rk_str subject)
{
	struct buf b;
	enum rk_err r;

	buf_init(&b, SINK_MAX);
	r = put_line(k, name, p, subject, &b);
	if (r == RK_OK)
		r = sink_put(&k->sink, buf_peek(&b), buf_len(&b));
	stream_end_wrong(&k->local, r, "cannot write the output");
	buf_fini(&b);
}

/* Microseconds left of --for; UINT64_MAX: no limit. */
static uint64_t
time_left(const struct talk *k)
{
	uint64_t took = mono_us() - k->begun_us;

	if (k->most_us == 0)
		return UINT64_MAX;
	return took < k->most_us ? k->most_us - took : 0;
}

static bool
has_enough(const struct talk *k)
{
	return (k->most != 0 && k->seen >= k->most) || time_left(k) == 0;
}

/* How long poll() may wait for what the client, or --for, waits for; ms. */
static int
wait_ms(const struct talk *k)
{
	int ms =
	    patience_sooner(rk_client_wait_ms(k->t->client), patience_ms(k->t));
	uint64_t left = time_left(k) == UINT64_MAX
	                    ? UINT64_MAX
	                    : (time_left(k) + 999) / 1000;

	if (ms >= 0 && (uint64_t)ms < left)
		return ms;
	return left > INT_MAX ? -1 : (int)left;
}

static void
on_part(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct talk *k = arg;

	k->t->answered = true;
	k->got += part->payload.len;
	/* Beginning and end of a direction may be parts of their own. */
	if (has_enough(k) || part->payload.len == 0)
		return;
	k->seen++;
	show_part(k, "part", part->payload, part->subject);
	rk_stream_pause(s, sink_waits(&k->sink));
}

/* An upload's is shown as that of a call; others say mostly nothing. */
static void
show_answer(struct talk *k, const struct rk_reply *reply)
{
	bool json = k->out->form == OUT_JSON;

	if (reply->code != RK_OK && (json || reply->payload.len == 0))
		return;
	if (k->kind == RK_STREAM_UP)
		k->status = show_reply(k->show, reply->payload);
	else if (json || reply->payload.len > 0)
		show_part(k, "reply", reply->payload, (struct rk_str){ 0 });
}

static void
trace(struct talk *k, const struct rk_reply *reply)
{
	const struct traced what = { .url = k->t->url,
		.method = k->method,
		.sent = k->sent,
		.got = k->got,
		.us = mono_us() - k->begun_us,
		.code = reply->code,
		.hdr = trace_header(reply) };

	trace_add(k->trace, &what);
}

static void
on_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	struct talk *k = arg;
	const char *detail = rk_err_text(reply->code);
	char remote[RK_ERROR_TEXT_LEN / 2];
	char name[RK_NAME_MAX + 1];

	(void)s;
	k->stream = NULL;
	k->got += reply->payload.len;
	trace(k, reply);
	if (trace_header(reply) != NULL)
		k->t->answered = true;
	if (reply->code == RK_OK || reply->code == RK_EREMOTE)
		show_answer(k, reply);
	if (reply->code == RK_OK)
		return;
	if (reply->code == RK_EREMOTE)
		detail = rk_escape(remote, sizeof(remote),
		    reply->remote_error.ptr, reply->remote_error.len);
	else if (reply->code == k->t->ended.code)
		detail = k->t->ended.text;
	(void)err_set(&k->end, reply->code, "%s: %s",
	    str_escape(name, sizeof(name), k->method), detail);
	k->end.step = "call";
}

static const struct rk_stream_events events = { on_part, NULL, on_ended };

/* ---- what goes ---- */

/* Nobody takes it any more: the answer will say why. */
static void
stop_input(struct talk *k)
{
	k->in.fd = -1;
	k->last_due = false;
}

static void
send_last(struct talk *k)
{
	const struct rk_part part = { .last = true };

	if (k->last_due && rk_stream_send(k->stream, &part) != RK_EAGAIN)
		stop_input(k);
}

static void
note_sent(struct talk *k, size_t len)
{
	talk_in_sent(&k->in);
	k->sent += len;
}

/* As much as there is, and as it takes. */
static void
send_parts(struct talk *k)
{
	struct rk_part part = { .last = false };
	enum rk_err r = RK_OK;

	while (k->stream != NULL && k->last_due && r == RK_OK) {
		r = talk_in_next(&k->in, &part.payload, &k->local);
		if (r == RK_ENOENT)
			send_last(k);
		if (r != RK_OK)
			break;
		r = rk_stream_send(k->stream, &part);
		if (r == RK_OK)
			note_sent(k, part.payload.len);
		else if (r == RK_ENOMEM)
			stream_end_wrong(&k->local, r, "standard input");
		else if (r != RK_EAGAIN)
			stop_input(k);
	}
}

/* ---- the loop ---- */

enum {
	ON_CLIENT,
	ON_INPUT,
	ON_OUTPUT,
	N_ON
};

static void
turn(struct talk *k)
{
	struct rk_client *c = k->t->client;
	bool open = k->stream != NULL;
	bool reads = open && k->last_due && talk_in_wants(&k->in);
	struct pollfd fds[N_ON] = {
		{ .fd = open ? rk_client_fd(c) : -1, .events = POLLIN },
		{ .fd = reads ? k->in.fd : -1, .events = POLLIN },
		{ .fd = sink_waits(&k->sink) ? sink_fd(&k->sink) : -1,
		    .events = POLLOUT },
	};
	enum rk_err r;

	ending_poll(fds, N_ON, open ? wait_ms(k) : -1);
	if (ending_came() != 0)
		return;
	if (open && (r = rk_client_process(c)) != RK_OK && k->stream != NULL)
		(void)err_set(&k->local, r, "%s", rk_err_text(r));
	patience_look(k->t, true);
	if (k->stream != NULL && fds[ON_INPUT].revents != 0 &&
	    talk_in_read(&k->in, &k->local) != RK_OK)
		return;
	send_parts(k);
	if (sink_waits(&k->sink))
		stream_end_wrong(
		    &k->local, sink_flush(&k->sink), "cannot write the output");
	if (k->stream != NULL)
		rk_stream_pause(k->stream, sink_waits(&k->sink));
}

static bool
goes_on(const struct talk *k)
{
	if (ending_came() != 0 || k->local.code != RK_OK)
		return false;
	if (sink_waits(&k->sink))
		return k->end.code != RK_ETIMEOUT;
	return k->stream != NULL && !has_enough(k);
}

/* ---- how it ended ---- */

static int
report(struct talk *k, uint64_t timeout)
{
	if (k->local.code != RK_OK)
		return out_error(k->out, &k->local, NULL);
	if (k->end.code == RK_OK || has_enough(k))
		return k->status;
	return stream_end_report(
	    k->t, k->out, k->method, &k->end, timeout, k->took_us);
}

static int
begin(struct talk *k, const struct rk_request *req)
{
	enum rk_err r = rk_client_stream(
	    k->t->client, k->kind, req, &events, k, &k->stream);

	if (r == RK_OK) {
		patience_begin(k->t);
		k->last_due = k->kind != RK_STREAM_DOWN;
		return 0;
	}
	return stream_end_not_begun(k->t, k->out, k->method, r, &k->local);
}

/* The last bytes, and what ended it. */
static int
finish(struct talk *k, int came, uint64_t timeout)
{
	if (stream_end_is_shells(came))
		return held_canceled();
	if (came != 0)
		out_die_of(came);
	if (k->local.sys == EPIPE)
		out_die_of(SIGPIPE);
	stream_end_wrong(
	    &k->local, sink_end(&k->sink), "cannot write the output");
	return report(k, timeout);
}

int
talk_run(struct talk *k, const struct rk_request *req)
{
	bool tty = isatty(STDOUT_FILENO) == 1;
	struct ending before;
	int status, came;

	k->begun_us = mono_us();
	k->sent = req->payload_len;
	if ((status = begin(k, req)) != 0)
		return status;
	sink_open(&k->sink, STDOUT_FILENO, tty && k->show->form == SHOW_RAW);
	ending_hear(&before);
	send_parts(k);
	while (goes_on(k))
		turn(k);
	k->took_us = mono_us() - k->begun_us;
	stream_end_cancel(k->t, &k->stream);
	ending_unhear(&before);
	came = ending_came();
	status = finish(k, came, req->timeout);
	sink_close(&k->sink);
	return status;
}
