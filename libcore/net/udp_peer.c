/* One peer on UDP as the way below its session: cookies, addresses, time. */
#include "net/udp_int.h"

#include "base/error.h"

#include <rpckit/secret.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool
is_client(const struct udp_peer *p)
{
	return p->end->events == NULL;
}

static uint64_t
now_of(const struct udp_peer *p)
{
	return rk_loop_now(p->end->loop);
}

static bool
same(const struct addr *a, const struct addr *b)
{
	return a->len == b->len && memcmp(&a->u, &b->u, a->len) == 0;
}

struct udp_peer *
udp_peer_new(struct udp_end *e)
{
	struct udp_peer *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->end = e;
	TAILQ_INSERT_TAIL(&e->peers, p, link);
	e->stats.peers++;
	return p;
}

/* A client's endpoint is for it alone. */
void
udp_peer_free(struct udp_peer *p)
{
	struct udp_end *e = p->end;
	const bool alone = e != NULL && is_client(p);

	rk_timer_free(p->timer);
	if (e != NULL)
		udp_end_forget(e, p);
	free(p);
	if (alone)
		udp_end_free(e);
}

/* ---- what the session sends ---- */

static enum rk_err
put(struct udp_peer *p, const uint8_t *head, size_t head_len,
    const uint8_t *data, size_t len)
{
	const struct rk_bytes h = { .ptr = head, .len = head_len };
	const struct rk_bytes d = { .ptr = data, .len = len };

	p->has_sent = true;
	return udp_end_put(p->end, p, h, d);
}

static enum rk_err
knock(struct udp_peer *p)
{
	uint8_t out[UDP_KNOCK_LEN];

	(void)udp_put_knock(out, p->nonce, p->psk, (int64_t)time(NULL));
	return put(p, out, sizeof(out), out, 0);
}

/* The first message, with a cookie; without one a knock, which is answered with
 * one.  A cookie may count no more: with a pre-shared key nobody tells. */
static enum rk_err
say_hello(struct udp_peer *p)
{
	const size_t len = p->hello_len - UDP_HELLO_LEN;
	enum rk_err r;

	if (!p->has_cookie)
		return knock(p);
	if (p->psk != NULL && now_of(p) >= p->cookie_at + UDP_COOKIE_HOLD_MS &&
	    (r = knock(p)) != RK_OK)
		return r;
	(void)udp_put_hello(p->hello, p->nonce, p->cookie);
	return put(p, p->hello, UDP_HELLO_LEN, p->hello + UDP_HELLO_LEN, len);
}

static enum rk_err
way_send(const void *data, size_t len, size_t *taken, void *arg)
{
	struct udp_peer *p = arg;
	const uint8_t *bytes = data;
	uint8_t head[UDP_DATA_LEN];

	*taken = len;
	if (p->end == NULL)
		return RK_OK; /* lost */
	if (is_client(p) && bytes[0] == SESS_MAGIC[0] &&
	    len <= SESS_HELLO_MAX) {
		memcpy(p->hello + UDP_HELLO_LEN, data, len);
		p->hello_len = UDP_HELLO_LEN + len;
		return say_hello(p);
	}
	return put(p, head, udp_put_data(head, p->id), data, len);
}

/* ---- addresses ---- */

static void
ask(struct udp_peer *p)
{
	uint8_t out[UDP_PATH_LEN];

	p->asked_at = now_of(p);
	udp_end_say(p->end, &p->other_local, &p->other, out,
	    udp_put_path(out, UDP_ASK, p->id, p->token));
}

static void
move_to_other(struct udp_peer *p)
{
	p->local = p->other_local;
	p->remote = p->other;
	p->asked_at = 0;
	p->shown = false;
	p->end->stats.moves++;
	sess_layer_moved(p->layer);
}

/* Something new of the peer's came from another address: the peer's, or that of
 * who was faster than it. */
static void
consider(struct udp_peer *p, const struct quic_datagram *d)
{
	const bool known = p->asked_at != 0 && same(&p->other, d->remote);

	if (known && p->shown) {
		move_to_other(p);
		return;
	}
	if (!known) {
		p->other = *d->remote;
		p->other_local = *d->local;
		p->shown = false;
		rk_random(p->token, sizeof(p->token));
		ask(p);
	} else if (now_of(p) >= p->asked_at + UDP_ASK_MS) {
		ask(p);
	}
}

static void
take_proof(
    struct udp_peer *p, const struct quic_datagram *d, const struct udp_msg *m)
{
	if (p->asked_at != 0 && same(&p->other, d->remote) &&
	    rk_secret_eq(p->token, m->token, sizeof(p->token)))
		p->shown = true;
}

/* ---- what comes ---- */

static void
server_input(
    struct udp_peer *p, const struct quic_datagram *d, const struct udp_msg *m)
{
	const bool here = same(&p->remote, d->remote);

	if (m->kind == UDP_PROOF) {
		take_proof(p, d, m);
	} else if (m->data == NULL || p->layer == NULL ||
	           (m->kind == UDP_HELLO && !here)) {
		p->end->stats.ignored++;
	} else if (here) {
		sess_layer_feed(p->layer, m->data, m->len);
	} else if (sess_layer_feed_other(p->layer, m->data, m->len)) {
		consider(p, d);
	}
}

