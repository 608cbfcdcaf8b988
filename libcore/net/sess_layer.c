/* A session as the layer of a connection: the only one of its stack. */
#include "net/sess_layer_int.h"

#include "base/error.h"
#include "net/tls.h"

#include <stdio.h>
#include <stdlib.h>

#define OUT_MAX (SESS_OUT_FULL / 4) /* send() takes no more beyond this */
#define ALPN_LEN 16
#define CIPHER_LEN 48
#define CIPHER "Noise_NN_25519_ChaChaPoly_SHA256"
#define CIPHER_PSK "Noise_NNpsk0_25519_ChaChaPoly_SHA256"
#define STEP "session"

static struct sess_layer *
of(struct layer *l)
{
	return (struct sess_layer *)l;
}

static const struct sess_layer *
of_const(const struct layer *l)
{
	return (const struct sess_layer *)l;
}

/* ---- what the session says ---- */

void
sess_layer_raise(struct sess_layer *l, unsigned what)
{
	if (l->ready != NULL)
		loop_ready_raise(l->ready, what);
}

void
sess_layer_lower(struct sess_layer *l, unsigned what)
{
	if (l->ready != NULL)
		loop_ready_lower(l->ready, what);
}

static enum rk_err
on_peer(struct rk_session *s, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    const char *fp, void *arg)
{
	struct sess_layer *l = arg;
	enum rk_err r;

	(void)s;
	(void)fp;
	r = l->conf->verify(pub, &l->refused, l->conf->arg);
	l->refused.code = r;
	return r;
}

static void
on_state(struct rk_session *s, enum rk_session_state state,
    const struct rk_error *err, void *arg)
{
	struct sess_layer *l = arg;
	unsigned gone = LOOP_FINISHED;

	if (state == RK_SESSION_ESTABLISHED) {
		l->up = true;
		sess_layer_raise(l, RK_READ | RK_WRITE);
	}
	if (state != RK_SESSION_CLOSED)
		return;
	if (l->way != NULL && (s->passed & 1u << RK_SESSION_NEGOTIATING) == 0)
		l->way_ops->refuse(l->way);
	l->over = true;
	l->orderly = err->code == RK_OK;
	l->error = l->refused.code != RK_OK ? l->refused : *err;
	if (!l->orderly)
		gone |= LOOP_BROKEN;
	sess_layer_raise(l, RK_READ | RK_WRITE | gone);
}

static void
on_session_ready(struct rk_session *s, unsigned ready, void *arg)
{
	struct sess_layer *l = arg;

	if (l->rel != NULL) {
		sess_layer_rel_move(l);
		/* Who says it over datagrams takes no bytes any more. */
		ready = s->goodbye ? RK_READ | LOOP_BROKEN : 0;
	}
	sess_layer_raise(l, s->goodbye ? ready | LOOP_FINISHED : ready);
}

/* ---- the handshake ---- */

static enum rk_err
begin(struct sess_layer *l, struct rk_error *err)
{
	const struct rk_session_conf conf = {
		.size = sizeof(conf),
		.initiator = !l->conf->server,
		.key = l->conf->key,
		.psks = l->conf->psks,
		.judge = on_peer,
		.state = on_state,
		.ready = on_session_ready,
		.arg = l,
		.handshake_ms = UINT32_MAX, /* the connection's is shorter */
	};
	struct rk_session_pipe pipe = { .in = l->fds[0], .out = l->fds[1] };
	enum rk_err r;

	if (l->way != NULL)
		pipe = (struct rk_session_pipe){ .in = -1,
			.out = -1,
			.datagrams = true,
			.send = l->way_ops->send,
			.arg = l->way };
	if ((r = rk_session_new(l->loop, &conf, &pipe, &l->s, err)) != RK_OK)
		return r;
	l->s->holds = true;
	l->s->shown = l->way != NULL;
	if (l->s->datagrams && (r = sess_layer_rel_begin(l)) != RK_OK)
		return r;
	if (l->way != NULL)
		l->way_ops->begun(l->way, &l->layer);
	return RK_OK;
}

/* Nothing more will come. */
static bool
has_ended(const struct sess_layer *l)
{
	return l->over || (l->up && l->s->goodbye);
}

/* How it ended, for who was not told yet. */
static enum rk_err
fate(struct sess_layer *l)
{
	l->over_told = true;
	if (l->orderly || !l->over)
		return err_set(&l->error, RK_ECLOSED, "closed by the peer");
	return l->error.code;
}

