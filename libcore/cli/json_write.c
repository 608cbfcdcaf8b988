/* A value tree to JSON text that comes back as the same msgpack. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "cli/json_priv.h"
#include "cli/out.h"

#define SHORT_BYTES 64 /* more are cut with .shorten */
#define SHOWN_BYTES 12 /* of them, then */
#define SAFE_INT (UINT64_C(1) << 53)

#define COLOR_KEY "\033[36m"
#define COLOR_STRING "\033[32m"
#define COLOR_NUMBER "\033[33m"
#define COLOR_WORD "\033[35m"
#define COLOR_OFF "\033[0m"

struct writer {
	struct buf *b;
	const struct json_write *how;
	enum rk_err r; /* the first failure; later calls do nothing */
};

static void write_value(struct writer *w, const struct rk_value *v,
    unsigned depth, unsigned column);

static void
put(struct writer *w, const char *s)
{
	if (w->r == RK_OK)
		w->r = buf_put_str(w->b, s);
}

static void
put_colored(struct writer *w, const char *color, const char *s)
{
	if (w->how->color)
		put(w, color);
	put(w, s);
	if (w->how->color)
		put(w, COLOR_OFF);
}

static void
put_string(struct writer *w, const char *color, const char *s, size_t len)
{
	if (w->how->color)
		put(w, color);
	if (w->r == RK_OK)
		w->r = out_json_string(w->b, s, len);
	if (w->how->color)
		put(w, COLOR_OFF);
}

/* A new line in the pretty form. */
static void
put_break(struct writer *w, unsigned column)
{
	if (w->how->style == JSON_COMPACT)
		return;
	put(w, "\n");
	for (unsigned i = 0; i < column; i++)
		put(w, "  ");
}

static void
put_key(struct writer *w, const char *tag)
{
	put(w, "{");
	put_string(w, COLOR_KEY, tag, strlen(tag));
	put(w, ":");
	if (w->how->style == JSON_PRETTY)
		put(w, " ");
}

/* {"tag":"text"} */
static void
put_tag(struct writer *w, const char *tag, const char *text)
{
	put_key(w, tag);
	put_string(w, COLOR_STRING, text, strlen(text));
	put(w, "}");
}

static void
put_integer(struct writer *w, bool negative, uint64_t magnitude)
{
	bool quote = w->how->int_strings && magnitude > SAFE_INT;
	char text[32];

	if (snprintf(text, sizeof(text), "%s%s%ju%s", quote ? "\"" : "",
	        negative ? "-" : "", (uintmax_t)magnitude,
	        quote ? "\"" : "") < 0)
		w->r = RK_EFAIL;
	put_colored(w, COLOR_NUMBER, text);
}

/* A float is never taken for an integer. */
static void
put_float_text(struct writer *w, char *text, size_t text_len)
{
	size_t len = strlen(text);

	if (strpbrk(text, ".e") == NULL)
		(void)str_copy(text + len, text_len - len, ".0");
	put_colored(w, COLOR_NUMBER, text);
}

/* The tag for what is no number; `bits` of `digits` hex digits. */
static void
put_odd_float(struct writer *w, const char *tag, double x, bool usual_nan,
    const char *bits)
{
	char text[32];

	if (isinf(x)) {
		put_tag(w, tag, x < 0 ? "-inf" : "inf");
		return;
	}
	if (usual_nan) {
		put_tag(w, tag, "nan");
		return;
	}
	if (snprintf(text, sizeof(text), "nan:%s", bits) < 0)
		w->r = RK_EFAIL;
	put_tag(w, tag, text);
}

static void
write_f64(struct writer *w, double x)
{
	char text[48];
	uint64_t bits;
	/* So many come back exactly; of the smallest numbers fewer do. */
	int digits = fabs(x) < DBL_MIN ? 1 : DBL_DIG;

	if (!isfinite(x)) {
		memcpy(&bits, &x, sizeof(bits));
		if (snprintf(text, sizeof(text), "%016jx", (uintmax_t)bits) < 0)
			w->r = RK_EFAIL;
		put_odd_float(
		    w, "$f", x, bits == UINT64_C(0x7ff8000000000000), text);
		return;
	}
	do {
		if (snprintf(text, sizeof(text), "%.*g", digits, x) < 0)
			w->r = RK_EFAIL;
	} while (strtod(text, NULL) != x && ++digits <= 17);
	put_float_text(w, text, sizeof(text));
}

