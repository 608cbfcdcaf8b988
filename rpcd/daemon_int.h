/* What the parts of the daemon share; loop 0 only. */
#ifndef RPCD_DAEMON_INT_H
#define RPCD_DAEMON_INT_H

#include "admin.h"
#include "daemon.h"
#include "notify.h"
#include "sessions.h"
#include "super.h"
#include "trial.h"

#include <pthread.h>

/*
 * A reload under way.  Opening an encrypted key takes seconds on purpose, so
 * that is done by a thread; everything else on loop 0.
 */
struct reload {
	struct settings *settings;
	struct creds *creds; /* what the thread loaded */
	struct rk_error err;
	enum rk_err r;
	pthread_t thread;
	bool running;                /* the thread was started and not joined */
	bool again;                  /* asked for once more meanwhile */
	char why[RK_ERROR_TEXT_LEN]; /* the first problem */
};

struct daemon {
	const struct daemon_conf *conf;
	struct notify notify;
	struct keyring ring;
	struct trial trial;
	struct rk_loop *loop;
	struct rk_server *server;
	struct super super;
	struct settings *first;    /* those that it started with */
	struct settings *settings; /* in force */
	struct creds *creds;       /* in force; the server frees them */
	struct sessions sessions;  /* of the server, to its end */
	struct command_set *set;   /* in force; the server frees it */
	struct reload reload;
	struct admin admin;
	struct rk_timer *watchdog;
	char (*urls)[128]; /* where it listens */
	size_t n_urls;
	bool tls;
	unsigned stops; /* how often it was told to */
	bool server_done;
	int status;
};

/* daemon_listen.c */

/* Listen at every place of the settings and take the sockets passed in. */
RK_MUST enum rk_err daemon_listen(struct daemon *d, struct rk_error *err);
/* One line each on standard output. */
RK_MUST enum rk_err daemon_announce(
    const struct daemon *d, struct rk_error *err);
/* How a person may call it who has no keys. */
void daemon_explain(const struct daemon *d);

/* daemon.c: running calls may end in time; or (at_once) may not. */
void daemon_stop(struct daemon *d, bool at_once);

/* daemon.c: where settings without certificates find the temporary ones.
 * RK_ENOENT: none were made. */
RK_MUST enum rk_err daemon_lend_keys(
    const struct daemon *d, struct settings *s, struct rk_error *err);

/* admin.c: the control.  RK_OK too when there is none, unless it was asked for.
 */
RK_MUST enum rk_err admin_start(struct daemon *d, struct rk_error *err);
/* How a reload has ended: in words where it failed. */
void admin_reloaded(struct daemon *d, enum rk_err r, const char *why);

/* reload.c: new settings, all or nothing. */
void daemon_reload(struct daemon *d);
/* The server takes identity and list over, unless it fails. */
RK_MUST enum rk_err daemon_use(
    struct daemon *d, struct creds *c, struct rk_error *err);
/* READY=1 and what the daemon does. */
void daemon_tell_ready(const struct daemon *d);

#endif
