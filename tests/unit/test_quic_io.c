/* UDP for QUIC: batches both ways, addresses, marks, ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "net/quic_io_int.h"

#include "udpend.h"

#define PATIENCE_MS 60000

/* ---- datagrams ---- */

static void
exchange(const char *host)
{
	struct udpend a;
	struct udpend b;

	udpend_start(&a, host);
	udpend_start(&b, host);
	assert_true((fcntl(quic_io_fd(a.io), F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(quic_io_fd(a.io), F_GETFL) & O_NONBLOCK) != 0);
	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		udpend_put(&a, &a.at, &b.at, ecn, 100 + ecn, 1200, 1);
		assert_int_equal(quic_io_flush(a.io), RK_OK);
		udpend_receive(&b, ecn + 1u);
		assert_int_equal(b.lens[ecn], 100 + ecn);
		assert_int_equal(b.ecn, ecn);
		assert_true(udpend_same(&b.local, &b.at));
		assert_true(udpend_same(&b.remote, &a.at));
		udpend_put(&b, &b.local, &b.remote, ecn, 1, 1, 1);
		assert_int_equal(quic_io_flush(b.io), RK_OK);
		udpend_receive(&a, ecn + 1u);
		assert_int_equal(a.ecn, ecn);
		assert_true(udpend_same(&a.local, &a.at));
		assert_true(udpend_same(&a.remote, &b.at));
	}
	assert_int_equal(udpend_stats(&a).sent, 4);
	assert_int_equal(udpend_stats(&a).received, 4);
	assert_int_equal(udpend_stats(&a).dropped, 0);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

static void
exchanges(void **state)
{
	(void)state;
	exchange("127.0.0.1");
	if (udpend_has_ipv6())
		exchange("[::1]");
	quic_io_free(NULL);
}

/* Full batches, an odd last packet, one byte over, and a lone one. */
static void
batch(const char *host)
{
	static const struct {
		size_t len, segment, n;
	} cases[] = {
		{ 64 * (size_t)1000, 1000, 64 },
		{ 54 * (size_t)1200, 1200, 54 },
		{ 10 * (size_t)1200 + 1, 1200, 11 },
		{ 9 * (size_t)1200 + 1199, 1200, 10 },
		{ 64, 1, 64 },
		{ 1200, 1200, 1 },
		{ 65000, 65000, 1 },
		{ 65000, QUIC_IO_BATCH_LEN, 1 },
	};
	struct udpend a;
	struct udpend b;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = cases[i].n;

		udpend_start(&a, host);
		udpend_start(&b, host);
		udpend_say(&a, &b.at, cases[i].len, cases[i].segment);
		udpend_receive(&b, n);
		assert_int_equal(b.bytes, cases[i].len);
		for (size_t k = 0; k + 1 < n; k++) {
			assert_int_equal(b.lens[k], cases[i].segment);
			assert_int_equal(b.first[k], k + 1);
		}
		assert_int_equal(udpend_stats(&a).sent, n);
		assert_int_equal(udpend_stats(&b).received, n);
		if (udpend_stats(&a).gso)
			assert_int_equal(udpend_stats(&a).send_calls, 1);
		if (udpend_stats(&a).gso && udpend_stats(&b).gro)
			assert_int_equal(udpend_stats(&b).recv_calls, 2);
		quic_io_free(a.io);
		quic_io_free(b.io);
	}
}

static void
sends_batches(void **state)
{
	(void)state;
	batch("127.0.0.1");
	if (udpend_has_ipv6())
		batch("[::1]");
}

/* Batches to different peers go in one call, and arrive as they were put. */
static void
gathers_batches(void **state)
{
	struct udpend a;
	struct udpend b[3];

	(void)state;
	udpend_start(&a, "127.0.0.1");
	for (size_t i = 0; i < 3; i++)
		udpend_start(&b[i], "127.0.0.1");
	for (size_t k = 0; k < 20; k++)
		for (size_t i = 0; i < 3; i++)
			udpend_put(
			    &a, NULL, &b[i].at, 0, 30, 10, (uint8_t)(3 * k));
	assert_int_equal(udpend_stats(&a).send_calls, 0);
	assert_int_equal(quic_io_flush(a.io), RK_OK);
	assert_int_equal(udpend_stats(&a).sent, 180);
	if (udpend_stats(&a).gso)
		assert_int_equal(udpend_stats(&a).send_calls, 1);
	for (size_t i = 0; i < 3; i++) {
		udpend_receive(&b[i], 60);
		for (size_t k = 0; k < 60; k++)
			assert_int_equal(b[i].first[k], k);
		quic_io_free(b[i].io);
	}
	assert_int_equal(quic_io_flush(a.io), RK_OK);
	quic_io_free(a.io);
}

