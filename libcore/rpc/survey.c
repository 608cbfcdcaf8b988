/* Surveys: asking every worker of a server about its connections and calls. */
#include "rpc/survey.h"

#include "base/container.h"
#include "base/error.h"
#include "base/str.h"
#include "rpc/kv.h"
#include "rpc/server_int.h"
#include "rpc/survey_row.h"

#include <stdlib.h>

/* Of all rows together: what fits into one answer, with some room. */
#define ROWS_MAX (RK_PAYLOAD_MAX - 4096)

struct survey_leg {
	struct mail mail; /* to the worker, and back to loop 0 */
	struct survey *survey;
	struct worker *worker;
	struct buf rows;
	size_t first; /* bytes of rows that come before the others' */
	struct survey_sum sum;
	enum rk_err r;
};

struct survey {
	struct rk_server *server;
	enum survey_what what;
	struct survey_target target;
	survey_fn *done;
	void *arg;
	size_t cost;
	unsigned due; /* legs not back: loop 0's */
	unsigned n_legs;
	struct survey_leg legs[];
};

/* ---- a worker's share: its thread ---- */

/* Cuts what a row that did not fit has left, and counts it. */
static void
end_row(struct survey_leg *leg, struct kv *k, size_t before)
{
	if (kv_row_stays(k, before))
		leg->sum.rows++;
	else if (k->r == RK_ETOOBIG)
		leg->sum.left_out++;
	else
		leg->r = k->r;
}

/* Whoever asks knows it by now. */
static bool
is_brief(const struct survey_leg *leg, const struct server_conn *c)
{
	const struct survey_target *t = &leg->survey->target;
	uint64_t now = rk_loop_now(leg->worker->loop);

	return t->brief && c->was_open && now > c->begun &&
	       now - c->begun > t->older_ms;
}

static void
add_rows(
    struct survey_leg *leg, const struct server_conn *c, enum survey_look look)
{
	const struct rk_call *call;
	struct kv k = { .b = &leg->rows };
	size_t before = buf_len(&leg->rows);

	if (leg->survey->what == SURVEY_CONNS) {
		if (is_brief(leg, c))
			survey_put_brief(&k, c, look);
		else
			survey_put_conn(&k, c, look);
		end_row(leg, &k, before);
	}
	if (leg->survey->what != SURVEY_CALLS)
		return;
	TAILQ_FOREACH (call, &c->running, link) {
		k.r = RK_OK;
		before = buf_len(&leg->rows);
		survey_put_call(&k, c, call);
		end_row(leg, &k, before);
	}
}

bool
survey_is_at(const char *remote, const char *who)
{
	return str_url_is_at(remote, who);
}

static bool
is_meant(const struct server_conn *c, const struct survey_target *t)
{
	char remote[ADDR_TEXT_LEN];

	switch (t->by) {
	case SURVEY_BY_CONN:
		return c->id != 0 && c->id == t->conn;
	case SURVEY_BY_FP:
		return c->peer->proven && strcmp(c->peer->cert.fp, t->who) == 0;
	case SURVEY_BY_ADDRESS:
		return survey_is_at(survey_remote_of(c, remote), t->who);
	}
	return false;
}

static void
kick(struct survey_leg *leg, struct server_conn *c, enum survey_look look)
{
	static const struct rk_error over = {
		.code = RK_ECANCELED,
		.text = "closed by an operator",
	};

	if (leg->survey->what != SURVEY_KICK || look == SURVEY_LOOK_CLOSED ||
	    !is_meant(c, &leg->survey->target))
		return;
	session_abort(c->session, &over);
	leg->sum.kicked++;
}

static struct rk_call *
find_call(
    struct worker *w, const struct survey_target *t, struct server_conn **conn)
{
	struct server_conn *c;
	struct rk_call *call;

	TAILQ_FOREACH (c, &w->conns, link) {
		if (c->id == 0 || c->id != t->conn || c->session == NULL)
			continue;
		TAILQ_FOREACH (call, &c->running, link) {
			*conn = c;
			if (call->number == t->call)
				return call;
		}
	}
	return NULL;
}

/* Its handler may answer when it is told, and so end more than the call. */
static void
cancel(struct survey_leg *leg)
{
	struct kv k = { .b = &leg->rows };
	struct server_conn *c = NULL;
	struct rk_call *call = find_call(leg->worker, &leg->survey->target, &c);

	if (call == NULL)
		return;
	kv_str(&k, call->netrpc.is_set ? call->netrpc.method : call->service);
	end_row(leg, &k, 0);
	if (call->canceled) {
		leg->sum.ending++;
		return;
	}
	leg->sum.canceled++;
	c->n_running++;
	call_cancel(call, RK_CANCEL_OPERATOR);
	c->n_running--;
	server_conn_settle(c);
}

static void
count_look(struct survey_sum *sum, enum survey_look look)
{
	switch (look) {
	case SURVEY_LOOK_NEW:
		sum->fresh++;
		break;
	case SURVEY_LOOK_ACTIVE:
		sum->active++;
		break;
	case SURVEY_LOOK_IDLE:
		sum->idle++;
		break;
	case SURVEY_LOOK_CLOSING:
	case SURVEY_LOOK_CLOSED:
		sum->closing++;
		break;
	}
}

