/* The agent's sockets: made, found, and judged by who is at the other end. */
#include "agent_sock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#define SHOWN 256
#define BACKLOG 64

enum rk_err
agent_sock_ssh(const char *path, char out[AGENT_PATH_MAX], struct rk_error *err)
{
	int n = snprintf(out, AGENT_PATH_MAX, "%s" AGENT_SSH_SUFFIX, path);

	return n > 0 && n < AGENT_PATH_MAX ? RK_OK
	                                   : agent_path_too_long(path, err);
}

/* ---- making ---- */

static enum rk_err
check_folder(const char *folder, struct rk_error *err)
{
	char shown[SHOWN];
	struct stat st;

	str_escape(shown, sizeof(shown), folder);
	if (lstat(folder, &st) != 0)
		return fs_fail(err, errno, folder);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid())
		return err_set(err, RK_EMODE,
		    "%s: is no folder of ours; the agent's socket is in one of "
		    "its owner's",
		    shown);
	if ((st.st_mode & 077) != 0)
		return err_set(err, RK_EMODE,
		    "%s: is open to others, the folder of the agent's socket "
		    "must not be: chmod 700 %s, or take one that is for it "
		    "alone",
		    shown, shown);
	return RK_OK;
}

enum rk_err
agent_sock_claim(const char *path, int *lock_fd, struct rk_error *err)
{
	char folder[AGENT_PATH_MAX + 8];
	char lock[AGENT_PATH_MAX + 8];
	char shown[SHOWN];
	char *slash;
	enum rk_err r;

	*lock_fd = -1;
	if (strlen(path) >= AGENT_PATH_MAX)
		return agent_path_too_long(path, err);
	(void)str_copy(folder, sizeof(folder), path);
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return err_set(err, RK_EINVAL,
		    "%s: a socket of the agent is in a folder of its owner's",
		    str_escape(shown, sizeof(shown), path));
	*slash = '\0';
	if ((r = fs_make_dir(folder, 0700, err)) != RK_OK ||
	    (r = check_folder(folder, err)) != RK_OK)
		return r;
	(void)snprintf(lock, sizeof(lock), "%s.lock", path);
	r = fs_lock(lock, 0, lock_fd, err);
	if (r == RK_EBUSY)
		return err_set(err, RK_EEXIST, "%s: an agent is there already",
		    str_escape(shown, sizeof(shown), path));
	return r;
}

enum rk_err
agent_sock_listen(const char *path, int *out, struct rk_error *err)
{
	struct sockaddr_un sun;
	struct stat st;
	mode_t mask;
	int fd;
	int rc;

	*out = -1;
	if (!agent_path_address(path, &sun))
		return agent_path_too_long(path, err);
	/* Its place is claimed, so that nobody listens on it any more. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		(void)unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fs_fail(err, errno, path);
	mask = umask(0177);
	rc = bind(fd, (const struct sockaddr *)&sun, sizeof(sun));
	(void)umask(mask);
	if (rc != 0 || listen(fd, BACKLOG) != 0) {
		rc = errno == EADDRINUSE ? EEXIST : errno;
		(void)close(fd);
		return fs_fail(err, rc, path);
	}
	*out = fd;
	return RK_OK;
}

/* ---- who asks ---- */

/* What a process is, as far as we may know. */
static bool
read_program(pid_t pid, char out[PATH_MAX])
{
	char link[64];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/%ld/exe", (long)pid);
	n = readlink(link, out, PATH_MAX - 1);
	if (n <= 0)
		return false;
	out[n] = '\0';
	return true;
}

uint64_t
agent_sock_began(pid_t pid)
{
	char path[64];
	char text[1024];
	const char *at;
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	text[n > 0 ? n : 0] = '\0';
	/* The 22nd; the second may hold anything, in brackets. */
	at = strrchr(text, ')');
	for (int i = 2; i < 22 && at != NULL; i++) {
		/* It has ended, and nobody has taken note of it. */
		if (i == 3 && at[1] == 'Z')
			return 0;
		at = strchr(at + 1, ' ');
	}
	return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

void
agent_sock_who(pid_t pid, char out[AGENT_WHO_MAX], char program[256])
{
	char path[PATH_MAX];
	char shown[AGENT_WHO_MAX - 48];

	program[0] = '\0';
	if (!read_program(pid, path))
		(void)str_copy(path, sizeof(path), "a program");
	else if (strlen(path) < 256)
		(void)str_copy(program, 256, path);
	(void)snprintf(out, AGENT_WHO_MAX, "%s, pid %ld, uid %lu",
	    str_escape(shown, sizeof(shown), path), (long)pid,
	    (unsigned long)geteuid());
}
