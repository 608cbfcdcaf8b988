/* Noise: public vectors of the framework, order, damage, the counter's end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "net/noise.h"

#include <rpckit/secret.h>

#include "vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT_MAX 64
#define MESSAGES 6

/* From cacophony.txt, which the implementations of Noise share.  What it calls
 * the handshake's hash is the one after the first message. */
#define PROLOGUE "4a6f686e2047616c74"
#define INIT_E \
	"893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a"
#define RESP_E \
	"bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b"
#define PSK "54686973206973206d7920417573747269616e20706572737065637469766521"

static const char *const payloads[MESSAGES] = {
	"4c756477696720766f6e204d69736573",
	"4d757272617920526f746862617264",
	"462e20412e20486179656b",
	"4361726c204d656e676572",
	"4a65616e2d426170746973746520536179",
	"457567656e2042f6686d20766f6e2042617765726b",
};

struct vector {
	bool psk;
	const char *hash;
	const char *messages[MESSAGES];
};

static const struct vector vectors[] = {
	{ .psk = false,
	    .hash = "443165f72d404a81932d277075e873df"
	            "ac74456aa1f866ee3781f42de3675cce",
	    .messages = { "ca35def5ae56cec33dc2036731ab1489"
	                  "6bc4c75dbb07a61f879f8e3afa4c7944"
	                  "4c756477696720766f6e204d69736573",
	        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808"
	        "843a0ff96bdf86b579ef7dbf94e812a7470b903c20a85a87e3a1fe863264a"
	        "e547",
	        "eb1a3e3d80c1792b1bb9cb0e1382f8d8322bfb1ca7c4c8517bb686",
	        "c781b198d2a974eb1da2c7d518c000cf6396de87ca540963c03713",
	        "c77048eb6919fdfe8fe45842bfc5b8d1ff50d1e20c717453ccdfe6176d805b"
	        "996d",
	        "61834d7069dcfb7a1adf8d5ac910f83fa04c73a67789895c6f5f995c5db2ce"
	        "88e49b124178" } },
	{ .psk = true,
	    .hash = "054a32eaeedc4061a64cec028e34e577"
	            "5d4de033e32525a5dfbd719056bae0b6",
	    .messages = { "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f"
	                  "8e3afa4c794479b962b8aff8485742ac32f905ba45369e2465fb"
	                  "59e138a93d67a0d1266b6a54",
	        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808"
	        "843d6062704d5a9c422a8e834423f8c1feada7e8d0d910a1a2cd030fb5842"
	        "21e3",
	        "e632c3763d7669067383433197a3baddf146e9e70ad4b4e9e59e0f",
	        "64c6bee32ea91c8474bb4c21d7a700109ad45af77b29764ba5eb1e",
	        "e2fa0bed0603b62d3ccac2ecabbf3fe33f3e86514909b323361626266cb247"
	        "1cc8",
	        "0c01dc9cec1fe4ddd692e8dd32188aa351088dc91183639a53b57aa4692b5e"
	        "bdef8b8ca111" } },
};

/* Initiator and responder of a handshake with these secrets. */
static void
begin(struct noise end[2], bool psk, const char *prologue)
{
	uint8_t e[2][NOISE_SECRET_LEN];
	uint8_t key[NOISE_PSK_LEN];
	uint8_t text[TEXT_MAX];
	size_t n = vectors_unhex(text, sizeof(text), prologue);

	(void)vectors_unhex(e[0], sizeof(e[0]), INIT_E);
	(void)vectors_unhex(e[1], sizeof(e[1]), RESP_E);
	(void)vectors_unhex(key, sizeof(key), PSK);
	for (int i = 0; i < 2; i++) {
		const struct noise_conf conf = {
			.initiator = i == 0,
			.psk = psk ? key : NULL,
			.prologue = text,
			.prologue_len = n,
			.ephemeral = e[i],
		};

		noise_init(&end[i], &conf);
	}
}

/* One message from one end; its length. */
static size_t
write_one(struct noise *n, const uint8_t *msg, size_t len, uint8_t *out)
{
	size_t extra;

	assert_int_equal(noise_write_keys(n, out), RK_OK);
	extra = noise_payload_extra(n);
	assert_int_equal(
	    noise_write_payload(n, msg, len, out + NOISE_PUBLIC_LEN), RK_OK);
	return NOISE_PUBLIC_LEN + len + extra;
}

static enum rk_err
read_one(struct noise *n, const uint8_t *in, size_t len, uint8_t *out)
{
	enum rk_err r = noise_read_keys(n, in);

	if (r != RK_OK)
		return r;
	return noise_read_payload(
	    n, in + NOISE_PUBLIC_LEN, len - NOISE_PUBLIC_LEN, out);
}

