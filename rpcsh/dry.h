/* What a call would send, shown instead. */
#ifndef RPCSH_DRY_H
#define RPCSH_DRY_H

#include "request.h"
#include "show.h"

#define DRY_RUN_OPT                                                        \
	{                                                                  \
		.name = "dry-run",                                         \
		.about =                                                   \
		    "show the argument's bytes, ask nothing, send nothing" \
	}

/* Of verbs that change something. */
#define DRY_WOULD_OPT                                                     \
	{                                                                 \
		.name = "dry-run",                                        \
		.about = "say what would be done, do nothing, ask nobody" \
	}

/* Say it: "would ..."; parts from elsewhere are escaped already.  The exit
 * status. */
RK_PRINTF(2, 3)
int dry_would(const struct out *o, const char *fmt, ...);
/* The bytes of an argument and what they say; or the one form, or file, that
 * show is about.  The exit status. */
int dry_show(const struct show *show, const char *method, struct rk_bytes p);
/* The same of a request, where forms are no choice. */
int dry_call(const struct out *o, const struct request *q);

#endif
