/* Rows of the vault's tables: read with suspicion, and written. */
#include "vault_int.h"

#include "base/bytes.h"
#include "base/error.h"

#define TEXT_MAX (VAULT_LOG_TEXT_MAX + VAULT_SEAL_LEN)

static enum rk_err
bind(struct vault *v, int rc, struct rk_error *err)
{
	return rc == SQLITE_OK ? RK_OK : vault_db_fail(v, rc, err);
}

static int
put_bytes(sqlite3_stmt *stmt, int at, const void *data, size_t len)
{
	return sqlite3_bind_blob64(
	    stmt, at, len > 0 ? data : "", len, SQLITE_STATIC);
}

/* A number that is there and not negative. */
static bool
get_number(sqlite3_stmt *stmt, int column, int64_t max, int64_t *out)
{
	if (sqlite3_column_type(stmt, column) != SQLITE_INTEGER)
		return false;
	*out = sqlite3_column_int64(stmt, column);
	return *out >= 0 && *out <= max;
}

static bool
get_array(sqlite3_stmt *stmt, int column, size_t len, uint8_t *out)
{
	struct rk_bytes b;

	if (!vault_db_bytes(stmt, column, len, len, &b))
		return false;
	memcpy(out, b.ptr, len);
	return true;
}

/* ---- the head ---- */

/* RK_EDAMAGED, RK_ENOMEM. */
static enum rk_err
take_head(sqlite3_stmt *stmt, struct head *h)
{
	int64_t hidden;
	int64_t key_number;
	int64_t passes;
	int64_t kib;
	int64_t lanes;
	int64_t generation;
	uint8_t sum[CRYPT_HASH_LEN];
	enum rk_err r;

	if (!get_array(stmt, 0, VAULT_ID_LEN, h->id) ||
	    !get_number(stmt, 1, INT64_MAX, &h->created) ||
	    !get_number(stmt, 2, 1, &hidden) ||
	    !get_number(stmt, 3, INT64_MAX, &key_number) ||
	    !get_number(stmt, 4, UINT32_MAX, &passes) ||
	    !get_number(stmt, 5, UINT32_MAX, &kib) ||
	    !get_number(stmt, 6, UINT32_MAX, &lanes) ||
	    !get_array(stmt, 7, KDF_SALT_LEN, h->salt) ||
	    !get_array(stmt, 8, VAULT_VERIFIER_LEN, h->verifier) ||
	    !get_array(stmt, 9, VAULT_WRAPPED_LEN, h->wrapped) ||
	    !get_number(stmt, 10, INT64_MAX - 1, &generation) ||
	    !get_array(stmt, 11, CRYPT_HASH_LEN, h->manifest) ||
	    !get_array(stmt, 12, CRYPT_HASH_LEN, h->sum))
		return RK_EDAMAGED;
	h->hidden = hidden == 1;
	h->key_number = (uint64_t)key_number;
	h->kdf.passes = (uint32_t)passes;
	h->kdf.kib = (uint32_t)kib;
	h->kdf.lanes = (uint32_t)lanes;
	h->generation = (uint64_t)generation;
	if ((r = vault_head_sum(h, sum)) != RK_OK)
		return r;
	return memcmp(sum, h->sum, sizeof(sum)) == 0 ? RK_OK : RK_EDAMAGED;
}

enum rk_err
vault_head_read(struct vault *v, struct rk_error *err)
{
	struct head h = { 0 };
	sqlite3_stmt *stmt = NULL;
	bool row = false;
	enum rk_err r;

	if ((r = vault_db_prepare(v,
	         "SELECT vault, created, hidden, key_number, passes, kib, "
	         "lanes, salt, verifier, wrapped, generation, manifest, sum "
	         "FROM head",
	         &stmt, err)) != RK_OK)
		return r;
	if ((r = vault_db_step(v, stmt, &row, err)) != RK_OK)
		goto out;
	r = row ? take_head(stmt, &h) : RK_EDAMAGED;
	if (r != RK_OK) {
		r = err_set(err, r,
		    r == RK_ENOMEM ? "%s: out of memory"
		                   : "%s: is damaged: its head does not add up",
		    v->name);
		goto out;
	}
	if (kdf_check(&h.kdf) != RK_OK) {
		r = err_set(err, RK_ELIMIT,
		    "%s: asks for more work or memory than a vault may",
		    v->name);
		goto out;
	}
	v->head = h;
out:
	(void)sqlite3_finalize(stmt);
	return r;
}