static void
check_hash(const struct vector *v, const struct noise end[2])
{
	uint8_t want[NOISE_HASH_LEN];
	uint8_t got[NOISE_HASH_LEN];

	assert_int_equal(
	    vectors_unhex(want, sizeof(want), v->hash), NOISE_HASH_LEN);
	for (int i = 0; i < 2; i++) {
		noise_hash(&end[i], got);
		assert_memory_equal(got, want, sizeof(want));
	}
}

static void
check_handshake(const struct vector *v, struct noise end[2])
{
	uint8_t want[2 * TEXT_MAX];
	uint8_t got[2 * TEXT_MAX];
	uint8_t msg[TEXT_MAX];
	uint8_t back[2 * TEXT_MAX];

	for (int i = 0; i < 2; i++) {
		size_t len = vectors_unhex(msg, sizeof(msg), payloads[i]);
		size_t n = vectors_unhex(want, sizeof(want), v->messages[i]);

		assert_int_equal(write_one(&end[i], msg, len, got), n);
		assert_memory_equal(got, want, n);
		assert_int_equal(read_one(&end[1 - i], got, n, back), RK_OK);
		assert_memory_equal(back, msg, len);
		if (i == 0)
			check_hash(v, end);
	}
}

static void
check_transport(const struct vector *v, struct noise end[2])
{
	struct noise_cipher send[2];
	struct noise_cipher recv[2];
	uint8_t want[TEXT_MAX];
	uint8_t got[TEXT_MAX];
	uint8_t msg[TEXT_MAX];

	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    noise_split(&end[i], &send[i], &recv[i]), RK_OK);
	for (int i = 2; i < MESSAGES; i++) {
		size_t len = vectors_unhex(msg, sizeof(msg), payloads[i]);
		size_t n = vectors_unhex(want, sizeof(want), v->messages[i]);

		assert_int_equal(n, len + NOISE_TAG_LEN);
		assert_int_equal(
		    noise_seal(&send[i % 2], NULL, 0, msg, len, got), RK_OK);
		assert_memory_equal(got, want, n);
		assert_int_equal(
		    noise_open(&recv[1 - i % 2], NULL, 0, want, n, got), RK_OK);
		assert_memory_equal(got, msg, len);
	}
}

static void
test_vectors(void **state)
{
	struct noise end[2];

	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		begin(end, vectors[i].psk, PROLOGUE);
		check_handshake(&vectors[i], end);
		check_transport(&vectors[i], end);
	}
}

/* Random keys agree as well, and differ each time. */
static void
test_random(void **state)
{
	static const uint8_t psk[NOISE_PSK_LEN] = { 1 };
	uint8_t hash[2][NOISE_HASH_LEN];
	uint8_t wire[TEXT_MAX];
	uint8_t back[TEXT_MAX];
	struct noise end[2];

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2; i++) {
			const struct noise_conf conf = { .initiator = i == 0,
				.psk = psk,
				.prologue = "p",
				.prologue_len = 1 };

			noise_init(&end[i], &conf);
		}
		for (int i = 0; i < 2; i++) {
			size_t n = write_one(&end[i], NULL, 0, wire);

			assert_int_equal(
			    read_one(&end[1 - i], wire, n, back), RK_OK);
		}
		noise_hash(&end[0], hash[round]);
		noise_hash(&end[1], back);
		assert_memory_equal(hash[round], back, NOISE_HASH_LEN);
	}
	assert_memory_not_equal(hash[0], hash[1], NOISE_HASH_LEN);
}

static bool
is_zero(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum |= b[i];
	return sum == 0;
}

static void
check_wiped(const struct noise *n)
{
	assert_true(is_zero(n->secret, sizeof(n->secret)));
	assert_true(is_zero(n->chain, sizeof(n->chain)));
	assert_true(is_zero(n->cipher.key, sizeof(n->cipher.key)));
}

/* A broken handshake knows nothing any more and does nothing any more. */
static void
check_broken(struct noise *n)
{
	struct noise_cipher a;
	struct noise_cipher b;
	uint8_t out[TEXT_MAX] = { 0 };

	check_wiped(n);
	assert_int_equal(noise_read_keys(n, out), RK_ESTATE);
	assert_int_equal(noise_write_keys(n, out), RK_ESTATE);
	assert_int_equal(noise_read_payload(n, out, 16, out), RK_ESTATE);
	assert_int_equal(noise_write_payload(n, "x", 1, out), RK_ESTATE);
	assert_int_equal(noise_split(n, &a, &b), RK_ESTATE);
	assert_int_equal(noise_seal(&a, NULL, 0, "x", 1, out), RK_ELIMIT);
	assert_int_equal(noise_open(&b, NULL, 0, out, 17, out), RK_ELIMIT);
}

