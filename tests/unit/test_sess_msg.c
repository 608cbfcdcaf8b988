/* Messages of sessions: channels, merging, parts, and what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sessmsg.h"

/* ---- as it should be ---- */

static void
test_channels(void **state)
{
	sessmsg_begin(sessmsg_kind_of(state));
	sessmsg_listen_on(sessmsg.rig.end[1].s, 3);
	sessmsg_listen_on(sessmsg.rig.end[1].s, RK_SESSION_CHANNEL_MAX);
	sessmsg_listen_on(sessmsg.rig.end[1].s, 0);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 3, "three", 5);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 0, NULL, 0);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 4, "nobody", 6);
	(void)sessmsg_send_on(
	    &sessmsg.rig.end[0], RK_SESSION_CHANNEL_MAX, "last", 4);
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 3);
	assert_int_equal(sessmsg.heard.channel[0], 3);
	assert_int_equal(
	    sessmsg.heard.sum[0], sessmsg_sum_of((const uint8_t *)"three", 5));
	assert_int_equal(sessmsg.heard.channel[1], 0);
	assert_int_equal(sessmsg.heard.len[1], 0);
	assert_int_equal(sessmsg.heard.channel[2], RK_SESSION_CHANNEL_MAX);
	assert_int_equal(rk_session_unheard(sessmsg.rig.end[1].s), 1);
	assert_int_equal(sessmsg.sent.n, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(sessmsg.sent.id[i], i + 1);
		assert_int_equal(sessmsg.sent.r[i], RK_OK);
	}
	/* Another one, nobody, and who takes the rest. */
	assert_int_equal(
	    rk_session_on(sessmsg.rig.end[1].s, 3, NULL, NULL), RK_OK);
	assert_int_equal(
	    rk_session_on(sessmsg.rig.end[1].s, 9, NULL, NULL), RK_OK);
	sessmsg_listen_on(sessmsg.rig.end[1].s, RK_SESSION_CHANNEL_ANY);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 3, "x", 1);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 77, "y", 1);
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 5);
	assert_int_equal(sessmsg.heard.channel[4], 77);
	assert_int_equal(rk_session_unheard(sessmsg.rig.end[1].s), 1);
	sessrig_close(&sessmsg.rig);
}

static void
test_wrong_words(void **state)
{
	static uint8_t data[RK_SESSION_MESSAGE_MAX + 1];
	struct rk_session *s;
	size_t most;

	memset(&sessmsg.sent, 0, sizeof(sessmsg.sent));
	sessrig_open(&sessmsg.rig, sessmsg_kind_of(state));
	sessrig_start(&sessmsg.rig);
	s = sessmsg.rig.end[0].s;
	most = rk_session_message_max(s);
	assert_int_equal(
	    rk_session_send(s, 1, data, most + 1, NULL, NULL, NULL),
	    RK_ETOOBIG);
	assert_int_equal(
	    rk_session_send(s, 1, data, 1, NULL, NULL, NULL), RK_EAGAIN);
	sessrig_settle(&sessmsg.rig);
	assert_true(sessmsg.rig.end[0].writable > 0);
	assert_int_equal(
	    rk_session_send(s, 65536, data, 1, NULL, NULL, NULL), RK_EINVAL);
	assert_int_equal(
	    rk_session_on(s, 65537, sessmsg_on_message, NULL), RK_EINVAL);
	assert_int_equal(rk_session_cancel(s, 0), RK_ENOENT);
	assert_int_equal(rk_session_cancel(s, 1), RK_ENOENT);
	rk_session_close(s);
	assert_int_equal(
	    rk_session_send(s, 1, data, 1, NULL, NULL, NULL), RK_ECLOSED);
	assert_int_equal(rk_session_send_wait(s, 1, data, 1, 0), RK_ECLOSED);
	sessrig_close(&sessmsg.rig);
}

/* Who listens from the callback on misses nothing, though it comes in one piece
 * with what establishes the session. */
