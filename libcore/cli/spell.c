/* What the locale cannot show, spelled out. */
#include "cli/spell.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"

#define SPELLED 4 /* bytes of "\xNN" */
#define USUAL 1024

bool
spell_needed(void)
{
	locale_t before = uselocale(LC_GLOBAL_LOCALE);
	bool other = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;

	(void)uselocale(before);
	return other;
}

static void
spell_byte(char dst[SPELLED], uint8_t c)
{
	static const char digits[] = "0123456789abcdef";

	dst[0] = '\\';
	dst[1] = 'x';
	dst[2] = digits[c >> 4];
	dst[3] = digits[c & 15];
}

size_t
spell_bytes(char *dst, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		spell_byte(dst + SPELLED * i, (uint8_t)s[i]);
	return SPELLED * n;
}

static size_t
count_high(const char *s, size_t len)
{
	size_t high = 0;

	for (size_t i = 0; i < len; i++)
		high += (uint8_t)s[i] >= 0x80;
	return high;
}

/* From the end on, so that nothing is written over that is still to be read. */
static void
stretch(char *s, size_t len, size_t high)
{
	size_t at = len + (SPELLED - 1) * high;

	for (size_t i = len; i > 0; i--) {
		uint8_t c = (uint8_t)s[i - 1];

		if (c < 0x80) {
			s[--at] = (char)c;
			continue;
		}
		at -= SPELLED;
		spell_byte(s + at, c);
	}
}

enum rk_err
spell_out(struct buf *b, size_t from)
{
	size_t len = buf_len(b) - from, high;
	uint8_t *p;
	enum rk_err r;

	if (len == 0)
		return RK_OK;
	high = count_high((const char *)buf_peek(b) + from, len);
	if ((r = buf_reserve(b, (SPELLED - 1) * high, &p)) != RK_OK)
		return r;
	buf_commit(b, (SPELLED - 1) * high);
	stretch((char *)p - len, len, high);
	return RK_OK;
}

const char *
spell_text(char *text, size_t cap)
{
	size_t len = strlen(text), kept = 0, used = 0, n;
	size_t high = count_high(text, len);

	if (high == 0 || !spell_needed())
		return text;
	if (len + (SPELLED - 1) * high >= cap) {
		for (; kept < len; kept++, used += n) {
			n = (uint8_t)text[kept] >= 0x80 ? SPELLED : 1;
			if (used + n + 2 > cap)
				break;
		}
		text[kept] = '~';
		len = kept + 1;
		high = count_high(text, len);
	}
	stretch(text, len, high);
	text[len + (SPELLED - 1) * high] = '\0';
	return text;
}

enum rk_err
spell_write(int fd, const char *text)
{
	struct buf b;
	enum rk_err r;

	if (!spell_needed())
		return fs_write_all(fd, text, strlen(text));
	buf_init(&b, SIZE_MAX / 2);
	if ((r = buf_put_str(&b, text)) == RK_OK &&
	    (r = spell_out(&b, 0)) == RK_OK)
		r = fs_write_all(fd, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	return r;
}

/* In pieces: stderr keeps none of what it is given. */
static int
put_spelled(FILE *to, const char *text)
{
	char piece[USUAL];
	size_t len = 0;

	for (; *text != '\0'; text++) {
		if (len + SPELLED > sizeof(piece)) {
			if (fwrite(piece, 1, len, to) != len)
				return -1;
			len = 0;
		}
		if ((uint8_t)*text < 0x80) {
			piece[len++] = *text;
			continue;
		}
		spell_byte(piece + len, (uint8_t)*text);
		len += SPELLED;
	}
	return fwrite(piece, 1, len, to) == len ? 0 : -1;
}

int
spell_vprint(FILE *to, const char *fmt, va_list ap)
{
	char usual[USUAL], *more = NULL;
	va_list again;
	int n;

	if (!spell_needed())
		return vfprintf(to, fmt, ap);
	va_copy(again, ap);
	n = vsnprintf(usual, sizeof(usual), fmt, ap);
	if (n >= (int)sizeof(usual)) {
		if ((more = malloc((size_t)n + 1)) != NULL)
			n = vsnprintf(more, (size_t)n + 1, fmt, again);
		else
			usual[sizeof(usual) - 2] = '~';
	}
	va_end(again);
	if (n >= 0)
		n = put_spelled(to, more != NULL ? more : usual);
	free(more);
	return n;
}

int
spell_print(FILE *to, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = spell_vprint(to, fmt, ap);
	va_end(ap);
	return n;
}
