/* A raw argument that is larger than a message: sent as an upload. */
#ifndef RPCSH_RAW_UP_H
#define RPCSH_RAW_UP_H

#include "request.h"
#include "show.h"
#include "target.h"

/*
 * Is it one: --raw @FILE of a file that no message carries, or --raw - with as
 * much to read?  Of that, what was read is q->given then, and *yes or not.
 * RK_EIO, RK_ENOMEM: it cannot be read.
 */
RK_MUST enum rk_err raw_is_upload(const struct args *a, const struct caller *by,
    struct request *q, bool *yes, struct rk_error *err);
/* Send it part by part, as it is, in memory that does not grow, and show the
 * answer; to t, which is connected, or, NULL, to where the words say.  The exit
 * status. */
int raw_upload(struct target *t, const struct args *a, const struct caller *by,
    const struct request *q, const struct show *show);

#endif
