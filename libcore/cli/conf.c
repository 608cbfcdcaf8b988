/* Configuration files: lines to items, every problem said with its line. */
#include "cli/conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/conf_priv.h"

#define FILE_MAX ((size_t)1 << 20)
#define SHOWN 100 /* of a word in a message */
#define PROBLEM_LEN 512
#define WORDS_MAX 64 /* keys or sections looked at for a suggestion */

struct conf {
	char *text; /* the file, cut to strings in place */
	char *file;
	struct conf_item *items;
	size_t n;
	size_t cap;
};

struct reader {
	struct conf *c;
	const struct conf_section *sections;
	const struct conf_section *here; /* NULL: an unknown one */
	const char *name;                /* of a named section, else "" */
	unsigned bare; /* line of a named section that has said nothing yet */
	void (*problem)(const char *text, void *arg);
	void *arg;
	unsigned line;
	bool failed;
};

RK_PRINTF(2, 3)
static void
complain(struct reader *rd, const char *fmt, ...)
{
	char text[PROBLEM_LEN];
	char file[PROBLEM_LEN / 2];
	va_list ap;
	int n;

	rd->failed = true;
	str_escape(file, sizeof(file), rd->c->file);
	n = snprintf(text, sizeof(text), "%s:%u: ", file, rd->line);
	if (n < 0 || (size_t)n >= sizeof(text))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	if (rd->problem != NULL)
		rd->problem(text, rd->arg);
}

