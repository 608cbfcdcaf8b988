/* Captured frames cut and damaged: an error or a message, never anything else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "rpc/frame.h"
#include "rpc/msg.h"
#include "vectors.h"

#define FRAMES_MAX 16

typedef void check_fn(const uint8_t *body, size_t len);

/* Call check for the body of every uncompressed frame. */
static void
for_each_body(check_fn *check)
{
	struct rk_bytes frames[FRAMES_MAX];
	size_t n_checked = 0;

	for (size_t i = 0; vectors_names[i] != NULL; i++) {
		size_t len;
		uint8_t *data = vectors_load(vectors_names[i], &len);
		size_t n = vectors_split(data, len, frames, FRAMES_MAX);

		for (size_t k = 0; k < n; k++) {
			if (frames[k].ptr[7] == FRAME_S2)
				continue;
			check(frames[k].ptr + FRAME_HEAD_LEN,
			    frames[k].len - FRAME_HEAD_LEN);
			n_checked++;
		}
		free(data);
	}
	assert_int_equal(n_checked, 51);
}

static void
cut(const uint8_t *body, size_t len)
{
	struct rk_error err;
	struct msg m;

	for (size_t n = 0; n <= len; n++) {
		/* Of the exact size, so that no read past it goes unseen. */
		uint8_t *copy = malloc(n > 0 ? n : 1);

		memcpy(copy, body, n);
		assert_int_equal(
		    msg_decode(copy, n, &m, &err), n < len ? RK_EPROTO : RK_OK);
		free(copy);
	}
}

static void
test_cut_at_every_byte(void **state)
{
	(void)state;
	for_each_body(cut);
}

/* What decodes can be encoded, and is then stable. */
static void
check_damaged(const uint8_t *body, size_t len, struct rk_error *err)
{
	struct frame f;
	struct buf one;
	struct buf two;
	struct msg m;

	if (msg_decode(body, len, &m, err) != RK_OK)
		return;
	buf_init(&one, SIZE_MAX);
	buf_init(&two, SIZE_MAX);
	assert_int_equal(msg_encode(&one, &m, NULL, 0), RK_OK);
	assert_int_equal(
	    frame_split(buf_peek(&one), buf_len(&one), &f, NULL, err), RK_OK);
	assert_int_equal(msg_decode(f.body.ptr, f.body.len, &m, err), RK_OK);
	assert_int_equal(msg_encode(&two, &m, NULL, 0), RK_OK);
	assert_int_equal(buf_len(&one), buf_len(&two));
	assert_memory_equal(buf_peek(&one), buf_peek(&two), buf_len(&two));
	buf_fini(&two);
	buf_fini(&one);
}

static void
flip(const uint8_t *body, size_t len)
{
	uint8_t *copy = malloc(len);
	struct rk_error err;

	memcpy(copy, body, len);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
		check_damaged(copy, len, &err);
		copy[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	free(copy);
}

static void
test_bit_flipped_everywhere(void **state)
{
	(void)state;
	for_each_body(flip);
}

/* The worst codes in place of each byte. */
static void
replace(const uint8_t *body, size_t len)
{
	static const uint8_t codes[] = { 0x8f, 0x9f, 0xbf, 0xc0, 0xc1, 0xc6,
		0xc9, 0xd3, 0xdb, 0xdf };
	uint8_t *copy = malloc(len);

	memcpy(copy, body, len);
	for (size_t at = 0; at < len; at++) {
		for (size_t i = 0; i < sizeof(codes); i++) {
			copy[at] = codes[i];
			check_damaged(copy, len, NULL);
		}
		copy[at] = body[at];
	}
	free(copy);
}

static void
test_worst_codes_everywhere(void **state)
{
	(void)state;
	for_each_body(replace);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_bit_flipped_everywhere),
		cmocka_unit_test(test_worst_codes_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
