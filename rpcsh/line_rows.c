/* How a line of text stands on the terminal as libedit shows it: rows, columns,
 * and marks that combine. */
#include "line_rows.h"

#include "base/str.h"
#include "cli/spell.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

/* How many columns a character takes as libedit shows it; 0: a newline. */
static unsigned
width_of(wchar_t c)
{
	int w = wcwidth(c);

	if (c == L'\n')
		return 0;
	return w >= 0 ? (unsigned)w : 2; /* ^X */
}

/* A text of which the rest is still to be read. */
struct reading {
	const char *at;
	size_t left;
	mbstate_t state;
};

/* The next character; how many bytes it takes, 0: there is none. */
static size_t
next(struct reading *in, wchar_t *c)
{
	const size_t n =
	    in->left > 0 ? mbrtowc(c, in->at, in->left, &in->state) : 0;

	if (n > in->left) /* what is no character, or not all of it */
		return 0;
	in->at += n;
	in->left -= n;
	return n;
}

unsigned
line_rows(const char *text, size_t len, unsigned cols, unsigned *col)
{
	struct reading in = { .at = text, .left = len };
	unsigned rows = 0;
	wchar_t c;

	while (next(&in, &c) > 0) {
		const unsigned w = width_of(c);

		if (c == L'\n' || *col + w > cols) {
			rows++;
			*col = 0;
		}
		*col += w;
		if (*col == cols) { /* libedit goes to the next row at once */
			rows++;
			*col = 0;
		}
	}
	return rows;
}

bool
line_has_marks(const char *text, size_t len)
{
	struct reading in = { .at = text, .left = len };
	bool any = false;
	wchar_t c;

	while (next(&in, &c) > 0) {
		const int w = wcwidth(c);

		if (w < 0)
			return false;
		any = any || w == 0;
	}
	return any && in.left == 0;
}

void
line_put_rows(const char *text, size_t len, unsigned cols, unsigned *col)
{
	struct reading in = { .at = text, .left = len };
	wchar_t c;
	size_t n;

	while ((n = next(&in, &c)) > 0) {
		const unsigned w = width_of(c);

		if (w > 0 && *col + w > cols) {
			(void)fputs("\r\n", stdout);
			*col = 0;
		}
		(void)fwrite(in.at - n, 1, n, stdout);
		*col += w;
	}
}

/* Names of files are anybody's. */
const char *
line_shown(char *dst, size_t len, const char *word)
{
	(void)str_escape_again(dst, len, word);
	return spell_text(dst, len);
}
