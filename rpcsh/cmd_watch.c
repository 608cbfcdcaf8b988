/* rpcsh watch: what a server pushes, or what a call answers, as it comes. */
#include "base/clock.h"
#include "base/error.h"
#include "dry.h"
#include "patience.h"
#include "push_show.h"
#include "rpcsh.h"
#include "watch.h"

#include <rpckit/push.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct opt watch_opts[] = {
	{ .name = "every",
	    .kind = OPT_DURATION,
	    .meta = "TIME",
	    .max = REQUEST_INTERVAL_MAX,
	    .about = "call METHOD so often, and mark what changed" },
	REQUEST_COUNT_OPT(1000000000, "end after so many pushes or answers"),
	REQUEST_FOR_OPT("end after so long"),
	REQUEST_DATA_OPT,
	REQUEST_RAW_OPT,
	REQUEST_HEADER_OPTS,
	TRACE_OPTS,
	DRY_RUN_OPT,
	{ 0 },
};

bool
watch_is_over(const struct watch *w)
{
	return w->over || held_interrupted() ||
	       (w->count != 0 && w->seen >= w->count) ||
	       (w->until != 0 && mono_us() >= w->until);
}

void
watch_wait(struct watch *w, uint64_t until)
{
	int ms = held_wait_ms(&w->held);
	uint64_t now = mono_us(), left = UINT64_MAX;
	struct timespec ts;

	if (w->until != 0 && (until == 0 || w->until < until))
		until = w->until;
	if (until != 0)
		left = until > now ? until - now : 0;
	if (ms >= 0 && (uint64_t)ms * 1000 < left)
		left = (uint64_t)ms * 1000;
	ts = (struct timespec){ .tv_sec = (time_t)(left / 1000000),
		.tv_nsec = (long)(left % 1000000) * 1000 };
	held_wait_fd(held_fd(&w->held), left == UINT64_MAX ? NULL : &ts);
	held_idle(&w->held);
}

/* ---- pushes ---- */

static void
on_any(const struct rk_header *hdr, struct rk_bytes payload, void *arg)
{
	struct watch *w = arg;
	const struct traced what = {
		.url = w->held.t.url, .got = payload.len, .hdr = hdr
	};
	bool json = w->o.form == OUT_JSON || isatty(STDOUT_FILENO) != 1;
	enum rk_err r;
	struct buf b;

	if (watch_is_over(w))
		return;
	w->seen++;
	trace_add(&w->trace, &what);
	buf_init(&b, SIZE_MAX / 2);
	if ((r = push_put(&b, &w->o, json, hdr, payload)) == RK_OK)
		out_bytes(&w->o, buf_peek(&b), buf_len(&b));
	else
		out_warn(&w->o, "a push cannot be shown: %s", rk_err_text(r));
	buf_fini(&b);
	/* Whoever reads them sees each as it comes. */
	if (out_flush(&w->o) != RK_OK) {
		w->status = rk_err_exit(RK_EIO);
		w->over = true;
	}
}

static void
on_push(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	(void)c;
	on_any(hdr, payload, arg);
}

static void
on_announced(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct watch *w = arg;
	char remote[RK_ERROR_TEXT_LEN / 2], text[RK_ERROR_TEXT_LEN];

	(void)c;
	w->held.t.answered |= reply->code == RK_OK ||
	                      reply->code == RK_EREMOTE ||
	                      reply->code == RK_ENOMETHOD;
	/* Of a connection that was lost: the next one asks again. */
	if (reply->code != RK_EREMOTE && reply->code != RK_ENOMETHOD)
		return;
	(void)snprintf(text, sizeof(text),
	    "the server does not take the subscription: %s",
	    reply->code == RK_EREMOTE
	        ? rk_escape(remote, sizeof(remote), reply->remote_error.ptr,
	              reply->remote_error.len)
	        : rk_err_text(reply->code));
	w->status = out_fail(&w->o, reply->code, text, NULL);
	w->over = true;
}

