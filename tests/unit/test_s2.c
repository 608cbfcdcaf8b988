/* S2 streams: every element and chunk, every limit, and what must be refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "rpc/s2.h"
#include "vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ID_S2 "ff060000 53327354774f"
#define ID_SNAPPY "ff060000 734e61507059"
#define MAX ((size_t)1 << 26)

/* A stream written by hand. */
struct pen {
	uint8_t *data;
	size_t len;
};

static struct pen
pen_new(const char *id)
{
	struct pen pen = { .data = malloc(MAX) };

	assert_non_null(pen.data);
	pen.len = vectors_unhex(pen.data, MAX, id);
	return pen;
}

static void
put_le(struct pen *pen, size_t n, size_t v)
{
	for (; n > 0; n--, v >>= 8)
		pen->data[pen->len++] = (uint8_t)v;
}

static void
put_chunk(struct pen *pen, uint8_t type, const void *crc_of, size_t crc_len,
    struct rk_bytes rest)
{
	uint32_t crc = s2_crc32c(0, crc_of, crc_len);

	pen->data[pen->len++] = type;
	put_le(pen, 3, rest.len + 4);
	put_le(pen, 4, (uint32_t)((crc >> 15 | crc << 17) + 0xa282ead8));
	memcpy(pen->data + pen->len, rest.ptr, rest.len);
	pen->len += rest.len;
}

/* A compressed chunk of this block (hex), which yields text. */
static void
put_block(struct pen *pen, const char *hex, const char *text)
{
	uint8_t block[512];
	size_t n = vectors_unhex(block, sizeof(block), hex);

	put_chunk(pen, 0, text, strlen(text),
	    (struct rk_bytes){ .ptr = block, .len = n });
}

static enum rk_err
decode(const struct pen *pen, size_t max, struct buf *out)
{
	uint8_t *copy = malloc(pen->len > 0 ? pen->len : 1);
	struct rk_error err = { .code = RK_OK };
	enum rk_err r;

	assert_non_null(copy);
	memcpy(copy, pen->data, pen->len);
	buf_init(out, MAX);
	assert_int_equal(buf_put(out, "before", 6), RK_OK);
	r = s2_decode(copy, pen->len, max, out, &err);
	free(copy);
	assert_memory_equal(buf_peek(out), "before", 6);
	if (r != RK_OK) {
		assert_int_equal(err.code, r);
		assert_int_equal(buf_len(out), 6);
	}
	buf_consume(out, 6);
	return r;
}

static void
expect_err(const struct pen *pen, size_t max, enum rk_err want)
{
	struct buf out;

	assert_int_equal(decode(pen, max, &out), want);
	buf_fini(&out);
}

static void
expect_text(const struct pen *pen, const char *want)
{
	struct buf out;

	assert_int_equal(decode(pen, strlen(want), &out), RK_OK);
	assert_int_equal(buf_len(&out), strlen(want));
	if (want[0] != '\0')
		assert_memory_equal(buf_peek(&out), want, strlen(want));
	buf_fini(&out);
	if (want[0] != '\0')
		expect_err(pen, strlen(want) - 1, RK_ETOOBIG);
}

