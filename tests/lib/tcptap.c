/* A TCP connection between a client and a server, in the test's own hands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tcptap.h"

#define PATIENCE_MS 60000
#define SILENCE_MS 200

static struct sockaddr_in
local(unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	a.sin_port = htons((uint16_t)port);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

void
tap_aim(struct tap *t, const char *server_url)
{
	const char *colon = strrchr(server_url, ':');

	assert_non_null(colon);
	assert_true(strlen(colon + 1) < sizeof(t->port));
	memcpy(t->port, colon + 1, strlen(colon + 1) + 1);
}

void
tap_init(struct tap *t, const char *server_url)
{
	struct sockaddr_in a = local(0);
	socklen_t len = sizeof(a);

	memset(t, 0, sizeof(*t));
	t->there = true;
	t->client = t->server = -1;
	tap_aim(t, server_url);
	t->listener =
	    socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(t->listener >= 0);
	assert_int_equal(
	    bind(t->listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(t->listener, 16), 0);
	assert_int_equal(
	    getsockname(t->listener, (struct sockaddr *)&a, &len), 0);
	(void)snprintf(t->url, sizeof(t->url), "%.*s://127.0.0.1:%u",
	    (int)strcspn(server_url, ":"), server_url, ntohs(a.sin_port));
}

void
tap_cut(struct tap *t)
{
	if (!t->there)
		return;
	if (t->client >= 0) {
		(void)close(t->client);
		(void)close(t->server);
	}
	t->client = t->server = -1;
}

void
tap_fini(struct tap *t)
{
	if (!t->there)
		return;
	tap_cut(t);
	(void)close(t->listener);
}

/* What was moved is there: the clock of a test may be faster than Nagle's. */
static void
send_at_once(int fd)
{
	const int on = 1;

	assert_int_equal(
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
}

static int
dial(const struct tap *t)
{
	struct sockaddr_in a = local((unsigned)strtoul(t->port, NULL, 10));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	send_at_once(fd);
	return fd;
}

static void
take_client(struct tap *t)
{
	int fd = accept4(t->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	tap_cut(t);
	send_at_once(fd);
	t->client = fd;
	t->server = dial(t);
	t->answers = 0;
	t->len = 0;
}

/* Bytes moved; 0: none for now; -1: the end. */
static ssize_t
move(int from, int to, uint8_t *tmp, size_t cap)
{
	ssize_t n = recv(from, tmp, cap, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return 0;
	if (n <= 0)
		return -1;
	if (to < 0)
		return n;
	/* All of it, or the end of the connection. */
	return send(to, tmp, (size_t)n, MSG_NOSIGNAL) == n ? n : -1;
}

void
tap_pump(struct tap *t)
{
	static uint8_t tmp[65536];
	ssize_t n = 1;

	if (!t->there)
		return;
	take_client(t);
	while (t->client >= 0 && n > 0 && !(t->hold && t->answers > 0)) {
		n = move(
		    t->client, t->blackhole ? -1 : t->server, tmp, sizeof(tmp));
		if (n > 0 && (size_t)n <= sizeof(t->flight) - t->len) {
			memcpy(t->flight + t->len, tmp, (size_t)n);
			t->len += (size_t)n;
		}
	}
	if (n < 0)
		tap_cut(t);
	if (t->client < 0 || t->mute)
		return;
	n = move(t->server, t->client, tmp, sizeof(tmp));
	if (n < 0)
		tap_cut(t);
	else
		t->answers += (size_t)n;
}

bool
tap_holds(const struct tap *t)
{
	int n = 0;

	return t->there && t->client >= 0 &&
	       ioctl(t->client, FIONREAD, &n) == 0 && n > 0;
}

void
tap_replay(struct tap *t, const uint8_t *src, size_t len)
{
	static uint8_t tmp[65536];
	int fd = dial(t);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(send(fd, src, len, MSG_NOSIGNAL), (ssize_t)len);
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	while (
	    recv(fd, tmp, sizeof(tmp), 0) > 0 && poll(&p, 1, SILENCE_MS) == 1)
		continue;
	(void)close(fd);
}
