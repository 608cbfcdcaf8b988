/* Filling a struct rk_error, and the log: one line, escaped, once. */
#ifndef RPCKIT_BASE_ERROR_H
#define RPCKIT_BASE_ERROR_H

#include <rpckit/err.h>
#include <rpckit/log.h>

/*
 * Fill err (NULL allowed) and return code, so that a failing function ends in
 *	return err_set(err, RK_EFORMAT, "%s:%u: bad key", path, line);
 * Arguments of %s that come from outside must have been escaped.
 */
enum rk_err err_set(struct rk_error *err, enum rk_err code, const char *fmt,
    ...) RK_PRINTF(3, 4);
/* The same with errno: its text is appended as ": Permission denied". */
enum rk_err err_sys(struct rk_error *err, enum rk_err code, int errnum,
    const char *fmt, ...) RK_PRINTF(4, 5);
void err_clear(struct rk_error *err);

/* Log to the user's hook, if any; control bytes are escaped once more. */
void log_event(enum rk_log_level level, const char *subsystem, const char *fmt,
    ...) RK_PRINTF(3, 4);
bool log_enabled(enum rk_log_level level);

#endif
