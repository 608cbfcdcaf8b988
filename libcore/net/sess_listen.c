/* Messages that come to a session: parts put together, and who hears them. */
#include "net/sess_int.h"

#include "base/be.h"

#include <stdlib.h>
#include <string.h>

/* ---- who listens ---- */

/* Where the listener of a channel is, or would be. */
static size_t
find(const struct rk_session *s, uint32_t channel)
{
	size_t from = 0;
	size_t to = s->n_listeners;

	while (from < to) {
		const size_t mid = from + (to - from) / 2;

		if (s->listeners[mid].channel < channel)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static bool
is_there(const struct rk_session *s, size_t i, uint32_t channel)
{
	return i < s->n_listeners && s->listeners[i].channel == channel;
}

static void
take_out(struct rk_session *s, size_t i)
{
	s->n_listeners--;
	memmove(&s->listeners[i], &s->listeners[i + 1],
	    (s->n_listeners - i) * sizeof(s->listeners[0]));
}

enum rk_err
rk_session_on(struct rk_session *s, uint32_t channel, rk_session_message_fn *fn,
    void *arg)
{
	const struct sess_listener l = { channel, fn, arg };
	const size_t i = find(s, channel);
	struct sess_listener *more;

	if (channel > RK_SESSION_CHANNEL_ANY)
		return RK_EINVAL;
	if (is_there(s, i, channel)) {
		if (fn == NULL)
			take_out(s, i);
		else
			s->listeners[i] = l;
		return RK_OK;
	}
	if (fn == NULL)
		return RK_OK;
	more = reallocarray(s->listeners, s->n_listeners + 1, sizeof(l));
	if (more == NULL)
		return RK_ENOMEM;
	s->listeners = more;
	memmove(&more[i + 1], &more[i], (s->n_listeners - i) * sizeof(l));
	more[i] = l;
	s->n_listeners++;
	return RK_OK;
}

uint64_t
rk_session_unheard(const struct rk_session *s)
{
	return s->unheard;
}

void
sess_listen_fini(struct rk_session *s)
{
	free(s->listeners);
	s->listeners = NULL;
	s->n_listeners = 0;
	buf_wipe(&s->parts);
}

/* ---- what comes ---- */

static void
deliver(struct rk_session *s, uint32_t channel, const void *data, size_t len)
{
	struct sess_listener l;
	size_t i;

	s->using = true; /* data lies in `in` */
	if ((s->told & 1u << RK_SESSION_ESTABLISHED) == 0)
		sess_tell_states(s);
	s->using = false;
	if (s->state != RK_SESSION_ESTABLISHED)
		return; /* also where that callback has ended it */
	i = find(s, channel);
	if (!is_there(s, i, channel))
		i = find(s, RK_SESSION_CHANNEL_ANY);
	if (i == s->n_listeners) {
		s->unheard++;
		return;
	}
	l = s->listeners[i];
	s->using = true;
	l.fn(s, channel, data, len, l.arg);
	s->using = false;
}

enum rk_err
sess_listen_take(struct rk_session *s, bool last, const uint8_t *p, size_t len)
{
	uint32_t channel;
	enum rk_err r;

	if (len < SESS_CHANNEL_LEN || len > SESS_CHANNEL_LEN + SESS_DATA_MAX)
		return RK_EPROTO;
	channel = be_get16(p);
	p += SESS_CHANNEL_LEN;
	len -= SESS_CHANNEL_LEN;
	if (last && !s->in_parts) {
		deliver(s, channel, p, len);
		return RK_OK;
	}
	/* Empty ones would be many for little. */
	if (s->datagrams || len == 0 ||
	    (s->in_parts && channel != s->parts_channel))
		return RK_EPROTO;
	if ((r = buf_put(&s->parts, p, len)) != RK_OK)
		return r == RK_ETOOBIG ? RK_EPROTO : r;
	s->in_parts = !last;
	s->parts_channel = channel;
	if (last) {
		deliver(s, channel, buf_peek(&s->parts), buf_len(&s->parts));
		buf_wipe(&s->parts);
	}
	return RK_OK;
}
