/* Keys to deeds. */
#include "ui.h"

#include "dialog.h"
#include "extra.h"
#include "key_pane.h"
#include "pane.h"
#include "words.h"

#include "base/str.h"

#include <rpckit/log.h>

#include <stdio.h>

/* ---- what the selected row is ---- */

/* The key that a row is, or that waits behind it. */
static const struct model_key *
picked_key(struct ui *ui)
{
	const struct row *r = ui_row(ui);

	if (r != NULL && r->kind == ROW_KEY)
		return &ui->m->keys[r->at];
	if (r != NULL && r->kind == ROW_CONN &&
	    ui->m->conns[r->at].state == MODEL_WAITING)
		return view_key_of(ui->m, &ui->m->conns[r->at]);
	return NULL;
}

static const struct model_conn *
picked_conn(struct ui *ui)
{
	const struct row *r = ui_row(ui);

	if (r != NULL && r->kind == ROW_CONN)
		return &ui->m->conns[r->at];
	return NULL;
}

static const struct model_asked *
picked_asked(struct ui *ui)
{
	const struct row *r = ui_row(ui);

	if (r != NULL && r->kind == ROW_ASKED)
		return &ui->m->agent.asked[r->at];
	return NULL;
}

/* ---- deeds about it ---- */

/* The daemon's socket has no say in it: the agent is another's. */
static void
act_on_asked(struct ui *ui)
{
	const struct model_asked *q = picked_asked(ui);

	if (q == NULL)
		ui_say(ui, ROLE_DIM, "no use that waits for a yes is selected");
	else
		dlg_asked(ui, q);
}

static void
open_row(struct ui *ui)
{
	const struct row *r = ui_row(ui);
	const struct model_key *k = picked_key(ui);

	if (r == NULL)
		return;
	if (r->kind == ROW_ASKED && !ui->conf.read_only)
		dlg_asked(ui, picked_asked(ui));
	else if (k != NULL && k->state != KEY_KNOWN && !ui_read_only(ui))
		dlg_decide(ui, k, ACT_OPEN);
	else
		more_open(ui, r);
}

static void
noted(struct ui *ui, const char *text)
{
	const struct order_arg args[] = {
		{ "key", ui->prompt.fp, 0 },
		{ "verb", "note", 0 },
		{ "note", text, 0 },
		{ "version", NULL, ui->prompt.version },
	};

	if (text != NULL && strlen(text) >= DIALOG_NOTE)
		ui_say(ui, ROLE_BAD, "a note has at most %d bytes",
		    DIALOG_NOTE - 1);
	else if (text != NULL && ui->prompt.process != ui->conf.model->process)
		ui_say(ui, ROLE_WAIT,
		    "another daemon answers by now; it is told nothing");
	else if (text != NULL)
		order_send(ui, "_.decide", args, 4, "noted", false);
}

static void
ask_note(struct ui *ui, const struct model_key *k)
{
	ui_ask(ui, "note: ", k->note, noted);
	(void)str_copy(ui->prompt.fp, sizeof(ui->prompt.fp), k->fp);
	ui->prompt.version = k->version;
	ui->prompt.process = ui->m->process;
}

static void
act_on_key(struct ui *ui, enum action action)
{
	const struct model_key *k = picked_key(ui);

	if (k == NULL)
		ui_say(ui, ROLE_DIM, "no key is selected");
	else if (action == ACT_FORGET)
		dlg_forget(ui, k);
	else if (action == ACT_NOTE)
		ask_note(ui, k);
	else if (action == ACT_AUDIT_OF)
		audit_of(ui, k);
	else
		dlg_decide(ui, k, action);
}

static void
show_key(struct ui *ui)
{
	const struct model_key *k = picked_key(ui);
	const struct model_conn *c = picked_conn(ui);
	char who[VIEW_WHO];

	if (k != NULL)
		qr_open(ui, k->fp, k->name);
	else if (c != NULL)
		qr_open(ui, c->fp, view_who(c, who));
}

