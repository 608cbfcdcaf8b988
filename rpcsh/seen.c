/* How often, and when last, a server's key was met: a file of each, a byte a
 * session. */
#include "seen.h"

#include "base/fs.h"
#include "base/str.h"
#include "cli/path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DATE_LEN 10 /* 2025-01-03 */

/* "seen/KEY" below the user's state; "" names the folder. */
static enum rk_err
path_of(const uint8_t *pub, char out[PATH_LEN])
{
	char name[2 * RK_KEY_PUBLIC_LEN + 8] = "seen/";
	size_t len = strlen(name);

	for (size_t i = 0; pub != NULL && i < RK_KEY_PUBLIC_LEN; i++)
		len += (size_t)snprintf(
		    name + len, sizeof(name) - len, "%02x", pub[i]);
	return path_user(PATH_STATE, name, out);
}

void
seen_count(const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	char path[PATH_LEN];
	int fd;

	if (path_of(NULL, path) != RK_OK ||
	    fs_make_dir(path, 0700, NULL) != RK_OK ||
	    path_of(pub, path) != RK_OK)
		return;
	fd = open(path,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	    0600);
	if (fd < 0)
		return;
	if (write(fd, ".", 1) != 1) {
		/* It is one that nobody can count. */
	}
	(void)close(fd); /* as above */
}

enum rk_err
seen_look(const uint8_t pub[RK_KEY_PUBLIC_LEN], struct seen *out)
{
	char path[PATH_LEN];
	struct stat st;

	*out = (struct seen){ 0 };
	if (path_of(pub, path) != RK_OK || lstat(path, &st) != 0 ||
	    !S_ISREG(st.st_mode) || st.st_size == 0)
		return RK_ENOENT;
	out->sessions = (uint64_t)st.st_size;
	out->last = st.st_mtime;
	return RK_OK;
}

const char *
seen_ago(int64_t sec, char dst[SEEN_AGO_LEN])
{
	static const struct {
		int64_t sec;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" },
		{ 1, "s" } };
	int64_t past = (int64_t)time(NULL) - sec;
	size_t i = 0;

	if (past < 0) {
		str_time(dst, sec);
		return dst;
	}
	while (i < 3 && past < units[i].sec)
		i++;
	(void)snprintf(dst, SEEN_AGO_LEN, "%" PRId64 " %s ago",
	    past / units[i].sec, units[i].name);
	return dst;
}

const char *
seen_text(const uint8_t pub[RK_KEY_PUBLIC_LEN], const char *since,
    char dst[SEEN_TEXT_LEN])
{
	char ago[SEEN_AGO_LEN];
	struct seen s;
	int n = 0;

	dst[0] = '\0';
	if (since[0] != '\0')
		n = snprintf(dst, SEEN_TEXT_LEN, "since %.*s",
		    strlen(since) > DATE_LEN && since[DATE_LEN] == 'T'
		        ? DATE_LEN
		        : SEEN_TEXT_LEN / 2,
		    since);
	if (n >= 0 && seen_look(pub, &s) == RK_OK)
		(void)snprintf(dst + n, SEEN_TEXT_LEN - (size_t)n,
		    "%s%" PRIu64 " session%s, last %s", n == 0 ? "" : ", ",
		    s.sessions, s.sessions == 1 ? "" : "s",
		    seen_ago(s.last, ago));
	return dst;
}
