/* The Noise protocol framework's NN and NNpsk0 handshakes, and their ciphers.
 */
#ifndef RPCKIT_NET_NOISE_H
#define RPCKIT_NET_NOISE_H

#include <rpckit/err.h>

/*
 * Noise_NN_25519_ChaChaPoly_SHA256 and Noise_NNpsk0_25519_ChaChaPoly_SHA256
 * (noiseprotocol.org, revision 34): bytes in, bytes out, no memory but what is
 * given.  Any thread, one at a time for one object.
 *
 *	initiator                       responder
 *	write_keys, write_payload  ->   read_keys, read_payload
 *	read_keys, read_payload    <-   write_keys, write_payload
 *	split                           split
 *
 * A message is both of its parts, one behind the other.  Between the two
 * noise_hash() binds what the payload says (a signature) to the keys that were
 * just exchanged.  What fails ends a handshake: its secrets are wiped, and
 * every later call is RK_ESTATE, as is one out of this order.
 */
#define NOISE_PSK_LEN 32
#define NOISE_PUBLIC_LEN 32
#define NOISE_SECRET_LEN 32
#define NOISE_HASH_LEN 32
#define NOISE_TAG_LEN 16
#define NOISE_MESSAGE_MAX 65535 /* of the framework, keys included */

/* Another implementation of the cipher, where one is faster.  seal() puts len +
 * NOISE_TAG_LEN bytes to out, open() len - NOISE_TAG_LEN; RK_EDAMAGED. */
struct noise_record {
	const uint8_t *key;   /* 32 bytes */
	const uint8_t *nonce; /* 12 bytes */
	const uint8_t *ad;
	size_t ad_len;
	const uint8_t *in;
	size_t len;
};
struct noise_aead {
	enum rk_err (*seal)(
	    void *arg, const struct noise_record *r, uint8_t *out);
	enum rk_err (*open)(
	    void *arg, const struct noise_record *r, uint8_t *out);
};

/*
 * One direction's key and counter.  The counter is the nonce and is never sent.
 * No counter is used twice with a key: the last one that a message may have is
 * NOISE_COUNTER_END - 1, and what comes then is RK_ELIMIT, for good.
 */
#define NOISE_COUNTER_END UINT64_MAX
struct noise_cipher {
	uint8_t key[32];
	uint64_t next; /* of the next message; one that opens messages out of
	                  order sets it before each, having seen to it that this
	                  one is new */
	const struct noise_aead *aead; /* NULL: base/crypt */
	void *aead_arg;
};

/* out has len + NOISE_TAG_LEN.  RK_ELIMIT: nothing was written;
 * what an aead gives else: out is of no use, and the counter is gone. */
RK_MUST enum rk_err noise_seal(struct noise_cipher *c, const void *ad,
    size_t ad_len, const void *msg, size_t len, uint8_t *out);
/* out has len - NOISE_TAG_LEN, and holds nothing of use but after RK_OK.
 * RK_EDAMAGED: not what was sealed with this counter, which stays as it was;
 * RK_ELIMIT. */
RK_MUST enum rk_err noise_open(struct noise_cipher *c, const void *ad,
    size_t ad_len, const void *sealed, size_t len, uint8_t *out);
/* Another key, from this one, which is forgotten; the counter goes on.  Both
 * ends do it between the same two messages. */
void noise_rekey(struct noise_cipher *c);
void noise_cipher_wipe(struct noise_cipher *c);

enum noise_step {
	NOISE_KEYS_1,
	NOISE_PAYLOAD_1,
	NOISE_KEYS_2,
	NOISE_PAYLOAD_2,
	NOISE_DONE,
	NOISE_BROKEN
};

/* Embedded in its owner. */
struct noise {
	enum noise_step step;
	bool initiator;
	bool has_psk;
	bool has_key; /* of the cipher */
	uint8_t chain[NOISE_HASH_LEN];
	uint8_t hash[NOISE_HASH_LEN];
	uint8_t secret[NOISE_SECRET_LEN];
	uint8_t pub[NOISE_PUBLIC_LEN]; /* ours; a responder's: the peer's */
	struct noise_cipher cipher;
};

struct noise_conf {
	bool initiator;
	const uint8_t *psk;   /* NOISE_PSK_LEN bytes; NULL: the pattern is NN */
	const void *prologue; /* what both ends must have seen the same */
	size_t prologue_len;
	/* A test's own NOISE_SECRET_LEN bytes instead of random ones. */
	const uint8_t *ephemeral;
};

/* Nothing of conf is kept. */
void noise_init(struct noise *n, const struct noise_conf *conf);
/* Wipes; may be called at any time, also twice. */
void noise_fini(struct noise *n);

RK_MUST enum rk_err noise_write_keys(
    struct noise *n, uint8_t out[NOISE_PUBLIC_LEN]);
/* RK_EPROTO: the other end's key is one that no honest peer has. */
RK_MUST enum rk_err noise_read_keys(
    struct noise *n, const uint8_t in[NOISE_PUBLIC_LEN]);
/* By how much a sealed payload is longer: nothing in NN's first message. */
size_t noise_payload_extra(const struct noise *n);
/* out has noise_payload_extra() more.  RK_ETOOBIG. */
RK_MUST enum rk_err noise_write_payload(
    struct noise *n, const void *msg, size_t len, uint8_t *out);
/* out has noise_payload_extra() less.  RK_EDAMAGED: another PSK, another
 * prologue, or not what was sent; RK_ETOOBIG. */
RK_MUST enum rk_err noise_read_payload(
    struct noise *n, const void *sealed, size_t len, uint8_t *out);
/* Of everything so far; the same at both ends. */
void noise_hash(const struct noise *n, uint8_t out[NOISE_HASH_LEN]);
/* After both messages, once: the ciphers of each direction; n is wiped but for
 * its hash. */
RK_MUST enum rk_err noise_split(
    struct noise *n, struct noise_cipher *send, struct noise_cipher *recv);

#endif
