/* What Go's net/rpc puts into a payload: a header, then one value. */
#ifndef RPCKIT_RPC_NETRPC_H
#define RPCKIT_RPC_NETRPC_H

#include "base/buf.h"

#include <rpckit/message.h>

#define NETRPC_NAME_MAX 1024 /* bytes of a method's name */

/* Of a request or, with an error, of an answer. */
struct netrpc {
	struct rk_str method; /* "Service.Method" */
	uint64_t seq;
	struct rk_str error; /* empty: none */
};

/*
 * Split a payload; views into it.  Fields in any order, unknown ones skipped,
 * absent and nil ones zero.  *value is what follows, unread.  RK_EPROTO: the
 * header is none, has a field twice, or too long a name.
 */
RK_MUST enum rk_err netrpc_decode(
    struct rk_bytes payload, struct netrpc *h, struct rk_bytes *value);
/* Append header and value; no value is an empty map.  RK_ETOOBIG, RK_ENOMEM. */
RK_MUST enum rk_err netrpc_encode(
    struct buf *b, const struct netrpc *h, struct rk_bytes value);

/* What net/rpc says about a name, with NUL. */
#define NETRPC_TEXT_MAX (NETRPC_NAME_MAX + 64)
enum netrpc_unknown {
	NETRPC_NO_METHOD,
	NETRPC_NO_SERVICE,
	NETRPC_ILL_FORMED
};
void netrpc_text(
    char dst[NETRPC_TEXT_MAX], enum netrpc_unknown why, struct rk_str method);
/* Is the error of this answer one of those, about its method? */
bool netrpc_is_unknown(const struct netrpc *h);

#endif
