/* Pushes on a worker: which connections they are for, and what becomes of them.
 */
#include "rpc/push_int.h"

#include <rpckit/cert.h>

#include "base/container.h"
#include "base/error.h"

#include <stdlib.h>

#define ID_WORKER_SHIFT 48

/* ---- deciding ---- */

static void
count(struct rk_push_report *r, enum rk_err code)
{
	r->targets++;
	if (code == RK_OK)
		r->sent++;
	else if (code == RK_ETIMEOUT)
		r->late++;
	else if (code == RK_ECLOSED)
		r->closed++;
	else
		r->refused++;
}

static void
give_back(struct push_leg *leg)
{
	rk_timer_free(leg->timer);
	leg->timer = NULL;
	leg->mail.fn = push_leg_back;
	mailbox_put(leg->worker->server->workers[0].box, &leg->mail);
}

/* One that is in no list. */
static void
record(struct push_wait *p, enum rk_err code)
{
	struct push_leg *leg = p->leg;

	count(&leg->report, code);
	if (leg->job->each != NULL) {
		p->code = code;
		TAILQ_INSERT_TAIL(&leg->ends, p, leg_link);
		return;
	}
	free(p);
	push_hub_release(&leg->job->server->push, sizeof(*p));
}

/* The leg may be gone when this returns. */
static void
decide(struct push_wait *p, enum rk_err code)
{
	struct push_leg *leg = p->leg;
	struct server_conn *c = p->conn;

	TAILQ_REMOVE(&c->pushes, p, conn_link);
	TAILQ_REMOVE(&leg->waits, p, leg_link);
	if (c->session != NULL && TAILQ_EMPTY(&c->pushes))
		conn_tell_gone(session_conn(c->session), false);
	record(p, code);
	if (leg->begun && TAILQ_EMPTY(&leg->waits))
		give_back(leg);
}

static void
on_late(struct rk_timer *t, void *arg)
{
	struct push_leg *leg = arg;
	struct push_wait *p = TAILQ_FIRST(&leg->waits);
	struct push_wait *next;

	(void)t;
	for (; p != NULL; p = next) {
		next = TAILQ_NEXT(p, leg_link);
		decide(p, RK_ETIMEOUT);
	}
}

/* ---- queueing ---- */

/* NULL: no memory, or too much of it in use already. */
static struct push_wait *
new_wait(struct push_leg *leg, uint64_t conn_id, enum rk_err *why)
{
	struct push_hub *h = &leg->job->server->push;
	struct push_wait *p;

	*why = RK_ELIMIT;
	if (!push_hub_charge(h, sizeof(*p)))
		return NULL;
	*why = RK_ENOMEM;
	p = malloc(sizeof(*p));
	if (p == NULL) {
		push_hub_release(h, sizeof(*p));
		return NULL;
	}
	*p = (struct push_wait){ .leg = leg, .conn_id = conn_id };
	return p;
}

static bool
is_watched(const struct push_job *j)
{
	return j->each != NULL || j->done != NULL;
}

static enum rk_err
queue(const struct push_leg *leg, struct server_conn *c)
{
	const struct buf *b = &leg->job->frame;
	struct conn *conn = session_conn(c->session);
	enum rk_err r;

	if (conn_state(conn) != CONN_OPEN)
		return RK_ECLOSED;
	if (buf_len(b) > conn_room(conn))
		return RK_ELIMIT;
	r = buf_put(conn_out(conn), buf_peek(b), buf_len(b));
	if (r == RK_OK)
		conn_flush(conn);
	return r;
}

/* NULL: there is no such connection. */
static void
push_to(struct push_leg *leg, struct server_conn *c)
{
	struct push_wait *p;
	enum rk_err r;

	if (!is_watched(leg->job)) {
		if (c != NULL)
			(void)queue(leg, c);
		return;
	}
	p = new_wait(leg, c == NULL ? leg->job->conn : c->id, &r);
	if (p == NULL) {
		count(&leg->report, r);
		return;
	}
	r = c == NULL ? RK_ECLOSED : queue(leg, c);
	if (r != RK_OK) {
		record(p, r);
		return;
	}
	p->conn = c;
	p->mark = conn_queued(session_conn(c->session));
	TAILQ_INSERT_TAIL(&c->pushes, p, conn_link);
	TAILQ_INSERT_TAIL(&leg->waits, p, leg_link);
	conn_tell_gone(session_conn(c->session), true);
}

