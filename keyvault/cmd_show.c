/* ls, show and status: what is in the vault, without its secrets. */
#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "base/str.h"
#include "keyvault.h"

struct listing {
	const struct kv *kv;
	struct table *t;
	int64_t now;
	bool all;
	enum rk_err r;
};

static const struct field fields[] = {
	{ .name = "name", .title = "NAME" },
	{ .name = "type", .title = "TYPE" },
	{ .name = "fingerprint", .title = "FINGERPRINT" },
	{ .name = "expired", .kind = FIELD_BOOL },
	{ .name = "created", .title = "CREATED", .kind = FIELD_TIME },
	{ .name = "changed", .title = "CHANGED", .kind = FIELD_TIME },
	{ .name = "expires", .title = "EXPIRES", .kind = FIELD_TIME },
	{ .name = "tags", .title = "TAGS" },
	{ .name = "note", .title = "NOTE" },
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Without -l people see less; programs always all of it. */
static const struct field few[] = {
	{ .name = "name", .title = "NAME" },
	{ .name = "type", .title = "TYPE" },
	{ .name = "fingerprint", .title = "FINGERPRINT" },
	{ .name = "note", .title = "NOTE" },
};

static bool
list_one(const struct record *rec, void *arg)
{
	struct listing *l = arg;
	char id[SHOWN_ID_LEN];

	form_id(l->kv, rec, id);
	if (l->all)
		l->r = table_row(l->t,
		    (const union cell[FIELDS]){
		        { .text = rec->name },
		        { .text = record_kind_name(rec->kind) },
		        { .text = id },
		        { .yes = rec->expires != 0 && rec->expires <= l->now },
		        { .number = rec->created },
		        { .number = rec->changed },
		        { .number = rec->expires },
		        { .text = rec->tags },
		        { .text = rec->note },
		    });
	else
		l->r =
		    table_row(l->t, (const union cell[]){
		                        { .text = rec->name },
		                        { .text = record_kind_name(rec->kind) },
		                        { .text = id },
		                        { .text = rec->note },
		                    });
	return l->r == RK_OK;
}

enum rk_err
verb_ls(struct kv *kv)
{
	struct listing l = {
		.kv = kv,
		.now = (int64_t)time(NULL),
		.all = args_flag(kv->args, "long") || kv->out.form != OUT_TEXT,
	};
	enum rk_err r;

	if ((r = kv_open_names(kv)) != RK_OK)
		return r;
	r = l.all ? table_new(&kv->out, fields, FIELDS, &l.t)
	          : table_new(&kv->out, few, 4, &l.t);
	if (r != RK_OK)
		return kv_fail(kv, r, kv->path, rk_err_text(r));
	r = vault_list(kv->vault, list_one, &l, &kv->err);
	table_end(l.t);
	if (r == RK_OK && l.r != RK_OK)
		r = kv_fail(kv, l.r, kv->path, rk_err_text(l.r));
	return r;
}

static void
show_line(struct kv *kv, const char *what, const char *value)
{
	if (value[0] != '\0')
		out_text(&kv->out, "%-12s %s\n", what, value);
}

static void
show_time(struct kv *kv, const char *what, int64_t when)
{
	char text[32];

	str_time(text, when);
	show_line(kv, what, when != 0 ? text : "");
}

enum rk_err
verb_show(struct kv *kv)
{
	struct listing l = {
		.kv = kv, .now = (int64_t)time(NULL), .all = true
	};
	char id[SHOWN_ID_LEN];
	struct record rec;
	enum rk_err r;

	if ((r = kv_open_names(kv)) != RK_OK ||
	    (r = vault_find(kv->vault, kv_operand(kv, 0), &rec, &kv->err)) !=
	        RK_OK)
		return r;
	if (kv->out.form != OUT_TEXT) {
		if ((r = table_new(&kv->out, fields, FIELDS, &l.t)) == RK_OK) {
			(void)list_one(&rec, &l);
			r = l.r;
			table_end(l.t);
		}
		return r == RK_OK ? r
		                  : kv_fail(kv, r, rec.name, rk_err_text(r));
	}
	form_id(kv, &rec, id);
	show_line(kv, "name", rec.name);
	show_line(kv, "type", record_kind_name(rec.kind));
	show_line(kv, "fingerprint", id);
	show_time(kv, "created", rec.created);
	show_time(kv, "changed", rec.changed);
	show_time(kv,
	    rec.expires != 0 && rec.expires <= l.now ? "expired" : "expires",
	    rec.expires);
	show_line(kv, "tags", rec.tags);
	show_line(kv, "note", rec.note);
	return RK_OK;
}

/* ---- status ---- */

static enum rk_err
status_row(struct kv *kv, const struct vault_info *info, const char *id)
{
	static const struct field columns[] = {
		{ .name = "vault" },
		{ .name = "id" },
		{ .name = "created", .kind = FIELD_TIME },
		{ .name = "records", .kind = FIELD_NUMBER },
		{ .name = "hidden", .kind = FIELD_BOOL },
		{ .name = "generation", .kind = FIELD_NUMBER },
		{ .name = "key_number", .kind = FIELD_NUMBER },
		{ .name = "passes", .kind = FIELD_NUMBER },
		{ .name = "kib", .kind = FIELD_NUMBER },
		{ .name = "lanes", .kind = FIELD_NUMBER },
	};
	struct table *t;
	enum rk_err r;

	if ((r = table_new(&kv->out, columns, 10, &t)) != RK_OK)
		return kv_fail(kv, r, kv->path, rk_err_text(r));
	r = table_row(t,
	    (const union cell[]){ { .text = kv->path }, { .text = id },
	        { .number = info->created },
	        { .number = (int64_t)info->records }, { .yes = info->hidden },
	        { .number = (int64_t)info->generation },
	        { .number = (int64_t)info->key_number },
	        { .number = info->kdf.passes }, { .number = info->kdf.kib },
	        { .number = info->kdf.lanes } });
	table_end(t);
	return r == RK_OK ? r : kv_fail(kv, r, kv->path, rk_err_text(r));
}

enum rk_err
verb_status(struct kv *kv)
{
	char id[2 * VAULT_ID_LEN + 1];
	char text[SHOWN_LEN];
	struct vault_info info;
	enum rk_err r;

	if ((r = kv_open(kv)) != RK_OK ||
	    (r = vault_inspect(kv->vault, &info, &kv->err)) != RK_OK)
		return r;
	str_hex(id, info.id, VAULT_ID_LEN);
	if (kv->out.form != OUT_TEXT)
		return status_row(kv, &info, id);
	show_line(kv, "vault", str_escape(text, sizeof(text), kv->path));
	show_line(kv, "id", id);
	show_time(kv, "created", info.created);
	(void)snprintf(text, sizeof(text), "%llu%s",
	    (unsigned long long)info.records,
	    info.hidden ? ", names hidden" : "");
	show_line(kv, "records", text);
	(void)snprintf(text, sizeof(text), "%llu, under key %llu",
	    (unsigned long long)info.generation,
	    (unsigned long long)info.key_number);
	show_line(kv, "generation", text);
	(void)snprintf(text, sizeof(text), "Argon2id, %u passes, %u KiB%s",
	    info.kdf.passes, info.kdf.kib,
	    kdf_is_weak(&info.kdf) ? ": weak, see keyvault passwd" : "");
	show_line(kv, "passphrase", text);
	return RK_OK;
}
