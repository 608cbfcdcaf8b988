/* A client's subscriptions: which pushes go where, and telling the server. */
#include "rpc/client_int.h"

#include "rpc/greenpack.h"
#include "rpc/topic.h"

#include <stdlib.h>

/*
 * What the server knows of one: NONE, ASKED while the answer is not there,
 * KNOWN.  A subscription that is removed stays as long as a delivery is on the
 * stack or an answer will come to it.
 */
enum sub_told {
	TOLD_NONE,
	TOLD_ASKED,
	TOLD_KNOWN
};

struct client_sub {
	TAILQ_ENTRY(client_sub) link;
	struct rk_client *client;
	uint64_t id;
	bool removed;
	bool announce;
	bool by_call; /* the text is a call id */
	enum sub_told told;
	rk_pushed_fn *fn;
	void (*announced)(
	    struct rk_client *c, const struct rk_reply *reply, void *arg);
	void *arg;
	size_t len;
	char text[];
};

void
client_subs_init(struct client_subs *t)
{
	TAILQ_INIT(&t->list);
}

void
client_subs_fini(struct client_subs *t)
{
	struct client_sub *s;

	while ((s = TAILQ_FIRST(&t->list)) != NULL) {
		TAILQ_REMOVE(&t->list, s, link);
		free(s);
	}
}

/* Free it, if it was removed and nothing needs it. */
static void
reap(struct client_sub *s)
{
	struct client_subs *t = &s->client->subs;

	if (!s->removed || t->delivering != 0 || s->told == TOLD_ASKED)
		return;
	TAILQ_REMOVE(&t->list, s, link);
	free(s);
}

static void
sweep(struct client_subs *t)
{
	struct client_sub *s = TAILQ_FIRST(&t->list);
	struct client_sub *next;

	for (; s != NULL && t->delivering == 0; s = next) {
		next = TAILQ_NEXT(s, link);
		reap(s);
	}
}

/* ---- telling the server ---- */

static bool
is_same(const struct client_sub *a, const struct client_sub *b)
{
	return a->by_call == b->by_call && a->len == b->len &&
	       memcmp(a->text, b->text, a->len) == 0;
}

/* Does another want the server to know of the same subject? */
static bool
is_shared(const struct client_sub *s)
{
	const struct client_sub *o;

	TAILQ_FOREACH (o, &s->client->subs.list, link) {
		if (o != s && !o->removed && o->announce && is_same(o, s))
			return true;
	}
	return false;
}

static void on_announced(
    struct rk_client *c, const struct rk_reply *reply, void *arg);

static void
on_forgotten(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	(void)c;
	(void)reply;
	(void)arg;
}

static enum rk_err
tell(struct client_sub *s, const char *method, rk_reply_fn *fn, void *arg,
    uint64_t *id)
{
	uint8_t body[GP_HEAD_MAX + RK_TOPIC_MAX];
	struct rk_request req = { .method = method, .payload = body };

	req.payload_len = (size_t)(gp_put_str(body, s->text, s->len) - body);
	return rk_client_submit(s->client, &req, fn, arg, id);
}

static enum rk_err
announce(struct client_sub *s)
{
	enum rk_err r = tell(s, "_.subscribe", on_announced, s, NULL);

	if (r == RK_OK)
		s->told = TOLD_ASKED;
	return r;
}

/* If it does not get there, the connection ends, or a push comes that nobody
 * here wants.  The next connection is told of what is wanted by then, so that
 * this must not come after it. */
static void
withdraw(struct client_sub *s)
{
	struct pending *p;
	uint64_t id;

	if (s->told != TOLD_KNOWN || s->client->state != CLIENT_OPEN ||
	    is_shared(s))
		return;
	s->told = TOLD_NONE;
	if (tell(s, "_.unsubscribe", on_forgotten, NULL, &id) == RK_OK &&
	    (p = pending_find(&s->client->pending, id)) != NULL)
		p->bound = true;
}

