/* Methods that may wait: on the server's work threads, and never too late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rpcrig.h"

/* What the methods share with the test. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;
	unsigned entered;
	unsigned canceled; /* that saw it */
	unsigned retired;
};

static struct gate gate;

static void
count(unsigned *what)
{
	(void)pthread_mutex_lock(&gate.lock);
	(*what)++;
	(void)pthread_cond_broadcast(&gate.changed);
	(void)pthread_mutex_unlock(&gate.lock);
}

static unsigned
get(const unsigned *what)
{
	unsigned n;

	(void)pthread_mutex_lock(&gate.lock);
	n = *what;
	(void)pthread_mutex_unlock(&gate.lock);
	return n;
}

/* Bounded: a wait that does not end fails the test. */
static void
await(const unsigned *what, unsigned n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	struct timespec ts;

	(void)pthread_mutex_lock(&gate.lock);
	while (*what < n && rpcrig_now() < until) {
		(void)clock_gettime(CLOCK_REALTIME, &ts);
		ts.tv_sec++;
		(void)pthread_cond_timedwait(&gate.changed, &gate.lock, &ts);
	}
	assert_true(*what >= n);
	(void)pthread_mutex_unlock(&gate.lock);
}

static void
open_gate(bool open)
{
	(void)pthread_mutex_lock(&gate.lock);
	gate.open = open;
	(void)pthread_cond_broadcast(&gate.changed);
	(void)pthread_mutex_unlock(&gate.lock);
}

static void
work_echo(struct rk_job *job, void *arg)
{
	struct rk_bytes p = rk_job_payload(job);

	(void)arg;
	count(&gate.entered);
	(void)rk_job_reply(job, p.ptr, p.len);
	/* Once is enough. */
	if (rk_job_reply(job, "x", 1) != RK_ESTATE ||
	    rk_job_fail(job, "x", NULL, 0) != RK_ESTATE)
		abort();
}

static void
work_fail(struct rk_job *job, void *arg)
{
	(void)arg;
	(void)rk_job_fail(job, "no luck", "but this", 8);
}

static void
work_nothing(struct rk_job *job, void *arg)
{
	(void)job;
	(void)arg;
}

static void
work_big(struct rk_job *job, void *arg)
{
	(void)arg;
	if (rk_job_reply(job, rpcrig_bytes, sizeof(rpcrig_bytes)) != RK_ETOOBIG)
		abort();
}

static void
work_who(struct rk_job *job, void *arg)
{
	const struct rk_peer *p = rk_job_peer(job);
	struct rk_str subject = rk_job_subject(job);
	struct rk_str value = { "", 0 };
	char text[512];
	int n;

	(void)rk_args_get(rk_job_args(job), "key", &value);
	n = snprintf(text, sizeof(text), "%s %s %.*s %.*s %s %s %d",
	    p->transport, p->cert.email, (int)subject.len, subject.ptr,
	    (int)value.len, value.ptr,
	    rk_job_is_oneway(job) ? "oneway" : "call",
	    rk_job_time_left(job) == RK_NEVER ? "never" : "soon",
	    rk_job_server(job) == ((struct rpcrig *)arg)->server);
	(void)rk_job_reply(job, text, (size_t)n);
}

/* Until the gate opens or nobody needs the answer. */
static void
work_gated(struct rk_job *job, void *arg)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	bool open = false;

	(void)arg;
	count(&gate.entered);
	while (!open && !rk_job_is_canceled(job)) {
		(void)pthread_mutex_lock(&gate.lock);
		open = gate.open;
		(void)pthread_mutex_unlock(&gate.lock);
		(void)nanosleep(&nap, NULL);
	}
	if (!open)
		count(&gate.canceled);
	(void)rk_job_reply(job, "done", 4);
}

static void
plain_echo(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);

	(void)arg;
	(void)rk_call_reply(call, p.ptr, p.len);
}

static void
on_retired(void *arg)
{
	(void)arg;
	count(&gate.retired);
}

