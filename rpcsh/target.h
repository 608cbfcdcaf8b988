/* The server to call: settings made into a connected client. */
#ifndef RPCSH_TARGET_H
#define RPCSH_TARGET_H

#include "settings.h"
#include "trust.h"

#include <rpckit/client.h>
#include <rpckit/sshkeys.h>

struct held;
struct last;

/* Who runs the verbs: main(), or a shell. */
struct caller {
	int argc; /* of main() */
	char **argv;
	struct held *held; /* a shell's connection, or NULL */
	struct last *last; /* where it keeps the last reply, or NULL */
	bool times;        /* it says after each reply how long it took */
};

/* Is standard input taken by the lines of a script? */
bool caller_has_input(const struct caller *by);

struct target {
	struct held *held; /* whose it is, or NULL */
	struct settings settings;
	char url[SETTINGS_URL_LEN];
	uint64_t timeout; /* of a call, ms; RK_NEVER: none */
	uint64_t connect_timeout;
	bool timeout_given;
	bool answered; /* it has answered a call on this connection */
	uint64_t connected_us;
	/* rpcsh/patience: since when nothing has come (us, 0: nothing is due),
	 * whether the server was asked if it is there, and what was said. */
	uint64_t quiet_since;
	bool quiet_asked;
	bool quiet_told;
	struct rk_error ended; /* why the connection has, once it has */
	struct out log;        /* where the library's log goes */
	struct rk_ident *ident;
	struct rk_psks *psks;         /* one, or NULL: none is set */
	struct rk_key *ssh_key;       /* of sessions, or NULL */
	struct rk_sshkeys *ssh_peers; /* the same */
	struct trusting trusting;
	bool no_input;
	struct rk_trust *trust;
	struct rk_client *client;
};

/* Resolve settings, read identity and known keys; no network yet.  What goes
 * wrong is said on o; *status is the exit status then. */
bool target_open(
    struct target *t, const struct args *a, const struct out *o, int *status);
/* The same for that server instead, and to record the key with that fingerprint
 * for it: TRUST_ADD, TRUST_REPLACE. */
bool target_open_for(struct target *t, const struct args *a,
    const struct out *o, const char *server, enum trust_how how, const char *fp,
    int *status);
/* Connect; asks about a new key if --trust says so; says what is worth knowing
 * (new key recorded).  What the server says about its next keys is asked for
 * with the first call (rpcsh/next). */
bool target_connect(struct target *t, const struct out *o, int *status);
/* The same; what fails is for the caller to say, with target_failed(). */
RK_MUST enum rk_err target_dial(
    struct target *t, const struct out *o, struct rk_error *err);
void target_close(struct target *t);

/*
 * The target of a verb.  In a shell that holds a connection to the same server
 * by the same means it is that one, *own otherwise, opened as by target_open();
 * NULL: said why not.  In the end, target_done() closes what was opened.
 */
struct target *target_use(struct target *own, const struct caller *by,
    const struct args *a, const struct out *o, int *status);
/* Is the connection the one that these words mean? */
bool target_is_held(const struct held *h, const struct args *a);
void target_done(struct target *t, const struct caller *by);
/* The library's log is that of the held connection again. */
void target_hear(struct held *h);
/* Open h->t, for a shell to hold. */
bool target_hold(
    struct held *h, const struct args *a, const struct out *o, int *status);

/* rk_client_call(), remembering that there was an answer. */
RK_MUST enum rk_err target_call(struct target *t, const struct rk_request *req,
    struct rk_reply *reply, struct rk_error *err);
/* So long, or up to Ctrl-C, or until the connection ends, which is noticed. */
void target_wait(struct target *t, uint64_t ms);
/* Say why a call of method (NULL: connecting) failed, with advice; the exit
 * status. */
int target_failed(const struct target *t, const struct out *o,
    const struct rk_error *err, const char *method);
/* The same for a method the server does not have. */
int target_no_method(struct target *t, const struct out *o, const char *method);
/* Our own key, of any kind; false: none is shown to the server. */
bool target_own_fp(const struct target *t, char fp[RK_FP_LEN]);

/* "asked URL, rpckit/1": who it was, and which protocol was agreed on. */
#define TARGET_ASKED_LEN 200
const char *target_asked(const struct target *t, char dst[TARGET_ASKED_LEN]);

/* The only method of the server whose name ends so behind a dot, "math.Sum" of
 * "Sum"; false: there is none, or more than one. */
bool target_whole_name(
    struct target *t, const char *method, char out[RK_NAME_MAX + 1]);

enum rk_tls_mode target_tls_mode(const struct target *t);
bool target_is_tls(const struct target *t); /* or QUIC */
/* Are keys proven there: with TLS, QUIC or a pre-shared key? */
bool target_is_proving(const struct target *t);
bool target_has_psk(const struct target *t);
bool target_is_quic(const struct target *t);
bool target_is_tcp(const struct target *t);
bool target_is_ssh_udp(const struct target *t);
bool target_is_session(const struct target *t);
/* Is a time limit in ms (RK_NEVER: none) over after so long?  A little before
 * as well, by which clocks and timers differ. */
bool target_is_late(uint64_t timeout, uint64_t took_us);

#endif
