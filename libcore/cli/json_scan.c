/* JSON text looked over before it is parsed: depth and big integers. */
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/json_priv.h"

#define INT_DIGITS 19 /* fewer always fit 64 bits with a sign */
#define TOKEN_MAX 32

struct scanner {
	const char *name;
	const char *text;
	size_t len;
	struct json_scan *out;
	struct rk_error *err;
};

enum rk_err
json_fail_at(struct rk_error *err, enum rk_err code, const char *name,
    const char *text, size_t at, const char *why)
{
	unsigned line = 1;
	unsigned column = 1;
	char shown[80];
	char reason[160];

	for (size_t i = 0; i < at; i++) {
		if (text[i] == '\n') {
			line++;
			column = 1;
		} else if (((uint8_t)text[i] & 0xc0) != 0x80) {
			column++; /* characters, not bytes */
		}
	}
	return err_set(err, code, "%s:%u:%u: %s",
	    str_escape(shown, sizeof(shown), name), line, column,
	    str_escape(reason, sizeof(reason), why));
}

static enum rk_err
fail(const struct scanner *sc, enum rk_err code, size_t at, const char *why)
{
	return json_fail_at(sc->err, code, sc->name, sc->text, at, why);
}

/* The index behind the string that begins at i. */
static size_t
skip_string(const struct scanner *sc, size_t i)
{
	for (i++; i < sc->len && sc->text[i] != '"'; i++) {
		if (sc->text[i] == '\\')
			i++;
	}
	return i < sc->len ? i + 1 : sc->len;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_number_part(char c)
{
	return is_digit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' ||
	       c == '-';
}

/* Put a tag of just n bytes where the number at `at` stands. */
static enum rk_err
put_tag(const struct scanner *sc, size_t at, size_t n, uint64_t value)
{
	struct json_scan *out = sc->out;
	size_t cap = out->cap_bigs == 0 ? 8 : 2 * out->cap_bigs;
	struct json_big *p;
	char tag[TOKEN_MAX];

	if (out->n_bigs == out->cap_bigs) {
		p = reallocarray(out->bigs, cap, sizeof(*p));
		if (p == NULL)
			return err_set(sc->err, RK_ENOMEM, "out of memory");
		out->bigs = p;
		out->cap_bigs = cap;
	}
	if (snprintf(tag, sizeof(tag), "{\"" JSON_BIG_TAG "\":%*zu}",
	        (int)n - 7, out->n_bigs) != (int)n)
		return fail(sc, RK_ETOOBIG, at, "too many large integers");
	memcpy(out->text + at, tag, n);
	out->bigs[out->n_bigs++] = (struct json_big){ .value = value };
	return RK_OK;
}

/* An integer of n bytes at `at`, long enough to be too large for 64 bits. */
static enum rk_err
long_integer(const struct scanner *sc, size_t at, size_t n)
{
	static const char range[] = "integer not from -2^63 to 2^64-1";
	char token[TOKEN_MAX];
	bool negative = sc->text[at] == '-';
	uint64_t value;

	/* With a leading zero it is no JSON; the parser says so. */
	if (sc->text[at + negative] == '0')
		return RK_OK;
	if (n >= sizeof(token))
		return fail(sc, RK_EFORMAT, at, range);
	memcpy(token, sc->text + at, n);
	token[n] = '\0';
	if (str_parse_u64(token + negative, 0, UINT64_MAX, &value) != RK_OK)
		return fail(sc, RK_EFORMAT, at, range);
	if (negative)
		return value <= (uint64_t)INT64_MAX + 1
		           ? RK_OK
		           : fail(sc, RK_EFORMAT, at, range);
	return value <= INT64_MAX ? RK_OK : put_tag(sc, at, n, value);
}

/* A number at *i, which moves behind it. */
static enum rk_err
number(const struct scanner *sc, size_t *i)
{
	size_t at = *i;
	bool whole = true;

	for (; *i < sc->len && is_number_part(sc->text[*i]); ++*i)
		whole &=
		    is_digit(sc->text[*i]) || (*i == at && sc->text[*i] == '-');
	if (!whole || *i - at < INT_DIGITS)
		return RK_OK;
	return long_integer(sc, at, *i - at);
}

static enum rk_err
scan(const struct scanner *sc)
{
	unsigned depth = 0;
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < sc->len && r == RK_OK;) {
		char c = sc->text[i];

		if (c == '"') {
			i = skip_string(sc, i);
			continue;
		}
		if (c == '-' || is_digit(c)) {
			r = number(sc, &i);
			continue;
		}
		if ((c == '[' || c == '{') && ++depth > JSON_DEPTH_MAX)
			r = fail(sc, RK_ETOOBIG, i, "nested too deep");
		if ((c == ']' || c == '}') && depth > 0)
			depth--;
		i++;
	}
	return r;
}

enum rk_err
json_scan(const char *name, const char *text, size_t len, struct json_scan *out,
    struct rk_error *err)
{
	struct scanner sc = {
		.name = name, .text = text, .len = len, .out = out, .err = err
	};
	enum rk_err r;

	*out = (struct json_scan){ .len = len };
	out->text = malloc(len + 1);
	if (out->text == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	if (len > 0)
		memcpy(out->text, text, len);
	out->text[len] = '\0';
	r = scan(&sc);
	if (r != RK_OK)
		json_scan_fini(out);
	return r;
}

void
json_scan_fini(struct json_scan *s)
{
	free(s->text);
	free(s->bigs);
	*s = (struct json_scan){ 0 };
}
