/* TLS's way to the layer below: a BIO of two byte queues, one recv per call. */
#include "net/loop.h"
#include "net/tls_int.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#define OUT_HARD_MAX (TLS_OUT_SOFT_MAX + 64 * 1024)

static void
note_head(struct tls_io *io)
{
	size_t n = TLS_HEAD_LEN - io->head_len;

	if (n > io->in_len)
		n = io->in_len;
	memcpy(io->head + io->head_len, io->in_at, n);
	io->head_len += n;
}

/* Ask the layer below, once a call. */
static void
fetch(struct tls_io *io)
{
	uint8_t *raw = loop_scratch(io->loop, LOOP_SCRATCH_RAW);
	enum rk_err r;

	if (io->asked || io->broken != RK_OK)
		return;
	io->asked = true;
	r = io->below->ops->recv(io->below, raw, LOOP_SCRATCH_LEN, &io->in_len);
	if (r != RK_OK) {
		io->in_len = 0;
		if (r != RK_EAGAIN)
			io->broken = r;
		return;
	}
	buf_consume(&io->left, SIZE_MAX);
	io->in_at = raw;
	if (io->head_len < TLS_HEAD_LEN)
		note_head(io);
}

static int
bio_read(BIO *bio, char *dst, size_t cap, size_t *n)
{
	struct tls_io *io = BIO_get_data(bio);

	*n = 0;
	BIO_clear_retry_flags(bio);
	if (io->in_len == 0)
		fetch(io);
	if (io->in_len == 0) {
		io->dry = true;
		if (io->broken == RK_OK)
			BIO_set_retry_read(bio);
		return 0;
	}
	*n = cap < io->in_len ? cap : io->in_len;
	memcpy(dst, io->in_at, *n);
	io->in_at += *n;
	io->in_len -= *n;
	return 1;
}

/* How much left at once: a failure is met again, when the rest is sent. */
static size_t
send_now(struct tls_io *io, const char *src, size_t len)
{
	size_t n = 0;

	if (io->alone && buf_len(&io->out) == 0)
		(void)io->below->ops->send(
		    io->below, (const uint8_t *)src, len, &n);
	return n;
}

/* Full only when a peer reads nothing but makes the library talk. */
static int
bio_write(BIO *bio, const char *src, size_t len, size_t *n)
{
	struct tls_io *io = BIO_get_data(bio);
	size_t sent = send_now(io, src, len);
	enum rk_err r = RK_OK;

	*n = 0;
	BIO_clear_retry_flags(bio);
	if (sent < len) {
		loop_buf_take(io->loop, len - sent, &io->out);
		r = buf_put(&io->out, src + sent, len - sent);
	}
	if (r == RK_OK || sent > 0) {
		*n = r == RK_OK ? len : sent;
		io->wrote = true;
		return 1;
	}
	if (r == RK_ETOOBIG)
		BIO_set_retry_write(bio);
	else
		ERR_raise(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE);
	return 0;
}

/* An end below is told apart by tls.c, so BIO_CTRL_EOF is never true. */
static long
bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

struct bio_method_st *
tls_io_method_new(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "rpckit layer");

	if (m == NULL)
		return NULL;
	if (BIO_meth_set_read_ex(m, bio_read) != 1 ||
	    BIO_meth_set_write_ex(m, bio_write) != 1 ||
	    BIO_meth_set_ctrl(m, bio_ctrl) != 1) {
		BIO_meth_free(m);
		return NULL;
	}
	return m;
}

enum rk_err
tls_io_init(
    struct tls_io *io, const struct bio_method_st *method, struct ssl_st *ssl)
{
	BIO *bio = BIO_new(method);

	if (bio == NULL)
		return RK_ENOMEM;
	buf_init(&io->left, LOOP_SCRATCH_LEN);
	buf_init(&io->out, OUT_HARD_MAX);
	BIO_set_data(bio, io);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	return RK_OK;
}

void
tls_io_fini(struct tls_io *io)
{
	buf_fini(&io->left);
	buf_fini(&io->out);
}

void
tls_io_begin(struct tls_io *io)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error(); /* somebody else's, on this thread */
	io->asked = false;
	io->dry = false;
	io->wrote = false;
	io->alone = false;
}

enum rk_err
tls_io_end(struct tls_io *io)
{
	size_t used = buf_len(&io->left);
	enum rk_err r = RK_OK;

	if (io->in_len == 0) {
		loop_buf_give(io->loop, &io->left);
		return RK_OK;
	}
	if (used > 0) {
		buf_consume(&io->left, used - io->in_len);
	} else {
		loop_buf_take(io->loop, io->in_len, &io->left);
		r = buf_put(&io->left, io->in_at, io->in_len);
	}
	io->in_at = buf_peek(&io->left);
	if (r != RK_OK)
		io->in_len = 0;
	return r;
}

enum rk_err
tls_io_push(struct tls_io *io)
{
	enum rk_err r = RK_OK;
	size_t n;

	while (r == RK_OK && buf_len(&io->out) > 0) {
		r = io->below->ops->send(
		    io->below, buf_peek(&io->out), buf_len(&io->out), &n);
		buf_consume(&io->out, n);
	}
	if (buf_len(&io->out) == 0)
		loop_buf_give(io->loop, &io->out);
	return r;
}
