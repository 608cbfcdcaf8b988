/* The agent's sockets in the file system, and who is at their other end. */
#ifndef KEYVAULT_AGENT_SOCK_H
#define KEYVAULT_AGENT_SOCK_H

#include <rpckit/err.h>

#include "agent_proto.h"

#include <sys/types.h>

#define AGENT_PATH_MAX 108 /* of a socket's address, with its NUL */
#define AGENT_SSH_SUFFIX ".ssh"

/*
 * Where the agent's socket is if nobody says it: in the user's run-time
 * directory, or where programs keep their state.  RK_ENOENT: neither is known;
 * RK_ETOOBIG.
 */
RK_MUST enum rk_err agent_sock_usual(char out[AGENT_PATH_MAX]);
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
/* Connect to an agent of ours: not one that another user put there, nor a
 * socket that others may write.  RK_ECONNECT: none is there. */
RK_MUST enum rk_err agent_sock_dial(
    const char *path, int *fd, struct rk_error *err);
/* Is it a process of ours?  *pid is it. */
RK_MUST bool agent_sock_is_ours(int fd, pid_t *pid);
/* "/usr/bin/git, pid 4711, uid 1000", escaped. */
void agent_sock_who(pid_t pid, char out[AGENT_WHO_MAX]);

#endif
