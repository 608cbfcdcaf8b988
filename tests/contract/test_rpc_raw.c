/* Bytes that no client of ours would send, against a server that runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "rawpeer.h"
#include "rpc/frame.h"
#include "rpc/greenpack.h"
#include "rpc/s2.h"
#include "rpcrig.h"

/* A server over plain TCP, and a client that is not to notice anything. */
struct world {
	struct rpcrig rig;
	struct rk_client *good;
};

static void
begin(struct world *w, const struct rpcrun *run)
{
	rpcrig_begin(&w->rig, run);
	w->good = rpcrig_client(&w->rig);
	rpclog_start();
}

static void
check_good(struct world *w)
{
	struct rpcanswer a;

	rpcrig_call(w->good, "echo", "good", 4, &a);
	assert_string_equal(a.text, "good");
}

static void
end(struct world *w)
{
	check_good(w);
	rpclog_stop();
	rk_client_free(w->good);
	rpcrig_end(&w->rig);
}

#define LINES_MAX 10 /* of a second, about such ends */

static unsigned
count_lines(void)
{
	return rpclog_count(RK_LOG_INFO, "protocol error");
}

static void
cut(struct world *w, const void *data, size_t len)
{
	int fd = raw_dial(&w->rig);

	raw_put(fd, data, len);
	raw_expect_end(fd);
}

/* Send it: the server ends this connection, says so once, unless it has said
 * that often, and others live. */
static void
is_cut(struct world *w, const void *data, size_t len)
{
	unsigned lines = count_lines();

	cut(w, data, len);
	check_good(w);
	rpcrig_await_conns(&w->rig, 1);
	assert_in_range(
	    count_lines(), lines < LINES_MAX ? lines + 1 : lines, lines + 1);
}

/* Send it on a connection that goes on: nothing comes back but the echo that
 * is asked for behind it. */
static void
is_ignored(struct world *w, const void *data, size_t len)
{
	int fd = raw_dial(&w->rig);

	raw_put(fd, data, len);
	raw_check_echo(fd, 4242);
	raw_close(fd);
}

/* ---- frames ---- */

static void
cuts_bad_frames(void **state)
{
	static const uint64_t lengths[] = { 0, RK_BODY_MAX + 1, UINT32_MAX,
		UINT64_C(1) << 63, UINT64_MAX };
	struct world w;
	struct buf b;
	uint8_t head[FRAME_HEAD_LEN];

	begin(&w, *state);
	buf_init(&b, SIZE_MAX);
	for (int i = 0; i < 7; i++) {
		raw_call(&b, "echo", 1, "x", 1);
		b.data[b.head + (size_t)i] ^= 1;
		is_cut(&w, buf_peek(&b), buf_len(&b));
		buf_fini(&b);
	}
	for (unsigned code = 2; code < 256; code++) {
		if (code == 7)
			continue;
		raw_call(&b, "echo", 1, "x", 1);
		b.data[b.head + 7] = (uint8_t)code;
		is_cut(&w, buf_peek(&b), buf_len(&b));
		buf_fini(&b);
	}
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		frame_put_head(head, FRAME_PLAIN, 1);
		for (int k = 0; k < 8; k++)
			head[8 + k] = (uint8_t)(lengths[i] >> (56 - 8 * k));
		is_cut(&w, head, sizeof(head));
	}
	end(&w);
}

static void
takes_no_preference(void **state)
{
	struct world w;
	struct buf b;
	int fd;

	begin(&w, *state);
	buf_init(&b, SIZE_MAX);
	raw_call(&b, "echo", 9, "seven", 5);
	b.data[b.head + 7] = 7;
	fd = raw_dial(&w.rig);
	raw_put(fd, buf_peek(&b), buf_len(&b));
	raw_check_reply(fd, 9, "seven", 5);
	raw_close(fd);
	buf_fini(&b);
	end(&w);
}

/* Cut off at every byte, and then the end. */
static void
survives_truncation(void **state)
{
	struct world w;
	struct buf b;
	int fd;

	begin(&w, *state);
	buf_init(&b, SIZE_MAX);
	raw_call(&b, "sink", 1, "x", 1);
	for (size_t n = 0; n < buf_len(&b); n++) {
		fd = raw_dial(&w.rig);
		raw_put(fd, buf_peek(&b), n);
		raw_finish(fd);
		raw_expect_end(fd);
	}
	rpcrig_await_conns(&w.rig, 1);
	assert_int_equal(rpcrig_get(&w.rig, &w.rig.sunk), 0);
	assert_int_equal(rpclog_count(RK_LOG_INFO, "server"), 0);
	/* One byte at a time is slow, and nothing worse. */
	fd = raw_dial(&w.rig);
	for (size_t n = 0; n < buf_len(&b); n++)
		raw_put(fd, buf_peek(&b) + n, 1);
	raw_check_reply(fd, 1, "", 0);
	raw_close(fd);
	buf_fini(&b);
	end(&w);
}

