/* One trusted peer: a connection, who is at its other end, messages. */
#include "rpc/session_int.h"

#include "base/error.h"
#include "base/str.h"
#include "net/loop.h"
#include "net/tls.h"
#include "rpc/frame.h"
#include "rpc/s2.h"
#include "trust/psks.h"

#include <stdlib.h>
#include <time.h>

/* A decompressed body is dropped from memory beyond this when idle. */
#define S2_KEEP 65536
/* From this payload on a message goes apart. */
#define APART_MIN 65536

/* ---- who is there ---- */

static enum addr_scheme
scheme_of(const char *transport)
{
	enum addr_scheme scheme;

	if (!addr_scheme_find(transport, strlen(transport), &scheme))
		return ADDR_TCP;
	return scheme;
}

static void
describe_ends(struct session *s)
{
	struct rk_peer *p = s->peer;
	struct addr a;

	p->transport = "tcp";
	(void)conn_query(s->conn, LAYER_Q_NAME, &p->transport);
	if (conn_query(s->conn, LAYER_Q_LOCAL, &a))
		addr_format(&a, scheme_of(p->transport), p->local);
	if (conn_query(s->conn, LAYER_Q_REMOTE, &a) &&
	    !(scheme_of(p->transport) == ADDR_FD &&
	        a.u.sa.sa_family == AF_UNIX))
		addr_format(&a, scheme_of(p->transport), p->remote);
	else
		(void)str_copy(p->remote, sizeof(p->remote), p->transport);
}

static void
describe_psk(struct session *s)
{
	struct rk_peer *p = s->peer;
	const struct psk *key = NULL;

	if (!conn_query(s->conn, LAYER_Q_PSK, (void *)&key) || key == NULL)
		return;
	(void)str_copy(p->psk, sizeof(p->psk), key->name); /* of that size */
	psk_id_format(key->id, p->psk_id);
}

bool
session_is_keyed(const struct session *s)
{
	return addr_is_session(scheme_of(s->peer->transport));
}

bool
session_is_proving(const struct session *s)
{
	return addr_is_proving(scheme_of(s->peer->transport)) ||
	       session_is_keyed(s) || s->peer->psk[0] != '\0';
}

bool
session_is_telling(const struct session *s)
{
	return session_is_keyed(s) ||
	       scheme_of(s->peer->transport) == ADDR_QUIC;
}

void
session_describe_handshake(struct session *s)
{
	struct rk_peer *p = s->peer;

	(void)conn_query(s->conn, LAYER_Q_RESUMED, &p->resumed);
	(void)conn_query(s->conn, LAYER_Q_ALPN, p->alpn);
	(void)conn_query(s->conn, LAYER_Q_CIPHER, p->cipher);
	describe_psk(s);
	s->is_kin = strcmp(p->alpn, TLS_ALPN) == 0;
	s->says_kin = !session_is_proving(s);
	s->has_apart = conn_has_apart(s->conn) && s->is_kin;
}

/* ---- messages in ---- */

static enum rk_err
unpack(struct session *s, const struct frame *f, struct rk_bytes *body,
    struct rk_error *err)
{
	enum rk_err r;

	*body = f->body;
	if (f->code != FRAME_S2)
		return RK_OK;
	buf_consume(&s->body, buf_len(&s->body));
	r = s2_decode(f->body.ptr, f->body.len, RK_BODY_MAX, &s->body, err);
	if (r == RK_OK)
		*body =
		    (struct rk_bytes){ buf_peek(&s->body), buf_len(&s->body) };
	return r;
}

static void
broken(struct session *s, const struct rk_error *detail)
{
	struct rk_error err;

	(void)err_set(&err, RK_EPROTO, "%s: protocol error: %s",
	    s->peer->remote, detail->text);
	err.step = "receive";
	conn_abort(s->conn, &err);
}

static void
apply_pause(struct session *s)
{
	bool pause = s->paused != 0 || s->full;

	alive_set_deaf(&s->alive, pause);
	conn_pause(s->conn, pause);
}

static bool
may_deliver(struct session *s)
{
	if (s->trust->server && s->paused == 0 && !session_has_room(s)) {
		s->full = true;
		apply_pause(s);
	}
	return s->paused == 0 && !s->full && conn_state(s->conn) == CONN_OPEN;
}

static void
refused(struct session *s)
{
	struct rk_error err;

	(void)err_set(&err, RK_EDENIED, "%s: the peer does not trust this key",
	    s->peer->remote);
	conn_abort(s->conn, &err);
}

/* False: the owner cannot take it now. */
static bool
give(struct session *s, const struct msg *m)
{
	if (m->hdr.type == RK_TYPE_REFUSED && !s->trust->server) {
		refused(s);
		return true;
	}
	if (m->hdr.kin != 0 && s->says_kin)
		s->is_kin = true;
	return alive_message(&s->alive, m) || s->events->message(s, m, s->arg);
}

