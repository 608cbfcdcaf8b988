/* Where an agent of keyvault(1) is, and the way to it. */
#ifndef RPCKIT_BASE_AGENT_DIAL_H
#define RPCKIT_BASE_AGENT_DIAL_H

#include <rpckit/err.h>

#include <sys/types.h>

#define AGENT_PATH_MAX 108 /* of a socket's address, with its NUL */

/*
 * Where the agent's socket is: what $KEYVAULT_SOCK says, and then *named is
 * true; else in the user's run-time directory, or where programs keep their
 * state.  RK_ENOENT: neither is known; RK_ETOOBIG.
 */
RK_MUST enum rk_err agent_path(
    char out[AGENT_PATH_MAX], bool *named, struct rk_error *err);
/*
 * Where the agent's socket is if nobody says it: in the user's run-time
 * directory, or where programs keep their state.  RK_ENOENT: neither is known;
 * RK_ETOOBIG.
 */
RK_MUST enum rk_err agent_sock_usual(char out[AGENT_PATH_MAX]);
/* Connect to an agent of ours: not one that another user put there.
 * RK_ECONNECT: none is there; RK_EMODE; RK_ETIMEOUT: it takes nobody. */
RK_MUST enum rk_err agent_sock_dial(
    const char *path, uint32_t ms, int *fd, struct rk_error *err);
/* Is it a process of ours?  *pid is it. */
RK_MUST bool agent_sock_is_ours(int fd, pid_t *pid);
/* Its path does not fit.  RK_ETOOBIG. */
enum rk_err agent_path_too_long(const char *path, struct rk_error *err);
struct sockaddr_un;
/* The address of that path; false: it does not fit. */
RK_MUST bool agent_path_address(const char *path, struct sockaddr_un *out);

#endif
