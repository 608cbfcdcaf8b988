/* Decisions of the program's own about a peer: before anything is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <rpckit/servers.h>

#include "base/error.h"
#include "rpcrig.h"

struct judge {
	enum rk_err says;
	unsigned asked;
	struct rk_peer met;
};

static enum rk_err
judge(const struct rk_peer *peer, void *arg, struct rk_error *err)
{
	struct judge *j = arg;

	j->asked++;
	j->met = *peer;
	return j->says == RK_OK ? RK_OK : err_set(err, j->says, "not this one");
}

struct world {
	struct rpcrig rig;
	struct judge judge;
	struct rk_trust *trust;
	struct rk_client *client;
};

static void
begin(struct world *w, const struct rpcrun *run, enum rk_err says)
{
	struct rk_client_conf conf;

	w->judge = (struct judge){ .says = says };
	rpcrig_begin(&w->rig, run);
	assert_int_equal(rk_trust_new_own(judge, &w->judge, &w->trust), RK_OK);
	rpcrig_client_conf(&w->rig, &conf);
	conf.trust = w->trust;
	conf.early = RK_EARLY_MARKED;
	w->client = rpcrig_client_with(&conf);
}

static void
end(struct world *w)
{
	rk_client_free(w->client);
	rk_trust_free(w->trust);
	rpcrig_end(&w->rig);
}

/* Start, with an idempotent call that waits for the connection. */
static void
call(struct world *w, struct rpcanswer *a)
{
	struct rk_request req = { .method = "echo",
		.payload = "x",
		.payload_len = 1,
		.idempotent = true };
	struct rk_error err;

	*a = (struct rpcanswer){ .n = 0 };
	if (rk_client_start(w->client, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_int_equal(
	    rk_client_submit(w->client, &req, rpcrig_on_reply, a, NULL), RK_OK);
	rpcrig_turn(w->client, &a->n, 1);
}

static void
refuses(void **state)
{
	const struct rpcrun *run = *state;
	static struct world w;
	struct rpcanswer a;

	begin(&w, run, RK_EUNKNOWNKEY);
	call(&w, &a);
	if (rpc_has_keys(run->kind)) {
		assert_int_equal(a.code, RK_EUNKNOWNKEY);
		assert_false(a.maybe_executed);
		assert_int_equal(rpcrig_get(&w.rig, &w.rig.handled), 0);
		assert_int_equal(w.judge.asked, 1);
		assert_true(w.judge.met.proven);
		assert_string_equal(w.judge.met.cert.email,
		    rpc_is_session(run->kind) ? "" : "node@example.org");
	} else {
		/* Nobody proves a key there. */
		assert_int_equal(a.code, RK_OK);
		assert_int_equal(w.judge.asked, 0);
	}
	end(&w);
}

/* Each connection is asked about, and none is a resumed one, so that nothing
 * is said early to whom we do not believe any more. */
static void
asks_each_time(void **state)
{
	static struct world w;
	struct rpcanswer a;

	begin(&w, *state, RK_OK);
	for (unsigned i = 1; i <= 3; i++) {
		call(&w, &a);
		assert_int_equal(a.code, RK_OK);
		assert_int_equal(w.judge.asked, i);
		assert_false(w.judge.met.resumed);
		assert_int_equal(
		    rk_client_finish(w.client, 10000, NULL), RK_OK);
	}
	w.judge.says = RK_EUNKNOWNKEY;
	call(&w, &a);
	assert_int_equal(a.code, RK_EUNKNOWNKEY);
	assert_int_equal(rpcrig_get(&w.rig, &w.rig.handled), 3);
	end(&w);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "refuses", refuses, RPC_ALL },
		{ "asks each time", asks_each_time, RPC_SECURE },
	};

	return rpcrig_run_cases("own", cases, sizeof(cases) / sizeof(cases[0]));
}
