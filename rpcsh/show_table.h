/* A reply as a table. */
#ifndef RPCSH_SHOW_TABLE_H
#define RPCSH_SHOW_TABLE_H

#include "cli/out.h"

#include <rpckit/value.h>

/* A list of maps has a column for each of their keys; another list has one, a
 * map has a row for each of its keys.  The exit status. */
int show_table(const struct out *o, const struct rk_value *v);

#endif
