/* rpcd ctl trust: deciding about one key, and taking that back. */
#include "cli/ctl.h"

#include "base/str.h"

#include <rpckit/key.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 11
#define SOME_KEYS 64 /* of one address */
#define AUDIT_MAX 1000

static const struct rk_bytes nothing;

/* ---- what was decided ---- */

static void
tell(const struct ctl *c, const char *verb, const struct rk_value *e)
{
	static const char *const said[][2] = {
		{ "approve", "approved, and known from now on" },
		{ "once", "approved for its next connection" },
		{ "until", "approved until" },
		{ "reject", "rejected" },
		{ "revoke", "revoked" },
		{ "forget", "forgotten" },
		{ "replace", "revoked, and the other one is known" },
		{ "note", "noted" },
		{ "undo", "taken back; now it is" },
	};
	char raw[300], email[700], fp[RK_FP_LEN], shown[RK_FP_LEN * 4];
	char what[200];
	const char *more = "";

	if (strcmp(verb, "until") == 0)
		more = "until";
	else if (strcmp(verb, "undo") == 0)
		more = "state";
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		if (strcmp(said[i][0], verb) != 0)
			continue;
		if (ctl_text(e, "email", raw, sizeof(raw))[0] == '\0' &&
		    ctl_text(e, "cn", what, sizeof(what))[0] != '\0')
			(void)snprintf(raw, sizeof(raw), "CN=%s", what);
		(void)str_escape_again(email, sizeof(email), raw);
		(void)str_escape_again(shown, sizeof(shown),
		    ctl_text(e, "fingerprint", fp, sizeof(fp)));
		(void)str_escape_again(
		    what, sizeof(what), ctl_text(e, more, raw, 40));
		out_note(&c->out, "%s%s%s%s: %s%s%s", shown,
		    email[0] != '\0' ? " (" : "", email,
		    email[0] != '\0' ? ")" : "", said[i][1],
		    more[0] != '\0' ? " " : "", what);
	}
}

/* Of two who decide about the same key the one who came later is told. */
static void
tell_overturned(const struct ctl *c, const struct rk_value *e)
{
	char raw[RK_FP_LEN * 4], was[80], by[600], at[160], fp[RK_FP_LEN * 4];

	if (ctl_text(e, "was_by", raw, sizeof(raw))[0] == '\0')
		return;
	(void)str_escape_again(by, sizeof(by), raw);
	(void)str_escape_again(was, sizeof(was), ctl_text(e, "was", raw, 20));
	(void)str_escape_again(at, sizeof(at), ctl_text(e, "was_at", raw, 40));
	(void)str_escape_again(
	    fp, sizeof(fp), ctl_text(e, "fingerprint", raw, RK_FP_LEN));
	out_warn(&c->out, "%s: that overturns %s by %s, %s", fp, was, by, at);
}

static int
order(struct ctl *c, const char *method, const char *verb,
    const struct ctl_pair *pairs, size_t n)
{
	struct rk_value_doc *doc;
	int status = ctl_ask(c, method, pairs, n, &doc);

	if (status != 0)
		return status;
	if (c->out.form == OUT_JSON)
		status = ctl_json(&c->out, rk_value_root(doc));
	else
		tell(c, verb, rk_value_root(doc));
	tell_overturned(c, rk_value_root(doc));
	rk_value_free(doc);
	return status;
}

/* The head of every order; what options say of it follows. */
static size_t
begin(const struct ctl *c, const char *verb, const char *who,
    struct ctl_pair pairs[PAIRS_MAX])
{
	size_t n = 0;

	pairs[n++] = CTL_TEXT("key", who);
	pairs[n++] = CTL_TEXT("verb", verb);
	pairs[n++] = CTL_TEXT("via", CTL_VIA);
	pairs[n++] = CTL_NUMBER("begun", c->begun);
	if (args_known(c->a, "seen") && args_given(c->a, "seen") &&
	    strcmp(verb, "replace") != 0)
		pairs[n++] =
		    CTL_NUMBER("version", args_number(c->a, "seen", 0));
	if (args_known(c->a, "note") && args_given(c->a, "note"))
		pairs[n++] = CTL_TEXT("note", args_text(c->a, "note", ""));
	return n;
}

