/* Decisions that people take about keys, and taking them back. */
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "trust/store.h"

#define WHO_TEXT 80  /* a person in a message */
#define UNDO_LINES 4 /* of one decision */

struct verb {
	const char *what;
	enum rk_store_state state; /* what the key becomes */
	bool admits;               /* it is let in */
};

static const struct verb verbs[] = {
	[RK_STORE_APPROVE] = { "approve", RK_STORE_KNOWN, true },
	[RK_STORE_APPROVE_ONCE] = { "once", RK_STORE_ONCE, true },
	[RK_STORE_APPROVE_UNTIL] = { "until", RK_STORE_UNTIL, true },
	[RK_STORE_REJECT] = { "reject", RK_STORE_REJECTED, false },
	[RK_STORE_REVOKE] = { "revoke", RK_STORE_REVOKED, false },
	[RK_STORE_FORGET] = { "forget", RK_STORE_NONE, false },
	[RK_STORE_REPLACE] = { "replace", RK_STORE_REVOKED, false },
	[RK_STORE_NOTE] = { "note", RK_STORE_NONE, false },
};

static enum rk_err
check_text(
    const char *text, bool needed, const char *what, struct rk_error *err)
{
	if (text == NULL || text[0] == '\0')
		return needed ? err_set(err, RK_EINVAL, "no %s is given", what)
		              : RK_OK;
	if (strlen(text) >= RK_STORE_TEXT_LEN)
		return err_set(err, RK_EINVAL, "the %s is longer than %d bytes",
		    what, RK_STORE_TEXT_LEN - 1);
	return RK_OK;
}

/* Of a clock that was set back the latest time counts, so that what is over
 * stays so. */
static enum rk_err
check_until(struct rk_store *s, int64_t until, struct rk_error *err)
{
	const int64_t now = store_now(s);
	char latest[32];

	if (until > now)
		return RK_OK;
	if (until <= s->clock())
		return err_set(err, RK_EINVAL, "that time is over");
	str_time(latest, now);
	return err_set(err, RK_EINVAL,
	    "that time is over: it has been %s here already, and the clock was "
	    "set back; if it is right now, restart",
	    latest);
}

static enum rk_err
check(
    struct rk_store *s, const struct rk_store_decision *d, struct rk_error *err)
{
	enum rk_err r;

	if (d->size != sizeof(*d) || (unsigned)d->verb > RK_STORE_NOTE)
		return err_set(err, RK_EINVAL, "not a decision");
	if ((r = check_text(d->who, true, "person", err)) != RK_OK ||
	    (r = check_text(d->note, false, "note", err)) != RK_OK)
		return r;
	if (d->key == NULL ||
	    (d->verb == RK_STORE_REPLACE && d->by_key == NULL))
		return err_set(err, RK_EINVAL, "no key is given");
	if (d->verb == RK_STORE_APPROVE_UNTIL &&
	    (r = check_until(s, d->until, err)) != RK_OK)
		return r;
	if (d->verb == RK_STORE_NOTE && d->note == NULL)
		return err_set(err, RK_EINVAL, "no note is given");
	return RK_OK;
}

/* A key that the store calls known and the file has lost is not known: what is
 * undone later must not bring it back. */
static void
be_strict(struct rk_store *s, struct store_row *row)
{
	const struct store_key *key = store_key_find(s, row->e.pub);

	if (row->e.state == RK_STORE_KNOWN && (key == NULL || !key->in_file))
		row->e.state = RK_STORE_WAIT;
}

static enum rk_err
check_version(const struct rk_store_decision *d, const struct store_row *row,
    struct rk_error *err)
{
	char who[WHO_TEXT];

	if (d->version == RK_STORE_ANY_VERSION || d->version == row->e.version)
		return RK_OK;
	str_escape(who, sizeof(who), row->e.who);
	return err_set(err, RK_ESTATE, "key %s was decided meanwhile: %s by %s",
	    row->e.fp, rk_store_state_name(row->e.state), who);
}

/* Revoked is for good: nothing that is less. */
static enum rk_err
check_revoked(const struct store_row *row, struct rk_error *err)
{
	char who[WHO_TEXT];

	if (row->e.state != RK_STORE_REVOKED)
		return RK_OK;
	str_escape(who, sizeof(who), row->e.who);
	return err_set(err, RK_ESTATE,
	    "key %s was revoked by %s; forget it first", row->e.fp, who);
}

