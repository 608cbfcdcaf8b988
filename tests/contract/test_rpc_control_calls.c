/* Control sockets: figures of methods, events of calls, of all threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<ngtcp2/ngtcp2.h>)
#include <ngtcp2/ngtcp2.h>
#endif

#include "ctlrig.h"
#include "pushrig.h"
#include "streamrig.h"

#ifdef NGTCP2_CONN_INFO_V2
static const bool quic_tells_losses = true;
#else
static const bool quic_tells_losses = false;
#endif

static void
want_calls(struct rk_client *v, bool yes)
{
	uint8_t arg[] = { 0x81, 0xa5, 'c', 'a', 'l', 'l', 's',
		yes ? 0xc3 : 0xc2 };
	enum rk_err code;

	(void)ctl_ask(v, "_.events", arg, sizeof(arg), &code);
	assert_int_equal(code, RK_OK);
}

/* The row of a method, in a buffer that the next one reuses. */
static const char *
figures_of(struct rk_client *v, const char *method)
{
	static char row[1024];
	const char *text = ctl_get(v, "_.figures");
	char head[64];
	const char *at;

	(void)snprintf(head, sizeof(head), "{\"name\":\"%s\",", method);
	at = strstr(text, head);
	assert_non_null(at);
	(void)snprintf(row, sizeof(row), "%.*s", (int)strcspn(at, "}"), at);
	return row;
}

static uint64_t
number(const char *row, const char *key)
{
	char want[64];
	const char *at;

	(void)snprintf(want, sizeof(want), "\"%s\":", key);
	at = strstr(row, want);
	assert_non_null(at);
	return strtoull(at + strlen(want), NULL, 10);
}

static void
counts_methods(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct rpcanswer a = { 0 }, held = { 0 };
	struct rk_client *c[3], *v;
	const char *row, *text;

	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.view, NULL);
	assert_int_equal(number(figures_of(v, "fail"), "calls"), 0);
	for (size_t i = 0; i < 3; i++) {
		c[i] = push_client(&rig, &p, NULL);
		for (size_t j = 0; j <= i; j++)
			assert_int_equal(
			    rpcrig_try(c[i], "fail", "no\nway", 6, &a),
			    RK_EREMOTE);
		assert_int_equal(rpcrig_try(c[i], "echo", "x", 1, &a), RK_OK);
	}
	assert_int_equal(rpcrig_try(c[0], "nobody", "", 0, &a), RK_ENOMETHOD);
	(void)rpcrig_submit(c[0], "hold", "x", 1, &held);
	rpcrig_turn_for(c[0], &rig, &rig.n_held, 1);
	row = figures_of(v, "fail");
	assert_int_equal(number(row, "calls"), 6);
	assert_int_equal(number(row, "ended"), 6);
	assert_int_equal(number(row, "errors"), 6);
	assert_int_equal(number(row, "running"), 0);
	assert_true(number(row, "p99_us") <= number(row, "max_us"));
	assert_true(number(row, "p50_us") <= number(row, "p90_us"));
	assert_true(number(row, "max_us") <= number(row, "total_us"));
	assert_int_equal(number(figures_of(v, "echo"), "errors"), 0);
	assert_int_equal(number(figures_of(v, "hold"), "running"), 1);
	text = ctl_get(v, "_.metrics");
	ctl_has(text, "\nrpckit_method_calls_total{method=\"fail\"} 6\n");
	ctl_has(text, "\nrpckit_method_errors_total{method=\"fail\"} 6\n");
	ctl_has(text, "\nrpckit_method_running{method=\"hold\"} 1\n");
	ctl_has(text, "\nrpckit_method_seconds{method=\"echo\","
	              "quantile=\"0.99\"} 0.");
	ctl_has(text, "\nrpckit_method_seconds_count{method=\"echo\"} 3\n");
	rpcrig_answer(&rig, 0, NULL, "x", 1);
	rpcrig_turn(c[0], &held.n, 1);
	row = figures_of(v, "hold");
	assert_int_equal(number(row, "running"), 0);
	assert_int_equal(number(row, "ended"), 1);
	for (size_t i = 0; i < 3; i++)
		rk_client_free(c[i]);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

