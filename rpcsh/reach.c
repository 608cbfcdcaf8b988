/* Connecting and calling, for who waits on a terminal. */
#include "reach.h"

#include "base/error.h"
#include "held.h"
#include "patience.h"

#include <stdlib.h>
#include <string.h>

void
reach_turn(struct target *t, int limit_ms)
{
	struct rk_client *c = t->client;
	int ms = patience_sooner(rk_client_wait_ms(c), limit_ms);
	struct timespec ts;

	ms = patience_sooner(ms, patience_ms(t));
	ts = (struct timespec){ .tv_sec = ms / 1000,
		.tv_nsec = (long)(ms % 1000) * 1000000 };
	held_wait_fd(rk_client_fd(c), ms < 0 ? NULL : &ts);
	/* It fails when its descriptors are gone: nothing of ours closes them.
	 */
	(void)rk_client_process(c);
	patience_look(t, true);
}

/* ---- connecting ---- */

/* Was it, before it began? */
static bool
is_left(void)
{
	if (!held_interrupted())
		return false;
	(void)held_canceled();
	return true;
}

static enum rk_err
canceled(const struct target *t, struct rk_error *err)
{
	return err_set(err, RK_ECANCELED, "%s: canceled", t->url);
}

enum rk_err
reach_begin(struct target *t, struct rk_error *err)
{
	enum rk_err r;

	err_clear(&t->ended);
	t->connected_us = 0; /* another one was, if any */
	if ((r = rk_client_start(t->client, err)) == RK_OK)
		patience_dials(t);
	return r;
}

/* Up to the end that the client owes. */
static enum rk_err
give_up(struct target *t, struct rk_error *err)
{
	rk_client_shutdown(t->client);
	(void)held_canceled();
	while (t->ended.code == RK_OK && !held_interrupted())
		reach_turn(t, -1);
	return canceled(t, err);
}

enum rk_err
reach_wait(struct target *t, struct rk_error *err)
{
	while (rk_client_peer(t->client) == NULL && t->ended.code == RK_OK) {
		if (held_interrupted())
			return give_up(t, err);
		reach_turn(t, -1);
	}
	if (t->ended.code == RK_OK)
		return RK_OK;
	if (err != NULL)
		*err = t->ended;
	return t->ended.code;
}

enum rk_err
reach_connect(struct target *t, struct rk_error *err)
{
	enum rk_err r;

	if (is_left())
		return canceled(t, err);
	r = reach_begin(t, err);
	return r == RK_OK ? reach_wait(t, err) : r;
}

/* ---- calls ---- */

#define VIEWS 12

/* Views are valid in the callback only: everything to memory of the reply's
 * own, which rk_reply_free() frees. */
static enum rk_err
keep(const struct rk_reply *from, struct rk_reply *to)
{
	struct rk_header *h = &to->hdr;
	struct rk_str *views[VIEWS + 1] = { &h->from, &h->to, &h->to_service,
		&h->to_version, &h->from_service, &h->from_version, &h->subject,
		&h->call_id, &h->to_peer_id, &h->to_peer_name, &h->from_peer_id,
		&h->from_peer_name, &to->remote_error };
	struct rk_bytes *bytes[] = { &to->payload, &h->args.raw };
	size_t len = 1;
	uint8_t *p;

	*to = *from;
	for (size_t i = 0; i <= VIEWS; i++)
		len += views[i]->len;
	len += bytes[0]->len + bytes[1]->len;
	if ((p = malloc(len)) == NULL) {
		*to = (struct rk_reply){ .code = RK_ENOMEM };
		return RK_ENOMEM;
	}
	to->owned = p;
	for (size_t i = 0; i <= VIEWS; i++) {
		if (views[i]->len != 0)
			memcpy(p, views[i]->ptr, views[i]->len);
		views[i]->ptr = (const char *)p;
		p += views[i]->len;
	}
	for (size_t i = 0; i < 2; i++) {
		if (bytes[i]->len != 0)
			memcpy(p, bytes[i]->ptr, bytes[i]->len);
		bytes[i]->ptr = p;
		p += bytes[i]->len;
	}
	return RK_OK;
}

struct waiting {
	struct rk_reply *reply;
	bool over;
};

static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct waiting *w = arg;

	(void)c;
	/* Out of memory is the code of what was made of it. */
	(void)keep(reply, w->reply);
	w->over = true;
}

/* As the library has it for its blocking calls. */
static void
describe(const struct target *t, const char *method,
    const struct rk_reply *reply, struct rk_error *err)
{
	const char *detail = rk_err_text(reply->code);
	char remote[RK_ERROR_TEXT_LEN / 2], name[RK_NAME_MAX + 1];

	if (reply->code == RK_EREMOTE)
		detail = rk_escape(remote, sizeof(remote),
		    reply->remote_error.ptr, reply->remote_error.len);
	else if (reply->code == t->ended.code)
		detail = t->ended.text;
	(void)err_set(err, reply->code, "%s: %s",
	    rk_escape(name, sizeof(name), method, strlen(method)), detail);
	if (err != NULL)
		err->step = "call";
}

enum rk_err
reach_call(struct target *t, const struct rk_request *req,
    struct rk_reply *reply, struct rk_error *err)
{
	struct waiting w = { .reply = reply };
	uint64_t id = 0;
	enum rk_err r;

	*reply = (struct rk_reply){ .code = RK_EFAIL };
	err_clear(err);
	/* Nothing is sent for who has left off before. */
	r = is_left() ? RK_ECANCELED
	              : rk_client_submit(t->client, req, on_reply, &w, &id);
	w.over = r != RK_OK;
	if (r != RK_OK)
		reply->code = r;
	else
		patience_begin(t);
	while (!w.over) {
		reach_turn(t, -1);
		if (w.over || !held_interrupted())
			continue;
		(void)held_canceled();
		/* Gone already is as good. */
		(void)rk_client_cancel(t->client, id);
	}
	if (reply->code != RK_OK)
		describe(t, req->method, reply, err);
	return reply->code;
}
