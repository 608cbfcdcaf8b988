/* Channels: messages, bytes, credit and endings, over two links and within. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "chanrig.h"

static uint8_t many[RK_CHAN_MESSAGE_MAX + 1];

static enum rk_err
send_many(struct chanuser *u, size_t len)
{
	const struct rk_chan_msg msg = { .payload = { many, len } };

	return rk_chan_send(u->c, &msg);
}

/* A pair of users: the first channel, or one that is all here. */
static struct chanuser *
pair_of(struct chanrig *r, bool local, struct chanuser two[2],
    struct chanuser **other)
{
	if (local) {
		chanrig_pair(r, RK_CHAN_MESSAGES, "here", &two[0], &two[1]);
		*other = &two[1];
		return &two[0];
	}
	*other = &r->first[1];
	chanrig_settle(r);
	return &r->first[0];
}

/* Close what is local before the loop goes. */
static void
leave(struct chanrig *r, bool local, struct chanuser two[2])
{
	if (local) {
		chanuser_fini(&two[0]);
		chanuser_fini(&two[1]);
	}
	chanrig_fini(r);
}

#define FOR_BOTH(name)                     \
	static void name##_here(void **s)  \
	{                                  \
		(void)s;                   \
		name(true);                \
	}                                  \
	static void name##_there(void **s) \
	{                                  \
		(void)s;                   \
		name(false);               \
	}
#define BOTH(name) cmocka_unit_test(name##_here), cmocka_unit_test(name##_there)

static void
carries_messages(bool local)
{
	struct chanuser two[2], *b;
	struct chanrig r;
	struct chanuser *a;

	chanrig_init(&r, NULL, NULL);
	a = pair_of(&r, local, two, &b);
	chanrig_send(a, "one", NULL);
	chanrig_send(a, "two", NULL);
	chanrig_send(b, "", NULL);
	assert_int_equal(b->messages, 0); /* not from inside */
	chanrig_settle(&r);
	assert_int_equal(b->messages, 2);
	assert_string_equal(b->text, "two");
	assert_int_equal(a->messages, 1);
	assert_int_equal(send_many(a, RK_CHAN_MESSAGE_MAX), RK_OK);
	chanrig_settle(&r);
	assert_int_equal(b->bytes, 6 + RK_CHAN_MESSAGE_MAX);
	assert_int_equal(send_many(a, RK_CHAN_MESSAGE_MAX + 1), RK_ETOOBIG);
	leave(&r, local, two);
}
FOR_BOTH(carries_messages)

static void
makes_a_sender_wait(bool local)
{
	struct chanuser two[2], *b;
	struct chanrig r;
	struct chanuser *a;
	unsigned n = 0;

	chanrig_init(&r, NULL, NULL);
	a = pair_of(&r, local, two, &b);
	rk_chan_pause(b->c, true);
	while (send_many(a, 10000) == RK_OK) {
		n++;
		chanrig_settle(&r);
	}
	assert_int_equal(send_many(a, 1), RK_EAGAIN);
	/* One message may exceed the window. */
	assert_int_equal(n, RK_CHAN_WINDOW / (10000 + RK_CHAN_COST) + 1);
	chanrig_settle(&r);
	assert_int_equal(b->messages, 0);
	assert_int_equal(a->writable, 0);
	rk_chan_pause(b->c, false);
	chanrig_settle(&r);
	assert_int_equal(b->messages, n);
	assert_int_equal(a->writable, 1);
	assert_int_equal(send_many(a, 1), RK_OK);
	leave(&r, local, two);
}
FOR_BOTH(makes_a_sender_wait)

