/* Datagrams of a session in the hands of others: changed, cut, sent back,
 * repeated, and brought to another session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sessrig.h"

static struct sessrig rig;

static bool
is_open(unsigned i)
{
	return rk_session_get_state(rig.end[i].s) == RK_SESSION_ESTABLISHED;
}

/* Both say something, and hear what the other said, once. */
static void
expect_talk(void)
{
	for (int i = 0; i < 2; i++) {
		struct buf *got = &rig.end[1 - i].got;

		buf_consume(got, buf_len(got));
		sessrig_write(&rig.end[i], "word", 4);
		sessrig_settle(&rig);
		assert_int_equal(buf_len(got), 4);
		assert_memory_equal(buf_peek(got), "word", 4);
	}
}

/* ---- changed ---- */

static size_t bad_at; /* of all that is said, until both are there */
static size_t passed;
static bool cut;

static void
spoil(struct sessrig *r, unsigned to, uint8_t *data, size_t len)
{
	const size_t at = bad_at - passed;

	passed += len;
	if (at < len && cut)
		len = at;
	else if (at < len)
		data[at] ^= (uint8_t)(1 << at % 8);
	sessrig_arrive(r, to, data, len);
}

/* Each byte of the handshake, once: what was lost is said again, and what
 * nobody said is not believed. */
static void
test_spoiled(void **state)
{
	size_t all = SIZE_MAX;

	(void)state;
	for (size_t i = 0; i <= 2 * all; i++) {
		bad_at = i == 0 ? SIZE_MAX / 2 : (i - 1) / 2;
		cut = i % 2 == 0;
		passed = 0;
		sessrig_open(&rig, SESSRIG_NET);
		rig.end[0].conf.packet = rig.end[1].conf.packet = 600;
		rig.pass = spoil;
		sessrig_start(&rig);
		sessrig_settle(&rig);
		if (i == 0) {
			assert_true(is_open(0) && is_open(1));
			all = passed;
			assert_in_range(all, 300, 1000);
		}
		for (int ms = 0; ms < 3000 && !(is_open(0) && is_open(1));
		     ms += 250) {
			rig.time.now += 250;
			sessrig_settle(&rig);
		}
		assert_true(is_open(0) && is_open(1));
		assert_int_equal(rig.end[0].asked, 1);
		assert_int_equal(rig.end[1].asked, 1);
		expect_talk();
		sessrig_close(&rig);
	}
}

/* ---- sent back ---- */

static void
mirror(struct sessrig *r, unsigned to, uint8_t *data, size_t len)
{
	sessrig_arrive(r, 1 - to, data, len);
	sessrig_arrive(r, to, data, len);
	sessrig_arrive(r, 1 - to, data, len);
}

static void
test_sent_back(void **state)
{
	(void)state;
	sessrig_open(&rig, SESSRIG_NET);
	rig.pass = mirror;
	sessrig_start(&rig);
	sessrig_settle(&rig);
	for (int i = 0; i < 3; i++) {
		assert_true(is_open(0) && is_open(1));
		expect_talk();
		sessrig_pass(&rig, 61000);
	}
	assert_int_equal(rk_session_epoch(rig.end[1].s), 3);
	sessrig_close(&rig);
}

/* And nothing else comes: an initiator does not talk to itself. */
static void
only_mirror(struct sessrig *r, unsigned to, uint8_t *data, size_t len)
{
	sessrig_arrive(r, 1 - to, data, len);
}

static void
test_only_sent_back(void **state)
{
	(void)state;
	sessrig_open(&rig, SESSRIG_NET);
	rig.pass = only_mirror;
	sessrig_start(&rig);
	sessrig_pass(&rig, 11000);
	for (int i = 0; i < 2; i++) {
		assert_null(strchr(rig.end[i].states, 'O'));
		assert_int_equal(rig.end[i].why.code, RK_ETIMEOUT);
	}
	sessrig_close(&rig);
}

/* ---- repeated ---- */

#define TAPE_MAX ((size_t)4 << 20)
static struct buf tape[2]; /* to each end, with lengths */

static void
record(struct sessrig *r, unsigned to, uint8_t *data, size_t len)
{
	assert_int_equal(buf_put(&tape[to], &len, sizeof(len)), RK_OK);
	assert_int_equal(buf_put(&tape[to], data, len), RK_OK);
	sessrig_arrive(r, to, data, len);
}