static void
act_on_conn(struct ui *ui, enum action action)
{
	const struct model_conn *c = picked_conn(ui);

	if (c == NULL)
		ui_say(ui, ROLE_DIM, "no connection is selected");
	else if (c->state == MODEL_CLOSED)
		ui_say(ui, ROLE_DIM, "it is closed already");
	else if (c->id == 0 ||
	         (action != ACT_KICK &&
	             (c->state == MODEL_NEW || c->state == MODEL_WAITING)))
		ui_say(ui, ROLE_WAIT, "it is not let in yet; Enter decides");
	else if (action == ACT_KICK)
		dlg_kick(ui, c);
	else
		trace_open(ui, c);
}

static void
cancel_call(struct ui *ui)
{
	const struct row *r = ui_row(ui);
	const struct model_call *c =
	    r != NULL && r->kind == ROW_CALL ? &ui->m->calls[r->at] : NULL;

	if (c == NULL)
		ui_say(ui, ROLE_DIM, "no call that runs is selected");
	else if (c->canceled)
		ui_say(ui, ROLE_DIM, "it is canceled already");
	else
		dlg_cancel(ui, c);
}

/* ---- deeds about the list ---- */

static void
found(struct ui *ui, const char *text)
{
	if (text == NULL)
		return;
	(void)str_copy(ui->find, sizeof(ui->find), text);
	if (text[0] != '\0' && !ui_list_find(ui, true, true))
		ui_say(ui, ROLE_WAIT, "not found: %s", text);
}

static void
filtered(struct ui *ui, const char *text)
{
	struct view *v = &ui->lists[ui->tab].view;

	if (text != NULL)
		(void)str_copy(v->filter, sizeof(v->filter), text);
}

static void
find_next(struct ui *ui, bool forward)
{
	if (ui->find[0] == '\0')
		ui_say(ui, ROLE_DIM, "nothing is looked for; / asks");
	else if (!ui_list_find(ui, forward, false))
		ui_say(ui, ROLE_WAIT, "not found: %s", ui->find);
}

static void
sort_next(struct ui *ui, bool turn)
{
	struct view *v = &ui->lists[ui->tab].view;
	size_t n;

	(void)view_sorts(v->tab, &n);
	if (turn)
		v->down = !v->down;
	else if (n > 0)
		v->sort = (v->sort + 1) % (unsigned)n;
}

static void
show_next(struct ui *ui)
{
	struct view *v = &ui->lists[ui->tab].view;
	size_t n;
	const char *const *shows = view_shows(&n);

	v->show = (v->show + 1) % (unsigned)n;
	ui_say(ui, ROLE_DIM, "show:%s", shows[v->show]);
}

static void
go_back(struct ui *ui)
{
	struct view *v = &ui->lists[ui->tab].view;

	if (ui->side)
		ui->side = false;
	else if (ui->find[0] != '\0')
		ui->find[0] = '\0';
	else
		v->filter[0] = '\0';
	ui->message[0] = '\0';
}

static void
move(struct ui *ui, enum action action)
{
	if (!ui->side) {
		ui_list_move(ui, action);
		return;
	}
	if (action == ACT_UP)
		ui->side_top -= ui->side_top > 0;
	else if (action == ACT_TOP || action == ACT_PGUP)
		ui->side_top = 0;
	else
		ui->side_top += action == ACT_DOWN ? 1 : 4;
}

static void
leave(struct ui *ui)
{
	bool busy = ui->command != NULL;

	for (size_t i = 0; i < UI_ORDERS; i++)
		busy = busy || ui->orders[i].ui != NULL;
	if (busy)
		dlg_quit(ui);
	else
		ui_end(ui, 0);
}

static void
set_mouse(struct ui *ui)
{
	ui->mouse = !ui->mouse;
	term_mouse(ui->term, ui->mouse);
	ui_say(ui, ROLE_DIM, "mouse %s", ui->mouse ? "on" : "off");
}

