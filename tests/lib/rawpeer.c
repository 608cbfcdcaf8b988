/* A peer that is a socket: frames by hand over plain TCP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rawpeer.h"
#include "rpc/frame.h"
#include "rpc/greenpack.h"
#include "rpc/server_int.h"

static uint8_t got[FRAME_HEAD_LEN + RK_BODY_MAX];

static struct sockaddr_in
loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int
make_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	return fd;
}

static int
connect_to(int fd, const struct rpcrig *r)
{
	struct sockaddr_in in =
	    loopback((uint16_t)strtoul(strrchr(r->url, ':') + 1, NULL, 10));

	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

int
raw_dial(const struct rpcrig *r)
{
	return connect_to(make_socket(), r);
}

static void
make_narrow(int fd, int what)
{
	/* The kernel takes twice of it. */
	const int len = RAW_NARROW / 4;

	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, what, &len, sizeof(len)), 0);
}

int
raw_dial_narrow(const struct rpcrig *r)
{
	int fd = make_socket();

	/* What it accepts is like it. */
	make_narrow(TAILQ_FIRST(&r->server->listeners)->fd, SO_RCVBUF);
	make_narrow(fd, SO_SNDBUF);
	return connect_to(fd, r);
}

int
raw_listen(char url[128])
{
	struct sockaddr_in in = loopback(0);
	socklen_t len = sizeof(in);
	int fd = make_socket();

	assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	(void)snprintf(
	    url, 128, "tcp://127.0.0.1:%u", (unsigned)ntohs(in.sin_port));
	return fd;
}

int
raw_accept(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int peer;

	assert_int_equal(poll(&p, 1, RPCRIG_PATIENCE_MS), 1);
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	return peer;
}

void
raw_close(int fd)
{
	assert_int_equal(close(fd), 0);
}

size_t
raw_put_some(int fd, const void *data, size_t len, size_t least)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	size_t sent = 0;

	while (sent < len &&
	       poll(&p, 1, sent < least ? RPCRIG_PATIENCE_MS : 300) == 1) {
		ssize_t n = send(fd, (const uint8_t *)data + sent, len - sent,
		    MSG_DONTWAIT | MSG_NOSIGNAL);

		assert_true(n > 0);
		sent += (size_t)n;
	}
	return sent;
}

