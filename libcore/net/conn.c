/* A connection's life: states, the loop's callbacks, the calls of its owner. */
#include "net/conn_int.h"

#include "base/container.h"
#include "base/error.h"

#include <rpckit/message.h>

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The least that conn_out() may hold beyond max_queue: a message, and what its
 * encoder reserves without using it. */
#define OUT_SLACK ((size_t)2 * RK_BODY_MAX)

/*
 * The loop enters by on_ready, on_timer, on_work and on_flush, in this order
 * within a turn, and each ends in settle().  The owner's calls change fields
 * and queue the flush hook; they call nothing back and free nothing: only
 * on_flush() ends a conn, when no other function of it is on the stack.
 */

/*
 * A busy turn does not keep everything to its end: what fills a TLS record
 * leaves at once, so that the peer works on it while this side goes on; then
 * what fills two, and so on, because every sending has its price, too.
 */
#define RECORD 16384
#define EARLY_MAX (4 * RECORD)

#define BIT(state) (1u << (state))

static const unsigned legal[] = {
	[CONN_NEW] = BIT(CONN_HANDSHAKE) | BIT(CONN_CLOSED),
	[CONN_HANDSHAKE] = BIT(CONN_VERIFY) | BIT(CONN_CLOSED),
	[CONN_VERIFY] = BIT(CONN_OPEN) | BIT(CONN_CLOSED),
	[CONN_OPEN] = BIT(CONN_DRAINING) | BIT(CONN_CLOSED),
	[CONN_DRAINING] = BIT(CONN_CLOSED),
	[CONN_CLOSED] = 0,
};

static void
set_state(struct conn *c, enum conn_state to)
{
	assert((legal[c->state] & BIT(to)) != 0);
	c->state = to;
	c->out.max = to == CONN_OPEN ? c->max_queue + c->max_over : 0;
}

void
conn_later(struct conn *c, enum conn_work what)
{
	c->jobs |= what;
	loop_hook_queue_next(c->loop, &c->work);
}

static void
close_for(struct conn *c, const struct rk_error *why)
{
	c->why = *why;
	set_state(c, CONN_CLOSED);
	loop_hook_queue(c->loop, &c->flush);
}

void
conn_fail(struct conn *c, enum rk_err code, const char *fmt, ...)
{
	struct rk_error why = { 0 };
	char text[RK_ERROR_TEXT_LEN];
	va_list ap;

	if (c->state == CONN_CLOSED)
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	(void)err_set(&why, code, "%s", text); /* returns code */
	close_for(c, &why);
}

void
conn_fail_io(struct conn *c, enum rk_err code, const char *what)
{
	struct rk_error why = { 0 };

	if (c->state == CONN_CLOSED)
		return;
	if (!layer_query(c->top, LAYER_Q_ERROR, &why) || why.code != code)
		(void)err_set(&why, code, "%s: %s", what, rk_err_text(code));
	close_for(c, &why);
}

/* ---- what follows every entry from the loop ---- */

static unsigned
wanted(const struct conn *c)
{
	unsigned gone = c->tells_gone && c->watch == NULL ? LAYER_GONE : 0;
	unsigned want;

	switch (c->state) {
	case CONN_HANDSHAKE:
		want = c->top->ops->want(c->top);
		return want == 0 ? RK_READ : want;
	case CONN_VERIFY:
		return c->blocked | (conn_may_wait_on(c) ? RK_READ : 0U);
	case CONN_OPEN:
		return (c->paused ? 0U : RK_READ) | c->blocked | gone |
		       conn_wants_lost(c);
	case CONN_DRAINING:
		return RK_READ | c->blocked | gone;
	case CONN_NEW:
	case CONN_CLOSED:
		break;
	}
	return 0;
}

static enum rk_err
watch(struct conn *c, unsigned want)
{
	if (c->watch != NULL)
		return rk_watch_set(c->watch, want);
	loop_ready_want(&c->ready, want);
	return RK_OK;
}

/* Buffers go home, the descriptor is watched for what is needed now, the timer
 * is early enough.  Left to the flush hook when that is to come. */
