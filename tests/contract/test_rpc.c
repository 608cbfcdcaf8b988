/* Calls between a client and a server, over every transport and threading. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rpcrig.h"

static const size_t sizes[] = { 0, 1, 581, 65536, RK_PAYLOAD_MAX };
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static void
calls_of_all_sizes(void **state)
{
	struct rpcrig rig;
	struct rpcanswer a;
	struct rk_client *c;

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < N_SIZES; i++) {
		rpcrig_call(c, "echo", rpcrig_bytes, sizes[i], &a);
		assert_int_equal(a.len, sizes[i]);
		assert_true(a.same);
	}
	rpcrig_call(c, "nothing", "x", 1, &a);
	assert_int_equal(a.len, 0);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* Another size either way, and the one that is refused here. */
static void
refuses_too_much(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_reply reply;
	struct rk_error err;
	struct rk_request req = { .method = "echo",
		.payload = rpcrig_bytes,
		.payload_len = RK_PAYLOAD_MAX + 1 };
	char long_name[RK_NAME_MAX + 2];

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	assert_int_equal(rk_client_call(c, &req, &reply, &err), RK_ETOOBIG);
	assert_int_equal(reply.code, RK_ETOOBIG);
	assert_false(reply.maybe_executed);
	assert_int_equal(err.code, RK_ETOOBIG);
	assert_non_null(strstr(err.text, "echo"));
	rk_reply_free(&reply);
	assert_int_equal(rk_client_send(c, &req), RK_ETOOBIG);
	req.payload_len = 0;
	req.n_args = RK_ARGS_MAX + 1;
	assert_int_equal(
	    rk_client_submit(c, &req, rpcrig_on_reply, NULL, NULL), RK_EINVAL);
	req.n_args = 0;
	req.method = "";
	assert_int_equal(rk_client_send(c, &req), RK_EINVAL);
	req.method = NULL;
	assert_int_equal(rk_client_call(c, &req, &reply, &err), RK_EINVAL);
	rk_reply_free(&reply);
	memset(long_name, 'm', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	req.method = long_name;
	assert_int_equal(rk_client_send(c, &req), RK_EINVAL);
	assert_int_equal(rpcrig_get(&rig, &rig.handled), 0);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* A handler's answer beyond the limit becomes an error. */
static void
answers_too_much(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	char most[32], more[32];

	(void)snprintf(most, sizeof(most), "%d", RK_PAYLOAD_MAX);
	(void)snprintf(more, sizeof(more), "%d", RK_PAYLOAD_MAX + 1);
	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	rpcrig_call(c, "big", most, strlen(most), &a);
	assert_int_equal(a.len, RK_PAYLOAD_MAX);
	assert_true(a.same);
	a.n = 0;
	(void)rpcrig_submit(c, "big", more, strlen(more), &a);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_EREMOTE);
	assert_string_equal(a.text, "the answer is too large");
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
sends_one_way(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a;
	struct rk_error err;
	struct rk_request req = { .method = "sink", .payload = rpcrig_bytes };
	uint64_t total = 0;

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < N_SIZES; i++) {
		req.payload_len = sizes[i];
		total += sizes[i];
		assert_int_equal(rk_client_send(c, &req), RK_OK);
	}
	assert_int_equal(rk_client_flush(c, &err), RK_OK);
	rpcrig_await(&rig, &rig.sunk, N_SIZES);
	assert_int_equal(rig.sunk_bytes, total);
	/* Nothing came back: the next answer is the next call's. */
	rpcrig_call(c, "echo", "x", 1, &a);
	assert_string_equal(a.text, "x");
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* One-way calls that nobody knows or that are deferred answer nothing. */
static void
one_way_stays_one_way(void **state)
{
	static const char *const names[] = { "fail", "hold", "who", "none" };
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a;
	struct rk_request req = { 0 };

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < 4; i++) {
		req.method = names[i];
		assert_int_equal(rk_client_send(c, &req), RK_OK);
	}
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_held, 1);
	rpcrig_answer(&rig, 0, NULL, "late", 4);
	rpcrig_await_running(&rig, 0);
	rpcrig_call(c, "echo", "x", 1, &a);
	assert_string_equal(a.text, "x");
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
reports_remote_errors(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_reply reply;
	struct rk_error err;
	struct rk_request req = {
		.method = "fail", .payload = "no\x1b[2Jspace", .payload_len = 10
	};

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	assert_int_equal(rk_client_call(c, &req, &reply, &err), RK_EREMOTE);
	assert_int_equal(reply.remote_error.len, 10);
	assert_memory_equal(reply.remote_error.ptr, req.payload, 10);
	assert_int_equal(reply.payload.len, 0);
	assert_false(reply.maybe_executed);
	assert_string_equal(err.text, "fail: no\\x1b[2Jspac");
	assert_string_equal(err.step, "call");
	rk_reply_free(&reply);
	req.method = "failmore";
	assert_int_equal(rk_client_call(c, &req, &reply, NULL), RK_EREMOTE);
	assert_int_equal(reply.payload.len, 10);
	assert_memory_equal(reply.payload.ptr, req.payload, 10);
	rk_reply_free(&reply);
	/* An empty text is an error all the same. */
	req.method = "fail";
	req.payload_len = 0;
	assert_int_equal(rk_client_call(c, &req, &reply, NULL), RK_EREMOTE);
	assert_int_equal(reply.remote_error.len, strlen("failed"));
	rk_reply_free(&reply);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* The steps of a call add up to what it took. */
static void
tells_its_steps(void **state)
{
	struct rk_request req = {
		.method = "echo", .payload = rpcrig_bytes, .payload_len = 100000
	};
	struct rk_reply reply;
	struct timespec from, to;
	struct rpcrig rig;
	struct rk_client *c;
	int64_t took;

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	assert_int_equal(rk_client_call(c, &req, &reply, NULL), RK_OK);
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	took = (to.tv_sec - from.tv_sec) * 1000000 +
	       (to.tv_nsec - from.tv_nsec) / 1000;
	assert_true(reply.wait_us > 0);
	assert_in_range(reply.send_us + reply.wait_us + reply.recv_us, 1,
	    (uint64_t)took + 3);
	rk_reply_free(&reply);
	req.method = "no such method";
	assert_int_equal(rk_client_call(c, &req, &reply, NULL), RK_ENOMETHOD);
	assert_true(reply.wait_us > 0); /* an answer, too */
	rk_reply_free(&reply);
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
knows_no_such_method(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_reply reply;
	struct rk_error err;
	struct rk_request req = { .method = "no\nsuch", .subject = "s" };
	struct rpcanswer a;

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	assert_int_equal(rk_client_call(c, &req, &reply, &err), RK_ENOMETHOD);
	assert_true(reply.hdr.subject.len > 0);
	assert_memory_equal(
	    reply.hdr.subject.ptr, "no such method here: \"no\\x0asuch\"", 32);
	assert_int_equal(reply.payload.len, 0);
	rk_reply_free(&reply);
	/* The connection goes on. */
	rpcrig_call(c, "echo", "x", 1, &a);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* A header as long as they get cannot make the refusal fail. */
static void
knows_no_such_method_at_length(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_arg args[16];
	char *value = malloc(4000);
	struct rk_request req = {
		.method = "none", .args = args, .n_args = 16
	};
	struct rk_reply reply;

	assert_non_null(value);
	memset(value, 'v', 4000);
	for (size_t i = 0; i < 16; i++)
		args[i] = (struct rk_arg){ { "k", 1 }, { value, 4000 } };
	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	assert_int_equal(rk_client_call(c, &req, &reply, NULL), RK_ENOMETHOD);
	rk_reply_free(&reply);
	rk_client_free(c);
	free(value);
	rpcrig_end(&rig);
}

static void
carries_header_fields(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_reply reply;
	struct rk_arg args[] = { { { "a", 1 }, { "1", 1 } },
		{ { "b", 1 }, { "", 0 } } };
	struct rk_request req = { .method = "head",
		.subject = "sub",
		.args = args,
		.n_args = 2,
		.timeout = 60000 };
	/* Between rpckit peers the number is the id. */
	const size_t id_len = rpc_has_keys(run->kind) ? 1 : 44;
	char text[1024];
	char want[256];

	rpcrig_begin(&rig, run);
	c = rpcrig_client(&rig);
	assert_int_equal(rk_client_call(c, &req, &reply, NULL), RK_OK);
	(void)snprintf(text, sizeof(text), "%.*s", (int)reply.payload.len,
	    (const char *)reply.payload.ptr);
	(void)snprintf(want, sizeof(want),
	    "a=1;b=; subject=sub service=head created=0 from= to= serial=0 "
	    "deadline=1 left=much oneway=0 id=%zu",
	    id_len);
	assert_string_equal(text, want);
	/* Echoed: subject, method, deadline, call id. */
	assert_int_equal(reply.hdr.subject.len, 3);
	assert_int_equal(reply.hdr.to_service.len, 4);
	assert_true(reply.hdr.deadline.is_set);
	assert_int_equal(reply.hdr.call_id.len, id_len);
	if (id_len == 1)
		assert_int_equal(
		    reply.hdr.call_id.ptr[0], '0' + (int)reply.hdr.seqno);
	assert_int_equal(reply.hdr.type, RK_TYPE_REPLY);
	assert_int_equal(reply.hdr.args.count, 0);
	rk_reply_free(&reply);
	req = (struct rk_request){ .method = "head" };
	assert_int_equal(rk_client_call(c, &req, &reply, NULL), RK_OK);
	(void)snprintf(text, sizeof(text), "%.*s", (int)reply.payload.len,
	    (const char *)reply.payload.ptr);
	(void)snprintf(want, sizeof(want),
	    " subject= service=head created=0 from= to= serial=0 "
	    "deadline=0 left=never oneway=0 id=%zu",
	    id_len);
	assert_string_equal(text, want);
	rk_reply_free(&reply);
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
check_full(const struct rpcrun *run, const struct rpcrig *rig, const char *text,
    int serial)
{
	char want[256];

	assert_non_null(strstr(text, "created=1"));
	(void)snprintf(want, sizeof(want), "serial=%d", serial);
	assert_non_null(strstr(text, want));
	if (run->kind == RPC_UNIX) {
		(void)snprintf(want, sizeof(want), "to=%s", rig->url);
	} else {
		const char *scheme =
		    run->kind == RPC_QUIC || run->kind == RPC_SSH_UDP ? "udp"
		                                                      : "tcp";

		(void)snprintf(
		    want, sizeof(want), "from=%s://127.0.0.1:", scheme);
		assert_non_null(strstr(text, want));
		(void)snprintf(want, sizeof(want), "to=%s://127.0.0.1%s",
		    scheme, strrchr(rig->url, ':'));
	}
	assert_non_null(strstr(text, want));
}

/* Go's form of both ends, also for what was submitted before there were any. */
static void
carries_full_headers(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_client_conf conf;
	struct rpcanswer a = { 0 };
	struct rk_request req = { .method = "head", .full_header = true };

	rpcrig_begin(&rig, *state);
	rpcrig_client_conf(&rig, &conf);
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(
		    rk_client_submit(c, &req, rpcrig_on_reply, &a, NULL),
		    RK_OK);
		rpcrig_turn(c, &a.n, (unsigned)i);
		assert_int_equal(a.code, RK_OK);
		check_full(*state, &rig, a.text, i);
	}
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
shows_the_peer(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a;
	struct rk_cert_info mine, node;
	const struct rk_peer *p;
	char want[512];

	rpcrig_begin(&rig, run);
	c = rpcrig_client(&rig);
	rpcrig_call(c, "who", NULL, 0, &a);
	p = rk_client_peer(c);
	assert_non_null(p);
	if (rpc_is_session(run->kind)) {
		assert_true(rk_ident_info(rpcworld.client, &mine));
		assert_true(rk_ident_info(rpcworld.node, &node));
		(void)snprintf(want, sizeof(want), "%s proven fresh - %s",
		    rpc_kind_name(run->kind), mine.fp);
		assert_true(p->proven);
		assert_string_equal(p->cert.fp, node.fp);
		assert_string_equal(p->alpn, "rpckit/1");
	} else if (!rpc_is_secure(run->kind)) {
		(void)snprintf(want, sizeof(want), "%s unproven fresh - -",
		    rpc_kind_name(run->kind));
		assert_false(p->proven);
	} else {
		assert_true(rk_ident_info(rpcworld.client, &mine));
		assert_true(rk_ident_info(rpcworld.node, &node));
		(void)snprintf(want, sizeof(want),
		    "%s proven fresh client@example.org %s",
		    rpc_kind_name(run->kind), mine.fp);
		assert_true(p->proven);
		assert_string_equal(p->cert.fp, node.fp);
		assert_string_equal(p->cert.email, "node@example.org");
		assert_string_equal(p->alpn, "rpckit/1");
	}
	assert_string_equal(a.text, want);
	assert_string_equal(p->transport, rpc_kind_name(run->kind));
	assert_string_equal(p->remote, rig.url);
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
forbid(struct rpcrig *r, void *arg)
{
	const bool *allowed = arg;

	(void)pthread_mutex_lock(&r->lock);
	r->allowed = *allowed;
	(void)pthread_mutex_unlock(&r->lock);
}

static void
asks_who_may(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	bool no = false;

	rpclog_start();
	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	rpcrig_call(c, "guarded", "x", 1, &a);
	assert_string_equal(a.text, "x");
	rpcrig_call(c, "_.methods", NULL, 0, &a);
	assert_true(a.len > 500);
	rpcrig_call(c, "_.describe", "guarded", 7, &a);
	rpcrig_do(&rig, forbid, &no);
	a.n = 0;
	(void)rpcrig_submit(c, "guarded", "x", 1, &a);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_EREMOTE);
	assert_string_equal(a.text, "not allowed for this caller");
	/* What it may not call is not there for it. */
	(void)rpcrig_submit(c, "_.describe", "guarded", 7, &a);
	rpcrig_turn(c, &a.n, 2);
	assert_string_equal(a.text, "no such method");
	assert_int_equal(rpcrig_get(&rig, &rig.handled), 1);
	rk_client_free(c);
	rpcrig_end(&rig);
	/* One line: from where, what, and who. */
	assert_int_equal(rpclog_count(RK_LOG_WARN,
	                     ": refused \"guarded\": not allowed for "),
	    1);
	assert_int_equal(rpclog_count(RK_LOG_WARN, "(client@example.org)"),
	    rpc_is_secure(rig.kind));
	assert_int_equal(rpclog_count(RK_LOG_WARN, "for key SHA256:"),
	    rpc_has_keys(rig.kind));
	assert_int_equal(rpclog_count(RK_LOG_WARN, "://"), 1);
	rpclog_stop();
}

/* A client that asks without end does not fill the log. */
static void
logs_refusals_sparsely(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	bool no = false;
	uint64_t began;
	uint64_t seconds;

	rpclog_start();
	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	rpcrig_do(&rig, forbid, &no);
	began = rpcrig_now();
	for (unsigned i = 1; i <= 200; i++) {
		(void)rpcrig_submit(c, "guarded", "x", 1, &a);
		rpcrig_turn(c, &a.n, i);
	}
	seconds = (rpcrig_now() - began) / 1000 + 2;
	assert_in_range(rpclog_count(RK_LOG_WARN, ": refused \"guarded\""), 1,
	    10 * seconds);
	rk_client_free(c);
	rpcrig_end(&rig);
	rpclog_stop();
}

static void
has_builtin_methods(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a;
	static const uint8_t asked[] = { 0x81, 0xa6, 'm', 'e', 't', 'h', 'o',
		'd', 0xa4, 'e', 'c', 'h', 'o' };

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	rpcrig_call(c, "_.ping", rpcrig_bytes, 1000, &a);
	assert_int_equal(a.len, 1000);
	assert_true(a.same);
	rpcrig_call(c, "_.describe", asked, sizeof(asked), &a);
	assert_int_equal((uint8_t)a.text[0], 0x83);
	assert_non_null(memmem(a.text, a.len, "the same back", 13));
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* What the statistics say after so many of each. */
static void
counts(void **state)
{
	struct rpcrig rig;
	struct rk_client *c[3];
	struct rk_server_stats s;
	struct rpcanswer a = { 0 };

	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < 3; i++) {
		c[i] = rpcrig_client(&rig);
		rpcrig_call(c[i], "echo", "x", 1, &a);
		(void)rpcrig_submit(c[i], "hold", NULL, 0, &a);
		(void)rk_client_process(c[i]);
	}
	rpcrig_await(&rig, &rig.n_held, 3);
	rpcrig_await_running(&rig, 3);
	rk_server_stats(rig.server, &s);
	assert_int_equal(s.conns, 3);
	assert_int_equal(s.accepted, 3);
	assert_int_equal(s.refused, 0);
	assert_int_equal(s.calls, 6);
	assert_int_equal(s.running, 3);
	for (size_t i = 0; i < 3; i++)
		rk_client_free(c[i]);
	rpcrig_await(&rig, &rig.n_canceled, 3);
	for (unsigned i = 0; i < 3; i++)
		rpcrig_answer(&rig, i, NULL, NULL, 0);
	rpcrig_await_running(&rig, 0);
	rpcrig_await_conns(&rig, 0);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "calls of all sizes", calls_of_all_sizes, RPC_ALL },
		{ "too much is refused here", refuses_too_much, RPC_ALL },
		{ "too large an answer", answers_too_much, RPC_ALL },
		{ "one way", sends_one_way, RPC_ALL },
		{ "one way stays so", one_way_stays_one_way, RPC_ALL },
		{ "remote errors", reports_remote_errors, RPC_ALL },
		{ "steps", tells_its_steps, RPC_ALL },
		{ "no such method", knows_no_such_method, RPC_ALL },
		{ "no such method, long", knows_no_such_method_at_length,
		    RPC_ALL },
		{ "header fields", carries_header_fields, RPC_ALL },
		{ "full headers", carries_full_headers, RPC_ALL },
		{ "the peer", shows_the_peer, RPC_ALL },
		{ "who may call", asks_who_may, RPC_ALL },
		{ "sparse lines", logs_refusals_sparsely, RPC_ALL },
		{ "built-in methods", has_builtin_methods, RPC_ALL },
		{ "statistics", counts, RPC_ALL },
	};

	return rpcrig_run_cases("rpc", cases, sizeof(cases) / sizeof(cases[0]));
}