/* The only one of a list that begins so; NULL: none, or several. */
static const struct rk_value *
find_one(const struct rk_value *list, const char *who)
{
	const struct rk_value *found = NULL;
	char fp[RK_FP_LEN];

	if (list == NULL || list->kind != RK_ARRAY)
		return NULL;
	for (uint32_t i = 0; i < list->u.list.count; i++) {
		const struct rk_value *v = &list->u.list.items[i];

		(void)ctl_text(v, "fingerprint", fp, sizeof(fp));
		if (!rk_fp_match(fp, who, true))
			continue;
		if (found != NULL)
			return NULL;
		found = v;
	}
	return found;
}

/* As they are now: who decides about them meanwhile is not overruled.  0: there
 * is no entry, or not one only; by may be NULL. */
static int
read_versions(struct ctl *c, const char *who, const char *by, uint64_t *version,
    uint64_t *by_version)
{
	const struct rk_value *keys, *v;
	struct rk_value_doc *doc;
	int status = ctl_call(c, "_.trust", nothing, &doc, NULL);

	*version = *by_version = 0;
	if (status != 0)
		return status;
	keys = rk_value_get(rk_value_root(doc), "keys");
	if ((v = find_one(keys, who)) != NULL)
		*version = ctl_number(v, "version");
	if (by != NULL && (v = find_one(keys, by)) != NULL)
		*by_version = ctl_number(v, "version");
	rk_value_free(doc);
	return 0;
}

int
ctl_decide(const struct ctl_wish *w)
{
	const struct args *a = w->ctl->a;
	struct ctl_pair pairs[PAIRS_MAX];
	const char *verb = w->verb;
	char who[CTL_WHO_LEN];
	uint64_t ms = args_given(a, "for") ? args_number(a, "for", 0) : 0;
	uint64_t version = 0, none;
	size_t n;
	int status = ctl_join_fp(w, 0, w->n, who);

	if (status != 0)
		return status;
	if (args_flag(a, "once"))
		verb = "once";
	else if (ms != 0)
		verb = "until";
	if (!args_given(a, "seen") &&
	    (status = read_versions(w->ctl, who, NULL, &version, &none)) != 0)
		return status;
	n = begin(w->ctl, verb, who, pairs);
	if (version != 0)
		pairs[n++] = CTL_NUMBER("version", version);
	if (ms != 0)
		pairs[n++] = CTL_NUMBER("seconds", ms / 1000);
	if (args_flag(a, "changed"))
		pairs[n++] = CTL_BOOL("changed", true);
	return order(w->ctl, "_.decide", verb, pairs, n);
}

/* Two words, or two pasted ones, of which each begins with SHA256:. */
static size_t
find_second(const struct ctl_wish *w)
{
	if (w->n == 2)
		return 1;
	for (size_t i = 1; i < w->n; i++) {
		if (strncmp(w->words[i], "SHA256:", 7) == 0)
			return i;
	}
	return 0;
}

