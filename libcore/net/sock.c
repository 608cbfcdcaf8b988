/* Stream sockets as the bottom layer of a connection. */
#include "net/sock.h"
#include "net/sock_path.h"

#include "base/error.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WASTE_LEN 4096
#define WASTE_ROUNDS 16
#define NOTSENT_MAX (128 * 1024)

struct sock {
	struct layer layer;
	int fd;
	enum addr_scheme scheme;
	bool connected;
	bool full;             /* the kernel took less than it was given */
	struct addr remote;    /* known while connecting, too */
	struct rk_error error; /* of the last failure; RK_OK: none */
};

static struct sock *
of(struct layer *l)
{
	return (struct sock *)l;
}

static const struct sock *
of_const(const struct layer *l)
{
	return (const struct sock *)l;
}

/* Keep why a call failed, for those who get a code only. */
static enum rk_err
fail(struct sock *s, enum rk_err code, int errnum, const char *what)
{
	char text[ADDR_TEXT_LEN];

	addr_format(&s->remote, s->scheme, text);
	if (errnum == 0)
		return err_set(&s->error, code, "%s: %s", text, what);
	return err_sys(&s->error, code, errnum, "%s: %s", text, what);
}

static enum rk_err
fail_io(struct sock *s, int errnum, const char *what)
{
	switch (errnum) {
	case ECONNRESET:
	case EPIPE:
	case ENOTCONN:
		return fail(s, RK_ECLOSED, errnum, what);
	case ETIMEDOUT:
		return fail(s, RK_ETIMEOUT, errnum, what);
	default:
		return fail(s, RK_EIO, errnum, what);
	}
}

/* ---- the layer ---- */

/* Unlike getpeername(2), SO_PEERNAME tells before the connection stands; it
 * wants to be given the very length.  Unknown: all zero. */
static void
find_goal(int fd, struct addr *a)
{
	int family = 0;
	socklen_t len = sizeof(family);

	*a = (struct addr){ 0 };
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) != 0 ||
	    family == AF_UNIX)
		return;
	a->len = family == AF_INET ? sizeof(a->u.in) : sizeof(a->u.in6);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &a->u, &a->len) != 0)
		*a = (struct addr){ 0 };
}

/* Is it connected?  *a stays as it is when not. */
static bool
find_peer(int fd, struct addr *a)
{
	struct addr peer = { .len = sizeof(peer.u) };

	if (getpeername(fd, &peer.u.sa, &peer.len) != 0)
		return false;
	*a = peer;
	return true;
}

static int
take_error(int fd)
{
	int e = 0;
	socklen_t len = sizeof(e);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) != 0)
		return errno;
	return e;
}

/*
 * No error and no peer: either connect(2) is still on its way, or it has
 * failed and its error was taken already.
 */
static enum rk_err
still_connecting(struct sock *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLOUT };

	if (poll(&p, 1, 0) <= 0 || (p.revents & (POLLHUP | POLLERR)) == 0)
		return RK_EAGAIN;
	return fail(s, RK_ECONNECT, 0, "cannot connect");
}

static enum rk_err
op_handshake(struct layer *l, struct rk_error *err)
{
	struct sock *s = of(l);
	enum rk_err r = RK_OK;
	int e;

	if (s->connected)
		return RK_OK;
	e = take_error(s->fd);
	if (e != 0)
		r = fail(s, RK_ECONNECT, e, "cannot connect");
	else if (find_peer(s->fd, &s->remote))
		s->connected = true;
	else
		r = still_connecting(s);
	if (r == RK_OK || r == RK_EAGAIN)
		return r;
	s->error.step = "connect";
	if (err != NULL)
		*err = s->error;
	return r;
}

static enum rk_err
op_recv(struct layer *l, uint8_t *dst, size_t cap, size_t *n)
{
	struct sock *s = of(l);
	ssize_t got;

	*n = 0;
	assert(cap > 0);
	do
		got = recv(s->fd, dst, cap, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0) {
		*n = (size_t)got;
		return RK_OK;
	}
	if (got == 0)
		return fail(s, RK_ECLOSED, 0, "closed by the peer");
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return RK_EAGAIN;
	return fail_io(s, errno, "cannot receive");
}

