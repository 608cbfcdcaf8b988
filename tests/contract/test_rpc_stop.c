/* A server's end, and the sets it replaces while it runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpcrig.h"

static void
start_hold(struct rpcrig *r, struct rk_client *c, struct rpcanswer *a)
{
	unsigned n = rpcrig_get(r, &r->n_held);

	(void)rpcrig_submit(c, "hold", NULL, 0, a);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(r, &r->n_held, n + 1);
}

/* ---- stopping ---- */

static void
lets_calls_finish(void **state)
{
	struct rpcrig rig;
	struct rk_client *c, *idle, *late;
	struct rk_client_conf conf;
	struct rpcanswer a = { 0 };
	struct rk_error err;

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	idle = rpcrig_client(&rig);
	start_hold(&rig, c, &a);
	rpcrig_stop(&rig, 20000);
	rpcrig_await_conns(&rig, 1); /* the idle one went at once */
	rpcrig_client_conf(&rig, &conf);
	late = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_connect(late, &err), RK_ECONNECT);
	assert_int_equal(rpcrig_get(&rig, &rig.done), 0);
	rpcrig_answer(&rig, 0, NULL, rpcrig_bytes, 1000000);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	assert_int_equal(a.len, 1000000);
	rpcrig_await_stopped(&rig);
	assert_int_equal(rig.n_canceled, 0);
	rk_client_free(c);
	rk_client_free(idle);
	rk_client_free(late);
	rpcrig_fini(&rig);
	assert_int_equal(rig.done, 1);
}

/* Nothing new is taken: what arrives now is not begun. */
static void
takes_nothing_new(void **state)
{
	struct rpcrig rig;
	struct rk_client *c, *idle[3];
	struct rpcanswer a = { 0 };
	struct rpcanswer b = { 0 };

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < 3; i++)
		idle[i] = rpcrig_client(&rig);
	start_hold(&rig, c, &a);
	rpcrig_stop(&rig, 20000);
	/* Every loop had an idle one, and has heard of the end by now. */
	rpcrig_await_conns(&rig, 1);
	(void)rpcrig_submit(c, "echo", NULL, 0, &b);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_answer(&rig, 0, NULL, NULL, 0);
	rpcrig_turn(c, &b.n, 1);
	assert_int_equal(a.code, RK_OK);
	assert_int_equal(b.code, RK_ECLOSED);
	rpcrig_await_stopped(&rig);
	assert_int_equal(rig.handled, 0);
	rk_client_free(c);
	for (size_t i = 0; i < 3; i++)
		rk_client_free(idle[i]);
	rpcrig_fini(&rig);
}

static void
ends_grace(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	start_hold(&rig, c, &a);
	rpcrig_stop(&rig, 40);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_ECLOSED);
	assert_true(a.maybe_executed);
	rpcrig_await_stopped(&rig);
	assert_int_equal(rig.n_canceled, 1);
	assert_int_equal(rig.held[0].why, RK_CANCEL_CLOSED);
	rpcrig_answer(&rig, 0, NULL, "late", 4);
	rk_client_free(c);
	rpcrig_fini(&rig);
}

static void
shortens_grace(void **state)
{
	static const uint64_t graces[][2] = {
		{ RK_NEVER, 0 },
		{ 3600000, 30 },
		{ 30, 3600000 }, /* never longer */
		{ 30, RK_NEVER },
	};
	struct rpcrig rig;
	struct rk_client *c;

	for (size_t i = 0; i < 4; i++) {
		struct rpcanswer a = { 0 };

		rpcrig_begin(&rig, *state);
		c = rpcrig_client(&rig);
		start_hold(&rig, c, &a);
		rpcrig_stop(&rig, graces[i][0]);
		rpcrig_stop(&rig, graces[i][1]);
		rpcrig_await_stopped(&rig);
		rk_client_free(c);
		assert_int_equal(a.n, 1);
		rpcrig_fini(&rig);
		assert_int_equal(rig.done, 1);
	}
}

static void
stops_before_start(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_error err;

	for (int i = 0; i < 2; i++) {
		rpcrig_init(&rig, run->kind, run->threads);
		assert_int_equal(
		    rk_server_new(&rig.conf, &rig.server, &err), RK_OK);
		assert_int_equal(
		    rk_server_listen(rig.server, rig.want_url, rig.url, &err),
		    RK_OK);
		if (i == 1) {
			rpcrig_stop(&rig, 1000);
			assert_int_equal(rig.done, 0);
			rpcrig_await_stopped(&rig);
			assert_int_equal(
			    rk_server_start(rig.server, &err), RK_ESTATE);
		}
		rpcrig_fini(&rig);
	}
	rpcrig_begin(&rig, run);
	rpcrig_stop(&rig, RK_NEVER);
	rpcrig_await_stopped(&rig);
	rpcrig_fini(&rig);
	assert_int_equal(rig.done, 1);
}

