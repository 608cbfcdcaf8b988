/* Channels: whatever is sent whenever arrives once, in order, in little memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "chanrig.h"

/*
 * Users at both ends of a link make channels, send their ends to one another
 * and back, talk, pause, and, if the run allows it, close and reset.  A
 * channel is known by its number, an end by its side, wherever it has got to;
 * each message says which one it is of which side.  Where nothing may be lost a
 * message carries ends of later channels only, so that no two wait in one
 * another, and each a few times only.
 */
#define CHANNELS 60
#define HEAD 24 /* number, side, how many before it */
#define SENDS 2 /* of an end, where nothing may be lost */

struct side {
	uint32_t sent, got; /* messages; of bytes, bytes */
	bool finished;
	unsigned ended;
	unsigned sends; /* of this end */
};

struct talk {
	bool made;
	enum rk_chan_kind kind;
	struct side side[2];
};

/* An end where it is now. */
struct holder {
	struct rk_chan *c;
	unsigned channel, side;
	unsigned where; /* at which end of the link */
	bool paused, eof;
	struct holder *next;
};

struct run {
	struct chanrig rig;
	uint64_t seed;
	bool lossy; /* ends are closed and reset */
	unsigned made;
	struct talk talk[CHANNELS];
	struct holder *holders;
	size_t n_holders;
	size_t most; /* bytes that waited anywhere */
};

static uint8_t bytes[70000];

static uint32_t
draw(struct run *run, uint32_t below)
{
	/* xorshift64* */
	run->seed ^= run->seed >> 12;
	run->seed ^= run->seed << 25;
	run->seed ^= run->seed >> 27;
	return (uint32_t)((run->seed * UINT64_C(0x2545f4914f6cdd1d)) >> 33) %
	       below;
}

static struct run *now; /* callbacks have one argument, the holder */

static const struct rk_chan_events events;

static struct holder *
hold(struct rk_chan *c, unsigned channel, unsigned side, unsigned where)
{
	struct holder *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	*h = (struct holder){ .c = c,
		.channel = channel,
		.side = side,
		.where = where,
		.next = now->holders };
	now->holders = h;
	now->n_holders++;
	return h;
}

static void
let_go(struct holder *h)
{
	struct holder **p = &now->holders;

	while (*p != h)
		p = &(*p)->next;
	*p = h->next;
	now->n_holders--;
	free(h);
}

/* ---- what users are told ---- */

static uint32_t
get(const uint8_t *p, unsigned i)
{
	return be_get32(p + (size_t)4 * i);
}

static void
on_message(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	struct holder *h = arg;
	struct side *from = &now->talk[h->channel].side[!h->side];
	const uint8_t *p = msg->payload.ptr;

	assert_ptr_equal(c, h->c);
	assert_true(msg->payload.len >= HEAD);
	assert_int_equal(get(p, 0), h->channel);
	assert_int_equal(get(p, 1), !h->side);
	assert_int_equal(get(p, 2), from->got);
	assert_int_equal(get(p, 3), msg->n_ends);
	from->got++;
	assert_memory_equal(p + HEAD, bytes, msg->payload.len - HEAD);
	for (size_t i = 0; i < msg->n_ends; i++) {
		struct holder *got;
		enum rk_chan_kind kind = rk_chan_kind(msg->ends[i]);

		if (now->lossy && draw(now, 4) == 0)
			continue;
		got = hold(msg->ends[i], get(p, 4 + (unsigned)i) >> 1,
		    get(p, 4 + (unsigned)i) & 1, h->where);
		assert_int_equal(kind, now->talk[got->channel].kind);
		assert_int_equal(rk_chan_take(&msg->ends[i], kind, "talk",
		                     &events, got, &got->c, NULL),
		    RK_OK);
	}
}

static void
on_readable(struct rk_chan *c, void *arg)
{
	struct holder *h = arg;
	struct side *from = &now->talk[h->channel].side[!h->side];
	uint8_t got[5000];
	size_t n;

	while (rk_chan_read(c, got, 1 + draw(now, sizeof(got)), &n) == RK_OK) {
		for (size_t i = 0; i < n; i++)
			assert_int_equal(
			    got[i], bytes[(from->got + i) % 65536]);
		from->got += (uint32_t)n;
	}
}

static void
on_eof(struct rk_chan *c, void *arg)
{
	struct holder *h = arg;
	struct side *from = &now->talk[h->channel].side[!h->side];

	(void)c;
	/* Once to everybody who has the end. */
	assert_false(h->eof);
	h->eof = true;
	assert_true(now->lossy || from->finished);
	assert_true(now->lossy || from->got == from->sent);
}

static void
on_ended(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct holder *h = arg;
	struct side *s = &now->talk[h->channel].side[h->side];

	assert_ptr_equal(c, h->c);
	assert_int_equal(s->ended++, 0);
	assert_true(now->lossy || why->code == RK_OK);
	let_go(h);
}

static const struct rk_chan_events events = {
	.message = on_message,
	.readable = on_readable,
	.eof = on_eof,
	.ended = on_ended,
};

/* ---- what users do ---- */

