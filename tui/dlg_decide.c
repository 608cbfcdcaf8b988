/* Deciding about a key: later, approve, once, reject; replacing, forgetting. */
#include "dialog.h"

#include "key_pane.h"
#include "pane.h"
#include "words.h"

#include "base/str.h"

#include <rpckit/key.h>

#include <inttypes.h>
#include <stdio.h>

#define DAY_SECONDS 86400
#define TAIL 4 /* characters of a key, that are typed */

/* What it is about; false when it is gone. */
static struct dialog *
open_about(struct ui *ui, const struct model_key *k, const char *title,
    const struct button *buttons)
{
	struct dialog *d = dialog_open(ui, title, NULL);

	if (d == NULL)
		return NULL;
	(void)str_copy(d->fp, sizeof(d->fp), k->fp);
	(void)str_copy(
	    d->who, sizeof(d->who), k->name[0] != '\0' ? k->name : "no e-mail");
	d->version = k->version;
	d->process = ui->m->process;
	d->key = *k;
	if (buttons != NULL)
		dialog_buttons(d, buttons);
	undo_ready(ui);
	return d;
}

#define ARGS_MAX 8

/* What every order about a key has; a note only where one was written. */
static size_t
begin(struct order_arg args[ARGS_MAX], const struct dialog *d, const char *verb)
{
	size_t n = 0;

	args[n++] = (struct order_arg){ "key", d->fp, 0 };
	args[n++] = (struct order_arg){ "verb", verb, 0 };
	args[n++] = (struct order_arg){ "version", NULL, d->version };
	if (d->has_note && strcmp(d->line.text, d->note) != 0)
		args[n++] = (struct order_arg){ "note", d->line.text, 0 };
	return n;
}

static void
send_verb(
    struct ui *ui, const struct dialog *d, const char *verb, const char *done)
{
	struct order_arg args[ARGS_MAX];
	size_t n = begin(args, d, verb);
	char said[200];

	(void)snprintf(said, sizeof(said), "%s: %.120s", done, d->who);
	order_send(ui, "_.decide", args, n, said, true);
}

/* ---- what buttons do ---- */

static void
take_approve(struct ui *ui, struct dialog *d)
{
	send_verb(ui, d, "approve", "approved");
}

static void
take_once(struct ui *ui, struct dialog *d)
{
	send_verb(ui, d, "once", "approved for its next connection");
}

static void
take_day(struct ui *ui, struct dialog *d)
{
	struct order_arg args[ARGS_MAX];
	size_t n = begin(args, d, "until");
	char said[200];

	args[n++] = (struct order_arg){ "seconds", NULL, DAY_SECONDS };
	(void)snprintf(
	    said, sizeof(said), "approved for a day: %.120s", d->who);
	order_send(ui, "_.decide", args, n, said, true);
}

static void
take_reject(struct ui *ui, struct dialog *d)
{
	send_verb(ui, d, "reject", "rejected");
}

static void
take_revoke(struct ui *ui, struct dialog *d)
{
	send_verb(ui, d, "revoke", "revoked");
}

static void
take_forget(struct ui *ui, struct dialog *d)
{
	send_verb(ui, d, "forget", "forgotten");
}

static void
take_show(struct ui *ui, struct dialog *d)
{
	qr_open(ui, d->fp, d->who);
}

static void take_replace(struct ui *ui, struct dialog *d);
static void take_still(struct ui *ui, struct dialog *d);

/* ---- the tables: label, key, what it does, is that dangerous ---- */

static const struct button of_new[] = {
	{ "Later", 'l', NULL, false },
	{ "Approve", 'a', take_approve, true },
	{ "Once", 'o', take_once, true },
	{ "A day", 'd', take_day, true },
	{ "Reject", 'r', take_reject, true },
	{ "QR", 'Q', take_show, false },
	{ 0 },
};

static const struct button of_known[] = {
	{ "Later", 'l', NULL, false },
	{ "Reject", 'r', take_reject, true },
	{ "Revoke", 'V', take_revoke, true },
	{ "QR", 'Q', take_show, false },
	{ 0 },
};