static enum rk_err
op_send(struct layer *l, const uint8_t *src, size_t len, size_t *n)
{
	struct sock *s = of(l);
	ssize_t put;

	*n = 0;
	do
		put = send(s->fd, src, len, MSG_NOSIGNAL);
	while (put < 0 && errno == EINTR);
	s->full = put < 0 ? errno == EAGAIN || errno == EWOULDBLOCK
	                  : (size_t)put < len;
	if (put > 0) {
		*n = (size_t)put;
		return RK_OK;
	}
	if (put == 0 || s->full)
		return RK_EAGAIN;
	return fail_io(s, errno, "cannot send");
}

/* The kernel keeps what it took. */
static enum rk_err
op_flush(struct layer *l)
{
	(void)l;
	return RK_OK;
}

static unsigned
op_want(const struct layer *l)
{
	const struct sock *s = of_const(l);

	if (!s->connected)
		return RK_WRITE;
	return s->full ? RK_READ | RK_WRITE : RK_READ;
}

static bool
op_pending(const struct layer *l)
{
	(void)l;
	return false;
}

static bool
local_address(const struct sock *s, struct addr *out)
{
	*out = (struct addr){ .len = sizeof(out->u) };
	return getsockname(s->fd, &out->u.sa, &out->len) == 0;
}

/* What the peer's system has acknowledged; of a unix socket: what the peer has
 * read. */
static bool
count_untaken(const struct sock *s, uint64_t *out)
{
	int n;

	if (ioctl(s->fd, SIOCOUTQ, &n) != 0 || n < 0)
		return false;
	*out = (uint64_t)n;
	return true;
}

static bool
op_query(struct layer *l, enum layer_query what, void *out)
{
	struct sock *s = of(l);

	switch (what) {
	case LAYER_Q_FD:
		*(int *)out = s->fd;
		return true;
	case LAYER_Q_NAME:
		*(const char **)out = l->ops->name;
		return true;
	case LAYER_Q_LOCAL:
		return local_address(s, out);
	case LAYER_Q_REMOTE:
		*(struct addr *)out = s->remote;
		return true;
	case LAYER_Q_ERROR:
		*(struct rk_error *)out = s->error;
		return s->error.code != RK_OK;
	case LAYER_Q_PEER_CERT:
	case LAYER_Q_PEER_KEY:
	case LAYER_Q_RESUMED:
	case LAYER_Q_ALPN:
	case LAYER_Q_CIPHER:
	case LAYER_Q_EXPORT:
	case LAYER_Q_PSK:
	case LAYER_Q_PSK_US:
	case LAYER_Q_SETTLED:
	case LAYER_Q_LEFT:
	case LAYER_Q_SILENT:
	case LAYER_Q_EARLY_MAX:
	case LAYER_Q_EARLY:
	case LAYER_Q_EARLY_USED:
	case LAYER_Q_CONFIRMED:
	case LAYER_Q_APART_LATE:
	case LAYER_Q_HELD:
	case LAYER_Q_ORDERLY:
		break;
	case LAYER_Q_UNTAKEN:
		return count_untaken(s, out);
	case LAYER_Q_PATH:
		return s->scheme != ADDR_UNIX && sock_path(s->fd, out);
	}
	return false;
}

static enum rk_err
op_half_close(struct layer *l)
{
	(void)shutdown(of(l)->fd, SHUT_WR); /* fails if the peer was first */
	return RK_OK;
}

/*
 * Closing a socket with unread bytes resets the connection, and the peer may
 * then never read our last words: so throw away what has come so far.
 */
static void
op_close(struct layer *l, const struct rk_error *why)
{
	uint8_t waste[WASTE_LEN];
	struct sock *s = of(l);

	(void)why;                      /* a socket has one way to end */
	(void)shutdown(s->fd, SHUT_WR); /* fails if the peer was first */
	for (int i = 0; i < WASTE_ROUNDS; i++)
		if (recv(s->fd, waste, sizeof(waste), MSG_DONTWAIT) <= 0)
			break;
}

