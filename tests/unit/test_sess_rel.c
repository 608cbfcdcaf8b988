/* A stream over datagrams: loss, disorder, repetition, full readers, nonsense.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/sess_rel.h"

#define WAY 512 /* pieces that may be on one */
#define STREAM 600000
#define PIECE 1200
#define DELAY 20

struct way {
	struct {
		uint64_t at;
		size_t len;
		uint8_t data[SESS_REL_PIECE_MAX];
	} slot[WAY];
	size_t n;
};

static struct {
	struct sess_rel end[2];
	struct way way[2]; /* from that end */
	size_t put[2];
	size_t got[2];
	uint64_t now;
	uint32_t random;
	unsigned loss; /* percent */
	unsigned twice;
	bool jumbled;
	bool deaf[2];       /* its reader does not read */
	size_t sent;        /* pieces */
	size_t piece;       /* the longest one */
	size_t mtu;         /* longer ones are lost; 0: none are */
	unsigned lose_next; /* so many */
} w;

static uint32_t
roll(uint32_t below)
{
	w.random = w.random * 1664525u + 1013904223u;
	return (w.random >> 8) % below;
}

static uint8_t
byte_at(int end, size_t i)
{
	return (uint8_t)(i * 7 + i / 255 + (size_t)end);
}

static void
begin(uint32_t seed)
{
	memset(&w, 0, sizeof(w));
	w.random = seed;
	w.now = 1000;
	w.piece = PIECE;
	for (int i = 0; i < 2; i++)
		sess_rel_init(&w.end[i]);
}

static void
finish(void)
{
	for (int i = 0; i < 2; i++)
		sess_rel_fini(&w.end[i]);
}

static void
send_on(int from, const uint8_t *data, size_t len)
{
	struct way *way = &w.way[from];

	if (way->n == WAY)
		return; /* a full queue somewhere */
	memcpy(way->slot[way->n].data, data, len);
	way->slot[way->n].len = len;
	way->slot[way->n++].at =
	    w.now + DELAY + (w.jumbled ? roll(2 * DELAY) : 0);
}

static void
pump(int i)
{
	uint8_t piece[SESS_REL_PIECE_MAX];
	size_t len;

	while (sess_rel_next(&w.end[i], w.now, w.piece, piece, &len)) {
		assert_in_range(len, 1, w.piece);
		w.sent++;
		if (w.lose_next > 0) {
			w.lose_next--;
			continue;
		}
		if (roll(100) < w.loss || (w.mtu != 0 && len > w.mtu))
			continue;
		send_on(i, piece, len);
		if (roll(100) < w.twice)
			send_on(i, piece, len);
	}
}

static void
deliver(int from)
{
	struct way *way = &w.way[from];

	for (size_t i = 0; i < way->n;) {
		if (way->slot[i].at > w.now) {
			i++;
			continue;
		}
		assert_int_equal(sess_rel_take(&w.end[1 - from], w.now,
		                     way->slot[i].data, way->slot[i].len),
		    RK_OK);
		way->n--;
		memmove(&way->slot[i], &way->slot[i + 1],
		    (way->n - i) * sizeof(way->slot[0]));
	}
}

static void
use(int i, size_t most)
{
	uint8_t data[3000];
	size_t n =
	    most - w.put[i] < sizeof(data) ? most - w.put[i] : sizeof(data);

	for (size_t k = 0; k < n; k++)
		data[k] = byte_at(i, w.put[i] + k);
	assert_int_equal(sess_rel_put(&w.end[i], data, n, &n), RK_OK);
	w.put[i] += n;
	while (!w.deaf[i] &&
	       (n = sess_rel_read(&w.end[i], data, sizeof(data))) > 0) {
		for (size_t k = 0; k < n; k++)
			assert_int_equal(data[k], byte_at(1 - i, w.got[i] + k));
		w.got[i] += n;
	}
}

/* A millisecond; most[i]: what end i has to say. */
static void
tick(const size_t most[2])
{
	for (int i = 0; i < 2; i++) {
		use(i, most[i]);
		if (sess_rel_due(&w.end[i]) != 0)
			assert_int_equal(
			    sess_rel_time(&w.end[i], w.now), RK_OK);
		pump(i);
	}
	w.now++;
	for (int i = 0; i < 2; i++) {
		deliver(i);
		use(i, most[i]);
		pump(i);
	}
}

static void
run(const size_t most[2])
{
	const uint64_t until = w.now + 3600 * 1000;

	while (w.got[0] < most[1] || w.got[1] < most[0] ||
	       sess_rel_held(&w.end[0]) > 0 || sess_rel_held(&w.end[1]) > 0) {
		assert_true(w.now < until);
		tick(most);
	}
	assert_int_equal(w.got[0], most[1]);
	assert_int_equal(w.got[1], most[0]);
	/* Nothing is waited for any more. */
	for (int i = 0; i < 2; i++)
		assert_int_equal(sess_rel_due(&w.end[i]), 0);
}

