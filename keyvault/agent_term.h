/* The terminal that an agent asks on, and the session that it was started in.
 */
#ifndef KEYVAULT_AGENT_TERM_H
#define KEYVAULT_AGENT_TERM_H

#include <rpckit/err.h>

#include <sys/types.h>
#include <time.h>

/* A terminal, known again when it is opened anew; path "": none. */
struct agent_term {
	char path[64];
	dev_t rdev; /* 0: the controlling one */
	struct timespec changed;
};

/* given NULL: the controlling one, if there is one.  RK_EINVAL: what was given
 * is no terminal, or another user's. */
RK_MUST enum rk_err agent_term_find(
    const char *given, struct agent_term *out, struct rk_error *err);
/* Open it, never to wait for it; -1: it is gone, is another one by now, or we
 * are in its background. */
int agent_term_open(const struct agent_term *t);
/* May it still be used? */
bool agent_term_is_ours(int fd);
/* "tty pts/4". */
void agent_term_name(int fd, char *out, size_t out_len);

/* A descriptor that is ready when the process ends that leads the session of
 * our terminal: at the logout.  -1: there is none. */
int agent_term_session(void);

#endif
