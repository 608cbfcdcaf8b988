/* QUIC servers that are full: who is refused, how it is told, and who is not
 * harmed by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/rpckit.h>

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/quic_int.h"
#include "net/quic_io_int.h"
#include "rpc/server_int.h"

#include "rpcrig.h"

#define STRANGERS 40
#define INITIAL 1200

static void
check(struct rk_client *c)
{
	struct rpcanswer a;

	rpcrig_call(c, "echo", rpcrig_bytes, 3000, &a);
	assert_true(a.same);
}

/* ---- as many connections as may be ---- */

/* One after the other; then one goes, and the next one comes. */
static void
says_that_it_is_full(void **state)
{
	enum {
		MAX = 4,
		MORE = 12
	};
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client_conf conf;
	struct rk_client *c[MAX], *d;
	struct rk_server_stats stats;
	struct rk_error err;

	rpcrig_init(&rig, RPC_QUIC, run->threads);
	rig.conf.max_conns = MAX;
	rpcrig_start(&rig);
	for (size_t i = 0; i < MAX; i++)
		c[i] = rpcrig_client(&rig);
	rpcrig_client_conf(&rig, &conf);
	rpclog_start();
	for (size_t i = 0; i < MORE; i++) {
		d = rpcrig_client_with(&conf);
		assert_int_equal(rk_client_connect(d, &err), RK_ECONNECT);
		assert_non_null(strstr(err.text, "the server is too busy"));
		rk_client_free(d);
		check(c[i % MAX]);
	}
	rk_server_stats(rig.server, &stats);
	assert_true(stats.refused >= MORE);
	assert_int_equal(stats.conns, MAX);
	assert_true(rpclog_count(RK_LOG_WARN,
	                ": refused: 4 connections are open already") > 0);
	rpclog_stop();
	rk_client_free(c[0]);
	rpcrig_await_conns(&rig, MAX - 1);
	c[0] = rpcrig_client(&rig);
	for (size_t i = 0; i < MAX; i++) {
		check(c[i]);
		rk_client_free(c[i]);
	}
	rpcrig_end(&rig);
}

/* All at once. */
static void
takes_as_many_as_may_be(void **state)
{
	enum {
		MAX = 8
	};
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client_conf conf;
	struct rk_client *c[STRANGERS];
	static struct rpcanswer a[STRANGERS];
	struct rk_loop *loop;
	unsigned good = 0;

	memset(a, 0, sizeof(a));
	rpcrig_init(&rig, RPC_QUIC, run->threads);
	rig.conf.max_conns = MAX;
	rpcrig_start(&rig);
	rpcrig_client_conf(&rig, &conf);
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	conf.loop = loop;
	for (size_t i = 0; i < STRANGERS; i++) {
		c[i] = rpcrig_client_with(&conf);
		assert_int_equal(rk_client_start(c[i], NULL), RK_OK);
		(void)rpcrig_submit(c[i], "echo", rpcrig_bytes, 3000, &a[i]);
	}
	for (size_t i = 0; i < STRANGERS; i++) {
		while (a[i].n == 0)
			assert_int_equal(rk_loop_step(loop, 100), RK_OK);
		good += a[i].code == RK_OK;
		if (a[i].code == RK_OK)
			assert_true(a[i].same);
		else
			assert_int_equal(a[i].code, RK_ECONNECT);
	}
	assert_int_equal(good, MAX);
	for (size_t i = 0; i < STRANGERS; i++)
		rk_client_free(c[i]);
	rk_loop_free(loop);
	rpcrig_await_conns(&rig, 0);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

/* ---- as many strangers as may be ---- */

/* First packets of real clients, and where they are said to be from. */
struct crowd {
	size_t n;
	size_t len[STRANGERS];
	uint8_t data[STRANGERS][INITIAL];
	struct addr from[STRANGERS];
	unsigned spread; /* so many of one network */
	/* what the server sends to them */
	unsigned answers[STRANGERS];
	size_t bytes[STRANGERS];
};
static struct crowd crowd;

/* Addresses of nobody's (RFC 2544), the crowd's number in them. */
static void
place(unsigned i)
{
	struct addr *a = &crowd.from[i];

	*a = (struct addr){ .len = sizeof(a->u.in) };
	a->u.in.sin_family = AF_INET;
	a->u.in.sin_port = htons((in_port_t)(1024 + i));
	a->u.in.sin_addr.s_addr =
	    htonl(0xc6120000u | i / crowd.spread << 8 | i);
}

/* A socket that only listens, and clients that call it. */
static void
gather(struct rpcrig *rig)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	struct rk_client *c[STRANGERS];
	struct rk_client_conf conf;
	struct rk_loop *loop;
	char url[64];
	char rest;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	(void)snprintf(url, sizeof(url), "quic://127.0.0.1:%u",
	    (unsigned)ntohs(at.sin_port));
	rpcrig_client_conf(rig, &conf);
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	conf.loop = loop;
	conf.url = url;
	for (crowd.n = 0; crowd.n < STRANGERS; crowd.n++) {
		ssize_t n = -1;

		c[crowd.n] = rpcrig_client_with(&conf);
		assert_int_equal(rk_client_start(c[crowd.n], NULL), RK_OK);
		while (n < 0) {
			assert_int_equal(rk_loop_step(loop, 1), RK_OK);
			n = recv(
			    fd, crowd.data[crowd.n], INITIAL, MSG_DONTWAIT);
		}
		crowd.len[crowd.n] = (size_t)n;
		/* It says it once. */
		rk_client_free(c[crowd.n]);
		while (recv(fd, &rest, sizeof(rest), MSG_DONTWAIT) >= 0)
			;
	}
	rk_loop_free(loop);
	assert_int_equal(close(fd), 0);
}

