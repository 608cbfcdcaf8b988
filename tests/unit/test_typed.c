/* Typed structs: the bytes they are, and what tables are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "rpc/typed_int.h"
#include "typedtypes.h"
#include "vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- bytes ---- */

/* Append the rest of a key of `n` letters and the hex behind it. */
static void
encodes_to(const struct every *e, const char *key, const char *hex)
{
	uint8_t want[512];
	struct rk_error err;
	uint8_t *got;
	size_t len;
	size_t n = 0;

	/* Besides it, only the struct inside, which is never left out. */
	want[n++] = 0x82;
	want[n++] = (uint8_t)(0xa0 | strlen(key));
	memcpy(want + n, key, strlen(key));
	n += strlen(key);
	n += vectors_unhex(want + n, sizeof(want) - n, hex);
	assert_int_equal(
	    rk_typed_encode(&every_record, e, &got, &len, &err), RK_OK);
	if (strncmp(key, "Point_", 6) != 0 && strstr(key, "_slc") == NULL &&
	    strstr(key, "_ptr") == NULL) {
		memcpy(want + n, "\xafPoint_zid19_rct\x80", 17);
		n += 17;
	} else {
		memmove(want + 18, want + 1, n - 1);
		memcpy(want + 1, "\xafPoint_zid19_rct\x80", 17);
		n += 17;
	}
	assert_int_equal(len, n);
	assert_memory_equal(got, want, n);
	free(got);
}

#define SCALAR(member, v, key, hex)                  \
	do {                                         \
		struct every e_ = { .member = (v) }; \
		encodes_to(&e_, key, hex);           \
	} while (0)

static void
test_scalars_as_go_writes_them(void **state)
{
	struct every chars = { .chars = "12345678" };
	static char text[] = "hi";

	(void)state;
	SCALAR(flag, true, "Flag_zid00_boo", "c3");
	SCALAR(i8, -128, "I8_zid01_i08", "d080");
	SCALAR(i8, 127, "I8_zid01_i08", "7f");
	SCALAR(i16, 200, "I16_zid02_i16", "d100c8");
	SCALAR(i32, 32768, "I32_zid03_i32", "d200008000");
	SCALAR(i64, INT64_MIN, "I64_zid04_i64", "d38000000000000000");
	SCALAR(i, 300, "I_zid05_int", "d1012c");
	SCALAR(u8, 200, "U8_zid06_u08", "ccc8");
	SCALAR(u16, 65535, "U16_zid07_u16", "cdffff");
	SCALAR(u32, UINT32_MAX, "U32_zid08_u32", "ceffffffff");
	SCALAR(u64, UINT64_MAX, "U64_zid09_u64", "cfffffffffffffffff");
	SCALAR(u, 1, "U_zid10_unt", "01");
	SCALAR(f32, 1.5f, "F32_zid11_f32", "ca3fc00000");
	SCALAR(f64, -0.0, "F64_zid12_f64", "cb8000000000000000");
	SCALAR(str, text, "Str_zid13_str", "a26869");
	encodes_to(&chars, "Chars_zid14_str", "a83132333435363738");
	SCALAR(duration, 1, "Duration_zid17_dur", "c70907d30000000000000001");
	SCALAR(duration, -1, "Duration_zid17_dur", "c70907d3ffffffffffffffff");
}

static void
test_composites_as_go_writes_them(void **state)
{
	static uint8_t two[] = { 1, 2 };
	static int16_t numbers[] = { 1, 300 };
	static struct point points[] = { { .x = 1 }, { .y = -1 } };
	static char key[] = "k", value[] = "v";
	static struct rk_pair pair = { key, value };
	static int32_t zero;
	struct every bytes = { .bytes = { two, 2 } };
	struct every time = { .time = { 1795226272, 262766800, true } };
	struct every epoch = { .time = { 0, 0, true } };
	struct every list = { .i16s = { numbers, 2 } };
	struct every nested = { .points = { points, 2 } };
	struct every map = { .map = { &pair, 1 } };
	struct every maybe = { .maybe_i32 = &zero };

	(void)state;
	encodes_to(&bytes, "Bytes_zid15_bin", "c4020102");
	encodes_to(&time, "Time_zid16_tim", "c70c05000000006b00faa00fa980d0");
	encodes_to(&epoch, "Time_zid16_tim", "c70c05000000000000000000000000");
	encodes_to(&map, "Map_zid18_map", "81a16ba176");
	encodes_to(&list, "I16s_zid20_slc", "9201d1012c");
	encodes_to(&nested, "Points_zid29_slc",
	    "92 81ab585f7a696430305f696e7401 81ab595f7a696430315f696e74ff");
	encodes_to(&maybe, "MaybeI32_zid30_ptr", "00");
}

