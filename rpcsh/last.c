/* The last reply of a shell, to be shown once more. */
#include "last.h"

#include "base/error.h"
#include "base/str.h"
#include "typed.h"

#include <stdio.h>
#include <stdlib.h>

void
last_free(struct last *l)
{
	if (l->payload != NULL)
		rk_wipe(l->payload, l->len);
	free(l->payload);
	*l = (struct last){ 0 };
}

void
last_keep(struct last *l, struct rk_bytes payload, bool raw, bool is_typed)
{
	last_free(l);
	l->payload = malloc(payload.len + 1);
	if (l->payload == NULL)
		return;
	if (payload.len != 0)
		memcpy(l->payload, payload.ptr, payload.len);
	l->len = payload.len;
	l->raw = raw;
	l->is_typed = is_typed;
}

int
last_show(const struct last *l, const struct out *o, const char *form)
{
	struct show show = {
		.out = o, .form = show_form_of(form), .raw = l->raw
	};
	char text[160], shown[64];

	if (l->payload == NULL)
		return out_fail(
		    o, RK_ENOENT, "nothing has been answered yet", NULL);
	if (form != NULL && show.form == SHOW_AUTO) {
		(void)snprintf(text, sizeof(text),
		    "\"%s\" is none of json, ndjson, pretty, raw, hex, "
		    "msgpack, table",
		    str_escape(shown, sizeof(shown), form));
		return out_fail(o, RK_EINVAL, text, ":help last");
	}
	if (o->form == OUT_JSON && show.form != SHOW_AUTO &&
	    show.form != SHOW_JSON)
		return out_fail(o, RK_EINVAL,
		    "with --json a reply has no other form", NULL);
	return typed_show_reply(
	    &show, l->is_typed, (struct rk_bytes){ l->payload, l->len });
}
