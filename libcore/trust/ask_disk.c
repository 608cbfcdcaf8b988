/* The trust store behind the keys that wait: what outlives the process. */
#include "trust/ask_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/str.h"
#include "trust/store.h"

/* ---- the hooks ---- */

/* Holds the mutex.  RK_ENOENT also for a row that says no more than the file:
 * who is known comes often, and costs no query then. */
static enum rk_err
get_row(struct rk_store *s, const char *fp, struct store_row *row,
    struct rk_error *err)
{
	bool silent;
	enum rk_err r;

	if ((r = store_memo_ask(s, fp, &silent, err)) != RK_OK)
		return r;
	if (silent)
		return RK_ENOENT;
	r = store_row_get(s, fp, row, err);
	if (r == RK_OK || r == RK_ENOENT)
		store_memo_add(s, row, fp);
	return r;
}

static enum rk_err
disk_load(
    void *arg, const char *fp, struct rk_ask_entry *out, struct rk_error *err)
{
	struct rk_store *s = arg;
	struct store_row row = { 0 };
	int64_t now;
	enum rk_err r;

	(void)pthread_mutex_lock(&s->mutex);
	now = store_now(s);
	store_hurry(s, STORE_AT_ONCE);
	if ((r = store_check(s, err)) == RK_OK)
		r = get_row(s, fp, &row, err);
	store_hurry(s, STORE_PATIENT);
	/* Rows do not have it: it depends on who else has the name. */
	if (r == RK_OK && row.e.state == RK_STORE_WAIT)
		row.e.status = store_status_of(
		    s, store_key_find(s, row.e.pub), row.e.pub, row.e.email);
	(void)pthread_mutex_unlock(&s->mutex);
	if (r == RK_OK && !ask_disk_entry(&row.e, now, out))
		r = RK_ENOENT;
	return r;
}

static enum rk_err
refusal(const struct rk_store_seen *seen, const char *fp, struct rk_error *err)
{
	if (seen->status == RK_STATUS_REVOKED)
		return err_set(err, RK_EREVOKED, "key %s was revoked", fp);
	if (seen->status == RK_STATUS_REJECTED)
		return err_set(err, RK_EDENIED, "key %s was rejected", fp);
	return err_set(err, RK_EUNKNOWNKEY,
	    "key %s is not in the list, which is locked", fp);
}

/* What lets it in meanwhile is for its next look at the table: an approval for
 * one connection must not be used up by waiting. */
static enum rk_err
disk_seen(void *arg, const struct rk_ask_entry *e, struct rk_error *err)
{
	const struct rk_peer peer = ask_disk_peer(e);
	struct rk_store_seen seen;
	enum rk_err r;

	r = rk_store_look(arg, RK_MODE_ASK, &peer.cert, &seen, err);
	if (r == RK_OK && seen.verdict == RK_VERDICT_WAIT)
		r = rk_store_see(arg, RK_MODE_ASK, &peer, &seen, err);
	if (r == RK_OK && seen.verdict == RK_VERDICT_REFUSE)
		r = refusal(&seen, e->fp, err);
	return r;
}

static enum rk_err
disk_drop(void *arg, const char *fp, struct rk_error *err)
{
	return store_drop(arg, fp, err);
}

static enum rk_err
disk_use(void *arg, const struct rk_ask_entry *e, struct rk_error *err)
{
	const struct rk_peer peer = ask_disk_peer(e);
	struct rk_store_seen seen;
	enum rk_err r;

	r = rk_store_see(arg, RK_MODE_ASK, &peer, &seen, err);
	if (r == RK_OK && seen.verdict == RK_VERDICT_REFUSE)
		r = refusal(&seen, e->fp, err);
	if (r == RK_OK && seen.verdict != RK_VERDICT_ACCEPT)
		r = RK_EAGAIN; /* used by another process */
	return r;
}

/* A key that waits, from before there was a store, or is put out. */
static enum rk_err
keep_key(struct rk_store *s, const struct rk_ask_entry *e, bool out,
    struct rk_error *err)
{
	const struct rk_peer peer = ask_disk_peer(e);
	struct store_row row;
	enum rk_err r;

	(void)pthread_mutex_lock(&s->mutex);
	r = store_row_get(s, e->fp, &row, err);
	(void)pthread_mutex_unlock(&s->mutex);
	if (r != RK_ENOENT)
		return r;
	err_clear(err);
	if (!e->has_cert)
		return err_set(err, RK_ESTATE,
		    "key %s has never been met, and only keys that were are "
		    "kept",
		    e->fp);
	return out ? store_keep(s, &peer, err) : disk_seen(s, e, err);
}

