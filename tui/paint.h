/* Text from anywhere made fit for a box: safe, so many cells wide, cut. */
#ifndef RPCTUI_PAINT_H
#define RPCTUI_PAINT_H

#include <rpckit/err.h>

/* Enough for a line of the widest terminal that is served. */
#define PAINT_MAX 2048

/*
 * The text with everything that could harm a terminal written as text
 * (rk_escape(), but a backslash stays one: what the daemon says is escaped
 * already), and so what this locale cannot show, or of which it does not know
 * how wide it is; more than two combining characters in a row, and one that
 * has nothing to stand on.  At most `width` cells: longer text is cut and ends
 * with '~'.  Shorter text is filled up with blanks where `pad` says so, on its
 * left (-1) or its right (1).  Returns how many cells were taken.
 */
size_t paint_fit(char dst[PAINT_MAX], const char *text, size_t width, int pad);

/*
 * Two such texts with a blank between them, in at most `width` cells.  Where
 * there is no room for both, the second one loses its beginning, as the end of
 * a file's name tells most; where that would leave little of it, the whole is
 * cut.  How many cells were taken.
 */
size_t paint_pair(
    char dst[PAINT_MAX], const char *head, const char *tail, size_t width);

/* How many cells safe text takes. */
size_t paint_width(const char *safe);

/*
 * The bytes of safe text that the first of the lines takes into which it is
 * broken, at blanks where that is possible; *skip is how many to leave out
 * behind it.
 */
size_t paint_wrap(const char *safe, size_t width, size_t *skip);

/* Does a hold b, whatever the case of ASCII letters?  An empty b is held. */
bool paint_holds(const char *a, const char *b);

/* Cut characters off the front of safe text, as many as leave no more than so
 * many cells; how many are left. */
size_t paint_tail(char *text, size_t width);

#endif
