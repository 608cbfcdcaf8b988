/* Rows of the trust store and lines of its audit, to structs and back. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sql.h"
#include "base/str.h"
#include "trust/store.h"

#define COLUMNS                                                            \
	"fp, pub, email, ca, state, until, first_seen, last_seen, tries, " \
	"addresses, source, note, who, decided, version"
#define CERT(column)                                                           \
	", coalesce((SELECT " column " FROM certs WHERE certs.fp = keys.fp), " \
	"0)"
#define NAME ", coalesce((SELECT cn FROM names WHERE names.fp = keys.fp), x'')"
/* Of who waits: the time of the last line about it. */
#define TOUCHED                                                      \
	", CASE state WHEN 1 THEN coalesce((SELECT time FROM audit " \
	"WHERE id = keys.version), 0) ELSE 0 END"
#define SHOWN COLUMNS CERT("not_before") CERT("not_after") NAME TOUCHED
#define ADDRESSES_LEN (RK_STORE_ADDRESSES * RK_STORE_ADDRESS_LEN)

static const uint8_t no_key[RK_KEY_PUBLIC_LEN];

static enum rk_err
nonsense(struct rk_store *s, struct rk_error *err)
{
	s->damaged = true;
	return err_set(err, RK_EDAMAGED,
	    "%s: is damaged: a row is not what it "
	    "must be",
	    s->name);
}

/* ---- columns ---- */

static bool
get_bytes(sqlite3_stmt *stmt, int col, void *out, size_t len)
{
	const void *data = sqlite3_column_blob(stmt, col);

	if (data == NULL || (size_t)sqlite3_column_bytes(stmt, col) != len)
		return false;
	memcpy(out, data, len);
	return true;
}

static bool
get_state(sqlite3_stmt *stmt, int col, int min, enum rk_store_state *out)
{
	int state = sqlite3_column_int(stmt, col);

	*out = (enum rk_store_state)state;
	return state >= min && state <= (int)RK_STORE_REVOKED;
}

/* Lines of addresses, the newest first. */
static bool
get_addresses(sqlite3_stmt *stmt, int col, struct rk_store_entry *e)
{
	char text[ADDRESSES_LEN];
	const char *at = text;
	size_t i;

	if (!sql_column_text(stmt, col, text, sizeof(text)))
		return false;
	for (i = 0; *at != '\0'; i++) {
		size_t len = strcspn(at, "\n");

		if (i == RK_STORE_ADDRESSES || len >= RK_STORE_ADDRESS_LEN)
			return false;
		memcpy(e->addresses[i], at, len);
		at += len + (at[len] != '\0' ? 1 : 0);
	}
	return true;
}

/* A time or a count, with which is calculated. */
static bool
get_number(sqlite3_stmt *stmt, int col, int64_t *out)
{
	*out = sqlite3_column_int64(stmt, col);
	return *out >= 0;
}

static bool
read_numbers(sqlite3_stmt *stmt, struct rk_store_entry *e)
{
	int64_t tries;

	e->until = sqlite3_column_int64(stmt, 5);
	if (!get_number(stmt, 6, &e->first_seen) ||
	    !get_number(stmt, 7, &e->last_seen) ||
	    !get_number(stmt, 8, &tries) ||
	    !get_number(stmt, 13, &e->decided) ||
	    !get_number(stmt, 14, &e->version) ||
	    !get_number(stmt, 15, &e->cert_from) ||
	    !get_number(stmt, 16, &e->cert_until) ||
	    !get_number(stmt, 18, &e->touched))
		return false;
	if (e->touched < e->last_seen)
		e->touched = e->last_seen;
	e->tries = (uint64_t)tries;
	return true;
}

static bool
read_row(sqlite3_stmt *stmt, struct store_row *out)
{
	struct rk_store_entry *e = &out->e;
	char fp[RK_FP_LEN];

	*out = (struct store_row){ 0 };
	if (!sql_column_text(stmt, 0, fp, sizeof(fp)) ||
	    !get_bytes(stmt, 1, e->pub, sizeof(e->pub)))
		return false;
	rk_fp_of_key(e->pub, e->fp);
	return strcmp(fp, e->fp) == 0 && read_numbers(stmt, e) &&
	       sql_column_text(stmt, 2, e->email, sizeof(e->email)) &&
	       sql_column_text(stmt, 3, e->ca, sizeof(e->ca)) &&
	       get_state(stmt, 4, RK_STORE_WAIT, &e->state) &&
	       get_addresses(stmt, 9, e) &&
	       get_bytes(stmt, 10, out->source, sizeof(out->source)) &&
	       sql_column_text(stmt, 11, e->note, sizeof(e->note)) &&
	       sql_column_text(stmt, 12, e->who, sizeof(e->who)) &&
	       sql_column_text(stmt, 17, e->cn, sizeof(e->cn));
}

