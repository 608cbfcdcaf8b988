/* rpcd ctl trust: keys that wait, what is known, and deciding. */
#include "cli/ctl.h"

#include "base/error.h"
#include "base/str.h"

#include <rpckit/key.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WHO_LEN 160 /* a fingerprint as a person gives it */

static const struct rk_bytes nothing;

/* What follows the verb; a pasted group form is several words. */
struct wish {
	struct ctl *ctl;
	const char *verb;
	const char *const *words;
	size_t n;
};

static int
join_fp(const struct wish *w, char dst[WHO_LEN])
{
	size_t len = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < w->n && len < WHO_LEN; i++)
		len += str_copy(dst + len, WHO_LEN - len, w->words[i]);
	if (len > 0 && len < WHO_LEN)
		return 0;
	return out_fail(&w->ctl->out, RK_EINVAL,
	    len == 0 ? "trust: whose key?" : "trust: no fingerprint",
	    "rpcd ctl help trust");
}

/* ---- lists ---- */

static const struct field fields[] = {
	{ "state", "STATE", FIELD_TEXT },
	{ "email", "EMAIL", FIELD_SHOWN },
	{ "fingerprint", "KEY", FIELD_TEXT },
	{ "tries", "TRIES", FIELD_NUMBER },
	{ "last_seen", "LAST SEEN", FIELD_TEXT },
	{ "address", "ADDRESS", FIELD_SHOWN },
	{ "first_seen", NULL, FIELD_TEXT },
	{ "ca", NULL, FIELD_SHOWN },
	{ "waiting", NULL, FIELD_NUMBER },
	{ "version", "VERSION", FIELD_NUMBER },
};
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

/* Only the items for which `keep` says so, in place. */
static void
sift(struct rk_value *list, bool (*keep)(const struct rk_value *v))
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < list->u.list.count; i++) {
		if (keep(&list->u.list.items[i]))
			list->u.list.items[n++] = list->u.list.items[i];
	}
	list->u.list.count = n;
}

static bool
is_rejected(const struct rk_value *v)
{
	char state[16];

	(void)ctl_text(v, "state", state, sizeof(state));
	return strcmp(state, "rejected") == 0 || strcmp(state, "revoked") == 0;
}

/* The `keys` of an answer, writable: the document is ours. */
static struct rk_value *
keys_of(struct rk_value_doc *doc)
{
	const struct rk_value *root = rk_value_root(doc);
	const struct rk_value *keys = rk_value_get(root, "keys");

	if (keys == NULL || keys->kind != RK_ARRAY)
		return NULL;
	return &rk_value_root(doc)->u.list.items[keys - root->u.list.items];
}

static int
show_list(const struct wish *w)
{
	const char *state = args_text(w->ctl->a, "state", "");
	const char *method = "_.trust";
	struct rk_value_doc *doc;
	struct rk_value *keys;
	uint64_t out;
	int status;

	if (strcmp(state, "waiting") == 0)
		method = "_.pending";
	else if (strcmp(state, "known") == 0)
		method = "_.known";
	if ((status = ctl_call(w->ctl, method, nothing, &doc, NULL)) != 0)
		return status;
	keys = keys_of(doc);
	if (keys != NULL && strcmp(state, "rejected") == 0)
		sift(keys, is_rejected);
	status = ctl_list(w->ctl, keys, fields, N_FIELDS);
	out = ctl_number(rk_value_root(doc), "left_out");
	if (status == 0 && out != 0)
		out_warn(&w->ctl->out,
		    "%" PRIu64 " more are left out: too many for one answer",
		    out);
	rk_value_free(doc);
	return status;
}

/* ---- one ---- */

static void
show_entry(const struct ctl *c, const struct rk_value *e)
{
	char raw[600], text[1300], fp[RK_FP_LEN], grouped[RK_FP_GROUPED_LEN];

	(void)ctl_text(e, "fingerprint", fp, sizeof(fp));
	rk_fp_group(fp, grouped);
	out_text(&c->out, "fingerprint  %s\n",
	    str_escape_again(text, sizeof(text), grouped));
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (strcmp(fields[i].name, "fingerprint") == 0)
			continue;
		if (fields[i].kind == FIELD_NUMBER)
			out_text(&c->out, "%s  %" PRIu64 "\n", fields[i].name,
			    ctl_number(e, fields[i].name));
		else if (ctl_text(e, fields[i].name, raw, sizeof(raw))[0] !=
		         '\0')
			out_text(&c->out, "%s  %s\n", fields[i].name,
			    str_escape_again(text, sizeof(text), raw));
	}
}

