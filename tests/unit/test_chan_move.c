/* Channels: ends that travel, and come back, and are never taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chanrig.h"

/* The first channels' users. */
#define NEAR (&r.first[0])
#define FAR (&r.first[1])

/* Say so both ways. */
static void
check_joined(struct chanrig *r, struct chanuser *a, struct chanuser *b)
{
	unsigned a_had = a->messages;
	unsigned b_had = b->messages;

	chanrig_send(a, "to b", NULL);
	chanrig_send(b, "to a", NULL);
	chanrig_settle(r);
	assert_int_equal(a->messages, a_had + 1);
	assert_string_equal(a->text, "to a");
	assert_int_equal(b->messages, b_had + 1);
	assert_string_equal(b->text, "to b");
}

static void
sends_an_end(void **state)
{
	struct chanuser mine, sent, back;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "reply", &mine, &sent);
	chanrig_send(NEAR, "call", &sent);
	chanrig_settle(&r);
	assert_string_equal(FAR->text, "call");
	assert_int_equal(FAR->n_took, 1);
	assert_string_equal(rk_chan_type(FAR->took[0]->c), "reply");
	check_joined(&r, &mine, FAR->took[0]);
	/* Both ends made an end; ids do not collide. */
	chanrig_pair(&r, RK_CHAN_MESSAGES, "back", &back, &sent);
	chanrig_send(FAR, "other way", &sent);
	chanrig_settle(&r);
	check_joined(&r, &back, NEAR->took[0]);
	check_joined(&r, &mine, FAR->took[0]);
	chanrig_fini(&r);
}

/* Within a program it is the same end, and for its new owner a new one. */
static void
forgets_its_owner(void **state)
{
	struct chanuser a, b, c, d;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "ab", &a, &b);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "cd", &c, &d);
	rk_chan_set_data(b.c, &b);
	rk_chan_pause(b.c, true);
	chanrig_send(&a, "for whoever has it", NULL);
	rk_chan_finish(a.c);
	rk_chan_pause(b.c, false);
	chanrig_step(&r);
	assert_int_equal(b.eofs, 1);
	rk_chan_pause(b.c, true);
	chanrig_send(&c, "take", &b);
	chanrig_step(&r);
	assert_int_equal(d.n_took, 1);
	assert_null(rk_chan_data(d.took[0]->c));
	assert_int_equal(d.took[0]->eofs, 1);
	rk_chan_finish(d.took[0]->c);
	chanrig_step(&r);
	assert_int_equal(d.took[0]->code, RK_OK);
	assert_int_equal(a.code, RK_OK);
	assert_int_equal(b.ends, 0);
	chanuser_fini(&c);
	chanuser_fini(&d);
	chanrig_fini(&r);
}

/* What was said before it left, on both sides, comes first and in order. */
static void
takes_along_what_waits(void **state)
{
	struct chanuser mine, sent;
	struct chanuser *far;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "reply", &mine, &sent);
	chanrig_send(&mine, "1", NULL);
	chanrig_send(&mine, "2", NULL);
	chanrig_send(&sent, "from sent", NULL);
	rk_chan_finish(sent.c);
	chanrig_send(NEAR, "take", &sent);
	chanrig_send(&mine, "3", NULL);
	rk_chan_finish(mine.c);
	chanrig_settle(&r);
	far = FAR->took[0];
	assert_int_equal(far->messages, 3);
	assert_string_equal(far->text, "3");
	assert_int_equal(far->ends, 1);
	assert_int_equal(far->code, RK_OK);
	assert_string_equal(mine.text, "from sent");
	assert_int_equal(mine.ends, 1);
	assert_int_equal(mine.code, RK_OK);
	chanrig_fini(&r);
}

/* The other end is closed before this one has left. */
static void
brings_what_the_dead_left(void **state)
{
	struct chanuser mine, sent;
	struct chanuser *far;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	for (unsigned i = 0; i < 2; i++) {
		chanrig_pair(&r, RK_CHAN_MESSAGES, "will", &mine, &sent);
		chanrig_send(&mine, "left", NULL);
		if (i == 0)
			rk_chan_close(&mine.c);
		chanrig_send(NEAR, "take", &sent);
		if (i == 1)
			rk_chan_reset(&mine.c, RK_ELIMIT, "enough");
		chanrig_settle(&r);
		far = FAR->took[i];
		assert_int_equal(far->messages, 1);
		assert_string_equal(far->text, "left");
		assert_int_equal(far->ends, 1);
		assert_int_equal(far->code, i == 0 ? RK_ECLOSED : RK_ELIMIT);
		assert_true(i == 0 || strcmp(far->why, "enough") == 0);
	}
	assert_int_equal(r.link[0].ids.count, 1);
	assert_int_equal(r.link[1].ids.count, 1);
	chanrig_fini(&r);
}

