/* Control: a program with a server, watched and steered over local sockets. */
#ifndef RPCKIT_CONTROL_H
#define RPCKIT_CONTROL_H

#include <rpckit/server.h>

RK_BEGIN

/*
 * A control is a second server, on the loop of the one that it is about, which
 * listens on local sockets only: mode 0600, and only for root and the user that
 * the program runs as, unless a group is let in.  So its methods are not among
 *those of the watched server, and nobody reaches them over the network.  They
 *answer in msgpack, as all built-in methods; `rpcd ctl` and `rpcsh` show that
 *as JSON.
 *
 *	_.status   name, version, how long, listeners, figures, limits, facts
 *	_.conns    every connection: who, from where, state, calls, bytes
 *	_.calls    every call that runs
 *	_.serves   the methods of the watched server
 *	_.figures  of each method: calls, errors, how long they took
 *	_.metrics  figures as text for Prometheus
 *	_.log      the latest lines of the log
 *	_.events   {log, conns, trust, calls}: from now on push what happens;
 *subject
 *	           _.events
 *	_.trust    keys that wait, or that were decided about; _.pending: only
 *	           those that wait; _.known: those of the known-keys file
 *	_.audit    {max, before, key}: what was decided, the newest first;
 *	           _.export: the known keys as text; _.check: what is wrong
 *	           about list and store
 *	_.decide   {key, verb, version, changed, ...}: rk_trust_order();
 *	           _.undo: {key}: the last decision; _.import: {text}: keys
 *	_.mode     {mode}: rk_trust_set_mode(); _.lock, _.unlock: the file
 *	_.kick     {conn} or {fp} or {address}: end these connections
 *	_.cancel   {conn, id}: cancel a call that runs
 *	_.level    {level}: how much the program's log says
 *	_.reload _.drain _.stop   the program's own functions
 *
 * Calls are counted from when the first control of a server is made, and events
 * made of them only while somebody wants these.
 *
 * Keys are those of whom the server was given to decide (rk_server_conf.trust,
 * rk_server_identity()).  _.decide and what follows it steer; on the read-only
 * socket nobody may call these.  rpckit-control(7) has what all of them take
 * and give.
 */
struct rk_control;

struct rk_control_conf {
	size_t size;              /* sizeof(struct rk_control_conf) */
	struct rk_server *server; /* to watch; outlives the control */
	/* Absolute paths of the sockets; one of them at least.  NULL: none. */
	const char *path;      /* to watch and steer */
	const char *view_path; /* to watch only */
	const char *name;      /* of the program; copied */
	const char *version;   /* of the program; copied; NULL: rk_version() */
	/*
	 * What the program does when it is told to; each answers its call, as
	 * any handler does (server.h).  NULL: the caller is told that this
	 * program cannot.  Loop 0.
	 */
	rk_handler_fn *reload;
	rk_handler_fn *drain; /* end when what runs is done */
	rk_handler_fn *stop;  /* end now */
	void *arg;
	/*
	 * Listening unix sockets that were made elsewhere, in place of path and
	 * view_path; 0: none.  Copied: the caller closes them when it likes,
	 * and their files stay.  Where the file lets its group write, whoever
	 * could connect is served; one that lets everybody is refused.
	 */
	int fd;
	int view_fd;
	/* A group whose members may connect to path and view_path, too: these
	 * get its number and mode 0660; NULL: none. */
	const char *group;
};

/*
 * Listen, and serve from now on; before or after the server starts.  A socket
 * that nobody listens at any more is replaced.  All functions: loop 0 of the
 * server.  RK_EINVAL (what, in err); RK_EIO (errno in err->sys: EADDRINUSE when
 * somebody listens there); RK_EMODE (everybody may write to a socket's file);
 * RK_ENOENT (there is no such group); RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_control_new(const struct rk_control_conf *conf,
    struct rk_control **out, struct rk_error *err);
/*
 * Say something about the program in _.status; text NULL takes it back.  At
 * most RK_CONTROL_FACTS keys; both are copied, and cut at 64 and 512 bytes.
 * RK_ELIMIT, RK_ENOMEM.
 */
#define RK_CONTROL_FACTS 32
RK_API enum rk_err rk_control_fact(
    struct rk_control *c, const char *key, const char *text);
/* Push this to everybody who has asked for events: `event` is a word, text one
 * line; cut at 64 and 1024 bytes.  A reader that is slow misses some, and is
 * told how many. */
RK_API void rk_control_event(
    struct rk_control *c, const char *event, const char *text);
/*
 * Take no more calls, remove the sockets, and close every connection when its
 * answers have left, after a second at the latest.  done (may be NULL) is
 * called once, from the loop.  The watched server may have stopped before, but
 * is not freed yet.
 */
RK_API void rk_control_stop(
    struct rk_control *c, void (*done)(void *arg), void *arg);
/* After done; NULL is allowed.  Not in a callback of the control. */
RK_API void rk_control_free(struct rk_control *c);

RK_END

#endif
