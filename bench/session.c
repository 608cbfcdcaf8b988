/* Messages of a session beside libsodium and the kernel alone: a table. */
#include "session.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/*
 * usage: session ROUNDS MS
 *
 * Sender and receiver are threads, on a core each.  What is compared was
 * measured in turns; each figure is the median of so many rounds of so many
 * milliseconds, each ratio that of the rounds' ratios.
 */
#define ROUNDS_MOST 101

static const struct row {
	const char *name;
	size_t size;
	enum pipe_kind kind;
} rows[] = {
	{ "1 byte", 1, PIPE_BYTES },
	{ "16 bytes", 16, PIPE_BYTES },
	{ "1 KiB", 1024, PIPE_BYTES },
	{ "32 KiB", 32768, PIPE_BYTES },
	{ "64 KiB", 65536, PIPE_BYTES },
	{ "datagrams of 1300 bytes", DATAGRAM_SIZE, PIPE_LOCAL },
	{ "1300 bytes over UDP", DATAGRAM_SIZE, PIPE_UDP },
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* Of a message, in nanoseconds. */
static double on_clock[ROWS][WAY_COUNT][ROUNDS_MOST];
static double on_cpu[ROWS][WAY_COUNT][ROUNDS_MOST];
static uint64_t cpu_spent[2]; /* of each thread, when it has ended */

void
die(const char *why)
{
	(void)fprintf(stderr, "bench/session: %s\n", why);
	exit(1);
}

static uint64_t
read_clock(clockid_t which)
{
	struct timespec ts;

	(void)clock_gettime(which, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t
now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t
cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* ---- one measurement ---- */

/* The n-th of the cores that there are, if there are two. */
static void
pin(int n)
{
	cpu_set_t all, one;

	if (sched_getaffinity(0, sizeof(all), &all) != 0 || CPU_COUNT(&all) < 2)
		return;
	for (size_t i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all) || n-- > 0)
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		(void)pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
		return;
	}
}

static void *
send_all(void *arg)
{
	struct run *r = arg;
	pin(0);
	if (r->way == WAY_BARE)
		bare_send(r);
	else
		session_send(r);
	cpu_spent[0] = cpu_ns() - r->began[0];
	return NULL;
}

static void *
receive_all(void *arg)
{
	struct run *r = arg;
	pin(1);
	if (r->way == WAY_BARE)
		bare_receive(r);
	else
		session_receive(r);
	cpu_spent[1] = cpu_ns() - r->began[1];
	return NULL;
}

bool
has_room(const struct run *r)
{
	return r->kind != PIPE_UDP || r->sent - r->taken < r->window;
}

void
note_taken(struct run *r)
{
	if (r->kind == PIPE_UDP)
		atomic_store_explicit(&r->taken, r->got, memory_order_release);
}

#define UDP_BUFFER (4 << 20) /* asked for */
#define UDP_COST 5120        /* of one datagram there, at the most */
#define WINDOW_MOST 1024u

static unsigned
window_of(int fd)
{
	const int want = UDP_BUFFER;
	socklen_t len = sizeof(int);
	int is = 0;
	unsigned n;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &want, sizeof(want));
	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &is, &len) != 0)
		die("no buffer");
	n = (unsigned)is / UDP_COST;
	return n < WINDOW_MOST ? n : WINDOW_MOST;
}

/* Each talks to the other only. */
static bool
udp_pair(int fd[2])
{
	struct sockaddr_in at[2];
	socklen_t len = sizeof(at[0]);

	for (int i = 0; i < 2; i++) {
		at[i] = (struct sockaddr_in){ .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd[i] < 0 ||
		    bind(fd[i], (struct sockaddr *)&at[i], len) != 0 ||
		    getsockname(fd[i], (struct sockaddr *)&at[i], &len) != 0)
			return false;
	}
	return connect(fd[0], (struct sockaddr *)&at[1], len) == 0 &&
	       connect(fd[1], (struct sockaddr *)&at[0], len) == 0;
}

