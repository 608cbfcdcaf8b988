/* Messages that a session sends: queued, counted until they have left, or
 * canceled before. */
#include "base/clock.h"

#include "base/be.h"
#include "net/sess_int.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define RING_MIN 16
#define US_NS 1000u
/* A part's head, and its channel. */
#define EXTRA (SESS_ITEM_LEN + SESS_CHANNEL_LEN)

/* ---- those who want to know ---- */

static struct sess_send *
at(struct sess_sends *q, uint64_t id)
{
	return &q->ring[id & (q->cap - 1)];
}

static size_t
count(const struct sess_sends *q)
{
	return (size_t)(q->next - q->first);
}

/* Room for one more. */
static enum rk_err
reserve(struct sess_sends *q)
{
	struct sess_sends more = *q;

	if (count(q) < q->cap)
		return RK_OK;
	if (count(q) >= SESS_SENDS_MAX)
		return RK_EAGAIN;
	more.cap = q->cap == 0 ? RING_MIN : q->cap * 2;
	more.ring = reallocarray(NULL, more.cap, sizeof(*more.ring));
	if (more.ring == NULL)
		return RK_ENOMEM;
	for (uint64_t id = q->first; id < q->next; id++)
		*at(&more, id) = *at(q, id);
	free(q->ring);
	*q = more;
	return RK_OK;
}

void
sess_sends_sealed(struct rk_session *s)
{
	struct sess_sends *q = &s->sends;
	const uint64_t end = s->gone + buf_len(&s->out);

	while (q->unsealed < q->next && at(q, q->unsealed)->to <= s->sealed)
		at(q, q->unsealed++)->end = end;
}

static void
tell(struct rk_session *s, uint64_t id, enum rk_err r)
{
	struct sess_send *m = at(&s->sends, id);

	if (m->told)
		return;
	m->told = true;
	if (m->canceled) {
		s->sends.canceled--;
		r = RK_ECANCELED;
	}
	if (m->fn != NULL)
		m->fn(s, id, r, m->arg);
}

/* Its place is free before the function is called, which may send more. */
static void
tell_first(struct rk_session *s, enum rk_err r)
{
	struct sess_sends *q = &s->sends;
	const struct sess_send m = *at(q, q->first);
	const uint64_t id = q->first++;

	if (q->unsealed < q->first)
		q->unsealed = q->first;
	if (m.told)
		return;
	if (m.canceled) {
		q->canceled--;
		r = RK_ECANCELED;
	}
	if (m.fn != NULL)
		m.fn(s, id, r, m.arg);
}

void
sess_sends_tell(struct rk_session *s)
{
	struct sess_sends *q = &s->sends;

	while (!s->dead && q->first < q->next) {
		const struct sess_send *m = at(q, q->first);

		if (!m->canceled && (m->end == 0 || m->end > s->gone))
			break;
		tell_first(s, RK_OK);
	}
	for (uint64_t id = q->first;
	     q->canceled > 0 && id < q->next && !s->dead; id++)
		if (at(q, id)->canceled)
			tell(s, id, RK_ECANCELED);
}

void
sess_sends_drop(struct rk_session *s, enum rk_err r)
{
	while (s->sends.first < s->sends.next)
		tell_first(s, r);
}

void
sess_sends_fini(struct rk_session *s)
{
	free(s->sends.ring);
	s->sends.ring = NULL;
	s->sends.cap = 0;
}

/* ---- sending ---- */

size_t
rk_session_message_max(const struct rk_session *s)
{
	return s->datagrams ? rk_session_payload(s) - SESS_CHANNEL_LEN
	                    : RK_SESSION_MESSAGE_MAX;
}

static enum rk_err
may_send(struct rk_session *s, uint32_t channel, size_t len)
{
	if (channel > RK_SESSION_CHANNEL_MAX)
		return RK_EINVAL;
	if (s->state > RK_SESSION_ESTABLISHED)
		return RK_ECLOSED;
	if (len > rk_session_message_max(s))
		return RK_ETOOBIG;
	if (s->state < RK_SESSION_ESTABLISHED ||
	    sess_waiting(s) >= SESS_OUT_FULL) {
		s->refused = true;
		return RK_EAGAIN;
	}
	return RK_OK;
}

/* In as many parts as it takes. */
static enum rk_err
put_message(
    struct rk_session *s, uint32_t channel, const uint8_t *data, size_t len)
{
	const size_t parts =
	    len == 0 ? 1 : (len + SESS_DATA_MAX - 1) / SESS_DATA_MAX;
	uint8_t *p;
	enum rk_err r;

