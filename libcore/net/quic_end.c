/* A QUIC endpoint: its socket, who a packet is for, the end of a turn. */
#include "net/quic_int.h"

#include "base/container.h"
#include "base/error.h"

#include <rpckit/secret.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Batches one turn takes from the socket: others wait meanwhile. */
#define ROUNDS 8

/* ---- packets in ---- */

/* RFC 8999, 5.  A version of 0 is no sign of it: a negotiation's is, too. */
static bool
is_short(const struct quic_datagram *d)
{
	return (d->data[0] & 0x80) == 0;
}

/* An id of another loop's making: the peer's address changed, and with it the
 * socket that the kernel picks. */
static bool
is_stray(const struct quic_end *e, const ngtcp2_version_cid *vc, unsigned *loop)
{
	if (e->n_loops < 2 || vc->dcidlen != QUIC_CID_LEN)
		return false;
	*loop = quic_cid_loop(&e->keys, vc->dcid);
	return *loop < e->n_loops && *loop != e->index;
}

/* For nobody here.  Looks like a reset of a connection we have, or is of a
 * connection we have forgotten. */
static void
unknown_short(struct quic_end *e, const struct quic_datagram *d,
    const ngtcp2_version_cid *vc)
{
	struct quic_conn *c = NULL;

	if (d->len > QUIC_RESET_TOKEN_LEN)
		c = quic_map_find(&e->tokens,
		    d->data + d->len - QUIC_RESET_TOKEN_LEN,
		    QUIC_RESET_TOKEN_LEN);
	if (c != NULL)
		quic_conn_input(
		    c, d->local, d->remote, d->ecn, d->data, d->len);
	else
		quic_hello_reset(e, d, vc->dcid);
}

static void
route(struct quic_end *e, const struct quic_datagram *d, bool may_stray)
{
	ngtcp2_version_cid vc;
	struct quic_conn *c;
	unsigned loop = 0;
	int rv;

	rv = ngtcp2_pkt_decode_version_cid(&vc, d->data, d->len, QUIC_CID_LEN);
	if (rv == NGTCP2_ERR_VERSION_NEGOTIATION) {
		quic_hello_versions(e, d, &vc);
		return;
	}
	if (rv != 0) {
		e->stats.ignored++;
		return;
	}
	c = quic_map_find(&e->ids, vc.dcid, vc.dcidlen);
	if (c != NULL) {
		quic_conn_input(
		    c, d->local, d->remote, d->ecn, d->data, d->len);
	} else if (may_stray && is_stray(e, &vc, &loop)) {
		e->stats.strays++;
		e->events->stray(e, loop, d, e->arg);
	} else if (is_short(d)) {
		unknown_short(e, d, &vc);
	} else {
		quic_hello_input(e, d);
	}
}

static void
on_datagram(const struct quic_datagram *d, void *arg)
{
	route(arg, d, true);
}

void
quic_end_feed(struct quic_end *e, const struct quic_datagram *d)
{
	route(e, d, false);
}

/*
 * Nobody at the other end of a connected socket: whatever is not yet connected
 * never will be.  What is may only ask, for anybody can say so.
 */
static void
nobody_there(struct quic_end *e, int sys)
{
	struct rk_error why = { 0 };
	char where[ADDR_TEXT_LEN];
	struct quic_conn *c, *next;

	for (c = TAILQ_FIRST(&e->conns); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->completed && sys == ECONNREFUSED)
			quic_conn_doubt(c);
		if (c->completed || c->state != QUIC_LIVE)
			continue;
		addr_format(&c->remote, ADDR_QUIC, where);
		(void)err_sys(
		    &why, RK_ECONNECT, sys, "%s: cannot connect", where);
		why.step = "connect";
		quic_conn_die(c, &why);
	}
}

static void
on_ready(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct quic_end *e = arg;
	enum rk_err r = RK_OK;
	int sys = 0;

	(void)w;
	(void)fd;
	if ((ready & RK_WRITE) != 0)
		e->blocked = false;
	if ((ready & RK_READ) != 0) {
		for (int i = 0; i < ROUNDS && r == RK_OK; i++)
			r = quic_io_recv(e->io, on_datagram, e, &sys);
		if (r == RK_ECONNECT)
			nobody_there(e, sys);
	}
	loop_hook_queue_last(e->loop, &e->hook);
}

