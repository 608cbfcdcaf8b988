/* What putting and getting files share; the thread of the stream's loop. */
#ifndef RPCD_FILES_INT_H
#define RPCD_FILES_INT_H

#include "base/fs.h"
#include "cli/partial.h"
#include "cli/source.h"
#include "exec.h"
#include "files.h"

#define FILES_PIECE 65536
#define FILES_NAME_MAX 1024
#define FILES_NUMBER_LEN 24

struct transfer;
/* Work for a moment: at most one piece of disk I/O.  It may end the transfer.
 */
typedef void files_step_fn(struct transfer *t);

/* One file on its way.  It lives as long as its stream, and until a turn of the
 * loop that it asked for has come. */
struct transfer {
	struct folder *folder;    /* its set is held; NULL: none */
	struct rk_stream *stream; /* NULL: ended */
	struct rk_loop *loop;
	files_step_fn *step;
	bool posted;
	struct rk_timer *timer; /* nothing has moved for too long */
	uint64_t moved;         /* when a piece did, by the loop's clock */
	size_t counted;         /* put: bytes since then */
	void (*stalled)(struct transfer *t);
	const char *what; /* "put", "get" */
	char caller[CALLER_LEN];
	char path[FILES_NAME_MAX + 1]; /* as the client named it */
	char base[NAME_MAX + 1];       /* its last part */
	int dir;                       /* the folder that has it; -1 */
	uint64_t size; /* of the file as announced; RK_NEVER: not known */
	uint64_t from; /* where the bytes begin that travel */
	union {
		struct partial in;
		struct source out;
	} file;
	bool open; /* file is; then, at the end: */
	void (*close)(struct transfer *t);
	bool replace;             /* put: asked to */
	bool began;               /* the first part was sent, or came */
	char sum[SOURCE_SUM_LEN]; /* get: of what the client has */
	size_t waiting;           /* get: bytes in piece that are to be sent; */
	bool has_piece;           /* perhaps none, as the last part */
	bool all;                 /* get: with the last part */
	bool demo;                /* get: for rpc25519's client */
	uint8_t piece[FILES_PIECE];
};

/*
 * Begin: take a place, find the folder of the file that the stream's argument
 * `key` names.  NULL: the caller was told and the stream is gone.
 */
struct transfer *files_begin(
    struct rk_stream *s, struct folder *f, const char *what, const char *key);
/* Have t->step called in the next turn. */
void files_again(struct transfer *t);
/* Watch that something moves: t->stalled is called if nothing does for the
 * time of the configuration.  RK_ENOMEM. */
RK_MUST enum rk_err files_watch(
    struct transfer *t, void (*stalled)(struct transfer *t));
void files_moved(struct transfer *t);
/* The stream is gone, whoever ended it: close and free, now or in a turn that
 * was asked for.  What is still open is closed with t->close. */
void files_end(struct transfer *t);
/* The same for the stream's own end (rk_stream_events): the connection broke,
 * or the caller had enough; arg is the transfer. */
void files_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg);
/* Answer with an error, log it, and end.  errnum 0: text says it all; else the
 * reason is appended. */
void files_fail(struct transfer *t, const char *text, int errnum);

/* An argument as a number: RK_ENOENT, RK_EFORMAT. */
RK_MUST enum rk_err files_number(
    const struct rk_args *args, const char *key, uint64_t *out);
bool files_arg_is(
    const struct rk_args *args, const char *key, const char *value);
#endif
