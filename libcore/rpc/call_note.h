/* What is noted of calls: figures, and news for those who watch. */
#ifndef RPCKIT_RPC_CALL_NOTE_H
#define RPCKIT_RPC_CALL_NOTE_H

#include "rpc/mail.h"

#include <pthread.h>
#include <stddef.h>

/*
 * Nothing is counted before somebody watches the server (server_watch), and no
 * news made before a watcher wants them: a call then pays for two looks at a
 * flag.
 */
struct methods;
struct rk_call;
struct rk_method;
struct rk_server;
struct worker;

/* Of one loop, in so many ms: what a person could make something of.  More
 * would cost the calls more than they do themselves; it is counted. */
#define CALL_NOTES_MAX 256
#define CALL_NOTES_MS 128

struct call_note {
	TAILQ_ENTRY(call_note) link;
	bool ended;
	uint64_t number; /* of the call, as _.calls has it */
	uint64_t conn;
	uint64_t us;        /* ended: how long it took */
	const char *method; /* these point behind the struct */
	const char *email;  /* "": not proven, or none in the certificate */
	const char *cn;     /* the same */
	const char *error;  /* escaped; "": none */
};
TAILQ_HEAD(call_note_list, call_note);

/* A worker's. */
struct call_notes {
	struct mail mail;     /* to loop 0 */
	pthread_mutex_t lock; /* guards what follows */
	struct call_note_list queue;
	uint64_t dropped;       /* there was no memory, or they were too many */
	uint64_t window;        /* the worker's, as what follows */
	unsigned n;             /* in this window */
	uint64_t skipped;       /* not yet in dropped */
	struct rk_timer *timer; /* to tell of these */
};

void call_notes_init(struct worker *w);
void call_notes_fini(struct worker *w);
/* Loop 0: these are served from now on, and counted, as far as memory goes. */
void call_notes_take(struct rk_server *s, struct methods *m);
/* Loop 0: after a change of who watches, or of what is wanted. */
void call_notes_settle(struct rk_server *s);

/* The worker's thread: a method is entered or refused; it has its answer, with
 * this error (NULL: none), which was sent as r says. */
void call_note_begin(struct rk_call *call, const struct rk_method *m);
void call_note_end(
    struct rk_call *call, const char *error, size_t len, enum rk_err r);

#endif
