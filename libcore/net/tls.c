/* TLS 1.3 as a layer of a connection. */
#include "net/tls.h"

#include "base/error.h"
#include "net/loop.h"
#include "net/tls_int.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORD_LEN 16384
#define RECORD_EXTRA 64
/* Records in a row without a byte for the caller before the peer is taken for
 * a flooder. */
#define IDLE_RECORDS_MAX 100
#define ALPN_LEN 16
#define CIPHER_LEN 48

enum tls_state {
	TLS_HANDSHAKE,
	TLS_OPEN,
	TLS_ENDED, /* the peer's end came: nothing more is received */
	TLS_BROKEN /* no goodbye either */
};

struct tls {
	struct layer layer;
	struct tls_ctx *ctx;
	SSL *ssl;
	enum tls_state state;
	enum rk_err fate; /* ENDED, BROKEN: what every call gives */
	bool fate_told;   /* by recv() or handshake() */
	struct tls_io io;
	struct rk_error error;   /* of the last failure; RK_OK: none */
	struct rk_error refused; /* by the verify function */
	uint8_t *cert;           /* the peer's, once asked for */
	size_t cert_len;
};

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

static enum rk_err
end(struct tls *t, enum tls_state state, enum rk_err fate)
{
	t->state = state;
	t->fate = fate;
	ERR_clear_error();
	return fate;
}

