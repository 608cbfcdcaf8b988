/* Typed structs from msgpack: numbers, texts and times. */
#include "rpc/typed_int.h"

#include "base/error.h"

#include <float.h>
#include <stdlib.h>

/* ---- failing ---- */

static const char *
kind_text(enum rk_kind kind)
{
	switch (kind) {
	case RK_NIL:
		return "nil";
	case RK_BOOL:
		return "a bool";
	case RK_INT:
	case RK_UINT:
		return "an integer";
	case RK_F32:
	case RK_F64:
		return "a float";
	case RK_STR:
		return "a string";
	case RK_BIN:
		return "binary";
	case RK_EXT:
		return "an extension";
	case RK_ARRAY:
		return "a list";
	case RK_MAP:
		return "a map";
	}
	return "something";
}

/* The item that is next is not what is wanted. */
enum rk_err
typed_wrong(
    struct typed_reader *d, const struct typed_path *path, const char *wanted)
{
	struct gp_reader in = d->in;
	struct gp_item it;

	if (gp_next(&in, &it) != RK_OK)
		return typed_fail(
		    d->err, RK_EFORMAT, path, "cut off, or no msgpack");
	return typed_fail(
	    d->err, RK_EINVAL, path, "%s, not %s", kind_text(it.kind), wanted);
}

enum rk_err
typed_no_budget(struct typed_reader *d, const struct typed_path *path)
{
	return typed_fail(d->err, RK_ETOOBIG, path,
	    "takes too much memory for a message of this size");
}

/* Zeroed; NULL out of nothing. */
enum rk_err
typed_take_memory(struct typed_reader *d, const struct typed_path *path,
    size_t n, size_t size, void **out)
{
	size_t total;

	*out = NULL;
	if (n == 0)
		return RK_OK;
	if (size_mul(n, size, &total) != RK_OK ||
	    (total = typed_block(total)) > d->budget)
		return typed_no_budget(d, path);
	d->budget -= total;
	*out = calloc(n, size);
	if (*out == NULL)
		return typed_fail(d->err, RK_ENOMEM, path, "out of memory");
	return RK_OK;
}

enum rk_err
typed_check_count(struct typed_reader *d, const struct rk_field *f,
    const struct typed_path *path, size_t n, const char *what)
{
	if (!typed_has_limits(f) ||
	    (n >= (uint64_t)f->min && n <= (uint64_t)f->max))
		return RK_OK;
	return typed_fail(d->err, RK_EINVAL, path,
	    "%zu %s; %lld to %lld are allowed", n, what, (long long)f->min,
	    (long long)f->max);
}

/* ---- numbers ---- */

static enum rk_err
get_bool(struct typed_reader *d, char *at, const struct typed_path *path)
{
	bool v;

	if (gp_get_bool(&d->in, &v) != RK_OK)
		return typed_wrong(d, path, "a bool");
	memcpy(at, &v, sizeof(v));
	return RK_OK;
}

static enum rk_err
check_signed(struct typed_reader *d, const struct rk_field *f,
    const struct typed_path *path, int64_t v)
{
	const struct typed_kind *k = typed_kind(f->kind);

	if (v < k->least || v > (int64_t)k->most)
		return typed_fail(d->err, RK_EINVAL, path,
		    "%lld does not fit %s", (long long)v, k->name);
	if (typed_has_limits(f) && (v < f->min || v > f->max))
		return typed_fail(d->err, RK_EINVAL, path,
		    "%lld is not in %lld to %lld", (long long)v,
		    (long long)f->min, (long long)f->max);
	return RK_OK;
}

static enum rk_err
check_unsigned(struct typed_reader *d, const struct rk_field *f,
    const struct typed_path *path, uint64_t v)
{
	const struct typed_kind *k = typed_kind(f->kind);

	if (v > k->most)
		return typed_fail(d->err, RK_EINVAL, path,
		    "%llu does not fit %s", (unsigned long long)v, k->name);
	if (typed_has_limits(f) &&
	    (v < (uint64_t)f->min || v > (uint64_t)f->max))
		return typed_fail(d->err, RK_EINVAL, path,
		    "%llu is not in %lld to %lld", (unsigned long long)v,
		    (long long)f->min, (long long)f->max);
	return RK_OK;
}

/* An integer of the right kind that no code of it can say. */
static enum rk_err
beyond(struct typed_reader *d, const struct rk_field *f,
    const struct typed_path *path)
{
	const struct typed_kind *k = typed_kind(f->kind);
	struct gp_reader in = d->in;
	struct gp_item it;
	bool is_item = gp_next(&in, &it) == RK_OK;

	if (is_item && it.kind == RK_INT)
		return typed_fail(d->err, RK_EINVAL, path,
		    "%lld does not fit %s", (long long)it.u.i64, k->name);
	if (is_item && it.kind == RK_UINT)
		return typed_fail(d->err, RK_EINVAL, path,
		    "%llu does not fit %s", (unsigned long long)it.u.u64,
		    k->name);
	return typed_wrong(d, path, "an integer");
}

