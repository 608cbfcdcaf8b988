/* Who comes by UDP: new peers go to loop 0 and back, strays to their loop. */
#include "base/error.h"
#include "rpc/server_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Packets waiting for a loop that were received by others: anybody can send
 * some that have to. */
#define STRAYS_MAX 1024
#define STRAY_BYTES_MAX ((size_t)4 << 20)

/* ---- a new peer: from its socket's loop to loop 0, and back ---- */

struct knock {
	struct mail mail;
	struct udp_port *port;
	void *hello;
	struct addr remote;
};

static struct rk_server *
server_of(const struct udp_port *p)
{
	return p->worker->server;
}

/* On the port's own loop. */
static void
on_turned_away(struct mail *m)
{
	struct knock *k = (struct knock *)(void *)m;

	server_port_drop(k->port, k->hello, true);
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
	const enum addr_scheme scheme = k->port->all->scheme;
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
		server_refuse(s, &k->remote, scheme, full);
		turn_away(k);
		return;
	}
	if (server_admit(s, scheme, &k->remote, k->port->worker, &a, &why) !=
	    RK_OK) {
		server_refuse(s, &k->remote, scheme, why);
		turn_away(k);
		return;
	}
	a->port = k->port;
	a->hello = k->hello;
	free(k);
	server_hand_over(s, a);
}

void
server_knock(struct udp_port *p, void *hello, const struct addr *remote)
{
	struct knock *k = malloc(sizeof(*k));

	if (k == NULL) {
		server_port_drop(p, hello, false);
		return;
	}
	*k = (struct knock){ .mail = { .fn = on_knock },
		.port = p,
		.hello = hello,
		.remote = *remote };
	if (p->worker->index == 0)
		on_knock(&k->mail);
	else
		mailbox_put(server_of(p)->workers[0].box, &k->mail);
}

/* ---- packets that came to the wrong socket ---- */

struct stray {
	struct mail mail;
	struct udp_port *port; /* where it belongs */
	struct addr local;
	struct addr remote;
	uint8_t ecn;
	size_t len;
	uint8_t data[];
};

static void
forget_stray(struct udp_port *to, size_t len)
{
	atomic_fetch_sub_explicit(&to->strays, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&to->stray_bytes, len, memory_order_relaxed);
}

static void
on_stray_arrived(struct mail *m)
{
	struct stray *s = (struct stray *)(void *)m;
	struct quic_datagram d = { .data = s->data,
		.len = s->len,
		.remote = &s->remote,
		.local = &s->local,
		.ecn = s->ecn };

	forget_stray(s->port, s->len);
	server_port_feed(s->port, &d);
	free(s);
}

static bool
take_bytes(struct udp_port *to, size_t len)
{
	size_t n = atomic_load_explicit(&to->stray_bytes, memory_order_relaxed);

	do {
		if (n + len > STRAY_BYTES_MAX)
			return false;
	} while (!atomic_compare_exchange_weak(&to->stray_bytes, &n, n + len));
	return true;
}

/* One more, of several loops' together, unless they are too many. */
static bool
count_stray(struct udp_port *to, size_t len)
{
	unsigned n = atomic_load_explicit(&to->strays, memory_order_relaxed);

	if (!take_bytes(to, len))
		return false;
	do {
		if (n >= STRAYS_MAX) {
			atomic_fetch_sub_explicit(
			    &to->stray_bytes, len, memory_order_relaxed);
			return false;
		}
	} while (!atomic_compare_exchange_weak(&to->strays, &n, n + 1));
	return true;
}

/* What finds no room is lost, as datagrams may be. */
void
server_stray(
    struct udp_port *from, unsigned loop, const struct quic_datagram *d)
{
	struct udp_port *to = &from->all->port[loop];
	struct stray *s;

	/* No other runs any more: the peer is told that it is unknown. */
	if (from->worker->index == 0 &&
	    server_of(from)->state == SERVER_STOPPED) {
		server_port_feed(from, d);
		return;
	}
	if (!count_stray(to, d->len))
		return;
	s = malloc(sizeof(*s) + d->len);
	if (s == NULL) {
		forget_stray(to, d->len);
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
