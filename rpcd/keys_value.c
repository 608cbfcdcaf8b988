/* Values of configuration keys: from text, and back to it. */
#include "base/str.h"
#include "keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void *
field(const struct key *k, void *base)
{
	return (char *)base + k->at;
}

static const void *
peek(const struct key *k, const void *base)
{
	return (const char *)base + k->at;
}

/* ---- text to value ---- */

/* A value that is quoted as a whole loses its quotes; others are taken as
 * they are written. */
static char *
unquote(const char *text)
{
	char **words = NULL;
	char *copy;
	size_t n = 0;

	if ((text[0] != '"' && text[0] != '\'') ||
	    conf_split(text, &words, &n, NULL) != RK_OK || n != 1) {
		free(words);
		return strdup(text);
	}
	copy = strdup(words[0]);
	free(words);
	return copy;
}

static const char *
set_text(const struct key *k, void *base, const char *text)
{
	char **dst = field(k, base);
	char *copy = k->raw ? strdup(text) : unquote(text);
	const char *why = NULL;

	if (copy == NULL)
		return "out of memory";
	if (k->check != NULL)
		why = k->check(&copy);
	if (why != NULL) {
		free(copy);
		return why;
	}
	free(*dst);
	*dst = copy;
	return NULL;
}

/* Takes text over.  One that says nothing is no list of nothing, which would
 * mean everybody, or no key at all. */
static const char *
add_entry(
    const struct key *k, struct list *l, char *text, const struct origin *from)
{
	const char *why = NULL;
	struct entry *p;

	if (text != NULL && text[0] == '\0') {
		free(text);
		return "empty";
	}
	if (text != NULL && k->check != NULL)
		why = k->check(&text);
	if (text == NULL || why != NULL) {
		free(text);
		return why != NULL ? why : "out of memory";
	}
	p = reallocarray(l->items, l->n + 1, sizeof(*p));
	if (p == NULL) {
		free(text);
		return "out of memory";
	}
	l->items = p;
	p[l->n++] = (struct entry){ .text = text, .from = *from };
	return NULL;
}

