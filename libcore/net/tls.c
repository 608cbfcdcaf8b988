/* TLS 1.3 as a layer of a connection. */
#include "net/tls.h"

#include "base/error.h"
#include "net/loop.h"
#include "net/tls_int.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#define RECORD_EXTRA 64

static struct tls *
of(struct layer *l)
{
	return (struct tls *)l;
}

static const struct tls *
of_const(const struct layer *l)
{
	return (const struct tls *)l;
}

/* ---- ends ---- */

enum rk_err
tls_end(struct tls *t, enum tls_state state, enum rk_err fate)
{
	t->state = state;
	t->fate = fate;
	ERR_clear_error();
	return fate;
}

static enum rk_err
end_memory(struct tls *t)
{
	return tls_end(
	    t, TLS_BROKEN, err_set(&t->error, RK_ENOMEM, "out of memory"));
}

/* The layer below broke; with its own words, if a system call failed. */
static enum rk_err
tell_below(struct tls *t, enum rk_err code, const char *what)
{
	struct rk_error e = { 0 };

	if (layer_query(t->layer.below, LAYER_Q_ERROR, &e) && e.sys != 0)
		(void)err_set(&t->error, code, "%s (%s)", what, e.text);
	else
		(void)err_set(&t->error, code, "%s", what);
	t->error.sys = e.sys;
	return code;
}

/* Why the library gave nothing, after the handshake. */
static void
end_open(struct tls *t, int why)
{
	enum rk_err below = t->io.broken;

	if (why == SSL_ERROR_ZERO_RETURN)
		(void)tls_end(t, TLS_ENDED,
		    err_set(&t->error, RK_ECLOSED, "closed by the peer"));
	else if (why == SSL_ERROR_SYSCALL && below == RK_ECLOSED)
		(void)tls_end(t, TLS_ENDED,
		    tell_below(t, below, "ended without close_notify"));
	else if (why == SSL_ERROR_SYSCALL && below != RK_OK)
		(void)tls_end(t, TLS_BROKEN,
		    tell_below(t, below, "the connection broke"));
	else
		(void)tls_end(t, TLS_BROKEN, tls_explain(RK_EPROTO, &t->error));
}

/* Work for us and nothing for the caller: an attack. */
void
tls_end_flooded(struct tls *t, const char *what)
{
	(void)tls_end(t, TLS_BROKEN, err_set(&t->error, RK_EPROTO, "%s", what));
}

/* ---- the handshake ---- */

/* What the library calls a wrong version may be something else entirely. */
static enum rk_err
tell_handshake(struct tls *t, int why)
{
	const char *not_tls = tls_explain_head(t->io.head, t->io.head_len);
	enum rk_err below = t->io.broken;

	if (t->refused.code != RK_OK) {
		t->error = t->refused;
		return t->refused.code;
	}
	if (why == SSL_ERROR_SYSCALL && below == RK_ECLOSED)
		return tell_below(t, RK_ETLS,
		    "the peer closed the connection during the handshake");
	if (why == SSL_ERROR_SYSCALL && below != RK_OK)
		return tell_below(t, below, "the connection broke");
	if (not_tls != NULL)
		return err_set(&t->error, RK_ETLS, "%s", not_tls);
	if (why == SSL_ERROR_ZERO_RETURN)
		return err_set(
		    &t->error, RK_ETLS, "the peer ended the handshake");
	return tls_explain(RK_ETLS, &t->error);
}

enum rk_err
tls_end_handshake(struct tls *t, int why)
{
	return tls_end(t, TLS_BROKEN, tell_handshake(t, why));
}

