/* The daemon's control: where it is, and what it does when it is told to. */
#ifndef RPCD_ADMIN_H
#define RPCD_ADMIN_H

#include <rpckit/control.h>

#define ADMIN_WAITS 16

/* Callers of _.reload wait for the end of one or, when one was under way as
 * they asked, of the next. */
struct admin_wait {
	struct rk_call *call;
	unsigned reloads;
};

struct admin {
	struct rk_control *control; /* NULL: none */
	struct rk_timer *day;       /* to count the days that are left */
	struct admin_wait waits[ADMIN_WAITS];
	size_t n_waits;
};

#endif
