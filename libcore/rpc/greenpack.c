/* Greenpack scalars: Go's choice of codes out, every safe code in. */
#include "greenpack.h"

#include "base/be.h"

/* Seconds from Go's zero time, the first of January of year 1, to 1970. */
#define GO_ZERO_SEC (-62135596800)
#define NSEC_PER_SEC 1000000000

uint8_t *
gp_put_int(uint8_t *p, int64_t v)
{
	if (v >= -32 && v <= INT8_MAX) {
		*p++ = (uint8_t)v;
	} else if (v >= INT8_MIN && v < 0) {
		*p++ = 0xd0;
		*p++ = (uint8_t)v;
	} else if (v >= INT16_MIN && v <= INT16_MAX) {
		*p++ = 0xd1;
		p = be_put16(p, (uint16_t)v);
	} else if (v >= INT32_MIN && v <= INT32_MAX) {
		*p++ = 0xd2;
		p = be_put32(p, (uint32_t)v);
	} else {
		*p++ = 0xd3;
		p = be_put64(p, (uint64_t)v);
	}
	return p;
}

uint8_t *
gp_put_uint(uint8_t *p, uint64_t v)
{
	if (v <= INT8_MAX) {
		*p++ = (uint8_t)v;
	} else if (v <= UINT8_MAX) {
		*p++ = 0xcc;
		*p++ = (uint8_t)v;
	} else if (v <= UINT16_MAX) {
		*p++ = 0xcd;
		p = be_put16(p, (uint16_t)v);
	} else if (v <= UINT32_MAX) {
		*p++ = 0xce;
		p = be_put32(p, (uint32_t)v);
	} else {
		*p++ = 0xcf;
		p = be_put64(p, v);
	}
	return p;
}

uint8_t *
gp_put_bool(uint8_t *p, bool v)
{
	*p++ = v ? 0xc3 : 0xc2;
	return p;
}

uint8_t *
gp_put_time(uint8_t *p, const struct rk_time *t)
{
	*p++ = 0xc7;
	*p++ = 12;
	*p++ = 5;
	p = be_put64(p, (uint64_t)t->sec);
	return be_put32(p, (uint32_t)t->nsec);
}

/* Heads of containers: fix is the code of the short form, wide of the next. */
static uint8_t *
put_count(uint8_t *p, uint8_t fix, uint8_t wide, uint32_t count)
{
	if (count <= 15) {
		*p++ = (uint8_t)(fix | count);
	} else if (count <= UINT16_MAX) {
		*p++ = wide;
		p = be_put16(p, (uint16_t)count);
	} else {
		*p++ = (uint8_t)(wide + 1);
		p = be_put32(p, count);
	}
	return p;
}

uint8_t *
gp_put_map(uint8_t *p, uint32_t count)
{
	return put_count(p, 0x80, 0xde, count);
}

uint8_t *
gp_put_array(uint8_t *p, uint32_t count)
{
	return put_count(p, 0x90, 0xdc, count);
}

/* Length of a string in the forms that str and bin share. */
static uint8_t *
put_length(uint8_t *p, uint8_t code8, size_t n)
{
	if (n <= UINT8_MAX) {
		*p++ = code8;
		*p++ = (uint8_t)n;
	} else if (n <= UINT16_MAX) {
		*p++ = (uint8_t)(code8 + 1);
		p = be_put16(p, (uint16_t)n);
	} else {
		*p++ = (uint8_t)(code8 + 2);
		p = be_put32(p, (uint32_t)n);
	}
	return p;
}

uint8_t *
gp_put_str_head(uint8_t *p, size_t n)
{
	if (n > 31)
		return put_length(p, 0xd9, n);
	*p++ = (uint8_t)(0xa0 | n);
	return p;
}

uint8_t *
gp_put_bin_head(uint8_t *p, size_t n)
{
	return put_length(p, 0xc4, n);
}

/*
 * Names and ids are 4 to 64 bytes: two moves that may overlap, of a size the
 * compiler knows, are far cheaper than a call that looks at the length first.
 */
