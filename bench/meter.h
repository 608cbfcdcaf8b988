/* What is measured: time, latencies, CPU time and memory of both ends. */
#ifndef RPCKIT_BENCH_METER_H
#define RPCKIT_BENCH_METER_H

#include "args.h"

/* Latencies in nanoseconds by magnitude and the 7 bits that follow the first:
 * exact to 1 %. */
#define METER_STEPS 128
#define METER_ROWS 58

struct meter {
	const struct args *args;
	uint64_t warm_until; /* nothing counts before */
	uint64_t until;
	bool counting;
	bool paused;
	uint64_t calls;
	uint64_t since; /* of the last meter_resume() */
	double cpu_since;
	double server_since;
	double seconds; /* what has been measured */
	double cpu;
	double server_cpu;
	uint64_t latencies[METER_ROWS][METER_STEPS];
};

/* Monotonic nanoseconds. */
uint64_t meter_now(void);

/* Begin.  RK_EINVAL: the server's process cannot be looked at. */
RK_MUST enum rk_err meter_start(
    struct meter *m, const struct args *a, struct rk_error *err);
/* One call is done; false when it is time to stop. */
bool meter_call(struct meter *m, uint64_t begun, uint64_t now);
/* What comes between these counts neither as time nor as CPU time. */
void meter_pause(struct meter *m);
void meter_resume(struct meter *m);
/* Stop, and print one line of JSON. */
void meter_report(struct meter *m);

/* Resident kilobytes; -1: unknown.  pid 0 is this process. */
long meter_memory(pid_t pid);
/* One line for `conns` connections that hold so much more memory. */
void meter_report_idle(unsigned conns, long server_kb, long client_kb);

#endif
