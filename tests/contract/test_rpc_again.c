/* A client that comes back: every transport, servers that end and begin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "againrig.h"
#include "certs.h"

/* A second server of the same kind. */
static void
begin_two(struct rpcrig *a, struct rpcrig *b, const struct rpcrun *run)
{
	rpcrig_begin(a, run);
	rpcrig_begin(b, run);
}

/* Gone at once, whatever runs there; answers that nobody needs any more are
 * owed all the same. */
static void
kill_server(struct rpcrig *r)
{
	unsigned held = rpcrig_get(r, &r->n_held);

	rpcrig_stop(r, 0);
	rpcrig_await_conns(r, 0);
	for (unsigned i = 0; i < held; i++)
		rpcrig_answer(r, i, NULL, NULL, 0);
	rpcrig_await_stopped(r);
}

/* The same address again. */
static void
begin_at(struct rpcrig *r, const struct rpcrun *run, const char *url)
{
	rpcrig_init(r, run->kind, run->threads);
	(void)snprintf(r->want_url, sizeof(r->want_url), "%s", url);
	rpcrig_start(r);
}

static void
check_echo(struct againrig *r, const char *text)
{
	struct rpcanswer a;

	(void)again_submit(r, "echo", false, text, strlen(text), &a);
	again_turn(r, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	assert_string_equal(a.text, text);
}

/* ---- one server ---- */

static void
comes_back_when_the_server_does(void **state)
{
	static struct rpcrig rig, next;
	struct againrig r;
	struct rpcanswer a[3];
	char url[128];

	rpcrig_begin(&rig, *state);
	again_init_rigs(&r, &rig, NULL);
	again_start(&r);
	check_echo(&r, "one");
	memcpy(url, rig.url, sizeof(url));
	kill_server(&rig);
	rpcrig_fini(&rig);
	again_turn(&r, &r.lost, 1);
	assert_true(r.losses[0].was_open);
	assert_int_equal(r.losses[0].rounds, 0);
	assert_string_equal(r.losses[0].url, url);
	/* They wait. */
	for (unsigned i = 0; i < 3; i++)
		(void)again_submit(&r, "echo", false, "wait", 4, &a[i]);
	again_turn(&r, &r.lost, 2);
	assert_false(r.losses[1].was_open);
	assert_int_equal(r.losses[1].rounds, 1);
	begin_at(&next, *state, url);
	for (unsigned i = 0; i < 3; i++) {
		again_turn(&r, &a[i].n, 1);
		assert_int_equal(a[i].code, RK_OK);
		assert_string_equal(a[i].text, "wait");
	}
	assert_int_equal(r.connected, 2);
	assert_int_equal(rpcrig_get(&next, &next.handled), 3);
	again_end(&r);
	assert_int_equal(r.why.code, RK_ECANCELED);
	rpcrig_end(&next);
}

/* Nobody is there at first, and then somebody. */
static void
waits_for_the_first_server(void **state)
{
	const struct rpcrun *run = *state;
	static struct rpcrig rig;
	struct againrig r;
	const char *urls[2] = { NULL };
	char url[128];
	int fd;

	fd = again_dead(run->kind, url);
	urls[0] = url;
	again_init(&r, rpc_is_secure(run->kind), urls);
	again_start(&r);
	again_turn(&r, &r.lost, 2);
	assert_int_equal(r.losses[0].rounds, 1);
	assert_int_equal(r.losses[1].rounds, 2);
	if (fd >= 0)
		assert_int_equal(close(fd), 0);
	begin_at(&rig, run, url);
	check_echo(&r, "here");
	assert_int_equal(r.connected, 1);
	again_end(&r);
	rpcrig_end(&rig);
}

/* The client is silent while its server goes and comes: nothing is sent into
 * the old connection. */
static void
notices_before_a_blocking_call(void **state)
{
	static struct rpcrig rig, next;
	struct againrig r;
	struct rpcanswer a;
	char url[128];

	rpcrig_begin(&rig, *state);
	again_init_rigs(&r, &rig, NULL);
	r.client = rpcrig_client_with(&r.conf);
	assert_int_equal(rk_client_connect(r.client, NULL), RK_OK);
	rpcrig_call(r.client, "sink", "1", 1, &a);
	memcpy(url, rig.url, sizeof(url));
	kill_server(&rig);
	rpcrig_fini(&rig);
	begin_at(&next, *state, url);
	rpcrig_call(r.client, "sink", "2", 1, &a);
	assert_int_equal(rpcrig_get(&next, &next.sunk), 1);
	assert_int_equal(r.connected, 2);
	assert_int_equal(r.lost, 1);
	again_end(&r);
	rpcrig_end(&next);
}

/* ---- two servers, and what becomes of calls ---- */

static void
moves_on_with_what_may_run_twice(void **state)
{
	static struct rpcrig one, two;
	struct againrig r;
	struct rpcanswer marked, plain;

	begin_two(&one, &two, *state);
	again_init_rigs(&r, &one, &two);
	r.again.order = RK_AGAIN_IN_TURN;
	again_start(&r);
	(void)again_submit(&r, "hold", true, "m", 1, &marked);
	(void)again_submit(&r, "hold", false, "p", 1, &plain);
	again_turn(&r, &r.connected, 1);
	again_turn_rig(&r, &one, &one.n_held, 2);
	kill_server(&one);
	again_turn(&r, &plain.n, 1);
	assert_int_equal(plain.code, RK_ECLOSED);
	assert_true(plain.maybe_executed);
	again_turn(&r, &r.connected, 2);
	again_turn_rig(&r, &two, &two.n_held, 1);
	rpcrig_answer(&two, 0, NULL, "done", 4);
	again_turn(&r, &marked.n, 1);
	assert_int_equal(marked.code, RK_OK);
	assert_string_equal(marked.text, "done");
	assert_int_equal(rpcrig_get(&two, &two.n_held), 1);
	check_echo(&r, "here");
	again_end(&r);
	rpcrig_fini(&one);
	rpcrig_end(&two);
}

/* Whatever happens, a call that is not marked runs once at most, and what was
 * answered ran. */
static void
runs_unmarked_calls_at_most_once(void **state)
{
	enum {
		CALLS = 600,
		SERVERS = 6
	};
	static struct rpcrig rigs[SERVERS];
	static struct rpcanswer a[CALLS];
	struct againrig r;
	unsigned done = 0, maybe = 0, ran = 0, n = 0;
	char url[128];

	rpcrig_begin(&rigs[0], *state);
	memcpy(url, rigs[0].url, sizeof(url));
	again_init_rigs(&r, &rigs[0], NULL);
	r.calls = a;
	r.n_calls = CALLS;
	again_start(&r);
	for (unsigned s = 0; s < SERVERS; s++) {
		for (unsigned i = 0; i < CALLS / SERVERS; i++, n++) {
			(void)again_submit(
			    &r, "sink", false, rpcrig_bytes, n * 7, &a[n]);
			if (i % 10 == 0)
				assert_int_equal(
				    rk_client_process(r.client), RK_OK);
		}
		/* Somewhere in the middle of them. */
		again_turn(&r, &a[s * (CALLS / SERVERS) + 20].n, 1);
		if (s + 1 == SERVERS)
			break;
		kill_server(&rigs[s]);
		ran += rpcrig_get(&rigs[s], &rigs[s].sunk);
		rpcrig_fini(&rigs[s]);
		begin_at(&rigs[s + 1], *state, url);
	}
	for (unsigned i = 0; i < CALLS; i++) {
		again_turn(&r, &a[i].n, 1);
		assert_true(a[i].code == RK_OK || a[i].code == RK_ECLOSED);
		assert_true(a[i].code == RK_OK || a[i].maybe_executed);
		done += a[i].code == RK_OK;
		maybe += a[i].code != RK_OK;
	}
	ran += rpcrig_get(&rigs[SERVERS - 1], &rigs[SERVERS - 1].sunk);
	assert_in_range(ran, done, done + maybe);
	again_end(&r);
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(a[i].n, 1);
	rpcrig_end(&rigs[SERVERS - 1]);
}

/* Marked ones are all answered, however often their server goes. */
static void
answers_marked_calls_in_the_end(void **state)
{
	enum {
		CALLS = 300,
		SERVERS = 4
	};
	static struct rpcrig rigs[SERVERS];
	static struct rpcanswer a[CALLS];
	struct againrig r;
	unsigned n = 0;
	char url[128];

	rpcrig_begin(&rigs[0], *state);
	memcpy(url, rigs[0].url, sizeof(url));
	again_init_rigs(&r, &rigs[0], NULL);
	r.again.repeats = 10;
	again_start(&r);
	for (unsigned s = 0; s < SERVERS; s++) {
		for (unsigned i = 0; i < CALLS / SERVERS; i++, n++)
			(void)again_submit(
			    &r, "echo", true, rpcrig_bytes, n * 40, &a[n]);
		again_turn(&r, &r.connected, s + 1);
		if (s + 1 == SERVERS)
			break;
		kill_server(&rigs[s]);
		rpcrig_fini(&rigs[s]);
		begin_at(&rigs[s + 1], *state, url);
	}
	for (unsigned i = 0; i < CALLS; i++) {
		again_turn(&r, &a[i].n, 1);
		assert_int_equal(a[i].code, RK_OK);
		assert_int_equal(a[i].len, i * 40);
		assert_true(a[i].same);
	}
	again_end(&r);
	rpcrig_end(&rigs[SERVERS - 1]);
}

/* ---- which address ---- */

static void
finds_the_one_that_is_there(void **state)
{
	const struct rpcrun *run = *state;
	static struct rpcrig rig;
	struct againrig r;
	const char *urls[4] = { NULL };
	struct rpcanswer a;
	char dead[2][128];
	int fd[2];

	rpcrig_begin(&rig, run);
	for (int i = 0; i < 2; i++) {
		fd[i] = again_dead(run->kind, dead[i]);
		urls[i] = dead[i];
	}
	urls[2] = rig.url;
	again_init(&r, rpc_is_secure(run->kind), urls);
	r.client = rpcrig_client_with(&r.conf);
	assert_int_equal(rk_client_connect(r.client, NULL), RK_OK);
	rpcrig_call(r.client, "echo", "x", 1, &a);
	assert_int_equal(r.lost, 0); /* no pause was needed */
	again_end(&r);
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			assert_int_equal(close(fd[i]), 0);
	rpcrig_end(&rig);
}

static void
gives_up_when_all_are_dead(void **state)
{
	const struct rpcrun *run = *state;
	struct againrig r;
	const char *urls[3] = { NULL };
	struct rpcanswer a[2];
	struct rk_error err;
	char dead[2][128];
	int fd[2];

	for (int i = 0; i < 2; i++) {
		fd[i] = again_dead(run->kind, dead[i]);
		urls[i] = dead[i];
	}
	again_init(&r, rpc_is_secure(run->kind), urls);
	r.again.attempts = 3;
	r.calls = a;
	r.n_calls = 2;
	again_start(&r);
	(void)again_submit(&r, "echo", false, "x", 1, &a[0]);
	(void)again_submit(&r, "echo", true, "x", 1, &a[1]);
	again_turn(&r, &r.closed, 1);
	assert_int_equal(r.connected, 0);
	assert_int_equal(r.lost, 2);
	assert_string_equal(r.losses[0].url, dead[1]);
	assert_int_equal(r.why.code, RK_ECONNECT);
	assert_non_null(strstr(r.why.text, "(given up)"));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a[i].code, RK_ECONNECT);
		assert_false(a[0].maybe_executed);
	}
	/* From the beginning. */
	r.n_calls = 0;
	r.closed = 0;
	assert_int_equal(rk_client_connect(r.client, &err), RK_ECONNECT);
	assert_non_null(strstr(err.text, "(given up)"));
	assert_int_equal(r.lost, 4);
	again_end(&r);
	for (int i = 0; i < 2; i++)
		if (fd[i] >= 0)
			assert_int_equal(close(fd[i]), 0);
}

