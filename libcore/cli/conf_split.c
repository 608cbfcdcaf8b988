/* Values taken apart: where a comment begins, words as a shell sees them. */
#include <stdlib.h>

#include "base/error.h"
#include "base/str.h"
#include "cli/conf_priv.h"

/* The closing quote for the one at s, or NULL.  A backslash hides the next
 * byte inside "..." only. */
static const char *
closing(const char *s)
{
	char quote = *s++;

	for (; *s != '\0' && *s != quote; s++) {
		if (*s == '\\' && quote == '"' && s[1] != '\0')
			s++;
	}
	return *s == quote ? s : NULL;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

size_t
conf_comment(const char *value)
{
	const char *end;

	for (const char *s = value; *s != '\0'; s++) {
		bool start = s == value || is_blank(s[-1]);

		if (*s == '#' && start)
			return (size_t)(s - value);
		if (*s == '\\' && s[1] != '\0') {
			s++;
			continue;
		}
		/* An apostrophe inside a word quotes nothing. */
		if (*s != '"' && !(*s == '\'' && start))
			continue;
		end = closing(s);
		if (end != NULL)
			s = end;
	}
	return strlen(value);
}

/* Inside "..." a backslash counts only before these. */
static bool
is_escape(char c)
{
	return c == '"' || c == '\\' || c == '$' || c == '`';
}

/* One quoted part at *s, copied to *to; false: it has no end. */
static bool
copy_quoted(const char **s, char **to)
{
	const char *end = closing(*s);
	bool twice = **s == '"';

	if (end == NULL)
		return false;
	for (++*s; *s < end; ++*s) {
		if (twice && **s == '\\' && is_escape((*s)[1]))
			++*s;
		*(*to)++ = **s;
	}
	++*s;
	return true;
}

/* One word at *s, copied to *to with its NUL; false: an open quote. */
static bool
copy_word(const char **s, char **to)
{
	while (**s != '\0' && !is_blank(**s)) {
		if (**s == '"' || **s == '\'') {
			if (!copy_quoted(s, to))
				return false;
			continue;
		}
		if (**s == '\\' && (*s)[1] != '\0')
			++*s;
		*(*to)++ = *(*s)++;
	}
	*(*to)++ = '\0';
	return true;
}

enum rk_err
conf_split(const char *value, char ***words, size_t *n, struct rk_error *err)
{
	/* A word needs a byte and a blank; none grows but by its NUL. */
	size_t len = strlen(value);
	size_t most = len / 2 + 2;
	char **list = malloc(most * sizeof(*list) + len + 2);
	char *to;

	*words = NULL;
	*n = 0;
	if (list == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	to = (char *)(list + most);
	for (;;) {
		while (is_blank(*value))
			value++;
		if (*value == '\0')
			break;
		list[*n] = to;
		if (!copy_word(&value, &to)) {
			free(list);
			*n = 0;
			return err_set(err, RK_EFORMAT, "open quote");
		}
		++*n;
	}
	list[*n] = NULL;
	*words = list;
	return RK_OK;
}
