/* How a line of text stands on the terminal as libedit shows it: rows, columns,
 * and marks that combine. */
#include "line_rows.h"

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

unsigned
line_rows(const char *text, size_t len, unsigned cols, unsigned *col)
{
	mbstate_t state = { 0 };
	unsigned rows = 0;

	while (len > 0) {
		wchar_t c;
		size_t n = mbrtowc(&c, text, len, &state);
		unsigned w;

		if (n == 0 || n > len)
			break;
		w = width_of(c);
		if (c == L'\n' || *col + w > cols) {
			rows++;
			*col = 0;
		}
		*col += w;
		if (*col == cols) { /* libedit goes to the next row at once */
			rows++;
			*col = 0;
		}
		text += n;
		len -= n;
	}
	return rows;
}

bool
line_has_marks(const char *text, size_t len)
{
	mbstate_t state = { 0 };
	bool any = false;

	while (len > 0) {
		wchar_t c;
		size_t n = mbrtowc(&c, text, len, &state);
		int w;

		if (n == 0 || n > len || (w = wcwidth(c)) < 0)
			return false;
		any = any || w == 0;
		text += n;
		len -= n;
	}
	return any;
}

void
line_put_rows(const char *text, size_t len, unsigned cols, unsigned *col)
{
	mbstate_t state = { 0 };

	while (len > 0) {
		wchar_t c;
		size_t n = mbrtowc(&c, text, len, &state);
		unsigned w;

		if (n == 0 || n > len)
			break;
		w = width_of(c);
		if (w > 0 && *col + w > cols) {
			(void)fputs("\r\n", stdout);
			*col = 0;
		}
		(void)fwrite(text, 1, n, stdout);
		*col += w;
		text += n;
		len -= n;
	}
}
