/* Methods with structs at both ends: checked, entered, answered; and called. */
#include "base/error.h"
#include "rpc/client_int.h"
#include "rpc/server_int.h"
#include "rpc/typed_int.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- the server ---- */

static void
fail(struct rk_call *call, const struct rk_error *err)
{
	(void)rk_call_fail(call, err->text, NULL, 0);
}

static void
reply_typed(
    struct rk_call *call, const struct rk_record *type, const void *reply)
{
	char text[RK_ERROR_TEXT_LEN + 32];
	struct rk_error err;
	uint8_t *bytes;
	size_t len;

	if (type == NULL) {
		(void)rk_call_reply(call, "\x80", 1);
		return;
	}
	if (rk_typed_encode(type, reply, &bytes, &len, &err) != RK_OK) {
		(void)snprintf(
		    text, sizeof(text), "the reply is no good: %s", err.text);
		(void)rk_call_fail(call, text, NULL, 0);
		return;
	}
	(void)rk_call_reply(call, bytes, len);
	free(bytes);
}

/* Both structs are there. */
static void
enter(struct rk_call *call, const struct rk_method *m, void *args, void *reply)
{
	const struct rk_typed *t = m->typed;
	struct rk_bytes p = rk_call_payload(call);
	struct rk_error err = { .code = RK_OK };
	enum rk_err r = RK_OK;

	if (t->args != NULL)
		r = rk_typed_decode(t->args, p.ptr, p.len, args, &err);
	if (r == RK_OK && t->reply != NULL &&
	    (r = rk_typed_init(t->reply, reply)) != RK_OK)
		(void)err_set(&err, r, "%s", rk_err_text(r));
	if (r != RK_OK) {
		fail(call, &err);
		return;
	}
	t->fn(call, args, reply, m->arg);
	if (!call->answered && call->id == 0)
		reply_typed(call, t->reply, reply);
}

static void *
make(const struct rk_record *type)
{
	return calloc(1, type == NULL ? 1 : type->size);
}

static void
destroy(const struct rk_record *type, void *data)
{
	if (type != NULL)
		rk_typed_free(type, data);
	free(data);
}

void
call_typed(struct rk_call *call, const struct rk_method *m)
{
	const struct rk_typed *t = m->typed;
	void *args = make(t->args);
	void *reply = make(t->reply);

	if (args == NULL || reply == NULL)
		(void)rk_call_fail(call, "out of memory", NULL, 0);
	else
		enter(call, m, t->args == NULL ? NULL : args,
		    t->reply == NULL ? NULL : reply);
	destroy(t->args, args);
	destroy(t->reply, reply);
}

/* ---- the client ---- */

enum rk_err
rk_client_call_typed(struct rk_client *c, const struct rk_request *req,
    const struct rk_typed *typed, const void *args, void *reply,
    struct rk_error *err)
{
	struct rk_request full = *req;
	struct rk_reply answer = { .code = RK_OK };
	struct rk_error why = { .code = RK_OK };
	uint8_t *bytes = NULL;
	enum rk_err r = RK_OK;
	size_t len = 0;

	err_clear(err);
	if (typed->reply != NULL)
		memset(reply, 0, typed->reply->size);
	if (typed->args != NULL)
		r = rk_typed_encode(typed->args, args, &bytes, &len, err);
	full.payload = bytes;
	full.payload_len = len;
	if (r == RK_OK)
		r = rk_client_call(c, &full, &answer, err);
	if (r == RK_OK && typed->reply != NULL &&
	    rk_typed_decode(typed->reply, answer.payload.ptr,
	        answer.payload.len, reply, &why) != RK_OK)
		r = err_set(err, RK_EPROTO, "%s: the reply: %s",
		    req->method == NULL ? "call" : req->method, why.text);
	rk_reply_free(&answer);
	free(bytes);
	return r;
}
