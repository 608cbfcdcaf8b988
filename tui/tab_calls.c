/* The tab of calls that run, and of the methods there are. */
#include "ui.h"

#include "words.h"

#include <inttypes.h>
#include <stdio.h>

static void
draw_call(struct ui *ui, const struct model_call *c, bool picked,
    const struct box *line)
{
	char age[WORDS_LEN], left[WORDS_LEN] = "";
	const char *who = c->email[0] != '\0' ? c->email : c->address;
	int room = line->width - 26;

	(void)words_age(ui_now(ui) - c->began_ms, age);
	if (c->deadline_ms != 0)
		(void)words_age(c->deadline_ms - ui_now(ui), left);
	{
		const struct ui_cell cells[] = {
			{ age, 6, -1, ROLE_TEXT },
			{ c->method, room / 2, 1, ROLE_GOOD },
			{ who, room - room / 2, 1, ROLE_TEXT },
			{ c->canceled   ? "cancel"
			    : c->stream ? "stream"
			                : "",
			    6, 1, ROLE_DIM },
			{ left, 6, -1, ROLE_DIM },
		};

		ui_cells(ui, line, picked, cells, 5);
	}
}

/* A figure of a method's, "" where the daemon does not tell it. */
static const char *
figure(const struct rk_value *v, const char *key, char dst[WORDS_LEN])
{
	const struct rk_value *n = rk_value_get(v, key);

	dst[0] = '\0';
	if (n != NULL && n->kind == RK_UINT)
		(void)snprintf(dst, WORDS_LEN, "%" PRIu64, n->u.u64);
	return dst;
}

static void
draw_method(struct ui *ui, const struct rk_value *v, bool picked,
    const struct box *line)
{
	char name[256], about[512], calls[WORDS_LEN], errors[WORDS_LEN];
	int room = line->width - 20;

	(void)figure(v, "calls", calls);
	(void)figure(v, "errors", errors);
	{
		const struct ui_cell cells[] = {
			{ view_text(v, "name", name, sizeof(name)), room / 3, 1,
			    ROLE_TEXT },
			{ calls, 8, -1, ROLE_TEXT },
			{ errors, 6, -1, ROLE_BAD },
			{ view_text(v, "about", about, sizeof(about)),
			    room - room / 3, 1, ROLE_DIM },
		};

		ui_cells(ui, line, picked, cells, 4);
	}
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
	.row = row,
	.detail = detail_row,
	.empty = "no calls",
};
