/* One change of one key: its row, its line of audit, its line in the file. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "trust/store.h"

#define GIVEN_TEXT 80 /* a fingerprint in a message */

/* ---- the file ---- */

/* known_counts_fn: a line that the store refuses is nobody's. */
static bool
is_in(const uint8_t *pub, const void *arg)
{
	const struct rk_store *s = arg;
	const struct store_key *k = store_key_find(s, pub);

	return k == NULL ||
	       (k->state != RK_STORE_REJECTED && k->state != RK_STORE_REVOKED);
}

static enum rk_err
add_line(struct rk_store *s, unsigned wait_ms, const struct store_line *line,
    bool *added, struct rk_error *err)
{
	const struct known_entry entry = {
		.pub = line->pub,
		.host = line->host,
		.emails = line->emails,
		.wait_ms = wait_ms,
		.hold = &s->hold,
		.whom = line->whom,
		.counts = is_in,
		.arg = s,
	};
	struct known now;
	enum rk_err r;

	r = known_add(s->known_path, &entry, &now, added, err);
	known_fini(&now);
	/* In words of a decision: not now, by the file's mode or size. */
	if (r == RK_EUNKNOWNKEY)
		r = store_is_locked(s) ? RK_ESTATE : RK_ELIMIT;
	if (r != RK_OK && err != NULL)
		err->code = r;
	return r;
}

enum rk_err
store_add_line(struct rk_store *s, const struct store_line *line, bool *added,
    struct rk_error *err)
{
	return add_line(s, store_file_wait(s), line, added, err);
}

/* As it was taken out; RK_ENOENT: that is not known. */
static enum rk_err
restore_lines(struct rk_store *s, unsigned wait_ms,
    const struct store_line *line, bool *added, struct rk_error *err)
{
	struct buf lines;
	enum rk_err r;

	*added = false;
	buf_init(&lines, KNOWN_FILE_MAX);
	if ((r = store_lines_get(s, line->pub, &lines, err)) == RK_OK)
		r = known_restore(
		    s->known_path, &s->hold, wait_ms, &lines, added, err);
	buf_fini(&lines);
	return r;
}

static enum rk_err
bring_back(struct rk_store *s, unsigned wait_ms, const struct store_line *line,
    bool *added, struct rk_error *err)
{
	enum rk_err r = restore_lines(s, wait_ms, line, added, err);

	return r == RK_ENOENT ? add_line(s, wait_ms, line, added, err) : r;
}

static enum rk_err
hide_line(struct rk_store *s, unsigned wait_ms,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], bool *hidden, struct rk_error *err)
{
	uint8_t keys[1][RK_KEY_PUBLIC_LEN];
	size_t n;
	enum rk_err r;

	memcpy(keys[0], pub, sizeof(keys[0]));
	r = known_hide(s->known_path, &s->hold, wait_ms,
	    (const uint8_t(*)[RK_KEY_PUBLIC_LEN])keys, 1, &n, err);
	*hidden = n > 0;
	return r;
}

void
store_hide(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	const struct store_key *key = store_key_find(s, pub);
	struct rk_error err;
	bool hidden;

	if (key == NULL || !key->in_file)
		return;
	if (store_is_locked(s)) {
		store_hide_later(s, pub);
		return;
	}
	if (hide_line(s, s->on_loop ? STORE_TRY_MS : KNOWN_WAIT_TIDY_MS, pub,
	        &hidden, &err) != RK_OK) {
		log_event(RK_LOG_WARN, "trust",
		    "a refused key keeps its line for now: %s", err.text);
		store_hide_later(s, pub);
	}
	known_let_go(&s->hold);
}

/* By the file as it was, and not by the row: SQLite may have taken that back by
 * itself, and what it has then is of an earlier removal. */
static enum rk_err
unhide_line(struct rk_store *s, unsigned wait_ms,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_error *err)
{
	struct buf lines;
	enum rk_err r;

	buf_init(&lines, KNOWN_FILE_MAX);
	if ((r = store_lines_read(s, pub, &lines)) != RK_OK)
		r = err_set(err, r, "%s: %s", s->known_name, rk_err_text(r));
	else
		r = known_put_back(
		    s->known_path, &s->hold, wait_ms, &lines, err);
	buf_fini(&lines);
	return r;
}

static void
note_done(struct rk_store *s, const struct store_line *line)
{
	if (line->added)
		store_mine_note(s, line->pub);
	if (s->n_done == STORE_LINES)
		return;
	s->done[s->n_done] = *line;
	s->done[s->n_done++].whom = NULL;
}

void
store_take_back(struct rk_store *s)
{
	const unsigned wait_ms = store_file_wait(s); /* if it was replaced */
	uint8_t key[1][RK_KEY_PUBLIC_LEN];
	struct rk_error err;
	enum rk_err r;

	if (s->n_added > 0)
		qsort(s->added, s->n_added, sizeof(*s->added), known_compare);
	if (s->n_added > 0 && known_take_back(s->known_path, &s->hold, wait_ms,
	                          (const uint8_t(*)[RK_KEY_PUBLIC_LEN])s->added,
	                          s->n_added, &err) != RK_OK)
		log_event(RK_LOG_ERROR, "trust",
		    "imported lines are not taken back: %s", err.text);
	while (s->n_done > 0) {
		const struct store_line *line = &s->done[--s->n_done];

		memcpy(key[0], line->pub, sizeof(key[0]));
		r = line->added
		        ? known_take_back(s->known_path, &s->hold, wait_ms,
		              (const uint8_t(*)[RK_KEY_PUBLIC_LEN])key, 1, &err)
		        : unhide_line(s, wait_ms, line->pub, &err);
		if (r != RK_OK)
			log_event(RK_LOG_ERROR, "trust",
			    "a change is not taken back: %s", err.text);
	}
}

