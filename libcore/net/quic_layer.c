/* A QUIC connection as the bottom layer of a stack. */
#include "net/quic_int.h"

#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define ALPN_LEN 16
#define CIPHER_LEN 48
#define EARLY_MAX 16384

static struct quic_conn *
of(struct layer *l)
{
	return (struct quic_conn *)l;
}

static const struct quic_conn *
of_const(const struct layer *l)
{
	return (const struct quic_conn *)l;
}

/* For the owner; packets may still have to go. */
static bool
is_over(const struct quic_conn *c)
{
	return c->state != QUIC_LIVE || c->leaving;
}

static void
lower(struct quic_conn *c, unsigned what)
{
	if (c->ready != NULL)
		loop_ready_lower(c->ready, what);
}

static void
op_attach(struct layer *l, struct loop_ready *ready)
{
	of(l)->ready = ready;
	loop_ready_raise(ready, RK_READ | RK_WRITE);
}

/* Early bytes may be shown as soon as it is known whose they are; nobody else
 * has to be asked who it is. */
static bool
is_open_early(struct quic_conn *c)
{
	struct rk_bytes cert;

	return c->server && c->early_came && quic_tls_peer_cert(c->tls, &cert);
}

static enum rk_err
op_handshake(struct layer *l, struct rk_error *err)
{
	struct quic_conn *c = of(l);

	if (c->state != QUIC_LIVE && !c->completed) {
		if (err != NULL)
			*err = c->error;
		c->end_told = true;
		return c->error.code;
	}
	if (c->completed || is_open_early(c)) {
		c->opened = true;
		return RK_OK;
	}
	lower(c, RK_READ);
	quic_conn_touch(c);
	return RK_EAGAIN;
}

/* The peer may send as much again. */
static void
give_credit(struct quic_conn *c, size_t n)
{
	if (c->state != QUIC_LIVE)
		return;
	if (ngtcp2_conn_extend_max_stream_offset(c->q, c->stream, n) == 0)
		ngtcp2_conn_extend_max_offset(c->q, n);
	quic_conn_stir(c);
}

static bool
op_pending(const struct layer *l)
{
	const struct quic_conn *c = of_const(l);

	if (buf_len(&c->in) > 0 || quic_apart_arrived(c) != NULL)
		return true;
	return (c->fin || is_over(c)) && !c->end_told;
}

static enum rk_err
op_recv(struct layer *l, uint8_t *dst, size_t cap, size_t *n)
{
	struct quic_conn *c = of(l);
	size_t len = buf_len(&c->in);

	*n = len < cap ? len : cap;
	if (*n > 0) {
		memcpy(dst, buf_peek(&c->in), *n);
		buf_consume(&c->in, *n);
		if (buf_len(&c->in) == 0)
			loop_buf_give(c->end->loop, &c->in);
		/* Nobody has to come again to be told that this was all. */
		if (!op_pending(l))
			lower(c, RK_READ);
		give_credit(c, *n);
		return RK_OK;
	}
	if (!is_over(c) && !c->fin) {
		lower(c, RK_READ);
		return RK_EAGAIN;
	}
	c->end_told = true;
	if (is_over(c))
		return c->error.code;
	return err_set(&c->error, RK_ECLOSED, "closed by the peer");
}

static enum rk_err
op_send(struct layer *l, const uint8_t *src, size_t len, size_t *n)
{
	struct quic_conn *c = of(l);
	uint64_t held = quic_conn_held(c);
	uint64_t unsent = quic_out_unsent(&c->out);
	uint64_t room;
	enum rk_err r;

	*n = 0;
	if (!c->opened)
		return RK_ESTATE;
	if (is_over(c))
		return c->error.code;
	if (held >= QUIC_OUT_HIGH || unsent >= QUIC_OUT_AHEAD) {
		c->tell_room = true;
		lower(c, RK_WRITE);
		quic_conn_touch(c); /* nobody flushes before there is room */
		return RK_EAGAIN;
	}
	room = QUIC_OUT_AHEAD - unsent;
	if (room > QUIC_OUT_HIGH - held)
		room = QUIC_OUT_HIGH - held;
	len = len < room ? len : (size_t)room;
	if ((r = quic_out_put(&c->out, src, len)) != RK_OK)
		return err_set(&c->error, r, "out of memory");
	*n = len;
	return RK_OK;
}

