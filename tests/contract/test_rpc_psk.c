/* Pre-shared keys between a server and its clients, over every transport. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <rpckit/client.h>

#include "net/psk_hs.h"

#include "certs.h"
#include "rawpeer.h"
#include "rpcrig.h"

static struct rk_psks *
keys(const char *const *names, size_t n)
{
	struct rk_psks *p;
	uint8_t key[RK_PSK_LEN] = { 0 };

	assert_int_equal(rk_psks_new(&p), RK_OK);
	for (size_t i = 0; i < n; i++) {
		/* The same name is the same key. */
		for (size_t k = 0; k < RK_PSK_LEN; k++)
			key[k] = (uint8_t)names[i][k % strlen(names[i])];
		assert_int_equal(rk_psks_add(p, key, names[i], NULL), RK_OK);
	}
	return p;
}

static struct rk_psks *
key(const char *name)
{
	return keys(&name, 1);
}

/* A server of this run with these keys. */
static void
start(struct rpcrig *r, const struct rpcrun *run, struct rk_psks *psks)
{
	rpcrig_init(r, run->kind, run->threads);
	r->conf.ident = rpcworld.node;
	r->conf.psks = psks;
	rpcrig_start(r);
	rk_psks_free(psks);
}

static struct rk_client *
dial(struct rpcrig *r, struct rk_ident *ident, struct rk_psks *psks,
    enum rk_err want, struct rk_error *err)
{
	struct rk_client_conf conf;
	struct rk_client *c;
	enum rk_err got;

	rpcrig_client_conf(r, &conf);
	conf.ident = ident;
	conf.psks = psks;
	assert_int_equal(rk_client_new(&conf, &c, err), RK_OK);
	rk_psks_free(psks);
	got = rk_client_connect(c, err);
	if (got != want)
		fail_msg("%s: %s", rk_err_name(got), err->text);
	return c;
}

static void
says(const struct rk_error *err, const char *step, const char *text)
{
	assert_string_equal(err->step, step);
	if (strstr(err->text, text) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", text, err->text);
}

static void
calls_go_through(void **state)
{
	static const size_t sizes[] = { 0, 1, 16359, 16360, 16361, 100000,
		1000000 };
	struct rpcrig r;
	struct rk_client *c;
	struct rk_error err;
	struct rpcanswer a;
	const struct rk_peer *peer;
	struct rk_timing took;

	start(&r, *state, key("lab"));
	c = dial(&r, rpcworld.client, key("lab"), RK_OK, &err);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		rpcrig_call(c, "echo", rpcrig_bytes, sizes[i], &a);
		assert_int_equal(a.len, sizes[i]);
		assert_true(a.same);
	}
	peer = rk_client_peer(c);
	assert_true(peer->proven);
	assert_string_equal(peer->cert.email, "node@example.org");
	assert_string_equal(peer->psk, "lab");
	assert_int_equal(strlen(peer->psk_id), RK_PSK_ID_LEN - 1);
	assert_string_equal(peer->alpn, "rpckit/1");
	assert_true(peer->cipher[0] != '\0');
	rk_client_timing(c, &took);
	assert_in_range(took.psk, 1, UINT64_C(1000) * RPCRIG_PATIENCE_MS);
	assert_true(took.tls < UINT64_C(1000) * RPCRIG_PATIENCE_MS);
	rk_client_free(c);
	rpcrig_end(&r);
}

/* The handler sees who calls, also where there is no TLS. */
static void
server_knows_the_peer(void **state)
{
	struct rpcrig r;
	struct rk_client *c;
	struct rk_error err;
	struct rpcanswer a;

	start(&r, *state, key("lab"));
	c = dial(&r, rpcworld.other, key("lab"), RK_OK, &err);
	rpcrig_call(c, "who", "", 0, &a);
	if (strstr(a.text, "other@example.org") == NULL)
		fail_msg("%s", a.text);
	rk_client_free(c);
	rpcrig_end(&r);
}

