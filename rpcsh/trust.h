/* Whom rpcsh believes: --trust, the question on the terminal, changed keys. */
#ifndef RPCSH_TRUST_H
#define RPCSH_TRUST_H

#include "cli/out.h"

#include <rpckit/servers.h>

enum trust_how {
	TRUST_ASK,
	TRUST_ACCEPT_NEW,
	TRUST_STRICT,
	/* The rule of the file, as rpc25519 has it, but where a line says whose
	 * the address is. */
	TRUST_FILE,
	/* `rpcsh trust add` and `replace`: the key with that fingerprint. */
	TRUST_ADD,
	TRUST_REPLACE
};

/* The words of the setting, in the order above. */
#define TRUST_WORDS "ask|accept-new|strict|file"

struct trusting {
	enum trust_how how;
	const char *path;   /* the list; borrowed */
	const char *server; /* as it was given; borrowed */
	const char *want;   /* TRUST_ADD, TRUST_REPLACE: a fingerprint */
	bool seen;          /* the list was there */
	/* Of the last decision: */
	char address[RK_SERVER_LEN];
	struct rk_peer met;
	struct rk_server_view view;
	bool asks;    /* a person has to say */
	bool changed; /* it is another key than the known one */
	bool added;   /* its key was recorded */
	bool next;    /* it is the key that the known one has announced */
	bool tied;    /* the line of its key has the address */
};

enum trust_how trust_parse(const char *word);
/* A decider by all of this.  RK_EINVAL: no list can have such an address;
 * RK_ENOMEM; with TRUST_FILE also errors of rk_trust_new(). */
RK_MUST enum rk_err trust_new(
    struct trusting *t, struct rk_trust **out, struct rk_error *err);
/* The state of the list, where the decider is that of trust_new(); one that
 * cannot be looked at lets nobody in. */
enum rk_trust_state trust_list(const struct trusting *t);
/*
 * After `asks`: ask on the terminal, which may be given colors or not, and
 * record the key if the answer is yes.
 * RK_OK: connect again.  RK_EUNKNOWNKEY: no; RK_ENOPASS: nobody to ask (or
 * no_input); RK_ECANCELED; errors of rk_servers_put().
 */
RK_MUST enum rk_err trust_ask(
    struct trusting *t, bool no_input, bool color, struct rk_error *err);
/* After `changed`: what is known, what came, and the command that puts the new
 * key in the old one's place; the exit status. */
int trust_tell_changed(
    const struct trusting *t, const struct out *o, const char *advice);
/* Is this a whole fingerprint? */
bool trust_is_fp(const char *text);

#endif
