/* What a call would send, shown instead. */
#include "dry.h"

#include "base/str.h"

#include <stdlib.h>

static int
show_json(const struct show *show, const char *method, struct rk_bytes p)
{
	char *hex = malloc(2 * p.len + 1);
	struct buf b;
	enum rk_err r = RK_ENOMEM;
	int status = 0;

	buf_init(&b, SIZE_MAX / 2);
	if (hex == NULL)
		goto out;
	str_hex(hex, p.ptr, p.len);
	if ((r = buf_put_str(&b, "{\"schema\":1,\"method\":")) != RK_OK ||
	    (r = out_json_string(&b, method, strlen(method))) != RK_OK ||
	    (r = buf_put_str(&b, ",\"argument\":")) != RK_OK ||
	    (r = show_put_json(show, p, &b)) != RK_OK ||
	    (r = buf_put_str(&b, ",\"hex\":\"")) != RK_OK ||
	    (r = buf_put_str(&b, hex)) != RK_OK)
		goto out;
	r = buf_put_str(&b, "\"}\n");
out:
	if (r == RK_OK)
		out_bytes(show->out, buf_peek(&b), buf_len(&b));
	else
		status = out_fail(show->out, r, rk_err_text(r), NULL);
	buf_fini(&b);
	free(hex);
	return status;
}

/* The bytes and what they say; or the one form that was asked for. */
int
dry_show(const struct show *show, const char *method, struct rk_bytes p)
{
	struct show hex = { .out = show->out, .form = SHOW_HEX };
	int status;

	if (show->form != SHOW_AUTO || show->file != NULL)
		return show_reply(show, p);
	if (show->out->form == OUT_JSON)
		return show_json(show, method, p);
	if ((status = show_reply(&hex, p)) != 0)
		return status;
	return show_reply(show, p);
}

int
dry_call(const struct out *o, const struct request *q)
{
	const struct show show = { .out = o, .raw = q->raw };

	return dry_show(&show, q->req.method,
	    (struct rk_bytes){ q->payload, q->req.payload_len });
}