/* Nobody turns the loop of a client that has its answer: it cannot confirm
 * that, and is not waited for.  Nothing of what was sent is lost for it. */
static void
stops_beside_sleepers(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	uint64_t begun;

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	start_hold(&rig, c, &a);
	begun = rpcrig_now();
	rpcrig_stop(&rig, 20000);
	rpcrig_answer(&rig, 0, NULL, rpcrig_bytes, 2000);
	rpcrig_await_stopped(&rig);
	assert_true(rpcrig_now() - begun < 10000);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	assert_int_equal(a.len, 2000);
	rk_client_free(c);
	rpcrig_fini(&rig);
}

/* Everything is busy, and then there is no server. */
static void
stops_under_load(void **state)
{
	enum {
		CLIENTS = 6,
		CALLS = 50
	};
	struct rpcrig rig;
	struct rk_client *c[CLIENTS];
	static struct rpcanswer a[CLIENTS][CALLS];

	memset(a, 0, sizeof(a));
	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < CLIENTS; i++) {
		c[i] = rpcrig_client(&rig);
		for (size_t k = 0; k < CALLS; k++)
			(void)rpcrig_submit(c[i],
			    k % 3 == 0   ? "hold"
			    : k % 3 == 1 ? "park"
			                 : "echo",
			    rpcrig_bytes, k * 1000, &a[i][k]);
		(void)rk_client_process(c[i]);
	}
	rpcrig_await(&rig, &rig.handled, 1);
	rpcrig_stop(&rig, 0);
	rpcrig_await_stopped(&rig);
	for (size_t i = 0; i < CLIENTS; i++) {
		for (size_t k = 0; k < CALLS; k++)
			rpcrig_turn(c[i], &a[i][k].n, 1);
		rk_client_free(c[i]);
		for (size_t k = 0; k < CALLS; k++)
			assert_int_equal(a[i][k].n, 1);
	}
	rpcrig_fini(&rig);
}

/* ---- other methods ---- */

struct set {
	struct rpcrig *rig;
	const char *answer;
	unsigned retired;
};

static void
say(struct rk_call *call, void *arg)
{
	const struct set *s = arg;

	(void)rk_call_reply(call, s->answer, strlen(s->answer));
}

static void
on_set_retired(void *arg)
{
	struct set *s = arg;

	(void)pthread_mutex_lock(&s->rig->lock);
	s->retired++;
	(void)pthread_cond_broadcast(&s->rig->changed);
	(void)pthread_mutex_unlock(&s->rig->lock);
}

static void
use_set(struct rpcrig *r, void *arg)
{
	struct set *s = arg;
	const struct rk_method m = { .name = "say", .fn = say, .arg = s };
	struct rk_error err;

	s->rig = r;
	assert_int_equal(
	    rk_server_methods(r->server, &m, 1, on_set_retired, s, &err),
	    RK_OK);
	/* Never from inside the call that replaced it. */
	assert_int_equal(rpcrig_get(r, &s->retired), 0);
}

static void
swaps_methods(void **state)
{
	struct rpcrig rig;
	struct rk_client *c[4];
	struct set one = { .answer = "one" };
	struct set two = { .answer = "two" };
	struct rpcanswer a = { 0 };
	struct rpcanswer x = { 0 };
	enum rk_err r;

	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < 4; i++)
		c[i] = rpcrig_client(&rig);
	start_hold(&rig, c[0], &a);
	rpcrig_do(&rig, use_set, &one);
	for (size_t i = 0; i < 4; i++) {
		do
			r = rpcrig_try(c[i], "_.describe", "say", 3, &x);
		while (r == RK_EREMOTE); /* its loop has not heard yet */
		rpcrig_call(c[i], "say", NULL, 0, &x);
		assert_string_equal(x.text, "one");
	}
	rpcrig_do(&rig, use_set, &two);
	rpcrig_await(&rig, &one.retired, 1);
	/* Gone from every loop: nobody can be answered by it now. */
	for (size_t i = 0; i < 4; i++) {
		rpcrig_call(c[i], "say", NULL, 0, &x);
		assert_string_equal(x.text, "two");
	}
	assert_int_equal(rpcrig_get(&rig, &two.retired), 0);
	/* What ran under the first set of all still can be answered. */
	rpcrig_answer(&rig, 0, NULL, "zero", 4);
	rpcrig_turn(c[0], &a.n, 1);
	assert_string_equal(a.text, "zero");
	for (size_t i = 0; i < 4; i++)
		rk_client_free(c[i]);
	rpcrig_end(&rig);
	assert_int_equal(one.retired, 1);
	assert_int_equal(two.retired, 1);
}

