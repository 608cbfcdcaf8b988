/* The last reply of a shell, to be shown once more. */
#ifndef RPCSH_LAST_H
#define RPCSH_LAST_H

#include "show.h"

struct last {
	uint8_t *payload; /* NULL: there is none */
	size_t len;
	bool raw;
	bool is_typed;
};

/* Instead of the one before; without memory, none. */
void last_keep(
    struct last *l, struct rk_bytes payload, bool raw, bool is_typed);
void last_free(struct last *l);
/* In a form (NULL: as a call's); the exit status. */
int last_show(const struct last *l, const struct out *o, const char *form);

#endif