static void
on_open(struct rk_session *s, enum rk_session_state state,
    const struct rk_error *err, void *arg)
{
	(void)err;
	(void)arg;
	if (state == RK_SESSION_ESTABLISHED)
		sessmsg_listen_on(s, 5);
}

static void
test_first_message(void **state)
{
	(void)state;
	memset(&sessmsg.heard, 0, sizeof(sessmsg.heard));
	memset(&sessmsg.sent, 0, sizeof(sessmsg.sent));
	sessrig_open(&sessmsg.rig, SESSRIG_FUNCTION);
	sessmsg.rig.end[0].conf.state = on_open;
	sessmsg.rig.end[1].conf.merge_us = RK_SESSION_AT_ONCE;
	sessrig_start(&sessmsg.rig);
	while (rk_session_get_state(sessmsg.rig.end[1].s) <
	       RK_SESSION_ESTABLISHED) {
		struct buf *said = &sessmsg.rig.end[0].said;

		assert_int_equal(rk_loop_step(sessmsg.rig.loop, 0), RK_OK);
		if (buf_len(said) > 0)
			assert_int_equal(rk_session_feed(sessmsg.rig.end[1].s,
			                     buf_peek(said), buf_len(said)),
			    RK_OK);
		buf_consume(said, buf_len(said));
		said = &sessmsg.rig.end[1].said;
		if (rk_session_get_state(sessmsg.rig.end[1].s) ==
		    RK_SESSION_ESTABLISHED)
			break;
		if (buf_len(said) > 0)
			assert_int_equal(rk_session_feed(sessmsg.rig.end[0].s,
			                     buf_peek(said), buf_len(said)),
			    RK_OK);
		buf_consume(said, buf_len(said));
	}
	(void)sessmsg_send_on(&sessmsg.rig.end[1], 5, "early", 5);
	sessrig_settle(&sessmsg.rig);
	assert_int_equal(sessmsg.heard.n, 1);
	assert_int_equal(rk_session_unheard(sessmsg.rig.end[0].s), 0);
	sessrig_close(&sessmsg.rig);
}

/* ---- merging ---- */

static unsigned packets; /* that end 0 said */

static void
count_packets(struct sessrig *r, unsigned from, struct buf *said)
{
	const uint8_t *p = buf_peek(said);

	(void)r;
	for (size_t at = 0; from == 0 && at < buf_len(said); packets++)
		at += 3u + ((size_t)p[at] << 16 | (size_t)p[at + 1] << 8 |
		               p[at + 2]);
}

/* In turns of one moment: one packet, when 50 us are over; or one a turn. */
static void
test_merged(void **state)
{
	(void)state;
	for (unsigned at_once = 0; at_once < 2; at_once++) {
		memset(&sessmsg.heard, 0, sizeof(sessmsg.heard));
		memset(&sessmsg.sent, 0, sizeof(sessmsg.sent));
		sessrig_open(&sessmsg.rig, SESSRIG_FUNCTION);
		if (at_once)
			sessmsg.rig.end[0].conf.merge_us = RK_SESSION_AT_ONCE;
		sessrig_start(&sessmsg.rig);
		sessrig_settle(&sessmsg.rig);
		sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
		packets = 0;
		sessmsg.rig.tamper = count_packets;
		for (unsigned i = 0; i < 30; i++) {
			(void)sessmsg_send_on(
			    &sessmsg.rig.end[0], 1, &i, sizeof(i));
			if (i % 3 == 2)
				sessrig_settle(&sessmsg.rig);
		}
		assert_int_equal(packets, at_once ? 10 : 0);
		assert_int_equal(sessmsg.sent.n, at_once ? 30 : 0);
		sessrig_pass(&sessmsg.rig, 1);
		assert_int_equal(packets, at_once ? 10 : 1);
		assert_int_equal(sessmsg.heard.n, 30);
		for (unsigned i = 0; i < 30; i++)
			assert_int_equal(sessmsg.heard.sum[i],
			    sessmsg_sum_of((const uint8_t *)&i, sizeof(i)));
		/* What goes at once takes along what waits. */
		(void)sessmsg_send_on(&sessmsg.rig.end[0], 1, "m", 1);
		sessrig_write(&sessmsg.rig.end[0], "stream", 6);
		sessrig_settle(&sessmsg.rig);
		assert_int_equal(packets, at_once ? 11 : 2);
		assert_int_equal(sessmsg.heard.n, 31);
		assert_int_equal(buf_len(&sessmsg.rig.end[1].got), 6);
		sessrig_close(&sessmsg.rig);
	}
}

