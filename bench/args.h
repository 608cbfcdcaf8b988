/* The command line that both programs share, and how they end. */
#ifndef RPCKIT_BENCH_ARGS_H
#define RPCKIT_BENCH_ARGS_H

#include <rpckit/err.h>

#include <sys/types.h>

enum work {
	WORK_SERVER,
	WORK_SEQ,
	WORK_PIPE,
	WORK_DIAL,
	WORK_IDLE,
	WORK_HOLD,
	WORK_UP,
	WORK_DOWN,
	WORK_COUNT
};

struct args {
	enum work work;
	const char *name; /* of the work */
	const char *url;
	const char *certs; /* a folder; NULL: none */
	const char *psk;   /* a file; NULL: none */
	const char *peers; /* keys that are believed over sessions; the same */
	pid_t server;      /* whose CPU time and memory count; 0: nobody's */
	uint64_t ms;       /* how long to measure */
	size_t size;       /* of a request's and a reply's payload */
	unsigned outstanding; /* calls at a time */
	unsigned conns;
	unsigned threads;
	bool resume;
	bool early; /* and the call goes as early data */
};

typedef enum rk_err work_fn(const struct args *a, struct rk_error *err);

struct program {
	const char *name;
	work_fn *run[WORK_COUNT];
};

/* Do what the command line says; the exit status. */
int args_run(const struct program *p, int argc, char **argv);

#endif