static void
good_ways(void **state)
{
	const size_t most[2] = { STREAM, STREAM / 2 };

	(void)state;
	begin(1);
	run(most);
	/* Nothing was sent twice where nothing was lost. */
	assert_true(w.end[0].serial <= STREAM / (PIECE - SESS_REL_HEAD) + 200);
	assert_int_equal(w.end[0].retrans, 0);
	assert_in_range(w.end[0].srtt, 30000, 60000);
	finish();
}

static void
bad_ways(void **state)
{
	const size_t most[2] = { STREAM / 3, STREAM / 6 };

	(void)state;
	for (uint32_t seed = 1; seed <= 6; seed++) {
		begin(seed);
		w.loss = seed * 5;
		w.twice = seed * 4;
		w.jumbled = seed % 2 == 0;
		run(most);
		assert_true(w.end[0].retrans > 0);
		finish();
	}
}

/* The other end has room for so much, and says when it has more. */
static void
full_readers(void **state)
{
	const size_t most[2] = { 2 * SESS_REL_ROOM, 0 };
	uint64_t until;

	(void)state;
	begin(9);
	w.loss = 10;
	w.deaf[1] = true;
	until = w.now + 100000;
	while (w.now < until)
		tick(most);
	assert_int_equal(buf_len(&w.end[1].in), SESS_REL_ROOM);
	assert_int_equal(w.end[0].una, SESS_REL_ROOM);
	w.deaf[1] = false;
	run(most);
	finish();
}

/* Slow at first, less after a loss, least when all was lost. */
static void
windows(void **state)
{
	const size_t most[2] = { 100000, 0 };
	uint64_t before;

	(void)state;
	begin(3);
	use(0, most[0]);
	for (int i = 0; i < 40; i++)
		use(0, most[0]);
	pump(0);
	assert_true(w.end[0].flight <= 10 * 1200);
	before = w.end[0].cwnd;
	for (int i = 0; i < 50; i++)
		tick(most);
	assert_true(w.end[0].cwnd > before);
	/* All of it is lost from here on. */
	w.loss = 100;
	before = w.end[0].cwnd;
	for (int i = 0; i < 1500; i++)
		tick(most);
	assert_true(w.end[0].cwnd <= 1200);
	assert_true(w.end[0].backoff > 0);
	w.loss = 0;
	run(most);
	assert_int_equal(w.end[0].backoff, 0);
	finish();
}

static void
gives_up(void **state)
{
	const uint64_t begun = 1000;
	enum rk_err r = RK_OK;
	size_t n;

	(void)state;
	begin(1);
	w.loss = 100;
	assert_int_equal(sess_rel_put(&w.end[0], "x", 1, &n), RK_OK);
	while (r == RK_OK) {
		pump(0);
		w.now = sess_rel_due(&w.end[0]);
		assert_true(w.now > 0 && w.now < begun + 300000);
		r = sess_rel_time(&w.end[0], w.now);
	}
	assert_int_equal(r, RK_ETIMEOUT);
	assert_true(w.now >= begun + SESS_REL_GIVE_UP_MS);
	finish();
}

static enum rk_err
take(const char *bytes, size_t len)
{
	enum rk_err r;

	begin(1);
	r = sess_rel_take(&w.end[0], w.now, (const uint8_t *)bytes, len);
	finish();
	return r;
}

static void
nonsense(void **state)
{
	static const char confirm[] = "\2\0\0\0\0\0\0\0\0\0\0\0\0\0\4\0\0";
	char data[SESS_REL_HEAD + 1] = "\1";

	(void)state;
	assert_int_equal(take(confirm, 17), RK_OK);
	for (size_t i = 0; i < 17; i++)
		assert_int_equal(take(confirm, i), RK_EPROTO);
	assert_int_equal(take(confirm, 18), RK_EPROTO); /* half a range */
	assert_int_equal(take("\3\0\0\0\0\0\0\0\0", 9), RK_EPROTO);
	/* What was never sent; a limit before that; too much room. */
	assert_int_equal(
	    take("\2\0\0\0\0\0\0\0\1\0\0\0\0\0\4\0\0", 17), RK_EPROTO);
	assert_int_equal(
	    take("\2\0\0\0\0\0\0\0\0\0\0\0\0\0\4\0\1", 17), RK_EPROTO);
	assert_int_equal(
	    take("\2\0\0\0\0\0\0\0\0\377\377\377\377\377\377\377\377", 17),
	    RK_EPROTO);
	/* Within the room that was told, and one byte beyond it. */
	assert_int_equal(take(data, sizeof(data)), RK_OK);
	memcpy(data, "\1\0\0\0\0\0\3\377\377", 9);
	assert_int_equal(take(data, sizeof(data)), RK_OK);
	memcpy(data, "\1\0\0\0\0\0\4\0\0", 9);
	assert_int_equal(take(data, sizeof(data)), RK_EPROTO);
	memset(data + 1, 0xff, 8);
	assert_int_equal(take(data, sizeof(data)), RK_EPROTO);
}

