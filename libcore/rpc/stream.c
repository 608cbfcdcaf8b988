/* Streams of one connection: parts in and out, credit, turns. */
#include "rpc/stream.h"

#include "base/container.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>

struct stream_part {
	TAILQ_ENTRY(stream_part) link;
	struct msg m;
	size_t size; /* of memory, for the connection's limit */
	size_t cap;  /* of memory[] */
	bool last;
	uint8_t memory[];
};

/* Blocks kept for the next parts: giving 64 KiB back and asking for them again
 * costs more than filling them. */
#define SPARE_MAX 16 /* a window of them */
#define SPARE_LEN (RK_STREAM_PART + 4096u)

/* ---- tables ---- */

static void on_hook(struct loop_hook *h);

static void
drop_spare(struct streams *t)
{
	struct stream_part *p;

	while ((p = TAILQ_FIRST(&t->spare)) != NULL) {
		TAILQ_REMOVE(&t->spare, p, link);
		free(p);
	}
	t->n_spare = 0;
}

void
streams_init(struct streams *t, struct rk_loop *loop)
{
	*t = (struct streams){ .loop = loop, .hook.fn = on_hook };
	streams_out_init(t);
	TAILQ_INIT(&t->all);
	TAILQ_INIT(&t->work);
	TAILQ_INIT(&t->wait);
	TAILQ_INIT(&t->spare);
}

void
streams_fini(struct streams *t)
{
	struct rk_stream *s;

	if (t->loop == NULL)
		return;
	while ((s = TAILQ_FIRST(&t->all)) != NULL)
		stream_free(s);
	drop_spare(t);
	loop_hook_remove(t->loop, &t->hook);
	loop_hook_remove(t->loop, &t->turned);
}

bool
streams_any(const struct streams *t)
{
	return !TAILQ_EMPTY(&t->all);
}

bool
streams_has(const struct streams *t, uint64_t seqno)
{
	const struct rk_stream *s;

	TAILQ_FOREACH (s, &t->all, link) {
		if (s->seqno == seqno)
			return true;
	}
	return false;
}

/* What a peer that says nothing of credit may send. */
static uint64_t
first_limit(const struct streams *t)
{
	if (t->session == NULL || !session_is_kin(t->session))
		return UINT64_MAX;
	return RK_STREAM_WINDOW;
}

static bool
keep_names(struct rk_stream *s, const struct rk_header *h)
{
	s->kept = malloc(h->call_id.len + h->to_service.len + 1);
	if (s->kept == NULL)
		return false;
	s->call_id = (struct rk_str){ s->kept, h->call_id.len };
	s->method =
	    (struct rk_str){ s->kept + h->call_id.len, h->to_service.len };
	if (h->call_id.len != 0)
		memcpy(s->kept, h->call_id.ptr, h->call_id.len);
	if (h->to_service.len != 0)
		memcpy(s->kept + h->call_id.len, h->to_service.ptr,
		    h->to_service.len);
	return true;
}

struct rk_stream *
stream_new(
    struct streams *t, enum rk_stream_kind kind, const struct msg *opening)
{
	struct rk_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	if (!keep_names(s, &opening->hdr)) {
		free(s);
		return NULL;
	}
	s->owner = t;
	s->kind = kind;
	s->seqno = opening->hdr.seqno;
	s->out_limit = first_limit(t);
	s->in_granted = RK_STREAM_WINDOW;
	TAILQ_INIT(&s->parts);
	TAILQ_INSERT_HEAD(&t->all, s, link);
	return s;
}

void
stream_wait(struct rk_stream *s, bool on)
{
	struct streams *t = s->owner;

	if (on == s->in_wait)
		return;
	s->in_wait = on;
	if (!on) {
		TAILQ_REMOVE(&t->wait, s, wait_link);
		return;
	}
	if (s->turn)
		TAILQ_INSERT_HEAD(&t->wait, s, wait_link);
	else
		TAILQ_INSERT_TAIL(&t->wait, s, wait_link);
	if (t->session != NULL)
		session_tell_low(t->session, STREAMS_AHEAD / 2);
}