/* The part that early data have in it comes first. */
static enum rk_err
step_handshake(struct tls *t)
{
	enum rk_err r;
	int why;
	int n;

	r = t->server ? tls_early_accept(t) : tls_early_send(t);
	t->begun = true;
	if (r != RK_OK || t->state != TLS_HANDSHAKE)
		return r;
	n = SSL_do_handshake(t->ssl);
	if (n == 1) {
		t->state = TLS_OPEN;
		tls_early_settle(t);
		return RK_OK;
	}
	why = SSL_get_error(t->ssl, n);
	if (why == SSL_ERROR_WANT_READ)
		return RK_EAGAIN;
	return tls_end_handshake(t, why);
}

static enum rk_err
op_handshake(struct layer *l, struct rk_error *err)
{
	struct tls *t = of(l);
	enum rk_err r = t->fate;

	if (t->state == TLS_OPEN || t->state == TLS_EARLY)
		return RK_OK;
	if (t->state == TLS_HANDSHAKE) {
		r = l->below->ops->handshake(l->below, err);
		if (r != RK_OK)
			return r;
		tls_io_begin(&t->io);
		r = step_handshake(t);
		if (tls_io_end(&t->io) != RK_OK && r != t->fate)
			r = end_memory(t);
		/* A failure is met again by recv(), with its reason. */
		(void)tls_io_push(&t->io);
	}
	if (r == RK_OK || r == RK_EAGAIN)
		return r;
	t->fate_told = true;
	t->error.step = "tls";
	if (err != NULL)
		*err = t->error;
	return r;
}

/* ---- receiving ---- */

/* All that was received has been looked at: the library has no more for us,
 * and to hear that from it costs as much as a small record. */
static bool
is_dry(const struct tls *t)
{
	return t->io.asked && t->io.in_len == 0 && SSL_pending(t->ssl) == 0;
}

/*
 * As many records as fit.  The library stops after each record that carries
 * nothing for us (a ticket, a new key), so that they can be counted.
 */
static size_t
read_records(struct tls *t, uint8_t *dst, size_t cap)
{
	size_t got = 0;
	size_t n;
	int idle = 0;
	int why;

	while (got < cap && t->state == TLS_OPEN) {
		if (SSL_read_ex(t->ssl, dst + got, cap - got, &n) == 1) {
			got += n;
			idle = 0;
			if (is_dry(t))
				break;
			continue;
		}
		why = SSL_get_error(t->ssl, 0);
		if (why == SSL_ERROR_WANT_READ && t->io.dry)
			break;
		if (why == SSL_ERROR_WANT_WRITE)
			tls_end_flooded(t, "the peer asks and does not listen");
		else if (why != SSL_ERROR_WANT_READ)
			end_open(t, why);
		else if (++idle > TLS_IDLE_RECORDS_MAX)
			tls_end_flooded(t, "too many TLS records without data");
	}
	return got;
}

static bool
is_alive(const struct tls *t)
{
	return t->state == TLS_OPEN || t->state == TLS_EARLY;
}

static enum rk_err
op_recv(struct layer *l, uint8_t *dst, size_t cap, size_t *n)
{
	struct tls *t = of(l);

	*n = 0;
	if (t->state == TLS_HANDSHAKE)
		return RK_ESTATE;
	*n = tls_early_take(t, dst, cap);
	if (is_alive(t)) {
		tls_io_begin(&t->io);
		if (t->state == TLS_EARLY)
			*n += tls_early_read(t, dst + *n, cap - *n);
		if (t->state == TLS_OPEN && tls_early_resend(t) == RK_OK)
			*n += read_records(t, dst + *n, cap - *n);
		if (tls_io_end(&t->io) != RK_OK && is_alive(t))
			(void)end_memory(t);
		/* Answers to new keys, or the alert that tells our fate. */
		if (t->io.wrote)
			(void)tls_io_push(&t->io);
	}
	if (*n > 0)
		return RK_OK;
	if (is_alive(t))
		return RK_EAGAIN;
	t->fate_told = true;
	return t->fate;
}

/* ---- sending ---- */

/*
 * Sending failed: the peer is gone.  If it went because it refused us, its
 * alert has arrived before, and that is the better reason.
 */