static void
settle(struct conn *c)
{
	enum rk_err r;

	if (c->flush.list != NULL)
		return;
	if (buf_len(&c->in) == 0 || c->state == CONN_DRAINING)
		loop_buf_give(c->loop, &c->in);
	if (buf_len(&c->out) == 0)
		loop_buf_give(c->loop, &c->out);
	if ((r = watch(c, wanted(c))) != RK_OK || (r = conn_arm(c)) != RK_OK)
		conn_fail(c, r, "watching the connection: %s", rk_err_text(r));
}

static void
destroy(struct conn *c)
{
	loop_hook_remove(c->loop, &c->flush);
	loop_hook_remove(c->loop, &c->work);
	rk_watch_free(c->watch);
	loop_ready_fini(&c->ready);
	rk_timer_free(c->timer);
	layer_free(c->top);
	loop_buf_give(c->loop, &c->in);
	loop_buf_give(c->loop, &c->out);
	free(c);
}

static void
finish(struct conn *c)
{
	conn_note_gone(c);
	c->top->ops->close(c->top, &c->why);
	c->events->closed(c, &c->why, c->arg);
	destroy(c);
}

/* ---- the handshake ---- */

static void
handshake_failed(struct conn *c, enum rk_err r, struct rk_error *err)
{
	if (err->text[0] == '\0')
		(void)err_set(err, r, "handshake: %s", rk_err_text(r));
	if (err->step == NULL)
		err->step = r == RK_ECONNECT ? "connect" : conn_step(c);
	err->code = r;
	close_for(c, err);
}

static void
shake_hands(struct conn *c)
{
	struct rk_error err = { 0 };
	enum rk_err r;

	r = c->top->ops->handshake(c->top, &err);
	if (r == RK_EAGAIN)
		return;
	if (r != RK_OK) {
		handshake_failed(c, r, &err);
		return;
	}
	set_state(c, CONN_VERIFY);
	if (!layer_query(c->top, LAYER_Q_EARLY, &c->is_early))
		c->is_early = false;
	loop_hook_queue(c->loop, &c->flush); /* the layers' last words */
	c->events->proven(c, c->arg);
}

/* ---- the loop's callbacks ---- */

static void
on_ready(unsigned ready, void *arg)
{
	struct conn *c = arg;

	if (c->state == CONN_HANDSHAKE) {
		shake_hands(c);
		settle(c);
		return;
	}
	if ((ready & c->blocked) != 0) {
		c->blocked = 0;
		loop_hook_queue(c->loop, &c->flush);
	}
	if ((ready & LAYER_GONE) != 0) {
		loop_ready_lower(&c->ready, LAYER_GONE);
		loop_hook_queue(c->loop, &c->flush);
	}
	if ((ready & RK_READ) != 0)
		conn_read(c);
	else
		conn_note_lost(c, ready);
	settle(c);
}

static void
on_watch(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	(void)w;
	(void)fd;
	on_ready(ready, arg);
}

static void
on_timer(struct rk_timer *t, void *arg)
{
	struct conn *c = arg;

	(void)t;
	conn_check_time(c);
	settle(c);
}

static void
on_work(struct loop_hook *h)
{
	struct conn *c = container_of(h, struct conn, work);
	unsigned jobs = c->jobs;

	c->jobs = 0;
	if ((jobs & CONN_WORK_BEGIN) != 0 && c->state == CONN_NEW) {
		set_state(c, CONN_HANDSHAKE);
		shake_hands(c);
	}
	if ((jobs & CONN_WORK_ROOM) != 0 && c->state == CONN_OPEN)
		c->events->room(c, c->arg);
	if ((jobs & CONN_WORK_LOW) != 0 && c->state == CONN_OPEN)
		c->events->low(c, c->arg);
	if ((jobs & CONN_WORK_SHOW) != 0)
		conn_show_kept(c);
	if ((jobs & (CONN_WORK_SHOW | CONN_WORK_READ)) != 0)
		conn_read(c);
	settle(c);
}

/* A peer that closed has often said why: its last bytes go first. */
static void
send_failed(struct conn *c, enum rk_err r)
{
	conn_read(c);
	conn_fail_io(c, r, "sending to the peer");
}

