/* Calls that come before the handshake has ended: which, when, and once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "earlyrig.h"

/* ---- which calls, and when ---- */

static void
runs_marked_calls_early(void **state)
{
	struct rpcanswer a;
	struct early_rig r;

	early_begin(&r, *state);
	early_visit(&r);
	r.tap.hold = true;
	early_start(&r);
	early_submit_text(&r, "marked", "first", &a);
	/* Executed, and answered, before the client's handshake is over. */
	early_await_answers(&r, &a, 1);
	assert_int_equal(a.code, RK_OK);
	assert_string_equal(a.text, "first");
	assert_int_equal(atomic_load(&early_seen.marked), 1);
	assert_int_equal(atomic_load(&early_seen.early), 1);
	assert_true(tap_holds(&r.tap));
	assert_true(early_went_early(&r));
	assert_true(rk_client_peer(r.client)->resumed);
	/* What follows is a call like any other. */
	r.tap.hold = false;
	early_submit_text(&r, "marked", "second", &a);
	early_await_answers(&r, &a, 1);
	assert_int_equal(atomic_load(&early_seen.marked), 2);
	assert_int_equal(atomic_load(&early_seen.early), 1);
	early_end_client(&r);
	early_end(&r);
}

/* However it goes, early it is, and once. */
static void
takes_marked_calls(void **state)
{
	struct rpcanswer a[3];
	struct early_rig r;

	early_begin(&r, *state);
	early_visit(&r);
	for (unsigned i = 1; i <= 3; i++) {
		early_start(&r);
		early_submit_text(&r, "marked", "one", &a[0]);
		early_submit_text(&r, "sure", "two", &a[1]);
		early_submit_text(&r, "plain", "three", &a[2]);
		early_await_answers(&r, a, 3);
		assert_string_equal(a[0].text, "one");
		assert_string_equal(a[1].text, "sure");
		assert_string_equal(a[2].text, "three");
		assert_true(early_went_early(&r));
		assert_int_equal(atomic_load(&early_seen.marked), i);
		assert_int_equal(atomic_load(&early_seen.sure), i);
		assert_int_equal(atomic_load(&early_seen.plain), i);
		early_end_client(&r);
	}
	early_end(&r);
}

static void
holds_calls_the_server_has_not_marked(void **state)
{
	struct rpcanswer a[2];
	struct early_rig r;

	early_begin(&r, *state);
	early_visit(&r);
	r.tap.hold = true;
	early_start(&r);
	early_submit_text(&r, "plain", "one", &a[0]);
	early_submit_text(&r, "marked", "two", &a[1]);
	early_stop_before_the_end(&r);
	assert_int_equal(atomic_load(&early_seen.plain), 0);
	assert_int_equal(atomic_load(&early_seen.marked), 0); /* it is behind */
	r.tap.hold = false;
	early_await_answers(&r, a, 2);
	assert_string_equal(a[0].text, "one");
	assert_string_equal(a[1].text, "two");
	assert_int_equal(atomic_load(&early_seen.plain), 1);
	assert_int_equal(atomic_load(&early_seen.early), 0);
	early_end_client(&r);
	early_end(&r);
}

static void
sends_nothing_else_early(void **state)
{
	struct rk_request oneway = { .method = "plain", .idempotent = true };
	struct rpcanswer a[2];
	struct early_rig r;

	early_begin(&r, *state);
	early_visit(&r);
	early_start(&r);
	early_submit(&r, "marked", false, "one", 3, &a[0]);
	early_submit(
	    &r, "marked", true, "two", 3, &a[1]); /* behind the other */
	early_await_answers(&r, a, 2);
	assert_false(early_went_early(&r));
	assert_int_equal(atomic_load(&early_seen.early), 0);
	early_end_client(&r);
	early_start(&r);
	assert_int_equal(rk_client_send(r.client, &oneway), RK_OK);
	early_submit(&r, "marked", true, "two", 3, &a[0]);
	early_await_answers(&r, a, 1);
	assert_false(early_went_early(&r));
	early_end_client(&r);
	early_end(&r);
}

