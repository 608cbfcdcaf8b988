/* The daemon's life: start, serve, reload, drain, end. */
#ifndef RPCD_DAEMON_H
#define RPCD_DAEMON_H

#include "creds.h"
#include "inherit.h"
#include "log.h"

struct daemon_conf {
	const struct args *args;
	struct out *out;
	struct log *log;
	struct inherit *inherit;   /* its sockets are taken over */
	struct settings *settings; /* taken over */
	bool no_input;
};

/* Serve until told to stop.  The exit status. */
int daemon_run(const struct daemon_conf *conf);

#endif
