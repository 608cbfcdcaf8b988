/* Where in an array something is: a table of places by hash. */
#ifndef RPCTUI_MODEL_INDEX_H
#define RPCTUI_MODEL_INDEX_H

#include <rpckit/err.h>

/*
 * Open addressing, at most half full, nothing is ever taken out: who removes
 * from the array puts everything in anew.  The seed is a secret of the process,
 * so that nobody chooses what collides.
 */
struct model_index {
	uint32_t *slots; /* place and one more; 0: free */
	size_t cap;      /* a power of two */
	size_t n;
	uint64_t seed;
};

void index_init(struct model_index *x);
void index_fini(struct model_index *x);
/* Empty it, with room for n places.  RK_ENOMEM: it is as it was; never where it
 * had as much before. */
RK_MUST enum rk_err index_reset(struct model_index *x, size_t n);
/* Is there room for another? */
bool index_has_room(const struct model_index *x);
/* There is room. */
void index_put(struct model_index *x, uint64_t hash, size_t place);

uint64_t index_hash_number(const struct model_index *x, uint64_t number);
uint64_t index_hash_text(const struct model_index *x, const char *text);

/* The next place that may be it, from *at on, which begins as the hash;
 * SIZE_MAX when there is none. */
size_t index_next(const struct model_index *x, uint64_t *at);

#endif
