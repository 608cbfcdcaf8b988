/* The inside of a client, shared by its files. */
#ifndef RPCKIT_RPC_CLIENT_INT_H
#define RPCKIT_RPC_CLIENT_INT_H

#include "net/addr.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/psk.h"
#include "net/quic.h"
#include "net/sess_layer.h"
#include "net/tls.h"
#include "net/udp_end.h"
#include "rpc/pending.h"
#include "rpc/session.h"
#include "rpc/stream.h"

#include <rpckit/again.h>
#include <rpckit/push.h>

/*
 *	IDLE -> DIALING -> OPENING -> OPEN -> IDLE
 *
 * and from each back to IDLE through ENDING, in which the last session closes
 * or the end of an attempt waits for its turn of the loop.  From DIALING,
 * OPENING and OPEN to DIALING through WAITING, where there is another address
 * to be tried, now or after a pause.
 */
enum client_state {
	CLIENT_IDLE,
	CLIENT_WAITING,
	CLIENT_DIALING, /* a dial runs */
	CLIENT_OPENING, /* a session shakes hands */
	CLIENT_OPEN,
	CLIENT_ENDING
};

/* One URL, and the sessions that can be resumed there. */
struct client_target {
	struct addr_url url;
	char text[ADDR_TEXT_LEN];
	struct tls_ctx *tls;
	struct quic_tls_ctx *quic_tls;
	size_t source; /* what names it */
	bool warned;   /* the log has been told how insecure it is */
};

/* What was named: an address, or with srv a name that has some. */
struct client_source {
	struct addr_url url;
	char text[ADDR_TEXT_LEN];
	bool srv;
};

#define CLIENT_SOURCES_MAX (1 + RK_AGAIN_URLS_MAX)
#define CLIENT_TARGETS_MAX 64

/* Where a client may go: what its sources are at the moment. */
struct client_targets {
	struct client_source *sources;
	size_t n_sources;
	struct client_target *list;
	size_t n;
	size_t at;   /* the one in use */
	size_t left; /* of this round, behind it */
	bool any_srv;
	const struct sockaddr_in *dns; /* a test's own server */
};

/* Having one connection after another. */
struct client_again {
	bool on;
	struct rk_again conf;    /* with defaults; urls is NULL */
	unsigned rounds;         /* that failed since the last connection */
	unsigned pace;           /* the next pause is first_ms * 2^pace */
	uint64_t opened;         /* loop milliseconds */
	bool next;               /* try the next target: by the hook */
	bool pass;               /* begin the next round behind the target */
	uint64_t received;       /* bytes, by the last check */
	uint64_t asking;         /* the check's call; 0: none */
	struct conn_count asked; /* when that had been queued */
	struct rk_timer *timer;  /* WAITING: of the pause; OPEN: of checks */
	bool lost_owed;          /* `lost` is to be called by the hook */
	struct rk_again_loss loss;
	struct rk_error why; /* of the loss */
	char url[ADDR_TEXT_LEN];
	/* The messages given to the session that no layer may have taken. */
	struct buf given;
};

/* Addresses are tried one after another. */
struct client_quic {
	struct quic_tls_ctx *tls; /* the target's */
	struct quic_end *end;     /* NULL while another's is used */
	struct addr addrs[DIAL_ADDRS_MAX];
	size_t n;
	size_t next;
	bool again; /* the next one is to be tried by the hook */
};

/* What the client's program subscribed to; in the order of their ids. */
struct client_sub;
struct client_subs {
	TAILQ_HEAD(, client_sub) list;
	uint64_t last_id;
	unsigned delivering; /* callbacks on the stack: nothing is freed */
	bool announcing;     /* those known already: limits are for new calls */
};

/* Calls of Go's net/rpc towards a peer that is not rpckit. */
struct client_netrpc {
	uint64_t running; /* its number; 0: none */
	struct buf held;  /* frames that wait for its answer */
};

