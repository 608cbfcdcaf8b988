/* Packet protection: keys from secrets as RFC 9001 has them, and damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/str.h"
#include "net/quic_crypt.h"

#include "quicrig.h"

static void
unhex(const char *text, uint8_t *out, size_t len)
{
	size_t n;

	assert_int_equal(str_unhex(text, strlen(text), out, len, &n), RK_OK);
	assert_int_equal(n, len);
}

/* RFC 9001, A.5: the secret after the next key update. */
static void
secrets_follow_the_rfc(void **state)
{
	struct quicrig rig;
	struct quicpair *p;
	ngtcp2_callbacks cb = { 0 };
	ngtcp2_crypto_aead_ctx keys[2] = { { NULL } };
	uint8_t secrets[2][QUIC_CRYPT_SECRET_LEN];
	uint8_t ivs[2][12];
	uint8_t last[QUIC_CRYPT_SECRET_LEN];
	uint8_t next[QUIC_CRYPT_SECRET_LEN];

	(void)state;
	quicrig_init(&rig);
	p = quicpair_new(rig.client, rig.server);
	quic_crypt_callbacks(&cb);
	unhex("9ac312a7f877468ebe69422748ad00a1"
	      "5443f18203a07d6060f688f30f21632b",
	    last, sizeof(last));
	unhex("1223504755036d556342ee9361d25342"
	      "1a826c9ecdf3c7148684b36b714881f9",
	    next, sizeof(next));
	assert_int_equal(
	    cb.update_key(p->client.conn, secrets[0], secrets[1], &keys[0],
	        ivs[0], &keys[1], ivs[1], last, last, sizeof(last), NULL),
	    0);
	assert_memory_equal(secrets[0], next, sizeof(next));
	assert_memory_equal(secrets[1], next, sizeof(next));
	assert_memory_equal(ivs[0], ivs[1], sizeof(ivs[0]));
	assert_int_equal(
	    cb.update_key(p->client.conn, secrets[0], secrets[1], &keys[0],
	        ivs[0], &keys[1], ivs[1], last, last, 16, NULL),
	    NGTCP2_ERR_CALLBACK_FAILURE);
	cb.delete_crypto_aead_ctx(p->client.conn, &keys[0], NULL);
	cb.delete_crypto_aead_ctx(p->client.conn, &keys[1], NULL);
	quicpair_free(p);
	quicrig_fini(&rig);
}

static void
only_our_secrets_make_keys(void **state)
{
	struct quicrig rig;
	struct quicpair *p;
	const uint8_t secret[48] = { 0 };

	(void)state;
	quicrig_init(&rig);
	p = quicpair_new(rig.client, rig.server);
	assert_int_equal(
	    quic_crypt_install(p->client.conn, NGTCP2_ENCRYPTION_LEVEL_1RTT,
	        true, secret, sizeof(secret)),
	    RK_EPROTO);
	assert_int_equal(
	    quic_crypt_install(p->client.conn, NGTCP2_ENCRYPTION_LEVEL_INITIAL,
	        true, secret, QUIC_CRYPT_SECRET_LEN),
	    RK_EPROTO);
	quicpair_free(p);
	quicrig_fini(&rig);
}

/* One wrong bit anywhere, and a packet is as if it had never come. */
static void
damaged_packets_are_dropped(void **state)
{
	struct quicrig rig;
	struct quicpair *p;
	struct quicpair_datagram whole;

	(void)state;
	quicrig_init(&rig);
	p = quicpair_new(rig.client, rig.server);
	quicpair_run(p);
	assert_true(p->client.confirmed);
	quicpair_send(&p->client, "x");
	quicpair_write(&p->client);
	assert_int_equal(p->client.out.n, 1);
	whole = p->client.out.d[0];
	for (size_t i = 1 + QUICPAIR_CID_LEN; i < whole.len; i++) {
		struct quicpair_queue q = { .n = 1 };

		q.d[0] = whole;
		q.d[0].data[i] ^= 1;
		quicpair_replay(p, &q);
		assert_false(p->server.dead);
		assert_int_equal(p->server.got_len, 0);
	}
	for (size_t len = 1; len < whole.len; len++) {
		struct quicpair_queue q = { .n = 1 };

		q.d[0] = whole;
		q.d[0].len = len;
		quicpair_replay(p, &q);
		assert_false(p->server.dead);
		assert_int_equal(p->server.got_len, 0);
	}
	quicpair_run(p);
	assert_string_equal(p->server.got, "x");
	quicpair_free(p);
	quicrig_fini(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secrets_follow_the_rfc),
		cmocka_unit_test(only_our_secrets_make_keys),
		cmocka_unit_test(damaged_packets_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
