/* The trust store shown: one entry, all of them, the audit; keys in and out. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "trust/pubs.h"
#include "trust/store.h"

/* What is shown is as true as what is looked up. */
static enum rk_err
get_ready(struct rk_store *s, struct rk_error *err)
{
	enum rk_err r;

	store_hurry(s, s->on_loop ? STORE_QUICK : STORE_PATIENT);
	if ((r = store_refresh(s, err)) == RK_OK)
		r = store_settle_now(s, err);
	store_hurry(s, STORE_PATIENT);
	return r;
}

static void
set_status(struct rk_store *s, struct rk_store_entry *e)
{
	e->status =
	    store_status_of(s, store_key_find(s, e->pub), e->pub, e->email);
}

enum rk_err
rk_store_find(struct rk_store *s, const char *key, struct rk_store_entry *out,
    struct rk_error *err)
{
	struct store_row row;
	enum rk_err r;

	*out = (struct rk_store_entry){ 0 };
	err_clear(err);
	(void)pthread_mutex_lock(&s->mutex);
	if ((r = get_ready(s, err)) == RK_OK)
		r = store_resolve(s, key, &row, err);
	if (r == RK_OK) {
		store_add_counts(s, &row);
		set_status(s, &row.e);
		*out = row.e;
	}
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}

struct listing {
	struct rk_store *s;
	unsigned states;
	rk_store_entry_fn *fn;
	void *arg;
	bool ended;
};

static enum rk_err
show_row(const struct store_row *row, void *arg)
{
	struct listing *l = arg;
	struct store_row shown;

	if (l->states != 0 && (l->states & 1U << row->e.state) == 0)
		return RK_OK;
	shown = *row;
	store_add_counts(l->s, &shown);
	set_status(l->s, &shown.e);
	l->ended = !l->fn(&shown.e, l->arg);
	return l->ended ? RK_ECANCELED : RK_OK;
}

enum rk_err
rk_store_list(struct rk_store *s, unsigned states, rk_store_entry_fn *fn,
    void *arg, struct rk_error *err)
{
	struct listing l = { s, states, fn, arg, false };
	enum rk_err r;

	err_clear(err);
	(void)pthread_mutex_lock(&s->mutex);
	if ((r = get_ready(s, err)) == RK_OK)
		r = store_row_each(s, show_row, &l, err);
	(void)pthread_mutex_unlock(&s->mutex);
	return l.ended ? RK_OK : r;
}

struct reading {
	rk_store_line_fn *fn;
	void *arg;
	bool ended;
};

static enum rk_err
show_line(
    const struct rk_store_line *line, const struct store_row *before, void *arg)
{
	struct reading *reading = arg;

	(void)before;
	reading->ended = !reading->fn(line, reading->arg);
	return reading->ended ? RK_ECANCELED : RK_OK;
}

enum rk_err
rk_store_audit(struct rk_store *s, int64_t id, rk_store_line_fn *fn, void *arg,
    struct rk_error *err)
{
	struct reading reading = { fn, arg, false };
	enum rk_err r;

	err_clear(err);
	(void)pthread_mutex_lock(&s->mutex);
	if ((r = get_ready(s, err)) == RK_OK)
		r = store_audit_each(s, 0, id, show_line, &reading, err);
	(void)pthread_mutex_unlock(&s->mutex);
	return reading.ended ? RK_OK : r;
}

/* ---- the text form ---- */

static enum rk_err
put_line(struct buf *b, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    struct rk_str host, struct rk_str emails)
{
	char id[RK_KEY_ID_LEN];

	rk_key_id(pub, id);
	return buf_printf(b, "%.*s %s:%.*s\n", (int)host.len, host.ptr, id,
	    (int)emails.len, emails.ptr);
}

static enum rk_err
format(struct rk_store *s, struct buf *b)
{
	const struct store_key *k;
	enum rk_err r;

	if ((r = buf_put_str(b, KNOWN_FIRST_LINE)) != RK_OK)
		return r;
	for (k = s->keys; k < s->keys + s->n && r == RK_OK; k++) {
		if (k->in_file && k->state != RK_STORE_REJECTED &&
		    k->state != RK_STORE_REVOKED)
			r = put_line(b, k->pub, k->host, k->emails);
	}
	return r;
}

enum rk_err
rk_store_export(
    struct rk_store *s, char **out, size_t *len, struct rk_error *err)
{
	uint8_t *text = NULL;
	struct buf b;
	enum rk_err r;

	*out = NULL;
	*len = 0;
	err_clear(err);
	buf_init(&b, KNOWN_FILE_MAX);
	(void)pthread_mutex_lock(&s->mutex);
	r = store_refresh(s, err);
	if (r == RK_OK && ((r = format(s, &b)) != RK_OK ||
	                      (r = buf_take(&b, &text, len)) != RK_OK))
		r = err_set(err, r, "%s: %s", s->name, rk_err_text(r));
	(void)pthread_mutex_unlock(&s->mutex);
	buf_fini(&b);
	*out = (char *)text;
	return r;
}

struct importing {
	struct rk_store *s;
	const char *who;
	bool changed;
	struct buf lines;        /* for the file */
	struct mails_seen mails; /* of these */
	struct pubs *keys;
	struct rk_error *err;
};

