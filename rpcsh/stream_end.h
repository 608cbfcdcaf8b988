/* How a stream ends that was joined to local input and output. */
#ifndef RPCSH_STREAM_END_H
#define RPCSH_STREAM_END_H

#include "cli/out.h"
#include "target.h"

#include <rpckit/stream.h>

/* The first thing that goes wrong at this end ends it all: it is kept in local.
 * RK_OK and RK_EAGAIN are nothing; RK_EIO has its reason in errno. */
void stream_end_wrong(struct rk_error *local, enum rk_err r, const char *what);
/* Tell the server, and give it a moment to hear it.  *s: the stream, NULL when
 * it has ended, which it may do meanwhile. */
void stream_end_cancel(struct target *t, struct rk_stream *const *s);
/* Ctrl-C was it, in a shell that goes on. */
bool stream_end_is_shells(int signo);
/* rk_client_stream() said r: say why, and keep it; the exit status. */
int stream_end_not_begun(const struct target *t, const struct out *o,
    const char *method, enum rk_err r, struct rk_error *local);
/* Say how the server, or the time in ms, has ended it after so long; the exit
 * status. */
int stream_end_report(struct target *t, const struct out *o, const char *method,
    const struct rk_error *end, uint64_t timeout, uint64_t took_us);

#endif
