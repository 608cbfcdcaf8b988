/* Replies for people, pipes and files. */
#ifndef RPCSH_SHOW_H
#define RPCSH_SHOW_H

#include "cli/out.h"

#include <rpckit/client.h>
#include <rpckit/value.h>

#define SHOW_FORMS "json|ndjson|pretty|raw|hex|msgpack|table"

enum show_form {
	SHOW_AUTO,   /* pretty on a terminal, one line in a pipe */
	SHOW_JSON,   /* one line */
	SHOW_NDJSON, /* a line for each element of a list */
	SHOW_PRETTY,
	SHOW_RAW, /* the bytes */
	SHOW_HEX,
	SHOW_MSGPACK, /* canonical msgpack bytes */
	SHOW_TABLE
};

struct show {
	const struct out *out;
	enum show_form form;
	bool raw; /* the request was raw: AUTO shows bytes as text */
	bool int_strings;
	const char *file; /* --out, or NULL */
};

/* "json" "raw" ...; SHOW_AUTO for NULL. */
enum show_form show_form_of(const char *name);
/* Print the payload of a reply; the exit status. */
int show_reply(const struct show *s, struct rk_bytes payload);
/* A member of a map that is text, escaped for a terminal; "" where there is
 * none.  dst. */
const char *show_member(
    const struct rk_value *map, const char *key, char *dst, size_t len);
/* Text as a terminal may have it: what could harm it as \xNN and the like;
 * lines, tabs and backslashes as they are.  RK_ENOMEM, RK_ETOOBIG. */
RK_MUST enum rk_err show_put_text(struct buf *b, const char *text, size_t len);
/* The value of a payload as JSON text appended to b: what is no msgpack is a
 * string or {"$bin":...}, nothing at all is null. */
RK_MUST enum rk_err show_put_json(
    const struct show *s, struct rk_bytes payload, struct buf *b);

#endif
