/* Dialing: the first that answers, the next when one does not, patience. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/dial.h"
#include "net/loop.h"
#include "net/sock.h"

#include <rpckit/server.h>

struct result {
	unsigned n;
	int fd;
	struct rk_error why;
};

static struct rk_loop *loop;
static uint64_t now;

static uint64_t
fake_clock(void *arg)
{
	(void)arg;
	return now;
}

static int
set_up(void **state)
{
	(void)state;
	now = 5000;
	if (rk_loop_new(&loop) != RK_OK)
		return 1;
	loop_set_clock(loop, fake_clock, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	rk_loop_free(loop);
	return 0;
}

static void
on_dialed(int fd, const struct rk_error *why, void *arg)
{
	struct result *r = arg;

	r->n++;
	r->fd = fd;
	assert_int_equal(fd >= 0, why == NULL);
	if (why != NULL)
		r->why = *why;
}

static int
listening(struct addr *a)
{
	struct rk_error err;
	struct addr any = { .len = sizeof(any.u.in) };
	int fd;

	any.u.in.sin_family = AF_INET;
	any.u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(sock_listen(&any, &fd, a, &err), RK_OK);
	return fd;
}

/* Nobody listens there, as far as one can know. */
static struct addr
closed(void)
{
	struct addr a;

	(void)close(listening(&a));
	return a;
}

/* Its queue is full: a connection attempt is not answered. */
static int
silent(struct addr *a, int filler[4])
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*a = (struct addr){ .len = sizeof(a->u.in) };
	a->u.in.sin_family = AF_INET;
	a->u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, &a->u.sa, a->len), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, &a->u.sa, &a->len), 0);
	for (int i = 0; i < 4; i++) {
		filler[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(filler[i], &a->u.sa, a->len);
	}
	return fd;
}

static void
silent_close(int fd, const int filler[4])
{
	for (int i = 0; i < 4; i++)
		(void)close(filler[i]);
	(void)close(fd);
}

static struct dial *
start(const struct addr *addrs, size_t n, uint64_t timeout, struct result *r)
{
	struct dial_conf conf = { .loop = loop,
		.addrs = addrs,
		.n_addrs = n,
		.scheme = ADDR_TLS,
		.timeout = timeout,
		.fn = on_dialed,
		.arg = r };
	struct dial *d;

	*r = (struct result){ .fd = -1 };
	loop_refresh(loop);
	assert_int_equal(dial_start(&conf, &d), RK_OK);
	assert_int_equal(r->n, 0); /* never in there */
	return d;
}

static void
turns(int n)
{
	while (n-- > 0)
		assert_int_equal(rk_loop_step(loop, 0), RK_OK);
}

/* Turn until it is over; the clock stands still. */
static void
finish(const struct result *r)
{
	struct pollfd p = { rk_loop_fd(loop), POLLIN, 0 };

	for (int i = 0; r->n == 0 && i < 1000; i++) {
		(void)poll(&p, 1, 20);
		turns(1);
	}
	assert_int_equal(r->n, 1);
}

static void
connects(void **state)
{
	struct addr a, remote;
	int l = listening(&a);
	struct result r;
	int peer;

	(void)state;
	(void)start(&a, 1, 1000, &r);
	finish(&r);
	assert_true(r.fd >= 0);
	assert_int_equal(sock_accept(l, &peer, &remote), RK_OK);
	assert_int_equal(send(r.fd, "x", 1, MSG_NOSIGNAL), 1);
	(void)close(peer);
	(void)close(r.fd);
	(void)close(l);
}

static void
says_why_not(void **state)
{
	struct addr a[3] = { closed(), closed(), closed() };
	struct result r;
	char where[ADDR_TEXT_LEN];

	(void)state;
	for (size_t n = 1; n <= 3; n++) {
		(void)start(a, n, RK_NEVER, &r);
		finish(&r);
		assert_int_equal(r.why.code, RK_ECONNECT);
		assert_int_equal(r.why.sys, ECONNREFUSED);
		assert_string_equal(r.why.step, "connect");
		addr_format(&a[n - 1], ADDR_TLS, where);
		assert_non_null(strstr(r.why.text, where));
	}
	turns(3);
	assert_int_equal(r.n, 1);
	assert_int_equal(rk_loop_wait_ms(loop), -1);
}

/* Who fails does not hold the others up. */
static void
tries_the_next_at_once(void **state)
{
	struct addr a[3] = { closed(), closed() };
	int l = listening(&a[2]);
	struct result r;

	(void)state;
	(void)start(a, 3, 1000, &r);
	finish(&r);
	assert_true(r.fd >= 0);
	assert_int_equal(now, 5000);
	(void)close(r.fd);
	(void)close(l);
}

/* Who says nothing has a head start, and then company. */
static void
overtakes_the_silent(void **state)
{
	struct addr a[2];
	int filler[4];
	int s = silent(&a[0], filler);
	int l = listening(&a[1]);
	struct result r;

	(void)state;
	(void)start(a, 2, 10000, &r);
	turns(5);
	now += DIAL_STAGGER_MS - 1;
	turns(5);
	assert_int_equal(r.n, 0);
	now += 1;
	finish(&r);
	assert_true(r.fd >= 0);
	(void)close(r.fd);
	(void)close(l);
	silent_close(s, filler);
}

static void
loses_patience(void **state)
{
	struct addr a[2];
	int filler[2][4];
	int s[2] = { silent(&a[0], filler[0]), silent(&a[1], filler[1]) };
	struct result r;

	(void)state;
	(void)start(a, 2, 1000, &r);
	turns(3);
	now += DIAL_STAGGER_MS;
	turns(3);
	now += 1000 - DIAL_STAGGER_MS - 1;
	turns(3);
	assert_int_equal(r.n, 0);
	now += 1;
	turns(3);
	assert_int_equal(r.n, 1);
	assert_int_equal(r.why.code, RK_ETIMEOUT);
	assert_string_equal(r.why.step, "connect");
	for (int i = 0; i < 2; i++)
		silent_close(s[i], filler[i]);
}

/* However far it came, nothing is called or left behind. */
static void
can_be_stopped(void **state)
{
	struct addr a[2] = { closed() };
	int l = listening(&a[1]);
	struct result r;

	(void)state;
	for (int n = 0; n < 3; n++) {
		struct dial *d = start(a, 2, 1000, &r);

		if (n > 0)
			turns(1);
		if (n == 2 && r.n == 0)
			turns(1);
		if (r.n == 0)
			dial_free(d);
		else if (r.fd >= 0)
			(void)close(r.fd);
		now += 5000;
		turns(3);
		assert_true(r.n <= 1);
	}
	dial_free(NULL);
	(void)close(l);
}

static void
wants_addresses(void **state)
{
	struct addr many[DIAL_ADDRS_MAX + 1] = { 0 };
	struct dial_conf conf = {
		.loop = loop, .addrs = many, .fn = on_dialed
	};
	struct dial *d;

	(void)state;
	assert_int_equal(dial_start(&conf, &d), RK_EINVAL);
	assert_null(d);
	conf.n_addrs = DIAL_ADDRS_MAX + 1;
	assert_int_equal(dial_start(&conf, &d), RK_EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(connects, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    says_why_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    tries_the_next_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    overtakes_the_silent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    loses_patience, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    can_be_stopped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    wants_addresses, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
