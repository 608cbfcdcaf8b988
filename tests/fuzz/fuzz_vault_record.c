/* Hostile records of a vault: what is read is what would be written. */
#include <stdlib.h>
#include <string.h>

#include "keyvault/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct record rec;
	struct buf b;

	if (size == 0)
		return 0;
	/* The first byte says of which kind; what is none is refused. */
	if (record_decode(data + 1, size - 1, (enum record_kind)(data[0] % 5),
	        &rec) != RK_OK)
		return 0;
	buf_init(&b, RECORD_ABOUT_MAX);
	if (record_encode(&rec, &b) != RK_OK || buf_len(&b) != size - 1 ||
	    memcmp(buf_peek(&b), data + 1, size - 1) != 0 ||
	    record_name_fault(rec.name) != NULL)
		abort();
	buf_fini(&b);
	return 0;
}