static enum rk_err
op_handshake(struct layer *base, struct rk_error *err)
{
	struct sess_layer *l = of(base);
	enum rk_err r = RK_EAGAIN;

	if (l->up)
		return RK_OK;
	if (l->s == NULL && !l->over) {
		r = begin(l, &l->error);
		l->over = r != RK_OK;
	}
	if (l->over) {
		r = fate(l);
		if (l->error.step == NULL)
			l->error.step = STEP;
		if (err != NULL)
			*err = l->error;
		return r;
	}
	sess_layer_lower(l, RK_READ | RK_WRITE);
	return RK_EAGAIN;
}

static void
op_attach(struct layer *base, struct loop_ready *ready)
{
	of(base)->ready = ready;
	loop_ready_raise(ready, RK_READ | RK_WRITE);
}

/* ---- bytes ---- */

static bool
op_pending(const struct layer *base)
{
	const struct sess_layer *l = of_const(base);

	if (l->up && buf_len(l->rel != NULL ? &l->rel->in : &l->s->got) > 0)
		return true;
	return has_ended(l) && !l->over_told;
}

static enum rk_err
op_recv(struct layer *base, uint8_t *dst, size_t cap, size_t *n)
{
	struct sess_layer *l = of(base);

	*n = 0;
	if (!l->up)
		return l->over ? fate(l) : RK_ESTATE;
	if (l->rel != NULL)
		*n = sess_layer_rel_recv(l, dst, cap);
	if (*n > 0 ||
	    (l->rel == NULL && rk_session_read(l->s, dst, cap, n) == RK_OK)) {
		/* Nobody has to come again to be told that this was all. */
		if (!op_pending(base))
			sess_layer_lower(l, RK_READ);
		return RK_OK;
	}
	if (has_ended(l))
		return fate(l);
	sess_layer_lower(l, RK_READ);
	return RK_EAGAIN;
}

/* There is room later, which the session tells. */
static enum rk_err
wait_for_room(struct sess_layer *l)
{
	l->s->refused = true;
	l->tell_room = true;
	sess_layer_lower(l, RK_WRITE);
	return RK_EAGAIN;
}

/* What came in this turn may be the peer's goodbye: nothing is sent, which
 * might then have been, before it is looked at. */
static bool
has_unseen(const struct rk_session *s)
{
	return s->work.list != NULL && (s->ended || buf_len(&s->in) > 0);
}

static enum rk_err
op_send(struct layer *base, const uint8_t *src, size_t len, size_t *n)
{
	struct sess_layer *l = of(base);
	enum rk_err r;

	*n = 0;
	/* A server's answers are still tried. */
	if (l->over || (has_ended(l) && !l->conf->server))
		return fate(l);
	if (!l->up || l->said_end)
		return RK_ESTATE;
	if (has_unseen(l->s))
		return wait_for_room(l);
	if (l->rel != NULL)
		return sess_layer_rel_send(l, src, len, n);
	if (sess_waiting(l->s) >= OUT_MAX)
		return wait_for_room(l);
	len = len < OUT_MAX ? len : OUT_MAX;
	r = rk_session_write(l->s, src, len, n);
	if (r == RK_EAGAIN)
		sess_layer_lower(l, RK_WRITE);
	if (r == RK_ECLOSED)
		return err_set(&l->error, r, "closed by the peer");
	return r;
}

static void
push(struct rk_session *s)
{
	enum rk_err r;

	if (!sess_is_over(s) && (r = sess_push(s)) != RK_OK)
		sess_end(s, r);
}

static enum rk_err
op_flush(struct layer *base)
{
	struct sess_layer *l = of(base);

	if (l->over)
		return l->orderly ? RK_OK : l->error.code;
	if (l->s == NULL)
		return RK_OK;
	push(l->s);
	if (l->rel != NULL)
		return RK_OK; /* it goes by itself, as far as it may */
	return sess_waiting(l->s) == 0 ? RK_OK : wait_for_room(l);
}

static unsigned
op_want(const struct layer *base)
{
	const struct sess_layer *l = of_const(base);
	bool waits;

	if (l->rel != NULL)
		waits = l->tell_room;
	else
		waits = l->up && sess_waiting(l->s) > 0;
	return waits ? RK_READ | RK_WRITE : RK_READ;
}

/* ---- questions ---- */

static uint64_t
unsent(const struct sess_layer *l)
{
	if (l->rel != NULL)
		return sess_rel_held(l->rel);
	return l->s == NULL ? 0 : sess_waiting(l->s);
}

static bool
query_peer(const struct sess_layer *l, uint8_t *out)
{
	return l->s != NULL && rk_session_peer(l->s, out);
}

static bool
query_untaken(const struct sess_layer *l, uint64_t *out)
{
	uint64_t below;

	if (l->rel != NULL) {
		*out = unsent(l);
		return true;
	}
	if (l->sock == NULL || !layer_query(l->sock, LAYER_Q_UNTAKEN, &below))
		return false;
	*out = below + unsent(l);
	return true;
}

