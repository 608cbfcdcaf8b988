/* Typed methods over every transport, called both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "arith.h"
#include "typedfill.h"

struct world {
	struct rpcrig rig;
	struct rk_client *c;
};

static void
begin(struct world *w, const struct rpcrun *run)
{
	rpcrig_init(&w->rig, run->kind, run->threads);
	w->rig.conf.work_threads = 1;
	rpcrig_start(&w->rig);
	arith_serve(&w->rig);
	w->c = rpcrig_client(&w->rig);
}

static void
end(struct world *w)
{
	rk_client_free(w->c);
	rpcrig_end(&w->rig);
}

static enum rk_err
call(struct world *w, const char *method, bool netrpc,
    const struct rk_typed *typed, const void *args, void *reply,
    struct rk_error *err)
{
	const struct rk_request req = { .method = method, .netrpc = netrpc };

	return rk_client_call_typed(w->c, &req, typed, args, reply, err);
}

static void
must_call(struct world *w, const char *method, bool netrpc,
    const struct rk_typed *typed, const void *args, void *reply)
{
	struct rk_error err;

	if (call(w, method, netrpc, typed, args, reply, &err) != RK_OK)
		fail_msg("%s", err.text);
}

/* ---- what goes well ---- */

static void
adds_both_ways(void **state)
{
	struct world w;

	begin(&w, *state);
	for (int i = 0; i < 4; i++) {
		struct arith_args in = { 7, 300 * i };
		struct arith_reply out = { -1 };

		must_call(&w, "Arith.Add", i % 2 != 0, &arith_add, &in, &out);
		assert_true(out.c == 7 + 300 * i);
	}
	must_call(&w, "Arith.None", false, &arith_none, NULL, NULL);
	must_call(&w, "Arith.None", true, &arith_none, NULL, NULL);
	end(&w);
}

static void
carries_everything(void **state)
{
	uint64_t seed = 99;
	struct world w;

	begin(&w, *state);
	for (int i = 0; i < 6; i++) {
		struct every in, out;
		uint8_t *x, *y;
		size_t n, m;

		typedfill_every(&in, &seed);
		must_call(&w, "Every.Echo", i % 2 != 0, &every_echo, &in, &out);
		assert_int_equal(
		    rk_typed_encode(every_echo.args, &in, &x, &n, NULL), RK_OK);
		assert_int_equal(
		    rk_typed_encode(every_echo.args, &out, &y, &m, NULL),
		    RK_OK);
		assert_int_equal(n, m);
		assert_memory_equal(x, y, n);
		free(x);
		free(y);
		rk_typed_free(every_echo.args, &in);
		rk_typed_free(every_echo.args, &out);
	}
	end(&w);
}

/* ---- what does not ---- */

static void
fails(struct world *w, const char *method, const struct rk_typed *typed,
    const void *args, enum rk_err code, const char *text)
{
	struct arith_reply out;

	for (int netrpc = 0; netrpc < 2; netrpc++) {
		struct rk_error err;

		assert_int_equal(
		    call(w, method, netrpc != 0, typed, args, &out, &err),
		    code);
		assert_string_equal(err.text, text);
	}
}

static void
says_what_is_wrong(void **state)
{
	/* A caller whose table knows no limits. */
	struct texts {
		char *b;
	};
	static const struct rk_field fields[] = {
		RK_FIELD(struct texts, b, STR, "B", 1),
	};
	static const struct rk_record texts =
	    RK_RECORD(struct texts, "texts", fields);
	static char word[] = "two";
	const struct rk_typed wrong = { &texts, &arith_reply, NULL };
	struct texts text = { word };
	struct arith_args zero = { 1, 0 };
	struct arith_args far = { 12, 1 };
	struct world w;

	begin(&w, *state);
	fails(&w, "Arith.Div", &arith_add, &zero, RK_EREMOTE,
	    "Arith.Div: divide by zero");
	fails(&w, "Arith.Mul", &arith_add, &zero, RK_EREMOTE,
	    "Arith.Mul: B: is missing");
	fails(&w, "Arith.Mul", &arith_add, &far, RK_EREMOTE,
	    "Arith.Mul: A: 12 is not in 1 to 9");
	fails(&w, "Arith.Mul", &wrong, &text, RK_EREMOTE,
	    "Arith.Mul: B: a string, not an integer");
	fails(&w, "Arith.Big", &arith_add, &zero, RK_EREMOTE,
	    "Arith.Big: the reply is no good: big: too large");
	fails(&w, "Arith.Nope", &arith_add, &zero, RK_ENOMETHOD,
	    "Arith.Nope: no such method");
	end(&w);
}

