/* Tries and times, counted in memory and written now and then. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "trust/store.h"

#define FLUSH_AGAIN_SECONDS 60 /* after a failure */
#define DAY 86400

static int64_t
monotonic(void)
{
	return (int64_t)(mono_ms() / 1000);
}

void
store_count(struct rk_store *s, struct store_key *key, const char *address)
{
	if (key->tries++ == 0)
		s->unwritten++;
	key->last_seen = key->touched = store_now(s);
	if (address[0] != '\0')
		(void)str_copy(key->address, sizeof(key->address), address);
	if (s->flush_after == 0)
		s->flush_after = monotonic() + STORE_FLUSH_SECONDS;
}

void
store_count_known(
    struct rk_store *s, struct store_key *key, const char *address)
{
	if (s->flush_after == 0)
		s->flush_after = monotonic() + STORE_MET_SECONDS;
	store_count(s, key, address);
}

bool
store_is_overdue(const struct store_key *key, int64_t now)
{
	return key->state == RK_STORE_WAIT && !key->in_file &&
	       now - key->touched > (int64_t)RK_STORE_WAITING_DAYS * DAY;
}

/* A line of the file that the store does not agree with: the line counts. */
static bool
is_adoptable(const struct store_key *key)
{
	return key->in_file &&
	       (key->state == RK_STORE_NONE || key->state == RK_STORE_WAIT ||
	           key->state == RK_STORE_ONCE || key->state == RK_STORE_UNTIL);
}

/* Known because somebody put it into the file. */
static enum rk_err
adopt(struct rk_store *s, const struct store_key *key, struct store_row *row,
    struct rk_error *err)
{
	struct store_act act = { .who = "file", .what = "file" };
	const struct store_row before = *row;
	struct rk_store_entry *e = &row->e;

	if (key->state == RK_STORE_NONE) {
		s->rows++; /* there is room for all */
		memcpy(e->pub, key->pub, sizeof(e->pub));
		rk_fp_of_key(e->pub, e->fp);
		mails_decode(e->email, sizeof(e->email), key->emails);
	}
	e->state = RK_STORE_KNOWN;
	e->until = 0;
	e->decided = store_now(s);
	(void)str_copy(e->who, sizeof(e->who), act.who);
	return store_audit_put(s, &act, &before, row, err);
}

static enum rk_err
settle_key(struct rk_store *s, struct store_key *key, struct rk_error *err)
{
	struct store_row row;
	char fp[RK_FP_LEN];
	enum rk_err r;

	key->written = true;
	rk_fp_of_key(key->pub, fp);
	if (store_is_overdue(key, store_now(s)))
		return store_row_remove(s, fp, err);
	r = store_row_get(s, fp, &row, err);
	if (r != RK_OK && r != RK_ENOENT)
		return r;
	if (is_adoptable(key)) {
		if ((r = adopt(s, key, &row, err)) != RK_OK)
			return r;
	} else if (r == RK_ENOENT) {
		return RK_OK; /* accepted without a list */
	}
	store_add_counts(s, &row);
	return store_row_put(s, &row, err);
}

/* Whatever its counts are. */
static bool
is_unsettled(struct rk_store *s, const struct store_key *key)
{
	return is_adoptable(key) || store_is_overdue(key, store_now(s));
}

/* Is there room for all lines that have no row?  Else none is adopted, which
 * is seen before thousands are written and taken back each time. */
static enum rk_err
look_for_room(const struct rk_store *s, struct rk_error *err)
{
	size_t rows = s->rows;

	for (const struct store_key *k = s->keys; k < s->keys + s->n; k++)
		rows += k->in_file && k->state == RK_STORE_NONE;
	if (rows <= RK_STORE_KEYS || rows == s->rows)
		return RK_OK;
	return err_set(err, RK_ELIMIT,
	    "%s: is full: it takes %d keys, and %s has lines of more", s->name,
	    RK_STORE_KEYS, s->known_name);
}

enum rk_err
store_settle(struct rk_store *s, struct rk_error *err)
{
	struct store_key *k;
	size_t counts = 0;
	enum rk_err r = look_for_room(s, err);

	for (k = s->keys; k < s->keys + s->n && r == RK_OK; k++) {
		k->written = false;
		if (is_unsettled(s, k) ||
		    (k->tries > 0 && counts++ < STORE_FLUSH_KEYS))
			r = settle_key(s, k, err);
	}
	if (r == RK_OK)
		r = store_lock_settle(s, err);
	if (r == RK_OK)
		r = store_mode_settle(s, err);
	s->settled = r == RK_OK;
	return r;
}

void
store_settled(struct rk_store *s)
{
	struct store_key *k;

	if (!s->settled)
		return;
	s->unwritten = 0;
	for (k = s->keys; k < s->keys + s->n; k++) {
		if (k->written)
			k->tries = 0;
		s->unwritten += k->tries > 0;
	}
	s->flush_after = s->unwritten > 0 ? monotonic() + 1 : 0;
	s->mode[0] = '\0';
	s->lock.who[0] = '\0';
}

/* In a transaction of its own, if something differs or counts are to go. */
static enum rk_err
settle_alone(struct rk_store *s, bool counts, struct rk_error *err)
{
	size_t i = 0;
	bool differs;
	enum rk_err r;

	while (i < s->n && !is_unsettled(s, &s->keys[i]))
		i++;
	if ((r = store_lock_differs(s, &differs, err)) != RK_OK ||
	    (i == s->n && !differs && s->mode[0] == '\0' && !counts))
		return r;
	if ((r = store_begin(s, err)) != RK_OK)
		return r;
	r = store_end(s, store_settle(s, err), err);
	return r == RK_OK ? store_refresh(s, err) : r;
}

enum rk_err
store_settle_now(struct rk_store *s, struct rk_error *err)
{
	return settle_alone(s, false, err);
}

enum rk_err
store_settle_all(struct rk_store *s, struct rk_error *err)
{
	size_t left = s->unwritten;
	enum rk_err r = settle_alone(s, left > 0, err);

	while (r == RK_OK && s->unwritten > 0 && s->unwritten < left) {
		left = s->unwritten;
		r = settle_alone(s, true, err);
	}
	return r;
}

void
store_add_counts(struct rk_store *s, struct store_row *row)
{
	const struct store_key *key = store_key_find(s, row->e.pub);

	if (key == NULL || key->tries == 0)
		return;
	row->e.tries += key->tries;
	row->e.last_seen = key->last_seen;
	row->e.touched = key->touched;
	if (row->e.first_seen == 0)
		row->e.first_seen = key->last_seen;
	store_row_address(row, key->address);
}

void
store_flush_due(struct rk_store *s)
{
	struct rk_error err;

	if (s->flush_after == 0 || monotonic() < s->flush_after)
		return;
	store_hurry(s, STORE_QUICK);
	if (settle_alone(s, true, &err) != RK_OK) {
		log_event(RK_LOG_WARN, "trust", "counts wait: %s", err.text);
		s->flush_after = monotonic() + FLUSH_AGAIN_SECONDS;
	}
	store_hurry(s, STORE_PATIENT);
}