/* "unknown KIND "word" (did you mean ...?)" */
static void
complain_unknown(struct reader *rd, const char *kind, const char *word,
    const char *const *words)
{
	const char *near = str_nearest(word, words);
	char shown[SHOWN];

	str_escape(shown, sizeof(shown), word);
	if (near == NULL)
		complain(rd, "unknown %s \"%s\"", kind, shown);
	else
		complain(rd, "unknown %s \"%s\" (did you mean \"%s\"?)", kind,
		    shown, near);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Without blanks at both ends; s is changed. */
static char *
trim(char *s)
{
	size_t len;

	while (is_blank(*s))
		s++;
	len = strlen(s);
	while (len > 0 && is_blank(s[len - 1]))
		len--;
	s[len] = '\0';
	return s;
}

static const struct conf_section *
find_section(const struct reader *rd, const char *name)
{
	const struct conf_section *s = rd->sections;

	for (; s->name != NULL; s++) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

static const struct conf_key *
find_key(const struct conf_section *s, const char *name)
{
	const struct conf_key *k = s->keys;

	for (; k != NULL && k->name != NULL; k++) {
		if (strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

static void
unknown_section(struct reader *rd, const char *word)
{
	const char *names[WORDS_MAX] = { NULL };
	const struct conf_section *s = rd->sections;
	size_t n = 0;

	for (; s->name != NULL && n + 1 < WORDS_MAX; s++) {
		if (*s->name != '\0')
			names[n++] = s->name;
	}
	complain_unknown(rd, "section", word, names);
}

static void
unknown_key(struct reader *rd, const char *word)
{
	const char *names[WORDS_MAX] = { NULL };
	const struct conf_key *k = rd->here->keys;
	size_t n = 0;

	for (; k != NULL && k->name != NULL && n + 1 < WORDS_MAX; k++)
		names[n++] = k->name;
	complain_unknown(rd, "key", word, names);
}

/* A named section without a line was left half done. */
static void
end_section(struct reader *rd)
{
	unsigned line = rd->line;
	char shown[SHOWN];

	if (rd->bare == 0)
		return;
	rd->line = rd->bare;
	rd->bare = 0;
	str_escape(shown, sizeof(shown), rd->name);
	complain(rd, "[%s %s] is empty", rd->here->name, shown);
	rd->line = line;
}

/* "[word name]"; s stands behind the bracket. */
static void
read_section(struct reader *rd, char *s)
{
	char *end = strchr(s, ']');
	char *name;

	end_section(rd);
	rd->here = NULL;
	rd->name = "";
	if (end == NULL || (end[1 + strspn(end + 1, " \t")] != '\0' &&
	                       end[1 + strspn(end + 1, " \t")] != '#')) {
		complain(rd, "a section is written [name]");
		return;
	}
	*end = '\0';
	s = trim(s);
	name = s + strcspn(s, " \t");
	if (*name != '\0')
		*name++ = '\0';
	name = trim(name);
	rd->here = *s == '\0' ? NULL : find_section(rd, s);
	if (rd->here == NULL) {
		unknown_section(rd, s);
		return;
	}
	if (rd->here->named && *name == '\0')
		complain(rd, "section [%s] needs a name", rd->here->name);
	if (!rd->here->named && *name != '\0')
		complain(rd, "section [%s] takes no name", rd->here->name);
	if (rd->here->named && *name != '\0')
		rd->bare = rd->line;
	rd->name = name;
}

static const struct conf_item *
find_item(const struct conf *c, const char *section, const char *name,
    const char *key)
{
	for (size_t i = c->n; i > 0; i--) {
		const struct conf_item *it = &c->items[i - 1];

		if (strcmp(it->key, key) == 0 &&
		    strcmp(it->section, section) == 0 &&
		    strcmp(it->name, name) == 0)
			return it;
	}
	return NULL;
}

static enum rk_err
add_item(struct reader *rd, const char *key, const char *value)
{
	struct conf *c = rd->c;
	size_t cap = c->cap == 0 ? 32 : 2 * c->cap;
	struct conf_item *p;

	if (c->n == c->cap) {
		p = reallocarray(c->items, cap, sizeof(*p));
		if (p == NULL)
			return RK_ENOMEM;
		c->items = p;
		c->cap = cap;
	}
	c->items[c->n++] = (struct conf_item){
		.section = rd->here->name,
		.name = rd->name,
		.key = key,
		.value = value,
		.file = c->file,
		.line = rd->line,
	};
	return RK_OK;
}

/* "key = value" */
static enum rk_err
read_item(struct reader *rd, char *s)
{
	char *value = strchr(s, '=');
	const struct conf_item *old;
	const struct conf_key *k;
	char shown[SHOWN];

	rd->bare = 0;
	if (value == NULL) {
		str_escape(shown, sizeof(shown), s);
		complain(rd, "no \"=\" behind \"%s\"", shown);
		return RK_OK;
	}
	*value++ = '\0';
	s = trim(s);
	value = trim(value);
	value[conf_comment(value)] = '\0';
	value = trim(value);
	if (rd->here == NULL)
		return RK_OK; /* the unknown section was said */
	k = find_key(rd->here, s);
	if (k == NULL) {
		unknown_key(rd, s);
		return RK_OK;
	}
	old = k->many ? NULL
	              : find_item(rd->c, rd->here->name, rd->name, k->name);
	if (old != NULL)
		complain(
		    rd, "\"%s\" again, first on line %u", k->name, old->line);
	return add_item(rd, k->name, value);
}

static bool
has_control(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((uint8_t)s[i] < 0x20 && s[i] != '\t' &&
		    !(s[i] == '\r' && i + 1 == len))
			return true;
	}
	return false;
}

static enum rk_err
read_line(struct reader *rd, char *s, size_t len)
{
	if (has_control(s, len) || !str_is_utf8(s, len)) {
		complain(rd, "control characters or no UTF-8");
		return RK_OK;
	}
	s = trim(s);
	if (*s == '\0' || *s == '#')
		return RK_OK;
	if (*s == '[') {
		read_section(rd, s + 1);
		return RK_OK;
	}
	return read_item(rd, s);
}

/* text has len bytes and a NUL behind them. */
static enum rk_err
read_lines(struct reader *rd, char *text, size_t len)
{
	char *end = text + len;
	enum rk_err r = RK_OK;

	rd->here = find_section(rd, "");
	rd->name = "";
	/* Some editors put a byte order mark in front. */
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (char *s = text; s < end && r == RK_OK;) {
		char *nl = memchr(s, '\n', (size_t)(end - s));

		if (nl == NULL)
			nl = end;
		*nl = '\0';
		rd->line++;
		r = read_line(rd, s, (size_t)(nl - s));
		s = nl + 1;
	}
	end_section(rd);
	return r;
}

/* With `some`, *out is also set when it was not all understood. */
static enum rk_err
parse(struct reader *rd, const char *name, struct rk_str text, bool some,
    struct conf **out)
{
	struct conf *c = calloc(1, sizeof(*c));
	enum rk_err r = RK_ENOMEM;

	*out = NULL;
	if (c == NULL)
		return r;
	rd->c = c;
	c->text = malloc(text.len + 1);
	c->file = strdup(name);
	if (c->text == NULL || c->file == NULL)
		goto out;
	if (text.len > 0)
		memcpy(c->text, text.ptr, text.len);
	c->text[text.len] = '\0';
	if ((r = read_lines(rd, c->text, text.len)) != RK_OK)
		goto out;
	if (rd->failed)
		r = RK_EFORMAT;
	if (rd->failed && !some)
		goto out;
	*out = c;
	c = NULL;
out:
	conf_free(c);
	return r;
}

enum rk_err
conf_parse(const char *name, const char *text, size_t len,
    const struct conf_section *sections, struct conf **out,
    void (*problem)(const char *text, void *arg), void *arg)
{
	struct reader rd = {
		.sections = sections, .problem = problem, .arg = arg
	};

	return parse(&rd, name, (struct rk_str){ text, len }, false, out);
}

static enum rk_err
read_file(struct reader *rd, const char *path, bool some, struct conf **out,
    struct rk_error *err)
{
	char shown[SHOWN];
	struct rk_str text;
	struct buf b;
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	buf_init(&b, FILE_MAX);
	if ((r = fs_read(path, FS_NOT_SHARED, FILE_MAX, &b, err)) != RK_OK)
		goto out;
	text = (struct rk_str){ (const char *)buf_peek(&b), buf_len(&b) };
	r = parse(rd, path, text, some, out);
	if (r == RK_EFORMAT)
		err_set(err, r, "%s: not understood",
		    str_escape(shown, sizeof(shown), path));
	else if (r != RK_OK)
		err_set(err, r, "%s", rk_err_text(r));
out:
	buf_fini(&b);
	return r;
}

enum rk_err
conf_read(const char *path, const struct conf_section *sections,
    struct conf **out, void (*problem)(const char *text, void *arg), void *arg,
    struct rk_error *err)
{
	struct reader rd = {
		.sections = sections, .problem = problem, .arg = arg
	};

	return read_file(&rd, path, false, out, err);
}

enum rk_err
conf_read_some(const char *path, const struct conf_section *sections,
    struct conf **out, void (*problem)(const char *text, void *arg), void *arg,
    struct rk_error *err)
{
	struct reader rd = {
		.sections = sections, .problem = problem, .arg = arg
	};

	return read_file(&rd, path, true, out, err);
}

size_t
conf_count(const struct conf *c)
{
	return c->n;
}

const struct conf_item *
conf_at(const struct conf *c, size_t i)
{
	return i < c->n ? &c->items[i] : NULL;
}

const struct conf_item *
conf_find(const struct conf *c, const char *section, const char *name,
    const char *key)
{
	return find_item(c, section, name == NULL ? "" : name, key);
}

void
conf_free(struct conf *c)
{
	if (c == NULL)
		return;
	free(c->items);
	free(c->file);
	free(c->text);
	free(c);
}
