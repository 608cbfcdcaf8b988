/* Typed structs from bytes: what is refused, by which words; what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "rpc/greenpack.h"
#include "rpc/typed_int.h"
#include "typedfill.h"
#include "vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A refused struct owns nothing and is all zero. */
static enum rk_err
refused(const struct rk_record *type, const void *bytes, size_t len, void *data,
    struct rk_error *err)
{
	enum rk_err r = rk_typed_decode(type, bytes, len, data, err);
	const char *p = data;

	if (r != RK_OK)
		for (size_t i = 0; i < type->size; i++)
			assert_int_equal(p[i], 0);
	return r;
}

static bool
is_same(const struct every *a, const struct every *b)
{
	uint8_t *x, *y;
	size_t n, m;
	bool same;

	assert_int_equal(rk_typed_encode(&every_record, a, &x, &n, NULL), 0);
	assert_int_equal(rk_typed_encode(&every_record, b, &y, &m, NULL), 0);
	same = n == m && memcmp(x, y, n) == 0;
	free(x);
	free(y);
	return same;
}

/* ---- there and back ---- */

#define ROUNDS 60

static void
test_random_structs_come_back(void **state)
{
	uint64_t seed = 20261127;

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct every in, out;
		struct rk_error err;
		uint8_t *bytes;
		size_t len;

		typedfill_every(&in, &seed);
		assert_int_equal(
		    rk_typed_encode(&every_record, &in, &bytes, &len, &err),
		    RK_OK);
		if (rk_typed_decode(&every_record, bytes, len, &out, &err) !=
		    RK_OK)
			fail_msg("round %d: %s", i, err.text);
		assert_true(is_same(&in, &out));
		assert_true(in.u64 == out.u64 && in.i8 == out.i8);
		assert_true(in.points.count == out.points.count);
		assert_memory_equal(in.chars, out.chars, sizeof(in.chars));
		assert_memory_equal(&in.f32, &out.f32, sizeof(in.f32));
		rk_typed_free(&every_record, &in);
		rk_typed_free(&every_record, &out);
		free(bytes);
	}
}

/* By way of the form for people, too; NaNs aside, which have many forms. */
static void
test_random_structs_come_back_from_values(void **state)
{
	uint64_t seed = 4242;

	(void)state;
	for (int i = 0; i < ROUNDS / 3; i++) {
		struct every in, out;
		struct rk_value_doc *doc;
		struct rk_error err;

		typedfill_every(&in, &seed);
		assert_int_equal(
		    rk_typed_to_value(&every_record, &in, &doc, &err), RK_OK);
		if (rk_typed_from_value(
		        &every_record, rk_value_root(doc), &out, &err) != RK_OK)
			fail_msg("round %d: %s", i, err.text);
		assert_true(is_same(&in, &out));
		rk_value_free(doc);
		rk_typed_free(&every_record, &in);
		rk_typed_free(&every_record, &out);
	}
}

/* ---- damaged ---- */

/* One struct with something of everything, small enough to try every byte. */
static uint8_t *
sample(size_t *len)
{
	uint64_t seed = 7;
	struct every e;
	uint8_t *bytes;

	do {
		typedfill_every(&e, &seed);
		assert_int_equal(
		    rk_typed_encode(&every_record, &e, &bytes, len, NULL),
		    RK_OK);
		if (e.node != NULL && e.maybe_point != NULL &&
		    e.map.count != 0 && e.points.count != 0 &&
		    e.times.count != 0 && *len < 3000) {
			rk_typed_free(&every_record, &e);
			return bytes;
		}
		rk_typed_free(&every_record, &e);
		free(bytes);
	} while (true);
}

