/* QUIC addresses of a server: a socket a loop, and one door to all of them. */
#include "base/error.h"
#include "rpc/server_int.h"

#include <stdlib.h>
#include <string.h>

/* Handshakes of one socket under way before peers must prove their address. */
#define RETRY_FROM 64
/* Packets waiting for a loop that were received by others. */
#define STRAYS_MAX 1024

/* ---- a new peer: from its socket's loop to loop 0, and back ---- */

struct knock {
	struct mail mail;
	struct quic_port *port;
	struct quic_hello *hello;
	struct addr remote;
	bool busy; /* what the peer is told when it is turned away */
};

static struct rk_server *
server_of(const struct quic_port *p)
{
	return p->worker->server;
}

/* On the port's own loop. */
static void
on_turned_away(struct mail *m)
{
	struct knock *k = (struct knock *)(void *)m;

	quic_end_drop(k->port->end, k->hello, k->busy);
	free(k);
}

static void
turn_away(struct knock *k, bool busy)
{
	k->busy = busy;
	k->mail = (struct mail){ .fn = on_turned_away };
	/* Without boxes no loop runs any more. */
	if (k->port->worker->index == 0 || k->port->worker->box == NULL)
		on_turned_away(&k->mail);
	else
		mailbox_put(k->port->worker->box, &k->mail);
}

/* On loop 0. */
static void
on_knock(struct mail *m)
{
	struct knock *k = (struct knock *)(void *)m;
	struct rk_server *s = server_of(k->port);
	struct admission *a;
	const char *why;

	if (s->state != SERVER_RUNNING || s->n_conns >= s->conf.max_conns) {
		turn_away(k, true);
		return;
	}
	if (server_admit(s, ADDR_QUIC, &k->remote, k->port->worker, &a, &why) !=
	    RK_OK) {
		server_refuse(s, &k->remote, ADDR_QUIC, why);
		turn_away(k, false);
		return;
	}
	a->port = k->port;
	a->hello = k->hello;
	free(k);
	server_hand_over(s, a);
}

static void
on_hello(struct quic_end *e, struct quic_hello *h, void *arg)
{
	struct quic_port *p = arg;
	struct knock *k = malloc(sizeof(*k));

	if (k == NULL) {
		quic_end_drop(e, h, false);
		return;
	}
	*k = (struct knock){ .mail = { .fn = on_knock },
		.port = p,
		.hello = h,
		.remote = *quic_hello_remote(h) };
	if (p->worker->index == 0)
		on_knock(&k->mail);
	else
		mailbox_put(server_of(p)->workers[0].box, &k->mail);
}

enum rk_err
server_quic_take(struct admission *a, struct layer **out)
{
	struct quic_hello *h = a->hello;

	a->hello = NULL;
	return quic_end_accept(a->port->end, a->creds->quic, h, out);
}

/* ---- packets that came to the wrong socket ---- */

struct stray {
	struct mail mail;
	struct quic_port *port; /* where it belongs */
	struct addr local;
	struct addr remote;
	uint8_t ecn;
	size_t len;
	uint8_t data[];
};

static void
on_stray_arrived(struct mail *m)
{
	struct stray *s = (struct stray *)(void *)m;
	struct quic_datagram d = { .data = s->data,
		.len = s->len,
		.remote = &s->remote,
		.local = &s->local,
		.ecn = s->ecn };

	atomic_fetch_sub_explicit(&s->port->strays, 1, memory_order_relaxed);
	quic_end_feed(s->port->end, &d);
	free(s);
}

/* What finds no room is lost, as datagrams may be. */
static void
on_stray(
    struct quic_end *e, unsigned loop, const struct quic_datagram *d, void *arg)
{
	const struct quic_port *from = arg;
	struct quic_port *to = &from->all->port[loop];
	struct stray *s;

