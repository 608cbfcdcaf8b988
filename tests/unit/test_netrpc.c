/* Payloads of Go's net/rpc: as captured, damaged, and what names are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rpc/frame.h"
#include "rpc/msg.h"
#include "rpc/netrpc.h"
#include "rpc/server_int.h"
#include "vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct rk_str
view(const char *s)
{
	return (struct rk_str){ s, strlen(s) };
}

static bool
is(struct rk_str s, const char *text)
{
	return s.len == strlen(text) &&
	       (s.len == 0 || memcmp(s.ptr, text, s.len) == 0);
}

/* What each captured frame says; and written again it is the same. */
static void
test_captures(void **state)
{
	static const struct {
		const char *name;
		size_t n;
		const char *method;
		uint64_t seq;
		const char *error;
		size_t value_len;
	} rows[] = {
		{ "netrpc-c2s", 0, "Arith.Add", 2, "", 29 },
		{ "netrpc-c2s", 1, "Arith.Div", 4, "", 14 },
		{ "netrpc-c2s", 2, "Arith.Nope", 6, "", 14 },
		{ "netrpc-s2c", 0, "Arith.Add", 2, "", 16 },
		{ "netrpc-s2c", 1, "Arith.Div", 4, "divide by zero", 1 },
		{ "netrpc-s2c", 2, "Arith.Nope", 6,
		    "rpc: can't find method Arith.Nope", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rk_bytes value;
		struct netrpc h;
		struct msg m;
		struct buf payload, again;
		size_t len;
		uint8_t *frame = vectors_frame(rows[i].name, rows[i].n, &len);

		assert_int_equal(msg_decode(frame + FRAME_HEAD_LEN,
		                     len - FRAME_HEAD_LEN, &m, NULL),
		    RK_OK);
		assert_int_equal(netrpc_decode(m.payload, &h, &value), RK_OK);
		assert_true(is(h.method, rows[i].method));
		assert_true(is(h.error, rows[i].error));
		assert_true(h.seq == rows[i].seq);
		assert_int_equal(value.len, rows[i].value_len);
		assert_int_equal(netrpc_is_unknown(&h), i == 5);
		/* The whole frame, with its payload made by us. */
		buf_init(&payload, 65536);
		buf_init(&again, 65536);
		if (h.error.len != 0)
			value.len = 0;
		assert_int_equal(netrpc_encode(&payload, &h, value), RK_OK);
		m.payload =
		    (struct rk_bytes){ buf_peek(&payload), buf_len(&payload) };
		assert_int_equal(msg_encode(&again, &m, NULL, 0), RK_OK);
		assert_int_equal(buf_len(&again), len);
		assert_memory_equal(buf_peek(&again), frame, len);
		buf_fini(&payload);
		buf_fini(&again);
		free(frame);
	}
}

static const char sample[] = "\x83\xb7ServiceMethod_zid00_str\xa3"
                             "A.B"
                             "\xadSeq_zid01_u64\xcd\x01\x00"
                             "\xaf"
                             "Error_zid02_str\xa1!"
                             "\x81\xa1x\x01";

static void
test_cut_and_flipped(void **state)
{
	const size_t header = sizeof(sample) - 1 - 4;
	uint8_t copy[sizeof(sample)];
	struct rk_bytes p = { copy, 0 };
	struct rk_bytes value;
	struct netrpc h;

	(void)state;
	for (size_t n = 0; n < sizeof(sample); n++) {
		/* A copy of its own, so that the sanitizer sees its end. */
		uint8_t *cut = malloc(n + 1);
		enum rk_err r;

		memcpy(cut, sample, n);
		cut = realloc(cut, n == 0 ? 1 : n);
		r = netrpc_decode((struct rk_bytes){ cut, n }, &h, &value);
		assert_int_equal(r, n < header ? RK_EPROTO : RK_OK);
		assert_int_equal(value.len, n < header ? 0 : n - header);
		free(cut);
	}
	for (size_t i = 0; i < sizeof(sample) - 1; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			memcpy(copy, sample, sizeof(sample));
			copy[i] = (uint8_t)(copy[i] ^ (1U << bit));
			p.len = sizeof(sample) - 1;
			if (netrpc_decode(p, &h, &value) == RK_OK)
				assert_true(
				    value.len < p.len && h.method.len < p.len);
		}
	}
}

