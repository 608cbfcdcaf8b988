/* Channels: sending and reading, making ends and taking them. */
#include "rpc/chan_int.h"

#include "base/error.h"
#include "base/str.h"

/* ---- sending ---- */

static enum rk_err
may_send(struct rk_chan *c, enum rk_chan_kind kind)
{
	if (c->kind != kind || !c->owned)
		return RK_EINVAL;
	if (c->tx == CHAN_FINISHED)
		return RK_ESTATE;
	if (c->stopped || c->tx != CHAN_OPEN ||
	    (c->twin == NULL && c->link == NULL))
		return RK_ECLOSED;
	if (chan_room(c) > 0)
		return RK_OK;
	c->write_wait = true;
	return RK_EAGAIN;
}

/* Would the message be kept by an end that is in it?  Nobody could ever reach
 * either. */
static bool
holds_itself(const struct rk_chan *c, const struct rk_chan *e)
{
	const struct rk_chan *at = c->twin != NULL ? c->twin : c;

	if (e == c)
		return true;
	for (; at != NULL; at = at->holder) {
		if (at == e)
			return true;
	}
	return false;
}

static bool
may_go(const struct rk_chan *c, const struct rk_chan_msg *msg, size_t i)
{
	const struct rk_chan *e = msg->ends[i];

	for (size_t k = 0; k < i; k++) {
		if (msg->ends[k] == e)
			return false;
	}
	return e != NULL && (e->owned || e->carried) && e->loop == c->loop &&
	       !holds_itself(c, e);
}

static void
carry(struct rk_chan **from, struct rk_chan **to)
{
	struct rk_chan *e = *from;

	e->owned = false;
	e->carried = true;
	e->events = NULL;
	e->data = NULL;
	e->paused = false;
	e->write_wait = false;
	e->eof_told = false;
	*to = e;
	*from = NULL;
}

enum rk_err
rk_chan_send(struct rk_chan *c, const struct rk_chan_msg *msg)
{
	struct chan_msg *m;
	enum rk_err r;

	if (msg->payload.len > RK_CHAN_MESSAGE_MAX ||
	    msg->n_ends > RK_CHAN_ENDS_MAX)
		return RK_ETOOBIG;
	if ((r = may_send(c, RK_CHAN_MESSAGES)) != RK_OK)
		return r;
	for (size_t i = 0; i < msg->n_ends; i++) {
		if (!may_go(c, msg, i))
			return RK_EINVAL;
	}
	if ((r = chan_msg_new(msg->n_ends, &m)) != RK_OK)
		return r;
	m->n_ends = 0;
	r = buf_put(&m->data, msg->payload.ptr, msg->payload.len);
	if (r != RK_OK) {
		chan_msg_drop(m);
		return r;
	}
	m->n_ends = msg->n_ends;
	m->cost = chan_cost(msg->payload.len, msg->n_ends);
	for (size_t i = 0; i < msg->n_ends; i++)
		carry(&msg->ends[i], &m->ends[i]);
	chan_post(c, m);
	return RK_OK;
}

/* ---- bytes ---- */

/* Fill up the last piece that waits, if it is here and has not begun. */
static size_t
add_to_last(struct rk_chan *c, const uint8_t *data, size_t len)
{
	struct rk_chan *at = c->twin != NULL ? c->twin : c;
	struct chan_queue *q = c->twin != NULL ? &at->inbox : &at->outbox;
	size_t *cost = c->twin != NULL ? &at->inbox_cost : &at->outbox_cost;
	struct chan_msg *m = TAILQ_LAST(q, chan_queue);
	size_t n;

	if (m == NULL || m->counted || buf_len(&m->data) >= CHAN_PIECE)
		return 0;
	n = CHAN_PIECE - buf_len(&m->data);
	n = n < len ? n : len;
	if (buf_put(&m->data, data, n) != RK_OK)
		return 0;
	m->cost += n;
	*cost += n;
	return n;
}

static enum rk_err
add_piece(struct rk_chan *c, const uint8_t *data, size_t len, size_t *n)
{
	struct chan_msg *m;
	enum rk_err r;

	*n = len < CHAN_PIECE ? len : CHAN_PIECE;
	if ((r = chan_msg_new(0, &m)) != RK_OK)
		return r;
	if ((r = buf_put(&m->data, data, *n)) != RK_OK) {
		chan_msg_drop(m);
		return r;
	}
	m->cost = chan_cost(*n, 0);
	chan_post(c, m);
	return RK_OK;
}

