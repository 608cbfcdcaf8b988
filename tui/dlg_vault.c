/* May a key of the vault be used?  Asked by its agent, answered here. */
#include "dialog.h"

#include "base/str.h"

#include <stdio.h>
#include <string.h>

#define WHILE_MS 120000

enum {
	BUTTON_LATER,
	BUTTON_ALLOW,
	BUTTON_WHILE,
	BUTTON_DENY
};

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
decided(struct ui *ui, struct dialog *d, int button)
{
	bool yes = button == BUTTON_ALLOW || button == BUTTON_WHILE;

	if (button <= BUTTON_LATER)
		return;
	if (vault_answer(ui->conf.vault, (uint32_t)d->conn, yes,
	        button == BUTTON_WHILE ? WHILE_MS : 0, answered, ui) != RK_OK)
		ui_say(ui, ROLE_BAD, "not answered: the agent is busy or gone");
}

void
dlg_asked(struct ui *ui, const struct model_asked *q)
{
	struct dialog *d =
	    dialog_open(ui, " May this key of the vault be used? ", decided);
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
	dialog_button(d, "Later", 'l');
	dialog_button(d, "Allow", 'a');
	dialog_button(d, "Allow for 2 min", 't');
	dialog_button(d, "Deny", 'd');
	d->hints = "Tab/arrows move  Enter take  l a t d direct  Esc = Later";
	d->brief = "Tab, Enter  l a t d  Esc = Later";
}