/* On datagrams as many as one holds. */
static void
test_merged_datagrams(void **state)
{
	uint8_t data[100] = { 0 };

	memset(&sessmsg.heard, 0, sizeof(sessmsg.heard));
	memset(&sessmsg.sent, 0, sizeof(sessmsg.sent));
	sessrig_open(&sessmsg.rig, sessmsg_kind_of(state));
	sessmsg.rig.end[0].conf.packet = 1200;
	sessrig_start(&sessmsg.rig);
	sessrig_settle(&sessmsg.rig);
	sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
	sessmsg.rig.carried[1] = 0;
	for (uint8_t i = 0; i < 110; i++) {
		data[0] = i;
		(void)sessmsg_send_on(
		    &sessmsg.rig.end[0], 1, data, sizeof(data));
	}
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 110);
	for (uint8_t i = 0; i < 110; i++) {
		data[0] = i;
		assert_int_equal(
		    sessmsg.heard.sum[i], sessmsg_sum_of(data, sizeof(data)));
	}
	assert_int_equal(sessmsg.sent.n, 110);
	if (sessmsg_kind_of(state) == SESSRIG_NET)
		assert_int_equal(
		    sessmsg.rig.carried[1], 10); /* of eleven each */
	sessrig_close(&sessmsg.rig);
}

/* ---- lengths ---- */

static void
test_lengths(void **state)
{
	static const size_t lens[] = { 1, 65535, 65536, 65537, 131072, 131073,
		700000, RK_SESSION_MESSAGE_MAX };
	static uint8_t data[RK_SESSION_MESSAGE_MAX];
	const size_t n = sizeof(lens) / sizeof(lens[0]);

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * i >> 5);
	sessmsg_begin(sessmsg_kind_of(state));
	sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
	for (size_t i = 0; i < n; i++) {
		enum rk_err r;

		while ((r = rk_session_send(sessmsg.rig.end[0].s, 1, data + i,
		            lens[i] - i, sessmsg_on_sent, &sessmsg.sent,
		            NULL)) == RK_EAGAIN)
			sessmsg_settle();
		assert_int_equal(r, RK_OK);
	}
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, n);
	assert_int_equal(sessmsg.sent.n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sessmsg.heard.len[i], lens[i] - i);
		assert_int_equal(sessmsg.heard.sum[i],
		    sessmsg_sum_of(data + i, lens[i] - i));
	}
	sessrig_close(&sessmsg.rig);
}

static void
test_longest_datagram(void **state)
{
	static uint8_t data[SESS_DATAGRAM_MAX];
	size_t most;

	sessmsg_begin(sessmsg_kind_of(state));
	sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
	sessrig_pass(&sessmsg.rig, 2000);
	most = rk_session_message_max(sessmsg.rig.end[0].s);
	assert_true(most > 1100);
	assert_int_equal(rk_session_send(sessmsg.rig.end[0].s, 1, data,
	                     most + 1, NULL, NULL, NULL),
	    RK_ETOOBIG);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 1, data, most);
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 1);
	assert_int_equal(sessmsg.heard.len[0], most);
	sessrig_close(&sessmsg.rig);
}

/* ---- what is wrong ---- */

