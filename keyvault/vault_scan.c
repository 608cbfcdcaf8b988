/* All of the vault looked at: does it add up, and is it what was sealed? */
#include "vault_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"

/* ---- the MACs of all rows, by id ---- */

/* The first with an id that is not less. */
static size_t
place_of(const struct vault *v, int64_t id)
{
	size_t low = 0;
	size_t high = v->n_macs;
	size_t middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (v->macs[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum rk_err
grow(struct vault *v)
{
	size_t cap = v->macs_cap == 0 ? 64 : 2 * v->macs_cap;
	struct row_mac *macs;

	if (v->n_macs < v->macs_cap)
		return RK_OK;
	macs = reallocarray(v->macs, cap, sizeof(*macs));
	if (macs == NULL)
		return RK_ENOMEM;
	v->macs = macs;
	v->macs_cap = cap;
	return RK_OK;
}

enum rk_err
vault_mac_set(struct vault *v, const struct row *row, struct rk_error *err)
{
	size_t at = place_of(v, row->id);
	struct row_mac mac = { .id = row->id };
	enum rk_err r;

	if ((r = vault_row_mac(vault_keys(v), row, mac.mac)) != RK_OK)
		return err_set(err, r, "%s: out of memory", v->name);
	if (at == v->n_macs || v->macs[at].id != row->id) {
		if (v->n_macs == VAULT_RECORDS_MAX)
			return err_set(err, RK_ELIMIT,
			    "%s: has as many records as a vault may", v->name);
		if ((r = grow(v)) != RK_OK)
			return err_set(err, r, "%s: out of memory", v->name);
		memmove(v->macs + at + 1, v->macs + at,
		    (v->n_macs - at) * sizeof(*v->macs));
		v->n_macs++;
	}
	v->macs[at] = mac;
	return RK_OK;
}

void
vault_mac_drop(struct vault *v, int64_t id)
{
	size_t at = place_of(v, id);

	if (at == v->n_macs || v->macs[at].id != id)
		return;
	v->n_macs--;
	memmove(v->macs + at, v->macs + at + 1,
	    (v->n_macs - at) * sizeof(*v->macs));
}

enum rk_err
vault_mac_check(struct vault *v, const struct row *row)
{
	size_t at = place_of(v, row->id);
	uint8_t mac[CRYPT_HASH_LEN];
	enum rk_err r;

	if (at == v->n_macs || v->macs[at].id != row->id)
		return RK_ETAMPERED;
	if ((r = vault_row_mac(vault_keys(v), row, mac)) != RK_OK)
		return r;
	return rk_secret_eq(mac, v->macs[at].mac, sizeof(mac)) ? RK_OK
	                                                       : RK_ETAMPERED;
}

/* ---- without a key ---- */

/* Told, or the result. */
static enum rk_err
fault(struct vault *v, vault_fault_fn *fn, void *arg, struct rk_error *err)
{
	if (fn == NULL || v->broken || err->code != RK_EDAMAGED)
		return err->code;
	fn(RK_EDAMAGED, err->text, arg);
	return RK_OK;
}

static enum rk_err
rows_add_up(
    struct vault *v, vault_fault_fn *fn, void *arg, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct record rec;
	struct row row;
	bool more;
	enum rk_err r;

	r = vault_db_prepare(v,
	    "SELECT " VAULT_ROW_COLUMNS " FROM records ORDER BY id", &stmt,
	    err);
	while (r == RK_OK &&
	       (r = vault_db_step(v, stmt, &more, err)) == RK_OK && more) {
		r = vault_row_take(v, stmt, &row, err);
		if (r == RK_OK && !v->head.hidden &&
		    (r = vault_row_about(&v->head, NULL, &row, &rec)) != RK_OK)
			r = vault_unreadable(v, r, "record", row.id, err);
		if (r != RK_OK)
			r = fault(v, fn, arg, err);
	}
	(void)sqlite3_finalize(stmt);
	return r;
}

enum rk_err
vault_chain_take(struct vault *v, struct chain *c, const struct line *line,
    struct rk_error *err)
{
	uint8_t want[CRYPT_HASH_LEN];
	int64_t due = c->last + 1;
	enum rk_err r = vault_link(c->at, line, want);

	if (r != RK_OK)
		return err_set(err, r, "%s: out of memory", v->name);
	/* One link that does not hold is one fault. */
	c->last = line->id;
	memcpy(c->at, line->chain, sizeof(c->at));
	if (line->id == due && memcmp(want, line->chain, sizeof(want)) == 0)
		return RK_OK;
	return err_set(err, RK_EDAMAGED,
	    "%s: is damaged: the chain of its log is broken at line %lld",
	    v->name, (long long)due);
}

static enum rk_err
log_adds_up(
    struct vault *v, vault_fault_fn *fn, void *arg, struct rk_error *err)
{
	struct chain chain = { 0 };
	sqlite3_stmt *stmt = NULL;
	struct line line;
	bool more;
	enum rk_err r;

	r = vault_db_prepare(v,
	    "SELECT " VAULT_LINE_COLUMNS " FROM audit ORDER BY id", &stmt, err);
	while (r == RK_OK &&
	       (r = vault_db_step(v, stmt, &more, err)) == RK_OK && more) {
		if ((r = vault_line_take(v, stmt, &line, err)) != RK_OK)
			break;
		r = vault_chain_take(v, &chain, &line, err);
		if (r == RK_EDAMAGED)
			r = fault(v, fn, arg, err);
		if (r != RK_OK)
			break;
	}
	if (r != RK_OK)
		r = fault(v, fn, arg, err);
	(void)sqlite3_finalize(stmt);
	return r;
}

enum rk_err
vault_adds_up(
    struct vault *v, vault_fault_fn *fn, void *arg, struct rk_error *err)
{
	struct rk_error own;
	enum rk_err r;

	err = err != NULL ? err : &own;
	if ((r = rows_add_up(v, fn, arg, err)) != RK_OK)
		return r;
	return log_adds_up(v, fn, arg, err);
}

/* ---- with the key ---- */

static enum rk_err
last_line(struct vault *v, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct line line = { 0 };
	bool found = false;
	enum rk_err r;

	r = vault_db_prepare(v,
	    "SELECT " VAULT_LINE_COLUMNS " FROM audit ORDER BY id DESC LIMIT 1",
	    &stmt, err);
	if (r == RK_OK)
		r = vault_db_step(v, stmt, &found, err);
	if (r == RK_OK && found)
		r = vault_line_take(v, stmt, &line, err);
	(void)sqlite3_finalize(stmt);
	v->line_id = line.id;
	memcpy(v->chain, line.chain, sizeof(v->chain));
	return r;
}

static enum rk_err
take_macs(struct vault *v, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct row row;
	bool more;
	enum rk_err r;

	v->n_macs = 0;
	r = vault_db_prepare(v,
	    "SELECT " VAULT_ROW_COLUMNS " FROM records ORDER BY id", &stmt,
	    err);
	while (r == RK_OK &&
	       (r = vault_db_step(v, stmt, &more, err)) == RK_OK && more) {
		if ((r = vault_row_take(v, stmt, &row, err)) == RK_OK)
			r = vault_mac_set(v, &row, err);
	}
	(void)sqlite3_finalize(stmt);
	return r;
}

enum rk_err
vault_scan(struct vault *v, struct rk_error *err)
{
	uint8_t want[CRYPT_HASH_LEN];
	enum rk_err r;

	if ((r = take_macs(v, err)) != RK_OK ||
	    (r = last_line(v, err)) != RK_OK)
		return r;
	vault_manifest(&v->head, vault_keys(v), v->macs, v->n_macs, v->line_id,
	    v->chain, want);
	if (rk_secret_eq(want, v->head.manifest, sizeof(want))) {
		vault_mark_set(v);
		return RK_OK;
	}
	if ((r = vault_adds_up(v, NULL, NULL, err)) != RK_OK)
		return r;
	return err_set(err, RK_ETAMPERED,
	    "%s: was tampered with: its records and log are not those that "
	    "were sealed last",
	    v->name);
}
