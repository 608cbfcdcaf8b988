/* The frame of the screen: title, tabs, body, message, hints; three layouts. */
#include "ui.h"

#include "dialog.h"
#include "paint.h"
#include "pane.h"
#include "words.h"

#include "base/str.h"

#include <rpckit/ask.h>

#include <inttypes.h>
#include <stdio.h>

#define DETAIL_ROWS 7 /* below the list, with its rule */
#define LOG_ROWS 6    /* the same of the log in the wide layout */
#define RATE_ROWS 3
#define MESSAGE_ROWS 3 /* of what is said, at most */
#define NAME_CELLS 16  /* of the daemon's, in the title */

bool
ui_narrow(const struct ui *ui)
{
	return term_cols(ui->term) < UI_NARROW;
}

bool
ui_tiny(const struct ui *ui)
{
	return term_cols(ui->term) < UI_COLS_MIN ||
	       term_rows(ui->term) < UI_ROWS_MIN;
}

struct box
ui_body(const struct ui *ui)
{
	int rows = term_rows(ui->term), cols = term_cols(ui->term);
	int top = ui_narrow(ui) ? 2 : 3, below = ui_narrow(ui) ? 2 : 3;

	return (struct box){ top, 0, rows - top - below, cols };
}

void
ui_rule(struct ui *ui, int row, int col, int width, const char *title)
{
	char fit[PAINT_MAX], text[PAINT_MAX];

	term_hline(ui->term, row, col, width);
	if (title == NULL || title[0] == '\0' || width < 8)
		return;
	(void)paint_fit(text, title, (size_t)width - 6, 0);
	(void)snprintf(fit, sizeof(fit), " %.*s ", PAINT_MAX - 4, text);
	term_put(ui->term, row, col + 2, ROLE_HEAD, fit);
}

/* How long the line's text is that is not cut. */
static size_t
cells(const char *text)
{
	char fit[PAINT_MAX];

	return paint_fit(fit, text, PAINT_MAX, 0);
}

/* Text in a line of its own role, filled up. */
static void
put_line(struct ui *ui, int row, enum term_role role, const char *text)
{
	char fit[PAINT_MAX];

	(void)paint_fit(fit, text, (size_t)term_cols(ui->term), 1);
	term_put(ui->term, row, 0, role, fit);
}

static void
put_right(struct ui *ui, int row, enum term_role role, const char *text)
{
	char fit[PAINT_MAX];
	int cols = term_cols(ui->term);
	size_t n = paint_fit(fit, text, (size_t)cols, 0);

	term_put(ui->term, row, cols - (int)n, role, fit);
}

/* ---- title ---- */

static void
upper(char dst[16], const char *mode)
{
	size_t i = 0;

	for (; mode[i] != '\0' && i < 15; i++)
		dst[i] = mode[i] >= 'a' && mode[i] <= 'z'
		             ? (char)(mode[i] - 'a' + 'A')
		             : mode[i];
	dst[i] = '\0';
}

/* Of a listener only where it is: "tls://0.0.0.0:8443". */
static const char *
listener(const struct model_status *s)
{
	const char *at;

	if (s->n_listeners == 0)
		return "";
	at = strstr(s->listeners[0], "://");
	return at == NULL ? s->listeners[0] : at + 3;
}

static void
trust_words(const struct model *m, char dst[64])
{
	const struct model_status *s = &m->status;
	char mode[16];

	dst[0] = '\0';
	if (!s->has_trust)
		return;
	upper(mode, s->mode);
	(void)snprintf(dst, 64, "%s%s", mode,
	    strcmp(s->list, "locked") == 0 ? " LOCKED" : "");
}

static void
title_flags(const struct ui *ui, char dst[64])
{
	const char *line = ui->m->silent_s > 0 ? "SILENT  " : "";

	(void)snprintf(dst, 64, "%s%s%s", ui->m->online ? line : "OFFLINE  ",
	    ui->frozen != NULL ? "PAUSED  " : "",
	    ui_read_only(ui)      ? "read-only  "
	    : ui->conf.quick_keys ? "QUICK  "
	                          : "");
}