static void
op_free(struct layer *l)
{
	struct sock *s = of(l);

	(void)close(s->fd); /* nothing of ours is buffered in it */
	free(s);
}

static const struct layer_ops tcp_ops = {
	.name = "tcp",
	.handshake = op_handshake,
	.recv = op_recv,
	.send = op_send,
	.flush = op_flush,
	.want = op_want,
	.pending = op_pending,
	.query = op_query,
	.half_close = op_half_close,
	.close = op_close,
	.free = op_free,
};

static const struct layer_ops unix_ops = {
	.name = "unix",
	.handshake = op_handshake,
	.recv = op_recv,
	.send = op_send,
	.flush = op_flush,
	.want = op_want,
	.pending = op_pending,
	.query = op_query,
	.half_close = op_half_close,
	.close = op_close,
	.free = op_free,
};

/*
 * Slower without these, not wrong.  What the kernel keeps beyond what it may
 * send now stands in front of everything that is sent later: little of it.
 */
static void
set_tcp_options(int fd)
{
	const int on = 1;
	const int ahead = NOTSENT_MAX;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &ahead, sizeof(ahead));
}

enum rk_err
sock_layer_new(int fd, enum addr_scheme scheme, struct layer **out)
{
	struct sock *s;

	*out = NULL;
	s = calloc(1, sizeof(*s));
	if (s == NULL) {
		(void)close(fd); /* it is ours to close from now on */
		return RK_ENOMEM;
	}
	s->layer.ops = scheme == ADDR_UNIX ? &unix_ops : &tcp_ops;
	s->fd = fd;
	s->scheme = scheme == ADDR_TLS ? ADDR_TCP : scheme;
	s->connected = find_peer(fd, &s->remote);
	if (!s->connected)
		find_goal(fd, &s->remote);
	if (scheme != ADDR_UNIX)
		set_tcp_options(fd);
	*out = &s->layer;
	return RK_OK;
}

/* ---- connecting and accepting ---- */

enum rk_err
sock_connect(const struct addr *a, int *fd, struct rk_error *err)
{
	const int family = a->u.sa.sa_family;
	char text[ADDR_TEXT_LEN];
	int f;
	int e = 0;

	*fd = -1;
	f = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Interrupted, it goes on in the background like EINPROGRESS. */
	if (f < 0 || (connect(f, &a->u.sa, a->len) != 0 &&
	                 errno != EINPROGRESS && errno != EINTR))
		e = errno;
	if (e == 0) {
		*fd = f;
		return RK_OK;
	}
	if (f >= 0)
		(void)close(f); /* never connected */
	addr_format(a, ADDR_TCP, text);
	(void)err_sys(err, RK_ECONNECT, e, "%s: cannot connect", text);
	if (err != NULL)
		err->step = "connect";
	return RK_ECONNECT;
}

enum rk_err
sock_accept(int listen_fd, int *fd, struct addr *remote)
{
	int f;

	*fd = -1;
	do {
		*remote = (struct addr){ .len = sizeof(remote->u) };
		f = accept4(listen_fd, &remote->u.sa, &remote->len,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (f < 0 && errno == EINTR);
	if (f >= 0) {
		*fd = f;
		return RK_OK;
	}
	switch (errno) {
	case EAGAIN:
	case ECONNABORTED:
	/* Linux hands errors of the new connection over here: accept(2). */
	case EPERM:
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ETIMEDOUT:
		return RK_EAGAIN;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return RK_ELIMIT;
	default:
		return RK_EIO;
	}
}

bool
sock_peer_uid(int fd, uid_t *uid)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return false;
	*uid = peer.uid;
	return true;
}

bool
sock_is_ours(int fd)
{
	uid_t uid;

	return sock_peer_uid(fd, &uid) && (uid == 0 || uid == geteuid());
}
