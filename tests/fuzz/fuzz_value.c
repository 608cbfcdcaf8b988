/* Values: what decodes encodes, and that decodes and encodes to itself. */
#include <rpckit/message.h>
#include <rpckit/value.h>

#include <stdlib.h>
#include <string.h>

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decode and encode; NULL when the input is refused. */
static uint8_t *
recode(const uint8_t *data, size_t size, size_t *len)
{
	struct rk_value_doc *doc;
	uint8_t *out;
	enum rk_err r;

	r = rk_value_decode(data, size, &doc);
	if (r != RK_OK) {
		must(r == RK_EFORMAT || r == RK_ETOOBIG);
		must(doc == NULL);
		return NULL;
	}
	(void)rk_value_get(rk_value_root(doc), "key");
	r = rk_value_encode(rk_value_root(doc), &out, len);
	must(r == RK_OK || (r == RK_ETOOBIG && size > RK_BODY_MAX));
	rk_value_free(doc);
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *once;
	uint8_t *twice;
	size_t once_len;
	size_t twice_len;

	once = recode(data, size, &once_len);
	if (once == NULL)
		return 0;
	must(once_len <= size);
	twice = recode(once, once_len, &twice_len);
	must(twice != NULL && twice_len == once_len);
	must(memcmp(once, twice, once_len) == 0);
	free(twice);
	free(once);
	return 0;
}
