/* Over sessions: whose SSH key is ours, and which keys of servers count. */
#include "target_make.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As ssh(1): the usual file, or where that is not there, the agent. */
static enum rk_err
usual_key(char out[PATH_LEN], struct rk_error *err)
{
	const char *home = getenv("HOME");
	const char *agent = getenv("SSH_AUTH_SOCK");
	int n;

	if (home == NULL || home[0] != '/')
		return err_set(err, RK_ENOENT,
		    "no SSH key: HOME is not set; --ssh-key FILE names one");
	n = snprintf(out, PATH_LEN, "%s/.ssh/id_ed25519", home);
	if (n < 0 || n >= PATH_LEN)
		return err_set(err, RK_ETOOBIG, "HOME: too long");
	if (access(out, F_OK) != 0 && agent != NULL && agent[0] != '\0')
		(void)str_copy(out, PATH_LEN, RK_KEY_IN_SSH_AGENT);
	return RK_OK;
}

enum rk_err
target_load_ssh(
    struct target *t, rk_pass_fn *pass, void *arg, struct rk_error *err)
{
	const char *peers = t->settings.v[SET_SSH_PEERS].value;
	char path[PATH_LEN];
	enum rk_err r;

	(void)str_copy(path, sizeof(path), t->settings.v[SET_SSH_KEY].value);
	if (path[0] == '\0' && (r = usual_key(path, err)) != RK_OK)
		goto out;
	if ((r = rk_key_load(path, pass, arg, &t->ssh_key, err)) != RK_OK)
		goto out;
	if (peers[0] == '\0')
		return RK_OK;
	if ((r = rk_sshkeys_new(&t->ssh_peers)) != RK_OK)
		return err_set(err, r, "out of memory");
	r = rk_sshkeys_file(t->ssh_peers, peers, err);
out:
	if (r != RK_OK)
		err->step = "ssh";
	return r;
}

/* Nobody vouches for a server's key, so a person is asked about a new one,
 * unless the keys that are believed are named. */
enum rk_err
target_ssh_trust(struct target *t, struct rk_error *err)
{
	const struct setting *said = &t->settings.v[SET_TRUST];
	struct trusting *how = &t->trusting;
	char shown[160];
	enum rk_err r;

	if (how->want == NULL && strcmp(said->source, "built in") == 0) {
		if (t->ssh_peers != NULL)
			return RK_OK;
		how->how = TRUST_ASK;
	}
	r = target_trust(t, err);
	if (r == RK_EINVAL)
		return err_set(err, r,
		    "%s: no list can have such an address; --ssh-peers FILE, "
		    "without --trust, names the keys that are believed",
		    str_escape(shown, sizeof(shown), t->url));
	return r;
}
