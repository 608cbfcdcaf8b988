/* Control sockets: what they show of a server, and how it is steered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "ctlrig.h"
#include "pushrig.h"

/* ---- what is shown ---- */

static void
shows_connections(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct rpcanswer a = { 0 };
	struct rk_client *c[3], *v;
	char want[128];
	const char *text;
	enum rk_err code;

	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.view, NULL);
	ctl_has(ctl_get(v, "_.conns"), "\"conns\":[]");
	for (size_t i = 0; i < 3; i++)
		c[i] = push_client(
		    &rig, &p, i == 2 ? rpcworld.other : rpcworld.client);
	for (size_t i = 0; i < 3; i++)
		push_sync(c[i]);
	(void)rpcrig_submit(c[0], "hold", "x", 1, &a);
	rpcrig_turn_for(c[0], &rig, &rig.n_held, 1);
	text = ctl_get(v, "_.conns");
	assert_int_equal(ctl_count(text, "\"state\":\"active\""), 1);
	assert_int_equal(ctl_count(text, "\"state\":\"idle\""), 2);
	assert_int_equal(ctl_count(text, "\"calls\":1,"), 2);
	assert_int_equal(ctl_count(text, "\"calls\":2,"), 1);
	assert_int_equal(ctl_count(text, "\"running\":1,"), 1);
	assert_int_equal(ctl_count(text, "\"bytes_in\":0,"), 0);
	assert_int_equal(ctl_count(text, "\"bytes_out\":0,"), 0);
	assert_int_equal(ctl_count(text, "\"since\":\"20"), 3);
	(void)snprintf(want, sizeof(want), "\"transport\":\"%s\"",
	    rpc_kind_name(rig.kind));
	assert_int_equal(ctl_count(text, want), 3);
	assert_int_equal(ctl_count(text, "\"email\":\"client@example.org\""),
	    rpc_is_secure(rig.kind) ? 2 : 0);
	assert_int_equal(ctl_count(text, "\"fingerprint\":\"SHA256:"),
	    rpc_has_keys(rig.kind) ? 3 : 0);
	/* Of those that are older only what moves. */
	do
		text = ctl_ask(v, "_.conns",
		    "\x81\xa5"
		    "brief\x00",
		    8, &code);
	while (ctl_count(text, "\"id\":") != 0);
	text = ctl_ask(v, "_.conns",
	    "\x81\xa5"
	    "brief\x00",
	    8, &code);
	assert_int_equal(code, RK_OK);
	assert_int_equal(ctl_count(text, "\"id\":"), 0);
	assert_int_equal(ctl_count(text, ",\"active\",1,2,0,"), 1);
	assert_int_equal(ctl_count(text, ",\"idle\",0,1,0,"), 2);
	text = ctl_ask(v, "_.conns",
	    "\x81\xa5"
	    "brief\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
	    16, &code);
	assert_int_equal(ctl_count(text, "\"id\":"), 3);
	(void)ctl_ask(v, "_.conns", "\xc0", 1, &code);
	assert_int_equal(code, RK_EREMOTE);
	text = ctl_get(v, "_.calls");
	assert_int_equal(ctl_count(text, "\"method\":\"hold\""), 1);
	assert_int_equal(ctl_count(text, "\"method\":"), 1);
	assert_int_equal(ctl_count(text, "\"cn\":\"client\""),
	    rpc_is_secure(rig.kind) ? 1 : 0);
	rpcrig_answer(&rig, 0, NULL, "x", 1);
	rpcrig_turn(c[0], &a.n, 1);
	ctl_has(ctl_get(v, "_.calls"), "\"calls\":[]");
	for (size_t i = 0; i < 3; i++)
		rk_client_free(c[i]);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

