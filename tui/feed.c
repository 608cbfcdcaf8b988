/* The line to the daemon: asks, is told of events, dials again. */
#include "feed_int.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/admin.h"
#include "cli/path.h"

#include <stdio.h>
#include <stdlib.h>

#define DIAL_FIRST_MS 250
#define DIAL_MOST_MS 2000
#define ANSWER_MS 20000
#define SILENT_MS 5000 /* without an answer: that is told */
#define SOON_MS 150    /* events come in bursts */
#define ROWS_A_MS 2    /* that are asked for again, at most */
#define KEYS_A_MS 8    /* the same, of keys */
#define BRIEF_A_MS 8   /* the same, of what moves in them only */
#define ROWS_MS 250    /* between what events make ask for them, at least */
#define UNTOLD_MS 5000 /* until what was refused is asked for again */
#define MISSING_MS 500 /* and at most, where somebody waits */

static const char *const methods[N_ASKS] = {
	[ASK_STATUS] = "_.status",
	[ASK_METHODS] = "_.methods",
	[ASK_EVENTS] = "_.events",
	[ASK_CONNS] = "_.conns",
	[ASK_CALLS] = "_.calls",
	[ASK_TRUST] = "_.trust",
	[ASK_KNOWN] = "_.known",
	[ASK_LOG] = "_.log",
	[ASK_SERVES] = "_.serves",
};

static int64_t
now_of(const struct feed *f)
{
	return (int64_t)rk_loop_now(f->conf.loop);
}

static void
changed(struct feed *f)
{
	if (f->conf.changed != NULL && !f->freed)
		f->conf.changed(f->conf.arg);
}

static void
arm(struct feed *f, struct rk_timer *t, uint64_t ms)
{
	if (rk_timer_set(t, rk_loop_now(f->conf.loop) + ms) != RK_OK)
		feed_trouble(f->conf.model, "out of memory");
}

/* Who answers so is left, and dialed again later.  why NULL: it was said. */
static void
fail(struct feed *f, enum what what, const char *why)
{
	char text[256];

	if (f->failed)
		return;
	if (why != NULL) {
		(void)snprintf(
		    text, sizeof(text), "%s: %s", methods[what], why);
		feed_trouble(f->conf.model, text);
	}
	f->failed = true;
	f->open = false;
	rk_client_shutdown(f->client);
}

static void
dial_later(struct feed *f)
{
	arm(f, f->dial, f->wait_ms);
	f->wait_ms =
	    f->wait_ms * 2 < DIAL_MOST_MS ? f->wait_ms * 2 : DIAL_MOST_MS;
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct feed *f = arg;

	(void)c;
	f->open = false;
	f->whole = false;
	if (f->freed)
		return;
	if (!f->failed)
		feed_lost(f->conf.model, &f->at, why);
	dial_later(f);
	changed(f);
}

/* ---- asking ---- */

static rk_reply_fn on_answer;

static void
ask(struct feed *f, enum what what)
{
	struct ask *a = &f->asks[what];
	struct rk_request req = { .method = methods[what],
		.timeout = ANSWER_MS };
	uint8_t wish[FEED_WISH];
	uint64_t from;
	enum rk_err r;

	if (!f->open)
		return;
	if (a->runs) {
		a->again = true;
		return;
	}
	if (what == ASK_EVENTS) {
		req.payload = wish;
		req.payload_len = feed_wish(f->calls_of, wish);
	} else if (what == ASK_CONNS) {
		req.payload = wish;
		req.payload_len = feed_wish_conns(
		    f->conf.model, &f->maps_ms, a->asked_ms, now_of(f), wish);
	} else if (model_more(f->conf.model, methods[what], &from)) {
		req.payload = wish;
		req.payload_len = feed_wish_from(from, wish);
	}
	a->asked_ms = now_of(f);
	r = rk_client_submit(f->client, &req, on_answer, a, NULL);
	a->runs = r == RK_OK;
	if (r != RK_OK)
		fail(f, what, rk_err_text(r));
}

/* A thousand rows four times a second would be work at both ends: so many come
 * less often.  How long until they may, if not sooner than `least`, nor later
 * than `most`. */
