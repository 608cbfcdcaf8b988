/* Sockets as bottom layers: stream sockets over TCP and unix domain. */
#ifndef RPCKIT_NET_SOCK_H
#define RPCKIT_NET_SOCK_H

#include "net/addr.h"
#include "net/layer.h"

/*
 * A connected or connecting stream socket as the bottom layer; takes over fd
 * (non-blocking, close-on-exec), also when it fails.  Its handshake is the end
 * of connect(2).  TCP_NODELAY is set.  RK_ENOMEM.
 */
RK_MUST enum rk_err sock_layer_new(
    int fd, enum addr_scheme scheme, struct layer **out);

/* Begin to connect to one address: a non-blocking socket. RK_ECONNECT. */
RK_MUST enum rk_err sock_connect(
    const struct addr *a, int *fd, struct rk_error *err);

/*
 * Bind and listen.  TCP: SO_REUSEADDR; a port another socket listens on is
 * refused.  Unix: a stale socket file (nobody answers) is replaced, a live one
 * is RK_EIO with EADDRINUSE; mode 0600.  bound (may be NULL) is the real
 * address.  RK_EIO with errno in err->sys.
 */
RK_MUST enum rk_err sock_listen(
    const struct addr *a, int *fd, struct addr *bound, struct rk_error *err);

/* Accept one: RK_OK, RK_EAGAIN (none, or it went away), RK_ELIMIT (no
 * descriptor or memory: wait a little), RK_EIO. */
RK_MUST enum rk_err sock_accept(int listen_fd, int *fd, struct addr *remote);

/* Of an accepted local socket: is the other end root's or our user's? */
bool sock_is_ours(int fd);
/* Whose is it?  False: not known. */
bool sock_peer_uid(int fd, uid_t *uid);

#endif
