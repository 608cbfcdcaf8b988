/* The tab of what the daemon says of itself: its certificate, its settings. */
#include "ui.h"

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

static void
row(struct ui *ui, const struct row *r, bool picked, const struct box *line)
{
	const struct model_fact *f = &ui->m->status.facts[r->at];
	const struct ui_cell cells[] = {
		{ f->key, key_width(line), 1, ROLE_HEAD },
		{ f->text, line->width, 1, role_of(f) },
	};

	ui_cells(ui, line, picked, cells, 2);
}

const struct tab_ops tab_keys = {
	.head = head,
	.row = row,
	.detail = detail_row,
	.empty = "the daemon says nothing of its keys",
};
