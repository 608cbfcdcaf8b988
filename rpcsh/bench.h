/* A load: calls of one method over some connections, and what came of them. */
#ifndef RPCSH_BENCH_H
#define RPCSH_BENCH_H

#include "cli/histo.h"
#include "target.h"
#include "trace.h"

#define BENCH_CONNS_MAX 4096
#define BENCH_OUTSTANDING_MAX 65536
#define BENCH_CALLS_MAX 1000000 /* under way at once, in all */
#define BENCH_RATE_MAX 10000000

struct bench {
	const struct target *t;       /* made; its own client is not used */
	const struct rk_request *req; /* all but the payload */
	const struct rk_bytes *payloads;
	size_t n_payloads; /* at least one; they take turns */
	unsigned conns;
	unsigned outstanding; /* of each connection */
	uint64_t count;       /* calls; 0: no limit */
	uint64_t limit_ns;    /* 0: none */
	uint64_t rate;        /* calls a second; 0: as answers come */
	/* A few times a second; may be NULL. */
	void (*tick)(const struct bench *b, uint64_t ns, void *arg);
	void *arg;
	struct trace *trace; /* of each call; its time is as measured */
	/* What came of it. */
	struct histo latency; /* ns, of calls that were answered well */
	uint64_t sent;
	uint64_t failed;
	uint64_t errors[RK_ERR_COUNT];
	struct rk_error first; /* failure of a call */
	uint64_t unanswered;   /* given up because of Ctrl-C */
	uint64_t unsent;       /* due at the rate, and not sent in time */
	unsigned lost;         /* connections that ended */
	uint64_t took_ns;
	bool interrupted;
};

/*
 * Connect all of them, then call; SIGINT (held_interrupted()) ends it.  With a
 * rate, time counts from when a call was due, however late it was sent: what
 * waits for a slow server is not left out.  A connection that is lost is not
 * made again.  Fails when there is no connection to begin with; calls that fail
 * are results.
 */
RK_MUST enum rk_err bench_run(struct bench *b, struct rk_error *err);

#endif