static void
rates_words(const struct model_status *s, char dst[96])
{
	char rx[WORDS_LEN], tx[WORDS_LEN];

	(void)snprintf(dst, 96,
	    "   conns %" PRIu64 "/%" PRIu64 "   rx %s/s  tx %s/s",
	    s->fresh + s->active + s->idle + s->closing, s->max_conns,
	    words_size(s->rx, rx), words_size(s->tx, tx));
}

/* What has room is said; the number of those who wait is never cut. */
static void
title_text(const struct ui *ui, size_t room, char *dst, size_t len)
{
	const struct model_status *s = &ui->m->status;
	const bool runs =
	    s->asked_ms != 0 && ui->m->online && ui->m->silent_s == 0;
	char trust[64], flags[64], age[WORDS_LEN], name[PAINT_MAX];
	char up[WORDS_LEN + 8], conns[WORDS_OF + 10], n[WORDS_OF];
	const char *at = listener(s);
	size_t waits = model_waiting(ui->m);

	/* Of a long one there is room for the rest still. */
	(void)paint_fit(name, s->name, NAME_CELLS, 0);
	trust_words(ui->m, trust);
	title_flags(ui, flags);
	(void)snprintf(up, sizeof(up), "  up %s",
	    words_age(s->up_ms + (runs ? ui_now(ui) - s->asked_ms : 0), age));
	(void)snprintf(conns, sizeof(conns), "  conns %s",
	    words_of(ui->m->n_conns, ui->m->conns_left_out, n));
	for (int i = 0; i < 3; i++) {
		/* What is out of the ordinary comes first. */
		if (ui_narrow(ui))
			(void)snprintf(dst, len, "%s%.200s  %s  pend %zu%s",
			    flags, name, trust, waits, conns);
		else
			(void)snprintf(dst, len,
			    " rpctui  %s%.200s %s%s%s%s   pending %zu", flags,
			    name, at, up, trust[0] != '\0' ? "   trust " : "",
			    trust, waits);
		if (cells(dst) <= room)
			return;
		if (i > 0)
			at = "";
		up[0] = conns[0] = '\0';
	}
}

static void
draw_title(struct ui *ui)
{
	const char *gap = ui_narrow(ui) ? "" : " ";
	char now[WORDS_LEN + 8], clock[WORDS_LEN + 16], fit[PAINT_MAX];
	char text[800];
	size_t room, used;

	words_now(now);
	(void)snprintf(clock, sizeof(clock), " %s%s", now + 11, gap);
	room = (size_t)term_cols(ui->term) - cells(clock);
	title_text(ui, room, text, sizeof(text) - 96);
	used = strlen(text);
	if (term_cols(ui->term) >= UI_WIDE + 16)
		rates_words(&ui->m->status, text + used);
	(void)paint_fit(fit, text, room, 0);
	put_line(ui, 0, ROLE_BAR, fit);
	put_right(ui, 0, ROLE_BAR, clock);
}

/* ---- text ---- */

static void
put_piece(struct ui *ui, const struct box *b, int row, const char *piece,
    size_t len, enum term_role role)
{
	char fit[PAINT_MAX], text[PAINT_MAX];

	memcpy(text, piece, len);
	text[len] = '\0';
	(void)paint_fit(fit, text, (size_t)b->width, role == ROLE_PICK ? 1 : 0);
	term_put(ui->term, b->row + row, b->col, role, fit);
}

size_t
ui_draw_text(struct ui *ui, const struct box *b, const struct text *t,
    size_t top, size_t pick)
{
	char safe[PAINT_MAX];
	size_t row = 0;

	for (size_t i = 0; i < t->n && b->width > 0; i++) {
		const char *at = safe;
		enum term_role role = i == pick ? ROLE_PICK : t->lines[i].role;

		(void)paint_fit(safe, t->lines[i].bytes, PAINT_MAX, 0);
		do {
			size_t skip,
			    n = paint_wrap(at, (size_t)b->width, &skip);

			if (row >= top && row - top < (size_t)b->height)
				put_piece(ui, b, (int)(row - top), at, n, role);
			row++;
			at += n + skip;
		} while (*at != '\0');
	}
	return row;
}

/* ---- the message, the hints ---- */

