/* Two sessions on one loop, joined by a pipe of some kind. */
#ifndef TESTS_LIB_SESSRIG_H
#define TESTS_LIB_SESSRIG_H

#include <rpckit/session.h>

#include "base/buf.h"
#include "net/sess_int.h"
#include "vtime.h"

enum sessrig_pipe {
	SESSRIG_STREAM,   /* a unix stream socket */
	SESSRIG_PIPES,    /* two of pipe(2) */
	SESSRIG_FUNCTION, /* of the test's: what is said waits in `said` */
	SESSRIG_UDP,
	SESSRIG_LOCAL, /* unix datagrams */
	SESSRIG_SEQPACKET,
	SESSRIG_NET, /* datagrams of the test's */
	SESSRIG_KINDS
};

struct sessend {
	struct sessrig *rig;
	struct rk_session *s;
	struct rk_session_conf conf;
	struct rk_key *key;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	int in;
	int out;
	char states[16];     /* a letter each: I E N O(pen) C X */
	enum rk_err verdict; /* of its judge */
	unsigned asked;
	unsigned readable;
	unsigned writable;
	bool free_at_end; /* within the callback */
	struct rk_error why;
	struct buf said; /* SESSRIG_FUNCTION */
	struct buf got;  /* what it has read; reads at once unless `lazy` */
	bool lazy;
	/* Within the pipe's function, before it reads; may be NULL. */
	void (*sends)(struct sessend *e);
};

/* The initiator is 0. */
struct sessrig {
	enum sessrig_pipe kind;
	struct rk_loop *loop;
	struct vtime time;
	struct sessend end[2];
	bool piecemeal; /* a function takes few bytes at once */
	/* SESSRIG_NET: out of 100; what is held comes later than the next. */
	unsigned lose;
	unsigned repeat;
	unsigned hold;
	size_t longest; /* what is longer is lost; 0: nothing is */
	bool refuses;   /* by its function, instead */
	uint32_t random;
	size_t held[2];
	uint8_t late[2][SESS_DATAGRAM_MAX];
	unsigned carried[2];
	/* SESSRIG_NET: instead of all of that; what is to arrive goes to
	 * sessrig_arrive(). */
	void (*pass)(struct sessrig *r, unsigned to, uint8_t *data, size_t len);
	/* Between functions: may change, cut, repeat or drop what was said. */
	void (*tamper)(struct sessrig *r, unsigned from, struct buf *said);
};

/* Ends with keys, who are asked about their peers; not begun. */
void sessrig_open(struct sessrig *r, enum sessrig_pipe kind);
/* Begin with what conf says now. */
void sessrig_start(struct sessrig *r);
void sessrig_close(struct sessrig *r);
/* Turns, and words carried over, until nothing happens any more. */
void sessrig_settle(struct sessrig *r);
/* The same and time goes by. */
void sessrig_pass(struct sessrig *r, uint64_t ms);
/* Open, start, and both ends are established. */
void sessrig_establish(struct sessrig *r, enum sessrig_pipe kind);
void sessrig_write(struct sessend *e, const void *data, size_t len);
/* SESSRIG_NET: a datagram comes. */
void sessrig_arrive(
    struct sessrig *r, unsigned to, const void *data, size_t len);

#endif
