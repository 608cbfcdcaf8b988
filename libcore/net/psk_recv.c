/* What the PSK layer receives: records, opened one after another. */
#include "net/psk_int.h"

#include "base/error.h"
#include "net/loop.h"
#include "net/psk_rec.h"

#include <string.h>

/* Sealed bytes of this call, in the loop's scratch. */
struct sealed {
	uint8_t *data;
	size_t at;
	size_t len;
};

static void
end_records(struct psk_layer *p, enum rk_err code, const char *text)
{
	(void)psk_end(p, code == RK_ECLOSED ? PSK_ENDED : PSK_BROKEN,
	    err_set(&p->error, code, "%s", text));
}

/* The next record as it is: RK_EAGAIN: not whole. */
static enum rk_err
next(struct psk_layer *p, const struct sealed *s, size_t *total)
{
	enum rk_err r = psk_rec_total(s->data + s->at, s->len - s->at, total);

	if (r == RK_EPROTO)
		end_records(
		    p, r, "what came is no record of the pre-shared key layer");
	if (r == RK_OK && *total > s->len - s->at)
		return RK_EAGAIN;
	return r;
}

/* Open one to dst; false: it has ended. */
static bool
open_one(struct psk_layer *p, struct sealed *s, size_t total, uint8_t *dst)
{
	enum rk_err r = psk_rec_open(&p->hs.recv, s->data + s->at, total, dst);

	s->at += total;
	if (r == RK_OK && total > PSK_REC_EXTRA)
		return true;
	if (r == RK_OK) {
		p->orderly = true;
		end_records(p, RK_ECLOSED, "closed by the peer");
	} else if (r == RK_ELIMIT) {
		end_records(
		    p, r, "this connection's message counters are used up");
	} else {
		end_records(p, RK_EPROTO,
		    "a record does not open: damaged, repeated or out of "
		    "order");
	}
	return false;
}

/* One that does not fit is opened beside, when nothing else came. */
static size_t
open_beside(struct psk_layer *p, struct sealed *s, size_t total, uint8_t *dst,
    size_t cap)
{
	uint8_t *to;

	if (buf_reserve(&p->plain, total - PSK_REC_EXTRA, &to) != RK_OK) {
		(void)psk_end_memory(p);
		return 0;
	}
	if (!open_one(p, s, total, to))
		return 0;
	buf_commit(&p->plain, total - PSK_REC_EXTRA);
	memcpy(dst, buf_peek(&p->plain), cap);
	buf_consume(&p->plain, cap);
	return cap;
}

static size_t
open_all(struct psk_layer *p, struct sealed *s, uint8_t *dst, size_t cap)
{
	size_t got = 0;
	size_t total;

	while (p->state == PSK_OPEN && next(p, s, &total) == RK_OK) {
		if (total - PSK_REC_EXTRA <= cap - got) {
			if (open_one(p, s, total, dst + got))
				got += total - PSK_REC_EXTRA;
			continue;
		}
		if (got == 0)
			got = open_beside(p, s, total, dst, cap);
		break;
	}
	return got;
}

/* RK_OK: there are more bytes. */
static enum rk_err
fetch(struct psk_layer *p, struct sealed *s)
{
	struct layer *below = p->layer.below;
	size_t n = 0;
	enum rk_err r;

	r = below->ops->recv(
	    below, s->data + s->len, LOOP_SCRATCH_LEN - s->len, &n);
	s->len += n;
	if (r == RK_ECLOSED)
		end_records(p, r, "ended without a goodbye");
	else if (r != RK_OK && r != RK_EAGAIN)
		(void)psk_end(p, PSK_BROKEN, psk_tell_below(p, r));
	return r;
}

static void
keep(struct psk_layer *p, const struct sealed *s)
{
	size_t left = s->len - s->at;

	buf_consume(&p->in, SIZE_MAX);
	if (left == 0 || p->state != PSK_OPEN) {
		loop_buf_give(p->loop, &p->in);
		return;
	}
	loop_buf_take(p->loop, left, &p->in);
	if (buf_put(&p->in, s->data + s->at, left) != RK_OK)
		(void)psk_end_memory(p);
}

static size_t
read_records(struct psk_layer *p, uint8_t *dst, size_t cap)
{
	struct sealed s = {
		.data = loop_scratch(p->loop, LOOP_SCRATCH_SEALED),
		.len = buf_len(&p->in),
	};
	size_t got;

	if (s.len > 0)
		memcpy(s.data, buf_peek(&p->in), s.len);
	got = open_all(p, &s, dst, cap);
	/* Less than a record is left then, so there is room for one. */
	while (got == 0 && p->state == PSK_OPEN && fetch(p, &s) == RK_OK)
		got = open_all(p, &s, dst, cap);
	keep(p, &s);
	return got;
}

static size_t
take_plain(struct psk_layer *p, uint8_t *dst, size_t cap)
{
	size_t n = buf_len(&p->plain) < cap ? buf_len(&p->plain) : cap;

	if (n == 0)
		return 0;
	memcpy(dst, buf_peek(&p->plain), n);
	buf_consume(&p->plain, n);
	if (buf_len(&p->plain) == 0)
		buf_wipe(&p->plain);
	return n;
}

/* Messages on ways of their own would go around this layer. */
static void
refuse_apart(struct psk_layer *p)
{
	struct layer *below = p->layer.below;
	struct rk_bytes b;

	if (below->ops->recv_apart != NULL && below->ops->recv_apart(below, &b))
		end_records(p, RK_EPROTO,
		    "a message came beside the pre-shared key layer");
}

enum rk_err
psk_recv(struct layer *l, uint8_t *dst, size_t cap, size_t *n)
{
	struct psk_layer *p = (struct psk_layer *)l;

	*n = 0;
	if (p->state == PSK_BELOW || p->state == PSK_HANDSHAKE)
		return RK_ESTATE;
	*n = take_plain(p, dst, cap);
	if (p->state == PSK_OPEN)
		refuse_apart(p);
	if (p->state == PSK_OPEN && *n == 0)
		*n = read_records(p, dst, cap);
	if (*n > 0)
		return RK_OK;
	if (p->state == PSK_OPEN)
		return RK_EAGAIN;
	p->fate_told = true;
	return p->fate;
}

bool
psk_pending(const struct layer *l)
{
	const struct psk_layer *p = (const struct psk_layer *)l;
	size_t total;

	if (buf_len(&p->plain) > 0)
		return true;
	if (p->state == PSK_ENDED || p->state == PSK_BROKEN)
		return !p->fate_told;
	if (p->state == PSK_OPEN && buf_len(&p->in) > 0 &&
	    psk_rec_total(buf_peek(&p->in), buf_len(&p->in), &total) !=
	        RK_EAGAIN &&
	    total <= buf_len(&p->in))
		return true;
	return l->below->ops->pending(l->below);
}