static enum rk_err
get_integer(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path)
{
	bool is_signed = typed_is_signed(f->kind);
	uint64_t u = 0;
	int64_t i = 0;
	enum rk_err r;

	if (is_signed)
		r = gp_get_int(&d->in, &i);
	else
		r = gp_get_uint(&d->in, &u);
	if (r != RK_OK)
		return beyond(d, f, path);
	if (is_signed)
		r = check_signed(d, f, path, i);
	else
		r = check_unsigned(d, f, path, u);
	if (r == RK_OK)
		typed_store_int(f, at, is_signed ? (uint64_t)i : u);
	return r;
}

/* Floats of either width, and integers that they hold exactly. */
static bool
take_double(struct typed_reader *d, double *v)
{
	const int64_t exact = INT64_C(1) << 53;
	struct gp_reader in = d->in;
	struct gp_item it;
	uint32_t low;
	float f;

	if (gp_next(&in, &it) != RK_OK)
		return false;
	if (it.kind == RK_F64) {
		memcpy(v, &it.u.u64, sizeof(*v));
	} else if (it.kind == RK_F32) {
		low = (uint32_t)it.u.u64;
		memcpy(&f, &low, sizeof(f));
		*v = (double)f;
	} else if (it.kind == RK_UINT && it.u.u64 <= (uint64_t)exact) {
		*v = (double)it.u.u64;
	} else if (it.kind == RK_INT && it.u.i64 >= -exact) {
		*v = (double)it.u.i64;
	} else {
		return false;
	}
	d->in = in;
	return true;
}

/* A 32-bit float as it is, so that no bit of a NaN is lost. */
static bool
take_f32(struct typed_reader *d, char *at)
{
	struct gp_reader in = d->in;
	struct gp_item it;
	uint32_t low;

	if (gp_next(&in, &it) != RK_OK || it.kind != RK_F32)
		return false;
	low = (uint32_t)it.u.u64;
	memcpy(at, &low, sizeof(low));
	return true;
}

static enum rk_err
get_float(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path)
{
	bool is_f32 = f->kind == RK_FIELD_IS_F32;
	bool is_stored = is_f32 && take_f32(d, at);
	float f32;
	double v;

	if (!take_double(d, &v))
		return typed_wrong(d, path, "a float");
	if (is_f32 && v - v == 0 &&
	    (v > (double)FLT_MAX || v < -(double)FLT_MAX))
		return typed_fail(
		    d->err, RK_EINVAL, path, "%g does not fit float32", v);
	if (typed_has_limits(f) &&
	    !(v >= (double)f->min && v <= (double)f->max))
		return typed_fail(d->err, RK_EINVAL, path,
		    "%g is not in %lld to %lld", v, (long long)f->min,
		    (long long)f->max);
	if (is_stored)
		return RK_OK;
	f32 = (float)v;
	if (is_f32)
		memcpy(at, &f32, sizeof(f32));
	else
		memcpy(at, &v, sizeof(v));
	return RK_OK;
}

/* ---- times ---- */

static enum rk_err
get_time(struct typed_reader *d, char *at, const struct typed_path *path)
{
	struct rk_time t;
	struct rk_str s;

	if (gp_get_time(&d->in, &t) != RK_OK) {
		if (gp_get_str(&d->in, &s) != RK_OK)
			return typed_wrong(d, path, "a time");
		if (typed_parse_time(s, &t) != RK_OK)
			return typed_fail(d->err, RK_EINVAL, path,
			    "not a time such as 2026-11-27T08:00:00Z");
	}
	memcpy(at, &t, sizeof(t));
	return RK_OK;
}

/* Go's: an extension of type 7 with an integer in it. */
static bool
take_duration(struct typed_reader *d, int64_t *ns)
{
	struct gp_reader in = d->in;
	struct gp_reader inner;
	struct gp_item it;

	if (gp_next(&in, &it) != RK_OK || it.kind != RK_EXT || it.ext_type != 7)
		return false;
	inner.p = it.u.bytes.ptr;
	inner.end = inner.p + it.u.bytes.len;
	if (gp_get_int(&inner, ns) != RK_OK || inner.p != inner.end)
		return false;
	d->in = in;
	return true;
}