/* ---- messages ---- */

/* A frame around any body. */
static void
wrap(struct buf *out, enum frame_code code, const void *body, size_t len)
{
	uint8_t head[FRAME_HEAD_LEN];

	frame_put_head(head, code, len);
	assert_int_equal(buf_put(out, head, sizeof(head)), RK_OK);
	assert_int_equal(buf_put(out, body, len), RK_OK);
}

static void
body_is_cut(struct world *w, enum frame_code code, const void *body, size_t len)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	wrap(&b, code, body, len);
	is_cut(w, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
}

struct bad {
	const char *what;
	const char *bytes;
	size_t len;
};
#define BAD(what, bytes)                       \
	{                                      \
		what, bytes, sizeof(bytes) - 1 \
	}
#define HDR "\xadHDR_zid00_rct"
#define TYP "\xadTyp_zid10_rct"
#define SEQ "\xafSeqno_zid09_u64"

static void
cuts_bad_messages(void **state)
{
	static const struct bad all[] = {
		BAD("no map", "\x01"),
		BAD("nil", "\xc0"),
		BAD("array", "\x91\x80"),
		BAD("reserved code", "\xc1"),
		BAD("str", "\xa3"
		           "abc"),
		BAD("16 million entries", "\xdf\x01\x00\x00\x00"),
		BAD("4 billion entries", "\xdf\xff\xff\xff\xff"),
		BAD("16 million in the header",
		    "\x81" HDR "\xdf\x01\x00\x00\x00"),
		BAD("a huge key", "\x81\xdb\x7f\xff\xff\xff"),
		BAD("a huge payload",
		    "\x82" HDR "\x80\xb1JobSerz_zid01_bin\xc6\x7f\xff\xff\xff"),
		BAD("array of 4 billion, unknown key",
		    "\x81\xa1x\xdd\xff\xff\xff\xff"),
		BAD("header is a str", "\x81" HDR "\xa1x"),
		BAD("type is a str", "\x81" HDR "\x81" TYP "\xa1x"),
		BAD("type is a map", "\x81" HDR "\x81" TYP "\x80"),
		BAD("seqno is negative", "\x81" HDR "\x81" SEQ "\xff"),
		BAD("seqno is a float",
		    "\x81" HDR "\x81" SEQ "\xca\x00\x00\x00\x00"),
		BAD("header twice", "\x82" HDR "\x80" HDR "\x80"),
		BAD("type twice", "\x81" HDR "\x82" TYP "\x01" TYP "\x01"),
		BAD("key is a number", "\x81\x01\x01"),
		BAD("cut in the header", "\x81" HDR "\x82" TYP "\x01"),
		BAD("payload is a str", "\x82" HDR "\x80\xb1JobSerz_zid01_bin"
		                        "\xa1x"),
	};
	struct world w;

	begin(&w, *state);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		body_is_cut(&w, FRAME_PLAIN, all[i].bytes, all[i].len);
	}
	end(&w);
}

/* Maps in maps, beyond every depth, as an unknown field. */
static void
cuts_deep_messages(void **state)
{
	static const size_t depths[] = { 33, 1000, 200000 };
	struct world w;
	struct buf b;

	begin(&w, *state);
	for (size_t i = 0; i < 3; i++) {
		buf_init(&b, SIZE_MAX);
		assert_int_equal(buf_put(&b, "\x81\xa1x", 3), RK_OK);
		for (size_t k = 0; k < depths[i]; k++)
			assert_int_equal(
			    buf_put(
			        &b, k % 2 ? "\x91" : "\x81\x01", k % 2 ? 1 : 2),
			    RK_OK);
		assert_int_equal(buf_put(&b, "\xc0", 1), RK_OK);
		body_is_cut(&w, FRAME_PLAIN, buf_peek(&b), buf_len(&b));
		buf_fini(&b);
	}
	end(&w);
}

/* Many arguments are cut, as many as there may be are not. */
static void
limits_arguments(void **state)
{
	struct world w;
	struct buf b;
	int fd;

	begin(&w, *state);
	for (size_t n = RK_ARGS_MAX; n <= RK_ARGS_MAX + 1; n++) {
		buf_init(&b, SIZE_MAX);
		raw_call_args(&b, "echo", 5, n);
		if (n > RK_ARGS_MAX) {
			is_cut(&w, buf_peek(&b), buf_len(&b));
		} else {
			fd = raw_dial(&w.rig);
			raw_put(fd, buf_peek(&b), buf_len(&b));
			raw_check_reply(fd, 5, "", 0);
			raw_close(fd);
		}
		buf_fini(&b);
	}
	end(&w);
}

