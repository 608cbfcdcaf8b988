/* Locking the list, closing a connection, leaving: questions before it. */
#include "dialog.h"

#include "words.h"

#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>

/* ---- the list ---- */

static void
locked(struct ui *ui, struct dialog *d, int button)
{
	(void)d;
	if (button >= 0)
		order_send(ui, "_.lock", NULL, 0,
		    "LOCKED: only known keys may connect", false);
}

static void
unlocked(struct ui *ui, struct dialog *d, int button)
{
	(void)d;
	if (button == 1)
		order_send(ui, "_.unlock", NULL, 0,
		    "the list of known keys may be written again", false);
}

static void
ask_unlock(struct ui *ui)
{
	struct dialog *d = dialog_open(ui, " Unlock the list? ", unlocked);

	if (d == NULL)
		return;
	text_add(&d->body, ROLE_TEXT,
	    "The list of known keys is locked. Unlocked, approved keys are "
	    "written to it again; what becomes of new ones says the mode, %s.",
	    ui->m->status.mode);
	dialog_button(d, "No", 'n');
	dialog_button(d, "Yes", 'y');
	d->hints = "y unlock  n, Esc no";
}

static void
ask_lock(struct ui *ui)
{
	const struct model_status *s = &ui->m->status;
	struct dialog *d =
	    dialog_open(ui, " LOCK the list of known clients ", locked);
	size_t waits = model_waiting(ui->m);
	struct text *t;

	if (d == NULL)
		return;
	t = &d->body;
	text_add(t, ROLE_TEXT, "%s", "");
	text_add(t, ROLE_TEXT,
	    "After this only the %" PRIu64
	    " known key%s may connect. New ones are refused.",
	    s->known, s->known == 1 ? "" : "s");
	text_add(t, ROLE_TEXT, "%s", "");
	text_add(t, ROLE_TEXT, "Check before you lock:");
	text_add(t, s->known > 0 ? ROLE_GOOD : ROLE_BAD,
	    "  [%s] the list %s (%" PRIu64 ")", s->known > 0 ? "ok" : "!!",
	    s->known > 0 ? "is not empty" : "is EMPTY: nobody could connect",
	    s->known);
	text_add(t, waits == 0 ? ROLE_GOOD : ROLE_WAIT,
	    "  [%s] keys that WAIT: %zu%s", waits == 0 ? "ok" : "!!", waits,
	    waits == 0 ? "" : " (they stay out until decided)");
	text_add(t, ROLE_GOOD,
	    "  [ok] your own way in (the admin socket) needs no key");
	text_add(t, ROLE_TEXT, "%s", "");
	text_add(t, ROLE_TEXT, "Open connections are kept.");
	text_add(t, ROLE_DIM, "The same as: rpcd ctl trust lock");
	text_add(t, ROLE_TEXT, "Type LOCK to go on:");
	(void)str_copy(d->want, sizeof(d->want), "LOCK");
	d->hints = "Enter go on  Esc = cancel";
}

void
dlg_lock(struct ui *ui)
{
	const struct model_status *s = &ui->m->status;

	if (!s->has_trust)
		ui_say(ui, ROLE_WAIT, "this daemon has no list of keys");
	else if (strcmp(s->list, "locked") == 0)
		ask_unlock(ui);
	else
		ask_lock(ui);
}

/* ---- a connection ---- */

static void
kicked(struct ui *ui, struct dialog *d, int button)
{
	const struct order_arg args[] = { { "conn", NULL, d->conn } };
	char said[200];

	if (button != 1)
		return;
	(void)snprintf(said, sizeof(said), "kicked %.120s", d->who);
	order_send(ui, "_.kick", args, 1, said, false);
}

void
dlg_kick(struct ui *ui, const struct model_conn *c)
{
	struct dialog *d = dialog_open(ui, " Close this connection? ", kicked);

	if (d == NULL)
		return;
	d->conn = c->id;
	(void)str_copy(d->who, sizeof(d->who),
	    c->email[0] != '\0' ? c->email : c->address);
	text_add(&d->body, ROLE_TEXT, "%s from %s", d->who, c->address);
	if (c->running > 0)
		text_add(&d->body, ROLE_WAIT,
		    "%" PRIu64 " call%s of it run%s and would be lost.",
		    c->running, c->running == 1 ? "" : "s",
		    c->running == 1 ? "s" : "");
	text_add(&d->body, ROLE_TEXT, "It may come back at once.");
	dialog_button(d, "No", 'n');
	dialog_button(d, "Yes", 'y');
	d->hints = "y close it  n, Esc no";
}

/* ---- leaving ---- */

static void
left(struct ui *ui, struct dialog *d, int button)
{
	(void)d;
	if (button == 1)
		ui_end(ui, 0);
}

void
dlg_quit(struct ui *ui)
{
	struct dialog *d = dialog_open(ui, " Quit? ", left);

	if (d == NULL)
		return;
	text_add(&d->body, ROLE_WAIT,
	    "Something is half done: an order or a "
	    "command still runs.");
	dialog_button(d, "Stay", 'n');
	dialog_button(d, "Quit", 'y');
	d->hints = "y quit  n, Esc stay";
}
