/* The tab of what the daemon says of itself: its certificate, its settings. */
#include "ui.h"

static void
head(struct ui *ui, const struct box *line)
{
	const struct ui_cell cells[] = {
		{ "WHAT", 14, 1, ROLE_HEAD },
		{ "", 1, 1, ROLE_HEAD },
	};

	ui_cells(ui, line, false, cells, 2);
}

static void
row(struct ui *ui, const struct row *r, bool picked, const struct box *line)
{
	const struct model_fact *f = &ui->m->status.facts[r->at];
	const struct ui_cell cells[] = {
		{ f->key, 14, 1, ROLE_HEAD },
		{ f->text, line->width, 1, ROLE_TEXT },
	};

	ui_cells(ui, line, picked, cells, 2);
}

const struct tab_ops tab_keys = {
	.head = head,
	.row = row,
	.detail = detail_row,
	.empty = "the daemon says nothing of its keys",
};