static void
takes_addresses_in_turn(void **state)
{
	static struct rpcrig one, two;
	struct againrig r;
	char url[128];

	begin_two(&one, &two, *state);
	memcpy(url, one.url, sizeof(url));
	again_init_rigs(&r, &one, &two);
	r.again.order = RK_AGAIN_IN_TURN;
	again_start(&r);
	check_echo(&r, "1");
	assert_int_equal(rpcrig_get(&one, &one.handled), 1);
	kill_server(&one);
	rpcrig_fini(&one);
	check_echo(&r, "2");
	assert_int_equal(rpcrig_get(&two, &two.handled), 1);
	begin_at(&one, *state, url);
	check_echo(&r, "3");
	assert_int_equal(rpcrig_get(&two, &two.handled), 2);
	kill_server(&two);
	rpcrig_fini(&two);
	check_echo(&r, "4");
	assert_int_equal(rpcrig_get(&one, &one.handled), 1);
	again_end(&r);
	rpcrig_end(&one);
}

static void
count_end(struct rk_client *c, const struct rk_error *why, void *arg)
{
	unsigned *n = arg;

	(void)c;
	(void)why;
	(*n)++;
}

/* Some early calls went to an address where nobody was, and what is there is
 * another one of the same name: they are sent there. */
static void
sends_early_calls_to_the_next_address(void **state)
{
	const struct rpcrun *run = *state;
	static struct rpcrig rig;
	struct rk_client_conf conf;
	struct rpcanswer a = { 0 };
	struct rk_client *c;
	unsigned closed = 0;
	char url[128];
	const struct rk_request req = { .method = "echo",
		.payload = "x",
		.payload_len = 1,
		.idempotent = true };

	rpcrig_init(&rig, run->kind, run->threads);
	(void)snprintf(rig.want_url, sizeof(rig.want_url), "quic://[::1]:0");
	rpcrig_start(&rig);
	(void)snprintf(url, sizeof(url), "quic://localhost:%s",
	    strrchr(rig.url, ':') + 1); /* 127.0.0.1 first */
	rpcrig_client_conf(&rig, &conf);
	conf.url = url;
	conf.closed = count_end;
	conf.arg = &closed;
	c = rpcrig_client_with(&conf);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rk_client_start(c, NULL), RK_OK);
		assert_int_equal(
		    rk_client_submit(c, &req, rpcrig_on_reply, &a, NULL),
		    RK_OK);
		rpcrig_turn(c, &a.n, (unsigned)i + 1);
		assert_int_equal(a.code, RK_OK);
		rk_client_shutdown(c);
		rpcrig_turn(c, &closed, (unsigned)i + 1);
	}
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* ---- trust ---- */

