/* What is around a session's datagrams on UDP: written, read, and cookies. */
#include "net/udp_wrap.h"

#include "base/be.h"
#include "base/crypt.h"

#include <rpckit/secret.h>

#include <assert.h>
#include <string.h>

#define MAGIC "rksudp\1" /* the kind follows */
#define MAGIC_LEN 7
#define EPOCH_S 60
#define AHEAD_S 5 /* clocks of servers of one seed may differ so much */
#define TIME_AT UDP_ID_LEN
#define MAC_AT (UDP_ID_LEN + 4)
#define IP_LEN 16

/* Where the parts of a knock's proof are: all before the last is in that. */
enum {
	PROOF_AT = UDP_HEAD_LEN, /* 1: there is one */
	PROOF_ID_AT,
	PROOF_TIME_AT = PROOF_ID_AT + PSK_ID_BYTES,
	PROOF_MAC_AT = UDP_KNOCK_LEN - UDP_MAC_LEN
};

/* ---- reading ---- */

static void
read_head(enum udp_kind kind, const uint8_t *p, size_t len, struct udp_msg *out)
{
	out->nonce = p + MAGIC_LEN + 1;
	if (kind == UDP_KNOCK || kind == UDP_BUSY || kind == UDP_NO) {
		const size_t want =
		    kind == UDP_KNOCK ? UDP_KNOCK_LEN : UDP_HEAD_LEN;

		out->kind = len == want ? kind : UDP_NONE;
		return;
	}
	if ((kind != UDP_RETRY && kind != UDP_HELLO) || len < UDP_RETRY_LEN ||
	    (len == UDP_RETRY_LEN) != (kind == UDP_RETRY))
		return;
	out->kind = kind;
	out->cookie = p + UDP_HEAD_LEN;
	out->id = out->cookie;
	if (kind == UDP_HELLO) {
		out->data = p + UDP_HELLO_LEN;
		out->len = len - UDP_HELLO_LEN;
	}
}

enum udp_kind
udp_parse(const uint8_t *p, size_t len, struct udp_msg *out)
{
	*out = (struct udp_msg){ .kind = UDP_NONE };
	if (len >= UDP_HEAD_LEN && memcmp(p, MAGIC, MAGIC_LEN) == 0) {
		read_head((enum udp_kind)p[MAGIC_LEN], p, len, out);
	} else if (len > UDP_DATA_LEN && p[0] == UDP_DATA) {
		out->kind = UDP_DATA;
		out->id = p + 1;
		out->data = p + UDP_DATA_LEN;
		out->len = len - UDP_DATA_LEN;
	} else if (len == UDP_PATH_LEN &&
	           (p[0] == UDP_ASK || p[0] == UDP_PROOF)) {
		out->kind = (enum udp_kind)p[0];
		out->id = p + 1;
		out->token = p + UDP_DATA_LEN;
	}
	if (out->kind == UDP_NONE)
		*out = (struct udp_msg){ .kind = UDP_NONE };
	return out->kind;
}

/* ---- writing ---- */

static size_t
put_head(uint8_t *out, enum udp_kind kind, const uint8_t *nonce)
{
	memcpy(out, MAGIC, MAGIC_LEN);
	out[MAGIC_LEN] = (uint8_t)kind;
	memcpy(out + MAGIC_LEN + 1, nonce, UDP_NONCE_LEN);
	return UDP_HEAD_LEN;
}

static size_t
put_cookie(uint8_t *out, enum udp_kind kind, const uint8_t *nonce,
    const uint8_t *cookie)
{
	memcpy(out + put_head(out, kind, nonce), cookie, UDP_COOKIE_LEN);
	return UDP_RETRY_LEN;
}

size_t
udp_put_retry(uint8_t out[UDP_RETRY_LEN], const uint8_t nonce[UDP_NONCE_LEN],
    const uint8_t cookie[UDP_COOKIE_LEN])
{
	return put_cookie(out, UDP_RETRY, nonce, cookie);
}

