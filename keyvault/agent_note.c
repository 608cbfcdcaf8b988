/* Who waits for a yes is told of by a program of the user's, after a moment. */
#include "agent_note.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent_ask.h"
#include "base/error.h"
#include "base/str.h"

#define TEXT_LEN 2048

static struct agent_noted *
find(struct agent_notes *notes, uint32_t id)
{
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++)
		if (notes->list[i].id == id)
			return &notes->list[i];
	return NULL;
}

/* How long until it has waited long enough to be told of. */
static uint64_t
left_to_wait(const struct agent_waiting *w)
{
	const uint64_t then = AGENT_WAIT_MS - AGENT_NOTE_MS;

	return w->left_ms > then ? w->left_ms - then : 0;
}

static void
start(struct agent_notes *notes, struct agent_noted *n,
    const struct agent_waiting *w)
{
	char name[RECORD_NAME_MAX * 4 + 1];
	char text[TEXT_LEN];
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)snprintf(text, sizeof(text),
	    "Key %s waits for a yes: keyvault allow %u\nfor: %s\nby: %s",
	    str_escape(name, sizeof(name), w->name), w->id, w->what, w->who);
	n->id = w->id;
	n->pid = 0;
	if (null_fd < 0 || agent_ask_spawn(notes->program, text, "none",
	                       null_fd, &n->pid) != 0) {
		n->pid = 0;
		log_event(RK_LOG_WARN, "agent", "notify: cannot be started");
	}
	if (null_fd >= 0)
		(void)close(null_fd);
}

void
agent_note_update(
    struct agent_notes *notes, const struct agent *a, uint64_t now)
{
	struct agent_noted *n;
	struct agent_waiting w;

	if (notes->program == NULL)
		return;
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++) {
		n = &notes->list[i];
		if (n->id == 0 || agent_still_waits(a, n->id))
			continue;
		if (n->pid == 0)
			n->id = 0;
		else
			(void)kill(n->pid, SIGTERM);
	}
	for (size_t i = 0; agent_waits(a, i, now, &w); i++)
		if (left_to_wait(&w) == 0 && find(notes, w.id) == NULL &&
		    (n = find(notes, 0)) != NULL)
			start(notes, n, &w);
}

void
agent_note_reap(struct agent_notes *notes)
{
	struct agent_noted *n;

	for (size_t i = 0; i < AGENT_WAITING_MAX; i++) {
		n = &notes->list[i];
		if (n->pid != 0 && waitpid(n->pid, NULL, WNOHANG) == n->pid)
			n->pid = 0;
	}
}

uint64_t
agent_note_next(
    const struct agent_notes *notes, const struct agent *a, uint64_t now)
{
	struct agent_waiting w;
	uint64_t next = AGENT_FOREVER;
	uint64_t left;

	if (notes->program == NULL)
		return next;
	for (size_t i = 0; agent_waits(a, i, now, &w); i++) {
		left = left_to_wait(&w);
		if (left > 0 && now + left < next)
			next = now + left;
	}
	return next;
}

void
agent_note_end(struct agent_notes *notes)
{
	for (size_t i = 0; i < AGENT_WAITING_MAX; i++)
		if (notes->list[i].pid != 0)
			(void)kill(notes->list[i].pid, SIGTERM);
	memset(notes, 0, sizeof(*notes));
}
