/* The inside of a control, shared by its files; all of it is loop 0's. */
#ifndef RPCKIT_RPC_CONTROL_INT_H
#define RPCKIT_RPC_CONTROL_INT_H

#include "base/tap.h"
#include "rpc/kv.h"
#include "rpc/server_int.h"

#include <rpckit/control.h>

#define CONTROL_RECENT 256 /* lines of the log that are kept */
#define CONTROL_QUEUE 1024 /* lines on their way from other threads */
#define CONTROL_UNREAD 256 /* pushes under way to one reader of events */
#define CONTROL_READERS 64 /* connections of one socket */
#define CONTROL_SUBJECT "_.events"

/* One socket, and the server behind it. */
struct control_end {
	struct rk_control *control;
	struct rk_server *server;
	bool read_only;
	struct server_watch watch; /* of this server */
};

/* Who wants events: a connection of an end. */
struct control_reader {
	TAILQ_ENTRY(control_reader) link;
	struct control_end *end;
	uint64_t conn;
	int log;    /* enum rk_log_level, or -1: none */
	bool conns; /* what becomes of connections */
	bool gone;
	unsigned unread; /* pushes under way */
	uint64_t lost;   /* events since the last that was queued */
};
TAILQ_HEAD(control_readers, control_reader);

struct control_line {
	TAILQ_ENTRY(control_line) link;
	enum rk_log_level level;
	uint64_t seq; /* from 1 on, without gaps */
	int64_t sec;
	const char *subsystem; /* static */
	char text[];
};
TAILQ_HEAD(control_lines, control_line);

/* The log on its way from any thread to loop 0. */
struct control_log {
	struct log_tap tap;
	struct mailbox *box;
	struct mail mail;
	pthread_mutex_t lock; /* guards the next four */
	struct control_lines queue;
	size_t n_queue;
	uint64_t seq;
	uint64_t dropped; /* for which there was no room */
	struct control_lines recent;
	size_t n_recent;
};

struct control_fact {
	char key[65];
	char text[513];
};

struct rk_control {
	struct rk_server *server;
	char *name;
	char *version;
	rk_handler_fn *reload;
	rk_handler_fn *drain;
	rk_handler_fn *stop;
	void *arg;
	int64_t since;             /* wall clock */
	uint64_t begun;            /* loop time */
	struct server_watch watch; /* of the watched server */
	struct control_end ends[2];
	unsigned n_ends;
	unsigned ends_due; /* servers that have not stopped */
	unsigned surveys;  /* under way */
	struct control_readers readers;
	struct control_log log;
	struct control_fact *facts[RK_CONTROL_FACTS];
	size_t n_facts;
	bool stopping;
	struct mail stopped;
	void (*done)(void *arg);
	void *done_arg;
};

/* control.c: something that stopping waits for is over. */
void control_settle(struct rk_control *c);

/* control_methods.c: the methods of an end. */
RK_MUST enum rk_err control_methods(
    struct control_end *e, struct rk_error *err);

/* control_events.c */
void control_events_init(struct rk_control *c);
void control_events_fini(struct rk_control *c);
/* The log is heard from now on, and no more. */
RK_MUST enum rk_err control_log_open(struct rk_control *c);
void control_log_close(struct rk_control *c);
/* Hooks of the watched server and of an end's own. */
void control_watch(struct rk_control *c);
void control_watch_end(struct control_end *e);
rk_handler_fn control_on_events; /* arg: struct control_end */
rk_handler_fn control_on_log;

/* "error" ... "debug"; -1: none of these. */
int control_level(struct rk_str word);
const char *control_level_name(enum rk_log_level level);
/* Answer with what k has written, or say why not; frees the buffer. */
void control_answer(struct rk_call *call, struct kv *k);

#endif
