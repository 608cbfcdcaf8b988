/* Sessions as tests/tools/sessvectors.py, which is written from the manual
 * alone, makes them: handshakes, keys, packets, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rpckit/psk.h>

#include "base/crypt.h"
#include "net/sess_int.h"
#include "vectors.h"

#define SESSIONS 4
#define FIELD_MAX 4096

static char *lines;
static struct {
	struct rk_key *key[2];
	struct rk_psks *psks;
	struct sess_hs hs[2]; /* the initiator is 0 */
	struct sess_keys keys[2];
} v;

/* The next line, which has this name; its bytes. */
static size_t
field(const char **at, const char *name, uint8_t *out)
{
	static char hex[2 * FIELD_MAX + 1];
	const size_t n = strlen(name);
	const size_t len = strcspn(*at, "\n");

	if (strncmp(*at, name, n) != 0 || (*at)[n] != ' ')
		fail_msg("%.*s where %s should be", (int)len, *at, name);
	assert_true(len - n - 1 < sizeof(hex));
	memcpy(hex, *at + n + 1, len - n - 1);
	hex[len - n - 1] = '\0';
	*at += len + 1;
	return vectors_unhex(out, FIELD_MAX, hex);
}

static void
expect_field(const char **at, const char *name, const uint8_t *is, size_t len)
{
	uint8_t want[FIELD_MAX];

	assert_int_equal(field(at, name, want), len);
	assert_memory_equal(is, want, len);
}

static int
set_up(void **state)
{
	(void)state;
	lines = vectors_text("session/sessions.txt");
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	free(lines);
	return 0;
}

/* ---- one session ---- */

static void
open_vector(const char **at)
{
	static uint8_t e[2][FIELD_MAX]; /* borrowed until it is used */
	uint8_t psk[FIELD_MAX];
	uint8_t seed[FIELD_MAX];
	uint8_t kind[FIELD_MAX];

	*at += strcspn(*at, "\n") + 1; /* its name */
	memset(&v, 0, sizeof(v));
	if (field(at, "psk", psk) > 0) {
		assert_int_equal(rk_psks_new(&v.psks), RK_OK);
		assert_int_equal(rk_psks_add(v.psks, psk, "lab", NULL), RK_OK);
	}
	(void)field(at, "datagrams", kind);
	for (int i = 0; i < 2; i++) {
		(void)field(
		    at, i == 0 ? "initiator-seed" : "responder-seed", seed);
		assert_int_equal(rk_key_from_seed(seed, &v.key[i]), RK_OK);
	}
	for (int i = 0; i < 2; i++) {
		(void)field(at,
		    i == 0 ? "initiator-ephemeral" : "responder-ephemeral",
		    e[i]);
		sess_hs_init(
		    &v.hs[i], &(struct sess_hs_conf){ .initiator = i == 0,
		                  .datagrams = kind[0] == 1,
		                  .key = v.key[i],
		                  .psks = v.psks,
		                  .ephemeral = e[i] });
	}
}

static void
close_vector(void)
{
	for (int i = 0; i < 2; i++) {
		sess_keys_fini(&v.keys[i]);
		sess_hs_fini(&v.hs[i]);
		rk_key_free(v.key[i]);
	}
	rk_psks_free(v.psks);
}

static void
check_handshake(const char **at)
{
	uint8_t answer[SESS_ANSWER_LEN];
	uint8_t hello[SESS_HELLO_MAX];
	struct rk_error err;
	size_t len;

	assert_int_equal(sess_hs_hello(&v.hs[0], hello, &len, &err), RK_OK);
	expect_field(at, "hello", hello, len);
	assert_int_equal(
	    sess_hs_answer(&v.hs[1], hello, len, answer, &err), RK_OK);
	expect_field(at, "answer", answer, sizeof(answer));
	assert_int_equal(
	    sess_hs_take(&v.hs[0], answer, sizeof(answer), &err), RK_OK);
	for (int i = 0; i < 2; i++)
		assert_int_equal(sess_keys_init(&v.keys[i], &v.hs[i].noise,
		                     v.hs[i].conf.datagrams),
		    RK_OK);
}

