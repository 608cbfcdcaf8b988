/* Signals that end what goes on, heard instead of died of. */
#ifndef RPCSH_ENDING_H
#define RPCSH_ENDING_H

#include <poll.h>
#include <signal.h>

#define ENDING_SIGNALS 3 /* SIGINT, SIGTERM, SIGHUP */

struct ending {
	struct sigaction before[ENDING_SIGNALS];
};

/* From now on the first of them is heard, and a second one ends us at once, but
 * for SIGINT where a shell hears that; what was ignored stays so. */
void ending_hear(struct ending *e);
/* As it was. */
void ending_unhear(const struct ending *e);
/* The one that came since ending_hear(); 0: none did. */
int ending_came(void);
/* poll() that none of them slips past: no events then. */
void ending_poll(struct pollfd *fds, nfds_t n, int timeout_ms);

#endif
