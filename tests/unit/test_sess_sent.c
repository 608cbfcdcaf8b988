/* Messages that wait: who is told what became of one, and when it may still be
 * canceled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "sessmsg.h"

/* ---- a full pipe ---- */

/* Nobody reads: it is refused in the end, and goes on when somebody does. */
static void
test_full(void **state)
{
	uint64_t last = 0;

	sessmsg_begin(sessmsg_kind_of(state));
	sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
	sessmsg_hold_up();
	assert_int_equal(
	    sessmsg_fill(&sessmsg.rig.end[0], 4000, &last), RK_EAGAIN);
	assert_int_equal(sessmsg.heard.n, 0);
	sessmsg.rig.end[0].writable = 0;
	sessmsg_let_go();
	assert_int_equal(sessmsg.heard.n, last);
	assert_int_equal(sessmsg.sent.n, last);
	assert_true(sessmsg.heard.n > 50);
	assert_true(sessmsg.rig.end[0].writable > 0);
	for (unsigned i = 0; i < sessmsg.sent.n; i++) {
		assert_int_equal(sessmsg.sent.r[i], RK_OK);
		assert_int_equal(sessmsg.sent.id[i], i + 1);
	}
	sessrig_close(&sessmsg.rig);
}

/* What waits behind a full pipe may be canceled, what is sealed not. */
static void
test_canceled(void **state)
{
	uint64_t last = 0;
	unsigned canceled = 0;
	unsigned ok = 0;

	(void)state;
	sessmsg_begin(SESSRIG_STREAM);
	sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
	sessmsg_hold_up();
	assert_int_equal(
	    sessmsg_fill(&sessmsg.rig.end[0], 4000, &last), RK_EAGAIN);
	ok = sessmsg.sent.n;
	assert_int_equal(rk_session_cancel(sessmsg.rig.end[0].s, 1), RK_ENOENT);
	assert_int_equal(rk_session_cancel(sessmsg.rig.end[0].s,
	                     sessmsg.rig.end[0].s->sends.first),
	    RK_ESTATE);
	for (uint64_t id = sessmsg.rig.end[0].s->sends.unsealed; id < last;
	     id += 2) {
		assert_int_equal(
		    rk_session_cancel(sessmsg.rig.end[0].s, id), RK_OK);
		assert_int_equal(
		    rk_session_cancel(sessmsg.rig.end[0].s, id), RK_ESTATE);
		canceled++;
	}
	assert_true(canceled > 10);
	assert_int_equal(sessmsg.sent.n, ok);
	assert_int_equal(rk_loop_step(sessmsg.rig.loop, 0), RK_OK);
	assert_int_equal(sessmsg.sent.n, ok + canceled);
	for (unsigned i = ok; i < sessmsg.sent.n; i++)
		assert_int_equal(sessmsg.sent.r[i], RK_ECANCELED);
	sessmsg_let_go();
	assert_int_equal(
	    rk_session_cancel(sessmsg.rig.end[0].s, last), RK_ENOENT);
	assert_int_equal(sessmsg.sent.n, last);
	assert_int_equal(sessmsg.heard.n, last - canceled);
	/* All of what waits. */
	sessmsg.sent.n = 0;
	for (unsigned i = 0; i < 5; i++)
		last = sessmsg_send_on(&sessmsg.rig.end[0], 1, "x", 1);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(
		    rk_session_cancel(sessmsg.rig.end[0].s, last - i), RK_OK);
	sessmsg.heard.n = 0;
	sessmsg_settle();
	assert_int_equal(sessmsg.sent.n, 5);
	assert_int_equal(sessmsg.heard.n, 0);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 1, "y", 1);
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 1);
	sessrig_close(&sessmsg.rig);
}

/* A long one is canceled whole. */
static void
test_canceled_parts(void **state)
{
	static const uint8_t data[200000];
	uint64_t id;

	(void)state;
	sessmsg_begin(SESSRIG_FUNCTION);
	sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 1, "before", 6);
	id = sessmsg_send_on(&sessmsg.rig.end[0], 1, data, sizeof(data));
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 1, "behind", 6);
	assert_int_equal(rk_session_cancel(sessmsg.rig.end[0].s, id), RK_OK);
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 2);
	assert_int_equal(sessmsg.heard.len[1], 6);
	assert_int_equal(sessmsg.sent.n, 3);
	assert_int_equal(sessmsg.sent.r[1], RK_ECANCELED);
	assert_int_equal(
	    rk_session_get_state(sessmsg.rig.end[1].s), RK_SESSION_ESTABLISHED);
	sessrig_close(&sessmsg.rig);
}

/* ---- at once ---- */

