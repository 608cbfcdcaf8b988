/* A session's handshake: Noise NN or NNpsk0, and proofs of Ed25519 keys. */
#include "net/sess_hs.h"

#include "base/crypt.h"
#include "base/error.h"

#include <rpckit/secret.h>

#include <assert.h>
#include <string.h>

#define PROLOGUE "rpckit session 1"
#define KIND_PIPE 'p'
#define KIND_DATAGRAM 'd'
#define PROLOGUE_LEN (sizeof(PROLOGUE) + 2 + PSK_ID_BYTES)

/* What is signed is like what TLS 1.3 signs (RFC 8446, 4.4.3), so that no other
 * use of the key makes such a signature. */
#define PAD_LEN 64
#define PAD 0x20
#define TEXT_INITIATOR "rpckit session 1, initiator"
#define TEXT_RESPONDER "rpckit session 1, responder"
#define TEXT_LEN sizeof(TEXT_INITIATOR)
#define SIGNED_LEN (PAD_LEN + TEXT_LEN + NOISE_HASH_LEN + RK_KEY_PUBLIC_LEN)

_Static_assert(sizeof(TEXT_INITIATOR) == sizeof(TEXT_RESPONDER), "one length");

/* Where the parts of a hello are. */
enum {
	AT_TYPE = SESS_MAGIC_LEN,
	AT_PSK,
	AT_ID,
	AT_KEYS = AT_ID + PSK_ID_BYTES,
	AT_PAD = AT_KEYS + NOISE_PUBLIC_LEN
};

void
sess_hs_init(struct sess_hs *hs, const struct sess_hs_conf *conf)
{
	*hs = (struct sess_hs){ .conf = *conf };
	noise_fini(&hs->noise);
}

void
sess_hs_fini(struct sess_hs *hs)
{
	noise_fini(&hs->noise);
}

/* ---- pre-shared keys ---- */

static enum rk_err
not_proven(const struct sess_hs *hs, struct rk_error *err)
{
	char id[RK_PSK_ID_LEN];

	if (hs->psk == NULL)
		return err_set(
		    err, RK_EPROTO, "a damaged handshake, or another's");
	psk_id_format(hs->psk->id, id);
	return err_set(err, RK_EPSK,
	    "pre-shared key %s (id %s): the peer has not proven that it has it",
	    hs->psk->name, id);
}

/* Which one the initiator means: what is required must be used, and the
 * reverse. */
static enum rk_err
find_psk(struct sess_hs *hs, const uint8_t *in, struct rk_error *err)
{
	static const uint8_t zeros[PSK_ID_BYTES];
	char id[RK_PSK_ID_LEN];

	hs->psk = NULL;
	if (in[AT_PSK] > 1 ||
	    (in[AT_PSK] == 0 && memcmp(in + AT_ID, zeros, sizeof(zeros)) != 0))
		return err_set(
		    err, RK_EPROTO, "not the handshake of a session");
	if (in[AT_PSK] == 0 && hs->conf.psks == NULL)
		return RK_OK;
	if (in[AT_PSK] == 0)
		return err_set(err, RK_EPSK,
		    "the peer uses no pre-shared key, and one is required "
		    "here");
	if (hs->conf.psks == NULL)
		return err_set(err, RK_EPSK,
		    "the peer uses a pre-shared key, and there is none here");
	hs->psk = psks_find(hs->conf.psks, in + AT_ID);
	if (hs->psk != NULL)
		return RK_OK;
	psk_id_format(in + AT_ID, id);
	return err_set(err, RK_EPSK,
	    "the peer's pre-shared key (id %s) is not known here", id);
}

static void
start_noise(struct sess_hs *hs)
{
	uint8_t text[PROLOGUE_LEN] = PROLOGUE;
	const struct noise_conf conf = {
		.initiator = hs->conf.initiator,
		.psk = hs->psk == NULL ? NULL : rk_secret_peek(hs->psk->key),
		.prologue = text,
		.prologue_len = sizeof(text),
		.ephemeral = hs->conf.ephemeral,
	};
	uint8_t *p = text + sizeof(PROLOGUE);

	p[0] = hs->conf.datagrams ? KIND_DATAGRAM : KIND_PIPE;
	p[1] = hs->psk != NULL;
	if (hs->psk != NULL)
		memcpy(p + 2, hs->psk->id, PSK_ID_BYTES);
	noise_init(&hs->noise, &conf);
}

/* ---- proofs ---- */

static void
make_signed(bool initiator, const uint8_t hash[NOISE_HASH_LEN],
    const uint8_t pub[RK_KEY_PUBLIC_LEN], uint8_t out[SIGNED_LEN])
{
	memset(out, PAD, PAD_LEN);
	out += PAD_LEN;
	memcpy(out, initiator ? TEXT_INITIATOR : TEXT_RESPONDER, TEXT_LEN);
	out += TEXT_LEN;
	memcpy(out, hash, NOISE_HASH_LEN);
	memcpy(out + NOISE_HASH_LEN, pub, RK_KEY_PUBLIC_LEN);
}

enum rk_err
sess_hs_prove(const struct sess_hs *hs, const uint8_t hash[NOISE_HASH_LEN],
    uint8_t out[SESS_PROOF_LEN], struct rk_error *err)
{
	uint8_t text[SIGNED_LEN];

	rk_key_public(hs->conf.key, out);
	make_signed(hs->conf.initiator, hash, out, text);
	return rk_key_sign_for(hs->conf.key, RK_SIGN_SESSION, text,
	    sizeof(text), out + RK_KEY_PUBLIC_LEN, err);
}

