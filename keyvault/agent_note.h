/* Who waits for a yes is told of by a program of the user's, after a moment. */
#ifndef KEYVAULT_AGENT_NOTE_H
#define KEYVAULT_AGENT_NOTE_H

#include "agent.h"

#include <sys/types.h>

#define AGENT_NOTE_MS 2000 /* before that nobody has waited */

struct agent_noted {
	uint32_t id; /* 0: free */
	pid_t pid;   /* 0: has ended, or could not be started */
};

/* All of an agent.  program NULL: nobody is told. */
struct agent_notes {
	const char *program;
	struct agent_noted list[AGENT_WAITING_MAX];
};

/* Have it run once for each that has waited so long; those whose question is
 * over are told to end. */
void agent_note_update(
    struct agent_notes *notes, const struct agent *a, uint64_t now);
/* A child has ended. */
void agent_note_reap(struct agent_notes *notes);
/* When the next one will have waited so long, or AGENT_FOREVER. */
uint64_t agent_note_next(
    const struct agent_notes *notes, const struct agent *a, uint64_t now);
/* Tell all of them to end. */
void agent_note_end(struct agent_notes *notes);

#endif
