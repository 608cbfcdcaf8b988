/* Pushes to who does not read, or goes: bounded, and told in time, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "pushrig.h"
#include "rawpeer.h"

#define QUEUE 300000 /* conf.max_queue */
#define PUSH 50000   /* bytes of one */

static void
begin(struct rpcrig *rig, const struct rpcrun *run)
{
	rpcrig_init(rig, run->kind, run->threads);
	rig->conf.max_queue = QUEUE;
	rpcrig_start(rig);
}

/*
 * Push until nothing more is taken for this connection, whose client sleeps;
 * returns how many were made.  What the system's buffers hold is beside the
 * queue, and bounded by it.
 */
static unsigned
fill(struct rpcrig *rig, uint64_t id, uint64_t timeout, struct told *t)
{
	struct rk_push push = { .subject = "s", .timeout = timeout };
	struct rk_push_report sum;
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	unsigned n = 0;

	do {
		assert_true(rpcrig_now() < until);
		for (unsigned i = 0; i < 20; i++) {
			push_number(&push, n++, PUSH);
			push_to_conn(rig, id, &push, t);
		}
		push_settle(rig);
		sum = push_sum(t);
	} while (sum.refused < 20);
	return n;
}

/*
 * It never reads: what fits is told late when the time is over, the rest at
 * once; later it gets what was not refused, and it alone.
 */
static void
bounds_what_waits(void **state)
{
	struct rpcrig rig;
	struct pushed p = { 0 };
	struct told t = { 0 };
	struct rk_client *c, *other;
	struct pushed q = { 0 };
	struct rk_push small = { .payload = "x", .payload_len = 1 };
	struct rk_push_target all = { .to = RK_PUSH_ALL };
	uint64_t began, id;
	struct rk_client *both[2];
	size_t late, refused;
	unsigned n;

	begin(&rig, *state);
	c = push_client(&rig, &p, NULL);
	id = push_conn_id(c);
	began = rpcrig_now();
	n = fill(&rig, id, 600, &t);
	push_await(&rig, &t, n);
	/* Some were told late, and none of these before its time. */
	assert_true(rpcrig_now() - began >= 600);
	assert_true(t.sum.late >= 1 && t.sum.late <= QUEUE / PUSH);
	assert_true(t.sum.refused >= 20);
	assert_int_equal(t.sum.closed, 0);
	assert_int_equal(t.sum.targets, n);
	late = t.sum.late;
	refused = t.sum.refused;
	/* Others are not held up. */
	other = push_client(&rig, &q, NULL);
	both[0] = c;
	both[1] = other;
	push_sync(other);
	push_start(&rig, &all, &small, &t);
	rpcrig_turn(other, &q.n, 1);
	/* And when it reads, it gets what was not refused. */
	push_sync(c);
	push_await_with(&rig, &t, n + 1, both, 2);
	push_sync(c);
	assert_int_equal(t.sum.late, late);
	assert_int_equal(p.bytes, (n - refused) * (uint64_t)PUSH + 1);
	rk_client_free(other);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* Without a time of its own the end of the connection decides. */
static void
tells_of_the_end(void **state)
{
	struct rpcrig rig;
	struct pushed p = { 0 };
	struct told t = { .wants_each = true };
	struct rk_client *c;
	uint64_t id;
	unsigned n;

	begin(&rig, *state);
	c = push_client(&rig, &p, NULL);
	id = push_conn_id(c);
	n = fill(&rig, id, RK_NEVER, &t);
	assert_true(rpcrig_get(&rig, &t.n) < n);
	rpcrig_stop(&rig, 0);
	rpcrig_await_stopped(&rig);
	/* All of them, before the server said that it has stopped. */
	push_await(&rig, &t, n);
	assert_true(t.sum.closed >= 1);
	assert_int_equal(t.sum.late, 0);
	assert_int_equal(t.n_each, n);
	rpcrig_fini(&rig);
	rk_client_free(c);
}

/* The client is gone without a word, its end of the socket with it. */
static void
tells_of_a_lost_client(void **state)
{
	struct rpcrig rig;
	struct told t = { 0 };
	struct rk_push push = { .timeout = RK_NEVER };
	struct rk_push_target all = { .to = RK_PUSH_ALL };
	const struct linger hard = { .l_onoff = 1 };
	unsigned n = 0;
	int fd;

	begin(&rig, *state);
	for (unsigned round = 0; round < 20; round++) {
		fd = raw_dial(&rig);
		raw_check_echo(fd, 1);
		for (unsigned i = 0; i < 10 + round; i++) {
			push_number(&push, i, PUSH);
			push_start(&rig, &all, &push, &t);
			n++;
		}
		assert_int_equal(
		    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)),
		    0);
		raw_close(fd);
		/* What comes late would find the next one. */
		push_await(&rig, &t, n);
	}
	assert_int_equal(
	    t.sum.targets, t.sum.sent + t.sum.closed + t.sum.refused);
	rpcrig_await_conns(&rig, 0);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