static size_t
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct session *s = arg;
	struct rk_error err = { 0 };
	struct rk_bytes body;
	struct frame f;
	struct msg m;
	size_t used = 0;
	enum rk_err r = RK_OK;

	(void)c;
	while (may_deliver(s)) {
		r = frame_split(data + used, len - used, &f, NULL, &err);
		if (r != RK_OK)
			break;
		if ((r = unpack(s, &f, &body, &err)) != RK_OK)
			break;
		if ((r = msg_decode(body.ptr, body.len, &m, &err)) != RK_OK)
			break;
		if (!give(s, &m))
			break;
		used += f.total;
	}
	if (s->body.cap > S2_KEEP)
		buf_fini(&s->body);
	if (r != RK_OK && r != RK_EAGAIN)
		broken(s, &err);
	return used;
}

static bool
on_apart(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	static const struct rk_error torn = { .text = "not one whole message" };
	struct session *s = arg;
	struct rk_error err = { 0 };
	struct rk_bytes body;
	struct frame f;
	struct msg m;

	(void)c;
	if (!may_deliver(s))
		return false;
	if (frame_split(data, len, &f, NULL, &err) != RK_OK || f.total != len) {
		broken(
		    s, err.code == RK_OK || err.text[0] == '\0' ? &torn : &err);
		return true;
	}
	if (unpack(s, &f, &body, &err) != RK_OK ||
	    msg_decode(body.ptr, body.len, &m, &err) != RK_OK) {
		broken(s, &err);
		return true;
	}
	return give(s, &m);
}

static void
on_room(struct conn *c, void *arg)
{
	struct session *s = arg;

	(void)c;
	if (!s->full)
		return;
	s->full = false;
	apply_pause(s);
}

static void
on_low(struct conn *c, void *arg)
{
	struct session *s = arg;

	(void)c;
	if (s->events->low != NULL)
		s->events->low(s, s->arg);
}

static void
on_gone(struct conn *c, void *arg)
{
	struct session *s = arg;

	(void)c;
	s->events->gone(s, s->arg);
}

/*
 * Who has only finished may be waiting for answers to calls that it has sent
 * ahead; but not on a connection with streams that are behind, which could not
 * be told how these go.
 */
static void
on_lost(struct conn *c, bool broken, void *arg)
{
	struct session *s = arg;

	(void)c;
	if (s->events->lost != NULL &&
	    (broken || (s->paused & SESSION_PAUSE_STREAMS) != 0))
		s->events->lost(s, s->arg);
}

static void
on_confirmed(struct conn *c, void *arg)
{
	struct session *s = arg;

	(void)c;
	if (s->events->confirmed != NULL)
		s->events->confirmed(s, s->arg);
}

static void
on_closed(struct conn *c, const struct rk_error *why, void *arg)
{
	struct session *s = arg;

	(void)c;
	policy_stand(&s->seat);
	session_held_fini(s);
	s->events->closed(s, why, s->arg);
	alive_fini(&s->alive);
	buf_fini(&s->body);
	free(s);
}

static const struct conn_events conn_callbacks = {
	.proven = session_on_proven,
	.data = on_data,
	.apart = on_apart,
	.confirmed = on_confirmed,
	.room = on_room,
	.low = on_low,
	.gone = on_gone,
	.lost = on_lost,
	.closed = on_closed,
};

enum rk_err
session_open(
    const struct session_conf *conf, struct layer **top, struct session **out)
{
	struct session *s;
	struct conn_conf cc = {
		.loop = conf->loop,
		.events = &conn_callbacks,
		.timeouts = conf->timeouts,
		.max_queue = conf->max_queue,
		.max_over = conf->max_over,
		.keeps_unsent = conf->keeps_unsent,
		.clocks = !conf->trust->server,
		.max_unused = RK_BODY_MAX + FRAME_HEAD_LEN,
	};
	uint64_t keep;
	enum rk_err r;

	*out = NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		layer_free(*top);
		*top = NULL;
		return RK_ENOMEM;
	}
	s->events = conf->events;
	s->arg = conf->arg;
	s->trust = conf->trust;
	s->peer = conf->peer;
	s->wait = conf->wait;
	*s->peer = (struct rk_peer){ 0 };
	s->begun_us = loop_clock_us(conf->loop);
	buf_init(&s->body, RK_BODY_MAX);
	cc.arg = s;
	if ((r = conn_open(&cc, top, &s->conn)) != RK_OK) {
		free(s);
		return r;
	}
	describe_ends(s); /* a refusal must be able to name the peer */
	keep = conf->keepalive;
	if (scheme_of(s->peer->transport) == ADDR_QUIC)
		keep = RK_NEVER; /* QUIC's own PINGs do */
	alive_init(&s->alive, s, conf->loop, keep, conf->dead_peer);
	*out = s;
	return RK_OK;
}

/* ---- early data ---- */

