/* How many QUIC packets, spread over time, and what leaves before a goodbye. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/quic_int.h"

#include "base/error.h"
#include "quicnet.h"
#include "relay.h"

#define BLOCK (251u * 4096)
#define AHEAD (251u * 1000) /* less than the layer takes at once */
#define DELAY_MS 25
#define LEAVE_MS 3000

static struct quicnet net;
static struct relay *relay;
static struct quicnet_conn client;

static int
set_up(void **state)
{
	static const struct relay_faults slow = { .delay_ms = DELAY_MS };

	(void)state;
	quicnet_open(&net);
	relay = relay_start(net.loop, &net.at, 1);
	relay_set(relay, RELAY_UP, &slow);
	relay_set(relay, RELAY_DOWN, &slow);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	relay_stop(relay);
	quicnet_close(&net);
	return 0;
}

/* Through the relay; the server's end. */
static struct quicnet_conn *
begin(bool paced)
{
	unsigned accepted = net.accepted;

	net.server->pace_all = paced;
	quicnet_dial(&net, NULL, relay_addr(relay), &client);
	quicnet_await(&net, &client.opened, 1);
	quicnet_await(&net, &net.accepted, accepted + 1);
	return &net.conns[net.n - 1];
}

/* The most datagrams that leave within one millisecond. */
static uint64_t
find_burst(struct quicnet_conn *s)
{
	uint64_t most = 0;
	uint64_t sent = quicnet_stats(&net).io.sent;
	uint64_t at = net.time.now;

	quicnet_send(s, 4 * BLOCK);
	while (client.got < 4 * BLOCK) {
		uint64_t now = quicnet_stats(&net).io.sent;

		most = now - sent > most ? now - sent : most;
		if (net.time.now != at)
			sent = now;
		at = net.time.now;
		quicnet_turn(&net);
	}
	return most;
}

static void
packets_are_spread(void **state)
{
	uint64_t burst[2];

	(void)state;
	for (int paced = 0; paced < 2; paced++) {
		burst[paced] = find_burst(begin(paced == 1));
		quicnet_drain(&client);
	}
	/* All that waits at once, or a few packets and then the next. */
	assert_true(burst[1] <= 20);
	assert_true(burst[1] * 3 < burst[0] * 2);
}

/* ---- no more than are needed ---- */

/* One packet each way for each, long before an acknowledgement is late. */
static void
answers_confirm_what_they_answer(void **state)
{
	const unsigned n = 20;
	uint64_t sent = 0;

	(void)state;
	net.echoes = true;
	(void)begin(false);
	for (unsigned i = 1; i <= 2 * n; i++) {
		if (i == n + 1) /* sizes of the path are known by now */
			sent = quicnet_stats(&net).io.sent;
		quicnet_send(&client, 251);
		quicnet_await(&net, &client.got, i * 251);
	}
	sent = quicnet_stats(&net).io.sent - sent;
	quicnet_drain(&client);
	assert_int_equal(sent, n);
}

/* ---- what leaves before a goodbye ---- */

/* Closed as soon as the layer has the bytes, and freed. */
static void
close_now(struct quicnet_conn *c)
{
	struct rk_error why = { 0 };

	(void)err_set(&why, RK_ECANCELED, "in order");
	conn_abort(c->conn, &why);
	quicnet_await(&net, &c->closed, 1);
}

static void
all_leaves_before_a_goodbye(void **state)
{
	struct quicnet_conn *s;
	uint64_t begun;

	(void)state;
	for (int paced = 0; paced < 2; paced++) {
		s = begin(paced == 1);
		begun = net.time.now;
		quicnet_send(s, AHEAD);
		assert_int_equal(rk_loop_step(net.loop, 0), RK_OK);
		close_now(s);
		assert_true(net.time.now - begun < DELAY_MS);
		quicnet_await(&net, &client.closed, 1);
		assert_int_equal(client.got, AHEAD);
		assert_int_equal(client.why.code, RK_ECLOSED);
		assert_true(net.time.now - begun < LEAVE_MS);
		quicnet_drain(&client);
		quicnet_pass(&net, 1000);
		assert_int_equal(quicnet_stats(&net).conns, 0);
	}
}

/* Nobody has to hear a reason later because of bytes before it. */
static void
faults_do_not_wait(void **state)
{
	struct quicnet_conn *s = begin(true);
	struct rk_error why = { 0 };
	uint64_t begun = net.time.now;

	(void)state;
	quicnet_send(s, AHEAD);
	assert_int_equal(rk_loop_step(net.loop, 0), RK_OK);
	(void)err_set(&why, RK_EPROTO, "no message");
	conn_abort(s->conn, &why);
	quicnet_await(&net, &client.closed, 1);
	assert_true(net.time.now - begun < 2 * DELAY_MS);
	assert_true(client.got < AHEAD);
	quicnet_drain(&client);
}

/* The peer reads nothing, and has all that it may be sent. */
static void
fill_up(struct quicnet_conn *s)
{
	conn_pause(client.conn, true);
	quicnet_send(s, 3 * BLOCK);
	quicnet_pass(&net, 2000);
}

/* A peer that does not read cannot make it wait. */
static void
leaving_has_its_time(void **state)
{
	struct quicnet_conn *s = begin(true);
	uint64_t begun;

	(void)state;
	fill_up(s);
	close_now(s);
	quicnet_pass(&net, LEAVE_MS / 2);
	assert_int_equal(quicnet_stats(&net).conns, 1);
	assert_false(TAILQ_FIRST(&net.server->conns)->held);
	conn_pause(client.conn, false);
	quicnet_await(&net, &client.closed, 1);
	/* The window was 1 MiB: what waited behind it came, too. */
	assert_true(client.got > (1u << 20) + AHEAD / 2);
	quicnet_drain(&client);
	/* Nothing at all is read. */
	s = begin(true);
	fill_up(s);
	begun = net.time.now;
	close_now(s);
	while (quicnet_stats(&net).conns > 0)
		quicnet_turn(&net);
	assert_in_range(
	    net.time.now - begun, LEAVE_MS, LEAVE_MS + 20 * DELAY_MS);
	quicnet_drain(&client);
}

/* An endpoint that ends has no time left: goodbye at once. */
static void
ends_do_not_wait(void **state)
{
	struct quicnet_conn *s = begin(true);
	uint64_t begun = net.time.now;

	(void)state;
	quicnet_send(&client, AHEAD);
	assert_int_equal(rk_loop_step(net.loop, 0), RK_OK);
	close_now(&client);
	assert_int_equal(s->closed, 0);
	quic_end_free(client.own);
	quicnet_await(&net, &s->closed, 1);
	assert_int_equal(s->why.code, RK_ECLOSED);
	assert_true(net.time.now - begun < 2 * DELAY_MS);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(packets_are_spread),
		ROW(answers_confirm_what_they_answer),
		ROW(all_leaves_before_a_goodbye),
		ROW(faults_do_not_wait),
		ROW(leaving_has_its_time),
		ROW(ends_do_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