static enum rk_err
look_for_alert(struct tls *t, enum rk_err code)
{
	uint8_t byte;
	size_t n;
	int why = SSL_ERROR_WANT_READ;

	tls_io_begin(&t->io);
	for (int i = 0; i < TLS_IDLE_RECORDS_MAX && !t->io.dry; i++) {
		if (SSL_peek_ex(t->ssl, &byte, 1, &n) == 1)
			break; /* what the peer said first goes first */
		why = SSL_get_error(t->ssl, 0);
		if (why != SSL_ERROR_WANT_READ)
			break;
	}
	if (why == SSL_ERROR_SSL)
		end_open(t, why);
	ERR_clear_error();
	if (tls_io_end(&t->io) != RK_OK && t->state == TLS_OPEN)
		return end_memory(t);
	if (t->state == TLS_OPEN)
		return tell_below(t, code, "the connection broke");
	return t->fate;
}

static enum rk_err
push(struct tls *t)
{
	enum rk_err r = tls_io_push(&t->io);

	if (r == RK_OK || r == RK_EAGAIN)
		return r;
	if (t->state == TLS_OPEN)
		return look_for_alert(t, r);
	if (t->state == TLS_EARLY)
		return tell_below(t, r, "the connection broke");
	return t->state == TLS_HANDSHAKE ? r : t->fate;
}

static enum rk_err
op_flush(struct layer *l)
{
	struct tls *t = of(l);
	enum rk_err r = push(t);

	return r == RK_OK ? l->below->ops->flush(l->below) : r;
}

enum rk_err
tls_seal(struct tls *t, const uint8_t *src, size_t len, size_t *n)
{
	int why;

	if (t->state == TLS_EARLY ? SSL_write_early_data(t->ssl, src, len, n)
	                          : SSL_write_ex(t->ssl, src, len, n))
		return RK_OK;
	*n = 0;
	why = SSL_get_error(t->ssl, 0);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return RK_EAGAIN;
	return tls_end(t, TLS_BROKEN, tls_explain(RK_ETLS, &t->error));
}

/* One block for all of it, rather than growing record by record. */
static enum rk_err
make_room(struct tls *t, size_t len)
{
	struct buf *out = &t->io.out;
	uint8_t *p;

	if (buf_len(out) > 0)
		return RK_OK;
	if (len > TLS_OUT_SOFT_MAX)
		len = TLS_OUT_SOFT_MAX;
	len += (len / TLS_RECORD_LEN + 1) * RECORD_EXTRA;
	loop_buf_take(t->io.loop, len, out);
	return buf_reserve(out, len, &p);
}

static enum rk_err
op_send(struct layer *l, const uint8_t *src, size_t len, size_t *n)
{
	struct tls *t = of(l);
	enum rk_err r = RK_OK;
	size_t take;
	size_t put;

	*n = 0;
	if (t->state == TLS_HANDSHAKE)
		return RK_ESTATE;
	/* After the peer's goodbye we may go on, after a fault not. */
	if (t->state == TLS_BROKEN)
		return t->fate;
	if (buf_len(&t->io.out) >= TLS_OUT_SOFT_MAX) {
		r = push(t);
		if (r != RK_OK && r != RK_EAGAIN)
			return r;
	}
	if (len > TLS_RECORD_LEN && (r = make_room(t, len)) != RK_OK)
		return end_memory(t);
	tls_io_begin(&t->io);
	if (t->state == TLS_OPEN && (r = tls_early_resend(t)) != RK_OK)
		return r;
	/* One record need not be copied to stand beside others. */
	t->io.alone = len <= TLS_RECORD_LEN;
	while (
	    r == RK_OK && *n < len && buf_len(&t->io.out) < TLS_OUT_SOFT_MAX) {
		take = len - *n < TLS_RECORD_LEN ? len - *n : TLS_RECORD_LEN;
		r = tls_seal(t, src + *n, take, &put);
		*n += put;
	}
	if (*n > 0)
		return RK_OK;
	return r == RK_OK ? RK_EAGAIN : r;
}

