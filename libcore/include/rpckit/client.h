/* The client: one connection, three forms of every call. */
#ifndef RPCKIT_CLIENT_H
#define RPCKIT_CLIENT_H

#include <rpckit/server.h>

RK_BEGIN

/*
 * A client lives on one loop: the user's (conf.loop), or one of its own that
 * it runs inside the blocking calls.  All functions: that loop's thread (for a
 * private loop: one thread at a time).
 */
struct rk_client;
struct rk_again;

struct rk_client_conf {
	size_t size; /* sizeof(struct rk_client_conf) */
	/* "quic://host:port" "tls://" "tcp://" "unix://", and over sessions
	 * "ssh+tcp://" "ssh+udp://" "ssh+unix://" "fd:N" (see
	 * rk_server_listen()); "tls+srv://name" and others: rpckit/again.h. */
	const char *url;
	struct rk_loop *loop;         /* NULL: one of its own */
	const struct rk_ident *ident; /* required for TLS; borrowed */
	struct rk_trust *trust;       /* known servers; NULL: RK_TRUST_OFF */
	enum rk_tls_mode tls_mode;
	struct rk_timeouts timeouts;
	uint64_t call_timeout; /* ms, of calls that set none [30 s] */
	unsigned max_pending;  /* calls without an answer [65536] */
	size_t max_queue;      /* unsent bytes [4 MiB + one message] */
	/*
	 * Called once when the connection has ended or could not be made (also
	 * by rk_client_shutdown(), with RK_ECANCELED), after every call
	 * has completed, but streams that are paused and have their answer.
	 * May be NULL.  With `again`: when no other will be.
	 */
	void (*closed)(
	    struct rk_client *c, const struct rk_error *why, void *arg);
	void (*connected)(struct rk_client *c, void *arg);
	/* A message that answers no call (a push); NULL: dropped. */
	void (*pushed)(struct rk_client *c, const struct rk_header *hdr,
	    struct rk_bytes payload, void *arg);
	void *arg;
	/*
	 * QUIC: dial from the UDP port of this server's first quic:// address
	 * that can reach the other end, instead of a port of one's own; the
	 * peer then sees where it can call back.  conf.loop is the server's
	 * loop, and the server outlives the client.  NULL: do not.
	 */
	struct rk_server *from;
	enum rk_congestion congestion; /* of QUIC; of `from`, its server's */
	/* RK_EARLY_MARKED: when a session is resumed, calls that are marked
	 * idempotent and submitted before the connection is open go with the
	 * first bytes of the handshake. */
	enum rk_early early;
	/* What to do when the connection is lost, and further addresses:
	 * rpckit/again.h; copied.  NULL: it ends the client. */
	const struct rk_again *again;
	/* ms: a message that nobody answers, after so long without another of
	 * ours, as rpc25519 has it [0: off].  QUIC has its own. */
	uint64_t keepalive;
	/*
	 * ms, at least RK_DEAD_PEER_MIN, RK_NEVER: off [30 s].  While calls
	 * wait for answers, a server that is rpckit and silent for half of this
	 * is asked whether it is there; if nothing comes for the other half,
	 * the connection ends with RK_ETIMEOUT, and so do the calls.  A server
	 * that does not read for now says so, and is not taken for dead.
	 * Before its first message it may wait for its operator to decide about
	 * our key: until then this is 90 s, if that is more.
	 */
	uint64_t dead_peer;
	/* Pre-shared keys: the first is proven inside whatever transport, and
	 * must be by the server; see rk_server_conf.  Kept alive. */
	struct rk_psks *psks;
	/* Over sessions (rpckit-session(7)): who I am, NULL: the key of ident;
	 * and servers that are believed, beside those that `trust` knows.
	 * Without both nobody is.  Borrowed, and kept alive. */
	const struct rk_key *session_key;
	struct rk_sshkeys *session_peers;
};