static void
test_cut_at_every_byte(void **state)
{
	struct rk_error err;
	struct every e;
	size_t len;
	uint8_t *bytes = sample(&len);

	(void)state;
	for (size_t n = 1; n < len; n++) {
		/* Its own memory, so that the sanitizer sees its end. */
		uint8_t *cut = malloc(n);

		memcpy(cut, bytes, n);
		assert_int_not_equal(
		    refused(&every_record, cut, n, &e, &err), RK_OK);
		assert_int_not_equal(err.text[0], '\0');
		free(cut);
	}
	bytes = realloc(bytes, len + 1);
	bytes[len] = 0xc0;
	assert_int_equal(
	    refused(&every_record, bytes, len + 1, &e, &err), RK_EFORMAT);
	assert_string_equal(err.text, "every: 1 bytes behind it");
	free(bytes);
}

static void
test_every_byte_flipped(void **state)
{
	struct rk_error err;
	unsigned good = 0;
	struct every e;
	size_t len;
	uint8_t *bytes = sample(&len);

	(void)state;
	for (size_t i = 0; i < len; i++) {
		for (unsigned k = 0; k < 3; k++) {
			uint8_t was = bytes[i];

			bytes[i] = (uint8_t)(k == 0   ? was ^ 0x80
			                     : k == 1 ? was ^ 1
			                              : 0xdd);
			if (refused(&every_record, bytes, len, &e, &err) ==
			    RK_OK)
				good++;
			rk_typed_free(&every_record, &e);
			bytes[i] = was;
		}
	}
	assert_true(good > 0); /* what is only another text */
	free(bytes);
}

/* ---- every wrong type ---- */

static void
test_wrong_types(void **state)
{
	static const char *const items[] = { "c3", "05", "ff",
		"cb3ff8000000000000", "a178", "c40100", "d40101", "90", "80",
		"91c0", "81a0a0" };
	/* By kind, which of these are taken ('x'), in the order above. */
	static const struct {
		const char *key;
		const char *taken;
	} rows[] = {
		{ "Flag", "x.........." },
		{ "I8", ".xx........" },
		{ "I", ".xx........" },
		{ "U8", ".x........." },
		{ "U", ".x........." },
		{ "F32", ".xxx......." },
		{ "F64", ".xxx......." },
		{ "Str", "....x......" },
		{ "Chars", "....x......" },
		{ "Bytes", "....xx....." },
		{ "Time", "..........." },
		{ "Duration", "..........." },
		{ "Map", "........x.x" },
		{ "Point", "........x.x" },
		{ "U64s", ".......x.x." },
		{ "Points", ".......x.x." },
		{ "MaybeI32", ".xx........" },
		{ "MaybePoint", "........x.x" },
		{ "Unknown", "xxxxxxxxxxx" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t k = 0; k < COUNT(items); k++) {
			size_t n = strlen(rows[i].key);
			uint8_t bytes[64];
			struct rk_error err;
			struct every e;

			bytes[0] = 0x81;
			bytes[1] = (uint8_t)(0xa0 | n);
			memcpy(bytes + 2, rows[i].key, n);
			n += 2;
			n += vectors_unhex(
			    bytes + n, sizeof(bytes) - n, items[k]);
			if ((refused(&every_record, bytes, n, &e, &err) ==
			        RK_OK) != (rows[i].taken[k] == 'x'))
				fail_msg("%s %s", rows[i].key, items[k]);
			if (rows[i].taken[k] != 'x')
				assert_int_equal(err.code, RK_EINVAL);
			rk_typed_free(&every_record, &e);
		}
	}
}

/* ---- one line each ---- */

static void
says(const struct rk_record *type, const char *hex, enum rk_err code,
    const char *text)
{
	uint8_t bytes[256];
	union {
		struct every every;
		struct strict strict;
		struct node node;
		struct point point;
	} data;
	struct rk_error err;
	size_t n = vectors_unhex(bytes, sizeof(bytes), hex);

	assert_int_equal(refused(type, bytes, n, &data, &err), code);
	if (code == RK_OK)
		rk_typed_free(type, &data);
	assert_string_equal(err.text, text);
}

