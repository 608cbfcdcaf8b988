/* TLS 1.3 for the raw limits, in two forms: on the socket, and on memory. */
#include "raw.h"

#include "base/error.h"
#include "base/str.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

struct raw_tls {
	SSL_CTX *ctx;
	BIO_METHOD *method;
	enum raw_form form;
	bool server;
	bool resume;
	SSL_SESSION *session; /* the newest */
};

enum rk_err
raw_tls_explain(const char *what, struct rk_error *err)
{
	unsigned long e = ERR_get_error();
	const char *reason = ERR_reason_error_string(e);

	ERR_clear_error();
	if (ERR_SYSTEM_ERROR(e))
		return err_sys(err, RK_ETLS, ERR_GET_REASON(e), "%s", what);
	return err_set(err, RK_ETLS, "%s: %s", what,
	    reason == NULL ? "the TLS library tells no reason" : reason);
}

/* ---- memory instead of a socket ---- */

static int
bio_read(BIO *bio, char *dst, size_t cap, size_t *n)
{
	struct raw_conn *c = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*n = cap < c->cipher_len ? cap : c->cipher_len;
	if (*n == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(dst, c->cipher, *n);
	c->cipher += *n;
	c->cipher_len -= *n;
	return 1;
}

static int
bio_write(BIO *bio, const char *src, size_t len, size_t *n)
{
	struct raw_conn *c = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*n = buf_put(&c->sealed, src, len) == RK_OK ? len : 0;
	return *n == len;
}

static long
bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO_METHOD *
new_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "raw");

	if (m == NULL || BIO_meth_set_read_ex(m, bio_read) != 1 ||
	    BIO_meth_set_write_ex(m, bio_write) != 1 ||
	    BIO_meth_set_ctrl(m, bio_ctrl) != 1) {
		BIO_meth_free(m);
		return NULL;
	}
	return m;
}

/* ---- the context ---- */

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct raw_tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(t->session);
	t->session = session;
	return 1;
}

static bool
pin(SSL_CTX *c)
{
	char groups[] = "X25519";
	char signatures[] = "ed25519";

	return SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(c, "TLS_CHACHA20_POLY1305_SHA256") ==
	           1 &&
	       SSL_CTX_set1_groups_list(c, groups) == 1 &&
	       SSL_CTX_set1_sigalgs_list(c, signatures) == 1;
}

static bool
load_files(SSL_CTX *c, const char *certs, const char *name)
{
	char ca[4096], cert[4096], key[4096];

	if (snprintf(ca, sizeof(ca), "%s/ca.crt", certs) >= (int)sizeof(ca) ||
	    snprintf(cert, sizeof(cert), "%s/%s.crt", certs, name) >=
	        (int)sizeof(cert) ||
	    snprintf(key, sizeof(key), "%s/%s.key", certs, name) >=
	        (int)sizeof(key))
		return false;
	return SSL_CTX_load_verify_locations(c, ca, NULL) == 1 &&
	       SSL_CTX_use_certificate_file(c, cert, SSL_FILETYPE_PEM) == 1 &&
	       SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) == 1;
}

