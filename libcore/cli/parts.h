/* A long list that a daemon tells in parts: which comes next, and all of it. */
#ifndef RPCKIT_CLI_PARTS_H
#define RPCKIT_CLI_PARTS_H

#include "cli/out.h"

#include <rpckit/value.h>

#include <stdbool.h>

/*
 * What an answer has no room for is asked for by how many rows were answered
 * before: {from: N}, and the answer has it as well.  Between two parts the list
 * may change, and rows move from one to the next: that is seen by the sum of
 * whose rows there are, and by how many, or told by who asks, and then it is
 * asked for anew; not for ever, as some list may never stand still, and none
 * has more than so many parts, whoever tells them.
 */
struct parts {
	uint64_t rows;    /* of the parts so far: what to ask with next */
	uint64_t left;    /* behind them */
	unsigned answers; /* of this time */
	unsigned anew;
	bool moved; /* it has changed since the first part, who asks knows; with
	             * the last part: it did each time */
	char sum[40];
};

enum parts_next {
	PARTS_LAST, /* it is whole with this answer, or has no end */
	PARTS_MORE, /* the answer is the next part of it */
	PARTS_ANEW, /* all that came is worth nothing */
	PARTS_NONE  /* the daemon knows of no parts: the first was all */
};

/* What an answer of n rows is; p: zero before the first. */
enum parts_next parts_take(
    struct parts *p, const struct rk_value *answer, uint64_t n);

/* All parts of one; list: rows of all of them, which are of docs. */
struct pages {
	struct rk_value_doc **docs;
	size_t n;
	struct rk_value list;
	struct parts parts;
};

/* Takes doc, whose list is the member of this name; what is no list is an empty
 * one.  more: ask for parts.rows.  RK_EAGAIN: the list never stood still, and
 * some of its rows may not be among those that are there, or be so twice;
 * RK_ENOMEM. */
RK_MUST enum rk_err pages_add(
    struct pages *p, struct rk_value_doc *doc, const char *member, bool *more);
/* Says why pages_add() failed; the exit status. */
int pages_fail(struct out *out, enum rk_err r);
void pages_fini(struct pages *p);

#endif
