/* Questions to a person by an askpass program, while the agent goes on. */
#ifndef KEYVAULT_AGENT_ASK_H
#define KEYVAULT_AGENT_ASK_H

#include "agent.h"

#include <sys/types.h>

struct agent_asking {
	uint32_t id;      /* 0: free */
	pid_t pid;        /* 0: could not be started, and is not tried again */
	int fd;           /* what the program says */
	uint64_t kill_at; /* it was told to end; AGENT_FOREVER: not yet */
};

/* All questions of an agent.  program NULL: nobody can be asked so. */
struct agent_asks {
	const char *program;
	struct agent_asking list[AGENT_WAITING_MAX];
};

/* RPCKIT_ASKPASS or SSH_ASKPASS; NULL also where it is a path to nothing that
 * runs. */
const char *agent_ask_program(void);
/* Start a program with this text as its only argument, and nothing else of
 * ours; kind: of a question, as SSH_ASKPASS_PROMPT has it.  An errno. */
int agent_ask_spawn(const char *program, const char *text, const char *kind,
    int out_fd, pid_t *pid);
/* Have a program run for each that waits, and none for others; elsewhere: they
 * are asked in another way. */
void agent_ask_update(struct agent_asks *asks, const struct agent *a,
    uint64_t now, bool elsewhere);
/* A child has ended: those that answered are answered. */
void agent_ask_reap(struct agent_asks *asks, struct agent *a, uint64_t now);
/* When a program that does not end is ended by force, or AGENT_FOREVER. */
uint64_t agent_ask_next(const struct agent_asks *asks);
/* End all of them. */
void agent_ask_end(struct agent_asks *asks);

#endif
