/* The inside of a server: who owns what, and on which loop. */
#ifndef RPCKIT_RPC_SERVER_INT_H
#define RPCKIT_RPC_SERVER_INT_H

#include "net/addr.h"
#include "net/loop.h"
#include "net/psk.h"
#include "net/quic.h"
#include "net/sess_layer.h"
#include "net/tls.h"
#include "net/udp_end.h"
#include "rpc/call_note.h"
#include "rpc/figures.h"
#include "rpc/gate.h"
#include "rpc/idmap.h"
#include "rpc/mail.h"
#include "rpc/methods.h"
#include "rpc/overtaken.h"
#include "rpc/push.h"
#include "rpc/session.h"
#include "rpc/stream.h"
#include "rpc/subs.h"

#include <rpckit/ask.h>

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/types.h>

/*
 * Loop 0 is the user's: it owns listeners, the gate, the credentials and every
 * count that limits depend on.  Each worker owns its connections and their
 * calls.  They tell one another by letters, of which each lies in what it is
 * about, so that none needs memory; the only things both touch are the atomic
 * counters, and method sets, which are immutable.
 */

/* Who we are and whom we believe, for the connections made under it. */
struct creds {
	TAILQ_ENTRY(creds) link;
	struct rk_server *server;
	struct session_trust trust;
	struct rk_ask_watch *watch;  /* of its decisions; NULL: no trust */
	struct tls_ctx *tls;         /* NULL: no identity, no TLS */
	struct quic_tls_ctx *quic;   /* the same, and where there is QUIC */
	struct psk_conf psk;         /* without keys: there is no such layer */
	struct sess_layer_conf sess; /* without a key: there are no sessions */
	void (*retired)(void *arg);
	void *arg;
	size_t users;          /* connections; loop 0 counts */
	uint64_t list_version; /* of the revocation list that was seen last */
	bool list_was_seen;    /* it was asked about those who are not here */
	bool list_is_bad;      /* and was told about */
	bool store_is_bad;     /* of decisions: the same */
	/* What is in force now has another CA: nobody waits under this one. */
	atomic_bool other_ca;
};
TAILQ_HEAD(creds_list, creds);

struct listener {
	TAILQ_ENTRY(listener) link;
	struct rk_server *server;
	enum addr_scheme scheme;
	int fd;
	struct rk_watch *watch;
	struct addr bound;
	bool passed; /* the socket was made by somebody else */
	bool made;   /* by us: a unix path is ours to remove, */
	dev_t dev;   /* as long as this is what it names */
	ino_t ino;
};
TAILQ_HEAD(listener_list, listener);

/* A peer at descriptors, to be served from the start. */
struct inherited {
	TAILQ_ENTRY(inherited) link;
	int fds[2];
};
TAILQ_HEAD(inherited_list, inherited);

/* A worker's socket of an address with many peers behind it; all of them share
 * the port. */
struct udp_port {
	struct worker *worker;
	struct udp_ports *all;
	void *end;          /* server_udp_kinds.c */
	int fd;             /* until the endpoint has it; else -1 */
	atomic_uint strays; /* packets on their way here from other sockets */
	atomic_size_t stray_bytes;
};

struct udp_ports {
	TAILQ_ENTRY(udp_ports) link;
	enum addr_scheme scheme; /* ADDR_QUIC, ADDR_SSH_UDP */
	struct addr bound;
	bool passed;            /* the socket was made by somebody else */
	size_t n;               /* one, or as many as workers and ids go */
	struct udp_port port[]; /* by the worker's index */
};
TAILQ_HEAD(udp_ports_list, udp_ports);

struct pool;
struct admission;
struct server_conn;
TAILQ_HEAD(conn_list, server_conn);
TAILQ_HEAD(call_list, rk_call);
TAILQ_HEAD(method_sets, methods);

