/* passwd, rekey, backup, restore, check and log: the vault looked after. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "keyvault.h"

#define KEPT_MAX 100 /* copies made in one second */

/* ---- passphrases and keys ---- */

enum rk_err
verb_passwd(struct kv *kv)
{
	struct rk_secret *pass = NULL;
	struct kdf_params kdf;
	uint64_t takes;
	enum rk_err r;

	if ((r = kv_unlock(kv)) == RK_OK &&
	    (r = kv_new_pass(kv, "new-pass", "vault, the new one:", kv->path,
	         &pass)) == RK_OK &&
	    (r = kv_calibrate(kv, &kdf, &takes)) == RK_OK)
		r = vault_passwd(kv->vault, pass, &kdf, &kv->err);
	rk_secret_free(pass);
	if (r != RK_OK)
		return r;
	out_note(&kv->out, "the passphrase is another one; copies made before "
	                   "have the old one");
	kv_tell_cost(kv, &kdf, takes);
	return r;
}

enum rk_err
verb_rekey(struct kv *kv)
{
	struct kdf_params kdf;
	uint64_t takes;
	enum rk_err r;

	if ((r = kv_unlock(kv)) == RK_OK &&
	    (r = kv_calibrate(kv, &kdf, &takes)) == RK_OK) {
		kv_progress(kv, kv->vault, "sealing records anew");
		r = vault_rekey(kv->vault, kv->pass, &kdf, &kv->err);
		kv_progress(kv, kv->vault, NULL);
	}
	if (r != RK_OK)
		return r;
	out_note(&kv->out, "everything is sealed under a new key");
	kv_tell_cost(kv, &kdf, takes);
	return r;
}

/* ---- copies ---- */

static enum rk_err
back_up(struct kv *kv, struct vault *v, const char *path)
{
	enum rk_err r;

	kv_progress(kv, v, "copying pages");
	r = vault_backup(v, path, &kv->err);
	kv_progress(kv, v, NULL);
	return r;
}

enum rk_err
verb_backup(struct kv *kv)
{
	const char *path = kv_operand(kv, 0);
	char shown[SHOWN_LEN];
	enum rk_err r;

	if ((r = kv_open(kv)) != RK_OK ||
	    (r = back_up(kv, kv->vault, path)) != RK_OK)
		return r;
	out_note(&kv->out, "wrote %s (0600)",
	    str_escape(shown, sizeof(shown), path));
	return RK_OK;
}

/* What is in a vault, for a comparison. */
struct counting {
	struct vault *other;
	uint64_t gone;
	uint64_t differ;
	uint64_t all;
	struct rk_error err;
	enum rk_err r;
};

static bool
compare_one(const struct record *rec, void *arg)
{
	struct counting *c = arg;
	struct record other;
	enum rk_err r = vault_find(c->other, rec->name, &other, &c->err);

	c->all++;
	if (r == RK_ENOENT)
		c->gone++;
	else if (r != RK_OK)
		c->r = r;
	else if (other.version != rec->version || other.id != rec->id)
		c->differ++;
	return c->r == RK_OK;
}

static enum rk_err
compared_row(struct kv *kv, const struct counting *copy, uint64_t gone)
{
	static const struct field fields[] = {
		{ .name = "records", .kind = FIELD_NUMBER },
		{ .name = "more", .kind = FIELD_NUMBER },
		{ .name = "others", .kind = FIELD_NUMBER },
		{ .name = "not_in_it", .kind = FIELD_NUMBER },
	};

	return kv_row(kv, fields, 4,
	    (const union cell[]){ { .number = (int64_t)copy->all },
	        { .number = (int64_t)copy->gone },
	        { .number = (int64_t)copy->differ },
	        { .number = (int64_t)gone } });
}

