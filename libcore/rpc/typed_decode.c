/* Typed structs from msgpack: every value checked against the table. */
#include "rpc/typed_int.h"

#include "base/error.h"

#include <stdlib.h>

/* What small messages may take beyond their share. */
#define BUDGET_LEAST 65536
#define GROWTH 4

static enum rk_err get_record(struct typed_reader *d,
    const struct rk_record *type, char *data, const struct typed_path *path,
    size_t depth);

static enum rk_err
check_depth(struct typed_reader *d, const struct typed_path *path, size_t depth)
{
	if (depth <= RK_VALUE_DEPTH_MAX)
		return RK_OK;
	return typed_fail(d->err, RK_ETOOBIG, path,
	    "more than %d records, lists and maps inside one another",
	    RK_VALUE_DEPTH_MAX);
}

/* ---- containers ---- */

static enum rk_err
get_pair(
    struct typed_reader *d, struct rk_pair *pair, const struct typed_path *path)
{
	struct rk_str s;
	enum rk_err r;

	if (gp_get_key(&d->in, &s) != RK_OK)
		return typed_wrong(d, path, "a string");
	if ((r = typed_copy_text(d, path, s, &pair->key)) != RK_OK)
		return r;
	if (gp_take_nil(&d->in))
		return RK_OK;
	if (gp_get_str(&d->in, &s) != RK_OK)
		return typed_wrong(d, path, "a string");
	return typed_copy_text(d, path, s, &pair->value);
}

static enum rk_err
get_map(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path, size_t depth)
{
	struct typed_path one = { path->up, path->name, 0 };
	struct rk_map map = { .count = 0 };
	uint32_t n;
	void *items;
	enum rk_err r;

	if ((r = check_depth(d, path, depth)) != RK_OK)
		return r;
	if (gp_get_map(&d->in, &n) != RK_OK)
		return typed_wrong(d, path, "a map");
	if ((f->shape != RK_FIELD_MANY &&
	        (r = typed_check_count(d, f, path, n, "entries")) != RK_OK) ||
	    (r = typed_take_memory(d, path, n, sizeof(*map.items), &items)) !=
	        RK_OK)
		return r;
	map = (struct rk_map){ items, n };
	memcpy(at, &map, sizeof(map));
	for (; r == RK_OK && one.index < n; one.index++)
		r = get_pair(d, &map.items[one.index], &one);
	return r;
}

static enum rk_err
get_one(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path, size_t depth)
{
	if (f->kind == RK_FIELD_IS_MAP)
		return get_map(d, f, at, path, depth + 1);
	if (f->kind == RK_FIELD_IS_RECORD)
		return get_record(d, f->of, at, path, depth + 1);
	return typed_get_scalar(d, f, at, path);
}

/* The defaults of a record that was just made. */
static enum rk_err
init_new(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path)
{
	enum rk_err r;

	if (f->kind != RK_FIELD_IS_RECORD)
		return RK_OK;
	r = typed_init(f->of, at, &d->budget);
	if (r == RK_ETOOBIG)
		return typed_no_budget(d, path);
	return r == RK_OK ? r : typed_fail(d->err, r, path, "out of memory");
}

static enum rk_err
get_list(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path, size_t depth)
{
	/* Limits of a list are about how many it has. */
	struct rk_field each = *f;
	struct typed_path one = { path->up, path->name, 0 };
	struct gp_reader in = d->in;
	struct typed_list list;
	struct gp_item it;
	enum rk_err r;

	if ((r = check_depth(d, path, depth)) != RK_OK)
		return r;
	if (gp_next(&in, &it) != RK_OK || it.kind != RK_ARRAY)
		return typed_wrong(d, path, "a list");
	if ((r = typed_check_count(d, f, path, it.count, "elements")) !=
	        RK_OK ||
	    (r = typed_take_memory(d, path, it.count, f->size, &list.items)) !=
	        RK_OK)
		return r;
	d->in = in;
	each.min = each.max = 0;
	list.count = it.count;
	typed_store_list(at, list);
	for (; r == RK_OK && one.index < list.count; one.index++) {
		char *item = (char *)list.items + one.index * f->size;

		r = init_new(d, f, item, &one);
		if (r == RK_OK && !gp_take_nil(&d->in))
			r = get_one(d, &each, item, &one, depth);
	}
	return r;
}

static enum rk_err
get_optional(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *path, size_t depth)
{
	void *item;
	enum rk_err r;

	if ((r = typed_take_memory(d, path, 1, f->size, &item)) != RK_OK)
		return r;
	typed_store_ptr(at, item);
	if ((r = init_new(d, f, item, path)) != RK_OK)
		return r;
	return get_one(d, f, item, path, depth);
}

/* ---- records ---- */

/* "A", "A_zid07" or "A_zid07_int": the name and the number tell. */
static bool
is_key_of(const struct rk_field *f, struct rk_str key)
{
	static const char zid[] = "_zid";
	size_t n = f->name == NULL ? 0 : strlen(f->name);
	const char *p = key.ptr + n;
	size_t left = key.len - n;

	if (n == 0 || key.len < n || memcmp(key.ptr, f->name, n) != 0)
		return false;
	if (left == 0)
		return true;
	if (left < 6 || memcmp(p, zid, 4) != 0 ||
	    p[4] != (char)('0' + f->id / 10) ||
	    p[5] != (char)('0' + f->id % 10))
		return false;
	return left == 6 || (left == 10 && p[6] == '_');
}

