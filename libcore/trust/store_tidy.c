/* What the trust store puts in order later: lines of keys that are out which
 * could not be taken out, and what is kept of lines that never came back. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "trust/store.h"

#define LINES_AGAIN_MS 3600000
#define HIDE_AGAIN_MS 2000
#define LINES_BATCH 4 /* each is sought in the whole audit, by the loop */
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
is_to_hide(const struct rk_store *s, const struct store_key *key)
{
	if (!key->in_file ||
	    (key->state != RK_STORE_REJECTED && key->state != RK_STORE_REVOKED))
		return false;
	for (size_t i = 0; i < s->n_unhidden && !s->unhidden_all; i++) {
		if (memcmp(s->unhidden[i], key->pub, sizeof(key->pub)) == 0)
			return true;
	}
	return s->unhidden_all;
}

static bool
is_any(const struct rk_store *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (is_to_hide(s, &s->keys[i]))
			return true;
	}
	return false;
}

/* Those of them that are out still.  The table is sorted. */
static enum rk_err
hide_all(struct rk_store *s, struct rk_error *err)
{
	uint8_t(*keys)[RK_KEY_PUBLIC_LEN] = calloc(s->n + 1, sizeof(*keys));
	enum rk_err r = RK_OK;
	size_t n = 0;

	if (keys == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	for (size_t i = 0; i < s->n; i++) {
		if (is_to_hide(s, &s->keys[i]))
			memcpy(keys[n++], s->keys[i].pub, sizeof(*keys));
	}
	if (n > 0)
		r = known_hide(s->known_path, &s->hold, store_file_wait(s),
		    (const uint8_t(*)[RK_KEY_PUBLIC_LEN])keys, n, NULL, err);
	free(keys);
	return r;
}

/* Within a transaction: nobody approves of one meanwhile. */
static void
hide_rest(struct rk_store *s)
{
	struct rk_error err;
	enum rk_err r;

	if ((s->n_unhidden == 0 && !s->unhidden_all) ||
	    mono_ms() < s->hide_again)
		return;
	r = store_refresh(s, &err);
	if (r == RK_OK && !is_any(s))
		goto done;
	if (r == RK_OK && store_is_locked(s))
		return;
	if (r == RK_OK && (r = store_begin(s, &err)) == RK_OK) {
		if (!store_is_locked(s))
			r = hide_all(s, &err);
		r = store_end(s, r, &err);
	}
	if (r != RK_OK) {
		s->hide_again = mono_ms() + HIDE_AGAIN_MS;
		return;
	}
done:
	s->n_unhidden = 0;
	s->unhidden_all = false;
}

/* ---- lines that are kept ---- */

struct old_lines {
	uint8_t pubs[LINES_BATCH][RK_KEY_PUBLIC_LEN];
	size_t n;
};

/* Of keys that have no row any more. */
static enum rk_err
collect(struct rk_store *s, struct old_lines *old, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	int rc;

	r = store_db_prepare(s,
	    "SELECT line FROM lines WHERE NOT EXISTS (SELECT 1 FROM keys WHERE "
	    "keys.fp = lines.fp) ORDER BY random() LIMIT 4",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	while (
	    (rc = sqlite3_step(stmt)) == SQLITE_ROW && old->n < LINES_BATCH) {
		const char *text = sqlite3_column_blob(stmt, 0);
		size_t len = (size_t)sqlite3_column_bytes(stmt, 0), at = 0;
		struct known_line line;
		bool ended;

		if (len == 0 ||
		    known_line(known_next_line(text, len, &at, &ended),
		        &line) != RK_OK)
			continue;
		memcpy(old->pubs[old->n++], line.pub, sizeof(line.pub));
	}
	if (rc != SQLITE_DONE && rc != SQLITE_ROW)
		r = store_db_fail(s, rc, err);
	store_db_done(s, stmt);
	return r;
}

/* Has anything happened to it behind this line of the audit? */
static enum rk_err
is_recent(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    int64_t line, bool *recent, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	int rc;

	r = store_db_prepare(s,
	    "SELECT 1 FROM audit WHERE id > ?1 AND pub = ?2 LIMIT 1", &stmt,
	    err);
	if (r != RK_OK)
		return r;
	(void)sqlite3_bind_int64(stmt, 1, line);
	(void)sqlite3_bind_blob(
	    stmt, 2, pub, RK_KEY_PUBLIC_LEN, SQLITE_TRANSIENT);
	rc = sqlite3_step(stmt);
	*recent = rc == SQLITE_ROW;
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		r = store_db_fail(s, rc, err);
	store_db_done(s, stmt);
	return r;
}

/* The last line of the audit that is older than who waits may be unseen. */
static enum rk_err
find_old(struct rk_store *s, int64_t *line, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	int rc;

	*line = 0;
	r = store_db_prepare(s,
	    "SELECT id FROM audit WHERE time < ?1 ORDER BY id DESC LIMIT 1",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	(void)sqlite3_bind_int64(
	    stmt, 1, store_now(s) - (int64_t)RK_STORE_WAITING_DAYS * DAY);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*line = sqlite3_column_int64(stmt, 0);
	else if (rc != SQLITE_DONE)
		r = store_db_fail(s, rc, err);
	store_db_done(s, stmt);
	return r;
}

static enum rk_err
drop_old(struct rk_store *s, const struct old_lines *old, struct rk_error *err)
{
	int64_t line;
	bool recent;
	enum rk_err r = find_old(s, &line, err);

	for (size_t i = 0; i < old->n && r == RK_OK && line > 0; i++) {
		r = is_recent(s, old->pubs[i], line, &recent, err);
		if (r == RK_OK && !recent)
			r = store_lines_drop(s, old->pubs[i], err);
	}
	return r;
}

/* Few are looked at, and seldom: the rest comes later. */
static void
prune_lines(struct rk_store *s)
{
	struct old_lines old = { .n = 0 };
	struct rk_error err;
	enum rk_err r;

	if (s->lines_again != 0 && mono_ms() < s->lines_again)
		return;
	s->lines_again = mono_ms() + LINES_AGAIN_MS;
	if ((r = store_check(s, &err)) == RK_OK)
		r = collect(s, &old, &err);
	if (r == RK_OK && old.n > 0 && (r = store_begin(s, &err)) == RK_OK)
		r = store_end(s, drop_old(s, &old, &err), &err);
	if (r != RK_OK)
		log_event(RK_LOG_WARN, "trust",
		    "lines of keys that are gone are kept: %s", err.text);
}

void
store_tidy(struct rk_store *s)
{
	hide_rest(s);
	prune_lines(s);
}
