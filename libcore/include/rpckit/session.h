/* Sessions: two ends that know each other by their keys, over any pipe. */
#ifndef RPCKIT_SESSION_H
#define RPCKIT_SESSION_H

#include <rpckit/key.h>
#include <rpckit/loop.h>
#include <rpckit/psk.h>

RK_BEGIN

/*
 * What one end writes the other one reads, sealed, over a pipe that their users
 * bring: rpckit-session(7).  No certificates are needed: each end has an
 * Ed25519 key and knows the other's, or its fingerprint, or decides when it
 * sees it.
 *
 * A session lives on a loop, whose thread alone may call what is here;
 * callbacks are entered from the loop only.  Lengths are bytes, times
 * milliseconds.
 */
struct rk_session;

/*
 * One after another; those that are not reached are left out.  What is
 * negotiated is who is there: the proofs of both ends, and the judge's word.
 * How long datagrams may be is no part of it: a datagram session is established
 * with a payload that every path has, and probes for longer ones after that,
 * while it works; see rk_session_payload().
 */
enum rk_session_state {
	RK_SESSION_INITIALIZING,
	RK_SESSION_EXCHANGING,  /* keys of this session */
	RK_SESSION_NEGOTIATING, /* proofs of who is there */
	RK_SESSION_ESTABLISHED, /* both are accepted; the payload is probed */
	RK_SESSION_CLOSING,
	RK_SESSION_CLOSED
};

/* err: in RK_SESSION_CLOSED why, RK_OK when both ends said goodbye; else NULL.
 * After RK_SESSION_CLOSED nothing more is called. */
typedef void rk_session_state_fn(struct rk_session *s,
    enum rk_session_state state, const struct rk_error *err, void *arg);
/*
 * Is this the peer?  It has proven that it holds the key.  fp is how
 * `ssh-keygen -l` shows it.  RK_OK; everything else ends the session, with this
 * code.  Once in a session's life.
 */
typedef enum rk_err rk_session_peer_fn(struct rk_session *s,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], const char *fp, void *arg);
/* RK_READ: something came that rk_session_read() gives; RK_WRITE: after a
 * write that was refused or cut short there is room again; or datagrams are
 * shorter now (rk_session_payload()), and longer ones were lost. */
typedef void rk_session_ready_fn(
    struct rk_session *s, unsigned ready, void *arg);

/* Borrowed until rk_session_free() is what pointers lead to, but for peer. */
struct rk_session_conf {
	size_t size;    /* sizeof(struct rk_session_conf) */
	bool initiator; /* one of the ends is */
	const struct rk_key *key;
	const struct rk_psks *psks; /* one of these is required; NULL: none */
	/*
	 * The one that is accepted, if not NULL: a line of an OpenSSH public
	 * key file, or a fingerprint as `ssh-keygen -l` or rk_fp_of_key() gives
	 * it.  judge is asked besides, if not NULL; one of both is there.
	 */
	const char *peer;
	rk_session_peer_fn *judge;
	rk_session_state_fn *state; /* may be NULL */
	rk_session_ready_fn *ready; /* may be NULL */
	void *arg;
	uint32_t handshake_ms; /* until it is established; 0: 10 seconds */
	uint32_t rekey_ms;     /* the initiator changes keys; 0: a minute */
	/* The longest datagram that is sent, 512 to 65000 bytes; 0: what the
	 * way carries, from 1200, is found by probing. */
	uint32_t packet;
	uint64_t rekey_bytes; /* or after so many, both ways; 0: 1 GiB */
	/* How many microseconds a message waits for others, to travel in one
	 * packet with them; 0: 50; RK_SESSION_AT_ONCE: for those of the same
	 * turn of the loop alone. */
	uint32_t merge_us;
};
#define RK_SESSION_AT_ONCE UINT32_MAX

/*
 * Take what can be taken of data to the pipe.  RK_OK with *taken; RK_EAGAIN: it
 * is full, rk_session_resume() will be called; of datagrams RK_ETOOBIG: it is
 * longer than the way carries, and lost; anything else ends the session.
 */
