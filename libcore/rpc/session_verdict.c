/* May this peer come in, does it have to wait, may it stay? */
#include "rpc/session_int.h"

#include "base/error.h"
#include "net/loop.h"
#include "rpc/frame.h"

#define UNSURE_MS 5000 /* then who cannot be judged goes */

/* A session's peer has proven a key, whatever TLS's mode is. */
static enum rk_err
prove_key(struct session *s, struct rk_error *err)
{
	struct rk_peer *p = s->peer;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	enum rk_err r;

	if (!conn_query(s->conn, LAYER_Q_PEER_KEY, pub))
		return err_set(
		    err, RK_ECERT, "%s: the peer showed no key", p->remote);
	if ((r = session_judge_key(s->trust, pub, &p->cert, err)) == RK_OK)
		p->proven = true;
	return r;
}

/* The certificate's part of the verdict. */
static enum rk_err
prove(struct session *s, struct rk_error *err)
{
	struct rk_peer *p = s->peer;
	struct rk_bytes leaf;
	enum rk_err r;

	if (session_is_keyed(s))
		return prove_key(s, err);
	if (!session_needs_proof(s->trust) || !session_is_proving(s))
		return RK_OK;
	if (!conn_query(s->conn, LAYER_Q_PEER_CERT, &leaf))
		return err_set(err, RK_ECERT,
		    "%s: the peer showed no certificate", p->remote);
	r = session_judge(s->trust, leaf, p->resumed, &p->cert, err);
	/* The list may have changed since the certificate was shown. */
	if (r == RK_OK)
		r = session_judge_list(s->trust, leaf, &p->cert, err);
	if (r == RK_OK)
		p->proven = true;
	return r;
}

static enum rk_err
decide(struct session *s, struct rk_error *err)
{
	enum rk_err r;

	if ((r = prove(s, err)) != RK_OK)
		return r;
	if (!s->peer->proven || s->trust->trust == NULL)
		return RK_OK;
	return s->trust->server ? policy_decide(s->trust->trust, s->peer,
	                              &s->trust_added, err)
	                        : rk_trust_decide(s->trust->trust, s->peer,
	                              &s->trust_added, err);
}

static void
let_in(struct session *s)
{
	s->timed = s->peer->proven && s->trust->trust != NULL &&
	           policy_is_timed(s->trust->trust, &s->peer->cert);
	conn_accept(s->conn);
	alive_open(&s->alive);
	s->events->open(s, s->arg);
}

/* What came early was not proven to be fresh: nobody waits with that. */
static enum rk_err
sit_down(struct session *s, struct rk_error *err)
{
	enum rk_err r;

	if (s->wait == 0 || conn_is_early(s->conn))
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s: nobody has decided about it", s->peer->cert.fp);
	r = policy_sit(s->trust->trust, &s->seat, s->peer, err);
	if (r != RK_OK)
		return r;
	conn_wait(s->conn, s->wait);
	if (s->events->waits != NULL)
		s->events->waits(s, s->arg);
	return RK_OK;
}

void
session_judge_again(struct session *s)
{
	struct rk_error err = { 0 };
	enum rk_err r = decide(s, &err);

	s->trust_us = loop_clock_us(s->alive.loop) - s->trust_begun_us;
	if (r == RK_EBUSY && s->trust->server && !conn_is_early(s->conn)) {
		session_wait_for_list(s, &err);
		return;
	}
	session_held_fini(s);
	if (r == RK_EAGAIN && (r = sit_down(s, &err)) == RK_OK)
		return;
	if (r == RK_OK) {
		let_in(s);
		return;
	}
	err.step = "trust";
	conn_abort(s->conn, &err);
}

void
session_on_proven(struct conn *c, void *arg)
{
	struct session *s = arg;
	uint64_t t = loop_clock_us(s->alive.loop);

	if (!conn_query(c, LAYER_Q_PSK_US, &s->psk_us))
		s->psk_us = 0;
	s->tls_us = t - s->begun_us - s->psk_us;
	s->trust_begun_us = t;
	session_describe_handshake(s);
	session_judge_again(s);
}

bool
session_waits(const struct session *s)
{
	return s->seat.room != NULL || session_waits_for_list(s);
}

/* TLS and what else is a stream of bytes end alike for all reasons; a session
 * and QUIC tell by themselves.  A stranger would not know what this is. */
static void
say_refused(struct session *s, enum rk_err why)
{
	const struct msg m = { .hdr = { .type = RK_TYPE_REFUSED } };
	struct buf b;

	if (rk_err_exit(why) != rk_err_exit(RK_ECERT) || !s->is_kin ||
	    session_is_telling(s))
		return;
	buf_init(&b, RK_BODY_MAX + FRAME_HEAD_LEN);
	if (msg_encode(&b, &m, NULL, 0) == RK_OK)
		conn_tell_waiting(s->conn, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
}

void
session_ask_again(struct session *s)
{
	struct rk_error err = { 0 };
	enum rk_err r;

	if (!session_waits(s) || conn_state(s->conn) != CONN_VERIFY)
		return;
	if (session_waits_for_list(s)) {
		session_judge_again(s);
		return;
	}
	r = policy_ask_again(s->trust->trust, s->peer, &s->trust_added, &err);
	if (r == RK_EAGAIN || r == RK_EBUSY)
		return; /* it is looked at again */
	policy_stand(&s->seat);
	if (r == RK_OK) {
		let_in(s);
		return;
	}
	say_refused(s, r);
	conn_abort(s->conn, &err);
}

void
session_turn_away(struct session *s)
{
	struct rk_error err = { 0 };

	if (!session_waits(s) || conn_state(s->conn) != CONN_VERIFY)
		return;
	policy_stand(&s->seat);
	(void)err_set(&err, RK_ECERT,
	    "key %s waited for a decision, and another CA is in force",
	    s->peer->cert.fp);
	err.step = "trust";
	conn_abort(s->conn, &err);
}

static void
put_out(struct session *s, const struct rk_error *why)
{
	s->put_out = true;
	conn_abort(s->conn, why);
}

void
session_check_stay(struct session *s)
{
	struct rk_error err = { 0 };
	enum conn_state state = conn_state(s->conn);
	uint64_t now = rk_loop_now(s->alive.loop);
	enum rk_err r;

	if (!s->peer->proven || s->trust->trust == NULL ||
	    (state != CONN_OPEN && state != CONN_DRAINING))
		return;
	r = policy_may_stay(s->trust->trust, &s->peer->cert, s->timed, &err);
	if (r != RK_EBUSY)
		s->unsure = 0;
	else if (s->unsure == 0)
		s->unsure = now + 1; /* never 0 */
	if (r != RK_OK && (r != RK_EBUSY || now >= s->unsure + UNSURE_MS))
		put_out(s, &err);
}

bool
session_was_put_out(const struct session *s)
{
	return s->put_out;
}

bool
session_is_timed(const struct session *s)
{
	return s->timed || s->unsure != 0;
}

void
session_check_list(struct session *s)
{
	enum conn_state state = conn_state(s->conn);
	struct rk_error err = { 0 };
	struct rk_bytes leaf;

	if (!s->peer->proven || (state != CONN_VERIFY && state != CONN_OPEN &&
	                            state != CONN_DRAINING))
		return;
	if (conn_query(s->conn, LAYER_Q_PEER_CERT, &leaf) &&
	    session_judge_list(s->trust, leaf, &s->peer->cert, &err) != RK_OK)
		put_out(s, &err);
}
