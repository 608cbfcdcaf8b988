/* The server: listeners, methods, calls, and how to answer them. */
#ifndef RPCKIT_SERVER_H
#define RPCKIT_SERVER_H

#include <rpckit/loop.h>
#include <rpckit/message.h>
#include <rpckit/psk.h>
#include <rpckit/trust.h>

RK_BEGIN

struct rk_server;
struct rk_call;
struct rk_sshkeys;

/* How TLS proves peers, on both ends (rpckit-trust(7)). */
enum rk_tls_mode {
	RK_TLS_MUTUAL,      /* both ends show a certificate: the default */
	RK_TLS_SERVER_ONLY, /* the server proves itself, the client is nobody */
	RK_TLS_SKIP_VERIFY  /* encrypted, nobody is authenticated: warns */
};

/* Milliseconds; 0 takes the default in brackets, RK_NEVER switches off. */
#define RK_NEVER UINT64_MAX
struct rk_timeouts {
	uint64_t connect;   /* name, TCP and all addresses together [10 s] */
	uint64_t handshake; /* from the first byte to trusted [10 s] */
	uint64_t read;      /* a frame once begun is whole [30 s], and 1 more
	                     * for each byte of it that has come */
	uint64_t write;     /* bytes wait and none leaves [30 s] */
	uint64_t idle;      /* nothing either way, no call running [5 min] */
};

/* The least of dead_peer, in clients and servers. */
#define RK_DEAD_PEER_MIN 4000

/* Of rk_server_conf.retry_from. */
#define RK_RETRY_ALWAYS 1u
#define RK_RETRY_NEVER UINT32_MAX

/* How QUIC shares a path with others: TCP has the system's way. */
enum rk_congestion {
	RK_CONGESTION_CUBIC, /* backs off at every loss: the default */
	RK_CONGESTION_BBR /* follows the rate that arrives: for lossy paths */
};

/*
 * Early data: a client that comes back may send calls with the first bytes of
 * its handshake, before the server can know that they are not a recording that
 * somebody else plays.  So only calls that both ends marked `idempotent` go and
 * run then; all others wait for the end of the handshake (rpckit-trust(7)).
 */
enum rk_early {
	RK_EARLY_MARKED, /* what is marked: the default */
	RK_EARLY_OFF     /* nothing */
};

struct rk_server_conf {
	size_t size;                  /* sizeof(struct rk_server_conf) */
	struct rk_loop *loop;         /* required: listeners and loop 0 */
	unsigned threads;             /* further loops, one thread each [0] */
	const struct rk_ident *ident; /* required for TLS; borrowed */
	struct rk_trust *trust;       /* NULL: RK_TRUST_OFF; borrowed */
	enum rk_tls_mode tls_mode;
	struct rk_timeouts timeouts;
	unsigned max_conns;      /* in all [4096] */
	unsigned max_unproven;   /* not yet trusted, hard limit [512] */
	unsigned max_per_source; /* unproven of one /24 or /56 [16] */
	unsigned max_calls;      /* running of one connection [1024] */
	/* Unsent bytes of one connection: no more requests are taken of it
	 * then.  Answers of those that run may exceed it by 64 MiB; who has
	 * not read so many is cut off. */
	size_t max_queue; /* [4 MiB] */
	/* QUIC: from so many handshakes under way at a time on, a client has to
	 * prove its address first, which costs it a round trip; or one of
	 * RK_RETRY_ALWAYS, RK_RETRY_NEVER [64] */
	unsigned retry_from;
	enum rk_congestion congestion; /* of QUIC */
	enum rk_early early;
	/*
	 * A file of 32 secret bytes, made where there is none (mode 0600).
	 * Servers with the same file, and the same certificate, resume one
	 * another's sessions, and one that starts again its own; it can also
	 * tell the QUIC peers of the last that their connections are gone.
	 * NULL: random, gone with the server.  It can still tell those at the
	 * same address of the same machine, by the same key, if that is not
	 * elsewhere; others wait.
	 */
	const char *seed;
	/* For methods with `work`: threads [0: none, and no such methods] and
	 * how many calls, with their payloads, may wait for one [256]. */
	unsigned work_threads; /* at most 256 */
	unsigned max_work;
	/* Bytes of pushes under way, of all connections, that the server keeps
	 * beside the connections' queues; see rpckit/push.h [64 MiB] */
	size_t max_push;
	/* May this peer subscribe to this subject?  NULL: every trusted peer.
	 * The connection's loop. */
	bool (*may_subscribe)(
	    const struct rk_peer *peer, struct rk_str subject, void *arg);
	void *subscribe_arg;
	/* ms: a message that nobody answers, after so long without another of
	 * ours, as rpc25519 has it [0: off].  QUIC has its own. */
	uint64_t keepalive;
	/*
	 * ms, at least RK_DEAD_PEER_MIN [0: off].  As that of clients
	 * (rpckit/client.h), while calls run.  Off unless asked for, since a
	 * client program may leave its loop alone for any time, and then is not
	 * dead.
	 */
	uint64_t dead_peer;
	/*
	 * ms that a client whose key waits for a decision (rpckit/ask.h) is
	 * kept, unread; RK_NEVER: no longer than it wants [25 s, less than the
	 * 30 s that clients wait for answers unless told].
	 */
	uint64_t trust_wait;
	/*
	 * Pre-shared keys (rpckit/psk.h): every connection, over any transport,
	 * has to prove one of them, and certificates inside of it as tls_mode
	 * says, also where there is no TLS.  There is no early data then.
	 * Kept alive by the server.  NULL: none.
	 */
	struct rk_psks *psks;
	/* Over sessions (rpckit-session(7)): who the server is, NULL: the key
	 * of ident; and clients that are believed, beside those that `trust`
	 * knows.  Without both nobody is.  Borrowed, and kept alive. */
	const struct rk_key *session_key;
	struct rk_sshkeys *session_peers;
	/* Once, on loop 0: the last of the peers that were handed over
	 * (fd:N) has gone, and the server listens nowhere, so that nobody can
	 * come any more.  NULL: nobody is told. */
	void (*deserted)(void *arg);
	void *deserted_arg;
};

