/* Figures of methods: how often they were called, how long it took. */
#include "rpc/figures.h"

#include <stdlib.h>
#include <string.h>

/* ---- the list ---- */

void
figures_init(struct figures_list *l)
{
	TAILQ_INIT(&l->all);
	l->n = 0;
}

static void
free_one(struct figures *f)
{
	if (f != NULL)
		free(f->name);
	free(f);
}

void
figures_fini(struct figures_list *l)
{
	struct figures *f;

	while ((f = TAILQ_FIRST(&l->all)) != NULL) {
		TAILQ_REMOVE(&l->all, f, link);
		free_one(f);
	}
	l->n = 0;
}

static struct figures *
make(const char *name, unsigned n)
{
	size_t size = sizeof(struct figures) + n * sizeof(struct figures_share);
	struct figures *f = aligned_alloc(_Alignof(struct figures), size);

	if (f == NULL)
		return NULL;
	memset(f, 0, size);
	f->n = n;
	f->name = strdup(name);
	if (f->name != NULL)
		return f;
	free_one(f);
	return NULL;
}

struct figures *
figures_get(struct figures_list *l, const char *name, unsigned n_loops)
{
	struct figures *f;

	TAILQ_FOREACH (f, &l->all, link) {
		if (strcmp(f->name, name) == 0)
			return f;
	}
	if (l->n >= FIGURES_MAX || (f = make(name, n_loops)) == NULL)
		return NULL;
	TAILQ_INSERT_TAIL(&l->all, f, link);
	l->n++;
	return f;
}

/* ---- counting ---- */

static uint64_t
get(const atomic_ullong *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

/* One writer: a plain add that readers may watch. */
static void
add(atomic_ullong *n, uint64_t by)
{
	atomic_store_explicit(n, get(n) + by, memory_order_relaxed);
}

static unsigned
step_of(uint64_t us)
{
	unsigned top, step;

	if (us < 4)
		return (unsigned)us;
	top = 63 - (unsigned)__builtin_clzll(us);
	step = (top - 1) * 4 + (unsigned)(us >> (top - 2) & 3);
	return step < FIGURES_STEPS ? step : FIGURES_STEPS - 1;
}

/* The longest that counts as this step. */
static uint64_t
end_of(unsigned step)
{
	unsigned top = step / 4 + 1;

	if (step < 4)
		return step;
	return ((uint64_t)(step % 4 + 5) << (top - 2)) - 1;
}

void
figures_begin(struct figures *f, unsigned loop)
{
	add(&f->shares[loop].begun, 1);
}

void
figures_end(struct figures *f, unsigned loop, uint64_t us, bool failed)
{
	struct figures_share *s = &f->shares[loop];

	add(&s->ended, 1);
	add(&s->total, us);
	add(&s->steps[step_of(us)], 1);
	if (failed)
		add(&s->failed, 1);
	if (us > get(&s->longest))
		atomic_store_explicit(&s->longest, us, memory_order_relaxed);
}

/* ---- asking ---- */

/* Loops go on while they are asked: nothing is less than none. */
void
figures_sum(const struct figures *f, struct figures_sum *out)
{
	*out = (struct figures_sum){ 0 };
	for (unsigned i = 0; i < f->n; i++) {
		const struct figures_share *s = &f->shares[i];
		uint64_t longest = get(&s->longest);

		out->ended += get(&s->ended);
		out->begun += get(&s->begun);
		out->failed += get(&s->failed);
		out->total += get(&s->total);
		if (longest > out->longest)
			out->longest = longest;
		for (unsigned j = 0; j < FIGURES_STEPS; j++)
			out->steps[j] += get(&s->steps[j]);
	}
	if (out->begun > out->ended)
		out->running = out->begun - out->ended;
}

uint64_t
figures_percentile(const struct figures_sum *s, unsigned percent)
{
	uint64_t all = 0, seen = 0, rank;

	for (unsigned i = 0; i < FIGURES_STEPS; i++)
		all += s->steps[i];
	if (all == 0)
		return 0;
	rank = all / 100 * percent + (all % 100 * percent + 99) / 100;
	if (rank == 0)
		rank = 1;
	for (unsigned i = 0; i < FIGURES_STEPS - 1; i++) {
		seen += s->steps[i];
		if (seen >= rank)
			return end_of(i) < s->longest ? end_of(i) : s->longest;
	}
	return s->longest;
}

/* ---- of one connection ---- */

void
figures_brief_add(struct figures_brief *b, uint64_t us)
{
	unsigned step = step_of(us);

	if (b->steps[step] == UINT32_MAX) {
		for (unsigned i = 0; i < FIGURES_STEPS; i++)
			b->steps[i] -= b->steps[i] / 2;
	}
	b->steps[step]++;
	if (us > b->longest)
		b->longest = us;
}

uint64_t
figures_brief_percentile(const struct figures_brief *b, unsigned percent)
{
	struct figures_sum s = { .longest = b->longest };

	for (unsigned i = 0; i < FIGURES_STEPS; i++)
		s.steps[i] = b->steps[i];
	return figures_percentile(&s, percent);
}
