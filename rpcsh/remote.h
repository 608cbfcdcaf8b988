/* A command that runs at the server: local streams joined to its own. */
#ifndef RPCSH_REMOTE_H
#define RPCSH_REMOTE_H

#include "sink.h"
#include "target.h"
#include "trace.h"

#include <rpckit/stream.h>

enum remote_output {
	REMOTE_OUT,
	REMOTE_ERR
};

struct remote {
	struct target *target;
	const struct out *out;
	const char *method;
	int input;            /* to be read; -1: no (more) */
	struct sink sinks[2]; /* enum remote_output */
	bool says_status;     /* nothing ends here whose status it would be */
	struct trace *trace;
	/* remote.c's */
	struct rk_stream *stream; /* NULL: it has ended */
	bool last_due;            /* the end of input is still to be told */
	struct rk_error local;    /* what went wrong at this end */
	/* The end of the stream. */
	struct rk_error end; /* RK_OK: the two below count */
	int status;          /* exit status; -1: none */
	int signal;          /* what killed it; 0: nothing */
	uint64_t begun_us;
	uint64_t took_us;
	size_t sent; /* bytes of payload */
	size_t got;
};

/*
 * Run it to its end: signals that ask us to end cancel it, and so does a local
 * stream that fails.  With a signal, or where nobody reads our output, this
 * does not return.  The exit status; what went wrong has been said.
 */
int remote_run(struct remote *m, const struct rk_request *req);

#endif
