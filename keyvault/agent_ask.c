/* May this key be used?  Asked by an askpass program of the user's. */
#include "agent_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"

#define PROMPT_LEN 2048
#define ANSWER_LEN 16
#define END_MS 1000 /* for a program that is told to end */

extern char **environ;

const char *
agent_ask_program(void)
{
	const char *p = getenv("RPCKIT_ASKPASS");

	if (p == NULL || *p == '\0')
		p = getenv("SSH_ASKPASS");
	if (p == NULL || *p == '\0')
		return NULL;
	return strchr(p, '/') == NULL || access(p, X_OK) == 0 ? p : NULL;
}

/* Ours, but what a service manager meant for us alone; and what kind of
 * question it is, no passphrase. */
static char **
make_environment(char *kind)
{
	static const char *const not_ours[] = { "SSH_ASKPASS_PROMPT=",
		"LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=",
		"NOTIFY_SOCKET=", "CREDENTIALS_DIRECTORY=", NULL };
	char **list;
	size_t n = 0;
	size_t k;

	while (environ[n] != NULL)
		n++;
	if ((list = calloc(n + 2, sizeof(*list))) == NULL)
		return NULL;
	n = 0;
	list[n++] = kind;
	for (size_t i = 0; environ[i] != NULL; i++) {
		for (k = 0; not_ours[k] != NULL; k++)
			if (strncmp(environ[i], not_ours[k],
			        strlen(not_ours[k])) == 0)
				break;
		if (not_ours[k] == NULL)
			list[n++] = environ[i];
	}
	return list;
}

static int
set_attributes(posix_spawnattr_t *a)
{
	sigset_t none;
	sigset_t all;
	int e;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	if ((e = posix_spawnattr_setsigmask(a, &none)) != 0 ||
	    (e = posix_spawnattr_setsigdefault(a, &all)) != 0)
		return e;
	return posix_spawnattr_setflags(
	    a, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

int
agent_ask_spawn(const char *program, const char *text, const char *kind,
    int out_fd, pid_t *pid)
{
	/* Not written to: the interface is older than const. */
	char *const argv[3] = { (char *)(uintptr_t)program,
		(char *)(uintptr_t)text, NULL };
	char asked[64];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char **env;
	int e;

	(void)snprintf(asked, sizeof(asked), "SSH_ASKPASS_PROMPT=%s", kind);
	if ((env = make_environment(asked)) == NULL)
		return ENOMEM;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attr);
	if ((e = set_attributes(&attr)) == 0 &&
	    (e = posix_spawn_file_actions_adddup2(
	         &actions, out_fd, STDOUT_FILENO)) == 0 &&
	    (e = posix_spawn_file_actions_addclosefrom_np(
	         &actions, STDERR_FILENO + 1)) == 0)
		e = posix_spawnp(pid, program, &actions, &attr, argv, env);
	free(env);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return e;
}

static void
start(struct agent_asks *asks, struct agent_asking *q,
    const struct agent_waiting *w)
{
	char name[RECORD_NAME_MAX * 4 + 1];
	char prompt[PROMPT_LEN];
	int fds[2];
	int e;

	(void)snprintf(prompt, sizeof(prompt),
	    "Allow the use of key %s?\nfor: %s\nby: %s",
	    str_escape(name, sizeof(name), w->name), w->what, w->who);
	q->id = w->id;
	q->pid = 0;
	q->kill_at = AGENT_FOREVER;
	q->fd = -1;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
		log_event(RK_LOG_WARN, "agent", "askpass: no pipe");
		return;
	}
	e = agent_ask_spawn(asks->program, prompt, "confirm", fds[1], &q->pid);
	(void)close(fds[1]);
	if (e != 0) {
		(void)close(fds[0]);
		q->pid = 0;
		log_event(RK_LOG_WARN, "agent", "askpass: cannot be started");
		return;
	}
	q->fd = fds[0];
}

static void
finish(struct agent_asking *q)
{
	if (q->fd >= 0)
		(void)close(q->fd);
	memset(q, 0, sizeof(*q));
}

/* As ssh-agent has it: nothing, or "yes". */
static bool
says_yes(int fd, int status)
{
	char text[ANSWER_LEN + 1];
	ssize_t n = read(fd, text, ANSWER_LEN);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return false;
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	return text[0] == '\0' || strcasecmp(text, "yes") == 0;
}

/* Told to end, and made to where it does not. */
static void
cancel(struct agent_asking *q, uint64_t now)
{
	if (q->pid == 0) {
		finish(q);
	} else if (q->kill_at == AGENT_FOREVER) {
		q->kill_at = now + END_MS;
		(void)kill(q->pid, SIGTERM);
		(void)kill(q->pid, SIGCONT);
	} else if (now >= q->kill_at) {
		(void)kill(q->pid, SIGKILL);
		q->kill_at = now + END_MS;
	}
}

uint64_t
agent_ask_next(const struct agent_asks *asks)
{
	uint64_t next = AGENT_FOREVER;

	for (size_t i = 0; i < AGENT_WAITING_MAX; i++)
		if (asks->list[i].id != 0 && asks->list[i].kill_at < next)
			next = asks->list[i].kill_at;
	return next;
}

static struct agent_asking *
find(struct agent_asks *asks, uint32_t id)
{
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++)
		if (asks->list[i].id == id)
			return &asks->list[i];
	return NULL;
}

void
agent_ask_update(struct agent_asks *asks, const struct agent *a, uint64_t now,
    bool elsewhere)
{
	struct agent_asking *q;
	struct agent_waiting w;

	if (asks->program == NULL)
		return;
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++) {
		q = &asks->list[i];
		if (q->id != 0 && !agent_still_waits(a, q->id))
			cancel(q, now); /* reaped when its end is told */
	}
	for (size_t i = 0; !elsewhere && agent_waits(a, i, now, &w); i++)
		if (find(asks, w.id) == NULL && (q = find(asks, 0)) != NULL)
			start(asks, q, &w);
}

void
agent_ask_reap(struct agent_asks *asks, struct agent *a, uint64_t now)
{
	struct agent_asking *q;
	int status;

	for (size_t i = 0; i < AGENT_WAITING_MAX; i++) {
		q = &asks->list[i];
		if (q->id == 0 || q->pid == 0 ||
		    waitpid(q->pid, &status, WNOHANG) != q->pid)
			continue;
		if (agent_answer(a, q->id, says_yes(q->fd, status), now, 0,
		        "askpass") != RK_OK)
			log_event(RK_LOG_DEBUG, "agent",
			    "askpass: answered what was answered before");
		finish(q);
	}
}

void
agent_ask_end(struct agent_asks *asks)
{
	struct agent_asking *q;

	for (size_t i = 0; i < AGENT_WAITING_MAX; i++) {
		q = &asks->list[i];
		if (q->id == 0 || q->pid == 0)
			continue;
		(void)kill(q->pid, SIGKILL);
		while (waitpid(q->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		finish(q);
	}
}
