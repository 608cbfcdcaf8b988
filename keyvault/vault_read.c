/* The vault read: records and their secrets, looked at as they come. */
#include "vault_int.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/sql.h"
#include "base/str.h"

enum rk_err
vault_refresh(struct vault *v, struct rk_error *err)
{
	const struct vault_mark before = v->mark;
	sqlite3_stmt *stmt = NULL;
	uint64_t key_number = v->head.key_number;
	uint8_t id[VAULT_ID_LEN];
	int64_t seen;
	bool row;
	enum rk_err r;

	r = vault_db_prepare(v, "PRAGMA data_version", &stmt, err);
	if (r != RK_OK)
		return r;
	r = vault_db_step(v, stmt, &row, err);
	seen = r == RK_OK ? sqlite3_column_int64(stmt, 0) : 0;
	(void)sqlite3_finalize(stmt);
	if (r != RK_OK || (!v->stale && seen == v->seen))
		return r;
	v->stale = true;
	memcpy(id, v->head.id, sizeof(id));
	if ((r = vault_head_read(v, err)) != RK_OK)
		return r;
	if (memcmp(id, v->head.id, sizeof(id)) != 0)
		return err_set(err, RK_ESTATE,
		    "%s: another vault was put in its place", v->name);
	if (key_number != v->head.key_number)
		return err_set(err, RK_ESTATE,
		    "%s: has a new key since it was unlocked", v->name);
	if ((r = vault_scan(v, err)) == RK_OK)
		r = vault_mark_look(v, &before, err);
	if (r != RK_OK) {
		v->mark = before;
		return r;
	}
	v->seen = seen;
	v->stale = false;
	return RK_OK;
}

enum rk_err
vault_read_begin(struct vault *v, struct rk_error *err)
{
	enum rk_err r;

	if (v->writing)
		return RK_OK;
	if ((r = vault_db_begin(v, "BEGIN", err)) != RK_OK)
		return r;
	if (v->key != NULL)
		r = vault_refresh(v, err);
	if (r != RK_OK)
		vault_read_end(v);
	return r;
}

void
vault_read_end(struct vault *v)
{
	/* Nothing was written; what is left is taken back by the next one. */
	if (!v->writing && sqlite3_get_autocommit(v->db) == 0)
		(void)sqlite3_exec(v->db, "ROLLBACK", NULL, NULL, NULL);
}

static enum rk_err
require_names(struct vault *v, struct rk_error *err)
{
	if (!v->head.hidden || v->key != NULL)
		return RK_OK;
	return err_set(
	    err, RK_ESTATE, "%s: is locked, and hides its names", v->name);
}

enum rk_err
vault_unreadable(struct vault *v, enum rk_err r, const char *what, int64_t id,
    struct rk_error *err)
{
	if (r == RK_ENOMEM)
		return err_set(err, r, "%s: out of memory", v->name);
	return err_set(err, RK_EDAMAGED,
	    "%s: is damaged: %s %lld says nothing that can be read", v->name,
	    what, (long long)id);
}

/* A row as it is in the file to a record. */
static enum rk_err
take_record(struct vault *v, sqlite3_stmt *stmt, struct row *row,
    struct record *out, struct rk_error *err)
{
	enum rk_err r;

	if ((r = vault_row_take(v, stmt, row, err)) != RK_OK)
		return r;
	r = v->key != NULL ? vault_mac_check(v, row) : RK_OK;
	if (r == RK_ENOMEM)
		return err_set(err, r, "%s: out of memory", v->name);
	if (r != RK_OK)
		return err_set(err, r,
		    "%s: was tampered with: record %lld is not the one that "
		    "was sealed last",
		    v->name, (long long)row->id);
	r = vault_row_about(&v->head, vault_keys(v), row, out);
	return r == RK_OK ? r : vault_unreadable(v, r, "record", row->id, err);
}

static enum rk_err
bad_index(struct vault *v, struct rk_error *err)
{
	return err_set(err, RK_EDAMAGED,
	    "%s: is damaged: its index does not have each record once",
	    v->name);
}

