/* Another passphrase, and another data key with everything sealed anew. */
#include "vault_int.h"

#include <stdlib.h>

#include "base/error.h"

#define ROOM_MAX (RECORD_SECRET_MAX * 2)

static enum rk_err
failed(struct vault *v, enum rk_err r, struct rk_error *err)
{
	return err_set(err, r, "%s: %s", v->name, rk_err_text(r));
}

enum rk_err
vault_passwd(struct vault *v, const struct rk_secret *pass,
    const struct kdf_params *kdf, struct rk_error *err)
{
	struct rk_secret *key = NULL;
	enum rk_err r;

	if ((r = vault_begin(v, err)) != RK_OK)
		return r;
	if ((r = vault_wrap(&v->head, kdf, pass, v->key)) != RK_OK ||
	    (r = vault_unwrap(&v->head, pass, &key)) != RK_OK)
		r = failed(v, r, err);
	else
		r = vault_log(v, VAULT_ACT_PASSWD, "", NULL, err);
	v->replaced = true;
	if (r == RK_OK)
		r = vault_commit(v, err);
	vault_cancel(v);
	rk_secret_free(key);
	return r;
}

/* ---- a new data key ---- */

/* What everything was sealed with. */
struct before {
	struct head head;
	struct rk_secret *derived;
	const struct keys *keys;
};

static enum rk_err
row_anew(struct vault *v, const struct before *b, const struct row *old,
    struct rk_error *err)
{
	struct rk_secret *secret = NULL;
	struct record rec;
	struct row row;
	struct buf room;
	enum rk_err r;

	buf_init(&room, ROOM_MAX);
	if ((r = vault_row_about(&b->head, b->keys, old, &rec)) != RK_OK ||
	    (r = vault_row_open(&b->head, b->keys, old, &rec, &secret)) !=
	        RK_OK)
		goto out;
	rec.version = v->head.generation + 1;
	r = vault_row_seal(&v->head, vault_keys(v), &rec, secret, &row, &room);
out:
	if (r != RK_OK)
		r = failed(v, r, err);
	else if ((r = vault_mac_set(v, &row, err)) == RK_OK)
		r = vault_row_put(v, &row, false, err);
	rk_secret_free(secret);
	buf_fini(&room);
	return r;
}

/* The one that it asks for, which has to be there. */
static enum rk_err
step_to(struct vault *v, const char *sql, int64_t id, sqlite3_stmt **stmt,
    struct rk_error *err)
{
	bool found = false;
	enum rk_err r = vault_db_prepare(v, sql, stmt, err);

	if (r == RK_OK && sqlite3_bind_int64(*stmt, 1, id) != SQLITE_OK)
		r = failed(v, RK_ENOMEM, err);
	if (r == RK_OK)
		r = vault_db_step(v, *stmt, &found, err);
	return r == RK_OK && !found ? failed(v, RK_EDAMAGED, err) : r;
}

static enum rk_err
record_anew(
    struct vault *v, const struct before *b, int64_t id, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct row row;
	enum rk_err r;

	r = step_to(v,
	    "SELECT " VAULT_ROW_COLUMNS " FROM records WHERE id = ?1", id,
	    &stmt, err);
	if (r == RK_OK && (r = vault_row_take(v, stmt, &row, err)) == RK_OK)
		r = row_anew(v, b, &row, err);
	(void)sqlite3_finalize(stmt);
	return r;
}

/* Its text is sealed in a vault that hides names, and the chain is of what
 * stands in the file. */
static enum rk_err
line_anew(
    struct vault *v, const struct before *b, int64_t id, struct rk_error *err)
{
	char text[VAULT_LOG_TEXT_MAX + 1];
	sqlite3_stmt *stmt = NULL;
	struct line line = { 0 };
	struct buf sealed;
	enum rk_err r;

	buf_init(&sealed, VAULT_LOG_TEXT_MAX + VAULT_SEAL_LEN);
	r = step_to(v, "SELECT " VAULT_LINE_COLUMNS " FROM audit WHERE id = ?1",
	    id, &stmt, err);
	if (r == RK_OK)
		r = vault_line_take(v, stmt, &line, err);
	if (r == RK_OK) {
		r = vault_line_open(&b->head, b->keys, &line, text);
		if (r == RK_OK)
			r = vault_line_seal(
			    &v->head, vault_keys(v), &line, text, &sealed);
		line.text.ptr = buf_peek(&sealed);
		line.text.len = buf_len(&sealed);
		if (r == RK_OK)
			r = vault_link(v->chain, &line, line.chain);
		if (r != RK_OK)
			r = failed(v, r, err);
	}
	(void)sqlite3_finalize(stmt);
	if (r == RK_OK && (r = vault_line_put(v, &line, err)) == RK_OK)
		memcpy(v->chain, line.chain, sizeof(v->chain));
	buf_fini(&sealed);
	return r;
}

static enum rk_err
all_anew(struct vault *v, const struct before *b, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < v->n_macs && r == RK_OK; i++) {
		r = record_anew(v, b, v->macs[i].id, err);
		vault_at(v, i + 1, v->n_macs);
	}
	if (!v->head.hidden || r != RK_OK)
		return r;
	memset(v->chain, 0, sizeof(v->chain));
	for (int64_t id = 1; id <= v->line_id && r == RK_OK; id++)
		r = line_anew(v, b, id, err);
	return r;
}

/* The head and the keys of v are the new ones from here. */
static enum rk_err
new_key(struct vault *v, const struct rk_secret *pass,
    const struct kdf_params *kdf, struct rk_error *err)
{
	struct rk_secret *key = NULL;
	struct rk_secret *derived = NULL;
	enum rk_err r;

	v->head.key_number++;
	if ((r = rk_secret_new(VAULT_KEY_LEN, &key)) == RK_OK) {
		rk_random(rk_secret_data(key), VAULT_KEY_LEN);
		if ((r = vault_wrap(&v->head, kdf, pass, key)) == RK_OK)
			r = vault_derive(v->head.id, key, &derived);
	}
	if (r != RK_OK) {
		rk_secret_free(key);
		return failed(v, r, err);
	}
	rk_secret_free(v->key);
	v->key = key;
	v->derived = derived;
	return RK_OK;
}

enum rk_err
vault_rekey(struct vault *v, const struct rk_secret *pass,
    const struct kdf_params *kdf, struct rk_error *err)
{
	struct before b = { 0 };
	enum rk_err r;

	if ((r = vault_begin(v, err)) != RK_OK)
		return r;
	b.head = v->head;
	b.derived = v->derived;
	b.keys = vault_keys(v);
	v->replaced = true;
	/* The head has the new key's number already. */
	if ((r = new_key(v, pass, kdf, err)) != RK_OK) {
		vault_cancel(v);
		vault_lock(v);
		return r;
	}
	if ((r = all_anew(v, &b, err)) == RK_OK &&
	    (r = vault_log(v, VAULT_ACT_REKEY, "", NULL, err)) == RK_OK)
		r = vault_commit(v, err);
	rk_secret_free(b.derived);
	/* What is in memory may be of what did not happen. */
	if (r != RK_OK) {
		vault_cancel(v);
		vault_lock(v);
	}
	return r;
}
