/* What the screen has besides lists: export, trace, commands, layout. */
#ifndef RPCTUI_EXTRA_H
#define RPCTUI_EXTRA_H

#include "pane.h"

/* ---- export.c ---- */
/* Ask for a file and write what is shown to it, an object of JSON a line. */
void export_ask(struct ui *ui);

/* ---- import.c ---- */
void import_ask(struct ui *ui);

/* ---- trace.c ---- */
void trace_open(struct ui *ui, const struct model_conn *c);
/* Look at its connection again. */
void trace_look(struct ui *ui);

/* ---- drop.c ---- */
/* Connections whose key is not on the list, as the model has it. */
size_t drop_count(const struct model *m);
/* Have the daemon close those that it has now, one after the other. */
void drop_unlisted(struct ui *ui);
void drop_free(struct ui *ui);

/* ---- audit.c ---- */
void audit_open(struct ui *ui);
/* Only what is of this key. */
void audit_of(struct ui *ui, const struct model_key *k);

/* ---- cmdline.c ---- */
void cmdline_ask(struct ui *ui);
/* The command that runs, or NULL, has ended? */
void cmdline_look(struct ui *ui);
void cmdline_free(struct ui *ui);

/* ---- layout.c ---- */
/* Order and filter of every tab, as they were the last time; what cannot be
 * read is as if it had never been. */
void layout_load(struct view views[TAB_COUNT]);
void layout_save(const struct view views[TAB_COUNT]);
/* The text of it. */
void layout_write(const struct view views[TAB_COUNT], char *dst, size_t len);
void layout_read(struct view views[TAB_COUNT], const char *text);

#endif
