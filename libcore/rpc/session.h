/* One trusted peer: a connection, who is at its other end, messages. */
#ifndef RPCKIT_RPC_SESSION_H
#define RPCKIT_RPC_SESSION_H

#include "net/conn.h"
#include "rpc/msg.h"

#include <rpckit/client.h>
#include <rpckit/server.h>

/*
 * Common to clients and servers: installs the verdict about certificates and
 * keys into the connection (net asks, trust answers), splits the bytes into
 * messages, and queues messages for sending.  Lives on its connection's loop.
 */
struct session;

struct session_events {
	/* The peer is trusted; messages flow from now on. */
	void (*open)(struct session *s, void *arg);
	/* It has to wait for a decision, before open; may be NULL. */
	void (*waits)(struct session *s, void *arg);
	/*
	 * One message; m and its views are valid during the call.  False: it
	 * cannot be taken now, because session_pause() was called, or because
	 * it is early; it comes again when that is over.
	 */
	bool (*message)(struct session *s, const struct msg *m, void *arg);
	/* session_tell_low(); may be NULL. */
	void (*low)(struct session *s, void *arg);
	/* What was early is so no more (session_is_early()); may be NULL. */
	void (*confirmed)(struct session *s, void *arg);
	/* While paused: nobody waits for answers any more.  What waits to be
	 * read will come all the same, and then the end.  May be NULL. */
	void (*lost)(struct session *s, void *arg);
	/* conn_gone() has grown; only after conn_tell_gone(). */
	void (*gone)(struct session *s, void *arg);
	/* The end, called once; the session is gone when it returns. */
	void (*closed)(
	    struct session *s, const struct rk_error *why, void *arg);
};

/* Who we are towards this peer, and how we judge it.  Borrowed. */
struct session_trust {
	bool server;
	enum rk_tls_mode mode;
	const struct rk_ident *ident;
	struct rk_trust *trust;
	struct rk_sshkeys *peers; /* of sessions; NULL: none */
	/* The CA's list has the certificate of a handshake, which is refused;
	 * nobody has proven to have its key.  Any thread; may be NULL. */
	void (*listed)(const struct rk_cert_info *info, void *arg);
	void *arg;
};

struct session_conf {
	struct rk_loop *loop;
	const struct session_events *events;
	void *arg;
	const struct session_trust *trust;
	struct rk_peer *peer; /* the caller's memory, filled before `open`;
	                         in use until closed has returned */
	struct rk_timeouts timeouts;
	uint64_t wait; /* ms that a decision may take; 0: nobody waits */
	size_t max_queue;
	size_t
	    max_over; /* beyond that, for messages already owed; see conn.h */
	bool keeps_unsent; /* see conn.h */
	/* ms, RK_NEVER: off; see rpc/alive.h */
	uint64_t keepalive;
	uint64_t dead_peer;
};

/* Takes *top over, also on failure.  RK_ENOMEM, RK_EIO. */
RK_MUST enum rk_err session_open(
    const struct session_conf *conf, struct layer **top, struct session **out);

/*
 * A client, before open: how many bytes may go with the first flight; none
 * unless the server that is remembered is believed.  And these bytes, which are
 * whole messages that may be executed twice: RK_EAGAIN: not taken; RK_ENOMEM.
 */
size_t session_early_max(struct session *s);
RK_MUST enum rk_err session_early(
    struct session *s, const uint8_t *src, size_t len);
/* A client, open: the server took them. */
bool session_early_used(struct session *s);
/* A server: the handshake has not ended, and what comes may be a recording. */
bool session_is_early(const struct session *s);

/*
 * Queue a message; it leaves at the end of the turn.  RK_ESTATE before open
 * and after close; RK_ELIMIT: too many bytes wait; RK_ETOOBIG; RK_ENOMEM.
 */
RK_MUST enum rk_err session_send(struct session *s, const struct msg *m,
    const struct rk_arg *args, size_t n_args);
/* For whole frames and counts of bytes (conn_out(), conn_room(), conn_gone()).
 */
