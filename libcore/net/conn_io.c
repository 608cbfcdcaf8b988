/* Moving a connection's bytes: many in one read, all out in one flush. */
#include "net/conn_int.h"

#include <assert.h>

/* What one turn may take of one connection, in reads of the scratch: others
 * wait meanwhile. */
#define ROUNDS 16
/*
 * Kept bytes up to this many are put in front of what is read to the scratch,
 * so that a buffer of the connection's own need not hold a whole read for the
 * tail of one message; longer messages are received where they are kept.
 */
#define SMALL 4096

static bool
may_read(const struct conn *c)
{
	if (c->state == CONN_OPEN)
		return !c->paused && (c->jobs & CONN_WORK_SHOW) == 0;
	return c->state == CONN_DRAINING;
}

/* Where to receive to, and what is before it there. */
struct target {
	uint8_t *data;
	size_t kept;
	size_t cap; /* behind kept */
	bool own;   /* it is c->in */
};

static enum rk_err
aim(struct conn *c, struct target *t)
{
	uint8_t *p;
	enum rk_err r;

	t->kept = buf_len(&c->in);
	t->own = t->kept > SMALL;
	if (t->own) {
		t->cap = LOOP_SCRATCH_LEN;
		if ((r = buf_reserve(&c->in, t->cap, &p)) != RK_OK)
			return r;
		t->data = p - t->kept;
		return RK_OK;
	}
	t->data = loop_scratch(c->loop, LOOP_SCRATCH_PLAIN);
	t->cap = LOOP_SCRATCH_LEN - t->kept;
	if (t->kept > 0)
		memcpy(t->data, buf_peek(&c->in), t->kept);
	return RK_OK;
}

/* The first `used` of what was kept and n new bytes are gone: keep the rest. */
static enum rk_err
keep(struct conn *c, const struct target *t, size_t n, size_t used)
{
	size_t old = used < t->kept ? used : t->kept;
	size_t skip = used - old;

	if (t->own) {
		buf_consume(&c->in, used);
		return RK_OK;
	}
	buf_consume(&c->in, old);
	if (skip == n)
		return RK_OK;
	loop_buf_take(c->loop, t->kept - old + n - skip, &c->in);
	return buf_put(&c->in, t->data + t->kept + skip, n - skip);
}

/* The first byte of what data() is shown in front. */
static void
note_came(struct conn *c)
{
	if (c->clocks)
		c->at.came = loop_clock_us(c->loop);
}

/* A pause in the callback explains any number of unused bytes. */
static void
judge_kept(struct conn *c, bool fresh)
{
	if (buf_len(&c->in) == 0)
		return;
	if (fresh) {
		c->read_since = rk_loop_now(c->loop);
		note_came(c);
	}
	if (may_read(c) && buf_len(&c->in) > c->max_unused)
		conn_fail(c, RK_ETOOBIG,
		    "message from the peer exceeds %zu bytes", c->max_unused);
}

static void
deliver(struct conn *c, const struct target *t, size_t n)
{
	size_t used;

	if (t->own)
		buf_commit(&c->in, n);
	used = c->events->data(c, t->data, t->kept + n, c->arg);
	assert(used <= t->kept + n);
	if (c->state != CONN_OPEN)
		return;
	if (keep(c, t, n, used) != RK_OK) {
		conn_fail(c, RK_ENOMEM, "no memory for received bytes");
		return;
	}
	judge_kept(c, used > 0 || t->kept == 0);
}

void
conn_show_kept(struct conn *c)
{
	struct target t = {
		.kept = buf_len(&c->in),
		.own = true,
	};

	if (c->state != CONN_OPEN || c->paused || t.kept == 0)
		return;
	t.data = c->in.data + c->in.head;
	deliver(c, &t, 0);
}

/* Has the peer ended as it should, by what this side did before? */
static bool
is_agreed(const struct conn *c)
{
	bool orderly = true;

	if (!c->awaits)
		return true;
	(void)layer_query(c->top, LAYER_Q_ORDERLY, &orderly);
	return c->half_closed && orderly;
}

/* The answers to what came before the end are tried once. */
static void
end_of_input(struct conn *c)
{
	enum rk_err r = RK_OK;

	c->blocked = 0;
	if (!c->keeps_unsent || c->state != CONN_OPEN)
		r = conn_push(c, 0);
	if (c->state == CONN_DRAINING && r == RK_OK && is_agreed(c))
		conn_fail(c, RK_ECANCELED, "closed by this side");
	else if (buf_len(&c->in) > 0 && !c->awaits)
		conn_fail(c, RK_ECLOSED, "closed by the peer within a message");
	else
		conn_fail_io(c, RK_ECLOSED, "the peer");
}

/* What arrived early cannot be a recording once the handshake has ended. */
static void
note_confirmed(struct conn *c)
{
	bool early;

	if (!c->is_early || c->state != CONN_OPEN)
		return;
	if (layer_query(c->top, LAYER_Q_EARLY, &early) && early)
		return;
	c->is_early = false;
	conn_later(c, CONN_WORK_SHOW | CONN_WORK_READ); /* what waited for it */
	if (c->events->confirmed != NULL)
		c->events->confirmed(c, c->arg);
}

