/* Escaping: foreign text made harmless for a terminal and a log line. */
#include <rpckit/base.h>

#include "base/str.h"

/* The longest piece that one character becomes: \xc2\x85, \UNNNNNNNN. */
#define PIECE_LEN 11

struct range {
	uint32_t first;
	uint32_t last;
};

/* What is not seen but changes what is: format characters, fillers. */
static const struct range invisible[] = {
	{ 0x00ad, 0x00ad },   /* soft hyphen */
	{ 0x061c, 0x061c },   /* Arabic letter mark */
	{ 0x115f, 0x1160 },   /* Hangul fillers */
	{ 0x180e, 0x180e },   /* Mongolian vowel separator */
	{ 0x200b, 0x200f },   /* zero width, marks of direction */
	{ 0x2028, 0x202e },   /* separators, embeddings, overrides */
	{ 0x2060, 0x206f },   /* joiners, isolates, invisible operators */
	{ 0x3164, 0x3164 },   /* Hangul filler */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xffa0, 0xffa0 },   /* half-width Hangul filler */
	{ 0xfff9, 0xfffb },   /* interlinear annotation */
	{ 0xe0000, 0xe007f }, /* tags */
};

static bool
is_invisible(uint32_t cp)
{
	size_t n = sizeof(invisible) / sizeof(invisible[0]);

	for (size_t i = 0; i < n; i++) {
		if (cp >= invisible[i].first && cp <= invisible[i].last)
			return true;
	}
	return false;
}

static size_t
put_hex(char *dst, char kind, uint32_t value, unsigned digits)
{
	static const char hex[] = "0123456789abcdef";

	dst[0] = '\\';
	dst[1] = kind;
	for (unsigned i = 0; i < digits; i++)
		dst[2 + i] = hex[value >> (4 * (digits - 1 - i)) & 15];
	return 2 + digits;
}

/* Every byte for itself, so that the reader sees what was sent. */
static size_t
put_bytes(char *dst, const char *src, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++)
		used += put_hex(dst + used, 'x', (uint8_t)src[i], 2);
	return used;
}

/* Turn the character at src to a piece; *used bytes of src were eaten. */
static size_t
piece(
    char dst[PIECE_LEN], const char *src, size_t len, bool twice, size_t *used)
{
	uint32_t cp;
	size_t n = str_utf8(src, len, &cp);

	*used = n == 0 ? 1 : n;
	if (n == 0 || cp < 0x20 || (cp >= 0x7f && cp <= 0x9f))
		return put_bytes(dst, src, *used);
	if (is_invisible(cp))
		return cp > 0xffff ? put_hex(dst, 'U', cp, 8)
		                   : put_hex(dst, 'u', cp, 4);
	if (cp == '\\' && twice) {
		dst[0] = dst[1] = '\\';
		return 2;
	}
	memcpy(dst, src, n);
	return n;
}

/* Are all eight bytes plain? */
static bool
eight_plain(const char *s)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t tops = ones << 7;
	uint64_t w, quote, slash;

	memcpy(&w, s, sizeof(w));
	quote = w ^ ones * '"';
	slash = w ^ ones * '\\';
	/* A byte's top bit is set by its own fault, or by a lower one's. */
	return ((w | (w + ones) | (w - ones * ' ') | (quote - ones) |
	            (slash - ones)) &
	           tops) == 0;
}

size_t
str_plain(const char *s, size_t len)
{
	size_t n = 0;

	while (len - n >= 8 && eight_plain(s + n))
		n += 8;
	while (n < len && s[n] >= ' ' && s[n] <= '~' && s[n] != '"' &&
	       s[n] != '\\')
		n++;
	return n;
}

static const char *
escape(char *dst, size_t dst_len, const char *src, size_t len, bool twice)
{
	char tmp[PIECE_LEN];
	size_t pos = 0;
	size_t cut = 0; /* the last place where "~" and NUL still fit */
	size_t used;

	if (dst_len == 0)
		return dst;
	for (size_t i = 0; i < len; i += used) {
		size_t n = str_plain(src + i, len - i); /* most of all text */

		if (n > 0 && n + 1 <= dst_len - pos) {
			memcpy(dst + pos, src + i, n);
			pos += n;
			cut = pos - 1;
			used = n;
			continue;
		}
		n = piece(tmp, src + i, len - i, twice, &used);
		if (pos + 2 <= dst_len)
			cut = pos;
		if (n >= dst_len - pos) {
			if (dst_len > 1)
				dst[cut++] = '~';
			pos = cut;
			break;
		}
		memcpy(dst + pos, tmp, n);
		pos += n;
	}
	dst[pos] = '\0';
	return dst;
}

const char *
rk_escape(char *dst, size_t dst_len, const char *src, size_t src_len)
{
	return escape(dst, dst_len, src, src_len, true);
}

const char *
str_escape(char *dst, size_t dst_len, const char *src)
{
	return escape(dst, dst_len, src, strlen(src), true);
}

const char *
str_escape_again(char *dst, size_t dst_len, const char *src)
{
	return escape(dst, dst_len, src, strlen(src), false);
}