enum rk_err
rk_chan_write(struct rk_chan *c, const void *data, size_t len, size_t *n)
{
	const uint8_t *p = data;
	enum rk_err r = may_send(c, RK_CHAN_BYTES);
	size_t more = 0;

	*n = 0;
	if (r != RK_OK || len == 0)
		return r;
	*n = add_to_last(c, p, len);
	while (*n < len && chan_room(c) > 0) {
		if ((r = add_piece(c, p + *n, len - *n, &more)) != RK_OK)
			break;
		*n += more;
	}
	return *n > 0 ? RK_OK : r;
}

static enum rk_err
nothing_to_read(struct rk_chan *c)
{
	if (c->rx == CHAN_BROKEN)
		return c->code;
	if (c->rx == CHAN_FINISHED)
		return RK_ENOENT;
	c->read_wait = true;
	return RK_EAGAIN;
}

enum rk_err
rk_chan_read(struct rk_chan *c, void *data, size_t cap, size_t *n)
{
	uint8_t *dst = data;
	struct chan_msg *m;
	size_t len;

	*n = 0;
	if (c->kind != RK_CHAN_BYTES || !c->owned || cap == 0)
		return RK_EINVAL;
	while (*n < cap && (m = TAILQ_FIRST(&c->inbox)) != NULL) {
		len = buf_len(&m->data);
		len = len < cap - *n ? len : cap - *n;
		memcpy(dst + *n, buf_peek(&m->data), len);
		buf_consume(&m->data, len);
		*n += len;
		if (buf_len(&m->data) == 0) {
			m = chan_take_in(c);
			chan_took(c, m);
			chan_msg_drop(m);
		}
	}
	if (*n == 0)
		return nothing_to_read(c);
	if (TAILQ_EMPTY(&c->inbox) && c->rx != CHAN_OPEN)
		chan_wake(c); /* the end is to be told */
	return RK_OK;
}

void
rk_chan_pause(struct rk_chan *c, bool pause)
{
	c->paused = pause;
	if (!pause)
		chan_wake(c);
}

/* ---- making and taking ---- */

enum rk_err
rk_chan_pair(struct rk_chan *beside, enum rk_chan_kind kind, const char *type,
    struct rk_chan **one, struct rk_chan **other)
{
	struct rk_str s = { type, strlen(type) };

	return chan_pair(beside->loop, kind, s, one, other);
}

enum rk_err
rk_chan_listen(
    struct rk_chan *c, const struct rk_chan_events *events, void *arg)
{
	if (events == NULL || events->ended == NULL || !c->owned)
		return RK_EINVAL;
	c->events = events;
	c->arg = arg;
	c->read_wait = true;
	chan_wake(c);
	return RK_OK;
}

static const char *const kind_names[] = {
	[RK_CHAN_MESSAGES] = "messages",
	[RK_CHAN_BYTES] = "bytes",
};

static bool
is_of(const struct rk_chan *c, enum rk_chan_kind kind, const char *type,
    struct rk_error *err)
{
	char is[64];
	char want[64];

	if (c->kind == kind && (type == NULL || strcmp(c->type, type) == 0))
		return true;
	(void)str_escape(is, sizeof(is), c->type);
	(void)str_escape(want, sizeof(want), type == NULL ? "any" : type);
	(void)err_set(err, RK_EINVAL,
	    "a channel of %s \"%s\" is not of %s \"%s\"", kind_names[c->kind],
	    is, kind_names[kind], want);
	return false;
}

enum rk_err
rk_chan_take(struct rk_chan **end, enum rk_chan_kind kind, const char *type,
    const struct rk_chan_events *events, void *arg, struct rk_chan **out,
    struct rk_error *err)
{
	struct rk_chan *c = *end;
	struct rk_error why;

	*out = NULL;
	if (c == NULL || !c->carried)
		return err_set(err, RK_EINVAL, "there is no such end");
	if (events == NULL || events->ended == NULL) {
		rk_chan_close(end);
		return err_set(err, RK_EINVAL, "an end needs `ended`");
	}
	if (!is_of(c, kind, type, &why)) {
		rk_chan_reset(end, RK_EINVAL, why.text);
		return err_set(err, RK_EINVAL, "%s", why.text);
	}
	*end = NULL;
	c->carried = false;
	c->holder = NULL;
	c->owned = true;
	*out = c;
	return rk_chan_listen(c, events, arg);
}

enum rk_chan_kind
rk_chan_kind(const struct rk_chan *c)
{
	return c->kind;
}

const char *
rk_chan_type(const struct rk_chan *c)
{
	return c->type;
}

void
rk_chan_set_data(struct rk_chan *c, void *data)
{
	c->data = data;
}

void *
rk_chan_data(const struct rk_chan *c)
{
	return c->data;
}
