/* What JSON cannot say, in tagged forms: bytes, odd floats, timestamps. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/be.h"
#include "base/str.h"
#include "cli/json_priv.h"

#define DAY 86400
#define NANO 1000000000U
#define FIRST_SEC INT64_C(-62135596800) /* 0001-01-01 */
#define LAST_SEC INT64_C(253402300799)  /* 9999-12-31 */
/* Halfway from the largest 32-bit float to what would follow it. */
#define F32_LIMIT 3.4028235677973366e+38

enum rk_err
json_tag_base64(struct rk_value_doc *doc, struct rk_value *v, enum rk_kind kind,
    const char *s, size_t len)
{
	size_t cap = len / 4 * 3 + 3;
	uint8_t *bytes = malloc(cap);
	size_t n;
	enum rk_err r;

	if (bytes == NULL)
		return RK_ENOMEM;
	r = str_unbase64(s, len, bytes, cap, &n);
	if (r == RK_OK)
		r = rk_value_set_bytes(doc, v, kind, bytes, n);
	free(bytes);
	return r;
}

enum rk_err
json_tag_hex(
    struct rk_value_doc *doc, struct rk_value *v, const char *s, size_t len)
{
	uint8_t *bytes = malloc(len / 2 + 1);
	size_t n;
	enum rk_err r;

	if (bytes == NULL)
		return RK_ENOMEM;
	r = str_unhex(s, len, bytes, len / 2 + 1, &n);
	if (r == RK_OK)
		r = rk_value_set_bytes(doc, v, RK_BIN, bytes, n);
	free(bytes);
	return r;
}

/* "nan:7ff8000000000001": the bits of a NaN, of `size` bytes. */
static enum rk_err
nan_bits(const char *s, size_t size, uint64_t *bits)
{
	uint8_t bytes[8];
	size_t n;

	*bits = 0;
	if (strncmp(s, "nan:", 4) != 0 ||
	    str_unhex(s + 4, strlen(s + 4), bytes, sizeof(bytes), &n) !=
	        RK_OK ||
	    n != size)
		return RK_EFORMAT;
	*bits = be_get(bytes, n);
	return RK_OK;
}

enum rk_err
json_tag_f64(struct rk_value *v, const char *s)
{
	uint64_t bits;
	enum rk_err r = RK_OK;

	if (strcmp(s, "inf") == 0)
		bits = UINT64_C(0x7ff0000000000000);
	else if (strcmp(s, "-inf") == 0)
		bits = UINT64_C(0xfff0000000000000);
	else if (strcmp(s, "nan") == 0)
		bits = UINT64_C(0x7ff8000000000000);
	else
		r = nan_bits(s, sizeof(bits), &bits);
	if (r != RK_OK)
		return r;
	v->kind = RK_F64;
	memcpy(&v->u.f64, &bits, sizeof(bits));
	return isfinite(v->u.f64) ? RK_EFORMAT : RK_OK;
}

enum rk_err
json_tag_f32(struct rk_value *v, const char *s)
{
	uint64_t bits;
	uint32_t low;
	enum rk_err r = RK_OK;

	if (strcmp(s, "inf") == 0)
		bits = 0x7f800000;
	else if (strcmp(s, "-inf") == 0)
		bits = 0xff800000;
	else if (strcmp(s, "nan") == 0)
		bits = 0x7fc00000;
	else
		r = nan_bits(s, sizeof(low), &bits);
	if (r != RK_OK)
		return r;
	low = (uint32_t)bits;
	v->kind = RK_F32;
	memcpy(&v->u.f32, &low, sizeof(low));
	return (low & 0x7f800000) == 0x7f800000 ? RK_OK : RK_EFORMAT;
}

enum rk_err
json_tag_f32_number(struct rk_value *v, double x)
{
	if (!(fabs(x) < F32_LIMIT))
		return RK_ETOOBIG;
	v->kind = RK_F32;
	v->u.f32 = (float)x;
	return RK_OK;
}

/* Days since 1970-01-01 of a date of the Gregorian calendar. */
static int64_t
days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t y = year - (month <= 2);
	int64_t era = y / 400;
	int64_t year_of_era = y - era * 400;
	int64_t shifted = (int64_t)(month + 9) % 12; /* March is 0 */
	int64_t day_of_year = (153 * shifted + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 -
	       year_of_era / 100 + day_of_year - 719468;
}

static unsigned
month_days(unsigned year, unsigned month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap ? 1U : 0U);
}

