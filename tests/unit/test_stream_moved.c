/* How far a stream has come, by what its ends tell, true or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "rpc/stream.h"

#define STR(text)                         \
	{                                 \
		(text), sizeof(text) - 1U \
	}

/* {"size": text}, as it comes: a key and a value of less than 32 bytes. */
static struct rk_args
args_of(const char *key, const char *text, uint8_t dst[64])
{
	size_t k = strlen(key), v = strlen(text);

	dst[0] = (uint8_t)(0xa0 | k);
	memcpy(dst + 1, key, k);
	dst[1 + k] = (uint8_t)(0xa0 | v);
	memcpy(dst + 2 + k, text, v);
	return (struct rk_args){ .raw = { dst, 2 + k + v } };
}

static const struct rk_method plain = { .name = "plain" };

static void
came(struct rk_stream *s, size_t len, const char *offset)
{
	uint8_t bytes[64];
	struct msg m = { .payload = { (const uint8_t *)"", len } };

	if (offset != NULL)
		m.hdr.args = args_of("offset", offset, bytes);
	stream_moved_in(s, &m);
}

static void
went(struct rk_stream *s, size_t len, const struct rk_arg *args, size_t n)
{
	const struct rk_part part = { .payload = { (const uint8_t *)"", len },
		.args = args,
		.n_args = n };

	stream_moved_out(s, &part);
}

static void
counts_what_comes(void **state)
{
	struct rk_stream s = { .seqno = 1 };
	uint8_t bytes[64];
	struct rk_args args = args_of("size", "500", bytes);

	(void)state;
	stream_moved_open(&s, &args, &plain);
	assert_int_equal(s.moved_in.size, 500);
	assert_true(s.moved_out.size == UINT64_MAX);
	came(&s, 30, "200");
	came(&s, 40, NULL);
	assert_int_equal(s.moved_in.from, 200);
	assert_int_equal(s.moved_in.bytes, 70);
}

/* Where the other end is to go on is no place of ours. */
static void
counts_what_goes(void **state)
{
	static const struct rk_arg offer[] = { { STR("offset"), STR("9") } };
	static const struct rk_arg first[] = { { STR("offset"), STR("20") },
		{ STR("sizes"), STR("1") }, { STR("size"), STR("90") } };
	struct rk_stream s = { .seqno = 1 };
	const struct rk_args none = { .raw = { NULL, 0 } };

	(void)state;
	stream_moved_open(&s, &none, &plain);
	assert_true(s.moved_in.size == UINT64_MAX);
	went(&s, 0, offer, 1);
	assert_int_equal(s.moved_out.from, 0);
	assert_true(s.moved_out.size == UINT64_MAX);
	went(&s, 10, first, 3);
	went(&s, 11, NULL, 0);
	assert_int_equal(s.moved_out.from, 20);
	assert_int_equal(s.moved_out.size, 90);
	assert_int_equal(s.moved_out.bytes, 21);
}

static void
believes_numbers_only(void **state)
{
	static const char *const wrong[] = { "", "-1", "1x", " 1",
		"9223372036854775808", "99999999999999999999999999", "0x10" };
	uint8_t bytes[64];
	struct rk_args args;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct rk_stream s = { .seqno = 1 };

		args = args_of("size", wrong[i], bytes);
		stream_moved_open(&s, &args, &plain);
		assert_true(s.moved_in.size == UINT64_MAX);
		args = args_of("size", "5", bytes);
		stream_moved_open(&s, &args, &plain);
		came(&s, 9, wrong[i]);
		assert_int_equal(s.moved_in.from, 0);
		assert_int_equal(s.moved_in.bytes, 9);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_what_comes),
		cmocka_unit_test(counts_what_goes),
		cmocka_unit_test(believes_numbers_only),
	};

	return cmocka_run_group_tests_name("stream moved", tests, NULL, NULL);
}
