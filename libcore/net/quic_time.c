/* A QUIC connection's timer: what is due, silence, signs of life. */
#include "net/quic_int.h"

#include "base/error.h"

#include <errno.h>

/* Go peers keep nothing alive by themselves and give up after 30 s. */
#define KEEPALIVE_CLIENT_NS (10 * NGTCP2_SECONDS)
#define KEEPALIVE_SERVER_NS (15 * NGTCP2_SECONDS)
#define KEEPALIVE_LEAST_NS NGTCP2_SECONDS /* whatever a peer would like */

/* After so many nanoseconds of silence it is over, as the ends have agreed. */
static uint64_t
patience(const struct quic_conn *c)
{
	const ngtcp2_transport_params *p =
	    ngtcp2_conn_get_remote_transport_params(c->q);

	if (!c->completed || p == NULL || p->max_idle_timeout == 0 ||
	    p->max_idle_timeout > QUIC_IDLE_NS)
		return QUIC_IDLE_NS;
	return p->max_idle_timeout;
}

/*
 * When the peer is given up.  The library counts from the first packet that
 * asks for an answer, and so up to a keepalive's time later; that remains the
 * limit where what is heard is not the peer, for packets count here before
 * anybody knows whose they are.  There is time for a few answers in any case
 * (RFC 9000, 10.1).
 */
static uint64_t
silence_ends(const struct quic_conn *c)
{
	uint64_t ns = patience(c);
	uint64_t answers = 3 * ngtcp2_conn_get_pto(c->q);

	return c->heard_at + (ns > answers ? ns : answers);
}

/*
 * A server that has said all sends it again for so long after the last sign of
 * the peer: that is a few times (RFC 9002, 6.2).  A peer that does not even
 * confirm packets then is away or asleep, with all of them in its socket.
 */
#define LEFT_NS NGTCP2_SECONDS

static uint64_t
left_at(const struct quic_conn *c)
{
	uint64_t from = c->heard_at > c->ended_at ? c->heard_at : c->ended_at;
	uint64_t ns = 3 * ngtcp2_conn_get_pto(c->q);

	if (!c->server || c->ended_at == 0 || quic_conn_has_unsent(c))
		return UINT64_MAX;
	return from + (ns > LEFT_NS ? ns : LEFT_NS);
}

bool
quic_conn_has_left(const struct quic_conn *c)
{
	return loop_now_ns(c->end->loop) >= left_at(c);
}

static void
tell_if_left(struct quic_conn *c)
{
	if (!c->tell_left || !quic_conn_has_left(c))
		return;
	c->tell_left = false;
	quic_conn_raise(c, RK_WRITE);
}

/* ---- doubts ---- */

/* Rounds without a sign of the peer, of a second or the path's own time.  Each
 * is seen in a turn of its own: a loop that was held up has not listened. */
#define DOUBTS 3
#define DOUBT_NS NGTCP2_SECONDS

uint64_t
quic_conn_in_flight(const struct quic_conn *c)
{
	ngtcp2_conn_info info;

	ngtcp2_conn_get_conn_info(c->q, &info);
	return info.bytes_in_flight;
}

struct layer_path
quic_conn_path(const struct quic_conn *c)
{
	struct layer_path path = { 0 };
	ngtcp2_conn_info info;

	ngtcp2_conn_get_conn_info(c->q, &info);
	path.rtt_us = info.smoothed_rtt / NGTCP2_MICROSECONDS;
#ifdef NGTCP2_CONN_INFO_V2 /* from 1.16 on */
	path.has_retrans = true;
	path.retrans = info.pkt_lost;
#endif
	return path;
}

/* What waits for its confirmation asks already, and goes on asking. */
static void
ask(struct quic_conn *c)
{
	uint64_t pto = ngtcp2_conn_get_pto(c->q);

	c->doubt_at =
	    loop_now_ns(c->end->loop) + (pto > DOUBT_NS ? pto : DOUBT_NS);
	c->asks = quic_conn_in_flight(c) == 0;
	if (c->asks)
		ngtcp2_conn_set_keep_alive_timeout(c->q, 1); /* a PING now */
	quic_conn_touch(c);
}

