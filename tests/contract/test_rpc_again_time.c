/* The pauses of a client that comes back, by a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "againrig.h"
#include "rawpeer.h"
#include "vtime.h"

#define DAY_MS 86400000u

struct world {
	struct againrig r;
	struct rk_loop *loop;
	struct vtime time;
	const char *urls[3];
	char url[2][128];
};

static void
world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	assert_int_equal(rk_loop_new(&w->loop), RK_OK);
	vtime_start(&w->time, w->loop, DAY_MS);
}

static void
world_start(struct world *w, uint64_t first_ms, uint64_t max_ms)
{
	w->r.again.first_ms = first_ms;
	w->r.again.max_ms = max_ms;
	w->r.conf.loop = w->loop;
	again_start(&w->r);
}

static void
world_fini(struct world *w)
{
	again_end(&w->r);
	rk_loop_free(w->loop);
}

static void
turn_until(struct world *w, const unsigned *n, unsigned want)
{
	while (*n < want)
		vtime_turn(&w->time);
}

/* By chance, but never less than half nor more than all of it. */
static void
check_pause(const struct again_loss *l, uint64_t ms)
{
	assert_in_range(l->next_ms, ms / 2, ms);
}

static void
doubles_up_to_the_longest(void **state)
{
	static const uint64_t pauses[] = { 100, 200, 400, 800, 1500, 1500,
		1500 };
	const size_t n = sizeof(pauses) / sizeof(pauses[0]);
	struct world w;
	bool differs = false;
	int fd;

	(void)state;
	world_init(&w);
	fd = again_dead(RPC_TCP, w.url[0]);
	w.urls[0] = w.url[0];
	again_init(&w.r, false, w.urls);
	w.r.again.attempts = (unsigned)n + 1;
	world_start(&w, 100, 1500);
	turn_until(&w, &w.r.closed, 1);
	assert_int_equal(w.r.lost, n);
	for (size_t i = 0; i < n; i++) {
		const struct again_loss *l = &w.r.losses[i];

		check_pause(l, pauses[i]);
		assert_int_equal(l->rounds, i + 1);
		differs = differs || l->next_ms != pauses[i];
		if (i == 0)
			continue;
		assert_in_range(
		    l->at - l[-1].at, l[-1].next_ms, l[-1].next_ms + 2);
	}
	assert_true(differs); /* seven times by chance: never */
	assert_int_equal(w.r.why.code, RK_ECONNECT);
	world_fini(&w);
	assert_int_equal(close(fd), 0);
}

static void
takes_the_defaults(void **state)
{
	struct world w;
	int fd;

	(void)state;
	world_init(&w);
	fd = again_dead(RPC_TCP, w.url[0]);
	w.urls[0] = w.url[0];
	again_init(&w.r, false, w.urls);
	world_start(&w, 0, 0);
	turn_until(&w, &w.r.lost, 14); /* and does not give up */
	check_pause(&w.r.losses[0], 100);
	check_pause(&w.r.losses[8], 25600);
	for (unsigned i = 9; i < 14; i++)
		check_pause(&w.r.losses[i], 30000);
	world_fini(&w);
	assert_int_equal(close(fd), 0);
}

/* Who takes connections only to drop them is not asked more and more often. */
static void
is_not_fooled_by_a_flapping_server(void **state)
{
	struct world w;
	int listener;

	(void)state;
	world_init(&w);
	listener = raw_listen(w.url[0]);
	w.urls[0] = w.url[0];
	again_init(&w.r, false, w.urls);
	w.r.again.attempts = 2; /* no round fails */
	world_start(&w, 100, 1000);
	for (unsigned i = 0; i < 6; i++) {
		turn_until(&w, &w.r.connected, i + 1);
		raw_close(raw_accept(listener));
		turn_until(&w, &w.r.lost, i + 1);
		assert_true(w.r.losses[i].was_open);
		assert_int_equal(w.r.losses[i].rounds, 0);
		check_pause(&w.r.losses[i], i < 4 ? 100u << i : 1000);
	}
	/* One that lasted is another matter. */
	turn_until(&w, &w.r.connected, 7);
	vtime_pass(&w.time, 1000);
	raw_close(raw_accept(listener));
	turn_until(&w, &w.r.lost, 7);
	check_pause(&w.r.losses[6], 100);
	world_fini(&w);
	raw_close(listener);
}

/* A pause is of all addresses: none of them has one of its own. */
static void
pauses_once_a_round(void **state)
{
	struct world w;
	int fd[2];

	(void)state;
	world_init(&w);
	for (int i = 0; i < 2; i++) {
		fd[i] = again_dead(RPC_TCP, w.url[i]);
		w.urls[i] = w.url[i];
	}
	again_init(&w.r, false, w.urls);
	w.r.again.attempts = 3;
	world_start(&w, 10000, 10000);
	turn_until(&w, &w.r.closed, 1);
	assert_int_equal(w.r.lost, 2);
	assert_int_equal(w.r.losses[0].rounds, 1);
	assert_int_equal(w.r.losses[1].rounds, 2);
	assert_in_range(w.time.now, 11000, 1000 + 20000 + 10);
	world_fini(&w);
	for (int i = 0; i < 2; i++)
		assert_int_equal(close(fd[i]), 0);
}

