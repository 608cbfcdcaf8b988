/* Listening sockets, and the socket files of the unix kind. */
#include "net/sock.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BACKLOG 1024
#define LOCK_TRIES 100
#define LOCK_NAP_NS 10000000

static enum rk_err
fail(const struct addr *a, int errnum, const char *what, struct rk_error *err)
{
	char text[ADDR_TEXT_LEN];
	const char *shown = text;

	/* What will be spoken there, TLS or not, is not known here. */
	addr_format(a, ADDR_TCP, text);
	if (a->u.sa.sa_family != AF_UNIX)
		shown += strlen("tcp://");
	(void)err_sys(err, RK_EIO, errnum, "%s: %s", shown, what);
	if (err != NULL)
		err->step = "listen";
	return RK_EIO;
}

static enum rk_err
new_socket(const struct addr *a, int *fd, struct rk_error *err)
{
	*fd = socket(
	    a->u.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return *fd >= 0 ? RK_OK : fail(a, errno, "cannot make a socket", err);
}

static enum rk_err
bind_and_listen(const struct addr *a, int fd, struct rk_error *err)
{
	if (bind(fd, &a->u.sa, a->len) != 0 || listen(fd, BACKLOG) != 0)
		return fail(a, errno, "cannot listen", err);
	return RK_OK;
}

static enum rk_err
listen_inet(const struct addr *a, int fd, struct rk_error *err)
{
	const int on = 1;
	const int off = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
		return fail(a, errno, "cannot reuse the address", err);
	/* "Every interface" is IPv4 too, however the system is set. */
	if (a->u.sa.sa_family == AF_INET6 &&
	    IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr) &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0)
		return fail(a, errno, "cannot listen on IPv4 too", err);
	return bind_and_listen(a, fd, err);
}

/*
 * Programs that start at once must not take one another's new socket, bound
 * but not listening yet, for a stale one.  The lock is on the folder, so that
 * no file is left behind.
 */
static enum rk_err
lock_folder(const struct addr *a, int *lock, struct rk_error *err)
{
	char dir[sizeof(a->u.un.sun_path)];
	char *slash;

	(void)str_copy(dir, sizeof(dir), a->u.un.sun_path); /* same size */
	slash = strrchr(dir, '/');
	if (slash == NULL)
		(void)str_copy(dir, sizeof(dir), ".");
	else
		slash[slash == dir ? 1 : 0] = '\0';
	*lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0)
		return fail(a, errno, "cannot open its folder", err);
	for (int i = 0; i < LOCK_TRIES; i++) {
		const struct timespec nap = { .tv_nsec = LOCK_NAP_NS };

		if (flock(*lock, LOCK_EX | LOCK_NB) == 0)
			return RK_OK;
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		(void)nanosleep(&nap, NULL); /* shorter is fine */
	}
	return fail(a, errno, "cannot lock its folder", err);
}

/* Remove a socket file behind which nobody listens; else say why not. */
static enum rk_err
remove_stale(const struct addr *a, struct rk_error *err)
{
	const char *path = a->u.un.sun_path;
	struct stat st;
	int fd;
	int e = 0;
	enum rk_err r;

	if (lstat(path, &st) != 0)
		return errno == ENOENT
		           ? RK_OK
		           : fail(a, errno, "cannot look at it", err);
	if (!S_ISSOCK(st.st_mode))
		return fail(a, EADDRINUSE, "not a socket, left alone", err);
	if ((r = new_socket(a, &fd, err)) != RK_OK)
		return r;
	if (connect(fd, &a->u.sa, a->len) != 0)
		e = errno;
	(void)close(fd); /* it asked, and has its answer */
	if (e != ECONNREFUSED)
		return fail(a, EADDRINUSE, "somebody listens there", err);
	if (unlink(path) != 0)
		return fail(a, errno, "cannot remove the stale socket", err);
	return RK_OK;
}

static enum rk_err
listen_unix(const struct addr *a, int fd, struct rk_error *err)
{
	int lock = -1;
	enum rk_err r;

	/* On Linux the file made by bind() takes its mode from the socket. */
	if (fchmod(fd, 0600) != 0)
		return fail(a, errno, "cannot set the mode", err);
	if ((r = lock_folder(a, &lock, err)) != RK_OK)
		goto out;
	if ((r = remove_stale(a, err)) != RK_OK)
		goto out;
	r = bind_and_listen(a, fd, err);
out:
	if (lock >= 0)
		(void)close(lock); /* which unlocks */
	return r;
}

enum rk_err
sock_listen(
    const struct addr *a, int *fd, struct addr *bound, struct rk_error *err)
{
	int f = -1;
	enum rk_err r;

	*fd = -1;
	if (bound != NULL)
		*bound = (struct addr){ .len = sizeof(bound->u) };
	if ((r = new_socket(a, &f, err)) != RK_OK)
		goto out;
	if (a->u.sa.sa_family == AF_UNIX)
		r = listen_unix(a, f, err);
	else
		r = listen_inet(a, f, err);
	if (r != RK_OK)
		goto out;
	if (bound != NULL && getsockname(f, &bound->u.sa, &bound->len) != 0) {
		r = fail(a, errno, "cannot read its address", err);
		goto out;
	}
	*fd = f;
	f = -1;
out:
	if (f >= 0)
		(void)close(f); /* nobody connected to it */
	return r;
}