static const struct button of_changed[] = {
	{ "Later", 'l', NULL, false },
	{ "Replace", 'R', take_replace, true },
	{ "Reject", 'r', take_reject, true },
	{ "QR", 'Q', take_show, false },
	{ 0 },
};

static const struct button of_third[] = {
	{ "No", 'n', NULL, false },
	{ "Replace", 'R', take_still, true },
	{ 0 },
};

static const struct button of_forget[] = {
	{ "No", 'n', NULL, false },
	{ "Yes", 'y', take_forget, true },
	{ 0 },
};

/* ---- new ones, and those that were decided about ---- */

/* Who, from where, by whose signature, with which key: at every size, and
 * first. */
static void
add_who(const struct ui *ui, const struct model_key *k, struct text *out)
{
	const char *name = k->name[0] != '\0' ? k->name : "-";
	char grouped[RK_FP_GROUPED_LEN];

	rk_fp_group(k->fp, grouped);
	if (ui_narrow(ui)) {
		text_add(out, ROLE_TEXT, "who  %s (NOT proof)", name);
		text_add(out, ROLE_TEXT, "from %s, tries %" PRIu64, k->address,
		    k->tries);
		text_add(out, ROLE_TEXT, "CA   %s", k->ca);
		text_add(out, ROLE_HEAD, "key  %s", grouped);
		return;
	}
	text_add(
	    out, ROLE_TEXT, "who     %s   (text in the cert; NOT proof)", name);
	text_add(out, ROLE_TEXT, "from    %s   tries %" PRIu64 ", since %s",
	    k->address, k->tries, k->first_seen);
	detail_ca(7, k, out);
	text_add(out, ROLE_HEAD, "key     %s", grouped);
}

static void
add_more(const struct ui *ui, const struct model_key *k, struct text *out)
{
	detail_words(ui_narrow(ui) ? "words" : "words  ", k->fp, out);
	if (!ui_narrow(ui)) {
		text_add(out, ROLE_TEXT, "%s", "");
		return;
	}
	detail_cert("", k, out);
	text_add(out, ROLE_TEXT, "since %s", k->first_seen);
}

/* Who and which, then what comes of it: what to do, what else to know. */
static void
fill_key(struct ui *ui, struct dialog *d, const char *what, const char *more)
{
	add_who(ui, &d->key, &d->body);
	dialog_must(d);
	add_more(ui, &d->key, &d->body);
	text_add(&d->body, ROLE_TEXT, "%s", what);
	text_add(&d->body, ROLE_DIM, "%s", more);
}

static void
fill_new(struct ui *ui, struct dialog *d)
{
	fill_key(ui, d,
	    "Compare with the client's own screen:  selfy -fp CERT -words",
	    "Later changes nothing. Reject is remembered; undo with u.");
}

static void
decide_new(struct ui *ui, const struct model_key *k)
{
	struct dialog *d = open_about(ui, k,
	    words_key_waits(k->state) ? " Decide: new client "
	                              : " Decide again ",
	    of_new);

	if (d == NULL)
		return;
	d->fill = fill_new;
	d->is_over = over_changed;
	dialog_note(d, k->note);
}

/* ---- one that is known: it can be put out ---- */

static void
fill_known(struct ui *ui, struct dialog *d)
{
	fill_key(ui, d, "Out at once, with its open connections; undo with u.",
	    "Rejected it can be approved again, revoked not before it is "
	    "forgotten.");
}

static void
decide_known(struct ui *ui, const struct model_key *k)
{
	struct dialog *d =
	    open_about(ui, k, " Decide: known client ", of_known);

	if (d == NULL)
		return;
	d->fill = fill_known;
	d->is_over = over_key;
	dialog_note(d, k->note);
}

/* ---- one key for another ---- */

static struct replacing
what_replaces(const struct dialog *d)
{
	struct replacing w = { .version = d->version,
		.by_version = d->by_version };

	(void)str_copy(w.fp, sizeof(w.fp), d->fp);
	(void)str_copy(w.old_fp, sizeof(w.old_fp), d->old_fp);
	(void)str_copy(w.who, sizeof(w.who), d->who);
	(void)str_copy(w.note, sizeof(w.note), d->note);
	return w;
}

static void
take_still(struct ui *ui, struct dialog *d)
{
	const struct replacing what = what_replaces(d);

	order_replace(ui, &what, NULL);
}

