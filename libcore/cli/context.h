/* Contexts: named sets of settings, a file each. */
#ifndef RPCKIT_CLI_CONTEXT_H
#define RPCKIT_CLI_CONTEXT_H

#include "cli/path.h"

#define CONTEXT_NAME_LEN 104 /* with NUL */

/* The path of a context's file.  RK_EINVAL for names that are no names;
 * RK_ENOENT: there is no home. */
RK_MUST enum rk_err context_path(
    const char *name, char out[PATH_LEN], struct rk_error *err);
/* The admin socket that it names.  RK_EINVAL; RK_ENOENT: there is no such
 * context, or it names none; RK_EIO, RK_EMODE, RK_ETOOBIG. */
RK_MUST enum rk_err context_admin(
    const char *name, char out[PATH_LEN], struct rk_error *err);

#endif
