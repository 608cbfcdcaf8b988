/* rename, rm, note and tag: records changed, not their secrets. */
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

enum rk_err
verb_tag(struct kv *kv)
{
	size_t n;
	const char *const *words = args_operands(kv->args, &n);
	struct record rec;
	struct buf b;
	enum rk_err r = start(kv, &rec);

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
