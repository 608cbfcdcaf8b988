/* Channels: the life of an end, and what its user is told. */
#include "rpc/chan_int.h"

#include "base/container.h"
#include "base/error.h"
#include "base/str.h"

#include <stdlib.h>

static void
on_hook(struct loop_hook *h)
{
	struct rk_chan *c = container_of(h, struct rk_chan, hook);

	chan_run(c, CHAN_TURN);
}

enum rk_err
chan_new(struct rk_loop *loop, enum rk_chan_kind kind, struct rk_str type,
    struct rk_chan **out)
{
	struct rk_chan *c;

	*out = NULL;
	if (type.len == 0 || type.len > RK_CHAN_TYPE_MAX)
		return RK_EINVAL;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return RK_ENOMEM;
	c->type = strndup(type.ptr, type.len);
	if (c->type == NULL) {
		free(c);
		return RK_ENOMEM;
	}
	c->loop = loop;
	c->hook.fn = on_hook;
	c->kind = kind;
	TAILQ_INIT(&c->inbox);
	TAILQ_INIT(&c->outbox);
	*out = c;
	return RK_OK;
}

void
chan_settle(struct rk_chan *c)
{
	if (c->running || c->owned || c->carried || c->relay != NULL ||
	    c->link != NULL)
		return;
	if (c->twin != NULL)
		c->twin->twin = NULL;
	loop_hook_remove(c->loop, &c->hook);
	chan_drop_in(c);
	chan_drop_out(c);
	chan_discharge(&c->charge);
	free(c->type);
	free(c);
}

enum rk_err
chan_pair(struct rk_loop *loop, enum rk_chan_kind kind, struct rk_str type,
    struct rk_chan **one, struct rk_chan **other)
{
	enum rk_err r;

	*other = NULL;
	if ((r = chan_new(loop, kind, type, one)) != RK_OK)
		return r;
	if ((r = chan_new(loop, kind, type, other)) != RK_OK) {
		chan_settle(*one);
		*one = NULL;
		return r;
	}
	(*one)->twin = *other;
	(*other)->twin = *one;
	(*one)->owned = true;
	(*other)->owned = true;
	return RK_OK;
}

void
chan_wake(struct rk_chan *c)
{
	loop_hook_queue(c->loop, &c->hook);
}

void
chan_set_why(struct rk_chan *c, enum rk_err code, const char *text)
{
	c->code = code;
	(void)str_escape_again(c->text, sizeof(c->text), text);
}

/* ---- room and credit ---- */

/* A peer may grant much more than we keep for it. */
static int64_t
kept(const struct rk_chan *c)
{
	return c->credit < RK_CHAN_WINDOW ? c->credit : RK_CHAN_WINDOW;
}

size_t
chan_room(const struct rk_chan *c)
{
	int64_t room = 0;

	if (c->tx != CHAN_OPEN || c->stopped)
		return 0;
	if (c->twin != NULL)
		room = RK_CHAN_WINDOW - (int64_t)c->twin->inbox_cost;
	else if (c->link != NULL)
		room = kept(c) - (int64_t)c->outbox_cost;
	return room > 0 ? (size_t)room : 0;
}

void
chan_has_room(struct rk_chan *c)
{
	if (c->relay != NULL)
		chan_wake(c->relay);
	else if (c->write_wait)
		chan_wake(c);
}

void
chan_took(struct rk_chan *c, const struct chan_msg *m)
{
	if (c->twin != NULL) {
		chan_has_room(c->twin);
	} else if (c->link != NULL && m->counted) {
		c->to_grant += m->cost;
		chan_offer(c);
	}
}

/* ---- ending ---- */

void
chan_end_tx(struct rk_chan *c, enum chan_state how)
{
	struct rk_chan *t = c->twin;

	if (c->tx_done || c->tx == CHAN_BROKEN || c->tx == how)
		return;
	c->tx = how;
	if (c->link != NULL) {
		chan_offer(c);
		return;
	}
	c->tx_done = true;
	if (t == NULL)
		return;
	t->rx = how;
	if (how == CHAN_BROKEN) {
		t->code = c->code;
		(void)str_copy(t->text, sizeof(t->text), c->text);
		t->stopped = true;
	}
	chan_wake(t);
}

void
chan_stop(struct rk_chan *c)
{
	if (c->stopped)
		return;
	c->stopped = true;
	chan_drop_out(c);
	if (c->link != NULL && !c->tx_done) {
		if (c->code == RK_OK)
			c->code = RK_ECLOSED;
		chan_end_tx(c, CHAN_BROKEN);
		chan_offer(c); /* nothing is before the end any more */
	}
	if (c->relay != NULL)
		chan_wake(c->relay);
	chan_wake(c);
}