/* Who answers in the place of the known server is not asked twice. */
static void
ends_where_trust_does(void **state)
{
	const struct rpcrun *run = *state;
	static struct rpcrig one, two;
	static unsigned number;
	struct againrig r;
	struct rk_trust *trust;
	struct rpcanswer a;
	char path[512];
	char name[32];

	rpcrig_begin(&one, run);
	rpcrig_init(&two, run->kind, run->threads);
	two.conf.ident = rpcworld.node2;
	rpcrig_start(&two);
	(void)snprintf(name, sizeof(name), "servers%u", number++);
	rpcworld_path(path, name);
	certs_write(rpcworld.dir, name, "", 0600);
	assert_int_equal(
	    rk_trust_new(path, RK_TRUST_FILE, &trust, NULL), RK_OK);
	again_init_rigs(&r, &one, &two);
	r.conf.trust = trust;
	again_start(&r);
	check_echo(&r, "known");
	assert_int_equal(chmod(path, 0400), 0);
	kill_server(&one);
	again_turn(&r, &r.lost, 1);
	(void)again_submit(&r, "echo", false, "x", 1, &a);
	again_turn(&r, &r.closed, 1);
	assert_int_equal(r.why.code, RK_EUNKNOWNKEY);
	assert_int_equal(r.lost, 1);
	assert_int_equal(r.connected, 1);
	assert_int_equal(a.code, RK_EUNKNOWNKEY);
	assert_false(a.maybe_executed);
	assert_int_equal(rpcrig_get(&two, &two.handled), 0);
	again_end(&r);
	rk_trust_free(trust);
	rpcrig_fini(&one);
	rpcrig_end(&two);
}