	if ((r = sess_queue_room(s, len + parts * EXTRA, &p)) != RK_OK)
		return r;
	for (size_t i = 0; i < parts; i++) {
		const size_t n = len < SESS_DATA_MAX ? len : SESS_DATA_MAX;

		p = sess_put_head(p, i + 1 < parts ? SESS_PART : SESS_MESSAGE,
		    SESS_CHANNEL_LEN + n);
		p = be_put(p, channel, SESS_CHANNEL_LEN);
		if (n > 0)
			memcpy(p, data, n);
		p += n;
		data += n;
		len -= n;
	}
	return RK_OK;
}

/* It may wait a little. */
static void
set_merge(struct rk_session *s)
{
	if (s->conf.merge_us == RK_SESSION_AT_ONCE) {
		s->urgent = true;
	} else if (s->merge_at == 0) {
		loop_refresh(s->loop);
		s->merge_at =
		    loop_now_ns(s->loop) + (uint64_t)s->conf.merge_us * US_NS;
	}
}

/* Functions are called when the loop turns, descriptors take what makes a
 * packet at once, so that the peer has something to do. */
static void
push_early(struct rk_session *s)
{
	enum rk_err r;

	if (s->pipe.send != NULL || s->blocked ||
	    buf_len(&s->queue) < SESS_AHEAD)
		return;
	if ((r = sess_push(s)) != RK_OK)
		sess_end(s, r);
}

enum rk_err
rk_session_send(struct rk_session *s, uint32_t channel, const void *data,
    size_t len, rk_session_sent_fn *fn, void *arg, uint64_t *id)
{
	const bool wants = fn != NULL || id != NULL;
	const uint64_t from = s->sealed + buf_len(&s->queue);
	struct sess_sends *q = &s->sends;
	enum rk_err r;

	if (id != NULL)
		*id = 0;
	if ((r = may_send(s, channel, len)) != RK_OK)
		return r;
	if (wants && (r = reserve(q)) != RK_OK) {
		s->refused = s->refused || r == RK_EAGAIN;
		return r;
	}
	if ((r = put_message(s, channel, data, len)) != RK_OK)
		return r;
	if (wants) {
		*at(q, q->next) = (struct sess_send){ .from = from,
			.to = s->sealed + buf_len(&s->queue),
			.fn = fn,
			.arg = arg };
		if (id != NULL)
			*id = q->next;
		q->next++;
	}
	set_merge(s);
	push_early(s);
	sess_work_later(s);
	return RK_OK;
}

/* ---- at once ---- */

/* The thread really waits, whatever clock its loop has. */
static enum rk_err
wait_for_pipe(struct rk_session *s, uint64_t until)
{
	struct pollfd p = { .fd = s->pipe.out, .events = POLLOUT };
	const uint64_t now = mono_ms();

	if (s->pipe.send != NULL || now >= until)
		return RK_ETIMEOUT;
	/* What poll() says is found out by writing. */
	(void)poll(&p, 1, (int)(until - now < 60000 ? until - now : 60000));
	s->blocked = false;
	return RK_OK;
}

enum rk_err
rk_session_send_wait(struct rk_session *s, uint32_t channel, const void *data,
    size_t len, uint32_t timeout_ms)
{
	const uint64_t until = mono_ms() + timeout_ms;
	enum rk_err r;

	if ((r = may_send(s, channel, len)) != RK_OK ||
	    (r = put_message(s, channel, data, len)) != RK_OK)
		return r;
	s->urgent = true;
	sess_work_later(s);
	sess_enter(s); /* its pipe may be a function that frees it */
	do {
		if ((r = sess_push(s)) != RK_OK)
			sess_end(s, r);
		r = s->broken || sess_is_over(s) ? RK_ECLOSED : RK_OK;
	} while (r == RK_OK && sess_waiting(s) > 0 &&
	         (r = wait_for_pipe(s, until)) == RK_OK);
	sess_leave(s);
	return r;
}

/* ---- canceling ---- */

enum rk_err
rk_session_cancel(struct rk_session *s, uint64_t id)
{
	struct sess_sends *q = &s->sends;
	struct sess_send *m;
	uint8_t *p;

	if (id < q->first || id >= q->next)
		return RK_ENOENT;
	m = at(q, id);
	if (m->canceled || m->from < s->sealed)
		return RK_ESTATE;
	p = s->queue.data + s->queue.head;
	for (uint64_t pos = m->from; pos < m->to;) {
		uint8_t *item = p + (pos - s->sealed);

		item[0] = SESS_NOTHING;
		pos += SESS_ITEM_LEN + be_get(item + 1, SESS_LEN_LEN);
	}
	m->canceled = true;
	q->canceled++;
	s->mixed = true;
	sess_work_later(s);
	return RK_OK;
}