static void
set_side(struct ui *ui)
{
	ui->side = !ui->side;
	ui_say(ui, ROLE_DIM,
	    ui->side ? "j/k move in the detail; Tab goes back" : "");
}

/* ---- which deed ---- */

static void
act_on_list(struct ui *ui, const struct keys_row *k)
{
	struct list *l = &ui->lists[ui->tab];

	switch ((unsigned)k->action) {
	case ACT_FIND:
		ui_ask(ui, "/", "", found);
		break;
	case ACT_NEXT:
	case ACT_PREV:
		find_next(ui, k->action == ACT_NEXT);
		break;
	case ACT_FILTER:
		ui_ask(ui, "&", l->view.filter, filtered);
		break;
	case ACT_SORT:
	case ACT_TURN:
		sort_next(ui, k->action == ACT_TURN);
		break;
	case ACT_LEVEL:
		/* Those that the feed asks for. */
		l->view.level = (l->view.level + 1) % (RK_LOG_INFO + 1);
		break;
	case ACT_SHOW:
		show_next(ui);
		break;
	case ACT_FOLLOW:
		l->follow = !l->follow;
		break;
	case ACT_EXPORT:
		export_ask(ui);
		break;
	case ACT_SIDE:
		set_side(ui);
		break;
	default:
		move(ui, k->action);
		break;
	}
}

static void
act_on_row(struct ui *ui, const struct keys_row *k)
{
	switch ((unsigned)k->action) {
	case ACT_OPEN:
		open_row(ui);
		break;
	case ACT_LOCK:
		dlg_lock(ui);
		break;
	case ACT_IMPORT:
		import_ask(ui);
		break;
	case ACT_UNDO:
		undo_last(ui);
		break;
	case ACT_AUDIT:
		audit_open(ui);
		break;
	case ACT_KICK:
	case ACT_TRACE:
		act_on_conn(ui, k->action);
		break;
	case ACT_CANCEL:
		cancel_call(ui);
		break;
	case ACT_SHOW_KEY:
		show_key(ui);
		break;
	case ACT_ALLOW:
	case ACT_DENY:
		act_on_asked(ui);
		break;
	default:
		act_on_key(ui, k->action);
		break;
	}
}

static void
act_on_screen(struct ui *ui, const struct keys_row *k)
{
	switch ((unsigned)k->action) {
	case ACT_TAB:
		ui->tab = (enum tab)(k->key - '1');
		ui->side = false;
		ui->side_top = 0;
		feed_want_methods(ui->conf.feed, ui->tab == TAB_CALLS);
		/* Letters are for what was seen. */
		if (ui->conf.quick_keys && ui->tab == TAB_TRUST)
			term_discard(ui->term);
		break;
	case ACT_PAUSE:
		ui_pause(ui, ui->frozen == NULL);
		break;
	case ACT_MOUSE:
		set_mouse(ui);
		break;
	case ACT_REDRAW:
		term_redraw(ui->term);
		break;
	case ACT_COMMAND:
		cmdline_ask(ui);
		break;
	case ACT_HELP:
		help_open(ui);
		break;
	case ACT_BACK:
		go_back(ui);
		break;
	case ACT_LEAVE:
		leave(ui);
		break;
	case ACT_QUIT:
		ui_end(ui, 130);
		break;
	case ACT_STOP:
		term_stop(ui->term);
		break;
	default:
		break;
	}
}

/* Does it do something to the selected row? */
static bool
is_about_selected(enum action action)
{
	return action >= ACT_OPEN && action <= ACT_TRACE &&
	       action != ACT_LOCK && action != ACT_IMPORT && action != ACT_UNDO;
}