void
quic_conn_doubt(struct quic_conn *c)
{
	if (c->state != QUIC_LIVE || !c->completed || c->doubt_at != 0)
		return;
	c->doubts = 0;
	ask(c);
}

void
quic_conn_note_asked(struct quic_conn *c)
{
	if (!c->asks || c->state != QUIC_LIVE || quic_conn_in_flight(c) == 0)
		return;
	c->asks = false;
	quic_conn_keep_alive(c);
}

void
quic_conn_trust(struct quic_conn *c)
{
	c->doubt_at = 0;
	if (c->asks)
		quic_conn_keep_alive(c);
	c->asks = false;
}

static void
desert(struct quic_conn *c)
{
	char where[ADDR_TEXT_LEN];
	ngtcp2_ccerr cc;

	addr_format(&c->remote, ADDR_QUIC, where);
	(void)err_sys(&c->error, RK_ECLOSED, ECONNREFUSED,
	    "%s: the peer is gone without a word", where);
	c->deserted = true;
	quic_goodbye(&c->error, &cc);
	quic_conn_close(c, &cc);
}

/* One more round has passed. */
static void
check_doubt(struct quic_conn *c, uint64_t now)
{
	if (c->state != QUIC_LIVE || c->doubt_at == 0 || now < c->doubt_at)
		return;
	if (++c->doubts == DOUBTS)
		desert(c);
	else
		ask(c);
}

/* ---- the timer ---- */

/* What is due by now: packets lost, keepalives, the end of patience. */
static void
expire(struct quic_conn *c)
{
	uint64_t now = loop_now_ns(c->end->loop);
	int rv = NGTCP2_ERR_IDLE_CLOSE;

	c->expired = true;
	if (now < silence_ends(c))
		rv = ngtcp2_conn_handle_expiry(c->q, now);
	if (rv != 0)
		quic_conn_fail(c, rv);
	check_doubt(c, now);
	tell_if_left(c);
	quic_conn_go_on_leaving(c, now >= c->leave_until);
}

void
quic_conn_on_timer(struct rk_timer *t, void *arg)
{
	struct quic_conn *c = arg;

	(void)t;
	if (c->state == QUIC_LIVE)
		expire(c);
	else
		c->state = QUIC_DEAD;
	quic_conn_touch(c);
}

void
quic_conn_arm(struct quic_conn *c)
{
	uint64_t at;

	if (c->state != QUIC_LIVE)
		return;
	at = ngtcp2_conn_get_expiry(c->q);
	if (c->heard > 0 && at > loop_now_ns(c->end->loop) + QUIC_ACK_LATE_NS)
		at = loop_now_ns(c->end->loop) + QUIC_ACK_LATE_NS;
	at = at < silence_ends(c) ? at : silence_ends(c);
	if (c->doubt_at != 0 && c->doubt_at < at)
		at = c->doubt_at;
	if (c->tell_left && left_at(c) < at)
		at = left_at(c);
	if (c->leaving && c->leave_until < at)
		at = c->leave_until;
	loop_timer_set_ns(c->timer, at);
}

/*
 * A loop that nobody ran for so long that the peer has given up must not take
 * what came in the meantime for a sign of life.
 */
void
quic_conn_wake(struct quic_conn *c)
{
	if (c->state == QUIC_LIVE &&
	    loop_now_ns(c->end->loop) >= silence_ends(c))
		quic_conn_fail(c, NGTCP2_ERR_IDLE_CLOSE);
}

void
quic_conn_keep_alive(struct quic_conn *c)
{
	uint64_t ns = c->server ? KEEPALIVE_SERVER_NS : KEEPALIVE_CLIENT_NS;
	uint64_t half = patience(c) / 2;

	ns = ns < half ? ns : half;
	ngtcp2_conn_set_keep_alive_timeout(
	    c->q, ns > KEEPALIVE_LEAST_NS ? ns : KEEPALIVE_LEAST_NS);
}