/*
 * Have the last bytes of ours been taken over: by the kernel, which delivers
 * them whatever we do, or by a peer whose layer has to be waited for?  Who asks
 * for the peer's end wants to know it; who does not waits no longer than it
 * helps.
 */
static bool
is_settled(struct conn *c)
{
	const enum layer_query q = c->awaits ? LAYER_Q_SETTLED : LAYER_Q_LEFT;
	bool settled;

	if (!layer_query(c->top, q, &settled) || settled)
		return true;
	c->blocked = RK_WRITE;
	if (c->write_since == RK_NEVER)
		c->write_since = rk_loop_now(c->loop);
	return false;
}

static void
end_by_us(struct conn *c)
{
	conn_discard(c);
	conn_fail(c, RK_ECANCELED, "closed by this side");
}

/* Something has not: who has gone away is not waited for. */
static void
draining(struct conn *c)
{
	bool silent;

	if (!c->awaits && layer_query(c->top, LAYER_Q_SILENT, &silent) &&
	    silent)
		end_by_us(c);
}

/* All has left: the end, or what is to come before it. */
static enum rk_err
drained(struct conn *c)
{
	enum rk_err r;

	if (!is_settled(c))
		return RK_OK;
	if (!c->awaits || c->top->ops->half_close == NULL) {
		end_by_us(c);
		return RK_OK;
	}
	if (c->half_closed)
		return RK_OK;
	conn_read(c); /* has it ended already, by itself? */
	if (c->state == CONN_CLOSED)
		return RK_OK;
	c->half_closed = true;
	r = c->top->ops->half_close(c->top);
	if (r == RK_EAGAIN)
		r = conn_push(c, 0); /* notes what to wait for */
	/* What a layer holds already may be the answer. */
	conn_later(c, CONN_WORK_READ);
	return r;
}

static void
on_flush(struct loop_hook *h)
{
	struct conn *c = container_of(h, struct conn, flush);
	enum rk_err r;

	c->early = RECORD;
	if (c->state == CONN_CLOSED) {
		finish(c);
		return;
	}
	if (c->state > CONN_HANDSHAKE) {
		r = c->broken != RK_OK ? c->broken : conn_push(c, 0);
		conn_note_gone(c);
		if (r == RK_OK && c->state == CONN_DRAINING)
			r = drained(c);
		else if (r == RK_EAGAIN && c->state == CONN_DRAINING)
			draining(c);
		if (r != RK_OK && r != RK_EAGAIN)
			send_failed(c, r);
	}
	settle(c);
}

/* ---- the owner's calls ---- */

static struct conn *
make(const struct conn_conf *conf, struct layer *top)
{
	struct conn *c = malloc(sizeof(*c));
	uint64_t now = rk_loop_now(conf->loop);

	if (c == NULL)
		return NULL;
	*c = (struct conn){
		.loop = conf->loop,
		.events = conf->events,
		.arg = conf->arg,
		.top = top,
		.flush = { .fn = on_flush },
		.work = { .fn = on_work },
		.early = RECORD,
		.max_queue = conf->max_queue,
		.max_over =
		    conf->max_over > OUT_SLACK ? conf->max_over : OUT_SLACK,
		.max_unused = conf->max_unused,
		.keeps_unsent = conf->keeps_unsent,
		.clocks = conf->clocks,
		.timeouts = conf->timeouts,
		.begun = now,
		.active = now,
		.said = now,
		.write_since = RK_NEVER,
		.armed = RK_NEVER,
	};
	buf_init(&c->in, conf->max_unused + LOOP_SCRATCH_LEN);
	buf_init(&c->out, 0);
	return c;
}

/* The descriptor of the stack, or its layers themselves, tell what is ready. */
static enum rk_err
watch_stack(struct conn *c)
{
	int fd;

	loop_ready_init(&c->ready, c->loop, on_ready, c);
	if (layer_query(c->top, LAYER_Q_FD, &fd))
		return rk_watch_new(c->loop, fd, 0, on_watch, c, &c->watch);
	return layer_attach(c->top, &c->ready) ? RK_OK : RK_EIO;
}