static bool
set_up(struct raw_tls *t)
{
	const unsigned char id[] = "limit";
	SSL_CTX *c = t->ctx;

	SSL_CTX_set_app_data(c, t);
	SSL_CTX_set_verify(
	    c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	(void)SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE |
	                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* One form is as fast as can be, one holds as little. */
	if (t->form == RAW_TLS_BIO) {
		(void)SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
	} else {
		SSL_CTX_set_read_ahead(c, 1);
		SSL_CTX_set_default_read_buffer_len(c, RAW_READ_LEN);
	}
	if (t->server) {
		(void)SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
		return SSL_CTX_set_num_tickets(c, 1) == 1 &&
		       SSL_CTX_set_session_id_context(c, id, sizeof(id)) == 1;
	}
	(void)SSL_CTX_set_session_cache_mode(
	    c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c, on_session);
	return true;
}

enum rk_err
raw_tls_new(enum raw_form form, bool server, const char *certs,
    const char *name, struct raw_tls **out, struct rk_error *err)
{
	struct raw_tls *t = calloc(1, sizeof(*t));
	char shown[128];

	*out = NULL;
	if (t == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	t->form = form;
	t->server = server;
	t->ctx = SSL_CTX_new(TLS_method());
	t->method = new_method();
	if (t->ctx != NULL && t->method != NULL && pin(t->ctx) && set_up(t) &&
	    load_files(t->ctx, certs, name)) {
		*out = t;
		return RK_OK;
	}
	(void)raw_tls_explain(
	    str_escape(shown, sizeof(shown), certs), err); /* returns RK_ETLS */
	raw_tls_free(t);
	return RK_ETLS;
}

void
raw_tls_free(struct raw_tls *t)
{
	if (t == NULL)
		return;
	SSL_SESSION_free(t->session);
	SSL_CTX_free(t->ctx);
	BIO_meth_free(t->method);
	free(t);
}

void
raw_tls_resume(struct raw_tls *t)
{
	t->resume = true;
}

/* ---- one connection ---- */

static bool
set_bio(struct raw_conn *c)
{
	BIO *bio;

	if (c->end->form == RAW_TLS_FD)
		return SSL_set_fd(c->ssl, c->fd) == 1;
	bio = BIO_new(c->end->tls->method);
	if (bio == NULL)
		return false;
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	SSL_set_bio(c->ssl, bio, bio);
	return true;
}

enum rk_err
raw_tls_attach(struct raw_conn *c)
{
	const struct raw_tls *t = c->end->tls;

	c->ssl = SSL_new(t->ctx);
	if (c->ssl == NULL || !set_bio(c))
		return RK_ENOMEM;
	if (t->server) {
		SSL_set_accept_state(c->ssl);
		return RK_OK;
	}
	SSL_set_connect_state(c->ssl);
	if (t->resume && t->session != NULL &&
	    SSL_set_session(c->ssl, t->session) != 1)
		return RK_ENOMEM;
	return RK_OK;
}

/* Without the last step the library would forget the session. */
void
raw_tls_detach(struct raw_conn *c)
{
	if (c->shaken) {
		(void)SSL_shutdown(c->ssl); /* the peer may be gone */
		SSL_set_shutdown(
		    c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	}
	ERR_clear_error();
	SSL_free(c->ssl);
}

static enum rk_err
judge(const struct raw_conn *c, int n)
{
	switch (SSL_get_error(c->ssl, n)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return RK_EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		return RK_ECLOSED;
	default:
		return RK_ETLS;
	}
}

enum rk_err
raw_tls_shake(struct raw_conn *c)
{
	int n = SSL_do_handshake(c->ssl);

	if (n != 1)
		return judge(c, n);
	c->shaken = true;
	return RK_OK;
}

/* Reading on when there is enough would block a blocking socket. */
enum rk_err
raw_tls_read(struct raw_conn *c, size_t enough)
{
	uint8_t *dst;
	size_t room = RAW_ROOM_LEN;
	size_t n;
	enum rk_err r = RK_OK;

	c->more = false;
	if ((r = buf_reserve(&c->in, room, &dst)) != RK_OK)
		return r;
	while (room > 0 && (enough == 0 || buf_len(&c->in) < enough)) {
		if (SSL_read_ex(c->ssl, dst, room, &n) != 1) {
			r = judge(c, 0);
			return r == RK_EAGAIN ? RK_OK : r;
		}
		buf_commit(&c->in, n);
		dst += n;
		room -= n;
	}
	c->more = room == 0;
	return RK_OK;
}

enum rk_err
raw_tls_write(struct raw_conn *c)
{
	size_t n;

	while (buf_len(&c->out) > 0) {
		if (SSL_write_ex(
		        c->ssl, buf_peek(&c->out), buf_len(&c->out), &n) != 1)
			return judge(c, 0);
		buf_consume(&c->out, n);
	}
	return RK_OK;
}

bool
raw_tls_resumed(const struct raw_conn *c)
{
	return SSL_session_reused(c->ssl) == 1;
}