/* Each peer its own key, and a key's successor beside it. */
static void
several_keys(void **state)
{
	static const char *const names[] = { "old", "new", "lab" };
	struct rpcrig r;
	struct rk_error err;

	start(&r, *state, keys(names, 3));
	for (size_t i = 0; i < 3; i++) {
		struct rk_client *c =
		    dial(&r, rpcworld.client, key(names[i]), RK_OK, &err);

		assert_string_equal(rk_client_peer(c)->psk, names[i]);
		rk_client_free(c);
	}
	rpcrig_end(&r);
}

static void
another_key_is_refused(void **state)
{
	struct rpcrig r;
	struct rk_client *c;
	struct rk_error err;

	start(&r, *state, key("lab"));
	rpclog_start();
	c = dial(&r, rpcworld.client, key("other"), RK_EPSK, &err);
	says(&err, "psk", "it has none, or another");
	rk_client_free(c);
	rpclog_await(RK_LOG_INFO, "is not known here", 1);
	rpclog_stop();
	c = dial(&r, rpcworld.client, key("lab"), RK_OK, &err);
	rk_client_free(c);
	rpcrig_end(&r);
}

static void
only_the_client_has_one(void **state)
{
	struct rpcrig r;
	struct rk_client *c;
	struct rk_error err;

	start(&r, *state, NULL);
	rpclog_start();
	c = dial(&r, rpcworld.client, key("lab"), RK_EPSK, &err);
	says(&err, "psk", "it has none, or another");
	rk_client_free(c);
	rpclog_await(RK_LOG_INFO,
	    "the peer uses a pre-shared key, and there is none here", 1);
	rpclog_stop();
	rpcrig_end(&r);
}

static void
only_the_server_has_one(void **state)
{
	struct rpcrig r;
	struct rk_client *c;
	struct rk_error err;
	struct rpcanswer a;

	start(&r, *state, key("lab"));
	rpclog_start();
	c = dial(&r, rpcworld.client, NULL, RK_OK, &err);
	assert_int_equal(rpcrig_try(c, "echo", "x", 1, &a), RK_ECLOSED);
	rk_client_free(c);
	rpclog_await(RK_LOG_INFO, "uses no pre-shared key", 1);
	rpclog_stop();
	assert_int_equal(rpcrig_get(&r, &r.handled), 0);
	rpcrig_end(&r);
}

/* A key is no certificate: who is of another CA is told so, and is not. */
static void
right_key_other_ca(void **state)
{
	struct certs_cert *ca = certs_new_ca("another CA");
	struct rk_ident *ident;
	struct rpcrig r;
	struct rk_client *c;
	struct rk_error err;
	char dir[256];

	certs_make_tmp(dir);
	certs_fill_from(ca, dir);
	assert_int_equal(
	    rk_ident_load_dir(dir, "client", NULL, NULL, &ident, &err), RK_OK);
	start(&r, *state, key("lab"));
	rpclog_start();
	c = dial(&r, ident, key("lab"), RK_ECERT, &err);
	rk_client_free(c);
	rpclog_await(RK_LOG_INFO, "the peer refused our certificate", 1);
	rpclog_stop();
	assert_int_equal(rpcrig_get(&r, &r.handled), 0);
	rpcrig_end(&r);
	rk_ident_free(ident);
	certs_free(ca);
	certs_remove_tmp(dir);
}

/* The server's judgement reaches the client, over any transport. */
static void
right_key_no_certificate(void **state)
{
	struct rk_client_conf conf;
	struct rpcrig r;
	struct rk_client *c;
	struct rk_error err;

	start(&r, *state, key("lab"));
	rpcrig_client_conf(&r, &conf);
	conf.ident = rpcworld.client;
	conf.tls_mode = RK_TLS_SERVER_ONLY;
	conf.psks = key("lab");
	rpclog_start();
	assert_int_equal(rk_client_new(&conf, &c, &err), RK_OK);
	assert_int_equal(rk_client_connect(c, &err), RK_ECERT);
	if (strstr(err.text, "wants a certificate and was shown none") == NULL)
		fail_msg("%s", err.text);
	rk_client_free(c);
	rk_psks_free(conf.psks);
	rpclog_await(RK_LOG_INFO, "showed no certificate", 1);
	rpclog_stop();
	rpcrig_end(&r);
}