/* What goes to the crowd goes nowhere. */
static int catch (int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	const struct sockaddr_in *to = msgs[0].msg_hdr.msg_name;
	uint32_t ip = ntohl(to->sin_addr.s_addr);

	if (ip >> 16 != 0xc612)
		return sendmmsg(fd, msgs, 1, flags);
	(void)n;
	assert_true((ip & 0xff) < STRANGERS);
	crowd.answers[ip & 0xff]++;
	crowd.bytes[ip & 0xff] += msgs[0].msg_hdr.msg_iov->iov_len;
	return 1;
}

static void
release(struct rpcrig *rig, void *arg)
{
	struct udp_ports *all = TAILQ_FIRST(&rig->server->ports);
	struct quic_end *e = all->port[0].end;

	(void)arg;
	e->io->send = catch;
	for (unsigned i = 0; i < crowd.n; i++) {
		const struct quic_datagram d = {
			.data = crowd.data[i],
			.len = crowd.len[i],
			.remote = &crowd.from[i],
			.local = &all->bound,
		};

		quic_end_feed(e, &d);
	}
}

static void
no_errand(struct rpcrig *rig, void *arg)
{
	(void)rig;
	(void)arg;
}

static void
count_refused(struct rpcrig *rig, void *arg)
{
	unsigned *refused = arg;

	(void)rig;
	for (size_t i = 0; i < STRANGERS; i++) {
		/* One short packet, or the beginning of a handshake. */
		assert_true(crowd.answers[i] > 0);
		assert_true(crowd.bytes[i] <= 3 * crowd.len[i]);
		if (crowd.bytes[i] < 100) {
			assert_int_equal(crowd.answers[i], 1);
			++*refused;
		}
	}
}

/* Somebody who is there, a crowd, and what the log says about it. */
static void
meet(unsigned spread, unsigned max, unsigned per_source, unsigned admitted,
    const char *text)
{
	struct rpcrig rig;
	struct rk_server_stats s;
	struct rk_client *c;
	unsigned refused = 0;

	memset(&crowd, 0, sizeof(crowd));
	rpcrig_init(&rig, RPC_QUIC, 0);
	rig.conf.max_unproven = max;
	rig.conf.max_per_source = per_source;
	rig.conf.timeouts.handshake = 1200;
	rpcrig_start(&rig);
	c = rpcrig_client(&rig);
	gather(&rig);
	crowd.spread = spread;
	for (unsigned i = 0; i < STRANGERS; i++)
		place(i);
	rpcrig_await_conns(&rig, 1);
	rpclog_start();
	rpcrig_do(&rig, release, NULL);
	rpcrig_do(&rig, no_errand, NULL); /* the turn after */
	check(c);
	rk_server_stats(rig.server, &s);
	assert_int_equal(s.conns, 1 + admitted);
	assert_int_equal(s.refused, STRANGERS - admitted);
	assert_true(rpclog_count(RK_LOG_WARN, text) > 0);
	assert_true(rpclog_count(RK_LOG_WARN, "quic://198.18.") > 0);
	/* They never prove anything. */
	rpcrig_await_conns(&rig, 1);
	rpcrig_do(&rig, count_refused, &refused);
	assert_int_equal(refused, STRANGERS - admitted);
	rpclog_stop();
	check(c);
	/* Room again, also for strangers. */
	rpcrig_do(&rig, release, NULL);
	rpcrig_do(&rig, no_errand, NULL);
	rk_server_stats(rig.server, &s);
	assert_int_equal(s.conns, 1 + admitted);
	check(c);
	rk_client_free(c);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

static void
bounds_strangers(void **state)
{
	(void)state;
	meet(1, 8, 100, 8,
	    "too many connections that have not proven themselves");
}

static void
bounds_strangers_of_one_network(void **state)
{
	(void)state;
	meet(10, 100, 3, STRANGERS / 10 * 3,
	    "too many unproven connections from this network");
}

int
main(void)
{
	static struct rpcrun runs[] = {
		{ .kind = RPC_QUIC, .threads = 0 },
		{ .kind = RPC_QUIC, .threads = 2 },
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(says_that_it_is_full, &runs[0]),
		cmocka_unit_test_prestate(says_that_it_is_full, &runs[1]),
		cmocka_unit_test_prestate(takes_as_many_as_may_be, &runs[0]),
		cmocka_unit_test_prestate(takes_as_many_as_may_be, &runs[1]),
		cmocka_unit_test(bounds_strangers),
		cmocka_unit_test(bounds_strangers_of_one_network),
	};

	return cmocka_run_group_tests_name(
	    "quic full", tests, rpcworld_setup, rpcworld_teardown);
}
