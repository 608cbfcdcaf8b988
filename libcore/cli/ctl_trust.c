/* rpcd ctl trust: keys that wait, what is known, the list; its verbs. */
#include "cli/ctl.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/parts.h"

#include <rpckit/key.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int
ctl_join_fp(
    const struct ctl_wish *w, size_t from, size_t n, char dst[CTL_WHO_LEN])
{
	size_t len = 0;

	dst[0] = '\0';
	for (size_t i = from; i < from + n && len < CTL_WHO_LEN; i++)
		len += str_copy(dst + len, CTL_WHO_LEN - len, w->words[i]);
	if (len > 0 && len < CTL_WHO_LEN)
		return 0;
	return out_fail(&w->ctl->out, RK_EINVAL,
	    len == 0 ? "trust: whose key?" : "trust: no fingerprint",
	    "rpcd ctl help trust");
}

/* ---- lists ---- */

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

/* All of it, as far as the daemon tells it.  moved: a list that never stood
 * still is taken as it is, and that is set; NULL: it is refused. */
static int
fetch_keys(struct ctl *c, const char *method, struct pages *p, bool *moved)
{
	struct rk_value_doc *doc;
	bool more = true;
	enum rk_err r;
	int status = 0;

	*p = (struct pages){ .list = { .kind = RK_ARRAY } };
	while (status == 0 && more) {
		const struct ctl_pair from = CTL_NUMBER("from", p->parts.rows);

		status =
		    ctl_ask(c, method, &from, p->parts.rows == 0 ? 0 : 1, &doc);
		if (status != 0)
			break;
		r = pages_add(p, doc, "keys", &more);
		if (r == RK_EAGAIN && moved != NULL)
			*moved = true;
		else if (r != RK_OK)
			status = pages_fail(&c->out, r);
	}
	return status;
}

static int
show_list(const struct ctl_wish *w)
{
	const char *state = args_text(w->ctl->a, "state", "");
	const char *method = "_.trust";
	struct pages pages;
	int status;

	if (strcmp(state, "waiting") == 0)
		method = "_.pending";
	else if (strcmp(state, "known") == 0)
		method = "_.known";
	status = fetch_keys(w->ctl, method, &pages, NULL);
	if (status == 0 && strcmp(state, "rejected") == 0)
		sift(&pages.list, is_rejected);
	if (status == 0)
		status = ctl_list(w->ctl, &pages.list,
		    w->ctl->out.form == OUT_PLAIN ? CTL_KEYS_PLAIN : CTL_KEYS);
	if (status == 0 && pages.parts.left != 0)
		out_warn(&w->ctl->out,
		    "%" PRIu64 " more are left out: too many for one answer",
		    pages.parts.left);
	pages_fini(&pages);
	return status;
}

/* ---- one ---- */

static void
show_addresses(const struct ctl *c, const struct rk_value *e)
{
	const struct rk_value *list = rk_value_get(e, "addresses");
	char raw[100], text[300];

	for (uint32_t i = 0; i < ctl_len(list); i++) {
		const struct rk_value *v = &list->u.list.items[i];

		if (v->kind != RK_STR || v->u.bytes.len >= sizeof(raw))
			continue;
		memcpy(raw, v->u.bytes.ptr, v->u.bytes.len);
		raw[v->u.bytes.len] = '\0';
		out_text(&c->out, "from  %s\n",
		    str_escape_again(text, sizeof(text), raw));
	}
}

