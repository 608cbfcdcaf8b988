/* Which fields of a method's argument hold secrets, as its server says. */
#ifndef RPCSH_MARKS_H
#define RPCSH_MARKS_H

#include <rpckit/value.h>

#include <stdbool.h>

struct marks {
	char names[512]; /* comma-joined; "": it says of none */
};

/* Of what _.describe or _.methods says about a method; NULL is allowed. */
void marks_of(const struct rk_value *method, struct marks *out);
/* Of what is remembered of the server; nobody is asked. */
void marks_remembered(const char *url, const char *method, struct marks *out);
bool marks_has(const struct marks *m, const char *name, size_t len);
/* Does a line call a method of the server with a value for such a field? */
bool marks_in_line(const char *url, const char *line);
/* Put "?" in the place of what such fields hold, however deep. */
RK_MUST enum rk_err marks_hide(
    const struct marks *m, struct rk_value_doc *doc, struct rk_value *v);

#endif
