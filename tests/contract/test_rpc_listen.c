/* Where a server listens, whom it lets in, and how long they may stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/quic.h"

#include "certs.h"
#include "rpcrig.h"

static void
new_server(struct rpcrig *r, const struct rpcrun *run)
{
	struct rk_error err;

	rpcrig_init(r, run->kind, run->threads);
	assert_int_equal(rk_server_new(&r->conf, &r->server, &err), RK_OK);
}

static enum rk_err
try_listen(struct rpcrig *r, const char *url, struct rk_error *err)
{
	char got[128];
	enum rk_err e = rk_server_listen(r->server, url, got, err);

	assert_int_equal(err->code, e);
	assert_true(e == RK_OK || err->text[0] != '\0');
	return e;
}

static void
refuses_bad_urls(void **state)
{
	static const struct {
		const char *url;
		enum rk_err code;
	} bad[] = {
		{ "", RK_EINVAL },
		{ "127.0.0.1", RK_EINVAL },
		{ "tcp://", RK_EINVAL },
		{ "tcp://127.0.0.1", RK_EINVAL },
		{ "tcp://127.0.0.1:65536", RK_EINVAL },
		{ "http://127.0.0.1:80", RK_EUNSUPPORTED },
		{ "quic://127.0.0.1:65536", RK_EINVAL },
		{ "unix://", RK_EINVAL },
	};
	struct rpcrig rig;
	struct rk_error err;
	enum rk_err r;

	new_server(&rig, *state);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		r = try_listen(&rig, bad[i].url, &err);
		if (r != bad[i].code && r != RK_EINVAL)
			fail_msg("%s: %s", bad[i].url, rk_err_name(r));
	}
	if (quic_supported(NULL) != RK_OK)
		assert_int_equal(try_listen(&rig, "quic://127.0.0.1:0", &err),
		    RK_EUNSUPPORTED);
	else if (!rpc_is_secure(rig.kind))
		assert_int_equal(
		    try_listen(&rig, "quic://127.0.0.1:0", &err), RK_EINVAL);
	if (!rpc_is_secure(rig.kind))
		assert_int_equal(
		    try_listen(&rig, "tls://127.0.0.1:0", &err), RK_EINVAL);
	rpcrig_fini(&rig);
}

static void
refuses_taken_places(void **state)
{
	struct rpcrig rig, other;
	struct rk_error err;

	rpcrig_begin(&rig, *state);
	new_server(&other, *state);
	assert_int_equal(try_listen(&other, rig.url, &err), RK_EIO);
	assert_int_equal(err.sys, EADDRINUSE);
	assert_string_equal(err.step, "listen");
	rpcrig_fini(&other);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

static void
listen_again(struct rpcrig *r, void *arg)
{
	struct rk_error err;

	(void)arg;
	assert_int_equal(try_listen(r, "tcp://127.0.0.1:0", &err), RK_ESTATE);
	assert_int_equal(rk_server_start(r->server, &err), RK_ESTATE);
}

static void
listens_before_start_only(void **state)
{
	struct rpcrig rig;

	rpcrig_begin(&rig, *state);
	rpcrig_do(&rig, listen_again, NULL);
	rpcrig_end(&rig);
}

/* ---- sockets that somebody else made ---- */

static int
listening_inet(int flags)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 16), 0);
	return fd;
}

