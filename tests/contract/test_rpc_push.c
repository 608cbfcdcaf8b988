/* Pushes: to whom they go, in which order, and what the pusher is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/stream.h>

#include "pushrig.h"

/* ---- to whom ---- */

static void
goes_to_one_connection(void **state)
{
	struct rpcrig rig;
	struct pushed p[2] = { 0 };
	struct told t = { 0 };
	struct rk_client *c[2];
	struct rk_push push = { .subject = "s", .payload = "one" };
	uint64_t id[2];

	push.payload_len = 3;
	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < 2; i++) {
		c[i] = push_client(&rig, &p[i], NULL);
		id[i] = push_conn_id(c[i]);
	}
	assert_true(id[0] != id[1]);
	push_to_conn(&rig, id[1], &push, &t);
	rpcrig_turn(c[1], &p[1].n, 1);
	assert_string_equal(p[1].text, "one");
	assert_string_equal(p[1].subject, "s");
	push_await_with(&rig, &t, 1, &c[1], 1);
	assert_int_equal(t.sum.targets, 1);
	assert_int_equal(t.sum.sent, 1);
	/* Nobody's number, and one of a worker that is not there. */
	push_to_conn(&rig, id[1] + 1000, &push, &t);
	push_to_conn(&rig, UINT64_MAX, &push, &t);
	push_to_conn(&rig, 0, &push, &t);
	push_await(&rig, &t, 4);
	assert_int_equal(t.sum.targets, 4);
	assert_int_equal(t.sum.closed, 3);
	/* And one that was there. */
	rk_client_free(c[1]);
	rpcrig_await_conns(&rig, 1);
	push_to_conn(&rig, id[1], &push, &t);
	push_await(&rig, &t, 5);
	assert_int_equal(t.sum.closed, 4);
	push_sync(c[0]);
	assert_int_equal(p[0].n, 0);
	rk_client_free(c[0]);
	rpcrig_end(&rig);
	assert_int_equal(t.n, 5);
}

/* The callback that names each target says the same as the sum. */
static void
goes_to_all(void **state)
{
	enum {
		N = 5
	};
	struct rpcrig rig;
	struct pushed p[N] = { 0 };
	struct told t = { .wants_each = true };
	struct rk_client *c[N];
	struct rk_push push = { .payload = "all", .payload_len = 3 };
	struct rk_push_target to = { .to = RK_PUSH_ALL };
	uint64_t id[N];

	rpcrig_begin(&rig, *state);
	push_start(&rig, &to, &push, &t);
	push_await(&rig, &t, 1);
	assert_int_equal(t.sum.targets, 0);
	for (size_t i = 0; i < N; i++) {
		c[i] = push_client(&rig, &p[i], NULL);
		id[i] = push_conn_id(c[i]);
	}
	push_start(&rig, &to, &push, &t);
	for (size_t i = 0; i < N; i++) {
		rpcrig_turn(c[i], &p[i].n, 1);
		assert_string_equal(p[i].text, "all");
		assert_int_equal(p[i].hdr.seqno, 0);
		assert_int_equal(p[i].hdr.type, RK_TYPE_ONEWAY);
	}
	push_await_with(&rig, &t, 2, c, N);
	assert_int_equal(t.sum.targets, N);
	assert_int_equal(t.sum.sent, N);
	assert_int_equal(t.n_each, N);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(push_fate(&t, id[i]), RK_OK);
		rk_client_free(c[i]);
	}
	rpcrig_end(&rig);
}

static void
is_for_who(struct rpcrig *rig, struct rk_client *const *c, enum rk_push_to how,
    const char *who, size_t n)
{
	struct rk_push_target to = { .to = how, .who = who };
	struct rk_push push = { .payload = who, .payload_len = strlen(who) };
	struct told t = { 0 };

	push_start(rig, &to, &push, &t);
	push_await_with(rig, &t, 1, c, 3);
	assert_int_equal(t.sum.targets, n);
	assert_int_equal(t.sum.sent, n);
}

