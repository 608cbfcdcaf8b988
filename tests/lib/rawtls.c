/* The other end of a TLS layer in tests: OpenSSL itself, set as one likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rawtls.h"

#define ROUNDS_MAX 100000

static void
on_info(const SSL *ssl, int where, int value)
{
	struct raw *p = SSL_get_app_data(ssl);

	if ((where & SSL_CB_ALERT) != 0 && (where & SSL_CB_READ) != 0)
		p->alert = value & 255;
}

static int
on_verify(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(store, X509_V_OK);
	return 1;
}

static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct raw *p = SSL_get_app_data(ssl);

	SSL_SESSION_free(p->session);
	p->session = session;
	return 1;
}

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	const char *want = arg;
	unsigned char *found;

	(void)ssl;
	if (SSL_select_next_proto(&found, out_len, (const unsigned char *)want,
	        (unsigned)strlen(want), in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_NOACK;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

/* The list macros of the library take no const. */
static void
set_lists(SSL_CTX *c, const struct raw_conf *conf)
{
	char text[256];

	if (conf->suites != NULL)
		assert_int_equal(SSL_CTX_set_ciphersuites(c, conf->suites), 1);
	if (conf->groups != NULL) {
		assert_true(strlen(conf->groups) < sizeof(text));
		memcpy(text, conf->groups, strlen(conf->groups) + 1);
		assert_int_equal(SSL_CTX_set1_groups_list(c, text), 1);
	}
	if (conf->sigalgs != NULL) {
		assert_true(strlen(conf->sigalgs) < sizeof(text));
		memcpy(text, conf->sigalgs, strlen(conf->sigalgs) + 1);
		assert_int_equal(SSL_CTX_set1_sigalgs_list(c, text), 1);
		assert_int_equal(SSL_CTX_set1_client_sigalgs_list(c, text), 1);
	}
}

static void
set_cert(SSL_CTX *c, const struct raw_conf *conf)
{
	if (conf->cert == NULL)
		return;
	assert_int_equal(SSL_CTX_use_certificate(c, conf->cert->x509), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(c, conf->cert->pkey), 1);
	for (unsigned i = 0; i < conf->n_more; i++)
		assert_int_equal(
		    SSL_CTX_add1_chain_cert(c, conf->more->x509), 1);
}

static void
set_alpn(SSL_CTX *c, const struct raw_conf *conf)
{
	if (conf->alpn == NULL)
		return;
	if (conf->server) {
		char *copy = strdup(conf->alpn);

		assert_non_null(copy);
		SSL_CTX_set_app_data(c, copy);
		SSL_CTX_set_alpn_select_cb(c, on_alpn, copy);
		return;
	}
	assert_int_equal(
	    SSL_CTX_set_alpn_protos(c, (const unsigned char *)conf->alpn,
	        (unsigned)strlen(conf->alpn)),
	    0);
}

