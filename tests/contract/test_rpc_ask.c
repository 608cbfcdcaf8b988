/* Clients that wait for a decision: let in, turned away, forgotten, many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <rpckit/ask.h>

#include "rpc/server_int.h"

#include "certs.h"
#include "rpcrig.h"

#define MANY 12 /* more than may wait of one key */

static struct rpcrig rig;        /* large */
static struct rk_ident *client2; /* another key of client@example.org */
static char list[512];

struct guest {
	struct rk_client *client;
	struct rpcanswer answer;
	unsigned closed;
	struct rk_error why;
};

static void
begin(const struct rpcrun *run, enum rk_trust_mode mode, uint64_t wait)
{
	struct rk_error err;

	rpcworld_path(list, "ask_keys");
	(void)unlink(list);
	certs_write(rpcworld.dir, "ask_keys", "", 0600);
	rpcrig_init(&rig, run->kind, run->threads);
	if (rk_trust_new(list, mode, &rig.conf.trust, &err) != RK_OK)
		fail_msg("%s", err.text);
	rig.conf.trust_wait = wait;
	rpcrig_start(&rig);
	rpclog_start();
}

static void
end(void)
{
	rpclog_stop();
	rpcrig_end(&rig);
	rk_trust_free(rig.conf.trust);
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct guest *g = arg;

	(void)c;
	g->closed++;
	g->why = *why;
}

/* Calls echo as soon as it believes to be in. */
static void
arrive(struct guest *g, struct rk_ident *ident, size_t len)
{
	struct rk_client_conf conf;

	memset(g, 0, sizeof(*g));
	rpcrig_client_conf(&rig, &conf);
	if (ident != NULL)
		conf.ident = ident;
	conf.closed = on_closed;
	conf.arg = g;
	g->client = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_start(g->client, NULL), RK_OK);
	rpcrig_submit(g->client, "echo", rpcrig_bytes, len, &g->answer);
}

static void
turn(struct guest *g, unsigned n)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rk_client_process(g[i].client), RK_OK);
	(void)nanosleep(&ms, NULL);
}

static void
await(struct guest *g, unsigned n, const unsigned *what, unsigned want)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (*what < want) {
		assert_true(rpcrig_now() < until);
		turn(g, n);
	}
}

/* Connections that wait, of all keys; and how many keys have an entry. */
static unsigned
waiting(size_t *entries)
{
	struct rk_ask_entry *e;
	unsigned conns = 0;

	assert_int_equal(rk_trust_entries(rig.conf.trust, &e, entries), RK_OK);
	for (size_t i = 0; i < *entries; i++)
		conns += e[i].conns;
	free(e);
	return conns;
}

static void
await_waiting(struct guest *g, unsigned n, unsigned conns, size_t entries)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	size_t have;

	while (waiting(&have) != conns || have != entries) {
		assert_true(rpcrig_now() < until);
		turn(g, n);
	}
}

static enum rk_err
order(enum rk_ask_verb verb, const struct rk_ident *of, bool changed)
{
	struct rk_cert_info info;
	struct rk_ask_order o = { .size = sizeof(o),
		.verb = verb,
		.key = info.fp,
		.changed = changed };

	assert_true(rk_ident_info(of, &info));
	return rk_trust_order(rig.conf.trust, &o, NULL, NULL);
}

static void
leave(struct guest *g, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rk_client_free(g[i].client);
}

static void
expect_echo(const struct guest *g, size_t len)
{
	assert_int_equal(g->answer.n, 1);
	assert_int_equal(g->answer.code, RK_OK);
	assert_int_equal(g->answer.len, len);
	assert_true(g->answer.same);
}

static uint64_t
accepted(void)
{
	struct rk_server_stats s;

	rk_server_stats(rig.server, &s);
	return s.accepted;
}

/* ---- the cases ---- */

/* Decided by another thread than the server's; two connections, one entry; and
 * more sent than is read while they wait. */
static void
lets_in(void **state)
{
	const size_t len[2] = { 5, (size_t)1 << 20 };
	struct guest g[2];

	begin(*state, RK_TRUST_ASK, 0);
	for (int i = 0; i < 2; i++)
		arrive(&g[i], NULL, len[i]);
	await_waiting(g, 2, 2, 1);
	for (int i = 0; i < 20; i++)
		turn(g, 2);
	assert_int_equal(rpcrig_get(&rig, &rig.handled), 0);
	assert_int_equal(order(RK_ASK_APPROVE, rpcworld.client, false), RK_OK);
	for (int i = 0; i < 2; i++) {
		await(g, 2, &g[i].answer.n, 1);
		expect_echo(&g[i], len[i]);
		assert_int_equal(g[i].closed, 0);
	}
	assert_int_equal(accepted(), 2); /* nobody has dialled again */
	leave(g, 2);
	await_waiting(g, 0, 0, 0);
	rpcrig_check_alive(&rig); /* known now */
	end();
}

