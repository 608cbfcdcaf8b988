/* UDP for QUIC: the object, and receiving. */
#include "net/quic_io_int.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void
quic_io_mem_fini(struct quic_io_mem *mem)
{
	free(mem->in);
	free(mem->out);
	*mem = (struct quic_io_mem){ NULL, NULL };
}

enum rk_err
quic_io_new(int fd, struct quic_io_mem *mem, struct quic_io **out)
{
	struct quic_io *io = calloc(1, sizeof(*io));

	*out = NULL;
	if (io == NULL) {
		(void)close(fd); /* it is ours to close from now on */
		return RK_ENOMEM;
	}
	io->fd = fd;
	io->send = sendmmsg;
	io->mem = mem != NULL ? mem : &io->own;
	quic_io_set_options(io);
	*out = io;
	return RK_OK;
}

void
quic_io_close(struct quic_io *io)
{
	if (io->fd >= 0)
		(void)close(io->fd); /* what was not sent is as good as lost */
	io->fd = -1;
}

void
quic_io_free(struct quic_io *io)
{
	if (io == NULL)
		return;
	quic_io_close(io);
	free(io->out);
	quic_io_mem_fini(&io->own);
	free(io);
}

int
quic_io_fd(const struct quic_io *io)
{
	return io->fd;
}

bool
quic_io_local(const struct quic_io *io, struct addr *out)
{
	*out = io->local;
	return !io->wildcard;
}

void
quic_io_stats(const struct quic_io *io, struct quic_io_stats *out)
{
	*out = io->stats;
}

/* ---- receiving ---- */

/* The kernel changes lengths and flags of those it fills. */
static void
prepare(struct quic_io_in *in)
{
	for (size_t i = 0; i < in->used; i++) {
		struct quic_io_slot *s = &in->slots[i];

		s->iov.iov_base = in->data[i];
		s->iov.iov_len = IN_SLOT_LEN;
		in->msgs[i] = (struct mmsghdr){ 0 };
		in->msgs[i].msg_hdr.msg_name = &s->from;
		in->msgs[i].msg_hdr.msg_namelen = sizeof(s->from);
		in->msgs[i].msg_hdr.msg_iov = &s->iov;
		in->msgs[i].msg_hdr.msg_iovlen = 1;
		in->msgs[i].msg_hdr.msg_control = s->ctl;
		in->msgs[i].msg_hdr.msg_controllen = sizeof(s->ctl);
	}
}

static void
set_port(struct addr *a, const struct addr *from)
{
	in_port_t port = from->u.sa.sa_family == AF_INET6
	                     ? from->u.in6.sin6_port
	                     : from->u.in.sin_port;

	if (a->u.sa.sa_family == AF_INET6)
		a->u.in6.sin6_port = port;
	else
		a->u.in.sin_port = port;
}

/* Nobody sends longer ones than fit, and empty ones are nobody's packets. */
static void
hand_out(struct quic_io *io, struct quic_io_in *in, size_t i, quic_io_fn *fn,
    void *arg)
{
	struct msghdr *h = &in->msgs[i].msg_hdr;
	const uint8_t *data = in->data[i];
	size_t left = in->msgs[i].msg_len;
	struct quic_io_aside aside;
	struct quic_datagram d = { 0 };
	struct addr remote;

	if ((h->msg_flags & MSG_TRUNC) != 0)
		return;
	quic_io_name_get(&in->slots[i].from, &remote);
	quic_io_aside_get(h, &aside);
	if (!io->wildcard || aside.local.len == 0)
		aside.local = io->local;
	set_port(&aside.local, &io->local);
	d.remote = &remote;
	d.local = &aside.local;
	d.ecn = aside.ecn;
	while (left > 0) {
		d.data = data;
		d.len = aside.segment > 0 && aside.segment < left
		            ? aside.segment
		            : left;
		io->stats.received++;
		fn(&d, arg);
		data += d.len;
		left -= d.len;
	}
}

/* What a connected socket is told by ICMP. */
static enum rk_err
judge(int errnum, int *sys)
{
	switch (errnum) {
	case EAGAIN:
	case ENOMEM: /* the kernel's own, and passing */
	case ENOBUFS:
		return RK_EAGAIN;
	case ECONNREFUSED:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENONET:
	case ENOPROTOOPT:
	case EACCES:
		*sys = errnum;
		return RK_ECONNECT;
	default:
		*sys = errnum;
		return RK_EIO;
	}
}

/* Not cleared: pages cost nothing before they are used. */
static struct quic_io_in *
take_in(struct quic_io_mem *mem)
{
	struct quic_io_in *in = mem->in;

	mem->in = NULL;
	if (in != NULL)
		return in;
	in = malloc(sizeof(*in));
	if (in != NULL)
		in->used = IN_SLOTS;
	return in;
}

static void
give_in(struct quic_io_mem *mem, struct quic_io_in *in)
{
	if (mem->in == NULL)
		mem->in = in;
	else
		free(in);
}

enum rk_err
quic_io_recv(struct quic_io *io, quic_io_fn *fn, void *arg, int *sys)
{
	struct quic_io_in *in;
	enum rk_err r;
	int n;

	*sys = 0;
	if (io->refused != 0) {
		*sys = io->refused;
		io->refused = 0;
		return RK_ECONNECT;
	}
	in = take_in(io->mem);
	if (in == NULL) {
		*sys = ENOMEM;
		return RK_EIO;
	}
	prepare(in);
	do {
		io->stats.recv_calls++;
		n = recvmmsg(io->fd, in->msgs, IN_SLOTS, MSG_DONTWAIT, NULL);
	} while (n < 0 && errno == EINTR);
	/* One behind them may have been begun. */
	in->used = n < 0 ? 1 : n < IN_SLOTS ? (size_t)n + 1 : IN_SLOTS;
	r = n < 0 ? judge(errno, sys) : RK_OK;
	for (int i = 0; i < n; i++)
		hand_out(io, in, (size_t)i, fn, arg);
	give_in(io->mem, in);
	if (r != RK_OK)
		return r;
	/* Fewer than asked for: no more waited.  An error that came after
	 * them makes the descriptor ready again. */
	return n < IN_SLOTS ? RK_EAGAIN : RK_OK;
}