static void
draw_prompt(struct ui *ui, int row)
{
	const struct prompt *p = &ui->prompt;
	char fit[PAINT_MAX], head[LINE_LEN];
	int cols = term_cols(ui->term);
	size_t label = paint_fit(fit, p->label, (size_t)cols / 2, 0);
	size_t room = (size_t)cols - label - 1, at;
	const char *text = p->line.text;

	term_put(ui->term, row, 0, ROLE_HEAD, fit);
	memcpy(head, text, p->line.at);
	head[p->line.at] = '\0';
	/* Of a long line the end, up to the cursor. */
	at = paint_tail(head, room);
	text += p->line.at - strlen(head);
	(void)paint_fit(fit, text, room, 1);
	term_put(ui->term, row, (int)label, ROLE_TEXT, fit);
	term_cursor(ui->term, row, (int)(label + at));
}

/* Newcomers are turned away, as far as is known. */
static bool
is_full(const struct ui *ui)
{
	return ui->m->status.turned > 0 &&
	       model_waiting(ui->m) >= RK_ASK_ENTRIES;
}

static void
usual_message(const struct ui *ui, char *dst, size_t len, bool *calls)
{
	size_t waits = model_waiting(ui->m), changed = model_changed(ui->m);
	size_t asked = ui->m->agent.n_asked;

	dst[0] = '\0';
	*calls = true;
	if (!ui->m->online)
		(void)snprintf(dst, len, "%s",
		    ui->m->trouble[0] != '\0' ? ui->m->trouble
		                              : "waiting for the daemon");
	else if (ui->m->silent_s > 0)
		(void)snprintf(dst, len,
		    "the daemon has not answered for %" PRId64 " s",
		    ui->m->silent_s);
	else if (asked > 0 && ui_narrow(ui))
		(void)snprintf(dst, len, "%zu ask for a key - press 4", asked);
	else if (asked > 0)
		(void)snprintf(dst, len,
		    "%zu use%s for a yes: a key of the vault - press 4", asked,
		    asked == 1 ? " waits" : "s wait");
	else if (ui_narrow(ui) && waits > 0)
		(void)snprintf(dst, len, "%zu wait%s - press 2", waits,
		    is_full(ui) ? ", FULL" : "");
	else if (is_full(ui))
		(void)snprintf(dst, len,
		    "%zu keys wait and no more can; %" PRIu64
		    " turned away - press 2",
		    waits, ui->m->status.turned);
	else if (changed > 0 && changed == waits)
		(void)snprintf(dst, len,
		    "%zu CHANGED key%s for a decision - press 2", waits,
		    waits == 1 ? " waits" : "s wait");
	else if (changed > 0)
		(void)snprintf(dst, len,
		    "%zu new and %zu CHANGED key%s wait for a decision - press "
		    "2",
		    waits - changed, changed, changed == 1 ? "" : "s");
	else if (waits > 0)
		(void)snprintf(dst, len,
		    "%zu new key%s for a decision - press 2", waits,
		    waits == 1 ? " waits" : "s wait");
	else
		*calls = false;
}

/* How many wait is not the less true meanwhile. */
static void
undo_message(const struct ui *ui, char *dst, size_t len)
{
	int64_t left = (ui->undo.until_ms - ui_now(ui)) / 1000;
	size_t waits = model_waiting(ui->m);

	if (ui_narrow(ui))
		(void)snprintf(
		    dst, len, "u undo (%" PRId64 " s)  %zu wait", left, waits);
	else if (waits > 0)
		(void)snprintf(dst, len,
		    "u takes the last decision back (%" PRId64
		    " s); %zu wait%s "
		    "for one",
		    left, waits, waits == 1 ? "s" : "");
	else
		(void)snprintf(dst, len,
		    "u takes the last decision back (%" PRId64 " s)", left);
}

/* What was said, and in how many lines it is shown: those above the first take
 * the end of the body, but none of a question.  What was done is in the rows
 * there, too. */
static int
said_lines(const struct ui *ui, char safe[PAINT_MAX])
{
	const bool one = ui->dialog != NULL || ui->prompt.on ||
	                 ui->message_role == ROLE_GOOD;
	const int most = one ? 1 : MESSAGE_ROWS;
	const char *at = safe;
	size_t skip;
	int lines = 0;

	(void)paint_fit(safe, ui->message, PAINT_MAX, 0);
	do {
		at += paint_wrap(at, (size_t)term_cols(ui->term), &skip);
		at += skip;
		lines++;
	} while (*at != '\0');
	return lines < most ? lines : most;
}

