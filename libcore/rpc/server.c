/* A server's life: methods, credentials, threads, start and stop. */
#include "base/container.h"
#include "base/error.h"
#include "base/str.h"
#include "rpc/pool.h"
#include "rpc/server_int.h"
#include "trust/policy.h"
#include "trust/psks.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_THREADS 256

/* ---- methods ---- */

struct swap {
	struct mail mail;
	struct worker *worker;
	struct methods *next;
};

static void
retire(struct mail *mail)
{
	struct methods *m = container_of(mail, struct methods, retire);

	TAILQ_REMOVE(&m->server->sets, m, link);
	methods_free(m);
}

void
methods_leave(struct methods *m)
{
	if (atomic_fetch_sub(&m->holders, 1) == 1)
		mailbox_put(m->server->workers[0].box, &m->retire);
}

/* On the loop of w, which leaves its set. */
static void
enter(struct worker *w, struct methods *next)
{
	struct methods *old = w->methods;

	w->methods = next;
	if (old != NULL)
		methods_leave(old);
}

static void
on_swap(struct mail *m)
{
	struct swap *sw = (struct swap *)(void *)m;

	enter(sw->worker, sw->next);
}

/* Is there a thread for each that may wait? */
static enum rk_err
check_work(const struct rk_server *s, const struct rk_method *methods, size_t n,
    struct rk_error *err)
{
	char name[64];

	for (size_t i = 0; i < n && s->pool == NULL; i++) {
		if (methods[i].work != NULL)
			return err_set(err, RK_EINVAL,
			    "method %s: it may wait, and the server has no "
			    "work_threads",
			    str_escape(name, sizeof(name),
			        methods[i].name == NULL ? ""
			                                : methods[i].name));
	}
	return RK_OK;
}

enum rk_err
rk_server_methods(struct rk_server *server, const struct rk_method *methods,
    size_t n, void (*retired)(void *arg), void *arg, struct rk_error *err)
{
	struct methods *m;
	enum rk_err r;

	err_clear(err);
	if ((r = check_work(server, methods, n, err)) != RK_OK ||
	    (r = methods_new(methods, n, &m, err)) != RK_OK)
		return r;
	m->swaps = calloc(server->n_workers, sizeof(*m->swaps));
	if (m->swaps == NULL) {
		methods_free(m);
		return err_set(err, RK_ENOMEM, "methods: out of memory");
	}
	call_notes_take(server, m);
	m->server = server;
	m->retire.fn = retire;
	m->retired = retired;
	m->arg = arg;
	atomic_init(&m->holders, server->n_workers);
	TAILQ_INSERT_TAIL(&server->sets, m, link);
	enter(&server->workers[0], m);
	for (unsigned i = 1; i < server->n_workers; i++) {
		struct worker *w = &server->workers[i];

		m->swaps[i] = (struct swap){ { .fn = on_swap }, w, m };
		mailbox_put(w->box, &m->swaps[i].mail);
	}
	return RK_OK;
}

/* ---- making one ---- */

/* The letter worker.acked. */
static void
on_ack(struct mail *m)
{
	const struct worker *w = container_of(m, const struct worker, acked);
	struct rk_server *s = w->server;

	s->acks_due--;
	server_check_stopped(s);
}

static enum rk_err
worker_init(struct rk_server *s, unsigned i)
{
	struct worker *w = &s->workers[i];
	enum rk_err r;

	w->server = s;
	w->index = i;
	TAILQ_INIT(&w->conns);
	TAILQ_INIT(&w->spare);
	idmap_init(&w->deferred);
	idmap_init(&w->present);
	subs_init(&w->subs);
	call_notes_init(w);
	w->stop.fn = worker_stop;
	w->kill.fn = worker_kill;
	w->acked.fn = on_ack;
	w->decided.fn = server_ask_decided;
	w->listed.fn = server_crl_listed;
	if (i == 0)
		w->loop = s->loop;
	else if ((r = rk_loop_new(&w->loop)) != RK_OK)
		return r;
	if ((r = mailbox_new(w->loop, &w->box)) != RK_OK && i != 0)
		rk_loop_free(w->loop);
	return r;
}

static void on_stopped(struct mail *m);
static void on_pool_ended(struct mail *m);

static void
on_retry(struct rk_timer *t, void *arg)
{
	(void)t;
	server_pause_accept(arg, false);
}

static void
on_grace(struct rk_timer *t, void *arg)
{
	struct rk_server *s = arg;

	(void)t;
	pool_close(s->pool);
	for (unsigned i = 0; i < s->n_workers; i++)
		mailbox_put(s->workers[i].box, &s->workers[i].kill);
}

