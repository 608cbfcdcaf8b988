/* Telling the service manager: ready, reloading, stopping, still alive. */
#include "notify.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MESSAGE_LEN 1024

/* The address in the variable: a path, or "@name" for an abstract one. */
static enum rk_err
parse_address(const char *text, struct sockaddr_un *to, socklen_t *len)
{
	size_t n = strlen(text);

	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if ((text[0] != '/' && text[0] != '@') || n < 2 ||
	    n >= sizeof(to->sun_path))
		return RK_EINVAL;
	memcpy(to->sun_path, text, n);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (text[0] == '@')
		to->sun_path[0] = '\0';
	else
		(*len)++;
	return RK_OK;
}

static enum rk_err
connect_to(const char *text, int *fd, struct rk_error *err)
{
	/* A manager that does not read must not stop the daemon for long. */
	const struct timeval patience = { .tv_sec = 1 };
	char shown[100];
	struct sockaddr_un to;
	socklen_t len;

	str_escape(shown, sizeof(shown), text);
	if (parse_address(text, &to, &len) != RK_OK)
		return err_set(err, RK_ESTATE,
		    "NOTIFY_SOCKET: \"%s\" is no socket's path", shown);
	*fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return err_sys(err, RK_EIO, errno, "NOTIFY_SOCKET");
	(void)setsockopt(
	    *fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(*fd, (const struct sockaddr *)&to, len) == 0)
		return RK_OK;
	(void)err_sys(err, RK_EIO, errno, "NOTIFY_SOCKET: %s", shown);
	(void)close(*fd); /* nothing was sent */
	*fd = -1;
	return RK_EIO;
}

/* Half of what the manager allows. */
static uint64_t
watchdog_ms(void)
{
	const char *usec = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");
	uint64_t n;

	if (pid != NULL && (str_parse_u64(pid, 1, INT32_MAX, &n) != RK_OK ||
	                       n != (uint64_t)getpid()))
		return 0;
	if (usec == NULL ||
	    str_parse_u64(usec, 1, (uint64_t)1 << 50, &n) != RK_OK)
		return 0;
	return n < 2000 ? 1 : n / 2000;
}

enum rk_err
notify_open(struct notify *n, struct rk_error *err)
{
	const char *where = getenv("NOTIFY_SOCKET");
	enum rk_err r = RK_OK;

	*n = (struct notify){ .fd = -1 };
	err_clear(err);
	if (where != NULL && where[0] != '\0')
		r = connect_to(where, &n->fd, err);
	if (n->fd >= 0)
		n->watchdog = watchdog_ms();
	(void)unsetenv("NOTIFY_SOCKET"); /* names without "=": cannot fail */
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	return r;
}

void
notify_send(const struct notify *n, const char *fmt, ...)
{
	char text[MESSAGE_LEN];
	va_list ap;
	int len;

	if (n->fd < 0)
		return;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text))
		return;
	if (send(n->fd, text, (size_t)len, MSG_NOSIGNAL) < 0)
		log_event(RK_LOG_WARN, "daemon",
		    "the service manager does not listen");
}

void
notify_reloading(const struct notify *n)
{
	notify_send(n, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, mono_us());
}

void
notify_close(struct notify *n)
{
	if (n->fd >= 0)
		(void)close(n->fd); /* datagrams: nothing is pending */
	n->fd = -1;
}
