/* Sockets as layers: connecting, ends of every kind, full pipes, listening. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/sock.h"

#include "scratch.h"

#define PATIENCE_MS 60000

static void
resolve(const char *url, struct addr *a)
{
	struct addr_url u;
	size_t n;

	assert_int_equal(addr_parse(url, &u, NULL), RK_OK);
	assert_int_equal(addr_resolve(&u, true, a, 1, &n, NULL), RK_OK);
}

/* A socket in the test's own folder. */
static void
resolve_here(const char *name, struct addr *a)
{
	char dir[80];
	char url[128];

	assert_non_null(getcwd(dir, sizeof(dir)));
	assert_true(snprintf(url, sizeof(url), "unix://%s/%s", dir, name) <
	            (int)sizeof(url));
	resolve(url, a);
}

static int
listen_at(const struct addr *a, struct addr *bound)
{
	struct rk_error err = { 0 };
	int fd;

	if (sock_listen(a, &fd, bound, &err) != RK_OK)
		fail_msg("%s", err.text);
	return fd;
}

static void
wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

static void
check_flags(int fd)
{
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

static enum rk_err
handshake(struct layer *l, struct rk_error *err)
{
	enum rk_err r;
	int fd;

	assert_true(layer_query(l, LAYER_Q_FD, &fd));
	while ((r = l->ops->handshake(l, err)) == RK_EAGAIN) {
		assert_int_equal(l->ops->want(l), RK_WRITE);
		wait_for(fd, POLLOUT);
	}
	return r;
}

/* Two connected layers: [0] connected, [1] was accepted. */
struct pair {
	struct layer *l[2];
	struct addr remote;
};

static void
make_pair(const char *url, struct pair *p)
{
	struct addr a;
	struct addr bound;
	int listener;
	int fd;

	if (url == NULL)
		resolve_here("s", &a);
	else
		resolve(url, &a);
	listener = listen_at(&a, &bound);
	check_flags(listener);
	assert_int_equal(sock_accept(listener, &fd, &p->remote), RK_EAGAIN);
	assert_int_equal(fd, -1);
	assert_int_equal(sock_connect(&bound, &fd, NULL), RK_OK);
	check_flags(fd);
	assert_int_equal(
	    sock_layer_new(fd, url == NULL ? ADDR_UNIX : ADDR_TLS, &p->l[0]),
	    RK_OK);
	wait_for(listener, POLLIN);
	assert_int_equal(sock_accept(listener, &fd, &p->remote), RK_OK);
	check_flags(fd);
	assert_int_equal(
	    sock_layer_new(fd, url == NULL ? ADDR_UNIX : ADDR_TCP, &p->l[1]),
	    RK_OK);
	assert_int_equal(close(listener), 0);
	assert_int_equal(handshake(p->l[0], NULL), RK_OK);
	assert_int_equal(handshake(p->l[1], NULL), RK_OK);
}

static void
free_pair(struct pair *p)
{
	layer_free(p->l[0]);
	layer_free(p->l[1]);
}

static int
fd_of(struct layer *l)
{
	int fd = -1;

	assert_true(layer_query(l, LAYER_Q_FD, &fd));
	return fd;
}

static void
say(struct layer *l, const char *text)
{
	size_t n;

	assert_int_equal(
	    l->ops->send(l, (const uint8_t *)text, strlen(text), &n), RK_OK);
	assert_int_equal(n, strlen(text));
	assert_int_equal(l->ops->flush(l), RK_OK);
}

static enum rk_err
hear(struct layer *l, char *dst, size_t cap)
{
	size_t n;
	enum rk_err r;

	wait_for(fd_of(l), POLLIN);
	assert_false(l->ops->pending(l));
	r = l->ops->recv(l, (uint8_t *)dst, cap - 1, &n);
	dst[n] = '\0';
	return r;
}

/* ---- talking ---- */

static void
talk(const char *url, const char *name)
{
	struct pair p;
	struct rk_error err;
	char text[64];
	const char *got = NULL;
	size_t n = 7;
	uint8_t byte;
	bool b;

	make_pair(url, &p);
	for (int i = 0; i < 2; i++) {
		struct layer *l = p.l[i];

		assert_true(layer_query(l, LAYER_Q_NAME, &got));
		assert_string_equal(got, name);
		assert_int_equal(l->ops->want(l), RK_READ);
		assert_int_equal(l->ops->recv(l, &byte, 1, &n), RK_EAGAIN);
		assert_int_equal(n, 0);
		say(l, "hello");
		assert_int_equal(hear(p.l[1 - i], text, 3), RK_OK);
		assert_string_equal(text, "he");
		assert_int_equal(hear(p.l[1 - i], text, sizeof(text)), RK_OK);
		assert_string_equal(text, "llo");
		assert_false(layer_query(l, LAYER_Q_ERROR, &err));
		assert_false(layer_query(l, LAYER_Q_RESUMED, &b));
	}
	free_pair(&p);
}

static bool
has_ipv6(void)
{
	struct addr a;
	int fd;

	resolve("tcp://[::1]:0", &a);
	if (sock_listen(&a, &fd, NULL, NULL) != RK_OK)
		return false;
	assert_int_equal(close(fd), 0);
	return true;
}

static void
talks_tcp(void **state)
{
	(void)state;
	talk("tcp://127.0.0.1:0", "tcp");
	if (has_ipv6())
		talk("tcp://[::1]:0", "tcp");
}

static void
talks_unix(void **state)
{
	(void)state;
	talk(NULL, "unix");
}

static void
knows_addresses(void **state)
{
	struct pair p;
	struct addr a;
	struct addr b;
	char text[2][ADDR_TEXT_LEN];

	(void)state;
	make_pair("tcp://127.0.0.1:0", &p);
	for (int i = 0; i < 2; i++) {
		assert_true(layer_query(p.l[i], LAYER_Q_LOCAL, &a));
		assert_true(layer_query(p.l[1 - i], LAYER_Q_REMOTE, &b));
		addr_format(&a, ADDR_TCP, text[0]);
		addr_format(&b, ADDR_TCP, text[1]);
		assert_string_equal(text[0], text[1]);
	}
	assert_true(layer_query(p.l[0], LAYER_Q_LOCAL, &a));
	addr_format(&a, ADDR_TCP, text[0]);
	addr_format(&p.remote, ADDR_TCP, text[1]);
	assert_string_equal(text[0], text[1]);
	free_pair(&p);
}

/* "Every interface" is one socket for both families. */
static void
listens_everywhere(void **state)
{
	struct addr any;
	struct addr bound;
	struct addr to;
	struct addr from;
	char url[ADDR_TEXT_LEN];
	int listener;
	int c;
	int s;

	(void)state;
	resolve("tcp://:0", &any);
	listener = listen_at(&any, &bound);
	(void)snprintf(url, sizeof(url), "tcp://127.0.0.1:%u",
	    (unsigned)ntohs(bound.u.in.sin_port));
	resolve(url, &to);
	assert_int_equal(sock_connect(&to, &c, NULL), RK_OK);
	wait_for(listener, POLLIN);
	assert_int_equal(sock_accept(listener, &s, &from), RK_OK);
	assert_true(addr_is_loopback(&from));
	addr_format(&from, ADDR_TCP, url);
	assert_memory_equal(url, "tcp://127.0.0.1:", 16);
	assert_int_equal(close(c) | close(s) | close(listener), 0);
}

/* ---- ends ---- */

static void
hears_orderly_end(void **state)
{
	struct pair p;
	struct rk_error err;
	char text[16];

	(void)state;
	for (int i = 0; i < 2; i++) {
		make_pair(i == 0 ? "tcp://127.0.0.1:0" : NULL, &p);
		say(p.l[0], "bye");
		p.l[0]->ops->close(p.l[0], NULL);
		assert_int_equal(hear(p.l[1], text, sizeof(text)), RK_OK);
		assert_string_equal(text, "bye");
		assert_int_equal(hear(p.l[1], text, 16), RK_ECLOSED);
		assert_true(layer_query(p.l[1], LAYER_Q_ERROR, &err));
		assert_int_equal(err.code, RK_ECLOSED);
		assert_int_equal(err.sys, 0);
		assert_non_null(strstr(err.text, "closed by the peer"));
		free_pair(&p);
	}
}

static void
hears_reset(void **state)
{
	const struct linger now = { .l_onoff = 1 };
	struct pair p;
	struct rk_error err;
	char text[16];

	(void)state;
	make_pair("tcp://127.0.0.1:0", &p);
	assert_int_equal(
	    setsockopt(fd_of(p.l[0]), SOL_SOCKET, SO_LINGER, &now, sizeof(now)),
	    0);
	layer_free(p.l[0]);
	assert_int_equal(hear(p.l[1], text, sizeof(text)), RK_ECLOSED);
	assert_true(layer_query(p.l[1], LAYER_Q_ERROR, &err));
	assert_int_equal(err.sys, ECONNRESET);
	assert_non_null(strstr(err.text, "tcp://127.0.0.1:"));
	layer_free(p.l[1]);
}

/* No signal either: it would end this program. */
static void
meets_broken_pipe(void **state)
{
	struct pair p;
	struct rk_error err;
	size_t n = 7;
	enum rk_err r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		make_pair(i == 0 ? "tcp://127.0.0.1:0" : NULL, &p);
		layer_free(p.l[0]);
		r = RK_OK;
		for (int k = 0; k < 1000 && r != RK_ECLOSED; k++)
			r = p.l[1]->ops->send(
			    p.l[1], (const uint8_t *)"x", 1, &n);
		assert_int_equal(r, RK_ECLOSED);
		assert_int_equal(n, 0);
		assert_true(layer_query(p.l[1], LAYER_Q_ERROR, &err));
		assert_true(err.sys == EPIPE || err.sys == ECONNRESET);
		layer_free(p.l[1]);
	}
}

