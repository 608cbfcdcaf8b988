/* A connection whose peer has to wait for a decision about it. */
#include "net/conn_int.h"

void
conn_wait(struct conn *c, uint64_t ms)
{
	if (c->state != CONN_VERIFY)
		return;
	c->waits = true;
	c->wait_since = rk_loop_now(c->loop);
	c->wait_for = ms;
	conn_later(c, CONN_WORK_READ); /* what a layer holds already */
}

void
conn_tell_waiting(struct conn *c, const uint8_t *src, size_t len)
{
	size_t n;

	if (c->state == CONN_VERIFY && c->waits)
		(void)c->top->ops->send(c->top, src, len, &n);
}

bool
conn_may_wait_on(const struct conn *c)
{
	return c->state == CONN_VERIFY && c->waits &&
	       buf_len(&c->in) < CONN_WAIT_BYTES;
}

/* False: there is no more for now. */
static bool
read_once(struct conn *c)
{
	uint8_t *scratch = loop_scratch(c->loop, LOOP_SCRATCH_PLAIN);
	size_t room = CONN_WAIT_BYTES - buf_len(&c->in);
	size_t n = 0;
	enum rk_err r;

	r = c->top->ops->recv(c->top, scratch, room, &n);
	if (r == RK_EAGAIN)
		return false;
	if (r == RK_ECLOSED) {
		conn_fail(c, RK_ECLOSED,
		    "the peer went before anybody decided about it");
		return false;
	}
	if (r != RK_OK) {
		conn_fail_io(c, r, "receiving from the peer");
		return false;
	}
	c->received += n;
	if (buf_put(&c->in, scratch, n) != RK_OK)
		conn_fail(c, RK_ENOMEM, "no memory for received bytes");
	return true;
}

void
conn_read_waiting(struct conn *c)
{
	while (conn_may_wait_on(c) && read_once(c))
		continue;
	/* What a layer has to answer by itself, a key update for instance. */
	if (c->state == CONN_VERIFY && c->blocked == 0 &&
	    (c->top->ops->want(c->top) & RK_WRITE) != 0)
		loop_hook_queue(c->loop, &c->flush);
}
