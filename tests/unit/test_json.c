/* JSON and msgpack, there and back, and what is refused where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "cli/json.h"

static const struct json_write compact = { .style = JSON_COMPACT };

/* Text of v, NUL-terminated; to be freed. */
static char *
text_of(const struct rk_value *v, const struct json_write *how)
{
	struct buf b;
	uint8_t *p;
	size_t len;

	buf_init(&b, 1 << 20);
	assert_int_equal(json_write(&b, v, how), RK_OK);
	assert_int_equal(buf_take(&b, &p, &len), RK_OK);
	return (char *)p;
}

/* The msgpack of a JSON text, in hex. */
static void
parses(const char *json, const char *hex)
{
	struct rk_value_doc *doc;
	struct rk_error err;
	uint8_t *bytes;
	size_t len;
	char *got;

	if (json_parse("t", json, strlen(json), &doc, &err) != RK_OK)
		fail_msg("%s: %s", json, err.text);
	assert_int_equal(
	    rk_value_encode(rk_value_root(doc), &bytes, &len), RK_OK);
	got = malloc(2 * len + 1);
	assert_non_null(got);
	str_hex(got, bytes, len);
	assert_string_equal(got, hex);
	free(got);
	free(bytes);
	rk_value_free(doc);
}

/* msgpack in hex as JSON, and the way back. */
static void
both(const char *hex, const char *json)
{
	uint8_t bytes[512];
	struct rk_value_doc *doc;
	size_t len;
	char *text;

	assert_int_equal(
	    str_unhex(hex, strlen(hex), bytes, sizeof(bytes), &len), RK_OK);
	assert_int_equal(rk_value_decode(bytes, len, &doc), RK_OK);
	text = text_of(rk_value_root(doc), &compact);
	assert_string_equal(text, json);
	parses(text, hex);
	free(text);
	rk_value_free(doc);
}

static void
refused(const char *json, enum rk_err code, const char *why)
{
	struct rk_value_doc *doc;
	struct rk_error err;

	assert_int_equal(json_parse("t", json, strlen(json), &doc, &err), code);
	assert_null(doc);
	assert_int_equal(err.code, code);
	assert_string_equal(err.text, why);
	assert_int_equal(json_parse("t", json, strlen(json), &doc, NULL), code);
}

static void
test_plain(void **state)
{
	(void)state;
	both("c0", "null");
	both("c2", "false");
	both("c3", "true");
	both("00", "0");
	both("7f", "127");
	both("ff", "-1");
	both("cf7fffffffffffffff", "9223372036854775807");
	both("cf8000000000000000", "9223372036854775808");
	both("cfffffffffffffffff", "18446744073709551615");
	both("d38000000000000000", "-9223372036854775808");
	both("cf0020000000000001", "9007199254740993");
	both("a0", "\"\"");
	both("a2c3a9", "\"\xc3\xa9\"");
	both("a300410a", "\"\\u0000A\\n\"");
	both("90", "[]");
	both("80", "{}");
	both("9301a1619100", "[1,\"a\",[0]]");
	both("82a162c0a16180", "{\"b\":null,\"a\":{}}");
	both("81a0c3", "{\"\":true}");
	parses(" [ 1 ,\n2 ] ", "920102");
	parses("\"\\ud83d\\ude00\"", "a4f09f9880");
	parses("-0", "00");
}

