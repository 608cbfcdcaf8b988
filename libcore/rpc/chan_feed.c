/* Channels: what comes over a link, and whether the peer may send it. */
#include "rpc/chan_int.h"

#include "base/error.h"
#include "base/str.h"

static bool
is_known(const struct chan_link *l, uint64_t id)
{
	if (id == 0)
		return true;
	if ((id & 1) == (l->server ? 0 : 1))
		return id < l->next_mine;
	return id < l->next_theirs;
}

static enum rk_err
broke(struct rk_error *err, const char *why)
{
	return err_set(err, RK_EPROTO, "channels: %s", why);
}

/* ---- the first frame ---- */

static enum rk_err
on_hello(struct chan_link *l, const struct chan_frame *f, struct rk_error *err)
{
	char theirs[64];
	char ours[64];
	struct rk_chan *c;

	if (f->type != CHAN_HELLO)
		return broke(err, "no greeting");
	/* Somebody may only send back what comes. */
	if (f->server == l->server)
		return broke(err, "a greeting of the same end");
	if (f->text.len != strlen(l->type) ||
	    memcmp(f->text.ptr, l->type, f->text.len) != 0) {
		(void)rk_escape(
		    theirs, sizeof(theirs), f->text.ptr, f->text.len);
		(void)str_escape(ours, sizeof(ours), l->type);
		return err_set(err, RK_EINVAL,
		    "a channel of \"%s\" was asked for, of \"%s\" is here",
		    l->server ? theirs : ours, l->server ? ours : theirs);
	}
	l->greeted = true;
	l->peer_window = f->window;
	l->peer_max = f->max_channels;
	TAILQ_FOREACH (c, &l->all, all) {
		c->credit = l->peer_window;
		chan_has_room(c);
		chan_offer(c);
	}
	return RK_OK;
}

/* ---- messages ---- */

static enum rk_err
take_ends(struct chan_link *l, const struct chan_frame *f, struct chan_msg *m,
    struct rk_error *err)
{
	enum rk_err r;

	for (size_t i = 0; i < f->n_ends; i++) {
		if (f->ends[i].id != l->next_theirs)
			return broke(err, "an end out of its turn");
		if (l->n_theirs == l->max_channels)
			return broke(err, "too many channels");
		if ((r = chan_import(l, &f->ends[i], &m->ends[i])) != RK_OK)
			return err_set(err, r, "%s", rk_err_text(r));
		l->next_theirs += 2;
	}
	return RK_OK;
}

static enum rk_err
begin(struct chan_link *l, struct rk_chan *c, const struct chan_frame *f,
    struct rk_error *err)
{
	enum rk_err r;

	if (c->partial != NULL)
		return broke(err, "a message within a message");
	if (c->unread >= l->window)
		return broke(err, "more than may be sent");
	if (c->kind == RK_CHAN_BYTES &&
	    (f->n_ends > 0 || f->flags != (CHAN_FIRST | CHAN_LAST)))
		return broke(err, "a message among bytes");
	if ((r = chan_msg_new(f->n_ends, &c->partial)) != RK_OK)
		return err_set(err, r, "%s", rk_err_text(r));
	c->partial->counted = true;
	c->unread += c->partial->cost;
	chan_charge(&c->partial->charge, l->hold, c->partial->cost);
	return take_ends(l, f, c->partial, err);
}

/* A message is whole. */
static void
deliver(struct rk_chan *c)
{
	struct chan_msg *m = c->partial;

	c->partial = NULL;
	if (c->deaf || (c->kind == RK_CHAN_BYTES && buf_len(&m->data) == 0)) {
		chan_took(c, m);
		chan_msg_drop(m);
		return;
	}
	chan_put_in(c, m);
	chan_wake(c);
}

static enum rk_err
on_data(struct chan_link *l, struct rk_chan *c, const struct chan_frame *f,
    struct rk_error *err)
{
	enum rk_err r;

