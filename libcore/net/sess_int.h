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
 * Datagrams are without the three bytes, but in our buffers have them too.
 */
#define SESS_LEN_LEN 3
#define SESS_ITEM_LEN 4
#define SESS_TEXT_MAX (65536 + 64)
#define SESS_PACKET_MAX (SESS_HEAD_DATAGRAM + SESS_TEXT_MAX + NOISE_TAG_LEN)
#define SESS_DATA_MAX 65536 /* of an item, without a channel */

enum sess_item {
	SESS_PROOF = 1,
	SESS_ACCEPTED,
	SESS_REKEY,
	SESS_REKEYED,
	SESS_CLOSE,
	SESS_DATA,
	SESS_PROBE,
	SESS_PROBED,
	SESS_MESSAGE, /* or the last part of one */
	SESS_PART     /* one that others follow */
};
#define SESS_NOTHING 0 /* in our queue: a message that was canceled */
#define SESS_CHANNEL_LEN 2

/* Why, in the one byte of a SESS_CLOSE. */
enum sess_reason {
	SESS_DONE,
	SESS_REFUSED, /* not the peer that is wanted */
	SESS_BROKEN,  /* the protocol */
	SESS_OTHER
};

#define SESS_CLOSE_MS 5000
/* Datagrams: again, if there was no answer; who was answered before is not
 * pushed out sooner, and no other hello is looked at sooner. */
#define SESS_AGAIN_MS 250
#define SESS_HELD_MS 1000
#define SESS_PACE_MS 125
#define SESS_PACKET_FIRST 1200 /* a datagram that every network carries */
#define SESS_PACKET_LEAST 512
#define SESS_DATAGRAM_MAX 65000
#define SESS_OUT_FULL (256u * 1024) /* a write is refused */
#define SESS_AHEAD 65536u /* no more is sealed before some is written */
#define SESS_MERGE_US 50u
#define SESS_SENDS_MAX 65536u       /* whose senders want to know */
#define SESS_GOT_FULL (256u * 1024) /* nothing more is taken from the pipe */
/* A packet that lacks a byte, and what is fed then. */
#define SESS_IN_MAX (SESS_LEN_LEN + SESS_PACKET_MAX + RK_SESSION_FEED_MAX)
#define SESS_READ_LEN 65536u
#define SESS_READ_EARLY 512u /* from a stranger */

/* A message whose sender wants to know, or may cancel it. */
struct sess_send {
	uint64_t from; /* where in what was ever queued */
	uint64_t to;
	uint64_t end; /* of its packet in what was ever sealed; 0: it is not */
	rk_session_sent_fn *fn;
	void *arg;
	bool canceled;
	bool told;
};

/* Ids are given one after another: a ring of those from first to next. */
struct sess_sends {
	struct sess_send *ring;
	size_t cap; /* a power of two; 0: no ring */
	uint64_t first;
	uint64_t next;
	uint64_t unsealed; /* the first that is not sealed */
	unsigned canceled; /* who have not been told */
};

struct sess_listener {
	uint32_t channel;
	rk_session_message_fn *fn;
	void *arg;
};

struct rk_session {
	struct rk_loop *loop;
	struct rk_session_conf conf;
	struct rk_session_pipe pipe;
	uint8_t wanted[RK_KEY_PUBLIC_LEN]; /* conf.peer was a key */
	char wanted_fp[RK_FP_LEN];         /* it was a fingerprint; or "" */
	bool wants_key;
	bool datagrams;
	bool sequential; /* they have an end, as SOCK_SEQPACKET */
	/* Of the descriptors, in and out: */
	bool socket[2];
	bool own[2];  /* opened once more by us */
	bool lent[2]; /* was blocking, and is to be so again */
	enum rk_session_state state;
	unsigned passed; /* bits of the states that were reached */
	unsigned told;   /* and of those that the user knows about */
	struct rk_error error;
	struct sess_hs hs;
	struct sess_keys keys;
	bool keyed; /* keys are there */
	bool proven;
	bool using;        /* a function that was given what is in `in` */
	struct buf in;     /* from the pipe */
	struct buf queue;  /* items, not sealed */
	struct buf out;    /* for the pipe: packets */
	struct buf got;    /* for rk_session_read() */
	uint64_t sealed;   /* bytes that were ever taken out of queue */
	uint64_t gone;     /* and out of out */
	bool pushing;      /* sess_push() is on the stack */
	bool urgent;       /* what is queued waits for no more to come */
	bool mixed;        /* not all of it may be in one packet */
	uint64_t merge_at; /* ns; 0: no message waits */
	struct sess_sends sends;
	struct sess_listener *listeners; /* by channel */
	size_t n_listeners;
	struct buf parts; /* of a message that is not whole */
	bool in_parts;
	uint32_t parts_channel;
	uint64_t unheard;
	bool begun;    /* the loop has turned */
	bool ending;   /* sess_end() was called */
	bool ended;    /* the pipe has */
	bool goodbye;  /* the peer's was read */
	bool paused;   /* by its user: nothing is taken from the pipe */
	bool holds;    /* and is answered by the owner, when it has read all */
	bool broken;   /* writing to it has failed */
	bool blocked;  /* the pipe takes no more for now */
	bool refused;  /* a write was; RK_WRITE is due, */
	bool shorter;  /* and since datagrams are */
	bool news;     /* RK_READ is due */
	unsigned busy; /* functions on the stack that use it */
	bool dead;     /* free it when they are done */
	uint64_t handshake_at;
	uint64_t rekey_at; /* 0: asked already, or nothing to be asked */
	uint64_t close_at;
	/* Datagrams. */
	size_t packet; /* the longest one that is sent */
	uint8_t
	    first[SESS_HELLO_MAX]; /* the hello: ours, or what we answered */
	size_t first_len;
	bool shown; /* who says something receives where it comes from */
	bool wrong; /* the hello begins no session, and came once */
	uint8_t answer[SESS_ANSWER_LEN];
	uint8_t proof[SESS_PROOF_LEN]; /* the initiator's */
	uint64_t answered_at;
	uint64_t again_at; /* what waits for an answer is said again; 0: no */
	uint64_t probe_at; /* 0: the longest is found, or set */
	unsigned probes;
	uint64_t check_at; /* is it carried still? 0: none was sent */
	unsigned checks;   /* that were not answered */
	uint64_t raise_at; /* probed again, if long ones are sent; 0: not yet */
	struct rk_timer *timer;
	struct rk_timer *merge_timer;
	struct rk_watch *watch[2]; /* in; out, if that is another one */
	struct loop_hook work;
};