/* As systemd hands them over: they would block. */
static void
takes_a_socket_over(void **state)
{
	struct rpcrig rig;
	struct rk_error err;
	const struct rk_method *list;
	size_t n;
	int fd = listening_inet(0);

	new_server(&rig, *state);
	n = rpcrig_methods(&rig, &list);
	assert_int_equal(
	    rk_server_methods(rig.server, list, n, NULL, NULL, &err), RK_OK);
	assert_int_equal(rk_server_listen_fd(rig.server,
	                     rpc_kind_name(rig.kind), fd, rig.url, &err),
	    RK_OK);
	assert_int_equal(rk_server_start(rig.server, &err), RK_OK);
	rig.stepped = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(rk_loop_step(rig.loop, 0), RK_OK);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	rpcrig_stop(&rig, 0);
	rpcrig_await_stopped(&rig);
	rpcrig_fini(&rig);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void
refuses_bad_descriptors(void **state)
{
	struct rpcrig rig;
	struct rk_error err;
	char url[128];
	int good = listening_inet(SOCK_NONBLOCK);
	int deaf = socket(AF_INET, SOCK_STREAM, 0);
	int file = open("/dev/null", O_RDONLY);
	static const char *const schemes[] = { "tcp", "unix" };

	new_server(&rig, *state);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(rk_server_listen_fd(
		                     rig.server, schemes[i], deaf, url, &err),
		    RK_EINVAL);
		assert_int_equal(rk_server_listen_fd(
		                     rig.server, schemes[i], file, url, &err),
		    RK_EINVAL);
		assert_int_equal(
		    rk_server_listen_fd(rig.server, schemes[i], -1, url, &err),
		    RK_EINVAL);
	}
	assert_int_equal(
	    rk_server_listen_fd(rig.server, "quic", good, url, &err),
	    quic_supported(NULL) == RK_OK ? RK_EINVAL : RK_EUNSUPPORTED);
	/* An internet socket is no unix socket. */
	assert_int_equal(
	    rk_server_listen_fd(rig.server, "unix", good, url, &err),
	    RK_EINVAL);
	rpcrig_fini(&rig);
	/* Refused ones stayed ours. */
	assert_int_equal(close(good), 0);
	assert_int_equal(close(deaf), 0);
	assert_int_equal(close(file), 0);
}

/* ---- socket files ---- */

static const char *
path_of(const struct rpcrig *r)
{
	return r->want_url + strlen("unix://");
}

static int
bind_unix(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(fd >= 0 && strlen(path) < sizeof(un.sun_path));
	memcpy(un.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (const struct sockaddr *)&un, sizeof(un)), 0);
	return fd;
}