static void
finishes_each_way_alone(bool local)
{
	struct chanuser two[2], *b;
	struct chanrig r;
	struct chanuser *a;

	chanrig_init(&r, NULL, NULL);
	a = pair_of(&r, local, two, &b);
	rk_chan_pause(b->c, true);
	chanrig_send(a, "last", NULL);
	rk_chan_finish(a->c);
	rk_chan_finish(a->c);
	assert_int_equal(chanrig_try(a, "x", NULL, 0), RK_ESTATE);
	chanrig_settle(&r);
	assert_int_equal(b->eofs, 0);
	rk_chan_pause(b->c, false);
	chanrig_settle(&r);
	assert_string_equal(b->text, "last");
	assert_int_equal(b->eofs, 1);
	assert_int_equal(b->ends, 0);
	chanrig_send(b, "answer", NULL);
	rk_chan_finish(b->c);
	chanrig_settle(&r);
	assert_string_equal(a->text, "answer");
	assert_int_equal(a->eofs, 1);
	assert_int_equal(a->ends, 1);
	assert_int_equal(a->code, RK_OK);
	assert_int_equal(b->ends, 1);
	assert_int_equal(b->code, RK_OK);
	assert_true(local || chan_is_over(&r.link[0]));
	assert_true(local || chan_is_over(&r.link[1]));
	leave(&r, local, two);
}
FOR_BOTH(finishes_each_way_alone)

static void
closes(bool local)
{
	struct chanuser two[2], *b;
	struct chanrig r;
	struct chanuser *a;

	chanrig_init(&r, NULL, NULL);
	a = pair_of(&r, local, two, &b);
	chanrig_send(a, "before", NULL);
	chanrig_send(b, "in vain", NULL);
	rk_chan_close(&a->c);
	assert_null(a->c);
	rk_chan_close(&a->c);
	chanrig_settle(&r);
	assert_string_equal(b->text, "before");
	assert_int_equal(b->eofs, 1);
	assert_int_equal(b->ends, 1);
	assert_int_equal(b->code, RK_ECLOSED);
	assert_string_equal(b->why, "the other end was closed");
	assert_int_equal(a->ends, 0);
	assert_int_equal(a->messages, 0);
	assert_true(local || chan_is_over(&r.link[0]));
	assert_true(local || chan_is_over(&r.link[1]));
	leave(&r, local, two);
}
FOR_BOTH(closes)

/* A sender that waits learns that there is nobody to wait for. */
static void
closes_on_a_sender(bool local)
{
	struct chanuser two[2], *b;
	struct chanrig r;
	struct chanuser *a;

	chanrig_init(&r, NULL, NULL);
	a = pair_of(&r, local, two, &b);
	rk_chan_pause(a->c, true);
	rk_chan_pause(b->c, true);
	chanrig_send(b, "unread", NULL);
	while (send_many(a, 20000) == RK_OK)
		chanrig_settle(&r);
	rk_chan_close(&b->c);
	chanrig_settle(&r);
	assert_int_equal(a->writable, 1);
	assert_int_equal(send_many(a, 1), RK_ECLOSED);
	assert_int_equal(a->ends, 0);
	rk_chan_pause(a->c, false);
	chanrig_settle(&r);
	assert_string_equal(a->text, "unread");
	assert_int_equal(a->ends, 1);
	assert_int_equal(a->code, RK_ECLOSED);
	leave(&r, local, two);
}
FOR_BOTH(closes_on_a_sender)

static void
resets_with_a_reason(bool local)
{
	struct chanuser two[2], *b;
	struct chanrig r;
	struct chanuser *a;

	chanrig_init(&r, NULL, NULL);
	a = pair_of(&r, local, two, &b);
	rk_chan_reset(&b->c, RK_EDENIED, "not \x1b[31myou");
	chanrig_settle(&r);
	assert_int_equal(a->eofs, 0);
	assert_int_equal(a->ends, 1);
	assert_int_equal(a->code, RK_EDENIED);
	assert_string_equal(a->why, "not \\x1b[31myou");
	leave(&r, local, two);
}
FOR_BOTH(resets_with_a_reason)

