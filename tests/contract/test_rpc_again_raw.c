/* A server that goes in every phase of a call, by hand over plain TCP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "againpeer.h"

#include <rpckit/push.h>
#include <rpckit/stream.h>

/* ---- phases ---- */

/* The end was there before the first byte: nobody has seen them. */
static void
sends_what_was_not_sent(void **state)
{
	struct rpcanswer a[2];
	struct againpeer w;
	struct msg m;

	(void)state;
	againpeer_init(&w);
	againpeer_open(&w);
	againpeer_cut(&w);
	(void)again_submit(&w.r, "plain", false, "p", 1, &a[0]);
	again_send(&w.r, "notice", 10);
	(void)again_submit(&w.r, "marked", true, "m", 1, &a[1]);
	againpeer_open(&w);
	assert_int_equal(w.r.lost, 1);
	againpeer_expect(&w, RK_TYPE_CALL, "plain", &m);
	assert_int_equal(m.payload.len, 1);
	againpeer_answer(&w, &m, RK_TYPE_REPLY);
	againpeer_expect(&w, RK_TYPE_ONEWAY, "notice", &m);
	assert_memory_equal(m.payload.ptr, rpcrig_bytes, 10);
	againpeer_expect(&w, RK_TYPE_CALL, "marked", &m);
	againpeer_answer(&w, &m, RK_TYPE_REPLY);
	for (int i = 0; i < 2; i++) {
		again_turn(&w.r, &a[i].n, 1);
		assert_int_equal(a[i].code, RK_OK);
		assert_string_equal(a[i].text, "yes");
	}
	againpeer_check_quiet(&w);
	againpeer_fini(&w);
}

/* What the server has read may have run: only what is marked comes again, by
 * another id. */
static void
repeats_only_what_is_marked(void **state)
{
	struct rpcanswer plain, marked;
	struct againpeer w;
	struct msg m;

	(void)state;
	againpeer_init(&w);
	againpeer_open(&w);
	(void)again_submit(&w.r, "plain", false, "p", 1, &plain);
	again_send(&w.r, "notice", 10);
	(void)again_submit(&w.r, "marked", true, "m", 1, &marked);
	againpeer_expect(&w, RK_TYPE_CALL, "plain", &m);
	againpeer_expect(&w, RK_TYPE_ONEWAY, "notice", &m);
	againpeer_expect(&w, RK_TYPE_CALL, "marked", &m);
	againpeer_note(&w, &m, 0);
	againpeer_cut(&w);
	againpeer_open(&w);
	assert_int_equal(plain.n, 1); /* at once */
	assert_int_equal(plain.code, RK_ECLOSED);
	assert_true(plain.maybe_executed);
	againpeer_expect(&w, RK_TYPE_CALL, "marked", &m);
	againpeer_note(&w, &m, 1);
	assert_int_equal(w.seqno[0], w.seqno[1]);
	assert_string_not_equal(w.id[0], w.id[1]);
	assert_memory_equal(m.payload.ptr, "m", 1);
	assert_int_equal(marked.n, 0);
	againpeer_answer(&w, &m, RK_TYPE_REPLY);
	again_turn(&w.r, &marked.n, 1);
	assert_int_equal(marked.code, RK_OK);
	againpeer_check_quiet(&w);
	assert_int_equal(plain.n, 1);
	assert_int_equal(marked.n, 1);
	againpeer_fini(&w);
}

static void
repeats_nothing_that_was_answered(void **state)
{
	struct rpcanswer a[2];
	struct againpeer w;
	struct msg m;

	(void)state;
	againpeer_init(&w);
	againpeer_open(&w);
	(void)again_submit(&w.r, "marked", true, "m", 1, &a[0]);
	(void)again_submit(&w.r, "plain", false, "p", 1, &a[1]);
	for (int i = 0; i < 2; i++) {
		againpeer_get(&w, &m);
		againpeer_answer(&w, &m, RK_TYPE_REPLY);
	}
	againpeer_cut(&w); /* both answers are on their way */
	againpeer_open(&w);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(a[i].n, 1);
		assert_int_equal(a[i].code, RK_OK);
	}
	againpeer_check_quiet(&w);
	againpeer_fini(&w);
}

/* The kernel takes some of it, in the middle of a message: those it has seen
 * a byte of are over, all others arrive, whole and in order. */
