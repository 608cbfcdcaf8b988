/* A QUIC server, clients, and raw peers on one loop with a clock of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#include "quicnet.h"

/* ---- connections ---- */

void
quicnet_welcome(struct quicnet_conn *c)
{
	c->opened = 1;
	if (c->server)
		c->net->accepted++;
	conn_accept(c->conn);
}

static void
on_proven(struct conn *conn, void *arg)
{
	struct quicnet_conn *c = arg;
	struct rk_error why = { 0 };

	if (c->server && c->net->refuses) {
		(void)err_set(&why, RK_EDENIED, "not on the list");
		conn_abort(conn, &why);
		return;
	}
	if (!c->server || !c->net->ponders)
		quicnet_welcome(c);
}

static size_t
on_data(struct conn *conn, const uint8_t *data, size_t len, void *arg)
{
	struct quicnet_conn *c = arg;

	for (size_t i = 0; i < len; i++)
		assert_int_equal(data[i], (uint8_t)((c->got + i) % 251));
	c->got += (unsigned)len;
	if (c->server && c->net->echoes) {
		assert_int_equal(buf_put(conn_out(conn), data, len), RK_OK);
		conn_flush(conn);
	}
	return len;
}

static void
on_closed(struct conn *conn, const struct rk_error *why, void *arg)
{
	struct quicnet_conn *c = arg;

	(void)conn;
	c->closed++;
	c->why = *why;
	c->conn = NULL;
}

static const struct conn_events conn_callbacks = {
	.proven = on_proven,
	.data = on_data,
	.closed = on_closed,
};

static void
open_conn(struct quicnet_conn *c, struct layer *top)
{
	struct conn_conf conf = { .loop = c->net->loop,
		.events = &conn_callbacks,
		.arg = c,
		.max_queue = 16u << 20,
		.max_unused = 1u << 20 };

	conf.timeouts.idle = RK_NEVER;
	conn_default_timeouts(&conf.timeouts);
	assert_int_equal(conn_open(&conf, &top, &c->conn), RK_OK);
}

/* ---- the server ---- */

static void
on_hello(struct quic_end *e, struct quic_hello *h, void *arg)
{
	struct quicnet *n = arg;
	n->hellos++;
	n->validated += quic_hello_validated(h);
	n->last = h;
	if (n->drops)
		quic_end_drop(e, h, true);
	else if (!n->ignores)
		quicnet_take_last(n);
}

/* A place that nobody uses any more. */
static struct quicnet_conn *
find_place(struct quicnet *n)
{
	if (n->n < QUICNET_CONNS)
		return &n->conns[n->n++];
	for (size_t i = 0; i < QUICNET_CONNS; i++)
		if (n->conns[i].conn == NULL)
			return &n->conns[i];
	fail_msg("too many connections");
	return &n->conns[0]; /* not reached */
}

void
quicnet_take_last(struct quicnet *n)
{
	struct quicnet_conn *c;
	struct layer *top;

	/* One that makes no sense may be refused right away. */
	if (quic_end_accept(n->server, n->ctx, n->last, &top) != RK_OK)
		return;
	c = find_place(n);
	*c = (struct quicnet_conn){ .net = n, .server = true };
	open_conn(c, top);
}

static const struct quic_end_events events = { .hello = on_hello };

void
quicnet_start(struct quicnet *n, struct seed *seed)
{
	struct quic_end_conf conf = { .loop = n->loop,
		.events = &events,
		.arg = n,
		.seed = seed,
		.retry_from = n->retry_from };
	struct addr a = n->at;

	assert_int_equal(
	    quic_io_bind(&a, false, &conf.fd, &n->at, NULL), RK_OK);
	n->server_fd = conf.fd;
	assert_int_equal(quic_end_new(&conf, &n->server, NULL), RK_OK);
}

/* As if the process had died: its last packets are nobody's. */
static void
forget(struct quicnet_conn *c)
{
	struct rk_error why = { 0 };

	if (c->conn == NULL)
		return;
	(void)err_set(&why, RK_ECANCELED, "forgotten");
	conn_abort(c->conn, &why);
}

