/* Connected pairs of every kind of stack, clean or disturbed, for tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "net/quic.h"
#include "net/sock.h"
#include "trust/chain.h"

#include "stacks.h"

#define PATIENCE_MS 60000

/* ---- the disturbance ---- */

struct disturbed {
	struct layer layer;
	enum stack_way way;
	unsigned recvs;
	unsigned sends;
	bool refused; /* the last send() was, by us */
};

static struct disturbed *
of(struct layer *l)
{
	return (struct disturbed *)l;
}

static enum rk_err
op_handshake(struct layer *l, struct rk_error *err)
{
	return l->below->ops->handshake(l->below, err);
}

static enum rk_err
op_recv(struct layer *l, uint8_t *dst, size_t cap, size_t *n)
{
	struct disturbed *d = of(l);

	*n = 0;
	if (d->way == STACK_SLOW && ++d->recvs % 2 == 0)
		return RK_EAGAIN;
	if (d->way == STACK_SPLIT)
		cap = 1;
	return l->below->ops->recv(l->below, dst, cap, n);
}

static enum rk_err
op_send(struct layer *l, const uint8_t *src, size_t len, size_t *n)
{
	struct disturbed *d = of(l);

	*n = 0;
	d->refused = d->way == STACK_SLOW && ++d->sends % 2 == 0;
	if (d->refused)
		return RK_EAGAIN;
	if (d->way == STACK_SPLIT)
		len = 1;
	return l->below->ops->send(l->below, src, len, n);
}

static enum rk_err
op_flush(struct layer *l)
{
	return l->below->ops->flush(l->below);
}

static unsigned
op_want(const struct layer *l)
{
	const struct disturbed *d = (const struct disturbed *)l;
	unsigned want = l->below->ops->want(l->below);

	return d->refused ? want | RK_WRITE : want;
}

static bool
op_pending(const struct layer *l)
{
	return l->below->ops->pending(l->below);
}

static bool
op_query(struct layer *l, enum layer_query what, void *out)
{
	(void)l;
	(void)what;
	(void)out;
	return false;
}

static enum rk_err
op_half_close(struct layer *l)
{
	return l->below->ops->half_close(l->below);
}

static void
op_close(struct layer *l, const struct rk_error *why)
{
	l->below->ops->close(l->below, why);
}

static void
op_free(struct layer *l)
{
	layer_free(l->below);
	free(l);
}

static const struct layer_ops disturbed_ops = {
	.name = "disturbed",
	.handshake = op_handshake,
	.recv = op_recv,
	.send = op_send,
	.flush = op_flush,
	.want = op_want,
	.pending = op_pending,
	.query = op_query,
	.half_close = op_half_close,
	.close = op_close,
	.free = op_free,
};

struct layer *
stack_disturb(struct layer *below, enum stack_way way)
{
	struct disturbed *d;

	if (way == STACK_CLEAN)
		return below;
	d = calloc(1, sizeof(*d));
	assert_non_null(d);
	d->layer.ops = &disturbed_ops;
	d->layer.below = below;
	d->way = way;
	return &d->layer;
}

/* ---- the world ---- */

enum rk_err
stack_judge_client(
    const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	struct rk_cert_info info;

	return chain_check(arg, chain, n, CHAIN_CLIENT, time(NULL), &info, err);
}

enum rk_err
stack_judge_server(
    const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	struct rk_cert_info info;

	return chain_check(arg, chain, n, CHAIN_SERVER, time(NULL), &info, err);
}

static void
init_psk(struct stack_world *w, int i, const struct tls_conf *conf)
{
	w->psk[i] = (struct psk_conf){ .server = conf->server,
		.mode = conf->mode,
		.ident = conf->ident,
		.keys = w->keys,
		.verify = conf->verify,
		.arg = conf->arg };
	assert_int_equal(psk_conf_check(&w->psk[i], NULL), RK_OK);
}