static void
tells_the_cut_from_the_unsent(void **state)
{
	enum {
		CALLS = 14
	};
	static struct rpcanswer a[CALLS];
	struct rpcanswer marked;
	struct againpeer w;
	unsigned over;
	struct msg m;

	(void)state;
	againpeer_init(&w);
	w.r.conf.max_queue = 32u << 20;
	againpeer_open(&w);
	(void)again_submit(&w.r, "marked", true, rpcrig_bytes, 1000, &marked);
	for (unsigned i = 0; i < CALLS; i++)
		(void)again_submit(&w.r, "plain", false, rpcrig_bytes,
		    RK_PAYLOAD_MAX - i, &a[i]);
	/* The end is in the middle of one that had waited. */
	againpeer_read(&w, 2500000);
	for (int i = 0; i < 50; i++) /* all that goes */
		assert_int_equal(rk_client_process(w.r.client), RK_OK);
	over = againpeer_drain(&w) - 1; /* the marked one came, too */
	assert_in_range(over, 1, CALLS - 1);
	againpeer_cut(&w);
	againpeer_open(&w);
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(a[i].n, i < over);
	for (unsigned i = 0; i < over; i++) {
		assert_int_equal(a[i].code, RK_ECLOSED);
		assert_true(a[i].maybe_executed);
	}
	againpeer_expect(&w, RK_TYPE_CALL, "marked", &m);
	assert_int_equal(m.payload.len, 1000);
	againpeer_answer(&w, &m, RK_TYPE_REPLY);
	for (unsigned i = over; i < CALLS; i++) {
		assert_int_equal(a[i].n, 0);
		againpeer_expect(&w, RK_TYPE_CALL, "plain", &m);
		assert_int_equal(m.payload.len, RK_PAYLOAD_MAX - i);
		assert_memory_equal(
		    m.payload.ptr, rpcrig_bytes, RK_PAYLOAD_MAX - i);
		againpeer_answer(&w, &m, RK_TYPE_REPLY);
	}
	for (unsigned i = over; i < CALLS; i++) {
		again_turn(&w.r, &a[i].n, 1);
		assert_int_equal(a[i].code, RK_OK);
	}
	again_turn(&w.r, &marked.n, 1);
	againpeer_check_quiet(&w);
	againpeer_fini(&w);
}

static void
repeats_a_call_so_often(void **state)
{
	struct rpcanswer marked;
	struct againpeer w;
	struct msg m;

	(void)state;
	againpeer_init(&w);
	w.r.again.repeats = 2;
	againpeer_open(&w);
	(void)again_submit(&w.r, "poison", true, "m", 1, &marked);
	for (int i = 0; i < 3; i++) {
		againpeer_expect(&w, RK_TYPE_CALL, "poison", &m);
		assert_int_equal(marked.n, 0);
		againpeer_cut(&w);
		againpeer_open(&w);
	}
	assert_int_equal(marked.n, 1);
	assert_int_equal(marked.code, RK_ECLOSED);
	assert_true(marked.maybe_executed);
	againpeer_check_quiet(&w);
	againpeer_fini(&w);
}

/* ---- in a pause ---- */

/* A pause that lasts until somebody ends it. */
static void
begin_with_pauses(struct againpeer *w)
{
	w->r.again.first_ms = w->r.again.max_ms = 300;
	againpeer_open(w);
}

static void
forgets_what_ends_in_a_pause(void **state)
{
	struct rpcanswer a[4];
	struct againpeer w;
	struct msg m;
	uint64_t id[4];

	(void)state;
	againpeer_init(&w);
	begin_with_pauses(&w);
	id[0] = again_submit(&w.r, "sent", true, "m", 1, &a[0]);
	againpeer_expect(&w, RK_TYPE_CALL, "sent", &m);
	againpeer_cut(&w);
	again_turn(&w.r, &w.r.lost, 1);
	id[1] = again_submit(&w.r, "new", true, "m", 1, &a[1]);
	memset(&a[2], 0, sizeof(a[2]));
	(void)rpcrig_submit_for(w.r.client, "late", 20, &a[2]);
	for (int i = 0; i < 2; i++)
		assert_int_equal(rk_client_cancel(w.r.client, id[i]), RK_OK);
	for (int i = 0; i < 3; i++)
		again_turn(&w.r, &a[i].n, 1);
	assert_int_equal(a[0].code, RK_ECANCELED);
	assert_true(a[0].maybe_executed); /* on the first connection */
	assert_int_equal(a[1].code, RK_ECANCELED);
	assert_false(a[1].maybe_executed);
	assert_int_equal(a[2].code, RK_ETIMEOUT);
	assert_false(a[2].maybe_executed);
	assert_int_equal(w.r.connected, 1); /* still in it */
	againpeer_open(&w);
	againpeer_check_quiet(&w);
	againpeer_fini(&w);
}

