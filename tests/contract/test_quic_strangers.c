/* Datagrams of nobody we know: versions, resets, garbage, clashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include <rpckit/secret.h>

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

/* Looks like a first packet; what it protects is nonsense. */
static void
fake_initial(uint8_t out[INITIAL], uint32_t version, uint8_t id_len)
{
	uint8_t *p = out;
	size_t left;

	rk_random(out, INITIAL);
	*p++ = 0xc3;
	for (int i = 24; i >= 0; i -= 8)
		*p++ = (uint8_t)(version >> i);
	*p++ = id_len;
	p += id_len;
	*p++ = 8;
	p += 8;
	*p++ = 0; /* no token */
	left = (size_t)(out + INITIAL - p) - 2;
	p[0] = (uint8_t)(0x40 | left >> 8);
	p[1] = (uint8_t)left;
}

/* ---- versions ---- */

static void
versions_are_negotiated(void **state)
{
	static const uint32_t strange[] = { 2, 0xff00001d, 0xbabababa,
		0x6b3343ce, UINT32_MAX };
	uint8_t packet[INITIAL], answer[1500];
	ngtcp2_version_cid vc;
	int fd = quicnet_socket(&net);
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		fake_initial(packet, strange[i], 18);
		quicnet_put(fd, packet, sizeof(packet));
		quicnet_settle(&net);
		n = quicnet_take(fd, answer, sizeof(answer));
		assert_true(n > 0 && n < 100);
		assert_int_equal(
		    ngtcp2_pkt_decode_version_cid(&vc, answer, n, 8), 0);
		assert_int_equal(vc.version, 0);
		/* To whom, from whom, and what we speak. */
		assert_int_equal(vc.dcidlen, 8);
		assert_memory_equal(vc.dcid, packet + 6 + 18 + 1, 8);
		assert_int_equal(vc.scidlen, 18);
		assert_memory_equal(vc.scid, packet + 6, 18);
		assert_non_null(memmem(answer + 33, n - 33, "\0\0\0\1", 4));
	}
	/* Not worth an answer: too short, or what it may itself be one to. */
	for (size_t len = 1; len < INITIAL; len += 7) {
		fake_initial(packet, 0xbabababa, 18);
		quicnet_put(fd, packet, len);
	}
	fake_initial(packet, 0, 18);
	quicnet_put(fd, packet, sizeof(packet));
	quicnet_settle(&net);
	assert_int_equal(quicnet_take(fd, answer, sizeof(answer)), 0);
	assert_int_equal(
	    quicnet_stats(&net).versions, sizeof(strange) / sizeof(strange[0]));
	(void)close(fd);
}

/* A server of other versions, played by hand. */
static void
a_client_meets_other_versions(void **state)
{
	static const uint32_t other[] = { 0xff00001d, 0x0a1a2a3a };
	static const uint32_t ours[] = { 0xff00001d, NGTCP2_PROTO_VER_V1 };
	uint8_t packet[1500], answer[1500];
	struct addr from = { .len = sizeof(from.u) };
	struct addr at = { .len = sizeof(at.u) };
	struct quicnet_conn c;
	ngtcp2_version_cid vc;
	ssize_t n = -1;
	int fd = quicnet_socket(&net);

	(void)state;
	(void)close(fd);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	at.u.in = net.at.u.in;
	at.u.in.sin_port = 0;
	assert_int_equal(bind(fd, &at.u.sa, sizeof(at.u.in)), 0);
	assert_int_equal(getsockname(fd, &at.u.sa, &at.len), 0);
	quicnet_dial(&net, NULL, &at, &c);
	while (n < 0) {
		quicnet_turn(&net);
		n = recvfrom(fd, packet, sizeof(packet), MSG_DONTWAIT,
		    &from.u.sa, &from.len);
	}
	assert_int_equal(
	    ngtcp2_pkt_decode_version_cid(&vc, packet, (size_t)n, 8), 0);
	/* One that offers what was asked for is no answer (RFC 9000, 6.2). */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(c.closed, 0);
		n = ngtcp2_pkt_write_version_negotiation(answer, sizeof(answer),
		    7, vc.scid, vc.scidlen, vc.dcid, vc.dcidlen,
		    i == 0 ? ours : other, 2);
		assert_true(n > 0);
		assert_int_equal(
		    sendto(fd, answer, (size_t)n, 0, &from.u.sa, from.len), n);
		quicnet_settle(&net);
	}
	assert_int_equal(c.closed, 1);
	assert_int_equal(c.why.code, RK_EPROTO);
	assert_non_null(strstr(c.why.text, "does not speak QUIC version 1"));
	quicnet_drain(&c);
	(void)close(fd);
}