/* What is said last is heard, though the speaker did not listen. */
static void
last_words_arrive(void **state)
{
	struct pair p;
	char text[16];

	(void)state;
	for (int i = 0; i < 2; i++) {
		make_pair(i == 0 ? "tcp://127.0.0.1:0" : NULL, &p);
		say(p.l[0], "never read");
		wait_for(fd_of(p.l[1]), POLLIN);
		say(p.l[1], "alert");
		p.l[1]->ops->close(p.l[1], NULL);
		layer_free(p.l[1]);
		assert_int_equal(hear(p.l[0], text, sizeof(text)), RK_OK);
		assert_string_equal(text, "alert");
		assert_int_equal(hear(p.l[0], text, 16), RK_ECLOSED);
		layer_free(p.l[0]);
	}
}

static void
fills_and_drains(void **state)
{
	static uint8_t block[65536];
	struct pair p;
	size_t n = 0;
	size_t in = 0;
	size_t out = 0;
	enum rk_err r;

	(void)state;
	for (int i = 0; i < 2; i++, in = out = 0) {
		make_pair(i == 0 ? "tcp://127.0.0.1:0" : NULL, &p);
		while ((r = p.l[0]->ops->send(
		            p.l[0], block, sizeof(block), &n)) == RK_OK)
			out += n;
		assert_int_equal(r, RK_EAGAIN);
		assert_int_equal(p.l[0]->ops->want(p.l[0]), RK_READ | RK_WRITE);
		while (in < out) {
			wait_for(fd_of(p.l[1]), POLLIN);
			assert_int_equal(
			    p.l[1]->ops->recv(p.l[1], block, sizeof(block), &n),
			    RK_OK);
			in += n;
		}
		wait_for(fd_of(p.l[0]), POLLOUT);
		say(p.l[0], "x");
		assert_int_equal(p.l[0]->ops->want(p.l[0]), RK_READ);
		free_pair(&p);
	}
}