/* Many in a row, most of them never entered; each is told of once, and before
 * the server is gone. */
static void
swaps_methods_often(void **state)
{
	enum {
		N = 100
	};
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	static struct set sets[N];
	struct rk_client *c;
	struct rpcanswer x;

	for (int started = 0; started < 2; started++) {
		memset(sets, 0, sizeof(sets));
		rpcrig_init(&rig, run->kind, run->threads);
		rpcrig_start(&rig);
		if (started == 0) {
			rpcrig_stop(&rig, 0);
			rpcrig_await_stopped(&rig);
		}
		for (size_t i = 0; i < N; i++) {
			sets[i].answer = "some";
			rpcrig_do(&rig, use_set, &sets[i]);
		}
		if (started == 1) {
			rpcrig_await(&rig, &sets[N - 2].retired, 1);
			c = rpcrig_client(&rig);
			rpcrig_call(c, "say", NULL, 0, &x);
			rk_client_free(c);
			rpcrig_stop(&rig, 1000);
			rpcrig_await_stopped(&rig);
		}
		rk_loop_stop(rig.loop);
		(void)pthread_join(rig.thread, NULL);
		rig.has_thread = false;
		rk_server_free(rig.server);
		rig.server = NULL;
		for (size_t i = 0; i < N; i++)
			assert_int_equal(sets[i].retired, 1);
		rpcrig_fini(&rig);
		for (size_t i = 0; i < N; i++)
			assert_int_equal(sets[i].retired, 1);
	}
}

static void
swap_before_start(void **state)
{
	const struct rpcrun *run = *state;
	struct set one = { .answer = "one" };
	struct set two = { .answer = "two" };
	struct rpcrig rig;
	struct rk_error err;

	rpcrig_init(&rig, run->kind, run->threads);
	assert_int_equal(rk_server_new(&rig.conf, &rig.server, &err), RK_OK);
	use_set(&rig, &one);
	use_set(&rig, &two);
	rk_server_free(rig.server);
	rig.server = NULL;
	assert_int_equal(one.retired, 1);
	assert_int_equal(two.retired, 1);
	rpcrig_fini(&rig);
	assert_int_equal(one.retired, 1);
}

static void
refuses_bad_methods(struct rpcrig *r, void *arg)
{
	struct set s = { .rig = r };
	char long_name[RK_NAME_MAX + 2];
	struct rk_method m[2] = { { .name = "a", .fn = say },
		{ .name = "b", .fn = say } };
	struct rk_error err;

	(void)arg;
	m[1].name = "a";
	assert_int_equal(
	    rk_server_methods(r->server, m, 2, on_set_retired, &s, &err),
	    RK_EEXIST);
	assert_non_null(strstr(err.text, "method a"));
	m[1].name = "_.ping";
	assert_int_equal(
	    rk_server_methods(r->server, m, 2, on_set_retired, &s, &err),
	    RK_EEXIST);
	m[1].name = "";
	assert_int_equal(
	    rk_server_methods(r->server, m, 2, on_set_retired, &s, &err),
	    RK_EINVAL);
	m[1].name = NULL;
	assert_int_equal(
	    rk_server_methods(r->server, m, 2, on_set_retired, &s, NULL),
	    RK_EINVAL);
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	m[1].name = long_name;
	assert_int_equal(
	    rk_server_methods(r->server, m, 2, on_set_retired, &s, &err),
	    RK_EINVAL);
	m[1].name = "b";
	m[1].fn = NULL;
	assert_int_equal(
	    rk_server_methods(r->server, m, 2, on_set_retired, &s, &err),
	    RK_EINVAL);
	assert_int_equal(s.retired, 0);
}

