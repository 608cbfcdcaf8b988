/* Keys whose private half is elsewhere: in an agent, a card, a process. */
#ifndef RPCKIT_SIGNER_H
#define RPCKIT_SIGNER_H

#include <rpckit/key.h>

RK_BEGIN

/*
 * What a signature is for.  What is signed has a form of its own for each, so
 * that a signature for one is none for another, and whoever has the key can
 * see what it is asked for.
 */
enum rk_sign_use {
	RK_SIGN_OTHER,    /* a program's own, of any form */
	RK_SIGN_TLS,      /* a handshake over TCP or QUIC (RFC 8446, 4.4.3) */
	RK_SIGN_PSK,      /* a handshake with a pre-shared key, rpckit-psk(7) */
	RK_SIGN_SESSION,  /* a session's, rpckit-session(7) */
	RK_SIGN_NEXT_KEY, /* behind RK_NEXT_KEY_TAG */
	RK_SIGN_CERT,     /* to-be-signed parts of X.509: a certificate, */
	RK_SIGN_REQUEST,  /* a request for one, */
	RK_SIGN_CRL       /* and a revocation list */
};

/*
 * Make the Ed25519 signature (RFC 8032, not of a hash) of len bytes.  On any
 * thread, on several at once.  The handshakes of a whole loop wait for it: it
 * has to end within a bounded time, and should refuse at once for a while when
 * that was used up.  RK_EAGAIN is no answer: it counts as RK_EFAIL.  The
 * error's text is shown to people as it is: one line, escaped, that names where
 * the key is.
 */
typedef enum rk_err rk_sign_fn(enum rk_sign_use use, const void *msg,
    size_t len, uint8_t sig[RK_KEY_SIG_LEN], struct rk_error *err, void *arg);

struct rk_signer {
	size_t size;      /* sizeof(struct rk_signer) */
	const char *name; /* the key's, for messages; copied */
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	rk_sign_fn *sign;
	void (*release)(void *arg); /* with the key's last use; may be NULL */
	void *arg;
};

/*
 * A key for everything that takes one: identities (rk_ident_files.use),
 * sessions, certificates.  rk_key_seed() of it is NULL, and rk_key_format()
 * answers RK_EUNSUPPORTED.  After a failure arg is still the caller's.
 * RK_EINVAL, RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_key_of_signer(
    const struct rk_signer *signer, struct rk_key **out);

/* Somebody is being asked whether the key may be used this once; `keyvault
 * allow ID` answers, too.  On the thread that signs, which waits. */
typedef void rk_agent_ask_fn(const char *name, uint32_t id, void *arg);

struct rk_agent_conf {
	size_t size;      /* sizeof(struct rk_agent_conf) */
	const char *path; /* its socket; NULL: as keyvault(1) looks for it */
	/* To find the key and for one signature, 0: 2000.  If a signature used
	 * up its time the next ones fail at once, with the same error, for two
	 * and a half times as long; the first after that tries again. */
	uint32_t timeout_ms;
	/* For one signature, 0: timeout_ms.  A server's loop, with all who are
	 * on it, waits so long for an agent that hangs; rpcd(8) has 250. */
	uint32_t sign_ms;
	/* NULL: nobody waits until somebody has said yes, and a key that needs
	 * that is refused (RK_EDENIED).  Else a signature may take a minute. */
	rk_agent_ask_fn *asked;
	void *arg;
	/* What it will be asked for: RK_EDENIED at once of a key whose tags do
	 * not allow that, where the agent tells.  RK_SIGN_OTHER: not known. */
	enum rk_sign_use use;
};

/*
 * A key that is open in an agent of keyvault(1), by its name there; conf NULL:
 * as {0}.  One connection is kept, and made anew when the agent was started
 * anew.  Errors, of this and of each signature, name the socket: RK_ECONNECT
 * (no agent), RK_ETIMEOUT, RK_EMODE (another user's), RK_EPROTO, RK_ENOPASS
 * (the key is not open), RK_EDENIED (it is not for this use), and others that
 * the agent gives.  rk_key_load() and rk_ident_load_dir() take
 * "keyvault:NAME".
 */
RK_API RK_MUST enum rk_err rk_key_of_agent(const char *name,
    const struct rk_agent_conf *conf, struct rk_key **out,
    struct rk_error *err);
/* What such a key is called where a file could be named. */
#define RK_KEY_IN_AGENT "keyvault:"

/*
 * Sign with a key of any kind.  A signature that came from elsewhere is
 * verified before it is given on (RK_EPROTO).  sig is zeros after a failure.
 * The errors of the signer; a key that is here cannot fail.  Any thread.
 */
RK_API RK_MUST enum rk_err rk_key_sign_for(const struct rk_key *key,
    enum rk_sign_use use, const void *msg, size_t len,
    uint8_t sig[RK_KEY_SIG_LEN], struct rk_error *err);

RK_END

#endif
