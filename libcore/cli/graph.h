/* Numbers as a person sees them at a glance: bars and sparklines of text. */
#ifndef RPCKIT_CLI_GRAPH_H
#define RPCKIT_CLI_GRAPH_H

#include "base/buf.h"

enum graph_signs {
	GRAPH_ASCII,
	GRAPH_BLOCKS /* of Unicode: eighths of a column */
};

/* What the locale's characters allow. */
enum graph_signs graph_signs(void);
/* Columns of a terminal; 80 where there is none, or none says. */
unsigned graph_columns(int fd);

/* A bar of value / most of so many columns; nothing for 0, and something for
 * everything else. */
RK_MUST enum rk_err graph_bar(struct buf *b, enum graph_signs signs,
    unsigned columns, uint64_t value, uint64_t most);
/* A column for each of the values, as high as it is between 0 and the largest;
 * more than `columns` of them: each column is the largest of some. */
RK_MUST enum rk_err graph_spark(struct buf *b, enum graph_signs signs,
    unsigned columns, const uint64_t *values, size_t n);

#endif
