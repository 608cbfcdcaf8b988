/* What is noted of calls: figures, and news for those who watch. */
#include "rpc/call_note.h"

#include "base/clock.h"
#include "base/container.h"
#include "base/error.h"
#include "base/str.h"
#include "rpc/server_int.h"

#include <stdlib.h>

static bool
is_on(const atomic_bool *flag)
{
	return atomic_load_explicit(flag, memory_order_relaxed);
}

/* ---- news, the worker's side ---- */

static const char *
put_text(char **at, const char *text)
{
	const char *begin = *at;
	size_t len = strlen(text) + 1;

	memcpy(*at, text, len);
	*at += len;
	return begin;
}

static struct call_note *
make(const struct rk_call *call, const char *error)
{
	const struct rk_peer *p = call->conn->peer;
	const char *email = p->proven ? p->cert.email : "";
	const char *cn = p->proven ? p->cert.cn : "";
	const char *method = call->figures->name;
	struct call_note *n =
	    malloc(sizeof(*n) + strlen(method) + strlen(email) + strlen(cn) +
	           strlen(error) + 4);
	char *at = (char *)(n + 1);

	if (n == NULL)
		return NULL;
	*n = (struct call_note){ .number = call->number,
		.conn = call->conn->id };
	n->method = put_text(&at, method);
	n->email = put_text(&at, email);
	n->cn = put_text(&at, cn);
	n->error = put_text(&at, error);
	return n;
}

/* n NULL: nothing but what was skipped. */
static void
post(struct worker *w, struct call_note *n)
{
	struct call_notes *q = &w->notes;

	(void)pthread_mutex_lock(&q->lock);
	if (n != NULL)
		TAILQ_INSERT_TAIL(&q->queue, n, link);
	q->dropped += q->skipped;
	(void)pthread_mutex_unlock(&q->lock);
	q->skipped = 0;
	mailbox_put(w->server->workers[0].box, &q->mail);
}

static void
on_window(struct rk_timer *t, void *arg)
{
	(void)t;
	post(arg, NULL);
}

/* Told of when the window is over, also if nothing more comes. */
static void
skip(struct worker *w)
{
	struct call_notes *q = &w->notes;
	enum rk_err r = RK_OK;

	if (q->skipped++ != 0)
		return;
	if (q->timer == NULL)
		r = rk_timer_new(w->loop, on_window, w, &q->timer);
	if (r == RK_OK)
		r = rk_timer_set(q->timer, (q->window + 1) * CALL_NOTES_MS);
	if (r != RK_OK)
		log_event(RK_LOG_WARN, "server", "no memory for a timer");
}

static bool
has_room(struct worker *w)
{
	struct call_notes *q = &w->notes;
	uint64_t window = rk_loop_now(w->loop) / CALL_NOTES_MS;

	if (window != q->window) {
		q->window = window;
		q->n = 0;
	}
	return q->n++ < CALL_NOTES_MAX;
}

static void
tell(const struct rk_call *call, bool ended, uint64_t us, const char *error)
{
	struct worker *w = call->conn->worker;
	struct call_note *n = NULL;

	if (has_room(w))
		n = make(call, error);
	if (n == NULL) {
		skip(w);
		return;
	}
	n->ended = ended;
	n->us = us;
	post(w, n);
}

/* ---- one call ---- */

void
call_note_begin(struct rk_call *call, const struct rk_method *m)
{
	struct worker *w = call->conn->worker;
	struct rk_server *s = w->server;

	if (!is_on(&s->counts))
		return;
	call->figures = methods_figures(w->methods, m);
	if (call->figures == NULL)
		return;
	call->started = mono_us();
	figures_begin(call->figures, w->index);
	if (is_on(&s->tells))
		tell(call, false, 0, "");
}

static void
keep_error(const struct rk_call *call, const char text[CALL_ERROR_LEN])
{
	struct server_conn *c = call->conn;

	c->n_failed++;
	c->failed = call->figures;
	memcpy(c->last_error, text, sizeof(c->last_error));
	c->failed_at = rk_loop_now(c->worker->loop);
}

/* What there is no memory for is not counted. */
static void
note_length(struct server_conn *c, uint64_t us)
{
	if (c->took == NULL)
		c->took = calloc(1, sizeof(*c->took));
	if (c->took != NULL)
		figures_brief_add(c->took, us);
}

void
call_note_end(
    struct rk_call *call, const char *error, size_t len, enum rk_err r)
{
	const struct worker *w = call->conn->worker;
	char text[CALL_ERROR_LEN] = "";
	uint64_t us;

	if (error != NULL)
		(void)rk_escape(text, sizeof(text), error, len);
	else if (r != RK_OK)
		(void)str_copy(text, sizeof(text), rk_err_text(r));
	if (text[0] != '\0')
		keep_error(call, text);
	if (call->figures == NULL)
		return;
	us = mono_us() - call->started;
	figures_end(call->figures, w->index, us, text[0] != '\0');
	note_length(call->conn, us);
	if (is_on(&w->server->tells))
		tell(call, true, us, text);
}

/* ---- loop 0 ---- */

static void
pass_on(struct rk_server *s, struct call_note_list *list, uint64_t dropped)
{
	struct call_note *n;
	struct server_watch *w;

	while ((n = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, n, link);
		TAILQ_FOREACH (w, &s->watches, link) {
			if (w->wants_calls)
				w->called(w, n);
		}
		free(n);
	}
	TAILQ_FOREACH (w, &s->watches, link) {
		if (w->wants_calls && dropped != 0)
			w->missed(w, dropped);
	}
}

static void
on_notes(struct mail *m)
{
	struct worker *w = container_of(m, struct worker, notes.mail);
	struct call_notes *q = &w->notes;
	struct call_note_list now = TAILQ_HEAD_INITIALIZER(now);
	uint64_t dropped;

	(void)pthread_mutex_lock(&q->lock);
	TAILQ_CONCAT(&now, &q->queue, link);
	dropped = q->dropped;
	q->dropped = 0;
	(void)pthread_mutex_unlock(&q->lock);
	pass_on(w->server, &now, dropped);
}

void
call_notes_init(struct worker *w)
{
	w->notes.mail.fn = on_notes;
	TAILQ_INIT(&w->notes.queue);
	(void)pthread_mutex_init(&w->notes.lock, NULL); /* plain: cannot fail */
}

void
call_notes_fini(struct worker *w)
{
	struct call_note *n;

	rk_timer_free(w->notes.timer);
	while ((n = TAILQ_FIRST(&w->notes.queue)) != NULL) {
		TAILQ_REMOVE(&w->notes.queue, n, link);
		free(n);
	}
	(void)pthread_mutex_destroy(&w->notes.lock);
}

void
call_notes_take(struct rk_server *s, struct methods *m)
{
	m->figures = calloc(m->n, sizeof(*m->figures));
	for (size_t i = 0; m->figures != NULL && i < m->n; i++)
		m->figures[i] =
		    figures_get(&s->figures, m->list[i].name, s->n_workers);
}

void
call_notes_settle(struct rk_server *s)
{
	const struct server_watch *w;
	bool tells = false;

	TAILQ_FOREACH (w, &s->watches, link)
		tells = tells || w->wants_calls;
	atomic_store_explicit(
	    &s->counts, !TAILQ_EMPTY(&s->watches), memory_order_relaxed);
	atomic_store_explicit(&s->tells, tells, memory_order_relaxed);
}
