/* What a session over datagrams does besides: says things again, finds out how
 * long a datagram may be. */
#include "net/sess_int.h"

#include "base/be.h"

#define PROBE_MS 200
#define PROBE_ROUNDS 4
#define SIZE_LEN 2
#define CHECK_MS 1000 /* after a long one, and after each question */
#define CHECKS 3      /* that are not answered: it is carried no more */
#define RAISE_MS 60000
#define FULL (SESS_OUT_FULL / 4) /* more than that is said later, or never */

/* Ethernet with tunnels, without; jumbo frames; loopback. */
static const uint16_t ladder[] = { 1280, 1350, 1420, 1452, 1472, 4096, 8192,
	8952, 16384, 32768, SESS_DATAGRAM_MAX };

/* ---- the handshake ---- */

enum rk_err
sess_datagram_hello(struct rk_session *s, const uint8_t *p, size_t len)
{
	const uint64_t now = rk_loop_now(s->loop);
	const uint64_t held =
	    s->state == RK_SESSION_NEGOTIATING ? SESS_HELD_MS : SESS_PACE_MS;
	enum rk_err r;

	if (s->proven)
		return RK_EAGAIN;
	if (s->keyed && len == s->first_len && memcmp(p, s->first, len) == 0) {
		r = sess_put_raw(s, s->answer, sizeof(s->answer));
		return r == RK_OK ? RK_EAGAIN : r;
	}
	if (s->answered_at != 0 && now < s->answered_at + held)
		return RK_EAGAIN;
	return RK_OK;
}

static enum rk_err
say_again(struct rk_session *s)
{
	const uint8_t done = SESS_DONE;
	uint8_t ask[SESS_REKEY_LEN];

	switch (s->state) {
	case RK_SESSION_EXCHANGING:
		return sess_put_raw(s, s->first, s->first_len);
	case RK_SESSION_NEGOTIATING:
		return sess_put(s, SESS_PROOF, s->proof, sizeof(s->proof));
	case RK_SESSION_ESTABLISHED:
		sess_keys_ask(&s->keys, ask);
		return sess_put(s, SESS_REKEY, ask, sizeof(ask));
	case RK_SESSION_CLOSING:
		return sess_put(s, SESS_CLOSE, &done, sizeof(done));
	case RK_SESSION_INITIALIZING:
	case RK_SESSION_CLOSED:
		break;
	}
	return RK_OK;
}

/* ---- probing ---- */

/* A packet of its own, of exactly this size. */
static enum rk_err
probe(struct rk_session *s, size_t size)
{
	static const uint8_t zeros[SESS_DATAGRAM_MAX];

	s->mixed = true;
	return sess_put(s, SESS_PROBE, zeros,
	    size - SESS_HEAD_DATAGRAM - SESS_ITEM_LEN - NOISE_TAG_LEN);
}

static enum rk_err
probe_all(struct rk_session *s)
{
	const uint64_t now = rk_loop_now(s->loop);
	enum rk_err r = RK_OK;

	s->probe_at = 0;
	if (s->state != RK_SESSION_ESTABLISHED ||
	    s->packet == SESS_DATAGRAM_MAX || s->probes++ == PROBE_ROUNDS) {
		s->raise_at = now + RAISE_MS;
		return RK_OK;
	}
	s->probe_at = now + PROBE_MS;
	if (sess_waiting(s) > FULL) /* the way is full as it is */
		return RK_OK;
	for (size_t i = 0; i < sizeof(ladder) / sizeof(ladder[0]); i++)
		if (ladder[i] > s->packet && (r = probe(s, ladder[i])) != RK_OK)
			return r;
	return RK_OK;
}

void
sess_datagram_probe(struct rk_session *s)
{
	if (s->conf.packet != 0)
		return;
	s->probe_at = rk_loop_now(s->loop);
	s->probes = 0;
	s->raise_at = 0;
	sess_work_later(s);
}

/* ---- what is carried no more (RFC 8899, 4.3) ---- */

void
sess_datagram_fall(struct rk_session *s)
{
	if (s->conf.packet != 0 || s->packet <= SESS_PACKET_FIRST)
		return;
	s->packet = SESS_PACKET_FIRST;
	s->shorter = true;
	s->check_at = 0;
	s->checks = 0;
	sess_datagram_probe(s);
}

void
sess_datagram_sent(struct rk_session *s, size_t size)
{
	const uint64_t now = rk_loop_now(s->loop);

	if (s->conf.packet != 0 || size > s->packet)
		return;
	if (size > SESS_PACKET_FIRST && s->check_at == 0)
		s->check_at = now + CHECK_MS;
	if (size > s->packet / 2 && s->raise_at != 0 && now >= s->raise_at &&
	    s->packet < SESS_DATAGRAM_MAX)
		sess_datagram_probe(s);
}

void
sess_datagram_refused(struct rk_session *s, size_t size)
{
	if (size > SESS_PACKET_FIRST && size <= s->packet)
		sess_datagram_fall(s);
}

static enum rk_err
check(struct rk_session *s)
{
	s->check_at = 0;
	if (s->state != RK_SESSION_ESTABLISHED)
		return RK_OK;
	if (s->checks == CHECKS) {
		sess_datagram_fall(s);
		return RK_OK;
	}
	s->check_at = rk_loop_now(s->loop) + CHECK_MS;
	if (sess_waiting(s) > FULL)
		return RK_OK;
	s->checks++;
	return probe(s, s->packet);
}

enum rk_err
sess_datagram_reply(struct rk_session *s, size_t len)
{
	const size_t size =
	    len + SESS_ITEM_LEN + SESS_HEAD_DATAGRAM + NOISE_TAG_LEN;
	uint8_t out[SIZE_LEN];

	if (!s->datagrams || size > SESS_DATAGRAM_MAX)
		return RK_EPROTO;
	if (sess_waiting(s) > FULL) /* it asks, and does not listen */
		return RK_OK;
	(void)be_put16(out, (uint16_t)size);
	return sess_put(s, SESS_PROBED, out, sizeof(out));
}

enum rk_err
sess_datagram_probed(struct rk_session *s, const uint8_t *p, size_t len)
{
	const size_t size = len == SIZE_LEN ? be_get16(p) : 0;

	if (!s->datagrams || s->conf.packet != 0)
		return RK_EPROTO;
	for (size_t i = 0; i < sizeof(ladder) / sizeof(ladder[0]); i++)
		if (ladder[i] == size) {
			if (size < s->packet)
				return RK_OK;
			s->packet = size;
			s->check_at = 0;
			s->checks = 0;
			return RK_OK;
		}
	return RK_EPROTO;
}

enum rk_err
sess_datagram_time(struct rk_session *s)
{
	const uint64_t now = rk_loop_now(s->loop);
	enum rk_err r = RK_OK;

	if (s->again_at != 0 && now >= s->again_at) {
		s->again_at = now + SESS_AGAIN_MS;
		r = say_again(s);
	}
	if (r == RK_OK && s->check_at != 0 && now >= s->check_at)
		r = check(s);
	if (r == RK_OK && s->probe_at != 0 && now >= s->probe_at)
		r = probe_all(s);
	return r;
}