static int64_t
due_in(const struct feed *f, enum what what, int64_t least, int64_t most)
{
	const struct model *m = f->conf.model;
	size_t rows = what == ASK_CONNS   ? m->n_conns
	              : what == ASK_CALLS ? m->n_calls
	              : what == ASK_KNOWN ? m->n_keys / (KEYS_A_MS / ROWS_A_MS)
	                                  : 0;
	const bool brief =
	    what == ASK_CONNS && feed_is_brief(m, f->maps_ms, now_of(f));
	int64_t ms = (int64_t)rows / (brief ? BRIEF_A_MS : ROWS_A_MS);

	ms = ms < least ? least : ms > most ? most : ms;
	return f->asks[what].asked_ms + ms - now_of(f);
}

/* Those that no event tells; what still runs is not asked twice. */
static void
ask_figures(struct feed *f)
{
	static const enum what figures[] = { ASK_STATUS, ASK_CONNS, ASK_CALLS };

	for (size_t i = 0; i < 3; i++) {
		if (!f->asks[figures[i]].runs &&
		    due_in(f, figures[i], 0, INT64_MAX) <= 0)
			ask(f, figures[i]);
	}
	if (f->wants_methods && !f->asks[ASK_SERVES].runs)
		ask(f, ASK_SERVES);
}

static void
ask_all(struct feed *f)
{
	for (int what = ASK_METHODS; what < N_ASKS; what++)
		ask(f, (enum what)what);
}

/* Who came or went, without waiting for the figures' time; else how long until
 * then.  Who asks for figures again after a pause asks for this as well. */
static int64_t
ask_moved(struct feed *f)
{
	const bool missing = f->conf.model->conns_missing;
	int64_t ms =
	    due_in(f, ASK_CONNS, ROWS_MS, missing ? MISSING_MS : INT64_MAX);

	if (f->paused)
		return INT64_MAX;
	if (ms > 0 || f->asks[ASK_CONNS].runs)
		return ms;
	ask(f, ASK_CONNS);
	return INT64_MAX;
}

/* The same of keys, which may be many; while they come they are not asked for
 * once more. */
static int64_t
ask_keys(struct feed *f)
{
	int64_t ms = due_in(f, ASK_KNOWN, 0, INT64_MAX);

	if (ms > 0 || f->asks[ASK_TRUST].runs || f->asks[ASK_KNOWN].runs)
		return ms;
	f->conf.model->keys_stale = false;
	ask(f, ASK_TRUST);
	ask(f, ASK_KNOWN);
	return INT64_MAX;
}

/* What events did not tell whole. */
static void
ask_stale(struct feed *f)
{
	struct model *m = f->conf.model;
	int64_t conns = INT64_MAX, keys = INT64_MAX;

	if (!f->open)
		return;
	if (m->all_stale) {
		ask_all(f);
		m->all_stale = m->keys_stale = false;
	}
	if (m->keys_stale)
		keys = ask_keys(f);
	if (m->conns_stale)
		conns = ask_moved(f);
	conns = conns < keys ? conns : keys;
	if (conns != INT64_MAX)
		arm(f, f->soon, conns > SOON_MS ? (uint64_t)conns : SOON_MS);
}

/* Whatever refused a list of keys may be over, which no event tells. */
static void
ask_untold(struct feed *f)
{
	struct model *m = f->conf.model;

	if ((m->keys_untold[0][0] == '\0' && m->keys_untold[1][0] == '\0') ||
	    due_in(f, ASK_KNOWN, UNTOLD_MS, INT64_MAX) > 0)
		return;
	m->keys_stale = true;
	ask_stale(f);
}

/* ---- being told ---- */

static void
take(struct feed *f, enum what what, struct rk_bytes payload)
{
	struct rk_value_doc *doc = NULL;
	enum rk_err r;

	if (what == ASK_EVENTS)
		return;
	r = rk_value_decode(payload.ptr, payload.len, &doc);
	if (r == RK_OK)
		r = model_answer(f->conf.model, methods[what],
		    rk_value_root(doc), now_of(f));
	rk_value_free(doc);
	if (what == ASK_TRUST || what == ASK_KNOWN)
		f->conf.model->keys_untold[what == ASK_KNOWN][0] = '\0';
	if (r == RK_ENOMEM) /* as it was; the next one may fit */
		model_no_more(f->conf.model);
	else if (r != RK_OK)
		fail(f, what, "the daemon's answer is malformed");
}

