/* Who the daemon is over sessions, and which keys it believes there. */
#include "sessions.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/pass.h"
#include "cli/path.h"
#include "creds.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOST_KEY "/etc/ssh/ssh_host_ed25519_key"

/* The machine's, for who may read it; else the user's. */
static enum rk_err
usual_key(char out[PATH_LEN], struct rk_error *err)
{
	const char *home = getenv("HOME");
	int n;

	if (geteuid() == 0 && access(HOST_KEY, F_OK) == 0) {
		(void)str_copy(out, PATH_LEN, HOST_KEY);
		return RK_OK;
	}
	if (home == NULL || home[0] != '/')
		return err_set(err, RK_ENOENT,
		    "no SSH key: HOME is not set; --ssh-key FILE names one");
	n = snprintf(out, PATH_LEN, "%s/.ssh/id_ed25519", home);
	return n > 0 && n < PATH_LEN
	           ? RK_OK
	           : err_set(err, RK_ETOOBIG, "HOME: too long");
}

static enum rk_err
blame(const struct settings *s, const char *key, const struct rk_error *why,
    struct rk_error *err)
{
	char where[WHERE_LEN];

	settings_where(settings_from(s, key), where);
	return err_set(err, why->code, "%s%s", where, why->text);
}

enum rk_err
sessions_load(const struct settings *s, bool passed_in, bool no_input,
    struct sessions *out, struct rk_error *err)
{
	struct pass_source pass = { .spec = s->pass,
		.flag = "--pass",
		.what = "key",
		.no_input = no_input };
	char path[PATH_LEN] = "";
	struct rk_error why;
	enum rk_err r = RK_OK;

	*out = (struct sessions){ 0 };
	if (!passed_in && !settings_have_sessions(s))
		return RK_OK;
	if (s->ssh_key == NULL)
		r = usual_key(path, &why);
	else
		(void)str_copy(path, sizeof(path), s->ssh_key);
	if (r == RK_OK)
		r = creds_key(s, path, RK_SIGN_SESSION, pass_callback, &pass,
		    &out->key, &why);
	if (r != RK_OK)
		return blame(s, "ssh-key",
		    pass.err.code == r && pass.err.text[0] != '\0' ? &pass.err
		                                                   : &why,
		    err);
	if (s->ssh_peers == NULL)
		return RK_OK;
	if ((r = rk_sshkeys_new(&out->peers)) != RK_OK)
		return err_set(err, r, "out of memory");
	r = rk_sshkeys_file(out->peers, s->ssh_peers, &why);
	return r == RK_OK ? RK_OK : blame(s, "ssh-peers", &why, err);
}

void
sessions_fini(struct sessions *s)
{
	rk_key_free(s->key);
	rk_sshkeys_free(s->peers);
	*s = (struct sessions){ 0 };
}
