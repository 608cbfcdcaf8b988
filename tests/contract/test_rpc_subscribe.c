/* Subscriptions: which pushes a client is given, and what servers are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pushrig.h"
#include "rawpeer.h"
#include "vectors.h"

/* Answers of the server to being told. */
struct heard {
	unsigned n;
	enum rk_err code; /* of the last */
	char error[128];
};

/* One subscription and all that comes of it. */
struct taken {
	struct pushed pushed; /* first: the argument of push_on_pushed() */
	struct heard heard;
	uint64_t id;
};

static void
on_announced(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct heard *h = &((struct taken *)arg)->heard;

	(void)c;
	h->n++;
	h->code = reply->code;
	(void)snprintf(h->error, sizeof(h->error), "%.*s",
	    (int)reply->remote_error.len, reply->remote_error.ptr);
}

static void
subscribe(
    struct rk_client *c, const char *subject, bool announce, struct taken *t)
{
	struct rk_subscription s = { .subject = subject,
		.announce = announce,
		.fn = push_on_pushed,
		.announced = on_announced,
		.arg = t };

	assert_int_equal(rk_client_subscribe(c, &s, &t->id), RK_OK);
	assert_true(t->id != 0);
}

static size_t
publish(struct rpcrig *rig, struct rk_client *const *c, size_t n,
    const char *subject, const char *text)
{
	struct rk_push_target to = { .to = RK_PUSH_SUBSCRIBERS };
	struct rk_push push = {
		.subject = subject, .payload = text, .payload_len = strlen(text)
	};
	struct told t = { 0 };

	push_start(rig, &to, &push, &t);
	push_await_with(rig, &t, 1, c, n);
	for (size_t i = 0; i < n; i++)
		push_sync(c[i]);
	assert_int_equal(t.sum.sent, t.sum.targets);
	return t.sum.targets;
}

static void
gets_what_it_subscribed_to(void **state)
{
	struct rpcrig rig;
	struct pushed rest[2] = { 0 };
	struct taken t[3] = { 0 };
	struct rk_client *c[2];

	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < 2; i++)
		c[i] = push_client(&rig, &rest[i], NULL);
	assert_int_equal(publish(&rig, c, 2, "news", "0"), 0);
	subscribe(c[0], "news", true, &t[0]);
	subscribe(c[1], "news", true, &t[1]);
	subscribe(c[1], "weather", true, &t[2]);
	for (size_t i = 0; i < 3; i++) {
		rpcrig_turn(c[i > 0], &t[i].heard.n, 1);
		assert_int_equal(t[i].heard.code, RK_OK);
	}
	assert_int_equal(publish(&rig, c, 2, "news", "1"), 2);
	assert_int_equal(publish(&rig, c, 2, "weather", "2"), 1);
	assert_int_equal(publish(&rig, c, 2, "new", "3"), 0);
	assert_string_equal(t[0].pushed.text, "1");
	assert_string_equal(t[1].pushed.text, "1");
	assert_string_equal(t[2].pushed.text, "2");
	assert_int_equal(rk_client_unsubscribe(c[1], t[1].id), RK_OK);
	assert_int_equal(rk_client_unsubscribe(c[1], t[1].id), RK_ENOENT);
	push_sync(c[1]);
	assert_int_equal(publish(&rig, c, 2, "news", "4"), 1);
	assert_int_equal(t[0].pushed.n, 2);
	assert_int_equal(t[1].pushed.n, 1);
	assert_int_equal(t[2].pushed.n, 1);
	assert_int_equal(rest[0].n + rest[1].n, 0);
	/* Who goes takes them along. */
	rk_client_free(c[0]);
	rpcrig_await_conns(&rig, 1);
	assert_int_equal(publish(&rig, &c[1], 1, "news", "5"), 0);
	rk_client_free(c[1]);
	rpcrig_end(&rig);
}

