/* Sessions over datagrams: lost, again, in another order, from strangers; how
 * long they may be; keys that change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "sessrig.h"

static struct sessrig rig;

static enum sessrig_pipe
kind_of(void **state)
{
	return (enum sessrig_pipe)(uintptr_t)*state;
}

static void
expect_end(struct sessend *e, enum rk_err r)
{
	assert_int_equal(e->states[strlen(e->states) - 1], 'X');
	assert_int_equal(e->why.code, r);
}

static void
test_whole_life(void **state)
{
	char some[100];
	size_t n;

	sessrig_open(&rig, kind_of(state));
	rig.end[1].lazy = true;
	sessrig_start(&rig);
	sessrig_settle(&rig);
	assert_string_equal(rig.end[0].states, "IENO");
	assert_string_equal(rig.end[1].states, "IENO");
	sessrig_write(&rig.end[0], "one", 3);
	sessrig_write(&rig.end[0], "and two", 7);
	sessrig_settle(&rig);
	assert_int_equal(
	    rk_session_read(rig.end[1].s, some, 2, &n), RK_ETOOBIG);
	assert_int_equal(n, 3);
	assert_int_equal(
	    rk_session_read(rig.end[1].s, some, sizeof(some), &n), RK_OK);
	assert_int_equal(n, 3);
	assert_int_equal(
	    rk_session_read(rig.end[1].s, some, sizeof(some), &n), RK_OK);
	assert_int_equal(n, 7);
	assert_memory_equal(some, "and two", 7);
	assert_int_equal(
	    rk_session_read(rig.end[1].s, some, sizeof(some), &n), RK_EAGAIN);
	rk_session_close(rig.end[1].s);
	sessrig_settle(&rig);
	expect_end(&rig.end[0], RK_OK);
	expect_end(&rig.end[1], RK_OK);
	sessrig_close(&rig);
}

/* The longest piece is what the way carries, and one byte more is refused. */
static void
test_longest(void **state)
{
	static const size_t way[] = { 0, 1472, 1300, 1200, 9000 };
	static const size_t found[] = { 65000, 1472, 1280, 1200, 8952 };
	const size_t extra = SESS_HEAD_DATAGRAM + SESS_ITEM_LEN + NOISE_TAG_LEN;
	static uint8_t data[SESS_DATAGRAM_MAX];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
		sessrig_open(&rig, SESSRIG_NET);
		rig.longest = way[i];
		sessrig_start(&rig);
		sessrig_pass(&rig, 2000);
		for (int j = 0; j < 2; j++) {
			const size_t most = rk_session_payload(rig.end[j].s);

			assert_int_equal(most, found[i] - extra);
			assert_int_equal(
			    rk_session_write(rig.end[j].s, data, most + 1, &n),
			    RK_ETOOBIG);
			sessrig_write(&rig.end[j], data, most);
			sessrig_settle(&rig);
			assert_int_equal(buf_len(&rig.end[1 - j].got), most);
		}
		sessrig_close(&rig);
	}
	sessrig_open(&rig, SESSRIG_NET);
	rig.end[0].conf.packet = 700;
	sessrig_start(&rig);
	sessrig_pass(&rig, 2000);
	assert_int_equal(rk_session_payload(rig.end[0].s), 700 - extra);
	sessrig_close(&rig);
}

/* A piece a tenth of a second; how many have arrived. */
static unsigned
write_some(int from, unsigned n, size_t most)
{
	static const uint8_t data[SESS_DATAGRAM_MAX];
	struct buf *got = &rig.end[1 - from].got;
	unsigned arrived = 0;

	for (unsigned i = 0; i < n; i++) {
		const size_t longest = rk_session_payload(rig.end[from].s);

		sessrig_write(
		    &rig.end[from], data, longest < most ? longest : most);
		sessrig_pass(&rig, 100);
		arrived += buf_len(got) > 0;
		buf_consume(got, buf_len(got));
	}
	return arrived;
}

/* A way that carries less than it did, silently, or refuses what it does not;
 * and that does again what it did. */