static void
test_zeros_are_left_out(void **state)
{
	static char nothing[] = "";
	struct every e = { .str = nothing };
	struct every back;
	struct rk_error err;
	uint8_t *got;
	size_t len;

	(void)state;
	assert_int_equal(
	    rk_typed_encode(&every_record, &e, &got, &len, &err), RK_OK);
	assert_int_equal(len, 18);
	assert_memory_equal(got, "\x81\xafPoint_zid19_rct\x80", 18);
	assert_int_equal(
	    rk_typed_decode(&every_record, got, len, &back, &err), RK_OK);
	assert_null(back.str);
	rk_typed_free(&every_record, &back);
	free(got);
}

/* What decides what absence means is always sent. */
static void
test_defaults_are_sent(void **state)
{
	static char must[] = "m", empty[] = "";
	struct strict s, back;
	struct rk_error err;
	uint8_t *got;
	size_t len;

	(void)state;
	assert_int_equal(rk_typed_init(&strict_record, &s), RK_OK);
	assert_true(s.level == 3 && s.on && s.wait == 1500000000);
	assert_true(s.ratio > 0.4 && s.ratio < 0.6);
	assert_string_equal(s.name, "nobody");
	assert_string_equal(s.tag, "abc");
	free(s.name);
	s = (struct strict){ .must = must, .level = 1, .name = must };
	assert_int_equal(
	    rk_typed_encode(&strict_record, &s, &got, &len, &err), RK_OK);
	assert_int_equal(
	    rk_typed_decode(&strict_record, got, len, &back, &err), RK_OK);
	assert_true(!back.on && back.wait == 0 && back.ratio == 0);
	assert_true(back.level == 1 && back.tag[0] == '\0');
	assert_string_equal(back.name, "m");
	rk_typed_free(&strict_record, &back);
	free(got);
	/* The clue of a named type, and "" of what is required. */
	s.must = empty;
	assert_int_equal(
	    rk_typed_encode(&strict_record, &s, &got, &len, &err), RK_OK);
	assert_memory_equal(got + len - 16, "\xaeMust_zid09_rct\xa0", 16);
	free(got);
}

/* What Go sent: the argument and the reply of Arith.Add. */
static void
test_captured_structs(void **state)
{
	struct pair {
		int64_t a;
		int64_t b;
	};
	static const struct rk_field fields[] = {
		RK_FIELD(struct pair, a, INT, "A", 0),
		RK_FIELD(struct pair, b, INT, "B", 1),
	};
	static const struct rk_record record =
	    RK_RECORD(struct pair, "pair", fields);
	struct pair in = { 7, 300 };
	struct pair out;
	uint8_t want[64];
	struct rk_error err;
	uint8_t *got;
	size_t n, len;

	(void)state;
	n = vectors_unhex(want, sizeof(want),
	    "82 ab415f7a696430305f696e7407 ab425f7a696430315f696e74d1012c");
	assert_int_equal(rk_type_check(&record, &err), RK_OK);
	assert_int_equal(
	    rk_typed_encode(&record, &in, &got, &len, &err), RK_OK);
	assert_int_equal(len, n);
	assert_memory_equal(got, want, n);
	assert_int_equal(rk_typed_decode(&record, got, len, &out, &err), RK_OK);
	assert_true(out.a == 7 && out.b == 300);
	free(got);
}

