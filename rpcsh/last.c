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
	if (l->plain != NULL)
		rk_wipe(l->plain, l->plain_len);
	free(l->plain);
	*l = (struct last){ 0 };
}

void
last_keep(
    struct last *l, struct rk_bytes payload, bool raw, struct rk_value_doc *doc)
{
	last_free(l);
	l->payload = malloc(payload.len + 1);
	if (l->payload == NULL)
		return;
	if (payload.len != 0)
		memcpy(l->payload, payload.ptr, payload.len);
	l->len = payload.len;
	l->raw = raw;
	if (doc != NULL &&
	    typed_plain(doc, payload, &l->plain, &l->plain_len) != RK_OK)
		l->plain = NULL;
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
	return typed_show_either(&show, (struct rk_bytes){ l->payload, l->len },
	    (struct rk_bytes){ l->plain, l->plain_len });
}