static void
write_f32(struct writer *w, const struct rk_value *v)
{
	char text[48];
	uint32_t bits;
	int digits = fabsf(v->u.f32) < FLT_MIN ? 1 : FLT_DIG;
	float x;

	memcpy(&bits, &v->u.f32, sizeof(bits));
	if ((bits & 0x7f800000) == 0x7f800000) {
		if (snprintf(text, sizeof(text), "%08x", bits) < 0)
			w->r = RK_EFAIL;
		put_odd_float(
		    w, "$f32", (double)v->u.f32, bits == 0x7fc00000, text);
		return;
	}
	x = v->u.f32;
	do {
		if (snprintf(text, sizeof(text), "%.*g", digits, (double)x) < 0)
			w->r = RK_EFAIL;
	} while ((float)strtod(text, NULL) != x && ++digits <= 9);
	put_key(w, "$f32");
	put_float_text(w, text, sizeof(text));
	put(w, "}");
}

/* 1.2 MB */
static void
size_text(size_t n, char *dst, size_t dst_len)
{
	static const char *const units[] = { "kB", "MB", "GB" };
	double x = (double)n / 1000;
	size_t i = 0;

	for (; x >= 1000 && i < 2; i++)
		x /= 1000;
	if ((n < 1000 ? snprintf(dst, dst_len, "%zu B", n)
	              : snprintf(dst, dst_len, "%.1f %s", x, units[i])) < 0)
		dst[0] = '\0';
}

static void
put_base64(struct writer *w, const struct rk_bytes *b)
{
	bool cut = w->how->shorten && b->len > SHORT_BYTES;
	size_t n = cut ? SHOWN_BYTES : b->len;
	char size[32];
	uint8_t *p;

	put(w, w->how->color ? COLOR_STRING "\"" : "\"");
	if (w->r == RK_OK)
		w->r = buf_reserve(w->b, str_base64_len(n), &p);
	if (w->r != RK_OK)
		return;
	str_base64((char *)p, b->ptr, n, STR_BASE64);
	buf_commit(w->b, strlen((char *)p));
	if (cut) {
		size_text(b->len, size, sizeof(size));
		put(w, "...(");
		put(w, size);
		put(w, ")");
	}
	put(w, w->how->color ? "\"" COLOR_OFF : "\"");
}

static void
write_bytes(struct writer *w, const char *tag, const struct rk_bytes *b)
{
	put_key(w, tag);
	put_base64(w, b);
	put(w, "}");
}

static void
write_str(struct writer *w, const struct rk_bytes *b)
{
	if (str_is_utf8((const char *)b->ptr, b->len))
		put_string(w, COLOR_STRING, (const char *)b->ptr, b->len);
	else
		write_bytes(w, "$str", b);
}

static void
write_ext(struct writer *w, const struct rk_value *v)
{
	char text[JSON_TIME_LEN];
	uint64_t n =
	    v->ext_type < 0 ? (uint64_t)-v->ext_type : (uint64_t)v->ext_type;

	if (json_time_text(v, text)) {
		put_tag(w, "$ts", text);
		return;
	}
	put_key(w, "$ext");
	put(w, "[");
	put_integer(w, v->ext_type < 0, n);
	put(w, ",");
	put_base64(w, &v->u.bytes);
	put(w, "]}");
}

static void
write_array(
    struct writer *w, const struct rk_value *v, unsigned depth, unsigned column)
{
	uint32_t n = v->u.list.count;

	put(w, "[");
	for (uint32_t i = 0; i < n && w->r == RK_OK; i++) {
		put(w, i == 0 ? "" : ",");
		put_break(w, column + 1);
		write_value(w, &v->u.list.items[i], depth + 1, column + 1);
	}
	if (n > 0)
		put_break(w, column);
	put(w, "]");
}

static int
compare_keys(const void *a, const void *b)
{
	const struct rk_value *const *x = a;
	const struct rk_value *const *y = b;
	size_t nx = (*x)->u.bytes.len;
	size_t ny = (*y)->u.bytes.len;

	if (nx != ny)
		return nx < ny ? -1 : 1;
	return nx == 0 ? 0 : memcmp((*x)->u.bytes.ptr, (*y)->u.bytes.ptr, nx);
}

/* Can it be a key of a JSON object? */
static bool
is_plain_key(const struct rk_value *k)
{
	const char *s = (const char *)k->u.bytes.ptr;

	if (k->kind != RK_STR || !str_is_utf8(s, k->u.bytes.len))
		return false;
	return k->u.bytes.len == 0 || memchr(s, 0, k->u.bytes.len) == NULL;
}