struct rk_client {
	struct rk_client_conf conf; /* with defaults filled in */
	struct addr_url url;
	char url_text[ADDR_TEXT_LEN];
	struct rk_loop *loop;
	bool own_loop;
	enum client_state state;
	struct session_trust trust;
	struct psk_conf psk;          /* without keys: there is no such layer */
	struct sess_layer_conf sess;  /* without a key: there are no sessions */
	uint8_t nonce[UDP_NONCE_LEN]; /* that it knocks with */
	bool server_known;            /* its uid, at a local socket */
	uid_t server_uid;
	bool fds_used;       /* those of an URL are there once */
	struct tls_ctx *tls; /* the target's */
	struct client_targets targets;
	struct client_again again;
	struct dial *dial;
	struct client_quic quic; /* instead of a dial */
	struct session *session;
	struct rk_peer peer; /* the session's */
	struct client_subs subs;
	struct buf waiting; /* frames submitted before OPEN, not sent early */
	struct pending_table pending;
	struct streams streams;
	struct client_netrpc netrpc;
	uint64_t nearest;         /* deadline, before the call that begins */
	struct pending_list done; /* completed, callback owed */
	struct loop_hook done_hook;
	struct rk_timer *timer; /* of the nearest call deadline */
	struct rk_error why;    /* the end's reason */
	bool end_owed;          /* `closed` is to be called by the hook */
	bool shut;              /* by rk_client_shutdown() */
	bool free_owed;         /* rk_client_free() came inside a turn */
	size_t early_left;      /* bytes that may; SIZE_MAX: nobody asked yet */
	bool was_open;          /* in this session */
	uint64_t taken;         /* bytes that the last session's layers took */
	int64_t serial;
	char from[ADDR_TEXT_LEN]; /* for full headers: Go's form */
	char to[ADDR_TEXT_LEN];
	uint64_t dialed_us;
	struct rk_timing timing;
};

/* client_conf.c: a copy without zeros.  RK_EINVAL, with the reason. */
RK_MUST enum rk_err client_conf_fill(const struct rk_client_conf *user,
    struct rk_client_conf *out, struct rk_error *err);

/* client.c */
/* Takes the stack over, also on failure. */
RK_MUST enum rk_err client_open_session(struct rk_client *c, struct layer *top);

/* Begin to connect to the present target.  On failure nothing was begun, but
 * the state may have changed. */
RK_MUST enum rk_err client_dial(struct rk_client *c, struct rk_error *err);
/* Everything stops here, whatever the reason; `closed` comes from the hook. */
void client_end(struct rk_client *c, const struct rk_error *why);

/* client_target.c: before any other function of the client that may fail. */
RK_MUST enum rk_err client_targets_init(struct rk_client *c,
    const struct rk_client_conf *conf, struct rk_error *err);
void client_targets_fini(struct rk_client *c);
/* Ask for the addresses of those sources that are names. */
RK_MUST enum rk_err client_targets_fill(
    struct rk_client *c, struct rk_error *err);
/* Make the i-th the present one. */
void client_target_use(struct rk_client *c, size_t i);
/* Begin with nothing there next time: it was not believed. */
void client_target_forget(struct rk_client *c);

/* client_again.c */
RK_MUST enum rk_err client_again_init(struct rk_client *c,
    const struct rk_client_conf *conf, struct rk_error *err);
void client_again_fini(struct rk_client *c);
/* Begin the first round; fails only where there will be no other. */
RK_MUST enum rk_err client_again_start(
    struct rk_client *c, struct rk_error *err);
/* There is no connection, for this reason: another target, a pause, or the
 * end.  s is the session that has ended, NULL when there was none. */
void client_lost(
    struct rk_client *c, struct session *s, const struct rk_error *why);
void client_again_opened(struct rk_client *c);
/* Forget what was to come, as it is the end. */
void client_again_stop(struct rk_client *c);
/* The part of the hook. */
void client_again_run(struct rk_client *c);

/* client_kept.c */
/* Give the session a message, and remember it if it may have to be sent on
 * another one.  Errors of session_send(). */
RK_MUST enum rk_err client_give(struct rk_client *c, const struct msg *m,
    const struct rk_arg *args, size_t n_args);
/* Keep a copy of the call's frame.  RK_ELIMIT: too many are kept. */
RK_MUST enum rk_err client_keep(struct rk_client *c, struct pending *p,
    const struct msg *m, const struct rk_arg *args, size_t n_args);