static void
limits_what_waits_and_what_is_kept(void **state)
{
	const struct rk_request big = { .method = "big",
		.payload = rpcrig_bytes,
		.payload_len = 100000,
		.idempotent = true };
	static struct rpcanswer a[8];
	struct againpeer w;
	struct msg m;

	(void)state;
	memset(a, 0, sizeof(a));
	againpeer_init(&w);
	w.r.conf.max_queue = 250000;
	w.r.conf.max_pending = 5;
	begin_with_pauses(&w);
	/* Sent all, and kept. */
	for (int i = 0; i < 3; i++)
		(void)again_submit(
		    &w.r, "big", true, rpcrig_bytes, 100000, &a[i]);
	for (int i = 0; i < 3; i++)
		againpeer_expect(&w, RK_TYPE_CALL, "big", &m);
	assert_int_equal(
	    rk_client_submit(w.r.client, &big, rpcrig_on_reply, &a[3], NULL),
	    RK_ELIMIT);
	(void)again_submit(&w.r, "plain", false, NULL, 0, &a[3]);
	againpeer_expect(&w, RK_TYPE_CALL, "plain", &m);
	againpeer_answer(&w, &m, RK_TYPE_REPLY);
	again_turn(&w.r, &a[3].n, 1);
	againpeer_cut(&w);
	again_turn(&w.r, &w.r.lost, 1);
	/* Repetitions wait: nothing else is taken. */
	assert_int_equal(
	    rk_client_submit(w.r.client, &big, rpcrig_on_reply, &a[3], NULL),
	    RK_ELIMIT);
	assert_int_equal(rk_client_send(w.r.client, &big), RK_ELIMIT);
	againpeer_open(&w);
	for (int i = 0; i < 3; i++) {
		againpeer_expect(&w, RK_TYPE_CALL, "big", &m);
		assert_int_equal(m.payload.len, 100000);
		againpeer_answer(&w, &m, RK_TYPE_REPLY);
		again_turn(&w.r, &a[i].n, 1);
		assert_int_equal(a[i].code, RK_OK);
	}
	/* Room again. */
	(void)again_submit(&w.r, "big", true, rpcrig_bytes, 100000, &a[0]);
	againpeer_expect(&w, RK_TYPE_CALL, "big", &m);
	againpeer_answer(&w, &m, RK_TYPE_REPLY);
	again_turn(&w.r, &a[0].n, 1);
	againpeer_cut(&w);
	again_turn(&w.r, &w.r.lost, 2);
	for (int i = 0; i < 5; i++)
		(void)again_submit(&w.r, "few", false, NULL, 0, &a[i]);
	assert_int_equal(
	    rk_client_submit(w.r.client, &big, rpcrig_on_reply, &a[5], NULL),
	    RK_ELIMIT);
	againpeer_fini(&w);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(a[i].n, 1);
		assert_int_equal(a[i].code, RK_ECANCELED);
	}
}

static void
blocks_until_the_next_connection(void **state)
{
	struct rk_error err;
	struct againpeer w;
	struct msg m;

	(void)state;
	againpeer_init(&w);
	againpeer_open(&w);
	againpeer_cut(&w);
	again_turn(&w.r, &w.r.lost, 1);
	assert_int_equal(rk_client_finish(w.r.client, 10, &err), RK_ESTATE);
	again_send(&w.r, "notice", 100);
	assert_int_equal(rk_client_flush(w.r.client, &err), RK_OK);
	assert_int_equal(w.r.connected, 2);
	againpeer_accept(&w);
	againpeer_expect(&w, RK_TYPE_ONEWAY, "notice", &m);
	againpeer_fini(&w);
}

/* Inside `lost` a call waits like any other. */
static void
takes_calls_where_it_is_told(void **state)
{
	struct againpeer w;
	struct msg m;

	(void)state;
	againpeer_init(&w);
	w.r.submit_when_lost = true;
	againpeer_open(&w);
	againpeer_cut(&w);
	againpeer_open(&w);
	againpeer_expect(&w, RK_TYPE_CALL, "echo", &m);
	againpeer_answer(&w, &m, RK_TYPE_REPLY);
	again_turn(&w.r, &w.r.submitted.n, 1);
	assert_int_equal(w.r.submitted.code, RK_OK);
	againpeer_fini(&w);
}

/* ---- streams ---- */

