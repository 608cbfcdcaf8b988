/* What killed writers left beside a file, removed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

#define NUMBER_MAX 10 /* digits */

/* A number as it is printed; 0: none. */
static long
take_number(const char **at)
{
	size_t n = strspn(*at, "0123456789");
	long number = 0;

	if (n == 0 || n > NUMBER_MAX || **at == '0')
		return 0;
	number = strtol(*at, NULL, 10);
	*at += n;
	return number;
}

/* The number in BASE.tmp.NUMBER or BASE.tmp.NUMBER.TRY; 0: another name. */
static long
writer_of(const char *name, const char *base)
{
	static const char tag[] = ".tmp.";
	size_t len = strlen(base);
	long id;

	if (strncmp(name, base, len) != 0 ||
	    strncmp(name + len, tag, sizeof(tag) - 1) != 0)
		return 0;
	name += len + sizeof(tag) - 1;
	id = take_number(&name);
	if (id == 0 || *name == '\0')
		return id;
	if (*name++ != '.' || take_number(&name) == 0 || *name != '\0')
		return 0;
	return id;
}

static bool
is_gone(long id)
{
	return id <= INT_MAX && kill((pid_t)id, 0) != 0 && errno == ESRCH;
}

/* The age also holds for writers on other machines. */
static bool
is_left(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       st.st_nlink == 1 &&
	       time(NULL) - st.st_mtim.tv_sec > FS_LEFT_SECONDS;
}

void
fs_clean_tmp(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash != NULL ? slash + 1 : path;
	size_t len = (size_t)(base - path);
	char where[PATH_MAX] = ".";
	const struct dirent *e;
	DIR *dir;

	if (len >= sizeof(where))
		return;
	if (len > 0) {
		memcpy(where, path, len);
		where[len] = '\0';
	}
	if ((dir = opendir(where)) == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		long id = writer_of(e->d_name, base);

		/* What cannot be removed stays. */
		if (id != 0 && is_gone(id) && is_left(dirfd(dir), e->d_name))
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	}
	(void)closedir(dir);
}
