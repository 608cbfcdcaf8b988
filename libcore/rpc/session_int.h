/* The inside of a session, for the files of it. */
#ifndef RPCKIT_RPC_SESSION_INT_H
#define RPCKIT_RPC_SESSION_INT_H

#include "net/addr.h"
#include "rpc/alive.h"
#include "rpc/session.h"
#include "trust/policy.h"

struct session {
	struct conn *conn; /* NULL only before it was made */
	const struct session_events *events;
	void *arg;
	const struct session_trust *trust;
	struct buf body; /* of the last compressed message */
	unsigned paused; /* by the owner: enum session_pause, or-ed */
	bool full;       /* by ourselves: too much waits to be sent */
	bool is_kin;     /* the peer is rpckit, too */
	bool says_kin;   /* there is no ALPN: the next message says what we are,
	                    and the peer's tell what it is */
	bool introduced; /* the former is done */
	struct alive alive;
	bool has_apart; /* long messages may go on ways of their own */
	bool trust_added;
	bool timed;             /* let in for a time */
	bool put_out;           /* by what was decided since it was let in */
	uint64_t unsure;        /* since then (ms) it cannot be said whether it
	                           may stay; 0: it can */
	struct rk_timer *again; /* the list is held: it is asked again */
	uint64_t nap;           /* ms from this try to the next */
	uint64_t held_until;
	uint64_t wait;         /* ms that a decision may take; 0: none */
	struct room_seat seat; /* while it is waited for */
	uint64_t begun_us;
	uint64_t tls_us;
	uint64_t psk_us;
	uint64_t trust_begun_us;
	uint64_t trust_us;
	struct rk_peer *peer;
};

/* Is it over a session, whose peers prove keys and have no certificates? */
bool session_is_keyed(const struct session *s);
/* Does its layer tell the peer why it ends? */
bool session_is_telling(const struct session *s);
/* Do peers prove who they are on this connection, by what carries it? */
bool session_is_proving(const struct session *s);
/* What the handshake has agreed on. */
void session_describe_handshake(struct session *s);
/* conn_events.proven; session_verdict.c */
void session_on_proven(struct conn *c, void *arg);

/*
 * session_held.c: another program holds the list, or its store, and the verdict
 * needs more than was read or has to write.  This peer waits for it, nobody
 * else; the verdict is asked for again and again, for a bounded time, then
 * `why` ends the connection.
 */
void session_wait_for_list(struct session *s, const struct rk_error *why);
bool session_waits_for_list(const struct session *s);
void session_held_fini(struct session *s);
/* session_verdict.c: the verdict, once more from the beginning. */
void session_judge_again(struct session *s);

#endif
