/* UDP addresses of a server: a socket a loop, and what they end with. */
#include "base/error.h"
#include "rpc/server_int.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- listening ---- */

static enum rk_err
open_port(struct rk_server *s, struct udp_ports *all, unsigned i,
    struct rk_error *err)
{
	struct udp_port *p = &all->port[i];
	const int fd = p->fd;

	p->worker = &s->workers[i];
	p->all = all;
	p->fd = -1;
	atomic_init(&p->strays, 0);
	atomic_init(&p->stray_bytes, 0);
	return server_port_open(p, fd, err);
}

/* A socket for each further loop, beside the first one. */
static enum rk_err
join(struct rk_server *s, struct udp_ports *all, const struct addr *a,
    struct rk_error *err)
{
	enum rk_err r;

	/* One byte of an id says which loop it is of. */
	unsigned n = server_port_loops(all->scheme);

	if (s->n_workers < n)
		n = s->n_workers;
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
open_ports(struct rk_server *s, struct udp_ports *all, struct rk_error *err)
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
free_port(struct udp_port *p)
{
	if (p->end != NULL)
		server_port_free(p);
	if (p->fd >= 0)
		(void)close(p->fd); /* nothing was sent on it */
}

static void
free_ports(struct udp_ports *all)
{
	for (size_t i = 0; i < all->n; i++)
		free_port(&all->port[i]);
	free(all);
}

/* With this socket as the first; takes it over, also on failure. */
static enum rk_err
new_ports(const struct rk_server *s, enum addr_scheme scheme, int fd,
    const struct addr *bound, struct udp_ports **out, struct rk_error *err)
{
	struct udp_ports *all;

	all = calloc(1, sizeof(*all) + s->n_workers * sizeof(all->port[0]));
	*out = all;
	if (all == NULL) {
		(void)close(fd); /* nothing was sent on it */
		return err_set(err, RK_ENOMEM, "server: out of memory");
	}
	all->scheme = scheme;
	all->bound = *bound;
	all->port[0].fd = fd;
	all->n = 1;
	return RK_OK;
}

/* In its own name. */
static enum rk_err
cannot_listen(enum addr_scheme scheme, const struct addr *a, enum rk_err r,
    struct rk_error *err)
{
	char where[ADDR_TEXT_LEN];

	if (scheme == ADDR_QUIC || err == NULL)
		return r;
	addr_format(a, scheme, where);
	(void)err_sys(err, r, err->sys, "%s: cannot listen", where);
	err->step = "listen";
	return r;
}

/* The first socket finds out whether the port is free; the others join it. */
enum rk_err
server_udp_listen(struct rk_server *s, enum addr_scheme scheme,
    const struct addr *a, struct addr *bound, struct rk_error *err)
{
	struct udp_ports *all;
	enum rk_err r;
	int fd;

	if ((r = quic_io_bind(a, false, &fd, bound, err)) != RK_OK)
		return cannot_listen(scheme, a, r, err);
	if ((r = new_ports(s, scheme, fd, bound, &all, err)) != RK_OK)
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
serve_alone(struct udp_ports *all, const char *why)
{
	char where[ADDR_TEXT_LEN];

	while (all->n > 1)
		free_port(&all->port[--all->n]);
	addr_format(&all->bound, all->scheme, where);
	log_event(
	    RK_LOG_WARN, "server", "%s: one thread serves it: %s", where, why);
}

enum rk_err
server_udp_listen_fd(struct rk_server *s, enum addr_scheme scheme, int fd,
    const struct addr *bound, struct rk_error *err)
{
	struct udp_ports *all;
	struct rk_error why;
	enum rk_err r;

	if ((r = new_ports(s, scheme, fd, bound, &all, err)) != RK_OK)
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
server_udp_has(const struct rk_server *s, const struct addr *bound)
{
	const struct udp_ports *all;

	TAILQ_FOREACH (all, &s->ports, link) {
		if (all->bound.len == bound->len &&
		    memcmp(&all->bound.u, &bound->u, bound->len) == 0)
			return true;
	}
	return false;
}

bool
server_udp_serves(const struct rk_server *s, enum addr_scheme scheme)
{
	const struct udp_ports *all;

	TAILQ_FOREACH (all, &s->ports, link) {
		if (all->scheme == scheme)
			return true;
	}
	return false;
}

enum rk_err
server_udp_take(struct admission *a, struct layer **out)
{
	void *hello = a->hello;

	a->hello = NULL;
	return server_port_accept(a->port, a->creds, hello, out);
}

void
server_udp_deafen(struct worker *w)
{
	struct udp_ports *all;

	TAILQ_FOREACH (all, &w->server->ports, link) {
		if (w->index < all->n)
			server_port_deafen(&all->port[w->index]);
	}
}

void
server_udp_require(struct rk_server *s, struct rk_psks *psks)
{
	struct udp_ports *all;

	TAILQ_FOREACH (all, &s->ports, link) {
		for (size_t i = 0; i < all->n; i++)
			server_port_require(&all->port[i], psks);
	}
}

void
server_udp_hurry(struct rk_server *s)
{
	struct udp_ports *all;

	TAILQ_FOREACH (all, &s->ports, link) {
		for (size_t i = 0; i < all->n; i++)
			server_port_hurry(&all->port[i]);
		/* Loop 0 may go on, and turns everybody away who comes. */
		for (size_t i = 1; i < all->n; i++)
			server_port_close(&all->port[i]);
	}
}

void
server_udp_free(struct rk_server *s)
{
	struct udp_ports *all;

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
	struct udp_ports *all;

	TAILQ_FOREACH (all, &s->ports, link) {
		if (all->scheme == ADDR_QUIC && reaches(&all->bound, remote))
			return all->port[0].end;
	}
	return NULL;
}
