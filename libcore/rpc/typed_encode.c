/* Typed structs to msgpack: as Go's greenpack writes it, and for people. */
#include "rpc/typed_int.h"

#include "base/be.h"
#include "base/error.h"

#include <stdio.h>

struct writer {
	struct buf *out;
	bool view;
	struct rk_error *err;
};

static enum rk_err put_record(struct writer *w, const struct rk_record *type,
    const char *data, const struct typed_path *path, size_t depth);

/* May there be one container more? */
static enum rk_err
check_depth(struct writer *w, const struct typed_path *path, size_t depth)
{
	if (depth <= RK_VALUE_DEPTH_MAX)
		return RK_OK;
	return typed_fail(w->err, RK_ETOOBIG, path,
	    "more than %d records, lists and maps inside one another",
	    RK_VALUE_DEPTH_MAX);
}

/* ---- scalars ---- */

static enum rk_err
put_bits(struct writer *w, uint8_t code, uint64_t bits, size_t n)
{
	uint8_t text[9] = { code };

	(void)be_put(text + 1, bits, n);
	return buf_put(w->out, text, n + 1);
}

static enum rk_err
put_head(struct writer *w, uint8_t *(*put)(uint8_t *p, uint32_t n), size_t n)
{
	uint8_t head[GP_HEAD_MAX];

	if (n > UINT32_MAX)
		return RK_ETOOBIG;
	return buf_put(w->out, head, (size_t)(put(head, (uint32_t)n) - head));
}

static enum rk_err
put_bytes(struct writer *w, uint8_t *(*put)(uint8_t *p, size_t n),
    const void *data, size_t n)
{
	uint8_t head[GP_HEAD_MAX];
	enum rk_err r;

	if (n > RK_PAYLOAD_MAX)
		return RK_ETOOBIG;
	r = buf_put(w->out, head, (size_t)(put(head, n) - head));
	return r == RK_OK && n != 0 ? buf_put(w->out, data, n) : r;
}

static enum rk_err
put_text(struct writer *w, const char *s)
{
	return put_bytes(w, gp_put_str_head, s, s == NULL ? 0 : strlen(s));
}

static enum rk_err
put_float(struct writer *w, const struct rk_field *f, const char *at)
{
	uint32_t low;
	uint64_t bits;

	if (f->kind == RK_FIELD_IS_F32) {
		memcpy(&low, at, sizeof(low));
		return put_bits(w, 0xca, low, 4);
	}
	memcpy(&bits, at, sizeof(bits));
	return put_bits(w, 0xcb, bits, 8);
}

static enum rk_err
put_integer(struct writer *w, const struct rk_field *f, const char *at)
{
	uint8_t text[GP_SCALAR_MAX];
	uint8_t *end;

	if (typed_is_signed(f->kind))
		end = gp_put_int(text, typed_load_int(f, at));
	else
		end = gp_put_uint(text, typed_load_uint(f, at));
	return buf_put(w->out, text, (size_t)(end - text));
}

static enum rk_err
put_time(struct writer *w, const char *at, const struct typed_path *path)
{
	uint8_t text[GP_TIME_LEN];
	char words[TYPED_TEXT_MAX];
	struct rk_time t;

	memcpy(&t, at, sizeof(t));
	if (!t.is_set)
		return put_bits(w, 0xc0, 0, 0);
	if (t.nsec < 0 || t.nsec >= 1000000000)
		return typed_fail(
		    w->err, RK_EINVAL, path, "nanoseconds are 0 to 999999999");
	if (w->view && typed_format_time(words, &t))
		return put_text(w, words);
	return buf_put(w->out, text, (size_t)(gp_put_time(text, &t) - text));
}

static enum rk_err
put_duration(struct writer *w, const char *at)
{
	static const uint8_t head[] = { 0xc7, 9, 7 };
	char words[TYPED_TEXT_MAX];
	enum rk_err r;
	int64_t ns;

	memcpy(&ns, at, sizeof(ns));
	if (w->view) {
		typed_format_duration(words, ns);
		return put_text(w, words);
	}
	r = buf_put(w->out, head, sizeof(head));
	return r == RK_OK ? put_bits(w, 0xd3, (uint64_t)ns, 8) : r;
}

/* ---- what owns something ---- */

