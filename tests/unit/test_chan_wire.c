/* Channels: what a peer may not send, byte by byte and frame by frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "chanrig.h"

#define TALK "x"
static const struct rk_chan_conf conf = {
	.type = TALK,
	.window = RK_CHAN_WINDOW_MIN,
	.max_channels = RK_CHAN_ENDS_MAX,
};

static uint8_t zeros[CHAN_PIECE + 1];

/* A server's link, and the frames of a client that is us. */
struct bench {
	struct rk_loop *loop;
	struct chan_link l;
	struct chanuser u;
	struct rk_error err;
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
	uint8_t part[CHAN_FRAME_MAX + 1];
	size_t len = (size_t)(chan_encode(part, f) - part);

	return chan_feed(&b->l, (struct rk_bytes){ part, len }, &b->err);
}

static const struct chan_frame hello = {
	.type = CHAN_HELLO,
	.window = RK_CHAN_WINDOW_MIN,
	.max_channels = RK_CHAN_ENDS_MAX,
	.text = { TALK, 1 },
};

static void
bench_init(struct bench *b, bool greet)
{
	memset(b, 0, sizeof(*b));
	assert_int_equal(rk_loop_new(&b->loop), RK_OK);
	assert_int_equal(
	    chan_link_init(&b->l, b->loop, true, &conf, &b->u.c), RK_OK);
	b->l.wake = on_wake;
	assert_int_equal(rk_chan_listen(b->u.c, &chanrig_events, &b->u), RK_OK);
	if (greet)
		assert_int_equal(feed(b, &hello), RK_OK);
}

static void
bench_fini(struct bench *b)
{
	const struct rk_error why = { .code = RK_EPROTO, .text = "over" };

	chan_link_fail(&b->l, &why);
	assert_int_equal(b->u.ends, 1);
	chanuser_fini(&b->u);
	assert_int_equal(rk_loop_step(b->loop, 0), RK_OK);
	chan_link_fini(&b->l);
	rk_loop_free(b->loop);
}

static void
expect(struct bench *b, const struct chan_frame *f, const char *why)
{
	assert_int_equal(feed(b, f), why == NULL ? RK_OK : RK_EPROTO);
	if (why == NULL)
		return;
	assert_memory_equal(b->err.text, "channels: ", 10);
	assert_string_equal(b->err.text + 10, why);
	bench_fini(b);
	bench_init(b, true);
}

static struct chan_frame
data(uint64_t id, unsigned flags, size_t len)
{
	return (struct chan_frame){ .type = CHAN_DATA,
		.id = id,
		.flags = flags,
		.data = { zeros, len } };
}

static struct chan_frame
with_end(uint64_t id, uint64_t end, unsigned flags)
{
	struct chan_frame f = data(id, CHAN_FIRST | CHAN_LAST, 0);

	f.n_ends = 1;
	f.ends[0] =
	    (struct chan_end){ .id = end, .flags = flags, .type = { "t", 1 } };
	return f;
}

static struct chan_frame
plain(enum chan_frame_type type, uint64_t id)
{
	return (struct chan_frame){ .type = type, .id = id, .credit = 1 };
}

#define ALL (CHAN_FIRST | CHAN_LAST)

static void
keeps_to_the_greeting(void **state)
{
	struct chan_frame f;
	struct bench b;

	(void)state;
	bench_init(&b, false);
	f = data(0, ALL, 1);
	assert_int_equal(feed(&b, &f), RK_EPROTO);
	assert_string_equal(b.err.text, "channels: no greeting");
	f = hello;
	f.server = true;
	assert_int_equal(feed(&b, &f), RK_EPROTO);
	assert_string_equal(b.err.text, "channels: a greeting of the same end");
	f = hello;
	f.window = RK_CHAN_WINDOW_MIN - 1;
	assert_int_equal(feed(&b, &f), RK_EPROTO);
	f.window = RK_CHAN_WINDOW_MAX + 1;
	assert_int_equal(feed(&b, &f), RK_EPROTO);
	f = hello;
	f.max_channels = RK_CHAN_ENDS_MAX - 1;
	assert_int_equal(feed(&b, &f), RK_EPROTO);
	f.max_channels = RK_CHAN_CHANNELS_MAX + 1;
	assert_int_equal(feed(&b, &f), RK_EPROTO);
	f = hello;
	f.id = 1;
	assert_int_equal(feed(&b, &f), RK_EPROTO);
	f = hello;
	f.text.len = 0;
	assert_int_equal(feed(&b, &f), RK_EPROTO);
	assert_int_equal(feed(&b, &hello), RK_OK);
	expect(&b, &hello, "a second greeting");
	bench_fini(&b);
}

