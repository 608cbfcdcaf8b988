/* Words of rpcd ctl that are typed for rpctui --plain: run, and their lines. */
#ifndef RPCTUI_PLAIN_CTL_H
#define RPCTUI_PLAIN_CTL_H

#include "cli/out.h"

#include <rpckit/loop.h>

#include <sys/types.h>

/* At most one of them at a time. */
struct plain_ctl {
	const struct out *out;
	struct rk_loop *loop;
	const char *path; /* of the admin socket */
	/* It is over, its lines are said: by a status. */
	void (*ended)(int status, void *arg);
	void *arg;
	pid_t pid; /* 0: none runs */
	int fd;
	struct rk_watch *watch;
	char line[1024];
	size_t len;
};

/*
 * Begin what a line says: words of rpcd ctl, or a key of the screen with what
 * it is about behind it, as "a FINGERPRINT".  False: nothing runs, why is said.
 */
bool plain_ctl_run(struct plain_ctl *c, const char *line, bool read_only);
/* The keys there are, a line each. */
void plain_ctl_help(const struct out *out);
/* End what still runs. */
void plain_ctl_fini(struct plain_ctl *c);

#endif
