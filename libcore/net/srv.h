/* Where a service is, by its DNS name: SRV records (RFC 2782). */
#ifndef RPCKIT_NET_SRV_H
#define RPCKIT_NET_SRV_H

#include <rpckit/err.h>

#include <netinet/in.h>

#define SRV_MAX 32 /* records looked at */
#define SRV_HOST_LEN 256

struct srv {
	uint16_t priority;
	uint16_t weight;
	uint16_t port;
	char host[SRV_HOST_LEN]; /* without the dot at the end */
};

/*
 * The records of a resolver's answer, as they stand there; those with a host
 * that none could have, or port 0, are left out.  RK_EPROTO: no DNS message, or
 * a record in it is damaged; RK_ERESOLVE: none is left, because there is none,
 * or the one there is says that nobody offers this ("."); the reason in err.
 */
RK_MUST enum rk_err srv_parse(const uint8_t *msg, size_t len, struct srv *out,
    size_t cap, size_t *n, struct rk_error *err);

/*
 * The order to try them in: by priority, and at random by weight among equals.
 * draw gives a number below `below`, which is not 0.
 */
typedef uint32_t srv_draw_fn(uint32_t below, void *arg);
void srv_order(struct srv *list, size_t n, srv_draw_fn *draw, void *arg);

/*
 * Ask the system's resolver, or, in tests, this server, for the records of
 * `name` and put them in an order.  Blocks the thread.  RK_ERESOLVE, and as
 * srv_parse().
 */
RK_MUST enum rk_err srv_ask(const char *name, const struct sockaddr_in *server,
    struct srv *out, size_t cap, size_t *n, struct rk_error *err);

#endif
