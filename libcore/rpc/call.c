/* A call on the server: from request to exactly one answer. */
#include "base/error.h"
#include "base/str.h"
#include "rpc/pool.h"
#include "rpc/server_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Structs kept for reuse: what a busy loop has running. */
#define SPARE_MAX 4096

/* The worker's number is the top of a call's id. */
#define ID_WORKER_SHIFT 48

static void
bump(atomic_ullong *n, int by)
{
	/* One writer: a plain add that readers may watch. */
	atomic_store_explicit(n,
	    atomic_load_explicit(n, memory_order_relaxed) +
	        (unsigned long long)by,
	    memory_order_relaxed);
}

/* ---- its memory ---- */

static struct rk_call *
take(struct server_conn *c, const struct msg *m)
{
	struct worker *w = c->worker;
	struct rk_call *call = TAILQ_FIRST(&w->spare);

	if (call != NULL) {
		TAILQ_REMOVE(&w->spare, call, link);
		w->n_spare--;
	} else if ((call = malloc(sizeof(*call))) == NULL) {
		return NULL;
	}
	*call = (struct rk_call){
		.conn = c,
		.number =
		    (uint64_t)w->index << ID_WORKER_SHIFT | ++w->next_call,
		.msg = m,
		.in_handler = true,
		.oneway = m->hdr.type == RK_TYPE_ONEWAY,
		.early = session_is_early(c->session),
		.service = m->hdr.to_service,
		.subject = m->hdr.subject,
		.call_id = m->hdr.call_id,
		.seqno = m->hdr.seqno,
		.deadline = m->hdr.deadline,
		.deadline_ms = RK_NEVER,
	};
	return call;
}

static void
give_back(struct rk_call *call)
{
	struct worker *w = call->conn->worker;

	free(call->kept);
	if (w->n_spare >= SPARE_MAX) {
		free(call);
		return;
	}
	call->kept = NULL;
	TAILQ_INSERT_HEAD(&w->spare, call, link);
	w->n_spare++;
}

/* Out of the tables of running calls; the struct may be reused after. */
void
call_release(struct rk_call *call)
{
	struct server_conn *c = call->conn;

	if (call->id != 0) {
		(void)idmap_remove(&c->worker->deferred, call->id);
		TAILQ_REMOVE(&c->running, call, link);
		c->n_running--;
		bump(&c->worker->running, -1);
		call->id = 0;
		give_back(call);
		server_conn_settle(c);
		return;
	}
	give_back(call);
}

/* ---- answering ---- */

static enum rk_err
send_reply(struct rk_call *call, const char *error, size_t error_len,
    struct rk_bytes payload)
{
	struct msg m = {
		.hdr = {
		    .type = RK_TYPE_REPLY,
		    .to_service = call->service,
		    .subject = call->subject,
		    .seqno = call->seqno,
		    .call_id = call->call_id,
		    .deadline = call->deadline,
		},
		.payload = payload,
		.error = { error, error_len },
		.in_order = call->is_stream,
	};

	if (call->netrpc.is_set)
		return call_netrpc_reply(call, m.error, payload);
	return session_send(
	    call->conn->session, &m, call->reply_args, call->n_reply_args);
}

/*
 * An answer that cannot be kept: the peer asks and does not listen, so that
 * its answers fill our memory, or there is none.  Who waits for it must not
 * wait in vain.
 */
static void
cut(struct server_conn *c, enum rk_err why)
{
	struct rk_error err;

	(void)err_set(&err, why, "%s: %s", c->peer->remote,
	    why == RK_ELIMIT ? "does not read its answers: too many bytes wait"
	                     : rk_err_text(why));
	session_abort(c->session, &err);
}

/* RK_ECLOSED: there is nobody to tell.  What does not fit is told so. */
static enum rk_err
tell(struct rk_call *call, const char *error, size_t error_len,
    struct rk_bytes payload)
{
	static const char too_big[] = "the answer is too large";
	struct server_conn *c = call->conn;
	enum rk_err r = RK_ETOOBIG;
	enum rk_err sent;