/* Clients go while they are pushed to, each told once. */
static void
loses_clients_amid(void **state)
{
	enum {
		N = 6,
		ROUNDS = 30
	};
	struct rpcrig rig;
	struct pushed p[N] = { 0 };
	struct told t = { 0 };
	struct rk_client *c[N];
	struct rk_push push = { 0 };
	struct rk_push_target all = { .to = RK_PUSH_ALL };
	unsigned n = 0;

	begin(&rig, *state);
	for (size_t i = 0; i < N; i++)
		c[i] = push_client(&rig, &p[i], NULL);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < 5; i++) {
			push_number(&push, i, 1000);
			push_start(&rig, &all, &push, &t);
			n++;
		}
		rk_client_free(c[round % N]);
		c[round % N] = push_client(&rig, &p[round % N], NULL);
	}
	push_await_with(&rig, &t, n, c, N);
	assert_int_equal(t.sum.refused, 0);
	for (size_t i = 0; i < N; i++)
		rk_client_free(c[i]);
	rpcrig_end(&rig);
}

/* How many were taken before one was not. */
static unsigned
push_until_refused(
    struct rpcrig *rig, const struct rk_push_target *to, struct told *t)
{
	struct rk_push push = { .timeout = RK_NEVER };
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	enum rk_err r;
	unsigned n = 0;

	t->rig = rig;
	for (;;) {
		assert_true(rpcrig_now() < until);
		push_number(&push, n, PUSH);
		r = push_to(rig, to, &push, t);
		if (r != RK_OK)
			break;
		n++;
		push_settle(rig);
	}
	assert_int_equal(r, RK_ELIMIT);
	assert_true(n > 0);
	return n;
}

