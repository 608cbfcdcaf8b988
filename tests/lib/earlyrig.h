/* A server of calls that may come early, and a client behind a tap. */
#ifndef TESTS_LIB_EARLYRIG_H
#define TESTS_LIB_EARLYRIG_H

#include <stdatomic.h>

#include "rpcrig.h"
#include "tcptap.h"

/* Everything here fails the running test when it cannot do its job. */

/* Transports with early data; those that a tap can be put into. */
#define EARLY RPC_SECURE
#define TAPPED RPC_ONLY(RPC_TLS)

/*
 * What the handlers saw, of all threads.  The methods: `marked` and `plain`
 * echo, `sure` (marked) answers "sure" when that is certain.
 */
struct early_seen {
	atomic_uint marked;
	atomic_uint plain;
	atomic_uint entered; /* sure */
	atomic_uint sure;
	atomic_uint unsure;
	atomic_uint early; /* handlers that were told so */
	atomic_uint code;  /* of the last that was unsure */
};
extern struct early_seen early_seen;
void early_reset(void);

struct early_rig {
	struct rpcrig *server;
	struct tap tap;
	struct rk_client *client;
	unsigned closed;
	struct rk_error why;
};
extern struct rpcrig early_servers[2]; /* large */

/* A server that was set up by rpcrig_init(), and a client for it. */
void early_start_server(struct rpcrig *r);
void early_init(struct early_rig *r, struct rpcrig *server);
/* Both, of a run, with early_servers[0]. */
void early_begin(struct early_rig *r, const struct rpcrun *run);
void early_end(struct early_rig *r);
/* What clients behind the tap are made with. */
void early_client_conf(struct early_rig *r, struct rk_client_conf *conf);

/* Begin to connect; and the end, with everything let through. */
void early_start(struct early_rig *r);
void early_end_client(struct early_rig *r);
/* A whole connection, which leaves a session behind. */
void early_visit(struct early_rig *r);
void early_submit(struct early_rig *r, const char *method, bool idempotent,
    const void *payload, size_t len, struct rpcanswer *a);
/* The same, marked. */
void early_submit_text(struct early_rig *r, const char *method,
    const char *text, struct rpcanswer *a);
/* Did calls go early, and were they taken? */
bool early_went_early(struct early_rig *r);

/* Everybody does what there is to do, until that. */
void early_await(struct early_rig *r, atomic_uint *what, unsigned n);
void early_await_answers(
    struct early_rig *r, const struct rpcanswer *a, unsigned n);
/* Somebody waits for a decision. */
void early_await_entry(struct early_rig *r, struct rk_trust *trust);
void early_await_closed(struct early_rig *r, unsigned n);
/* Until the client wants to say the last words of its handshake, which do not
 * leave; and the server has had time for whatever it does before them. */
void early_stop_before_the_end(struct early_rig *r);

#endif
