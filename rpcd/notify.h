/* Telling the service manager: ready, reloading, stopping, still alive. */
#ifndef RPCD_NOTIFY_H
#define RPCD_NOTIFY_H

#include <rpckit/err.h>

struct notify {
	int fd;            /* -1: nobody wants to know */
	uint64_t watchdog; /* milliseconds between signs of life; 0: none */
};

/* Looks at NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and unsets them.
 * RK_ESTATE, RK_EIO: the socket that was named cannot be reached. */
RK_MUST enum rk_err notify_open(struct notify *n, struct rk_error *err);
/* "READY=1\nSTATUS=..." and the like. */
void notify_send(const struct notify *n, const char *fmt, ...) RK_PRINTF(2, 3);
/* RELOADING=1 with the time it began. */
void notify_reloading(const struct notify *n);
void notify_close(struct notify *n);

#endif
