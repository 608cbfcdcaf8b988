/* A command with live input and output, on the loop of its stream. */
#ifndef RPCD_LIVE_H
#define RPCD_LIVE_H

#include "job.h"

#include <rpckit/stream.h>

#define LIVE_CHUNK RK_STREAM_PART

/*
 * The stream's end of a job.  It owns the pipes of the process, and lasts until
 * loop 0 has handed the job back and the stream has its answer.
 */
struct live {
	struct job *job;
	struct rk_loop *loop;
	struct rk_stream *stream; /* NULL: answered, or nobody needs it */
	bool taken; /* the first part is the request's, and is used */
	bool last;  /* the caller's input has ended */
	bool ended; /* the process has, and the job is ours */
	/* Ended: how often to read from each of its pipes yet. */
	unsigned reads[JOB_ERR + 1];
	uint64_t room; /* bytes of output it may still write */
	bool over;     /* it wrote more */
	/* What was read and the stream has not taken; nothing more is read. */
	enum job_end from;
	size_t held;
	uint8_t chunk[LIVE_CHUNK];
};

/* Loop 0: the process has ended; job->status and job->why say how. */
void live_hand_back(struct live *l);

#endif
