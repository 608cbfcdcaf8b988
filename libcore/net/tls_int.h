/* The inside of TLS: for the files of this folder that begin with tls or
 * quic_tls. */
#ifndef RPCKIT_NET_TLS_INT_H
#define RPCKIT_NET_TLS_INT_H

#include "base/buf.h"
#include "net/tls.h"

struct ssl_ctx_st;
struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct bio_method_st;

/* What is pinned, by the names of the library. */
#define TLS_CIPHER "TLS_CHACHA20_POLY1305_SHA256"
#define TLS_GROUP "X25519"
#define TLS_SIGNATURE "ed25519"
#define TLS_SERVER_NAME "localhost"
#define TLS_SESSION_SECONDS (2 * 60 * 60)

/* ---- tls_ctx.c ---- */

/* A context that tls_pin() can fill.  NULL: the reason is in the queue. */
struct ssl_ctx_st *tls_new(const struct tls_conf *conf);
/* All that is pinned, the certificate to show and whether to ask for one; not
 * yet who judges, nor anything of tickets.  RK_EINVAL, RK_ENOMEM, RK_EFAIL. */
RK_MUST enum rk_err tls_pin(
    struct ssl_ctx_st *c, const struct tls_conf *conf, struct rk_error *err);

/*
 * A new SSL for one connection, ready to begin in its role; a client's takes
 * the kept session along, which nobody else gets then.  refused is where a
 * verify callback that says no leaves its reason; method makes the BIO.  Holds
 * the context until tls_ctx_free().  RK_ENOMEM.
 */
RK_MUST enum rk_err tls_ctx_take(
    struct tls_ctx *ctx, struct rk_error *refused, struct ssl_st **out);
/* Is the peer's certificate asked for, and judged? */
bool tls_ctx_asks_peer(const struct tls_ctx *ctx);
/* A server takes early data, a client may send them. */
bool tls_ctx_early(const struct tls_ctx *ctx);
const struct bio_method_st *tls_ctx_method(const struct tls_ctx *ctx);

/* ---- tls_ticket.c ---- */

/* How sessions are resumed; both ends have one. */
struct tls_tickets {
	struct seed *seed;     /* NULL: the library makes the keys */
	struct replay *replay; /* NULL: no early data are taken */
	tls_verify_fn *resume; /* NULL: nobody is asked */
	void *arg;
	int64_t (*now)(void *arg);
	void *now_arg;
};

void tls_tickets_init(struct tls_tickets *t, const struct tls_conf *conf);
void tls_tickets_fini(struct tls_tickets *t);
/* A server's part of its context, which has its certificate already. */
RK_MUST bool tls_tickets_serve(
    struct tls_tickets *t, struct ssl_ctx_st *c, enum rk_tls_mode mode);
/* May this session be resumed, as things stand now? */
RK_MUST bool tls_tickets_judge(
    const struct tls_tickets *t, const struct ssl_session_st *session);
struct tls_tickets *tls_ctx_tickets(struct tls_ctx *ctx); /* tls_ctx.c */

/* ---- tls_err.c ---- */

/*
 * Say in err why a call of the library failed, from its error queue, which is
 * empty afterwards.  Alerts about our certificate are RK_ECERT or RK_EREVOKED,
 * RK_ENOMEM is what it says, everything else is `code`.
 */
enum rk_err tls_explain(enum rk_err code, struct rk_error *err);

/* The same for an alert that the peer sent; and the name of any. */
enum rk_err tls_explain_alert(
    enum rk_err code, int alert, struct rk_error *err);
const char *tls_alert_name(int alert);

/* Texts that every library's errors are told with. */
#define TLS_OLD_PEER "the peer speaks TLS 1.2 or older"
#define TLS_NO_CIPHER "no cipher suite in common: the peer lacks " TLS_CIPHER
#define TLS_NO_GROUP "no key exchange in common: the peer lacks " TLS_GROUP
#define TLS_NO_SIGNATURE \
	"no signature scheme in common: the peer lacks " TLS_SIGNATURE
#define TLS_NO_CERT "the peer showed no certificate"
#define TLS_BAD_PROOF "the peer does not hold its certificate's key"
#define TLS_TOO_LARGE "the peer sent too large a message"

/* The bytes a connection began with, when they are no TLS: what they are. */
#define TLS_HEAD_LEN 4
const char *tls_explain_head(const uint8_t head[TLS_HEAD_LEN], size_t len);

/* ---- tls_io.c ---- */

/* send() takes nothing more beyond this; what is above is for the library's
 * own messages. */
