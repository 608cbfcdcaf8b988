/* Sealing and opening a session's packets; replay window, epochs of keys. */
#include "net/sess_keys.h"

#include "base/be.h"
#include "base/crypt.h"

#include <rpckit/secret.h>

#include <assert.h>
#include <string.h>

#define PACKET 0 /* the first byte of one */
#define INFO_CHAIN "rpckit session 1, chain"
#define INFO_KEYS "rpckit session 1, keys"
#define COUNTER_AT 2
#define COUNTER_LEN 8
#define WORD 64

/* ---- epochs ---- */

static struct sess_epoch *
slot(struct sess_keys *k, uint32_t number)
{
	return &k->epochs[number & 1];
}

static void
wipe_epoch(struct sess_epoch *e)
{
	e->there = false;
	noise_cipher_wipe(&e->send);
	noise_cipher_wipe(&e->recv);
}

static void
derive(uint8_t *out, size_t len, const void *ikm, size_t ikm_len,
    const uint8_t hash[NOISE_HASH_LEN], const void *info, size_t info_len)
{
	enum rk_err r = crypt_hkdf(
	    out, len, ikm, ikm_len, hash, NOISE_HASH_LEN, info, info_len);

	assert(r == RK_OK); /* it only fails beyond a length */
	(void)r;
}

/* The first of the two keys is for what the initiator seals. */
static void
install(struct sess_keys *k, uint32_t number, const uint8_t keys[64])
{
	struct sess_epoch *e = slot(k, number);
	const uint8_t *send = keys + (k->initiator ? 0 : 32);
	const uint8_t *recv = keys + (k->initiator ? 32 : 0);

	wipe_epoch(e);
	*e = (struct sess_epoch){ .number = number, .there = true };
	memcpy(e->send.key, send, sizeof(e->send.key));
	memcpy(e->recv.key, recv, sizeof(e->recv.key));
	psk_aead_give(&k->aead, &e->send);
	psk_aead_give(&k->aead, &e->recv);
	k->newest = number;
	k->sealed = 0;
	k->opened = 0;
}

enum rk_err
sess_keys_init(struct sess_keys *k, struct noise *n, bool datagrams)
{
	struct noise_cipher send = { .next = 0 };
	struct noise_cipher recv = { .next = 0 };
	uint8_t keys[64];
	enum rk_err r;

	*k = (struct sess_keys){ .initiator = n->initiator,
		.datagrams = datagrams,
		.packets_max = SESS_PACKETS_MAX };
	noise_hash(n, k->hash);
	if ((r = noise_split(n, &send, &recv)) != RK_OK ||
	    (r = psk_aead_init(&k->aead)) != RK_OK)
		goto out;
	memcpy(keys, k->initiator ? send.key : recv.key, 32);
	memcpy(keys + 32, k->initiator ? recv.key : send.key, 32);
	derive(k->chain, sizeof(k->chain), keys, sizeof(keys), k->hash,
	    INFO_CHAIN, sizeof(INFO_CHAIN));
	install(k, 0, keys);
out:
	rk_wipe(keys, sizeof(keys));
	noise_cipher_wipe(&send);
	noise_cipher_wipe(&recv);
	return r;
}

void
sess_keys_fini(struct sess_keys *k)
{
	wipe_epoch(&k->epochs[0]);
	wipe_epoch(&k->epochs[1]);
	rk_wipe(k->chain, sizeof(k->chain));
	rk_wipe(k->secret, sizeof(k->secret));
	psk_aead_fini(&k->aead);
}

/* ---- packets ---- */

size_t
sess_keys_head(const struct sess_keys *k)
{
	return k->datagrams ? SESS_HEAD_DATAGRAM : SESS_HEAD_PIPE;
}

enum rk_err
sess_keys_seal(
    struct sess_keys *k, uint8_t *packet, const uint8_t *text, size_t len)
{
	struct sess_epoch *e = slot(k, k->sending);
	const size_t head = sess_keys_head(k);
	enum rk_err r;

	if (!k->datagrams)
		e->send.next = k->sent;
	if (!e->there || e->send.next >= k->packets_max)
		return RK_ELIMIT;
	packet[0] = PACKET;
	packet[1] = (uint8_t)e->number;
	if (k->datagrams)
		(void)be_put64(packet + COUNTER_AT, e->send.next);
	r = noise_seal(&e->send, packet, head, text, len, packet + head);
	k->sealed += len;
	k->sent++;
	return r;
}

/* Was the counter there before, or so long ago that nobody remembers? */
static bool
is_old(const struct sess_epoch *e, uint64_t counter)
{
	if (counter >= e->newest)
		return false;
	if (e->newest - counter > SESS_WINDOW)
		return true;
	return (e->seen[counter / WORD % (SESS_WINDOW / WORD)] >>
	           (counter % WORD)) &
	       1;
}

static void
remember(struct sess_epoch *e, uint64_t counter)
{
	const uint64_t gap = counter < e->newest ? 0 : counter + 1 - e->newest;
	const uint64_t bits = gap < SESS_WINDOW ? gap : SESS_WINDOW;

	for (uint64_t i = 0; i < bits; i++) {
		const uint64_t c = counter - i;

		e->seen[c / WORD % (SESS_WINDOW / WORD)] &=
		    ~((uint64_t)1 << (c % WORD));
	}
	e->seen[counter / WORD % (SESS_WINDOW / WORD)] |= (uint64_t)1
	                                                  << (counter % WORD);
	e->newest += gap;
}

