/* A line of text to words, as the shell sh(1) would have it, and back. */
#include "cli/words.h"

#include "base/error.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 128 /* of brackets in one another */

struct splitter {
	const char *at;
	const char *end;
	char *to;    /* where the next byte of a word goes */
	char *begun; /* the word being read */
	struct words *w;
	struct rk_error *err;
	bool one; /* line, at whose end it stops */
};

static enum rk_err
is_open(struct splitter *s, const char *what)
{
	return err_set(s->err, RK_EAGAIN, "%s is not closed", what);
}

/* Behind the opening quote. */
static enum rk_err
take_single(struct splitter *s)
{
	while (s->at < s->end && *s->at != '\'')
		*s->to++ = *s->at++;
	if (s->at == s->end)
		return is_open(s, "a '");
	s->at++;
	return RK_OK;
}

static enum rk_err
take_double(struct splitter *s)
{
	while (s->at < s->end && *s->at != '"') {
		if (*s->at == '\\' && s->end - s->at > 1) {
			if (s->at[1] == '"' || s->at[1] == '\\') {
				s->at++;
			} else if (s->at[1] == '\n') {
				s->at += 2;
				continue;
			}
		}
		*s->to++ = *s->at++;
	}
	if (s->at == s->end)
		return is_open(s, "a \"");
	s->at++;
	return RK_OK;
}

static enum rk_err
take_backslash(struct splitter *s)
{
	if (s->end - s->at < 2)
		return err_set(
		    s->err, RK_EAGAIN, "nothing follows the backslash");
	if (s->at[1] != '\n')
		*s->to++ = s->at[1];
	s->at += 2;
	return RK_OK;
}

/* ---- JSON ---- */

static bool
is_opening(char c)
{
	return c == '{' || c == '[';
}

/* May a value begin here: at the start of a word, or behind ":="? */
static bool
is_value(const struct splitter *s)
{
	if (s->to == s->begun)
		return true;
	return s->to - s->begun >= 2 && s->to[-1] == '=' && s->to[-2] == ':';
}

static enum rk_err
take_string(struct splitter *s)
{
	*s->to++ = *s->at++;
	while (s->at < s->end && *s->at != '"') {
		if (*s->at == '\\' && s->end - s->at > 1)
			*s->to++ = *s->at++;
		*s->to++ = *s->at++;
	}
	if (s->at == s->end)
		return is_open(s, "a \"");
	*s->to++ = *s->at++;
	return RK_OK;
}

static enum rk_err
close_bracket(struct splitter *s, char want)
{
	if (*s->at == want)
		return RK_OK;
	return err_set(
	    s->err, RK_EFORMAT, "a %c stands where a %c is due", *s->at, want);
}

static enum rk_err
take_json(struct splitter *s)
{
	char closing[DEPTH_MAX];
	size_t depth = 0;
	enum rk_err r = RK_OK;

	do {
		char c = *s->at;

		if (c == '"') {
			if ((r = take_string(s)) != RK_OK)
				return r;
			continue;
		}
		if (is_opening(c)) {
			if (depth == DEPTH_MAX)
				return err_set(s->err, RK_ETOOBIG,
				    "more than %d brackets in one another",
				    DEPTH_MAX);
			closing[depth++] = c == '{' ? '}' : ']';
		} else if (c == '}' || c == ']') {
			r = close_bracket(s, closing[--depth]);
			if (r != RK_OK)
				return r;
		}
		*s->to++ = *s->at++;
	} while (depth > 0 && s->at < s->end);
	if (depth == 0)
		return RK_OK;
	return is_open(s, closing[depth - 1] == '}' ? "a {" : "a [");
}

/* ---- words ---- */

static enum rk_err
take_some(struct splitter *s)
{
	switch (*s->at) {
	case '\'':
		s->at++;
		return take_single(s);
	case '"':
		s->at++;
		return take_double(s);
	case '\\':
		return take_backslash(s);
	default:
		break;
	}
	if (is_opening(*s->at) && is_value(s))
		return take_json(s);
	*s->to++ = *s->at++;
	return RK_OK;
}

static enum rk_err
take_word(struct splitter *s)
{
	struct words *w = s->w;
	enum rk_err r = RK_OK;

	if (w->n == WORDS_MAX)
		return err_set(
		    s->err, RK_ETOOBIG, "more than %d words", WORDS_MAX);
	s->begun = s->to;
	while (r == RK_OK && s->at < s->end && !str_is_space(*s->at))
		r = take_some(s);
	*s->to++ = '\0';
	w->list[w->n++] = s->begun;
	return r;
}

/* At the end of the only line that is wanted? */
static bool
is_over(const struct splitter *s)
{
	return s->one && s->at < s->end && *s->at == '\n';
}