/* As many as fit; the rest follows, in order. */
static void
sends_what_fits(void **state)
{
	enum {
		CALLS = 60,
		LEN = 1000
	};
	static struct rpcanswer a[CALLS];
	struct early_rig r;

	early_begin(&r, *state);
	early_visit(&r);
	r.tap.hold = true;
	early_start(&r);
	for (unsigned i = 0; i < CALLS; i++)
		early_submit(&r, "marked", true, rpcrig_bytes, LEN + i, &a[i]);
	early_await_answers(&r, a, 10);
	r.tap.hold = false;
	early_await_answers(&r, a, CALLS);
	for (unsigned i = 0; i < CALLS; i++) {
		assert_int_equal(a[i].code, RK_OK);
		assert_int_equal(a[i].len, LEN + i);
		assert_true(a[i].same);
		if (i > 0)
			assert_true(a[i].order > a[i - 1].order);
	}
	assert_int_equal(atomic_load(&early_seen.marked), CALLS);
	assert_true(atomic_load(&early_seen.early) > 10);
	assert_true(atomic_load(&early_seen.early) < 17);
	early_end_client(&r);
	early_end(&r);
}

static void
can_be_off(void **state)
{
	const struct rpcrun *run = *state;
	struct rk_client_conf conf;
	struct rpcanswer a;
	struct early_rig r;

	for (int side = 0; side < 2; side++) {
		rpcrig_init(&early_servers[0], run->kind, run->threads);
		if (side == 0)
			early_servers[0].conf.early = RK_EARLY_OFF;
		early_start_server(&early_servers[0]);
		early_init(&r, &early_servers[0]);
		if (side == 1) {
			rk_client_free(r.client);
			early_client_conf(&r, &conf);
			conf.early = RK_EARLY_OFF;
			r.client = rpcrig_client_with(&conf);
		}
		early_visit(&r);
		early_start(&r);
		early_submit_text(&r, "marked", "text", &a);
		early_await_answers(&r, &a, 1);
		assert_int_equal(a.code, RK_OK);
		assert_true(rk_client_peer(r.client)->resumed);
		assert_false(early_went_early(&r));
		assert_int_equal(atomic_load(&early_seen.early), 0);
		early_end_client(&r);
		early_end(&r);
	}
}

/* ---- waiting for certainty ---- */

static void
waits_to_be_sure(void **state)
{
	struct rpcanswer a;
	struct early_rig r;

	early_begin(&r, *state);
	early_visit(&r);
	r.tap.hold = true;
	early_start(&r);
	early_submit_text(&r, "sure", "x", &a);
	early_stop_before_the_end(&r);
	early_await(&r, &early_seen.entered, 1);
	assert_int_equal(atomic_load(&early_seen.early), 1);
	assert_int_equal(atomic_load(&early_seen.sure), 0);
	assert_int_equal(a.n, 0);
	r.tap.hold = false;
	early_await_answers(&r, &a, 1);
	assert_string_equal(a.text, "sure");
	assert_int_equal(atomic_load(&early_seen.sure), 1);
	/* At once when it is certain already. */
	early_submit_text(&r, "sure", "x", &a);
	early_await_answers(&r, &a, 1);
	assert_string_equal(a.text, "sure");
	assert_int_equal(atomic_load(&early_seen.unsure), 0);
	early_end_client(&r);
	early_end(&r);
}

