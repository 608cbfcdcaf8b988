/* The raw limit: the same work without a message layer; its echo server. */
#include "limit.h"
#include "raw.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS 64

TAILQ_HEAD(raw_conns, raw_conn);

struct server {
	struct raw_end end;
	struct raw_conns conns;
	int listen_fd;
	int signal_fd;
	int epoll_fd;
	bool stop;
};

static bool
watch(const struct server *s, int op, int fd, unsigned events, void *ptr)
{
	struct epoll_event ev = { .events = events, .data = { .ptr = ptr } };

	return epoll_ctl(s->epoll_fd, op, fd, &ev) == 0;
}

static void
drop(struct server *s, struct raw_conn *c)
{
	TAILQ_REMOVE(&s->conns, c, link);
	raw_free(c);
}

static void
accept_all(struct server *s)
{
	struct raw_conn *c;
	int fd;

	while ((fd = accept4(s->listen_fd, NULL, NULL,
	            SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (raw_take(&s->end, fd, &c) != RK_OK)
			continue;
		TAILQ_INSERT_TAIL(&s->conns, c, link);
		c->want = EPOLLIN;
		if (!watch(s, EPOLL_CTL_ADD, fd, c->want, c))
			drop(s, c);
	}
}

/* What a read brought is answered by one write. */
static enum rk_err
echo(struct raw_conn *c)
{
	const uint8_t *payload;
	size_t len;
	enum rk_err r = RK_OK;

	do {
		if ((r = raw_recv(c, 0)) != RK_OK)
			return r;
		while (raw_peek_frame(c, &payload, &len) && r == RK_OK) {
			if (len == 0 || payload[0] != LIMIT_UNANSWERED)
				r = raw_put_frame(c, payload, len);
			raw_drop_frame(c);
		}
		if (r == RK_OK && c->shaken)
			r = raw_flush(c);
	} while (r == RK_OK && c->more);
	return r;
}

static void
serve_conn(struct server *s, struct raw_conn *c, unsigned ready)
{
	enum rk_err r = RK_OK;
	unsigned want;

	if ((ready & EPOLLOUT) != 0)
		r = raw_flush(c);
	if (r == RK_OK && (ready & ~(unsigned)EPOLLOUT) != 0)
		r = echo(c);
	want = c->blocked ? EPOLLIN | EPOLLOUT : EPOLLIN;
	if (r == RK_OK && want != c->want) {
		c->want = want;
		if (!watch(s, EPOLL_CTL_MOD, c->fd, want, c))
			r = RK_EIO;
	}
	if (r != RK_OK)
		drop(s, c);
}

static enum rk_err
run(struct server *s)
{
	struct epoll_event events[EVENTS];
	int n;

	while (!s->stop) {
		n = epoll_wait(s->epoll_fd, events, EVENTS, -1);
		if (n < 0 && errno != EINTR)
			return RK_EIO;
		for (int i = 0; i < n; i++) {
			void *what = events[i].data.ptr;

			if (what == &s->listen_fd)
				accept_all(s);
			else if (what == &s->signal_fd)
				s->stop = true;
			else
				serve_conn(s, what, events[i].events);
		}
	}
	return RK_OK;
}

static enum rk_err
open_server(struct server *s, const struct args *a, struct rk_error *err)
{
	char url[64];
	sigset_t set;
	enum rk_err r;

	if (a->threads != 0)
		return err_set(err, RK_EINVAL, "the limit is of one thread");
	r = raw_end_init(&s->end, a->url, a->certs, "node", err);
	if (r != RK_OK)
		return r;
	if ((r = raw_listen(&s->end, &s->listen_fd, url, err)) != RK_OK)
		return r;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC)) < 0 ||
	    (s->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
	    !watch(s, EPOLL_CTL_ADD, s->signal_fd, EPOLLIN, &s->signal_fd) ||
	    !watch(s, EPOLL_CTL_ADD, s->listen_fd, EPOLLIN, &s->listen_fd))
		return err_sys(err, RK_EIO, errno, "cannot wait");
	(void)printf("%s\n", url);
	if (fflush(stdout) != 0)
		return err_set(err, RK_EIO, "standard output: cannot write");
	return RK_OK;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd); /* nothing is buffered in it */
}

static enum rk_err
serve(const struct args *a, struct rk_error *err)
{
	struct server s = {
		.listen_fd = -1,
		.signal_fd = -1,
		.epoll_fd = -1,
	};
	struct raw_conn *c;
	enum rk_err r;

	TAILQ_INIT(&s.conns);
	r = open_server(&s, a, err);
	if (r == RK_OK)
		r = run(&s);
	while ((c = TAILQ_FIRST(&s.conns)) != NULL)
		drop(&s, c);
	close_fd(s.epoll_fd);
	close_fd(s.signal_fd);
	close_fd(s.listen_fd);
	raw_end_fini(&s.end);
	return r;
}

int
main(int argc, char **argv)
{
	static const struct program limit = {
		.name = "limit",
		.run = {
		    [WORK_SERVER] = serve,
		    [WORK_SEQ] = limit_seq,
		    [WORK_PIPE] = limit_pipe,
		    [WORK_DIAL] = limit_dial,
		    [WORK_IDLE] = limit_idle,
		    [WORK_UP] = limit_up,
		},
	};

	/* The library of TLS writes to sockets by itself. */
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail for this one */
	return args_run(&limit, argc, argv);
}
