/* A client's calls: submit, match the answer, complete once. */
#include "rpc/client_int.h"

#include "base/error.h"
#include "base/str.h"
#include "rpc/frame.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

/* ---- what we send ---- */

static void
wall_clock_in(uint64_t ms, struct rk_time *t)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	t->is_set = true;
	t->sec = (int64_t)ts.tv_sec + (int64_t)(ms / 1000);
	t->nsec = (int32_t)(ts.tv_nsec + (long)(ms % 1000) * 1000000);
	if (t->nsec >= 1000000000) {
		t->nsec -= 1000000000;
		t->sec++;
	}
}

static enum rk_err
check_request(const struct rk_client *c, const struct rk_request *req)
{
	size_t n;

	if (c->state == CLIENT_IDLE || c->state == CLIENT_ENDING)
		return RK_ESTATE;
	if (req->method == NULL || (req->args == NULL && req->n_args != 0) ||
	    (req->payload == NULL && req->payload_len != 0))
		return RK_EINVAL;
	n = strlen(req->method);
	if (n == 0 || n > RK_NAME_MAX)
		return RK_EINVAL;
	if (req->payload_len > RK_PAYLOAD_MAX || req->n_args > RK_ARGS_MAX)
		return RK_ETOOBIG;
	if (req->subject != NULL && strlen(req->subject) > RK_SUBJECT_MAX)
		return RK_ETOOBIG;
	return RK_OK;
}

static void
fill_message(struct rk_client *c, const struct rk_request *req, struct msg *m)
{
	m->hdr.to_service = str_view(req->method);
	m->hdr.subject = str_view(req->subject);
	m->payload = (struct rk_bytes){ req->payload, req->payload_len };
	if (req->timeout != 0 && req->timeout != RK_NEVER)
		wall_clock_in(req->timeout, &m->hdr.deadline);
	if (!req->full_header)
		return;
	wall_clock_in(0, &m->hdr.created);
	m->hdr.from = str_view(c->from);
	m->hdr.to = str_view(c->to);
	m->hdr.serial = ++c->serial;
}

/* Queue the frame: on the connection, or until there is one. */
static enum rk_err
queue(struct rk_client *c, const struct rk_request *req, const struct msg *m)
{
	if (c->state == CLIENT_OPEN) {
		if ((!session_has_room(c->session) && !c->subs.announcing) ||
		    (req->netrpc && !client_netrpc_has_room(c)))
			return RK_ELIMIT;
		return client_pass(c, m, req->args, req->n_args);
	}
	if (buf_len(&c->waiting) >= c->conf.max_queue)
		return RK_ELIMIT;
	return msg_encode(&c->waiting, m, req->args, req->n_args);
}

/* The same of a call; one that may go twice is kept for that. */
static enum rk_err
queue_call(struct rk_client *c, const struct rk_request *req,
    const struct msg *m, struct pending *p)
{
	enum rk_err r = RK_OK;

	if (req->idempotent && (c->again.on || c->state != CLIENT_OPEN))
		r = client_keep(c, p, m, req->args, req->n_args);
	return r == RK_OK ? queue(c, req, m) : r;
}

/* A frame that was queued before there was a connection: now its ends are
 * known, and whether anybody still waits for its answer. */
enum rk_err
client_send_late(struct rk_client *c, const struct frame *f)
{
	struct msg m;
	enum rk_err r;

	if ((r = msg_decode(f->body.ptr, f->body.len, &m, NULL)) != RK_OK)
		return r;
	if (m.hdr.type != RK_TYPE_ONEWAY &&
	    !pending_has(&c->pending, m.hdr.seqno))
		return RK_OK;
	if (m.hdr.serial != 0) {
		m.hdr.from = str_view(c->from);
		m.hdr.to = str_view(c->to);
	}
	return client_pass(c, &m, NULL, 0);
}

enum rk_err
client_send_waiting(struct rk_client *c)
{
	const struct buf *b = &c->waiting;
	struct frame f;
	enum rk_err r = RK_OK;

	for (size_t at = 0; r == RK_OK && at < buf_len(b); at += f.total) {
		r = frame_split(
		    buf_peek(b) + at, buf_len(b) - at, &f, NULL, NULL);
		if (r == RK_OK)
			r = client_send_late(c, &f);
	}
	return r;
}

/* ---- deadlines ---- */