static enum rk_err
op_flush(struct layer *l)
{
	struct quic_conn *c = of(l);

	if (quic_out_unsent(&c->out) == 0)
		return RK_OK; /* messages apart are written when they are put */
	if (is_over(c))
		return c->error.code;
	quic_conn_write_early(c);
	quic_conn_touch(c);
	return RK_OK;
}

static enum rk_err
op_early(struct layer *l, const uint8_t *src, size_t len)
{
	struct quic_conn *c = of(l);
	enum rk_err r;

	if (!c->early || c->completed || is_over(c) ||
	    c->out.queued + len > EARLY_MAX)
		return RK_EAGAIN;
	if ((r = quic_out_put(&c->out, src, len)) != RK_OK)
		return r;
	c->early_went = true;
	quic_conn_touch(c);
	return RK_OK;
}

static enum rk_err
op_send_apart(struct layer *l, const uint8_t *src, size_t len)
{
	struct quic_conn *c = of(l);

	if (!c->completed || !c->opened || is_over(c))
		return RK_EAGAIN;
	return quic_apart_send(c, src, len);
}

static bool
op_recv_apart(struct layer *l, struct rk_bytes *out)
{
	const struct quic_apart *a = quic_apart_arrived(of(l));

	if (a == NULL)
		return false;
	*out = (struct rk_bytes){ buf_peek(&a->in), buf_len(&a->in) };
	return true;
}

static void
op_done_apart(struct layer *l)
{
	quic_apart_done(of(l));
}

/* A Go peer ends the connection then, and so do we when all is read. */
static enum rk_err
op_half_close(struct layer *l)
{
	struct quic_conn *c = of(l);

	if (!c->opened)
		return RK_ESTATE;
	if (is_over(c))
		return c->error.code;
	c->fin_asked = true;
	quic_conn_touch(c);
	return RK_OK;
}

static unsigned
op_want(const struct layer *l)
{
	return of_const(l)->opened ? 0 : RK_READ;
}

/* ---- questions ---- */

/* The path may change under a connection. */
static void
query_path(const struct quic_conn *c, bool remote, struct addr *out)
{
	const ngtcp2_path *p = ngtcp2_conn_get_path(c->q);
	const ngtcp2_addr *a = remote ? &p->remote : &p->local;

	*out = (struct addr){ .len = (socklen_t)a->addrlen };
	memcpy(&out->u, a->addr, a->addrlen);
}

static bool
query_settled(struct quic_conn *c)
{
	if (quic_conn_is_settled(c))
		return true;
	c->tell_settled = true;
	lower(c, RK_WRITE);
	return false;
}

static bool
query_left(struct quic_conn *c)
{
	if (quic_conn_is_settled(c) || quic_conn_has_left(c))
		return true;
	if (c->ended_at == 0)
		c->ended_at = loop_now_ns(c->end->loop);
	c->tell_settled = c->tell_left = true;
	lower(c, RK_WRITE);
	quic_conn_touch(c); /* which sets the timer */
	return false;
}

static uint64_t
query_held(struct quic_conn *c)
{
	uint64_t n = quic_out_held(&c->out);

	c->tell_held = n > 0;
	return n;
}

