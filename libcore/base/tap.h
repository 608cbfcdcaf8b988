/* Further listeners to the log, beside its hook. */
#ifndef RPCKIT_BASE_TAP_H
#define RPCKIT_BASE_TAP_H

#include <rpckit/log.h>

#include <sys/queue.h>

/*
 * Belongs to whoever added it, and is told of events of `level` and above in
 * importance, whatever the hook wants.  fn is called as a hook is: on any
 * thread, several at once, under a lock that others wait for.
 */
struct log_tap {
	TAILQ_ENTRY(log_tap) link;
	rk_log_fn *fn;
	void *arg;
	enum rk_log_level level;
};

/* Any thread, but not in fn.  After removing it fn is entered no more. */
void log_tap_add(struct log_tap *t);
void log_tap_set(struct log_tap *t, enum rk_log_level level);
void log_tap_remove(struct log_tap *t);

#endif
