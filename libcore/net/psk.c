/* The PSK layer of a connection. */
#include "net/psk_int.h"

#include "base/error.h"
#include "net/loop.h"
#include "net/psk_rec.h"
#include "trust/ident.h"

#include <rpckit/secret.h>

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* send() takes nothing more beyond this. */
#define OUT_SOFT_MAX (4u * PSK_REC_LEN)
#define OUT_HARD_MAX (OUT_SOFT_MAX + 2u * PSK_REC_LEN)
#define IN_MAX LOOP_SCRATCH_LEN
/* Of the handshake, in one go: memory grows with what has come. */
#define HS_STEP_MAX 1024
#define ALPN_LEN 16
#define CIPHER_LEN 48
#define CIPHER "Noise_NNpsk0_25519_ChaChaPoly_SHA256"
#define STEP "psk"

static struct psk_layer *
of(struct layer *l)
{
	return (struct psk_layer *)l;
}

static const struct psk_layer *
of_const(const struct layer *l)
{
	return (const struct psk_layer *)l;
}

static bool
is_up(const struct psk_layer *p)
{
	return p->state == PSK_OPEN || p->state == PSK_ENDED;
}

enum rk_err
psk_end(struct psk_layer *p, enum psk_state state, enum rk_err fate)
{
	p->state = state;
	p->fate = fate;
	if (state == PSK_BROKEN) { /* no key outlives its use */
		psk_hs_fini(&p->hs);
		psk_aead_fini(&p->aead);
	}
	return fate;
}

enum rk_err
psk_end_memory(struct psk_layer *p)
{
	return psk_end(
	    p, PSK_BROKEN, err_set(&p->error, RK_ENOMEM, "out of memory"));
}

/* In the words of the layer below. */
enum rk_err
psk_tell_below(struct psk_layer *p, enum rk_err code)
{
	struct layer *below = p->layer.below;

	if (!layer_query(below, LAYER_Q_ERROR, &p->error) ||
	    p->error.code != code)
		(void)err_set(&p->error, code, "the connection broke: %s",
		    rk_err_text(code));
	return code;
}

/* ---- what is sent ---- */

static enum rk_err
push(struct psk_layer *p)
{
	struct layer *below = p->layer.below;
	enum rk_err r = RK_OK;
	size_t n;

	while (r == RK_OK && buf_len(&p->out) > 0) {
		r = below->ops->send(
		    below, buf_peek(&p->out), buf_len(&p->out), &n);
		buf_consume(&p->out, n);
	}
	if (buf_len(&p->out) == 0)
		loop_buf_give(p->loop, &p->out);
	return r;
}

static enum rk_err
op_flush(struct layer *l)
{
	struct psk_layer *p = of(l);
	enum rk_err r = push(p);

	if (r == RK_OK)
		r = l->below->ops->flush(l->below);
	if (r != RK_OK && r != RK_EAGAIN)
		return psk_tell_below(p, r);
	return r;
}

/* One record behind what waits. */
static enum rk_err
seal(struct psk_layer *p, const uint8_t *src, size_t len)
{
	enum rk_err r;
	uint8_t *to;

	if (buf_reserve(&p->out, len + PSK_REC_EXTRA, &to) != RK_OK)
		return psk_end_memory(p);
	r = psk_rec_seal(&p->hs.send, src, len, to);
	if (r != RK_OK)
		return psk_end(p, PSK_BROKEN,
		    err_set(&p->error, r,
		        "this connection's message counters are used up"));
	buf_commit(&p->out, len + PSK_REC_EXTRA);
	return RK_OK;
}

static enum rk_err
op_send(struct layer *l, const uint8_t *src, size_t len, size_t *n)
{
	struct psk_layer *p = of(l);
	enum rk_err r = RK_OK;
	size_t take;

	*n = 0;
	if (p->state == PSK_BROKEN)
		return p->fate;
	if (!is_up(p) || p->said_end)
		return RK_ESTATE;
	loop_buf_take(p->loop,
	    len < OUT_SOFT_MAX ? len + PSK_REC_EXTRA : OUT_SOFT_MAX, &p->out);
	while (r == RK_OK && *n < len) {
		if (buf_len(&p->out) >= OUT_SOFT_MAX) {
			r = push(p);
			continue;
		}
		take =
		    len - *n < PSK_REC_DATA_MAX ? len - *n : PSK_REC_DATA_MAX;
		r = seal(p, src + *n, take);
		if (r == RK_OK)
			*n += take;
	}
	if (*n > 0)
		return RK_OK;
	if (r != RK_EAGAIN && p->state != PSK_BROKEN)
		return psk_tell_below(p, r);
	return r;
}

/* ---- the handshake ---- */

static bool
shows_cert(const struct psk_conf *c)
{
	return c->ident != NULL && ident_cert_der(c->ident).len > 0 &&
	       (c->server || c->mode == RK_TLS_MUTUAL);
}

