/* The inside of a client, shared by its two files. */
#ifndef RPCKIT_RPC_CLIENT_INT_H
#define RPCKIT_RPC_CLIENT_INT_H

#include "net/addr.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/quic.h"
#include "net/tls.h"
#include "rpc/pending.h"
#include "rpc/session.h"
#include "rpc/stream.h"

#include <rpckit/push.h>

/*
 *	IDLE -> DIALING -> OPENING -> OPEN -> IDLE
 *
 * and from each back to IDLE through ENDING, in which the last session closes
 * or the end of an attempt waits for its turn of the loop.
 */
enum client_state {
	CLIENT_IDLE,
	CLIENT_DIALING, /* a dial runs */
	CLIENT_OPENING, /* a session shakes hands */
	CLIENT_OPEN,
	CLIENT_ENDING
};

/* Addresses are tried one after another. */
struct client_quic {
	struct quic_tls_ctx *tls;
	struct quic_end *end; /* NULL while another's is used */
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
};

struct rk_client {
	struct rk_client_conf conf; /* with defaults filled in */
	struct addr_url url;
	char url_text[ADDR_TEXT_LEN];
	struct rk_loop *loop;
	bool own_loop;
	enum client_state state;
	struct session_trust trust;
	struct tls_ctx *tls;
	struct dial *dial;
	struct client_quic quic; /* instead of a dial */
	struct session *session;
	struct rk_peer peer; /* the session's */
	struct client_subs subs;
	struct buf waiting; /* frames submitted before OPEN, not sent early */
	struct pending_table pending;
	struct streams streams;
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
	int64_t serial;
	char from[ADDR_TEXT_LEN]; /* for full headers: Go's form */
	char to[ADDR_TEXT_LEN];
	uint64_t dialed_us;
	struct rk_timing timing;
};

/* client.c */
uint64_t client_now_us(void);
/* Takes the stack over, also on failure. */
RK_MUST enum rk_err client_open_session(struct rk_client *c, struct layer *top);

/* client_quic.c */
RK_MUST enum rk_err client_quic_init(
    struct rk_client *c, const struct tls_conf *conf, struct rk_error *err);
void client_quic_fini(struct rk_client *c);
/* Begin with the next address that does; else the last one's error, RK_ENOENT
 * when there was none.  No session's layers are left. */
RK_MUST enum rk_err client_quic_try(struct rk_client *c, struct rk_error *err);

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
    const struct rk_request *req, const struct msg *m, const struct pending *p);
void client_forget(struct rk_client *c, struct pending *p);
/* Tell the server, and complete it with this code, from the loop.  RK_ENOENT.
 */
enum rk_err client_end_call(struct rk_client *c, uint64_t id, enum rk_err code);
/* Why a call has failed, in words. */
void client_describe(const struct rk_client *c, struct rk_str method,
    const struct rk_reply *reply, struct rk_error *err);
/* A copy whose views lie in dst->owned; false: no memory. */
bool client_keep_reply(struct rk_reply *dst, const struct rk_reply *src);
/* Run the callbacks of completed calls. */
void client_run_done(struct rk_client *c);
void client_on_timer(struct rk_timer *t, void *arg);

#endif
