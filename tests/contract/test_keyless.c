/* Calls between ends whose keys are elsewhere, over TLS, QUIC and PSK. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <rpckit/client.h>

#include "elsewhere.h"
#include "rpcrig.h"

/* An end: its key's file, and who signs with it. */
struct end {
	struct elsewhere there;
	struct rk_key *file;
	struct rk_key *key;
	struct rk_ident *ident;
};

struct ends {
	struct rpcrig rig;
	struct end server;
	struct end client;
	unsigned closed;
};

static void
load(struct end *e, const char *name)
{
	struct rk_error err = { 0 };
	char path[512];
	char file[64];

	(void)snprintf(file, sizeof(file), "%s.key", name);
	rpcworld_path(path, file);
	assert_int_equal(rk_key_load(path, NULL, NULL, &e->file, &err), RK_OK);
	e->key = elsewhere_key(&e->there, e->file);
	if (rk_ident_load_dir_use(
	        rpcworld.dir, name, e->key, &e->ident, &err) != RK_OK)
		fail_msg("%s", err.text);
}

static void
unload(struct end *e)
{
	rk_ident_free(e->ident);
	rk_key_free(e->key);
	rk_key_free(e->file);
}

static struct rk_psks *
psks(void)
{
	static const uint8_t key[RK_PSK_LEN] = { 5, 7 };
	struct rk_psks *p;

	assert_int_equal(rk_psks_new(&p), RK_OK);
	assert_int_equal(rk_psks_add(p, key, "lab", NULL), RK_OK);
	return p;
}

static bool
with_psk(const struct ends *w)
{
	return !rpc_is_secure(w->rig.kind);
}

static void
begin(struct ends *w, const struct rpcrun *run)
{
	struct rk_psks *p = NULL;

	memset(w, 0, sizeof(*w));
	load(&w->server, "node");
	load(&w->client, "client");
	rpcrig_init(&w->rig, run->kind, run->threads);
	w->rig.conf.ident = w->server.ident;
	if (with_psk(w))
		w->rig.conf.psks = p = psks();
	rpcrig_start(&w->rig);
	rk_psks_free(p);
}

static void
end(struct ends *w)
{
	rpcrig_end(&w->rig);
	unload(&w->client);
	unload(&w->server);
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct ends *w = arg;

	(void)c;
	(void)why;
	w->closed++;
}

static struct rk_client *
dial(struct ends *w, bool well, struct rk_error *err)
{
	struct rk_client_conf conf;
	struct rk_psks *p = NULL;
	struct rk_client *c;
	enum rk_err got;

	rpcrig_client_conf(&w->rig, &conf);
	conf.ident = w->client.ident;
	conf.closed = on_closed;
	conf.arg = w;
	if (with_psk(w))
		conf.psks = p = psks();
	assert_int_equal(rk_client_new(&conf, &c, err), RK_OK);
	rk_psks_free(p);
	got = rk_client_connect(c, err);
	if ((got == RK_OK) != well)
		fail_msg("%s: %s", rk_err_name(got), err->text);
	return c;
}

static void
both_prove(void **state)
{
	struct rk_error err = { 0 };
	struct rpcanswer a;
	struct rk_client *c;
	struct ends w;
	int use;

	begin(&w, *state);
	use = with_psk(&w) ? RK_SIGN_PSK : RK_SIGN_TLS;
	for (unsigned i = 1; i <= 2; i++) {
		c = dial(&w, true, &err);
		rpcrig_call(c, "who", "", 0, &a);
		if (strstr(a.text, "client@example.org") == NULL)
			fail_msg("%s", a.text);
		assert_string_equal(
		    rk_client_peer(c)->cert.email, "node@example.org");
		assert_int_equal(w.server.there.asked, i);
		assert_int_equal(w.client.there.asked, i);
		assert_int_equal(w.server.there.use, use);
		assert_int_equal(w.client.there.use, use);
		rk_client_free(c);
	}
	end(&w);
}

/* It says why, and the next one goes well again. */
static void
client_cannot(void **state)
{
	static const struct {
		enum elsewhere_mode mode;
		enum rk_err code;
		const char *text;
	} ways[] = {
		{ ELSEWHERE_OUT, RK_ETIMEOUT, "the card is out" },
		{ ELSEWHERE_LIES, RK_EPROTO,
		    "card: a signature came that is not this key's" },
	};
	struct rk_error err = { 0 };
	struct ends w;

	begin(&w, *state);
	for (size_t i = 0; i < 2; i++) {
		atomic_store(&w.client.there.mode, ways[i].mode);
		rk_client_free(dial(&w, false, &err));
		if (strstr(err.text, ways[i].text) == NULL)
			fail_msg("%s", err.text);
		assert_int_equal(err.code, ways[i].code);
	}
	atomic_store(&w.client.there.mode, ELSEWHERE_GOOD);
	rk_client_free(dial(&w, true, &err));
	end(&w);
}

static void
server_cannot(void **state)
{
	struct rk_error err = { 0 };
	struct ends w;

	begin(&w, *state);
	rpclog_start();
	atomic_store(&w.server.there.mode, ELSEWHERE_OUT);
	rk_client_free(dial(&w, false, &err));
	rpclog_await(RK_LOG_INFO, "the card is out", 1);
	atomic_store(&w.server.there.mode, ELSEWHERE_LIES);
	rk_client_free(dial(&w, false, &err));
	rpclog_await(RK_LOG_INFO, "not this key's", 1);
	rpclog_stop();
	atomic_store(&w.server.there.mode, ELSEWHERE_GOOD);
	rk_client_free(dial(&w, true, &err));
	end(&w);
}

/* What was proven once need not be signed again. */
static void
resumes_without(void **state)
{
	struct rk_error err = { 0 };
	struct rpcanswer a;
	struct rk_client *c;
	struct ends w;

	begin(&w, *state);
	c = dial(&w, true, &err);
	rpcrig_call(c, "who", "", 0, &a);
	rk_client_shutdown(c);
	rpcrig_turn(c, &w.closed, 1);
	atomic_store(&w.server.there.mode, ELSEWHERE_OUT);
	atomic_store(&w.client.there.mode, ELSEWHERE_OUT);
	if (rk_client_connect(c, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_true(rk_client_peer(c)->resumed);
	assert_true(rk_client_peer(c)->proven);
	rk_client_free(c);
	end(&w);
}

int
main(void)
{
	static const unsigned kinds = RPC_SECURE | RPC_ONLY(RPC_TCP);
	const struct rpccase cases[] = {
		{ "both_prove", both_prove, kinds },
		{ "client_cannot", client_cannot, kinds },
		{ "server_cannot", server_cannot, kinds },
		{ "resumes_without", resumes_without, RPC_SECURE },
	};

	return rpcrig_run_cases("keyless", cases, 4);
}
