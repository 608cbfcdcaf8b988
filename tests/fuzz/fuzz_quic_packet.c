/* QUIC packets of strangers: small answers or none, and nothing is believed. */
#include "net/quic_int.h"
#include "net/quic_io_int.h"

#include "must.h"

#include <stdlib.h>
#include <string.h>

#define DATAGRAM_MAX 1500
#define INITIAL_MIN 1200 /* RFC 9000, 14.1 */
#define HELLOS_MAX 256

/* The first byte: how the endpoint is, and what is done about new peers. */
enum {
	F_DROP = 1,
	F_BUSY = 2,
	F_CLIENT = 4,
	F_DEAF = 8,
	F_RETRY = 16
};
#define PADDED 0x8000 /* of a datagram's length: zeros up to INITIAL_MIN */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct rk_loop *loop;
	struct quic_end *end;
	struct addr at;
	struct addr peer;
	uint8_t flags;
	size_t in; /* bytes of the present datagram */
	size_t answers;
	size_t hellos;
} rig;

/* In the place of the socket. */
static int
on_send(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	(void)fd;
	(void)flags;
	for (unsigned i = 0; i < n; i++) {
		const struct msghdr *h = &msgs[i].msg_hdr;
		const uint8_t *p = h->msg_iov->iov_base;
		size_t len = h->msg_iov->iov_len;

		must(h->msg_iovlen == 1 && len > 0);
		must(h->msg_namelen == rig.peer.len);
		must(memcmp(h->msg_name, &rig.peer.u, rig.peer.len) == 0);
		/* A stateless reset ends what two of us could go on with. */
		must((p[0] & 0x80) != 0 ? len <= 3 * rig.in : len < rig.in);
		rig.answers++;
	}
	return (int)n;
}

static void
on_hello(struct quic_end *e, struct quic_hello *h, void *arg)
{
	const struct addr *from = quic_hello_remote(h);

	(void)arg;
	must(from->len == rig.peer.len);
	must(memcmp(&from->u, &rig.peer.u, from->len) == 0);
	must(!quic_hello_validated(h)); /* nobody can make a token */
	must(rig.in >= INITIAL_MIN);
	must((rig.flags & (F_CLIENT | F_DEAF | F_RETRY)) == 0);
	rig.hellos++;
	if ((rig.flags & F_DROP) != 0)
		quic_end_drop(e, h, (rig.flags & F_BUSY) != 0);
}

static const struct quic_end_events events = { .hello = on_hello };

static void
set_up(void)
{
	struct quic_end_conf conf = { .events = &events };
	struct addr any = { .len = sizeof(any.u.in) };

	any.u.in.sin_family = AF_INET;
	any.u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	rig.peer = any;
	rig.peer.u.in.sin_port = htons(9);
	must(rk_loop_new(&rig.loop) == RK_OK);
	conf.loop = rig.loop;
	must(quic_io_bind(&any, false, &conf.fd, &rig.at, NULL) == RK_OK);
	must(quic_end_new(&conf, &rig.end, NULL) == RK_OK);
	rig.end->io->send = on_send;
	/* The same input, the same way. */
	memset(&rig.end->keys, 1, sizeof(rig.end->keys));
	memset(rig.end->token_key, 2, sizeof(rig.end->token_key));
}

static void
begin(uint8_t flags)
{
	struct quic_end *e = rig.end;

	rig.flags = flags;
	rig.hellos = 0;
	e->events = (flags & F_CLIENT) != 0 ? NULL : &events;
	e->deaf = (flags & F_DEAF) != 0;
	e->retry_from = (flags & F_RETRY) != 0 ? 0 : UINT32_MAX;
	e->reset_count = 0;
}

/* One datagram, in a block of its very size, and the end of the turn. */
static void
feed(const uint8_t *data, size_t len, size_t padded)
{
	struct quic_datagram d = {
		.len = padded,
		.remote = &rig.peer,
		.local = &rig.at,
		.ecn = padded & 3,
	};
	uint8_t *copy = calloc(1, padded);

	must(copy != NULL);
	memcpy(copy, data, len);
	d.data = copy;
	rig.in = padded;
	rig.answers = 0;
	quic_end_feed(rig.end, &d);
	free(copy); /* before the answer goes: nothing may point to it */
	must(rk_loop_step(rig.loop, 0) == RK_OK);
	must(rig.answers <= 1);
	if ((rig.flags & F_CLIENT) != 0)
		must(rig.answers == 0);
}

static void
finish(void)
{
	struct quic_end_stats s;
	struct quic_hello *h;
	size_t waiting = 0;

	TAILQ_FOREACH (h, &rig.end->hellos, link)
		waiting += h->n <= QUIC_HELLO_DATAGRAMS;
	quic_end_stats(rig.end, &s);
	must(s.conns == 0 && s.half_open == waiting);
	must(waiting <= HELLOS_MAX);
	must(waiting == ((rig.flags & F_DROP) != 0 ? 0 : rig.hellos));
	while ((h = TAILQ_FIRST(&rig.end->hellos)) != NULL)
		quic_end_drop(rig.end, h, false);
	must(rig.end->hello_ids.n == 0);
}

/* A byte of flags, then datagrams: two bytes of length, and as many bytes as
 * are left of so many. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 1;

	if (size < 4)
		return 0;
	if (rig.loop == NULL)
		set_up();
	begin(data[0]);
	while (size - at > 2) {
		size_t word = (size_t)data[at] << 8 | data[at + 1];
		size_t len = (word & ~(size_t)PADDED) % (DATAGRAM_MAX + 1);
		size_t padded;

		at += 2;
		if (len == 0)
			len = 1;
		if (len > size - at)
			len = size - at;
		padded = len;
		if ((word & PADDED) != 0 && len < INITIAL_MIN)
			padded = INITIAL_MIN;
		feed(data + at, len, padded);
		at += len;
	}
	finish();
	return 0;
}
