/* The inside of a session, for the files that it is made of. */
#ifndef RPCKIT_NET_SESS_INT_H
#define RPCKIT_NET_SESS_INT_H

#include "base/buf.h"
#include "net/loop.h"
#include "net/sess_hs.h"
#include "net/sess_keys.h"

#include <rpckit/session.h>

/*
 * On the pipe: three bytes of length, then a message of the handshake or a
 * packet.  A packet's text is items: type, three bytes of length, content.
 */
#define SESS_LEN_LEN 3
#define SESS_ITEM_LEN 4
#define SESS_TEXT_MAX (65536 + 64)
#define SESS_PACKET_MAX (SESS_HEAD_DATAGRAM + SESS_TEXT_MAX + NOISE_TAG_LEN)
#define SESS_DATA_MAX 65536 /* of an item */

enum sess_item {
	SESS_PROOF = 1,
	SESS_ACCEPTED,
	SESS_REKEY,
	SESS_REKEYED,
	SESS_CLOSE,
	SESS_DATA
};

/* Why, in the one byte of a SESS_CLOSE. */
enum sess_reason {
	SESS_DONE,
	SESS_REFUSED, /* not the peer that is wanted */
	SESS_BROKEN,  /* the protocol */
	SESS_OTHER
};

#define SESS_CLOSE_MS 5000
#define SESS_OUT_FULL (256u * 1024) /* a write is refused */
#define SESS_GOT_FULL (256u * 1024) /* nothing more is taken from the pipe */
#define SESS_IN_MAX (SESS_LEN_LEN + SESS_PACKET_MAX + 65536u)
#define SESS_READ_LEN 65536u
#define SESS_READ_EARLY 512u /* from a stranger */

struct rk_session {
	struct rk_loop *loop;
	struct rk_session_conf conf;
	struct rk_session_pipe pipe;
	uint8_t wanted[RK_KEY_PUBLIC_LEN]; /* conf.peer was a key */
	char wanted_fp[RK_FP_LEN];         /* it was a fingerprint; or "" */
	bool wants_key;
	enum rk_session_state state;
	unsigned passed; /* bits of the states that were reached */
	unsigned told;   /* and of those that the user knows about */
	struct rk_error error;
	struct sess_hs hs;
	struct sess_keys keys;
	bool keyed; /* keys are there */
	bool proven;
	bool judging;   /* conf.judge is on the stack */
	struct buf in;  /* from the pipe */
	struct buf out; /* for the pipe, sealed but for what is open */
	struct buf got; /* for rk_session_read() */
	size_t open;    /* bytes at the end of out that a packet may grow by */
	bool begun;     /* the loop has turned */
	bool ending;    /* sess_end() was called */
	bool ended;     /* the pipe has */
	bool goodbye;   /* the peer's was read */
	bool broken;    /* writing to it has failed */
	bool blocked;   /* the pipe takes no more for now */
	bool refused;   /* a write was; RK_WRITE is due */
	bool news;      /* RK_READ is due */
	unsigned busy;  /* functions on the stack that use it */
	bool dead;      /* free it when they are done */
	uint64_t handshake_at;
	uint64_t rekey_at; /* 0: asked already, or nothing to be asked */
	uint64_t close_at;
	struct rk_timer *timer;
	struct rk_watch *watch[2]; /* in; out, if that is another one */
	struct loop_hook work;
};

/* ---- sess.c ---- */

void sess_go(struct rk_session *s, enum rk_session_state state);
/* It is over, for the reason in s->error, or set here; the peer is told where
 * that can be.  Only the first time counts. */
void sess_end(struct rk_session *s, enum rk_err r);
bool sess_is_over(const struct rk_session *s);
void sess_work_later(struct rk_session *s);

/* ---- sess_out.c ---- */

/* Append an item to the packet that is open, or to a new one. */
RK_MUST enum rk_err sess_put(
    struct rk_session *s, enum sess_item type, const void *data, size_t len);
/* The packet that is open is finished. */
RK_MUST enum rk_err sess_seal(struct rk_session *s);
/* A message of the handshake. */
RK_MUST enum rk_err sess_put_raw(
    struct rk_session *s, const void *data, size_t len);

/* ---- sess_in.c ---- */

/* Use what is whole in s->in; the session may be over, or dead, then. */
void sess_take(struct rk_session *s);

/* ---- sess_pipe.c ---- */

RK_MUST enum rk_err sess_pipe_open(struct rk_session *s, struct rk_error *err);
void sess_pipe_close(struct rk_session *s);
/* Write what there is. */
void sess_pipe_flush(struct rk_session *s);
/* What is watched for, after any change. */
void sess_pipe_watch(struct rk_session *s);

#endif