/* No I/O.  RK_EINVAL with the reason, RK_EUNSUPPORTED, RK_ENOMEM. */
RK_API RK_MUST enum rk_err rk_client_new(const struct rk_client_conf *conf,
    struct rk_client **out, struct rk_error *err);
/*
 * Begin to connect; `connected` or `closed` tells.  Calls submitted meanwhile
 * wait.  A numeric host never blocks; a name is looked up by the system's
 * resolver on this thread.  After `closed` it may be started again: TLS then
 * resumes the session.  RK_ESTATE when started already.
 */
RK_API RK_MUST enum rk_err rk_client_start(
    struct rk_client *c, struct rk_error *err);
/* Blocking: start, and run the private loop until trusted or failed. */
RK_API RK_MUST enum rk_err rk_client_connect(
    struct rk_client *c, struct rk_error *err);

struct rk_request {
	const char *method; /* 1 to RK_NAME_MAX bytes */
	const void *payload;
	size_t payload_len;        /* at most RK_PAYLOAD_MAX */
	const char *subject;       /* may be NULL */
	const struct rk_arg *args; /* may be NULL */
	size_t n_args;             /* at most RK_ARGS_MAX */
	/* Milliseconds, 0: conf.call_timeout.  Set, it also travels in the
	 * header as the call's deadline (by the wall clock). */
	uint64_t timeout;
	bool full_header; /* send Created, From, To, Serial too */
	/*
	 * Harmless when executed twice: may go as early data (conf.early), up
	 * to 16 KiB of them, unless an unmarked call was submitted before it.
	 * Where the server does not take it early it is sent again.  One-way
	 * messages never go early.  With conf.again it is sent again when the
	 * connection was lost before its answer came.
	 */
	bool idempotent;
	/*
	 * The method is one of Go's net/rpc, "Service.Method"; the payload is
	 * one msgpack value, and so is the reply's.  Towards a peer that is not
	 * rpckit one such call is under way at a time and others wait for it,
	 * as its server mixes up those of one connection.  Never early; of
	 * rk_client_submit(), rk_client_call() and rk_client_call_typed().
	 */
	bool netrpc;
};

/* Why a call ended.  Views are valid inside the callback only (blocking form:
 * until rk_reply_free()). */
struct rk_reply {
	/*
	 * RK_OK; RK_EREMOTE: the handler failed, text in remote_error;
	 * RK_ENOMETHOD: text in hdr.subject; else a local error: RK_ETIMEOUT,
	 * RK_ECANCELED, RK_ECLOSED, RK_EPROTO.
	 */
	enum rk_err code;
	bool maybe_executed; /* on local errors: it may have run */
	struct rk_header hdr;
	struct rk_bytes payload;
	struct rk_str remote_error;
	/* Where the server has answered, in microseconds: until the request had
	 * left this process, until the answer began to come, until all of it
	 * was here.  Of calls at the same time they are about. */
	uint64_t send_us;
	uint64_t wait_us;
	uint64_t recv_us;
	void *owned; /* the library's */
};

typedef void rk_reply_fn(
    struct rk_client *c, const struct rk_reply *reply, void *arg);

/*
 * Callback form: fn is called exactly once, later, whatever happens.  id_out
 * (may be NULL) names the call for rk_client_cancel().  On any error return fn
 * will not be called: RK_EINVAL, RK_ETOOBIG, RK_ELIMIT (max_pending or
 * max_queue), RK_ESTATE (not started), RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_client_submit(struct rk_client *c,
    const struct rk_request *req, rk_reply_fn *fn, void *arg, uint64_t *id_out);
/* Blocking form, with a private loop.  Returns reply->code or an error of
 * rk_client_submit(); err (may be NULL) has the text.  Free the reply always.
 */
RK_API RK_MUST enum rk_err rk_client_call(struct rk_client *c,
    const struct rk_request *req, struct rk_reply *reply, struct rk_error *err);