static void
keeps_messages_in_order(void **state)
{
	struct chan_frame f, g;
	struct bench b;

	(void)state;
	bench_init(&b, true);
	f = data(0, 0, 1);
	expect(&b, &f, "a message without a start");
	f = data(0, CHAN_LAST, 1);
	expect(&b, &f, "a message without a start");
	f = data(0, CHAN_FIRST, 1);
	expect(&b, &f, NULL);
	expect(&b, &f, "a message within a message");
	g = plain(CHAN_FIN, 0);
	expect(&b, &f, NULL);
	expect(&b, &g, "an end within a message");
	expect(&b, &g, NULL);
	expect(&b, &g, "two ends of one channel");
	expect(&b, &g, NULL);
	expect(&b, &f, "something after the end");
	g = plain(CHAN_RESET, 0);
	expect(&b, &f, NULL); /* it may end a message */
	expect(&b, &g, NULL);
	assert_int_equal(rk_loop_step(b.loop, 0), RK_OK);
	assert_int_equal(b.u.ends, 1);
	expect(&b, &f, "something after the end");
	f = data(0, CHAN_FIRST, 0);
	expect(&b, &f, "a piece is empty");
	f = data(0, CHAN_LAST, 0);
	expect(&b, &f, "a piece is empty");
	f = data(0, ALL | 4, 0);
	expect(&b, &f, "flags unknown");
	f = data(0, ALL, CHAN_PIECE);
	expect(&b, &f, NULL);
	f = data(0, ALL, CHAN_PIECE + 1);
	expect(&b, &f, "a piece is too long");
	bench_fini(&b);
}

static void
keeps_to_what_was_granted(void **state)
{
	struct chan_frame f = data(0, ALL, 1000);
	struct chan_frame c = plain(CHAN_CREDIT, 0);
	struct bench b;

	(void)state;
	bench_init(&b, true);
	rk_chan_pause(b.u.c, true);
	for (unsigned i = 0; i < 4; i++)
		expect(&b, &f, NULL); /* 5024 of 4096: the last exceeds it */
	expect(&b, &f, "more than may be sent");
	/* Also when nobody reads, or keeps it. */
	chan_deafen(b.u.c);
	for (unsigned i = 0; i < 4; i++)
		expect(&b, &f, NULL);
	expect(&b, &f, "more than may be sent");
	/* The longest message, and one byte more. */
	f = data(0, CHAN_FIRST, CHAN_PIECE);
	expect(&b, &f, NULL);
	f.flags = 0;
	for (unsigned i = 1; i < RK_CHAN_MESSAGE_MAX / CHAN_PIECE; i++)
		expect(&b, &f, NULL);
	f = data(0, CHAN_LAST, 1);
	expect(&b, &f, "a message is too long");
	expect(&b, &c, "credit for nothing");
	c.credit = 0;
	expect(&b, &c, "no credit in a credit");
	c.credit = UINT32_MAX;
	expect(&b, &c, "credit for nothing");
	bench_fini(&b);
}

