/* Escaped text is harmless, fits, and can be turned back to what it was. */
#include <stdlib.h>

#include "base/str.h"

#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a terminal or a log reader would act on, or not show. */
static bool
is_harmful(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x061c ||
	       (cp >= 0x200b && cp <= 0x200f) ||
	       (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x2069) || cp == 0xfeff ||
	       (cp >= 0xe0000 && cp <= 0xe007f);
}

static void
check_harmless(const char *text, size_t len)
{
	uint32_t cp;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = str_utf8(text + i, len - i, &cp);
		must(n > 0);
		must(!is_harmful(cp));
	}
}

static size_t
encode(uint32_t cp, uint8_t *dst)
{
	if (cp < 0x800) {
		dst[0] = (uint8_t)(0xc0 | cp >> 6);
		dst[1] = (uint8_t)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		dst[0] = (uint8_t)(0xe0 | cp >> 12);
		dst[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
		dst[2] = (uint8_t)(0x80 | (cp & 0x3f));
		return 3;
	}
	dst[0] = (uint8_t)(0xf0 | cp >> 18);
	dst[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
	dst[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
	dst[3] = (uint8_t)(0x80 | (cp & 0x3f));
	return 4;
}

/* The bytes that one escape at text stands for; *used is its length. */
static size_t
unescape(const char *text, size_t *used, uint8_t dst[4])
{
	uint8_t raw[4];
	uint32_t cp = 0;
	size_t digits;
	size_t n;

	*used = 1;
	dst[0] = (uint8_t)text[0];
	if (text[0] != '\\')
		return 1;
	*used = 2;
	if (text[1] == '\\')
		return 1;
	must(text[1] == 'x' || text[1] == 'u' || text[1] == 'U');
	digits = text[1] == 'x' ? 2 : text[1] == 'u' ? 4 : 8;
	must(str_unhex(text + 2, digits, raw, sizeof(raw), &n) == RK_OK);
	*used += digits;
	for (size_t i = 0; i < n; i++)
		cp = cp << 8 | raw[i];
	if (digits > 2)
		return encode(cp, dst);
	dst[0] = raw[0];
	return 1;
}

static void
check_whole(const char *text, size_t len, const uint8_t *src, size_t src_len)
{
	uint8_t piece[4];
	size_t used;
	size_t at = 0;

	for (size_t i = 0; i < len; i += used) {
		size_t n = unescape(text + i, &used, piece);

		must(n <= src_len - at);
		must(memcmp(piece, src + at, n) == 0);
		at += n;
	}
	must(at == src_len);
}

/* Two bytes give the room, the rest is the text. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room;
	size_t len;
	char *whole;
	char *cut;

	if (size < 2 || size > 65536)
		return 0;
	room = ((size_t)data[0] << 8 | data[1]) % 512 + 1;
	data += 2;
	size -= 2;
	whole = malloc(4 * size + 1);
	cut = malloc(room);
	must(whole != NULL && cut != NULL);
	(void)rk_escape(whole, 4 * size + 1, (const char *)data, size);
	len = strlen(whole);
	check_harmless(whole, len);
	check_whole(whole, len, data, size);
	(void)rk_escape(cut, room, (const char *)data, size);
	must(strlen(cut) < room);
	check_harmless(cut, strlen(cut));
	if (len < room)
		must(strcmp(cut, whole) == 0);
	else if (room > 1)
		must(cut[strlen(cut) - 1] == '~' &&
		     memcmp(cut, whole, strlen(cut) - 1) == 0);
	/* What is escaped stays as it is when escaped for a line. */
	(void)str_escape_again(cut, room, whole);
	must(len >= room || strcmp(cut, whole) == 0);
	free(cut);
	free(whole);
	return 0;
}