enum rk_err
sess_hs_check(struct sess_hs *hs, const uint8_t hash[NOISE_HASH_LEN],
    const uint8_t in[SESS_PROOF_LEN], struct rk_error *err)
{
	uint8_t text[SIGNED_LEN];

	make_signed(!hs->conf.initiator, hash, in, text);
	if (!rk_key_verify(in, text, sizeof(text), in + RK_KEY_PUBLIC_LEN))
		return err_set(err, RK_EDENIED,
		    "the peer does not hold the key that it shows");
	memcpy(hs->peer, in, sizeof(hs->peer));
	return RK_OK;
}

/* ---- messages ---- */

enum rk_err
sess_hs_hello(struct sess_hs *hs, uint8_t out[SESS_HELLO_MAX], size_t *len,
    struct rk_error *err)
{
	static const uint8_t pad[SESS_PAD_LEN];

	*len = 0;
	if (hs->conf.psks != NULL && rk_psks_count(hs->conf.psks) == 0)
		return err_set(err, RK_EINVAL, "a set of no pre-shared keys");
	hs->psk = hs->conf.psks == NULL ? NULL : psks_at(hs->conf.psks, 0);
	start_noise(hs);
	memset(out, 0, SESS_HELLO_MAX);
	memcpy(out, SESS_MAGIC, SESS_MAGIC_LEN);
	out[AT_TYPE] = SESS_HELLO;
	if (hs->psk != NULL) {
		out[AT_PSK] = 1;
		memcpy(out + AT_ID, hs->psk->id, PSK_ID_BYTES);
	}
	if (noise_write_keys(&hs->noise, out + AT_KEYS) != RK_OK ||
	    noise_write_payload(&hs->noise, pad, sizeof(pad), out + AT_PAD) !=
	        RK_OK)
		return not_proven(hs, err);
	*len = hs->psk == NULL ? SESS_HELLO_LEN : SESS_HELLO_MAX;
	return RK_OK;
}

/* A message of this type? */
static bool
is_message(const uint8_t *in, size_t len, uint8_t type)
{
	return len > SESS_MAGIC_LEN &&
	       memcmp(in, SESS_MAGIC, SESS_MAGIC_LEN) == 0 &&
	       in[SESS_MAGIC_LEN] == type;
}

static enum rk_err
put_answer(
    struct sess_hs *hs, uint8_t out[SESS_ANSWER_LEN], struct rk_error *err)
{
	uint8_t *p = out + SESS_MAGIC_LEN + 1;
	uint8_t hash[NOISE_HASH_LEN];
	uint8_t proof[SESS_PROOF_LEN];
	enum rk_err r;

	memcpy(out, SESS_MAGIC, SESS_MAGIC_LEN);
	out[SESS_MAGIC_LEN] = SESS_ANSWER;
	if (noise_write_keys(&hs->noise, p) != RK_OK)
		return not_proven(hs, err);
	noise_hash(&hs->noise, hash);
	if ((r = sess_hs_prove(hs, hash, proof, err)) != RK_OK) {
		hs->unsigned_by_us = true;
		return r;
	}
	return noise_write_payload(&hs->noise, proof, sizeof(proof),
	           p + NOISE_PUBLIC_LEN) == RK_OK
	           ? RK_OK
	           : not_proven(hs, err);
}

enum rk_err
sess_hs_answer(struct sess_hs *hs, const uint8_t *in, size_t len,
    uint8_t out[SESS_ANSWER_LEN], struct rk_error *err)
{
	static const uint8_t zeros[SESS_PAD_LEN];
	uint8_t pad[SESS_PAD_LEN];
	enum rk_err r;

	assert(!hs->conf.initiator);
	if (!is_message(in, len, SESS_HELLO) ||
	    (len != SESS_HELLO_LEN && len != SESS_HELLO_MAX))
		return err_set(
		    err, RK_EPROTO, "not the handshake of a session");
	if ((r = find_psk(hs, in, err)) != RK_OK)
		return r;
	if ((len == SESS_HELLO_MAX) != (hs->psk != NULL))
		return err_set(
		    err, RK_EPROTO, "not the handshake of a session");
	start_noise(hs);
	if (noise_read_keys(&hs->noise, in + AT_KEYS) != RK_OK ||
	    noise_read_payload(&hs->noise, in + AT_PAD, len - AT_PAD, pad) !=
	        RK_OK ||
	    memcmp(pad, zeros, sizeof(pad)) != 0)
		r = not_proven(hs, err);
	else
		r = put_answer(hs, out, err);
	if (r != RK_OK)
		noise_fini(&hs->noise);
	return r;
}

enum rk_err
sess_hs_take(
    struct sess_hs *hs, const uint8_t *in, size_t len, struct rk_error *err)
{
	struct noise n = hs->noise; /* what is wrong must not end it */
	uint8_t proof[SESS_PROOF_LEN];
	uint8_t hash[NOISE_HASH_LEN];
	enum rk_err r = RK_OK;

	assert(hs->conf.initiator);
	if (!is_message(in, len, SESS_ANSWER) || len != SESS_ANSWER_LEN) {
		r = err_set(err, RK_EPROTO, "not the handshake of a session");
		goto out;
	}
	in += SESS_MAGIC_LEN + 1;
	if (noise_read_keys(&n, in) != RK_OK) {
		r = not_proven(hs, err);
		goto out;
	}
	noise_hash(&n, hash);
	if (noise_read_payload(&n, in + NOISE_PUBLIC_LEN,
	        SESS_PROOF_LEN + NOISE_TAG_LEN, proof) != RK_OK) {
		r = not_proven(hs, err);
		goto out;
	}
	if ((r = sess_hs_check(hs, hash, proof, err)) == RK_OK)
		hs->noise = n;
out:
	noise_fini(&n);
	return r;
}