/* One loop and what lives on it. */
struct worker {
	struct rk_server *server;
	unsigned index;
	struct rk_loop *loop;
	struct mailbox *box;
	struct mail stop;      /* to it */
	struct mail kill;      /* to it */
	struct mail acked;     /* to loop 0: it has begun to stop */
	struct mail decided;   /* to it: about some key */
	struct mail listed;    /* to it: the revocation list has changed */
	struct rk_timer *look; /* at the list, while somebody waits */
	bool has_thread;
	pthread_t thread;
	struct methods *methods;
	struct conn_list conns;
	struct idmap deferred; /* call id to rk_call */
	uint64_t next_call;
	struct idmap present; /* id to server_conn, open ones */
	uint64_t next_conn;
	struct subs subs;       /* of its connections */
	struct call_list spare; /* rk_call structs for reuse */
	size_t n_spare;
	bool stopping;
	struct call_notes notes;
	uint64_t bytes_in; /* of connections that have ended */
	uint64_t bytes_out;
	atomic_size_t n_conns; /* raised by loop 0, for balance */
	atomic_ullong calls;   /* the rest: written by the worker only */
	atomic_ullong running;
};

enum server_state {
	SERVER_NEW,
	SERVER_RUNNING,
	SERVER_STOPPING,
	SERVER_STOPPED
};

/* Lines that peers can cause, of which the log takes only so many. */
struct log_budget {
	uint64_t second;  /* in which */
	unsigned lines;   /* were written, */
	unsigned dropped; /* and these not */
};

struct rk_server {
	struct rk_server_conf conf; /* defaults filled in */
	struct rk_loop *loop;
	enum server_state state;
	struct creds_list creds; /* the newest is first and in force */
	struct listener_list listeners;
	struct inherited_list inherited;
	struct udp_ports_list ports; /* freed at the very end */
	struct seed *seed;           /* of all keys that must be shared */
	struct replay *replay;       /* NULL: no early data */
	struct method_sets sets;     /* all that are not retired */
	struct gate gate;
	struct rk_timer *retry; /* accept again after a shortage */
	struct rk_timer *grace; /* end of a drain */
	struct rk_timer *crl;   /* next look at the revocation list, or NULL */
	atomic_uint n_listed;   /* letters about who is on it, under way */
	uint64_t grace_at;      /* when it is armed */
	struct mail stopped;    /* to loop 0, as are those below */
	struct mail unused;     /* some credentials may be */
	struct mail deserted;   /* sent once */
	struct pool *pool;      /* NULL: no method may wait */
	struct mail pool_ended;
	bool pool_runs;
	struct push_hub push;
	TAILQ_HEAD(, admission) present; /* certain to be there */
	TAILQ_HEAD(, server_watch) watches;
	struct figures_list figures;
	atomic_bool counts; /* of calls: somebody watches, */
	atomic_bool tells;  /* and wants to hear of each */
	bool own_uid_only;  /* local sockets: for root and our user */
	uint64_t first_ms;  /* for a peer's first message; 0: for ever */
	bool paused;        /* listeners are not watched */
	bool awaits_end;    /* of peers at descriptors, and of nobody else */
	size_t n_conns;     /* accepted and not yet reported closed */
	unsigned acks_due;  /* workers that have not begun to stop */
	void (*done)(void *arg);
	void *done_arg;
	atomic_ullong accepted;
	atomic_ullong refused;
	pthread_mutex_t log_lock; /* guards these */
	struct log_budget log_refusals;
	struct log_budget log_ends; /* of who was let in, by its own fault */
	unsigned n_workers;
	struct worker *workers;
};

/*
 * Who watches a server: told on loop 0 of what became of connections, from
 * inside of it, so that nothing may be changed there.  Belongs to the watcher;
 * any number, from before start to before free.
 */
struct server_watch {
	TAILQ_ENTRY(server_watch) link;
	void (*opened)(struct server_watch *w, const struct admission *a);
	void (*closed)(struct server_watch *w, const struct admission *a,
	    const char *why); /* one that was opened */
	void (*refused)(
	    struct server_watch *w, const char *remote, const char *why);
	/* Those that want each call: one began or ended; so many notes of that
	 * were left out.  May be NULL unless wants_calls. */
	void (*called)(struct server_watch *w, const struct call_note *n);
	void (*missed)(struct server_watch *w, uint64_t n);
	bool wants_calls; /* call_notes_settle() after a change */
	/* rk_server_identity(): who decides is another; may be NULL. */
	void (*replaced)(struct server_watch *w);
	/* The revocation list has a certificate of a key that the list of keys
	 * has, too: it was refused just now, and its owner has proven nothing,
	 * or is remembered.  May be NULL. */
	void (*listed)(struct server_watch *w, const struct rk_cert_info *info);
};