/* Calls end by their own deadlines, however long the pause is. */
static void
keeps_deadlines_in_a_pause(void **state)
{
	struct rpcanswer a[2] = { 0 };
	struct world w;
	int fd;

	(void)state;
	world_init(&w);
	fd = again_dead(RPC_TCP, w.url[0]);
	w.urls[0] = w.url[0];
	again_init(&w.r, false, w.urls);
	world_start(&w, 3600000, 3600000);
	turn_until(&w, &w.r.lost, 1);
	(void)rpcrig_submit_for(w.r.client, "soon", 1000, &a[0]);
	(void)again_submit(&w.r, "default", true, NULL, 0, &a[1]);
	turn_until(&w, &a[0].n, 1);
	assert_int_equal(a[0].code, RK_ETIMEOUT);
	assert_in_range(w.time.now, 2000, 2010);
	turn_until(&w, &a[1].n, 1);
	assert_int_equal(a[1].code, RK_ETIMEOUT);
	assert_false(a[1].maybe_executed);
	assert_in_range(w.time.now, 31000, 31010);
	assert_int_equal(w.r.lost, 1);
	world_fini(&w);
	assert_int_equal(close(fd), 0);
}

/* Nearly no limit is none: nothing begins anew at zero. */
static void
takes_the_largest_numbers(void **state)
{
	static struct rpcanswer a[9];
	const char *urls[3] = { 0 };
	struct world w;
	int listener, peer;

	(void)state;
	memset(a, 0, sizeof(a));
	world_init(&w);
	listener = raw_listen(w.url[0]);
	urls[0] = w.url[0];
	again_init(&w.r, false, urls);
	w.r.conf.max_queue = SIZE_MAX;
	w.r.conf.call_timeout = RK_NEVER - 1;
	world_start(&w, 100, 1000);
	for (int i = 0; i < 8; i++)
		(void)again_submit(
		    &w.r, "long", true, rpcrig_bytes, RK_PAYLOAD_MAX, &a[i]);
	(void)rpcrig_submit_for(w.r.client, "given", RK_NEVER - 1, &a[8]);
	turn_until(&w, &w.r.connected, 1);
	peer = raw_accept(listener);
	vtime_pass(&w.time, 20);
	for (int i = 0; i < 9; i++)
		assert_int_equal(a[i].n, 0);
	assert_int_equal(w.r.lost, 0);
	raw_close(peer); /* it would have all of it first */
	world_fini(&w);
	for (int i = 0; i < 9; i++)
		assert_int_equal(a[i].code, RK_ECANCELED);
	raw_close(listener);
}

/* A silent server is asked once an interval; one that talks is not. */
static void
asks_only_who_is_silent(void **state)
{
	struct world w;
	struct msg m;
	int listener, peer;

	(void)state;
	world_init(&w);
	listener = raw_listen(w.url[0]);
	w.urls[0] = w.url[0];
	again_init(&w.r, false, w.urls);
	w.r.again.health_ms = 5000;
	world_start(&w, 100, 1000);
	turn_until(&w, &w.r.connected, 1);
	peer = raw_accept(listener);
	for (int i = 0; i < 3; i++) {
		struct buf b;

		vtime_pass(&w.time, 4000);
		buf_init(&b, SIZE_MAX);
		raw_typed(&b, RK_TYPE_ONEWAY, "push", 1);
		raw_put(peer, buf_peek(&b), buf_len(&b));
		buf_fini(&b);
	}
	vtime_pass(&w.time, 2999); /* 15 s: the last said nothing yet */
	assert_int_equal(recv(peer, &m, 1, MSG_DONTWAIT | MSG_PEEK), -1);
	turn_until(&w, &w.r.lost, 1); /* asked, and not answered */
	raw_get(peer, &m);
	assert_memory_equal(m.hdr.to_service.ptr, "_.ping", 6);
	assert_int_equal(w.r.losses[0].code, RK_ETIMEOUT);
	assert_in_range(w.r.losses[0].at, 1000 + 20000, 1000 + 25010);
	raw_close(peer);
	world_fini(&w);
	raw_close(listener);
}

/* A world whose client watches the server in turns of five seconds, connected;
 * the server's end. */