/* All that came to this end, to this one. */
static void
play(unsigned from, unsigned to)
{
	const struct buf *b = &tape[from];
	size_t len;

	for (size_t at = 0; at < buf_len(b); at += sizeof(len) + len) {
		memcpy(&len, b->data + b->head + at, sizeof(len));
		sessrig_arrive(
		    &rig, to, b->data + b->head + at + sizeof(len), len);
		assert_int_equal(rk_loop_step(rig.loop, 0), RK_OK);
	}
}

static void
record_session(void)
{
	for (int i = 0; i < 2; i++) {
		buf_init(&tape[i], TAPE_MAX);
		buf_consume(&tape[i], SIZE_MAX);
	}
	sessrig_open(&rig, SESSRIG_NET);
	rig.end[0].conf.packet = rig.end[1].conf.packet = 600;
	rig.pass = record;
	sessrig_start(&rig);
	sessrig_settle(&rig);
	for (int i = 0; i < 3; i++) {
		expect_talk();
		sessrig_pass(&rig, 61000);
	}
	rig.pass = NULL;
}

/* In the same session: nothing is heard twice, nothing changes. */
static void
test_repeated(void **state)
{
	(void)state;
	record_session();
	for (unsigned i = 0; i < 2; i++) {
		struct buf *got = &rig.end[i].got;

		buf_consume(got, buf_len(got));
		play(i, i);
		play(1 - i, i);
		sessrig_settle(&rig);
		assert_int_equal(buf_len(got), 0);
	}
	assert_true(is_open(0) && is_open(1));
	assert_int_equal(rk_session_epoch(rig.end[0].s), 3);
	expect_talk();
	sessrig_close(&rig);
	for (int i = 0; i < 2; i++)
		buf_fini(&tape[i]);
}

/* To other sessions of the same two keys, before and after they have begun. */
static void
test_of_another(void **state)
{
	struct rk_key *key[2];

	(void)state;
	record_session();
	for (int i = 0; i < 2; i++) {
		key[i] = rig.end[i].key;
		rig.end[i].key = NULL;
	}
	sessrig_close(&rig);
	sessrig_open(&rig, SESSRIG_NET);
	for (int i = 0; i < 2; i++) {
		rk_key_free(rig.end[i].key);
		rig.end[i].key = key[i];
		rig.end[i].conf.key = key[i];
		rk_key_public(key[i], rig.end[i].pub);
	}
	sessrig_start(&rig);
	for (unsigned i = 0; i < 2; i++)
		play(i, i);
	for (unsigned i = 0; i < 2; i++) {
		assert_null(strchr(rig.end[i].states, 'O'));
		assert_int_equal(buf_len(&rig.end[i].got), 0);
	}
	/* Who comes first holds up the other, and no more. */
	sessrig_pass(&rig, 3000);
	assert_true(is_open(0) && is_open(1));
	for (unsigned i = 0; i < 2; i++)
		play(i, i);
	sessrig_settle(&rig);
	assert_true(is_open(0) && is_open(1));
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(buf_len(&rig.end[i].got), 0);
	expect_talk();
	sessrig_close(&rig);
	for (int i = 0; i < 2; i++)
		buf_fini(&tape[i]);
}

/* ---- as many as one can send ---- */

/* Packets of nobody cost no answer and no memory, before and after. */
static void
test_flood(void **state)
{
	uint8_t junk[1200] = { 0 };

	(void)state;
	sessrig_open(&rig, SESSRIG_NET);
	sessrig_start(&rig);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 20000; i++) {
			const size_t len = i % sizeof(junk);

			junk[0] = i % 2 == 0 ? 0 : 'r';
			junk[1] = (uint8_t)(i % 3);
			memcpy(junk + 2, &i, sizeof(i));
			sessrig_arrive(&rig, 1, junk, len);
			assert_int_equal(rk_loop_step(rig.loop, 0), RK_OK);
			if (round == 0) /* nobody else is there yet */
				assert_int_equal(buf_len(&rig.end[1].said), 0);
		}
		assert_true(round > 0 || rig.end[1].s->in.cap <= 4096);
		sessrig_settle(&rig);
		assert_true(is_open(0) && is_open(1));
		sessrig_pass(&rig, 2000); /* and no more probes are due */
		expect_talk();
	}
	sessrig_close(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spoiled),
		cmocka_unit_test(test_sent_back),
		cmocka_unit_test(test_only_sent_back),
		cmocka_unit_test(test_repeated),
		cmocka_unit_test(test_of_another),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