static enum rk_err
put_chars(struct writer *w, const struct rk_field *f, const char *at,
    const struct typed_path *path)
{
	size_t n = strnlen(at, f->size);

	if (n == f->size)
		return typed_fail(w->err, RK_EINVAL, path, "no NUL at its end");
	return put_bytes(w, gp_put_str_head, at, n);
}

static enum rk_err
put_blob(struct writer *w, const char *at, const struct typed_path *path)
{
	struct rk_blob blob;

	memcpy(&blob, at, sizeof(blob));
	if (blob.ptr == NULL && blob.len != 0)
		return typed_fail(w->err, RK_EINVAL, path, "bytes, and NULL");
	return put_bytes(w, gp_put_bin_head, blob.ptr, blob.len);
}

static enum rk_err
put_map(struct writer *w, const char *at, const struct typed_path *path,
    size_t depth)
{
	struct rk_map map;
	enum rk_err r;

	if ((r = check_depth(w, path, depth)) != RK_OK)
		return r;
	memcpy(&map, at, sizeof(map));
	if (map.items == NULL && map.count != 0)
		return typed_fail(w->err, RK_EINVAL, path, "entries, and NULL");
	r = put_head(w, gp_put_map, map.count);
	for (size_t i = 0; r == RK_OK && i < map.count; i++) {
		if ((r = put_text(w, map.items[i].key)) == RK_OK)
			r = put_text(w, map.items[i].value);
	}
	return r;
}

static enum rk_err
put_one(struct writer *w, const struct rk_field *f, const char *at,
    const struct typed_path *path, size_t depth)
{
	switch (f->kind) {
	case RK_FIELD_IS_RETIRED:
		break;
	case RK_FIELD_IS_BOOL:
		return put_bits(w, *at != 0 ? 0xc3 : 0xc2, 0, 0);
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
		return put_integer(w, f, at);
	case RK_FIELD_IS_F32:
	case RK_FIELD_IS_F64:
		return put_float(w, f, at);
	case RK_FIELD_IS_STR:
		return put_text(w, typed_load_ptr(at));
	case RK_FIELD_IS_CHARS:
		return put_chars(w, f, at, path);
	case RK_FIELD_IS_BYTES:
		return put_blob(w, at, path);
	case RK_FIELD_IS_TIME:
		return put_time(w, at, path);
	case RK_FIELD_IS_DURATION:
		return put_duration(w, at);
	case RK_FIELD_IS_MAP:
		return put_map(w, at, path, depth + 1);
	case RK_FIELD_IS_RECORD:
		return put_record(w, f->of, at, path, depth + 1);
	}
	return RK_EINVAL;
}

static enum rk_err
put_list(struct writer *w, const struct rk_field *f, const char *at,
    const struct typed_path *path, size_t depth)
{
	struct typed_list list = typed_load_list(at);
	struct typed_path one = { path->up, path->name, 0 };
	enum rk_err r;

	if ((r = check_depth(w, path, depth)) != RK_OK)
		return r;
	if (list.items == NULL && list.count != 0)
		return typed_fail(
		    w->err, RK_EINVAL, path, "elements, and NULL");
	r = put_head(w, gp_put_array, list.count);
	for (size_t i = 0; r == RK_OK && i < list.count; i++) {
		one.index = i;
		r = put_one(
		    w, f, (const char *)list.items + i * f->size, &one, depth);
	}
	return r;
}

/* ---- records ---- */

static bool
is_zero(const struct rk_field *f, const char *at)
{
	static const char zero[sizeof(uint64_t)];
	struct rk_time t;

	switch (f->kind) {
	case RK_FIELD_IS_STR:
		at = typed_load_ptr(at);
		return at == NULL || *at == '\0';
	case RK_FIELD_IS_CHARS:
		return *at == '\0';
	case RK_FIELD_IS_BYTES:
	case RK_FIELD_IS_MAP: /* both are laid out like a list */
		return typed_load_list(at).count == 0;
	case RK_FIELD_IS_TIME:
		memcpy(&t, at, sizeof(t));
		return !t.is_set;
	case RK_FIELD_IS_RETIRED:
	case RK_FIELD_IS_RECORD:
		return false; /* Go: never empty */
	case RK_FIELD_IS_BOOL:
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
	case RK_FIELD_IS_F32: /* but not -0.0 */
	case RK_FIELD_IS_F64:
	case RK_FIELD_IS_DURATION:
		break;
	}
	return memcmp(at, zero, f->size) == 0;
}