/* ---- sess.c ---- */

void sess_go(struct rk_session *s, enum rk_session_state state);
/* It is over, for the reason in s->error, or set here; the peer is told where
 * that can be.  Only the first time counts. */
void sess_end(struct rk_session *s, enum rk_err r);
bool sess_is_over(const struct rk_session *s);
/* Does anybody use what would come?  Before that the pipe is left alone. */
bool sess_may_take(const struct rk_session *s);
void sess_work_later(struct rk_session *s);
/* Around what may call the user, who may free it. */
void sess_enter(struct rk_session *s);
void sess_leave(struct rk_session *s);
/* The user hears of the states up to RK_SESSION_ESTABLISHED, now. */
void sess_tell_states(struct rk_session *s);

/* ---- sess_out.c ---- */

/* Queue an item that leaves at the end of the turn, with all before it. */
RK_MUST enum rk_err sess_put(
    struct rk_session *s, enum sess_item type, const void *data, size_t len);
/* Have room for so many bytes of items; write the head of one at p, and return
 * where its content begins. */
RK_MUST enum rk_err sess_queue_room(
    struct rk_session *s, size_t len, uint8_t **p);
uint8_t *sess_put_head(uint8_t *p, enum sess_item type, size_t len);
/* Seal what is queued, all of it. */
RK_MUST enum rk_err sess_seal(struct rk_session *s);
/* Seal what is due, as far as the pipe takes it. */
RK_MUST enum rk_err sess_push(struct rk_session *s);
bool sess_is_due(const struct rk_session *s);
/* Bytes that wait for the pipe. */
size_t sess_waiting(const struct rk_session *s);
/* A message of the handshake. */
RK_MUST enum rk_err sess_put_raw(
    struct rk_session *s, const void *data, size_t len);

/* The most text a packet may have. */
size_t sess_text_max(const struct rk_session *s);

/* ---- sess_send.c ---- */

/* What was queued up to s->sealed is in s->out now. */
void sess_sends_sealed(struct rk_session *s);
/* Tell those whose messages have left or are canceled. */
void sess_sends_tell(struct rk_session *s);
/* Tell the rest that they will not. */
void sess_sends_drop(struct rk_session *s, enum rk_err r);
void sess_sends_fini(struct rk_session *s);

/* ---- sess_listen.c ---- */

/* A SESS_MESSAGE or a SESS_PART, with its channel. */
RK_MUST enum rk_err sess_listen_take(
    struct rk_session *s, bool last, const uint8_t *p, size_t len);
void sess_listen_fini(struct rk_session *s);

/* ---- sess_datagram.c ---- */

/* Is this hello to be answered with new keys?  RK_EAGAIN: not now, or it was
 * and gets the same answer. */
RK_MUST enum rk_err sess_datagram_hello(
    struct rk_session *s, const uint8_t *p, size_t len);
/* What is to be said again by now; probes. */
RK_MUST enum rk_err sess_datagram_time(struct rk_session *s);
void sess_datagram_probe(struct rk_session *s); /* begin to */
RK_MUST enum rk_err sess_datagram_probed(
    struct rk_session *s, const uint8_t *p, size_t len);
RK_MUST enum rk_err sess_datagram_reply(struct rk_session *s, size_t len);
/* One of this length is on its way. */
void sess_datagram_sent(struct rk_session *s, size_t size);
/* The pipe does not take it, as it is too long. */
void sess_datagram_refused(struct rk_session *s, size_t size);
/* What was carried is not any more: begin anew with the shortest. */
void sess_datagram_fall(struct rk_session *s);

/* The last words of who frees it next. */
void sess_say_end(struct rk_session *s, enum sess_reason why);

/* ---- sess_in.c ---- */

/* Use what is whole in s->in; the session may be over, or dead, then. */
void sess_take(struct rk_session *s);

/* ---- sess_pipe.c ---- */

RK_MUST enum rk_err sess_pipe_open(struct rk_session *s, struct rk_error *err);
/* Descriptors are as they were, and used no more; also twice. */
void sess_pipe_close(struct rk_session *s);
/* Write what there is. */
void sess_pipe_flush(struct rk_session *s);
/* What is watched for, after any change. */
void sess_pipe_watch(struct rk_session *s);

#endif
