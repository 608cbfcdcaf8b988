/* Messages out: order, omission, exact bytes, limits; and what comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "rpc/frame.h"
#include "rpc/msg.h"
#include "vectors.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define STR(s)                                   \
	{                                        \
		.ptr = (s), .len = sizeof(s) - 1 \
	}

static void
assert_str(struct rk_str got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	if (got.len > 0)
		assert_memory_equal(got.ptr, want, got.len);
}

static void
assert_time(const struct rk_time *a, const struct rk_time *b)
{
	assert_true(
	    a->is_set == b->is_set && a->sec == b->sec && a->nsec == b->nsec);
}

static void
assert_same_str(const struct rk_str *a, const struct rk_str *b)
{
	assert_int_equal(a->len, b->len);
	if (a->len > 0)
		assert_memory_equal(a->ptr, b->ptr, a->len);
}

static void
assert_same_msg(const struct msg *a, const struct msg *b)
{
	const struct rk_header *x = &a->hdr;
	const struct rk_header *y = &b->hdr;

	assert_time(&x->created, &y->created);
	assert_time(&x->local_recv, &y->local_recv);
	assert_time(&x->deadline, &y->deadline);
	assert_same_str(&x->from, &y->from);
	assert_same_str(&x->to, &y->to);
	assert_same_str(&x->to_service, &y->to_service);
	assert_same_str(&x->to_version, &y->to_version);
	assert_same_str(&x->from_service, &y->from_service);
	assert_same_str(&x->from_version, &y->from_version);
	assert_same_str(&x->subject, &y->subject);
	assert_same_str(&x->call_id, &y->call_id);
	assert_same_str(&x->to_peer_id, &y->to_peer_id);
	assert_same_str(&x->to_peer_name, &y->to_peer_name);
	assert_same_str(&x->from_peer_id, &y->from_peer_id);
	assert_same_str(&x->from_peer_name, &y->from_peer_name);
	assert_true(
	    x->seqno == y->seqno && x->type == y->type &&
	    x->serial == y->serial && x->stream_part == y->stream_part &&
	    x->frag_op == y->frag_op && x->no_compression == y->no_compression);
	assert_same_str(&a->error, &b->error);
	assert_int_equal(a->payload.len, b->payload.len);
	if (a->payload.len > 0)
		assert_memory_equal(
		    a->payload.ptr, b->payload.ptr, a->payload.len);
}

/* Encode, split and decode again. */
static void
round_trip(struct buf *b, const struct msg *m, const struct rk_arg *args,
    size_t n_args, struct msg *back)
{
	struct rk_error err;
	struct frame f;

	buf_init(b, FRAME_HEAD_LEN + RK_BODY_MAX);
	assert_int_equal(msg_encode(b, m, args, n_args), RK_OK);
	assert_int_equal(
	    frame_split(buf_peek(b), buf_len(b), &f, NULL, &err), RK_OK);
	assert_int_equal(f.code, FRAME_PLAIN);
	assert_int_equal(f.total, buf_len(b));
	assert_int_equal(msg_decode(f.body.ptr, f.body.len, back, &err), RK_OK);
	assert_same_msg(m, back);
}

static void
test_keepalive_to_the_byte(void **state)
{
	struct msg m = { .hdr = { .type = RK_TYPE_KEEPALIVE,
		             .subject = STR("abc") } };
	uint8_t want[80];
	size_t n = vectors_unhex(want, sizeof(want),
	    "b35d1839ac8e1d00 0000000000000035"
	    "81 ad 4844525f7a696430305f726374"
	    "82 b1 5375626a6563745f7a696430385f737472 a3 616263"
	    "ad 5479705f7a696431305f726374 66");
	struct msg back;
	struct buf b;

	(void)state;
	round_trip(&b, &m, NULL, 0, &back);
	assert_int_equal(buf_len(&b), n);
	assert_memory_equal(buf_peek(&b), want, n);
	buf_fini(&b);
}

static void
test_empty_message_has_a_header(void **state)
{
	struct msg m = { .hdr = { .type = 0 } };
	uint8_t want[40];
	size_t n = vectors_unhex(want, sizeof(want),
	    "b35d1839ac8e1d00 0000000000000010"
	    "81 ad 4844525f7a696430305f726374 80");
	struct msg back;
	struct buf b;

	(void)state;
	round_trip(&b, &m, NULL, 0, &back);
	assert_int_equal(buf_len(&b), n);
	assert_memory_equal(buf_peek(&b), want, n);
	buf_fini(&b);
}

