/* Greenpack scalars: the exact codes out, every safe code in, nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "rpc/greenpack.h"
#include "vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct gp_reader
reader(const uint8_t *p, size_t n)
{
	return (struct gp_reader){ .p = p, .end = p + n };
}

static void
test_ints_use_signed_codes(void **state)
{
	static const struct {
		int64_t v;
		const char *hex;
	} rows[] = {
		{ 0, "00" },
		{ 1, "01" },
		{ 127, "7f" },
		{ 128, "d10080" },
		{ 200, "d100c8" },
		{ 255, "d100ff" },
		{ 256, "d10100" },
		{ 32767, "d17fff" },
		{ 32768, "d200008000" },
		{ 65535, "d20000ffff" },
		{ 65536, "d200010000" },
		{ INT32_MAX, "d27fffffff" },
		{ (int64_t)INT32_MAX + 1, "d30000000080000000" },
		{ (int64_t)UINT32_MAX + 1, "d30000000100000000" },
		{ INT64_MAX, "d37fffffffffffffff" },
		{ -1, "ff" },
		{ -32, "e0" },
		{ -33, "d0df" },
		{ -128, "d080" },
		{ -129, "d1ff7f" },
		{ -32768, "d18000" },
		{ -32769, "d2ffff7fff" },
		{ INT32_MIN, "d280000000" },
		{ (int64_t)INT32_MIN - 1, "d3ffffffff7fffffff" },
		{ INT64_MIN, "d38000000000000000" },
	};
	uint8_t want[16];
	uint8_t got[16];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t n = vectors_unhex(want, sizeof(want), rows[i].hex);
		struct gp_reader r = reader(want, n);
		int64_t v;

		assert_int_equal(gp_put_int(got, rows[i].v) - got, n);
		assert_memory_equal(got, want, n);
		assert_int_equal(gp_int_len(rows[i].v), n);
		assert_int_equal(gp_get_int(&r, &v), RK_OK);
		assert_true(v == rows[i].v && r.p == r.end);
	}
}

static void
test_uints_use_unsigned_codes(void **state)
{
	static const struct {
		uint64_t v;
		const char *hex;
	} rows[] = {
		{ 0, "00" },
		{ 127, "7f" },
		{ 128, "cc80" },
		{ 200, "ccc8" },
		{ 255, "ccff" },
		{ 256, "cd0100" },
		{ 65535, "cdffff" },
		{ 65536, "ce00010000" },
		{ UINT32_MAX, "ceffffffff" },
		{ (uint64_t)UINT32_MAX + 1, "cf0000000100000000" },
		{ INT64_MAX, "cf7fffffffffffffff" },
		{ UINT64_MAX, "cfffffffffffffffff" },
	};
	uint8_t want[16];
	uint8_t got[16];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t n = vectors_unhex(want, sizeof(want), rows[i].hex);
		struct gp_reader r = reader(want, n);
		uint64_t v;

		assert_int_equal(gp_put_uint(got, rows[i].v) - got, n);
		assert_memory_equal(got, want, n);
		assert_int_equal(gp_uint_len(rows[i].v), n);
		assert_int_equal(gp_get_uint(&r, &v), RK_OK);
		assert_true(v == rows[i].v && r.p == r.end);
	}
}

/* Any width and either signedness, as long as the value fits. */
static void
test_numbers_are_read_liberally(void **state)
{
	static const struct {
		const char *hex;
		int64_t as_int;
		bool is_int;
		bool is_uint;
	} rows[] = {
		{ "cc80", 128, true, true },
		{ "cdffff", 65535, true, true },
		{ "cf000000000000002a", 42, true, true },
		{ "cf7fffffffffffffff", INT64_MAX, true, true },
		{ "cf8000000000000000", 0, false, true },
		{ "d005", 5, true, true },
		{ "d0ff", -1, true, false },
		{ "d10005", 5, true, true },
		{ "d1ffff", -1, true, false },
		{ "d20000002a", 42, true, true },
		{ "d2ffffffff", -1, true, false },
		{ "d3000000000000002a", 42, true, true },
		{ "d3ffffffffffffffff", -1, true, false },
		{ "ff", -1, true, false },
		{ "c0", 0, false, false },
		{ "c1", 0, false, false },
		{ "c2", 0, false, false },
		{ "a131", 0, false, false },
		{ "c40131", 0, false, false },
		{ "ca3f800000", 0, false, false },
		{ "cb3ff0000000000000", 0, false, false },
		{ "90", 0, false, false },
		{ "80", 0, false, false },
		{ "d40501", 0, false, false },
	};
	uint8_t in[16];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t n = vectors_unhex(in, sizeof(in), rows[i].hex);
		struct gp_reader r = reader(in, n);
		uint64_t u;
		int64_t v;

		assert_int_equal(gp_get_int(&r, &v) == RK_OK, rows[i].is_int);
		assert_true(v == rows[i].as_int);
		assert_true(r.p == (rows[i].is_int ? in + n : in));
		r = reader(in, n);
		assert_int_equal(gp_get_uint(&r, &u) == RK_OK, rows[i].is_uint);
		assert_true(r.p == (rows[i].is_uint ? in + n : in));
		if (rows[i].is_uint && rows[i].is_int)
			assert_true(u == (uint64_t)v);
	}
}