#define MUST "a44d757374a178" /* Must: "x" */

static void
test_words_of_refusals(void **state)
{
	const struct rk_record *e = &every_record;
	const struct rk_record *s = &strict_record;

	(void)state;
	says(s, "80", RK_EINVAL, "Must: is missing");
	says(s, "81a44d757374c0", RK_EINVAL, "Must: is missing");
	says(s, "82" MUST MUST, RK_EINVAL, "Must: is there twice");
	says(s, "82" MUST "a54c6576656c0a", RK_EINVAL,
	    "Level: 10 is not in 1 to 9");
	says(s, "82" MUST "a54c6576656cff", RK_EINVAL,
	    "Level: -1 is not in 1 to 9");
	says(s, "82" MUST "a4506f7274ccc9", RK_EINVAL,
	    "Port: 201 is not in 0 to 200");
	says(s, "82" MUST "a4506f7274cd0100", RK_EINVAL,
	    "Port: 256 does not fit uint8");
	says(s, "82" MUST "a4506f7274ff", RK_EINVAL,
	    "Port: -1 does not fit uint8");
	says(s, "82" MUST "a5526174696fca40000000", RK_EINVAL,
	    "Ratio: 2 is not in 0 to 1");
	says(s, "82" MUST "a5526174696fcb7ff8000000000000", RK_EINVAL,
	    "Ratio: nan is not in 0 to 1");
	says(s, "82" MUST "a44e616d65a0", RK_EINVAL,
	    "Name: 0 bytes; 1 to 8 are allowed");
	says(s, "82" MUST "a44e616d65a26100", RK_EINVAL,
	    "Name: a string with a zero byte");
	says(s, "82" MUST "a354616761", RK_EINVAL,
	    "Tag: an integer, not a string");
	says(s, "82" MUST "a3546167a461626364", RK_EINVAL,
	    "Tag: 4 bytes; at most 3 fit");
	says(s, "82" MUST "a346657794 01 02 03 04", RK_EINVAL,
	    "Few: 4 elements; 0 to 3 are allowed");
	says(s, "82" MUST "a346657792 01 a0", RK_EINVAL,
	    "Few[1]: a string, not an integer");
	says(s, "82" MUST "a457616974a2316d", RK_OK, "");
	says(s, "82" MUST "a457616974a178", RK_EINVAL,
	    "Wait: not a duration such as 1m30s or 250ms");
	says(e, "81 a249 38 cc80", RK_EINVAL, "I8: 128 does not fit int8");
	says(e, "81 a149 cfffffffffffffffff", RK_EINVAL,
	    "I: 18446744073709551615 does not fit int");
	says(e, "81 a3463332 cb7fe0000000000000", RK_EINVAL,
	    "F32: 8.98847e+307 does not fit float32");
	says(e, "81 a454696d65 a178", RK_EINVAL,
	    "Time: not a time such as 2026-11-27T08:00:00Z");
	says(e, "81 a6506f696e7473 92 80 81a159d103e9", RK_EINVAL,
	    "Points[1].Y: 1001 is not in -1000 to 1000");
	says(e, "81 a34d6170 81a16b01", RK_EINVAL,
	    "Map[0]: an integer, not a string");
	says(e, "81 a3537472 c1", RK_EFORMAT, "Str: cut off, or no msgpack");
	says(e, "01", RK_EINVAL, "an integer, not a map");
	says(e, "81 01 01", RK_EINVAL, "an integer, not the name of a field");
	says(e, "81 a17a c1", RK_EFORMAT,
	    "cut off, too deep or no msgpack in an unknown field");
}

/* ---- keys ---- */