/* NaN is what absence means: zero is not, and travels. */
static void
test_a_default_that_is_no_number(void **state)
{
	struct measured {
		double wide;
		float narrow;
	} in, out;
	static const struct rk_field fields[] = {
		RK_FIELD(struct measured, wide, F64, "Wide", 0,
		    .initial_float = (double)NAN),
		RK_FIELD(struct measured, narrow, F32, "Narrow", 1,
		    .initial_float = (double)NAN),
	};
	const struct rk_record record =
	    RK_RECORD(struct measured, "measured", fields);
	struct rk_error err;
	uint8_t *got;
	size_t len;

	(void)state;
	assert_int_equal(rk_type_check(&record, &err), RK_OK);
	assert_int_equal(rk_typed_decode(&record, NULL, 0, &out, &err), RK_OK);
	assert_true(isnan(out.wide) && isnan(out.narrow));
	for (int i = 0; i < 2; i++) {
		in = i == 0 ? (struct measured){ 0, 0 } : out;
		assert_int_equal(
		    rk_typed_encode(&record, &in, &got, &len, &err), RK_OK);
		assert_int_equal(
		    rk_typed_decode(&record, got, len, &out, &err), RK_OK);
		assert_memory_equal(&in.wide, &out.wide, sizeof(in.wide));
		assert_memory_equal(&in.narrow, &out.narrow, sizeof(in.narrow));
		free(got);
		assert_int_equal(rk_typed_init(&record, &out), RK_OK);
	}
}

static void
refuses_to_encode(const struct every *e, enum rk_err code, const char *text)
{
	struct rk_error err;
	uint8_t *got;
	size_t len;

	assert_int_equal(
	    rk_typed_encode(&every_record, e, &got, &len, &err), code);
	assert_null(got);
	assert_string_equal(err.text, text);
}

static void
test_what_cannot_be_sent(void **state)
{
	static char big[RK_PAYLOAD_MAX + 2];
	static struct point point;
	struct node chain[20] = { { .value = 1 } };
	struct every chars = { .chars = "12345678" };
	struct every none = { .points = { NULL, 3 } };
	struct every blob = { .bytes = { NULL, 3 } };
	struct every time = { .time = { 1, 1000000000, true } };
	struct every deep = { .node = chain };
	struct every large = { .str = big };

	(void)state;
	chars.chars[8] = '9';
	refuses_to_encode(&chars, RK_EINVAL, "Chars: no NUL at its end");
	refuses_to_encode(&none, RK_EINVAL, "Points: elements, and NULL");
	refuses_to_encode(&blob, RK_EINVAL, "Bytes: bytes, and NULL");
	refuses_to_encode(
	    &time, RK_EINVAL, "Time: nanoseconds are 0 to 999999999");
	memset(big, 'x', sizeof(big) - 1);
	refuses_to_encode(&large, RK_ETOOBIG, "every: too large");
	for (size_t i = 0; i + 1 < COUNT(chain); i++)
		chain[i].next = &chain[i + 1];
	refuses_to_encode(&deep, RK_ETOOBIG,
	    "Node.Next.Next.Next.Next.Next.Next.Next.Next.Next.Next.Next.Next."
	    "Next.Next.Next: more than 16 records, lists and maps inside one "
	    "another");
	/* A circle of its own is no deeper than that. */
	chain[0].next = &chain[0];
	deep.maybe_point = &point;
	refuses_to_encode(&deep, RK_ETOOBIG,
	    "Node.Next.Next.Next.Next.Next.Next.Next.Next.Next.Next.Next.Next."
	    "Next.Next.Next: more than 16 records, lists and maps inside one "
	    "another");
	chain[0].next = NULL;
}

/* ---- for people ---- */

static char *
as_json(const struct rk_record *type, const void *data)
{
	struct rk_value_doc *doc;
	struct buf b;
	uint8_t *text;
	size_t len;

	assert_int_equal(rk_typed_to_value(type, data, &doc, NULL), RK_OK);
	buf_init(&b, 1 << 20);
	assert_int_equal(
	    json_write(&b, rk_value_root(doc), &(struct json_write){ 0 }),
	    RK_OK);
	assert_int_equal(buf_take(&b, &text, &len), RK_OK);
	buf_fini(&b);
	rk_value_free(doc);
	return (char *)text;
}

