/* A client's messages that may have to go out on another connection. */
#include "rpc/client_int.h"

#include "base/error.h"
#include "rpc/frame.h"

#include <stdlib.h>

/* A message that was given to the session: its place in all that was queued
 * there, its length, and the call's number; 0: one way. */
struct given {
	uint64_t at;
	uint64_t len;
	uint64_t seqno;
};

static void
first_given(const struct buf *b, size_t i, struct given *g)
{
	memcpy(g, buf_peek(b) + i * sizeof(*g), sizeof(*g));
}

/* What the layers have taken may be executed: it is never sent again as if it
 * had not been. */
static void
forget_taken(struct rk_client *c, struct session *s)
{
	struct buf *b = &c->again.given;
	struct given g;

	while (buf_len(b) > 0) {
		first_given(b, 0, &g);
		if (g.at >= conn_taken(session_conn(s)))
			break;
		buf_consume(b, sizeof(g));
	}
}

/* One that went apart has no place in the queue. */
static void
note_place(struct rk_client *c, uint64_t seqno, const struct given *g)
{
	struct pending *p = pending_find(&c->pending, seqno);

	if (p == NULL)
		return;
	p->at = g->at;
	if (g->len == 0)
		p->tried = true;
}

enum rk_err
client_give(struct rk_client *c, const struct msg *m, const struct rk_arg *args,
    size_t n_args)
{
	struct given g = { .at = conn_queued(session_conn(c->session)) };
	bool is_call =
	    m->hdr.type == RK_TYPE_CALL || m->hdr.type == RK_TYPE_NETRPC;
	enum rk_err r;

	if (is_call)
		g.seqno = m->hdr.seqno;
	if ((r = session_send(c->session, m, args, n_args)) != RK_OK)
		return r;
	g.len = conn_queued(session_conn(c->session)) - g.at;
	note_place(c, m->hdr.seqno, &g);
	/* Streams end with the session. */
	if (!c->again.on || !(is_call || m->hdr.type == RK_TYPE_ONEWAY))
		return RK_OK;
	forget_taken(c, c->session);
	/* Without memory it counts as sent; one that went apart was. */
	if (g.len > 0 && g.at >= conn_taken(session_conn(c->session)) &&
	    buf_put(&c->again.given, &g, sizeof(g)) != RK_OK)
		log_event(RK_LOG_WARN, "client", "no memory to note a message");
	return RK_OK;
}

enum rk_err
client_keep(struct rk_client *c, struct pending *p, const struct msg *m,
    const struct rk_arg *args, size_t n_args)
{
	struct buf b;
	uint8_t *frame;
	size_t len;
	enum rk_err r;

	if (c->pending.kept >= c->conf.max_queue)
		return RK_ELIMIT;
	buf_init(&b, RK_BODY_MAX + FRAME_HEAD_LEN);
	r = msg_encode(&b, m, args, n_args);
	if (r == RK_OK && (r = buf_take(&b, &frame, &len)) == RK_OK)
		pending_keep(&c->pending, p, frame, len);
	buf_fini(&b);
	return r;
}

/* ---- the end of a session ---- */

/* A frame again, for another connection: with another id, as the first may be
 * known to a server already. */
static enum rk_err
put_again(struct rk_client *c, struct buf *to, const uint8_t *frame, size_t len,
    struct pending *p)
{
	char id[CALL_ID_LEN];
	struct frame f;
	struct msg m;
	enum rk_err r;

	if ((r = frame_split(frame, len, &f, NULL, NULL)) != RK_OK ||
	    (r = msg_decode(f.body.ptr, f.body.len, &m, NULL)) != RK_OK)
		return r;
	if (p != NULL) {
		p->id_len =
		    (uint8_t)pending_call_id(&c->pending, p->seqno, p->call_id);
		m.hdr.call_id = pending_id(p);
	} else {
		m.hdr.call_id = (struct rk_str){ id,
			pending_call_id(&c->pending, m.hdr.seqno, id) };
	}
	return msg_encode(to, &m, NULL, 0);
}

static void
end_one(struct rk_client *c, struct pending *p, enum rk_err code)
{
	(void)pending_remove(&c->pending, p->seqno); /* it is there */
	client_end_pending(c, p, code);
}

/* One way, or a call somebody still waits for. */
static bool
is_wanted(const struct rk_client *c, const struct given *g)
{
	return g->seqno == 0 || pending_has(&c->pending, g->seqno);
}