static void
arm(struct rk_client *c)
{
	uint64_t at = c->pending.next_deadline;

	if (at == RK_NEVER)
		rk_timer_clear(c->timer);
	else if (rk_timer_set(c->timer, at) != RK_OK)
		log_event(RK_LOG_WARN, "client", "no memory for a timer");
}

static void
send_cancel(struct rk_client *c, const struct pending *p)
{
	struct msg m = { 0 };

	if (c->state != CLIENT_OPEN)
		return;
	m.hdr.type = RK_TYPE_CANCEL;
	m.hdr.seqno = p->seqno;
	m.hdr.call_id = pending_id(p);
	/* Otherwise it ends there with its deadline or the connection. */
	if (session_send(c->session, &m, NULL, 0) != RK_OK)
		log_event(RK_LOG_DEBUG, "client", "a cancel was not sent");
}

static void
settle(struct rk_client *c)
{
	if (c->session != NULL && pending_count(&c->pending) == 0)
		session_set_busy(c->session, false);
	if (!TAILQ_EMPTY(&c->done))
		loop_hook_queue(c->loop, &c->done_hook);
}

/* What is true of a call that ends now: may it have been executed? */
static void
note_sent(const struct rk_client *c, struct pending *p)
{
	/* What is queued on a connection goes out, whoever waits for it; what
	 * no layer had taken when it ended does not. */
	uint64_t taken = c->session != NULL ? RK_NEVER : c->taken;

	p->sent = p->at < taken || p->early || p->tried;
}

void
client_on_timer(struct rk_timer *t, void *arg)
{
	struct rk_client *c = arg;
	struct pending_list late = TAILQ_HEAD_INITIALIZER(late);
	struct pending *p;

	(void)t;
	pending_expire(&c->pending, rk_loop_now(c->loop), &late);
	TAILQ_FOREACH (p, &late, link) {
		note_sent(c, p);
		send_cancel(c, p);
	}
	TAILQ_CONCAT(&c->done, &late, link);
	arm(c);
	settle(c);
}

/* ---- completing ---- */

static void
complete(struct rk_client *c, struct pending *p, struct rk_reply *reply)
{
	rk_reply_fn *fn = p->fn;
	void *arg = p->arg;

	pending_release(&c->pending, p);
	fn(c, reply, arg);
}

void
client_run_done(struct rk_client *c)
{
	struct pending *p;

	while ((p = TAILQ_FIRST(&c->done)) != NULL) {
		struct rk_reply reply = {
			.code = p->code,
			.maybe_executed = p->sent,
		};

		TAILQ_REMOVE(&c->done, p, link);
		complete(c, p, &reply);
	}
}

void
client_end_pending(struct rk_client *c, struct pending *p, enum rk_err code)
{
	p->code = code;
	note_sent(c, p);
	TAILQ_INSERT_TAIL(&c->done, p, link);
	settle(c);
}

void
client_end_calls(struct rk_client *c, enum rk_err code)
{
	struct pending_list all = TAILQ_HEAD_INITIALIZER(all);
	struct pending *p;

	pending_end_all(&c->pending, code, &all);
	/* They have ended: note what is true of them now. */
	TAILQ_FOREACH (p, &all, link)
		note_sent(c, p);
	TAILQ_CONCAT(&c->done, &all, link);
	settle(c);
}

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* What came or left in a moment that is not known, as it went apart or with
 * others, counts as waiting. */
static void
measure(struct rk_client *c, const struct pending *p, struct rk_reply *reply)
{
	uint64_t now = loop_clock_us(c->loop), left, came;
	struct conn_clocks at;

	conn_clocks(session_conn(c->session), &at);
	left = later(at.left, p->begun_us);
	came = later(at.came, left);
	now = later(now, came);
	reply->send_us = left - p->begun_us;
	reply->wait_us = came - left;
	reply->recv_us = now - came;
}

static void
answer(struct rk_client *c, const struct msg *m)
{
	struct rk_reply reply = { .hdr = m->hdr, .payload = m->payload };
	struct pending *p;

	p = pending_match(&c->pending, m->hdr.seqno, m->hdr.call_id);
	if (p == NULL)
		return; /* late: its call has ended */
	if (m->hdr.type == RK_TYPE_ERROR) {
		reply.code = RK_ENOMETHOD;
	} else if (m->error.len != 0) {
		reply.code = RK_EREMOTE;
		reply.remote_error = m->error;
	} else if (p->netrpc) {
		client_netrpc_open(p->seqno, &reply);
	}
	measure(c, p, &reply);
	settle(c);
	complete(c, p, &reply);
}

