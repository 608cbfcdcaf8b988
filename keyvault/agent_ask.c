/* May this key be used?  Asked by an askpass program of the user's. */
#include "agent_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"

#define PROMPT_LEN 1024
#define ANSWER_LEN 16

extern char **environ;

const char *
agent_ask_program(void)
{
	const char *p = getenv("RPCKIT_ASKPASS");

	if (p == NULL || *p == '\0')
		p = getenv("SSH_ASKPASS");
	return p == NULL || *p == '\0' ? NULL : p;
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

static int
spawn(const char *program, const char *prompt, int out_fd, pid_t *pid)
{
	/* Not written to: the interface is older than const. */
	char *const argv[3] = { (char *)(uintptr_t)program,
		(char *)(uintptr_t)prompt, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int e;

	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attr);
	if ((e = set_attributes(&attr)) == 0 &&
	    (e = posix_spawn_file_actions_adddup2(
	         &actions, out_fd, STDOUT_FILENO)) == 0)
		e = posix_spawnp(pid, program, &actions, &attr, argv, environ);
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
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
		log_event(RK_LOG_WARN, "agent", "askpass: no pipe");
		return;
	}
	e = spawn(asks->program, prompt, fds[1], &q->pid);
	(void)close(fds[1]);
	if (e != 0) {
		(void)close(fds[0]);
		log_event(RK_LOG_WARN, "agent", "askpass: cannot be started");
		return;
	}
	q->fd = fds[0];
	q->id = w->id;
}

static void
finish(struct agent_asking *q)
{
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

static void
cancel(struct agent_asking *q)
{
	(void)kill(q->pid, SIGTERM);
	(void)kill(q->pid, SIGCONT);
}

/* Reaped later, by the signal that its end sends. */
static bool
still_waits(const struct agent *a, uint32_t id, uint64_t now)
{
	struct agent_waiting w;

	for (size_t i = 0; agent_waits(a, i, now, &w); i++)
		if (w.id == id)
			return true;
	return false;
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
agent_ask_update(struct agent_asks *asks, const struct agent *a, uint64_t now)
{
	struct agent_asking *q;
	struct agent_waiting w;

	if (asks->program == NULL)
		return;
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++) {
		q = &asks->list[i];
		if (q->id != 0 && !still_waits(a, q->id, now))
			cancel(q);
	}
	for (size_t i = 0; agent_waits(a, i, now, &w); i++)
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
		if (q->id == 0 || waitpid(q->pid, &status, WNOHANG) != q->pid)
			continue;
		if (agent_answer(a, q->id, says_yes(q->fd, status), now, 0) !=
		    RK_OK)
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
		if (q->id == 0)
			continue;
		(void)kill(q->pid, SIGKILL);
		while (waitpid(q->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		finish(q);
	}
}
