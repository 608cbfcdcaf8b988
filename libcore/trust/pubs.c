/* Keys that are taken in together: is one of them there already? */
#include "trust/pubs.h"

#include <string.h>

/* Where it is, or would be.  A key is as good as a hash. */
static size_t
find_slot(const struct pubs *p, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	size_t at;

	memcpy(&at, pub + 8, sizeof(at));
	for (;; at++) {
		const size_t i = p->slots[at % PUBS_SLOTS];

		if (i == 0 ||
		    memcmp(p->keys[i - 1], pub, RK_KEY_PUBLIC_LEN) == 0)
			return at % PUBS_SLOTS;
	}
}

bool
pubs_have(const struct pubs *p, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	return p->slots[find_slot(p, pub)] != 0;
}

void
pubs_add(struct pubs *p, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	memcpy(p->keys[p->n++], pub, RK_KEY_PUBLIC_LEN);
	p->slots[find_slot(p, pub)] = (uint16_t)p->n;
}
