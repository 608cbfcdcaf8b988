/* A server with methods for tests, on a thread of its own, and its clients. */
#ifndef TESTS_LIB_RPCRIG_H
#define TESTS_LIB_RPCRIG_H

#include <rpckit/log.h>
#include <rpckit/push.h>
#include <rpckit/sshkeys.h>

#include <pthread.h>

/* Everything here fails the running test when it cannot do its job; every
 * wait ends after RPCRIG_PATIENCE_MS. */
#define RPCRIG_PATIENCE_MS 60000
#define RPCRIG_HELD 20000

enum rpc_kind {
	RPC_TCP,
	RPC_TLS,
	RPC_UNIX,
	RPC_QUIC, /* where this build has it */
	RPC_SSH,  /* sessions over TCP */
	RPC_SSH_UDP,
	RPC_KINDS
};
const char *rpc_kind_name(enum rpc_kind kind);
bool rpc_is_session(enum rpc_kind kind);
/* Both ends prove keys, by certificates; or by those or without. */
bool rpc_is_secure(enum rpc_kind kind);
bool rpc_has_keys(enum rpc_kind kind);

/* What the whole program shares; cmocka's group set-up and tear-down. */
struct rpcworld {
	char dir[256]; /* certificates, sockets, key lists */
	struct certs_cert *ca;
	struct rk_ident *node;       /* node@example.org */
	struct rk_ident *client;     /* client@example.org */
	struct rk_ident *other;      /* other@example.org, of the same CA */
	struct rk_ident *node2;      /* a second identity of the server */
	struct rk_key *keys[2];      /* of sessions: node's, client's */
	struct rk_sshkeys *peers[2]; /* whom these believe: the other */
};
extern struct rpcworld rpcworld;
int rpcworld_setup(void **state);
int rpcworld_teardown(void **state);
/* An identity of the shared folder: "node", "client", "other", "node2". */
struct rk_ident *rpcworld_load(const char *name);
/* dir/name, in a buffer of the caller's. */
void rpcworld_path(char out[512], const char *name);

/* A combination under test. */
struct rpcrun {
	enum rpc_kind kind;
	unsigned threads;
	char name[96];
};

struct rpchold {
	uint64_t id;
	enum rk_cancel_why why;
	bool canceled;
	uint64_t canceled_us; /* by the wall clock */
};

/*
 * The server's methods:
 *
 *	echo      the payload back
 *	fail      an error whose text is the payload
 *	failmore  the same, and the payload too
 *	nothing   returns without an answer
 *	sink      counts its payload; empty answer
 *	big       as many bytes as the payload says in decimal
 *	who       what the handler sees of its peer
 *	head      what the handler sees of the header
 *	guarded   echo, while `allowed`
 *	hold      deferred; the test answers with rk_server_reply()
 *	park      deferred; answered by pointer: by `release` on the same loop
 *	          in reverse order, or inside its cancel callback
 *	release   see park
 *	conn      the id of its connection, in decimal
 *	nudge     pushes its payload, subject "nudge", to who calls
 */
struct rpcrig {
	enum rpc_kind kind;
	bool stepped; /* no thread: the test runs the loop */
	bool paused_thread;
	char want_url[512]; /* to listen at; "" in a RPC_UNIX rig: none */
	char url[128];
	const char *more_urls[2]; /* to listen at besides, or NULL */
	struct rk_server_conf conf;
	struct rk_loop *loop;
	struct rk_server *server;
	bool has_thread;
	pthread_t thread;
	bool allowed; /* lock */

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t changed;
	unsigned handled; /* calls that entered a handler here */
	unsigned sunk;
	uint64_t sunk_bytes;
	unsigned n_held;
	unsigned n_canceled;
	unsigned parked;
	unsigned park_canceled;
	unsigned done; /* of rk_server_stop() */
	unsigned retired;
	struct rpchold held[RPCRIG_HELD];
};

/* Fill in conf and the URL; change them before rpcrig_start(). */
void rpcrig_init(struct rpcrig *r, enum rpc_kind kind, unsigned threads);
void rpcrig_start(struct rpcrig *r);
/* Both, of a run. */
void rpcrig_begin(struct rpcrig *r, const struct rpcrun *run);
/* Stop with a grace of 10 s, wait for the end, free all. */
void rpcrig_end(struct rpcrig *r);
/* The parts of rpcrig_end(). */
void rpcrig_stop(struct rpcrig *r, uint64_t grace_ms);
void rpcrig_await_stopped(struct rpcrig *r);
void rpcrig_fini(struct rpcrig *r);
/* Have the loop's thread run this, and wait until it has. */
void rpcrig_do(
    struct rpcrig *r, void (*fn)(struct rpcrig *r, void *arg), void *arg);
