/* What is said about a load: a line while it runs, and its figures. */
#ifndef RPCSH_BENCH_SHOW_H
#define RPCSH_BENCH_SHOW_H

#include "bench.h"

/* On standard error, as `progress`. */
struct bench_line {
	bool shown;
	bool lines;
	uint64_t last; /* of these; ns */
};

void bench_line_begin(struct bench_line *line, const struct args *a,
    const struct out *o, struct bench *b);
void bench_line_end(struct bench_line *line);

/* The figures; the exit status: of the first call that failed, or 130 after
 * Ctrl-C. */
int bench_show(const struct out *o, const struct bench *b);

#endif
