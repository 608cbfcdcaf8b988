/* A push as a line. */
#include "push_show.h"

#include "show.h"

enum rk_err
push_put(struct buf *b, const struct out *o, bool json,
    const struct rk_header *hdr, struct rk_bytes payload)
{
	const struct show show = { .out = o, .form = SHOW_JSON };
	char subject[RK_SUBJECT_MAX + 1];
	enum rk_err r;

	if (json) {
		if ((r = buf_put_str(
		         b, "{\"schema\":1,\"push\":{\"subject\":")) != RK_OK ||
		    (r = out_json_string(
		         b, hdr->subject.ptr, hdr->subject.len)) != RK_OK ||
		    (r = buf_put_str(b, ",\"payload\":")) != RK_OK)
			return r;
	} else if ((r = buf_printf(b, "push %s ",
	                rk_escape(subject, sizeof(subject), hdr->subject.ptr,
	                    hdr->subject.len))) != RK_OK) {
		return r;
	}
	if ((r = show_put_json(&show, payload, b)) != RK_OK)
		return r;
	return buf_put_str(b, json ? "}}\n" : "\n");
}
