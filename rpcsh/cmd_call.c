/* rpcsh call: one request, one reply. */
#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "confirm.h"
#include "dry.h"
#include "figures.h"
#include "held.h"
#include "last.h"
#include "raw_up.h"
#include "request.h"
#include "rpcsh.h"
#include "show.h"
#include "talk.h"
#include "target.h"
#include "trace.h"
#include "typed.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

const struct opt call_opts[] = {
	REQUEST_DATA_OPT,
	REQUEST_RAW_OPT,
	{ .name = "sendfile", .kind = OPT_TEXT, .flags = OPT_HIDDEN },
	{ .name = "output",
	    .letter = 'o',
	    .kind = OPT_CHOICE,
	    .meta = SHOW_FORMS,
	    .complete = COMPLETE_WORDS,
	    .about = "form of the reply" },
	{ .name = "out",
	    .kind = OPT_TEXT,
	    .meta = "FILE",
	    .complete = COMPLETE_FILE,
	    .about =
	        "write the reply, its text or its only binary field, there" },
	{ .name = "int-strings",
	    .about = "quote integers beyond 2^53 in JSON" },
	REQUEST_HEADER_OPTS,
	REQUEST_COUNT_OPT(1000000, "so often, up to the first that fails (1)"),
	REQUEST_INTERVAL_OPT,
	REQUEST_FOR_OPT("end a stream after so long"),
	{ .name = "stream",
	    .kind = OPT_CHOICE,
	    .meta = "up|down|both",
	    .complete = COMPLETE_WORDS,
	    .about = "the method streams so (-o ndjson: the server says how)" },
	{ .name = "one-way", .about = "send it and want no reply" },
	{ .name = "ignore-status",
	    .about = "exit 0 when the method itself failed" },
	{ .name = "time",
	    .letter = 't',
	    .about = "show how long each step took" },
	TRACE_OPTS,
	DRY_RUN_OPT,
	{ 0 },
};

/* Options that contradict one another; NULL: none do. */
static const char *
contradiction(const struct args *a)
{
	const char *form = args_text(a, "output", "json");
	const char *file = args_text(a, "out", NULL);
	bool one_way = args_flag(a, "one-way");

	if (file != NULL && file[0] == '\0')
		return "--out: the name of the file is empty";
	if (file != NULL && strcmp(form, "table") == 0)
		return "-o table is for people: no --out beside it";
	if (one_way &&
	    (args_given(a, "output") || file != NULL || args_flag(a, "trace")))
		return "--one-way has no reply for -o, --out or --trace";
	if (one_way && args_given(a, "count"))
		return "--one-way and -n exclude each other";
	if (one_way && args_flag(a, "dry-run"))
		return "--one-way and --dry-run exclude each other";
	if (!args_given(a, "json"))
		return NULL;
	if (file == NULL && strcmp(form, "json") != 0)
		return "--json and other forms than -o json exclude each other "
		       "without --out FILE";
	if (file != NULL && strcmp(file, "-") == 0)
		return "--json and --out - exclude each other";
	return NULL;
}

static enum rk_err
build(const struct args *a, const struct caller *by, struct request *q,
    struct rk_error *err)
{
	const char *wrong = contradiction(a);
	enum rk_err r;

	if (wrong != NULL)
		return err_set(err, RK_EINVAL, "%s", wrong);
	if ((r = request_head(a, q, err)) != RK_OK)
		return r;
	return request_build(a, by, q, err);
}

/* ---- the call ---- */

static struct show
how_to_show(const struct args *a, const struct out *o, bool raw)
{
	return (struct show){
		.out = o,
		.form = show_form_of(args_text(a, "output", NULL)),
		.raw = raw,
		.int_strings = args_flag(a, "int-strings"),
		.file = args_text(a, "out", NULL),
	};
}

static int
send_one_way(struct target *t, const struct out *o, struct request *q,
    struct rk_reply *reply)
{
	struct rk_error err = { 0 };
	enum rk_err r = rk_client_send(t->client, &q->req);

	*reply = (struct rk_reply){ .code = RK_OK };
	if (r == RK_OK && t->held != NULL)
		r = rk_client_flush(t->client, &err);
	else if (r == RK_OK)
		r = rk_client_finish(t->client, t->timeout, &err);
	if (r == RK_OK) {
		if (o->form == OUT_JSON)
			out_text(o, "{\"schema\":1,\"ok\":true}\n");
		return 0;
	}
	if (err.code == RK_OK)
		(void)err_set(&err, r, "%s", rk_err_text(r));
	return target_failed(t, o, &err, q->req.method);
}

/*
 * An answer that came when the time was over is too late, also when it is the
 * server's word that the time is over: who of the two is first is chance.
 */
