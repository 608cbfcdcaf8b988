/* The tab of keys that are used here: by a vault's agent, by the daemon. */
#include "ui.h"

#include "words.h"

#include <string.h>

static int
key_width(const struct box *line)
{
	return line->width < 60 ? 14 : 23;
}

static void
head(struct ui *ui, const struct box *line)
{
	const struct ui_cell cells[] = {
		{ "WHAT", key_width(line), 1, ROLE_HEAD },
		{ "", 1, 1, ROLE_HEAD },
	};

	ui_cells(ui, line, false, cells, 2);
}

/* Days that are left call for a person when they are few. */
static enum term_role
role_of(const struct model_fact *f)
{
	int64_t days;

	if (!view_days(f, &days) || days > VIEW_SOON)
		return ROLE_TEXT;
	return days < 0 ? ROLE_BAD : ROLE_WAIT;
}

/* Who asks, without the folder of the program, which the detail has. */
static const char *
brief(const char *who)
{
	const char *end = strstr(who, ", pid ");
	const char *at = who;

	for (const char *p = who; end != NULL && p < end; p++)
		if (*p == '/')
			at = p + 1;
	return at;
}

static void
row_asked(
    struct ui *ui, const struct row *r, bool picked, const struct box *line)
{
	const struct model_asked *q = &ui->m->agent.asked[r->at];
	const struct ui_cell cells[] = {
		{ "??", 2, 1, ROLE_WAIT },
		{ q->name, key_width(line) - 3, 1, ROLE_WAIT },
		{ q->what, 28, 1, ROLE_TEXT },
		{ brief(q->who), line->width, 1, ROLE_TEXT },
	};

	ui_cells(ui, line, picked, cells, 4);
}

static void
row_held(
    struct ui *ui, const struct row *r, bool picked, const struct box *line)
{
	const struct model_held *h = &ui->m->agent.held[r->at];
	char used[WORDS_LEN], age[WORDS_LEN];
	const struct ui_cell cells[] = {
		{ h->confirm ? "c" : "", 2, 1, ROLE_TEXT },
		{ h->name, key_width(line) - 3, 1, ROLE_HEAD },
		{ h->until_ms == INT64_MAX
		        ? "-"
		        : words_age(h->until_ms - ui_now(ui), age),
		    6, -1, ROLE_TEXT },
		{ words_size(h->used, used), 6, -1, ROLE_TEXT },
		{ brief(h->last), line->width, 1, ROLE_DIM },
	};

	ui_cells(ui, line, picked, cells, 5);
}

static void
row_fact(
    struct ui *ui, const struct row *r, bool picked, const struct box *line)
{
	const struct model_fact *f = &ui->m->status.facts[r->at];
	const struct ui_cell cells[] = {
		{ f->key, key_width(line), 1, ROLE_HEAD },
		{ f->text, line->width, 1, role_of(f) },
	};

	ui_cells(ui, line, picked, cells, 2);
}

static void
row(struct ui *ui, const struct row *r, bool picked, const struct box *line)
{
	if (r->kind == ROW_ASKED)
		row_asked(ui, r, picked, line);
	else if (r->kind == ROW_HELD)
		row_held(ui, r, picked, line);
	else
		row_fact(ui, r, picked, line);
}

const struct tab_ops tab_keys = {
	.head = head,
	.row = row,
	.detail = detail_row,
	.empty = "the daemon says nothing of its keys",
};
