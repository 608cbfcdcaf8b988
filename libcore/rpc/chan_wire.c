/* The frames of channels: encoding, decoding, the codes of reasons. */
#include "rpc/chan_wire.h"

#include "base/be.h"

#include <string.h>

static const enum rk_err codes[] = {
	RK_EFAIL,
	RK_ECLOSED,
	RK_ECANCELED,
	RK_ETIMEOUT,
	RK_EINVAL,
	RK_ELIMIT,
	RK_EDENIED,
	RK_EUNSUPPORTED,
};
#define N_CODES (sizeof(codes) / sizeof(codes[0]))

uint8_t
chan_code_of(enum rk_err code)
{
	for (uint8_t i = 0; i < N_CODES; i++) {
		if (codes[i] == code)
			return i;
	}
	return 0;
}

enum rk_err
chan_code_to(uint8_t code)
{
	return code < N_CODES ? codes[code] : RK_EFAIL;
}

/* ---- writing ---- */

static uint8_t *
put_bytes(uint8_t *p, const void *src, size_t n)
{
	if (n > 0)
		memcpy(p, src, n);
	return p + n;
}

/* One byte of length, and the text. */
static uint8_t *
put_text(uint8_t *p, struct rk_str s)
{
	*p++ = (uint8_t)s.len;
	return put_bytes(p, s.ptr, s.len);
}

static uint8_t *
put_data(uint8_t *p, const struct chan_frame *f)
{
	*p++ = (uint8_t)f->flags;
	if (f->flags & CHAN_FIRST)
		*p++ = (uint8_t)f->n_ends;
	for (size_t i = 0; i < f->n_ends; i++) {
		p = be_put64(p, f->ends[i].id);
		*p++ = (uint8_t)(f->ends[i].flags | f->ends[i].hops
		                                        << CHAN_END_FLAGS);
		p = put_text(p, f->ends[i].type);
	}
	p = be_put32(p, (uint32_t)f->data.len);
	return put_bytes(p, f->data.ptr, f->data.len);
}

uint8_t *
chan_encode(uint8_t *p, const struct chan_frame *f)
{
	*p++ = (uint8_t)f->type;
	p = be_put64(p, f->id);
	switch (f->type) {
	case CHAN_HELLO:
		p = put_bytes(p, CHAN_MAGIC, strlen(CHAN_MAGIC));
		*p++ = f->server;
		p = be_put32(p, f->window);
		p = be_put32(p, f->max_channels);
		return put_text(p, f->text);
	case CHAN_DATA:
		return put_data(p, f);
	case CHAN_CREDIT:
		return be_put32(p, f->credit);
	case CHAN_RESET:
		*p++ = f->code;
		return put_text(p, f->text);
	case CHAN_FIN:
	case CHAN_STOP:
		break;
	}
	return p;
}

/* ---- reading ---- */

/* A cursor that fails once and for all. */
struct cursor {
	const uint8_t *p;
	const uint8_t *end;
	const char *why; /* NULL: all is well */
};

static const uint8_t *
take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->why != NULL)
		return NULL;
	if ((size_t)(c->end - c->p) < n) {
		c->why = "a frame is cut off";
		return NULL;
	}
	c->p += n;
	return p;
}

static uint8_t
take8(struct cursor *c)
{
	const uint8_t *p = take(c, 1);

	return p == NULL ? 0 : *p;
}

static uint32_t
take32(struct cursor *c)
{
	const uint8_t *p = take(c, 4);

	return p == NULL ? 0 : be_get32(p);
}

static uint64_t
take64(struct cursor *c)
{
	const uint8_t *p = take(c, 8);

	return p == NULL ? 0 : be_get64(p);
}

static struct rk_str
take_text(struct cursor *c)
{
	size_t n = take8(c);
	const char *p = (const char *)take(c, n);

	return (struct rk_str){ p, p == NULL ? 0 : n };
}

static void
check(struct cursor *c, bool holds, const char *why)
{
	if (c->why == NULL && !holds)
		c->why = why;
}

static bool
in_range(uint32_t v, uint32_t min, uint32_t max)
{
	return v >= min && v <= max;
}

/* Names of types become C strings. */
static void
check_type(struct cursor *c, struct rk_str s)
{
	check(c, s.len > 0 && memchr(s.ptr, '\0', s.len) == NULL,
	    "a type has no name");
}

static void
get_hello(struct cursor *c, struct chan_frame *f)
{
	const uint8_t *magic = take(c, strlen(CHAN_MAGIC));
	unsigned role;

	check(c,
	    magic != NULL && memcmp(magic, CHAN_MAGIC, strlen(CHAN_MAGIC)) == 0,
	    "another version of channels");
	role = take8(c);
	check(c, role <= 1, "another version of channels");
	f->server = role == 1;
	f->window = take32(c);
	f->max_channels = take32(c);
	f->text = take_text(c);
	check_type(c, f->text);
	check(c, in_range(f->window, RK_CHAN_WINDOW_MIN, RK_CHAN_WINDOW_MAX),
	    "a window out of bounds");
	check(c,
	    in_range(f->max_channels, RK_CHAN_ENDS_MAX, RK_CHAN_CHANNELS_MAX),
	    "a number of channels out of bounds");
	check(c, f->id == 0, "a greeting of a channel");
}

static void
get_end(struct cursor *c, struct chan_end *e)
{
	unsigned flags;

	e->id = take64(c);
	flags = take8(c);
	e->flags = flags & (CHAN_END_BYTES | CHAN_END_SILENT);
	e->hops = flags >> CHAN_END_FLAGS;
	check(c, e->hops <= RK_CHAN_HOPS_MAX, "an end was sent on too often");
	e->type = take_text(c);
	check_type(c, e->type);
}

static void
get_data(struct cursor *c, struct chan_frame *f)
{
	f->flags = take8(c);
	check(c, f->flags <= (CHAN_FIRST | CHAN_LAST), "flags unknown");
	if (f->flags & CHAN_FIRST)
		f->n_ends = take8(c);
	check(c, f->n_ends <= RK_CHAN_ENDS_MAX, "too many ends in a message");
	for (size_t i = 0; c->why == NULL && i < f->n_ends; i++)
		get_end(c, &f->ends[i]);
	f->data.len = take32(c);
	check(c, f->data.len <= CHAN_PIECE, "a piece is too long");
	f->data.ptr = take(c, f->data.len);
	/* A piece that brings nothing would cost its sender nothing. */
	check(c, f->data.len > 0 || f->flags == (CHAN_FIRST | CHAN_LAST),
	    "a piece is empty");
}

enum rk_err
chan_decode(const uint8_t **p, const uint8_t *end, struct chan_frame *f,
    const char **why)
{
	struct cursor c = { .p = *p, .end = end };
	unsigned type = take8(&c);

	*f = (struct chan_frame){ .type = (enum chan_frame_type)type };
	f->id = take64(&c);
	if (type == CHAN_HELLO) {
		get_hello(&c, f);
	} else if (type == CHAN_DATA) {
		get_data(&c, f);
	} else if (type == CHAN_CREDIT) {
		f->credit = take32(&c);
		check(&c, f->credit > 0, "no credit in a credit");
	} else if (type == CHAN_RESET) {
		f->code = take8(&c);
		f->text = take_text(&c);
		check(&c, f->text.len <= RK_CHAN_REASON_MAX,
		    "a reason is too long");
	} else {
		check(&c, type == CHAN_FIN || type == CHAN_STOP,
		    "a frame of an unknown kind");
	}
	*why = c.why;
	if (c.why != NULL)
		return RK_EPROTO;
	*p = c.p;
	return RK_OK;
}