/* Other keys for those who come later; who is there stays. */
static void
swap_keys(struct rpcrig *r, void *arg)
{
	struct rk_error err;

	rk_server_psks(r->server, arg);
	if (rk_server_identity(
	        r->server, rpcworld.node, NULL, NULL, NULL, &err) != RK_OK)
		fail_msg("%s", err.text);
	rk_psks_free(arg);
}

static void
keys_are_replaced(void **state)
{
	struct rpcrig r;
	struct rk_client *c[2];
	struct rk_error err;
	struct rpcanswer a;

	start(&r, *state, key("old"));
	c[0] = dial(&r, rpcworld.client, key("old"), RK_OK, &err);
	rpcrig_do(&r, swap_keys, key("new"));
	c[1] = dial(&r, rpcworld.client, key("old"), RK_EPSK, &err);
	rk_client_free(c[1]);
	c[1] = dial(&r, rpcworld.client, key("new"), RK_OK, &err);
	for (int i = 0; i < 2; i++) {
		rpcrig_call(c[i], "echo", "x", 1, &a);
		rk_client_free(c[i]);
	}
	rpcrig_end(&r);
}

/* A connection that resumes a TLS session proves the key again. */
static void
resumed_sessions_prove_it_again(void **state)
{
	struct rpcrig r;
	struct rk_client *c;
	struct rk_error err;
	struct rpcanswer a;

	start(&r, *state, key("lab"));
	c = dial(&r, rpcworld.client, key("lab"), RK_OK, &err);
	for (int i = 0; i < 3; i++) {
		rpcrig_call(c, "echo", "x", 1, &a);
		rk_client_shutdown(c);
		assert_int_equal(rk_client_connect(c, &err), RK_ESTATE);
		while (rk_client_connect(c, &err) == RK_ESTATE)
			assert_int_equal(rk_client_process(c), RK_OK);
		assert_non_null(rk_client_peer(c));
		assert_string_equal(rk_client_peer(c)->psk, "lab");
	}
	rk_client_free(c);
	rpcrig_end(&r);
}

/* ---- who stalls ---- */

#define STALL_MS 150
#define STALLED "handshake not finished within 150 ms"

/* A server that waits no longer than that. */
static void
start_hasty(struct rpcrig *r, const struct rpcrun *run)
{
	rpcrig_init(r, run->kind, run->threads);
	r->conf.ident = rpcworld.node;
	r->conf.psks = key("lab");
	r->conf.timeouts.handshake = STALL_MS;
	rpcrig_start(r);
	rk_psks_free(r->conf.psks);
	rpclog_start();
}

static void
expect_cut(struct rpcrig *r)
{
	rpclog_await(RK_LOG_INFO, STALLED, 1);
	rpclog_stop();
	rpcrig_await_conns(r, 0);
	rpcrig_end(r);
}

/* Who has finished with TLS, and then is silent. */
static void
stalls_before_its_first_message(void **state)
{
	struct rk_client_conf conf;
	struct rpcrig r;
	struct rk_client *c;

	start_hasty(&r, *state);
	rpcrig_client_conf(&r, &conf);
	conf.ident = rpcworld.client;
	assert_int_equal(rk_client_new(&conf, &c, NULL), RK_OK);
	if (rk_client_connect(c, NULL) != RK_OK)
		print_message("a slow machine: cut within TLS\n");
	expect_cut(&r);
	rk_client_free(c);
}

static enum rk_err
any_cert(
    const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	(void)chain;
	(void)n;
	(void)err;
	(void)arg;
	return RK_OK;
}

