/* A session's handshake: whole, damaged, sent back, another's, keys that are
 * not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sesspair.h"

static struct sesspair pair;
static struct rk_error err;

/* Every handshake is tried without and with a pre-shared key. */
static bool
with_psk(void **state)
{
	return *state != NULL;
}

static void
test_whole(void **state)
{
	uint8_t proof[SESS_PROOF_LEN];
	uint8_t pub[RK_KEY_PUBLIC_LEN];

	sesspair_open(&pair, false, with_psk(state));
	sesspair_finish(&pair);
	rk_key_public(pair.key[1], pub);
	assert_memory_equal(pair.hs[0].peer, pub, sizeof(pub));
	assert_memory_equal(
	    pair.keys[0].hash, pair.keys[1].hash, sizeof(pair.keys[0].hash));
	assert_memory_equal(
	    pair.keys[0].chain, pair.keys[1].chain, sizeof(pair.keys[0].chain));
	assert_int_equal(
	    sess_hs_prove(&pair.hs[0], pair.keys[0].hash, proof, NULL), RK_OK);
	assert_int_equal(
	    sess_hs_check(&pair.hs[1], pair.keys[1].hash, proof, &err), RK_OK);
	rk_key_public(pair.key[0], pub);
	assert_memory_equal(pair.hs[1].peer, pub, sizeof(pub));
	assert_int_equal(pair.hs[0].psk != NULL, with_psk(state));
	assert_true(pair.hs[0].psk == pair.hs[1].psk);
	assert_true(sizeof(pair.answer) < pair.hello_len);
	sesspair_close(&pair);
}

static void
test_hello_damaged(void **state)
{
	uint8_t answer[SESS_ANSWER_LEN];
	uint8_t hello[SESS_HELLO_MAX];

	sesspair_open(&pair, false, with_psk(state));
	for (size_t n = 0; n < pair.hello_len; n++)
		assert_int_equal(
		    sess_hs_answer(&pair.hs[1], pair.hello, n, answer, &err),
		    RK_EPROTO);
	for (size_t bit = 0; bit < pair.hello_len * 8; bit++) {
		enum rk_err r;

		memcpy(hello, pair.hello, pair.hello_len);
		hello[bit / 8] ^= (uint8_t)(1 << bit % 8);
		r = sess_hs_answer(
		    &pair.hs[1], hello, pair.hello_len, answer, &err);
		if (r != RK_OK)
			continue;
		/* Without a pre-shared key another's hello is as good: what
		 * comes of it is of no use to who sent the first. */
		assert_false(with_psk(state));
		assert_int_not_equal(
		    sess_hs_take(&pair.hs[0], answer, sizeof(answer), &err),
		    RK_OK);
	}
	/* Nor did all of that spoil what is right. */
	sesspair_finish(&pair);
	sesspair_close(&pair);
}

static void
test_answer_damaged(void **state)
{
	uint8_t answer[SESS_ANSWER_LEN];

	sesspair_open(&pair, true, with_psk(state));
	assert_int_equal(sess_hs_answer(&pair.hs[1], pair.hello, pair.hello_len,
	                     pair.answer, &err),
	    RK_OK);
	for (size_t n = 0; n < sizeof(answer); n++)
		assert_int_equal(
		    sess_hs_take(&pair.hs[0], pair.answer, n, &err), RK_EPROTO);
	for (size_t bit = 0; bit < sizeof(answer) * 8; bit++) {
		memcpy(answer, pair.answer, sizeof(answer));
		answer[bit / 8] ^= (uint8_t)(1 << bit % 8);
		/* X25519 ignores the highest bit of a key, the hash does not */
		assert_int_not_equal(
		    sess_hs_take(&pair.hs[0], answer, sizeof(answer), &err),
		    RK_OK);
	}
	assert_int_equal(
	    sess_hs_take(&pair.hs[0], pair.answer, sizeof(pair.answer), &err),
	    RK_OK);
	sesspair_close(&pair);
}

