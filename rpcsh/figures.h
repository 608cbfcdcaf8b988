/* What a call was like: how long each step took. */
#ifndef RPCSH_FIGURES_H
#define RPCSH_FIGURES_H

#include "cli/out.h"

#include <rpckit/client.h>

struct figures {
	struct rk_peer peer; /* transport NULL: not known */
	struct rk_client *client;
	struct rk_reply reply;
	size_t sent; /* bytes of payload */
	size_t got;
	uint64_t call_us;
};

/* -t: lines, or a JSON object, on standard error. */
void figures_time(const struct out *o, const struct figures *f);
/* After a reply in the shell, on a terminal: "0.9 ms". */
void figures_brief(const struct out *o, const struct figures *f);
/* What proves keys there: "tls", "quic" or "session"; NULL is allowed. */
const char *figures_handshake(const char *transport);

#endif
