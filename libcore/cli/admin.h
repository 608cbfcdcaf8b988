/* A daemon's admin socket: what it says when it refuses, and whose it is. */
#ifndef RPCKIT_CLI_ADMIN_H
#define RPCKIT_CLI_ADMIN_H

#include "cli/cmd.h"
#include "cli/path.h"

#include <rpckit/client.h>

#include <stdbool.h>

/*
 * The socket to dial: of --socket, else of the context of -c, else path_admin()
 * (RK_ENOENT without a text: none is there).  RK_EINVAL: both are given; errors
 * of path_admin() without a text, and of context_admin().
 */
RK_MUST enum rk_err admin_find(
    const struct args *a, char out[PATH_LEN], struct rk_error *err);
/* Was it one of the first two? */
bool admin_is_given(const struct args *a);

/*
 * Of a call that ended with RK_EREMOTE: its text, escaped, and the code that
 * came along or that the text stands for; RK_EREMOTE where there is none.
 */
enum rk_err admin_refusal(const struct rk_reply *reply, char *text, size_t len);

/* Why a socket is not ours to connect to, and what helps. */
#define ADMIN_TEXT 700
struct admin_denied {
	char text[ADMIN_TEXT]; /* path, owner, and the group that may */
	char advice[ADMIN_TEXT];
};
/*
 * Was that the reason of a connection that failed?  program and given: as a
 * command would have it that uses this socket, and is it named there?
 */
bool admin_is_denied(const struct rk_error *err);
void admin_explain(const char *path, const char *program, bool given,
    struct admin_denied *out);

#endif