static void
set_working(struct rk_stream *s, bool on)
{
	struct streams *t = s->owner;

	if (on == s->in_work)
		return;
	s->in_work = on;
	if (on)
		TAILQ_INSERT_TAIL(&t->work, s, work_link);
	else
		TAILQ_REMOVE(&t->work, s, work_link);
}

void
stream_later(struct rk_stream *s)
{
	set_working(s, true);
	loop_hook_queue(s->owner->loop, &s->owner->hook);
}

void
stream_release(struct rk_stream *s)
{
	if (s->entered != 0 || !s->gone)
		return;
	free(s->kept);
	free(s->file);
	free(s);
}

void
stream_part_free(struct rk_stream *s, struct stream_part *p)
{
	struct streams *t = s->owner;

	if (p == NULL)
		return;
	/* Its stream may have been the last, and gone with it. */
	if (p->cap != SPARE_LEN || t->n_spare == SPARE_MAX || !streams_any(t)) {
		free(p);
		return;
	}
	TAILQ_INSERT_HEAD(&t->spare, p, link);
	t->n_spare++;
}

void
stream_silence(struct rk_stream *s)
{
	struct stream_part *p;

	s->over = true;
	stream_wait(s, false);
	while ((p = stream_pop(s)) != NULL)
		stream_part_free(s, p);
}

void
stream_free(struct rk_stream *s)
{
	if (s->gone)
		return;
	stream_silence(s);
	set_working(s, false);
	stream_part_free(s, s->shown);
	s->shown = NULL;
	rk_reply_free(&s->answer);
	TAILQ_REMOVE(&s->owner->all, s, link);
	if (TAILQ_EMPTY(&s->owner->all))
		drop_spare(s->owner);
	s->gone = true;
	stream_release(s);
}

/* ---- in ---- */

static void
send_credit(struct rk_stream *s)
{
	struct streams *t = s->owner;
	struct msg m = { .hdr = {
		             .type = RK_TYPE_CREDIT,
		             .seqno = s->seqno,
		             .call_id = s->call_id,
		         } };

	struct rk_error err;
	enum rk_err r;

	s->in_granted = s->in_taken + RK_STREAM_WINDOW;
	m.hdr.stream_part = (int64_t)s->in_granted;
	r = session_send(t->session, &m, NULL, 0);
	if (r == RK_OK || r == RK_ESTATE)
		return;
	/* The sender would wait for ever. */
	(void)err_set(&err, r, "%s: a stream cannot go on: %s",
	    session_peer(t->session)->remote, rk_err_text(r));
	session_abort(t->session, &err);
}

/* Grants are as rare as they can be without the sender having to wait. */
static void
grant(struct rk_stream *s)
{
	const struct streams *t = s->owner;

	if (s->in_ended || s->over || s->answered || t->session == NULL ||
	    !session_is_kin(t->session) ||
	    s->in_taken + RK_STREAM_WINDOW - s->in_granted <
	        RK_STREAM_WINDOW / 4)
		return;
	send_credit(s);
}

void
stream_greet(struct rk_stream *s)
{
	const struct session *session = s->owner->session;

	/* Who negotiated it knows the first limit. */
	if (s->kind != RK_STREAM_DOWN && session_is_kin(session) &&
	    session_peer(session)->alpn[0] == '\0')
		send_credit(s);
}

static void
note_queued(struct streams *t, size_t size, bool more)
{
	const size_t max = first_limit(t) == UINT64_MAX ? STREAMS_QUEUE_MAX
	                                                : STREAMS_KIN_QUEUE_MAX;

	t->queued = more ? t->queued + size : t->queued - size;
	if (t->session == NULL ||
	    (t->stuffed ? t->queued > max / 2 : t->queued <= max))
		return;
	t->stuffed = !t->stuffed;
	session_pause(t->session, SESSION_PAUSE_STREAMS, t->stuffed);
}

/* Memory for a part of so many bytes. */
static struct stream_part *
new_part(struct streams *t, size_t len)
{
	struct stream_part *p = TAILQ_FIRST(&t->spare);
	const bool usual = len > SPARE_LEN / 2 && len <= SPARE_LEN;
	const size_t cap = usual ? SPARE_LEN : len;

	if (usual && p != NULL) {
		TAILQ_REMOVE(&t->spare, p, link);
		t->n_spare--;
		return p;
	}
	p = malloc(sizeof(*p) + cap);
	if (p != NULL)
		p->cap = cap;
	return p;
}