static int
pick(const struct wish *w, const struct rk_value *keys, const char *who,
    const struct rk_value **found)
{
	char fp[RK_FP_LEN];

	for (uint32_t i = 0; keys != NULL && i < keys->u.list.count; i++) {
		const struct rk_value *v = &keys->u.list.items[i];

		(void)ctl_text(v, "fingerprint", fp, sizeof(fp));
		if (!rk_fp_match(fp, who, true))
			continue;
		if (*found != NULL)
			return out_fail(&w->ctl->out, RK_EINVAL,
			    "several keys begin like this one",
			    "give more of the fingerprint");
		*found = v;
	}
	return 0;
}

/* Among entries first, then in the file. */
static int
show_one(const struct wish *w)
{
	static const char *const methods[] = { "_.trust", "_.known" };
	const struct rk_value *found = NULL;
	struct rk_value_doc *doc = NULL;
	char who[WHO_LEN];
	int status = join_fp(w, who);

	for (size_t i = 0; i < 2 && status == 0 && found == NULL; i++) {
		rk_value_free(doc);
		status = ctl_call(w->ctl, methods[i], nothing, &doc, NULL);
		if (status == 0)
			status = pick(w, keys_of(doc), who, &found);
	}
	if (status == 0 && found == NULL)
		status = out_fail(&w->ctl->out, RK_ENOENT, "no such key",
		    "rpcd ctl trust ls; 8 characters of it are needed");
	else if (status == 0 && w->ctl->out.form == OUT_JSON)
		status = ctl_json(&w->ctl->out, found);
	else if (status == 0)
		show_entry(w->ctl, found);
	rk_value_free(doc);
	return status;
}

/* ---- deciding ---- */

static enum rk_err
put_text(struct rk_value_doc *doc, struct rk_value *v, const char *text)
{
	return rk_value_set_bytes(doc, v, RK_STR, text, strlen(text));
}

static enum rk_err
pack_order(const struct ctl *c, const char *verb, const char *who,
    uint8_t **made, size_t *len)
{
	struct rk_value_doc *doc;
	struct rk_value *v;
	uint64_t seen = 0;
	enum rk_err r;

	if (args_given(c->a, "seen"))
		seen = args_number(c->a, "seen", 0);
	if ((r = rk_value_new(&doc)) != RK_OK)
		return r;
	if ((r = rk_value_set_list(doc, rk_value_root(doc), RK_MAP, 4)) !=
	    RK_OK)
		goto out;
	v = rk_value_root(doc)->u.list.items;
	if ((r = put_text(doc, &v[0], "key")) != RK_OK ||
	    (r = put_text(doc, &v[1], who)) != RK_OK ||
	    (r = put_text(doc, &v[2], "verb")) != RK_OK ||
	    (r = put_text(doc, &v[3], verb)) != RK_OK ||
	    (r = put_text(doc, &v[4], "version")) != RK_OK ||
	    (r = put_text(doc, &v[6], "changed")) != RK_OK)
		goto out;
	v[5].kind = RK_UINT;
	v[5].u.u64 = seen;
	v[7].kind = RK_BOOL;
	v[7].u.b = args_flag(c->a, "changed");
	r = rk_value_encode(rk_value_root(doc), made, len);
out:
	rk_value_free(doc);
	return r;
}

static void
tell(const struct ctl *c, const char *verb, const struct rk_value *e)
{
	static const char *const said[][2] = {
		{ "approve", "approved, and known from now on" },
		{ "once", "approved for its next connection" },
		{ "reject", "rejected" },
		{ "revoke", "revoked" },
		{ "forget", "forgotten" },
	};
	char raw[300], email[700], fp[RK_FP_LEN], shown[RK_FP_LEN * 4];

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		if (strcmp(said[i][0], verb) != 0)
			continue;
		(void)str_escape_again(email, sizeof(email),
		    ctl_text(e, "email", raw, sizeof(raw)));
		(void)str_escape_again(shown, sizeof(shown),
		    ctl_text(e, "fingerprint", fp, sizeof(fp)));
		out_note(&c->out, "%s%s%s%s: %s", shown,
		    email[0] != '\0' ? " (" : "", email,
		    email[0] != '\0' ? ")" : "", said[i][1]);
	}
}

