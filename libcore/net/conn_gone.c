/* What a connection has sent for good, and telling its owner so. */
#include "net/conn_int.h"

uint64_t
conn_taken(const struct conn *c)
{
	return c->taken;
}

bool
conn_is_flushed(const struct conn *c)
{
	bool settled;

	/* What a layer may have to send again has not left for good. */
	return buf_len(&c->out) == 0 && c->write_since == RK_NEVER &&
	       (!layer_query(c->top, LAYER_Q_SETTLED, &settled) || settled);
}

uint64_t
conn_queued(const struct conn *c)
{
	return c->taken + buf_len(&c->out);
}

/* A little more than what was taken may be held: encryption adds to it. */
static uint64_t
held(struct conn *c)
{
	uint64_t n;

	if (!layer_query(c->top, LAYER_Q_HELD, &n))
		return 0;
	return n < c->taken ? n : c->taken;
}

uint64_t
conn_gone(struct conn *c)
{
	return c->taken - held(c);
}

void
conn_tell_gone(struct conn *c, bool tell)
{
	if (c->tells_gone == tell || c->state == CONN_CLOSED)
		return;
	c->tells_gone = tell;
	if (!tell)
		return;
	c->told = 0;
	loop_hook_queue(c->loop, &c->flush);
}

void
conn_note_gone(struct conn *c)
{
	uint64_t gone;

	if (!c->tells_gone || (gone = conn_gone(c)) == c->told)
		return;
	c->told = gone;
	c->events->gone(c, c->arg);
}

size_t
conn_room(struct conn *c)
{
	uint64_t waits = buf_len(&c->out) + held(c);

	if (c->state != CONN_OPEN || waits >= c->max_queue)
		return 0;
	return c->max_queue - (size_t)waits;
}

void
conn_count(struct conn *c, struct conn_count *out)
{
	uint64_t untaken;

	*out = (struct conn_count){
		.received = c->received,
		.queued = c->taken + buf_len(&c->out),
		.taken = c->taken,
		.said = c->said,
	};
	if (layer_query(c->top, LAYER_Q_UNTAKEN, &untaken))
		out->taken -= untaken < c->taken ? untaken : c->taken;
}

void
conn_clocks(const struct conn *c, struct conn_clocks *out)
{
	*out = c->at;
}

void
conn_moved(const struct conn *c, uint64_t *in, uint64_t *out)
{
	*in = c->received;
	*out = c->taken + c->apart;
}
