/* What the daemon is told to do, and what it says to that. */
#include "ui.h"

#include "base/error.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char order_yes[] = "yes"; /* a text of a member that is true */

/* Those that the audit tells of. */
static bool
is_audited(const char *method)
{
	return strcmp(method, "_.decide") == 0 ||
	       strcmp(method, "_.undo") == 0 ||
	       strcmp(method, "_.import") == 0 ||
	       strcmp(method, "_.cancel") == 0 ||
	       strcmp(method, "_.lock") == 0 || strcmp(method, "_.unlock") == 0;
}

static enum rk_err
put_text(struct rk_value_doc *doc, struct rk_value *v, const char *text)
{
	return rk_value_set_bytes(doc, v, RK_STR, text, strlen(text));
}

static enum rk_err
put_args(struct rk_value_doc *doc, const struct order_arg *args, size_t n,
    bool audited)
{
	struct rk_value *root = rk_value_root(doc), *items;
	enum rk_err r;

	r = rk_value_set_list(doc, root, RK_MAP, (uint32_t)n + audited);
	items = root->u.list.items;
	for (size_t i = 0; i < n && r == RK_OK; i++) {
		struct rk_value *v = &items[2 * i + 1];

		r = put_text(doc, &items[2 * i], args[i].key);
		if (r == RK_OK && args[i].text == order_yes) {
			v->kind = RK_BOOL;
			v->u.b = true;
		} else if (r == RK_OK && args[i].text != NULL) {
			r = put_text(doc, v, args[i].text);
		} else if (r == RK_OK) {
			v->kind = RK_UINT;
			v->u.u64 = args[i].number;
		}
	}
	if (r == RK_OK && audited)
		r = put_text(doc, &items[2 * n], "via");
	if (r == RK_OK && audited)
		r = put_text(doc, &items[2 * n + 1], ORDER_VIA);
	return r;
}

static enum rk_err
pack(const struct order_arg *args, size_t n, bool audited, uint8_t **made,
    size_t *len)
{
	struct rk_value_doc *doc;
	enum rk_err r;

	*made = NULL;
	*len = 0;
	if (n == 0 && !audited)
		return RK_OK;
	if ((r = rk_value_new(&doc)) != RK_OK)
		return r;
	if ((r = put_args(doc, args, n, audited)) == RK_OK)
		r = rk_value_encode(rk_value_root(doc), made, len);
	rk_value_free(doc);
	return r;
}

/* What is left out is said before what is in. */
static void
say_imported(struct ui *ui, const struct rk_value *answer)
{
	uint64_t out = ctl_number(answer, "out"),
	         taken = ctl_number(answer, "taken");
	char more[64] = "";

	if (out > 0)
		(void)snprintf(more, sizeof(more),
		    ", %" PRIu64 " rejected or revoked before: still out", out);
	if (ctl_number(answer, "wrong") > 0)
		ui_say(ui, ROLE_BAD,
		    "nothing is imported: that is no line of a known-keys "
		    "file");
	else if (taken > 0)
		ui_say(ui, ROLE_BAD,
		    "refused: another key is known for its e-mail; when it "
		    "comes, Enter on it replaces that");
	else
		ui_say(ui, out > 0 ? ROLE_WAIT : ROLE_GOOD,
		    "imported: %" PRIu64 " new, %" PRIu64 " known already%s",
		    ctl_number(answer, "new"), ctl_number(answer, "known"),
		    more);
}

static void
say_done(struct ui *ui, const struct order *o, const struct rk_value *answer)
{
	if (rk_value_get(answer, "new") != NULL)
		say_imported(ui, answer);
	else
		ui_say(ui, ROLE_GOOD, "%s", o->said);
}

/* Of which key is in the selected row, and takes more than a narrow line. */
static const char *
without_key(const struct order *o, const char *text)
{
	const size_t len = RK_FP_LEN - 1;

	if ((o->can_undo || o->undoes) &&
	    strncmp(text, "key SHA256:", 11) == 0 && strlen(text) > len + 6 &&
	    strncmp(text + 4 + len, ": ", 2) == 0)
		return text + 4 + len + 2;
	return text;
}