/* Lists are in the order of the index, which is nobody's seal: one that lacks a
 * record must not make it vanish.  That none is there twice shows in a list. */
static enum rk_err
check_index(struct vault *v, struct rk_error *err)
{
	int64_t missing;
	int rc = sql_number(v->db,
	    "SELECT (SELECT count(*) FROM records NOT INDEXED) - (SELECT "
	    "count(*) FROM records INDEXED BY records_name)",
	    &missing);

	if (rc != SQLITE_OK)
		return vault_db_fail(v, rc, err);
	return missing == 0 ? RK_OK : bad_index(v, err);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(
	    ((const struct record *)a)->name, ((const struct record *)b)->name);
}

/* Hidden names are in no order until they are read. */
static enum rk_err
list_sorted(struct vault *v, sqlite3_stmt *stmt, struct record **list,
    size_t *n, struct rk_error *err)
{
	struct record *grown;
	struct row row;
	size_t cap = 0;
	bool more;
	enum rk_err r;

	while ((r = vault_db_step(v, stmt, &more, err)) == RK_OK && more) {
		if (*n == cap) {
			cap = cap == 0 ? 64 : 2 * cap;
			grown = reallocarray(*list, cap, sizeof(**list));
			if (grown == NULL)
				return err_set(err, RK_ENOMEM,
				    "%s: out of memory", v->name);
			*list = grown;
		}
		r = take_record(v, stmt, &row, &(*list)[*n], err);
		if (r != RK_OK)
			return r;
		++*n;
	}
	return r;
}

static enum rk_err
list_hidden(struct vault *v, sqlite3_stmt *stmt, vault_record_fn *fn, void *arg,
    struct rk_error *err)
{
	struct record *list = NULL;
	size_t n = 0;
	enum rk_err r = list_sorted(v, stmt, &list, &n, err);

	if (r == RK_OK && n > 0) {
		qsort(list, n, sizeof(*list), by_name);
		for (size_t i = 1; i < n && r == RK_OK; i++)
			if (by_name(&list[i - 1], &list[i]) == 0)
				r = bad_index(v, err);
		for (size_t i = 0; r == RK_OK && i < n && fn(&list[i], arg);
		     i++)
			continue;
	}
	if (list != NULL)
		rk_wipe(list, n * sizeof(*list));
	free(list);
	return r;
}

static enum rk_err
list_open(struct vault *v, sqlite3_stmt *stmt, vault_record_fn *fn, void *arg,
    struct rk_error *err)
{
	char last[RECORD_NAME_MAX + 1] = "";
	struct record rec;
	struct row row;
	bool more;
	enum rk_err r;

	while ((r = vault_db_step(v, stmt, &more, err)) == RK_OK && more) {
		if ((r = take_record(v, stmt, &row, &rec, err)) != RK_OK)
			break;
		if (strcmp(rec.name, last) <= 0)
			return bad_index(v, err);
		if (!fn(&rec, arg))
			break;
		(void)str_copy(last, sizeof(last), rec.name);
	}
	return r;
}

enum rk_err
vault_list(
    struct vault *v, vault_record_fn *fn, void *arg, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;

	err_clear(err);
	if ((r = require_names(v, err)) != RK_OK ||
	    (r = vault_read_begin(v, err)) != RK_OK)
		return r;
	if ((r = check_index(v, err)) == RK_OK)
		r = vault_db_prepare(v,
		    "SELECT " VAULT_ROW_COLUMNS " FROM records ORDER BY name",
		    &stmt, err);
	if (r == RK_OK)
		r = v->head.hidden ? list_hidden(v, stmt, fn, arg, err)
		                   : list_open(v, stmt, fn, arg, err);
	(void)sqlite3_finalize(stmt);
	vault_read_end(v);
	return r;
}