static void
put_text(sqlite3_stmt *stmt, int col, const char *text)
{
	/* Fails without memory only; a NULL is then refused by the column. */
	(void)sqlite3_bind_blob(
	    stmt, col, text, (int)strlen(text), SQLITE_TRANSIENT);
}

static void
put_bytes(sqlite3_stmt *stmt, int col, const void *data, size_t len)
{
	(void)sqlite3_bind_blob(stmt, col, data, (int)len, SQLITE_TRANSIENT);
}

static void
put_number(sqlite3_stmt *stmt, int col, int64_t number)
{
	(void)sqlite3_bind_int64(stmt, col, number);
}

static void
put_fp(sqlite3_stmt *stmt, int col, const char *fp)
{
	(void)sqlite3_bind_text(stmt, col, fp, -1, SQLITE_TRANSIENT);
}

static void
put_addresses(sqlite3_stmt *stmt, int col, const struct rk_store_entry *e)
{
	char text[ADDRESSES_LEN];
	size_t n = 0;
	size_t i;

	for (i = 0; i < RK_STORE_ADDRESSES && e->addresses[i][0] != '\0'; i++) {
		size_t len = strlen(e->addresses[i]);

		if (i > 0)
			text[n++] = '\n';
		memcpy(text + n, e->addresses[i], len);
		n += len;
	}
	put_bytes(stmt, col, text, n);
}

/* ---- rows ---- */

enum rk_err
store_row_get(struct rk_store *s, const char *fp, struct store_row *out,
    struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	int rc;

	*out = (struct store_row){ 0 };
	r = store_db_prepare(
	    s, "SELECT " SHOWN " FROM keys WHERE fp = ?1", &stmt, err);
	if (r != RK_OK)
		return r;
	put_fp(stmt, 1, fp);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_DONE)
		r = RK_ENOENT;
	else if (rc != SQLITE_ROW)
		r = store_db_fail(s, rc, err);
	else if (!read_row(stmt, out))
		r = nonsense(s, err);
	store_db_done(s, stmt);
	return r;
}

enum rk_err
store_row_put(
    struct rk_store *s, const struct store_row *row, struct rk_error *err)
{
	const struct rk_store_entry *e = &row->e;
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;

	r = store_db_prepare(s,
	    "INSERT OR REPLACE INTO keys (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, "
	    "?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	put_fp(stmt, 1, e->fp);
	put_bytes(stmt, 2, e->pub, sizeof(e->pub));
	put_text(stmt, 3, e->email);
	put_text(stmt, 4, e->ca);
	put_number(stmt, 5, e->state);
	put_number(stmt, 6, e->until);
	put_number(stmt, 7, e->first_seen);
	put_number(stmt, 8, e->last_seen);
	put_number(stmt, 9, (int64_t)e->tries);
	put_addresses(stmt, 10, e);
	put_bytes(stmt, 11, row->source, sizeof(row->source));
	put_text(stmt, 12, e->note);
	put_text(stmt, 13, e->who);
	put_number(stmt, 14, e->decided);
	put_number(stmt, 15, e->version);
	return store_db_finish(s, stmt, err);
}

enum rk_err
store_row_remove(struct rk_store *s, const char *fp, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;

	r = store_db_prepare(s, "DELETE FROM keys WHERE fp = ?1", &stmt, err);
	if (r != RK_OK)
		return r;
	put_fp(stmt, 1, fp);
	return store_db_finish(s, stmt, err);
}

enum rk_err
store_row_each(
    struct rk_store *s, store_row_fn *fn, void *arg, struct rk_error *err)
{
	struct store_row row;
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	int rc = SQLITE_DONE;

