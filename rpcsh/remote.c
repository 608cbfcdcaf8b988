/* A command that runs at the server: local streams joined to its own. */
#include "remote.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/json.h"
#include "cli/out.h"
#include "ending.h"
#include "held.h"
#include "patience.h"
#include "stream_end.h"

#include <rpckit/value.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define SIGNALS_MAX 64

/* ---- output ---- */

/* What standard error cannot take is lost: there is no other place for it. */
static void
note_sink(struct remote *m, enum remote_output which, enum rk_err r)
{
	if (which == REMOTE_OUT || r == RK_ENOMEM)
		stream_end_wrong(&m->local, r, "cannot write the output");
	else if (r == RK_EIO)
		sink_drop(&m->sinks[which]);
}

static enum rk_err
put_json(struct buf *b, enum remote_output which, struct rk_bytes bytes)
{
	const struct rk_value v = { .kind = RK_STR, .u.bytes = bytes };
	const struct json_write how = { .style = JSON_COMPACT };
	enum rk_err r;

	r = buf_printf(b,
	    "{\"schema\":1,\"%s\":", which == REMOTE_OUT ? "stdout" : "stderr");
	if (r == RK_OK)
		r = json_write(b, &v, &how);
	return r == RK_OK ? buf_put_str(b, "}\n") : r;
}

static void
put(struct remote *m, enum remote_output which, struct rk_bytes bytes)
{
	struct buf b;
	enum rk_err r;

	if (m->out->form != OUT_JSON) {
		note_sink(
		    m, which, sink_put(&m->sinks[which], bytes.ptr, bytes.len));
		return;
	}
	buf_init(&b, SINK_MAX);
	r = put_json(&b, which, bytes);
	if (r == RK_OK)
		r = sink_put(&m->sinks[REMOTE_OUT], buf_peek(&b), buf_len(&b));
	note_sink(m, REMOTE_OUT, r);
	buf_fini(&b);
}

static bool
output_waits(const struct remote *m)
{
	return sink_waits(&m->sinks[REMOTE_OUT]) ||
	       sink_waits(&m->sinks[REMOTE_ERR]);
}

static void
flush(struct remote *m)
{
	for (int i = REMOTE_OUT; i <= REMOTE_ERR; i++) {
		if (sink_waits(&m->sinks[i]))
			note_sink(
			    m, (enum remote_output)i, sink_flush(&m->sinks[i]));
	}
	if (m->stream != NULL)
		rk_stream_pause(m->stream, output_waits(m));
}

/* ---- the stream's events ---- */

static bool
is_word(struct rk_str s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.ptr, word, s.len) == 0;
}

static void
on_part(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct remote *m = arg;

	m->target->answered = true;
	m->got += part->payload.len;
	if (part->payload.len == 0)
		return;
	if (is_word(part->subject, "stdout"))
		put(m, REMOTE_OUT, part->payload);
	else if (is_word(part->subject, "stderr"))
		put(m, REMOTE_ERR, part->payload);
	else
		(void)err_set(&m->local, RK_EPROTO,
		    "the method sends what is no output of a command");
	rk_stream_pause(s, output_waits(m));
}

static int
number_of(const struct rk_value *map, const char *key, int max)
{
	const struct rk_value *v = rk_value_get(map, key);

	if (v == NULL || v->kind != RK_UINT || v->u.u64 > (uint64_t)max)
		return -1;
	return (int)v->u.u64;
}

/* {"status": N} or {"signal": N} */
static void
take_status(struct remote *m, struct rk_bytes payload)
{
	struct rk_value_doc *doc = NULL;
	int signal = 0;

	if (rk_value_decode(payload.ptr, payload.len, &doc) == RK_OK) {
		m->status = number_of(rk_value_root(doc), "status", 255);
		signal = number_of(rk_value_root(doc), "signal", SIGNALS_MAX);
	}
	rk_value_free(doc);
	m->signal = signal > 0 ? signal : 0;
	if (m->status < 0 && m->signal == 0)
		(void)err_set(
		    &m->end, RK_EPROTO, "the method does not say how it ended");
}

static void
trace(struct remote *m, const struct rk_reply *reply)
{
	const struct traced what = { .url = m->target->url,
		.method = m->method,
		.sent = m->sent,
		.got = m->got + reply->payload.len,
		.us = mono_us() - m->begun_us,
		.code = reply->code,
		.hdr = trace_header(reply) };

	trace_add(m->trace, &what);
}

static void
on_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	struct remote *m = arg;
	const char *detail = rk_err_text(reply->code);
	char remote[RK_ERROR_TEXT_LEN / 2];
	char name[RK_NAME_MAX + 1];

	(void)s;
	m->stream = NULL;
	trace(m, reply);
	if (trace_header(reply) != NULL)
		m->target->answered = true;
	if (reply->code == RK_OK) {
		take_status(m, reply->payload);
		return;
	}
	if (reply->code == RK_EREMOTE)
		detail = rk_escape(remote, sizeof(remote),
		    reply->remote_error.ptr, reply->remote_error.len);
	else if (reply->code == m->target->ended.code)
		detail = m->target->ended.text;
	(void)err_set(&m->end, reply->code, "%s: %s",
	    str_escape(name, sizeof(name), m->method), detail);
	m->end.step = "call";
}

static const struct rk_stream_events events = { on_part, NULL, on_ended };

/* ---- input ---- */

/* RK_EAGAIN is met by asking again; others say what on_ended() will. */
static enum rk_err
send_part(struct remote *m, const void *data, size_t len, bool last)
{
	struct rk_part part = { .payload = { data, len }, .last = last };

	return rk_stream_send(m->stream, &part);
}

