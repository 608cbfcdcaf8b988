/* A client's life: before, during and after its connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certs.h"
#include "rpcrig.h"

/* What `closed` and `connected` were told. */
struct told {
	unsigned connected;
	unsigned closed;
	struct rk_error why;
	struct rpcanswer *calls; /* all must have completed by then */
	size_t n_calls;
	bool free_it;
	bool again;
	bool shut; /* in connected */
};

static void
on_connected(struct rk_client *c, void *arg)
{
	struct told *t = arg;

	t->connected++;
	assert_non_null(rk_client_peer(c));
	if (t->shut)
		rk_client_shutdown(c);
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct told *t = arg;

	t->closed++;
	t->why = *why;
	assert_null(rk_client_peer(c));
	for (size_t i = 0; i < t->n_calls; i++)
		assert_int_equal(t->calls[i].n, 1);
	if (t->again && t->closed == 1)
		assert_int_equal(rk_client_start(c, NULL), RK_OK);
	if (t->free_it)
		rk_client_free(c);
}

static struct rk_client *
new_client(const struct rpcrig *r, struct told *t, struct rk_loop *loop)
{
	struct rk_client_conf conf;

	rpcrig_client_conf(r, &conf);
	conf.connected = on_connected;
	conf.closed = on_closed;
	conf.arg = t;
	conf.loop = loop;
	return rpcrig_client_with(&conf);
}

/* ---- forms ---- */

static void
waits_for_the_connection(void **state)
{
	struct rpcrig rig;
	struct told t = { 0 };
	struct rk_client *c;
	struct rpcanswer a[20] = { 0 };
	struct rk_request req = { .method = "echo" };

	rpcrig_begin(&rig, *state);
	c = new_client(&rig, &t, NULL);
	assert_int_equal(
	    rk_client_submit(c, &req, rpcrig_on_reply, a, NULL), RK_ESTATE);
	assert_int_equal(rk_client_send(c, &req), RK_ESTATE);
	assert_null(rk_client_peer(c));
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	assert_int_equal(rk_client_start(c, NULL), RK_ESTATE);
	for (size_t i = 0; i < 20; i++)
		(void)rpcrig_submit(c, "echo", rpcrig_bytes, i * 1000, &a[i]);
	assert_int_equal(t.connected, 0);
	for (size_t i = 0; i < 20; i++) {
		rpcrig_turn(c, &a[i].n, 1);
		assert_int_equal(a[i].len, i * 1000);
		assert_true(a[i].same);
	}
	assert_int_equal(t.connected, 1);
	rk_client_free(c);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.why.code, RK_ECANCELED);
	rpcrig_end(&rig);
}

/* What was canceled, or timed out, before there was a connection never goes
 * out, and its caller is told so. */
