/* UDP for QUIC, and sessions: many datagrams a system call, where the kernel
 * can. */
#ifndef RPCKIT_NET_QUIC_IO_H
#define RPCKIT_NET_QUIC_IO_H

#include "net/addr.h"

/*
 * One non-blocking socket.  Loop thread.
 * Receiving uses recvmmsg(2) with UDP_GRO, sending sendmmsg(2) with
 * UDP_SEGMENT; what the kernel refuses is not asked for again and done the
 * slower way.
 */
struct quic_io;

/* The largest batch of equal packets (UDP_SEGMENT's own limits). */
#define QUIC_IO_BATCH_LEN 65507
#define QUIC_IO_BATCH_PACKETS 64

/*
 * A socket bound to a (port 0: the kernel chooses); bound (may be NULL) is its
 * address.  A port in use is RK_EIO with EADDRINUSE.  join: bind beside the
 * sockets that quic_io_share() was called for.  RK_EIO with errno in err->sys.
 */
RK_MUST enum rk_err quic_io_bind(const struct addr *a, bool join, int *fd,
    struct addr *bound, struct rk_error *err);
/* Allow other sockets of this user to join fd's port (SO_REUSEPORT). */
RK_MUST enum rk_err quic_io_share(int fd, struct rk_error *err);
/* A socket of its own port that only talks to `remote`, and so learns when
 * nobody is there.  RK_ECONNECT. */
RK_MUST enum rk_err quic_io_connect(
    const struct addr *remote, int *fd, struct rk_error *err);

/* Memory for a batch each way, which sockets of one thread share: incoming
 * packets need it within a call, outgoing ones until they are sent.  Zero at
 * first. */
struct quic_io_mem {
	struct quic_io_in *in;
	struct quic_io_out *out;
};
void quic_io_mem_fini(struct quic_io_mem *mem);

/* Takes fd over, also when it fails; mem (NULL: the socket has its own)
 * outlives it.  Path MTU is left to QUIC (no packet is fragmented), ECN marks
 * are told, socket buffers are asked for.  RK_ENOMEM. */
RK_MUST enum rk_err quic_io_new(
    int fd, struct quic_io_mem *mem, struct quic_io **out);
/* One that the network will not have, since it is too long, and what it was.
 * May neither send, receive nor free the socket. */
typedef void quic_io_refused_fn(const uint8_t *data, size_t len, void *arg);
/* Who wants to know at once, rather than find out. */
void quic_io_on_refused(struct quic_io *io, quic_io_refused_fn *fn, void *arg);
/* For who does not react to congestion marks: packets say that they have none.
 */
void quic_io_no_ecn(struct quic_io *io);
/* Only the socket: whatever is sent from now on is lost. */
void quic_io_close(struct quic_io *io);
void quic_io_free(struct quic_io *io);
int quic_io_fd(const struct quic_io *io);
/* The one address all packets leave from; false: the kernel picks it for each
 * way, and only the port of *out counts. */
bool quic_io_local(const struct quic_io *io, struct addr *out);

/*
 * One datagram, never empty; the views are valid during the call.  Addresses
 * have one form, the same for the same way in and out: IPv4 is AF_INET, also
 * on an IPv6 socket that takes both.
 */
struct quic_datagram {
	const uint8_t *data;
	size_t len;
	const struct addr *remote;
	const struct addr *local; /* where it was sent to, with our port */
	uint8_t ecn;              /* the two bits */
};
/* An IP address in that form. */
void quic_io_plain(const struct addr *a, struct addr *out);
/* May send, but neither receive nor free the socket. */
typedef void quic_io_fn(const struct quic_datagram *d, void *arg);

/*
 * Receive one batch and call fn for each datagram in it.  RK_OK: there may be
 * more; RK_EAGAIN: nothing (more) waits; RK_ECONNECT: a connected socket has
 * learnt that nobody is there (errno in *sys); RK_EIO otherwise (*sys), also
 * without memory.
 */
RK_MUST enum rk_err quic_io_recv(
    struct quic_io *io, quic_io_fn *fn, void *arg, int *sys);

/*
 * Where the next packets may be written: QUIC_IO_BATCH_LEN bytes or more, NULL
 * while the socket takes nothing (then quic_io_flush() says RK_EAGAIN), or
 * without memory.  May send earlier batches to make room.
 */
uint8_t *quic_io_room(struct quic_io *io);
/*
 * What was written there: len bytes that are packets of `segment` bytes each
 * (the last may be shorter), at most QUIC_IO_BATCH_PACKETS, all for one path.
 * local: where to send from, as a datagram said; it counts only where the
 * socket has several addresses, NULL or a wildcard leaves it to the kernel.  A
 * connected socket sends to its peer.
 */
void quic_io_put(struct quic_io *io, const struct addr *local,
    const struct addr *remote, uint8_t ecn, size_t len, size_t segment);
/*
 * Send all that was put.  RK_OK; RK_EAGAIN: wait until the descriptor is
 * writable and flush again.  What the network refuses (too big, no route) is
 * dropped as the network would: QUIC finds out.
 */
RK_MUST enum rk_err quic_io_flush(struct quic_io *io);

/* System calls and datagrams so far, for tests and figures. */
struct quic_io_stats {
	uint64_t send_calls, recv_calls, sent, received;
	uint64_t dropped; /* that the network would not have */
	bool gso, gro;
};
void quic_io_stats(const struct quic_io *io, struct quic_io_stats *out);

#endif