static bool
waits(const struct server_conn *c)
{
	return c->session != NULL && session_waits(c->session);
}

/* First of all those whose key waits: who decides about them must see them,
 * however many others there are. */
static void
add_conns(struct survey_leg *leg)
{
	const struct server_conn *c;

	for (int rest = 0; rest < 2; rest++) {
		TAILQ_FOREACH (c, &leg->worker->conns, link) {
			if (waits(c) != (bool)rest)
				add_rows(leg, c, survey_look_at(c));
		}
		if (rest == 0)
			leg->first = buf_len(&leg->rows);
	}
}

static void leg_back(struct mail *m);

static void
leg_take(struct mail *m)
{
	struct survey_leg *leg = container_of(m, struct survey_leg, mail);
	struct worker *w = leg->worker;
	struct server_conn *c;
	uint64_t in, out;

	leg->sum.bytes_in = w->bytes_in;
	leg->sum.bytes_out = w->bytes_out;
	leg->sum.calls = atomic_load_explicit(&w->calls, memory_order_relaxed);
	leg->sum.running =
	    atomic_load_explicit(&w->running, memory_order_relaxed);
	if (leg->survey->what == SURVEY_CONNS ||
	    leg->survey->what == SURVEY_CALLS)
		add_conns(leg);
	TAILQ_FOREACH (c, &w->conns, link) {
		enum survey_look look = survey_look_at(c);

		count_look(&leg->sum, look);
		survey_count_bytes(c, &in, &out);
		leg->sum.bytes_in += in;
		leg->sum.bytes_out += out;
		kick(leg, c, look); /* its end comes at the end of the turn */
	}
	if (leg->survey->what == SURVEY_CANCEL)
		cancel(leg);
	leg->mail.fn = leg_back;
	mailbox_put(w->server->workers[0].box, &leg->mail);
}

/* ---- putting together: loop 0 ---- */

static void
add_sum(struct survey_sum *to, const struct survey_sum *s)
{
	to->fresh += s->fresh;
	to->active += s->active;
	to->idle += s->idle;
	to->closing += s->closing;
	to->calls += s->calls;
	to->running += s->running;
	to->bytes_in += s->bytes_in;
	to->bytes_out += s->bytes_out;
	to->kicked += s->kicked;
	to->canceled += s->canceled;
	to->ending += s->ending;
	to->rows += s->rows;
	to->left_out += s->left_out;
}

static void
free_survey(struct survey *s)
{
	for (unsigned i = 0; i < s->n_legs; i++)
		buf_fini(&s->legs[i].rows);
	free(s);
}

static enum rk_err
put_rows(struct buf *to, const struct survey_leg *leg, bool first)
{
	size_t from = first ? 0 : leg->first;
	size_t end = first ? leg->first : buf_len(&leg->rows);

	return end == from
	           ? RK_OK
	           : buf_put(to, buf_peek(&leg->rows) + from, end - from);
}

static void
finish(struct survey *s)
{
	struct rk_server *server = s->server;
	struct survey_sum sum = { 0 };
	struct buf rows;
	enum rk_err r = RK_OK;

	buf_init(&rows, ROWS_MAX);
	for (unsigned i = 0; i < s->n_legs; i++) {
		const struct survey_leg *leg = &s->legs[i];

		add_sum(&sum, &leg->sum);
		if (r == RK_OK)
			r = leg->r;
	}
	for (unsigned i = 0; r == RK_OK && i < 2 * s->n_legs; i++)
		r = put_rows(&rows, &s->legs[i % s->n_legs], i < s->n_legs);
	s->done(r, &sum, &rows, s->arg);
	buf_fini(&rows);
	push_hub_leave(&server->push, s->cost);
	free_survey(s);
	server_check_stopped(server);
}

static void
leg_back(struct mail *m)
{
	struct survey *s = container_of(m, struct survey_leg, mail)->survey;

	s->due--;
	if (s->due == 0)
		finish(s);
}

enum rk_err
survey_start(struct rk_server *server, enum survey_what what,
    const struct survey_target *target, survey_fn *done, void *arg)
{
	unsigned n = server->n_workers;
	size_t cost = sizeof(struct survey) + n * sizeof(struct survey_leg);
	struct survey *s;
	enum rk_err r;

	if ((r = push_hub_enter(&server->push, cost)) != RK_OK)
		return r;
	s = calloc(1, cost);
	if (s == NULL) {
		push_hub_leave(&server->push, cost);
		return RK_ENOMEM;
	}
	s->server = server;
	s->what = what;
	if (target != NULL)
		s->target = *target;
	s->done = done;
	s->arg = arg;
	s->cost = cost;
	s->due = s->n_legs = n;
	for (unsigned i = 0; i < n; i++) {
		struct survey_leg *leg = &s->legs[i];

		leg->survey = s;
		leg->worker = &server->workers[i];
		leg->mail.fn = leg_take;
		buf_init(&leg->rows, ROWS_MAX / n);
		mailbox_put(leg->worker->box, &leg->mail);
	}
	return RK_OK;
}