/* All that is under way has its bound, too. */
static void
bounds_all_of_them(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct pushed p = { 0 };
	struct told t = { 0 };
	struct rk_client *c;
	struct rk_push push = { .timeout = RK_NEVER };
	struct rk_push_target to = { .to = RK_PUSH_CONN };
	struct rk_push_report sum;
	unsigned n;

	rpcrig_init(&rig, run->kind, run->threads);
	rig.conf.max_push = 400000;
	rig.conf.max_queue = 64u << 20;
	rpcrig_start(&rig);
	c = push_client(&rig, &p, NULL);
	to.conn = push_conn_id(c);
	push_number(&push, 0, 1000000);
	assert_int_equal(push_try(&rig, &to, &push), RK_ELIMIT);
	n = push_until_refused(&rig, &to, &t);
	push_settle(&rig);
	sum = push_sum(&t);
	assert_true(sum.sent < n);
	/* It reads, and all is well again. */
	rpcrig_turn(c, &p.n, n);
	push_await_with(&rig, &t, n, &c, 1);
	assert_int_equal(t.sum.sent, n);
	push_number(&push, n, PUSH);
	push_start(&rig, &to, &push, &t);
	rpcrig_turn(c, &p.n, n + 1);
	assert_true(p.in_order);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* ---- many threads ---- */

struct pusher {
	struct rpcrig *rig;
	struct told *t;
	uint64_t conn;
	pthread_t thread;
	unsigned taken;
	unsigned refused;
};

#define BY_EACH 300

static void *
push_many(void *arg)
{
	struct pusher *me = arg;
	struct rk_push_target to[2] = {
		{ .to = RK_PUSH_CONN, .conn = me->conn }, { .to = RK_PUSH_ALL }
	};
	char text[16];

	for (unsigned i = 0; i < BY_EACH; i++) {
		struct rk_push push = { .subject = "many", .payload = text };
		enum rk_err r;

		(void)snprintf(text, sizeof(text), "%u", i);
		push.payload_len = strlen(text);
		r = push_to(me->rig, &to[i % 2], &push, me->t);
		if (r == RK_OK)
			me->taken++;
		else
			me->refused++;
	}
	return NULL;
}

static void
takes_many_threads(void **state)
{
	enum {
		THREADS = 4
	};
	struct rpcrig rig;
	struct pushed p[2] = { 0 };
	struct told t = { 0 };
	struct rk_client *c[2];
	struct pusher by[THREADS] = { 0 };
	uint64_t id[2];
	unsigned taken = 0;

	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < 2; i++) {
		c[i] = push_client(&rig, &p[i], NULL);
		id[i] = push_conn_id(c[i]);
	}
	t.rig = &rig;
	for (size_t i = 0; i < THREADS; i++) {
		by[i].rig = &rig;
		by[i].t = &t;
		by[i].conn = id[i % 2];
		assert_int_equal(
		    pthread_create(&by[i].thread, NULL, push_many, &by[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(by[i].thread, NULL), 0);
		assert_int_equal(by[i].refused, 0);
		taken += by[i].taken;
	}
	push_await_with(&rig, &t, taken, c, 2);
	assert_int_equal(t.sum.targets, taken / 2 * 3);
	assert_int_equal(t.sum.sent, t.sum.targets);
	push_sync(c[0]);
	push_sync(c[1]);
	assert_int_equal(p[0].n + p[1].n, t.sum.targets);
	for (size_t i = 0; i < 2; i++)
		rk_client_free(c[i]);
	rpcrig_end(&rig);
}

/* They go on while it stops: each is taken and told, or refused. */
static void
stops_amid_threads(void **state)
{
	enum {
		THREADS = 3
	};
	struct rpcrig rig;
	struct pushed p = { 0 };
	struct told t = { 0 };
	struct rk_client *c;
	struct pusher by[THREADS] = { 0 };
	unsigned taken = 0;

	rpcrig_begin(&rig, *state);
	c = push_client(&rig, &p, NULL);
	t.rig = &rig;
	for (size_t i = 0; i < THREADS; i++) {
		by[i].rig = &rig;
		by[i].t = &t;
		assert_int_equal(
		    pthread_create(&by[i].thread, NULL, push_many, &by[i]), 0);
	}
	rpcrig_stop(&rig, 0);
	rpcrig_await_stopped(&rig);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(by[i].thread, NULL), 0);
		taken += by[i].taken;
		assert_int_equal(by[i].taken + by[i].refused, BY_EACH);
	}
	push_await(&rig, &t, taken);
	rpcrig_fini(&rig);
	rk_client_free(c);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "never reads", bounds_what_waits, RPC_ALL },
		{ "the end", tells_of_the_end, RPC_ALL },
		{ "lost", tells_of_a_lost_client, RPC_ONLY(RPC_TCP) },
		{ "come and go", loses_clients_amid, RPC_ALL },
		{ "all of them", bounds_all_of_them, RPC_ALL },
		{ "threads", takes_many_threads, RPC_ALL },
		{ "stop amid threads", stops_amid_threads, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc push slow", cases, sizeof(cases) / sizeof(cases[0]));
}
