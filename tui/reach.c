/* Reaching the daemon once, and saying what helps where that fails. */
#include "tui.h"

#include "feed.h"

#include "cli/admin.h"

int
tui_find(struct tui *t)
{
	return admin_look(&t->at, t->a, "rpctui", &t->out);
}

int
tui_dial(struct tui *t, struct rk_client **out)
{
	const struct rk_client_conf conf = { .size = sizeof(conf) };

	return admin_dial(&t->at, &conf, &t->out, out);
}

/* ---- asking ---- */

/* As rpcd ctl says it.  That nobody decides is a state of the daemon's. */
static int
refused(const struct tui *t, const struct rk_reply *reply, enum tui_lack may)
{
	char said[400];
	enum rk_err code = admin_refusal(reply, said, sizeof(said));

	if (code == RK_ESTATE && may == LACK_TRUST)
		return 0;
	return out_fail(&t->out, code, said, admin_refusal_advice(said));
}

int
tui_ask(struct tui *t, struct rk_client *c, const char *method, uint64_t from,
    enum tui_lack may, struct rk_value_doc **out)
{
	struct rk_request req = { .method = method, .timeout = TUI_ANSWER_MS };
	uint8_t wish[FEED_WISH];
	struct rk_reply reply;
	struct rk_error err;
	enum rk_err r;
	int status = 0;

	*out = NULL;
	t->refused = false;
	if (from != 0) {
		req.payload = wish;
		req.payload_len = feed_wish_from(from, wish);
	}
	r = rk_client_call(c, &req, &reply, &err);
	t->at.answered = t->at.answered || r == RK_OK || r == RK_EREMOTE;
	if (r == RK_OK) {
		r = rk_value_decode(reply.payload.ptr, reply.payload.len, out);
		if (r != RK_OK)
			status = out_fail(&t->out, RK_EPROTO,
			    "the daemon's answer is malformed", NULL);
	} else if (r == RK_EREMOTE) {
		status = refused(t, &reply, may);
		t->refused = true;
	} else if (r != RK_ENOMETHOD || may == LACK_NOTHING) {
		status = admin_fail(&t->at, &err, &t->out);
	}
	rk_reply_free(&reply);
	return status;
}