static void
on_announced(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct client_sub *s = arg;

	s->told = reply->code == RK_OK ? TOLD_KNOWN : TOLD_NONE;
	if (!s->removed && s->announced != NULL) {
		s->announced(c, reply, s->arg);
		return;
	}
	if (s->removed)
		withdraw(s);
	reap(s);
}

void
client_announce(struct rk_client *c)
{
	struct client_subs *t = &c->subs;
	struct client_sub *s;

	TAILQ_FOREACH (s, &t->list, link) {
		enum rk_err r;

		if (s->removed || !s->announce || s->told == TOLD_ASKED)
			continue;
		s->told = TOLD_NONE;
		t->announcing = true;
		r = announce(s);
		t->announcing = false;
		if (r != RK_OK && s->announced != NULL) {
			struct rk_reply none = { .code = r };

			t->delivering++;
			s->announced(c, &none, s->arg);
			t->delivering--;
		}
	}
	sweep(t);
}

/* ---- what comes ---- */

static bool
fits(const struct client_sub *s, const struct rk_header *hdr,
    struct rk_str topic)
{
	struct rk_str v = s->by_call ? hdr->call_id : topic;

	return s->len == v.len && memcmp(s->text, v.ptr, v.len) == 0;
}

void
client_pushed(struct rk_client *c, const struct msg *m)
{
	struct client_subs *t = &c->subs;
	const uint64_t last = t->last_id; /* those made meanwhile wait */
	struct rk_str topic = topic_of(&m->hdr);
	struct client_sub *s;
	bool taken = false;

	t->delivering++;
	TAILQ_FOREACH (s, &t->list, link) {
		if (s->id > last)
			break;
		if (s->removed || !fits(s, &m->hdr, topic))
			continue;
		taken = true;
		s->fn(c, &m->hdr, m->payload, s->arg);
	}
	t->delivering--;
	sweep(t);
	if (!taken && c->conf.pushed != NULL)
		c->conf.pushed(c, &m->hdr, m->payload, c->conf.arg);
}

/* ---- the calls ---- */

static bool
is_good(const struct rk_subscription *s)
{
	if (s->fn == NULL || (s->subject == NULL) == (s->call_id == NULL) ||
	    (s->announce && s->subject == NULL))
		return false;
	return topic_is_good(s->subject == NULL ? s->call_id : s->subject);
}

enum rk_err
rk_client_subscribe(
    struct rk_client *c, const struct rk_subscription *s, uint64_t *id_out)
{
	const char *text = s->subject == NULL ? s->call_id : s->subject;
	struct client_sub *n;
	enum rk_err r;

	if (id_out != NULL)
		*id_out = 0;
	if (!is_good(s))
		return RK_EINVAL;
	n = malloc(sizeof(*n) + strlen(text));
	if (n == NULL)
		return RK_ENOMEM;
	*n = (struct client_sub){ .client = c,
		.announce = s->announce,
		.by_call = s->subject == NULL,
		.fn = s->fn,
		.announced = s->announced,
		.arg = s->arg,
		.len = strlen(text) };
	memcpy(n->text, text, n->len);
	if (n->announce && c->state == CLIENT_OPEN &&
	    (r = announce(n)) != RK_OK) {
		free(n);
		return r;
	}
	n->id = ++c->subs.last_id;
	TAILQ_INSERT_TAIL(&c->subs.list, n, link);
	if (id_out != NULL)
		*id_out = n->id;
	return RK_OK;
}

enum rk_err
rk_client_unsubscribe(struct rk_client *c, uint64_t id)
{
	struct client_sub *s;

	TAILQ_FOREACH (s, &c->subs.list, link) {
		if (s->id == id && !s->removed)
			break;
	}
	if (s == NULL)
		return RK_ENOENT;
	s->removed = true;
	withdraw(s);
	reap(s);
	return RK_OK;
}
