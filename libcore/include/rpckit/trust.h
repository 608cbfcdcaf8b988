/* Whom do I believe: the known-keys file and the decision about a peer. */
#ifndef RPCKIT_TRUST_H
#define RPCKIT_TRUST_H

#include <rpckit/key.h>

RK_BEGIN

/* A peer, as far as it has proven itself.  Valid as long as its connection
 * unless copied; everything in it is escaped text or fixed-size bytes. */
struct rk_peer {
	const char
	    *transport; /* "tcp" "tls" "quic" "unix" "ssh+tcp" "ssh+udp" "fd" */
	char local[128];  /* "tls://127.0.0.1:8443" */
	char remote[128]; /* where it came from: over UDP it may move */
	/* A certificate of our CA, or a session's key; possession shown. */
	bool proven;
	bool resumed; /* the TLS session was resumed */
	/* All zero unless proven.  Of a session: pub and fp; and if its key is
	 * one of rk_sshkeys, that as issuer_cn and its comment as cn. */
	struct rk_cert_info cert;
	char cipher[48]; /* "TLS_CHACHA20_POLY1305_SHA256"; "" if plain */
	char alpn[16];   /* "rpckit/1" or "" */
	/* The pre-shared key that both ends have proven (rpckit/psk.h): its
	 * name here, and its id; "" without one. */
	char psk[64];
	char psk_id[10];
};

/*
 * The rule of the known-keys file (rpckit-trust(7)): absent: nothing is
 * recorded; any write bit set: unknown keys are added; no write bit: locked.
 * `mode` can only make it stricter.  Of who has to wait: rpckit/ask.h.
 */
enum rk_trust_mode {
	RK_TRUST_FILE, /* the file's own state decides */
	RK_TRUST_LOCK, /* known keys only, whatever the file's mode */
	RK_TRUST_OFF,  /* no list: every certificate of the CA is accepted */
	RK_TRUST_ASK,  /* unknown keys wait for a decision; needs the file */
	RK_TRUST_ACCEPT_NEW /* as the file; but a new key of a known e-mail
	                       waits */
};

enum rk_trust_state {
	RK_TRUST_ABSENT,
	RK_TRUST_OPEN,
	RK_TRUST_LOCKED
};

struct rk_trust;

/*
 * Use the known-keys file at path.  RK_EINVAL; RK_EMODE (symbolic link, not a
 * regular file, another owner, writable by others, or in a directory where
 * others can replace it); RK_EFORMAT with the line;
 * RK_ESTATE when it is locked and empty, which would refuse everybody, or
 * absent in mode RK_TRUST_ASK.  path NULL: RK_TRUST_OFF.
 */
RK_API RK_MUST enum rk_err rk_trust_new(const char *path,
    enum rk_trust_mode mode, struct rk_trust **out, struct rk_error *err);
RK_API void rk_trust_free(struct rk_trust *trust);

/*
 * Record at most so many new keys in any minute; beyond that unknown keys are
 * refused as by a locked list.  0: no limit; more than 10000 is 10000.  Without
 * this call it is RK_TRUST_NEW_KEYS.  What `before` (may be NULL), a decider of
 * the same file that this one replaces, has recorded lately counts.  RK_ENOMEM.
 * Before others use `trust`; `before` may be in use.
 */
#define RK_TRUST_NEW_KEYS 20
RK_API RK_MUST enum rk_err rk_trust_limit(struct rk_trust *trust,
    unsigned new_keys_per_minute, struct rk_trust *before);

/*
 * Decide about a peer whose key possession is proven: RK_OK (recorded first if
 * it is new and the list is open: a write that fails is a refusal),
 * RK_EUNKNOWNKEY, or RK_EIO/RK_EMODE/RK_EFORMAT when the file cannot be used,
 * and RK_EBUSY while another program holds its lock, for a second at most.
 * RK_EAGAIN: it has to wait for a decision, and has an entry (rpckit/ask.h);
 * RK_ELIMIT: too many do; RK_EDENIED, RK_EREVOKED: that was decided.
 * added (may be NULL) tells whether a line was written.  Reads the file again
 * when it changed.  A file that was there and is gone is RK_EIO, not absent; a
 * full one is locked.  RK_ECERT: the peer has proven no key.  Any thread.
 */
RK_API RK_MUST enum rk_err rk_trust_decide(struct rk_trust *trust,
    const struct rk_peer *peer, bool *added, struct rk_error *err);

/* The file as it stands now, or as it was read last while another program holds
 * its lock: waits for no longer than 30 ms.  RK_EIO/RK_EMODE/RK_EFORMAT,
 * RK_EBUSY.  Any thread. */
RK_API RK_MUST enum rk_err rk_trust_inspect(struct rk_trust *trust,
    enum rk_trust_state *state, size_t *keys, struct rk_error *err);

RK_END

#endif
