/* Signals on a loop: blocked in the thread, read from a signalfd. */
#include "net/loop_int.h"

#include <sys/signalfd.h>

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* A callback may register another signal: the table can move meanwhile. */
static void
deliver(struct rk_loop *loop, int signo)
{
	size_t n = loop->n_signals;

	for (size_t i = 0; i < n; i++) {
		struct loop_signal s = loop->signals[i];

		if (s.signo == signo)
			s.fn(signo, s.arg);
	}
}

static void
on_ready(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct signalfd_siginfo info;

	(void)w;
	(void)ready;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		deliver(arg, (int)info.ssi_signo);
}

static enum rk_err
add(struct rk_loop *loop, const struct loop_signal *s)
{
	struct loop_signal *v;

	v = reallocarray(loop->signals, loop->n_signals + 1, sizeof(*v));
	if (v == NULL)
		return RK_ENOMEM;
	loop->signals = v;
	v[loop->n_signals++] = *s;
	return RK_OK;
}

static enum rk_err
update_fd(struct rk_loop *loop, const sigset_t *mask)
{
	int fd;

	fd = signalfd(loop->signal_fd, mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return RK_EIO;
	loop->signal_fd = fd;
	if (loop->signal_watch != NULL)
		return RK_OK;
	return rk_watch_new(
	    loop, fd, RK_READ, on_ready, loop, &loop->signal_watch);
}

/* Block signo and remember whether that was our doing. */
static enum rk_err
block(struct rk_loop *loop, int signo)
{
	sigset_t one;
	sigset_t old;

	(void)sigemptyset(&one);
	if (sigaddset(&one, signo) != 0 ||
	    pthread_sigmask(SIG_BLOCK, &one, &old) != 0)
		return RK_EIO;
	if (sigismember(&old, signo) == 0)
		(void)sigaddset(&loop->signal_added, signo);
	return RK_OK;
}

/* Blocked first: in the gap it would end the process. */
enum rk_err
rk_loop_signal(struct rk_loop *loop, int signo, rk_signal_fn *fn, void *arg)
{
	struct loop_signal s = { .signo = signo, .fn = fn, .arg = arg };
	sigset_t mask = loop->signal_mask;
	enum rk_err r;

	if (sigaddset(&mask, signo) != 0)
		return RK_EIO;
	if ((r = block(loop, signo)) != RK_OK ||
	    (r = update_fd(loop, &mask)) != RK_OK)
		return r;
	loop->signal_mask = mask;
	return add(loop, &s);
}

/* One that came too late for its callback must not end the process when it is
 * unblocked. */
static void
drop_pending(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		continue;
}

void
loop_signal_fini(struct rk_loop *loop)
{
	rk_watch_free(loop->signal_watch);
	loop->signal_watch = NULL;
	if (loop->signal_fd >= 0) {
		drop_pending(loop->signal_fd);
		(void)close(loop->signal_fd); /* nothing can be lost */
	}
	loop->signal_fd = -1;
	free(loop->signals);
	loop->signals = NULL;
	loop->n_signals = 0;
	(void)pthread_sigmask(SIG_UNBLOCK, &loop->signal_added, NULL);
}
