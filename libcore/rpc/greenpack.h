/* The scalars of greenpack (msgpack with Go's typing rules), both ways. */
#ifndef RPCKIT_RPC_GREENPACK_H
#define RPCKIT_RPC_GREENPACK_H

#include "base/be.h"
#include "base/buf.h"

#include <rpckit/message.h>
#include <rpckit/value.h>

/*
 * Writing.  Each writes to p, which has room for the most it can take, and
 * returns the first byte after.  Signed numbers never use msgpack's unsigned
 * codes beyond the positive fixint, unsigned ones never the signed codes: Go
 * refuses the other form.
 */
#define GP_SCALAR_MAX 9 /* bytes of any number */
#define GP_HEAD_MAX 5   /* bytes before the contents of str, bin, map, array */
#define GP_TIME_LEN 15
uint8_t *gp_put_int(uint8_t *p, int64_t v);
uint8_t *gp_put_uint(uint8_t *p, uint64_t v);
uint8_t *gp_put_bool(uint8_t *p, bool v);
uint8_t *gp_put_time(uint8_t *p, const struct rk_time *t);
uint8_t *gp_put_map(uint8_t *p, uint32_t count);
uint8_t *gp_put_array(uint8_t *p, uint32_t count);
uint8_t *gp_put_str(uint8_t *p, const void *s, size_t n); /* n + 5 */
uint8_t *gp_put_bin(uint8_t *p, const void *s, size_t n); /* n + 5 */
uint8_t *gp_put_str_head(uint8_t *p, size_t n);
uint8_t *gp_put_bin_head(uint8_t *p, size_t n);

/* The bytes the functions above write. */
static inline size_t
gp_int_len(int64_t v)
{
	if (v >= -32 && v <= INT8_MAX)
		return 1;
	if (v >= INT8_MIN && v < 0)
		return 2;
	if (v >= INT16_MIN && v <= INT16_MAX)
		return 3;
	return v >= INT32_MIN && v <= INT32_MAX ? 5 : 9;
}

static inline size_t
gp_uint_len(uint64_t v)
{
	if (v <= INT8_MAX)
		return 1;
	if (v <= UINT8_MAX)
		return 2;
	if (v <= UINT16_MAX)
		return 3;
	return v <= UINT32_MAX ? 5 : 9;
}

static inline size_t
gp_bin_len(size_t n)
{
	if (n <= UINT8_MAX)
		return n + 2;
	return n + (n <= UINT16_MAX ? 3 : 5);
}

static inline size_t
gp_str_len(size_t n)
{
	return n <= 31 ? n + 1 : gp_bin_len(n);
}

static inline size_t
gp_map_len(uint32_t count)
{
	if (count <= 15)
		return 1;
	return count <= UINT16_MAX ? 3 : 5;
}

/* A cursor over borrowed bytes. */
struct gp_reader {
	const uint8_t *p;
	const uint8_t *end;
};

/* One item: a scalar whole, or the head of a container. */
struct gp_item {
	enum rk_kind kind;
	int8_t ext_type;
	uint32_t count; /* ARRAY: elements; MAP: pairs */
	union {
		uint64_t u64; /* UINT; BOOL as 0 and 1; F32 and F64 as bits */
		int64_t i64;  /* INT, always negative */
		struct rk_bytes bytes; /* STR, BIN, EXT; borrowed */
	} u;
};

/*
 * Take one item of any type: all of a scalar, of a container only its head.
 * The bytes of strings are there, and no container announces more items than
 * bytes are left.  RK_EPROTO: cut off, or no such code; the cursor stays.
 */
RK_MUST enum rk_err gp_next(struct gp_reader *r, struct gp_item *it);

/*
 * Every getter takes one item of its type or fails and leaves the cursor where
 * it was.  Liberal where that is safe: either signedness for numbers that fit,
 * any width, str or bin for keys.  RK_EPROTO: another type, or cut off; nil is
 * another type (gp_take_nil() comes first where it may stand).  A time that is
 * Go's zero (year 1) comes back as not set.
 */
RK_MUST enum rk_err gp_get_bool(struct gp_reader *r, bool *v);
RK_MUST enum rk_err gp_get_time(struct gp_reader *r, struct rk_time *t);

