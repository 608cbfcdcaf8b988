/* The agent as a process: its sockets claimed, itself shut off, signals. */
#ifndef KEYVAULT_AGENT_RUN_H
#define KEYVAULT_AGENT_RUN_H

#include <rpckit/err.h>

#include "agent_sock.h"
#include "agent_term.h"

struct agent_setup {
	const char *vault; /* absolute path */
	char own[AGENT_PATH_MAX];
	char ssh[AGENT_PATH_MAX]; /* "": none */
	int own_fd;               /* that listen already, or -1 */
	int ssh_fd;
	uint64_t lifetime_ms;
	const char *notify;     /* a program, or NULL */
	struct agent_term term; /* to ask on */
	int session_fd;         /* of agent_term_session(), taken over */
};

/* Called once it can be reached. */
typedef enum rk_err agent_ready_fn(void *arg, struct rk_error *err);

/* Serve until SIGTERM or SIGINT; SIGHUP, SIGUSR1 and the end of the session
 * close all keys.  RK_EEXIST: another agent is there. */
RK_MUST enum rk_err agent_run(const struct agent_setup *setup,
    agent_ready_fn *ready, void *arg, struct rk_error *err);

#endif