static void
sends_one_back_and_forth(void **state)
{
	struct chanuser mine, sent;
	struct chanuser *at;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "ball", &mine, &sent);
	chanrig_send(NEAR, "0", &sent);
	chanrig_send(&mine, "follows", NULL);
	chanrig_settle(&r);
	at = FAR->took[0];
	for (unsigned i = 0; i < 6; i++) {
		struct chanuser *from = i % 2 == 0 ? FAR : NEAR;
		struct chanuser *to = i % 2 == 0 ? NEAR : FAR;
		unsigned had;

		rk_chan_pause(at->c, true);
		chanrig_send(&mine, "waits", NULL);
		chanrig_settle(&r);
		chanrig_send(&mine, "is under way", NULL);
		had = at->messages;
		chanrig_send(from, "take it", at);
		chanrig_send(&mine, "comes later", NULL);
		chanrig_settle(&r);
		assert_int_equal(at->messages, had);
		at = to->took[to->n_took - 1];
		assert_int_equal(at->messages, 3);
		assert_string_equal(at->text, "comes later");
		check_joined(&r, &mine, at);
	}
	/* And all the relays go with it. */
	assert_int_equal(r.link[0].ids.count, 8);
	rk_chan_finish(mine.c);
	chanrig_settle(&r);
	assert_int_equal(at->eofs, 1);
	chanrig_send(at, "last", NULL);
	rk_chan_finish(at->c);
	chanrig_settle(&r);
	assert_string_equal(mine.text, "last");
	assert_int_equal(mine.code, RK_OK);
	assert_int_equal(mine.ends, 1);
	assert_int_equal(at->code, RK_OK);
	assert_int_equal(r.link[0].ids.count, 1);
	assert_int_equal(r.link[1].ids.count, 1);
	chanrig_fini(&r);
}

/* Through relays, too, the sender waits, and learns of the end. */
static void
relays_pressure_and_ends(void **state)
{
	static uint8_t many[50000];
	const struct rk_chan_msg msg = { .payload = { many, sizeof(many) } };
	struct chanuser mine, sent;
	struct chanuser *at;
	struct chanrig r;
	unsigned n = 0;

	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		chanrig_init(&r, NULL, NULL);
		chanrig_pair(&r, RK_CHAN_MESSAGES, "ball", &mine, &sent);
		chanrig_send(NEAR, "0", &sent);
		chanrig_settle(&r);
		chanrig_send(FAR, "1", FAR->took[0]);
		chanrig_settle(&r);
		at = NEAR->took[0];
		rk_chan_pause(at->c, true);
		for (n = 0; rk_chan_send(mine.c, &msg) == RK_OK; n++)
			chanrig_settle(&r);
		assert_in_range(n, 5, 20);
		if (how == 0)
			rk_chan_pause(at->c, false);
		else if (how == 1)
			rk_chan_close(&at->c);
		else
			rk_chan_reset(&at->c, RK_EINVAL, "no good");
		chanrig_settle(&r);
		assert_int_equal(mine.writable, 1);
		assert_int_equal(at->messages, how == 0 ? n : 0);
		assert_int_equal(mine.ends, how == 0 ? 0 : 1);
		assert_true(how != 1 || mine.code == RK_ECLOSED);
		assert_true(how != 2 || (mine.code == RK_EINVAL &&
		                            strcmp(mine.why, "no good") == 0));
		assert_int_equal(r.link[0].ids.count, how == 0 ? 3 : 1);
		chanrig_fini(&r);
	}
}

/* Whoever does not take an end has closed it; and what was in it. */
static void
closes_what_is_not_taken(void **state)
{
	struct chanuser mine, sent, inner, inner_sent;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	FAR->leave = true;
	chanrig_pair(&r, RK_CHAN_MESSAGES, "outer", &mine, &sent);
	chanrig_pair(&r, RK_CHAN_BYTES, "inner", &inner, &inner_sent);
	chanrig_send(&mine, "within", &inner_sent);
	chanrig_send(NEAR, "nobody wants this", &sent);
	chanrig_settle(&r);
	assert_int_equal(FAR->messages, 1);
	assert_int_equal(mine.ends, 1);
	assert_int_equal(mine.code, RK_ECLOSED);
	assert_string_equal(mine.why, "nobody took the end");
	/* Nobody has finished anything. */
	assert_int_equal(mine.eofs + inner.eofs, 0);
	assert_int_equal(inner.ends, 1);
	assert_int_equal(inner.code, RK_ECLOSED);
	assert_int_equal(r.link[0].ids.count, 1);
	assert_int_equal(r.link[1].ids.count, 1);
	chanrig_fini(&r);
}