static enum rk_err
end_memory(struct tls *t)
{
	return end(
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
		(void)end(t, TLS_ENDED,
		    err_set(&t->error, RK_ECLOSED, "closed by the peer"));
	else if (why == SSL_ERROR_SYSCALL && below == RK_ECLOSED)
		(void)end(t, TLS_ENDED,
		    tell_below(t, below, "ended without close_notify"));
	else if (why == SSL_ERROR_SYSCALL && below != RK_OK)
		(void)end(t, TLS_BROKEN,
		    tell_below(t, below, "the connection broke"));
	else
		(void)end(t, TLS_BROKEN, tls_explain(RK_EPROTO, &t->error));
}

/* Work for us and nothing for the caller: an attack. */
static void
end_flooded(struct tls *t, const char *what)
{
	(void)end(t, TLS_BROKEN, err_set(&t->error, RK_EPROTO, "%s", what));
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

static enum rk_err
step_handshake(struct tls *t)
{
	int n = SSL_do_handshake(t->ssl);
	int why;

	if (n == 1) {
		t->state = TLS_OPEN;
		return RK_OK;
	}
	why = SSL_get_error(t->ssl, n);
	if (why == SSL_ERROR_WANT_READ)
		return RK_EAGAIN;
	return end(t, TLS_BROKEN, tell_handshake(t, why));
}

static enum rk_err
op_handshake(struct layer *l, struct rk_error *err)
{
	struct tls *t = of(l);
	enum rk_err r = t->fate;

	if (t->state == TLS_OPEN)
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
			end_flooded(t, "the peer asks and does not listen");
		else if (why != SSL_ERROR_WANT_READ)
			end_open(t, why);
		else if (++idle > IDLE_RECORDS_MAX)
			end_flooded(t, "too many TLS records without data");
	}
	return got;
}

static enum rk_err
op_recv(struct layer *l, uint8_t *dst, size_t cap, size_t *n)
{
	struct tls *t = of(l);

	*n = 0;
	if (t->state == TLS_HANDSHAKE)
		return RK_ESTATE;
	if (t->state == TLS_OPEN) {
		tls_io_begin(&t->io);
		*n = read_records(t, dst, cap);
		if (tls_io_end(&t->io) != RK_OK && t->state == TLS_OPEN)
			(void)end_memory(t);
		/* Answers to new keys, or the alert that tells our fate. */
		if (t->io.wrote)
			(void)tls_io_push(&t->io);
	}
	if (*n > 0)
		return RK_OK;
	if (t->state == TLS_OPEN)
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
	for (int i = 0; i < IDLE_RECORDS_MAX && !t->io.dry; i++) {
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
	return t->state == TLS_HANDSHAKE ? r : t->fate;
}

static enum rk_err
op_flush(struct layer *l)
{
	struct tls *t = of(l);
	enum rk_err r = push(t);

	return r == RK_OK ? l->below->ops->flush(l->below) : r;
}

static enum rk_err
seal(struct tls *t, const uint8_t *src, size_t len, size_t *n)
{
	int why;

	if (SSL_write_ex(t->ssl, src, len, n) == 1)
		return RK_OK;
	*n = 0;
	why = SSL_get_error(t->ssl, 0);
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return RK_EAGAIN;
	return end(t, TLS_BROKEN, tls_explain(RK_ETLS, &t->error));
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
	len += (len / RECORD_LEN + 1) * RECORD_EXTRA;
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
	if (len > RECORD_LEN && (r = make_room(t, len)) != RK_OK)
		return end_memory(t);
	tls_io_begin(&t->io);
	/* One record need not be copied to stand beside others. */
	t->io.alone = len <= RECORD_LEN;
	while (
	    r == RK_OK && *n < len && buf_len(&t->io.out) < TLS_OUT_SOFT_MAX) {
		take = len - *n < RECORD_LEN ? len - *n : RECORD_LEN;
		r = seal(t, src + *n, take, &put);
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
	return t->io.in_len > 0 || SSL_pending(t->ssl) > 0 ||
	       l->below->ops->pending(l->below);
}

static bool
query_cert(struct tls *t, struct rk_bytes *out)
{
	X509 *cert = SSL_get0_peer_certificate(t->ssl);
	int len;

	*out = (struct rk_bytes){ 0 };
	/* One that nobody judged is none. */
	if (cert == NULL || !tls_ctx_asks_peer(t->ctx))
		return false;
	if (t->cert == NULL) {
		len = i2d_X509(cert, &t->cert);
		if (len <= 0) {
			ERR_clear_error();
			return false;
		}
		t->cert_len = (size_t)len;
	}
	*out = (struct rk_bytes){ .ptr = t->cert, .len = t->cert_len };
	return true;
}

static bool
query_alpn(const struct tls *t, char out[ALPN_LEN])
{
	const unsigned char *name;
	unsigned len;

	memset(out, 0, ALPN_LEN);
	SSL_get0_alpn_selected(t->ssl, &name, &len);
	/* The only name we offer and take is shorter. */
	if (len > 0 && len < ALPN_LEN)
		memcpy(out, name, len);
	return true;
}

/* What only a finished handshake knows. */
static bool
query_session(struct tls *t, enum layer_query what, void *out)
{
	char *name;

	if (!SSL_is_init_finished(t->ssl))
		return false;
	if (what == LAYER_Q_PEER_CERT)
		return query_cert(t, out);
	if (what == LAYER_Q_ALPN)
		return query_alpn(t, out);
	if (what == LAYER_Q_RESUMED) {
		*(bool *)out = SSL_session_reused(t->ssl) == 1;
		return true;
	}
	name = out;
	(void)snprintf(name, CIPHER_LEN, "%s", SSL_get_cipher_name(t->ssl));
	return true;
}

static bool
op_query(struct layer *l, enum layer_query what, void *out)
{
	struct tls *t = of(l);

	switch (what) {
	case LAYER_Q_NAME:
		*(const char **)out = l->ops->name;
		return true;
	case LAYER_Q_PEER_CERT:
	case LAYER_Q_RESUMED:
	case LAYER_Q_ALPN:
	case LAYER_Q_CIPHER:
		return query_session(t, what, out);
	case LAYER_Q_ORDERLY:
		*(bool *)out =
		    (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
		return true;
	case LAYER_Q_ERROR:
		*(struct rk_error *)out = t->error;
		return t->error.code != RK_OK;
	case LAYER_Q_FD:
	case LAYER_Q_LOCAL:
	case LAYER_Q_REMOTE:
	case LAYER_Q_SETTLED:
	case LAYER_Q_EARLY_MAX:
	case LAYER_Q_EARLY:
	case LAYER_Q_EARLY_USED:
	case LAYER_Q_CONFIRMED:
		break;
	}
	return false;
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
	if (t->state == TLS_OPEN || t->state == TLS_ENDED)
		(void)SSL_shutdown(t->ssl); /* ours; theirs is not awaited */
	ERR_clear_error();
	(void)tls_io_push(&t->io); /* an alert may wait in every state */
	/* The layer below throws away what it still gets. */
	if (t->state == TLS_OPEN)
		(void)end(t, TLS_ENDED,
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
	.query = op_query,
	.half_close = op_half_close,
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
	if ((r = tls_ctx_take(ctx, &t->refused, &t->ssl)) != RK_OK)
		goto out;
	t->ctx = ctx;
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
