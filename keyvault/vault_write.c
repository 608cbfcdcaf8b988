/* The vault written: records, the log, and the manifest over all of it. */
#include "vault_int.h"

#include <stdio.h>

#include "base/error.h"
#include "base/str.h"

#define ROOM_MAX (RECORD_SECRET_MAX * 2)

enum rk_err
vault_may_write(const struct vault *v, struct rk_error *err)
{
	if (v->why.code != RK_OK)
		return err_set(err, v->why.code, "%s", v->why.text);
	if (v->copy)
		return err_set(err, RK_ESTATE,
		    "%s: is a copy, or on a read-only medium: nothing can be "
		    "written",
		    v->name);
	if (v->broken)
		return err_set(err, RK_EIO,
		    "%s: writing failed before; look at the disk, then open "
		    "it again",
		    v->name);
	return RK_OK;
}

enum rk_err
vault_begin(struct vault *v, struct rk_error *err)
{
	enum rk_err r;

	err_clear(err);
	if ((r = vault_require_unlocked(v, err)) != RK_OK ||
	    (r = vault_may_write(v, err)) != RK_OK)
		return r;
	if (v->writing)
		return err_set(err, RK_ESTATE, "%s: begun already", v->name);
	if ((r = vault_check_clock(v, err)) != RK_OK)
		return r;
	if ((r = vault_db_begin(v, "BEGIN IMMEDIATE", err)) != RK_OK)
		return r;
	if ((r = vault_refresh(v, err)) != RK_OK) {
		vault_read_end(v);
		return r;
	}
	v->writing = true;
	return RK_OK;
}

void
vault_cancel(struct vault *v)
{
	if (v == NULL || !v->writing)
		return;
	v->writing = false;
	/* What was counted and derived is of what did not happen. */
	v->stale = true;
	if (sqlite3_get_autocommit(v->db) == 0)
		(void)sqlite3_exec(v->db, "ROLLBACK", NULL, NULL, NULL);
}

enum rk_err
vault_commit(struct vault *v, struct rk_error *err)
{
	enum rk_err r;

	if (!v->writing)
		return err_set(err, RK_ESTATE, "%s: nothing begun", v->name);
	v->head.generation++;
	vault_manifest(&v->head, vault_keys(v), v->macs, v->n_macs, v->line_id,
	    v->chain, v->head.manifest);
	if ((r = vault_head_write(v, false, err)) != RK_OK ||
	    (r = vault_db_exec(v, "COMMIT", err)) != RK_OK) {
		vault_cancel(v);
		return r;
	}
	v->writing = false;
	vault_mark_set(v);
	vault_settle_some(v);
	return RK_OK;
}

/* ---- the log ---- */

static const char *const acts[] = {
	[VAULT_ACT_INIT] = "init",
	[VAULT_ACT_NEW] = "new",
	[VAULT_ACT_IMPORT] = "import",
	[VAULT_ACT_EXPORT] = "export",
	[VAULT_ACT_RENAME] = "rename",
	[VAULT_ACT_REMOVE] = "rm",
	[VAULT_ACT_NOTE] = "note",
	[VAULT_ACT_TAG] = "tag",
	[VAULT_ACT_PASSWD] = "passwd",
	[VAULT_ACT_REKEY] = "rekey",
	[VAULT_ACT_SIGN] = "sign",
	[VAULT_ACT_RESTORE] = "restore",
	[VAULT_ACT_UNLOCK] = "unlock",
	[VAULT_ACT_REFUSE] = "refuse",
};

const char *
vault_act_name(enum vault_act act)
{
	return acts[act];
}

/* At a character, where it is too long. */
static void
make_text(char out[VAULT_LOG_TEXT_MAX + 1], const char *name, const char *more)
{
	int n = snprintf(out, VAULT_LOG_TEXT_MAX + 1, "%s%s%s", name,
	    more != NULL && name[0] != '\0' ? ": " : "",
	    more != NULL ? more : "");
	size_t len = VAULT_LOG_TEXT_MAX;

	if (n <= VAULT_LOG_TEXT_MAX)
		return;
	while (len > 0 && !str_is_utf8(out, len))
		len--;
	out[len] = '\0';
}

