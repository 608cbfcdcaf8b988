/* Calls over QUIC where it is not like TCP: bad networks, and threads that
 * share a port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "rpc/client_int.h"
#include "rpc/server_int.h"

#include "relay.h"
#include "rpcrig.h"

#define THREADS 4

/* A server, and a relay before it, on threads of their own. */
struct trial {
	struct rpcrig rig;
	struct relay *relay;
	char url[128];
	struct rk_client_conf conf;
};

/* Handshakes take no longer than so many ms; 0: as usual. */
static struct trial *
begin_hasty(unsigned threads, uint64_t seed, uint64_t handshake)
{
	struct trial *t = calloc(1, sizeof(*t));
	struct addr_url url;
	struct addr at;
	char where[ADDR_TEXT_LEN];
	size_t n;

	assert_non_null(t);
	rpcrig_init(&t->rig, RPC_QUIC, threads);
	t->rig.conf.timeouts.handshake = handshake;
	rpcrig_start(&t->rig);
	assert_int_equal(addr_parse(t->rig.url, &url, NULL), RK_OK);
	assert_int_equal(addr_resolve(&url, true, &at, 1, &n, NULL), RK_OK);
	t->relay = relay_start(NULL, &at, seed);
	relay_text(t->relay, where);
	(void)snprintf(t->url, sizeof(t->url), "quic://%.*s", 100, where);
	rpcrig_client_conf(&t->rig, &t->conf);
	t->conf.url = t->url;
	return t;
}

static struct trial *
begin(unsigned threads, uint64_t seed)
{
	return begin_hasty(threads, seed, 0);
}

/* A client's goodbye may have been lost: not much grace. */
static void
end(struct trial *t)
{
	relay_stop(t->relay);
	rpcrig_stop(&t->rig, 50);
	rpcrig_await_stopped(&t->rig);
	rpcrig_fini(&t->rig);
	free(t);
}

static struct rk_client *
connect_to(struct trial *t)
{
	struct rk_client *c = rpcrig_client_with(&t->conf);
	struct rk_error err;

	if (rk_client_connect(c, &err) != RK_OK)
		fail_msg("%s", err.text);
	return c;
}

/* ---- bad networks ---- */

static void
echo(struct rk_client *c, size_t len)
{
	struct rpcanswer a;

	rpcrig_call(c, "echo", rpcrig_bytes, len, &a);
	assert_int_equal(a.len, len);
	assert_true(a.same);
}

static void
calls_through_bad_networks(void **state)
{
	static const struct relay_faults faults[] = {
		{ .drop = 5 },
		{ .drop = 20 },
		{ .duplicate = 25 },
		{ .reorder = 25 },
		{ .delay_ms = 10, .jitter_ms = 5 },
		{ .flip = 10, .truncate = 5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct trial *t = begin(0, i);
		struct rk_client *c;

		relay_set(t->relay, RELAY_UP, &faults[i]);
		relay_set(t->relay, RELAY_DOWN, &faults[i]);
		c = connect_to(t);
		for (unsigned k = 0; k < 4; k++) {
			if (k == 2)
				relay_rebind(t->relay);
			echo(c, 1);
			echo(c, 20000);
		}
		assert_int_equal(rpcrig_get(&t->rig, &t->rig.handled), 8);
		rk_client_free(c);
		end(t);
	}
}

/* ---- threads that share a port ---- */

/* When every thread has ended. */
static uint64_t
count_strays(const struct rpcrig *r)
{
	const struct udp_ports *all = TAILQ_FIRST(&r->server->ports);
	struct quic_end_stats s;
	uint64_t n = 0;

	assert_non_null(all);
	assert_int_equal(all->n, 1 + THREADS);
	for (size_t i = 0; i < all->n; i++) {
		quic_end_stats(all->port[i].end, &s);
		n += s.strays;
	}
	return n;
}

/* All of them at once, until each has had so many answers. */
static void
turn_all(
    struct rk_client *const *c, const struct rpcanswer *a, size_t n, unsigned k)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	for (size_t done = 0; done < n;) {
		done = 0;
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(rk_client_process(c[i]), RK_OK);
			done += a[i].n == k;
		}
		assert_true(rpcrig_now() < until);
	}
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(a[i].code, RK_OK);
		assert_true(a[i].same);
	}
}

/* The kernel picks the socket by the peer's port; ids find the thread. */
static void
strays_find_their_loop(void **state)
{
	enum {
		CLIENTS = 50,
		ROUNDS = 4
	};
	struct trial *t = begin(THREADS, 1);
	struct rk_client *c[CLIENTS];
	struct rpcanswer a[CLIENTS] = { { 0 } };

	(void)state;
	for (size_t i = 0; i < CLIENTS; i++)
		c[i] = connect_to(t);
	for (unsigned k = 1; k <= ROUNDS; k++) {
		relay_rebind(t->relay);
		for (size_t i = 0; i < CLIENTS; i++)
			(void)rpcrig_submit(
			    c[i], "echo", rpcrig_bytes, 20000, &a[i]);
		turn_all(c, a, CLIENTS, k);
	}
	for (size_t i = 0; i < CLIENTS; i++)
		rk_client_free(c[i]);
	relay_stop(t->relay);
	rpcrig_stop(&t->rig, 10000);
	rpcrig_await_stopped(&t->rig);
	assert_true(count_strays(&t->rig) > CLIENTS);
	assert_int_equal(t->rig.handled, CLIENTS * ROUNDS);
	rpcrig_fini(&t->rig);
	free(t);
}

