/* Typed structs for tests, filled at random. */
#include "typedfill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

/* splitmix64 */
uint64_t
typedfill_next(uint64_t *seed)
{
	uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void *
make(size_t n, size_t size)
{
	void *p = calloc(n, size);

	assert_non_null(p);
	return p;
}

/* Of every length in bits, so that every code of msgpack is met. */
static uint64_t
bits(uint64_t *seed)
{
	uint64_t v = typedfill_next(seed);

	return v >> (typedfill_next(seed) % 64);
}

static int64_t
number(uint64_t *seed)
{
	int64_t v = (int64_t)(bits(seed) >> 1);

	return typedfill_next(seed) % 2 == 0 ? v : -v - 1;
}

static size_t
length(uint64_t *seed)
{
	static const size_t many[] = { 0, 0, 1, 2, 3, 15, 16, 40, 300 };

	return many[typedfill_next(seed) % (sizeof(many) / sizeof(many[0]))];
}

static char *
text(uint64_t *seed)
{
	size_t n = length(seed);
	char *s = n == 0 ? NULL : make(n + 1, 1);

	for (size_t i = 0; i < n; i++)
		s[i] = (char)(typedfill_next(seed) % 255 + 1);
	return s;
}

static void
fill_blob(struct rk_blob *b, uint64_t *seed)
{
	b->len = length(seed);
	b->ptr = b->len == 0 ? NULL : make(b->len, 1);
	for (size_t i = 0; i < b->len; i++)
		b->ptr[i] = (uint8_t)typedfill_next(seed);
}

static void
fill_time(struct rk_time *t, uint64_t *seed)
{
	t->is_set = typedfill_next(seed) % 3 != 0;
	t->sec = t->is_set ? number(seed) : 0;
	t->nsec = t->is_set ? (int32_t)(typedfill_next(seed) % 1000000000) : 0;
}

static void
fill_map(struct rk_map *m, uint64_t *seed)
{
	m->count = length(seed) % 17;
	m->items = m->count == 0 ? NULL : make(m->count, sizeof(*m->items));
	for (size_t i = 0; i < m->count; i++) {
		m->items[i].key = text(seed);
		m->items[i].value = text(seed);
	}
}

static void
fill_point(struct point *p, uint64_t *seed)
{
	p->x = number(seed);
	p->y = (int64_t)(typedfill_next(seed) % 2001) - 1000;
	p->label = text(seed);
}

/* Only these bits of a float are looked at; a quiet NaN stays what it is. */
static float
f32(uint64_t *seed)
{
	uint32_t low = (uint32_t)typedfill_next(seed);
	float f;

	memcpy(&f, &low, sizeof(f));
	return f;
}

static double
f64(uint64_t *seed)
{
	uint64_t all = typedfill_next(seed);
	double f;

	memcpy(&f, &all, sizeof(f));
	return f;
}

static void
fill_node(struct node *n, uint64_t *seed, unsigned depth)
{
	n->value = (int32_t)number(seed);
	if (depth == 0)
		return;
	if (typedfill_next(seed) % 2 == 0) {
		n->next = make(1, sizeof(*n->next));
		fill_node(n->next, seed, depth - 1);
	}
	n->children.count = typedfill_next(seed) % 3;
	if (n->children.count != 0)
		n->children.items =
		    make(n->children.count, sizeof(struct node));
	for (size_t i = 0; i < n->children.count; i++)
		fill_node(&n->children.items[i], seed, depth - 1);
}

#define FILL_LIST(list, each)                                          \
	do {                                                           \
		(list).count = length(seed);                           \
		if ((list).count != 0)                                 \
			(list).items =                                 \
			    make((list).count, sizeof(*(list).items)); \
		for (size_t i = 0; i < (list).count; i++) {            \
			each;                                          \
		}                                                      \
	} while (0)

static void
fill_lists(struct every *e, uint64_t *seed)
{
	FILL_LIST(e->i16s, e->i16s.items[i] = (int16_t)number(seed));
	FILL_LIST(e->u64s, e->u64s.items[i] = bits(seed));
	FILL_LIST(e->flags, e->flags.items[i] = typedfill_next(seed) % 2 != 0);
	FILL_LIST(e->f64s, e->f64s.items[i] = f64(seed));
	FILL_LIST(e->strs, e->strs.items[i] = text(seed));
	FILL_LIST(e->blobs, fill_blob(&e->blobs.items[i], seed));
	FILL_LIST(e->times, fill_time(&e->times.items[i], seed));
	FILL_LIST(e->durations, e->durations.items[i] = number(seed));
	FILL_LIST(e->maps, fill_map(&e->maps.items[i], seed));
	FILL_LIST(e->points, fill_point(&e->points.items[i], seed));
}

static void
fill_maybes(struct every *e, uint64_t *seed)
{
	if (typedfill_next(seed) % 2 == 0) {
		e->maybe_i32 = make(1, sizeof(*e->maybe_i32));
		*e->maybe_i32 = (int32_t)number(seed);
	}
	if (typedfill_next(seed) % 2 == 0) {
		e->maybe_str = make(1, sizeof(*e->maybe_str));
		*e->maybe_str = text(seed);
	}
	if (typedfill_next(seed) % 2 == 0) {
		e->maybe_f32 = make(1, sizeof(*e->maybe_f32));
		*e->maybe_f32 = f32(seed);
	}
	if (typedfill_next(seed) % 2 == 0) {
		e->maybe_point = make(1, sizeof(*e->maybe_point));
		fill_point(e->maybe_point, seed);
	}
	if (typedfill_next(seed) % 2 == 0) {
		e->node = make(1, sizeof(*e->node));
		fill_node(e->node, seed, 5);
	}
}

void
typedfill_every(struct every *e, uint64_t *seed)
{
	char *s = text(seed);

	memset(e, 0, sizeof(*e));
	e->flag = typedfill_next(seed) % 2 != 0;
	e->i8 = (int8_t)number(seed);
	e->i16 = (int16_t)number(seed);
	e->i32 = (int32_t)number(seed);
	e->i64 = number(seed);
	e->i = number(seed);
	e->u8 = (uint8_t)bits(seed);
	e->u16 = (uint16_t)bits(seed);
	e->u32 = (uint32_t)bits(seed);
	e->u64 = bits(seed);
	e->u = bits(seed);
	e->f32 = f32(seed);
	e->f64 = f64(seed);
	e->str = text(seed);
	if (s != NULL)
		memcpy(e->chars, s, strnlen(s, sizeof(e->chars) - 1));
	free(s);
	fill_blob(&e->bytes, seed);
	fill_time(&e->time, seed);
	e->duration = number(seed);
	fill_map(&e->map, seed);
	fill_point(&e->point, seed);
	fill_lists(e, seed);
	fill_maybes(e, seed);
}
