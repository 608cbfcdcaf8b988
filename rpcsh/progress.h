/* How far a transfer is: one line on a terminal, or nothing. */
#ifndef RPCSH_PROGRESS_H
#define RPCSH_PROGRESS_H

#include "cli/out.h"

#define PROGRESS_UNKNOWN UINT64_MAX

#define PROGRESS_OPT                                                      \
	{                                                                 \
		.name = "progress", .kind = OPT_CHOICE,                   \
		.meta = "auto|always|never", .complete = COMPLETE_WORDS,  \
		.about = "show how far it is: on a terminal, or always, " \
		         "a line every 5 s (auto)"                        \
	}

/* On standard error, if that is a terminal and nobody wanted quiet or JSON, or
 * as --progress says, where there is such an option; not before it has taken a
 * moment. */
struct progress {
	bool on;
	bool lines; /* for logs, and seldom */
	bool shown;
	char name[256]; /* escaped */
	uint64_t total; /* bytes; PROGRESS_UNKNOWN */
	uint64_t from;  /* bytes that were there before */
	uint64_t began; /* microseconds */
	uint64_t drawn;
};

/* --json beside --progress always: RK_EINVAL. */
RK_MUST enum rk_err progress_check(
    const struct args *a, const struct out *o, struct rk_error *err);
/* Is it to be shown, and as lines? */
bool progress_wanted(const struct args *a, const struct out *o, bool *lines);
/* "0:09 left". */
void progress_left(uint64_t seconds, char dst[32]);
#define PROGRESS_LINES_US 5000000u /* between two lines */

void progress_begin(struct progress *p, const struct args *a,
    const struct out *o, const char *name, uint64_t total, uint64_t from);
void progress_at(struct progress *p, uint64_t bytes);
/* The line is gone: other text may follow. */
void progress_end(struct progress *p);

/* The line for these figures, at most columns - 1 wide, without blanks after
 * it; returns its width. */
#define PROGRESS_LINE_LEN 1024
size_t progress_line(const struct progress *p, uint64_t bytes,
    uint64_t elapsed_us, size_t columns, char line[PROGRESS_LINE_LEN]);

#endif