/* What net/rpc calls by other names. */
static void
knows_what_is_unknown(void **state)
{
	static const struct {
		const char *name;
		const char *text;
	} rows[] = {
		{ "Arith.Nope", "rpc: can't find method Arith.Nope" },
		{ "Nope.Add", "rpc: can't find service Nope.Add" },
		{ "a.b.Add", "rpc: can't find service a.b.Add" },
		{ "Add", "rpc: service/method request ill-formed: Add" },
		/* It is there, but not for net/rpc. */
		{ "echo", "rpc: service/method request ill-formed: echo" },
		{ "Arith.", "rpc: can't find method Arith." },
		{ ".Add", "rpc: can't find service .Add" },
	};
	struct world w;

	begin(&w, *state);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rk_request req = { .method = rows[i].name,
			.netrpc = true };
		struct rk_reply reply;
		size_t n = strlen(rows[i].text);

		assert_int_equal(
		    rk_client_call(w.c, &req, &reply, NULL), RK_ENOMETHOD);
		assert_int_equal(reply.hdr.subject.len, n);
		assert_memory_equal(reply.hdr.subject.ptr, rows[i].text, n);
		assert_int_equal(reply.payload.len, 0);
		rk_reply_free(&reply);
	}
	end(&w);
}

/* ---- net/rpc and every kind of method ---- */

static enum rk_err
raw(struct world *w, const char *method, const char *payload, size_t len,
    struct rk_reply *reply)
{
	const struct rk_request req = { .method = method,
		.payload = payload,
		.payload_len = len,
		.netrpc = true };

	return rk_client_call(w->c, &req, reply, NULL);
}

static void
reaches_untyped_methods(void **state)
{
	static const char *const names[] = { "Raw.Echo", "Raw.Work",
		"Raw.Guarded", "_.ping" };
	struct rk_reply reply;
	struct world w;

	begin(&w, *state);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(
		    raw(&w, names[i], "\x81\xa1x\x05", 4, &reply), RK_OK);
		assert_int_equal(reply.payload.len, 4);
		assert_memory_equal(reply.payload.ptr, "\x81\xa1x\x05", 4);
		rk_reply_free(&reply);
		/* Nothing is an empty map there. */
		assert_int_equal(raw(&w, names[i], NULL, 0, &reply), RK_OK);
		assert_int_equal(reply.payload.len, 1);
		assert_memory_equal(reply.payload.ptr, "\x80", 1);
		rk_reply_free(&reply);
	}
	assert_int_equal(raw(&w, "Raw.Fail", "\x01", 1, &reply), RK_EREMOTE);
	assert_int_equal(reply.remote_error.len, 8);
	assert_memory_equal(reply.remote_error.ptr, "as asked", 8);
	assert_int_equal(reply.payload.len, 0);
	rk_reply_free(&reply);
	(void)pthread_mutex_lock(&w.rig.lock);
	w.rig.allowed = false;
	(void)pthread_mutex_unlock(&w.rig.lock);
	assert_int_equal(raw(&w, "Raw.Guarded", "\x01", 1, &reply), RK_EREMOTE);
	rk_reply_free(&reply);
	end(&w);
}

static void
answer_held(struct world *w, unsigned i, int64_t c)
{
	const struct arith_reply reply = { c };
	uint8_t *bytes;
	size_t len;

	assert_int_equal(
	    rk_typed_encode(&arith_reply, &reply, &bytes, &len, NULL), RK_OK);
	rpcrig_answer(&w->rig, i, NULL, bytes, len);
	free(bytes);
}

struct result {
	unsigned n;
	enum rk_err code;
	int64_t c;
};

static void
on_result(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct result *r = arg;
	struct arith_reply out = { 0 };

	(void)c;
	r->n++;
	r->code = reply->code;
	if (reply->code == RK_OK)
		assert_int_equal(
		    rk_typed_decode(&arith_reply, reply->payload.ptr,
		        reply->payload.len, &out, NULL),
		    RK_OK);
	r->c = out.c;
}

static uint64_t
submit(
    struct world *w, const char *method, struct arith_args in, struct result *r)
{
	struct rk_request req = { .method = method, .netrpc = true };
	uint8_t *bytes;
	uint64_t id;
	size_t len;

	*r = (struct result){ 0 };
	assert_int_equal(
	    rk_typed_encode(&arith_args, &in, &bytes, &len, NULL), RK_OK);
	req.payload = bytes;
	req.payload_len = len;
	assert_int_equal(
	    rk_client_submit(w->c, &req, on_result, r, &id), RK_OK);
	free(bytes);
	return id;
}

/* Deferred: what the answer repeats has been kept. */
static void
answers_later(void **state)
{
	struct result r[2];
	struct world w;

	begin(&w, *state);
	(void)submit(&w, "Arith.Hold", (struct arith_args){ 0 }, &r[0]);
	rpcrig_turn_for(w.c, &w.rig, &w.rig.n_held, 1);
	answer_held(&w, 0, 77);
	rpcrig_turn(w.c, &r[0].n, 1);
	assert_int_equal(r[0].code, RK_OK);
	assert_true(r[0].c == 77);
	/* And as an error. */
	(void)submit(&w, "Arith.Hold", (struct arith_args){ 0 }, &r[1]);
	rpcrig_turn_for(w.c, &w.rig, &w.rig.n_held, 2);
	rpcrig_answer(&w.rig, 1, "no", NULL, 0);
	rpcrig_turn(w.c, &r[1].n, 1);
	assert_int_equal(r[1].code, RK_EREMOTE);
	end(&w);
}

