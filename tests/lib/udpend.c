/* One end of a UDP way for tests: a quic_io and what it has received. */
#include "udpend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 60000

void
udpend_resolve(const char *url, struct addr *a)
{
	struct addr_url u;
	size_t n;

	assert_int_equal(addr_parse(url, &u, NULL), RK_OK);
	assert_int_equal(addr_resolve(&u, true, a, 1, &n, NULL), RK_OK);
}

/* The same address with this port. */
void
udpend_resolve_port(
    const char *host, const struct addr *port_of, struct addr *a)
{
	char url[80];

	(void)snprintf(url, sizeof(url), "tcp://%s:%u", host,
	    (unsigned)ntohs(port_of->u.in.sin_port));
	udpend_resolve(url, a);
}

void
udpend_start(struct udpend *e, const char *host)
{
	struct rk_error err = { 0 };
	struct addr a;
	char url[80];
	int fd;

	*e = (struct udpend){ 0 };
	(void)snprintf(url, sizeof(url), "tcp://%s:0", host);
	udpend_resolve(url, &a);
	if (quic_io_bind(&a, false, &fd, &e->at, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_int_equal(quic_io_new(fd, NULL, &e->io), RK_OK);
	assert_int_equal(quic_io_fd(e->io), fd);
}

void
udpend_connect(struct udpend *e, const struct addr *remote)
{
	int fd;

	*e = (struct udpend){ 0 };
	assert_int_equal(quic_io_connect(remote, &fd, NULL), RK_OK);
	assert_int_equal(quic_io_new(fd, NULL, &e->io), RK_OK);
}

bool
udpend_has_ipv6(void)
{
	struct addr a;
	int fd;

	udpend_resolve("tcp://[::1]:0", &a);
	if (quic_io_bind(&a, false, &fd, NULL, NULL) != RK_OK)
		return false;
	assert_int_equal(close(fd), 0);
	return true;
}

bool
udpend_same(const struct addr *a, const struct addr *b)
{
	return a->len == b->len && memcmp(&a->u, &b->u, a->len) == 0;
}

void
udpend_take(const struct quic_datagram *d, void *arg)
{
	struct udpend *e = arg;

	assert_true(d->len > 0);
	assert_true(e->n < UDPEND_MAX);
	e->lens[e->n] = d->len;
	e->first[e->n] = d->data[0];
	for (size_t i = 1; i < d->len; i++)
		assert_int_equal(d->data[i], d->data[0]);
	e->n++;
	e->bytes += d->len;
	e->ecn = d->ecn;
	e->local = *d->local;
	e->remote = *d->remote;
}

void
udpend_wait(struct quic_io *io)
{
	struct pollfd p = { .fd = quic_io_fd(io), .events = POLLIN };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

void
udpend_receive(struct udpend *e, size_t n)
{
	enum rk_err r;
	int sys;

	while (e->n < n) {
		udpend_wait(e->io);
		r = quic_io_recv(e->io, udpend_take, e, &sys);
		assert_true(r == RK_OK || r == RK_EAGAIN);
		assert_int_equal(sys, 0);
	}
	assert_int_equal(e->n, n);
	assert_int_equal(quic_io_recv(e->io, udpend_take, e, &sys), RK_EAGAIN);
	assert_int_equal(e->n, n);
}

/* Packets whose bytes count from `first`. */
void
udpend_put(struct udpend *e, const struct addr *local, const struct addr *to,
    uint8_t ecn, size_t len, size_t segment, uint8_t first)
{
	uint8_t *at = quic_io_room(e->io);

	assert_non_null(at);
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(first + i / segment);
	quic_io_put(e->io, local, to, ecn, len, segment);
}

void
udpend_say(struct udpend *e, const struct addr *to, size_t len, size_t segment)
{
	udpend_put(e, NULL, to, 0, len, segment, 1);
	assert_int_equal(quic_io_flush(e->io), RK_OK);
}

struct quic_io_stats
udpend_stats(const struct udpend *e)
{
	struct quic_io_stats s;

	quic_io_stats(e->io, &s);
	return s;
}
