/* What the user of a session calls: bytes both ways, goodbye, questions. */
#include "net/sess_int.h"

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
	while (r == RK_OK && len > 0 && buf_len(&s->out) < SESS_OUT_FULL) {
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

	*n = has < len ? has : len;
	if (has == 0)
		return s->state > RK_SESSION_ESTABLISHED ? RK_ECLOSED
		                                         : RK_EAGAIN;
	if (*n > 0)
		memcpy(data, buf_peek(&s->got), *n);
	buf_consume(&s->got, *n);
	/* The pipe was left alone while this was full. */
	if (has >= SESS_GOT_FULL && has - *n < SESS_GOT_FULL)
		sess_work_later(s);
	return RK_OK;
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
	if (s->judging)
		return RK_EAGAIN;
	if ((r = buf_put(&s->in, data, len)) != RK_OK)
		return r == RK_ETOOBIG ? RK_EAGAIN : r;
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