static enum rk_err
get_duration(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path)
{
	struct rk_str s;
	int64_t ns;
	enum rk_err r;

	if (!take_duration(d, &ns)) {
		if (gp_get_str(&d->in, &s) != RK_OK)
			return typed_wrong(d, path, "a duration");
		if (typed_parse_duration(s, &ns) != RK_OK)
			return typed_fail(d->err, RK_EINVAL, path,
			    "not a duration such as 1m30s or 250ms");
	}
	if ((r = check_signed(d, f, path, ns)) == RK_OK)
		memcpy(at, &ns, sizeof(ns));
	return r;
}

/* ---- what owns something ---- */

/* A string as C has them; NULL when empty. */
enum rk_err
typed_copy_text(struct typed_reader *d, const struct typed_path *path,
    struct rk_str s, char **out)
{
	void *copy;
	enum rk_err r;

	*out = NULL;
	if (s.len == 0)
		return RK_OK;
	if (memchr(s.ptr, '\0', s.len) != NULL)
		return typed_fail(
		    d->err, RK_EINVAL, path, "a string with a zero byte");
	if ((r = typed_take_memory(d, path, s.len + 1, 1, &copy)) != RK_OK)
		return r;
	memcpy(copy, s.ptr, s.len);
	*out = copy;
	return RK_OK;
}

static enum rk_err
get_text(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path)
{
	struct rk_str s;
	char *copy;
	enum rk_err r;

	if (gp_get_str(&d->in, &s) != RK_OK)
		return typed_wrong(d, path, "a string");
	if ((f->shape != RK_FIELD_MANY &&
	        (r = typed_check_count(d, f, path, s.len, "bytes")) != RK_OK) ||
	    (r = typed_copy_text(d, path, s, &copy)) != RK_OK)
		return r;
	free(typed_load_ptr(at)); /* the default */
	typed_store_ptr(at, copy);
	return RK_OK;
}

static enum rk_err
get_chars(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path)
{
	struct rk_str s;
	enum rk_err r;

	if (gp_get_str(&d->in, &s) != RK_OK)
		return typed_wrong(d, path, "a string");
	if ((r = typed_check_count(d, f, path, s.len, "bytes")) != RK_OK)
		return r;
	if (s.len >= f->size)
		return typed_fail(d->err, RK_EINVAL, path,
		    "%zu bytes; at most %zu fit", s.len, f->size - 1);
	if (s.len != 0 && memchr(s.ptr, '\0', s.len) != NULL)
		return typed_fail(
		    d->err, RK_EINVAL, path, "a string with a zero byte");
	memset(at, 0, f->size);
	if (s.len != 0)
		memcpy(at, s.ptr, s.len);
	return RK_OK;
}

static enum rk_err
get_blob(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path)
{
	struct rk_bytes b;
	struct rk_str s;
	struct rk_blob blob;
	void *copy;
	enum rk_err r;

	if (gp_get_bin(&d->in, &b) != RK_OK) {
		if (gp_get_str(&d->in, &s) != RK_OK)
			return typed_wrong(d, path, "binary");
		b = (struct rk_bytes){ (const uint8_t *)s.ptr, s.len };
	}
	if ((f->shape != RK_FIELD_MANY &&
	        (r = typed_check_count(d, f, path, b.len, "bytes")) != RK_OK) ||
	    (r = typed_take_memory(d, path, b.len, 1, &copy)) != RK_OK)
		return r;
	if (b.len != 0)
		memcpy(copy, b.ptr, b.len);
	blob = (struct rk_blob){ copy, b.len };
	memcpy(at, &blob, sizeof(blob));
	return RK_OK;
}

enum rk_err
typed_get_scalar(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path)
{
	switch (f->kind) {
	case RK_FIELD_IS_BOOL:
		return get_bool(d, at, path);
	case RK_FIELD_IS_I8:
	case RK_FIELD_IS_I16:
	case RK_FIELD_IS_I32:
	case RK_FIELD_IS_I64:
	case RK_FIELD_IS_INT:
	case RK_FIELD_IS_U8:
	case RK_FIELD_IS_U16:
	case RK_FIELD_IS_U32:
	case RK_FIELD_IS_U64:
	case RK_FIELD_IS_UINT:
		return get_integer(d, f, at, path);
	case RK_FIELD_IS_F32:
	case RK_FIELD_IS_F64:
		return get_float(d, f, at, path);
	case RK_FIELD_IS_STR:
		return get_text(d, f, at, path);
	case RK_FIELD_IS_CHARS:
		return get_chars(d, f, at, path);
	case RK_FIELD_IS_BYTES:
		return get_blob(d, f, at, path);
	case RK_FIELD_IS_TIME:
		return get_time(d, at, path);
	case RK_FIELD_IS_DURATION:
		return get_duration(d, f, at, path);
	case RK_FIELD_IS_RETIRED:
	case RK_FIELD_IS_MAP:
	case RK_FIELD_IS_RECORD:
		break; /* containers */
	}
	return RK_EINVAL;
}
