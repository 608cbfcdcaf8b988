/* RPC over sessions on UDP: who is not served, bad ways, other addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rpckit/client.h>

#include "ctlrig.h"
#include "relay.h"
#include "udpend.h"
#include "udprig.h"

static struct rpcrig rig;

/* ---- who is not served ---- */

static void
try_connect(const char *url, uint64_t ms, enum rk_err want, const char *text)
{
	struct rk_client_conf conf;
	struct rk_client *c;
	struct rk_error err;

	rpcrig_client_conf(&rig, &conf);
	if (url != NULL)
		conf.url = url;
	if (ms != 0)
		conf.timeouts.connect = conf.timeouts.handshake = ms;
	assert_int_equal(rk_client_new(&conf, &c, &err), RK_OK);
	if (rk_client_connect(c, &err) != want ||
	    (text != NULL && strstr(err.text, text) == NULL))
		fail_msg("%s: %s", rk_err_name(err.code), err.text);
	rk_client_free(c);
}

static void
too_many(void **state)
{
	struct rk_client *c;

	(void)state;
	rpcrig_init(&rig, RPC_SSH_UDP, 0);
	rig.conf.max_conns = 1;
	rpcrig_start(&rig);
	c = rpcrig_client(&rig);
	try_connect(NULL, 0, RK_ECONNECT, "takes nobody now");
	rk_client_free(c);
	rpcrig_await_conns(&rig, 0);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

/* Nobody is there, or says nothing, or is at the second address. */
static void
nobody_answers(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	char url[64];

	(void)state;
	udprig_begin(&rig, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	(void)snprintf(url, sizeof(url), "ssh+udp://127.0.0.1:%u",
	    (unsigned)ntohs(in.sin_port));
	try_connect(url, 100, RK_ETIMEOUT, "no answer while connecting");
	(void)close(fd);
	try_connect(url, 0, RK_ECONNECT, "Connection refused");
	rpcrig_end(&rig);
}

static void
second_address(void **state)
{
	char url[64];

	(void)state;
	if (!udpend_has_ipv6())
		skip();
	rpcrig_init(&rig, RPC_SSH_UDP, 0);
	(void)snprintf(rig.want_url, sizeof(rig.want_url), "ssh+udp://[::1]:0");
	rpcrig_start(&rig);
	(void)snprintf(
	    url, sizeof(url), "ssh+udp://localhost%s", strrchr(rig.url, ':'));
	try_connect(url, 0, RK_OK, NULL);
	rpcrig_end(&rig);
}

/* ---- bad ways ---- */

static struct relay *
begin_far(unsigned threads, char url[160])
{
	struct addr a;
	struct relay *way;

	udprig_begin(&rig, threads);
	udprig_at(&rig, &a);
	way = relay_start(NULL, &a, 7);
	(void)snprintf(url, 160, "ssh+udp://");
	relay_text(way, url + strlen(url));
	return way;
}

static struct rk_client *
far_client(const char *url)
{
	struct rk_client_conf conf;
	struct rk_client *c;
	struct rk_error err;

	rpcrig_client_conf(&rig, &conf);
	conf.url = url;
	assert_int_equal(rk_client_new(&conf, &c, &err), RK_OK);
	if (rk_client_connect(c, &err) != RK_OK)
		fail_msg("%s", err.text);
	return c;
}

static void
check_calls(struct rk_client *c)
{
	static const size_t sizes[] = { 0, 1, 65536, 100000 };
	struct rpcanswer a;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		rpcrig_call(c, "echo", rpcrig_bytes, sizes[i], &a);
		assert_int_equal(a.len, sizes[i]);
		assert_true(a.same);
	}
}

static void
over_bad_ways(void **state)
{
	static const struct relay_faults faults[] = {
		{ .drop = 10 },
		{ .reorder = 10, .duplicate = 20, .flip = 3, .truncate = 3 },
		{ .drop = 3,
		    .duplicate = 3,
		    .reorder = 3,
		    .flip = 3,
		    .truncate = 3,
		    .delay_ms = 1,
		    .jitter_ms = 2 },
	};
	struct rk_client *c;
	struct relay *way;
	struct rk_error err;
	char url[160];

	(void)state;
	way = begin_far(2, url);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		relay_set(way, RELAY_UP, &faults[i]);
		relay_set(way, RELAY_DOWN, &faults[i]);
		c = far_client(url);
		check_calls(c);
		assert_int_equal(rk_client_finish(c, 10000, &err), RK_OK);
		rk_client_free(c);
	}
	rpcrig_end(&rig);
	relay_stop(way);
}

