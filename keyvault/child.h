/* A command that is given secrets: in memory only, and gone when it ends. */
#ifndef KEYVAULT_CHILD_H
#define KEYVAULT_CHILD_H

#include <rpckit/secret.h>

#include "base/error.h"

#define CHILD_FD_MAX 255

/* A secret as the command gets it: as a file without a name, which is
 * descriptor fd, or as the variable var where that is not NULL. */
struct child_gift {
	const char *var;
	int fd;
	struct rk_secret *bytes; /* the owner's */
	int mem;                 /* that file, or -1; child_run()'s */
	struct rk_secret *word;  /* "VAR=..."; child_run()'s */
	const void *held;        /* its pages, locked, or NULL */
};

/*
 * Start argv[0], looked for as the shell does, with the n gifts, which are
 * wiped once it has them; wait for its end, with signals that others send
 * passed on to it.  *status is its own, or 128 and the signal that ended it.
 * Its files are empty when this returns, whoever else may have them open.
 * RK_ENOENT, RK_EIO: it was not started.
 */
RK_MUST enum rk_err child_run(char *const *argv, struct child_gift *gifts,
    size_t n, int *status, struct rk_error *err);

#endif
