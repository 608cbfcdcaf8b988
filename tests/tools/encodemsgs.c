/* Writes frames as we send them to stdout, for an independent decoder. */
#include <stdio.h>
#include <stdlib.h>

#include "rpc/frame.h"
#include "rpc/msg.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define STR(s)                                   \
	{                                        \
		.ptr = (s), .len = sizeof(s) - 1 \
	}
#define CALL_ID STR("6RrRULHDZ7OLri9lXbIPVt63wh7phG-WtN2Z1qZ4az9z")

/* Encode, write, forget; what fails here must not look like a short test. */
static void
emit_args(const struct msg *m, const struct rk_arg *args, size_t n_args)
{
	struct buf b;

	buf_init(&b, FRAME_HEAD_LEN + RK_BODY_MAX);
	if (msg_encode(&b, m, args, n_args) != RK_OK ||
	    fwrite(buf_peek(&b), 1, buf_len(&b), stdout) != buf_len(&b)) {
		fputs("encodemsgs: cannot encode or write\n", stderr);
		exit(1);
	}
	buf_fini(&b);
}

static void
emit(const struct msg *m)
{
	emit_args(m, NULL, 0);
}

static void
emit_call(void)
{
	static const struct msg m = { .hdr = { .type = RK_TYPE_CALL,
		                          .seqno = 2,
		                          .to_service = STR("customEcho"),
		                          .call_id = CALL_ID },
		.payload = { .ptr = (const uint8_t *)"hello", .len = 5 } };

	emit(&m);
}

static void
emit_full(void)
{
	static const struct rk_arg args[] = { { STR("k"), STR("v") } };
	static const struct msg m = {
		.hdr = { .created = { 1795226272, 262766800, true },
		    .from = STR("tcp://127.0.0.1:42722"),
		    .to = STR("tcp://[::1]:18444"),
		    .to_service = STR("a"),
		    .to_version = STR("b"),
		    .from_service = STR("c"),
		    .from_version = STR("d"),
		    .subject = STR("e"),
		    .seqno = 3,
		    .type = RK_TYPE_CALL,
		    .call_id = STR("f"),
		    .serial = 4,
		    .local_recv = { 0, 1, true },
		    .deadline = { -1, 999999999, true },
		    .stream_part = 5,
		    .no_compression = true,
		    .to_peer_id = STR("g"),
		    .to_peer_name = STR("h"),
		    .from_peer_id = STR("i"),
		    .from_peer_name = STR("j"),
		    .frag_op = -6 },
		.payload = { .ptr = (const uint8_t *)"\0\xff", .len = 2 },
		.error = STR("k"),
	};

	emit_args(&m, args, COUNT(args));
}

/* The same number in every field of a number. */
static void
emit_scalars(void)
{
	static const int64_t values[] = { 1, 127, 128, 255, 256, 32767, 32768,
		65535, 65536, INT32_MAX, (int64_t)INT32_MAX + 1, UINT32_MAX,
		(int64_t)UINT32_MAX + 1, INT64_MAX, -1, -32, -33, -128, -129,
		-32768, -32769, INT32_MIN, (int64_t)INT32_MIN - 1, INT64_MIN };
	struct msg m = { .hdr = { .type = 0 } };

	for (size_t i = 0; i < COUNT(values); i++) {
		m.hdr.seqno = (uint64_t)values[i];
		m.hdr.type = values[i];
		m.hdr.serial = values[i];
		m.hdr.stream_part = values[i];
		m.hdr.frag_op = values[i];
		emit(&m);
	}
}

static void
emit_reply(void)
{
	static const struct msg m = {
		.hdr = { .type = RK_TYPE_REPLY,
		    .seqno = 2,
		    .to_service = STR("customEcho"),
		    .from_service = STR("customEcho"),
		    .call_id = CALL_ID },
		.payload = { .ptr = (const uint8_t *)"done", .len = 4 },
	};

	emit(&m);
}

static void
emit_errors(void)
{
	static const struct msg failed = { .hdr = { .type = RK_TYPE_REPLY,
		                               .seqno = 2,
		                               .to_service = STR("failing"),
		                               .call_id = CALL_ID },
		.error = STR("user error text") };
	static const struct msg unknown = {
		.hdr = { .type = RK_TYPE_ERROR,
		    .seqno = 2,
		    .to_service = STR("nope"),
		    .subject = STR("no method 'nope' here"),
		    .call_id = CALL_ID },
	};

	emit(&failed);
	emit(&unknown);
}

