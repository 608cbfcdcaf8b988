/* Channels: messages in their queues, and what becomes of the ends in them. */
#include "rpc/chan_int.h"

#include <stdlib.h>

size_t
chan_cost(size_t len, size_t n_ends)
{
	return len + RK_CHAN_COST * (1 + n_ends);
}

enum rk_err
chan_msg_new(size_t n_ends, struct chan_msg **out)
{
	struct chan_msg *m;

	*out = NULL;
	m = calloc(1, sizeof(*m) + n_ends * sizeof(m->ends[0]));
	if (m == NULL)
		return RK_ENOMEM;
	buf_init(&m->data, RK_CHAN_MESSAGE_MAX);
	m->n_ends = n_ends;
	m->cost = chan_cost(0, n_ends);
	*out = m;
	return RK_OK;
}

/*
 * Ends hold messages, messages ends: as a list of what is still to be dropped,
 * not as calls within calls, whose depth would be up to a peer.
 */
struct doom {
	struct chan_list list;
	enum rk_err code; /* for the other ends of those that nobody took */
	const char *text;
};

static void
doom_init(struct doom *d)
{
	TAILQ_INIT(&d->list);
	d->code = RK_ECLOSED;
	d->text = "nobody took the end";
}

static void
empty(struct chan_msg *m, struct doom *d)
{
	for (size_t i = 0; i < m->n_ends; i++) {
		if (m->ends[i] != NULL)
			TAILQ_INSERT_TAIL(&d->list, m->ends[i], doomed);
	}
	m->n_ends = 0;
	buf_fini(&m->data);
	chan_discharge(&m->charge);
}

static void
release(struct chan_msg *m, struct doom *d)
{
	empty(m, d);
	free(m);
}

static void
release_queue(struct chan_queue *q, struct doom *d)
{
	struct chan_msg *m;

	while ((m = TAILQ_FIRST(q)) != NULL) {
		TAILQ_REMOVE(q, m, link);
		release(m, d);
	}
}

static void
release_in(struct rk_chan *c, struct doom *d)
{
	release_queue(&c->inbox, d);
	c->inbox_cost = 0;
	if (c->partial == NULL)
		return;
	if (c->link != NULL) { /* the rest of it is to come */
		empty(c->partial, d);
		return;
	}
	release(c->partial, d);
	c->partial = NULL;
}

/* To its other end a carried one has not finished: it broke. */
static void
close_one(struct rk_chan *c, struct doom *d)
{
	const bool unclaimed = c->carried;

	release_in(c, d);
	c->owned = false;
	c->carried = false;
	c->holder = NULL;
	c->events = NULL;
	chan_deafen(c);
	if (unclaimed && c->tx == CHAN_OPEN)
		chan_set_why(c, d->code, d->text);
	if (c->tx == CHAN_OPEN)
		chan_end_tx(c, unclaimed ? CHAN_BROKEN : CHAN_FINISHED);
	chan_settle(c);
}

static void
close_doomed(struct doom *d)
{
	struct rk_chan *c;

	while ((c = TAILQ_FIRST(&d->list)) != NULL) {
		TAILQ_REMOVE(&d->list, c, doomed);
		close_one(c, d);
	}
}

void
chan_msg_drop(struct chan_msg *m)
{
	struct doom d;

	doom_init(&d);
	release(m, &d);
	close_doomed(&d);
}

void
chan_abandon(struct rk_chan *c)
{
	struct doom d;

	doom_init(&d);
	TAILQ_INSERT_TAIL(&d.list, c, doomed);
	close_doomed(&d);
}

void
chan_drop_in(struct rk_chan *c)
{
	struct doom d;

	doom_init(&d);
	release_in(c, &d);
	close_doomed(&d);
}

void
chan_drop_out(struct rk_chan *c)
{
	struct doom d;

	doom_init(&d);
	if (c->lost) {
		d.code = c->code;
		d.text = c->text;
	}
	release_queue(&c->outbox, &d);
	c->outbox_cost = 0;
	close_doomed(&d);
}

/* ---- queues ---- */

static void
set_holder(struct chan_msg *m, struct rk_chan *c)
{
	for (size_t i = 0; i < m->n_ends; i++) {
		if (m->ends[i] != NULL)
			m->ends[i]->holder = c;
	}
}

void
chan_put_in(struct rk_chan *c, struct chan_msg *m)
{
	set_holder(m, c);
	TAILQ_INSERT_TAIL(&c->inbox, m, link);
	c->inbox_cost += m->cost;
}

void
chan_put_out(struct rk_chan *c, struct chan_msg *m)
{
	m->begun = false;
	m->counted = false;
	/* Part of a piece of bytes may have been read. */
	m->cost = chan_cost(buf_len(&m->data), m->n_ends);
	set_holder(m, c);
	TAILQ_INSERT_TAIL(&c->outbox, m, link);
	c->outbox_cost += m->cost;
}

struct chan_msg *
chan_take_in(struct rk_chan *c)
{
	struct chan_msg *m = TAILQ_FIRST(&c->inbox);

	if (m == NULL)
		return NULL;
	TAILQ_REMOVE(&c->inbox, m, link);
	c->inbox_cost -= m->cost;
	set_holder(m, NULL);
	return m;
}

struct chan_msg *
chan_take_out(struct rk_chan *c)
{
	struct chan_msg *m = TAILQ_FIRST(&c->outbox);

	if (m == NULL)
		return NULL;
	TAILQ_REMOVE(&c->outbox, m, link);
	if (!m->begun)
		c->outbox_cost -= m->cost;
	set_holder(m, NULL);
	return m;
}

void
chan_post(struct rk_chan *c, struct chan_msg *m)
{
	if (c->twin != NULL) {
		m->counted = false;
		chan_put_in(c->twin, m);
		chan_wake(c->twin);
	} else {
		chan_put_out(c, m);
		chan_offer(c);
	}
}