/* ---- stateless resets ---- */

static void
a_restarted_server_resets(void **state)
{
	struct quicnet_conn c;

	(void)state;
	(void)quicnet_connect(&net, NULL, &c);
	quicnet_pass(&net, 100); /* so that nothing is on its way */
	quicnet_stop(&net);
	quicnet_start(&net, net.rig.seed);
	quicnet_send(&c, 251);
	quicnet_await(&net, &c.closed, 1);
	assert_int_equal(c.why.code, RK_ECLOSED);
	assert_non_null(strstr(c.why.text, "does not know this connection"));
	assert_int_equal(quicnet_stats(&net).resets, 1);
	quicnet_drain(&c);
	/* The friend is another one's from now on. */
	quicnet_vanish(&friend);
	(void)quicnet_connect(&net, NULL, &friend);
}

static void
another_server_cannot_reset(void **state)
{
	struct quicnet_conn c;
	uint64_t begun;

	(void)state;
	(void)quicnet_connect(&net, NULL, &c);
	quicnet_stop(&net);
	quicnet_start(&net, NULL);
	begun = net.time.now;
	quicnet_send(&c, 251);
	quicnet_await(&net, &c.closed, 1);
	assert_true(quicnet_stats(&net).resets > 0);
	assert_int_equal(c.why.code, RK_ETIMEOUT);
	assert_in_range(net.time.now - begun, 29000, 31000);
	quicnet_drain(&c);
	quicnet_vanish(&friend);
	(void)quicnet_connect(&net, NULL, &friend);
}

static void
resets_are_short_and_few(void **state)
{
	uint8_t packet[1500], answer[1500];
	int fd = quicnet_socket(&net);
	unsigned answers = 0;
	size_t n;

	(void)state;
	for (size_t len = 1; len <= 1000; len++) {
		rk_random(packet, len);
		packet[0] = (uint8_t)(0x40 | (packet[0] & 0x3f));
		quicnet_put(fd, packet, len);
		quicnet_settle(&net);
		n = quicnet_take(fd, answer, sizeof(answer));
		answers += n > 0;
		assert_true(n < len);
		if (n > 0)
			assert_int_equal(answer[0] & 0xc0, 0x40);
	}
	assert_int_equal(answers, quicnet_stats(&net).resets);
	assert_in_range(answers, 50, 200);
	quicnet_pass(&net, 1100);
	quicnet_put(fd, packet, 100);
	quicnet_settle(&net);
	assert_true(quicnet_take(fd, answer, sizeof(answer)) > 0);
	(void)close(fd);
}

