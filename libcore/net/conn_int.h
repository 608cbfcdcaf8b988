/* What the files of the connection share: its struct and inner functions. */
#ifndef RPCKIT_NET_CONN_INT_H
#define RPCKIT_NET_CONN_INT_H

#include "net/conn.h"
#include "net/loop.h"

/* What the `work` hook has to do in the next turn. */
enum conn_work {
	CONN_WORK_BEGIN = 1, /* the handshake */
	CONN_WORK_ROOM = 2,  /* the room event */
	CONN_WORK_SHOW = 4,  /* kept bytes, before anything new is read */
	CONN_WORK_READ = 8,  /* bytes of which the descriptor may not tell */
	CONN_WORK_LOW = 16   /* the low event */
};

struct conn {
	struct rk_loop *loop;
	const struct conn_events *events;
	void *arg;
	struct layer *top;
	struct rk_watch *watch;  /* of the descriptor, or, without one: */
	struct loop_ready ready; /* what the layers raise */
	struct rk_timer *timer;
	struct loop_hook flush; /* end of the turn: send, settle, be gone */
	struct loop_hook work;  /* next turn: see jobs */
	unsigned jobs;
	enum conn_state state;
	bool paused;
	bool busy;
	bool waits;       /* in VERIFY: conn_wait() */
	bool is_early;    /* a server's: what comes may be a recording */
	bool awaits;      /* DRAINING: the peer's end is waited for */
	bool half_closed; /* and it was told that nothing more comes */
	bool keeps_unsent;
	bool clocks;
	unsigned lost;      /* LOOP_FINISHED, LOOP_BROKEN: seen while paused */
	bool crowded;       /* half of max_queue was reached: room is owed */
	bool tells_gone;    /* to the owner, when `told` is out of date */
	enum rk_err broken; /* sending failed in conn_flush(); RK_OK: not */
	unsigned blocked;   /* what the descriptor must become to send; or 0 */
	struct buf in;  /* received, not used; memory only while not empty */
	struct buf out; /* not sent; the same; max is 0 unless OPEN */
	size_t early;   /* this much leaves before the end of the turn */
	size_t low;     /* fewer than so many unsent are to be told; 0: no */
	uint64_t taken; /* bytes of `out` that the layers took so far */
	uint64_t apart; /* and of messages that went apart */
	uint64_t told;  /* conn_gone() as the owner knows it */
	size_t max_queue;
	size_t max_over;
	size_t max_unused;
	struct rk_timeouts timeouts;
	uint64_t begun;      /* the handshake */
	uint64_t wait_since; /* conn_wait(), and for how long: ms */
	uint64_t wait_for;
	uint64_t active;      /* last byte either way, or end of being busy */
	uint64_t said;        /* when the last byte left the queue */
	uint64_t received;    /* bytes, in all */
	uint64_t read_since;  /* the first byte of `in` is the owner's next */
	uint64_t write_since; /* bytes wait and none left; or RK_NEVER */
	struct conn_clocks at;
	uint64_t armed;      /* when the timer fires; or RK_NEVER */
	struct rk_error why; /* of CLOSED */
};

/* To CLOSED, in words; nothing happens when it is that already. */
void conn_fail(struct conn *c, enum rk_err code, const char *fmt, ...)
    RK_PRINTF(3, 4);
/* The same in the layers' own words, or `what` and the code's text. */
void conn_fail_io(struct conn *c, enum rk_err code, const char *what);
/* Have the work hook do this too. */
void conn_later(struct conn *c, enum conn_work what);

/* Read and deliver what there is, up to what one turn may take. */
void conn_read(struct conn *c);
/* The same for one that waits: keep a little.  And: is there room for it? */
void conn_read_waiting(struct conn *c);
bool conn_may_wait_on(const struct conn *c);
/* Deliver the bytes that are kept. */
void conn_show_kept(struct conn *c);
/* Receive and forget, so that closing does not reset the connection. */
void conn_discard(struct conn *c);
/* Send what is queued but for the last `keep` bytes.  RK_OK: all of that left;
 * RK_EAGAIN; else it is broken. */
RK_MUST enum rk_err conn_push(struct conn *c, size_t keep);

/* Is it time for the low event? */
void conn_note_low(struct conn *c);
/* Tell the owner what is gone, if it wants to know and it is news. */
void conn_note_gone(struct conn *c);

/* What may be seen of a peer that is not read from, and telling the owner. */
unsigned conn_wants_lost(const struct conn *c);
void conn_note_lost(struct conn *c, unsigned ready);

/* Arm the timer for the nearest deadline, unless it fires before that. */
RK_MUST enum rk_err conn_arm(struct conn *c);
/* The timer fired: close if a deadline has passed. */
void conn_check_time(struct conn *c);
/* "psk", "session", "tls" or "connect": where a failed handshake stood. */
const char *conn_step(const struct conn *c);

#endif