/* Whether the statement has a row for a name that is in place of its ?1. */
static enum rk_err
step_name(struct vault *v, sqlite3_stmt *stmt, const char *name, bool *found,
    struct rk_error *err)
{
	uint8_t bytes[RECORD_NAME_MAX];
	size_t len;
	int rc;

	*found = false;
	vault_name_bytes(&v->head, vault_keys(v), name, bytes, &len);
	rc = sqlite3_bind_blob64(stmt, 1, bytes, len, SQLITE_TRANSIENT);
	return rc == SQLITE_OK ? vault_db_step(v, stmt, found, err)
	                       : vault_db_fail(v, rc, err);
}

static enum rk_err
has(struct vault *v, const char *sql, const char *name, bool *found,
    struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;

	*found = false;
	if ((r = vault_db_prepare(v, sql, &stmt, err)) == RK_OK)
		r = step_name(v, stmt, name, found, err);
	(void)sqlite3_finalize(stmt);
	return r;
}

enum rk_err
vault_has(struct vault *v, const char *name, bool *found, struct rk_error *err)
{
	return has(
	    v, "SELECT 1 FROM records WHERE name = ?1", name, found, err);
}

/* An index that lost a name must not make a key vanish. */
static enum rk_err
not_found(struct vault *v, const char *name, struct rk_error *err)
{
	char shown[VAULT_NAME_TEXT];
	bool found;
	enum rk_err r;

	r = has(v, "SELECT 1 FROM records NOT INDEXED WHERE name = ?1", name,
	    &found, err);
	if (r != RK_OK)
		return r;
	str_escape(shown, sizeof(shown), name);
	return found && strlen(name) <= RECORD_NAME_MAX
	           ? err_set(err, RK_EDAMAGED,
	                 "%s: is damaged: its index does not have %s", v->name,
	                 shown)
	           : err_set(err, RK_ENOENT, "%s: no such key in %s", shown,
	                 v->name);
}

static enum rk_err
open_secret(struct vault *v, const struct row *row, const struct record *rec,
    struct rk_secret **out, struct rk_error *err)
{
	enum rk_err r;

	r = vault_row_open(&v->head, vault_keys(v), row, rec, out);
	if (r == RK_OK)
		return r;
	if (r == RK_ENOMEM)
		return err_set(err, r, "%s: out of memory", v->name);
	return err_set(err, RK_ETAMPERED,
	    "%s: was tampered with: record %lld does not open", v->name,
	    (long long)row->id);
}

/* The record, and its secret where out is not NULL. */
static enum rk_err
look_up(struct vault *v, const char *name, struct record *rec,
    struct rk_secret **out, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct row row;
	bool found = false;
	enum rk_err r;

	r = vault_db_prepare(v,
	    "SELECT " VAULT_ROW_COLUMNS " FROM records WHERE name = ?1", &stmt,
	    err);
	if (r == RK_OK)
		r = step_name(v, stmt, name, &found, err);
	if (r == RK_OK && found)
		r = take_record(v, stmt, &row, rec, err);
	/* A name that was too long is cut. */
	if (r == RK_OK && (!found || strcmp(rec->name, name) != 0))
		r = not_found(v, name, err);
	if (r == RK_OK && out != NULL)
		r = open_secret(v, &row, rec, out, err);
	(void)sqlite3_finalize(stmt);
	return r;
}

enum rk_err
vault_find(
    struct vault *v, const char *name, struct record *out, struct rk_error *err)
{
	enum rk_err r;

	err_clear(err);
	if ((r = require_names(v, err)) != RK_OK ||
	    (r = vault_read_begin(v, err)) != RK_OK)
		return r;
	r = look_up(v, name, out, NULL, err);
	vault_read_end(v);
	return r;
}

enum rk_err
vault_secret(struct vault *v, const char *name, struct record *rec,
    struct rk_secret **out, struct rk_error *err)
{
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	if ((r = vault_require_unlocked(v, err)) != RK_OK ||
	    (r = vault_read_begin(v, err)) != RK_OK)
		return r;
	r = look_up(v, name, rec, out, err);
	vault_read_end(v);
	return r;
}
