/* What a daemon says at its admin socket when it refuses. */
#ifndef RPCKIT_CLI_ADMIN_H
#define RPCKIT_CLI_ADMIN_H

#include <rpckit/client.h>

/*
 * Of a call that ended with RK_EREMOTE: its text, escaped, and the code that
 * came along or that the text stands for; RK_EREMOTE where there is none.
 */
enum rk_err admin_refusal(const struct rk_reply *reply, char *text, size_t len);

#endif