/* ---- ends ---- */

static void
stops_in_a_pause(void **state)
{
	const struct rpcrun *run = *state;
	struct againrig r;
	const char *urls[2] = { NULL };
	struct rpcanswer a[2];
	char url[128];
	int fd;

	fd = again_dead(run->kind, url);
	urls[0] = url;
	for (int way = 0; way < 3; way++) {
		again_init(&r, rpc_is_secure(run->kind), urls);
		r.again.first_ms = r.again.max_ms = 3600000;
		r.calls = a;
		r.n_calls = 2;
		r.shut_when_lost = way == 2;
		again_start(&r);
		(void)again_submit(&r, "echo", false, "x", 1, &a[0]);
		(void)again_submit(&r, "echo", true, "x", 1, &a[1]);
		again_turn(&r, &r.lost, 1);
		if (way == 0) {
			assert_int_equal(
			    rk_client_start(r.client, NULL), RK_ESTATE);
			rk_client_shutdown(r.client);
			rk_client_shutdown(r.client);
		}
		if (way != 1)
			again_turn(&r, &r.closed, 1);
		again_end(&r);
		assert_int_equal(r.why.code, RK_ECANCELED);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(a[i].code, RK_ECANCELED);
			assert_false(a[i].maybe_executed);
		}
	}
	if (fd >= 0)
		assert_int_equal(close(fd), 0);
}