	if (c->session == NULL)
		return RK_ECLOSED;
	if (call->oneway)
		return RK_OK;
	if (payload.len <= RK_PAYLOAD_MAX && call->n_reply_args <= RK_ARGS_MAX)
		r = send_reply(call, error, error_len, payload);
	if (r == RK_ETOOBIG)
		call->n_reply_args = 0; /* they may be what is too large */
	sent = r != RK_ETOOBIG ? r
	                       : send_reply(call, too_big, sizeof(too_big) - 1,
	                             (struct rk_bytes){ 0 });
	if (sent == RK_ESTATE)
		return RK_ECLOSED;
	if (sent != RK_OK)
		cut(c, sent);
	return r;
}

static const char by_operator[] = "canceled by an operator";

static enum rk_err
answer(struct rk_call *call, const char *error, size_t error_len,
    struct rk_bytes payload)
{
	enum rk_err r;

	if (call->answered)
		return RK_ESTATE;
	call->answered = true;
	r = call->told ? RK_ECLOSED : tell(call, error, error_len, payload);
	if (call->told) {
		error = by_operator;
		error_len = sizeof(by_operator) - 1;
	}
	call_note_end(call, error, error_len, r);
	if (!call->in_handler)
		call_release(call);
	return r;
}

enum rk_err
rk_call_reply(struct rk_call *call, const void *payload, size_t len)
{
	return answer(call, NULL, 0, (struct rk_bytes){ payload, len });
}

enum rk_err
call_reply_args(struct rk_call *call, const struct rk_arg *args, size_t n_args,
    const void *payload, size_t len)
{
	call->reply_args = args;
	call->n_reply_args = n_args;
	return rk_call_reply(call, payload, len);
}

/* An error must be visible as one: an empty text is not. */
#define ERROR_MAX 4096

enum rk_err
rk_call_fail(
    struct rk_call *call, const char *text, const void *payload, size_t len)
{
	if (text == NULL || text[0] == '\0')
		text = "failed";
	return answer(call, text, strnlen(text, ERROR_MAX),
	    (struct rk_bytes){ payload, len });
}

/* ---- answering later ---- */

/* The views die with the message: copy those that the reply echoes. */
static enum rk_err
keep_views(struct rk_call *call)
{
	struct rk_str *views[] = { &call->service, &call->subject,
		&call->call_id, &call->netrpc.method,
		&call->netrpc.from_service };
	const size_t n = sizeof(views) / sizeof(views[0]);
	size_t total = 1;
	char *at;

	for (size_t i = 0; i < n; i++)
		total += views[i]->len; /* each below MSG_HEADER_MAX */
	call->kept = malloc(total);
	if (call->kept == NULL)
		return RK_ENOMEM;
	at = call->kept;
	for (size_t i = 0; i < n; i++) {
		if (views[i]->len != 0)
			memcpy(at, views[i]->ptr, views[i]->len);
		views[i]->ptr = at;
		at += views[i]->len;
	}
	return RK_OK;
}

uint64_t
rk_call_defer(struct rk_call *call)
{
	struct server_conn *c = call->conn;
	struct worker *w = c->worker;
	uint64_t id;

	if (call->id != 0 || call->answered)
		return call->id;
	id = call->number;
	if (keep_views(call) != RK_OK ||
	    idmap_add(&w->deferred, id, call) != RK_OK) {
		(void)rk_call_fail(call, "out of memory", NULL, 0);
		return 0;
	}
	call->id = id;
	call->begun = rk_loop_now(w->loop);
	TAILQ_INSERT_TAIL(&c->running, call, link);
	c->n_running++;
	bump(&w->running, 1);
	if (call->deadline_ms < c->next_deadline) {
		c->next_deadline = call->deadline_ms;
		server_conn_arm(c);
	}
	return id;
}

void
rk_call_on_cancel(struct rk_call *call, rk_cancel_fn *fn, void *arg)
{
	call->on_cancel = fn;
	call->cancel_arg = arg;
}

static enum rk_err
confirm_code(enum rk_cancel_why why)
{
	switch (why) {
	case RK_CANCEL_CALLER:
		return RK_ECANCELED;
	case RK_CANCEL_DEADLINE:
		return RK_ETIMEOUT;
	case RK_CANCEL_CLOSED:
		return RK_ECLOSED;
	case RK_CANCEL_OPERATOR:
		return RK_ECANCELED;
	}
	return RK_ECANCELED;
}

/* The caller, who did not ask for this, does not wait for the handler.  What
 * ends a stream says it in its turn. */