/* A peer that is proven says this item. */
static void
say(enum sess_item type, const void *data, size_t len)
{
	assert_int_equal(
	    sess_put(sessmsg.rig.end[0].s, type, data, len), RK_OK);
	sess_work_later(sessmsg.rig.end[0].s);
	sessmsg_settle();
}

static void
expect_broken(void)
{
	sessmsg_expect_end(&sessmsg.rig.end[1], RK_EPROTO);
	assert_int_equal(buf_len(&sessmsg.rig.end[1].s->parts), 0);
	sessrig_close(&sessmsg.rig);
}

static void
test_bad_items(void **state)
{
	static const uint8_t part[4] = { 0, 1, 'a', 'b' };
	static const uint8_t other[4] = { 0, 2, 'a', 'b' };
	static const enum sess_item types[] = { SESS_MESSAGE, SESS_PART };

	(void)state;
	for (size_t i = 0; i < 4; i++) { /* no whole channel */
		sessmsg_begin(SESSRIG_FUNCTION);
		say(types[i % 2], part, i / 2);
		expect_broken();
	}
	sessmsg_begin(SESSRIG_FUNCTION); /* an empty part */
	say(SESS_PART, part, 2);
	expect_broken();
	for (size_t i = 0; i < 2; i++) { /* of two messages */
		sessmsg_begin(SESSRIG_FUNCTION);
		sessmsg_listen_on(sessmsg.rig.end[1].s, RK_SESSION_CHANNEL_ANY);
		say(SESS_PART, part, 4);
		say(types[i], other, 4);
		assert_int_equal(sessmsg.heard.n, 0);
		expect_broken();
	}
	sessmsg_begin(SESSRIG_NET); /* parts of datagrams */
	say(SESS_PART, part, 4);
	expect_broken();
	sessmsg_begin(SESSRIG_FUNCTION); /* and a type that is none */
	say((enum sess_item)11, part, 4);
	expect_broken();
}

/* Parts without end cost no more than the longest message. */
static void
test_endless_parts(void **state)
{
	static uint8_t part[SESS_DATA_MAX];

	(void)state;
	part[1] = 1;
	sessmsg_begin(SESSRIG_FUNCTION);
	for (size_t total = 0;; total += sizeof(part) - SESS_CHANNEL_LEN) {
		assert_true(buf_len(&sessmsg.rig.end[1].s->parts) == total);
		if (total + sizeof(part) - SESS_CHANNEL_LEN >
		    RK_SESSION_MESSAGE_MAX)
			break;
		say(SESS_PART, part, sizeof(part));
	}
	say(SESS_PART, part, sizeof(part));
	expect_broken();
}

/* What a peer can take here that sends for ever. */
static void
expect_small(const struct rk_session *s)
{
	assert_in_range(buf_len(&s->in), 0, SESS_IN_MAX);
	assert_in_range(buf_len(&s->got), 0, SESS_GOT_FULL + SESS_PACKET_MAX);
	assert_in_range(buf_len(&s->parts), 0, RK_SESSION_MESSAGE_MAX);
	assert_in_range(s->queue.cap + s->out.cap, 0, 4u * SESS_OUT_FULL);
}

static void
pause_it(struct rk_session *s, uint32_t channel, const void *data, size_t len,
    void *arg)
{
	sessmsg_on_message(s, channel, data, len, arg);
	rk_session_pause(s, true);
}

/* A listener that has had enough: its peer has to wait as well, however long
 * that is, and both ends stay small; then all comes, in order. */