static void
is_freed_where_it_is_told(void **state)
{
	const struct rpcrun *run = *state;
	struct againrig r;
	const char *urls[2] = { NULL };
	struct rk_loop *loop;
	char url[128];
	int fd;

	fd = again_dead(run->kind, url);
	urls[0] = url;
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	again_init(&r, rpc_is_secure(run->kind), urls);
	r.conf.loop = loop;
	r.free_when_lost = true;
	again_start(&r);
	while (r.closed == 0)
		assert_int_equal(rk_loop_step(loop, 1000), RK_OK);
	assert_int_equal(r.lost, 1);
	assert_int_equal(r.why.code, RK_ECANCELED);
	rk_loop_free(loop);
	if (fd >= 0)
		assert_int_equal(close(fd), 0);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "back", comes_back_when_the_server_does, RPC_ALL },
		{ "first", waits_for_the_first_server, RPC_ALL },
		{ "silent", notices_before_a_blocking_call, RPC_ALL },
		{ "moves", moves_on_with_what_may_run_twice, RPC_ALL },
		{ "once", runs_unmarked_calls_at_most_once, RPC_ALL },
		{ "marked", answers_marked_calls_in_the_end, RPC_ALL },
		{ "one of three", finds_the_one_that_is_there, RPC_ALL },
		{ "all dead", gives_up_when_all_are_dead, RPC_ALL },
		{ "turns", takes_addresses_in_turn, RPC_ALL },
		{ "early", sends_early_calls_to_the_next_address,
		    RPC_ONLY(RPC_QUIC) },
		{ "trust", ends_where_trust_does, RPC_SECURE },
		{ "pause", stops_in_a_pause, RPC_ALL },
		{ "freed", is_freed_where_it_is_told, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "again", cases, sizeof(cases) / sizeof(cases[0]));
}
