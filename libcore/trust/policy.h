/* The decision's early half, for use inside a handshake; its clock. */
#ifndef RPCKIT_TRUST_POLICY_H
#define RPCKIT_TRUST_POLICY_H

#include <rpckit/trust.h>

/*
 * Would this key be refused whatever its owner proves?  RK_OK: no, ask
 * rk_trust_decide() when possession is proven.  RK_EUNKNOWNKEY: the key is not
 * on the list, which is locked or has taken its share of new keys;
 * RK_EIO/RK_EMODE/RK_EFORMAT as there. Records nothing, so that it may be asked
 * before any proof; a refusal can then travel as a TLS alert.  Any thread.
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

#endif
