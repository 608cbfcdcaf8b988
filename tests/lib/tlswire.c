/* Two TLS layers and a wire between, which a test carries bytes over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trust/ident.h"

#include "tlswire.h"

struct stack_world wire_world;

int
wire_setup(void **state)
{
	(void)state;
	stack_world_init(&wire_world);
	return 0;
}

int
wire_teardown(void **state)
{
	(void)state;
	stack_world_fini(&wire_world);
	return 0;
}

static enum rk_err
judge(const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	struct end *e = arg;

	(void)chain;
	(void)n;
	(void)err;
	e->judged++;
	return e->verdict;
}

static int64_t
now_of(void *arg)
{
	const struct end *e = arg;

	return e->now != 0 ? e->now : (int64_t)time(NULL);
}

void
wire_make_ctx(struct end *e, int who, bool early)
{
	struct tls_conf conf = {
		.server = who == SERVER,
		.mode = RK_TLS_MUTUAL,
		.ident = wire_world.ident[who],
		.verify = judge,
		.arg = e,
		.seed = e->seed,
		.replay = early ? e->replay : NULL,
		.early = early,
	};

	tls_ctx_free(e->ctx);
	assert_int_equal(tls_ctx_new(&conf, &e->ctx, NULL), RK_OK);
	tls_ctx_set_clock(e->ctx, now_of, e);
}

void
wire_make_server(struct end *e, const char *seed_path, bool early)
{
	assert_int_equal(seed_new(seed_path, &e->seed, NULL), RK_OK);
	assert_int_equal(replay_new(&e->replay), RK_OK);
	wire_make_ctx(e, SERVER, early);
}

void
wire_free_end(struct end *e)
{
	tls_ctx_free(e->ctx);
	seed_free(e->seed);
	replay_free(e->replay);
}

void
wire_init(struct wire *w)
{
	memset(w, 0, sizeof(*w));
	wire_make_ctx(&w->end[CLIENT], CLIENT, true);
	wire_make_server(&w->end[SERVER], NULL, true);
}

void
wire_fini(struct wire *w)
{
	wire_free_end(&w->end[CLIENT]);
	wire_free_end(&w->end[SERVER]);
}

static void
make_layer(struct end *e, enum stack_way way)
{
	struct layer *below;

	memset(&e->mem, 0, sizeof(e->mem));
	mem_layer(&e->mem, &below, &e->peer);
	assert_int_equal(tls_layer_new(e->ctx, wire_world.loop,
	                     stack_disturb(below, way), &e->l),
	    RK_OK);
	e->r = RK_EAGAIN;
	e->err = (struct rk_error){ 0 };
}

void
wire_open(struct wire *w)
{
	make_layer(&w->end[CLIENT], w->way);
	make_layer(&w->end[SERVER], w->way);
	w->len = 0;
}

void
wire_close_end(struct end *e)
{
	layer_free(e->l);
	assert_int_equal(close(e->peer), 0);
}

void
wire_close(struct wire *w)
{
	wire_close_end(&w->end[CLIENT]);
	wire_close_end(&w->end[SERVER]);
}

void
wire_carry(struct wire *w, int from)
{
	uint8_t tmp[65536];
	ssize_t n;

	while ((n = read(w->end[from].peer, tmp, sizeof(tmp))) > 0) {
		assert_int_equal(
		    write(w->end[1 - from].peer, tmp, (size_t)n), n);
		if (from == CLIENT && w->len + (size_t)n <= sizeof(w->flight)) {
			memcpy(w->flight + w->len, tmp, (size_t)n);
			w->len += (size_t)n;
		}
	}
}

static void
step(struct end *e)
{
	if (e->r == RK_EAGAIN)
		e->r = e->l->ops->handshake(e->l, &e->err);
	(void)e->l->ops->flush(e->l);
}

/* Steps in which nothing moves, after which nothing will: a disturbed stack
 * refuses every other one. */
#define IDLE_STEPS 16

/*
 * So often that every record has come through, a byte at a time too; no more,
 * as early data have to come within seconds of when they were made.
 */
void
wire_run_end(struct wire *w, int who)
{
	struct end *e = &w->end[who];
	size_t moved = SIZE_MAX;

	if (w->way == STACK_CLEAN) {
		step(e);
		return;
	}
	for (int idle = 0; idle < IDLE_STEPS; idle++) {
		step(e);
		if (moved != e->mem.bytes_in + e->mem.bytes_out)
			idle = 0;
		moved = e->mem.bytes_in + e->mem.bytes_out;
	}
}

