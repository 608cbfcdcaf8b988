/* A vault kept open between uses: asleep without its keys, but not unknown. */
#include "vault_int.h"

#include <stdio.h>

#include "base/error.h"

ino_t
vault_wal_file(const struct vault *v)
{
	char wal[PATH_MAX];
	struct stat st;

	if (snprintf(wal, sizeof(wal), "%s-wal", v->path) >= (int)sizeof(wal) ||
	    lstat(wal, &st) != 0)
		return 0;
	return st.st_ino;
}

/* Its log, too: SQLite keeps it as long as somebody has the file open, so who
 * took it away also changed the file. */
bool
vault_gone(const struct vault *v)
{
	struct stat st;

	return lstat(v->path, &st) != 0 || st.st_dev != v->dev ||
	       st.st_ino != v->ino || vault_wal_file(v) != v->wal;
}

enum rk_err
vault_same(struct vault *v, struct rk_error *err)
{
	enum rk_err r;

	if ((r = vault_check_files(v->path, err)) != RK_OK)
		return r;
	return !vault_gone(v) ? RK_OK
	                      : err_set(err, RK_ESTATE,
	                            "%s: is another file now", v->name);
}

/* ---- what it was before ---- */

void
vault_mark_set(struct vault *v)
{
	v->mark.key_number = v->head.key_number;
	v->mark.generation = v->head.generation;
	v->mark.line = v->line_id;
	memcpy(v->mark.chain, v->chain, sizeof(v->mark.chain));
}

void
vault_last(const struct vault *v, struct vault_mark *out)
{
	*out = v->mark;
}

void
vault_expect(struct vault *v, const struct vault_mark *mark)
{
	v->mark = *mark;
}

/* Follow the log from the mark to what is verified: that was sealed, so what
 * leads there is what was written, and what others wrote behind it is not yet
 * ours.  RK_EDAMAGED: the mark is not on the way. */
static enum rk_err
follow(struct vault *v, const struct vault_mark *mark, struct rk_error *err)
{
	struct chain chain = { .last = mark->line };
	sqlite3_stmt *stmt = NULL;
	struct line line;
	bool more;
	enum rk_err r;

	memcpy(chain.at, mark->chain, sizeof(chain.at));
	r = vault_db_prepare(v,
	    "SELECT " VAULT_LINE_COLUMNS
	    " FROM audit WHERE id > ?1 AND id <= ?2 ORDER BY id",
	    &stmt, err);
	if (r == RK_OK &&
	    (sqlite3_bind_int64(stmt, 1, mark->line) != SQLITE_OK ||
	        sqlite3_bind_int64(stmt, 2, v->mark.line) != SQLITE_OK))
		r = err_set(err, RK_ENOMEM, "%s: out of memory", v->name);
	while (r == RK_OK &&
	       (r = vault_db_step(v, stmt, &more, err)) == RK_OK && more) {
		if ((r = vault_line_take(v, stmt, &line, err)) == RK_OK)
			r = vault_chain_take(v, &chain, &line, err);
	}
	(void)sqlite3_finalize(stmt);
	if (r == RK_OK &&
	    (chain.last != v->mark.line ||
	        memcmp(chain.at, v->mark.chain, sizeof(chain.at)) != 0))
		r = RK_EDAMAGED;
	return r;
}

enum rk_err
vault_mark_look(
    struct vault *v, const struct vault_mark *mark, struct rk_error *err)
{
	const struct vault_mark *now = &v->mark;
	enum rk_err r;

	if (mark->key_number == 0)
		return RK_OK;
	if (now->key_number < mark->key_number ||
	    now->generation < mark->generation)
		return err_set(err, RK_ETAMPERED,
		    "%s: is older than it was: generation %llu, and it was "
		    "%llu; a copy was put in its place",
		    v->name, (unsigned long long)now->generation,
		    (unsigned long long)mark->generation);
	/* A new key may have sealed the log anew. */
	if (now->key_number > mark->key_number)
		return RK_OK;
	if ((r = follow(v, mark, err)) != RK_EDAMAGED)
		return r;
	return err_set(err, RK_ETAMPERED,
	    "%s: does not go on from what it was at generation %llu: an older "
	    "copy was put in its place, and written",
	    v->name, (unsigned long long)mark->generation);
}

enum rk_err
vault_follows(
    struct vault *v, const struct vault_mark *mark, struct rk_error *err)
{
	enum rk_err r;

	err_clear(err);
	if ((r = vault_read_begin(v, err)) != RK_OK)
		return r;
	/* Locked it may have been sealed anew since it was verified. */
	if (v->key == NULL)
		r = vault_head_read(v, err);
	if (r == RK_OK && v->head.key_number <= v->mark.key_number)
		r = vault_mark_look(v, mark, err);
	vault_read_end(v);
	return r;
}

/* ---- asleep ---- */

/* The memory stays, for the next time: guarded memory takes longer to get than
 * a signature to make. */
static void
put_by(struct rk_secret **from, struct rk_secret **to)
{
	if (*from == NULL)
		return;
	rk_wipe(rk_secret_data(*from), rk_secret_len(*from));
	rk_secret_free(*to);
	*to = *from;
	*from = NULL;
}

void
vault_doze(struct vault *v)
{
	vault_cancel(v);
	put_by(&v->key, &v->spare_key);
	put_by(&v->derived, &v->spare_derived);
}

enum rk_err
vault_wake(struct vault *v, const struct rk_secret *key, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	vault_doze(v);
	if (rk_secret_len(key) != VAULT_KEY_LEN)
		return err_set(
		    err, RK_EINVAL, "%s: a key has 32 bytes", v->name);
	if (v->spare_key == NULL)
		r = rk_secret_new(VAULT_KEY_LEN, &v->spare_key);
	if (r == RK_OK && v->spare_derived == NULL)
		r = rk_secret_new(sizeof(struct keys), &v->spare_derived);
	if (r == RK_OK) {
		memcpy(rk_secret_data(v->spare_key), rk_secret_peek(key),
		    VAULT_KEY_LEN);
		r = vault_derive_into(v->head.id, key, v->spare_derived);
	}
	if (r != RK_OK)
		return err_set(err, r, "%s: out of memory", v->name);
	v->key = v->spare_key;
	v->derived = v->spare_derived;
	v->spare_key = NULL;
	v->spare_derived = NULL;
	return RK_OK;
}

void
vault_patience(struct vault *v, int ms)
{
	/* Fails only for a handle that is none. */
	(void)sqlite3_busy_timeout(v->db, ms);
}
