/* The handshake of a session (rpckit-session(7)): bytes in, bytes out. */
#ifndef RPCKIT_NET_SESS_HS_H
#define RPCKIT_NET_SESS_HS_H

#include "net/noise.h"
#include "trust/psks.h"

#include <rpckit/signer.h>

/*
 * Two messages of the Noise framework, NN or with a pre-shared key NNpsk0,
 * initiator first; then, in a packet sealed with the keys of that, the
 * initiator's proof.  A proof is a public key and its signature of everything
 * so far.  The second message is shorter than the first, so that nobody has the
 * responder send more than was sent to it.
 */
#define SESS_MAGIC "rksess\1"
#define SESS_MAGIC_LEN 7
#define SESS_HELLO 'h'
#define SESS_ANSWER 'a'
#define SESS_PAD_LEN 160
#define SESS_HELLO_LEN \
	(SESS_MAGIC_LEN + 2 + PSK_ID_BYTES + NOISE_PUBLIC_LEN + SESS_PAD_LEN)
#define SESS_HELLO_MAX (SESS_HELLO_LEN + NOISE_TAG_LEN) /* with a key */
#define SESS_PROOF_LEN (RK_KEY_PUBLIC_LEN + RK_KEY_SIG_LEN)
#define SESS_ANSWER_LEN \
	(SESS_MAGIC_LEN + 1 + NOISE_PUBLIC_LEN + SESS_PROOF_LEN + NOISE_TAG_LEN)

struct sess_hs_conf {
	bool initiator;
	bool datagrams;
	const struct rk_key *key;   /* borrowed */
	const struct rk_psks *psks; /* borrowed; NULL: none */
	/* A test's own NOISE_SECRET_LEN bytes instead of random ones, borrowed.
	 */
	const uint8_t *ephemeral;
};

struct sess_hs {
	struct sess_hs_conf conf;
	struct noise noise;
	const struct psk *psk;           /* the one in use; NULL: none */
	uint8_t peer[RK_KEY_PUBLIC_LEN]; /* proven */
	bool unsigned_by_us;             /* what failed was our own signature */
};

/* Nothing is computed before the first message. */
void sess_hs_init(struct sess_hs *hs, const struct sess_hs_conf *conf);
/* Wipes; zeros are allowed, and again. */
void sess_hs_fini(struct sess_hs *hs);

/* The initiator begins: *len bytes, at most SESS_HELLO_MAX. */
RK_MUST enum rk_err sess_hs_hello(struct sess_hs *hs,
    uint8_t out[SESS_HELLO_MAX], size_t *len, struct rk_error *err);
/*
 * The responder reads that and answers.  RK_EPROTO: no such message; RK_EPSK:
 * no key, another, or one that is not proven: not a byte is to be sent then.
 * It may be tried again with another message after any error, but for one of
 * rk_key_sign_for(), which sets unsigned_by_us.
 */
RK_MUST enum rk_err sess_hs_answer(struct sess_hs *hs, const uint8_t *in,
    size_t len, uint8_t out[SESS_ANSWER_LEN], struct rk_error *err);
/*
 * The initiator reads that; hs->peer is whom it has to judge.  RK_EPROTO: no
 * such message; RK_EPSK; RK_EDENIED: the responder has not proven its key.  It
 * may be tried again with another message after any error.
 */
RK_MUST enum rk_err sess_hs_take(
    struct sess_hs *hs, const uint8_t *in, size_t len, struct rk_error *err);
/* The initiator's proof, for as long as the keys are not split off.  The errors
 * of rk_key_sign_for(). */
RK_MUST enum rk_err sess_hs_prove(const struct sess_hs *hs,
    const uint8_t hash[NOISE_HASH_LEN], uint8_t out[SESS_PROOF_LEN],
    struct rk_error *err);
/* The responder reads it; hs->peer is whom it has to judge.  RK_EDENIED. */
RK_MUST enum rk_err sess_hs_check(struct sess_hs *hs,
    const uint8_t hash[NOISE_HASH_LEN], const uint8_t in[SESS_PROOF_LEN],
    struct rk_error *err);

#endif