enum rk_err
vault_log(struct vault *v, enum vault_act act, const char *name,
    const char *more, struct rk_error *err)
{
	char text[VAULT_LOG_TEXT_MAX + 1];
	struct line line = { .id = v->line_id + 1, .act = act };
	struct buf sealed;
	enum rk_err r;

	if (!v->writing)
		return err_set(err, RK_ESTATE, "%s: nothing begun", v->name);
	line.time = v->clock();
	buf_init(&sealed, VAULT_LOG_TEXT_MAX + VAULT_SEAL_LEN);
	make_text(text, name, more);
	r = vault_line_seal(&v->head, vault_keys(v), &line, text, &sealed);
	line.text = (struct rk_bytes){
		.ptr = buf_peek(&sealed),
		.len = buf_len(&sealed),
	};
	if (r == RK_OK)
		r = vault_link(v->chain, &line, line.chain);
	if (r != RK_OK)
		r = err_set(err, r, "%s: %s", v->name, rk_err_text(r));
	else if ((r = vault_line_put(v, &line, err)) == RK_OK) {
		v->line_id = line.id;
		memcpy(v->chain, line.chain, sizeof(v->chain));
	}
	buf_fini(&sealed);
	return r;
}

static enum rk_err
tell_line(struct vault *v, const struct line *line, vault_line_fn *fn,
    void *arg, bool *more, struct rk_error *err)
{
	char text[VAULT_LOG_TEXT_MAX + 1];
	struct vault_line told = { .text = text };
	enum rk_err r;

	r = vault_line_open(&v->head, vault_keys(v), line, text);
	if (r != RK_OK)
		return vault_unreadable(v, r, "line", line->id, err);
	told.id = line->id;
	told.time = line->time;
	told.act = line->act;
	*more = fn(&told, arg);
	return RK_OK;
}

enum rk_err
vault_log_read(
    struct vault *v, vault_line_fn *fn, void *arg, struct rk_error *err)
{
	struct chain chain = { 0 };
	struct rk_error first = { 0 };
	sqlite3_stmt *stmt = NULL;
	struct line line;
	bool more = true;
	enum rk_err r;

	err_clear(err);
	if (v->head.hidden && (r = vault_require_unlocked(v, err)) != RK_OK)
		return r;
	if ((r = vault_read_begin(v, err)) != RK_OK)
		return r;
	r = vault_db_prepare(v,
	    "SELECT " VAULT_LINE_COLUMNS " FROM audit ORDER BY id", &stmt, err);
	while (r == RK_OK && more &&
	       (r = vault_db_step(v, stmt, &more, err)) == RK_OK && more) {
		if ((r = vault_line_take(v, stmt, &line, err)) != RK_OK)
			break;
		r = vault_chain_take(v, &chain, &line, err);
		if (r == RK_EDAMAGED && first.code == RK_OK)
			first = *err;
		if (r == RK_OK || r == RK_EDAMAGED)
			r = tell_line(v, &line, fn, arg, &more, err);
	}
	(void)sqlite3_finalize(stmt);
	vault_read_end(v);
	if (r == RK_OK && first.code != RK_OK)
		*err = first;
	return r == RK_OK ? first.code : r;
}

/* ---- records ---- */

static enum rk_err
check_texts(struct vault *v, const struct record *rec, struct rk_error *err)
{
	char shown[VAULT_NAME_TEXT];
	const char *why = record_name_fault(rec->name);
	const char *what = "the name";

	if (why == NULL && (why = record_note_fault(rec->note)) != NULL)
		what = "the note";
	if (why == NULL && (why = record_tags_fault(rec->tags)) != NULL)
		what = "the tags";
	(void)v;
	return why == NULL ? RK_OK
	                   : err_set(err, RK_EINVAL, "%s: %s %s",
	                         str_escape(shown, sizeof(shown), rec->name),
	                         what, why);
}

static enum rk_err
check_free(struct vault *v, const char *name, struct rk_error *err)
{
	char shown[VAULT_NAME_TEXT];
	bool found;
	enum rk_err r = vault_has(v, name, &found, err);

	if (r != RK_OK || !found)
		return r;
	return err_set(err, RK_EEXIST, "%s: is there already in %s",
	    str_escape(shown, sizeof(shown), name), v->name);
}