/* The rest is asked when it is known who answers. */
static void
greet(struct feed *f)
{
	struct model *m = f->conf.model;

	if (m->online || f->failed)
		return;
	m->online = true;
	m->trouble[0] = '\0';
	m->keys_stale = m->conns_stale = m->all_stale = false;
	m->conns_missing = false;
	model_no_more(m);
	ask_all(f);
	if (!rk_timer_armed(f->tick))
		arm(f, f->tick, f->conf.every_ms);
}

/* Of the first round. */
static void
look_whole(struct feed *f)
{
	for (size_t i = 0; i < N_ASKS; i++) {
		if (f->asks[i].runs)
			return;
	}
	f->whole = f->open && f->conf.model->online;
	if (f->whole)
		f->wait_ms = DIAL_FIRST_MS;
}

static void
refused(struct feed *f, enum what what, const struct rk_reply *reply)
{
	if (what == ASK_STATUS) {
		feed_refused(f->conf.model, &f->at, reply);
		fail(f, what, NULL);
	} else if (what == ASK_TRUST || what == ASK_KNOWN) {
		feed_no_keys(f->conf.model, methods[what], reply, now_of(f));
	}
}

/* With the next part of a list; else with what was to be asked once more. */
static void
go_on(struct feed *f, struct ask *a, bool again)
{
	uint64_t from;

	if (model_more(f->conf.model, methods[a->what], &from)) {
		ask(f, a->what);
		a->again = again;
	} else if (again) {
		ask(f, a->what);
	}
	if (f->conf.model->keys_stale && !rk_timer_armed(f->soon))
		arm(f, f->soon, SOON_MS);
}

static void
on_answer(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct ask *a = arg;
	struct feed *f = a->feed;
	bool again = a->again;

	(void)c;
	a->runs = a->again = false;
	if (f->freed || !f->open)
		return;
	if (a->what == ASK_STATUS)
		f->conf.model->silent_s = 0;
	f->at.answered = f->at.answered || reply->code == RK_OK;
	if (reply->code == RK_OK)
		take(f, a->what, reply->payload);
	else if (reply->code == RK_EREMOTE || reply->code == RK_ENOMETHOD)
		refused(f, a->what, reply);
	else if (reply->code == RK_ETIMEOUT)
		fail(f, a->what, "the daemon does not answer");
	else
		return; /* the connection is lost, which is told next */
	if (a->what == ASK_STATUS)
		greet(f);
	go_on(f, a, again);
	if (!f->whole)
		look_whole(f);
	changed(f);
}

static void
on_connected(struct rk_client *c, void *arg)
{
	struct feed *f = arg;

	f->failed = feed_refuses(f->conf.model, &f->at, c);
	f->open = !f->failed;
	ask(f, ASK_STATUS);
}

static void
on_pushed(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	struct feed *f = arg;
	struct model *m = f->conf.model;
	const bool missed = m->conns_missing;
	struct rk_value_doc *doc;

	(void)c;
	(void)hdr;
	if (f->freed || !f->open ||
	    rk_value_decode(payload.ptr, payload.len, &doc) != RK_OK)
		return;
	/* What is no event is not for us; what had no room is lost. */
	if (model_event(m, rk_value_root(doc), now_of(f)) == RK_OK) {
		if (f->event != NULL)
			f->event(rk_value_root(doc), f->event_arg);
		changed(f);
	}
	rk_value_free(doc);
	if ((m->keys_stale || m->conns_stale || m->all_stale) &&
	    (!rk_timer_armed(f->soon) || (m->conns_missing && !missed)))
		arm(f, f->soon, SOON_MS);
}

/* ---- time ---- */

static void
on_dial(struct rk_timer *t, void *arg)
{
	struct feed *f = arg;
	struct rk_error err;

	(void)t;
	f->failed = f->at.answered = false;
	for (size_t i = 0; i < N_ASKS; i++)
		f->asks[i] = (struct ask){ .feed = f, .what = (enum what)i };
	if (rk_client_start(f->client, &err) == RK_OK)
		return;
	feed_trouble(f->conf.model, err.text);
	dial_later(f);
	changed(f);
}