/* The session has ended: what waits, and is to be repeated, goes to c->waiting,
 * other calls that it had end. */
void client_calls_lost(struct rk_client *c, struct session *s);

/* client_quic.c */
RK_MUST enum rk_err client_quic_init(struct rk_client *c,
    const struct tls_conf *conf, struct quic_tls_ctx **out,
    struct rk_error *err);
/* The endpoint; no session's layers are left. */
void client_quic_close(struct rk_client *c);
/* Begin with the next address that does; else the last one's error, RK_ENOENT
 * when there was none.  No session's layers are left. */
RK_MUST enum rk_err client_quic_try(struct rk_client *c, struct rk_error *err);

/* client_sess.c */
void client_sess_init(struct rk_client *c);
/* RK_EINVAL: nobody to be, or nobody to believe. */
RK_MUST enum rk_err client_sess_check(
    const struct rk_client *c, const char *text, struct rk_error *err);
/* Whose is the other end of a local socket? */
void client_note_server(struct rk_client *c, int fd);
/* Connected as they are; once. */
RK_MUST enum rk_err client_fds_start(struct rk_client *c, struct rk_error *err);

/* client_sub.c */
void client_subs_init(struct client_subs *t);
void client_subs_fini(struct client_subs *t);
/* The session is open: tell the server what is subscribed to. */
void client_announce(struct rk_client *c);
/* A push has come. */
void client_pushed(struct rk_client *c, const struct msg *m);

/* client_call.c */
bool client_message(struct session *s, const struct msg *m, void *arg);
/* The session is open: send what was submitted before. */
enum rk_err client_send_waiting(struct rk_client *c);
/* client_early.c: a session has begun and is not open: send what may go early.
 */
void client_send_early(struct rk_client *c);
/*
 * client_netrpc.c.  Send, or hold a net/rpc call while another runs; an answer
 * has come; what answers a net/rpc call is opened; the connection has ended.
 */
bool client_netrpc_has_room(const struct rk_client *c);
RK_MUST enum rk_err client_pass(struct rk_client *c, const struct msg *m,
    const struct rk_arg *args, size_t n_args);
void client_netrpc_answered(struct rk_client *c, uint64_t seqno);
void client_netrpc_open(uint64_t seqno, struct rk_reply *reply);
void client_netrpc_ended(struct rk_client *c);
/* rk_client_submit() of one. */
RK_MUST enum rk_err client_netrpc_submit(struct rk_client *c,
    const struct rk_request *req, rk_reply_fn *fn, void *arg, uint64_t *id_out);
/* A frame that waited is to be sent now, if anybody still waits for its
 * answer. */
struct frame;
RK_MUST enum rk_err client_send_late(
    struct rk_client *c, const struct frame *f);
/* End every pending call with code: callbacks come from the hook. */
void client_end_calls(struct rk_client *c, enum rk_err code);
/*
 * A call's beginning, in two steps: its number, id and header, all but the
 * type, then its message.  Errors as of rk_client_submit(); client_forget()
 * undoes the first.
 */
RK_MUST enum rk_err client_begin(struct rk_client *c,
    const struct rk_request *req, struct msg *m, rk_reply_fn *fn, void *arg,
    struct pending **out);
RK_MUST enum rk_err client_put(struct rk_client *c,
    const struct rk_request *req, const struct msg *m, struct pending *p);
void client_forget(struct rk_client *c, struct pending *p);
/* Tell the server, and complete it with this code, from the loop.  RK_ENOENT.
 */
enum rk_err client_end_call(struct rk_client *c, uint64_t id, enum rk_err code);
/* Why a call has failed, in words. */
void client_describe(const struct rk_client *c, struct rk_str method,
    const struct rk_reply *reply, struct rk_error *err);
/* A copy whose views lie in dst->owned; false: no memory. */
bool client_keep_reply(struct rk_reply *dst, const struct rk_reply *src);
/* End a call that is no more in the table: as client_end_calls(). */
void client_end_pending(
    struct rk_client *c, struct pending *p, enum rk_err code);
/* Run the callbacks of completed calls. */
void client_run_done(struct rk_client *c);
void client_on_timer(struct rk_timer *t, void *arg);

#endif
