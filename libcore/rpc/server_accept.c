/* Loop 0 of a server: admitting peers, handing them to workers, their end. */
#include "base/container.h"
#include "base/error.h"
#include "base/str.h"
#include "net/sock.h"
#include "rpc/server_int.h"

#include <rpckit/secret.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ACCEPT_BATCH 64    /* a turn, so that others have theirs */
#define SHORTAGE_PAUSE 100 /* ms without descriptors or memory */

/* ---- admitting ---- */

static void
tell_refused(struct rk_server *s, const char *remote, const char *why)
{
	struct server_watch *w;

	TAILQ_FOREACH (w, &s->watches, link)
		w->refused(w, remote, why);
}

void
server_refuse(struct rk_server *s, const struct addr *remote,
    enum addr_scheme scheme, const char *why)
{
	char where[ADDR_TEXT_LEN];
	char line[RK_ERROR_TEXT_LEN];

	atomic_fetch_add_explicit(&s->refused, 1, memory_order_relaxed);
	addr_format(remote, scheme, where);
	(void)snprintf(line, sizeof(line), "%s: refused: %s", where, why);
	server_log_refusal(s, s->loop, line);
	tell_refused(s, where, why);
}

static struct worker *
least_loaded(struct rk_server *s)
{
	struct worker *best = &s->workers[0];
	size_t least = SIZE_MAX;

	for (unsigned i = 0; i < s->n_workers; i++) {
		size_t n = atomic_load_explicit(
		    &s->workers[i].n_conns, memory_order_relaxed);

		if (n < least) {
			least = n;
			best = &s->workers[i];
		}
	}
	return best;
}

/* The layers are made here, where the credentials live. */
static enum rk_err
make_stack(struct rk_server *s, const struct listener *l, int fd,
    struct rk_loop *loop, struct layer **out)
{
	struct creds *c = TAILQ_FIRST(&s->creds);
	struct layer *below;
	enum rk_err r;

	if (addr_is_session(l->scheme))
		return sess_layer_new(&c->sess, loop, fd, l->scheme, out);
	if ((r = sock_layer_new(fd, l->scheme, &below)) != RK_OK)
		return r;
	if (l->scheme != ADDR_TLS) {
		*out = below;
		return RK_OK;
	}
	return tls_layer_new(c->tls, loop, below, out);
}

static struct admission *
from_closed(struct mail *m)
{
	return container_of(m, struct admission, closed);
}

static void
leave_gate(struct rk_server *s, struct admission *a, bool failed)
{
	if (!a->has_left)
		gate_leave(&s->gate, a->prefix, a->exempt, failed,
		    rk_loop_now(s->loop));
	a->has_left = true;
}

/* Who waits has proven to have a certificate of ours, and other limits: it is
 * not in the way of those who are on their way. */
static void
on_waits(struct mail *m)
{
	struct admission *a = container_of(m, struct admission, waits);

	leave_gate(a->worker->server, a, false);
}

static void
on_trusted(struct mail *m)
{
	struct admission *a = container_of(m, struct admission, trusted);
	struct rk_server *s = a->worker->server;
	struct server_watch *w;

	leave_gate(s, a, false);
	log_event(RK_LOG_DEBUG, "server", "%s: open", a->remote);
	TAILQ_FOREACH (w, &s->watches, link)
		w->opened(w, a);
}

static void
on_present(struct mail *m)
{
	struct admission *a = container_of(m, struct admission, present);

	a->is_present = true;
	TAILQ_INSERT_TAIL(&a->worker->server->present, a, link);
}

static void on_closed(struct mail *m);

void
server_hand_over(struct rk_server *s, struct admission *a)
{
	struct worker *w = a->worker;

	s->n_conns++;
	a->creds->users++;
	atomic_fetch_add_explicit(&w->n_conns, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->accepted, 1, memory_order_relaxed);
	if (w->index == 0)
		server_conn_take(&a->take);
	else
		mailbox_put(w->box, &a->take);
}

enum rk_err
server_admit(struct rk_server *s, enum addr_scheme scheme,
    const struct addr *remote, struct worker *w, struct admission **out,
    const char **why)
{
	bool exempt = addr_is_loopback(remote);
	uint64_t prefix = addr_prefix(remote);
	uint64_t now = rk_loop_now(s->loop);
	struct admission *a;
	enum gate_verdict v;
	uint32_t roll;

	*out = NULL;
	rk_random(&roll, sizeof(roll));
	v = gate_enter(&s->gate, prefix, exempt, now, roll % 100);
	*why = gate_text(v);
	if (v != GATE_ADMIT)
		return RK_ELIMIT;
	a = malloc(sizeof(*a));
	if (a == NULL) {
		gate_leave(&s->gate, prefix, exempt, false, now);
		*why = "out of memory";
		return RK_ENOMEM;
	}
	*a = (struct admission){ .take = { .fn = server_conn_take },
		.waits = { .fn = on_waits },
		.trusted = { .fn = on_trusted },
		.present = { .fn = on_present },
		.closed = { .fn = on_closed },
		.worker = w,
		.creds = TAILQ_FIRST(&s->creds),
		.scheme = scheme,
		.prefix = prefix,
		.exempt = exempt };
	addr_format(remote, scheme, a->remote);
	*out = a;
	return RK_OK;
}