typedef enum rk_err rk_session_send_fn(
    const void *data, size_t len, size_t *taken, void *arg);

/*
 * A pipe of bytes: descriptors of a stream socket, pipes or a serial line, in
 * and out, which may be the same; of datagrams: a connected UDP socket, a local
 * one, or one of SOCK_SEQPACKET; or, with in and out -1, a function, and
 * rk_session_feed() for what comes.  Descriptors stay the caller's, and are
 * closed by it after RK_SESSION_CLOSED or rk_session_free().  Who gives a
 * pipe(2) to write to ignores SIGPIPE.  Whether they are blocking is left as it
 * is; but a line, pipe with a name or terminal that cannot be opened once more
 * (by /proc/self/fd) is non-blocking until then.
 */
struct rk_session_pipe {
	int in;
	int out;
	bool datagrams; /* of a function: each call is one, taken or lost */
	rk_session_send_fn *send;
	void *arg;
};

/*
 * Begin when the loop turns.  RK_EINVAL (what is missing, or is too much),
 * RK_EFORMAT, RK_EUNSUPPORTED, RK_EDENIED (peer; RK_EUNSUPPORTED also: a
 * descriptor of another kind), RK_EIO, RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_session_new(struct rk_loop *loop,
    const struct rk_session_conf *conf, const struct rk_session_pipe *pipe,
    struct rk_session **out, struct rk_error *err);
/* At once and without a goodbye.  Also within a callback; NULL is allowed. */
RK_API void rk_session_free(struct rk_session *s);

/*
 * Send bytes: *taken are copied, which may be less than len, and leave at the
 * end of the loop's turn.  RK_EAGAIN: none, until `ready` says RK_WRITE, which
 * it also does when the session is established; RK_ECLOSED: it is closing.
 * Over datagrams all of it arrives as one piece, or not at all, in any order;
 * RK_ETOOBIG: it is longer than rk_session_payload().
 */
RK_API RK_MUST enum rk_err rk_session_write(
    struct rk_session *s, const void *data, size_t len, size_t *taken);
/* *n bytes of what came, also after the end.  RK_EAGAIN: nothing is there;
 * RK_ECLOSED: and nothing will be.  Over datagrams one piece as it was written;
 * RK_ETOOBIG: it has *n bytes, and waits. */
RK_API RK_MUST enum rk_err rk_session_read(
    struct rk_session *s, void *data, size_t len, size_t *n);
/*
 * Say goodbye behind all that was written, and wait for the peer's at most five
 * seconds; what comes meanwhile is dropped.  Before it is established: give up,
 * the session ends with RK_ECANCELED.
 */
RK_API void rk_session_close(struct rk_session *s);

RK_API enum rk_session_state rk_session_get_state(const struct rk_session *s);
/* The peer's key, once proven; false before. */
RK_API bool rk_session_peer(
    const struct rk_session *s, uint8_t pub[RK_KEY_PUBLIC_LEN]);
/* The name of the pre-shared key that both have proven; NULL: none. */
RK_API const char *rk_session_psk(const struct rk_session *s);
/* The longest piece over datagrams, which grows while the way is probed, and
 * shrinks when it carries no such any more; SIZE_MAX: any, of a pipe of bytes.
 */
RK_API size_t rk_session_payload(const struct rk_session *s);
/* How often keys have been changed. */
RK_API uint32_t rk_session_epoch(const struct rk_session *s);

/*
 * Messages, beside the stream, on channels that both ends know by number.  Over
 * a pipe of bytes all of one channel arrive, in order; over datagrams each
 * arrives whole or not at all.  Between a message and the stream's bytes there
 * is no order: who does not read the stream gets no messages either.
 */
#define RK_SESSION_CHANNEL_MAX 65535u
#define RK_SESSION_CHANNEL_ANY 65536u /* all that nobody else listens on */
#define RK_SESSION_MESSAGE_MAX 1048576u

