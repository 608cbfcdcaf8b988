/* Pushes: made by any thread, sent round and accounted for by loop 0. */
#include "rpc/push_int.h"

#include "base/error.h"
#include "base/str.h"
#include "rpc/frame.h"
#include "rpc/topic.h"

#include <stdlib.h>

#define ID_WORKER_SHIFT 48 /* as of calls */

/* ---- what is under way ---- */

void
push_hub_init(struct push_hub *h, size_t max_bytes)
{
	(void)pthread_mutex_init(&h->lock, NULL); /* plain: cannot fail */
	atomic_init(&h->bytes, 0);
	h->max_bytes = max_bytes;
}

void
push_hub_fini(struct push_hub *h)
{
	(void)pthread_mutex_destroy(&h->lock);
}

void
push_hub_open(struct push_hub *h)
{
	(void)pthread_mutex_lock(&h->lock);
	h->open = true;
	(void)pthread_mutex_unlock(&h->lock);
}

bool
push_hub_close(struct push_hub *h)
{
	bool none;

	(void)pthread_mutex_lock(&h->lock);
	h->open = false;
	none = h->n == 0;
	(void)pthread_mutex_unlock(&h->lock);
	return none;
}

bool
push_hub_charge(struct push_hub *h, size_t n)
{
	size_t before =
	    atomic_fetch_add_explicit(&h->bytes, n, memory_order_relaxed);

	if (before <= h->max_bytes && n <= h->max_bytes - before)
		return true;
	push_hub_release(h, n);
	return false;
}

void
push_hub_release(struct push_hub *h, size_t n)
{
	(void)atomic_fetch_sub_explicit(&h->bytes, n, memory_order_relaxed);
}

enum rk_err
push_hub_enter(struct push_hub *h, size_t cost)
{
	enum rk_err r = RK_OK;

	(void)pthread_mutex_lock(&h->lock);
	if (!h->open)
		r = RK_ESTATE;
	else if (!push_hub_charge(h, cost))
		r = RK_ELIMIT;
	else
		h->n++;
	(void)pthread_mutex_unlock(&h->lock);
	return r;
}

void
push_hub_leave(struct push_hub *h, size_t cost)
{
	push_hub_release(h, cost);
	(void)pthread_mutex_lock(&h->lock);
	h->n--;
	(void)pthread_mutex_unlock(&h->lock);
}

/* ---- the end: loop 0 ---- */

static void
free_job(struct push_job *j)
{
	buf_fini(&j->frame);
	free(j);
}

static void
tell_each(struct push_job *j, struct push_leg *leg)
{
	struct push_wait *p;

	while ((p = TAILQ_FIRST(&leg->ends)) != NULL) {
		TAILQ_REMOVE(&leg->ends, p, leg_link);
		j->each(p->conn_id, p->code, j->arg);
		free(p);
		push_hub_release(&j->server->push, sizeof(*p));
	}
}

static void
add_report(struct rk_push_report *to, const struct rk_push_report *r)
{
	to->targets += r->targets;
	to->sent += r->sent;
	to->late += r->late;
	to->closed += r->closed;
	to->refused += r->refused;
}

static void
finish(struct push_job *j)
{
	struct rk_server *s = j->server;
	struct rk_push_report all = { 0 };

	for (unsigned i = 0; i < j->n_legs; i++) {
		tell_each(j, &j->legs[i]);
		add_report(&all, &j->legs[i].report);
	}
	if (j->done != NULL)
		j->done(&all, j->arg);
	push_hub_leave(&s->push, j->cost);
	free_job(j);
	server_check_stopped(s);
}

void
push_leg_back(struct mail *m)
{
	struct push_job *j = ((struct push_leg *)(void *)m)->job;

	j->due--;
	if (j->due == 0)
		finish(j);
}

/* ---- the beginning ---- */

/* The letter to loop 0. */
static void
send_round(struct mail *m)
{
	struct push_job *j = (struct push_job *)(void *)m;

	/* Its own comes back by a letter too: it does not finish here. */
	for (unsigned i = 0; i < j->n_legs; i++) {
		struct push_leg *leg = &j->legs[i];

		leg->mail.fn = push_leg_take;
		if (leg->worker->index == 0)
			push_leg_take(&leg->mail);
		else
			mailbox_put(leg->worker->box, &leg->mail);
	}
}