static void
never_sends_the_canceled(void **state)
{
	struct rpcrig rig;
	struct told t = { 0 };
	struct rk_client *c;
	struct rpcanswer a[3] = { 0 };
	uint64_t id;

	rpcrig_begin(&rig, *state);
	c = new_client(&rig, &t, NULL);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	id = rpcrig_submit(c, "sink", NULL, 0, &a[0]);
	(void)rpcrig_submit(c, "echo", "x", 1, &a[1]);
	(void)rpcrig_submit(c, "echo", "y", 1, &a[2]);
	assert_int_equal(rk_client_cancel(c, id), RK_OK);
	for (size_t i = 0; i < 3; i++)
		rpcrig_turn(c, &a[i].n, 1);
	assert_int_equal(a[0].code, RK_ECANCELED);
	assert_false(a[0].maybe_executed);
	assert_string_equal(a[1].text, "x");
	assert_string_equal(a[2].text, "y");
	assert_int_equal(rpcrig_get(&rig, &rig.sunk), 0);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* Too much is refused, not kept; what is there already arrives. */
static void
limits_what_waits(void **state)
{
	struct rpcrig rig;
	struct rk_client_conf conf;
	struct rk_client *c;
	static struct rpcanswer a[16];
	struct rk_request req = { .method = "sink",
		.payload = rpcrig_bytes,
		.payload_len = RK_PAYLOAD_MAX };
	unsigned n = 0;
	unsigned done = 0;
	enum rk_err r;

	memset(a, 0, sizeof(a));
	rpcrig_begin(&rig, *state);
	rpcrig_client_conf(&rig, &conf);
	conf.max_pending = 10;
	conf.max_queue = 3000000;
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	while ((r = rk_client_submit(c, &req, rpcrig_on_reply, &a[n], NULL)) ==
	       RK_OK)
		n++;
	assert_int_equal(r, RK_ELIMIT);
	assert_int_equal(n, 3); /* one more than fit */
	assert_int_equal(rk_client_send(c, &req), RK_ELIMIT);
	req.payload_len = 0;
	assert_int_equal(rk_client_send(c, &req), RK_ELIMIT);
	for (unsigned i = 0; i < n; i++)
		rpcrig_turn(c, &a[i].n, 1);
	for (done = 0; done < 10; done++)
		assert_int_equal(
		    rk_client_submit(c, &req, rpcrig_on_reply, &a[4], NULL),
		    RK_OK);
	assert_int_equal(
	    rk_client_submit(c, &req, rpcrig_on_reply, &a[5], NULL), RK_ELIMIT);
	rpcrig_turn(c, &a[4].n, 10);
	assert_int_equal(rpcrig_get(&rig, &rig.sunk), 13);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* The blocking forms refuse where they would break what runs. */
struct inside {
	enum rk_err call;
	enum rk_err connect;
	enum rk_err flush;
	unsigned n;
};

static void
call_inside(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct inside *in = arg;
	struct rk_request req = { .method = "echo" };
	struct rk_reply mine;
	struct rk_error err;

	assert_int_equal(reply->code, RK_OK);
	in->call = rk_client_call(c, &req, &mine, &err);
	rk_reply_free(&mine);
	in->flush = rk_client_flush(c, &err);
	in->n++;
}

static void
refuses_to_block_inside(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	struct inside in = { 0 };
	struct rk_request req = { .method = "echo" };
	struct rk_loop *loop;
	struct told t = { 0 };
	struct rk_reply reply;

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	(void)rpcrig_submit(c, "hold", NULL, 0, &a);
	assert_int_equal(
	    rk_client_submit(c, &req, call_inside, &in, NULL), RK_OK);
	rpcrig_turn(c, &in.n, 1);
	assert_int_equal(in.call, RK_ESTATE);
	assert_int_equal(in.flush, RK_ESTATE);
	assert_int_equal(a.n, 0); /* unharmed */
	rpcrig_await(&rig, &rig.n_held, 1);
	rpcrig_answer(&rig, 0, NULL, NULL, 0);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	rk_client_free(c);
	/* Nor on a loop of the user's. */
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	c = new_client(&rig, &t, loop);
	assert_int_equal(rk_client_connect(c, NULL), RK_ESTATE);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	assert_int_equal(rk_client_call(c, &req, &reply, NULL), RK_ESTATE);
	assert_int_equal(rk_client_flush(c, NULL), RK_ESTATE);
	rk_client_free(c);
	assert_int_equal(t.closed, 1);
	rk_loop_free(loop);
	rpcrig_end(&rig);
}

/* ---- the end ---- */

static void
completes_once_at_shutdown(void **state)
{
	struct rpcrig rig;
	struct told t = { 0 };
	struct rk_client *c;
	struct rpcanswer a[10] = { 0 };

	rpcrig_begin(&rig, *state);
	c = new_client(&rig, &t, NULL);
	t.calls = a;
	t.n_calls = 10;
	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	for (size_t i = 0; i < 10; i++)
		(void)rpcrig_submit(c, "hold", NULL, 0, &a[i]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_held, 10);
	rk_client_shutdown(c);
	rk_client_shutdown(c);
	assert_int_equal(a[0].n, 0);
	rpcrig_turn(c, &t.closed, 1);
	assert_int_equal(t.why.code, RK_ECANCELED);
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(a[i].n, 1);
		assert_int_equal(a[i].code, RK_ECANCELED);
		assert_true(a[i].maybe_executed);
	}
	rk_client_free(c);
	assert_int_equal(t.closed, 1);
	rpcrig_await(&rig, &rig.n_canceled, 10);
	rpcrig_end(&rig);
}

/* In every state there is. */
static void
shuts_down_in_every_state(void **state)
{
	struct rpcrig rig;

	rpcrig_begin(&rig, *state);
	for (int turns = 0; turns < 12; turns++) {
		struct told t = { .shut = turns == 11 };
		struct rpcanswer a = { 0 };
		struct rk_client *c = new_client(&rig, &t, NULL);

		assert_int_equal(rk_client_start(c, NULL), RK_OK);
		(void)rpcrig_submit(c, "echo", NULL, 0, &a);
		for (int i = 0; i < turns; i++)
			assert_int_equal(rk_client_process(c), RK_OK);
		if (t.shut)
			rpcrig_turn(c, &t.closed, 1);
		if (turns % 2 == 0)
			rk_client_shutdown(c);
		rk_client_free(c);
		assert_int_equal(a.n, 1);
		assert_int_equal(t.closed, 1);
		assert_int_equal(t.why.code, RK_ECANCELED);
	}
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
}

static void
free_inside(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	unsigned *n = arg;

	(void)reply;
	(*n)++;
	rk_client_free(c);
}

/* On a loop that is its user's: in a reply, and in `closed`. */
static void
may_be_freed_in_callbacks(void **state)
{
	static const enum rk_err want[] = { RK_OK, RK_ECANCELED };
	struct rk_request req = { .method = "echo" };
	struct rpcrig rig;
	struct rk_loop *loop;

	rpcrig_begin(&rig, *state);
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	for (int i = 0; i < 4; i++) {
		struct told t = { .free_it = i >= 2, .again = i == 3 };
		struct rpcanswer a = { 0 };
		struct rk_client *c = new_client(&rig, &t, loop);
		unsigned n = 0;

		assert_int_equal(rk_client_start(c, NULL), RK_OK);
		assert_int_equal(rk_client_submit(c, &req,
		                     i < 2 ? free_inside : rpcrig_on_reply,
		                     i < 2 ? (void *)&n : &a, NULL),
		    RK_OK);
		if (i == 1) { /* and one that waits */
			req.method = "hold";
			assert_int_equal(rk_client_submit(c, &req,
			                     rpcrig_on_reply, &a, NULL),
			    RK_OK);
			req.method = "echo";
		}
		if (i >= 2)
			rk_client_shutdown(c);
		while (t.closed < (i == 3 ? 2 : 1))
			assert_int_equal(rk_loop_step(loop, 100), RK_OK);
		assert_int_equal(t.why.code, RK_ECANCELED);
		assert_int_equal(n, i < 2);
		if (i >= 1)
			assert_int_equal(a.code, want[1]);
	}
	rk_loop_free(loop);
	rpcrig_end(&rig);
}

static void
tells_of_a_dead_server(void **state)
{
	struct rpcrig rig;
	struct told t = { 0 };
	struct rk_client *c;
	struct rpcanswer a[3] = { 0 };
	struct rk_request req = { .method = "echo" };

	rpcrig_begin(&rig, *state);
	c = new_client(&rig, &t, NULL);
	t.calls = a;
	t.n_calls = 3;
	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	for (size_t i = 0; i < 3; i++)
		(void)rpcrig_submit(c, "hold", NULL, 0, &a[i]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_held, 3);
	rpcrig_stop(&rig, 0);
	rpcrig_await_stopped(&rig);
	rpcrig_turn(c, &t.closed, 1);
	assert_int_equal(t.why.code, RK_ECLOSED);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(a[i].code, RK_ECLOSED);
		assert_true(a[i].maybe_executed);
	}
	assert_int_equal(
	    rk_client_submit(c, &req, rpcrig_on_reply, a, NULL), RK_ESTATE);
	assert_int_equal(rk_client_cancel(c, 2), RK_ENOENT);
	rk_client_free(c);
	rpcrig_fini(&rig);
}