/* ---- connecting ---- */

/* An address where nobody listens, and nobody else can. */
static int
reserve(struct addr *a)
{
	struct addr want;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	resolve("tcp://127.0.0.1:0", &want);
	assert_int_equal(bind(fd, &want.u.sa, want.len), 0);
	*a = (struct addr){ .len = sizeof(a->u) };
	assert_int_equal(getsockname(fd, &a->u.sa, &a->len), 0);
	return fd;
}

static void
tells_refusal(void **state)
{
	struct addr a;
	struct layer *l;
	struct rk_error err = { 0 };
	struct rk_error again = { 0 };
	char text[ADDR_TEXT_LEN];
	int reserved = reserve(&a);
	int fd;

	(void)state;
	assert_int_equal(sock_connect(&a, &fd, &err), RK_OK);
	assert_int_equal(sock_layer_new(fd, ADDR_TCP, &l), RK_OK);
	assert_int_equal(handshake(l, &err), RK_ECONNECT);
	assert_int_equal(err.code, RK_ECONNECT);
	assert_int_equal(err.sys, ECONNREFUSED);
	assert_string_equal(err.step, "connect");
	addr_format(&a, ADDR_TCP, text);
	assert_non_null(strstr(err.text, text));
	assert_non_null(strstr(err.text, "refused"));
	/* The kernel tells once, but it stays a failure. */
	assert_int_equal(handshake(l, &again), RK_ECONNECT);
	assert_int_equal(l->ops->handshake(l, NULL), RK_ECONNECT);
	assert_true(layer_query(l, LAYER_Q_ERROR, &again));
	layer_free(l);
	assert_int_equal(close(reserved), 0);
}

