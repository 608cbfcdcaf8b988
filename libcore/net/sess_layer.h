/* The session layer: RPC over rpckit-session(7), on sockets, pipes and ways. */
#ifndef RPCKIT_NET_SESS_LAYER_H
#define RPCKIT_NET_SESS_LAYER_H

#include "net/addr.h"
#include "net/layer.h"
#include "trust/psks.h"

#include <rpckit/session.h>

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

/*
 * A way for datagrams that somebody else has, as many behind one socket.  send
 * is as of rk_session_pipe, its arg the way; RK_EAGAIN: sess_layer_resume()
 * follows.
 */
struct sess_way_ops {
	rk_session_send_fn *send;
	/* There is a session, and sess_layer_feed() has somebody to feed. */
	void (*begun)(void *way, struct layer *l);
	/* What the peer began with begins no session: it may be told so. */
	void (*refuse)(void *way);
	/* LAYER_Q_LOCAL, LAYER_Q_REMOTE */
	bool (*query)(void *way, enum layer_query what, void *out);
	void (*free)(void *way);
};
/* The same over one, which it takes over, also on failure.  RK_ENOMEM. */
RK_MUST enum rk_err sess_layer_new_way(const struct sess_layer_conf *conf,
    struct rk_loop *loop, enum addr_scheme scheme,
    const struct sess_way_ops *ops, void *way, struct layer **out);
/* A datagram came; what finds no room is lost. */
void sess_layer_feed(struct layer *l, const void *data, size_t len);
/* The same of one that came another way: is it the peer's, and newer than all
 * before it?  False also before the session is established. */
bool sess_layer_feed_other(struct layer *l, const void *data, size_t len);
void sess_layer_resume(struct layer *l); /* there is room again */
/* One of this length did not leave: the way from here is too narrow. */
void sess_layer_refused(struct layer *l, size_t len);
/* Send the peer something that it answers. */
void sess_layer_ask(struct layer *l);
/* The way is another: what was measured of it is forgotten, and what was under
 * way is sent again. */
void sess_layer_moved(struct layer *l);
/* The peer says that nothing will come. */
void sess_layer_end(struct layer *l);
/* It has broken. */
void sess_layer_break(struct layer *l, const struct rk_error *why);

/* Would they do?  RK_EUNSUPPORTED: of another kind, or closed. */
RK_MUST enum rk_err sess_layer_check_fds(
    const int fds[2], struct rk_error *err);

#endif