bool
client_message(struct session *s, const struct msg *m, void *arg)
{
	struct rk_client *c = arg;

	(void)s;
	switch (m->hdr.type) {
	case RK_TYPE_REPLY:
	case RK_TYPE_ERROR:
		client_netrpc_answered(c, m->hdr.seqno);
		answer(c, m);
		break;
	case RK_TYPE_ONEWAY:
		client_pushed(c, m);
		break;
	default:
		/* Keepalives, and what nobody here asked for, go to no stream.
		 */
		if (stream_is_part(m->hdr.type))
			streams_message(&c->streams, m);
		break;
	}
	return true;
}

/* ---- the three forms ---- */

enum rk_err
client_begin(struct rk_client *c, const struct rk_request *req, struct msg *m,
    rk_reply_fn *fn, void *arg, struct pending **out)
{
	uint64_t timeout = req->timeout;
	uint64_t deadline;
	enum rk_err r;

	*out = NULL;
	if ((r = check_request(c, req)) != RK_OK)
		return r;
	if (pending_count(&c->pending) >= c->conf.max_pending &&
	    !c->subs.announcing)
		return RK_ELIMIT;
	if (timeout == 0)
		timeout = c->conf.call_timeout;
	loop_refresh(c->loop);
	if (__builtin_add_overflow(rk_loop_now(c->loop), timeout, &deadline))
		deadline = RK_NEVER;
	c->nearest = c->pending.next_deadline;
	if ((r = pending_add(&c->pending, deadline, fn, arg, out)) != RK_OK)
		return r;
	(*out)->idempotent = req->idempotent;
	(*out)->begun_us = loop_now_ns(c->loop) / 1000;
	fill_message(c, req, m);
	m->hdr.seqno = (*out)->seqno;
	m->hdr.call_id = pending_id(*out);
	return RK_OK;
}

enum rk_err
client_put(struct rk_client *c, const struct rk_request *req,
    const struct msg *m, struct pending *p)
{
	enum rk_err r;

	if ((r = queue_call(c, req, m, p)) != RK_OK)
		return r;
	if (p->deadline < c->nearest)
		arm(c);
	if (pending_count(&c->pending) == 1 && c->session != NULL)
		session_set_busy(c->session, true);
	if (c->state == CLIENT_OPENING && req->idempotent)
		client_send_early(c);
	return RK_OK;
}

void
client_forget(struct rk_client *c, struct pending *p)
{
	(void)pending_remove(&c->pending, p->seqno);
	pending_release(&c->pending, p);
}

enum rk_err
rk_client_submit(struct rk_client *c, const struct rk_request *req,
    rk_reply_fn *fn, void *arg, uint64_t *id_out)
{
	struct msg m = { .hdr = { .type = RK_TYPE_CALL } };
	struct pending *p;
	uint64_t id;
	enum rk_err r;

	if (id_out != NULL)
		*id_out = 0;
	if (req->netrpc)
		return client_netrpc_submit(c, req, fn, arg, id_out);
	if ((r = client_begin(c, req, &m, fn, arg, &p)) != RK_OK)
		return r;
	id = p->seqno;
	if ((r = client_put(c, req, &m, p)) != RK_OK) {
		client_forget(c, p);
		return r;
	}
	if (id_out != NULL)
		*id_out = id;
	return RK_OK;
}

enum rk_err
rk_client_send(struct rk_client *c, const struct rk_request *req)
{
	struct msg m = { .hdr = { .type = RK_TYPE_ONEWAY } };
	char id[CALL_ID_LEN];
	enum rk_err r;

	if ((r = check_request(c, req)) != RK_OK)
		return r;
	if (req->netrpc)
		return RK_EINVAL;
	fill_message(c, req, &m);
	m.hdr.seqno = c->pending.next_seqno++;
	m.hdr.call_id = (struct rk_str){ id,
		pending_call_id(&c->pending, m.hdr.seqno, id) };
	return queue(c, req, &m);
}

enum rk_err
rk_client_cancel(struct rk_client *c, uint64_t id)
{
	return client_end_call(c, id, RK_ECANCELED);
}

enum rk_err
client_end_call(struct rk_client *c, uint64_t id, enum rk_err code)
{
	struct pending *p = pending_remove(&c->pending, id);

	if (p == NULL)
		return RK_ENOENT;
	send_cancel(c, p);
	client_end_pending(c, p, code);
	return RK_OK;
}

/* What the blocking form waits for. */
struct waiter {
	struct rk_reply *reply;
	bool done;
	bool no_memory;
};

