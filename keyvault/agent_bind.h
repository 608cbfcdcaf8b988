/* Where a connection of SSH's leads: what session-bind@openssh.com tells. */
#ifndef KEYVAULT_AGENT_BIND_H
#define KEYVAULT_AGENT_BIND_H

#include <rpckit/key.h>

#include "base/bytes.h"

/*
 * ssh tells its agent of each session that it has: with which host key, under
 * which number, and whether the agent is forwarded by it or used to log in. The
 * host's signature over the number says that it is true.  On a connection that
 * is forwarded the next ssh tells the same of the next session.
 */
#define BIND_EXTENSION "session-bind@openssh.com"
#define BIND_SESSION_MAX 128
#define BINDS_MAX 16

struct bind {
	uint8_t session[BIND_SESSION_MAX];
	size_t session_len;
	char fp[RK_FP_LEN]; /* of the host key, as ssh-keygen -l has it */
	bool forwards;
};

/* Of one connection; all zeros to begin with. */
struct binds {
	struct bind list[BINDS_MAX];
	size_t n;
	bool forwarded; /* somebody on another machine may be asking */
	bool unknown;   /* a session whose host key we cannot judge */
	bool failed;    /* somebody lied: nothing is signed any more */
};

/*
 * What is behind the extension's name.  RK_EUNSUPPORTED: a host key of another
 * kind than Ed25519; RK_EDENIED, and failed is set: a signature that is none, a
 * session that was told with another key, or after one to log in; RK_EPROTO;
 * RK_ELIMIT.
 */
RK_MUST enum rk_err bind_take(struct binds *b, struct bytes body);
/*
 * The host that a login (which purpose_of_ssh() took for one) is for, as far as
 * it is proven, or "".  RK_EDENIED: it is for another session or host than the
 * last one that was told.
 */
RK_MUST enum rk_err bind_target(
    const struct binds *b, const uint8_t *data, size_t len, char fp[RK_FP_LEN]);

#endif