static void
install(struct rpcrig *r, void *arg)
{
	const struct rk_method list[] = {
		{ .name = "echo", .fn = plain_echo },
		{ .name = "w.echo", .work = work_echo },
		{ .name = "w.fail", .work = work_fail },
		{ .name = "w.nothing", .work = work_nothing },
		{ .name = "w.big", .work = work_big },
		{ .name = "w.who", .work = work_who, .arg = r },
		{ .name = "w.gated", .work = work_gated },
	};
	struct rk_error err;

	(void)arg;
	if (rk_server_methods(r->server, list, sizeof(list) / sizeof(list[0]),
	        on_retired, NULL, &err) != RK_OK)
		fail_msg("%s", err.text);
}

static void
begin(struct rpcrig *rig, const struct rpcrun *run, unsigned threads,
    unsigned max)
{
	gate = (struct gate){ .open = false };
	(void)pthread_mutex_init(&gate.lock, NULL);
	(void)pthread_cond_init(&gate.changed, NULL);
	rpcrig_init(rig, run->kind, run->threads);
	rig->conf.work_threads = threads;
	rig->conf.max_work = max;
	rpcrig_start(rig);
	rpcrig_do(rig, install, NULL);
}

static void
end(struct rpcrig *rig)
{
	rpcrig_end(rig);
	assert_int_equal(get(&gate.retired), 1);
	(void)pthread_cond_destroy(&gate.changed);
	(void)pthread_mutex_destroy(&gate.lock);
}

static void
answers(void **state)
{
	static const struct rk_arg arg = { { "key", 3 }, { "value", 5 } };
	struct rk_request req = { .method = "w.who",
		.subject = "topic",
		.args = &arg,
		.n_args = 1,
		.timeout = 10000 };
	struct rpcrig rig;
	struct rpcanswer a = { 0 };
	struct rk_client *c;
	struct rk_reply reply;

	begin(&rig, *state, 3, 0);
	c = rpcrig_client(&rig);
	rpcrig_call(c, "w.echo", rpcrig_bytes, 100000, &a);
	assert_int_equal(a.len, 100000);
	assert_true(a.same);
	rpcrig_call(c, "w.nothing", "x", 1, &a);
	assert_int_equal(a.len, 0);
	assert_int_equal(rpcrig_try(c, "w.fail", "x", 1, &a), RK_EREMOTE);
	assert_string_equal(a.text, "no luck");
	assert_int_equal(rpcrig_try(c, "w.big", "x", 1, &a), RK_EREMOTE);
	assert_string_equal(a.text, "the answer is too large");
	assert_int_equal(rk_client_call(c, &req, &reply, NULL), RK_OK);
	(void)snprintf(a.text, sizeof(a.text), "%.*s", (int)reply.payload.len,
	    (const char *)reply.payload.ptr);
	rk_reply_free(&reply);
	assert_non_null(strstr(a.text, " topic value call soon 1"));
	assert_int_equal(strstr(a.text, "tls client@example.org") != NULL,
	    rig.kind == RPC_TLS);
	/* One way: run, and nothing comes back. */
	req = (struct rk_request){ .method = "w.echo" };
	assert_int_equal(rk_client_send(c, &req), RK_OK);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	await(&gate.entered, 2);
	rpcrig_call(c, "echo", "x", 1, &a);
	rk_client_free(c);
	end(&rig);
}

/* Many of several clients, in whatever order: each gets its own. */
static void
answers_many(void **state)
{
	enum {
		CLIENTS = 4,
		EACH = 100
	};
	struct rpcanswer *a = calloc(CLIENTS * EACH, sizeof(*a));
	struct rk_client *c[CLIENTS];
	struct rpcrig rig;

	assert_non_null(a);
	begin(&rig, *state, 4, CLIENTS * EACH);
	for (size_t i = 0; i < CLIENTS; i++)
		c[i] = rpcrig_client(&rig);
	for (size_t n = 0; n < EACH; n++) {
		for (size_t i = 0; i < CLIENTS; i++)
			(void)rpcrig_submit(c[i], "w.echo", rpcrig_bytes,
			    n * CLIENTS + i, &a[n * CLIENTS + i]);
	}
	for (size_t n = 0; n < CLIENTS * EACH; n++) {
		rpcrig_turn(c[n % CLIENTS], &a[n].n, 1);
		assert_int_equal(a[n].code, RK_OK);
		assert_int_equal(a[n].len, n);
		assert_true(a[n].same);
	}
	for (size_t i = 0; i < CLIENTS; i++)
		rk_client_free(c[i]);
	assert_int_equal(get(&gate.entered), CLIENTS * EACH);
	end(&rig);
	free(a);
}

