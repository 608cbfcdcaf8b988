/* A connection under test: over a memlayer, on a real loop and a fake clock. */
#ifndef TESTS_LIB_CONNRIG_H
#define TESTS_LIB_CONNRIG_H

#include "base/buf.h"
#include "memlayer.h"
#include "net/conn.h"

/* What a callback does with the connection besides its job. */
enum rig_act {
	RIG_NOTHING, /* proven: leave the decision for later */
	RIG_ACCEPT,
	RIG_ABORT,
	RIG_DRAIN
};

/*
 * Timeouts, ms: handshake 100, read 200, write 300, idle 1000; max_queue 64
 * KiB, max_unused 100,000.  Change conf before rig_open().
 */
struct rig {
	struct rk_loop *loop;
	uint64_t now;
	bool borrowed; /* the loop is another rig's */
	struct conn_conf conf;
	struct mem mem;
	struct conn *conn; /* NULL after closed */
	int peer;          /* the other end; -1 when closed */

	/* what callbacks do */
	enum rig_act on_proven; /* RIG_ACCEPT at first */
	enum rig_act on_data;
	enum rig_act on_room;
	/* How many bytes data() says it used; NULL: all. */
	size_t (*use)(struct rig *r, const uint8_t *data, size_t len);
	void (*more)(struct rig *r); /* called by room */
	void *arg;

	/* what was called */
	unsigned proven;
	unsigned datas;
	unsigned rooms;
	unsigned gones;
	uint64_t gone; /* at the last of these */
	unsigned closes;
	size_t used;
	struct buf got; /* the bytes used */
	struct rk_error why;
};

void rig_init(struct rig *r);
/* On the loop and clock of another. */
void rig_init_with(struct rig *r, const struct rig *other);
/* A connection to r->peer. */
void rig_open(struct rig *r);
void rig_open_with(struct rig *r, struct layer **top);
/* The same, and run it to OPEN. */
void rig_start(struct rig *r);
/* Abort what is open, check that all was freed. */
void rig_fini(struct rig *r);

void rig_turns(struct rig *r, unsigned n);
/* Let so much time pass, then one turn. */
void rig_pass(struct rig *r, uint64_t ms);

/* Nothing to do and no descriptor ready: the loop would sleep. */
void rig_check_sleeps(const struct rig *r);

/* The peer's end. */
void rig_peer_send(struct rig *r, const void *data, size_t len);
/* All that is there, at most cap. */
size_t rig_peer_take(struct rig *r, void *dst, size_t cap);
void rig_peer_close(struct rig *r);

/* Bytes that tell where they belong. */
uint8_t rig_pattern(size_t i);
void rig_fill(uint8_t *dst, size_t len, size_t from);

/* Queue and flush. */
void rig_send(struct rig *r, const void *data, size_t len);
/* The connection is gone, once, for this reason. */
void rig_check_closed(const struct rig *r, enum rk_err code);

#endif
