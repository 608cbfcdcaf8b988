/* Questions over the body: drawing them, and their keys. */
#include "dialog.h"

#include "paint.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

#define WIDTH 74
#define ROOM_MIN 8 /* lines beside the buttons, for a note to be among them */

struct dialog *
dialog_open(struct ui *ui, const char *title,
    void (*done)(struct ui *ui, struct dialog *d, int button))
{
	struct dialog *d = calloc(1, sizeof(*d));

	dialog_close(ui);
	if (d == NULL) {
		ui_say(ui, ROLE_BAD, "out of memory");
		return NULL;
	}
	(void)str_copy(d->title, sizeof(d->title), title);
	d->done = done;
	d->hints = "Tab/arrows move  Enter take  Esc back";
	ui->dialog = d;
	term_discard(ui->term);
	return d;
}

void
dialog_button(struct dialog *d, const char *label, uint32_t key)
{
	if (d->n_buttons < DIALOG_BUTTONS)
		d->buttons[d->n_buttons++] = (struct button){ label, key };
}

void
dialog_note(struct dialog *d, const char *text)
{
	d->has_note = true;
	(void)str_copy(d->note, sizeof(d->note), text);
	line_set(&d->line, d->note);
}

static void
drop(struct dialog *d)
{
	text_fini(&d->body);
	free(d);
}

void
dialog_close(struct ui *ui)
{
	struct dialog *d = ui->dialog;

	ui->dialog = NULL;
	if (d != NULL)
		drop(d);
}

static void
finish(struct ui *ui, int button)
{
	struct dialog *d = ui->dialog;

	ui->dialog = NULL;
	d->done(ui, d, button);
	drop(d);
}

/* ---- keys ---- */

static void
typed_key(struct ui *ui, struct dialog *d, uint32_t key)
{
	if (key != TK_ENTER)
		(void)line_key(&d->line, key);
	else if (strcmp(d->line.text, d->want) == 0)
		finish(ui, 0);
	else
		ui_say(ui, ROLE_WAIT, "that is not it; Esc goes back");
}

static bool
in_note(const struct dialog *d)
{
	return d->focus == d->n_buttons;
}

/* Enter ends the note, and decides nothing. */
static void
note_key(struct dialog *d, uint32_t key)
{
	struct line before = d->line;

	if (key == TK_ENTER || key == TK_TAB)
		d->focus = 0;
	else if (key == TK_BACKTAB)
		d->focus = d->n_buttons - 1;
	else if (line_key(&d->line, key) && d->line.len >= DIALOG_NOTE)
		d->line = before;
}

static void
button_key(struct ui *ui, struct dialog *d, uint32_t key)
{
	/* The note is one more place to be. */
	size_t n = d->n_buttons + d->note_fits;

	for (size_t i = 0; i < d->n_buttons; i++) {
		if (d->buttons[i].key == key) {
			finish(ui, (int)i);
			return;
		}
	}
	if (key == 'n' && d->note_fits)
		d->focus = d->n_buttons;
	else if (key == TK_TAB || key == TK_RIGHT)
		d->focus = (d->focus + 1) % n;
	else if (key == TK_BACKTAB || key == TK_LEFT)
		d->focus = (d->focus + n - 1) % n;
	else if (key == TK_ENTER)
		finish(ui, (int)d->focus);
}

void
dialog_key(struct ui *ui, uint32_t key)
{
	struct dialog *d = ui->dialog;

	if (key == TK_ESC)
		finish(ui, -1);
	else if (key == TK_DOWN || key == TK_PGDN)
		d->top++;
	else if (key == TK_UP || key == TK_PGUP)
		d->top -= d->top > 0;
	else if (d->turn != NULL && key == d->turn_key)
		d->turned = !d->turned;
	else if (d->want[0] != '\0')
		typed_key(ui, d, key);
	else if (in_note(d))
		note_key(d, key);
	else
		button_key(ui, d, key);
}

bool
dialog_paste(struct dialog *d, uint32_t key)
{
	if (d->want[0] != '\0')
		(void)line_key(&d->line, key);
	return d->want[0] != '\0';
}

const char *
dialog_hints(const struct dialog *d)
{
	return d->hints;
}

