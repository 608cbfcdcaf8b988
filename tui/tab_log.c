/* The tab of the log. */
#include "ui.h"

#include "words.h"

#include <rpckit/log.h>

static enum term_role
role_of(int level)
{
	return level == RK_LOG_ERROR  ? ROLE_BAD
	       : level == RK_LOG_WARN ? ROLE_WAIT
	       : level == RK_LOG_INFO ? ROLE_TEXT
	                              : ROLE_DIM;
}

static void
row(struct ui *ui, const struct row *r, bool picked, const struct box *line)
{
	const struct model_line *l = view_line(ui->m, r->at);
	enum term_role role = role_of(l->level);
	char today[WORDS_LEN + 8], when[WORDS_LEN];

	words_now(today);
	(void)words_when(l->time, today, when);
	{
		const struct ui_cell cells[] = {
			{ when, 10, 1, ROLE_DIM },
			{ words_level(l->level), 5, 1, role },
			{ l->subsystem, ui_narrow(ui) ? 0 : 8, 1, ROLE_DIM },
			{ l->text, line->width, 1, role },
		};

		ui_cells(ui, line, picked, cells, 4);
	}
}

const struct tab_ops tab_log = {
	.row = row,
	.detail = detail_row,
	.empty = "no lines of this level",
};
