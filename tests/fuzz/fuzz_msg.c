/* Message bodies: what decodes can be walked, encodes, and means itself. */
#include "rpc/frame.h"
#include "rpc/msg.h"

#include "must.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every entry comes out, and all of the raw bytes are entries. */
static void
check_args(const struct rk_args *args)
{
	struct rk_arg arg;
	size_t offset = 0;
	uint32_t n = 0;

	must(args->count <= RK_ARGS_MAX);
	while (rk_args_next(args, &offset, &arg))
		n++;
	must(n == args->count && offset == args->raw.len);
}

static void
must_be_same(const struct rk_str *a, const struct rk_str *b)
{
	must(a->len == b->len);
	must(a->len == 0 || memcmp(a->ptr, b->ptr, a->len) == 0);
}

static void
must_be_same_time(const struct rk_time *a, const struct rk_time *b)
{
	must(a->is_set == b->is_set && a->sec == b->sec && a->nsec == b->nsec);
}

static void
must_be_equal(const struct msg *a, const struct msg *b)
{
	const struct rk_header *x = &a->hdr;
	const struct rk_header *y = &b->hdr;

	must_be_same_time(&x->created, &y->created);
	must_be_same_time(&x->local_recv, &y->local_recv);
	must_be_same_time(&x->deadline, &y->deadline);
	must_be_same(&x->from, &y->from);
	must_be_same(&x->to, &y->to);
	must_be_same(&x->to_service, &y->to_service);
	must_be_same(&x->to_version, &y->to_version);
	must_be_same(&x->from_service, &y->from_service);
	must_be_same(&x->from_version, &y->from_version);
	must_be_same(&x->subject, &y->subject);
	must_be_same(&x->call_id, &y->call_id);
	must_be_same(&x->to_peer_id, &y->to_peer_id);
	must_be_same(&x->to_peer_name, &y->to_peer_name);
	must_be_same(&x->from_peer_id, &y->from_peer_id);
	must_be_same(&x->from_peer_name, &y->from_peer_name);
	must_be_same(&a->error, &b->error);
	must(x->seqno == y->seqno && x->type == y->type &&
	     x->serial == y->serial && x->stream_part == y->stream_part &&
	     x->frag_op == y->frag_op &&
	     x->no_compression == y->no_compression);
	must(x->args.count == y->args.count);
	must(x->args.count == 0 || (x->args.raw.len == y->args.raw.len &&
	                               memcmp(x->args.raw.ptr, y->args.raw.ptr,
	                                   x->args.raw.len) == 0));
	must(a->payload.len == b->payload.len);
	must(a->payload.len == 0 ||
	     memcmp(a->payload.ptr, b->payload.ptr, a->payload.len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_error err = { .code = RK_OK };
	struct msg back;
	struct frame f;
	struct msg m;
	struct buf b;

	if (msg_decode(data, size, &m, &err) != RK_OK) {
		must(err.code == RK_EPROTO && err.text[0] != '\0');
		must(strpbrk(err.text, "\n\r\x1b\x7f") == NULL);
		return 0;
	}
	check_args(&m.hdr.args);
	buf_init(&b, FRAME_HEAD_LEN + RK_BODY_MAX);
	/* Shortest forms: never longer than what was read, but for a header
	 * that was left out. */
	must(msg_encode(&b, &m, NULL, 0) == RK_OK);
	must(buf_len(&b) <= FRAME_HEAD_LEN + size + 15);
	must(frame_split(buf_peek(&b), buf_len(&b), &f, NULL, &err) == RK_OK);
	must(f.total == buf_len(&b) && f.code == FRAME_PLAIN);
	must(msg_decode(f.body.ptr, f.body.len, &back, &err) == RK_OK);
	must_be_equal(&m, &back);
	buf_fini(&b);
	return 0;
}
