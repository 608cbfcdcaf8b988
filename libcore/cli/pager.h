/* Long answers a page at a time, where somebody looks at them. */
#ifndef RPCKIT_CLI_PAGER_H
#define RPCKIT_CLI_PAGER_H

#include "cli/out.h"

/*
 * Text to standard output as out_bytes() writes it; but by $PAGER (unset: less
 * -FIRX; empty: none) when it is a terminal that can move its cursor, the text
 * is longer than its screen, and neither --quiet, --json nor --plain is given.
 * What could harm a terminal must have been escaped.
 */
void pager_bytes(const struct out *o, const void *data, size_t len);
/* The same of all that is written to *to meanwhile, which is as o otherwise. */
void pager_begin(const struct out *o, struct out *to, struct buf *b);
void pager_end(const struct out *o, struct buf *b);

/* Rows of a screen of so many columns that the text takes. */
size_t pager_rows(const char *text, size_t len, unsigned columns);

#endif
