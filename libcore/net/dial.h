/* Connecting to the first of several addresses that answers (RFC 8305). */
#ifndef RPCKIT_NET_DIAL_H
#define RPCKIT_NET_DIAL_H

#include "net/addr.h"
#include "trust/psks.h"

#include <rpckit/loop.h>

#define DIAL_ADDRS_MAX 8
#define DIAL_STAGGER_MS 250 /* head start of each address over the next */

/*
 * Over UDP an address has answered when it has given a cookie, which is still
 * to be read from the socket; it is asked again each DIAL_STAGGER_MS.
 *
 * Attempts start one after another, each DIAL_STAGGER_MS after the last or as
 * soon as that one failed; the first to connect wins and the others end.
 * Loop thread.
 */
struct dial;

/* Called once: fd >= 0 is connected and the callee's; else why tells.  The
 * dial is gone when it returns. */
typedef void dial_fn(int fd, const struct rk_error *why, void *arg);

struct dial_conf {
	struct rk_loop *loop;
	const struct addr *addrs;
	size_t n_addrs;
	enum addr_scheme scheme; /* for texts; ADDR_SSH_UDP: */
	const uint8_t *nonce;    /* knock with this one; borrowed */
	const struct psk *psk;   /* and prove this one; borrowed; NULL: none */
	uint64_t timeout;        /* ms for everything; RK_NEVER allowed */
	dial_fn *fn;
	void *arg;
};

/* fn is called from the loop, never in here.  RK_ENOMEM. */
RK_MUST enum rk_err dial_start(const struct dial_conf *conf, struct dial **out);
/* Stop without calling fn.  NULL is allowed. */
void dial_free(struct dial *d);

#endif
