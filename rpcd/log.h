/* Events as lines on standard error: for people, or one JSON object each. */
#ifndef RPCD_LOG_H
#define RPCD_LOG_H

#include "cli/out.h"

#include <rpckit/log.h>

#include <stdatomic.h>

struct log {
	bool color;
	atomic_bool json;
};

/* Install it as the library's log; l must outlive every event. */
void log_open(
    struct log *l, const struct out *o, enum rk_log_level level, bool json);
/* Change both while running. */
void log_change(struct log *l, enum rk_log_level level, bool json);
void log_close(void);

#endif