/* Somebody writes the line with an editor. */
static void
lets_in_by_the_file(void **state)
{
	struct rk_cert_info info;
	char id[RK_KEY_ID_LEN];
	struct guest g;
	FILE *f;

	begin(*state, RK_TRUST_ASK, 0);
	arrive(&g, NULL, 5);
	await_waiting(&g, 1, 1, 1);
	assert_true(rk_ident_info(rpcworld.client, &info));
	rk_key_id(info.pub, id);
	f = fopen(list, "a");
	assert_non_null(f);
	assert_true(fprintf(f, "- %s:\n", id) > 0);
	assert_int_equal(fclose(f), 0);
	await(&g, 1, &g.answer.n, 1);
	expect_echo(&g, 5);
	leave(&g, 1);
	end();
}

static void
lets_in_once(void **state)
{
	struct guest g[2];

	begin(*state, RK_TRUST_ASK, 0);
	arrive(&g[0], NULL, 5);
	await_waiting(g, 1, 1, 1);
	assert_int_equal(
	    order(RK_ASK_APPROVE_ONCE, rpcworld.client, false), RK_OK);
	await(g, 1, &g[0].answer.n, 1);
	expect_echo(&g[0], 5);
	arrive(&g[1], NULL, 5);
	await_waiting(g, 2, 1, 1);
	assert_int_equal(g[0].closed, 0); /* it stays */
	leave(g, 2);
	end();
}

/* Who is turned away is told nothing more, and refused at once afterwards. */
static void
turns_away(void **state)
{
	struct guest g, again;

	begin(*state, RK_TRUST_ASK, 0);
	arrive(&g, NULL, 5);
	await_waiting(&g, 1, 1, 1);
	assert_int_equal(order(RK_ASK_REJECT, rpcworld.client, false), RK_OK);
	await(&g, 1, &g.closed, 1);
	assert_int_equal(g.answer.n, 1);
	assert_int_not_equal(g.answer.code, RK_OK);
	rpclog_await(RK_LOG_WARN, "was rejected here", 1);
	rpcrig_await_conns(&rig, 0);
	assert_int_equal(rpclog_count(RK_LOG_DEBUG, "was rejected here"), 1);
	arrive(&again, NULL, 5);
	await(&again, 1, &again.closed, 1);
	assert_int_not_equal(again.answer.code, RK_OK);
	assert_int_equal(rpcrig_get(&rig, &rig.handled), 0);
	leave(&g, 1);
	leave(&again, 1);
	end();
}

static void
gives_up(void **state)
{
	struct guest g;

	begin(*state, RK_TRUST_ASK, 100);
	arrive(&g, NULL, 5);
	await(&g, 1, &g.closed, 1);
	assert_int_not_equal(g.answer.code, RK_OK);
	rpclog_await(
	    RK_LOG_WARN, "no decision about the peer within 100 ms", 1);
	rpcrig_await_conns(&rig, 0);
	await_waiting(&g, 0, 0, 1); /* the entry stays */
	leave(&g, 1);
	end();
}

/* The caller goes: noticed, though nothing of it is heard. */
static void
is_left(void **state)
{
	struct guest g;

	begin(*state, RK_TRUST_ASK, RK_NEVER);
	arrive(&g, NULL, 5);
	await_waiting(&g, 1, 1, 1);
	rk_client_shutdown(g.client);
	await(&g, 1, &g.closed, 1);
	await_waiting(&g, 1, 0, 1);
	rpcrig_await_conns(&rig, 0);
	leave(&g, 1);
	/* Nobody is let in any more, and nothing ran. */
	assert_int_equal(order(RK_ASK_APPROVE, rpcworld.client, false), RK_OK);
	assert_int_equal(rpcrig_get(&rig, &rig.handled), 0);
	end();
}

/* Neither the end of the server nor a lock waits for who waits. */
static void
stops(void **state)
{
	uint64_t since;
	struct guest g;

	begin(*state, RK_TRUST_ASK, RK_NEVER);
	arrive(&g, NULL, 5);
	await_waiting(&g, 1, 1, 1);
	since = rpcrig_now();
	end();
	assert_true(rpcrig_now() - since < 5000);
	await(&g, 1, &g.closed, 1);
	leave(&g, 1);
}

