/* Typed structs: kinds of members, their defaults, what they own. */
#include "rpc/typed_int.h"

#include "base/error.h"
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LENGTH .has_length = true
#define SIGNED(low, high) .has_number = true, .least = (low), .most = (high)
#define UNSIGNED(high) .has_number = true, .most = (high)

static const struct typed_kind kinds[] = {
	[RK_FIELD_IS_RETIRED] = { "", "retired", .size = 0 },
	[RK_FIELD_IS_BOOL] = { "boo", "bool", sizeof(bool), .most = 1 },
	[RK_FIELD_IS_I8] = { "i08", "int8", 1, SIGNED(INT8_MIN, INT8_MAX) },
	[RK_FIELD_IS_I16] = { "i16", "int16", 2, SIGNED(INT16_MIN, INT16_MAX) },
	[RK_FIELD_IS_I32] = { "i32", "int32", 4, SIGNED(INT32_MIN, INT32_MAX) },
	[RK_FIELD_IS_I64] = { "i64", "int64", 8, SIGNED(INT64_MIN, INT64_MAX) },
	[RK_FIELD_IS_INT] = { "int", "int", 8, SIGNED(INT64_MIN, INT64_MAX) },
	[RK_FIELD_IS_U8] = { "u08", "uint8", 1, UNSIGNED(UINT8_MAX) },
	[RK_FIELD_IS_U16] = { "u16", "uint16", 2, UNSIGNED(UINT16_MAX) },
	[RK_FIELD_IS_U32] = { "u32", "uint32", 4, UNSIGNED(UINT32_MAX) },
	[RK_FIELD_IS_U64] = { "u64", "uint64", 8, UNSIGNED(UINT64_MAX) },
	[RK_FIELD_IS_UINT] = { "unt", "uint", 8, UNSIGNED(UINT64_MAX) },
	[RK_FIELD_IS_F32] = { "f32", "float32", 4, .has_number = true },
	[RK_FIELD_IS_F64] = { "f64", "float64", 8, .has_number = true },
	[RK_FIELD_IS_STR] = { "str", "string", sizeof(char *), LENGTH },
	[RK_FIELD_IS_CHARS] = { "str", "string", 0, LENGTH },
	[RK_FIELD_IS_BYTES] = { "bin", "bytes", sizeof(struct rk_blob),
	    LENGTH },
	[RK_FIELD_IS_TIME] = { "tim", "time", .size = sizeof(struct rk_time) },
	[RK_FIELD_IS_DURATION] = { "dur", "duration", 8,
	    SIGNED(INT64_MIN, INT64_MAX) },
	[RK_FIELD_IS_MAP] = { "map", "map[string]string", sizeof(struct rk_map),
	    LENGTH },
	[RK_FIELD_IS_RECORD] = { "rct", "struct", .size = 0 },
};

const struct typed_kind *
typed_kind(enum rk_field_kind kind)
{
	if ((unsigned)kind >= sizeof(kinds) / sizeof(kinds[0]))
		return NULL;
	return &kinds[kind];
}

/* ---- members, whatever their type ---- */

int64_t
typed_load_int(const struct rk_field *f, const void *at)
{
	int8_t i8;
	int16_t i16;
	int32_t i32;
	int64_t i64;

	switch (f->size) {
	case 1:
		memcpy(&i8, at, sizeof(i8));
		return i8;
	case 2:
		memcpy(&i16, at, sizeof(i16));
		return i16;
	case 4:
		memcpy(&i32, at, sizeof(i32));
		return i32;
	default:
		memcpy(&i64, at, sizeof(i64));
		return i64;
	}
}

uint64_t
typed_load_uint(const struct rk_field *f, const void *at)
{
	uint64_t v = (uint64_t)typed_load_int(f, at);

	/* Without what the sign spread. */
	return f->size >= 8 ? v : v & ((UINT64_C(1) << (8 * f->size)) - 1);
}

void
typed_store_int(const struct rk_field *f, void *at, uint64_t bits)
{
	uint8_t u8 = (uint8_t)bits;
	uint16_t u16 = (uint16_t)bits;
	uint32_t u32 = (uint32_t)bits;

	switch (f->size) {
	case 1:
		memcpy(at, &u8, sizeof(u8));
		break;
	case 2:
		memcpy(at, &u16, sizeof(u16));
		break;
	case 4:
		memcpy(at, &u32, sizeof(u32));
		break;
	default:
		memcpy(at, &bits, sizeof(bits));
		break;
	}
}

/* All pointers to objects look alike here, whatever they point to. */
void *
typed_load_ptr(const void *at)
{
	void *ptr;

	memcpy(&ptr, at, sizeof(ptr));
	return ptr;
}

void
typed_store_ptr(void *at, void *ptr)
{
	memcpy(at, &ptr, sizeof(ptr));
}

struct typed_list
typed_load_list(const void *at)
{
	struct typed_list list;

	memcpy(&list, at, sizeof(list));
	return list;
}

void
typed_store_list(void *at, struct typed_list list)
{
	memcpy(at, &list, sizeof(list));
}

/* ---- messages ---- */