static enum rk_err
judge_time(const struct target *t, const struct figures *f, enum rk_err r,
    struct rk_error *err)
{
	if (r != RK_EREMOTE || !target_is_late(t->timeout, f->call_us))
		return r;
	err->code = RK_ETIMEOUT;
	return RK_ETIMEOUT;
}

/* A method may fail and still have something to say. */
static int
remote_failed(struct target *t, const struct show *show,
    const struct rk_reply *reply, const struct rk_error *err, bool ignore)
{
	int status;

	if (reply->payload.len != 0 && show->out->form != OUT_JSON &&
	    (status = show_reply(show, reply->payload)) != 0)
		return status;
	status = target_failed(t, show->out, err, "");
	return ignore ? 0 : status;
}

static void
trace(const struct target *t, const struct request *q, const struct figures *f,
    const struct rk_header *hdr, struct trace *tr)
{
	const struct traced what = { .url = t->url,
		.method = q->req.method,
		.sent = f->sent,
		.got = f->got,
		.us = f->call_us,
		.code = f->reply.code,
		.hdr = hdr };

	trace_add(tr, &what);
}

/* Ask about a method with structs, and look at the names of its argument. */
static bool
check(struct target *t, const struct out *o, struct request *q, int *status)
{
	const struct rk_bytes arg = { q->payload, q->req.payload_len };

	rk_value_free(q->doc);
	q->doc = NULL;
	return q->raw ||
	       typed_may_call(t, o, q->req.method, &arg, 1, &q->doc, status);
}

/* The server has no such method, which was not called then: is it the end of
 * one name? */
static bool
is_short(struct target *t, const struct out *o, struct request *q)
{
	char shown[RK_NAME_MAX + 1];

	if (q->whole[0] != '\0' ||
	    !target_whole_name(t, q->req.method, q->whole))
		return false;
	out_note(o, "%s is %s here",
	    str_escape(shown, sizeof(shown), q->req.method), q->whole);
	q->req.method = q->whole;
	return true;
}

static int call(struct target *t, const struct args *a, const struct out *o,
    struct request *q, struct figures *f, struct trace *tr);

static int
call_whole(struct target *t, const struct args *a, const struct out *o,
    struct request *q, struct figures *f, struct trace *tr)
{
	int status = 0;

	rk_reply_free(&f->reply);
	f->reply = (struct rk_reply){ .code = RK_OK };
	return check(t, o, q, &status) ? call(t, a, o, q, f, tr) : status;
}

static int
call(struct target *t, const struct args *a, const struct out *o,
    struct request *q, struct figures *f, struct trace *tr)
{
	struct show show = how_to_show(a, o, q->raw);
	struct rk_error err;
	uint64_t begun = mono_us();
	enum rk_err r;

	r = target_call(t, &q->req, &f->reply, &err);
	f->call_us = mono_us() - begun;
	f->got = f->reply.payload.len;
	r = judge_time(t, f, r, &err);
	trace(t, q, f, trace_header(&f->reply), tr);
	if (r == RK_OK)
		return typed_show_reply(&show, q->doc, f->reply.payload);
	if (r == RK_ENOMETHOD && is_short(t, o, q))
		return call_whole(t, a, o, q, f, tr);
	if (r == RK_ENOMETHOD)
		return target_no_method(t, o, q->req.method);
	if (r == RK_EREMOTE)
		return remote_failed(
		    t, &show, &f->reply, &err, args_flag(a, "ignore-status"));
	return target_failed(t, o, &err, q->req.method);
}

/* The answer stands before its figures. */
static int
show_time(const struct caller *by, const struct args *a, const struct out *o,
    const struct figures *f, int status)
{
	bool all = args_flag(a, "time");
	bool brief = by != NULL && by->times && trace_header(&f->reply) != NULL;

	if (!all && !brief)
		return status;
	if (out_flush(o) != RK_OK && status == 0)
		status = rk_err_exit(RK_EIO);
	if (all)
		figures_time(o, f);
	else
		figures_brief(o, f);
	return status;
}

static int
exchange(struct target *t, const struct caller *by, const struct args *a,
    const struct out *o, struct request *q, struct trace *tr)
{
	struct figures f = { .client = t->client, .sent = q->req.payload_len };
	const struct rk_peer *peer = rk_client_peer(t->client);
	uint64_t begun = mono_us();
	int status;

	if (peer != NULL)
		f.peer = *peer;
	if (args_flag(a, "one-way")) {
		status = send_one_way(t, o, q, &f.reply);
		f.call_us = mono_us() - begun;
		trace(t, q, &f, NULL, tr);
	} else {
		status = call(t, a, o, q, &f, tr);
	}
	status = show_time(by, a, o, &f, status);
	if (by != NULL && by->last != NULL && trace_header(&f.reply) != NULL)
		last_keep(by->last, f.reply.payload, q->raw, q->doc);
	rk_reply_free(&f.reply);
	return status;
}

