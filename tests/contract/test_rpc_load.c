/* Much at once: pipelines, limits, readers that do not read, a storm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/msg.h"
#include "rpcrig.h"

/* ThreadSanitizer looks at what threads do to each other, which so many calls
 * show as well as two or three times as many. */
#ifdef __SANITIZE_THREAD__
#define IN_A_ROW 4000
#define STORM_OPS 800
#else
#define IN_A_ROW 10000
#define STORM_OPS 2000
#endif

static void
pipelines(void **state)
{
	enum {
		N = IN_A_ROW
	};
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer *a = calloc(N, sizeof(*a));

	assert_non_null(a);
	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < N; i++)
		(void)rpcrig_submit(c, "echo", rpcrig_bytes, i % 128, &a[i]);
	for (size_t i = 0; i < N; i++) {
		rpcrig_turn(c, &a[i].n, 1);
		assert_int_equal(a[i].code, RK_OK);
		assert_int_equal(a[i].len, i % 128);
		assert_true(i == 0 || a[i].order == a[i - 1].order + 1);
	}
	rk_client_free(c);
	free(a);
	rpcrig_end(&rig);
}

/* More than may run: the rest waits in the socket, and all complete. */
static void
holds_back(void **state)
{
	enum {
		MAX = 1024,
		N = MAX + 700
	};
	struct rpcrig rig;
	struct rk_client *c, *d;
	struct rpcanswer *a = calloc(N, sizeof(*a));
	struct rpcanswer x;

	assert_non_null(a);
	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	d = rpcrig_client(&rig);
	for (size_t i = 0; i < N; i++)
		(void)rpcrig_submit(c, "hold", NULL, 0, &a[i]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_held, MAX);
	/* Others have limits of their own. */
	for (int i = 0; i < 50; i++)
		rpcrig_call(d, "echo", "x", 1, &x);
	assert_int_equal(rpcrig_get(&rig, &rig.n_held), MAX);
	for (unsigned i = 0; i < N; i++) {
		rpcrig_await(&rig, &rig.n_held, i + 1);
		rpcrig_answer(&rig, i, NULL, NULL, 0);
	}
	for (size_t i = 0; i < N; i++)
		rpcrig_turn(c, &a[i].n, 1);
	rpcrig_await_running(&rig, 0);
	rk_client_free(c);
	rk_client_free(d);
	free(a);
	rpcrig_end(&rig);
	assert_int_equal(rig.n_canceled, 0);
}

/* With as many running as may, a cancel and the end are still heard. */
static void
hears_when_full(void **state)
{
	enum {
		MAX = 8
	};
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a[MAX] = { 0 };
	uint64_t id = 0;

	rpcrig_init(&rig, run->kind, run->threads);
	rig.conf.max_calls = MAX;
	rpcrig_start(&rig);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < MAX; i++)
		id = rpcrig_submit(c, "hold", NULL, 0, &a[i]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_held, MAX);
	assert_int_equal(rk_client_cancel(c, id), RK_OK);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_canceled, 1);
	assert_int_equal(rpcrig_held(&rig, MAX - 1).why, RK_CANCEL_CALLER);
	rk_client_free(c);
	rpcrig_await(&rig, &rig.n_canceled, MAX);
	assert_int_equal(rpcrig_held(&rig, 0).why, RK_CANCEL_CLOSED);
	for (unsigned i = 0; i < MAX; i++)
		rpcrig_answer(&rig, i, NULL, NULL, 0);
	rpcrig_end(&rig);
}

/* MiB, beyond max_queue by far; ThreadSanitizer, which looks at every byte that
 * is moved, beyond it. */
#ifdef __SANITIZE_THREAD__
#define TOGETHER 10
#else
#define TOGETHER 50
#endif

