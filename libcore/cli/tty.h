/* One question on the controlling terminal, echo off or on. */
#ifndef RPCKIT_CLI_TTY_H
#define RPCKIT_CLI_TTY_H

#include <rpckit/err.h>

/* The controlling terminal; RK_ENOPASS when there is none. */
RK_MUST enum rk_err tty_open(int *fd, struct rk_error *err);
/*
 * Show the prompt and read a line into dst, without its newline or a NUL;
 * *len may be dst_len, and then the line may have been longer.  A signal that
 * comes meanwhile finds the terminal as it was and is raised again; after a
 * stop the question is asked anew.  RK_ECANCELED: such a signal did not end
 * the process; RK_ENOPASS: end of input; RK_EIO.
 */
RK_MUST enum rk_err tty_ask(int fd, const char *prompt, bool echo, char *dst,
    size_t dst_len, size_t *len, struct rk_error *err);
/* Show text. */
RK_MUST enum rk_err tty_say(int fd, const char *text, struct rk_error *err);

#endif