	(void)e;
	if (atomic_load_explicit(&to->strays, memory_order_relaxed) >=
	    STRAYS_MAX)
		return;
	s = malloc(sizeof(*s) + d->len);
	if (s == NULL)
		return;
	*s = (struct stray){ .mail = { .fn = on_stray_arrived },
		.port = to,
		.local = *d->local,
		.remote = *d->remote,
		.ecn = d->ecn,
		.len = d->len };
	memcpy(s->data, d->data, d->len);
	atomic_fetch_add_explicit(&to->strays, 1, memory_order_relaxed);
	mailbox_put(to->worker->box, &s->mail);
}

static const struct quic_end_events events = {
	.hello = on_hello,
	.stray = on_stray,
};

/* ---- listening ---- */

static enum rk_err
open_port(struct rk_server *s, struct quic_ports *all, unsigned i, int fd,
    struct rk_error *err)
{
	struct quic_port *p = &all->port[i];
	struct quic_end_conf conf = {
		.loop = s->workers[i].loop,
		.fd = fd,
		.events = &events,
		.arg = p,
		.index = i,
		.n_loops = s->n_workers,
		.seed = s->seed,
		.retry_from = RETRY_FROM,
	};

	p->worker = &s->workers[i];
	p->all = all;
	atomic_init(&p->strays, 0);
	return quic_end_new(&conf, &p->end, err);
}

/* The first socket finds out whether the port is free; the others join it. */
static enum rk_err
open_ports(struct rk_server *s, struct quic_ports *all, const struct addr *a,
    struct rk_error *err)
{
	enum rk_err r;
	int fd;

	if ((r = quic_io_bind(a, false, &fd, &all->bound, err)) != RK_OK)
		return r;
	for (unsigned i = 0; i < s->n_workers; i++) {
		if (i > 0 && (r = quic_io_bind(
		                  &all->bound, true, &fd, NULL, err)) != RK_OK)
			return r;
		if (i == 0 && s->n_workers > 1 &&
		    (r = quic_io_share(fd, err)) != RK_OK)
			return r;
		if ((r = open_port(s, all, i, fd, err)) != RK_OK)
			return r;
		all->n++;
	}
	return RK_OK;
}

static void
free_ports(struct quic_ports *all)
{
	for (size_t i = 0; i < all->n; i++)
		quic_end_free(all->port[i].end);
	free(all);
}

enum rk_err
server_quic_listen(struct rk_server *s, const struct addr *a,
    struct addr *bound, struct rk_error *err)
{
	struct quic_ports *all;
	enum rk_err r;

	all = calloc(1, sizeof(*all) + s->n_workers * sizeof(all->port[0]));
	if (all == NULL)
		return err_set(err, RK_ENOMEM, "quic: out of memory");
	if ((r = open_ports(s, all, a, err)) != RK_OK) {
		free_ports(all);
		return r;
	}
	TAILQ_INSERT_TAIL(&s->ports, all, link);
	*bound = all->bound;
	return RK_OK;
}

void
server_quic_deafen(struct worker *w)
{
	struct quic_ports *all;

	TAILQ_FOREACH (all, &w->server->ports, link)
		quic_end_deafen(all->port[w->index].end);
}

void
server_quic_free(struct rk_server *s)
{
	struct quic_ports *all;

	while ((all = TAILQ_FIRST(&s->ports)) != NULL) {
		TAILQ_REMOVE(&s->ports, all, link);
		free_ports(all);
	}
}

/* A socket bound to one address reaches others of its family; one bound to all
 * of IPv6 reaches those of IPv4, too. */
static bool
reaches(const struct addr *bound, const struct addr *remote)
{
	if (bound->u.sa.sa_family == remote->u.sa.sa_family)
		return true;
	return bound->u.sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&bound->u.in6.sin6_addr);
}

struct quic_end *
server_quic_end(const struct rk_server *s, const struct addr *remote)
{
	struct quic_ports *all;

	TAILQ_FOREACH (all, &s->ports, link) {
		if (reaches(&all->bound, remote))
			return all->port[0].end;
	}
	return NULL;
}
