/* What was typed in the shell, in a file of each context; no secrets. */
#ifndef RPCSH_HISTORY_H
#define RPCSH_HISTORY_H

#include "base/buf.h"

#define HISTORY_MAX 1000 /* lines that are kept */

struct history;

typedef void history_fn(const char *line, void *arg);

/* That of a context ("": of none).  It need not be there: what cannot be read
 * or kept is nobody's error.  RK_ENOMEM. */
RK_MUST enum rk_err history_open(const char *context, struct history **out);
void history_close(struct history *h);
/* All lines, oldest first. */
void history_each(const struct history *h, history_fn *fn, void *arg);
/* Keep a line, and write the file whole, 0600.  Not what is empty, begins with
 * a blank, or seems to hold a secret: false. */
bool history_add(struct history *h, const char *line);
/* `k=?`, or a value of what is called a password, secret, token and so on. */
bool history_is_secret(const char *line);

#endif