static void
test_times(void **state)
{
	static const char *const refused[] = {
		"d6ff6b00faa0",                     /* msgpack's own */
		"c70cff0fa980d0000000006b00faa0",   /* its 12-byte form */
		"c70c06000000006b00faa00fa980d0",   /* another type */
		"c70b05000000006b00faa00fa980",     /* too short */
		"c8000c05000000006b00faa00fa980d0", /* ext16 */
		"c70c05000000006b00faa03b9aca00",   /* a whole second */
		"c70c05000000006b00faa0ffffffff",   /* negative */
		"ce6b00faa0",
	};
	struct rk_time t = {
		.sec = 1795226272, .nsec = 262766800, .is_set = true
	};
	uint8_t want[20];
	uint8_t got[20];
	size_t n = vectors_unhex(
	    want, sizeof(want), "c70c05 000000006b00faa0 0fa980d0");
	struct gp_reader r = reader(want, n);
	struct rk_time back;

	(void)state;
	assert_int_equal(n, GP_TIME_LEN);
	assert_int_equal(gp_put_time(got, &t) - got, n);
	assert_memory_equal(got, want, n);
	assert_int_equal(gp_get_time(&r, &back), RK_OK);
	assert_true(back.is_set && back.sec == t.sec && back.nsec == t.nsec);
	for (size_t i = 0; i < COUNT(refused); i++) {
		n = vectors_unhex(want, sizeof(want), refused[i]);
		r = reader(want, n);
		assert_int_equal(gp_get_time(&r, &back), RK_EPROTO);
		assert_true(r.p == want && !back.is_set);
	}
	/* All zero is 1970, a real time; year 1 is Go's "no time". */
	n = vectors_unhex(want, sizeof(want), "c70c05000000000000000000000000");
	r = reader(want, n);
	assert_int_equal(gp_get_time(&r, &back), RK_OK);
	assert_true(back.is_set && back.sec == 0 && back.nsec == 0);
	n = vectors_unhex(want, sizeof(want), "c70c05fffffff1886e090000000000");
	r = reader(want, n);
	assert_int_equal(gp_get_time(&r, &back), RK_OK);
	assert_true(!back.is_set && r.p == r.end);
}

/* Strings and binaries at every length where the form changes. */
static void
test_strings_by_length(void **state)
{
	static const size_t lens[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17,
		31, 32, 33, 63, 64, 65, 255, 256, 257, 65535, 65536, 70000 };
	uint8_t *src = malloc(70000);
	uint8_t *dst = malloc(70010);

	(void)state;
	for (size_t i = 0; i < 70000; i++)
		src[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < COUNT(lens); i++) {
		size_t n = lens[i];
		size_t head = n <= 31 ? 1 : n <= 255 ? 2 : n <= 65535 ? 3 : 5;
		size_t bin = head == 1 ? 2 : head;
		struct gp_reader r = reader(dst, n + head);
		struct rk_bytes b;
		struct rk_str s;

		assert_int_equal(gp_put_str(dst, src, n) - dst, n + head);
		assert_int_equal(gp_str_len(n), n + head);
		assert_int_equal(gp_get_bin(&r, &b), RK_EPROTO);
		assert_int_equal(gp_get_str(&r, &s), RK_OK);
		assert_int_equal(s.len, n);
		assert_memory_equal(s.ptr, src, n);
		assert_true(r.p == r.end);
		r = reader(dst, n + head - 1);
		assert_int_equal(gp_get_str(&r, &s), RK_EPROTO);
		assert_true(r.p == dst);
		assert_int_equal(gp_put_bin(dst, src, n) - dst, n + bin);
		assert_int_equal(gp_bin_len(n), n + bin);
		r = reader(dst, n + bin);
		assert_int_equal(gp_get_str(&r, &s), RK_EPROTO);
		assert_int_equal(gp_get_bin(&r, &b), RK_OK);
		assert_int_equal(b.len, n);
		r = reader(dst, n + bin);
		assert_int_equal(gp_get_key(&r, &s), RK_OK);
		assert_memory_equal(s.ptr, src, n);
		/* One byte short is refused, whatever the form. */
		r = reader(dst, n + bin - 1);
		assert_int_equal(gp_get_bin(&r, &b), RK_EPROTO);
		assert_int_equal(gp_get_key(&r, &s), RK_EPROTO);
	}
	free(src);
	free(dst);
}

