/* Loop 0 and the processes of commands: start, time limits, ends. */
#ifndef RPCD_SUPER_H
#define RPCD_SUPER_H

#include "job.h"
#include "keeper.h"

#include <sys/resource.h>

#include <stdatomic.h>

struct super {
	struct rk_loop *loop;
	struct keeper keeper; /* the daemon's to start, before, and to stop */
	struct rlimit descriptors; /* for commands; soft limit 0: as ours */
	struct rk_server *server;  /* NULL: nobody is answered any more */
	struct job_list jobs;      /* with a process */
	atomic_uint coming;        /* started, and not among them yet */
	atomic_ullong adopted;     /* so far: numbers them */
	bool stopping;
	void (*idle)(void *arg); /* when stopping and none is left */
	void *arg;
};

/* Takes SIGCHLD.  RK_ENOMEM, RK_EIO. */
RK_MUST enum rk_err super_init(struct super *s, struct rk_loop *loop);

/* Run a job (from then on the supervisor's).  RK_ENOMEM: still the caller's.
 * Any thread. */
RK_MUST enum rk_err super_submit(struct super *s, struct job *job);
/* See to the end of the process that a job of a stream has started, and give it
 * a number.  As above. */
RK_MUST enum rk_err super_adopt(struct super *s, struct job *job);
/* Nobody waits for this call any more.  Any thread. */
void super_cancel(struct super *s, uint64_t id, enum rk_cancel_why why);
/* The same with a reason (static text) of one's own. */
void super_end(struct super *s, uint64_t id, const char *why);

/* End every process: politely, or (a second call) at once.  Jobs still to come
 * are dropped.  idle is called when none is left, perhaps before this returns.
 * Loop 0. */
void super_stop(struct super *s, bool now, void (*idle)(void *arg), void *arg);
/* Is no process left?  Loop 0. */
bool super_is_idle(const struct super *s);

#endif
