/* ls and show: what is in the vault, without its secrets. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "agent_proto.h"
#include "base/error.h"
#include "base/ssh.h"
#include "base/str.h"
#include "keyvault.h"

struct listing {
	const struct kv *kv;
	struct table *t;
	int64_t now;
	bool all;
	bool agent; /* there is one */
	struct agent_key *open;
	size_t n_open;
	size_t open_cap;
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
	{ .name = "state", .title = "STATE" },            /* in the agent */
	{ .name = "seconds_left", .kind = FIELD_NUMBER }, /* -1: no end */
	{ .name = "uses", .kind = FIELD_NUMBER },
	{ .name = "confirm", .kind = FIELD_BOOL },
	{ .name = "last_by", .kind = FIELD_SHOWN },
	{ .name = "uses_left", .kind = FIELD_NUMBER }, /* -1: no end */
	{ .name = "only_for", .kind = FIELD_SHOWN },
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Without -l people see less; programs always all of it. */
static const struct field few[] = {
	{ .name = "name", .title = "NAME" },
	{ .name = "type", .title = "TYPE" },
	{ .name = "fingerprint", .title = "FINGERPRINT" },
	{ .name = "note", .title = "NOTE" },
	{ .name = "state", .title = "STATE" }, /* where there is an agent */
};

/* ---- what is open ---- */

static void
add_open(const struct agent_key *key, void *arg)
{
	struct listing *l = arg;
	size_t cap = l->open_cap == 0 ? 16 : 2 * l->open_cap;
	struct agent_key *grown;

	if (l->n_open == l->open_cap) {
		grown = reallocarray(l->open, cap, sizeof(*grown));
		if (grown == NULL) {
			l->r = RK_ENOMEM;
			return;
		}
		l->open = grown;
		l->open_cap = cap;
	}
	l->open[l->n_open++] = *key;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct agent_key *)a)->name,
	    ((const struct agent_key *)b)->name);
}

/* The agent's keys, if there is one. */
static enum rk_err
ask_agent(struct kv *kv, struct listing *l)
{
	enum rk_err r;

	kv_try_agent(kv);
	l->agent = kv->agent != NULL;
	if (!l->agent)
		return RK_OK;
	if ((r = kv_agent_keys(kv, add_open, l)) != RK_OK)
		return r;
	if (l->n_open > 0)
		qsort(l->open, l->n_open, sizeof(*l->open), by_name);
	return l->r == RK_OK ? RK_OK
	                     : kv_fail(kv, l->r, "agent", rk_err_text(l->r));
}

static int
is_named(const void *name, const void *key)
{
	return strcmp(name, ((const struct agent_key *)key)->name);
}

static const struct agent_key *
find_open(const struct listing *l, const char *name)
{
	return l->n_open == 0 ? NULL
	                      : bsearch(name, l->open, l->n_open,
	                            sizeof(*l->open), is_named);
}

/* ---- lists ---- */

static bool
list_one(const struct record *rec, void *arg)
{
	struct listing *l = arg;
	const struct agent_key *k = find_open(l, rec->name);
	char id[SHOWN_ID_LEN];
	char state[KV_STATE_LEN];

	kv_describe(k, state);
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
		        { .text = k != NULL ? "open" : "closed" },
		        { .number = k != NULL ? kv_seconds(k->left_ms) : 0 },
		        { .number = k != NULL ? (int64_t)k->used : 0 },
		        { .yes = k != NULL && k->confirm },
		        { .text = k != NULL ? k->last : NULL },
		        { .number = k != NULL ? kv_uses(k->uses_left) : 0 },
		        { .text = k != NULL ? k->only : NULL },
		    });
	else
		l->r =
		    table_row(l->t, (const union cell[]){
		                        { .text = rec->name },
		                        { .text = record_kind_name(rec->kind) },
		                        { .text = id },
		                        { .text = rec->note },
		                        { .text = state },
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

	if ((r = kv_look(kv)) != RK_OK || (r = ask_agent(kv, &l)) != RK_OK)
		goto out;
	r = l.all ? table_new(&kv->out, fields, FIELDS, &l.t)
	          : table_new(&kv->out, few, l.agent ? 5 : 4, &l.t);
	if (r != RK_OK) {
		r = kv_fail(kv, r, kv->path, rk_err_text(r));
		goto out;
	}
	r = kv_list(kv, list_one, &l);
	table_end(l.t);
	if (r == RK_OK && l.r != RK_OK)
		r = kv_fail(kv, l.r, kv->path, rk_err_text(l.r));
out:
	free(l.open);
	return r;
}

static enum rk_err
show_row(struct kv *kv, struct listing *l, const struct record *rec)
{
	enum rk_err r;

	if ((r = table_new(&kv->out, fields, FIELDS, &l->t)) == RK_OK) {
		(void)list_one(rec, l);
		r = l->r;
		table_end(l->t);
	}
	return r == RK_OK ? r : kv_fail(kv, r, rec->name, rk_err_text(r));
}

static void
show_text(struct kv *kv, const struct listing *l, const struct record *rec)
{
	bool over = rec->expires != 0 && rec->expires <= l->now;
	const struct agent_key *k = find_open(l, rec->name);
	char id[SHOWN_ID_LEN];
	char state[KV_STATE_LEN];

	form_id(kv, rec, id);
	kv_line(kv, "name", rec->name);
	kv_line(kv, "type", record_kind_name(rec->kind));
	kv_line(kv, "fingerprint", id);
	if (rec->kind == RECORD_ED25519 && ssh_fp(rec->pub, id) == RK_OK)
		kv_line(kv, "in ssh", id);
	kv_line_time(kv, "created", rec->created);
	kv_line_time(kv, "changed", rec->changed);
	kv_line_time(kv, over ? "expired" : "expires", rec->expires);
	kv_line(kv, "tags", rec->tags);
	kv_line(kv, "note", rec->note);
	kv_describe(k, state);
	kv_line(kv, "agent", l->agent ? state : "");
	kv_line(kv, "last use by", k != NULL ? k->last : "");
}

enum rk_err
verb_show(struct kv *kv)
{
	struct listing l = {
		.kv = kv, .now = (int64_t)time(NULL), .all = true
	};
	struct record rec;
	enum rk_err r;

	if ((r = kv_look(kv)) == RK_OK &&
	    (r = kv_find(kv, kv_operand(kv, 0), &rec)) == RK_OK &&
	    (r = ask_agent(kv, &l)) == RK_OK) {
		if (kv->out.form != OUT_TEXT)
			r = show_row(kv, &l, &rec);
		else
			show_text(kv, &l, &rec);
	}
	free(l.open);
	return r;
}
