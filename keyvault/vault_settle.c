/* What was written moved out of the log beside the vault, and failures of that
 * told: SQLite's own checkpoints tell nobody. */
#include "vault_int.h"

#include "base/error.h"

#define LOG_PAGES 1000 /* as SQLite's own */

static int
note_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct vault *v = arg;

	(void)db;
	(void)name;
	v->pages = pages;
	return SQLITE_OK;
}

void
vault_settle_set(struct vault *v)
{
	/* Also ends those of SQLite's. */
	(void)sqlite3_wal_hook(v->db, note_pages, v);
}

/* What is in the log is safe; but it is not to be tried again. */
static enum rk_err
failed(struct vault *v, int rc)
{
	struct rk_error err;
	enum rk_err r = vault_db_fail(v, rc, &err);

	return err_set(&v->why, r,
	    "%s: while it was moved out of %s-wal, which has all that was "
	    "written",
	    err.text, v->name);
}

static int
checkpoint(struct vault *v, int how)
{
	return sqlite3_wal_checkpoint_v2(v->db, "main", how, NULL, NULL);
}

void
vault_settle_some(struct vault *v)
{
	enum rk_err r = RK_OK;
	int rc;

	if (v->pages < LOG_PAGES || vault_gone(v))
		return;
	rc = checkpoint(v, SQLITE_CHECKPOINT_PASSIVE);
	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
		r = failed(v, rc);
	(void)r; /* whoever writes next is told */
}

enum rk_err
vault_settle(struct vault *v, struct rk_error *err)
{
	enum rk_err r;
	int rc;

	err_clear(err);
	if (v == NULL || v->copy || vault_gone(v))
		return RK_OK;
	if (v->why.code != RK_OK)
		return err_set(err, v->why.code, "%s", v->why.text);
	if (v->pages == 0 || v->broken)
		return RK_OK;
	/* Who only added something need not wait for others. */
	vault_patience(v, v->replaced ? v->patience : 0);
	rc = checkpoint(v, SQLITE_CHECKPOINT_TRUNCATE);
	vault_patience(v, VAULT_WAIT_MS);
	if (rc == SQLITE_OK) {
		v->pages = 0;
		v->replaced = false;
		return RK_OK;
	}
	if ((rc & 0xff) != SQLITE_BUSY) {
		r = failed(v, rc);
		return err_set(err, r, "%s", v->why.text);
	}
	if (!v->replaced)
		return RK_OK;
	return err_set(err, RK_EBUSY,
	    "%s: another process reads it: what was removed or replaced is in "
	    "the file until nobody has it open",
	    v->name);
}
