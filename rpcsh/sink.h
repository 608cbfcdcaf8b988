/* Where the output of a stream goes: as much as it takes, without waiting. */
#ifndef RPCSH_SINK_H
#define RPCSH_SINK_H

#include "base/buf.h"

#define SINK_MAX ((size_t)16 << 20) /* a part, each byte of it escaped */

struct sink {
	int fd;
	int own;     /* the same pipe, open so that no write waits; -1: none */
	bool slow;   /* a pipe or terminal: writes may wait */
	bool socket; /* writes can be asked not to */
	bool escape; /* as for a terminal */
	struct buf waiting;
	char cut[4]; /* escape: the beginning of a character */
	size_t n_cut;
};

/* fd stays the caller's, and its flags what they are: others may share it. */
void sink_open(struct sink *k, int fd, bool escape);
void sink_close(struct sink *k);
/*
 * Write, and keep what is not taken: RK_OK (nothing waits), RK_EAGAIN (some
 * does: sink_flush() when sink_fd() is writable), RK_EIO (errno), RK_ENOMEM.
 */
RK_MUST enum rk_err sink_put(struct sink *k, const void *data, size_t len);
RK_MUST enum rk_err sink_flush(struct sink *k);
/* No more comes: a character that was begun is shown as bytes.  As above. */
RK_MUST enum rk_err sink_end(struct sink *k);
bool sink_waits(const struct sink *k);
/* Forget what waits. */
void sink_drop(struct sink *k);
int sink_fd(const struct sink *k);

#endif