/* Whose packet this is; NULL: nobody's that is there. */
static struct sess_epoch *
find_epoch(struct sess_keys *k, const uint8_t *packet)
{
	struct sess_epoch *e = slot(k, packet[1]);

	if (packet[0] != PACKET || !e->there || (uint8_t)e->number != packet[1])
		return NULL;
	return e;
}

enum rk_err
sess_keys_open(struct sess_keys *k, uint8_t *packet, size_t len, uint8_t **text,
    size_t *text_len)
{
	const size_t head = sess_keys_head(k);
	struct sess_epoch *e;
	uint64_t counter;
	enum rk_err r;

	*text = NULL;
	*text_len = 0;
	if (len < head + NOISE_TAG_LEN || (e = find_epoch(k, packet)) == NULL)
		return RK_EDAMAGED;
	counter = k->datagrams ? be_get64(packet + COUNTER_AT) : k->received;
	if (counter >= k->packets_max)
		return k->datagrams ? RK_EDAMAGED : RK_ELIMIT;
	if (k->datagrams && is_old(e, counter))
		return RK_EEXIST;
	e->recv.next = counter;
	r = noise_open(
	    &e->recv, packet, head, packet + head, len - head, packet + head);
	if (r != RK_OK)
		return r;
	if (k->datagrams)
		remember(e, counter);
	k->received++;
	/* The peer has these keys: the initiator has switched to them. */
	if (!k->initiator && e->number == k->newest)
		k->sending = k->newest;
	*text = packet + head;
	*text_len = len - head - NOISE_TAG_LEN;
	k->opened += *text_len;
	return RK_OK;
}

/* ---- the next epoch ---- */

static enum rk_err
advance(struct sess_keys *k, const uint8_t secret[NOISE_SECRET_LEN],
    const uint8_t peer[NOISE_PUBLIC_LEN])
{
	const uint32_t number = k->newest + 1;
	uint8_t info[sizeof(INFO_KEYS) + 4];
	uint8_t ikm[64];
	uint8_t out[96];
	enum rk_err r;

	memcpy(ikm, k->chain, 32);
	if ((r = crypt_x25519(ikm + 32, secret, peer)) != RK_OK)
		goto out;
	memcpy(info, INFO_KEYS, sizeof(INFO_KEYS));
	(void)be_put32(info + sizeof(INFO_KEYS), number);
	derive(out, sizeof(out), ikm, sizeof(ikm), k->hash, info, sizeof(info));
	memcpy(k->chain, out, sizeof(k->chain));
	install(k, number, out + 32);
out:
	rk_wipe(ikm, sizeof(ikm));
	rk_wipe(out, sizeof(out));
	return r;
}

static void
put_rekey(uint8_t out[SESS_REKEY_LEN], uint32_t number, const uint8_t *pub)
{
	(void)be_put32(out, number);
	memcpy(out + 4, pub, NOISE_PUBLIC_LEN);
}

void
sess_keys_ask(struct sess_keys *k, uint8_t out[SESS_REKEY_LEN])
{
	assert(k->initiator);
	if (!k->asked) {
		rk_random(k->secret, sizeof(k->secret));
		crypt_x25519_public(k->asked_pub, k->secret);
		k->asked = true;
	}
	put_rekey(out, k->newest + 1, k->asked_pub);
}

enum rk_err
sess_keys_answer(struct sess_keys *k, const uint8_t in[SESS_REKEY_LEN],
    uint8_t out[SESS_REKEY_LEN])
{
	const uint32_t number = be_get32(in);
	uint8_t secret[NOISE_SECRET_LEN];
	enum rk_err r = RK_OK;

	if (k->initiator)
		return RK_EPROTO;
	if (number <= k->newest) {
		if (number == 0)
			return RK_EPROTO;
		if (number < k->newest)
			return RK_EAGAIN;
		if (memcmp(in + 4, k->asked_pub, NOISE_PUBLIC_LEN) != 0)
			return RK_EPROTO;
		put_rekey(out, number, k->answer_pub);
		return RK_OK;
	}
	/* Who asks for the next one must be using the present one. */
	if (number != k->newest + 1 || k->sending != k->newest)
		return RK_EPROTO;
	rk_random(secret, sizeof(secret));
	if ((r = advance(k, secret, in + 4)) != RK_OK)
		goto out;
	memcpy(k->asked_pub, in + 4, NOISE_PUBLIC_LEN);
	crypt_x25519_public(k->answer_pub, secret);
	put_rekey(out, number, k->answer_pub);
out:
	rk_wipe(secret, sizeof(secret));
	return r;
}

enum rk_err
sess_keys_take(struct sess_keys *k, const uint8_t in[SESS_REKEY_LEN])
{
	const uint32_t number = be_get32(in);
	enum rk_err r;

	if (!k->initiator || number == 0 || number > k->newest + 1)
		return RK_EPROTO;
	if (number <= k->newest)
		return RK_EAGAIN;
	if (!k->asked)
		return RK_EPROTO;
	if ((r = advance(k, k->secret, in + 4)) != RK_OK)
		return r;
	rk_wipe(k->secret, sizeof(k->secret));
	k->asked = false;
	k->sending = k->newest;
	return RK_OK;
}
