/* Two servers that call each other from the ports they listen at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/rpckit.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rpcrig.h"

#define CALLS 200
#define PATIENCE_MS 60000

/* A server, and its client of the other one. */
struct party {
	struct rk_server *server;
	struct rk_client *client;
	char url[128];
	unsigned answered;
	unsigned open;
	bool stopped;
};

static void
who(struct rk_call *call, void *arg)
{
	const struct rk_peer *p = rk_call_peer(call);

	(void)arg;
	assert_true(p->proven);
	assert_int_equal(
	    rk_call_reply(call, p->remote, strlen(p->remote)), RK_OK);
}

static void
serve(struct party *p, struct rk_loop *loop, const char *url)
{
	static const struct rk_method methods[] = {
		{ .name = "who", .fn = who },
	};
	struct rk_server_conf conf = {
		.size = sizeof(conf),
		.loop = loop,
		.ident = rpcworld.node,
	};

	*p = (struct party){ 0 };
	assert_int_equal(rk_server_new(&conf, &p->server, NULL), RK_OK);
	assert_int_equal(
	    rk_server_methods(p->server, methods, 1, NULL, NULL, NULL), RK_OK);
	assert_int_equal(rk_server_listen(p->server, url, p->url, NULL), RK_OK);
	assert_int_equal(rk_server_start(p->server, NULL), RK_OK);
}

static void
on_connected(struct rk_client *c, void *arg)
{
	struct party *p = arg;

	(void)c;
	p->open++;
}

static void
make(struct party *p, struct rk_loop *loop, const char *url,
    struct rk_server *from)
{
	struct rk_client_conf conf = {
		.size = sizeof(conf),
		.url = url,
		.loop = loop,
		.ident = rpcworld.client,
		.connected = on_connected,
		.arg = p,
		.from = from,
	};

	assert_int_equal(rk_client_new(&conf, &p->client, NULL), RK_OK);
}

static void
dial(struct party *p, struct rk_loop *loop, const char *url,
    struct rk_server *from)
{
	make(p, loop, url, from);
	assert_int_equal(rk_client_start(p->client, NULL), RK_OK);
}

/* What the other server saw must be the address this one listens at. */
static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct party *p = arg;

	(void)c;
	assert_int_equal(reply->code, RK_OK);
	assert_int_equal(reply->payload.len, strlen(p->url));
	assert_memory_equal(reply->payload.ptr, p->url, reply->payload.len);
	p->answered++;
}

static void
submit(struct party *p)
{
	struct rk_request r = { .method = "who" };

	for (int i = 0; i < CALLS; i++)
		assert_int_equal(
		    rk_client_submit(p->client, &r, on_reply, p, NULL), RK_OK);
}

static void
on_stopped(void *arg)
{
	((struct party *)arg)->stopped = true;
}

static void
run_until(struct rk_loop *loop, const struct party *p, const char *what)
{
	uint64_t end = rk_loop_now(loop) + PATIENCE_MS;
	bool done = false;

	while (!done) {
		assert_int_equal(rk_loop_step(loop, 100), RK_OK);
		assert_true(rk_loop_now(loop) < end);
		done = true;
		for (int i = 0; i < 2; i++)
			done = done && (strcmp(what, "answers") == 0
			                       ? p[i].answered == CALLS
			                       : p[i].stopped);
	}
}

static void
calls_both_ways(const char *a, const char *b)
{
	struct rk_loop *loop;
	struct party p[2];

	assert_int_equal(rk_loop_new(&loop), RK_OK);
	serve(&p[0], loop, a);
	serve(&p[1], loop, b);
	dial(&p[0], loop, p[1].url, p[0].server);
	dial(&p[1], loop, p[0].url, p[1].server);
	submit(&p[0]);
	submit(&p[1]);
	run_until(loop, p, "answers");
	assert_int_equal(p[0].open, 1);
	assert_int_equal(p[1].open, 1);
	for (int i = 0; i < 2; i++)
		rk_client_free(p[i].client);
	for (int i = 0; i < 2; i++)
		rk_server_stop(p[i].server, 1000, on_stopped, &p[i]);
	run_until(loop, p, "stop");
	for (int i = 0; i < 2; i++)
		rk_server_free(p[i].server);
	rk_loop_free(loop);
}

static void
calls_from_the_listening_ports(void **state)
{
	(void)state;
	calls_both_ways("quic://127.0.0.1:0", "quic://127.0.0.1:0");
	calls_both_ways("quic://[::1]:0", "quic://[::1]:0");
}

static void
refuses_what_it_cannot_share(void **state)
{
	struct rk_loop *loop;
	struct rk_error err;
	struct rk_client *c;
	struct party p;
	struct rk_client_conf conf = {
		.size = sizeof(conf),
		.url = "quic://127.0.0.1:1",
		.ident = rpcworld.client,
	};

	(void)state;
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	serve(&p, loop, "tls://127.0.0.1:0");
	conf.from = p.server; /* and another loop */
	assert_int_equal(rk_client_new(&conf, &c, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "not on the loop of the server"));
	conf.loop = loop;
	assert_int_equal(rk_client_new(&conf, &c, &err), RK_OK);
	assert_int_equal(rk_client_start(c, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "has no QUIC port that reaches it"));
	rk_client_free(c);
	rk_server_stop(p.server, 0, on_stopped, &p);
	while (!p.stopped)
		assert_int_equal(rk_loop_step(loop, 100), RK_OK);
	rk_server_free(p.server);
	rk_loop_free(loop);
}

/* A port of all addresses asks the kernel which one leads there, with a socket
 * that there may be no descriptor for. */
static void
says_what_it_lacks(void **state)
{
	struct rk_loop *loop;
	struct rk_error err;
	struct rlimit before, tight;
	struct party p;
	int spare = dup(0);

	(void)state;
	assert_true(spare >= 0);
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	serve(&p, loop, "quic://0.0.0.0:0");
	make(&p, loop, "quic://127.0.0.1:1", p.server);
	(void)close(spare);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	tight = before;
	tight.rlim_cur = (rlim_t)spare;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_int_equal(rk_client_start(p.client, &err), RK_ECONNECT);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_non_null(strstr(err.text, "Too many open files"));
	assert_int_equal(err.sys, EMFILE);
	rk_client_free(p.client);
	rk_server_stop(p.server, 0, on_stopped, &p);
	while (!p.stopped)
		assert_int_equal(rk_loop_step(loop, 100), RK_OK);
	rk_server_free(p.server);
	rk_loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_from_the_listening_ports),
		cmocka_unit_test(refuses_what_it_cannot_share),
		cmocka_unit_test(says_what_it_lacks),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
