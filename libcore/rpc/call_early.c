/* Calls that came before the handshake had ended, and what may wait for it. */
#include "rpc/server_int.h"

bool
call_may_be_early(const struct server_conn *c, const struct msg *m)
{
	const struct rk_method *method =
	    methods_find(c->worker->methods, m->hdr.to_service);

	/* Its method's name is inside; the outer one is no promise. */
	if (m->hdr.type == RK_TYPE_NETRPC)
		return false;
	/* That there is none may be said twice. */
	return method == NULL || (method->idempotent && method->stream == NULL);
}

bool
rk_call_is_early(const struct rk_call *call)
{
	return call->early;
}

bool
call_confirm(struct rk_call *call, enum rk_err r)
{
	rk_confirm_fn *fn = call->on_confirm;

	if (fn == NULL)
		return false;
	call->on_confirm = NULL;
	fn(call, r, call->confirm_arg);
	return true;
}

/* Whoever is told may answer, which takes the call out: start over. */
void
calls_confirm(struct server_conn *c, enum rk_err r)
{
	struct rk_call *call = TAILQ_FIRST(&c->running);

	c->n_running++;
	while (call != NULL)
		call = call_confirm(call, r) ? TAILQ_FIRST(&c->running)
		                             : TAILQ_NEXT(call, link);
	c->n_running--;
	server_conn_settle(c);
}

enum rk_err
rk_call_confirm(struct rk_call *call, rk_confirm_fn *fn, void *arg)
{
	const struct server_conn *c = call->conn;

	if (call->answered)
		return RK_ESTATE;
	if (call->canceled || c->session == NULL) {
		fn(call, RK_ECANCELED, arg);
		return RK_OK;
	}
	if (!session_is_early(c->session)) {
		fn(call, RK_OK, arg);
		return RK_OK;
	}
	if (rk_call_defer(call) == 0)
		return RK_ENOMEM;
	call->on_confirm = fn;
	call->confirm_arg = arg;
	return RK_OK;
}
