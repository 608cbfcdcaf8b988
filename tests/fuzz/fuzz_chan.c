/* Channels: a peer that sends anything, and two ends that do anything. */
#include "rpc/chan_int.h"

#include "must.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ENDS 24
#define PARTS 16
#define CHANNELS 4096 /* more than ends that go in circles can use up */

/* Who has ends: at most so many, of either link. */
struct hand {
	struct rk_chan *c;
	struct world *world;
	unsigned where;
};

struct part {
	size_t len;
	uint8_t bytes[2 * CHAN_FRAME_MAX];
};

struct world {
	struct rk_loop *loop;
	struct chan_link link[2];
	struct hand hand[ENDS];
	struct part *way[2][PARTS]; /* to it */
	size_t n_way[2];
	uint8_t made;
	const uint8_t *p;
	const uint8_t *end;
};

static uint8_t
draw(struct world *w)
{
	return w->p < w->end ? *w->p++ : 0;
}

/* ---- users ---- */

static const struct rk_chan_events events;

static struct hand *
free_hand(struct world *w, unsigned where)
{
	for (size_t i = 0; i < ENDS; i++) {
		if (w->hand[i].c == NULL) {
			w->hand[i].world = w;
			w->hand[i].where = where;
			return &w->hand[i];
		}
	}
	return NULL;
}

static void use(struct world *w, uint8_t what);

/* Whatever users do, they may do inside of what they are told. */
static void
meddle(struct world *w)
{
	uint8_t what = draw(w);

	if (what >= 128)
		use(w, what);
}

static void
take_end(struct hand *h, struct rk_chan **end)
{
	struct hand *g = free_hand(h->world, h->where);
	struct rk_chan *got;

	if (g == NULL)
		return;
	must(rk_chan_take(end, rk_chan_kind(*end), NULL, &events, g, &got,
	         NULL) == RK_OK &&
	     *end == NULL);
	g->c = got;
}

static void
use_end(struct hand *h, struct rk_chan **end)
{
	struct hand *over = &h->world->hand[draw(h->world) % ENDS];
	const struct rk_chan_msg msg = { .ends = end, .n_ends = 1 };

	switch (draw(h->world) % 8) {
	case 1:
		rk_chan_close(end);
		break;
	case 2:
		rk_chan_reset(end, RK_EDENIED, "fuzz");
		break;
	case 3:
		break;
	case 4:
		if (over->c != NULL && over->where == h->where)
			must(rk_chan_send(over->c, &msg) != RK_OK ||
			     *end == NULL);
		break;
	default:
		take_end(h, end);
	}
}

static void
on_message(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	struct hand *h = arg;

	must(h->c == c && msg->payload.len <= RK_CHAN_MESSAGE_MAX);
	for (size_t i = 0; i < msg->n_ends; i++) {
		use_end(h, &msg->ends[i]);
		meddle(h->world);
	}
	meddle(h->world);
}

static void
on_readable(struct rk_chan *c, void *arg)
{
	struct hand *h = arg;
	uint8_t got[777];
	size_t n;

	must(h->c == c);
	while (h->c == c && rk_chan_read(c, got, sizeof(got), &n) == RK_OK) {
		must(n > 0);
		meddle(h->world);
	}
}

static void
on_writable(struct rk_chan *c, void *arg)
{
	struct hand *h = arg;

	must(h->c == c);
	meddle(h->world);
}

static void
on_ended(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct hand *h = arg;

	must(h->c == c && why->code < RK_ERR_COUNT);
	h->c = NULL;
	meddle(h->world);
}

static const struct rk_chan_events events = {
	.message = on_message,
	.readable = on_readable,
	.writable = on_writable,
	.eof = on_writable,
	.ended = on_ended,
};

static void
make_pair(struct world *w, unsigned where, enum rk_chan_kind kind)
{
	struct rk_chan *c[2];

	if (w->made == UINT8_MAX)
		return;
	w->made++;
	must(chan_pair(w->loop, kind, (struct rk_str){ "p", 1 }, &c[0],
	         &c[1]) == RK_OK);
	for (size_t i = 0; i < 2; i++) {
		struct hand *h = free_hand(w, where);

		if (h == NULL) {
			rk_chan_close(&c[i]);
			continue;
		}
		h->c = c[i];
		must(rk_chan_listen(c[i], &events, h) == RK_OK);
	}
}

/* Also with an end of a channel that waits in this one, at the other end. */
static void
send(struct world *w, struct hand *h)
{
	static uint8_t bytes[40000];
	struct hand *with = &w->hand[draw(w) % ENDS];
	struct rk_chan *e = with->c;
	const struct rk_chan_msg msg = {
		.payload = { bytes, 1 + (size_t)draw(w) * 150 },
		.ends = &e,
		.n_ends = e != NULL && with->where == h->where,
	};

	if (rk_chan_send(h->c, &msg) == RK_OK && msg.n_ends == 1)
		with->c = NULL;
}

static void
use(struct world *w, uint8_t what)
{
	static const uint8_t bytes[60000];
	struct hand *h = &w->hand[draw(w) % ENDS];
	size_t n;

	if (h->c == NULL)
		return;
	switch (what % 8) {
	case 0:
		rk_chan_close(&h->c);
		break;
	case 1:
		rk_chan_reset(&h->c, (enum rk_err)draw(w), "fuzz");
		break;
	case 2:
		rk_chan_finish(h->c);
		break;
	case 3:
		rk_chan_pause(h->c, draw(w) % 2);
		break;
	case 4:
		make_pair(w, h->where, draw(w) % 2);
		break;
	default:
		if (rk_chan_kind(h->c) == RK_CHAN_MESSAGES)
			send(w, h);
		else if (rk_chan_write(
		             h->c, bytes, (size_t)draw(w) * 200, &n) == RK_OK)
			must(n > 0 || w->p == w->end || w->p[-1] == 0);
	}
}