static void
draw_said(struct ui *ui, int row)
{
	char safe[PAINT_MAX], piece[PAINT_MAX];
	const int lines = said_lines(ui, safe);
	const char *at = safe;
	size_t n, skip;

	for (int i = 0; i < lines; i++, at += n + skip) {
		n = paint_wrap(at, (size_t)term_cols(ui->term), &skip);
		(void)str_copy(piece, sizeof(piece), at);
		/* The last one says where it is cut. */
		if (i + 1 < lines)
			piece[n] = '\0';
		put_line(ui, row - lines + 1 + i, ui->message_role, piece);
	}
}

static void
draw_message(struct ui *ui, int row)
{
	char text[400];
	bool calls;

	if (ui->prompt.on) {
		draw_prompt(ui, row);
		return;
	}
	if (ui->message[0] != '\0') {
		draw_said(ui, row);
		return;
	}
	usual_message(ui, text, sizeof(text), &calls);
	if (ui->undo.fp[0] != '\0' && ui->m->online && ui->m->silent_s == 0)
		undo_message(ui, text, sizeof(text));
	put_line(ui, row, calls ? ROLE_WAIT : ROLE_DIM, text);
}

static void
draw_hints(struct ui *ui, int row)
{
	char text[512];

	if (ui->prompt.on)
		(void)str_copy(text, sizeof(text), "Enter take  Esc back");
	else if (ui->dialog != NULL)
		(void)str_copy(
		    text, sizeof(text), dialog_hints(ui, ui->dialog));
	else if (ui->pane != NULL)
		(void)str_copy(text, sizeof(text), pane_hints(ui->pane));
	else
		keys_hints(ui->tab, ui_read_only(ui),
		    (size_t)term_cols(ui->term), text, sizeof(text));
	put_line(ui, row, ROLE_DIM, text);
}

/* ---- the body ---- */

/* What the signs of connections mean, below the one that is selected. */
static void
draw_legend(struct ui *ui, struct box *b)
{
	static const char signs[] =
	    "S: ok busy  -- idle  ?? waiting for you  !! key CHANGED  .. new "
	    "or closing";
	char fit[PAINT_MAX];

	b->height--;
	(void)paint_fit(fit, signs, (size_t)b->width, 0);
	term_put(ui->term, b->row + b->height, b->col, ROLE_DIM, fit);
}

static void
draw_detail(struct ui *ui, struct box b)
{
	const struct row *r = ui_row(ui);
	struct text text = { 0 };
	struct text_line *first;
	char title[300] = "";
	size_t n;

	if (r != NULL)
		detail_row(ui, r, &text);
	first = text.n > 0 ? &text.lines[0] : NULL;
	if (first != NULL)
		(void)str_copy(title, sizeof(title), first->bytes);
	ui_rule(ui, b.row, b.col, b.width, title);
	if (first != NULL)
		first->bytes[0] = '\0';
	b.row++;
	b.height--;
	if (ui->tab == TAB_CONNS && b.col == 0)
		draw_legend(ui, &b);
	/* The first line is in the rule. */
	n = ui_draw_text(ui, &b, &text, ui->side_top + 1, SIZE_MAX);
	if (ui->side_top + 1 >= n)
		ui->side_top = n > 2 ? n - 2 : 0;
	text_fini(&text);
}

static void
draw_rate(struct ui *ui, int row, const char *label, const uint64_t *rates)
{
	static const char levels[] = " .:-=+*#";
	const struct model *m = ui->m;
	char text[MODEL_RATES + 64], peak[WORDS_LEN];
	uint64_t top = 0;
	size_t room = (size_t)term_cols(ui->term) - 24, n = m->n_rates, at;

	if (n > room)
		n = room;
	at = (size_t)snprintf(text, sizeof(text), " %s ", label);
	for (size_t i = 0; i < n; i++) {
		uint64_t v =
		    rates[(m->rate_last + MODEL_RATES - i) % MODEL_RATES];

		top = v > top ? v : top;
	}
	for (size_t i = n; i-- > 0;) {
		uint64_t v =
		    rates[(m->rate_last + MODEL_RATES - i) % MODEL_RATES];

		text[at++] = levels[v == 0 ? 0 : 1 + v / (top / 6 + 1)];
	}
	(void)snprintf(
	    text + at, sizeof(text) - at, "  peak %s/s", words_size(top, peak));
	put_line(ui, row, ROLE_TEXT, text);
}

