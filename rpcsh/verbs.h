/* Commands with verbs of their own: ctx and trust. */
#ifndef RPCSH_VERBS_H
#define RPCSH_VERBS_H

#include "cli/out.h"

/* What a verb works on. */
struct job {
	struct args *args;
	const struct out *out;
	const char *const *words; /* behind the verb */
	size_t n;
	const char *path;  /* trust: of the list */
	const char *retry; /* advice when it fails */
	bool dry;          /* say what would be done instead */
	bool said;         /* the failure is on stderr; status is the exit's */
	int status;
};

struct verb {
	const char *name; /* NULL ends a table */
	size_t min;       /* words behind it */
	size_t max;
	const char *form;
	enum rk_err (*run)(struct job *j, struct rk_error *err);
	bool prints; /* has an answer of its own */
};

/* --dry-run: say that it would do that to a file; RK_OK, j->status. */
RK_MUST enum rk_err verbs_would(
    struct job *j, const char *what, const char *path);

/* The verb that the operands of cmd begin with, and the words behind it in the
 * job; NULL with RK_EINVAL in err: there is none, or not with such words. */
const struct verb *verbs_take(const char *cmd, const struct verb *table,
    struct job *j, struct rk_error *err);

#endif
