/* Lines of text with a role each. */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
text_fini(struct text *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->lines[i].bytes);
	free(t->lines);
	*t = (struct text){ 0 };
}

static bool
make_room(struct text *t)
{
	struct text_line *more;
	size_t cap = t->cap == 0 ? 32 : t->cap * 2;

	if (t->n == TEXT_LINES) {
		free(t->lines[0].bytes);
		t->n--;
		memmove(t->lines, t->lines + 1, t->n * sizeof(t->lines[0]));
		return true;
	}
	if (t->n < t->cap)
		return true;
	if ((more = realloc(t->lines, cap * sizeof(*more))) == NULL)
		return false;
	t->lines = more;
	t->cap = cap;
	return true;
}

void
text_add(struct text *t, enum term_role role, const char *fmt, ...)
{
	va_list ap;
	char *bytes;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&bytes, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (!make_room(t)) {
		free(bytes);
		return;
	}
	t->lines[t->n++] = (struct text_line){ role, bytes };
}

void
text_set(struct text *t, size_t at, enum term_role role, const char *fmt, ...)
{
	va_list ap;
	char *bytes;
	int n;

	if (at >= t->n)
		return;
	va_start(ap, fmt);
	n = vasprintf(&bytes, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	free(t->lines[at].bytes);
	t->lines[at] = (struct text_line){ role, bytes };
}

void
text_fact(struct text *t, const char *label, const char *text)
{
	if (text[0] != '\0')
		text_add(t, ROLE_TEXT, "%-6s %s", label, text);
}