static void
keeps_ids_in_order(void **state)
{
	static const uint64_t wrong[] = { 0, 2, 3, 7, UINT64_MAX,
		UINT64_MAX - 1 };
	struct chan_frame f;
	struct bench b;

	(void)state;
	bench_init(&b, true);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		f = with_end(0, wrong[i], 0);
		expect(&b, &f, "an end out of its turn");
		f = data(wrong[i] == 0 ? 1 : wrong[i], ALL, 1);
		expect(&b, &f, "no such channel");
		f = plain(CHAN_STOP, wrong[i] == 0 ? 1 : wrong[i]);
		expect(&b, &f, "no such channel");
		f = plain(CHAN_FIN, wrong[i] == 0 ? 1 : wrong[i]);
		expect(&b, &f, "no such channel");
	}
	f = with_end(0, 1, 0);
	f.ends[0].hops = RK_CHAN_HOPS_MAX + 1;
	expect(&b, &f, "an end was sent on too often");
	f = with_end(0, 1, 0);
	f.ends[0].type.len = 0;
	expect(&b, &f, "a type has no name");
	f.ends[0].type = (struct rk_str){ "a\0b", 3 };
	expect(&b, &f, "a type has no name");
	f = with_end(0, 1, 0);
	expect(&b, &f, NULL);
	expect(&b, &f, "an end out of its turn");
	bench_fini(&b);
}

/* What crosses the end of a channel is no mistake. */
static void
forgives_what_crosses(void **state)
{
	struct chan_frame f = with_end(0, 1, 0);
	struct chan_frame fin = plain(CHAN_FIN, 1);
	uint8_t part[65536];
	struct bench b;
	size_t n;

	(void)state;
	bench_init(&b, true);
	b.u.leave = true;
	expect(&b, &f, NULL);
	assert_int_equal(rk_loop_step(b.loop, 0), RK_OK);
	assert_int_equal(b.u.messages, 1);
	assert_int_equal(chan_pull(&b.l, part, sizeof(part), &n), RK_OK);
	f = data(1, ALL, 1);
	expect(&b, &f, NULL); /* sent before we said that nobody reads */
	expect(&b, &fin, NULL);
	assert_int_equal(b.l.n_theirs, 0);
	f = plain(CHAN_STOP, 1);
	expect(&b, &f, NULL);
	f = plain(CHAN_CREDIT, 1);
	expect(&b, &f, NULL);
	expect(&b, &fin, "no such channel");
	bench_fini(&b);
}

static void
counts_channels(void **state)
{
	struct chan_frame f = with_end(0, 1, 0);
	uint8_t part[65536];
	struct bench b;
	size_t n;

	(void)state;
	bench_init(&b, true);
	for (unsigned i = 0; i < RK_CHAN_ENDS_MAX; i++) {
		f.ends[0].id = 1 + 2 * (uint64_t)i;
		expect(&b, &f, NULL);
		assert_int_equal(rk_loop_step(b.loop, 0), RK_OK);
		/* With it goes the credit. */
		assert_int_equal(
		    chan_pull(&b.l, part, sizeof(part), &n), RK_OK);
	}
	f.ends[0].id += 2;
	expect(&b, &f, "too many channels");
	f = data(0, ALL, 0);
	f.n_ends = RK_CHAN_ENDS_MAX;
	for (unsigned i = 0; i < RK_CHAN_ENDS_MAX; i++)
		f.ends[i] = (struct chan_end){ .id = 1 + 2 * (uint64_t)i,
			.type = { "t", 1 } };
	expect(&b, &f, NULL);
	f.n_ends = 1;
	f.ends[0].id = 2 * RK_CHAN_ENDS_MAX + 1;
	assert_int_equal(rk_loop_step(b.loop, 0), RK_OK);
	assert_int_equal(chan_pull(&b.l, part, sizeof(part), &n), RK_OK);
	expect(&b, &f, "too many channels");
	bench_fini(&b);
}

static void
keeps_bytes_apart(void **state)
{
	struct chan_frame f = with_end(0, 1, CHAN_END_BYTES);
	struct bench b;

	(void)state;
	bench_init(&b, true);
	for (unsigned i = 0; i < 3; i++) {
		struct chan_frame g = data(1, i == 0 ? CHAN_FIRST : ALL, 1);

		expect(&b, &f, NULL);
		if (i == 1)
			g = with_end(1, 3, 0);
		expect(&b, &g, i < 2 ? "a message among bytes" : NULL);
	}
	bench_fini(&b);
}

