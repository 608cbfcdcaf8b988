/* How long things took: counts by magnitude, in memory that does not grow. */
#ifndef RPCKIT_CLI_HISTO_H
#define RPCKIT_CLI_HISTO_H

#include <stddef.h>
#include <stdint.h>

/* Cells are of the magnitude and the 7 bits behind the first: values are exact
 * to 1 %.  Beyond 2^42 (of nanoseconds, over an hour) all are in the last. */
#define HISTO_BITS 7
#define HISTO_TOP 42
#define HISTO_CELLS ((HISTO_TOP - HISTO_BITS + 1) << HISTO_BITS)

/* All zero is an empty one. */
struct histo {
	uint64_t n;
	uint64_t min; /* exact, as is max */
	uint64_t max;
	double sum;
	uint64_t cells[HISTO_CELLS];
};

void histo_add(struct histo *h, uint64_t value);
/* The value that so many of a hundred thousand are at most; 0: there are none.
 */
uint64_t histo_at(const struct histo *h, unsigned per_100000);
double histo_mean(const struct histo *h);
/* How many are at most so large, as far as cells tell. */
uint64_t histo_upto(const struct histo *h, uint64_t value);
/* The next larger of the bounds 1, 1.5, 2, 3, 5, 7, 10, 15 ... that graphs have
 * rows for; coarse: of 1, 2, 5, 10, 20 ... */
uint64_t histo_bound(uint64_t above, int coarse);

#endif