static void
test_send_wait(void **state)
{
	static const uint8_t data[60000];
	enum rk_err r = RK_OK;
	unsigned n = 2;

	sessmsg_begin(sessmsg_kind_of(state));
	sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 1, "first", 5);
	assert_int_equal(
	    rk_session_send_wait(sessmsg.rig.end[0].s, 1, "second", 6, 60000),
	    RK_OK);
	assert_int_equal(sess_waiting(sessmsg.rig.end[0].s), 0);
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 2);
	assert_int_equal(sessmsg.heard.len[0], 5);
	assert_int_equal(sessmsg.heard.len[1], 6);
	assert_int_equal(sessmsg.sent.n, 1);
	/* Nobody reads meanwhile, so that it does not go on for ever. */
	for (; r == RK_OK; n++)
		r = rk_session_send_wait(
		    sessmsg.rig.end[0].s, 1, data, sizeof(data), 1);
	assert_int_equal(r, RK_ETIMEOUT);
	for (; r == RK_ETIMEOUT; n++)
		r = rk_session_send_wait(
		    sessmsg.rig.end[0].s, 1, data, sizeof(data), 0);
	assert_int_equal(r, RK_EAGAIN);
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, n - 1);
	sessrig_close(&sessmsg.rig);
}

/* A pipe that is a function: called from there, and it may even send. */
static struct rk_session *echoing;
static unsigned echoes;

static enum rk_err
send_and_send(const void *data, size_t len, size_t *taken, void *arg)
{
	struct sessend *e = arg;

	if (echoing != NULL && echoes++ < 3)
		assert_int_equal(
		    rk_session_send_wait(echoing, 1, "more", 4, 1000),
		    RK_ETIMEOUT);
	assert_int_equal(buf_put(&e->said, data, len), RK_OK);
	*taken = len;
	return RK_OK;
}

static void
test_send_within(void **state)
{
	(void)state;
	echoes = 0;
	sessmsg_begin(SESSRIG_FUNCTION);
	sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
	sessmsg.rig.end[0].s->pipe.send = send_and_send;
	echoing = sessmsg.rig.end[0].s;
	assert_int_equal(
	    rk_session_send_wait(sessmsg.rig.end[0].s, 1, "word", 4, 0), RK_OK);
	echoing = NULL;
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 1 + 3);
	sessrig_close(&sessmsg.rig);
}

static enum rk_err
send_and_free(const void *data, size_t len, size_t *taken, void *arg)
{
	(void)data;
	(void)arg;
	rk_session_free(sessmsg.rig.end[0].s);
	sessmsg.rig.end[0].s = NULL;
	*taken = len;
	return RK_OK;
}

static void
test_free_within(void **state)
{
	(void)state;
	sessmsg_begin(SESSRIG_FUNCTION);
	sessmsg.rig.end[0].s->pipe.send = send_and_free;
	assert_int_equal(
	    rk_session_send_wait(sessmsg.rig.end[0].s, 1, "word", 4, 0),
	    RK_ECLOSED);
	assert_null(sessmsg.rig.end[0].s);
	sessrig_close(&sessmsg.rig);
}

/* ---- the end ---- */

static void
send_more(struct rk_session *s)
{
	assert_int_equal(
	    rk_session_send(s, 1, "x", 1, sessmsg_on_sent, &sessmsg.sent, NULL),
	    RK_ECLOSED);
}

static void
free_again(struct rk_session *s)
{
	rk_session_free(s);
}

/* Each is told once, whatever ends it. */
static void
test_ends(void **state)
{
	for (unsigned how = 0; how < 4; how++) {
		uint64_t last = 0;

		sessmsg_begin(sessmsg_kind_of(state));
		sessmsg_hold_up();
		assert_int_equal(
		    sessmsg_fill(&sessmsg.rig.end[0], 4000, &last), RK_EAGAIN);
		if (how == 0) { /* time over for the goodbye */
			sessmsg.sent.then = NULL;
			rk_session_close(sessmsg.rig.end[0].s);
			sessrig_pass(&sessmsg.rig, 6000);
			sessmsg_expect_end(&sessmsg.rig.end[0], RK_ETIMEOUT);
		} else if (how == 1) {
			sessmsg.sent.then = send_more;
			rk_session_free(sessmsg.rig.end[0].s);
			sessmsg.rig.end[0].s = NULL;
		} else if (how == 2) {
			sessmsg.sent.then = free_again;
			rk_session_free(sessmsg.rig.end[0].s);
			sessmsg.rig.end[0].s = NULL;
		} else {
			rk_session_free(sessmsg.rig.end[1].s);
			sessmsg.rig.end[1].s = NULL;
			assert_int_equal(close(sessmsg.rig.end[1].in), 0);
			if (sessmsg.rig.end[1].out != sessmsg.rig.end[1].in)
				assert_int_equal(
				    close(sessmsg.rig.end[1].out), 0);
			sessmsg.rig.end[1].in = sessmsg.rig.end[1].out = -1;
			sessrig_pass(&sessmsg.rig, 6000);
			sessmsg_expect_end(&sessmsg.rig.end[0], RK_ECLOSED);
		}
		assert_int_equal(sessmsg.sent.n, last);
		assert_int_equal(
		    sessmsg.sent.r[last - 1], how == 0   ? RK_ETIMEOUT
		                              : how == 3 ? RK_ECLOSED
		                                         : RK_ECANCELED);
		for (unsigned i = 0; i < sessmsg.sent.n; i++)
			assert_int_equal(sessmsg.sent.id[i], i + 1);
		sessrig_close(&sessmsg.rig);
	}
}

