/* May a key of the vault be used?  Asked by its agent, answered here. */
#include "dialog.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define WHILE_MS 120000

static void
answered(enum rk_err code, const char *why, void *arg)
{
	struct ui *ui = arg;

	if (code == RK_OK)
		ui_say(ui, ROLE_TEXT, "answered");
	else
		ui_say(ui, ROLE_BAD, "not answered: %s", why);
}

static void
answer(struct ui *ui, const struct dialog *d, bool yes, uint64_t ms)
{
	if (vault_answer(ui->conf.vault, (uint32_t)d->conn, yes, ms, answered,
	        ui) != RK_OK)
		ui_say(ui, ROLE_BAD, "not answered: the agent is busy or gone");
}

static void
take_allow(struct ui *ui, struct dialog *d)
{
	answer(ui, d, true, 0);
}

static void
take_while(struct ui *ui, struct dialog *d)
{
	answer(ui, d, true, WHILE_MS);
}

static void
take_deny(struct ui *ui, struct dialog *d)
{
	answer(ui, d, false, 0);
}

static const struct button buttons[] = {
	{ "Later", 'l', NULL, false },
	{ "Allow", 'a', take_allow, true },
	{ "Allow for 2 min", 't', take_while, true },
	{ "Deny", 'd', take_deny, true },
	{ 0 },
};

void
dlg_asked(struct ui *ui, const struct model_asked *q)
{
	struct dialog *d =
	    dialog_open(ui, " May this key of the vault be used? ", NULL);
	int64_t left = (q->until_ms - ui_now(ui)) / 1000;

	if (d == NULL)
		return;
	d->conn = q->id;
	text_fact(&d->body, "key", q->name);
	text_fact(&d->body, "for", q->what);
	text_fact(&d->body, "by", q->who);
	dialog_must(d);
	text_add(&d->body, ROLE_DIM, "Without an answer it is refused in %d s.",
	    left > 0 ? (int)left : 0);
	dialog_buttons(d, buttons);
}