void
stack_world_init(struct stack_world *w)
{
	static const uint8_t key[RK_PSK_LEN] = { 1, 2, 3 };
	static const char *const names[] = { "client", "node" };
	struct rk_error err = { 0 };

	*w = (struct stack_world){ 0 };
	assert_int_equal(rk_loop_new(&w->loop), RK_OK);
	assert_int_equal(seed_new(NULL, &w->seed, NULL), RK_OK);
	assert_int_equal(rk_psks_new(&w->keys), RK_OK);
	assert_int_equal(rk_psks_add(w->keys, key, "lab", NULL), RK_OK);
	certs_make_tmp(w->dir);
	w->ca = certs_new_ca("test CA");
	certs_fill_from(w->ca, w->dir);
	for (int i = 0; i < 2; i++) {
		struct tls_conf conf = {
			.server = i == 1,
			.mode = RK_TLS_MUTUAL,
			.verify =
			    i == 1 ? stack_judge_client : stack_judge_server,
		};

		if (rk_ident_load_dir(w->dir, names[i], NULL, NULL,
		        &w->ident[i], &err) != RK_OK)
			fail_msg("%s", err.text);
		conf.ident = conf.arg = w->ident[i];
		init_psk(w, i, &conf);
		if (tls_ctx_new(&conf, &w->ctx[i], &err) != RK_OK)
			fail_msg("%s", err.text);
		if (quic_supported(NULL) == RK_OK &&
		    quic_ctx_new(&conf, w->seed, false, &w->quic[i], &err) !=
		        RK_OK)
			fail_msg("%s", err.text);
	}
}

void
stack_world_fini(struct stack_world *w)
{
	for (int i = 0; i < 2; i++) {
		tls_ctx_free(w->ctx[i]);
		quic_ctx_free(w->quic[i]);
		rk_ident_free(w->ident[i]);
	}
	seed_free(w->seed);
	rk_psks_free(w->keys);
	certs_free(w->ca);
	certs_remove_tmp(w->dir);
	rk_loop_free(w->loop);
}

static void
find_address(struct stack_world *w, enum stack_kind kind, struct addr *a)
{
	struct addr_url u = { .scheme = ADDR_TCP, .host = "127.0.0.1" };
	size_t n;

	if (kind == STACK_UNIX) {
		u.scheme = ADDR_UNIX;
		assert_true(snprintf(u.path, sizeof(u.path), "%s/s", w->dir) <
		            (int)sizeof(u.path));
	}
	assert_int_equal(addr_resolve(&u, true, a, 1, &n, NULL), RK_OK);
}

static void
make_base(struct stack_world *w, enum stack_kind kind, enum stack_way way,
    struct layer *l[2])
{
	enum addr_scheme scheme = kind == STACK_UNIX ? ADDR_UNIX : ADDR_TCP;
	struct addr a;
	struct addr bound;
	struct addr from;
	struct pollfd p = { .events = POLLIN };
	int fd[2];

	if (kind == STACK_QUIC) {
		stack_quic_make(w, way, l);
		return;
	}
	find_address(w, kind, &a);
	assert_int_equal(sock_listen(&a, &p.fd, &bound, NULL), RK_OK);
	assert_int_equal(sock_connect(&bound, &fd[0], NULL), RK_OK);
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(sock_accept(p.fd, &fd[1], &from), RK_OK);
	assert_int_equal(close(p.fd), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sock_layer_new(fd[i], scheme, &l[i]), RK_OK);
		l[i] = stack_disturb(l[i], way);
		if (kind == STACK_TLS)
			assert_int_equal(
			    tls_layer_new(w->ctx[i], w->loop, l[i], &l[i]),
			    RK_OK);
	}
}

void
stack_make(struct stack_world *w, enum stack_kind kind, enum stack_way way,
    struct layer *l[2])
{
	make_base(w, STACK_BASE(kind), way, l);
	if (kind < STACK_BASES)
		return;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    psk_layer_new(&w->psk[i], w->loop, l[i], &l[i]), RK_OK);
		if (kind == STACK_PSK_QUIC)
			stack_quic_cover(i, l[i]);
	}
}

bool
stack_has(enum stack_kind kind, enum stack_way way)
{
	if (kind == STACK_QUIC)
		return quic_supported(NULL) == RK_OK;
	if (kind == STACK_PSK_QUIC && quic_supported(NULL) != RK_OK)
		return false;
	return way < STACK_PACED;
}

const char *
stack_kind_name(enum stack_kind kind)
{
	static const char *const names[] = { "tcp", "unix", "tls", "quic",
		"psk in tcp", "psk in unix", "psk in tls", "psk in quic" };

	return names[kind];
}

const char *
stack_way_name(enum stack_way way)
{
	static const char *const names[] = { "clean", "split", "slow", "paced",
		"loss 5", "loss 20", "twice", "mixed", "late", "rebound" };

	return names[way];
}

/* ---- driving them ---- */

