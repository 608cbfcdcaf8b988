/* Frames over a socket, plain or TLS, with nothing else in between. */
#ifndef RPCKIT_BENCH_RAW_H
#define RPCKIT_BENCH_RAW_H

#include "base/buf.h"

#include <netinet/in.h>
#include <sys/queue.h>

struct ssl_st;
struct raw_tls;

/* What one read takes at most, and what it may give: records begun before. */
#define RAW_READ_LEN 65536
#define RAW_ROOM_LEN (RAW_READ_LEN + 2 * 16384)

enum raw_form {
	RAW_TCP,
	RAW_TLS_FD, /* the library reads and writes the socket itself */
	RAW_TLS_BIO /* it reads and writes memory; many records a system call */
};

/* Where to, and as whom. */
struct raw_end {
	char url[128]; /* to be shown */
	enum raw_form form;
	struct sockaddr_in addr;
	struct raw_tls *tls; /* NULL: plain TCP */
	uint8_t *scratch;    /* TLS: what is received to, RAW_READ_LEN bytes */
};

struct raw_conn {
	TAILQ_ENTRY(raw_conn) link; /* the owner's */
	const struct raw_end *end;
	int fd;
	struct ssl_st *ssl;
	bool shaken;           /* the handshake is done */
	bool more;             /* raw_recv() stopped for want of room */
	bool blocked;          /* output waits for the socket */
	unsigned want;         /* the owner's: what epoll watches for */
	struct buf in;         /* received */
	struct buf out;        /* to be sent */
	struct buf sealed;     /* the same, of RAW_TLS_BIO */
	const uint8_t *cipher; /* of this turn, not yet looked at */
	size_t cipher_len;
};

/* ---- raw_conn.c ---- */

/*
 * "tcp://127.0.0.1:0", "tls://..." or "tls+bio://...", and for TLS the folder
 * with ca.crt and the certificate and key called name.
 */
RK_MUST enum rk_err raw_end_init(struct raw_end *e, const char *url,
    const char *certs, const char *name, struct rk_error *err);
void raw_end_fini(struct raw_end *e);
/* Listen; url is the real address. */
RK_MUST enum rk_err raw_listen(
    const struct raw_end *e, int *fd, char url[64], struct rk_error *err);

/* Connect and shake hands, blocking; the socket stays blocking. */
RK_MUST enum rk_err raw_dial(
    const struct raw_end *e, struct raw_conn **out, struct rk_error *err);
/* Take over a socket that was accepted.  RK_ENOMEM. */
RK_MUST enum rk_err raw_take(
    const struct raw_end *e, int fd, struct raw_conn **out);
/* With a goodbye, as far as it goes.  NULL is allowed. */
void raw_free(struct raw_conn *c);

/*
 * Receive to `in` what there is, or no more than makes it hold `enough` bytes
 * (unless that is 0).  When `more` is set, there may be more without the
 * socket becoming readable.  RK_ECLOSED, RK_EIO, RK_ETLS, RK_EPROTO.
 */
RK_MUST enum rk_err raw_recv(struct raw_conn *c, size_t enough);
/* Send `out`.  RK_OK also when some of it waits: `blocked` is set then. */
RK_MUST enum rk_err raw_flush(struct raw_conn *c);

/* A frame: its length, big-endian, and the payload. */
#define RAW_HEAD_LEN 4
RK_MUST enum rk_err raw_put_frame(
    struct raw_conn *c, const uint8_t *payload, size_t len);
/* The first whole frame's payload in `in`; false: there is none. */
bool raw_peek_frame(
    const struct raw_conn *c, const uint8_t **payload, size_t *len);
void raw_drop_frame(struct raw_conn *c);

/* ---- raw_tls.c ---- */

RK_MUST enum rk_err raw_tls_new(enum raw_form form, bool server,
    const char *certs, const char *name, struct raw_tls **out,
    struct rk_error *err);
void raw_tls_free(struct raw_tls *t);
/* Offer the newest session once more, from now on. */
void raw_tls_resume(struct raw_tls *t);

RK_MUST enum rk_err raw_tls_attach(struct raw_conn *c);
void raw_tls_detach(struct raw_conn *c);
/* RK_OK; RK_EAGAIN: more must be received or sent; RK_ETLS, RK_ECLOSED. */
RK_MUST enum rk_err raw_tls_shake(struct raw_conn *c);
RK_MUST enum rk_err raw_tls_read(struct raw_conn *c, size_t enough);
/* Seal all of `out`, to the socket or to `sealed`.  RK_EAGAIN. */
RK_MUST enum rk_err raw_tls_write(struct raw_conn *c);
bool raw_tls_resumed(const struct raw_conn *c);
/* Say why the last call here failed; RK_ETLS. */
enum rk_err raw_tls_explain(const char *what, struct rk_error *err);

#endif
