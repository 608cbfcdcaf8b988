/* Strangers at a server's UDP port: what they cost, and what cookies are worth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <rpckit/secret.h>

#include "rpc/server_int.h"

#include "udprig.h"

#define FLOOD 300

static struct rpcrig rig;

/* ---- a client by hand ---- */

struct raw {
	int fd;
	uint8_t nonce[UDP_NONCE_LEN];
	uint8_t cookie[UDP_COOKIE_LEN];
	uint8_t hello[UDP_HELLO_LEN + SESS_HELLO_MAX];
	size_t hello_len;
	size_t n_sent;
	size_t sent; /* bytes */
	size_t got;
	uint8_t in[2048];
	struct udp_msg m;
};

static void
raw_send(struct raw *r, const void *data, size_t len)
{
	assert_int_equal(send(r->fd, data, len, 0), len);
	r->sent += len;
	r->n_sent++;
}

/* The next datagram; false: none within so many milliseconds. */
static bool
raw_recv(struct raw *r, int ms)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, ms) != 1)
		return false;
	n = recv(r->fd, r->in, sizeof(r->in), 0);
	assert_true(n > 0);
	r->got += (size_t)n;
	(void)udp_parse(r->in, (size_t)n, &r->m);
	return true;
}

static void
raw_open(struct raw *r)
{
	struct addr a;

	*r = (struct raw){ .fd = socket(AF_INET, SOCK_DGRAM, 0) };
	udprig_at(&rig, &a);
	assert_int_equal(connect(r->fd, &a.u.sa, a.len), 0);
	rk_random(r->nonce, sizeof(r->nonce));
}

/* A cookie; what came before it is passed over: all that was sent before has
 * been looked at then. */
static void
raw_knock(struct raw *r)
{
	uint8_t knock[UDP_KNOCK_LEN];

	rk_random(r->nonce, sizeof(r->nonce));
	raw_send(r, knock, udp_put_knock(knock, r->nonce));
	do
		while (!raw_recv(r, 300)) /* lost: there was much else */
			raw_send(r, knock, sizeof(knock));
	while (r->m.kind != UDP_RETRY ||
	       memcmp(r->m.nonce, r->nonce, sizeof(r->nonce)) != 0);
	memcpy(r->cookie, r->m.cookie, sizeof(r->cookie));
}

static void
raw_make_hello(struct raw *r)
{
	struct sess_hs hs;
	size_t len;

	sess_hs_init(&hs, &(struct sess_hs_conf){ .initiator = true,
	                      .datagrams = true,
	                      .key = rpcworld.keys[1] });
	assert_int_equal(
	    sess_hs_hello(&hs, r->hello + UDP_HELLO_LEN, &len, NULL), RK_OK);
	sess_hs_fini(&hs);
	r->hello_len = udp_put_hello(r->hello, r->nonce, r->cookie) + len;
}

/* Until the session answers. */
static void
raw_hello(struct raw *r)
{
	do
		raw_send(r, r->hello, r->hello_len);
	while (!raw_recv(r, 300) || r->m.kind != UDP_DATA);
	assert_memory_equal(r->m.id, r->cookie, UDP_ID_LEN);
	assert_int_equal(r->m.len, SESS_ANSWER_LEN);
}

/* ---- strangers ---- */