static inline uint8_t *
copy(uint8_t *p, const uint8_t *s, size_t n)
{
	if (n - 8 <= 8) {
		memcpy(p, s, 8);
		memcpy(p + n - 8, s + n - 8, 8);
	} else if (n - 16 <= 16) {
		memcpy(p, s, 16);
		memcpy(p + n - 16, s + n - 16, 16);
	} else if (n - 32 <= 32) {
		memcpy(p, s, 32);
		memcpy(p + n - 32, s + n - 32, 32);
	} else if (n - 4 <= 4) {
		memcpy(p, s, 4);
		memcpy(p + n - 4, s + n - 4, 4);
	} else if (n > 4) {
		memcpy(p, s, n);
	} else {
		for (size_t i = 0; i < n; i++)
			p[i] = s[i];
	}
	return p + n;
}

uint8_t *
gp_put_str(uint8_t *p, const void *s, size_t n)
{
	return copy(gp_put_str_head(p, n), s, n);
}

uint8_t *
gp_put_bin(uint8_t *p, const void *s, size_t n)
{
	return copy(gp_put_bin_head(p, n), s, n);
}

/* What follows the codes c0 to df: a number of width bytes, which is the
 * value, a length or a count; or, for fixext, a constant length. */
struct form {
	enum rk_kind kind;
	uint8_t width;
	uint8_t fixed;
	bool refused;
};

static const struct form forms[32] = {
	[0x00] = { .kind = RK_NIL },
	[0x01] = { .refused = true },
	[0x02] = { .kind = RK_BOOL, .fixed = 0 },
	[0x03] = { .kind = RK_BOOL, .fixed = 1 },
	[0x04] = { .kind = RK_BIN, .width = 1 },
	[0x05] = { .kind = RK_BIN, .width = 2 },
	[0x06] = { .kind = RK_BIN, .width = 4 },
	[0x07] = { .kind = RK_EXT, .width = 1 },
	[0x08] = { .kind = RK_EXT, .width = 2 },
	[0x09] = { .kind = RK_EXT, .width = 4 },
	[0x0a] = { .kind = RK_F32, .width = 4 },
	[0x0b] = { .kind = RK_F64, .width = 8 },
	[0x0c] = { .kind = RK_UINT, .width = 1 },
	[0x0d] = { .kind = RK_UINT, .width = 2 },
	[0x0e] = { .kind = RK_UINT, .width = 4 },
	[0x0f] = { .kind = RK_UINT, .width = 8 },
	[0x10] = { .kind = RK_INT, .width = 1 },
	[0x11] = { .kind = RK_INT, .width = 2 },
	[0x12] = { .kind = RK_INT, .width = 4 },
	[0x13] = { .kind = RK_INT, .width = 8 },
	[0x14] = { .kind = RK_EXT, .fixed = 1 },
	[0x15] = { .kind = RK_EXT, .fixed = 2 },
	[0x16] = { .kind = RK_EXT, .fixed = 4 },
	[0x17] = { .kind = RK_EXT, .fixed = 8 },
	[0x18] = { .kind = RK_EXT, .fixed = 16 },
	[0x19] = { .kind = RK_STR, .width = 1 },
	[0x1a] = { .kind = RK_STR, .width = 2 },
	[0x1b] = { .kind = RK_STR, .width = 4 },
	[0x1c] = { .kind = RK_ARRAY, .width = 2 },
	[0x1d] = { .kind = RK_ARRAY, .width = 4 },
	[0x1e] = { .kind = RK_MAP, .width = 2 },
	[0x1f] = { .kind = RK_MAP, .width = 4 },
};

