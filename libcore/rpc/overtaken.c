/* Cancels that came before the call they are about. */
#include "rpc/overtaken.h"

#include <stdlib.h>
#include <string.h>

static struct overtaken_id *
find(struct overtaken *o, struct rk_str id)
{
	for (unsigned i = 0; i < OVERTAKEN_MAX; i++) {
		struct overtaken_id *e = &o->ids[i];

		if (e->len != 0 && e->len == id.len &&
		    memcmp(e->text, id.ptr, id.len) == 0)
			return e;
	}
	return NULL;
}

void
overtaken_add(struct overtaken **o, struct rk_str id)
{
	struct overtaken_id *e;

	if (id.len == 0 || id.len > OVERTAKEN_ID_MAX)
		return;
	if (*o == NULL)
		*o = calloc(1, sizeof(**o));
	if (*o == NULL || find(*o, id) != NULL)
		return;
	e = &(*o)->ids[(*o)->next++ % OVERTAKEN_MAX];
	e->len = (uint8_t)id.len;
	memcpy(e->text, id.ptr, id.len);
}

bool
overtaken_take(struct overtaken *o, struct rk_str id)
{
	struct overtaken_id *e;

	if (o == NULL || id.len == 0 || (e = find(o, id)) == NULL)
		return false;
	e->len = 0;
	return true;
}