static bool
asks_cert(const struct psk_conf *c)
{
	return c->mode == RK_TLS_MUTUAL ||
	       (c->mode == RK_TLS_SERVER_ONLY && !c->server);
}

enum rk_err
psk_conf_check(const struct psk_conf *c, struct rk_error *err)
{
	bool must_show = c->mode == RK_TLS_MUTUAL ||
	                 (c->mode == RK_TLS_SERVER_ONLY && c->server);

	if (c->keys == NULL || rk_psks_count(c->keys) == 0)
		return err_set(err, RK_EINVAL, "there is no pre-shared key");
	if ((must_show && !shows_cert(c)) || (asks_cert(c) && c->ident == NULL))
		return err_set(err, RK_EINVAL,
		    "a pre-shared key does not replace certificates, and there "
		    "are none");
	if (shows_cert(c) && ident_cert_der(c->ident).len > PSK_HS_CERT_MAX)
		return err_set(err, RK_ETOOBIG,
		    "our certificate is longer than %d bytes", PSK_HS_CERT_MAX);
	return RK_OK;
}

static enum rk_err
end_handshake(struct psk_layer *p, enum rk_err r)
{
	p->error.code = r;
	p->error.step = STEP;
	p->fate_told = true;
	return psk_end(p, PSK_BROKEN, r);
}

static enum rk_err
begin(struct psk_layer *p)
{
	uint8_t outer[PSK_HS_OUTER_LEN];
	struct psk_hs_conf conf = {
		.server = p->conf->server,
		.asks = asks_cert(p->conf),
		.keys = p->keys,
		.verify = p->conf->verify,
		.arg = p->conf->arg,
	};
	struct layer *below = p->layer.below;
	char cipher[CIPHER_LEN];

	if (shows_cert(p->conf)) {
		conf.cert = ident_cert_der(p->conf->ident);
		conf.key = ident_key(p->conf->ident);
	}
	if (layer_query(below, LAYER_Q_EXPORT, outer))
		conf.outer = outer;
	else if (layer_query(below, LAYER_Q_CIPHER, cipher))
		return end_handshake(p, err_set(&p->error, RK_ETLS,
		                            "TLS gives nothing to bind the "
		                            "pre-shared key to"));
	if (conf.asks)
		(void)layer_query(below, LAYER_Q_PEER_CERT, &conf.outer_cert);
	psk_hs_init(&p->hs, &conf);
	rk_wipe(outer, sizeof(outer));
	p->begun_us = loop_clock_us(p->loop);
	p->state = PSK_HANDSHAKE;
	return RK_OK;
}

/* Receive what belongs to the next message, and nothing of what follows. */
static enum rk_err
fetch_handshake(struct psk_layer *p)
{
	struct layer *below = p->layer.below;
	size_t want = psk_hs_need(&p->hs, &p->in) - buf_len(&p->in);
	size_t n = 0;
	enum rk_err r;
	uint8_t *to;

	if (want > HS_STEP_MAX)
		want = HS_STEP_MAX;
	if (buf_reserve(&p->in, want, &to) != RK_OK)
		return end_handshake(p, psk_end_memory(p));
	r = below->ops->recv(below, to, want, &n);
	buf_commit(&p->in, n);
	if (r == RK_OK || r == RK_EAGAIN)
		return r;
	if (r == RK_ECLOSED)
		r = psk_hs_explain_end(&p->hs, &p->error);
	else
		(void)psk_tell_below(p, r);
	return end_handshake(p, r);
}

static enum rk_err
open_records(struct psk_layer *p)
{
	if (psk_aead_init(&p->aead) != RK_OK)
		return end_handshake(p, psk_end_memory(p));
	psk_aead_give(&p->aead, &p->hs.send);
	psk_aead_give(&p->aead, &p->hs.recv);
	p->took_us = loop_clock_us(p->loop) - p->begun_us;
	p->state = PSK_OPEN;
	err_clear(&p->error);
	return RK_OK;
}

static enum rk_err
shake(struct psk_layer *p)
{
	enum rk_err sent;
	enum rk_err r;

	do {
		r = psk_hs_step(&p->hs, &p->in, &p->out, &p->error);
		sent = op_flush(&p->layer);
		if (r != RK_OK && r != RK_EAGAIN)
			return end_handshake(p, r);
		if (r == RK_OK)
			return open_records(p);
		/* How sending failed is told by receiving, with the reason. */
		(void)sent;
		r = fetch_handshake(p);
	} while (r == RK_OK);
	return r;
}

static enum rk_err
op_handshake(struct layer *l, struct rk_error *err)
{
	struct psk_layer *p = of(l);
	enum rk_err r;

	if (is_up(p))
		return RK_OK;
	if (p->state == PSK_BELOW) {
		r = l->below->ops->handshake(l->below, err);
		if (r != RK_OK)
			return r;
		r = begin(p);
	} else {
		r = p->fate;
	}
	if (p->state == PSK_HANDSHAKE)
		r = shake(p);
	if (r != RK_OK && r != RK_EAGAIN && err != NULL)
		*err = p->error;
	return r;
}

