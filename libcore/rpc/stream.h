/* Streams of one connection, either end: numbers, credit, what waits. */
#ifndef RPCKIT_RPC_STREAM_H
#define RPCKIT_RPC_STREAM_H

#include "net/loop.h"
#include "rpc/session.h"

#include <rpckit/stream.h>

/*
 * A part goes straight from the message to its stream's owner.  Only what comes
 * while a stream is paused is copied, up to the window; beyond
 * STREAMS_QUEUE_MAX bytes of a connection nothing more is read from it.  Peers
 * that keep to windows may have as many as STREAMS_KIN_QUEUE_MAX, so that it
 * takes dozens of streams that nobody takes to hold up the others.
 *
 * Parts are sent while fewer than STREAMS_AHEAD bytes wait to leave, so that
 * calls pass between them; streams that wait for that take turns.
 */
#define STREAMS_QUEUE_MAX (8u << 20)
#define STREAMS_KIN_QUEUE_MAX (64u << 20)
#define STREAMS_AHEAD (128u << 10)
/* What streams may send in one turn of the loop, however fast it leaves: others
 * wait for the loop. */
#define STREAMS_TURN (256u << 10)

struct stream_part; /* one that waits */
TAILQ_HEAD(stream_parts, stream_part);
TAILQ_HEAD(stream_list, rk_stream);

/* All of one connection.  Its owner outlives them. */
struct streams {
	struct stream_list all;
	struct stream_list work; /* something is to be done by the hook */
	struct stream_list wait; /* for the connection to take more */
	struct loop_hook hook;
	struct rk_loop *loop;
	struct session *session;   /* NULL: none is open */
	size_t spent;              /* bytes that were sent in this turn */
	struct loop_hook turned;   /* it is over */
	struct stream_parts spare; /* memory for more of them */
	size_t n_spare;
	size_t queued; /* bytes of parts that wait */
	bool stuffed;  /* too many: the session is paused */
};

/* How far one direction of a stream has come. */
struct stream_moved {
	uint64_t bytes; /* of payloads */
	uint64_t from;  /* so many were there before, as was told */
	uint64_t size;  /* of all, as was told; UINT64_MAX: it was not */
};

struct rk_stream {
	TAILQ_ENTRY(rk_stream) link;      /* all */
	TAILQ_ENTRY(rk_stream) work_link; /* work */
	TAILQ_ENTRY(rk_stream) wait_link; /* wait */
	bool in_work;
	bool in_wait;
	struct streams *owner;
	enum rk_stream_kind kind;
	const struct rk_stream_events *events; /* NULL: parts are fetched */
	void *arg;
	void *data;
	uint64_t seqno;
	struct rk_str call_id; /* these two in `kept` */
	struct rk_str method;
	char *kept;
	/* out */
	int64_t out_part;   /* of the next one */
	uint64_t out_used;  /* credit, in bytes since the beginning */
	uint64_t out_limit; /* UINT64_MAX: the peer has told none */
	bool out_ended;
	bool starved; /* an RK_EAGAIN was told: `writable` is owed */
	bool turn;    /* to send has come, and was not used */
	/* in */
	int64_t in_part;
	uint64_t in_used;
	uint64_t in_taken;
	uint64_t in_granted;
	bool in_ended;
	bool paused;
	struct stream_parts parts; /* that wait */
	/* the end */
	unsigned entered; /* callbacks on the stack */
	bool over;        /* nothing is sent or delivered any more */
	bool gone;        /* to be freed when entered is 0 */
	/* a server's */
	struct rk_call *call;
	struct stream_moved moved_in, moved_out;
	char *file; /* which one it moves, escaped; NULL: was not told */
	const struct msg *opening; /* inside the open function only */
	/* a client's */
	struct rk_client *client;
	bool answered; /* the answer has come, and waits for the parts before it
	                */
	struct rk_reply answer;
	struct stream_part *shown; /* by rk_stream_next() */
};

void streams_init(struct streams *t, struct rk_loop *loop);
/* Frees what is left, without a word to anybody. */
void streams_fini(struct streams *t);
/* A session is open: who waited for it may send. */
void streams_open(struct streams *t, struct session *s);
/* It is closed; the calls the streams belong to will end them. */
void streams_closed(struct streams *t);
/* session_tell_low() was answered. */
void streams_low(struct streams *t);
bool streams_any(const struct streams *t);
bool streams_has(const struct streams *t, uint64_t seqno);
/* A message for a stream that is open; of others it is dropped. */
void streams_message(struct streams *t, const struct msg *m);
/* Is it a message of streams (but none that opens one)? */
bool stream_is_part(int64_t type);

/* NULL: no memory. */
struct rk_stream *stream_new(
    struct streams *t, enum rk_stream_kind kind, const struct msg *opening);
/* Out of all tables; the memory goes when no callback is on the stack. */
void stream_free(struct rk_stream *s);
/* Frees what is gone, when its last callback has returned. */
void stream_release(struct rk_stream *s);
/* Have the hook see what is to be done for it. */
void stream_later(struct rk_stream *s);
/* Deliver a part, or keep it while it cannot be. */
void stream_take(struct rk_stream *s, const struct msg *m, bool last);
/* The next part that waits, NULL: none; it is counted as taken. */
struct stream_part *stream_pop(struct rk_stream *s);
void stream_part_show(const struct stream_part *p, struct rk_part *out);
void stream_part_free(struct rk_stream *s, struct stream_part *p);
/* No callback from now on, nothing waits any more. */
void stream_silence(struct rk_stream *s);
/* Tell a peer that does not know it how much it may send. */
void stream_greet(struct rk_stream *s);

/* stream_out.c: would a part be taken now? */
bool stream_has_room(const struct rk_stream *s);
/* Wait for the connection to have few bytes left, or no more: behind all others
 * that do, unless it is the one whose turn it is. */
void stream_wait(struct rk_stream *s, bool on);
/* Of what may be sent in a turn. */
void streams_out_init(struct streams *t);
/* Nothing more is sent, and nobody waits to send. */
void stream_sent_all(struct rk_stream *s);
/* stream_moved.c: of a server's, what came (opening: with the message that
 * opens it, whose payload comes as a part) and what was sent. */
void stream_moved_open(struct rk_stream *s, const struct rk_args *args,
    const struct rk_method *method);
void stream_moved_in(struct rk_stream *s, const struct msg *m);
void stream_moved_out(struct rk_stream *s, const struct rk_part *part);
/* What a part counts. */
static inline uint64_t
stream_cost(size_t payload)
{
	return payload + RK_STREAM_PART_COST;
}

/* stream_server.c, stream_client.c: the peer broke the rules of streams. */
void stream_server_broken(struct rk_stream *s, const char *why);
void stream_client_broken(struct rk_stream *s, const char *why);
/* stream_client.c: the answer's turn has come. */
void stream_client_ended(struct rk_stream *s);
/* The client is going, and with it those that still wait to be taken. */
void stream_client_leave(struct streams *t);

/* The same two: what both ends may be asked. */
const struct rk_peer *stream_server_peer(const struct rk_stream *s);
const struct rk_peer *stream_client_peer(const struct rk_stream *s);
uint64_t stream_server_time_left(const struct rk_stream *s);
uint64_t stream_client_time_left(const struct rk_stream *s);

/* stream_server.c: run the method's open function. */
struct rk_method;
void stream_serve(struct rk_call *call, const struct rk_method *method);
/* The kind a message opens; 0: it opens none. */
unsigned stream_kind_opened(int64_t type);

#endif
