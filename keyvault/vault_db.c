/* The vault's database: made whole, opened warily, its schema compared. */
#include "vault_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/sql.h"
#include "base/str.h"

#define LENGTH_MAX (1 << 18) /* a value, a row, a statement */
#define STEP_PAGES 256
#define COPY_MAX (INT64_C(1) << 30)
#define FILE_MAX ((size_t)1 << 30)
/* Bytes of a database's head: 2 for one with a write-ahead log. */
#define FORM_WRITE 18
#define FORM_READ 19
/* What SQLite locks of a database for reading as long as it is open with a log,
 * and wholly for what must be alone; see its os.h. */
#define FILE_SHARED_LOCK 0x40000002
#define FILE_SHARED_LEN 510
#define TURN_NS (20 * 1000 * 1000) /* between two looks at these locks */
/* Where SQLite locks its -shm file for a writer; see its walformat. */
#define SHM_WRITE_LOCK 120

/* As sqlite_schema gives them back, by name. */
static const char *const schema1[] = {
	"CREATE TABLE audit (id INTEGER PRIMARY KEY NOT NULL, time INTEGER "
	"NOT NULL, act INTEGER NOT NULL, text BLOB NOT NULL, chain BLOB NOT "
	"NULL) STRICT",
	"CREATE TABLE head (id INTEGER PRIMARY KEY NOT NULL CHECK (id = 1), "
	"vault BLOB NOT NULL, created INTEGER NOT NULL, hidden INTEGER NOT "
	"NULL, key_number INTEGER NOT NULL, passes INTEGER NOT NULL, kib "
	"INTEGER NOT NULL, lanes INTEGER NOT NULL, salt BLOB NOT NULL, "
	"verifier BLOB NOT NULL, wrapped BLOB NOT NULL, generation INTEGER "
	"NOT NULL, manifest BLOB NOT NULL, sum BLOB NOT NULL) STRICT",
	"CREATE TABLE records (id INTEGER PRIMARY KEY NOT NULL, kind INTEGER "
	"NOT NULL, version INTEGER NOT NULL, name BLOB NOT NULL, about BLOB "
	"NOT NULL, sealed BLOB NOT NULL, sum BLOB NOT NULL) STRICT",
	"CREATE UNIQUE INDEX records_name ON records (name)",
};

static const struct vault_form forms[] = {
	{ .schema = schema1, .n = sizeof(schema1) / sizeof(schema1[0]) },
};
const struct vault_forms vault_forms = {
	.list = forms,
	.n = sizeof(forms) / sizeof(forms[0]),
};

static bool
is_write(int rc)
{
	switch (rc) {
	case SQLITE_IOERR:
	case SQLITE_IOERR_WRITE:
	case SQLITE_IOERR_FSYNC:
	case SQLITE_IOERR_DIR_FSYNC:
	case SQLITE_IOERR_TRUNCATE:
		return true;
	default:
		return false;
	}
}

static bool
is_full(int sys)
{
	return sys == ENOSPC || sys == EDQUOT;
}

enum rk_err
vault_db_fail(struct vault *v, int rc, struct rk_error *err)
{
	const char *words;
	enum rk_err r = sql_meaning(rc, &words);
	int sys = v->db != NULL ? sqlite3_system_errno(v->db) : 0;

	if ((rc & 0xff) == SQLITE_NOTADB)
		words = "is not a vault";
	/* Our statements are right: it is the file that they do not fit. */
	if (rc == SQLITE_ERROR) {
		words = "is damaged";
		r = RK_EDAMAGED;
	}
	if (((rc & 0xff) == SQLITE_IOERR && rc != SQLITE_IOERR_NOMEM) ||
	    (rc & 0xff) == SQLITE_FULL)
		v->broken = true;
	v->failed = v->failed || is_write(rc);
	/* Also where it is the file beside, which all who read it share. */
	if (r == RK_EIO && is_full(sys)) {
		r = err_set(err, r, "%s: no space left on the disk", v->name);
		if (err != NULL)
			err->sys = sys;
		return r;
	}
	if (r == RK_EIO && sys != 0 && (rc & 0xff) != SQLITE_FULL)
		return err_sys(err, r, sys, "%s: %s", v->name, words);
	return err_set(err, r, "%s: %s", v->name, words);
}

/* ---- statements ---- */

