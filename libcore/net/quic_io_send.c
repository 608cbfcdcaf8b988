/* UDP for QUIC: sending batches, whole or, where that is refused, apart. */
#include "net/quic_io_int.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define APART_MAX 16 /* packets a system call when sent apart */

static enum rk_err send_all(struct quic_io *io);

static bool
take_out(struct quic_io *io)
{
	if (io->out == NULL) {
		io->out = io->mem->out;
		io->mem->out = NULL;
	}
	if (io->out == NULL)
		io->out = malloc(sizeof(*io->out));
	return io->out != NULL;
}

static void
give_out(struct quic_io *io)
{
	if (io->mem->out == NULL)
		io->mem->out = io->out;
	else
		free(io->out);
	io->out = NULL;
}

/* Room stays where it is when others are sent to make it. */
uint8_t *
quic_io_room(struct quic_io *io)
{
	if (io->full || !take_out(io))
		return NULL;
	if ((io->out_n == OUT_BATCHES ||
	        OUT_LEN - io->out_used < QUIC_IO_BATCH_LEN) &&
	    send_all(io) != RK_OK)
		return NULL;
	return io->out->data + io->out_used;
}

static size_t
count(const struct quic_io_batch *b)
{
	return (b->iov.iov_len + b->segment - 1) / b->segment;
}

void
quic_io_put(struct quic_io *io, const struct addr *local,
    const struct addr *remote, uint8_t ecn, size_t len, size_t segment)
{
	struct quic_io_batch *b = &io->out->batches[io->out_n];
	struct msghdr *h = &io->out->msgs[io->out_n].msg_hdr;
	int to_family = remote->u.sa.sa_family;
	socklen_t name_len;

	assert(segment > 0 && len > 0 && len <= QUIC_IO_BATCH_LEN);
	assert(io->out_n < OUT_BATCHES && len <= OUT_LEN - io->out_used);
	/* A way that this socket cannot go is one without a route. */
	if (!quic_io_name_set(io->family, remote, &b->to, &name_len)) {
		io->stats.dropped += (len + segment - 1) / segment;
		return;
	}
	if (io->family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&b->to.in6.sin6_addr))
		to_family = AF_INET;
	b->iov.iov_base = io->out->data + io->out_used;
	b->iov.iov_len = len;
	b->segment = segment < len ? segment : len;
	b->apart = false;
	b->blame = false;
	assert(count(b) <= QUIC_IO_BATCH_PACKETS);
	io->out->msgs[io->out_n] = (struct mmsghdr){ 0 };
	if (!io->connected) {
		h->msg_name = &b->to;
		h->msg_namelen = name_len;
	}
	h->msg_iov = &b->iov;
	h->msg_iovlen = 1;
	h->msg_control = b->ctl;
	h->msg_controllen = quic_io_aside_set(b, to_family,
	    io->wildcard ? local : NULL, ecn != io->ecn ? &ecn : NULL);
	io->out_used += len;
	io->out_n++;
}

void
quic_io_on_refused(struct quic_io *io, quic_io_refused_fn *fn, void *arg)
{
	io->on_refused = fn;
	io->on_refused_arg = arg;
}

static void
tell_refused(const struct quic_io *io, const struct iovec *packet, int reason)
{
	if (reason == EMSGSIZE && io->on_refused != NULL)
		io->on_refused(
		    packet->iov_base, packet->iov_len, io->on_refused_arg);
}

/*
 * How many of the messages were sent; 0 with the reason.  ECONNREFUSED is the
 * answer to an earlier packet, and nothing was sent this time: again, so that
 * it is, and so that the descriptor tells when that is answered the same way.
 * EMSGSIZE may be the same, and is about this one if it is said again.
 */
static size_t
send_some(struct quic_io *io, struct mmsghdr *m, size_t n, int *reason)
{
	int sent;

	*reason = 0;
	for (int tries = 0; tries < 2; tries++) {
		do {
			io->stats.send_calls++;
			sent = io->send(io->fd, m, (unsigned)n, MSG_DONTWAIT);
		} while (sent < 0 && errno == EINTR);
		if (sent >= 0)
			return (size_t)sent;
		*reason = errno;
		if (!io->connected ||
		    (*reason != ECONNREFUSED && *reason != EMSGSIZE))
			break;
		if (*reason == ECONNREFUSED)
			io->refused = *reason;
	}
	return 0;
}

