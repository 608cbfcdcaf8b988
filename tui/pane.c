/* Texts over the whole body. */
#include "pane.h"

#include "base/str.h"

#include <stdlib.h>

struct pane *
pane_open(struct ui *ui, const struct pane_ops *ops, const char *title)
{
	struct pane *p;

	pane_close(ui);
	if ((p = calloc(1, sizeof(*p))) == NULL) {
		ui_say(ui, ROLE_BAD, "out of memory");
		return NULL;
	}
	p->ops = ops;
	p->pick = SIZE_MAX;
	(void)str_copy(p->title, sizeof(p->title), title);
	ui->pane = p;
	return p;
}

void
pane_close(struct ui *ui)
{
	struct pane *p = ui->pane;

	if (p == NULL)
		return;
	ui->pane = NULL;
	if (p->ops->closed != NULL)
		p->ops->closed(ui, p);
	text_fini(&p->text);
	free(p);
}

static void
scroll(struct pane *p, const struct keys_row *k, size_t page)
{
	p->follow = k->action == ACT_BOTTOM;
	if (k->action == ACT_UP)
		p->top -= p->top > 0;
	else if (k->action == ACT_DOWN)
		p->top++;
	else if (k->action == ACT_PGUP)
		p->top -= p->top < page ? p->top : page;
	else if (k->action == ACT_PGDN)
		p->top += page;
	else
		p->top = k->action == ACT_TOP ? 0 : SIZE_MAX / 2;
}

void
pane_key(struct ui *ui, uint32_t key)
{
	struct pane *p = ui->pane;
	const struct keys_row *k = keys_find(ui->tab, key);
	int height = ui_body(ui).height - 1;

	if (p->ops->key != NULL && p->ops->key(ui, p, key))
		return;
	if (key == TK_ESC || key == TK_F10 || key == 'q') {
		pane_close(ui);
		return;
	}
	if (k == NULL)
		return;
	if (k->action >= ACT_UP && k->action <= ACT_BOTTOM)
		scroll(p, k, height > 2 ? (size_t)height - 1 : 1);
	else if (k->action == ACT_PAUSE || k->action == ACT_MOUSE ||
	         k->action == ACT_UNDO)
		ui_act(ui, k);
	else if (k->action == ACT_TAB) {
		pane_close(ui);
		ui_act(ui, k);
	}
}

struct box
pane_inside(const struct box *b)
{
	return (
	    struct box){ b->row + 1, b->col + 1, b->height - 1, b->width - 2 };
}

bool
pane_whole(struct ui *ui)
{
	struct pane *p = ui->pane;

	/* What is asked or said must be seen. */
	return p != NULL && p->ops->whole != NULL && ui->dialog == NULL &&
	       !ui->prompt.on && ui->message[0] == '\0' && p->ops->whole(ui, p);
}

void
pane_draw(struct ui *ui, struct pane *p, const struct box *b)
{
	struct box in = pane_inside(b);
	size_t height = (size_t)in.height;

	if (p->ops->fill != NULL) {
		text_fini(&p->text);
		p->ops->fill(ui, p);
	}
	ui_rule(ui, b->row, b->col, b->width, p->title);
	p->rows = ui_draw_text(ui, &in, &p->text, SIZE_MAX, SIZE_MAX);
	if (p->follow || p->top + height > p->rows)
		p->top = p->rows > height ? p->rows - height : 0;
	if (p->pick != SIZE_MAX && p->pick < p->top)
		p->top = p->pick;
	if (p->pick != SIZE_MAX && p->pick >= p->top + height)
		p->top = p->pick - height + 1;
	(void)ui_draw_text(ui, &in, &p->text, p->top, p->pick);
	if (p->ops->draw != NULL)
		p->ops->draw(ui, p, &in);
}

const char *
pane_hints(const struct pane *p)
{
	return p->ops->hints;
}

/* ---- all that is known of a row ---- */

static void
fill_more(struct ui *ui, struct pane *p)
{
	struct list *l = &ui->lists[ui->tab];
	char id[VIEW_ID_LEN];

	for (size_t i = 0; i < l->rows.n; i++) {
		view_id(ui->m, &l->rows.v[i], id);
		if (strcmp(id, p->id) == 0) {
			detail_row(ui, &l->rows.v[i], &p->text);
			return;
		}
	}
	text_add(&p->text, ROLE_DIM, "it is gone");
}

static void
refill_more(struct ui *ui, struct pane *p)
{
	/* The rows may be older than the model. */
	ui_list_fresh(ui);
	fill_more(ui, p);
}

void
more_open(struct ui *ui, const struct row *r)
{
	static const struct pane_ops ops = { .fill = refill_more,
		.hints = "j/k move  Esc back" };
	char id[VIEW_ID_LEN];
	struct pane *p;

	view_id(ui->m, r, id);
	if ((p = pane_open(ui, &ops, "all that is known")) != NULL)
		(void)str_copy(p->id, sizeof(p->id), id);
}