size_t
udp_put_hello(uint8_t out[UDP_HELLO_LEN], const uint8_t nonce[UDP_NONCE_LEN],
    const uint8_t cookie[UDP_COOKIE_LEN])
{
	return put_cookie(out, UDP_HELLO, nonce, cookie);
}

size_t
udp_put_busy(uint8_t out[UDP_HEAD_LEN], const uint8_t nonce[UDP_NONCE_LEN])
{
	return put_head(out, UDP_BUSY, nonce);
}

size_t
udp_put_no(uint8_t out[UDP_HEAD_LEN], const uint8_t nonce[UDP_NONCE_LEN])
{
	return put_head(out, UDP_NO, nonce);
}

size_t
udp_put_data(uint8_t out[UDP_DATA_LEN], const uint8_t id[UDP_ID_LEN])
{
	out[0] = UDP_DATA;
	memcpy(out + 1, id, UDP_ID_LEN);
	return UDP_DATA_LEN;
}

size_t
udp_put_path(uint8_t out[UDP_PATH_LEN], enum udp_kind kind,
    const uint8_t id[UDP_ID_LEN], const uint8_t token[UDP_TOKEN_LEN])
{
	(void)udp_put_data(out, id);
	out[0] = (uint8_t)kind;
	memcpy(out + UDP_DATA_LEN, token, UDP_TOKEN_LEN);
	return UDP_PATH_LEN;
}

/* ---- knocks ---- */

/* How long ago that was, also where 32 bits have gone round. */
static int64_t
time_since(const uint8_t p[4], int64_t now)
{
	return (int32_t)((uint32_t)now - be_get32(p));
}

static void
proof_of(const uint8_t knock[UDP_KNOCK_LEN], const uint8_t key[PSK_KNOCK_LEN],
    uint8_t out[UDP_MAC_LEN])
{
	uint8_t mac[CRYPT_HASH_LEN];

	crypt_hmac(mac, key, PSK_KNOCK_LEN, knock, PROOF_MAC_AT);
	memcpy(out, mac, UDP_MAC_LEN);
	rk_wipe(mac, sizeof(mac));
}

size_t
udp_put_knock(uint8_t out[UDP_KNOCK_LEN], const uint8_t nonce[UDP_NONCE_LEN],
    const struct psk *psk, int64_t now)
{
	static_assert(UDP_KNOCK_LEN > UDP_RETRY_LEN, "nobody is sent more");
	static_assert(PROOF_TIME_AT + 4 <= PROOF_MAC_AT, "there is room");
	memset(out, 0, UDP_KNOCK_LEN);
	(void)put_head(out, UDP_KNOCK, nonce);
	if (psk == NULL)
		return UDP_KNOCK_LEN;
	out[PROOF_AT] = 1;
	memcpy(out + PROOF_ID_AT, psk->id, PSK_ID_BYTES);
	(void)be_put32(out + PROOF_TIME_AT, (uint32_t)now);
	proof_of(out, psk_knock_key(psk), out + PROOF_MAC_AT);
	return UDP_KNOCK_LEN;
}

bool
udp_knock_proves(
    const uint8_t knock[UDP_KNOCK_LEN], const struct rk_psks *psks, int64_t now)
{
	static const uint8_t nobodys[PSK_KNOCK_LEN];
	const struct psk *psk = psks_find(psks, knock + PROOF_ID_AT);
	const int64_t ago = time_since(knock + PROOF_TIME_AT, now);
	uint8_t want[UDP_MAC_LEN];
	bool same;

	if (knock[PROOF_AT] != 1) /* who says so does not try */
		return false;
	proof_of(knock, psk == NULL ? nobodys : psk_knock_key(psk), want);
	same = rk_secret_eq(want, knock + PROOF_MAC_AT, sizeof(want));
	rk_wipe(want, sizeof(want));
	return same && psk != NULL && ago >= -UDP_PROOF_LIFE_S &&
	       ago <= UDP_PROOF_LIFE_S;
}

/* ---- cookies ---- */

