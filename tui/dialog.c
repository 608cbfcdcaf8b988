/* Questions over the body: drawing them, and their keys. */
#include "dialog.h"

#include "paint.h"

#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>

#define WIDTH 74
#define MORE_CELLS 15 /* beside a title in the same line */
#define TEXT_MIN 4    /* lines beside buttons that are always in sight */
/* A key that is held down comes again after half a second or less, with some
 * terminals a whole one.  Ticks and not the time, as what waited while we did
 * not run comes all at once. */
#define HELD_TICKS (1000 / UI_TICK_MS + 1)

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
	d->opener = ui->last_key;
	d->opener_tick = ui->ticks;
	ui->dialog = d;
	term_discard(ui->term);
	return d;
}

const struct button dialog_no_yes[] = {
	{ .label = "No", .key = 'n' },
	{ .label = "Yes", .key = 'y', .danger = true },
	{ 0 },
};

void
dialog_buttons(struct dialog *d, const struct button *table)
{
	d->buttons = table;
	for (d->n_buttons = 0; table[d->n_buttons].label != NULL;)
		d->n_buttons++;
}

void
dialog_must(struct dialog *d)
{
	d->must = d->body.n;
	d->seen = 0;
	d->read = false;
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

static bool
is_another(struct ui *ui, const struct dialog *d)
{
	if (d->process == 0 || d->process == ui->conf.model->process)
		return false;
	ui_say(
	    ui, ROLE_WAIT, "another daemon answers by now; it is told nothing");
	return true;
}

bool
dialog_over(struct ui *ui)
{
	struct dialog *d = ui->dialog;

	if (d == NULL ||
	    (!is_another(ui, d) && (d->is_over == NULL || !d->is_over(ui, d))))
		return false;
	dialog_close(ui);
	return true;
}

static void
finish(struct ui *ui, int button)
{
	struct dialog *d = ui->dialog;

	ui->dialog = NULL;
	if (button >= 0 && (size_t)button < d->n_buttons &&
	    d->buttons[button].take != NULL)
		d->buttons[button].take(ui, d);
	else if (d->done != NULL)
		d->done(ui, d, button);
	drop(d);
}

/* ---- keys ---- */

/* Who decides has had on the screen what it is about. */
static bool
is_read(struct ui *ui, const struct dialog *d)
{
	if (!d->read)
		ui_say(ui, ROLE_WAIT, "read all of it first: Down");
	return d->read;
}

static void
typed_key(struct ui *ui, struct dialog *d, uint32_t key)
{
	d->follow = true;
	if (key != TK_ENTER)
		(void)line_key(&d->line, key);
	else if (strcmp(d->line.text, d->want) != 0)
		ui_say(ui, ROLE_WAIT, "that is not it; Esc goes back");
	else if (is_read(ui, d))
		finish(ui, 0);
}

/* Is it the letter that opened this, and was never let go? */
static bool
is_held(struct ui *ui, struct dialog *d, uint32_t key)
{
	bool held = ui->ticks - d->opener_tick < HELD_TICKS;

	if (key != d->opener || !held)
		d->opener = 0;
	d->opener_tick = ui->ticks;
	return d->opener != 0;
}

static void
press(struct ui *ui, struct dialog *d, size_t button)
{
	if (!d->buttons[button].danger || is_read(ui, d))
		finish(ui, (int)button);
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

	d->follow = true;
	if (key == TK_ENTER || key == TK_TAB)
		d->focus = 0;
	else if (key == TK_BACKTAB)
		d->focus = d->n_buttons - 1;
	else if (line_key(&d->line, key) && d->line.len >= DIALOG_NOTE)
		d->line = before;
}

static void
button_key(struct ui *ui, struct dialog *d, uint32_t key, bool held)
{
	/* The note is one more place to be. */
	size_t n = d->n_buttons + d->has_note;

	for (size_t i = 0; i < d->n_buttons; i++) {
		if (d->buttons[i].key != key)
			continue;
		if (held && d->buttons[i].danger)
			ui_say(ui, ROLE_WAIT,
			    "that key asked: let go of it first, for a second");
		else
			press(ui, d, i);
		return;
	}
	d->follow = true;
	if (key == 'n' && d->has_note)
		d->focus = d->n_buttons;
	else if (key == TK_TAB || key == TK_RIGHT)
		d->focus = (d->focus + 1) % n;
	else if (key == TK_BACKTAB || key == TK_LEFT)
		d->focus = (d->focus + n - 1) % n;
	else if (key == TK_ENTER)
		press(ui, d, d->focus);
}

/* What has been drawn says how far that is. */
static void
scroll(struct dialog *d, uint32_t key)
{
	size_t page = d->page > 2 ? (size_t)d->page - 1 : 1;
	size_t by = key == TK_PGDN || key == TK_PGUP ? page : 1;

	if (key == TK_DOWN || key == TK_PGDN)
		d->top += by;
	else
		d->top -= d->top < by ? d->top : by;
}

void
dialog_key(struct ui *ui, uint32_t key)
{
	struct dialog *d = ui->dialog;
	bool held;

	if (dialog_over(ui))
		return; /* the key was for what is gone */
	held = is_held(ui, d, key);
	if (key == TK_ESC)
		finish(ui, -1);
	else if (key == TK_DOWN || key == TK_PGDN || key == TK_UP ||
	         key == TK_PGUP)
		scroll(d, key);
	else if (d->turn != NULL && key == d->turn_key)
		d->turned = !d->turned;
	else if (d->want[0] != '\0')
		typed_key(ui, d, key);
	else if (in_note(d))
		note_key(d, key);
	else
		button_key(ui, d, key, held);
}

bool
dialog_paste(struct dialog *d, uint32_t key)
{
	if (d->want[0] != '\0')
		(void)line_key(&d->line, key);
	return d->want[0] != '\0';
}

/* "Tab/arrows move  Enter take  l a r n(ote) direct  Esc = Later" */
const char *
dialog_hints(const struct ui *ui, struct dialog *d)
{
	const bool narrow = ui_narrow(ui);
	char keys[2 * 16 + 1] = "";
	size_t n = 0;

	if (d->hints != NULL)
		return d->hints;
	for (size_t i = 0; i < d->n_buttons && n + 3 < sizeof(keys); i++) {
		keys[n++] = ' ';
		keys[n++] = (char)d->buttons[i].key;
	}
	keys[n] = '\0';
	(void)snprintf(d->keys, sizeof(d->keys), "%s%s%s%s  Esc = %s",
	    narrow ? "Tab, Enter " : "Tab/arrows move  Enter take ", keys,
	    !d->has_note ? ""
	    : narrow     ? " n"
	                 : " n(ote)",
	    narrow ? "" : " direct",
	    d->n_buttons > 0 ? d->buttons[0].label : "");
	return d->keys;
}

/* ---- drawing ---- */

/* Where a question is: its text, then its foot, which is buttons, a note or a
 * line to type.  With little room the foot is behind the text, and both are
 * gone through; else it stays in sight. */
struct place {
	struct box in; /* all of it, within the frame */
	int lines;     /* of the text */
	int foot;      /* lines of it */
	bool stays;    /* the foot */
};

/* The line of the screen of a line of the foot; -1: out of sight. */
static int
foot_row(const struct dialog *d, const struct place *p, int line)
{
	int row = p->stays ? p->in.height - p->foot + line
	                   : p->lines - (int)d->top + line;

	return row < 0 || row >= p->in.height ? -1 : p->in.row + row;
}

/* The mark of the one with the focus is there without colors, too. */
static int
button_text(const struct ui *ui, const struct dialog *d, size_t i, char dst[64])
{
	const char *label = d->buttons[i].label;

	if (ui_narrow(ui))
		return snprintf(
		    dst, 64, "%c%s", i == d->focus ? '>' : ' ', label);
	return snprintf(
	    dst, 64, "%s[ %s ]", i == d->focus ? "> " : "  ", label);
}

/* The buttons, in as many lines as they take; p: NULL where they are only
 * counted.  *at: the line of the one that has the focus. */
static int
draw_buttons(struct ui *ui, const struct dialog *d, const struct place *p,
    int width, int *at)
{
	int line = 0, col = 0, row;
	char text[64];

	for (size_t i = 0; i < d->n_buttons; i++) {
		bool on = i == d->focus;
		int n = button_text(ui, d, i, text);

		if (col > 0 && col + n > width) {
			line++;
			col = 0;
		}
		if (on && at != NULL)
			*at = line;
		if (p != NULL && (row = foot_row(d, p, line)) >= 0)
			term_put(ui->term, row, p->in.col + col,
			    on ? ROLE_PICK : ROLE_TEXT, text);
		col += n + 1;
	}
	return line + 1;
}

/* Of a line that is too long its end, up to the cursor. */
static void
draw_typed(struct ui *ui, const struct dialog *d, const struct place *p,
    int line, const char *label, bool on)
{
	char fit[PAINT_MAX], head[LINE_LEN];
	size_t n = paint_fit(fit, label, (size_t)p->in.width / 2, 0), at;
	size_t room = (size_t)p->in.width - n - 1;
	const char *text = d->line.text;
	int row = foot_row(d, p, line);

	if (row < 0)
		return;
	term_put(ui->term, row, p->in.col, ROLE_HEAD, fit);
	memcpy(head, text, d->line.at);
	head[d->line.at] = '\0';
	at = paint_tail(head, room);
	text += d->line.at - strlen(head);
	(void)paint_fit(fit, text, room, 1);
	term_put(
	    ui->term, row, p->in.col + (int)n, on ? ROLE_PICK : ROLE_TEXT, fit);
	if (on)
		term_cursor(ui->term, row, p->in.col + (int)(n + at));
}

static void
draw_foot(struct ui *ui, const struct dialog *d, const struct place *p)
{
	const bool note = d->has_note && (!ui_narrow(ui) || in_note(d));

	if (d->want[0] != '\0')
		draw_typed(ui, d, p, 0, "> ", true);
	else if (!ui_narrow(ui) || !note)
		(void)draw_buttons(ui, d, p, p->in.width, NULL);
	if (note)
		draw_typed(ui, d, p, p->foot - 1,
		    in_note(d) ? "> note " : "  note ", in_note(d));
}

/* Is something out of sight?  In a line of the frame. */
static void
draw_rest(struct ui *ui, const struct dialog *d, const struct place *p)
{
	int all = p->lines + (p->stays ? 0 : p->foot);
	const bool below = all - (int)d->top > d->page;
	const bool narrow = ui_narrow(ui);
	const char *text = narrow ? " end: Up " : " the end: Up goes back ";

	if (d->top == 0 && !below)
		return;
	if (below && d->top == 0)
		text = " more: Down ";
	else if (below)
		text = narrow ? " Up, Down " : " more: Up, Down ";
	if (narrow)
		term_put(ui->term, p->in.row - 1,
		    p->in.col + p->in.width - (int)strlen(text) - 1, ROLE_HEAD,
		    text);
	else
		term_put(ui->term, p->in.row + p->in.height, p->in.col + 1,
		    ROLE_HEAD, text);
}

/* A frame around it, or, where each line counts, a title above it. */
static void
draw_frame(struct ui *ui, const struct dialog *d, const struct box *body,
    struct place *p)
{
	char blank[PAINT_MAX], title[PAINT_MAX];
	int height = p->in.height + 2, width = p->in.width + 4;

	if (ui_narrow(ui)) {
		(void)paint_fit(blank, "", (size_t)body->width, 1);
		for (int i = 0; i < body->height; i++)
			term_put(ui->term, body->row + i, 0, ROLE_TEXT, blank);
		(void)paint_fit(
		    title, d->title, (size_t)(body->width - MORE_CELLS), 0);
		term_put(ui->term, body->row - 1, 2, ROLE_HEAD, title);
		p->in.row = body->row;
		p->in.col = body->col;
		return;
	}
	p->in.row = body->row + (body->height - height) / 2;
	p->in.col = body->col + (body->width - width) / 2;
	term_box(ui->term, p->in.row, p->in.col, height, width);
	term_put(ui->term, p->in.row, p->in.col + 3, ROLE_HEAD, d->title);
	p->in.row++;
	p->in.col += 2;
}

static int
count_lines(struct ui *ui, const struct dialog *d, size_t n, int width)
{
	const struct text part = { .lines = d->body.lines, .n = n };
	const struct box b = { 0, 0, 1, width };

	return (int)ui_draw_text(ui, &b, &part, SIZE_MAX, SIZE_MAX);
}

static void
lay_out(
    struct ui *ui, struct dialog *d, const struct box *body, struct place *p)
{
	const bool narrow = ui_narrow(ui);
	int width = body->width < WIDTH + 2 ? body->width : WIDTH;
	int room = body->height - (narrow ? 0 : 2), least;

	p->in.width = narrow ? body->width : width - 4;
	p->lines = count_lines(ui, d, d->body.n, p->in.width);
	d->must_rows = (size_t)count_lines(ui, d, d->must, p->in.width);
	p->foot = 1;
	if (d->want[0] == '\0')
		p->foot = draw_buttons(ui, d, NULL, p->in.width, NULL);
	/* There the note is where the buttons are, when it is typed. */
	p->foot += d->has_note && !narrow;
	p->in.height = p->lines + p->foot;
	least = (int)d->must_rows > TEXT_MIN ? (int)d->must_rows : TEXT_MIN;
	p->stays = p->in.height <= room || room - p->foot >= least;
	/* A blank line above the foot, where there is one left. */
	p->in.height += !narrow;
	if (p->in.height > room)
		p->in.height = room;
}

/* The place of who types or chooses is in sight. */
static void
follow(struct ui *ui, struct dialog *d, const struct place *p)
{
	int at = ui_narrow(ui) ? 0 : p->foot - 1, last;

	if (!d->follow || p->stays)
		return;
	if (d->want[0] == '\0' && (!in_note(d) || ui_narrow(ui)))
		(void)draw_buttons(ui, d, NULL, p->in.width, &at);
	last = p->lines + at;
	if (last >= (int)d->top + p->in.height)
		d->top = (size_t)(last - p->in.height + 1);
	else if (last < (int)d->top)
		d->top = (size_t)last;
}

/* Of lines that were drawn without a gap from the first on. */
static void
note_seen(struct dialog *d, const struct place *p)
{
	size_t end = d->top + (size_t)d->page;

	if (d->seen_width != p->in.width)
		d->seen = 0;
	d->seen_width = p->in.width;
	if (d->top <= d->seen && end > d->seen)
		d->seen = end;
	d->read = d->read || d->seen >= d->must_rows;
}

static void
fill(struct ui *ui, struct dialog *d)
{
	if (d->turn != NULL)
		d->turn(ui, d);
	if (d->fill == NULL || (d->filled && d->narrow == ui_narrow(ui)))
		return;
	text_fini(&d->body);
	d->narrow = ui_narrow(ui);
	d->filled = true;
	d->fill(ui, d);
}

void
dialog_draw(struct ui *ui, struct dialog *d, const struct box *body)
{
	struct place p = { 0 };
	struct box text;
	int all;

	fill(ui, d);
	lay_out(ui, d, body, &p);
	draw_frame(ui, d, body, &p);
	d->page = p.in.height - (p.stays ? p.foot : 0);
	follow(ui, d, &p);
	d->follow = false;
	all = p.lines + (p.stays ? 0 : p.foot);
	if (d->top + (size_t)d->page > (size_t)all)
		d->top = all > d->page ? (size_t)(all - d->page) : 0;
	note_seen(d, &p);
	text = p.in;
	text.height = d->page;
	(void)ui_draw_text(ui, &text, &d->body, d->top, SIZE_MAX);
	draw_rest(ui, d, &p);
	draw_foot(ui, d, &p);
}