/* Two connections of one key, one of another; the third sees nothing. */
static void
goes_by_identity(void **state)
{
	struct rpcrig rig;
	struct pushed p[3] = { 0 };
	struct rk_cert_info info;
	struct rk_client *c[3];

	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < 3; i++) {
		c[i] = push_client(&rig, &p[i], i < 2 ? NULL : rpcworld.other);
		push_sync(c[i]);
	}
	assert_true(rk_ident_info(rpcworld.client, &info));
	is_for_who(&rig, c, RK_PUSH_FP, info.fp, 2);
	is_for_who(&rig, c, RK_PUSH_EMAIL, "client@example.org", 2);
	is_for_who(&rig, c, RK_PUSH_EMAIL, "Client@EXAMPLE.org", 2);
	is_for_who(&rig, c, RK_PUSH_EMAIL, "other@example.org", 1);
	is_for_who(&rig, c, RK_PUSH_EMAIL, "client@example.or", 0);
	is_for_who(&rig, c, RK_PUSH_EMAIL, "lient@example.org", 0);
	is_for_who(&rig, c, RK_PUSH_EMAIL, "client@example.org,", 0);
	is_for_who(&rig, c, RK_PUSH_FP, "SHA256:", 0);
	for (size_t i = 0; i < 3; i++) {
		push_sync(c[i]);
		assert_int_equal(p[i].n, i < 2 ? 3 : 1);
		rk_client_free(c[i]);
	}
	rpcrig_end(&rig);
}

/* Who has proven nothing is nobody: not even the empty name. */
static void
finds_nobody_unproven(void **state)
{
	struct rpcrig rig;
	struct pushed p[3] = { 0 };
	struct rk_client *c[3];
	struct rk_push_target to = { .to = RK_PUSH_EMAIL, .who = "" };
	struct rk_push push = { 0 };

	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < 3; i++) {
		c[i] = push_client(&rig, &p[i], NULL);
		push_sync(c[i]);
	}
	assert_int_equal(
	    rk_server_push(rig.server, &to, &push, NULL, NULL), RK_EINVAL);
	is_for_who(&rig, c, RK_PUSH_EMAIL, "client@example.org", 0);
	for (size_t i = 0; i < 3; i++)
		rk_client_free(c[i]);
	rpcrig_end(&rig);
}

struct seen {
	unsigned n;
	uint64_t id[8];
	char email[8][64];
};

static void
see(uint64_t conn, const struct rk_peer *peer, void *arg)
{
	struct seen *s = arg;

	assert_true(s->n < 8);
	s->id[s->n] = conn;
	(void)snprintf(s->email[s->n], 64, "%.60s", peer->cert.email);
	assert_true(strlen(peer->remote) > 0);
	s->n++;
}

static void
list(struct rpcrig *r, void *arg)
{
	memset(arg, 0, sizeof(struct seen));
	rk_server_conns(r->server, see, arg);
}

static void
await_list(struct rpcrig *rig, struct seen *s, unsigned n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	do {
		assert_true(rpcrig_now() < until);
		rpcrig_do(rig, list, s);
	} while (s->n != n);
}

