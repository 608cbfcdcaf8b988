/* The trust store's database: opened warily, its schema compared, made whole.
 */
#include "base/error.h"
#include "base/fs.h"
#include "base/sql.h"
#include "trust/store.h"

#define LENGTH_MAX (1 << 16) /* a value, a row, a statement */

/* As sqlite_schema gives them back, by name. */
static const char *const schema[] = {
	"CREATE TABLE audit (id INTEGER PRIMARY KEY NOT NULL, act INTEGER NOT "
	"NULL, time INTEGER NOT NULL, who BLOB NOT NULL, what TEXT NOT NULL, "
	"pub BLOB NOT NULL, email BLOB NOT NULL, ca BLOB NOT NULL, before "
	"INTEGER NOT NULL, before_until INTEGER NOT NULL, before_who BLOB NOT "
	"NULL, before_decided INTEGER NOT NULL, before_note BLOB NOT NULL, "
	"first_seen INTEGER NOT NULL, after INTEGER NOT NULL, note BLOB NOT "
	"NULL) STRICT",
	"CREATE TRIGGER audit_append BEFORE INSERT ON audit WHEN NEW.id <= "
	"(SELECT coalesce(max(id), 0) FROM audit) BEGIN SELECT RAISE(ABORT, "
	"'audit lines are added at the end'); END",
	"CREATE TRIGGER audit_delete BEFORE DELETE ON audit BEGIN SELECT "
	"RAISE(ABORT, 'audit lines stay'); END",
	"CREATE INDEX audit_pub ON audit (pub)",
	"CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN SELECT "
	"RAISE(ABORT, 'audit lines stay'); END",
	"CREATE TABLE certs (fp TEXT PRIMARY KEY NOT NULL, serial TEXT NOT "
	"NULL, ca BLOB NOT NULL, not_before INTEGER NOT NULL, not_after "
	"INTEGER NOT NULL) STRICT, WITHOUT ROWID",
	"CREATE TABLE keys (fp TEXT PRIMARY KEY NOT NULL, pub BLOB NOT NULL "
	"CHECK (length(pub) = 32), email BLOB NOT NULL, ca BLOB NOT NULL, "
	"state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6), until INTEGER "
	"NOT NULL, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL, "
	"tries INTEGER NOT NULL, addresses BLOB NOT NULL, source BLOB NOT "
	"NULL, note BLOB NOT NULL, who BLOB NOT NULL, decided INTEGER NOT "
	"NULL, version INTEGER NOT NULL) STRICT, WITHOUT ROWID",
	"CREATE TABLE lines (fp TEXT PRIMARY KEY NOT NULL, line BLOB NOT NULL) "
	"STRICT, WITHOUT ROWID",
	"CREATE TABLE names (fp TEXT PRIMARY KEY NOT NULL, cn BLOB NOT NULL) "
	"STRICT, WITHOUT ROWID",
};
#define SCHEMA (sizeof(schema) / sizeof(schema[0]))

/* What versions of the store began with. */
static const struct {
	size_t part; /* of the schema */
	int64_t version;
} later[] = { { 5, 2 } /* certs */, { 8, 3 } /* names */, { 7, 4 } /* lines */,
	{ 3, 5 } /* audit_pub */ };
#define LATER (sizeof(later) / sizeof(later[0]))

/* ---- what went wrong ---- */

enum rk_err
store_db_fail(struct rk_store *s, int rc, struct rk_error *err)
{
	const char *words;
	enum rk_err r = sql_meaning(rc, &words);
	int sys = s->db != NULL ? sqlite3_system_errno(s->db) : 0;

	if ((rc & 0xff) == SQLITE_IOERR && rc != SQLITE_IOERR_NOMEM)
		s->broken = true;
	if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB)
		s->damaged = true;
	if ((rc & 0xff) == SQLITE_NOTADB)
		words = "is not a trust store";
	if (r == RK_EIO && sys != 0 && (rc & 0xff) != SQLITE_FULL)
		return err_sys(err, r, sys, "%s: %s", s->name, words);
	return err_set(err, r, "%s: %s", s->name, words);
}

/* ---- statements ---- */

