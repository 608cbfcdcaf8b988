/* What put and get share: arguments, the stream, and how it went. */
#include "transfer.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "confirm.h"
#include "held.h"
#include "patience.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

/* ---- arguments ---- */

static void
add(struct transfer *x, struct rk_str key, struct rk_str value)
{
	size_t i = 0;

	while (i < x->n_args &&
	       (x->args[i].key.len != key.len ||
	           memcmp(x->args[i].key.ptr, key.ptr, key.len) != 0))
		i++;
	x->args[i] = (struct rk_arg){ key, value };
	if (i == x->n_args)
		x->n_args++;
}

void
transfer_arg(struct transfer *x, const char *key, const char *value)
{
	add(x, (struct rk_str){ key, strlen(key) },
	    (struct rk_str){ value, strlen(value) });
}

void
transfer_word(struct transfer *x, const char *word, const char *eq)
{
	add(x, (struct rk_str){ word, (size_t)(eq - word) },
	    (struct rk_str){ eq + 1, strlen(eq + 1) });
}

static enum rk_err
add_word(struct transfer *x, const char *word)
{
	const char *eq = strchr(word, '=');
	char shown[128];

	if (eq == NULL || eq == word)
		return err_set(&x->err, RK_EINVAL,
		    "\"%s\": not of the form "
		    "K=V",
		    str_escape(shown, sizeof(shown), word));
	if (x->n_args >= TRANSFER_ARGS)
		return err_set(
		    &x->err, RK_EINVAL, "at most %d arguments", TRANSFER_ARGS);
	transfer_word(x, word, eq);
	return RK_OK;
}

enum rk_err
transfer_init(struct transfer *x, const struct args *a, const struct caller *by)
{
	const char *const *words;
	enum rk_err r = RK_OK;
	size_t n, len;

	*x = (struct transfer){ .a = a, .by = by, .trace = { .fd = -1 } };
	out_init(&x->o, a);
	words = args_operands(a, &n);
	x->method = words[0];
	len = strlen(x->method);
	if (len == 0 || len > RK_NAME_MAX)
		return err_set(&x->err, RK_EINVAL,
		    "method: a name has 1 to %d bytes", RK_NAME_MAX);
	if ((r = progress_check(a, &x->o, &x->err)) != RK_OK)
		return r;
	words = args_list(a, "arg", &n);
	for (size_t i = 0; r == RK_OK && i < n; i++)
		r = add_word(x, words[i]);
	if (r == RK_OK && !args_flag(a, "dry-run"))
		r = trace_open(&x->trace, a, &x->o, &x->err);
	return r;
}

bool
transfer_has(const struct rk_args *args, const char *key)
{
	struct rk_str v;

	return rk_args_get(args, key, &v);
}

bool
transfer_is(const struct rk_args *args, const char *key, const char *value)
{
	struct rk_str v;

	return rk_args_get(args, key, &v) && v.len == strlen(value) &&
	       memcmp(v.ptr, value, v.len) == 0;
}

bool
transfer_number(const struct rk_part *part, const char *key, uint64_t *out)
{
	char text[TRANSFER_NUMBER_LEN];
	struct rk_str v;

	*out = 0;
	if (!rk_args_get(&part->hdr->args, key, &v) || v.len >= sizeof(text))
		return false;
	memcpy(text, v.ptr, v.len);
	text[v.len] = '\0';
	return strlen(text) == v.len &&
	       str_parse_u64(text, 0, INT64_MAX, out) == RK_OK;
}

/* ---- the stream ---- */

enum rk_err
transfer_local(
    struct transfer *x, enum rk_err code, int errnum, const char *fmt, ...)
{
	char text[RK_ERROR_TEXT_LEN];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	x->local = true;
	return errnum != 0 ? err_sys(&x->err, code, errnum, "%s", text)
	                   : err_set(&x->err, code, "%s", text);
}

static void
done(struct transfer *x)
{
	if (x->given == NULL)
		target_done(x->t, x->by);
}

/* To a server that may be asked for that. */
static bool
reach(struct transfer *x, enum rk_stream_kind kind, int *status)
{
	if ((x->t = x->given) != NULL)
		return true;
	x->t = target_use(&x->own, x->by, x->a, &x->o, status);
	if (x->t == NULL)
		return false;
	/* What is only fetched changes nothing. */
	if (target_connect(x->t, &x->o, status) &&
	    (kind == RK_STREAM_DOWN ||
	        confirm_call(x->t, &x->o, x->method, status)))
		return true;
	done(x);
	return false;
}