static void
tells_of_no_server(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct told t = { 0 };
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	struct rk_error err;

	rpcrig_begin(&rig, run);
	rpcrig_end(&rig); /* an address where nobody is */
	c = new_client(&rig, &t, NULL);
	assert_int_equal(rk_client_connect(c, &err), RK_ECONNECT);
	assert_string_equal(err.step, "connect");
	assert_non_null(strstr(err.text, rig.url));
	assert_int_equal(t.closed, 1);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	(void)rpcrig_submit(c, "echo", NULL, 0, &a);
	rpcrig_turn(c, &t.closed, 2);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.code, RK_ECONNECT);
	assert_false(a.maybe_executed);
	assert_int_equal(t.connected, 0);
	rk_client_free(c);
	assert_int_equal(t.closed, 2);
}

/* Somebody listens and never says a word. */
static void
gives_up_on_the_silent(void **state)
{
	const struct rpcrun *run = *state;
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct rpcrig rig = { .kind = run->kind };
	struct rk_client_conf conf;
	struct rk_client *c;
	struct rk_error err;

	assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	(void)snprintf(
	    rig.url, sizeof(rig.url), "tls://127.0.0.1:%u", ntohs(in.sin_port));
	rpcrig_client_conf(&rig, &conf);
	conf.timeouts.handshake = 60;
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_connect(c, &err), RK_ETIMEOUT);
	assert_string_equal(err.step, "tls");
	rk_client_free(c);
	(void)close(fd);
}

/* ---- again ---- */

static void
starts_again(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct told t = { 0 };
	struct rk_client *c;
	struct rpcanswer a;

	rpcrig_begin(&rig, run);
	c = new_client(&rig, &t, NULL);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rk_client_connect(c, NULL), RK_OK);
		rpcrig_call(c, "who", NULL, 0, &a);
		if (rpc_is_secure(run->kind)) {
			assert_int_equal(rk_client_peer(c)->resumed, i > 0);
			assert_true(rk_client_peer(c)->proven);
			assert_non_null(strstr(a.text,
			    i > 0 ? " proven resumed client@example.org"
			          : " proven fresh client@example.org"));
		}
		rk_client_shutdown(c);
		rpcrig_turn(c, &t.closed, i + 1);
	}
	rk_client_free(c);
	assert_int_equal(t.closed, 3);
	assert_int_equal(t.connected, 3);
	rpcrig_end(&rig);
}

