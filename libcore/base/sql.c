/* The door to SQLite: errors in our words, a database that is not trusted. */
#include "base/sql.h"

#include <string.h>

enum rk_err
sql_meaning(int rc, const char **words)
{
	switch (rc == SQLITE_IOERR_NOMEM ? SQLITE_NOMEM : rc & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL: /* too many tries to lock it */
		*words = "locked by another process";
		return RK_EBUSY;
	case SQLITE_FULL:
		*words = "no space left on the disk";
		return RK_EIO;
	case SQLITE_READONLY:
		*words = "cannot be written";
		return RK_EIO;
	case SQLITE_CORRUPT:
		*words = "is damaged";
		return RK_EDAMAGED;
	case SQLITE_NOTADB:
		*words = "is no database";
		return RK_EDAMAGED;
	case SQLITE_NOMEM:
		*words = "out of memory";
		return RK_ENOMEM;
	case SQLITE_IOERR:
		*words = "input or output failed";
		return RK_EIO;
	case SQLITE_CANTOPEN:
		*words = "cannot be opened";
		return RK_EIO;
	case SQLITE_CONSTRAINT:
	case SQLITE_TOOBIG:
	case SQLITE_MISMATCH:
		*words = "holds what it must not";
		return RK_EDAMAGED;
	default:
		*words = "failed";
		return RK_EFAIL;
	}
}

void
sql_restrict(sqlite3 *db, int length_max, int wait_ms)
{
	const struct {
		int limit;
		int value;
	} limits[] = {
		{ SQLITE_LIMIT_LENGTH, length_max },
		{ SQLITE_LIMIT_SQL_LENGTH, length_max },
		{ SQLITE_LIMIT_COLUMN, 64 },
		{ SQLITE_LIMIT_EXPR_DEPTH, 50 },
		{ SQLITE_LIMIT_ATTACHED, 0 },
		{ SQLITE_LIMIT_TRIGGER_DEPTH, 2 },
		{ SQLITE_LIMIT_WORKER_THREADS, 0 },
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		(void)sqlite3_limit(db, limits[i].limit, limits[i].value);
	/* These do not fail for options that the library knows. */
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	(void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	(void)sqlite3_busy_timeout(db, wait_ms);
	(void)sqlite3_extended_result_codes(db, 1);
}

int
sql_number(sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	*out = 0;
	rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt); /* says the same again */
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int
sql_word_is(sqlite3 *db, const char *sql, const char *word, bool *same)
{
	sqlite3_stmt *stmt = NULL;
	const char *text;
	int rc;

	*same = false;
	rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		text = (const char *)sqlite3_column_text(stmt, 0);
		*same = text != NULL && strcmp(text, word) == 0;
	}
	(void)sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int
sql_schema_is(sqlite3 *db, const char *const *texts, size_t n, bool *same)
{
	sqlite3_stmt *stmt = NULL;
	const char *text;
	size_t i = 0;
	int rc;

	*same = false;
	rc = sqlite3_prepare_v2(
	    db, "SELECT sql FROM sqlite_schema ORDER BY name", -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return rc;
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		text = (const char *)sqlite3_column_text(stmt, 0);
		if (i == n || text == NULL || strcmp(text, texts[i]) != 0)
			break;
		i++;
	}
	*same = rc == SQLITE_DONE && i == n;
	(void)sqlite3_finalize(stmt);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? SQLITE_OK : rc;
}

bool
sql_column_text(sqlite3_stmt *stmt, int col, char *out, size_t out_len)
{
	const void *data = sqlite3_column_blob(stmt, col);
	size_t len = (size_t)sqlite3_column_bytes(stmt, col);

	out[0] = '\0';
	if (len >= out_len ||
	    (len > 0 && (data == NULL || memchr(data, 0, len) != NULL)))
		return false;
	if (len > 0)
		memcpy(out, data, len);
	out[len] = '\0';
	return true;
}