static void
draw_rates(struct ui *ui, int row)
{
	ui_rule(ui, row, 0, term_cols(ui->term), "last 120 s");
	draw_rate(ui, row + 1, "rx", ui->m->rx_rates);
	draw_rate(ui, row + 2, "tx", ui->m->tx_rates);
}

static void
draw_log(struct ui *ui, int row, int height)
{
	size_t n = ui->m->n_log, room = (size_t)height - 1;
	struct box line = { row + 1, 0, 1, term_cols(ui->term) };

	ui_rule(ui, row, 0, term_cols(ui->term), "log");
	for (size_t i = n > room ? n - room : 0; i < n; i++, line.row++) {
		struct row r = { .kind = ROW_LINE, .at = i };

		tab_log.row(ui, &r, false, &line);
	}
}

/* The list, and beside or below it what is known of the row. */
static void
draw_body(struct ui *ui)
{
	struct box b = ui_body(ui), side = b;
	bool wide = b.width >= UI_WIDE;
	char safe[PAINT_MAX];
	int end;

	/* Before anything looks into the model by rows of an older one. */
	ui_list_fresh(ui);
	if (wide && b.height >= 26) {
		b.height -= LOG_ROWS + RATE_ROWS;
		draw_rates(ui, b.row + b.height);
		draw_log(ui, b.row + b.height + RATE_ROWS, LOG_ROWS);
	}
	side.height = b.height;
	if (wide && ui->tab != TAB_LOG) {
		side.col = b.width * 2 / 3;
		side.width = b.width - side.col;
		b.width = side.col;
		term_vline(ui->term, b.row, b.width, b.height);
		side.col += 2;
		side.width -= 2;
		draw_detail(ui, side);
	} else if (b.height >= 14 && !ui_narrow(ui) && ui->tab != TAB_LOG) {
		side.height = DETAIL_ROWS;
		b.height -= DETAIL_ROWS;
		side.row = b.row + b.height;
		draw_detail(ui, side);
	}
	end = term_rows(ui->term) - 1 - said_lines(ui, safe);
	/* A letter is for what is selected, so that is not hidden. */
	if (b.row + b.height > end)
		b.height = end - b.row;
	ui->list_box = b;
	ui_list_draw(ui, &b);
}

static void
draw_small(struct ui *ui)
{
	char text[80], fit[PAINT_MAX];

	(void)snprintf(text, sizeof(text), "%dx%d is too small: %dx%d",
	    term_cols(ui->term), term_rows(ui->term), UI_COLS_MIN, UI_ROWS_MIN);
	(void)paint_fit(fit, text, (size_t)term_cols(ui->term), 0);
	term_put(ui->term, 0, 0, ROLE_TEXT, fit);
}

static void
draw_frame(struct ui *ui)
{
	const int rows = term_rows(ui->term), cols = term_cols(ui->term);
	const struct box body = ui_body(ui);

	draw_title(ui);
	if (!ui_narrow(ui)) {
		ui_draw_tabs(ui);
		ui_rule(ui, rows - 3, 0, cols, NULL);
	}
	ui_rule(ui, body.row - 1, 0, cols, NULL);
	if (ui->pane != NULL)
		pane_draw(ui, ui->pane, &body);
	else
		draw_body(ui);
	if (ui->dialog != NULL)
		dialog_draw(ui, ui->dialog, &body);
	draw_message(ui, rows - 2);
	draw_hints(ui, rows - 1);
}

void
ui_draw(struct ui *ui)
{
	(void)dialog_over(ui);
	term_erase(ui->term);
	if (ui_tiny(ui))
		draw_small(ui);
	else if (!pane_whole(ui))
		draw_frame(ui);
	term_show(ui->term);
}
