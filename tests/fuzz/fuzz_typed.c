/* Typed structs and net/rpc headers: what decodes encodes, and comes back. */
#include "must.h"
#include "rpc/netrpc.h"
#include "typedtypes.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Its own encoding decodes to what encodes to the same. */
static void
check_again(const struct rk_record *type, const void *data)
{
	union {
		struct every every;
		struct strict strict;
		struct node node;
	} back;
	uint8_t *once, *twice;
	size_t n, m;
	enum rk_err r;

	must(rk_typed_encode(type, data, &once, &n, NULL) == RK_OK);
	r = rk_typed_decode(type, once, n, &back, NULL);
	/* The shorter form may not be worth as much memory. */
	must(r == RK_OK || r == RK_ETOOBIG);
	if (r == RK_OK) {
		must(rk_typed_encode(type, &back, &twice, &m, NULL) == RK_OK);
		must(n == m && memcmp(once, twice, n) == 0);
		free(twice);
		rk_typed_free(type, &back);
	}
	free(once);
}

static void
try_type(const struct rk_record *type, const uint8_t *data, size_t size)
{
	union {
		struct every every;
		struct strict strict;
		struct node node;
	} s;
	struct rk_value_doc *doc;
	struct rk_error err;
	enum rk_err r = rk_typed_decode(type, data, size, &s, &err);

	must(err.code == r && (r == RK_OK) == (err.text[0] == '\0'));
	if (r != RK_OK)
		return;
	check_again(type, &s);
	must(rk_typed_to_value(type, &s, &doc, NULL) == RK_OK);
	rk_value_free(doc);
	rk_typed_free(type, &s);
}

static void
try_netrpc(const uint8_t *data, size_t size)
{
	struct rk_bytes value, again;
	struct netrpc h, back;
	struct buf b;

	if (netrpc_decode((struct rk_bytes){ data, size }, &h, &value) != RK_OK)
		return;
	(void)netrpc_is_unknown(&h);
	buf_init(&b, SIZE_MAX / 2);
	must(netrpc_encode(&b, &h, value) == RK_OK);
	must(netrpc_decode((struct rk_bytes){ buf_peek(&b), buf_len(&b) },
	         &back, &again) == RK_OK);
	must(back.seq == h.seq && back.method.len == h.method.len &&
	     back.error.len == h.error.len);
	must(again.len == (value.len == 0 ? 1 : value.len));
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_type(&every_record, data, size);
	try_type(&strict_record, data, size);
	try_type(&node_record, data, size);
	try_netrpc(data, size);
	return 0;
}