/* old: whose place it takes, or NULL. */
static enum rk_err
check_admission(struct rk_store *s, const struct store_row *row,
    const struct store_row *old, bool changed, struct rk_error *err)
{
	const struct rk_store_entry *e = &row->e;
	const struct mails_for whom = { e->pub,
		old != NULL ? old->e.pub : NULL };
	enum rk_err r;

	if ((r = check_revoked(row, err)) != RK_OK)
		return r;
	if (!changed && store_email_taken(s, &whom, mails_of(e->email)))
		return err_set(err, RK_EDENIED,
		    "key %s has the email of another known key", e->fp);
	return RK_OK;
}

/* The row as the decision makes it. */
static struct store_row
decided(struct rk_store *s, const struct rk_store_decision *d,
    const struct store_row *row, enum rk_store_state state)
{
	struct store_row after = *row;
	struct rk_store_entry *e = &after.e;

	e->state = state;
	e->until = state == RK_STORE_UNTIL ? d->until : 0;
	e->decided = store_now(s);
	(void)str_copy(e->who, sizeof(e->who), d->who);
	if (d->note != NULL)
		(void)str_copy(e->note, sizeof(e->note), d->note);
	return after;
}

static enum rk_err
decide_note(struct rk_store *s, const struct rk_store_decision *d,
    struct store_act *act, const struct store_row *row, struct rk_error *err)
{
	struct store_row after = *row;

	act->leave = true;
	(void)str_copy(after.e.note, sizeof(after.e.note), d->note);
	return store_apply(s, act, row, &after, err);
}

/* RK_STORE_REPLACE: the second half. */
static enum rk_err
decide_new(struct rk_store *s, const struct rk_store_decision *d,
    struct store_act *act, const struct store_row *old, struct rk_error *err)
{
	struct store_row row;
	struct store_row after;
	const struct mails_for whom = { row.e.pub, old->e.pub };
	enum rk_err r;

	if ((r = store_resolve(s, d->by_key, &row, err)) != RK_OK)
		return r;
	if (strcmp(row.e.fp, old->e.fp) == 0)
		return err_set(err, RK_EINVAL, "a key cannot replace itself");
	if ((r = check_admission(s, &row, old, d->changed, err)) != RK_OK)
		return r;
	be_strict(s, &row);
	after = decided(s, d, &row, RK_STORE_KNOWN);
	act->whom = d->changed ? NULL : &whom;
	r = store_apply(s, act, &row, &after, err);
	act->whom = NULL;
	return r;
}

/* Within the transaction. */
static enum rk_err
decide(struct rk_store *s, const struct rk_store_decision *d,
    struct store_act *act, struct store_row *row, struct rk_error *err)
{
	const struct verb *verb = &verbs[d->verb];
	const struct mails_for whom = { .pub = row->e.pub };
	struct store_row after;
	enum rk_err r;

	if ((r = store_settle(s, err)) != RK_OK)
		return r;
	if ((r = store_resolve(s, d->key, row, err)) != RK_OK)
		return r;
	if ((r = check_version(d, row, err)) != RK_OK)
		return r;
	if (d->verb == RK_STORE_NOTE)
		return decide_note(s, d, act, row, err);
	if (verb->admits &&
	    (r = check_admission(s, row, NULL, d->changed, err)) != RK_OK)
		return r;
	if (d->verb == RK_STORE_REJECT &&
	    (r = check_revoked(row, err)) != RK_OK)
		return r;
	be_strict(s, row);
	after = decided(s, d, row, verb->state);
	act->whom = verb->admits && !d->changed ? &whom : NULL;
	r = store_apply(s, act, row, &after, err);
	act->whom = NULL;
	if (r != RK_OK)
		return r;
	return d->verb == RK_STORE_REPLACE ? decide_new(s, d, act, row, err)
	                                   : RK_OK;
}