/* Every frame, cut at every byte, and with a byte too many. */
static void
notices_what_is_cut(void **state)
{
	struct chan_frame frames[7] = { hello, data(0, ALL, 5),
		with_end(0, 1, 0), plain(CHAN_CREDIT, 0), plain(CHAN_FIN, 0),
		plain(CHAN_STOP, 0), plain(CHAN_RESET, 0) };

	(void)state;
	frames[6].text = (struct rk_str){ "why", 3 };
	for (size_t i = 0; i < 7; i++) {
		uint8_t bytes[CHAN_FRAME_MAX];
		size_t len = (size_t)(chan_encode(bytes, &frames[i]) - bytes);

		for (size_t n = 0; n <= len + 1; n++) {
			uint8_t *copy = malloc(len + 2);
			const uint8_t *p = copy;
			struct chan_frame f;
			const char *why;

			assert_non_null(copy);
			memcpy(copy, bytes, len);
			copy[len] = 0xff;
			if (n >= len) {
				assert_int_equal(
				    chan_decode(&p, copy + n, &f, &why), RK_OK);
				assert_ptr_equal(p, copy + len);
				assert_int_equal(f.type, frames[i].type);
			} else {
				assert_int_equal(
				    chan_decode(&p, copy + n, &f, &why),
				    RK_EPROTO);
				assert_ptr_equal(p, copy);
				assert_non_null(why);
			}
			free(copy);
		}
	}
}

static void
knows_its_frames(void **state)
{
	struct chan_frame f = plain(CHAN_RESET, 0);
	struct bench b;
	char text[256];

	(void)state;
	bench_init(&b, true);
	for (unsigned type = 0; type < 256; type++) {
		uint8_t part[9] = { (uint8_t)type };

		if (type >= CHAN_HELLO && type <= CHAN_RESET)
			continue;
		assert_int_equal(
		    chan_feed(
		        &b.l, (struct rk_bytes){ part, sizeof(part) }, &b.err),
		    RK_EPROTO);
		assert_string_equal(
		    b.err.text, "channels: a frame of an unknown kind");
	}
	memset(text, 'a', sizeof(text));
	f.text = (struct rk_str){ text, RK_CHAN_REASON_MAX + 1 };
	expect(&b, &f, "a reason is too long");
	f.text.len--;
	f.code = 255; /* of a later version */
	expect(&b, &f, NULL);
	assert_int_equal(rk_loop_step(b.loop, 0), RK_OK);
	assert_int_equal(b.u.code, RK_EFAIL);
	assert_int_equal(strlen(b.u.why), RK_CHAN_REASON_MAX);
	bench_fini(&b);
}

static void
knows_its_reasons(void **state)
{
	static const enum rk_err codes[] = { RK_ECLOSED, RK_ECANCELED,
		RK_ETIMEOUT, RK_EINVAL, RK_ELIMIT, RK_EDENIED, RK_EUNSUPPORTED,
		RK_EFAIL };

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		assert_int_equal(
		    chan_code_to(chan_code_of(codes[i])), codes[i]);
	assert_int_equal(chan_code_to(chan_code_of(RK_EIO)), RK_EFAIL);
	/* These are the wire's, and stay. */
	assert_int_equal(chan_code_of(RK_EFAIL), 0);
	assert_int_equal(chan_code_of(RK_ECLOSED), 1);
	assert_int_equal(chan_code_of(RK_EUNSUPPORTED), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_to_the_greeting),
		cmocka_unit_test(keeps_messages_in_order),
		cmocka_unit_test(keeps_to_what_was_granted),
		cmocka_unit_test(keeps_ids_in_order),
		cmocka_unit_test(forgives_what_crosses),
		cmocka_unit_test(counts_channels),
		cmocka_unit_test(keeps_bytes_apart),
		cmocka_unit_test(notices_what_is_cut),
		cmocka_unit_test(knows_its_frames),
		cmocka_unit_test(knows_its_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