/* Another one than the first is taken only when that was in vain, as two
 * knocks may have two answers. */
static void
take_cookie(struct udp_peer *p, const struct udp_msg *m)
{
	if (p->answered ||
	    (p->has_cookie && now_of(p) < p->cookie_at + UDP_COOKIE_HOLD_MS))
		return;
	p->has_cookie = true;
	p->cookie_at = now_of(p);
	memcpy(p->cookie, m->cookie, UDP_COOKIE_LEN);
	memcpy(p->id, m->id, UDP_ID_LEN);
	if (p->hello_len > 0 && say_hello(p) != RK_OK)
		p->has_sent = false; /* the session says it again */
}

static void
turned_away(struct udp_peer *p)
{
	char where[ADDR_TEXT_LEN];
	struct rk_error why;

	if (p->answered || p->layer == NULL)
		return;
	addr_format(&p->remote, ADDR_SSH_UDP, where);
	(void)err_set(
	    &why, RK_ECONNECT, "%s: the server takes nobody now", where);
	why.step = "connect";
	sess_layer_break(p->layer, &why);
}

static void
client_input(struct udp_peer *p, const struct udp_msg *m)
{
	uint8_t out[UDP_PATH_LEN];

	if (m->nonce != NULL && memcmp(m->nonce, p->nonce, UDP_NONCE_LEN) != 0)
		return;
	if (m->kind == UDP_RETRY) {
		take_cookie(p, m);
	} else if (m->kind == UDP_BUSY) {
		turned_away(p);
	} else if (m->kind == UDP_NO) {
		if (!p->answered && p->layer != NULL)
			sess_layer_end(p->layer);
	} else if (memcmp(m->id, p->id, UDP_ID_LEN) != 0 || !p->has_cookie) {
		p->end->stats.ignored++;
	} else if (m->kind == UDP_DATA && p->layer != NULL) {
		p->answered = true;
		p->refused_at = 0;
		sess_layer_feed(p->layer, m->data, m->len);
	} else if (m->kind == UDP_ASK && p->layer != NULL) {
		udp_end_say(p->end, &p->local, &p->remote, out,
		    udp_put_path(out, UDP_PROOF, p->id, m->token));
		sess_layer_ask(p->layer);
	}
}

void
udp_peer_input(
    struct udp_peer *p, const struct quic_datagram *d, const struct udp_msg *m)
{
	if (is_client(p))
		client_input(p, m);
	else
		server_input(p, d, m);
}

/* Everybody who can guess a port can say so: once there is a session it counts
 * only if it is said for a while, and the peer says nothing. */
void
udp_peer_refused(struct udp_peer *p, int sys)
{
	const uint64_t now = now_of(p);
	char where[ADDR_TEXT_LEN];
	struct rk_error why;

	if (p->layer == NULL)
		return;
	addr_format(&p->remote, ADDR_SSH_UDP, where);
	if (!p->answered) {
		(void)err_sys(
		    &why, RK_ECONNECT, sys, "%s: cannot connect", where);
		why.step = "connect";
		sess_layer_break(p->layer, &why);
		return;
	}
	if (p->refused_at == 0)
		p->refused_at = now;
	if (now < p->refused_at + UDP_DOUBT_MS)
		return;
	(void)err_set(&why, RK_ECLOSED, "%s: nobody is there any more", where);
	sess_layer_break(p->layer, &why);
}

/* ---- the way ---- */

/* What is between forgets who is silent (RFC 4787, 4.3). */
static void
on_timer(struct rk_timer *t, void *arg)
{
	struct udp_peer *p = arg;

	if (!p->has_sent)
		sess_layer_ask(p->layer);
	p->has_sent = false;
	if (rk_timer_set(t, now_of(p) + UDP_KEEPALIVE_MS) != RK_OK)
		log_event(RK_LOG_WARN, "session", "no memory for a timer");
}

static void
way_begun(void *way, struct layer *l)
{
	struct udp_peer *p = way;

	p->layer = l;
	if (p->end == NULL)
		return;
	if (!is_client(p)) {
		sess_layer_feed(
		    l, p->hello + UDP_HELLO_LEN, p->hello_len - UDP_HELLO_LEN);
		return;
	}
	if (rk_timer_new(p->end->loop, on_timer, p, &p->timer) != RK_OK ||
	    rk_timer_set(p->timer, now_of(p) + UDP_KEEPALIVE_MS) != RK_OK)
		log_event(RK_LOG_WARN, "session", "no memory for a timer");
}

/* Its address is known to be its own, and it would wait for long. */
static void
way_refuse(void *way)
{
	const struct udp_peer *p = way;

	if (p->end != NULL && !is_client(p))
		udp_end_say_no(p->end, &p->local, &p->remote, p->nonce);
}

static bool
way_query(void *way, enum layer_query what, void *out)
{
	const struct udp_peer *p = way;

	*(struct addr *)out = what == LAYER_Q_LOCAL ? p->local : p->remote;
	return true;
}

static void
way_free(void *way)
{
	udp_peer_free(way);
}

const struct sess_way_ops udp_way = {
	.send = way_send,
	.begun = way_begun,
	.refuse = way_refuse,
	.query = way_query,
	.free = way_free,
};