static void
test_paused(void **state)
{
	struct rk_session *s[2];
	unsigned most;
	uint64_t last;

	sessmsg_begin(sessmsg_kind_of(state));
	for (int i = 0; i < 2; i++)
		s[i] = sessmsg.rig.end[i].s;
	assert_int_equal(
	    rk_session_on(s[1], 2, pause_it, &sessmsg.heard), RK_OK);
	sessmsg_listen_on(s[1], 1);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 2, "enough", 6);
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 1);
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(
		    sessmsg_fill(&sessmsg.rig.end[0], 1000, &last), RK_EAGAIN);
		sessrig_pass(&sessmsg.rig, 61000); /* keys would change */
		expect_small(s[0]);
		expect_small(s[1]);
		assert_int_equal(sessmsg.heard.n, 1);
	}
	assert_int_equal(rk_session_get_state(s[0]), RK_SESSION_ESTABLISHED);
	most = sessmsg.sent.n;
	rk_session_pause(s[1], false);
	sessmsg_settle();
	assert_true(sessmsg.sent.n > most);
	assert_int_equal(sessmsg.heard.n, sessmsg.sent.n);
	assert_true(rk_session_epoch(s[1]) > 0);
	/* Closed from here while it is, the goodbye is heard. */
	rk_session_pause(s[1], true);
	rk_session_close(s[1]);
	sessmsg_settle();
	for (int i = 0; i < 2; i++)
		sessmsg_expect_end(&sessmsg.rig.end[i], RK_OK);
	sessrig_close(&sessmsg.rig);
}

/* What the system keeps no more is lost, as any datagram may be. */
static void
test_paused_datagrams(void **state)
{
	static const uint8_t data[1000];
	struct rk_session *s;

	sessmsg_begin(sessmsg_kind_of(state));
	s = sessmsg.rig.end[1].s;
	assert_int_equal(rk_session_on(s, 2, pause_it, &sessmsg.heard), RK_OK);
	sessmsg_listen_on(s, 1);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 2, "enough", 6);
	sessmsg_settle();
	for (unsigned i = 0; i < 3000; i++) {
		(void)sessmsg_send_on(
		    &sessmsg.rig.end[0], 1, data, sizeof(data));
		sessmsg_settle();
	}
	expect_small(sessmsg.rig.end[0].s);
	expect_small(s);
	assert_int_equal(sessmsg.heard.n, 1);
	rk_session_pause(s, false);
	sessmsg_settle();
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 1, "there?", 6);
	sessmsg_settle();
	assert_in_range(sessmsg.heard.n, 2, 3002);
	assert_int_equal(sessmsg.heard.len[sessmsg.heard.n - 1], 6);
	sessrig_close(&sessmsg.rig);
}

/* Who asks for ever and takes no answer: they are no more than so many. */
static void
test_answers_not_taken(void **state)
{
	struct rk_session *s[2];

	(void)state;
	sessmsg_begin(SESSRIG_NET);
	for (int i = 0; i < 2; i++)
		s[i] = sessmsg.rig.end[i].s;
	s[1]->blocked = true;
	for (unsigned i = 0; i < 200; i++) {
		for (unsigned k = 0; k < 100; k++)
			assert_int_equal(
			    sess_put(s[0], SESS_PROBE, NULL, 0), RK_OK);
		sess_work_later(s[0]);
		sessmsg_settle();
		assert_in_range(sess_waiting(s[1]), 0, SESS_OUT_FULL / 4 + 6);
	}
	assert_int_equal(rk_session_get_state(s[1]), RK_SESSION_ESTABLISHED);
	rk_session_resume(s[1]);
	sessmsg_settle();
	assert_int_equal(sess_waiting(s[1]), 0);
	sessrig_close(&sessmsg.rig);
}

/* The pipe's end comes behind what waits, and a goodbye does. */
static void
test_paused_end(void **state)
{
	struct rk_session *s;

	(void)state;
	sessmsg_begin(SESSRIG_STREAM);
	s = sessmsg.rig.end[1].s;
	sessmsg_listen_on(s, 1);
	rk_session_pause(s, true);
	(void)sessmsg_send_on(&sessmsg.rig.end[0], 1, "last", 4);
	rk_session_close(sessmsg.rig.end[0].s);
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 0);
	assert_int_equal(rk_session_get_state(s), RK_SESSION_ESTABLISHED);
	rk_session_pause(s, false);
	sessmsg_settle();
	assert_int_equal(sessmsg.heard.n, 1);
	sessmsg_expect_end(&sessmsg.rig.end[1], RK_OK);
	sessrig_close(&sessmsg.rig);
}