static bool
is_settled(const struct importing *in, const struct known_line *line)
{
	const struct store_key *key = store_key_find(in->s, line->pub);

	return (key != NULL &&
	           (key->in_file || key->state == RK_STORE_REJECTED ||
	               key->state == RK_STORE_REVOKED)) ||
	       pubs_have(in->keys, line->pub);
}

/* Another known key's, or that of a line before this one? */
static bool
is_taken(const struct importing *in, const struct known_line *line,
    struct mails mails)
{
	const struct mails_for whom = { .pub = line->pub };

	return !in->changed && (mails_were_seen(&in->mails, mails) ||
	                           store_email_taken(in->s, &whom, mails));
}

static enum rk_err
import_line(const struct known_line *line, void *arg)
{
	struct importing *in = arg;
	struct rk_store *s = in->s;
	struct store_act act = {
		.who = in->who, .what = "import", .leave = true
	}; /* all lines go to the file at once */
	struct store_row before;
	struct store_row row;
	char fp[RK_FP_LEN];
	enum rk_err r;

	if (is_settled(in, line) ||
	    is_taken(in, line, mails_of_line(line->emails)))
		return RK_OK;
	rk_fp_of_key(line->pub, fp);
	r = store_row_get(s, fp, &before, in->err);
	if (r != RK_OK && r != RK_ENOENT)
		return r;
	/* Its certificate may say more than the line. */
	if (r == RK_OK && is_taken(in, line, mails_of(before.e.email)))
		return RK_OK;
	row = before;
	memcpy(row.e.pub, line->pub, sizeof(row.e.pub));
	memcpy(row.e.fp, fp, sizeof(row.e.fp));
	if (r == RK_ENOENT)
		mails_decode(row.e.email, sizeof(row.e.email), line->emails);
	row.e.state = RK_STORE_KNOWN;
	row.e.until = 0;
	row.e.decided = store_now(s);
	(void)str_copy(row.e.who, sizeof(row.e.who), in->who);
	if ((r = store_apply(s, &act, &before, &row, in->err)) != RK_OK)
		return r;
	s->rows += before.e.state == RK_STORE_NONE;
	pubs_add(in->keys, line->pub);
	r = put_line(&in->lines, line->pub, line->host, line->emails);
	if (r == RK_OK &&
	    (r = mails_see(&in->mails, mails_of_line(line->emails))) == RK_OK)
		r = mails_see(&in->mails, mails_of(row.e.email));
	return r == RK_OK ? RK_OK : err_set(in->err, r, "%s", rk_err_text(r));
}

/* Within the transaction. */
static enum rk_err
import(struct importing *in, const char *name, const char *text, size_t len)
{
	struct rk_store *s = in->s;
	bool ended;
	enum rk_err r;

	if ((r = store_settle(s, in->err)) != RK_OK)
		return r;
	r = known_walk(name, text, len, import_line, in, &ended, in->err);
	if (r != RK_OK || in->keys->n == 0)
		return r;
	if (s->known.lines + in->keys->n > KNOWN_KEYS_MAX)
		return err_set(in->err, RK_ELIMIT,
		    "%s: is full: it holds %zu keys", s->known_name,
		    s->known.lines);
	r = known_append(
	    s->known_path, &s->hold, &in->lines, store_file_wait(s), in->err);
	if (r == RK_OK) {
		s->added = in->keys->keys;
		s->n_added = in->keys->n;
		for (size_t i = 0; i < in->keys->n; i++)
			store_mine_note(s, in->keys->keys[i]);
	}
	return r;
}

static enum rk_err
import_locked(
    struct importing *in, const char *name, const char *text, size_t len)
{
	enum rk_err r = store_begin(in->s, in->err);

	return r == RK_OK
	           ? store_end(in->s, import(in, name, text, len), in->err)
	           : r;
}

enum rk_err
store_import(struct rk_store *s, const struct store_import *from, size_t *added,
    struct rk_error *err)
{
	struct importing in = {
		.s = s, .who = from->who, .changed = from->changed, .err = err
	};
	const char *who = from->who;
	char escaped[STORE_NAME_TEXT];
	struct known checked;
	enum rk_err r;

	err_clear(err);
	if (added != NULL)
		*added = 0;
	if (who == NULL || who[0] == '\0' || strlen(who) >= RK_STORE_TEXT_LEN)
		return err_set(err, RK_EINVAL, "no person is given");
	str_escape(escaped, sizeof(escaped), from->name);
	if ((r = known_parse(escaped, from->text, from->len, &checked, err)) !=
	    RK_OK)
		return r;
	known_fini(&checked);
	if ((in.keys = calloc(1, sizeof(*in.keys))) == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	buf_init(&in.lines, KNOWN_FILE_MAX);
	(void)pthread_mutex_lock(&s->mutex);
	r = import_locked(&in, escaped, from->text, from->len);
	(void)pthread_mutex_unlock(&s->mutex);
	if (r == RK_OK && added != NULL)
		*added = in.keys->n;
	buf_fini(&in.lines);
	mails_unsee(&in.mails);
	free(in.keys);
	return r;
}

enum rk_err
rk_store_import(struct rk_store *s, const char *name, const char *text,
    size_t len, const char *who, size_t *added, struct rk_error *err)
{
	const struct store_import from = {
		.name = name, .text = text, .len = len, .who = who
	};

	return store_import(s, &from, added, err);
}