/* Once, or as often as was asked for. */
static int
exchange_all(struct target *t, const struct caller *by, const struct args *a,
    const struct out *o, struct request *q, struct trace *tr)
{
	uint64_t n = args_number(a, "count", 1);
	uint64_t ms = args_number(a, "interval", 1000);
	int status = exchange(t, by, a, o, q, tr);

	for (uint64_t i = 1; status == 0 && i < n; i++) {
		/* Whoever watches sees them come. */
		if (out_flush(o) != RK_OK)
			return rk_err_exit(RK_EIO);
		target_wait(t, ms);
		if (held_interrupted())
			return held_canceled();
		status = exchange(t, by, a, o, q, tr);
	}
	return status;
}

/* The method may be one that streams; its input is not read before that is
 * known. */
static int
stream_or_call(struct target *t, const struct caller *by, const struct args *a,
    const struct out *o, struct request *q, struct trace *tr)
{
	struct show show = how_to_show(a, o, args_given(a, "raw"));
	struct rk_error err = { 0 };
	bool large = false;
	int status = 0;

	if (talk_is_wanted(a) &&
	    (talk_call(t, by, a, &show, q, tr, &status) || status != 0))
		return status;
	if (talk_is_wanted(a) && talk_has_input(a)) {
		if (raw_is_upload(a, by, q, &large, &err) != RK_OK)
			return request_failed(o, &err, "rpcsh call -h");
		if (large)
			return raw_upload(t, a, by, q, &show);
		if (build(a, by, q, &err) != RK_OK)
			return request_failed(o, &err, "rpcsh call -h");
	}
	if (args_given(a, "for"))
		return out_fail(o, RK_EINVAL,
		    "--for is of a stream, which this is not", "rpcsh call -h");
	if (t->timeout_given)
		q->req.timeout = t->timeout;
	return check(t, o, q, &status) ? exchange_all(t, by, a, o, q, tr)
	                               : status;
}

static int
connect_and_call(const struct caller *by, const struct args *a,
    const struct out *o, struct request *q)
{
	struct rk_error err = { 0 };
	struct target own, *t;
	struct trace tr;
	int status = 0;
	size_t n;

	if (trace_open(&tr, a, o, &err) != RK_OK)
		return request_failed(o, &err, "rpcsh call -h");
	if ((t = target_use(&own, by, a, o, &status)) != NULL) {
		if (target_connect(t, o, &status) &&
		    confirm_call(t, o, args_operands(a, &n)[0], &status))
			status = stream_or_call(t, by, a, o, q, &tr);
		target_done(t, by);
	}
	return trace_close(&tr, status);
}

/* Is its input parts of a stream, perhaps? */
static bool
reads_later(const struct args *a)
{
	return talk_is_wanted(a) && talk_has_input(a) &&
	       !args_flag(a, "dry-run") && contradiction(a) == NULL;
}

int
cmd_call(struct args *a, void *ctx)
{
	struct rk_error err = { 0 };
	struct request q = { 0 };
	struct out o;
	bool large = false;
	int status = 0;

	out_init(&o, a);
	if (contradiction(a) == NULL && !talk_is_wanted(a) &&
	    raw_is_upload(a, ctx, &q, &large, &err) != RK_OK) {
		status = request_failed(&o, &err, "rpcsh call -h");
	} else if (large) {
		struct show show = how_to_show(a, &o, true);

		status = raw_upload(NULL, a, ctx, &q, &show);
	} else if (contradiction(a) == NULL && talk_is_dry(a)) {
		struct show show = how_to_show(a, &o, args_given(a, "raw"));

		status = talk_dry(ctx, a, &show, &q);
	} else if (!reads_later(a) && build(a, ctx, &q, &err) != RK_OK) {
		status = request_failed(&o, &err, "rpcsh call -h");
	} else if (args_flag(a, "dry-run")) {
		struct show show = how_to_show(a, &o, q.raw);

		status = dry_show(&show, q.req.method,
		    (struct rk_bytes){ q.payload, q.req.payload_len });
	} else {
		status = connect_and_call(ctx, a, &o, &q);
	}
	if (q.payload != NULL)
		rk_wipe(q.payload, q.req.payload_len);
	free(q.payload);
	if (q.given != NULL)
		rk_wipe(q.given, q.given_len);
	free(q.given);
	rk_value_free(q.doc);
	return status;
}
