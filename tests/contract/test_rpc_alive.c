/* Both ends on one loop, while much time passes: who is kept and who is missed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay.h"
#include "rpcrig.h"
#include "tcptap.h"
#include "vtime.h"

#define LONG_MS (10 * 60 * 1000)
#define PATIENCE 8000
#define PATIENCE_MS 60000 /* the test's */
#define PUMP_MS 100

/* A server and a client of one loop, whose clock is the test's, with a wire
 * between them that can swallow everything. */
struct world {
	struct rpcrig rig;
	struct vtime time;
	struct rk_client *c;
	struct tap tap;
	struct relay *relay;
	unsigned connected, closed;
	struct rk_error why;
};

static void
on_connected(struct rk_client *c, void *arg)
{
	(void)c;
	((struct world *)arg)->connected++;
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct world *w = arg;

	(void)c;
	w->closed++;
	w->why = *why;
}

/* The wire is not the loop's: it is looked after every so often. */
static void
pass(struct world *w, uint64_t ms)
{
	for (; ms > PUMP_MS; ms -= PUMP_MS) {
		tap_pump(&w->tap);
		vtime_pass(&w->time, PUMP_MS);
	}
	tap_pump(&w->tap);
	vtime_pass(&w->time, ms);
}

static void
await(struct world *w, const unsigned *what, unsigned n)
{
	uint64_t until = w->time.now + PATIENCE_MS;

	while (*what < n) {
		assert_true(w->time.now < until);
		pass(w, 10);
	}
}

/* The wire: none where none can be. */
static void
put_wire(struct world *w, char url[160])
{
	struct rk_error err;
	struct addr_url u;
	struct addr a;
	size_t n;

	(void)snprintf(url, 160, "%s", w->rig.url);
	if (w->rig.kind == RPC_UNIX)
		return;
	if (w->rig.kind != RPC_QUIC && w->rig.kind != RPC_SSH_UDP) {
		tap_init(&w->tap, w->rig.url);
		(void)snprintf(url, 160, "%s", w->tap.url);
		return;
	}
	assert_int_equal(addr_parse(w->rig.url, &u, &err), RK_OK);
	assert_int_equal(addr_resolve(&u, false, &a, 1, &n, &err), RK_OK);
	w->relay = relay_start(w->rig.loop, &a, 1);
	(void)snprintf(url, 160, "%s://", rpc_kind_name(w->rig.kind));
	relay_text(w->relay, url + strlen(url));
}

/* From now on nothing gets through. */
static void
swallow(struct world *w)
{
	if (w->relay != NULL)
		relay_blackhole(w->relay, true);
	w->tap.mute = true;
	w->tap.blackhole = true;
}

/* Set conf and rig.conf before. */
static void
begin(struct world *w, struct rk_client_conf *conf)
{
	char url[160];

	w->rig.stepped = true;
	rpcrig_start(&w->rig);
	put_wire(w, url);
	vtime_start(&w->time, w->rig.loop, 0);
	conf->url = url;
	conf->loop = w->rig.loop;
	conf->connected = on_connected;
	conf->closed = on_closed;
	conf->arg = w;
	w->c = rpcrig_client_with(conf);
	assert_int_equal(rk_client_start(w->c, NULL), RK_OK);
	await(w, &w->connected, 1);
}

static void
init(struct world *w, const struct rpcrun *run, struct rk_client_conf *conf)
{
	memset(w, 0, sizeof(*w));
	rpcrig_init(&w->rig, run->kind, 0); /* one loop, one clock */
	rpcrig_client_conf(&w->rig, conf);
	conf->call_timeout = RK_NEVER;
}

static void
end(struct world *w)
{
	rk_client_free(w->c);
	w->tap.mute = w->tap.blackhole = false;
	rpcrig_stop(&w->rig, 0);
	await(w, &w->rig.done, 1);
	tap_fini(&w->tap);
	relay_stop(w->relay);
	rpcrig_fini(&w->rig);
}

static void
hold(struct world *w, struct rpcanswer *a)
{
	unsigned n = w->rig.n_held;

	(void)rpcrig_submit(w->c, "hold", NULL, 0, a);
	await(w, &w->rig.n_held, n + 1);
}

/* A call that takes as long as it takes. */
static void
waits_for_the_slow(void **state)
{
	struct world w;
	struct rk_client_conf conf;
	struct rpcanswer a = { 0 };

	init(&w, *state, &conf);
	conf.dead_peer = w.rig.conf.dead_peer = RK_DEAD_PEER_MIN;
	begin(&w, &conf);
	hold(&w, &a);
	pass(&w, LONG_MS);
	assert_int_equal(w.closed + a.n, 0);
	rpcrig_answer(&w.rig, 0, NULL, "at last", 7);
	await(&w, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	assert_string_equal(a.text, "at last");
	end(&w);
}

/* A server that takes no more, because enough runs: it reads no question, and
 * is not dead. */
static void
waits_for_the_busy(void **state)
{
	struct world w;
	struct rk_client_conf conf;
	struct rpcanswer a = { 0 };
	struct rpcanswer b = { 0 };

	init(&w, *state, &conf);
	w.rig.conf.max_calls = 1;
	conf.dead_peer = RK_DEAD_PEER_MIN;
	begin(&w, &conf);
	hold(&w, &a);
	(void)rpcrig_submit(w.c, "echo", "b", 1, &b);
	pass(&w, LONG_MS);
	assert_int_equal(w.closed + a.n + b.n, 0);
	rpcrig_answer(&w.rig, 0, NULL, "a", 1);
	await(&w, &b.n, 1);
	assert_string_equal(a.text, "a");
	assert_string_equal(b.text, "b");
	end(&w);
}

static void
misses_a_dead_server(void **state)
{
	struct world w;
	struct rk_client_conf conf;
	struct rpcanswer a[2] = { 0 };
	uint64_t begun;

	init(&w, *state, &conf);
	conf.dead_peer = PATIENCE;
	begin(&w, &conf);
	hold(&w, &a[0]);
	pass(&w, 60000);
	swallow(&w);
	begun = w.time.now;
	(void)rpcrig_submit(w.c, "echo", NULL, 0, &a[1]);
	await(&w, &w.closed, 1);
	assert_in_range(w.time.now - begun, PATIENCE / 4, 2 * PATIENCE);
	assert_int_equal(w.why.code, RK_ETIMEOUT);
	assert_string_equal(w.why.text, "no answer from the peer for 8 s");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a[i].n, 1);
		assert_int_equal(a[i].code, RK_ETIMEOUT);
		assert_true(a[i].maybe_executed);
	}
	rpcrig_answer(&w.rig, 0, NULL, NULL, 0);
	end(&w);
}

