/* Records of the PSK layer as a stranger sends them: none opens. */
#include <stdlib.h>

#include "net/psk_rec.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte is the counter, where the key changes among others; the key is
 * that of the corpus's own records, which open as the first ones. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t out[PSK_REC_LEN];
	struct noise_cipher c = { .key = { 1, 2, 3 } };
	uint64_t before;
	size_t total;
	enum rk_err r;

	if (size == 0)
		return 0;
	c.next = data[0] < 128 ? data[0] : PSK_REC_REKEY - 192 + data[0];
	data++;
	size--;
	while ((r = psk_rec_total(data, size, &total)) == RK_OK) {
		must(total >= PSK_REC_EXTRA && total <= PSK_REC_LEN);
		if (total > size)
			return 0;
		before = c.next;
		r = psk_rec_open(&c, data, total, out);
		must(r == RK_OK || r == RK_EDAMAGED);
		must(c.next == before + (r == RK_OK ? 1 : 0));
		if (r != RK_OK)
			return 0;
		data += total;
		size -= total;
	}
	must(r == RK_EPROTO || size < PSK_REC_HEAD_LEN);
	return 0;
}
