/* One measurement of messages that go one way, between two threads. */
#ifndef RPCKIT_BENCH_SESSION_H
#define RPCKIT_BENCH_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum way {
	WAY_BARE, /* libsodium: seal, write; read, open */
	WAY_SYNC, /* a session, each message written before the next */
	WAY_ASYNC,
	WAY_COUNT
};

enum pipe_kind {
	PIPE_BYTES,
	PIPE_LOCAL, /* datagrams of a SOCK_SEQPACKET pair: none is lost */
	PIPE_UDP    /* of two connected UDP sockets: none, within a window */
};

struct run {
	enum way way;
	enum pipe_kind kind;
	size_t size;
	uint64_t ns; /* how long to send */
	int fd[2];
	unsigned window; /* so many fit in the receiver's buffer, of UDP */
	/* What came out. */
	uint64_t sent;
	uint64_t got;
	atomic_ullong taken; /* the same, for the sender, over UDP */
	uint64_t begun;      /* when the first one could be sent */
	uint64_t ended;      /* when the last one was there */
	uint64_t began[2]; /* how much CPU time of each thread was gone then */
};

#define SIZE_MOST 65536u
/* Datagrams of this length, all included: so long are their messages. */
#define DATAGRAM_LEN 1300u
#define DATAGRAM_SIZE 1268u

/* Monotonic nanoseconds; CPU time of this thread. */
uint64_t now_ns(void);
uint64_t cpu_ns(void);
/* A thread each; the receiver's ends when there is no more. */
void bare_send(struct run *r);
void bare_receive(struct run *r);
void session_send(struct run *r);
void session_receive(struct run *r);
/* Over UDP: is there room for one more?  Who waits sleeps for NAP_MS. */
#define NAP_MS 1
bool has_room(const struct run *r);
void note_taken(struct run *r);
void die(const char *why);

#endif
