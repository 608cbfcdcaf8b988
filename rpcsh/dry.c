/* What a call would send, shown instead. */
#include "dry.h"

#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
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
dry_would(const struct out *o, const char *fmt, ...)
{
	char text[2048];
	struct buf b;
	va_list ap;
	enum rk_err r;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	if (o->form != OUT_JSON) {
		out_text(o, "would %s\n", text);
		return 0;
	}
	buf_init(&b, SIZE_MAX / 2);
	if ((r = buf_put_str(&b, "{\"schema\":1,\"would\":")) == RK_OK &&
	    (r = out_json_string(&b, text, strlen(text))) == RK_OK &&
	    (r = buf_put_str(&b, "}\n")) == RK_OK)
		out_bytes(o, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	return r == RK_OK ? 0 : out_fail(o, r, rk_err_text(r), NULL);
}

int
dry_call(const struct out *o, const struct request *q)
{
	const struct show show = { .out = o, .raw = q->raw };

	return dry_show(&show, q->req.method,
	    (struct rk_bytes){ q->payload, q->req.payload_len });
}