void
ui_act(struct ui *ui, const struct keys_row *k)
{
	bool about_row = k->action >= ACT_OPEN && k->action <= ACT_TRACE;
	bool about_screen = k->action == ACT_TAB || k->action == ACT_PAUSE ||
	                    k->action >= ACT_MOUSE;
	bool slid;

	if (k->steers && (k->action == ACT_ALLOW || k->action == ACT_DENY
	                         ? ui->conf.read_only
	                         : ui_read_only(ui))) {
		ui_say(
		    ui, ROLE_WAIT, "read-only: nothing is changed from here");
		return;
	}
	/* The rows may be older than the model. */
	ui_list_fresh(ui);
	slid = ui->lists[ui->tab].slid;
	ui->lists[ui->tab].slid = false;
	if (slid && is_about_selected(k->action))
		ui_say(ui, ROLE_WAIT,
		    "what was selected is gone: look, and press it again");
	else if (about_row)
		act_on_row(ui, k);
	else if (about_screen)
		act_on_screen(ui, k);
	else
		act_on_list(ui, k);
	if (!about_row)
		ui_list_seen(ui);
}

/* ---- keys ---- */

static void
prompt_key(struct ui *ui, uint32_t key)
{
	struct prompt *p = &ui->prompt;
	char text[LINE_LEN];

	if (key == TK_TAB && p->complete != NULL) {
		p->complete(ui, &p->line);
	} else if (key == TK_ENTER || key == TK_ESC) {
		p->on = false;
		(void)str_copy(text, sizeof(text), p->line.text);
		ui_list_fresh(ui);
		p->done(ui, key == TK_ENTER ? text : NULL);
		ui_list_seen(ui);
	} else {
		(void)line_key(&p->line, key);
	}
}

static void
clicked(struct ui *ui)
{
	struct list *l = &ui->lists[ui->tab];
	struct box b = ui->list_box;
	int row, col, first;

	term_click(ui->term, &row, &col);
	ui_list_fresh(ui);
	first = b.row + (ui_ops(ui)->head != NULL && !ui_narrow(ui));
	if (row < first || row >= b.row + b.height || col < b.col ||
	    col >= b.col + b.width)
		return;
	if (l->top + (size_t)(row - first) < l->rows.n &&
	    l->rows.v[l->top + (size_t)(row - first)].kind != ROW_HEAD)
		ui_list_pick(ui, l->top + (size_t)(row - first));
}

/* Text is for lines that are typed: one line of it. */
static void
pasted_key(struct ui *ui, uint32_t key)
{
	if (key == TK_ENTER || key == TK_TAB)
		key = ' ';
	if (ui_tiny(ui) || key >= TK_UP)
		return;
	if (ui->prompt.on)
		(void)line_key(&ui->prompt.line, key);
	else if (ui->dialog == NULL || !dialog_paste(ui->dialog, key))
		ui_say(ui, ROLE_DIM,
		    "pasted text is taken where a line is asked for");
}

void
ui_key(struct ui *ui, uint32_t key, bool pasted)
{
	const struct keys_row *k;

	if (pasted) {
		pasted_key(ui, key);
		return;
	}
	ui->last_key = key;
	if (key == TK_WHEEL_UP || key == TK_WHEEL_DOWN)
		key = key == TK_WHEEL_UP ? TK_UP : TK_DOWN;
	k = keys_find(ui->tab, key);
	if (k != NULL && (k->action == ACT_STOP || k->action == ACT_REDRAW))
		ui_act(ui, k);
	else if (key == TK_CTRL('c') &&
	         (ui->pane == NULL || ui->prompt.on || ui->command == NULL))
		ui_end(ui, 130);
	else if (ui_tiny(ui))
		return; /* what it does would not be seen */
	else if (ui->prompt.on)
		prompt_key(ui, key);
	else if (ui->dialog != NULL)
		dialog_key(ui, key);
	else if (ui->pane != NULL)
		pane_key(ui, key);
	else if (key == TK_CLICK)
		clicked(ui);
	else if (k != NULL)
		ui_act(ui, k);
}
