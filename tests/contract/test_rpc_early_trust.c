/* Early data and trust: whoever comes back is judged before it is heard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rpckit/ask.h>

#include "certs.h"
#include "earlyrig.h"

#define CLIENT 0
#define SERVER 1

/* What has become of a key that was good at the first visit. */
enum fate {
	GOOD,
	REVOKED,    /* by the CA */
	ORDERED,    /* revoked by rk_trust_order() */
	LOCKED_OUT, /* its line is gone, and the list is locked */
	FORGOTTEN   /* its line is gone */
};

/* Each end has a folder of its own, with all certificates, and a list. */
struct world {
	char dir[2][256];
	struct rk_ident *ident[2];
	struct rk_trust *trust[2];
	struct early_rig rig;
};

static void
world_init(struct world *w, const struct rpcrun *run)
{
	static const char *const names[] = { "client", "node" };
	struct rk_client_conf conf;
	struct rk_error err;
	char path[512];

	for (int i = 0; i < 2; i++) {
		certs_make_tmp(w->dir[i]);
		certs_fill_from(rpcworld.ca, w->dir[i]);
		certs_write(w->dir[i], "keys", "", 0600);
		(void)snprintf(path, sizeof(path), "%s/keys", w->dir[i]);
		if (rk_ident_load_dir(w->dir[i], names[i], NULL, NULL,
		        &w->ident[i], &err) != RK_OK ||
		    rk_trust_new(path, RK_TRUST_FILE, &w->trust[i], &err) !=
		        RK_OK)
			fail_msg("%s", err.text);
	}
	early_reset();
	rpcrig_init(&early_servers[0], run->kind, run->threads);
	early_servers[0].conf.ident = w->ident[SERVER];
	early_servers[0].conf.trust = w->trust[SERVER];
	early_start_server(&early_servers[0]);
	early_init(&w->rig, &early_servers[0]);
	rk_client_free(w->rig.client);
	early_client_conf(&w->rig, &conf);
	conf.ident = w->ident[CLIENT];
	conf.trust = w->trust[CLIENT];
	w->rig.client = rpcrig_client_with(&conf);
	early_visit(&w->rig);
}

static void
world_fini(struct world *w)
{
	early_end(&w->rig);
	for (int i = 0; i < 2; i++) {
		rk_ident_free(w->ident[i]);
		rk_trust_free(w->trust[i]);
		certs_remove_tmp(w->dir[i]);
	}
}

static void
write_list(struct world *w, int judge, uint64_t serial)
{
	struct certs_crl c = { .serials = &serial, .n = 1 };
	char *crl = certs_new_crl(rpcworld.ca, &c);

	certs_write(w->dir[judge], "ca.crl", crl, 0600);
	free(crl);
}

static void
list_revoked(struct world *w, int who, int judge)
{
	struct rk_cert_info info;

	assert_true(rk_ident_info(w->ident[who], &info));
	write_list(w, judge, strtoul(info.serial, NULL, 16));
}

/* Its line stays. */
static void
order_revoked(struct world *w, int who, int judge)
{
	struct rk_cert_info info;
	struct rk_ask_order o = {
		.size = sizeof(o), .verb = RK_ASK_REVOKE, .key = info.fp
	};

	assert_true(rk_ident_info(w->ident[who], &info));
	assert_int_equal(
	    rk_trust_order(w->trust[judge], &o, NULL, NULL), RK_OK);
}

/* As the other end, who judges, finds it. */
static void
befall(struct world *w, int who, enum fate fate)
{
	int judge = 1 - who;
	char path[512];

	if (fate == REVOKED)
		list_revoked(w, who, judge);
	if (fate == ORDERED)
		order_revoked(w, who, judge);
	if (fate != LOCKED_OUT && fate != FORGOTTEN)
		return;
	certs_write(w->dir[judge], "keys", "", 0600);
	(void)snprintf(path, sizeof(path), "%.255s/keys", w->dir[judge]);
	if (fate == LOCKED_OUT)
		assert_int_equal(chmod(path, 0400), 0);
}

static unsigned
executed(void)
{
	return atomic_load(&early_seen.marked);
}

static void
come_back(struct world *w, struct rpcanswer *a)
{
	early_start(&w->rig);
	early_submit_text(&w->rig, "marked", "text", a);
}

