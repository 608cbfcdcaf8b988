/* Payloads and what commands read and write: msgpack, JSON, text, raw. */
#include "exec.h"

#include "cli/json.h"

#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>

/* Nothing, or a value that stands for nothing: nil, {}, []. */
static bool
is_nothing(struct rk_bytes p)
{
	return p.len == 0 ||
	       (p.len == 1 &&
	           (p.ptr[0] == 0xc0 || p.ptr[0] == 0x80 || p.ptr[0] == 0x90));
}

static const char *
put_json(struct rk_bytes payload, struct buf *in)
{
	static const uint8_t nil = 0xc0;
	struct json_write how = { .style = JSON_COMPACT };
	struct rk_value_doc *doc;
	const char *why = NULL;
	enum rk_err r;

	if (payload.len == 0)
		payload = (struct rk_bytes){ &nil, 1 };
	r = rk_value_decode(payload.ptr, payload.len, &doc);
	if (r != RK_OK)
		return r == RK_ENOMEM ? "out of memory"
		                      : "the payload is not msgpack";
	if (json_write(in, rk_value_root(doc), &how) != RK_OK ||
	    buf_put_str(in, "\n") != RK_OK)
		why = "the payload is too large as JSON";
	rk_value_free(doc);
	return why;
}

const char *
exec_input(const struct method *m, struct rk_bytes payload, struct buf *in)
{
	switch ((enum args_form)m->args) {
	case ARGS_NONE:
		return is_nothing(payload) ? NULL : "takes no payload";
	case ARGS_JSON:
		return put_json(payload, in);
	case ARGS_RAW:
		break;
	}
	return buf_put(in, payload.ptr, payload.len) == RK_OK ? NULL
	                                                      : "out of memory";
}

static enum rk_err
encode_text(struct rk_bytes text, uint8_t **payload, size_t *len)
{
	struct rk_value_doc *doc;
	enum rk_err r;

	if (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	if ((r = rk_value_new(&doc)) != RK_OK)
		return r;
	r = rk_value_set_bytes(
	    doc, rk_value_root(doc), RK_STR, text.ptr, text.len);
	if (r == RK_OK)
		r = rk_value_encode(rk_value_root(doc), payload, len);
	rk_value_free(doc);
	return r;
}

static enum rk_err
encode_json(
    struct rk_bytes text, uint8_t **payload, size_t *len, struct rk_error *err)
{
	struct rk_value_doc *doc;
	enum rk_err r;

	r = json_parse("output", (const char *)text.ptr, text.len, &doc, err);
	if (r != RK_OK)
		return r;
	r = rk_value_encode(rk_value_root(doc), payload, len);
	rk_value_free(doc);
	return r;
}

static enum rk_err
copy_raw(struct rk_bytes text, uint8_t **payload, size_t *len)
{
	*payload = malloc(text.len + 1);
	if (*payload == NULL)
		return RK_ENOMEM;
	if (text.len > 0)
		memcpy(*payload, text.ptr, text.len);
	*len = text.len;
	return RK_OK;
}

const char *
exec_output(const struct method *m, struct rk_bytes text, uint8_t **payload,
    size_t *len, struct rk_error *why)
{
	enum rk_err r = RK_EFAIL;

	*payload = NULL;
	*len = 0;
	*why = (struct rk_error){ .code = RK_OK };
	switch ((enum reply_form)m->reply) {
	case REPLY_TEXT:
		r = encode_text(text, payload, len);
		break;
	case REPLY_JSON:
		r = encode_json(text, payload, len, why);
		break;
	case REPLY_RAW:
		r = copy_raw(text, payload, len);
		break;
	}
	if (r == RK_OK)
		return NULL;
	return why->text[0] != '\0' ? why->text : rk_err_text(r);
}

enum rk_err
exec_status(int status, uint8_t **payload, size_t *len)
{
	const char *key = WIFEXITED(status) ? "status" : "signal";
	int number = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
	struct rk_value pair[2] = {
		{ .kind = RK_STR,
		    .u.bytes = { (const uint8_t *)key, strlen(key) } },
		{ .kind = RK_UINT, .u.u64 = (uint64_t)number },
	};
	struct rk_value map = { .kind = RK_MAP,
		.u.list = { .items = pair, .count = 1 } };

	return rk_value_encode(&map, payload, len);
}
