/* What a client's configuration leaves open, and what it may not say. */
#include "rpc/client_int.h"

#include "base/error.h"

#include <string.h>

#define DEFAULT_CALL_TIMEOUT 30000 /* ms */
#define DEFAULT_MAX_PENDING 65536
#define DEFAULT_MAX_QUEUE (4u << 20)
#define MOST_QUEUE (SIZE_MAX / 64) /* sums with it do not overflow */
#define DEFAULT_DEAD_PEER 30000    /* ms; as long as QUIC waits */

static void
fill_defaults(struct rk_client_conf *conf)
{
	conn_default_timeouts(&conf->timeouts);
	if (conf->call_timeout == 0)
		conf->call_timeout = DEFAULT_CALL_TIMEOUT;
	if (conf->max_pending == 0)
		conf->max_pending = DEFAULT_MAX_PENDING;
	if (conf->max_queue == 0)
		conf->max_queue = DEFAULT_MAX_QUEUE;
	if (conf->max_queue > MOST_QUEUE)
		conf->max_queue = MOST_QUEUE;
	if (conf->keepalive == 0)
		conf->keepalive = RK_NEVER;
	if (conf->dead_peer == 0)
		conf->dead_peer = DEFAULT_DEAD_PEER;
}

enum rk_err
client_conf_fill(const struct rk_client_conf *user, struct rk_client_conf *out,
    struct rk_error *err)
{
	*out = (struct rk_client_conf){ 0 };
	if (user->size == 0)
		return err_set(err, RK_EINVAL, "client: no size or no URL");
	memcpy(
	    out, user, user->size < sizeof(*out) ? user->size : sizeof(*out));
	if (out->url == NULL)
		return err_set(err, RK_EINVAL, "client: no size or no URL");
	fill_defaults(out);
	if (out->dead_peer < RK_DEAD_PEER_MIN)
		return err_set(err, RK_EINVAL,
		    "client: dead_peer: at least %d ms", RK_DEAD_PEER_MIN);
	return RK_OK;
}
