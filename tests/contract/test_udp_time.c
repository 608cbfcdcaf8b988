/* RPC over sessions on UDP by a clock of the test's: ways that carry less, and
 * servers that end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>

#include <rpckit/client.h>

#include "net/quic_io_int.h"
#include "net/udp_int.h"
#include "rpc/server_int.h"

#include "relay.h"
#include "rpcrig.h"
#include "vtime.h"

#define PATIENCE_MS 600000

static uint64_t seed = 11; /* of what happens on the way */

/* A server, a way and a client, all on one loop. */
struct world {
	struct rk_loop *loop;
	struct vtime time;
	struct rk_server *server;
	struct relay *way;
	struct rk_client *client;
	char url[160];
	unsigned connected, closed, stopped, handled;
	unsigned answers; /* whole ones */
	enum rk_err code; /* of the last */
};

static void
echo(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);

	((struct world *)arg)->handled++;
	assert_int_equal(rk_call_reply(call, p.ptr, p.len), RK_OK);
}

static void
on_connected(struct rk_client *c, void *arg)
{
	(void)c;
	((struct world *)arg)->connected++;
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	(void)c;
	(void)why;
	((struct world *)arg)->closed++;
}

static void
on_stopped(void *arg)
{
	((struct world *)arg)->stopped++;
}

static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct world *w = arg;

	(void)c;
	w->code = reply->code;
	if (reply->code != RK_OK)
		return;
	assert_memory_equal(
	    reply->payload.ptr, rpcrig_bytes, reply->payload.len);
	w->answers++;
}

static void
turn_until(struct world *w, const unsigned *what, unsigned n)
{
	w->time.until = w->time.now + PATIENCE_MS;
	while (*what < n)
		vtime_turn(&w->time);
}

static void
submit(struct world *w, size_t len)
{
	const struct rk_request req = { .method = "echo",
		.payload = rpcrig_bytes,
		.payload_len = len,
		.timeout = RK_NEVER };

	assert_int_equal(
	    rk_client_submit(w->client, &req, on_reply, w, NULL), RK_OK);
}

static void
begin_server(struct world *w)
{
	const struct rk_method list[] = {
		{ .name = "echo", .fn = echo, .arg = w },
	};
	const struct rk_server_conf conf = { .size = sizeof(conf),
		.loop = w->loop,
		.session_key = rpcworld.keys[0],
		.session_peers = rpcworld.peers[0] };

	assert_int_equal(rk_server_new(&conf, &w->server, NULL), RK_OK);
	assert_int_equal(
	    rk_server_methods(w->server, list, 1, NULL, NULL, NULL), RK_OK);
	assert_int_equal(
	    rk_server_listen(w->server, "ssh+udp://127.0.0.1:0", w->url, NULL),
	    RK_OK);
	assert_int_equal(rk_server_start(w->server, NULL), RK_OK);
}

static void
begin_client(struct world *w)
{
	struct rk_client_conf conf = { .size = sizeof(conf),
		.url = w->url,
		.loop = w->loop,
		.session_key = rpcworld.keys[1],
		.session_peers = rpcworld.peers[1],
		.connected = on_connected,
		.closed = on_closed,
		.arg = w };

	assert_int_equal(rk_client_new(&conf, &w->client, NULL), RK_OK);
	assert_int_equal(rk_client_start(w->client, NULL), RK_OK);
	turn_until(w, &w->connected, 1);
}

static void
begin(struct world *w)
{
	struct addr_url u;
	struct addr a;
	size_t n;

	*w = (struct world){ 0 };
	assert_int_equal(rk_loop_new(&w->loop), RK_OK);
	vtime_start(&w->time, w->loop, PATIENCE_MS);
	begin_server(w);
	assert_int_equal(addr_parse(w->url, &u, NULL), RK_OK);
	assert_int_equal(addr_resolve(&u, false, &a, 1, &n, NULL), RK_OK);
	w->way = relay_start(w->loop, &a, seed);
	(void)snprintf(w->url, sizeof(w->url), "ssh+udp://");
	relay_text(w->way, w->url + strlen(w->url));
	begin_client(w);
}

static void
end(struct world *w)
{
	rk_client_shutdown(w->client);
	turn_until(w, &w->closed, 1);
	rk_client_free(w->client);
	rk_server_stop(w->server, 60000, on_stopped, w);
	turn_until(w, &w->stopped, 1);
	rk_server_free(w->server);
	relay_stop(w->way);
	rk_loop_free(w->loop);
}

/* ---- a way that carries less than it did ---- */

static size_t longest; /* what the server's interface takes */
static unsigned too_long;

static size_t
segment_of(struct msghdr *h)
{
	uint16_t n;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL;
	     c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_SEGMENT)
			continue;
		memcpy(&n, CMSG_DATA(c), sizeof(n));
		return n;
	}
	return h->msg_iov->iov_len;
}

static int
send_short(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	unsigned fits = 0;

	while (fits < n && segment_of(&msgs[fits].msg_hdr) <= longest)
		fits++;
	if (fits > 0)
		return sendmmsg(fd, msgs, fits, flags);
	too_long++;
	errno = segment_of(&msgs[0].msg_hdr) < msgs[0].msg_hdr.msg_iov->iov_len
	            ? EINVAL
	            : EMSGSIZE;
	return -1;
}