/*
 * Answer a call.  Entered on the loop of the call's connection, in one of the
 * loop threads.  Answer with exactly one of rk_call_reply(), rk_call_fail()
 * now, or rk_call_defer() and answer later.  A one-way call is answered the
 * same way; nothing is sent.  Returning without any of these answers with an
 * empty reply.
 */
typedef void rk_handler_fn(struct rk_call *call, void *arg);

/*
 * Answer a call and take the time it needs: disk, database, arithmetic.
 * Entered on one of conf.work_threads threads, which belong to the server;
 * several may be in the same function at once.  Answer once with rk_job_reply()
 * or rk_job_fail() before returning, or with neither for an empty reply.  What
 * was canceled, or whose deadline passed, before a thread was free is never
 * entered, and its caller told.
 */
struct rk_job;
typedef void rk_work_fn(struct rk_job *job, void *arg);

/* Open a stream; see rpckit/stream.h.  Loop of the call's connection. */
struct rk_stream;
typedef void rk_stream_fn(struct rk_stream *s, void *arg);
struct rk_typed;

struct rk_method {
	const char *name;  /* 1 to RK_NAME_MAX bytes; copied */
	const char *about; /* one line for people, may be NULL; copied */
	const char *args;  /* what the payload is: free text, may be NULL */
	const char *reply; /* what the reply is: free text, may be NULL */
	rk_handler_fn *fn; /* this, `work`, `stream` or `typed`: one of them */
	void *arg;
	/* May this peer call it?  NULL: every trusted peer.  Loop thread. */
	bool (*allow)(const struct rk_peer *peer, void *arg);
	/* Harmless when executed twice: may run early (enum rk_early). */
	bool idempotent;
	rk_work_fn *work;
	rk_stream_fn *stream;
	unsigned streams; /* with it: kinds, enum rk_stream_kind, or-ed */
	/* With structs for argument and reply (rpckit/typed.h); borrowed until
	 * `retired` of the set. */
	const struct rk_typed *typed;
	/* Names of fields of the argument, comma-joined, which are nobody's
	 * business: clients keep them from screens and files.  May be NULL;
	 * copied. */
	const char *secret;
};

/* No I/O but for conf.seed.  RK_EINVAL (what, in err), RK_ENOMEM; RK_EIO,
 * RK_EMODE, RK_EFORMAT: the seed's file. */
RK_API RK_MUST enum rk_err rk_server_new(const struct rk_server_conf *conf,
    struct rk_server **out, struct rk_error *err);

