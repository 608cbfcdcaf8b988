/* Calls and streams of commands, on the loop they come from: checked, copied,
 * handed on. */
#ifndef RPCD_EXEC_H
#define RPCD_EXEC_H

#include "job.h"

#include <rpckit/stream.h>

/* Who asks for a command, and what with; valid as long as the request is. */
struct asked {
	const struct rk_peer *peer;
	const struct rk_header *hdr;
	struct rk_bytes payload; /* for the command to read */
	bool early;
};

/* rk_handler_fn; arg is a struct command. */
void exec_call(struct rk_call *call, void *arg);
/* live.c: rk_stream_fn; arg is a struct command. */
void exec_stream(struct rk_stream *s, void *arg);

/* A job with all that its process needs; it counts as running from now on.
 * NULL: why (one line, for the caller to read) says why not. */
struct job *exec_job(
    const struct asked *q, struct command *c, char why[RK_ERROR_TEXT_LEN]);
/* Say in the log that it did not come to a run. */
void exec_log_refusal(
    const struct command *c, const struct rk_peer *peer, const char *why);

/* Who calls, for the log. */
void name_caller(const struct rk_peer *peer, char dst[CALLER_LEN]);

/*
 * The whole environment of the command for this call, in one allocation.
 * NULL, or what is wrong with the call: for the caller to read.
 */
const char *exec_env(
    const struct asked *q, const struct command *c, char ***envp);

/* What the command reads, from the payload: NULL or what is wrong. */
const char *exec_input(
    const struct method *m, struct rk_bytes payload, struct buf *in);
/* The payload of the answer (malloc'ed), from what the command wrote: NULL,
 * or what is wrong, perhaps in why. */
const char *exec_output(const struct method *m, struct rk_bytes text,
    uint8_t **payload, size_t *len, struct rk_error *why);
/* The answer of a stream (malloc'ed): {"status": N} or {"signal": N}, from what
 * waitpid() said.  RK_ENOMEM. */
RK_MUST enum rk_err exec_status(int status, uint8_t **payload, size_t *len);

#endif