/* Nothing waits for ever: the connection ends, or the handshake's time. */
static void
does_not_wait_in_vain(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcanswer a;
	struct early_rig r;

	for (int i = 0; i < 2; i++) {
		early_reset();
		rpcrig_init(&early_servers[0], run->kind, run->threads);
		if (i == 1)
			early_servers[0].conf.timeouts.handshake = 1000;
		early_start_server(&early_servers[0]);
		early_init(&r, &early_servers[0]);
		early_visit(&r);
		r.tap.hold = true;
		early_start(&r);
		early_submit_text(&r, "sure", "x", &a);
		early_await(&r, &early_seen.entered, 1);
		if (i == 0)
			tap_cut(&r.tap);
		early_await(&r, &early_seen.unsure, 1);
		assert_int_equal(atomic_load(&early_seen.code), RK_ECLOSED);
		assert_int_equal(atomic_load(&early_seen.sure), 0);
		early_await_closed(&r, 2);
		assert_int_equal(a.n, 1);
		assert_true(a.maybe_executed);
		rpcrig_await_conns(r.server, 0);
		early_end(&r);
	}
}

/* As many as may run, all of them waiting, must not keep the end away. */
static void
keeps_to_max_calls(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcanswer a[5];
	struct early_rig r;

	rpcrig_init(&early_servers[0], run->kind, run->threads);
	early_servers[0].conf.max_calls = 2;
	early_start_server(&early_servers[0]);
	early_init(&r, &early_servers[0]);
	early_visit(&r);
	r.tap.hold = true;
	early_start(&r);
	for (int i = 0; i < 5; i++)
		early_submit_text(&r, "sure", "x", &a[i]);
	early_stop_before_the_end(&r);
	early_await(&r, &early_seen.entered, 2);
	assert_int_equal(atomic_load(&early_seen.entered), 2);
	r.tap.hold = false;
	early_await_answers(&r, a, 5);
	for (int i = 0; i < 5; i++)
		assert_int_equal(a[i].code, RK_OK);
	assert_int_equal(atomic_load(&early_seen.sure), 5);
	early_end_client(&r);
	early_end(&r);
}

static void
stops_while_calls_wait(void **state)
{
	struct rpcanswer a;
	struct early_rig r;

	early_begin(&r, *state);
	early_visit(&r);
	r.tap.hold = true;
	early_start(&r);
	early_submit_text(&r, "sure", "x", &a);
	early_await(&r, &early_seen.entered, 1);
	rpcrig_stop(r.server, 60000);
	early_await(&r, &early_seen.unsure, 1);
	assert_int_equal(atomic_load(&early_seen.code), RK_ECANCELED);
	r.tap.hold = false;
	early_await_closed(&r, 2);
	rpcrig_await_stopped(r.server);
	rk_client_free(r.client);
	tap_fini(&r.tap);
	rpcrig_fini(r.server);
}

/* ---- once ---- */

static void
hears_a_recording_once(void **state)
{
	static uint8_t flight[65536];
	struct rpcanswer a;
	struct early_rig r;
	size_t len;

	early_begin(&r, *state);
	early_visit(&r);
	r.tap.hold = true;
	early_start(&r);
	early_submit_text(&r, "marked", "first", &a);
	early_await_answers(&r, &a, 1);
	len = r.tap.len;
	memcpy(flight, r.tap.flight, len);
	for (int i = 0; i < 5; i++)
		tap_replay(&r.tap, flight, len);
	assert_int_equal(atomic_load(&early_seen.marked), 1);
	r.tap.hold = false;
	early_end_client(&r);
	for (int i = 0; i < 5; i++)
		tap_replay(&r.tap, flight, len);
	assert_int_equal(atomic_load(&early_seen.marked), 1);
	assert_int_equal(atomic_load(&early_seen.early), 1);
	early_end(&r);
}

