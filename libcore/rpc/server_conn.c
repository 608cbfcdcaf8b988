/* One peer of a server: its messages, its running calls, its end. */
#include "base/container.h"
#include "base/error.h"
#include "base/str.h"
#include "rpc/server_int.h"

#include <stdio.h>
#include <stdlib.h>

static void
tell(const struct worker *w, struct mail *m)
{
	mailbox_put(w->server->workers[0].box, m);
}

/* ---- the end ---- */

static void
free_conn(struct server_conn *c)
{
	TAILQ_REMOVE(&c->worker->conns, c, link);
	streams_fini(&c->streams);
	rk_timer_free(c->timer);
	free(c->peer_copy);
	free(c->took);
	free(c->overtaken);
	free(c);
}

/* Calls outlive their connection until they are answered; who called is
 * asked for until then. */
static void
keep_peer(struct server_conn *c)
{
	static const struct rk_peer nobody = { .transport = "gone" };

	c->peer_copy = malloc(sizeof(*c->peer_copy));
	if (c->peer_copy == NULL) {
		c->peer = &nobody;
		return;
	}
	*c->peer_copy = *c->peer;
	c->peer = c->peer_copy;
}

static void
cancel_all(struct server_conn *c, enum rk_cancel_why why)
{
	struct rk_call *call = TAILQ_LAST(&c->running, call_list);

	/* A cancel callback may answer, which takes the call out: start over
	 * after each one that was told.  The newest comes first: one that waits
	 * for a thread must not get that of an older one. */
	while (call != NULL) {
		if (call->canceled) {
			call = TAILQ_PREV(call, call_list, link);
			continue;
		}
		call_cancel(call, why);
		call = TAILQ_LAST(&c->running, call_list);
	}
}

/*
 * The session and its connection are freed by now: what they were made with
 * may go.
 */
static void
on_gone(struct loop_hook *h)
{
	struct server_conn *c = container_of(h, struct server_conn, gone);

	tell(c->worker, &c->admission->closed);
	c->admission = NULL; /* loop 0's */
	c->n_running--;
	if (c->n_running == 0)
		free_conn(c);
}

static void
on_closed(struct session *s, const struct rk_error *why, void *arg)
{
	struct server_conn *c = arg;
	uint64_t in, out;

	conn_moved(session_conn(s), &in, &out);
	c->worker->bytes_in += in;
	c->worker->bytes_out += out;
	c->n_running++; /* hold the struct, until on_gone() */
	c->admission->why = *why;
	c->admission->put_out = session_was_put_out(s);
	keep_peer(c);
	c->session = NULL;
	streams_closed(&c->streams);
	push_conn_closed(c);
	cancel_all(c, RK_CANCEL_CLOSED);
	loop_hook_queue(c->worker->loop, &c->gone);
}

/* ---- deadlines ---- */

/* Whoever connects and says nothing takes a place from others. */
static bool
is_mute(const struct server_conn *c, uint64_t now)
{
	const uint64_t ms = c->worker->server->first_ms;

	return ms != 0 && !c->spoke && c->session != NULL &&
	       now >= c->begun + ms;
}

static void
on_timer(struct rk_timer *t, void *arg)
{
	static const struct rk_error mute = {
		.code = RK_ETIMEOUT,
		.text = "it has said nothing",
	};
	struct server_conn *c = arg;
	uint64_t now = rk_loop_now(c->worker->loop);
	struct rk_call *call = TAILQ_FIRST(&c->running);

	(void)t;
	if (is_mute(c, now)) {
		session_abort(c->session, &mute);
		return;
	}
	c->n_running++;
	while (call != NULL) {
		if (call->canceled || call->deadline_ms > now) {
			call = TAILQ_NEXT(call, link);
			continue;
		}
		call_cancel(call, RK_CANCEL_DEADLINE);
		call = TAILQ_FIRST(&c->running);
	}
	c->next_deadline = RK_NEVER;
	TAILQ_FOREACH (call, &c->running, link) {
		if (!call->canceled && call->deadline_ms < c->next_deadline)
			c->next_deadline = call->deadline_ms;
	}
	c->n_running--;
	server_conn_arm(c);
	server_conn_settle(c);
}

void
server_conn_arm(struct server_conn *c)
{
	enum rk_err r = RK_OK;

	if (c->next_deadline == RK_NEVER)
		return;
	if (c->timer == NULL)
		r = rk_timer_new(c->worker->loop, on_timer, c, &c->timer);
	if (r == RK_OK)
		r = rk_timer_set(c->timer, c->next_deadline);
	if (r != RK_OK)
		log_event(RK_LOG_WARN, "server", "no memory for a timer");
}

/* ---- messages ---- */