static void
cares_for_its_file(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct stat st;

	rpcrig_init(&rig, run->kind, run->threads);
	(void)close(bind_unix(path_of(&rig))); /* stale */
	rpcrig_start(&rig);
	assert_int_equal(lstat(path_of(&rig), &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	rpcrig_check_alive(&rig);
	rpcrig_stop(&rig, 0);
	assert_int_equal(lstat(path_of(&rig), &st), -1);
	rpcrig_await_stopped(&rig);
	rpcrig_fini(&rig);
}

static void
leaves_other_files_alone(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_error err;
	struct stat st;
	int fd;

	/* Not a socket. */
	new_server(&rig, run);
	fd = open(path_of(&rig), O_CREAT | O_WRONLY, 0600);
	(void)close(fd);
	assert_int_equal(try_listen(&rig, rig.want_url, &err), RK_EIO);
	assert_int_equal(lstat(path_of(&rig), &st), 0);
	assert_int_equal(unlink(path_of(&rig)), 0);
	rpcrig_fini(&rig);
	/* Somebody else's, who came after ours was removed. */
	rpcrig_init(&rig, run->kind, run->threads);
	rpcrig_start(&rig);
	assert_int_equal(unlink(path_of(&rig)), 0);
	fd = bind_unix(path_of(&rig));
	rpcrig_end(&rig);
	assert_int_equal(lstat(path_of(&rig), &st), 0);
	assert_int_equal(unlink(path_of(&rig)), 0);
	(void)close(fd);
}

/* ---- how many ---- */

/* Over QUIC there is no place to wait in: the peer is told at once. */
static void
tells_that_it_is_busy(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client_conf conf;
	struct rk_client *c[3];
	struct rk_server_stats s;
	struct rk_error err;

	rpcrig_init(&rig, run->kind, run->threads);
	rig.conf.max_conns = 2;
	rpcrig_start(&rig);
	for (size_t i = 0; i < 2; i++)
		c[i] = rpcrig_client(&rig);
	rpcrig_client_conf(&rig, &conf);
	c[2] = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_connect(c[2], &err), RK_ECONNECT);
	assert_non_null(strstr(err.text, "too busy"));
	rk_server_stats(rig.server, &s);
	assert_int_equal(s.accepted, 2);
	rk_client_free(c[0]);
	rpcrig_await_conns(&rig, 1);
	assert_int_equal(rk_client_connect(c[2], NULL), RK_OK);
	rk_client_free(c[1]);
	rk_client_free(c[2]);
	rpcrig_end(&rig);
}

static void
limits_connections(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client_conf conf;
	struct rk_client *c[3];
	struct rk_server_stats s;
	struct rpcanswer a = { 0 };
	struct rpcanswer x;

	rpcrig_init(&rig, run->kind, run->threads);
	rig.conf.max_conns = 2;
	rpcrig_start(&rig);
	for (size_t i = 0; i < 2; i++)
		c[i] = rpcrig_client(&rig);
	rpcrig_client_conf(&rig, &conf);
	c[2] = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_start(c[2], NULL), RK_OK);
	(void)rpcrig_submit(c[2], "echo", "x", 1, &a);
	for (int i = 0; i < 20; i++) {
		(void)rk_client_process(c[2]);
		rpcrig_call(c[i % 2], "echo", "x", 1, &x);
	}
	assert_int_equal(a.n, 0);
	rk_server_stats(rig.server, &s);
	assert_int_equal(s.accepted, 2);
	rk_client_free(c[0]);
	rpcrig_turn(c[2], &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	rk_client_free(c[1]);
	rk_client_free(c[2]);
	rpcrig_end(&rig);
}

/* ---- out of descriptors ---- */

static uint64_t
cpu_ms(void)
{
	struct rusage u;

	assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

static void
survives_want_of_descriptors(void **state)
{
	struct rpcrig rig;
	struct rk_client_conf conf;
	struct rk_client *c, *d;
	struct rpcanswer a = { 0 };
	struct rpcanswer b = { 0 };
	struct rlimit before, tight;
	uint64_t t, cpu;
	int spare;

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	rpcrig_call(c, "echo", NULL, 0, &a); /* it is accepted */
	a.n = 0;
	rpcrig_client_conf(&rig, &conf);
	d = rpcrig_client_with(&conf);
	/* One more descriptor: the client's own end. */
	spare = dup(0);
	assert_true(spare >= 0);
	(void)close(spare);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	rpclog_start();
	assert_int_equal(rk_client_start(d, NULL), RK_OK);
	tight = before;
	tight.rlim_cur = (rlim_t)spare + 1;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	(void)rpcrig_submit(d, "echo", "x", 1, &b);
	(void)rk_client_process(d); /* connects: in the backlog now */
	rpclog_await(RK_LOG_WARN, "cannot accept", 1);
	/* Others are served meanwhile, and nobody spins. */
	t = rpcrig_now();
	cpu = cpu_ms();
	(void)rpcrig_submit_for(c, "hold", 500, &a);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_ETIMEOUT);
	t = rpcrig_now() - t; /* may be long on a busy machine */
	assert_true(t >= 500);
	assert_true(cpu_ms() - cpu < 3 * t / 10);
	assert_true(rpclog_count(RK_LOG_WARN, "cannot accept") <= 3 * t / 100);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	rpcrig_turn(d, &b.n, 1);
	assert_int_equal(b.code, RK_OK);
	rpclog_stop();
	rpcrig_await(&rig, &rig.n_held, 1);
	rpcrig_answer(&rig, 0, NULL, NULL, 0);
	rk_client_free(c);
	rk_client_free(d);
	rpcrig_end(&rig);
}

/* ---- how long ---- */

static void
sends_the_idle_away(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client *idle, *busy;
	struct rpcanswer a = { 0 };
	struct rpcanswer b = { 0 };

	rpcrig_init(&rig, run->kind, run->threads);
	rig.conf.timeouts.idle = 600;
	rpcrig_start(&rig);
	busy = rpcrig_client(&rig);
	(void)rpcrig_submit(busy, "hold", NULL, 0, &b);
	assert_int_equal(rk_client_flush(busy, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_held, 1);
	idle = rpcrig_client(&rig);
	rpclog_start();
	rpcrig_await_conns(&rig, 1);
	rpclog_await(RK_LOG_INFO, "idle for 600 ms", 1);
	rpclog_stop();
	(void)rpcrig_submit(idle, "echo", NULL, 0, &a);
	rpcrig_turn(idle, &a.n, 1);
	assert_int_equal(a.code, RK_ECLOSED);
	assert_int_equal(b.n, 0);
	rpcrig_answer(&rig, 0, NULL, "x", 1);
	rpcrig_turn(busy, &b.n, 1);
	assert_int_equal(b.code, RK_OK);
	rpcrig_await_conns(&rig, 0);
	rk_client_free(idle);
	rk_client_free(busy);
	rpcrig_end(&rig);
}

static void
count_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	unsigned *n = arg;

	(void)c;
	assert_int_equal(why->code, RK_ETIMEOUT);
	(*n)++;
}

/* The client's own idle timeout, when no call runs. */
static void
goes_when_idle(void **state)
{
	struct rpcrig rig;
	struct rk_client_conf conf;
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	unsigned closed = 0;

	rpcrig_begin(&rig, *state);
	rpcrig_client_conf(&rig, &conf);
	conf.timeouts.idle = 100;
	conf.closed = count_closed;
	conf.arg = &closed;
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	(void)rpcrig_submit_for(c, "hold", 1000, &a);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_ETIMEOUT); /* the call's, not before */
	rpcrig_await(&rig, &rig.n_held, 1);
	rpcrig_answer(&rig, 0, NULL, NULL, 0);
	rpcrig_turn(c, &closed, 1);
	rk_client_free(c);
	rpcrig_end(&rig);
}

