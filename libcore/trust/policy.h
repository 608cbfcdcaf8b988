/* The decision's early half, for use inside a handshake; its clock. */
#ifndef RPCKIT_TRUST_POLICY_H
#define RPCKIT_TRUST_POLICY_H

#include "trust/room.h"

/*
 * Would this key be refused whatever its owner proves?  RK_OK: no, ask
 * rk_trust_decide() when possession is proven.  RK_EUNKNOWNKEY: the key is not
 * on the list, which is locked or has taken its share of new keys;
 * RK_EDENIED, RK_EREVOKED: that was decided; RK_ELIMIT: it would have to wait,
 * and too many do; RK_EIO/RK_EMODE/RK_EFORMAT as there.  Records nothing, so
 * that it may be asked before any proof; a refusal can then travel as a TLS
 * alert.  Any thread.
 */
RK_MUST enum rk_err policy_foresee(struct rk_trust *trust,
    const struct rk_cert_info *cert, struct rk_error *err);

/* Milliseconds that never go back; NULL: the system's.  For tests. */
void policy_set_clock(struct rk_trust *trust, uint64_t (*now)(void));

/*
 * Would rk_trust_decide() accept this key as things stand, recording nothing?
 * RK_EUNKNOWNKEY: no; its owner has to prove it in a handshake, or is refused
 * even then.  The other errors as above.  Any thread.
 */
RK_MUST enum rk_err policy_recall(struct rk_trust *trust,
    const struct rk_cert_info *cert, struct rk_error *err);

/*
 * A connection of a peer for which rk_trust_decide() was RK_EAGAIN waits, and
 * does so no more, whatever became of it.  RK_ELIMIT: it must not.  Any thread.
 */
RK_MUST enum rk_err policy_sit(struct rk_trust *trust, struct room_seat *seat,
    const struct rk_peer *peer, struct rk_error *err);
void policy_stand(struct room_seat *seat);
/* rk_trust_decide() for one that waits: RK_EAGAIN: it still does. */
RK_MUST enum rk_err policy_ask_again(struct rk_trust *trust,
    const struct rk_peer *peer, bool *added, struct rk_error *err);
/* May a peer that was let in stay?  RK_EDENIED, RK_EREVOKED, the store's. */
RK_MUST enum rk_err policy_may_stay(struct rk_trust *trust,
    const struct rk_cert_info *cert, struct rk_error *err);

/*
 * Take all write permission from the file, or give it to its owner; what waits
 * is asked about again.  RK_ESTATE: there is none, or it has no key and would
 * refuse everybody; RK_EIO, RK_EMODE, RK_EFORMAT.  Any thread.
 */
RK_MUST enum rk_err policy_lock(
    struct rk_trust *trust, bool lock, struct rk_error *err);
/* Every key of the file; texts as they stand there, escaped; none without a
 * file.  RK_EIO, RK_EMODE, RK_EFORMAT, RK_ENOMEM.  Any thread. */
typedef void policy_known_fn(
    const char *fp, const char *emails, const char *host, void *arg);
RK_MUST enum rk_err policy_each_known(struct rk_trust *trust,
    policy_known_fn *fn, void *arg, struct rk_error *err);

/* Decisions that outlive the process; before others use `trust`.  Copied. */
void policy_set_store(struct rk_trust *trust, const struct ask_store *store);

#endif
