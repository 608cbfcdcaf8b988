/* A stream over datagrams that loses chosen pieces: each one, then each two of
 * an exchange.  All of it arrives, and soon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "net/sess_rel.h"

#define WAY 256
#define DELAY 15
#define LONGEST (SESS_REL_ROOM + 60000)
#define SOON 12000 /* ms */
#define LATE 60000 /* where many are lost */
#define NONE SIZE_MAX

struct piece {
	uint64_t at;
	size_t len;
	uint8_t data[SESS_REL_PIECE_MAX];
};

struct end {
	struct sess_rel rel;
	size_t put;
	size_t got;
	size_t says;           /* in all */
	size_t after;          /* begins to when it has got so much */
	uint64_t deaf;         /* does not read before */
	struct piece way[WAY]; /* on the way here */
	size_t n;
};

static struct {
	struct end end[2];
	uint64_t now;
	size_t piece;
	size_t sent; /* by both */
	size_t lost[2];
	uint32_t random;
	unsigned percent;  /* of all, besides */
	uint64_t stalls;   /* nothing arrives before */
	uint64_t swallows; /* what is sent before is lost */
} w;

static uint8_t text[LONGEST];

static bool
is_lost(void)
{
	w.random = w.random * 1664525u + 1013904223u;
	return w.sent == w.lost[0] || w.sent == w.lost[1] ||
	       (w.random >> 8) % 100 < w.percent || w.now < w.swallows;
}

static void
arrive(struct end *e)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->n; i++) {
		struct piece *p = &e->way[i];

		if (p->at > w.now)
			e->way[kept++] = *p;
		else
			assert_int_equal(
			    sess_rel_take(&e->rel, w.now, p->data, p->len),
			    RK_OK);
	}
	e->n = kept;
}

static void
use(struct end *e)
{
	static uint8_t in[LONGEST];
	size_t n;

	if (e->got >= e->after && e->put < e->says) {
		assert_int_equal(
		    sess_rel_put(&e->rel, text + e->put, e->says - e->put, &n),
		    RK_OK);
		e->put += n;
	}
	if (w.now < e->deaf)
		return;
	n = sess_rel_read(&e->rel, in, sizeof(in));
	assert_memory_equal(in, text + e->got, n);
	e->got += n;
}

static void
say(struct end *e, struct end *to)
{
	struct piece *p;

	for (;;) {
		assert_true(to->n < WAY);
		p = &to->way[to->n];
		if (!sess_rel_next(&e->rel, w.now, w.piece, p->data, &p->len))
			return;
		p->at = w.now + DELAY;
		if (p->at < w.stalls)
			p->at = w.stalls;
		if (!is_lost())
			to->n++;
		w.sent++;
	}
}

static void
move(int i)
{
	struct end *e = &w.end[i];
	const uint64_t due = sess_rel_due(&e->rel);

	arrive(e);
	if (due != 0 && w.now >= due)
		assert_int_equal(sess_rel_time(&e->rel, w.now), RK_OK);
	use(e);
	say(e, &w.end[1 - i]);
}

static void
sooner(uint64_t *next, uint64_t at)
{
	if (at > w.now && at < *next)
		*next = at;
}

/* When something happens next; never may not be. */
static uint64_t
next_time(void)
{
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < 2; i++) {
		const struct end *e = &w.end[i];

		sooner(&next, e->deaf);
		if (sess_rel_due(&e->rel) != 0)
			sooner(&next, sess_rel_due(&e->rel));
		for (size_t k = 0; k < e->n; k++)
			sooner(&next, e->way[k].at);
	}
	return next;
}

static bool
is_done(void)
{
	return w.end[0].got == w.end[1].says && w.end[1].got == w.end[0].says &&
	       sess_rel_held(&w.end[0].rel) == 0 &&
	       sess_rel_held(&w.end[1].rel) == 0;
}

struct scene {
	size_t piece;
	size_t asks;
	size_t answers;
	uint64_t deaf; /* the answering end, for so long */
	size_t apart;  /* of two that are lost, at most */
};

static void
start(const struct scene *s, size_t first, size_t second)
{
	w.now = 1000;
	w.sent = 0;
	w.piece = s->piece;
	w.lost[0] = first;
	w.lost[1] = second;
	for (int i = 0; i < 2; i++) {
		struct end *e = &w.end[i];

		sess_rel_init(&e->rel);
		e->put = e->got = e->n = 0;
		e->deaf = 0;
		e->after = i == 0 ? 0 : s->asks;
		e->says = i == 0 ? s->asks : s->answers;
	}
	w.end[1].deaf = s->deaf == 0 ? 0 : w.now + s->deaf;
}

/* How many pieces were sent. */
static size_t
play(const struct scene *s, size_t first, size_t second)
{
	start(s, first, second);
	for (;;) {
		move(0);
		move(1);
		if (is_done())
			break;
		w.now = next_time();
		if (w.now > 1000 + s->deaf + (w.percent == 0 ? SOON : LATE))
			fail_msg("without %zu and %zu: stuck", first, second);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(w.end[i].rel.flight, 0);
		assert_int_equal(sess_rel_due(&w.end[i].rel), 0);
		sess_rel_fini(&w.end[i].rel);
	}
	return w.sent;
}

static void
lose(const struct scene *s)
{
	const size_t all = play(s, NONE, NONE);

	for (size_t i = 0; i < all; i++) {
		(void)play(s, i, NONE);
		/* Those that are said again are in there, too. */
		for (size_t k = i + 1; k < all + 4 && k <= i + s->apart; k++)
			(void)play(s, i, k);
	}
}

