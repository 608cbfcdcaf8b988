/* One run of a command: what it needs, its process, its pipes. */
#ifndef RPCD_JOB_H
#define RPCD_JOB_H

#include "base/buf.h"
#include "commands.h"

#include <sys/queue.h>
#include <sys/types.h>

#define JOB_INPUT_MAX ((size_t)16 << 20) /* a payload may grow as JSON */
#define JOB_TAIL_LEN 512                 /* of standard error, kept */
#define CALLER_LEN 400

struct live;

enum job_end {
	JOB_IN,
	JOB_OUT,
	JOB_ERR
};

/* Our end of a pipe. */
struct pipe_end {
	int fd; /* -1: closed */
	struct rk_watch *watch;
};

enum job_state {
	JOB_RUNNING,
	JOB_ENDING, /* answered; told to end */
	JOB_KILLED  /* answered; killed */
};

/*
 * Made on the loop of the call, then owned by loop 0.  The caller is answered
 * exactly once, at the latest when the process has ended.
 *
 * That of a stream has its process started, and its pipes served, on the loop
 * of the stream (live.h), which owns `in`, `ends` and `live`; loop 0 has the
 * process, and hands everything back when that has ended.
 */
struct job {
	TAILQ_ENTRY(job) link;
	struct super *super;
	struct command *command; /* its set is held */
	uint64_t id;             /* of the call */
	uint64_t began;
	char caller[CALLER_LEN];
	char **envp;
	struct buf in;
	struct buf out;
	enum job_state state;
	pid_t pid; /* and process group */
	struct pipe_end ends[3];
	struct rk_timer *timer;
	char tail[JOB_TAIL_LEN]; /* the end of standard error */
	size_t tail_len;
	struct live *live; /* NULL: a call */
	/* Of a stream, when it is handed back: as of waitpid(), and why it was
	 * ended; "": it ended by itself. */
	int status;
	char why[RK_ERROR_TEXT_LEN];
};
TAILQ_HEAD(job_list, job);

/* Not while its process lives or its pipes are open. */
void job_free(struct job *job);

/* job_io.c */

/* Start the process, with our ends of its pipes in `ends`.  The errno of what
 * failed is in err->sys; nothing stays open then. */
RK_MUST enum rk_err job_spawn(struct job *job, struct rk_error *err);
/* Feed it and read it, on loop 0.  RK_ENOMEM, RK_EIO. */
RK_MUST enum rk_err job_watch(struct job *job, struct rk_loop *loop);
void job_close(struct job *job, enum job_end which);
/* Take what is in the pipes now; false: too much for max-output. */
bool job_drain(struct job *job);
/* The last line of standard error, escaped and cut; "" when there is none. */
const char *job_last_line(const struct job *job, char *dst, size_t dst_len);

/* super.c: more output than the method allows. */
void job_overflow(struct job *job);

#endif
