/* A text over the whole body: it scrolls, and Esc closes it. */
#ifndef RPCTUI_PANE_H
#define RPCTUI_PANE_H

#include "ui.h"

struct pane_ops {
	/* Before every drawing, into an empty text; NULL: the text stays. */
	void (*fill)(struct ui *ui, struct pane *p);
	/* Before the usual keys; true: it was for us. */
	bool (*key)(struct ui *ui, struct pane *p, uint32_t key);
	void (*closed)(struct ui *ui, struct pane *p);
	/* What is no text, over the box that has been drawn; or NULL. */
	void (*draw)(struct ui *ui, struct pane *p, const struct box *in);
	/* The whole screen instead; false: it is not wanted.  Or NULL. */
	bool (*whole)(struct ui *ui, struct pane *p);
	const char *hints;
};

struct pane {
	const struct pane_ops *ops;
	char title[300];
	struct text text;
	size_t top, rows;     /* in lines of the screen */
	size_t pick;          /* SIZE_MAX: nothing is selected */
	bool follow;          /* its end */
	char id[VIEW_ID_LEN]; /* what it is about */
	char search[VIEW_FILTER_LEN];
};

/* Open one, closing what was there; NULL without memory (said). */
struct pane *pane_open(
    struct ui *ui, const struct pane_ops *ops, const char *title);
void pane_close(struct ui *ui);
void pane_key(struct ui *ui, uint32_t key);
void pane_draw(struct ui *ui, struct pane *p, const struct box *b);
/* Has one drawn the whole screen? */
bool pane_whole(struct ui *ui);
/* Where its text is. */
struct box pane_inside(const struct box *b);
const char *pane_hints(const struct pane *p);

/* ---- what opens one ---- */
void help_open(struct ui *ui);
void more_open(struct ui *ui, const struct row *r);

#endif
