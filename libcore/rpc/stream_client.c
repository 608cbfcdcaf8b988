/* Streams: the client's end, from the opening message to the answer. */
#include "rpc/client_int.h"

#include "base/error.h"
#include "base/str.h"

/* ---- the end ---- */

static void
tell_ended(struct rk_stream *s, const struct rk_reply *reply)
{
	stream_silence(s);
	s->entered++;
	if (s->events->ended != NULL)
		s->events->ended(s, reply, s->arg);
	stream_free(s);
	s->entered--;
	stream_release(s);
}

void
stream_client_ended(struct rk_stream *s)
{
	struct rk_reply reply = s->answer;

	s->answer = (struct rk_reply){ 0 };
	tell_ended(s, &reply);
	rk_reply_free(&reply);
}

static bool
is_local(const struct rk_reply *reply)
{
	return reply->code != RK_OK && reply->code != RK_EREMOTE &&
	       reply->code != RK_ENOMETHOD;
}

static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct rk_stream *s = arg;

	(void)c;
	if (s->events != NULL && (is_local(reply) || TAILQ_EMPTY(&s->parts))) {
		tell_ended(s, reply);
		return;
	}
	/* It waits for the parts before it to be taken. */
	s->answered = true;
	stream_sent_all(s);
	if (!client_keep_reply(&s->answer, reply))
		s->answer = (struct rk_reply){ .code = RK_ENOMEM,
			.maybe_executed = true };
	/* Behind what this end knows by itself nothing is delivered. */
	if (is_local(reply))
		stream_silence(s);
}

void
stream_client_leave(struct streams *t)
{
	static const struct rk_reply canceled = { .code = RK_ECANCELED,
		.maybe_executed = true };
	struct rk_stream *s = TAILQ_FIRST(&t->all);

	/* Each callback may change the list: start over. */
	while (s != NULL) {
		if (s->events == NULL || !s->answered) {
			s = TAILQ_NEXT(s, link);
			continue;
		}
		tell_ended(s, &canceled);
		s = TAILQ_FIRST(&t->all);
	}
}

/* Out of the pending table, and the server told; the rest comes from there. */
static void
end_call(struct rk_stream *s, enum rk_err code)
{
	stream_silence(s);
	if (!s->answered) {
		(void)client_end_call(s->client, s->seqno, code);
		return;
	}
	rk_reply_free(&s->answer);
	s->answer = (struct rk_reply){ .code = code, .maybe_executed = true };
	stream_later(s);
}

void
stream_client_broken(struct rk_stream *s, const char *why)
{
	log_event(RK_LOG_WARN, "client", "%s: stream: protocol error: %s",
	    s->client->url_text, why);
	end_call(s, RK_EPROTO);
}

void
rk_stream_cancel(struct rk_stream *s)
{
	if (s->client != NULL && !s->gone)
		end_call(s, RK_ECANCELED);
}

/* ---- the beginning ---- */

static int64_t
opening_type(enum rk_stream_kind kind)
{
	switch (kind) {
	case RK_STREAM_UP:
		return RK_TYPE_UPLOAD_BEGIN;
	case RK_STREAM_DOWN:
		return RK_TYPE_DOWNLOAD;
	case RK_STREAM_BOTH:
		return RK_TYPE_BISTREAM;
	}
	return 0;
}

static struct rk_stream *
make(struct rk_client *c, enum rk_stream_kind kind, const struct msg *m,
    const struct rk_stream_events *events, void *arg)
{
	struct rk_stream *s = stream_new(&c->streams, kind, m);

	if (s == NULL)
		return NULL;
	s->client = c;
	s->events = events;
	s->arg = arg;
	/* The request counts, and is a part where parts go up. */
	s->out_part = kind != RK_STREAM_DOWN;
	if (kind != RK_STREAM_DOWN && m->payload.len != 0)
		s->out_used = stream_cost(m->payload.len);
	return s;
}