static void
keeps_methods_on_error(void **state)
{
	struct rpcrig rig;

	rpcrig_begin(&rig, *state);
	rpcrig_do(&rig, refuses_bad_methods, NULL);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

/* ---- another identity ---- */

static void
use_ident(struct rpcrig *r, void *arg)
{
	struct rk_error err;

	assert_int_equal(
	    rk_server_identity(r->server, arg, NULL, rpcrig_retired, r, &err),
	    RK_OK);
}

static void
use_none(struct rpcrig *r, void *arg)
{
	struct rk_error err;

	(void)arg;
	assert_int_equal(
	    rk_server_identity(r->server, NULL, NULL, rpcrig_retired, r, &err),
	    RK_EINVAL);
	assert_non_null(strstr(err.text, "certificate"));
}

static void
swaps_identity(void **state)
{
	struct rpcrig rig;
	struct rk_client *old, *young;
	struct rpcanswer a;

	rpcrig_begin(&rig, *state);
	old = rpcrig_client(&rig);
	rpcrig_do(&rig, use_ident, rpcworld.node2);
	rpcrig_do(&rig, use_none, NULL);
	young = rpcrig_client(&rig);
	assert_string_equal(
	    rk_client_peer(young)->cert.email, "node2@example.org");
	rpcrig_call(old, "echo", "x", 1, &a);
	assert_string_equal(
	    rk_client_peer(old)->cert.email, "node@example.org");
	/* The second is in use, the third replaces it. */
	rpcrig_do(&rig, use_ident, rpcworld.node);
	assert_int_equal(rpcrig_get(&rig, &rig.retired), 0);
	rpcrig_call(young, "echo", "x", 1, &a);
	rk_client_free(young);
	rpcrig_await(&rig, &rig.retired, 1);
	/* The fourth replaces one that nobody uses. */
	rpcrig_do(&rig, use_ident, rpcworld.node2);
	rpcrig_await(&rig, &rig.retired, 2);
	rpcrig_call(old, "echo", "x", 1, &a);
	rk_client_free(old);
	rpcrig_end(&rig);
	assert_int_equal(rig.retired, 3);
}

/* Freeing what `retired` releases is safe: nothing uses it any more. */
struct lent {
	struct rpcrig *rig;
	struct rk_ident *ident;
	struct rk_trust *trust;
	unsigned freed;
};

static void
on_lent_back(void *arg)
{
	struct lent *l = arg;

	rk_ident_free(l->ident);
	rk_trust_free(l->trust);
	(void)pthread_mutex_lock(&l->rig->lock);
	l->freed = 1;
	(void)pthread_cond_broadcast(&l->rig->changed);
	(void)pthread_mutex_unlock(&l->rig->lock);
}

static void
lend(struct rpcrig *r, void *arg)
{
	struct lent *l = arg;
	struct rk_error err;

	assert_int_equal(rk_server_identity(r->server, l->ident, l->trust,
	                     on_lent_back, l, &err),
	    RK_OK);
	assert_int_equal(rpcrig_get(r, &l->freed), 0);
}

static void
gives_identities_back(void **state)
{
	struct rpcrig rig;
	struct rk_client *c[4];
	struct lent lent[6];
	struct rpcanswer a;
	char path[512];

	rpcworld_path(path, "lent_keys");
	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < 6; i++) {
		lent[i] = (struct lent){ .rig = &rig,
			.ident = rpcworld_load(i % 2 ? "node" : "node2") };
		assert_int_equal(
		    rk_trust_new(path, RK_TRUST_FILE, &lent[i].trust, NULL),
		    RK_OK);
		rpcrig_do(&rig, lend, &lent[i]);
		for (size_t k = 0; k < 4; k++)
			c[k] = rpcrig_client(&rig);
		for (size_t k = 0; k < 4; k++) {
			rpcrig_call(c[k], "echo", "x", 1, &a);
			rk_client_free(c[k]);
		}
	}
	for (size_t i = 0; i + 1 < 6; i++)
		rpcrig_await(&rig, &lent[i].freed, 1);
	rpcrig_end(&rig);
	assert_int_equal(lent[5].freed, 1);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "calls finish", lets_calls_finish, RPC_ALL },
		{ "nothing new", takes_nothing_new, RPC_ALL },
		{ "the end of grace", ends_grace, RPC_ALL },
		{ "a shorter grace", shortens_grace, RPC_ALL },
		{ "stop before start", stops_before_start, RPC_ALL },
		{ "stop beside sleepers", stops_beside_sleepers, RPC_ALL },
		{ "stop under load", stops_under_load, RPC_ALL },
		{ "methods swapped", swaps_methods, RPC_ALL },
		{ "methods swapped often", swaps_methods_often, RPC_ALL },
		{ "methods swapped early", swap_before_start, RPC_ALL },
		{ "bad methods", keeps_methods_on_error, RPC_ALL },
		{ "identity swapped", swaps_identity, RPC_SECURE },
		{ "identities given back", gives_identities_back, RPC_SECURE },
	};

	return rpcrig_run_cases(
	    "rpc stop", cases, sizeof(cases) / sizeof(cases[0]));
}