/* A confirmation of all before a place, with room from there on. */
static enum rk_err
confirm(uint64_t all, uint64_t room, unsigned ranges)
{
	static uint8_t p[17 + 16 * 20];
	uint8_t *q = p;

	memset(p, 0, sizeof(p));
	*q++ = 2;
	for (int i = 56; i >= 0; i -= 8)
		*q++ = (uint8_t)(all >> i);
	for (int i = 56; i >= 0; i -= 8)
		*q++ = (uint8_t)((all + room) >> i);
	for (unsigned i = 0; i < ranges; i++)
		q[16 * i + 15] = 1; /* the first byte */
	return sess_rel_take(&w.end[0], w.now, p, 17 + 16 * (size_t)ranges);
}

static void
put(size_t len)
{
	static uint8_t data[SESS_REL_HELD];
	size_t n;

	for (size_t i = 0; i < len; i++)
		data[i] = byte_at(0, w.put[0] + i);
	assert_int_equal(sess_rel_put(&w.end[0], data, len, &n), RK_OK);
	w.put[0] += n;
}

/* The peer has half of a piece: the rest is sent again, and nothing else that
 * is in memory there. */
static void
halves(void **state)
{
	uint8_t piece[SESS_REL_PIECE_MAX];
	const uint64_t all = 1000;
	size_t len;

	(void)state;
	begin(1);
	put(1100);
	assert_true(sess_rel_next(&w.end[0], w.now, PIECE, piece, &len));
	assert_int_equal(len, SESS_REL_HEAD + 1100);
	assert_int_equal(confirm(all, SESS_REL_ROOM, 0), RK_OK);
	assert_int_equal(w.end[0].flight, 100);
	put(2000); /* what waits is moved to the begin of its memory */
	w.now = sess_rel_due(&w.end[0]);
	assert_int_equal(sess_rel_time(&w.end[0], w.now), RK_OK);
	assert_true(sess_rel_next(&w.end[0], w.now, PIECE, piece, &len));
	assert_int_equal(len, SESS_REL_HEAD + 100);
	assert_int_equal(piece[7] << 8 | piece[8], all);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(piece[SESS_REL_HEAD + i], byte_at(0, all + i));
	assert_int_equal(confirm(1100, SESS_REL_ROOM, 0), RK_OK);
	assert_int_equal(w.end[0].flight, 0);
	finish();
}

/* A peer that has room for one byte more each time does not make us keep one
 * piece for each byte. */
static void
crumbs(void **state)
{
	uint8_t piece[SESS_REL_PIECE_MAX];
	unsigned sent = 0;
	size_t len;

	(void)state;
	begin(1);
	w.end[0].limit = 0; /* a peer that was full */
	w.end[0].cwnd = SESS_REL_HELD;
	put(100000);
	for (unsigned i = 1; i < 10000; i++) {
		assert_int_equal(confirm(0, i, 0), RK_OK);
		while (sess_rel_next(&w.end[0], w.now, PIECE, piece, &len))
			sent++;
	}
	assert_in_range(sent, 1, 2048);
	/* It goes on from there. */
	assert_int_equal(confirm(sent, SESS_REL_ROOM, 0), RK_OK);
	assert_true(sess_rel_next(&w.end[0], w.now, PIECE, piece, &len));
	assert_int_equal(len, PIECE);
	finish();
}

/* Nor one that has such pieces, and then a way that carries less. */
static void
halved_crumbs(void **state)
{
	uint8_t piece[SESS_REL_PIECE_MAX];
	size_t len;

	(void)state;
	begin(1);
	w.end[0].limit = 0;
	w.end[0].cwnd = SESS_REL_HELD;
	put(SESS_REL_HELD);
	for (unsigned i = 1; i <= 2048; i++) {
		assert_int_equal(confirm(0, 100 * i, 0), RK_OK);
		assert_true(
		    sess_rel_next(&w.end[0], w.now, PIECE, piece, &len));
	}
	sess_rel_moved(&w.end[0], w.now);
	w.end[0].cwnd = 2 * SESS_REL_HELD;
	assert_true(sess_rel_next(&w.end[0], w.now, 60, piece, &len));
	assert_int_equal(w.end[0].n_sent, 2049);
	assert_int_equal(confirm(0, SESS_REL_ROOM, 0), RK_OK);
	while (sess_rel_next(&w.end[0], w.now, 120, piece, &len))
		;
	assert_int_equal(w.end[0].n_sent, 2049);
	finish();
}

