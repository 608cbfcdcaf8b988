/* Addresses: URLs of endpoints, socket addresses, and their text. */
#ifndef RPCKIT_NET_ADDR_H
#define RPCKIT_NET_ADDR_H

#include <rpckit/err.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#define ADDR_TEXT_LEN 128

enum addr_scheme {
	ADDR_TCP,
	ADDR_TLS,
	ADDR_QUIC,
	ADDR_UNIX,
	ADDR_SSH_TCP,
	ADDR_SSH_UDP,
	ADDR_SSH_UNIX,
	ADDR_FD
};

struct addr {
	socklen_t len;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} u;
};

/* A parsed URL.  host is without brackets; path for unix, fds for ADDR_FD. */
struct addr_url {
	enum addr_scheme scheme;
	char host[256];
	uint16_t port;
	char path[108];
	int fds[2]; /* in, out; may be the same */
};

/*
 * "tls://host:port", "tcp://[::1]:port", "quic://host:port", "unix:///path",
 * "ssh+tcp://host:port" and so on, "fd:N", "fd:N,M".  RK_EINVAL with the
 * reason.
 */
RK_MUST enum rk_err addr_parse(
    const char *url, struct addr_url *out, struct rk_error *err);
const char *addr_scheme_name(enum addr_scheme scheme);
/* By its name; false: there is none. */
bool addr_scheme_find(const char *name, size_t len, enum addr_scheme *out);
/* Does TLS prove peers there? */
bool addr_is_proving(enum addr_scheme scheme);
/* Is it a session, whose ends prove keys without certificates? */
bool addr_is_session(enum addr_scheme scheme);
bool addr_is_unix(enum addr_scheme scheme);
/* Over UDP? */
bool addr_is_udp(enum addr_scheme scheme);

/*
 * Up to cap socket addresses of the URL, in the resolver's order, IPv6 and
 * IPv4 interleaved (RFC 8305).  Numeric hosts and "localhost" never wait;
 * other names ask the system's resolver on this thread.  With passive an empty
 * host or "*" means every interface: one address, "[::]" for both families
 * where there is IPv6.  RK_ERESOLVE, also for port 0 unless passive.  Not of
 * ADDR_FD.
 */
RK_MUST enum rk_err addr_resolve(const struct addr_url *url, bool passive,
    struct addr *out, size_t cap, size_t *n, struct rk_error *err);

/* "tls://127.0.0.1:8443", "tls://[::1]:1", "unix:///run/x" (escaped). */
void addr_format(
    const struct addr *a, enum addr_scheme scheme, char out[ADDR_TEXT_LEN]);
bool addr_is_loopback(const struct addr *a); /* unix counts */
/* A key for limits by source: /24 of IPv4, /56 of IPv6, 0 for unix. */
uint64_t addr_prefix(const struct addr *a);

#endif
