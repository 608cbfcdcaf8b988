/* At most so many events in any minute. */
#include "trust/pace.h"

#include <stdlib.h>

enum rk_err
pace_init(struct pace *p, unsigned max)
{
	*p = (struct pace){ .max = max < PACE_MAX ? max : PACE_MAX };
	if (max == 0)
		return RK_OK;
	p->at = calloc(p->max, sizeof(*p->at));
	return p->at != NULL ? RK_OK : RK_ENOMEM;
}

void
pace_fini(struct pace *p)
{
	free(p->at);
	*p = (struct pace){ 0 };
}

bool
pace_may(const struct pace *p, uint64_t now)
{
	return p->n < p->max || p->max == 0 ||
	       now - p->at[p->next] >= PACE_WINDOW;
}

void
pace_note(struct pace *p, uint64_t now)
{
	if (p->max == 0)
		return;
	p->at[p->next] = now;
	p->next = (p->next + 1) % p->max;
	if (p->n < p->max)
		p->n++;
}

void
pace_follow(struct pace *p, const struct pace *from)
{
	for (unsigned i = 0; i < from->n; i++)
		pace_note(p, from->at[(from->next + from->max - from->n + i) %
		                      from->max]);
}
