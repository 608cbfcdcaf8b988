/* The CA's revocation list, while those whom it revokes are connected. */
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

#include "rpc/server_int.h"

#include "certs.h"
#include "ctlrig.h"
#include "pushrig.h"

static struct rpcrig rig; /* large */
static struct ctl ctl;
static struct rk_ident *node; /* the server's, with a list */
static char list[512];

static char keys[512]; /* the server's list of these; "": none */

/* Of one certificate, or two; ident NULL: of nobody's. */
static void
write_list_of(const struct rk_ident *ident, const struct rk_ident *and)
{
	const struct rk_ident *of[] = { ident, and};
	uint64_t serials[2];
	struct certs_crl c = { .serials = serials };
	char *crl;

	for (size_t i = 0; i < 1 + (and != NULL); i++) {
		struct rk_cert_info info = { .serial = "77" };

		if (of[i] != NULL)
			assert_true(rk_ident_info(of[i], &info));
		serials[c.n++] = strtoull(info.serial, NULL, 16);
	}
	crl = certs_new_crl(rpcworld.ca, &c);
	certs_write(rpcworld.dir, "next.crl", crl, 0600);
	free(crl);
	rpcworld_path(list, "next.crl");
	{
		char next[512];

		(void)snprintf(next, sizeof(next), "%s", list);
		rpcworld_path(list, "ctl.crl");
		assert_int_equal(rename(next, list), 0);
	}
}

static void
write_list(const struct rk_ident *ident)
{
	write_list_of(ident, NULL);
}

static void
begin_on(const struct rpcrun *run)
{
	char ca[512], cert[512], key[512];
	struct rk_ident_files files = {
		.size = sizeof(files),
		.ca = ca,
		.cert = cert,
		.key = key,
		.crl = list,
	};
	struct rk_error err;

	rpcworld_path(ca, "ca.crt");
	rpcworld_path(cert, "node.crt");
	rpcworld_path(key, "node.key");
	if (rk_ident_load(&files, &node, &err) != RK_OK)
		fail_msg("%s", err.text);
	rpcrig_init(&rig, run->kind, run->threads);
	rig.conf.ident = node;
	if (rk_trust_new(keys[0] != '\0' ? keys : NULL, RK_TRUST_FILE,
	        &rig.conf.trust, &err) != RK_OK)
		fail_msg("%s", err.text);
	rpcrig_start(&rig);
	ctl_begin(&ctl, &rig);
}

static void
begin(const struct rpcrun *run)
{
	rpcworld_path(list, "ctl.crl");
	(void)unlink(list);
	begin_on(run);
}

static void
end(void)
{
	ctl_stop(&ctl, &rig);
	rk_trust_free(rig.conf.trust);
	rk_ident_free(node);
	(void)unlink(list);
}

/* What the timer does. */
static void
look_now(struct rpcrig *r, void *arg)
{
	(void)arg;
	server_crl_look(r->server);
}

static void
look(void)
{
	rpcrig_do(&rig, look_now, NULL);
}

static void
is_refused(struct rk_ident *ident)
{
	struct rk_client_conf conf;
	struct rpcanswer a = { 0 };
	struct rk_error err;
	struct rk_client *c;

	rpcrig_client_conf(&rig, &conf);
	conf.ident = ident;
	c = rpcrig_client_with(&conf);
	/* A client may hear of it only after its handshake. */
	if (rk_client_connect(c, &err) == RK_OK)
		assert_int_not_equal(rpcrig_try(c, "echo", "x", 1, &a), RK_OK);
	rk_client_free(c);
}

