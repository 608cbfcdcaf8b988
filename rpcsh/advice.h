/* Commands that advice names, so that they do what it says. */
#ifndef RPCSH_ADVICE_H
#define RPCSH_ADVICE_H

#include "target.h"

#define ADVICE_LEN 1024

/*
 * "rpcsh [flags] trust VERB SERVER FINGERPRINT" about the key that was met:
 * with the flags of this command that it depends on, and words that a shell
 * takes as they are meant.  fp NULL: without server and fingerprint.  About the
 * server that a shell on a terminal holds there are no flags: its lines have
 * them.
 */
const char *advice_trust(const struct target *t, const char *verb,
    const char *fp, char dst[ADVICE_LEN]);

/* Of contexts whose file is wrong. */
#define ADVICE_NO_CONTEXT \
	"correct that line, or rpcsh -c '' to do without the context"

/* Any advice as it is typed inside the shell: there a verb is a line of its
 * own, and the shell has commands of its own.  dst, or a constant. */
const char *advice_inside(const char *advice, char *dst, size_t dst_len);
/* The same where o is of such a shell; out_fail() does that by itself. */
const char *advice_typed(
    const struct out *o, const char *advice, char *dst, size_t dst_len);

#endif
