/* A stream of bytes over a session's datagrams: what comes, put in order. */
#include "net/sess_rel_int.h"

#include <stdlib.h>
#include <string.h>

/* How much room there is is told again when it has become this much more. */
#define MORE (SESS_REL_ROOM / 4)

/* Up to where the peer may send. */
static uint64_t
limit(const struct sess_rel *r)
{
	return r->in_end - buf_len(&r->in) + SESS_REL_ROOM;
}

size_t
rel_put_confirm(struct sess_rel *r, uint8_t *out, size_t max)
{
	const struct sess_piece *p = TAILQ_FIRST(&r->ahead);
	size_t len = REL_CONFIRM_HEAD;
	unsigned n = 0;

	out[0] = REL_CONFIRM;
	(void)be_put64(out + 1, r->in_end);
	r->told = limit(r);
	(void)be_put64(out + SESS_REL_HEAD, r->told);
	while (p != NULL && n < REL_RANGES_MAX && len + REL_RANGE_LEN <= max) {
		const uint64_t from = p->at;
		uint64_t to = p->at + p->len;

		while ((p = TAILQ_NEXT(p, link)) != NULL && p->at <= to)
			if (p->at + p->len > to)
				to = p->at + p->len;
		(void)be_put64(out + len, from);
		(void)be_put64(out + len + 8, to);
		len += REL_RANGE_LEN;
		n++;
	}
	return len;
}

/* Append what continues the stream; the rest of it was there. */
static enum rk_err
append(struct sess_rel *r, uint64_t at, const uint8_t *data, size_t len)
{
	const uint64_t skip = r->in_end - at;
	enum rk_err e;

	if (skip >= len)
		return RK_OK;
	e = buf_put(&r->in, data + skip, len - (size_t)skip);
	if (e == RK_OK)
		r->in_end += len - skip;
	return e;
}

/* Those whose turn has come. */
static enum rk_err
join(struct sess_rel *r)
{
	struct sess_piece *p;
	enum rk_err e = RK_OK;

	while (e == RK_OK && (p = TAILQ_FIRST(&r->ahead)) != NULL &&
	       p->at <= r->in_end) {
		e = append(r, p->at, p->data, p->len);
		TAILQ_REMOVE(&r->ahead, p, link);
		r->n_ahead--;
		r->ahead_len -= p->len;
		free(p);
	}
	return e;
}

/* In its place; one that is there wholly is left out, and so is one too many,
 * which comes again. */
static enum rk_err
keep(struct sess_rel *r, uint64_t at, const uint8_t *data, size_t len)
{
	struct sess_piece *after = TAILQ_LAST(&r->ahead, sess_pieces);
	struct sess_piece *p;

	while (after != NULL && after->at > at)
		after = TAILQ_PREV(after, sess_pieces, link);
	if (r->n_ahead == REL_AHEAD_MAX || len > SESS_REL_ROOM - r->ahead_len ||
	    (after != NULL && after->at + after->len >= at + len))
		return RK_OK;
	if ((p = malloc(sizeof(*p) + len)) == NULL)
		return RK_ENOMEM;
	*p = (struct sess_piece){ .at = at, .len = len };
	memcpy(p->data, data, len);
	if (after == NULL)
		TAILQ_INSERT_HEAD(&r->ahead, p, link);
	else
		TAILQ_INSERT_AFTER(&r->ahead, after, p, link);
	r->n_ahead++;
	r->ahead_len += len;
	return RK_OK;
}

static enum rk_err
take_data(struct sess_rel *r, uint64_t at, const uint8_t *data, size_t len)
{
	enum rk_err e;

	if (at > r->told || len > r->told - at)
		return RK_EPROTO; /* more than there was room for */
	r->confirm = true;
	if (len == 0)
		return RK_OK; /* is there room? */
	if (at > r->in_end)
		return keep(r, at, data, len);
	e = append(r, at, data, len);
	return e == RK_OK ? join(r) : e;
}

enum rk_err
sess_rel_take(struct sess_rel *r, uint64_t now, const uint8_t *p, size_t len)
{
	if (len < SESS_REL_HEAD)
		return RK_EPROTO;
	switch (p[0]) {
	case REL_DATA:
		return take_data(
		    r, be_get64(p + 1), p + SESS_REL_HEAD, len - SESS_REL_HEAD);
	case REL_CONFIRM:
		return rel_take_confirm(r, now, p, len);
	default:
		return RK_EPROTO;
	}
}

size_t
sess_rel_read(struct sess_rel *r, uint8_t *dst, size_t cap)
{
	size_t n = buf_len(&r->in) < cap ? buf_len(&r->in) : cap;

	if (n == 0)
		return 0;
	memcpy(dst, buf_peek(&r->in), n);
	buf_consume(&r->in, n);
	if (limit(r) - r->told >= MORE)
		r->confirm = true;
	return n;
}