static struct holder *
draw_holder(struct run *run)
{
	struct holder *h = run->holders;

	if (run->n_holders == 0)
		return NULL;
	for (uint32_t n = draw(run, (uint32_t)run->n_holders); n > 0; n--)
		h = h->next;
	return h;
}

static void
make_channel(struct run *run, const struct holder *beside)
{
	struct rk_chan *c[2];
	unsigned n = run->made;

	if (n == CHANNELS)
		return;
	run->talk[n].made = true;
	run->talk[n].kind =
	    draw(run, 4) == 0 ? RK_CHAN_BYTES : RK_CHAN_MESSAGES;
	assert_int_equal(
	    rk_chan_pair(beside->c, run->talk[n].kind, "talk", &c[0], &c[1]),
	    RK_OK);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(rk_chan_listen(c[i], &events,
		                     hold(c[i], n, i, beside->where)),
		    RK_OK);
	run->made++;
}

static bool
may_go(const struct run *run, const struct holder *h, const struct holder *e)
{
	if (e == h || e->where != h->where)
		return false;
	return run->lossy ||
	       (e->channel > h->channel &&
	           run->talk[e->channel].side[e->side].sends < SENDS);
}

/* Ends that are at the same place. */
static size_t
draw_ends(struct run *run, const struct holder *h, struct holder **ends)
{
	size_t n = 0;
	size_t want = draw(run, 3) == 0 ? draw(run, 3) : 0;

	for (struct holder *e = run->holders; e != NULL && n < want;
	     e = e->next) {
		if (may_go(run, h, e) && draw(run, 3) == 0)
			ends[n++] = e;
	}
	return n;
}

static uint32_t
draw_len(struct run *run)
{
	switch (draw(run, 8)) {
	case 0:
		return 0;
	case 1:
		return draw(run, 65000);
	default:
		return draw(run, 600);
	}
}

static void
send_message(struct run *run, struct holder *h)
{
	static uint8_t payload[HEAD + sizeof(bytes)];
	struct side *s = &run->talk[h->channel].side[h->side];
	struct rk_chan *ends[2];
	struct holder *who[2];
	struct rk_chan_msg msg = { .payload = { payload, 0 }, .ends = ends };
	enum rk_err r;

	msg.n_ends = draw_ends(run, h, who);
	msg.payload.len = HEAD + draw_len(run);
	memset(payload, 0, HEAD);
	(void)be_put32(payload, h->channel);
	(void)be_put32(payload + 4, h->side);
	(void)be_put32(payload + 8, s->sent);
	(void)be_put32(payload + 12, (uint32_t)msg.n_ends);
	for (size_t i = 0; i < msg.n_ends; i++) {
		ends[i] = who[i]->c;
		(void)be_put32(
		    payload + 16 + 4 * i, who[i]->channel << 1 | who[i]->side);
	}
	memcpy(payload + HEAD, bytes, msg.payload.len - HEAD);
	r = rk_chan_send(h->c, &msg);
	if (r != RK_OK) {
		assert_true(
		    r == RK_EAGAIN ||
		    ((r == RK_ECLOSED || r == RK_EINVAL) && run->lossy) ||
		    (r == RK_ESTATE && s->finished));
		return;
	}
	s->sent++;
	for (size_t i = 0; i < msg.n_ends; i++) {
		run->talk[who[i]->channel].side[who[i]->side].sends++;
		let_go(who[i]);
	}
}

static void
write_bytes(struct run *run, struct holder *h)
{
	struct side *s = &run->talk[h->channel].side[h->side];
	size_t at = s->sent % 65536;
	size_t len = 1 + draw_len(run);
	size_t n;

	if (len > 65536 - at)
		len = 65536 - at;
	if (rk_chan_write(h->c, bytes + at, len, &n) != RK_OK)
		return;
	s->sent += (uint32_t)n;
}

static void
finish(struct run *run, struct holder *h)
{
	run->talk[h->channel].side[h->side].finished = true;
	rk_chan_finish(h->c);
}

static void
lose(struct run *run, struct holder *h)
{
	if (!run->lossy || h->channel == 0)
		return;
	if (draw(run, 2) == 0)
		rk_chan_close(&h->c);
	else
		rk_chan_reset(&h->c, RK_ECANCELED, "at random");
	let_go(h);
}

static void
act(struct run *run)
{
	struct holder *h = draw_holder(run);
	uint32_t what = draw(run, 100);

	if (h == NULL)
		return;
	if (what < 12) {
		make_channel(run, h);
	} else if (what < 20) {
		h->paused = !h->paused;
		rk_chan_pause(h->c, h->paused);
	} else if (what < 22 && h->channel > 0) {
		finish(run, h);
	} else if (what < 24) {
		lose(run, h);
	} else if (run->talk[h->channel].kind == RK_CHAN_BYTES) {
		write_bytes(run, h);
	} else {
		send_message(run, h);
	}
}

/* ---- the way between them ---- */