/* ---- packets out ---- */

static void
flush(struct quic_end *e)
{
	unsigned want = RK_READ;

	e->blocked = quic_io_flush(e->io) == RK_EAGAIN;
	if (e->blocked)
		want |= RK_WRITE;
	else if (!TAILQ_EMPTY(&e->dirty))
		loop_hook_queue_last(e->loop, &e->hook);
	if (rk_watch_set(e->watch, want) != RK_OK)
		log_event(RK_LOG_ERROR, "quic", "cannot watch the socket");
}

/* After everybody else of this turn.  What the socket does not take now is
 * written when it does: the list is kept. */
static void
on_hook(struct loop_hook *h)
{
	struct quic_end *e = container_of(h, struct quic_end, hook);
	struct quic_conn *c;

	while (!e->blocked && (c = TAILQ_FIRST(&e->dirty)) != NULL) {
		TAILQ_REMOVE(&e->dirty, c, dirty);
		c->is_dirty = false;
		c->first = true;
		if (c->state == QUIC_LIVE && quic_conn_may_wait(c))
			quic_conn_arm(c);
		else if (c->state == QUIC_LIVE)
			quic_conn_write(c);
		if (c->state == QUIC_DEAD && !c->held) {
			quic_conn_free(c);
			continue;
		}
		if (quic_io_room(e->io) != NULL)
			continue;
		e->blocked = true;
		if (c->state == QUIC_LIVE)
			quic_conn_touch(c); /* it may not have written all */
	}
	flush(e);
}

void
quic_conn_touch(struct quic_conn *c)
{
	c->due = true;
	quic_conn_stir(c);
}

void
quic_conn_stir(struct quic_conn *c)
{
	if (!c->is_dirty) {
		TAILQ_INSERT_TAIL(&c->end->dirty, c, dirty);
		c->is_dirty = true;
	}
	loop_hook_queue_last(c->end->loop, &c->end->hook);
}

void
quic_end_send(struct quic_end *e, const struct addr *local,
    const struct addr *remote, const uint8_t *data, size_t len)
{
	uint8_t *room = quic_io_room(e->io);

	if (room == NULL || len == 0)
		return; /* lost, as datagrams may be */
	memcpy(room, data, len);
	quic_io_put(e->io, local, remote, 0, len, len);
	loop_hook_queue_last(e->loop, &e->hook);
}

/* ---- its life ---- */

static enum rk_err
join_mem(struct quic_end *e)
{
	void **shared = loop_shared(e->loop);

	if (*shared == NULL)
		*shared = calloc(1, sizeof(*e->mem));
	e->mem = *shared;
	if (e->mem == NULL)
		return RK_ENOMEM;
	e->mem->users++;
	return RK_OK;
}

static void
leave_mem(struct quic_end *e)
{
	if (e->mem == NULL || --e->mem->users > 0)
		return;
	quic_io_mem_fini(&e->mem->io);
	quic_blocks_fini(&e->mem->blocks);
	free(e->mem);
	*loop_shared(e->loop) = NULL;
}

static enum rk_err
take_seed(
    struct quic_end *e, const struct quic_end_conf *conf, struct rk_error *err)
{
	struct seed *seed = conf->seed;
	struct seed *own = NULL;
	enum rk_err r;

	if (seed == NULL) {
		if ((r = seed_new(NULL, &own, err)) != RK_OK)
			return r;
		seed = own;
	}
	seed_derive(
	    seed, "quic-reset", 0, e->keys.reset, sizeof(e->keys.reset));
	if (conf->reset != NULL)
		memcpy(e->keys.reset, conf->reset, sizeof(e->keys.reset));
	seed_derive(seed, "quic-loop", 0, e->keys.loop, sizeof(e->keys.loop));
	seed_derive(seed, "quic-token", 0, e->token_key, sizeof(e->token_key));
	seed_free(own);
	return RK_OK;
}

static void
init(struct quic_end *e, const struct quic_end_conf *conf)
{
	e->loop = conf->loop;
	e->events = conf->events;
	e->arg = conf->arg;
	e->index = conf->index;
	e->n_loops = conf->n_loops == 0 ? 1 : conf->n_loops;
	e->retry_from = conf->retry_from;
	e->bbr = conf->bbr;
	e->pace_all = conf->pace_all;
	e->hook.fn = on_hook;
	TAILQ_INIT(&e->conns);
	TAILQ_INIT(&e->dirty);
	TAILQ_INIT(&e->hellos);
	quic_map_init(&e->ids);
	quic_map_init(&e->hello_ids);
	quic_map_init(&e->tokens);
}