/* So has who closes the channel on which it comes. */
static void
closes_what_never_arrives(void **state)
{
	struct chanuser carrier, carrier_far, mine, sent;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	for (unsigned i = 0; i < 3; i++) {
		chanrig_pair(
		    &r, RK_CHAN_MESSAGES, "carrier", &carrier, &carrier_far);
		chanrig_send(NEAR, "", &carrier_far);
		chanrig_settle(&r);
		rk_chan_pause(FAR->took[i]->c, true);
		chanrig_pair(&r, RK_CHAN_MESSAGES, "inner", &mine, &sent);
		chanrig_send(&carrier, "with it", &sent);
		if (i != 0)
			chanrig_settle(&r); /* it waits there, or here */
		if (i == 2)
			rk_chan_reset(&carrier.c, RK_ECANCELED, NULL);
		rk_chan_close(&FAR->took[i]->c);
		chanrig_settle(&r);
		assert_int_equal(mine.ends, 1);
		assert_int_equal(mine.code, RK_ECLOSED);
		chanuser_fini(&carrier);
		chanrig_settle(&r);
		assert_int_equal(r.link[0].ids.count, 1);
		assert_int_equal(r.link[1].ids.count, 1);
	}
	chanrig_fini(&r);
}

/* Nobody could reach them any more. */
static void
refuses_rings(void **state)
{
	struct chanuser a, b, c, d;
	struct chanuser *both[2];
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "ab", &a, &b);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "cd", &c, &d);
	both[0] = &a;
	assert_int_equal(chanrig_try(&a, "itself", both, 1), RK_EINVAL);
	both[0] = &b;
	assert_int_equal(chanrig_try(&a, "its twin", both, 1), RK_EINVAL);
	rk_chan_pause(b.c, true);
	rk_chan_pause(d.c, true);
	chanrig_send(&c, "b in d", &b);
	both[0] = &d;
	assert_int_equal(chanrig_try(&a, "d in b", both, 1), RK_EINVAL);
	both[0] = NEAR;
	assert_int_equal(chanrig_try(NEAR, "itself", both, 1), RK_EINVAL);
	both[0] = both[1] = &c;
	assert_int_equal(chanrig_try(NEAR, "twice", both, 2), RK_EINVAL);
	chanrig_send(NEAR, "d with b in it", &d);
	chanrig_settle(&r);
	assert_int_equal(FAR->n_took, 1);
	assert_int_equal(FAR->took[0]->n_took, 1);
	check_joined(&r, &a, FAR->took[0]->took[0]);
	check_joined(&r, &c, FAR->took[0]);
	chanrig_fini(&r);
}

static void
sends_both_ends_of_a_pair(void **state)
{
	struct chanuser a, b;
	struct chanuser *both[2] = { &a, &b };
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "ab", &a, &b);
	chanrig_send(&a, "before", NULL);
	assert_int_equal(chanrig_try(NEAR, "both", both, 2), RK_OK);
	chanrig_settle(&r);
	assert_int_equal(FAR->n_took, 2);
	assert_string_equal(FAR->took[1]->text, "before");
	check_joined(&r, FAR->took[0], FAR->took[1]);
	chanrig_fini(&r);
}

/* All ends are on the first one's loop. */
static void
settle_both(struct chanrig *r, struct chanrig *q)
{
	for (unsigned i = 0; i < 6; i++) {
		chanrig_settle(r);
		chanrig_settle(q);
	}
}

