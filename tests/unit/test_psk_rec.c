/* The PSK layer's records: what is not the next one does not open. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "net/psk_aead.h"
#include "net/psk_rec.h"

#define DATA_LEN 50
#define RECORD_LEN (DATA_LEN + PSK_REC_EXTRA)

static struct psk_aead aead;
static bool by_openssl;

static struct noise_cipher
cipher(uint64_t next)
{
	struct noise_cipher c = { .key = { 1, 2, 3 }, .next = next };

	if (by_openssl)
		psk_aead_give(&aead, &c);
	return c;
}

static void
make(struct noise_cipher *c, uint8_t out[RECORD_LEN])
{
	uint8_t data[DATA_LEN];

	memset(data, (int)c->next & 255, sizeof(data));
	assert_int_equal(psk_rec_seal(c, data, sizeof(data), out), RK_OK);
}

static void
test_every_bit(void **state)
{
	struct noise_cipher a = cipher(1);
	uint8_t rec[RECORD_LEN];
	uint8_t out[RECORD_LEN];

	(void)state;
	make(&a, rec);
	for (size_t bit = 0; bit < sizeof(rec) * 8; bit++) {
		struct noise_cipher b = cipher(1);
		enum rk_err r;
		size_t total;

		rec[bit / 8] ^= (uint8_t)(1 << bit % 8);
		r = psk_rec_total(rec, sizeof(rec), &total);
		if (r == RK_OK && total <= sizeof(rec))
			r = psk_rec_open(&b, rec, total, out);
		else if (r == RK_OK)
			r = RK_EAGAIN; /* it is waited for */
		assert_int_not_equal(r, RK_OK);
		if (bit >= 64)
			assert_int_equal(r, RK_EDAMAGED);
		rec[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void
test_lengths(void **state)
{
	static const struct {
		uint8_t head[PSK_REC_HEAD_LEN];
		size_t total; /* 0: none has it */
	} all[] = {
		{ { 0 }, 0 },
		{ { 0, 0, 0, 0, 0, 0, 0, 15 }, 0 },
		{ { 0, 0, 0, 0, 0, 0, 0, 16 }, PSK_REC_EXTRA },
		{ { 0, 0, 0, 0, 0, 0, 0x3f, 0xf8 }, PSK_REC_LEN },
		{ { 0, 0, 0, 0, 0, 0, 0x3f, 0xf9 }, 0 },
		{ { 0, 0, 0, 0, 0, 1, 0, 16 }, 0 },
		{ { 1, 0, 0, 0, 0, 0, 0, 16 }, 0 },
		{ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, 0 },
	};
	size_t total;

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		for (size_t n = 0; n < PSK_REC_HEAD_LEN; n++)
			assert_int_equal(
			    psk_rec_total(all[i].head, n, &total), RK_EAGAIN);
		assert_int_equal(
		    psk_rec_total(all[i].head, PSK_REC_HEAD_LEN, &total),
		    all[i].total == 0 ? RK_EPROTO : RK_OK);
		assert_int_equal(total, all[i].total);
	}
}

/* Again, one left out, and in another order. */
static void
test_order(void **state)
{
	struct noise_cipher a = cipher(1);
	uint8_t rec[3][RECORD_LEN];
	uint8_t out[RECORD_LEN];
	struct noise_cipher b;

	(void)state;
	for (int i = 0; i < 3; i++)
		make(&a, rec[i]);
	for (int first = 0; first < 3; first++) {
		for (int second = 0; second < 3; second++) {
			b = cipher(1);
			assert_int_equal(
			    psk_rec_open(&b, rec[first], RECORD_LEN, out),
			    first == 0 ? RK_OK : RK_EDAMAGED);
			if (first != 0)
				continue;
			assert_int_equal(
			    psk_rec_open(&b, rec[second], RECORD_LEN, out),
			    second == 1 ? RK_OK : RK_EDAMAGED);
		}
	}
}

/* The key changes at both ends at once, and the counter goes on. */
static void
test_rekey(void **state)
{
	struct noise_cipher a = cipher(PSK_REC_REKEY - 2);
	struct noise_cipher b = a;
	const struct noise_cipher before = a;
	uint8_t rec[RECORD_LEN];
	uint8_t out[RECORD_LEN];

	(void)state;
	for (int i = 0; i < 5; i++) {
		make(&a, rec);
		assert_int_equal(psk_rec_open(&b, rec, RECORD_LEN, out), RK_OK);
		assert_int_equal(out[0], (PSK_REC_REKEY - 2 + i) & 255);
		assert_memory_equal(a.key, b.key, sizeof(a.key));
		assert_int_equal(
		    memcmp(a.key, before.key, sizeof(a.key)) == 0, i < 2);
	}
	assert_int_equal(a.next, PSK_REC_REKEY + 3);
}

/* The last counter is the last. */
static void
test_end(void **state)
{
	struct noise_cipher a = cipher(NOISE_COUNTER_END - 1);
	struct noise_cipher b = a;
	uint8_t rec[RECORD_LEN];
	uint8_t out[RECORD_LEN];

	(void)state;
	make(&a, rec);
	assert_int_equal(psk_rec_open(&b, rec, RECORD_LEN, out), RK_OK);
	assert_int_equal(psk_rec_seal(&a, "x", 1, rec), RK_ELIMIT);
	assert_int_equal(psk_rec_open(&b, rec, RECORD_LEN, out), RK_ELIMIT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_rekey),
		cmocka_unit_test(test_end),
	};

	int failed;

	failed = cmocka_run_group_tests_name("psk_rec", tests, NULL, NULL);
	if (psk_aead_init(&aead) != RK_OK)
		return 1;
	by_openssl = true;
	failed += cmocka_run_group_tests_name(
	    "psk_rec by OpenSSL", tests, NULL, NULL);
	psk_aead_fini(&aead);
	return failed;
}