static void
test_headers(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum rk_err r;
	} rows[] = {
#define ROW(r, text) { text, sizeof(text) - 1, r }
		ROW(RK_OK, "\x80"),
		ROW(RK_OK, "\x81\xa1x\x91\x80"),
		ROW(RK_OK, "\x81\xb7ServiceMethod_zid00_str\xc0"),
		ROW(RK_OK, "\xde\x00\x01\xadSeq_zid01_u64\xd3"
		           "\x00\x00\x00\x00\x00\x00\x00\x05"),
		ROW(RK_EPROTO, "\x90"),
		ROW(RK_EPROTO, "\xc0"),
		ROW(RK_EPROTO, "\x81\x01\x01"),
		ROW(RK_EPROTO, "\x81\xb7ServiceMethod_zid00_str\x01"),
		ROW(RK_EPROTO, "\x81\xadSeq_zid01_u64\xff"),
		ROW(RK_EPROTO, "\x81\xadSeq_zid01_u64\xa1x"),
		ROW(RK_EPROTO,
		    "\x82\xadSeq_zid01_u64\x01\xadSeq_zid01_u64\x01"),
		ROW(RK_EPROTO, "\xdf\xff\xff\xff\xff"),
		ROW(RK_EPROTO, "\x81\xa1x\xdd\xff\xff\xff\xff"),
#undef ROW
	};
	struct rk_bytes value;
	struct netrpc h;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rk_bytes p = { (const uint8_t *)rows[i].bytes,
			rows[i].len };

		if (netrpc_decode(p, &h, &value) != rows[i].r)
			fail_msg("row %zu", i);
	}
	assert_int_equal(
	    netrpc_decode((struct rk_bytes){ 0 }, &h, &value), RK_EPROTO);
}

static void
test_names_are_bounded(void **state)
{
	char name[NETRPC_NAME_MAX + 2];
	struct netrpc h = { .method = { name, NETRPC_NAME_MAX } };
	struct rk_bytes value, p;
	char text[NETRPC_TEXT_MAX];
	struct netrpc back;
	struct buf b;

	(void)state;
	memset(name, 'x', sizeof(name));
	for (size_t over = 0; over < 2; over++) {
		buf_init(&b, 65536);
		h.method.len = NETRPC_NAME_MAX + over;
		assert_int_equal(
		    netrpc_encode(&b, &h, (struct rk_bytes){ 0 }), RK_OK);
		p = (struct rk_bytes){ buf_peek(&b), buf_len(&b) };
		assert_int_equal(netrpc_decode(p, &back, &value),
		    over == 0 ? RK_OK : RK_EPROTO);
		netrpc_text(text, NETRPC_ILL_FORMED, h.method);
		assert_int_equal(strlen(text), NETRPC_NAME_MAX + 40);
		buf_fini(&b);
	}
}

static void
test_texts(void **state)
{
	struct netrpc h = { .method = view("A.B") };
	char text[NETRPC_TEXT_MAX];

	(void)state;
	netrpc_text(text, NETRPC_NO_METHOD, view("A.B"));
	assert_string_equal(text, "rpc: can't find method A.B");
	netrpc_text(text, NETRPC_NO_SERVICE, view("A.B"));
	assert_string_equal(text, "rpc: can't find service A.B");
	netrpc_text(text, NETRPC_ILL_FORMED, view("AB"));
	assert_string_equal(text, "rpc: service/method request ill-formed: AB");
	netrpc_text(text, NETRPC_ILL_FORMED, (struct rk_str){ 0 });
	assert_string_equal(text, "rpc: service/method request ill-formed: ");
	h.error = view("rpc: can't find method A.B");
	assert_true(netrpc_is_unknown(&h));
	h.error = view("rpc: can't find method A.C");
	assert_false(netrpc_is_unknown(&h));
	h.error = view("rpc: can't find service A.B");
	assert_true(netrpc_is_unknown(&h));
	h.error = view("");
	assert_false(netrpc_is_unknown(&h));
}

static void
answer_nothing(struct rk_call *call, void *arg)
{
	(void)call;
	(void)arg;
}

/* The outer name is no promise: nothing of it may run before it is known that
 * no recording is played. */
static void
test_never_early(void **state)
{
	const struct rk_method list[] = {
		{ .name = "A.Marked",
		    .fn = answer_nothing,
		    .idempotent = true },
		{ .name = "A.Plain", .fn = answer_nothing },
	};
	struct msg m = { .hdr = { .type = RK_TYPE_CALL,
		             .to_service = view("A.Marked") } };
	struct worker w = { .index = 0 };
	const struct server_conn c = { .worker = &w };

	(void)state;
	assert_int_equal(methods_new(list, 2, &w.methods, NULL), RK_OK);
	assert_true(call_may_be_early(&c, &m));
	m.hdr.type = RK_TYPE_NETRPC;
	assert_false(call_may_be_early(&c, &m));
	m.hdr.to_service = view("A.Nope");
	assert_false(call_may_be_early(&c, &m));
	methods_free(w.methods);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captures),
		cmocka_unit_test(test_cut_and_flipped),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_names_are_bounded),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_never_early),
	};

	return cmocka_run_group_tests_name("net/rpc", tests, NULL, NULL);
}
