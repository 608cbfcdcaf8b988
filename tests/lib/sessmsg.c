/* Two sessions, what they hear, and what they are told of what they sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sessmsg.h"

struct sessmsg sessmsg;

enum sessrig_pipe
sessmsg_kind_of(void **state)
{
	return (enum sessrig_pipe)(uintptr_t)*state;
}

void
sessmsg_expect_end(struct sessend *e, enum rk_err r)
{
	assert_int_equal(e->states[strlen(e->states) - 1], 'X');
	assert_int_equal(e->why.code, r);
}

uint32_t
sessmsg_sum_of(const uint8_t *p, size_t len)
{
	uint32_t sum = 7;

	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + p[i];
	return sum;
}

void
sessmsg_on_message(struct rk_session *s, uint32_t channel, const void *data,
    size_t len, void *arg)
{
	assert_ptr_equal(arg, &sessmsg.heard);
	assert_true(sessmsg.heard.n < SESSMSG_HEARD_MAX);
	sessmsg.heard.channel[sessmsg.heard.n] = channel;
	sessmsg.heard.len[sessmsg.heard.n] = len;
	sessmsg.heard.sum[sessmsg.heard.n++] = sessmsg_sum_of(data, len);
	assert_int_equal(rk_session_feed(s, "x", 1), RK_EAGAIN);
	if (sessmsg.heard.end_it)
		rk_session_close(s);
	if (sessmsg.heard.free_it) {
		rk_session_free(s);
		sessmsg.rig.end[1].s = NULL;
	}
}

void
sessmsg_on_sent(struct rk_session *s, uint64_t id, enum rk_err r, void *arg)
{
	assert_ptr_equal(arg, &sessmsg.sent);
	assert_true(sessmsg.sent.n < SESSMSG_SENT_MAX);
	sessmsg.sent.id[sessmsg.sent.n] = id;
	sessmsg.sent.r[sessmsg.sent.n++] = r;
	if (sessmsg.sent.then != NULL)
		sessmsg.sent.then(s);
}

void
sessmsg_listen_on(struct rk_session *s, uint32_t channel)
{
	assert_int_equal(
	    rk_session_on(s, channel, sessmsg_on_message, &sessmsg.heard),
	    RK_OK);
}

uint64_t
sessmsg_send_on(
    struct sessend *e, uint32_t channel, const void *data, size_t len)
{
	uint64_t id;

	assert_int_equal(rk_session_send(e->s, channel, data, len,
	                     sessmsg_on_sent, &sessmsg.sent, &id),
	    RK_OK);
	return id;
}

void
sessmsg_begin(enum sessrig_pipe kind)
{
	memset(&sessmsg.heard, 0, sizeof(sessmsg.heard));
	memset(&sessmsg.sent, 0, sizeof(sessmsg.sent));
	sessrig_establish(&sessmsg.rig, kind);
}

/* Time and turns until nothing waits to be merged. */
void
sessmsg_settle(void)
{
	sessrig_settle(&sessmsg.rig);
	sessrig_pass(&sessmsg.rig, 1);
}

enum rk_err
sessmsg_fill(struct sessend *e, size_t len, uint64_t *last)
{
	static const uint8_t data[4000];
	uint64_t id;
	enum rk_err r;

	while ((r = rk_session_send(e->s, 1, data, len, sessmsg_on_sent,
	            &sessmsg.sent, &id)) == RK_OK) {
		*last = id;
		assert_int_equal(rk_loop_step(sessmsg.rig.loop, 0), RK_OK);
	}
	return r;
}

/* Who does not read the stream holds up everything. */
void
sessmsg_hold_up(void)
{
	static const uint8_t data[5000];
	size_t n = 0;

	sessmsg.rig.end[1].lazy = true;
	for (size_t put = 0; put < SESS_GOT_FULL; put += n) {
		if (rk_session_write(
		        sessmsg.rig.end[0].s, data, sizeof(data), &n) != RK_OK)
			n = 0;
		sessmsg_settle();
	}
}

void
sessmsg_let_go(void)
{
	uint8_t some[60000];
	size_t n;

	do
		sessmsg_settle();
	while (rk_session_read(sessmsg.rig.end[1].s, some, sizeof(some), &n) ==
	       RK_OK);
}
