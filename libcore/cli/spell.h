/* What the locale cannot show, spelled out: all that programs say to people
 * goes through here. */
#ifndef RPCKIT_CLI_SPELL_H
#define RPCKIT_CLI_SPELL_H

#include "base/buf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * Programs keep text as UTF-8.  Where the locale is another one, each byte of a
 * character that is not of ASCII is written as \xNN: a terminal would show
 * something else for it, and some of these bytes are controls of one with 8
 * bits.
 */

/* Is the locale another one?  That of the program: who edits a line may use one
 * of its own meanwhile. */
bool spell_needed(void);
/* n bytes, each of them; 4 n are written.  Returns how many. */
size_t spell_bytes(char *dst, const char *s, size_t n);
/* Spell what is in b from there on, wherever it goes. */
RK_MUST enum rk_err spell_out(struct buf *b, size_t from);
/* Text of a terminal, spelled where that is needed; errno says of RK_EIO why.
 */
RK_MUST enum rk_err spell_write(int fd, const char *text);
/* The same in place, where cap bytes are: what does not fit is cut, which "~"
 * says.  Returns text. */
const char *spell_text(char *text, size_t cap);
/*
 * As fprintf(), spelled where that is needed: what is longer than memory allows
 * is cut then, which "~" says.  Less than 0: it could not be written.
 */
int spell_print(FILE *to, const char *fmt, ...) RK_PRINTF(2, 3);
int spell_vprint(FILE *to, const char *fmt, va_list ap) RK_PRINTF(2, 0);

#endif
