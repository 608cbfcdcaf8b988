/* The inside of a set of pre-shared keys, for the layer that proves them. */
#ifndef RPCKIT_TRUST_PSKS_H
#define RPCKIT_TRUST_PSKS_H

#include <rpckit/psk.h>

/* What the id's text is of, and what travels. */
#define PSK_ID_BYTES 4

struct psk {
	char name[RK_PSK_NAME_LEN];
	uint8_t id[PSK_ID_BYTES];
	struct rk_secret *key;
};

struct rk_psks *psks_ref(struct rk_psks *p); /* any thread; NULL is allowed */
/* Valid as long as p; any thread. */
const struct psk *psks_at(const struct rk_psks *p, size_t i);
/* NULL: none has it. */
const struct psk *psks_find(
    const struct rk_psks *p, const uint8_t id[PSK_ID_BYTES]);
void psk_id_format(const uint8_t id[PSK_ID_BYTES], char out[RK_PSK_ID_LEN]);

#endif
