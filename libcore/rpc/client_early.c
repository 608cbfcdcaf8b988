/* A client's calls that go before the handshake has ended. */
#include "rpc/client_int.h"

#include "rpc/frame.h"

/* Those at the front of what waits that may, as far as they fit. */
struct early {
	struct rk_client *c;
	struct buf out;
	size_t used; /* of c->waiting */
};

/*
 * The next frame; false: it stays, and so do all behind it, so that they are
 * executed in the order they were submitted.
 */
static bool
add(struct early *e, const struct frame *f)
{
	struct rk_client *c = e->c;
	size_t before = buf_len(&e->out);
	struct pending *p;
	struct msg m;

	if (msg_decode(f->body.ptr, f->body.len, &m, NULL) != RK_OK ||
	    m.hdr.type != RK_TYPE_CALL)
		return false;
	p = pending_find(&c->pending, m.hdr.seqno);
	if (p == NULL)
		return true; /* nobody waits for it any more */
	if (!p->idempotent)
		return false;
	/* Whether the server is believed is asked only when it matters. */
	if (c->early_left == SIZE_MAX)
		c->early_left = session_early_max(c->session);
	if (c->early_left == 0)
		return false;
	if (m.hdr.serial != 0) { /* now its ends are known */
		m.hdr.from = (struct rk_str){ c->from, strlen(c->from) };
		m.hdr.to = (struct rk_str){ c->to, strlen(c->to) };
	}
	if (msg_encode(&e->out, &m, NULL, 0) == RK_OK &&
	    buf_len(&e->out) <= c->early_left)
		return true;
	buf_uncommit(&e->out, buf_len(&e->out) - before);
	return false;
}

/* They may be executed from now on, whatever becomes of the connection. */
static void
mark(struct early *e)
{
	const uint8_t *p = buf_peek(&e->out);
	struct pending *call;
	struct frame f;
	struct msg m;

	for (size_t at = 0; at < buf_len(&e->out); at += f.total) {
		if (frame_split(p + at, buf_len(&e->out) - at, &f, NULL,
		        NULL) != RK_OK ||
		    msg_decode(f.body.ptr, f.body.len, &m, NULL) != RK_OK)
			return;
		call = pending_find(&e->c->pending, m.hdr.seqno);
		if (call != NULL)
			call->early = true;
	}
}

void
client_send_early(struct rk_client *c)
{
	struct early e = { .c = c };
	const struct buf *w = &c->waiting;
	struct frame f;

	if (c->conf.early != RK_EARLY_MARKED || buf_len(w) == 0)
		return;
	buf_init(&e.out, c->waiting.max);
	while (e.used < buf_len(w) &&
	       frame_split(buf_peek(w) + e.used, buf_len(w) - e.used, &f, NULL,
	           NULL) == RK_OK &&
	       add(&e, &f))
		e.used += f.total;
	if (buf_len(&e.out) == 0)
		goto out;
	if (session_early(c->session, buf_peek(&e.out), buf_len(&e.out)) ==
	    RK_OK) {
		mark(&e);
		c->early_left -= buf_len(&e.out);
		buf_consume(&c->waiting, e.used);
	} else {
		c->early_left = 0; /* too late */
	}
out:
	buf_fini(&e.out);
}