/* ---- the cases ---- */

static void
hears_who_is_still_good(void **state)
{
	struct rpcanswer a;
	struct world w;

	for (int i = 0; i < 2; i++) {
		world_init(&w, *state);
		/* Locked meanwhile, but known. */
		for (int k = 0; k < 2 && i == 1; k++) {
			char path[512];

			(void)snprintf(path, sizeof(path), "%s/keys", w.dir[k]);
			assert_int_equal(chmod(path, 0400), 0);
		}
		w.rig.tap.hold = true;
		come_back(&w, &a);
		early_await_answers(&w.rig, &a, 1);
		assert_int_equal(a.code, RK_OK);
		assert_true(early_went_early(&w.rig));
		assert_int_equal(atomic_load(&early_seen.early), 1);
		early_end_client(&w.rig);
		world_fini(&w);
	}
}

static void
refuse(const struct rpcrun *run, int who, enum fate fate, enum rk_err want)
{
	struct rpcanswer a;
	struct world w;

	world_init(&w, run);
	befall(&w, who, fate);
	come_back(&w, &a);
	early_await_closed(&w.rig, 2);
	assert_int_equal(w.rig.why.code, want);
	assert_int_equal(a.n, 1);
	assert_int_not_equal(a.code, RK_OK);
	tap_pump(&w.rig.tap); /* the client's last words */
	tap_cut(&w.rig.tap);
	rpcrig_await_conns(w.rig.server, 0);
	assert_int_equal(executed(), 0);
	world_fini(&w);
}

/* Each is told inside the handshake. */
static void
refuses_clients(void **state)
{
	refuse(*state, CLIENT, REVOKED, RK_EREVOKED);
	refuse(*state, CLIENT, ORDERED, RK_EREVOKED);
	refuse(*state, CLIENT, LOCKED_OUT, RK_ECERT);
}

/* Who was let in by a ticket under a list that was about somebody else is not,
 * early or resumed, once it is about him. */
static void
refuses_by_a_list_that_changed(void **state)
{
	static const char *const methods[] = { "marked", "plain" };
	struct rpcanswer a;
	struct world w;

	for (int i = 0; i < 2; i++) {
		world_init(&w, *state);
		write_list(&w, SERVER, 0x7777);
		early_start(&w.rig);
		early_submit(&w.rig, methods[i], i == 0, "x", 1, &a);
		early_await_answers(&w.rig, &a, 1);
		assert_int_equal(a.code, RK_OK);
		assert_true(rk_client_peer(w.rig.client)->resumed);
		early_end_client(&w.rig);
		early_reset();
		list_revoked(&w, CLIENT, SERVER);
		early_start(&w.rig);
		early_submit(&w.rig, methods[i], i == 0, "x", 1, &a);
		early_await_closed(&w.rig, w.rig.closed + 1);
		assert_int_equal(w.rig.why.code, RK_EREVOKED);
		assert_int_equal(a.n, 1);
		assert_int_not_equal(a.code, RK_OK);
		tap_pump(&w.rig.tap);
		tap_cut(&w.rig.tap);
		rpcrig_await_conns(w.rig.server, 0);
		assert_int_equal(executed(), 0);
		assert_int_equal(atomic_load(&early_seen.plain), 0);
		world_fini(&w);
	}
}

static void
refuses_servers(void **state)
{
	refuse(*state, SERVER, REVOKED, RK_EREVOKED);
	refuse(*state, SERVER, ORDERED, RK_EREVOKED);
	refuse(*state, SERVER, LOCKED_OUT, RK_EUNKNOWNKEY);
}

/* A key is recorded when it was proven, in a full handshake. */
static void
asks_for_a_proof(void **state)
{
	struct rk_timing t;
	struct rpcanswer a;
	struct stat st;
	struct world w;
	char path[512];

	for (int who = 0; who < 2; who++) {
		world_init(&w, *state);
		befall(&w, who, FORGOTTEN);
		come_back(&w, &a);
		early_await_answers(&w.rig, &a, 1);
		assert_int_equal(a.code, RK_OK);
		assert_int_equal(executed(), 1);
		/* A QUIC server resumes, and records when that has ended. */
		if (w.rig.tap.there || who == SERVER)
			assert_false(rk_client_peer(w.rig.client)->resumed);
		assert_false(early_went_early(&w.rig));
		assert_int_equal(atomic_load(&early_seen.early), 0);
		rk_client_timing(w.rig.client, &t);
		assert_int_equal(t.trust_added, who == SERVER);
		(void)snprintf(path, sizeof(path), "%s/keys", w.dir[1 - who]);
		assert_int_equal(stat(path, &st), 0);
		assert_true(st.st_size > 0);
		early_end_client(&w.rig);
		world_fini(&w);
	}
}