static enum rk_err
put_record(struct vault *v, const struct record *rec,
    const struct rk_secret *secret, bool insert, struct rk_error *err)
{
	struct buf room;
	struct row row;
	enum rk_err r;

	buf_init(&room, ROOM_MAX);
	r = vault_row_seal(&v->head, vault_keys(v), rec, secret, &row, &room);
	if (r != RK_OK)
		r = err_set(err, r, "%s: %s", v->name, rk_err_text(r));
	else if ((r = vault_mac_set(v, &row, err)) == RK_OK)
		r = vault_row_put(v, &row, insert, err);
	buf_fini(&room);
	return r;
}

enum rk_err
vault_add(struct vault *v, struct record *rec, const struct rk_secret *secret,
    enum vault_act act, struct rk_error *err)
{
	const char *why = record_secret_fault(rec->kind, rk_secret_len(secret));
	char shown[VAULT_NAME_TEXT];
	enum rk_err r;

	if (!v->writing)
		return err_set(err, RK_ESTATE, "%s: nothing begun", v->name);
	if ((r = check_texts(v, rec, err)) != RK_OK)
		return r;
	if (why != NULL)
		return err_set(err, RK_EINVAL, "%s: the secret %s",
		    str_escape(shown, sizeof(shown), rec->name), why);
	if ((r = check_free(v, rec->name, err)) != RK_OK)
		return r;
	rec->id = v->n_macs == 0 ? 1 : v->macs[v->n_macs - 1].id + 1;
	rec->version = v->head.generation + 1;
	rec->created = v->clock();
	rec->changed = rec->created;
	if ((r = put_record(v, rec, secret, true, err)) != RK_OK)
		return r;
	return vault_log(v, act, rec->name, record_kind_name(rec->kind), err);
}

/* What changed, for the log. */
static const char *
what_changed(enum vault_act act, const struct record *rec)
{
	if (act == VAULT_ACT_RENAME)
		return rec->name;
	return act == VAULT_ACT_TAG ? rec->tags : NULL;
}

enum rk_err
vault_change(struct vault *v, const char *name, struct record *rec,
    enum vault_act act, struct rk_error *err)
{
	struct rk_secret *secret = NULL;
	struct record now;
	enum rk_err r;

	if (!v->writing)
		return err_set(err, RK_ESTATE, "%s: nothing begun", v->name);
	if ((r = check_texts(v, rec, err)) != RK_OK ||
	    (r = vault_secret(v, name, &now, &secret, err)) != RK_OK)
		goto out;
	if (strcmp(name, rec->name) != 0 &&
	    (r = check_free(v, rec->name, err)) != RK_OK)
		goto out;
	(void)str_copy(now.name, sizeof(now.name), rec->name);
	(void)str_copy(now.note, sizeof(now.note), rec->note);
	(void)str_copy(now.tags, sizeof(now.tags), rec->tags);
	now.expires = rec->expires;
	now.version = v->head.generation + 1;
	now.changed = v->clock();
	*rec = now;
	if ((r = put_record(v, rec, secret, false, err)) != RK_OK)
		goto out;
	v->replaced = true;
	r = vault_log(v, act, name, what_changed(act, rec), err);
out:
	rk_secret_free(secret);
	return r;
}

enum rk_err
vault_remove(struct vault *v, const char *name, struct rk_error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct record rec;
	enum rk_err r;
	int rc;

	if (!v->writing)
		return err_set(err, RK_ESTATE, "%s: nothing begun", v->name);
	if ((r = vault_find(v, name, &rec, err)) != RK_OK ||
	    (r = vault_db_prepare(
	         v, "DELETE FROM records WHERE id = ?1", &stmt, err)) != RK_OK)
		return r;
	if ((rc = sqlite3_bind_int64(stmt, 1, rec.id)) != SQLITE_OK) {
		(void)sqlite3_finalize(stmt);
		return vault_db_fail(v, rc, err);
	}
	if ((r = vault_db_finish(v, stmt, err)) != RK_OK)
		return r;
	v->replaced = true;
	vault_mac_drop(v, rec.id);
	return vault_log(v, VAULT_ACT_REMOVE, name, NULL, err);
}
