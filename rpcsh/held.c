/* The connection a shell holds: calls that Ctrl-C cancels, dialing again. */
#include "held.h"

#include "base/clock.h"
#include "base/error.h"
#include "patience.h"
#include "reach.h"
#include "seen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAUSE_LEAST_US 500000u
#define PAUSE_MOST_US 30000000u

/* ---- Ctrl-C ---- */

/* A handler has no other place to say it. */
static volatile sig_atomic_t interrupted, stopped;
/* A byte in it, too, for who waits in a loop that is not ours. */
static int wake[2] = { -1, -1 };
static bool for_good; /* a shell hears it, as long as it lives */

static void
on_interrupt(int signo)
{
	int e = errno;

	(void)signo;
	interrupted = stopped = 1;
	if (wake[1] >= 0 && write(wake[1], "", 1) != 1) {
		/* It is full, which wakes as well. */
	}
	errno = e;
}

static void
make_wake(void)
{
	if (wake[0] >= 0)
		return;
	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK) != 0)
		wake[0] = wake[1] = -1;
}

void
held_hear_interrupt(struct sigaction *before)
{
	struct sigaction sa = { .sa_handler = on_interrupt };

	make_wake();
	if (before == NULL)
		for_good = true;
	(void)sigemptyset(&sa.sa_mask);
	(void)sigaction(SIGINT, &sa, before);
}

void
held_unhear_interrupt(const struct sigaction *before)
{
	(void)sigaction(SIGINT, before, NULL);
	held_forget_interrupt();
}

bool
held_is_shells(void)
{
	return for_good;
}

int
held_interrupt_fd(void)
{
	return wake[0];
}

bool
held_interrupted(void)
{
	return interrupted != 0;
}

void
held_forget_interrupt(void)
{
	char bytes[64];

	while (wake[0] >= 0 && read(wake[0], bytes, sizeof(bytes)) > 0)
		continue;
	interrupted = 0;
}

bool
held_stopped(void)
{
	return stopped != 0;
}

void
held_forget_all(void)
{
	held_forget_interrupt();
	stopped = 0;
}

int
held_canceled(void)
{
	stopped = 1;
	held_forget_interrupt();
	/* The terminal has shown ^C. */
	if (for_good && isatty(STDIN_FILENO) == 1)
		(void)putchar('\n');
	return 128 + SIGINT;
}

/* ---- waiting ---- */

void
held_wait_fd(int fd, const struct timespec *limit)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	sigset_t set, old;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &set, &old);
	if (!held_interrupted())
		(void)ppoll(&p, 1, limit, &old);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void
held_hide(const struct target *t)
{
	const struct held *h = t->held;

	if (h != NULL && h->hide != NULL)
		h->hide(h->arg);
}

bool
held_is_typed(const struct target *t)
{
	return t->held != NULL && t->held->hide != NULL;
}

bool
held_is_up(const struct held *h)
{
	return h->is_open && rk_client_peer(h->t.client) != NULL;
}

/* ---- connecting ---- */

static void
tell(struct held *h, const char *what, const char *why)
{
	held_hide(&h->t);
	out_note(&h->t.log, "%s%s", what, why);
}

/* One that came by itself, and not by target_dial(). */
static void
count(struct held *h)
{
	const struct rk_peer *p = rk_client_peer(h->t.client);

	h->t.connected_us = mono_us();
	if (p != NULL && p->proven)
		seen_count(p->cert.pub);
}

/* It is said when a connection that was lost is there again. */
void
held_answered(struct held *h)
{
	if (h->lost)
		tell(h, "connected again", "");
	h->lost = false;
}

/* Our end is done with the handshake before a server of keys has judged ours:
 * what it answers is the sign. */
static void
is_back(struct held *h)
{
	if (h->lost && !patience_ask(&h->t))
		held_answered(h);
}

static enum rk_err
dial(struct held *h, struct rk_error *err)
{
	enum rk_err r;

	h->redials = false;
	if (h->dials)
		return RK_OK;
	r = reach_begin(&h->t, err);
	h->dials = r == RK_OK;
	return r;
}

/* What may be otherwise in a moment. */
static bool
may_change(enum rk_err code)
{
	int status = rk_err_exit(code);

	return status == 4 || status == 5;
}

static void
dial_later(struct held *h)
{
	h->redials = may_change(h->t.ended.code);
	h->redial_at = mono_us() + h->pause_us;
	h->pause_us *= 2;
	if (h->pause_us > PAUSE_MOST_US)
		h->pause_us = PAUSE_MOST_US;
}

enum rk_err
held_connect(struct held *h, struct rk_error *err)
{
	enum rk_err r = dial(h, err);

	if (r != RK_OK)
		return r;
	r = reach_wait(&h->t, err);
	h->dials = false;
	h->was_up = held_is_up(h);
	if (h->was_up)
		is_back(h);
	else if (h->lost && r != RK_ECANCELED)
		dial_later(h);
	return r;
}

static void
not_connected(struct held *h)
{
	dial_later(h);
	if (!h->redials)
		tell(h, "not connected: ", h->t.ended.text);
}

/* Between two calls: what has become of the connection? */
static void
look(struct held *h)
{
	bool up = held_is_up(h);
	bool ended = h->was_up && !up && h->t.ended.code != RK_ECANCELED;

	if (ended && h->lost) { /* it was there for our end alone */
		not_connected(h);
	} else if (ended) {
		tell(h, "connection lost: ", h->t.ended.text);
		h->lost = true;
		h->pause_us = PAUSE_LEAST_US;
		dial_later(h);
	} else if (h->dials && up) {
		count(h);
		is_back(h);
	} else if (h->dials && h->t.ended.code != RK_OK) {
		h->dials = false;
		not_connected(h);
	}
	h->dials = h->dials && !up;
	h->was_up = up;
}

void
held_idle(struct held *h)
{
	if (!h->is_open)
		return;
	(void)rk_client_process(h->t.client); /* as in held_turn() */
	look(h);
	if (h->redials && mono_us() >= h->redial_at && dial(h, NULL) != RK_OK)
		h->redials = false;
	patience_look(&h->t, h->hide == NULL);
}

int
held_fd(const struct held *h)
{
	return h->is_open ? rk_client_fd(h->t.client) : -1;
}

int
held_wait_ms(const struct held *h)
{
	uint64_t now = mono_us();
	int left = -1;

	if (!h->is_open)
		return -1;
	if (h->redials)
		left = h->redial_at <= now
		           ? 0
		           : (int)((h->redial_at - now + 999) / 1000);
	left = patience_sooner(left, patience_ms(&h->t));
	return patience_sooner(rk_client_wait_ms(h->t.client), left);
}

/* ---- which one ---- */

bool
caller_has_input(const struct caller *by)
{
	return by != NULL && by->held != NULL && by->held->no_stdin;
}

bool
held_fits(const struct held *h, const struct target *t)
{
	if (!h->is_open || strcmp(h->t.url, t->url) != 0 ||
	    target_tls_mode(&h->t) != target_tls_mode(t))
		return false;
	for (unsigned i = 0; i < SET_COUNT; i++) {
		/* What is of each line, and nothing to the connection. */
		if (i == SET_TIMEOUT || i == SET_CONFIRM)
			continue;
		if (strcmp(h->t.settings.v[i].value, t->settings.v[i].value) !=
		    0)
			return false;
	}
	return true;
}

void
held_close(struct held *h)
{
	if (h->is_open)
		target_close(&h->t);
	h->is_open = h->dials = h->was_up = h->redials = false;
}
