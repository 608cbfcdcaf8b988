/* The help: every key of this tab, searched by typing, run by Enter. */
#include "pane.h"

#include "paint.h"

#include "base/str.h"

#include <stdio.h>

/* What a key does here; a use of a key is the vault's agent's to allow, which
 * has nothing to do with who may steer the daemon. */
static const char *
help_of(const struct ui *ui, const struct keys_row *k)
{
	return keys_help(
	    k, ui->tab == TAB_KEYS ? ui->conf.read_only : ui_read_only(ui));
}

/* The row of the table that a line of the pane stands for. */
static const struct keys_row *
row_at(const struct ui *ui, const struct pane *p, size_t line)
{
	const struct keys_row *k;
	char text[160];

	for (size_t i = 0; (k = keys_row(i)) != NULL; i++) {
		if ((k->tabs & 1u << ui->tab) == 0)
			continue;
		(void)snprintf(
		    text, sizeof(text), "%-7s %s", k->name, help_of(ui, k));
		if (paint_holds(text, p->search) && line-- == 0)
			return k;
	}
	return NULL;
}

static void
fill(struct ui *ui, struct pane *p)
{
	static const char *const signs[] = {
		[TAB_CONNS] = "S: ok busy  -- idle  .. coming or going  "
		              "?? waits for you  !! key CHANGED",
		[TAB_TRUST] = "S: ok known  1x once  ?? waits for you  "
		              "!! CHANGED  xx rejected",
	};
	const struct keys_row *k;

	for (size_t i = 0; (k = row_at(ui, p, i)) != NULL; i++)
		text_add(&p->text,
		    k->steers && ui_read_only(ui) ? ROLE_DIM : ROLE_TEXT,
		    "%-7s %s", k->name, help_of(ui, k));
	if (p->pick >= p->text.n)
		p->pick = p->text.n > 0 ? p->text.n - 1 : 0;
	if (p->search[0] == '\0' && ui->tab <= TAB_TRUST) {
		text_add(&p->text, ROLE_TEXT, "%s", "");
		text_add(&p->text, ROLE_DIM, "%s", signs[ui->tab]);
	}
	(void)snprintf(p->title, sizeof(p->title), "help: %s   search: %s_",
	    view_tab_name(ui->tab), p->search);
}

static bool
key(struct ui *ui, struct pane *p, uint32_t key)
{
	const struct keys_row *k;
	size_t n = strlen(p->search);

	switch (key) {
	case TK_UP:
		p->pick -= p->pick > 0;
		return true;
	case TK_DOWN:
		p->pick++;
		return true;
	case TK_PGUP:
		p->pick -= p->pick < 8 ? p->pick : 8;
		return true;
	case TK_PGDN:
		p->pick += 8;
		return true;
	case TK_ENTER:
		k = row_at(ui, p, p->pick);
		pane_close(ui);
		if (k != NULL)
			ui_act(ui, k);
		return true;
	case TK_BACKSPACE:
		p->search[n > 0 ? n - 1 : 0] = '\0';
		return true;
	default:
		break;
	}
	if (key < ' ' || key >= 0x7f || n + 1 >= sizeof(p->search))
		return key < TK_UP;
	p->search[n] = (char)key;
	p->search[n + 1] = '\0';
	p->pick = 0;
	return true;
}

void
help_open(struct ui *ui)
{
	static const struct pane_ops ops = { .fill = fill,
		.key = key,
		.hints = "type to search  Up/Down move  Enter run it  Esc "
		         "back" };
	struct pane *p = pane_open(ui, &ops, "help");

	if (p != NULL)
		p->pick = 0;
}