static bool
open_pipe(struct run *r)
{
	if (r->kind == PIPE_UDP) {
		if (!udp_pair(r->fd))
			return false;
		r->window = window_of(r->fd[1]);
		return true;
	}
	return socketpair(AF_UNIX,
	           (r->kind == PIPE_LOCAL ? SOCK_SEQPACKET : SOCK_STREAM) |
	               SOCK_CLOEXEC,
	           0, r->fd) == 0;
}

static void
measure(size_t row, enum way way, uint64_t ns, unsigned round)
{
	struct run r = { .way = way,
		.kind = rows[row].kind,
		.size = rows[row].size,
		.ns = ns };
	pthread_t thread[2];

	if (!open_pipe(&r))
		die("no socket");

	if (pthread_create(&thread[1], NULL, receive_all, &r) != 0 ||
	    pthread_create(&thread[0], NULL, send_all, &r) != 0)
		die("no thread");
	for (int i = 0; i < 2; i++)
		(void)pthread_join(thread[i], NULL);
	for (int i = 0; i < 2; i++)
		(void)close(r.fd[i]);
	if (r.got == 0 || r.got != r.sent)
		die("messages were lost");
	on_clock[row][way][round] = (double)(r.ended - r.begun) / (double)r.got;
	on_cpu[row][way][round] =
	    (double)(cpu_spent[0] + cpu_spent[1]) / (double)r.got;
}

/* ---- the table ---- */

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *)a;
	const double y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(const double *v, unsigned n)
{
	double sorted[ROUNDS_MOST];

	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*v), compare);
	return sorted[n / 2];
}

static double
ratio(const double *bare, const double *ours, unsigned n)
{
	double v[ROUNDS_MOST];

	for (unsigned i = 0; i < n; i++)
		v[i] = bare[i] / ours[i];
	return median(v, n);
}

static void
print_table(
    const char *title, double v[ROWS][WAY_COUNT][ROUNDS_MOST], unsigned n)
{
	static const char *const ways[] = { "libsodium, write and read",
		"synchronous", "asynchronous" };

	(void)printf("\n| %s |", title);
	for (unsigned w = 0; w < WAY_COUNT; w++)
		(void)printf(
		    w == 0 ? " %s | MB/s |" : " %s | MB/s | ratio |", ways[w]);
	(void)printf("\n| --- | --: | --: | --: | --: | --: | --: | --: | --: "
	             "|\n");
	for (size_t i = 0; i < ROWS; i++) {
		(void)printf("| %s |", rows[i].name);
		for (unsigned w = 0; w < WAY_COUNT; w++) {
			const double ns = median(v[i][w], n);

			(void)printf(" %.0f | %.*f |", ns,
			    rows[i].size < 1000 ? 1 : 0,
			    (double)rows[i].size * 1000 / ns);
			if (w > 0)
				(void)printf(
				    " %.2f |", ratio(v[i][0], v[i][w], n));
		}
		(void)printf("\n");
	}
}

int
main(int argc, char **argv)
{
	const long rounds = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
	const long ms = argc == 3 ? strtol(argv[2], NULL, 10) : 0;

	if (rounds < 1 || rounds > ROUNDS_MOST || ms < 1 || ms > 60000) {
		(void)fprintf(stderr, "usage: session ROUNDS MS\n");
		return 2;
	}
	for (unsigned n = 0; n < (unsigned)rounds; n++)
		for (size_t i = 0; i < ROWS; i++)
			for (unsigned w = 0; w < WAY_COUNT; w++)
				measure(
				    i, (enum way)w, (uint64_t)ms * 1000000, n);
	print_table("ns a message", on_clock, (unsigned)rounds);
	print_table("CPU, ns a message, both ends", on_cpu, (unsigned)rounds);
	return 0;
}
