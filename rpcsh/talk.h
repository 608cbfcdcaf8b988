/* A method that streams: input part by part, and what comes line by line. */
#ifndef RPCSH_TALK_H
#define RPCSH_TALK_H

#include "request.h"
#include "show.h"
#include "sink.h"
#include "talk_in.h"
#include "trace.h"

#include <rpckit/stream.h>

struct talk {
	struct target *t;
	const struct out *out;
	const struct show *show; /* of the answer; form RAW, HEX: of parts */
	const char *method;
	enum rk_stream_kind kind;
	uint64_t most;    /* parts to take; 0: all */
	uint64_t most_us; /* time to take them; 0: all of it */
	struct talk_in in;
	struct trace *trace;
	/* talk.c's */
	struct rk_stream *stream; /* NULL: it has ended */
	struct sink sink;
	bool last_due;    /* this direction is to be ended */
	uint64_t seen;    /* parts */
	uint64_t took_us; /* all of it */
	uint64_t begun_us;
	size_t sent; /* bytes of payload */
	size_t got;
	int status;            /* of showing the answer */
	struct rk_error local; /* why it ends, if the reason is here */
	struct rk_error end;   /* how the server has ended it */
};

/* Open the stream with this request as its first message, and stay until it has
 * ended.  in is the caller's to fini.  The exit status. */
int talk_run(struct talk *k, const struct rk_request *req);

/* cmd_talk.c */
/* May this call be one of a stream: by --stream, or because -o ndjson asks the
 * server? */
bool talk_is_wanted(const struct args *a);
/* Is input, by -d - or --raw, parts of it then, and no argument? */
bool talk_has_input(const struct args *a);
/*
 * If it is one, make it.  q: the request, which is the first message; with
 * input it is empty yet.  False: it is none, and nothing was done; or nobody
 * could be asked, which was said, and *status is not zero.
 */
bool talk_call(struct target *t, const struct caller *by, const struct args *a,
    const struct show *show, struct request *q, struct trace *tr, int *status);

/* --dry-run of one whose input --stream names as parts: show each of them as it
 * is read.  The exit status. */
bool talk_is_dry(const struct args *a);
int talk_dry(const struct caller *by, const struct args *a,
    const struct show *show, struct request *q);

#endif
