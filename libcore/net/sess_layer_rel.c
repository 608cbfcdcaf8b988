/* The session layer over datagrams: a stream on top of the session. */
#include "net/sess_layer_int.h"

#include "base/error.h"

#include <stdlib.h>

#define OUT_MAX (SESS_OUT_FULL / 4) /* of the session's, and no piece more */
/* So often in a row nothing was confirmed. */
#define SHORTEN_AFTER 3
#define SILENT_AFTER 3
/* Or for so long, when the peer cannot have got everything. */
#define SILENT_MS 3000

void
sess_layer_rel_break(struct sess_layer *l, enum rk_err code, const char *text)
{
	if (l->over)
		return;
	l->over = true;
	(void)err_set(&l->error, code, "%s", text);
	sess_layer_raise(l, RK_READ | RK_WRITE | LOOP_FINISHED | LOOP_BROKEN);
}

/* ---- out ---- */

/* When an owner that wants to end will have waited for long enough; 0: who
 * knows. */
static uint64_t
silent_at(const struct sess_layer *l)
{
	const uint64_t asked = l->rel->asked_at;

	return l->tell_left && asked != 0 ? asked + SILENT_MS : 0;
}

static void
set_timer(struct sess_layer *l)
{
	uint64_t due = sess_rel_due(l->rel);
	const uint64_t silent = silent_at(l);

	if (due > silent && silent > rk_loop_now(l->loop))
		due = silent;
	if (due == 0 || l->over)
		rk_timer_clear(l->timer);
	else if (rk_timer_set(l->timer, due) != RK_OK)
		sess_layer_rel_break(l, RK_ENOMEM, "out of memory");
}

/* Datagrams are shorter than they were: longer ones did not arrive. */
static void
note_payload(struct sess_layer *l)
{
	const size_t payload = rk_session_payload(l->s);

	if (payload < l->payload)
		sess_rel_again(l->rel);
	l->payload = payload;
}

static void
pump(struct sess_layer *l)
{
	const uint64_t now = rk_loop_now(l->loop);
	uint8_t piece[SESS_REL_PIECE_MAX];
	size_t taken;
	size_t len;

	if (l->s != NULL)
		note_payload(l);
	while (!l->over && l->up) {
		if (sess_waiting(l->s) >= OUT_MAX) {
			l->s->refused = true; /* it tells when there is room */
			break;
		}
		if (!sess_rel_next(
		        l->rel, now, rk_session_payload(l->s), piece, &len))
			break;
		/* What it cannot take is lost, as others are. */
		if (rk_session_write(l->s, piece, len, &taken) == RK_ECLOSED)
			break;
	}
	set_timer(l);
}

static void
tell(struct sess_layer *l)
{
	const size_t held = sess_rel_held(l->rel);
	unsigned ready = LAYER_GONE;

	if (buf_len(&l->rel->in) > 0)
		ready |= RK_READ;
	if ((l->tell_room && held < SESS_REL_HELD / 2) ||
	    (l->tell_settled && held == 0)) {
		l->tell_room = l->tell_settled = false;
		ready |= RK_WRITE;
	}
	sess_layer_raise(l, ready);
}

/* What was carried once may not be any more. */
void
sess_layer_rel_shorten(struct sess_layer *l)
{
	if (!l->over && l->up)
		sess_datagram_fall(l->s);
}

/* Somebody is there no more, or asleep: all was sent, more than once, or what
 * was is not confirmed for long. */
static bool
is_silent(const struct sess_layer *l)
{
	const struct sess_rel *r = l->rel;

	if (r->asked_at == 0)
		return false;
	return (r->quiet >= SILENT_AFTER && sess_rel_all_went(r)) ||
	       rk_loop_now(l->loop) >= r->asked_at + SILENT_MS;
}

static void
on_timer(struct rk_timer *t, void *arg)
{
	struct sess_layer *l = arg;

	(void)t;
	if (sess_rel_time(l->rel, rk_loop_now(l->loop)) != RK_OK)
		sess_layer_rel_break(
		    l, RK_ETIMEOUT, "the peer confirms nothing");
	if (l->rel->quiet == SHORTEN_AFTER)
		sess_layer_rel_shorten(l);
	if (l->tell_left && is_silent(l))
		sess_layer_raise(l, RK_WRITE);
	pump(l);
}

/* ---- in ---- */

static void
take_all(struct sess_layer *l)
{
	uint8_t *p = loop_scratch(l->loop, LOOP_SCRATCH_SEALED);
	enum rk_err r = RK_OK;
	size_t n;

	while (r == RK_OK && !l->over &&
	       rk_session_read(l->s, p, LOOP_SCRATCH_LEN, &n) == RK_OK)
		r = sess_rel_take(l->rel, rk_loop_now(l->loop), p, n);
	if (r != RK_OK)
		sess_layer_rel_break(l, r, "what the peer sent is no stream");
}

void
sess_layer_rel_move(struct sess_layer *l)
{
	take_all(l);
	pump(l);
	tell(l);
}

/* ---- the layer's ---- */

enum rk_err
sess_layer_rel_begin(struct sess_layer *l)
{
	enum rk_err r;

	if ((r = rk_timer_new(l->loop, on_timer, l, &l->timer)) != RK_OK)
		return r;
	if ((l->rel = malloc(sizeof(*l->rel))) == NULL)
		return RK_ENOMEM;
	sess_rel_init(l->rel);
	return RK_OK;
}

void
sess_layer_rel_end(struct sess_layer *l)
{
	rk_timer_free(l->timer);
	if (l->rel != NULL)
		sess_rel_fini(l->rel);
	free(l->rel);
}

enum rk_err
sess_layer_rel_send(
    struct sess_layer *l, const uint8_t *src, size_t len, size_t *n)
{
	enum rk_err r = sess_rel_put(l->rel, src, len, n);

	if (r != RK_OK)
		return err_set(&l->error, r, "out of memory");
	if (*n > 0) {
		pump(l);
		return RK_OK;
	}
	l->tell_room = true;
	sess_layer_lower(l, RK_WRITE);
	return RK_EAGAIN;
}

size_t
sess_layer_rel_recv(struct sess_layer *l, uint8_t *dst, size_t cap)
{
	size_t n;

	if (!l->over)
		take_all(l);
	n = sess_rel_read(l->rel, dst, cap);
	if (!l->over)
		pump(l); /* that there is room, if that is news */
	return n;
}

bool
sess_layer_rel_settled(struct sess_layer *l)
{
	if (l->over || sess_rel_held(l->rel) == 0)
		return true;
	l->tell_settled = true;
	sess_layer_lower(l, RK_WRITE);
	return false;
}

/* A server waits no longer for who may be asleep. */
bool
sess_layer_rel_left(struct sess_layer *l)
{
	if (sess_layer_rel_settled(l))
		return true;
	return sess_layer_rel_silent(l);
}

bool
sess_layer_rel_silent(struct sess_layer *l)
{
	if (!l->conf->server)
		return false;
	l->tell_left = true;
	if (is_silent(l))
		return true;
	if (!l->over)
		set_timer(l);
	sess_layer_lower(l, RK_WRITE);
	return false;
}
