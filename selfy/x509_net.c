/* The certificates that a TLS 1.3 server shows, fetched without belief. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "x509_priv.h"

#define NAME_LEN 160
#define CHAIN_MAX 16

struct fetch {
	char shown[NAME_LEN]; /* "host:port" */
	uint64_t deadline;    /* monotonic milliseconds */
	int fd;
};

static enum rk_err
wait_for(const struct fetch *f, short events, struct rk_error *err)
{
	struct pollfd p = { .fd = f->fd, .events = events };
	uint64_t now;
	int n;

	do {
		now = mono_ms();
		if (now >= f->deadline)
			return err_set(
			    err, RK_ETIMEOUT, "%s: no answer", f->shown);
		n = poll(&p, 1, (int)(f->deadline - now));
	} while (n == 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_sys(err, RK_EIO, errno, "%s", f->shown);
	return RK_OK;
}

static enum rk_err
connect_one(struct fetch *f, const struct addrinfo *ai, struct rk_error *err)
{
	int why = 0;
	socklen_t len = sizeof(why);
	enum rk_err r;

	f->fd = socket(ai->ai_family,
	    ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
	if (f->fd < 0)
		return err_sys(err, RK_ECONNECT, errno, "%s", f->shown);
	if (connect(f->fd, ai->ai_addr, ai->ai_addrlen) != 0) {
		if (errno != EINPROGRESS) {
			r = err_sys(err, RK_ECONNECT, errno, "%s", f->shown);
			goto out;
		}
		if ((r = wait_for(f, POLLOUT, err)) != RK_OK)
			goto out;
		if (getsockopt(f->fd, SOL_SOCKET, SO_ERROR, &why, &len) != 0)
			why = errno;
		if (why != 0) {
			r = err_sys(err, RK_ECONNECT, why, "%s", f->shown);
			goto out;
		}
	}
	return RK_OK;
out:
	(void)close(f->fd); /* nothing was sent */
	f->fd = -1;
	return r;
}

static enum rk_err
connect_any(
    struct fetch *f, const char *host, const char *port, struct rk_error *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int n = getaddrinfo(host, port, &hints, &list);
	enum rk_err r = RK_ERESOLVE;

	if (n != 0)
		return err_set(
		    err, RK_ERESOLVE, "%s: %s", f->shown, gai_strerror(n));
	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
		r = connect_one(f, ai, err);
		if (r == RK_OK || r == RK_ETIMEOUT)
			break;
	}
	freeaddrinfo(list);
	return r;
}

static enum rk_err
tls_fail(const struct fetch *f, struct rk_error *err)
{
	unsigned long code = ERR_peek_last_error();
	const char *why = ERR_reason_error_string(code);

	if (code == 0)
		why = "the other side closed the connection";
	else if (why == NULL)
		why = rk_err_text(RK_ETLS);
	(void)err_set(err, RK_ETLS, "%s: TLS 1.3: %s", f->shown, why);
	ERR_clear_error();
	return RK_ETLS;
}

static enum rk_err
shake(const struct fetch *f, SSL *ssl, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	while (r == RK_OK) {
		int n;

		ERR_clear_error();
		n = SSL_connect(ssl);
		if (n == 1)
			return RK_OK;
		switch (SSL_get_error(ssl, n)) {
		case SSL_ERROR_WANT_READ:
			r = wait_for(f, POLLIN, err);
			break;
		case SSL_ERROR_WANT_WRITE:
			r = wait_for(f, POLLOUT, err);
			break;
		default:
			r = tls_fail(f, err);
			break;
		}
	}
	return r;
}

static enum rk_err
take_chain(const struct fetch *f, const SSL *ssl, struct pem_list *out,
    struct rk_error *err)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	int n = sk_X509_num(chain);
	enum rk_err r = RK_OK;

	if (n <= 0)
		return err_set(
		    err, RK_ETLS, "%s: shows no certificate", f->shown);
	for (int i = 0; i < n && i < CHAIN_MAX && r == RK_OK; i++) {
		uint8_t *der = NULL;
		int len = i2d_X509(sk_X509_value(chain, i), &der);

		r = len <= 0 ? RK_ENOMEM
		             : pem_list_add(out, PEM_CERT, der, (size_t)len);
		OPENSSL_free(der);
	}
	out->more = n > CHAIN_MAX;
	if (r != RK_OK)
		err_set(err, r, "%s: %s", f->shown, rk_err_text(r));
	return r;
}

/* Nothing is verified: it is only shown.  Peers are known by the one name. */
static SSL *
new_ssl(SSL_CTX *ctx, int fd)
{
	char name[] = "localhost"; /* not const: the macro casts it */
	SSL *ssl = NULL;

	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1)
		return NULL;
	ssl = SSL_new(ctx);
	if (ssl == NULL || SSL_set_tlsext_host_name(ssl, name) != 1 ||
	    SSL_set_fd(ssl, fd) != 1) {
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}

enum rk_err
tls_fetch(const char *host, const char *port, unsigned timeout_ms,
    struct pem_list *out, struct rk_error *err)
{
	struct fetch f = { .fd = -1, .deadline = mono_ms() + timeout_ms };
	char both[NAME_LEN];
	SSL_CTX *ctx = NULL;
	SSL *ssl = NULL;
	enum rk_err r;

	*out = (struct pem_list){ 0 };
	(void)snprintf(both, sizeof(both),
	    strchr(host, ':') != NULL ? "[%.120s]:%.30s" : "%.120s:%.30s", host,
	    port);
	str_escape(f.shown, sizeof(f.shown), both);
	if ((r = connect_any(&f, host, port, err)) != RK_OK)
		goto out;
	ctx = SSL_CTX_new(TLS_client_method());
	if (ctx != NULL)
		ssl = new_ssl(ctx, f.fd);
	if (ssl == NULL) {
		r = x509_fail(err, f.shown);
		goto out;
	}
	if ((r = shake(&f, ssl, err)) != RK_OK)
		goto out;
	r = take_chain(&f, ssl, out, err);
	(void)SSL_shutdown(ssl); /* a courtesy */
out:
	ERR_clear_error();
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	if (f.fd >= 0)
		(void)close(f.fd); /* all was read */
	if (r != RK_OK)
		pem_list_fini(out);
	return r;
}