/* The kind and the number (value, length or count) that stand first. */
static enum rk_err
take_head(struct gp_reader *r, enum rk_kind *kind, uint64_t *number)
{
	const struct form *f;
	uint8_t c;

	if (r->p == r->end)
		return RK_EPROTO;
	c = *r->p++;
	if (c <= 0x7f || c >= 0xe0) {
		*kind = c <= 0x7f ? RK_UINT : RK_INT;
		*number = (uint64_t)(int64_t)(int8_t)c;
	} else if (c <= 0x9f) {
		*kind = c <= 0x8f ? RK_MAP : RK_ARRAY;
		*number = c & 0x0f;
	} else if (c <= 0xbf) {
		*kind = RK_STR;
		*number = c & 0x1f;
	} else {
		f = &forms[c - 0xc0];
		if (f->refused || (size_t)(r->end - r->p) < f->width)
			return RK_EPROTO;
		*kind = f->kind;
		*number = f->fixed;
		if (f->width > 0)
			*number = be_get(r->p, f->width);
		if (f->kind == RK_INT && f->width < 8 &&
		    *number >> (8 * f->width - 1) != 0)
			*number |= UINT64_MAX << (8 * f->width);
		r->p += f->width;
	}
	return RK_OK;
}

static enum rk_err
take_bytes(struct gp_reader *r, uint64_t len, struct rk_bytes *out)
{
	if (len > (size_t)(r->end - r->p))
		return RK_EPROTO;
	*out = (struct rk_bytes){ .ptr = r->p, .len = (size_t)len };
	r->p += len;
	return RK_OK;
}

static enum rk_err
take_ext(struct gp_reader *r, uint64_t len, struct gp_item *it)
{
	if (r->p == r->end)
		return RK_EPROTO;
	it->ext_type = (int8_t)*r->p++;
	return take_bytes(r, len, &it->u.bytes);
}

/* Whether n items can still follow: each is a byte at least. */
static bool
has_room(const struct gp_reader *r, uint64_t n)
{
	return n <= (size_t)(r->end - r->p);
}

enum rk_err
gp_next(struct gp_reader *r, struct gp_item *it)
{
	struct gp_reader c = *r;
	enum rk_err e;
	uint64_t n;

	*it = (struct gp_item){ .kind = RK_NIL };
	if ((e = take_head(&c, &it->kind, &n)) != RK_OK)
		return e;
	switch (it->kind) {
	case RK_NIL:
	case RK_BOOL:
	case RK_UINT:
	case RK_F32:
	case RK_F64:
		it->u.u64 = n;
		break;
	case RK_INT:
		it->u.i64 = (int64_t)n;
		if (it->u.i64 >= 0)
			it->kind = RK_UINT;
		break;
	case RK_STR:
	case RK_BIN:
		e = take_bytes(&c, n, &it->u.bytes);
		break;
	case RK_EXT:
		e = take_ext(&c, n, it);
		break;
	case RK_ARRAY:
	case RK_MAP:
		it->count = (uint32_t)n;
		if (!has_room(&c, it->kind == RK_MAP ? 2 * n : n))
			e = RK_EPROTO;
		break;
	}
	if (e == RK_OK)
		*r = c;
	return e;
}

/* The getters go by the head alone, which is all that most items are. */
static enum rk_err
get_head(struct gp_reader *r, enum rk_kind wanted, uint64_t *n)
{
	enum rk_kind kind;
	enum rk_err e;

	if ((e = take_head(r, &kind, n)) != RK_OK)
		return e;
	return kind == wanted ? RK_OK : RK_EPROTO;
}

static enum rk_err
get_bytes(struct gp_reader *r, enum rk_kind wanted, struct rk_bytes *out)
{
	struct gp_reader c = *r;
	enum rk_err e;
	uint64_t n;

	*out = (struct rk_bytes){ .ptr = NULL };
	if ((e = get_head(&c, wanted, &n)) != RK_OK ||
	    (e = take_bytes(&c, n, out)) != RK_OK)
		return e;
	*r = c;
	return RK_OK;
}

enum rk_err
gp_get_any_int(struct gp_reader *r, int64_t *v)
{
	struct gp_reader c = *r;
	enum rk_kind kind;
	enum rk_err e;
	uint64_t n;

	*v = 0;
	if ((e = take_head(&c, &kind, &n)) != RK_OK)
		return e;
	if (kind != RK_INT && (kind != RK_UINT || n > (uint64_t)INT64_MAX))
		return RK_EPROTO;
	*v = (int64_t)n;
	*r = c;
	return RK_OK;
}

