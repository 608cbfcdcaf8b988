/* Lines that were taken out of the known-keys file, for bringing them back. */
#include <string.h>

#include "base/error.h"
#include "trust/store.h"

#define LINES_MAX 32768 /* bytes of one key; a row of the database has more */

enum rk_err
store_lines_read(const struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    struct buf *out)
{
	const char *text = (const char *)buf_peek(&s->text);
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < s->n_lines && r == RK_OK; i++) {
		size_t at = s->lines[i].at;
		struct rk_str line;
		bool ended;

		if (memcmp(s->lines[i].pub, pub, RK_KEY_PUBLIC_LEN) != 0)
			continue;
		line = known_next_line(text, buf_len(&s->text), &at, &ended);
		if ((r = buf_put(out, line.ptr, line.len)) == RK_OK)
			r = buf_put_str(out, "\n");
	}
	return r;
}

/* A statement whose first parameter is the key's fingerprint. */
static enum rk_err
prepare_of(struct rk_store *s, const char *sql,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], sqlite3_stmt **stmt,
    struct rk_error *err)
{
	char fp[RK_FP_LEN];
	enum rk_err r;

	if ((r = store_db_prepare(s, sql, stmt, err)) != RK_OK)
		return r;
	rk_fp_of_key(pub, fp);
	(void)sqlite3_bind_text(*stmt, 1, fp, -1, SQLITE_TRANSIENT);
	return RK_OK;
}

enum rk_err
store_lines_keep(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct buf lines;
	enum rk_err r;

	buf_init(&lines, LINES_MAX);
	r = store_lines_read(s, pub, &lines);
	if (r == RK_ETOOBIG) {
		/* It is not brought back as it was; nor as it was the last
		 * time. */
		r = store_lines_drop(s, pub, err);
		goto out;
	}
	if (r != RK_OK) {
		r = err_set(err, r, "%s: %s", s->name, rk_err_text(r));
		goto out;
	}
	r = prepare_of(s,
	    "INSERT OR REPLACE INTO lines (fp, line) VALUES (?1, ?2)", pub,
	    &stmt, err);
	if (r != RK_OK)
		goto out;
	(void)sqlite3_bind_blob(
	    stmt, 2, buf_peek(&lines), (int)buf_len(&lines), SQLITE_TRANSIENT);
	r = store_db_finish(s, stmt, err);
out:
	buf_fini(&lines);
	return r;
}

enum rk_err
store_lines_get(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    struct buf *out, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	int rc;

	r = prepare_of(
	    s, "SELECT line FROM lines WHERE fp = ?1", pub, &stmt, err);
	if (r != RK_OK)
		return r;
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW && sqlite3_column_bytes(stmt, 0) > 0) {
		r = buf_put(out, sqlite3_column_blob(stmt, 0),
		    (size_t)sqlite3_column_bytes(stmt, 0));
		if (r != RK_OK)
			r = err_set(err, r, "%s: %s", s->name, rk_err_text(r));
	} else {
		r = rc == SQLITE_ROW || rc == SQLITE_DONE
		        ? RK_ENOENT
		        : store_db_fail(s, rc, err);
	}
	store_db_done(s, stmt);
	return r;
}

enum rk_err
store_lines_drop(struct rk_store *s, const uint8_t pub[RK_KEY_PUBLIC_LEN],
    struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;

	r = prepare_of(s, "DELETE FROM lines WHERE fp = ?1", pub, &stmt, err);
	if (r != RK_OK)
		return r;
	return store_db_finish(s, stmt, err);
}
