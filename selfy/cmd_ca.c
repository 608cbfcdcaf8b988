/* -ca: a new certificate authority. */
#include "base/fs.h"
#include "selfy.h"

enum rk_err
cmd_ca(struct selfy *s)
{
	char path[PATH_LEN];
	struct batch b = { 0 };
	enum rk_err r;

	if ((r = selfy_path(s, path, s->priv, "ca", ".crt")) != RK_OK)
		return r;
	if ((r = ca_make(s, &b, true)) != RK_OK)
		goto out;
	if ((r = fs_make_dir(s->priv, DIR_MODE, &s->err)) != RK_OK)
		goto out;
	if ((r = ca_commit(s, &b, true)) != RK_OK)
		goto out;
	batch_tell(&b, &s->out);
	r = show_made(s, "ca", s->ca.cert, path);
out:
	batch_fini(&b);
	return r;
}