/* All pushes, or those of these subjects. */
static int
watch_pushes(struct watch *w, const char *const *subjects, size_t n)
{
	struct rk_subscription sub = { .announce = true,
		.fn = on_push,
		.announced = on_announced,
		.arg = w };
	enum rk_err r = RK_OK;

	patience_begin(&w->held.t);
	for (size_t i = 0; r == RK_OK && i < n; i++) {
		sub.subject = subjects[i];
		r = rk_client_subscribe(w->held.t.client, &sub, NULL);
	}
	if (r != RK_OK)
		return out_fail(&w->o, r, rk_err_text(r), NULL);
	while (!watch_is_over(w)) {
		watch_wait(w, 0);
		/* What is not tried again has been said. */
		if (!held_is_up(&w->held) && !w->held.dials &&
		    !w->held.redials) {
			w->status = rk_err_exit(w->held.t.ended.code);
			w->over = true;
		}
	}
	return w->status;
}

static enum rk_err
check_subjects(const char *const *subjects, size_t n, struct rk_error *err)
{
	if (n > RK_SUBSCRIPTIONS_MAX)
		return err_set(err, RK_EINVAL, "at most %d subjects",
		    RK_SUBSCRIPTIONS_MAX);
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(subjects[i]);

		if (len == 0 || len > RK_TOPIC_MAX)
			return err_set(err, RK_EINVAL,
			    "subject: it has 1 to %d bytes", RK_TOPIC_MAX);
	}
	return RK_OK;
}

/* ---- what is watched ---- */

static enum rk_err
check(const struct args *a, const struct caller *by, struct request *q,
    struct rk_error *err)
{
	static const char *const calls[] = { "data", "raw", "subject", "arg",
		"dry-run" };
	size_t n;
	const char *const *words = args_operands(a, &n);
	enum rk_err r;

	if (args_given(a, "every")) {
		if (n == 0)
			return err_set(err, RK_EINVAL, "--every: no method");
		if ((r = request_head(a, q, err)) != RK_OK)
			return r;
		return request_build(a, by, q, err);
	}
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (args_given(a, calls[i]))
			return err_set(err, RK_EINVAL,
			    "--%s is of a call: --every TIME makes them",
			    calls[i]);
	}
	return check_subjects(words, n, err);
}

static int
watch(struct watch *w, struct request *q)
{
	uint64_t every = args_number(w->a, "every", 0) * 1000;
	uint64_t ms = args_number(w->a, "for", 0);
	size_t n;
	const char *const *words = args_operands(w->a, &n);
	int status = 0;

	w->count = args_number(w->a, "count", 0);
	if (args_given(w->a, "for"))
		w->until = mono_us() + ms * 1000;
	w->held.arg = w;
	if (n == 0)
		w->held.pushed = on_any;
	if (!target_hold(&w->held, w->a, &w->o, &status))
		return status;
	if (!target_connect(&w->held.t, &w->o, &status))
		return status;
	if (args_given(w->a, "every"))
		return watch_call(w, q, every);
	return watch_pushes(w, words, n);
}

static int
watch_alone(struct watch *w, struct request *q)
{
	struct rk_error err = { 0 };
	struct sigaction before;
	int status;

	if (trace_open(&w->trace, w->a, &w->o, &err) != RK_OK)
		return request_failed(&w->o, &err, "rpcsh watch -h");
	held_hear_interrupt(&before);
	status = watch(w, q);
	if (held_interrupted())
		status = held_canceled();
	held_close(&w->held);
	held_unhear_interrupt(&before);
	return trace_close(&w->trace, status);
}

int
cmd_watch(struct args *a, void *ctx)
{
	struct watch w = { .a = a };
	struct rk_error err = { 0 };
	struct request q = { 0 };
	int status;

	out_init(&w.o, a);
	if (check(a, ctx, &q, &err) != RK_OK) {
		status = request_failed(&w.o, &err, "rpcsh watch -h");
	} else if (args_flag(a, "dry-run")) {
		status = dry_call(&w.o, &q);
	} else {
		status = watch_alone(&w, &q);
	}
	if (q.payload != NULL)
		rk_wipe(q.payload, q.req.payload_len);
	free(q.payload);
	rk_value_free(q.doc);
	return status;
}