#define TLS_OUT_SOFT_MAX (256u * 1024)

/*
 * Between the library and the layer below: a BIO.  Received bytes go from
 * in_at (the loop's scratch, or `left`) to the library; `left` holds memory
 * only between calls, and only when one ended with bytes not yet looked at.
 * What the library writes gathers in `out`.
 */
struct tls_io {
	struct layer *below;
	struct rk_loop *loop;
	bool asked; /* this call has used its one recv() below */
	bool dry;   /* the library wanted more than there was */
	bool wrote; /* the library wrote in this call */
	bool alone; /* what it writes is one record: it leaves at once */
	enum rk_err broken; /* how the layer below failed; RK_OK: not */
	const uint8_t *in_at;
	size_t in_len;
	struct buf left;
	struct buf out;
	uint8_t head[TLS_HEAD_LEN]; /* the first bytes received */
	size_t head_len;
};

struct bio_method_st *tls_io_method_new(void); /* NULL: no memory */
/* RK_ENOMEM.  io stays where it is and outlives ssl. */
RK_MUST enum rk_err tls_io_init(
    struct tls_io *io, const struct bio_method_st *method, struct ssl_st *ssl);
void tls_io_fini(struct tls_io *io);
/* Around every call that enters the library: begin, and keep what was not
 * looked at (the scratch is others' then).  RK_ENOMEM. */
void tls_io_begin(struct tls_io *io);
RK_MUST enum rk_err tls_io_end(struct tls_io *io);
/* Send what gathered, as far as it goes.  RK_OK: all of it left. */
enum rk_err tls_io_push(struct tls_io *io);

/* ---- tls.c ---- */

#define TLS_RECORD_LEN 16384
/* Records in a row without a byte for the caller before the peer is taken for
 * a flooder. */
#define TLS_IDLE_RECORDS_MAX 100

enum tls_state {
	TLS_HANDSHAKE,
	TLS_EARLY, /* a server's: who is there is known, not that it is now */
	TLS_OPEN,
	TLS_ENDED, /* the peer's end came: nothing more is received */
	TLS_BROKEN /* no goodbye either */
};

struct tls {
	struct layer layer;
	struct tls_ctx *ctx;
	struct ssl_st *ssl;
	bool server;
	enum tls_state state;
	enum rk_err fate; /* ENDED, BROKEN: what every call gives */
	bool fate_told;   /* by recv() or handshake() */
	struct tls_io io;
	struct rk_error error;   /* of the last failure; RK_OK: none */
	struct rk_error refused; /* by the verify function */
	uint8_t *cert;           /* the peer's, once asked for */
	size_t cert_len;
	bool begun; /* the first step of the handshake was made */
	/* A client's early bytes until the server has taken them; a server's
	 * until they are asked for. */
	struct buf early;
	bool early_over; /* a server's: the library has no more of them */
	bool early_used;
};

/* Into ENDED or BROKEN; returns fate. */
enum rk_err tls_end(struct tls *t, enum tls_state state, enum rk_err fate);
/* The same for what the library gave (SSL_get_error()) during the handshake,
 * and for records without a byte. */
enum rk_err tls_end_handshake(struct tls *t, int why);
void tls_end_flooded(struct tls *t, const char *what);
/* Seal up to a record; RK_EAGAIN: not now. */
enum rk_err tls_seal(struct tls *t, const uint8_t *src, size_t len, size_t *n);

/* ---- tls_query.c ---- */

bool tls_query(struct layer *l, enum layer_query what, void *out);

/* ---- tls_early.c ---- */

/* Client: what early() may take in all, and the taking. */
size_t tls_early_max(const struct tls *t);
enum rk_err tls_early_put(struct tls *t, const uint8_t *src, size_t len);
/* Client: the first flight with them; the handshake has ended: were they
 * taken?; and once more, as ordinary ones, where not. */
enum rk_err tls_early_send(struct tls *t);
void tls_early_settle(struct tls *t);
enum rk_err tls_early_resend(struct tls *t);
/* Server: a step of the handshake that may end in TLS_EARLY, or not (RK_OK:
 * the rest is a handshake like any other). */
enum rk_err tls_early_accept(struct tls *t);
/* Server, in TLS_EARLY: what comes, until the handshake ends. */
size_t tls_early_read(struct tls *t, uint8_t *dst, size_t cap);
/* Server, in any state: what tls_early_accept() has read. */
size_t tls_early_take(struct tls *t, uint8_t *dst, size_t cap);

#endif
