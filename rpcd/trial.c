/* Keys for trying things out, in a private directory that goes with us. */
#include "trial.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#include <rpckit/key.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Memory before disk: the first is gone when its user is. */
static const char *
parent(void)
{
	static const char *const names[] = { "XDG_RUNTIME_DIR", "TMPDIR" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *dir = getenv(names[i]);

		if (dir != NULL && dir[0] == '/' && access(dir, W_OK) == 0)
			return dir;
	}
	return "/tmp";
}

enum rk_err
trial_open(struct trial *t, const char *name, struct rk_error *err)
{
	const char *const names[] = { TRIAL_CLIENT, name };
	size_t skip = strcmp(name, TRIAL_CLIENT) == 0 ? 1 : 0;
	char shown[160];
	enum rk_err r;

	t->dir[0] = '\0';
	err_clear(err);
	if (fs_join(t->dir, sizeof(t->dir), parent(), "rpcd-trial-XXXXXX") !=
	        RK_OK ||
	    str_copy(t->name, sizeof(t->name), name) >= sizeof(t->name)) {
		t->dir[0] = '\0';
		return err_set(err, RK_EINVAL, "path or name is too long");
	}
	if (mkdtemp(t->dir) == NULL) {
		r = err_sys(err, RK_EIO, errno, "%s",
		    str_escape(shown, sizeof(shown), t->dir));
		t->dir[0] = '\0';
		return r;
	}
	r = rk_ident_generate(t->dir, names + skip, 2 - skip, err);
	if (r != RK_OK)
		trial_close(t);
	return r;
}

static void
drop(const struct trial *t, const char *name, const char *suffix)
{
	char path[PATH_LEN];
	char file[160];

	(void)snprintf(file, sizeof(file), "%s%s", name, suffix);
	if (fs_join(path, sizeof(path), t->dir, file) == RK_OK)
		(void)unlink(path); /* the directory tells what stays */
}

void
trial_close(struct trial *t)
{
	char shown[160];

	if (t->dir[0] == '\0')
		return;
	drop(t, t->name, ".key");
	drop(t, t->name, ".crt");
	drop(t, TRIAL_CLIENT, ".key");
	drop(t, TRIAL_CLIENT, ".crt");
	drop(t, "ca", ".crt");
	if (rmdir(t->dir) != 0 && errno != ENOENT)
		log_event(RK_LOG_WARN, "daemon", "cannot remove %s: %s",
		    str_escape(shown, sizeof(shown), t->dir), strerror(errno));
	t->dir[0] = '\0';
}