static void
test_shrinks(void **state)
{
	const size_t extra = SESS_HEAD_DATAGRAM + SESS_ITEM_LEN + NOISE_TAG_LEN;

	rig.refuses = false;
	for (int from = 0; from < 2; from++) {
		sessrig_open(&rig, SESSRIG_NET);
		rig.refuses = *state != NULL;
		sessrig_start(&rig);
		sessrig_pass(&rig, 2000);
		assert_int_equal(write_some(from, 10, SIZE_MAX), 10);
		assert_int_equal(
		    rk_session_payload(rig.end[from].s), 65000 - extra);
		rig.longest = 1472;
		(void)write_some(from, rig.refuses ? 2 : 60, SIZE_MAX);
		assert_int_equal(
		    rk_session_payload(rig.end[from].s), 1472 - extra);
		assert_int_equal(write_some(from, 10, SIZE_MAX), 10);
		rig.longest = 1250;
		(void)write_some(from, rig.refuses ? 2 : 60, SIZE_MAX);
		assert_int_equal(
		    rk_session_payload(rig.end[from].s), 1200 - extra);
		assert_int_equal(write_some(from, 10, SIZE_MAX), 10);
		rig.longest = 9000;
		assert_int_equal(write_some(from, 610, SIZE_MAX), 610);
		assert_int_equal(
		    rk_session_payload(rig.end[from].s), 8952 - extra);
		sessrig_close(&rig);
	}
}

/* Short pieces cost no questions about long ones; nor is a length changed that
 * was set. */
static void
test_shrinks_unseen(void **state)
{
	unsigned before;

	(void)state;
	sessrig_open(&rig, SESSRIG_NET);
	rig.end[1].conf.packet = 4000;
	sessrig_start(&rig);
	sessrig_pass(&rig, 2000);
	before = rig.carried[1];
	assert_int_equal(write_some(0, 50, 1000), 50);
	assert_int_equal(rig.carried[1] - before, 50);
	rig.longest = 1472;
	rig.refuses = true;
	before = rig.carried[0];
	assert_int_equal(write_some(1, 50, SIZE_MAX), 0);
	assert_int_equal(rig.carried[0] - before, 0);
	assert_int_equal(write_some(1, 5, 1000), 5);
	sessrig_close(&rig);
}

/* A socket that takes less than it did. */
static void
test_socket_shrinks(void **state)
{
	const int small = 4096;
	static const uint8_t data[40000];

	sessrig_open(&rig, kind_of(state));
	sessrig_start(&rig);
	sessrig_pass(&rig, 2000);
	assert_true(rk_session_payload(rig.end[0].s) > 60000);
	assert_int_equal(setsockopt(rig.end[0].out, SOL_SOCKET, SO_SNDBUF,
	                     &small, sizeof(small)),
	    0);
	sessrig_write(&rig.end[0], data, sizeof(data));
	sessrig_settle(&rig);
	sessrig_write(&rig.end[0], data, 100);
	sessrig_settle(&rig);
	assert_in_range(rk_session_payload(rig.end[0].s), 1000, 8192);
	assert_int_equal(buf_len(&rig.end[1].got), 100);
	sessrig_pass(&rig, 1000);
	assert_int_equal(write_some(0, 10, SIZE_MAX), 10);
	sessrig_close(&rig);
}

#define PIECES 2000
#define PIECE_LEN 8

/* Each piece that arrives does so once and whole, and most do. */
static unsigned
count_pieces(const struct sessend *e)
{
	static uint8_t seen[PIECES];
	const uint8_t *p = buf_peek(&e->got);
	const size_t n = buf_len(&e->got) / PIECE_LEN;

	memset(seen, 0, sizeof(seen));
	assert_int_equal(buf_len(&e->got) % PIECE_LEN, 0);
	for (size_t i = 0; i < n; i++, p += PIECE_LEN) {
		uint32_t number[2];

		memcpy(number, p, sizeof(number));
		assert_true(number[0] < PIECES);
		assert_int_equal(number[1], number[0] * 7);
		assert_int_equal(seen[number[0]]++, 0);
	}
	return (unsigned)n;
}