	r = store_db_prepare(
	    s, "SELECT " SHOWN " FROM keys ORDER BY fp", &stmt, err);
	if (r != RK_OK)
		return r;
	while (r == RK_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		r = read_row(stmt, &row) ? fn(&row, arg) : nonsense(s, err);
	if (r == RK_OK && rc != SQLITE_DONE)
		r = store_db_fail(s, rc, err);
	store_db_done(s, stmt);
	return r;
}

void
store_row_address(struct store_row *row, const char *address)
{
	struct rk_store_entry *e = &row->e;
	size_t i = 0;

	if (address[0] == '\0')
		return;
	while (i < RK_STORE_ADDRESSES - 1 && e->addresses[i][0] != '\0' &&
	       strcmp(e->addresses[i], address) != 0)
		i++;
	memmove(e->addresses[1], e->addresses[0], i * RK_STORE_ADDRESS_LEN);
	(void)str_copy(e->addresses[0], RK_STORE_ADDRESS_LEN, address);
}

/* ---- audit ---- */

enum rk_err
store_audit_put(struct rk_store *s, struct store_act *act,
    const struct store_row *before, struct store_row *after,
    struct rk_error *err)
{
	const struct rk_store_entry *b = &before->e;
	sqlite3_stmt *stmt = NULL;
	int64_t id;
	enum rk_err r;

	r = store_db_number(
	    s, "SELECT coalesce(max(id), 0) + 1 FROM audit", &id, err);
	if (r != RK_OK)
		return r;
	r = store_db_prepare(s,
	    "INSERT INTO audit (id, act, time, who, what, pub, email, ca, "
	    "before, before_until, before_who, before_decided, before_note, "
	    "first_seen, after, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
	    "?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	if (act->act == 0)
		act->act = id;
	after->e.version = id;
	if (s->news.first == 0)
		s->news.first = id;
	s->news.last = id;
	put_number(stmt, 1, id);
	put_number(stmt, 2, act->act);
	put_number(stmt, 3, store_now(s));
	put_text(stmt, 4, act->who);
	put_fp(stmt, 5, act->what);
	put_bytes(stmt, 6, after->e.pub, sizeof(after->e.pub));
	put_text(stmt, 7, after->e.email);
	put_text(stmt, 8, after->e.ca);
	put_number(stmt, 9, b->state);
	put_number(stmt, 10, b->until);
	put_text(stmt, 11, b->who);
	put_number(stmt, 12, b->decided);
	put_text(stmt, 13, b->note);
	put_number(stmt, 14, b->first_seen);
	put_number(stmt, 15, after->e.state);
	put_text(stmt, 16, after->e.note);
	return store_db_finish(s, stmt, err);
}

static bool
read_line(sqlite3_stmt *stmt, struct rk_store_line *line, struct store_row *b)
{
	*line = (struct rk_store_line){ 0 };
	*b = (struct store_row){ 0 };
	line->id = sqlite3_column_int64(stmt, 0);
	line->act = sqlite3_column_int64(stmt, 1);
	line->time = sqlite3_column_int64(stmt, 2);
	if (!get_bytes(stmt, 5, b->e.pub, sizeof(b->e.pub)))
		return false;
	/* Zeros are no key: the line is about the list. */
	if (memcmp(b->e.pub, no_key, sizeof(no_key)) != 0)
		rk_fp_of_key(b->e.pub, b->e.fp);
	memcpy(line->fp, b->e.fp, sizeof(line->fp));
	b->e.until = sqlite3_column_int64(stmt, 9);
	if (!get_number(stmt, 11, &b->e.decided) ||
	    !get_number(stmt, 13, &b->e.first_seen))
		return false;
	if (!sql_column_text(stmt, 6, b->e.email, sizeof(b->e.email)))
		return false;
	memcpy(line->email, b->e.email, sizeof(line->email));
	if (!get_state(stmt, 8, RK_STORE_NONE, &b->e.state))
		return false;
	line->before = b->e.state;
	return sql_column_text(stmt, 3, line->who, sizeof(line->who)) &&
	       sql_column_text(stmt, 4, line->what, sizeof(line->what)) &&
	       sql_column_text(stmt, 7, b->e.ca, sizeof(b->e.ca)) &&
	       sql_column_text(stmt, 10, b->e.who, sizeof(b->e.who)) &&
	       sql_column_text(stmt, 12, b->e.note, sizeof(b->e.note)) &&
	       get_state(stmt, 14, RK_STORE_NONE, &line->after) &&
	       sql_column_text(stmt, 15, line->note, sizeof(line->note));
}

/* Each line of a statement, which is finalized. */
static enum rk_err
walk(struct rk_store *s, sqlite3_stmt *stmt, store_audit_fn *fn, void *arg,
    struct rk_error *err)
{
	struct rk_store_line line;
	struct store_row before;
	enum rk_err r = RK_OK;
	int rc = SQLITE_DONE;

