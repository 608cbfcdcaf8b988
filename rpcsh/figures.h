/* What a call was like: how long each step took, and the reply's header. */
#ifndef RPCSH_FIGURES_H
#define RPCSH_FIGURES_H

#include "cli/out.h"

#include <rpckit/client.h>

struct figures {
	struct rk_peer peer; /* transport NULL: not known */
	struct rk_client *client;
	struct rk_reply reply;
	size_t sent; /* bytes of payload */
	uint64_t call_us;
};

/* -t and --trace: lines, or a JSON object, on standard error. */
void figures_time(const struct out *o, const struct figures *f);
void figures_trace(const struct out *o, const struct rk_reply *reply);
/* --trace-file: a line of JSON about the call appended to a file (NULL: to
 * none), made 0600; who called what where, how it ended, how long it took, and
 * the reply's header.  No payload.  The exit status. */
int figures_record(const struct out *o, const struct figures *f,
    const char *url, const struct rk_request *req, const char *path);
/* Can it be written?  RK_EIO, RK_ENOENT with the reason. */
RK_MUST enum rk_err figures_may_record(const char *path, struct rk_error *err);
/* What proves keys there: "tls" or "quic". */
const char *figures_handshake(const struct rk_client *c);

#endif