static void
set_fact(struct rpcrig *r, void *arg)
{
	struct ctl *c = arg;

	(void)r;
	assert_int_equal(rk_control_fact(c->control, "a", "b"), RK_OK);
	assert_int_equal(rk_control_fact(c->control, "config", "x"), RK_OK);
	assert_int_equal(rk_control_fact(c->control, "config", "y"), RK_OK);
	assert_int_equal(rk_control_fact(c->control, "a", NULL), RK_OK);
	assert_int_equal(rk_control_fact(c->control, "none", NULL), RK_OK);
}

static void
shows_figures(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct rk_client *c[2], *v;
	char want[200];
	const char *text;

	ctl_start(&ctl, &rig, *state);
	rpcrig_do(&rig, set_fact, &ctl);
	v = ctl_visit(ctl.path, NULL);
	for (size_t i = 0; i < 2; i++) {
		c[i] = push_client(&rig, &p, NULL);
		push_sync(c[i]);
	}
	rk_client_free(c[0]);
	rpcrig_await_conns(&rig, 1);
	text = ctl_get(v, "_.status");
	ctl_has(text, "\"name\":\"tester\",\"version\":\"7.1\"");
	ctl_has(text, "\"state\":\"running\"");
	ctl_has(text, "\"connections\":{\"new\":0,\"active\":0,\"idle\":1,"
	              "\"closing\":0,\"accepted\":2,\"refused\":0}");
	ctl_has(text, "\"calls\":{\"running\":0,\"begun\":2}");
	ctl_has(text, "\"limits\":{\"connections\":4096,");
	ctl_has(text, "\"facts\":{\"config\":\"y\"}");
	/* Those that have gone count. */
	assert_null(strstr(text, "\"bytes\":{\"in\":0"));
	(void)snprintf(want, sizeof(want), "\"listeners\":[\"%s\"]", rig.url);
	ctl_has(text, want);
	text = ctl_get(v, "_.metrics");
	ctl_has(text, "\nrpckit_connections{state=\"idle\"} 1\n");
	ctl_has(text, "\nrpckit_accepted_total 2\n");
	ctl_has(text, "\nrpckit_calls_total 2\n");
	ctl_has(ctl_get(v, "_.serves"), "{\"name\":\"hold\"");
	assert_null(strstr(ctl_get(v, "_.serves"), "_.kick"));
	rk_client_free(c[1]);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

/* ---- what steers ---- */

static void
kick_conn(struct rk_client *v, uint64_t id, enum rk_err want)
{
	uint8_t arg[15] = { 0x81, 0xa4, 'c', 'o', 'n', 'n', 0xcf };
	enum rk_err code;

	for (size_t i = 0; i < 8; i++)
		arg[7 + i] = (uint8_t)(id >> (56 - 8 * i));
	(void)ctl_ask(v, "_.kick", arg, sizeof(arg), &code);
	assert_int_equal(code, want);
}

static void
kicks(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct rpcanswer held = { 0 };
	struct rk_client *c[4], *v;
	struct rk_cert_info info;
	uint64_t id;

	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.path, NULL);
	for (size_t i = 0; i < 4; i++)
		c[i] = push_client(
		    &rig, &p, i < 3 ? rpcworld.client : rpcworld.other);
	id = push_conn_id(c[0]);
	/* Its calls end, and their handlers are told. */
	(void)rpcrig_submit(c[0], "hold", "x", 1, &held);
	rpcrig_turn_for(c[0], &rig, &rig.n_held, 1);
	kick_conn(v, id, RK_OK);
	ctl_await_gone(c[0]);
	rpcrig_turn(c[0], &held.n, 1);
	assert_int_not_equal(held.code, RK_OK);
	rpcrig_await(&rig, &rig.n_canceled, 1);
	rpcrig_answer(&rig, 0, NULL, NULL, 0);
	rpcrig_await_conns(&rig, 3);
	kick_conn(v, id, RK_EREMOTE);
	kick_conn(v, 0, RK_EREMOTE);
	kick_conn(v, UINT64_MAX, RK_EREMOTE);
	push_sync(c[1]);
	if (rig.kind != RPC_UNIX) {
		assert_int_equal(ctl_order(v, "_.kick", "address",
		                     rk_client_peer(c[1])->local),
		    RK_OK);
		ctl_await_gone(c[1]);
		rpcrig_await_conns(&rig, 2);
	}
	assert_true(rk_ident_info(rpcworld.client, &info));
	if (rpc_is_secure(rig.kind)) {
		assert_int_equal(ctl_order(v, "_.kick", "fp", info.fp), RK_OK);
		ctl_await_gone(c[2]);
		rpcrig_await_conns(&rig, 1);
		push_sync(c[3]);
	}
	assert_int_equal(ctl_order(v, "_.kick", "fp", info.fp), RK_EREMOTE);
	if (rig.kind != RPC_UNIX) {
		assert_int_equal(
		    ctl_order(v, "_.kick", "address", "127.0.0.1"), RK_OK);
		rpcrig_await_conns(&rig, 0);
	}
	assert_int_equal(ctl_order(v, "_.kick", "email", "x"), RK_EREMOTE);
	assert_int_equal(ctl_order(v, "_.kick", "fp", NULL), RK_EREMOTE);
	for (size_t i = 0; i < 4; i++)
		rk_client_free(c[i]);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

static void
orders_the_program(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct rk_client *v;
	enum rk_err code;

	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.path, NULL);
	assert_string_equal(ctl_ask(v, "_.reload", NULL, 0, &code),
	    "this program cannot do that");
	assert_int_equal(ctl_order(v, "_.drain", NULL, NULL), RK_OK);
	ctl_was_told(&ctl, "drain");
	assert_int_equal(ctl_order(v, "_.stop", NULL, NULL), RK_OK);
	ctl_was_told(&ctl, "stop");
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

static void
refuses_to_steer_read_only(void **state)
{
	static const char *const steering[] = { "_.kick", "_.cancel", "_.level",
		"_.reload", "_.drain", "_.stop" };
	struct rpcrig rig;
	struct ctl ctl;
	struct rk_client *v;
	struct stat st;
	enum rk_err code;

	ctl_start(&ctl, &rig, *state);
	assert_int_equal(stat(ctl.view, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	v = ctl_visit(ctl.view, NULL);
	for (size_t i = 0; i < sizeof(steering) / sizeof(steering[0]); i++) {
		assert_string_equal(ctl_ask(v, steering[i], NULL, 0, &code),
		    "not allowed for this caller");
		assert_null(strstr(ctl_get(v, "_.methods"), steering[i]));
	}
	ctl_has(ctl_get(v, "_.methods"), "_.conns");
	ctl_was_told(&ctl, "");
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

/* None of it is there for those who come by the server's own listeners. */
static void
is_not_on_the_network(void **state)
{
	static const char *const all[] = { "_.status", "_.conns", "_.calls",
		"_.serves", "_.figures", "_.metrics", "_.log", "_.events",
		"_.kick", "_.level", "_.reload", "_.drain", "_.stop", "_.trust",
		"_.pending", "_.known", "_.decide", "_.mode", "_.lock",
		"_.unlock" };
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct rpcanswer a = { 0 };
	struct rk_client *c;

	ctl_start(&ctl, &rig, *state);
	c = push_client(&rig, &p, NULL);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		assert_int_equal(
		    rpcrig_try(c, all[i], NULL, 0, &a), RK_ENOMETHOD);
	ctl_was_told(&ctl, "");
	rk_client_free(c);
	ctl_stop(&ctl, &rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "connections", shows_connections, RPC_ALL },
		{ "figures", shows_figures, RPC_ALL },
		{ "kick", kicks, RPC_CERTS },
		{ "not there", is_not_on_the_network, RPC_ALL },
		{ "orders", orders_the_program, RPC_ONLY(RPC_UNIX) },
		{ "read-only", refuses_to_steer_read_only, RPC_ONLY(RPC_UNIX) },
	};

	return rpcrig_run_cases(
	    "rpc control", cases, sizeof(cases) / sizeof(cases[0]));
}