enum rk_err
rk_client_stream(struct rk_client *c, enum rk_stream_kind kind,
    const struct rk_request *req, const struct rk_stream_events *events,
    void *arg, struct rk_stream **out)
{
	struct rk_request timed = *req;
	struct msg m = { .hdr = { .type = opening_type(kind) } };
	struct pending *p;
	enum rk_err r;

	*out = NULL;
	if (m.hdr.type == 0)
		return RK_EINVAL;
	if (timed.timeout == 0)
		timed.timeout = RK_NEVER;
	timed.idempotent = false;
	if ((r = client_begin(c, &timed, &m, on_reply, NULL, &p)) != RK_OK)
		return r;
	*out = make(c, kind, &m, events, arg);
	p->arg = *out;
	r = *out == NULL ? RK_ENOMEM : client_put(c, &timed, &m, p);
	if (r != RK_OK) {
		client_forget(c, p);
		if (*out != NULL)
			stream_free(*out);
		*out = NULL;
	}
	return r;
}

/* ---- the blocking form ---- */

static enum rk_err
wait(struct rk_stream *s, struct rk_error *err)
{
	struct rk_client *c = s->client;
	enum rk_err r;

	if ((r = rk_loop_step(c->loop, -1)) != RK_OK)
		return err_set(
		    err, r, "%s: the event loop failed", c->url_text);
	return RK_OK;
}

static enum rk_err
may_wait(const struct rk_stream *s, struct rk_error *err)
{
	const struct rk_client *c = s->client;

	err_clear(err);
	if (c != NULL && s->events == NULL && c->own_loop &&
	    !loop_is_turning(c->loop))
		return RK_OK;
	return err_set(err, RK_ESTATE, "stream: cannot wait here");
}

enum rk_err
rk_stream_put(
    struct rk_stream *s, const struct rk_part *part, struct rk_error *err)
{
	enum rk_err r;

	if ((r = may_wait(s, err)) != RK_OK)
		return r;
	loop_refresh(s->client->loop);
	while ((r = rk_stream_send(s, part)) == RK_EAGAIN) {
		if ((r = wait(s, err)) != RK_OK)
			return r;
	}
	/* What was put has to leave, and what ends the stream to be seen,
	 * while somebody puts and never waits. */
	if (r == RK_OK)
		r = rk_loop_step(s->client->loop, 0);
	if (r != RK_OK)
		(void)err_set(err, r, "stream: %s", rk_err_text(r));
	return r;
}

enum rk_err
rk_stream_next(struct rk_stream *s, struct rk_part *part, struct rk_error *err)
{
	enum rk_err r;

	*part = (struct rk_part){ 0 };
	if ((r = may_wait(s, err)) != RK_OK)
		return r;
	stream_part_free(s, s->shown);
	while ((s->shown = stream_pop(s)) == NULL && !s->answered) {
		if ((r = wait(s, err)) != RK_OK)
			return r;
	}
	if (s->shown == NULL)
		return RK_ENOENT;
	stream_part_show(s->shown, part);
	return RK_OK;
}

enum rk_err
rk_stream_finish(
    struct rk_stream *s, struct rk_reply *reply, struct rk_error *err)
{
	struct stream_part *p;
	enum rk_err r;

	*reply = (struct rk_reply){ .code = RK_ESTATE };
	if ((r = may_wait(s, err)) != RK_OK)
		return r;
	for (;;) {
		while ((p = stream_pop(s)) != NULL)
			stream_part_free(s, p);
		if (s->answered)
			break;
		if ((r = wait(s, err)) != RK_OK)
			return r;
	}
	*reply = s->answer;
	s->answer = (struct rk_reply){ 0 };
	if (reply->code != RK_OK)
		client_describe(s->client, s->method, reply, err);
	stream_free(s);
	return reply->code;
}

/* ---- small questions ---- */

const struct rk_peer *
stream_client_peer(const struct rk_stream *s)
{
	return rk_client_peer(s->client);
}

uint64_t
stream_client_time_left(const struct rk_stream *s)
{
	const struct pending *p = pending_find(&s->client->pending, s->seqno);
	uint64_t now = rk_loop_now(s->client->loop);

	if (p == NULL)
		return 0;
	if (p->deadline == RK_NEVER)
		return RK_NEVER;
	return p->deadline > now ? p->deadline - now : 0;
}
