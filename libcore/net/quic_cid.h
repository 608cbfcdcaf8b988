/* Connection ids: making them, finding who they belong to, and their tokens. */
#ifndef RPCKIT_NET_QUIC_CID_H
#define RPCKIT_NET_QUIC_CID_H

#include <rpckit/err.h>

#include <sys/queue.h>

/* All ids we choose are this long: they name their loop in disguise, and a
 * peer's random first id can never equal one (RFC 9000, 7.2: 8 bytes or more;
 * ours is told apart by the table alone). */
#define QUIC_CID_LEN 8
#define QUIC_CID_MAX 20
#define QUIC_RESET_TOKEN_LEN 16
#define QUIC_CID_LOOPS_MAX 256

/* Keys that must be the same for all loops of a server, and after a restart
 * when the seed is kept. */
struct quic_cid_keys {
	uint8_t reset[32]; /* of stateless reset tokens (RFC 9000, 10.3) */
	uint8_t loop[16];  /* of the disguise */
};

/* A new random id of the loop with this index. */
void quic_cid_make(
    const struct quic_cid_keys *keys, unsigned loop, uint8_t out[QUIC_CID_LEN]);
/* The index an id of ours was made with.  An id made by anybody else gives any
 * number: compare with the number of loops. */
unsigned quic_cid_loop(
    const struct quic_cid_keys *keys, const uint8_t cid[QUIC_CID_LEN]);
/* HMAC of the id: only who has the key can reset the connection. */
void quic_cid_reset_token(const struct quic_cid_keys *keys, const uint8_t *cid,
    size_t len, uint8_t out[QUIC_RESET_TOKEN_LEN]);

/*
 * A table from short byte strings (ids, reset tokens) to their owners.  The
 * hash is keyed at random, so that no peer can choose ids that collide.
 * Entries are embedded in their owners, zero before use; no call but
 * quic_map_add() needs memory.  Loop thread.
 */
struct quic_map_entry {
	struct quic_map_entry *next; /* in its bucket */
	void *owner;
	uint8_t len; /* 0: in no table */
	uint8_t key[QUIC_CID_MAX];
};

struct quic_map {
	struct quic_map_entry **buckets;
	size_t n_buckets; /* a power of two, or 0 */
	size_t n;
	uint8_t hash_key[16];
};

void quic_map_init(struct quic_map *m);
void quic_map_fini(struct quic_map *m); /* entries are their owners' */
/* RK_EEXIST: the key is there already; RK_ENOMEM; RK_EINVAL: len is 0 or
 * beyond QUIC_CID_MAX. */
RK_MUST enum rk_err quic_map_add(struct quic_map *m, struct quic_map_entry *e,
    const uint8_t *key, size_t len, void *owner);
/* An entry that is in no table, or whose table is gone, is fine. */
void quic_map_remove(struct quic_map *m, struct quic_map_entry *e);
/* The owner, or NULL. */
void *quic_map_find(const struct quic_map *m, const uint8_t *key, size_t len);

#endif