static bool
query_early(struct quic_conn *c, enum layer_query what, void *out)
{
	switch ((int)what) {
	case LAYER_Q_EARLY_MAX:
		*(size_t *)out = EARLY_MAX;
		return c->early && !c->completed;
	case LAYER_Q_EARLY:
		*(bool *)out = c->server && !c->completed;
		return c->server;
	case LAYER_Q_EARLY_USED:
		*(bool *)out = c->server ? c->early_came
		                         : c->early_went && c->early &&
		                               c->completed &&
		                               quic_tls_early_accepted(c->tls);
		return true;
	case LAYER_Q_CONFIRMED:
		*(bool *)out = c->confirmed;
		return true;
	default:
		return false;
	}
}

static bool
query_session(struct quic_conn *c, enum layer_query what, void *out)
{
	switch ((int)what) {
	case LAYER_Q_PEER_CERT:
		return quic_tls_peer_cert(c->tls, out);
	case LAYER_Q_RESUMED:
		*(bool *)out = quic_tls_resumed(c->tls);
		return true;
	case LAYER_Q_ALPN:
		quic_tls_alpn(c->tls, out);
		return true;
	case LAYER_Q_EXPORT:
		return c->completed && quic_tls_export(c->tls, out);
	case LAYER_Q_CIPHER:
		(void)snprintf(out, CIPHER_LEN, "%s", quic_tls_cipher(c->tls));
		return true;
	default:
		return query_early(c, what, out);
	}
}

static bool
op_query(struct layer *l, enum layer_query what, void *out)
{
	struct quic_conn *c = of(l);

	switch ((int)what) {
	case LAYER_Q_FD:
		return false;
	case LAYER_Q_NAME:
		*(const char **)out = l->ops->name;
		return true;
	case LAYER_Q_LOCAL:
		query_path(c, false, out);
		return true;
	case LAYER_Q_REMOTE:
		query_path(c, true, out);
		return true;
	case LAYER_Q_SETTLED:
		*(bool *)out = query_settled(c);
		return true;
	case LAYER_Q_LEFT:
		*(bool *)out = query_left(c);
		return true;
	case LAYER_Q_HELD:
		*(uint64_t *)out = query_held(c);
		return true;
	case LAYER_Q_ORDERLY:
		*(bool *)out = !c->deserted;
		return true;
	case LAYER_Q_APART_LATE:
		return quic_apart_late(c, out);
	case LAYER_Q_UNTAKEN:
		*(uint64_t *)out = quic_out_held(&c->out);
		return true;
	case LAYER_Q_PATH:
		*(struct layer_path *)out = quic_conn_path(c);
		return c->completed;
	case LAYER_Q_ERROR:
		*(struct rk_error *)out = c->error;
		return c->error.code != RK_OK;
	default:
		return query_session(c, what, out);
	}
}

/* ---- the end ---- */

/* What was sent goes first. */
static void
op_close(struct layer *l, const struct rk_error *why)
{
	struct quic_conn *c = of(l);

	if (is_over(c))
		return;
	c->first = true;
	quic_conn_write(c);
	if (c->error.code == RK_OK)
		(void)err_set(&c->error, RK_ECLOSED, "closed by this side");
	quic_conn_leave(c, why);
}

static void
op_free(struct layer *l)
{
	struct quic_conn *c = of(l);
	struct rk_error gone = { 0 };

	c->ready = NULL;
	c->held = false;
	(void)err_set(&gone, RK_ECANCELED, "closed by this side");
	if (!c->leaving)
		quic_conn_die(c, &gone);
	quic_conn_touch(c);
}

static const struct layer_ops quic_ops = {
	.name = "quic",
	.attach = op_attach,
	.handshake = op_handshake,
	.recv = op_recv,
	.send = op_send,
	.flush = op_flush,
	.want = op_want,
	.pending = op_pending,
	.query = op_query,
	.early = op_early,
	.send_apart = op_send_apart,
	.recv_apart = op_recv_apart,
	.done_apart = op_done_apart,
	.half_close = op_half_close,
	.close = op_close,
	.free = op_free,
};

struct layer *
quic_layer(struct quic_conn *c)
{
	c->layer.ops = &quic_ops;
	return &c->layer;
}
