/* The CA's revocation list, while connections are open: who is on it goes. */
#include "base/container.h"
#include "base/error.h"
#include "rpc/server_int.h"
#include "trust/chain.h"
#include "trust/ident.h"
#include "trust/policy.h"

#include <stdlib.h>
#include <time.h>

/* A list that has changed is noticed so soon, for the price of a stat(). */
#define LOOK_MS 2000

/* ---- who is refused for it ---- */

#define LISTED_MAX 64 /* letters under way */

struct listed {
	struct mail mail; /* to loop 0 */
	struct rk_server *server;
	struct rk_cert_info info;
};

static void
on_listed(struct mail *m)
{
	struct listed *l = container_of(m, struct listed, mail);
	struct server_watch *w;

	TAILQ_FOREACH (w, &l->server->watches, link) {
		if (w->listed != NULL)
			w->listed(w, &l->info);
	}
	(void)atomic_fetch_sub(&l->server->n_listed, 1);
	free(l);
}

/* Any thread.  Whoever has seen a certificate can show it: of strangers nothing
 * is told, so that they fill no list, and where too much is under way the next
 * try will do. */
static void
tell_listed(struct rk_server *s, const struct rk_cert_info *info)
{
	struct listed *l = NULL;

	if (atomic_fetch_add(&s->n_listed, 1) < LISTED_MAX)
		l = malloc(sizeof(*l));
	if (l == NULL) {
		(void)atomic_fetch_sub(&s->n_listed, 1);
		return;
	}
	*l = (struct listed){
		.mail = { .fn = on_listed }, .server = s, .info = *info
	};
	mailbox_put(s->workers[0].box, &l->mail);
}

static void
on_refused(const struct rk_cert_info *info, void *arg)
{
	const struct creds *c = arg;

	if (c->trust.trust != NULL && policy_knows(c->trust.trust, info))
		tell_listed(c->server, info);
}

void
server_crl_hear(struct rk_server *s, struct creds *c)
{
	c->server = s;
	c->trust.listed = on_refused;
	c->trust.arg = c;
}

/* ---- who is on it ---- */

/* New ones are refused all the same: every handshake reads the list. */
static void
note_trouble(struct creds *c, enum rk_err r, const struct rk_error *err)
{
	bool bad = r != RK_OK;

	if (bad && !c->list_is_bad)
		log_event(RK_LOG_WARN, "server",
		    "%s; nobody new is let in until it can be read", err->text);
	if (!bad && c->list_is_bad)
		log_event(RK_LOG_INFO, "server",
		    "the revocation list can be read again");
	c->list_is_bad = bad;
}

/* Was it read anew since it was last looked at? */
static bool
has_changed(struct creds *c)
{
	struct rk_error err = { 0 };
	uint64_t version = c->list_version;
	enum rk_err r;

	if (c->trust.ident == NULL)
		return false;
	r = ident_refresh(c->trust.ident, (int64_t)time(NULL), &err);
	note_trouble(c, r, &err);
	c->list_version = ident_list_version(c->trust.ident);
	return c->list_version != version;
}

/* Those that are not here, and perhaps have not been since the start. */
struct absent {
	struct rk_server *server;
	const struct rk_ident *ident;
};

static void
on_noted(const struct rk_cert_info *info, void *arg)
{
	const struct absent *a = arg;

	if (chain_lists_serial(a->ident, info->issuer_cn, info->serial))
		tell_listed(a->server, info);
}

static void
look_for_absent(struct creds *c)
{
	struct absent a = { c->server, c->trust.ident };
	struct rk_error err = { 0 };

	if (c->trust.trust != NULL &&
	    policy_each_cert(c->trust.trust, on_noted, &a, &err) != RK_OK)
		log_event(RK_LOG_WARN, "server",
		    "%s; who is on the revocation list is not shown", err.text);
}

void
server_crl_look(struct rk_server *s)
{
	struct creds *c;
	bool changed = false;

	TAILQ_FOREACH (c, &s->creds, link) {
		bool first = !c->list_was_seen;

		c->list_was_seen = true;
		if (!has_changed(c) && !(first && c->trust.ident != NULL &&
		                           ident_has_list(c->trust.ident)))
			continue;
		changed = true;
		look_for_absent(c);
		chain_each_listed(c->trust.ident, CHAIN_CLIENT, on_refused, c);
	}
	for (unsigned i = 0; changed && i < s->n_workers; i++)
		mailbox_put(s->workers[i].box, &s->workers[i].listed);
}

static void
on_look(struct rk_timer *t, void *arg)
{
	(void)t;
	server_crl_watch(arg);
}

void
server_crl_watch(struct rk_server *s)
{
	const struct creds *c;
	enum rk_err r = RK_OK;
	bool any;

	if (s->state == SERVER_NEW || s->state == SERVER_STOPPED)
		return;
	server_crl_look(s);
	any = server_ask_look(s);
	TAILQ_FOREACH (c, &s->creds, link)
		any = any || (c->trust.ident != NULL &&
		                 ident_has_list(c->trust.ident));
	if (!any)
		return;
	if (s->crl == NULL)
		r = rk_timer_new(s->loop, on_look, s, &s->crl);
	if (r == RK_OK)
		r = rk_timer_set(s->crl, rk_loop_now(s->loop) + LOOK_MS);
	if (r != RK_OK)
		log_event(RK_LOG_WARN, "server",
		    "no memory to watch the revocation list and decisions");
}

/* The letter worker.listed: the worker's thread. */
void
server_crl_listed(struct mail *m)
{
	struct worker *w = container_of(m, struct worker, listed);
	struct server_conn *c;

	TAILQ_FOREACH (c, &w->conns, link) {
		if (c->session != NULL) /* its end comes later in the turn */
			session_check_list(c->session);
	}
}
