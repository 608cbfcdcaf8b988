/* Editing one line of UTF-8. */
#include "line.h"

#include "term.h"

#include "base/str.h"

void
line_set(struct line *l, const char *text)
{
	size_t n = str_copy(l->text, sizeof(l->text), text);

	l->len = n < sizeof(l->text) ? n : sizeof(l->text) - 1;
	l->at = l->len;
}

static bool
is_middle(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t
before(const struct line *l)
{
	size_t at = l->at;

	while (at > 0 && is_middle(l->text[--at]))
		continue;
	return at;
}

static size_t
behind(const struct line *l)
{
	size_t at = l->at;

	if (at < l->len)
		at++;
	while (at < l->len && is_middle(l->text[at]))
		at++;
	return at;
}

static void
cut(struct line *l, size_t from, size_t to)
{
	memmove(l->text + from, l->text + to, l->len - to + 1);
	l->len -= to - from;
	l->at = from;
}

void
line_insert(struct line *l, const char *text, size_t len)
{
	if (l->len + len >= sizeof(l->text))
		return;
	memmove(l->text + l->at + len, l->text + l->at, l->len - l->at + 1);
	memcpy(l->text + l->at, text, len);
	l->len += len;
	l->at += len;
}

static size_t
encode(uint32_t cp, char dst[4])
{
	if (cp < 0x80) {
		dst[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		dst[0] = (char)(0xc0 | cp >> 6);
		dst[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		dst[0] = (char)(0xe0 | cp >> 12);
		dst[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		dst[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	dst[0] = (char)(0xf0 | cp >> 18);
	dst[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	dst[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	dst[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

static size_t
word_before(const struct line *l)
{
	size_t at = l->at;

	while (at > 0 && l->text[at - 1] == ' ')
		at--;
	while (at > 0 && l->text[at - 1] != ' ')
		at--;
	return at;
}

static bool
edit(struct line *l, uint32_t key)
{
	switch (key) {
	case TK_BACKSPACE:
		cut(l, before(l), l->at);
		return true;
	case TK_DELETE:
		cut(l, l->at, behind(l));
		return true;
	case TK_CTRL('u'):
		cut(l, 0, l->at);
		return true;
	case TK_CTRL('k'):
		cut(l, l->at, l->len);
		return true;
	case TK_CTRL('w'):
		cut(l, word_before(l), l->at);
		return true;
	default:
		return false;
	}
}

bool
line_key(struct line *l, uint32_t key)
{
	char bytes[4];

	if (edit(l, key))
		return true;
	switch (key) {
	case TK_LEFT:
		l->at = before(l);
		return true;
	case TK_RIGHT:
		l->at = behind(l);
		return true;
	case TK_HOME:
	case TK_CTRL('a'):
		l->at = 0;
		return true;
	case TK_END:
	case TK_CTRL('e'):
		l->at = l->len;
		return true;
	default:
		break;
	}
	if (key < ' ' || key > 0x10ffff || key == 0x7f)
		return false;
	line_insert(l, bytes, encode(key, bytes));
	return true;
}