/* ---- compressed ---- */

static void
cuts_bad_compression(void **state)
{
	static const struct bad all[] = {
		BAD("nothing of it", "garbage"),
		BAD("no chunk", "\xff\x06\x00\x00S2sTwO"),
		BAD("a lying chunk",
		    "\xff\x06\x00\x00S2sTwO\x01\xff\xff\xff\x00\x00\x00\x00"),
		BAD("a wrong sum", "\xff\x06\x00\x00S2sTwO\x01\x05\x00\x00"
		                   "\x00\x00\x00\x00\x80"),
		/* A block that says 1 GiB and repeats what is not there. */
		BAD("a bomb",
		    "\xff\x06\x00\x00S2sTwO\x00\x0c\x00\x00"
		    "\x00\x00\x00\x00\x80\x80\x80\x80\x04\xfe\x01\x00"),
		BAD("a reserved chunk",
		    "\xff\x06\x00\x00S2sTwO\x02\x01\x00\x00x"),
	};
	struct world w;

	begin(&w, *state);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		body_is_cut(&w, FRAME_S2, all[i].bytes, all[i].len);
	}
	end(&w);
}

/* Stored chunks are read; what is inside is judged the same. */
static void
reads_compression(void **state)
{
	struct world w;
	struct buf plain, packed, frame;
	int fd;

	begin(&w, *state);
	buf_init(&plain, SIZE_MAX);
	buf_init(&packed, SIZE_MAX);
	buf_init(&frame, SIZE_MAX);
	raw_call(&plain, "echo", 77, rpcrig_bytes, 300000);
	buf_consume(&plain, FRAME_HEAD_LEN);
	assert_int_equal(
	    s2_store(&packed, buf_peek(&plain), buf_len(&plain)), RK_OK);
	for (int i = 0; i < 3; i++)
		wrap(&frame, FRAME_S2, buf_peek(&packed), buf_len(&packed));
	fd = raw_dial(&w.rig);
	raw_put(fd, buf_peek(&frame), buf_len(&frame));
	for (int i = 0; i < 3; i++)
		raw_check_reply(fd, 77, rpcrig_bytes, 300000);
	raw_close(fd);
	buf_fini(&packed);
	assert_int_equal(s2_store(&packed, (const uint8_t *)"\xc1", 1), RK_OK);
	body_is_cut(&w, FRAME_S2, buf_peek(&packed), buf_len(&packed));
	buf_fini(&plain);
	buf_fini(&packed);
	buf_fini(&frame);
	end(&w);
}

/* ---- kinds ---- */

static void
knows_its_kinds(void **state)
{
	static const int64_t ignored[] = { 0, 101, 102, 103, 104, 106, 107, 109,
		110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121, 200,
		201, 202, -1, INT64_MIN, INT64_MAX };
	static const int64_t refused[] = { 2, 3, 105, 108 };
	static const int64_t with[] = { RK_TYPE_ERROR, RK_TYPE_REPLY,
		RK_TYPE_REPLY, RK_TYPE_REPLY };
	struct world w;
	struct msg m = { 0 };
	struct buf b;
	int fd;

	begin(&w, *state);
	buf_init(&b, SIZE_MAX);
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		raw_typed(&b, ignored[i], "echo", 3);
		is_ignored(&w, buf_peek(&b), buf_len(&b));
		buf_fini(&b);
	}
	for (size_t i = 0; i < 4; i++) {
		raw_typed(&b, refused[i], "echo", 3);
		fd = raw_dial(&w.rig);
		raw_put(fd, buf_peek(&b), buf_len(&b));
		raw_get(fd, &m);
		assert_int_equal(m.hdr.type, with[i]);
		assert_int_equal(m.hdr.seqno, 3);
		assert_true(m.hdr.subject.len + m.error.len > 0);
		assert_int_equal(m.payload.len, 0);
		raw_check_echo(fd, 5);
		raw_close(fd);
		buf_fini(&b);
	}
	assert_int_equal(rpclog_count(RK_LOG_INFO, "server"), 0);
	end(&w);
}