static void
cancel_by_caller(struct server_conn *c, struct rk_str id)
{
	struct rk_call *call;

	if (id.len == 0)
		return;
	TAILQ_FOREACH (call, &c->running, link) {
		if (call->call_id.len == id.len &&
		    memcmp(call->call_id.ptr, id.ptr, id.len) == 0) {
			call_cancel(call, RK_CANCEL_CALLER);
			return;
		}
	}
	if (session_has_apart(c->session))
		overtaken_add(&c->overtaken, id);
}

/* Nothing new is taken, or parts of streams come behind it, so that it cannot
 * wait until there is room. */
static bool
refuse_call(struct server_conn *c, const struct msg *m)
{
	call_refuse(c, m,
	    c->worker->stopping ? "the server is stopping"
	                        : "too many calls are running");
	return true;
}

/*
 * Cancels are heard, and the peer's end seen, while no call waits behind.  What
 * waits for the handshake's end is not paused, as that has to be read, too.
 */
static bool
begin_call(struct server_conn *c, const struct msg *m)
{
	bool is_early = session_is_early(c->session);
	bool is_full = c->n_running >= c->worker->server->conf.max_calls;

	if (overtaken_take(c->overtaken, m->hdr.call_id))
		return true; /* nobody waits for it */
	if (is_early && (!call_may_be_early(c, m) || is_full))
		return false;
	if (c->worker->stopping || (is_full && streams_any(&c->streams)))
		return refuse_call(c, m);
	if (is_full) {
		c->full = true;
		session_pause(c->session, SESSION_PAUSE_CALLS, true);
		return false;
	}
	call_dispatch(c, m);
	session_set_busy(c->session, c->n_running != 0);
	return true;
}

static bool
on_message(struct session *s, const struct msg *m, void *arg)
{
	struct server_conn *c = arg;

	(void)s;
	c->spoke = true;
	switch (m->hdr.type) {
	case RK_TYPE_CALL:
	case RK_TYPE_NETRPC:
	case RK_TYPE_BISTREAM:
	case RK_TYPE_ONEWAY:
	case RK_TYPE_UPLOAD_BEGIN:
	case RK_TYPE_DOWNLOAD:
		return begin_call(c, m);
	case RK_TYPE_CANCEL:
		cancel_by_caller(c, m->hdr.call_id);
		return true;
	default:
		/* Keepalives, and what no client should send, go to no
		 * stream. */
		if (stream_is_part(m->hdr.type))
			streams_message(&c->streams, m);
		return true;
	}
}

static void
on_open(struct session *s, void *arg)
{
	struct server_conn *c = arg;
	struct rk_error err;

	if (push_conn_open(c) != RK_OK) {
		(void)err_set(&err, RK_ENOMEM, "%s: %s", c->peer->remote,
		    rk_err_text(RK_ENOMEM));
		session_abort(s, &err);
		return;
	}
	c->admission->was_open = true;
	streams_open(&c->streams, s);
	tell(c->worker, &c->admission->trusted);
	if (!session_is_early(s))
		tell(c->worker, &c->admission->present);
	if (session_is_timed(s))
		server_ask_wait(c->worker);
	if (c->worker->stopping)
		session_drain(s);
}

static void
on_waits(struct session *s, void *arg)
{
	struct server_conn *c = arg;

	(void)s;
	push_conn_wait(c);
	tell(c->worker, &c->admission->waits);
	server_ask_wait(c->worker);
}

void
server_conn_log_denied(
    const struct server_conn *c, const struct rk_method *method)
{
	const struct rk_peer *p = c->peer;
	char line[640]; /* all of it */
	char name[100];

	str_escape(name, sizeof(name), method->name);
	if (p->proven)
		(void)snprintf(line, sizeof(line),
		    "%s: refused \"%s\": not allowed for key %s (%s)%s%s",
		    p->remote, name, p->cert.fp,
		    p->cert.email[0] != '\0' ? p->cert.email : p->cert.cn,
		    p->psk[0] == '\0' ? "" : ", psk ", p->psk);
	else
		(void)snprintf(line, sizeof(line),
		    "%s: refused \"%s\": not allowed for who has proven no "
		    "key%s%s",
		    p->remote, name, p->psk[0] == '\0' ? "" : ", psk ", p->psk);
	server_log_refusal(c->worker->server, c->worker->loop, line);
}

static void
on_confirmed(struct session *s, void *arg)
{
	struct server_conn *c = arg;

	(void)s;
	tell(c->worker, &c->admission->present);
	calls_confirm(c, RK_OK);
}

static void
on_bytes_gone(struct session *s, void *arg)
{
	(void)s;
	push_conn_gone(arg);
}

/* What runs is for nobody.  When it has ended, what is behind it is read. */
static void
on_lost(struct session *s, void *arg)
{
	struct server_conn *c = arg;

	(void)s;
	c->n_running++;
	cancel_all(c, RK_CANCEL_CLOSED);
	c->n_running--;
	server_conn_settle(c);
}

static void
on_low(struct session *s, void *arg)
{
	struct server_conn *c = arg;

	(void)s;
	streams_low(&c->streams);
}