/* ---- while the library waits ---- */

static void
on_interrupt(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct transfer *x = arg;

	(void)fd;
	(void)ready;
	if (x->s != NULL)
		rk_stream_cancel(x->s);
	/* What it is for is done; the mark stays for transfer_goes_on(). */
	rk_watch_free(w);
	x->heard = NULL;
}

static void
set_quiet(struct transfer *x)
{
	int ms = patience_ms(x->t);

	if (ms >= 0 &&
	    rk_timer_set(x->quiet,
	        rk_loop_now(rk_stream_loop(x->s)) + (uint64_t)ms) != RK_OK) {
		/* Then nothing is said. */
	}
}

static void
on_quiet(struct rk_timer *timer, void *arg)
{
	struct transfer *x = arg;

	(void)timer;
	/* The bar shows as much. */
	if (x->s == NULL || x->bar.shown)
		return;
	patience_look(x->t, true);
	set_quiet(x);
}

/* Without either it goes on all the same. */
static void
look_out(struct transfer *x)
{
	struct rk_loop *loop = rk_stream_loop(x->s);
	int fd = held_interrupt_fd();

	patience_begin(x->t);
	if (fd < 0 || rk_watch_new(loop, fd, RK_READ, on_interrupt, x,
	                  &x->heard) != RK_OK)
		x->heard = NULL;
	if (rk_timer_new(loop, on_quiet, x, &x->quiet) == RK_OK)
		set_quiet(x);
	else
		x->quiet = NULL;
}

static void
look_away(struct transfer *x)
{
	rk_watch_free(x->heard);
	rk_timer_free(x->quiet);
	x->heard = NULL;
	x->quiet = NULL;
}

bool
transfer_open(struct transfer *x, enum rk_stream_kind kind, int *status)
{
	struct rk_request req = {
		.method = x->method, .args = x->args, .n_args = x->n_args
	};
	enum rk_err r;

	if (!reach(x, kind, status))
		return false;
	/* A limit of calls is none of files, unless it is meant so. */
	if (args_given(x->a, "timeout") && !args_from_env(x->a, "timeout"))
		x->timeout = x->t->timeout == RK_NEVER ? 0 : x->t->timeout;
	req.timeout = x->timeout;
	x->begun_us = mono_us();
	x->up = kind != RK_STREAM_DOWN;
	r = rk_client_stream(x->t->client, kind, &req, NULL, NULL, &x->s);
	if (r == RK_OK) {
		look_out(x);
		return true;
	}
	if (x->t->ended.code != RK_OK)
		x->err = x->t->ended;
	else
		(void)err_set(&x->err, r, "%s", rk_err_text(r));
	*status = target_failed(x->t, &x->o, &x->err, x->method);
	done(x);
	return false;
}

enum rk_err
transfer_goes_on(struct transfer *x)
{
	if (!held_interrupted())
		return RK_OK;
	(void)held_canceled();
	return transfer_local(x, RK_ECANCELED, 0, "canceled");
}

enum rk_err
transfer_breathe(struct transfer *x)
{
	enum rk_err r = rk_client_process(x->t->client);

	return r == RK_OK ? transfer_goes_on(x) : r;
}

/* ---- time ---- */

/* Milliseconds left, -1: no limit. */
static int
time_left(const struct transfer *x)
{
	uint64_t took = (mono_us() - x->begun_us) / 1000;

	if (x->timeout == 0)
		return -1;
	if (took >= x->timeout)
		return 0;
	return x->timeout - took < 1000 ? (int)(x->timeout - took) : 1000;
}

static enum rk_err
late(struct transfer *x)
{
	char name[RK_NAME_MAX + 1];

	return transfer_local(x, RK_ETIMEOUT, 0,
	    "%s: not over after %" PRIu64 ".%03" PRIu64 " s",
	    str_escape(name, sizeof(name), x->method), x->timeout / 1000,
	    x->timeout % 1000);
}

/* Whether the server's word or our own clock came first is chance. */
static bool
is_late(const struct transfer *x, enum rk_err ended)
{
	uint64_t took = mono_us() - x->begun_us;

	if (x->timeout == 0 || (ended != RK_ETIMEOUT && ended != RK_EREMOTE))
		return false;
	return target_is_late(x->timeout, took);
}

