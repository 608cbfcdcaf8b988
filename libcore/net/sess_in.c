/* What comes to a session: the handshake, packets, items. */
#include "net/sess_int.h"

#include "base/be.h"
#include "base/error.h"
#include "trust/sshkey.h"

#include <string.h>

/* ---- the peer ---- */

/* Whoever has proven a key: is it the one that is wanted? */
static enum rk_err
judge(struct rk_session *s)
{
	const uint8_t *pub = s->hs.peer;
	char ours[RK_FP_LEN];
	char fp[RK_FP_LEN];
	enum rk_err r = RK_OK;

	sshkey_fp(pub, fp);
	rk_fp_of_key(pub, ours);
	if ((s->wants_key && memcmp(pub, s->wanted, sizeof(s->wanted)) != 0) ||
	    (s->wanted_fp[0] != '\0' && strcmp(s->wanted_fp, fp) != 0 &&
	        strcmp(s->wanted_fp, ours) != 0))
		return err_set(&s->error, RK_EDENIED,
		    "the peer has another key than the one wanted: %s", fp);
	if (s->conf.judge != NULL) {
		s->using = true;
		r = s->conf.judge(s, pub, fp, s->conf.arg);
		s->using = false;
	}
	if (s->dead || sess_is_over(s)) /* it has ended it */
		return RK_ECANCELED;
	if (r != RK_OK)
		return err_set(
		    &s->error, r, "the peer's key is refused: %s", fp);
	s->proven = true;
	return RK_OK;
}

static void
establish(struct rk_session *s)
{
	sess_go(s, RK_SESSION_ESTABLISHED);
	s->handshake_at = 0;
	s->again_at = 0;
	if (s->datagrams)
		sess_datagram_probe(s);
	s->refused = true; /* who could not write before may */
	if (s->conf.initiator)
		s->rekey_at = rk_loop_now(s->loop) + s->conf.rekey_ms;
}

/* ---- the handshake ---- */

static enum rk_err
make_keys(struct rk_session *s)
{
	enum rk_err r;

	sess_keys_fini(&s->keys); /* of somebody who has not come back */
	r = sess_keys_init(&s->keys, &s->hs.noise, s->datagrams);
	s->keyed = true;
	if (r == RK_OK && s->state < RK_SESSION_NEGOTIATING)
		sess_go(s, RK_SESSION_NEGOTIATING);
	return r;
}

/*
 * A hello that is not to be answered.  Anybody may have sent it; but where it
 * takes more to be heard at all it is the peer's, or damaged on its way: who
 * repeats it means it.
 */
static bool
is_meant(struct rk_session *s, const uint8_t *p, size_t len)
{
	if (!s->shown || s->keyed || len > sizeof(s->first))
		return false;
	if (s->wrong && len == s->first_len && memcmp(p, s->first, len) == 0)
		return true;
	memcpy(s->first, p, len);
	s->first_len = len;
	s->wrong = true;
	return false;
}

static enum rk_err
take_hello(struct rk_session *s, const uint8_t *p, size_t len)
{
	struct sess_hs hs = s->hs; /* a wrong one must not spoil it */
	struct rk_error err;
	enum rk_err r;

	if (s->datagrams && (r = sess_datagram_hello(s, p, len)) != RK_OK)
		return r == RK_EAGAIN ? RK_OK : r;
	r = sess_hs_answer(&hs, p, len, s->answer, &err);
	if (r != RK_OK && s->datagrams && !hs.unsigned_by_us &&
	    !is_meant(s, p, len))
		return RK_OK;
	if (r != RK_OK) {
		s->error = err;
		return r;
	}
	s->hs = hs;
	noise_fini(&hs.noise);
	memcpy(s->first, p, len);
	s->first_len = len;
	s->answered_at = rk_loop_now(s->loop);
	if ((r = make_keys(s)) != RK_OK)
		return r;
	return sess_put_raw(s, s->answer, sizeof(s->answer));
}

static enum rk_err
take_answer(struct rk_session *s, const uint8_t *p, size_t len)
{
	struct rk_error err;
	enum rk_err r;

	r = sess_hs_take(&s->hs, p, len, &err);
	if (r != RK_OK && s->datagrams)
		return RK_OK; /* as above */
	if (r != RK_OK) {
		s->error = err;
		return r;
	}
	if ((r = make_keys(s)) != RK_OK || (r = judge(s)) != RK_OK)
		return r;
	r = sess_hs_prove(&s->hs, s->keys.hash, s->proof, &err);
	if (r != RK_OK) {
		s->error = err;
		return r;
	}
	return sess_put(s, SESS_PROOF, s->proof, sizeof(s->proof));
}

