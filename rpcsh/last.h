/* The last reply of a shell, to be shown once more. */
#ifndef RPCSH_LAST_H
#define RPCSH_LAST_H

#include "show.h"

#include <rpckit/value.h>

struct last {
	uint8_t *payload; /* NULL: there is none */
	size_t len;
	bool raw;
	uint8_t *plain; /* that of a method with structs; NULL: none */
	size_t plain_len;
};

/* Instead of the one before; without memory, none. */
void last_keep(struct last *l, struct rk_bytes payload, bool raw,
    struct rk_value_doc *doc);
void last_free(struct last *l);
/* In a form (NULL: as a call's); the exit status. */
int last_show(const struct last *l, const struct out *o, const char *form);

#endif
