/* A session's packets: damaged, again, in any order, of another session; keys
 * that change; the last counter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sesspair.h"

#define TEXT_LEN 24
#define ROOM (SESS_HEAD_DATAGRAM + TEXT_LEN + NOISE_TAG_LEN)

static struct sesspair pair;

struct packet {
	uint8_t data[ROOM];
	size_t len;
};

static struct packet
seal(struct sess_keys *k, uint8_t fill)
{
	struct packet p = { .len =
		                sess_keys_head(k) + TEXT_LEN + NOISE_TAG_LEN };

	memset(p.data + sess_keys_head(k), fill, TEXT_LEN);
	assert_int_equal(
	    sess_keys_seal(k, p.data, p.data + sess_keys_head(k), TEXT_LEN),
	    RK_OK);
	return p;
}

/* Of a copy; what it says must be `fill`. */
static enum rk_err
open_it(struct sess_keys *k, const struct packet *p, size_t len, uint8_t fill)
{
	struct packet copy = *p;
	uint8_t want[TEXT_LEN];
	uint8_t *text;
	size_t n;
	enum rk_err r;

	r = sess_keys_open(k, copy.data, len, &text, &n);
	if (r != RK_OK) {
		assert_null(text);
		return r;
	}
	memset(want, fill, sizeof(want));
	assert_int_equal(n, TEXT_LEN);
	assert_memory_equal(text, want, sizeof(want));
	return RK_OK;
}

static void
set_up(void **state)
{
	sesspair_open(&pair, *state != NULL, false);
	sesspair_finish(&pair);
}

static void
rekey(void)
{
	uint8_t ask[SESS_REKEY_LEN];
	uint8_t answer[SESS_REKEY_LEN];
	struct packet p;

	sess_keys_ask(&pair.keys[0], ask);
	assert_int_equal(sess_keys_answer(&pair.keys[1], ask, answer), RK_OK);
	assert_int_equal(sess_keys_take(&pair.keys[0], answer), RK_OK);
	p = seal(&pair.keys[0], 1);
	assert_int_equal(open_it(&pair.keys[1], &p, p.len, 1), RK_OK);
	assert_int_equal(pair.keys[1].sending, pair.keys[0].sending);
}

static void
test_damaged(void **state)
{
	struct packet p;

	set_up(state);
	p = seal(&pair.keys[0], 5);
	for (size_t n = 0; n < p.len; n++)
		assert_int_equal(open_it(&pair.keys[1], &p, n, 5), RK_EDAMAGED);
	for (size_t bit = 0; bit < p.len * 8; bit++) {
		p.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
		    open_it(&pair.keys[1], &p, p.len, 5), RK_EDAMAGED);
		p.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_int_equal(open_it(&pair.keys[1], &p, p.len, 5), RK_OK);
	sesspair_close(&pair);
}

static void
test_not_the_peers(void **state)
{
	static struct sesspair other;
	struct packet p;

	set_up(state);
	sesspair_open(&other, *state != NULL, false);
	sesspair_finish(&other);
	p = seal(&pair.keys[0], 5);
	assert_int_equal(open_it(&pair.keys[0], &p, p.len, 5), RK_EDAMAGED);
	assert_int_equal(open_it(&other.keys[1], &p, p.len, 5), RK_EDAMAGED);
	assert_int_equal(open_it(&other.keys[0], &p, p.len, 5), RK_EDAMAGED);
	sesspair_close(&other);
	sesspair_close(&pair);
}

static void
test_pipe_order(void **state)
{
	struct packet a;
	struct packet b;

	set_up(state);
	a = seal(&pair.keys[0], 1);
	b = seal(&pair.keys[0], 2);
	assert_int_equal(open_it(&pair.keys[1], &b, b.len, 2), RK_EDAMAGED);
	assert_int_equal(open_it(&pair.keys[1], &a, a.len, 1), RK_OK);
	assert_int_equal(open_it(&pair.keys[1], &a, a.len, 1), RK_EDAMAGED);
	assert_int_equal(open_it(&pair.keys[1], &b, b.len, 2), RK_OK);
	sesspair_close(&pair);
}

