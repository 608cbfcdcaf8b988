/* One line that a person types: a cursor, UTF-8, a limit. */
#ifndef RPCTUI_LINE_H
#define RPCTUI_LINE_H

#include <rpckit/base.h>

#define LINE_LEN 512

struct line {
	char text[LINE_LEN];
	size_t len, at;
};

void line_set(struct line *l, const char *text);
/* Did the key mean anything here? */
bool line_key(struct line *l, uint32_t key);
/* Text at the cursor. */
void line_insert(struct line *l, const char *text, size_t len);

#endif
