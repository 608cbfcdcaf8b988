/* Proofs of address over QUIC: Retry, NEW_TOKEN, and forged ones of both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "quicpeer.h"

#define MANY 100
#define HOUR (3600 * NGTCP2_SECONDS)

static struct quicnet net;

static int
tear_down(void **state)
{
	(void)state;
	quicnet_close(&net);
	return 0;
}

/* ---- when it is asked for ---- */

static void
always(void **state)
{
	struct quicpeer p;
	struct quicnet_conn c;

	(void)state;
	quicnet_open_with(&net, 0);
	quicpeer_connect(&p, &net, NULL);
	assert_int_equal(p.retries, 1);
	assert_int_equal(net.validated, 1);
	quicpeer_free(&p);
	(void)quicnet_connect(&net, NULL, &c);
	assert_int_equal(quicnet_stats(&net).retries, 2);
	assert_int_equal(net.hellos, 2);
	assert_int_equal(net.validated, 2);
	quicnet_drain(&c);
}

/* The address it began with decides: who goes on answering needs no proof. */
static void
from_so_many_on(void **state)
{
	enum {
		FROM = 3
	};
	struct quicpeer p[FROM], late;

	(void)state;
	quicnet_open_with(&net, FROM);
	for (size_t i = 0; i < FROM; i++) {
		quicpeer_init(&p[i], &net, NULL);
		p[i].deaf = true;
		quicpeer_start(&p[i]);
		quicnet_await(&net, &net.hellos, (unsigned)i + 1);
	}
	assert_int_equal(quicnet_stats(&net).half_open, FROM);
	assert_int_equal(quicnet_stats(&net).retries, 0);
	quicpeer_connect(&late, &net, NULL);
	assert_int_equal(late.retries, 1);
	assert_int_equal(net.validated, 1);
	quicpeer_free(&late);
	/* They give up; then nobody has to prove anything. */
	for (size_t i = 0; i < FROM; i++) {
		quicpeer_free(&p[i]);
		quicnet_await(&net, &net.conns[i].closed, 1);
		assert_int_equal(net.conns[i].why.code, RK_ETIMEOUT);
	}
	assert_int_equal(quicnet_stats(&net).half_open, 0);
	quicpeer_connect(&late, &net, NULL);
	assert_int_equal(late.retries, 0);
	quicpeer_free(&late);
}

/* Those whom this end calls itself are no crowd of strangers. */
static void
not_for_own_dials(void **state)
{
	enum {
		DIALS = 64
	};
	struct layer *l[DIALS];
	struct addr deaf = { .len = sizeof(deaf.u) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct quicpeer p;

	(void)state;
	quicnet_open_with(&net, DIALS);
	deaf.u.in = net.at.u.in;
	deaf.u.in.sin_port = 0;
	assert_int_equal(bind(fd, &deaf.u.sa, net.at.len), 0);
	assert_int_equal(getsockname(fd, &deaf.u.sa, &deaf.len), 0);
	for (size_t i = 0; i < DIALS; i++)
		assert_int_equal(
		    quic_end_dial(net.server, net.rig.client, &deaf, &l[i]),
		    RK_OK);
	assert_int_equal(quicnet_stats(&net).conns, DIALS);
	assert_int_equal(quicnet_stats(&net).half_open, 0);
	quicpeer_connect(&p, &net, NULL);
	assert_int_equal(p.retries, 0);
	quicpeer_free(&p);
	for (size_t i = 0; i < DIALS; i++)
		layer_free(l[i]);
	assert_int_equal(close(fd), 0);
}

static void
never(void **state)
{
	static struct quicpeer p[MANY];

	(void)state;
	quicnet_open_with(&net, UINT_MAX);
	for (size_t i = 0; i < MANY; i++) {
		quicpeer_init(&p[i], &net, NULL);
		p[i].deaf = true;
		quicpeer_start(&p[i]);
	}
	quicnet_await(&net, &net.hellos, MANY);
	assert_int_equal(quicnet_stats(&net).retries, 0);
	assert_int_equal(net.validated, 0);
	for (size_t i = 0; i < MANY; i++)
		quicpeer_free(&p[i]);
}

/* Who has been here needs no Retry, whichever port it comes from. */
static void
not_of_those_who_have_been_here(void **state)
{
	struct quicpeer p, q;
	struct quicnet_conn c;

	(void)state;
	quicnet_open_with(&net, 0);
	quicpeer_connect(&p, &net, NULL);
	quicnet_await(&net, &p.tokens, 1);
	quicpeer_init(&q, &net, NULL);
	q.token = (struct rk_bytes){ p.kept_token, p.kept_token_len };
	quicpeer_start(&q);
	quicnet_await(&net, &q.confirmed, 1);
	assert_int_equal(q.retries, 0);
	assert_int_equal(net.validated, 2);
	quicpeer_free(&q);
	quicpeer_free(&p);
	/* Our client keeps it by itself. */
	for (unsigned i = 0; i < 3; i++) {
		(void)quicnet_connect(&net, NULL, &c);
		quicnet_pass(&net, 100);
		quicnet_drain(&c);
	}
	assert_int_equal(quicnet_stats(&net).retries, 2);
	assert_int_equal(net.validated, 5);
}

/* ---- forgeries ---- */

enum forgery {
	GOOD,
	FLIPPED,
	CUT,
	OF_ANOTHER_ADDRESS,
	EXPIRED,
	OF_ANOTHER_KEY,
	OF_ANOTHER_ID, /* a Retry's only */
	FORGERIES
};

struct token {
	uint8_t data[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN2 +
	             NGTCP2_CRYPTO_MAX_REGULAR_TOKENLEN];
	size_t len;
};

static uint64_t
wall_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NGTCP2_SECONDS + (uint64_t)ts.tv_nsec;
}