/* The server is told again on each connection; what was removed is not. */
static void
subscribes_again(void **state)
{
	struct rpcrig rig;
	struct pushed rest = { 0 };
	struct taken t[3] = { 0 };
	struct rk_client *c;
	struct rk_client_conf conf;

	rpcrig_begin(&rig, *state);
	rpcrig_client_conf(&rig, &conf);
	conf.pushed = push_on_pushed;
	conf.arg = &rest;
	c = rpcrig_client_with(&conf);
	/* Before there is any connection. */
	subscribe(c, "a", true, &t[0]);
	subscribe(c, "b", true, &t[1]);
	subscribe(c, "c", false, &t[2]);
	for (unsigned round = 1; round <= 3; round++) {
		assert_int_equal(rk_client_connect(c, NULL), RK_OK);
		rpcrig_turn(c, &t[0].heard.n, round);
		assert_int_equal(t[0].heard.code, RK_OK);
		assert_int_equal(publish(&rig, &c, 1, "a", "x"), 1);
		assert_int_equal(
		    publish(&rig, &c, 1, "b", "x"), round == 1 ? 1 : 0);
		assert_int_equal(publish(&rig, &c, 1, "c", "x"), 0);
		assert_int_equal(t[0].pushed.n, round);
		if (round == 1)
			assert_int_equal(
			    rk_client_unsubscribe(c, t[1].id), RK_OK);
		assert_int_equal(rk_client_finish(c, 10000, NULL), RK_OK);
		rpcrig_await_conns(&rig, 0);
	}
	assert_int_equal(t[1].heard.n, 1);
	assert_int_equal(t[2].heard.n, 0);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* Two want the same: the server is told to stop when both do not. */
static void
shares_a_subject(void **state)
{
	struct rpcrig rig;
	struct pushed rest = { 0 };
	struct taken t[3] = { 0 };
	struct rk_client *c;

	rpcrig_begin(&rig, *state);
	c = push_client(&rig, &rest, NULL);
	subscribe(c, "same", true, &t[0]);
	subscribe(c, "same", true, &t[1]);
	subscribe(c, "same", false, &t[2]);
	push_sync(c);
	assert_int_equal(publish(&rig, &c, 1, "same", "x"), 1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(t[i].pushed.n, 1);
	assert_int_equal(rk_client_unsubscribe(c, t[0].id), RK_OK);
	push_sync(c);
	assert_int_equal(publish(&rig, &c, 1, "same", "x"), 1);
	assert_int_equal(rk_client_unsubscribe(c, t[1].id), RK_OK);
	push_sync(c);
	assert_int_equal(publish(&rig, &c, 1, "same", "x"), 0);
	assert_int_equal(t[0].pushed.n, 1);
	assert_int_equal(t[1].pushed.n, 2);
	assert_int_equal(t[2].pushed.n, 2);
	/* Removed while the answer is under way. */
	subscribe(c, "brief", true, &t[0]);
	assert_int_equal(rk_client_unsubscribe(c, t[0].id), RK_OK);
	push_sync(c);
	push_sync(c);
	assert_int_equal(publish(&rig, &c, 1, "brief", "x"), 0);
	assert_int_equal(t[0].heard.n, 1);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* ---- within callbacks ---- */

struct chain {
	unsigned calls[3];
	uint64_t id[3];
	bool again; /* the first subscribes once more */
};

static void
on_third(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	struct chain *ch = arg;

	(void)c;
	(void)hdr;
	(void)payload;
	ch->calls[2]++;
}

static void
on_second(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	struct chain *ch = arg;

	(void)c;
	(void)hdr;
	(void)payload;
	ch->calls[1]++;
}

/* Removes itself and the next, and adds one that is for the next push. */
static void
on_first(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	struct chain *ch = arg;
	struct rk_subscription s = {
		.subject = "chain", .fn = on_third, .arg = ch
	};

	(void)hdr;
	(void)payload;
	ch->calls[0]++;
	assert_int_equal(rk_client_unsubscribe(c, ch->id[0]), RK_OK);
	assert_int_equal(rk_client_unsubscribe(c, ch->id[1]), RK_OK);
	assert_int_equal(rk_client_subscribe(c, &s, &ch->id[2]), RK_OK);
}

static void
changes_within_a_push(void **state)
{
	struct rpcrig rig;
	struct pushed rest = { 0 };
	struct told told = { 0 };
	struct rk_client *c;
	struct chain ch = { 0 };
	struct rk_subscription s = {
		.subject = "chain", .fn = on_first, .arg = &ch
	};
	struct rk_push push = { .subject = "chain" };
	uint64_t conn;

	rpcrig_begin(&rig, *state);
	c = push_client(&rig, &rest, NULL);
	conn = push_conn_id(c);
	assert_int_equal(rk_client_subscribe(c, &s, &ch.id[0]), RK_OK);
	s.fn = on_second;
	assert_int_equal(rk_client_subscribe(c, &s, &ch.id[1]), RK_OK);
	for (int i = 0; i < 2; i++)
		push_to_conn(&rig, conn, &push, &told);
	push_await_with(&rig, &told, 2, &c, 1);
	push_sync(c);
	assert_int_equal(ch.calls[0], 1);
	assert_int_equal(ch.calls[1], 0);
	assert_int_equal(ch.calls[2], 1);
	assert_int_equal(rest.n, 0);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* ---- what is refused ---- */

static void
refuses_nonsense(void **state)
{
	char name[RK_TOPIC_MAX + 2] = { 0 };
	struct rk_subscription s = { .fn = on_third };
	struct rk_client *c;
	struct pushed rest = { 0 };
	struct rpcrig rig;
	uint64_t id;

	memset(name, 'n', RK_TOPIC_MAX + 1);
	rpcrig_begin(&rig, *state);
	c = push_client(&rig, &rest, NULL);
	assert_int_equal(rk_client_subscribe(c, &s, &id), RK_EINVAL);
	s.subject = "";
	assert_int_equal(rk_client_subscribe(c, &s, &id), RK_EINVAL);
	s.subject = name;
	assert_int_equal(rk_client_subscribe(c, &s, &id), RK_EINVAL);
	s.subject = s.call_id = "both";
	assert_int_equal(rk_client_subscribe(c, &s, &id), RK_EINVAL);
	s.subject = NULL;
	s.announce = true;
	assert_int_equal(rk_client_subscribe(c, &s, &id), RK_EINVAL);
	s.announce = false;
	s.fn = NULL;
	assert_int_equal(rk_client_subscribe(c, &s, &id), RK_EINVAL);
	assert_int_equal(id, 0);
	assert_int_equal(rk_client_unsubscribe(c, 0), RK_ENOENT);
	assert_int_equal(rk_client_unsubscribe(c, 7), RK_ENOENT);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* A connection has its bound, and it is its own. */
static void
bounds_subjects(void **state)
{
	struct rpcrig rig;
	struct pushed rest = { 0 };
	struct rpcanswer a = { 0 };
	struct rk_client *c;
	char text[RK_TOPIC_MAX + 2] = { 0 };

	rpcrig_begin(&rig, *state);
	c = push_client(&rig, &rest, NULL);
	for (unsigned i = 0; i <= RK_SUBSCRIPTIONS_MAX; i++) {
		int n = snprintf(text, sizeof(text), "%u", i);

		a.code = rpcrig_try(c, "_.subscribe", text, (size_t)n, &a);
		assert_int_equal(
		    a.code, i < RK_SUBSCRIPTIONS_MAX ? RK_OK : RK_EREMOTE);
	}
	assert_string_equal(a.text, "a connection has at most 64 subjects");
	/* One that is there is no new one; one less is room for one. */
	assert_int_equal(rpcrig_try(c, "_.subscribe", "0", 1, &a), RK_OK);
	assert_int_equal(rpcrig_try(c, "_.unsubscribe", "0", 1, &a), RK_OK);
	assert_int_equal(rpcrig_try(c, "_.unsubscribe", "0", 1, &a), RK_OK);
	memset(text, 'n', RK_TOPIC_MAX + 1);
	assert_int_equal(
	    rpcrig_try(c, "_.subscribe", text, RK_TOPIC_MAX + 1, &a),
	    RK_EREMOTE);
	assert_string_equal(a.text, "a subject has 1 to 255 bytes");
	assert_int_equal(rpcrig_try(c, "_.subscribe", NULL, 0, &a), RK_EREMOTE);
	assert_int_equal(
	    rpcrig_try(c, "_.subscribe", text, RK_TOPIC_MAX, &a), RK_OK);
	assert_int_equal(publish(&rig, &c, 1, "63", "x"), 1);
	text[RK_TOPIC_MAX] = '\0';
	assert_int_equal(publish(&rig, &c, 1, text, "x"), 1);
	rk_client_free(c);
	rpcrig_end(&rig);
}

static bool
may(const struct rk_peer *peer, struct rk_str subject, void *arg)
{
	(void)arg;
	assert_true(strlen(peer->remote) > 0);
	return subject.len != 6 || memcmp(subject.ptr, "secret", 6) != 0;
}

static void
asks_who_may(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct pushed rest = { 0 };
	struct taken t[2] = { 0 };
	struct rk_client *c;

	rpcrig_init(&rig, run->kind, run->threads);
	rig.conf.may_subscribe = may;
	rpcrig_start(&rig);
	c = push_client(&rig, &rest, NULL);
	subscribe(c, "secret", true, &t[0]);
	subscribe(c, "open", true, &t[1]);
	rpcrig_turn(c, &t[0].heard.n, 1);
	rpcrig_turn(c, &t[1].heard.n, 1);
	assert_int_equal(t[0].heard.code, RK_EREMOTE);
	assert_string_equal(t[0].heard.error, "not allowed for this caller");
	assert_int_equal(t[1].heard.code, RK_OK);
	assert_int_equal(publish(&rig, &c, 1, "secret", "x"), 0);
	assert_int_equal(publish(&rig, &c, 1, "open", "x"), 1);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* ---- what Go's server pushes ---- */

/* Its subject is in the name of the method, its number that of no call. */
static void
hears_go(void **state)
{
	struct rk_client_conf conf = { .size = sizeof(conf) };
	struct pushed rest = { 0 };
	struct taken t[3] = { 0 };
	struct rk_subscription by_id = { .fn = push_on_pushed,
		.call_id = "snNLNRBBnHnSNjZodYOrFkq1UoXHxX_sIwmNB903qbCv" };
	struct rpcanswer a[42] = { 0 };
	struct rk_client *c;
	char url[128];
	size_t len;
	uint8_t *data = vectors_load("oneway-push-s2c", &len);
	int l = raw_listen(url);
	int fd;

	(void)state;
	conf.url = url;
	conf.pushed = push_on_pushed;
	conf.arg = &rest;
	c = rpcrig_client_with(&conf);
	subscribe(c, "pushsubject", false, &t[0]);
	subscribe(c, "srv.SendMessage('pushsubject')", false, &t[1]);
	by_id.arg = &t[2];
	assert_int_equal(rk_client_subscribe(c, &by_id, &t[2].id), RK_OK);
	assert_int_equal(rk_client_connect(c, NULL), RK_OK);
	fd = raw_accept(l);
	/* The push has number 43, as the last of these calls. */
	for (size_t i = 0; i < 42; i++)
		assert_int_equal(
		    rpcrig_submit(c, "echo", NULL, 0, &a[i]), i + 2);
	raw_put(fd, data, len);
	rpcrig_turn(c, &t[0].pushed.n, 1);
	assert_int_equal(t[0].pushed.hdr.seqno, 43);
	assert_int_equal(t[0].pushed.bytes, 12);
	assert_string_equal(t[0].pushed.subject, "");
	assert_int_equal(t[2].pushed.n, 1);
	assert_int_equal(t[1].pushed.n, 0);
	assert_int_equal(a[41].n, 0);
	/* And without a subscription it is for who takes the rest. */
	assert_int_equal(rk_client_unsubscribe(c, t[0].id), RK_OK);
	assert_int_equal(rk_client_unsubscribe(c, t[2].id), RK_OK);
	raw_put(fd, data, len);
	rpcrig_turn(c, &rest.n, 1);
	assert_int_equal(t[0].pushed.n, 1);
	assert_int_equal(t[2].pushed.n, 1);
	raw_close(fd);
	rpcrig_turn(c, &a[41].n, 1);
	assert_int_equal(a[41].code, RK_ECLOSED);
	rk_client_free(c);
	raw_close(l);
	free(data);
}

/* Its client's one-way message, to a server that has the method. */
static void
on_oneway(struct rk_call *call, void *arg)
{
	struct rpcrig *rig = arg;
	const struct rk_header *h = rk_call_header(call);

	assert_true(rk_call_is_oneway(call));
	assert_int_equal(h->seqno, 2);
	assert_int_equal(h->call_id.len, 44);
	assert_int_equal(rk_call_payload(call).len, 12);
	(void)pthread_mutex_lock(&rig->lock);
	rig->handled++;
	(void)pthread_cond_broadcast(&rig->changed);
	(void)pthread_mutex_unlock(&rig->lock);
}

static void
swap(struct rpcrig *rig, void *arg)
{
	const struct rk_method m = {
		.name = "oneway", .fn = on_oneway, .arg = rig
	};

	(void)arg;
	assert_int_equal(
	    rk_server_methods(rig->server, &m, 1, NULL, NULL, NULL), RK_OK);
}

/* And what we push, as a Go client would read it: 4.5 of the norm it has. */
static void
serves_go(void **state)
{
	struct rpcrig rig;
	struct rk_push_target to = { .to = RK_PUSH_ALL };
	const struct rk_arg arg = { { "key", 3 }, { "value", 5 } };
	struct rk_push push = { .subject = "s",
		.call_id = "an id",
		.method = "m",
		.payload = "p",
		.payload_len = 1,
		.args = &arg,
		.n_args = 1 };
	struct rk_str value;
	struct msg m;
	size_t len;
	uint8_t *data = vectors_load("oneway-push-c2s", &len);
	int fd;

	rpcrig_begin(&rig, *state);
	rpcrig_do(&rig, swap, NULL);
	fd = raw_dial(&rig);
	raw_put(fd, data, len);
	rpcrig_await(&rig, &rig.handled, 1);
	assert_int_equal(push_try(&rig, &to, &push), RK_OK);
	raw_get(fd, &m); /* the first that comes: nothing answered */
	assert_int_equal(m.hdr.type, 100);
	assert_int_equal(m.hdr.seqno, 0);
	assert_memory_equal(m.hdr.subject.ptr, "s", 1);
	assert_memory_equal(m.hdr.to_service.ptr, "m", 1);
	assert_int_equal(m.hdr.call_id.len, 5);
	assert_memory_equal(m.payload.ptr, "p", 1);
	assert_true(rk_args_get(&m.hdr.args, "key", &value));
	assert_int_equal(value.len, 5);
	raw_close(fd);
	rpcrig_end(&rig);
	free(data);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "subjects", gets_what_it_subscribed_to, RPC_ALL },
		{ "again", subscribes_again, RPC_ALL },
		{ "shared", shares_a_subject, RPC_ALL },
		{ "within a push", changes_within_a_push, RPC_ALL },
		{ "nonsense", refuses_nonsense, RPC_ONLY(RPC_TCP) },
		{ "bounds", bounds_subjects, RPC_ALL },
		{ "who may", asks_who_may, RPC_ALL },
		{ "Go's server", hears_go, RPC_ONLY(RPC_TCP) },
		{ "Go's client", serves_go, RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "rpc subscribe", cases, sizeof(cases) / sizeof(cases[0]));
}
