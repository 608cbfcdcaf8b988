/* The handshake of the PSK layer (rpckit-psk(7)): bytes in, bytes out. */
#ifndef RPCKIT_NET_PSK_HS_H
#define RPCKIT_NET_PSK_HS_H

#include "base/buf.h"
#include "net/noise.h"
#include "net/tls.h"
#include "trust/psks.h"

#include <rpckit/key.h>

/*
 * Four messages, client first.  Each end proves that it has the key, then, by
 * a signature over what was said so far, that it holds its certificate's key.
 * A server says nothing before the client has proven the former.
 */
#define PSK_HS_MAGIC "rkpsk\0\0\1"
#define PSK_HS_MAGIC_LEN 8
#define PSK_HS_OUTER_LEN 32  /* of TLS's exporter */
#define PSK_HS_CERT_MAX 8192 /* DER of one certificate */
/* The first message, which is all that comes before the key is proven. */
#define PSK_HS_FIRST_LEN \
	(PSK_HS_MAGIC_LEN + PSK_ID_BYTES + NOISE_PUBLIC_LEN + NOISE_TAG_LEN)
/* The longest of all, with its length in front. */
#define PSK_HS_LONGEST                                                 \
	(2 + NOISE_PUBLIC_LEN + 3 + PSK_HS_CERT_MAX + RK_KEY_SIG_LEN + \
	    NOISE_TAG_LEN)

/* Borrowed until psk_hs_fini(), but for outer and ephemeral. */
struct psk_hs_conf {
	bool server;
	bool asks; /* the peer must show a certificate; else none is judged */
	const struct rk_psks *keys; /* a client uses the first */
	/* What is shown; empty: nothing.  Never with a key that is not its. */
	struct rk_bytes cert;
	const struct rk_key *key;
	/* What TLS below exported, the same at both ends; NULL: no TLS. */
	const uint8_t *outer;
	/* The certificate that TLS below has proven, which must be the one that
	 * is shown; empty: it has proven none. */
	struct rk_bytes outer_cert;
	tls_verify_fn *verify; /* where one is asked for */
	void *arg;
	const uint8_t *ephemeral; /* a test's own secret; NULL: random */
};

enum psk_hs_step {
	PSK_HS_BEGIN, /* a client's: nothing was said */
	PSK_HS_WAIT_1,
	PSK_HS_WAIT_2,
	PSK_HS_WAIT_3,
	PSK_HS_WAIT_4,
	PSK_HS_DONE,
	PSK_HS_FAILED
};

/* Embedded in its owner. */
struct psk_hs {
	struct psk_hs_conf conf;
	enum psk_hs_step step;
	struct noise noise;
	const struct psk *used; /* one of conf.keys; NULL: not known yet */
	bool proven;            /* the peer has it, too */
	/* The peer's certificate, once it is proven and was asked for. */
	uint8_t *peer;
	size_t peer_len;
	/* DONE: for records. */
	struct noise_cipher send;
	struct noise_cipher recv;
	uint8_t outer[PSK_HS_OUTER_LEN];
	uint8_t ephemeral[NOISE_SECRET_LEN];
	uint8_t final[NOISE_HASH_LEN]; /* from the second message on */
};

/* No allocation. */
void psk_hs_init(struct psk_hs *hs, const struct psk_hs_conf *conf);
void psk_hs_fini(struct psk_hs *hs); /* wipes; zeros are allowed */
/*
 * Take the messages that are whole from `in` and put the answers to `out`.
 * RK_EAGAIN: more has to come; RK_OK: done, what is left in `in` are records.
 * Anything else is the end, and err tells; what is in `out` is to be sent all
 * the same, it tells the peer.  RK_EPSK: there is no such key at one of the
 * ends; RK_ECERT, RK_EREVOKED and others of verify, or the peer's verdict about
 * us; RK_EPROTO, RK_ENOMEM.
 */
RK_MUST enum rk_err psk_hs_step(
    struct psk_hs *hs, struct buf *in, struct buf *out, struct rk_error *err);
/* How many bytes `in` should hold at least for the next step to get anywhere;
 * never more than belong to the message. */
size_t psk_hs_need(const struct psk_hs *hs, const struct buf *in);
/* The peer went within the handshake: what does that mean?  Returns its code.
 */
enum rk_err psk_hs_explain_end(const struct psk_hs *hs, struct rk_error *err);

#endif
