/* What a server's configuration leaves open. */
#include "rpc/server_int.h"

#include <rpckit/push.h>

#define DEFAULT_MAX_CONNS 4096
#define DEFAULT_MAX_UNPROVEN 512
#define DEFAULT_MAX_PER_SOURCE 16
#define DEFAULT_MAX_CALLS 1024
#define DEFAULT_MAX_QUEUE (4u << 20)
#define MOST_QUEUE (SIZE_MAX / 64) /* sums with it do not overflow */
#define DEFAULT_RETRY_FROM 64
#define DEFAULT_MAX_WORK 256
#define DEFAULT_TRUST_WAIT 25000 /* ms; less than a client's patience */

void
server_conf_fill(struct rk_server_conf *conf)
{
	conn_default_timeouts(&conf->timeouts);
	if (conf->max_conns == 0)
		conf->max_conns = DEFAULT_MAX_CONNS;
	if (conf->max_unproven == 0)
		conf->max_unproven = DEFAULT_MAX_UNPROVEN;
	if (conf->max_per_source == 0)
		conf->max_per_source = DEFAULT_MAX_PER_SOURCE;
	if (conf->max_calls == 0)
		conf->max_calls = DEFAULT_MAX_CALLS;
	if (conf->max_queue == 0)
		conf->max_queue = DEFAULT_MAX_QUEUE;
	if (conf->max_queue > MOST_QUEUE)
		conf->max_queue = MOST_QUEUE;
	if (conf->max_push == 0)
		conf->max_push = RK_PUSH_BYTES;
	if (conf->retry_from == 0)
		conf->retry_from = DEFAULT_RETRY_FROM;
	if (conf->max_work == 0)
		conf->max_work = DEFAULT_MAX_WORK;
	if (conf->keepalive == 0)
		conf->keepalive = RK_NEVER;
	if (conf->dead_peer == 0)
		conf->dead_peer = RK_NEVER;
	if (conf->trust_wait == 0)
		conf->trust_wait = DEFAULT_TRUST_WAIT;
}
