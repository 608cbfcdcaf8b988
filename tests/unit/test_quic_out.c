/* A stream's outgoing blocks against a flat buffer, and their addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "net/quic_out.h"

#define PIECES 8
#define MODEL_MAX (8u << 20)
#define STEPS 1500
#define SEEDS 5

/* What the queue must be: all bytes there ever were, and three marks. */
struct model {
	struct quic_blocks pool;
	struct quic_out out;
	uint8_t *bytes;
	const uint8_t **at; /* where a byte was when it was sent */
	uint64_t queued, sent, confirmed;
	uint64_t state;
};

static unsigned
draw(struct model *m, unsigned below)
{
	m->state = m->state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(m->state >> 33) % below;
}

static void
open_model(struct model *m, uint64_t seed)
{
	*m = (struct model){ .state = seed };
	m->bytes = malloc(MODEL_MAX);
	m->at = calloc(MODEL_MAX, sizeof(m->at[0]));
	assert_true(m->bytes != NULL && m->at != NULL);
	for (size_t i = 0; i < MODEL_MAX; i++)
		m->bytes[i] = (uint8_t)(i * 31 + i / 251);
	quic_out_init(&m->out, &m->pool);
}

static void
close_model(struct model *m)
{
	quic_out_fini(&m->out);
	assert_true(m->pool.n <= QUIC_BLOCKS_KEPT);
	quic_blocks_fini(&m->pool);
	assert_null(m->pool.free);
	free(m->bytes);
	free(m->at);
}

static void
put(struct model *m, size_t len)
{
	if (m->queued + len > MODEL_MAX)
		len = MODEL_MAX - (size_t)m->queued;
	assert_int_equal(
	    quic_out_put(&m->out, m->bytes + m->queued, len), RK_OK);
	m->queued += len;
}

/* The pieces are the next bytes not sent, without a gap. */
static size_t
peek(struct model *m, struct iovec *v, size_t cap)
{
	size_t n = quic_out_peek(&m->out, v, cap);
	uint64_t at = m->sent;

	assert_true(n <= cap);
	for (size_t i = 0; i < n; i++) {
		assert_true(v[i].iov_len > 0);
		assert_true(at + v[i].iov_len <= m->queued);
		assert_memory_equal(v[i].iov_base, m->bytes + at, v[i].iov_len);
		at += v[i].iov_len;
	}
	if (n < cap)
		assert_int_equal(at, m->queued);
	return (size_t)(at - m->sent);
}

/* As ngtcp2 does: it keeps the addresses of what it has taken. */
static void
send_some(struct model *m)
{
	struct iovec v[PIECES];
	size_t len = peek(m, v, 1 + draw(m, PIECES));
	size_t n = draw(m, 4) == 0 ? len : draw(m, (unsigned)len + 1);
	size_t done = 0;

	for (size_t i = 0; done < n; i++)
		for (size_t k = 0; k < v[i].iov_len && done < n; k++)
			m->at[m->sent + done++] =
			    (const uint8_t *)v[i].iov_base + k;
	quic_out_sent(&m->out, n);
	m->sent += n;
}

static void
confirm_some(struct model *m)
{
	uint64_t held = m->sent - m->confirmed;
	uint64_t n = draw(m, 4) == 0 ? held : draw(m, (unsigned)held + 1);
	uint64_t upto = m->confirmed + n;

	/* An older one changes nothing. */
	quic_out_confirm(&m->out, m->confirmed / 2);
	quic_out_confirm(&m->out, upto);
	m->confirmed = upto;
}

static void
check(struct model *m)
{
	struct iovec v[PIECES];

	assert_int_equal(quic_out_unsent(&m->out), m->queued - m->sent);
	assert_int_equal(quic_out_held(&m->out), m->queued - m->confirmed);
	(void)peek(m, v, PIECES);
	/* Not one byte has moved that may have to go again. */
	for (uint64_t i = m->confirmed; i < m->sent; i += 1 + draw(m, 2000))
		assert_int_equal(*m->at[i], m->bytes[i]);
	if (m->sent > m->confirmed)
		assert_int_equal(*m->at[m->sent - 1], m->bytes[m->sent - 1]);
}

static size_t
some_len(struct model *m)
{
	static const size_t edges[] = { 0, 1, QUIC_BLOCK_LEN - 1,
		QUIC_BLOCK_LEN, QUIC_BLOCK_LEN + 1, 2 * QUIC_BLOCK_LEN };

	if (draw(m, 3) == 0)
		return edges[draw(m, sizeof(edges) / sizeof(edges[0]))];
	return draw(m, draw(m, 2) == 0 ? 700 : 40000);
}

static void
is_like_a_flat_buffer(void **state)
{
	struct model m;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		open_model(&m, seed);
		for (unsigned i = 0; i < STEPS && m.queued < MODEL_MAX; i++) {
			switch (draw(&m, 4)) {
			case 0:
				put(&m, some_len(&m));
				break;
			case 1:
				confirm_some(&m);
				break;
			default:
				send_some(&m);
				break;
			}
			check(&m);
		}
		close_model(&m);
	}
}

/* Early data refused: all of it goes again, from the beginning. */
static void
begins_again(void **state)
{
	struct model m;
	struct iovec v[PIECES];

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		open_model(&m, seed);
		for (unsigned i = 0; i < 20; i++) {
			put(&m, some_len(&m));
			send_some(&m);
		}
		quic_out_rewind(&m.out);
		m.sent = 0;
		check(&m);
		while (m.sent < m.queued)
			send_some(&m);
		assert_int_equal(peek(&m, v, PIECES), 0);
		quic_out_confirm(&m.out, m.queued);
		m.confirmed = m.queued;
		put(&m, 100);
		check(&m);
		close_model(&m);
	}
}

/* Rewinding what was never used, and what was sent to its last byte. */
static void
begins_again_at_edges(void **state)
{
	struct model m;

	(void)state;
	open_model(&m, 1);
	quic_out_rewind(&m.out);
	check(&m);
	put(&m, (size_t)2 * QUIC_BLOCK_LEN);
	while (m.sent < m.queued)
		send_some(&m);
	quic_out_rewind(&m.out);
	m.sent = 0;
	check(&m);
	put(&m, 1);
	check(&m);
	close_model(&m);
}

/* Blocks go round: a stream that is confirmed as it goes needs few, whatever
 * it carries, and an endpoint keeps no more than it may. */
static void
uses_blocks_again(void **state)
{
	struct model m;
	struct iovec v[PIECES];
	size_t most = 0;

	(void)state;
	open_model(&m, 1);
	while (m.queued < MODEL_MAX) {
		put(&m, 1000);
		quic_out_sent(&m.out, peek(&m, v, PIECES));
		m.sent = m.queued;
		quic_out_confirm(&m.out, m.sent);
		m.confirmed = m.sent;
		most = m.pool.n > most ? m.pool.n : most;
	}
	assert_true(most <= 2);
	close_model(&m);

	open_model(&m, 1);
	put(&m, (size_t)4 * QUIC_BLOCKS_KEPT * QUIC_BLOCK_LEN);
	while (m.sent < m.queued) {
		size_t n = peek(&m, v, PIECES);

		quic_out_sent(&m.out, n);
		m.sent += n;
	}
	quic_out_confirm(&m.out, m.sent);
	assert_int_equal(m.pool.n, QUIC_BLOCKS_KEPT);
	close_model(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_like_a_flat_buffer),
		cmocka_unit_test(begins_again),
		cmocka_unit_test(begins_again_at_edges),
		cmocka_unit_test(uses_blocks_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
