/* A push as a line. */
#ifndef RPCSH_PUSH_SHOW_H
#define RPCSH_PUSH_SHOW_H

#include "cli/out.h"

#include <rpckit/client.h>

/* "push SUBJECT PAYLOAD", or in JSON {"schema":1,"push":{...}}; with its end of
 * line appended to b.  RK_ENOMEM, RK_ETOOBIG. */
RK_MUST enum rk_err push_put(struct buf *b, const struct out *o, bool json,
    const struct rk_header *hdr, struct rk_bytes payload);

#endif