/* Two servers that know nothing of each other's packets. */
static void
resets_do_not_go_round(void **state)
{
	static struct quicnet other;
	uint8_t packet[1000];
	uint64_t resets;

	(void)state;
	quicnet_open(&other);
	rk_random(packet, sizeof(packet));
	packet[0] = 0x41;
	assert_int_equal(sendto(other.server_fd, packet, sizeof(packet), 0,
	                     &net.at.u.sa, net.at.len),
	    sizeof(packet));
	for (int i = 0; i < 500; i++) {
		assert_int_equal(rk_loop_step(net.loop, 0), RK_OK);
		assert_int_equal(rk_loop_step(other.loop, 0), RK_OK);
	}
	resets = quicnet_stats(&net).resets + quicnet_stats(&other).resets;
	assert_in_range(resets, 1, 43);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(rk_loop_step(net.loop, 0), RK_OK);
		assert_int_equal(rk_loop_step(other.loop, 0), RK_OK);
	}
	assert_int_equal(
	    resets, quicnet_stats(&net).resets + quicnet_stats(&other).resets);
	quicnet_close(&other);
}

/* ---- floods ---- */

/* Nobody decides about them: they wait, but not all of them. */
static void
few_may_wait(void **state)
{
	uint8_t packet[INITIAL];
	int fd = quicnet_socket(&net);
	unsigned hellos;

	(void)state;
	net.ignores = true;
	for (int i = 0; i < 2000; i++) {
		fake_initial(packet, NGTCP2_PROTO_VER_V1, 18);
		quicnet_put(fd, packet, sizeof(packet));
		quicnet_settle(&net);
	}
	hellos = net.hellos;
	assert_in_range(hellos, 100, 300);
	assert_int_equal(quicnet_stats(&net).half_open, hellos - 1);
	assert_int_equal(quicnet_stats(&net).conns, 1);
	(void)close(fd);
}

/* Nor are those kept that are longer than any first packet has to be. */
static void
long_ones_do_not_wait(void **state)
{
	static uint8_t packet[60000];
	int fd = quicnet_socket(&net);
	unsigned hellos = net.hellos;

	(void)state;
	net.ignores = true;
	fake_initial(packet, NGTCP2_PROTO_VER_V1, 18);
	quicnet_put(fd, packet, sizeof(packet));
	quicnet_settle(&net);
	assert_int_equal(net.hellos, hellos);
	quicnet_put(fd, packet, INITIAL);
	quicnet_settle(&net);
	assert_int_equal(net.hellos, hellos + 1);
	(void)close(fd);
}

/* Decided about at once: nonsense leaves nothing behind. */
static void
nonsense_is_not_kept(void **state)
{
	uint8_t packet[INITIAL];
	int fd = quicnet_socket(&net);

	(void)state;
	for (int i = 0; i < 2000; i++) {
		fake_initial(
		    packet, NGTCP2_PROTO_VER_V1, (uint8_t)(8 + i % 13));
		quicnet_put(fd, packet, sizeof(packet));
		quicnet_settle(&net);
	}
	assert_true(net.hellos > 1900);
	assert_int_equal(quicnet_stats(&net).half_open, 0);
	assert_int_equal(quicnet_stats(&net).conns, 1);
	(void)close(fd);
}

static void
garbage_is_ignored(void **state)
{
	uint8_t packet[2000];
	int fd = quicnet_socket(&net);
	uint64_t ignored = quicnet_stats(&net).ignored;

	(void)state;
	for (size_t i = 0; i < 2000; i++) {
		size_t len = 1 + i % (i % 2 == 0 ? 60 : 1999);

		rk_random(packet, len);
		packet[0] = (uint8_t)i; /* every first byte there is */
		quicnet_put(fd, packet, len);
		quicnet_settle(&net);
	}
	assert_true(quicnet_stats(&net).ignored > ignored + 1000);
	assert_int_equal(quicnet_stats(&net).conns, 1);
	(void)close(fd);
}

