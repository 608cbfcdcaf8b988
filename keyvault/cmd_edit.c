/* rename, rm, note and tag: records changed, not their secrets. */
#include <string.h>

#include "agent.h"
#include "agent_proto.h"
#include "base/error.h"
#include "base/str.h"
#include "keyvault.h"

/* Unlock, find, begin. */
static enum rk_err
start(struct kv *kv, struct record *rec)
{
	enum rk_err r;

	if ((r = kv_unlock(kv)) != RK_OK ||
	    (r = vault_begin(kv->vault, &kv->err)) != RK_OK)
		return r;
	return vault_find(kv->vault, kv_operand(kv, 0), rec, &kv->err);
}

static enum rk_err
finish(struct kv *kv, struct record *rec, enum vault_act act, enum rk_err r)
{
	if (r == RK_OK && (r = vault_change(kv->vault, kv_operand(kv, 0), rec,
	                       act, &kv->err)) == RK_OK)
		r = vault_commit(kv->vault, &kv->err);
	vault_cancel(kv->vault);
	return r;
}

enum rk_err
verb_rename(struct kv *kv)
{
	const char *to = kv_operand(kv, 1);
	struct record rec;
	enum rk_err r = start(kv, &rec);

	if (r == RK_OK &&
	    str_copy(rec.name, sizeof(rec.name), to) >= sizeof(rec.name))
		r = kv_fail(
		    kv, RK_EINVAL, to, "the name is longer than 128 bytes");
	return finish(kv, &rec, VAULT_ACT_RENAME, r);
}

enum rk_err
verb_note(struct kv *kv)
{
	const char *note = kv_operand(kv, 1);
	struct record rec;
	enum rk_err r = start(kv, &rec);

	if (r == RK_OK &&
	    str_copy(rec.note, sizeof(rec.note), note) >= sizeof(rec.note))
		r = kv_fail(kv, RK_EINVAL, "the note", record_note_fault(note));
	return finish(kv, &rec, VAULT_ACT_NOTE, r);
}

struct opened {
	const char *name;
	bool yes;
};

static void
look_for(const struct agent_key *key, void *arg)
{
	struct opened *o = arg;

	o->yes = o->yes || strcmp(key->name, o->name) == 0;
}

/* What is taken from an open key is gone at once; what it gets is not there
 * before it is opened with that. */
static void
tell_if_open(struct kv *kv, const struct record *rec, unsigned before)
{
	struct opened o = { .name = rec->name };
	char shown[SHOWN_LEN];
	struct rk_error err = kv->err;

	if ((agent_uses(rec) & ~before) == 0)
		return;
	kv_seek_agent(kv);
	if (kv->agent != NULL && kv_agent_keys(kv, look_for, &o) == RK_OK &&
	    o.yes)
		out_note(&kv->out,
		    "%s: is open, and takes its new uses when it is unlocked "
		    "again",
		    str_escape(shown, sizeof(shown), rec->name));
	kv->err = err;
}

enum rk_err
verb_tag(struct kv *kv)
{
	size_t n;
	const char *const *words = args_operands(kv->args, &n);
	struct record rec;
	struct buf b;
	enum rk_err r = start(kv, &rec);
	unsigned before = r == RK_OK ? agent_uses(&rec) : 0;

	buf_init(&b, RECORD_TAGS_MAX);
	for (size_t i = 1; i < n && r == RK_OK; i++) {
		if (strchr(words[i], ',') != NULL || words[i][0] == '\0')
			r = kv_fail(kv, RK_EINVAL, words[i],
			    "a tag is a word without commas");
		else if ((r = buf_printf(
		              &b, "%s%s", i > 1 ? "," : "", words[i])) != RK_OK)
			r = kv_fail(kv, r, "the tags", rk_err_text(r));
	}
	if (r == RK_OK) {
		memcpy(rec.tags,
		    buf_len(&b) > 0 ? buf_peek(&b) : (const uint8_t *)"",
		    buf_len(&b));
		rec.tags[buf_len(&b)] = '\0';
	}
	r = finish(kv, &rec, VAULT_ACT_TAG, r);
	buf_fini(&b);
	if (r == RK_OK)
		tell_if_open(kv, &rec, before);
	return r;
}

enum rk_err
verb_rm(struct kv *kv)
{
	const char *name = kv_operand(kv, 0);
	enum rk_err r;

	if ((r = kv_unlock(kv)) == RK_OK &&
	    (r = vault_begin(kv->vault, &kv->err)) == RK_OK &&
	    (r = vault_remove(kv->vault, name, &kv->err)) == RK_OK)
		r = vault_commit(kv->vault, &kv->err);
	vault_cancel(kv->vault);
	return r;
}
