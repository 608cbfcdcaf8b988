/* Values: shortest forms out, every form in, limits, building, bombs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/message.h>
#include <rpckit/value.h>

#include <stdlib.h>
#include <string.h>

#include "vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Decodes a copy of the exact size. */
static enum rk_err
decode(const uint8_t *data, size_t len, struct rk_value_doc **doc)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	enum rk_err r;

	assert_non_null(copy);
	if (len > 0)
		memcpy(copy, data, len);
	r = rk_value_decode(copy, len, doc);
	free(copy);
	assert_true((r == RK_OK) == (*doc != NULL));
	return r;
}

static enum rk_err
decode_hex(const char *hex, struct rk_value_doc **doc)
{
	uint8_t in[256];

	return decode(in, vectors_unhex(in, sizeof(in), hex), doc);
}

/* in decodes, and encodes to want (NULL: to itself). */
static void
expect(const char *in, const char *want)
{
	uint8_t bytes[256];
	size_t n = vectors_unhex(bytes, sizeof(bytes), want ? want : in);
	struct rk_value_doc *doc;
	uint8_t *out;
	size_t len;

	assert_int_equal(decode_hex(in, &doc), RK_OK);
	assert_int_equal(
	    rk_value_encode(rk_value_root(doc), &out, &len), RK_OK);
	assert_int_equal(len, n);
	assert_memory_equal(out, bytes, n);
	free(out);
	rk_value_free(doc);
}

/* A value and its shortest form (NULL: it is that already). */
static const struct {
	const char *in;
	const char *want;
} forms[] = {
	{ "c0", NULL },
	{ "c2", NULL },
	{ "c3", NULL },
	{ "00", NULL },
	{ "7f", NULL },
	{ "cc80", NULL },
	{ "ccff", NULL },
	{ "cd0100", NULL },
	{ "ce00010000", NULL },
	{ "cf0000000100000000", NULL },
	{ "cfffffffffffffffff", NULL },
	{ "ff", NULL },
	{ "e0", NULL },
	{ "d0df", NULL },
	{ "d080", NULL },
	{ "d1ff7f", NULL },
	{ "d2ffff7fff", NULL },
	{ "d3ffffffff7fffffff", NULL },
	{ "d38000000000000000", NULL },
	{ "cc00", "00" },
	{ "cc7f", "7f" },
	{ "cd0000", "00" },
	{ "cd00ff", "ccff" },
	{ "ce0000ffff", "cdffff" },
	{ "cf00000000ffffffff", "ceffffffff" },
	{ "d000", "00" },
	{ "d07f", "7f" },
	{ "d0ff", "ff" },
	{ "d0e0", "e0" },
	{ "d100ff", "ccff" },
	{ "d1ffff", "ff" },
	{ "d20000ffff", "cdffff" },
	{ "d2ffffff80", "d080" },
	{ "d30000000080000000", "ce80000000" },
	{ "d3ffffffffffff8000", "d18000" },
	/* floats keep their width and every bit */
	{ "ca00000000", NULL },
	{ "ca3fc00000", NULL },
	{ "ca7f800001", NULL },
	{ "caffc12345", NULL },
	{ "cb3ff8000000000000", NULL },
	{ "cb7ff0000000000001", NULL },
	{ "cb8000000000000000", NULL },
	{ "a0", NULL },
	{ "a161", NULL },
	{ "a2fffe", NULL },
	{ "d90161", "a161" },
	{ "da000161", "a161" },
	{ "db0000000161", "a161" },
	{ "c400", NULL },
	{ "c50000", "c400" },
	{ "c60000000161", "c40161" },
	{ "d40561", NULL },
	{ "d5ff0102", NULL },
	{ "d6ff01020304", NULL },
	{ "d7000102030405060708", NULL },
	{ "d88000112233445566778899aabbccddeeff", NULL },
	{ "c70005", NULL },
	{ "c70305010203", NULL },
	{ "c70c05000000006b00faa00fa980d0", NULL },
	{ "c7010561", "d40561" },
	{ "c80001ff61", "d4ff61" },
	{ "c900000004ff01020304", "d6ff01020304" },
	{ "c8000305010203", "c70305010203" },
	{ "90", NULL },
	{ "80", NULL },
	{ "dc0000", "90" },
	{ "dd0000000101", "9101" },
	{ "de000101c0", "8101c0" },
	{ "df0000000101c0", "8101c0" },
	/* order and doubles of maps stay, keys may be anything */
	{ "83a16201a16102a16203", NULL },
	{ "839001c0028001", NULL },
	{ "939390c0c3ca0000000081a16b9101", NULL },
};

static void
test_shortest_forms(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++)
		expect(forms[i].in, forms[i].want);
}

