/* Encodings: hex, base64, UTF-8, time of day. */
#include <stdio.h>
#include <time.h>

#include "base/str.h"

/*
 * Keys pass through hex and base64, so no branch and no index here depends on
 * a digit: below() and within() give masks of all ones or none.
 */
static uint32_t
below(uint32_t a, uint32_t b)
{
	return 0U - ((a - b) >> 31);
}

static uint32_t
within(uint32_t c, uint32_t first, uint32_t last)
{
	return ~below(c, first) & ~below(last, c);
}

static char
hex_digit(uint32_t v)
{
	return (char)(v + '0' + (below(9, v) & ('a' - '0' - 10)));
}

void
str_hex(char *dst, const void *src, size_t n)
{
	const uint8_t *p = src;

	for (size_t i = 0; i < n; i++) {
		dst[2 * i] = hex_digit(p[i] >> 4);
		dst[2 * i + 1] = hex_digit(p[i] & 15);
	}
	dst[2 * n] = '\0';
}

/* The digit's value; *bad gets bits when it is none. */
static uint32_t
hex_value(char digit, uint32_t *bad)
{
	uint32_t c = (uint8_t)digit;
	uint32_t num = within(c, '0', '9');
	uint32_t low = within(c, 'a', 'f');
	uint32_t cap = within(c, 'A', 'F');

	*bad |= ~(num | low | cap);
	return (num & (c - '0')) | (low & (c - 'a' + 10)) |
	       (cap & (c - 'A' + 10));
}

enum rk_err
str_unhex(const char *s, size_t len, uint8_t *dst, size_t cap, size_t *n)
{
	uint32_t bad = 0;

	*n = 0;
	if (len % 2 != 0)
		return RK_EFORMAT;
	if (len / 2 > cap)
		return RK_ETOOBIG;
	for (size_t i = 0; i < len / 2; i++) {
		uint32_t high = hex_value(s[2 * i], &bad);

		dst[i] = (uint8_t)(high << 4 | hex_value(s[2 * i + 1], &bad));
	}
	if (bad != 0)
		return RK_EFORMAT;
	*n = len / 2;
	return RK_OK;
}

size_t
str_base64_len(size_t n)
{
	return (n / 3 + (n % 3 != 0)) * 4 + 1;
}

/* What is added to a value to become its digit changes at four of them: the
 * differences, where none is above its end. */
static char
base64_digit(uint32_t v, bool url)
{
	uint32_t c = v + 'A';

	c += below(25, v) & ('a' - 'A' - 26);
	c -= below(51, v) & ('a' - '0' + 26);
	c -= below(61, v) & (url ? '0' + 10 - '-' : '0' + 10 - '+');
	c += below(62, v) & (url ? '_' - '-' - 1 : '/' - '+' - 1);
	return (char)c;
}

void
str_base64(char *dst, const void *src, size_t n, enum str_base64_form form)
{
	const uint8_t *p = src;
	bool url = form == STR_BASE64URL_NOPAD;
	size_t digits = 4;
	uint32_t bits;

	for (size_t i = 0; i < n; i += 3) {
		bits = (uint32_t)p[i] << 16;
		bits |= n - i > 1 ? (uint32_t)p[i + 1] << 8 : 0;
		bits |= n - i > 2 ? p[i + 2] : 0;
		digits = n - i > 2 ? 4 : n - i + 1;
		for (size_t k = 0; k < digits; k++)
			*dst++ = base64_digit(bits >> (18 - 6 * k) & 63, url);
	}
	for (; form == STR_BASE64 && digits < 4; digits++)
		*dst++ = '=';
	*dst = '\0';
}

static uint32_t
base64_value(char digit, uint32_t *bad)
{
	uint32_t c = (uint8_t)digit;
	uint32_t cap = within(c, 'A', 'Z');
	uint32_t low = within(c, 'a', 'z');
	uint32_t num = within(c, '0', '9');
	uint32_t plus = within(c, '+', '+');
	uint32_t slash = within(c, '/', '/');

	*bad |= ~(cap | low | num | plus | slash);
	return (cap & (c - 'A')) | (low & (c - 'a' + 26)) |
	       (num & (c - '0' + 52)) | (plus & 62) | (slash & 63);
}

/* The length without padding; false when the padding is wrong. */
static bool
strip_padding(const char *s, size_t *len)
{
	size_t n = *len;

	while (n > 0 && *len - n < 2 && s[n - 1] == '=')
		n--;
	if (n != *len && *len % 4 != 0)
		return false;
	*len = n;
	return n % 4 != 1;
}

enum rk_err
str_unbase64(const char *s, size_t len, uint8_t *dst, size_t cap, size_t *n)
{
	uint32_t bits = 0;
	uint32_t bad = 0;
	unsigned have = 0;
	size_t used = 0;

	*n = 0;
	if (!strip_padding(s, &len))
		return RK_EFORMAT;
	if (len / 4 * 3 + len % 4 * 3 / 4 > cap)
		return RK_ETOOBIG;
	for (size_t i = 0; i < len; i++) {
		bits = bits << 6 | base64_value(s[i], &bad);
		have += 6;
		if (have >= 8) {
			have -= 8;
			dst[used++] = (uint8_t)(bits >> have);
		}
	}
	/* Stray bits would let one value have several texts. */
	bad |= bits & ((1U << have) - 1);
	if (bad != 0)
		return RK_EFORMAT;
	*n = used;
	return RK_OK;
}

/* How long the sequence is that begins with this byte; 0: none does. */
static size_t
utf8_need(uint8_t c, uint32_t *cp)
{
	if (c < 0x80) {
		*cp = c;
		return 1;
	}
	if (c >= 0xc2 && c <= 0xdf) {
		*cp = c & 0x1fU;
		return 2;
	}
	if (c >= 0xe0 && c <= 0xef) {
		*cp = c & 0x0fU;
		return 3;
	}
	if (c >= 0xf0 && c <= 0xf4) {
		*cp = c & 0x07U;
		return 4;
	}
	return 0;
}

size_t
str_utf8(const char *s, size_t len, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t need;

	*cp = 0;
	if (len == 0)
		return 0;
	need = utf8_need((uint8_t)s[0], cp);
	if (need > len)
		return 0;
	for (size_t i = 1; i < need; i++) {
		if (((uint8_t)s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | ((uint8_t)s[i] & 0x3fU);
	}
	if (*cp < least[need] || *cp > 0x10ffff ||
	    (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return need;
}

bool
str_is_utf8(const char *s, size_t len)
{
	uint32_t cp;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = str_utf8(s + i, len - i, &cp);
		if (n == 0)
			return false;
	}
	return true;
}

void
str_time(char *dst, int64_t sec)
{
	time_t t = (time_t)sec;
	struct tm tm;
	long long year;

	if (gmtime_r(&t, &tm) == NULL) {
		(void)str_copy(dst, 32, "beyond all years");
		return;
	}
	year = (long long)tm.tm_year + 1900;
	/* Twice for each row of lists: quicker than by snprintf(). */
	if (year < 0 || year > 9999)
		dst += snprintf(dst, 16, "%04lld", year);
	for (int unit = 1000; year >= 0 && year <= 9999 && unit > 0; unit /= 10)
		*dst++ = (char)('0' + year / unit % 10);
	for (size_t i = 0; i < 5; i++) {
		const int parts[] = { tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
			tm.tm_min, tm.tm_sec };

		*dst++ = "--T::"[i];
		*dst++ = (char)('0' + parts[i] / 10);
		*dst++ = (char)('0' + parts[i] % 10);
	}
	*dst++ = 'Z';
	*dst = '\0';
}
