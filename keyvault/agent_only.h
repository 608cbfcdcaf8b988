/* What a key is open for, and nothing else: unlock --only-for. */
#ifndef KEYVAULT_AGENT_ONLY_H
#define KEYVAULT_AGENT_ONLY_H

#include <rpckit/err.h>

/*
 * Words, one a line.  "file" "tls" "ssh" "ca": for what; "/path": for which
 * program; "SHA256:...": to log in by SSH at the host with this key, directly.
 * Of words of one kind one has to fit, and that of each kind that is there.
 */
#define ONLY_MAX 512

/* What is wrong with them, or NULL. */
const char *only_fault(const char *words);
/* use: of enum purpose_use; host: "" where it is not a login at one that is
 * proven.  What does not fit, or NULL. */
const char *only_refuses(
    const char *words, unsigned use, const char *program, const char *host);
/* Is there a host among them? */
bool only_has_host(const char *words);

#endif
