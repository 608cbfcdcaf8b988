/* Passphrases: from a terminal, descriptor, file, variable, or askpass. */
#ifndef RPCKIT_CLI_PASS_H
#define RPCKIT_CLI_PASS_H

#include "cli/out.h"

#include <rpckit/key.h>

#define PASS_MAX 1024 /* bytes */

/*
 * A passphrase source in the SPEC form of the man pages: tty, fd:N, file:PATH,
 * env:NAME, cred:NAME, askpass, agent:NAME, or agent, which is the secret with
 * the file's name.  spec NULL: the latter where KEYVAULT_SOCK is set and it is
 * open there; else tty, or askpass when SSH_ASKPASS_REQUIRE says so.
 */
struct pass_source {
	const char *spec;
	const char *flag; /* "-pass", for messages */
	const char *what; /* "CA key", "key", "new key": starts the prompt */
	const char *key;  /* in the file, that it is asked for; NULL: no one */
	bool no_input;
	bool twice;          /* ask again on a terminal: a new passphrase */
	struct rk_error err; /* why pass_get() failed */
};

/* Is the SPEC well formed?  RK_EINVAL, also for "pass:..." (says why).  Fetches
 * and unsets env: sources at once: call early. */
RK_MUST enum rk_err pass_check(const char *spec, struct rk_error *err);
/*
 * Get it: RK_OK, RK_ENOPASS (no terminal; names the flag), RK_EINVAL, RK_EIO,
 * RK_EMODE.  path is shown in the prompt.  Echo is off while typing and comes
 * back whatever signal ends it.  attempt counts from 0: a terminal gives
 * three tries, other sources one (then RK_EPASS).
 */
RK_MUST enum rk_err pass_get(struct pass_source *s, const char *path,
    unsigned attempt, struct rk_secret **out);
/* The same as an rk_pass_fn; arg is a struct pass_source. */
enum rk_err pass_callback(
    const char *path, unsigned attempt, struct rk_secret **out, void *arg);
/* Of descriptors and variables what was read is kept, since two keys may name
 * the same one: forget it. */
void pass_forget(void);
/* A yes/no or free-text question on the terminal; RK_ENOPASS without one. */
RK_MUST enum rk_err pass_ask(const char *prompt, bool echo, char *answer,
    size_t answer_len, struct rk_error *err);

#endif