/* Blanks, comments, and a newline with a backslash before it. */
static void
skip(struct splitter *s)
{
	for (;;) {
		if (is_over(s))
			return;
		if (s->at < s->end && str_is_space(*s->at)) {
			s->at++;
		} else if (s->end - s->at > 1 && s->at[0] == '\\' &&
		           s->at[1] == '\n') {
			s->at += 2;
		} else if (s->at < s->end && *s->at == '#') {
			while (s->at < s->end && *s->at != '\n')
				s->at++;
		} else {
			return;
		}
	}
}

/* Up to where it went: s->at. */
static enum rk_err
split(struct splitter *s)
{
	const size_t len = (size_t)(s->end - s->at);
	struct words *out = s->w;
	enum rk_err r = RK_OK;

	*out = (struct words){ 0 };
	/* Every byte but blanks may become one, and a NUL behind each word. */
	out->text = malloc(2 * len + 2);
	out->list = calloc(WORDS_MAX + 1, sizeof(*out->list));
	if (out->text == NULL || out->list == NULL) {
		words_free(out);
		return err_set(s->err, RK_ENOMEM, "out of memory");
	}
	s->to = out->text;
	for (skip(s); r == RK_OK && s->at < s->end && !is_over(s); skip(s))
		r = take_word(s);
	if (r != RK_OK)
		words_free(out);
	return r;
}

static enum rk_err
has_nul(struct rk_error *err)
{
	return err_set(err, RK_EFORMAT, "there is a NUL in the line");
}

static enum rk_err
is_too_long(struct rk_error *err)
{
	return err_set(err, RK_ETOOBIG, "the line is too long");
}

enum rk_err
words_split(
    const char *text, size_t len, struct words *out, struct rk_error *err)
{
	struct splitter s = {
		.at = text, .end = text + len, .w = out, .err = err
	};

	*out = (struct words){ 0 };
	err_clear(err);
	if (len > WORDS_TEXT_MAX)
		return is_too_long(err);
	if (memchr(text, '\0', len) != NULL)
		return has_nul(err);
	return split(&s);
}

/* The line with this byte in it, and its newline. */
static size_t
line_with(const char *text, size_t len, size_t at)
{
	const char *nl = memchr(text + at, '\n', len - at);

	return nl == NULL ? len : (size_t)(nl - text) + 1;
}

/* As far as so many bytes tell; RK_EAGAIN: they do not. */
static enum rk_err
measure(const char *text, size_t len, size_t some, size_t *line,
    struct rk_error *err)
{
	struct words w;
	struct splitter s = { .at = text, .w = &w, .err = err, .one = true };
	enum rk_err r;
	size_t n;

	some -= some > 0 && text[some - 1] == '\n';
	s.end = text + some;
	r = split(&s);
	n = (size_t)(s.at - text);
	words_free(&w);
	*line = line_with(text, len, n);
	/* What was cut may end otherwise. */
	if (r == RK_OK && n == some && some < len && text[n] != '\n')
		r = RK_EAGAIN;
	if ((r == RK_OK || r == RK_EAGAIN) && memchr(text, '\0', n) != NULL)
		return has_nul(err);
	return r;
}

enum rk_err
words_line(const char *text, size_t len, size_t *line, struct rk_error *err)
{
	const size_t most = len < WORDS_TEXT_MAX + 1 ? len : WORDS_TEXT_MAX + 1;
	size_t some = 0;
	enum rk_err r;

	do {
		/* Twice as much each time: all of it is read twice at most. */
		some = line_with(text, len, 2 * some < most ? 2 * some : most);
		some = some < most ? some : most;
		err_clear(err);
		r = measure(text, len, some, line, err);
	} while (r == RK_EAGAIN && some < most);
	return r == RK_EAGAIN && most < len ? is_too_long(err) : r;
}

void
words_free(struct words *w)
{
	free(w->list);
	free(w->text);
	*w = (struct words){ 0 };
}

enum rk_err
words_quote(struct buf *b, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                            "0123456789._-/:@+,%=?";
	const char *p;
	enum rk_err r;

	if (word[0] != '\0' && word[strspn(word, plain)] == '\0')
		return buf_put_str(b, word);
	if ((r = buf_put_str(b, "'")) != RK_OK)
		return r;
	for (; (p = strchr(word, '\'')) != NULL; word = p + 1) {
		if ((r = buf_put(b, word, (size_t)(p - word))) != RK_OK ||
		    (r = buf_put_str(b, "'\\''")) != RK_OK)
			return r;
	}
	if ((r = buf_put_str(b, word)) != RK_OK)
		return r;
	return buf_put_str(b, "'");
}