static bool
refuses_segments(int reason)
{
	return reason == EINVAL || reason == EIO || reason == EOPNOTSUPP ||
	       reason == ENOPROTOOPT || reason == EMSGSIZE;
}

static bool
goes_apart(const struct quic_io *io, const struct quic_io_batch *b)
{
	return b->apart || (!io->stats.gso && b->iov.iov_len > b->segment);
}

/* As many batches as can go as they are. */
static enum rk_err
send_whole(struct quic_io *io)
{
	struct quic_io_batch *b = &io->out->batches[io->out_first];
	size_t n = 1;
	size_t sent;
	int reason;

	while (n < io->out_n - io->out_first && !goes_apart(io, &b[n]))
		n++;
	sent = send_some(io, &io->out->msgs[io->out_first], n, &reason);
	for (size_t i = 0; i < sent; i++)
		io->stats.sent += count(&b[i]);
	io->out_first += sent;
	if (sent > 0)
		return RK_OK;
	if (reason == EAGAIN)
		return RK_EAGAIN;
	if (b->iov.iov_len > b->segment && refuses_segments(reason)) {
		b->apart = true;
		b->blame = reason != EMSGSIZE;
		return RK_OK;
	}
	io->stats.dropped += count(b);
	tell_refused(io, &b->iov, reason);
	io->out_first++;
	return RK_OK;
}

/* The next packets of a batch as messages of their own. */
static size_t
cut(const struct quic_io *io, const struct quic_io_batch *b, struct mmsghdr *m,
    struct iovec *iov)
{
	uint8_t *at = b->iov.iov_base;
	size_t left = b->iov.iov_len;
	size_t n;

	for (n = 0; n < APART_MAX && left > 0; n++) {
		iov[n].iov_base = at;
		iov[n].iov_len = left < b->segment ? left : b->segment;
		m[n] = io->out->msgs[io->out_first];
		m[n].msg_hdr.msg_iov = &iov[n];
		m[n].msg_hdr.msg_controllen = b->ctl_len;
		at += iov[n].iov_len;
		left -= iov[n].iov_len;
	}
	return n;
}

/*
 * A batch that was refused as a whole tells nothing alone: its packets may be
 * too big, or from an address that is gone.  If one goes through by itself,
 * it was the segmenting.
 */
static enum rk_err
send_apart(struct quic_io *io, struct quic_io_batch *b)
{
	struct mmsghdr m[APART_MAX];
	struct iovec iov[APART_MAX];
	size_t n;
	size_t done;
	int reason;

	while (b->iov.iov_len > 0) {
		n = cut(io, b, m, iov);
		done = send_some(io, m, n, &reason);
		if (done == 0 && reason == EAGAIN)
			return RK_EAGAIN;
		if (done > 0 && b->blame && iov[0].iov_len == b->segment)
			io->stats.gso = false;
		if (reason == EMSGSIZE)
			b->blame = false;
		io->stats.sent += done;
		if (done == 0) {
			io->stats.dropped++;
			tell_refused(io, &iov[0], reason);
			done = 1;
		}
		for (size_t i = 0; i < done; i++) {
			b->iov.iov_base =
			    (uint8_t *)b->iov.iov_base + iov[i].iov_len;
			b->iov.iov_len -= iov[i].iov_len;
		}
	}
	io->out_first++;
	return RK_OK;
}

static enum rk_err
send_all(struct quic_io *io)
{
	enum rk_err r;

	while (io->out_first < io->out_n) {
		struct quic_io_batch *b = &io->out->batches[io->out_first];

		r = goes_apart(io, b) ? send_apart(io, b) : send_whole(io);
		if (r != RK_OK) {
			io->full = true;
			return r;
		}
	}
	io->full = false;
	io->out_first = 0;
	io->out_n = 0;
	io->out_used = 0;
	return RK_OK;
}

enum rk_err
quic_io_flush(struct quic_io *io)
{
	enum rk_err r = send_all(io);

	if (r == RK_OK)
		give_out(io);
	return r;
}