	while (r == RK_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		r = read_line(stmt, &line, &before) ? fn(&line, &before, arg)
		                                    : nonsense(s, err);
	if (r == RK_OK && rc != SQLITE_DONE)
		r = store_db_fail(s, rc, err);
	store_db_done(s, stmt);
	return r;
}

enum rk_err
store_audit_each(struct rk_store *s, int64_t act, int64_t id,
    store_audit_fn *fn, void *arg, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;

	r = store_db_prepare(s,
	    act != 0 ? "SELECT * FROM audit WHERE act = ?1 ORDER BY id DESC"
	             : "SELECT * FROM audit WHERE id > ?1 ORDER BY id",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	put_number(stmt, 1, act != 0 ? act : id);
	return walk(s, stmt, fn, arg, err);
}

enum rk_err
store_audit_newest(struct rk_store *s, const struct store_audit_wish *wish,
    store_audit_fn *fn, void *arg, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;

	r = store_db_prepare(s,
	    wish->pub != NULL
	        ? "SELECT * FROM audit WHERE pub = ?3 AND id < ?2 "
	          "ORDER BY id DESC LIMIT ?1"
	        : "SELECT * FROM audit WHERE id < ?2 ORDER BY id DESC LIMIT ?1",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	put_number(stmt, 1,
	    wish->max < (uint64_t)INT64_MAX ? (int64_t)wish->max : INT64_MAX);
	put_number(stmt, 2, wish->before != 0 ? wish->before : INT64_MAX);
	if (wish->pub != NULL)
		put_bytes(stmt, 3, wish->pub, RK_KEY_PUBLIC_LEN);
	return walk(s, stmt, fn, arg, err);
}

struct naming {
	const char *given;
	uint8_t *pub;
	char fp[RK_FP_LEN]; /* "": not found yet */
	char other[RK_FP_LEN];
};

/* True: there is no need to look at others. */
static bool
is_named(struct naming *n, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	char fp[RK_FP_LEN];

	rk_fp_of_key(pub, fp);
	if (!rk_fp_match(fp, n->given, true))
		return false;
	if (n->fp[0] != '\0') {
		memcpy(n->other, fp, sizeof(n->other));
		return true;
	}
	memcpy(n->fp, fp, sizeof(n->fp));
	memcpy(n->pub, pub, RK_KEY_PUBLIC_LEN);
	return rk_fp_match(fp, n->given, false);
}

enum rk_err
store_audit_key(struct rk_store *s, const char *given,
    uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_error *err)
{
	struct naming n = { .given = given, .pub = pub };
	uint8_t key[RK_KEY_PUBLIC_LEN];
	sqlite3_stmt *stmt = NULL;
	bool enough = false;
	int rc = SQLITE_DONE;
	enum rk_err r;

	if (!store_is_long_enough(given))
		return err_set(err, RK_EINVAL,
		    "a fingerprint, or the first %d characters of one",
		    RK_STORE_FP_MIN);
	/* The index has them, each once. */
	r = store_db_prepare(s, "SELECT DISTINCT pub FROM audit", &stmt, err);
	while (
	    r == RK_OK && !enough && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (!get_bytes(stmt, 0, key, sizeof(key)))
			r = nonsense(s, err);
		else if (memcmp(key, no_key, sizeof(no_key)) != 0)
			enough = is_named(&n, key);
	}
	if (r == RK_OK && !enough && rc != SQLITE_DONE)
		r = store_db_fail(s, rc, err);
	store_db_done(s, stmt);
	if (r == RK_OK && n.fp[0] == '\0')
		r = err_set(
		    err, RK_ENOENT, "the audit has nothing about such a key");
	if (r == RK_OK && n.other[0] != '\0')
		r = err_set(
		    err, RK_EINVAL, "%s and %s both begin so", n.fp, n.other);
	return r;
}

enum rk_err
store_audit_next(struct rk_store *s, int64_t id, size_t n, store_audit_fn *fn,
    void *arg, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;

	r = store_db_prepare(s,
	    "SELECT * FROM audit WHERE id > ?1 ORDER BY id LIMIT ?2", &stmt,
	    err);
	if (r != RK_OK)
		return r;
	put_number(stmt, 1, id);
	put_number(stmt, 2, (int64_t)n);
	return walk(s, stmt, fn, arg, err);
}