static void
test_json_and_back(void **state)
{
	static const char text[] =
	    "{\"Level\":9,\"Port\":200,\"Ratio\":0.25,\"Name\":\"x\\u00e9\","
	    "\"Tag\":\"\",\"Wait\":\"90s\",\"On\":false,\"Few\":[-1,2],"
	    "\"Must\":\"be\"}";
	struct rk_value_doc *doc;
	struct strict s;
	struct rk_error err;
	char *again;

	(void)state;
	assert_int_equal(
	    json_parse("text", text, strlen(text), &doc, &err), RK_OK);
	assert_int_equal(
	    rk_typed_from_value(&strict_record, rk_value_root(doc), &s, &err),
	    RK_OK);
	assert_true(s.level == 9 && s.port == 200 && !s.on);
	assert_true(s.wait == INT64_C(90000000000));
	assert_int_equal(s.few.count, 2);
	again = as_json(&strict_record, &s);
	assert_string_equal(again,
	    "{\"Level\":9,\"Port\":200,\"Ratio\":0.25,\"Name\":\"x\xc3\xa9\","
	    "\"Tag\":\"\",\"Wait\":\"90s\",\"On\":false,\"Few\":[-1,2],"
	    "\"Must\":\"be\"}");
	free(again);
	rk_typed_free(&strict_record, &s);
	rk_value_free(doc);
}

static void
test_view_shows_zeros_but_not_the_absent(void **state)
{
	struct point p = { .x = 0 };
	struct every e = { .time = { 1795226272, 500000000, true } };
	char *text = as_json(&point_record, &p);

	(void)state;
	assert_string_equal(text, "{\"X\":0,\"Y\":0,\"Label\":\"\"}");
	free(text);
	text = as_json(&every_record, &e);
	assert_non_null(strstr(text, "\"Time\":\"2026-11-21T01:57:52.5Z\""));
	assert_null(strstr(text, "Maybe"));
	assert_non_null(strstr(text, "\"U64s\":[]"));
	free(text);
	/* No year of four digits: as it is on the wire. */
	e.time.sec = INT64_MAX;
	text = as_json(&every_record, &e);
	assert_non_null(strstr(text, "\"Time\":{\"$ext\":[5,"));
	free(text);
}

/* In the innermost record there is no room even for an empty list. */
static void
test_view_of_the_deepest(void **state)
{
	struct node chain[16] = { { .value = 1 } };
	char *text;

	(void)state;
	for (size_t i = 0; i + 1 < COUNT(chain); i++)
		chain[i].next = &chain[i + 1];
	text = as_json(&node_record, chain);
	assert_non_null(
	    strstr(text, "\"Next\":{\"Value\":0},\"Children\":[]}"));
	free(text);
}

static void
test_nil_is_an_empty_record(void **state)
{
	const struct rk_value nil = { .kind = RK_NIL };
	const struct rk_value no = { .kind = RK_BOOL };
	struct rk_error err;
	struct point p;

	(void)state;
	assert_int_equal(
	    rk_typed_from_value(&point_record, &nil, &p, &err), RK_OK);
	assert_int_equal(
	    rk_typed_from_value(&point_record, &no, &p, &err), RK_EINVAL);
	assert_string_equal(err.text, "a bool, not a map");
}

/* ---- tables ---- */

struct bad {
	const char *text; /* what must be said */
	struct rk_field f[2];
	size_t n;
};

struct any {
	int64_t i;
	char c[8];
	struct rk_blob b;
	struct typed_list list;
};

#define AT(m) \
	.offset = offsetof(struct any, m), .size = sizeof(((struct any *)0)->m)
#define GOOD "A", 0, RK_FIELD_IS_INT, AT(i)

