/* What put and get share: arguments, the stream, and how it went. */
#ifndef RPCSH_TRANSFER_H
#define RPCSH_TRANSFER_H

#include "progress.h"
#include "target.h"
#include "trace.h"

#include <rpckit/stream.h>

#define TRANSFER_ARGS 64
#define TRANSFER_NUMBER_LEN 24

struct transfer {
	const struct args *a;
	const char *method;
	struct out o;
	const struct caller *by;
	struct target own, *t;
	/* Connected already, with everybody asked, and closed by its owner; or
	 * NULL. */
	struct target *given;
	struct rk_stream *s;
	struct rk_watch *heard; /* Ctrl-C, or NULL */
	struct rk_timer *quiet; /* for rpcsh/patience, or NULL */
	uint64_t timeout;       /* ms; 0: none */
	uint64_t begun_us;
	struct rk_arg args[TRANSFER_ARGS + 8]; /* of the first message */
	size_t n_args;
	struct rk_reply reply;
	struct rk_error err; /* why it failed */
	bool local;          /* on this side, not the server's or the way's */
	struct progress bar;
	struct trace trace; /* closed by whoever called transfer_init() */
	bool up;
	uint64_t from; /* where this transfer went on */
	uint64_t bytes;
	char sum[65];
};

/* Method, -H, and --trace-file unless it is a dry run.  RK_EINVAL, and
 * errors of trace_open(). */
RK_MUST enum rk_err transfer_init(
    struct transfer *x, const struct args *a, const struct caller *by);
/* One more; texts by reference.  A later one of the same key counts. */
void transfer_arg(struct transfer *x, const char *key, const char *value);
/* The same of a word K=V, whose sign is at eq. */
void transfer_word(struct transfer *x, const char *word, const char *eq);
/* Connect and open the stream; false: said so, *status is set. */
bool transfer_open(struct transfer *x, enum rk_stream_kind kind, int *status);
/* May it go on: has nobody pressed Ctrl-C?  RK_ECANCELED. */
RK_MUST enum rk_err transfer_goes_on(struct transfer *x);
/* The same, after the connection was given a moment: for who works long. */
RK_MUST enum rk_err transfer_breathe(struct transfer *x);
/*
 * Wait until fd is ready for POLLIN or POLLOUT, while the connection lives on.
 * RK_ETIMEOUT, RK_ECANCELED: said so; RK_ECLOSED: what is read would go
 * nowhere, as the stream has ended.
 */
RK_MUST enum rk_err transfer_wait(struct transfer *x, int fd, short what);
/* Something here failed. */
RK_PRINTF(4, 5)
enum rk_err transfer_local(
    struct transfer *x, enum rk_err code, int errnum, const char *fmt, ...);
/* End the stream: with its answer, or after a failure r.  RK_OK: there is an
 * answer, and no failure. */
enum rk_err transfer_finish(struct transfer *x, enum rk_err r);
/* Say how it went; the exit status.  r is what transfer_finish() said; verb is
 * "sent" or "wrote". */
int transfer_result(
    struct transfer *x, enum rk_err r, const char *verb, const char *file);
void transfer_close(struct transfer *x);

/* An argument that is a number, or a text; false: it is not there, or none. */
bool transfer_number(
    const struct rk_part *part, const char *key, uint64_t *out);
bool transfer_is(
    const struct rk_args *args, const char *key, const char *value);
bool transfer_has(const struct rk_args *args, const char *key);

#endif
