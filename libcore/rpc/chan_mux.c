/* Channels: many of them over one row of parts, each with its own credit. */
#include "rpc/chan_int.h"

#include "base/error.h"

#include <stdlib.h>

/* ---- who is on the link ---- */

static bool
is_mine(const struct chan_link *l, uint64_t id)
{
	return (id & 1) == (l->server ? 0 : 1);
}

enum rk_err
chan_link_add(struct chan_link *l, struct rk_chan *c, uint64_t id)
{
	enum rk_err r;

	if ((r = idmap_add(&l->ids, id + 1, c)) != RK_OK)
		return r;
	c->link = l;
	c->id = id;
	TAILQ_INSERT_TAIL(&l->all, c, all);
	if (id != 0 && is_mine(l, id))
		l->n_mine++;
	else if (id != 0)
		l->n_theirs++;
	return RK_OK;
}

static void
take_out(struct chan_link *l, struct rk_chan *c)
{
	(void)idmap_remove(&l->ids, c->id + 1);
	TAILQ_REMOVE(&l->all, c, all);
	if (c->is_ready)
		TAILQ_REMOVE(&l->ready, c, ready);
	c->is_ready = false;
	c->link = NULL;
}

static void
feed_starved(struct chan_link *l)
{
	struct rk_chan *c;

	if (!l->starved)
		return;
	l->starved = false;
	TAILQ_FOREACH (c, &l->all, all)
		chan_offer(c);
}

void
chan_link_check(struct rk_chan *c)
{
	struct chan_link *l = c->link;

	if (l == NULL || !c->tx_done || c->rx == CHAN_OPEN)
		return;
	take_out(l, c);
	if (c->id != 0 && is_mine(l, c->id)) {
		l->n_mine--;
		feed_starved(l);
	} else if (c->id != 0) {
		l->n_theirs--;
	}
	if (chan_is_over(l))
		l->wake(l, l->arg);
	chan_settle(c);
}

bool
chan_has_more(const struct chan_link *l)
{
	return !l->dead && (l->hello_due || !TAILQ_EMPTY(&l->ready));
}

bool
chan_is_over(const struct chan_link *l)
{
	return l->greeted && !l->hello_due && TAILQ_EMPTY(&l->all);
}

/* ---- what waits to be sent ---- */

/* May the first message of the outbox go on, or begin? */
static bool
may_go(const struct rk_chan *c)
{
	const struct chan_msg *m = TAILQ_FIRST(&c->outbox);
	struct chan_link *l = c->link;

	if (m == NULL || m->begun)
		return m != NULL;
	if (c->credit <= 0)
		return false;
	if (m->n_ends == 0 || l->n_mine + m->n_ends <= l->peer_max)
		return true;
	l->starved = true;
	return false;
}

/* Not each message by itself, and always before the sender could wait. */
static bool
owes_credit(const struct rk_chan *c)
{
	return c->rx == CHAN_OPEN && !c->deaf &&
	       c->to_grant >= c->link->window / 2;
}

static bool
owes_stop(const struct rk_chan *c)
{
	return c->stop_due && c->rx == CHAN_OPEN;
}

static bool
owes_end(const struct rk_chan *c)
{
	return c->tx != CHAN_OPEN && !c->tx_done && TAILQ_EMPTY(&c->outbox);
}

void
chan_offer(struct rk_chan *c)
{
	struct chan_link *l = c->link;

	if (l == NULL || l->dead || c->is_ready || !l->greeted)
		return;
	if (!owes_stop(c) && !owes_credit(c) && !may_go(c) && !owes_end(c))
		return;
	TAILQ_INSERT_TAIL(&l->ready, c, ready);
	c->is_ready = true;
	l->wake(l, l->arg);
}

/* ---- sending ---- */

/* The ends in it are told with the first piece, and are on the link then. */
static enum rk_err
begin(struct chan_link *l, struct rk_chan *c, struct chan_msg *m,
    struct chan_frame *f)
{
	enum rk_err r;

	c->credit -= (int64_t)m->cost;
	c->outbox_cost -= m->cost;
	chan_has_room(c);
	m->begun = true;
	f->flags |= CHAN_FIRST;
	for (size_t i = 0; i < m->n_ends; i++) {
		r = chan_export(l, m->ends[i], l->next_mine, &f->ends[i]);
		if (r != RK_OK)
			return r;
		m->ends[i] = NULL;
		l->next_mine += 2;
		f->n_ends++;
	}
	return RK_OK;
}

static enum rk_err
send_piece(struct chan_link *l, struct rk_chan *c, uint8_t **p)
{
	struct chan_msg *m = TAILQ_FIRST(&c->outbox);
	struct chan_frame f = { .type = CHAN_DATA, .id = c->id };
	size_t len = buf_len(&m->data);
	enum rk_err r;

	if (!m->begun && (r = begin(l, c, m, &f)) != RK_OK)
		return r;
	f.data = (struct rk_bytes){
		.ptr = buf_peek(&m->data),
		.len = len < CHAN_PIECE ? len : CHAN_PIECE,
	};
	if (f.data.len == len)
		f.flags |= CHAN_LAST;
	*p = chan_encode(*p, &f);
	buf_consume(&m->data, f.data.len);
	if (f.flags & CHAN_LAST)
		chan_msg_drop(chan_take_out(c));
	return RK_OK;
}

