/* SQLite used warily: what its errors mean, limits, schemas compared. */
#ifndef RPCKIT_BASE_SQL_H
#define RPCKIT_BASE_SQL_H

#include <rpckit/err.h>

#include <sqlite3.h>

/*
 * What a result other than SQLITE_OK, ROW or DONE means, and in words behind
 * the file's name.  SQLITE_NOTADB is RK_EDAMAGED, "is no database".
 */
enum rk_err sql_meaning(int rc, const char **words);
/* Limits on values and statements of length_max bytes, defensive, no views, no
 * trust in the schema; wait so long for locks. */
void sql_restrict(sqlite3 *db, int length_max, int wait_ms);

/* These return SQLite's result, SQLITE_OK for an answer. */

/* The number that is the first answer. */
RK_MUST int sql_number(sqlite3 *db, const char *sql, int64_t *out);
/* Is the first answer this word? */
RK_MUST int sql_word_is(
    sqlite3 *db, const char *sql, const char *word, bool *same);
/* Is the schema these statements, as sqlite_schema gives them by name, to the
 * letter and no more? */
RK_MUST int sql_schema_is(
    sqlite3 *db, const char *const *texts, size_t n, bool *same);

/* Column col of a row: text that fits out with its NUL and has none within;
 * false, and "", when it is anything else. */
RK_MUST bool sql_column_text(
    sqlite3_stmt *stmt, int col, char *out, size_t out_len);

#endif
