/* What a person has the daemon do: called once, and told of once. */
#include "feed_int.h"

#include "base/error.h"

#include <stdlib.h>

#define ORDER_MS 60000 /* a reload may open an encrypted key */

struct order {
	struct feed *feed;
	feed_done_fn *done;
	void *arg;
};

static void
on_ordered(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct order *o = arg;
	struct rk_value_doc *doc;
	struct rk_error err;

	(void)c;
	if (o->feed->freed) {
		free(o);
		return;
	}
	doc = feed_ordered(reply, &err);
	o->done(
	    err.code, &err, doc == NULL ? NULL : rk_value_root(doc), o->arg);
	rk_value_free(doc);
	free(o);
}

enum rk_err
feed_order(struct feed *f, const char *method, struct rk_bytes payload,
    feed_done_fn *done, void *arg, struct rk_error *err)
{
	struct rk_request req = { .method = method,
		.payload = payload.ptr,
		.payload_len = payload.len,
		.timeout = ORDER_MS };
	struct order *o;
	enum rk_err r;

	if (!f->open || !f->conf.model->online)
		return err_set(err, RK_ESTATE, "the daemon does not answer");
	if ((o = malloc(sizeof(*o))) == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	*o = (struct order){ f, done, arg };
	r = rk_client_submit(f->client, &req, on_ordered, o, NULL);
	if (r == RK_OK)
		return RK_OK;
	free(o);
	return err_set(err, r == RK_ENOMEM ? r : RK_ESTATE, "%s: %s", method,
	    rk_err_text(r));
}