static bool
is_in_file(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	const struct store_key *key = store_key_find(s, pub);

	return key != NULL && key->in_file;
}

/* Bring the file to what the row is going to say. */
static enum rk_err
change_file(struct rk_store *s, const struct store_act *act,
    const struct store_row *after, struct rk_error *err)
{
	const struct rk_store_entry *e = &after->e;
	const bool in_file = is_in_file(s, e->pub);
	const unsigned wait_ms = store_file_wait(s);
	struct store_line line = { .added = e->state == RK_STORE_KNOWN,
		.whom = act->whom };
	bool changed = false;
	enum rk_err r = RK_OK;

	memcpy(line.pub, e->pub, sizeof(line.pub));
	(void)str_copy(line.host, sizeof(line.host), e->addresses[0]);
	(void)str_copy(line.emails, sizeof(line.emails), e->email);
	switch (e->state) {
	case RK_STORE_KNOWN:
		if (!in_file)
			r = (act->undoes ? bring_back : add_line)(
			    s, wait_ms, &line, &changed, err);
		if (r == RK_OK)
			r = store_lines_drop(s, e->pub, err);
		break;
	case RK_STORE_ONCE:
	case RK_STORE_UNTIL:
		if (store_is_locked(s))
			return err_set(
			    err, RK_ESTATE, "%s: is locked", s->known_name);
		if (in_file)
			r = hide_line(s, wait_ms, e->pub, &changed, err);
		break;
	case RK_STORE_NONE:
	case RK_STORE_WAIT:
		if (in_file)
			r = hide_line(s, wait_ms, e->pub, &changed, err);
		break;
	case RK_STORE_REJECTED:
	case RK_STORE_REVOKED:
		break; /* store_hide() when it is committed */
	}
	if (changed)
		note_done(s, &line);
	return r;
}

enum rk_err
store_apply(struct rk_store *s, struct store_act *act,
    const struct store_row *before, struct store_row *after,
    struct rk_error *err)
{
	enum rk_err r;

	if (before->e.state == RK_STORE_NONE && s->rows >= RK_STORE_KEYS)
		return err_set(err, RK_ELIMIT, "%s: is full: it holds %zu keys",
		    s->name, s->rows);
	if ((r = store_audit_put(s, act, before, after, err)) != RK_OK)
		return r;
	r = after->e.state == RK_STORE_NONE
	        ? store_row_remove(s, after->e.fp, err)
	        : store_row_put(s, after, err);
	if (r != RK_OK || act->leave)
		return r;
	if (after->e.state != RK_STORE_KNOWN && is_in_file(s, after->e.pub) &&
	    (r = store_lines_keep(s, after->e.pub, err)) != RK_OK)
		return r;
	return change_file(s, act, after, err);
}

/* ---- fingerprints ---- */

struct search {
	const char *given;
	struct store_row row;
	char other[RK_FP_LEN];
	unsigned hits;
};

static enum rk_err
compare(const struct store_row *row, void *arg)
{
	struct search *find = arg;

	if (!rk_fp_match(row->e.fp, find->given, true))
		return RK_OK;
	if (find->hits++ == 0)
		find->row = *row;
	else if (find->hits == 2)
		memcpy(find->other, row->e.fp, sizeof(find->other));
	return RK_OK;
}

bool
store_is_long_enough(const char *given)
{
	static const char tag[] = "sha256:";
	size_t matched = 0;
	size_t n = 0;

	for (; *given != '\0'; given++) {
		char c = *given;

		if (c == ' ' || c == '\t' || c == '\n')
			continue;
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (matched == n && matched < sizeof(tag) - 1 &&
		    c == tag[matched])
			matched++;
		n++;
	}
	if (matched == sizeof(tag) - 1)
		n -= matched;
	return n >= RK_STORE_FP_MIN;
}

enum rk_err
store_resolve(struct rk_store *s, const char *given, struct store_row *out,
    struct rk_error *err)
{
	struct search find = { .given = given };
	char text[GIVEN_TEXT];
	enum rk_err r;

	*out = (struct store_row){ 0 };
	str_escape(text, sizeof(text), given);
	if (!store_is_long_enough(given))
		return err_set(err, RK_EINVAL,
		    "\"%s\": a fingerprint, or the first %d characters of one",
		    text, RK_STORE_FP_MIN);
	if ((r = store_row_each(s, compare, &find, err)) != RK_OK)
		return r;
	if (find.hits == 0)
		return err_set(err, RK_ENOENT, "\"%s\": no such key", text);
	if (find.hits > 1)
		return err_set(err, RK_EINVAL,
		    "\"%s\" fits %u keys, among them %s and %s", text,
		    find.hits, find.row.e.fp, find.other);
	*out = find.row;
	return RK_OK;
}