void
udp_keys_init(struct udp_keys *k, struct seed *seed)
{
	*k = (struct udp_keys){ .seed = seed_ref(seed) };
	seed_derive(seed, "udp-loop", 0, k->loop, sizeof(k->loop));
}

void
udp_keys_fini(struct udp_keys *k)
{
	seed_free(k->seed);
	rk_wipe(k, sizeof(*k));
}

static const uint8_t *
key_of(struct udp_keys *k, int64_t second)
{
	const uint64_t epoch = (uint64_t)second / EPOCH_S;
	const size_t i = epoch & 1;

	if (!k->cookie[i].there || k->cookie[i].epoch != epoch) {
		seed_derive(k->seed, "udp-cookie", epoch, k->cookie[i].key,
		    sizeof(k->cookie[i].key));
		k->cookie[i].epoch = epoch;
		k->cookie[i].there = true;
	}
	return k->cookie[i].key;
}

/* One form of an address, as the datagrams of quic_io have it. */
static void
put_addr(const struct addr *a, uint8_t out[1 + IP_LEN + 2])
{
	const bool is_v6 = a->u.sa.sa_family == AF_INET6;
	const in_port_t port = is_v6 ? a->u.in6.sin6_port : a->u.in.sin_port;

	memset(out, 0, 1 + IP_LEN + 2);
	out[0] = is_v6 ? 6 : 4;
	if (is_v6)
		memcpy(out + 1, &a->u.in6.sin6_addr, IP_LEN);
	else
		memcpy(out + 1, &a->u.in.sin_addr, 4);
	memcpy(out + 1 + IP_LEN, &port, sizeof(port));
}

static uint8_t
disguise(const struct udp_keys *k, const uint8_t *id)
{
	static_assert(
	    sizeof(k->loop) == CRYPT_SHORT_KEY_LEN, "a key of the hash");
	return (uint8_t)crypt_short_hash(k->loop, id, UDP_ID_LEN - 1);
}

unsigned
udp_id_loop(const struct udp_keys *k, const uint8_t id[UDP_ID_LEN])
{
	return id[UDP_ID_LEN - 1] ^ disguise(k, id);
}

/* Who knocks twice in a second gets the same twice. */
void
udp_cookie_make(struct udp_keys *k, const struct udp_asker *asker,
    unsigned loop, int64_t now, uint8_t out[UDP_COOKIE_LEN])
{
	uint8_t in[1 + IP_LEN + 2 + UDP_NONCE_LEN + 1 + 1 + 4];
	uint8_t mac[CRYPT_HASH_LEN];
	uint8_t *time_at = in + sizeof(in) - 4;

	assert(loop < UDP_LOOPS_MAX);
	put_addr(asker->from, in);
	memcpy(in + 1 + IP_LEN + 2, asker->nonce, UDP_NONCE_LEN);
	in[sizeof(in) - 6] = asker->proven;
	in[sizeof(in) - 5] = (uint8_t)loop;
	(void)be_put32(time_at, (uint32_t)now);
	crypt_hmac(
	    mac, key_of(k, now), sizeof(k->cookie[0].key), in, sizeof(in));
	memcpy(out, mac, UDP_ID_LEN - 1);
	out[UDP_ID_LEN - 1] = (uint8_t)(loop ^ disguise(k, out));
	memcpy(out + TIME_AT, time_at, 4);
	memcpy(out + MAC_AT, mac + CRYPT_HASH_LEN - UDP_MAC_LEN, UDP_MAC_LEN);
}

bool
udp_cookie_check(struct udp_keys *k, const struct udp_asker *asker,
    const uint8_t cookie[UDP_COOKIE_LEN], int64_t now)
{
	uint8_t want[UDP_COOKIE_LEN];
	const int64_t ago = time_since(cookie + TIME_AT, now);

	if (ago < -AHEAD_S || ago > UDP_COOKIE_LIFE_S || now < ago)
		return false;
	udp_cookie_make(k, asker, udp_id_loop(k, cookie), now - ago, want);
	return rk_secret_eq(want, cookie, sizeof(want));
}
