/* How long things took: counts by magnitude, in memory that does not grow. */
#include "cli/histo.h"

#define LINEAR ((uint64_t)1 << HISTO_BITS)
#define WHOLE 100000u
#define BOUND_MOST (UINT64_MAX / 20)

/* Of a value that is not larger than the largest cell's. */
static size_t
cell_of(uint64_t value)
{
	unsigned shift = 0;

	while (value >> shift >= 2 * LINEAR)
		shift++;
	if (value < LINEAR)
		return (size_t)value;
	return ((size_t)(shift + 1) << HISTO_BITS) +
	       (size_t)((value >> shift) - LINEAR);
}

/* The largest value of a cell. */
static uint64_t
top_of(size_t cell)
{
	unsigned shift;
	uint64_t base;

	if (cell < LINEAR)
		return cell;
	shift = (unsigned)(cell >> HISTO_BITS) - 1;
	base = LINEAR + (cell & (LINEAR - 1));
	return ((base + 1) << shift) - 1;
}

void
histo_add(struct histo *h, uint64_t value)
{
	uint64_t kept = value;

	if (kept >> HISTO_TOP != 0)
		kept = ((uint64_t)1 << HISTO_TOP) - 1;
	h->cells[cell_of(kept)]++;
	if (h->n == 0 || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->sum += (double)value;
	h->n++;
}

uint64_t
histo_at(const struct histo *h, unsigned per_100000)
{
	/* The place of the one that is asked for, counted from 1; n may be
	 * large enough for the product not to fit. */
	uint64_t place = h->n / WHOLE * per_100000 +
	                 (h->n % WHOLE * per_100000 + WHOLE - 1) / WHOLE;
	uint64_t seen = 0;

	if (h->n == 0)
		return 0;
	if (place <= 1)
		return h->min;
	for (size_t i = 0; i < HISTO_CELLS; i++) {
		seen += h->cells[i];
		if (seen < place)
			continue;
		if (i == HISTO_CELLS - 1 || top_of(i) > h->max)
			return h->max;
		return top_of(i);
	}
	return h->max;
}

double
histo_mean(const struct histo *h)
{
	return h->n == 0 ? 0 : h->sum / (double)h->n;
}

uint64_t
histo_upto(const struct histo *h, uint64_t value)
{
	uint64_t seen = 0;

	if (value >= h->max)
		return h->n;
	for (size_t i = 0; i < HISTO_CELLS - 1 && top_of(i) <= value; i++)
		seen += h->cells[i];
	return seen;
}

uint64_t
histo_bound(uint64_t above, int coarse)
{
	static const unsigned fine[] = { 10, 15, 20, 30, 50, 70 };
	static const unsigned few[] = { 10, 20, 50 };
	const unsigned *step = coarse ? few : fine;
	size_t n = coarse ? sizeof(few) / sizeof(few[0])
	                  : sizeof(fine) / sizeof(fine[0]);

	if (above >= BOUND_MOST)
		return UINT64_MAX;
	for (uint64_t unit = 1;; unit *= 10) {
		for (size_t i = 0; i < n; i++) {
			if (step[i] * unit / 10 > above)
				return step[i] * unit / 10;
		}
	}
}