enum rk_err
conn_open(const struct conn_conf *conf, struct layer **top, struct conn **out)
{
	struct conn *c;
	enum rk_err r = RK_ENOMEM;

	*out = NULL;
	c = make(conf, *top);
	if (c == NULL) {
		layer_free(*top);
		goto out;
	}
	if ((r = rk_timer_new(c->loop, on_timer, c, &c->timer)) != RK_OK ||
	    (r = watch_stack(c)) != RK_OK || (r = conn_arm(c)) != RK_OK) {
		destroy(c);
		goto out;
	}
	conn_later(c, CONN_WORK_BEGIN);
	*out = c;
out:
	*top = NULL;
	return r;
}

enum rk_err
conn_early(struct conn *c, const uint8_t *src, size_t len)
{
	if (c->state > CONN_HANDSHAKE || c->top->ops->early == NULL)
		return RK_EAGAIN;
	return c->top->ops->early(c->top, src, len);
}

bool
conn_is_early(const struct conn *c)
{
	return c->is_early;
}

enum conn_state
conn_state(const struct conn *c)
{
	return c->state;
}

void
conn_accept(struct conn *c)
{
	if (c->state != CONN_VERIFY)
		return;
	set_state(c, CONN_OPEN);
	c->active = c->read_since = rk_loop_now(c->loop);
	conn_later(c, CONN_WORK_SHOW | CONN_WORK_READ);
}

void
conn_abort(struct conn *c, const struct rk_error *why)
{
	if (c->state != CONN_CLOSED)
		close_for(c, why);
}

void
conn_drain(struct conn *c)
{
	if (c->state == CONN_OPEN) {
		set_state(c, CONN_DRAINING);
		loop_hook_queue(c->loop, &c->flush);
	} else if (c->state != CONN_DRAINING) {
		conn_fail(c, RK_ECANCELED, "closed by this side");
	}
}

void
conn_finish(struct conn *c)
{
	c->awaits = true;
	conn_drain(c);
}

struct buf *
conn_out(struct conn *c)
{
	if (c->state == CONN_OPEN && c->out.data == NULL)
		loop_buf_take(c->loop, SIZE_MAX, &c->out);
	return &c->out;
}

void
conn_flush(struct conn *c)
{
	enum rk_err r;

	if (c->state != CONN_OPEN)
		return;
	loop_hook_queue(c->loop, &c->flush);
	if (buf_len(&c->out) < c->early || c->broken != RK_OK)
		return;
	if (c->early < EARLY_MAX)
		c->early *= 2;
	r = conn_push(c, buf_len(&c->out) % RECORD);
	if (r != RK_OK && r != RK_EAGAIN)
		c->broken = r; /* the hook tells */
}

bool
conn_has_apart(const struct conn *c)
{
	return c->top->ops->send_apart != NULL;
}

bool
conn_send_apart(struct conn *c, const uint8_t *src, size_t len)
{
	if (c->state != CONN_OPEN || !conn_has_apart(c) ||
	    c->top->ops->send_apart(c->top, src, len) != RK_OK)
		return false;
	c->apart += len;
	loop_hook_queue(c->loop, &c->flush);
	return true;
}

bool
conn_has_room(const struct conn *c)
{
	return c->state == CONN_OPEN && buf_len(&c->out) < c->max_queue;
}

size_t
conn_unsent(const struct conn *c)
{
	return buf_len(&c->out);
}

void
conn_tell_low(struct conn *c, size_t bytes)
{
	c->low = bytes;
	conn_note_low(c);
}

void
conn_pause(struct conn *c, bool pause)
{
	if (c->state == CONN_CLOSED || c->paused == pause)
		return;
	c->paused = pause;
	if (c->state != CONN_OPEN)
		return;
	if (!pause) {
		c->read_since = rk_loop_now(c->loop);
		conn_later(c, CONN_WORK_SHOW);
	}
	loop_hook_queue(c->loop, &c->flush);
}

/* The idle timeout begins where being busy ends. */
void
conn_set_busy(struct conn *c, bool busy)
{
	if (c->busy && !busy)
		c->active = rk_loop_now(c->loop);
	c->busy = busy;
}

bool
conn_query(struct conn *c, enum layer_query what, void *out)
{
	return layer_query(c->top, what, out);
}
