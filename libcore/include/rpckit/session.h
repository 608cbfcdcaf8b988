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

/* One after another; those that are not reached are left out. */
enum rk_session_state {
	RK_SESSION_INITIALIZING,
	RK_SESSION_EXCHANGING,  /* keys of this session */
	RK_SESSION_NEGOTIATING, /* proofs of who is there */
	RK_SESSION_ESTABLISHED,
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
 * write that was refused or cut short there is room again. */
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
};

/*
 * Take what can be taken of data to the pipe.  RK_OK with *taken; RK_EAGAIN: it
 * is full, rk_session_resume() will be called; anything else ends the session.
 */
typedef enum rk_err rk_session_send_fn(
    const void *data, size_t len, size_t *taken, void *arg);

/*
 * A pipe of bytes: descriptors of a stream socket, pipes or a serial line, in
 * and out, which may be the same; of datagrams: a connected UDP socket, a local
 * one, or one of SOCK_SEQPACKET; or, with in and out -1, a function, and
 * rk_session_feed() for what comes.  Descriptors become non-blocking, stay the
 * caller's, and are closed by it after RK_SESSION_CLOSED or
 * rk_session_free().  Who gives a pipe(2) to write to ignores SIGPIPE.
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
/* The longest piece over datagrams, which grows while the way is probed;
 * SIZE_MAX: any, of a pipe of bytes. */
RK_API size_t rk_session_payload(const struct rk_session *s);
/* How often keys have been changed. */
RK_API uint32_t rk_session_epoch(const struct rk_session *s);

/* Of a pipe that is a function: what came, which is copied; data NULL: it has
 * ended.  RK_EAGAIN: nothing was taken, since what came before waits to be
 * read; RK_ENOMEM; RK_ECLOSED. */
RK_API RK_MUST enum rk_err rk_session_feed(
    struct rk_session *s, const void *data, size_t len);
/* There is room again. */
RK_API void rk_session_resume(struct rk_session *s);

/* The fingerprint of a key as `ssh-keygen -l` shows it.  Any thread. */
RK_API void rk_session_fp(
    const uint8_t pub[RK_KEY_PUBLIC_LEN], char fp[RK_FP_LEN]);

RK_END

#endif