static enum rk_err
disk_decide(void *arg, const struct rk_ask_order *o,
    const struct rk_ask_entry *e, const struct rk_ask_entry *by,
    struct rk_error *err)
{
	static const enum rk_store_verb verbs[] = {
		[RK_ASK_APPROVE] = RK_STORE_APPROVE,
		[RK_ASK_APPROVE_ONCE] = RK_STORE_APPROVE_ONCE,
		[RK_ASK_REJECT] = RK_STORE_REJECT,
		[RK_ASK_REVOKE] = RK_STORE_REVOKE,
		[RK_ASK_FORGET] = RK_STORE_FORGET,
		[RK_ASK_APPROVE_UNTIL] = RK_STORE_APPROVE_UNTIL,
		[RK_ASK_REPLACE] = RK_STORE_REPLACE,
		[RK_ASK_NOTE] = RK_STORE_NOTE,
	};
	const struct rk_store_decision d = { .size = sizeof(d),
		.verb = verbs[o->verb],
		.key = e->fp,
		.by_key = by != NULL ? by->fp : NULL,
		.who = o->who,
		.note = o->note,
		.until = o->until,
		.version = RK_STORE_ANY_VERSION,
		.changed = o->changed };
	bool out;
	enum rk_err r;

	r = rk_store_decide(arg, &d, NULL, err);
	if (r != RK_ENOENT)
		return r;
	err_clear(err);
	/* Of a line, which it has not taken in, nothing may be left. */
	if (o->verb == RK_ASK_FORGET && e->status != RK_ASK_KNOWN)
		return RK_OK;
	out = o->verb == RK_ASK_REJECT || o->verb == RK_ASK_REVOKE;
	if ((r = keep_key(arg, e, out, err)) != RK_OK ||
	    (by != NULL && (r = keep_key(arg, by, false, err)) != RK_OK))
		return r;
	return rk_store_decide(arg, &d, NULL, err);
}

static enum rk_err
disk_taken(void *arg, const struct mails_for *whom, struct mails mails,
    bool *out, struct rk_error *err)
{
	struct rk_store *s = arg;
	enum rk_err r;

	(void)pthread_mutex_lock(&s->mutex);
	if ((r = store_refresh(s, err)) == RK_OK)
		*out = store_email_taken(s, whom, mails);
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}

static bool
is_admitted(enum rk_store_state state)
{
	return state == RK_STORE_KNOWN || state == RK_STORE_ONCE ||
	       state == RK_STORE_UNTIL;
}

/* store_audit_fn: of the act that is to be taken back. */
static enum rk_err
note_undone(
    const struct rk_store_line *line, const struct store_row *before, void *arg)
{
	struct ask_undone *out = arg;
	struct rk_ask_entry *key;

	if (out->n == ASK_UNDONE_MAX)
		return RK_EDAMAGED;
	key = &out->keys[out->n].key;
	ask_disk_text(&before->e, key);
	(void)str_escape_again(key->email, sizeof(key->email), line->email);
	/* The table has none of those. */
	if (line->before == RK_STORE_KNOWN)
		key->status = RK_ASK_KNOWN;
	out->keys[out->n++].was_in =
	    is_admitted(line->after) && !is_admitted(line->before);
	return RK_OK;
}

/* Is it what was seen? */
static enum rk_err
check_line(const struct rk_ask_order *o, const struct rk_store_line *last,
    struct rk_error *err)
{
	char who[4 * RK_STORE_TEXT_LEN];

	if (o->line == 0 || o->line == (uint64_t)last->id)
		return RK_OK;
	return err_set(err, RK_ESTATE,
	    "key %s: something else was decided meanwhile: %s by %s", last->fp,
	    last->what, str_escape(who, sizeof(who), last->who));
}

static enum rk_err
disk_undo(void *arg, const struct rk_ask_order *o, struct ask_undone *out,
    struct rk_error *err)
{
	struct rk_store *s = arg;
	struct rk_store_line last;
	enum rk_err r;