static enum rk_err
make_parts(struct rk_server *s, struct rk_error *err)
{
	struct creds *c;
	enum rk_err r;

	s->workers = calloc(s->conf.threads + 1, sizeof(*s->workers));
	if (s->workers == NULL)
		return RK_ENOMEM;
	for (unsigned i = 0; i < s->conf.threads + 1; i++) {
		if ((r = worker_init(s, i)) != RK_OK)
			return r;
		s->n_workers++;
	}
	if ((r = rk_timer_new(s->loop, on_retry, s, &s->retry)) != RK_OK ||
	    (r = rk_timer_new(s->loop, on_grace, s, &s->grace)) != RK_OK)
		return r;
	if (s->conf.work_threads > 0 &&
	    (r = pool_new(s->conf.work_threads, s->conf.max_work,
	         s->workers[0].box, &s->pool_ended, &s->pool)) != RK_OK)
		return r;
	if ((r = seed_new(s->conf.seed, &s->seed, err)) != RK_OK)
		return r;
	if (s->conf.early == RK_EARLY_MARKED &&
	    (r = replay_new(&s->replay)) != RK_OK)
		return r;
	r = server_creds_new(s, s->conf.ident, s->conf.trust, &c, err);
	if (r != RK_OK)
		return r;
	TAILQ_INSERT_HEAD(&s->creds, c, link);
	return rk_server_methods(s, NULL, 0, NULL, NULL, err);
}

enum rk_err
rk_server_new(const struct rk_server_conf *conf, struct rk_server **out,
    struct rk_error *err)
{
	struct rk_server *s;
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	if (conf->size == 0 || conf->loop == NULL ||
	    conf->threads > MAX_THREADS)
		return err_set(err, RK_EINVAL,
		    "server: no size, no loop, or more than %d threads",
		    MAX_THREADS);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(err, RK_ENOMEM, "server: out of memory");
	memcpy(&s->conf, conf,
	    conf->size < sizeof(s->conf) ? conf->size : sizeof(s->conf));
	server_conf_fill(&s->conf);
	if (s->conf.work_threads > MAX_THREADS ||
	    s->conf.dead_peer < RK_DEAD_PEER_MIN) {
		free(s);
		return err_set(err, RK_EINVAL,
		    "server: more than %d work_threads, or dead_peer below %d",
		    MAX_THREADS, RK_DEAD_PEER_MIN);
	}
	s->loop = conf->loop;
	(void)psks_ref(s->conf.psks);
	(void)pthread_mutex_init(&s->log_lock, NULL); /* plain: cannot fail */
	s->paused = true;
	TAILQ_INIT(&s->creds);
	TAILQ_INIT(&s->listeners);
	TAILQ_INIT(&s->inherited);
	TAILQ_INIT(&s->ports);
	TAILQ_INIT(&s->sets);
	TAILQ_INIT(&s->present);
	TAILQ_INIT(&s->watches);
	figures_init(&s->figures);
	push_hub_init(&s->push, s->conf.max_push);
	s->stopped.fn = on_stopped;
	s->unused.fn = creds_on_unused;
	s->pool_ended.fn = on_pool_ended;
	gate_init(&s->gate, s->conf.max_unproven, s->conf.max_per_source);
	r = make_parts(s, err);
	if (r != RK_OK && err != NULL && err->code == RK_OK)
		(void)err_set(err, r, "server: %s", rk_err_text(r));
	if (r != RK_OK) {
		rk_server_free(s);
		return r;
	}
	if (s->conf.trust != NULL)
		policy_begin(s->conf.trust);
	*out = s;
	return RK_OK;
}

/* ---- running ---- */

static void *
run_worker(void *arg)
{
	struct worker *w = arg;

	if (rk_loop_run(w->loop) != RK_OK)
		log_event(RK_LOG_ERROR, "server", "loop %u failed", w->index);
	return NULL;
}

/* Signals are the user's threads' business. */
static int
start_thread(struct worker *w)
{
	sigset_t all, before;
	int e;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&w->thread, NULL, run_worker, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return e;
}

static void
join_threads(struct rk_server *s)
{
	for (unsigned i = 1; i < s->n_workers; i++) {
		struct worker *w = &s->workers[i];

		if (!w->has_thread)
			continue;
		rk_loop_stop(w->loop);
		(void)pthread_join(w->thread, NULL);
		w->has_thread = false;
	}
}