/*
 * A connection as loop 0 knows it, from its acceptance to its end.  Between
 * taking the first letter and sending the last it is the worker's.
 */
struct admission {
	struct mail take;    /* to the worker: here is one */
	struct mail waits;   /* to loop 0: proven, but not trusted */
	struct mail trusted; /* to loop 0 */
	struct mail present; /* to loop 0: no recording; after trusted */
	struct mail closed;  /* to loop 0, which frees it */
	struct worker *worker;
	struct layer
	    *top; /* until taken; or, over UDP, what to make it from: */
	struct udp_port *port;
	void *hello;
	struct creds *creds;
	enum addr_scheme scheme;
	uint64_t prefix;
	bool exempt;     /* from the gate */
	bool has_left;   /* the gate; loop 0's */
	bool was_open;   /* trusted */
	bool is_present; /* in the server's list; loop 0's */
	bool put_out;    /* its end: session_was_put_out() */
	TAILQ_ENTRY(admission) link;
	uint64_t id;         /* fixed from trusted on, as is peer */
	struct rk_peer peer; /* the session's, and loop 0 may read it then */
	struct rk_error why; /* of its end */
	char remote[ADDR_TEXT_LEN];
};

#define CALL_ERROR_LEN 160 /* of an error that is remembered */

/* One peer, on a worker. */
struct server_conn {
	TAILQ_ENTRY(server_conn) link;
	struct worker *worker;
	struct session *session;     /* NULL once closed */
	struct admission *admission; /* the same */
	struct loop_hook gone;       /* when the session's memory is, too */
	uint64_t id;                 /* 0: it was not open, nor waited */
	struct push_waits pushes;    /* not decided */
	struct subs_of subs;
	bool was_open;
	bool full;                /* max_calls reached: paused */
	bool spoke;               /* a message of its has come */
	struct call_list running; /* deferred calls */
	struct streams streams;   /* of these */
	unsigned n_running;
	uint64_t n_calls;   /* begun */
	uint64_t n_failed;  /* answered with an error, or for nobody */
	uint64_t failed_at; /* loop time of the last of these */
	const struct figures *failed; /* its method; NULL: not known */
	char last_error[CALL_ERROR_LEN];
	struct figures_brief *took;  /* NULL: no call that counts has ended */
	uint64_t begun;              /* loop time of its acceptance */
	struct overtaken *overtaken; /* NULL: no cancel ever was */
	uint64_t next_deadline;
	struct rk_timer *timer;
	const struct rk_peer *peer;
	struct rk_peer *peer_copy; /* when calls outlive the session */
};

/* A call of Go's net/rpc: what its answer repeats. */
struct call_netrpc {
	bool is_set;
	uint64_t seq;
	struct rk_str method;
	struct rk_str service; /* of the outer header, as the next */
	struct rk_str from_service;
};

struct rk_call {
	TAILQ_ENTRY(rk_call) link; /* of its connection, or spare */
	struct server_conn *conn;
	const struct msg *msg;   /* inside the handler only */
	uint64_t id;             /* 0: not deferred */
	uint64_t number;         /* the same, from the beginning */
	struct figures *figures; /* NULL: it is not counted */
	uint64_t started;        /* mono_us(), where it is */
	bool answered;
	bool in_handler;
	bool canceled;
	bool told; /* an operator canceled it: the caller has its answer */
	bool oneway;
	bool is_stream;
	const struct rk_stream *stream; /* NULL: it is none, or has ended */
	bool early; /* its handler began before the handshake had ended */
	struct rk_str service; /* of the request, to be echoed */
	struct rk_str subject;
	struct rk_str call_id;
	uint64_t seqno;
	struct rk_time deadline;
	uint64_t begun;       /* loop time, once it is deferred */
	uint64_t deadline_ms; /* loop time; RK_NEVER: none */
	struct call_netrpc netrpc;
	char *kept; /* what the views point to when deferred */
	rk_cancel_fn *on_cancel;
	void *cancel_arg;
	rk_confirm_fn *on_confirm;
	void *confirm_arg;
	const struct rk_arg *reply_args; /* while it is being answered */
	size_t n_reply_args;
};

