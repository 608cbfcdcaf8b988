/* --trace and --trace-file: the headers of what came, and when it came. */
#ifndef RPCSH_TRACE_H
#define RPCSH_TRACE_H

#include "cli/out.h"

#include <rpckit/client.h>

/* Rows of the tables of options: what trace_init() reads. */
#define TRACE_OPTS                                                      \
	{ .name = "trace", .about = "show the headers of what comes" }, \
	{                                                               \
		.name = "trace-file", .kind = OPT_TEXT, .meta = "FILE", \
		.complete = COMPLETE_FILE,                              \
		.about = "append a line about it, without payloads"     \
	}

struct trace {
	const struct out *out;
	bool shows;
	const char *path; /* NULL: none is kept */
	int fd;
	bool many; /* lines are gathered, not written one by one */
	struct buf lines;
	struct rk_error failed;
};

/* A call, a stream, or a push (method NULL), and how it ended. */
struct traced {
	const char *url;
	const char *method;
	size_t sent; /* bytes of payload */
	size_t got;
	uint64_t us;
	enum rk_err code;
	const struct rk_header *hdr; /* NULL: none came */
};

/* What the options ask for; without a file nothing can fail.  To be closed.  A
 * file is made 0600, and must be nobody else's to read or write, and no link.
 * RK_EIO, RK_ENOENT, RK_EMODE with the reason. */
RK_MUST enum rk_err trace_open(struct trace *t, const struct args *a,
    const struct out *o, struct rk_error *err);
/* Is there anybody to tell? */
bool trace_wants(const struct trace *t);
/* Show the header on standard error, keep a line.  The value of an argument
 * whose name is that of a secret is left out.  What fails is said at the end.
 */
void trace_add(struct trace *t, const struct traced *what);
/* A reply's header; NULL: it has none. */
const struct rk_header *trace_header(const struct rk_reply *reply);
/* The exit status: that of what was traced, or of the file's failure. */
int trace_close(struct trace *t, int status);

#endif