static void
tell_of_operator(struct rk_call *call)
{
	if (call->stream != NULL)
		return;
	call->told = true;
	(void)tell(
	    call, by_operator, sizeof(by_operator) - 1, (struct rk_bytes){ 0 });
}

void
call_cancel(struct rk_call *call, enum rk_cancel_why why)
{
	if (call->canceled)
		return;
	call->canceled = true;
	if (why == RK_CANCEL_OPERATOR)
		tell_of_operator(call);
	if (call_confirm(call, confirm_code(why)))
		return; /* it may be gone */
	if (call->on_cancel != NULL)
		call->on_cancel(call->id, why, call->cancel_arg);
}

struct posted_reply {
	struct mail mail;
	struct worker *worker;
	uint64_t id;
	size_t error_len; /* SIZE_MAX: success */
	size_t len;
	uint8_t bytes[]; /* payload, then error */
};

static void
on_posted_reply(struct mail *m)
{
	struct posted_reply *p = (struct posted_reply *)(void *)m;
	struct rk_call *call = idmap_find(&p->worker->deferred, p->id);
	struct rk_bytes payload = { p->bytes, p->len };

	if (call != NULL && p->error_len == SIZE_MAX)
		(void)answer(call, NULL, 0, payload);
	else if (call != NULL)
		(void)answer(call, (const char *)p->bytes + p->len,
		    p->error_len, payload);
	free(p);
}

enum rk_err
rk_server_reply(struct rk_server *server, uint64_t id, const char *error,
    const void *payload, size_t len)
{
	uint64_t index = id >> ID_WORKER_SHIFT;
	size_t error_len = 0;
	struct posted_reply *p;

	if (index >= server->n_workers)
		return RK_OK; /* unknown ids are ignored */
	if (len > RK_PAYLOAD_MAX) {
		error = "the answer is too large";
		len = 0;
	}
	if (error != NULL) {
		if (error[0] == '\0')
			error = "failed";
		error_len = strnlen(error, ERROR_MAX);
	}
	p = malloc(sizeof(*p) + len + error_len);
	if (p == NULL)
		return RK_ENOMEM;
	p->mail = (struct mail){ .fn = on_posted_reply };
	p->worker = &server->workers[index];
	p->id = id;
	p->len = len;
	p->error_len = error == NULL ? SIZE_MAX : error_len;
	if (len != 0)
		memcpy(p->bytes, payload, len);
	if (error_len != 0)
		memcpy(p->bytes + len, error, error_len);
	mailbox_put(p->worker->box, &p->mail);
	return RK_OK;
}

/* ---- what a handler may ask ---- */

const struct rk_header *
rk_call_header(const struct rk_call *call)
{
	static const struct rk_header none;

	return call->msg == NULL ? &none : &call->msg->hdr;
}

struct rk_bytes
rk_call_payload(const struct rk_call *call)
{
	return call->msg == NULL ? (struct rk_bytes){ 0 } : call->msg->payload;
}

const struct rk_peer *
rk_call_peer(const struct rk_call *call)
{
	return call->conn->peer;
}

bool
rk_call_is_oneway(const struct rk_call *call)
{
	return call->oneway;
}

uint64_t
rk_call_time_left(const struct rk_call *call)
{
	uint64_t now = rk_loop_now(call->conn->worker->loop);

	if (call->deadline_ms == RK_NEVER)
		return RK_NEVER;
	return call->deadline_ms > now ? call->deadline_ms - now : 0;
}

struct rk_server *
rk_call_server(const struct rk_call *call)
{
	return call->conn->worker->server;
}

/* ---- from request to handler ---- */

/*
 * Deadlines travel as wall-clock times; inside they are loop times.  Nothing
 * ends before its time: a part of a millisecond counts as a whole one, on both
 * clocks, and a turn that takes long does not make the deadline an earlier one.
 */
static void
set_deadline(struct rk_call *call)
{
	struct rk_loop *loop = call->conn->worker->loop;
	struct timespec now;
	int64_t left; /* nanoseconds */

	if (!call->deadline.is_set)
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	/* A peer's number: stay far from overflow. */
	if (call->deadline.sec > now.tv_sec + INT32_MAX)
		return;
	call->deadline_ms = rk_loop_now(loop);
	if (call->deadline.sec < now.tv_sec)
		return;
	left = (call->deadline.sec - now.tv_sec) * 1000000000 +
	       (call->deadline.nsec - now.tv_nsec);
	if (left > 0)
		call->deadline_ms =
		    loop_clock(loop) + 1 + (uint64_t)(left + 999999) / 1000000;
}