/* The getters below, for every form they accept. */
RK_MUST enum rk_err gp_get_any_bin(struct gp_reader *r, struct rk_bytes *b);
RK_MUST enum rk_err gp_get_any_int(struct gp_reader *r, int64_t *v);
RK_MUST enum rk_err gp_get_any_uint(struct gp_reader *r, uint64_t *v);
RK_MUST enum rk_err gp_get_any_str(struct gp_reader *r, struct rk_str *s);
RK_MUST enum rk_err gp_get_any_key(struct gp_reader *r, struct rk_str *s);
RK_MUST enum rk_err gp_get_any_map(struct gp_reader *r, uint32_t *count);

/* The form of nearly every string met: up to 255 bytes. */
static inline bool
gp_take_short_str(struct gp_reader *r, struct rk_str *s)
{
	size_t left = (size_t)(r->end - r->p);
	size_t head = 1;
	size_t len;

	if (left < 2)
		return false;
	len = r->p[0] ^ 0xa0U;
	if (len > 31) {
		if (r->p[0] != 0xd9)
			return false;
		len = r->p[1];
		head = 2;
	}
	if (len > left - head)
		return false;
	s->ptr = (const char *)r->p + head;
	s->len = len;
	r->p += head + len;
	return true;
}

RK_MUST static inline enum rk_err
gp_get_str(struct gp_reader *r, struct rk_str *s)
{
	return gp_take_short_str(r, s) ? RK_OK : gp_get_any_str(r, s);
}

RK_MUST static inline enum rk_err
gp_get_key(struct gp_reader *r, struct rk_str *s)
{
	return gp_take_short_str(r, s) ? RK_OK : gp_get_any_key(r, s);
}

/* The form of nearly every type of message. */
static inline bool
gp_take_small(struct gp_reader *r, int64_t *v)
{
	if (r->p == r->end || *r->p > 0x7f)
		return false;
	*v = *r->p++;
	return true;
}

/* Every unsigned form of a number. */
static inline bool
gp_take_uint(struct gp_reader *r, uint64_t *v)
{
	size_t left = (size_t)(r->end - r->p);
	size_t n;

	if (left == 0)
		return false;
	if (*r->p <= 0x7f) {
		*v = *r->p++;
		return true;
	}
	n = *r->p - 0xccU;
	if (n > 3 || left <= (size_t)1 << n)
		return false;
	n = (size_t)1 << n;
	*v = be_get(r->p + 1, n);
	r->p += 1 + n;
	return true;
}

RK_MUST static inline enum rk_err
gp_get_int(struct gp_reader *r, int64_t *v)
{
	return gp_take_small(r, v) ? RK_OK : gp_get_any_int(r, v);
}

RK_MUST static inline enum rk_err
gp_get_uint(struct gp_reader *r, uint64_t *v)
{
	return gp_take_uint(r, v) ? RK_OK : gp_get_any_uint(r, v);
}

/* The form of nearly every payload: up to 65535 bytes. */
static inline bool
gp_take_short_bin(struct gp_reader *r, struct rk_bytes *b)
{
	size_t left = (size_t)(r->end - r->p);
	size_t head = 2;
	size_t len;

	if (left < 3)
		return false;
	len = r->p[1];
	if (r->p[0] == 0xc5) {
		len = len << 8 | r->p[2];
		head = 3;
	} else if (r->p[0] != 0xc4) {
		return false;
	}
	if (len > left - head)
		return false;
	*b = (struct rk_bytes){ .ptr = r->p + head, .len = len };
	r->p += head + len;
	return true;
}

RK_MUST static inline enum rk_err
gp_get_bin(struct gp_reader *r, struct rk_bytes *b)
{
	return gp_take_short_bin(r, b) ? RK_OK : gp_get_any_bin(r, b);
}

RK_MUST static inline enum rk_err
gp_get_map(struct gp_reader *r, uint32_t *count)
{
	size_t left = (size_t)(r->end - r->p);

	if (left == 0 || (*r->p & 0xf0) != 0x80 || 2 * (*r->p & 0x0fU) >= left)
		return gp_get_any_map(r, count);
	*count = *r->p++ & 0x0f;
	return RK_OK;
}

/* Take a nil if one is next. */
static inline bool
gp_take_nil(struct gp_reader *r)
{
	if (r->p == r->end || *r->p != 0xc0)
		return false;
	r->p++;
	return true;
}

/* Skip one value of any type and depth up to RK_VALUE_DEPTH_MAX, without
 * recursion; announced counts are checked against the bytes left. */
RK_MUST enum rk_err gp_skip(struct gp_reader *r);

#endif