static struct msg
full_msg(void)
{
	struct msg m = { .hdr = { .created = { 1, 2, true },
		             .from = STR("tcp://127.0.0.1:1"),
		             .to = STR("tcp://[::1]:5"),
		             .to_service = STR("a.b"),
		             .to_version = STR("v1"),
		             .from_service = STR("c"),
		             .from_version = STR("v2"),
		             .subject = STR("s"),
		             .seqno = UINT64_MAX,
		             .type = -1,
		             .call_id = STR("id"),
		             .serial = INT64_MIN,
		             .local_recv = { 3, 4, true },
		             .deadline = { INT64_MIN, 999999999, true },
		             .stream_part = INT64_MAX,
		             .no_compression = true,
		             .to_peer_id = STR("p1"),
		             .to_peer_name = STR("p2"),
		             .from_peer_id = STR("p3"),
		             .from_peer_name = STR("p4"),
		             .frag_op = 128 },
		.payload = { .ptr = (const uint8_t *)"xyz", .len = 3 },
		.error = STR("bad") };

	return m;
}

/* 22 fields: the count takes three bytes, and ids ascend. */
static void
test_every_field(void **state)
{
	static const struct rk_arg args[] = {
		{ STR("k"), STR("v") },
		{ STR("k2"), STR("") },
	};
	struct msg m = full_msg();
	struct rk_arg arg;
	size_t offset = 0;
	struct msg back;
	struct buf b;
	struct buf again;

	(void)state;
	round_trip(&b, &m, args, COUNT(args), &back);
	assert_memory_equal(
	    buf_peek(&b) + 16, "\x83\xadHDR_zid00_rct\xde\x00\x16", 18);
	assert_int_equal(back.hdr.args.count, 2);
	assert_true(rk_args_next(&back.hdr.args, &offset, &arg));
	assert_str(arg.key, "k");
	assert_str(arg.value, "v");
	assert_true(rk_args_next(&back.hdr.args, &offset, &arg));
	assert_str(arg.key, "k2");
	assert_str(arg.value, "");
	assert_false(rk_args_next(&back.hdr.args, &offset, &arg));
	assert_null(arg.key.ptr);
	/* The decoded message encodes to the same bytes. */
	round_trip(&again, &back, NULL, 0, &m);
	assert_int_equal(buf_len(&again), buf_len(&b));
	assert_memory_equal(buf_peek(&again), buf_peek(&b), buf_len(&b));
	buf_fini(&again);
	buf_fini(&b);
}

static void
test_args_get(void **state)
{
	static const struct rk_arg args[] = {
		{ STR(""), STR("empty") },
		{ STR("a"), STR("1") },
		{ STR("ab"), STR("2") },
		{ STR("a"), STR("3") },
	};
	struct msg m = { .hdr = { .type = 1 } };
	struct rk_args none = { .count = 0 };
	struct rk_str v;
	struct msg back;
	struct buf b;

	(void)state;
	round_trip(&b, &m, args, COUNT(args), &back);
	assert_true(rk_args_get(&back.hdr.args, "", &v));
	assert_str(v, "empty");
	assert_true(rk_args_get(&back.hdr.args, "a", &v));
	assert_str(v, "1");
	assert_true(rk_args_get(&back.hdr.args, "ab", &v));
	assert_str(v, "2");
	assert_false(rk_args_get(&back.hdr.args, "abc", &v));
	assert_null(v.ptr);
	assert_false(rk_args_get(&none, "a", &v));
	buf_fini(&b);
	/* An empty list of arguments hides those of the header. */
	m.hdr.args = back.hdr.args;
	round_trip(&b, &m, args, 0, &back);
	assert_int_equal(back.hdr.args.count, 0);
	buf_fini(&b);
}

static void
test_scalar_boundaries(void **state)
{
	static const int64_t values[] = { 1, 31, 32, 127, 128, 255, 256, 32767,
		32768, 65535, 65536, INT32_MAX, (int64_t)INT32_MAX + 1,
		UINT32_MAX, (int64_t)UINT32_MAX + 1, INT64_MAX, -1, -32, -33,
		-127, -128, -129, -32768, -32769, INT32_MIN,
		(int64_t)INT32_MIN - 1, INT64_MIN };
	struct msg back;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		struct msg m = { .hdr = { .seqno = (uint64_t)values[i],
			             .type = values[i],
			             .serial = values[i],
			             .stream_part = values[i],
			             .frag_op = values[i] } };

		round_trip(&b, &m, NULL, 0, &back);
		buf_fini(&b);
	}
}

static void
test_string_boundaries(void **state)
{
	static const size_t lens[] = { 0, 1, 31, 32, 255, 256, 65000 };
	char *text = malloc(65001);
	struct msg back;
	struct buf b;

	(void)state;
	memset(text, 'x', 65001);
	for (size_t i = 0; i < COUNT(lens); i++) {
		struct rk_str s = { .ptr = text, .len = lens[i] };
		struct msg m = { .hdr = { .subject = s },
			.payload = { .ptr = (uint8_t *)text, .len = s.len },
			.error = s };

		round_trip(&b, &m, NULL, 0, &back);
		buf_fini(&b);
	}
	free(text);
}

