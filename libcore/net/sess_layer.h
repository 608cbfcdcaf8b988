/* The session layer: RPC over rpckit-session(7), on stream sockets and pipes.
 */
#ifndef RPCKIT_NET_SESS_LAYER_H
#define RPCKIT_NET_SESS_LAYER_H

#include "net/addr.h"
#include "net/layer.h"
#include "trust/psks.h"

#include <rpckit/key.h>

/* Is this a peer whose key may be believed?  It has proven to hold it; a
 * refusal is told to it.  The last word is said when the layer is open. */
typedef enum rk_err sess_verify_fn(
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_error *err, void *arg);

/* Of many connections; borrowed, as everything in it, for as long as layers
 * made from it live. */
struct sess_layer_conf {
	bool server; /* the responder */
	const struct rk_key *key;
	const struct rk_psks *psks; /* one of these is required; NULL: none */
	sess_verify_fn *verify;
	void *arg;
};

/*
 * The whole stack over a connected stream socket, which it takes over, also on
 * failure.  On the loop's thread only from its first handshake() on.
 * RK_ENOMEM.
 */
RK_MUST enum rk_err sess_layer_new(const struct sess_layer_conf *conf,
    struct rk_loop *loop, int fd, enum addr_scheme scheme, struct layer **out);
/*
 * The same over two descriptors to read from and to write to, which may be one,
 * and for which sess_layer_check_fds() is RK_OK.  RK_EIO, RK_ENOMEM.
 */
RK_MUST enum rk_err sess_layer_new_fds(const struct sess_layer_conf *conf,
    struct rk_loop *loop, const int fds[2], struct layer **out,
    struct rk_error *err);
/* Would they do?  RK_EUNSUPPORTED: of another kind, or closed. */
RK_MUST enum rk_err sess_layer_check_fds(
    const int fds[2], struct rk_error *err);

#endif
