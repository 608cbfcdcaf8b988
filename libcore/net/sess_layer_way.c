/* The session layer over a way of somebody else's: datagrams in, and news. */
#include "net/sess_layer_int.h"

#include "base/error.h"

static struct sess_layer *
of(struct layer *l)
{
	return (struct sess_layer *)l;
}

enum rk_err
sess_layer_new_way(const struct sess_layer_conf *conf, struct rk_loop *loop,
    enum addr_scheme scheme, const struct sess_way_ops *way_ops, void *way,
    struct layer **out)
{
	struct sess_layer *l = sess_layer_make(conf, loop, scheme);

	*out = NULL;
	if (l == NULL) {
		way_ops->free(way);
		return RK_ENOMEM;
	}
	l->way_ops = way_ops;
	l->way = way;
	*out = &l->layer;
	return RK_OK;
}

static bool
is_there(const struct sess_layer *l)
{
	return l->s != NULL && !l->over;
}

/* Use what was fed, at once. */
static void
take(struct sess_layer *l)
{
	struct rk_session *s = l->s;

	sess_enter(s);
	if (s->begun && !sess_is_over(s))
		sess_take(s);
	sess_leave(s);
}

/* A burst may be longer than what the session keeps. */
static void
feed(struct sess_layer *l, const void *data, size_t len)
{
	enum rk_err r = rk_session_feed(l->s, data, len);

	if (r == RK_EAGAIN) {
		take(l);
		sess_layer_rel_move(l);
		if (is_there(l))
			r = rk_session_feed(l->s, data, len);
	}
	if (r != RK_OK && r != RK_EAGAIN)
		log_event(RK_LOG_DEBUG, "session", "a datagram is left out");
}

void
sess_layer_feed(struct layer *base, const void *data, size_t len)
{
	struct sess_layer *l = of(base);

	if (is_there(l))
		feed(l, data, len);
}

/* Rises when a packet comes that is newer than all of its epoch. */
static uint64_t
seen(const struct rk_session *s)
{
	return s->keys.epochs[0].newest + s->keys.epochs[1].newest;
}

bool
sess_layer_feed_other(struct layer *base, const void *data, size_t len)
{
	struct sess_layer *l = of(base);
	uint64_t before;

	if (!is_there(l) || !l->up)
		return false;
	take(l); /* what came before it */
	if (!is_there(l) || sess_is_over(l->s))
		return false;
	before = seen(l->s);
	feed(l, data, len);
	if (is_there(l))
		take(l);
	return is_there(l) && !sess_is_over(l->s) && seen(l->s) > before;
}

void
sess_layer_resume(struct layer *base)
{
	struct sess_layer *l = of(base);

	if (is_there(l))
		rk_session_resume(l->s);
}

void
sess_layer_refused(struct layer *base, size_t len)
{
	struct sess_layer *l = of(base);

	if (is_there(l) && l->up)
		sess_datagram_refused(l->s, len);
}

void
sess_layer_ask(struct layer *base)
{
	struct sess_layer *l = of(base);

	if (!is_there(l) || !l->up)
		return;
	l->rel->probe = true;
	sess_layer_rel_move(l);
}

void
sess_layer_moved(struct layer *base)
{
	struct sess_layer *l = of(base);

	if (!is_there(l) || !l->up)
		return;
	sess_layer_rel_shorten(l);
	sess_rel_moved(l->rel, rk_loop_now(l->loop));
	sess_layer_rel_move(l);
}

void
sess_layer_end(struct layer *base)
{
	struct sess_layer *l = of(base);

	if (is_there(l) && rk_session_feed(l->s, NULL, 0) != RK_OK)
		log_event(RK_LOG_DEBUG, "session", "it was over already");
}

void
sess_layer_break(struct layer *base, const struct rk_error *why)
{
	struct sess_layer *l = of(base);

	if (l->over)
		return;
	sess_layer_rel_break(l, why->code, "");
	l->error = *why;
}