static void
test_floats(void **state)
{
	(void)state;
	both("cb3ff8000000000000", "1.5");
	both("cb3ff0000000000000", "1.0");
	both("cb8000000000000000", "-0.0");
	both("cb3fb999999999999a", "0.1");
	both("cb44b52d02c7e14af6", "1e+23");
	both("cb0000000000000001", "5e-324");
	both("cb7fefffffffffffff", "1.7976931348623157e+308");
	both("cb3fd5555555555555", "0.3333333333333333");
	both("cb7ff8000000000000", "{\"$f\":\"nan\"}");
	both("cb7ff0000000000000", "{\"$f\":\"inf\"}");
	both("cbfff0000000000000", "{\"$f\":\"-inf\"}");
	both("cbfff8000000000000", "{\"$f\":\"nan:fff8000000000000\"}");
	both("cb7ff0000000000001", "{\"$f\":\"nan:7ff0000000000001\"}");
	both("ca3fc00000", "{\"$f32\":1.5}");
	both("ca3dcccccd", "{\"$f32\":0.1}");
	both("ca80000000", "{\"$f32\":-0.0}");
	both("ca7f7fffff", "{\"$f32\":3.4028235e+38}");
	both("ca00000001", "{\"$f32\":1e-45}");
	both("ca7fc00000", "{\"$f32\":\"nan\"}");
	both("ca7f800000", "{\"$f32\":\"inf\"}");
	both("caff800000", "{\"$f32\":\"-inf\"}");
	both("ca7f800001", "{\"$f32\":\"nan:7f800001\"}");
	parses("{\"$f32\":2}", "ca40000000");
	parses("1e3", "cb408f400000000000");
}

static void
test_tags(void **state)
{
	(void)state;
	both("c403000102", "{\"$bin\":\"AAEC\"}");
	both("c400", "{\"$bin\":\"\"}");
	both("a1ff", "{\"$str\":\"/w==\"}");
	both("d40580", "{\"$ext\":[5,\"gA==\"]}");
	both("c700fe", "{\"$ext\":[-2,\"\"]}");
	parses("{\"$hex\":\"00FF\"}", "c40200ff");
	parses("{\"$hex\":\"\"}", "c400");
	parses("{\"$bin\":\"gA\"}", "c40180");
	/* Keys that would be tags. */
	both("81a42462696ea17b", "{\"$$bin\":\"{\"}");
	both("81a12401", "{\"$$\":1}");
	both("81a2242401", "{\"$$$\":1}");
	both("82a2246101a16202", "{\"$$a\":1,\"b\":2}");
	/* Keys that JSON does not have. */
	both("810102", "{\"$map\":[[1,2]]}");
	both("82a16101a16102", "{\"$map\":[[\"a\",1],[\"a\",2]]}");
	both("83a16101a16203a16102",
	    "{\"$map\":[[\"a\",1],[\"b\",3],[\"a\",2]]}");
	both("81a1ff01", "{\"$map\":[[{\"$str\":\"/w==\"},1]]}");
	both("81a1000a", "{\"$map\":[[\"\\u0000\",10]]}");
	both("81810102a0", "{\"$map\":[[{\"$map\":[[1,2]]},\"\"]]}");
	both("82a12401c0c0", "{\"$map\":[[\"$\",1],[null,null]]}");
	parses("{\"$map\":[]}", "80");
}

static void
test_times(void **state)
{
	(void)state;
	both("d6ff00000000", "{\"$ts\":\"1970-01-01T00:00:00Z\"}");
	both("d6ff690749df", "{\"$ts\":\"2025-11-02T12:09:03Z\"}");
	both("d7ff00000004690749df",
	    "{\"$ts\":\"2025-11-02T12:09:03.000000001Z\"}");
	both("d7ffee6b27fc690749df",
	    "{\"$ts\":\"2025-11-02T12:09:03.999999999Z\"}");
	both("d7ff0000000100000000", "{\"$ts\":\"2106-02-07T06:28:16Z\"}");
	both("c70cff00000000ffffffffffffffff",
	    "{\"$ts\":\"1969-12-31T23:59:59Z\"}");
	both("c70cff00000000fffffff1886e0900",
	    "{\"$ts\":\"0001-01-01T00:00:00Z\"}");
	both("c70cff0000000a0000003afff4417f",
	    "{\"$ts\":\"9999-12-31T23:59:59.000000010Z\"}");
	/* Another form than the shortest, or beyond the years. */
	both("d7ff0000000000000001", "{\"$ext\":[-1,\"AAAAAAAAAAE=\"]}");
	both("d7ffffffffff00000001", "{\"$ext\":[-1,\"/////wAAAAE=\"]}");
	both("c70cff000000000000003afff44180",
	    "{\"$ext\":[-1,\"AAAAAAAAADr/9EGA\"]}");
	both("d4ff00", "{\"$ext\":[-1,\"AA==\"]}");
	parses("{\"$ts\":\"2024-02-29T23:59:59.5Z\"}", "d7ff7735940065e11a7f");
	parses("{\"$ts\":\"2000-02-29T00:00:00.000Z\"}", "d6ff38bb0c00");
}

