/* What servers send unasked, shown as it comes. */
#include "shell.h"

#include "base/error.h"
#include "push_show.h"

#include <rpckit/push.h>

#include <stdio.h>

void
shell_pushed(const struct rk_header *hdr, struct rk_bytes payload, void *arg)
{
	struct shell *s = arg;
	struct buf b;
	enum rk_err r;

	buf_init(&b, SIZE_MAX / 2);
	r = push_put(&b, &s->o, s->o.form == OUT_JSON, hdr, payload);
	line_hide(s->line);
	if (r == RK_OK)
		out_bytes(&s->o, buf_peek(&b), buf_len(&b));
	else
		out_warn(&s->o, "a push cannot be shown: %s", rk_err_text(r));
	buf_fini(&b);
	(void)fflush(stdout); /* a failure is the next line's */
}

static void
on_push(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	(void)c;
	shell_pushed(hdr, payload, arg);
}

static void
on_announced(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct shell *s = arg;
	char remote[RK_ERROR_TEXT_LEN / 2];

	(void)c;
	if (reply->code == RK_OK)
		return;
	line_hide(s->line);
	out_warn(&s->o, "the server does not take the subscription: %s",
	    reply->code == RK_EREMOTE
	        ? rk_escape(remote, sizeof(remote), reply->remote_error.ptr,
	              reply->remote_error.len)
	        : rk_err_text(reply->code));
}

int
shell_watch(struct shell *s, const char *subject)
{
	const struct rk_subscription sub = { .subject = subject,
		.announce = true,
		.fn = on_push,
		.announced = on_announced,
		.arg = s };
	enum rk_err r;
	int status = 0;

	if (!held_is_up(s->held) && (status = shell_connect(s)) != 0)
		return status;
	r = rk_client_subscribe(s->held->t.client, &sub, NULL);
	return r == RK_OK ? 0 : out_fail(&s->o, r, rk_err_text(r), NULL);
}
