/* Streams: parts out, as far as credit and the connection allow. */
#include "rpc/stream.h"

#include "base/container.h"

static void
on_turned(struct loop_hook *h)
{
	struct streams *t = container_of(h, struct streams, turned);

	t->spent = 0;
}

void
streams_out_init(struct streams *t)
{
	t->turned.fn = on_turned;
}

bool
stream_has_room(const struct rk_stream *s)
{
	const struct session *session = s->owner->session;

	return session != NULL && s->out_used < s->out_limit &&
	       s->owner->spent < STREAMS_TURN &&
	       session_unsent(session) < STREAMS_AHEAD;
}

static enum rk_err
check_part(const struct rk_stream *s, const struct rk_part *part)
{
	const bool server = s->client == NULL;

	if (s->over || s->out_ended || s->answered ||
	    s->kind == (server ? RK_STREAM_UP : RK_STREAM_DOWN))
		return RK_ESTATE;
	if ((part->payload.ptr == NULL && part->payload.len != 0) ||
	    (part->args == NULL && part->n_args != 0))
		return RK_EINVAL;
	if (part->payload.len > RK_PAYLOAD_MAX || part->n_args > RK_ARGS_MAX ||
	    part->subject.len > RK_SUBJECT_MAX)
		return RK_ETOOBIG;
	return RK_OK;
}

static int64_t
out_type(const struct rk_stream *s, bool last)
{
	if (s->client != NULL)
		return last ? RK_TYPE_UPLOAD_END : RK_TYPE_UPLOAD_MORE;
	if (s->out_part == 0)
		return RK_TYPE_DOWNLOAD_BEGIN;
	return last ? RK_TYPE_DOWNLOAD_END : RK_TYPE_DOWNLOAD_MORE;
}

static enum rk_err
send_one(struct rk_stream *s, const struct rk_part *part, bool last)
{
	struct msg m = {
		.hdr = {
		    .type = out_type(s, last),
		    .to_service = s->method,
		    .subject = part->subject,
		    .seqno = s->seqno,
		    .call_id = s->call_id,
		    .stream_part = s->out_part,
		},
		.payload = part->payload,
	};
	enum rk_err r;

	r = session_send(s->owner->session, &m, part->args, part->n_args);
	if (r != RK_OK)
		return r == RK_ESTATE ? RK_ECLOSED : r;
	s->turn = false;
	s->out_part++;
	s->out_used += stream_cost(part->payload.len);
	stream_moved_out(s, part);
	s->owner->spent += part->payload.len;
	loop_hook_queue_next(s->owner->loop, &s->owner->turned);
	return RK_OK;
}

void
stream_sent_all(struct rk_stream *s)
{
	s->out_ended = true;
	s->starved = false; /* `writable` would be no use */
	stream_wait(s, false);
}

enum rk_err
rk_stream_send(struct rk_stream *s, const struct rk_part *part)
{
	static const struct rk_part nothing = { .last = true };
	struct streams *t = s->owner;
	enum rk_err r;

	if ((r = check_part(s, part)) != RK_OK)
		return r;
	if (!stream_has_room(s)) {
		s->starved = true;
		if (t->session != NULL && s->out_used < s->out_limit)
			stream_wait(s, true);
		return RK_EAGAIN;
	}
	if ((r = send_one(s, part, part->last)) != RK_OK)
		return r;
	/* The first one of a server never says that it is the last. */
	if (part->last && s->client == NULL && s->out_part == 1)
		r = send_one(s, &nothing, true);
	if (part->last)
		stream_sent_all(s);
	return r;
}

size_t
rk_stream_room(const struct rk_stream *s)
{
	static const struct rk_part any = { 0 };
	uint64_t credit;
	size_t ahead;

	if (check_part(s, &any) != RK_OK || !stream_has_room(s))
		return 0;
	credit = s->out_limit - s->out_used;
	ahead = STREAMS_AHEAD - session_unsent(s->owner->session);
	if (credit < ahead)
		ahead = (size_t)credit;
	if (STREAMS_TURN - s->owner->spent < ahead)
		ahead = STREAMS_TURN - s->owner->spent;
	return ahead < RK_STREAM_PART ? RK_STREAM_PART
	                              : ahead - ahead % RK_STREAM_PART;
}

void
rk_stream_pause(struct rk_stream *s, bool pause)
{
	s->paused = pause;
	if (!pause && !TAILQ_EMPTY(&s->parts))
		stream_later(s);
}

enum rk_stream_kind
rk_stream_kind(const struct rk_stream *s)
{
	return s->kind;
}

void
rk_stream_set_data(struct rk_stream *s, void *data)
{
	s->data = data;
}

void *
rk_stream_data(const struct rk_stream *s)
{
	return s->data;
}

const struct rk_peer *
rk_stream_peer(const struct rk_stream *s)
{
	return s->client != NULL ? stream_client_peer(s)
	                         : stream_server_peer(s);
}

struct rk_loop *
rk_stream_loop(const struct rk_stream *s)
{
	return s->owner->loop;
}

uint64_t
rk_stream_time_left(const struct rk_stream *s)
{
	return s->client != NULL ? stream_client_time_left(s)
	                         : stream_server_time_left(s);
}