/* A good first packet, cut anywhere or with any byte wrong. */
static void
first_flights_may_be_damaged(void **state)
{
	struct quicpeer p;
	uint8_t packet[INITIAL];
	size_t len;

	(void)state;
	quicpeer_init(&p, &net, NULL);
	p.holds = true;
	quicpeer_start(&p);
	len = p.held[0].len;
	assert_int_equal(len, INITIAL);
	for (size_t i = 0; i < len; i++) {
		memcpy(packet, p.held[0].data, len);
		if (i > 0)
			quicnet_put(p.fd, packet, i);
		packet[i] ^= (uint8_t)(1 << i % 8);
		quicnet_put(p.fd, packet, len);
		quicnet_settle(&net);
	}
	assert_int_equal(net.accepted, 1);
	/* The same peer, whole at last, is as welcome as ever. */
	p.holds = false;
	quicpeer_let_go(&p, 0);
	quicnet_await(&net, &p.confirmed, 1);
	quicpeer_free(&p);
}

/* ---- clashes of ids ---- */

/* Two peers, one first id: one gets through, and neither does harm. */
static void
first_ids_may_clash(void **state)
{
	struct quicpeer p, q;

	(void)state;
	quicpeer_init(&p, &net, NULL);
	quicpeer_init(&q, &net, NULL);
	q.dcid = p.dcid;
	quicpeer_start(&p);
	quicpeer_start(&q);
	quicnet_await(&net, &p.confirmed, 1);
	quicnet_pass(&net, 5000);
	assert_int_equal(q.confirmed, 0);
	assert_int_equal(net.accepted, 2);
	assert_int_equal(p.dead, 0);
	quicpeer_free(&q);
	/* Also when it comes much later. */
	quicpeer_init(&q, &net, NULL);
	q.dcid = p.dcid;
	quicpeer_start(&q);
	quicnet_pass(&net, 5000);
	assert_int_equal(q.confirmed, 0);
	assert_int_equal(p.dead, 0);
	quicpeer_free(&q);
	quicpeer_free(&p);
}

/* The same while nobody has decided about the first. */
static void
waiting_ids_may_clash(void **state)
{
	struct quicpeer p, q;

	(void)state;
	quicpeer_init(&p, &net, NULL);
	quicpeer_init(&q, &net, NULL);
	q.dcid = p.dcid;
	q.deaf = true;
	net.ignores = true;
	quicpeer_start(&p);
	quicnet_settle(&net);
	quicpeer_start(&q);
	quicnet_settle(&net);
	assert_int_equal(net.hellos, 2);
	net.ignores = false;
	quicnet_take_last(&net);
	quicnet_await(&net, &p.confirmed, 1);
	assert_int_equal(net.accepted, 2);
	quicpeer_free(&q);
	quicpeer_free(&p);
}

/* A first id that is one of another's connection. */
static void
ids_of_connections_may_clash(void **state)
{
	struct quicpeer p, q;
	unsigned hellos;
	int64_t id;

	(void)state;
	quicpeer_connect(&p, &net, NULL);
	hellos = net.hellos;
	quicpeer_init(&q, &net, NULL);
	q.dcid = *ngtcp2_conn_get_dcid(p.conn);
	quicpeer_start(&q);
	quicnet_pass(&net, 5000);
	assert_int_equal(q.confirmed, 0);
	assert_int_equal(net.hellos, hellos);
	quicpeer_free(&q);
	assert_int_equal(p.dead, 0);
	assert_int_equal(quicpeer_open(&p, false, &id), 0);
	quicpeer_say(&p, id, (const uint8_t *)"\0\1\2", 3, false);
	quicnet_await(&net, &p.got, 3);
	quicpeer_free(&p);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(versions_are_negotiated),
		ROW(a_client_meets_other_versions),
		ROW(a_restarted_server_resets),
		ROW(another_server_cannot_reset),
		ROW(resets_are_short_and_few),
		ROW(resets_do_not_go_round),
		cmocka_unit_test_setup_teardown(
		    few_may_wait, set_up_trusting, tear_down),
		ROW(long_ones_do_not_wait),
		ROW(nonsense_is_not_kept),
		ROW(garbage_is_ignored),
		ROW(first_flights_may_be_damaged),
		ROW(first_ids_may_clash),
		ROW(waiting_ids_may_clash),
		ROW(ids_of_connections_may_clash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
