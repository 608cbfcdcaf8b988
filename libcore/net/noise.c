/* Noise NN and NNpsk0: handshake, symmetric state, ciphers. */
#include "net/noise.h"

#include "base/crypt.h"

#include <rpckit/secret.h>

#include <assert.h>
#include <string.h>

#define COUNTER_REKEY UINT64_MAX

static const char name_nn[] = "Noise_NN_25519_ChaChaPoly_SHA256";
static const char name_psk[] = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";

/* ---- ciphers ---- */

/* Four zero bytes and the counter, little-endian. */
static void
make_nonce(uint8_t nonce[CRYPT_CHACHA_NONCE_LEN], uint64_t counter)
{
	memset(nonce, 0, 4);
	for (size_t i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> (8 * i));
}

enum rk_err
noise_seal(struct noise_cipher *c, const void *ad, size_t ad_len,
    const void *msg, size_t len, uint8_t *out)
{
	uint8_t nonce[CRYPT_CHACHA_NONCE_LEN];

	if (c->next == NOISE_COUNTER_END)
		return RK_ELIMIT;
	make_nonce(nonce, c->next++);
	if (c->aead != NULL) {
		const struct noise_record rec = { c->key, nonce, ad, ad_len,
			msg, len };

		return c->aead->seal(c->aead_arg, &rec, out);
	}
	crypt_seal(out, msg, len, ad, ad_len, nonce, c->key);
	return RK_OK;
}

enum rk_err
noise_open(struct noise_cipher *c, const void *ad, size_t ad_len,
    const void *sealed, size_t len, uint8_t *out)
{
	uint8_t nonce[CRYPT_CHACHA_NONCE_LEN];
	enum rk_err r;

	if (c->next == NOISE_COUNTER_END)
		return RK_ELIMIT;
	make_nonce(nonce, c->next);
	if (c->aead != NULL) {
		const struct noise_record rec = { c->key, nonce, ad, ad_len,
			sealed, len };

		r = c->aead->open(c->aead_arg, &rec, out);
	} else {
		r = crypt_open(out, sealed, len, ad, ad_len, nonce, c->key);
	}
	if (r == RK_OK)
		c->next++;
	return r;
}

void
noise_rekey(struct noise_cipher *c)
{
	static const uint8_t zeros[sizeof(c->key)];
	uint8_t nonce[CRYPT_CHACHA_NONCE_LEN];
	uint8_t out[sizeof(zeros) + CRYPT_TAG_LEN];

	make_nonce(nonce, COUNTER_REKEY);
	crypt_seal(out, zeros, sizeof(zeros), NULL, 0, nonce, c->key);
	memcpy(c->key, out, sizeof(c->key));
	rk_wipe(out, sizeof(out));
}

void
noise_cipher_wipe(struct noise_cipher *c)
{
	rk_wipe(c->key, sizeof(c->key));
	c->next = NOISE_COUNTER_END;
}

/* ---- the symmetric state ---- */

static void
mix_hash(struct noise *n, const void *data, size_t len)
{
	crypt_sha256_join(n->hash, n->hash, sizeof(n->hash), data, len);
}

/* The framework's HKDF is that of RFC 5869 without an info. */
static void
derive(const struct noise *n, const void *key, size_t len, uint8_t *out,
    size_t out_len)
{
	enum rk_err r = crypt_hkdf(
	    out, out_len, key, len, n->chain, sizeof(n->chain), "", 0);

	assert(r == RK_OK); /* it only fails beyond a length */
	(void)r;
}

static void
set_key(struct noise *n, const uint8_t *key)
{
	memcpy(n->cipher.key, key, sizeof(n->cipher.key));
	n->cipher.next = 0;
	n->has_key = true;
}

static void
mix_key(struct noise *n, const void *key, size_t len)
{
	uint8_t out[2 * NOISE_HASH_LEN];

	derive(n, key, len, out, sizeof(out));
	memcpy(n->chain, out, NOISE_HASH_LEN);
	set_key(n, out + NOISE_HASH_LEN);
	rk_wipe(out, sizeof(out));
}

static void
mix_key_and_hash(struct noise *n, const uint8_t *psk)
{
	uint8_t out[3 * NOISE_HASH_LEN];

	derive(n, psk, NOISE_PSK_LEN, out, sizeof(out));
	memcpy(n->chain, out, NOISE_HASH_LEN);
	mix_hash(n, out + NOISE_HASH_LEN, NOISE_HASH_LEN);
	set_key(n, out + (size_t)2 * NOISE_HASH_LEN);
	rk_wipe(out, sizeof(out));
}

/* ---- the handshake ---- */

void
noise_init(struct noise *n, const struct noise_conf *conf)
{
	const char *name = conf->psk == NULL ? name_nn : name_psk;
	size_t len = strlen(name);

	*n = (struct noise){ .initiator = conf->initiator,
		.has_psk = conf->psk != NULL };
	if (len <= sizeof(n->hash))
		memcpy(n->hash, name, len);
	else
		crypt_sha256(n->hash, name, len);
	memcpy(n->chain, n->hash, sizeof(n->chain));
	mix_hash(n, conf->prologue, conf->prologue_len);
	if (conf->psk != NULL)
		mix_key_and_hash(n, conf->psk);
	if (conf->ephemeral != NULL)
		memcpy(n->secret, conf->ephemeral, sizeof(n->secret));
	else
		rk_random(n->secret, sizeof(n->secret));
	/* A responder's is computed when there is somebody to send it to. */
	if (conf->initiator)
		crypt_x25519_public(n->pub, n->secret);
}

