/* The session layer over descriptors: stream sockets, pipes, and others. */
#include "net/sess_layer_int.h"

#include "base/error.h"
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

void
sess_layer_close_fds(const int fds[2])
{
	(void)close(fds[0]); /* nothing of ours is in them */
	if (fds[1] != fds[0])
		(void)close(fds[1]);
}

static bool
is_tcp(int fd)
{
	socklen_t len = sizeof(int);
	int family = AF_UNIX;

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 &&
	       family != AF_UNIX;
}

enum rk_err
sess_layer_new(const struct sess_layer_conf *conf, struct rk_loop *loop, int fd,
    enum addr_scheme scheme, struct layer **out)
{
	const enum addr_scheme below = is_tcp(fd) ? ADDR_TCP : ADDR_UNIX;
	struct sess_layer *l;
	struct layer *sock;
	enum rk_err r;

	*out = NULL;
	if ((r = sock_layer_new(fd, below, &sock)) != RK_OK)
		return r;
	if ((l = sess_layer_make(conf, loop, scheme)) == NULL) {
		layer_free(sock);
		return RK_ENOMEM;
	}
	l->sock = sock;
	l->fds[0] = l->fds[1] = fd;
	*out = &l->layer;
	return RK_OK;
}

/* Datagrams go to somebody. */
static bool
has_peer(int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return getpeername(fd, (struct sockaddr *)&peer, &len) == 0;
}

static bool
is_listening(int fd)
{
	socklen_t len = sizeof(int);
	int is = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is, &len) == 0 &&
	       is != 0;
}

/* Bytes come from it, or can be written to it? */
static enum rk_err
check_fd(int fd, bool one, struct rk_error *err)
{
	struct stat st;
	socklen_t len = sizeof(int);
	int type = 0;

	if (fstat(fd, &st) != 0)
		return err_set(
		    err, RK_EUNSUPPORTED, "descriptor %d is not open", fd);
	if (S_ISSOCK(st.st_mode) &&
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    ((type == SOCK_STREAM && !is_listening(fd)) ||
	        (one && has_peer(fd))))
		return RK_OK;
	if (!one && S_ISFIFO(st.st_mode))
		return RK_OK;
	if (S_ISCHR(st.st_mode))
		return RK_OK;
	return err_set(err, RK_EUNSUPPORTED,
	    "descriptor %d is no connected socket%s", fd,
	    one ? "" : ", pipe or line");
}

enum rk_err
sess_layer_check_fds(const int fds[2], struct rk_error *err)
{
	const bool one = fds[0] == fds[1];
	enum rk_err r = check_fd(fds[0], one, err);

	return r == RK_OK && !one ? check_fd(fds[1], one, err) : r;
}

static bool
is_stream(int fd)
{
	socklen_t len = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	       type == SOCK_STREAM;
}

enum rk_err
sess_layer_new_fds(const struct sess_layer_conf *conf, struct rk_loop *loop,
    const int fds[2], struct layer **out, struct rk_error *err)
{
	struct sess_layer *l;
	enum rk_err r;

	*out = NULL;
	if (fcntl(fds[0], F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(fds[1], F_SETFD, FD_CLOEXEC) != 0) {
		r = err_sys(err, RK_EIO, errno, "descriptor %d", fds[0]);
		sess_layer_close_fds(fds);
		return r;
	}
	if (fds[0] == fds[1] && is_stream(fds[0])) {
		r = sess_layer_new(conf, loop, fds[0], ADDR_FD, out);
		return r == RK_OK ? r : err_set(err, r, "out of memory");
	}
	if ((l = sess_layer_make(conf, loop, ADDR_FD)) == NULL) {
		sess_layer_close_fds(fds);
		return err_set(err, RK_ENOMEM, "out of memory");
	}
	memcpy(l->fds, fds, sizeof(l->fds));
	*out = &l->layer;
	return RK_OK;
}