enum rk_err
vault_db_exec(struct vault *v, const char *sql, struct rk_error *err)
{
	int rc = sqlite3_exec(v->db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? RK_OK : vault_db_fail(v, rc, err);
}

enum rk_err
vault_db_begin(struct vault *v, const char *sql, struct rk_error *err)
{
	enum rk_err r;

	if (sqlite3_get_autocommit(v->db) == 0 &&
	    (r = vault_db_exec(v, "ROLLBACK", err)) != RK_OK)
		return r;
	return vault_db_exec(v, sql, err);
}

enum rk_err
vault_db_prepare(
    struct vault *v, const char *sql, sqlite3_stmt **out, struct rk_error *err)
{
	int rc = sqlite3_prepare_v2(v->db, sql, -1, out, NULL);

	return rc == SQLITE_OK ? RK_OK : vault_db_fail(v, rc, err);
}

enum rk_err
vault_db_step(
    struct vault *v, sqlite3_stmt *stmt, bool *row, struct rk_error *err)
{
	int rc = sqlite3_step(stmt);

	*row = rc == SQLITE_ROW;
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return RK_OK;
	return vault_db_fail(v, rc, err);
}

enum rk_err
vault_db_finish(struct vault *v, sqlite3_stmt *stmt, struct rk_error *err)
{
	bool row;
	enum rk_err r = vault_db_step(v, stmt, &row, err);

	(void)sqlite3_finalize(stmt); /* says the same again */
	return r;
}

bool
vault_db_bytes(sqlite3_stmt *stmt, int column, size_t min, size_t max,
    struct rk_bytes *out)
{
	if (sqlite3_column_type(stmt, column) != SQLITE_BLOB)
		return false;
	out->ptr = sqlite3_column_blob(stmt, column);
	out->len = (size_t)sqlite3_column_bytes(stmt, column);
	return out->len >= min && out->len <= max &&
	       (out->ptr != NULL || out->len == 0);
}

/* ---- making one ---- */

static enum rk_err
set_version(struct vault *v, size_t version, struct rk_error *err)
{
	char sql[96];

	(void)sqlite3_snprintf(
	    sizeof(sql), sql, "PRAGMA user_version = %d", (int)version);
	return vault_db_exec(v, sql, err);
}

enum rk_err
vault_db_fresh(
    struct vault *v, const struct vault_forms *f, struct rk_error *err)
{
	const struct vault_form *newest = &f->list[f->n - 1];
	char sql[96];
	enum rk_err r;
	int rc;

	rc = sqlite3_open_v2(":memory:", &v->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK)
		return vault_db_fail(v, rc, err);
	(void)sqlite3_snprintf(sizeof(sql), sql, "PRAGMA application_id = %d",
	    VAULT_APPLICATION_ID);
	if ((r = vault_db_exec(v, sql, err)) != RK_OK ||
	    (r = set_version(v, f->n, err)) != RK_OK)
		return r;
	for (size_t i = 0; i < newest->n && r == RK_OK; i++)
		r = vault_db_exec(v, newest->schema[i], err);
	return r;
}

int
vault_db_steps(const struct vault *v, sqlite3_backup *b)
{
	int rc;
	int of;

	do {
		rc = sqlite3_backup_step(b, STEP_PAGES);
		of = sqlite3_backup_pagecount(b);
		vault_at(v, (uint64_t)(of - sqlite3_backup_remaining(b)),
		    (uint64_t)of);
	} while (rc == SQLITE_OK);
	return rc;
}

/* Through memory, so that what is there is always all of it. */
enum rk_err
vault_db_save(struct vault *v, const char *path, struct rk_error *err)
{
	sqlite3 *copy = NULL;
	sqlite3_backup *b = NULL;
	sqlite3_int64 len = 0;
	unsigned char *bytes = NULL;
	enum rk_err r = RK_OK;
	int rc;

	rc = sqlite3_open_v2(":memory:", &copy,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc == SQLITE_OK)
		b = sqlite3_backup_init(copy, "main", v->db, "main");
	if (b == NULL) {
		r = err_set(err, RK_ENOMEM, "%s: out of memory", v->name);
		goto out;
	}
	rc = vault_db_steps(v, b);
	(void)sqlite3_backup_finish(b); /* says the same again */
	if (rc != SQLITE_DONE) {
		r = vault_db_fail(v, rc, err);
		goto out;
	}
	bytes = sqlite3_serialize(copy, "main", &len, 0);
	if (bytes == NULL || len > COPY_MAX) {
		r = err_set(err, RK_ENOMEM, "%s: out of memory", v->name);
		goto out;
	}
	r = fs_write_file(path, bytes, (size_t)len, 0600, false, err);
out:
	sqlite3_free(bytes);
	(void)sqlite3_close(copy);
	return r;
}

/* ---- opening one ---- */

static enum rk_err
foreign(struct vault *v, const char *why, struct rk_error *err)
{
	return err_set(
	    err, RK_EDAMAGED, "%s: is not a vault: %s", v->name, why);
}

static enum rk_err
number(struct vault *v, const char *sql, int64_t *out, struct rk_error *err)
{
	int rc = sql_number(v->db, sql, out);

	return rc == SQLITE_OK ? RK_OK : vault_db_fail(v, rc, err);
}

/* Before any of it is used: the schema is ours, to the letter. */
static enum rk_err
compare(struct vault *v, const struct vault_form *f, struct rk_error *err)
{
	bool same;
	int rc = sql_schema_is(v->db, f->schema, f->n, &same);

	if (rc != SQLITE_OK)
		return vault_db_fail(v, rc, err);
	return same ? RK_OK : foreign(v, "its tables are not ours", err);
}

static enum rk_err
check_form(struct vault *v, const struct vault_forms *f, int64_t *version,
    struct rk_error *err)
{
	int64_t id;
	enum rk_err r;

	if ((r = number(v, "PRAGMA application_id", &id, err)) != RK_OK ||
	    (r = number(v, "PRAGMA user_version", version, err)) != RK_OK)
		return r;
	if (id != VAULT_APPLICATION_ID)
		return foreign(v, "another program made it", err);
	if (*version > (int64_t)f->n)
		return err_set(err, RK_EUNSUPPORTED,
		    "%s: a later version of keyvault made it", v->name);
	if (*version < 1)
		return foreign(v, "it has no version", err);
	return compare(v, &f->list[*version - 1], err);
}

/* Step by step in one transaction; another process may have been faster. */
static enum rk_err
upgrade(struct vault *v, const struct vault_forms *f, struct rk_error *err)
{
	int64_t version = 0;
	enum rk_err r;

	if ((r = vault_db_exec(v, "BEGIN IMMEDIATE", err)) != RK_OK)
		return r;
	r = check_form(v, f, &version, err);
	for (size_t i = (size_t)version; i < f->n && r == RK_OK; i++) {
		r = vault_db_exec(v, f->list[i].step, err);
		if (r == RK_OK)
			r = set_version(v, i + 1, err);
	}
	if (r == RK_OK)
		r = compare(v, &f->list[f->n - 1], err);
	if (r == RK_OK)
		r = vault_db_exec(v, "COMMIT", err);
	if (r != RK_OK && sqlite3_get_autocommit(v->db) == 0)
		(void)sqlite3_exec(v->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* The journal's mode as it now is, which may differ from the one asked for. */
static enum rk_err
use_wal(struct vault *v, struct rk_error *err)
{
	bool used;
	int rc = sql_word_is(v->db, "PRAGMA journal_mode = WAL", "wal", &used);

	if (rc != SQLITE_OK)
		return vault_db_fail(v, rc, err);
	return used
	           ? RK_OK
	           : err_set(err, RK_EUNSUPPORTED,
	                 "%s: no write-ahead log on this file system", v->name);
}

enum rk_err
vault_db_open(struct vault *v, const char *vfs, const struct vault_forms *f,
    struct rk_error *err)
{
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
	                  SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
	int64_t version;
	enum rk_err r;
	int rc;

	rc = sqlite3_open_v2(v->path, &v->db, flags, vfs);
	if (rc != SQLITE_OK)
		return vault_db_fail(v, rc, err);
	sql_restrict(v->db, LENGTH_MAX, VAULT_WAIT_MS);
	if (sqlite3_db_readonly(v->db, "main") == 1)
		return vault_db_fail(v, SQLITE_READONLY, err);
	if ((r = vault_db_exec(v,
	         "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
	         "PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON;"
	         "PRAGMA synchronous = FULL",
	         err)) != RK_OK ||
	    (r = check_form(v, f, &version, err)) != RK_OK ||
	    (r = use_wal(v, err)) != RK_OK)
		return r;
	vault_settle_set(v);
	return version == (int64_t)f->n ? RK_OK : upgrade(v, f, err);
}

/* SQLite owns bytes then, also when it fails. */
static enum rk_err
take_bytes(struct vault *v, const struct buf *file, struct rk_error *err)
{
	const unsigned flags =
	    SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_READONLY;
	size_t len = buf_len(file);
	unsigned char *bytes = sqlite3_malloc64(len);
	int rc;

	if (bytes == NULL)
		return err_set(err, RK_ENOMEM, "%s: out of memory", v->name);
	memcpy(bytes, buf_peek(file), len);
	/* There is no log in memory: the head must not promise one. */
	if (len > FORM_READ && bytes[FORM_WRITE] == 2 && bytes[FORM_READ] == 2)
		bytes[FORM_WRITE] = bytes[FORM_READ] = 1;
	rc = sqlite3_deserialize(v->db, "main", bytes, (sqlite3_int64)len,
	    (sqlite3_int64)len, flags);
	/* It does not look at them yet. */
	if (rc == SQLITE_ERROR)
		rc = SQLITE_NOMEM;
	return rc == SQLITE_OK ? RK_OK : vault_db_fail(v, rc, err);
}

/* The file's bytes; descriptors are read through, for their locks. */
static enum rk_err
take_file(
    struct vault *v, int fd, const struct vault_forms *f, struct rk_error *err)
{
	struct rk_error why;
	struct buf file;
	int64_t version;
	enum rk_err r;
	int rc;

	buf_init(&file, FILE_MAX);
	if ((r = fs_read_fd(fd, FILE_MAX, &file, &why)) != RK_OK) {
		r = err_set(err, r, "%s: %s", v->name, why.text);
		goto out;
	}
	rc = sqlite3_open_v2(":memory:", &v->db,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (rc != SQLITE_OK) {
		r = vault_db_fail(v, rc, err);
		goto out;
	}
	if (buf_len(&file) == 0) {
		r = err_set(
		    err, RK_EDAMAGED, "%s: is damaged: it is empty", v->name);
		goto out;
	}
	if ((r = take_bytes(v, &file, err)) != RK_OK)
		goto out;
	sql_restrict(v->db, LENGTH_MAX, VAULT_WAIT_MS);
	if ((r = check_form(v, f, &version, err)) == RK_OK &&
	    version != (int64_t)f->n)
		r = err_set(err, RK_EUNSUPPORTED,
		    "%s: an earlier version of keyvault made it: put it where "
		    "it can be written",
		    v->name);
out:
	buf_fini(&file);
	return r;
}

enum rk_err
vault_db_take(
    struct vault *v, const struct vault_forms *f, struct rk_error *err)
{
	struct stat st;
	int fd;
	enum rk_err r;

	if ((r = fs_open(v->path, FS_ANY, &fd, &st, err)) != RK_OK)
		return r;
	r = take_file(v, fd, f, err);
	(void)close(fd); /* nothing was written */
	return r;
}

/* Who else reads it so, or finds that it cannot, has it for a moment. */
static enum rk_err
lock_whole(const struct vault *v, int fd, struct rk_error *err)
{
	const struct timespec pause = { .tv_nsec = TURN_NS };
	const uint64_t until = mono_ms() + (uint64_t)v->patience;
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = FILE_SHARED_LOCK,
		.l_len = FILE_SHARED_LEN,
	};

	while (fcntl(fd, F_SETLK, &lock) != 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return fs_fail(err, errno, v->path);
		if (mono_ms() >= until)
			return err_set(
			    err, RK_EBUSY, "%s: is open elsewhere", v->name);
		(void)nanosleep(&pause, NULL);
	}
	return RK_OK;
}

enum rk_err
vault_db_take_alone(
    struct vault *v, const struct vault_forms *f, struct rk_error *err)
{
	int fd = open(v->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	enum rk_err r;

	if (fd < 0)
		return fs_fail(err, errno, v->path);
	if ((r = lock_whole(v, fd, err)) == RK_OK &&
	    (r = vault_no_log(v, err)) == RK_OK)
		r = take_file(v, fd, f, err);
	(void)close(fd); /* and the lock goes */
	return r;
}

void
vault_db_close(struct vault *v)
{
	/* Closing writes to the file, which is not to be tried again, nor to be
	 * done to another one.  It fails only with statements left, and there
	 * are none. */
	if (v->db != NULL &&
	    (v->why.code != RK_OK || (v->wal != 0 && vault_gone(v))))
		(void)sqlite3_db_config(
		    v->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (v->db != NULL)
		(void)sqlite3_close(v->db);
	v->db = NULL;
}

int
vault_holder(const char *path)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = SHM_WRITE_LOCK,
		.l_len = 1,
	};
	char shm[PATH_MAX];
	int fd;
	int pid = 0;

	if (snprintf(shm, sizeof(shm), "%s-shm", path) >= (int)sizeof(shm))
		return 0;
	fd = open(shm, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
		pid = (int)lock.l_pid;
	(void)close(fd);
	return pid;
}