static void
on_stream_end(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	struct rpcanswer *a = arg;

	(void)s;
	a->n++;
	a->code = reply->code;
	a->maybe_executed = reply->maybe_executed;
}

static const struct rk_stream_events stream_events = {
	.ended = on_stream_end,
};

static struct rk_stream *
open_stream(struct againpeer *w, const char *method, struct rpcanswer *a)
{
	const struct rk_request req = { .method = method };
	struct rk_stream *s;

	memset(a, 0, sizeof(*a));
	assert_int_equal(rk_client_stream(w->r.client, RK_STREAM_UP, &req,
	                     &stream_events, a, &s),
	    RK_OK);
	return s;
}

/* They end with their connection; one that was opened in a pause has the
 * next. */
static void
ends_streams(void **state)
{
	const struct rk_part part = { .payload = { rpcrig_bytes, 10 } };
	struct rpcanswer a[2];
	struct rk_stream *s;
	struct againpeer w;
	struct msg m;

	(void)state;
	againpeer_init(&w);
	begin_with_pauses(&w);
	s = open_stream(&w, "one", &a[0]);
	againpeer_expect(&w, RK_TYPE_UPLOAD_BEGIN, "one", &m);
	assert_int_equal(rk_stream_send(s, &part), RK_OK);
	againpeer_expect(&w, RK_TYPE_UPLOAD_MORE, "one", &m);
	againpeer_cut(&w);
	assert_int_equal(rk_stream_send(s, &part), RK_OK); /* unsent */
	again_turn(&w.r, &w.r.lost, 1);
	assert_int_equal(a[0].n, 1);
	assert_int_equal(a[0].code, RK_ECLOSED);
	assert_true(a[0].maybe_executed);
	s = open_stream(&w, "two", &a[1]);
	assert_int_equal(rk_stream_send(s, &part), RK_EAGAIN);
	againpeer_open(&w);
	againpeer_expect(&w, RK_TYPE_UPLOAD_BEGIN, "two", &m);
	assert_int_equal(rk_stream_send(s, &part), RK_OK);
	againpeer_expect(&w, RK_TYPE_UPLOAD_MORE, "two", &m);
	againpeer_answer(&w, &m, RK_TYPE_REPLY);
	again_turn(&w.r, &a[1].n, 1);
	assert_int_equal(a[1].code, RK_OK);
	againpeer_check_quiet(&w);
	againpeer_fini(&w);
}

/* ---- subscriptions ---- */

static void
ignore_push(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	(void)c;
	(void)hdr;
	(void)payload;
	(void)arg;
}

/* Each server is told of what is subscribed to, those in a pause, too. */
static void
subscribes_again(void **state)
{
	struct rk_subscription sub = {
		.subject = "one", .announce = true, .fn = ignore_push
	};
	struct againpeer w;
	struct msg m;

	(void)state;
	againpeer_init(&w);
	begin_with_pauses(&w);
	assert_int_equal(rk_client_subscribe(w.r.client, &sub, NULL), RK_OK);
	againpeer_expect(&w, RK_TYPE_CALL, "_.subscribe", &m);
	againpeer_answer(&w, &m, RK_TYPE_REPLY);
	againpeer_check_quiet(&w);
	againpeer_cut(&w);
	again_turn(&w.r, &w.r.lost, 1);
	sub.subject = "two";
	assert_int_equal(rk_client_subscribe(w.r.client, &sub, NULL), RK_OK);
	againpeer_open(&w);
	for (int i = 0; i < 2; i++) {
		againpeer_expect(&w, RK_TYPE_CALL, "_.subscribe", &m);
		assert_memory_equal(m.payload.ptr + m.payload.len - 3,
		    i == 0 ? "one" : "two", 3);
		againpeer_answer(&w, &m, RK_TYPE_REPLY);
	}
	againpeer_check_quiet(&w);
	againpeer_fini(&w);
}

static void
expect_topic(struct againpeer *w, const char *method, const char *topic)
{
	size_t n = strlen(topic);
	struct msg m;

	againpeer_expect(w, RK_TYPE_CALL, method, &m);
	assert_memory_equal(m.payload.ptr + m.payload.len - n, topic, n);
	againpeer_answer(w, &m, RK_TYPE_REPLY);
}

/* What was to be taken back on one connection is not on the next, which was
 * told of something else. */