/* Every bit of both messages, and every length. */
static void
test_damage(void **state)
{
	uint8_t wire[2][2 * TEXT_MAX];
	uint8_t back[2 * TEXT_MAX];
	size_t len[2];
	struct noise end[2];
	struct noise copy;

	(void)state;
	begin(end, true, PROLOGUE);
	for (int i = 0; i < 2; i++) {
		len[i] =
		    write_one(&end[i], (const uint8_t *)"payload", 7, wire[i]);
		for (size_t bit = 0; bit < len[i] * 8; bit++) {
			copy = end[1 - i];
			wire[i][bit / 8] ^= (uint8_t)(1 << bit % 8);
			/* X25519 does not look at the last bit of a key, the
			 * hash does. */
			assert_int_equal(read_one(&copy, wire[i], len[i], back),
			    RK_EDAMAGED);
			wire[i][bit / 8] ^= (uint8_t)(1 << bit % 8);
			check_broken(&copy);
		}
		for (size_t n = NOISE_PUBLIC_LEN; n < len[i]; n++) {
			copy = end[1 - i];
			assert_int_equal(
			    read_one(&copy, wire[i], n, back), RK_EDAMAGED);
		}
		assert_int_equal(
		    read_one(&end[1 - i], wire[i], len[i], back), RK_OK);
	}
}

static void
test_other_secrets(void **state)
{
	uint8_t wire[2 * TEXT_MAX];
	uint8_t back[2 * TEXT_MAX];
	struct noise a[2];
	struct noise b[2];
	size_t n;

	(void)state;
	begin(a, true, PROLOGUE);
	begin(b, true, "4a6f686e2047616c75");
	n = write_one(&a[0], NULL, 0, wire);
	assert_int_equal(read_one(&b[1], wire, n, back), RK_EDAMAGED);
	begin(a, false, PROLOGUE);
	begin(b, true, PROLOGUE);
	n = write_one(&a[0], (const uint8_t *)"0123456789abcdef", 16, wire);
	assert_int_equal(read_one(&b[1], wire, n, back), RK_EDAMAGED);
}

/* Points of small order give a secret that everybody knows. */
static void
test_weak_keys(void **state)
{
	static const uint8_t zero[NOISE_PUBLIC_LEN] = { 0 };
	static const uint8_t one[NOISE_PUBLIC_LEN] = { 1 };
	uint8_t wire[TEXT_MAX];
	uint8_t back[TEXT_MAX];
	struct noise end[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		const uint8_t *weak = i == 0 ? zero : one;

		begin(end, false, PROLOGUE);
		assert_int_equal(read_one(&end[1], weak, 32, back), RK_OK);
		assert_int_equal(noise_write_keys(&end[1], wire), RK_EPROTO);
		check_broken(&end[1]);
		begin(end, false, PROLOGUE);
		(void)write_one(&end[0], NULL, 0, wire);
		assert_int_equal(noise_read_keys(&end[0], weak), RK_EPROTO);
		check_broken(&end[0]);
	}
}

static void
test_order(void **state)
{
	uint8_t wire[2 * TEXT_MAX] = { 0 };
	struct noise end[2];

	(void)state;
	begin(end, true, PROLOGUE);
	assert_int_equal(noise_read_keys(&end[0], wire), RK_ESTATE);
	check_broken(&end[0]);
	assert_int_equal(noise_write_keys(&end[1], wire), RK_ESTATE);
	check_broken(&end[1]);
	begin(end, true, PROLOGUE);
	assert_int_equal(
	    noise_write_payload(&end[0], wire, 1, wire), RK_ESTATE);
	begin(end, true, PROLOGUE);
	(void)write_one(&end[0], NULL, 0, wire);
	assert_int_equal(noise_write_keys(&end[0], wire), RK_ESTATE);
	begin(end, true, PROLOGUE);
	assert_int_equal(noise_write_keys(&end[0], wire), RK_OK);
	assert_int_equal(
	    noise_write_payload(&end[0], wire, NOISE_MESSAGE_MAX, wire),
	    RK_ETOOBIG);
	noise_fini(&end[0]);
	noise_fini(&end[0]);
	check_broken(&end[0]);
}