/* All that was queued arrives before the goodbye. */
static void
test_closed(void **state)
{
	sessmsg_begin(sessmsg_kind_of(state));
	sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
	for (unsigned i = 0; i < 100; i++)
		(void)sessmsg_send_on(&sessmsg.rig.end[0], 1, &i, sizeof(i));
	rk_session_close(sessmsg.rig.end[0].s);
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 100);
	assert_int_equal(sessmsg.sent.n, 100);
	assert_int_equal(sessmsg.sent.r[99], RK_OK);
	sessmsg_expect_end(&sessmsg.rig.end[0], RK_OK);
	sessmsg_expect_end(&sessmsg.rig.end[1], RK_OK);
	sessrig_close(&sessmsg.rig);
}

/* Who hears one may end the session: the next is not sessmsg.heard. */
static void
test_ended_by_listener(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		sessmsg_begin(sessmsg_kind_of(state));
		sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
		sessmsg.heard.end_it = i == 0;
		sessmsg.heard.free_it = i == 1;
		for (unsigned j = 0; j < 10; j++)
			(void)sessmsg_send_on(
			    &sessmsg.rig.end[0], 1, &j, sizeof(j));
		sessmsg_settle();
		assert_int_equal(sessmsg.heard.n, 1);
		assert_int_equal(sessmsg.rig.end[1].s == NULL, i == 1);
		if (i == 0)
			sessmsg_expect_end(&sessmsg.rig.end[0], RK_OK);
		sessrig_close(&sessmsg.rig);
	}
}

#define ON(f, kind)                                                    \
	{                                                              \
#f " " #kind, f, NULL, NULL, (void *)(uintptr_t)(kind) \
	}
#define PIPES(f) \
	ON(f, SESSRIG_STREAM), ON(f, SESSRIG_PIPES), ON(f, SESSRIG_FUNCTION)
#define DATAGRAMS(f)                                                  \
	ON(f, SESSRIG_UDP), ON(f, SESSRIG_LOCAL), ON(f, SESSRIG_NET), \
	    ON(f, SESSRIG_SEQPACKET)

/* The first message says until when others may join it: 50 µs, or as set. */
static void
test_merge_time(void **state)
{
	static const uint32_t set[] = { 0, 1, 700, 20000 };
	static const uint64_t ns[] = { 50000, 1000, 700000, 20000000 };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct rk_session *s;
		uint64_t at;

		memset(&sessmsg.sent, 0, sizeof(sessmsg.sent));
		sessrig_open(&sessmsg.rig, SESSRIG_FUNCTION);
		sessmsg.rig.end[0].conf.merge_us = set[i];
		sessrig_start(&sessmsg.rig);
		sessrig_settle(&sessmsg.rig);
		s = sessmsg.rig.end[0].s;
		(void)sessmsg_send_on(&sessmsg.rig.end[0], 1, "a", 1);
		at = s->merge_at;
		assert_int_equal(at, loop_now_ns(sessmsg.rig.loop) + ns[i]);
		sessmsg.rig.time.now += ns[i] / 1000000;
		(void)sessmsg_send_on(&sessmsg.rig.end[0], 1, "b", 1);
		assert_int_equal(s->merge_at, at);
		assert_int_equal(sessmsg.sent.n, 0);
		sessrig_pass(&sessmsg.rig, 1);
		assert_int_equal(sessmsg.sent.n, 2);
		assert_int_equal(s->merge_at, 0);
		sessrig_close(&sessmsg.rig);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_full, SESSRIG_STREAM),
		ON(test_full, SESSRIG_PIPES),
		cmocka_unit_test(test_canceled),
		cmocka_unit_test(test_canceled_parts),
		ON(test_send_wait, SESSRIG_STREAM),
		ON(test_send_wait, SESSRIG_PIPES),
		ON(test_send_wait, SESSRIG_SEQPACKET),
		cmocka_unit_test(test_send_within),
		cmocka_unit_test(test_free_within),
		ON(test_ends, SESSRIG_STREAM),
		ON(test_ends, SESSRIG_PIPES),
		PIPES(test_closed),
		ON(test_closed, SESSRIG_NET),
		PIPES(test_ended_by_listener),
		ON(test_ended_by_listener, SESSRIG_UDP),
		cmocka_unit_test(test_merge_time),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* as who writes to a pipe does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
