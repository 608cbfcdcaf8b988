/* The other end of a TLS layer in tests: OpenSSL itself, set as one likes. */
#ifndef TESTS_LIB_RAWTLS_H
#define TESTS_LIB_RAWTLS_H

#include "net/layer.h"
#include "net/tls.h"

#include <openssl/ssl.h>

#include "certs.h"
#include "memlayer.h"

/* {0} is a client that can do everything and has no certificate. */
struct raw_conf {
	bool server;
	const struct certs_cert *cert; /* shown, NULL: none */
	const struct certs_cert *more; /* sent after it `n_more` times */
	unsigned n_more;
	int max_version;    /* 0: TLS 1.3 */
	const char *suites; /* lists of the library; NULL: its defaults */
	const char *groups;
	const char *sigalgs;
	const char *alpn;     /* as on the wire: "\x08rpckit/1" */
	bool asks;            /* a server that wants a certificate */
	SSL_SESSION *session; /* to resume; stays the caller's */
	SSL_client_hello_cb_fn hello;
	void *hello_arg;
};

/* Verifies nothing; everything it may fail in ends the running test. */
struct raw {
	SSL_CTX *ctx;
	SSL *ssl;
	int fd;
	bool done; /* its handshake */
	bool failed;
	int alert;            /* received, fatal or close_notify; -1: none */
	SSL_SESSION *session; /* the newest it was given */
};

/* Over fd, which it owns. */
void raw_init(struct raw *p, const struct raw_conf *conf, int fd);
void raw_fini(struct raw *p);
/* One step of its handshake, or one look for what comes after. */
void raw_step(struct raw *p);
/* Both to their ends; the raw end then reads until it would block. */
enum rk_err raw_shake(struct raw *p, struct layer *l, struct rk_error *err);
/* Shake hands, which must succeed. */
void raw_connect(struct raw *p, struct layer *l);
void raw_send(struct raw *p, const void *src, size_t len);
/* What has come: bytes, 0 for an orderly end, -1 for nothing or a failure. */
int raw_recv(struct raw *p, void *dst, size_t cap);
/* Let the layer flush, and the raw end receive this very text. */
void raw_expect(struct raw *p, struct layer *l, const char *text);
/* The layer receives this very text. */
void raw_deliver(struct layer *l, const char *text);
/* The layer sends it, all in one call. */
void raw_say(struct layer *l, const char *text);

/* A layer of ctx and a raw end, over a socket pair. */
struct meeting {
	struct mem mem;
	struct layer *l;
	struct raw p;
};
void meeting_init(struct meeting *m, struct tls_ctx *ctx, struct rk_loop *loop,
    const struct raw_conf *conf);
void meeting_fini(struct meeting *m);

#endif