/* Parts, the stream and other things may be in any order. */
static void
test_between_parts(void **state)
{
	static const uint8_t part[4] = { 0, 1, 'a', 'b' };

	(void)state;
	sessmsg_begin(SESSRIG_FUNCTION);
	sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
	say(SESS_PART, part, 3);
	say(SESS_DATA, "xyz", 3);
	sessrig_pass(&sessmsg.rig, 61000);
	assert_int_equal(rk_session_epoch(sessmsg.rig.end[1].s), 1);
	say(SESS_MESSAGE, part, 4);
	assert_int_equal(sessmsg.heard.n, 1);
	assert_int_equal(
	    sessmsg.heard.sum[0], sessmsg_sum_of((const uint8_t *)"aab", 3));
	assert_int_equal(buf_len(&sessmsg.rig.end[1].got), 3);
	sessrig_close(&sessmsg.rig);
}

/* Messages over a bad network: each at most once, and whole. */
static void
test_bad_network(void **state)
{
	uint32_t piece[2];
	unsigned once[1000] = { 0 };

	(void)state;
	for (uint32_t seed = 0; seed < 4; seed++) {
		memset(&sessmsg.heard, 0, sizeof(sessmsg.heard));
		memset(&sessmsg.sent, 0, sizeof(sessmsg.sent));
		memset(once, 0, sizeof(once));
		sessrig_open(&sessmsg.rig, SESSRIG_NET);
		sessmsg.rig.random = seed;
		sessmsg.rig.lose = sessmsg.rig.repeat = sessmsg.rig.hold = 20;
		sessmsg.rig.end[0].conf.rekey_ms = 300;
		sessrig_start(&sessmsg.rig);
		sessrig_pass(&sessmsg.rig, 9000);
		sessmsg_listen_on(sessmsg.rig.end[1].s, 1);
		for (uint32_t i = 0; i < 1000; i++) {
			piece[0] = i;
			piece[1] = i * 7;
			(void)sessmsg_send_on(
			    &sessmsg.rig.end[0], 1, piece, sizeof(piece));
			if (i % 2 == 0)
				sessrig_pass(&sessmsg.rig, 5);
		}
		sessmsg_settle();
		assert_true(sessmsg.heard.n > 500);
		for (uint32_t i = 0; i < 1000; i++) {
			uint32_t sum;

			piece[0] = i;
			piece[1] = i * 7;
			sum = sessmsg_sum_of(
			    (const uint8_t *)piece, sizeof(piece));
			for (unsigned j = 0; j < sessmsg.heard.n; j++)
				once[i] += sessmsg.heard.sum[j] == sum;
			assert_true(once[i] <= 1);
		}
		assert_int_equal(sessmsg.sent.n, 1000);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PIPES(test_channels),
		DATAGRAMS(test_channels),
		ON(test_wrong_words, SESSRIG_STREAM),
		ON(test_wrong_words, SESSRIG_NET),
		cmocka_unit_test(test_first_message),
		cmocka_unit_test(test_merged),
		DATAGRAMS(test_merged_datagrams),
		PIPES(test_lengths),
		DATAGRAMS(test_longest_datagram),
		cmocka_unit_test(test_bad_items),
		cmocka_unit_test(test_endless_parts),
		cmocka_unit_test(test_between_parts),
		ON(test_paused, SESSRIG_STREAM),
		ON(test_paused, SESSRIG_PIPES),
		ON(test_paused_datagrams, SESSRIG_UDP),
		ON(test_paused_datagrams, SESSRIG_NET),
		cmocka_unit_test(test_answers_not_taken),
		cmocka_unit_test(test_paused_end),
		cmocka_unit_test(test_bad_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