/* The first messages are said again until they arrive. */
static void
begins_over_a_bad_way(void **state)
{
	static const struct relay_faults faults = { .drop = 25 };
	struct relay *way;
	char url[160];

	(void)state;
	way = begin_far(0, url);
	relay_set(way, RELAY_UP, &faults);
	relay_set(way, RELAY_DOWN, &faults);
	rk_client_free(far_client(url));
	rpcrig_end(&rig);
	relay_stop(way);
}

/* ---- another address ---- */

static void
follows_the_peer(void **state)
{
	struct rpcanswer a;
	struct rk_client *c;
	struct relay *way;
	char url[160];

	(void)state;
	for (unsigned threads = 0; threads <= 2; threads += 2) {
		way = begin_far(threads, url);
		c = far_client(url);
		for (unsigned i = 0; i < 4; i++) {
			check_calls(c);
			relay_rebind(way);
		}
		rpcrig_call(c, "echo", "x", 1, &a);
		assert_int_equal(rpcrig_get(&rig, &rig.handled), 17);
		rk_client_free(c);
		rpcrig_stop(&rig, 10000);
		rpcrig_await_stopped(&rig);
		assert_int_equal(udprig_moves(&rig), 4);
		rpcrig_fini(&rig);
		relay_stop(way);
	}
}

static void
shown_address(struct rk_client *viewer, char out[ADDR_TEXT_LEN])
{
	static const char key[] = "\"address\":\"";
	const char *text = ctl_get(viewer, "_.conns");
	const char *at = strstr(text, key);

	assert_int_equal(ctl_count(text, "\"id\":"), 1);
	assert_non_null(at);
	at += sizeof(key) - 1;
	(void)snprintf(out, ADDR_TEXT_LEN, "%.*s", (int)strcspn(at, "\""), at);
	assert_int_equal(strncmp(out, "ssh+udp://127.0.0.1:", 20), 0);
}

/* An operator sees, and meets, a peer where it is, not where it was first. */
static void
shows_where_the_peer_is(void **state)
{
	char first[ADDR_TEXT_LEN], now[ADDR_TEXT_LEN], url[160];
	struct rk_client *c, *v;
	struct relay *way;
	struct ctl ctl;

	(void)state;
	way = begin_far(0, url);
	ctl_begin(&ctl, &rig);
	v = ctl_visit(ctl.path, NULL);
	c = far_client(url);
	check_calls(c);
	shown_address(v, first);
	relay_rebind(way);
	shown_address(v, now);
	assert_string_equal(now, first); /* nothing has proven it */
	while (udprig_stats(&rig).moves == 0)
		check_calls(c);
	shown_address(v, now);
	assert_string_not_equal(now, first);
	assert_int_equal(ctl_order(v, "_.kick", "address", now), RK_OK);
	rpcrig_await_conns(&rig, 0);
	rk_client_free(c);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
	relay_stop(way);
}

/* Who repeats a peer's datagrams from elsewhere gets nothing. */
static void
follows_no_repeater(void **state)
{
	struct relay_count n;
	struct rk_client *c;
	struct relay *way;
	char url[160];

	(void)state;
	way = begin_far(0, url);
	relay_record(way, true);
	c = far_client(url);
	check_calls(c);
	relay_record(way, false);
	relay_replay(way, 0, relay_recorded(way));
	check_calls(c);
	assert_int_equal(udprig_stats(&rig).moves, 0);
	assert_int_equal(udprig_stats(&rig).peers, 1);
	/* Cookies for that address, as it knocked too. */
	relay_count(way, RELAY_STRAY, &n);
	assert_true(n.in <= 4);
	rk_client_free(c);
	rpcrig_end(&rig);
	relay_stop(way);
}

/* ---- who is between, and faster ---- */