/* Answers that are ready together are no reason to cut who reads them. */
static void
answers_much_together(void **state)
{
	enum {
		N = TOGETHER
	};
	struct rpcrig rig;
	struct rk_client *c;
	static struct rpcanswer a[N];

	memset(a, 0, sizeof(a));
	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < N; i++)
		(void)rpcrig_submit(c, "hold", NULL, 0, &a[i]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_held, N);
	for (unsigned i = 0; i < N; i++)
		rpcrig_answer(&rig, i, NULL, rpcrig_bytes, 1u << 20);
	rpcrig_await_running(&rig, 0);
	for (size_t i = 0; i < N; i++) {
		rpcrig_turn(c, &a[i].n, 1);
		assert_int_equal(a[i].code, RK_OK);
		assert_int_equal(a[i].len, 1u << 20);
		assert_true(a[i].same);
	}
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* But there is an end to it. */
static void
cuts_who_never_reads(void **state)
{
	enum {
		N = 80
	};
	struct rpcrig rig;
	struct rk_client *c;
	static struct rpcanswer a[N];

	memset(a, 0, sizeof(a));
	rpcrig_begin(&rig, *state);
	rpclog_start();
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < N; i++)
		(void)rpcrig_submit(c, "hold", NULL, 0, &a[i]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_held, N);
	for (unsigned i = 0; i < N; i++)
		rpcrig_answer(&rig, i, NULL, rpcrig_bytes, RK_PAYLOAD_MAX);
	rpcrig_await_conns(&rig, 0);
	assert_int_equal(
	    rpclog_count(RK_LOG_INFO, "does not read its answers"), 1);
	rpclog_stop();
	rpcrig_check_alive(&rig);
	rpcrig_turn(c, &a[N - 1].n, 1);
	for (size_t i = 0; i < N; i++)
		assert_int_equal(a[i].n, 1);
	rk_client_free(c);
	rpcrig_end(&rig);
}

