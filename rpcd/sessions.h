/* Who the daemon is over sessions, and which keys it believes there. */
#ifndef RPCD_SESSIONS_H
#define RPCD_SESSIONS_H

#include "settings.h"

#include <rpckit/sshkeys.h>

struct sessions {
	struct rk_key *key;       /* NULL: there are no sessions */
	struct rk_sshkeys *peers; /* NULL: none are named */
};

/* Load what the settings name, if they listen for sessions, or such a socket
 * was passed in.  The text of an error begins with file and line of the
 * setting.  Errors of rk_key_load() and rk_sshkeys_file(). */
RK_MUST enum rk_err sessions_load(const struct settings *s, bool passed_in,
    bool no_input, struct sessions *out, struct rk_error *err);
void sessions_fini(struct sessions *s); /* zeros are allowed */

#endif
