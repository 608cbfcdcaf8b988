/* A client asks which keys will follow its server's. */
#include "rpc/client_int.h"
#include "rpc/next.h"

#include <stdlib.h>

struct asked {
	rk_next_keys_fn *fn;
	void *arg;
	struct rk_peer peer; /* who was asked */
};

static void
on_answer(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct asked *a = arg;
	struct rk_next_key keys[RK_NEXT_KEYS_MAX];
	size_t n = 0;
	enum rk_err r = reply->code;

	if (r == RK_OK)
		r = next_decode(reply->payload, a->peer.cert.pub, keys, &n);
	a->fn(c, r, &a->peer, keys, n, a->arg);
	free(a);
}

enum rk_err
rk_client_next_keys(struct rk_client *c, rk_next_keys_fn *fn, void *arg)
{
	struct rk_request req = { .method = "_.next_keys" };
	const struct rk_peer *peer = rk_client_peer(c);
	struct asked *a;
	enum rk_err r;

	if (peer == NULL)
		return RK_ESTATE;
	if (!peer->proven || !session_is_kin(c->session))
		return RK_EUNSUPPORTED;
	a = malloc(sizeof(*a));
	if (a == NULL)
		return RK_ENOMEM;
	*a = (struct asked){ .fn = fn, .arg = arg, .peer = *peer };
	if ((r = rk_client_submit(c, &req, on_answer, a, NULL)) != RK_OK)
		free(a);
	return r;
}