/* What the network refuses is sent again in shorter datagrams at once, and not
 * when nobody has confirmed it for long enough. */
static void
shortens_at_once(void **state)
{
	struct world w;
	struct udp_end *e;
	uint64_t begun;

	(void)state;
	begin(&w);
	e = TAILQ_FIRST(&w.server->ports)->port[0].end;
	e->io->send = send_short;
	longest = SIZE_MAX;
	vtime_pass(&w.time, 2000); /* longer ones are found to pass */
	submit(&w, 200000);
	turn_until(&w, &w.answers, 1);
	longest = 1300;
	too_long = 0;
	begun = w.time.now;
	submit(&w, 200000);
	turn_until(&w, &w.answers, 2);
	assert_true(too_long > 0);
	assert_in_range(w.time.now - begun, 0, 40);
	/* And it is found when longer ones pass again. */
	longest = SIZE_MAX;
	vtime_pass(&w.time, 2000);
	submit(&w, 200000);
	turn_until(&w, &w.answers, 3);
	end(&w);
}

/* ---- bad ways ---- */

static void
set_way(struct world *w, const struct relay_faults *faults)
{
	relay_set(w->way, RELAY_UP, faults);
	relay_set(w->way, RELAY_DOWN, faults);
}

/* How long it takes, in ms. */
static uint64_t
call(struct world *w, size_t len)
{
	const uint64_t begun = w->time.now;

	submit(w, len);
	turn_until(w, &w->answers, w->answers + 1);
	return w->time.now - begun;
}

/* A way that becomes long is measured anew, though everything was said again
 * before its answer could come. */
static void
learns_a_longer_way(void **state)
{
	static const struct relay_faults none = { 0 };
	static const struct relay_faults far = { .delay_ms = 300 };
	struct world w;

	(void)state;
	begin(&w);
	vtime_pass(&w.time, 2000);
	for (int i = 0; i < 5; i++)
		(void)call(&w, 1000);
	set_way(&w, &far);
	(void)call(&w, 100000);
	(void)call(&w, 100000);
	assert_in_range(call(&w, 1000), 600, 700);
	assert_in_range(call(&w, 100000), 600, 8000);
	set_way(&w, &none);
	end(&w);
}

/* The same of one that was longer from the start than what is waited at first.
 */
static void
learns_a_long_way(void **state)
{
	static const struct relay_faults none = { 0 };
	static const struct relay_faults far = { .delay_ms = 700 };
	struct world w;

	(void)state;
	begin(&w);
	set_way(&w, &far);
	(void)call(&w, 20000);
	(void)call(&w, 100000);
	assert_in_range(call(&w, 1000), 1400, 1600);
	assert_in_range(call(&w, 100000), 1400, 20000);
	set_way(&w, &none);
	end(&w);
}

/* A quarter of all is lost, each way: nothing stalls until it is given up. */
static void
comes_through(void **state)
{
	static const struct relay_faults none = { 0 };
	static const struct relay_faults bad = { .drop = 25 };
	struct world w;

	(void)state;
	for (seed = 20; seed < 45; seed++) {
		begin(&w);
		set_way(&w, &bad);
		for (int i = 0; i < 3; i++)
			assert_in_range(call(&w, 30000), 0, 20000);
		set_way(&w, &none);
		end(&w);
	}
}

/* ---- a server that ends ---- */

/* It answers, and then nothing passes any more; or it does again. */
static void
stop_in_an_answer(size_t len, uint64_t dark_ms, bool comes_back)
{
	struct world w;
	uint64_t begun;

	begin(&w);
	submit(&w, len);
	turn_until(&w, &w.handled, 1);
	relay_blackhole(w.way, true);
	begun = w.time.now;
	rk_server_stop(w.server, 60000, on_stopped, &w);
	vtime_pass(&w.time, dark_ms);
	if (comes_back)
		relay_blackhole(w.way, false);
	turn_until(&w, &w.stopped, 1);
	assert_in_range(w.time.now - begun, dark_ms, 10000);
	/* The client is told, or has everything. */
	relay_blackhole(w.way, false);
	turn_until(&w, &w.closed, 1);
	assert_int_equal(w.answers, comes_back ? 1 : 0);
	assert_true(comes_back == (w.code == RK_OK));
	rk_client_free(w.client);
	rk_server_free(w.server);
	relay_stop(w.way);
	rk_loop_free(w.loop);
}

/* Of an answer a part is not sent yet, or not even taken by the session. */
static void
waits_for_nobody(void **state)
{
	(void)state;
	stop_in_an_answer(200000, 0, false);
	stop_in_an_answer(1000000, 0, false);
}

static void
waits_for_who_comes_back(void **state)
{
	(void)state;
	stop_in_an_answer(200000, 1000, true);
	stop_in_an_answer(1000000, 1000, true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shortens_at_once),
		cmocka_unit_test(learns_a_longer_way),
		cmocka_unit_test(learns_a_long_way),
		cmocka_unit_test(comes_through),
		cmocka_unit_test(waits_for_nobody),
		cmocka_unit_test(waits_for_who_comes_back),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