enum rk_err
rk_store_decide(struct rk_store *s, const struct rk_store_decision *d,
    int64_t *act_id, struct rk_error *err)
{
	struct store_act act = { .act = 0 };
	struct store_row row;
	enum rk_err r;

	err_clear(err);
	if (act_id != NULL)
		*act_id = 0;
	(void)pthread_mutex_lock(&s->mutex);
	if ((r = check(s, d, err)) != RK_OK)
		goto out;
	act.who = d->who;
	act.what = verbs[d->verb].what;
	s->lenient = d->verb == RK_STORE_REJECT || d->verb == RK_STORE_REVOKE;
	if ((r = store_begin(s, err)) != RK_OK)
		goto out;
	r = store_end(s, decide(s, d, &act, &row, err), err);
	if (r != RK_OK)
		goto out;
	if (act_id != NULL)
		*act_id = act.act;
	if (verbs[d->verb].state == RK_STORE_REJECTED ||
	    verbs[d->verb].state == RK_STORE_REVOKED)
		store_hide(s, row.e.pub);
out:
	s->lenient = false;
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}

/* ---- undo ---- */

struct undoing {
	struct rk_store_line lines[UNDO_LINES];
	struct store_row before[UNDO_LINES];
	size_t n;
};

static enum rk_err
collect(
    const struct rk_store_line *line, const struct store_row *before, void *arg)
{
	struct undoing *u = arg;

	if (u->n == UNDO_LINES)
		return RK_EDAMAGED;
	u->lines[u->n] = *line;
	u->before[u->n++] = *before;
	return RK_OK;
}

/* What has become of a key since a line about it. */
struct since {
	const char *fp;
	int64_t note; /* 0: none was written */
	bool touched; /* something that is neither a note nor its line, which
	                 was put in again */
};

/* store_audit_fn */
static enum rk_err
look_since(
    const struct rk_store_line *line, const struct store_row *before, void *arg)
{
	struct since *since = arg;

	(void)before;
	if (strcmp(line->fp, since->fp) != 0)
		return RK_OK;
	if (strcmp(line->what, "note") == 0)
		since->note = line->id;
	else if (strcmp(line->what, "again") != 0)
		since->touched = true;
	return RK_OK;
}

/* Is the key as that line left it, but for notes?  RK_ESTATE: it is not. */
static enum rk_err
check_untouched(struct rk_store *s, const struct rk_store_line *line,
    const struct store_row *row, bool *noted, struct rk_error *err)
{
	struct since since = { .fp = line->fp };
	bool untouched = row->e.version == line->id;
	enum rk_err r;

	*noted = false;
	if (line->after == RK_STORE_NONE) {
		untouched =
		    row->e.state == RK_STORE_NONE ||
		    (row->e.state == RK_STORE_WAIT && row->e.version == 0);
	} else if (!untouched) {
		r = store_audit_next(
		    s, line->id, INT64_MAX, look_since, &since, err);
		if (r != RK_OK)
			return r;
		untouched = *noted = !since.touched && since.note != 0 &&
		                     since.note == row->e.version;
	}
	return untouched ? RK_OK
	                 : err_set(err, RK_ESTATE,
	                       "key %s was decided again since", line->fp);
}

static enum rk_err
undo_line(struct rk_store *s, const struct rk_store_line *line,
    const struct store_row *before, struct store_act *act, struct rk_error *err)
{
	struct store_row row;
	struct store_row after;
	bool noted;
	bool gone;
	enum rk_err r;

	if (line->fp[0] == '\0')
		return err_set(err, RK_ESTATE,
		    "decision %lld is about the list, and no key",
		    (long long)line->id);
	r = store_row_get(s, line->fp, &row, err);
	if (r != RK_OK && r != RK_ENOENT)
		return r;
	gone = r == RK_ENOENT;
	if ((r = check_untouched(s, line, &row, &noted, err)) != RK_OK)
		return r;
	if (gone) {
		memcpy(row.e.pub, before->e.pub, sizeof(row.e.pub));
		memcpy(row.e.fp, before->e.fp, sizeof(row.e.fp));
		(void)str_copy(
		    row.e.email, sizeof(row.e.email), before->e.email);
		(void)str_copy(row.e.ca, sizeof(row.e.ca), before->e.ca);
		row.e.first_seen = row.e.last_seen = before->e.first_seen;
	}
	after = row;
	after.e.state = before->e.state;
	after.e.until = before->e.until;
	after.e.decided = before->e.decided;
	(void)str_copy(after.e.who, sizeof(after.e.who), before->e.who);
	if (!noted)
		(void)str_copy(
		    after.e.note, sizeof(after.e.note), before->e.note);
	act->leave = after.e.state == row.e.state;
	return store_apply(s, act, &row, &after, err);
}

