/* A stream of bytes over a session's datagrams: sent again until it arrives. */
#ifndef RPCKIT_NET_SESS_REL_H
#define RPCKIT_NET_SESS_REL_H

#include "base/buf.h"

#include <sys/queue.h>

/*
 * rpckit-session(7), "A stream over datagrams": bytes and times in, bytes and
 * times out.  Each piece that is given to the session arrives whole, once, or
 * not at all, in any order; the session has proven who sent it.  Times are
 * milliseconds of any clock that does not go back.
 */
#define SESS_REL_HEAD 9                      /* before the bytes of a piece */
#define SESS_REL_ROOM ((uint32_t)256 * 1024) /* that may wait to be read */
#define SESS_REL_HELD ((size_t)256 * 1024)   /* not confirmed, then no more */
#define SESS_REL_PIECE_MAX 8192
#define SESS_REL_PIECE_MIN 256
#define SESS_REL_GIVE_UP_MS 120000 /* nothing was confirmed for so long */

struct sess_piece {
	TAILQ_ENTRY(sess_piece) link;
	uint64_t at; /* of the stream */
	size_t len;
	/* Sent: */
	uint64_t sent_at;
	uint64_t serial; /* of its last sending */
	unsigned times;
	bool lost; /* to be sent again */
	/* Received ahead of its turn: */
	uint8_t data[];
};
TAILQ_HEAD(sess_pieces, sess_piece);

/* What was before a timeout, which may turn out to have been for nothing. */
struct sess_undo {
	uint64_t serial; /* of the last piece before it; 0: nothing to undo */
	uint64_t end;    /* of the stream that was sent then */
	uint64_t cwnd;
	uint64_t ssthresh;
	bool heard; /* something was confirmed since, */
	bool late;  /* that was taken for lost, and not sent again */
};

struct sess_rel {
	/* Sending.  What is not confirmed is out's content, from `una` on. */
	struct buf out;
	uint64_t una;
	uint64_t next;  /* not sent yet from here on */
	uint64_t limit; /* the peer has room up to here */
	struct sess_pieces sent;
	size_t n_sent;
	size_t flight; /* bytes that are under way, as far as is known */
	uint64_t serial;
	uint64_t newest;  /* serial that is known to have arrived */
	uint64_t recover; /* losses of serials before this are one */
	uint64_t cwnd;    /* bytes that may be under way (RFC 5681) */
	uint64_t ssthresh;
	struct sess_undo undo;
	uint64_t srtt; /* microseconds; 0: not measured */
	uint64_t rttvar;
	uint64_t retrans; /* pieces */
	unsigned backoff; /* of the timeout, until another time is measured */
	unsigned quiet;   /* timeouts since something was confirmed */
	uint64_t timeout_at; /* 0: nothing is waited for */
	uint64_t loss_at;    /* some may be lost, and are then; 0: none */
	uint64_t heard_at;   /* something was confirmed, or had to be last */
	uint64_t asked_at;   /* said again for the first time since; 0: not */
	bool probe;          /* ask whether there is room */
	/* Receiving. */
	struct buf in;   /* in order */
	uint64_t in_end; /* of that, in the stream */
	uint64_t told;   /* the limit that the peer was told */
	struct sess_pieces ahead;
	size_t n_ahead;
	size_t
	    ahead_len; /* bytes of all these, counted twice if they overlap */
	bool confirm;  /* is owed */
};

void sess_rel_init(struct sess_rel *r);
void sess_rel_fini(struct sess_rel *r); /* zeros after init only */

/* Take what there is room for; *taken may be 0.  RK_ENOMEM. */
RK_MUST enum rk_err sess_rel_put(
    struct sess_rel *r, const void *data, size_t len, size_t *taken);
/* The next piece for the session, of at most max bytes; false: none now. */
RK_MUST bool sess_rel_next(struct sess_rel *r, uint64_t now, size_t max,
    uint8_t out[SESS_REL_PIECE_MAX], size_t *len);
/* What the session gave.  RK_EPROTO, RK_ENOMEM. */
RK_MUST enum rk_err sess_rel_take(
    struct sess_rel *r, uint64_t now, const uint8_t *p, size_t len);
/* In order; 0: there is none. */
size_t sess_rel_read(struct sess_rel *r, uint8_t *dst, size_t cap);
/* When sess_rel_time() is to be called; 0: never.  RK_ETIMEOUT: it is in vain.
 */
uint64_t sess_rel_due(const struct sess_rel *r);
RK_MUST enum rk_err sess_rel_time(struct sess_rel *r, uint64_t now);
/* The way is another: what is under way counts as lost, and nothing is known of
 * how fast it is. */
void sess_rel_moved(struct sess_rel *r, uint64_t now);
/* What is under way is known to be lost, for no want of room on the way. */
void sess_rel_again(struct sess_rel *r);
/* Was everything sent, at least once? */
bool sess_rel_all_went(const struct sess_rel *r);
/* Not confirmed. */
size_t sess_rel_held(const struct sess_rel *r);

#endif