static void
locks(void **state)
{
	struct guest g[2];

	begin(*state, RK_TRUST_ASK, RK_NEVER);
	arrive(&g[0], rpcworld.other, 5);
	await_waiting(g, 1, 1, 1);
	assert_int_equal(order(RK_ASK_APPROVE, rpcworld.other, false), RK_OK);
	await(g, 1, &g[0].answer.n, 1);
	arrive(&g[1], NULL, 5);
	await_waiting(g, 2, 1, 1);
	assert_int_equal(
	    rk_trust_set_mode(rig.conf.trust, RK_TRUST_LOCK, NULL), RK_OK);
	await(g, 2, &g[1].closed, 1);
	rpclog_await(RK_LOG_WARN, "which is locked", 1);
	assert_int_equal(g[0].closed, 0);
	leave(g, 2);
	end();
}

/* In an open list, too. */
static void
asks_about_changed(void **state)
{
	struct guest g[2];

	begin(*state, RK_TRUST_ACCEPT_NEW, 0);
	arrive(&g[0], NULL, 5);
	await(g, 1, &g[0].answer.n, 1);
	expect_echo(&g[0], 5);
	arrive(&g[1], client2, 5);
	await_waiting(g, 2, 1, 1);
	rpclog_await(RK_LOG_INFO, "waits for a decision: changed", 1);
	assert_int_equal(order(RK_ASK_APPROVE, client2, false), RK_EDENIED);
	assert_int_equal(order(RK_ASK_APPROVE, client2, true), RK_OK);
	await(g, 2, &g[1].answer.n, 1);
	expect_echo(&g[1], 5);
	leave(g, 2);
	end();
}

/* Too many wait: the others are refused, and who is known is served. */
static void
bears_many(void **state)
{
	struct guest g[MANY], known;
	unsigned closed = 0;
	uint64_t until;

	begin(*state, RK_TRUST_ASK, RK_NEVER);
	arrive(&known, rpcworld.other, 5);
	await_waiting(&known, 1, 1, 1);
	assert_int_equal(order(RK_ASK_APPROVE, rpcworld.other, false), RK_OK);
	await(&known, 1, &known.answer.n, 1);
	for (int i = 0; i < MANY; i++)
		arrive(&g[i], NULL, 5);
	await_waiting(g, MANY, RK_ASK_CONNS_KEY, 1);
	/* The rest is on its way still, and needs our turns to arrive. */
	until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	while (closed < MANY - RK_ASK_CONNS_KEY) {
		assert_true(rpcrig_now() < until);
		closed = 0;
		turn(g, MANY);
		for (int i = 0; i < MANY; i++)
			closed += g[i].closed;
	}
	assert_int_equal(closed, MANY - RK_ASK_CONNS_KEY);
	rpclog_await(RK_LOG_WARN, "of its connections wait", 1);
	leave(&known, 1);
	arrive(&known, rpcworld.other, 5);
	await(&known, 1, &known.answer.n, 1);
	expect_echo(&known, 5);
	leave(&known, 1);
	leave(g, MANY);
	await_waiting(g, 0, 0, 1);
	end();
}

/* Open connections of a revoked key end at once, others do not. */
static void
closes(void **state)
{
	struct guest g[3];

	begin(*state, RK_TRUST_FILE, 0);
	for (int i = 0; i < 3; i++) {
		arrive(&g[i], i == 2 ? rpcworld.other : NULL, 5);
		await(g, (unsigned)i + 1, &g[i].answer.n, 1);
	}
	assert_int_equal(order(RK_ASK_REVOKE, rpcworld.client, false), RK_OK);
	await(g, 3, &g[0].closed, 1);
	await(g, 3, &g[1].closed, 1);
	assert_int_not_equal(g[0].why.code, RK_ECANCELED);
	rpclog_await(RK_LOG_INFO, "was revoked here", 2);
	memset(&g[2].answer, 0, sizeof(g[2].answer));
	rpcrig_submit(g[2].client, "echo", rpcrig_bytes, 5, &g[2].answer);
	await(g, 3, &g[2].answer.n, 1);
	expect_echo(&g[2], 5);
	leave(g, 3);
	end();
}

/* ---- another CA ---- */

static void
use_ident(struct rpcrig *r, void *arg)
{
	struct rk_error err;

	if (rk_server_identity(
	        r->server, arg, r->conf.trust, NULL, NULL, &err) != RK_OK)
		fail_msg("%s", err.text);
}

