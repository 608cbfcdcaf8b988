/* What the trust store puts in order later: lines of keys that are out which
 * could not be taken out, and what is kept of lines that never came back. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/sql.h"
#include "base/str.h"
#include "trust/store.h"

#define LINES_AGAIN_MS 3600000
#define HIDE_AGAIN_MS 2000
#define LINES_BATCH 64
#define DAY 86400

/* ---- lines that are in the file still ---- */

void
store_hide_later(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	if (s->n_unhidden == STORE_UNHIDDEN) {
		s->unhidden_all = true; /* whichever they are */
		return;
	}
	memcpy(s->unhidden[s->n_unhidden++], pub, RK_KEY_PUBLIC_LEN);
}

static bool
is_among(struct rk_str line, const struct buf *kept)
{
	const char *text = (const char *)buf_peek(kept);
	size_t at = 0;
	bool ended;

	while (at < buf_len(kept)) {
		struct rk_str one =
		    known_next_line(text, buf_len(kept), &at, &ended);

		if (one.len == line.len &&
		    memcmp(one.ptr, line.ptr, line.len) == 0)
			return true;
	}
	return false;
}

static bool
are_among(const struct buf *now, const struct buf *kept)
{
	const char *text = (const char *)buf_peek(now);
	size_t at = 0;
	bool ended;

	while (at < buf_len(now)) {
		if (!is_among(
		        known_next_line(text, buf_len(now), &at, &ended), kept))
			return false;
	}
	return true;
}

/* Has it none but lines that it had when it was put out?  Others somebody has
 * added since.  Some may be out already, where who did it was stopped.  Of a
 * key that was put out when none were kept yet nobody knows. */
static enum rk_err
ask_kept(struct rk_store *s, const struct store_key *key, bool *is,
    struct rk_error *err)
{
	struct buf now, kept;
	enum rk_err r;

	*is = false;
	buf_init(&now, KNOWN_FILE_MAX);
	buf_init(&kept, KNOWN_FILE_MAX);
	r = store_lines_get(s, key->pub, &kept, err);
	if (r == RK_ENOENT) {
		*is = true;
		r = RK_OK;
	} else if (r == RK_OK) {
		r = store_lines_read(s, key->pub, &now);
		if (r != RK_OK)
			r = err_set(err, r, "%s: %s", s->name, rk_err_text(r));
		else
			*is = are_among(&now, &kept);
	}
	buf_fini(&now);
	buf_fini(&kept);
	return r;
}

static enum rk_err
ask_hide(struct rk_store *s, const struct store_key *key, bool *is,
    struct rk_error *err)
{
	*is = false;
	if (!key->in_file ||
	    (key->state != RK_STORE_REJECTED && key->state != RK_STORE_REVOKED))
		return RK_OK;
	for (size_t i = 0; i < s->n_unhidden && !*is; i++)
		*is = memcmp(s->unhidden[i], key->pub, sizeof(key->pub)) == 0;
	return *is || !s->unhidden_all ? RK_OK : ask_kept(s, key, is, err);
}

static enum rk_err
ask_any(struct rk_store *s, bool *is, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	*is = false;
	for (size_t i = 0; i < s->n && r == RK_OK && !*is; i++)
		r = ask_hide(s, &s->keys[i], is, err);
	return r;
}

