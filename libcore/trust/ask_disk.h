/* The trust store behind the keys that wait: what outlives the process. */
#ifndef RPCKIT_TRUST_ASK_DISK_H
#define RPCKIT_TRUST_ASK_DISK_H

#include "trust/room.h"

#include <rpckit/store.h>

/*
 * From now on the table is of the store of the known-keys file at `known`:
 * opened, made when it is not there and `make` says so, and what it holds put
 * into the table.  Nothing happens if there is no store and none is to be made,
 * or if the table has this one already.  now: ms that never go back.
 * RK_ESTATE: it has that of another file; RK_ENOMEM, errors of rk_store_open().
 */
RK_MUST enum rk_err ask_disk_attach(struct room *room, const char *known,
    bool make, uint64_t now, struct rk_error *err);
/* The table's; NULL: none of this kind.  As long as the table. */
struct rk_store *ask_disk_store(struct room *room);
/* What a store has of a key, but for the status. */
void ask_disk_text(const struct rk_store_entry *e, struct rk_ask_entry *out);

#endif
