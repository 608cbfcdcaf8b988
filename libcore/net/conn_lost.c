/* Seeing that a peer goes while a connection is not read from. */
#include "net/conn_int.h"

unsigned
conn_wants_lost(const struct conn *c)
{
	if (!c->paused || c->events->lost == NULL)
		return 0;
	return (LOOP_FINISHED | LOOP_BROKEN) & ~c->lost;
}

/* Told once each, or the loop would spin: they stay so. */
void
conn_note_lost(struct conn *c, unsigned ready)
{
	unsigned news = ready & conn_wants_lost(c);

	if (news == 0 || c->state != CONN_OPEN)
		return;
	c->lost |= news;
	c->events->lost(c, (news & LOOP_BROKEN) != 0, c->arg);
}