static void
carries_bytes(bool local)
{
	struct chanuser two[2];
	struct chanuser *a = &two[0];
	struct chanuser *b = &two[1];
	struct chanrig r;
	size_t n;
	size_t sum = 0;

	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_BYTES, "file", a, b);
	if (!local) {
		chanrig_send(&r.first[0], "here", b);
		chanrig_settle(&r);
		b = r.first[1].took[0];
		assert_string_equal(rk_chan_type(b->c), "file");
	}
	assert_int_equal(send_many(a, 1), RK_EINVAL);
	assert_int_equal(rk_chan_write(a->c, "ab", 2, &n), RK_OK);
	assert_int_equal(rk_chan_write(a->c, "cd", 2, &n), RK_OK);
	chanrig_settle(&r);
	assert_string_equal(b->text, "abcd");
	sum = 4;
	b->no_read = true;
	for (unsigned i = 0; i < 100; i++) {
		if (rk_chan_write(a->c, many, 50000, &n) != RK_OK)
			break;
		sum += n;
		chanrig_settle(&r);
	}
	assert_true(sum > RK_CHAN_WINDOW / 2);
	assert_true(sum < RK_CHAN_WINDOW + 2 * CHAN_PIECE);
	assert_int_equal(rk_chan_write(a->c, many, 1, &n), RK_EAGAIN);
	assert_int_equal(n, 0);
	rk_chan_finish(b->c);
	chanrig_settle(&r);
	b->no_read = false;
	while (rk_chan_read(b->c, many, 3333, &n) == RK_OK)
		b->bytes += n;
	assert_int_equal(b->bytes, sum);
	assert_int_equal(a->eofs, 1);
	chanrig_settle(&r);
	assert_int_equal(a->writable, 1);
	rk_chan_finish(a->c);
	chanrig_settle(&r);
	assert_int_equal(b->code, RK_OK);
	assert_int_equal(b->ends, 1);
	assert_int_equal(a->ends, 1);
	assert_int_equal(a->code, RK_OK);
	chanuser_fini(a);
	leave(&r, local, two);
}
FOR_BOTH(carries_bytes)

/* Each is told once, what had come before it. */
static void
ends_with_the_link(void **state)
{
	const struct rk_error why = { .code = RK_ETIMEOUT, .text = "cut off" };
	struct chanuser mine, sent;
	struct chanuser *far;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "second", &mine, &sent);
	chanrig_send(&r.first[0], "take it", &sent);
	chanrig_settle(&r);
	far = r.first[1].took[0];
	rk_chan_pause(far->c, true);
	chanrig_send(&mine, "waits", NULL);
	chanrig_settle(&r);
	chanrig_send(&mine, "never leaves", NULL);
	for (unsigned i = 0; i < 2; i++)
		chan_link_fail(&r.link[i], &why);
	assert_int_equal(mine.ends, 1);
	assert_int_equal(mine.code, RK_ETIMEOUT);
	assert_string_equal(mine.why, "cut off");
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(r.first[i].ends, 1);
	/* Nobody waits for those who do not read. */
	assert_int_equal(far->messages, 0);
	assert_int_equal(far->ends, 1);
	assert_int_equal(far->code, RK_ETIMEOUT);
	chanrig_fini(&r);
}

/* An end that waited to leave is told what the link's were. */
static void
tells_what_never_left(void **state)
{
	const struct rk_error why = { .code = RK_ECONNECT,
		.text = "nobody \\x1b there" };
	struct chanuser mine, sent;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_BYTES, "second", &mine, &sent);
	chanrig_send(&r.first[0], "take it", &sent);
	chan_link_fail(&r.link[0], &why);
	chanrig_step(&r);
	assert_int_equal(mine.eofs, 0);
	assert_int_equal(mine.ends, 1);
	assert_int_equal(mine.code, RK_ECONNECT);
	assert_string_equal(mine.why, why.text);
	chanrig_fini(&r);
}