/* What is left out where keys change is missed. */
static void
test_pipe_left_out(void **state)
{
	uint8_t ask[SESS_REKEY_LEN];
	uint8_t answer[SESS_REKEY_LEN];
	struct packet lost;
	struct packet next;

	set_up(state);
	sess_keys_ask(&pair.keys[0], ask);
	assert_int_equal(sess_keys_answer(&pair.keys[1], ask, answer), RK_OK);
	lost = seal(&pair.keys[0], 1);
	assert_int_equal(sess_keys_take(&pair.keys[0], answer), RK_OK);
	next = seal(&pair.keys[0], 2);
	assert_int_equal(
	    open_it(&pair.keys[1], &next, next.len, 2), RK_EDAMAGED);
	assert_int_equal(open_it(&pair.keys[1], &lost, lost.len, 1), RK_OK);
	assert_int_equal(open_it(&pair.keys[1], &next, next.len, 2), RK_OK);
	sesspair_close(&pair);
}

#define MANY (SESS_WINDOW + 200)

static void
test_datagram_order(void **state)
{
	static struct packet p[MANY];

	set_up(state);
	for (size_t i = 0; i < MANY; i++)
		p[i] = seal(&pair.keys[0], (uint8_t)i);
	/* Every other one, and each twice; then the rest, backwards. */
	for (size_t i = 1; i < MANY; i += 2) {
		assert_int_equal(
		    open_it(&pair.keys[1], &p[i], p[i].len, (uint8_t)i), RK_OK);
		assert_int_equal(
		    open_it(&pair.keys[1], &p[i], p[i].len, (uint8_t)i),
		    RK_EEXIST);
	}
	for (size_t i = MANY; i-- > 0;) {
		const bool first = i % 2 == 0 && i >= MANY - SESS_WINDOW;

		assert_int_equal(
		    open_it(&pair.keys[1], &p[i], p[i].len, (uint8_t)i),
		    first ? RK_OK : RK_EEXIST);
	}
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(
		    open_it(&pair.keys[1], &p[i], p[i].len, (uint8_t)i),
		    RK_EEXIST);
	sesspair_close(&pair);
}

/* The last one that is still taken, and the one before it. */
static void
test_datagram_edge(void **state)
{
	for (size_t behind = SESS_WINDOW - 1; behind <= SESS_WINDOW; behind++) {
		struct packet first, last;

		set_up(state);
		first = seal(&pair.keys[0], 1);
		pair.keys[0].epochs[0].send.next = behind;
		last = seal(&pair.keys[0], 2);
		assert_int_equal(
		    open_it(&pair.keys[1], &last, last.len, 2), RK_OK);
		assert_int_equal(open_it(&pair.keys[1], &first, first.len, 1),
		    behind < SESS_WINDOW ? RK_OK : RK_EEXIST);
		sesspair_close(&pair);
	}
}

/* A gap of many windows forgets all that was before it. */
static void
test_datagram_gap(void **state)
{
	struct packet first;
	struct packet last;

	set_up(state);
	first = seal(&pair.keys[0], 1);
	pair.keys[0].epochs[0].send.next += (uint64_t)100 * SESS_WINDOW;
	last = seal(&pair.keys[0], 2);
	assert_int_equal(open_it(&pair.keys[1], &last, last.len, 2), RK_OK);
	assert_int_equal(
	    open_it(&pair.keys[1], &first, first.len, 1), RK_EEXIST);
	assert_int_equal(open_it(&pair.keys[1], &last, last.len, 2), RK_EEXIST);
	sesspair_close(&pair);
}

static void
test_rekey(void **state)
{
	struct packet p;
	uint8_t before[32];

	set_up(state);
	for (uint32_t i = 1; i <= 600; i++) {
		memcpy(before, pair.keys[0].chain, sizeof(before));
		rekey();
		assert_int_equal(pair.keys[0].newest, i);
		assert_memory_not_equal(
		    before, pair.keys[0].chain, sizeof(before));
		p = seal(&pair.keys[1], 3);
		assert_int_equal(open_it(&pair.keys[0], &p, p.len, 3), RK_OK);
	}
	sesspair_close(&pair);
}

