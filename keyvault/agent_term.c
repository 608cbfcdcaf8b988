/* The terminal that an agent asks on, and the session that it was started in.
 */
#include "agent_term.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"

#define CONTROLLING "/dev/tty"
#define OPEN_HOW (O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
/* As the kernel numbers them (Documentation/admin-guide/devices.txt). */
#define MAJOR_CONSOLE 4
#define MAJOR_PTS 136
#define CONSOLES 64

/* ---- which ---- */

static bool
has_controlling(void)
{
	int fd = open(CONTROLLING, OPEN_HOW);

	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static enum rk_err
refuse(const char *given, const char *why, struct rk_error *err)
{
	char shown[128];

	return err_set(err, RK_EINVAL, "--tty: %s: %s",
	    str_escape(shown, sizeof(shown), given), why);
}

enum rk_err
agent_term_find(const char *given, struct agent_term *out, struct rk_error *err)
{
	char *whole;
	struct stat st;
	size_t len;
	int fd;
	bool is;

	memset(out, 0, sizeof(*out));
	if (given == NULL) {
		if (has_controlling())
			(void)str_copy(
			    out->path, sizeof(out->path), CONTROLLING);
		return RK_OK;
	}
	if ((whole = realpath(given, NULL)) == NULL)
		return refuse(given, "cannot be found", err);
	len = str_copy(out->path, sizeof(out->path), whole);
	free(whole);
	/* That one is another in every session. */
	if (len >= sizeof(out->path) || strcmp(out->path, CONTROLLING) == 0)
		return refuse(given, "give its own name, as tty(1) does", err);
	if ((fd = open(out->path, OPEN_HOW)) < 0)
		return refuse(given, "cannot be opened", err);
	is = isatty(fd) == 1 && fstat(fd, &st) == 0;
	(void)close(fd);
	if (!is)
		return refuse(given, "is no terminal", err);
	if (st.st_uid != geteuid())
		return refuse(given, "is another user's terminal", err);
	out->rdev = st.st_rdev;
	out->changed = st.st_ctim;
	return RK_OK;
}

/* ---- using it ---- */

/* The next terminal may get the same name. */
static bool
is_the_same(const struct agent_term *t, int fd)
{
	struct stat st;

	if (t->rdev == 0)
		return true;
	return fstat(fd, &st) == 0 && st.st_rdev == t->rdev &&
	       st.st_uid == geteuid() &&
	       st.st_ctim.tv_sec == t->changed.tv_sec &&
	       st.st_ctim.tv_nsec == t->changed.tv_nsec;
}

bool
agent_term_is_ours(int fd)
{
	struct pollfd p = { .fd = fd };
	pid_t front = tcgetpgrp(fd); /* -1: of another session */

	if (poll(&p, 1, 0) != 0 || isatty(fd) != 1)
		return false;
	return front == -1 || front == getpgrp();
}

int
agent_term_open(const struct agent_term *t)
{
	int fd = t->path[0] == '\0' ? -1 : open(t->path, OPEN_HOW);

	if (fd >= 0 && (!is_the_same(t, fd) || !agent_term_is_ours(fd))) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

void
agent_term_name(int fd, char *out, size_t out_len)
{
	unsigned dev = 0;

	(void)str_copy(out, out_len, "tty");
	if (ioctl(fd, TIOCGDEV, &dev) != 0)
		return;
	if (major(dev) == MAJOR_PTS)
		(void)snprintf(out, out_len, "tty pts/%u", minor(dev));
	else if (major(dev) == MAJOR_CONSOLE && minor(dev) < CONSOLES)
		(void)snprintf(out, out_len, "tty tty%u", minor(dev));
}

/* ---- the session ---- */

int
agent_term_session(void)
{
	pid_t leader = getsid(0);

	/* Its terminal itself is not kept open: whoever is at the other end,
	 * sshd for one, would wait for us. */
	if (leader <= 0 || leader == getpid() || !has_controlling())
		return -1;
	return (int)syscall(SYS_pidfd_open, leader, 0);
}
