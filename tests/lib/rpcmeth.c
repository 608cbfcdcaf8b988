/* The methods of the test server, and what they saw. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpcrig.h"

static void
note(struct rpcrig *r, unsigned *what)
{
	(void)pthread_mutex_lock(&r->lock);
	(*what)++;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->lock);
}

static void
echo(struct rk_call *call, void *arg)
{
	struct rpcrig *r = arg;
	struct rk_bytes p = rk_call_payload(call);

	note(r, &r->handled);
	(void)rk_call_reply(call, p.ptr, p.len);
}

static void
text_of(struct rk_bytes p, char *dst, size_t cap)
{
	size_t n = p.len < cap ? p.len : cap - 1;

	if (n > 0)
		memcpy(dst, p.ptr, n);
	dst[n] = '\0';
}

static void
fail_plain(struct rk_call *call, void *arg)
{
	char text[8192];

	(void)arg;
	text_of(rk_call_payload(call), text, sizeof(text));
	(void)rk_call_fail(call, text, NULL, 0);
}

static void
fail_more(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);
	char text[512];

	(void)arg;
	text_of(p, text, sizeof(text));
	(void)rk_call_fail(call, text, p.ptr, p.len);
}

static void
nothing(struct rk_call *call, void *arg)
{
	struct rpcrig *r = arg;

	(void)call;
	note(r, &r->handled);
}

static void
sink(struct rk_call *call, void *arg)
{
	struct rpcrig *r = arg;

	(void)pthread_mutex_lock(&r->lock);
	r->sunk++;
	r->sunk_bytes += rk_call_payload(call).len;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->lock);
	(void)rk_call_reply(call, NULL, 0);
}

static void
big(struct rk_call *call, void *arg)
{
	char text[32];
	size_t n;

	(void)arg;
	text_of(rk_call_payload(call), text, sizeof(text));
	n = (size_t)strtoul(text, NULL, 10);
	if (n > sizeof(rpcrig_bytes))
		n = sizeof(rpcrig_bytes);
	(void)rk_call_reply(call, rpcrig_bytes, n);
}

static void
who(struct rk_call *call, void *arg)
{
	const struct rk_peer *p = rk_call_peer(call);
	char text[512];
	int n;

	(void)arg;
	n = snprintf(text, sizeof(text), "%s %s %s %s %s", p->transport,
	    p->proven ? "proven" : "unproven", p->resumed ? "resumed" : "fresh",
	    p->cert.email[0] == '\0' ? "-" : p->cert.email,
	    p->cert.fp[0] == '\0' ? "-" : p->cert.fp);
	(void)rk_call_reply(call, text, (size_t)n);
}

static int
put_args(char *dst, size_t cap, const struct rk_args *args)
{
	struct rk_arg a;
	size_t at = 0;
	int n = 0;

	while (rk_args_next(args, &at, &a) && (size_t)n < cap)
		n += snprintf(dst + n, cap - (size_t)n, "%.*s=%.*s;",
		    (int)a.key.len, a.key.ptr, (int)a.value.len, a.value.ptr);
	return n;
}

static void
head(struct rk_call *call, void *arg)
{
	const struct rk_header *h = rk_call_header(call);
	uint64_t left = rk_call_time_left(call);
	char text[1024];
	int n;

	(void)arg;
	n = put_args(text, sizeof(text) / 2, &h->args);
	n += snprintf(text + n, sizeof(text) - (size_t)n,
	    " subject=%.*s service=%.*s created=%d from=%.*s to=%.*s "
	    "serial=%" PRId64 " deadline=%d left=%s oneway=%d id=%zu",
	    (int)h->subject.len, h->subject.ptr, (int)h->to_service.len,
	    h->to_service.ptr, h->created.is_set, (int)h->from.len, h->from.ptr,
	    (int)h->to.len, h->to.ptr, h->serial, h->deadline.is_set,
	    left == RK_NEVER ? "never"
	    : left > 20000   ? "much"
	    : left > 0       ? "some"
	                     : "none",
	    rk_call_is_oneway(call), h->call_id.len);
	(void)rk_call_reply(call, text, (size_t)n);
}

static bool
may(const struct rk_peer *peer, void *arg)
{
	struct rpcrig *r = arg;
	bool yes;

	(void)peer;
	(void)pthread_mutex_lock(&r->lock);
	yes = r->allowed;
	(void)pthread_mutex_unlock(&r->lock);
	return yes;
}

/* ---- deferred: answered from another thread ---- */

