/* The log hook: the library is silent until its user installs one. */
#ifndef RPCKIT_LOG_H
#define RPCKIT_LOG_H

#include <rpckit/base.h>

RK_BEGIN

enum rk_log_level {
	RK_LOG_ERROR,
	RK_LOG_WARN,
	RK_LOG_INFO,
	RK_LOG_DEBUG
};

/*
 * One event.  subsystem is a static word ("tls", "trust", "server"); line is
 * one escaped line without a newline.  Called on the thread where the event
 * happened, from several threads at once when several loops run; it must not
 * call back into the library.
 */
typedef void rk_log_fn(enum rk_log_level level, const char *subsystem,
    const char *line, void *arg);

/*
 * Install fn for events of `level` and above in importance (NULL: silence).
 * Process-wide; call before loops start, or from one thread only.
 */
RK_API void rk_log_set(rk_log_fn *fn, enum rk_log_level level, void *arg);

/* Change the level while running.  Any thread. */
RK_API void rk_log_set_level(enum rk_log_level level);

RK_END

#endif
