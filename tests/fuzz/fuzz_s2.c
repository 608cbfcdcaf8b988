/* S2 streams: never more output than allowed, and what is stored comes back. */
#include "rpc/s2.h"

#include "must.h"

#include <stdlib.h>

#define OUT_MAX ((size_t)100000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_decode(const uint8_t *data, size_t size)
{
	struct rk_error err = { .code = RK_OK };
	struct buf again;
	struct buf out;
	const uint8_t *start;
	enum rk_err r;

	buf_init(&out, SIZE_MAX);
	buf_init(&again, SIZE_MAX);
	must(buf_put(&out, "x", 1) == RK_OK);
	r = s2_decode(data, size, OUT_MAX, &out, &err);
	start = buf_peek(&out);
	must(start != NULL && start[0] == 'x' && buf_len(&out) <= 1 + OUT_MAX);
	must(out.cap <= 2 * OUT_MAX + 64);
	if (r != RK_OK) {
		must(r == RK_EPROTO || r == RK_ETOOBIG);
		must(err.code == r && err.text[0] != '\0');
		must(buf_len(&out) == 1);
	} else if (buf_len(&out) > 1) {
		/* A limit one byte below the output is too low. */
		must(s2_decode(data, size, buf_len(&out) - 2, &again, &err) ==
		     RK_ETOOBIG);
	}
	buf_fini(&again);
	buf_fini(&out);
}

static void
check_store(const uint8_t *data, size_t size)
{
	struct rk_error err;
	struct buf stored;
	struct buf out;

	buf_init(&stored, SIZE_MAX);
	buf_init(&out, SIZE_MAX);
	must(s2_store(&stored, data, size) == RK_OK);
	must(s2_decode(buf_peek(&stored), buf_len(&stored), size, &out, &err) ==
	     RK_OK);
	must(buf_len(&out) == size);
	must(size == 0 || memcmp(buf_peek(&out), data, size) == 0);
	buf_fini(&out);
	buf_fini(&stored);
}

/*
 * A checksum is out of a fuzzer's reach: make right those of the data chunks
 * as far as the stored form allows, on a copy.
 */
static void
mend_stored(uint8_t *data, size_t size)
{
	size_t at = 0;
	size_t len;
	uint32_t crc;

	for (; size - at >= 8; at += 4 + len) {
		len = (size_t)data[at + 1] | (size_t)data[at + 2] << 8 |
		      (size_t)data[at + 3] << 16;
		if (len > size - at - 4)
			return;
		if (data[at] != 1 || len < 4)
			continue;
		crc = s2_crc32c(0, data + at + 8, len - 4);
		crc = (crc >> 15 | crc << 17) + 0xa282ead8;
		for (size_t i = 0; i < 4; i++)
			data[at + 4 + i] = (uint8_t)(crc >> 8 * i);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	must(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	check_decode(data, size);
	mend_stored(copy, size);
	check_decode(copy, size);
	check_store(data, size);
	free(copy);
	return 0;
}
