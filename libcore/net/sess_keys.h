/* A session's keys and packets: sealed, opened once, keys changed on the way.
 */
#ifndef RPCKIT_NET_SESS_KEYS_H
#define RPCKIT_NET_SESS_KEYS_H

#include "net/noise.h"
#include "net/psk_aead.h"

/*
 * rpckit-session(7), "PACKETS": bytes in, bytes out.  On a byte pipe packets
 * come in order and carry no counter, which goes on from one epoch to the next,
 * so that none can be left out where keys change; as datagrams each carries its
 * own, and is taken once, whatever the order.  One thread at a time.
 *
 * Keys come in epochs.  The initiator asks for a new one and the responder
 * answers, in packets like others; until both have it the old one serves, so
 * that nothing waits.  The last epoch but one is forgotten.
 */
#define SESS_WINDOW 1024 /* how far behind the newest a datagram may come */
#define SESS_HEAD_PIPE 2
#define SESS_HEAD_DATAGRAM 10
/* Of one direction, as datagrams of one epoch: nobody gets there. */
#define SESS_PACKETS_MAX ((uint64_t)1 << 48)

struct sess_epoch {
	uint32_t number;
	bool there;
	struct noise_cipher send;
	struct noise_cipher recv;
	uint64_t newest; /* counter received, plus one; 0: none */
	uint64_t seen[SESS_WINDOW / 64];
};

struct sess_keys {
	bool initiator;
	bool datagrams;
	bool asked;           /* for the epoch after the newest */
	uint32_t newest;      /* epoch */
	uint32_t sending;     /* the one that is sealed with */
	uint64_t packets_max; /* SESS_PACKETS_MAX; less in tests */
	uint64_t sent;        /* packets, of a byte pipe */
	uint64_t received;
	uint64_t sealed; /* bytes, since the newest epoch began */
	uint64_t opened;
	uint8_t chain[32];
	uint8_t hash[NOISE_HASH_LEN];
	uint8_t secret[NOISE_SECRET_LEN]; /* the asking initiator's */
	uint8_t asked_pub[NOISE_PUBLIC_LEN];
	uint8_t answer_pub[NOISE_PUBLIC_LEN];
	struct sess_epoch epochs[2]; /* by the lowest bit of their number */
	struct psk_aead aead;
};

/* What travels about a new epoch, both ways: its number, a public key. */
#define SESS_REKEY_LEN (4 + NOISE_PUBLIC_LEN)

/*
 * Epoch 0, from a handshake that has come to its end; n is used up.  Zeros are
 * a valid argument of sess_keys_fini().  RK_ENOMEM, RK_ESTATE.
 */
RK_MUST enum rk_err sess_keys_init(
    struct sess_keys *k, struct noise *n, bool datagrams);
void sess_keys_fini(struct sess_keys *k);

/* How many bytes a packet has before its text; behind it is a tag. */
size_t sess_keys_head(const struct sess_keys *k);
/* packet has room for its head, for `len` bytes, and for a tag; text may be
 * where these bytes will be.  RK_ELIMIT: this epoch's counters are used up. */
RK_MUST enum rk_err sess_keys_seal(
    struct sess_keys *k, uint8_t *packet, const uint8_t *text, size_t len);
/*
 * In place: *text is within packet.  RK_EDAMAGED: not sealed by the peer for
 * here and now; RK_EEXIST: a datagram that was there before, or may have been;
 * RK_ELIMIT.  After an error nothing has changed but the packet's bytes.
 */
RK_MUST enum rk_err sess_keys_open(struct sess_keys *k, uint8_t *packet,
    size_t len, uint8_t **text, size_t *text_len);

/* The initiator asks: the same again until it is answered. */
void sess_keys_ask(struct sess_keys *k, uint8_t out[SESS_REKEY_LEN]);
/*
 * The responder answers, the same again if it is asked again; it seals with the
 * old keys until it has opened a packet of the new ones.  RK_EAGAIN: a question
 * that is past, to be ignored; RK_EPROTO: one that cannot be.
 */
RK_MUST enum rk_err sess_keys_answer(struct sess_keys *k,
    const uint8_t in[SESS_REKEY_LEN], uint8_t out[SESS_REKEY_LEN]);
/* The initiator has the answer and seals with the new keys.  As above. */
RK_MUST enum rk_err sess_keys_take(
    struct sess_keys *k, const uint8_t in[SESS_REKEY_LEN]);

#endif
