/* QUIC servers that are gone without a word, and what only looks like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "net/quic_int.h"
#include "net/quic_io_int.h"

#include "quicnet.h"
#include "relay.h"

static struct quicnet net;
static struct quicnet_conn client;

static int
set_up(void **state)
{
	(void)state;
	quicnet_open(&net);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	quicnet_close(&net);
	return 0;
}

/* The newest of the server's ends. */
static struct quicnet_conn *
served(void)
{
	return &net.conns[net.n - 1];
}

/* Somebody else, who answers nothing. */
static int
bind_to_server(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, &net.at.u.sa, net.at.len), 0);
	return fd;
}

static void
a_dead_server_is_missed(void **state)
{
	uint64_t begun;
	int mute;

	(void)state;
	(void)quicnet_connect(&net, NULL, &client);
	quicnet_stop(&net);
	mute = bind_to_server();
	begun = net.time.now;
	quicnet_await(&net, &client.closed, 1);
	assert_int_equal(client.why.code, RK_ETIMEOUT);
	assert_in_range(net.time.now - begun, 29000, 31000);
	quicnet_drain(&client);
	assert_int_equal(close(mute), 0);
	quicnet_start(&net, net.rig.seed);
}

/* The port is closed, which everybody may say: it counts when nothing else is
 * heard. */
static void
a_gone_server_is_missed_sooner(void **state)
{
	uint64_t begun;

	(void)state;
	for (int asks = 0; asks < 2; asks++) {
		(void)quicnet_connect(&net, NULL, &client);
		quicnet_pass(&net, 1000);
		quicnet_stop(&net);
		begun = net.time.now;
		if (asks)
			quicnet_send(&client, 251);
		quicnet_await(&net, &client.closed, 1);
		assert_int_equal(client.why.code, RK_ECLOSED);
		assert_int_equal(client.why.sys, ECONNREFUSED);
		/* Who says nothing finds out with the next sign of life. */
		if (asks)
			assert_in_range(net.time.now - begun, 2900, 4000);
		else
			assert_in_range(net.time.now - begun, 2900, 14000);
		quicnet_drain(&client);
		quicnet_start(&net, net.rig.seed);
	}
}

/* Nor is it an end in order, for who has waited for one. */
static void
a_gone_server_has_not_agreed(void **state)
{
	struct quicnet_conn *s = quicnet_connect(&net, NULL, &client);

	(void)state;
	quicnet_send(&client, 251);
	quicnet_await(&net, &s->got, 251);
	quicnet_pass(&net, 1000);
	quicnet_stop(&net);
	conn_finish(client.conn);
	quicnet_await(&net, &client.closed, 1);
	assert_int_equal(client.why.code, RK_ECLOSED);
	quicnet_drain(&client);
	quicnet_start(&net, net.rig.seed);
}

/* As if an ICMP error had come with the server's next packet. */
static void
forge_icmp(struct quicnet_conn *c)
{
	c->own->io->refused = ECONNREFUSED;
	quicnet_send(served(), 251);
	while (c->own->io->refused != 0)
		quicnet_turn(&net);
}

/* A forged one makes the client ask, and nothing more; also where the answer
 * takes longer than that is given otherwise. */
static void
forged_icmp_ends_nothing(void **state)
{
	static const struct relay_faults ways[] = { { .drop = 0 },
		{ .delay_ms = 1500 } };
	struct relay *r = relay_start(net.loop, &net.at, 5);
	struct relay_count before, after;

	(void)state;
	quicnet_dial(&net, NULL, relay_addr(r), &client);
	quicnet_await(&net, &client.opened, 1);
	quicnet_await(&net, &net.accepted, 1);
	for (size_t i = 0; i < 2; i++) {
		relay_set(r, RELAY_UP, &ways[i]);
		relay_set(r, RELAY_DOWN, &ways[i]);
		for (int k = 0; k < 5; k++) { /* it learns how long they take */
			quicnet_send(&client, 251);
			quicnet_pass(&net, 5000);
		}
		for (int k = 0; k < 5; k++) {
			relay_count(r, RELAY_UP, &before);
			forge_icmp(&client);
			quicnet_pass(&net, 4000);
			relay_count(r, RELAY_UP, &after);
			assert_in_range(after.in - before.in, 1, 12);
			assert_int_equal(client.closed, 0);
		}
		quicnet_pass(&net, 60000);
		assert_int_equal(client.closed, 0);
	}
	quicnet_drain(&client);
	relay_stop(r);
}

/* What anybody can make up is no sign of the peer. */
static void
noise_is_no_sign_of_the_gone(void **state)
{
	struct relay *r = relay_start(net.loop, &net.at, 6);
	static const struct relay_faults noise = { .flip = 100 };
	uint64_t begun;

	(void)state;
	quicnet_dial(&net, NULL, relay_addr(r), &client);
	quicnet_await(&net, &client.opened, 1);
	quicnet_await(&net, &net.accepted, 1);
	quicnet_pass(&net, 1000);
	relay_set(r, RELAY_DOWN, &noise);
	begun = net.time.now;
	forge_icmp(&client);
	while (client.closed == 0) {
		quicnet_send(served(), 251);
		quicnet_pass(&net, 100);
	}
	assert_int_equal(client.why.code, RK_ECLOSED);
	assert_in_range(net.time.now - begun, 2900, 4500);
	quicnet_drain(&client);
	relay_stop(r);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(a_dead_server_is_missed),
		ROW(a_gone_server_is_missed_sooner),
		ROW(a_gone_server_has_not_agreed),
		ROW(forged_icmp_ends_nothing),
		ROW(noise_is_no_sign_of_the_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
