/* What the system has measured of a TCP connection's way. */
#ifndef RPCKIT_NET_SOCK_PATH_H
#define RPCKIT_NET_SOCK_PATH_H

#include "net/layer.h"

/* One call of the system; false: it does not tell. */
bool sock_path(int fd, struct layer_path *out);

#endif