/* As far as its transport knows. */
static void
describes_connections(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct rpcanswer a = { 0 };
	struct rk_client *c, *v;
	const char *text;

	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.view, NULL);
	c = push_client(&rig, &p, NULL);
	text = ctl_get(v, "_.conns");
	ctl_has(text, "\"failed\":0,");
	assert_null(strstr(text, "\"error\":"));
	assert_int_equal(rpcrig_try(c, "fail", "no \x1b", 4, &a), RK_EREMOTE);
	assert_int_equal(rpcrig_try(c, "echo", "x", 1, &a), RK_OK);
	text = ctl_get(v, "_.conns");
	assert_int_equal(number(text, "failed"), 1);
	ctl_has(text, "\"error\":\"no \\\\x1b\",\"error_method\":\"fail\",");
	assert_int_equal(
	    ctl_count(text, "\"rtt_us\":"), rig.kind == RPC_UNIX ? 0 : 1);
	if (rig.kind != RPC_UNIX)
		assert_true(number(text, "rtt_us") < 10000000);
	assert_int_equal(ctl_count(text, "\"retrans\":"),
	    rig.kind == RPC_UNIX || (rig.kind == RPC_QUIC && !quic_tells_losses)
	        ? 0
	        : 1);
	if (rpc_is_secure(rig.kind)) {
		ctl_has(text, "\"cipher\":\"TLS_");
		ctl_has(text, "\"key\":\"\",\"cn\":\"client\",\"ca\":\"");
		ctl_has(text, "\"not_after\":\"20");
	} else if (rpc_is_session(rig.kind)) {
		ctl_has(text, "\"cipher\":\"Noise_NN_");
		ctl_has(text, "\"ca\":\"SSH keys\"");
	} else {
		assert_null(strstr(text, "\"cipher\":"));
		assert_null(strstr(text, "\"cn\":"));
	}
	rk_client_free(c);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

struct swap {
	enum rk_err r;
};

static void
swap_methods(struct rpcrig *r, void *arg)
{
	const struct rk_method *list;
	size_t n = rpcrig_methods(r, &list);
	struct swap *s = arg;

	s->r = rk_server_methods(r->server, list, n, NULL, NULL, NULL);
}

/* Also of calls that have begun before. */
static void
counts_across_new_methods(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct rpcanswer held = { 0 };
	struct rk_client *c, *v;
	struct swap s;

	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.view, NULL);
	c = push_client(&rig, &p, NULL);
	(void)rpcrig_submit(c, "hold", "x", 1, &held);
	rpcrig_turn_for(c, &rig, &rig.n_held, 1);
	rpcrig_do(&rig, swap_methods, &s);
	assert_int_equal(s.r, RK_OK);
	assert_int_equal(number(figures_of(v, "hold"), "running"), 1);
	rpcrig_answer(&rig, 0, "no", NULL, 0);
	rpcrig_turn(c, &held.n, 1);
	assert_int_equal(number(figures_of(v, "hold"), "running"), 0);
	assert_int_equal(number(figures_of(v, "hold"), "errors"), 1);
	rk_client_free(c);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

static void
pushes_calls(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct rpcanswer a = { 0 };
	struct ctlnews *news = calloc(1, sizeof(*news));
	struct rk_client *c, *v;
	char want[128];
	uint64_t id;

	assert_non_null(news);
	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.view, news);
	/* Not unless they are asked for. */
	assert_int_equal(ctl_order(v, "_.events", "x", "y"), RK_OK);
	c = push_client(&rig, &p, NULL);
	push_sync(c);
	id = push_conn_id(c);
	want_calls(v, true);
	assert_int_equal(rpcrig_try(c, "fail", "\x1b no", 4, &a), RK_EREMOTE);
	ctl_await_news(v, news, "\"event\":\"ended\"");
	assert_int_equal(ctl_count(news->all, "\"event\":\"begun\""), 1);
	assert_int_equal(ctl_count(news->all, "\"event\":\"ended\""), 1);
	assert_int_equal(ctl_count(news->all, "\"method\":\"fail\""), 2);
	assert_true(
	    strstr(news->all, "\"begun\"") < strstr(news->all, "\"ended\""));
	ctl_has(news->last, "\"error\":\"\\\\x1b no\"");
	ctl_has(news->last, "\"us\":");
	(void)snprintf(want, sizeof(want),
	    "\"conn\":%llu,\"email\":\"%s\",\"cn\":\"%s\"",
	    (unsigned long long)id,
	    rpc_is_secure(rig.kind) ? "client@example.org" : "",
	    rpc_is_secure(rig.kind) ? "client" : "");
	assert_int_equal(ctl_count(news->all, want), 2);
	(void)snprintf(want, sizeof(want), "\"id\":%llu,\"method\":\"fail\"",
	    (unsigned long long)number(news->last, "id"));
	assert_int_equal(ctl_count(news->all, want), 2);
	assert_int_equal(rpcrig_try(c, "echo", "x", 1, &a), RK_OK);
	ctl_await_news(v, news, "\"error\":\"\"");
	/* And no more. */
	want_calls(v, false);
	push_sync(c);
	rk_client_free(c);
	ctl_await_news(v, news, "\"event\":\"closed\"");
	assert_int_equal(ctl_count(news->all, "\"event\":\"begun\""), 2);
	assert_int_equal(ctl_count(news->all, "\"event\":\"ended\""), 2);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
	free(news);
}

