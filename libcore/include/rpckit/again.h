/* Reconnection: what a client does when its connection is lost. */
#ifndef RPCKIT_AGAIN_H
#define RPCKIT_AGAIN_H

#include <rpckit/client.h>

RK_BEGIN

/*
 * With rk_client_conf.again a client is started once and has one connection
 * after another, to one server or to several, until it is shut down or gives
 * up.  What then happens to calls:
 *
 * - Submitted while there is no connection: they wait, bounded by max_queue,
 *   max_pending and their own deadlines, as before the first one.
 * - Not sent when the connection was lost: they go out on the next one.  Not
 *   sent is a message of which not one byte had been taken from the client's
 *   own queue by what lies below: TLS, QUIC, or the kernel's socket.  Whatever
 *   was taken, even in part, may have been executed; over QUIC that is nearly
 *   everything at once.
 * - Those that may have been executed end at once with RK_ECLOSED and
 *   maybe_executed, unless they are marked idempotent: these are repeated, in
 *   the order they were submitted and before all others, each at most `repeats`
 *   times.  For this the client keeps copies of them until they are answered,
 *   which count as unsent bytes: beyond max_queue of copies, submitting another
 *   is RK_ELIMIT.
 * - One-way messages: those not sent go out; the others are never repeated.
 * - Streams end with their connection; subscriptions (rpckit/push.h) are told
 *   to each server.
 *
 * Each call completes exactly once, as always; maybe_executed is also true of a
 * call whose repetition was waiting when it ended.  A deadline that travels in
 * the header stays the same when a call goes out again; its call id does not.
 *
 * Final, and never tried again, is whatever has to do with who the other end is
 * (RK_ECERT, RK_EUNKNOWNKEY, RK_EREVOKED, RK_EDENIED, RK_EPSK, RK_ETLS), so
 * that nobody is asked again and again until someone else answers; and what
 * cannot get better (RK_EINVAL, RK_EUNSUPPORTED).
 *
 * conf.connected is called for each connection, `lost` when one is lost or
 * could not be made, and conf.closed once, at the end: with RK_ECANCELED after
 * rk_client_shutdown(), with what was final, or with the last failure when
 * `attempts` are over.
 *
 * The blocking forms wait for the next connection where they would have sent
 * at once: rk_client_connect() until trusted or closed, rk_client_call() until
 * the call ends, which is its deadline's at the latest.  rk_client_call() first
 * looks whether the connection has been lost since the last call, so that a
 * client that was silent does not send into one whose end the kernel knows of.
 * rk_client_start() and rk_client_connect() fail only for what is final.
 */

/* Where to begin when there are several addresses.  All are tried, one at once
 * after another, before there is a pause. */
enum rk_again_order {
	RK_AGAIN_FIRST,  /* at the first: the others stand by [default] */
	RK_AGAIN_IN_TURN /* at the one after that of the last connection */
};

struct rk_again_loss {
	const struct rk_error *why;
	const char *url;  /* which address it was, escaped */
	uint64_t next_ms; /* so long is the pause before the next try */
	unsigned rounds;  /* through all addresses, since the last connection */
	bool was_open;    /* the server had been trusted */
};

struct rk_again {
	size_t size; /* sizeof(struct rk_again) */
	/*
	 * Milliseconds.  The first pause is between half of first_ms and all of
	 * it, by chance; each one is about twice the last, up to max_ms.  They
	 * begin anew after a connection that lasted max_ms.
	 */
	uint64_t first_ms; /* [100] */
	uint64_t max_ms;   /* [30 s] */
	/* Rounds through all addresses that failed since the last connection,
	 * before the client gives up [0: it never does]. */
	unsigned attempts;
	unsigned repeats; /* of one idempotent call [3] */
	/* Further addresses besides conf.url, each of any form; copied. */
	const char *const *urls;
	size_t n_urls; /* at most RK_AGAIN_URLS_MAX */
	enum rk_again_order order;
	/*
	 * When nothing came from the server for this long, it is asked for
	 * _.ping; not one byte within the same time again is a lost connection
	 * (RK_ETIMEOUT), and the next address's turn, as after any other
	 * timeout [0: never].  While the question waits for longer messages to
	 * leave, and they do, it goes on.  Servers of rpc25519 answer that they
	 * have no _.ping, and close the connection for it.
	 * It also keeps a connection that nobody uses: one that ends because it
	 * was idle is lost as any other.
	 */
	uint64_t health_ms;
	/*
	 * There is no connection: one is lost, or could not be made at any
	 * address.  After the callbacks of the calls that ended with it; arg is
	 * conf.arg.  May call what any callback may, rk_client_shutdown() too.
	 * NULL: nobody is told.
	 */
	void (*lost)(
	    struct rk_client *c, const struct rk_again_loss *loss, void *arg);
};
#define RK_AGAIN_URLS_MAX 15

/*
 * Addresses by DNS (RFC 2782), here and in conf.url: "tls+srv://name" and
 * "tcp+srv://name" are the hosts and ports of _rpckit._tcp.NAME,
 * "quic+srv://name" those of _rpckit._udp.NAME, in the order that priorities
 * ask for and chance by weight.  They are asked for again before each round, by
 * the system's resolver, on the client's thread, which waits.  What the DNS
 * says is not believed: whoever answers there has to prove its key as ever.
 * Without `again` all are tried once.
 */

RK_END

#endif
