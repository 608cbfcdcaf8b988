/* Keys that are taken in together: is one of them there already? */
#ifndef RPCKIT_TRUST_PUBS_H
#define RPCKIT_TRUST_PUBS_H

#include <rpckit/trust.h>

#include "trust/known.h"

#define PUBS_SLOTS 32768 /* thrice as many as there are keys at most */

/* Begins with zeros. */
struct pubs {
	uint8_t keys[KNOWN_KEYS_MAX][RK_KEY_PUBLIC_LEN]; /* as they came */
	size_t n;
	uint16_t slots[PUBS_SLOTS]; /* one more than the place of a key */
};

bool pubs_have(const struct pubs *p, const uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* One that is not there yet; there is room. */
void pubs_add(struct pubs *p, const uint8_t pub[RK_KEY_PUBLIC_LEN]);

#endif
