/* The PSK layer: a pre-shared key inside whatever transport (rpckit-psk(7)). */
#ifndef RPCKIT_NET_PSK_H
#define RPCKIT_NET_PSK_H

#include "net/layer.h"
#include "net/tls.h"

#include <rpckit/psk.h>

/* Of many connections; borrowed, as everything in it, for as long as layers
 * made from it live. */
struct psk_conf {
	bool server;
	enum rk_tls_mode mode; /* whose certificates are shown and judged */
	const struct rk_ident *ident;
	struct rk_psks *keys; /* at least one; a client uses the first */
	tls_verify_fn *verify;
	void *arg;
};

/* Can it do its job?  RK_EINVAL: no key; no certificate where one has to be
 * shown; RK_ETOOBIG: one that is too long. */
RK_MUST enum rk_err psk_conf_check(
    const struct psk_conf *conf, struct rk_error *err);

/*
 * A layer over `below`, which it owns from now on (also on failure: freed).
 * Below there must be no early data.  What is received passes through the
 * loop's LOOP_SCRATCH_SEALED.  Before a client has proven its key, a server
 * keeps some hundred bytes and says nothing.  RK_ENOMEM.
 */
RK_MUST enum rk_err psk_layer_new(const struct psk_conf *conf,
    struct rk_loop *loop, struct layer *below, struct layer **out);

#endif
