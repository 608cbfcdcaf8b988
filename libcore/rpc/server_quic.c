/* QUIC addresses of a server: a socket a loop, and one door to all of them. */
#include "base/error.h"
#include "net/quic_cid.h"
#include "rpc/server_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Packets waiting for a loop that were received by others. */
#define STRAYS_MAX 1024

/* ---- a new peer: from its socket's loop to loop 0, and back ---- */

struct knock {
	struct mail mail;
	struct quic_port *port;
	struct quic_hello *hello;
	struct addr remote;
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

	quic_end_drop(k->port->end, k->hello, true);
	free(k);
}

/* The peer is told, or it would try for as long as a handshake may take. */
static void
turn_away(struct knock *k)
{
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
	char full[48];

	if (s->state != SERVER_RUNNING) {
		turn_away(k);
		return;
	}
	if (s->n_conns >= s->conf.max_conns) {
		(void)snprintf(full, sizeof(full),
		    "%u connections are open already", s->conf.max_conns);
		server_refuse(s, &k->remote, ADDR_QUIC, full);
		turn_away(k);
		return;
	}
	if (server_admit(s, ADDR_QUIC, &k->remote, k->port->worker, &a, &why) !=
	    RK_OK) {
		server_refuse(s, &k->remote, ADDR_QUIC, why);
		turn_away(k);
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

/* One more, of several loops' together, unless they are too many. */
static bool
count_stray(struct quic_port *to)
{
	unsigned n = atomic_load_explicit(&to->strays, memory_order_relaxed);

	do {
		if (n >= STRAYS_MAX)
			return false;
	} while (!atomic_compare_exchange_weak(&to->strays, &n, n + 1));
	return true;
}

/* What finds no room is lost, as datagrams may be. */
static void
on_stray(
    struct quic_end *e, unsigned loop, const struct quic_datagram *d, void *arg)
{
	const struct quic_port *from = arg;
	struct quic_port *to = &from->all->port[loop];
	struct stray *s;

	/* No other runs any more: the peer is told that it is unknown. */
	if (from->worker->index == 0 &&
	    server_of(from)->state == SERVER_STOPPED) {
		quic_end_feed(e, d);
		return;
	}
	if (!count_stray(to))
		return;
	s = malloc(sizeof(*s) + d->len);
	if (s == NULL) {
		atomic_fetch_sub_explicit(&to->strays, 1, memory_order_relaxed);
		return;
	}
	*s = (struct stray){ .mail = { .fn = on_stray_arrived },
		.port = to,
		.local = *d->local,
		.remote = *d->remote,
		.ecn = d->ecn,
		.len = d->len };
	memcpy(s->data, d->data, d->len);
	mailbox_put(to->worker->box, &s->mail);
}

static const struct quic_end_events events = {
	.hello = on_hello,
	.stray = on_stray,
};

/* ---- listening ---- */

static enum rk_err
open_port(struct rk_server *s, struct quic_ports *all, unsigned i,
    struct rk_error *err)
{
	struct quic_port *p = &all->port[i];
	struct quic_end_conf conf = {
		.loop = s->workers[i].loop,
		.fd = p->fd,
		.events = &events,
		.arg = p,
		.index = i,
		.n_loops = (unsigned)all->n,
		.seed = s->seed,
		/* Those under way besides the one that asks. */
		.retry_from = s->conf.retry_from - 1,
		.bbr = s->conf.congestion == RK_CONGESTION_BBR,
	};

	p->worker = &s->workers[i];
	p->all = all;
	p->fd = -1;
	atomic_init(&p->strays, 0);
	return quic_end_new(&conf, &p->end, err);
}

/* A socket for each further loop, beside the first one. */
static enum rk_err
join(struct rk_server *s, struct quic_ports *all, const struct addr *a,
    struct rk_error *err)
{
	enum rk_err r;

	/* One byte of an id says which loop it is of. */
	unsigned n = s->n_workers < QUIC_CID_LOOPS_MAX ? s->n_workers
	                                               : QUIC_CID_LOOPS_MAX;

	if (n == 1)
		return RK_OK;
	if ((r = quic_io_share(all->port[0].fd, err)) != RK_OK)
		return r;
	while (all->n < n) {
		r = quic_io_bind(a, true, &all->port[all->n].fd, NULL, err);
		if (r != RK_OK)
			return r;
		all->n++;
	}
	return RK_OK;
}

static enum rk_err
open_ports(struct rk_server *s, struct quic_ports *all, struct rk_error *err)
{
	enum rk_err r;

	for (unsigned i = 0; i < all->n; i++) {
		if ((r = open_port(s, all, i, err)) != RK_OK)
			return r;
	}
	TAILQ_INSERT_TAIL(&s->ports, all, link);
	return RK_OK;
}

static void
free_port(struct quic_port *p)
{
	quic_end_free(p->end);
	if (p->fd >= 0)
		(void)close(p->fd); /* nothing was sent on it */
}

static void
free_ports(struct quic_ports *all)
{
	for (size_t i = 0; i < all->n; i++)
		free_port(&all->port[i]);
	free(all);
}

/* With this socket as the first; takes it over, also on failure. */
static enum rk_err
new_ports(const struct rk_server *s, int fd, const struct addr *bound,
    struct quic_ports **out, struct rk_error *err)
{
	struct quic_ports *all;

	all = calloc(1, sizeof(*all) + s->n_workers * sizeof(all->port[0]));
	*out = all;
	if (all == NULL) {
		(void)close(fd); /* nothing was sent on it */
		return err_set(err, RK_ENOMEM, "quic: out of memory");
	}
	all->bound = *bound;
	all->port[0].fd = fd;
	all->n = 1;
	return RK_OK;
}

/* The first socket finds out whether the port is free; the others join it. */
enum rk_err
server_quic_listen(struct rk_server *s, const struct addr *a,
    struct addr *bound, struct rk_error *err)
{
	struct quic_ports *all;
	enum rk_err r;
	int fd;

	if ((r = quic_io_bind(a, false, &fd, bound, err)) != RK_OK ||
	    (r = new_ports(s, fd, bound, &all, err)) != RK_OK)
		return r;
	r = join(s, all, bound, err);
	if (r == RK_OK)
		r = open_ports(s, all, err);
	if (r != RK_OK)
		free_ports(all);
	return r;
}

/* Would sockets beside it take IPv4, too, which it does not? */
static bool
is_ipv6_only(int fd, const struct addr *a)
{
	socklen_t len = sizeof(int);
	int on = 0;

	return a->u.sa.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr) &&
	       getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, &len) == 0 &&
	       on != 0;
}