static void
many_ranges(void **state)
{
	uint8_t piece[SESS_REL_PIECE_MAX];
	size_t len;

	(void)state;
	for (unsigned n = 16; n <= 17; n++) {
		begin(1);
		put(100);
		assert_true(
		    sess_rel_next(&w.end[0], w.now, PIECE, piece, &len));
		assert_int_equal(
		    confirm(0, SESS_REL_ROOM, n), n <= 16 ? RK_OK : RK_EPROTO);
		finish();
	}
}

/* Pieces that are almost the same ones do not fill more memory than there is
 * room. */
static void
overlaps(void **state)
{
	static uint8_t data[SESS_REL_HEAD + 60000] = { 1 };
	struct sess_piece *p;
	size_t held = 0;

	(void)state;
	begin(1);
	for (unsigned at = 1000; at > 0; at--) {
		data[7] = (uint8_t)(at >> 8);
		data[8] = (uint8_t)at;
		assert_int_equal(
		    sess_rel_take(&w.end[0], w.now, data, sizeof(data)), RK_OK);
	}
	TAILQ_FOREACH (p, &w.end[0].ahead, link)
		held += p->len;
	assert_in_range(held, 60000, SESS_REL_ROOM);
	/* What is before them makes them whole, and there is room again. */
	data[7] = data[8] = 0;
	assert_int_equal(
	    sess_rel_take(&w.end[0], w.now, data, sizeof(data)), RK_OK);
	assert_true(TAILQ_EMPTY(&w.end[0].ahead));
	assert_int_equal(buf_len(&w.end[0].in), 61000);
	memset(data + 1, 0, 8);
	data[6] = 1;
	assert_int_equal(
	    sess_rel_take(&w.end[0], w.now, data, sizeof(data)), RK_OK);
	finish();
}

/* What was cut for a wider way is sent in parts. */
static void
narrower_ways(void **state)
{
	const size_t most[2] = { STREAM, STREAM };

	(void)state;
	begin(1);
	w.piece = SESS_REL_PIECE_MAX;
	while (w.end[0].flight < 4 * SESS_REL_PIECE_MAX)
		tick(most);
	w.mtu = PIECE;
	while (w.end[0].backoff < 2)
		tick(most);
	w.piece = PIECE;
	run(most);
	finish();
}

/* One way or the other, the last piece is missed soon, and once is no reason to
 * begin from the least window. */
static void
lost_tails(void **state)
{
	const size_t first[2] = { 100000, 1 };
	const size_t then[2] = { 101000, 1 };
	uint64_t begun;

	(void)state;
	begin(1);
	run(first);
	begun = w.now;
	w.lose_next = 1;
	run(then);
	assert_in_range(w.now - begun, 3 * DELAY, 10 * DELAY);
	assert_true(w.end[0].cwnd > 2000);
	finish();
}

/* One that is sent again and lost again is missed by what comes later. */
static void
lost_again(void **state)
{
	const size_t most[2] = { 400000, 0 };

	(void)state;
	begin(3);
	w.loss = 10;
	run(most);
	/* Two seconds would be ten of the timeouts that there once were. */
	assert_true(w.now < 1000 + 400000 / 1200 * 4 * DELAY);
	finish();
}

/* On another way what is under way goes at once again. */
static void
other_ways(void **state)
{
	const size_t most[2] = { STREAM, 0 };
	uint64_t begun;
	size_t sent;

	(void)state;
	begin(1);
	while (w.end[0].flight < 20 * PIECE)
		tick(most);
	w.mtu = 1;
	while (w.end[0].backoff < 4)
		tick(most);
	w.mtu = 0;
	sent = w.sent;
	sess_rel_moved(&w.end[0], w.now);
	begun = w.now;
	tick(most);
	assert_true(w.sent - sent >= 10);
	run(most);
	assert_true(w.now - begun < 5000);
	finish();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ways),
		cmocka_unit_test(bad_ways),
		cmocka_unit_test(full_readers),
		cmocka_unit_test(windows),
		cmocka_unit_test(gives_up),
		cmocka_unit_test(nonsense),
		cmocka_unit_test(halves),
		cmocka_unit_test(crumbs),
		cmocka_unit_test(halved_crumbs),
		cmocka_unit_test(many_ranges),
		cmocka_unit_test(overlaps),
		cmocka_unit_test(narrower_ways),
		cmocka_unit_test(lost_tails),
		cmocka_unit_test(lost_again),
		cmocka_unit_test(other_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