static void
test_refused(void **state)
{
	static const char range[] = "integer not from -2^63 to 2^64-1";
	char want[128];

	(void)state;
	(void)snprintf(want, sizeof(want), "t:1:1: %s", range);
	refused("18446744073709551616", RK_EFORMAT, want);
	refused("-9223372036854775809", RK_EFORMAT, want);
	refused("99999999999999999999999999999999999999", RK_EFORMAT, want);
	(void)snprintf(want, sizeof(want), "t:3:6: %s", range);
	refused("[\n\n \"\xc3\xa9\",18446744073709551616]", RK_EFORMAT, want);
	/* A large integer before the fault does not move it. */
	refused("[18446744073709551615,x]", RK_EFORMAT,
	    "t:1:23: invalid token near 'x'");
	refused("{\"a\":1,\n \"a\":2}", RK_EFORMAT,
	    "t:2:4: duplicate object key near '\"a\"'");
	refused("{\"$$a\":1,\"$$a\":2}", RK_EFORMAT,
	    "t:1:14: duplicate object key near '\"$$a\"'");
	refused("1 2", RK_EFORMAT, "t:1:3: something follows the value");
	refused("", RK_EFORMAT, "t:1:1: ends too early");
	refused("[1,", RK_EFORMAT, "t:1:4: ends too early");
	refused("\"a", RK_EFORMAT, "t:1:3: ends too early");
	refused("{\"a\\u0000\":1}", RK_EFORMAT,
	    "t:1:10: NUL in a key, which only {\"$map\":...} can have");
	refused(
	    "1e999", RK_EFORMAT, "t:1:5: real number overflow near '1e999'");
	refused("00000000000000000000000000001", RK_EFORMAT,
	    "t:1:1: invalid token near '0'");
	refused("{\"$foo\":1}", RK_EFORMAT,
	    "t: $foo: not known here; a key with a $ is written with $$");
	refused("{\"$bin\":\"\",\"a\":1}", RK_EFORMAT,
	    "t: $bin: not known here; a key with a $ is written with $$");
	refused("[18446744073709551615,{\"$#\":0}]", RK_EFORMAT,
	    "t: $#: not known here");
	refused("{\"$#\":0}", RK_EFORMAT, "t: $#: not known here");
}