/* server_conf.c: put defaults where zeros are. */
void server_conf_fill(struct rk_server_conf *conf);

/* server_accept.c: loop 0 */
void server_pause_accept(struct rk_server *s, bool pause);

/* The gate and the limits, for any transport: an admission for a worker, or
 * why not.  The caller makes its stack and hands it over, or gives it back. */
enum rk_err server_admit(struct rk_server *s, enum addr_scheme scheme,
    const struct addr *remote, struct worker *w, struct admission **out,
    const char **why);
void server_hand_over(struct rk_server *s, struct admission *a);
void server_refuse(struct rk_server *s, const struct addr *remote,
    enum addr_scheme scheme, const char *why);

/* server_udp.c: loop 0, but where said */
RK_MUST enum rk_err server_udp_listen(struct rk_server *s,
    enum addr_scheme scheme, const struct addr *a, struct addr *bound,
    struct rk_error *err);
/* With a socket that was bound elsewhere; takes it over, also on failure. */
RK_MUST enum rk_err server_udp_listen_fd(struct rk_server *s,
    enum addr_scheme scheme, int fd, const struct addr *bound,
    struct rk_error *err);
/* Is there a socket with this address already? */
bool server_udp_has(const struct rk_server *s, const struct addr *bound);
/* Is there one of this kind? */
bool server_udp_serves(const struct rk_server *s, enum addr_scheme scheme);
/* The socket of loop 0 from which this address can be reached; NULL: none. */
struct quic_end *server_quic_end(
    const struct rk_server *s, const struct addr *remote);
/* The worker's thread: make the stack of a peer that was admitted. */
RK_MUST enum rk_err server_udp_take(struct admission *a, struct layer **out);
/* The worker's thread: take no new peers. */
void server_udp_deafen(struct worker *w);
/* Other pre-shared keys are required of strangers, or none. */
void server_udp_require(struct rk_server *s, struct rk_psks *psks);
/* No worker's thread runs any more, and perhaps no loop: last goodbyes, and no
 * socket where nobody reads. */
void server_udp_hurry(struct rk_server *s);
void server_udp_free(struct rk_server *s);
/* server_knock.c: a peer that says hello at a port, on the port's thread. */
void server_knock(struct udp_port *p, void *hello, const struct addr *remote);
/* A datagram for another loop's port; the same. */
void server_stray(
    struct udp_port *from, unsigned loop, const struct quic_datagram *d);

/* server_udp_kinds.c: the contracts of quic_end_*() and udp_end_*(), for
 * whichever it is. */
unsigned server_port_loops(enum addr_scheme scheme); /* that an id can name */
RK_MUST enum rk_err server_port_open(
    struct udp_port *p, int fd, struct rk_error *err);
RK_MUST enum rk_err server_port_accept(struct udp_port *p,
    const struct creds *creds, void *hello, struct layer **out);
void server_port_drop(struct udp_port *p, void *hello, bool busy);
void server_port_feed(struct udp_port *p, const struct quic_datagram *d);
void server_port_require(struct udp_port *p, struct rk_psks *psks);
void server_port_deafen(struct udp_port *p);
void server_port_hurry(struct udp_port *p);
void server_port_close(struct udp_port *p);
void server_port_free(struct udp_port *p);

/* server_fd.c: loop 0 */
RK_MUST enum rk_err server_fd_listen(struct rk_server *s,
    const struct addr_url *u, char url_out[128], struct rk_error *err);
void server_fd_start(struct rk_server *s);
/* Is that all, as nobody can come any more?  Then it is told. */
void server_fd_check(struct rk_server *s);
void server_fd_free(struct rk_server *s);

/* server_listen.c: loop 0 */
void server_close_listeners(struct rk_server *s);
rk_watch_fn server_on_acceptable; /* server_accept.c; arg: struct listener */

/* server_creds.c: loop 0.  A failure does not call `retired`. */
RK_MUST enum rk_err server_creds_new(struct rk_server *s,
    const struct rk_ident *ident, struct rk_trust *trust, struct creds **out,
    struct rk_error *err);
void server_creds_free(struct creds *c); /* NULL is allowed */
void creds_release(struct rk_server *s, struct creds *c);
/* The letter rk_server.unused. */
void creds_on_unused(struct mail *m);