static void
on_hold_canceled(uint64_t id, enum rk_cancel_why why, void *arg)
{
	struct rpcrig *r = arg;

	(void)pthread_mutex_lock(&r->lock);
	for (unsigned i = 0; i < r->n_held; i++) {
		if (r->held[i].id == id) {
			r->held[i].canceled = true;
			r->held[i].why = why;
			r->held[i].canceled_us = rpcrig_wall_us();
		}
	}
	r->n_canceled++;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->lock);
}

static void
hold(struct rk_call *call, void *arg)
{
	struct rpcrig *r = arg;
	uint64_t id;

	rk_call_on_cancel(call, on_hold_canceled, r);
	id = rk_call_defer(call);
	(void)pthread_mutex_lock(&r->lock);
	if (id != 0 && r->n_held < RPCRIG_HELD)
		r->held[r->n_held++].id = id;
	(void)pthread_cond_broadcast(&r->changed);
	(void)pthread_mutex_unlock(&r->lock);
}

/* ---- deferred: answered by pointer, on the loop ---- */

struct parked {
	struct parked *next;
	struct rk_call *call;
	uint64_t id;
};
static _Thread_local struct parked *parking;

void
rpcrig_forget_parked(void)
{
	struct parked *p;

	while ((p = parking) != NULL) {
		parking = p->next;
		free(p);
	}
}

/* Answers while the server is telling: legal, and a trap. */
static void
on_park_canceled(uint64_t id, enum rk_cancel_why why, void *arg)
{
	struct rpcrig *r = arg;

	(void)why;
	for (struct parked **at = &parking; *at != NULL; at = &(*at)->next) {
		struct parked *p = *at;

		if (p->id != id)
			continue;
		*at = p->next;
		(void)rk_call_fail(p->call, "canceled", NULL, 0);
		free(p);
		break;
	}
	note(r, &r->park_canceled);
}

static void
park(struct rk_call *call, void *arg)
{
	struct rpcrig *r = arg;
	struct parked *p = malloc(sizeof(*p));

	if (p == NULL)
		return;
	rk_call_on_cancel(call, on_park_canceled, r);
	*p = (struct parked){ parking, call, rk_call_defer(call) };
	parking = p;
	note(r, &r->parked);
}

static void
release(struct rk_call *call, void *arg)
{
	struct parked *p;
	char text[32];
	unsigned n = 0;
	int len;

	(void)arg;
	while ((p = parking) != NULL) {
		parking = p->next;
		len = snprintf(text, sizeof(text), "%u", n++);
		(void)rk_call_reply(p->call, text, (size_t)len);
		free(p);
	}
	(void)rk_call_reply(call, NULL, 0);
}

/* ---- pushes ---- */

static void
conn(struct rk_call *call, void *arg)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%" PRIu64, rk_call_conn_id(call));

	(void)arg;
	(void)rk_call_reply(call, text, (size_t)n);
}

static void
nudge(struct rk_call *call, void *arg)
{
	struct rk_push_target to = { .to = RK_PUSH_CONN,
		.conn = rk_call_conn_id(call) };
	struct rk_bytes p = rk_call_payload(call);
	struct rk_push push = {
		.subject = "nudge", .payload = p.ptr, .payload_len = p.len
	};
	enum rk_err r =
	    rk_server_push(rk_call_server(call), &to, &push, NULL, NULL);

	(void)arg;
	if (r != RK_OK)
		(void)rk_call_fail(call, rk_err_text(r), NULL, 0);
}

size_t
rpcrig_methods(struct rpcrig *r, const struct rk_method **list)
{
	static struct rk_method all[] = {
		{ .name = "echo", .about = "the same back", .fn = echo },
		{ .name = "customEcho", .fn = echo }, /* as in captures */
		{ .name = "fail", .fn = fail_plain },
		{ .name = "failmore", .fn = fail_more },
		{ .name = "nothing", .fn = nothing },
		{ .name = "sink", .fn = sink },
		{ .name = "big", .fn = big },
		{ .name = "who", .fn = who },
		{ .name = "head", .fn = head },
		{ .name = "guarded", .fn = echo, .allow = may },
		{ .name = "hold", .fn = hold },
		{ .name = "park", .fn = park },
		{ .name = "release", .fn = release },
		{ .name = "conn", .fn = conn },
		{ .name = "nudge", .fn = nudge },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		all[i].arg = r;
	*list = all;
	return sizeof(all) / sizeof(all[0]);
}