/* A header that leaves no room for the refusal of its method. */
static void
refuses_in_little_room(void **state)
{
	struct world w;
	struct msg m = { 0 };
	struct buf b;
	char *name = calloc(1, 70000);
	int fd;

	assert_non_null(name);
	begin(&w, *state);
	for (size_t n = 65000; n < 65600; n += 7) {
		buf_init(&b, SIZE_MAX);
		memset(name, 'n', n);
		name[n] = '\0';
		if (raw_try_call(&b, name, 6) != RK_OK)
			break;
		fd = raw_dial(&w.rig);
		raw_put(fd, buf_peek(&b), buf_len(&b));
		raw_get(fd, &m);
		assert_int_equal(m.hdr.type, RK_TYPE_ERROR);
		assert_int_equal(m.hdr.seqno, 6);
		raw_close(fd);
		buf_fini(&b);
	}
	buf_fini(&b);
	free(name);
	end(&w);
}

/* What comes too late is answered, and never begun. */
static void
begins_nothing_late(void **state)
{
	struct world w;
	struct msg m = { .hdr = { .type = RK_TYPE_CALL,
		             .to_service = { "echo", 4 },
		             .seqno = 8,
		             .deadline = { .is_set = true } } };
	struct buf b;
	unsigned handled;
	int fd;

	begin(&w, *state);
	check_good(&w);
	handled = rpcrig_get(&w.rig, &w.rig.handled);
	buf_init(&b, SIZE_MAX);
	m.hdr.deadline.sec = (int64_t)(rpcrig_wall_us() / 1000000) - 1;
	assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_OK);
	m.hdr.type = RK_TYPE_ONEWAY; /* not even answered */
	assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_OK);
	fd = raw_dial(&w.rig);
	raw_put(fd, buf_peek(&b), buf_len(&b));
	raw_get(fd, &m);
	assert_int_equal(m.hdr.type, RK_TYPE_REPLY);
	assert_int_equal(m.hdr.seqno, 8);
	assert_int_equal(m.error.len, 31);
	assert_memory_equal(m.error.ptr, "the deadline has passed already", 31);
	assert_int_equal(rpcrig_get(&w.rig, &w.rig.handled), handled);
	raw_check_echo(fd, 9);
	assert_int_equal(rpcrig_get(&w.rig, &w.rig.handled), handled + 1);
	raw_close(fd);
	buf_fini(&b);
	end(&w);
}

/* Cancels by the thousand, for calls that are not there. */
static void
shrugs_at_cancels(void **state)
{
	struct world w;
	struct buf b;
	struct msg m = { .hdr = { .type = RK_TYPE_CANCEL,
		             .call_id = { "nobody's", 8 } } };

	begin(&w, *state);
	buf_init(&b, SIZE_MAX);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_OK);
	is_ignored(&w, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	end(&w);
}

/* Who sends nothing but rubbish, again and again, does not fill the log; what
 * it does not say is counted. */
static void
says_so_sometimes(void **state)
{
	static const char left_out[] =
	    "lines about broken connections left out";
	const struct timespec nap = { .tv_nsec = 20000000 };
	const uint64_t begun = rpcrig_now();
	struct world w;

	begin(&w, *state);
	for (unsigned i = 0; i < 200; i++)
		cut(&w, "rubbish!", 8);
	rpcrig_await_conns(&w.rig, 1);
	assert_in_range(count_lines(), LINES_MAX,
	    LINES_MAX * (2 + (rpcrig_now() - begun) / 1000));
	/* In the next second. */
	while (rpclog_count(RK_LOG_INFO, left_out) == 0) {
		(void)nanosleep(&nap, NULL);
		cut(&w, "rubbish!", 8);
	}
	end(&w);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "rubbish", says_so_sometimes, RPC_ONLY(RPC_TCP) },
		{ "bad frames", cuts_bad_frames, RPC_ONLY(RPC_TCP) },
		{ "no preference", takes_no_preference, RPC_ONLY(RPC_TCP) },
		{ "truncation", survives_truncation, RPC_ONLY(RPC_TCP) },
		{ "bad messages", cuts_bad_messages, RPC_ONLY(RPC_TCP) },
		{ "deep messages", cuts_deep_messages, RPC_ONLY(RPC_TCP) },
		{ "arguments", limits_arguments, RPC_ONLY(RPC_TCP) },
		{ "bad compression", cuts_bad_compression, RPC_ONLY(RPC_TCP) },
		{ "compression", reads_compression, RPC_ONLY(RPC_TCP) },
		{ "kinds", knows_its_kinds, RPC_ONLY(RPC_TCP) },
		{ "little room", refuses_in_little_room, RPC_ONLY(RPC_TCP) },
		{ "too late", begins_nothing_late, RPC_ONLY(RPC_TCP) },
		{ "cancels", shrugs_at_cancels, RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "rpc raw", cases, sizeof(cases) / sizeof(cases[0]));
}
