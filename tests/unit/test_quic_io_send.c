/* UDP for QUIC: what the kernel and the network refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "net/quic_io_int.h"

#include "udpend.h"

/* ---- refusals ---- */

/* Without checksums the kernel cannot segment, and says so. */
static void
does_without_segments(void **state)
{
	const int on = 1;
	struct quic_io_stats before;
	struct udpend a;
	struct udpend b;

	(void)state;
	udpend_start(&a, "127.0.0.1");
	udpend_start(&b, "127.0.0.1");
	assert_int_equal(setsockopt(quic_io_fd(a.io), SOL_SOCKET, SO_NO_CHECK,
	                     &on, sizeof(on)),
	    0);
	udpend_say(&a, &b.at, 63 * (size_t)1000 + 7, 1000);
	udpend_receive(&b, 64);
	assert_int_equal(b.lens[63], 7);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(b.first[i], i + 1);
	assert_false(udpend_stats(&a).gso);
	assert_int_equal(udpend_stats(&a).sent, 64);
	/* Not asked again. */
	before = udpend_stats(&a);
	udpend_say(&a, &b.at, 160, 10);
	udpend_receive(&b, 80);
	assert_int_equal(udpend_stats(&a).send_calls, before.send_calls + 1);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

/* Where there are no segments nothing can refuse them. */
static void
need_segments(const struct udpend *e)
{
	if (!udpend_stats(e).gso)
		skip();
}

/* What the stand-in for sendmmsg(2) says: an errno, or how many to send. */
static struct {
	int say[8];
	size_t at;
	size_t n;
} script;

static int
scripted(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	int what;

	if (script.at == script.n)
		return sendmmsg(fd, msgs, n, flags);
	what = script.say[script.at++];
	if (what >= 0)
		return sendmmsg(
		    fd, msgs, (unsigned)what < n ? (unsigned)what : n, flags);
	errno = -what;
	return -1;
}

static void
set_script(struct udpend *e, const int *say_, size_t n)
{
	memcpy(script.say, say_, n * sizeof(*say_));
	script.at = 0;
	script.n = n;
	e->io->send = scripted;
}

#define SCRIPT(e, ...)                              \
	set_script(e, (const int[]){ __VA_ARGS__ }, \
	    sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

static void
knows_every_refusal(void **state)
{
	static const int refusals[] = { EINVAL, EIO, EOPNOTSUPP, ENOPROTOOPT };
	struct udpend a;
	struct udpend b;

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		udpend_start(&a, "127.0.0.1");
		udpend_start(&b, "127.0.0.1");
		need_segments(&a);
		SCRIPT(&a, -refusals[i], 1, -EINTR, 2);
		udpend_put(&a, NULL, &b.at, 1, 50, 10, 1);
		udpend_put(&a, NULL, &b.at, 0, 10, 10, 6);
		udpend_put(&a, NULL, &b.at, 0, 50, 10, 7);
		assert_int_equal(quic_io_flush(a.io), RK_OK);
		udpend_receive(&b, 11);
		for (size_t k = 0; k < 11; k++)
			assert_int_equal(b.first[k], k + 1);
		assert_false(udpend_stats(&a).gso);
		assert_int_equal(udpend_stats(&a).sent, 11);
		assert_int_equal(udpend_stats(&a).dropped, 0);
		quic_io_free(a.io);
		quic_io_free(b.io);
	}
}

/* Packets that are too big are no reason to give up segments. */
static void
drops_what_is_too_big(void **state)
{
	struct udpend a;
	struct udpend b;

	(void)state;
	udpend_start(&a, "127.0.0.1");
	udpend_start(&b, "127.0.0.1");
	need_segments(&a);
	/* Two full packets do not fit, the shorter last one does. */
	SCRIPT(&a, -EMSGSIZE, -EMSGSIZE, -EMSGSIZE, 1);
	udpend_say(&a, &b.at, 25, 10);
	udpend_receive(&b, 1);
	assert_int_equal(b.lens[0], 5);
	/* A kernel that says EINVAL for the same. */
	SCRIPT(&a, -EINVAL, -EMSGSIZE, -EMSGSIZE, 1);
	udpend_say(&a, &b.at, 25, 10);
	udpend_receive(&b, 2);
	assert_int_equal(b.lens[1], 5);
	assert_int_equal(udpend_stats(&a).dropped, 4);
	assert_true(udpend_stats(&a).gso);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

static void
drops_as_networks_do(void **state)
{
	static const int reasons[] = { EMSGSIZE, ENETUNREACH, EHOSTUNREACH,
		ECONNREFUSED, EPERM, ENOBUFS, EADDRNOTAVAIL };
	struct udpend a;
	struct udpend b;

	(void)state;
	udpend_start(&a, "127.0.0.1");
	udpend_start(&b, "127.0.0.1");
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		SCRIPT(&a, -reasons[i]);
		udpend_put(&a, NULL, &b.at, 0, 10, 10, 1);
		udpend_put(&a, NULL, &b.at, 0, 20, 20, 2);
		assert_int_equal(quic_io_flush(a.io), RK_OK);
		udpend_receive(&b, i + 1);
		assert_int_equal(b.lens[i], 20);
		assert_int_equal(udpend_stats(&a).dropped, i + 1);
	}
	quic_io_free(a.io);
	quic_io_free(b.io);
}

/* A full socket keeps what was put, in order, and takes no more. */
static void
waits_when_full(void **state)
{
	struct udpend a;
	struct udpend b;

	(void)state;
	udpend_start(&a, "127.0.0.1");
	udpend_start(&b, "127.0.0.1");
	need_segments(&a);
	SCRIPT(&a, 1, -EAGAIN, -EAGAIN);
	udpend_put(&a, NULL, &b.at, 0, 30, 10, 1);
	udpend_put(&a, NULL, &b.at, 0, 30, 10, 4);
	assert_int_equal(quic_io_flush(a.io), RK_EAGAIN);
	udpend_receive(&b, 3);
	assert_null(quic_io_room(a.io));
	assert_int_equal(script.at, 2); /* nothing was tried for that */
	assert_int_equal(quic_io_flush(a.io), RK_EAGAIN);
	assert_null(quic_io_room(a.io));
	assert_int_equal(quic_io_flush(a.io), RK_OK);
	assert_non_null(quic_io_room(a.io));
	udpend_receive(&b, 6);
	for (size_t k = 0; k < 6; k++)
		assert_int_equal(b.first[k], k + 1);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

/* The same in the middle of a batch that goes packet by packet. */
static void
waits_within_a_batch(void **state)
{
	struct udpend a;
	struct udpend b;

	(void)state;
	udpend_start(&a, "127.0.0.1");
	udpend_start(&b, "127.0.0.1");
	need_segments(&a);
	SCRIPT(&a, -EIO, 2, -EAGAIN, -EAGAIN, 1);
	udpend_put(&a, NULL, &b.at, 0, 45, 10, 1);
	assert_int_equal(quic_io_flush(a.io), RK_EAGAIN);
	udpend_receive(&b, 2);
	assert_int_equal(quic_io_flush(a.io), RK_EAGAIN);
	assert_int_equal(quic_io_flush(a.io), RK_OK);
	udpend_receive(&b, 5);
	assert_int_equal(b.lens[4], 5);
	for (size_t k = 0; k < 5; k++)
		assert_int_equal(b.first[k], k + 1);
	assert_int_equal(udpend_stats(&a).sent, 5);
	quic_io_free(a.io);
	quic_io_free(b.io);
}

/* Sockets of one thread: what waits is its owner's, all else is everybody's. */
static void
shares_memory(void **state)
{
	struct quic_io_mem mem = { NULL, NULL };
	struct udpend a, b, c;

	(void)state;
	udpend_start(&a, "127.0.0.1");
	udpend_start(&b, "127.0.0.1");
	udpend_start(&c, "127.0.0.1");
	a.io->mem = b.io->mem = c.io->mem = &mem;
	need_segments(&a);
	SCRIPT(&a, -EAGAIN, 1);
	udpend_put(&a, NULL, &c.at, 0, 30, 10, 1);
	assert_int_equal(quic_io_flush(a.io), RK_EAGAIN);
	assert_null(mem.out);
	for (int i = 0; i < 3; i++) {
		udpend_say(&b, &c.at, 30, 10);
		assert_non_null(mem.out);
		assert_null(b.io->out);
	}
	udpend_receive(&c, 9);
	c.n = c.bytes = 0;
	assert_int_equal(quic_io_flush(a.io), RK_OK);
	assert_null(a.io->out);
	udpend_receive(&c, 3);
	for (size_t k = 0; k < 3; k++)
		assert_int_equal(c.first[k], k + 1);
	assert_non_null(mem.in);
	quic_io_free(a.io);
	quic_io_free(b.io);
	quic_io_free(c.io);
	quic_io_mem_fini(&mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_without_segments),
		cmocka_unit_test(knows_every_refusal),
		cmocka_unit_test(drops_what_is_too_big),
		cmocka_unit_test(drops_as_networks_do),
		cmocka_unit_test(waits_when_full),
		cmocka_unit_test(waits_within_a_batch),
		cmocka_unit_test(shares_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