struct conn *session_conn(struct session *s);
/* May more be sent?  Replies that push past the limit are taken up to
 * conf.max_over.  A server that has no room asks for no more requests; a client
 * always reads, or both ends might wait for the other to do so. */
bool session_has_room(const struct session *s);
/* All that was queued has left the process. */
bool session_is_flushed(const struct session *s);

bool session_is_open(const struct session *s);
void session_count(struct session *s, struct conn_count *out);
/* Bytes that wait to leave. */
size_t session_unsent(const struct session *s);
/* Call `low` once, from a later turn, when fewer than this many do. */
void session_tell_low(struct session *s, size_t bytes);

/* Deliver nothing for now, for this reason; received bytes stay in the socket
 * until no reason is left. */
enum session_pause {
	SESSION_PAUSE_CALLS = 1,  /* too many run, or the server stops */
	SESSION_PAUSE_STREAMS = 2 /* too many parts wait */
};
void session_pause(struct session *s, enum session_pause why, bool pause);
void session_set_busy(struct session *s, bool busy);
/* Send what is queued, then close: closed with RK_ECANCELED. */
void session_drain(struct session *s);
/* Send what is queued, end this direction and wait for the peer's end, as
 * conn_finish(). */
void session_finish(struct session *s);
void session_abort(struct session *s, const struct rk_error *why);

/* Valid until closed has returned. */
const struct rk_peer *session_peer(const struct session *s);
/* Does the peer know what is rpckit's own (rpckit-protocol(7))?  False while it
 * is not known: over TLS and QUIC it is known from the start, elsewhere with
 * the first message from the peer. */
bool session_is_kin(const struct session *s);
/* May long calls come on ways of their own, in no order with the rest? */
bool session_has_apart(const struct session *s);
/* Was the peer's key recorded by this connection's trust decision? */
bool session_trust_added(const struct session *s);
/* How long the handshakes took, and the decision: only these of *out. */
void session_timing(const struct session *s, struct rk_timing *out);

/* session_verdict.c: does it wait for a decision?  Ask for that again: the
 * session opens, ends, or goes on to wait. */
bool session_waits(const struct session *s);
void session_ask_again(struct session *s);
/* One that waits goes: the CA that vouched for it is not ours any more. */
void session_turn_away(struct session *s);
/* End it if its peer has been rejected or revoked since, or is there for a time
 * that is over. */
void session_check_stay(struct session *s);
/* Is it there for a time? */
bool session_is_timed(const struct session *s);

/* End it if its certificate is on the CA's revocation list as that is now
 * (step "revocation"). */
void session_check_list(struct session *s);
/* Did one of these two end it?  Peers can say the same of us. */
bool session_was_put_out(const struct session *s);

/* session_trust.c, what follows.
 *
 * Must the peer show a certificate in this mode?  Then what of the one that it
 * has proven, after the handshake? */
bool session_needs_proof(const struct session_trust *t);
RK_MUST enum rk_err session_judge(const struct session_trust *t,
    struct rk_bytes leaf, bool resumed, struct rk_cert_info *info,
    struct rk_error *err);
/* Is a certificate that was let through on the revocation list by now?
 * RK_EREVOKED. */
RK_MUST enum rk_err session_judge_list(const struct session_trust *t,
    struct rk_bytes leaf, const struct rk_cert_info *info,
    struct rk_error *err);
/* session_key.c: the same of a session's key, once it is proven, and a
 * sess_verify_fn.  RK_EUNKNOWNKEY: nobody vouches for it, and there is no list;
 * RK_EMODE and others: the keys that are believed cannot be read. */
RK_MUST enum rk_err session_judge_key(const struct session_trust *t,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_cert_info *info,
    struct rk_error *err);
enum rk_err session_verify_key(
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_error *err, void *arg);
/* Is the certificate that will be shown one for this end?  RK_ECERT: every peer
 * would refuse it. */
RK_MUST enum rk_err session_check_own(
    const struct session_trust *t, struct rk_error *err);
/* tls_verify_fn for both ends; arg is a struct session_trust.  The second is
 * about sessions to be resumed: of a key that would be recorded, none is. */
enum rk_err session_verify(
    const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg);
enum rk_err session_resume(
    const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg);

#endif