/* The old keys serve until the new ones are there at both ends. */
static void
test_rekey_late(void **state)
{
	uint8_t ask[SESS_REKEY_LEN];
	uint8_t answer[SESS_REKEY_LEN];
	uint8_t again[SESS_REKEY_LEN];
	struct packet a;
	struct packet b;

	set_up(state);
	sess_keys_ask(&pair.keys[0], ask);
	assert_int_equal(sess_keys_answer(&pair.keys[1], ask, answer), RK_OK);
	sess_keys_ask(&pair.keys[0], again);
	assert_memory_equal(ask, again, sizeof(ask));
	assert_int_equal(sess_keys_answer(&pair.keys[1], ask, again), RK_OK);
	assert_memory_equal(answer, again, sizeof(again));
	a = seal(&pair.keys[0], 1);
	b = seal(&pair.keys[1], 2);
	assert_int_equal(sess_keys_take(&pair.keys[0], answer), RK_OK);
	assert_int_equal(sess_keys_take(&pair.keys[0], answer), RK_EAGAIN);
	assert_int_equal(open_it(&pair.keys[1], &a, a.len, 1), RK_OK);
	assert_int_equal(open_it(&pair.keys[0], &b, b.len, 2), RK_OK);
	assert_int_equal(pair.keys[1].sending, 0);
	a = seal(&pair.keys[0], 3);
	assert_int_equal(open_it(&pair.keys[1], &a, a.len, 3), RK_OK);
	assert_int_equal(pair.keys[1].sending, 1);
	rekey();
	assert_int_equal(
	    sess_keys_answer(&pair.keys[1], ask, again), RK_EAGAIN);
	sesspair_close(&pair);
}

static void
test_rekey_wrong(void **state)
{
	uint8_t ask[SESS_REKEY_LEN];
	uint8_t bad[SESS_REKEY_LEN];
	uint8_t out[SESS_REKEY_LEN];

	set_up(state);
	sess_keys_ask(&pair.keys[0], ask);
	memcpy(bad, ask, sizeof(bad));
	bad[3] = 2; /* the epoch after the next */
	assert_int_equal(sess_keys_answer(&pair.keys[1], bad, out), RK_EPROTO);
	bad[3] = 0;
	assert_int_equal(sess_keys_answer(&pair.keys[1], bad, out), RK_EPROTO);
	bad[3] = 1;
	memset(bad + 4, 0, NOISE_PUBLIC_LEN); /* a key that gives nothing */
	assert_int_equal(sess_keys_answer(&pair.keys[1], bad, out), RK_EPROTO);
	assert_int_equal(pair.keys[1].newest, 0);
	assert_int_equal(sess_keys_answer(&pair.keys[1], ask, out), RK_OK);
	bad[4] = 9; /* another key for an epoch that has begun */
	assert_int_equal(sess_keys_answer(&pair.keys[1], bad, out), RK_EPROTO);
	/* The roles are not to be changed, nor questions to be left out. */
	assert_int_equal(sess_keys_answer(&pair.keys[0], ask, out), RK_EPROTO);
	assert_int_equal(sess_keys_take(&pair.keys[1], out), RK_EPROTO);
	rekey();
	memcpy(bad, ask, sizeof(bad));
	bad[3] = 2;
	assert_int_equal(sess_keys_take(&pair.keys[0], bad), RK_EPROTO);
	sesspair_close(&pair);
}

static void
test_last_counter(void **state)
{
	struct packet p;

	set_up(state);
	for (int i = 0; i < 2; i++)
		pair.keys[i].packets_max = 4;
	for (uint8_t i = 0; i < 4; i++) {
		p = seal(&pair.keys[0], i);
		assert_int_equal(open_it(&pair.keys[1], &p, p.len, i), RK_OK);
	}
	assert_int_equal(
	    sess_keys_seal(&pair.keys[0], p.data, p.data, TEXT_LEN), RK_ELIMIT);
	pair.keys[0].packets_max = 5;
	p = seal(&pair.keys[0], 9);
	assert_int_equal(open_it(&pair.keys[1], &p, p.len, 9),
	    *state != NULL ? RK_EDAMAGED : RK_ELIMIT);
	sesspair_close(&pair);
}

/* Of a byte pipe, and of datagrams. */
#define BOTH(f)                                       \
	cmocka_unit_test(f),                          \
	{                                             \
#f " datagrams", f, NULL, NULL, &pair \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_damaged),
		BOTH(test_not_the_peers),
		cmocka_unit_test(test_pipe_order),
		cmocka_unit_test(test_pipe_left_out),
		{ "test_datagram_order", test_datagram_order, NULL, NULL,
		    &pair },
		{ "test_datagram_edge", test_datagram_edge, NULL, NULL, &pair },
		{ "test_datagram_gap", test_datagram_gap, NULL, NULL, &pair },
		BOTH(test_rekey),
		BOTH(test_rekey_late),
		BOTH(test_rekey_wrong),
		BOTH(test_last_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