static void
lists_connections(void **state)
{
	struct rpcrig rig;
	struct pushed p[3] = { 0 };
	struct rk_client *c[3];
	struct seen s;
	uint64_t id[3];

	rpcrig_begin(&rig, *state);
	await_list(&rig, &s, 0);
	for (size_t i = 0; i < 3; i++) {
		c[i] = push_client(&rig, &p[i], i == 1 ? rpcworld.other : NULL);
		id[i] = push_conn_id(c[i]);
		await_list(&rig, &s, (unsigned)i + 1);
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(s.id[i], id[i]);
	if (rpc_is_secure(rig.kind))
		assert_string_equal(s.email[1], "other@example.org");
	rk_client_free(c[1]);
	await_list(&rig, &s, 2);
	assert_int_equal(s.id[1], id[2]);
	rk_client_free(c[0]);
	rk_client_free(c[2]);
	await_list(&rig, &s, 0);
	rpcrig_end(&rig);
}

static void
conn_of_job(struct rk_job *job, void *arg)
{
	uint64_t id = rk_job_conn_id(job);

	(void)arg;
	assert_int_equal(rk_job_reply(job, &id, sizeof(id)), RK_OK);
}

static void
conn_of_stream(struct rk_stream *s, void *arg)
{
	uint64_t id = rk_stream_conn_id(s);

	(void)arg;
	assert_int_equal(rk_stream_reply(s, &id, sizeof(id)), RK_OK);
}

static void
swap(struct rpcrig *rig, void *arg)
{
	static const struct rk_method m[] = {
		{ .name = "job", .work = conn_of_job },
		{ .name = "stream",
		    .stream = conn_of_stream,
		    .streams = RK_STREAM_DOWN },
	};

	(void)arg;
	assert_int_equal(
	    rk_server_methods(rig->server, m, 2, NULL, NULL, NULL), RK_OK);
}

static void
same_id(const struct rk_reply *reply, uint64_t id)
{
	assert_int_equal(reply->payload.len, sizeof(id));
	assert_memory_equal(reply->payload.ptr, &id, sizeof(id));
}

/* Calls of every kind have the same name for their connection. */
static void
names_connections(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct pushed p = { 0 };
	struct rk_request req = { .method = "job" };
	struct rk_stream *s;
	struct rk_reply reply;
	struct rk_client *c;
	uint64_t id;

	rpcrig_init(&rig, run->kind, run->threads);
	rig.conf.work_threads = 1;
	rpcrig_start(&rig);
	c = push_client(&rig, &p, NULL);
	id = push_conn_id(c);
	rpcrig_do(&rig, swap, NULL);
	assert_int_equal(rk_client_call(c, &req, &reply, NULL), RK_OK);
	same_id(&reply, id);
	rk_reply_free(&reply);
	req.method = "stream";
	assert_int_equal(
	    rk_client_stream(c, RK_STREAM_DOWN, &req, NULL, NULL, &s), RK_OK);
	assert_int_equal(rk_stream_finish(s, &reply, NULL), RK_OK);
	same_id(&reply, id);
	rk_reply_free(&reply);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* ---- in which order ---- */

static void
keeps_the_order(void **state)
{
	enum {
		N = 2000
	};
	struct rpcrig rig;
	struct pushed p = { 0 };
	struct told t = { 0 };
	struct rk_client *c;
	struct rk_push push = { 0 };
	struct rk_push_target all = { .to = RK_PUSH_ALL };
	uint64_t id;

	rpcrig_begin(&rig, *state);
	c = push_client(&rig, &p, NULL);
	id = push_conn_id(c);
	/* Long ones among short ones, by either way of naming. */
	for (uint32_t i = 0; i < N; i++) {
		push_number(&push, i, i % 100 == 7 ? 100000 : 8);
		if (i % 2 == 0)
			push_to_conn(&rig, id, &push, &t);
		else
			push_start(&rig, &all, &push, &t);
		if (i % 100 == 99)
			rpcrig_turn(c, &p.n, i + 1);
	}
	rpcrig_turn(c, &p.n, N);
	assert_true(p.in_order);
	push_await_with(&rig, &t, N, &c, 1);
	assert_int_equal(t.sum.sent, N);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* One-way messages there, pushes back, and calls between them. */
static void
flows_both_ways(void **state)
{
	enum {
		N = 500
	};
	struct rpcrig rig;
	struct pushed p = { 0 };
	struct rpcanswer a = { 0 };
	struct rk_client *c;
	uint32_t number[2] = { 0 };
	struct rk_request req = { .method = "nudge",
		.payload = number,
		.payload_len = sizeof(number) };

	rpcrig_begin(&rig, *state);
	c = push_client(&rig, &p, NULL);
	for (uint32_t i = 0; i < N; i++) {
		number[0] = i;
		assert_int_equal(rk_client_send(c, &req), RK_OK);
		if (i % 10 == 0)
			(void)rpcrig_submit(c, "echo", "x", 1, &a);
	}
	rpcrig_turn(c, &p.n, N);
	rpcrig_turn(c, &a.n, N / 10);
	assert_true(p.in_order);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* A push that bears the number of a call does not answer it, and one with its
 * id goes to who asked for that. */
static void
answers_no_call(void **state)
{
	struct rpcrig rig;
	struct pushed p = { 0 };
	struct rpcanswer a = { 0 };
	struct told t = { 0 };
	struct rk_client *c;
	struct rk_push push = { .payload = "part", .payload_len = 4 };
	uint64_t conn;
	uint64_t call;
	char call_id[32];

	rpcrig_begin(&rig, *state);
	c = push_client(&rig, &p, NULL);
	conn = push_conn_id(c);
	call = rpcrig_submit(c, "hold", NULL, 0, &a);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_held, 1);
	/* What the id of a call looks like between peers of rpckit. */
	(void)snprintf(
	    call_id, sizeof(call_id), "%llx", (unsigned long long)call);
	push.call_id = call_id;
	push_to_conn(&rig, conn, &push, &t);
	rpcrig_turn(c, &p.n, 1);
	assert_int_equal(a.n, 0);
	assert_int_equal(p.hdr.call_id.len, strlen(call_id));
	rpcrig_answer(&rig, 0, NULL, "done", 4);
	rpcrig_turn(c, &a.n, 1);
	assert_string_equal(a.text, "done");
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* ---- what is refused ---- */

static void
refuses_nonsense(void **state)
{
	struct rpcrig rig;
	char name[300] = { 0 };
	char subject[RK_SUBJECT_MAX + 2] = { 0 };
	struct rk_push_target to = { .to = RK_PUSH_ALL };
	struct rk_push push = { 0 };
	struct told t = { 0 };

	rpcrig_begin(&rig, *state);
	memset(name, 'n', sizeof(name) - 1);
	memset(subject, 's', sizeof(subject) - 1);
	to.to = RK_PUSH_FP;
	assert_int_equal(push_try(&rig, &to, &push), RK_EINVAL);
	to.who = name;
	assert_int_equal(push_try(&rig, &to, &push), RK_EINVAL);
	to.to = (enum rk_push_to)99;
	assert_int_equal(push_try(&rig, &to, &push), RK_EINVAL);
	to.to = RK_PUSH_SUBSCRIBERS;
	assert_int_equal(push_try(&rig, &to, &push), RK_EINVAL);
	push.subject = name;
	assert_int_equal(push_try(&rig, &to, &push), RK_EINVAL);
	push.subject = "";
	assert_int_equal(push_try(&rig, &to, &push), RK_EINVAL);
	to.to = RK_PUSH_ALL;
	push.subject = subject;
	assert_int_equal(push_try(&rig, &to, &push), RK_ETOOBIG);
	subject[RK_SUBJECT_MAX] = '\0';
	push.method = name;
	assert_int_equal(push_try(&rig, &to, &push), RK_ETOOBIG);
	push.method = NULL;
	push.call_id = name;
	assert_int_equal(push_try(&rig, &to, &push), RK_ETOOBIG);
	push.call_id = NULL;
	push.payload_len = 1;
	assert_int_equal(push_try(&rig, &to, &push), RK_EINVAL);
	push.payload = rpcrig_bytes;
	push.payload_len = RK_PAYLOAD_MAX + 1;
	assert_int_equal(push_try(&rig, &to, &push), RK_ETOOBIG);
	push.payload_len = RK_PAYLOAD_MAX;
	push.n_args = 1;
	assert_int_equal(push_try(&rig, &to, &push), RK_EINVAL);
	push.n_args = 0;
	/* The longest goes. */
	push_start(&rig, &to, &push, &t);
	push_await(&rig, &t, 1);
	rpcrig_end(&rig);
}

/* Before it runs, and after. */
static void
needs_a_server_that_runs(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_error err;
	struct rk_push_target to = { .to = RK_PUSH_ALL };
	struct rk_push push = { 0 };
	struct rk_server *idle;

	rpcrig_init(&rig, run->kind, run->threads);
	assert_int_equal(rk_server_new(&rig.conf, &idle, &err), RK_OK);
	assert_int_equal(
	    rk_server_push(idle, &to, &push, NULL, NULL), RK_ESTATE);
	rk_server_free(idle);
	rpcrig_start(&rig);
	assert_int_equal(push_try(&rig, &to, &push), RK_OK);
	rpcrig_stop(&rig, 0);
	rpcrig_await_stopped(&rig);
	assert_int_equal(push_try(&rig, &to, &push), RK_ESTATE);
	rpcrig_fini(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "one connection", goes_to_one_connection, RPC_ALL },
		{ "all", goes_to_all, RPC_ALL },
		{ "identity", goes_by_identity, RPC_SECURE },
		{ "unproven", finds_nobody_unproven, RPC_ONLY(RPC_TCP) },
		{ "list", lists_connections, RPC_ALL },
		{ "names", names_connections, RPC_ALL },
		{ "order", keeps_the_order, RPC_ALL },
		{ "both ways", flows_both_ways, RPC_ALL },
		{ "no answer", answers_no_call, RPC_ALL },
		{ "nonsense", refuses_nonsense, RPC_ONLY(RPC_TCP) },
		{ "not running", needs_a_server_that_runs, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc push", cases, sizeof(cases) / sizeof(cases[0]));
}