/*
 * Serve these methods and the built-in ones (_.ping, _.methods, _.describe,
 * _.subscribe, _.unsubscribe, _.next_keys)
 * from now on; replaces the whole set, also while running (calls that run keep
 * their handlers).  `retired` (may be NULL) is called with `arg` on loop 0 when
 * no loop can enter the handlers of this set any more, and at free.
 * Loop 0 thread.  RK_EINVAL (also for `work` without conf.work_threads),
 * RK_EEXIST (a name twice), RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_server_methods(struct rk_server *server,
    const struct rk_method *methods, size_t n, void (*retired)(void *arg),
    void *arg, struct rk_error *err);

/*
 * Use another identity and trust for connections from now on.  `retired` (may
 * be NULL) is called with `arg` on loop 0 when no connection uses these any
 * more because others have taken their place, and at free.  Where a store
 * belongs to the list (rpckit/ask.h) its audit gets a line about another mode;
 * if that cannot be written, nothing changes, unless the mode is to lock.
 * Loop 0.
 */
RK_API RK_MUST enum rk_err rk_server_identity(struct rk_server *server,
    const struct rk_ident *ident, struct rk_trust *trust,
    void (*retired)(void *arg), void *arg, struct rk_error *err);

/*
 * Use other pre-shared keys (NULL: none) for connections under the next
 * rk_server_identity(), which checks them.  Loop 0.
 */
RK_API void rk_server_psks(struct rk_server *server, struct rk_psks *psks);

/*
 * Listen at "tls://host:port", "quic://host:port", "tcp://host:port",
 * "unix:///path", or for sessions (rpckit-session(7)), which need no
 * certificates, "ssh+tcp://host:port", "ssh+udp://host:port",
 * "ssh+unix:///path" (port 0: the kernel chooses); or serve one peer, over a
 * session, at a descriptor that is taken over: "fd:N" (a stream socket, or one
 * of the two that socketpair(2) gives) or "fd:N,M" (pipes, to read and to
 * write).  url_out (may be NULL) receives the real address in the same form.
 * Loop 0, before rk_server_start(). RK_EINVAL, RK_ERESOLVE, RK_EUNSUPPORTED
 * (QUIC in a build that has none), RK_EIO (errno in err->sys: EADDRINUSE,
 * EACCES, ...).
 */
RK_API RK_MUST enum rk_err rk_server_listen(struct rk_server *server,
    const char *url, char url_out[128], struct rk_error *err);
/*
 * Take over a socket that somebody else made (systemd): one that listens, for
 * scheme "tls", "tcp" or "unix"; a bound UDP socket for "quic" or "ssh+udp".
 * One of another user's cannot be joined by others: the loop of conf.loop
 * serves it alone. What is refused (RK_EINVAL, RK_ESTATE, RK_EUNSUPPORTED)
 * stays the caller's.
 */
RK_API RK_MUST enum rk_err rk_server_listen_fd(struct rk_server *server,
    const char *scheme, int fd, char url_out[128], struct rk_error *err);

/* Accept from now on, and start the threads of conf.threads and
 * conf.work_threads.  Loop 0. */
RK_API RK_MUST enum rk_err rk_server_start(
    struct rk_server *server, struct rk_error *err);
/*
 * Stop accepting and taking new calls; let running calls end for at most
 * grace_ms, then close every connection and join the threads.  done (may be
 * NULL) is called once on loop 0; after it no callback of the server is
 * entered.  A second call shortens the grace.  Over QUIC who has been sent all
 * and confirms nothing is waited for a second (or 3 times what its path takes,
 * if that is more), not for the whole grace.  A `work` function that runs
 * longer is waited for, without blocking the loop; it should ask
 * rk_job_is_canceled().  Loop 0.
 */
RK_API void rk_server_stop(struct rk_server *server, uint64_t grace_ms,
    void (*done)(void *arg), void *arg);
/* After done, or before start.  Not in a callback of the server.  Loop 0. */
RK_API void rk_server_free(struct rk_server *server);

struct rk_server_stats {
	uint64_t conns;    /* open now */
	uint64_t accepted; /* since start */
	uint64_t refused;  /* by gate, TLS or trust */
	uint64_t calls;    /* begun since start */
	uint64_t running;  /* now */
};
/* A snapshot; counters of different loops may be moments apart.  Any thread. */
RK_API void rk_server_stats(
    const struct rk_server *server, struct rk_server_stats *out);

/* ---- inside a handler: the loop thread of the call ---- */