/* The largest body exactly, in a buffer with room for just that frame. */
static void
test_body_maximum(void **state)
{
	/* map, HDR key, empty map, JobSerz key, bin32 head */
	size_t overhead = 1 + 14 + 1 + 18 + 5;
	uint8_t *data = calloc(1, RK_BODY_MAX);
	struct msg m = { .payload = {
		             .ptr = data, .len = RK_BODY_MAX - overhead } };
	struct msg back;
	struct buf b;

	(void)state;
	round_trip(&b, &m, NULL, 0, &back);
	assert_int_equal(buf_len(&b), FRAME_HEAD_LEN + RK_BODY_MAX);
	/* Full: not even the smallest message fits, nothing changes. */
	m.payload.len = 0;
	assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_ETOOBIG);
	assert_int_equal(buf_len(&b), FRAME_HEAD_LEN + RK_BODY_MAX);
	buf_fini(&b);
	buf_init(&b, SIZE_MAX);
	m.payload.len = RK_BODY_MAX - overhead + 1;
	assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_ETOOBIG);
	assert_int_equal(buf_len(&b), 0);
	/* Payload and error together count too. */
	m.payload.len = RK_PAYLOAD_MAX;
	m.error = (struct rk_str){ .ptr = (char *)data,
		.len = RK_BODY_MAX - RK_PAYLOAD_MAX };
	assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_ETOOBIG);
	assert_int_equal(buf_len(&b), 0);
	buf_fini(&b);
	free(data);
}

static void
test_header_maximum(void **state)
{
	/* map, HDR key, map(1), Subject key, str16 head */
	size_t overhead = 1 + 14 + 1 + 18 + 3;
	char *text = calloc(1, MSG_HEADER_MAX);
	struct msg m = { .hdr = { .subject = { .ptr = text,
		                      .len = MSG_HEADER_MAX - overhead } } };
	struct rk_error err;
	struct msg back;
	uint8_t *body;
	struct buf b;

	(void)state;
	round_trip(&b, &m, NULL, 0, &back);
	/* One byte more, as another peer may send it. */
	body = malloc(MSG_HEADER_MAX + 10);
	memcpy(body, buf_peek(&b) + FRAME_HEAD_LEN, MSG_HEADER_MAX);
	assert_int_equal(msg_decode(body, MSG_HEADER_MAX, &back, &err), RK_OK);
	body[0] = 0x82;
	memcpy(body + MSG_HEADER_MAX, "\xa1?\xc0", 3);
	assert_int_equal(
	    msg_decode(body, MSG_HEADER_MAX + 3, &back, &err), RK_EPROTO);
	assert_non_null(strstr(err.text, "besides the payload"));
	buf_fini(&b);
	m.hdr.subject.len++;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_ETOOBIG);
	assert_int_equal(buf_len(&b), 0);
	buf_fini(&b);
	free(body);
	free(text);
}

static void
test_args_maximum(void **state)
{
	static struct rk_arg args[RK_ARGS_MAX + 1];
	struct msg m = { .hdr = { .type = 1 } };
	struct rk_arg arg;
	size_t offset = 0;
	size_t n = 0;
	struct msg back;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < COUNT(args); i++)
		args[i] = (struct rk_arg){ STR("key"), STR("value") };
	round_trip(&b, &m, args, RK_ARGS_MAX, &back);
	while (rk_args_next(&back.hdr.args, &offset, &arg))
		n++;
	assert_int_equal(n, RK_ARGS_MAX);
	assert_int_equal(back.hdr.args.count, RK_ARGS_MAX);
	buf_fini(&b);
	buf_init(&b, SIZE_MAX);
	assert_int_equal(msg_encode(&b, &m, args, RK_ARGS_MAX + 1), RK_ETOOBIG);
	m.hdr.args.count = RK_ARGS_MAX + 1;
	assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_ETOOBIG);
	assert_int_equal(buf_len(&b), 0);
	buf_fini(&b);
}

/* A buffer one byte too small for each frame refuses it untouched. */
static void
test_full_buffer(void **state)
{
	struct msg m = full_msg();
	struct buf b;
	struct buf tight;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_OK);
	buf_init(&tight, 3 + buf_len(&b));
	assert_int_equal(buf_put(&tight, "abc", 3), RK_OK);
	assert_int_equal(msg_encode(&tight, &m, NULL, 0), RK_OK);
	assert_memory_equal(buf_peek(&tight) + 3, buf_peek(&b), buf_len(&b));
	buf_fini(&tight);
	buf_init(&tight, 2 + buf_len(&b));
	assert_int_equal(buf_put(&tight, "abc", 3), RK_OK);
	assert_int_equal(msg_encode(&tight, &m, NULL, 0), RK_ETOOBIG);
	assert_int_equal(buf_len(&tight), 3);
	assert_memory_equal(buf_peek(&tight), "abc", 3);
	buf_fini(&tight);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keepalive_to_the_byte),
		cmocka_unit_test(test_empty_message_has_a_header),
		cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_args_get),
		cmocka_unit_test(test_scalar_boundaries),
		cmocka_unit_test(test_string_boundaries),
		cmocka_unit_test(test_body_maximum),
		cmocka_unit_test(test_header_maximum),
		cmocka_unit_test(test_args_maximum),
		cmocka_unit_test(test_full_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