/* One round; false: there is no more for now. */
static bool
read_once(struct conn *c)
{
	struct target t;
	size_t n = 0;
	enum rk_err r;

	if (aim(c, &t) != RK_OK) {
		conn_fail(c, RK_ENOMEM, "no memory to receive");
		return false;
	}
	r = c->top->ops->recv(c->top, t.data + t.kept, t.cap, &n);
	if (r == RK_EAGAIN)
		return false;
	if (r == RK_ECLOSED) {
		end_of_input(c);
		return false;
	}
	if (r != RK_OK) {
		conn_fail_io(c, r, "receiving from the peer");
		return false;
	}
	c->active = rk_loop_now(c->loop);
	c->received += n;
	if (t.kept == 0)
		note_came(c);
	note_confirmed(c);
	if (c->state == CONN_OPEN)
		deliver(c, &t, n);
	/* A short read has emptied the descriptor; asking again to be told so
	 * would cost a system call a turn. */
	return n == t.cap || c->top->ops->pending(c->top);
}

/* Messages that came on ways of their own, each whole. */
static void
read_apart(struct conn *c)
{
	const struct layer_ops *ops = c->top->ops;
	struct rk_bytes b;

	while (ops->recv_apart != NULL && may_read(c) &&
	       ops->recv_apart(c->top, &b)) {
		c->active = rk_loop_now(c->loop);
		c->received += b.len;
		note_came(c);
		if (c->state == CONN_OPEN && c->events->apart != NULL &&
		    !c->events->apart(c, b.ptr, b.len, c->arg))
			return;
		ops->done_apart(c->top);
	}
}

void
conn_read(struct conn *c)
{
	bool more = true;

	if (c->state == CONN_VERIFY) {
		conn_read_waiting(c);
		return;
	}
	read_apart(c);

	for (int i = 0; i < ROUNDS && more && may_read(c); i++)
		more = read_once(c);
	note_confirmed(c);
	if (!may_read(c))
		return;
	/* The descriptor tells of the rest, unless a layer holds it. */
	if (more && c->top->ops->pending(c->top))
		conn_later(c, CONN_WORK_READ);
	/* What a layer has to answer by itself, a key update for instance. */
	if (c->blocked == 0 && (c->top->ops->want(c->top) & RK_WRITE) != 0)
		loop_hook_queue(c->loop, &c->flush);
}

void
conn_discard(struct conn *c)
{
	uint8_t *scratch = loop_scratch(c->loop, LOOP_SCRATCH_PLAIN);
	enum rk_err r = RK_OK;
	size_t n;

	for (int i = 0; i < ROUNDS && r == RK_OK; i++)
		r = c->top->ops->recv(c->top, scratch, LOOP_SCRATCH_LEN, &n);
}

/* What to wait for; never nothing, and not READ where WRITE will do: nobody
 * may be reading. */
static unsigned
need(const struct conn *c)
{
	unsigned want = c->top->ops->want(c->top);

	return want == RK_READ ? RK_READ : RK_WRITE;
}

static enum rk_err
send_all(struct conn *c, size_t keep, bool *moved)
{
	size_t n;
	enum rk_err r;

	while (buf_len(&c->out) > keep) {
		n = 0;
		r = c->top->ops->send(
		    c->top, buf_peek(&c->out), buf_len(&c->out) - keep, &n);
		if (r != RK_OK)
			return r;
		buf_consume(&c->out, n);
		c->taken += n;
		*moved = true;
	}
	return c->top->ops->flush(c->top);
}

static void
note_room(struct conn *c, size_t before)
{
	size_t half = c->max_queue / 2 + c->max_queue % 2;

	if (before >= half)
		c->crowded = true;
	if (!c->crowded || buf_len(&c->out) >= half)
		return;
	c->crowded = false;
	/* Next turn: room is filled again, and others want their turn. */
	conn_later(c, CONN_WORK_ROOM);
}

void
conn_note_low(struct conn *c)
{
	if (c->low == 0 || conn_unsent(c) >= c->low)
		return;
	c->low = 0;
	conn_later(c, CONN_WORK_LOW);
}

enum rk_err
conn_push(struct conn *c, size_t keep)
{
	size_t before = buf_len(&c->out);
	uint64_t now = rk_loop_now(c->loop);
	bool moved = false;
	enum rk_err r;

	if (c->blocked != 0)
		return RK_EAGAIN;
	r = send_all(c, keep, &moved);
	if (moved)
		c->active = c->said = now;
	if (moved && c->clocks && buf_len(&c->out) == 0)
		c->at.left = loop_clock_us(c->loop);
	if (r == RK_OK)
		c->write_since = RK_NEVER;
	if (r == RK_EAGAIN) {
		c->blocked = need(c);
		if (moved || c->write_since == RK_NEVER)
			c->write_since = now;
	}
	note_room(c, before);
	conn_note_low(c);
	return r;
}