RK_API void rk_reply_free(struct rk_reply *reply);
/* One way: queued for sending; no answer will come.  Errors as for submit. */
RK_API RK_MUST enum rk_err rk_client_send(
    struct rk_client *c, const struct rk_request *req);
/* Wait until everything queued has left this process.  Blocking form. */
RK_API RK_MUST enum rk_err rk_client_flush(
    struct rk_client *c, struct rk_error *err);
/*
 * Send what is queued, tell the server that no more comes, and wait at most
 * timeout_ms for it to close its end: whoever expects no answer learns so
 * whether the server took the connection.  (With TLS 1.3 it judges us after
 * our side is open.)  Pending calls end with RK_ECANCELED; the client is as
 * after rk_client_shutdown().  RK_OK: the server has read to the end and
 * closed in order.  RK_ESTATE: not connected; RK_ETIMEOUT; RK_ECLOSED: it
 * closed first, or not in order; RK_ECERT and others: it refused us.
 * Blocking form.
 */
RK_API RK_MUST enum rk_err rk_client_finish(
    struct rk_client *c, uint64_t timeout_ms, struct rk_error *err);
/* Tell the server, and complete the call with RK_ECANCELED (from the loop,
 * not from inside this call).  RK_ENOENT: no such call is pending. */
RK_API enum rk_err rk_client_cancel(struct rk_client *c, uint64_t id);

/* For a caller's own poll loop: wait for reading on the descriptor at most
 * that many milliseconds (-1: no limit), then process. */
RK_API int rk_client_fd(const struct rk_client *c);
RK_API int rk_client_wait_ms(const struct rk_client *c);
RK_API enum rk_err rk_client_process(struct rk_client *c);

/* The server as it has proven itself; NULL when not connected. */
RK_API const struct rk_peer *rk_client_peer(const struct rk_client *c);
/* As whom does the server at the other end of a unix:// socket listen?  False:
 * it is not known. */
RK_API bool rk_client_server_uid(const struct rk_client *c, uint32_t *uid);

/*
 * Ask the server which keys will follow its own.  fn is called exactly once,
 * later: with RK_OK, who was asked, and the keys, none or some, each proven
 * (rk_next_key_ok()), for rk_servers_next() of rpckit/servers.h; or with
 * RK_ENOMETHOD (a server that knows nothing of it), RK_ETAMPERED (it has
 * answered, and one is not proven), RK_EFORMAT (that answer is none), and what
 * ends calls, which is neither of these.
 * Returns RK_ESTATE: not connected; RK_EUNSUPPORTED, and
 * asks nothing: the server has proven no key, or is none of rpckit's; errors
 * of rk_client_submit().
 */
typedef void rk_next_keys_fn(struct rk_client *c, enum rk_err r,
    const struct rk_peer *peer, const struct rk_next_key *keys, size_t n,
    void *arg);
RK_API RK_MUST enum rk_err rk_client_next_keys(
    struct rk_client *c, rk_next_keys_fn *fn, void *arg);

/* How long the phases of the last connect took, in microseconds. */
struct rk_timing {
	uint64_t resolve;
	uint64_t connect; /* of QUIC: addresses tried before the last one */
	uint64_t tls;     /* of QUIC: all of its handshake */
	uint64_t psk;     /* proving the pre-shared key; 0: without one */
	uint64_t trust;
	bool trust_added; /* the server's key was recorded by this connect */
	bool early; /* calls went as early data, and the server took them */
};
RK_API void rk_client_timing(const struct rk_client *c, struct rk_timing *out);

/* Close politely; pending calls end with RK_ECANCELED, then `closed`. */
RK_API void rk_client_shutdown(struct rk_client *c);
/*
 * Shuts down first if needed; callbacks run before it returns.  Inside a
 * callback (legal on a user's loop only) it returns at once and the end comes
 * in the turns that follow.  NULL is allowed.
 */
RK_API void rk_client_free(struct rk_client *c);

RK_END

#endif
