/* A client's calls of Go's net/rpc: wrapped, one at a time, opened. */
#include "rpc/client_int.h"

#include "base/error.h"
#include "rpc/frame.h"
#include "rpc/netrpc.h"

/* ---- one at a time ---- */

bool
client_netrpc_has_room(const struct rk_client *c)
{
	return buf_len(&c->netrpc.held) < c->conf.max_queue;
}

/*
 * Until it is answered, also when nobody waits for the answer any more: it runs
 * there, and its server would mix it up with the next.
 */
enum rk_err
client_pass(struct rk_client *c, const struct msg *m, const struct rk_arg *args,
    size_t n_args)
{
	bool counts =
	    m->hdr.type == RK_TYPE_NETRPC && !session_is_kin(c->session);
	enum rk_err r;

	if (counts && c->netrpc.running != 0)
		return msg_encode(&c->netrpc.held, m, args, n_args);
	r = client_give(c, m, args, n_args);
	if (r == RK_OK && counts)
		c->netrpc.running = m->hdr.seqno;
	return r;
}

/* Send what waits until one runs; those that have ended are dropped. */
static enum rk_err
send_next(struct rk_client *c)
{
	struct buf *b = &c->netrpc.held;
	enum rk_err r = RK_OK;
	struct frame f;

	while (r == RK_OK && c->netrpc.running == 0 && buf_len(b) != 0) {
		r = frame_split(buf_peek(b), buf_len(b), &f, NULL, NULL);
		if (r == RK_OK && (r = client_send_late(c, &f)) == RK_OK)
			buf_consume(b, f.total);
	}
	return r;
}

void
client_netrpc_answered(struct rk_client *c, uint64_t seqno)
{
	struct rk_error err;
	enum rk_err r;

	if (c->netrpc.running == 0 || c->netrpc.running != seqno)
		return;
	c->netrpc.running = 0;
	if (c->state != CLIENT_OPEN || (r = send_next(c)) == RK_OK)
		return;
	(void)err_set(&err, r, "%s: %s", c->url_text, rk_err_text(r));
	session_abort(c->session, &err);
}

void
client_netrpc_ended(struct rk_client *c)
{
	c->netrpc.running = 0;
	buf_fini(&c->netrpc.held);
}

/* ---- the payload ---- */

static enum rk_err
wrap(const struct rk_request *req, uint64_t seq, struct buf *b, struct msg *m)
{
	const struct netrpc h = {
		.method = { req->method, strlen(req->method) },
		.seq = seq,
	};
	enum rk_err r;

	if ((r = netrpc_encode(b, &h, m->payload)) != RK_OK)
		return r;
	m->payload = (struct rk_bytes){ buf_peek(b), buf_len(b) };
	return RK_OK;
}

/* As Go's clients do, take two numbers: the inner one first. */
enum rk_err
client_netrpc_submit(struct rk_client *c, const struct rk_request *req,
    rk_reply_fn *fn, void *arg, uint64_t *id_out)
{
	struct msg m = { .hdr = { .type = RK_TYPE_NETRPC } };
	uint64_t seq = c->pending.next_seqno++;
	struct pending *p;
	struct buf b;
	enum rk_err r;

	if ((r = client_begin(c, req, &m, fn, arg, &p)) != RK_OK) {
		c->pending.next_seqno = seq;
		return r;
	}
	p->netrpc = true;
	buf_init(&b, RK_BODY_MAX);
	if ((r = wrap(req, seq, &b, &m)) != RK_OK ||
	    (r = client_put(c, req, &m, p)) != RK_OK)
		client_forget(c, p);
	else if (id_out != NULL)
		*id_out = m.hdr.seqno;
	buf_fini(&b);
	return r;
}

void
client_netrpc_open(uint64_t seqno, struct rk_reply *reply)
{
	struct rk_bytes value;
	struct netrpc h;

	if (netrpc_decode(reply->payload, &h, &value) != RK_OK ||
	    h.seq != seqno - 1 || value.len == 0) {
		reply->code = RK_EPROTO;
		reply->maybe_executed = true;
		reply->payload = (struct rk_bytes){ .ptr = NULL };
		return;
	}
	reply->payload = value;
	if (h.error.len == 0)
		return;
	reply->payload = (struct rk_bytes){ .ptr = NULL };
	reply->code = netrpc_is_unknown(&h) ? RK_ENOMETHOD : RK_EREMOTE;
	if (reply->code == RK_ENOMETHOD)
		reply->hdr.subject = h.error;
	else
		reply->remote_error = h.error;
}