size_t
session_early_max(struct session *s)
{
	struct rk_error why = { 0 };
	struct rk_bytes leaf;
	size_t max;

	if (!conn_query(s->conn, LAYER_Q_EARLY_MAX, &max))
		return 0;
	if (!session_needs_proof(s->trust))
		return max;
	if (!conn_query(s->conn, LAYER_Q_PEER_CERT, &leaf) ||
	    session_resume(&leaf, 1, &why, (void *)(uintptr_t)s->trust) !=
	        RK_OK)
		return 0;
	return max;
}

enum rk_err
session_early(struct session *s, const uint8_t *src, size_t len)
{
	return conn_early(s->conn, src, len);
}

bool
session_early_used(struct session *s)
{
	bool used;

	return conn_query(s->conn, LAYER_Q_EARLY_USED, &used) && used;
}

bool
session_is_early(const struct session *s)
{
	return conn_is_early(s->conn);
}

/* ---- messages out ---- */

/*
 * Long calls and answers go on streams of their own between peers that both
 * know of these; whatever else is in an order of its own stays in the one
 * queue.
 */
static bool
goes_apart(const struct session *s, const struct msg *m)
{
	return m->payload.len >= APART_MIN && s->has_apart && !m->in_order &&
	       (m->hdr.type == RK_TYPE_CALL || m->hdr.type == RK_TYPE_REPLY);
}

/* False: it is to go the usual way. */
static bool
send_apart(struct session *s, const struct msg *m, const struct rk_arg *args,
    size_t n_args)
{
	struct buf b;
	bool sent;

	buf_init(&b, RK_BODY_MAX + FRAME_HEAD_LEN);
	sent = msg_encode(&b, m, args, n_args) == RK_OK &&
	       conn_send_apart(s->conn, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	return sent;
}

/* The frame, with the word that we are rpckit if that is still to be said and
 * leaves room for the rest.  Keepalives stay as Go's are. */
static enum rk_err
encode(struct session *s, const struct msg *m, const struct rk_arg *args,
    size_t n_args)
{
	struct buf *out = conn_out(s->conn);
	struct msg first;

	if (s->says_kin && !s->introduced && m->hdr.type != RK_TYPE_KEEPALIVE) {
		first = *m;
		first.hdr.kin = 1;
		s->introduced = msg_encode(out, &first, args, n_args) == RK_OK;
		if (s->introduced)
			return RK_OK;
	}
	return msg_encode(out, m, args, n_args);
}

enum rk_err
session_send(struct session *s, const struct msg *m, const struct rk_arg *args,
    size_t n_args)
{
	enum rk_err r;

	if (conn_state(s->conn) != CONN_OPEN)
		return RK_ESTATE;
	if (goes_apart(s, m) && send_apart(s, m, args, n_args))
		return RK_OK;
	r = encode(s, m, args, n_args);
	if (r == RK_ETOOBIG && !session_has_room(s))
		return RK_ELIMIT;
	if (r == RK_OK)
		conn_flush(s->conn);
	return r;
}

struct conn *
session_conn(struct session *s)
{
	return s->conn;
}

bool
session_has_room(const struct session *s)
{
	return conn_has_room(s->conn);
}

bool
session_is_flushed(const struct session *s)
{
	return conn_is_flushed(s->conn);
}

void
session_pause(struct session *s, enum session_pause why, bool pause)
{
	if (pause)
		s->paused |= (unsigned)why;
	else
		s->paused &= ~(unsigned)why;
	apply_pause(s);
}

size_t
session_unsent(const struct session *s)
{
	return conn_unsent(s->conn);
}

void
session_tell_low(struct session *s, size_t bytes)
{
	conn_tell_low(s->conn, bytes);
}

bool
session_is_open(const struct session *s)
{
	return conn_state(s->conn) == CONN_OPEN;
}

void
session_count(struct session *s, struct conn_count *out)
{
	conn_count(s->conn, out);
}

void
session_set_busy(struct session *s, bool busy)
{
	/* An answer that takes its time would tell the client too late what
	 * this server is. */
	if (busy && s->trust->server && s->is_kin && s->says_kin &&
	    !s->introduced)
		alive_greet(&s->alive);
	alive_set_busy(&s->alive, busy);
	conn_set_busy(s->conn, busy);
}

void
session_drain(struct session *s)
{
	conn_drain(s->conn);
}

void
session_finish(struct session *s)
{
	conn_finish(s->conn);
}

void
session_abort(struct session *s, const struct rk_error *why)
{
	conn_abort(s->conn, why);
}

const struct rk_peer *
session_peer(const struct session *s)
{
	return s->peer;
}

bool
session_is_kin(const struct session *s)
{
	return s->is_kin;
}

bool
session_has_apart(const struct session *s)
{
	return s->has_apart;
}

bool
session_trust_added(const struct session *s)
{
	return s->trust_added;
}

void
session_timing(const struct session *s, struct rk_timing *out)
{
	out->tls = s->tls_us;
	out->psk = s->psk_us;
	out->trust = s->trust_us;
}