static void
takes_nothing_back_from_the_next(void **state)
{
	const struct rk_subscription sub = {
		.subject = "one", .announce = true, .fn = ignore_push
	};
	struct againpeer w;
	uint64_t id;

	(void)state;
	againpeer_init(&w);
	begin_with_pauses(&w);
	assert_int_equal(rk_client_subscribe(w.r.client, &sub, &id), RK_OK);
	expect_topic(&w, "_.subscribe", "one");
	againpeer_check_quiet(&w);
	againpeer_cut(&w);
	assert_int_equal(rk_client_unsubscribe(w.r.client, id), RK_OK);
	again_turn(&w.r, &w.r.lost, 1); /* it was not sent */
	assert_int_equal(rk_client_subscribe(w.r.client, &sub, NULL), RK_OK);
	againpeer_open(&w);
	expect_topic(&w, "_.subscribe", "one");
	againpeer_check_quiet(&w);
	againpeer_fini(&w);
}

/* As many calls as there may be wait for the server: it is told nevertheless.
 */
static void
subscribes_however_much_waits(void **state)
{
	struct rk_subscription sub = { .announce = true, .fn = ignore_push };
	static const char *const topics[] = { "one", "two", "three" };
	struct rpcanswer a[2];
	struct againpeer w;
	struct msg m;

	(void)state;
	againpeer_init(&w);
	w.r.conf.max_pending = 2;
	begin_with_pauses(&w);
	againpeer_cut(&w);
	again_turn(&w.r, &w.r.lost, 1);
	for (int i = 0; i < 3; i++) {
		sub.subject = topics[i];
		assert_int_equal(
		    rk_client_subscribe(w.r.client, &sub, NULL), RK_OK);
	}
	for (int i = 0; i < 2; i++)
		(void)again_submit(&w.r, "plain", false, "p", 1, &a[i]);
	againpeer_open(&w);
	for (int i = 0; i < 3; i++)
		expect_topic(&w, "_.subscribe", topics[i]);
	for (int i = 0; i < 2; i++) {
		againpeer_expect(&w, RK_TYPE_CALL, "plain", &m);
		againpeer_answer(&w, &m, RK_TYPE_REPLY);
		again_turn(&w.r, &a[i].n, 1);
		assert_int_equal(a[i].code, RK_OK);
	}
	againpeer_fini(&w);
}

/* ---- health ---- */

static void
leaves_who_does_not_answer(void **state)
{
	struct rpcanswer a;
	struct againpeer w;
	struct msg m;
	char url[128];
	int first, other;

	(void)state;
	againpeer_init(&w);
	other = raw_listen(url);
	w.r.urls[w.r.again.n_urls++] = url;
	w.r.again.health_ms = 30;
	againpeer_open(&w);
	(void)again_submit(&w.r, "marked", true, "m", 1, &a);
	againpeer_expect(&w, RK_TYPE_CALL, "marked", &m);
	againpeer_expect(&w, RK_TYPE_CALL, "_.ping", &m);
	/* An answer of any kind will do. */
	againpeer_answer(&w, &m, RK_TYPE_ERROR);
	againpeer_expect(&w, RK_TYPE_CALL, "_.ping", &m);
	assert_int_equal(w.r.lost, 0);
	again_turn(&w.r, &w.r.lost, 1);
	assert_int_equal(w.r.losses[0].code, RK_ETIMEOUT);
	assert_string_equal(w.r.losses[0].url, w.url);
	againpeer_cut(&w);
	first = w.listener; /* it still listens */
	w.listener = other;
	againpeer_open(&w);
	raw_close(first);
	againpeer_expect(&w, RK_TYPE_CALL, "marked", &m);
	againpeer_answer(&w, &m, RK_TYPE_REPLY);
	again_turn(&w.r, &a.n, 1);
	assert_int_equal(a.code, RK_OK);
	againpeer_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_what_was_not_sent),
		cmocka_unit_test(repeats_only_what_is_marked),
		cmocka_unit_test(repeats_nothing_that_was_answered),
		cmocka_unit_test(tells_the_cut_from_the_unsent),
		cmocka_unit_test(repeats_a_call_so_often),
		cmocka_unit_test(forgets_what_ends_in_a_pause),
		cmocka_unit_test(limits_what_waits_and_what_is_kept),
		cmocka_unit_test(blocks_until_the_next_connection),
		cmocka_unit_test(takes_calls_where_it_is_told),
		cmocka_unit_test(ends_streams),
		cmocka_unit_test(subscribes_again),
		cmocka_unit_test(takes_nothing_back_from_the_next),
		cmocka_unit_test(subscribes_however_much_waits),
		cmocka_unit_test(leaves_who_does_not_answer),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