void
raw_put(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;
	struct pollfd w = { fd, POLLOUT, 0 };
	ssize_t n;

	while (len > 0) {
		assert_int_equal(poll(&w, 1, RPCRIG_PATIENCE_MS), 1);
		n = send(fd, p, len, MSG_NOSIGNAL);
		if (n < 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

void
raw_finish(int fd)
{
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
}

/* 0: the end. */
static size_t
take(int fd, uint8_t *dst, size_t len)
{
	struct pollfd p = { fd, POLLIN, 0 };
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		assert_int_equal(poll(&p, 1, RPCRIG_PATIENCE_MS), 1);
		n = recv(fd, dst + have, len - have, 0);
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	return have;
}

bool
raw_try_get(int fd, struct msg *m)
{
	struct rk_error err = { 0 };
	struct frame f;
	size_t n = take(fd, got, FRAME_HEAD_LEN);
	size_t missing = 0;

	memset(m, 0, sizeof(*m));
	if (n == 0)
		return false;
	assert_int_equal(n, FRAME_HEAD_LEN);
	assert_int_equal(frame_split(got, n, &f, &missing, &err), RK_EAGAIN);
	assert_int_equal(take(fd, got + n, missing), missing);
	if (frame_split(got, n + missing, &f, NULL, &err) != RK_OK ||
	    msg_decode(f.body.ptr, f.body.len, m, &err) != RK_OK)
		fail_msg("%s", err.text);
	return true;
}

void
raw_get(int fd, struct msg *m)
{
	assert_true(raw_try_get(fd, m));
}

void
raw_drain(int fd, struct buf *b)
{
	size_t n;

	while ((n = take(fd, got, sizeof(got))) > 0)
		assert_int_equal(buf_put(b, got, n), RK_OK);
}

void
raw_expect_end(int fd)
{
	uint8_t byte;

	assert_int_equal(take(fd, &byte, 1), 0);
	raw_close(fd);
}

void
raw_check_reply(int fd, uint64_t seqno, const void *payload, size_t len)
{
	struct msg m;

	raw_get(fd, &m);
	assert_int_equal(m.hdr.type, RK_TYPE_REPLY);
	assert_int_equal(m.hdr.seqno, seqno);
	assert_int_equal(m.error.len, 0);
	assert_int_equal(m.payload.len, len);
	if (len > 0)
		assert_memory_equal(m.payload.ptr, payload, len);
}

void
raw_check_echo(int fd, uint64_t seqno)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	raw_call(&b, "echo", seqno, "after", 5);
	raw_put(fd, buf_peek(&b), buf_len(&b));
	raw_check_reply(fd, seqno, "after", 5);
	buf_fini(&b);
}

/* ---- frames ---- */

enum rk_err
raw_try_call(struct buf *b, const char *method, uint64_t seqno)
{
	struct msg m = { .hdr = { .type = RK_TYPE_CALL,
		             .to_service = { method, strlen(method) },
		             .seqno = seqno } };

	return msg_encode(b, &m, NULL, 0);
}

void
raw_call(struct buf *b, const char *method, uint64_t seqno, const void *payload,
    size_t len)
{
	struct msg m = { .hdr = { .type = RK_TYPE_CALL,
		             .to_service = { method, strlen(method) },
		             .seqno = seqno },
		.payload = { payload, len } };

	assert_int_equal(msg_encode(b, &m, NULL, 0), RK_OK);
}

void
raw_typed(struct buf *b, int64_t type, const char *method, uint64_t seqno)
{
	struct msg m = { .hdr = { .type = type,
		             .to_service = { method, strlen(method) },
		             .seqno = seqno,
		             .call_id = { "an id", 5 } } };

	assert_int_equal(msg_encode(b, &m, NULL, 0), RK_OK);
}

static void
put_str(struct buf *b, const char *s)
{
	uint8_t *p;

	assert_int_equal(buf_reserve(b, strlen(s) + 5, &p), RK_OK);
	buf_commit(b, (size_t)(gp_put_str(p, s, strlen(s)) - p));
}

static void
put_map(struct buf *b, uint32_t n)
{
	uint8_t *p;

	assert_int_equal(buf_reserve(b, GP_HEAD_MAX, &p), RK_OK);
	buf_commit(b, (size_t)(gp_put_map(p, n) - p));
}

static void
put_uint(struct buf *b, uint64_t v)
{
	uint8_t *p;

	assert_int_equal(buf_reserve(b, GP_SCALAR_MAX, &p), RK_OK);
	buf_commit(b, (size_t)(gp_put_uint(p, v) - p));
}

void
raw_call_args(struct buf *b, const char *method, uint64_t seqno, size_t n)
{
	uint8_t head[FRAME_HEAD_LEN];
	struct buf body;

	buf_init(&body, SIZE_MAX);
	put_map(&body, 1);
	put_str(&body, "HDR_zid00_rct");
	put_map(&body, 4);
	put_str(&body, "ToServiceName_zid03_str");
	put_str(&body, method);
	put_str(&body, "Args_zid07_map");
	put_map(&body, (uint32_t)n);
	for (size_t i = 0; i < 2 * n; i++)
		put_str(&body, "a");
	put_str(&body, "Seqno_zid09_u64");
	put_uint(&body, seqno);
	put_str(&body, "Typ_zid10_rct");
	put_uint(&body, RK_TYPE_CALL);
	frame_put_head(head, FRAME_PLAIN, buf_len(&body));
	assert_int_equal(buf_put(b, head, sizeof(head)), RK_OK);
	assert_int_equal(buf_put(b, buf_peek(&body), buf_len(&body)), RK_OK);
	buf_fini(&body);
}
