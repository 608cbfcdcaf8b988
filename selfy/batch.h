/* Several new files that come into being together or not at all. */
#ifndef SELFY_BATCH_H
#define SELFY_BATCH_H

#include "base/buf.h"
#include "cli/out.h"

#include <rpckit/secret.h>

#include <sys/types.h>

#define BATCH_MAX 10

struct batch_file {
	char *path; /* NULL: standard output */
	struct rk_secret *data;
	struct rk_secret *before; /* what it replaced, to put it back */
	struct rk_secret *expect; /* what that must be, or NULL */
	mode_t before_mode;
	mode_t mode;
	bool replace;
	bool written;
	const char *note; /* "encrypted", or NULL */
};

/* Embedded; all zero is empty. */
struct batch {
	size_t n;
	struct batch_file files[BATCH_MAX];
};

/* What to write where; the data is copied.  path NULL: standard output, after
 * all files.  note is not copied.  RK_ENOMEM. */
struct batch_item {
	const char *path;
	const void *data;
	size_t len;
	mode_t mode;
	bool replace;
	const char *note;
};

RK_MUST enum rk_err batch_add(
    struct batch *b, const struct batch_item *item, struct rk_error *err);
/* What the last file of the batch replaces must be this, else batch_write()
 * is RK_EBUSY: another run was here meanwhile.  RK_ENOMEM. */
RK_MUST enum rk_err batch_expect(
    struct batch *b, const void *data, size_t len, struct rk_error *err);
/*
 * Write all.  When one fails, new files are removed and replaced ones get
 * their content back; a file whose content cannot be read is not replaced.
 * Signals that would end the process wait meanwhile.
 */
RK_MUST enum rk_err batch_write(struct batch *b, struct rk_error *err);
/* Name what was written, one note a file. */
void batch_tell(const struct batch *b, const struct out *o);
void batch_fini(struct batch *b);

/* RK_EEXIST when there is anything at path. */
RK_MUST enum rk_err batch_absent(const char *path, struct rk_error *err);

#endif
