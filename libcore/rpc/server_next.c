/* _.next_keys: which keys will follow ours, as our identity announces them. */
#include "rpc/next.h"
#include "rpc/server_int.h"
#include "trust/ident.h"

/* Of the identity that this connection has proven, though there is another by
 * now. */
void
server_next_keys(struct rk_call *call, void *arg)
{
	const struct rk_ident *id = call->conn->admission->creds->trust.ident;
	const struct rk_next_key *keys = NULL;
	struct buf b;
	size_t n = 0;

	(void)arg;
	if (id != NULL)
		keys = ident_next(id, &n);
	buf_init(&b, NEXT_LEN_MAX);
	if (next_encode(&b, keys, n) == RK_OK)
		(void)rk_call_reply(call, buf_peek(&b), buf_len(&b));
	else
		(void)rk_call_fail(call, "out of memory", NULL, 0);
	buf_fini(&b);
}