/* The most that is on its way to one of the threads. */
static unsigned
most_strays(struct rpcrig *r)
{
	struct udp_ports *all = TAILQ_FIRST(&r->server->ports);
	unsigned most = 0;

	for (size_t i = 0; i < all->n; i++) {
		unsigned n = atomic_load(&all->port[i].strays);

		most = n > most ? n : most;
	}
	return most;
}

/* A thread that does not come to read them is sent no more than so many. */
static void
strays_are_bounded(void **state)
{
	enum {
		LIMIT = 1024,
		PORTS = 400
	};
	struct trial *t = begin(THREADS, 2);
	struct rk_client *c = connect_to(t);
	struct rpcanswer a = { 0 };
	const struct timespec ms = { .tv_nsec = 1000000 };
	size_t n;

	(void)state;
	relay_record(t->relay, true);
	for (int i = 0; i < 30; i++)
		echo(c, 3000);
	relay_record(t->relay, false);
	n = relay_recorded(t->relay);
	assert_true(n >= 30);
	/* Its handler waits for the lock. */
	(void)pthread_mutex_lock(&t->rig.lock);
	(void)rpcrig_submit(c, "guarded", "x", 1, &a);
	(void)rk_client_process(c);
	for (int i = 0; i < PORTS && most_strays(&t->rig) < LIMIT; i++) {
		relay_replay(t->relay, 0, n);
		(void)nanosleep(&ms, NULL);
	}
	assert_int_equal(most_strays(&t->rig), LIMIT);
	relay_replay(t->relay, 0, n);
	assert_true(most_strays(&t->rig) <= LIMIT);
	(void)pthread_mutex_unlock(&t->rig.lock);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	echo(c, 100000);
	rk_client_free(c);
	end(t);
}

/*
 * All that a client has sent, once more from elsewhere, while it is there and
 * when it is gone.  A first packet is as good as a client's until its handshake
 * does not end.
 */
static void
recordings_deliver_nothing(void **state)
{
	struct trial *t = begin_hasty(THREADS, 5, 2000);
	struct rk_client *c;
	size_t n;

	(void)state;
	relay_record(t->relay, true);
	c = connect_to(t);
	for (unsigned i = 0; i < 4; i++)
		echo(c, 1 + 20000 * i);
	relay_record(t->relay, false);
	n = relay_recorded(t->relay);
	assert_true(n > 8);
	for (int i = 0; i < 5; i++)
		relay_replay(t->relay, 0, n);
	echo(c, 20000);
	assert_int_equal(rpcrig_get(&t->rig, &t->rig.handled), 5);
	rk_client_free(c);
	rpcrig_await_conns(&t->rig, 0);
	relay_replay(t->relay, 0, n);
	c = connect_to(t);
	echo(c, 1);
	assert_int_equal(rpcrig_get(&t->rig, &t->rig.handled), 6);
	rk_client_free(c);
	end(t);
}

/* ---- where to, and with what ---- */

/* A port that was free a moment ago. */
static void
find_dead_port(struct addr *a)
{
	struct addr_url url = { .scheme = ADDR_QUIC, .host = "127.0.0.1" };
	struct addr any;
	size_t n;
	int fd;

	assert_int_equal(addr_resolve(&url, true, &any, 1, &n, NULL), RK_OK);
	assert_int_equal(quic_io_bind(&any, false, &fd, a, NULL), RK_OK);
	(void)close(fd); /* nothing was sent */
}

/* Nobody is at the first address of several: the second is tried at once. */
static void
takes_the_next_address(void **state)
{
	struct trial *t = begin(0, 3);
	struct addr dead;
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	uint64_t began = rpcrig_now();

	(void)state;
	find_dead_port(&dead);
	addr_format(&dead, ADDR_QUIC, t->url);
	c = rpcrig_client_with(&t->conf);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	/* As if its name had had two of them. */
	assert_int_equal(c->quic.n, 1);
	c->quic.addrs[c->quic.n++] = *relay_addr(t->relay);
	(void)rpcrig_submit(c, "echo", "x", 1, &a);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	assert_true(rpcrig_now() - began < 5000);
	assert_int_equal(c->quic.next, 2);
	rk_client_free(c);
	end(t);
}