/* ---- links ---- */

static void
on_wake(struct chan_link *l, void *arg)
{
	(void)l;
	(void)arg;
}

static void
check_link(const struct chan_link *l)
{
	const struct rk_chan *c;
	size_t n = 0;

	TAILQ_FOREACH (c, &l->all, all) {
		n++;
		must(c->link == l);
		must(c->unread <= l->window + RK_CHAN_MESSAGE_MAX +
		                      chan_cost(0, RK_CHAN_ENDS_MAX));
	}
	must(n == l->ids.count);
	must(l->n_theirs <= l->max_channels);
	must(l->hold->sum <= l->max_waiting);
	must(!l->greeted || l->n_mine <= l->peer_max);
}

/* What we send can be read. */
static void
check_part(const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;
	struct chan_frame f;
	const char *why;

	while (p < end)
		must(chan_decode(&p, end, &f, &why) == RK_OK);
}

static void
pull(struct world *w, unsigned side)
{
	struct part *p;

	if (w->n_way[!side] == PARTS)
		return;
	p = malloc(sizeof(*p));
	must(p != NULL);
	must(chan_pull(&w->link[side], p->bytes, sizeof(p->bytes), &p->len) ==
	     RK_OK);
	check_part(p->bytes, p->len);
	if (p->len == 0)
		free(p);
	else
		w->way[!side][w->n_way[!side]++] = p;
}

static bool
feed(struct world *w, unsigned side)
{
	struct part *p = w->way[side][0];
	struct rk_error err;

	if (w->n_way[side] == 0)
		return false;
	w->n_way[side]--;
	memmove(&w->way[side][0], &w->way[side][1],
	    w->n_way[side] * sizeof(w->way[side][0]));
	must(chan_feed(&w->link[side], (struct rk_bytes){ p->bytes, p->len },
	         &err) == RK_OK);
	free(p);
	check_link(&w->link[side]);
	return true;
}

static void
step(struct world *w)
{
	do
		must(rk_loop_step(w->loop, 0) == RK_OK);
	while (rk_loop_wait_ms(w->loop) == 0);
}

static void
begin(struct world *w)
{
	const struct rk_chan_conf conf = {
		.type = "f",
		.window = RK_CHAN_WINDOW_MIN,
		.max_channels = CHANNELS,
	};

	must(rk_loop_new(&w->loop) == RK_OK);
	for (unsigned i = 0; i < 2; i++) {
		struct hand *h = free_hand(w, i);

		must(chan_link_init(
		         &w->link[i], w->loop, i == 1, &conf, &h->c) == RK_OK);
		w->link[i].wake = on_wake;
		must(rk_chan_listen(h->c, &events, h) == RK_OK);
	}
}

static void
end(struct world *w)
{
	const struct rk_error why = { .code = RK_ECLOSED, .text = "end" };

	for (unsigned i = 0; i < 2; i++)
		chan_link_fail(&w->link[i], &why);
	for (size_t i = 0; i < ENDS; i++)
		rk_chan_close(&w->hand[i].c);
	step(w);
	for (unsigned i = 0; i < 2; i++) {
		must(w->link[i].hold->sum == 0);
		chan_link_fini(&w->link[i]);
		while (w->n_way[i] > 0)
			free(w->way[i][--w->n_way[i]]);
	}
	rk_loop_free(w->loop);
}

/* ---- the two games ---- */

static void
play_both(struct world *w)
{
	while (w->p < w->end) {
		uint8_t what = draw(w);

		if (what < 128)
			use(w, what);
		else if (what < 168)
			pull(w, what % 2);
		else if (what < 232)
			(void)feed(w, what % 2);
		else
			step(w);
	}
	/* In the end all of it ends, at both ends. */
	for (size_t i = 0; i < ENDS; i++)
		rk_chan_close(&w->hand[i].c);
	for (unsigned n = 0; n < 4096; n++) {
		bool moved;

		step(w);
		for (size_t i = 0; i < ENDS; i++)
			rk_chan_close(&w->hand[i].c);
		pull(w, 0);
		pull(w, 1);
		moved = feed(w, 0);
		if (!feed(w, 1) && !moved)
			break;
	}
	must(chan_is_over(&w->link[0]) && chan_is_over(&w->link[1]));
}

/* The server's link gets bytes as they come; its users do this and that. */
static void
play_peer(struct world *w)
{
	struct chan_link *l = &w->link[1];
	struct rk_error err;
	uint8_t out[2 * CHAN_FRAME_MAX];
	size_t len;

	pull(w, 0);
	must(feed(w, 1));
	while (w->p < w->end) {
		len = 4 * (size_t)draw(w);
		if (len > (size_t)(w->end - w->p))
			len = (size_t)(w->end - w->p);
		w->p += len;
		if (chan_feed(l, (struct rk_bytes){ w->p - len, len }, &err) !=
		    RK_OK)
			break;
		step(w);
		use(w, draw(w));
		must(chan_pull(l, out, sizeof(out), &len) == RK_OK);
		check_part(out, len);
		check_link(l);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world *w;

	if (size < 2 || (w = calloc(1, sizeof(*w))) == NULL)
		return 0;
	w->p = data + 1;
	w->end = data + size;
	begin(w);
	if (data[0] % 2 == 0)
		play_both(w);
	else
		play_peer(w);
	end(w);
	free(w);
	return 0;
}
