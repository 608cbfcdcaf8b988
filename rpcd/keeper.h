/* Who ends the commands when the daemon is killed: a process of its own. */
#ifndef RPCD_KEEPER_H
#define RPCD_KEEPER_H

#include <rpckit/err.h>

#include <stdbool.h>
#include <sys/types.h>

/*
 * It knows the process groups of the commands that run, and learns of the
 * daemon's end by that of a pipe, however that came about: SIGKILL, a crash.
 * Then it ends those groups, as the daemon would.  It holds nothing of the
 * daemon's, provided that it is started before there are keys.  What the daemon
 * starts in the moment in which it is killed may escape.
 */
struct keeper {
	int fd; /* -1: there is none */
	pid_t pid;
};

/* Before there are threads and secrets.  RK_EIO with the errno in err->sys. */
RK_MUST enum rk_err keeper_start(struct keeper *k, struct rk_error *err);
/* This group is there now; or it is no more, told before its leader is waited
 * for.  Any thread. */
void keeper_add(const struct keeper *k, pid_t group);
void keeper_remove(const struct keeper *k, pid_t group);
/* The daemon ends: so does the keeper, and first what it still knows. */
void keeper_stop(struct keeper *k);

#endif
