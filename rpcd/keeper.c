/* Who ends the commands when the daemon is killed: a process of its own. */
#include "keeper.h"

#include "base/error.h"
#include "base/fds.h"

#include <rpckit/log.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GROUPS_MAX 16384 /* as many commands at a time are kept */
#define PATIENCE_MS 1000 /* between SIGTERM and SIGKILL, as elsewhere */
#define LOOK_MS 20

/* ---- in the keeper ---- */

struct groups {
	pid_t all[GROUPS_MAX];
	size_t n;
};

/* A positive number is a group that has come, its negative one that is gone. */
static void
note(struct groups *g, pid_t what)
{
	if (what > 1) {
		if (g->n < GROUPS_MAX)
			g->all[g->n++] = what;
		return;
	}
	for (size_t i = 0; i < g->n; i++) {
		if (g->all[i] == -what) {
			g->all[i] = g->all[--g->n];
			return;
		}
	}
}

/* Those that are gone are forgotten: their numbers may become another's. */
static void
signal_all(struct groups *g, int signo)
{
	for (size_t i = g->n; i-- > 0;) {
		if (kill(-g->all[i], signo) != 0)
			g->all[i] = g->all[--g->n];
	}
}

static void
end_all(struct groups *g)
{
	const struct timespec nap = { .tv_nsec = LOOK_MS * 1000000L };

	signal_all(g, SIGTERM);
	for (int i = 0; i < PATIENCE_MS / LOOK_MS && g->n > 0; i++) {
		(void)nanosleep(&nap, NULL);
		signal_all(g, 0);
	}
	signal_all(g, SIGKILL);
}

/* Only what may be done between fork() and exec(). */
static void
keep(int fd)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM,
		SIGPIPE };
	struct groups g = { .n = 0 };
	pid_t what;
	ssize_t n;

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_NAME, "rpcd-keeper");
	if (dup2(fd, 0) != 0 || chdir("/") != 0)
		_exit(1);
	fds_close(1, INT_MAX);
	for (;;) {
		n = read(0, &what, sizeof(what)); /* written whole: read so */
		if (n == (ssize_t)sizeof(what))
			note(&g, what);
		else if (n >= 0 || errno != EINTR)
			break;
	}
	end_all(&g);
	_exit(0);
}

/* ---- in the daemon ---- */

enum rk_err
keeper_start(struct keeper *k, struct rk_error *err)
{
	int fds[2];

	*k = (struct keeper){ .fd = -1, .pid = -1 };
	if (pipe2(fds, O_CLOEXEC) != 0)
		return err_sys(err, RK_EIO, errno, "the keeper of commands");
	k->pid = fork();
	if (k->pid == 0)
		keep(fds[0]);
	(void)close(fds[0]); /* nothing was read here */
	if (k->pid < 0 || fcntl(fds[1], F_SETFL, O_NONBLOCK) != 0) {
		(void)close(fds[1]);
		return err_sys(err, RK_EIO, errno, "the keeper of commands");
	}
	k->fd = fds[1];
	return RK_OK;
}

static void
tell(const struct keeper *k, pid_t what)
{
	if (k->fd >= 0 && write(k->fd, &what, sizeof(what)) < 0)
		log_event(RK_LOG_WARN, "exec",
		    "the keeper of commands does not listen");
}

void
keeper_add(const struct keeper *k, pid_t group)
{
	tell(k, group);
}

void
keeper_remove(const struct keeper *k, pid_t group)
{
	tell(k, -group);
}

void
keeper_stop(struct keeper *k)
{
	if (k->fd < 0)
		return;
	(void)close(k->fd);
	k->fd = -1;
	while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}