int
ctl_replace(const struct ctl_wish *w)
{
	char old[CTL_WHO_LEN], by[CTL_WHO_LEN];
	struct ctl_pair pairs[PAIRS_MAX];
	size_t at = find_second(w), n;
	uint64_t version, by_version;
	int status;

	if (at == 0)
		return out_fail(&w->ctl->out, RK_EINVAL,
		    "trust replace: the old key and the new one",
		    "rpcd ctl help trust");
	if ((status = ctl_join_fp(w, 0, at, old)) != 0 ||
	    (status = ctl_join_fp(w, at, w->n - at, by)) != 0)
		return status;
	status = read_versions(w->ctl, old, by, &version, &by_version);
	if (status != 0)
		return status;
	if (args_given(w->ctl->a, "seen"))
		by_version = args_number(w->ctl->a, "seen", 0);
	n = begin(w->ctl, "replace", old, pairs);
	pairs[n++] = CTL_TEXT("by", by);
	if (version != 0)
		pairs[n++] = CTL_NUMBER("version", version);
	pairs[n++] = CTL_NUMBER("by_version", by_version);
	if (args_flag(w->ctl->a, "changed"))
		pairs[n++] = CTL_BOOL("changed", true);
	return order(w->ctl, "_.decide", "replace", pairs, n);
}

/* Does one word have as much of a key as is needed?  Those that are copied in
 * groups have four characters in each. */
static bool
is_no_group(const char *word)
{
	static const char kind[] = "SHA256:";

	if (strncmp(word, kind, sizeof(kind) - 1) == 0)
		word += sizeof(kind) - 1;
	return strlen(word) >= CTL_FP_START;
}

/* The last word is the text. */
int
ctl_note(const struct ctl_wish *w)
{
	struct ctl_pair pairs[PAIRS_MAX];
	char who[CTL_WHO_LEN];
	size_t n;
	int status;

	if (w->n < 2)
		return out_fail(&w->ctl->out, RK_EINVAL,
		    "trust note: a key and a text; '' takes it away",
		    "rpcd ctl help trust");
	if (w->n > 2 && is_no_group(w->words[0]))
		return out_fail(&w->ctl->out, RK_EINVAL,
		    "trust note: the text is one word: quote it",
		    "rpcd ctl help trust");
	if ((status = ctl_join_fp(w, 0, w->n - 1, who)) != 0)
		return status;
	n = begin(w->ctl, "note", who, pairs);
	pairs[n++] = CTL_TEXT("note", w->words[w->n - 1]);
	return order(w->ctl, "_.decide", "note", pairs, n);
}

/* The newest line of the audit about a key, or the one that was seen: what
 * there is to take back. */
struct last {
	uint64_t id; /* 0: none among those that were asked for */
	char what[16];
	char who[120];
	char time[40];
};

static bool
is_meant(const struct rk_value *line, const char *who, uint64_t seen)
{
	char fp[RK_FP_LEN], what[16];

	(void)ctl_text(line, "fingerprint", fp, sizeof(fp));
	if (!rk_fp_match(fp, who, true))
		return false;
	if (seen != 0)
		return ctl_number(line, "id") == seen;
	/* A line of the list that was put in again: the daemon passes these
	 * over, too. */
	return strcmp(ctl_text(line, "what", what, sizeof(what)), "again") != 0;
}

static int
look_for(struct ctl *c, const struct ctl_pair *pairs, size_t n, const char *who,
    uint64_t seen, struct last *last)
{
	const struct rk_value *lines, *v;
	struct rk_value_doc *doc;
	char raw[120];
	int status = ctl_ask(c, "_.audit", pairs, n, &doc);

	*last = (struct last){ .id = 0 };
	if (status != 0)
		return status;
	lines = rk_value_get(rk_value_root(doc), "lines");
	for (uint32_t i = 0; last->id == 0 && i < ctl_len(lines); i++) {
		v = &lines->u.list.items[i];
		if (!is_meant(v, who, seen))
			continue;
		last->id = ctl_number(v, "id");
		(void)str_escape_again(last->what, sizeof(last->what),
		    ctl_text(v, "what", raw, sizeof(raw)));
		(void)str_escape_again(last->who, sizeof(last->who),
		    ctl_text(v, "who", raw, sizeof(raw)));
		(void)str_escape_again(last->time, sizeof(last->time),
		    ctl_text(v, "time", raw, sizeof(raw)));
	}
	rk_value_free(doc);
	return 0;
}

/* Among the newest lines, then among all about the key, which daemons that are
 * older cannot be asked for. */