static void
on_done(enum rk_err code, const struct rk_error *err,
    const struct rk_value *answer, void *arg)
{
	struct order *slot = arg;
	const struct order done = *slot, *o = &done;
	struct ui *ui = o->ui;

	/* What follows may take it. */
	slot->ui = NULL;
	if (code != RK_OK && !o->quiet)
		ui_say(ui, ROLE_BAD, "%s",
		    err != NULL && err->text[0] != '\0'
		        ? without_key(o, err->text)
		        : rk_err_text(code));
	if (o->answered != NULL) {
		o->answered(ui, code, code == RK_OK ? answer : NULL);
		ui->dirty = true;
		return;
	}
	/* What has become of it is not waited for; no event tells of notes. */
	ui->conf.model->keys_stale = true;
	feed_ask(ui->conf.feed);
	if (code == RK_OK)
		say_done(ui, o, answer);
	if (o->can_undo)
		undo_decided(ui, o, code, answer);
	if (o->undoes)
		undo_answered(ui, o, code);
	if (code == RK_EDENIED && o->denied != NULL && err != NULL)
		o->denied(ui, &o->what, err->text);
	if (code == RK_OK && o->then != NULL)
		o->then(ui);
}

static struct order *
free_slot(struct ui *ui)
{
	for (size_t i = 0; i < UI_ORDERS; i++) {
		if (ui->orders[i].ui == NULL)
			return &ui->orders[i];
	}
	return NULL;
}

/* What it is about is remembered, for when no answer comes. */
static void
note_key(struct order *o, const struct ui *ui, const struct order_arg *args,
    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(args[i].key, "key") == 0)
			(void)str_copy(o->fp, sizeof(o->fp), args[i].text);
		else if (strcmp(args[i].key, "verb") == 0)
			(void)str_copy(o->verb, sizeof(o->verb), args[i].text);
	}
	o->before = ui->undo.newest;
}

static bool
send(struct ui *ui, const char *method, const struct order_arg *args, size_t n,
    const struct order *what)
{
	struct order *o = free_slot(ui);
	struct rk_error err = { 0 };
	uint8_t *made = NULL;
	size_t len = 0;
	enum rk_err r;

	if (o == NULL) {
		ui_say(ui, ROLE_BAD, "too many orders run already");
		return false;
	}
	*o = *what;
	if (o->can_undo || o->undoes)
		note_key(o, ui, args, n);
	if ((r = pack(args, n, is_audited(method), &made, &len)) == RK_OK)
		r = feed_order(ui->conf.feed, method,
		    (struct rk_bytes){ made, len }, on_done, o, &err);
	free(made);
	if (r == RK_OK)
		o->ui = ui;
	else if (!o->quiet && !ui->conf.model->online)
		ui_say_away(ui, ROLE_BAD, err.text);
	else if (!o->quiet)
		ui_say(ui, ROLE_BAD, "%s",
		    err.text[0] != '\0' ? err.text : rk_err_text(r));
	return r == RK_OK;
}

void
order_send(struct ui *ui, const char *method, const struct order_arg *args,
    size_t n, const char *said, bool can_undo)
{
	struct order what = { .can_undo = can_undo };

	(void)str_copy(what.said, sizeof(what.said), said);
	(void)send(ui, method, args, n, &what);
}

void
order_undo(struct ui *ui, const struct order_arg *args, size_t n)
{
	const struct order what = { .undoes = true, .said = "taken back" };

	(void)send(ui, "_.undo", args, n, &what);
}

void
order_then(struct ui *ui, const char *method, const struct order_arg *args,
    size_t n, const char *said, void (*then)(struct ui *ui))
{
	struct order what = { .then = then };

	(void)str_copy(what.said, sizeof(what.said), said);
	(void)send(ui, method, args, n, &what);
}

void
order_replace(struct ui *ui, const struct replacing *what, denied_fn *denied)
{
	struct order order = {
		.can_undo = true, .denied = denied, .what = *what
	};
	struct order_arg args[7] = {
		{ "key", what->old_fp, 0 },
		{ "verb", "replace", 0 },
		{ "by", what->fp, 0 },
		{ "version", NULL, what->version },
		{ "by_version", NULL, what->by_version },
	};
	size_t n = 5;

	if (denied == NULL)
		args[n++] = (struct order_arg){ "changed", order_yes, 0 };
	if (what->note[0] != '\0')
		args[n++] = (struct order_arg){ "note", what->note, 0 };
	(void)snprintf(order.said, sizeof(order.said),
	    "replaced the key of %.120s", what->who);
	(void)send(ui, "_.decide", args, n, &order);
}

bool
order_ask(struct ui *ui, const char *method, const struct order_arg *args,
    size_t n, answered_fn *answered)
{
	const struct order what = { .answered = answered };

	return send(ui, method, args, n, &what);
}

bool
order_look(struct ui *ui, const char *method, const struct order_arg *args,
    size_t n, answered_fn *answered)
{
	const struct order what = { .answered = answered, .quiet = true };

	return send(ui, method, args, n, &what);
}
