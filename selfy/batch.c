/* Several new files that come into being together or not at all. */
#include "batch.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#define BEFORE_MAX (8 * 1024 * 1024)
#define SHOWN_LEN 200

enum rk_err
batch_absent(const char *path, struct rk_error *err)
{
	char shown[SHOWN_LEN];
	struct stat st;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? RK_OK : fs_fail(err, errno, path);
	return err_set(err, RK_EEXIST, "%s: exists already",
	    str_escape(shown, sizeof(shown), path));
}

enum rk_err
batch_add(struct batch *b, const struct batch_item *item, struct rk_error *err)
{
	struct batch_file *f = &b->files[b->n];

	assert(b->n < BATCH_MAX);
	*f = (struct batch_file){
		.mode = item->mode,
		.replace = item->replace,
		.note = item->note,
	};
	if (item->path != NULL) {
		f->path = strdup(item->path);
		if (f->path == NULL)
			goto fail;
	}
	if (rk_secret_copy(item->data, item->len, &f->data) != RK_OK)
		goto fail;
	b->n++;
	return RK_OK;
fail:
	free(f->path);
	*f = (struct batch_file){ 0 };
	return err_set(err, RK_ENOMEM, "%s", rk_err_text(RK_ENOMEM));
}

enum rk_err
batch_expect(
    struct batch *b, const void *data, size_t len, struct rk_error *err)
{
	assert(b->n > 0);
	if (rk_secret_copy(data, len, &b->files[b->n - 1].expect) == RK_OK)
		return RK_OK;
	return err_set(err, RK_ENOMEM, "%s", rk_err_text(RK_ENOMEM));
}

void
batch_fini(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		rk_secret_free(b->files[i].expect);
		rk_secret_free(b->files[i].before);
		rk_secret_free(b->files[i].data);
		free(b->files[i].path);
	}
	*b = (struct batch){ 0 };
}

static bool
is_expected(const struct batch_file *f)
{
	size_t len = rk_secret_len(f->expect);

	return f->before != NULL && rk_secret_len(f->before) == len &&
	       rk_secret_eq(
	           rk_secret_peek(f->before), rk_secret_peek(f->expect), len);
}

/* What cannot be put back is not replaced.  A link would be replaced itself;
 * of what else is no file, writing says that it cannot be. */
static enum rk_err
remember(struct batch_file *f, struct rk_error *err)
{
	char shown[SHOWN_LEN];
	bool there = false;
	struct stat st;
	enum rk_err r = RK_OK;

	if (!f->replace)
		return batch_absent(f->path, err);
	there = lstat(f->path, &st) == 0;
	if (there && !S_ISREG(st.st_mode))
		return RK_OK;
	if (there) {
		f->before_mode = st.st_mode & 07777;
		r = fs_read_secret(
		    f->path, FS_ANY, BEFORE_MAX, &f->before, err);
	}
	if (r != RK_OK || f->expect == NULL || is_expected(f))
		return r;
	return err_set(err, RK_EBUSY,
	    "%s: was replaced or removed by another run meanwhile",
	    str_escape(shown, sizeof(shown), f->path));
}

static enum rk_err
write_one(struct batch_file *f, struct rk_error *err)
{
	const uint8_t *data = rk_secret_peek(f->data);
	size_t len = rk_secret_len(f->data);
	enum rk_err r;

	if (f->path != NULL)
		r = fs_write_file(f->path, data, len, f->mode, f->replace, err);
	else if ((r = fs_write_all(STDOUT_FILENO, data, len)) != RK_OK)
		r = err_sys(err, r, errno, "standard output");
	f->written = r == RK_OK;
	return r;
}

static void
undo(struct batch *b)
{
	struct rk_error ignored;

	for (size_t i = b->n; i-- > 0;) {
		struct batch_file *f = &b->files[i];

		if (!f->written || f->path == NULL)
			continue;
		/* The first error is what is told; this is done as well as it
		 * can be. */
		if (f->before == NULL)
			(void)unlink(f->path);
		else if (fs_write_file(f->path, rk_secret_peek(f->before),
		             rk_secret_len(f->before), f->before_mode, true,
		             &ignored) != RK_OK)
			continue;
		f->written = false;
	}
}

static enum rk_err
write_all(struct batch *b, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	for (size_t i = 0; i < b->n && r == RK_OK; i++) {
		if (b->files[i].path != NULL)
			r = remember(&b->files[i], err);
	}
	for (size_t i = 0; i < b->n && r == RK_OK; i++) {
		if (b->files[i].path != NULL)
			r = write_one(&b->files[i], err);
	}
	for (size_t i = 0; i < b->n && r == RK_OK; i++) {
		if (b->files[i].path == NULL)
			r = write_one(&b->files[i], err);
	}
	return r;
}

enum rk_err
batch_write(struct batch *b, struct rk_error *err)
{
	static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;
	sigset_t old;
	enum rk_err r;

	(void)sigemptyset(&set); /* none of these can fail */
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		(void)sigaddset(&set, ending[i]);
	(void)sigprocmask(SIG_BLOCK, &set, &old);
	r = write_all(b, err);
	if (r != RK_OK)
		undo(b);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

void
batch_tell(const struct batch *b, const struct out *o)
{
	char shown[SHOWN_LEN * 2];

	for (size_t i = 0; i < b->n; i++) {
		const struct batch_file *f = &b->files[i];

		if (f->path == NULL)
			continue;
		str_escape(shown, sizeof(shown), f->path);
		if (f->note != NULL)
			out_note(o, "wrote %s (%04o, %s)", shown,
			    (unsigned)f->mode, f->note);
		else
			out_note(o, "wrote %s", shown);
	}
}
