/* The contract of layers, over every stack, clean and disturbed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stacks.h"

struct run {
	enum stack_kind kind;
	enum stack_way way;
	char name[64];
};

static struct stack_world world;

static void
make(const struct run *run, struct layer *l[2])
{
	stack_make(&world, run->kind, run->way, l);
}

/* Bytes that tell their place, so that a lost or doubled one shows. */
static uint8_t *
make_bytes(size_t len, unsigned seed)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)((i * 31 + i / 251 + seed) & 255);
	return p;
}

/* ---- the cases ---- */

static void
shakes_hands(void **state)
{
	const struct run *run = *state;
	struct layer *l[2];
	struct rk_error err;
	const char *name = NULL;

	make(run, l);
	stack_connect(l);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(l[i]->ops->handshake(l[i], &err), RK_OK);
		assert_true(layer_query(l[i], LAYER_Q_NAME, &name));
		assert_string_equal(
		    name, stack_kind_name(STACK_BASE(run->kind)));
		assert_false(layer_query(l[i], LAYER_Q_ERROR, &err));
		assert_int_equal((l[i]->ops->want(l[i]) & RK_READ) != 0,
		    STACK_BASE(run->kind) != STACK_QUIC);
	}
	stack_free(l);
}

static void
echo(const struct run *run, size_t len)
{
	struct layer *l[2];
	uint8_t *src = make_bytes(len, (unsigned)len);
	uint8_t *mid = calloc(1, len);
	uint8_t *dst = calloc(1, len);

	make(run, l);
	stack_connect(l);
	assert_true(mid != NULL && dst != NULL);
	stack_pass(l[0], l[1], src, len, mid);
	assert_memory_equal(src, mid, len);
	stack_pass(l[1], l[0], mid, len, dst);
	assert_memory_equal(src, dst, len);
	stack_free(l);
	free(src);
	free(mid);
	free(dst);
}

/* How much the other end's system has not confirmed can be asked. */
static void
counts_the_untaken(void **state)
{
	const struct run *run = *state;
	struct layer *l[2];
	uint8_t *src = make_bytes(5000, 1);
	uint8_t *dst = calloc(1, 5000);
	uint64_t untaken = UINT64_MAX;

	assert_non_null(dst);
	make(run, l);
	stack_connect(l);
	stack_pass(l[0], l[1], src, 5000, dst);
	assert_true(layer_query(l[0], LAYER_Q_UNTAKEN, &untaken));
	assert_in_range(untaken, 0, 100000);
	stack_free(l);
	free(src);
	free(dst);
}

