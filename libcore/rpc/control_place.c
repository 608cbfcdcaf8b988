/* Whom the file of a control's socket lets connect. */
#include "rpc/control_int.h"

#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <grp.h>
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
enum rk_err
control_open_to(const char *path, const char *group, struct rk_error *err)
{
	char shown[NAME_TEXT];
	gid_t gid = 0;
	enum rk_err r;

	if ((r = find_group(group, &gid, err)) != RK_OK)
		return r;
	if (chown(path, (uid_t)-1, gid) == 0 && chmod(path, 0660) == 0)
		return RK_OK;
	return err_sys(err, RK_EIO, errno, "%s: cannot be given to the group",
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
	return RK_OK;
}
