/* Keys for trying things out, in a private directory that goes with us. */
#ifndef RPCD_TRIAL_H
#define RPCD_TRIAL_H

#include "cli/path.h"

/* Who calls, by the name that rpcsh takes when it is told none. */
#define TRIAL_CLIENT "client"

struct trial {
	char dir[PATH_LEN]; /* "": there is none */
	char name[128];     /* who the server is */
};

/*
 * Make a directory that is ours alone, in $XDG_RUNTIME_DIR, $TMPDIR or /tmp,
 * and in it certificates for the server and a client.  Nothing is left after a
 * failure.  Errors of rk_ident_generate().
 */
RK_MUST enum rk_err trial_open(
    struct trial *t, const char *name, struct rk_error *err);
/* Remove what was made.  Once or more, also when nothing was. */
void trial_close(struct trial *t);

#endif