enum rk_err
quic_end_new(const struct quic_end_conf *conf, struct quic_end **out,
    struct rk_error *err)
{
	struct quic_end *e;
	enum rk_err r;

	*out = NULL;
	e = calloc(1, sizeof(*e));
	if (e == NULL) {
		(void)close(conf->fd); /* nobody uses it */
		return err_set(err, RK_ENOMEM, "quic: out of memory");
	}
	init(e, conf);
	if ((r = join_mem(e)) != RK_OK)
		(void)close(conf->fd); /* nobody uses it */
	else
		r = quic_io_new(conf->fd, &e->mem->io, &e->io);
	if (r != RK_OK)
		(void)err_set(err, r, "quic: %s", rk_err_text(r));
	if (r == RK_OK)
		r = take_seed(e, conf, err);
	if (r == RK_OK) {
		r = rk_watch_new(e->loop, quic_io_fd(e->io), RK_READ, on_ready,
		    e, &e->watch);
		if (r != RK_OK)
			(void)err_set(err, r, "quic: %s", rk_err_text(r));
	}
	if (r == RK_OK)
		*out = e;
	else
		quic_end_free(e);
	return r;
}

void
quic_end_hurry(struct quic_end *e)
{
	struct quic_conn *c;

	if (e == NULL)
		return;
	TAILQ_FOREACH (c, &e->conns, link)
		quic_conn_go_on_leaving(c, true);
	if (e->io != NULL && quic_io_flush(e->io) != RK_OK)
		log_event(RK_LOG_DEBUG, "quic", "last packets were lost");
}

void
quic_end_close(struct quic_end *e)
{
	rk_watch_free(e->watch);
	e->watch = NULL;
	quic_io_close(e->io);
}

void
quic_end_free(struct quic_end *e)
{
	struct quic_hello *h;
	struct quic_conn *c;

	if (e == NULL)
		return;
	while ((h = TAILQ_FIRST(&e->hellos)) != NULL)
		quic_hello_free(e, h);
	quic_end_hurry(e);
	while ((c = TAILQ_FIRST(&e->conns)) != NULL)
		quic_conn_free(c);
	loop_hook_remove(e->loop, &e->hook);
	rk_watch_free(e->watch);
	quic_io_free(e->io);
	quic_map_fini(&e->ids);
	quic_map_fini(&e->hello_ids);
	quic_map_fini(&e->tokens);
	rk_wipe(&e->keys, sizeof(e->keys));
	rk_wipe(e->token_key, sizeof(e->token_key));
	leave_mem(e);
	free(e);
}

void
quic_end_deafen(struct quic_end *e)
{
	e->deaf = true;
}

enum rk_err
quic_end_dial(struct quic_end *e, struct quic_tls_ctx *ctx,
    const struct addr *remote, struct layer **out)
{
	struct quic_conn *c;
	enum rk_err r;

	*out = NULL;
	if ((r = quic_conn_dial(e, ctx, remote, &c)) != RK_OK)
		return r;
	*out = quic_layer(c);
	return RK_OK;
}

enum rk_err
quic_end_accept(struct quic_end *e, struct quic_tls_ctx *ctx,
    struct quic_hello *h, struct layer **out)
{
	struct quic_conn *c = NULL;
	enum rk_err r;

	*out = NULL;
	r = quic_conn_accept(e, ctx, h, &c);
	for (size_t i = 0; r == RK_OK && i < h->n; i++)
		quic_conn_input(c, &h->local, &h->remote, h->datagrams[i].ecn,
		    h->datagrams[i].data, h->datagrams[i].len);
	quic_hello_free(e, h);
	if (r == RK_OK)
		*out = quic_layer(c);
	return r;
}

void
quic_end_stats(const struct quic_end *e, struct quic_end_stats *out)
{
	*out = e->stats;
	out->conns = e->n_conns;
	out->half_open += e->n_hellos;
	quic_io_stats(e->io, &out->io);
}
