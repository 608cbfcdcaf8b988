/* Where an agent of keyvault(1) is, and the way to it. */
#include "base/agent_dial.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#define SHOWN 256
#define PLACE_LEN 4096

/* ---- where ---- */

enum rk_err
agent_sock_usual(char out[AGENT_PATH_MAX])
{
	static const struct {
		const char *variable;
		const char *below;
	} places[] = {
		{ "XDG_RUNTIME_DIR", "rpckit/keyvault.sock" },
		{ "XDG_STATE_HOME", "rpckit/agent/keyvault.sock" },
		{ "HOME", ".local/state/rpckit/agent/keyvault.sock" },
	};
	char path[PLACE_LEN];
	const char *dir;
	enum rk_err r = RK_ENOENT;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if ((dir = fs_env_dir(places[i].variable)) == NULL)
			continue;
		r = fs_join(path, sizeof(path), dir, places[i].below);
		if (r == RK_OK &&
		    str_copy(out, AGENT_PATH_MAX, path) >= AGENT_PATH_MAX)
			r = RK_ETOOBIG;
		break;
	}
	return r;
}

enum rk_err
agent_path(char out[AGENT_PATH_MAX], bool *named, struct rk_error *err)
{
	const char *given = getenv("KEYVAULT_SOCK");
	enum rk_err r;

	*named = given != NULL && given[0] != '\0';
	if (!*named) {
		r = agent_sock_usual(out);
		return r == RK_OK ? r
		                  : err_set(err, r,
		                        "agent: no place for its socket: set "
		                        "KEYVAULT_SOCK");
	}
	if (str_copy(out, AGENT_PATH_MAX, given) < AGENT_PATH_MAX)
		return RK_OK;
	return err_set(err, RK_ETOOBIG, "KEYVAULT_SOCK: too long for a socket");
}

enum rk_err
agent_path_too_long(const char *path, struct rk_error *err)
{
	char shown[SHOWN];

	return err_set(err, RK_ETOOBIG,
	    "%s: is too long for a socket, at most %d",
	    str_escape(shown, sizeof(shown), path), AGENT_PATH_MAX - 1);
}

bool
agent_path_address(const char *path, struct sockaddr_un *sun)
{
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	return str_copy(sun->sun_path, sizeof(sun->sun_path), path) <
	       sizeof(sun->sun_path);
}

/* ---- the way ---- */

bool
agent_sock_is_ours(int fd, pid_t *pid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0 ||
	    len != sizeof(cred) || cred.uid != geteuid())
		return false;
	*pid = cred.pid;
	return true;
}

/* Waits where too many others do; then it does not block any more. */
static int
connect_bounded(int fd, const struct sockaddr_un *sun, uint32_t ms)
{
	const struct timeval patience = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	if (setsockopt(
	        fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) != 0)
		return -1;
	while (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0)
		if (errno != EINTR)
			return -1;
	return fcntl(fd, F_SETFL, O_NONBLOCK);
}

enum rk_err
agent_sock_dial(const char *path, uint32_t ms, int *out, struct rk_error *err)
{
	struct sockaddr_un sun;
	char shown[SHOWN];
	pid_t pid;
	int fd;
	enum rk_err r;

	*out = -1;
	str_escape(shown, sizeof(shown), path);
	if (!agent_path_address(path, &sun))
		return agent_path_too_long(path, err);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fs_fail(err, errno, path);
	if (connect_bounded(fd, &sun, ms) != 0)
		r = errno == EAGAIN
		        ? err_set(err, RK_ETIMEOUT,
		              "%s: the agent there takes nobody", shown)
		        : err_set(err, RK_ECONNECT, "no agent at %s", shown);
	else if (!agent_sock_is_ours(fd, &pid))
		r = err_set(err, RK_EMODE,
		    "%s: the agent there is another user's", shown);
	else {
		*out = fd;
		return RK_OK;
	}
	(void)close(fd);
	return r;
}
