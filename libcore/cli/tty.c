/* Questions on the controlling terminal; its modes always come back. */
#include "cli/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <rpckit/secret.h>

#include "base/error.h"
#include "base/fs.h"
#include "cli/spell.h"

/* Signals that end or stop a process while it waits for a person. */
static const int signals[] = { SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM,
	SIGTSTP, SIGTTIN, SIGTTOU };

#define BACKGROUND_TRIES 100
#define N_SIGNALS (sizeof(signals) / sizeof(signals[0]))

/* Which of them came: a handler has no other place to say it. */
static volatile sig_atomic_t came[N_SIGNALS];

struct guard {
	sigset_t old_mask;
	sigset_t wait_mask; /* all of `signals` let in */
	struct sigaction old[N_SIGNALS];
	struct termios modes;
};

static void
note_signal(int sig)
{
	for (size_t i = 0; i < N_SIGNALS; i++) {
		if (signals[i] == sig)
			came[i] = 1;
	}
}

/* Signals are let in only while waiting, so none falls between the steps. */
static void
guard_signals(struct guard *g)
{
	struct sigaction sa = { .sa_handler = note_signal };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < N_SIGNALS; i++) {
		(void)sigaddset(&set, signals[i]);
		came[i] = 0;
	}
	(void)pthread_sigmask(SIG_BLOCK, &set, &g->old_mask);
	g->wait_mask = g->old_mask;
	for (size_t i = 0; i < N_SIGNALS; i++) {
		(void)sigdelset(&g->wait_mask, signals[i]);
		(void)sigaction(signals[i], &sa, &g->old[i]);
	}
}

/* Raise again what came; true: one of them asked the process to end. */
static bool
release_signals(const struct guard *g)
{
	bool ends = false;

	for (size_t i = 0; i < N_SIGNALS; i++)
		(void)sigaction(signals[i], &g->old[i], NULL);
	for (size_t i = 0; i < N_SIGNALS; i++) {
		if (!came[i])
			continue;
		ends |= signals[i] != SIGTSTP && signals[i] != SIGTTIN &&
		        signals[i] != SIGTTOU;
		(void)raise(signals[i]);
	}
	(void)pthread_sigmask(SIG_SETMASK, &g->old_mask, NULL);
	return ends;
}

static bool
any_came(void)
{
	for (size_t i = 0; i < N_SIGNALS; i++) {
		if (came[i])
			return true;
	}
	return false;
}

static enum rk_err
set_modes(int fd, const struct guard *g, bool echo)
{
	struct termios t = g->modes;

	t.c_lflag |= ICANON | ISIG;
	if (!echo)
		t.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	while (tcsetattr(fd, TCSAFLUSH, &t) != 0) {
		if (errno != EINTR || any_came())
			return RK_EIO;
	}
	return RK_OK;
}

/* RK_EAGAIN: a signal came. */
static enum rk_err
wait_line(int fd, const struct guard *g)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (!any_came()) {
		if (ppoll(&p, 1, NULL, &g->wait_mask) > 0)
			return RK_OK;
		if (errno != EINTR)
			return RK_EIO;
	}
	return RK_EAGAIN;
}

static enum rk_err
read_line(int fd, const struct guard *g, char *dst, size_t dst_len, size_t *len)
{
	ssize_t n;
	enum rk_err r;

	*len = 0;
	while (*len < dst_len) {
		if ((r = wait_line(fd, g)) != RK_OK)
			return r;
		n = read(fd, dst + *len, dst_len - *len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return RK_EIO;
		if (n == 0)
			return *len == 0 ? RK_ENOPASS : RK_OK;
		if (n < 0)
			continue;
		*len += (size_t)n;
		if (dst[*len - 1] == '\n') {
			--*len;
			break;
		}
	}
	return RK_OK;
}

struct question {
	int fd;
	const char *prompt;
	bool echo;
	char *dst;
	size_t dst_len;
	size_t len;
};

/* One try; RK_EAGAIN: a signal came, *ends says whether to end. */
static enum rk_err
ask_once(struct question *q, bool *ends)
{
	struct guard g;
	enum rk_err r;

	*ends = false;
	if (tcgetattr(q->fd, &g.modes) != 0)
		return RK_EIO;
	guard_signals(&g);
	r = set_modes(q->fd, &g, q->echo);
	if (r == RK_OK)
		r = spell_write(q->fd, q->prompt);
	if (r == RK_OK)
		r = read_line(q->fd, &g, q->dst, q->dst_len, &q->len);
	/* The person's own newline was not shown. */
	if ((!q->echo || r != RK_OK) && fs_write_all(q->fd, "\n", 1) != RK_OK &&
	    r == RK_OK)
		r = RK_EIO;
	(void)tcsetattr(q->fd, TCSAFLUSH, &g.modes); /* or it is gone */
	if (any_came())
		r = RK_EAGAIN;
	*ends = release_signals(&g);
	return r;
}

/*
 * Stop like any job in the background that wants the terminal.  False: that
 * has no effect here (nobody is there to continue us), so do not ask.
 */
static bool
come_to_front(int fd)
{
	for (int tries = 0; tcgetpgrp(fd) != getpgrp(); tries++) {
		if (tries == BACKGROUND_TRIES)
			return false;
		(void)raise(SIGTTIN);
	}
	return true;
}

enum rk_err
tty_ask(int fd, const char *prompt, bool echo, char *dst, size_t dst_len,
    size_t *len, struct rk_error *err)
{
	struct question q = { .fd = fd,
		.prompt = prompt,
		.echo = echo,
		.dst = dst,
		.dst_len = dst_len };
	bool ends;
	enum rk_err r;

	*len = 0;
	do {
		if (!come_to_front(fd))
			return err_set(err, RK_ENOPASS,
			    "in the background, cannot ask on the terminal");
		r = ask_once(&q, &ends);
	} while (r == RK_EAGAIN && !ends);
	if (r == RK_OK) {
		*len = q.len;
		return RK_OK;
	}
	rk_wipe(dst, dst_len);
	if (r == RK_EAGAIN)
		return err_set(err, RK_ECANCELED, "canceled by a signal");
	if (r == RK_ENOPASS)
		return err_set(err, r, "no answer: end of input");
	return err_sys(err, r, errno, "cannot ask on the terminal");
}

enum rk_err
tty_open(int *fd, struct rk_error *err)
{
	*fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (*fd < 0)
		return err_set(err, RK_ENOPASS, "no terminal");
	return RK_OK;
}

enum rk_err
tty_say(int fd, const char *text, struct rk_error *err)
{
	enum rk_err r = spell_write(fd, text);

	if (r != RK_OK)
		err_sys(err, r, errno, "cannot write to the terminal");
	return r;
}
