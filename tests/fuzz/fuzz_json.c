/* Any bytes as JSON, and any msgpack there and back through JSON. */
#include "base/error.h"
#include "cli/json.h"

#include "must.h"

#include <stdlib.h>

#define TEXT_MAX ((size_t)1 << 24)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The text of v comes back as the same msgpack. */
static void
check_return(const struct rk_value *v, enum json_style style)
{
	struct json_write how = { .style = style };
	struct rk_value_doc *doc;
	struct rk_error err;
	uint8_t *before;
	uint8_t *after;
	size_t before_len;
	size_t after_len;
	struct buf b;

	if (rk_value_encode(v, &before, &before_len) != RK_OK)
		return; /* larger than any message */
	buf_init(&b, TEXT_MAX);
	must(json_write(&b, v, &how) == RK_OK);
	must(json_parse("x", (const char *)buf_peek(&b), buf_len(&b), &doc,
	         &err) == RK_OK);
	must(rk_value_encode(rk_value_root(doc), &after, &after_len) == RK_OK);
	must(before_len == after_len);
	must(memcmp(before, after, after_len) == 0);
	rk_value_free(doc);
	buf_fini(&b);
	free(before);
	free(after);
}

static void
check_text(const char *text, size_t len)
{
	struct rk_value_doc *doc;
	struct rk_error err = { 0 };
	enum rk_err r = json_parse("x", text, len, &doc, &err);

	if (r == RK_OK) {
		check_return(rk_value_root(doc), JSON_COMPACT);
		rk_value_free(doc);
		return;
	}
	must(doc == NULL && err.code == r && err.text[0] != '\0');
	must(strpbrk(err.text, "\n\r\x1b\x7f") == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rk_value_doc *doc;
	enum json_style style;

	if (size == 0)
		return 0;
	if (data[0] < 0x80) {
		check_text((const char *)data, size);
		return 0;
	}
	style = (data[0] & 1) == 0 ? JSON_COMPACT : JSON_PRETTY;
	if (rk_value_decode(data + 1, size - 1, &doc) == RK_OK) {
		check_return(rk_value_root(doc), style);
		rk_value_free(doc);
	}
	return 0;
}
