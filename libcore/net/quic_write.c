/* Making packets: as many as may go, in batches the kernel takes at once. */
#include "net/quic_int.h"

#include <string.h>

/*
 * Batches of the first packets of a turn are short, so that the peer works on
 * them while this end goes on; what follows is worth more in one piece.
 */
#define FIRST_LEN (8 * 1452)
#define PIECES 8

/* Packets of one path that leave together. */
struct batch {
	uint8_t *data;
	size_t len;
	size_t segment; /* of each but the last */
	size_t packets;
	uint8_t ecn;
	struct addr local;
	struct addr remote;
};

static void
addr_from(const ngtcp2_addr *from, struct addr *to)
{
	*to = (struct addr){ .len = (socklen_t)from->addrlen };
	memcpy(&to->u, from->addr, from->addrlen);
}

static bool
is_at(const ngtcp2_addr *a, const struct addr *b)
{
	return a->addrlen == b->len && memcmp(a->addr, &b->u, b->len) == 0;
}

static void
send_batch(struct quic_conn *c, struct batch *b)
{
	if (b->packets == 0)
		return;
	quic_io_put(
	    c->end->io, &b->local, &b->remote, b->ecn, b->len, b->segment);
	c->first = false;
	b->packets = 0;
	b->len = 0;
}

/* A packet of n bytes was written behind the batch. */
static void
add_packet(struct quic_conn *c, struct batch *b, const ngtcp2_path *path,
    uint8_t ecn, size_t n)
{
	size_t max = c->first ? FIRST_LEN : QUIC_IO_BATCH_LEN;
	size_t usual = ngtcp2_conn_get_path_max_tx_udp_payload_size(c->q);

	if (b->packets == 0) {
		addr_from(&path->local, &b->local);
		addr_from(&path->remote, &b->remote);
		b->segment = n;
		b->ecn = ecn;
	}
	b->len += n;
	b->packets++;
	/* Only full packets have others behind them; a probe of the path is
	 * larger and goes alone. */
	if (n < b->segment || n != usual ||
	    b->packets == QUIC_IO_BATCH_PACKETS || b->len + b->segment > max)
		send_batch(c, b);
}

/* The packet just written goes elsewhere than those before it: they leave, and
 * it is the first of the next batch. */
static bool
move_on(struct quic_conn *c, struct batch *b, const ngtcp2_path *path,
    uint8_t ecn, size_t n)
{
	uint8_t *packet = b->data + b->len;
	uint8_t *room;

	if (b->packets == 0 || (n <= b->segment && ecn == b->ecn &&
	                           is_at(&path->remote, &b->remote) &&
	                           is_at(&path->local, &b->local)))
		return true;
	send_batch(c, b);
	room = quic_io_room(c->end->io);
	if (room == NULL)
		return false; /* lost: it will be sent again */
	memmove(room, packet, n);
	b->data = room;
	return true;
}

/* Who has the next bytes: the stream of calls, or a message of its own. */
struct source {
	int64_t id; /* -1: nobody has */
	struct quic_out *out;
	struct quic_apart *apart; /* NULL: the stream of calls */
	bool *fin; /* ends with its last byte, and notes it; or NULL */
};

/* Calls go first, but one packet in so many is the others'. */
#define APART_SHARE 4

/* A stream without a byte is one the server does not know of, and may not write
 * to: an empty frame makes it known. */
static bool
has_to_announce(const struct quic_conn *c)
{
	return !c->server && c->completed && !c->announced;
}

static struct source
pick(struct quic_conn *c, bool blocked)
{
	struct quic_apart *a = quic_apart_next(c);
	bool *fin = c->fin_asked && !c->fin_sent ? &c->fin_sent : NULL;
	bool calls =
	    !blocked && c->has_stream &&
	    (quic_out_unsent(&c->out) > 0 || has_to_announce(c) || fin != NULL);

	if (calls && (a == NULL || c->packets % APART_SHARE != 0))
		return (struct source){ c->stream, &c->out, NULL, fin };
	if (a != NULL)
		return (struct source){ a->id, &a->out, a, &a->fin_sent };
	return (struct source){ -1, NULL, NULL, NULL };
}

/* What was taken may have been the last of it. */
static void
note_taken(const struct source *s, size_t taken)
{
	quic_out_sent(s->out, taken);
	if (s->fin != NULL && quic_out_unsent(s->out) == 0)
		*s->fin = true;
}

/*
 * One packet of what waits.  0: nothing may go now; < 0: an error of the
 * library.  More than one call may be needed to fill it.
 */