static void
test_map_counts(void **state)
{
	static const struct {
		uint32_t count;
		const char *head;
	} rows[] = {
		{ 0, "80" },
		{ 15, "8f" },
		{ 16, "de0010" },
		{ 65535, "deffff" },
		{ 65536, "df00010000" },
	};
	uint8_t *all = calloc(1, 2 * 65536 + 5);
	uint8_t want[8];
	uint8_t got[8];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t n = vectors_unhex(want, sizeof(want), rows[i].head);
		size_t whole = n + 2 * (size_t)rows[i].count;
		struct gp_reader r = reader(all, whole);
		uint32_t count;

		assert_int_equal(gp_put_map(got, rows[i].count) - got, n);
		assert_memory_equal(got, want, n);
		memcpy(all, want, n);
		assert_int_equal(gp_get_map(&r, &count), RK_OK);
		assert_true(count == rows[i].count && r.p == all + n);
		/* More entries than bytes could hold. */
		r = reader(all, whole - 1);
		assert_int_equal(gp_get_map(&r, &count), RK_EPROTO);
		assert_true(count == 0 && r.p == all);
		memset(all, 0, n);
	}
	free(all);
}

/* Every first byte: it is skipped whole or refused, and never passes the end.
 */
static void
test_skip_of_every_code(void **state)
{
	static const uint8_t scalar_len[32] = { 1, 0, 1, 1, 5, 5, 5, 6, 6, 6, 5,
		9, 2, 3, 5, 9, 2, 3, 5, 9, 3, 4, 6, 10, 18, 5, 5, 5, 5, 5, 5,
		5 };

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		/* Heads of one byte of length say 3, longer ones 0. */
		uint8_t in[64] = { (uint8_t)c };
		struct gp_reader r = reader(in, sizeof(in));
		size_t want = 1;

		if (c >= 0x80 && c <= 0x8f)
			want += 2 * (c & 15);
		else if (c >= 0x90 && c <= 0x9f)
			want += c & 15;
		else if (c >= 0xa0 && c <= 0xbf)
			want += c & 31;
		else if (c >= 0xc0 && c <= 0xdf)
			want = scalar_len[c - 0xc0];
		if (c == 0xc4 || c == 0xc7 || c == 0xd9)
			in[1] = 3;
		if (c == 0xc5 || c == 0xda || c == 0xdc)
			in[2] = 2;
		if (c == 0xde)
			in[2] = 1;
		if (c == 0xc8)
			in[2] = 2;
		if (c == 0xc1) {
			assert_int_equal(gp_skip(&r), RK_EPROTO);
			continue;
		}
		assert_int_equal(gp_skip(&r), RK_OK);
		assert_int_equal(r.p - in, want);
		for (size_t cut = 0; cut < want; cut++) {
			r = reader(in, cut);
			assert_int_equal(gp_skip(&r), RK_EPROTO);
			assert_true(r.p == in);
		}
	}
}

static void
test_skip_is_bounded(void **state)
{
	static const size_t depths[] = { 1, 15, 16, 17, 18, 1000, 200000 };
	uint8_t *in = malloc(200001);
	static const char *const bombs[] = { "ddffffffff", "dfffffffff",
		"df80000000", "dd01000000", "dcffff", "deffff", "c6ffffffff00",
		"dbffffffff00", "c9ffffffff0000", "9f", "8f", "8100", "9191" };
	struct gp_reader r;

	(void)state;
	for (size_t i = 0; i < COUNT(depths); i++) {
		enum rk_err want =
		    depths[i] <= RK_VALUE_DEPTH_MAX ? RK_OK : RK_EPROTO;

		/* Arrays of one around a nil; then the last one empty. */
		memset(in, 0x91, depths[i]);
		in[depths[i]] = 0xc0;
		r = reader(in, depths[i] + 1);
		assert_int_equal(gp_skip(&r), want);
		in[depths[i] - 1] = 0x90;
		r = reader(in, depths[i]);
		assert_int_equal(gp_skip(&r), want);
		assert_true(r.p == (want == RK_OK ? r.end : in));
	}
	for (size_t i = 0; i < COUNT(bombs); i++) {
		r = reader(in, vectors_unhex(in, 64, bombs[i]));
		assert_int_equal(gp_skip(&r), RK_EPROTO);
		assert_true(r.p == in);
	}
	free(in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ints_use_signed_codes),
		cmocka_unit_test(test_uints_use_unsigned_codes),
		cmocka_unit_test(test_numbers_are_read_liberally),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_strings_by_length),
		cmocka_unit_test(test_map_counts),
		cmocka_unit_test(test_skip_of_every_code),
		cmocka_unit_test(test_skip_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