static void
tells_no_socket_file(void **state)
{
	struct addr a;
	struct rk_error err;
	int fd = 5;

	(void)state;
	resolve_here("absent", &a);
	assert_int_equal(sock_connect(&a, &fd, &err), RK_ECONNECT);
	assert_int_equal(fd, -1);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.step, "connect");
	assert_non_null(strstr(err.text, "/absent"));
	assert_int_equal(sock_connect(&a, &fd, NULL), RK_ECONNECT);
	a.u.sa.sa_family = AF_UNSPEC;
	assert_int_equal(sock_connect(&a, &fd, &err), RK_ECONNECT);
}

/* ---- listening and accepting ---- */

static void
refuses_taken_port(void **state)
{
	struct addr a;
	struct addr bound;
	struct rk_error err;
	int fd = 5;
	int first;

	(void)state;
	resolve("tcp://127.0.0.1:0", &a);
	first = listen_at(&a, &bound);
	assert_int_equal(sock_listen(&bound, &fd, &a, &err), RK_EIO);
	assert_int_equal(fd, -1);
	assert_int_equal(err.sys, EADDRINUSE);
	assert_int_equal(close(first), 0);
	/* Free again at once, also with a connection just gone. */
	first = listen_at(&bound, NULL);
	assert_int_equal(close(first), 0);
}

static void
replaces_stale_socket(void **state)
{
	struct addr a;
	struct addr bound;
	struct stat st;
	struct rk_error err;
	int fd = 5;
	int live;

	(void)state;
	resolve_here("s", &a);
	live = listen_at(&a, &bound);
	assert_string_equal(bound.u.un.sun_path, a.u.un.sun_path);
	assert_int_equal(stat("s", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(sock_listen(&a, &fd, NULL, &err), RK_EIO);
	assert_int_equal(fd, -1);
	assert_int_equal(err.sys, EADDRINUSE);
	assert_non_null(strstr(err.text, "listens"));
	assert_int_equal(close(live), 0);
	live = listen_at(&a, NULL); /* the file was left behind */
	assert_int_equal(close(live), 0);
	scratch_counts(1);
}

static void
leaves_other_files(void **state)
{
	struct addr a;
	struct rk_error err;
	int fd;

	(void)state;
	scratch_make("s", "precious", 0600);
	resolve_here("s", &a);
	assert_int_equal(sock_listen(&a, &fd, NULL, &err), RK_EIO);
	assert_int_equal(err.sys, EADDRINUSE);
	scratch_holds("s", "precious");
	resolve_here("none/s", &a);
	assert_int_equal(sock_listen(&a, &fd, NULL, &err), RK_EIO);
	assert_int_equal(err.sys, ENOENT);
	assert_int_equal(symlink("s", "link"), 0);
	resolve_here("link", &a);
	assert_int_equal(sock_listen(&a, &fd, NULL, &err), RK_EIO);
	scratch_holds("s", "precious");
}

static void
accepts_in_shortage(void **state)
{
	struct rlimit old;
	struct rlimit none;
	struct addr a;
	struct addr bound;
	struct addr from;
	int listener;
	int c;
	int s = 5;

	(void)state;
	resolve("tcp://127.0.0.1:0", &a);
	listener = listen_at(&a, &bound);
	assert_int_equal(sock_connect(&bound, &c, NULL), RK_OK);
	wait_for(listener, POLLIN);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(sock_accept(listener, &s, &from), RK_ELIMIT);
	assert_int_equal(s, -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(sock_accept(listener, &s, &from), RK_OK);
	assert_int_equal(close(s) | close(c), 0);
	assert_int_equal(close(listener), 0);
	assert_int_equal(sock_accept(listener, &s, &from), RK_EIO);
}

#define WITH_FOLDER(f) \
	cmocka_unit_test_setup_teardown(f, scratch_enter, scratch_leave)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(talks_tcp),
		WITH_FOLDER(talks_unix),
		cmocka_unit_test(knows_addresses),
		cmocka_unit_test(listens_everywhere),
		WITH_FOLDER(hears_orderly_end),
		cmocka_unit_test(hears_reset),
		WITH_FOLDER(meets_broken_pipe),
		WITH_FOLDER(last_words_arrive),
		WITH_FOLDER(fills_and_drains),
		cmocka_unit_test(tells_refusal),
		WITH_FOLDER(tells_no_socket_file),
		cmocka_unit_test(refuses_taken_port),
		WITH_FOLDER(replaces_stale_socket),
		WITH_FOLDER(leaves_other_files),
		cmocka_unit_test(accepts_in_shortage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
