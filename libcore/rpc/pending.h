/* A client's calls that wait for their answer. */
#ifndef RPCKIT_RPC_PENDING_H
#define RPCKIT_RPC_PENDING_H

#include "rpc/idmap.h"

#include <rpckit/client.h>

#include <sys/queue.h>

/*
 * A peer that speaks rpckit/1 finds calls by connection and id, so that there
 * the id is the call's number.  Other ids must be unique and unknown
 * everywhere: this looks like the 33 random bytes in base64url of other
 * clients, and is as unguessable, so that nobody else can cancel the call on a
 * server that looks calls up by this alone: 12 letters for 9 random bytes,
 * drawn once a pool, and 32 for the 16 that are the call's own.
 */
#define CALL_ID_LEN 44 /* the most */
#define CALL_ID_HEAD_LEN 12
#define CALL_ID_HEAD_RAW 9
#define CALL_ID_TAIL_RAW 16
#define CALL_ID_POOL 63

struct pending {
	TAILQ_ENTRY(pending) link; /* all, or the done or the free list */
	uint64_t seqno;
	uint64_t deadline; /* loop milliseconds; RK_NEVER: none */
	uint64_t begun_us; /* loop microseconds */
	rk_reply_fn *fn;
	void *arg;
	enum rk_err code; /* in the done list: why it ended */
	bool idempotent;
	bool netrpc; /* its answer is one of Go's net/rpc */
	bool early;  /* was sent before the handshake had ended */
	bool sent;   /* when it has ended: its request may have come there */
	/* Its place in what was queued on this connection; RK_NEVER: nowhere */
	uint64_t at;
	/* Of clients that have one connection after another: */
	bool bound;       /* about this connection: never on another */
	bool tried;       /* it may have reached a peer, whatever `at` says */
	bool waits;       /* when one is lost: it was not sent on it */
	unsigned repeats; /* so often it was sent again */
	uint8_t *kept;    /* the frame, malloc'ed, to be sent again; or NULL */
	size_t kept_len;
	uint8_t id_len;
	char call_id[CALL_ID_LEN];
};
TAILQ_HEAD(pending_list, pending);

struct pending_table {
	struct idmap map;
	struct pending_list all; /* the same, as they came */
	struct pending_list free_list;
	size_t n_free;
	uint64_t next_seqno;
	uint64_t next_deadline; /* no later than any call's */
	bool numbered;          /* ids are numbers; set by the owner */
	size_t kept;            /* bytes of all that is kept */
	char id_head[CALL_ID_HEAD_LEN + 1];
	uint8_t id_tails[CALL_ID_POOL][CALL_ID_TAIL_RAW];
	size_t ids_left;
};

void pending_init(struct pending_table *t);
void pending_fini(struct pending_table *t);
/* A new call with its own seqno and call id.  RK_ENOMEM. */
RK_MUST enum rk_err pending_add(struct pending_table *t, uint64_t deadline,
    rk_reply_fn *fn, void *arg, struct pending **out);
/* The call the answer belongs to, out of the table; NULL: none (late, or a
 * stranger's: a call id that is there must be the call's). */
struct pending *pending_match(
    struct pending_table *t, uint64_t seqno, struct rk_str call_id);
struct pending *pending_remove(struct pending_table *t, uint64_t seqno);
/* NULL: none. */
struct pending *pending_find(const struct pending_table *t, uint64_t seqno);
bool pending_has(const struct pending_table *t, uint64_t seqno);
/* Move every call whose deadline has come to `to` (with RK_ETIMEOUT), or every
 * call (with code), in the order they were added. */
void pending_expire(
    struct pending_table *t, uint64_t now, struct pending_list *to);
void pending_end_all(
    struct pending_table *t, enum rk_err code, struct pending_list *to);
/* Give the struct back for reuse. */
void pending_release(struct pending_table *t, struct pending *p);
/* Keep the frame, which is malloc'ed, until then. */
void pending_keep(
    struct pending_table *t, struct pending *p, uint8_t *frame, size_t len);
size_t pending_count(const struct pending_table *t);
/* Fresh call id for the message with this number, also a one-way one; how long
 * it is. */
size_t pending_call_id(
    struct pending_table *t, uint64_t seqno, char id[CALL_ID_LEN]);

static inline struct rk_str
pending_id(const struct pending *p)
{
	return (struct rk_str){ p->call_id, p->id_len };
}

#endif
