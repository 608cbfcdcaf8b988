/* The inside of quic_io: what receiving, sending and addresses share. */
#ifndef RPCKIT_NET_QUIC_IO_INT_H
#define RPCKIT_NET_QUIC_IO_INT_H

#include "net/quic_io.h"

#include <stdalign.h>

#define IN_SLOTS 8
#define IN_SLOT_LEN 65536 /* no datagram, and no GRO buffer, is longer */
#define IN_CTL_LEN 256
#define OUT_BATCHES 64
#define OUT_LEN (4 * 65536)
#define OUT_CTL_LEN 128

/* A socket's name as the kernel takes it. */
union quic_io_name {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct quic_io_slot {
	struct iovec iov;
	union quic_io_name from;
	alignas(struct cmsghdr) uint8_t ctl[IN_CTL_LEN];
};

/* One block, so large that the kernel gives its pages as they are used. */
struct quic_io_in {
	size_t used; /* so many slots, from the first, must be prepared */
	struct mmsghdr msgs[IN_SLOTS];
	struct quic_io_slot slots[IN_SLOTS];
	uint8_t data[IN_SLOTS][IN_SLOT_LEN];
};

/* Packets for one path, not sent yet; msgs[i] is its header. */
struct quic_io_batch {
	struct iovec iov;
	union quic_io_name to;
	size_t segment;
	size_t ctl_len; /* of ctl without UDP_SEGMENT */
	bool apart;     /* refused as a whole: packet by packet */
	bool blame;     /* and its size was not the reason */
	alignas(struct cmsghdr) uint8_t ctl[OUT_CTL_LEN];
};

struct quic_io_out {
	struct mmsghdr msgs[OUT_BATCHES];
	struct quic_io_batch batches[OUT_BATCHES];
	uint8_t data[OUT_LEN];
};

struct quic_io {
	int fd;
	int family;
	bool connected;
	bool wildcard;     /* each datagram says where it was sent to */
	bool full;         /* the socket takes nothing */
	uint8_t ecn;       /* what packets carry when nothing is said */
	int refused;       /* errno a send has met: nobody is there */
	struct addr local; /* with wildcard, only the port counts */
	struct quic_io_mem *mem;
	struct quic_io_mem own;
	struct quic_io_out *out; /* NULL: nothing waits to be sent */
	size_t out_first;        /* batches before it are sent */
	size_t out_n;
	size_t out_used; /* of out->data */
	struct quic_io_stats stats;
	quic_io_refused_fn *on_refused; /* or NULL */
	void *on_refused_arg;
	/* sendmmsg(2); tests put refusals in its place. */
	int (*send)(int fd, struct mmsghdr *msgs, unsigned n, int flags);
};

/*
 * The one form of an address above here: IPv4 is AF_INET also where the
 * socket is IPv6 and maps it; no flow label; all unused bytes zero.
 */
void quic_io_name_get(const union quic_io_name *name, struct addr *out);
/* The form a socket of this family takes.  False: it has none. */
bool quic_io_name_set(
    int family, const struct addr *a, union quic_io_name *name, socklen_t *len);

/* What came beside a datagram. */
struct quic_io_aside {
	size_t segment;    /* 0: not a GRO buffer */
	struct addr local; /* len 0: not told */
	uint8_t ecn;
};
void quic_io_aside_get(struct msghdr *msg, struct quic_io_aside *out);
/* Write what goes beside b to ctl; local may be a wildcard, ecn NULL is what
 * the socket says by itself.  Returns the length with UDP_SEGMENT, b->ctl_len
 * is that without. */
size_t quic_io_aside_set(struct quic_io_batch *b, int to_family,
    const struct addr *local, const uint8_t *ecn);

/* Options of a socket that is to carry QUIC. */
void quic_io_set_options(struct quic_io *io);

#endif
