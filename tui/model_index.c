/* Where in an array something is: a table of places by hash. */
#include "model_index.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define CAP_MIN 64

void
index_init(struct model_index *x)
{
	*x = (struct model_index){ 0 };
	/* Where the system has none it is a matter of luck. */
	if (getrandom(&x->seed, sizeof(x->seed), GRND_NONBLOCK) < 0)
		x->seed = 0;
}

void
index_fini(struct model_index *x)
{
	free(x->slots);
	x->slots = NULL;
	x->cap = x->n = 0;
}

enum rk_err
index_reset(struct model_index *x, size_t n)
{
	size_t cap = CAP_MIN;
	uint32_t *slots;

	while (cap < 2 * n)
		cap *= 2;
	if (cap <= x->cap) {
		memset(x->slots, 0, x->cap * sizeof(*x->slots));
	} else {
		if ((slots = calloc(cap, sizeof(*slots))) == NULL)
			return RK_ENOMEM;
		free(x->slots);
		x->slots = slots;
		x->cap = cap;
	}
	x->n = 0;
	return RK_OK;
}

bool
index_has_room(const struct model_index *x)
{
	return 2 * (x->n + 1) <= x->cap;
}

void
index_put(struct model_index *x, uint64_t hash, size_t place)
{
	size_t i = hash & (x->cap - 1);

	assert(index_has_room(x));
	while (x->slots[i] != 0)
		i = (i + 1) & (x->cap - 1);
	x->slots[i] = (uint32_t)place + 1;
	x->n++;
}

static uint64_t
mix(uint64_t v)
{
	v = (v ^ v >> 32) * 0xd6e8feb86659fd93U;
	v = (v ^ v >> 32) * 0xd6e8feb86659fd93U;
	return v ^ v >> 32;
}

uint64_t
index_hash_number(const struct model_index *x, uint64_t number)
{
	return mix(number ^ x->seed);
}

uint64_t
index_hash_text(const struct model_index *x, const char *text)
{
	uint64_t h = x->seed;
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i += 8) {
		uint64_t part = 0;

		memcpy(&part, text + i, len - i < 8 ? len - i : 8);
		h = mix(h ^ part);
	}
	return mix(h ^ len);
}

size_t
index_next(const struct model_index *x, uint64_t *at)
{
	uint32_t slot;

	if (x->cap == 0)
		return SIZE_MAX;
	slot = x->slots[*at & (x->cap - 1)];
	++*at;
	return slot == 0 ? SIZE_MAX : slot - 1;
}