static int
find_last(struct ctl *c, const char *who, uint64_t seen, struct last *last)
{
	const struct ctl_pair pairs[] = { CTL_NUMBER("max", AUDIT_MAX),
		CTL_TEXT("key", who) };
	int status = look_for(c, pairs, 1, who, seen, last);

	if (status == 0 && last->id == 0)
		status = look_for(c, pairs, 2, who, seen, last);
	return status;
}

/* Of what stands in the audit now, or stood there when its user looked. */
int
ctl_undo(const struct ctl_wish *w)
{
	struct ctl_pair pairs[4];
	char who[CTL_WHO_LEN];
	const uint64_t seen = args_number(w->ctl->a, "seen", 0);
	struct last last;
	int status = ctl_join_fp(w, 0, w->n, who);

	if (status != 0 || (status = find_last(w->ctl, who, seen, &last)) != 0)
		return status;
	pairs[0] = CTL_TEXT("key", who);
	pairs[1] = CTL_TEXT("via", CTL_VIA);
	pairs[2] =
	    CTL_NUMBER("line", args_given(w->ctl->a, "seen") ? seen : last.id);
	pairs[3] = CTL_NUMBER("begun", w->ctl->begun);
	status = order(w->ctl, "_.undo", "undo", pairs, 4);
	if (status == 0 && last.id != 0 && w->ctl->out.form != OUT_JSON)
		out_note(&w->ctl->out, "that was: %s by %s, %s", last.what,
		    last.who, last.time);
	return status;
}

int
ctl_reject(struct ctl *c, const char *fp)
{
	struct ctl_pair pairs[PAIRS_MAX];

	return order(
	    c, "_.decide", "reject", pairs, begin(c, "reject", fp, pairs));
}

/* ---- those of an address ---- */

struct keys {
	char fps[SOME_KEYS][RK_FP_LEN];
	size_t n;
	bool more;
};

static void
take_key(struct keys *k, const char *fp)
{
	for (size_t i = 0; i < k->n; i++) {
		if (strcmp(k->fps[i], fp) == 0)
			return;
	}
	if (k->n == SOME_KEYS)
		k->more = true;
	else
		(void)str_copy(k->fps[k->n++], RK_FP_LEN, fp);
}

static int
collect(struct ctl *c, const char *method, const char *member,
    const char *address, struct keys *k)
{
	const struct rk_value *list;
	struct rk_value_doc *doc;
	char fp[RK_FP_LEN], from[200];
	int status = ctl_call(c, method, nothing, &doc, NULL);

	if (status != 0)
		return status;
	list = rk_value_get(rk_value_root(doc), member);
	for (uint32_t i = 0; i < ctl_len(list); i++) {
		const struct rk_value *v = &list->u.list.items[i];

		(void)ctl_text(v, "fingerprint", fp, sizeof(fp));
		(void)ctl_text(v, "address", from, sizeof(from));
		if (fp[0] != '\0' && str_url_is_at(from, address))
			take_key(k, fp);
	}
	rk_value_free(doc);
	return 0;
}

int
ctl_reject_at(struct ctl *c, const char *address)
{
	struct keys *k = calloc(1, sizeof(*k));
	int status;

	if (k == NULL)
		return out_fail(&c->out, RK_ENOMEM, "out of memory", NULL);
	status = collect(c, "_.conns", "conns", address, k);
	if (status == 0)
		status = collect(c, "_.pending", "keys", address, k);
	if (status == 0 && k->n == 0)
		status = out_fail(&c->out, RK_ENOENT,
		    "no key is here from this address", "rpcd ctl conns");
	for (size_t i = 0; i < k->n && status == 0; i++)
		status = ctl_reject(c, k->fps[i]);
	if (status == 0 && k->more)
		out_warn(&c->out, "more than %d keys are there: do it again",
		    SOME_KEYS);
	free(k);
	return status;
}
