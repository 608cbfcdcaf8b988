/* What the user of a session calls: bytes both ways, goodbye, questions. */
#include "net/sess_int.h"

#include "base/be.h"
#include "base/error.h"
#include "trust/sshkey.h"

enum rk_err
rk_session_write(
    struct rk_session *s, const void *data, size_t len, size_t *taken)
{
	const uint8_t *p = data;
	enum rk_err r = RK_OK;

	*taken = 0;
	if (s->state > RK_SESSION_ESTABLISHED)
		return RK_ECLOSED;
	if (s->state < RK_SESSION_ESTABLISHED) {
		s->refused = true;
		return RK_EAGAIN;
	}
	if (s->datagrams && len > rk_session_payload(s))
		return RK_ETOOBIG;
	while (r == RK_OK && len > 0 && sess_waiting(s) < SESS_OUT_FULL) {
		const size_t n = len < SESS_DATA_MAX ? len : SESS_DATA_MAX;

		if ((r = sess_put(s, SESS_DATA, p, n)) != RK_OK)
			break;
		p += n;
		len -= n;
		*taken += n;
	}
	sess_work_later(s);
	if (r != RK_OK) {
		sess_end(s, r);
		return RK_ECLOSED;
	}
	s->refused = s->refused || len > 0;
	return len > 0 && *taken == 0 ? RK_EAGAIN : RK_OK;
}

enum rk_err
rk_session_read(struct rk_session *s, void *data, size_t len, size_t *n)
{
	const size_t has = buf_len(&s->got);
	const uint8_t *p = buf_peek(&s->got);
	uint32_t one;

	*n = has < len ? has : len;
	if (has == 0 || p == NULL)
		return s->state > RK_SESSION_ESTABLISHED ? RK_ECLOSED
		                                         : RK_EAGAIN;
	if (s->datagrams) {
		memcpy(&one, p, sizeof(one));
		*n = one;
		if (one > len)
			return RK_ETOOBIG;
		buf_consume(&s->got, sizeof(one));
		p += sizeof(one);
	}
	if (*n > 0)
		memcpy(data, p, *n);
	buf_consume(&s->got, *n);
	/* The pipe was left alone while this was full. */
	if (has >= SESS_GOT_FULL && buf_len(&s->got) < SESS_GOT_FULL)
		sess_work_later(s);
	return RK_OK;
}

void
rk_session_pause(struct rk_session *s, bool pause)
{
	s->paused = pause;
	sess_work_later(s);
}

void
rk_session_close(struct rk_session *s)
{
	const uint8_t reason = SESS_DONE;
	enum rk_err r;

	if (s->state > RK_SESSION_ESTABLISHED)
		return;
	if (s->state < RK_SESSION_ESTABLISHED) {
		sess_end(s, RK_ECANCELED);
		return;
	}
	if ((r = sess_put(s, SESS_CLOSE, &reason, sizeof(reason))) != RK_OK) {
		sess_end(s, r);
		return;
	}
	s->close_at = rk_loop_now(s->loop) + SESS_CLOSE_MS;
	s->rekey_at = 0;
	s->again_at = s->datagrams ? rk_loop_now(s->loop) + SESS_AGAIN_MS : 0;
	sess_go(s, RK_SESSION_CLOSING);
}

enum rk_session_state
rk_session_get_state(const struct rk_session *s)
{
	return s->state;
}

bool
rk_session_peer(const struct rk_session *s, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	memset(pub, 0, RK_KEY_PUBLIC_LEN);
	if (s->proven)
		memcpy(pub, s->hs.peer, RK_KEY_PUBLIC_LEN);
	return s->proven;
}

const char *
rk_session_psk(const struct rk_session *s)
{
	return s->proven && s->hs.psk != NULL ? s->hs.psk->name : NULL;
}

uint32_t
rk_session_epoch(const struct rk_session *s)
{
	return s->keys.sending;
}

size_t
rk_session_payload(const struct rk_session *s)
{
	return s->datagrams ? sess_text_max(s) - SESS_ITEM_LEN : SIZE_MAX;
}

enum rk_err
rk_session_feed(struct rk_session *s, const void *data, size_t len)
{
	enum rk_err r;

	if (s->state == RK_SESSION_CLOSED || s->ended)
		return RK_ECLOSED;
	if (data == NULL) {
		s->ended = true;
		sess_work_later(s);
		return RK_OK;
	}
	if (s->using)
		return RK_EAGAIN;
	if (s->datagrams && len > SESS_DATAGRAM_MAX)
		return RK_OK; /* as a network would */
	if (len > RK_SESSION_FEED_MAX)
		return RK_ETOOBIG;
	if (SESS_IN_MAX - buf_len(&s->in) < SESS_LEN_LEN + len)
		return RK_EAGAIN;
	if (s->datagrams) {
		uint8_t head[SESS_LEN_LEN];

		(void)be_put(head, len, sizeof(head));
		if ((r = buf_put(&s->in, head, sizeof(head))) != RK_OK)
			return r;
	}
	if ((r = buf_put(&s->in, data, len)) != RK_OK) {
		buf_uncommit(&s->in, s->datagrams ? SESS_LEN_LEN : 0);
		return r;
	}
	sess_work_later(s);
	return RK_OK;
}

void
rk_session_resume(struct rk_session *s)
{
	s->blocked = false;
	sess_work_later(s);
}

void
rk_session_fp(const uint8_t pub[RK_KEY_PUBLIC_LEN], char fp[RK_FP_LEN])
{
	sshkey_fp(pub, fp);
}