/* What waits for one reader delays no other channel. */
static void
takes_turns(void **state)
{
	struct chanuser mine[3], sent[3];
	struct chanrig r;
	unsigned n = 0;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	for (unsigned i = 0; i < 3; i++) {
		chanrig_pair(&r, RK_CHAN_MESSAGES, "side", &mine[i], &sent[i]);
		chanrig_send(&r.first[0], "", &sent[i]);
	}
	chanrig_settle(&r);
	rk_chan_pause(r.first[1].took[0]->c, true);
	while (send_many(&mine[0], 100000) == RK_OK)
		chanrig_settle(&r);
	assert_int_equal(send_many(&mine[1], 200000), RK_OK);
	assert_int_equal(send_many(&mine[2], 40000), RK_OK);
	/* Of 200000 bytes about 40000 have left when the other is through. */
	while (r.first[1].took[2]->messages == 0) {
		assert_true(chanrig_pull(&r, 0, 2 * CHAN_FRAME_MAX));
		assert_true(chanrig_feed(&r, 1));
		chanrig_step(&r);
		n++;
	}
	assert_int_equal(r.first[1].took[1]->messages, 0);
	assert_true(n <= 6);
	chanrig_settle(&r);
	assert_int_equal(r.first[1].took[1]->messages, 1);
	chanrig_fini(&r);
}

static void
delivers_in_turns_of_the_loop(void **state)
{
	struct chanuser a, b;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "here", &a, &b);
	for (unsigned i = 0; i < CHAN_TURN + 10; i++)
		chanrig_send(&a, "x", NULL);
	assert_int_equal(rk_loop_step(r.loop, 0), RK_OK);
	assert_int_equal(b.messages, CHAN_TURN);
	assert_int_equal(rk_loop_wait_ms(r.loop), 0);
	assert_int_equal(rk_loop_step(r.loop, 0), RK_OK);
	assert_int_equal(b.messages, CHAN_TURN + 10);
	chanuser_fini(&a);
	chanuser_fini(&b);
	chanrig_fini(&r);
}

static void
says_of_what_type_it_is(void **state)
{
	const struct rk_chan_conf one = { .type = "apples" };
	const struct rk_chan_conf two = { .type = "pears\x07" };
	struct rk_error err;
	struct chanrig r;
	uint8_t part[CHAN_FRAME_MAX];
	size_t n;

	(void)state;
	chanrig_init(&r, &one, &two);
	assert_int_equal(chan_pull(&r.link[0], part, sizeof(part), &n), RK_OK);
	assert_int_equal(
	    chan_feed(&r.link[1], (struct rk_bytes){ part, n }, &err),
	    RK_EINVAL);
	assert_string_equal(err.text,
	    "a channel of \"apples\" was asked for, of \"pears\\x07\" is here");
	assert_int_equal(chan_pull(&r.link[1], part, sizeof(part), &n), RK_OK);
	assert_int_equal(
	    chan_feed(&r.link[0], (struct rk_bytes){ part, n }, &err),
	    RK_EINVAL);
	assert_string_equal(err.text,
	    "a channel of \"apples\" was asked for, of \"pears\\x07\" is here");
	chanrig_fini(&r);
}

static void
refuses_what_makes_no_sense(void **state)
{
	const struct rk_chan_events deaf = { .message = NULL };
	struct chanuser a, b;
	struct chanrig r;
	size_t n;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "here", &a, &b);
	assert_int_equal(rk_chan_write(a.c, "x", 1, &n), RK_EINVAL);
	assert_int_equal(rk_chan_read(a.c, many, 1, &n), RK_EINVAL);
	assert_int_equal(rk_chan_listen(a.c, NULL, NULL), RK_EINVAL);
	assert_int_equal(rk_chan_listen(a.c, &deaf, NULL), RK_EINVAL);
	chanuser_fini(&a);
	chanuser_fini(&b);
	chanrig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(carries_messages),
		BOTH(makes_a_sender_wait),
		BOTH(finishes_each_way_alone),
		BOTH(closes),
		BOTH(closes_on_a_sender),
		BOTH(resets_with_a_reason),
		BOTH(carries_bytes),
		cmocka_unit_test(ends_with_the_link),
		cmocka_unit_test(tells_what_never_left),
		cmocka_unit_test(takes_turns),
		cmocka_unit_test(delivers_in_turns_of_the_loop),
		cmocka_unit_test(says_of_what_type_it_is),
		cmocka_unit_test(refuses_what_makes_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
