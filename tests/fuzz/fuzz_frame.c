/* Frames: the same ones are found however the stream is cut into pieces. */
#include "rpc/frame.h"

#include "must.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where a reader of a stream stands. */
struct reader {
	size_t start; /* of the frame that comes next */
	size_t frames;
	enum rk_err r; /* RK_EAGAIN, or the error that ended it */
};

/* Take the frames of the first n bytes. */
static void
take(struct reader *rd, const uint8_t *data, size_t n)
{
	struct rk_error err = { .code = RK_OK };
	struct frame f;
	size_t missing;

	if (rd->r != RK_EAGAIN)
		return;
	while (rd->r == RK_EAGAIN) {
		rd->r = frame_split(
		    data + rd->start, n - rd->start, &f, &missing, &err);
		if (rd->r != RK_OK)
			break;
		must(f.total == f.body.len + FRAME_HEAD_LEN);
		must(f.total <= n - rd->start && missing == 0);
		must(f.body.len >= 1 && f.body.len <= RK_BODY_MAX);
		must(f.body.ptr == data + rd->start + FRAME_HEAD_LEN);
		rd->start += f.total;
		rd->frames++;
		rd->r = RK_EAGAIN;
	}
	must(rd->r == RK_EAGAIN || rd->r == RK_EPROTO);
	must(f.total == 0 && f.body.ptr == NULL);
	if (rd->r == RK_EPROTO)
		must(err.code == RK_EPROTO && missing == 0);
	else
		must(missing > 0 && missing <= FRAME_HEAD_LEN + RK_BODY_MAX);
}

/* The first byte says how many piece sizes follow it; the rest is stream. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader whole = { .r = RK_EAGAIN };
	struct reader pieces = { .r = RK_EAGAIN };
	const uint8_t *stream;
	size_t n_sizes;
	size_t end = 0;
	size_t len;

	if (size < 2)
		return 0;
	n_sizes = 1 + data[0] % 15U;
	if (size < 1 + n_sizes)
		return 0;
	stream = data + 1 + n_sizes;
	len = size - 1 - n_sizes;
	take(&whole, stream, len);
	for (size_t i = 0; end < len; i++) {
		size_t piece = 1U + data[1 + i % n_sizes];

		end += piece < len - end ? piece : len - end;
		take(&pieces, stream, end);
	}
	if (len > 0)
		must(pieces.r == whole.r && pieces.start == whole.start &&
		     pieces.frames == whole.frames);
	return 0;
}
