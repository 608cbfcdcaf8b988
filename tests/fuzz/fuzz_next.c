/* Hostile announcements of next keys: only what has proven itself counts. */
#include <stdlib.h>
#include <string.h>

#include "rpc/next.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was believed is written and read again as the same. */
static void
round_trip(const uint8_t *present, const struct rk_next_key *keys, size_t n)
{
	struct rk_next_key again[RK_NEXT_KEYS_MAX];
	struct buf b;
	size_t m;

	buf_init(&b, NEXT_LEN_MAX);
	if (next_encode(&b, keys, n) != RK_OK ||
	    next_decode((struct rk_bytes){ buf_peek(&b), buf_len(&b) }, present,
	        again, &m) != RK_OK ||
	    m != n || memcmp(again, keys, n * sizeof(keys[0])) != 0)
		abort();
	buf_fini(&b);
}

/* The first 32 bytes are the present key, the rest is the answer. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_next_key keys[RK_NEXT_KEYS_MAX];
	uint8_t present[RK_KEY_PUBLIC_LEN];
	size_t n = RK_NEXT_KEYS_MAX;
	enum rk_err r;

	if (size < sizeof(present))
		return 0;
	memcpy(present, data, sizeof(present));
	r = next_decode(
	    (struct rk_bytes){ data + sizeof(present), size - sizeof(present) },
	    present, keys, &n);
	if (r != RK_OK && n != 0)
		abort();
	if (r != RK_OK && r != RK_EFORMAT && r != RK_ETAMPERED &&
	    r != RK_ENOMEM)
		abort();
	for (size_t i = 0; i < n; i++) {
		if (!rk_next_key_ok(present, &keys[i]))
			abort();
	}
	if (r == RK_OK)
		round_trip(present, keys, n);
	return 0;
}
