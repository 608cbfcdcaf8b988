/* Which calls of a lost connection can have run, when there is no other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rawpeer.h"

#define N 12
#define LARGE ((size_t)1 << 20)

struct world {
	struct rk_client *c;
	int listener;
	int fd;
	unsigned closed;
};

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct world *w = arg;

	(void)c;
	(void)why;
	w->closed++;
}

static void
meet(struct world *w)
{
	struct rk_client_conf conf = { .size = sizeof(conf) };
	char url[128];

	*w = (struct world){ .listener = raw_listen(url) };
	conf.url = url;
	conf.max_queue = N * (LARGE + 4096);
	conf.closed = on_closed;
	conf.arg = w;
	assert_int_equal(rk_client_new(&conf, &w->c, NULL), RK_OK);
	assert_int_equal(rk_client_connect(w->c, NULL), RK_OK);
	w->fd = raw_accept(w->listener);
}

static void
part(struct world *w)
{
	rk_client_free(w->c);
	raw_close(w->listener);
}

static void
submit(struct world *w, bool netrpc, size_t len, struct rpcanswer *a)
{
	const struct rk_request req = { .method = "a.b",
		.payload = rpcrig_bytes,
		.payload_len = len,
		.netrpc = netrpc };

	*a = (struct rpcanswer){ 0 };
	assert_int_equal(
	    rk_client_submit(w->c, &req, rpcrig_on_reply, a, NULL), RK_OK);
}

/* The peer has read one and goes: the last of many had not left. */
static void
tells_the_untaken(void **state)
{
	struct rpcanswer a[N];
	struct world w;
	struct msg m;
	unsigned seen = 0;

	(void)state;
	meet(&w);
	submit(&w, false, 1, &a[0]);
	assert_int_equal(rk_client_flush(w.c, NULL), RK_OK);
	raw_get(w.fd, &m);
	for (size_t i = 1; i < N; i++)
		submit(&w, false, LARGE, &a[i]);
	raw_close(w.fd);
	rpcrig_turn(w.c, &w.closed, 1);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(a[i].n, 1);
		assert_true(a[i].code != RK_OK);
		seen += a[i].maybe_executed;
		/* In order: none behind the first that had not left. */
		assert_int_equal(a[i].maybe_executed, seen == i + 1);
	}
	assert_true(seen >= 1 && seen < N);
	part(&w);
}

/* Towards others than rpckit the second of net/rpc waits for the first. */
static void
tells_the_held(void **state)
{
	struct rpcanswer a[3];
	struct world w;
	struct msg m;

	(void)state;
	meet(&w);
	for (size_t i = 0; i < 3; i++)
		submit(&w, true, 1, &a[i]);
	assert_int_equal(rk_client_flush(w.c, NULL), RK_OK);
	raw_get(w.fd, &m);
	assert_int_equal(rk_client_cancel(w.c, m.hdr.seqno + 2), RK_OK);
	rpcrig_turn(w.c, &a[1].n, 1);
	assert_int_equal(a[1].code, RK_ECANCELED);
	assert_false(a[1].maybe_executed);
	raw_close(w.fd);
	rpcrig_turn(w.c, &w.closed, 1);
	assert_true(a[0].maybe_executed);
	assert_false(a[2].maybe_executed);
	part(&w);
}

/* What is queued goes out although nobody waits for it any more. */
static void
does_not_promise_what_may_still_go(void **state)
{
	struct rpcanswer a;
	struct world w;
	struct msg m;

	(void)state;
	meet(&w);
	submit(&w, false, 1, &a);
	rk_client_shutdown(w.c);
	rpcrig_turn(w.c, &a.n, 1);
	assert_int_equal(a.code, RK_ECANCELED);
	assert_true(a.maybe_executed);
	rpcrig_turn(w.c, &w.closed, 1);
	raw_get(w.fd, &m);
	raw_close(w.fd);
	part(&w);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "untaken", tells_the_untaken, RPC_ONLY(RPC_TCP) },
		{ "held", tells_the_held, RPC_ONLY(RPC_TCP) },
		{ "may still go", does_not_promise_what_may_still_go,
		    RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "untaken", cases, sizeof(cases) / sizeof(cases[0]));
}