/* ---- the rest ---- */

static unsigned
op_want(const struct layer *l)
{
	const struct tls *t = of_const(l);
	unsigned want = l->below->ops->want(l->below);

	return buf_len(&t->io.out) == 0 ? want : want | RK_WRITE;
}

static bool
op_pending(const struct layer *l)
{
	const struct tls *t = of_const(l);

	if (t->state == TLS_ENDED || t->state == TLS_BROKEN)
		return !t->fate_told;
	return t->io.in_len > 0 || (t->server && buf_len(&t->early) > 0) ||
	       SSL_pending(t->ssl) > 0 || l->below->ops->pending(l->below);
}

static enum rk_err
op_early(struct layer *l, const uint8_t *src, size_t len)
{
	return tls_early_put(of(l), src, len);
}

/* Of TLS alone: a peer may take the end of TCP's stream for an abort. */
static enum rk_err
op_half_close(struct layer *l)
{
	struct tls *t = of(l);

	if (t->state == TLS_HANDSHAKE)
		return RK_ESTATE;
	if (t->state == TLS_BROKEN)
		return t->fate;
	tls_io_begin(&t->io);
	(void)SSL_shutdown(t->ssl); /* theirs is recv()'s */
	ERR_clear_error();
	return push(t);
}

static void
op_close(struct layer *l, const struct rk_error *why)
{
	struct tls *t = of(l);

	tls_io_begin(&t->io);
	if (is_alive(t) || t->state == TLS_ENDED)
		(void)SSL_shutdown(t->ssl); /* ours; theirs is not awaited */
	ERR_clear_error();
	(void)tls_io_push(&t->io); /* an alert may wait in every state */
	/* The layer below throws away what it still gets. */
	if (is_alive(t))
		(void)tls_end(t, TLS_ENDED,
		    err_set(&t->error, RK_ECLOSED, "closed by this side"));
	l->below->ops->close(l->below, why);
}

static void
op_free(struct layer *l)
{
	struct tls *t = of(l);

	/* That a connection just ended is no reason to distrust its session,
	 * but without this the library would. */
	if (t->state == TLS_OPEN || t->state == TLS_ENDED)
		SSL_set_shutdown(
		    t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	tls_ctx_free(t->ctx);
	OPENSSL_free(t->cert);
	tls_io_fini(&t->io);
	buf_fini(&t->early);
	layer_free(l->below);
	free(t);
}

static const struct layer_ops tls_ops = {
	.name = "tls",
	.handshake = op_handshake,
	.recv = op_recv,
	.send = op_send,
	.flush = op_flush,
	.want = op_want,
	.pending = op_pending,
	.query = tls_query,
	.half_close = op_half_close,
	.early = op_early,
	.close = op_close,
	.free = op_free,
};

enum rk_err
tls_layer_new(struct tls_ctx *ctx, struct rk_loop *loop, struct layer *below,
    struct layer **out)
{
	struct tls *t;
	enum rk_err r;

	*out = NULL;
	t = calloc(1, sizeof(*t));
	if (t == NULL) {
		layer_free(below);
		return RK_ENOMEM;
	}
	t->layer.ops = &tls_ops;
	t->layer.below = below;
	t->io.below = below;
	t->io.loop = loop;
	buf_init(&t->early, TLS_EARLY_MAX);
	if ((r = tls_ctx_take(ctx, &t->refused, &t->ssl)) != RK_OK)
		goto out;
	t->ctx = ctx;
	t->server = SSL_is_server(t->ssl) == 1;
	r = tls_io_init(&t->io, tls_ctx_method(ctx), t->ssl);
	if (r != RK_OK)
		goto out;
	*out = &t->layer;
	t = NULL;
out:
	if (t != NULL)
		op_free(&t->layer);
	return r;
}