/* What would be another after restoring. */
static enum rk_err
compare(struct kv *kv, struct vault *from)
{
	struct counting there = { .other = from };
	struct counting copy = { .other = kv->vault };
	enum rk_err r;

	if ((r = kv_with_pass(kv, kv->vault, kv->path, "pass", kv_unlock_with,
	         NULL)) != RK_OK ||
	    (r = vault_list(kv->vault, compare_one, &there, &kv->err)) !=
	        RK_OK ||
	    (r = vault_list(from, compare_one, &copy, &kv->err)) != RK_OK)
		return r;
	if (there.r != RK_OK || copy.r != RK_OK) {
		kv->err = there.r != RK_OK ? there.err : copy.err;
		return kv->err.code;
	}
	if (kv->out.form == OUT_JSON)
		return compared_row(kv, &copy, there.gone);
	out_text(&kv->out,
	    "%llu record%s in the copy: %llu more than now, %llu others, and "
	    "%llu of now are not in it\n",
	    (unsigned long long)copy.all, copy.all == 1 ? "" : "s",
	    (unsigned long long)copy.gone, (unsigned long long)copy.differ,
	    (unsigned long long)there.gone);
	return RK_OK;
}

/* Under a name that nothing has yet, of the second in which it is. */
static enum rk_err
keep_present(struct kv *kv, char kept[PATH_LEN])
{
	long long now = (long long)time(NULL);
	enum rk_err r = RK_EEXIST;

	for (int i = 0; i < KEPT_MAX && r == RK_EEXIST; i++) {
		if (snprintf(kept, PATH_LEN, "%s.before-%lld-%d", kv->path, now,
		        i) >= PATH_LEN)
			return kv_fail(
			    kv, RK_ETOOBIG, kv->path, "the path is too long");
		r = back_up(kv, kv->vault, kept);
	}
	return r;
}

/* Ended by force behind its commit it was meant; what failed was not. */
static enum rk_err
put_back(struct kv *kv, struct vault *from)
{
	enum rk_err r;

	seen_mean(from);
	if (kv->vault != NULL) {
		kv_progress(kv, kv->vault, "putting pages back");
		r = vault_restore(kv->vault, from, &kv->err);
		kv_progress(kv, kv->vault, NULL);
	} else {
		r = back_up(kv, from, kv->path);
	}
	if (r != RK_OK)
		seen_unmean(from);
	return r;
}

/* What is there now is kept. */
static enum rk_err
replace(struct kv *kv, struct vault *from)
{
	char kept[PATH_LEN];
	char shown[SHOWN_LEN];
	enum rk_err r;

	if ((r = keep_present(kv, kept)) != RK_OK)
		return r;
	out_note(&kv->out, "kept what was there as %s",
	    str_escape(shown, sizeof(shown), kept));
	return put_back(kv, from);
}

static enum rk_err
note_restore(struct kv *kv, const struct rk_secret *pass, const char *path)
{
	enum rk_err r;

	if (kv->vault == NULL && (r = kv_open(kv)) != RK_OK)
		return r;
	if ((r = vault_unlock(kv->vault, pass, &kv->err)) == RK_OK &&
	    (r = vault_begin(kv->vault, &kv->err)) == RK_OK &&
	    (r = vault_log(kv->vault, VAULT_ACT_RESTORE, "", path, &kv->err)) ==
	        RK_OK)
		r = vault_commit(kv->vault, &kv->err);
	vault_cancel(kv->vault);
	return r;
}

static enum rk_err
restore_from(struct kv *kv, struct vault *from, const char *path, bool dry)
{
	struct rk_secret *pass = NULL;
	char shown[SHOWN_LEN];
	bool there = access(kv->path, F_OK) == 0;
	enum rk_err r;

	str_escape(shown, sizeof(shown), path);
	if ((r = kv_with_pass(
	         kv, from, path, "file-pass", kv_unlock_with, &pass)) != RK_OK)
		goto out;
	if (there && (r = kv_open(kv)) != RK_OK) {
		kv_retry(kv, "move it away, then restore again");
		goto out;
	}
	if (dry && there)
		r = compare(kv, from);
	else if (there)
		r = replace(kv, from);
	else if (!dry && (r = vault_make_folder(kv->path, &kv->err)) == RK_OK)
		r = put_back(kv, from);
	if (r != RK_OK || dry)
		goto out;
	/* It was meant, whatever becomes of the line in the log. */
	seen_keep(from, true);
	r = note_restore(kv, pass, shown);
	kv->restored = r == RK_OK;
	kv->verified = kv->restored;
	if (r == RK_OK)
		out_note(&kv->out, "restored; its passphrase is the copy's");
out:
	rk_secret_free(pass);
	return r;
}