static void
on_soon(struct rk_timer *t, void *arg)
{
	(void)t;
	ask_stale(arg);
}

/* It is told long before it is given up: a reload may take its time. */
static void
note_silence(struct feed *f)
{
	const struct ask *a = &f->asks[ASK_STATUS];
	struct model *m = f->conf.model;
	int64_t ms = a->runs ? now_of(f) - a->asked_ms : 0;
	int64_t silent = m->online && ms >= SILENT_MS ? ms / 1000 : 0;

	m->changes += m->silent_s != silent;
	m->silent_s = silent;
}

static void
on_tick(struct rk_timer *t, void *arg)
{
	struct feed *f = arg;
	uint64_t before = f->conf.model->changes;

	(void)t;
	arm(f, f->tick, f->conf.every_ms);
	if (f->paused)
		return;
	model_tick(f->conf.model, now_of(f));
	note_silence(f);
	if (f->conf.model->online)
		ask_figures(f);
	if (f->conf.model->online)
		ask_untold(f);
	if (f->conf.model->changes != before)
		changed(f);
}

void
feed_want_methods(struct feed *f, bool on)
{
	f->wants_methods = on;
	if (on && f->conf.model->online && !f->asks[ASK_SERVES].runs)
		ask(f, ASK_SERVES);
}

void
feed_want_calls(struct feed *f, uint64_t conn)
{
	f->calls_of = conn;
	if (f->conf.model->online)
		ask(f, ASK_EVENTS);
}

void
feed_pause(struct feed *f, bool on)
{
	f->paused = on;
	if (!on)
		ask_figures(f);
}

void
feed_ask(struct feed *f)
{
	ask_stale(f);
	ask_figures(f);
}

bool
feed_whole(const struct feed *f)
{
	return f->whole;
}

void
feed_watch(struct feed *f, void (*fn)(void *arg), void *arg)
{
	f->conf.changed = fn;
	f->conf.arg = arg;
}

void
feed_on_event(struct feed *f, feed_event_fn *fn, void *arg)
{
	f->event = fn;
	f->event_arg = arg;
}

/* ---- life ---- */

static enum rk_err
make_client(struct feed *f, struct rk_error *err)
{
	struct rk_client_conf conf = { .size = sizeof(conf),
		.loop = f->conf.loop,
		.closed = on_closed,
		.connected = on_connected,
		.pushed = on_pushed,
		.arg = f };
	char url[PATH_LEN + 8];
	enum rk_err r;

	if ((r = path_unix_url(f->at.path, url, sizeof(url))) != RK_OK)
		return err_set(err, r, "--socket: the path is too long");
	conf.url = url;
	return rk_client_new(&conf, &f->client, err);
}

enum rk_err
feed_new(const struct feed_conf *conf, struct feed **out, struct rk_error *err)
{
	struct feed *f = calloc(1, sizeof(*f));
	enum rk_err r;

	*out = NULL;
	if (f == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	f->conf = *conf;
	f->conf.path = NULL; /* its owner's */
	f->at.program = "rpctui";
	(void)str_copy(f->at.path, sizeof(f->at.path), conf->path);
	f->wait_ms = DIAL_FIRST_MS;
	if ((r = make_client(f, err)) != RK_OK)
		goto out;
	if ((r = rk_timer_new(conf->loop, on_dial, f, &f->dial)) != RK_OK ||
	    (r = rk_timer_new(conf->loop, on_tick, f, &f->tick)) != RK_OK ||
	    (r = rk_timer_new(conf->loop, on_soon, f, &f->soon)) != RK_OK ||
	    (r = rk_timer_set(f->dial, rk_loop_now(conf->loop))) != RK_OK) {
		(void)err_set(err, r, "%s", rk_err_text(r));
		goto out;
	}
	*out = f;
	f = NULL;
out:
	feed_free(f);
	return r;
}

void
feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	f->freed = true;
	rk_client_free(f->client);
	rk_timer_free(f->dial);
	rk_timer_free(f->tick);
	rk_timer_free(f->soon);
	free(f);
}
