/* ls, show and status: what is in the vault, without its secrets. */
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

#define STATE_LEN (128 + AGENT_ONLY_MAX)

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

/* "open 41 min, asks first" */
static void
describe(const struct agent_key *k, char out[STATE_LEN])
{
	char left[32] = "";
	char uses[48] = "";

	if (k == NULL) {
		(void)str_copy(out, STATE_LEN, "closed");
		return;
	}
	if (k->left_ms >= 120000 && k->left_ms != AGENT_FOREVER)
		(void)snprintf(left, sizeof(left), " %llu min",
		    (unsigned long long)(k->left_ms / 60000));
	else if (k->left_ms != AGENT_FOREVER)
		(void)snprintf(left, sizeof(left), " %llu s",
		    (unsigned long long)(k->left_ms / 1000));
	if (k->uses_left != AGENT_FOREVER)
		(void)snprintf(uses, sizeof(uses), ", %llu use%s left",
		    (unsigned long long)k->uses_left,
		    k->uses_left == 1 ? "" : "s");
	(void)snprintf(out, STATE_LEN, "open%s%s%s%s%s", left, uses,
	    k->confirm && k->yes_ms == 0 ? ", asks first" : "",
	    k->only[0] != '\0' ? ", only for " : "", k->only);
}

/* -1: no end. */
static int64_t
seconds_left(const struct agent_key *k)
{
	if (k == NULL)
		return 0;
	return k->left_ms == AGENT_FOREVER ? -1 : (int64_t)(k->left_ms / 1000);
}

static int64_t
uses_left(const struct agent_key *k)
{
	if (k == NULL)
		return 0;
	return k->uses_left == AGENT_FOREVER ? -1 : (int64_t)k->uses_left;
}

/* ---- lists ---- */

static bool
list_one(const struct record *rec, void *arg)
{
	struct listing *l = arg;
	const struct agent_key *k = find_open(l, rec->name);
	char id[SHOWN_ID_LEN];
	char state[STATE_LEN];

	describe(k, state);
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
		        { .number = seconds_left(k) },
		        { .number = k != NULL ? (int64_t)k->used : 0 },
		        { .yes = k != NULL && k->confirm },
		        { .text = k != NULL ? k->last : NULL },
		        { .number = uses_left(k) },
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
	char state[STATE_LEN];

	form_id(kv, rec, id);
	show_line(kv, "name", rec->name);
	show_line(kv, "type", record_kind_name(rec->kind));
	show_line(kv, "fingerprint", id);
	if (rec->kind == RECORD_ED25519 && ssh_fp(rec->pub, id) == RK_OK)
		show_line(kv, "in ssh", id);
	show_time(kv, "created", rec->created);
	show_time(kv, "changed", rec->changed);
	show_time(kv, over ? "expired" : "expires", rec->expires);
	show_line(kv, "tags", rec->tags);
	show_line(kv, "note", rec->note);
	describe(k, state);
	show_line(kv, "agent", l->agent ? state : "");
	show_line(kv, "last use by", k != NULL ? k->last : "");
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

/* ---- status ---- */

static enum rk_err
status_row(struct kv *kv, const struct vault_info *info, const char *id,
    uint64_t records, const struct agent_status *agent)
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
		{ .name = "agent_pid", .kind = FIELD_NUMBER }, /* 0: none */
		{ .name = "open_keys", .kind = FIELD_NUMBER },
		{ .name = "swappable", .kind = FIELD_BOOL },
	};
	struct table *t;
	enum rk_err r;

	if ((r = table_new(&kv->out, columns, 13, &t)) != RK_OK)
		return kv_fail(kv, r, kv->path, rk_err_text(r));
	r = table_row(
	    t, (const union cell[]){ { .text = kv->path }, { .text = id },
	           { .number = info->created }, { .number = (int64_t)records },
	           { .yes = info->hidden },
	           { .number = (int64_t)info->generation },
	           { .number = (int64_t)info->key_number },
	           { .number = info->kdf.passes }, { .number = info->kdf.kib },
	           { .number = info->kdf.lanes }, { .number = agent->pid },
	           { .number = agent->open }, { .yes = agent->swappable } });
	table_end(t);
	return r == RK_OK ? r : kv_fail(kv, r, kv->path, rk_err_text(r));
}

static void
status_key(const struct agent_key *k, void *arg)
{
	struct kv *kv = arg;
	char shown[SHOWN_LEN];
	char state[STATE_LEN];

	describe(k, state);
	out_text(&kv->out, "%-12s %s: %s, used %llu time%s%s%s\n", "",
	    str_escape(shown, sizeof(shown), k->name), state,
	    (unsigned long long)k->used, k->used == 1 ? "" : "s",
	    k->last[0] != '\0' ? ", last by " : "", k->last);
}

/* Of each that is open: for how long, what for, who asked last. */
static enum rk_err
status_keys(struct kv *kv)
{
	return kv_agent_keys(kv, status_key, kv);
}

enum rk_err
verb_status(struct kv *kv)
{
	char id[2 * VAULT_ID_LEN + 1];
	char text[SHOWN_LEN];
	struct agent_status agent = { 0 };
	struct vault_info info;
	uint64_t records;
	enum rk_err r;

	if ((r = kv_open(kv)) != RK_OK ||
	    (r = vault_inspect(kv->vault, &info, &kv->err)) != RK_OK ||
	    (r = vault_count(kv->vault, &records, &kv->err)) != RK_OK)
		return r;
	kv_try_agent(kv);
	if (kv->agent != NULL && (r = kv_agent_status(kv, &agent)) != RK_OK)
		return r;
	str_hex(id, info.id, VAULT_ID_LEN);
	if (kv->out.form != OUT_TEXT)
		return status_row(kv, &info, id, records, &agent);
	show_line(kv, "vault", str_escape(text, sizeof(text), kv->path));
	show_line(kv, "id", id);
	show_time(kv, "created", info.created);
	(void)snprintf(text, sizeof(text), "%llu%s",
	    (unsigned long long)records, info.hidden ? ", names hidden" : "");
	show_line(kv, "records", text);
	(void)snprintf(text, sizeof(text), "%llu, under key %llu",
	    (unsigned long long)info.generation,
	    (unsigned long long)info.key_number);
	show_line(kv, "generation", text);
	(void)snprintf(text, sizeof(text), "Argon2id, %u passes, %u KiB%s",
	    info.kdf.passes, info.kdf.kib,
	    kdf_is_weak(&info.kdf) ? ": weak, see keyvault passwd" : "");
	show_line(kv, "passphrase", text);
	if (agent.pid == 0)
		show_line(kv, "agent", "none");
	else
		out_text(&kv->out, "%-12s pid %u, %u key%s open\n", "agent",
		    agent.pid, agent.open, agent.open == 1 ? "" : "s");
	if (agent.swappable)
		show_line(kv, "memory",
		    "keys of the agent may be swapped out: its limit of "
		    "locked memory (ulimit -l) was too small");
	return agent.open == 0 ? RK_OK : status_keys(kv);
}