/* Those on it go, also with calls that run; the others stay. */
static void
ends_connections(void **state)
{
	struct pushed p = { 0 };
	struct rpcanswer held = { 0 };
	struct ctlnews *news = calloc(1, sizeof(*news));
	struct rk_client *c, *other, *v;
	struct rk_cert_info info;
	char want[256];

	assert_non_null(news);
	begin(*state);
	assert_true(rk_ident_info(rpcworld.client, &info));
	v = ctl_visit(ctl.view, news);
	assert_int_equal(ctl_order(v, "_.events", "x", "y"), RK_OK);
	c = push_client(&rig, &p, rpcworld.client);
	other = push_client(&rig, &p, rpcworld.other);
	(void)rpcrig_submit(c, "hold", "x", 1, &held);
	rpcrig_turn_for(c, &rig, &rig.n_held, 1);
	write_list(NULL); /* it comes to be, and is about nobody here */
	look();
	push_sync(other);
	push_sync(c);
	rpclog_start();
	write_list(rpcworld.client);
	look();
	ctl_await_gone(c);
	rpcrig_turn(c, &held.n, 1);
	assert_int_not_equal(held.code, RK_OK);
	rpcrig_await(&rig, &rig.n_canceled, 1);
	rpcrig_answer(&rig, 0, NULL, NULL, 0);
	rpclog_await(
	    RK_LOG_INFO, "closed: certificate of \"client\": revoked", 1);
	rpclog_stop();
	push_sync(other);
	ctl_await_news(v, news, "\"event\":\"revoked\"");
	(void)snprintf(want, sizeof(want),
	    "\"fingerprint\":\"%s\",\"cn\":\"client\",\"by\":\"list\"",
	    info.fp);
	ctl_has(news->all, want);
	(void)snprintf(want, sizeof(want),
	    "{\"state\":\"revoked\",\"email\":\"client@example.org\","
	    "\"fingerprint\":\"%s\"",
	    info.fp);
	ctl_has(ctl_get(v, "_.trust"), want);
	ctl_has(ctl_get(v, "_.trust"), "\"by\":\"list\"");
	ctl_has(ctl_get(v, "_.pending"), "\"keys\":[]");
	/* It resumes nothing, and does not come back. */
	rk_client_free(c);
	is_refused(rpcworld.client);
	push_sync(other);
	rk_client_free(other);
	rk_client_free(v);
	end();
	free(news);
}

/* Of a list that cannot be read nobody is sure: who is there stays, who comes
 * is refused; with a good one again all is as it says. */
static void
minds_bad_lists(void **state)
{
	struct pushed p = { 0 };
	struct rk_client *c;

	begin(*state);
	write_list(NULL);
	c = push_client(&rig, &p, rpcworld.client);
	push_sync(c);
	rpclog_start();
	certs_write(rpcworld.dir, "ctl.crl", "damaged", 0600);
	look();
	look();
	push_sync(c);
	is_refused(rpcworld.other);
	assert_int_equal(rpclog_count(RK_LOG_WARN, "nobody new is let in"), 1);
	assert_int_equal(unlink(list), 0);
	look();
	push_sync(c);
	is_refused(rpcworld.other);
	write_list(rpcworld.client);
	look();
	rpclog_await(RK_LOG_INFO, "can be read again", 1);
	rpclog_stop();
	ctl_await_gone(c);
	rk_client_free(c);
	c = push_client(&rig, &p, rpcworld.other);
	push_sync(c);
	rk_client_free(c);
	end();
}

/* A key that has another certificate by now is no more shown as revoked. */
static void
forgets_who_is_back(void **state)
{
	struct pushed p = { 0 };
	struct rk_client *c, *v;

	begin(*state);
	v = ctl_visit(ctl.view, NULL);
	c = push_client(&rig, &p, rpcworld.client);
	push_sync(c);
	write_list(rpcworld.client);
	look();
	ctl_await_gone(c);
	rk_client_free(c);
	(void)ctl_await(v, "_.trust", "revoked", true, NULL);
	write_list(NULL);
	look();
	c = push_client(&rig, &p, rpcworld.client);
	push_sync(c);
	(void)ctl_await(v, "_.trust", "\"keys\":[]", true, NULL);
	rk_client_free(c);
	rk_client_free(v);
	end();
}

/* ---- with a list of keys ---- */

static void
visit(struct rk_ident *ident)
{
	struct pushed p = { 0 };
	struct rk_client *c = push_client(&rig, &p, ident);

	push_sync(c);
	rk_client_free(c);
}