static const char *
who_of(const struct rk_push_target *t, const struct rk_push *push)
{
	switch (t->to) {
	case RK_PUSH_CONN:
	case RK_PUSH_ALL:
		return "";
	case RK_PUSH_FP:
	case RK_PUSH_EMAIL:
		return topic_is_good(t->who) ? t->who : NULL;
	case RK_PUSH_SUBSCRIBERS:
		return topic_is_good(push->subject) ? push->subject : NULL;
	}
	return NULL;
}

static enum rk_err
check(const struct rk_push_target *t, const struct rk_push *push)
{
	if (who_of(t, push) == NULL ||
	    (push->payload == NULL && push->payload_len != 0) ||
	    (push->args == NULL && push->n_args != 0))
		return RK_EINVAL;
	if (push->payload_len > RK_PAYLOAD_MAX || push->n_args > RK_ARGS_MAX ||
	    str_view(push->subject).len > RK_SUBJECT_MAX ||
	    str_view(push->method).len > RK_NAME_MAX ||
	    str_view(push->call_id).len > RK_TOPIC_MAX)
		return RK_ETOOBIG;
	return RK_OK;
}

static enum rk_err
encode(const struct rk_push *push, struct buf *frame)
{
	struct msg m = {
		.hdr = {
		    .type = RK_TYPE_ONEWAY,
		    .to_service = str_view(push->method),
		    .subject = str_view(push->subject),
		    .call_id = str_view(push->call_id),
		},
		.payload = { push->payload, push->payload_len },
	};

	buf_init(frame, RK_BODY_MAX + FRAME_HEAD_LEN);
	return msg_encode(frame, &m, push->args, push->n_args);
}

/* The worker of a connection; any, which knows no such one, of a wrong id. */
static struct worker *
worker_of(struct rk_server *s, uint64_t conn)
{
	uint64_t index = conn >> ID_WORKER_SHIFT;

	return &s->workers[index < s->n_workers ? index : 0];
}

static struct push_job *
make(struct rk_server *s, const struct rk_push_target *t,
    const struct rk_push *push)
{
	unsigned n = t->to == RK_PUSH_CONN ? 1 : s->n_workers;
	size_t size = sizeof(struct push_job) + n * sizeof(struct push_leg);
	struct push_job *j = calloc(1, size);
	const char *who = who_of(t, push);

	if (j == NULL)
		return NULL;
	j->mail.fn = send_round;
	j->server = s;
	j->to = t->to;
	j->conn = t->conn;
	j->who_len = strlen(who);
	memcpy(j->who, who, j->who_len);
	j->timeout = push->timeout == 0 ? RK_PUSH_TIMEOUT : push->timeout;
	j->cost = size;
	j->due = j->n_legs = n;
	for (unsigned i = 0; i < n; i++) {
		struct push_leg *leg = &j->legs[i];

		leg->job = j;
		leg->worker = t->to == RK_PUSH_CONN ? worker_of(s, t->conn)
		                                    : &s->workers[i];
		TAILQ_INIT(&leg->waits);
		TAILQ_INIT(&leg->ends);
	}
	return j;
}

enum rk_err
rk_server_push(struct rk_server *server, const struct rk_push_target *target,
    const struct rk_push *push, rk_push_fn *done, void *arg)
{
	struct push_job *j;
	enum rk_err r;

	if ((r = check(target, push)) != RK_OK)
		return r;
	if ((j = make(server, target, push)) == NULL)
		return RK_ENOMEM;
	j->each = push->each;
	j->done = done;
	j->arg = arg;
	if ((r = encode(push, &j->frame)) != RK_OK)
		goto out;
	j->cost += j->frame.cap;
	if ((r = push_hub_enter(&server->push, j->cost)) != RK_OK)
		goto out;
	mailbox_put(server->workers[0].box, &j->mail);
	return RK_OK;
out:
	free_job(j);
	return r;
}

/* ---- who is there ---- */

uint64_t
rk_call_conn_id(const struct rk_call *call)
{
	return call->conn->id;
}

uint64_t
rk_stream_conn_id(const struct rk_stream *s)
{
	return s->call == NULL ? 0 : rk_call_conn_id(s->call);
}

void
rk_server_conns(const struct rk_server *server, rk_conn_fn *fn, void *arg)
{
	const struct admission *a;

	TAILQ_FOREACH (a, &server->present, link)
		fn(a->id, &a->peer, arg);
}