/* Is it a JSON object: all keys text, no two alike? */
static bool
is_object(struct writer *w, const struct rk_value *v)
{
	uint32_t n = v->u.list.count;
	const struct rk_value **keys;
	bool ok = true;

	for (uint32_t i = 0; i < n && ok; i++)
		ok = is_plain_key(&v->u.list.items[2 * (size_t)i]);
	if (!ok || n < 2)
		return ok;
	keys = calloc(n, sizeof(*keys));
	if (keys == NULL) {
		w->r = RK_ENOMEM;
		return false;
	}
	for (uint32_t i = 0; i < n; i++)
		keys[i] = &v->u.list.items[2 * (size_t)i];
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (uint32_t i = 1; i < n && ok; i++)
		ok = compare_keys(&keys[i - 1], &keys[i]) != 0;
	free(keys);
	return ok;
}

/* A key of an object: one that begins with "$" gets another. */
static void
put_object_key(struct writer *w, const struct rk_bytes *b)
{
	const char *s = (const char *)b->ptr;
	struct buf longer;

	buf_init(&longer, SIZE_MAX);
	if (b->len == 0 || s[0] != '$') {
		put_string(w, COLOR_KEY, s, b->len);
	} else if (w->r == RK_OK &&
	           (w->r = buf_put_str(&longer, "$")) == RK_OK &&
	           (w->r = buf_put(&longer, s, b->len)) == RK_OK) {
		put_string(w, COLOR_KEY, (const char *)buf_peek(&longer),
		    buf_len(&longer));
	}
	buf_fini(&longer);
	put(w, w->how->style == JSON_PRETTY ? ": " : ":");
}

static void
write_object(
    struct writer *w, const struct rk_value *v, unsigned depth, unsigned column)
{
	uint32_t n = v->u.list.count;
	const struct rk_value *item = v->u.list.items;

	put(w, "{");
	for (uint32_t i = 0; i < n && w->r == RK_OK; i++, item += 2) {
		put(w, i == 0 ? "" : ",");
		put_break(w, column + 1);
		put_object_key(w, &item->u.bytes);
		write_value(w, item + 1, depth + 1, column + 1);
	}
	if (n > 0)
		put_break(w, column);
	put(w, "}");
}

/* {"$map":[[key,value],...]}, one pair a line in the pretty form. */
static void
write_pairs(
    struct writer *w, const struct rk_value *v, unsigned depth, unsigned column)
{
	uint32_t n = v->u.list.count;
	const struct rk_value *item = v->u.list.items;

	put_key(w, "$map");
	put(w, "[");
	for (uint32_t i = 0; i < n && w->r == RK_OK; i++, item += 2) {
		put(w, i == 0 ? "" : ",");
		put_break(w, column + 1);
		put(w, "[");
		write_value(w, item, depth + 1, column + 1);
		put(w, w->how->style == JSON_PRETTY ? ", " : ",");
		write_value(w, item + 1, depth + 1, column + 1);
		put(w, "]");
	}
	put_break(w, column);
	put(w, "]}");
}

static void
write_list(
    struct writer *w, const struct rk_value *v, unsigned depth, unsigned column)
{
	if (depth >= RK_VALUE_DEPTH_MAX && w->r == RK_OK)
		w->r = RK_ETOOBIG;
	if (w->r != RK_OK)
		return;
	if (v->kind == RK_ARRAY)
		write_array(w, v, depth, column);
	else if (is_object(w, v))
		write_object(w, v, depth, column);
	else
		write_pairs(w, v, depth, column);
}

static void
write_value(
    struct writer *w, const struct rk_value *v, unsigned depth, unsigned column)
{
	switch (v->kind) {
	case RK_NIL:
		put_colored(w, COLOR_WORD, "null");
		break;
	case RK_BOOL:
		put_colored(w, COLOR_WORD, v->u.b ? "true" : "false");
		break;
	case RK_INT:
		put_integer(w, v->u.i64 < 0,
		    v->u.i64 < 0 ? 0 - (uint64_t)v->u.i64 : (uint64_t)v->u.i64);
		break;
	case RK_UINT:
		put_integer(w, false, v->u.u64);
		break;
	case RK_F32:
		write_f32(w, v);
		break;
	case RK_F64:
		write_f64(w, v->u.f64);
		break;
	case RK_STR:
		write_str(w, &v->u.bytes);
		break;
	case RK_BIN:
		write_bytes(w, "$bin", &v->u.bytes);
		break;
	case RK_EXT:
		write_ext(w, v);
		break;
	case RK_ARRAY:
	case RK_MAP:
		write_list(w, v, depth, column);
		break;
	}
}

enum rk_err
json_write(
    struct buf *b, const struct rk_value *v, const struct json_write *how)
{
	struct writer w = { .b = b, .how = how };
	size_t old = buf_len(b);

	write_value(&w, v, 0, 0);
	if (w.r != RK_OK)
		buf_uncommit(b, buf_len(b) - old);
	return w.r;
}