/* After the split the handshake has no secrets, and cannot be split again. */
static void
test_split_once(void **state)
{
	uint8_t wire[TEXT_MAX];
	uint8_t back[TEXT_MAX];
	struct noise_cipher send;
	struct noise_cipher recv;
	struct noise end[2];

	(void)state;
	begin(end, true, PROLOGUE);
	for (int i = 0; i < 2; i++) {
		size_t n = write_one(&end[i], NULL, 0, wire);

		assert_int_equal(read_one(&end[1 - i], wire, n, back), RK_OK);
	}
	assert_int_equal(noise_split(&end[0], &send, &recv), RK_OK);
	assert_memory_not_equal(send.key, recv.key, sizeof(send.key));
	check_wiped(&end[0]);
	assert_int_equal(noise_split(&end[0], &send, &recv), RK_ESTATE);
	assert_true(is_zero(send.key, sizeof(send.key)));
}

/* ---- ciphers ---- */

static void
test_counter_end(void **state)
{
	struct noise_cipher a = { .key = { 7 }, .next = NOISE_COUNTER_END - 1 };
	struct noise_cipher b = a;
	uint8_t sealed[TEXT_MAX];
	uint8_t back[TEXT_MAX];

	(void)state;
	assert_int_equal(noise_seal(&a, NULL, 0, "last", 4, sealed), RK_OK);
	assert_int_equal(noise_open(&b, NULL, 0, sealed, 20, back), RK_OK);
	assert_memory_equal(back, "last", 4);
	memset(sealed, 0x55, sizeof(sealed));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    noise_seal(&a, NULL, 0, "more", 4, sealed), RK_ELIMIT);
		assert_int_equal(sealed[0], 0x55);
		assert_int_equal(
		    noise_open(&b, NULL, 0, sealed, 20, back), RK_ELIMIT);
	}
	/* Another key does not begin to count again. */
	noise_rekey(&a);
	assert_int_equal(noise_seal(&a, NULL, 0, "more", 4, sealed), RK_ELIMIT);
}

/* Twice, out of order, with other data beside it, with another key. */
static void
test_open_once(void **state)
{
	struct noise_cipher a = { .key = { 9 } };
	struct noise_cipher b = a;
	uint8_t sealed[3][TEXT_MAX];
	uint8_t back[TEXT_MAX];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    noise_seal(&a, "ad", 2, "text", 4, sealed[i]), RK_OK);
	assert_int_equal(
	    noise_open(&b, "ad", 2, sealed[1], 20, back), RK_EDAMAGED);
	assert_int_equal(
	    noise_open(&b, "ae", 2, sealed[0], 20, back), RK_EDAMAGED);
	assert_int_equal(
	    noise_open(&b, "ad", 2, sealed[0], 15, back), RK_EDAMAGED);
	assert_int_equal(noise_open(&b, "ad", 2, sealed[0], 20, back), RK_OK);
	assert_int_equal(
	    noise_open(&b, "ad", 2, sealed[0], 20, back), RK_EDAMAGED);
	noise_rekey(&b);
	assert_int_equal(
	    noise_open(&b, "ad", 2, sealed[1], 20, back), RK_EDAMAGED);
}

/* REKEY of the framework by hand: the first half of a sealed row of zeros, with
 * the counter that no message has. */
static void
test_rekey(void **state)
{
	struct noise_cipher a = { .key = { 3, 1, 4 }, .next = 42 };
	struct noise_cipher b = a;
	struct noise_cipher old = a;
	uint8_t sealed[TEXT_MAX];
	uint8_t back[TEXT_MAX];

	(void)state;
	noise_rekey(&a);
	assert_int_equal(a.next, 42);
	assert_memory_not_equal(a.key, old.key, sizeof(a.key));
	noise_rekey(&b);
	assert_memory_equal(a.key, b.key, sizeof(a.key));
	assert_int_equal(noise_seal(&a, NULL, 0, "new", 3, sealed), RK_OK);
	assert_int_equal(
	    noise_open(&old, NULL, 0, sealed, 19, back), RK_EDAMAGED);
	assert_int_equal(noise_open(&b, NULL, 0, sealed, 19, back), RK_OK);
	noise_cipher_wipe(&b);
	assert_true(is_zero(b.key, sizeof(b.key)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_other_secrets),
		cmocka_unit_test(test_weak_keys),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_split_once),
		cmocka_unit_test(test_counter_end),
		cmocka_unit_test(test_open_once),
		cmocka_unit_test(test_rekey),
	};

	return cmocka_run_group_tests_name("noise", tests, NULL, NULL);
}