/* The server's list is locked, and the client is not on it any more: the
 * session it could resume does not help it. */
static void
asks_trust_again(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct told t = { 0 };
	struct rk_client *c, *d;
	struct rk_client_conf conf;
	struct rpcanswer a;
	char path[512];

	rpcworld_path(path, "asked_keys");
	(void)unlink(path);
	certs_write(rpcworld.dir, "asked_keys", "", 0600);
	rpcrig_init(&rig, run->kind, run->threads);
	assert_int_equal(
	    rk_trust_new(path, RK_TRUST_FILE, &rig.conf.trust, NULL), RK_OK);
	rpcrig_start(&rig);
	c = new_client(&rig, &t, NULL);
	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	rpcrig_call(c, "echo", "x", 1, &a);
	rk_client_shutdown(c);
	rpcrig_turn(c, &t.closed, 1);
	/* Only another is known from now on. */
	certs_write(rpcworld.dir, "asked_keys", "", 0600);
	rpcrig_client_conf(&rig, &conf);
	conf.ident = rpcworld.other;
	d = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_connect(d, NULL), RK_OK);
	rpcrig_call(d, "echo", "x", 1, &a);
	rk_client_free(d);
	assert_int_equal(chmod(path, 0400), 0);
	rpclog_start();
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	rpcrig_turn(c, &t.closed, 2);
	rpclog_await(RK_LOG_WARN, "locked", 1);
	rpclog_stop();
	assert_int_equal(rpcrig_get(&rig, &rig.handled), 2);
	rk_client_free(c);
	rpcrig_end(&rig);
	rk_trust_free(rig.conf.trust);
}

static void
use_ident(struct rpcrig *r, void *arg)
{
	struct rk_error err;

	assert_int_equal(
	    rk_server_identity(r->server, arg, NULL, NULL, NULL, &err), RK_OK);
}

/* Revoked since: neither the session nor the certificate lets it in. */
static void
asks_for_revocation(void **state)
{
	const uint64_t serial = 3; /* client.crt, made after node.crt */
	struct rk_cert_info info;
	struct rk_ident *strict;
	struct rpcrig rig;
	struct told t = { 0 };
	struct rk_client *c;
	struct rpcanswer a;
	char dir[256];
	char *crl;

	assert_true(rk_ident_info(rpcworld.client, &info));
	assert_int_equal(strtoul(info.serial, NULL, 16), serial);
	rpcrig_begin(&rig, *state);
	c = new_client(&rig, &t, NULL);
	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	rpcrig_call(c, "echo", "x", 1, &a);
	rk_client_shutdown(c);
	rpcrig_turn(c, &t.closed, 1);
	crl = certs_new_crl(
	    rpcworld.ca, &(struct certs_crl){ .serials = &serial, .n = 1 });
	certs_make_tmp(dir);
	certs_fill_from(rpcworld.ca, dir);
	certs_write(dir, "ca.crl", crl, 0600);
	free(crl);
	assert_int_equal(
	    rk_ident_load_dir(dir, "node", NULL, NULL, &strict, NULL), RK_OK);
	rpcrig_do(&rig, use_ident, strict);
	rpclog_start();
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	rpcrig_turn(c, &t.closed, 2);
	rpclog_await(RK_LOG_WARN, "revoked", 1);
	rpclog_stop();
	assert_int_equal(rpcrig_get(&rig, &rig.handled), 1);
	rk_client_free(c);
	rpcrig_end(&rig);
	rk_ident_free(strict);
	certs_remove_tmp(dir);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "calls before the connection", waits_for_the_connection,
		    RPC_ALL },
		{ "canceled before it", never_sends_the_canceled, RPC_ALL },
		{ "limits", limits_what_waits, RPC_ALL },
		{ "blocking inside", refuses_to_block_inside, RPC_ALL },
		{ "shutdown", completes_once_at_shutdown, RPC_ALL },
		{ "shutdown in every state", shuts_down_in_every_state,
		    RPC_ALL },
		{ "freed in callbacks", may_be_freed_in_callbacks, RPC_ALL },
		{ "a dead server", tells_of_a_dead_server, RPC_ALL },
		{ "no server", tells_of_no_server, RPC_ALL },
		{ "a silent server", gives_up_on_the_silent, RPC_SECURE },
		{ "again", starts_again, RPC_ALL },
		{ "trust again", asks_trust_again, RPC_SECURE },
		{ "revoked", asks_for_revocation, RPC_SECURE },
	};

	return rpcrig_run_cases(
	    "rpc client", cases, sizeof(cases) / sizeof(cases[0]));
}