static void
fill_part(const struct msg *m, bool last, struct rk_part *out)
{
	*out = (struct rk_part){
		.payload = m->payload,
		.subject = m->hdr.subject,
		.last = last,
		.hdr = &m->hdr,
	};
}

void
stream_part_show(const struct stream_part *p, struct rk_part *out)
{
	fill_part(&p->m, p->last, out);
}

static void
note_taken(struct rk_stream *s, size_t payload)
{
	s->in_taken += stream_cost(payload);
	grant(s);
}

struct stream_part *
stream_pop(struct rk_stream *s)
{
	struct stream_part *p = TAILQ_FIRST(&s->parts);

	if (p == NULL)
		return NULL;
	TAILQ_REMOVE(&s->parts, p, link);
	note_queued(s->owner, p->size, false);
	note_taken(s, p->m.payload.len);
	return p;
}

static void
broken(struct rk_stream *s, const char *why)
{
	if (s->client != NULL)
		stream_client_broken(s, why);
	else
		stream_server_broken(s, why);
}

static void
keep(struct rk_stream *s, const struct msg *m, bool last)
{
	struct stream_part *p = new_part(s->owner, msg_keep_len(m));

	if (p == NULL) {
		broken(s, "out of memory");
		return;
	}
	msg_keep_at(m, &p->m, p->memory);
	p->last = last;
	p->size = sizeof(*p) + p->cap;
	TAILQ_INSERT_TAIL(&s->parts, p, link);
	note_queued(s->owner, p->size, true);
}

static void
enter_part(struct rk_stream *s, const struct msg *m, bool last)
{
	struct rk_part part;

	fill_part(m, last, &part);
	s->entered++;
	if (s->events->part != NULL)
		s->events->part(s, &part, s->arg);
	s->entered--;
}

void
stream_take(struct rk_stream *s, const struct msg *m, bool last)
{
	s->in_used += stream_cost(m->payload.len);
	stream_moved_in(s, m);
	s->in_part++;
	if (s->events == NULL || s->paused || !TAILQ_EMPTY(&s->parts)) {
		keep(s, m, last);
		return;
	}
	s->entered++;
	enter_part(s, m, last);
	if (!s->gone)
		note_taken(s, m->payload.len);
	s->entered--;
	stream_release(s);
}

static struct rk_stream *
find(struct streams *t, const struct msg *m)
{
	struct rk_stream *s;

	TAILQ_FOREACH (s, &t->all, link) {
		if (s->seqno == m->hdr.seqno)
			break;
	}
	if (s == NULL || (m->hdr.call_id.len != 0 &&
	                     (m->hdr.call_id.len != s->call_id.len ||
	                         memcmp(m->hdr.call_id.ptr, s->call_id.ptr,
	                             s->call_id.len) != 0)))
		return NULL;
	/* One that is busy is looked for again soon. */
	TAILQ_REMOVE(&t->all, s, link);
	TAILQ_INSERT_HEAD(&t->all, s, link);
	return s;
}

bool
stream_is_part(int64_t type)
{
	switch (type) {
	case RK_TYPE_UPLOAD_MORE:
	case RK_TYPE_UPLOAD_END:
	case RK_TYPE_DOWNLOAD_BEGIN:
	case RK_TYPE_DOWNLOAD_MORE:
	case RK_TYPE_DOWNLOAD_END:
	case RK_TYPE_CREDIT:
		return true;
	default:
		return false;
	}
}

static bool
goes_up(int64_t type)
{
	return type == RK_TYPE_UPLOAD_MORE || type == RK_TYPE_UPLOAD_END;
}

