/* Where a server listens: its own sockets, and those handed to it. */
#include "base/error.h"
#include "base/str.h"
#include "net/sock.h"
#include "rpc/server_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file is ours as long as nobody has put another there. */
static void
note_file(struct listener *l)
{
	struct stat st;

	l->made = l->made && addr_is_unix(l->scheme) &&
	          lstat(l->bound.u.un.sun_path, &st) == 0;
	if (!l->made)
		return;
	l->dev = st.st_dev;
	l->ino = st.st_ino;
}

static void
remove_file(const struct listener *l)
{
	const char *path = l->bound.u.un.sun_path;
	struct stat st;

	if (l->made && lstat(path, &st) == 0 && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		(void)unlink(path); /* the next one replaces it */
}

static void
free_listener(struct listener *l)
{
	rk_watch_free(l->watch);
	remove_file(l);
	(void)close(l->fd);
	free(l);
}

void
server_close_listeners(struct rk_server *s)
{
	struct listener *l;

	while ((l = TAILQ_FIRST(&s->listeners)) != NULL) {
		TAILQ_REMOVE(&s->listeners, l, link);
		free_listener(l);
	}
}

static void
warn_if_open(const struct rk_server *s, const struct listener *l)
{
	char where[ADDR_TEXT_LEN];

	addr_format(&l->bound, l->scheme, where);
	if (l->scheme == ADDR_TCP && !addr_is_loopback(&l->bound) &&
	    s->conf.psks == NULL)
		log_event(RK_LOG_WARN, "server",
		    "%s: plain TCP: nothing is encrypted and everybody who "
		    "can connect is served",
		    where);
	if (l->scheme == ADDR_TLS && s->conf.tls_mode != RK_TLS_MUTUAL)
		log_event(RK_LOG_WARN, "server",
		    "%s: clients are not authenticated", where);
}

static void
tell_udp(const struct rk_server *s, enum addr_scheme scheme,
    const struct addr *bound, char url_out[128])
{
	char where[ADDR_TEXT_LEN];

	addr_format(bound, scheme, where);
	if (scheme == ADDR_QUIC && s->conf.tls_mode != RK_TLS_MUTUAL)
		log_event(RK_LOG_WARN, "server",
		    "%s: clients are not authenticated", where);
	if (url_out != NULL)
		memcpy(url_out, where, sizeof(where));
}

static enum rk_err
listen_udp(struct rk_server *s, enum addr_scheme scheme, const struct addr *a,
    char url_out[128], struct rk_error *err)
{
	struct addr bound;
	enum rk_err r;

	if ((r = server_udp_listen(s, scheme, a, &bound, err)) == RK_OK)
		tell_udp(s, scheme, &bound, url_out);
	return r;
}

/* Takes fd over, also on failure. */
static enum rk_err
add_listener(struct rk_server *s, enum addr_scheme scheme, int fd, bool made,
    const struct addr *bound, char url_out[128])
{
	struct listener *l = calloc(1, sizeof(*l));
	enum rk_err r;

	if (l == NULL) {
		(void)close(fd);
		return RK_ENOMEM;
	}
	l->server = s;
	l->scheme = scheme;
	l->fd = fd;
	l->passed = !made;
	l->made = made;
	l->bound = *bound;
	note_file(l);
	r = rk_watch_new(s->loop, fd, 0, server_on_acceptable, l, &l->watch);
	if (r != RK_OK) {
		free_listener(l);
		return r;
	}
	warn_if_open(s, l);
	if (url_out != NULL)
		addr_format(&l->bound, scheme, url_out);
	TAILQ_INSERT_TAIL(&s->listeners, l, link);
	return RK_OK;
}

static enum rk_err
check_may_listen(struct rk_server *s, enum addr_scheme scheme, const char *what,
    struct rk_error *err)
{
	struct rk_error why;
	enum rk_err r;

	if (s->state != SERVER_NEW)
		return err_set(
		    err, RK_ESTATE, "%s: the server runs already", what);
	if (scheme == ADDR_QUIC && (r = quic_supported(&why)) != RK_OK)
		return err_set(err, r, "%s: %s", what, why.text);
	if (addr_is_session(scheme) && TAILQ_FIRST(&s->creds)->sess.key == NULL)
		return err_set(err, RK_EINVAL, "%s: sessions need a key", what);
	if (!addr_is_session(scheme) && s->conf.psks != NULL &&
	    s->conf.ident == NULL && s->conf.tls_mode != RK_TLS_SKIP_VERIFY)
		return err_set(err, RK_EINVAL,
		    "%s: a pre-shared key does not replace certificates, and "
		    "there are none",
		    what);
	if (addr_is_proving(scheme) && TAILQ_FIRST(&s->creds)->tls == NULL)
		return err_set(err, RK_EINVAL,
		    "%s: TLS needs a certificate and a key", what);
	return RK_OK;
}

enum rk_err
rk_server_listen(struct rk_server *server, const char *url, char url_out[128],
    struct rk_error *err)
{
	char shown[ADDR_TEXT_LEN];
	struct addr_url u;
	struct addr a, bound;
	size_t n;
	enum rk_err r;
	int fd;

	err_clear(err);
	(void)str_escape(shown, sizeof(shown), url);
	if ((r = addr_parse(url, &u, err)) != RK_OK ||
	    (r = check_may_listen(server, u.scheme, shown, err)) != RK_OK)
		return r;
	if (u.scheme == ADDR_FD)
		return server_fd_listen(server, &u, url_out, err);
	if ((r = addr_resolve(&u, true, &a, 1, &n, err)) != RK_OK)
		return r;
	if (addr_is_udp(u.scheme))
		return listen_udp(server, u.scheme, &a, url_out, err);
	if ((r = sock_listen(&a, &fd, &bound, err)) != RK_OK)
		return r;
	r = add_listener(server, u.scheme, fd, true, &bound, url_out);
	if (r != RK_OK)
		return err_set(err, r, "%s: %s", shown, rk_err_text(r));
	return RK_OK;
}

static bool
is_of_scheme(const struct addr *a, enum addr_scheme scheme)
{
	sa_family_t family = a->u.sa.sa_family;

	if (addr_is_unix(scheme))
		return family == AF_UNIX;
	return family == AF_INET || family == AF_INET6;
}

static bool
has_option(int fd, int option, int value)
{
	socklen_t len = sizeof(int);
	int is = -1;

	return getsockopt(fd, SOL_SOCKET, option, &is, &len) == 0 &&
	       is == value;
}

/* Datagrams are not listened for: a bound socket has them, unless it talks to
 * one peer only. */
static const char *
socket_fault(int fd, enum addr_scheme scheme, const struct addr *bound)
{
	struct addr peer = { .len = sizeof(peer.u) };
	bool is_port = bound->u.sa.sa_family == AF_INET
	                   ? bound->u.in.sin_port != 0
	                   : bound->u.in6.sin6_port != 0;

	if (!addr_is_udp(scheme))
		return has_option(fd, SO_ACCEPTCONN, 1)
		           ? NULL
		           : "is not a listening socket";
	if (!has_option(fd, SO_PROTOCOL, IPPROTO_UDP))
		return "is not a UDP socket";
	if (!is_port)
		return "is not bound to a port";
	return getpeername(fd, &peer.u.sa, &peer.len) != 0 ? NULL
	                                                   : "is connected";
}

static enum rk_err
check_socket(
    int fd, enum addr_scheme scheme, struct addr *bound, struct rk_error *err)
{
	const char *fault;

	*bound = (struct addr){ .len = sizeof(bound->u) };
	if (getsockname(fd, &bound->u.sa, &bound->len) != 0)
		return err_set(
		    err, RK_EINVAL, "descriptor %d is not a socket", fd);
	if (!is_of_scheme(bound, scheme))
		return err_set(err, RK_EINVAL,
		    "descriptor %d is not a socket for %s", fd,
		    addr_scheme_name(scheme));
	fault = socket_fault(fd, scheme, bound);
	if (fault != NULL)
		return err_set(err, RK_EINVAL, "descriptor %d %s", fd, fault);
	return RK_OK;
}

/* Who made it may have left it blocking. */
static enum rk_err
prepare(int fd, struct rk_error *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return err_sys(
		    err, RK_EIO, errno, "descriptor %d cannot be set up", fd);
	return RK_OK;
}

/* A port of two sockets would give each half of the peers, and one loop the
 * packets of another's. */
static enum rk_err
listen_udp_fd(struct rk_server *s, enum addr_scheme scheme, int fd,
    const struct addr *bound, char url_out[128], struct rk_error *err)
{
	enum rk_err r;

	if (server_udp_has(s, bound))
		return err_set(err, RK_EINVAL,
		    "descriptor %d: another socket has its port", fd);
	if ((r = server_udp_listen_fd(s, scheme, fd, bound, err)) == RK_OK)
		tell_udp(s, scheme, bound, url_out);
	return r;
}

enum rk_err
rk_server_listen_fd(struct rk_server *server, const char *scheme, int fd,
    char url_out[128], struct rk_error *err)
{
	struct addr bound;
	enum addr_scheme s = ADDR_TCP;
	enum rk_err r;

	err_clear(err);
	if (!addr_scheme_find(scheme, strlen(scheme), &s) || s == ADDR_FD)
		return err_set(err, RK_EINVAL,
		    "listening socket %d: unknown transport", fd);
	if ((r = check_may_listen(server, s, scheme, err)) != RK_OK ||
	    (r = check_socket(fd, s, &bound, err)) != RK_OK ||
	    (r = prepare(fd, err)) != RK_OK)
		return r;
	if (addr_is_udp(s))
		return listen_udp_fd(server, s, fd, &bound, url_out, err);
	r = add_listener(server, s, fd, false, &bound, url_out);
	if (r != RK_OK)
		return err_set(err, r, "descriptor %d: %s", fd, rk_err_text(r));
	return RK_OK;
}