static size_t
put_step(char *dst, size_t len, const struct typed_path *p, bool first)
{
	int n;

	if (p->index == SIZE_MAX)
		n = snprintf(dst, len, "%s%s", first ? "" : ".", p->name);
	else
		n = snprintf(
		    dst, len, "%s%s[%zu]", first ? "" : ".", p->name, p->index);
	return n < 0 || (size_t)n >= len ? len - 1 : (size_t)n;
}

/* Names are ours, and a table's: nothing to escape. */
static void
path_text(const struct typed_path *path, char *dst, size_t len)
{
	const struct typed_path *steps[RK_VALUE_DEPTH_MAX + 2];
	size_t n = 0;
	size_t at = 0;

	for (; path != NULL && n < sizeof(steps) / sizeof(steps[0]);
	     path = path->up)
		steps[n++] = path;
	dst[0] = '\0';
	for (size_t i = n; i > 0; i--)
		at += put_step(dst + at, len - at, steps[i - 1], i == n);
}

enum rk_err
typed_fail(struct rk_error *err, enum rk_err code,
    const struct typed_path *path, const char *fmt, ...)
{
	char where[RK_ERROR_TEXT_LEN / 2];
	char what[RK_ERROR_TEXT_LEN / 2];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	path_text(path, where, sizeof(where));
	return err_set(
	    err, code, "%s%s%s", where, where[0] == '\0' ? "" : ": ", what);
}

/* ---- defaults ---- */

size_t
typed_block(size_t n)
{
	size_t total;

	if (__builtin_add_overflow(
	        n, TYPED_BLOCK_HEAD + TYPED_BLOCK_STEP - 1, &total))
		return SIZE_MAX;
	total -= total % TYPED_BLOCK_STEP;
	return total < TYPED_BLOCK_LEAST ? TYPED_BLOCK_LEAST : total;
}

static enum rk_err
init_text(const struct rk_field *f, char *at, size_t *budget)
{
	size_t n = strlen(f->initial_text) + 1;
	char *copy;

	if (f->kind == RK_FIELD_IS_CHARS) {
		memcpy(at, f->initial_text, n);
		return RK_OK;
	}
	if (budget != NULL && *budget < typed_block(n))
		return RK_ETOOBIG;
	if (budget != NULL)
		*budget -= typed_block(n);
	if ((copy = malloc(n)) == NULL)
		return RK_ENOMEM;
	memcpy(copy, f->initial_text, n);
	typed_store_ptr(at, copy);
	return RK_OK;
}

static enum rk_err
init_member(const struct rk_field *f, char *at, size_t *budget)
{
	float f32 = (float)f->initial_float;

	if (f->shape != RK_FIELD_ONE)
		return RK_OK;
	if (f->kind == RK_FIELD_IS_RECORD)
		return typed_init(f->of, at, budget);
	if (f->initial_text != NULL)
		return init_text(f, at, budget);
	if (f->initial != 0)
		typed_store_int(f, at, (uint64_t)f->initial);
	else if (f->kind == RK_FIELD_IS_F32)
		memcpy(at, &f32, sizeof(f32));
	else if (f->kind == RK_FIELD_IS_F64)
		memcpy(at, &f->initial_float, sizeof(f->initial_float));
	return RK_OK;
}

enum rk_err
typed_init(const struct rk_record *type, void *data, size_t *budget)
{
	enum rk_err r = RK_OK;

	memset(data, 0, type->size);
	for (size_t i = 0; r == RK_OK && i < type->n; i++) {
		const struct rk_field *f = &type->fields[i];

		r = init_member(f, (char *)data + f->offset, budget);
	}
	return r;
}

enum rk_err
rk_typed_init(const struct rk_record *type, void *data)
{
	enum rk_err r = typed_init(type, data, NULL);

	if (r != RK_OK)
		rk_typed_free(type, data);
	return r;
}

/* ---- the end ---- */

static void
free_map(const char *at)
{
	struct rk_map map;

	memcpy(&map, at, sizeof(map));
	for (size_t i = 0; map.items != NULL && i < map.count; i++) {
		free(map.items[i].key);
		free(map.items[i].value);
	}
	free(map.items);
}

static void
free_one(const struct rk_field *f, char *at)
{
	if (f->kind == RK_FIELD_IS_STR || f->kind == RK_FIELD_IS_BYTES)
		free(typed_load_ptr(at));
	else if (f->kind == RK_FIELD_IS_MAP)
		free_map(at);
	else if (f->kind == RK_FIELD_IS_RECORD)
		rk_typed_free(f->of, at);
}

static void
free_member(const struct rk_field *f, char *at)
{
	struct typed_list list;
	char *one;

	switch (f->shape) {
	case RK_FIELD_ONE:
		free_one(f, at);
		break;
	case RK_FIELD_MANY:
		list = typed_load_list(at);
		for (size_t i = 0; list.items != NULL && i < list.count; i++)
			free_one(f, (char *)list.items + i * f->size);
		free(list.items);
		break;
	case RK_FIELD_OPTIONAL:
		if ((one = typed_load_ptr(at)) != NULL)
			free_one(f, one);
		free(one);
		break;
	}
}

void
rk_typed_free(const struct rk_record *type, void *data)
{
	if (data == NULL)
		return;
	for (size_t i = 0; i < type->n; i++) {
		const struct rk_field *f = &type->fields[i];

		if (f->kind != RK_FIELD_IS_RETIRED)
			free_member(f, (char *)data + f->offset);
	}
	memset(data, 0, type->size);
}