static ngtcp2_ssize
write_packet(struct quic_conn *c, ngtcp2_path *path, ngtcp2_pkt_info *pi,
    uint8_t *dst, size_t len)
{
	struct iovec v[PIECES];
	ngtcp2_vec pieces[PIECES];
	bool blocked = false;
	ngtcp2_ssize taken;
	ngtcp2_ssize n;

	for (;;) {
		struct source s = pick(c, blocked);
		uint32_t flags = NGTCP2_WRITE_STREAM_FLAG_MORE;
		size_t count =
		    s.out == NULL ? 0 : quic_out_peek(s.out, v, PIECES);
		uint64_t offered = 0;

		for (size_t i = 0; i < count; i++) {
			pieces[i] = (ngtcp2_vec){ v[i].iov_base, v[i].iov_len };
			offered += v[i].iov_len;
		}
		if (s.fin != NULL && offered == quic_out_unsent(s.out))
			flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
		taken = -1;
		n = ngtcp2_conn_writev_stream(c->q, path, pi, dst, len, &taken,
		    flags, s.id, pieces, count, loop_now_ns(c->end->loop));
		if (taken >= 0 && s.out == &c->out)
			c->announced = true;
		if (taken >= 0 && s.out != NULL)
			note_taken(&s, (size_t)taken);
		if (s.apart != NULL && n > 0)
			quic_apart_rotate(c, s.apart);
		/* The library tells only here that the peer will not listen. */
		if (n == NGTCP2_ERR_STREAM_SHUT_WR)
			quic_conn_stream_over(c);
		if (n == NGTCP2_ERR_STREAM_DATA_BLOCKED ||
		    n == NGTCP2_ERR_STREAM_SHUT_WR ||
		    n == NGTCP2_ERR_STREAM_NOT_FOUND) {
			/* The packet goes on without this one. */
			if (s.apart != NULL)
				s.apart->blocked = true;
			else
				blocked = true;
		} else if (n != NGTCP2_ERR_WRITE_MORE) {
			return n;
		}
	}
}

/* Can a packet begin behind those of the batch? */
static bool
make_room(const struct quic_conn *c, struct batch *b)
{
	if (b->packets > 0)
		return true;
	b->data = quic_io_room(c->end->io);
	return b->data != NULL;
}

/*
 * Is a packet of n bytes the last one of the round?  It had room for any frame
 * more, and is shorter than those that look for paths, which go alone.  Only
 * to hear this from the library would cost another call.
 */
#define FRAME_LEN 256
#define PATH_LEN 1200
static bool
was_last(const struct quic_conn *c, size_t n, size_t usual)
{
	return n < PATH_LEN && n + FRAME_LEN <= usual && c->confirmed &&
	       !c->expired && quic_out_unsent(&c->out) == 0 &&
	       !quic_apart_unsent(c);
}

/* whole: only full packets, the rest may still grow. */
static void
write_packets(struct quic_conn *c, bool whole)
{
	size_t max = ngtcp2_conn_get_max_tx_udp_payload_size(c->q);
	size_t usual = ngtcp2_conn_get_path_max_tx_udp_payload_size(c->q);
	size_t quantum =
	    c->paced ? ngtcp2_conn_get_send_quantum(c->q) : SIZE_MAX;
	struct batch b = { 0 };
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi = { 0 };
	ngtcp2_ssize n;
	size_t total = 0;

	quic_apart_unblock(c);
	ngtcp2_path_storage_zero(&ps);
	while (total < quantum && make_room(c, &b)) {
		if (whole && quic_out_unsent(&c->out) < usual)
			break;
		n = write_packet(c, &ps.path, &pi, b.data + b.len,
		    b.packets == 0 ? max : b.segment);
		if (n < 0) {
			send_batch(c, &b);
			quic_conn_fail(c, (int)n);
			return;
		}
		if (n == 0)
			break;
		total += (size_t)n;
		c->packets++;
		if (!move_on(c, &b, &ps.path, (uint8_t)pi.ecn, (size_t)n))
			break;
		add_packet(c, &b, &ps.path, (uint8_t)pi.ecn, (size_t)n);
		if (was_last(c, (size_t)n, usual))
			break;
	}
	send_batch(c, &b);
	quic_conn_tell_room(c);
	if (c->paced && total > 0)
		ngtcp2_conn_update_pkt_tx_time(c->q, loop_now_ns(c->end->loop));
}

void
quic_conn_write(struct quic_conn *c)
{
	c->due = false;
	c->heard = 0;
	write_packets(c, false);
	c->expired = false;
	quic_conn_note_asked(c);
	quic_conn_go_on_leaving(c, false);
	quic_conn_arm(c);
}

void
quic_conn_write_early(struct quic_conn *c)
{
	if (c->state != QUIC_LIVE || !c->completed || !c->has_stream ||
	    c->end->blocked || quic_out_unsent(&c->out) < FIRST_LEN)
		return;
	c->first = true;
	write_packets(c, true);
	if (quic_io_flush(c->end->io) != RK_OK)
		c->end->blocked = true;
}
