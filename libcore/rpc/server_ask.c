/* Clients that wait for a decision, and those that were decided about. */
#include "base/container.h"
#include "base/error.h"
#include "rpc/server_int.h"
#include "trust/policy.h"

#include <string.h>

/* A line that was added to the file is noticed so soon, and that a time is
 * over. */
#define LOOK_MS 1000

static void
tell_workers(struct rk_server *s)
{
	for (unsigned i = 0; i < s->n_workers; i++)
		mailbox_put(s->workers[i].box, &s->workers[i].decided);
}

/* On any thread, with the locks of the list held. */
static void
on_event(enum rk_ask_event event, const struct rk_ask_entry *entry, void *arg)
{
	struct rk_server *s = arg;

	(void)entry;
	if (event != RK_ASK_DECIDED && event != RK_ASK_MODE)
		return;
	tell_workers(s);
}

enum rk_err
server_ask_watch(struct rk_server *s, struct creds *c, struct rk_error *err)
{
	if (c->trust.trust == NULL ||
	    rk_ask_watch_new(c->trust.trust, on_event, s, &c->watch) == RK_OK)
		return RK_OK;
	return err_set(err, RK_ENOMEM, "server: out of memory");
}

/* Those that wait are asked about again, and (all) the others judged. */
static void
go_round(struct worker *w, bool all)
{
	struct server_conn *c, *next;
	bool any = false;

	for (c = TAILQ_FIRST(&w->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->session == NULL)
			continue;
		if (session_waits(c->session) &&
		    atomic_load(&c->admission->creds->other_ca))
			session_turn_away(c->session);
		else if (session_waits(c->session))
			session_ask_again(c->session);
		else if (all || session_is_timed(c->session))
			session_check_stay(c->session);
		any = any || session_waits(c->session) ||
		      session_is_timed(c->session);
	}
	if (any)
		server_ask_wait(w);
}

/* By their keys: a certificate of the same CA that was renewed is no other. Who
 * is not sure has another. */
static bool
has_other_ca(const struct creds *a, const struct creds *b)
{
	struct rk_cert_info x, y;

	if (a->trust.ident == NULL || b->trust.ident == NULL)
		return a->trust.ident != b->trust.ident;
	return rk_ident_ca_info(a->trust.ident, &x) != RK_OK ||
	       rk_ident_ca_info(b->trust.ident, &y) != RK_OK ||
	       memcmp(x.pub, y.pub, sizeof(x.pub)) != 0;
}

/* Earlier credentials, too: connections wait under them.  What changes there
 * is told to everybody, which ends when nothing does. */
static void
succeed(struct rk_server *s)
{
	const struct creds *now = TAILQ_FIRST(&s->creds);
	struct creds *c;

	if (now == NULL)
		return;
	for (c = TAILQ_NEXT(now, link); c != NULL; c = TAILQ_NEXT(c, link)) {
		if (c->trust.trust != NULL)
			policy_succeed(c->trust.trust, now->trust.trust);
		/* For good: a third may be of the first CA again, but the
		 * list that goes with it is not asked. */
		if (!atomic_load(&c->other_ca) && has_other_ca(c, now)) {
			atomic_store(&c->other_ca, true);
			tell_workers(s);
		}
	}
}

void
server_ask_decided(struct mail *m)
{
	struct worker *w = container_of(m, struct worker, decided);

	if (w->index == 0)
		succeed(w->server);
	go_round(w, true);
}

void
server_ask_replaced(struct rk_server *s)
{
	mailbox_put(s->workers[0].box, &s->workers[0].decided);
}

bool
server_ask_look(struct rk_server *s)
{
	struct rk_error err = { 0 };
	struct creds *c = TAILQ_FIRST(&s->creds);
	enum rk_err r;

	if (c == NULL || c->trust.trust == NULL ||
	    !policy_is_shared(c->trust.trust))
		return false;
	r = policy_catch_up(c->trust.trust, &err);
	if (r != RK_OK && !c->store_is_bad)
		log_event(RK_LOG_WARN, "server",
		    "%s; what others decide is not seen until it can be read",
		    err.text);
	c->store_is_bad = r != RK_OK;
	return true;
}

static void
on_look(struct rk_timer *t, void *arg)
{
	(void)t;
	go_round(arg, false);
}

void
server_ask_wait(struct worker *w)
{
	enum rk_err r = RK_OK;

	if (w->look == NULL)
		r = rk_timer_new(w->loop, on_look, w, &w->look);
	if (r == RK_OK && !rk_timer_armed(w->look))
		r = rk_timer_set(w->look, rk_loop_now(w->loop) + LOOK_MS);
	if (r != RK_OK) /* decisions are told of all the same */
		log_event(RK_LOG_WARN, "server", "no memory for a timer");
}

void
server_ask_fini(struct worker *w)
{
	rk_timer_free(w->look);
}
