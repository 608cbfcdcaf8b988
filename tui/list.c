/* The list of a tab: rows on the screen, the one that is selected, moving. */
#include "ui.h"

#include "paint.h"
#include "words.h"

#include "base/str.h"

#include <stdio.h>

static struct list *
shown(struct ui *ui)
{
	return &ui->lists[ui->tab];
}

const struct tab_ops *
ui_ops(const struct ui *ui)
{
	static const struct tab_ops *const all[] = { &tab_conns, &tab_trust,
		&tab_calls, &tab_keys, &tab_log };

	return all[ui->tab];
}

/* ---- which row ---- */

static bool
can_pick(const struct list *l, size_t at)
{
	return at < l->rows.n && l->rows.v[at].kind != ROW_HEAD;
}

/* The next row that can be selected, in a direction, else the other way. */
static size_t
settle(const struct list *l, size_t at, bool down)
{
	size_t n = l->rows.n;

	if (n == 0)
		return 0;
	if (at >= n)
		at = n - 1;
	for (int turn = 0; turn < 2; turn++, down = !down) {
		for (size_t i = at; i < n; down ? i++ : i--) {
			if (can_pick(l, i))
				return i;
		}
	}
	return 0;
}

void
ui_list_pick(struct ui *ui, size_t at)
{
	struct list *l = shown(ui);

	if (l->at != at)
		ui->side_top = 0;
	l->at = at;
	l->id[0] = '\0';
	/* The head of a section is nothing to come back to. */
	if (can_pick(l, at))
		view_id(ui->m, &l->rows.v[at], l->id);
}

/* The row that was selected, wherever it is now. */
static void
find_again(struct ui *ui, struct list *l)
{
	char id[VIEW_ID_LEN];

	if (l->follow && ui->tab == TAB_LOG) {
		ui_list_pick(ui, l->rows.n > 0 ? l->rows.n - 1 : 0);
		return;
	}
	for (size_t i = 0; i < l->rows.n && l->id[0] != '\0'; i++) {
		view_id(ui->m, &l->rows.v[i], id);
		if (strcmp(id, l->id) == 0) {
			l->at = i;
			return;
		}
	}
	/* Who presses a key now may have seen the one that is gone. */
	l->slid = l->slid || l->id[0] != '\0';
	ui_list_pick(ui, settle(l, l->at, true));
}

void
ui_list_fresh(struct ui *ui)
{
	struct list *l = shown(ui);

	if (view_rows(ui->m, &l->view, &l->rows) != RK_OK)
		ui_say(ui, ROLE_BAD, "no memory for all rows");
	find_again(ui, l);
}

void
ui_list_seen(struct ui *ui)
{
	ui_list_fresh(ui);
	shown(ui)->slid = false;
}

const struct row *
ui_row(struct ui *ui)
{
	const struct list *l = shown(ui);

	return can_pick(l, l->at) ? &l->rows.v[l->at] : NULL;
}

void
ui_list_move(struct ui *ui, enum action action)
{
	struct list *l = shown(ui);
	size_t page =
	    ui->list_box.height > 3 ? (size_t)ui->list_box.height - 2 : 1;
	size_t at = l->at;
	bool down =
	    action == ACT_DOWN || action == ACT_PGDN || action == ACT_TOP;

	if (action == ACT_UP)
		at = at > 0 ? at - 1 : 0;
	else if (action == ACT_DOWN)
		at++;
	else if (action == ACT_PGUP)
		at = at > page ? at - page : 0;
	else if (action == ACT_PGDN)
		at += page;
	else
		at = action == ACT_TOP ? 0 : l->rows.n;
	l->follow = action == ACT_BOTTOM;
	ui_list_pick(ui, settle(l, at, down));
	if (action == ACT_TOP)
		l->top = 0;
}

bool
ui_list_find(struct ui *ui, bool forward, bool from_here)
{
	struct list *l = shown(ui);
	size_t n = l->rows.n, at = l->at;

	for (size_t i = from_here ? 0 : 1; i <= n && n > 0; i++) {
		size_t k = forward ? (at + i) % n : (at + n - i % n) % n;

		if (can_pick(l, k) &&
		    view_holds(ui->m, &l->rows.v[k], ui->find)) {
			l->follow = false;
			ui_list_pick(ui, k);
			return true;
		}
	}
	return false;
}

/* ---- drawing ---- */