struct thief {
	int up;   /* towards the server, for the client */
	int own;  /* its own, towards the server */
	int down; /* the client sends here */
	struct sockaddr_storage client;
	socklen_t client_len;
	unsigned asked;
	bool answers; /* also what asks for its address */
};

static void
thief_open(struct thief *t, char url[64])
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	struct addr a;

	*t = (struct thief){ .up = socket(AF_INET, SOCK_DGRAM, 0),
		.own = socket(AF_INET, SOCK_DGRAM, 0),
		.down = socket(AF_INET, SOCK_DGRAM, 0) };
	udprig_at(&rig, &a);
	assert_int_equal(connect(t->up, &a.u.sa, a.len), 0);
	assert_int_equal(connect(t->own, &a.u.sa, a.len), 0);
	assert_int_equal(bind(t->down, (struct sockaddr *)&in, len), 0);
	assert_int_equal(getsockname(t->down, (struct sockaddr *)&in, &len), 0);
	(void)snprintf(
	    url, 64, "ssh+udp://127.0.0.1:%u", (unsigned)ntohs(in.sin_port));
}

/* Once: what there is, each datagram of the client's from `as` first. */
static void
thief_pass(struct thief *t, int as)
{
	uint8_t in[65536];
	struct udp_msg m;
	ssize_t n;

	t->client_len = sizeof(t->client);
	while ((n = recvfrom(t->down, in, sizeof(in), MSG_DONTWAIT,
	            (struct sockaddr *)&t->client, &t->client_len)) > 0) {
		assert_int_equal(send(as, in, (size_t)n, 0), n);
		if (as != t->up)
			assert_int_equal(send(t->up, in, (size_t)n, 0), n);
	}
	while ((n = recv(t->up, in, sizeof(in), MSG_DONTWAIT)) > 0)
		(void)sendto(t->down, in, (size_t)n, 0,
		    (struct sockaddr *)&t->client, t->client_len);
	while ((n = recv(t->own, in, sizeof(in), MSG_DONTWAIT)) > 0) {
		if (udp_parse(in, (size_t)n, &m) != UDP_ASK) {
			assert_true(t->answers);
			(void)sendto(t->down, in, (size_t)n, 0,
			    (struct sockaddr *)&t->client, t->client_len);
			continue;
		}
		t->asked++;
		in[0] = UDP_PROOF;
		if (t->answers)
			assert_int_equal(send(t->own, in, (size_t)n, 0), n);
	}
}

static void
call_through(struct thief *t, struct rk_client *c, int as)
{
	struct rpcanswer a = { 0 };

	(void)rpcrig_submit(c, "echo", "x", 1, &a);
	while (a.n == 0) {
		thief_pass(t, as);
		assert_int_equal(rk_client_process(c), RK_OK);
	}
	assert_int_equal(a.code, RK_OK);
}

/* Whoever is first with the peer's datagrams is asked, and sent nothing else
 * before it has answered: not a byte to who has not. */
static void
follows_no_forger(void **state)
{
	struct rk_client_conf conf;
	struct rk_client *c;
	struct thief t;
	char url[64];

	(void)state;
	udprig_begin(&rig, 0);
	thief_open(&t, url);
	rpcrig_client_conf(&rig, &conf);
	conf.url = url;
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	call_through(&t, c, t.up);
	call_through(&t, c, t.own);
	while (t.asked == 0)
		thief_pass(&t, t.up);
	assert_int_equal(udprig_stats(&rig).moves, 0);
	call_through(&t, c, t.up);
	/* It answers: then it is where the peer is, as far as can be seen, for
	 * as long as it is faster. */
	t.answers = true;
	while (udprig_stats(&rig).moves == 0)
		call_through(&t, c, t.own);
	rk_client_free(c);
	thief_pass(&t, t.up); /* or the server waits for who is gone */
	(void)close(t.up);
	(void)close(t.own);
	(void)close(t.down);
	rpcrig_end(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(too_many),
		cmocka_unit_test(nobody_answers),
		cmocka_unit_test(second_address),
		cmocka_unit_test(over_bad_ways),
		cmocka_unit_test(begins_over_a_bad_way),
		cmocka_unit_test(follows_the_peer),
		cmocka_unit_test(shows_where_the_peer_is),
		cmocka_unit_test(follows_no_repeater),
		cmocka_unit_test(follows_no_forger),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
