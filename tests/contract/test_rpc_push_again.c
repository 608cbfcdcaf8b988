/* Pushes whose callbacks do things: push again, stop, let go of the client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "pushrig.h"

#define ROUNDS 50

/* ---- the server's ---- */

/* Each that is done makes the next; the last stops the server, and what it
 * pushes then is either taken and told or refused.  The rig's lock guards it.
 */
struct relay {
	struct rpcrig *rig;
	unsigned taken;
	unsigned done;
	unsigned each;
	unsigned refused;
	unsigned stopped; /* done when it was called */
};

static void push_next(struct relay *r);

static void
on_stopped(void *arg)
{
	struct relay *r = arg;

	(void)pthread_mutex_lock(&r->rig->lock);
	r->stopped = r->done;
	r->rig->done++;
	(void)pthread_cond_broadcast(&r->rig->changed);
	(void)pthread_mutex_unlock(&r->rig->lock);
}

static void
on_each(uint64_t conn, enum rk_err code, void *arg)
{
	struct relay *r = arg;

	assert_true(conn != 0);
	assert_true(code == RK_OK || code == RK_ECLOSED);
	(void)pthread_mutex_lock(&r->rig->lock);
	r->each++;
	(void)pthread_mutex_unlock(&r->rig->lock);
}

static void
on_done(const struct rk_push_report *report, void *arg)
{
	struct relay *r = arg;
	unsigned n;

	(void)report;
	(void)pthread_mutex_lock(&r->rig->lock);
	n = ++r->done;
	(void)pthread_mutex_unlock(&r->rig->lock);
	if (n == ROUNDS)
		rk_server_stop(r->rig->server, 0, on_stopped, r);
	push_next(r);
}

static void
push_next(struct relay *r)
{
	struct rk_push_target to = { .to = RK_PUSH_ALL };
	struct rk_push push = { .subject = "\001\033[2J\303", .each = on_each };
	enum rk_err e;

	e = rk_server_push(r->rig->server, &to, &push, on_done, r);
	(void)pthread_mutex_lock(&r->rig->lock);
	if (e == RK_OK)
		r->taken++;
	else
		r->refused++;
	(void)pthread_mutex_unlock(&r->rig->lock);
	assert_true(e == RK_OK || e == RK_ESTATE);
}

static void
begin_relay(struct rpcrig *rig, void *arg)
{
	(void)rig;
	push_next(arg);
}

static void
pushes_and_stops_when_done(void **state)
{
	struct rpcrig rig;
	struct pushed p[3] = { 0 };
	struct relay r = { .rig = &rig };
	struct rk_client *c[3];
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < 3; i++) {
		c[i] = push_client(&rig, &p[i], NULL);
		push_sync(c[i]);
	}
	rpcrig_do(&rig, begin_relay, &r);
	while (rpcrig_get(&rig, &rig.done) == 0) {
		assert_true(rpcrig_now() < until);
		for (size_t i = 0; i < 3; i++)
			(void)rk_client_process(c[i]);
	}
	rpcrig_await_stopped(&rig);
	assert_int_equal(r.refused, 1);
	assert_true(r.done >= ROUNDS);
	assert_int_equal(r.done, r.taken);
	assert_int_equal(r.stopped, r.done);
	assert_true(r.each >= 3 * (ROUNDS - 1));
	rpcrig_fini(&rig);
	for (size_t i = 0; i < 3; i++)
		rk_client_free(c[i]);
}

/* ---- the client's ---- */

/* A client on a loop of the test's, which lets go of itself. */
struct own {
	struct rk_client *c;
	uint64_t id;
	unsigned announced;
	unsigned pushed;
	unsigned replies;
	unsigned closed;
};

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct own *o = arg;

	(void)c;
	(void)why;
	o->closed++;
}

static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct own *o = arg;

	(void)c;
	(void)reply;
	o->replies++;
}

static void
submit(struct own *o, const char *method)
{
	struct rk_request req = { .method = method };

	assert_int_equal(
	    rk_client_submit(o->c, &req, on_reply, o, NULL), RK_OK);
}

/* With a call and an announcement that are not answered. */
static void
free_in_push(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	struct own *o = arg;
	struct rk_subscription s = { .subject = "late",
		.announce = true,
		.fn = free_in_push,
		.arg = o };
	uint64_t id;

	(void)hdr;
	(void)payload;
	if (o->pushed++ > 0)
		return;
	assert_int_equal(rk_client_unsubscribe(c, o->id), RK_OK);
	assert_int_equal(rk_client_subscribe(c, &s, &id), RK_OK);
	assert_int_equal(rk_client_unsubscribe(c, id), RK_OK);
	submit(o, "hold");
	rk_client_free(c);
}

/* Is of no more use when it is told: another takes its place. */
static void
on_announced(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct own *o = arg;
	struct rk_subscription s = { .subject = "nudge",
		.announce = true,
		.fn = free_in_push,
		.announced = on_announced,
		.arg = o };

	if (reply->code != RK_OK)
		return;
	o->announced++;
	if (o->announced > 2) {
		submit(o, "nudge");
		return;
	}
	assert_int_equal(rk_client_unsubscribe(c, o->id), RK_OK);
	assert_int_equal(rk_client_subscribe(c, &s, &o->id), RK_OK);
}

static void
frees_the_client_in_a_push(void **state)
{
	struct rpcrig rig;
	struct own o = { 0 };
	struct rk_subscription s = { .subject = "nudge",
		.announce = true,
		.fn = free_in_push,
		.announced = on_announced,
		.arg = &o };
	struct rk_client_conf conf;
	struct rk_error err;
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	rpcrig_begin(&rig, *state);
	rpcrig_client_conf(&rig, &conf);
	assert_int_equal(rk_loop_new(&conf.loop), RK_OK);
	conf.closed = on_closed;
	conf.arg = &o;
	assert_int_equal(rk_client_new(&conf, &o.c, &err), RK_OK);
	assert_int_equal(rk_client_subscribe(o.c, &s, &o.id), RK_OK);
	assert_int_equal(rk_client_start(o.c, &err), RK_OK);
	while (o.closed == 0) {
		assert_true(rpcrig_now() < until);
		assert_int_equal(rk_loop_step(conf.loop, 100), RK_OK);
	}
	rk_loop_free(conf.loop);
	assert_int_equal(o.announced, 3);
	assert_int_equal(o.pushed, 1);
	assert_int_equal(o.replies, 2);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "again", pushes_and_stops_when_done, RPC_ALL },
		{ "free", frees_the_client_in_a_push, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc push again", cases, sizeof(cases) / sizeof(cases[0]));
}
