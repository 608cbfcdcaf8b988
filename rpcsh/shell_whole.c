/* :ask where nobody knows the fields: the argument as a whole, or by pairs. */
#include "shell.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/json.h"
#include "history.h"
#include "marks.h"

#include <stdio.h>
#include <stdlib.h>

static enum rk_err
check_json(const char *text, struct rk_error *err)
{
	struct rk_value_doc *doc = NULL;
	enum rk_err r = rk_value_new(&doc);

	if (r == RK_OK)
		r = json_parse_into(
		    "JSON", text, strlen(text), doc, rk_value_root(doc), err);
	rk_value_free(doc);
	return r;
}

/* "name=value" and the other signs of items, behind a name. */
static bool
is_pair(const char *text)
{
	const char *sign = strpbrk(text, "=:@");

	return sign != NULL && sign != text && strchr("{[\"", text[0]) == NULL;
}

static bool
add(struct words *w, const char *before, const char *text)
{
	size_t len = strlen(before) + strlen(text) + 1;
	char *word = malloc(len);

	if (word == NULL)
		return false;
	(void)snprintf(word, len, "%s%s", before, text);
	w->list[w->n++] = word;
	return true;
}

/* Shown as a line that can be typed, unless something in it is secret. */
static void
show_call(const struct shell *s, const struct words *w)
{
	char shown[1024];
	struct buf b;
	enum rk_err r = RK_OK;

	buf_init(&b, 2 * WORDS_TEXT_MAX);
	for (size_t i = 0; r == RK_OK && i < w->n; i++) {
		if (i > 0)
			r = buf_put_str(&b, " ");
		if (r == RK_OK)
			r = words_quote(&b, w->list[i]);
	}
	if (r == RK_OK && buf_put(&b, "", 1) == RK_OK) {
		const char *line = (const char *)buf_peek(&b);

		if (!history_is_secret(line) &&
		    !marks_in_line(s->held->t.url, line))
			out_note(&s->o, "%s",
			    str_escape_again(shown, sizeof(shown), line));
	}
	buf_fini(&b);
}

/* The first answer: all of it, nothing, or a pair, after which more may come.
 * False: neither. */
static bool
take_first(const struct shell *s, struct words *w, const char *text, bool *more)
{
	struct rk_error err = { 0 };

	*more = false;
	if (text[0] == '\0')
		return true;
	if (text[0] == '@' || check_json(text, &err) == RK_OK)
		return add(w, "--data=", text);
	*more = is_pair(text);
	if (*more) /* no option, whatever its name */
		return add(w, text[0] == '-' ? "\\" : "", text);
	if (strchr("{[\"", text[0]) != NULL)
		out_note(&s->o, "%s", err.text);
	else
		out_note(&s->o, "it is JSON, @FILE, or NAME=VALUE");
	return false;
}

static bool
take_pair(const struct shell *s, struct words *w, const char *text)
{
	if (is_pair(text))
		return add(w, text[0] == '-' ? "\\" : "", text);
	out_note(&s->o, "it is NAME=VALUE, or nothing");
	return true;
}

bool
shell_ask_whole(struct shell *s, struct words *w, size_t most)
{
	const char *text;
	bool more = false, done = false;

	while (!done) {
		(void)fflush(stdout);
		if (line_read(s->line, "JSON, @FILE or NAME=VALUE> ", &text) !=
		    LINE_TEXT)
			return false;
		done = take_first(s, w, text, &more);
	}
	while (more && w->n < most) {
		if (line_read(s->line, "another NAME=VALUE, or nothing> ",
		        &text) != LINE_TEXT)
			return false;
		more = text[0] != '\0';
		if (more && !take_pair(s, w, text))
			return false;
	}
	show_call(s, w);
	return true;
}