/* data is borrowed until it returns. */
typedef void rk_session_message_fn(struct rk_session *s, uint32_t channel,
    const void *data, size_t len, void *arg);
/*
 * Have fn called for what comes on a channel, instead of who was before; NULL:
 * nobody any more.  What comes where nobody listens is dropped and counted.
 * First messages come right behind RK_SESSION_ESTABLISHED: who listens from
 * before it, or from that callback on, misses none.  RK_EINVAL, RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_session_on(struct rk_session *s, uint32_t channel,
    rk_session_message_fn *fn, void *arg);
/*
 * A listener that cannot keep up: nothing more is taken from the pipe, of any
 * channel or the stream, so that the peer has to wait, too (datagrams are lost
 * when the system keeps no more).  What is in the packet at hand is delivered
 * still: at most 64 KiB.  Neither is the peer's goodbye seen, nor its end,
 * until this is called with false, or the session is closed from here.
 */
RK_API void rk_session_pause(struct rk_session *s, bool pause);
/* How many messages were dropped. */
RK_API uint64_t rk_session_unheard(const struct rk_session *s);

/*
 * What became of a message.  RK_OK: the pipe has taken all of it, which is not
 * to say that the peer has; RK_ECANCELED: not a byte has left; anything else:
 * why the session is over, and some of it may have left.  Once for each, in the
 * order of sending but for those that are canceled, and before
 * RK_SESSION_CLOSED; from within rk_session_free() for those that are left.
 */
typedef void rk_session_sent_fn(
    struct rk_session *s, uint64_t id, enum rk_err r, void *arg);
/*
 * Queue a message, which is copied: whole or not at all.  It waits for others
 * (merge_us), but not when what waits fills a packet or something else has to
 * leave.  fn may be NULL; *id is for rk_session_cancel(), unless id is NULL.
 * RK_EAGAIN: as of rk_session_write(); RK_ETOOBIG: longer than
 * rk_session_message_max(); RK_EINVAL; RK_ECLOSED; RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_session_send(struct rk_session *s,
    uint32_t channel, const void *data, size_t len, rk_session_sent_fn *fn,
    void *arg, uint64_t *id);
/*
 * The same, and come back when the pipe has taken it and all before it.  The
 * thread waits meanwhile, for at most so long; with 0, or a pipe that is a
 * function, it does not.  RK_ETIMEOUT: the message stays queued.  The rest as
 * above; of a pipe that is a function this is entered from here.
 */
RK_API RK_MUST enum rk_err rk_session_send_wait(struct rk_session *s,
    uint32_t channel, const void *data, size_t len, uint32_t timeout_ms);
/* It is not to be sent: its function will be called, with RK_ECANCELED.
 * RK_ESTATE: some of it is in a packet already, or it was canceled before;
 * RK_ENOENT: it has left, or never was. */
RK_API RK_MUST enum rk_err rk_session_cancel(struct rk_session *s, uint64_t id);
/* The longest message: RK_SESSION_MESSAGE_MAX, or what one datagram holds. */
RK_API size_t rk_session_message_max(const struct rk_session *s);

/*
 * Of a pipe that is a function: what came, which is copied; data NULL: it has
 * ended.  RK_EAGAIN: nothing was taken, since what came before waits for the
 * loop to turn or to be read, or this is within a callback about what came;
 * RK_ETOOBIG: more than RK_SESSION_FEED_MAX bytes, to be given in parts (a
 * datagram that is longer than any can be is lost, and RK_OK); RK_ENOMEM;
 * RK_ECLOSED.
 */
#define RK_SESSION_FEED_MAX 65536u
RK_API RK_MUST enum rk_err rk_session_feed(
    struct rk_session *s, const void *data, size_t len);
/* There is room again. */
RK_API void rk_session_resume(struct rk_session *s);

/* The fingerprint of a key as `ssh-keygen -l` shows it.  Any thread. */
RK_API void rk_session_fp(
    const uint8_t pub[RK_KEY_PUBLIC_LEN], char fp[RK_FP_LEN]);

RK_END

#endif
