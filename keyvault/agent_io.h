/* The agent's clients: accepted, bounded, served one request at a time. */
#ifndef KEYVAULT_AGENT_IO_H
#define KEYVAULT_AGENT_IO_H

#include "agent.h"
#include "agent_term.h"

#include <rpckit/loop.h>

#define AGENT_CLIENTS_MAX 64
#define AGENT_LONG_MAX 4 /* of them with a long request at a time */
#define AGENT_STALL_MS                                                      \
	10000               /* a request that was begun, an answer not read \
	                     */
#define AGENT_MUTE_MS 60000 /* without any request */

struct agent_io;

/* own_fd and ssh_fd (-1: none) listen; they stay the caller's.  askpass may be
 * NULL.  RK_ENOMEM, RK_EIO. */
RK_MUST enum rk_err agent_io_new(struct rk_loop *loop, struct agent *a,
    int own_fd, int ssh_fd, const char *askpass, struct agent_io **out);
void agent_io_free(struct agent_io *io);
/* Ask on this terminal, and by askpass where it cannot be.  RK_ENOMEM. */
RK_MUST enum rk_err agent_io_term(
    struct agent_io *io, const struct agent_term *term);
/* We were stopped: what is asked on the terminal is asked anew. */
void agent_io_resumed(struct agent_io *io);
/* The agent's state was changed from elsewhere, or a child has ended. */
void agent_io_changed(struct agent_io *io);

/* The program that is run for each that waits longer; NULL: none. */
void agent_io_notify(struct agent_io *io, const char *program);

#endif