/* denied_fn: as where a third key has the name, which nobody was shown.  Who
 * does something else by now reads why, and begins again. */
static void
ask_still(struct ui *ui, const struct replacing *what, const char *why)
{
	char grouped[RK_FP_GROUPED_LEN];
	struct dialog *d;

	if (ui->dialog != NULL || ui->pane != NULL || ui->prompt.on)
		return;
	d = dialog_open(ui, " Replace it all the same? ", NULL);
	if (d == NULL)
		return;
	dialog_buttons(d, of_third);
	(void)str_copy(d->fp, sizeof(d->fp), what->fp);
	(void)str_copy(d->old_fp, sizeof(d->old_fp), what->old_fp);
	(void)str_copy(d->who, sizeof(d->who), what->who);
	(void)str_copy(d->note, sizeof(d->note), what->note);
	d->version = what->version;
	d->by_version = what->by_version;
	d->process = ui->m->process;
	text_add(&d->body, ROLE_TEXT, "who %s", d->who);
	rk_fp_group(d->old_fp, grouped);
	text_add(&d->body, ROLE_TEXT, "old %s", grouped);
	rk_fp_group(d->fp, grouped);
	text_add(&d->body, ROLE_HEAD, "new %s", grouped);
	text_add(&d->body, ROLE_BAD, "The daemon did not: %s", why);
	text_add(&d->body, ROLE_WAIT,
	    "Only the old key goes. Whatever else has the name stays in.");
	dialog_must(d);
	d->is_over = over_replace;
	d->hints = "R replace  n, Esc no";
}

static void
replaced(struct ui *ui, struct dialog *d, int button)
{
	const struct replacing what = what_replaces(d);

	if (button >= 0)
		order_replace(ui, &what, ask_still);
}

/* d->key: the one that goes. */
static void
fill_replace(struct ui *ui, struct dialog *d)
{
	const bool narrow = ui_narrow(ui);
	const char *gap = narrow ? " " : "    ";
	char grouped[RK_FP_GROUPED_LEN];

	if (!narrow)
		text_add(&d->body, ROLE_TEXT, "%s", "");
	text_add(&d->body, ROLE_TEXT, "who %s%s", gap, d->who);
	rk_fp_group(d->key.fp, grouped);
	text_add(&d->body, ROLE_TEXT, "old %s%s", gap, grouped);
	if (!narrow)
		detail_visits(ui, 8, &d->key, &d->body);
	rk_fp_group(d->fp, grouped);
	text_add(&d->body, ROLE_HEAD, "new %s%s", gap, grouped);
	if (!narrow)
		text_add(&d->body, ROLE_TEXT, "%s", "");
	text_add(&d->body, ROLE_WAIT,
	    "Only if the owner told you, another way, that this key is "
	    "theirs.");
	dialog_must(d);
	text_add(&d->body, ROLE_TEXT,
	    "Type the last four characters of the new key to go on:");
}

/* note: what goes with it, "" for none. */
static void
replace(struct ui *ui, const struct model_key *k, const char *note)
{
	const struct model_key *known = view_known_of(ui->m, k);
	struct dialog *d;

	if (known == NULL) {
		ui_say(ui, ROLE_WAIT, "%s",
		    view_is_cut(k)
		        ? "its e-mails cannot be compared: rpcd ctl trust "
		          "approve --changed"
		        : "no known key with this e-mail is left to replace");
		return;
	}
	if (strlen(k->fp) != RK_FP_LEN - 1) {
		ui_say(ui, ROLE_BAD, "that is no fingerprint: \"%s\"", k->fp);
		return;
	}
	if ((d = open_about(ui, k, " Replace a known key ", NULL)) == NULL)
		return;
	d->done = replaced;
	d->version = known->version;
	d->by_version = k->version;
	(void)str_copy(d->old_fp, sizeof(d->old_fp), known->fp);
	(void)str_copy(d->note, sizeof(d->note), note);
	(void)str_copy(d->want, sizeof(d->want), k->fp + strlen(k->fp) - TAIL);
	d->key = *known;
	d->fill = fill_replace;
	d->is_over = over_replace;
	d->hints = "Enter go on  Esc = cancel";
}