static const struct rk_record small = { .name = "small", .size = 4 };
static const struct bad bad_tables[] = {
	{ "A (100): numbers are 0 to 99",
	    { { "A", 100, RK_FIELD_IS_INT, AT(i) } }, 1 },
	{ "B (0): the number is taken",
	    { { GOOD }, { "B", 0, RK_FIELD_IS_INT, AT(i) } }, 2 },
	{ "B (4): the number is retired",
	    { RK_FIELD_RETIRED(4), { "B", 4, RK_FIELD_IS_INT, AT(i) } }, 2 },
	{ "? (4): the number is retired",
	    { { "B", 4, RK_FIELD_IS_INT, AT(i) }, RK_FIELD_RETIRED(4) }, 2 },
	{ "B (3): rows stand in the order of their numbers",
	    { { "A", 4, RK_FIELD_IS_INT, AT(i) },
	        { "B", 3, RK_FIELD_IS_INT, AT(i) } },
	    2 },
	{ "A (1): the name is taken",
	    { { GOOD }, { "A", 1, RK_FIELD_IS_INT, AT(i) } }, 2 },
	{ "? (0): a name has", { { NULL, 0, RK_FIELD_IS_INT, AT(i) } }, 1 },
	{ "1a (0): a name has", { { "1a", 0, RK_FIELD_IS_INT, AT(i) } }, 1 },
	{ "a_zid (0): a name has", { { "a_zid", 0, RK_FIELD_IS_INT, AT(i) } },
	    1 },
	{ "\\x1b (0): a name has", { { "\x1b", 0, RK_FIELD_IS_INT, AT(i) } },
	    1 },
	{ "no such kind", { { "A", 0, (enum rk_field_kind)77, AT(i) } }, 1 },
	{ "no such shape", { { GOOD, .shape = (enum rk_field_shape)7 } }, 1 },
	{ "`of` is for records", { { GOOD, .of = &small } }, 1 },
	{ "`of` is for records", { { "A", 0, RK_FIELD_IS_RECORD, AT(i) } }, 1 },
	{ "a struct of another size",
	    { { "A", 0, RK_FIELD_IS_RECORD, AT(i), .of = &small } }, 1 },
	{ "the size is not that of its kind",
	    { { "A", 0, RK_FIELD_IS_I32, AT(i) } }, 1 },
	{ "it lies outside of the struct",
	    { { "A", 0, RK_FIELD_IS_INT, .size = 8,
	        .offset = sizeof(struct any) - 7 } },
	    1 },
	{ "no lists of CHARS",
	    { { "A", 0, RK_FIELD_IS_CHARS, .size = 8,
	        .shape = RK_FIELD_MANY } },
	    1 },
	{ "a list of U8 is BYTES",
	    { { "A", 0, RK_FIELD_IS_U8, .size = 1, .shape = RK_FIELD_MANY } },
	    1 },
	{ "a clue has three letters", { { GOOD, .clue = "no" } }, 1 },
	{ "it is required and has a default",
	    { { GOOD, .required = true, .initial = 1 } }, 1 },
	{ "no defaults of lists",
	    { { GOOD, .shape = RK_FIELD_OPTIONAL, .initial = 1 } }, 1 },
	{ "`initial_text` is for", { { GOOD, .initial_text = "x" } }, 1 },
	{ "`initial_float` is for", { { GOOD, .initial_float = 1 } }, 1 },
	{ "`initial` is for",
	    { { "A", 0, RK_FIELD_IS_BYTES, AT(b), .initial = 1 } }, 1 },
	{ "its default is too long",
	    { { "A", 0, RK_FIELD_IS_CHARS, AT(c),
	        .initial_text = "12345678" } },
	    1 },
	{ "its default does not fit the kind",
	    { { "A", 0, RK_FIELD_IS_U8, .size = 1, .initial = 256 } }, 1 },
	{ "its default does not fit the kind",
	    { { "A", 0, RK_FIELD_IS_I8, .size = 1, .initial = -129 } }, 1 },
	{ "its default does not fit the kind",
	    { { "A", 0, RK_FIELD_IS_F32, .size = 4, .initial_float = 1e39 } },
	    1 },
	{ "its least is more than its most", { { GOOD, .min = 5, .max = 4 } },
	    1 },
	{ "its least is less than nothing",
	    { { "A", 0, RK_FIELD_IS_BYTES, AT(b), .min = -1 } }, 1 },
	{ "no limits for this kind",
	    { { "A", 0, RK_FIELD_IS_BOOL, .size = 1, .max = 1 } }, 1 },
	{ "absent it is outside its limits", { { GOOD, .min = 1, .max = 4 } },
	    1 },
	{ "absent it is outside its limits",
	    { { GOOD, .min = 1, .max = 4, .initial = 5 } }, 1 },
	{ "absent it is outside its limits",
	    { { "A", 0, RK_FIELD_IS_F32, .size = 4, .max = 4,
	        .initial_float = (double)NAN } },
	    1 },
};

