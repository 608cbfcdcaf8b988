/* Addresses of datagrams, and what comes and goes beside them. */
#include "net/quic_io_int.h"

#include <assert.h>
#include <netinet/udp.h>
#include <string.h>

#define ECN_MASK 3

static_assert(sizeof(((struct quic_io_batch *)NULL)->ctl) >=
                  CMSG_SPACE(sizeof(struct in6_pktinfo)) +
                      CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t)),
    "room for all that goes beside a batch");

static void
set_in(struct addr *a, const void *ip, in_port_t port)
{
	*a = (struct addr){ .len = sizeof(a->u.in) };
	a->u.in.sin_family = AF_INET;
	a->u.in.sin_port = port;
	memcpy(&a->u.in.sin_addr, ip, sizeof(a->u.in.sin_addr));
}

static void
set_in6(
    struct addr *a, const struct in6_addr *ip, in_port_t port, uint32_t scope)
{
	if (IN6_IS_ADDR_V4MAPPED(ip)) {
		set_in(a, &ip->s6_addr[12], port);
		return;
	}
	*a = (struct addr){ .len = sizeof(a->u.in6) };
	a->u.in6.sin6_family = AF_INET6;
	a->u.in6.sin6_port = port;
	a->u.in6.sin6_addr = *ip;
	if (IN6_IS_ADDR_LINKLOCAL(ip))
		a->u.in6.sin6_scope_id = scope;
}

void
quic_io_name_get(const union quic_io_name *name, struct addr *out)
{
	if (name->sa.sa_family == AF_INET6)
		set_in6(out, &name->in6.sin6_addr, name->in6.sin6_port,
		    name->in6.sin6_scope_id);
	else
		set_in(out, &name->in.sin_addr, name->in.sin_port);
}

void
quic_io_plain(const struct addr *a, struct addr *out)
{
	union quic_io_name name = { 0 };

	memcpy(&name, &a->u, sizeof(name));
	quic_io_name_get(&name, out);
}

static void
map(const struct sockaddr_in *in, struct sockaddr_in6 *in6)
{
	*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
	in6->sin6_port = in->sin_port;
	in6->sin6_addr.s6_addr[10] = 0xff;
	in6->sin6_addr.s6_addr[11] = 0xff;
	memcpy(&in6->sin6_addr.s6_addr[12], &in->sin_addr, 4);
}

bool
quic_io_name_set(
    int family, const struct addr *a, union quic_io_name *name, socklen_t *len)
{
	struct addr plain;

	if (a->u.sa.sa_family != AF_INET && a->u.sa.sa_family != AF_INET6)
		return false;
	quic_io_plain(a, &plain);
	memset(name, 0, sizeof(*name));
	if (family == AF_INET6 && plain.u.sa.sa_family == AF_INET)
		map(&plain.u.in, &name->in6);
	else if (family == plain.u.sa.sa_family)
		memcpy(name, &plain.u, plain.len);
	else
		return false;
	*len = family == AF_INET6 ? sizeof(name->in6) : sizeof(name->in);
	return true;
}

/* ---- beside what was received ---- */

static void
get_ip(struct cmsghdr *c, struct quic_io_aside *out)
{
	struct in_pktinfo info;

	switch (c->cmsg_type) {
	case IP_TOS: /* one byte here, an int in the other direction */
		out->ecn = *CMSG_DATA(c) & ECN_MASK;
		break;
	case IP_PKTINFO:
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		set_in(&out->local, &info.ipi_addr, 0);
		break;
	default:
		break;
	}
}

static void
get_ip6(struct cmsghdr *c, struct quic_io_aside *out)
{
	struct in6_pktinfo info;
	int class;

	switch (c->cmsg_type) {
	case IPV6_TCLASS:
		memcpy(&class, CMSG_DATA(c), sizeof(class));
		out->ecn = (uint8_t) class & ECN_MASK;
		break;
	case IPV6_PKTINFO:
		memcpy(&info, CMSG_DATA(c), sizeof(info));
		set_in6(&out->local, &info.ipi6_addr, 0, info.ipi6_ifindex);
		break;
	default:
		break;
	}
}

void
quic_io_aside_get(struct msghdr *msg, struct quic_io_aside *out)
{
	struct cmsghdr *c;
	int segment;

	*out = (struct quic_io_aside){ 0 };
	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP) {
			get_ip(c, out);
		} else if (c->cmsg_level == IPPROTO_IPV6) {
			get_ip6(c, out);
		} else if (c->cmsg_level == IPPROTO_UDP &&
		           c->cmsg_type == UDP_GRO) {
			memcpy(&segment, CMSG_DATA(c), sizeof(segment));
			out->segment = segment > 0 ? (size_t)segment : 0;
		}
	}
}

/* ---- beside what is sent ---- */

static void
add(struct quic_io_batch *b, size_t *at, int level, int type, const void *data,
    size_t len)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)(b->ctl + *at);

	memset(c, 0, CMSG_SPACE(len));
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	*at += CMSG_SPACE(len);
}

static void
add_local(struct quic_io_batch *b, size_t *at, const struct addr *local)
{
	struct in_pktinfo in = { 0 };
	struct in6_pktinfo in6 = { 0 };

	if (local->u.sa.sa_family == AF_INET) {
		in.ipi_spec_dst = local->u.in.sin_addr;
		if (in.ipi_spec_dst.s_addr != htonl(INADDR_ANY))
			add(b, at, IPPROTO_IP, IP_PKTINFO, &in, sizeof(in));
	} else {
		in6.ipi6_addr = local->u.in6.sin6_addr;
		in6.ipi6_ifindex = local->u.in6.sin6_scope_id;
		if (!IN6_IS_ADDR_UNSPECIFIED(&in6.ipi6_addr))
			add(b, at, IPPROTO_IPV6, IPV6_PKTINFO, &in6,
			    sizeof(in6));
	}
}

size_t
quic_io_aside_set(struct quic_io_batch *b, int to_family,
    const struct addr *local, const uint8_t *ecn)
{
	const uint16_t segment = (uint16_t)b->segment;
	const int class = ecn != NULL ? *ecn & ECN_MASK : 0;
	size_t at = 0;

	if (local != NULL && local->u.sa.sa_family == to_family)
		add_local(b, &at, local);
	if (ecn != NULL && to_family == AF_INET)
		add(b, &at, IPPROTO_IP, IP_TOS, &class, sizeof(class));
	else if (ecn != NULL)
		add(b, &at, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class));
	b->ctl_len = at;
	if (b->iov.iov_len > b->segment)
		add(b, &at, IPPROTO_UDP, UDP_SEGMENT, &segment,
		    sizeof(segment));
	return at;
}