enum rk_err
verb_restore(struct kv *kv)
{
	const char *path = kv_operand(kv, 0);
	bool dry = args_flag(kv->args, "dry-run");
	struct vault *from = NULL;
	enum rk_err r = vault_open_copy(path, &from, &kv->err);

	if (r == RK_OK)
		r = restore_from(kv, from, path, dry);
	vault_close(from);
	if (r == RK_OK && dry)
		out_note(&kv->out, "nothing was restored (--dry-run)");
	return r;
}

/* ---- check ---- */

static void
tell_fault(enum rk_err what, const char *text, void *arg)
{
	struct kv *kv = arg;

	(void)what;
	kv->status = 1;
	kv_progress_hide(kv);
	out_warn(&kv->out, "%s", text);
}

static enum rk_err
checked_row(struct kv *kv, const struct vault_info *info, uint64_t records)
{
	static const struct field fields[] = {
		{ .name = "vault" },
		{ .name = "well", .kind = FIELD_BOOL },
		{ .name = "records", .kind = FIELD_NUMBER },
		{ .name = "generation", .kind = FIELD_NUMBER },
	};

	return kv_row(kv, fields, 4,
	    (const union cell[]){ { .text = kv->path },
	        { .yes = kv->status == 0 }, { .number = (int64_t)records },
	        { .number = (int64_t)info->generation } });
}

static enum rk_err
check_with(struct kv *kv, struct vault *v, const struct rk_secret *pass)
{
	enum rk_err r;

	kv_progress(kv, v, "checking records");
	r = vault_check(v, pass, tell_fault, kv, &kv->err);
	kv_progress(kv, v, NULL);
	return r;
}

enum rk_err
verb_check(struct kv *kv)
{
	struct vault_info info;
	struct seen seen;
	uint64_t records;
	char shown[SHOWN_LEN];
	enum rk_err r;

	if ((r = kv_open(kv)) != RK_OK)
		return r;
	seen_read(kv->vault, &seen);
	/* Unlocking stops at what is wrong; here it is to be told. */
	if ((r = kv_with_pass(
	         kv, kv->vault, kv->path, "pass", check_with, NULL)) != RK_OK ||
	    (r = vault_inspect(kv->vault, &info, &kv->err)) != RK_OK ||
	    (r = vault_count(kv->vault, &records, &kv->err)) != RK_OK)
		return r;
	kv->verified = kv->status == 0;
	(void)seen_look(kv, &seen);
	if (kv->out.form == OUT_JSON)
		return checked_row(kv, &info, records);
	out_text(&kv->out, "%s  %s  %llu record%s, generation %llu\n",
	    kv->status == 0 ? "ok" : "bad",
	    str_escape(shown, sizeof(shown), kv->path),
	    (unsigned long long)records, records == 1 ? "" : "s",
	    (unsigned long long)info.generation);
	return RK_OK;
}

/* ---- log ---- */

struct log_list {
	struct table *t;
	int64_t from;
	enum rk_err r;
};

static bool
log_one(const struct vault_line *line, void *arg)
{
	struct log_list *l = arg;

	if (line->time < l->from)
		return true;
	l->r = table_row(l->t,
	    (const union cell[]){ { .number = line->id },
	        { .number = line->time }, { .text = vault_act_name(line->act) },
	        { .text = line->text } });
	return l->r == RK_OK;
}

enum rk_err
verb_log(struct kv *kv)
{
	static const struct field fields[] = {
		{ .name = "line", .title = "LINE", .kind = FIELD_NUMBER },
		{ .name = "time", .title = "TIME", .kind = FIELD_TIME },
		{ .name = "act", .title = "ACT" },
		{ .name = "text", .title = "WHAT" },
	};
	uint64_t since = args_number(kv->args, "since", 0);
	struct log_list l = { 0 };
	enum rk_err r;

	if (since > 0)
		l.from = (int64_t)time(NULL) - (int64_t)(since / 1000);
	if ((r = kv_open_names(kv)) != RK_OK)
		return r;
	kv_settle_log(kv);
	if ((r = table_new(&kv->out, fields, 4, &l.t)) != RK_OK)
		return kv_fail(kv, r, kv->path, rk_err_text(r));
	r = vault_log_read(kv->vault, log_one, &l, &kv->err);
	table_end(l.t);
	if (r == RK_OK && l.r != RK_OK)
		r = kv_fail(kv, l.r, kv->path, rk_err_text(l.r));
	return r;
}
