/* Times and durations of typed structs as text, both ways. */
#include "rpc/typed_int.h"

#include "base/str.h"

#include <stdio.h>

#define NSEC_PER_SEC UINT64_C(1000000000)

/* ---- out ---- */

/* ".5" of half a second; nothing of none. */
static void
put_fraction(char *dst, uint64_t nsec)
{
	size_t n;

	dst[0] = '\0';
	if (nsec == 0)
		return;
	(void)snprintf(dst, 11, ".%09u", (unsigned)(nsec % NSEC_PER_SEC));
	n = strlen(dst);
	while (dst[n - 1] == '0')
		dst[--n] = '\0';
}

bool
typed_format_time(char dst[TYPED_TEXT_MAX], const struct rk_time *t)
{
	char whole[32];
	char fraction[12];

	str_time(whole, t->sec);
	if (strlen(whole) != 20 || whole[0] < '0' || whole[0] > '9' ||
	    t->nsec < 0 || (uint64_t)t->nsec >= NSEC_PER_SEC)
		return false;
	put_fraction(fraction, (uint64_t)t->nsec);
	(void)snprintf(dst, TYPED_TEXT_MAX, "%.19s%sZ", whole, fraction);
	return true;
}

void
typed_format_duration(char dst[TYPED_TEXT_MAX], int64_t ns)
{
	uint64_t all = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
	char fraction[12];

	put_fraction(fraction, all % NSEC_PER_SEC);
	(void)snprintf(dst, TYPED_TEXT_MAX, "%s%llu%ss", ns < 0 ? "-" : "",
	    (unsigned long long)(all / NSEC_PER_SEC), fraction);
}

/* ---- in ---- */

struct text {
	const char *p;
	const char *end;
};

static bool
take(struct text *t, char c)
{
	if (t->p == t->end || *t->p != c)
		return false;
	t->p++;
	return true;
}

static bool
at_digit(const struct text *t)
{
	return t->p < t->end && *t->p >= '0' && *t->p <= '9';
}

/* Exactly n digits. */
static bool
take_number(struct text *t, unsigned n, int64_t *v)
{
	*v = 0;
	for (; n > 0; n--) {
		if (!at_digit(t))
			return false;
		*v = *v * 10 + (*t->p++ - '0');
	}
	return true;
}

/* What stands behind a point, of a unit of so many nanoseconds; what is finer
 * than one is dropped. */
static uint64_t
take_fraction(struct text *t, uint64_t unit)
{
	uint64_t sum = 0;

	while (at_digit(t)) {
		unit /= 10;
		sum += unit * (uint64_t)(*t->p++ - '0');
	}
	return sum;
}

/* Days from 1970 to the first of a month; years are counted from March, so
 * that the day that leap years have more is their last. */
static int64_t
days_until(int64_t year, int64_t month)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t m = month <= 2 ? month + 9 : month - 3;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 - 719468;
}

static bool
take_date(struct text *t, int64_t *days)
{
	int64_t year, month, day, first, next;

	if (!take_number(t, 4, &year) || !take(t, '-') ||
	    !take_number(t, 2, &month) || !take(t, '-') ||
	    !take_number(t, 2, &day) || year < 1 || month < 1 || month > 12)
		return false;
	first = days_until(year, month);
	next =
	    month == 12 ? days_until(year + 1, 1) : days_until(year, month + 1);
	*days = first + day - 1;
	return day >= 1 && *days < next;
}

/* "Z", or how far the clock that was read is ahead. */
static bool
take_zone(struct text *t, int64_t *ahead)
{
	bool is_behind;
	int64_t h, m;

	*ahead = 0;
	if (take(t, 'Z'))
		return true;
	is_behind = take(t, '-');
	if ((!is_behind && !take(t, '+')) || !take_number(t, 2, &h) ||
	    !take(t, ':') || !take_number(t, 2, &m) || h > 23 || m > 59)
		return false;
	*ahead = (is_behind ? -60 : 60) * (60 * h + m);
	return true;
}

enum rk_err
typed_parse_time(struct rk_str s, struct rk_time *out)
{
	struct text t = { s.ptr, s.ptr + s.len };
	int64_t days, hour, min, sec, ahead;
	uint64_t nsec = 0;

	*out = (struct rk_time){ .is_set = false };
	if (!take_date(&t, &days) || !take(&t, 'T') ||
	    !take_number(&t, 2, &hour) || !take(&t, ':') ||
	    !take_number(&t, 2, &min) || !take(&t, ':') ||
	    !take_number(&t, 2, &sec) || hour > 23 || min > 59 || sec > 59)
		return RK_EFORMAT;
	if (take(&t, '.')) {
		if (!at_digit(&t))
			return RK_EFORMAT;
		nsec = take_fraction(&t, NSEC_PER_SEC);
	}
	if (!take_zone(&t, &ahead) || t.p != t.end)
		return RK_EFORMAT;
	out->sec = 86400 * days + 3600 * hour + 60 * min + sec - ahead;
	out->nsec = (int32_t)nsec;
	out->is_set = true;
	return RK_OK;
}

/* The longer ones first. */
static const struct {
	const char *name;
	uint64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "ms", 1000000 },
	{ "s", NSEC_PER_SEC },
	{ "m", 60 * NSEC_PER_SEC },
	{ "h", 3600 * NSEC_PER_SEC },
};

static uint64_t
find_unit(const char *p, const char *end, size_t *len)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		*len = strlen(units[i].name);
		if ((size_t)(end - p) >= *len &&
		    memcmp(p, units[i].name, *len) == 0)
			return units[i].ns;
	}
	return 0;
}

/* "1.5h": RK_EFORMAT, RK_ETOOBIG. */
static enum rk_err
take_part(struct text *t, uint64_t *ns)
{
	struct text fraction;
	uint64_t whole = 0;
	uint64_t unit;
	size_t len;

	if (!at_digit(t))
		return RK_EFORMAT;
	for (; at_digit(t); t->p++) {
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(
		        whole, (uint64_t)(*t->p - '0'), &whole))
			return RK_ETOOBIG;
	}
	fraction = *t;
	if (take(t, '.')) {
		if (!at_digit(t))
			return RK_EFORMAT;
		fraction = *t;
		while (at_digit(t))
			t->p++;
	}
	if ((unit = find_unit(t->p, t->end, &len)) == 0)
		return RK_EFORMAT;
	fraction.end = t->p;
	t->p += len;
	if (__builtin_mul_overflow(whole, unit, ns) ||
	    __builtin_add_overflow(*ns, take_fraction(&fraction, unit), ns))
		return RK_ETOOBIG;
	return RK_OK;
}

enum rk_err
typed_parse_duration(struct rk_str s, int64_t *ns)
{
	struct text t = { s.ptr, s.ptr + s.len };
	bool is_negative = take(&t, '-');
	uint64_t sum = 0;
	uint64_t part;
	enum rk_err r;

	*ns = 0;
	if (t.end - t.p == 1 && *t.p == '0')
		return RK_OK;
	do {
		if ((r = take_part(&t, &part)) != RK_OK)
			return r;
		if (__builtin_add_overflow(sum, part, &sum))
			return RK_ETOOBIG;
	} while (t.p < t.end);
	if (sum > (uint64_t)INT64_MAX + (is_negative ? 1 : 0))
		return RK_ETOOBIG;
	*ns = (int64_t)(is_negative ? 0 - sum : sum);
	return RK_OK;
}
