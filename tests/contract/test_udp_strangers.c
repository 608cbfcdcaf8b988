/* Strangers at a server's UDP port: what they cost, and what cookies are worth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rpckit/secret.h>

#include "rpc/server_int.h"

#include "udprig.h"

#define FLOOD 300

static struct rpcrig rig;

/* ---- a client by hand ---- */

struct raw {
	int fd;
	const struct psk *psk; /* that it knows; NULL: none */
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

static int64_t
wall(void)
{
	return (int64_t)time(NULL);
}

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
	raw_send(r, knock, udp_put_knock(knock, r->nonce, r->psk, wall()));
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
		raw_send(&r, out, udp_put_knock(out, r.nonce, NULL, wall()));
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

/* ---- a pre-shared key ---- */

#define LONG_AGO (2 * UDP_PROOF_LIFE_S)

static struct rk_psks *
psk(uint8_t first)
{
	const uint8_t key[RK_PSK_LEN] = { first };
	struct rk_psks *p;

	assert_int_equal(rk_psks_new(&p), RK_OK);
	assert_int_equal(rk_psks_add(p, key, "lab", NULL), RK_OK);
	return p;
}

/* All that begins something, of who has not the key. */
static void
try_everything(
    struct raw *r, const struct rk_psks *ours, const struct rk_psks *theirs)
{
	uint8_t out[UDP_KNOCK_LEN];
	size_t n;

	raw_send(r, out, udp_put_knock(out, r->nonce, NULL, wall()));
	raw_send(
	    r, out, udp_put_knock(out, r->nonce, psks_at(theirs, 0), wall()));
	/* Theirs under the id of ours, and ours from long ago. */
	memcpy(out + UDP_HEAD_LEN + 1, psks_at(ours, 0)->id, PSK_ID_BYTES);
	raw_send(r, out, sizeof(out));
	raw_send(r, out,
	    udp_put_knock(out, r->nonce, psks_at(ours, 0), wall() - LONG_AGO));
	n = udp_put_knock(out, r->nonce, psks_at(ours, 0), wall());
	for (size_t i = UDP_HEAD_LEN - 1; i < n; i++) {
		out[i] ^= 1;
		raw_send(r, out, n);
		out[i] ^= 1;
	}
	rk_random(r->cookie, sizeof(r->cookie));
	raw_make_hello(r);
	raw_send(r, r->hello, r->hello_len);
	raw_send(r, r->hello, r->hello_len); /* who repeats it means it */
	raw_send(r, r->hello, r->hello_len - 1);
	r->hello[0] = UDP_DATA;
	raw_send(r, r->hello, r->hello_len);
	r->hello[0] = UDP_PROOF;
	raw_send(r, r->hello, UDP_PATH_LEN);
}

static bool
has_answer(const struct raw *r)
{
	uint8_t byte;

	return recv(r->fd, &byte, 1, MSG_DONTWAIT) >= 0;
}

/* Not a byte for who does not prove the key that is required; where none is,
 * the same is answered. */
static void
silent_without_the_key(void **state)
{
	struct rk_psks *ours = psk(1), *theirs = psk(2);

	(void)state;
	for (int required = 0; required < 2; required++) {
		struct raw r, known;

		rpcrig_init(&rig, RPC_SSH_UDP, 0);
		rig.conf.psks = required ? ours : NULL;
		rpcrig_start(&rig);
		raw_open(&r);
		try_everything(&r, ours, theirs);
		raw_open(&known);
		known.psk = psks_at(ours, 0);
		raw_knock(&known); /* all before it was looked at */
		assert_int_equal(has_answer(&r), !required);
		assert_int_equal(
		    udprig_stats(&rig).silent > UDP_KNOCK_LEN / 2, required);
		assert_int_equal(udprig_stats(&rig).peers, 0);
		(void)close(r.fd);
		(void)close(known.fd);
		rpcrig_end(&rig);
	}
	rk_psks_free(ours);
	rk_psks_free(theirs);
}

/* With the key it is as without any: a busy server says so, too. */
static void
answers_who_has_the_key(void **state)
{
	struct rk_client_conf conf;
	struct rk_psks *ours = psk(1);
	struct rk_client *c;

	(void)state;
	rpcrig_init(&rig, RPC_SSH_UDP, 0);
	rig.conf.psks = ours;
	rig.conf.max_conns = 1;
	rpcrig_start(&rig);
	rpcrig_client_conf(&rig, &conf);
	conf.psks = ours;
	c = rpcrig_dial(&conf, RK_OK, NULL);
	rk_client_free(rpcrig_dial(&conf, RK_ECONNECT, "takes nobody now"));
	rk_client_free(c);
	rpcrig_end(&rig);
	rk_psks_free(ours);
}

static void
require_key(struct rpcrig *r, void *arg)
{
	struct rk_error err;

	rk_server_psks(r->server, arg);
	if (rk_server_identity(r->server, r->conf.ident, r->conf.trust, NULL,
	        NULL, &err) != RK_OK)
		fail_msg("%s", err.text);
}

/* A key that is required from now on is so of those who have a cookie, too. */
static void
cookies_of_who_had_no_key(void **state)
{
	struct rk_psks *ours = psk(1);
	struct raw r, known;

	(void)state;
	udprig_begin(&rig, 0);
	raw_open(&r);
	raw_knock(&r);
	raw_make_hello(&r);
	rpcrig_do(&rig, require_key, ours);
	raw_send(&r, r.hello, r.hello_len);
	raw_open(&known);
	known.psk = psks_at(ours, 0);
	raw_knock(&known);
	assert_int_equal(udprig_stats(&rig).stale, 1);
	assert_int_equal(udprig_stats(&rig).silent, 1);
	assert_int_equal(udprig_stats(&rig).peers, 0);
	assert_false(has_answer(&r));
	rpcrig_do(&rig, require_key, NULL);
	raw_knock(&r);
	(void)close(r.fd);
	(void)close(known.fd);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
	rk_psks_free(ours);
}

/* Of all threads: nothing comes before the answer to who knows the key. */
static void
required_from_now_on(void **state)
{
	struct rk_psks *ours = psk(1);
	uint8_t out[UDP_KNOCK_LEN];
	struct raw r;

	(void)state;
	udprig_begin(&rig, THREADS);
	rpcrig_do(&rig, require_key, ours);
	for (size_t i = 0; i < RAWS; i++) {
		raw_open(&r);
		raw_send(&r, out, udp_put_knock(out, r.nonce, NULL, wall()));
		rk_random(r.nonce, sizeof(r.nonce));
		(void)udp_put_knock(out, r.nonce, psks_at(ours, 0), wall());
		do
			raw_send(&r, out, sizeof(out));
		while (!raw_recv(&r, 300));
		assert_int_equal(r.m.kind, UDP_RETRY);
		assert_memory_equal(r.m.nonce, r.nonce, sizeof(r.nonce));
		(void)close(r.fd);
	}
	rpcrig_end(&rig);
	rk_psks_free(ours);
}

/* ---- a server by hand ---- */

static int
by_hand(char url[64])
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	(void)snprintf(
	    url, 64, "ssh+udp://127.0.0.1:%u", (unsigned)ntohs(in.sin_port));
	return fd;
}