/* ---- for whom it is ---- */

static bool
is_for(const struct push_job *j, const struct rk_peer *p)
{
	switch (j->to) {
	case RK_PUSH_ALL:
		return true;
	case RK_PUSH_FP:
		return p->proven && strcmp(p->cert.fp, j->who) == 0;
	case RK_PUSH_EMAIL:
		return p->proven && rk_cert_has_email(&p->cert,
		                        (struct rk_str){ j->who, j->who_len });
	case RK_PUSH_CONN:
	case RK_PUSH_SUBSCRIBERS:
		break;
	}
	return false;
}

/* One that may be a recording is told nothing that it has not asked for. */
static bool
is_certain(const struct server_conn *c)
{
	return c->was_open && c->session != NULL &&
	       !session_is_early(c->session);
}

static void
on_subscriber(struct subs_of *of, void *arg)
{
	push_to(arg, container_of(of, struct server_conn, subs));
}

static void
push_to_all(struct push_leg *leg)
{
	const struct push_job *j = leg->job;
	struct worker *w = leg->worker;
	struct server_conn *c;

	switch (j->to) {
	case RK_PUSH_CONN:
		push_to(leg, idmap_find(&w->present, j->conn));
		break;
	case RK_PUSH_SUBSCRIBERS:
		subs_each(&w->subs, (struct rk_str){ j->who, j->who_len },
		    on_subscriber, leg);
		break;
	case RK_PUSH_FP:
	case RK_PUSH_EMAIL:
	case RK_PUSH_ALL:
		TAILQ_FOREACH (c, &w->conns, link) {
			if (is_certain(c) && is_for(j, c->peer))
				push_to(leg, c);
		}
		break;
	}
}

/* Without a timer the end of each connection decides. */
static void
set_timer(struct push_leg *leg)
{
	struct rk_loop *loop = leg->worker->loop;
	uint64_t at;

	if (__builtin_add_overflow(loop_clock(loop), leg->job->timeout, &at) ||
	    rk_timer_new(loop, on_late, leg, &leg->timer) != RK_OK)
		return;
	if (rk_timer_set(leg->timer, at) != RK_OK)
		log_event(RK_LOG_WARN, "server", "no memory for a timer");
}

void
push_leg_take(struct mail *m)
{
	struct push_leg *leg = (struct push_leg *)(void *)m;

	push_to_all(leg);
	leg->begun = true;
	if (TAILQ_EMPTY(&leg->waits))
		give_back(leg);
	else if (leg->job->timeout != RK_NEVER)
		set_timer(leg);
}

/* ---- a connection's life ---- */

void
push_conn_wait(struct server_conn *c)
{
	struct worker *w = c->worker;

	if (c->id == 0)
		c->id = (uint64_t)w->index << ID_WORKER_SHIFT | ++w->next_conn;
}

enum rk_err
push_conn_open(struct server_conn *c)
{
	enum rk_err r;

	push_conn_wait(c);
	if ((r = idmap_add(&c->worker->present, c->id, c)) != RK_OK)
		return r;
	c->was_open = true;
	c->admission->id = c->id;
	return RK_OK;
}

void
push_conn_gone(struct server_conn *c)
{
	uint64_t gone = conn_gone(session_conn(c->session));
	struct push_wait *p;

	while ((p = TAILQ_FIRST(&c->pushes)) != NULL && p->mark <= gone)
		decide(p, RK_OK);
}

void
push_conn_closed(struct server_conn *c)
{
	struct push_wait *p;

	(void)idmap_remove(&c->worker->present, c->id);
	while ((p = TAILQ_FIRST(&c->pushes)) != NULL)
		decide(p, RK_ECLOSED);
	subs_drop(&c->worker->subs, &c->subs);
}
