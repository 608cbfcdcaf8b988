/* Keys that will follow: who proves what, and what may come over the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "rpc/next.h"

struct world {
	uint8_t present[RK_KEY_PUBLIC_LEN];
	struct rk_next_key keys[RK_NEXT_KEYS_MAX];
	struct rk_next_key got[RK_NEXT_KEYS_MAX];
	size_t n;
	struct buf b;
};

static void
make(struct world *w)
{
	uint8_t seed[RK_KEY_SEED_LEN] = { 1 };
	struct rk_key *key = NULL;

	assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
	rk_key_public(key, w->present);
	rk_key_free(key);
	for (uint8_t i = 0; i < RK_NEXT_KEYS_MAX; i++) {
		seed[0] = (uint8_t)(i + 2);
		assert_int_equal(rk_key_from_seed(seed, &key), RK_OK);
		rk_next_key_make(w->present, key, &w->keys[i]);
		rk_key_free(key);
	}
	buf_init(&w->b, NEXT_LEN_MAX);
}

static enum rk_err
decode(struct world *w, const void *data, size_t len)
{
	return next_decode(
	    (struct rk_bytes){ data, len }, w->present, w->got, &w->n);
}

static void
test_proof(void **state)
{
	struct world w;
	uint8_t other[RK_KEY_PUBLIC_LEN];

	(void)state;
	make(&w);
	assert_true(rk_next_key_ok(w.present, &w.keys[0]));
	memcpy(other, w.keys[1].pub, sizeof(other));
	assert_false(rk_next_key_ok(other, &w.keys[0]));
	w.keys[0].sig[5] ^= 1;
	assert_false(rk_next_key_ok(w.present, &w.keys[0]));
	memcpy(w.keys[1].pub, w.present, sizeof(w.present));
	assert_false(rk_next_key_ok(w.present, &w.keys[1]));
}

static void
test_wire(void **state)
{
	struct world w;

	(void)state;
	make(&w);
	for (size_t n = 0; n <= RK_NEXT_KEYS_MAX; n++) {
		buf_consume(&w.b, buf_len(&w.b));
		assert_int_equal(next_encode(&w.b, w.keys, n), RK_OK);
		assert_int_equal(
		    decode(&w, buf_peek(&w.b), buf_len(&w.b)), RK_OK);
		assert_int_equal(w.n, n);
		assert_memory_equal(w.got, w.keys, n * sizeof(w.keys[0]));
	}
	buf_fini(&w.b);
}

/* Cut anywhere, and with one bit of another value. */
static void
test_damaged(void **state)
{
	struct world w;
	uint8_t text[NEXT_LEN_MAX];
	size_t len;

	(void)state;
	make(&w);
	assert_int_equal(next_encode(&w.b, w.keys, 2), RK_OK);
	len = buf_len(&w.b);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(decode(&w, buf_peek(&w.b), i), RK_EFORMAT);
	for (size_t i = 0; i < len; i++) {
		memcpy(text, buf_peek(&w.b), len);
		text[i] ^= 1;
		assert_int_not_equal(decode(&w, text, len), RK_OK);
		assert_int_equal(w.n, 0);
	}
	buf_fini(&w.b);
}

static void
test_other_forms(void **state)
{
	static const char *const bad[] = { "\xc0", "\x81\xa1x\x01", "\x91\x01",
		"\x91\x80", "\x91\x82\xa3key\xc4\x01x\xa3sig\xc4\x01x" };
	uint8_t many[1 + RK_NEXT_KEYS_MAX + 1];
	struct world w;

	(void)state;
	make(&w);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    decode(&w, bad[i], strlen(bad[i])), RK_EFORMAT);
	memset(many, 0x80, sizeof(many));
	many[0] = 0x90 | (RK_NEXT_KEYS_MAX + 1);
	assert_int_equal(decode(&w, many, sizeof(many)), RK_EFORMAT);
	/* Each is proven, but for another key. */
	assert_int_equal(next_encode(&w.b, w.keys, 2), RK_OK);
	w.present[0] ^= 1;
	assert_int_equal(
	    decode(&w, buf_peek(&w.b), buf_len(&w.b)), RK_ETAMPERED);
	buf_fini(&w.b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proof),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_other_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