static enum rk_err
undo(struct rk_store *s, int64_t id, struct store_act *act, struct undoing *u,
    struct rk_error *err)
{
	size_t i;
	enum rk_err r;

	if ((r = store_settle(s, err)) != RK_OK)
		return r;
	r = store_audit_each(s, id, 0, collect, u, err);
	if (r == RK_EDAMAGED && u->n == UNDO_LINES)
		r = err_set(err, r,
		    "%s: is damaged: a decision has too many "
		    "lines",
		    s->name);
	if (r == RK_OK && u->n == 0)
		r = err_set(
		    err, RK_ENOENT, "there is no decision %lld", (long long)id);
	for (i = 0; i < u->n && r == RK_OK; i++)
		r = undo_line(s, &u->lines[i], &u->before[i], act, err);
	return r;
}

enum rk_err
rk_store_undo(
    struct rk_store *s, int64_t id, const char *who, struct rk_error *err)
{
	struct store_act act = { .who = who, .what = "undo", .undoes = true };
	struct undoing u = { .n = 0 };
	size_t i;
	enum rk_err r;

	err_clear(err);
	if ((r = check_text(who, true, "person", err)) != RK_OK)
		return r;
	if (id <= 0)
		return err_set(
		    err, RK_ENOENT, "there is no decision %lld", (long long)id);
	(void)pthread_mutex_lock(&s->mutex);
	if ((r = store_begin(s, err)) != RK_OK)
		goto out;
	if ((r = store_end(s, undo(s, id, &act, &u, err), err)) != RK_OK)
		goto out;
	for (i = 0; i < u.n; i++) {
		if (u.before[i].e.state == RK_STORE_REJECTED ||
		    u.before[i].e.state == RK_STORE_REVOKED)
			store_hide(s, u.before[i].e.pub);
	}
out:
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}

/* ---- what was decided last ---- */

struct search {
	const char *given;
	int64_t seen;       /* notes behind that line are passed over */
	char fp[RK_FP_LEN]; /* "": not found yet */
	char other[RK_FP_LEN];
	struct rk_store_line *line;
};

/* The newest line of the key comes first. */
static enum rk_err
compare(
    const struct rk_store_line *line, const struct store_row *before, void *arg)
{
	struct search *find = arg;

	(void)before;
	if (!rk_fp_match(line->fp, find->given, true) ||
	    strcmp(line->what, "again") == 0 ||
	    (find->seen != 0 && line->id > find->seen &&
	        strcmp(line->what, "note") == 0))
		return RK_OK;
	if (find->fp[0] == '\0') {
		*find->line = *line;
		(void)str_copy(find->fp, sizeof(find->fp), line->fp);
	} else if (strcmp(find->fp, line->fp) != 0) {
		(void)str_copy(find->other, sizeof(find->other), line->fp);
	}
	return RK_OK;
}

enum rk_err
store_last_act(struct rk_store *s, const char *given, int64_t seen,
    struct rk_store_line *last, struct rk_error *err)
{
	static const char *const others[] = { "undo", "wait", "used", "file",
		"gone" };
	const struct store_audit_wish all = { .max = SIZE_MAX };
	struct search find = { .given = given, .seen = seen, .line = last };
	enum rk_err r;

	*last = (struct rk_store_line){ .id = 0 };
	if (!store_is_long_enough(given))
		return err_set(err, RK_EINVAL,
		    "a fingerprint, or the first %d characters of one",
		    RK_STORE_FP_MIN);
	r = store_audit_newest(s, &all, compare, &find, err);
	if (r != RK_OK)
		return r;
	if (find.fp[0] == '\0')
		return err_set(
		    err, RK_ENOENT, "nothing was decided about such a key");
	if (find.other[0] != '\0')
		return err_set(err, RK_EINVAL, "%s and %s both begin so",
		    find.fp, find.other);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(last->what, others[i]) != 0)
			continue;
		return err_set(err, RK_ESTATE, "key %s: %s", find.fp,
		    i == 0 ? "that was undone already"
		           : "there is no decision since what happened to it");
	}
	return RK_OK;
}
