/* The pipe below a session: descriptors, or a function of the user's. */
#include "net/sess_int.h"

#include "base/be.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/major.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define ROUNDS 4 /* reads in a turn, so that others get theirs */
#define DATAGRAM_ROUNDS 64
#define BATCH 64 /* datagrams of one call */

static bool
is_function(const struct rk_session *s)
{
	return s->pipe.send != NULL;
}

/* The two directions may be one descriptor. */
static bool
is_one(const struct rk_session *s)
{
	return s->pipe.in == s->pipe.out;
}

/* ---- reading ---- */

/* How much may be read now. */
static size_t
room(const struct rk_session *s)
{
	const size_t most = s->proven ? SESS_READ_LEN : SESS_READ_EARLY;
	const size_t has = buf_len(&s->in);

	if (s->datagrams && has + SESS_LEN_LEN + SESS_READ_LEN > SESS_IN_MAX)
		return 0;
	if (has >= SESS_IN_MAX || !sess_may_take(s))
		return 0;
	return SESS_IN_MAX - has < most ? SESS_IN_MAX - has : most;
}

static void
fail(struct rk_session *s, int errnum, const char *what)
{
	sess_end(s, err_sys(&s->error, RK_EIO, errnum, "%s", what));
}

/* false: there is no more for now. */
static bool
read_some(struct rk_session *s)
{
	const size_t most = room(s);
	uint8_t *p;
	ssize_t n;

	if (most == 0 || s->ended || sess_is_over(s))
		return false;
	if (buf_reserve(&s->in, most, &p) != RK_OK) {
		sess_end(s, RK_ENOMEM);
		return false;
	}
	do
		n = s->socket[0] ? recv(s->pipe.in, p, most, MSG_DONTWAIT)
		                 : read(s->pipe.in, p, most);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		buf_commit(&s->in, (size_t)n);
		return (size_t)n == most;
	}
	if (n == 0 || errno == ECONNRESET)
		s->ended = true;
	else if (errno != EAGAIN)
		fail(s, errno, "reading from the pipe");
	return false;
}

/* One datagram, with its length in front; what is too long is cut, and is of no
 * use then.  false: there is none. */
static bool
read_datagram(struct rk_session *s)
{
	size_t most = room(s);
	uint8_t *p;
	ssize_t n;

	if (most == 0 || s->ended || sess_is_over(s))
		return false;
	if (buf_reserve(&s->in, SESS_LEN_LEN + most, &p) != RK_OK) {
		sess_end(s, RK_ENOMEM);
		return false;
	}
	n = recv(s->pipe.in, p + SESS_LEN_LEN, most, MSG_DONTWAIT);
	if (n < 0)
		return errno != EAGAIN; /* what became of those sent before */
	if (n == 0) {
		s->ended = s->sequential;
		return !s->ended;
	}
	(void)be_put(p, (uint64_t)n, SESS_LEN_LEN);
	buf_commit(&s->in, SESS_LEN_LEN + (size_t)n);
	return true;
}

/* ---- writing ---- */

#define AT_ONCE (MSG_NOSIGNAL | MSG_DONTWAIT)

static ssize_t
write_fd(const struct rk_session *s, const void *data, size_t len)
{
	const int fd = s->pipe.out;
	ssize_t n;

	do
		n = s->socket[1] ? send(fd, data, len, AT_ONCE)
		                 : write(fd, data, len);
	while (n < 0 && errno == EINTR);
	return n;
}

/* What it is that writing has failed; RK_OK: what was written is lost on the
 * way, as any datagram may be. */
static enum rk_err
write_error(struct rk_session *s, int errnum)
{
	if (errnum == EAGAIN)
		return RK_EAGAIN;
	if (s->datagrams && (!s->sequential || errnum == EMSGSIZE))
		return RK_OK;
	if (errnum == EPIPE || errnum == ECONNRESET)
		return RK_ECLOSED;
	return err_sys(&s->error, RK_EIO, errnum, "writing to the pipe");
}

/* *taken: bytes of s->out, as in what follows. */
static enum rk_err
write_bytes(struct rk_session *s, size_t *taken)
{
	const ssize_t n = write_fd(s, buf_peek(&s->out), buf_len(&s->out));

	*taken = n < 0 ? 0 : (size_t)n;
	return n < 0 ? write_error(s, errno) : RK_OK;
}

/*
 * The first of some is too long, or that was said of one before it, by a host
 * on the way, which is no reason to lose this one.  true: it is written.
 */
