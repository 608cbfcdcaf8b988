/* Messages kept beyond the buffer they were read to: whole, and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rpc/frame.h"
#include "rpc/msg.h"

#define STR(s)                   \
	{                        \
		s, sizeof(s) - 1 \
	}

static const struct rk_arg args[] = {
	{ STR("k"), STR("v") },
	{ STR("empty"), STR("") },
};

/* Every view of a message, as far as it has them. */
static const struct msg full = {
	.hdr = {
	    .type = 106,
	    .seqno = 7,
	    .stream_part = INT64_MAX,
	    .from = STR("from"),
	    .to = STR("to"),
	    .to_service = STR("method"),
	    .to_version = STR("1"),
	    .from_service = STR("other"),
	    .from_version = STR("2"),
	    .subject = STR("about"),
	    .call_id = STR("an id"),
	    .to_peer_id = STR("a"),
	    .to_peer_name = STR("b"),
	    .from_peer_id = STR("c"),
	    .from_peer_name = STR("d"),
	    .deadline = { 5, 6, true },
	},
	.payload = { (const uint8_t *)"payload", 7 },
	.error = STR("error"),
};

/* Decode what b has; where it was is filled with something else, and freed,
 * once it was kept in memory of just the size it needs. */
static void
keep(const struct msg *m, size_t n_args, struct msg *out, void **memory)
{
	struct frame f;
	struct msg read;
	struct buf b;
	size_t len;

	buf_init(&b, SIZE_MAX);
	assert_int_equal(
	    msg_encode(&b, m, n_args == 0 ? NULL : args, n_args), RK_OK);
	assert_int_equal(
	    frame_split(buf_peek(&b), buf_len(&b), &f, NULL, NULL), RK_OK);
	assert_int_equal(
	    msg_decode(f.body.ptr, f.body.len, &read, NULL), RK_OK);
	len = msg_keep_len(&read);
	assert_true(len <= f.body.len);
	*memory = malloc(len);
	msg_keep_at(&read, out, *memory);
	memset((void *)(uintptr_t)buf_peek(&b), 0x55, buf_len(&b));
	buf_fini(&b);
}

static void
assert_str(struct rk_str got, struct rk_str want)
{
	assert_int_equal(got.len, want.len);
	if (want.len > 0)
		assert_memory_equal(got.ptr, want.ptr, want.len);
}

static void
all_of_it_is_kept(void **state)
{
	const struct rk_header *h = &full.hdr;
	struct rk_str value;
	struct msg m;
	void *memory;

	(void)state;
	keep(&full, 2, &m, &memory);
	assert_str(m.hdr.from, h->from);
	assert_str(m.hdr.to, h->to);
	assert_str(m.hdr.to_service, h->to_service);
	assert_str(m.hdr.to_version, h->to_version);
	assert_str(m.hdr.from_service, h->from_service);
	assert_str(m.hdr.from_version, h->from_version);
	assert_str(m.hdr.subject, h->subject);
	assert_str(m.hdr.call_id, h->call_id);
	assert_str(m.hdr.to_peer_id, h->to_peer_id);
	assert_str(m.hdr.to_peer_name, h->to_peer_name);
	assert_str(m.hdr.from_peer_id, h->from_peer_id);
	assert_str(m.hdr.from_peer_name, h->from_peer_name);
	assert_str(m.error, full.error);
	assert_int_equal(m.payload.len, 7);
	assert_memory_equal(m.payload.ptr, "payload", 7);
	assert_int_equal(m.hdr.stream_part, INT64_MAX);
	assert_int_equal(m.hdr.seqno, 7);
	assert_true(m.hdr.deadline.is_set && m.hdr.deadline.sec == 5);
	assert_true(rk_args_get(&m.hdr.args, "k", &value));
	assert_str(value, args[0].value);
	assert_true(rk_args_get(&m.hdr.args, "empty", &value));
	assert_int_equal(value.len, 0);
	free(memory);
}

/* Each view may be the only one, the first or the last. */
static void
any_part_of_it(void **state)
{
	struct msg want, m;
	void *memory;

	(void)state;
	for (unsigned i = 0; i < 16; i++) {
		want = (struct msg){ .hdr.type = 106 };
		if ((i & 1) != 0)
			want.hdr.subject = full.hdr.subject;
		if ((i & 2) != 0)
			want.payload = full.payload;
		if ((i & 4) != 0)
			want.error = full.error;
		keep(&want, (i & 8) != 0 ? 2 : 0, &m, &memory);
		assert_str(m.hdr.subject, want.hdr.subject);
		assert_str(m.error, want.error);
		assert_int_equal(m.payload.len, want.payload.len);
		if (want.payload.len > 0)
			assert_memory_equal(m.payload.ptr, "payload", 7);
		assert_int_equal(m.hdr.args.count, (i & 8) != 0 ? 2 : 0);
		free(memory);
	}
}

static void
nothing_needs_nothing(void **state)
{
	static const struct msg nothing = { .hdr.type = 5 };
	struct msg empty = { .hdr.subject = { "", 0 } };
	struct msg m;
	void *owned;

	(void)state;
	assert_int_equal(msg_keep_len(&nothing), 0);
	assert_int_equal(msg_keep_len(&empty), 0);
	msg_keep_at(&nothing, &m, NULL);
	assert_int_equal(m.hdr.type, 5);
	assert_null(m.payload.ptr);
	assert_int_equal(msg_keep(&nothing, &m, &owned), RK_OK);
	assert_non_null(owned);
	free(owned);
}

static void
long_ones_too(void **state)
{
	struct msg want = full;
	struct msg m;
	uint8_t *payload = malloc(RK_PAYLOAD_MAX);
	void *memory;

	(void)state;
	assert_non_null(payload);
	for (size_t i = 0; i < RK_PAYLOAD_MAX; i++)
		payload[i] = (uint8_t)(i * 7 >> 3);
	want.payload = (struct rk_bytes){ payload, RK_PAYLOAD_MAX };
	keep(&want, 2, &m, &memory);
	assert_int_equal(m.payload.len, RK_PAYLOAD_MAX);
	assert_memory_equal(m.payload.ptr, payload, RK_PAYLOAD_MAX);
	assert_str(m.hdr.subject, full.hdr.subject);
	free(memory);
	free(payload);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_it_is_kept),
		cmocka_unit_test(any_part_of_it),
		cmocka_unit_test(nothing_needs_nothing),
		cmocka_unit_test(long_ones_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
