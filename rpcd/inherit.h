/* Listening sockets that the service manager opened for us. */
#ifndef RPCD_INHERIT_H
#define RPCD_INHERIT_H

#include <rpckit/err.h>

#define INHERIT_MAX 64

struct inherited {
	int fd;
	const char *scheme; /* "tls" "quic" "tcp" "unix" "ssh+tcp" "ssh+udp"
	                       "ssh+unix" */
	/* Of the control: */
	const char *admin; /* "admin" "admin-view"; NULL: not of it */
	bool given;        /* to who closes it */
};

struct inherit {
	struct inherited list[INHERIT_MAX];
	size_t n;
};

/*
 * Take what LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES name, and unset them.
 * A name that holds "ssh" is for sessions, of the socket's kind; else one that
 * holds "tcp" is plain TCP; unix sockets and those of QUIC are known by their
 * kind, and unix sockets are the control's if named "admin" or "admin-view";
 * everything else is TLS.  RK_ESTATE: not what was announced; RK_EIO.
 */
RK_MUST enum rk_err inherit_take(struct inherit *in, struct rk_error *err);
/* Those to be served: all but the control's. */
size_t inherit_count(const struct inherit *in);
/* The control's of this name; NULL: none. */
struct inherited *inherit_admin(struct inherit *in, const char *name);
/* One that needs certificates: TLS or QUIC, with a pre-shared key all but
 * sessions. */
bool inherit_has_tls(const struct inherit *in, bool psk);
bool inherit_has_sessions(const struct inherit *in);
/* Is one of them bound to the port of this URL ("tls://[::]:8443")? */
bool inherit_has_port(const struct inherit *in, const char *url);
/* Close those not given away. */
void inherit_close(struct inherit *in);

#endif
