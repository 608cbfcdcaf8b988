/* Pairs of QUIC stacks on one loop, straight or through a bad network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/loop.h"
#include "net/quic.h"

#include "relay.h"
#include "stacks.h"
#include "vtime.h"

#define PATIENCE_MS 600000 /* of the loop's own time */
#define REBIND_TURNS 150

/* One end: what was raised for it is only looked at. */
struct end {
	struct quic_end *quic;
	struct layer *top;
	struct loop_ready ready;
};

static struct pair {
	struct stack_world *world; /* NULL: there is no pair */
	struct vtime time;
	struct relay *relay;
	struct end end[2];
	enum stack_way way;
	unsigned turns;
} pair;

static void
on_ready(unsigned ready, void *arg)
{
	(void)ready;
	(void)arg;
	fail_msg("nobody wants to be told");
}

static void
on_hello(struct quic_end *e, struct quic_hello *h, void *arg)
{
	struct pair *p = arg;

	assert_null(p->end[1].top);
	assert_int_equal(
	    quic_end_accept(e, p->world->quic[1], h, &p->end[1].top), RK_OK);
}

static const struct quic_end_events events = { .hello = on_hello };

static void
start_server(struct pair *p, struct addr *bound)
{
	struct addr_url u = { .scheme = ADDR_TCP, .host = "127.0.0.1" };
	struct quic_end_conf conf = { .loop = p->world->loop,
		.events = &events,
		.arg = p,
		.seed = p->world->seed,
		.retry_from = 64,
		.pace_all = p->way == STACK_PACED };
	struct addr a;
	size_t n;

	assert_int_equal(addr_resolve(&u, true, &a, 1, &n, NULL), RK_OK);
	assert_int_equal(quic_io_bind(&a, false, &conf.fd, bound, NULL), RK_OK);
	assert_int_equal(quic_end_new(&conf, &p->end[1].quic, NULL), RK_OK);
}

static void
start_relay(struct pair *p, const struct addr *server)
{
	static const struct relay_faults faults[STACK_WAYS] = {
		[STACK_LOSS_5] = { .drop = 5 },
		[STACK_LOSS_20] = { .drop = 20 },
		[STACK_TWICE] = { .duplicate = 25 },
		[STACK_MIXED] = { .reorder = 25 },
		[STACK_LATE] = { .delay_ms = 20, .jitter_ms = 10 },
		[STACK_REBOUND] = { .delay_ms = 1 },
	};

	p->relay = relay_start(p->world->loop, server, (uint64_t)p->way);
	relay_set(p->relay, RELAY_UP, &faults[p->way]);
	relay_set(p->relay, RELAY_DOWN, &faults[p->way]);
}

static void
start_client(struct pair *p, const struct addr *server)
{
	struct quic_end_conf conf = { .loop = p->world->loop,
		.pace_all = p->way == STACK_PACED };
	struct end *e = &p->end[0];

	assert_int_equal(quic_io_connect(server, &conf.fd, NULL), RK_OK);
	assert_int_equal(quic_end_new(&conf, &e->quic, NULL), RK_OK);
	assert_int_equal(
	    quic_end_dial(e->quic, p->world->quic[0], server, &e->top), RK_OK);
}

static void
attach(struct pair *p, struct end *e)
{
	loop_ready_init(&e->ready, p->world->loop, on_ready, NULL);
	assert_true(layer_attach(e->top, &e->ready));
}

void
stack_quic_make(struct stack_world *w, enum stack_way way, struct layer *l[2])
{
	struct addr server;

	stack_quic_free(); /* what a failed test has left */
	pair = (struct pair){ .world = w, .way = way };
	vtime_start(&pair.time, w->loop, PATIENCE_MS);
	start_server(&pair, &server);
	if (way >= STACK_RELAYED) {
		start_relay(&pair, &server);
		server = *relay_addr(pair.relay);
	}
	start_client(&pair, &server);
	attach(&pair, &pair.end[0]);
	/* The other end is there when the first packet is. */
	l[0] = pair.end[0].top;
	assert_int_equal(l[0]->ops->handshake(l[0], NULL), RK_EAGAIN);
	while (pair.end[1].top == NULL)
		vtime_turn(&pair.time);
	attach(&pair, &pair.end[1]);
	for (int i = 0; i < 2; i++)
		l[i] = pair.end[i].top = stack_disturb(
		    pair.end[i].top, way < STACK_RELAYED ? way : STACK_CLEAN);
}

void
stack_quic_cover(int who, struct layer *top)
{
	pair.end[who].top = top;
}

void
stack_quic_free(void)
{
	if (pair.world == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		quic_end_free(pair.end[i].quic);
		loop_ready_fini(&pair.end[i].ready);
	}
	relay_stop(pair.relay);
	loop_set_clock(pair.world->loop, NULL, NULL);
	pair.world = NULL;
}

bool
stack_quic_ready(struct layer *l, unsigned *ready)
{
	for (int i = 0; i < 2 && pair.world != NULL; i++) {
		if (pair.end[i].top == l) {
			*ready = pair.end[i].ready.ready;
			return true;
		}
	}
	return false;
}

bool
stack_quic_turn(void)
{
	if (pair.world == NULL)
		return false;
	if (pair.way == STACK_REBOUND && ++pair.turns % REBIND_TURNS == 0)
		relay_rebind(pair.relay);
	vtime_turn(&pair.time);
	return true;
}
