/* The inside of a set of pre-shared keys, for the layer that proves them. */
#ifndef RPCKIT_TRUST_PSKS_H
#define RPCKIT_TRUST_PSKS_H

#include <rpckit/psk.h>

/* What the id's text is of, and what travels. */
#define PSK_ID_BYTES 4

/* Of the key that proves a knock at a session's UDP port. */
#define PSK_KNOCK_LEN 32

struct psk {
	char name[RK_PSK_NAME_LEN];
	uint8_t id[PSK_ID_BYTES];
	struct rk_secret *key; /* and behind it what psk_knock_key() gives */
};

struct rk_psks *psks_ref(struct rk_psks *p); /* any thread; NULL is allowed */
/* Valid as long as p; any thread. */
const struct psk *psks_at(const struct rk_psks *p, size_t i);
/* NULL: none has it.  It takes as long for any id. */
const struct psk *psks_find(
    const struct rk_psks *p, const uint8_t id[PSK_ID_BYTES]);
/* PSK_KNOCK_LEN bytes, which are derived from the key once: a server looks at
 * many knocks.  Borrowed. */
const uint8_t *psk_knock_key(const struct psk *k);
void psk_id_format(const uint8_t id[PSK_ID_BYTES], char out[RK_PSK_ID_LEN]);

#endif