static void
test_bad_tags(void **state)
{
	static const char *const texts[] = {
		"{\"$bin\":1}",
		"{\"$bin\":\"A\"}",
		"{\"$bin\":\"A A=\"}",
		"{\"$hex\":\"0\"}",
		"{\"$hex\":\"0g\"}",
		"{\"$hex\":[]}",
		"{\"$str\":{}}",
		"{\"$f\":1}",
		"{\"$f\":\"1\"}",
		"{\"$f\":\"nan:3ff0000000000000\"}",
		"{\"$f\":\"nan:7ff8\"}",
		"{\"$f32\":null}",
		"{\"$f32\":\"nan:3f800000\"}",
		"{\"$f32\":\"nan:7ff8000000000001\"}",
		"{\"$ext\":[]}",
		"{\"$ext\":[128,\"\"]}",
		"{\"$ext\":[-129,\"\"]}",
		"{\"$ext\":[1.0,\"\"]}",
		"{\"$ext\":[1,\"\",1]}",
		"{\"$ext\":[1,2]}",
		"{\"$ext\":\"x\"}",
		"{\"$map\":{}}",
		"{\"$map\":[1]}",
		"{\"$map\":[[1]]}",
		"{\"$map\":[[1,2,3]]}",
		"{\"$map\":[{\"a\":1}]}",
		"{\"$ts\":1}",
		"{\"$ts\":\"\"}",
		"{\"$ts\":\"2025-02-29T00:00:00Z\"}",
		"{\"$ts\":\"2100-02-29T00:00:00Z\"}",
		"{\"$ts\":\"2025-13-01T00:00:00Z\"}",
		"{\"$ts\":\"2025-00-01T00:00:00Z\"}",
		"{\"$ts\":\"2025-01-00T00:00:00Z\"}",
		"{\"$ts\":\"0000-01-01T00:00:00Z\"}",
		"{\"$ts\":\"2025-01-01T24:00:00Z\"}",
		"{\"$ts\":\"2025-01-01T00:60:00Z\"}",
		"{\"$ts\":\"2025-01-01T00:00:60Z\"}",
		"{\"$ts\":\"2025-01-01T00:00:00\"}",
		"{\"$ts\":\"2025-01-01T00:00:00.Z\"}",
		"{\"$ts\":\"2025-01-01T00:00:00.1234567890Z\"}",
		"{\"$ts\":\"2025-01-01T00:00:00Zx\"}",
		"{\"$ts\":\"2025-01-01 00:00:00Z\"}",
	};
	struct rk_value_doc *doc;
	struct rk_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (json_parse("t", texts[i], strlen(texts[i]), &doc, &err) !=
		    RK_EFORMAT)
			fail_msg("%s", texts[i]);
		assert_null(doc);
	}
	refused("{\"$f32\":1e39}", RK_ETOOBIG, "t: value: too large");
	refused("{\"$f32\":3.4028235677973366e38}", RK_ETOOBIG,
	    "t: value: too large");
}

/* n containers around nothing, in either language. */
static void
nest(char *dst, unsigned n, const char *left, const char *right)
{
	*dst = '\0';
	for (unsigned i = 0; i < n; i++, dst += strlen(left))
		memcpy(dst, left, strlen(left) + 1);
	memcpy(dst, "1", 2);
	for (dst++; n > 0; n--, dst += strlen(right))
		memcpy(dst, right, strlen(right) + 1);
}

static void
test_depth(void **state)
{
	static char text[4096];
	struct rk_value_doc *doc;
	uint8_t bytes[64];
	char *back;

	(void)state;
	/* The deepest value in its longest form comes back. */
	memset(bytes, 0x81, 16);
	memset(bytes + 16, 0x01, 17);
	assert_int_equal(rk_value_decode(bytes, 33, &doc), RK_OK);
	back = text_of(rk_value_root(doc), &compact);
	rk_value_free(doc);
	assert_int_equal(
	    json_parse("t", back, strlen(back), &doc, NULL), RK_OK);
	free(back);
	rk_value_free(doc);
	nest(text, 17, "[", "]");
	refused(text, RK_ETOOBIG, "t: value: nested too deep");
	nest(text, 17, "{\"a\":", "}");
	refused(text, RK_ETOOBIG, "t: value: nested too deep");
	nest(text, 17, "{\"$map\":[[", ",1]]}");
	refused(text, RK_ETOOBIG, "t: value: nested too deep");
	nest(text, 65, "[", "]");
	refused(text, RK_ETOOBIG, "t:1:65: nested too deep");
	memset(text, '[', sizeof(text) - 1);
	refused(text, RK_ETOOBIG, "t:1:65: nested too deep");
}

static void
test_truncated(void **state)
{
	static const char text[] =
	    " {\"a\":[1,-2.5e3,{\"$bin\":\"AAEC\"}],\"b\\u00e9\\n\":"
	    "{\"$map\":[[18446744073709551615,\"\xc3\xa9\"]]},"
	    "\"c\":{\"$ts\":\"2025-01-01T00:00:00.5Z\"}}";
	struct rk_value_doc *doc;
	struct rk_error err;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		/* A block of its own, so that a read behind it is seen. */
		char *copy = malloc(n + 1);

		assert_non_null(copy);
		memcpy(copy, text, n);
		assert_int_equal(
		    json_parse("t", copy, n, &doc, &err), RK_EFORMAT);
		assert_int_equal(strncmp(err.text, "t:1:", 4), 0);
		free(copy);
	}
	assert_int_equal(
	    json_parse("t", text, sizeof(text) - 1, &doc, &err), RK_OK);
	rk_value_free(doc);
}