/* Turn the client's loop until something of this kind comes, and answer it with
 * that cookie if it is a knock. */
static void
await_kind(int fd, struct rk_client *c, enum udp_kind kind,
    uint8_t cookie[UDP_COOKIE_LEN])
{
	uint8_t in[2048], out[UDP_RETRY_LEN];
	const uint64_t end = rpcrig_now() + RPCRIG_PATIENCE_MS;
	struct sockaddr_storage from;
	struct udp_msg m = { .kind = UDP_NONE };
	socklen_t len;
	ssize_t n;

	while (m.kind != kind) {
		assert_true(rpcrig_now() < end);
		assert_int_equal(rk_client_process(c), RK_OK);
		len = sizeof(from);
		n = recvfrom(fd, in, sizeof(in), MSG_DONTWAIT,
		    (struct sockaddr *)&from, &len);
		if (n > 0)
			(void)udp_parse(in, (size_t)n, &m);
		if (m.kind == UDP_HELLO &&
		    memcmp(m.cookie, cookie, UDP_COOKIE_LEN) != 0)
			m.kind = UDP_NONE; /* with the one before */
	}
	if (kind != UDP_KNOCK)
		return;
	n = (ssize_t)udp_put_retry(out, m.nonce, cookie);
	assert_int_equal(
	    sendto(fd, out, (size_t)n, 0, (struct sockaddr *)&from, len), n);
}

/* A server that requires a key is silent about a cookie that counts no more, as
 * one that has been started again: the client asks for another. */
static void
knocks_again_in_silence(void **state)
{
	uint8_t cookies[2][UDP_COOKIE_LEN] = { "the first", "another" };
	struct rk_psks *ours = psk(1);
	struct rk_client_conf conf;
	struct rk_client *c;
	char url[64];
	const int fd = by_hand(url);

	(void)state;
	rpcrig_init(&rig, RPC_SSH_UDP, 0);
	rpcrig_start(&rig);
	rpcrig_client_conf(&rig, &conf);
	conf.url = url;
	conf.psks = ours;
	conf.timeouts.connect = conf.timeouts.handshake = RPCRIG_PATIENCE_MS;
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	for (int i = 0; i < 2; i++) {
		await_kind(fd, c, UDP_KNOCK, cookies[i]);
		await_kind(fd, c, UDP_HELLO, cookies[i]);
	}
	rk_client_free(c);
	(void)close(fd);
	rpcrig_end(&rig);
	rk_psks_free(ours);
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
		cmocka_unit_test(silent_without_the_key),
		cmocka_unit_test(answers_who_has_the_key),
		cmocka_unit_test(cookies_of_who_had_no_key),
		cmocka_unit_test(required_from_now_on),
		cmocka_unit_test(knocks_again_in_silence),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
