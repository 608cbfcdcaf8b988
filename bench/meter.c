/* What is measured: time, latencies, CPU time and memory of both ends. */
#include "meter.h"

#include "base/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS_A_SECOND 1000000000u
#define STEP_BITS 7
#define WARM_MAX_NS (NS_A_SECOND / 4)
#define UNKNOWN (-1.0)

static uint64_t
nanoseconds(const struct timespec *ts)
{
	return (uint64_t)ts->tv_sec * NS_A_SECOND + (uint64_t)ts->tv_nsec;
}

uint64_t
meter_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
	return nanoseconds(&ts);
}

/* CPU seconds of all threads of a process; pid 0 is nobody. */
static double
cpu_of(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &ts) != 0)
		return UNKNOWN;
	return (double)nanoseconds(&ts) / NS_A_SECOND;
}

static double
cpu_here(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts); /* cannot fail */
	return (double)nanoseconds(&ts) / NS_A_SECOND;
}

enum rk_err
meter_start(struct meter *m, const struct args *a, struct rk_error *err)
{
	uint64_t ns = a->ms * 1000000;
	uint64_t warm = ns / 8 < WARM_MAX_NS ? ns / 8 : WARM_MAX_NS;

	memset(m, 0, sizeof(*m));
	m->args = a;
	m->paused = true;
	m->server_since = UNKNOWN;
	if (a->server != 0 && cpu_of(a->server) < 0)
		return err_set(
		    err, RK_EINVAL, "no process %ld here", (long)a->server);
	m->warm_until = meter_now() + warm;
	meter_resume(m);
	return RK_OK;
}

void
meter_resume(struct meter *m)
{
	if (!m->paused)
		return;
	m->paused = false;
	m->cpu_since = cpu_here();
	m->since = meter_now();
}

void
meter_pause(struct meter *m)
{
	if (m->paused)
		return;
	m->paused = true;
	m->seconds += (double)(meter_now() - m->since) / NS_A_SECOND;
	m->cpu += cpu_here() - m->cpu_since;
}

static void
begin_to_count(struct meter *m, uint64_t now)
{
	m->counting = true;
	m->until = now + m->args->ms * 1000000;
	m->seconds = 0;
	m->cpu = 0;
	m->server_since = cpu_of(m->args->server);
	m->cpu_since = cpu_here();
	m->since = meter_now();
}

static void
note_latency(struct meter *m, uint64_t ns)
{
	unsigned row = 0;

	while (ns >> row >= 2u * METER_STEPS)
		row++;
	/* Row 0 has the smallest as they are; in row n the top bit is known. */
	if (ns < METER_STEPS)
		m->latencies[0][ns]++;
	else
		m->latencies[row + 1][(ns >> row) - METER_STEPS]++;
}

bool
meter_call(struct meter *m, uint64_t begun, uint64_t now)
{
	if (m->counting) {
		m->calls++;
		note_latency(m, now - begun);
	} else if (now >= m->warm_until) {
		begin_to_count(m, now);
	}
	return !m->counting || now < m->until;
}

/* The middle of a step, in microseconds. */
static double
latency_at(unsigned row, unsigned step)
{
	double width;

	if (row == 0)
		return step / 1000.0;
	width = (double)(UINT64_C(1) << (row - 1));
	return (width * (step + METER_STEPS) + (width - 1) / 2) / 1000.0;
}

static double
percentile(const struct meter *m, double p)
{
	uint64_t left = (uint64_t)(p * (double)m->calls);

	for (unsigned i = 0; i < METER_ROWS; i++) {
		for (unsigned j = 0; j < METER_STEPS; j++) {
			if (m->latencies[i][j] > left)
				return latency_at(i, j);
			left -= m->latencies[i][j];
		}
	}
	return 0;
}

/* A figure that was not measured is null. */
static void
print_figure(const char *name, double v)
{
	if (v < 0)
		(void)printf(",\"%s\":null", name);
	else
		(void)printf(",\"%s\":%.3f", name, v);
}

static const char *
work_name(const struct args *a)
{
	if (a->work != WORK_DIAL)
		return a->name;
	if (a->early)
		return "early";
	return a->resume ? "resumed" : "full";
}

void
meter_report(struct meter *m)
{
	const struct args *a = m->args;
	double n, s;

	meter_pause(m);
	if (m->server_since >= 0)
		m->server_cpu = cpu_of(a->server) - m->server_since;
	else
		m->server_cpu = UNKNOWN;
	n = m->calls == 0 ? 1 : (double)m->calls;
	s = m->seconds > 0 ? m->seconds : 1;
	(void)printf("{\"work\":\"%s\",\"size\":%zu,\"outstanding\":%u,"
	             "\"calls\":%" PRIu64,
	    work_name(a), a->size, a->outstanding, m->calls);
	print_figure("seconds", m->seconds);
	print_figure("rate", (double)m->calls / s);
	print_figure("mb_s", (double)m->calls * (double)a->size / s / 1e6);
	print_figure("p50_us", percentile(m, 0.5));
	print_figure("p99_us", percentile(m, 0.99));
	print_figure("p999_us", percentile(m, 0.999));
	print_figure("client_us", m->cpu / n * 1e6);
	print_figure("server_us", m->server_cpu / n * 1e6);
	(void)printf("}\n");
}

long
meter_memory(pid_t pid)
{
	char path[64] = "/proc/self/status";
	char line[256];
	long kb = -1;
	FILE *f;

	if (pid != 0)
		(void)snprintf(
		    path, sizeof(path), "/proc/%ld/status", (long)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return -1;
	while (kb < 0 && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, "VmRSS:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	}
	(void)fclose(f); /* only read */
	return kb;
}

void
meter_report_idle(unsigned conns, long server_kb, long client_kb)
{
	(void)printf("{\"work\":\"idle\",\"conns\":%u", conns);
	print_figure("server_kb", (double)server_kb / conns);
	print_figure("client_kb", (double)client_kb / conns);
	(void)printf("}\n");
}
