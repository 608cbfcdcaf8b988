/* Channels: what a peer can make a program hold, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "chanrig.h"

#define LIMIT ((size_t)(2u << 20))
static const struct rk_chan_conf conf = {
	.type = "x",
	.window = 65536,
	.max_channels = RK_CHAN_ENDS_MAX,
	.max_waiting = LIMIT,
};

static uint8_t zeros[CHAN_PIECE];

/* A server's link, and the frames of a client that is us. */
struct bench {
	struct rk_loop *loop;
	struct chan_link l;
	struct chanuser u;
	struct rk_error err;
	uint64_t next; /* channel that the client makes */
	size_t sent;   /* bytes of content */
};

static void
on_wake(struct chan_link *l, void *arg)
{
	(void)l;
	(void)arg;
}

static enum rk_err
feed(struct bench *b, const struct chan_frame *f)
{
	uint8_t part[CHAN_FRAME_MAX];
	size_t len = (size_t)(chan_encode(part, f) - part);

	b->sent += f->data.len;
	return chan_feed(&b->l, (struct rk_bytes){ part, len }, &b->err);
}

static void
bench_init(struct bench *b, const struct rk_chan_conf *c)
{
	const struct chan_frame hello = {
		.type = CHAN_HELLO,
		.window = RK_CHAN_WINDOW_MAX,
		.max_channels = RK_CHAN_ENDS_MAX,
		.text = { "x", 1 },
	};

	memset(b, 0, sizeof(*b));
	b->next = 1;
	assert_int_equal(rk_loop_new(&b->loop), RK_OK);
	assert_int_equal(
	    chan_link_init(&b->l, b->loop, true, c, &b->u.c), RK_OK);
	b->l.wake = on_wake;
	assert_int_equal(rk_chan_listen(b->u.c, &chanrig_events, &b->u), RK_OK);
	assert_int_equal(feed(b, &hello), RK_OK);
}

static void
step(struct bench *b)
{
	uint8_t part[65536];
	size_t n;

	do
		assert_int_equal(rk_loop_step(b->loop, 0), RK_OK);
	while (rk_loop_wait_ms(b->loop) == 0);
	do
		assert_int_equal(
		    chan_pull(&b->l, part, sizeof(part), &n), RK_OK);
	while (n > 0);
}

static void
bench_fini(struct bench *b)
{
	const struct rk_error why = { .code = RK_ELIMIT, .text = "over" };

	chan_link_fail(&b->l, &why);
	chanuser_fini(&b->u);
	step(b);
	assert_int_equal(b->l.hold->sum, 0);
	chan_link_fini(&b->l);
	rk_loop_free(b->loop);
}

/* A message on a channel, with an end that cannot be sent on. */
static enum rk_err
feed_end(struct bench *b, uint64_t on)
{
	struct chan_frame f = { .type = CHAN_DATA,
		.id = on,
		.flags = CHAN_FIRST | CHAN_LAST,
		.n_ends = 1,
		.data = { zeros, 1 } };

	f.ends[0] = (struct chan_end){
		.id = b->next, .flags = CHAN_END_SILENT, .type = { "t", 1 }
	};
	b->next += 2;
	return feed(b, &f);
}

/* As much as its window takes, and the end of it. */
static enum rk_err
fill(struct bench *b, uint64_t id)
{
	const struct chan_frame f = { .type = CHAN_DATA,
		.id = id,
		.flags = CHAN_FIRST | CHAN_LAST,
		.data = { zeros, CHAN_PIECE } };
	const struct chan_frame fin = { .type = CHAN_FIN, .id = id };
	enum rk_err r = RK_OK;

	for (unsigned i = 0; i < 4 && r == RK_OK; i++)
		r = feed(b, &f);
	return r == RK_OK ? feed(b, &fin) : r;
}

static void
expect_limit(struct bench *b, enum rk_err r)
{
	assert_int_equal(r, RK_ELIMIT);
	assert_string_equal(
	    b->err.text, "channels: more than 2097152 bytes wait to be read");
	assert_true(b->l.hold->sum <= LIMIT + CHAN_FRAME_MAX);
}

/* Such a channel has ended at once, and counts as none: but it is there. */
static void
counts_what_waits_in_messages(void **state)
{
	struct bench b;
	enum rk_err r = RK_OK;

	(void)state;
	bench_init(&b, &conf);
	rk_chan_pause(b.u.c, true);
	while (r == RK_OK && b.sent < 4 * LIMIT) {
		if ((r = feed_end(&b, 0)) == RK_OK)
			r = fill(&b, b.next - 2);
		step(&b);
	}
	expect_limit(&b, r);
	bench_fini(&b);
}

/* An end in a message of an end that is in a message. */
static void
counts_what_is_inside(void **state)
{
	const struct chan_frame fin = { .type = CHAN_FIN };
	struct chan_frame end = fin;
	struct bench b;
	enum rk_err r;

	(void)state;
	bench_init(&b, &conf);
	rk_chan_pause(b.u.c, true);
	r = feed_end(&b, 0);
	while (r == RK_OK && b.sent < 4 * LIMIT) {
		end.id = b.next - 2;
		for (unsigned i = 0; i < 3 && r == RK_OK; i++) {
			r = feed_end(&b, end.id);
			if (r == RK_OK && i < 2)
				r = fill(&b, b.next - 2);
		}
		if (r == RK_OK)
			r = feed(&b, &end);
		step(&b);
	}
	expect_limit(&b, r);
	bench_fini(&b);
}