#define MANY 200

static void
takes_many_at_once(void **state)
{
	static struct result r[MANY];
	struct rk_client_conf conf;
	struct world w;

	begin(&w, *state);
	rk_client_free(w.c);
	/* Also such as wait for the connection. */
	rpcrig_client_conf(&w.rig, &conf);
	assert_int_equal(rk_client_new(&conf, &w.c, NULL), RK_OK);
	assert_int_equal(rk_client_start(w.c, NULL), RK_OK);
	for (int i = 0; i < MANY; i++) {
		(void)submit(
		    &w, "Arith.Add", (struct arith_args){ i, 1000 }, &r[i]);
		if (i == MANY / 2)
			rpcrig_turn(w.c, &r[0].n, 1);
	}
	for (int i = 0; i < MANY; i++) {
		rpcrig_turn(w.c, &r[i].n, 1);
		assert_int_equal(r[i].code, RK_OK);
		assert_true(r[i].c == 1000 + i);
	}
	end(&w);
}

/* ---- what is said about them ---- */

static void
describes_itself(void **state)
{
	static const char name[] = "\xa9"
	                           "Arith.Mul";
	const struct rk_request req = { .method = "_.describe",
		.payload = name,
		.payload_len = sizeof(name) - 1 };
	const struct rk_value *v, *rows;
	struct rk_value_doc *doc;
	struct rk_reply reply;
	struct world w;

	begin(&w, *state);
	assert_int_equal(rk_client_call(w.c, &req, &reply, NULL), RK_OK);
	assert_int_equal(
	    rk_value_decode(reply.payload.ptr, reply.payload.len, &doc), RK_OK);
	v = rk_value_get(rk_value_root(doc), "args");
	assert_int_equal(v->u.bytes.len, strlen("{A:int, B:int}"));
	assert_memory_equal(v->u.bytes.ptr, "{A:int, B:int}", v->u.bytes.len);
	v = rk_value_get(rk_value_root(doc), "schema");
	assert_non_null(v);
	rows = rk_value_get(rk_value_get(v, "types"), "factors");
	assert_int_equal(rows->u.list.count, 2);
	assert_true(rk_value_get(&rows->u.list.items[1], "required")->u.b);
	rk_value_free(doc);
	rk_reply_free(&reply);
	end(&w);
}

static void
try_to_serve(struct rpcrig *rig, void *arg)
{
	static const struct rk_field twice[] = {
		RK_FIELD_RETIRED(0),
		RK_FIELD(struct arith_args, a, INT, "A", 0),
	};
	static const struct rk_record bad =
	    RK_RECORD(struct arith_args, "bad", twice);
	static const struct rk_typed bad_typed = { &bad, NULL, NULL };
	struct rk_typed bad_args = arith_add;
	struct rk_method m = { .name = "NoDot", .typed = &arith_add };
	struct rk_error err;

	(void)arg;
	assert_int_equal(
	    rk_server_methods(rig->server, &m, 1, NULL, NULL, &err), RK_EINVAL);
	assert_string_equal(
	    err.text, "method NoDot: a typed one is named Service.Method");
	m.name = "S.M";
	m.typed = &bad_typed;
	assert_int_equal(
	    rk_server_methods(rig->server, &m, 1, NULL, NULL, &err), RK_EINVAL);
	assert_string_equal(err.text, "method S.M: no handler");
	bad_args.args = &bad;
	m.typed = &bad_args;
	assert_int_equal(
	    rk_server_methods(rig->server, &m, 1, NULL, NULL, &err), RK_EINVAL);
	assert_string_equal(
	    err.text, "record bad: field A (0): the number is retired");
}

static void
refuses_bad_tables(void **state)
{
	struct world w;

	begin(&w, *state);
	rpcrig_do(&w.rig, try_to_serve, NULL);
	end(&w);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "adds", adds_both_ways, RPC_ALL },
		{ "everything", carries_everything, RPC_ALL },
		{ "errors", says_what_is_wrong, RPC_ALL },
		{ "unknown", knows_what_is_unknown, RPC_ALL },
		{ "untyped", reaches_untyped_methods, RPC_ALL },
		{ "later", answers_later, RPC_ALL },
		{ "many", takes_many_at_once, RPC_ALL },
		{ "described", describes_itself, RPC_ALL },
		{ "bad tables", refuses_bad_tables, RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "typed", cases, sizeof(cases) / sizeof(cases[0]));
}