enum rk_err
store_db_exec(struct rk_store *s, const char *sql, struct rk_error *err)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? RK_OK : store_db_fail(s, rc, err);
}

enum rk_err
store_db_prepare(struct rk_store *s, const char *sql, sqlite3_stmt **out,
    struct rk_error *err)
{
	struct store_stmt *kept = NULL;
	int rc;

	for (size_t i = 0; i < STORE_STMTS && kept == NULL; i++) {
		if (s->stmts[i].sql == sql || s->stmts[i].sql == NULL)
			kept = &s->stmts[i];
	}
	if (kept != NULL && kept->sql == sql && !kept->used) {
		kept->used = true;
		*out = kept->stmt;
		return RK_OK;
	}
	rc = sqlite3_prepare_v3(s->db, sql, -1,
	    kept != NULL && kept->sql == NULL ? SQLITE_PREPARE_PERSISTENT : 0,
	    out, NULL);
	if (rc != SQLITE_OK)
		return store_db_fail(s, rc, err);
	if (kept != NULL && kept->sql == NULL)
		*kept = (struct store_stmt){ sql, *out, true };
	return RK_OK;
}

void
store_db_done(struct rk_store *s, sqlite3_stmt *stmt)
{
	for (size_t i = 0; i < STORE_STMTS; i++) {
		if (s->stmts[i].stmt != stmt || stmt == NULL)
			continue;
		(void)sqlite3_reset(stmt); /* says again how it went */
		(void)sqlite3_clear_bindings(stmt);
		s->stmts[i].used = false;
		return;
	}
	(void)sqlite3_finalize(stmt);
}

void
store_db_forget(struct rk_store *s)
{
	for (size_t i = 0; i < STORE_STMTS; i++) {
		(void)sqlite3_finalize(s->stmts[i].stmt);
		s->stmts[i] = (struct store_stmt){ NULL, NULL, false };
	}
}

enum rk_err
store_db_finish(struct rk_store *s, sqlite3_stmt *stmt, struct rk_error *err)
{
	int rc = sqlite3_step(stmt);
	enum rk_err r = RK_OK;

	if (rc != SQLITE_DONE)
		r = store_db_fail(s, rc, err);
	store_db_done(s, stmt);
	return r;
}

enum rk_err
store_db_answer(
    struct rk_store *s, sqlite3_stmt *stmt, int64_t *out, struct rk_error *err)
{
	const int rc = sqlite3_step(stmt);
	enum rk_err r = RK_OK;

	*out = 0;
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	else
		r = store_db_fail(s, rc, err);
	store_db_done(s, stmt);
	return r;
}

enum rk_err
store_db_number(
    struct rk_store *s, const char *sql, int64_t *out, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r = store_db_prepare(s, sql, &stmt, err);

	*out = 0;
	return r == RK_OK ? store_db_answer(s, stmt, out, err) : r;
}

/* ---- transactions ---- */

enum rk_err
store_begin(struct rk_store *s, struct rk_error *err)
{
	enum rk_err r;

	if (s->broken)
		return err_set(err, RK_EIO,
		    "%s: writing failed before; check the disk and restart",
		    s->name);
	if ((r = store_db_exec(s, "BEGIN IMMEDIATE", err)) != RK_OK)
		return r;
	s->writes++;
	if ((r = store_refresh(s, err)) != RK_OK)
		r = store_end(s, r, err);
	return r;
}

void
store_hurry(struct rk_store *s, enum store_haste haste)
{
	const int ms[] = { [STORE_PATIENT] =
		               s->on_loop ? STORE_TRY_MS : s->wait_ms,
		[STORE_QUICK] = STORE_QUICK_MS,
		[STORE_AT_ONCE] = 0 };

	s->haste = haste;
	(void)sqlite3_busy_timeout(s->db, ms[haste]);
}

void
store_on_loop(struct rk_store *s, bool on)
{
	s->on_loop = on;
	store_hurry(s, STORE_PATIENT);
}

enum rk_err
store_probe(struct rk_store *s, struct rk_error *err)
{
	enum rk_err r;

	(void)pthread_mutex_lock(&s->mutex);
	(void)sqlite3_busy_timeout(s->db, STORE_TRY_MS);
	r = store_db_exec(s, "BEGIN IMMEDIATE", err);
	if (r == RK_OK)
		r = store_db_exec(s, "ROLLBACK", err);
	store_hurry(s, STORE_PATIENT);
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}

