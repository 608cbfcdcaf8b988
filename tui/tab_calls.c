/* The tab of calls that run, and of the methods there are. */
#include "ui.h"

#include "paint.h"
#include "words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WHO_WIDTH 21 /* as much as the three columns of numbers */
#define TIME_WIDTH 7

/* How wide names are: those of methods, and of calls that run. */
static int
name_width(const struct ui *ui, const struct box *line)
{
	int room = line->width - 43;

	if (ui_narrow(ui))
		return line->width - 19;
	return room < 24 ? room : room / 3 > 24 ? room / 3 : 24;
}

static void
draw_call(struct ui *ui, const struct model_call *c, bool picked,
    const struct box *line)
{
	char age[WORDS_LEN], left[WORDS_LEN] = "", moved[WORDS_MOVED];
	char name[PAINT_MAX];
	const char *who = c->name[0] != '\0' ? c->name : c->address;
	int names = name_width(ui, line);

	(void)words_age(ui_now(ui) - c->began_ms, age);
	(void)words_moved(c, moved);
	(void)paint_pair(name, c->method, c->file, (size_t)names);
	if (c->deadline_ms != 0)
		(void)words_age(c->deadline_ms - ui_now(ui), left);
	{
		const struct ui_cell cells[] = {
			{ name, names, 1, ROLE_GOOD },
			{ who, ui_narrow(ui) ? 9 : WHO_WIDTH, 1, ROLE_TEXT },
			{ age, TIME_WIDTH, -1, ROLE_TEXT },
			{ left, TIME_WIDTH, -1, ROLE_DIM },
			{ c->canceled          ? "cancel"
			    : moved[0] != '\0' ? moved
			    : c->stream        ? "stream"
			                       : "",
			    line->width, 1, ROLE_DIM },
		};

		ui_cells(ui, line, picked, cells, ui_narrow(ui) ? 3 : 5);
	}
}

/* The titles of the columns, in the line that begins a section. */
static void
section(struct ui *ui, const struct row *r, const struct box *line)
{
	static const struct ui_cell methods[] = {
		{ "CALLS", 8, -1, ROLE_HEAD },
		{ "RUN", 5, -1, ROLE_HEAD },
		{ "ERRORS", 6, -1, ROLE_HEAD },
		{ "P50", TIME_WIDTH, -1, ROLE_HEAD },
		{ "P99", TIME_WIDTH, -1, ROLE_HEAD },
		{ "ABOUT", 0, 1, ROLE_HEAD },
	};
	static const struct ui_cell running[] = {
		{ "WHO", WHO_WIDTH, 1, ROLE_HEAD },
		{ "AGE", TIME_WIDTH, -1, ROLE_HEAD },
		{ "LEFT", TIME_WIDTH, -1, ROLE_HEAD },
		{ "", 0, 1, ROLE_HEAD },
	};
	int skip = name_width(ui, line) + 1;
	char blank[PAINT_MAX];
	const struct box rest = { line->row, line->col + skip, 1,
		line->width - skip };

	if (ui_narrow(ui) || rest.width <= 0)
		return;
	(void)paint_fit(blank, "", (size_t)rest.width, 1);
	term_put(ui->term, rest.row, rest.col, ROLE_HEAD, blank);
	if (strcmp(r->text, "METHODS") == 0)
		ui_cells(ui, &rest, false, methods, 6);
	else
		ui_cells(ui, &rest, false, running, 4);
}

/* "" where the daemon does not tell it. */
static const char *
figure(const struct rk_value *v, const char *key, char dst[WORDS_LEN])
{
	dst[0] = '\0';
	if (rk_value_get(v, key) != NULL)
		(void)snprintf(dst, WORDS_LEN, "%" PRIu64, ctl_number(v, key));
	return dst;
}

/* One that nobody called took no time. */
static const char *
took(const struct rk_value *v, const char *key, char dst[WORDS_LEN])
{
	dst[0] = '\0';
	if (ctl_number(v, "ended") > 0)
		(void)words_us(ctl_number(v, key), dst);
	return dst;
}

static void
draw_method(struct ui *ui, const struct rk_value *v, bool picked,
    const struct box *line)
{
	char name[256], about[512], calls[WORDS_LEN], errors[WORDS_LEN];
	char running[WORDS_LEN], p50[WORDS_LEN], p99[WORDS_LEN];
	const struct ui_cell cells[] = {
		{ ctl_text(v, "name", name, sizeof(name)), name_width(ui, line),
		    1, ROLE_TEXT },
		{ figure(v, "calls", calls), 8, -1, ROLE_TEXT },
		{ figure(v, "running", running), 5, -1, ROLE_TEXT },
		{ figure(v, "errors", errors), 6, -1,
		    ctl_number(v, "errors") > 0 ? ROLE_BAD : ROLE_TEXT },
		{ took(v, "p50_us", p50), TIME_WIDTH, -1, ROLE_TEXT },
		{ took(v, "p99_us", p99), TIME_WIDTH, -1, ROLE_TEXT },
		{ ctl_text(v, "about", about, sizeof(about)), line->width, 1,
		    ROLE_DIM },
	};
	const struct ui_cell few[] = { cells[0], cells[1], cells[5] };

	if (ui_narrow(ui))
		ui_cells(ui, line, picked, few, 3);
	else
		ui_cells(ui, line, picked, cells, 7);
}

static void
row(struct ui *ui, const struct row *r, bool picked, const struct box *line)
{
	if (r->kind == ROW_CALL)
		draw_call(ui, &ui->m->calls[r->at], picked, line);
	else
		draw_method(ui, view_method(ui->m, r->at), picked, line);
}

const struct tab_ops tab_calls = {
	.section = section,
	.row = row,
	.detail = detail_row,
	.empty = "no calls",
};
