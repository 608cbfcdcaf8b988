/* A text on the terminal as libedit breaks it into rows. */
#ifndef RPCSH_LINE_ROWS_H
#define RPCSH_LINE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

/* Go on from *col by this text; the rows it goes down. */
unsigned line_rows(const char *text, size_t len, unsigned cols, unsigned *col);
/* Has it marks that combine with what stands before them?  What libedit shows
 * in a way of its own is let alone. */
bool line_has_marks(const char *text, size_t len);
/* Write it, to rows that are there already. */
void line_put_rows(const char *text, size_t len, unsigned cols, unsigned *col);

/* A word of a list, as the terminal may have it; returns dst. */
const char *line_shown(char *dst, size_t len, const char *word);

#endif
