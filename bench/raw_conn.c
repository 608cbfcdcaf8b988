/* Frames over a socket: connecting, receiving, sending, all at once. */
#include "raw.h"

#include "base/be.h"
#include "base/error.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_MAX ((size_t)1 << 30)
#define BACKLOG 1024

static const struct scheme {
	const char *head;
	enum raw_form form;
} schemes[] = {
	{ "tcp://", RAW_TCP },
	{ "tls://", RAW_TLS_FD },
	{ "tls+bio://", RAW_TLS_BIO },
};

#define N_SCHEMES (sizeof(schemes) / sizeof(schemes[0]))

/* ---- addresses ---- */

static bool
parse_address(const char *text, struct sockaddr_in *a)
{
	const char *colon = strrchr(text, ':');
	char host[INET_ADDRSTRLEN];
	uint64_t port;

	*a = (struct sockaddr_in){ .sin_family = AF_INET };
	if (colon == NULL || (size_t)(colon - text) >= sizeof(host))
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	if (inet_pton(AF_INET, host, &a->sin_addr) != 1 ||
	    str_parse_u64(colon + 1, 0, UINT16_MAX, &port) != RK_OK)
		return false;
	a->sin_port = htons((uint16_t)port);
	return true;
}

static bool
parse_url(const char *url, struct raw_end *e)
{
	size_t len;

	for (size_t i = 0; i < N_SCHEMES; i++) {
		len = strlen(schemes[i].head);
		if (strncmp(url, schemes[i].head, len) != 0)
			continue;
		e->form = schemes[i].form;
		return parse_address(url + len, &e->addr);
	}
	return false;
}