static void
a_question_and_an_answer(void **state)
{
	static const struct scene s = { .piece = 1200,
		.asks = 9000,
		.answers = 20000,
		.apart = SIZE_MAX / 2 };

	(void)state;
	lose(&s);
}

static void
one_piece_each(void **state)
{
	static const struct scene s = {
		.piece = 1200, .asks = 1, .answers = 1, .apart = SIZE_MAX / 2
	};

	(void)state;
	lose(&s);
}

/* The reader sleeps until there is no room, then tells that there is. */
static void
no_room(void **state)
{
	static const struct scene s = { .piece = SESS_REL_PIECE_MAX,
		.asks = LONGEST,
		.deaf = 3000,
		.apart = 4 };

	(void)state;
	lose(&s);
}

/* Until then; how often the other end was asked whether it is there. */
static unsigned
ask_until(uint64_t then, bool answers)
{
	const struct sess_rel *r = &w.end[0].rel;
	unsigned asked = 0;
	bool before;

	for (; w.now < then; w.now = next_time()) {
		before = r->asked_at != 0;
		move(0);
		move(1);
		asked += !before && r->asked_at != 0;
		if (answers)
			assert_true(r->asked_at == 0 ||
			            w.now < r->asked_at + 3 * DELAY);
	}
	return asked;
}

/* Who does not read, but answers, is there; who does not is known to be silent
 * since it was asked. */
static void
silence(void **state)
{
	static const struct scene s = {
		.piece = SESS_REL_PIECE_MAX, .asks = LONGEST, .deaf = 90000
	};

	(void)state;
	start(&s, NONE, NONE);
	assert_true(ask_until(60000, true) > 3);
	w.percent = 100;
	assert_int_equal(ask_until(80000, false), 1);
	assert_true(w.end[0].rel.asked_at + 8000 < w.now);
	w.percent = 0;
	(void)ask_until(91000 + SOON, false);
	assert_true(is_done());
	for (int i = 0; i < 2; i++)
		sess_rel_fini(&w.end[i].rel);
}

/* Many are lost, and so is the word of many that were not: that it comes late
 * is not taken for a long way, on which to wait longer the next time. */
static void
many_lost(void **state)
{
	static const struct scene s = {
		.piece = SESS_REL_PIECE_MAX, .asks = 100000, .answers = 100000
	};

	(void)state;
	w.percent = 15;
	for (uint32_t seed = 1; seed <= 100; seed++) {
		w.random = seed * 40;
		(void)play(&s, NONE, NONE);
		for (int i = 0; i < 2; i++)
			assert_in_range(
			    w.end[i].rel.srtt, 2000 * DELAY, 2500 * DELAY);
	}
	w.percent = 0;
}

/* ---- a timeout that was for nothing ---- */

#define STALL 400 /* several timeouts */
#define PIECES 18 /* it grows by two each time there and back */

static const struct scene long_text = { .piece = 1200, .asks = LONGEST };

/* The window, when so much is under way. */
static uint64_t
fill_way(void)
{
	const struct sess_rel *r = &w.end[0].rel;

	start(&long_text, NONE, NONE);
	for (; r->flight < PIECES * w.piece; w.now = next_time()) {
		move(0);
		move(1);
	}
	return r->cwnd;
}

static void
go_on_until(uint64_t then)
{
	for (; w.now < then && !is_done(); w.now = next_time()) {
		move(0);
		move(1);
	}
}

static void
stop_way(void)
{
	w.stalls = w.swallows = 0;
	for (int i = 0; i < 2; i++)
		sess_rel_fini(&w.end[i].rel);
}

/* The way stands still, and then carries all that was on it: nothing was lost,
 * and it is as wide as before. */
static void
a_way_that_stalls(void **state)
{
	const uint64_t before = fill_way();
	const struct sess_rel *r = &w.end[0].rel;
	uint64_t retrans;

	(void)state;
	w.stalls = w.now + STALL;
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < w.end[i].n; k++)
			w.end[i].way[k].at = w.stalls;
	go_on_until(w.stalls);
	assert_true(r->quiet > 1 && r->cwnd < before / 2);
	retrans = r->retrans;
	go_on_until(w.stalls + 2 * DELAY + 1);
	assert_true(r->ssthresh >= before);
	go_on_until(w.stalls + 16 * DELAY);
	assert_true(r->cwnd >= before);
	assert_int_equal(r->retrans, retrans); /* none since */
	stop_way();
}

/* One that loses for as long all that it is given is a full one. */
static void
a_way_that_swallows(void **state)
{
	const uint64_t before = fill_way();
	const struct sess_rel *r = &w.end[0].rel;

	(void)state;
	w.swallows = w.now + STALL;
	w.end[0].n = 0; /* and the word of what arrived */
	w.end[1].n /= 2;
	go_on_until(w.swallows);
	go_on_until(w.swallows + 2000);
	assert_true(is_done());
	assert_true(r->ssthresh <= before / 2 + 1200);
	stop_way();
}

/* All that is confirmed was sent again. */
static void
a_last_piece_that_is_lost(void **state)
{
	static const struct scene s = { .piece = 1200, .asks = 1000 };

	(void)state;
	start(&s, 0, NONE);
	go_on_until(w.now + SOON);
	assert_true(is_done());
	assert_int_equal(w.end[0].rel.retrans, 1);
	assert_true(w.end[0].rel.ssthresh < UINT64_MAX);
	stop_way();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_piece_each),
		cmocka_unit_test(a_question_and_an_answer),
		cmocka_unit_test(no_room),
		cmocka_unit_test(silence),
		cmocka_unit_test(many_lost),
		cmocka_unit_test(a_way_that_stalls),
		cmocka_unit_test(a_way_that_swallows),
		cmocka_unit_test(a_last_piece_that_is_lost),
	};

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7 + i / 255);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
