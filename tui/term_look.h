/* How the roles look to ncurses. */
#ifndef RPCTUI_TERM_LOOK_H
#define RPCTUI_TERM_LOOK_H

#include "term.h"

struct term_pen {
	unsigned long attr; /* A_... */
	short pair;         /* of colors */
};

/* On the terminal that ncurses has been given. */
void term_pens(const struct term_conf *conf, struct term_pen pens[ROLE_ALL]);

#endif
