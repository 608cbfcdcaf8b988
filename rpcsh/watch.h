/* What goes on at a server: its pushes, or a call's answers as they change. */
#ifndef RPCSH_WATCH_H
#define RPCSH_WATCH_H

#include "held.h"
#include "request.h"
#include "trace.h"

struct watch {
	const struct args *a;
	struct out o;
	struct held held; /* a connection of its own, made again when lost */
	uint64_t count;   /* 0: no limit */
	uint64_t until;   /* us; 0: no limit */
	uint64_t seen;
	struct trace trace;
	bool over;
	int status;
};

/* Has it ended: enough seen, late enough, Ctrl-C? */
bool watch_is_over(const struct watch *w);
/* Wait for the network, at most until then (us; 0: no limit). */
void watch_wait(struct watch *w, uint64_t until);

/* watch_call.c: the same call every so many us; the exit status. */
int watch_call(struct watch *w, struct request *q, uint64_t every);

#endif