/* Lengths at which the head changes: str, bin, ext, array, map. */
static void
test_heads_by_length(void **state)
{
	static const struct {
		enum rk_kind kind;
		size_t len;
		const char *head;
	} rows[] = {
		{ RK_STR, 31, "bf" },
		{ RK_STR, 32, "d920" },
		{ RK_STR, 255, "d9ff" },
		{ RK_STR, 256, "da0100" },
		{ RK_STR, 65535, "daffff" },
		{ RK_STR, 65536, "db00010000" },
		{ RK_BIN, 255, "c4ff" },
		{ RK_BIN, 256, "c50100" },
		{ RK_BIN, 65536, "c600010000" },
		{ RK_EXT, 17, "c71100" },
		{ RK_EXT, 255, "c7ff00" },
		{ RK_EXT, 256, "c8010000" },
		{ RK_EXT, 65536, "c90001000000" },
		{ RK_ARRAY, 15, "9f" },
		{ RK_ARRAY, 16, "dc0010" },
		{ RK_ARRAY, 65535, "dcffff" },
		{ RK_ARRAY, 65536, "dd00010000" },
		{ RK_MAP, 15, "8f" },
		{ RK_MAP, 16, "de0010" },
		{ RK_MAP, 65536, "df00010000" },
	};
	uint8_t *text = calloc(1, 65536);

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rk_value_doc *doc;
		struct rk_value_doc *back;
		struct rk_value *root;
		uint8_t head[8];
		size_t n = vectors_unhex(head, sizeof(head), rows[i].head);
		uint8_t *out;
		size_t len;

		assert_int_equal(rk_value_new(&doc), RK_OK);
		root = rk_value_root(doc);
		if (rows[i].kind == RK_ARRAY || rows[i].kind == RK_MAP)
			assert_int_equal(
			    rk_value_set_list(
			        doc, root, rows[i].kind, (uint32_t)rows[i].len),
			    RK_OK);
		else
			assert_int_equal(rk_value_set_bytes(doc, root,
			                     rows[i].kind, text, rows[i].len),
			    RK_OK);
		assert_int_equal(rk_value_encode(root, &out, &len), RK_OK);
		assert_memory_equal(out, head, n);
		assert_int_equal(
		    len, n + rows[i].len * (rows[i].kind == RK_MAP ? 2 : 1));
		for (size_t cut = 0; cut < len && cut < 8; cut++)
			assert_int_equal(decode(out, cut, &back), RK_EFORMAT);
		assert_int_equal(decode(out, len - 1, &back), RK_EFORMAT);
		assert_int_equal(decode(out, len, &back), RK_OK);
		assert_int_equal(rk_value_root(back)->kind, rows[i].kind);
		free(out);
		rk_value_free(back);
		rk_value_free(doc);
	}
	free(text);
}

static void
test_malformed(void **state)
{
	static const char *const bad[] = { "", "c1", "91c1", "81c0c1", "0000",
		"c0c0", "9000", "91", "81", "81c0", "92c0", "dc0001", "a1",
		"d9", "d901", "da00", "c4", "c401", "c5", "c6000000", "c7",
		"c701", "c70105", "d4", "d405", "d8050000", "ca000000",
		"cb00000000000000", "cc", "cd00", "ce000000",
		"cf00000000000000", "d0", "d100", "d2000000",
		"d300000000000000", "ddffffffff", "ddffffffff00", "dfffffffff",
		"df8000000000", "dd01000000", "dbffffffff00", "c6ffffffff00",
		"c9ffffffff0500",
		/* Each count fits alone; together they do not. */
		"94930000", "95 94 93 92 91", "83 83 00 00 00 00", "92 91 91" };
	struct rk_value_doc *doc;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(decode_hex(bad[i], &doc), RK_EFORMAT);
}

/* Counts that fit alone but not together are refused before there is memory
 * for them, so it is not their number that is complained about. */
static void
test_counts_are_owed_together(void **state)
{
	uint8_t *in = calloc(1, RK_BODY_MAX);
	struct rk_value_doc *doc;

	(void)state;
	vectors_unhex(in, 10, "dd000dbba0 dd000c3500"); /* 900000, 800000 */
	assert_int_equal(decode(in, RK_BODY_MAX, &doc), RK_EFORMAT);
	free(in);
}

/* depth containers in one another, the last one empty. */
static size_t
nest(uint8_t *out, size_t depth, bool map)
{
	size_t n = 0;

	for (size_t i = 1; i < depth; i++) {
		out[n++] = map ? 0x81 : 0x91;
		if (map)
			out[n++] = 0xc0;
	}
	out[n++] = map ? 0x80 : 0x90;
	return n;
}

