/* What the daemon answers: echo, commands and folders of the configuration. */
#ifndef RPCD_COMMANDS_H
#define RPCD_COMMANDS_H

#include "settings.h"

#include <pthread.h>

struct super;
struct command_set;
struct folder;

/* How many of a method run, and how full its folder is (files_total.h); shared
 * by the sets before and after a reload. */
struct slot {
	atomic_uint refs;
	atomic_uint running;
	pthread_mutex_t lock; /* guards the rest */
	uint64_t used;        /* bytes of files */
	uint64_t again;       /* counted, monotonic ms; 0: they never were */
};

/* A command, as handlers and running jobs see it; read only. */
struct command {
	const struct method *conf;
	struct slot *slot;
	struct command_set *set;
};

struct command_set {
	atomic_uint refs;
	struct settings *settings;
	struct super *super;
	uint64_t made; /* monotonic nanoseconds */
	struct folder *folders;
	size_t n_folders;
	size_t n;
	struct command commands[];
};

/*
 * The commands of the settings (which are held), run by super.  Counts of
 * methods that `before` (may be NULL) has too go on.
 */
RK_MUST enum rk_err commands_new(struct settings *s, struct super *super,
    const struct command_set *before, struct command_set **out);
/* Serve them.  The server takes over the reference of the caller, unless this
 * fails.  Loop 0. */
RK_MUST enum rk_err commands_install(
    struct command_set *set, struct rk_server *server, struct rk_error *err);
/* Any thread. */
void commands_hold(struct command_set *set);
void commands_release(struct command_set *set);

#endif