static size_t
waiting(const struct chan_link *l)
{
	const struct rk_chan *c;
	size_t n = 0;

	TAILQ_FOREACH (c, &l->all, all) {
		assert_true(c->unread <= l->window + RK_CHAN_MESSAGE_MAX +
		                             chan_cost(0, RK_CHAN_ENDS_MAX));
		assert_true(c->outbox_cost <=
		            2 * (l->peer_window + RK_CHAN_MESSAGE_MAX));
		n += c->outbox_cost + c->inbox_cost;
	}
	return n;
}

static void
move(struct run *run)
{
	unsigned side = draw(run, 2);
	size_t n;

	if (draw(run, 2) == 0)
		(void)chanrig_pull(
		    &run->rig, side, CHAN_FRAME_MAX + draw(run, 50000));
	else
		(void)chanrig_feed(&run->rig, side);
	if (draw(run, 3) == 0)
		assert_int_equal(rk_loop_step(run->rig.loop, 0), RK_OK);
	n = waiting(&run->rig.link[0]) + waiting(&run->rig.link[1]);
	run->most = n > run->most ? n : run->most;
}

static void
begin(struct run *run, uint64_t seed, bool lossy)
{
	const struct rk_chan_conf conf = {
		.type = "talk", .window = 20000, .max_channels = 2000
	};

	memset(run, 0, sizeof(*run));
	run->seed = seed * 2654435761u + 1;
	run->lossy = lossy;
	now = run;
	chanrig_init(&run->rig, &conf, &conf);
	run->talk[0] = (struct talk){ .made = true };
	run->made = 1;
	for (unsigned i = 0; i < 2; i++) {
		struct rk_chan *c = run->rig.first[i].c;

		run->rig.first[i].c = NULL;
		assert_int_equal(
		    rk_chan_listen(c, &events, hold(c, 0, i, i)), RK_OK);
	}
}

/* All that still holds something back lets go, and reads. */
static void
drain(struct run *run)
{
	for (unsigned i = 0; i < 20; i++) {
		for (struct holder *h = run->holders; h != NULL; h = h->next) {
			h->paused = false;
			rk_chan_pause(h->c, false);
		}
		chanrig_settle(&run->rig);
	}
}

static void
check_all_came(const struct run *run)
{
	for (unsigned i = 0; i < run->made; i++) {
		for (unsigned k = 0; k < 2; k++) {
			const struct side *s = &run->talk[i].side[k];

			if (!run->lossy)
				assert_int_equal(s->got, s->sent);
			assert_true(s->got <= s->sent);
		}
	}
}

static void
run_one(struct run *run, uint64_t seed, bool lossy)
{
	begin(run, seed, lossy);
	for (unsigned i = 0; i < 3000; i++) {
		act(run);
		for (uint32_t n = draw(run, 4); n > 0; n--)
			move(run);
	}
	drain(run);
	check_all_came(run);
	for (struct holder *h = run->holders; h != NULL; h = h->next)
		finish(run, h);
	drain(run);
	check_all_came(run);
	assert_int_equal(run->n_holders, 0);
	for (unsigned i = 0; i < run->made; i++) {
		for (unsigned k = 0; !lossy && k < 2; k++)
			assert_int_equal(run->talk[i].side[k].ended, 1);
	}
	assert_true(chan_is_over(&run->rig.link[0]));
	assert_true(chan_is_over(&run->rig.link[1]));
	chanrig_fini(&run->rig);
}

static void
loses_nothing(void **state)
{
	struct run *run = malloc(sizeof(*run));
	uint32_t messages = 0;

	(void)state;
	assert_non_null(run);
	for (uint64_t seed = 1; seed <= 5; seed++) {
		run_one(run, seed, false);
		for (unsigned i = 0; i < run->made; i++)
			messages += run->talk[i].side[0].got;
		assert_true(run->made > 10);
		assert_true(run->most < (8u << 20));
	}
	assert_true(messages > 1000);
	free(run);
}

static void
survives_losses(void **state)
{
	struct run *run = malloc(sizeof(*run));

	(void)state;
	assert_non_null(run);
	for (uint64_t seed = 100; seed < 110; seed++)
		run_one(run, seed, true);
	free(run);
}

/* The link goes in the middle of it all: everybody is told, once. */
static void
survives_the_end(void **state)
{
	const struct rk_error why = { .code = RK_ECLOSED, .text = "cut" };
	struct run *run = malloc(sizeof(*run));

	(void)state;
	assert_non_null(run);
	for (uint64_t seed = 200; seed < 210; seed++) {
		begin(run, seed, true);
		for (unsigned i = 0; i < 1000; i++) {
			act(run);
			move(run);
		}
		chan_link_fail(&run->rig.link[seed % 2], &why);
		chan_link_fail(&run->rig.link[!(seed % 2)], &why);
		chanrig_step(&run->rig);
		/* What is left never left this place. */
		while (run->n_holders > 0) {
			struct holder *h = run->holders;

			rk_chan_close(&h->c);
			let_go(h);
			chanrig_step(&run->rig);
		}
		chanrig_fini(&run->rig);
	}
	free(run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loses_nothing),
		cmocka_unit_test(survives_losses),
		cmocka_unit_test(survives_the_end),
	};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 255);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