void
ui_cells(struct ui *ui, const struct box *line, bool picked,
    const struct ui_cell *cells, size_t n)
{
	char fit[PAINT_MAX];
	int col = line->col + 2, end = line->col + line->width;

	if (picked) {
		(void)paint_fit(fit, ">", (size_t)line->width, 1);
		term_put(ui->term, line->row, line->col, ROLE_PICK, fit);
	}
	for (size_t i = 0; i < n && col < end; i++) {
		int width = cells[i].width;

		if (width > end - col || i + 1 == n)
			width = end - col;
		(void)paint_fit(
		    fit, cells[i].text, (size_t)width, cells[i].pad);
		term_put(ui->term, line->row, col,
		    picked ? ROLE_PICK : cells[i].role, fit);
		col += width + 1;
	}
}

/* What of a section's rows there is more than are kept; of those who wait none
 * is left out. */
static uint64_t
left_out(const struct ui *ui, const struct row *r)
{
	const struct model *m = ui->m;

	if (ui->lists[ui->tab].view.filter[0] != '\0')
		return 0;
	return strcmp(r->text, "KNOWN") == 0      ? m->known_left_out
	       : strcmp(r->text, "REJECTED") == 0 ? m->trust_left_out
	       : strcmp(r->text, "RUNNING") == 0  ? m->calls_left_out
	                                          : 0;
}

/* Why a section of keys is not told, which is as it was then; "": it is. */
static const char *
untold(const struct ui *ui, const struct row *r)
{
	if (ui->tab != TAB_TRUST)
		return "";
	return ui->m->keys_untold[strcmp(r->text, "KNOWN") == 0];
}

static void
draw_section(struct ui *ui, const struct row *r, const struct box *line)
{
	const char *why = untold(ui, r);
	char text[160], n[WORDS_OF];

	(void)snprintf(text, sizeof(text), "%s (%s%s)%s", r->text,
	    why[0] != '\0' ? "not told: " : "",
	    why[0] != '\0' ? why : words_of(r->at, left_out(ui, r), n),
	    strcmp(r->text, "WAITING") == 0 && r->at > 0
	        ? ": nothing is let in until you decide"
	        : "");
	ui_rule(ui, line->row, line->col, line->width, text);
	if (ui_ops(ui)->section != NULL)
		ui_ops(ui)->section(ui, r, line);
}

static void
keep_in_sight(struct list *l, size_t room)
{
	if (l->at < l->top)
		l->top = l->at;
	/* With the head of its section, if it is the first of it. */
	if (l->at == l->top && l->top > 0 &&
	    l->rows.v[l->top - 1].kind == ROW_HEAD)
		l->top--;
	if (l->at >= l->top + room)
		l->top = l->at - room + 1;
}

#define MORE_ROOM 4 /* rows, to have one for what is below them */

/* How many rows are drawn: one less where it is said that there are more. */
static size_t
place(struct list *l, size_t room)
{
	const size_t n = l->rows.n;
	const bool says = room >= MORE_ROOM && n > room;

	keep_in_sight(l, says ? room - 1 : room);
	if (l->top + room >= n) {
		l->top = n > room ? n - room : 0;
		return n - l->top;
	}
	return says ? room - 1 : room;
}

/* Those below the last one that is drawn, heads not among them. */
static void
draw_more(struct ui *ui, const struct list *l, size_t from, struct box *line)
{
	char text[80], count[WORDS_COUNT];
	const struct ui_cell more = { text, line->width, 1, ROLE_DIM };
	size_t n = 0;

	for (size_t i = from; i < l->rows.n; i++)
		n += l->rows.v[i].kind != ROW_HEAD;
	(void)snprintf(
	    text, sizeof(text), ".. %s more (PgDn)", words_count(n, count));
	ui_cells(ui, line, false, &more, 1);
}

void
ui_list_draw(struct ui *ui, const struct box *b)
{
	struct list *l = shown(ui);
	const struct tab_ops *ops = ui_ops(ui);
	struct box line = { b->row, b->col, 1, b->width };
	int end = b->row + b->height;
	size_t n;

	if (ops->head != NULL && !ui_narrow(ui)) {
		ops->head(ui, &line);
		line.row++;
	}
	if (l->rows.n == 0) {
		struct ui_cell none = { l->view.filter[0] != '\0'
			                    ? "nothing holds the filter's text"
			                    : ops->empty,
			b->width, 1, ROLE_DIM };

		ui_cells(ui, &line, false, &none, 1);
		return;
	}
	n = place(l, (size_t)(end - line.row));
	for (size_t i = l->top; i < l->top + n; i++, line.row++) {
		const struct row *r = &l->rows.v[i];

		if (r->kind == ROW_HEAD)
			draw_section(ui, r, &line);
		else
			ops->row(ui, r, i == l->at, &line);
	}
	if (line.row < end && l->top + n < l->rows.n)
		draw_more(ui, l, l->top + n, &line);
}