static void
test_proof_damaged(void **state)
{
	uint8_t proof[SESS_PROOF_LEN];

	sesspair_open(&pair, false, with_psk(state));
	sesspair_finish(&pair);
	assert_int_equal(
	    sess_hs_prove(&pair.hs[0], pair.keys[0].hash, proof, NULL), RK_OK);
	for (size_t bit = 0; bit < sizeof(proof) * 8; bit++) {
		proof[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(
		    sess_hs_check(&pair.hs[1], pair.keys[1].hash, proof, &err),
		    RK_EDENIED);
		proof[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	sesspair_close(&pair);
}

static void
test_sent_back(void **state)
{
	uint8_t proof[SESS_PROOF_LEN];

	sesspair_open(&pair, false, with_psk(state));
	assert_int_equal(
	    sess_hs_take(&pair.hs[0], pair.hello, pair.hello_len, &err),
	    RK_EPROTO);
	sesspair_finish(&pair);
	/* The responder's own signature, as if it were the initiator's. */
	assert_int_equal(
	    sess_hs_prove(&pair.hs[1], pair.keys[1].hash, proof, NULL), RK_OK);
	assert_int_equal(
	    sess_hs_check(&pair.hs[1], pair.keys[1].hash, proof, &err),
	    RK_EDENIED);
	sesspair_close(&pair);
}

static void
test_of_another_session(void **state)
{
	static struct sesspair other;
	uint8_t proof[SESS_PROOF_LEN];
	uint8_t answer[SESS_ANSWER_LEN];

	sesspair_open(&pair, false, with_psk(state));
	sesspair_open(&other, false, with_psk(state));
	assert_int_equal(sess_hs_answer(&pair.hs[1], other.hello,
	                     other.hello_len, answer, &err),
	    RK_OK);
	assert_int_not_equal(
	    sess_hs_take(&pair.hs[0], answer, sizeof(answer), &err), RK_OK);
	sesspair_finish(&pair);
	sesspair_finish(&other);
	/* A recorded proof, by the right key, shown again. */
	assert_int_equal(
	    sess_hs_prove(&pair.hs[0], other.keys[0].hash, proof, NULL), RK_OK);
	assert_int_equal(
	    sess_hs_check(&pair.hs[1], pair.keys[1].hash, proof, &err),
	    RK_EDENIED);
	sesspair_close(&other);
	sesspair_close(&pair);
}

/* A pipe's handshake is none of datagrams. */
static void
test_other_kind(void **state)
{
	static struct sesspair other;
	uint8_t answer[SESS_ANSWER_LEN];
	enum rk_err r;

	sesspair_open(&pair, false, with_psk(state));
	sesspair_open(&other, true, with_psk(state));
	r = sess_hs_answer(
	    &other.hs[1], pair.hello, pair.hello_len, answer, &err);
	assert_int_equal(r, with_psk(state) ? RK_EPSK : RK_OK);
	if (r == RK_OK)
		assert_int_equal(
		    sess_hs_take(&pair.hs[0], answer, sizeof(answer), &err),
		    RK_EPROTO);
	sesspair_close(&other);
	sesspair_close(&pair);
}

static void
expect_refused(struct sess_hs *hs, const char *text)
{
	uint8_t answer[SESS_ANSWER_LEN];

	assert_int_equal(
	    sess_hs_answer(hs, pair.hello, pair.hello_len, answer, &err),
	    RK_EPSK);
	assert_non_null(strstr(err.text, text));
}

static void
test_psk_one_side(void **state)
{
	static struct sesspair none;
	struct sess_hs_conf conf;
	struct rk_psks *others;
	uint8_t secret[RK_PSK_LEN] = { 1 };

	(void)state;
	sesspair_open(&none, false, false);
	sesspair_open(&pair, false, true);
	expect_refused(&none.hs[1], "there is none here");
	assert_int_equal(rk_psks_new(&others), RK_OK);
	assert_int_equal(rk_psks_add(others, secret, "else", NULL), RK_OK);
	conf = none.hs[1].conf;
	conf.psks = others;
	sess_hs_init(&none.hs[1], &conf);
	expect_refused(&none.hs[1], "is not known here");
	memcpy(pair.hello, none.hello, none.hello_len);
	pair.hello_len = none.hello_len;
	expect_refused(&none.hs[1], "uses no pre-shared key");
	sesspair_close(&pair);
	sesspair_close(&none);
	rk_psks_free(others);
}

#define BOTH(f)                                 \
	cmocka_unit_test(f),                    \
	{                                       \
#f " psk", f, NULL, NULL, &pair \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_whole),
		BOTH(test_hello_damaged),
		BOTH(test_answer_damaged),
		BOTH(test_proof_damaged),
		BOTH(test_sent_back),
		BOTH(test_of_another_session),
		BOTH(test_other_kind),
		cmocka_unit_test(test_psk_one_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
