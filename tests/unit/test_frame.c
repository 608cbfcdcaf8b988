/* Frame heads: judged byte by byte as they come, refused as early as can be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "rpc/frame.h"
#include "vectors.h"

/* Splits a copy of exactly len bytes, so that no read past it goes unseen. */
static enum rk_err
split(const uint8_t *data, size_t len, struct frame *f, size_t *missing)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct rk_error err = { .code = RK_OK };
	enum rk_err r;

	assert_non_null(copy);
	memcpy(copy, data, len);
	r = frame_split(copy, len, f, missing, &err);
	if (r == RK_OK)
		assert_ptr_equal(f->body.ptr, copy + FRAME_HEAD_LEN);
	if (r == RK_EPROTO)
		assert_int_equal(err.code, RK_EPROTO);
	if (r != RK_OK)
		assert_true(f->total == 0 && f->body.len == 0);
	free(copy);
	return r;
}

static void
test_head_to_the_byte(void **state)
{
	uint8_t want[FRAME_HEAD_LEN];
	uint8_t got[FRAME_HEAD_LEN];

	(void)state;
	vectors_unhex(want, sizeof(want), "b35d1839ac8e1d010000000000000187");
	frame_put_head(got, FRAME_S2, 391);
	assert_memory_equal(got, want, sizeof(want));
	vectors_unhex(want, sizeof(want), "b35d1839ac8e1d00000000000013ffb0");
	frame_put_head(got, FRAME_PLAIN, RK_BODY_MAX);
	assert_memory_equal(got, want, sizeof(want));
}

static void
test_every_prefix(void **state)
{
	uint8_t data[FRAME_HEAD_LEN + 300] = { 0 };
	struct frame f;
	size_t missing;

	(void)state;
	frame_put_head(data, FRAME_PLAIN_NO_PREF, 290);
	for (size_t n = 0; n < FRAME_HEAD_LEN; n++) {
		assert_int_equal(split(data, n, &f, &missing), RK_EAGAIN);
		assert_int_equal(missing, FRAME_HEAD_LEN - n);
	}
	for (size_t n = FRAME_HEAD_LEN; n < FRAME_HEAD_LEN + 290; n++) {
		assert_int_equal(split(data, n, &f, &missing), RK_EAGAIN);
		assert_int_equal(missing, FRAME_HEAD_LEN + 290 - n);
		assert_int_equal(split(data, n, &f, NULL), RK_EAGAIN);
	}
	for (size_t n = FRAME_HEAD_LEN + 290; n <= sizeof(data); n++) {
		assert_int_equal(split(data, n, &f, &missing), RK_OK);
		assert_int_equal(missing, 0);
		assert_int_equal(f.code, FRAME_PLAIN_NO_PREF);
		assert_int_equal(f.body.len, 290);
		assert_int_equal(f.total, FRAME_HEAD_LEN + 290);
	}
	assert_int_equal(frame_split(NULL, 0, &f, &missing, NULL), RK_EAGAIN);
	assert_int_equal(missing, FRAME_HEAD_LEN);
}

/* A wrong byte of the magic is refused as soon as it is there. */
static void
test_wrong_magic_at_each_byte(void **state)
{
	uint8_t data[FRAME_HEAD_LEN + 1];
	struct frame f;

	(void)state;
	for (size_t at = 0; at < 7; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			frame_put_head(data, FRAME_PLAIN, 1);
			data[at] ^= (uint8_t)(1U << bit);
			for (size_t n = 0; n <= sizeof(data); n++)
				assert_int_equal(split(data, n, &f, NULL),
				    n <= at ? RK_EAGAIN : RK_EPROTO);
		}
	}
}

static void
test_every_compression_code(void **state)
{
	uint8_t data[FRAME_HEAD_LEN + 1] = { 0 };
	struct frame f;

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		bool ok = c == 0 || c == 1 || c == 7;

		frame_put_head(data, FRAME_PLAIN, 1);
		data[7] = (uint8_t)c;
		for (size_t n = 8; n < sizeof(data); n++)
			assert_int_equal(split(data, n, &f, NULL),
			    ok ? RK_EAGAIN : RK_EPROTO);
		assert_int_equal(split(data, sizeof(data), &f, NULL),
		    ok ? RK_OK : RK_EPROTO);
		if (ok)
			assert_int_equal(f.code, c);
	}
}

static void
test_lengths(void **state)
{
	static const uint64_t refused[] = { 0, RK_BODY_MAX + 1, 0x140000,
		0x1000000, UINT32_MAX, (uint64_t)UINT32_MAX + 1, INT64_MAX,
		UINT64_MAX, UINT64_MAX - 15, UINT64_MAX - 16 };
	uint8_t *data = calloc(1, FRAME_HEAD_LEN + RK_BODY_MAX);
	struct frame f;
	size_t missing;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		frame_put_head(data, FRAME_PLAIN, (size_t)refused[i]);
		assert_int_equal(
		    split(data, FRAME_HEAD_LEN, &f, NULL), RK_EPROTO);
		assert_int_equal(
		    split(data, FRAME_HEAD_LEN + 20, &f, NULL), RK_EPROTO);
	}
	frame_put_head(data, FRAME_PLAIN, RK_BODY_MAX);
	assert_int_equal(split(data, FRAME_HEAD_LEN, &f, &missing), RK_EAGAIN);
	assert_int_equal(missing, RK_BODY_MAX);
	assert_int_equal(
	    split(data, FRAME_HEAD_LEN + RK_BODY_MAX, &f, &missing), RK_OK);
	assert_int_equal(f.body.len, RK_BODY_MAX);
	/* An over-long length shows in its first bytes. */
	for (size_t at = 8; at < 13; at++) {
		frame_put_head(data, FRAME_PLAIN, 1);
		data[at] = 1;
		assert_int_equal(split(data, at, &f, NULL), RK_EAGAIN);
		assert_int_equal(split(data, at + 1, &f, NULL), RK_EPROTO);
	}
	frame_put_head(data, FRAME_PLAIN, 0x140000);
	assert_int_equal(split(data, 13, &f, NULL), RK_EAGAIN);
	assert_int_equal(split(data, 14, &f, NULL), RK_EPROTO);
	free(data);
}

/* A reader that gets one byte more each time finds the same frames. */
static void
test_captures_byte_by_byte(void **state)
{
	struct rk_bytes frames[16];

	(void)state;
	for (size_t i = 0; vectors_names[i] != NULL; i++) {
		size_t len;
		uint8_t *data = vectors_load(vectors_names[i], &len);
		size_t n = vectors_split(data, len, frames, 16);
		size_t start = 0;
		size_t found = 0;

		for (size_t end = 0; end <= len; end++) {
			struct frame f;

			if (split(data + start, end - start, &f, NULL) != RK_OK)
				continue;
			assert_ptr_equal(data + start, frames[found].ptr);
			assert_int_equal(f.total, frames[found].len);
			start += f.total;
			found++;
		}
		assert_int_equal(start, len);
		assert_int_equal(found, n);
		free(data);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_to_the_byte),
		cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_wrong_magic_at_each_byte),
		cmocka_unit_test(test_every_compression_code),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_captures_byte_by_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