static void
wipe(struct noise *n, enum noise_step step)
{
	n->step = step;
	n->has_key = false;
	rk_wipe(n->chain, sizeof(n->chain));
	rk_wipe(n->secret, sizeof(n->secret));
	noise_cipher_wipe(&n->cipher);
}

void
noise_fini(struct noise *n)
{
	wipe(n, NOISE_BROKEN);
}

/* Ends the handshake; returns r. */
static enum rk_err
fail(struct noise *n, enum rk_err r)
{
	wipe(n, NOISE_BROKEN);
	return r;
}

/* Is the message that is under way ours to write? */
static bool
is_writing(const struct noise *n)
{
	const bool first =
	    n->step == NOISE_KEYS_1 || n->step == NOISE_PAYLOAD_1;

	return first == n->initiator;
}

static bool
may_go(const struct noise *n, bool write, bool keys)
{
	const bool at_keys = n->step == NOISE_KEYS_1 || n->step == NOISE_KEYS_2;
	const bool at_payload =
	    n->step == NOISE_PAYLOAD_1 || n->step == NOISE_PAYLOAD_2;

	return (keys ? at_keys : at_payload) && is_writing(n) == write;
}

static void
mix_public(struct noise *n, const uint8_t pub[NOISE_PUBLIC_LEN])
{
	mix_hash(n, pub, NOISE_PUBLIC_LEN);
	if (n->has_psk)
		mix_key(n, pub, NOISE_PUBLIC_LEN);
}

/* In the second message both keys are there. */
static enum rk_err
agree(struct noise *n, const uint8_t peer[NOISE_PUBLIC_LEN])
{
	uint8_t shared[32];
	enum rk_err r;

	if ((r = crypt_x25519(shared, n->secret, peer)) == RK_OK)
		mix_key(n, shared, sizeof(shared));
	rk_wipe(shared, sizeof(shared));
	return r;
}

enum rk_err
noise_write_keys(struct noise *n, uint8_t out[NOISE_PUBLIC_LEN])
{
	uint8_t peer[NOISE_PUBLIC_LEN];
	enum rk_err r = RK_OK;

	if (!may_go(n, true, true))
		return fail(n, RK_ESTATE);
	memcpy(peer, n->pub, sizeof(peer));
	if (n->initiator)
		memcpy(out, n->pub, sizeof(n->pub));
	else
		crypt_x25519_public(out, n->secret);
	mix_public(n, out);
	if (n->step == NOISE_KEYS_2)
		r = agree(n, peer);
	if (r != RK_OK)
		return fail(n, r);
	n->step++;
	return RK_OK;
}

enum rk_err
noise_read_keys(struct noise *n, const uint8_t in[NOISE_PUBLIC_LEN])
{
	enum rk_err r = RK_OK;

	if (!may_go(n, false, true))
		return fail(n, RK_ESTATE);
	mix_public(n, in);
	if (n->step == NOISE_KEYS_2)
		r = agree(n, in);
	else
		memcpy(n->pub, in, sizeof(n->pub)); /* the peer's, until then */
	if (r != RK_OK)
		return fail(n, r);
	n->step++;
	return RK_OK;
}

size_t
noise_payload_extra(const struct noise *n)
{
	return n->has_psk || n->step > NOISE_PAYLOAD_1 ? NOISE_TAG_LEN : 0;
}

enum rk_err
noise_write_payload(struct noise *n, const void *msg, size_t len, uint8_t *out)
{
	const size_t extra = noise_payload_extra(n);
	enum rk_err r = RK_OK;

	if (!may_go(n, true, false))
		return fail(n, RK_ESTATE);
	if (len > NOISE_MESSAGE_MAX - NOISE_PUBLIC_LEN - extra)
		return fail(n, RK_ETOOBIG);
	if (n->has_key)
		r = noise_seal(
		    &n->cipher, n->hash, sizeof(n->hash), msg, len, out);
	else if (len > 0)
		memcpy(out, msg, len);
	if (r != RK_OK)
		return fail(n, r);
	mix_hash(n, out, len + extra);
	n->step++;
	return RK_OK;
}

enum rk_err
noise_read_payload(
    struct noise *n, const void *sealed, size_t len, uint8_t *out)
{
	enum rk_err r = RK_OK;

	if (!may_go(n, false, false))
		return fail(n, RK_ESTATE);
	if (len > NOISE_MESSAGE_MAX - NOISE_PUBLIC_LEN)
		return fail(n, RK_ETOOBIG);
	if (n->has_key)
		r = noise_open(
		    &n->cipher, n->hash, sizeof(n->hash), sealed, len, out);
	else if (len > 0)
		memcpy(out, sealed, len);
	if (r != RK_OK)
		return fail(n, r);
	mix_hash(n, sealed, len);
	n->step++;
	return RK_OK;
}

void
noise_hash(const struct noise *n, uint8_t out[NOISE_HASH_LEN])
{
	memcpy(out, n->hash, sizeof(n->hash));
}

enum rk_err
noise_split(
    struct noise *n, struct noise_cipher *send, struct noise_cipher *recv)
{
	struct noise_cipher *const to[2] = { n->initiator ? send : recv,
		n->initiator ? recv : send };
	uint8_t out[2 * NOISE_HASH_LEN];

	if (n->step != NOISE_DONE || !n->has_key) {
		noise_cipher_wipe(send);
		noise_cipher_wipe(recv);
		return fail(n, RK_ESTATE);
	}
	derive(n, "", 0, out, sizeof(out));
	for (size_t i = 0; i < 2; i++) {
		*to[i] = (struct noise_cipher){ .next = 0 };
		memcpy(
		    to[i]->key, out + i * NOISE_HASH_LEN, sizeof(to[i]->key));
	}
	rk_wipe(out, sizeof(out));
	wipe(n, NOISE_DONE);
	return RK_OK;
}