static void
address_of(int fd, enum forgery how, struct addr *a)
{
	*a = (struct addr){ .len = sizeof(a->u) };
	assert_int_equal(getsockname(fd, &a->u.sa, &a->len), 0);
	if (how == OF_ANOTHER_ADDRESS)
		a->u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
}

static void
key_for(enum forgery how, uint8_t key[32])
{
	seed_derive(net.rig.seed, "quic-token", 0, key, 32);
	if (how == OF_ANOTHER_KEY)
		key[0] ^= 1;
}

static void
spoil(struct token *t, enum forgery how, unsigned i)
{
	/* The first byte says which kind it is, and is another test's. */
	if (how == FLIPPED)
		t->data[1 + i % (t->len - 1)] ^= (uint8_t)(1 << i % 8);
	if (how == CUT)
		t->len = 1 + i % (t->len - 1);
}

static void
make_retry(
    const struct quicpeer *p, enum forgery how, unsigned i, struct token *out)
{
	ngtcp2_cid first = { .datalen = 18, .data = { 1, 2, 3 } };
	ngtcp2_cid id = p->dcid;
	uint8_t key[32];
	struct addr a;
	ngtcp2_ssize n;

	address_of(p->fd, how, &a);
	key_for(how, key);
	if (how == OF_ANOTHER_ID)
		id.data[i % id.datalen] ^= 1;
	n = ngtcp2_crypto_generate_retry_token2(out->data, key, sizeof(key),
	    p->version, &a.u.sa, a.len, &id, &first,
	    wall_ns() - (how == EXPIRED ? 11 * NGTCP2_SECONDS : 0));
	assert_true(n > 0);
	out->len = (size_t)n;
	spoil(out, how, i);
}

static void
make_regular(
    const struct quicpeer *p, enum forgery how, unsigned i, struct token *out)
{
	uint8_t key[32];
	struct addr a;
	ngtcp2_ssize n;

	address_of(p->fd, how, &a);
	key_for(how, key);
	n = ngtcp2_crypto_generate_regular_token(out->data, key, sizeof(key),
	    &a.u.sa, a.len, wall_ns() - (how == EXPIRED ? 25 * HOUR : 0));
	assert_true(n > 0);
	out->len = (size_t)n;
	spoil(out, how, i);
}

/* What claims to be a Retry's and is not ends it with INVALID_TOKEN. */
static void
try_retry(enum forgery how, unsigned i)
{
	struct quicpeer p;
	struct token t;

	quicpeer_init(&p, &net, NULL);
	make_retry(&p, how, i, &t);
	p.token = (struct rk_bytes){ t.data, t.len };
	quicpeer_start(&p);
	if (how == GOOD) {
		quicnet_await(&net, &net.validated, 1);
	} else {
		quicnet_await(&net, &p.dead, 1);
		assert_true(p.by_peer && !p.application);
		assert_int_equal(p.closed, NGTCP2_INVALID_TOKEN);
	}
	quicpeer_free(&p);
}

static void
forged_retries_are_refused(void **state)
{
	(void)state;
	quicnet_open_with(&net, 0);
	try_retry(GOOD, 0); /* these would do, if they were not spoilt */
	for (unsigned how = GOOD + 1; how < FORGERIES; how++)
		for (unsigned i = 0; i < MANY; i++)
			try_retry((enum forgery)how, i);
	assert_int_equal(net.hellos, 1);
	assert_int_equal(net.validated, 1);
	assert_int_equal(quicnet_stats(&net).retries, 0);
}

/* A bad one of before is as good as none: Retry. */
static void
forged_tokens_prove_nothing(void **state)
{
	unsigned asked = 0;

	(void)state;
	quicnet_open_with(&net, 0);
	for (unsigned how = GOOD; how < OF_ANOTHER_ID; how++) {
		for (unsigned i = 0; i < (how == GOOD ? 1 : MANY); i++) {
			struct quicpeer p;
			struct token t;

			quicpeer_init(&p, &net, NULL);
			make_regular(&p, (enum forgery)how, i, &t);
			p.token = (struct rk_bytes){ t.data, t.len };
			p.deaf = true;
			quicpeer_start(&p);
			asked += how != GOOD;
			while (quicnet_stats(&net).retries < asked ||
			       net.hellos == 0)
				quicnet_turn(&net);
			quicpeer_free(&p);
		}
	}
	assert_int_equal(net.hellos, 1);
	assert_int_equal(net.validated, 1);
}

/* Bytes that are no token of anybody's. */
static void
nonsense_proves_nothing(void **state)
{
	uint8_t nonsense[256];
	struct quicpeer p;

	(void)state;
	quicnet_open_with(&net, 0);
	for (unsigned i = 0; i < 256; i++) {
		for (size_t k = 0; k < sizeof(nonsense); k++)
			nonsense[k] = (uint8_t)(i + k);
		quicpeer_init(&p, &net, NULL);
		p.token = (struct rk_bytes){ nonsense, 1 + i };
		quicpeer_start(&p);
		while (p.retries == 0 && p.dead == 0)
			quicnet_turn(&net);
		if (p.dead)
			assert_int_equal(p.closed, NGTCP2_INVALID_TOKEN);
		quicpeer_free(&p);
	}
	assert_in_range(quicnet_stats(&net).retries, 255, 256);
}

int
main(void)
{
#define ROW(f) cmocka_unit_test_teardown(f, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(always),
		ROW(from_so_many_on),
		ROW(not_for_own_dials),
		ROW(never),
		ROW(not_of_those_who_have_been_here),
		ROW(forged_retries_are_refused),
		ROW(forged_tokens_prove_nothing),
		ROW(nonsense_proves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
