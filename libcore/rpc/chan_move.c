/* Channels: ends that leave and arrive over a link, and relays. */
#include "rpc/chan_int.h"

#include <stdlib.h>

/* What was delivered to e and not taken is p's to send now. */
static void
pass_inbox(struct rk_chan *e, struct rk_chan *p)
{
	struct chan_msg *m;

	while ((m = chan_take_in(e)) != NULL)
		chan_put_out(p, m);
}

static void
leave_message(struct rk_chan *e)
{
	e->carried = false;
	e->holder = NULL;
	e->events = NULL;
}

/* The other end, p, is here, and its twin goes: p is now one of the link. */
static void
part(struct rk_chan *p, struct rk_chan *e)
{
	p->twin = NULL;
	e->twin = NULL;
	p->tx_done = false;
	pass_inbox(e, p);
	chan_settle(e);
	chan_has_room(p);
}

/*
 * The other end was closed, or lost, and left something to be read: e changes
 * sides and sends that.
 */
static void
turn_round(struct rk_chan *e)
{
	enum chan_state rx = e->tx == CHAN_FINISHED ? CHAN_FINISHED : CHAN_OPEN;

	pass_inbox(e, e);
	e->tx = e->rx;
	e->tx_done = false;
	e->rx = rx;
	e->stopped = false;
	e->lost = false;
	e->deaf = true;
	e->unread = 0;
	e->to_grant = 0;
	e->stop_due = rx == CHAN_OPEN;
}

/* e's other end is elsewhere. */
static void
join(struct rk_chan *p, struct rk_chan *e)
{
	p->relay = e;
	e->relay = p;
	if (e->tx == CHAN_FINISHED)
		p->rx = CHAN_FINISHED; /* before it left */
	chan_wake(p);
	chan_wake(e);
}

/* It has been to so many programs that it goes in circles, or nearly. */
static void
break_off(struct rk_chan *p, struct rk_chan *e)
{
	static const char why[] = "an end was sent on too often";

	chan_set_why(p, RK_ELIMIT, why);
	chan_end_tx(p, CHAN_BROKEN);
	p->deaf = true;
	if (e->tx == CHAN_FINISHED)
		p->rx = CHAN_FINISHED; /* nothing comes back */
	e->owned = true;
	rk_chan_reset(&e, RK_ELIMIT, why);
}

enum rk_err
chan_export(
    struct chan_link *l, struct rk_chan *e, uint64_t id, struct chan_end *out)
{
	struct rk_str type = { e->type, strlen(e->type) };
	const bool too_often = e->hops > RK_CHAN_HOPS_MAX;
	const bool elsewhere = e->link != NULL || too_often;
	struct rk_chan *p = e->twin != NULL ? e->twin : e;
	enum rk_err r;

	/* A new one for the link, and e stays behind. */
	if (elsewhere && (r = chan_new(e->loop, e->kind, type, &p)) != RK_OK)
		return r;
	if ((r = chan_link_add(l, p, id)) != RK_OK) {
		if (elsewhere)
			chan_settle(p);
		return r;
	}
	p->credit = l->peer_window;
	*out = (struct chan_end){
		.id = id,
		.flags = (e->kind == RK_CHAN_BYTES ? CHAN_END_BYTES : 0) |
		         (e->tx == CHAN_FINISHED ? CHAN_END_SILENT : 0),
		.hops = too_often ? RK_CHAN_HOPS_MAX : e->hops,
		.type = { p->type, type.len },
	};
	leave_message(e);
	if (too_often)
		break_off(p, e);
	else if (elsewhere)
		join(p, e);
	else if (p == e)
		turn_round(e);
	else
		part(p, e);
	chan_offer(p);
	return RK_OK;
}

enum rk_err
chan_import(struct chan_link *l, const struct chan_end *e, struct rk_chan **out)
{
	struct rk_chan *c;
	enum rk_err r;

	r = chan_new(l->loop,
	    e->flags & CHAN_END_BYTES ? RK_CHAN_BYTES : RK_CHAN_MESSAGES,
	    e->type, &c);
	*out = NULL;
	if (r != RK_OK)
		return r;
	if ((r = chan_link_add(l, c, e->id)) != RK_OK) {
		chan_settle(c);
		return r;
	}
	c->credit = l->peer_window;
	c->carried = true;
	c->hops = e->hops + 1;
	chan_charge(&c->charge, l->hold, RK_CHAN_END_COST);
	if (e->flags & CHAN_END_SILENT) {
		c->tx = CHAN_FINISHED;
		c->tx_done = true;
	}
	*out = c;
	return RK_OK;
}

/* ---- relays ---- */

/* Has all that could come to c been passed on? */
static bool
is_through(const struct rk_chan *c)
{
	return c->rx != CHAN_OPEN && TAILQ_EMPTY(&c->inbox);
}

/* The end of what comes to c is the end of what o sends. */
static void
pass_end(struct rk_chan *c, struct rk_chan *o)
{
	if (c->rx == CHAN_BROKEN && !o->tx_done && o->tx != CHAN_BROKEN)
		chan_set_why(o, c->code, c->text);
	chan_end_tx(o, c->rx);
}

void
chan_relay(struct rk_chan *c, size_t most)
{
	struct rk_chan *o = c->relay;
	struct chan_msg *m;

	for (size_t n = 0; n < most && chan_room(o) > 0; n++) {
		if ((m = chan_take_in(c)) == NULL)
			break;
		chan_took(c, m);
		chan_post(o, m);
	}
	if (o->stopped)
		chan_deafen(c);
	else if (chan_room(o) > 0 && !TAILQ_EMPTY(&c->inbox))
		loop_hook_queue_next(c->loop, &c->hook);
	if (!is_through(c))
		return;
	pass_end(c, o);
	if (!is_through(o))
		return;
	pass_end(o, c);
	c->relay = NULL;
	o->relay = NULL;
	chan_settle(o);
}
