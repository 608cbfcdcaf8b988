/* UDP sockets that somebody else made, and handed to a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/rpckit.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpcrig.h"

#define CLIENTS 8
#define PATIENCE_MS 60000

struct host {
	struct rk_loop *loop;
	struct rk_server *server;
	char url[128];
	bool stopped;
};

static void
begin(struct host *h, unsigned threads)
{
	struct rk_server_conf conf = {
		.size = sizeof(conf),
		.threads = threads,
		.ident = rpcworld.node,
		.retry_from = RK_RETRY_ALWAYS,
		.congestion = RK_CONGESTION_BBR,
	};

	*h = (struct host){ 0 };
	assert_int_equal(rk_loop_new(&h->loop), RK_OK);
	conf.loop = h->loop;
	assert_int_equal(rk_server_new(&conf, &h->server, NULL), RK_OK);
}

static void
on_stopped(void *arg)
{
	((struct host *)arg)->stopped = true;
}

static void
end(struct host *h)
{
	uint64_t until = rk_loop_now(h->loop) + PATIENCE_MS;

	rk_server_stop(h->server, 1000, on_stopped, h);
	while (!h->stopped) {
		assert_int_equal(rk_loop_step(h->loop, 100), RK_OK);
		assert_true(rk_loop_now(h->loop) < until);
	}
	rk_server_free(h->server);
	rk_loop_free(h->loop);
}

static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	(void)c;
	assert_int_equal(reply->code, RK_OK);
	assert_int_equal(reply->payload.len, 2);
	assert_memory_equal(reply->payload.ptr, "hi", 2);
	++*(unsigned *)arg;
}

/* Several clients, each with a port of its own. */
static void
call(struct host *h)
{
	uint64_t until = rk_loop_now(h->loop) + PATIENCE_MS;
	struct rk_request r = {
		.method = "_.ping", .payload = "hi", .payload_len = 2
	};
	struct rk_client_conf conf = { .size = sizeof(conf),
		.url = h->url,
		.loop = h->loop,
		.ident = rpcworld.client,
		.congestion = RK_CONGESTION_BBR };
	struct rk_client *c[CLIENTS];
	unsigned answers = 0;

	assert_int_equal(rk_server_start(h->server, NULL), RK_OK);
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(rk_client_new(&conf, &c[i], NULL), RK_OK);
		assert_int_equal(rk_client_start(c[i], NULL), RK_OK);
		assert_int_equal(
		    rk_client_submit(c[i], &r, on_reply, &answers, NULL),
		    RK_OK);
	}
	while (answers < CLIENTS) {
		assert_int_equal(rk_loop_step(h->loop, 100), RK_OK);
		assert_true(rk_loop_now(h->loop) < until);
	}
	for (int i = 0; i < CLIENTS; i++)
		rk_client_free(c[i]);
}

static int
udp(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	return fd;
}

/* A port of the kernel's, or that of *in. */
static int
bound_udp(struct sockaddr_in *in, bool shared)
{
	socklen_t len = sizeof(*in);
	int on = shared;
	int fd = udp();

	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)in, sizeof(*in)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)in, &len), 0);
	return fd;
}

static enum rk_err
give(struct host *h, int fd, const char *text)
{
	struct rk_error err;
	enum rk_err r =
	    rk_server_listen_fd(h->server, "quic", fd, h->url, &err);

	assert_int_equal(err.code, r);
	if (text != NULL && strstr(err.text, text) == NULL)
		fail_msg("%s", err.text);
	return r;
}