/* Who waits for a decision goes when its CA does, and not before. */
static void
changes_ca(void **state)
{
	struct certs_cert *ca = certs_new_ca("another");
	struct rk_ident *same, *other;
	struct rk_error err;
	struct guest g;
	char dir[256];

	certs_make_tmp(dir);
	certs_fill_from(ca, dir);
	certs_free(ca);
	if (rk_ident_load_dir(dir, "node", NULL, NULL, &other, &err) != RK_OK)
		fail_msg("%s", err.text);
	same = rpcworld_load("node");
	begin(*state, RK_TRUST_ASK, RK_NEVER);
	arrive(&g, NULL, 5);
	await_waiting(&g, 1, 1, 1);
	rpcrig_do(&rig, use_ident, same);
	turn(&g, 1);
	await_waiting(&g, 1, 1, 1);
	assert_int_equal(g.closed, 0);
	rpcrig_do(&rig, use_ident, other);
	await(&g, 1, &g.closed, 1);
	assert_int_equal(g.answer.n, 1);
	assert_int_not_equal(g.answer.code, RK_OK);
	rpclog_await(RK_LOG_INFO, "another CA is in force", 1);
	await_waiting(NULL, 0, 0, 1);
	leave(&g, 1);
	end();
	rk_ident_free(same);
	rk_ident_free(other);
	certs_remove_tmp(dir);
}

/* ---- another process with the same store ---- */

static void
order_elsewhere(struct rk_trust *t, enum rk_ask_verb verb)
{
	struct rk_cert_info info;
	struct rk_ask_order o = {
		.size = sizeof(o), .verb = verb, .key = info.fp
	};
	struct rk_error err;

	assert_true(rk_ident_info(rpcworld.client, &info));
	if (rk_trust_order(t, &o, NULL, &err) != RK_OK)
		fail_msg("%s", err.text);
}

/* What the timer does. */
static void
look_now(struct rpcrig *r, void *arg)
{
	(void)arg;
	assert_true(server_ask_look(r->server));
}

/* What is decided there ends a connection here. */
static void
heeds_others(void **state)
{
	static const enum rk_ask_verb ends[] = { RK_ASK_UNDO, RK_ASK_REVOKE };
	char store[sizeof(list) + 4];
	struct rk_trust *other;
	struct guest g;

	begin(*state, RK_TRUST_ASK, 0);
	(void)snprintf(store, sizeof(store), "%s.db", list);
	(void)unlink(store);
	assert_int_equal(rk_trust_keep(rig.conf.trust, true, NULL), RK_OK);
	assert_int_equal(rk_trust_new(list, RK_TRUST_ASK, &other, NULL), RK_OK);
	assert_int_equal(rk_trust_keep(other, true, NULL), RK_OK);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		arrive(&g, NULL, 5);
		await_waiting(&g, 1, 1, 1);
		order_elsewhere(rig.conf.trust, RK_ASK_APPROVE);
		await(&g, 1, &g.answer.n, 1);
		expect_echo(&g, 5);
		rpcrig_do(&rig, look_now, NULL);
		order_elsewhere(other, ends[i]);
		assert_int_equal(g.closed, 0);
		rpcrig_do(&rig, look_now, NULL);
		await(&g, 1, &g.closed, 1);
		leave(&g, 1);
	}
	rk_trust_free(other);
	end();
	(void)unlink(store);
}

/* Where nobody proves a key nobody is asked about. */
static void
asks_nobody(void **state)
{
	begin(*state, RK_TRUST_ASK, 0);
	rpcrig_check_alive(&rig);
	await_waiting(NULL, 0, 0, 0);
	end();
}

static void
make_client2(void)
{
	struct certs_cert *c =
	    certs_new_leaf(rpcworld.ca, "client2", "client@example.org");

	certs_write(rpcworld.dir, "client2.crt", c->pem, 0600);
	certs_write(rpcworld.dir, "client2.key", c->key_pem, 0600);
	certs_free(c);
	client2 = rpcworld_load("client2");
}

static void
changed(void **state)
{
	make_client2();
	asks_about_changed(state);
	rk_ident_free(client2);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "lets in", lets_in, RPC_SECURE },
		{ "lets in by the file", lets_in_by_the_file, RPC_SECURE },
		{ "lets in once", lets_in_once, RPC_SECURE },
		{ "turns away", turns_away, RPC_SECURE },
		{ "gives up", gives_up, RPC_SECURE },
		{ "is left", is_left, RPC_SECURE },
		{ "stops", stops, RPC_SECURE },
		{ "locks", locks, RPC_SECURE },
		{ "changed", changed, RPC_SECURE },
		{ "many", bears_many, RPC_SECURE },
		{ "closes", closes, RPC_SECURE },
		{ "changes CA", changes_ca, RPC_SECURE },
		{ "heeds others", heeds_others, RPC_SECURE },
		{ "nobody", asks_nobody, RPC_ALL & ~RPC_KEYED },
	};

	return rpcrig_run_cases("ask", cases, sizeof(cases) / sizeof(cases[0]));
}
