/* Why the daemon does not answer, as the model has it; or what it answered. */
#include "feed.h"

#include "base/error.h"
#include "base/str.h"

void
feed_trouble(struct model *m, const char *text)
{
	m->online = false;
	m->changes++;
	(void)str_copy(m->trouble, sizeof(m->trouble), text);
}

bool
feed_refuses(struct model *m, const struct admin_at *at, struct rk_client *c)
{
	struct rk_error err;

	if (admin_may_answer(at, c, &err))
		return false;
	rk_client_shutdown(c);
	feed_trouble(m, err.text);
	return true;
}

void
feed_lost(
    struct model *m, const struct admin_at *at, const struct rk_error *why)
{
	struct admin_trouble t;

	admin_explain(at, why, &t);
	feed_trouble(m, t.text);
}

void
feed_refused(
    struct model *m, const struct admin_at *at, const struct rk_reply *reply)
{
	const struct rk_error none = { .code = reply->code };
	char text[200];

	if (reply->code != RK_EREMOTE) {
		feed_lost(m, at, &none);
		return;
	}
	(void)admin_refusal(reply, text, sizeof(text));
	feed_trouble(m, text);
}

struct rk_value_doc *
feed_ordered(const struct rk_reply *reply, struct rk_error *err)
{
	struct rk_value_doc *doc = NULL;

	*err = (struct rk_error){ .code = reply->code };
	if (reply->code == RK_EREMOTE)
		err->code = admin_refusal(reply, err->text, sizeof(err->text));
	else if (reply->code != RK_OK)
		(void)err_set(err, reply->code, "%s", rk_err_text(reply->code));
	else if (reply->payload.len > 0 &&
	         rk_value_decode(
	             reply->payload.ptr, reply->payload.len, &doc) != RK_OK)
		(void)err_set(err, RK_EPROTO, "the answer is malformed");
	return doc;
}

/* {keys: []} */
static const uint8_t no_keys[] = { 0x81, 0xa4, 'k', 'e', 'y', 's', 0x90 };

void
feed_no_keys(struct model *m, const char *method, const struct rk_reply *reply,
    int64_t now)
{
	char *why = m->keys_untold[strcmp(method, "_.known") == 0];
	struct rk_value_doc *doc;
	enum rk_err code = reply->code;

	model_no_more(m);
	why[0] = '\0';
	if (code == RK_EREMOTE)
		code = admin_refusal(reply, why, sizeof(m->keys_untold[0]));
	if (code != RK_ENOMETHOD && code != RK_ESTATE) {
		m->changes++;
		if (why[0] == '\0')
			(void)str_copy(
			    why, sizeof(m->keys_untold[0]), rk_err_text(code));
		return;
	}
	why[0] = '\0';
	if (rk_value_decode(no_keys, sizeof(no_keys), &doc) != RK_OK)
		return;
	if (model_answer(m, method, rk_value_root(doc), now) != RK_OK)
		m->keys_stale = true;
	rk_value_free(doc);
}