/* Its handler learns that nobody waits for it any more. */
static void
misses_a_dead_client(void **state)
{
	struct world w;
	struct rk_client_conf conf;
	struct rpcanswer a = { 0 };

	init(&w, *state, &conf);
	conf.dead_peer = RK_NEVER;
	w.rig.conf.dead_peer = PATIENCE;
	begin(&w, &conf);
	hold(&w, &a);
	pass(&w, 60000);
	assert_int_equal(w.rig.n_canceled, 0);
	swallow(&w);
	await(&w, &w.rig.n_canceled, 1);
	assert_int_equal(rpcrig_held(&w.rig, 0).why, RK_CANCEL_CLOSED);
	rpcrig_answer(&w.rig, 0, NULL, NULL, 0);
	end(&w);
}

/* Ten minutes with nothing to say; without keepalives that would be the end. */
static void
keeps_the_idle(void **state)
{
	struct world w;
	struct rk_client_conf conf;
	struct rpcanswer a = { 0 };

	for (int who = 0; who < 3; who++) {
		init(&w, *state, &conf);
		if (who == 0)
			conf.keepalive = 20000;
		if (who == 1)
			w.rig.conf.keepalive = 20000;
		begin(&w, &conf);
		pass(&w, LONG_MS);
		assert_int_equal(w.closed, who == 2 ? 1 : 0);
		if (who != 2) {
			(void)rpcrig_submit(w.c, "echo", "x", 1, &a);
			await(&w, &a.n, (unsigned)who + 1);
			assert_int_equal(a.code, RK_OK);
		}
		end(&w);
	}
}

/* It goes straight to the handler: half a round trip, where there is one. */
static void
cancels_at_once(void **state)
{
	static const struct relay_faults slow = { .delay_ms = 200 };
	struct world w;
	struct rk_client_conf conf;
	struct rpcanswer a = { 0 };
	uint64_t begun, id;

	init(&w, *state, &conf);
	begin(&w, &conf);
	if (w.relay != NULL) {
		relay_set(w.relay, RELAY_UP, &slow);
		relay_set(w.relay, RELAY_DOWN, &slow);
	}
	id = rpcrig_submit(w.c, "hold", NULL, 0, &a);
	await(&w, &w.rig.n_held, 1);
	begun = w.time.now;
	assert_int_equal(rk_client_cancel(w.c, id), RK_OK);
	await(&w, &a.n, 1);
	assert_in_range(w.time.now - begun, 0, 50); /* this waits for nobody */
	await(&w, &w.rig.n_canceled, 1);
	assert_in_range(w.time.now - begun, 0, w.relay != NULL ? 250 : 50);
	assert_int_equal(rpcrig_held(&w.rig, 0).why, RK_CANCEL_CALLER);
	rpcrig_answer(&w.rig, 0, NULL, "late", 4); /* and is dropped */
	pass(&w, 1000);
	assert_int_equal(a.n, 1);
	assert_int_equal(w.closed, 0);
	end(&w);
}

/* Less than the signs of those who do not read come in. */
static void
refuses_impatience(void **state)
{
	struct world w;
	struct rk_client_conf conf;
	struct rk_client *c;
	struct rk_server *s;
	struct rk_error err;

	init(&w, *state, &conf);
	conf.dead_peer = w.rig.conf.dead_peer = RK_DEAD_PEER_MIN - 1;
	conf.url = "tcp://127.0.0.1:1";
	assert_int_equal(rk_client_new(&conf, &c, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "dead_peer"));
	assert_null(c);
	assert_int_equal(rk_server_new(&w.rig.conf, &s, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "dead_peer"));
	assert_null(s);
	rpcrig_fini(&w.rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "a slow call", waits_for_the_slow, RPC_ALL },
		{ "a busy server", waits_for_the_busy, RPC_ALL },
		{ "a dead server", misses_a_dead_server,
		    RPC_ALL & ~RPC_ONLY(RPC_UNIX) },
		{ "a dead client", misses_a_dead_client,
		    RPC_ALL & ~RPC_ONLY(RPC_UNIX) },
		{ "an idle connection", keeps_the_idle, RPC_STREAMS },
		{ "a cancel", cancels_at_once, RPC_ALL },
		{ "impatience", refuses_impatience, RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "rpc alive", cases, sizeof(cases) / sizeof(cases[0]));
}