enum rk_err
gp_get_any_uint(struct gp_reader *r, uint64_t *v)
{
	struct gp_reader c = *r;
	enum rk_kind kind;
	enum rk_err e;
	uint64_t n;

	*v = 0;
	if ((e = take_head(&c, &kind, &n)) != RK_OK)
		return e;
	if (kind != RK_UINT && (kind != RK_INT || n > (uint64_t)INT64_MAX))
		return RK_EPROTO;
	*v = n;
	*r = c;
	return RK_OK;
}

enum rk_err
gp_get_bool(struct gp_reader *r, bool *v)
{
	struct gp_reader c = *r;
	enum rk_err e;
	uint64_t n;

	*v = false;
	if ((e = get_head(&c, RK_BOOL, &n)) != RK_OK)
		return e;
	*v = n != 0;
	*r = c;
	return RK_OK;
}

enum rk_err
gp_get_time(struct gp_reader *r, struct rk_time *t)
{
	int64_t sec;
	int32_t nsec;

	*t = (struct rk_time){ .is_set = false };
	if (r->end - r->p < GP_TIME_LEN || r->p[0] != 0xc7 || r->p[1] != 12 ||
	    r->p[2] != 5)
		return RK_EPROTO;
	sec = (int64_t)be_get64(r->p + 3);
	nsec = (int32_t)be_get32(r->p + 11);
	if (nsec < 0 || nsec >= NSEC_PER_SEC)
		return RK_EPROTO;
	r->p += GP_TIME_LEN;
	if (sec == GO_ZERO_SEC && nsec == 0)
		return RK_OK;
	*t = (struct rk_time){ .sec = sec, .nsec = nsec, .is_set = true };
	return RK_OK;
}

enum rk_err
gp_get_any_str(struct gp_reader *r, struct rk_str *s)
{
	struct rk_bytes b;
	enum rk_err e = get_bytes(r, RK_STR, &b);

	*s = (struct rk_str){ .ptr = (const char *)b.ptr, .len = b.len };
	return e;
}

enum rk_err
gp_get_any_key(struct gp_reader *r, struct rk_str *s)
{
	struct rk_bytes b;
	enum rk_err e;

	if ((e = gp_get_any_str(r, s)) == RK_OK)
		return RK_OK;
	e = gp_get_bin(r, &b);
	*s = (struct rk_str){ .ptr = (const char *)b.ptr, .len = b.len };
	return e;
}

enum rk_err
gp_get_any_bin(struct gp_reader *r, struct rk_bytes *b)
{
	return get_bytes(r, RK_BIN, b);
}

enum rk_err
gp_get_any_map(struct gp_reader *r, uint32_t *count)
{
	struct gp_reader c = *r;
	enum rk_err e;
	uint64_t n;

	*count = 0;
	if ((e = get_head(&c, RK_MAP, &n)) != RK_OK)
		return e;
	if (!has_room(&c, 2 * n))
		return RK_EPROTO;
	*count = (uint32_t)n;
	*r = c;
	return RK_OK;
}

enum rk_err
gp_skip(struct gp_reader *r)
{
	uint64_t owed[RK_VALUE_DEPTH_MAX]; /* items, of each open container */
	struct gp_reader c = *r;
	struct gp_item it;
	size_t depth = 0;
	enum rk_err e;

	do {
		if ((e = gp_next(&c, &it)) != RK_OK)
			return e;
		if (it.kind == RK_ARRAY || it.kind == RK_MAP) {
			if (depth == RK_VALUE_DEPTH_MAX)
				return RK_EPROTO;
			/* The container itself is one item more. */
			owed[depth++] =
			    1 + (it.kind == RK_MAP ? 2 * (uint64_t)it.count
			                           : it.count);
		}
		while (depth > 0 && --owed[depth - 1] == 0)
			depth--;
	} while (depth > 0);
	*r = c;
	return RK_OK;
}
