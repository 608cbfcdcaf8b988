/* Floods of QUIC's first packets, and what they are answered with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "quicpeer.h"

#define INITIAL 1200

static struct quicnet net;
static struct quicnet_conn friend; /* whom all of it must not disturb */

static int
set_up(void **state)
{
	(void)state;
	quicnet_befriend(&net, 64, &friend);
	return 0;
}

/* Never asks for proofs of address. */
static int
set_up_trusting(void **state)
{
	(void)state;
	quicnet_befriend(&net, UINT_MAX, &friend);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	quicnet_part(&net, &friend);
	return 0;
}

/* First packets of peers that never answer: what they are worth in bytes. */
static void
amplifies_little(void **state)
{
	enum {
		PEERS = 1000
	};
	static int fd[PEERS];
	size_t out = 0, in, total = 0;
	struct quicpeer p;
	uint8_t answer[65536];

	(void)state;
	for (size_t i = 0; i < PEERS; i++) {
		quicpeer_init(&p, &net, NULL);
		p.holds = p.deaf = true;
		quicpeer_start(&p);
		assert_int_equal(p.n_held, 1);
		fd[i] = quicnet_socket(&net);
		quicnet_put(fd[i], p.held[0].data, p.held[0].len);
		out += p.held[0].len;
		quicpeer_free(&p);
		quicnet_settle(&net);
	}
	/* As long as the server asks again, and until it gives up. */
	quicnet_pass(&net, 40000);
	for (size_t i = 0; i < PEERS; i++) {
		size_t n;

		in = 0;
		while ((n = quicnet_take(fd[i], answer, sizeof(answer))) > 0)
			in += n;
		assert_true(in > 0);
		assert_true(in <= 3 * INITIAL);
		total += in;
		(void)close(fd[i]);
	}
	assert_true(total <= 3 * out);
	assert_int_equal(quicnet_stats(&net).half_open, 0);
	assert_int_equal(quicnet_stats(&net).conns, 1);
}

/* The same against a server that asks for proofs: few are remembered, and who
 * is real gets through meanwhile. */
static void
floods_cost_little(void **state)
{
	enum {
		PEERS = 1000,
		RETRY_FROM = 64
	};
	struct quicpeer p;
	struct quic_end_stats s;

	(void)state;
	for (size_t i = 0; i < PEERS; i++) {
		quicpeer_init(&p, &net, NULL);
		p.holds = p.deaf = true;
		quicpeer_start(&p);
		quicpeer_let_go(&p, 0);
		quicpeer_free(&p);
		quicnet_settle(&net);
		s = quicnet_stats(&net);
		assert_true(s.half_open <= RETRY_FROM);
		assert_true(s.conns <= 1 + RETRY_FROM);
	}
	assert_int_equal(s.half_open, RETRY_FROM);
	assert_int_equal(s.retries, PEERS - RETRY_FROM);
	quicpeer_connect(&p, &net, NULL);
	assert_int_equal(p.retries, 1);
	quicpeer_free(&p);
}

/* Bytes that have come to this socket, until nothing more does. */
static size_t
count_bytes(int fd)
{
	uint8_t answer[65536];
	size_t total = 0;
	size_t n;

	while ((n = quicnet_take(fd, answer, sizeof(answer))) > 0)
		total += n;
	return total;
}

/* Somebody who has a connection says that it is somebody else now, who never
 * asked for anything: a packet of its own, from there, while much waits to be
 * sent. */
static void
amplifies_little_at_new_addresses(void **state)
{
	struct quicpeer p;
	struct quicnet_conn *s;
	int fd = quicnet_socket(&net);
	size_t sent, came;
	uint8_t byte = 0;
	int64_t id;

	(void)state;
	quicpeer_connect(&p, &net, NULL);
	assert_int_equal(quicpeer_open(&p, false, &id), 0);
	quicpeer_say(&p, id, &byte, 1, false);
	quicnet_await(&net, &p.got, 1);
	s = &net.conns[net.n - 1];
	p.holds = p.deaf = true;
	byte = 1;
	quicpeer_say(&p, id, &byte, 1, false);
	assert_int_equal(p.n_held, 1);
	p.dead = 1; /* nothing more comes from where it was */
	sent = p.held[0].len;
	quicnet_put(fd, p.held[0].data, sent);
	quicnet_settle(&net);
	assert_int_equal(s->got, 2);
	quicnet_send(s, 251 * 1000);
	quicnet_pass(&net, 20000);
	came = count_bytes(fd);
	assert_true(came > 0);
	assert_true(came <= 3 * sent);
	quicpeer_free(&p);
	(void)close(fd);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    amplifies_little, set_up_trusting, tear_down),
		ROW(floods_cost_little),
		ROW(amplifies_little_at_new_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