/* Somebody took the ends, and does not read. */
static void
counts_what_is_not_read(void **state)
{
	struct bench b;
	enum rk_err r = RK_OK;

	(void)state;
	bench_init(&b, &conf);
	while (r == RK_OK && b.u.n_took < CHANRIG_TAKEN) {
		if ((r = feed_end(&b, 0)) != RK_OK)
			break;
		step(&b);
		rk_chan_pause(b.u.took[b.u.n_took - 1]->c, true);
		r = fill(&b, b.next - 2);
		step(&b);
	}
	expect_limit(&b, r);
	bench_fini(&b);
}

/* Ends with nothing in them are something, too. */
static void
counts_ends(void **state)
{
	struct bench b;
	enum rk_err r = RK_OK;
	struct chan_frame fin = { .type = CHAN_FIN };

	(void)state;
	bench_init(&b, &conf);
	b.u.leave = true;
	for (unsigned i = 0; i < 10000; i++) {
		if (i % 16 == 0)
			step(&b);
		assert_int_equal(feed_end(&b, 0), RK_OK);
		fin.id = b.next - 2;
		assert_int_equal(feed(&b, &fin), RK_OK);
	}
	step(&b);
	assert_int_equal(b.l.hold->sum, 0);
	rk_chan_pause(b.u.c, true);
	for (unsigned i = 0; i < 100 && r == RK_OK; i++) {
		if ((r = feed_end(&b, 0)) != RK_OK)
			break;
		fin.id = b.next - 2;
		r = feed(&b, &fin);
	}
	assert_int_equal(r, RK_OK);
	assert_int_equal(
	    b.l.hold->sum, 100 * (RK_CHAN_END_COST + chan_cost(1, 1)));
	bench_fini(&b);
}

/* Who reads can be sent any amount. */
static void
forgets_what_was_read(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, &conf);
	b.u.leave = true;
	while (b.sent < 4 * LIMIT) {
		assert_int_equal(feed_end(&b, 0), RK_OK);
		assert_int_equal(fill(&b, b.next - 2), RK_OK);
		step(&b);
		assert_int_equal(b.l.hold->sum, 0);
	}
	bench_fini(&b);
}

/* A peer that grants much, and takes nothing, does not make us keep much. */
static void
keeps_little_to_be_sent(void **state)
{
	static const uint8_t bytes[10000];
	const struct rk_chan_msg msg = { .payload = { bytes, sizeof(bytes) } };
	struct bench b;
	unsigned n = 0;
	size_t sum = 0;

	(void)state;
	bench_init(&b, &conf);
	while (rk_chan_send(b.u.c, &msg) == RK_OK) {
		n++;
		assert_true(n < 100);
	}
	assert_int_equal(n, RK_CHAN_WINDOW / chan_cost(sizeof(bytes), 0) + 1);
	assert_int_equal(b.u.writable, 0);
	/* What leaves makes room, credit or not. */
	while (sum < RK_CHAN_WINDOW_MAX - RK_CHAN_WINDOW) {
		step(&b);
		assert_int_equal(rk_loop_step(b.loop, 0), RK_OK);
		assert_true(b.u.writable > 0);
		b.u.writable = 0;
		sum += n * chan_cost(sizeof(bytes), 0);
		n = 0;
		while (rk_chan_send(b.u.c, &msg) == RK_OK)
			n++;
		assert_true(n > 0);
	}
	bench_fini(&b);
}

/* What is not told fits every window and number of channels. */
static void
allows_what_is_usual(void **state)
{
	struct rk_chan_conf usual = { .type = "x" };
	struct bench b;

	(void)state;
	bench_init(&b, &usual);
	assert_int_equal(b.l.max_waiting,
	    64 * RK_CHAN_WINDOW + RK_CHAN_CHANNELS * RK_CHAN_END_COST);
	bench_fini(&b);
	usual.window = RK_CHAN_WINDOW_MAX;
	usual.max_channels = RK_CHAN_CHANNELS_MAX;
	bench_init(&b, &usual);
	assert_true(b.l.max_waiting >=
	            chan_hold_least(usual.window, usual.max_channels));
	bench_fini(&b);
	usual.window = RK_CHAN_WINDOW_MIN;
	usual.max_channels = RK_CHAN_ENDS_MAX;
	bench_init(&b, &usual);
	assert_true(b.l.max_waiting >=
	            chan_hold_least(usual.window, usual.max_channels));
	bench_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_waits_in_messages),
		cmocka_unit_test(counts_what_is_inside),
		cmocka_unit_test(counts_what_is_not_read),
		cmocka_unit_test(counts_ends),
		cmocka_unit_test(forgets_what_was_read),
		cmocka_unit_test(keeps_little_to_be_sent),
		cmocka_unit_test(allows_what_is_usual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
