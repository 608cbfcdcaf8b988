/* A long way for datagrams: everything arrives so much later, both ways. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/*
 * usage: delay MS PORT
 *
 * Listens at a port of 127.0.0.1 that it prints, passes every datagram on to
 * PORT after MS milliseconds, and what comes back to whoever was heard last:
 * one client at a time.  Ends with SIGTERM.
 */
#define DATAGRAM_MAX 65536
#define QUEUE 4096 /* what finds no room is lost */

struct datagram {
	uint64_t due; /* ns */
	size_t len;
	uint8_t *data;
};

struct way {
	struct datagram queue[QUEUE];
	size_t first;
	size_t n;
	int from;
	int to;
};

static volatile sig_atomic_t over;
static struct sockaddr_in client;

static void
on_signal(int signo)
{
	(void)signo;
	over = 1;
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* All there is now, from the client or from the server. */
static void
receive(struct way *w, bool from_client, uint64_t delay)
{
	static uint8_t data[DATAGRAM_MAX];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct datagram *d;
	ssize_t n;

	while ((n = recvfrom(w->from, data, sizeof(data), MSG_DONTWAIT,
	            (struct sockaddr *)&from, &len)) >= 0) {
		if (from_client)
			client = from;
		if (w->n == QUEUE)
			continue;
		d = &w->queue[(w->first + w->n) % QUEUE];
		d->data = malloc((size_t)n + 1);
		if (d->data == NULL)
			continue;
		memcpy(d->data, data, (size_t)n);
		d->len = (size_t)n;
		d->due = now_ns() + delay;
		w->n++;
	}
}

/* What is due leaves; the next one's time, or UINT64_MAX. */
static uint64_t
pass(struct way *w, bool to_client)
{
	struct datagram *d;
	ssize_t n;

	for (; w->n > 0; w->n--) {
		d = &w->queue[w->first];
		if (d->due > now_ns())
			return d->due;
		if (to_client)
			n = sendto(w->to, d->data, d->len, 0,
			    (struct sockaddr *)&client, sizeof(client));
		else
			n = send(w->to, d->data, d->len, 0);
		if (n < 0 && errno != ECONNREFUSED)
			perror("delay: send");
		free(d->data);
		w->first = (w->first + 1) % QUEUE;
	}
	return UINT64_MAX;
}

static void
relay(struct way way[2], uint64_t delay)
{
	struct pollfd fds[2] = {
		{ .fd = way[0].from, .events = POLLIN },
		{ .fd = way[1].from, .events = POLLIN },
	};
	struct timespec wait;
	uint64_t next, other, now;

	while (!over) {
		next = pass(&way[0], false);
		other = pass(&way[1], true);
		next = other < next ? other : next;
		now = now_ns();
		next = next == UINT64_MAX ? 1000000000
		       : next > now       ? next - now
		                          : 0;
		wait.tv_sec = (time_t)(next / 1000000000);
		wait.tv_nsec = (long)(next % 1000000000);
		if (ppoll(fds, 2, &wait, NULL) < 0 && errno != EINTR)
			return;
		receive(&way[0], true, delay);
		receive(&way[1], false, delay);
	}
}

/* One socket to be found at, and one towards the server. */
static int
open_sockets(uint16_t port, int *near, int *far)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(a);

	*near = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	*far = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (*near < 0 || *far < 0 ||
	    bind(*near, (struct sockaddr *)&a, len) != 0 ||
	    getsockname(*near, (struct sockaddr *)&a, &len) != 0)
		return -1;
	(void)printf("%u\n", ntohs(a.sin_port));
	a.sin_port = htons(port);
	if (fflush(stdout) != 0)
		return -1;
	return connect(*far, (struct sockaddr *)&a, sizeof(a));
}

int
main(int argc, char **argv)
{
	static struct way way[2];
	struct sigaction sa = { .sa_handler = on_signal };
	unsigned long ms = 0, port = 0;
	int near, far;

	if (argc == 3) {
		ms = strtoul(argv[1], NULL, 10);
		port = strtoul(argv[2], NULL, 10);
	}
	if (ms == 0 || ms > 10000 || port == 0 || port > UINT16_MAX) {
		(void)fprintf(stderr, "usage: delay MS PORT\n");
		return 2;
	}
	(void)sigaction(SIGTERM, &sa, NULL);
	if (open_sockets((uint16_t)port, &near, &far) != 0) {
		perror("delay");
		return 1;
	}
	way[0].from = way[1].to = near;
	way[0].to = way[1].from = far;
	relay(way, (uint64_t)ms * 1000000);
	return 0;
}
