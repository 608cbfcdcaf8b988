/* A verb of rpcd ctl, run by a process of our own. */
#include "child.h"

#include "base/fds.h"
#include "cli/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

/* As a program that was just begun, and with nothing of ours: neither the
 * terminal, nor the line to the daemon, nor what is done at our signals. */
static void
become(int fd)
{
	struct sigaction usual = { .sa_handler = SIG_DFL };
	sigset_t none;
	int in = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* Signals come when they can do no harm. */
	for (int signo = 1; signo <= SIGRTMAX; signo++)
		(void)sigaction(signo, &usual, NULL);
	(void)setsid();
	if (in < 0 || dup2(in, STDIN_FILENO) < 0 ||
	    dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(1);
	fds_close(STDERR_FILENO + 1, INT_MAX);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* -1: no process. */
static pid_t
branch(struct ctlwords *w, int fd)
{
	sigset_t all, before;
	pid_t pid;

	/* What waits in a buffer would be said twice. */
	(void)fflush(NULL);
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0) {
		become(fd);
		_exit(ctl_main((int)w->n, w->v));
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return pid;
}

pid_t
child_start(struct ctlwords *w, int *fd)
{
	int ends[2], why;
	pid_t pid;

	*fd = -1;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
		return -1;
	(void)fcntl(ends[1], F_SETFL, 0);
	pid = branch(w, ends[1]);
	why = errno;
	(void)close(ends[1]);
	if (pid < 0) {
		(void)close(ends[0]);
		errno = why;
		return -1;
	}
	*fd = ends[0];
	return pid;
}