static void
mark_waiting(struct rk_client *c)
{
	const struct buf *b = &c->again.given;
	struct pending *p;
	struct given g;

	for (size_t i = 0; i < buf_len(b) / sizeof(g); i++) {
		first_given(b, i, &g);
		p = pending_find(&c->pending, g.seqno);
		if (g.seqno != 0 && p != NULL)
			p->waits = !p->bound;
	}
}

/* Without `again` it is about the addresses of one connection. */
static bool
may_repeat(const struct rk_client *c, const struct pending *p)
{
	return p->kept != NULL &&
	       (!c->again.on || p->repeats < c->again.conf.repeats);
}

/* Calls that the session had: again, or over. */
static void
sort_sent(struct rk_client *c, struct buf *to)
{
	struct pending *p, *next;
	enum rk_err r;

	for (p = TAILQ_FIRST(&c->pending.all); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->waits || !(c->was_open || p->early))
			continue;
		p->tried = true;
		p->early = false;
		p->at = RK_NEVER;
		r = RK_ECLOSED;
		if (may_repeat(c, p))
			r = put_again(c, to, p->kept, p->kept_len, p);
		if (r == RK_OK)
			p->repeats++;
		else
			end_one(c, p, r);
	}
}

static void
move_untaken(struct rk_client *c, struct session *s, struct buf *to)
{
	const struct buf *b = &c->again.given;
	const uint8_t *bytes = buf_peek(conn_out(session_conn(s)));
	uint64_t base = conn_taken(session_conn(s));
	struct pending *p;
	struct given g;
	enum rk_err r;

	for (size_t i = 0; i < buf_len(b) / sizeof(g); i++) {
		first_given(b, i, &g);
		if (!is_wanted(c, &g))
			continue;
		p = g.seqno == 0 ? NULL : pending_find(&c->pending, g.seqno);
		r = put_again(c, to, bytes + (g.at - base), (size_t)g.len, p);
		if (p != NULL) {
			p->waits = false;
			p->at = RK_NEVER;
		}
		if (r == RK_OK)
			continue;
		if (p != NULL)
			end_one(c, p, r);
		else
			log_event(RK_LOG_WARN, "client",
			    "a message was dropped: %s", rk_err_text(r));
	}
}

/* Calls of net/rpc that wait for another to be answered were never sent: move
 * them, or (to is NULL) mark them. */
static void
see_held(struct rk_client *c, struct buf *to)
{
	const struct buf *b = &c->netrpc.held;
	struct pending *p;
	struct frame f;
	struct msg m;
	enum rk_err r;

	for (size_t at = 0; at < buf_len(b); at += f.total) {
		const uint8_t *frame = buf_peek(b) + at;

		if (frame_split(frame, buf_len(b) - at, &f, NULL, NULL) !=
		        RK_OK ||
		    msg_decode(f.body.ptr, f.body.len, &m, NULL) != RK_OK)
			return; /* they are our own */
		p = pending_find(&c->pending, m.hdr.seqno);
		if (p == NULL)
			continue;
		p->waits = to == NULL;
		r = to == NULL ? RK_OK : put_again(c, to, frame, f.total, p);
		if (r != RK_OK)
			end_one(c, p, r);
	}
}

/* Those that no session had stay behind what one had. */
static void
move_waiting(struct rk_client *c, struct buf *to)
{
	if (buf_len(to) == 0) {
		buf_fini(to);
		return;
	}
	if (buf_len(&c->waiting) > 0 &&
	    buf_put(to, buf_peek(&c->waiting), buf_len(&c->waiting)) != RK_OK) {
		/* Nothing is lost but the order. */
		if (buf_put(&c->waiting, buf_peek(to), buf_len(to)) != RK_OK)
			client_end_calls(c, RK_ENOMEM);
		buf_fini(to);
		return;
	}
	buf_fini(&c->waiting);
	c->waiting = *to;
}

void
client_calls_lost(struct rk_client *c, struct session *s)
{
	struct buf to;

	if (!c->again.on && c->was_open)
		return;
	buf_init(&to, c->waiting.max);
	c->pending.numbered = false; /* until the next peer is known */
	forget_taken(c, s);
	mark_waiting(c);
	see_held(c, NULL);
	sort_sent(c, &to);
	move_untaken(c, s, &to);
	see_held(c, &to);
	client_netrpc_ended(c);
	move_waiting(c, &to);
	buf_fini(&c->again.given);
	c->was_open = false;
}