static void
serve_alone(struct quic_ports *all, const char *why)
{
	char where[ADDR_TEXT_LEN];

	while (all->n > 1)
		free_port(&all->port[--all->n]);
	addr_format(&all->bound, ADDR_QUIC, where);
	log_event(
	    RK_LOG_WARN, "server", "%s: one thread serves it: %s", where, why);
}

enum rk_err
server_quic_listen_fd(
    struct rk_server *s, int fd, const struct addr *bound, struct rk_error *err)
{
	struct quic_ports *all;
	struct rk_error why;
	enum rk_err r;

	if ((r = new_ports(s, fd, bound, &all, err)) != RK_OK)
		return r;
	all->passed = true;
	if (s->n_workers > 1 && is_ipv6_only(fd, bound))
		serve_alone(all, "the socket is for IPv6 only");
	/* Another user's, as those of a service manager are. */
	else if (join(s, all, bound, &why) != RK_OK)
		serve_alone(all, "other sockets cannot join the one passed in");
	r = open_ports(s, all, err);
	if (r != RK_OK)
		free_ports(all);
	return r;
}

bool
server_quic_has(const struct rk_server *s, const struct addr *bound)
{
	const struct quic_ports *all;

	TAILQ_FOREACH (all, &s->ports, link) {
		if (all->bound.len == bound->len &&
		    memcmp(&all->bound.u, &bound->u, bound->len) == 0)
			return true;
	}
	return false;
}

void
server_quic_deafen(struct worker *w)
{
	struct quic_ports *all;

	TAILQ_FOREACH (all, &w->server->ports, link) {
		if (w->index < all->n)
			quic_end_deafen(all->port[w->index].end);
	}
}

void
server_quic_hurry(struct rk_server *s)
{
	struct quic_ports *all;

	TAILQ_FOREACH (all, &s->ports, link) {
		for (size_t i = 0; i < all->n; i++)
			quic_end_hurry(all->port[i].end);
		/* Loop 0 may go on, and turns everybody away who comes. */
		for (size_t i = 1; i < all->n; i++)
			quic_end_close(all->port[i].end);
	}
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
