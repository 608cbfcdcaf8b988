/* Calls of Go's net/rpc on the server: unwrapped, and answered in kind. */
#include "rpc/netrpc.h"
#include "rpc/server_int.h"

/* Is there any method "Service.X"? */
static bool
has_service(const struct methods *all, struct rk_str service)
{
	for (size_t i = 0; i < all->n; i++) {
		const char *name = all->list[i].name;
		const char *dot = strrchr(name, '.');

		if (dot != NULL && (size_t)(dot - name) == service.len &&
		    memcmp(name, service.ptr, service.len) == 0)
			return true;
	}
	return false;
}

static void
fail_unknown(struct rk_call *call, void *arg)
{
	struct rk_str name = call->netrpc.method;
	enum netrpc_unknown why = NETRPC_ILL_FORMED;
	const char *dot =
	    name.len == 0 ? NULL : memrchr(name.ptr, '.', name.len);
	char text[NETRPC_TEXT_MAX];

	(void)arg;
	if (dot != NULL)
		why = has_service(call->conn->worker->methods,
		          (struct rk_str){ name.ptr, (size_t)(dot - name.ptr) })
		          ? NETRPC_NO_METHOD
		          : NETRPC_NO_SERVICE;
	netrpc_text(text, why, name);
	(void)rk_call_fail(call, text, NULL, 0);
}

void
call_netrpc_dispatch(struct server_conn *c, const struct msg *m)
{
	static const struct rk_method unknown = { .fn = fail_unknown };
	struct call_netrpc call = {
		.is_set = true,
		.service = m->hdr.to_service,
		.from_service = m->hdr.from_service,
	};
	const struct rk_method *method;
	struct msg inner = *m;
	struct netrpc h;

	if (netrpc_decode(m->payload, &h, &inner.payload) != RK_OK) {
		call_bounce(c, m, "the net/rpc request is malformed");
		return;
	}
	call.method = h.method;
	call.seq = h.seq;
	inner.hdr.to_service = h.method;
	method = methods_find(c->worker->methods, h.method);
	/* Only "Service.Method" can be named so, as in Go. */
	if (method == NULL || strchr(method->name, '.') == NULL)
		method = &unknown;
	call_begin(c, &inner, method, &call);
}

/* Who calls and who answers change places in the outer header; an error is
 * inside, as Go's clients want it, and has no value beside it. */
enum rk_err
call_netrpc_reply(
    const struct rk_call *call, struct rk_str error, struct rk_bytes payload)
{
	const struct netrpc h = {
		.method = call->netrpc.method,
		.seq = call->netrpc.seq,
		.error = error,
	};
	struct msg m = {
		.hdr = {
		    .type = RK_TYPE_REPLY,
		    .to_service = call->netrpc.from_service,
		    .from_service = call->service,
		    .subject = call->subject,
		    .seqno = call->seqno,
		    .call_id = call->call_id,
		    .deadline = call->deadline,
		},
	};
	struct buf b;
	enum rk_err r;

	if (error.len != 0)
		payload.len = 0;
	buf_init(&b, RK_BODY_MAX);
	if ((r = netrpc_encode(&b, &h, payload)) == RK_OK) {
		m.payload = (struct rk_bytes){ buf_peek(&b), buf_len(&b) };
		r = session_send(call->conn->session, &m, NULL, 0);
	}
	buf_fini(&b);
	return r;
}
