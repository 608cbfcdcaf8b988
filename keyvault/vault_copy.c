/* The vault copied, put back, and checked from end to end. */
#include "vault_int.h"

#include <string.h>

#include <rpckit/key.h>

#include "base/error.h"
#include "base/sql.h"

enum rk_err
vault_backup(struct vault *v, const char *path, struct rk_error *err)
{
	enum rk_err r;

	err_clear(err);
	/* Read from, so that it stays as it is from one piece to the next. */
	if ((r = vault_read_begin(v, err)) == RK_OK &&
	    (r = vault_head_read(v, err)) == RK_OK)
		r = vault_db_save(v, path, err);
	vault_read_end(v);
	return r;
}

enum rk_err
vault_restore(struct vault *v, struct vault *from, struct rk_error *err)
{
	sqlite3_backup *b;
	enum rk_err r;
	int rc;

	err_clear(err);
	if ((r = vault_require_unlocked(from, err)) != RK_OK ||
	    (r = vault_may_write(v, err)) != RK_OK)
		return r;
	vault_lock(v);
	memset(&v->mark, 0, sizeof(v->mark)); /* it may well be older */
	b = sqlite3_backup_init(v->db, "main", from->db, "main");
	if (b == NULL)
		return vault_db_fail(v, sqlite3_errcode(v->db), err);
	rc = vault_db_steps(v, b);
	(void)sqlite3_backup_finish(b); /* says the same again */
	if (rc != SQLITE_DONE)
		return vault_db_fail(v, rc, err);
	v->replaced = true;
	v->pages = 1; /* that is no commit of a statement's */
	return vault_head_read(v, err);
}

/* ---- check ---- */

struct check {
	struct vault *v;
	vault_fault_fn *fn;
	void *arg;
	struct rk_error *err;
	bool any;
};

static void
tell(enum rk_err what, const char *text, void *arg)
{
	struct check *c = arg;

	c->any = true;
	c->fn(what, text, c->arg);
}

/* Pages, indexes, and that nothing is there twice. */
static enum rk_err
check_pages(struct check *c)
{
	bool sound;
	int rc =
	    sql_word_is(c->v->db, "PRAGMA integrity_check(1)", "ok", &sound);

	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_CORRUPT)
		return vault_db_fail(c->v, rc, c->err);
	if (rc == SQLITE_OK && sound)
		return RK_OK;
	(void)err_set(c->err, RK_EDAMAGED,
	    "%s: is damaged: its pages do not fit together", c->v->name);
	tell(RK_EDAMAGED, c->err->text, c);
	return RK_OK;
}

/* A public half that is not the key's would have others believe a stranger. */
static enum rk_err
halves_fit(const struct record *rec, const struct rk_secret *secret, bool *fit)
{
	struct rk_key *key = NULL;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	enum rk_err r;

	*fit = true;
	if (rec->kind != RECORD_ED25519)
		return RK_OK;
	if ((r = rk_key_from_seed(rk_secret_peek(secret), &key)) != RK_OK)
		return r;
	rk_key_public(key, pub);
	*fit = memcmp(pub, rec->pub, sizeof(pub)) == 0;
	rk_key_free(key);
	return RK_OK;
}

static enum rk_err
check_row(struct check *c, const struct row *row)
{
	struct vault *v = c->v;
	struct rk_secret *secret = NULL;
	struct record rec;
	const char *why = NULL;
	bool fit = true;
	enum rk_err r;

	r = vault_row_about(&v->head, vault_keys(v), row, &rec);
	if (r == RK_OK)
		r = vault_row_open(&v->head, vault_keys(v), row, &rec, &secret);
	if (r == RK_OK)
		r = halves_fit(&rec, secret, &fit);
	if (r == RK_ENOMEM) {
		rk_secret_free(secret);
		return err_set(c->err, r, "%s: out of memory", v->name);
	}
	if (r != RK_OK)
		why = "is not what was sealed";
	else if (!fit)
		why = "has a public half of another key";
	if (why != NULL) {
		(void)err_set(c->err, RK_ETAMPERED,
		    "%s: was tampered with: record %lld %s", v->name,
		    (long long)row->id, why);
		tell(RK_ETAMPERED, c->err->text, c);
	}
	rk_secret_free(secret);
	return RK_OK;
}

static enum rk_err
check_rows(struct check *c)
{
	struct vault *v = c->v;
	sqlite3_stmt *stmt = NULL;
	struct row row;
	uint64_t done = 0;
	int64_t of = 0;
	bool more;
	enum rk_err r;
	int rc = sql_number(v->db, "SELECT count(*) FROM records", &of);

	if (rc != SQLITE_OK)
		return vault_db_fail(v, rc, c->err);
	r = vault_db_prepare(v,
	    "SELECT " VAULT_ROW_COLUMNS " FROM records ORDER BY id", &stmt,
	    c->err);
	while (r == RK_OK &&
	       (r = vault_db_step(v, stmt, &more, c->err)) == RK_OK && more) {
		r = vault_row_take(v, stmt, &row, c->err);
		if (r == RK_OK)
			r = check_row(c, &row);
		else if (r == RK_EDAMAGED)
			r = RK_OK; /* was told of */
		vault_at(v, ++done, (uint64_t)of);
	}
	(void)sqlite3_finalize(stmt);
	return r;
}

/* What adds up and opens, row by row, may still be less than there was, or
 * older. */
static enum rk_err
check_whole(struct check *c)
{
	enum rk_err r = vault_scan(c->v, c->err);

	if (r != RK_ETAMPERED && r != RK_EDAMAGED)
		return r;
	if (!c->any)
		tell(r, c->err->text, c);
	return RK_OK;
}

enum rk_err
vault_check(struct vault *v, const struct rk_secret *pass, vault_fault_fn *fn,
    void *arg, struct rk_error *err)
{
	struct rk_error own;
	struct check c = { .v = v, .fn = fn, .arg = arg };
	enum rk_err r;

	c.err = err != NULL ? err : &own;
	err_clear(c.err);
	vault_lock(v);
	if ((r = vault_read_begin(v, c.err)) != RK_OK)
		return r;
	if ((r = vault_head_read(v, c.err)) != RK_OK)
		goto out;
	if ((r = vault_unwrap(&v->head, pass, &v->key)) != RK_OK ||
	    (r = vault_derive(v->head.id, v->key, &v->derived)) != RK_OK) {
		r = err_set(c.err, r, "%s: %s", v->name, rk_err_text(r));
		goto out;
	}
	if ((r = check_pages(&c)) != RK_OK ||
	    (r = vault_adds_up(v, tell, &c, c.err)) != RK_OK ||
	    (r = check_rows(&c)) != RK_OK)
		goto out;
	r = check_whole(&c);
out:
	vault_read_end(v);
	vault_lock(v);
	if (r == RK_OK)
		err_clear(err);
	return r;
}
