/* What a daemon says at its admin socket when it refuses. */
#include "cli/admin.h"

#include "base/str.h"

#include <rpckit/value.h>

/* The code that came along, if one did. */
static enum rk_err
said_code(struct rk_bytes payload)
{
	const struct rk_value *name;
	struct rk_value_doc *doc;
	enum rk_err code = RK_EREMOTE;

	if (payload.len == 0 ||
	    rk_value_decode(payload.ptr, payload.len, &doc) != RK_OK)
		return code;
	name = rk_value_get(rk_value_root(doc), "error");
	for (int i = 1; name != NULL && i < RK_ERR_COUNT; i++) {
		const char *word = rk_err_name((enum rk_err)i);

		if (name->kind == RK_STR && name->u.bytes.len == strlen(word) &&
		    memcmp(name->u.bytes.ptr, word, strlen(word)) == 0)
			code = (enum rk_err)i;
	}
	rk_value_free(doc);
	return code;
}

enum rk_err
admin_refusal(const struct rk_reply *reply, char *text, size_t len)
{
	static const struct {
		const char *text;
		enum rk_err code;
	} known[] = {
		{ "not allowed for this caller", RK_EDENIED },
		{ "no such connection", RK_ENOENT },
	};

	(void)rk_escape(
	    text, len, reply->remote_error.ptr, reply->remote_error.len);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i].text) == 0)
			return known[i].code;
	}
	return said_code(reply->payload);
}
