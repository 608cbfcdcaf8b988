/* What the daemon says of itself, and which of it calls for a person; who a
 * peer is. */
#include "view.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
view_days(const struct model_fact *f, int64_t *days)
{
	size_t n = strlen(f->key);
	char *end;

	if (n < 5 || strcmp(f->key + n - 5, "_days") != 0)
		return false;
	*days = strtol(f->text, &end, 10);
	return end != f->text && *end == '\0';
}

size_t
view_ending(const struct model_status *s)
{
	size_t n = 0;
	int64_t days;

	for (size_t i = 0; i < s->n_facts; i++)
		n += view_days(&s->facts[i], &days) && days <= VIEW_SOON;
	return n;
}

const char *
view_fact(const struct model_status *s, const char *key)
{
	for (size_t i = 0; i < s->n_facts; i++) {
		if (strcmp(s->facts[i].key, key) == 0)
			return s->facts[i].text;
	}
	return NULL;
}

const char *
view_who(const struct model_conn *c, char dst[VIEW_WHO])
{
	if (c->email[0] != '\0' || c->cn[0] == '\0')
		(void)str_copy(dst, VIEW_WHO, c->email);
	else
		(void)snprintf(dst, VIEW_WHO, "CN=%s", c->cn);
	return dst;
}
