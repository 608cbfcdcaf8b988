/* The words of rpcd ctl, as its table has them: cut, completed, judged. */
#ifndef RPCTUI_CTLWORDS_H
#define RPCTUI_CTLWORDS_H

#include "line.h"
#include "model.h"

#define CTLWORDS_MAX 36 /* with the three that are ours */

/* What ctl_main() takes; v points into the rest. */
struct ctlwords {
	char prog[12], option[12];
	char text[2 * LINE_LEN];
	char *v[CTLWORDS_MAX + 1]; /* NULL-terminated */
	size_t n;
};

/* "ctl --socket PATH" and the words of a line; quotes of both kinds keep
 * blanks.  False: one has no end, or they are too many, or none. */
bool ctlwords_take(struct ctlwords *w, const char *path, const char *line);
/* Would they change something?  What is not understood, changes nothing. */
bool ctlwords_steer(const struct ctlwords *w);
/* Would they go on without an end, telling what happens? */
bool ctlwords_follow(const struct ctlwords *w);
/* As much more of the word at the end of the line as all have that begin so:
 * verbs, and of what is known fingerprints and numbers of connections. */
void ctlwords_complete(const struct model *m, struct line *line);

#endif