static int
nowhere(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

/* Its socket leads nowhere while it says goodbye. */
static void
free_silently(struct quicnet *n, struct quic_end **e, int fd)
{
	int other = nowhere();

	assert_true(dup2(other, fd) == fd);
	assert_int_equal(close(other), 0);
	assert_int_equal(rk_loop_step(n->loop, 0), RK_OK);
	quic_end_free(*e);
	*e = NULL;
}

void
quicnet_stop(struct quicnet *n)
{
	for (size_t i = 0; i < n->n; i++)
		forget(&n->conns[i]);
	free_silently(n, &n->server, n->server_fd);
	for (size_t i = 0; i < n->n; i++)
		assert_null(n->conns[i].conn);
	n->n = 0;
}

void
quicnet_open_with(struct quicnet *n, unsigned retry_from)
{
	struct addr_url u = { .scheme = ADDR_TCP, .host = "127.0.0.1" };
	size_t count;

	memset(n, 0, sizeof(*n));
	assert_int_equal(rk_loop_new(&n->loop), RK_OK);
	vtime_start(&n->time, n->loop, QUICNET_PATIENCE_MS);
	quicrig_init(&n->rig);
	n->ctx = n->rig.server;
	n->retry_from = retry_from;
	assert_int_equal(
	    addr_resolve(&u, true, &n->at, 1, &count, NULL), RK_OK);
	quicnet_start(n, n->rig.seed);
}

void
quicnet_open(struct quicnet *n)
{
	quicnet_open_with(n, 64);
}

void
quicnet_close(struct quicnet *n)
{
	n->ignores = true; /* who knocks now comes too late */
	for (size_t i = 0; i < n->n; i++)
		forget(&n->conns[i]);
	assert_int_equal(rk_loop_step(n->loop, 0), RK_OK);
	quic_end_free(n->server);
	rk_loop_free(n->loop);
	quicrig_fini(&n->rig);
}

struct quic_end_stats
quicnet_stats(const struct quicnet *n)
{
	struct quic_end_stats s;

	quic_end_stats(n->server, &s);
	return s;
}

/* ---- time ---- */

void
quicnet_turn(struct quicnet *n)
{
	vtime_turn(&n->time);
}

void
quicnet_await(struct quicnet *n, const unsigned *what, unsigned want)
{
	n->time.until = n->time.now + QUICNET_PATIENCE_MS;
	while (*what < want)
		vtime_turn(&n->time);
}

void
quicnet_pass(struct quicnet *n, uint64_t ms)
{
	n->time.until = n->time.now + QUICNET_PATIENCE_MS;
	vtime_pass(&n->time, ms);
}

/* ---- clients ---- */

void
quicnet_dial(struct quicnet *n, struct quic_tls_ctx *ctx, const struct addr *to,
    struct quicnet_conn *out)
{
	struct quic_end_conf conf = { .loop = n->loop };
	struct layer *top;

	*out = (struct quicnet_conn){ .net = n };
	assert_int_equal(quic_io_connect(to, &conf.fd, NULL), RK_OK);
	out->fd = conf.fd;
	assert_int_equal(quic_end_new(&conf, &out->own, NULL), RK_OK);
	assert_int_equal(quic_end_dial(out->own,
	                     ctx == NULL ? n->rig.client : ctx, to, &top),
	    RK_OK);
	open_conn(out, top);
}

struct quicnet_conn *
quicnet_connect(
    struct quicnet *n, struct quic_tls_ctx *ctx, struct quicnet_conn *client)
{
	unsigned accepted = n->accepted;

	quicnet_dial(n, ctx, &n->at, client);
	quicnet_await(n, &client->opened, 1);
	quicnet_await(n, &n->accepted, accepted + 1);
	return &n->conns[n->n - 1];
}

void
quicnet_send(struct quicnet_conn *c, size_t len)
{
	static uint8_t bytes[251 * 64];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i % 251);
	/* Each call begins where patterns begin. */
	assert_int_equal(len % 251, 0);
	assert_non_null(c->conn);
	while (len > 0) {
		size_t k = len < sizeof(bytes) ? len : sizeof(bytes);

		assert_int_equal(buf_put(conn_out(c->conn), bytes, k), RK_OK);
		len -= k;
	}
	conn_flush(c->conn);
}

void
quicnet_drain(struct quicnet_conn *c)
{
	if (c->conn != NULL)
		conn_drain(c->conn);
	quicnet_await(c->net, &c->closed, 1);
	quic_end_free(c->own);
	c->own = NULL;
}

void
quicnet_vanish(struct quicnet_conn *c)
{
	forget(c);
	free_silently(c->net, &c->own, c->fd);
}

/* ---- datagrams by hand ---- */

int
quicnet_socket(const struct quicnet *n)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &n->at.u.sa, n->at.len), 0);
	return fd;
}

void
quicnet_put(int fd, const uint8_t *data, size_t len)
{
	/* Once more for what an earlier one was answered with. */
	if (send(fd, data, len, 0) < 0)
		assert_int_equal(send(fd, data, len, 0), len);
}

size_t
quicnet_take(int fd, uint8_t *dst, size_t cap)
{
	ssize_t n = recv(fd, dst, cap, MSG_DONTWAIT);

	return n < 0 ? 0 : (size_t)n;
}

void
quicnet_befriend(
    struct quicnet *n, unsigned retry_from, struct quicnet_conn *friend)
{
	quicnet_open_with(n, retry_from);
	n->echoes = true;
	(void)quicnet_connect(n, NULL, friend);
}

void
quicnet_part(struct quicnet *n, struct quicnet_conn *friend)
{
	unsigned got = friend->got;

	quicnet_send(friend, 2510);
	quicnet_await(n, &friend->got, got + 2510);
	quicnet_drain(friend);
	quicnet_close(n);
}

void
quicnet_settle(struct quicnet *n)
{
	for (int i = 0; i < 20; i++)
		assert_int_equal(rk_loop_step(n->loop, 0), RK_OK);
}