static void
run_handler(struct rk_call *call, const struct rk_method *m)
{
	if (m->stream != NULL)
		stream_serve(call, m);
	else if (m->typed != NULL)
		call_typed(call, m);
	else if (m->work != NULL)
		pool_take(rk_call_server(call)->pool, call, m);
	else
		m->fn(call, m->arg);
	call->in_handler = false;
	call->msg = NULL;
	if (call->id == 0 && !call->answered) {
		call->in_handler = true;
		(void)answer(call, NULL, 0, (struct rk_bytes){ 0 });
		call->in_handler = false;
	}
	if (call->answered)
		call_release(call);
}

/* Rpc25519's way: the request comes back as an error, without its body. */
void
call_bounce(struct server_conn *c, const struct msg *request, const char *text)
{
	struct msg m = { .hdr = request->hdr };
	struct msg least = { .hdr = { .type = RK_TYPE_ERROR,
		                 .seqno = request->hdr.seqno } };
	enum rk_err r;

	m.hdr.type = RK_TYPE_ERROR;
	m.hdr.from = request->hdr.to;
	m.hdr.to = request->hdr.from;
	m.hdr.args = (struct rk_args){ 0 };
	m.hdr.subject = str_view(text);
	r = session_send(c->session, &m, NULL, 0);
	if (r == RK_ETOOBIG) { /* the request's header left no room */
		least.hdr.subject = m.hdr.subject;
		r = session_send(c->session, &least, NULL, 0);
	}
	if (r != RK_OK && r != RK_ESTATE)
		cut(c, r);
}

static void
refuse_unknown(struct server_conn *c, const struct msg *request)
{
	char name[RK_NAME_MAX];
	char text[RK_NAME_MAX + 64];

	(void)rk_escape(name, sizeof(name), request->hdr.to_service.ptr,
	    request->hdr.to_service.len);
	(void)snprintf(text, sizeof(text), "no such method here: \"%s\"", name);
	call_bounce(c, request, text);
}

void
call_refuse(struct server_conn *c, const struct msg *request, const char *why)
{
	struct msg m = {
		.hdr = {
		    .type = RK_TYPE_REPLY,
		    .to_service = request->hdr.to_service,
		    .seqno = request->hdr.seqno,
		    .call_id = request->hdr.call_id,
		},
		.error = { why, strlen(why) },
	};
	enum rk_err r;

	if (request->hdr.type == RK_TYPE_ONEWAY)
		return;
	r = session_send(c->session, &m, NULL, 0);
	if (r != RK_OK && r != RK_ESTATE)
		cut(c, r);
}

void
call_dispatch(struct server_conn *c, const struct msg *m)
{
	const struct rk_method *method =
	    methods_find(c->worker->methods, m->hdr.to_service);

	if (m->hdr.type == RK_TYPE_NETRPC)
		call_netrpc_dispatch(c, m);
	else if (method == NULL)
		refuse_unknown(c, m);
	else
		call_begin(c, m, method, NULL);
}

void
call_begin(struct server_conn *c, const struct msg *m,
    const struct rk_method *method, const struct call_netrpc *netrpc)
{
	const bool opens = stream_kind_opened(m->hdr.type) != 0;
	struct rk_call *call = take(c, m);

	if (call == NULL) {
		cut(c, RK_ENOMEM);
		return;
	}
	if (netrpc != NULL) {
		call->netrpc = *netrpc;
		call->service = netrpc->service;
	}
	bump(&c->worker->calls, 1);
	c->n_calls++;
	call_note_begin(call, method);
	set_deadline(call);
	if (method->allow != NULL && !method->allow(c->peer, method->arg)) {
		server_conn_log_denied(c, method);
		(void)rk_call_fail(
		    call, "not allowed for this caller", NULL, 0);
	} else if (rk_call_time_left(call) == 0) {
		(void)rk_call_fail(
		    call, "the deadline has passed already", NULL, 0);
	} else if (opens != (method->stream != NULL)) {
		(void)rk_call_fail(call,
		    opens ? "this method is no stream: call it"
		          : "this method is a stream: it cannot be called",
		    NULL, 0);
	}
	if (call->answered)
		call_release(call);
	else
		run_handler(call, method);
}