static bool
write_again(struct rk_session *s, const struct iovec *one)
{
	if (write_fd(s, one->iov_base, one->iov_len) >= 0)
		return true;
	if (errno == EMSGSIZE)
		sess_datagram_refused(s, one->iov_len);
	return false;
}

/* Many with one call. */
static enum rk_err
write_datagrams(struct rk_session *s, size_t *taken)
{
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	uint8_t *p = s->out.data + s->out.head;
	size_t left = buf_len(&s->out);
	unsigned n = 0;
	int done;

	memset(msgs, 0, sizeof(msgs));
	for (; left > 0 && n < BATCH; n++) {
		const size_t len = (size_t)be_get(p, SESS_LEN_LEN);

		iov[n] = (struct iovec){ p + SESS_LEN_LEN, len };
		msgs[n].msg_hdr.msg_iov = &iov[n];
		msgs[n].msg_hdr.msg_iovlen = 1;
		p += SESS_LEN_LEN + len;
		left -= SESS_LEN_LEN + len;
	}
	do
		done = sendmmsg(s->pipe.out, msgs, n, AT_ONCE);
	while (done < 0 && errno == EINTR);
	*taken = 0;
	if (done < 0 && (errno != EMSGSIZE || !write_again(s, &iov[0]))) {
		enum rk_err r = write_error(s, errno);

		if (r != RK_OK)
			return r;
	}
	if (done < 0)
		done = 1;
	for (int i = 0; i < done; i++)
		*taken += SESS_LEN_LEN + iov[i].iov_len;
	return RK_OK;
}

/* What the function reads stays where it is, also where it ends the session,
 * which says so to the peer. */
static enum rk_err
call_send(struct rk_session *s, const uint8_t *p, size_t len, size_t *taken)
{
	struct buf out = s->out;
	enum rk_err r;

	buf_init(&s->out, out.max);
	r = s->pipe.send(p, len, taken, s->pipe.arg);
	if (buf_put(&out, buf_peek(&s->out), buf_len(&s->out)) != RK_OK)
		s->broken = true; /* it goes without a goodbye */
	buf_fini(&s->out);
	s->out = out;
	return r;
}

static enum rk_err
call_function(struct rk_session *s, size_t *taken)
{
	const uint8_t *p = buf_peek(&s->out);
	const size_t len =
	    s->datagrams ? (size_t)be_get(p, SESS_LEN_LEN) : buf_len(&s->out);
	enum rk_err r;

	if (!s->datagrams) {
		r = call_send(s, p, len, taken);
		if (*taken > len)
			*taken = len;
		return r;
	}
	r = call_send(s, p + SESS_LEN_LEN, len, taken);
	*taken = SESS_LEN_LEN + len;
	if (r != RK_ETOOBIG)
		return r;
	sess_datagram_refused(s, len);
	return RK_OK; /* lost */
}

void
sess_pipe_flush(struct rk_session *s)
{
	while (!s->dead && !s->blocked && !s->broken && buf_len(&s->out) > 0) {
		size_t taken = 0;
		enum rk_err r = is_function(s) ? call_function(s, &taken)
		                : s->datagrams ? write_datagrams(s, &taken)
		                               : write_bytes(s, &taken);

		if (r == RK_OK) {
			buf_consume(&s->out, taken);
			s->gone += taken;
		} else if (r == RK_EAGAIN) {
			s->blocked = true;
		} else if (r == RK_ECLOSED) {
			s->broken = true; /* what came before may say why */
		} else {
			sess_end(s, r);
		}
		if (r != RK_OK)
			return;
	}
}

/* ---- watching ---- */

static void
read_all(struct rk_session *s)
{
	const unsigned rounds = s->datagrams ? DATAGRAM_ROUNDS : ROUNDS;

	for (unsigned i = 0; i < rounds; i++)
		if (!(s->datagrams ? read_datagram(s) : read_some(s)))
			return;
}

static void
on_ready(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct rk_session *s = arg;

	(void)fd;
	if ((ready & RK_WRITE) != 0)
		s->blocked = false;
	if ((ready & RK_READ) != 0 && w == s->watch[0])
		read_all(s);
	sess_work_later(s);
}

static void
set_watch(struct rk_session *s, struct rk_watch *w, unsigned want)
{
	if (w != NULL && rk_watch_set(w, want) != RK_OK)
		sess_end(s, RK_EIO);
}

void
sess_pipe_watch(struct rk_session *s)
{
	const bool over = sess_is_over(s);
	unsigned in = over || s->ended || room(s) == 0 ? 0 : RK_READ;
	const unsigned out = !over && s->blocked ? RK_WRITE : 0;

	if (is_function(s))
		return;
	if (is_one(s))
		in |= out;
	else
		set_watch(s, s->watch[1], out);
	set_watch(s, s->watch[0], in);
}

