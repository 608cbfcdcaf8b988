/* Connection ids: making them, finding who they belong to, and their tokens. */
#include "net/quic_cid.h"

#include "base/crypt.h"

#include <rpckit/secret.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 16

/* The last byte of an id is its loop, hidden by a hash of the others: ids of
 * one loop look as random as those of different ones. */
static uint8_t
disguise(const struct quic_cid_keys *keys, const uint8_t *cid)
{
	static_assert(
	    sizeof(keys->loop) == CRYPT_SHORT_KEY_LEN, "a key of the hash");
	return (uint8_t)crypt_short_hash(keys->loop, cid, QUIC_CID_LEN - 1);
}

void
quic_cid_make(
    const struct quic_cid_keys *keys, unsigned loop, uint8_t out[QUIC_CID_LEN])
{
	assert(loop < QUIC_CID_LOOPS_MAX);
	rk_random(out, QUIC_CID_LEN - 1);
	out[QUIC_CID_LEN - 1] = (uint8_t)(loop ^ disguise(keys, out));
}

unsigned
quic_cid_loop(const struct quic_cid_keys *keys, const uint8_t cid[QUIC_CID_LEN])
{
	return cid[QUIC_CID_LEN - 1] ^ disguise(keys, cid);
}

void
quic_cid_reset_token(const struct quic_cid_keys *keys, const uint8_t *cid,
    size_t len, uint8_t out[QUIC_RESET_TOKEN_LEN])
{
	uint8_t mac[CRYPT_HASH_LEN];

	crypt_hmac(mac, keys->reset, sizeof(keys->reset), cid, len);
	memcpy(out, mac, QUIC_RESET_TOKEN_LEN);
	rk_wipe(mac, sizeof(mac));
}

/* ---- the table ---- */

void
quic_map_init(struct quic_map *m)
{
	*m = (struct quic_map){ 0 };
	static_assert(
	    sizeof(m->hash_key) == CRYPT_SHORT_KEY_LEN, "a key of the hash");
	rk_random(m->hash_key, sizeof(m->hash_key));
}

void
quic_map_fini(struct quic_map *m)
{
	free(m->buckets);
	m->buckets = NULL;
	m->n_buckets = 0;
	m->n = 0;
}

static size_t
bucket_of(
    const struct quic_map *m, const uint8_t *key, size_t len, size_t n_buckets)
{
	return crypt_short_hash(m->hash_key, key, len) & (n_buckets - 1);
}

static void
link_entry(const struct quic_map *m, struct quic_map_entry **buckets,
    size_t n_buckets, struct quic_map_entry *e)
{
	size_t i = bucket_of(m, e->key, e->len, n_buckets);

	e->next = buckets[i];
	buckets[i] = e;
}

/* Twice the buckets; the old ones stay when there is no memory. */
static bool
grow(struct quic_map *m)
{
	size_t n = m->n_buckets == 0 ? BUCKETS_FIRST : 2 * m->n_buckets;
	struct quic_map_entry **buckets;
	struct quic_map_entry *next;

	buckets = calloc(n, sizeof(*buckets));
	if (buckets == NULL)
		return false;
	for (size_t i = 0; i < m->n_buckets; i++) {
		for (struct quic_map_entry *e = m->buckets[i]; e != NULL;
		     e = next) {
			next = e->next;
			link_entry(m, buckets, n, e);
		}
	}
	free(m->buckets);
	m->buckets = buckets;
	m->n_buckets = n;
	return true;
}

/* Keys may be secret (reset tokens): comparing takes the same time wherever
 * they differ. */
static struct quic_map_entry *
find(const struct quic_map *m, const uint8_t *key, size_t len)
{
	struct quic_map_entry *e;

	if (m->n == 0 || len == 0 || len > QUIC_CID_MAX)
		return NULL;
	e = m->buckets[bucket_of(m, key, len, m->n_buckets)];
	while (e != NULL && (e->len != len || !rk_secret_eq(e->key, key, len)))
		e = e->next;
	return e;
}

enum rk_err
quic_map_add(struct quic_map *m, struct quic_map_entry *e, const uint8_t *key,
    size_t len, void *owner)
{
	assert(e->len == 0);
	if (len == 0 || len > QUIC_CID_MAX)
		return RK_EINVAL;
	if (find(m, key, len) != NULL)
		return RK_EEXIST;
	/* Longer chains are slower, not wrong. */
	if (m->n == m->n_buckets && !grow(m) && m->n_buckets == 0)
		return RK_ENOMEM;
	memcpy(e->key, key, len);
	e->len = (uint8_t)len;
	e->owner = owner;
	link_entry(m, m->buckets, m->n_buckets, e);
	m->n++;
	return RK_OK;
}

void
quic_map_remove(struct quic_map *m, struct quic_map_entry *e)
{
	struct quic_map_entry **at;

	if (e->len == 0)
		return;
	if (m->n_buckets > 0) {
		at = &m->buckets[bucket_of(m, e->key, e->len, m->n_buckets)];
		while (*at != NULL && *at != e)
			at = &(*at)->next;
		assert(*at == e);
		*at = e->next;
		m->n--;
	}
	*e = (struct quic_map_entry){ 0 };
}

void *
quic_map_find(const struct quic_map *m, const uint8_t *key, size_t len)
{
	const struct quic_map_entry *e = find(m, key, len);

	return e == NULL ? NULL : e->owner;
}