static void
takes_a_socket(unsigned threads)
{
	struct sockaddr_in in = { 0 };
	int fd = bound_udp(&in, false);
	struct host h;

	begin(&h, threads);
	rpclog_start();
	assert_int_equal(give(&h, fd, NULL), RK_OK);
	assert_int_equal(strncmp(h.url, "quic://127.0.0.1:", 17), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(rpclog_count(RK_LOG_WARN, "one thread"), 0);
	rpclog_stop();
	call(&h);
	end(&h);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void
takes_sockets(void **state)
{
	(void)state;
	takes_a_socket(0);
	takes_a_socket(3);
}

/* Others at the port that do not let anybody join, as those of other users. */
static void
serves_alone_where_none_may_join(void **state)
{
	struct sockaddr_in in = { 0 };
	int fd = bound_udp(&in, true);
	int other = bound_udp(&in, true);
	int off = 0;
	struct host h;

	(void)state;
	assert_int_equal(
	    setsockopt(other, SOL_SOCKET, SO_REUSEPORT, &off, sizeof(off)), 0);
	begin(&h, 2);
	rpclog_start();
	assert_int_equal(give(&h, fd, NULL), RK_OK);
	assert_int_equal(rpclog_count(RK_LOG_WARN,
	                     "one thread serves it: other sockets cannot join "
	                     "the one passed in"),
	    1);
	rpclog_stop();
	(void)close(other); /* or it would get packets */
	call(&h);
	end(&h);
}

/* Sockets beside it would take IPv4, too. */
static void
serves_ipv6_alone(void **state)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6 };
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	char url[128];
	int on = 1;
	struct host h;

	(void)state;
	if (fd < 0)
		skip();
	assert_int_equal(
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	begin(&h, 2);
	rpclog_start();
	assert_int_equal(give(&h, fd, NULL), RK_OK);
	assert_int_equal(rpclog_count(RK_LOG_WARN, "is for IPv6 only"), 1);
	rpclog_stop();
	assert_int_equal(strncmp(h.url, "quic://[::]:", 12), 0);
	(void)snprintf(url, sizeof(url), "quic://[::1]:%.5s", h.url + 12);
	memcpy(h.url, url, sizeof(url));
	call(&h);
	end(&h);
}

static void
refuses_what_is_no_port(void **state)
{
	struct sockaddr_in in = { 0 };
	struct sockaddr_in peer = { 0 };
	int to = bound_udp(&peer, false);
	int fds[6];
	struct host h;

	(void)state;
	fds[0] = udp();
	fds[1] = bound_udp(&in, false);
	assert_int_equal(
	    connect(fds[1], (const struct sockaddr *)&peer, sizeof(peer)), 0);
	fds[2] = socket(AF_UNIX, SOCK_DGRAM, 0);
	fds[3] = open("/dev/null", O_RDONLY);
	fds[4] = socket(AF_INET, SOCK_STREAM, 0);
	in.sin_port = 0;
	assert_int_equal(
	    bind(fds[4], (const struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fds[4], 1), 0);
	fds[5] = to;
	begin(&h, 0);
	assert_int_equal(give(&h, fds[0], "is not bound to a port"), RK_EINVAL);
	assert_int_equal(give(&h, fds[1], "is connected"), RK_EINVAL);
	assert_int_equal(give(&h, fds[2], "not a socket for quic"), RK_EINVAL);
	assert_int_equal(give(&h, fds[3], "is not a socket"), RK_EINVAL);
	assert_int_equal(give(&h, fds[4], "is not a UDP socket"), RK_EINVAL);
	assert_int_equal(give(&h, -1, "is not a socket"), RK_EINVAL);
	end(&h);
	for (int i = 0; i < 6; i++)
		assert_int_equal(close(fds[i]), 0); /* they stayed ours */
}

static void
refuses_a_port_twice(void **state)
{
	struct sockaddr_in in = { 0 };
	int fd = bound_udp(&in, true);
	int again = bound_udp(&in, true);
	struct host h;

	(void)state;
	begin(&h, 0);
	assert_int_equal(give(&h, fd, NULL), RK_OK);
	assert_int_equal(
	    give(&h, again, "another socket has its port"), RK_EINVAL);
	assert_int_equal(close(again), 0);
	end(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_sockets),
		cmocka_unit_test(serves_alone_where_none_may_join),
		cmocka_unit_test(serves_ipv6_alone),
		cmocka_unit_test(refuses_what_is_no_port),
		cmocka_unit_test(refuses_a_port_twice),
	};

	return cmocka_run_group_tests_name(
	    "quic listen", tests, rpcworld_setup, rpcworld_teardown);
}
