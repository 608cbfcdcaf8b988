/* A bad network in a box: a UDP relay that loses, repeats, delays, damages. */
#include "relay_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE 64     /* datagrams read from a socket in a turn */
#define QUEUE_MAX 8192 /* beyond it the relay drops, as routers do */
#define SOCKET_BUFFER (4 * 1024 * 1024)

/* ---- faults ---- */

/* splitmix64: every seed is as good as any other. */
static uint64_t
draw(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static bool
strikes(uint64_t drawn, unsigned percent)
{
	return drawn % 100 < percent;
}

/* The same number of draws for every datagram, whatever the faults are. */
struct fate {
	uint64_t drop, duplicate, reorder, flip, truncate, jitter, where;
};

static struct fate
draw_fate(uint64_t *state)
{
	struct fate f;

	f.drop = draw(state);
	f.duplicate = draw(state);
	f.reorder = draw(state);
	f.flip = draw(state);
	f.truncate = draw(state);
	f.jitter = draw(state);
	f.where = draw(state);
	return f;
}

/* ---- sending ---- */

/* What a socket does not take is lost, as it is elsewhere. */
static void
pass(struct relay *r, const struct packet *p)
{
	ssize_t n;

	if (p->way == RELAY_UP)
		n = send(p->flow->fd, p->data, p->len, MSG_DONTWAIT);
	else
		n = sendto(r->fd, p->data, p->len, MSG_DONTWAIT,
		    &p->flow->client.u.sa, p->flow->client.len);
	/* A server that is gone has answered an earlier one: once more. */
	if (n < 0 && p->way == RELAY_UP)
		n = send(p->flow->fd, p->data, p->len, MSG_DONTWAIT);
	if (n < 0)
		return;
	r->counts[p->way].out++;
	r->counts[p->way].out_bytes += p->len;
}

static void
arm(struct relay *r)
{
	const struct packet *first = TAILQ_FIRST(&r->queue);

	if (first != NULL)
		assert_int_equal(rk_timer_set(r->timer, first->due), RK_OK);
	else
		rk_timer_clear(r->timer);
}

static void
on_timer(struct rk_timer *t, void *arg)
{
	struct relay *r = arg;
	struct packet *p;

	(void)t;
	while ((p = TAILQ_FIRST(&r->queue)) != NULL &&
	       p->due <= rk_loop_now(r->loop)) {
		TAILQ_REMOVE(&r->queue, p, link);
		r->queued--;
		if (!r->hole)
			pass(r, p);
		free(p);
	}
	arm(r);
}

static struct packet *
new_packet(struct flow *f, enum relay_way way, const uint8_t *data, size_t len)
{
	struct packet *p = malloc(sizeof(*p) + len);

	assert_non_null(p);
	*p = (struct packet){ .flow = f, .way = way, .len = len };
	memcpy(p->data, data, len);
	return p;
}

/* Equal times keep their order. */
static void
queue(struct relay *r, struct packet *p)
{
	struct packet *before = TAILQ_LAST(&r->queue, packets);

	while (before != NULL && before->due > p->due)
		before = TAILQ_PREV(before, packets, link);
	if (before == NULL)
		TAILQ_INSERT_HEAD(&r->queue, p, link);
	else
		TAILQ_INSERT_AFTER(&r->queue, before, p, link);
	r->queued++;
	arm(r);
}

static void
send_or_queue(struct relay *r, struct packet *p, uint64_t delay)
{
	if (delay > 0 && r->queued < QUEUE_MAX) {
		p->due = rk_loop_now(r->loop) + delay;
		queue(r, p);
		return;
	}
	if (delay == 0)
		pass(r, p);
	free(p);
}

static void
relay_one(struct relay *r, struct flow *f, enum relay_way way, size_t len)
{
	const struct relay_faults *bad = &r->faults[way];
	const struct fate fate = draw_fate(&r->random[way]);
	uint64_t delay = bad->delay_ms;

	r->counts[way].in++;
	r->counts[way].in_bytes += len;
	if (r->hole || way == RELAY_STRAY || strikes(fate.drop, bad->drop))
		return;
	if (strikes(fate.flip, bad->flip) && len > 0)
		r->buf[fate.where / 8 % len] ^= (uint8_t)(1 << fate.where % 8);
	if (strikes(fate.truncate, bad->truncate) && len > 1)
		len = 1 + fate.where % (len - 1);
	if (bad->jitter_ms > 0)
		delay += fate.jitter % (bad->jitter_ms + 1);
	if (strikes(fate.reorder, bad->reorder))
		delay += RELAY_REORDER_MS;
	send_or_queue(r, new_packet(f, way, r->buf, len), delay);
	if (strikes(fate.duplicate, bad->duplicate))
		send_or_queue(r, new_packet(f, way, r->buf, len), delay);
}

/* ---- receiving ---- */

static void
on_server(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct flow *f = arg;
	struct relay *r = f->relay;

	(void)w;
	(void)ready;
	for (int i = 0; i < AT_ONCE; i++) {
		ssize_t n = recv(fd, r->buf, sizeof(r->buf), MSG_DONTWAIT);

		if (n < 0)
			return; /* nothing, or nobody there: all the same */
		relay_one(
		    r, f, f->replay ? RELAY_STRAY : RELAY_DOWN, (size_t)n);
	}
}

static int
new_socket(const struct relay *r)
{
	const int size = SOCKET_BUFFER;
	int fd = socket(r->server.u.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	/* As much as the system grants: losses are to be ours alone. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return fd;
}

/* The new socket is there before the old one goes: another port. */
void
relay_open_flow(struct flow *f)
{
	struct relay *r = f->relay;
	struct rk_watch *old = f->watch;
	int old_fd = f->fd;

	f->fd = new_socket(r);
	assert_int_equal(connect(f->fd, &r->server.u.sa, r->server.len), 0);
	assert_int_equal(
	    rk_watch_new(r->loop, f->fd, RK_READ, on_server, f, &f->watch),
	    RK_OK);
	if (old == NULL)
		return;
	rk_watch_free(old);
	assert_int_equal(close(old_fd), 0);
}

struct flow *
relay_new_flow(struct relay *r, const struct addr *client)
{
	struct flow *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->relay = r;
	if (client != NULL)
		f->client = *client;
	f->replay = client == NULL;
	relay_open_flow(f);
	TAILQ_INSERT_TAIL(&r->flows, f, link);
	return f;
}

static struct flow *
flow_of(struct relay *r, const struct addr *client)
{
	struct flow *f;

	TAILQ_FOREACH (f, &r->flows, link) {
		if (!f->replay && f->client.len == client->len &&
		    memcmp(&f->client.u, &client->u, client->len) == 0)
			return f;
	}
	return relay_new_flow(r, client);
}

static void
on_client(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct relay *r = arg;

	(void)w;
	(void)ready;
	for (int i = 0; i < AT_ONCE; i++) {
		struct addr from = { .len = sizeof(from.u) };
		ssize_t n = recvfrom(fd, r->buf, sizeof(r->buf), MSG_DONTWAIT,
		    &from.u.sa, &from.len);
		struct flow *f;

		if (n < 0)
			return;
		f = flow_of(r, &from);
		if (r->recording) {
			struct packet *p =
			    new_packet(f, RELAY_UP, r->buf, (size_t)n);

			TAILQ_INSERT_TAIL(&r->record, p, link);
			r->recorded++;
		}
		relay_one(r, f, RELAY_UP, (size_t)n);
	}
}

/* ---- the box ---- */

static void
open_front(struct relay *r)
{
	r->at = (struct addr){ .len = r->server.len };
	r->at.u.sa.sa_family = r->server.u.sa.sa_family;
	if (r->at.u.sa.sa_family == AF_INET6)
		r->at.u.in6.sin6_addr = in6addr_loopback;
	else
		r->at.u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r->fd = new_socket(r);
	assert_int_equal(bind(r->fd, &r->at.u.sa, r->at.len), 0);
	assert_int_equal(getsockname(r->fd, &r->at.u.sa, &r->at.len), 0);
	assert_int_equal(
	    rk_watch_new(r->loop, r->fd, RK_READ, on_client, r, &r->watch),
	    RK_OK);
	assert_int_equal(rk_timer_new(r->loop, on_timer, r, &r->timer), RK_OK);
}

static void *
run(void *arg)
{
	struct relay *r = arg;

	(void)rk_loop_run(r->loop); /* what fails shows as silence */
	return NULL;
}

struct relay *
relay_start(struct rk_loop *loop, const struct addr *server, uint64_t seed)
{
	struct relay *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->server = *server;
	r->loop = loop;
	r->threaded = loop == NULL;
	TAILQ_INIT(&r->flows);
	TAILQ_INIT(&r->queue);
	TAILQ_INIT(&r->record);
	for (size_t i = 0; i < RELAY_WAYS; i++)
		r->random[i] = draw(&seed);
	if (r->threaded)
		assert_int_equal(rk_loop_new(&r->loop), RK_OK);
	open_front(r);
	if (!r->threaded)
		return r;
	assert_int_equal(pthread_mutex_init(&r->lock, NULL), 0);
	assert_int_equal(pthread_cond_init(&r->answered, NULL), 0);
	assert_int_equal(pthread_create(&r->thread, NULL, run, r), 0);
	return r;
}

static void
drop_packets(struct packets *list)
{
	struct packet *p;

	while ((p = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, p, link);
		free(p);
	}
}

void
relay_stop(struct relay *r)
{
	struct flow *f;

	if (r == NULL)
		return;
	if (r->threaded) {
		rk_loop_stop(r->loop);
		assert_int_equal(pthread_join(r->thread, NULL), 0);
		(void)pthread_cond_destroy(&r->answered); /* nobody waits */
		(void)pthread_mutex_destroy(&r->lock);
	}
	while ((f = TAILQ_FIRST(&r->flows)) != NULL) {
		TAILQ_REMOVE(&r->flows, f, link);
		rk_watch_free(f->watch);
		(void)close(f->fd);
		free(f);
	}
	drop_packets(&r->queue);
	drop_packets(&r->record);
	rk_timer_free(r->timer);
	rk_watch_free(r->watch);
	(void)close(r->fd);
	if (r->threaded)
		rk_loop_free(r->loop);
	free(r);
}

const struct addr *
relay_addr(const struct relay *r)
{
	return &r->at;
}

void
relay_text(const struct relay *r, char out[ADDR_TEXT_LEN])
{
	char url[ADDR_TEXT_LEN];
	const char *host;

	addr_format(&r->at, ADDR_TCP, url);
	host = strstr(url, "://");
	assert_non_null(host);
	memmove(out, host + 3, strlen(host + 3) + 1);
}
