/* status: the vault itself, and the keys that are open in the agent. */
#include <stdio.h>

#include "agent_proto.h"
#include "base/error.h"
#include "base/str.h"
#include "keyvault.h"

#define NO_ANSWER "gives no answer"
#define KEYS_JSON_MAX (8u << 20) /* of AGENT_KEYS_MAX keys, and more */

void
kv_line(struct kv *kv, const char *what, const char *value)
{
	if (value[0] != '\0')
		out_text(&kv->out, "%-12s %s\n", what, value);
}

void
kv_line_time(struct kv *kv, const char *what, int64_t when)
{
	char text[32];

	str_time(text, when);
	kv_line(kv, what, when != 0 ? text : "");
}

/* ---- a key that is open ---- */

/* " 41 min", " 30 s", or "" for what has no end. */
static const char *
time_left(uint64_t ms, char out[32])
{
	out[0] = '\0';
	if (ms >= 120000 && ms != AGENT_FOREVER)
		(void)snprintf(
		    out, 32, " %llu min", (unsigned long long)(ms / 60000));
	else if (ms != AGENT_FOREVER)
		(void)snprintf(
		    out, 32, " %llu s", (unsigned long long)(ms / 1000));
	return out;
}

void
kv_describe(const struct agent_key *k, char out[KV_STATE_LEN])
{
	char left[32];
	char uses[48] = "";
	char asks[64] = "";

	if (k == NULL) {
		(void)str_copy(out, KV_STATE_LEN, "closed");
		return;
	}
	if (k->uses_left != AGENT_FOREVER)
		(void)snprintf(uses, sizeof(uses), ", %llu use%s left",
		    (unsigned long long)k->uses_left,
		    k->uses_left == 1 ? "" : "s");
	if (k->confirm && k->yes_ms == 0)
		(void)str_copy(asks, sizeof(asks), ", asks first");
	else if (k->confirm)
		(void)snprintf(asks, sizeof(asks), ", asks first again in%s",
		    time_left(k->yes_ms, left));
	(void)snprintf(out, KV_STATE_LEN, "open%s%s%s%s%s",
	    time_left(k->left_ms, left), uses, asks,
	    k->only[0] != '\0' ? ", only for " : "", k->only);
}

int64_t
kv_seconds(uint64_t ms)
{
	return ms == AGENT_FOREVER ? -1 : (int64_t)(ms / 1000);
}

int64_t
kv_uses(uint64_t n)
{
	return n == AGENT_FOREVER ? -1 : (int64_t)n;
}

/* ---- for programs ---- */

struct keys_json {
	struct buf b;
	enum rk_err r;
};

static enum rk_err
put_string(struct buf *b, const char *head, const char *s)
{
	enum rk_err r = buf_put_str(b, head);

	if (r != RK_OK)
		return r;
	return s[0] != '\0' ? out_json_string(b, s, strlen(s))
	                    : buf_put_str(b, "null");
}

static void
add_key(const struct agent_key *k, void *arg)
{
	struct keys_json *j = arg;
	struct buf *b = &j->b;

	if (j->r == RK_OK)
		j->r = put_string(
		    b, buf_len(b) == 1 ? "{\"name\":" : ",{\"name\":", k->name);
	if (j->r == RK_OK)
		j->r = buf_printf(b,
		    ",\"seconds_left\":%lld,\"uses\":%llu,\"uses_left\":%lld,"
		    "\"confirm\":%s,\"yes_seconds\":%lld",
		    (long long)kv_seconds(k->left_ms),
		    (unsigned long long)k->used,
		    (long long)kv_uses(k->uses_left),
		    k->confirm ? "true" : "false",
		    (long long)kv_seconds(k->yes_ms));
	if (j->r == RK_OK)
		j->r = put_string(b, ",\"last_by\":", k->last);
	if (j->r == RK_OK)
		j->r = put_string(b, ",\"only_for\":", k->only);
	if (j->r == RK_OK)
		j->r = buf_put_str(b, "}");
}

