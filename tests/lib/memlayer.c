/* A layer for tests: bytes through a socket pair, with faults on demand. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "memlayer.h"

#define AHEAD_LEN 65536

struct mem_layer {
	struct layer layer;
	struct mem *m;
	int fd;
	bool done; /* the handshake */
	bool full; /* the socket took less than was there */
	bool eof;  /* behind `ahead` */
	struct buf ahead;
	struct buf held;
};

static struct mem_layer *
of(struct layer *l)
{
	return (struct mem_layer *)(void *)l;
}

static bool
fails(const struct mem_fail *f, unsigned calls)
{
	return f->at != 0 && calls >= f->at;
}

static bool
is_again(unsigned every, unsigned calls)
{
	return every != 0 && calls % every == 0;
}

static size_t
limit(size_t len, size_t max)
{
	return max != 0 && len > max ? max : len;
}

static enum rk_err
of_errno(void)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return RK_EAGAIN;
	return RK_EIO;
}

static enum rk_err
op_handshake(struct layer *l, struct rk_error *err)
{
	struct mem_layer *t = of(l);
	struct mem *m = t->m;

	m->handshakes++;
	if (fails(&m->handshake_fail, m->handshakes)) {
		if (m->fail_text != NULL)
			return err_set(
			    err, m->handshake_fail.err, "%s", m->fail_text);
		return m->handshake_fail.err;
	}
	if (m->handshakes <= m->handshake_again)
		return RK_EAGAIN;
	t->done = true;
	return RK_OK;
}

static enum rk_err
take(struct mem_layer *t, uint8_t *dst, size_t cap, size_t *n)
{
	ssize_t got = recv(t->fd, dst, cap, 0);

	if (got < 0)
		return of_errno();
	if (got == 0)
		return RK_ECLOSED;
	*n = (size_t)got;
	return RK_OK;
}

static enum rk_err
look_ahead(struct mem_layer *t)
{
	enum rk_err r;
	uint8_t *p;
	size_t n = 0;

	if (t->eof)
		return RK_ECLOSED;
	if ((r = buf_reserve(&t->ahead, AHEAD_LEN, &p)) != RK_OK)
		return r;
	if ((r = take(t, p, AHEAD_LEN, &n)) == RK_OK)
		buf_commit(&t->ahead, n);
	t->eof = r == RK_ECLOSED;
	return r;
}

static enum rk_err
op_recv(struct layer *l, uint8_t *dst, size_t cap, size_t *n)
{
	struct mem_layer *t = of(l);
	struct mem *m = t->m;
	enum rk_err r = RK_OK;

	*n = 0;
	m->recvs++;
	cap = limit(cap, m->recv_max);
	if (fails(&m->recv_fail, m->recvs))
		return m->recv_fail.err;
	if (buf_len(&t->ahead) == 0 && is_again(m->recv_again, m->recvs))
		return RK_EAGAIN;
	if (buf_len(&t->ahead) == 0 && m->read_ahead)
		r = look_ahead(t);
	if (r != RK_OK)
		return r;
	if (buf_len(&t->ahead) > 0) {
		*n = limit(buf_len(&t->ahead), cap);
		memcpy(dst, buf_peek(&t->ahead), *n);
		buf_consume(&t->ahead, *n);
	} else {
		r = take(t, dst, cap, n);
	}
	m->bytes_in += *n;
	return r;
}

static enum rk_err
put(struct mem_layer *t, const uint8_t *src, size_t len, size_t *n)
{
	ssize_t got = send(t->fd, src, len, MSG_NOSIGNAL);

	*n = 0;
	t->full = got < 0 || (size_t)got < len;
	if (got < 0)
		return of_errno();
	*n = (size_t)got;
	t->m->bytes_out += *n;
	return RK_OK;
}

static enum rk_err
push_held(struct mem_layer *t)
{
	enum rk_err r = RK_OK;
	size_t n;

	while (r == RK_OK && buf_len(&t->held) > 0) {
		r = put(t, buf_peek(&t->held), buf_len(&t->held), &n);
		if (r == RK_OK)
			buf_consume(&t->held, n);
	}
	return r;
}

