/* Hostile pieces of a stream over datagrams: two bytes of length, and so many,
 * again and again; what is owed is asked for, and time passes. */
#include <stdlib.h>

#include "must.h"
#include "net/sess_rel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t text[5000];
	uint8_t piece[SESS_REL_PIECE_MAX];
	struct sess_rel r;
	uint64_t now = 1;
	size_t len;

	sess_rel_init(&r);
	if (sess_rel_put(&r, text, sizeof(text), &len) != RK_OK)
		abort();
	while (size >= 2) {
		const size_t n = (size_t)data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		len = n < size ? n : size;
		if (sess_rel_take(&r, now, data, len) != RK_OK)
			break;
		data += len;
		size -= len;
		while (sess_rel_next(&r, now, 1200, piece, &len))
			must(len > 0 && len <= 1200);
		now += 150;
		if (sess_rel_time(&r, now) != RK_OK)
			break;
		(void)sess_rel_read(&r, piece, 700);
		must(sess_rel_held(&r) <= sizeof(text));
		if (sess_rel_put(&r, text, sizeof(text) - sess_rel_held(&r),
		        &len) != RK_OK)
			abort();
		must(buf_len(&r.in) <= SESS_REL_ROOM);
	}
	sess_rel_fini(&r);
	return 0;
}