enum rk_err
raw_end_init(struct raw_end *e, const char *url, const char *certs,
    const char *name, struct rk_error *err)
{
	*e = (struct raw_end){ .form = RAW_TCP };
	(void)str_escape(e->url, sizeof(e->url), url); /* returns it */
	if (!parse_url(url, e))
		return err_set(err, RK_EINVAL,
		    "%s: not tcp://, tls:// or tls+bio:// with an IPv4 address "
		    "and a port",
		    e->url);
	if (e->form == RAW_TCP)
		return RK_OK;
	e->scratch = malloc(RAW_READ_LEN);
	if (e->scratch == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	if (certs == NULL)
		return err_set(
		    err, RK_EINVAL, "TLS needs a folder of certificates");
	return raw_tls_new(
	    e->form, strcmp(name, "client") != 0, certs, name, &e->tls, err);
}

void
raw_end_fini(struct raw_end *e)
{
	raw_tls_free(e->tls);
	free(e->scratch);
	*e = (struct raw_end){ .form = RAW_TCP };
}

enum rk_err
raw_listen(const struct raw_end *e, int *fd, char url[64], struct rk_error *err)
{
	struct sockaddr_in bound = { 0 };
	socklen_t len = sizeof(bound);
	const int on = 1;
	int f;

	*fd = -1;
	f = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (f < 0 ||
	    setsockopt(f, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(f, (const struct sockaddr *)&e->addr, sizeof(e->addr)) != 0 ||
	    listen(f, BACKLOG) != 0 ||
	    getsockname(f, (struct sockaddr *)&bound, &len) != 0) {
		(void)err_sys(err, RK_EIO, errno, "%s: cannot listen", e->url);
		if (f >= 0)
			(void)close(f); /* nobody knows it */
		return RK_EIO;
	}
	(void)snprintf(url, 64, "%s%s:%u", schemes[e->form].head,
	    inet_ntoa(bound.sin_addr), (unsigned)ntohs(bound.sin_port));
	*fd = f;
	return RK_OK;
}

/* ---- connections ---- */

enum rk_err
raw_take(const struct raw_end *e, int fd, struct raw_conn **out)
{
	struct raw_conn *c = calloc(1, sizeof(*c));
	const int on = 1;

	*out = NULL;
	if (c == NULL) {
		(void)close(fd); /* nothing was sent */
		return RK_ENOMEM;
	}
	c->end = e;
	c->fd = fd;
	c->shaken = e->tls == NULL;
	buf_init(&c->in, QUEUE_MAX);
	buf_init(&c->out, QUEUE_MAX);
	buf_init(&c->sealed, QUEUE_MAX);
	/* Slower without it, not wrong. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (e->tls != NULL && raw_tls_attach(c) != RK_OK) {
		raw_free(c);
		return RK_ENOMEM;
	}
	*out = c;
	return RK_OK;
}

void
raw_free(struct raw_conn *c)
{
	if (c == NULL)
		return;
	if (c->ssl != NULL)
		raw_tls_detach(c);
	if (buf_len(&c->sealed) > 0)
		(void)send(c->fd, buf_peek(&c->sealed), buf_len(&c->sealed),
		    MSG_NOSIGNAL); /* the goodbye */
	(void)close(c->fd);        /* what was queued stays queued */
	buf_fini(&c->in);
	buf_fini(&c->out);
	buf_fini(&c->sealed);
	free(c);
}

/* ---- sending ---- */

/* RK_EAGAIN: some is left. */
static enum rk_err
send_all(int fd, struct buf *b)
{
	ssize_t n;

	while (buf_len(b) > 0) {
		n = send(fd, buf_peek(b), buf_len(b), MSG_NOSIGNAL);
		if (n > 0)
			buf_consume(b, (size_t)n);
		else if (errno == EAGAIN)
			return RK_EAGAIN;
		else if (errno != EINTR)
			return errno == EPIPE || errno == ECONNRESET
			           ? RK_ECLOSED
			           : RK_EIO;
	}
	return RK_OK;
}

enum rk_err
raw_flush(struct raw_conn *c)
{
	enum rk_err r = RK_OK;

	if (c->ssl != NULL && c->shaken)
		r = raw_tls_write(c);
	if (r == RK_OK && c->ssl != NULL)
		r = send_all(c->fd, &c->sealed);
	else if (r == RK_OK)
		r = send_all(c->fd, &c->out);
	c->blocked = r == RK_EAGAIN;
	return c->blocked ? RK_OK : r;
}

/* ---- receiving ---- */

static enum rk_err
recv_once(int fd, uint8_t *dst, size_t cap, size_t *n)
{
	ssize_t got;

	*n = 0;
	do
		got = recv(fd, dst, cap, 0);
	while (got < 0 && errno == EINTR);
	if (got > 0) {
		*n = (size_t)got;
		return RK_OK;
	}
	if (got == 0 || errno == ECONNRESET)
		return RK_ECLOSED;
	return errno == EAGAIN ? RK_EAGAIN : RK_EIO;
}

static enum rk_err
recv_plain(struct raw_conn *c)
{
	uint8_t *dst;
	size_t n;
	enum rk_err r;

	if ((r = buf_reserve(&c->in, RAW_READ_LEN, &dst)) != RK_OK)
		return r;
	r = recv_once(c->fd, dst, RAW_READ_LEN, &n);
	buf_commit(&c->in, n);
	return r == RK_EAGAIN ? RK_OK : r;
}

static enum rk_err
recv_cipher(struct raw_conn *c)
{
	c->cipher = c->end->scratch;
	return recv_once(c->fd, c->end->scratch, RAW_READ_LEN, &c->cipher_len);
}

/* One step of the handshake; what it wrote leaves, whatever it was. */
static enum rk_err
step(struct raw_conn *c)
{
	enum rk_err r = raw_tls_shake(c);
	enum rk_err sent = raw_flush(c);

	return r == RK_OK ? sent : r;
}

enum rk_err
raw_recv(struct raw_conn *c, size_t enough)
{
	enum rk_err r = RK_OK;

	if (c->ssl == NULL)
		return recv_plain(c);
	if (c->end->form == RAW_TLS_BIO && !c->more)
		r = recv_cipher(c);
	if (r == RK_OK && !c->shaken)
		r = step(c);
	if (r != RK_OK)
		return r == RK_EAGAIN ? RK_OK : r;
	r = raw_tls_read(c, enough);
	/* The scratch is the next connection's. */
	return r == RK_OK && c->cipher_len > 0 ? RK_EPROTO : r;
}

/* ---- connecting ---- */

static enum rk_err
shake(struct raw_conn *c)
{
	enum rk_err r;

	while ((r = step(c)) == RK_EAGAIN) {
		if ((r = recv_cipher(c)) != RK_OK)
			break;
	}
	return r;
}

enum rk_err
raw_dial(const struct raw_end *e, struct raw_conn **out, struct rk_error *err)
{
	struct raw_conn *c = NULL;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	enum rk_err r;

	*out = NULL;
	if (fd < 0)
		return err_sys(
		    err, RK_ECONNECT, errno, "%s: no socket", e->url);
	if (connect(fd, (const struct sockaddr *)&e->addr, sizeof(e->addr)) !=
	    0) {
		(void)err_sys(
		    err, RK_ECONNECT, errno, "%s: cannot connect", e->url);
		(void)close(fd); /* never connected */
		return RK_ECONNECT;
	}
	if ((r = raw_take(e, fd, &c)) != RK_OK)
		return r;
	if (!c->shaken && (r = shake(c)) != RK_OK) {
		if (r == RK_ETLS)
			r = raw_tls_explain(e->url, err);
		raw_free(c);
		return r;
	}
	*out = c;
	return RK_OK;
}

/* ---- frames ---- */

enum rk_err
raw_put_frame(struct raw_conn *c, const uint8_t *payload, size_t len)
{
	uint8_t *p;
	enum rk_err r;

	if ((r = buf_reserve(&c->out, RAW_HEAD_LEN + len, &p)) != RK_OK)
		return r;
	memcpy(be_put32(p, (uint32_t)len), payload, len);
	buf_commit(&c->out, RAW_HEAD_LEN + len);
	return RK_OK;
}

bool
raw_peek_frame(const struct raw_conn *c, const uint8_t **payload, size_t *len)
{
	const uint8_t *p = buf_peek(&c->in);
	uint32_t n;

	*payload = NULL;
	*len = 0;
	if (p == NULL || buf_len(&c->in) < RAW_HEAD_LEN)
		return false;
	n = be_get32(p);
	if (buf_len(&c->in) - RAW_HEAD_LEN < n)
		return false;
	*payload = p + RAW_HEAD_LEN;
	*len = n;
	return true;
}

void
raw_drop_frame(struct raw_conn *c)
{
	const uint8_t *payload;
	size_t len;

	if (raw_peek_frame(c, &payload, &len))
		buf_consume(&c->in, RAW_HEAD_LEN + len);
}