enum rk_err
store_end(struct rk_store *s, enum rk_err r, struct rk_error *err)
{
	s->stale = true;
	s->writes++;
	if (r == RK_OK && (r = store_db_exec(s, "COMMIT", err)) == RK_OK) {
		store_settled(s);
		/* Ours are no news, unless others' came before. */
		if (s->news.first != 0 && s->news.line == s->news.first - 1)
			s->news.line = s->news.last;
	}
	s->news.first = 0;
	if (r != RK_OK) {
		store_take_back(s);
		s->lock.id = 0; /* its number may come again */
	}
	known_let_go(&s->hold);
	s->n_done = s->n_added = 0;
	s->settled = false;
	/* Whatever failed may have rolled back already. */
	if (r != RK_OK && sqlite3_get_autocommit(s->db) == 0)
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

enum rk_err
store_try_write(struct rk_store *s, struct rk_error *err)
{
	char sql[48];
	enum rk_err r;

	/* What it is already, which is written all the same. */
	(void)sqlite3_snprintf(
	    sizeof(sql), sql, "PRAGMA user_version = %d", STORE_VERSION);
	if ((r = store_begin(s, err)) != RK_OK)
		return r;
	return store_end(s, store_db_exec(s, sql, err), err);
}

/* ---- making one ---- */

static enum rk_err
fill(struct rk_store *s, struct rk_error *err)
{
	char sql[96];
	size_t i;
	enum rk_err r = RK_OK;

	(void)sqlite3_snprintf(sizeof(sql), sql,
	    "PRAGMA application_id = %d; PRAGMA user_version = %d",
	    STORE_APPLICATION_ID, STORE_VERSION);
	r = store_db_exec(s, sql, err);
	for (i = 0; i < SCHEMA && r == RK_OK; i++)
		r = store_db_exec(s, schema[i], err);
	return r;
}

enum rk_err
store_db_make(struct rk_store *s, struct rk_error *err)
{
	sqlite3_int64 len = 0;
	unsigned char *bytes = NULL;
	enum rk_err r;
	int rc;

	/* Made in memory and written whole: nobody ever finds a part. */
	rc = sqlite3_open_v2(":memory:", &s->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		r = store_db_fail(s, rc, err);
		goto out;
	}
	if ((r = fill(s, err)) != RK_OK)
		goto out;
	bytes = sqlite3_serialize(s->db, "main", &len, 0);
	if (bytes == NULL) {
		r = err_set(err, RK_ENOMEM, "%s: out of memory", s->name);
		goto out;
	}
	r = fs_write_file(s->path, bytes, (size_t)len, 0600, false, err);
out:
	sqlite3_free(bytes);
	(void)sqlite3_close(s->db);
	s->db = NULL;
	return r;
}

/* ---- opening one ---- */

static enum rk_err
foreign(struct rk_store *s, const char *why, struct rk_error *err)
{
	s->damaged = true;
	return err_set(
	    err, RK_EDAMAGED, "%s: is not a trust store: %s", s->name, why);
}

/* Has a store of this version this part of the schema? */
static bool
has_part(size_t part, int64_t version)
{
	for (size_t i = 0; i < LATER; i++) {
		if (later[i].part == part)
			return version >= later[i].version;
	}
	return true;
}

/* Another program may have brought it to its own form since the version was
 * read: then it is to be opened again. */
static enum rk_err
blame_schema(struct rk_store *s, int64_t version, struct rk_error *err)
{
	int64_t now;
	enum rk_err r;

	r = store_db_number(s, "PRAGMA user_version", &now, err);
	if (r != RK_OK)
		return r;
	return now == version
	           ? foreign(s, "its tables are not ours", err)
	           : err_set(err, RK_EBUSY, "%s: is changed by another process",
	                 s->name);
}

/* Before any of it is used: its schema is ours, to the letter. */
static enum rk_err
compare_schema(struct rk_store *s, int64_t version, struct rk_error *err)
{
	const char *texts[SCHEMA];
	size_t n = 0;
	bool same;
	int rc;

	for (size_t i = 0; i < SCHEMA; i++) {
		if (has_part(i, version))
			texts[n++] = schema[i];
	}
	rc = sql_schema_is(s->db, texts, n, &same);
	if (rc != SQLITE_OK)
		return store_db_fail(s, rc, err);
	return same ? RK_OK : blame_schema(s, version, err);
}

/* Is the first answer to a pragma this word? */
static enum rk_err
ask_word(struct rk_store *s, const char *sql, const char *word, bool *same,
    struct rk_error *err)
{
	int rc = sql_word_is(s->db, sql, word, same);

	return rc == SQLITE_OK ? RK_OK : store_db_fail(s, rc, err);
}

static enum rk_err
check_content(struct rk_store *s, int64_t *version, struct rk_error *err)
{
	int64_t number;
	bool sound;
	enum rk_err r;

	r = store_db_number(s, "PRAGMA application_id", &number, err);
	if (r != RK_OK)
		return r;
	if (number != STORE_APPLICATION_ID)
		return foreign(s, "another program made it", err);
	r = store_db_number(s, "PRAGMA user_version", &number, err);
	if (r != RK_OK)
		return r;
	if (number > STORE_VERSION)
		return err_set(err, RK_EUNSUPPORTED,
		    "%s: a newer version of this program made it: use that "
		    "one, or put back a copy from before it",
		    s->name);
	if (number < 1)
		return foreign(s, "its version is unknown here", err);
	*version = number;
	if ((r = compare_schema(s, number, err)) != RK_OK)
		return r;
	r = ask_word(s, "PRAGMA quick_check(1)", "ok", &sound, err);
	if (r == RK_OK && !sound)
		r = store_db_fail(s, SQLITE_CORRUPT, err);
	return r;
}

/* The journal's mode as it now is, which may differ from the one asked for. */
static enum rk_err
use_wal(struct rk_store *s, struct rk_error *err)
{
	bool used;
	enum rk_err r;

	r = ask_word(s, "PRAGMA journal_mode = WAL", "wal", &used, err);
	if (r == RK_OK && !used)
		r = err_set(err, RK_EUNSUPPORTED,
		    "%s: no write-ahead log on this file system", s->name);
	return r;
}

/* What it has not yet, unless another process has done it meanwhile. */
static enum rk_err
migrate(struct rk_store *s, struct rk_error *err)
{
	char sql[64];
	int64_t version;
	enum rk_err r;

	if ((r = store_db_exec(s, "BEGIN IMMEDIATE", err)) != RK_OK)
		return r;
	r = store_db_number(s, "PRAGMA user_version", &version, err);
	for (size_t i = 0; i < LATER && r == RK_OK; i++) {
		if (version < later[i].version)
			r = store_db_exec(s, schema[later[i].part], err);
	}
	(void)sqlite3_snprintf(
	    sizeof(sql), sql, "PRAGMA user_version = %d", STORE_VERSION);
	if (r == RK_OK && version < STORE_VERSION)
		r = store_db_exec(s, sql, err);
	if (r == RK_OK)
		r = store_db_exec(s, "COMMIT", err);
	if (r != RK_OK && sqlite3_get_autocommit(s->db) == 0)
		(void)sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

enum rk_err
store_db_open(struct rk_store *s, const char *vfs, struct rk_error *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
	                  SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
	int64_t version = STORE_VERSION;
	enum rk_err r;
	int rc;

	rc = sqlite3_open_v2(s->path, &s->db, flags, vfs);
	if (rc != SQLITE_OK)
		return store_db_fail(s, rc, err);
	sql_restrict(s->db, LENGTH_MAX, s->wait_ms);
	if (sqlite3_db_readonly(s->db, "main") == 1)
		return store_db_fail(s, SQLITE_READONLY, err);
	r = store_db_exec(s,
	    "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
	    "PRAGMA temp_store = MEMORY; PRAGMA recursive_triggers = ON;"
	    "PRAGMA synchronous = FULL",
	    err);
	if (r == RK_OK)
		r = check_content(s, &version, err);
	if (r == RK_OK)
		r = use_wal(s, err);
	if (r == RK_OK && version < STORE_VERSION)
		r = migrate(s, err);
	return r;
}