static void
test_bad_network(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 8; seed++) {
		sessrig_open(&rig, SESSRIG_NET);
		rig.random = seed;
		rig.lose = 20;
		rig.repeat = 20;
		rig.hold = 20;
		rig.end[0].conf.rekey_ms = 500;
		sessrig_start(&rig);
		sessrig_pass(&rig, 9000);
		for (uint32_t i = 0; i < PIECES; i++) {
			const uint32_t piece[2] = { i, i * 7 };

			for (int j = 0; j < 2; j++)
				sessrig_write(
				    &rig.end[j], piece, sizeof(piece));
			if (i % 4 == 0)
				sessrig_pass(&rig, 20);
		}
		sessrig_settle(&rig);
		for (int j = 0; j < 2; j++) {
			assert_true(rk_session_epoch(rig.end[j].s) > 5);
			assert_true(count_pieces(&rig.end[j]) > PIECES / 2);
		}
		sessrig_close(&rig);
	}
}

/* Strangers' datagrams, of any kind and at any time, change nothing. */
static void
test_strangers(void **state)
{
	uint8_t junk[400];

	(void)state;
	for (uint32_t i = 0; i < sizeof(junk); i++)
		junk[i] = (uint8_t)(i * 37);
	sessrig_open(&rig, SESSRIG_NET);
	sessrig_start(&rig);
	for (unsigned round = 0; round < 40; round++) {
		for (size_t i = 0; i < 2; i++) {
			junk[0] = round % 3 == 0 ? 'r' : (uint8_t)(round % 2);
			assert_int_equal(
			    rk_session_feed(rig.end[i].s, junk, round * 10),
			    RK_OK);
		}
		/* Between any two steps of the handshake. */
		assert_int_equal(rk_loop_step(rig.loop, 0), RK_OK);
	}
	sessrig_settle(&rig);
	assert_string_equal(rig.end[0].states, "IENO");
	assert_string_equal(rig.end[1].states, "IENO");
	sessrig_close(&rig);
}

/* Hellos of others cost a responder a bounded number of answers, and the one
 * who came first is not pushed out at once. */
static void
test_hello_flood(void **state)
{
	uint8_t hello[SESS_HELLO_MAX];
	struct sess_hs hs;
	size_t answers = 0;
	size_t len;

	(void)state;
	sessrig_open(&rig, SESSRIG_NET);
	sessrig_start(&rig);
	rk_session_free(rig.end[0].s);
	rig.end[0].s = NULL;
	for (unsigned i = 0; i < 500; i++) {
		sess_hs_init(&hs, &(struct sess_hs_conf){ .initiator = true,
		                      .datagrams = true,
		                      .key = rig.end[0].key });
		assert_int_equal(sess_hs_hello(&hs, hello, &len, NULL), RK_OK);
		sess_hs_fini(&hs);
		assert_int_equal(
		    rk_session_feed(rig.end[1].s, hello, len), RK_OK);
		rig.time.now += 10;
		assert_int_equal(rk_loop_step(rig.loop, 0), RK_OK);
		assert_true(buf_len(&rig.end[1].said) <=
		            sizeof(size_t) + SESS_ANSWER_LEN);
		answers += buf_len(&rig.end[1].said) > 0;
		buf_consume(&rig.end[1].said, buf_len(&rig.end[1].said));
	}
	assert_in_range(answers, 1, 6); /* in five seconds */
	sessrig_close(&rig);
}

/* Nothing is said to who has not the pre-shared key, nor forgotten of who
 * has. */