/* It takes whom it sees. */
static void
begin_keys(const struct rpcrun *run)
{
	rpcworld_path(keys, "ctl.keys");
	certs_write(rpcworld.dir, "ctl.keys", "", 0600);
	begin(run);
	visit(rpcworld.client);
}

static void
end_keys(void)
{
	end();
	(void)unlink(keys);
	keys[0] = '\0';
}

static void
await_known(struct rk_client *v, struct rk_ident *ident, const char *state)
{
	struct rk_cert_info info;
	char want[512];

	assert_true(rk_ident_info(ident, &info));
	(void)snprintf(want, sizeof(want),
	    "{\"state\":\"%s\",\"email\":\"%s\",\"fingerprint\":\"%s\"", state,
	    info.email, info.fp);
	(void)ctl_await(v, "_.known", want, true, NULL);
}

/* Who is known and away when the list comes to have it. */
static void
shows_who_is_away(void **state)
{
	struct ctlnews *news = calloc(1, sizeof(*news));
	struct rk_client *v;

	assert_non_null(news);
	begin_keys(*state);
	v = ctl_visit(ctl.view, news);
	assert_int_equal(ctl_order(v, "_.events", "x", "y"), RK_OK);
	await_known(v, rpcworld.client, "known");
	(void)ctl_await(v, "_.conns", "\"conns\":[]", true, NULL);
	write_list(rpcworld.client);
	look();
	await_known(v, rpcworld.client, "revoked");
	ctl_await_news(v, news, "\"event\":\"revoked\"");
	ctl_has(news->all, "\"id\":0,\"address\":\"\",\"email\":\"client@");
	ctl_has(ctl_get(v, "_.known"), "\"by\":\"list\"");
	ctl_has(ctl_get(v, "_.trust"), "\"by\":\"list\"");
	ctl_has(ctl_get(v, "_.status"), "\"known\":0,\"waiting\":0,");
	ctl_has(ctl_get(v, "_.status"), "\"rejected\":0,\"revoked\":1}");
	write_list(NULL);
	visit(rpcworld.client);
	await_known(v, rpcworld.client, "known");
	rk_client_free(v);
	end_keys();
	free(news);
}

/* Who is known and refused; of a stranger with a listed certificate nothing is
 * kept, as it has proven nothing. */
static void
shows_who_is_refused(void **state)
{
	struct ctlnews *news = calloc(1, sizeof(*news));
	struct rk_cert_info info;
	struct rk_client *v;

	assert_non_null(news);
	begin_keys(*state);
	end();
	write_list_of(rpcworld.client, rpcworld.other);
	begin_on(*state); /* which has seen nobody */
	v = ctl_visit(ctl.view, news);
	assert_int_equal(ctl_order(v, "_.events", "x", "y"), RK_OK);
	await_known(v, rpcworld.client, "known");
	is_refused(rpcworld.other);
	is_refused(rpcworld.client);
	await_known(v, rpcworld.client, "revoked");
	is_refused(rpcworld.client);
	ctl_await_news(v, news, "\"event\":\"revoked\"");
	assert_true(rk_ident_info(rpcworld.other, &info));
	assert_int_equal(ctl_count(ctl_get(v, "_.trust"), info.fp), 0);
	assert_int_equal(ctl_count(ctl_get(v, "_.trust"), "\"by\""), 1);
	assert_int_equal(ctl_count(news->all, info.fp), 0);
	rk_client_free(v);
	end_keys();
	free(news);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "revoked", ends_connections, RPC_SECURE },
		{ "bad lists", minds_bad_lists, RPC_SECURE },
		{ "back again", forgets_who_is_back, RPC_SECURE },
		{ "away", shows_who_is_away, RPC_SECURE },
		{ "refused", shows_who_is_refused, RPC_SECURE },
	};

	return rpcrig_run_cases(
	    "rpc control crl", cases, sizeof(cases) / sizeof(cases[0]));
}