static void
check_keys(const char **at)
{
	static const char *const names[] = { "hash", "chain", "up-key",
		"down-key" };
	const char *from = *at;

	for (int i = 0; i < 2; i++) {
		const struct sess_keys *k = &v.keys[i];
		const struct noise_cipher *up =
		    i == 0 ? &k->epochs[0].send : &k->epochs[0].recv;
		const struct noise_cipher *down =
		    i == 0 ? &k->epochs[0].recv : &k->epochs[0].send;
		const uint8_t *is[] = { k->hash, k->chain, up->key, down->key };

		*at = from;
		for (int n = 0; n < 4; n++)
			expect_field(at, names[n], is[n], 32);
	}
}

/* Sealed by one of ours, unless it is the responder of an epoch whose keys are
 * the vector's; opened by the other. */
static void
check_packet(const char **at, bool up, bool seals, bool opens)
{
	uint8_t text[FIELD_MAX];
	uint8_t want[FIELD_MAX];
	uint8_t is[FIELD_MAX];
	const size_t len = field(at, up ? "up-text" : "down-text", text);
	const size_t total = field(at, up ? "up-packet" : "down-packet", want);
	struct sess_keys *from = &v.keys[up ? 0 : 1];
	uint8_t *opened;
	size_t n;

	assert_int_equal(total, sess_keys_head(from) + len + NOISE_TAG_LEN);
	if (seals) {
		assert_int_equal(sess_keys_seal(from, is, text, len), RK_OK);
		assert_memory_equal(is, want, total);
	}
	if (!opens)
		return;
	assert_int_equal(
	    sess_keys_open(&v.keys[up ? 1 : 0], want, total, &opened, &n),
	    RK_OK);
	assert_int_equal(n, len);
	assert_memory_equal(opened, text, len);
}

/* The initiator's proof is in the text of the first packet. */
static void
check_proof(const char *at)
{
	uint8_t proof[SESS_PROOF_LEN];
	uint8_t text[FIELD_MAX];
	struct rk_error err;

	assert_int_equal(
	    field(&at, "up-text", text), SESS_ITEM_LEN + sizeof(proof));
	assert_int_equal(
	    sess_hs_prove(&v.hs[0], v.keys[0].hash, proof, &err), RK_OK);
	assert_memory_equal(text + SESS_ITEM_LEN, proof, sizeof(proof));
	assert_int_equal(
	    sess_hs_check(&v.hs[1], v.keys[1].hash, text + SESS_ITEM_LEN, &err),
	    RK_OK);
}

/* What is in the text of a packet about the next epoch. */
static void
get_rekey(const char *at, const char *name, uint8_t out[SESS_REKEY_LEN])
{
	uint8_t text[FIELD_MAX];

	assert_int_equal(
	    field(&at, name, text), SESS_ITEM_LEN + SESS_REKEY_LEN);
	memcpy(out, text + SESS_ITEM_LEN, SESS_REKEY_LEN);
}

/* Of the responder's the secret cannot be told to ours, so that here only the
 * initiator is tried. */
static void
check_next(const char **at)
{
	uint8_t ask[SESS_REKEY_LEN];
	uint8_t want[SESS_REKEY_LEN];
	uint8_t answer[SESS_REKEY_LEN];
	uint8_t secret[FIELD_MAX];
	struct sess_keys *k = &v.keys[0];

	get_rekey(*at, "up-text", want);
	check_packet(at, true, true, true);
	get_rekey(*at, "down-text", answer);
	check_packet(at, false, true, true);
	(void)field(at, "next-secret", secret);
	memcpy(k->secret, secret, sizeof(k->secret));
	crypt_x25519_public(k->asked_pub, k->secret);
	k->asked = true;
	sess_keys_ask(k, ask);
	assert_memory_equal(ask, want, sizeof(ask));
	assert_int_equal(sess_keys_take(k, answer), RK_OK);
	expect_field(at, "next-chain", k->chain, sizeof(k->chain));
	check_packet(at, true, true, false);
	check_packet(at, false, false, true);
	check_packet(at, true, true, false);
}

static void
test_vectors(void **state)
{
	const char *at = lines;

	(void)state;
	for (unsigned i = 0; i < SESSIONS; i++) {
		open_vector(&at);
		check_handshake(&at);
		check_keys(&at);
		check_proof(at);
		for (unsigned n = 0; n < 4; n++)
			check_packet(&at, n % 2 == 0, true, true);
		check_next(&at);
		close_vector();
		assert_int_equal(*at++, '\n');
	}
	assert_int_equal(*at, '\0');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