/* ---- descriptors ---- */

/*
 * Can the same be opened once more, by /proc?  Not the master of a terminal,
 * which would be that of another one, nor a pipe with a name, of which a reader
 * would not see that its writer has gone before.
 */
static bool
can_open_again(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	if (S_ISFIFO(st.st_mode))
		return fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
	return isatty(fd) && major(st.st_rdev) != TTYAUX_MAJOR;
}

static int
open_again(int fd, int flags)
{
	char path[32];

	if (!can_open_again(fd))
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(
	    path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/*
 * Nothing waits in it.  Whether that is so belongs to the open file, which
 * others may have, too, as a shell its terminal: sockets are told each time,
 * of the rest we have a file of our own, or give it back as it was.
 */
static enum rk_err
make_ours(struct rk_session *s, size_t i, int *fd, struct rk_error *err)
{
	const int flags = fcntl(*fd, F_GETFL);
	int own;

	if (flags < 0)
		return err_sys(err, RK_EIO, errno, "descriptor %d", *fd);
	if (s->socket[i] || (flags & O_NONBLOCK) != 0)
		return RK_OK;
	if ((own = open_again(*fd, flags)) >= 0) {
		s->own[i] = true;
		*fd = own;
		return RK_OK;
	}
	if (fcntl(*fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return err_sys(err, RK_EIO, errno, "descriptor %d", *fd);
	s->lent[i] = true;
	return RK_OK;
}

static void
give_back(struct rk_session *s, size_t i, int fd)
{
	const int flags = s->lent[i] ? fcntl(fd, F_GETFL) : -1;

	if (s->own[i])
		(void)close(fd); /* what was written is in the pipe */
	else if (flags >= 0)
		(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	s->own[i] = s->lent[i] = false;
}

/* The network says when a datagram is too long, rather than split it: the
 * longest is found by probing.  Other families do not split. */
static void
keep_whole(int fd)
{
	const int v4 = IP_PMTUDISC_PROBE;
	const int v6 = IPV6_PMTUDISC_PROBE;

	if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof(v4)) != 0)
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof(v6));
}

static enum rk_err
check_fd(struct rk_session *s, size_t i, int fd, struct rk_error *err)
{
	int type = SOCK_STREAM;
	socklen_t len = sizeof(type);

	s->socket[i] = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0;
	if (!s->socket[i] && errno != ENOTSOCK)
		return err_sys(err, RK_EIO, errno, "descriptor %d", fd);
	if ((type != SOCK_STREAM && type != SOCK_DGRAM &&
	        type != SOCK_SEQPACKET) ||
	    (i > 0 && s->datagrams != (type != SOCK_STREAM)))
		return err_set(err, RK_EUNSUPPORTED,
		    "descriptor %d is no pipe of this kind", fd);
	s->datagrams = type != SOCK_STREAM;
	s->sequential = type == SOCK_SEQPACKET;
	if (type == SOCK_DGRAM)
		keep_whole(fd);
	return RK_OK;
}

enum rk_err
sess_pipe_open(struct rk_session *s, struct rk_error *err)
{
	int *const fds[2] = { &s->pipe.in, &s->pipe.out };
	const bool one = is_one(s);
	enum rk_err r;

	s->datagrams = s->pipe.datagrams;
	if (is_function(s))
		return s->pipe.in == -1 && s->pipe.out == -1
		           ? RK_OK
		           : err_set(err, RK_EINVAL,
		                 "a pipe of descriptors and of a function");
	for (size_t i = 0; i < (one ? 1 : 2); i++) {
		const int fd = *fds[i];

		if ((r = check_fd(s, i, fd, err)) != RK_OK ||
		    (r = make_ours(s, i, fds[i], err)) != RK_OK)
			return r;
		r = rk_watch_new(s->loop, *fds[i], i == 0 ? RK_READ : 0,
		    on_ready, s, &s->watch[i]);
		if (r != RK_OK)
			return err_set(
			    err, r, "descriptor %d cannot be watched", fd);
	}
	if (one) {
		s->pipe.out = s->pipe.in;
		s->socket[1] = s->socket[0];
	}
	return RK_OK;
}

void
sess_pipe_close(struct rk_session *s)
{
	for (size_t i = 0; i < 2; i++) {
		rk_watch_free(s->watch[i]);
		s->watch[i] = NULL;
	}
	give_back(s, 0, s->pipe.in);
	give_back(s, 1, s->pipe.out);
}
