/* The agent's sockets in the file system, and who is at their other end. */
#ifndef KEYVAULT_AGENT_SOCK_H
#define KEYVAULT_AGENT_SOCK_H

#include <rpckit/err.h>

#include "base/agent_dial.h"
#include "base/agent_frame.h"

#include <sys/types.h>

#define AGENT_SSH_SUFFIX ".ssh"

/* PATH.ssh.  RK_ETOOBIG. */
RK_MUST enum rk_err agent_sock_ssh(
    const char *path, char out[AGENT_PATH_MAX], struct rk_error *err);
/*
 * A folder for a socket: made if it is not there, ours, and nobody else's
 * (0700).  *lock_fd holds the socket's place as long as it is open: RK_EEXIST,
 * another agent has it.
 */
RK_MUST enum rk_err agent_sock_claim(
    const char *path, int *lock_fd, struct rk_error *err);
/* Listen, 0600; what a dead agent left is replaced. */
RK_MUST enum rk_err agent_sock_listen(
    const char *path, int *fd, struct rk_error *err);
/* Who is there: "/usr/bin/git, pid 4711, uid 1000", escaped; and the program as
 * it is, "" where it is not known or longer. */
void agent_sock_who(pid_t pid, char out[AGENT_WHO_MAX], char program[256]);
/* When that process began, as the kernel counts: with it the process is known
 * again, whatever its number; 0: there is none. */
uint64_t agent_sock_began(pid_t pid);

#endif