/* ---- the rest ---- */

static unsigned
op_want(const struct layer *l)
{
	const struct psk_layer *p = of_const(l);
	unsigned want = l->below->ops->want(l->below);

	return buf_len(&p->out) == 0 ? want : want | RK_WRITE;
}

static bool
query_held(struct psk_layer *p, uint64_t *out)
{
	uint64_t held = 0;

	(void)layer_query(p->layer.below, LAYER_Q_HELD, &held);
	*out = held + buf_len(&p->out);
	return true;
}

static bool
query_cipher(struct psk_layer *p, char *out)
{
	if (!is_up(p) || layer_query(p->layer.below, LAYER_Q_CIPHER, out))
		return is_up(p);
	(void)snprintf(out, CIPHER_LEN, "%s", CIPHER);
	return true;
}

static bool
op_query(struct layer *l, enum layer_query what, void *out)
{
	struct psk_layer *p = of(l);

	switch ((int)what) {
	case LAYER_Q_PSK:
		*(const struct psk **)out = p->hs.used;
		return p->state != PSK_BELOW;
	case LAYER_Q_PSK_US:
		*(uint64_t *)out = p->took_us;
		return is_up(p);
	case LAYER_Q_PEER_CERT:
		if (p->hs.peer == NULL)
			return false;
		*(struct rk_bytes *)out =
		    (struct rk_bytes){ p->hs.peer, p->hs.peer_len };
		return true;
	case LAYER_Q_CIPHER:
		return query_cipher(p, out);
	case LAYER_Q_ALPN:
		/* Nobody else speaks this. */
		memset(out, 0, ALPN_LEN);
		memcpy(out, TLS_ALPN, sizeof(TLS_ALPN));
		return is_up(p);
	case LAYER_Q_HELD:
		return query_held(p, out);
	case LAYER_Q_ORDERLY:
		*(bool *)out = p->orderly;
		return is_up(p);
	case LAYER_Q_ERROR:
		*(struct rk_error *)out = p->error;
		return p->error.code != RK_OK;
	default:
		return false;
	}
}

/* The empty record, once. */
static enum rk_err
say_end(struct psk_layer *p)
{
	if (p->said_end)
		return RK_OK;
	p->said_end = true;
	return seal(p, (const uint8_t *)"", 0);
}

static enum rk_err
op_half_close(struct layer *l)
{
	struct psk_layer *p = of(l);
	enum rk_err r;

	if (p->state == PSK_BROKEN)
		return p->fate;
	if (!is_up(p))
		return RK_ESTATE;
	if ((r = say_end(p)) != RK_OK)
		return r;
	return op_flush(l);
}

/* Who has not proven the key learns no reason. */
static void
op_close(struct layer *l, const struct rk_error *why)
{
	static const struct rk_error silent = { .code = RK_ECLOSED };
	struct psk_layer *p = of(l);
	bool stranger =
	    p->state != PSK_BELOW && (p->fate == RK_EPSK || !p->hs.proven);

	if (is_up(p))
		(void)say_end(p);
	(void)op_flush(l);
	l->below->ops->close(l->below, stranger ? &silent : why);
}

static void
op_free(struct layer *l)
{
	struct psk_layer *p = of(l);

	layer_free(l->below);
	psk_hs_fini(&p->hs);
	psk_aead_fini(&p->aead);
	loop_buf_give(p->loop, &p->in);
	loop_buf_give(p->loop, &p->out);
	buf_wipe(&p->plain);
	rk_psks_free(p->keys);
	free(p);
}

static const struct layer_ops psk_ops = {
	.name = "psk",
	.handshake = op_handshake,
	.recv = psk_recv,
	.send = op_send,
	.flush = op_flush,
	.want = op_want,
	.pending = psk_pending,
	.query = op_query,
	.half_close = op_half_close,
	.close = op_close,
	.free = op_free,
};

enum rk_err
psk_layer_new(const struct psk_conf *conf, struct rk_loop *loop,
    struct layer *below, struct layer **out)
{
	struct psk_layer *p = calloc(1, sizeof(*p));

	*out = NULL;
	if (p == NULL) {
		layer_free(below);
		return RK_ENOMEM;
	}
	p->layer = (struct layer){ .ops = &psk_ops, .below = below };
	p->loop = loop;
	p->conf = conf;
	p->keys = psks_ref(conf->keys);
	buf_init(&p->in, IN_MAX);
	buf_init(&p->plain, PSK_REC_DATA_MAX);
	buf_init(&p->out, OUT_HARD_MAX);
	*out = &p->layer;
	return RK_OK;
}
