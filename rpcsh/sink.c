/* Where the output of a stream goes: as much as it takes, without waiting. */
#include "sink.h"

#include "base/str.h"
#include "show.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

void
sink_open(struct sink *k, int fd, bool escape)
{
	struct stat st = { 0 };
	char path[40];

	*k = (struct sink){ .fd = fd, .own = -1, .escape = escape };
	buf_init(&k->waiting, SINK_MAX);
	if (fstat(fd, &st) != 0)
		return; /* the first write will say why */
	k->socket = S_ISSOCK(st.st_mode);
	k->slow = S_ISFIFO(st.st_mode) || isatty(fd) == 1;
	if (!S_ISFIFO(st.st_mode))
		return;
	/* Where that cannot be, small pieces do not wait either. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	k->own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

void
sink_close(struct sink *k)
{
	if (k->own >= 0)
		(void)close(k->own); /* its last write said how it went */
	k->own = -1;
	buf_fini(&k->waiting);
}

int
sink_fd(const struct sink *k)
{
	return k->own >= 0 ? k->own : k->fd;
}

bool
sink_waits(const struct sink *k)
{
	return buf_len(&k->waiting) > 0;
}

void
sink_drop(struct sink *k)
{
	buf_fini(&k->waiting);
}

/* What is writable takes so much at once. */
static bool
takes_little(const struct sink *k)
{
	struct pollfd p = { .fd = k->fd, .events = POLLOUT };

	return poll(&p, 1, 0) == 1;
}

/* -1 with EAGAIN: nothing now. */
static ssize_t
write_some(const struct sink *k, const void *data, size_t len)
{
	if (k->socket)
		return send(k->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (k->own >= 0 || !k->slow)
		return write(sink_fd(k), data, len);
	if (!takes_little(k)) {
		errno = EAGAIN;
		return -1;
	}
	return write(k->fd, data, len < PIPE_BUF ? len : PIPE_BUF);
}

/* *done bytes were taken.  A signal ends it: somebody waits to hear of it. */
static enum rk_err
write_on(const struct sink *k, const uint8_t *p, size_t len, size_t *done)
{
	ssize_t n;

	for (*done = 0; *done < len; *done += (size_t)n) {
		n = write_some(k, p + *done, len - *done);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return RK_EAGAIN;
		if (n < 0)
			return RK_EIO;
	}
	return RK_OK;
}

enum rk_err
sink_flush(struct sink *k)
{
	size_t done;
	enum rk_err r =
	    write_on(k, buf_peek(&k->waiting), buf_len(&k->waiting), &done);

	buf_consume(&k->waiting, done);
	return r;
}

/* Bytes at the end that may be the beginning of a UTF-8 character. */
static size_t
begun(const uint8_t *s, size_t len)
{
	for (size_t n = 1; n <= 3 && n <= len; n++) {
		uint8_t c = s[len - n];

		if ((c & 0xc0) == 0x80)
			continue;
		return n < (c >= 0xf0      ? 4u
		               : c >= 0xe0 ? 3u
		               : c >= 0xc0 ? 2u
		                           : 1u)
		           ? n
		           : 0;
	}
	return 0;
}

/* A character may come in two pieces. */
static enum rk_err
put_escaped(struct sink *k, const uint8_t *data, size_t len)
{
	struct buf whole;
	size_t tail;
	enum rk_err r;

	buf_init(&whole, SINK_MAX);
	if ((r = buf_put(&whole, k->cut, k->n_cut)) != RK_OK ||
	    (r = buf_put(&whole, data, len)) != RK_OK)
		goto out;
	tail = begun(buf_peek(&whole), buf_len(&whole));
	r = show_put_text(&k->waiting, (const char *)buf_peek(&whole),
	    buf_len(&whole) - tail);
	if (tail > 0)
		memcpy(k->cut, buf_peek(&whole) + buf_len(&whole) - tail, tail);
	k->n_cut = tail;
out:
	buf_fini(&whole);
	return r;
}

enum rk_err
sink_put(struct sink *k, const void *data, size_t len)
{
	size_t done = 0;
	enum rk_err r;

	if (k->escape) {
		if (len > 0 && (r = put_escaped(k, data, len)) != RK_OK)
			return r;
		return sink_flush(k);
	}
	if (sink_waits(k) && (r = sink_flush(k)) != RK_OK && r != RK_EAGAIN)
		return r;
	if (!sink_waits(k)) {
		r = write_on(k, data, len, &done);
		if (r != RK_EAGAIN)
			return r;
	}
	r = buf_put(&k->waiting, (const uint8_t *)data + done, len - done);
	return r == RK_OK ? RK_EAGAIN : r;
}

enum rk_err
sink_end(struct sink *k)
{
	enum rk_err r = show_put_text(&k->waiting, k->cut, k->n_cut);

	k->n_cut = 0;
	return r == RK_OK ? sink_flush(k) : r;
}