static bool
is_sent(const struct writer *w, const struct rk_field *f, const char *at,
    size_t depth)
{
	bool is_list = f->shape == RK_FIELD_MANY || f->kind == RK_FIELD_IS_MAP;

	if (f->kind == RK_FIELD_IS_RETIRED)
		return false;
	if (f->shape == RK_FIELD_OPTIONAL)
		return f->required || typed_load_ptr(at) != NULL;
	/* In the innermost record there is no room even for an empty list. */
	if (w->view && !(is_list && depth == RK_VALUE_DEPTH_MAX))
		return true;
	if (f->required || typed_has_default(f))
		return true;
	if (f->shape == RK_FIELD_MANY)
		return typed_load_list(at).count != 0;
	return !is_zero(f, at);
}

static const char *
clue_of(const struct rk_field *f)
{
	if (f->clue != NULL)
		return f->clue;
	if (f->shape == RK_FIELD_MANY)
		return "slc";
	return f->shape == RK_FIELD_OPTIONAL ? "ptr"
	                                     : typed_kind(f->kind)->clue;
}

static enum rk_err
put_member(struct writer *w, const struct rk_field *f, const char *at,
    const struct typed_path *up, size_t depth)
{
	const struct typed_path path = { up, f->name, SIZE_MAX };
	char key[RK_FIELD_NAME_MAX + 16];
	enum rk_err r;

	(void)snprintf(key, sizeof(key), w->view ? "%s" : "%s_zid%02u_%s",
	    f->name, f->id, clue_of(f));
	if ((r = put_text(w, key)) != RK_OK)
		return r;
	if (f->shape == RK_FIELD_MANY)
		return put_list(w, f, at, &path, depth + 1);
	if (f->shape == RK_FIELD_OPTIONAL && (at = typed_load_ptr(at)) == NULL)
		return put_bits(w, 0xc0, 0, 0);
	return put_one(w, f, at, &path, depth);
}

static enum rk_err
put_record(struct writer *w, const struct rk_record *type, const char *data,
    const struct typed_path *path, size_t depth)
{
	size_t n = 0;
	enum rk_err r;

	if ((r = check_depth(w, path, depth)) != RK_OK)
		return r;
	for (size_t i = 0; i < type->n; i++)
		n += is_sent(
		    w, &type->fields[i], data + type->fields[i].offset, depth);
	r = put_head(w, gp_put_map, n);
	for (size_t i = 0; r == RK_OK && i < type->n; i++) {
		const struct rk_field *f = &type->fields[i];

		if (is_sent(w, f, data + f->offset, depth))
			r = put_member(w, f, data + f->offset, path, depth);
	}
	return r;
}

/* Appends; `view` is what rk_typed_to_value() gives. */
static enum rk_err
put(struct buf *b, const struct rk_record *type, const void *data, bool view,
    struct rk_error *err)
{
	struct rk_error why = { .code = RK_OK };
	struct writer w = { .out = b, .view = view, .err = &why };
	enum rk_err r = put_record(&w, type, data, NULL, 1);

	if (r != RK_OK && why.code == RK_OK)
		(void)err_set(&why, r, "%s: %s", type->name, rk_err_text(r));
	if (err != NULL)
		*err = why;
	return r;
}

enum rk_err
rk_typed_encode(const struct rk_record *type, const void *data, uint8_t **out,
    size_t *len, struct rk_error *err)
{
	struct buf b;
	enum rk_err r;

	*out = NULL;
	*len = 0;
	buf_init(&b, RK_PAYLOAD_MAX);
	r = put(&b, type, data, false, err);
	if (r == RK_OK && (r = buf_take(&b, out, len)) != RK_OK)
		(void)err_set(err, r, "%s: %s", type->name, rk_err_text(r));
	buf_fini(&b);
	return r;
}

enum rk_err
rk_typed_to_value(const struct rk_record *type, const void *data,
    struct rk_value_doc **out, struct rk_error *err)
{
	struct buf b;
	enum rk_err r;

	*out = NULL;
	buf_init(&b, RK_BODY_MAX);
	r = put(&b, type, data, true, err);
	if (r == RK_OK &&
	    (r = rk_value_decode(buf_peek(&b), buf_len(&b), out)) != RK_OK)
		(void)err_set(err, r, "%s: %s", type->name, rk_err_text(r));
	buf_fini(&b);
	return r;
}