/* What is read has to be taken: ask once more, since much may have been sent
 * meanwhile. */
static void
read_input(struct remote *m)
{
	uint8_t chunk[RK_STREAM_PART];
	ssize_t n;

	if (rk_stream_room(m->stream) == 0)
		return;
	n = read(m->input, chunk, sizeof(chunk));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0)
		stream_end_wrong(
		    &m->local, RK_EIO, "cannot read standard input");
	m->sent += n > 0 ? (size_t)n : 0;
	if (n > 0 && send_part(m, chunk, (size_t)n, false) != RK_ENOMEM)
		return;
	if (n > 0)
		stream_end_wrong(&m->local, RK_ENOMEM, "standard input");
	m->input = -1;
	m->last_due = true;
}

static void
tell_last(struct remote *m)
{
	if (m->last_due && send_part(m, NULL, 0, true) != RK_EAGAIN)
		m->last_due = false;
}

/* ---- the loop ---- */

enum {
	ON_CLIENT,
	ON_INPUT,
	ON_OUT, /* and REMOTE_ERR */
	N_ON = ON_OUT + 2
};

static void
prepare(const struct remote *m, struct pollfd fds[N_ON])
{
	bool open = m->stream != NULL;

	fds[ON_CLIENT] =
	    (struct pollfd){ .fd = open ? rk_client_fd(m->target->client) : -1,
		    .events = POLLIN };
	fds[ON_INPUT] = (struct pollfd){ .fd = -1, .events = POLLIN };
	if (open && m->input >= 0 && rk_stream_room(m->stream) > 0)
		fds[ON_INPUT].fd = m->input;
	for (int i = REMOTE_OUT; i <= REMOTE_ERR; i++) {
		const struct sink *k = &m->sinks[i];

		fds[ON_OUT + i] =
		    (struct pollfd){ .fd = sink_waits(k) ? sink_fd(k) : -1,
			    .events = POLLOUT };
	}
}

static void
turn(struct remote *m)
{
	struct rk_client *c = m->target->client;
	struct pollfd fds[N_ON];
	int ms = -1;
	enum rk_err r;

	prepare(m, fds);
	if (m->stream != NULL)
		ms = patience_sooner(
		    rk_client_wait_ms(c), patience_ms(m->target));
	ending_poll(fds, N_ON, ms);
	if (ending_came() != 0)
		return;
	if (m->stream != NULL && (r = rk_client_process(c)) != RK_OK &&
	    m->stream != NULL)
		(void)err_set(&m->local, r, "%s", rk_err_text(r));
	patience_look(m->target, true);
	if (m->stream != NULL && fds[ON_INPUT].revents != 0)
		read_input(m);
	if (m->stream != NULL)
		tell_last(m);
	flush(m);
}

/* Whose time is over does not wait for readers either. */
static bool
goes_on(const struct remote *m)
{
	if (ending_came() != 0 || m->local.code != RK_OK)
		return false;
	return m->stream != NULL ||
	       (output_waits(m) && m->end.code != RK_ETIMEOUT);
}

/* ---- how it ended ---- */

static int
report_status(const struct remote *m)
{
	char name[RK_NAME_MAX + 1];
	const char *abbrev;

	if (m->out->form == OUT_JSON && m->signal != 0)
		out_text(m->out, "{\"schema\":1,\"signal\":%d}\n", m->signal);
	else if (m->out->form == OUT_JSON)
		out_text(m->out, "{\"schema\":1,\"status\":%d}\n", m->status);
	if (m->status > 0 && m->signal == 0 && m->says_status &&
	    m->out->form != OUT_JSON)
		out_warn(m->out, "%s: exit status %d",
		    str_escape(name, sizeof(name), m->method), m->status);
	if (m->signal == 0)
		return m->status;
	abbrev = sigabbrev_np(m->signal);
	if (m->out->form != OUT_JSON)
		out_warn(m->out, "%s: killed by signal %d (SIG%s)",
		    str_escape(name, sizeof(name), m->method), m->signal,
		    abbrev == NULL ? "?" : abbrev);
	return 128 + m->signal;
}

static int
report(struct remote *m, uint64_t timeout)
{
	if (m->local.code != RK_OK)
		return out_error(m->out, &m->local, NULL);
	if (m->end.code == RK_OK)
		return report_status(m);
	return stream_end_report(
	    m->target, m->out, m->method, &m->end, timeout, m->took_us);
}

static int
begin(struct remote *m, const struct rk_request *req)
{
	enum rk_err r = rk_client_stream(
	    m->target->client, RK_STREAM_BOTH, req, &events, m, &m->stream);

	if (r == RK_OK) {
		patience_begin(m->target);
		m->last_due = m->input < 0;
		return 0;
	}
	return stream_end_not_begun(m->target, m->out, m->method, r, &m->local);
}

int
remote_run(struct remote *m, const struct rk_request *req)
{
	struct ending before;
	int status, came;

	m->begun_us = mono_us();
	m->sent = req->payload_len;
	m->status = -1;
	if ((status = begin(m, req)) != 0)
		return status;
	ending_hear(&before);
	while (goes_on(m))
		turn(m);
	m->took_us = mono_us() - m->begun_us;
	stream_end_cancel(m->target, &m->stream);
	ending_unhear(&before);
	came = ending_came();
	if (stream_end_is_shells(came))
		return held_canceled();
	if (came != 0)
		out_die_of(came);
	if (m->local.sys == EPIPE)
		out_die_of(SIGPIPE);
	for (int i = REMOTE_OUT; i <= REMOTE_ERR; i++)
		note_sink(m, (enum remote_output)i, sink_end(&m->sinks[i]));
	return report(m, req->timeout);
}
