/* A map from our own 64-bit numbers to pointers. */
#ifndef RPCKIT_RPC_IDMAP_H
#define RPCKIT_RPC_IDMAP_H

#include <rpckit/err.h>

/*
 * Open addressing with linear probing.  The keys are numbers this process
 * chose (sequence numbers, call ids), never a peer's, so that a fixed hash is
 * safe.  Zero is no key.
 */
struct idmap_slot {
	uint64_t key;
	void *value;
};

struct idmap {
	struct idmap_slot *slots;
	size_t cap; /* a power of two, or 0 */
	size_t count;
};

void idmap_init(struct idmap *m);
void idmap_fini(struct idmap *m);
/* The key must not be in the map.  RK_ENOMEM. */
RK_MUST enum rk_err idmap_add(struct idmap *m, uint64_t key, void *value);
void *idmap_find(const struct idmap *m, uint64_t key);
/* The value that was removed, or NULL. */
void *idmap_remove(struct idmap *m, uint64_t key);

#endif
