/* Text from people: copying, numbers with units, likeness. */
#include "base/str.h"

#define FRACTION_DIGITS 9
#define WORD_LEN 64

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit time_units[] = {
	{ "", 1000 },
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60ULL * 1000 },
	{ "h", 60ULL * 60 * 1000 },
	{ "d", 24ULL * 60 * 60 * 1000 },
	{ NULL, 0 },
};

static const struct unit size_units[] = {
	{ "", 1 },
	{ "K", 1ULL << 10 },
	{ "M", 1ULL << 20 },
	{ "G", 1ULL << 30 },
	{ "k", 1ULL << 10 },
	{ "m", 1ULL << 20 },
	{ "g", 1ULL << 30 },
	{ NULL, 0 },
};

size_t
str_copy(char *dst, size_t dst_len, const char *src)
{
	size_t len = strlen(src);
	size_t n;

	if (dst_len == 0)
		return len;
	n = len < dst_len ? len : dst_len - 1;
	memcpy(dst, src, n);
	dst[n] = '\0';
	return len;
}

struct rk_str
str_view(const char *text)
{
	if (text == NULL)
		return (struct rk_str){ 0 };
	return (struct rk_str){ text, strlen(text) };
}

bool
str_is(struct rk_str s, const char *text)
{
	size_t len = strlen(text);

	return s.len == len && (len == 0 || memcmp(s.ptr, text, len) == 0);
}

bool
str_ends(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcmp(text + len - n, end) == 0;
}

bool
str_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Decimal digits at *s, which moves behind them; at least one. */
static enum rk_err
digits(const char **s, uint64_t *out)
{
	const char *p = *s;
	uint64_t v = 0;
	bool over = false;

	for (; *p >= '0' && *p <= '9'; p++) {
		over |= __builtin_mul_overflow(v, 10U, &v);
		over |= __builtin_add_overflow(v, (unsigned)(*p - '0'), &v);
	}
	if (p == *s)
		return RK_EFORMAT;
	*s = p;
	*out = over ? UINT64_MAX : v;
	return over ? RK_ETOOBIG : RK_OK;
}

enum rk_err
str_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	enum rk_err r = digits(&s, &v);

	*out = 0;
	if (r == RK_EFORMAT || *s != '\0')
		return RK_EFORMAT;
	if (r != RK_OK || v < min || v > max)
		return RK_ETOOBIG;
	*out = v;
	return RK_OK;
}

static const struct unit *
find_unit(const struct unit *units, const char *name)
{
	for (; units->name != NULL; units++) {
		if (strcmp(units->name, name) == 0)
			return units;
	}
	return NULL;
}

/* ".25" at *s, if there: *num / *den, which fits a whole part's unit. */
static enum rk_err
fraction(const char **s, uint64_t *num, uint64_t *den)
{
	const char *start;
	enum rk_err r;

	*num = 0;
	*den = 1;
	if (**s != '.')
		return RK_OK;
	start = ++*s;
	if ((r = digits(s, num)) != RK_OK || *s - start > FRACTION_DIGITS)
		return RK_EFORMAT;
	for (; start < *s; start++)
		*den *= 10;
	return RK_OK;
}

enum rk_err
str_parse_duration(const char *s, uint64_t *ms)
{
	const struct unit *u;
	uint64_t whole = 0;
	uint64_t num;
	uint64_t den;
	enum rk_err r = digits(&s, &whole);

	*ms = 0;
	if (r == RK_EFORMAT || fraction(&s, &num, &den) != RK_OK)
		return RK_EFORMAT;
	u = find_unit(time_units, s);
	/* A rest below a millisecond would quietly become nothing. */
	if (u == NULL || num * u->factor % den != 0)
		return RK_EFORMAT;
	if (r != RK_OK || whole > STR_DURATION_MAX / u->factor)
		return RK_ETOOBIG;
	whole = whole * u->factor + num * u->factor / den;
	if (whole > STR_DURATION_MAX)
		return RK_ETOOBIG;
	*ms = whole;
	return RK_OK;
}

enum rk_err
str_parse_size(const char *s, uint64_t *bytes)
{
	const struct unit *u;
	uint64_t v = 0;
	enum rk_err r = digits(&s, &v);

	*bytes = 0;
	if (r == RK_EFORMAT || (u = find_unit(size_units, s)) == NULL)
		return RK_EFORMAT;
	if (r != RK_OK || __builtin_mul_overflow(v, u->factor, &v))
		return RK_ETOOBIG;
	*bytes = v;
	return RK_OK;
}

enum rk_err
str_parse_bool(const char *s, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "yes", true },
		{ "no", false },
		{ "true", true },
		{ "false", false },
		{ "on", true },
		{ "off", false },
		{ "1", true },
		{ "0", false },
	};

	*out = false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].word, s) == 0) {
			*out = words[i].value;
			return RK_OK;
		}
	}
	return RK_EFORMAT;
}

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* One row of the table: a[0, i] against every start of b. */
static void
fill_row(unsigned rows[3][WORD_LEN + 1], const char *a, size_t i, const char *b,
    size_t b_len)
{
	const unsigned *above = rows[(i + 2) % 3];
	const unsigned *above2 = rows[(i + 1) % 3];
	unsigned *row = rows[i % 3];

	row[0] = (unsigned)i;
	for (size_t j = 1; j <= b_len; j++) {
		row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
		row[j] = least(row[j], above[j] + 1);
		row[j] = least(row[j], row[j - 1] + 1);
		if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
		    a[i - 2] == b[j - 1])
			row[j] = least(row[j], above2[j - 2] + 1);
	}
}

unsigned
str_distance(const char *a, const char *b, unsigned cap)
{
	unsigned rows[3][WORD_LEN + 1];
	size_t a_len;
	size_t b_len;

	for (; *a != '\0' && *a == *b; a++)
		b++;
	a_len = strlen(a);
	b_len = strlen(b);
	while (a_len > 0 && b_len > 0 && a[a_len - 1] == b[b_len - 1]) {
		a_len--;
		b_len--;
	}
	if (a_len > WORD_LEN || b_len > WORD_LEN)
		return cap;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++)
		fill_row(rows, a, i, b, b_len);
	return least(rows[a_len % 3][b_len], cap);
}

const char *
str_nearest(const char *word, const char *const *candidates)
{
	const char *best = NULL;
	size_t len = strlen(word);
	unsigned best_far = len < 3 ? (unsigned)len : 3;

	for (; *candidates != NULL; candidates++) {
		unsigned far = str_distance(word, *candidates, 3);

		if (far < best_far) {
			best_far = far;
			best = *candidates;
		}
	}
	return best;
}

bool
str_url_is_at(const char *url, const char *who)
{
	const char *rest = strstr(url, "://");
	const char *colon;
	size_t n = strlen(who);

	if (n == 0)
		return false;
	if (strcmp(url, who) == 0)
		return true;
	if (rest == NULL)
		return false;
	rest += strlen("://");
	if (strcmp(rest, who) == 0)
		return true;
	colon = strrchr(rest, ':');
	if (colon == NULL)
		return false;
	if (rest[0] == '[' && who[0] != '[')
		return (size_t)(colon - rest) == n + 2 &&
		       memcmp(rest + 1, who, n) == 0;
	return (size_t)(colon - rest) == n && memcmp(rest, who, n) == 0;
}