	(void)pthread_mutex_lock(&s->mutex);
	if ((r = store_refresh(s, err)) == RK_OK &&
	    (r = store_last_act(s, o->key, (int64_t)o->line, &last, err)) ==
	        RK_OK &&
	    (r = check_line(o, &last, err)) == RK_OK)
		r = store_audit_each(s, last.act, 0, note_undone, out, err);
	(void)pthread_mutex_unlock(&s->mutex);
	if (r != RK_OK ||
	    (r = rk_store_undo(s, last.act, o->who, err)) != RK_OK)
		return r;
	/* What is known again makes others changed ones. */
	(void)pthread_mutex_lock(&s->mutex);
	if (store_refresh(s, err) != RK_OK)
		err_clear(err); /* it is undone, whatever can be read now */
	(void)pthread_mutex_unlock(&s->mutex);
	return RK_OK;
}

/* ---- what others decided ---- */

#define NEWS_BATCH 64
#define NEWS_MAX 4096 /* at a time */
#define NEWS_ENDED 32 /* of them; the table remembers twice as many */

struct news {
	struct rk_store *store;
	size_t n;
	size_t ended; /* in all */
	struct ask_news items[NEWS_BATCH];
};

/* A line that says what was decided about a key, and not what came of it. */
static bool
is_decision(const struct rk_store_line *line)
{
	return line->fp[0] != '\0' && strcmp(line->what, "wait") != 0 &&
	       strcmp(line->what, "used") != 0 &&
	       strcmp(line->what, "again") != 0 &&
	       strcmp(line->what, "note") != 0;
}

/* An approval for one connection ends only when it is taken back: who has used
 * it may stay; so may whose line was taken out. */
static bool
has_ended(const struct rk_store_line *line)
{
	bool was_in = line->before == RK_STORE_ONCE
	                  ? strcmp(line->what, "undo") == 0
	                  : is_admitted(line->before);

	return was_in && !is_admitted(line->after) &&
	       strcmp(line->what, "gone") != 0;
}

/* store_audit_fn */
static enum rk_err
collect_news(
    const struct rk_store_line *line, const struct store_row *before, void *arg)
{
	struct news *news = arg;
	struct ask_news *item = &news->items[news->n];

	if (news->ended == NEWS_ENDED)
		return RK_ECANCELED;
	news->store->news.line = line->id;
	if (!is_decision(line))
		return RK_OK;
	ask_disk_text(&before->e, &item->key);
	if (line->after == RK_STORE_KNOWN)
		item->key.status = RK_ASK_KNOWN;
	item->ended = has_ended(line);
	news->ended += item->ended;
	news->n++;
	return RK_OK;
}

/* Holds the mutex.  *more: there may be lines behind these. */
static enum rk_err
read_news(
    struct rk_store *s, struct news *news, bool *more, struct rk_error *err)
{
	const int64_t from = s->news.line;
	int64_t version = 0;
	enum rk_err r;

	*more = false;
	news->n = 0;
	if ((r = store_check(s, err)) != RK_OK ||
	    (r = store_version(s, &version, err)) != RK_OK ||
	    version == s->news.version)
		return r;
	r = store_audit_next(s, from, NEWS_BATCH, collect_news, news, err);
	*more = s->news.line != from;
	if (r == RK_OK && !*more)
		s->news.version = version;
	return r == RK_ECANCELED ? RK_OK : r;
}

static void
notice_losses(struct rk_store *s)
{
	struct rk_error err;
	bool mended;

	/* Where the store fails it says so otherwise; busy is not for ever. */
	if (store_mend_now(s, &mended, &err) == RK_EIO)
		log_event(RK_LOG_WARN, "trust", "%s", err.text);
}