bool
client_keep_reply(struct rk_reply *dst, const struct rk_reply *src)
{
	struct msg from = {
		.hdr = src->hdr,
		.payload = src->payload,
		.error = src->remote_error,
	};
	struct msg m;

	*dst = *src;
	if (msg_keep(&from, &m, &dst->owned) != RK_OK)
		return false;
	dst->hdr = m.hdr;
	dst->payload = m.payload;
	dst->remote_error = m.error;
	return true;
}

static void
on_waited(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct waiter *w = arg;

	(void)c;
	w->done = true;
	if (!client_keep_reply(w->reply, reply)) {
		*w->reply = (struct rk_reply){ .code = RK_ENOMEM,
			.maybe_executed = true };
	}
}

void
client_describe(const struct rk_client *c, struct rk_str method,
    const struct rk_reply *reply, struct rk_error *err)
{
	const char *detail = rk_err_text(reply->code);
	const char *step = "call";
	char remote[RK_ERROR_TEXT_LEN / 2];
	char name[RK_NAME_MAX + 1];

	if (reply->code == RK_EREMOTE)
		detail = rk_escape(remote, sizeof(remote),
		    reply->remote_error.ptr, reply->remote_error.len);
	else if (c->state != CLIENT_OPEN && reply->code == c->why.code) {
		detail = c->why.text; /* the connection's end ended it */
		if (!c->was_open && c->why.step != NULL)
			step = c->why.step; /* before it began */
	}
	(void)err_set(err, reply->code, "%s: %s",
	    method.len == 0
	        ? "call"
	        : rk_escape(name, sizeof(name), method.ptr, method.len),
	    detail);
	if (err != NULL)
		err->step = step;
}

/* So many turns at most, for what comes all the time. */
#define CATCH_UP 16

/* Between blocking calls nobody runs the loop: see what has happened, as far as
 * the kernel knows. */
static void
catch_up(struct rk_client *c)
{
	struct pollfd p = { .fd = rk_loop_fd(c->loop), .events = POLLIN };

	for (int i = 0; i < CATCH_UP; i++) {
		loop_refresh(c->loop);
		if (poll(&p, 1, 0) != 1 && rk_loop_wait_ms(c->loop) != 0)
			break;
		if (rk_loop_step(c->loop, 0) != RK_OK)
			break;
	}
}

enum rk_err
rk_client_call(struct rk_client *c, const struct rk_request *req,
    struct rk_reply *reply, struct rk_error *err)
{
	struct waiter w = { .reply = reply };
	enum rk_err r;

	*reply = (struct rk_reply){ .code = RK_EFAIL };
	err_clear(err);
	r = RK_ESTATE;
	if (c->own_loop && !loop_is_turning(c->loop)) {
		if (c->again.on)
			catch_up(c);
		r = rk_client_submit(c, req, on_waited, &w, NULL);
	}
	if (r != RK_OK) {
		reply->code = r;
		client_describe(c, str_view(req->method), reply, err);
		return r;
	}
	loop_set_keen(c->loop, true);
	while (!w.done && (r = rk_loop_step(c->loop, -1)) == RK_OK)
		continue;
	loop_set_keen(c->loop, false);
	/* The loop cannot fail while its descriptors live; if it does, the
	 * waiter must not outlive this frame. */
	if (!w.done) {
		client_end_calls(c, r);
		client_run_done(c);
	}
	if (reply->code != RK_OK)
		client_describe(c, str_view(req->method), reply, err);
	return reply->code;
}

void
rk_reply_free(struct rk_reply *reply)
{
	free(reply->owned);
	*reply = (struct rk_reply){ 0 };
}

enum rk_err
rk_client_flush(struct rk_client *c, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	err_clear(err);
	if (!c->own_loop || loop_is_turning(c->loop))
		return err_set(
		    err, RK_ESTATE, "%s: cannot wait here", c->url_text);
	if (c->state == CLIENT_IDLE)
		return err_set(
		    err, RK_ESTATE, "%s: not connected", c->url_text);
	while (r == RK_OK && c->state != CLIENT_IDLE &&
	       (c->state != CLIENT_OPEN || !session_is_flushed(c->session)))
		r = rk_loop_step(c->loop, -1);
	if (r != RK_OK)
		return err_set(
		    err, r, "%s: the event loop failed", c->url_text);
	if (c->state == CLIENT_OPEN)
		return RK_OK;
	if (err != NULL)
		*err = c->why;
	return c->why.code;
}