void
raw_init(struct raw *p, const struct raw_conf *conf, int fd)
{
	SSL_CTX *c = SSL_CTX_new(TLS_method());

	*p = (struct raw){ .ctx = c, .fd = fd, .alert = -1 };
	assert_non_null(c);
	SSL_CTX_set_security_level(c, 0);
	assert_int_equal(
	    SSL_CTX_set_max_proto_version(c, conf->max_version), 1);
	(void)SSL_CTX_set_mode(c, SSL_MODE_NO_AUTO_CHAIN);
	(void)SSL_CTX_set_session_cache_mode(
	    c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c, on_session);
	SSL_CTX_set_info_callback(c, on_info);
	SSL_CTX_set_verify(
	    c, conf->asks ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_cert_verify_callback(c, on_verify, NULL);
	assert_int_equal(
	    SSL_CTX_set_session_id_context(c, (const unsigned char *)"raw", 3),
	    1);
	if (conf->hello != NULL)
		SSL_CTX_set_client_hello_cb(c, conf->hello, conf->hello_arg);
	set_lists(c, conf);
	set_cert(c, conf);
	set_alpn(c, conf);
	p->ssl = SSL_new(c);
	assert_non_null(p->ssl);
	SSL_set_app_data(p->ssl, p);
	assert_int_equal(SSL_set_fd(p->ssl, fd), 1);
	if (conf->session != NULL)
		assert_int_equal(SSL_set_session(p->ssl, conf->session), 1);
	if (conf->server)
		SSL_set_accept_state(p->ssl);
	else
		SSL_set_connect_state(p->ssl);
}

void
raw_fini(struct raw *p)
{
	SSL_free(p->ssl);
	SSL_SESSION_free(p->session);
	free(SSL_CTX_get_app_data(p->ctx));
	SSL_CTX_free(p->ctx);
	assert_int_equal(close(p->fd), 0);
}

void
raw_step(struct raw *p)
{
	char byte;
	int n;
	int why;

	if (p->failed)
		return;
	n = p->done ? SSL_peek(p->ssl, &byte, 1) : SSL_do_handshake(p->ssl);
	why = SSL_get_error(p->ssl, n);
	ERR_clear_error();
	if (n == 1)
		p->done = true;
	else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
		p->failed = true;
}

static bool
is_quiet(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

/* Everything is on this machine: when nothing is on its way to either end,
 * nothing will come any more. */
enum rk_err
raw_shake(struct raw *p, struct layer *l, struct rk_error *err)
{
	enum rk_err r = RK_EAGAIN;
	bool quiet = false;
	int fd;

	assert_true(layer_query(l, LAYER_Q_FD, &fd));
	for (int i = 0; i < ROUNDS_MAX && !quiet; i++) {
		bool before = p->done;

		if (r == RK_EAGAIN)
			r = l->ops->handshake(l, err);
		if (r == RK_OK)
			(void)l->ops->flush(l);
		raw_step(p);
		quiet = p->done == before && (p->failed || is_quiet(p->fd)) &&
		        (r != RK_EAGAIN || is_quiet(fd)) &&
		        (l->ops->want(l) & RK_WRITE) == 0;
	}
	return r;
}

void
raw_connect(struct raw *p, struct layer *l)
{
	struct rk_error err = { 0 };

	if (raw_shake(p, l, &err) != RK_OK)
		fail_msg("handshake: %s", err.text);
	if (!p->done || p->failed)
		fail_msg("the raw end failed, alert %d", p->alert);
}

void
raw_send(struct raw *p, const void *src, size_t len)
{
	assert_int_equal(SSL_write(p->ssl, src, (int)len), (int)len);
}

int
raw_recv(struct raw *p, void *dst, size_t cap)
{
	int n = SSL_read(p->ssl, dst, (int)cap);

	if (n <= 0)
		n = SSL_get_error(p->ssl, n) == SSL_ERROR_ZERO_RETURN ? 0 : -1;
	ERR_clear_error();
	return n;
}

void
raw_expect(struct raw *p, struct layer *l, const char *text)
{
	char got[256] = "";
	int n;

	assert_int_equal(l->ops->flush(l), RK_OK);
	n = raw_recv(p, got, sizeof(got) - 1);
	assert_int_equal(n, (int)strlen(text));
	assert_string_equal(got, text);
}

void
raw_deliver(struct layer *l, const char *text)
{
	char got[256] = "";
	size_t n;

	assert_int_equal(
	    l->ops->recv(l, (uint8_t *)got, sizeof(got) - 1, &n), RK_OK);
	assert_string_equal(got, text);
}

void
raw_say(struct layer *l, const char *text)
{
	size_t n;

	assert_int_equal(
	    l->ops->send(l, (const uint8_t *)text, strlen(text), &n), RK_OK);
	assert_int_equal(n, strlen(text));
}

void
meeting_init(struct meeting *m, struct tls_ctx *ctx, struct rk_loop *loop,
    const struct raw_conf *conf)
{
	struct layer *below;
	int fd;

	m->mem = (struct mem){ 0 };
	mem_layer(&m->mem, &below, &fd);
	raw_init(&m->p, conf, fd);
	assert_int_equal(tls_layer_new(ctx, loop, below, &m->l), RK_OK);
}

void
meeting_fini(struct meeting *m)
{
	layer_free(m->l);
	raw_fini(&m->p);
	assert_int_equal(m->mem.frees, 1);
}