/* With its NUL. */
static enum rk_err
keys_as_json(struct kv *kv, const struct agent_status *agent, struct buf *b)
{
	struct keys_json j = { 0 };
	enum rk_err r = RK_OK;

	buf_init(&j.b, KEYS_JSON_MAX);
	j.r = buf_put_str(&j.b, "[");
	if (agent->open > 0 && kv->out.form == OUT_JSON)
		r = kv_agent_keys(kv, add_key, &j);
	if (j.r == RK_OK)
		j.r = buf_put(&j.b, "]", 2);
	*b = j.b;
	if (r == RK_OK && j.r != RK_OK)
		r = kv_fail(kv, j.r, "agent", rk_err_text(j.r));
	return r;
}

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
	{ .name = "asks", .kind = FIELD_SHOWN },
	{ .name = "fault", .kind = FIELD_SHOWN },
	{ .name = "keys", .kind = FIELD_JSON },
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* Lines of words have no place for lists. */
static enum rk_err
status_row(struct kv *kv, const struct vault_info *info, const char *id,
    uint64_t records, const struct agent_status *agent)
{
	size_t n = COLUMNS - (kv->out.form != OUT_JSON);
	struct buf keys;
	enum rk_err r;

	if ((r = keys_as_json(kv, agent, &keys)) == RK_OK)
		r = kv_row(kv, columns, n,
		    (const union cell[COLUMNS]){
		        { .text = kv->path },
		        { .text = id },
		        { .number = info->created },
		        { .number = (int64_t)records },
		        { .yes = info->hidden },
		        { .number = (int64_t)info->generation },
		        { .number = (int64_t)info->key_number },
		        { .number = info->kdf.passes },
		        { .number = info->kdf.kib },
		        { .number = info->kdf.lanes },
		        { .number = agent->pid },
		        { .number = agent->open },
		        { .yes = agent->swappable },
		        { .text = agent->asks[0] != '\0' ? agent->asks : NULL },
		        { .text =
		                agent->fault[0] != '\0' ? agent->fault : NULL },
		        { .text = (const char *)buf_peek(&keys) },
		    });
	buf_fini(&keys);
	return r;
}

/* ---- for people ---- */

static void
status_key(const struct agent_key *k, void *arg)
{
	struct kv *kv = arg;
	char shown[SHOWN_LEN];
	char state[KV_STATE_LEN];

	kv_describe(k, state);
	out_text(&kv->out, "%-12s %s: %s, used %llu time%s%s%s\n", "",
	    str_escape(shown, sizeof(shown), k->name), state,
	    (unsigned long long)k->used, k->used == 1 ? "" : "s",
	    k->last[0] != '\0' ? ", last by " : "", k->last);
}

static void
status_vault(struct kv *kv, const struct vault_info *info, const char *id,
    uint64_t records)
{
	char text[SHOWN_LEN];

	kv_line(kv, "vault", str_escape(text, sizeof(text), kv->path));
	kv_line(kv, "id", id);
	kv_line_time(kv, "created", info->created);
	(void)snprintf(text, sizeof(text), "%llu%s",
	    (unsigned long long)records, info->hidden ? ", names hidden" : "");
	kv_line(kv, "records", text);
	(void)snprintf(text, sizeof(text), "%llu, under key %llu",
	    (unsigned long long)info->generation,
	    (unsigned long long)info->key_number);
	kv_line(kv, "generation", text);
	(void)snprintf(text, sizeof(text), "Argon2id, %u passes, %u KiB%s",
	    info->kdf.passes, info->kdf.kib,
	    kdf_is_weak(&info->kdf) ? ": weak, see keyvault passwd" : "");
	kv_line(kv, "passphrase", text);
}

/* And of each key that is open: for how long, what for, who asked last. */
static enum rk_err
status_agent(struct kv *kv, const struct agent_status *agent)
{
	if (kv->mute)
		kv_line(kv, "agent", NO_ANSWER);
	else if (agent->pid == 0)
		kv_line(kv, "agent", "none");
	else
		out_text(&kv->out, "%-12s pid %u, %u key%s open\n", "agent",
		    agent->pid, agent->open, agent->open == 1 ? "" : "s");
	if (agent->swappable)
		kv_line(kv, "memory",
		    "keys of the agent may be swapped out: its limit of "
		    "locked memory (ulimit -l) was too small");
	return agent->open == 0 ? RK_OK : kv_agent_keys(kv, status_key, kv);
}

enum rk_err
verb_status(struct kv *kv)
{
	char id[2 * VAULT_ID_LEN + 1];
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
	if (kv->mute) {
		(void)str_copy(agent.fault, sizeof(agent.fault), NO_ANSWER);
		kv->status = rk_err_exit(RK_ETIMEOUT);
	}
	str_hex(id, info.id, VAULT_ID_LEN);
	if (kv->out.form != OUT_TEXT)
		return status_row(kv, &info, id, records, &agent);
	status_vault(kv, &info, id, records);
	return status_agent(kv, &agent);
}