enum rk_err
rk_server_start(struct rk_server *server, struct rk_error *err)
{
	err_clear(err);
	if (server->state != SERVER_NEW)
		return err_set(err, RK_ESTATE, "server: started already");
	for (unsigned i = 1; i < server->n_workers; i++) {
		int e = start_thread(&server->workers[i]);

		if (e != 0) {
			join_threads(server);
			return err_sys(err, RK_ELIMIT, e,
			    "server: cannot start thread %u", i);
		}
		server->workers[i].has_thread = true;
	}
	if (server->pool != NULL) {
		int e = pool_start(server->pool);

		if (e != 0) {
			join_threads(server);
			return err_sys(err, RK_ELIMIT, e,
			    "server: cannot start work_threads");
		}
		server->pool_runs = true;
	}
	server->state = SERVER_RUNNING;
	push_hub_open(&server->push);
	server_crl_watch(server);
	server_pause_accept(server, false);
	server_fd_start(server);
	return RK_OK;
}

/* ---- stopping ---- */

static void
on_stopped(struct mail *m)
{
	struct rk_server *s = container_of(m, struct rk_server, stopped);

	join_threads(s);
	server_udp_hurry(s);
	rk_timer_clear(s->grace);
	rk_timer_clear(s->retry);
	s->state = SERVER_STOPPED;
	if (s->done != NULL)
		s->done(s->done_arg);
}

/* Connections first, then who works for them, then all. */
void
server_check_stopped(struct rk_server *s)
{
	if (s->state != SERVER_STOPPING || s->n_conns != 0 ||
	    s->acks_due != 0 || !push_hub_close(&s->push))
		return;
	if (s->pool_runs)
		pool_end(s->pool);
	else
		mailbox_put(s->workers[0].box, &s->stopped);
}

static void
on_pool_ended(struct mail *m)
{
	struct rk_server *s = container_of(m, struct rk_server, pool_ended);

	pool_join(s->pool);
	s->pool_runs = false;
	server_check_stopped(s);
}

/* Never later than an earlier call has set it. */
static void
set_grace(struct rk_server *s, uint64_t grace_ms)
{
	uint64_t at;

	loop_refresh(s->loop);
	if (__builtin_add_overflow(rk_loop_now(s->loop), grace_ms, &at) ||
	    (rk_timer_armed(s->grace) && at >= s->grace_at))
		return;
	s->grace_at = at;
	if (rk_timer_set(s->grace, at) != RK_OK)
		log_event(RK_LOG_ERROR, "server", "no memory for a timer");
}

void
rk_server_stop(struct rk_server *server, uint64_t grace_ms,
    void (*done)(void *arg), void *arg)
{
	if (server->state == SERVER_STOPPED)
		return;
	set_grace(server, grace_ms);
	if (server->state == SERVER_STOPPING)
		return;
	server->done = done;
	server->done_arg = arg;
	server_close_listeners(server);
	server->acks_due = server->state == SERVER_NEW ? 0 : server->n_workers;
	server->state = SERVER_STOPPING;
	for (unsigned i = 0; i < server->acks_due; i++)
		mailbox_put(server->workers[i].box, &server->workers[i].stop);
	server_check_stopped(server);
}

/* Letters to workers may cause some to loop 0: that box is the last. */
static void
free_boxes(struct rk_server *s)
{
	for (unsigned i = s->n_workers; i-- > 0;) {
		mailbox_free(s->workers[i].box);
		s->workers[i].box = NULL;
	}
}

void
rk_server_free(struct rk_server *s)
{
	struct methods *m;
	struct creds *c;

	if (s == NULL)
		return;
	assert(s->state == SERVER_NEW || s->state == SERVER_STOPPED);
	server_close_listeners(s);
	TAILQ_FOREACH (c, &s->creds, link) {
		rk_ask_watch_free(c->watch);
		c->watch = NULL;
	}
	free_boxes(s);
	server_udp_free(s);
	server_fd_free(s);
	for (unsigned i = 0; i < s->n_workers; i++) {
		worker_free_calls(&s->workers[i]);
		server_ask_fini(&s->workers[i]);
		call_notes_fini(&s->workers[i]);
		if (i != 0)
			rk_loop_free(s->workers[i].loop);
	}
	while ((m = TAILQ_FIRST(&s->sets)) != NULL) {
		TAILQ_REMOVE(&s->sets, m, link);
		methods_free(m);
	}
	while ((c = TAILQ_FIRST(&s->creds)) != NULL) {
		TAILQ_REMOVE(&s->creds, c, link);
		server_creds_free(c);
	}
	seed_free(s->seed);
	pool_free(s->pool);
	rk_timer_free(s->retry);
	rk_timer_free(s->crl);
	rk_timer_free(s->grace);
	(void)pthread_mutex_destroy(&s->log_lock);
	push_hub_fini(&s->push);
	replay_free(s->replay);
	figures_fini(&s->figures);
	free(s->workers);
	rk_psks_free(s->conf.psks);
	free(s);
}