static enum rk_err
take_proof(struct rk_session *s, const uint8_t *p, size_t len)
{
	enum rk_err r;

	if (s->conf.initiator || len != SESS_PROOF_LEN)
		return RK_EPROTO;
	if (s->proven) /* the answer to it was lost */
		return s->datagrams ? sess_put(s, SESS_ACCEPTED, NULL, 0)
		                    : RK_EPROTO;
	if ((r = sess_hs_check(&s->hs, s->keys.hash, p, &s->error)) != RK_OK ||
	    (r = judge(s)) != RK_OK)
		return r;
	establish(s);
	return sess_put(s, SESS_ACCEPTED, NULL, 0);
}

static enum rk_err
take_accepted(struct rk_session *s, size_t len)
{
	if (!s->conf.initiator || len != 0)
		return RK_EPROTO;
	if (s->state != RK_SESSION_NEGOTIATING)
		return s->datagrams ? RK_OK : RK_EPROTO;
	establish(s);
	return RK_OK;
}

/* ---- keys that change ---- */

static enum rk_err
take_rekey(struct rk_session *s, const uint8_t *p, size_t len)
{
	uint8_t answer[SESS_REKEY_LEN];
	enum rk_err r;

	if (len != SESS_REKEY_LEN)
		return RK_EPROTO;
	r = sess_keys_answer(&s->keys, p, answer);
	if (r == RK_EAGAIN)
		return s->datagrams ? RK_OK : RK_EPROTO; /* it is late */
	if (r != RK_OK)
		return r;
	return sess_put(s, SESS_REKEYED, answer, sizeof(answer));
}

static enum rk_err
take_rekeyed(struct rk_session *s, const uint8_t *p, size_t len)
{
	enum rk_err r;

	if (len != SESS_REKEY_LEN)
		return RK_EPROTO;
	if ((r = sess_keys_take(&s->keys, p)) != RK_OK)
		return r == RK_EAGAIN && s->datagrams ? RK_OK : RK_EPROTO;
	if (s->state == RK_SESSION_ESTABLISHED)
		s->again_at = 0;
	if (s->state == RK_SESSION_ESTABLISHED)
		s->rekey_at = rk_loop_now(s->loop) + s->conf.rekey_ms;
	/* A packet of the new keys, which tells the peer to use them. */
	return sess_put(s, SESS_DATA, NULL, 0);
}

/* ---- the rest ---- */

static enum rk_err
take_data(struct rk_session *s, const uint8_t *p, size_t len)
{
	const uint32_t n = (uint32_t)len;
	const size_t head = s->datagrams ? sizeof(n) : 0;
	uint8_t *to;
	enum rk_err r;
	if (len > SESS_DATA_MAX)
		return RK_EPROTO;
	if (len == 0 || s->state != RK_SESSION_ESTABLISHED)
		return RK_OK;
	/* Its length and all of it, or nothing. */
	r = buf_reserve(&s->got, head + len, &to);
	if (r != RK_OK)
		return r;
	memcpy(to, &n, head);
	memcpy(to + head, p, len);
	buf_commit(&s->got, head + len);
	s->news = true;
	return RK_OK;
}

static enum rk_err
take_close(struct rk_session *s, const uint8_t *p, size_t len)
{
	if (len != 1)
		return RK_EPROTO;
	s->goodbye = true;
	switch (p[0]) {
	case SESS_DONE:
		if (s->state == RK_SESSION_NEGOTIATING)
			return err_set(
			    &s->error, RK_ECLOSED, "the peer has given up");
		if (s->holds && s->state == RK_SESSION_ESTABLISHED) {
			s->news = true;
			return RK_OK;
		}
		rk_session_close(s); /* ours, unless it was said */
		/* Nobody says it again when we are gone. */
		for (int i = 0; i < 2 && s->datagrams && !sess_is_over(s);
		     i++) {
			enum rk_err r = sess_seal(s);

			if (r == RK_OK)
				r = sess_put(s, SESS_CLOSE, p, len);
			if (r != RK_OK)
				return r;
		}
		return RK_OK;
	case SESS_REFUSED:
		return err_set(
		    &s->error, RK_EDENIED, "the peer refuses our key");
	case SESS_BROKEN:
		return err_set(&s->error, RK_EPROTO,
		    "the peer says that what it got was damaged");
	case SESS_OTHER:
	default:
		return err_set(&s->error, RK_ECLOSED,
		    "the peer has ended the session for reasons of its own");
	}
}

