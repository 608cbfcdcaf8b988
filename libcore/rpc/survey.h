/* Surveys: asking every worker of a server about its connections and calls. */
#ifndef RPCKIT_RPC_SURVEY_H
#define RPCKIT_RPC_SURVEY_H

#include "base/buf.h"

#include <rpckit/server.h>

/*
 * What connections and calls count of themselves are plain numbers of their
 * worker's.  A survey is a letter to each worker, which looks, or ends
 * connections, and writes down what it sees; loop 0 puts that together.  One
 * that is under way keeps the server from having stopped, so all come back.
 */
enum survey_what {
	SURVEY_TOTALS, /* the sums only, as of all surveys */
	SURVEY_CONNS,  /* rows: a map for each connection; up to `conn` an array
	                */
	SURVEY_CALLS,  /* rows: a map for each call */
	SURVEY_KICK,   /* end the connections that are meant */
	SURVEY_CANCEL  /* cancel the call that is meant; row: its method */
};

enum survey_by {
	SURVEY_BY_CONN,   /* `conn` */
	SURVEY_BY_FP,     /* `who`, whole */
	SURVEY_BY_ADDRESS /* `who`: as shown, or without transport or port */
};

struct survey_target {
	enum survey_by by;
	uint64_t conn;
	uint64_t call; /* of SURVEY_CANCEL: of that connection */
	/* Of SURVEY_CONNS: of those older than this what moves is enough. */
	bool brief;
	uint64_t older_ms;
	char who[192];
};

struct survey_sum {
	uint64_t fresh; /* handshakes under way */
	uint64_t active;
	uint64_t idle;
	uint64_t closing;
	uint64_t calls; /* begun since start */
	uint64_t running;
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t kicked;
	uint64_t canceled;
	uint64_t ending; /* it was meant, and is canceled already */
	uint64_t rows;
	uint64_t left_out; /* rows for which there was no room */
};

/* Once, on loop 0.  rows holds sum->rows maps, and is valid during the call.
 * r: RK_ENOMEM. */
typedef void survey_fn(enum rk_err r, const struct survey_sum *sum,
    const struct buf *rows, void *arg);

/* Loop 0; done is not called from inside.  target: of SURVEY_CONNS,
 * SURVEY_KICK and SURVEY_CANCEL.  RK_ESTATE: the server does not run (any
 * more), so there are no connections; RK_ELIMIT, RK_ENOMEM.  done will not be
 * called then. */
RK_MUST enum rk_err survey_start(struct rk_server *server,
    enum survey_what what, const struct survey_target *target, survey_fn *done,
    void *arg);

/* Is this remote end ("tls://192.0.2.1:4433") meant by these words? */
bool survey_is_at(const char *remote, const char *who);

#endif
