/* The relay of the tests: every fault happens, and only when asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/loop.h"

#include "relay.h"

#define PATIENCE_MS 60000
#define MANY 1000
#define LEN 64

/* A server and two clients, played by hand, and a clock of our own. */
struct box {
	struct rk_loop *loop;
	struct relay *relay;
	uint64_t now;
	int server;
	int client[2];
	struct addr server_at;
	struct addr from; /* of what the server heard last */
};

static uint64_t
tell_time(void *arg)
{
	return ((const struct box *)arg)->now;
}

static int
open_socket(const char *host, struct addr *at)
{
	const int size = 4 * 1024 * 1024;
	struct addr_url url = { .scheme = ADDR_TCP };
	size_t n;
	int fd;

	(void)snprintf(url.host, sizeof(url.host), "%s", host);
	assert_int_equal(addr_resolve(&url, true, at, 1, &n, NULL), RK_OK);
	fd = socket(at->u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	assert_int_equal(bind(fd, &at->u.sa, at->len), 0);
	assert_int_equal(getsockname(fd, &at->u.sa, &at->len), 0);
	return fd;
}

static void
open_box(struct box *b, uint64_t seed)
{
	struct addr at;

	*b = (struct box){ .now = 1000 };
	assert_int_equal(rk_loop_new(&b->loop), RK_OK);
	loop_set_clock(b->loop, tell_time, b);
	b->server = open_socket("127.0.0.1", &b->server_at);
	b->relay = relay_start(b->loop, &b->server_at, seed);
	for (size_t i = 0; i < 2; i++) {
		b->client[i] = open_socket("127.0.0.1", &at);
		assert_int_equal(
		    connect(b->client[i], &relay_addr(b->relay)->u.sa,
		        relay_addr(b->relay)->len),
		    0);
	}
}

static void
close_box(struct box *b)
{
	relay_stop(b->relay);
	rk_loop_free(b->loop);
	assert_int_equal(close(b->server) | close(b->client[0]), 0);
	assert_int_equal(close(b->client[1]), 0);
}

/* Let the relay do all it can at this time. */
static void
turn(struct box *b)
{
	for (int i = 0; i < 4 + MANY / 16; i++)
		assert_int_equal(rk_loop_step(b->loop, 0), RK_OK);
}

static void
ask(struct box *b, int client, const void *data, size_t len)
{
	assert_int_equal(send(b->client[client], data, len, 0), len);
}

/* What the server hears, -1: nothing. */
static ssize_t
hear(struct box *b, uint8_t *buf, size_t cap)
{
	b->from = (struct addr){ .len = sizeof(b->from.u) };
	return recvfrom(
	    b->server, buf, cap, MSG_DONTWAIT, &b->from.u.sa, &b->from.len);
}

static void
reply(struct box *b, const void *data, size_t len)
{
	assert_int_equal(
	    sendto(b->server, data, len, 0, &b->from.u.sa, b->from.len), len);
}

static ssize_t
answer_of(struct box *b, int client, uint8_t *buf, size_t cap)
{
	return recv(b->client[client], buf, cap, MSG_DONTWAIT);
}

/* Numbered datagrams of LEN bytes through the relay; the numbers that come. */
static size_t
send_many(struct box *b, unsigned n, unsigned *got)
{
	uint8_t buf[LEN];
	size_t heard = 0;

	for (unsigned i = 0; i < n; i++) {
		memset(buf, 0, sizeof(buf));
		memcpy(buf, &i, sizeof(i));
		ask(b, 0, buf, sizeof(buf));
		if (i % 16 == 15)
			turn(b);
	}
	turn(b);
	b->now += 1000;
	turn(b);
	while (heard < 2 * (size_t)MANY && hear(b, buf, sizeof(buf)) == LEN)
		memcpy(&got[heard++], buf, sizeof(unsigned));
	return heard;
}

/* ---- without faults ---- */

static void
passes_all(void **state)
{
	static unsigned got[2 * MANY];
	struct relay_count up;
	struct relay_count down;
	struct addr from[2];
	uint8_t buf[100];
	struct box b;

	(void)state;
	open_box(&b, 1);
	assert_int_equal(send_many(&b, MANY, got), MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(got[i], i);
	/* Each client has its port, and the answers to it. */
	for (int i = 0; i < 2; i++) {
		ask(&b, i, "ask", 3 - (size_t)i);
		turn(&b);
		assert_int_equal(hear(&b, buf, sizeof(buf)), 3 - i);
		assert_memory_equal(buf, "ask", 3 - (size_t)i);
		reply(&b, "answer", 6 - (size_t)i);
		turn(&b);
		assert_int_equal(answer_of(&b, i, buf, sizeof(buf)), 6 - i);
		assert_int_equal(answer_of(&b, 1 - i, buf, 1), -1);
		from[i] = b.from;
	}
	assert_int_not_equal(from[0].u.in.sin_port, from[1].u.in.sin_port);
	relay_count(b.relay, RELAY_UP, &up);
	relay_count(b.relay, RELAY_DOWN, &down);
	assert_int_equal(up.in, MANY + 2);
	assert_int_equal(up.in_bytes, MANY * LEN + 5);
	assert_int_equal(up.out, MANY + 2);
	assert_int_equal(up.out_bytes, MANY * LEN + 5);
	assert_int_equal(down.in, 2);
	assert_int_equal(down.in_bytes, 11);
	assert_int_equal(down.out_bytes, 11);
	close_box(&b);
}

static void
has_a_name(void **state)
{
	char text[ADDR_TEXT_LEN];
	char want[ADDR_TEXT_LEN];
	struct box b;

	(void)state;
	open_box(&b, 1);
	relay_text(b.relay, text);
	(void)snprintf(want, sizeof(want), "127.0.0.1:%u",
	    (unsigned)ntohs(relay_addr(b.relay)->u.in.sin_port));
	assert_string_equal(text, want);
	close_box(&b);
	relay_stop(NULL);
}

/* ---- faults ---- */

static void
drops_by_the_seed(void **state)
{
	const struct relay_faults bad = { .drop = 20 };
	const struct relay_faults good = { 0 };
	static unsigned got[3][2 * MANY];
	size_t n[3];
	struct box b;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		open_box(&b, i == 2 ? 8 : 7);
		relay_set(b.relay, RELAY_UP, &bad);
		n[i] = send_many(&b, MANY, got[i]);
		relay_set(b.relay, RELAY_UP, &good);
		assert_true(n[i] > MANY * 7 / 10 && n[i] < MANY * 9 / 10);
		assert_int_equal(send_many(&b, 100, got[2]), 100);
		close_box(&b);
	}
	assert_int_equal(n[0], n[1]);
	assert_memory_equal(got[0], got[1], n[0] * sizeof(got[0][0]));
	/* Another seed, other victims. */
	open_box(&b, 8);
	relay_set(b.relay, RELAY_UP, &bad);
	n[2] = send_many(&b, MANY, got[2]);
	assert_true(n[2] != n[0] ||
	            memcmp(got[0], got[2], n[0] * sizeof(got[0][0])) != 0);
	close_box(&b);
}

static void
drops_one_way_only(void **state)
{
	const struct relay_faults bad = { .drop = 100 };
	struct relay_count count;
	uint8_t buf[8];
	struct box b;

	(void)state;
	open_box(&b, 1);
	relay_set(b.relay, RELAY_DOWN, &bad);
	ask(&b, 0, "a", 1);
	turn(&b);
	assert_int_equal(hear(&b, buf, sizeof(buf)), 1);
	reply(&b, "bb", 2);
	turn(&b);
	assert_int_equal(answer_of(&b, 0, buf, sizeof(buf)), -1);
	relay_count(b.relay, RELAY_DOWN, &count);
	assert_int_equal(count.in_bytes, 2);
	assert_int_equal(count.out, 0);
	close_box(&b);
}

static void
repeats(void **state)
{
	const struct relay_faults bad = { .duplicate = 100 };
	const struct relay_faults some = { .duplicate = 30 };
	static unsigned got[2 * MANY];
	struct relay_count count;
	struct box b;
	size_t n;

	(void)state;
	open_box(&b, 1);
	relay_set(b.relay, RELAY_UP, &bad);
	assert_int_equal(send_many(&b, MANY, got), 2 * MANY);
	for (unsigned i = 0; i < 2 * MANY; i++)
		assert_int_equal(got[i], i / 2);
	relay_count(b.relay, RELAY_UP, &count);
	assert_int_equal(count.in, MANY);
	assert_int_equal(count.out_bytes, 2 * MANY * LEN);
	relay_set(b.relay, RELAY_UP, &some);
	n = send_many(&b, MANY, got);
	assert_true(n > MANY * 12 / 10 && n < MANY * 14 / 10);
	close_box(&b);
}

static void
reorders(void **state)
{
	const struct relay_faults bad = { .reorder = 25 };
	static unsigned got[2 * MANY];
	static unsigned seen[MANY];
	unsigned late = 0;
	struct box b;

	(void)state;
	memset(seen, 0, sizeof(seen));
	open_box(&b, 1);
	relay_set(b.relay, RELAY_UP, &bad);
	assert_int_equal(send_many(&b, MANY, got), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		assert_true(got[i] < MANY);
		assert_int_equal(seen[got[i]]++, 0);
		late += i > 0 && got[i] < got[i - 1];
	}
	assert_true(late > 0);
	close_box(&b);
}

static void
delays(void **state)
{
	const struct relay_faults bad = { .delay_ms = 50, .jitter_ms = 100 };
	unsigned within[3] = { 0 };
	uint8_t buf[8];
	struct box b;

	(void)state;
	open_box(&b, 1);
	relay_set(b.relay, RELAY_UP, &bad);
	for (unsigned i = 0; i < 200; i++)
		ask(&b, 0, "a", 1);
	turn(&b);
	for (unsigned ms = 0; ms <= 150; ms++) {
		turn(&b);
		while (hear(&b, buf, sizeof(buf)) == 1) {
			assert_true(ms >= 50);
			within[ms < 100 ? 0 : ms < 150 ? 1 : 2]++;
		}
		b.now++;
	}
	assert_int_equal(within[0] + within[1] + within[2], 200);
	assert_true(within[0] > 50 && within[1] > 50);
	close_box(&b);
}

static void
flips_a_bit(void **state)
{
	const struct relay_faults bad = { .flip = 100 };
	const uint8_t zero[LEN] = { 0 };
	unsigned places[8 * LEN] = { 0 };
	unsigned different = 0;
	uint8_t buf[LEN];
	struct box b;

	(void)state;
	open_box(&b, 1);
	relay_set(b.relay, RELAY_UP, &bad);
	for (unsigned i = 0; i < MANY; i++) {
		unsigned wrong = 0;

		ask(&b, 0, zero, sizeof(zero));
		assert_int_equal(rk_loop_step(b.loop, PATIENCE_MS), RK_OK);
		assert_int_equal(hear(&b, buf, sizeof(buf)), LEN);
		for (size_t k = 0; k < 8 * sizeof(buf); k++) {
			if ((buf[k / 8] >> k % 8 & 1) == 0)
				continue;
			wrong++;
			different += places[k]++ == 0;
		}
		assert_int_equal(wrong, 1);
	}
	assert_true(different > 8 * LEN / 2);
	close_box(&b);
}

static void
truncates(void **state)
{
	const struct relay_faults bad = { .truncate = 100 };
	unsigned lens[LEN + 1] = { 0 };
	unsigned different = 0;
	uint8_t full[LEN];
	uint8_t buf[LEN];
	struct box b;

	(void)state;
	for (size_t i = 0; i < sizeof(full); i++)
		full[i] = (uint8_t)i;
	open_box(&b, 1);
	relay_set(b.relay, RELAY_UP, &bad);
	for (unsigned i = 0; i < MANY; i++) {
		ssize_t n;

		ask(&b, 0, full, sizeof(full));
		assert_int_equal(rk_loop_step(b.loop, PATIENCE_MS), RK_OK);
		n = hear(&b, buf, sizeof(buf));
		assert_true(n > 0 && n < LEN);
		assert_memory_equal(buf, full, (size_t)n);
		different += lens[n]++ == 0;
	}
	assert_true(different > LEN / 2);
	close_box(&b);
}

/* ---- ways ---- */

static void
rebinds(void **state)
{
	struct addr old;
	uint8_t buf[8];
	struct box b;

	(void)state;
	open_box(&b, 1);
	ask(&b, 0, "a", 1);
	turn(&b);
	assert_int_equal(hear(&b, buf, sizeof(buf)), 1);
	old = b.from;
	for (int i = 0; i < 3; i++) {
		relay_rebind(b.relay);
		/* The old way back is gone. */
		b.from = old;
		reply(&b, "lost", 4);
		turn(&b);
		assert_int_equal(answer_of(&b, 0, buf, sizeof(buf)), -1);
		ask(&b, 0, "b", 1);
		turn(&b);
		assert_int_equal(hear(&b, buf, sizeof(buf)), 1);
		assert_int_not_equal(b.from.u.in.sin_port, old.u.in.sin_port);
		reply(&b, "cc", 2);
		turn(&b);
		assert_int_equal(answer_of(&b, 0, buf, sizeof(buf)), 2);
		old = b.from;
	}
	close_box(&b);
}

static void
swallows(void **state)
{
	uint8_t buf[8];
	struct box b;

	(void)state;
	open_box(&b, 1);
	ask(&b, 0, "a", 1);
	turn(&b);
	assert_int_equal(hear(&b, buf, sizeof(buf)), 1);
	relay_blackhole(b.relay, true);
	ask(&b, 0, "b", 1);
	reply(&b, "c", 1);
	turn(&b);
	assert_int_equal(hear(&b, buf, sizeof(buf)), -1);
	assert_int_equal(answer_of(&b, 0, buf, sizeof(buf)), -1);
	relay_blackhole(b.relay, false);
	ask(&b, 0, "dd", 2);
	turn(&b);
	assert_int_equal(hear(&b, buf, sizeof(buf)), 2);
	close_box(&b);
}

static void
replays(void **state)
{
	const struct relay_faults bad = { .drop = 100 };
	struct relay_count count;
	in_port_t ports[2];
	uint8_t buf[8];
	const uint8_t *kept;
	size_t len;
	struct box b;

	(void)state;
	open_box(&b, 1);
	ask(&b, 0, "before", 6);
	turn(&b);
	assert_int_equal(hear(&b, buf, sizeof(buf)), 6);
	ports[0] = b.from.u.in.sin_port;
	relay_record(b.relay, true);
	relay_set(b.relay, RELAY_UP, &bad); /* kept all the same */
	ask(&b, 0, "one", 3);
	ask(&b, 1, "two2", 4);
	turn(&b);
	relay_record(b.relay, false);
	ask(&b, 0, "after", 5);
	turn(&b);
	assert_int_equal(hear(&b, buf, sizeof(buf)), -1);
	assert_int_equal(relay_recorded(b.relay), 2);
	kept = relay_peek(b.relay, 1, &len);
	assert_int_equal(len, 4);
	assert_memory_equal(kept, "two2", 4);
	relay_replay(b.relay, 0, 2);
	assert_int_equal(hear(&b, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "one", 3);
	ports[1] = b.from.u.in.sin_port;
	assert_int_not_equal(ports[0], ports[1]);
	assert_int_equal(hear(&b, buf, sizeof(buf)), 4);
	assert_int_equal(b.from.u.in.sin_port, ports[1]);
	/* Another time, another port; answers are counted, and go nowhere. */
	relay_replay(b.relay, 1, 1);
	assert_int_equal(hear(&b, buf, sizeof(buf)), 4);
	assert_int_not_equal(b.from.u.in.sin_port, ports[1]);
	reply(&b, "answer", 6);
	turn(&b);
	assert_int_equal(answer_of(&b, 0, buf, sizeof(buf)), -1);
	assert_int_equal(answer_of(&b, 1, buf, sizeof(buf)), -1);
	relay_count(b.relay, RELAY_STRAY, &count);
	assert_int_equal(count.in_bytes, 6);
	assert_int_equal(count.out, 0);
	close_box(&b);
}

static void
wait_for(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

/* On two threads, for tests that block. */
static void
runs_alone(void **state)
{
	const struct relay_faults slow = { .delay_ms = 20 };
	struct relay_count count;
	struct relay *relay;
	struct addr at;
	struct box b = { 0 };
	in_port_t port = 0;
	uint8_t buf[8];

	(void)state;
	b.server = open_socket("127.0.0.1", &b.server_at);
	b.client[0] = open_socket("127.0.0.1", &at);
	relay = relay_start(NULL, &b.server_at, 1);
	assert_int_equal(connect(b.client[0], &relay_addr(relay)->u.sa,
	                     relay_addr(relay)->len),
	    0);
	relay_record(relay, true);
	for (size_t i = 1; i <= 3; i++) {
		ask(&b, 0, "abc", i);
		wait_for(b.server);
		assert_int_equal(hear(&b, buf, sizeof(buf)), i);
		assert_int_not_equal(b.from.u.in.sin_port, port);
		port = b.from.u.in.sin_port;
		reply(&b, "abc", i);
		wait_for(b.client[0]);
		assert_int_equal(answer_of(&b, 0, buf, sizeof(buf)), i);
		relay_set(relay, RELAY_UP, &slow);
		relay_rebind(relay);
	}
	assert_int_equal(relay_recorded(relay), 3);
	relay_count(relay, RELAY_DOWN, &count);
	assert_int_equal(count.out_bytes, 6);
	relay_stop(relay);
	assert_int_equal(close(b.server) | close(b.client[0]), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_all),
		cmocka_unit_test(has_a_name),
		cmocka_unit_test(drops_by_the_seed),
		cmocka_unit_test(drops_one_way_only),
		cmocka_unit_test(repeats),
		cmocka_unit_test(reorders),
		cmocka_unit_test(delays),
		cmocka_unit_test(flips_a_bit),
		cmocka_unit_test(truncates),
		cmocka_unit_test(rebinds),
		cmocka_unit_test(swallows),
		cmocka_unit_test(replays),
		cmocka_unit_test(runs_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