static int
begin_watched(struct world *w, int listener[2], size_t max_queue)
{
	world_init(w);
	for (int i = 0; i < 2; i++) {
		listener[i] = raw_listen(w->url[i]);
		w->urls[i] = w->url[i];
	}
	again_init(&w->r, false, w->urls);
	w->r.again.health_ms = 5000;
	w->r.conf.max_queue = max_queue;
	w->r.conf.call_timeout = RK_NEVER;
	w->r.conf.dead_peer = RK_NEVER;
	world_start(w, 100, 1000);
	turn_until(w, &w->r.connected, 1);
	return raw_accept(listener[0]);
}

/* It has been lost: the next connection is the other server's. */
static void
end_watched(struct world *w, const int listener[2], int peer)
{
	turn_until(w, &w->r.connected, 2);
	assert_int_equal(w->r.lost, 1);
	assert_int_equal(w->r.losses[0].code, RK_ETIMEOUT);
	raw_close(peer);
	raw_close(raw_accept(listener[1]));
	world_fini(w);
	for (int i = 0; i < 2; i++)
		raw_close(listener[i]);
}

/* Whatever comes is a sign of life, though no question is ever answered: a
 * push, a word that it is there, a long message bit by bit. */
static void
hears_whatever_comes(void **state)
{
	static const int64_t types[] = { RK_TYPE_ONEWAY, RK_TYPE_PONG,
		RK_TYPE_REPLY };
	struct world w;
	int listener[2], peer;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		bool whole = types[i] != RK_TYPE_REPLY;
		struct buf b;
		size_t n;

		peer = begin_watched(&w, listener, 0);
		buf_init(&b, SIZE_MAX);
		raw_typed(&b, types[i], "what", 0);
		n = whole ? buf_len(&b) : 1;
		/* At 5 s it is asked, at 10 s it would be lost, and so on;
		 * for a message there are 30 s in all. */
		for (unsigned k = 0; k < 4; k++) {
			vtime_pass(&w.time, 7000);
			if (w.r.lost != 0)
				fail_msg("kind %u: lost after %u", i, k);
			raw_put(peer, buf_peek(&b) + (whole ? 0 : k), n);
		}
		buf_fini(&b);
		end_watched(&w, listener, peer);
	}
}

#define LONG_CALLS 8

/* A long request on a slow way is in front of the question. */
static void
lets_a_question_wait_for_its_turn(void **state)
{
	static struct rpcanswer a[LONG_CALLS];
	static uint8_t raw[65536];
	struct world w;
	int listener[2], peer;
	size_t total = 0;
	struct buf rest;

	(void)state;
	buf_init(&rest, SIZE_MAX);
	peer = begin_watched(&w, listener, 32u << 20);
	for (int i = 0; i < LONG_CALLS; i++)
		(void)again_submit(
		    &w.r, "long", false, rpcrig_bytes, RK_PAYLOAD_MAX, &a[i]);
	/* Minutes in all, and no answer to anything.  What the kernel has taken
	 * cannot be told from what has arrived. */
	while (w.r.lost == 0) {
		ssize_t n = recv(peer, raw, sizeof(raw), MSG_DONTWAIT);

		total += n > 0 ? (size_t)n : 0;
		vtime_pass(&w.time, 1000);
	}
	assert_true(w.time.now > 60000);
	raw_drain(peer, &rest);
	assert_true(total + buf_len(&rest) > LONG_CALLS * RK_PAYLOAD_MAX);
	buf_fini(&rest);
	end_watched(&w, listener, peer);
}

/* Where nothing goes out any more the question does not either: the connection
 * has its own limit, and then it is the next address's turn. */
static void
leaves_who_takes_nothing(void **state)
{
	static struct rpcanswer a[LONG_CALLS];
	struct rk_request req = { .method = "long",
		.payload = rpcrig_bytes,
		.payload_len = RK_PAYLOAD_MAX };
	struct world w;
	int listener[2], peer;
	int n = 0;

	(void)state;
	memset(a, 0, sizeof(a));
	peer = begin_watched(&w, listener, 100000);
	while (n < LONG_CALLS && rk_client_submit(w.r.client, &req,
	                             rpcrig_on_reply, &a[n], NULL) == RK_OK) {
		n++;
		vtime_pass(&w.time, 1);
	}
	assert_in_range(n, 1, LONG_CALLS - 1);
	end_watched(&w, listener, peer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_up_to_the_longest),
		cmocka_unit_test(takes_the_defaults),
		cmocka_unit_test(is_not_fooled_by_a_flapping_server),
		cmocka_unit_test(pauses_once_a_round),
		cmocka_unit_test(keeps_deadlines_in_a_pause),
		cmocka_unit_test(takes_the_largest_numbers),
		cmocka_unit_test(asks_only_who_is_silent),
		cmocka_unit_test(hears_whatever_comes),
		cmocka_unit_test(lets_a_question_wait_for_its_turn),
		cmocka_unit_test(leaves_who_takes_nothing),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
