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

/* A setting, and where it stands: "FILE:LINE". */
struct context_setting {
	char value[PATH_LEN];
	char where[PATH_LEN + 16];
};

/*
 * One that a program reads which is not rpcsh: of that context (NULL: of none),
 * else of the user's config file, else of the system's.  RK_ENOENT: it is in
 * none of them; what else is in them is not judged.  RK_EINVAL and RK_ENOENT
 * with text: no such context; RK_EIO, RK_EMODE, RK_ETOOBIG.
 */
RK_MUST enum rk_err context_setting(const char *name, const char *key,
    struct context_setting *out, struct rk_error *err);

#endif