static void
test_depth(void **state)
{
	static const size_t depths[] = { 1, 15, 16, 17, 18, 1000, 200000 };
	uint8_t *in = malloc(400000);
	struct rk_value_doc *doc;
	uint8_t *out;
	size_t len;

	(void)state;
	for (size_t i = 0; i < COUNT(depths); i++) {
		for (unsigned map = 0; map < 2; map++) {
			size_t n = nest(in, depths[i], map != 0);
			bool ok = depths[i] <= RK_VALUE_DEPTH_MAX;

			assert_int_equal(
			    decode(in, n, &doc), ok ? RK_OK : RK_ETOOBIG);
			if (!ok)
				continue;
			assert_int_equal(
			    rk_value_encode(rk_value_root(doc), &out, &len),
			    RK_OK);
			assert_int_equal(len, n);
			assert_memory_equal(out, in, n);
			free(out);
			rk_value_free(doc);
		}
	}
	free(in);
}

static void
test_depth_of_what_is_built(void **state)
{
	struct rk_value_doc *doc;
	struct rk_value *v;
	uint8_t *out;
	size_t len;

	(void)state;
	assert_int_equal(rk_value_new(&doc), RK_OK);
	v = rk_value_root(doc);
	for (size_t depth = 1; depth <= 20; depth++) {
		assert_int_equal(rk_value_set_list(doc, v, RK_ARRAY, 1), RK_OK);
		assert_int_equal(
		    rk_value_encode(rk_value_root(doc), &out, &len),
		    depth <= RK_VALUE_DEPTH_MAX ? RK_OK : RK_ETOOBIG);
		free(out);
		v = &v->u.list.items[0];
	}
	rk_value_free(doc);
}

static void
test_number_of_nodes(void **state)
{
	uint8_t *in = calloc(1, RK_VALUE_NODES_MAX + 10);
	struct rk_value_doc *doc;
	uint32_t n = RK_VALUE_NODES_MAX - 1;
	struct rk_value v = { .kind = RK_NIL };
	uint8_t *out;
	size_t len;

	(void)state;
	in[0] = 0xdd;
	for (unsigned i = 0; i < 4; i++)
		in[1 + i] = (uint8_t)(n >> (24 - 8 * i));
	assert_int_equal(decode(in, 5 + (size_t)n, &doc), RK_OK);
	assert_int_equal(
	    rk_value_encode(rk_value_root(doc), &out, &len), RK_OK);
	assert_int_equal(len, 5 + (size_t)n);
	assert_memory_equal(out, in, len);
	free(out);
	/* Full: a container of nothing is all that can be added. */
	assert_int_equal(rk_value_set_list(doc, &v, RK_ARRAY, 1), RK_ETOOBIG);
	assert_int_equal(v.kind, RK_NIL);
	assert_int_equal(rk_value_set_list(doc, &v, RK_MAP, 0), RK_OK);
	rk_value_free(doc);
	in[4]++;
	assert_int_equal(decode(in, 6 + (size_t)n, &doc), RK_ETOOBIG);
	assert_int_equal(rk_value_new(&doc), RK_OK);
	assert_int_equal(
	    rk_value_set_list(doc, &v, RK_MAP, UINT32_MAX), RK_ETOOBIG);
	assert_int_equal(
	    rk_value_set_list(doc, &v, RK_ARRAY, UINT32_MAX), RK_ETOOBIG);
	rk_value_free(doc);
	free(in);
}

static void
test_size_of_the_encoding(void **state)
{
	uint8_t *data = calloc(1, RK_BODY_MAX);
	struct rk_value_doc *doc;
	struct rk_value *root;
	uint8_t *out;
	size_t len;

	(void)state;
	assert_int_equal(rk_value_new(&doc), RK_OK);
	root = rk_value_root(doc);
	assert_int_equal(
	    rk_value_set_bytes(doc, root, RK_BIN, data, RK_BODY_MAX - 5),
	    RK_OK);
	assert_int_equal(rk_value_encode(root, &out, &len), RK_OK);
	assert_int_equal(len, RK_BODY_MAX);
	free(out);
	assert_int_equal(
	    rk_value_set_bytes(doc, root, RK_BIN, data, RK_BODY_MAX - 4),
	    RK_OK);
	assert_int_equal(rk_value_encode(root, &out, &len), RK_ETOOBIG);
	assert_null(out);
	assert_int_equal(len, 0);
	rk_value_free(doc);
	free(data);
}