/* Why this part cannot be; NULL: it can. */
static const char *
judge(const struct rk_stream *s, const struct msg *m, char *text, size_t cap)
{
	const struct session *session = s->owner->session;

	if (goes_up(m->hdr.type) != (s->client == NULL) ||
	    s->kind == (s->client == NULL ? RK_STREAM_DOWN : RK_STREAM_UP))
		return "a part in the wrong direction";
	if (s->in_ended)
		return "a part after the last";
	if (m->hdr.stream_part != s->in_part) {
		(void)snprintf(text, cap, "part %lld came, %lld was due",
		    (long long)m->hdr.stream_part, (long long)s->in_part);
		return text;
	}
	if (s->in_used >= s->in_granted &&
	    session_peer(session)->alpn[0] != '\0' && session_is_kin(session))
		return "more than the window allows";
	return NULL;
}

static void
take_credit(struct rk_stream *s, int64_t limit)
{
	if (limit < 0 ||
	    (s->out_limit != UINT64_MAX && (uint64_t)limit < s->out_limit))
		return; /* what was granted stays so */
	s->out_limit = (uint64_t)limit;
	if (s->starved && s->out_used < s->out_limit)
		stream_later(s);
}

void
streams_message(struct streams *t, const struct msg *m)
{
	struct rk_stream *s = find(t, m);
	char text[80];
	const char *why;
	bool last;

	if (s == NULL || s->over || s->answered)
		return;
	if (m->hdr.type == RK_TYPE_CREDIT) {
		take_credit(s, m->hdr.stream_part);
		return;
	}
	why = judge(s, m, text, sizeof(text));
	if (why != NULL) {
		broken(s, why);
		return;
	}
	last = m->hdr.type == RK_TYPE_UPLOAD_END ||
	       m->hdr.type == RK_TYPE_DOWNLOAD_END;
	s->in_ended = last;
	stream_take(s, m, last);
}

/* ---- turns ---- */

static void
deliver_waiting(struct rk_stream *s)
{
	struct stream_part *p;

	while (!s->gone && !s->over && !s->paused && s->events != NULL &&
	       (p = TAILQ_FIRST(&s->parts)) != NULL) {
		TAILQ_REMOVE(&s->parts, p, link);
		note_queued(s->owner, p->size, false);
		enter_part(s, &p->m, p->last);
		if (!s->gone)
			note_taken(s, p->m.payload.len);
		stream_part_free(s, p);
	}
}

static void
offer_room(struct rk_stream *s)
{
	if (s->gone || s->over || !s->starved || !stream_has_room(s))
		return;
	s->starved = false;
	if (s->events != NULL && s->events->writable != NULL)
		s->events->writable(s, s->arg);
}

static void
work(struct rk_stream *s)
{
	s->entered++;
	deliver_waiting(s);
	offer_room(s);
	if (!s->gone && s->answered && TAILQ_EMPTY(&s->parts) &&
	    s->events != NULL)
		stream_client_ended(s);
	else if (!s->gone && s->starved && !s->over &&
	         s->out_used < s->out_limit)
		stream_wait(s, true);
	s->turn = false;
	s->entered--;
	stream_release(s);
}

/* Each that is there now once: callbacks may add others, and free any. */
static void
on_hook(struct loop_hook *h)
{
	struct streams *t = container_of(h, struct streams, hook);
	struct rk_stream *s;
	size_t n = 0;

	TAILQ_FOREACH (s, &t->work, work_link)
		n++;
	while (n-- > 0 && (s = TAILQ_FIRST(&t->work)) != NULL) {
		set_working(s, false);
		work(s);
	}
	if (!TAILQ_EMPTY(&t->work))
		loop_hook_queue_next(t->loop, &t->hook);
}

/* One at a time: the first fills up what there is, and then waits behind those
 * that were told nothing yet. */
void
streams_low(struct streams *t)
{
	struct rk_stream *s = TAILQ_FIRST(&t->wait);

	if (s == NULL)
		return;
	stream_wait(s, false);
	s->turn = true;
	stream_later(s);
	if (!TAILQ_EMPTY(&t->wait) && t->session != NULL)
		session_tell_low(t->session, STREAMS_AHEAD / 2);
}

void
streams_open(struct streams *t, struct session *session)
{
	struct rk_stream *s;

	t->session = session;
	TAILQ_FOREACH (s, &t->all, link) {
		s->out_limit = first_limit(t);
		if (s->starved)
			stream_later(s);
	}
}

void
streams_closed(struct streams *t)
{
	t->session = NULL;
	t->stuffed = false;
}