/* Between two connections of one loop: this process relays. */
static void
goes_from_link_to_link(void **state)
{
	struct chanuser mine, sent;
	struct chanuser *at;
	struct chanrig r, q;
	const struct rk_error why = { .code = RK_ECLOSED, .text = "cut" };

	(void)state;
	for (unsigned cut = 0; cut < 2; cut++) {
		chanrig_init(&r, NULL, NULL);
		chanrig_init(&q, NULL, NULL);
		for (unsigned i = 0; i < 2; i++) {
			q.first[i].c->loop = r.loop;
			q.link[i].loop = r.loop;
		}
		chanrig_pair(&r, RK_CHAN_MESSAGES, "far", &mine, &sent);
		chanrig_send(NEAR, "hop", &sent);
		chanrig_settle(&r);
		chanrig_send(&q.first[0], "hop", FAR->took[0]);
		settle_both(&r, &q);
		at = q.first[1].took[0];
		chanrig_send(&mine, "all the way", NULL);
		chanrig_send(at, "and back", NULL);
		settle_both(&r, &q);
		assert_string_equal(at->text, "all the way");
		assert_string_equal(mine.text, "and back");
		if (cut == 0) {
			chan_link_fail(&q.link[0], &why);
			settle_both(&r, &q);
			assert_int_equal(mine.ends, 1);
			assert_int_equal(mine.code, RK_ECLOSED);
			assert_string_equal(mine.why, "cut");
			assert_int_equal(r.link[0].ids.count, 1);
			assert_int_equal(r.link[1].ids.count, 1);
		} else {
			chan_link_fail(&r.link[1], &why);
			settle_both(&r, &q);
			assert_int_equal(at->ends, 1);
			assert_int_equal(at->code, RK_ECLOSED);
			assert_int_equal(q.link[0].ids.count, 1);
		}
		for (unsigned i = 0; i < 2; i++)
			chan_link_fail(&q.link[i], &why);
		chanrig_step(&r);
		chanrig_fini(&q);
		chanrig_fini(&r);
	}
}

static void
checks_kind_and_type(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	struct rk_error *err = arg;
	struct rk_chan *out;

	(void)c;
	if (msg->n_ends == 0)
		return;
	assert_int_equal(rk_chan_take(&msg->ends[0], RK_CHAN_MESSAGES, "that",
	                     &chanrig_events, NULL, &out, err),
	    RK_EINVAL);
	assert_null(out);
	assert_null(msg->ends[0]);
}

static void
not_yet(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	(void)c;
	(void)why;
	(void)arg;
}

static void
refuses_another_type(void **state)
{
	static const struct rk_chan_events picky = {
		.message = checks_kind_and_type,
		.ended = not_yet,
	};
	struct rk_error err = { .text = "" };
	struct chanuser mine, sent;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	assert_int_equal(rk_chan_listen(FAR->c, &picky, &err), RK_OK);
	chanrig_pair(&r, RK_CHAN_BYTES, "this", &mine, &sent);
	chanrig_send(NEAR, "", &sent);
	chanrig_settle(&r);
	assert_string_equal(err.text,
	    "a channel of bytes \"this\" is not of messages \"that\"");
	assert_int_equal(mine.code, RK_EINVAL);
	assert_string_equal(mine.why, err.text);
	rk_chan_close(&FAR->c);
	chanrig_fini(&r);
}

/* More channels than the peer wants are not announced before others end. */
static void
waits_for_channels_to_end(void **state)
{
	const struct rk_chan_conf few = {
		.type = CHANRIG_TYPE,
		.max_channels = RK_CHAN_ENDS_MAX,
	};
	struct chanuser mine[RK_CHAN_ENDS_MAX + 2];
	struct chanuser sent;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, &few);
	chanrig_settle(&r);
	for (size_t i = 0; i < RK_CHAN_ENDS_MAX + 2; i++) {
		chanrig_pair(&r, RK_CHAN_MESSAGES, "one", &mine[i], &sent);
		chanrig_send(NEAR, "", &sent);
	}
	chanrig_settle(&r);
	assert_int_equal(FAR->n_took, RK_CHAN_ENDS_MAX);
	rk_chan_close(&mine[3].c);
	chanrig_settle(&r);
	assert_int_equal(FAR->n_took, RK_CHAN_ENDS_MAX + 1);
	check_joined(&r, &mine[RK_CHAN_ENDS_MAX], FAR->took[RK_CHAN_ENDS_MAX]);
	rk_chan_close(&FAR->took[0]->c);
	chanrig_settle(&r);
	assert_int_equal(FAR->n_took, RK_CHAN_ENDS_MAX + 2);
	chanrig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_an_end),
		cmocka_unit_test(forgets_its_owner),
		cmocka_unit_test(takes_along_what_waits),
		cmocka_unit_test(brings_what_the_dead_left),
		cmocka_unit_test(sends_one_back_and_forth),
		cmocka_unit_test(relays_pressure_and_ends),
		cmocka_unit_test(closes_what_is_not_taken),
		cmocka_unit_test(closes_what_never_arrives),
		cmocka_unit_test(refuses_rings),
		cmocka_unit_test(sends_both_ends_of_a_pair),
		cmocka_unit_test(goes_from_link_to_link),
		cmocka_unit_test(refuses_another_type),
		cmocka_unit_test(waits_for_channels_to_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
