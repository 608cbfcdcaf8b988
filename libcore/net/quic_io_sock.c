/* UDP sockets: bound, joined, connected, and made fit for QUIC. */
#include "net/quic_io_int.h"

#include "base/error.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOCKET_BUFFER (4 * 1024 * 1024)

static enum rk_err
fail(const struct addr *a, enum rk_err code, const char *step, const char *what,
    struct rk_error *err)
{
	const int errnum = errno;
	char text[ADDR_TEXT_LEN];

	addr_format(a, ADDR_TCP, text);
	(void)err_sys(err, code, errnum, "quic%s: %s", strchr(text, ':'), what);
	if (err != NULL)
		err->step = step;
	return code;
}

static enum rk_err
fail_listen(const struct addr *a, const char *what, struct rk_error *err)
{
	return fail(a, RK_EIO, "listen", what, err);
}

static int
new_socket(const struct addr *a)
{
	return socket(
	    a->u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* SO_REUSEADDR stays off: with it two servers would share a port unasked. */
static enum rk_err
bind_to(const struct addr *a, bool join, int fd, struct rk_error *err)
{
	const int on = 1;
	const int off = 0;

	if (join &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0)
		return fail_listen(a, "cannot share the port", err);
	/* "Every interface" is IPv4 too, however the system is set. */
	if (a->u.sa.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr) &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0)
		return fail_listen(a, "cannot listen on IPv4 too", err);
	if (bind(fd, &a->u.sa, a->len) != 0)
		return fail_listen(a, "cannot listen", err);
	return RK_OK;
}

static bool
local_name(int fd, struct addr *out)
{
	union quic_io_name name = { 0 };
	socklen_t len = sizeof(name);

	*out = (struct addr){ 0 };
	if (getsockname(fd, &name.sa, &len) != 0)
		return false;
	quic_io_name_get(&name, out);
	return true;
}

enum rk_err
quic_io_bind(const struct addr *a, bool join, int *fd, struct addr *bound,
    struct rk_error *err)
{
	struct addr name;
	enum rk_err r;
	int f;

	*fd = -1;
	if (bound != NULL)
		*bound = (struct addr){ 0 };
	f = new_socket(a);
	if (f < 0)
		return fail_listen(a, "cannot make a socket", err);
	if ((r = bind_to(a, join, f, err)) != RK_OK)
		goto out;
	if (!local_name(f, &name)) {
		r = fail_listen(a, "cannot read its address", err);
		goto out;
	}
	if (bound != NULL)
		*bound = name;
	*fd = f;
	f = -1;
out:
	if (f >= 0)
		(void)close(f); /* nothing was sent on it */
	return r;
}

/* Linux asks both sockets when the second one binds: set any time before. */
enum rk_err
quic_io_share(int fd, struct rk_error *err)
{
	const int on = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == 0)
		return RK_OK;
	(void)err_sys(err, RK_EIO, errno, "cannot share the port");
	if (err != NULL)
		err->step = "listen";
	return RK_EIO;
}

enum rk_err
quic_io_connect(const struct addr *remote, int *fd, struct rk_error *err)
{
	int f = new_socket(remote);
	enum rk_err r;

	*fd = -1;
	if (f >= 0 && connect(f, &remote->u.sa, remote->len) == 0) {
		*fd = f;
		return RK_OK;
	}
	r = fail(remote, RK_ECONNECT, "connect", "cannot connect", err);
	if (f >= 0)
		(void)close(f); /* nothing was sent on it */
	return r;
}

/* ---- options ---- */

/* All of these are asked for, and lived without: what is missing costs speed
 * or knowledge, not correctness. */
static bool
set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/*
 * IP_PMTUDISC_PROBE: packets are never fragmented, and the kernel's own notion
 * of the path's MTU, which anybody's ICMP can lower, does not count.
 */
static void
set_ip(int fd, bool wildcard)
{
	(void)set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	(void)set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
	if (wildcard)
		(void)set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

static void
set_ip6(int fd, bool wildcard)
{
	(void)set_option(
	    fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
	(void)set_option(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
	if (wildcard)
		(void)set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

/*
 * Nearly every packet of QUIC is ECT(0).  As the socket's own mark it costs
 * nothing; beside a packet it makes the kernel look up the route each time.
 */
static uint8_t
set_usual_ecn(int fd, int family)
{
	const int ect0 = 2;

	if (family == AF_INET)
		return set_option(fd, IPPROTO_IP, IP_TOS, ect0) ? 2 : 0;
	/* It may carry IPv4, too: both have the mark, or none. */
	if (!set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, ect0))
		return 0;
	if (set_option(fd, IPPROTO_IP, IP_TOS, ect0))
		return 2;
	(void)set_option(fd, IPPROTO_IPV6, IPV6_TCLASS, 0);
	return 0;
}

static bool
is_wildcard(const struct addr *a)
{
	if (a->u.sa.sa_family == AF_INET)
		return a->u.in.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr);
}

void
quic_io_set_options(struct quic_io *io)
{
	union quic_io_name peer = { 0 };
	socklen_t len = sizeof(io->family);

	if (getsockopt(io->fd, SOL_SOCKET, SO_DOMAIN, &io->family, &len) != 0)
		io->family = AF_INET;
	len = sizeof(peer);
	io->connected = getpeername(io->fd, &peer.sa, &len) == 0;
	io->wildcard =
	    !local_name(io->fd, &io->local) || is_wildcard(&io->local);
	/* An IPv6 socket that takes IPv4, too, has the options of both. */
	set_ip(io->fd, io->wildcard);
	if (io->family == AF_INET6)
		set_ip6(io->fd, io->wildcard);
	io->ecn = set_usual_ecn(io->fd, io->family);
	(void)set_option(io->fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER);
	(void)set_option(io->fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER);
	io->stats.gro = set_option(io->fd, IPPROTO_UDP, UDP_GRO, 1);
	io->stats.gso = set_option(io->fd, IPPROTO_UDP, UDP_SEGMENT, 0);
}

void
quic_io_no_ecn(struct quic_io *io)
{
	(void)set_option(io->fd, IPPROTO_IP, IP_TOS, 0);
	if (io->family == AF_INET6)
		(void)set_option(io->fd, IPPROTO_IPV6, IPV6_TCLASS, 0);
	io->ecn = 0;
}
