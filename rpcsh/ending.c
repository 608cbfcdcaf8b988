/* Signals that end what goes on, heard instead of died of. */
#include "ending.h"

#include "held.h"

#include <time.h>

static const int ends[ENDING_SIGNALS] = { SIGINT, SIGTERM, SIGHUP };

/* Which of them came: a handler has no other place to say it. */
static volatile sig_atomic_t came;

static void
on_signal(int signo)
{
	came = signo;
}

void
ending_hear(struct ending *e)
{
	struct sigaction sa = { .sa_handler = on_signal };

	(void)sigemptyset(&sa.sa_mask);
	came = 0;
	for (size_t i = 0; i < ENDING_SIGNALS; i++) {
		/* A shell goes on, and what it runs ends by the first. */
		sa.sa_flags = ends[i] == SIGINT && held_is_shells()
		                  ? 0
		                  : (int)SA_RESETHAND;
		(void)sigaction(ends[i], &sa, &e->before[i]);
		if (e->before[i].sa_handler == SIG_IGN)
			(void)sigaction(ends[i], &e->before[i], NULL);
	}
	/* A shell has heard it before. */
	if (held_interrupted()) {
		held_forget_interrupt();
		came = SIGINT;
	}
}

void
ending_unhear(const struct ending *e)
{
	for (size_t i = 0; i < ENDING_SIGNALS; i++)
		(void)sigaction(ends[i], &e->before[i], NULL);
}

int
ending_came(void)
{
	return came;
}

void
ending_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	struct timespec ts = { .tv_sec = timeout_ms / 1000,
		.tv_nsec = (long)(timeout_ms % 1000) * 1000000 };
	sigset_t set, old;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < ENDING_SIGNALS; i++)
		(void)sigaddset(&set, ends[i]);
	(void)pthread_sigmask(SIG_BLOCK, &set, &old);
	if (came != 0 || ppoll(fds, n, timeout_ms < 0 ? NULL : &ts, &old) < 0) {
		for (nfds_t i = 0; i < n; i++)
			fds[i].revents = 0;
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
}