/* ---- drawing ---- */

/* The buttons, in as many lines as they take; without `draw` only counted. */
static int
draw_buttons(
    struct ui *ui, const struct dialog *d, const struct box *b, bool draw)
{
	int row = 0, col = 0;
	char text[64];

	for (size_t i = 0; i < d->n_buttons; i++) {
		int n = snprintf(text, sizeof(text), "%s[ %s ]",
		    i == d->focus ? "> " : "  ", d->buttons[i].label);

		if (col > 0 && col + n > b->width) {
			row++;
			col = 0;
		}
		if (draw)
			term_put(ui->term, b->row + row, b->col + col,
			    i == d->focus ? ROLE_PICK : ROLE_TEXT, text);
		col += n + 1;
	}
	return row + 1;
}

/* Of a line that is too long its end, up to the cursor. */
static void
draw_typed(struct ui *ui, const struct dialog *d, const struct box *b, int row,
    const char *label, bool on)
{
	char fit[PAINT_MAX], head[LINE_LEN];
	size_t n = paint_fit(fit, label, (size_t)b->width / 2, 0), at;
	size_t room = (size_t)b->width - n - 1;
	const char *text = d->line.text;

	row += b->row;
	term_put(ui->term, row, b->col, ROLE_HEAD, fit);
	memcpy(head, text, d->line.at);
	head[d->line.at] = '\0';
	at = paint_tail(head, room);
	text += d->line.at - strlen(head);
	(void)paint_fit(fit, text, room, 1);
	term_put(
	    ui->term, row, b->col + (int)n, on ? ROLE_PICK : ROLE_TEXT, fit);
	if (on)
		term_cursor(ui->term, row, b->col + (int)(n + at));
}

/* Is some of the text out of sight?  On the lower edge. */
static void
draw_rest(struct ui *ui, const struct dialog *d, const struct box *in,
    int lines, int edge)
{
	const bool below = lines - (int)d->top > in->height;
	const char *text = " the end: Up goes back ";

	if (d->top == 0 && !below)
		return;
	if (below)
		text = d->top == 0 ? " more: Down " : " more: Up, Down ";
	term_put(ui->term, edge, in->col + 1, ROLE_HEAD, text);
}

void
dialog_draw(struct ui *ui, struct dialog *d, const struct box *body)
{
	int width = body->width < WIDTH + 2 ? body->width : WIDTH;
	struct box in = { 0, 0, 0, width - 4 }, foot;
	int below, lines, height;

	if (d->turn != NULL)
		d->turn(ui, d);
	in.height = 1;
	below = d->want[0] != '\0' ? 1 : draw_buttons(ui, d, &in, false);
	d->note_fits = d->has_note && body->height >= below + ROOM_MIN;
	below += d->note_fits;
	if (!d->note_fits && in_note(d) && d->n_buttons > 0)
		d->focus = 0;
	/* Where there is little room the text scrolls, and buttons stay. */
	lines = (int)ui_draw_text(ui, &in, &d->body, SIZE_MAX, SIZE_MAX);
	height = lines + below + 3;
	if (height > body->height)
		height = body->height;
	in.height = height - below - 2;
	in.row = body->row + (body->height - height) / 2;
	in.col = body->col + (body->width - width) / 2;
	term_box(ui->term, in.row, in.col, height, width);
	term_put(ui->term, in.row, in.col + 3, ROLE_HEAD, d->title);
	foot = (struct box){ in.row + height - 1 - below, in.col + 2, below,
		in.width };
	in.row++;
	in.col += 2;
	if (d->top + (size_t)in.height > (size_t)lines)
		d->top = lines > in.height ? (size_t)(lines - in.height) : 0;
	(void)ui_draw_text(ui, &in, &d->body, d->top, SIZE_MAX);
	draw_rest(ui, d, &in, lines, foot.row + below);
	if (d->want[0] != '\0')
		draw_typed(ui, d, &foot, 0, "> ", true);
	else
		(void)draw_buttons(ui, d, &foot, true);
	if (d->note_fits)
		draw_typed(ui, d, &foot, below - 1,
		    in_note(d) ? "> note " : "  note ", in_note(d));
}