static void
send_end(struct rk_chan *c, uint8_t **p)
{
	struct chan_frame f = { .type = CHAN_FIN, .id = c->id };

	if (c->tx == CHAN_BROKEN) {
		f.type = CHAN_RESET;
		f.code = chan_code_of(c->code);
		f.text = (struct rk_str){ c->text, strlen(c->text) };
	}
	*p = chan_encode(*p, &f);
	c->tx_done = true;
	chan_wake(c);
}

/* One frame of an end's. */
static enum rk_err
send_one(struct chan_link *l, struct rk_chan *c, uint8_t **p)
{
	struct chan_frame f = { .id = c->id };

	if (owes_stop(c)) {
		f.type = CHAN_STOP;
		*p = chan_encode(*p, &f);
		c->stop_due = false;
	} else if (owes_credit(c)) {
		f.type = CHAN_CREDIT;
		f.credit = (uint32_t)c->to_grant;
		*p = chan_encode(*p, &f);
		c->unread -= c->to_grant;
		c->to_grant = 0;
	} else if (may_go(c)) {
		return send_piece(l, c, p);
	} else if (owes_end(c)) {
		send_end(c, p);
	}
	return RK_OK;
}

static uint8_t *
put_hello(const struct chan_link *l, uint8_t *p)
{
	const struct chan_frame f = {
		.type = CHAN_HELLO,
		.server = l->server,
		.window = l->window,
		.max_channels = l->max_channels,
		.text = { l->type, strlen(l->type) },
	};

	return chan_encode(p, &f);
}

enum rk_err
chan_pull(struct chan_link *l, uint8_t *dst, size_t cap, size_t *n)
{
	uint8_t *p = dst;
	uint8_t *end = dst + cap;
	struct rk_chan *c;
	enum rk_err r;

	*n = 0;
	if (l->dead)
		return RK_OK;
	if (l->hello_due)
		p = put_hello(l, p);
	l->hello_due = false;
	while ((c = TAILQ_FIRST(&l->ready)) != NULL &&
	       (size_t)(end - p) >= CHAN_FRAME_MAX) {
		TAILQ_REMOVE(&l->ready, c, ready);
		c->is_ready = false;
		if ((r = send_one(l, c, &p)) != RK_OK)
			return r;
		chan_offer(c);
		chan_link_check(c);
	}
	*n = (size_t)(p - dst);
	return RK_OK;
}

/* ---- the whole link ---- */

enum rk_err
chan_link_init(struct chan_link *l, struct rk_loop *loop, bool server,
    const struct rk_chan_conf *conf, struct rk_chan **first)
{
	struct rk_str type = { conf->type, strlen(conf->type) };
	enum rk_err r;

	*l = (struct chan_link){
		.loop = loop,
		.server = server,
		.window = conf->window,
		.max_channels = conf->max_channels,
		.hello_due = true,
		.next_mine = server ? 2 : 1,
		.next_theirs = server ? 1 : 2,
	};
	idmap_init(&l->ids);
	TAILQ_INIT(&l->all);
	TAILQ_INIT(&l->ready);
	if (l->window == 0)
		l->window = RK_CHAN_WINDOW;
	if (l->max_channels == 0)
		l->max_channels = RK_CHAN_CHANNELS;
	l->max_waiting = conf->max_waiting != 0
	                     ? conf->max_waiting
	                     : chan_hold_default(l->window, l->max_channels);
	*first = NULL;
	if ((l->type = strdup(conf->type)) == NULL)
		return RK_ENOMEM;
	if ((r = chan_hold_new(&l->hold)) == RK_OK &&
	    (r = chan_new(loop, RK_CHAN_MESSAGES, type, first)) == RK_OK &&
	    (r = chan_link_add(l, *first, 0)) == RK_OK) {
		(*first)->credit = RK_CHAN_WINDOW_MIN; /* so much has anybody */
		(*first)->owned = true;
		return RK_OK;
	}
	if (*first != NULL)
		chan_settle(*first);
	*first = NULL;
	chan_link_fini(l);
	return r;
}

/* No more to and from the peer. */
static void
lose(struct rk_chan *c, const struct rk_error *why)
{
	c->lost = true;
	if (c->rx != CHAN_BROKEN)
		chan_set_why(c, why->code, why->text);
	if (c->rx == CHAN_OPEN)
		c->rx = CHAN_BROKEN;
	if (c->partial != NULL)
		chan_msg_drop(c->partial);
	c->partial = NULL;
	c->stopped = true;
	if (!c->tx_done)
		c->tx = CHAN_BROKEN;
	c->tx_done = true;
	chan_drop_out(c);
	if (c->relay != NULL)
		chan_wake(c->relay);
}

void
chan_link_fail(struct chan_link *l, const struct rk_error *why)
{
	struct rk_chan *c;

	if (l->dead)
		return;
	l->dead = true;
	TAILQ_FOREACH (c, &l->all, all)
		lose(c, why);
	while ((c = TAILQ_FIRST(&l->all)) != NULL) {
		take_out(l, c);
		chan_wake(c); /* for what cannot be told now */
		chan_run(c, SIZE_MAX);
	}
}

void
chan_link_fini(struct chan_link *l)
{
	idmap_fini(&l->ids);
	chan_hold_release(l->hold);
	l->hold = NULL;
	free(l->type);
	l->type = NULL;
}