/* A server needs none for a connection; a client says what it lacks. */
static void
lives_without_descriptors(void **state)
{
	struct trial *t = begin(0, 4);
	struct rk_client *c, *d;
	struct rlimit before, tight;
	struct rk_error err;
	enum rk_err r[2];
	int spare;

	(void)state;
	(void)snprintf(t->url, sizeof(t->url), "%s", t->rig.url);
	c = connect_to(t);
	d = rpcrig_client_with(&t->conf);
	echo(c, 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	for (unsigned i = 0; i < 2; i++) {
		spare = dup(0);
		assert_true(spare >= 0);
		(void)close(spare);
		tight = before;
		tight.rlim_cur = (rlim_t)spare + i;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
		r[i] = rk_client_connect(d, &err);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (r[i] != RK_OK)
			assert_non_null(
			    strstr(err.text, "Too many open files"));
		echo(c, 1);
		if (r[i] == RK_OK)
			echo(d, 1);
		rk_client_shutdown(d);
	}
	assert_int_equal(r[0], RK_ECONNECT);
	assert_int_equal(r[1], RK_OK); /* its socket is all it needs */
	rk_client_free(c);
	rk_client_free(d);
	end(t);
}

/* Until nothing of the handshake or of the path is left to be done. */
#define SILENCE_MS 2000

/* Longer than what is taken at once, with nothing else that makes packets. */
static void
long_ones_break_the_silence(void **state)
{
	struct trial *t = begin(0, 4);
	struct rk_request req = { .method = "sink",
		.payload = rpcrig_bytes,
		.payload_len = RK_PAYLOAD_MAX };
	struct rk_client *c;
	struct pollfd p;
	uint64_t until;

	(void)state;
	(void)snprintf(t->url, sizeof(t->url), "%s", t->rig.url);
	c = connect_to(t);
	echo(c, 1);
	p = (struct pollfd){ .fd = rk_client_fd(c), .events = POLLIN };
	for (until = rpcrig_now() + SILENCE_MS; rpcrig_now() < until;) {
		assert_true(poll(&p, 1, 50) >= 0);
		assert_int_equal(rk_client_process(c), RK_OK);
	}
	until = rpcrig_now() + 3 * SILENCE_MS;
	assert_int_equal(rk_client_send(c, &req), RK_OK);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	assert_true(rpcrig_now() < until); /* and not with a keepalive */
	rk_client_free(c);
	end(t);
}

/* The server has gone, and its goodbye was lost: who calls learns so in a few
 * seconds, and that nobody knows what has become of the call. */
static void
gone_servers_keep_nobody_waiting(void **state)
{
	struct trial *t = begin(0, 1);
	struct rk_client *c = connect_to(t);
	struct rpcanswer a;
	uint64_t begun;

	(void)state;
	echo(c, 1);
	relay_stop(t->relay);
	t->relay = NULL;
	begun = rpcrig_now();
	assert_int_equal(rpcrig_try(c, "echo", "x", 1, &a), RK_ECLOSED);
	assert_true(a.maybe_executed);
	assert_in_range(rpcrig_now() - begun, 2900, 10000);
	rk_client_free(c);
	end(t);
}

/* A server that has stopped and is not freed yet: whoever comes is told so,
 * whichever of its sockets the kernel would pick. */
static void
stopped_servers_say_so(void **state)
{
	enum {
		CLIENTS = 20
	};
	struct trial *t = begin(THREADS, 1);
	struct rk_client *c;
	struct rk_error err;
	uint64_t begun;

	(void)state;
	rpcrig_stop(&t->rig, 0);
	rpcrig_await_stopped(&t->rig);
	(void)snprintf(t->url, sizeof(t->url), "%s", t->rig.url);
	for (int i = 0; i < CLIENTS; i++) {
		c = rpcrig_client_with(&t->conf);
		begun = rpcrig_now();
		assert_int_equal(rk_client_connect(c, &err), RK_ECONNECT);
		assert_in_range(rpcrig_now() - begun, 0, 5000);
		rk_client_free(c);
	}
	relay_stop(t->relay);
	rpcrig_fini(&t->rig);
	free(t);
}

/* So are those who were there, and whose goodbye was lost. */
static void
stopped_servers_know_nobody(void **state)
{
	enum {
		CLIENTS = 10
	};
	struct trial *t = begin(THREADS, 1);
	struct rk_client *c[CLIENTS];
	struct rpcanswer a;
	uint64_t begun;

	(void)state;
	for (int i = 0; i < CLIENTS; i++)
		c[i] = connect_to(t);
	relay_blackhole(t->relay, true);
	rpcrig_stop(&t->rig, 0);
	rpcrig_await_stopped(&t->rig);
	relay_blackhole(t->relay, false);
	begun = rpcrig_now();
	for (int i = 0; i < CLIENTS; i++) {
		assert_int_equal(
		    rpcrig_try(c[i], "echo", "x", 1, &a), RK_ECLOSED);
		rk_client_free(c[i]);
	}
	assert_in_range(rpcrig_now() - begun, 0, 10000);
	relay_stop(t->relay);
	rpcrig_fini(&t->rig);
	free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_through_bad_networks),
		cmocka_unit_test(strays_find_their_loop),
		cmocka_unit_test(strays_are_bounded),
		cmocka_unit_test(recordings_deliver_nothing),
		cmocka_unit_test(takes_the_next_address),
		cmocka_unit_test(lives_without_descriptors),
		cmocka_unit_test(long_ones_break_the_silence),
		cmocka_unit_test(gone_servers_keep_nobody_waiting),
		cmocka_unit_test(stopped_servers_say_so),
		cmocka_unit_test(stopped_servers_know_nobody),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
