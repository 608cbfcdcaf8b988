/* A server of calls that may come early, and a client behind a tap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rpckit/ask.h>

#include "earlyrig.h"

struct early_seen early_seen;

void
early_reset(void)
{
	atomic_store(&early_seen.marked, 0);
	atomic_store(&early_seen.plain, 0);
	atomic_store(&early_seen.entered, 0);
	atomic_store(&early_seen.sure, 0);
	atomic_store(&early_seen.unsure, 0);
	atomic_store(&early_seen.early, 0);
	atomic_store(&early_seen.code, 0);
}

static void
echo(struct rk_call *call, atomic_uint *what)
{
	struct rk_bytes p = rk_call_payload(call);

	if (rk_call_is_early(call))
		atomic_fetch_add(&early_seen.early, 1);
	(void)rk_call_reply(call, p.ptr, p.len);
	atomic_fetch_add(what, 1);
}

static void
marked(struct rk_call *call, void *arg)
{
	(void)arg;
	echo(call, &early_seen.marked);
}

static void
plain(struct rk_call *call, void *arg)
{
	(void)arg;
	echo(call, &early_seen.plain);
}

static void
on_sure(struct rk_call *call, enum rk_err r, void *arg)
{
	assert_ptr_equal(arg, &early_seen);
	if (r == RK_OK) {
		(void)rk_call_reply(call, "sure", 4);
		atomic_fetch_add(&early_seen.sure, 1);
		return;
	}
	(void)rk_call_fail(call, "unsure", NULL, 0);
	atomic_store(&early_seen.code, (unsigned)r);
	atomic_fetch_add(&early_seen.unsure, 1);
}

static void
sure(struct rk_call *call, void *arg)
{
	(void)arg;
	if (rk_call_is_early(call))
		atomic_fetch_add(&early_seen.early, 1);
	atomic_fetch_add(&early_seen.entered, 1);
	if (rk_call_confirm(call, on_sure, &early_seen) != RK_OK)
		abort();
}

static const struct rk_method methods[] = {
	{ .name = "marked", .fn = marked, .idempotent = true },
	{ .name = "plain", .fn = plain },
	{ .name = "sure", .fn = sure, .idempotent = true },
};

static void
install(struct rpcrig *r, void *arg)
{
	struct rk_error err;

	(void)arg;
	if (rk_server_methods(r->server, methods, 3, NULL, NULL, &err) != RK_OK)
		fail_msg("%s", err.text);
}

/* ---- a server, a tap, a client ---- */

struct rpcrig early_servers[2];

void
early_start_server(struct rpcrig *r)
{
	rpcrig_start(r);
	rpcrig_do(r, install, NULL);
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct early_rig *r = arg;

	(void)c;
	r->closed++;
	r->why = *why;
}

void
early_client_conf(struct early_rig *r, struct rk_client_conf *conf)
{
	rpcrig_client_conf(r->server, conf);
	if (r->tap.there)
		conf->url = r->tap.url;
	conf->closed = on_closed;
	conf->arg = r;
}

/* Of a server that was started. */
void
early_init(struct early_rig *r, struct rpcrig *server)
{
	struct rk_client_conf conf;

	memset(r, 0, sizeof(*r));
	r->server = server;
	if ((RPC_ONLY(server->kind) & TAPPED) != 0)
		tap_init(&r->tap, server->url);
	early_client_conf(r, &conf);
	r->client = rpcrig_client_with(&conf);
}

void
early_begin(struct early_rig *r, const struct rpcrun *run)
{
	rpcrig_init(&early_servers[0], run->kind, run->threads);
	early_start_server(&early_servers[0]);
	early_init(r, &early_servers[0]);
}

void
early_end(struct early_rig *r)
{
	rk_client_free(r->client);
	tap_fini(&r->tap);
	rpcrig_end(r->server);
}

/* Everybody does what there is to do. */
static void
turn(struct early_rig *r)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	tap_pump(&r->tap);
	assert_int_equal(rk_client_process(r->client), RK_OK);
	(void)nanosleep(&ms, NULL);
}

void
early_await(struct early_rig *r, atomic_uint *what, unsigned n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (atomic_load(what) < n) {
		if (rpcrig_now() > until)
			fail_msg(
			    "waited in vain: %u of %u", atomic_load(what), n);
		turn(r);
	}
}

void
early_await_answers(struct early_rig *r, const struct rpcanswer *a, unsigned n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	for (unsigned i = 0; i < n; i++) {
		while (a[i].n == 0) {
			if (rpcrig_now() > until)
				fail_msg("answer %u has not come", i);
			turn(r);
		}
		assert_int_equal(a[i].n, 1);
	}
}

void
early_await_entry(struct early_rig *r, struct rk_trust *trust)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	unsigned conns = 0;

	while (conns == 0) {
		struct rk_ask_entry *e;
		size_t n;

		assert_true(rpcrig_now() < until);
		turn(r);
		assert_int_equal(rk_trust_entries(trust, &e, &n), RK_OK);
		for (size_t i = 0; i < n; i++)
			conns += e[i].conns;
		free(e);
	}
}

void
early_await_closed(struct early_rig *r, unsigned n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (r->closed < n) {
		assert_true(rpcrig_now() < until);
		turn(r);
	}
}

void
early_submit(struct early_rig *r, const char *method, bool idempotent,
    const void *payload, size_t len, struct rpcanswer *a)
{
	struct rk_request req = {
		.method = method,
		.payload = payload,
		.payload_len = len,
		.idempotent = idempotent,
		.full_header = true,
	};

	memset(a, 0, sizeof(*a));
	assert_int_equal(
	    rk_client_submit(r->client, &req, rpcrig_on_reply, a, NULL), RK_OK);
}

void
early_submit_text(struct early_rig *r, const char *method, const char *text,
    struct rpcanswer *a)
{
	early_submit(r, method, true, text, strlen(text), a);
}

void
early_start(struct early_rig *r)
{
	struct rk_error err;

	if (rk_client_start(r->client, &err) != RK_OK)
		fail_msg("%s", err.text);
}

void
early_end_client(struct early_rig *r)
{
	unsigned n = r->closed + 1;

	r->tap.hold = r->tap.mute = false;
	rk_client_shutdown(r->client);
	early_await_closed(r, n);
}

/* A whole connection, which leaves a session behind. */
void
early_visit(struct early_rig *r)
{
	struct rpcanswer a;

	early_start(r);
	early_submit(r, "plain", false, "hello", 5, &a);
	early_await_answers(r, &a, 1);
	assert_int_equal(a.code, RK_OK);
	early_end_client(r);
	early_reset();
}

bool
early_went_early(struct early_rig *r)
{
	struct rk_timing t;

	rk_client_timing(r->client, &t);
	return t.early;
}

/* Until the client wants to say the last words of its handshake, which do not
 * leave; and the server has had time for whatever it does before them. */
void
early_stop_before_the_end(struct early_rig *r)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	struct rk_client *other;
	struct rpcanswer a;

	while (!tap_holds(&r->tap)) {
		assert_true(rpcrig_now() < until);
		turn(r);
	}
	other = rpcrig_client(r->server);
	rpcrig_call(other, "_.ping", NULL, 0, &a);
	rk_client_free(other);
}
