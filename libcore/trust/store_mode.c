/* The mode that a list is used in, in the audit: who set it, and when. */
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "trust/store.h"

/* Of no key: all of it is zeros. */
enum rk_err
store_put_about(struct rk_store *s, const char *what, const char *note,
    const char *who, struct rk_error *err)
{
	struct store_act act = { .who = who, .what = what };
	const struct store_row before = { 0 };
	struct store_row after = before;

	(void)str_copy(after.e.note, sizeof(after.e.note), note);
	return store_audit_put(s, &act, &before, &after, err);
}

/* The mode of the newest line about one; "": there is none. */
static enum rk_err
find_last(struct rk_store *s, char last[STORE_MODE_LEN], struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	size_t len;
	int rc;

	last[0] = '\0';
	r = store_db_prepare(s,
	    "SELECT note FROM audit WHERE what = 'mode' ORDER BY id DESC "
	    "LIMIT 1",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		const char *note = sqlite3_column_blob(stmt, 0);
		size_t end = (size_t)sqlite3_column_bytes(stmt, 0);

		for (len = 0; len < end && note[end - len - 1] != ' ';)
			len++;
		if (len > 0 && len < STORE_MODE_LEN) {
			memcpy(last, note + end - len, len);
			last[len] = '\0';
		}
	} else if (rc != SQLITE_DONE) {
		r = store_db_fail(s, rc, err);
	}
	store_db_done(s, stmt);
	return r;
}

enum rk_err
store_mode_settle(struct rk_store *s, struct rk_error *err)
{
	char last[STORE_MODE_LEN], note[2 * STORE_MODE_LEN + 8];
	enum rk_err r;

	if (s->mode[0] == '\0')
		return RK_OK;
	if ((r = find_last(s, last, err)) != RK_OK ||
	    strcmp(last, s->mode) == 0)
		return r;
	if (last[0] != '\0')
		(void)sqlite3_snprintf(
		    sizeof(note), note, "%s to %s", last, s->mode);
	else
		(void)str_copy(note, sizeof(note), s->mode);
	return store_put_about(s, "mode", note, s->mode_who, err);
}

void
store_mode_is(struct rk_store *s, const char *mode, const char *who)
{
	(void)pthread_mutex_lock(&s->mutex);
	(void)str_copy(s->mode, sizeof(s->mode), mode);
	(void)str_copy(s->mode_who, sizeof(s->mode_who), who);
	store_lock_notice(s);
	(void)pthread_mutex_unlock(&s->mutex);
}

enum rk_err
store_note_mode(
    struct rk_store *s, const char *note, const char *who, struct rk_error *err)
{
	enum rk_err r;

	(void)pthread_mutex_lock(&s->mutex);
	if ((r = store_begin(s, err)) == RK_OK) {
		if ((r = store_settle(s, err)) == RK_OK)
			r = store_put_about(s, "mode", note, who, err);
		r = store_end(s, r, err);
	}
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}
