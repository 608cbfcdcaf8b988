/* The list's lock in the audit: who changed them, and when. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "trust/store.h"

#define NOTICE_AGAIN_MS 10000 /* after a failure */

/* ---- what the audit says ---- */

/* By lines that were not looked at yet: is it locked?  -1: no word of it. */
static enum rk_err
ask_last(struct rk_store *s, int64_t from, int64_t *last, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;

	r = store_db_prepare(s,
	    "SELECT coalesce((SELECT what = 'lock' FROM audit WHERE id > ?1 "
	    "AND what IN ('lock', 'unlock') ORDER BY id DESC LIMIT 1), -1)",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	(void)sqlite3_bind_int64(stmt, 1, from);
	return store_db_answer(s, stmt, last, err);
}

/* Is it locked by the audit?  Where that has no word of it, it is not. */
static enum rk_err
find_told(struct rk_store *s, bool *locked, struct rk_error *err)
{
	int64_t id, last;
	enum rk_err r;

	*locked = s->lock.locked;
	r = store_db_number(
	    s, "SELECT coalesce(max(id), 0) FROM audit", &id, err);
	if (r != RK_OK || id == s->lock.id)
		return r;
	if ((r = ask_last(s, s->lock.id, &last, err)) != RK_OK)
		return r;
	if (last >= 0)
		*locked = last != 0;
	/* What is not committed may still be taken back. */
	if (sqlite3_get_autocommit(s->db) != 0) {
		s->lock.id = id;
		s->lock.locked = *locked;
	}
	return RK_OK;
}

/* An order to lock that it has not yet. */
static bool
is_owed(const struct rk_store *s)
{
	return store_is_locked(s) && s->lock.who[0] != '\0';
}

/* Is the last word of it that somebody ordered it locked? */
static enum rk_err
is_by_order(struct rk_store *s, bool *by_order, struct rk_error *err)
{
	int64_t n;
	enum rk_err r = store_db_number(s,
	    "SELECT coalesce((SELECT what = 'lock' AND "
	    "who <> CAST('file' AS BLOB) FROM audit WHERE what IN "
	    "('lock', 'unlock') ORDER BY id DESC LIMIT 1), 0)",
	    &n, err);

	*by_order = r == RK_OK && n != 0;
	return r;
}

enum rk_err
store_lock_differs(struct rk_store *s, bool *differs, struct rk_error *err)
{
	bool told = false, by_order = true;
	enum rk_err r = find_told(s, &told, err);

	/* Of a list that somebody has locked by hand it is an order, too. */
	if (r == RK_OK && is_owed(s))
		r = is_by_order(s, &by_order, err);
	*differs = r == RK_OK && (told != store_is_locked(s) || !by_order);
	return r;
}

/* ---- lines ---- */

static enum rk_err
put_line(struct rk_store *s, bool lock, const char *who, struct rk_error *err)
{
	return store_put_about(s, lock ? "lock" : "unlock", "", who, err);
}

enum rk_err
store_lock_settle(struct rk_store *s, struct rk_error *err)
{
	bool differs;
	enum rk_err r = store_lock_differs(s, &differs, err);
	const bool locked = store_is_locked(s);

	if (r != RK_OK || !differs)
		return r;
	return put_line(s, locked, is_owed(s) ? s->lock.who : "file", err);
}

void
store_lock_notice(struct rk_store *s)
{
	struct rk_error err;
	bool differs = false;
	enum rk_err r;

	if (mono_ms() < s->lock.again)
		return;
	store_hurry(s, STORE_QUICK);
	if ((r = store_refresh(s, &err)) == RK_OK)
		r = store_lock_differs(s, &differs, &err);
	if (differs || (r == RK_OK && s->mode[0] != '\0'))
		r = store_settle_now(s, &err);
	store_hurry(s, STORE_PATIENT);
	if (r == RK_OK)
		return;
	s->lock.again = mono_ms() + NOTICE_AGAIN_MS;
	/* Where it cannot be looked at there may be none, and others say so. */
	if (!differs && s->mode[0] == '\0' && !is_owed(s))
		return;
	log_event(RK_LOG_WARN, "trust",
	    "a change of the list's lock or mode is not in the audit yet: %s",
	    err.text);
}

/* ---- orders ---- */

bool
store_lock_is_told(struct rk_store *s)
{
	bool by_order;
	struct rk_error err;

	if (s->lock.who[0] != '\0')
		return true;
	if (is_by_order(s, &by_order, &err) == RK_OK)
		return by_order;
	log_event(RK_LOG_WARN, "trust", "%s", err.text);
	return true; /* nobody has said that it is not */
}

bool
store_lock_is_ordered(struct rk_store *s)
{
	bool ordered;

	(void)pthread_mutex_lock(&s->mutex);
	ordered = store_lock_is_told(s);
	(void)pthread_mutex_unlock(&s->mutex);
	return ordered;
}

/* Within the transaction. */
static enum rk_err
change(struct rk_store *s, const struct store_lock_order *o, bool *changed,
    struct rk_error *err)
{
	enum rk_err r;

	if ((r = store_settle(s, err)) != RK_OK)
		return r;
	if ((store_is_locked(s) != o->lock ||
	        (o->lock && !store_lock_is_told(s))) &&
	    (r = put_line(s, o->lock, o->who, err)) != RK_OK)
		return r;
	r = o->change(o->arg, o->lock, err);
	*changed = r == RK_OK;
	return r;
}

/* A lock does not fail because nobody can write down whose it is. */
static enum rk_err
lock_anyway(struct rk_store *s, const struct store_lock_order *o, bool changed,
    struct rk_error *err)
{
	const struct rk_error why = *err;
	enum rk_err r = RK_OK;

	if (!changed)
		r = o->change(o->arg, true, err);
	if (r != RK_OK)
		return r;
	(void)str_copy(s->lock.who, sizeof(s->lock.who), o->who);
	log_event(RK_LOG_WARN, "trust",
	    "%s is locked, and the audit does not say by whom yet: %s",
	    s->known_name, why.text);
	err_clear(err);
	return RK_OK;
}

enum rk_err
store_lock(
    struct rk_store *s, const struct store_lock_order *o, struct rk_error *err)
{
	struct rk_error own = { 0 };
	bool changed = false, current;
	enum rk_err r;

	(void)pthread_mutex_lock(&s->mutex);
	current = known_is_current(&s->known, s->known_path);
	if ((r = store_begin(s, &own)) == RK_OK)
		r = store_end(s, change(s, o, &changed, &own), &own);
	if (r != RK_OK && o->lock)
		r = lock_anyway(s, o, changed, &own);
	else if (r != RK_OK && changed &&
	         o->change(o->arg, true, NULL) != RK_OK)
		log_event(RK_LOG_ERROR, "trust", "%s cannot be locked again",
		    s->known_name);
	if (r == RK_OK && o->lock) {
		known_locked(&s->known, s->known_path, current);
		s->locked = s->known.stamp;
	} else if (r == RK_OK) {
		s->locked = (struct known_stamp){ 0 };
	}
	(void)pthread_mutex_unlock(&s->mutex);
	if (r != RK_OK && err != NULL)
		*err = own;
	return r;
}