static const char *
add_commas(const struct key *k, struct list *l, const char *text,
    const struct origin *from)
{
	const char *why = NULL;
	bool any = false;

	for (;;) {
		size_t len = strcspn(text, ",");
		const char *next = text + len;

		while (len > 0 && (*text == ' ' || *text == '\t')) {
			text++;
			len--;
		}
		while (
		    len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
			len--;
		if (len > 0) {
			any = true;
			why = add_entry(k, l, strndup(text, len), from);
		}
		if (why != NULL || *next == '\0')
			return any ? why : "empty";
		text = next + 1;
	}
}

static const char *
set_word(const struct key *k, unsigned *dst, const char *text, char why[160])
{
	unsigned i;

	for (i = 0; k->words[i] != NULL; i++) {
		if (strcmp(k->words[i], text) == 0) {
			*dst = i;
			return NULL;
		}
	}
	(void)snprintf(why, 160, "not one of %s", k->value);
	return why;
}

static const char *
set_number(const struct key *k, uint64_t *dst, const char *text, char why[160])
{
	static const char *const shapes[] = {
		[KEY_NUMBER] = "not a number",
		[KEY_SIZE] = "not a size like 64K or 1M",
		[KEY_TIME] = "not a time like 30s, 250ms or 1m",
	};
	char low[32], high[32];
	uint64_t n;
	enum rk_err r;

	if (k->never && strcmp(text, "never") == 0) {
		*dst = RK_NEVER;
		return NULL;
	}
	if (k->always && strcmp(text, "always") == 0) {
		*dst = k->min;
		return NULL;
	}
	if (k->kind == KEY_TIME)
		r = str_parse_duration(text, &n);
	else if (k->kind == KEY_SIZE)
		r = str_parse_size(text, &n);
	else
		r = str_parse_u64(text, 0, UINT64_MAX, &n);
	if (r == RK_OK && n >= k->min && n <= k->max) {
		*dst = n;
		return NULL;
	}
	if (r == RK_EFORMAT && k->always)
		return "not always, never or a number";
	if (r == RK_EFORMAT)
		return shapes[k->kind];
	if (k->kind == KEY_TIME)
		(void)snprintf(why, 160, "not from %s to %s",
		    settings_time(k->min, low), settings_time(k->max, high));
	else
		(void)snprintf(why, 160, "not from %" PRIu64 " to %" PRIu64,
		    k->min, k->max);
	return why;
}

const char *
keys_set(const struct key *k, void *base, const char *text,
    const struct origin *from, char why[160])
{
	switch (k->kind) {
	case KEY_TEXT:
		return set_text(k, base, text);
	case KEY_LIST:
		return add_entry(k, field(k, base), unquote(text), from);
	case KEY_COMMAS:
		return add_commas(k, field(k, base), text, from);
	case KEY_YES:
		if (str_parse_bool(text, field(k, base)) != RK_OK)
			return "not yes or no";
		return NULL;
	case KEY_WORD:
		return set_word(k, field(k, base), text, why);
	case KEY_NUMBER:
	case KEY_SIZE:
	case KEY_TIME:
		return set_number(k, field(k, base), text, why);
	}
	return "no such kind";
}

void
keys_clear(const struct key *k, void *base)
{
	char **text = field(k, base);
	struct list *l = field(k, base);

	if (k->kind == KEY_TEXT) {
		free(*text);
		*text = NULL;
	}
	if (k->kind != KEY_LIST && k->kind != KEY_COMMAS)
		return;
	for (size_t i = 0; i < l->n; i++)
		free(l->items[i].text);
	free(l->items);
	*l = (struct list){ 0 };
}

/* ---- value to text ---- */

const char *
settings_time(uint64_t ms, char dst[32])
{
	static const struct {
		uint64_t ms;
		const char *name;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" },
		{ 1000, "s" }, { 1, "ms" } };
	size_t i = 0;

	if (ms == RK_NEVER)
		return "never";
	if (ms == 0)
		return "0s";
	while (ms % units[i].ms != 0)
		i++;
	(void)snprintf(
	    dst, 32, "%" PRIu64 "%s", ms / units[i].ms, units[i].name);
	return dst;
}

static const char *
number_text(const struct key *k, uint64_t n, char dst[32])
{
	if (k->never && n == RK_NEVER)
		return "never";
	if (k->always && n == k->min)
		return "always";
	(void)snprintf(dst, 32, "%" PRIu64, n);
	return dst;
}

static const char *
size_text(uint64_t n, char dst[32])
{
	const char *unit = "";

	if (n != 0 && n % (1 << 20) == 0) {
		n >>= 20;
		unit = "M";
	} else if (n != 0 && n % (1 << 10) == 0) {
		n >>= 10;
		unit = "K";
	}
	(void)snprintf(dst, 32, "%" PRIu64 "%s", n, unit);
	return dst;
}

const char *
keys_get(const struct key *k, const void *base, size_t i, char dst[32])
{
	const struct list *l = peek(k, base);
	const uint64_t *n = peek(k, base);
	const unsigned *word = peek(k, base);
	const bool *yes = peek(k, base);
	char *const *text = peek(k, base);

	if (k->kind == KEY_LIST || k->kind == KEY_COMMAS)
		return i < l->n ? l->items[i].text : NULL;
	if (i > 0)
		return NULL;
	switch (k->kind) {
	case KEY_TEXT:
		return *text;
	case KEY_YES:
		return *yes ? "yes" : "no";
	case KEY_WORD:
		return k->words[*word];
	case KEY_SIZE:
		return *n == METHOD_NO_LIMIT ? NULL : size_text(*n, dst);
	case KEY_TIME:
		return settings_time(*n, dst);
	case KEY_NUMBER:
	case KEY_LIST:
	case KEY_COMMAS:
		break;
	}
	return number_text(k, *n, dst);
}
