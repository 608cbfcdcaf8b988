/* A server of sessions over UDP, and what its endpoint counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rpc/server_int.h"

#include "udprig.h"

void
udprig_begin(struct rpcrig *r, unsigned threads)
{
	rpcrig_init(r, RPC_SSH_UDP, threads);
	rpcrig_start(r);
}

void
udprig_at(const struct rpcrig *r, struct addr *a)
{
	struct addr_url u;
	struct rk_error err;
	size_t n;

	assert_int_equal(addr_parse(r->url, &u, &err), RK_OK);
	assert_int_equal(addr_resolve(&u, false, a, 1, &n, &err), RK_OK);
}

static void
get_stats(struct rpcrig *r, void *arg)
{
	const struct udp_ports *all = TAILQ_FIRST(&r->server->ports);

	udp_end_stats(all->port[0].end, arg);
}

struct udp_end_stats
udprig_stats(struct rpcrig *r)
{
	struct udp_end_stats s;

	rpcrig_do(r, get_stats, &s);
	return s;
}

/* The first endpoint is its loop's also when the server has stopped. */
static void
get_moves(struct rpcrig *r, void *arg)
{
	const struct udp_ports *all = TAILQ_FIRST(&r->server->ports);
	struct udp_end_stats s;
	uint64_t *n = arg;

	for (size_t i = 0; i < all->n; i++) {
		udp_end_stats(all->port[i].end, &s);
		*n += s.moves;
	}
}

uint64_t
udprig_moves(struct rpcrig *r)
{
	uint64_t n = 0;

	rpcrig_do(r, get_moves, &n);
	return n;
}