static void
strangers_cost_nothing(void **state)
{
	uint8_t out[UDP_KNOCK_LEN];
	struct udp_end_stats s;
	struct raw r;

	(void)state;
	udprig_begin(&rig, 0);
	raw_open(&r);
	for (int i = 0; i < FLOOD; i++) {
		rk_random(r.nonce, sizeof(r.nonce));
		raw_send(&r, out, udp_put_knock(out, r.nonce));
	}
	for (int i = 0; i < FLOOD; i++) { /* of all kinds, and none */
		rk_random(out, sizeof(out));
		out[0] = i % 3 == 0 ? UDP_DATA : i % 3 == 1 ? UDP_PROOF : 'r';
		raw_send(&r, out, i % 3 == 1 ? UDP_PATH_LEN : sizeof(out));
	}
	raw_knock(&r);
	s = udprig_stats(&rig);
	assert_int_equal(s.peers, 0);
	assert_int_equal(s.waiting, 0);
	assert_true(s.retries <= r.n_sent);
	assert_true(s.ignored > 0);
	assert_true(r.got < r.sent);
	(void)close(r.fd);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

/* ---- what is for another thread ---- */

#define THREADS 2
#define RAWS 64
#define LONG 60000
#define KEPT ((size_t)4 << 20) /* of what waits for a thread */

static const struct udp_ports *
ports(void)
{
	return TAILQ_FIRST(&rig.server->ports);
}

static unsigned
loop_of(const struct raw *r)
{
	const struct udp_end *e = ports()->port[0].end;

	return udp_id_loop(&e->keys, r->cookie);
}

/* Where the only connection is. */
static unsigned
busy_loop(void)
{
	for (unsigned i = 0; i <= THREADS; i++)
		if (atomic_load(&rig.server->workers[i].n_conns) == 1)
			return i;
	fail_msg("nobody is connected");
	return 0;
}

/* One whose datagrams that loop receives, or one that it does not. */
static const struct raw *
find_raw(const struct raw *r, unsigned loop, bool is)
{
	for (size_t i = 0; i < RAWS; i++)
		if ((loop_of(&r[i]) == loop) == is)
			return &r[i];
	fail_msg("all are of one loop");
	return NULL;
}

/* Ids that nobody has proven are kept for a thread that does not come to read
 * them, but not for long datagrams as many as for short ones. */
static void
other_threads_keep_little(void **state)
{
	static struct raw raw[RAWS];
	static uint8_t out[LONG];
	struct rpcanswer a = { 0 };
	struct rk_client *c;
	struct raw by;
	unsigned loop;
	unsigned n;

	(void)state;
	udprig_begin(&rig, THREADS);
	c = rpcrig_client(&rig);
	loop = busy_loop();
	for (size_t i = 0; i < RAWS; i++) {
		raw_open(&raw[i]);
		raw_knock(&raw[i]);
	}
	(void)udp_put_data(out, find_raw(raw, loop, true)->cookie);
	by = *find_raw(raw, loop, false);
	(void)pthread_mutex_lock(&rig.lock); /* its handler waits for it */
	(void)rpcrig_submit(c, "guarded", "x", 1, &a);
	(void)rk_client_process(c);
	for (int i = 0; i < 200; i++) {
		raw_send(&by, out, LONG);
		raw_knock(&by); /* that was looked at */
	}
	n = atomic_load(&ports()->port[loop].strays);
	(void)pthread_mutex_unlock(&rig.lock);
	assert_in_range(n, 10, KEPT / LONG);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	rk_client_free(c);
	for (size_t i = 0; i < RAWS; i++)
		(void)close(raw[i].fd);
	rpcrig_end(&rig);
}

/* ---- cookies ---- */

static void
false_cookies_are_worth_nothing(void **state)
{
	struct udp_end_stats s;
	struct raw r, other;

	(void)state;
	udprig_begin(&rig, 0);
	raw_open(&r);
	raw_knock(&r);
	raw_make_hello(&r);
	for (size_t i = UDP_HEAD_LEN; i < UDP_HELLO_LEN; i++) {
		r.hello[i] ^= 0x10;
		raw_send(&r, r.hello, r.hello_len);
		r.hello[i] ^= 0x10;
	}
	/* Right, at another address. */
	raw_open(&other);
	memcpy(other.hello, r.hello, r.hello_len);
	raw_send(&other, other.hello, r.hello_len);
	raw_knock(&other);
	raw_knock(&r);
	s = udprig_stats(&rig);
	assert_int_equal(s.peers, 0);
	assert_int_equal(s.stale, UDP_COOKIE_LEN + 1);
	assert_true(r.got < r.sent);
	assert_true(other.got < other.sent);
	(void)close(r.fd);
	(void)close(other.fd);
	rpcrig_end(&rig);
}

/* Whatever is made of it, a cookie is one connection. */
static void
damaged_hellos(void **state)
{
	struct raw r;

	(void)state;
	udprig_begin(&rig, 0);
	raw_open(&r);
	raw_knock(&r);
	raw_make_hello(&r);
	for (size_t n = 0; n < r.hello_len; n++)
		raw_send(&r, r.hello, n);
	for (size_t i = UDP_HELLO_LEN; i < r.hello_len; i += 3) {
		r.hello[i] ^= 4;
		raw_send(&r, r.hello, r.hello_len);
		r.hello[i] ^= 4;
	}
	raw_hello(&r);
	assert_int_equal(udprig_stats(&rig).peers, 1);
	(void)close(r.fd);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

static void
used_cookies(void **state)
{
	struct raw r;

	(void)state;
	rpcrig_init(&rig, RPC_SSH_UDP, 0);
	rig.conf.timeouts.handshake = 200;
	rpcrig_start(&rig);
	raw_open(&r);
	raw_knock(&r);
	raw_make_hello(&r);
	raw_hello(&r);
	rpcrig_await_conns(&rig, 0); /* it proves nothing */
	raw_send(&r, r.hello, r.hello_len);
	raw_knock(&r);
	assert_int_equal(udprig_stats(&rig).again, 1);
	assert_int_equal(udprig_stats(&rig).peers, 0);
	(void)close(r.fd);
	rpcrig_end(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strangers_cost_nothing),
		cmocka_unit_test(other_threads_keep_little),
		cmocka_unit_test(false_cookies_are_worth_nothing),
		cmocka_unit_test(damaged_hellos),
		cmocka_unit_test(used_cookies),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
