/* Why the daemon does not answer, as the model has it. */
#include "feed.h"

#include "base/str.h"

void
feed_trouble(struct model *m, const char *text)
{
	m->online = false;
	m->changes++;
	(void)str_copy(m->trouble, sizeof(m->trouble), text);
}

void
feed_lost(
    struct model *m, const struct admin_at *at, const struct rk_error *why)
{
	struct admin_trouble t;

	admin_explain(at, why, &t);
	feed_trouble(m, t.text);
}