static void
test_bad_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_tables); i++) {
		const struct rk_record r = { .name = "any",
			.size = sizeof(struct any),
			.fields = bad_tables[i].f,
			.n = bad_tables[i].n };
		struct rk_error err;

		assert_int_equal(rk_type_check(&r, &err), RK_EINVAL);
		if (strstr(err.text, bad_tables[i].text) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
}

static void
test_bad_records(void **state)
{
	struct rk_field own[] = { { "A", 0, RK_FIELD_IS_RECORD, RK_FIELD_ONE, 0,
	    8, NULL, .about = "itself" } };
	struct rk_record self = { "self", 8, own, 1, 0 };
	struct rk_record twin = { "self", 8, NULL, 0, 0 };
	struct rk_error err;

	(void)state;
	own[0].of = &self;
	assert_int_equal(rk_type_check(&self, &err), RK_EINVAL);
	assert_string_equal(
	    err.text, "record self: lies inside itself, or too deep");
	own[0].of = &twin;
	assert_int_equal(rk_type_check(&self, &err), RK_EINVAL);
	assert_string_equal(err.text, "record self: two have this name");
	twin.name = "no name";
	assert_int_equal(rk_type_check(&self, &err), RK_EINVAL);
	twin.name = "twin";
	assert_int_equal(rk_type_check(&self, &err), RK_OK);
	twin.growth = 65;
	assert_int_equal(rk_type_check(&self, &err), RK_EINVAL);
	twin.growth = 0;
	twin.n = 1;
	assert_int_equal(rk_type_check(&self, &err), RK_EINVAL);
	assert_int_equal(rk_type_check(&every_record, &err), RK_OK);
	assert_int_equal(rk_type_check(&strict_record, &err), RK_OK);
}

static void
test_signatures(void **state)
{
	const struct rk_typed both = { .args = &strict_record,
		.reply = &every_record };
	const struct rk_value *v;
	struct rk_value_doc *doc;
	struct buf b;
	struct kv k = { .b = &b };
	char *text;

	(void)state;
	assert_int_equal(typed_signature(NULL, &text), RK_OK);
	assert_string_equal(text, "none");
	free(text);
	assert_int_equal(typed_signature(&node_record, &text), RK_OK);
	assert_string_equal(text, "{Value:int32, Next:*node, Children:[]node}");
	free(text);
	buf_init(&b, RK_PAYLOAD_MAX);
	typed_put_schema(&k, &both);
	assert_int_equal(k.r, RK_OK);
	assert_int_equal(
	    rk_value_decode(buf_peek(&b), buf_len(&b), &doc), RK_OK);
	v = rk_value_get(rk_value_root(doc), "types");
	assert_int_equal(v->u.list.count, 4);
	v = rk_value_get(v, "strict");
	assert_int_equal(v->u.list.count, 10);
	v = &v->u.list.items[0];
	assert_true(rk_value_get(v, "default")->u.u64 == 3);
	assert_true(rk_value_get(v, "max")->u.u64 == 9);
	rk_value_free(doc);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars_as_go_writes_them),
		cmocka_unit_test(test_composites_as_go_writes_them),
		cmocka_unit_test(test_zeros_are_left_out),
		cmocka_unit_test(test_defaults_are_sent),
		cmocka_unit_test(test_a_default_that_is_no_number),
		cmocka_unit_test(test_captured_structs),
		cmocka_unit_test(test_what_cannot_be_sent),
		cmocka_unit_test(test_json_and_back),
		cmocka_unit_test(test_view_shows_zeros_but_not_the_absent),
		cmocka_unit_test(test_view_of_the_deepest),
		cmocka_unit_test(test_nil_is_an_empty_record),
		cmocka_unit_test(test_bad_tables),
		cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_signatures),
	};

	return cmocka_run_group_tests_name("typed", tests, NULL, NULL);
}