/* n digits at *s and, unless it is NUL, the byte `after`. */
static bool
take_digits(const char **s, unsigned n, char after, unsigned *out)
{
	*out = 0;
	for (unsigned i = 0; i < n; i++, ++*s) {
		if (**s < '0' || **s > '9')
			return false;
		*out = *out * 10 + (unsigned)(**s - '0');
	}
	if (after == '\0')
		return true;
	return *(*s)++ == after;
}

/* "2025-11-02T12:04:31" at *s, as seconds since 1970. */
static bool
take_seconds(const char **s, int64_t *sec)
{
	unsigned year;
	unsigned month;
	unsigned day;
	unsigned hour;
	unsigned minute;
	unsigned second;

	if (!take_digits(s, 4, '-', &year) || !take_digits(s, 2, '-', &month) ||
	    !take_digits(s, 2, 'T', &day) || !take_digits(s, 2, ':', &hour) ||
	    !take_digits(s, 2, ':', &minute) ||
	    !take_digits(s, 2, '\0', &second))
		return false;
	if (year == 0 || month == 0 || month > 12 || day == 0 ||
	    day > month_days(year, month) || hour > 23 || minute > 59 ||
	    second > 59)
		return false;
	*sec = days_of(year, month, day) * DAY + (int64_t)hour * 3600 +
	       minute * 60 + second;
	return true;
}

/* ".000000001" at *s, one to nine digits, or nothing. */
static bool
take_fraction(const char **s, uint32_t *nsec)
{
	uint32_t unit = NANO / 10;

	*nsec = 0;
	if (**s != '.')
		return true;
	++*s;
	if (**s < '0' || **s > '9')
		return false;
	for (; **s >= '0' && **s <= '9'; ++*s, unit /= 10) {
		if (unit == 0)
			return false;
		*nsec += (uint32_t)(**s - '0') * unit;
	}
	return true;
}

/* The shortest of msgpack's three forms; its length. */
static size_t
encode_time(int64_t sec, uint32_t nsec, uint8_t dst[12])
{
	if (sec >= 0 && sec <= UINT32_MAX && nsec == 0) {
		(void)be_put32(dst, (uint32_t)sec);
		return 4;
	}
	if (sec >= 0 && sec >> 34 == 0) {
		(void)be_put64(dst, (uint64_t)nsec << 34 | (uint64_t)sec);
		return 8;
	}
	(void)be_put64(be_put32(dst, nsec), (uint64_t)sec);
	return 12;
}

enum rk_err
json_tag_time(struct rk_value_doc *doc, struct rk_value *v, const char *s)
{
	uint8_t bytes[12];
	int64_t sec;
	uint32_t nsec;
	enum rk_err r;

	if (!take_seconds(&s, &sec) || !take_fraction(&s, &nsec) ||
	    strcmp(s, "Z") != 0)
		return RK_EFORMAT;
	r = rk_value_set_bytes(
	    doc, v, RK_EXT, bytes, encode_time(sec, nsec, bytes));
	if (r == RK_OK)
		v->ext_type = -1;
	return r;
}

static bool
decode_time(const struct rk_bytes *b, int64_t *sec, uint32_t *nsec)
{
	uint64_t both;

	*nsec = 0;
	switch (b->len) {
	case 4:
		*sec = (int64_t)be_get32(b->ptr);
		return true;
	case 8:
		both = be_get64(b->ptr);
		*nsec = (uint32_t)(both >> 34);
		*sec = (int64_t)(both & ((UINT64_C(1) << 34) - 1));
		return true;
	case 12:
		*nsec = be_get32(b->ptr);
		*sec = (int64_t)be_get64(b->ptr + 4);
		return true;
	default:
		return false;
	}
}

bool
json_time_text(const struct rk_value *v, char dst[JSON_TIME_LEN])
{
	uint8_t again[12];
	char text[32];
	int64_t sec;
	uint32_t nsec;
	size_t len;

	if (v->ext_type != -1 || !decode_time(&v->u.bytes, &sec, &nsec))
		return false;
	if (sec < FIRST_SEC || sec > LAST_SEC || nsec >= NANO)
		return false;
	len = encode_time(sec, nsec, again);
	if (len != v->u.bytes.len || memcmp(again, v->u.bytes.ptr, len) != 0)
		return false;
	str_time(text, sec);
	if (nsec == 0)
		return str_copy(dst, JSON_TIME_LEN, text) < JSON_TIME_LEN;
	/* The fraction stands before the "Z". */
	len = strlen(text) - 1;
	return snprintf(dst, JSON_TIME_LEN, "%.*s.%09uZ", (int)len, text,
	           nsec) < JSON_TIME_LEN;
}