/* Borrowed until the handler returns (rk_call_defer() does not extend it). */
RK_API const struct rk_header *rk_call_header(const struct rk_call *call);
RK_API struct rk_bytes rk_call_payload(const struct rk_call *call);
/* Valid until the call is answered. */
RK_API const struct rk_peer *rk_call_peer(const struct rk_call *call);
RK_API bool rk_call_is_oneway(const struct rk_call *call);
/* Milliseconds left to the caller's deadline; RK_NEVER without one. */
RK_API uint64_t rk_call_time_left(const struct rk_call *call);
RK_API struct rk_server *rk_call_server(const struct rk_call *call);
/*
 * Did it come before the handshake had ended?  Then the handler runs before it
 * is certain that the caller is there now.  Always false for methods that are
 * not marked idempotent: their handlers run when that is certain.
 */
RK_API bool rk_call_is_early(const struct rk_call *call);

/*
 * Go on when the caller is certainly there: fn is called once, on the loop
 * thread, with RK_OK; at once (from inside rk_call_confirm()) where that is
 * certain already.  Until then the call is deferred, as by rk_call_defer().
 * Anything but RK_OK: it will never be, as the call was cancelled (RK_ETIMEOUT:
 * its deadline, RK_ECLOSED: the connection, RK_ECANCELED); that comes instead
 * of the cancel callback.  Either way fn, or somebody later, answers the call.
 * Returns RK_ESTATE when it is answered already; RK_ENOMEM: the caller was
 * told and the call is gone; fn is called for neither.
 */
typedef void rk_confirm_fn(struct rk_call *call, enum rk_err r, void *arg);
RK_API RK_MUST enum rk_err rk_call_confirm(
    struct rk_call *call, rk_confirm_fn *fn, void *arg);

/*
 * Answer; the call is gone when these return, whatever they return.
 * RK_ETOOBIG: the caller was told so instead.  RK_ECLOSED: nobody listens.
 */
RK_API enum rk_err rk_call_reply(
    struct rk_call *call, const void *payload, size_t len);
/* Answer with an error text (and a payload, which may be empty). */
RK_API enum rk_err rk_call_fail(
    struct rk_call *call, const char *text, const void *payload, size_t len);

/*
 * Answer later.  Returns the call's id for rk_server_reply() from any thread
 * (0: out of memory; the caller was told and the call is gone); on the loop
 * thread the pointer stays usable as well until the call is answered or the
 * server is freed.  Every deferred call must be answered once, also after its
 * cancel callback: that is what releases it.
 */
RK_API uint64_t rk_call_defer(struct rk_call *call);

enum rk_cancel_why {
	RK_CANCEL_CALLER,   /* the caller asked */
	RK_CANCEL_DEADLINE, /* its deadline passed */
	RK_CANCEL_CLOSED,   /* the connection is gone */
	RK_CANCEL_OPERATOR  /* _.cancel of a control (control.h) */
};
/*
 * Be told, at most once, on the loop thread, that nobody needs the answer.  Of
 * RK_CANCEL_OPERATOR the caller has been told by then: "canceled by an
 * operator" is its answer, whatever the handler's is.
 */
typedef void rk_cancel_fn(uint64_t id, enum rk_cancel_why why, void *arg);
RK_API void rk_call_on_cancel(
    struct rk_call *call, rk_cancel_fn *fn, void *arg);

/*
 * Answer the deferred call `id`, from any thread: payload and error (NULL:
 * success) are copied and posted to its loop.  An id that is answered already
 * or unknown is ignored there.  RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_server_reply(struct rk_server *server,
    uint64_t id, const char *error, const void *payload, size_t len);

/* ---- inside a `work` function: its thread ---- */

/* Valid until it returns. */
RK_API struct rk_bytes rk_job_payload(const struct rk_job *job);
RK_API struct rk_str rk_job_subject(const struct rk_job *job);
RK_API const struct rk_args *rk_job_args(const struct rk_job *job);
RK_API const struct rk_peer *rk_job_peer(const struct rk_job *job);
RK_API bool rk_job_is_oneway(const struct rk_job *job);
/* Milliseconds left to the caller's deadline; RK_NEVER without one. */
RK_API uint64_t rk_job_time_left(const struct rk_job *job);
/* Nobody needs the answer any more: the caller canceled or is gone, the
 * deadline passed, or the server was told to stop and its grace is over. */
RK_API bool rk_job_is_canceled(const struct rk_job *job);
RK_API struct rk_server *rk_job_server(const struct rk_job *job);
/* Answer; sent when the function returns.  RK_ESTATE: answered already;
 * RK_ETOOBIG, RK_ENOMEM: the caller is told so instead. */
RK_API enum rk_err rk_job_reply(
    struct rk_job *job, const void *payload, size_t len);
RK_API enum rk_err rk_job_fail(
    struct rk_job *job, const char *text, const void *payload, size_t len);

RK_END

#endif