static enum rk_err
disk_news(void *arg, ask_news_fn *fn, void *fn_arg, struct rk_error *err)
{
	struct rk_store *s = arg;
	struct news *news = calloc(1, sizeof(*news));
	bool more = true;
	enum rk_err r = RK_OK;

	if (news == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	news->store = s;
	notice_losses(s);
	(void)pthread_mutex_lock(&s->mutex);
	store_lock_notice(s);
	store_flush_due(s);
	store_hurry(s, STORE_QUICK);
	store_tidy(s);
	store_hurry(s, STORE_PATIENT);
	(void)pthread_mutex_unlock(&s->mutex);
	for (size_t n = 0; more && r == RK_OK && n < NEWS_MAX;
	     n += NEWS_BATCH) {
		(void)pthread_mutex_lock(&s->mutex);
		r = read_news(s, news, &more, err);
		(void)pthread_mutex_unlock(&s->mutex);
		/* It asks the store, too. */
		for (size_t i = 0; i < news->n; i++)
			fn(&news->items[i], fn_arg);
	}
	free(news);
	return r;
}

/* What is there now is no news. */
static enum rk_err
begin_news(struct rk_store *s, struct rk_error *err)
{
	enum rk_err r;

	(void)pthread_mutex_lock(&s->mutex);
	r = store_db_number(
	    s, "SELECT coalesce(max(id), 0) FROM audit", &s->news.line, err);
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}

static void
disk_met(void *arg, const struct rk_peer *peer, bool comes)
{
	store_met(arg, peer, comes);
}

static void
disk_tried(void *arg, const struct rk_peer *peer)
{
	store_tried(arg, peer);
}

static enum rk_err
disk_certs(void *arg, store_cert_fn *fn, void *fn_arg, struct rk_error *err)
{
	return store_cert_each(arg, fn, fn_arg, err);
}

static void
disk_close(void *arg)
{
	rk_store_close(arg);
}

/* ---- the beginning ---- */

struct item {
	struct rk_ask_entry e;
	int64_t touched;
};

struct listing {
	struct item *items;
	size_t n, cap;
	int64_t now;
	bool failed;
};

static bool
take_entry(const struct rk_store_entry *e, void *arg)
{
	struct listing *l = arg;
	struct item item = { .touched = e->touched };
	void *p;

	/* A line that was added since is a decision, too. */
	if ((e->status == RK_STATUS_KNOWN && e->state != RK_STORE_ONCE &&
	        e->state != RK_STORE_UNTIL) ||
	    !ask_disk_entry(e, l->now, &item.e))
		return true;
	if (l->n == l->cap) {
		l->cap = 2 * l->cap + 16;
		p = reallocarray(l->items, l->cap, sizeof(*l->items));
		l->failed = p == NULL;
		if (l->failed)
			return false;
		l->items = p;
	}
	l->items[l->n++] = item;
	return true;
}

static enum rk_err
fill(struct room *room, struct rk_store *s, uint64_t now, struct rk_error *err)
{
	struct listing l = { .now = time(NULL) };
	enum rk_err r;

	r = rk_store_list(s, 0, take_entry, &l, err);
	if (r == RK_OK && l.failed)
		r = RK_ENOMEM;
	for (size_t i = 0; i < l.n && r == RK_OK; i++) {
		int64_t age = l.now - l.items[i].touched;

		/* Before this clock began, perhaps: only differences count. */
		r = room_restore(room, &l.items[i].e,
		    now - (age > 0 ? (uint64_t)age * 1000 : 0));
	}
	free(l.items);
	if (r == RK_ENOMEM)
		r = err_set(err, r, "out of memory");
	return r;
}

/* Has the table a store?  *r: of this file? */
static bool
has_store(
    struct room *room, const char *known, enum rk_err *r, struct rk_error *err)
{
	const struct ask_store old = room_store(room);
	const struct rk_store *s = old.arg;

	*r = RK_OK;
	if (old.load == NULL)
		return false;
	if (old.load == disk_load && strcmp(s->known_path, known) != 0)
		*r = err_set(err, RK_ESTATE,
		    "%s keeps what was decided; restart to use another list",
		    s->name);
	return true;
}

struct rk_store *
ask_disk_store(struct room *room)
{
	const struct ask_store store = room_store(room);

	return store.load == disk_load ? store.arg : NULL;
}

enum rk_err
ask_disk_attach(
    struct room *room, const struct ask_disk_from *from, struct rk_error *err)
{
	const char *known = from->known;
	struct ask_store store = { .load = disk_load,
		.seen = disk_seen,
		.drop = disk_drop,
		.use = disk_use,
		.decide = disk_decide,
		.taken = disk_taken,
		.undo = disk_undo,
		.news = disk_news,
		.met = disk_met,
		.tried = disk_tried,
		.certs = disk_certs,
		.close = disk_close };
	struct rk_store *s;
	enum rk_err r;

	if (has_store(room, known, &r, err))
		return r;
	r = from->at_once ? store_try_open(known, from->make, &s, err)
	                  : rk_store_open(known, from->make, &s, err);
	if (r == RK_ENOENT && !from->make) {
		err_clear(err);
		return RK_OK;
	}
	if (r != RK_OK)
		return r;
	store.arg = s;
	store_on_loop(s, true);
	if ((r = begin_news(s, err)) != RK_OK ||
	    (r = fill(room, s, from->now, err)) != RK_OK) {
		rk_store_close(s);
		return r;
	}
	if (room_offer_store(room, &store))
		return RK_OK;
	/* Another thread was faster. */
	rk_store_close(s);
	(void)has_store(room, known, &r, err);
	return r;
}
