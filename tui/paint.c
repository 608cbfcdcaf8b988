/* Text made fit for a box of the screen: escapes, width in cells, cutting. */
#include "paint.h"

#include "base/str.h"
#include "cli/spell.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#define MARKS_MAX 2 /* combining characters behind one another */
#define PAIR_MIN 8  /* cells of the second of a pair, with what is before it */

/* One thing to show: a character of the text, or its escape, \xNN four times
 * at the most. */
struct piece {
	char bytes[16];
	size_t len;
	size_t width;
};

static void
escape_point(uint32_t cp, struct piece *p)
{
	int n = snprintf(p->bytes, sizeof(p->bytes),
	    cp > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)cp);

	p->len = p->width = n > 0 ? (size_t)n : 0;
}

/* The character at s; how many bytes of it were taken. */
static size_t
take(const char *s, size_t len, size_t *marks, struct piece *p)
{
	wchar_t wide;
	mbstate_t state = { 0 };
	uint32_t cp = 0;
	size_t n = str_utf8(s, len, &cp);
	int width;

	if (n == 0)
		n = 1;
	memcpy(p->bytes, s, n);
	p->len = n;
	p->width = 1;
	if (cp < 0x80) {
		*marks = 0;
		return n;
	}
	if (mbrtowc(&wide, s, n, &state) != n) {
		/* The locale has no such character. */
		p->len = p->width = spell_bytes(p->bytes, s, n);
		return n;
	}
	if ((width = wcwidth(wide)) < 0 ||
	    (width == 0 && *marks >= MARKS_MAX)) {
		escape_point(cp, p);
		return n;
	}
	*marks = width == 0 ? *marks + 1 : 0;
	p->width = (size_t)width;
	return n;
}

size_t
paint_width(const char *safe)
{
	size_t len = strlen(safe), marks = 0, width = 0;
	struct piece p;

	for (size_t i = 0; i < len;) {
		i += take(safe + i, len - i, &marks, &p);
		width += p.width;
	}
	return width;
}

/* Blanks in front of what is there already. */
static void
push(char *dst, size_t len, size_t n)
{
	memmove(dst + n, dst, len + 1);
	memset(dst, ' ', n);
}

static size_t
fill(char *dst, size_t len, size_t used, size_t width, int pad)
{
	size_t n = width - used;

	if (pad == 0 || n == 0 || len + n >= PAINT_MAX)
		return used;
	if (pad < 0) {
		push(dst, len, n);
	} else {
		memset(dst + len, ' ', n);
		dst[len + n] = '\0';
	}
	return width;
}

size_t
paint_fit(char dst[PAINT_MAX], const char *text, size_t width, int pad)
{
	char safe[PAINT_MAX];
	/* The last place where a '~' could still stand: bytes, cells. */
	size_t cut_at = 0, cut_used = 0;
	size_t at = 0, used = 0, i = 0, len, marks = MARKS_MAX;
	struct piece p;

	(void)str_escape_again(safe, sizeof(safe), text);
	len = strlen(safe);
	if (width > PAINT_MAX)
		width = PAINT_MAX;
	while (i < len) {
		i += take(safe + i, len - i, &marks, &p);
		if (used + p.width > width || at + p.len + 2 >= PAINT_MAX) {
			dst[cut_at] = width > 0 ? '~' : '\0';
			dst[cut_at + 1] = '\0';
			at = cut_at + (width > 0);
			used = cut_used + (width > 0);
			break;
		}
		memcpy(dst + at, p.bytes, p.len);
		at += p.len;
		used += p.width;
		if (used < width) {
			cut_at = at;
			cut_used = used;
		}
	}
	dst[at] = '\0';
	return fill(dst, at, used, width, pad);
}

size_t
paint_pair(
    char dst[PAINT_MAX], const char *head, const char *tail, size_t width)
{
	char text[2 * PAINT_MAX], end[PAINT_MAX];
	size_t used = paint_fit(dst, head, PAINT_MAX, 0);
	size_t len = paint_fit(end, tail, PAINT_MAX, 0);
	bool cut = used + 1 + len > width;

	if (tail[0] == '\0')
		return paint_fit(dst, head, width, 0);
	if (cut && used + PAIR_MIN < width)
		(void)paint_tail(end, width - used - 2);
	else
		cut = false;
	(void)snprintf(text, sizeof(text), "%s %s%s", dst, cut ? "~" : "", end);
	return paint_fit(dst, text, width, 0);
}

size_t
paint_wrap(const char *safe, size_t width, size_t *skip)
{
	size_t len = strlen(safe), marks = 0, used = 0, i = 0, blank = 0;
	struct piece p;

	*skip = 0;
	while (i < len) {
		size_t n = take(safe + i, len - i, &marks, &p);

		if (used + p.width > width && i > 0)
			break;
		if (safe[i] == ' ')
			blank = i;
		i += n;
		used += p.width;
	}
	if (i == len)
		return len;
	if (safe[i] == ' ')
		blank = i;
	if (blank == 0)
		return i;
	*skip = 1;
	return blank;
}

size_t
paint_tail(char *text, size_t width)
{
	size_t used;

	while ((used = paint_width(text)) > width && text[0] != '\0') {
		size_t n = 1;

		while (((unsigned char)text[n] & 0xc0) == 0x80)
			n++;
		memmove(text, text + n, strlen(text) - n + 1);
	}
	return used;
}

bool
paint_holds(const char *a, const char *b)
{
	size_t n = strlen(b);

	for (; n > 0 && *a != '\0'; a++) {
		if (strncasecmp(a, b, n) == 0)
			return true;
	}
	return n == 0;
}
