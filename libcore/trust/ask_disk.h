/* The trust store behind the keys that wait: what outlives the process. */
#ifndef RPCKIT_TRUST_ASK_DISK_H
#define RPCKIT_TRUST_ASK_DISK_H

#include "trust/room.h"

#include <rpckit/store.h>

struct ask_disk_from {
	const char *known; /* path of the known-keys file */
	bool make;         /* a store, where there is none */
	bool at_once;      /* RK_EBUSY rather than wait for another program */
	uint64_t now;      /* ms that never go back */
};
/*
 * From now on the table is of the store of this known-keys file: opened, or
 * made, and what it holds put into the table.  Nothing happens if there is no
 * store and none is to be made, or if the table has this one already.
 * RK_ESTATE: it has that of another file; RK_ENOMEM, errors of rk_store_open().
 */
RK_MUST enum rk_err ask_disk_attach(
    struct room *room, const struct ask_disk_from *from, struct rk_error *err);
/* The table's; NULL: none of this kind.  As long as the table. */
struct rk_store *ask_disk_store(struct room *room);
/* ask_words.c: the entry that it makes of a key at this time; false: none. */
bool ask_disk_entry(
    const struct rk_store_entry *e, int64_t now, struct rk_ask_entry *out);
/* The peer of an entry.  Its address is what a peer gave, or what the store
 * made of that: a host alone. */
struct rk_peer ask_disk_peer(const struct rk_ask_entry *e);
/* What a store has of a key, but for the status. */
void ask_disk_text(const struct rk_store_entry *e, struct rk_ask_entry *out);

#endif