/* Those of them that are out still.  The table is sorted. */
static enum rk_err
hide_all(struct rk_store *s, struct rk_error *err)
{
	uint8_t(*keys)[RK_KEY_PUBLIC_LEN] = calloc(s->n + 1, sizeof(*keys));
	enum rk_err r = RK_OK;
	size_t n = 0;
	bool is;

	if (keys == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	for (size_t i = 0; i < s->n && r == RK_OK; i++) {
		r = ask_hide(s, &s->keys[i], &is, err);
		if (r == RK_OK && is)
			memcpy(keys[n++], s->keys[i].pub, sizeof(*keys));
	}
	if (r == RK_OK && n > 0)
		r = known_hide(s->known_path, &s->hold, store_file_wait(s),
		    (const uint8_t(*)[RK_KEY_PUBLIC_LEN])keys, n, NULL, err);
	free(keys);
	return r;
}

static void
hide_failed(struct rk_store *s, enum rk_err r, const struct rk_error *err)
{
	s->hide_again = mono_ms() + HIDE_AGAIN_MS;
	if (r != s->hide_fault)
		log_event(RK_LOG_WARN, "trust",
		    "lines of refused keys stay in the list for now: %s",
		    err->text);
	s->hide_fault = r;
}

static void
hide_is_done(struct rk_store *s)
{
	if (s->hide_fault != RK_OK)
		log_event(RK_LOG_INFO, "trust",
		    "%s: the lines of refused keys are out of the list now",
		    s->known_name);
	s->hide_fault = RK_OK;
	s->n_unhidden = 0;
	s->unhidden_all = false;
}

/* Within a transaction: nobody approves of one meanwhile. */
static void
hide_rest(struct rk_store *s)
{
	struct rk_error err;
	enum rk_err r;
	bool any, locked;

	if ((s->n_unhidden == 0 && !s->unhidden_all) ||
	    mono_ms() < s->hide_again)
		return;
	if ((r = store_refresh(s, &err)) == RK_OK)
		r = ask_any(s, &any, &err);
	if (r == RK_OK && !any) {
		hide_is_done(s);
		return;
	}
	if (r == RK_OK && store_is_locked(s))
		return;
	locked = false;
	if (r == RK_OK && (r = store_begin(s, &err)) == RK_OK) {
		locked = store_is_locked(s); /* since the first look */
		if (!locked)
			r = hide_all(s, &err);
		r = store_end(s, r, &err);
	}
	if (r != RK_OK)
		hide_failed(s, r, &err);
	else if (!locked)
		hide_is_done(s);
}

/* ---- lines that are kept ---- */

struct old_lines {
	uint8_t pubs[LINES_BATCH][RK_KEY_PUBLIC_LEN];
	size_t n;
	char fp[RK_FP_LEN]; /* the last that was looked at; "": there is none */
};

/* The next of them, and whose key has no row any more. */
static enum rk_err
collect(struct rk_store *s, struct old_lines *old, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	size_t seen = 0;
	enum rk_err r;
	int rc;

	r = store_db_prepare(s,
	    "SELECT fp, line, EXISTS (SELECT 1 FROM keys WHERE keys.fp = "
	    "lines.fp) FROM lines WHERE fp > ?1 ORDER BY fp LIMIT 64",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	(void)sqlite3_bind_text(stmt, 1, s->lines_fp, -1, SQLITE_STATIC);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW && seen < LINES_BATCH) {
		const char *text = sqlite3_column_blob(stmt, 1);
		size_t len = (size_t)sqlite3_column_bytes(stmt, 1), at = 0;
		struct known_line line;
		bool ended;

		if (!sql_column_text(stmt, 0, old->fp, sizeof(old->fp)))
			continue;
		seen++;
		if (sqlite3_column_int(stmt, 2) != 0 || len == 0 ||
		    known_line(known_next_line(text, len, &at, &ended),
		        &line) != RK_OK)
			continue;
		memcpy(old->pubs[old->n++], line.pub, sizeof(line.pub));
	}
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		r = store_db_fail(s, rc, err);
	store_db_done(s, stmt);
	if (seen < LINES_BATCH)
		old->fp[0] = '\0';
	return r;
}

/* May what is kept of this key's line go?  Not if it has a row, or something
 * happened to it since who waits may be unseen. */
static enum rk_err
is_old(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN], bool *old,
    struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	char fp[RK_FP_LEN];
	int64_t is;
	enum rk_err r;

	r = store_db_prepare(s,
	    "SELECT NOT EXISTS (SELECT 1 FROM keys WHERE fp = ?1) AND "
	    "coalesce((SELECT time FROM audit WHERE pub = ?2 ORDER BY id DESC "
	    "LIMIT 1), 0) < ?3",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	rk_fp_of_key(pub, fp);
	(void)sqlite3_bind_text(stmt, 1, fp, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob(
	    stmt, 2, pub, RK_KEY_PUBLIC_LEN, SQLITE_TRANSIENT);
	(void)sqlite3_bind_int64(
	    stmt, 3, store_now(s) - (int64_t)RK_STORE_WAITING_DAYS * DAY);
	r = store_db_answer(s, stmt, &is, err);
	*old = r == RK_OK && is != 0;
	return r;
}

/* Those that are not old do not count any more. */
static enum rk_err
keep_recent(struct rk_store *s, struct old_lines *old, struct rk_error *err)
{
	size_t n = 0;
	bool is;
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < old->n && r == RK_OK; i++) {
		r = is_old(s, old->pubs[i], &is, err);
		if (r == RK_OK && is)
			memmove(
			    old->pubs[n++], old->pubs[i], sizeof(old->pubs[i]));
	}
	old->n = n;
	return r;
}

/* Within the transaction: something may have happened since the first look. */
static enum rk_err
drop_old(struct rk_store *s, struct old_lines *old, struct rk_error *err)
{
	enum rk_err r = keep_recent(s, old, err);

	for (size_t i = 0; i < old->n && r == RK_OK; i++)
		r = store_lines_drop(s, old->pubs[i], err);
	return r;
}

/* Few at a time, each by an index: all have had their turn before the first is
 * looked at again, and that is seldom. */
static void
prune_lines(struct rk_store *s)
{
	struct old_lines old = { .n = 0 };
	struct rk_error err;
	enum rk_err r;

	if (s->lines_again != 0 && mono_ms() < s->lines_again)
		return;
	if ((r = store_check(s, &err)) == RK_OK &&
	    (r = collect(s, &old, &err)) == RK_OK)
		r = keep_recent(s, &old, &err);
	if (r == RK_OK && old.n > 0 && (r = store_begin(s, &err)) == RK_OK)
		r = store_end(s, drop_old(s, &old, &err), &err);
	if (r == RK_OK)
		(void)str_copy(s->lines_fp, sizeof(s->lines_fp), old.fp);
	else
		log_event(RK_LOG_WARN, "trust",
		    "lines of keys that are gone are kept: %s", err.text);
	if (r != RK_OK || old.fp[0] == '\0')
		s->lines_again = mono_ms() + LINES_AGAIN_MS;
}

void
store_tidy(struct rk_store *s)
{
	hide_rest(s);
	prune_lines(s);
}