static void
admit(struct rk_server *s, const struct listener *l, int fd,
    const struct addr *remote)
{
	struct admission *a;
	const char *why = "only for root and the user of this program";

	if ((s->own_uid_only && !sock_is_ours(fd)) ||
	    server_admit(s, l->scheme, remote, least_loaded(s), &a, &why) !=
	        RK_OK) {
		(void)close(fd); /* nothing was sent */
		server_refuse(s, remote, l->scheme, why);
		return;
	}
	if (make_stack(s, l, fd, a->worker->loop, &a->top) != RK_OK) {
		gate_leave(&s->gate, a->prefix, a->exempt, false,
		    rk_loop_now(s->loop));
		log_event(RK_LOG_WARN, "server", "%s: no memory", a->remote);
		free(a);
		return;
	}
	server_hand_over(s, a);
}

static void
pause_a_while(struct rk_server *s)
{
	uint64_t at = rk_loop_now(s->loop) + SHORTAGE_PAUSE;

	/* Without a timer the next closed connection resumes. */
	if (rk_timer_set(s->retry, at) == RK_OK || s->n_conns != 0)
		server_pause_accept(s, true);
}

void
server_on_acceptable(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct listener *l = arg;
	struct rk_server *s = l->server;
	struct addr remote;
	enum rk_err r;
	int peer;

	(void)w;
	(void)ready;
	for (int i = 0; i < ACCEPT_BATCH; i++) {
		if (s->n_conns >= s->conf.max_conns) {
			server_pause_accept(s, true);
			return;
		}
		r = sock_accept(fd, &peer, &remote);
		if (r == RK_EAGAIN)
			return;
		if (r != RK_OK) {
			server_log_refusal(s, s->loop,
			    "cannot accept: out of descriptors or memory");
			pause_a_while(s);
			return;
		}
		admit(s, l, peer, &remote);
	}
}

void
server_pause_accept(struct rk_server *s, bool pause)
{
	struct listener *l;

	if (s->paused == pause)
		return;
	s->paused = pause;
	TAILQ_FOREACH (l, &s->listeners, link) {
		if (l->watch != NULL &&
		    rk_watch_set(l->watch, pause ? 0 : RK_READ) != RK_OK)
			log_event(
			    RK_LOG_ERROR, "server", "cannot watch a listener");
	}
}

/* ---- the end of a connection ---- */

/* Some texts begin with the address already, which comes before this. */
static const char *
why_closed(const struct admission *a)
{
	size_t len = strlen(a->remote);

	if (strncmp(a->why.text, a->remote, len) == 0 &&
	    strncmp(a->why.text + len, ": ", 2) == 0)
		return a->why.text + len + 2;
	return a->why.text;
}

static void
note_refused(struct rk_server *s, struct admission *a)
{
	char line[RK_ERROR_TEXT_LEN + ADDR_TEXT_LEN + 4];
	bool failed = a->why.code != RK_ECANCELED;

	leave_gate(s, a, failed);
	if (!failed)
		return;
	atomic_fetch_add_explicit(&s->refused, 1, memory_order_relaxed);
	(void)snprintf(line, sizeof(line), "%s: %s", a->remote, why_closed(a));
	server_log_refusal(s, s->loop, line);
	tell_refused(s, a->remote, why_closed(a));
}

/* What was decided here is always said; how often a peer breaks off, or the
 * protocol, or says that it refuses us, is its own affair. */
static void
log_closed(const struct admission *a)
{
	struct rk_server *s = a->worker->server;
	const enum rk_err code = a->why.code;
	char line[RK_ERROR_TEXT_LEN + ADDR_TEXT_LEN + 16];

	(void)snprintf(
	    line, sizeof(line), "%s: closed: %s", a->remote, why_closed(a));
	if (code == RK_ECLOSED || code == RK_ECANCELED)
		log_event(RK_LOG_DEBUG, "server", "%s", line);
	else if (a->put_out)
		log_event(RK_LOG_INFO, "server", "%s", line);
	else
		server_log_end(s, s->loop, line);
}

static void
note_closed(const struct admission *a)
{
	struct server_watch *w;

	log_closed(a);
	TAILQ_FOREACH (w, &a->worker->server->watches, link)
		w->closed(w, a, why_closed(a));
}

static void
on_closed(struct mail *m)
{
	struct admission *a = from_closed(m);
	struct rk_server *s = a->worker->server;

	if (a->was_open)
		note_closed(a);
	else
		note_refused(s, a);
	if (a->is_present)
		TAILQ_REMOVE(&s->present, a, link);
	s->n_conns--;
	atomic_fetch_sub_explicit(&a->worker->n_conns, 1, memory_order_relaxed);
	creds_release(s, a->creds);
	free(a);
	if (s->state == SERVER_RUNNING && !rk_timer_armed(s->retry))
		server_pause_accept(s, false);
	server_fd_check(s);
	server_check_stopped(s);
}
