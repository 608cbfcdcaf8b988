/* A line of text to words, as the shell sh(1) would have it, and back. */
#ifndef RPCKIT_CLI_WORDS_H
#define RPCKIT_CLI_WORDS_H

#include "base/buf.h"

#define WORDS_TEXT_MAX ((size_t)1 << 20) /* bytes of a line */
#define WORDS_MAX 4096                   /* words of a line */

struct words {
	char **list; /* NULL-terminated */
	size_t n;
	char *text; /* what they lie in */
};

/*
 * Blanks part words; '...' keeps everything, "..." everything but backslashes
 * before `"` and `\`; a backslash keeps the next character, and disappears with
 * a newline behind it; `#` at the start of a word begins a comment.  Nothing is
 * expanded.  Beyond sh: what begins with a bracket at the start of a word or
 * behind `:=` is JSON, taken as it is up to the bracket that closes it.
 *
 * RK_EAGAIN: the text ends too early, err says what is open.  RK_ETOOBIG,
 * RK_EFORMAT (a NUL; a closing bracket of the wrong kind), RK_ENOMEM.
 */
RK_MUST enum rk_err words_split(
    const char *text, size_t len, struct words *out, struct rk_error *err);
void words_free(struct words *w);
/* How many of len > 0 bytes are the first line, with its newline: one, or more
 * where something is open at the end of one.  Fails as words_split(), and *line
 * is then where to go on behind what is wrong.  Takes time as len, if that. */
RK_MUST enum rk_err words_line(
    const char *text, size_t len, size_t *line, struct rk_error *err);
/* The word in a form that words_split() and sh(1) make it from; RK_ENOMEM,
 * RK_ETOOBIG. */
RK_MUST enum rk_err words_quote(struct buf *b, const char *word);

#endif