/* Another server, of another seed: a full handshake, and nobody notices. */
static void
goes_again_where_refused(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcanswer a[3];
	struct early_rig r;

	early_begin(&r, *state);
	early_visit(&r);
	rpcrig_init(&early_servers[1], run->kind, run->threads);
	early_start_server(&early_servers[1]);
	tap_aim(&r.tap, early_servers[1].url);
	early_start(&r);
	early_submit_text(&r, "marked", "one", &a[0]);
	early_submit_text(&r, "sure", "two", &a[1]);
	early_submit(&r, "plain", false, "three", 5, &a[2]);
	early_await_answers(&r, a, 3);
	assert_string_equal(a[0].text, "one");
	assert_string_equal(a[1].text, "sure");
	assert_string_equal(a[2].text, "three");
	assert_true(a[0].order < a[1].order && a[1].order < a[2].order);
	assert_false(rk_client_peer(r.client)->resumed);
	assert_false(early_went_early(&r));
	assert_int_equal(atomic_load(&early_seen.marked), 1);
	assert_int_equal(atomic_load(&early_seen.early), 0);
	early_end_client(&r);
	rpcrig_end(&early_servers[1]);
	early_end(&r);
}

/* One of the same seed resumes the session; early data are heard where the
 * ticket was made. */
static void
shares_a_seed(void **state)
{
	const struct rpcrun *run = *state;
	char path[512];
	struct rpcanswer a;
	struct early_rig r;

	rpcworld_path(path, "seed");
	for (int i = 0; i < 2; i++) {
		rpcrig_init(&early_servers[i], run->kind, run->threads);
		early_servers[i].conf.seed = path;
		early_start_server(&early_servers[i]);
	}
	early_init(&r, &early_servers[0]);
	early_visit(&r);
	for (int i = 0; i < 2; i++) {
		tap_aim(&r.tap, early_servers[1].url);
		r.tap.hold = i == 1;
		early_start(&r);
		early_submit_text(&r, "marked", "text", &a);
		early_await_answers(&r, &a, 1);
		assert_true(rk_client_peer(r.client)->resumed);
		assert_int_equal(early_went_early(&r), i == 1);
		early_end_client(&r);
	}
	assert_int_equal(atomic_load(&early_seen.marked), 2);
	assert_int_equal(atomic_load(&early_seen.early), 1);
	rpcrig_end(&early_servers[1]);
	early_end(&r);
}

/* Sent early, and never heard of again: it may have been executed. */
static void
admits_not_to_know(void **state)
{
	struct rpcanswer a[2];
	struct early_rig r;

	early_begin(&r, *state);
	early_visit(&r);
	r.tap.mute = true;
	early_start(&r);
	early_submit_text(&r, "marked", "text", &a[0]);
	early_submit(&r, "plain", false, "text", 4, &a[1]);
	early_await(&r, &early_seen.marked, 1);
	tap_cut(&r.tap);
	early_await_closed(&r, 2);
	assert_int_equal(a[0].n, 1);
	assert_true(a[0].code != RK_OK && a[0].maybe_executed);
	assert_int_equal(a[1].n, 1);
	assert_true(a[1].code != RK_OK && !a[1].maybe_executed);
	early_end(&r);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "runs marked calls early", runs_marked_calls_early, TAPPED },
		{ "takes marked calls", takes_marked_calls, EARLY },
		{ "holds others", holds_calls_the_server_has_not_marked,
		    TAPPED },
		{ "sends nothing else", sends_nothing_else_early, EARLY },
		{ "sends what fits", sends_what_fits, TAPPED },
		{ "can be off", can_be_off, EARLY },
		{ "waits to be sure", waits_to_be_sure, TAPPED },
		{ "waits not in vain", does_not_wait_in_vain, TAPPED },
		{ "keeps to max_calls", keeps_to_max_calls, TAPPED },
		{ "stops meanwhile", stops_while_calls_wait, TAPPED },
		{ "a recording", hears_a_recording_once, TAPPED },
		{ "goes again", goes_again_where_refused, TAPPED },
		{ "shares a seed", shares_a_seed, TAPPED },
		{ "may have run", admits_not_to_know, TAPPED },
	};

	return rpcrig_run_cases(
	    "early", cases, sizeof(cases) / sizeof(cases[0]));
}