static enum rk_err
take_item(struct rk_session *s, uint8_t type, const uint8_t *p, size_t len)
{
	/* Nothing but this counts before both are proven. */
	if (s->state == RK_SESSION_NEGOTIATING && type != SESS_PROOF &&
	    type != SESS_ACCEPTED && type != SESS_CLOSE)
		return s->datagrams ? RK_OK : RK_EPROTO; /* it is early */
	switch (type) {
	case SESS_PROOF:
		return take_proof(s, p, len);
	case SESS_ACCEPTED:
		return take_accepted(s, len);
	case SESS_REKEY:
		return take_rekey(s, p, len);
	case SESS_REKEYED:
		return take_rekeyed(s, p, len);
	case SESS_CLOSE:
		return take_close(s, p, len);
	case SESS_DATA:
		return take_data(s, p, len);
	case SESS_PROBE:
		return sess_datagram_reply(s, len);
	case SESS_PROBED:
		return sess_datagram_probed(s, p, len);
	case SESS_MESSAGE:
	case SESS_PART:
		return sess_listen_take(s, type == SESS_MESSAGE, p, len);
	default:
		return RK_EPROTO;
	}
}

static enum rk_err
take_items(struct rk_session *s, const uint8_t *p, size_t len)
{
	enum rk_err r = RK_OK;

	while (len > 0 && r == RK_OK && !sess_is_over(s) && !s->goodbye) {
		size_t n;

		if (len < SESS_ITEM_LEN ||
		    (n = (size_t)be_get(p + 1, SESS_LEN_LEN)) >
		        len - SESS_ITEM_LEN)
			return RK_EPROTO;
		r = take_item(s, p[0], p + SESS_ITEM_LEN, n);
		p += SESS_ITEM_LEN + n;
		len -= SESS_ITEM_LEN + n;
	}
	return r;
}

static enum rk_err
take_message(struct rk_session *s, uint8_t *p, size_t len)
{
	const bool hello = s->datagrams && !s->conf.initiator && len > 0 &&
	                   p[0] == SESS_MAGIC[0];
	uint8_t *text;
	size_t n;
	enum rk_err r;

	if (!s->keyed || hello)
		return s->conf.initiator ? take_answer(s, p, len)
		                         : take_hello(s, p, len);
	if ((r = sess_keys_open(&s->keys, p, len, &text, &n)) != RK_OK)
		return s->datagrams ? RK_OK : r == RK_EDAMAGED ? RK_EPROTO : r;
	return take_items(s, text, n);
}

/* The longest that may come now. */
static size_t
longest(const struct rk_session *s)
{
	if (!s->keyed)
		return s->conf.initiator ? SESS_ANSWER_LEN : SESS_HELLO_MAX;
	if (!s->proven && s->datagrams)
		return SESS_HELLO_MAX;
	if (!s->proven)
		return SESS_HEAD_PIPE + SESS_ITEM_LEN + SESS_PROOF_LEN +
		       NOISE_TAG_LEN;
	return SESS_PACKET_MAX;
}

void
sess_take(struct rk_session *s)
{
	enum rk_err r = RK_OK;

	while (r == RK_OK && !sess_is_over(s) && !s->goodbye &&
	       sess_may_take(s) && buf_len(&s->in) >= SESS_LEN_LEN) {
		uint8_t *p = s->in.data + s->in.head;
		size_t len = (size_t)be_get(p, SESS_LEN_LEN);

		if (len > longest(s) && !s->datagrams) {
			r = RK_EPROTO;
			break;
		}
		if (buf_len(&s->in) < SESS_LEN_LEN + len)
			break;
		if (len <= longest(s))
			r = take_message(s, p + SESS_LEN_LEN, len);
		buf_consume(&s->in, SESS_LEN_LEN + len);
	}
	if (r != RK_OK)
		sess_end(s, r);
}