static void
test_build_and_get(void **state)
{
	struct rk_value_doc *doc;
	struct rk_value *root;
	struct rk_value *items;
	uint8_t want[64];
	size_t n = vectors_unhex(want, sizeof(want),
	    "84 a46e616d65 a3626f62 a16e 2a a46e616d65 c3 05 a0");
	uint8_t *out;
	size_t len;

	(void)state;
	assert_int_equal(rk_value_new(&doc), RK_OK);
	root = rk_value_root(doc);
	assert_int_equal(root->kind, RK_NIL);
	assert_int_equal(rk_value_set_list(doc, root, RK_MAP, 4), RK_OK);
	items = root->u.list.items;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(items[i].kind, RK_NIL);
	assert_int_equal(
	    rk_value_set_bytes(doc, &items[0], RK_STR, "name", 4), RK_OK);
	assert_int_equal(
	    rk_value_set_bytes(doc, &items[1], RK_STR, "bob", 3), RK_OK);
	assert_int_equal(
	    rk_value_set_bytes(doc, &items[2], RK_STR, "n", 1), RK_OK);
	items[3] = (struct rk_value){ .kind = RK_INT, .u.i64 = 42 };
	assert_int_equal(
	    rk_value_set_bytes(doc, &items[4], RK_STR, "name", 4), RK_OK);
	items[5] = (struct rk_value){ .kind = RK_BOOL, .u.b = true };
	items[6] = (struct rk_value){ .kind = RK_UINT, .u.u64 = 5 };
	assert_int_equal(
	    rk_value_set_bytes(doc, &items[7], RK_STR, NULL, 0), RK_OK);
	assert_int_equal(rk_value_encode(root, &out, &len), RK_OK);
	assert_int_equal(len, n);
	assert_memory_equal(out, want, n);
	free(out);
	assert_ptr_equal(rk_value_get(root, "name"), &items[1]);
	assert_ptr_equal(rk_value_get(root, "n"), &items[3]);
	assert_null(rk_value_get(root, ""));
	assert_null(rk_value_get(root, "nam"));
	assert_null(rk_value_get(&items[1], "name"));
	assert_null(rk_value_get(NULL, "name"));
	assert_int_equal(
	    rk_value_set_bytes(doc, root, RK_UINT, "x", 1), RK_EINVAL);
	assert_int_equal(rk_value_set_list(doc, root, RK_STR, 1), RK_EINVAL);
	assert_int_equal(root->kind, RK_MAP);
	rk_value_free(doc);
	rk_value_free(NULL);
}

static void
test_kinds(void **state)
{
	struct rk_value_doc *doc;
	const struct rk_value *v;

	(void)state;
	assert_int_equal(
	    decode_hex("98 c0 c3 d005 ff ca3fc00000 cb3ff8000000000000 "
	               "c70305616263 81a16bc4020102",
	        &doc),
	    RK_OK);
	v = rk_value_root(doc);
	assert_true(v->kind == RK_ARRAY && v->u.list.count == 8);
	v = v->u.list.items;
	assert_int_equal(v[0].kind, RK_NIL);
	assert_true(v[1].kind == RK_BOOL && v[1].u.b);
	assert_true(v[2].kind == RK_UINT && v[2].u.u64 == 5);
	assert_true(v[3].kind == RK_INT && v[3].u.i64 == -1);
	assert_true(v[4].kind == RK_F32 && v[4].u.f32 == 1.5F);
	assert_true(v[5].kind == RK_F64 && v[5].u.f64 == 1.5);
	assert_true(v[6].kind == RK_EXT && v[6].ext_type == 5);
	assert_int_equal(v[6].u.bytes.len, 3);
	assert_memory_equal(v[6].u.bytes.ptr, "abc", 3);
	v = rk_value_get(&v[7], "k");
	assert_non_null(v);
	assert_true(v->kind == RK_BIN && v->u.bytes.len == 2);
	rk_value_free(doc);
}

/* Any two bytes, and any bytes after heads that announce much. */
static void
test_all_short_inputs(void **state)
{
	uint8_t in[3];
	struct rk_value_doc *doc;
	uint8_t *out;
	size_t len;

	(void)state;
	for (unsigned i = 0; i < 1U << 16; i++) {
		in[0] = (uint8_t)(i >> 8);
		in[1] = (uint8_t)i;
		in[2] = 0;
		for (size_t n = 1; n <= sizeof(in); n++) {
			if (rk_value_decode(in, n, &doc) != RK_OK)
				continue;
			assert_int_equal(
			    rk_value_encode(rk_value_root(doc), &out, &len),
			    RK_OK);
			assert_true(len <= n);
			free(out);
			rk_value_free(doc);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shortest_forms),
		cmocka_unit_test(test_heads_by_length),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_counts_are_owed_together),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_depth_of_what_is_built),
		cmocka_unit_test(test_number_of_nodes),
		cmocka_unit_test(test_size_of_the_encoding),
		cmocka_unit_test(test_build_and_get),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_all_short_inputs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