static void
test_keys(void **state)
{
	static const struct {
		const char *key;
		bool is_x;
	} rows[] = {
		{ "X", true },
		{ "X_zid00_int", true },
		{ "X_zid00_i64", true },
		{ "X_zid00", true },
		{ "X_zid01_int", false },
		{ "X_zid00_", false },
		{ "X_zid00_inte", false },
		{ "X_zid0", false },
		{ "X_", false },
		{ "x", false },
		{ "", false },
		{ "@", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t bytes[64] = { 0x81 };
		uint8_t *end =
		    gp_put_str(bytes + 1, rows[i].key, strlen(rows[i].key));
		struct point p;

		*end++ = 9;
		assert_int_equal(rk_typed_decode(&point_record, bytes,
		                     (size_t)(end - bytes), &p, NULL),
		    RK_OK);
		assert_true(p.x == (rows[i].is_x ? 9 : 0));
	}
}

/* ---- limits ---- */

static void
test_depth(void **state)
{
	for (size_t depth = 1; depth <= 18; depth++) {
		struct buf b;
		struct node n;
		struct rk_error err;
		enum rk_err r;

		(void)state;
		buf_init(&b, 4096);
		for (size_t i = 1; i < depth; i++)
			assert_int_equal(
			    buf_put_str(&b, "\x81\xa4Next"), RK_OK);
		assert_int_equal(buf_put_str(&b, "\x80"), RK_OK);
		r = refused(&node_record, buf_peek(&b), buf_len(&b), &n, &err);
		assert_int_equal(r, depth <= 16 ? RK_OK : RK_ETOOBIG);
		rk_typed_free(&node_record, &n);
		buf_fini(&b);
	}
}

/* Lists count as well, and so does what is skipped. */
static void
test_depth_of_lists(void **state)
{
	struct rk_error err;
	struct buf b;
	struct node n;

	(void)state;
	buf_init(&b, 4096);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(buf_put_str(&b, "\x81\xa8"
		                                 "Children\x91"),
		    RK_OK);
	assert_int_equal(buf_put_str(&b, "\x80"), RK_OK);
	assert_int_equal(
	    refused(&node_record, buf_peek(&b), buf_len(&b), &n, &err),
	    RK_ETOOBIG);
	buf_fini(&b);
	assert_int_equal(buf_put_str(&b, "\x81\xa1z"), RK_OK);
	for (size_t i = 0; i < 100000 && buf_len(&b) < 4000; i++)
		assert_int_equal(buf_put_str(&b, "\x91"), RK_OK);
	assert_int_equal(buf_put_str(&b, "\x01"), RK_OK);
	assert_int_equal(
	    refused(&node_record, buf_peek(&b), buf_len(&b), &n, &err),
	    RK_EFORMAT);
	buf_fini(&b);
}

/* A list of `n` empty elements, one byte each. */
static enum rk_err
try_list(const struct rk_record *type, const char *key, size_t n, uint8_t each)
{
	uint8_t *bytes = malloc(n + 64);
	uint8_t *p = bytes;
	struct every e;
	enum rk_err r;

	assert_non_null(bytes);
	*p++ = 0x81;
	p = gp_put_str(p, key, strlen(key));
	p = gp_put_array(p, (uint32_t)n);
	memset(p, each, n);
	p += n;
	r = rk_typed_decode(type, bytes, (size_t)(p - bytes), &e, NULL);
	rk_typed_free(&every_record, &e);
	free(bytes);
	return r;
}

static void
test_memory_is_bounded(void **state)
{
	struct rk_record greedy = every_record;

	(void)state;
	/* 24 bytes of memory for each byte: refused before they are taken. */
	assert_int_equal(try_list(&every_record, "Points", 1000, 0x80), RK_OK);
	assert_int_equal(
	    try_list(&every_record, "Points", 20000, 0x80), RK_ETOOBIG);
	assert_int_equal(
	    try_list(&every_record, "Points", 1100000, 0x80), RK_ETOOBIG);
	assert_int_equal(
	    try_list(&every_record, "U64s", 100000, 1), RK_ETOOBIG);
	/* Who wants so many says so. */
	greedy.growth = 9;
	assert_int_equal(try_list(&greedy, "U64s", 100000, 1), RK_OK);
	greedy.growth = 24;
	assert_int_equal(try_list(&greedy, "Points", 20000, 0x80), RK_OK);
	/* Announced, and not there. */
	assert_int_equal(
	    refused(&every_record, "\x81\xa6Points\xdd\xff\xff\xff\xff", 13,
	        &(struct every){ 0 }, NULL),
	    RK_EFORMAT);
}

/* n strings of one letter in a list: two bytes each, a pointer and a block. */
static enum rk_err
try_letters(unsigned growth, size_t n)
{
	struct letters {
		RK_LIST(char *) all;
	};
	static const struct rk_field fields[] = {
		RK_FIELD_LIST(struct letters, all, STR, "All", 0),
	};
	struct rk_record record = RK_RECORD(struct letters, "letters", fields);
	uint8_t *bytes = malloc(16 + 2 * n);
	uint8_t *p = bytes;
	struct letters l;
	enum rk_err r;

	assert_non_null(bytes);
	record.growth = growth;
	*p++ = 0x81;
	p = gp_put_str(p, "All", 3);
	p = gp_put_array(p, (uint32_t)n);
	for (size_t i = 0; i < n; i++)
		p = gp_put_str(p, "a", 1);
	r = rk_typed_decode(&record, bytes, (size_t)(p - bytes), &l, NULL);
	rk_typed_free(&record, &l);
	free(bytes);
	return r;
}

/* What the allocator adds to a small block is most of it. */
static void
test_blocks_count_whole(void **state)
{
	(void)state;
	assert_int_equal(try_letters(4, 1000), RK_OK);
	/* 2 + 8 bytes each would do; 32 + 8 do not. */
	assert_int_equal(try_letters(5, 20000), RK_ETOOBIG);
	assert_int_equal(try_letters(16, 20000), RK_ETOOBIG);
	assert_int_equal(try_letters(20, 20000), RK_OK);
}

/* The defaults of elements are paid for, too. */
static void
test_defaults_cost(void **state)
{
	struct rich {
		char *text;
	};
	struct many {
		RK_LIST(struct rich) all;
	};
	static const struct rk_field rich_fields[] = {
		RK_FIELD(struct rich, text, STR, "Text", 0,
		    .initial_text = "one two three four five six seven "
		                    "eight nine ten eleven twelve"),
	};
	static const struct rk_record rich =
	    RK_RECORD(struct rich, "rich", rich_fields);
	static const struct rk_field many_fields[] = {
		RK_FIELD_RECORDS(struct many, all, struct rich, rich, "All", 0),
	};
	static const struct rk_record many =
	    RK_RECORD(struct many, "many", many_fields);
	uint8_t bytes[10000] = "\x81\xa3"
	                       "All\xdc\x10\x00";
	struct rk_error err;
	struct many m;

	(void)state;
	memset(bytes + 8, 0x80, 4096);
	assert_int_equal(refused(&many, bytes, 8 + 4096, &m, &err), RK_ETOOBIG);
	assert_non_null(strstr(
	    err.text, "takes too much memory for a message of this size"));
	bytes[6] = 1;
	assert_int_equal(refused(&many, bytes, 8 + 256, &m, &err), RK_OK);
	assert_int_equal(m.all.count, 256);
	assert_non_null(strstr(m.all.items[255].text, "twelve"));
	rk_typed_free(&many, &m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_structs_come_back),
		cmocka_unit_test(test_random_structs_come_back_from_values),
		cmocka_unit_test(test_cut_at_every_byte),
		cmocka_unit_test(test_every_byte_flipped),
		cmocka_unit_test(test_wrong_types),
		cmocka_unit_test(test_words_of_refusals),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_depth_of_lists),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_blocks_count_whole),
		cmocka_unit_test(test_defaults_cost),
	};

	return cmocka_run_group_tests_name("typed decode", tests, NULL, NULL);
}
