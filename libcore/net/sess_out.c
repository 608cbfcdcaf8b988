/* What a session says: items queued, then gathered in packets and sealed. */
#include "net/sess_int.h"

#include "base/be.h"

#include <assert.h>

size_t
sess_waiting(const struct rk_session *s)
{
	return buf_len(&s->queue) + buf_len(&s->out);
}

/* ---- queueing ---- */

enum rk_err
sess_put_raw(struct rk_session *s, const void *data, size_t len)
{
	uint8_t *p;
	enum rk_err r;

	if ((r = buf_reserve(&s->out, SESS_LEN_LEN + len, &p)) != RK_OK)
		return r;
	(void)be_put(p, len, SESS_LEN_LEN);
	memcpy(p + SESS_LEN_LEN, data, len);
	buf_commit(&s->out, SESS_LEN_LEN + len);
	return RK_OK;
}

enum rk_err
sess_queue_room(struct rk_session *s, size_t len, uint8_t **p)
{
	enum rk_err r = buf_reserve(&s->queue, len, p);

	if (r == RK_OK)
		buf_commit(&s->queue, len);
	return r;
}

uint8_t *
sess_put_head(uint8_t *p, enum sess_item type, size_t len)
{
	p[0] = (uint8_t)type;
	(void)be_put(p + 1, len, SESS_LEN_LEN);
	return p + SESS_ITEM_LEN;
}

enum rk_err
sess_put(
    struct rk_session *s, enum sess_item type, const void *data, size_t len)
{
	uint8_t *p;
	enum rk_err r;

	assert(s->keyed && len <= SESS_DATA_MAX);
	if ((r = sess_queue_room(s, SESS_ITEM_LEN + len, &p)) != RK_OK)
		return r;
	p = sess_put_head(p, type, len);
	if (len > 0)
		memcpy(p, data, len);
	s->urgent = true;
	return RK_OK;
}

/* ---- sealing ---- */

size_t
sess_text_max(const struct rk_session *s)
{
	return s->datagrams ? s->packet - SESS_HEAD_DATAGRAM - NOISE_TAG_LEN
	                    : SESS_TEXT_MAX;
}

static size_t
item_len(const uint8_t *p)
{
	return SESS_ITEM_LEN + (size_t)be_get(p + 1, SESS_LEN_LEN);
}

/* Canceled messages at the front of the queue. */
static void
skip_nothing(struct rk_session *s)
{
	const uint8_t *p;

	while (s->mixed && (p = buf_peek(&s->queue)) != NULL &&
	       buf_len(&s->queue) > 0 && p[0] == SESS_NOTHING) {
		s->sealed += item_len(p);
		buf_consume(&s->queue, item_len(p));
	}
}

/* How much of the queue is the next packet's text: whole items; a probe alone,
 * however long. */
static size_t
next_text(const struct rk_session *s)
{
	const size_t most = sess_text_max(s);
	const size_t all = buf_len(&s->queue);
	const uint8_t *p = buf_peek(&s->queue);
	size_t len = 0;

	if (p == NULL || (!s->mixed && all <= most))
		return all;
	while (len < all) {
		const size_t n = item_len(p + len);
		const bool alone = p[len] == SESS_PROBE;

		if (p[len] == SESS_NOTHING ||
		    (len > 0 && (alone || len + n > most)))
			break;
		len += n;
		if (alone)
			break;
	}
	return len;
}

static enum rk_err
seal_one(struct rk_session *s)
{
	const size_t head = sess_keys_head(&s->keys);
	size_t len;
	uint8_t *p;
	enum rk_err r;

	skip_nothing(s);
	if ((len = next_text(s)) > 0) {
		const size_t total = head + len + NOISE_TAG_LEN;
		const bool probe = s->queue.data[s->queue.head] == SESS_PROBE;

		r = buf_reserve(&s->out, SESS_LEN_LEN + total, &p);
		if (r != RK_OK)
			return r;
		(void)be_put(p, total, SESS_LEN_LEN);
		r = sess_keys_seal(&s->keys, p + SESS_LEN_LEN,
		    s->queue.data + s->queue.head, len);
		if (r != RK_OK)
			return r;
		buf_commit(&s->out, SESS_LEN_LEN + total);
		buf_consume(&s->queue, len);
		s->sealed += len;
		if (s->datagrams && !probe)
			sess_datagram_sent(s, total);
	}
	sess_sends_sealed(s);
	if (buf_len(&s->queue) == 0) {
		s->urgent = s->mixed = false;
		s->merge_at = 0;
	}
	return RK_OK;
}

enum rk_err
sess_seal(struct rk_session *s)
{
	enum rk_err r = RK_OK;

	while (r == RK_OK && buf_len(&s->queue) > 0)
		r = seal_one(s);
	return r;
}

bool
sess_is_due(const struct rk_session *s)
{
	const size_t n = buf_len(&s->queue);

	return n > 0 && (s->urgent || n >= sess_text_max(s) ||
	                    loop_now_ns(s->loop) >= s->merge_at);
}

enum rk_err
sess_push(struct rk_session *s)
{
	const bool due = sess_is_due(s);
	enum rk_err r = RK_OK;

	if (s->pushing) /* the pipe is a function that sends something */
		return RK_OK;
	s->pushing = true;
	while (!s->blocked && !s->broken && !sess_is_over(s)) {
		while (due && r == RK_OK && buf_len(&s->queue) > 0 &&
		       buf_len(&s->out) < SESS_AHEAD)
			r = seal_one(s);
		if (r != RK_OK || buf_len(&s->out) == 0)
			break;
		sess_pipe_flush(s);
	}
	s->pushing = false;
	return r;
}

void
sess_say_end(struct rk_session *s, enum sess_reason why)
{
	const uint8_t reason = (uint8_t)why;

	if (!s->keyed || sess_is_over(s) || s->state == RK_SESSION_CLOSING)
		return;
	/* Nobody says it again when we are gone. */
	for (int i = 0; i < (s->datagrams ? 3 : 1); i++)
		if (sess_put(s, SESS_CLOSE, &reason, sizeof(reason)) != RK_OK ||
		    sess_push(s) != RK_OK)
			return;
}