/* Within the first message, before the third, within it. */
static void
stalls_later(void **state)
{
	const struct rpcrun *run = *state;
	struct rk_psks *lab = key("lab");
	const struct psk_hs_conf conf = {
		.asks = true, .keys = lab, .verify = any_cert
	};

	for (int step = 0; step < 3; step++) {
		struct rk_error err;
		struct rpcrig r;
		struct psk_hs hs;
		struct buf in, out;
		uint8_t byte;
		int fd;

		start_hasty(&r, run);
		psk_hs_init(&hs, &conf);
		buf_init(&in, 20000);
		buf_init(&out, 20000);
		fd = raw_dial(&r);
		assert_int_equal(psk_hs_step(&hs, &in, &out, &err), RK_EAGAIN);
		raw_put(fd, buf_peek(&out), buf_len(&out) - (step == 0));
		buf_consume(&out, buf_len(&out));
		while (step == 2 && buf_len(&out) == 0) {
			if (recv(fd, &byte, 1, 0) != 1)
				break; /* a slow machine */
			assert_int_equal(buf_put(&in, &byte, 1), RK_OK);
			assert_int_equal(
			    psk_hs_step(&hs, &in, &out, &err), RK_EAGAIN);
		}
		if (step == 2 && buf_len(&out) > 0)
			raw_put(fd, buf_peek(&out), buf_len(&out) - 1);
		expect_cut(&r);
		raw_close(fd);
		buf_fini(&in);
		buf_fini(&out);
		psk_hs_fini(&hs);
	}
	rk_psks_free(lab);
}

/* A server that says nothing to the first message. */
static void
server_stalls(void **state)
{
	struct rk_client_conf conf = { .size = sizeof(conf),
		.ident = rpcworld.client,
		.psks = key("lab"),
		.timeouts.handshake = STALL_MS };
	struct rk_client *c;
	struct rk_error err;
	char url[128];
	int fd = raw_listen(url);

	(void)state;
	conf.url = url;
	assert_int_equal(rk_client_new(&conf, &c, &err), RK_OK);
	assert_int_equal(rk_client_connect(c, &err), RK_ETIMEOUT);
	says(&err, "psk", STALLED);
	rk_client_free(c);
	raw_close(fd);
	rk_psks_free(conf.psks);
}

static void
no_key_or_no_certificate(void **state)
{
	const struct rpcrun *run = *state;
	struct rk_psks *none;
	struct rk_psks *lab = key("lab");
	struct rk_client_conf cc = {
		.size = sizeof(cc), .url = "tcp://127.0.0.1:1", .psks = lab
	};
	struct rk_server_conf sc = { .size = sizeof(sc), .psks = lab };
	struct rk_client *c;
	struct rk_server *s;
	struct rk_error err;

	(void)run;
	assert_int_equal(rk_psks_new(&none), RK_OK);
	assert_int_equal(rk_loop_new(&sc.loop), RK_OK);
	assert_int_equal(rk_client_new(&cc, &c, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "needs an identity"));
	assert_int_equal(rk_server_new(&sc, &s, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "does not replace certificates"));
	cc.ident = sc.ident = rpcworld.node;
	cc.psks = sc.psks = none;
	assert_int_equal(rk_client_new(&cc, &c, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "no pre-shared key"));
	assert_int_equal(rk_server_new(&sc, &s, &err), RK_EINVAL);
	assert_non_null(strstr(err.text, "no pre-shared key"));
	rk_loop_free(sc.loop);
	rk_psks_free(none);
	rk_psks_free(lab);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "calls_go_through", calls_go_through, RPC_CERTS },
		{ "server_knows_the_peer", server_knows_the_peer, RPC_CERTS },
		{ "several_keys", several_keys, RPC_CERTS },
		{ "another_key_is_refused", another_key_is_refused, RPC_CERTS },
		{ "only_the_client_has_one", only_the_client_has_one,
		    RPC_CERTS },
		{ "only_the_server_has_one", only_the_server_has_one,
		    RPC_CERTS },
		{ "right_key_other_ca", right_key_other_ca, RPC_CERTS },
		{ "right_key_no_certificate", right_key_no_certificate,
		    RPC_CERTS },
		{ "keys_are_replaced", keys_are_replaced, RPC_CERTS },
		{ "resumed_sessions_prove_it_again",
		    resumed_sessions_prove_it_again, RPC_CERTS },
		{ "stalls_before_its_first_message",
		    stalls_before_its_first_message, RPC_CERTS },
		{ "stalls_later", stalls_later, RPC_ONLY(RPC_TCP) },
		{ "server_stalls", server_stalls, RPC_ONLY(RPC_TCP) },
		{ "no_key_or_no_certificate", no_key_or_no_certificate,
		    RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "rpc_psk", cases, sizeof(cases) / sizeof(cases[0]));
}