static enum rk_err
hold(struct mem_layer *t, const uint8_t *src, size_t len, size_t *n)
{
	size_t room;
	enum rk_err r;

	if (buf_len(&t->held) >= t->m->send_hold && (r = push_held(t)) != RK_OK)
		return r;
	room = t->m->send_hold - buf_len(&t->held);
	*n = limit(len, room);
	return buf_put(&t->held, src, *n);
}

static enum rk_err
op_send(struct layer *l, const uint8_t *src, size_t len, size_t *n)
{
	struct mem_layer *t = of(l);
	struct mem *m = t->m;

	*n = 0;
	m->sends++;
	len = limit(len, m->send_max);
	if (fails(&m->send_fail, m->sends))
		return m->send_fail.err;
	if (is_again(m->send_again, m->sends)) {
		t->full = true;
		return RK_EAGAIN;
	}
	if (m->send_hold > 0)
		return hold(t, src, len, n);
	return put(t, src, len, n);
}

static enum rk_err
op_flush(struct layer *l)
{
	struct mem_layer *t = of(l);

	t->m->flushes++;
	if (fails(&t->m->flush_fail, t->m->flushes))
		return t->m->flush_fail.err;
	return push_held(t);
}

static unsigned
op_want(const struct layer *l)
{
	const struct mem_layer *t = (const struct mem_layer *)(const void *)l;

	if (!t->done)
		return t->m->handshake_want != 0 ? t->m->handshake_want
		                                 : RK_WRITE;
	return t->full || buf_len(&t->held) > 0 ? RK_READ | RK_WRITE : RK_READ;
}

static bool
op_pending(const struct layer *l)
{
	const struct mem_layer *t = (const struct mem_layer *)(const void *)l;

	return buf_len(&t->ahead) > 0 || t->eof;
}

static bool
op_query(struct layer *l, enum layer_query what, void *out)
{
	struct mem_layer *t = of(l);

	if (what == LAYER_Q_FD) {
		*(int *)out = t->fd;
		return true;
	}
	if (what == LAYER_Q_NAME) {
		*(const char **)out = l->ops->name;
		return true;
	}
	if (what == LAYER_Q_ORDERLY) {
		*(bool *)out = !t->m->torn;
		return true;
	}
	if (what == LAYER_Q_HELD) {
		*(uint64_t *)out = buf_len(&t->held);
		return true;
	}
	if (what == LAYER_Q_PEER_CERT && t->m->cert.ptr != NULL) {
		*(struct rk_bytes *)out = t->m->cert;
		return true;
	}
	return false;
}

static enum rk_err
op_half_close(struct layer *l)
{
	struct mem_layer *t = of(l);

	t->m->half_closes++;
	(void)shutdown(t->fd, SHUT_WR); /* as far as it goes */
	return RK_OK;
}

static void
op_close(struct layer *l, const struct rk_error *why)
{
	struct mem_layer *t = of(l);

	/* A socket has one way to end. */
	t->m->told = why == NULL ? RK_OK : why->code;
	t->m->closes++;
	(void)shutdown(t->fd, SHUT_WR); /* as far as it goes */
}

static void
op_free(struct layer *l)
{
	struct mem_layer *t = of(l);

	t->m->frees++;
	(void)close(t->fd); /* nothing can be lost */
	buf_fini(&t->ahead);
	buf_fini(&t->held);
	free(t);
}

static const struct layer_ops ops = {
	.name = "mem",
	.handshake = op_handshake,
	.recv = op_recv,
	.send = op_send,
	.flush = op_flush,
	.want = op_want,
	.pending = op_pending,
	.query = op_query,
	.half_close = op_half_close,
	.close = op_close,
	.free = op_free,
};

static struct layer *
make(struct mem *m, int fd)
{
	struct mem_layer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		abort();
	t->layer.ops = &ops;
	t->m = m;
	t->fd = fd;
	buf_init(&t->ahead, SIZE_MAX / 2);
	buf_init(&t->held, SIZE_MAX / 2);
	return &t->layer;
}

static void
make_sockets(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
	        fds) != 0)
		abort();
}

void
mem_layer(struct mem *m, struct layer **out, int *peer)
{
	int fds[2];

	make_sockets(fds);
	*out = make(m, fds[0]);
	*peer = fds[1];
}

void
mem_pair(struct mem *a, struct layer **la, struct mem *b, struct layer **lb)
{
	int fds[2];

	make_sockets(fds);
	*la = make(a, fds[0]);
	*lb = make(b, fds[1]);
}