static int
dial_raw(const struct rpcrig *r)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(
		    (uint16_t)strtoul(strrchr(r->url, ':') + 1, NULL, 10)) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

/* Strangers that say nothing, or no TLS. */
static void
sends_strangers_away(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_server_stats s;
	struct pollfd p = { .events = POLLIN };
	char junk[64];

	rpcrig_init(&rig, run->kind, run->threads);
	/* Enough for a friend's handshake, on a machine that is busy. */
	rig.conf.timeouts.handshake = 1000;
	rpcrig_start(&rig);
	for (int i = 0; i < 2; i++) {
		rpclog_start();
		p.fd = dial_raw(&rig);
		if (i == 1)
			assert_int_equal(
			    send(p.fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
		assert_int_equal(poll(&p, 1, RPCRIG_PATIENCE_MS), 1);
		while (recv(p.fd, junk, sizeof(junk), 0) > 0)
			continue;
		(void)close(p.fd);
		rpcrig_await_conns(&rig, 0);
		assert_int_equal(
		    rpclog_count(RK_LOG_WARN, "tls://127.0.0.1:"), 1);
		rpclog_stop();
	}
	rk_server_stats(rig.server, &s);
	assert_int_equal(s.refused, 2);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "bad URLs", refuses_bad_urls, RPC_ALL },
		{ "taken places", refuses_taken_places, RPC_ALL },
		{ "late listening", listens_before_start_only, RPC_ALL },
		{ "a socket taken over", takes_a_socket_over,
		    RPC_ONLY(RPC_TCP) | RPC_ONLY(RPC_TLS) },
		{ "bad descriptors", refuses_bad_descriptors, RPC_ALL },
		{ "its own file", cares_for_its_file, RPC_ONLY(RPC_UNIX) },
		{ "others' files", leaves_other_files_alone,
		    RPC_ONLY(RPC_UNIX) },
		{ "so many connections", limits_connections, RPC_STREAMS },
		{ "too many connections", tells_that_it_is_busy,
		    RPC_ONLY(RPC_QUIC) },
		{ "no descriptors", survives_want_of_descriptors, RPC_STREAMS },
		{ "the idle", sends_the_idle_away, RPC_ALL },
		{ "idle itself", goes_when_idle, RPC_ALL },
		{ "strangers", sends_strangers_away, RPC_ONLY(RPC_TLS) },
	};

	return rpcrig_run_cases(
	    "rpc listen", cases, sizeof(cases) / sizeof(cases[0]));
}