static void
test_styles(void **state)
{
	static const char in[] = "{\"a\":[1,{}],\"b\":{\"$map\":[[1,[2]]]},"
	                         "\"n\":9007199254740993,"
	                         "\"m\":-9007199254740992,\"t\":true}";
	struct json_write how = { .style = JSON_PRETTY, .int_strings = true };
	struct rk_value_doc *doc;
	char *text;

	(void)state;
	assert_int_equal(json_parse("t", in, strlen(in), &doc, NULL), RK_OK);
	text = text_of(rk_value_root(doc), &how);
	assert_string_equal(text, "{\n  \"a\": [\n    1,\n    {}\n  ],\n"
	                          "  \"b\": {\"$map\": [\n    [1, [\n"
	                          "      2\n    ]]\n  ]},\n"
	                          "  \"n\": \"9007199254740993\",\n"
	                          "  \"m\": -9007199254740992,\n"
	                          "  \"t\": true\n}");
	free(text);
	how = (struct json_write){ .color = true };
	text = text_of(rk_value_get(rk_value_root(doc), "a"), &how);
	assert_string_equal(text, "[\033[33m1\033[0m,{}]");
	free(text);
	rk_value_free(doc);
}

static void
test_shorten(void **state)
{
	static const uint8_t zeros[1234567];
	struct json_write how = { .shorten = true };
	struct rk_value_doc *doc;
	struct rk_value *v;
	char *text;

	(void)state;
	assert_int_equal(rk_value_new(&doc), RK_OK);
	v = rk_value_root(doc);
	assert_int_equal(rk_value_set_bytes(doc, v, RK_BIN, zeros, 64), RK_OK);
	text = text_of(v, &how);
	assert_null(strstr(text, "..."));
	free(text);
	assert_int_equal(rk_value_set_bytes(doc, v, RK_BIN, zeros, 65), RK_OK);
	text = text_of(v, &how);
	assert_string_equal(text, "{\"$bin\":\"AAAAAAAAAAAAAAAA...(65 B)\"}");
	free(text);
	assert_int_equal(
	    rk_value_set_bytes(doc, v, RK_BIN, zeros, sizeof(zeros)), RK_OK);
	text = text_of(v, &how);
	assert_string_equal(text, "{\"$bin\":\"AAAAAAAAAAAAAAAA...(1.2 MB)\"}");
	free(text);
	rk_value_free(doc);
}

static void
test_limits(void **state)
{
	struct rk_value_doc *doc;
	struct rk_value *v;
	struct buf b;

	(void)state;
	/* A buffer that is too small is left as it was. */
	assert_int_equal(json_parse("t", "[1,2,\"$abc\",{\"$bin\":\"AAEC\"}]",
	                     28, &doc, NULL),
	    RK_OK);
	for (size_t max = 2; max < 29; max++) {
		buf_init(&b, max);
		assert_int_equal(buf_put(&b, "x", 1), RK_OK);
		assert_int_equal(
		    json_write(&b, rk_value_root(doc), &compact), RK_ETOOBIG);
		assert_int_equal(buf_len(&b), 1);
		buf_fini(&b);
	}
	rk_value_free(doc);
	/* A tree deeper than any that was read. */
	assert_int_equal(rk_value_new(&doc), RK_OK);
	v = rk_value_root(doc);
	for (int i = 0; i < 17; i++) {
		assert_int_equal(rk_value_set_list(doc, v, RK_ARRAY, 1), RK_OK);
		v = v->u.list.items;
	}
	buf_init(&b, 1000);
	assert_int_equal(
	    json_write(&b, rk_value_root(doc), &compact), RK_ETOOBIG);
	buf_fini(&b);
	rk_value_free(doc);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bad_tags),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_styles),
		cmocka_unit_test(test_shorten),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