static void
show_entry(const struct ctl *c, const struct rk_value *e)
{
	char raw[600], text[1300], fp[RK_FP_LEN], grouped[RK_FP_GROUPED_LEN];
	size_t n;
	const struct field *fields = ctl_fields(CTL_KEYS, &n);

	(void)ctl_text(e, "fingerprint", fp, sizeof(fp));
	rk_fp_group(fp, grouped);
	out_text(&c->out, "fingerprint  %s\n",
	    str_escape_again(text, sizeof(text), grouped));
	for (size_t i = 0; i < n; i++) {
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
	show_addresses(c, e);
}

static int
pick(const struct ctl_wish *w, const struct rk_value *keys, const char *who,
    const struct rk_value **found)
{
	char fp[RK_FP_LEN], first[RK_FP_LEN] = "";

	for (uint32_t i = 0; i < keys->u.list.count; i++) {
		const struct rk_value *v = &keys->u.list.items[i];

		(void)ctl_text(v, "fingerprint", fp, sizeof(fp));
		if (!rk_fp_match(fp, who, true))
			continue;
		if (*found != NULL && strcmp(fp, first) == 0)
			continue; /* twice, in a list that has moved */
		if (*found != NULL)
			return out_fail(&w->ctl->out, RK_EINVAL,
			    "several keys begin like this one",
			    "give more of the fingerprint");
		*found = v;
		memcpy(first, fp, sizeof(first));
	}
	return 0;
}

/* Among entries first, then in the file.  Whoever floods a daemon with keys
 * keeps its list moving: a key that was seen is shown all the same. */
static int
show_one(const struct ctl_wish *w)
{
	static const char *const methods[] = { "_.trust", "_.known" };
	const struct rk_value *found = NULL;
	struct pages pages = { .n = 0 };
	char who[CTL_WHO_LEN];
	bool moved = false;
	int status = ctl_join_fp(w, 0, w->n, who);

	for (size_t i = 0; i < 2 && status == 0 && found == NULL; i++) {
		pages_fini(&pages);
		status = fetch_keys(w->ctl, methods[i], &pages, &moved);
		if (status == 0)
			status = pick(w, &pages.list, who, &found);
	}
	if (status == 0 && found == NULL && moved)
		status = pages_fail(&w->ctl->out, RK_EAGAIN);
	else if (status == 0 && found == NULL)
		status = out_fail(&w->ctl->out, RK_ENOENT, "no such key",
		    "rpcd ctl trust ls; 8 characters of it are needed");
	else if (status == 0 && w->ctl->out.form == OUT_JSON)
		status = ctl_json(&w->ctl->out, found);
	else if (status == 0 && w->ctl->out.form == OUT_PLAIN)
		status = ctl_plain(&w->ctl->out, found);
	else if (status == 0)
		show_entry(w->ctl, found);
	pages_fini(&pages);
	return status;
}

/* ---- the list ---- */

static int
set_mode(const struct ctl_wish *w)
{
	const struct ctl_pair pairs[] = {
		CTL_TEXT("mode", w->n == 1 ? w->words[0] : ""),
		CTL_TEXT("via", CTL_VIA),
	};
	char said[80];

	if (w->n != 1)
		return out_fail(&w->ctl->out, RK_EINVAL,
		    "trust mode: one of file, open, ask, lock, off",
		    "rpcd ctl help trust");
	(void)snprintf(said, sizeof(said),
	    "the mode is %.8s now, until the daemon reads its settings again",
	    pairs[0].text.ptr);
	return ctl_done(
	    w->ctl, ctl_ask(w->ctl, "_.mode", pairs, 2, NULL), said);
}

/* Of which the audit says by whom. */
static int
change_lock(const struct ctl_wish *w, const char *method, const char *said)
{
	const struct ctl_pair via = CTL_TEXT("via", CTL_VIA);

	return ctl_done(w->ctl, ctl_ask(w->ctl, method, &via, 1, NULL), said);
}

static int
lock(const struct ctl_wish *w)
{
	return change_lock(
	    w, "_.lock", "locked: the known-keys file has no write permission");
}

static int
unlock(const struct ctl_wish *w)
{
	return change_lock(
	    w, "_.unlock", "the known-keys file may be written by its owner");
}

/* ---- which ---- */

static const struct verb {
	struct cmd_word word;
	size_t max; /* words behind it */
	int (*run)(const struct ctl_wish *w);
} verbs[] = {
	{ { "ls", "", false }, 0, show_list },
	{ { "show", "FP", false }, 16, show_one },
	{ { "approve", "FP", true }, 16, ctl_decide },
	{ { "reject", "FP", true }, 16, ctl_decide },
	{ { "revoke", "FP", true }, 16, ctl_decide },
	{ { "forget", "FP", true }, 16, ctl_forget },
	{ { "replace", "FP FP", true }, 24, ctl_replace },
	{ { "note", "FP TEXT", true }, 17, ctl_note },
	{ { "undo", "FP", true }, 16, ctl_undo },
	{ { "audit", "FP", false }, 16, ctl_audit },
	{ { "import", "FILE", true }, 1, ctl_import },
	{ { "export", "", false }, 0, ctl_export },
	{ { "check", "", false }, 0, ctl_check },
	{ { "mode", "file|open|ask|lock|off", true }, 1, set_mode },
	{ { "lock", "", true }, 0, lock },
	{ { "unlock", "", true }, 0, unlock },
};
#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

const struct cmd_word *
ctl_trust_word(size_t i)
{
	return i < N_VERBS ? &verbs[i].word : NULL;
}

/* Which verbs an option is of. */
static const struct owner {
	const char *option;
	const char *verbs[8];
	const char *says;
} owners[] = {
	{ "state", { "ls" }, "trust: --state is of ls" },
	{ "once", { "approve" }, "trust: --once is of approve" },
	{ "for", { "approve" }, "trust: --for is of approve" },
	{ "changed", { "approve", "replace", "import" },
	    "trust: --changed is of approve, replace and import" },
	{ "waiting", { "forget" }, "trust: --waiting is of forget" },
	{ "from", { "forget" }, "trust: --from is of forget" },
	{ "max", { "audit" }, "trust: --max is of audit" },
	{ "seen",
	    { "approve", "reject", "revoke", "forget", "replace", "undo" },
	    "trust: --seen is of approve, reject, revoke, forget, replace and "
	    "undo" },
	{ "note", { "approve", "reject", "revoke", "forget", "replace" },
	    "trust: --note is of approve, reject, revoke, forget and replace" },
};

static bool
is_of(const struct owner *o, const char *verb)
{
	for (size_t i = 0; o->verbs[i] != NULL; i++) {
		if (strcmp(o->verbs[i], verb) == 0)
			return true;
	}
	return false;
}

/* An option that its verb does not know would be one that does nothing. */
static const char *
stray_option(const struct args *a, const char *verb)
{
	for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		if (args_given(a, owners[i].option) && !is_of(&owners[i], verb))
			return owners[i].says;
	}
	if (args_given(a, "once") && args_given(a, "for"))
		return "trust: either --once or --for";
	return NULL;
}

int
ctl_trust(struct ctl *c)
{
	const char *stray;
	size_t n;
	const char *const *words = args_operands(c->a, &n);
	struct ctl_wish w = { c, words[0], words + 1, n - 1 };

	for (size_t i = 0; i < N_VERBS; i++) {
		if (strcmp(verbs[i].word.name, w.verb) != 0 ||
		    w.n > verbs[i].max)
			continue;
		if ((stray = stray_option(c->a, w.verb)) != NULL)
			return out_fail(
			    &c->out, RK_EINVAL, stray, "rpcd ctl help trust");
		return verbs[i].run(&w);
	}
	return out_fail(&c->out, RK_EINVAL,
	    "trust: ls, show, approve, reject, revoke, forget, replace, note, "
	    "undo, audit, import, export, check, mode, lock or unlock",
	    "rpcd ctl help trust");
}