static void
test_psk(void **state)
{
	static const uint8_t secret[RK_PSK_LEN] = { 7, 1, 9 };
	struct rk_psks *psks;

	assert_int_equal(rk_psks_new(&psks), RK_OK);
	assert_int_equal(rk_psks_add(psks, secret, "lab", NULL), RK_OK);
	sessrig_open(&rig, kind_of(state));
	rig.end[1].conf.psks = psks;
	sessrig_start(&rig);
	sessrig_pass(&rig, 11000);
	expect_end(&rig.end[0], RK_ETIMEOUT);
	expect_end(&rig.end[1], RK_ETIMEOUT);
	assert_int_equal(rig.carried[0], 0);
	assert_string_equal(rig.end[1].states, "IEX");
	sessrig_close(&rig);
	sessrig_open(&rig, kind_of(state));
	rig.end[0].conf.psks = rig.end[1].conf.psks = psks;
	sessrig_start(&rig);
	sessrig_settle(&rig);
	assert_string_equal(rk_session_psk(rig.end[1].s), "lab");
	sessrig_close(&rig);
	rk_psks_free(psks);
}

static void
test_refused(void **state)
{
	for (int i = 0; i < 2; i++) {
		sessrig_open(&rig, kind_of(state));
		rig.end[i].verdict = RK_EUNKNOWNKEY;
		sessrig_start(&rig);
		sessrig_settle(&rig);
		expect_end(&rig.end[i], RK_EUNKNOWNKEY);
		expect_end(&rig.end[1 - i], RK_EDENIED);
		sessrig_close(&rig);
	}
}

static void
test_nobody_there(void **state)
{
	(void)state;
	sessrig_establish(&rig, SESSRIG_NET);
	rig.lose = 100;
	rk_session_close(rig.end[0].s);
	sessrig_pass(&rig, 6000);
	expect_end(&rig.end[0], RK_ETIMEOUT);
	sessrig_close(&rig);
}

#define ON(f, kind)                                                    \
	{                                                              \
#f " " #kind, f, NULL, NULL, (void *)(uintptr_t)(kind) \
	}

/* Nothing that the responder says arrives. */
static void
one_way(struct sessrig *r, unsigned to, uint8_t *data, size_t len)
{
	if (to == 1)
		sessrig_arrive(r, to, data, len);
}

/* While other keys are asked for and none come, the old ones go on. */
static void
test_rekey_unanswered(void **state)
{
	char text[32];
	int len;

	(void)state;
	sessrig_establish(&rig, SESSRIG_NET);
	sessrig_pass(&rig, 2000);
	rig.pass = one_way;
	for (unsigned i = 0; i < 100; i++) {
		sessrig_pass(&rig, 1000);
		len = snprintf(text, sizeof(text), "piece %u", i);
		sessrig_write(&rig.end[0], text, (size_t)len);
		sessrig_settle(&rig);
		assert_int_equal(buf_len(&rig.end[1].got), len);
		assert_memory_equal(
		    buf_peek(&rig.end[1].got), text, (size_t)len);
		buf_consume(&rig.end[1].got, (size_t)len);
	}
	assert_int_equal(rk_session_epoch(rig.end[0].s), 0);
	rig.pass = NULL;
	sessrig_pass(&rig, 500);
	for (int i = 0; i < 2; i++)
		assert_int_equal(rk_session_epoch(rig.end[i].s), 1);
	sessrig_write(&rig.end[1], "back", 4);
	sessrig_settle(&rig);
	assert_int_equal(buf_len(&rig.end[0].got), 4);
	sessrig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON(test_whole_life, SESSRIG_UDP),
		ON(test_whole_life, SESSRIG_LOCAL),
		ON(test_whole_life, SESSRIG_SEQPACKET),
		ON(test_whole_life, SESSRIG_NET),
		cmocka_unit_test(test_longest),
		{ "test_shrinks silently", test_shrinks, NULL, NULL, NULL },
		{ "test_shrinks refusing", test_shrinks, NULL, NULL, &rig },
		cmocka_unit_test(test_shrinks_unseen),
		ON(test_socket_shrinks, SESSRIG_LOCAL),
		ON(test_socket_shrinks, SESSRIG_SEQPACKET),
		cmocka_unit_test(test_rekey_unanswered),
		cmocka_unit_test(test_bad_network),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_hello_flood),
		ON(test_psk, SESSRIG_NET),
		ON(test_psk, SESSRIG_UDP),
		ON(test_refused, SESSRIG_NET),
		ON(test_refused, SESSRIG_SEQPACKET),
		cmocka_unit_test(test_nobody_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