/* More than there is memory for goes out by itself on the way. */
static void
makes_room(void **state)
{
	struct udpend a;
	struct udpend b;

	(void)state;
	udpend_start(&a, "127.0.0.1");
	udpend_start(&b, "127.0.0.1");
	for (size_t k = 0; k < OUT_BATCHES + 1; k++)
		udpend_put(&a, NULL, &b.at, 0, 1, 1, (uint8_t)k);
	udpend_receive(&b, OUT_BATCHES);
	assert_int_equal(quic_io_flush(a.io), RK_OK);
	udpend_receive(&b, OUT_BATCHES + 1);
	assert_int_equal(b.first[OUT_BATCHES], OUT_BATCHES);
	b.n = 0;
	for (size_t k = 0; k < 5; k++)
		udpend_put(&a, NULL, &b.at, 0, 65000, 65000, (uint8_t)k);
	assert_true(udpend_stats(&a).sent > OUT_BATCHES + 1);
	assert_int_equal(quic_io_flush(a.io), RK_OK);
	udpend_receive(&b, 5);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

/* An empty datagram is somebody's joke. */
static void
skips_empty_ones(void **state)
{
	struct udpend a;
	struct udpend b;
	int fd;

	(void)state;
	udpend_start(&b, "127.0.0.1");
	udpend_start(&a, "127.0.0.1");
	fd = quic_io_fd(a.io);
	assert_int_equal(sendto(fd, "", 0, 0, &b.at.u.sa, b.at.len), 0);
	udpend_say(&a, &b.at, 1, 1);
	udpend_receive(&b, 1);
	assert_int_equal(udpend_stats(&b).received, 1);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

/* ---- addresses ---- */

/* A client asks one address of many; only an answer from there reaches it. */
static void
ask_at(const char *wildcard, const char *host)
{
	struct udpend server;
	struct udpend client;
	struct addr to;

	udpend_start(&server, wildcard);
	udpend_resolve_port(host, &server.at, &to);
	udpend_connect(&client, &to);
	udpend_say(&client, &to, 2, 1);
	udpend_receive(&server, 2);
	assert_true(udpend_same(&server.local, &to));
	assert_true(addr_is_loopback(&server.remote));
	assert_int_equal(server.remote.u.sa.sa_family, to.u.sa.sa_family);
	udpend_put(&server, &server.local, &server.remote, 2, 90, 30, 1);
	assert_int_equal(quic_io_flush(server.io), RK_OK);
	udpend_receive(&client, 3);
	assert_true(udpend_same(&client.remote, &to));
	assert_true(udpend_same(&client.local, &server.remote));
	assert_int_equal(client.ecn, 2);
	/* A wildcard leaves the choice to the kernel. */
	udpend_put(&server, &server.at, &server.remote, 0, 1, 1, 1);
	assert_int_equal(quic_io_flush(server.io), RK_OK);
	assert_int_equal(udpend_stats(&server).dropped, 0);
	assert_int_equal(udpend_stats(&server).sent, 4);
	quic_io_free(client.io);
	quic_io_free(server.io);
}

static void
answers_from_where_asked(void **state)
{
	(void)state;
	ask_at("0.0.0.0", "127.0.0.1");
	ask_at("0.0.0.0", "127.0.0.2");
	if (!udpend_has_ipv6())
		return;
	ask_at("[::]", "127.0.0.1");
	ask_at("[::]", "127.3.2.1");
	ask_at("[::]", "[::1]");
}

/* IPv4 in IPv6 clothes is the same address as without. */
static void
knows_mapped_addresses(void **state)
{
	union quic_io_name name;
	struct addr plain;
	struct addr mapped;
	struct addr a;
	socklen_t len;

	(void)state;
	udpend_resolve("tcp://127.0.0.1:77", &plain);
	udpend_resolve("tcp://[::ffff:127.0.0.1]:77", &mapped);
	assert_true(quic_io_name_set(AF_INET, &mapped, &name, &len));
	assert_int_equal(len, sizeof(name.in));
	quic_io_name_get(&name, &a);
	assert_true(udpend_same(&a, &plain));
	assert_true(quic_io_name_set(AF_INET6, &plain, &name, &len));
	assert_int_equal(len, sizeof(name.in6));
	assert_memory_equal(&name.in6, &mapped.u.in6, sizeof(name.in6));
	quic_io_name_get(&name, &a);
	assert_true(udpend_same(&a, &plain));
	udpend_resolve("tcp://[2001:db8::1]:77", &a);
	assert_false(quic_io_name_set(AF_INET, &a, &name, &len));
	a.u.in6.sin6_flowinfo = htonl(5);
	assert_true(quic_io_name_set(AF_INET6, &a, &name, &len));
	assert_int_equal(name.in6.sin6_flowinfo, 0);
	udpend_resolve("unix:///tmp/x", &a);
	assert_false(quic_io_name_set(AF_INET6, &a, &name, &len));
}

static void
drops_the_unreachable(void **state)
{
	struct udpend a;
	struct udpend b;
	struct addr to;

	(void)state;
	udpend_start(&a, "127.0.0.1");
	udpend_start(&b, "127.0.0.1");
	udpend_resolve("tcp://[2001:db8::1]:77", &to);
	udpend_put(&a, NULL, &to, 0, 20, 10, 1); /* not from an IPv4 socket */
	udpend_resolve("tcp://127.0.0.1:0", &to);
	udpend_put(&a, NULL, &to, 0, 20, 10, 1); /* no port */
	udpend_put(&a, NULL, &b.at, 0, 20, 10, 1);
	assert_int_equal(quic_io_flush(a.io), RK_OK);
	udpend_receive(&b, 2);
	assert_int_equal(udpend_stats(&a).dropped, 4);
	assert_int_equal(udpend_stats(&a).sent, 2);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

/* An address that is not ours is refused as segments are: they stay. */
static void
keeps_segments_for_others(void **state)
{
	struct udpend a;
	struct udpend b;
	struct addr foreign;

	(void)state;
	udpend_start(&a, "0.0.0.0");
	udpend_start(&b, "127.0.0.1");
	if (!udpend_stats(&a).gso)
		skip();
	udpend_resolve("tcp://192.0.2.1:0", &foreign);
	udpend_put(&a, &foreign, &b.at, 0, 20, 10, 1);
	udpend_put(&a, NULL, &b.at, 0, 20, 10, 1);
	assert_int_equal(quic_io_flush(a.io), RK_OK);
	udpend_receive(&b, 2);
	assert_int_equal(udpend_stats(&a).dropped, 2);
	assert_true(udpend_stats(&a).gso);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

/* Nothing is cut into fragments: what does not fit is gone. */
static void
never_fragments(void **state)
{
	struct udpend a;
	struct udpend b;

	(void)state;
	if (!udpend_has_ipv6())
		skip();
	udpend_start(&a, "[::1]");
	udpend_start(&b, "[::1]");
	/* The loopback's 65536 bytes, without 48 of headers. */
	udpend_put(&a, NULL, &b.at, 0, 65488, 65488, 1);
	udpend_put(&a, NULL, &b.at, 0, 65489, 65489, 1);
	udpend_put(&a, NULL, &b.at, 0, 10, 10, 1);
	assert_int_equal(quic_io_flush(a.io), RK_OK);
	udpend_receive(&b, 2);
	assert_int_equal(b.lens[0], 65488);
	assert_int_equal(b.lens[1], 10);
	assert_int_equal(udpend_stats(&a).dropped, 1);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

/* ---- ports ---- */

static void
refuses_a_taken_port(void **state)
{
	struct rk_error err = { 0 };
	struct udpend a;
	char text[ADDR_TEXT_LEN];
	int fd;

	(void)state;
	udpend_start(&a, "127.0.0.1");
	for (int join = 0; join < 2; join++) {
		assert_int_equal(
		    quic_io_bind(&a.at, join, &fd, NULL, &err), RK_EIO);
		assert_int_equal(fd, -1);
		assert_int_equal(err.sys, EADDRINUSE);
		assert_string_equal(err.step, "listen");
		addr_format(&a.at, ADDR_TCP, text);
		assert_memory_equal(err.text, "quic://127.0.0.1:", 17);
		assert_non_null(strstr(err.text, strrchr(text, ':')));
	}
	quic_io_free(a.io);
}

static void
share_port(const char *host)
{
	struct addr bound;
	struct udpend a;
	struct udpend b = { 0 };
	struct udpend c;
	size_t n = 0;
	int sys;
	int fd;

	udpend_start(&a, host);
	assert_int_equal(quic_io_share(quic_io_fd(a.io), NULL), RK_OK);
	/* Who does not ask to join still finds it taken. */
	assert_int_equal(quic_io_bind(&a.at, false, &fd, NULL, NULL), RK_EIO);
	assert_int_equal(quic_io_bind(&a.at, true, &fd, &bound, NULL), RK_OK);
	assert_true(udpend_same(&bound, &a.at));
	assert_int_equal(quic_io_new(fd, NULL, &b.io), RK_OK);
	/* Both get some of many senders' packets. */
	for (size_t i = 0; i < 64; i++) {
		udpend_start(&c, host);
		udpend_say(&c, &a.at, 1, 1);
		quic_io_free(c.io);
	}
	while (n < 64) {
		struct pollfd p[2] = {
			{ .fd = quic_io_fd(a.io), .events = POLLIN },
			{ .fd = quic_io_fd(b.io), .events = POLLIN },
		};

		assert_true(poll(p, 2, PATIENCE_MS) > 0);
		for (size_t i = 0; i < 2; i++) {
			enum rk_err r = quic_io_recv(i == 0 ? a.io : b.io,
			    udpend_take, i == 0 ? &a : &b, &sys);
			assert_true(r == RK_OK || r == RK_EAGAIN);
		}
		n = a.n + b.n;
	}
	assert_int_equal(n, 64);
	assert_true(a.n > 0 && b.n > 0);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

static void
shares_a_port(void **state)
{
	(void)state;
	share_port("127.0.0.1");
	if (udpend_has_ipv6())
		share_port("[::1]");
}

static void
explains_failures(void **state)
{
	struct rk_error err = { 0 };
	struct addr a;
	int fd;

	(void)state;
	assert_int_equal(quic_io_share(-1, &err), RK_EIO);
	assert_int_equal(err.sys, EBADF);
	udpend_resolve("tcp://192.0.2.1:0", &a); /* nobody's */
	assert_int_equal(quic_io_bind(&a, false, &fd, NULL, &err), RK_EIO);
	assert_int_equal(err.sys, EADDRNOTAVAIL);
	udpend_resolve("tcp://255.255.255.255:9", &a); /* everybody's */
	assert_int_equal(quic_io_connect(&a, &fd, &err), RK_ECONNECT);
	assert_int_equal(fd, -1);
	assert_true(err.sys == EACCES || err.sys == ENETUNREACH);
	assert_string_equal(err.step, "connect");
}

/* The address of a port that was open a moment ago. */
static void
close_port(const char *host, struct addr *a)
{
	struct udpend e;

	udpend_start(&e, host);
	*a = e.at;
	quic_io_free(e.io);
}

static void
expect_refusal(struct udpend *e)
{
	int sys;

	udpend_wait(e->io);
	assert_int_equal(
	    quic_io_recv(e->io, udpend_take, e, &sys), RK_ECONNECT);
	assert_int_equal(sys, ECONNREFUSED);
}

static void
learns_that_nobody_is_there(void **state)
{
	struct addr gone;
	struct udpend a;
	int sys;

	(void)state;
	for (int v6 = 0; v6 <= udpend_has_ipv6(); v6++) {
		close_port(v6 ? "[::1]" : "127.0.0.1", &gone);
		udpend_connect(&a, &gone);
		assert_int_equal(
		    quic_io_recv(a.io, udpend_take, &a, &sys), RK_EAGAIN);
		udpend_say(&a, &gone, 1200, 1200);
		expect_refusal(&a);
		/* The answer to the first meets the second on its way. */
		udpend_put(&a, NULL, &gone, 0, 30, 30, 1);
		udpend_put(&a, NULL, &gone, 0, 10, 10, 1);
		assert_int_equal(quic_io_flush(a.io), RK_OK);
		expect_refusal(&a);
		assert_int_equal(a.n, 0);
		quic_io_free(a.io);
	}
}

/* A socket for many is not told, and must not be: anybody may not answer. */
static void
does_not_mind_alone(void **state)
{
	struct addr gone;
	struct udpend a;
	struct udpend b;

	(void)state;
	udpend_start(&a, "127.0.0.1");
	udpend_start(&b, "127.0.0.1");
	close_port("127.0.0.1", &gone);
	udpend_say(&a, &gone, 10, 10);
	udpend_say(&a, &b.at, 10, 10);
	udpend_receive(&b, 1);
	udpend_say(&b, &a.at, 10, 10);
	udpend_receive(&a, 1);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exchanges),
		cmocka_unit_test(sends_batches),
		cmocka_unit_test(gathers_batches),
		cmocka_unit_test(makes_room),
		cmocka_unit_test(skips_empty_ones),
		cmocka_unit_test(answers_from_where_asked),
		cmocka_unit_test(knows_mapped_addresses),
		cmocka_unit_test(drops_the_unreachable),
		cmocka_unit_test(keeps_segments_for_others),
		cmocka_unit_test(never_fragments),
		cmocka_unit_test(refuses_a_taken_port),
		cmocka_unit_test(shares_a_port),
		cmocka_unit_test(explains_failures),
		cmocka_unit_test(learns_that_nobody_is_there),
		cmocka_unit_test(does_not_mind_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