static void
test_crc(void **state)
{
	(void)state;
	assert_int_equal(s2_crc32c(0, NULL, 0), 0);
	assert_int_equal(s2_crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(
	    s2_crc32c(s2_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

/* Blocks and what they are; letters are literals in hex. */
static const struct {
	const char *hex;
	const char *text;
} blocks[] = {
	{ "00", "" },
	{ "03 08 616263", "abc" },
	{ "03 f002 616263", "abc" },
	{ "03 f40200 616263", "abc" },
	{ "03 f8020000 616263", "abc" },
	{ "03 fc02000000 616263", "abc" },
	{ "8300 08 616263", "abc" },
	/* copy, 11-bit offset: tag = offset high | length - 4 | 1 */
	{ "07 08 616263 01 03", "abcabca" },
	{ "0e 08 616263 1d 03", "abcabcabcabcab" },
	{ "08 00 61 0d 01", "aaaaaaaa" },
	/* copy, 16-bit and 32-bit offset: lengths from 1 */
	{ "04 08 616263 02 0300", "abca" },
	{ "04 08 616263 03 03000000", "abca" },
	{ "10 00 61 3a 0100", "aaaaaaaaaaaaaaaa" },
	{ "10 00 61 3b 01000000", "aaaaaaaaaaaaaaaa" },
	/* repeat: 4, 8, and the three long forms */
	{ "0b 08 616263 01 03 01 00", "abcabcabcab" },
	{ "0f 08 616263 01 03 11 00", "abcabcabcabcabc" },
	{ "0f 08 616263 01 03 15 00 00", "abcabcabcabcabc" },
	{ "11 08 616263 01 03 15 00 02", "abcabcabcabcabcab" },
	{ "08 08 616263 02 0300 01 00", "abcabcab" },
	{ "08 08 616263 03 03000000 01 00", "abcabcab" },
	/* a literal keeps the offset for the next repeat */
	{ "0d 08 616263 01 03 04 7879 01 00", "abcabcaxyaxya" },
};

static void
test_elements(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(blocks); i++) {
		struct pen pen = pen_new(ID_S2);

		put_block(&pen, blocks[i].hex, blocks[i].text);
		expect_text(&pen, blocks[i].text);
		free(pen.data);
	}
}

static void
test_long_repeats(void **state)
{
	static const struct {
		const char *hex;
		size_t len;
	} rows[] = {
		/* one literal, a copy of 4, then the repeat */
		{ "89 02 00 61 01 01 19 00 0000", 5 + 260 },
		{ "88 04 00 61 01 01 19 00 ff00", 5 + 260 + 255 },
		{ "88 82 04 00 61 01 01 19 00 ffff 00", 0 },
		{ "89 80 04 00 61 01 01 1d 00 000000", 5 + 65540 },
		{ "88 80 0c 00 61 01 01 1d 00 ffff01", 5 + 65540 + 131071 },
		{ "88 80 84 01 00 61 01 01 1d 00 ffff1f", 5 + 65540 + 2097151 },
	};
	char *text = malloc(MAX);

	(void)state;
	assert_non_null(text);
	memset(text, 'a', MAX);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pen pen = pen_new(ID_S2);

		text[rows[i].len] = '\0';
		put_block(&pen, rows[i].hex, text);
		if (rows[i].len > 0)
			expect_text(&pen, text);
		else
			expect_err(&pen, MAX, RK_EPROTO);
		text[rows[i].len] = 'a';
		free(pen.data);
	}
	free(text);
}

static void
test_malformed_blocks(void **state)
{
	static const char *const bad[] = {
		"",                         /* no length */
		"80",                       /* length cut off */
		"808080808000",             /* length of more than 5 bytes */
		"8080808010",               /* over 32 bits */
		"8180808000",               /* elements missing */
		"03 08 6162",               /* literal cut off */
		"02 08 616263",             /* more than announced */
		"04 08 616263",             /* less than announced */
		"03 f0",                    /* length of a literal cut off */
		"03 f4 02",                 /* */
		"03 fc 020000",             /* */
		"03 fc ffffffff 616263",    /* literal of 4 GiB */
		"04 01 00",                 /* repeat before any copy */
		"05 00 61 01 00",           /* the same after a literal */
		"05 00 61 01 02",           /* before the start */
		"05 00 61 01",              /* offset cut off */
		"04 08 616263 02 03",       /* */
		"04 08 616263 03 030000",   /* */
		"04 08 616263 02 0000",     /* offset 0 of kind 2 */
		"04 08 616263 03 00000000", /* of kind 3 */
		"04 08 616263 03 03000080", /* far before the start */
		"04 08 616263 03 ffffffff", /* */
		"06 08 616263 01 03",       /* copy of 4 where 3 fit */
		"0b 08 616263 01 03 15 00", /* repeat length cut off */
		"0b 08 616263 01 03 19 00 00", "0b 08 616263 01 03 1d 00 0000",
		"0b 08 616263 01 03 1d 00 ffffff", /* 16 MiB of repeat */
		"81808002",                        /* block of 4 MiB and 1 */
		"ffffffff0f",                      /* 4 GiB */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct pen pen = pen_new(ID_S2);

		put_block(&pen, bad[i], "abc");
		expect_err(&pen, MAX, RK_EPROTO);
		free(pen.data);
	}
}

/* What an offset reaches ends with its block, checksum or not. */
static void
test_copies_stay_in_their_block(void **state)
{
	static const struct {
		const char *hex;
		const char *text;
	} rows[] = {
		{ "05 00 61 01 02", "axaxa" },
		{ "05 00 61 0e 0200", "axaxa" },
		{ "05 00 61 0f 02000000", "axaxa" },
		{ "04 01 01", "xxxx" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pen pen = pen_new(ID_S2);

		put_chunk(&pen, 1, "x", 1,
		    (struct rk_bytes){ .ptr = (const uint8_t *)"x", .len = 1 });
		put_block(&pen, rows[i].hex, rows[i].text);
		expect_err(&pen, MAX, RK_EPROTO);
		free(pen.data);
	}
}

static void
test_chunks(void **state)
{
	static const struct {
		const char *hex;
		enum rk_err want;
	} rows[] = {
		{ "", RK_EPROTO },
		{ ID_S2, RK_OK },
		{ ID_SNAPPY, RK_OK },
		{ ID_S2 ID_S2, RK_OK },
		{ "ff060000 53327354774e", RK_EPROTO },
		{ "ff050000 5332735477", RK_EPROTO },
		{ "ff070000 53327354774f00", RK_EPROTO },
		{ "ff060000 53327354", RK_EPROTO },
		{ "fe000000", RK_EPROTO },
		{ ID_S2 "fe000000", RK_OK },
		{ ID_S2 "fe020000 ffff", RK_OK },
		{ ID_S2 "80010000 00", RK_OK },
		{ ID_S2 "99000000", RK_OK },
		{ ID_S2 "fd030000 000000", RK_OK },
		{ ID_S2 "02000000", RK_EPROTO },
		{ ID_S2 "7f000000", RK_EPROTO },
		{ ID_S2 "fe030000 0000", RK_EPROTO },
		{ ID_S2 "fe0000", RK_EPROTO },
		{ ID_S2 "fe", RK_EPROTO },
		{ ID_S2 "feffffff", RK_EPROTO },
		{ ID_S2 "00000000", RK_EPROTO },
		{ ID_S2 "00030000 000000", RK_EPROTO },
		{ ID_S2 "00040000 d8ea82a2", RK_EPROTO },
		{ ID_S2 "00050000 d8ea82a2 00", RK_OK },
		{ ID_S2 "00050000 d8ea82a3 00", RK_EPROTO },
		{ ID_S2 "01000000", RK_EPROTO },
		{ ID_S2 "01030000 000000", RK_EPROTO },
		{ ID_S2 "01040000 d8ea82a2", RK_OK },
		{ ID_S2 "01040000 00000000", RK_EPROTO },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pen pen = pen_new(rows[i].hex);

		expect_err(&pen, MAX, rows[i].want);
		free(pen.data);
	}
}

/* Blocks of the greatest size, and one byte more, in both dialects. */
static void
test_block_maximum(void **state)
{
	static const struct {
		const char *id;
		size_t max;
	} rows[] = {
		{ ID_S2, (size_t)4 << 20 },
		{ ID_SNAPPY, 65536 },
	};
	uint8_t *zero = calloc(1, MAX);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		for (size_t more = 0; more < 2; more++) {
			struct pen pen = pen_new(rows[i].id);
			struct rk_bytes raw = { .ptr = zero,
				.len = rows[i].max + more };

			put_chunk(&pen, 1, zero, raw.len, raw);
			expect_err(&pen, MAX, more == 0 ? RK_OK : RK_EPROTO);
			free(pen.data);
		}
	}
	free(zero);
}

/* A chain of dialects: what counts is the identifier before the block. */
static void
test_dialect_may_change(void **state)
{
	uint8_t *zero = calloc(1, 65537);
	struct rk_bytes raw = { .ptr = zero, .len = 65537 };
	struct pen pen = pen_new(ID_SNAPPY ID_S2);

	(void)state;
	put_chunk(&pen, 1, zero, raw.len, raw);
	expect_err(&pen, MAX, RK_OK);
	free(pen.data);
	pen = pen_new(ID_S2 ID_SNAPPY);
	put_chunk(&pen, 1, zero, raw.len, raw);
	expect_err(&pen, MAX, RK_EPROTO);
	free(pen.data);
	free(zero);
}

/* A small body must not expand at will, whatever limit stops it. */
static void
test_bomb(void **state)
{
	/* 4 MiB of "a" in 15 bytes: copies of 65540 and more. */
	static const char block[] = "80808002 00 61 01 01 1d 00 f7ff3e";
	struct pen pen = pen_new(ID_S2);
	char *text = malloc(((size_t)4 << 20) + 1);
	struct rk_error err;
	struct buf out;

	(void)state;
	memset(text, 'a', (size_t)4 << 20);
	text[(size_t)4 << 20] = '\0';
	for (size_t i = 0; i < 8; i++)
		put_block(&pen, block, text);
	expect_err(&pen, (size_t)32 << 20, RK_OK);
	expect_err(&pen, ((size_t)32 << 20) - 1, RK_ETOOBIG);
	expect_err(&pen, (size_t)1310640, RK_ETOOBIG);
	expect_err(&pen, 0, RK_ETOOBIG);
	buf_init(&out, 1000);
	assert_int_equal(
	    s2_decode(pen.data, pen.len, MAX, &out, &err), RK_ETOOBIG);
	assert_int_equal(buf_len(&out), 0);
	assert_true(out.cap <= 1001);
	buf_fini(&out);
	free(text);
	free(pen.data);
}

static void
test_store_and_decode(void **state)
{
	static const size_t lens[] = { 0, 1, 100, ((size_t)1 << 20) - 1,
		(size_t)1 << 20, ((size_t)1 << 20) + 1, 1310640,
		(size_t)3 << 20 };
	uint8_t *data = malloc((size_t)3 << 20);
	struct rk_error err;

	(void)state;
	for (size_t i = 0; i < (size_t)3 << 20; i++)
		data[i] = (uint8_t)(i * i >> 3);
	for (size_t i = 0; i < COUNT(lens); i++) {
		size_t n_blocks = (lens[i] + ((1U << 20) - 1)) >> 20;
		size_t want = 10 + 8 * n_blocks + lens[i];
		struct buf stored;
		struct buf out;

		buf_init(&stored, want);
		assert_int_equal(s2_store(&stored, data, lens[i]), RK_OK);
		assert_int_equal(buf_len(&stored), want);
		assert_int_equal(s2_store(&stored, data, lens[i]), RK_ETOOBIG);
		assert_int_equal(buf_len(&stored), want);
		buf_init(&out, MAX);
		assert_int_equal(
		    s2_decode(buf_peek(&stored), want, lens[i], &out, &err),
		    RK_OK);
		assert_int_equal(buf_len(&out), lens[i]);
		if (lens[i] > 0)
			assert_memory_equal(buf_peek(&out), data, lens[i]);
		buf_fini(&out);
		buf_fini(&stored);
	}
	free(data);
}

/* A capture with each byte changed and at each length: never a crash, never
 * more than allowed, and a changed byte never goes unnoticed as other text. */
static void
test_damaged_capture(void **state)
{
	size_t len;
	uint8_t *frame = vectors_frame("plain-s2-twoway-s2c", 0, &len);
	struct pen pen = pen_new("");
	struct buf good;
	struct buf out;

	(void)state;
	pen.len = len - 16;
	memcpy(pen.data, frame + 16, pen.len);
	assert_int_equal(decode(&pen, 4096, &good), RK_OK);
	for (size_t n = 0; n < pen.len; n++) {
		struct pen cut = { .data = pen.data, .len = n };

		/* Between two chunks a stream may end. */
		assert_int_equal(
		    decode(&cut, 4096, &out), n == 10 ? RK_OK : RK_EPROTO);
		buf_fini(&out);
	}
	for (size_t i = 0; i < 8 * pen.len; i++) {
		pen.data[i / 8] ^= (uint8_t)(1U << i % 8);
		if (decode(&pen, 4096, &out) == RK_OK && buf_len(&out) > 0) {
			assert_int_equal(buf_len(&out), buf_len(&good));
			assert_memory_equal(
			    buf_peek(&out), buf_peek(&good), buf_len(&good));
		}
		buf_fini(&out);
		pen.data[i / 8] ^= (uint8_t)(1U << i % 8);
	}
	buf_fini(&good);
	free(pen.data);
	free(frame);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_crc),
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_long_repeats),
		cmocka_unit_test(test_malformed_blocks),
		cmocka_unit_test(test_copies_stay_in_their_block),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_block_maximum),
		cmocka_unit_test(test_dialect_may_change),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_store_and_decode),
		cmocka_unit_test(test_damaged_capture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