static void
emit_cancel(void)
{
	static const struct msg m = { .hdr = { .type = RK_TYPE_CANCEL,
		                          .seqno = 2,
		                          .to_service = STR("slow"),
		                          .call_id = CALL_ID } };

	emit(&m);
}

static void
emit_oneway(void)
{
	static const struct msg m = {
		.hdr = { .type = RK_TYPE_ONEWAY, .to_service = STR("oneway") },
		.payload = { .ptr = (const uint8_t *)"one way body",
		    .len = 12 },
	};

	emit(&m);
}

static void
emit_keepalives(void)
{
	struct msg m = { .hdr = { .type = RK_TYPE_KEEPALIVE,
		             .subject = STR("abc") } };

	emit(&m);
	m.hdr.stream_part = 300;
	emit(&m);
}

/* What Go skips: the key that tells kin, on a call. */
static void
emit_kin(void)
{
	static const struct msg m = { .hdr = { .type = RK_TYPE_CALL,
		                          .seqno = 2,
		                          .to_service = STR("customEcho"),
		                          .call_id = CALL_ID,
		                          .kin = 1 } };

	emit(&m);
}

/* One argument, an empty one, and as many as there may be. */
static void
emit_arguments(void)
{
	static struct rk_arg many[RK_ARGS_MAX];
	static char names[RK_ARGS_MAX][8];
	static const struct rk_arg two[] = {
		{ STR("downloadRequestedPath"), STR("/tmp/small.txt") },
		{ STR(""), STR("") },
	};
	struct msg m = { .hdr = { .type = RK_TYPE_CALL, .seqno = 2 } };

	emit_args(&m, two, 1);
	emit_args(&m, two, 2);
	for (size_t i = 0; i < RK_ARGS_MAX; i++) {
		int n = snprintf(names[i], sizeof(names[i]), "k%zu", i);

		many[i].key = (struct rk_str){ names[i], (size_t)n };
		many[i].value = (struct rk_str){ names[i] + 1, (size_t)n - 1 };
	}
	emit_args(&m, many, RK_ARGS_MAX);
}

static void
emit_subjects(void)
{
	static const size_t lens[] = { 1, 31, 32, 255, 256, RK_SUBJECT_MAX };
	static char text[RK_SUBJECT_MAX];
	struct msg m = { .hdr = { .type = RK_TYPE_CALL, .seqno = 2 } };

	memset(text, 's', sizeof(text));
	for (size_t i = 0; i < COUNT(lens); i++) {
		m.hdr.subject = (struct rk_str){ text, lens[i] };
		emit(&m);
	}
}

static void
emit_deadline(void)
{
	static const struct msg m = {
		.hdr = { .type = RK_TYPE_CALL,
		    .seqno = 2,
		    .deadline = { 1795226282, 262710010, true } },
	};

	emit(&m);
}

static void
emit_payloads(void)
{
	static const size_t lens[] = { 0, 1, 31, 32, 255, 256, 65535, 65536,
		RK_PAYLOAD_MAX };
	uint8_t *data = malloc(RK_PAYLOAD_MAX);
	struct msg m = { .hdr = { .type = RK_TYPE_CALL, .seqno = 2 } };

	if (data == NULL)
		exit(1);
	memset(data, 'p', RK_PAYLOAD_MAX);
	for (size_t i = 0; i < COUNT(lens); i++) {
		m.payload = (struct rk_bytes){ data, lens[i] };
		emit(&m);
	}
	free(data);
}

static const struct {
	const char *name;
	void (*emit)(void);
} groups[] = {
	{ "call", emit_call },
	{ "full", emit_full },
	{ "scalars", emit_scalars },
	{ "reply", emit_reply },
	{ "errors", emit_errors },
	{ "cancel", emit_cancel },
	{ "oneway", emit_oneway },
	{ "keepalives", emit_keepalives },
	{ "kin", emit_kin },
	{ "arguments", emit_arguments },
	{ "subjects", emit_subjects },
	{ "deadline", emit_deadline },
	{ "payloads", emit_payloads },
};

/* encodemsgs [GROUP]: the frames of one group, or of all. */
int
main(int argc, char **argv)
{
	size_t n_emitted = 0;

	for (size_t i = 0; i < COUNT(groups); i++) {
		if (argc > 1 && strcmp(argv[1], groups[i].name) != 0)
			continue;
		groups[i].emit();
		n_emitted++;
	}
	if (n_emitted == 0)
		fprintf(stderr, "encodemsgs: no group %s\n", argv[1]);
	return n_emitted == 0 || fflush(stdout) != 0 ? 1 : 0;
}
