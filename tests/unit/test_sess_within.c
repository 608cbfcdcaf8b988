/* What a session's user does within functions that the session has called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sessrig.h"

#define CHANNEL 7

static struct sessrig rig;
static unsigned calls;
static unsigned wanted; /* the call that something is done in */
static enum rk_err fed;
static char heard[16];

/* ---- from `state` ---- */

static void
on_message(struct rk_session *s, uint32_t channel, const void *data, size_t len,
    void *arg)
{
	(void)s;
	(void)arg;
	assert_int_equal(channel, CHANNEL);
	assert_in_range(len, 1, sizeof(heard) - 1);
	memcpy(heard, data, len);
	heard[len] = '\0';
}

/* The first message comes with the word that it is established. */
static void
greet(struct rk_session *s, enum rk_session_state state,
    const struct rk_error *err, void *arg)
{
	(void)err;
	(void)arg;
	if (state == RK_SESSION_ESTABLISHED)
		assert_int_equal(
		    rk_session_send(s, CHANNEL, "first", 5, NULL, NULL, NULL),
		    RK_OK);
}

/* More than fits beside what is there. */
static void
feed_more(struct rk_session *s, enum rk_session_state state,
    const struct rk_error *err, void *arg)
{
	static const uint8_t more[RK_SESSION_FEED_MAX];

	(void)err;
	(void)arg;
	if (state == RK_SESSION_ESTABLISHED)
		fed = rk_session_feed(s, more, sizeof(more));
}

static void
test_feed_in_state(void **state)
{
	(void)state;
	fed = RK_OK;
	heard[0] = '\0';
	sessrig_open(&rig, SESSRIG_FUNCTION);
	rig.end[0].conf.state = feed_more;
	rig.end[1].conf.state = greet;
	rig.end[1].conf.merge_us = RK_SESSION_AT_ONCE;
	sessrig_start(&rig);
	assert_int_equal(
	    rk_session_on(rig.end[0].s, CHANNEL, on_message, NULL), RK_OK);
	sessrig_settle(&rig);
	assert_int_equal(fed, RK_EAGAIN);
	assert_string_equal(heard, "first");
	sessrig_close(&rig);
}

/* ---- from the pipe's function ---- */

static void
free_in(struct sessend *e)
{
	calls++;
	if (calls != wanted)
		return;
	rk_session_free(e->s);
	e->s = NULL;
}

static void
close_in(struct sessend *e)
{
	calls++;
	if (calls == wanted)
		rk_session_close(e->s);
}

/* However many calls it takes to be established. */
static void
in_send(enum sessrig_pipe kind, void (*sends)(struct sessend *), unsigned end)
{
	for (wanted = 1;; wanted++) {
		bool done;

		calls = 0;
		sessrig_open(&rig, kind);
		rig.piecemeal = kind == SESSRIG_FUNCTION;
		rig.end[end].sends = sends;
		sessrig_start(&rig);
		sessrig_settle(&rig);
		done = calls < wanted;
		if (!done && sends == free_in)
			assert_int_equal(calls, wanted);
		else if (!done)
			sessrig_pass(&rig, 6000);
		if (!done && sends == close_in)
			assert_int_equal(rk_session_get_state(rig.end[end].s),
			    RK_SESSION_CLOSED);
		sessrig_close(&rig);
		if (done)
			break;
	}
	assert_true(wanted > 1);
}

static void
test_free_in_send(void **state)
{
	(void)state;
	for (unsigned end = 0; end < 2; end++) {
		in_send(SESSRIG_FUNCTION, free_in, end);
		in_send(SESSRIG_NET, free_in, end);
	}
}

static void
test_close_in_send(void **state)
{
	(void)state;
	for (unsigned end = 0; end < 2; end++) {
		in_send(SESSRIG_FUNCTION, close_in, end);
		in_send(SESSRIG_NET, close_in, end);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feed_in_state),

		cmocka_unit_test(test_free_in_send),
		cmocka_unit_test(test_close_in_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
