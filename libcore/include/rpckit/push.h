/* Push: what a server sends unasked, and how clients take it. */
#ifndef RPCKIT_PUSH_H
#define RPCKIT_PUSH_H

#include <rpckit/client.h>

RK_BEGIN

/*
 * A push is a one-way message from a server to clients that are connected
 * (rpckit-protocol(7)).  Nothing answers it.  What the server's program learns
 * is whether it has left this process: was given to the system or, over QUIC,
 * has arrived.  Whether a program took it, only an answer of that program can
 * tell.
 *
 * Pushes of one thread reach each connection in the order they were made.  With
 * answers they are in no order: what a handler pushes may come after its
 * answer.
 */

#define RK_TOPIC_MAX 255          /* bytes of a subject to subscribe to */
#define RK_SUBSCRIPTIONS_MAX 64   /* subjects a connection may subscribe to */
#define RK_PUSH_TIMEOUT 30000     /* ms, of pushes that set none */
#define RK_PUSH_BYTES (64u << 20) /* see rk_server_conf.max_push */

/* ---- the server's side ---- */

/*
 * The connection of this call, job or stream, as rk_server_push() and
 * rk_server_conns() name it.  Unique for the life of the server; never 0.
 */
RK_API uint64_t rk_call_conn_id(const struct rk_call *call);
RK_API uint64_t rk_job_conn_id(const struct rk_job *job);
RK_API uint64_t rk_stream_conn_id(const struct rk_stream *s); /* server's */

/*
 * Call fn for every client that is connected, trusted, and certain to be there
 * (rk_call_is_early()), oldest first.  peer is valid during the call.  fn must
 * not free the server.  Loop 0.
 */
typedef void rk_conn_fn(uint64_t conn, const struct rk_peer *peer, void *arg);
RK_API void rk_server_conns(
    const struct rk_server *server, rk_conn_fn *fn, void *arg);

enum rk_push_to {
	RK_PUSH_CONN,        /* one connection, by its id */
	RK_PUSH_FP,          /* every connection of this key, "SHA256:..." */
	RK_PUSH_EMAIL,       /* of certificates with this email address */
	RK_PUSH_SUBSCRIBERS, /* who subscribed to the push's subject */
	RK_PUSH_ALL          /* every connection */
};

struct rk_push_target {
	enum rk_push_to to;
	uint64_t conn;   /* of RK_PUSH_CONN */
	const char *who; /* of RK_PUSH_FP and RK_PUSH_EMAIL */
};

/*
 * What became of it for one connection: RK_OK: it has left this process;
 * RK_ETIMEOUT: not yet, when the time was over: it may still arrive;
 * RK_ECLOSED: the connection ended before, or was not there; RK_ELIMIT: too
 * much waits for this peer already (rk_server_conf.max_queue, which also limits
 * the size of a push) or for all of them (max_push), and nothing was sent;
 * RK_ENOMEM: the same.
 */
typedef void rk_push_each_fn(uint64_t conn, enum rk_err code, void *arg);

struct rk_push_report {
	size_t targets; /* connections it was for: the sum of the others */
	size_t sent;    /* RK_OK */
	size_t late;    /* RK_ETIMEOUT */
	size_t closed;  /* RK_ECLOSED */
	size_t refused; /* RK_ELIMIT, RK_ENOMEM */
};
typedef void rk_push_fn(const struct rk_push_report *report, void *arg);

struct rk_push {
	const char *subject; /* may be NULL */
	const char *call_id; /* of a call it belongs to; may be NULL */
	const char *method;  /* ToServiceName; may be NULL */
	const void *payload;
	size_t payload_len;        /* at most RK_PAYLOAD_MAX */
	const struct rk_arg *args; /* may be NULL */
	size_t n_args;             /* at most RK_ARGS_MAX */
	/* ms until it is told as late; 0: RK_PUSH_TIMEOUT; RK_NEVER: none but
	 * the end of the connection. */
	uint64_t timeout;
	/* Before `done`, with the same arg: each of the targets, but those for
	 * which there was no memory.  May be NULL. */
	rk_push_each_fn *each;
};

/*
 * Push to every connection that is a target at the moment its loop hears of
 * it.  Everything is copied.  done (may be NULL) is called exactly once, on the
 * thread of loop 0, never from inside this call, and before that of
 * rk_server_stop(); without targets too.  Neither callback may free the server.
 *
 * Nothing waits for a client without bound: a connection holds at most
 * max_queue bytes, and what is under way in all at most max_push.
 *
 * RK_EINVAL, RK_ETOOBIG; RK_ELIMIT: max_push is reached; RK_ESTATE: the server
 * does not run (any more); RK_ENOMEM: done will not be called.  Any thread.
 */
RK_API RK_MUST enum rk_err rk_server_push(struct rk_server *server,
    const struct rk_push_target *target, const struct rk_push *push,
    rk_push_fn *done, void *arg);

/* ---- the client's side ---- */

/* As conf.pushed.  It may subscribe, unsubscribe, and shut the client down. */
typedef void rk_pushed_fn(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg);

/*
 * Which pushes: those of a subject, or of a call id; one of them.  A push of
 * Go's SendMessage() has its subject elsewhere (rpckit-protocol(7)), and is
 * found nevertheless.
 */
struct rk_subscription {
	const char *subject; /* 1 to RK_TOPIC_MAX bytes, or NULL */
	const char *call_id; /* 1 to RK_TOPIC_MAX bytes, or NULL */
	/*
	 * Tell the server, by its method _.subscribe, whenever the connection
	 * opens, so that it sends us what is for RK_PUSH_SUBSCRIBERS.  For a
	 * subject.  Only for servers that have that method: one of rpc25519
	 * ends the connection.
	 */
	bool announce;
	rk_pushed_fn *fn; /* required */
	/* What came of telling the server, each time: RK_OK, or as of a call's
	 * reply.  May be NULL. */
	void (*announced)(
	    struct rk_client *c, const struct rk_reply *reply, void *arg);
	void *arg;
};

/*
 * From now on, and across connections until it is removed or the client freed,
 * give such pushes to s->fn; all subscriptions that fit are called, in the
 * order they were made.  Pushes that fit none go to conf.pushed.  Whether
 * connected or not; s is copied.  RK_EINVAL; RK_ENOMEM; and, where the server
 * is to be told now, as rk_client_submit().  The client's thread.
 */
RK_API RK_MUST enum rk_err rk_client_subscribe(
    struct rk_client *c, const struct rk_subscription *s, uint64_t *id_out);
/* Neither callback is called for it any more, and the server told if it was
 * told before and nobody else here wants it.  RK_ENOENT. */
RK_API enum rk_err rk_client_unsubscribe(struct rk_client *c, uint64_t id);

RK_END

#endif
