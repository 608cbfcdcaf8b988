/* Lines of text with a role each: what panes, details and dialogs hold. */
#ifndef RPCTUI_TEXT_H
#define RPCTUI_TEXT_H

#include "term.h"

#define TEXT_LINES 4096 /* that are kept; older ones go */

struct text_line {
	enum term_role role;
	char *bytes; /* owned; as it came */
};

struct text {
	struct text_line *lines;
	size_t n, cap;
};

/* A zeroed one is empty. */
void text_fini(struct text *t);
/* A line more; without memory it is left out. */
void text_add(struct text *t, enum term_role role, const char *fmt, ...)
    RK_PRINTF(3, 4);
/* Another text in the place of a line, or what was there. */
void text_set(struct text *t, size_t at, enum term_role role, const char *fmt,
    ...) RK_PRINTF(4, 5);
/* "label   text" with the label six cells wide, where there is a text. */
void text_fact(struct text *t, const char *label, const char *text);

#endif