/* The row of a key; they come in the order of rows, mostly. */
static size_t
find_row(const struct rk_record *type, struct rk_str key, size_t likely)
{
	for (size_t i = 0; i < type->n; i++) {
		size_t at = (likely + i) % type->n;

		if (is_key_of(&type->fields[at], key))
			return at;
	}
	return SIZE_MAX;
}

static enum rk_err
get_member(struct typed_reader *d, const struct rk_field *f, char *at,
    const struct typed_path *up, size_t depth)
{
	const struct typed_path path = { up, f->name, SIZE_MAX };

	switch (f->shape) {
	case RK_FIELD_MANY:
		return get_list(d, f, at, &path, depth + 1);
	case RK_FIELD_OPTIONAL:
		return get_optional(d, f, at, &path, depth);
	case RK_FIELD_ONE:
		break;
	}
	return get_one(d, f, at, &path, depth);
}

struct seen {
	uint64_t bits[2];
};

static enum rk_err
get_next(struct typed_reader *d, const struct rk_record *type, char *data,
    const struct typed_path *path, size_t depth, struct seen *seen,
    size_t *likely)
{
	struct rk_str key;
	uint64_t bit;
	size_t i;

	if (gp_get_key(&d->in, &key) != RK_OK)
		return typed_wrong(d, path, "the name of a field");
	if ((i = find_row(type, key, *likely)) == SIZE_MAX) {
		if (gp_skip(&d->in) == RK_OK)
			return RK_OK;
		return typed_fail(d->err, RK_EFORMAT, path,
		    "cut off, too deep or no msgpack in an unknown field");
	}
	*likely = i + 1;
	if (gp_take_nil(&d->in))
		return RK_OK; /* as if it were not there */
	bit = UINT64_C(1) << (i % 64);
	if ((seen->bits[i / 64] & bit) != 0) {
		const struct typed_path twice = { path, type->fields[i].name,
			SIZE_MAX };

		return typed_fail(d->err, RK_EINVAL, &twice, "is there twice");
	}
	seen->bits[i / 64] |= bit;
	return get_member(
	    d, &type->fields[i], data + type->fields[i].offset, path, depth);
}

/* Its defaults are there. */
static enum rk_err
get_record(struct typed_reader *d, const struct rk_record *type, char *data,
    const struct typed_path *path, size_t depth)
{
	struct seen seen = { { 0, 0 } };
	size_t likely = 0;
	uint32_t n;
	enum rk_err r;

	if ((r = check_depth(d, path, depth)) != RK_OK)
		return r;
	if (gp_get_map(&d->in, &n) != RK_OK)
		return typed_wrong(d, path, "a map");
	for (; r == RK_OK && n > 0; n--)
		r = get_next(d, type, data, path, depth, &seen, &likely);
	for (size_t i = 0; r == RK_OK && i < type->n; i++) {
		const struct typed_path one = { path, type->fields[i].name,
			SIZE_MAX };

		if (type->fields[i].required &&
		    (seen.bits[i / 64] >> (i % 64) & 1) == 0)
			r = typed_fail(d->err, RK_EINVAL, &one, "is missing");
	}
	return r;
}

/* ---- all of it ---- */

static size_t
budget_of(const struct rk_record *type, size_t len)
{
	size_t growth = type->growth == 0 ? GROWTH : type->growth;
	size_t budget;

	if (__builtin_mul_overflow(growth, len, &budget) ||
	    __builtin_add_overflow(budget, BUDGET_LEAST, &budget))
		return SIZE_MAX;
	return budget;
}

enum rk_err
rk_typed_decode(const struct rk_record *type, const void *bytes, size_t len,
    void *data, struct rk_error *err)
{
	static const uint8_t empty[] = { 0x80 };
	struct rk_error why = { .code = RK_OK };
	struct typed_reader d = { .budget = budget_of(type, len), .err = &why };
	enum rk_err r;

	d.in.p = len == 0 ? empty : bytes;
	d.in.end = d.in.p + (len == 0 ? sizeof(empty) : len);
	r = typed_init(type, data, NULL);
	if (r == RK_OK)
		r = get_record(&d, type, data, NULL, 1);
	if (r == RK_OK && d.in.p != d.in.end)
		r = typed_fail(&why, RK_EFORMAT, NULL,
		    "%s: %zu bytes behind it", type->name,
		    (size_t)(d.in.end - d.in.p));
	if (r != RK_OK && why.code == RK_OK)
		(void)err_set(&why, r, "%s: %s", type->name, rk_err_text(r));
	if (r != RK_OK)
		rk_typed_free(type, data);
	if (err != NULL)
		*err = why;
	return r;
}

enum rk_err
rk_typed_from_value(const struct rk_record *type, const struct rk_value *value,
    void *data, struct rk_error *err)
{
	uint8_t *bytes = NULL;
	size_t len = 0;
	enum rk_err r = RK_OK;

	memset(data, 0, type->size);
	if (value->kind != RK_NIL)
		r = rk_value_encode(value, &bytes, &len);
	if (r == RK_OK)
		r = rk_typed_decode(type, bytes, len, data, err);
	else
		(void)err_set(err, r, "%s: %s", type->name, rk_err_text(r));
	free(bytes);
	return r;
}