/* What the handshake has agreed on. */
static bool
query_agreed(const struct sess_layer *l, enum layer_query what, void *out)
{
	const struct psk *psk = l->s == NULL ? NULL : l->s->hs.psk;

	switch ((int)what) {
	case LAYER_Q_PEER_KEY:
		return query_peer(l, out);
	case LAYER_Q_ALPN: /* nobody else speaks this */
		memset(out, 0, ALPN_LEN);
		memcpy(out, TLS_ALPN, sizeof(TLS_ALPN));
		return l->up;
	case LAYER_Q_CIPHER:
		(void)snprintf(
		    out, CIPHER_LEN, "%s", psk == NULL ? CIPHER : CIPHER_PSK);
		return l->up;
	case LAYER_Q_PSK:
		*(const struct psk **)out = l->up ? psk : NULL;
		return l->conf->psks != NULL && l->s != NULL;
	default:
		return false;
	}
}

static bool
op_query(struct layer *base, enum layer_query what, void *out)
{
	struct sess_layer *l = of(base);

	switch ((int)what) {
	case LAYER_Q_NAME:
		*(const char **)out = addr_scheme_name(l->scheme);
		return true;
	case LAYER_Q_SETTLED:
		*(bool *)out = l->rel == NULL || sess_layer_rel_settled(l);
		return true;
	case LAYER_Q_LEFT:
		*(bool *)out = l->rel == NULL || sess_layer_rel_left(l);
		return true;
	case LAYER_Q_SILENT:
		*(bool *)out = l->rel != NULL && sess_layer_rel_silent(l);
		return true;
	case LAYER_Q_PATH:
		if (l->rel == NULL)
			return l->sock != NULL &&
			       layer_query(l->sock, what, out);
		*(struct layer_path *)out =
		    (struct layer_path){ l->rel->srtt, true, l->rel->retrans };
		return true;
	case LAYER_Q_LOCAL:
	case LAYER_Q_REMOTE:
		if (l->way != NULL)
			return l->way_ops->query(l->way, what, out);
		return l->sock != NULL && layer_query(l->sock, what, out);
	case LAYER_Q_HELD:
		*(uint64_t *)out = unsent(l);
		return true;
	case LAYER_Q_UNTAKEN:
		return query_untaken(l, out);
	case LAYER_Q_ORDERLY:
		*(bool *)out = l->orderly || (l->up && l->s->goodbye);
		return true;
	case LAYER_Q_ERROR:
		*(struct rk_error *)out = l->error;
		return l->error.code != RK_OK;
	default:
		return query_agreed(l, what, out);
	}
}

/* ---- the end ---- */

static enum rk_err
op_half_close(struct layer *base)
{
	struct sess_layer *l = of(base);

	if (l->over)
		return l->orderly ? RK_OK : l->error.code;
	if (!l->up)
		return RK_ESTATE;
	l->said_end = true;
	rk_session_close(l->s);
	return op_flush(base);
}

/* Why, as far as the peer is told that. */
static enum sess_reason
reason_of(const struct rk_error *why)
{
	if (rk_err_exit(why->code) == rk_err_exit(RK_ECERT))
		return SESS_REFUSED;
	if (why->code == RK_EPROTO)
		return SESS_BROKEN;
	return why->code == RK_ECANCELED || why->code == RK_ECLOSED
	           ? SESS_DONE
	           : SESS_OTHER;
}

static void
op_close(struct layer *base, const struct rk_error *why)
{
	struct sess_layer *l = of(base);

	if (l->s != NULL && !l->over && !l->said_end) {
		l->said_end = true;
		sess_say_end(l->s, reason_of(why));
	}
	if (l->sock != NULL)
		l->sock->ops->close(l->sock, why);
}

static void
op_free(struct layer *base)
{
	struct sess_layer *l = of(base);

	rk_session_free(l->s);
	sess_layer_rel_end(l);
	layer_free(l->sock);
	if (l->way != NULL)
		l->way_ops->free(l->way);
	else if (l->sock == NULL)
		sess_layer_close_fds(l->fds);
	free(l);
}

static const struct layer_ops ops = {
	.name = STEP,
	.attach = op_attach,
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

/* ---- making one ---- */

struct sess_layer *
sess_layer_make(const struct sess_layer_conf *conf, struct rk_loop *loop,
    enum addr_scheme scheme)
{
	struct sess_layer *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->layer.ops = &ops;
	l->conf = conf;
	l->loop = loop;
	l->scheme = scheme;
	return l;
}