/* Who comes back and has to wait is not heard early, and served once it may. */
static void
makes_wait_who_comes_back(void **state)
{
	struct rk_cert_info info;
	struct rk_ask_order o = {
		.size = sizeof(o), .verb = RK_ASK_APPROVE, .key = info.fp
	};
	struct rpcanswer a;
	struct world w;

	world_init(&w, *state);
	befall(&w, CLIENT, FORGOTTEN);
	assert_int_equal(
	    rk_trust_set_mode(w.trust[SERVER], RK_TRUST_ASK, NULL), RK_OK);
	assert_true(rk_ident_info(w.ident[CLIENT], &info));
	come_back(&w, &a);
	early_await_entry(&w.rig, w.trust[SERVER]);
	assert_int_equal(executed(), 0);
	assert_int_equal(
	    rk_trust_order(w.trust[SERVER], &o, NULL, NULL), RK_OK);
	early_await_answers(&w.rig, &a, 1);
	assert_int_equal(a.code, RK_OK);
	assert_int_equal(executed(), 1);
	assert_int_equal(atomic_load(&early_seen.early), 0);
	early_end_client(&w.rig);
	world_fini(&w);
}

static void
use_other(struct rpcrig *r, void *arg)
{
	const struct world *w = arg;
	struct rk_error err;

	if (rk_server_identity(r->server, rpcworld.node2, w->trust[SERVER],
	        NULL, NULL, &err) != RK_OK)
		fail_msg("%s", err.text);
}

/* The session was another server's: this one must show who it is. */
static void
notices_another_identity(void **state)
{
	struct rpcanswer a;
	struct world w;

	world_init(&w, *state);
	rpcrig_do(w.rig.server, use_other, &w);
	come_back(&w, &a);
	early_await_answers(&w.rig, &a, 1);
	assert_int_equal(a.code, RK_OK);
	assert_int_equal(executed(), 1);
	assert_false(rk_client_peer(w.rig.client)->resumed);
	assert_string_equal(
	    rk_client_peer(w.rig.client)->cert.email, "node2@example.org");
	early_end_client(&w.rig);
	world_fini(&w);
}

/* The same identity loaded again, as a reload does it: sessions go on. */
static void
use_again(struct rpcrig *r, void *arg)
{
	const struct world *w = arg;
	struct rk_error err;

	if (rk_server_identity(r->server, w->ident[SERVER], w->trust[SERVER],
	        NULL, NULL, &err) != RK_OK)
		fail_msg("%s", err.text);
}

static void
goes_on_after_a_reload(void **state)
{
	struct rpcanswer a;
	struct world w;

	world_init(&w, *state);
	rpcrig_do(w.rig.server, use_again, &w);
	come_back(&w, &a);
	early_await_answers(&w.rig, &a, 1);
	assert_int_equal(a.code, RK_OK);
	assert_true(rk_client_peer(w.rig.client)->resumed);
	/* QUIC's context knows its own tickets only. */
	assert_int_equal(early_went_early(&w.rig), w.rig.tap.there);
	early_end_client(&w.rig);
	world_fini(&w);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "still good", hears_who_is_still_good, TAPPED },
		{ "refuses clients", refuses_clients, EARLY },
		{ "a list that changed", refuses_by_a_list_that_changed,
		    EARLY },
		{ "refuses servers", refuses_servers, EARLY },
		{ "asks for a proof", asks_for_a_proof, EARLY },
		{ "waits", makes_wait_who_comes_back, EARLY },
		{ "another identity", notices_another_identity, EARLY },
		{ "a reload", goes_on_after_a_reload, EARLY },
	};

	return rpcrig_run_cases(
	    "early trust", cases, sizeof(cases) / sizeof(cases[0]));
}
