/* Listening sockets that the service manager opened for us. */
#ifndef RPCD_INHERIT_H
#define RPCD_INHERIT_H

#include <rpckit/err.h>

#define INHERIT_MAX 64

struct inherited {
	int fd;
	const char *scheme; /* "tls" "quic" "tcp" "unix" */
	bool given;         /* to the server, which closes it */
};

struct inherit {
	struct inherited list[INHERIT_MAX];
	size_t n;
};

/*
 * Take what LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES name, and unset them.
 * A name that holds "tcp" is plain TCP; unix sockets and those of QUIC are
 * known by their kind; everything else is TLS.  RK_ESTATE: not what was
 * announced; RK_EIO.
 */
RK_MUST enum rk_err inherit_take(struct inherit *in, struct rk_error *err);
/* One that needs keys: TLS or QUIC. */
bool inherit_has_tls(const struct inherit *in);
/* Is one of them bound to the port of this URL ("tls://[::]:8443")? */
bool inherit_has_port(const struct inherit *in, const char *url);
/* Close those not given away. */
void inherit_close(struct inherit *in);

#endif
