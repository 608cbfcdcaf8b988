/* Whom the file of a control's socket lets connect. */
#include "rpc/control_int.h"

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define NAME_TEXT 160
#define GROUP_MAX 65536 /* of all its members' names */

static enum rk_err
find_group(const char *name, gid_t *out, struct rk_error *err)
{
	char shown[NAME_TEXT];
	struct group one, *found = NULL;
	char *text = malloc(GROUP_MAX);
	int e;

	if (text == NULL)
		return err_set(err, RK_ENOMEM, "control: out of memory");
	e = getgrnam_r(name, &one, text, GROUP_MAX, &found);
	if (found != NULL)
		*out = found->gr_gid;
	free(text);
	(void)str_escape(shown, sizeof(shown), name);
	if (found != NULL)
		return RK_OK;
	return e != 0 ? err_sys(err, RK_EIO, e, "group %s", shown)
	              : err_set(err, RK_ENOENT, "there is no group %s", shown);
}

/* The group first: until then the mode is 0600. */
static bool
give(int fd, gid_t gid)
{
	char self[40];
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	if (!S_ISSOCK(st.st_mode)) {
		errno = ENOTSOCK;
		return false;
	}
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) == 0 &&
	       chmod(self, 0660) == 0;
}

/* Of a file that somebody may have put in the socket's place meanwhile, which
 * can be a link to another one, nothing is changed. */
enum rk_err
control_open_to(const char *path, const char *group, struct rk_error *err)
{
	char shown[NAME_TEXT];
	gid_t gid = 0;
	bool given = false;
	enum rk_err r;
	int fd, e;

	if ((r = find_group(group, &gid, err)) != RK_OK)
		return r;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		given = give(fd, gid);
	e = errno;
	if (fd >= 0)
		(void)close(fd);
	if (given)
		return RK_OK;
	return err_sys(err, RK_EIO, e, "%s: cannot be given to the group",
	    str_escape(shown, sizeof(shown), path));
}

/* A socket without a file has nothing that would keep others out. */
enum rk_err
control_check_fd(int fd, bool *for_group, struct rk_error *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(a) - 1; /* so that it is a string */
	char shown[NAME_TEXT];
	struct stat st;

	*for_group = false;
	if (getsockname(fd, (struct sockaddr *)&a, &len) != 0 ||
	    a.sun_family != AF_UNIX || a.sun_path[0] != '/' ||
	    stat(a.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return RK_OK;
	if ((st.st_mode & S_IWOTH) != 0)
		return err_set(err, RK_EMODE,
		    "%s: everybody may connect (mode %04o)",
		    str_escape(shown, sizeof(shown), a.sun_path),
		    (unsigned)st.st_mode & 07777);
	*for_group = (st.st_mode & S_IWGRP) != 0;
	return fs_check_parent(a.sun_path, "control socket", err);
}