/* server.c: loop 0 */
void server_check_stopped(struct rk_server *s);
/* A line about who was refused, at most ten a second of one server; loop is
 * the caller's.  Any of the server's threads. */
void server_log_refusal(
    struct rk_server *s, const struct rk_loop *loop, const char *text);
/* The same about a connection that has ended badly, and was one. */
void server_log_end(
    struct rk_server *s, const struct rk_loop *loop, const char *text);
/* Tell all watches that who decides is another.  Loop 0. */
void server_tell_replaced(struct rk_server *s);

/* server_conn.c: the worker's thread */
/* The letters admission.take, worker.stop and worker.kill. */
void server_conn_take(struct mail *m);
void worker_stop(struct mail *m);
void worker_kill(struct mail *m);
/* One call fewer runs: resume, drain, or free the connection. */
void server_conn_settle(struct server_conn *c);
void server_conn_arm(struct server_conn *c);
/* Say that this peer may not call this method. */
void server_conn_log_denied(
    const struct server_conn *c, const struct rk_method *method);
void worker_free_calls(struct worker *w);

/* server_ask.c: loop 0.  Be told of decisions of these credentials' list, until
 * they are freed. */
RK_MUST enum rk_err server_ask_watch(
    struct rk_server *s, struct creds *c, struct rk_error *err);
/* Others are in force now: who waits under earlier ones is asked about by what
 * they say. */
void server_ask_replaced(struct rk_server *s);
/* The worker's thread, but for the last: somebody waits, or is there for a
 * time; the letter worker.decided; free what the worker has for it. */
void server_ask_wait(struct worker *w);
void server_ask_decided(struct mail *m);
void server_ask_fini(struct worker *w);

/* Loop 0: follow what other processes decide about the same keys; false: there
 * can be none. */
bool server_ask_look(struct rk_server *s);

/* server_crl.c: loop 0.  Look at the revocation lists, and at what others
 * decide: now, if the server runs, and every few seconds; or once at the lists.
 * Those connections end whose certificate is on one that has changed. */
void server_crl_watch(struct rk_server *s);
void server_crl_look(struct rk_server *s);
/* The letter worker.listed: the worker's thread. */
void server_crl_listed(struct mail *m);
/* Tell all watches of those that these credentials refuse for it. */
void server_crl_hear(struct rk_server *s, struct creds *c);

/* call.c: the worker's thread */
void call_dispatch(struct server_conn *c, const struct msg *m);
/* Answer a request that does not become a call. */
void call_refuse(struct server_conn *c, const struct msg *m, const char *why);
void call_cancel(struct rk_call *call, enum rk_cancel_why why);
void call_release(struct rk_call *call);
/* rk_call_reply() with arguments in the header. */
enum rk_err call_reply_args(struct rk_call *call, const struct rk_arg *args,
    size_t n_args, const void *payload, size_t len);

/* server_subs.c: the same; handlers of _.subscribe and _.unsubscribe */
rk_handler_fn server_subscribe;
rk_handler_fn server_unsubscribe;

/* server_next.c: the same; handler of _.next_keys */
rk_handler_fn server_next_keys;

/* The same for a method that was found; netrpc: NULL, or it is such a call. */
void call_begin(struct server_conn *c, const struct msg *m,
    const struct rk_method *method, const struct call_netrpc *netrpc);

/* Answer with type 104. */
void call_bounce(
    struct server_conn *c, const struct msg *request, const char *text);

/* call_netrpc.c: the same */
void call_netrpc_dispatch(struct server_conn *c, const struct msg *m);
RK_MUST enum rk_err call_netrpc_reply(
    const struct rk_call *call, struct rk_str error, struct rk_bytes payload);

/* call_typed.c: the same.  Enter a method that has `typed`. */
void call_typed(struct rk_call *call, const struct rk_method *m);

/* call_early.c: the same */
/* May it run though it may be a recording? */
bool call_may_be_early(const struct server_conn *c, const struct msg *m);
/* The caller is certainly there, or (not RK_OK) will not be: tell the calls
 * that wait for it, or this one; false: it does not. */
void calls_confirm(struct server_conn *c, enum rk_err r);
bool call_confirm(struct rk_call *call, enum rk_err r);

#endif