static const struct session_events session_callbacks = {
	.open = on_open,
	.waits = on_waits,
	.low = on_low,
	.confirmed = on_confirmed,
	.gone = on_bytes_gone,
	.lost = on_lost,
	.message = on_message,
	.closed = on_closed,
};

void
server_conn_settle(struct server_conn *c)
{
	if (c->session == NULL) {
		if (c->n_running == 0)
			free_conn(c);
		return;
	}
	if (c->n_running == 0) {
		session_set_busy(c->session, false);
		if (c->worker->stopping) {
			session_drain(c->session);
			return;
		}
	}
	if (c->full && !c->worker->stopping &&
	    c->n_running < c->worker->server->conf.max_calls) {
		c->full = false;
		session_pause(c->session, SESSION_PAUSE_CALLS, false);
	}
}

/* ---- the beginning ---- */

/* What running calls may owe a peer that reads, beyond max_queue. */
#define MAX_OVER ((size_t)64 << 20)

static enum rk_err
take_over(struct admission *a)
{
	const struct rk_server_conf *conf = &a->worker->server->conf;
	struct session_conf sc = {
		.loop = a->worker->loop,
		.events = &session_callbacks,
		.trust = &a->creds->trust,
		.peer = &a->peer,
		.timeouts = conf->timeouts,
		.wait = conf->trust_wait,
		.max_queue = conf->max_queue,
		.max_over = MAX_OVER,
		.keepalive = conf->keepalive,
		.dead_peer = conf->dead_peer,
	};
	struct layer *top = a->top;
	struct server_conn *c;
	enum rk_err r;

	a->top = NULL;
	if (a->hello != NULL && (r = server_udp_take(a, &top)) != RK_OK)
		return r;
	if (a->creds->psk.keys != NULL && !addr_is_session(a->scheme) &&
	    (r = psk_layer_new(&a->creds->psk, a->worker->loop, top, &top)) !=
	        RK_OK)
		return r;
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		layer_free(top);
		return RK_ENOMEM;
	}
	c->worker = a->worker;
	c->admission = a;
	c->gone.fn = on_gone;
	c->next_deadline = RK_NEVER;
	c->begun = rk_loop_now(c->worker->loop);
	TAILQ_INIT(&c->running);
	streams_init(&c->streams, c->worker->loop);
	TAILQ_INIT(&c->pushes);
	sc.arg = c;
	if ((r = session_open(&sc, &top, &c->session)) != RK_OK) {
		free(c);
		return r;
	}
	c->peer = session_peer(c->session);
	TAILQ_INSERT_TAIL(&a->worker->conns, c, link);
	if (a->worker->server->first_ms != 0) {
		c->next_deadline = c->begun + a->worker->server->first_ms;
		server_conn_arm(c);
	}
	return RK_OK;
}

void
server_conn_take(struct mail *m)
{
	struct admission *a = container_of(m, struct admission, take);
	enum rk_err r = take_over(a);

	if (r == RK_OK)
		return;
	(void)err_set(&a->why, r, "%s: %s", a->remote, rk_err_text(r));
	tell(a->worker, &a->closed);
}

/* ---- stopping a worker ---- */

/* Nothing new is taken; who has nothing running goes now. */
void
worker_stop(struct mail *m)
{
	struct worker *w = container_of(m, struct worker, stop);
	struct server_conn *c, *next;

	w->stopping = true;
	server_udp_deafen(w);
	for (c = TAILQ_FIRST(&w->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->session == NULL)
			continue;
		calls_confirm(c, RK_ECANCELED); /* it cannot be waited for */
		if (c->n_running == 0)
			session_drain(c->session);
		else if (!streams_any(&c->streams))
			session_pause(c->session, SESSION_PAUSE_CALLS, true);
	}
	tell(w, &w->acked);
}

void
worker_kill(struct mail *m)
{
	static const struct rk_error over = {
		.code = RK_ECANCELED,
		.text = "the server is stopping",
	};
	struct worker *w = container_of(m, struct worker, kill);
	struct server_conn *c;

	TAILQ_FOREACH (c, &w->conns, link) {
		if (c->session != NULL)
			session_abort(c->session, &over);
	}
}

void
worker_free_calls(struct worker *w)
{
	struct server_conn *c;
	struct rk_call *call;

	/* Connections are closed; what is left holds calls nobody answered. */
	while ((c = TAILQ_FIRST(&w->conns)) != NULL) {
		c->n_running++;
		while ((call = TAILQ_FIRST(&c->running)) != NULL)
			call_release(call);
		c->n_running--;
		free_conn(c);
	}
	while ((call = TAILQ_FIRST(&w->spare)) != NULL) {
		TAILQ_REMOVE(&w->spare, call, link);
		free(call);
	}
	w->n_spare = 0;
	idmap_fini(&w->deferred);
	idmap_fini(&w->present);
	subs_fini(&w->subs);
}
