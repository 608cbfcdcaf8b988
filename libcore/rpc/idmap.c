/* A map from our own 64-bit numbers to pointers. */
#include "rpc/idmap.h"

#include <stdlib.h>

#define CAP_MIN 16

void
idmap_init(struct idmap *m)
{
	*m = (struct idmap){ 0 };
}

void
idmap_fini(struct idmap *m)
{
	free(m->slots);
	*m = (struct idmap){ 0 };
}

/* Fibonacci hashing: neighbours in time land far apart. */
static size_t
home(const struct idmap *m, uint64_t key)
{
	return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) &
	       (m->cap - 1);
}

static size_t
locate(const struct idmap *m, uint64_t key)
{
	size_t i = home(m, key);

	while (m->slots[i].key != 0 && m->slots[i].key != key)
		i = (i + 1) & (m->cap - 1);
	return i;
}

static enum rk_err
resize(struct idmap *m, size_t cap)
{
	struct idmap bigger = { .cap = cap, .count = m->count };

	bigger.slots = calloc(cap, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return RK_ENOMEM;
	for (size_t i = 0; i < m->cap; i++) {
		if (m->slots[i].key != 0)
			bigger.slots[locate(&bigger, m->slots[i].key)] =
			    m->slots[i];
	}
	free(m->slots);
	*m = bigger;
	return RK_OK;
}

enum rk_err
idmap_add(struct idmap *m, uint64_t key, void *value)
{
	enum rk_err r;

	if (m->count * 2 >= m->cap) {
		r = resize(m, m->cap == 0 ? CAP_MIN : m->cap * 2);
		if (r != RK_OK)
			return r;
	}
	m->slots[locate(m, key)] = (struct idmap_slot){ key, value };
	m->count++;
	return RK_OK;
}

void *
idmap_find(const struct idmap *m, uint64_t key)
{
	if (m->count == 0 || key == 0)
		return NULL;
	return m->slots[locate(m, key)].value;
}

void *
idmap_remove(struct idmap *m, uint64_t key)
{
	size_t hole, i;
	void *value;

	if (m->count == 0 || key == 0)
		return NULL;
	hole = locate(m, key);
	value = m->slots[hole].value;
	if (m->slots[hole].key == 0)
		return NULL;
	/* Close the hole: pull back whatever probed past it. */
	for (i = (hole + 1) & (m->cap - 1); m->slots[i].key != 0;
	     i = (i + 1) & (m->cap - 1)) {
		size_t h = home(m, m->slots[i].key);

		if (((i - h) & (m->cap - 1)) >= ((i - hole) & (m->cap - 1))) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct idmap_slot){ 0 };
	m->count--;
	return value;
}