/* Wait until *what (a member of r) is n or more. */
void rpcrig_await(struct rpcrig *r, const unsigned *what, unsigned n);
/* Wait until the server's statistics say so. */
void rpcrig_await_conns(struct rpcrig *r, uint64_t n);
void rpcrig_await_running(struct rpcrig *r, uint64_t n);
unsigned rpcrig_get(struct rpcrig *r, const unsigned *what);
struct rpchold rpcrig_held(struct rpcrig *r, unsigned i);
/* Answer held call number i from this thread. */
void rpcrig_answer(struct rpcrig *r, unsigned i, const char *error,
    const void *payload, size_t len);
/* A `retired` callback for swaps; arg is the rig. */
void rpcrig_retired(void *arg);
/* rpcmeth.c */
size_t rpcrig_methods(struct rpcrig *r, const struct rk_method **list);
void rpcrig_forget_parked(void);

/* Bytes every test may send: 1 byte more than a payload may have. */
extern uint8_t rpcrig_bytes[RK_PAYLOAD_MAX + 1];

/* ---- clients, with a loop of their own ---- */

void rpcrig_client_conf(const struct rpcrig *r, struct rk_client_conf *conf);
/* Connected, or not even started. */
struct rk_client *rpcrig_client(struct rpcrig *r);
struct rk_client *rpcrig_client_with(const struct rk_client_conf *conf);
/* Connected, or not: with that error, whose text has that (NULL: any). */
struct rk_client *rpcrig_dial(
    const struct rk_client_conf *conf, enum rk_err want, const char *text);

/* What a reply callback was told. */
struct rpcanswer {
	unsigned n; /* calls of the callback */
	enum rk_err code;
	bool maybe_executed;
	uint64_t seqno;
	char text[512]; /* the start of the payload, or of the error */
	size_t len;
	bool same; /* the payload is rpcrig_bytes' start */
	unsigned order;
};
rk_reply_fn rpcrig_on_reply; /* arg: struct rpcanswer */
/* Submit; everything must go well. */
uint64_t rpcrig_submit(struct rk_client *c, const char *method,
    const void *payload, size_t len, struct rpcanswer *a);
uint64_t rpcrig_submit_for(struct rk_client *c, const char *method,
    uint64_t timeout, struct rpcanswer *a);
/* Turn the client's loop until *n is `want` or more. */
void rpcrig_turn(struct rk_client *c, const unsigned *n, unsigned want);
/* The same of a number of the server's, as of its calls that are held. */
void rpcrig_turn_for(
    struct rk_client *c, struct rpcrig *r, const unsigned *what, unsigned want);
/* Blocking call; the reply is freed, its text kept.  The second must succeed.
 */
enum rk_err rpcrig_try(struct rk_client *c, const char *method,
    const void *payload, size_t len, struct rpcanswer *a);
void rpcrig_call(struct rk_client *c, const char *method, const void *payload,
    size_t len, struct rpcanswer *a);
/* An echo that comes back: all is well. */
void rpcrig_check_alive(struct rpcrig *r);

/* ---- the log ---- */

/* Keep the lines from now on; rpclog_stop() ends that. */
void rpclog_start(void);
void rpclog_stop(void);
/* How many lines of this level or more important have this text. */
unsigned rpclog_count(enum rk_log_level level, const char *text);
void rpclog_await(enum rk_log_level level, const char *text, unsigned n);

uint64_t rpcrig_now(void);
/* The wall clock, in microseconds. */
uint64_t rpcrig_wall_us(void); /* ms */

/* Every case on {tcp, tls, unix, quic} x {0, 2 threads}, and over sessions with
 * 2 threads (`kinds`: a bit of each); under ThreadSanitizer without threads on
 * the first of these alone. */
struct rpccase {
	const char *name;
	void (*fn)(void **state);
	unsigned kinds;
};
#define RPC_ALL 63u
#define RPC_ONLY(kind) (1u << (kind))
/* Connections that the kernel holds. */
#define RPC_STREAMS (RPC_ALL & ~RPC_ONLY(RPC_QUIC) & ~RPC_ONLY(RPC_SSH_UDP))
#define RPC_SESSIONS (RPC_ONLY(RPC_SSH) | RPC_ONLY(RPC_SSH_UDP))
#define RPC_SECURE (RPC_ONLY(RPC_TLS) | RPC_ONLY(RPC_QUIC))
/* Where certificates, or nothing, say who is there. */
#define RPC_CERTS (RPC_ALL & ~RPC_SESSIONS)
#define RPC_KEYED (RPC_SECURE | RPC_SESSIONS)
int rpcrig_run_cases(const char *group, const struct rpccase *cases, size_t n);

#endif