static void
pushes_calls_of_one(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct rpcanswer a = { 0 };
	struct ctlnews *news = calloc(1, sizeof(*news));
	struct rk_client *c, *d, *v;
	uint8_t arg[] = { 0x82, 0xa5, 'c', 'a', 'l', 'l', 's', 0xc3, 0xa2, 'o',
		'f', 0xcf, 0, 0, 0, 0, 0, 0, 0, 0 };
	enum rk_err code;

	assert_non_null(news);
	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.view, news);
	c = push_client(&rig, &p, NULL);
	d = push_client(&rig, &p, NULL);
	push_sync(c);
	push_sync(d);
	for (size_t i = 0; i < 8; i++)
		arg[sizeof(arg) - 1 - i] = (uint8_t)(push_conn_id(d) >> 8 * i);
	(void)ctl_ask(v, "_.events", arg, sizeof(arg), &code);
	assert_int_equal(code, RK_OK);
	assert_int_equal(rpcrig_try(c, "fail", "x", 1, &a), RK_EREMOTE);
	assert_int_equal(rpcrig_try(d, "echo", "x", 1, &a), RK_OK);
	ctl_await_news(v, news, "\"event\":\"ended\"");
	assert_int_equal(ctl_count(news->all, "\"method\":\"echo\""), 2);
	assert_int_equal(ctl_count(news->all, "\"method\":\"fail\""), 0);
	rk_client_free(c);
	rk_client_free(d);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
	free(news);
}

/* A watcher that does not read costs no more than a bound; each event is pushed
 * or counted. */
#define CALLS 2000

static void
bounds_events_of_calls(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct pushed p = { 0 };
	struct rpcanswer *a = calloc(CALLS, sizeof(*a));
	struct ctlnews *news = calloc(1, sizeof(*news));
	struct rk_client *c, *v;
	uint64_t got = 0;

	assert_non_null(a);
	assert_non_null(news);
	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.view, news);
	c = push_client(&rig, &p, NULL);
	want_calls(v, true);
	for (size_t i = 0; i < CALLS; i++)
		(void)rpcrig_submit(c, "echo", "x", 1, &a[i]);
	for (size_t i = 0; i < CALLS; i++)
		rpcrig_turn(c, &a[i].n, 1);
	while (got < 2 * CALLS) {
		rpcrig_turn(v, &news->n, news->n + 1);
		got = ctl_count(news->all, "\"event\":\"opened\"");
		got = news->n - got + news->lost - news->losses;
	}
	assert_int_equal(got, 2 * CALLS);
	assert_int_equal(number(figures_of(v, "echo"), "ended"), CALLS);
	rk_client_free(c);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
	free(news);
	free(a);
}

/* ---- an operator cancels ---- */

/* The number of the call whose row has this text, and its connection. */
static uint64_t
await_call(struct rk_client *v, const char *has, uint64_t *conn)
{
	const char *text = ctl_await(v, "_.calls", has, true, NULL);
	const char *at = strstr(text, has), *row;

	for (row = text; strstr(row + 1, "{\"id\":") != NULL &&
	                 strstr(row + 1, "{\"id\":") < at;)
		row = strstr(row + 1, "{\"id\":");
	*conn = number(row, "conn");
	return number(row, "id");
}

static void
put_number(uint8_t **at, const char *key, uint64_t n)
{
	*(*at)++ = (uint8_t)(0xa0 | strlen(key));
	memcpy(*at, key, strlen(key));
	*at += strlen(key);
	*(*at)++ = 0xcf;
	for (int i = 56; i >= 0; i -= 8)
		*(*at)++ = (uint8_t)(n >> i);
}

static const char *
cancel(struct rk_client *v, uint64_t conn, uint64_t id)
{
	uint8_t arg[64] = { 0x82 }, *at = arg + 1;
	enum rk_err code;

	put_number(&at, "conn", conn);
	put_number(&at, "id", id);
	return ctl_ask(v, "_.cancel", arg, (size_t)(at - arg), &code);
}

/* Its handler is told, its caller is answered before that answers; what the
 * handler says then goes nowhere. */