void
chan_deafen(struct rk_chan *c)
{
	if (c->deaf)
		return;
	c->deaf = true;
	chan_drop_in(c);
	if (c->twin != NULL) {
		chan_stop(c->twin);
	} else if (c->link != NULL && c->rx == CHAN_OPEN) {
		c->stop_due = true;
		chan_offer(c);
	}
}

static bool
is_mine(const struct rk_chan *c)
{
	return c != NULL && (c->owned || c->carried);
}

void
rk_chan_finish(struct rk_chan *c)
{
	chan_end_tx(c, CHAN_FINISHED);
	chan_wake(c);
}

void
rk_chan_close(struct rk_chan **c)
{
	struct rk_chan *e = *c;

	*c = NULL;
	if (is_mine(e))
		chan_abandon(e);
}

void
chan_close_silent(struct rk_chan *c)
{
	if (c->owned && c->events == NULL)
		rk_chan_close(&c);
}

void
rk_chan_reset(struct rk_chan **c, enum rk_err code, const char *text)
{
	struct rk_chan *e = *c;
	char safe[sizeof(e->text)];

	*c = NULL;
	if (!is_mine(e))
		return;
	(void)str_escape(safe, sizeof(safe), text == NULL ? "" : text);
	chan_set_why(e, chan_code_to(chan_code_of(code)), safe);
	chan_drop_out(e);
	chan_end_tx(e, CHAN_BROKEN);
	chan_abandon(e);
}

/* ---- telling ---- */

/* The user has it, and listens. */
static bool
listens(const struct rk_chan *c)
{
	return c->owned && c->events != NULL;
}

static void
tell_writable(struct rk_chan *c)
{
	if (!c->write_wait || (chan_room(c) == 0 && !c->stopped))
		return;
	c->write_wait = false;
	if (c->events->writable != NULL)
		c->events->writable(c, c->arg);
}

static void
tell_message(struct rk_chan *c)
{
	struct chan_msg *m = chan_take_in(c);
	struct rk_chan_msg msg = {
		.payload = { buf_peek(&m->data), buf_len(&m->data) },
		.ends = m->ends,
		.n_ends = m->n_ends,
	};

	chan_took(c, m);
	if (c->events->message != NULL)
		c->events->message(c, &msg, c->arg);
	chan_msg_drop(m);
}

static void
tell_readable(struct rk_chan *c)
{
	if (!c->read_wait || c->paused || TAILQ_EMPTY(&c->inbox))
		return;
	c->read_wait = false;
	if (c->events->readable != NULL)
		c->events->readable(c, c->arg);
}

static void
tell_eof(struct rk_chan *c)
{
	if (c->rx != CHAN_FINISHED || c->eof_told || c->paused ||
	    !TAILQ_EMPTY(&c->inbox))
		return;
	c->eof_told = true;
	if (c->events->eof != NULL)
		c->events->eof(c, c->arg);
}

static void
set_end(const struct rk_chan *c, struct rk_error *err)
{
	const char *text = c->text;
	bool broken = c->rx == CHAN_BROKEN || c->lost;

	*err = (struct rk_error){ .code = RK_OK };
	if (broken)
		err->code = c->code;
	else if (c->tx != CHAN_FINISHED)
		err->code = RK_ECLOSED;
	if (err->code == RK_OK)
		return;
	if (!broken)
		text = "the other end was closed";
	else if (text[0] == '\0')
		text = rk_err_text(c->code);
	(void)str_copy(err->text, sizeof(err->text), text);
}

static void
tell_end(struct rk_chan *c)
{
	struct rk_error err;

	/* With the link everything is gone at once. */
	if (c->lost)
		chan_drop_in(c);
	if (c->rx == CHAN_OPEN || !TAILQ_EMPTY(&c->inbox) ||
	    (c->rx == CHAN_FINISHED && !c->eof_told && !c->lost) ||
	    (!c->tx_done && !c->stopped))
		return;
	set_end(c, &err);
	c->owned = false;
	c->events->ended(c, &err, c->arg);
	chan_abandon(c);
}

static void
tell(struct rk_chan *c, size_t most)
{
	size_t n = 0;

	if (listens(c))
		tell_writable(c);
	if (c->kind == RK_CHAN_BYTES && listens(c))
		tell_readable(c);
	while (c->kind == RK_CHAN_MESSAGES && listens(c) && !c->paused &&
	       !TAILQ_EMPTY(&c->inbox)) {
		if (n++ == most) {
			loop_hook_queue_next(c->loop, &c->hook);
			return;
		}
		tell_message(c);
	}
	if (listens(c))
		tell_eof(c);
	if (listens(c))
		tell_end(c);
}

void
chan_run(struct rk_chan *c, size_t most)
{
	if (c->running)
		return;
	c->running = true;
	if (c->relay != NULL)
		chan_relay(c, most);
	else
		tell(c, most);
	c->running = false;
	chan_settle(c);
}