enum rk_err
vault_head_write(struct vault *v, bool insert, struct rk_error *err)
{
	struct head *h = &v->head;
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	int rc;

	if ((r = vault_head_sum(h, h->sum)) != RK_OK)
		return err_set(err, r, "%s: out of memory", v->name);
	r = vault_db_prepare(v,
	    insert ? "INSERT INTO head VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, "
	             "?8, ?9, ?10, ?11, ?12, ?13)"
	           : "UPDATE head SET vault = ?1, created = ?2, hidden = ?3, "
	             "key_number = ?4, passes = ?5, kib = ?6, lanes = ?7, "
	             "salt = ?8, verifier = ?9, wrapped = ?10, generation = "
	             "?11, manifest = ?12, sum = ?13",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	if ((rc = put_bytes(stmt, 1, h->id, VAULT_ID_LEN)) != SQLITE_OK ||
	    (rc = sqlite3_bind_int64(stmt, 2, h->created)) != SQLITE_OK ||
	    (rc = sqlite3_bind_int64(stmt, 3, h->hidden)) != SQLITE_OK ||
	    (rc = sqlite3_bind_int64(stmt, 4, (int64_t)h->key_number)) !=
	        SQLITE_OK ||
	    (rc = sqlite3_bind_int64(stmt, 5, h->kdf.passes)) != SQLITE_OK ||
	    (rc = sqlite3_bind_int64(stmt, 6, h->kdf.kib)) != SQLITE_OK ||
	    (rc = sqlite3_bind_int64(stmt, 7, h->kdf.lanes)) != SQLITE_OK ||
	    (rc = put_bytes(stmt, 8, h->salt, KDF_SALT_LEN)) != SQLITE_OK ||
	    (rc = put_bytes(stmt, 9, h->verifier, VAULT_VERIFIER_LEN)) !=
	        SQLITE_OK ||
	    (rc = put_bytes(stmt, 10, h->wrapped, VAULT_WRAPPED_LEN)) !=
	        SQLITE_OK ||
	    (rc = sqlite3_bind_int64(stmt, 11, (int64_t)h->generation)) !=
	        SQLITE_OK ||
	    (rc = put_bytes(stmt, 12, h->manifest, CRYPT_HASH_LEN)) !=
	        SQLITE_OK)
		r = bind(v, rc, err);
	else
		r = bind(v, put_bytes(stmt, 13, h->sum, CRYPT_HASH_LEN), err);
	if (r == RK_OK)
		return vault_db_finish(v, stmt, err);
	(void)sqlite3_finalize(stmt);
	return r;
}

/* ---- records ---- */

enum rk_err
vault_row_take(
    struct vault *v, sqlite3_stmt *stmt, struct row *out, struct rk_error *err)
{
	const size_t about = RECORD_ABOUT_MAX + VAULT_SEAL_LEN;
	const size_t sealed = RECORD_SECRET_MAX + VAULT_SEAL_LEN;
	uint8_t sum[VAULT_SUM_LEN];
	int64_t kind = 0;
	int64_t version = 0;
	enum rk_err r;

	memset(out, 0, sizeof(*out));
	if (!get_number(stmt, 0, INT64_MAX - 1, &out->id) ||
	    !get_number(stmt, 1, RECORD_SECRET, &kind) || kind == 0 ||
	    !get_number(stmt, 2, INT64_MAX, &version) ||
	    !vault_db_bytes(stmt, 3, 1, RECORD_NAME_MAX, &out->name) ||
	    !vault_db_bytes(stmt, 4, 1, about, &out->about) ||
	    !vault_db_bytes(stmt, 5, VAULT_SEAL_LEN, sealed, &out->sealed) ||
	    !get_array(stmt, 6, VAULT_SUM_LEN, out->sum))
		return err_set(err, RK_EDAMAGED,
		    "%s: is damaged: record %lld is not what a record can be",
		    v->name, (long long)out->id);
	out->kind = (enum record_kind)kind;
	out->version = (uint64_t)version;
	if ((r = vault_row_sum(out, sum)) != RK_OK)
		return err_set(err, r, "%s: out of memory", v->name);
	if (memcmp(sum, out->sum, sizeof(sum)) != 0)
		return err_set(err, RK_EDAMAGED,
		    "%s: is damaged: record %lld does not add up", v->name,
		    (long long)out->id);
	return RK_OK;
}

enum rk_err
vault_row_put(
    struct vault *v, const struct row *row, bool insert, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	int rc;

	r = vault_db_prepare(v,
	    insert ? "INSERT INTO records (" VAULT_ROW_COLUMNS
	             ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
	           : "UPDATE records SET kind = ?2, version = ?3, name = ?4, "
	             "about = ?5, sealed = ?6, sum = ?7 WHERE id = ?1",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	if ((rc = sqlite3_bind_int64(stmt, 1, row->id)) != SQLITE_OK ||
	    (rc = sqlite3_bind_int64(stmt, 2, row->kind)) != SQLITE_OK ||
	    (rc = sqlite3_bind_int64(stmt, 3, (int64_t)row->version)) !=
	        SQLITE_OK ||
	    (rc = put_bytes(stmt, 4, row->name.ptr, row->name.len)) !=
	        SQLITE_OK ||
	    (rc = put_bytes(stmt, 5, row->about.ptr, row->about.len)) !=
	        SQLITE_OK ||
	    (rc = put_bytes(stmt, 6, row->sealed.ptr, row->sealed.len)) !=
	        SQLITE_OK)
		r = bind(v, rc, err);
	else
		r = bind(v, put_bytes(stmt, 7, row->sum, VAULT_SUM_LEN), err);
	if (r == RK_OK)
		return vault_db_finish(v, stmt, err);
	(void)sqlite3_finalize(stmt);
	return r;
}

/* ---- lines of the log ---- */

enum rk_err
vault_line_take(
    struct vault *v, sqlite3_stmt *stmt, struct line *out, struct rk_error *err)
{
	int64_t act = 0;

	memset(out, 0, sizeof(*out));
	if (!get_number(stmt, 0, INT64_MAX - 1, &out->id) ||
	    !get_number(stmt, 1, INT64_MAX, &out->time) ||
	    !get_number(stmt, 2, VAULT_ACT_LAST, &act) || act == 0 ||
	    !vault_db_bytes(stmt, 3, 0, TEXT_MAX, &out->text) ||
	    !get_array(stmt, 4, CRYPT_HASH_LEN, out->chain))
		return err_set(err, RK_EDAMAGED,
		    "%s: is damaged: line %lld of its log is not what a line "
		    "can be",
		    v->name, (long long)out->id);
	out->act = (enum vault_act)act;
	return RK_OK;
}

enum rk_err
vault_line_put(struct vault *v, const struct line *line, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	enum rk_err r;
	int rc;

	r = vault_db_prepare(v,
	    "INSERT OR REPLACE INTO audit (" VAULT_LINE_COLUMNS
	    ") VALUES (?1, ?2, ?3, ?4, ?5)",
	    &stmt, err);
	if (r != RK_OK)
		return r;
	if ((rc = sqlite3_bind_int64(stmt, 1, line->id)) != SQLITE_OK ||
	    (rc = sqlite3_bind_int64(stmt, 2, line->time)) != SQLITE_OK ||
	    (rc = sqlite3_bind_int64(stmt, 3, line->act)) != SQLITE_OK ||
	    (rc = put_bytes(stmt, 4, line->text.ptr, line->text.len)) !=
	        SQLITE_OK)
		r = bind(v, rc, err);
	else
		r = bind(
		    v, put_bytes(stmt, 5, line->chain, CRYPT_HASH_LEN), err);
	if (r == RK_OK)
		return vault_db_finish(v, stmt, err);
	(void)sqlite3_finalize(stmt);
	return r;
}
