/* The names of tabs, and of what the one of keys can show. */
#include "view.h"

const char *const *
view_shows(size_t *n)
{
	static const char *const names[] = { "all", "waiting", "known",
		"rejected" };

	*n = sizeof(names) / sizeof(names[0]);
	return names;
}

const char *
view_tab_name(enum tab tab)
{
	static const char *const names[] = { "conns", "trust", "calls", "keys",
		"log" };

	return names[tab];
}
