/* Runs that use one CA at the same time, kept apart by a lock beside it. */
#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "selfy.h"

#define LOCK_WAIT_MS 5000

enum rk_err
ca_lock(struct selfy *s, int *lock)
{
	char path[PATH_LEN];
	enum rk_err r;

	*lock = -1;
	if ((r = selfy_path(s, path, s->priv, "ca", ".lock")) != RK_OK)
		return r;
	return fs_lock(path, LOCK_WAIT_MS, lock, &s->err);
}

void
ca_unlock(int lock)
{
	if (lock >= 0)
		(void)close(lock); /* lets go of it */
}

void
ca_settle(struct selfy *s)
{
	char path[PATH_LEN];
	struct stat st;
	int lock = -1;

	/* Where there is no lock yet, nobody is at work. */
	if (selfy_path(s, path, s->priv, "ca", ".lock") == RK_OK &&
	    lstat(path, &st) == 0 &&
	    fs_lock(path, LOCK_WAIT_MS, &lock, &s->err) == RK_OK)
		ca_unlock(lock);
	err_clear(&s->err);
}

/* Is the CA on the disk still the one this run has opened? */
enum rk_err
ca_check_same(struct selfy *s)
{
	char path[PATH_LEN];
	struct cert *c = NULL;
	struct buf text;
	enum rk_err r;

	buf_init(&text, PEM_MAX_BYTES);
	if ((r = selfy_path(s, path, s->priv, "ca", ".crt")) != RK_OK)
		goto out;
	r = selfy_read_cert(s, path, &c, &text);
	if (r == RK_ENOENT || (r == RK_OK && !cert_is_same(c, s->ca.cert))) {
		selfy_retry(s, "the same again");
		r = selfy_fail(s, RK_EBUSY, path,
		    "was replaced or removed by another run meanwhile");
	}
out:
	cert_free(c);
	buf_fini(&text);
	return r;
}

/* A CA in a directory that we may not write is not changed by others like us
 * either, and may well be signed with. */
static bool
needs_no_lock(const struct selfy *s, bool fresh)
{
	return !fresh && (s->err.sys == EACCES || s->err.sys == EROFS);
}

enum rk_err
ca_hold(struct selfy *s, bool fresh, int *lock)
{
	enum rk_err r = ca_lock(s, lock);

	if (r != RK_OK && !needs_no_lock(s, fresh))
		return r;
	err_clear(&s->err);
	r = fresh ? RK_OK : ca_check_same(s);
	if (r != RK_OK) {
		ca_unlock(*lock);
		*lock = -1;
	}
	return r;
}

enum rk_err
ca_commit(struct selfy *s, struct batch *b, bool fresh)
{
	int lock = -1;
	enum rk_err r = ca_hold(s, fresh, &lock);

	if (r == RK_OK)
		r = batch_write(b, &s->err);
	ca_unlock(lock);
	return r;
}