/* Loops go on while threads wait, and the queue has its bound. */
static void
is_bounded(void **state)
{
	struct rpcanswer a[4] = { 0 };
	struct rpcanswer x;
	struct rk_client *c;
	struct rpcrig rig;

	begin(&rig, *state, 1, 2);
	c = rpcrig_client(&rig);
	(void)rpcrig_submit(c, "w.gated", NULL, 0, &a[0]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	await(&gate.entered, 1);
	for (int i = 1; i < 4; i++)
		(void)rpcrig_submit(c, "w.gated", NULL, 0, &a[i]);
	rpcrig_turn(c, &a[3].n, 1);
	assert_int_equal(a[3].code, RK_EREMOTE);
	assert_string_equal(a[3].text, "too many calls wait for a thread");
	rpcrig_call(c, "echo", "x", 1, &x);
	assert_int_equal(a[0].n + a[1].n + a[2].n, 0);
	assert_int_equal(get(&gate.entered), 1);
	open_gate(true);
	for (int i = 0; i < 3; i++) {
		rpcrig_turn(c, &a[i].n, 1);
		assert_string_equal(a[i].text, "done");
	}
	assert_int_equal(get(&gate.entered), 3);
	rk_client_free(c);
	end(&rig);
}

/* Whose time is over, or who is gone, while waiting is not run at all. */
static void
never_runs_the_unneeded(void **state)
{
	struct rpcanswer a[4] = { 0 };
	struct rk_client *c, *d;
	struct rpcrig rig;
	uint64_t id;

	begin(&rig, *state, 1, 0);
	c = rpcrig_client(&rig);
	d = rpcrig_client(&rig);
	(void)rpcrig_submit(c, "w.gated", NULL, 0, &a[0]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	await(&gate.entered, 1);
	(void)rpcrig_submit_for(c, "w.gated", 100, &a[1]);
	id = rpcrig_submit(c, "w.gated", NULL, 0, &a[2]);
	(void)rpcrig_submit(d, "w.gated", NULL, 0, &a[3]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	assert_int_equal(rk_client_flush(d, NULL), RK_OK);
	/* The one whose deadline passes goes by itself. */
	rpcrig_turn(c, &a[1].n, 1);
	rpcrig_await_running(&rig, 3);
	assert_int_equal(rk_client_cancel(c, id), RK_OK);
	rpcrig_turn(c, &a[2].n, 1);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await_running(&rig, 2);
	rk_client_free(d);
	rpcrig_await_running(&rig, 1);
	open_gate(true);
	rpcrig_turn(c, &a[0].n, 1);
	assert_string_equal(a[0].text, "done");
	rpcrig_await_running(&rig, 0);
	assert_int_equal(get(&gate.entered), 1);
	rk_client_free(c);
	end(&rig);
}

/* Who runs is told, by deadline, cancel or the end of the connection. */
static void
tells_the_running(void **state)
{
	struct rpcanswer a[3] = { 0 };
	struct rk_client *c;
	struct rpcrig rig;
	uint64_t id;

	begin(&rig, *state, 3, 0);
	c = rpcrig_client(&rig);
	(void)rpcrig_submit_for(c, "w.gated", 1500, &a[0]);
	id = rpcrig_submit(c, "w.gated", NULL, 0, &a[1]);
	(void)rpcrig_submit(c, "w.gated", NULL, 0, &a[2]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	await(&gate.entered, 2);
	rpcrig_turn(c, &a[0].n, 1);
	await(&gate.entered, 3);
	await(&gate.canceled, 1);
	assert_int_equal(rk_client_cancel(c, id), RK_OK);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	await(&gate.canceled, 2);
	rk_client_free(c);
	await(&gate.canceled, 3);
	rpcrig_await_running(&rig, 0);
	end(&rig);
}

static void
stops_in_the_middle(void **state)
{
	struct rpcanswer a[5] = { 0 };
	struct rk_client *c;
	struct rpcrig rig;

	begin(&rig, *state, 2, 0);
	c = rpcrig_client(&rig);
	for (int i = 0; i < 5; i++)
		(void)rpcrig_submit(c, "w.gated", NULL, 0, &a[i]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	await(&gate.entered, 2);
	rpcrig_await_running(&rig, 5);
	rpcrig_stop(&rig, 50);
	rpcrig_await_stopped(&rig);
	assert_int_equal(get(&gate.entered), 2);
	assert_int_equal(get(&gate.canceled), 2);
	rk_client_free(c);
	rpcrig_fini(&rig);
	assert_int_equal(get(&gate.retired), 1);
}

/* The set is not given up as long as a thread may be in it. */
static void
holds_its_set(void **state)
{
	struct rpcanswer a[2] = { 0 };
	struct rpcanswer x;
	struct rk_client *c;
	struct rpcrig rig;

	begin(&rig, *state, 1, 0);
	c = rpcrig_client(&rig);
	for (int i = 0; i < 2; i++)
		(void)rpcrig_submit(c, "w.gated", NULL, 0, &a[i]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	await(&gate.entered, 1);
	rpcrig_await_running(&rig, 2);
	rpcrig_do(&rig, install, NULL);
	for (int i = 0; i < 20; i++)
		rpcrig_call(c, "echo", "x", 1, &x);
	assert_int_equal(get(&gate.retired), 0);
	open_gate(true);
	rpcrig_turn(c, &a[0].n, 1);
	rpcrig_turn(c, &a[1].n, 1);
	await(&gate.retired, 1);
	rk_client_free(c);
	rpcrig_end(&rig);
	assert_int_equal(get(&gate.retired), 2);
}

static void
asks_for_threads(void **state)
{
	const struct rk_method wait = { .name = "w", .work = work_echo };
	const struct rk_method both = {
		.name = "w", .work = work_echo, .fn = plain_echo
	};
	struct rk_server_conf conf = { .size = sizeof(conf) };
	struct rk_server *s = NULL;
	struct rk_error err;

	(void)state;
	assert_int_equal(rk_loop_new(&conf.loop), RK_OK);
	assert_int_equal(rk_server_new(&conf, &s, &err), RK_OK);
	assert_int_equal(
	    rk_server_methods(s, &wait, 1, NULL, NULL, &err), RK_EINVAL);
	assert_string_equal(err.text,
	    "method w: it may wait, and the server has no work_threads");
	rk_server_free(s);
	conf.work_threads = 257;
	assert_int_equal(rk_server_new(&conf, &s, &err), RK_EINVAL);
	assert_null(s);
	/* Never started: nothing to end. */
	conf.work_threads = 3;
	assert_int_equal(rk_server_new(&conf, &s, &err), RK_OK);
	assert_int_equal(
	    rk_server_methods(s, &both, 1, NULL, NULL, &err), RK_EINVAL);
	assert_int_equal(
	    rk_server_methods(s, &wait, 1, NULL, NULL, &err), RK_OK);
	rk_server_free(s);
	rk_loop_free(conf.loop);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "answers", answers, RPC_ALL },
		{ "many", answers_many, RPC_ALL },
		{ "bounds", is_bounded, RPC_ALL },
		{ "never too late", never_runs_the_unneeded, RPC_ALL },
		{ "told while running", tells_the_running, RPC_ALL },
		{ "stopped", stops_in_the_middle, RPC_ALL },
		{ "sets", holds_its_set, RPC_ALL },
		{ "no threads", asks_for_threads, RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "rpc work", cases, sizeof(cases) / sizeof(cases[0]));
}