enum rk_err
transfer_wait(struct transfer *x, int fd, short what)
{
	struct rk_client *c = x->t->client;
	struct pollfd p[2] = {
		{ .fd = fd, .events = what },
		{ .fd = rk_client_fd(c), .events = POLLIN },
	};
	enum rk_err r;

	for (;;) {
		p[0].revents = 0;
		if (poll(p, 2,
		        patience_sooner(rk_client_wait_ms(c), time_left(x))) <
		        0 &&
		    errno != EINTR)
			return transfer_local(x, RK_EIO, errno, "cannot wait");
		if ((r = transfer_breathe(x)) != RK_OK)
			return r;
		if (p[0].revents != 0)
			return RK_OK;
		if (time_left(x) == 0)
			return late(x);
		if (what == POLLIN && rk_stream_time_left(x->s) == 0)
			return RK_ECLOSED;
	}
}

/* ---- the end ---- */

static void
trace(struct transfer *x, enum rk_err ended)
{
	size_t len = x->bytes > x->from ? (size_t)(x->bytes - x->from) : 0;
	const struct traced what = { .url = x->t->url,
		.method = x->method,
		.sent = x->up ? len : 0,
		.got = (x->up ? 0 : len) + x->reply.payload.len,
		.us = mono_us() - x->begun_us,
		.code = ended,
		.hdr = trace_header(&x->reply) };

	trace_add(&x->trace, &what);
}

enum rk_err
transfer_finish(struct transfer *x, enum rk_err r)
{
	struct rk_error err = { .code = RK_OK };
	enum rk_err ended;

	if (x->local)
		rk_stream_cancel(x->s);
	ended = rk_stream_finish(x->s, &x->reply, &err);
	x->s = NULL;
	look_away(x);
	progress_end(&x->bar);
	trace(x, ended);
	if (trace_header(&x->reply) != NULL)
		x->t->answered = true;
	if (x->local)
		return r;
	if (ended == RK_ECANCELED && held_interrupted())
		return transfer_goes_on(x);
	if (is_late(x, ended))
		return late(x);
	if (ended == RK_OK && r != RK_OK)
		return transfer_local(x, RK_EPROTO, 0,
		    "the server ended the transfer before its end");
	x->err = err;
	if (ended != RK_OK && err.text[0] == '\0')
		(void)err_set(&x->err, ended, "%s", rk_err_text(ended));
	return ended;
}

/* ---- how it went ---- */

static int
tell_json(struct transfer *x, const char *file)
{
	enum rk_err r;
	struct buf b;
	int status = 0;

	buf_init(&b, SIZE_MAX / 2);
	if ((r = buf_put_str(&b, "{\"schema\":1,\"ok\":true,\"file\":")) ==
	        RK_OK &&
	    (r = out_json_string(&b, file, strlen(file))) == RK_OK)
		r = buf_printf(&b,
		    ",\"bytes\":%" PRIu64 ",\"resumed_at\":%" PRIu64
		    ",\"blake2b\":\"%s\"}\n",
		    x->bytes, x->from, x->sum);
	if (r == RK_OK)
		out_bytes(&x->o, buf_peek(&b), buf_len(&b));
	else
		status = out_fail(&x->o, r, rk_err_text(r), NULL);
	buf_fini(&b);
	return status;
}

int
transfer_result(
    struct transfer *x, enum rk_err r, const char *verb, const char *file)
{
	char shown[256], on[64] = "";

	if (r != RK_OK && x->local)
		return out_error(&x->o, &x->err,
		    r == RK_EEXIST ? "--force takes its place" : NULL);
	if (r == RK_ENOMETHOD)
		return target_no_method(x->t, &x->o, x->method);
	if (r != RK_OK)
		return target_failed(x->t, &x->o, &x->err, x->method);
	if (x->o.form == OUT_JSON)
		return tell_json(x, file);
	if (x->from > 0)
		(void)snprintf(
		    on, sizeof(on), ", continued at %" PRIu64, x->from);
	out_note(&x->o, "%s %s (%" PRIu64 " bytes%s)", verb,
	    str_escape(shown, sizeof(shown), file), x->bytes, on);
	return 0;
}

void
transfer_close(struct transfer *x)
{
	rk_reply_free(&x->reply);
	done(x);
}