static int
decide(struct ctl *c, const char *verb, const char *who)
{
	struct rk_value_doc *doc;
	uint8_t *made = NULL;
	size_t len = 0;
	int status;

	if (pack_order(c, verb, who, &made, &len) != RK_OK)
		return out_fail(&c->out, RK_ENOMEM, "out of memory", NULL);
	status =
	    ctl_call(c, "_.decide", (struct rk_bytes){ made, len }, &doc, NULL);
	free(made);
	if (status != 0)
		return status;
	if (c->out.form == OUT_JSON)
		status = ctl_json(&c->out, rk_value_root(doc));
	else
		tell(c, verb, rk_value_root(doc));
	rk_value_free(doc);
	return status;
}

static int
decide_this(const struct wish *w)
{
	const char *verb = w->verb;
	char who[WHO_LEN];
	int status = join_fp(w, who);

	if (status != 0)
		return status;
	if (strcmp(verb, "approve") == 0 && args_flag(w->ctl->a, "once"))
		verb = "once";
	return decide(w->ctl, verb, who);
}

/* ---- the list ---- */

static int
order(struct ctl *c, const char *method, struct rk_bytes payload,
    const char *note)
{
	int status = ctl_call(c, method, payload, NULL, NULL);

	if (status != 0)
		return status;
	if (c->out.form == OUT_JSON)
		out_text(&c->out, "{\"schema\":1,\"ok\":true}\n");
	else
		out_note(&c->out, "%s", note);
	return 0;
}

static int
set_mode(const struct wish *w)
{
	uint8_t dst[CTL_PACK_MAX];
	struct rk_bytes payload;

	if (w->n != 1)
		return out_fail(&w->ctl->out, RK_EINVAL,
		    "trust mode: one of file, open, ask, lock, off",
		    "rpcd ctl help trust");
	if (ctl_pack(dst, "mode", w->words[0], &payload) != RK_OK)
		return out_fail(
		    &w->ctl->out, RK_EINVAL, "trust mode: too long", NULL);
	return order(w->ctl, "_.mode", payload,
	    "until the daemon reads its settings again");
}

static int
lock(const struct wish *w)
{
	return order(w->ctl, "_.lock", nothing,
	    "locked: the known-keys file has no write permission");
}

static int
unlock(const struct wish *w)
{
	return order(w->ctl, "_.unlock", nothing,
	    "the known-keys file may be written by its owner");
}

/* ---- which ---- */

static const struct verb {
	const char *name;
	size_t max; /* words behind it */
	int (*run)(const struct wish *w);
} verbs[] = {
	{ "ls", 0, show_list },
	{ "show", 16, show_one },
	{ "approve", 16, decide_this },
	{ "reject", 16, decide_this },
	{ "revoke", 16, decide_this },
	{ "forget", 16, decide_this },
	{ "mode", 1, set_mode },
	{ "lock", 0, lock },
	{ "unlock", 0, unlock },
};

/* An option that its verb does not know would be one that does nothing. */
static const char *
stray_option(const struct args *a, const char *verb)
{
	bool approves = strcmp(verb, "approve") == 0;
	bool decides = approves || strcmp(verb, "reject") == 0 ||
	               strcmp(verb, "revoke") == 0 ||
	               strcmp(verb, "forget") == 0;

	if (strcmp(verb, "ls") != 0 && args_given(a, "state"))
		return "trust: --state is of ls";
	if (!approves && (args_given(a, "once") || args_given(a, "changed")))
		return "trust: --once and --changed are of approve";
	if (!decides && args_given(a, "seen"))
		return "trust: --seen is of approve, reject, revoke and forget";
	return NULL;
}

int
ctl_trust(struct ctl *c)
{
	const char *stray;
	size_t n;
	const char *const *words = args_operands(c->a, &n);
	struct wish w = { c, words[0], words + 1, n - 1 };

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, w.verb) != 0 || w.n > verbs[i].max)
			continue;
		if ((stray = stray_option(c->a, w.verb)) != NULL)
			return out_fail(
			    &c->out, RK_EINVAL, stray, "rpcd ctl help trust");
		return verbs[i].run(&w);
	}
	return out_fail(&c->out, RK_EINVAL,
	    "trust: ls, show, approve, reject, revoke, forget, mode, lock or "
	    "unlock",
	    "rpcd ctl help trust");
}

int
ctl_reject(struct ctl *c, const char *fp)
{
	return decide(c, "reject", fp);
}