	if (c->rx != CHAN_OPEN)
		return broke(err, "something after the end");
	if ((f->flags & CHAN_FIRST) != 0 && (r = begin(l, c, f, err)) != RK_OK)
		return r;
	if (c->partial == NULL)
		return broke(err, "a message without a start");
	c->partial->got += f->data.len;
	c->partial->cost += f->data.len;
	c->unread += f->data.len;
	if (c->partial->got > RK_CHAN_MESSAGE_MAX)
		return broke(err, "a message is too long");
	if (!c->deaf) {
		r = buf_put(&c->partial->data, f->data.ptr, f->data.len);
		if (r != RK_OK)
			return err_set(err, r, "%s", rk_err_text(r));
		chan_charge(&c->partial->charge, l->hold, f->data.len);
	}
	if (f->flags & CHAN_LAST)
		deliver(c);
	if (l->hold->sum > l->max_waiting)
		return err_set(err, RK_ELIMIT,
		    "channels: more than %zu bytes wait to be read",
		    l->max_waiting);
	return RK_OK;
}

/* ---- the rest ---- */

static enum rk_err
on_credit(struct chan_link *l, struct rk_chan *c, const struct chan_frame *f,
    struct rk_error *err)
{
	if (c->credit + (int64_t)f->credit > (int64_t)l->peer_window)
		return broke(err, "credit for nothing");
	c->credit += f->credit;
	chan_has_room(c);
	chan_offer(c);
	return RK_OK;
}

static void
set_reason(struct rk_chan *c, const struct chan_frame *f)
{
	char text[RK_CHAN_REASON_MAX + 1] = "";

	if (f->text.len > 0)
		memcpy(text, f->text.ptr, f->text.len);
	chan_set_why(c, chan_code_to(f->code), text);
}

static enum rk_err
on_end(struct rk_chan *c, const struct chan_frame *f, struct rk_error *err)
{
	if (c->rx != CHAN_OPEN)
		return broke(err, "two ends of one channel");
	if (f->type == CHAN_FIN && c->partial != NULL)
		return broke(err, "an end within a message");
	c->rx = CHAN_FINISHED;
	if (f->type == CHAN_RESET) {
		c->rx = CHAN_BROKEN;
		set_reason(c, f);
		if (c->partial != NULL)
			chan_msg_drop(c->partial);
		c->partial = NULL;
		chan_stop(c);
	}
	chan_wake(c);
	chan_link_check(c);
	return RK_OK;
}

static enum rk_err
on_frame(struct chan_link *l, const struct chan_frame *f, struct rk_error *err)
{
	struct rk_chan *c;

	if (!l->greeted || f->type == CHAN_HELLO)
		return l->greeted ? broke(err, "a second greeting")
		                  : on_hello(l, f, err);
	/* Only what is known has ever been a key. */
	c = is_known(l, f->id) ? idmap_find(&l->ids, f->id + 1) : NULL;
	if (c == NULL && (!is_known(l, f->id) ||
	                     (f->type != CHAN_CREDIT && f->type != CHAN_STOP)))
		return broke(err, "no such channel");
	/* These cross the end of a channel. */
	if (c == NULL)
		return RK_OK;
	switch (f->type) {
	case CHAN_DATA:
		return on_data(l, c, f, err);
	case CHAN_CREDIT:
		return on_credit(l, c, f, err);
	case CHAN_STOP:
		chan_stop(c);
		return RK_OK;
	case CHAN_FIN:
	case CHAN_RESET:
		return on_end(c, f, err);
	case CHAN_HELLO:
		break;
	}
	return broke(err, "a frame of an unknown kind");
}

enum rk_err
chan_feed(struct chan_link *l, struct rk_bytes part, struct rk_error *err)
{
	const uint8_t *p = part.ptr;
	const uint8_t *end = p + part.len;
	struct chan_frame f;
	const char *why;
	enum rk_err r;

	while (p < end && !l->dead) {
		if (chan_decode(&p, end, &f, &why) != RK_OK)
			return broke(err, why);
		if ((r = on_frame(l, &f, err)) != RK_OK)
			return r;
	}
	return RK_OK;
}