static size_t
resident(void)
{
	char text[128] = "";
	char *pages;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	(void)close(fd);
	pages = strchr(text, ' ');
	assert_non_null(pages);
	return (size_t)strtoul(pages, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

static int
dial_raw(const struct rpcrig *r)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_port =
	    htons((uint16_t)strtoul(strrchr(r->url, ':') + 1, NULL, 10));
	assert_true(fd >= 0);
	assert_int_equal(
	    connect(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

/* Asks and asks: as long as it may be sent, and then a little. */
static size_t
flood(int fd, const struct buf *frame)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	size_t total = 0;
	size_t at = 0;
	ssize_t n;

	while (poll(&p, 1, 3000) == 1) {
		n = send(fd, buf_peek(frame) + at, buf_len(frame) - at,
		    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			break;
		total += (size_t)n;
		at = (at + (size_t)n) % buf_len(frame);
	}
	return total;
}

static void
stays_small_with_a_deaf_peer(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct msg m = { .hdr = { .type = RK_TYPE_CALL,
		             .to_service = { "echo", 4 },
		             .seqno = 2 },
		.payload = { rpcrig_bytes, 1000000 } };
	struct buf frame;
	size_t before, sent;
	int fd;

	rpcrig_init(&rig, run->kind, run->threads);
	rig.conf.timeouts.write = 300;
	rpcrig_start(&rig);
	rpclog_start();
	buf_init(&frame, SIZE_MAX);
	assert_int_equal(msg_encode(&frame, &m, NULL, 0), RK_OK);
	fd = dial_raw(&rig);
	before = resident();
	sent = flood(fd, &frame);
	assert_true(sent > 1000000);
	assert_true(resident() < before + (64u << 20));
	rpcrig_await_conns(&rig, 0);
	assert_int_equal(
	    rpclog_count(RK_LOG_INFO, "took no bytes for 300 ms"), 1);
	rpclog_stop();
	(void)close(fd);
	buf_fini(&frame);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

/* A client whose own queue is full still reads: else both ends would wait for
 * the other to read first. */
static void
reads_while_it_cannot_send(void **state)
{
	enum {
		MAX = 4000,
		ASKED = 8000
	};
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client_conf conf;
	struct rk_client *c;
	struct rpcanswer *a = calloc(MAX, sizeof(*a));
	char *asked = calloc(1, ASKED);
	struct rk_request req = {
		.method = "big", .payload = asked, .payload_len = ASKED
	};
	size_t n = 0;

	assert_true(a != NULL && asked != NULL);
	(void)snprintf(asked, ASKED, "1000000");
	rpcrig_init(&rig, run->kind, run->threads);
	rig.conf.timeouts.write = 20000;
	rpcrig_start(&rig);
	rpcrig_client_conf(&rig, &conf);
	conf.timeouts.write = 20000;
	conf.max_queue = 1u << 20;
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	while (n < MAX &&
	       rk_client_submit(c, &req, rpcrig_on_reply, &a[n], NULL) == RK_OK)
		n++;
	assert_true(n > 100 && n < MAX);
	for (size_t i = 0; i < n; i++) {
		rpcrig_turn(c, &a[i].n, 1);
		assert_int_equal(a[i].code, RK_OK);
		assert_int_equal(a[i].len, 1000000);
	}
	rk_client_free(c);
	free(a);
	free(asked);
	rpcrig_end(&rig);
}

/* ---- the storm ---- */

enum {
	STORM_CLIENTS = 8
};

struct storm {
	struct rpcrig rig;
	uint64_t seed;
	struct rk_client *c[STORM_CLIENTS];
	struct rpcanswer a[STORM_OPS];
	uint64_t id[STORM_OPS];
	unsigned of[STORM_OPS];
	size_t n;
	bool over; /* rig.lock */
	pthread_t thread;
};

static uint64_t
roll(uint64_t *seed, uint64_t sides)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed % sides;
}

/* Answers what is held, newest and oldest, some of it late. */
static void *
answer_storm(void *arg)
{
	struct storm *s = arg;
	struct rpcrig *r = &s->rig;
	uint64_t seed = 77;
	unsigned next = 0;
	bool over = false;

	while (!over || next < rpcrig_get(r, &r->n_held)) {
		(void)pthread_mutex_lock(&r->lock);
		while (!s->over && next >= r->n_held)
			(void)pthread_cond_wait(&r->changed, &r->lock);
		over = s->over;
		(void)pthread_mutex_unlock(&r->lock);
		while (next < rpcrig_get(r, &r->n_held)) {
			unsigned again = (unsigned)roll(&seed, next + 1);

			rpcrig_answer(r, next++,
			    roll(&seed, 3) == 0 ? "bad luck" : NULL,
			    rpcrig_bytes, (size_t)roll(&seed, 50000));
			rpcrig_answer(r, again, NULL, NULL, 0);
		}
	}
	return NULL;
}

static void
storm_call(struct storm *s, unsigned i)
{
	static const char *const names[] = { "echo", "hold", "park", "release",
		"fail", "none", "sink" };
	struct rk_request req = {
		.method = names[roll(&s->seed, 7)],
		.payload = rpcrig_bytes,
		.payload_len = (size_t)roll(&s->seed, 30000),
		.timeout = roll(&s->seed, 10) == 0 ? 1 + roll(&s->seed, 20) : 0,
	};

	if (rk_client_submit(s->c[i], &req, rpcrig_on_reply, &s->a[s->n],
	        &s->id[s->n]) != RK_OK)
		return; /* its connection has gone */
	s->of[s->n++] = i;
}

static void
storm_op(struct storm *s)
{
	unsigned i = (unsigned)roll(&s->seed, STORM_CLIENTS);
	struct rk_client_conf conf;
	uint64_t what = roll(&s->seed, 100);
	size_t k;

	if (s->c[i] == NULL) {
		rpcrig_client_conf(&s->rig, &conf);
		s->c[i] = rpcrig_client_with(&conf);
		assert_int_equal(rk_client_start(s->c[i], NULL), RK_OK);
	} else if (what < 60) {
		storm_call(s, i);
	} else if (what < 75 && s->n > 0) {
		k = (size_t)roll(&s->seed, s->n);
		if (s->of[k] == i)
			(void)rk_client_cancel(s->c[i], s->id[k]);
	} else if (what < 78) {
		rk_client_shutdown(s->c[i]);
	} else if (what < 83) {
		rk_client_free(s->c[i]);
		s->c[i] = NULL;
	} else {
		assert_int_equal(rk_client_process(s->c[i]), RK_OK);
	}
}

static void
weathers_a_storm(void **state)
{
	struct storm *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->seed = 0x9e3779b97f4a7c15;
	rpcrig_begin(&s->rig, *state);
	assert_int_equal(pthread_create(&s->thread, NULL, answer_storm, s), 0);
	for (int i = 0; i < STORM_OPS; i++)
		storm_op(s);
	for (size_t i = 0; i < STORM_CLIENTS; i++)
		rk_client_free(s->c[i]);
	for (size_t i = 0; i < s->n; i++)
		assert_int_equal(s->a[i].n, 1);
	rpcrig_await_conns(&s->rig, 0);
	(void)pthread_mutex_lock(&s->rig.lock);
	s->over = true;
	(void)pthread_cond_broadcast(&s->rig.changed);
	(void)pthread_mutex_unlock(&s->rig.lock);
	(void)pthread_join(s->thread, NULL);
	rpcrig_await_running(&s->rig, 0);
	rpcrig_check_alive(&s->rig);
	rpcrig_end(&s->rig);
	free(s);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "calls in a row", pipelines, RPC_ALL },
		{ "more than may run", holds_back, RPC_ALL },
		{ "cancels when full", hears_when_full, RPC_ALL },
		{ "answers together", answers_much_together, RPC_ALL },
		{ "answers unread", cuts_who_never_reads, RPC_ONLY(RPC_TCP) },
		{ "a deaf peer", stays_small_with_a_deaf_peer,
		    RPC_ONLY(RPC_TCP) },
		{ "both full", reads_while_it_cannot_send, RPC_ONLY(RPC_UNIX) },
		{ "a storm", weathers_a_storm, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc load", cases, sizeof(cases) / sizeof(cases[0]));
}
