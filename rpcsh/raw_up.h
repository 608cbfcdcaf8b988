/* A raw argument that is larger than a message: sent as an upload. */
#ifndef RPCSH_RAW_UP_H
#define RPCSH_RAW_UP_H

#include "show.h"
#include "target.h"

/* Is it one: --raw @FILE of a file that no message carries? */
bool raw_is_upload(const struct args *a);
/* Send it part by part, as it is, in memory that does not grow, and show the
 * answer.  The exit status. */
int raw_upload(
    const struct args *a, const struct caller *by, const struct show *show);

#endif