static void
echoes_little(void **state)
{
	static const size_t sizes[] = { 1, 2, 581, 4096 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		echo(*state, sizes[i]);
}

/* Around a record, and around what one call may take in or out. */
static void
echoes_edges(void **state)
{
	static const size_t sizes[] = { 16383, 16384, 16385, 65535, 65536,
		65537, 262143, 262144, 262145 };
	const struct run *run = *state;
	size_t n = sizeof(sizes) / sizeof(sizes[0]);

	for (size_t i = 0; i < (run->way == STACK_SPLIT ? 3 : n); i++)
		echo(run, sizes[i]);
}

static void
echoes_much(void **state)
{
	static const size_t sizes[] = {
		[STACK_CLEAN] = 10u << 20,
		[STACK_SPLIT] = 64u << 10,
		[STACK_SLOW] = 10u << 20,
		[STACK_PACED] = 10u << 20,
		[STACK_LOSS_5] = 2u << 20,
		[STACK_LOSS_20] = 1u << 20,
		[STACK_TWICE] = 4u << 20,
		[STACK_MIXED] = 2u << 20,
		[STACK_LATE] = 4u << 20,
		[STACK_REBOUND] = 4u << 20,
	};
	const struct run *run = *state;

	echo(run, sizes[run->way]);
}

/* Both ways at once, neither waiting for the other. */
static void
crosses(void **state)
{
	const struct run *run = *state;
	size_t len = run->way == STACK_SPLIT    ? 20000
	             : run->way < STACK_RELAYED ? 3000000
	                                        : 300000;
	struct layer *l[2];
	uint8_t *src[2] = { make_bytes(len, 1), make_bytes(len, 2) };
	uint8_t *dst[2] = { calloc(1, len), calloc(1, len) };
	size_t in[2] = { 0, 0 };
	size_t out[2] = { 0, 0 };
	size_t n;

	make(run, l);
	stack_connect(l);
	while (in[0] < len || in[1] < len) {
		for (int i = 0; i < 2; i++) {
			if (out[i] < len) {
				(void)l[i]->ops->send(
				    l[i], src[i] + out[i], len - out[i], &n);
				out[i] += n;
			}
			(void)l[i]->ops->flush(l[i]);
			if (in[i] == len)
				continue;
			(void)l[i]->ops->recv(
			    l[i], dst[i] + in[i], len - in[i], &n);
			in[i] += n;
		}
		stack_turn();
	}
	for (int i = 0; i < 2; i++) {
		assert_memory_equal(dst[i], src[1 - i], len);
		free(dst[i]);
		free(src[1 - i]);
	}
	stack_free(l);
}

static void
closes_in_order(void **state)
{
	static const uint8_t bye[] = "bye";
	const struct run *run = *state;
	struct layer *l[2];
	struct rk_error err;
	size_t n;

	for (int i = 0; i < 2; i++) {
		make(run, l);
		stack_connect(l);
		assert_int_equal(
		    l[i]->ops->send(l[i], bye, sizeof(bye), &n), RK_OK);
		while (n < sizeof(bye)) {
			size_t more = 0;

			(void)l[i]->ops->send(
			    l[i], bye + n, sizeof(bye) - n, &more);
			n += more;
		}
		while (l[i]->ops->flush(l[i]) == RK_EAGAIN)
			stack_wait(l[i], NULL);
		if (run->way >= STACK_RELAYED)
			stack_settle(l[i]);
		l[i]->ops->close(l[i], NULL);
		/* The slow one had its one chance to say goodbye. */
		assert_int_equal(stack_recv_end(l[1 - i], &n), RK_ECLOSED);
		assert_int_equal(n, sizeof(bye));
		assert_true(layer_query(l[1 - i], LAYER_Q_ERROR, &err));
		assert_int_equal(err.code, RK_ECLOSED);
		if (run->way != STACK_SLOW)
			assert_non_null(strstr(err.text, "closed by the peer"));
		/* The end stays the end. */
		assert_int_equal(stack_recv_end(l[1 - i], &n), RK_ECLOSED);
		l[1 - i]->ops->close(l[1 - i], NULL);
		assert_int_equal(stack_recv_end(l[i], &n), RK_ECLOSED);
		stack_free(l);
	}
}

static void
check_why(const struct run *run, enum rk_err r, const struct rk_error *err)
{
	if (run->kind >= STACK_BASES && r == RK_EPSK) {
		assert_string_equal(err->step, "psk");
		return;
	}
	assert_int_equal(r, RK_ETLS);
	assert_string_equal(err->step, "tls");
	assert_memory_equal(err->text,
	    "the peer closed the connection during the handshake", 51);
}

/* The other end is gone after this many steps of the handshake. */
static bool
vanish_after(const struct run *run, int who, unsigned steps)
{
	struct layer *l[2];
	struct rk_error err = { 0 };
	enum rk_err r[2] = { RK_EAGAIN, RK_EAGAIN };
	size_t n;

	make(run, l);
	for (unsigned i = 0; i < steps; i++)
		for (int k = 0; k < 2; k++)
			if (r[k] == RK_EAGAIN)
				r[k] = l[k]->ops->handshake(l[k], &err);
			else
				(void)l[k]->ops->flush(l[k]);
	layer_free(l[who]);
	l[who] = NULL;
	while (r[1 - who] == RK_EAGAIN) {
		stack_wait(l[1 - who], NULL);
		r[1 - who] = l[1 - who]->ops->handshake(l[1 - who], &err);
	}
	if (r[1 - who] == RK_OK) {
		assert_int_equal(stack_recv_end(l[1 - who], &n), RK_ECLOSED);
		assert_int_equal(n, 0);
		assert_true(layer_query(l[1 - who], LAYER_Q_ERROR, &err));
	} else {
		check_why(run, r[1 - who], &err);
	}
	assert_true(err.text[0] != '\0');
	stack_free(l);
	return r[who] == RK_OK && r[1 - who] == RK_OK;
}

static void
notices_vanishing(void **state)
{
	const struct run *run = *state;
	unsigned stride = run->way == STACK_SPLIT ? 97 : 1;

	for (int who = 0; who < 2; who++)
		for (unsigned i = 0; !vanish_after(run, who, i); i += stride)
			assert_true(i < 5000);
}

/* In the middle of a message, and of a record. */
static void
notices_vanishing_later(void **state)
{
	const struct run *run = *state;
	struct layer *l[2];
	uint8_t *src = make_bytes(20000, 3);
	struct rk_error err;
	size_t sent;
	size_t n;

	for (int who = 0; who < 2; who++) {
		make(run, l);
		stack_connect(l);
		assert_int_equal(
		    l[who]->ops->send(l[who], src, 20000, &sent), RK_OK);
		(void)l[who]->ops->flush(l[who]);
		layer_free(l[who]);
		l[who] = NULL;
		assert_int_equal(stack_recv_end(l[1 - who], &n), RK_ECLOSED);
		assert_true(n <= sent);
		assert_true(layer_query(l[1 - who], LAYER_Q_ERROR, &err));
		if (run->kind == STACK_TLS)
			assert_memory_equal(
			    err.text, "ended without close_notify", 26);
		stack_free(l);
	}
	free(src);
}

/* What recv() has not given is told of by the descriptor or by pending(). */
static void
tells_of_pending(void **state)
{
	const struct run *run = *state;
	/* Split, every byte costs the kernel a buffer of its own. */
	size_t len = run->way == STACK_SPLIT ? 150 : 40000;
	uint8_t *src = make_bytes(len, 4);
	struct layer *l[2];
	uint8_t part[37];
	size_t out = 0;
	size_t in = 0;
	size_t n;
	enum rk_err r;

	make(run, l);
	stack_connect(l);
	while (out < len) {
		r = l[0]->ops->send(l[0], src + out, len - out, &n);
		assert_true(r == RK_OK || r == RK_EAGAIN);
		out += n;
	}
	while (l[0]->ops->flush(l[0]) == RK_EAGAIN)
		stack_wait(l[0], NULL);
	stack_settle(l[0]); /* so that nothing is under way any more */
	while (in < out) {
		assert_true(
		    l[1]->ops->pending(l[1]) || stack_is_readable(l[1]));
		r = l[1]->ops->recv(l[1], part, sizeof(part), &n);
		assert_true(r == RK_OK || r == RK_EAGAIN);
		assert_memory_equal(part, src + in, n);
		in += n;
	}
	assert_false(l[1]->ops->pending(l[1]));
	if (STACK_BASE(run->kind) !=
	    STACK_QUIC) /* where the next call finds out */
		assert_false(stack_is_readable(l[1]));
	/* The slow one says so without having asked the one below. */
	for (int i = 0; i < 2; i++)
		assert_int_equal(l[1]->ops->recv(l[1], part, 1, &n), RK_EAGAIN);
	assert_false(stack_is_readable(l[1]));
	if (STACK_BASE(run->kind) != STACK_QUIC)
		assert_int_equal(l[1]->ops->want(l[1]), RK_READ);
	stack_free(l);
	free(src);
}

/* A reader that does not read stops the writer at a bounded place. */
static void
stops_when_full(void **state)
{
	const struct run *run = *state;
	uint8_t *src = make_bytes(1u << 20, 5);
	struct layer *l[2];
	size_t out = 0;
	size_t in;
	size_t n;
	unsigned again = 0;
	enum rk_err r;

	make(run, l);
	stack_connect(l);
	while (again < 10) {
		r = l[0]->ops->send(l[0], src, 1u << 20, &n);
		assert_true(r == RK_OK || r == RK_EAGAIN);
		again = r == RK_EAGAIN ? again + 1 : 0;
		(void)l[0]->ops->flush(l[0]);
		stack_turn();
		out += n;
		assert_true(out < 64u << 20);
	}
	assert_true(stack_waits_to_write(l[0]));
	for (in = 0; in < out; in += n) {
		static uint8_t dst[65536];

		(void)l[0]->ops->flush(l[0]);
		stack_turn();
		r = l[1]->ops->recv(l[1], dst, sizeof(dst), &n);
		assert_true(r == RK_OK || r == RK_EAGAIN);
	}
	while (l[0]->ops->flush(l[0]) == RK_EAGAIN)
		stack_wait(l[0], NULL);
	assert_int_equal(in, out);
	stack_settle(l[0]);
	if (STACK_BASE(run->kind) == STACK_QUIC)
		assert_false(stack_waits_to_write(l[0]));
	stack_pass(l[0], l[1], src, 100, src + 100);
	stack_free(l);
	free(src);
}

/* ---- every case over every stack ---- */

/* Where a case is not run. */
enum skip {
	EVERYWHERE = 0,
	NOT_SPLIT = 1, /* a byte at a time would take minutes */
	NOT_QUIC = 2,  /* who vanishes there is missed after 30 s only */
	NOT_LOSSY = 4  /* what says the end may be lost, too */
};

struct stack_case {
	const char *name;
	CMUnitTestFunction fn;
	unsigned skip;
};

static const struct stack_case cases[] = {
	{ "shakes_hands", shakes_hands, EVERYWHERE },
	{ "echoes_little", echoes_little, EVERYWHERE },
	{ "counts_the_untaken", counts_the_untaken, EVERYWHERE },
	{ "echoes_edges", echoes_edges, EVERYWHERE },
	{ "echoes_much", echoes_much, EVERYWHERE },
	{ "crosses", crosses, EVERYWHERE },
	{ "closes_in_order", closes_in_order, NOT_LOSSY },
	{ "notices_vanishing", notices_vanishing, NOT_QUIC },
	{ "notices_vanishing_later", notices_vanishing_later, NOT_QUIC },
	{ "tells_of_pending", tells_of_pending, EVERYWHERE },
	{ "stops_when_full", stops_when_full, NOT_SPLIT },
};
#define CASES (sizeof(cases) / sizeof(cases[0]))
#define RUNS (CASES * STACK_KINDS * STACK_WAYS)

static bool
is_run(const struct stack_case *c, enum stack_kind kind, enum stack_way way)
{
	bool lossy =
	    way == STACK_LOSS_5 || way == STACK_LOSS_20 || way == STACK_REBOUND;

	return stack_has(kind, way) &&
	       ((c->skip & NOT_SPLIT) == 0 || way != STACK_SPLIT) &&
	       ((c->skip & NOT_QUIC) == 0 || STACK_BASE(kind) != STACK_QUIC) &&
	       ((c->skip & NOT_LOSSY) == 0 || !lossy);
}

static int
set_up(void **state)
{
	(void)state;
	stack_world_init(&world);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	stack_world_fini(&world);
	return 0;
}

int
main(void)
{
	static struct run runs[RUNS];
	static struct CMUnitTest tests[RUNS];
	size_t n = 0;

	for (size_t i = 0; i < RUNS; i++) {
		const struct stack_case *c = &cases[i % CASES];
		struct run *run = &runs[i];

		run->kind = (enum stack_kind)(i / CASES % STACK_KINDS);
		run->way = (enum stack_way)(i / CASES / STACK_KINDS);
		(void)snprintf(run->name, sizeof(run->name), "%s/%s/%s",
		    c->name, stack_kind_name(run->kind),
		    stack_way_name(run->way));
		tests[n] = (struct CMUnitTest){
			.name = run->name,
			.test_func = c->fn,
			.initial_state = run,
		};
		if (is_run(c, run->kind, run->way))
			n++;
	}
	return _cmocka_run_group_tests("stack", tests, n, set_up, tear_down);
}
