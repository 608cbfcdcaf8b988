/* Streams spoken by hand: what breaks one, and leaves all others alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "net/loop.h"
#include "rpc/stream.h"

#include "rawpeer.h"
#include "streamrig.h"

#define SEQNO 3

static void
add(struct buf *b, int64_t type, const char *method, int64_t part, size_t len)
{
	struct msg m = {
		.hdr = {
		    .type = type,
		    .to_service = { method, strlen(method) },
		    .seqno = SEQNO,
		    .call_id = { "an id", 5 },
		    .stream_part = part,
		},
		.payload = { rpcrig_bytes, len },
	};

	assert_int_equal(msg_encode(b, &m, NULL, 0), RK_OK);
}

/* What is in b is answered so; the connection, and another stream, go on. */
static void
is_told(int fd, struct buf *b, const char *text)
{
	struct msg m = { 0 };

	raw_put(fd, buf_peek(b), buf_len(b));
	raw_get(fd, &m);
	assert_int_equal(m.hdr.type, RK_TYPE_REPLY);
	assert_int_equal(m.hdr.seqno, SEQNO);
	if (m.error.len != strlen(text) ||
	    (m.error.len > 0 && memcmp(m.error.ptr, text, m.error.len) != 0))
		fail_msg("%.*s", (int)m.error.len, m.error.ptr);
	raw_check_echo(fd, 5);
	buf_fini(b);
}

struct wrong {
	int64_t type; /* of the second message */
	int64_t part;
	const char *text;
};

static void
parts_come_in_order(void **state)
{
	static const struct wrong list[] = {
		{ 106, 0, "stream: protocol error: part 0 came, 1 was due" },
		{ 106, 2, "stream: protocol error: part 2 came, 1 was due" },
		{ 107, 7, "stream: protocol error: part 7 came, 1 was due" },
		{ 106, -1, "stream: protocol error: part -1 came, 1 was due" },
		{ 106, INT64_MAX,
		    "stream: protocol error: part 9223372036854775807 came, "
		    "1 was due" },
		{ 110, 1,
		    "stream: protocol error: a part in the wrong direction" },
	};
	struct rpcrig rig;
	struct buf b;

	streamrig_begin(&rig, *state);
	buf_init(&b, SIZE_MAX);
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		int fd = raw_dial(&rig);

		add(&b, RK_TYPE_UPLOAD_BEGIN, "up", 0, 1);
		add(&b, list[i].type, "up", list[i].part, 1);
		is_told(fd, &b, list[i].text);
		/* What follows is nobody's, and the number is free again. */
		add(&b, RK_TYPE_UPLOAD_END, "up", 2, 1);
		raw_put(fd, buf_peek(&b), buf_len(&b));
		raw_check_echo(fd, 5);
		raw_close(fd);
		buf_fini(&b);
	}
	assert_int_equal(
	    atomic_load(&streamworld.ended), sizeof(list) / sizeof(list[0]));
	assert_int_equal(atomic_load(&streamworld.ended_code), RK_EPROTO);
	rpcrig_end(&rig);
}

static void
the_last_is_the_last(void **state)
{
	struct rpcrig rig;
	struct buf b;
	int fd;

	streamrig_begin(&rig, *state);
	buf_init(&b, SIZE_MAX);
	fd = raw_dial(&rig);
	add(&b, RK_TYPE_UPLOAD_BEGIN, "deaf", 0, 1);
	add(&b, RK_TYPE_UPLOAD_END, "deaf", 1, 1);
	add(&b, RK_TYPE_UPLOAD_MORE, "deaf", 2, 1);
	is_told(fd, &b, "stream: protocol error: a part after the last");
	add(&b, RK_TYPE_DOWNLOAD, "atonce", 0, 0);
	is_told(fd, &b, "");
	raw_close(fd);
	rpcrig_end(&rig);
}

/* Credit for nobody, less of it, and numbers that mean nothing. */
static void
credit_cannot_hurt(void **state)
{
	static const int64_t limits[] = { 0, 1, -1, INT64_MIN, INT64_MAX };
	struct rpcrig rig;
	struct msg m = { 0 };
	struct buf b;
	int fd;

	streamrig_begin(&rig, *state);
	buf_init(&b, SIZE_MAX);
	fd = raw_dial(&rig);
	add(&b, RK_TYPE_UPLOAD_BEGIN, "up", 0, 1);
	for (size_t i = 0; i < 5; i++)
		add(&b, RK_TYPE_CREDIT, "up", limits[i], 0);
	add(&b, RK_TYPE_UPLOAD_END, "up", 1, 1);
	raw_put(fd, buf_peek(&b), buf_len(&b));
	raw_get(fd, &m);
	assert_int_equal(m.error.len, 0);
	raw_check_echo(fd, 5);
	raw_close(fd);
	buf_fini(&b);
	rpcrig_end(&rig);
}

/* The same number and id again, while the first one is open. */
static void
two_of_one_number(void **state)
{
	struct rpcrig rig;
	struct buf b;
	int fd;

	streamrig_begin(&rig, *state);
	buf_init(&b, SIZE_MAX);
	fd = raw_dial(&rig);
	add(&b, RK_TYPE_UPLOAD_BEGIN, "up", 0, 1);
	add(&b, RK_TYPE_UPLOAD_BEGIN, "up", 0, 1);
	is_told(fd, &b, "stream: its number is in use");
	raw_close(fd);
	rpcrig_end(&rig);
}

#define PART 1000000
/* What a stream that is not taken may keep, with the part that is too much; a
 * message that is not whole behind it, and what was read with that. */
#define HELD_MAX (STREAMS_QUEUE_MAX + PART + RK_BODY_MAX + 2 * LOOP_SCRATCH_LEN)

/* One that knows nothing of windows fills the connection, not the server. */
static void
strangers_are_held_back(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct buf b;
	size_t sent;
	int fd;

	if (run->threads > 0)
		return; /* the test touches the stream on loop 0 */
	streamrig_begin(&rig, run);
	buf_init(&b, SIZE_MAX);
	fd = raw_dial_narrow(&rig);
	add(&b, RK_TYPE_UPLOAD_BEGIN, "stall", 0, 0);
	for (int i = 1; i < 20; i++)
		add(&b, RK_TYPE_UPLOAD_MORE, "stall", i, PART);
	sent = raw_put_some(fd, buf_peek(&b), buf_len(&b), STREAMS_QUEUE_MAX);
	assert_in_range(sent, STREAMS_QUEUE_MAX, HELD_MAX + RAW_NARROW);
	assert_int_equal(atomic_load(&streamworld.parts), 0);
	raw_close(fd);
	buf_fini(&b);
	streamrig_resume(&rig);
	streamrig_await(&streamworld.ended, 1);
	assert_in_range(atomic_load(&streamworld.parts), 8, sent / PART + 1);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "order", parts_come_in_order, RPC_ONLY(RPC_TCP) },
		{ "last", the_last_is_the_last, RPC_ONLY(RPC_TCP) },
		{ "credit", credit_cannot_hurt, RPC_ONLY(RPC_TCP) },
		{ "twice", two_of_one_number, RPC_ONLY(RPC_TCP) },
		{ "strangers", strangers_are_held_back, RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "rpc stream raw", cases, sizeof(cases) / sizeof(cases[0]));
}