void
stack_wait(struct layer *a, struct layer *b)
{
	struct layer *const l[2] = { a, b };
	struct pollfd p[2] = { { .fd = -1 }, { .fd = -1 } };

	for (int i = 0; i < 2; i++) {
		unsigned want = 0;

		if (l[i] == NULL)
			continue;
		if (l[i]->ops->pending(l[i]) ||
		    (stack_quic_ready(l[i], &want) && stack_quic_turn()))
			return;
		want = l[i]->ops->want(l[i]);
		assert_true(want != 0);
		assert_true(layer_query(l[i], LAYER_Q_FD, &p[i].fd));
		if ((want & RK_READ) != 0)
			p[i].events |= POLLIN;
		if ((want & RK_WRITE) != 0)
			p[i].events |= POLLOUT;
	}
	if (poll(p, 2, PATIENCE_MS) < 1)
		fail_msg("nothing happens any more");
}

/* One step of one end; does it have to wait for its descriptor? */
static bool
step(struct layer *l, enum rk_err *done, struct rk_error *why)
{
	if (*done == RK_EAGAIN)
		*done = l->ops->handshake(l, why);
	if (*done == RK_EAGAIN)
		return true;
	return *done == RK_OK && l->ops->flush(l) == RK_EAGAIN;
}

void
stack_shake(struct layer *l[2], enum rk_err r[2], struct rk_error err[2])
{
	enum rk_err done[2] = { RK_EAGAIN, RK_EAGAIN };
	struct rk_error why[2] = { 0 };
	bool waits[2];

	for (;;) {
		waits[0] = step(l[0], &done[0], &why[0]);
		waits[1] = step(l[1], &done[1], &why[1]);
		if (!waits[0] && !waits[1])
			break;
		stack_wait(waits[0] ? l[0] : NULL, waits[1] ? l[1] : NULL);
	}
	for (int i = 0; i < 2; i++) {
		if (r != NULL)
			r[i] = done[i];
		if (err != NULL)
			err[i] = why[i];
	}
}

void
stack_connect(struct layer *l[2])
{
	enum rk_err r[2];
	struct rk_error err[2];

	stack_shake(l, r, err);
	for (int i = 0; i < 2; i++)
		if (r[i] != RK_OK)
			fail_msg("handshake: %s", err[i].text);
}

void
stack_pass(struct layer *from, struct layer *to, const uint8_t *src, size_t len,
    uint8_t *dst)
{
	size_t out = 0;
	size_t in = 0;
	size_t n;
	enum rk_err flushed;
	enum rk_err r;

	while (in < len) {
		r = RK_EAGAIN;
		if (out < len) {
			r = from->ops->send(from, src + out, len - out, &n);
			out += n;
		}
		assert_true(r == RK_OK || r == RK_EAGAIN);
		flushed = from->ops->flush(from);
		assert_true(flushed == RK_OK || flushed == RK_EAGAIN);
		r = to->ops->recv(to, dst + in, len - in, &n);
		assert_true(r == RK_OK || r == RK_EAGAIN);
		assert_int_equal(n > 0, r == RK_OK);
		in += n;
		if (r == RK_EAGAIN)
			stack_wait(
			    to, out < len || flushed != RK_OK ? from : NULL);
	}
}

enum rk_err
stack_recv(struct layer *l, uint8_t *dst, size_t cap, size_t *n)
{
	enum rk_err r;

	while ((r = l->ops->recv(l, dst, cap, n)) == RK_EAGAIN)
		stack_wait(l, NULL);
	return r;
}

enum rk_err
stack_recv_end(struct layer *l, size_t *total)
{
	static uint8_t waste[65536];
	size_t n;
	enum rk_err r;

	*total = 0;
	while ((r = stack_recv(l, waste, sizeof(waste), &n)) == RK_OK)
		*total += n;
	return r;
}

void
stack_settle(struct layer *l)
{
	bool settled;

	while (layer_query(l, LAYER_Q_SETTLED, &settled) && !settled)
		if (!stack_quic_turn())
			return; /* the kernel sees to it */
}

void
stack_turn(void)
{
	(void)stack_quic_turn(); /* others need none */
}

bool
stack_is_readable(struct layer *l)
{
	struct pollfd p = { .events = POLLIN };
	unsigned ready;

	if (stack_quic_ready(l, &ready))
		return (ready & RK_READ) != 0;
	assert_true(layer_query(l, LAYER_Q_FD, &p.fd));
	return poll(&p, 1, 0) == 1;
}

bool
stack_waits_to_write(struct layer *l)
{
	unsigned ready;

	if (stack_quic_ready(l, &ready))
		return (ready & RK_WRITE) == 0;
	return (l->ops->want(l) & RK_WRITE) != 0;
}

void
stack_free(struct layer *l[2])
{
	layer_free(l[0]);
	layer_free(l[1]);
	l[0] = l[1] = NULL;
	stack_quic_free();
}
