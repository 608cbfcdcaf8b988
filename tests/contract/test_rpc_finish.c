/* A client that expects no answer and waits for the server to close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/stat.h>

#include "certs.h"
#include "rawpeer.h"

static void
send_sink(struct rk_client *c, const char *text)
{
	struct rk_request req = {
		.method = "sink", .payload = text, .payload_len = strlen(text)
	};

	assert_int_equal(rk_client_send(c, &req), RK_OK);
}

/* When it returns, the server has handled all that was sent. */
static void
is_read_to_the_end(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_error err;

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (unsigned i = 1; i <= 3; i++) {
		for (int j = 0; j < 50; j++)
			send_sink(c, "x");
		if (rk_client_finish(c, 10000, &err) != RK_OK)
			fail_msg("%s", err.text);
		assert_int_equal(rpcrig_get(&rig, &rig.sunk), 50 * i);
		assert_null(rk_client_peer(c));
		assert_int_equal(rk_client_finish(c, 10000, &err), RK_ESTATE);
		assert_int_equal(rk_client_connect(c, &err), RK_OK);
	}
	/* With nothing sent at all. */
	assert_int_equal(rk_client_finish(c, RK_NEVER, NULL), RK_OK);
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
ends_pending_calls(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	(void)rpcrig_submit(c, "hold", NULL, 0, &a);
	assert_int_equal(rk_client_finish(c, 10000, NULL), RK_OK);
	assert_int_equal(a.n, 1);
	assert_int_equal(a.code, RK_ECANCELED);
	rpcrig_await(&rig, &rig.n_canceled, 1);
	rpcrig_answer(&rig, 0, NULL, NULL, 0);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* The client is through with TLS 1.3 before it is judged. */
static void
learns_of_a_refusal(void **state)
{
	const struct rpcrun *run = *state;
	struct rk_client_conf conf;
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_error err;
	char path[512];

	rpcworld_path(path, "finish_keys");
	certs_write(rpcworld.dir, "finish_keys", "", 0600);
	rpcrig_init(&rig, run->kind, run->threads);
	assert_int_equal(
	    rk_trust_new(path, RK_TRUST_FILE, &rig.conf.trust, NULL), RK_OK);
	rpcrig_start(&rig);
	c = rpcrig_client(&rig);
	assert_int_equal(rk_client_finish(c, 10000, NULL), RK_OK);
	rk_client_free(c);
	assert_int_equal(chmod(path, 0400), 0);
	rpcrig_client_conf(&rig, &conf);
	conf.ident = rpcworld.other;
	for (int i = 0; i < 20; i++) {
		c = rpcrig_client_with(&conf);
		assert_int_equal(rk_client_connect(c, &err), RK_OK);
		if (i % 2 != 0)
			send_sink(c, "x");
		assert_int_equal(rk_client_finish(c, 10000, &err), RK_ECERT);
		assert_non_null(strstr(err.text, "alert bad certificate"));
		rk_client_free(c);
	}
	assert_int_equal(rpcrig_get(&rig, &rig.sunk), 0);
	rpcrig_end(&rig);
	rk_trust_free(rig.conf.trust);
}

/* A server that does not close, one that closed before, one that resets. */
static void
tells_of_other_ends(void **state)
{
	struct rk_client_conf conf = { .size = sizeof(conf) };
	uint64_t began = rpcrig_now();
	struct rk_error err;
	struct rk_client *c;
	struct msg m;
	char url[128];
	int l = raw_listen(url);
	int fd;

	(void)state;
	conf.url = url;
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	fd = raw_accept(l);
	send_sink(c, "all of it");
	assert_int_equal(rk_client_finish(c, 100, &err), RK_ETIMEOUT);
	assert_non_null(strstr(err.text, "not closed its end within 100 ms"));
	assert_in_range(rpcrig_now() - began, 100, RPCRIG_PATIENCE_MS);
	raw_get(fd, &m);
	assert_int_equal(m.payload.len, 9);
	assert_false(raw_try_get(fd, &m));
	raw_close(fd);

	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	fd = raw_accept(l);
	raw_close(fd);
	assert_int_equal(rk_client_finish(c, 10000, &err), RK_ECLOSED);

	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	fd = raw_accept(l);
	raw_finish(fd);
	assert_int_equal(rk_client_finish(c, 10000, &err), RK_ECLOSED);
	raw_close(fd);
	rk_client_free(c);
	raw_close(l);
}

static void
cannot_wait_on_a_foreign_loop(void **state)
{
	struct rk_client_conf conf;
	struct rpcrig rig;
	struct rk_error err;
	struct rk_client *c;

	rpcrig_begin(&rig, *state);
	rpcrig_client_conf(&rig, &conf);
	assert_int_equal(rk_loop_new(&conf.loop), RK_OK);
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_finish(c, 1, &err), RK_ESTATE);
	rk_client_free(c);
	rk_loop_free(conf.loop);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "read to the end", is_read_to_the_end, RPC_ALL },
		{ "pending calls", ends_pending_calls, RPC_ALL },
		{ "refused", learns_of_a_refusal, RPC_SECURE },
		{ "other ends", tells_of_other_ends, RPC_ONLY(RPC_TCP) },
		{ "a foreign loop", cannot_wait_on_a_foreign_loop, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc finish", cases, sizeof(cases) / sizeof(cases[0]));
}
