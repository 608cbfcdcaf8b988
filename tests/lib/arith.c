/* The typed methods that tests call: Arith, as in the captures, and more. */
#include "arith.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "typedtypes.h"

static const struct rk_field args_fields[] = {
	RK_FIELD(struct arith_args, a, INT, "A", 0),
	RK_FIELD(struct arith_args, b, INT, "B", 1),
};
const struct rk_record arith_args =
    RK_RECORD(struct arith_args, "args", args_fields);

static const struct rk_field reply_fields[] = {
	RK_FIELD(struct arith_reply, c, INT, "C", 0),
};
const struct rk_record arith_reply =
    RK_RECORD(struct arith_reply, "reply", reply_fields);

static const struct rk_field mul_fields[] = {
	RK_FIELD(struct arith_args, a, INT, "A", 0, .initial = 2, .min = 1,
	    .max = 9),
	RK_FIELD(struct arith_args, b, INT, "B", 1, .required = true),
};
static const struct rk_record mul_args =
    RK_RECORD(struct arith_args, "factors", mul_fields);

struct big {
	char *text;
};
static const struct rk_field big_fields[] = {
	RK_FIELD(struct big, text, STR, "Text", 0),
};
static const struct rk_record big_reply =
    RK_RECORD(struct big, "big", big_fields);

static void
add(struct rk_call *call, void *args, void *reply, void *arg)
{
	const struct arith_args *in = args;
	struct arith_reply *out = reply;

	(void)call;
	(void)arg;
	out->c = in->a + in->b;
}

static void
divide(struct rk_call *call, void *args, void *reply, void *arg)
{
	const struct arith_args *in = args;
	struct arith_reply *out = reply;

	(void)arg;
	if (in->b == 0)
		(void)rk_call_fail(call, "divide by zero", "x", 1);
	else
		out->c = in->a / in->b;
}

static void
mul(struct rk_call *call, void *args, void *reply, void *arg)
{
	const struct arith_args *in = args;
	struct arith_reply *out = reply;

	(void)call;
	(void)arg;
	out->c = in->a * in->b;
}

static void
hold(struct rk_call *call, void *args, void *reply, void *arg)
{
	struct rpcrig *rig = arg;
	uint64_t id = rk_call_defer(call);

	(void)args;
	(void)reply;
	(void)pthread_mutex_lock(&rig->lock);
	if (id != 0)
		rig->held[rig->n_held++].id = id;
	(void)pthread_cond_broadcast(&rig->changed);
	(void)pthread_mutex_unlock(&rig->lock);
}

static void
answer_big(struct rk_call *call, void *args, void *reply, void *arg)
{
	struct big *out = reply;

	(void)call;
	(void)args;
	(void)arg;
	out->text = calloc(1, RK_PAYLOAD_MAX + 1);
	if (out->text != NULL)
		memset(out->text, 'x', RK_PAYLOAD_MAX);
}

static void
none(struct rk_call *call, void *args, void *reply, void *arg)
{
	(void)arg;
	if (args != NULL || reply != NULL)
		(void)rk_call_fail(call, "something", NULL, 0);
}

/* What was given is taken, and not freed twice. */
static void
echo_every(struct rk_call *call, void *args, void *reply, void *arg)
{
	(void)call;
	(void)arg;
	memcpy(reply, args, sizeof(struct every));
	memset(args, 0, sizeof(struct every));
}

const struct rk_typed arith_add = { &arith_args, &arith_reply, add };
static const struct rk_typed arith_div = { &arith_args, &arith_reply, divide };
static const struct rk_typed arith_hold = { &arith_args, &arith_reply, hold };
const struct rk_typed arith_mul = { &mul_args, &arith_reply, mul };
const struct rk_typed arith_big = { NULL, &big_reply, answer_big };
const struct rk_typed arith_none = { NULL, NULL, none };
const struct rk_typed every_echo = { &every_record, &every_record, echo_every };

static void
echo(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);

	(void)arg;
	(void)rk_call_reply(call, p.ptr, p.len);
}

static void
fail_raw(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);

	(void)arg;
	(void)rk_call_fail(call, "as asked", p.ptr, p.len);
}

static void
work(struct rk_job *job, void *arg)
{
	struct rk_bytes p = rk_job_payload(job);

	(void)arg;
	(void)rk_job_reply(job, p.ptr, p.len);
}

static bool
may(const struct rk_peer *peer, void *arg)
{
	struct rpcrig *rig = arg;
	bool yes;

	(void)peer;
	(void)pthread_mutex_lock(&rig->lock);
	yes = rig->allowed;
	(void)pthread_mutex_unlock(&rig->lock);
	return yes;
}

static void
swap(struct rpcrig *rig, void *arg)
{
	const struct rk_method all[] = {
		{ .name = "Arith.Add", .typed = &arith_add, .arg = rig },
		{ .name = "Arith.Div", .typed = &arith_div, .arg = rig },
		{ .name = "Arith.Mul", .typed = &arith_mul, .arg = rig },
		{ .name = "Arith.Hold", .typed = &arith_hold, .arg = rig },
		{ .name = "Arith.Big", .typed = &arith_big, .arg = rig },
		{ .name = "Arith.None", .typed = &arith_none, .arg = rig },
		{ .name = "Every.Echo", .typed = &every_echo, .arg = rig },
		{ .name = "echo", .fn = echo, .arg = rig },
		{ .name = "Raw.Echo", .fn = echo, .arg = rig },
		{ .name = "Raw.Fail", .fn = fail_raw, .arg = rig },
		{ .name = "Raw.Guarded", .fn = echo, .arg = rig, .allow = may },
		{ .name = "Raw.Work", .work = work, .arg = rig },
	};
	size_t n = sizeof(all) / sizeof(all[0]);
	struct rk_error err;

	(void)arg;
	if (rk_server_methods(rig->server, all,
	        n - (rig->conf.work_threads == 0 ? 1 : 0), rpcrig_retired, rig,
	        &err) != RK_OK)
		fail_msg("%s", err.text);
}

/* Twice: the first of these is given up when every loop has the second. */
void
arith_serve(struct rpcrig *rig)
{
	rpcrig_do(rig, swap, NULL);
	rpcrig_do(rig, swap, NULL);
	rpcrig_await(rig, &rig->retired, 1);
}