/* ---- another key for a name that is known ---- */

static void
take_replace(struct ui *ui, struct dialog *d)
{
	const struct model_key *k = model_key(ui->m, d->fp);

	if (k != NULL)
		replace(ui, k, d->line.text);
	else
		ui_say(ui, ROLE_WAIT, "the key is gone; nothing was decided");
}

/* Where there is room the same as of its row. */
static void
fill_changed(struct ui *ui, struct dialog *d)
{
	const struct model_key *known = view_known_of(ui->m, &d->key);
	char grouped[RK_FP_GROUPED_LEN];

	if (!ui_narrow(ui)) {
		detail_key(ui, &d->key, &d->body);
		detail_words("words ", d->key.fp, &d->body);
		dialog_must(d);
		return;
	}
	add_who(ui, &d->key, &d->body);
	text_add(&d->body, ROLE_BAD, "%s",
	    known != NULL ? "WARNING this name has ANOTHER key:"
	                  : "WARNING the name may be another's");
	if (known != NULL) {
		rk_fp_group(known->fp, grouped);
		text_add(&d->body, ROLE_TEXT, "has  %s", grouped);
		detail_visits(ui, 0, known, &d->body);
	}
	dialog_must(d);
	add_more(ui, &d->key, &d->body);
	text_add(&d->body, ROLE_WAIT,
	    "Ask the owner another way. If it is theirs: Replace.");
}

static void
decide_changed(struct ui *ui, const struct model_key *k)
{
	struct dialog *d =
	    open_about(ui, k, " Decide: CHANGED key ", of_changed);

	if (d == NULL)
		return;
	d->fill = fill_changed;
	d->is_over = over_key;
	dialog_note(d, k->note);
}

/* ---- at once, by whoever wants it so ---- */

/* Whatever else than a new key it is, more than a letter is due. */
static bool
is_quick(const struct ui *ui, const struct model_key *k, enum action by)
{
	return ui->conf.quick_keys && by != ACT_OPEN && k->state == KEY_NEW;
}

static void
decide_quick(struct ui *ui, const struct model_key *k, enum action by)
{
	struct dialog d = { .version = k->version };

	(void)str_copy(d.fp, sizeof(d.fp), k->fp);
	(void)str_copy(
	    d.who, sizeof(d.who), k->name[0] != '\0' ? k->name : "no e-mail");
	if (by == ACT_APPROVE) {
		take_approve(ui, &d);
	} else if (by == ACT_ONCE) {
		take_once(ui, &d);
	} else if (by == ACT_REJECT) {
		take_reject(ui, &d);
	} else {
		ui_say(ui, ROLE_DIM, "left for later: %.120s", d.who);
		ui_list_move(ui, ACT_DOWN);
	}
}

void
dlg_decide(struct ui *ui, const struct model_key *k, enum action by)
{
	const bool lets_in = by == ACT_APPROVE || by == ACT_ONCE;

	if (is_quick(ui, k, by))
		decide_quick(ui, k, by);
	else if (k->state == KEY_KNOWN && lets_in)
		ui_say(ui, ROLE_DIM, "the key is known already");
	else if (k->state == KEY_KNOWN)
		decide_known(ui, k);
	else if (k->state != KEY_CHANGED)
		decide_new(ui, k);
	else if (lets_in)
		ui_say(ui, ROLE_WAIT,
		    "the key CHANGED: Enter, then Replace, if it is theirs");
	else
		decide_changed(ui, k);
}

/* ---- forgetting ---- */

void
dlg_forget(struct ui *ui, const struct model_key *k)
{
	struct dialog *d = open_about(ui, k, " Forget a key? ", of_forget);
	char grouped[RK_FP_GROUPED_LEN];

	if (d == NULL)
		return;
	rk_fp_group(k->fp, grouped);
	text_add(
	    &d->body, ROLE_TEXT, "%s, %s", d->who, words_key_state(k->state));
	text_add(&d->body, ROLE_HEAD, "%s", grouped);
	dialog_must(d);
	text_add(&d->body, ROLE_TEXT,
	    "Nothing is remembered of it: when it comes again it is new.");
	d->is_over = over_key;
	d->hints = "y forget  n, Esc no";
}