/* The client's first flight goes over, and the server looks at it. */
void
wire_fly(struct wire *w)
{
	wire_run_end(w, CLIENT);
	wire_carry(w, CLIENT);
	wire_run_end(w, SERVER);
}

/* Both to the ends of their handshakes. */
void
wire_shake(struct wire *w)
{
	for (int i = 0; i < 6; i++) {
		wire_fly(w);
		wire_carry(w, SERVER);
	}
}

void
wire_must_shake(struct wire *w)
{
	wire_shake(w);
	for (int i = 0; i < 2; i++)
		if (w->end[i].r != RK_OK)
			fail_msg("handshake: %s", w->end[i].err.text);
}

bool
wire_ask(const struct end *e, enum layer_query what)
{
	bool b = false;

	return layer_query(e->l, what, &b) && b;
}

size_t
wire_early_max(const struct end *e)
{
	size_t n = 0;

	return layer_query(e->l, LAYER_Q_EARLY_MAX, &n) ? n : 0;
}

/* What comes to an end, with the wire running. */
size_t
wire_take(struct wire *w, int who, void *dst, size_t cap)
{
	struct layer *l = w->end[who].l;
	size_t got = 0;
	size_t n;
	enum rk_err r = RK_OK;

	for (int i = 0; i < (w->way == STACK_CLEAN ? 8 : 80000); i++) {
		if (got == cap)
			break;
		r = l->ops->recv(l, (uint8_t *)dst + got, cap - got, &n);
		got += n;
		if (r != RK_OK && r != RK_EAGAIN)
			break;
		(void)w->end[1 - who].l->ops->flush(w->end[1 - who].l);
		wire_carry(w, 1 - who);
		wire_carry(w, who);
	}
	return got;
}

void
wire_expect(struct wire *w, int who, const char *text)
{
	char got[256] = "";

	assert_int_equal(wire_take(w, who, got, strlen(text)), strlen(text));
	assert_string_equal(got, text);
}

void
wire_expect_nothing(struct wire *w, int who)
{
	char byte;

	assert_int_equal(wire_take(w, who, &byte, 1), 0);
}

void
wire_say(struct end *e, const char *text)
{
	size_t n = 0;

	assert_int_equal(
	    e->l->ops->send(e->l, (const uint8_t *)text, strlen(text), &n),
	    RK_OK);
	assert_int_equal(n, strlen(text));
	(void)e->l->ops->flush(e->l);
}

enum rk_err
wire_early(struct wire *w, const char *text)
{
	struct layer *l = w->end[CLIENT].l;

	return l->ops->early(l, (const uint8_t *)text, strlen(text));
}

/* A connection that leaves a session behind; was it resumed? */
bool
wire_meet(struct wire *w)
{
	bool resumed;

	wire_open(w);
	wire_must_shake(w);
	wire_say(&w->end[SERVER], "hello");
	wire_expect(w, CLIENT, "hello");
	wire_say(&w->end[CLIENT], "hello");
	wire_expect(w, SERVER, "hello");
	resumed = wire_ask(&w->end[CLIENT], LAYER_Q_RESUMED);
	assert_int_equal(resumed, wire_ask(&w->end[SERVER], LAYER_Q_RESUMED));
	wire_close(w);
	return resumed;
}

void
wire_check_cert(struct wire *w, int who)
{
	struct rk_bytes want = ident_cert_der(wire_world.ident[1 - who]);
	struct rk_bytes got;

	assert_true(layer_query(w->end[who].l, LAYER_Q_PEER_CERT, &got));
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.ptr, want.ptr, want.len);
}

/* The wire is played again, to the same server. */
void
wire_replay(struct wire *w, const struct wire *recorded)
{
	make_layer(&w->end[CLIENT], STACK_CLEAN); /* stays silent */
	make_layer(&w->end[SERVER], STACK_CLEAN);
	assert_int_equal(
	    write(w->end[SERVER].peer, recorded->flight, recorded->len),
	    (ssize_t)recorded->len);
	for (int i = 0; i < 4; i++)
		step(&w->end[SERVER]);
}