static void
cancels_a_call(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct rpcanswer held = { 0 }, a = { 0 };
	struct rk_client *c, *v;
	uint64_t id, conn;

	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.path, NULL);
	c = rpcrig_client(&rig);
	(void)rpcrig_submit(c, "hold", "x", 1, &held);
	rpcrig_turn_for(c, &rig, &rig.n_held, 1);
	id = await_call(v, "\"method\":\"hold\"", &conn);
	assert_string_equal(cancel(v, conn, id + 1), "no such call");
	assert_string_equal(cancel(v, conn + 1, id), "no such call");
	assert_string_equal(
	    cancel(v, conn, id), "{\"canceled\":1,\"method\":\"hold\"}\n");
	rpcrig_turn(c, &held.n, 1);
	assert_int_equal(held.code, RK_EREMOTE);
	assert_string_equal(held.text, "canceled by an operator");
	assert_int_equal(rpcrig_held(&rig, 0).why, RK_CANCEL_OPERATOR);
	ctl_has(ctl_get(v, "_.calls"), "\"canceled\":true");
	ctl_has(cancel(v, conn, id), "it is canceled already");
	rpcrig_answer(&rig, 0, NULL, "late", 4);
	(void)ctl_await(v, "_.calls", "hold", false, c);
	assert_string_equal(cancel(v, conn, id), "no such call");
	ctl_has(ctl_get(v, "_.conns"), "\"error\":\"canceled by an operator\"");
	/* The connection goes on. */
	assert_int_equal(rpcrig_try(c, "echo", "y", 1, &a), RK_OK);
	assert_int_equal(held.n, 1);
	rk_client_free(c);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

/* One whose end tells its own handler, and its caller. */
static void
cancels_a_stream(void **state)
{
	struct rpcrig rig;
	struct ctl ctl;
	struct rk_client *c, *v;
	struct rk_stream *s;
	uint64_t id, conn;

	streamrig_begin(&rig, *state);
	ctl_begin(&ctl, &rig);
	v = ctl_visit(ctl.path, NULL);
	c = rpcrig_client(&rig);
	s = streamrig_open(c, RK_STREAM_UP, "up", "x", RK_NEVER);
	streamrig_put(s, 10, false);
	id = await_call(v, "\"method\":\"up\"", &conn);
	assert_string_equal(
	    cancel(v, conn, id), "{\"canceled\":1,\"method\":\"up\"}\n");
	streamrig_finish(s, RK_EREMOTE, "canceled by an operator");
	streamrig_await(&streamworld.ended, 1);
	assert_int_equal(atomic_load(&streamworld.ended_code), RK_ECANCELED);
	rk_client_free(c);
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

static void
wants_a_whole_order(void **state)
{
	static const struct {
		const char *arg;
		size_t len;
	} wrong[] = {
		{ "", 0 },
		{ "\x80", 1 },
		{ "\x81\xa4"
		  "conn\x01",
		    7 },
		{ "\x81\xa2"
		  "id\x01",
		    5 },
		{ "\x82\xa4"
		  "conn\x01\xa2"
		  "id\xa1x",
		    12 },
		{ "\x82\xa2"
		  "id\x01\xa2"
		  "id\x01",
		    9 },
		{ "\x82\xa4"
		  "conn\x01\xa4"
		  "call\x01",
		    13 },
	};
	struct rpcrig rig;
	struct ctl ctl;
	struct rk_client *v;
	enum rk_err code;

	ctl_start(&ctl, &rig, *state);
	v = ctl_visit(ctl.path, NULL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ctl_has(
		    ctl_ask(v, "_.cancel", wrong[i].arg, wrong[i].len, &code),
		    "it takes {conn: ID, id: NUMBER}");
	rk_client_free(v);
	v = ctl_visit(ctl.view, NULL);
	assert_string_equal(cancel(v, 1, 1), "not allowed for this caller");
	rk_client_free(v);
	ctl_stop(&ctl, &rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "figures", counts_methods, RPC_ALL },
		{ "connections", describes_connections, RPC_ALL },
		{ "new methods", counts_across_new_methods, RPC_ALL },
		{ "events of calls", pushes_calls, RPC_ALL },
		{ "events of one's calls", pushes_calls_of_one, RPC_ALL },
		{ "cancel", cancels_a_call, RPC_ALL },
		{ "cancel a stream", cancels_a_stream, RPC_ALL },
		{ "cancel wrongly", wants_a_whole_order, RPC_ALL },
		{ "slow reader", bounds_events_of_calls, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc control calls", cases, sizeof(cases) / sizeof(cases[0]));
}
