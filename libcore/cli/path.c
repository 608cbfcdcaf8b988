/* Where files of the user and the daemon are: XDG rules, certificates. */
#include "cli/path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rpckit/signer.h>

#include "base/fs.h"
#include "base/str.h"

struct place {
	const char *variable;
	const char *below_home;
};

static const struct place places[] = {
	[PATH_CONFIG] = { "XDG_CONFIG_HOME", ".config" },
	[PATH_DATA] = { "XDG_DATA_HOME", ".local/share" },
	[PATH_STATE] = { "XDG_STATE_HOME", ".local/state" },
	[PATH_CACHE] = { "XDG_CACHE_HOME", ".cache" },
};

static bool
exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static bool
is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum rk_err
path_user(enum path_base base, const char *name, char out[PATH_LEN])
{
	const char *dir = fs_env_dir(places[base].variable);
	char home[PATH_LEN];
	char own[PATH_LEN];
	enum rk_err r;

	out[0] = '\0';
	if (dir == NULL) {
		const char *h = fs_env_dir("HOME");

		if (h == NULL)
			return RK_ENOENT;
		r = fs_join(home, sizeof(home), h, places[base].below_home);
		if (r != RK_OK)
			return r;
		dir = home;
	}
	if ((r = fs_join(own, sizeof(own), dir, "rpckit")) != RK_OK)
		return r;
	if ((r = fs_join(out, PATH_LEN, own, name)) != RK_OK)
		out[0] = '\0';
	return r;
}

static enum rk_err
copy(char out[PATH_LEN], const char *path)
{
	if (str_copy(out, PATH_LEN, path) < PATH_LEN)
		return RK_OK;
	out[0] = '\0';
	return RK_ETOOBIG;
}

enum rk_err
path_certs(const char *given, bool system, char out[PATH_LEN], const char **why)
{
	const char *env = getenv("RPCKIT_CERTS");

	*why = "flag";
	if (given != NULL)
		return copy(out, given);
	*why = "$RPCKIT_CERTS";
	if (env != NULL && *env != '\0')
		return copy(out, env);
	*why = "working directory";
	if (is_dir("certs"))
		return copy(out, "certs");
	*why = "default";
	if (system)
		return copy(out, "/etc/rpckit/certs");
	return path_user(PATH_CONFIG, "certs", out);
}

enum rk_err
path_known(const char *name, bool system, char out[PATH_LEN])
{
	if (exists(name))
		return copy(out, name);
	if (!system)
		return path_user(PATH_DATA, name, out);
	if (!is_dir("/var/lib/rpckit"))
		return copy(out, name);
	return fs_join(out, PATH_LEN, "/var/lib/rpckit", name);
}

enum rk_err
path_admin_user(char out[PATH_LEN])
{
	const char *dir = fs_env_dir("XDG_RUNTIME_DIR");

	out[0] = '\0';
	if (dir == NULL || !is_dir(dir))
		return RK_ENOENT;
	return fs_join(out, PATH_LEN, dir, "rpckit/admin.sock");
}

enum rk_err
path_admin(const char *given, char out[PATH_LEN])
{
	if (given != NULL)
		return copy(out, given);
	if (path_admin_user(out) == RK_OK && access(out, F_OK) == 0)
		return RK_OK;
	out[0] = '\0';
	if (access(PATH_ADMIN_SYSTEM, F_OK) != 0 && errno != EACCES)
		return RK_ENOENT;
	return copy(out, PATH_ADMIN_SYSTEM);
}

const char *
path_key_name(const char *key)
{
	const size_t len = sizeof(RK_KEY_IN_AGENT) - 1;

	return strncmp(key, RK_KEY_IN_AGENT, len) == 0 ? key + len : key;
}

enum rk_err
path_unix_url(const char *path, char *url, size_t len)
{
	char dir[PATH_LEN];
	int n;

	if (path[0] == '/')
		n = snprintf(url, len, "unix://%s", path);
	else if (getcwd(dir, sizeof(dir)) != NULL)
		n = snprintf(url, len, "unix://%s/%s", dir, path);
	else
		return RK_EIO;
	return n > 0 && (size_t)n < len ? RK_OK : RK_ETOOBIG;
}
